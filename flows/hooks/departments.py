"""Which department answers which question, for `lex-bot.yaml`."""

from __future__ import annotations

from typing import Final

from sma_flows.hooks import Call, Reply, hook

# Stand-in for a table of departments: what callers ask for, who answers it, and where.
DEPARTMENTS: Final = {
    "billing": ("billing", "+12065550153"),
    "invoice": ("billing", "+12065550153"),
    "delivery": ("shipping", "+12065550154"),
    "returns": ("shipping", "+12065550154"),
}


@hook
def find_department(_call: Call, topic: str | None) -> Reply:
    """The *department* for a *topic* and its *number*: ``found`` or ``none``. Effect: none (read).

    *topic* is what the bot understood; ``None`` when the caller did not say.
    """
    found = DEPARTMENTS.get((topic or "").strip().lower())
    if found is None:
        return Reply("none")
    department, number = found
    return Reply("found", department=department, number=number)
