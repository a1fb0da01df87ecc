"""The deployed function with the world of a call script: calls through the real Lambda runtime.

This module is not packed. It stands beside the package (``Pool(beside=...)``), wraps its handler, and changes nothing
of it but what a script says: what hooks answer, what time it is, and a store of its own for each call. An event carries
that under :data:`~sma_flows.testing.scripted.REHEARSAL`, and its answer what the world has seen; an event without it is
answered as ever.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from sma_flows import handler as function
from sma_flows.plan import Plan
from sma_flows.runtime.ask import Ask, ServiceReply
from sma_flows.runtime.invoke import Result
from sma_flows.runtime.program import Program
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.setup import STORE, open_services
from sma_flows.testing.scripted import REHEARSAL, STORES, CallClock, World, packed, unpacked

__all__ = ["rehearse"]


class _At:
    """Stands in for ``datetime`` in the handler: it is always the same moment."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self, _zone: object) -> datetime:
        """That moment."""
        return self.moment


class _Dressed(LocalServices):
    """Services as the handler knows them, whose work is done by the script's world."""

    world: World

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        """See :class:`~sma_flows.testing.scripted.World`."""
        return self.world.perform(ask, deadline)


@cache
def _opened(transaction: str, values: tuple[tuple[str, str], ...]) -> tuple[Program, LocalServices]:
    """The packed plan for one call, and services with a store of its own that any process of the folder finds."""
    path = Path(os.environ["SMA_FLOWS_PLAN"])
    env = {**os.environ, **dict(values)}
    opened = open_services(Plan.read(path), {**env, STORE: f"{os.environ[STORES]}/{transaction}.sqlite"}, path)
    return Program.load(opened.plan, env), opened.services


def rehearse(event: dict[str, Any], context: object) -> dict[str, Any]:
    """What Lambda calls instead of the handler: the same answer, and what the script's world has seen beside it."""
    told = event.pop(REHEARSAL, None)
    if told == "where":  # which code answers: the package, and not the tools beside it
        return {"where": function.__file__}
    own = function._handler
    if not isinstance(told, Mapping) or own.program is None:
        return function.lambda_handler(event, context)
    moment, values, stubs, seen = unpacked(told["world"])
    program, services = _opened(str(event["CallDetails"]["TransactionId"]), tuple(values.items()))
    services.clock = CallClock(moment)
    world = World(program, {}, services, services.clock, stubs)
    world.see(seen)
    dressed = _Dressed(services.functions, services.ports, services.memo, services.limits)
    dressed.world, dressed.troubles, dressed.overlaps = world, services.troubles, services.overlaps
    before, clock = (own.program, own.services), vars(function)["datetime"]
    results: list[Result] = []
    work = own._answer

    def noting(told_event: object) -> Result:
        results.append(work(told_event))
        return results[-1]

    own.use(program, dressed)
    setattr(own, "_answer", noting)  # noqa: B010 - looked at, not changed
    setattr(function, "datetime", _At(moment))  # noqa: B010 - the module's own clock
    try:
        answer = own.answer(event, context)
    finally:
        own.use(*before)
        setattr(own, "_answer", work)  # noqa: B010
        setattr(function, "datetime", clock)  # noqa: B010
    told = {name: getattr(result, name) for result in results for name in ("note", "values", "fault")}
    return {**answer, REHEARSAL: {"world": packed((world.seen(), world.spent_ms, world.later, told))}}
