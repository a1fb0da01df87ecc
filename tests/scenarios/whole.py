"""One whole call: its phone, how far its steps have come, and what is known when it went well."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sma_flows.simulator.driver import Phone
from sma_flows.simulator.model import Network, Sent

from .engine import Reaction
from .expect import Expectation
from .harness import Run
from .script import CALLER, Step

MOST_TICKS = 400
"""More than that happened between two steps: the call goes in circles."""

SLOW = {"ms_per_character": 300, "default_audio_ms": 12_000, "join_ms": 1_000}
"""Everything takes so long that somebody can do something meanwhile."""

MOST_EXTRA = 40
"""More events than that without a step: the call goes in circles."""

MANY = {str(number): "x" for number in range(101)}
"""More attributes than the service takes: an answer that arrives spoilt."""

SLOWER = {"ms_per_character": 9_000, "default_audio_ms": 360_000, "join_ms": 30_000}
"""The same for a function that takes its time as well."""

Delay = Callable[[int, int], int]
"""Milliseconds that the function takes for an event, by attempt and by the number of events before it that have no
answer yet."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A script that went well as a whole call.

    ``actions`` are all actions that were sent, pauses and listeners aside, as JSON. ``lacking`` are the switches that
    would have to be set otherwise for the service to send what the script has and the call had not. ``by_hand`` are the
    steps whose events the network would never send, ``void`` those of whose expected list a part was for a leg that had
    left, or stood behind an action that failed. ``refused`` are the steps whose keys the question's pattern did not
    admit, so that a failure came in their place. ``overlaps`` counts the events that came while another had no answer.
    """

    run: Run
    actions: tuple[str, ...]
    lacking: Mapping[str, str]
    by_hand: tuple[str, ...]
    void: tuple[str, ...]
    refused: tuple[str, ...]
    overlaps: int


@dataclass(slots=True)
class Line:
    """One transaction: its phone, and how far its steps have come.

    ``place`` is the step whose event came last; ``before`` the number of calls of hooks when it came; with ``joint``
    the calls of two steps are judged together, at the second. ``used`` are the events that no step named since then.
    """

    number: int
    phone: Phone
    begun: datetime
    steps: list[tuple[int, Step]]
    place: int = -1
    expectation: Expectation | None = None
    reaction: Reaction | None = None
    closed: bool = True
    joint: bool = False
    before: int = 0
    broken: int = 0
    used: list[dict[str, Any]] = field(default_factory=list)
    lists: list[list[Sent]] = field(default_factory=list)
    first: dict[int, tuple[dict[str, Any], Any]] = field(default_factory=dict)
    kept: dict[int, Any] = field(default_factory=dict)

    @property
    def network(self) -> Network:
        return self.phone.network

    @property
    def index(self) -> int:
        """The number of the step that we are at; 0 before the first."""
        return self.steps[self.place][0] if self.place >= 0 else 0

    def after(self, more: int = 1) -> Step | None:
        """The step that comes next, or the one behind it."""
        return self.steps[self.place + more][1] if self.place + more < len(self.steps) else None

    @property
    def now(self) -> datetime:
        return self.begun + timedelta(milliseconds=self.phone.now_ms)

    @property
    def owes(self) -> bool:
        """Is a part of the expected list still to come?"""
        return self.expectation is not None and not self.expectation.complete


class OwnNumbers(frozenset[str]):
    """Numbers that may be shown to the called party: those of the caller, and all with our prefix."""

    def __contains__(self, number: object) -> bool:
        return str(number).startswith("+1206555") or super().__contains__(number)


OWN = OwnNumbers({CALLER})


def letters(text: str) -> str:
    """An identifier that cannot be mistaken for digits in a log: a UUID shape out of letters only."""
    raw = hashlib.sha256(text.encode()).hexdigest().translate(str.maketrans("0123456789", "abcdefabcd"))
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:32]}"
