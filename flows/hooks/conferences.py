"""Conference numbers and their PINs, for `dial-in.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sma_flows.hooks import Call, Reply, Secret, hook, same_secret


@dataclass(frozen=True, slots=True)
class Conference:
    """One conference: callers get in with its PIN while it is open."""

    pin: str
    open: bool = True


# Stand-in for the table of a booking system. The numbers and PINs are fictional.
CONFERENCES: Final = {
    "4155501": Conference(pin="482913"),
    "4155502": Conference(pin="730155"),
    "4155503": Conference(pin="915702", open=False),
}


@hook
def verify_pin(_call: Call, conference: str, pin: Secret) -> Reply:
    """Whether *pin* opens *conference*: ``ok``, ``wrong`` or ``closed``. Effect: none (read).

    An unknown number and a wrong PIN give the same answer, so that nobody learns which numbers exist. ``closed`` is
    said only to those who know the PIN.
    """
    found = CONFERENCES.get(conference)
    if found is None or not same_secret(found.pin, pin):
        return Reply("wrong")
    return Reply("ok" if found.open else "closed")
