"""Plays recorded events against a flow, threading TransactionAttributes from answer to event like the service."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sma_flows.runtime.invoke import handle
from sma_flows.services.ports import SystemClock

if TYPE_CHECKING:
    from sma_flows.cli.events import Recorded
    from sma_flows.runtime.ask import Ask, ServiceReply
    from sma_flows.runtime.invoke import Result
    from sma_flows.runtime.program import Program
    from sma_flows.services.dispatch import LocalServices

__all__ = ["Played", "clock_of", "play"]

_SOME_DAY: Final = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
"""The clock of an event that tells no time: a Friday, ten in the morning in New York."""

_MILLISECONDS: Final = 100_000_000_000
"""Times below this are taken for seconds: an example of the guide holds seconds where it says milliseconds."""


@dataclass(frozen=True, slots=True)
class Played:
    """One event and what came of it. ``event`` is the recorded one with the attributes it was given here."""

    number: int
    call: int
    recorded: Recorded
    event: dict[str, Any]
    result: Result
    at: datetime
    milliseconds: float
    asked: tuple[tuple[Ask, ServiceReply], ...]
    first_of_call: bool


class _EventClock(SystemClock):
    """The wall clock of the services stands at the event's time, so that windows of limits repeat exactly."""

    def __init__(self) -> None:
        self.at = _SOME_DAY

    def now(self) -> float:
        return self.at.timestamp()


@dataclass(slots=True)
class _Watched:
    """Services that remember what they were asked."""

    inner: LocalServices
    asked: list[tuple[Ask, ServiceReply]] = field(default_factory=list)

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        reply = self.inner.perform(ask, deadline)
        self.asked.append((ask, reply))
        return reply


def play(
    program: Program, services: LocalServices, events: Iterable[Recorded], at: datetime | None = None
) -> Iterator[Played]:
    """Play events in their order. Each transaction of each story keeps the attributes of its last answer.

    Each story begins with an empty store: what a recording left behind has no say in the next one.

    ``at`` is the clock of every event; without it :func:`clock_of` the event.
    """
    services.clock = clock = _EventClock()
    saved: dict[tuple[str, str], Any] = {}
    calls: dict[tuple[str, str], int] = {}
    story: str | None = None
    for number, recorded in enumerate(events, start=1):
        event = copy.deepcopy(recorded.event)
        details = event.get("CallDetails")
        key = (recorded.story, str(details.get("TransactionId", "")) if isinstance(details, dict) else "")
        if recorded.story != story:
            story = recorded.story
            _empty(services)
        first = key not in calls
        call = calls.setdefault(key, len(calls) + 1)
        if key in saved and isinstance(details, dict):
            details.pop("TransactionAttributes", None)
            if saved[key]:
                details["TransactionAttributes"] = saved[key]
        watched = _Watched(services)
        now = clock.at = at or clock_of(event)
        begin = time.perf_counter()
        result = handle(program, event, now=now, services=watched)
        took = (time.perf_counter() - begin) * 1000
        kept = result.response.get("TransactionAttributes")
        if kept is not None:
            saved[key] = dict(kept)
        elif key not in saved and isinstance(details, dict):
            saved[key] = details.get("TransactionAttributes")
        yield Played(number, call, recorded, event, result, now, took, tuple(watched.asked), first)


def _empty(services: LocalServices) -> None:
    """A new store, if there is one."""
    if services.ports.directory is not None:
        from sma_flows.services.local.database import MEMORY, Database  # here: only for flows that need a store
        from sma_flows.services.local.open import use_file

        use_file(services, Database(MEMORY))


def clock_of(event: Mapping[str, Any]) -> datetime:
    """The newest time an event tells: the start of its youngest leg."""
    details = event.get("CallDetails")
    people = details.get("Participants") if isinstance(details, dict) else None
    newest = 0
    for one in people if isinstance(people, list) else ():
        try:
            started = int(one["StartTimeInMilliseconds"])
        except (KeyError, TypeError, ValueError):
            continue
        newest = max(newest, started if started >= _MILLISECONDS else started * 1000)
    try:
        return datetime.fromtimestamp(newest / 1000, UTC) if newest else _SOME_DAY
    except (OverflowError, OSError, ValueError):
        return _SOME_DAY
