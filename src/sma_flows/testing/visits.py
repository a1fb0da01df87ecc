"""What one call has come by in its flow: the raw material of coverage.

The runtime notes visits while it makes an answer (:data:`sma_flows.runtime.frame.Visit`). States that follow each other
in one answer are walked before any of them is heard: where an action of such a list fails, what stood behind it never
happened, and is taken back here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sma_flows.runtime.frame import Visit

__all__ = ["Trail", "Visit"]

FAILURE: Final = "ACTION_FAILED"


class Trail:
    """The visits of one call, event by event."""

    def __init__(self) -> None:
        self._done: set[Visit] = set()
        self._pending: list[Visit] = []

    def event(self, kind: str, visits: Iterable[Visit]) -> None:
        """An event of type *kind* was answered, and the walk came by these *visits*."""
        visits = list(visits)
        if not visits:
            return
        if kind == FAILURE:
            self._take_back(visits[0][1])
        self._done.update(self._pending)
        self._pending = visits

    def attempt(self, state: str, number: int) -> None:
        """The service put the question of *state* for the *number*-th time by itself."""
        self._done.add(("attempt", state, str(number), ""))

    @property
    def visits(self) -> frozenset[Visit]:
        """Everything that happened so far."""
        return frozenset(self._done.union(self._pending))

    def _take_back(self, failed: str) -> None:
        """The state whose action failed has not left as the walk supposed; nothing behind it was reached."""
        for place, (kind, state, _, _) in enumerate(self._pending):
            if state == failed and kind == "outcome":
                del self._pending[place:]
                return
