"""The deployed function with the world of a call script: calls through the real Lambda runtime.

This module is not packed. It stands beside the package (``Pool(beside=...)``), wraps its handler, and changes nothing
of it but what a script says: what hooks answer, what time it is, and a store of its own for each call. An event carries
that under :data:`~sma_flows.testing.scripted.REHEARSAL`, and its answer what the world has seen; an event without it is
answered as ever.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from sma_flows import handler as function
from sma_flows.plan import Plan
from sma_flows.runtime.program import Program
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.setup import STORE, open_services
from sma_flows.testing.dressed import answering
from sma_flows.testing.scripted import REHEARSAL, STORES, CallClock, World, packed, unpacked

__all__ = ["rehearse"]


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
    with answering(own, world, moment) as results:
        answer = own.answer(event, context)
    told = {name: getattr(result, name) for result in results for name in ("note", "values", "fault")}
    return {**answer, REHEARSAL: {"world": packed((world.seen(), world.spent_ms, world.later, told))}}
