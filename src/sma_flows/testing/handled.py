"""The Lambda function itself as who answers: records, metrics and traces are made as they would be in AWS."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Final

from sma_flows.handler import Handler
from sma_flows.runtime.invoke import Position, Result
from sma_flows.testing.dressed import answering
from sma_flows.testing.scripted import World
from sma_flows.testing.targets import FunctionError, InProcess, Turn

__all__ = ["Entry", "Handled"]

Entry = Callable[[dict[str, Any], Any], Any]
"""What Lambda calls: it takes the event and the context, and returns the answer."""

REQUEST: Final = "00000000-0000-4000-8000-000000000000"


class Handled(InProcess):
    """The flow in this process behind *handler*, with the world of one call; its clock stands still in each event.

    *wrap* puts something around the function that Lambda calls, as an author's own module would. What it raises is an
    invocation error; ``tracebacks`` has the text that Lambda would log.
    """

    def __init__(self, world: World, handler: Handler, wrap: Callable[[Entry], Entry] | None = None) -> None:
        super().__init__(world)
        self.handler = handler
        self.tracebacks: list[str] = []
        self._entry: Entry = handler.answer if wrap is None else wrap(handler.answer)

    def answer(self, event: str, at_ms: int, now: datetime) -> Turn:
        """See :class:`~sma_flows.testing.targets.Target`.

        Raises:
            FunctionError: the function raised.
        """
        world = self.world
        world.clock.set(now)
        world.spent_ms, world.later = 0, []
        context = SimpleNamespace(aws_request_id=REQUEST)
        with answering(self.handler, world, now, frozen=True) as results:
            try:
                answer = self._entry(json.loads(event), context)
            except Exception as error:  # noqa: BLE001 - whatever the function lets out
                self.tracebacks.append("".join(traceback.format_exception(error)))
                raise FunctionError(f"the function raised {type(error).__name__}") from None
            trail = tuple(self.handler._visits)
        result = results[-1] if results else Result({}, ("", ""))
        return Turn(
            at_ms,
            event,
            json.dumps(answer),
            Position(*result.came_from),
            result.after,
            result.note,
            result.asks,
            result.values,
            result.fault,
            world.spent_ms + round(world.clock.slept * 1000),
            trail,
            tuple(world.later),
        )
