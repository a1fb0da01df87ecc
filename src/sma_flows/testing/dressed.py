"""The handler with the world of a script: what it answers is asked of that world, and what time it is, too.

Stands on what a deployed function holds, as :mod:`.scripted` does: :mod:`.rehearsal` takes it into the real Lambda
runtime.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sma_flows import handler as function
from sma_flows.handler import Handler
from sma_flows.runtime.ask import Ask, ServiceReply
from sma_flows.runtime.invoke import Result
from sma_flows.services import records
from sma_flows.services.dispatch import LocalServices
from sma_flows.testing.scripted import World

__all__ = ["Dressed", "Moment", "answering"]


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
