"""Does an event cost more in a large flow? The same answer in a flow of 10 states and in one of 5,000."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.call import LEG_A, TRANSACTION
from benchmarks.generated import chain
from benchmarks.measure import Ratio, ratio, rounds
from sma_flows.compiler import compile_paths
from sma_flows.plan import Plan
from sma_flows.runtime.ask import FAILED, Ask, ServiceReply
from sma_flows.runtime.invoke import invoke
from sma_flows.runtime.program import Program

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
LOOPS = 2_000


class _Nobody:
    def perform(self, ask: Ask, deadline: float) -> ServiceReply:  # noqa: ARG002
        return FAILED


def plan_of(states: int) -> Plan:
    """The compiled chain of *states* states."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chain.yaml"
        path.write_text(chain(states), encoding="utf-8")
        result = compile_paths([path])
    if result.plan is None:
        errors = [found.message for found in result.diagnostics if found.severity == "error"]
        raise SystemExit(f"the chain of {states} states does not compile: {errors[0]}")
    return result.plan


def case(plan: Plan) -> Callable[[], None]:
    """Answers the report of the first menu again and again: its state and the next one were visited before."""
    program = Program.load(plan, {})
    services = _Nobody()

    def answer(event: dict[str, Any]) -> dict[str, Any]:
        return invoke(program, event, now=NOW, services=services)

    caller = {"CallId": LEG_A, "ParticipantTag": "LEG-A", "From": "+14155550123", "To": "+12065550110"}
    caller |= {"Direction": "Inbound", "StartTimeInMilliseconds": "1795188600000", "Status": "Connected"}
    details: dict[str, Any] = {"TransactionId": TRANSACTION, "Participants": [caller]}
    event: dict[str, Any] = {"SchemaVersion": "1.0", "Sequence": 1, "InvocationEventType": "NEW_INBOUND_CALL"}
    event["CallDetails"] = details
    first = answer(event)
    details["TransactionAttributes"] = first["TransactionAttributes"]
    echo = {**first["Actions"][-1], "ReceivedDigits": "1"}
    text = json.dumps({**event, "Sequence": 2, "InvocationEventType": "ACTION_SUCCESSFUL", "ActionData": echo})
    if len(answer(json.loads(text)).get("Actions", ())) != 1:
        raise SystemExit("the chain does not go on to its question")

    def run() -> None:
        for _ in range(LOOPS):
            json.dumps(answer(json.loads(text)))

    return run


def measure(small: int, large: int, count: int) -> tuple[Ratio, float, float]:
    """Ratio of an event's time in the large flow to that in the small one; seconds to load the large plan; its MB."""
    plans = {"small": plan_of(small), "large": plan_of(large)}
    times = rounds({name: case(plan) for name, plan in plans.items()}, count)
    text = plans["large"].dumps()
    start = time.thread_time()
    Program.load(Plan.loads(text), {})
    return ratio(times, "large", "small"), time.thread_time() - start, len(text) / 1e6
