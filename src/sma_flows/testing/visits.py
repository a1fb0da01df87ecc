"""What one call has come by in its flow: the raw material of coverage.

The runtime notes visits while it makes an answer (:data:`sma_flows.runtime.frame.Visit`). States that follow each other
in one answer are walked before any of them is heard: where an action of such a list fails, what stood behind it never
happened, and is taken back here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sma_flows.protocol.actions import CODES, mark
from sma_flows.protocol.events import ACTION_FAILED, parse_event
from sma_flows.runtime.frame import Visit

__all__ = ["Trail", "Visit"]

_ACTION: Final = "action"


class Trail:
    """The visits of one call, event by event."""

    def __init__(self) -> None:
        self._done: set[Visit] = set()
        self._pending: list[Visit] = []

    def event(self, event: Mapping[str, Any], visits: Iterable[Visit]) -> None:
        """An event was answered, and the walk came by these *visits*."""
        visits = list(visits)
        if not visits:
            return
        if event["InvocationEventType"] == ACTION_FAILED:
            visits[0] = self._failed(event, visits[0])
        self._done.update(self._pending)
        self._pending = visits

    def attempt(self, state: str, number: int) -> None:
        """The service put the question of *state* for the *number*-th time by itself."""
        self._done.update(("attempt", state, str(each), "") for each in range(2, number + 1))

    @property
    def visits(self) -> frozenset[Visit]:
        """Everything that happened so far."""
        return frozenset(visit for visit in self._done.union(self._pending) if visit[0] != _ACTION)

    def _failed(self, event: Mapping[str, Any], first: Visit) -> Visit:
        """What really happened first; what stood behind it in the list is taken back.

        The runtime asks the last state of a list where all of its failures lead to the same place; the action that
        failed may be that of an earlier one.
        """
        kind, last, label, target = first
        owner = self._owner(event) or last
        for place, (each, state, _, _) in enumerate(self._pending):
            if state == owner and each == "outcome":
                del self._pending[place:]
                break
        return (kind, owner, label, target) if label == "failed" else first

    def _owner(self, event: Mapping[str, Any]) -> str:
        """The state whose action failed; empty when it cannot be told."""
        told = parse_event(event)
        begin = f"{CODES.get(told.action, '?')}.{told.leg or 'A'}."
        mine = [(state, tail) for kind, state, tail, _ in self._pending if kind == _ACTION and tail.startswith(begin)]
        digest = mark(told.action, told.params)
        exact = [state for state, tail in mine if tail == begin + digest]
        return next(iter(exact or [state for state, _ in mine]), "")
