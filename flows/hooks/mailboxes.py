"""Who has which mailbox, for `voicemail.yaml`."""

from __future__ import annotations

from typing import Final

from sma_flows.hooks import Call, Reply, hook

# Stand-in for the staff directory. Extensions and names are fictional.
OWNERS: Final = {
    "1001": "Ana Torres",
    "1002": "Ben Miller",
    "1003": "Chen Wei",
}


@hook
def find_mailbox(_call: Call, mailbox: str) -> Reply:
    """The *owner* of the four-digit *mailbox*: ``found`` or ``none``. Effect: none (read)."""
    owner = OWNERS.get(mailbox)
    return Reply("none") if owner is None else Reply("found", owner=owner)
