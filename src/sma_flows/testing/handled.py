"""The Lambda function itself as who answers: records, metrics and traces are made as they would be in AWS."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Final

from sma_flows import handler as function
from sma_flows.handler import Handler
from sma_flows.runtime.ask import Ask, ServiceReply
from sma_flows.runtime.invoke import Position, Result
from sma_flows.services import records
from sma_flows.services.dispatch import LocalServices
from sma_flows.testing.scripted import World
from sma_flows.testing.targets import FunctionError, InProcess, Turn

__all__ = ["Dressed", "Entry", "Handled", "Moment", "answering"]

Entry = Callable[[dict[str, Any], Any], Any]
"""What Lambda calls: it takes the event and the context, and returns the answer."""

REQUEST: Final = "00000000-0000-4000-8000-000000000000"


class Moment:
    """Stands in for ``datetime`` in the handler: it is always the same moment."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self, _zone: object) -> datetime:
        """That moment."""
        return self.moment


class Dressed(LocalServices):
    """Services as the handler knows them, whose work is done by the world of a script."""

    world: World

    @classmethod
    def of(cls, world: World) -> Dressed:
        """Those of one event; what goes wrong in *world* is told here too."""
        services = world.services
        dressed = cls(services.functions, services.ports, services.memo, services.limits)
        dressed.world = world
        dressed.troubles = services.troubles = []
        dressed.overlaps, dressed.later = services.overlaps, services.later
        return dressed

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        """See :class:`~sma_flows.testing.scripted.World`."""
        return self.world.perform(ask, deadline)


@contextmanager
def answering(own: Handler, world: World, now: datetime, *, frozen: bool = False) -> Iterator[list[Result]]:
    """For one event *own* answers with the program of *world*, asks that world, and believes that it is *now*.

    The list gets what the runtime made of it. *frozen*: work takes no time, so that records are the same every time.
    """
    results: list[Result] = []
    before, work = (own.program, own.services), own._answer

    def noting(event: object) -> Result:
        results.append(work(event))
        return results[-1]

    own.use(world.program, Dressed.of(world))
    clocks: list[tuple[Any, str, Any]] = [(function, "datetime", Moment(now))]
    if frozen:
        still = SimpleNamespace(perf_counter=lambda: 0.0)
        clocks += [(function, "time", still), (records, "time", still)]
    was = [(module, name, vars(module)[name]) for module, name, _ in clocks]
    setattr(own, "_answer", noting)  # noqa: B010 - looked at, not changed
    for module, name, clock in clocks:
        setattr(module, name, clock)
    try:
        yield results
    finally:
        for module, name, clock in was:
            setattr(module, name, clock)
        setattr(own, "_answer", work)  # noqa: B010
        if before[0] is not None:
            own.use(before[0], before[1])


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
