"""What one event asks of the world, within the time that an answer may take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from sma_flows.errors import ServiceError
from sma_flows.runtime.ask import FAILED, Ask, ServiceReply, Services
from sma_flows.runtime.step import resume

if TYPE_CHECKING:
    from collections.abc import Callable

    from sma_flows.runtime.finish import Step

ANSWER_S: Final = 3.5
"""Seconds after which no further work outside the step is begun."""


class Work:
    """What one event asks of the world: everything before the deadline, everything kept in mind."""

    __slots__ = ("_deadline", "_services", "asks", "replies")

    def __init__(self, services: Services) -> None:
        self._services = services
        self._deadline = time.monotonic() + ANSWER_S
        self.asks: list[Ask] = []
        self.replies: list[ServiceReply] = []

    def run(self, step: Step, given: Callable[[Ask], ServiceReply | None] | None = None) -> Step:
        """Ask for what *step* asks until an answer is there. What *given* knows already is not asked."""
        while (ask := step.ask) is not None:
            reply = given(ask) if given is not None else None
            if reply is None:
                reply = self._perform(ask)
            step = resume(step, reply)
        return step

    def _perform(self, ask: Ask) -> ServiceReply:
        reply = FAILED
        if time.monotonic() < self._deadline or ask.later:  # what there is no time for is handed on
            try:
                reply = self._services.perform(ask, self._deadline)
            except ServiceError:
                reply = FAILED
        self.asks.append(ask)
        self.replies.append(reply)
        return reply
