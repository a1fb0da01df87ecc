"""What the compiler knows about each verb: outcomes, built-in answers, how it behaves in an action list.

The table is language reference section 4; the three ways to behave follow from contract rules E2, E3 and E16.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = [
    "ASIDE_VERBS",
    "BUILT_IN",
    "CONNECTING",
    "EFFECTS",
    "JOINED",
    "LISTENING",
    "OUTCOMES",
    "SILENT",
    "TALKING",
    "bare",
]

OUTCOMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "say": ("done", "failed"),
        "play": ("done", "failed"),
        "gather": ("done", "no_input", "no_match", "failed"),
        "menu": ("no_input", "no_match", "failed"),
        "record": ("recorded", "failed"),
        "record_call": ("done", "unchanged", "failed"),
        "bridge": ("ended", "no_answer", "refused", "failed"),
        "join_meeting": ("left", "failed"),
        "mute": ("done", "failed"),
        "bot": ("other", "failed"),
        "voice_focus": ("done", "failed"),
        "send_digits": ("done", "failed"),
        "wait": ("done",),
        "run": ("limited", "failed"),
        "choose": ("other",),
        "schedule": ("closed",),
        "take": ("taken", "empty"),
        "set": ("done",),
        "use": ("failed",),
        "return": (),
        "hangup": (),
    }
)
"""Outcomes that a verb always has, main one first where it has one. Declared ones come in front of them."""

BUILT_IN: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {("bridge", "ended"): "hangup", ("join_meeting", "left"): "hangup"}
)
"""Answers of the language itself, for outcomes that neither the state nor `defaults.next` answers."""

AS_OTHER: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {("bridge", "refused"): "failed", ("record_call", "unchanged"): "done"}
)
"""Outcomes that go, unless answered, where another outcome of the state goes."""

JOINED: Final = frozenset(("say", "play", "wait", "voice_focus", "record_call", "send_digits"))
"""Verbs whose actions may be followed by others in one list (contract 4.0, "event: end")."""

EFFECTS: Final = frozenset(("run", "hold", "join_meeting"))
"""Verbs that ask the world. `hold` is `run ... while`: it asks for a start, plays files, and takes the result."""

SILENT: Final = frozenset(("run", "choose", "schedule", "take", "set", "use", "return"))
"""Verbs without actions: they run inside the invocation that reaches them."""

LISTENING: Final = frozenset(("gather", "menu", "record", "bot", "bridge", "join_meeting"))
"""Verbs that `back` returns to; `play` and `wait` with keys are two more."""

CONNECTING: Final = frozenset(("bridge", "join_meeting"))
"""Verbs that bring leg B."""

TALKING: Final = frozenset(("say", "play", "gather", "menu", "bot"))
"""Verbs with a locale."""

ASIDE_VERBS: Final = frozenset(
    (
        "say",
        "play",
        "wait",
        "mute",
        "voice_focus",
        "record_call",
        "send_digits",
        "run",
        "set",
        "choose",
        "take",
        "hangup",
    )
)
"""What may run while a bridge or meeting goes on (language reference, section 3, Asides)."""


def bare(name: str) -> str:
    """The attribute of a model for a YAML key that is a word of Python."""
    return f"{name}_" if name in ("return", "with", "while", "from", "in", "is") else name
