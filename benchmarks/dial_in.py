"""Time per event of the dial-in call: compiled, by hand, and nothing but JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import handwritten
from benchmarks.call import PIN, Answer, Event, events
from benchmarks.measure import Ratio, microseconds, ratio, rounds
from sma_flows.compiler import compile_paths
from sma_flows.plan import Plan
from sma_flows.runtime.ask import Ask, ServiceReply
from sma_flows.runtime.invoke import invoke
from sma_flows.runtime.program import Program

ROOT = Path(__file__).resolve().parents[1]
NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
TOKEN = "join-" + "x" * 200
LOOPS = 60


class World:
    """The same small stand-in for both handlers."""

    def verify_pin(self, conference: str, pin: str, caller: str) -> str:  # noqa: ARG002
        return "ok" if pin == PIN else "wrong"

    def open_meeting(self, conference: str) -> str:  # noqa: ARG002
        return "m-1"

    def attend(self, meeting: str) -> tuple[str, str]:  # noqa: ARG002
        return "att-1", TOKEN

    def leave(self, meeting: str, attendee: str) -> None:
        pass


class Services:
    """The stand-in behind the port of the compiled flow."""

    def __init__(self, world: World) -> None:
        self.world = world

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:  # noqa: ARG002
        world = self.world
        if ask.port == "meetings.attend":
            attendee, token = world.attend(ask.args[0])
            return ServiceReply("done", {"attendee": attendee, "token": token})
        if ask.port == "meetings.leave":
            world.leave(*ask.args)
            return ServiceReply("done")
        if ask.name == "verify_pin":
            return ServiceReply(world.verify_pin(ask.args[0], ask.args[1].reveal(), ask.call.caller))
        return ServiceReply("done", {"meeting": world.open_meeting(ask.args[0])})


def load_plan() -> Plan:
    """The compiled dial-in flow."""
    result = compile_paths([ROOT / "flows" / "dial-in.yaml"])
    if result.plan is None:
        raise SystemExit("flows/dial-in.yaml does not compile")
    return result.plan


def compiled() -> Answer:
    """The compiled flow as a function of the event."""
    program = Program.load(load_plan(), {"PROMPTS": "example-prompts"})
    services = Services(World())
    return lambda event: invoke(program, event, now=NOW, services=services)


def same_actions() -> tuple[list[Event], list[Event], list[Event], list[Event]]:
    """Events and answers of both handlers, after a check that all actions are the same.

    Raises:
        SystemExit: they differ; then there is nothing to compare.
    """
    ours, our_answers = events(compiled())
    theirs, their_answers = events(handwritten.handler(World()))
    for number, (left, right) in enumerate(zip(our_answers, their_answers, strict=True), 1):
        if left.get("Actions") != right.get("Actions"):
            raise SystemExit(f"answers to event {number} differ:\n{json.dumps(left)}\n{json.dumps(right)}")
    return ours, our_answers, theirs, their_answers


def _case(texts: list[str], answer: Answer) -> Callable[[], None]:
    loads, dumps = json.loads, json.dumps

    def run() -> None:
        for _ in range(LOOPS):
            for text in texts:
                dumps(answer(loads(text)))

    return run


def _floor(texts: list[str], answers: list[Event]) -> Callable[[], None]:
    loads, dumps = json.loads, json.dumps
    pairs = list(zip(texts, answers, strict=True))

    def run() -> None:
        for _ in range(LOOPS):
            for text, answer in pairs:
                loads(text)
                dumps(answer)

    return run


def measure(count: int) -> tuple[dict[str, Ratio], dict[str, float], dict[str, Any]]:
    """Ratios, microseconds per event, and facts about the payloads."""
    ours, our_answers, theirs, their_answers = same_actions()
    our_texts, their_texts = [json.dumps(e) for e in ours], [json.dumps(e) for e in theirs]
    times = rounds(
        {
            "compiled": _case(our_texts, compiled()),
            "by hand": _case(their_texts, handwritten.handler(World())),
            "JSON alone": _floor(our_texts, our_answers),
            "JSON alone, by hand": _floor(their_texts, their_answers),
        },
        count,
    )
    ratios = {
        "compiled / by hand": ratio(times, "compiled", "by hand"),
        "compiled / JSON alone": ratio(times, "compiled", "JSON alone"),
        "by hand / its JSON alone": ratio(times, "by hand", "JSON alone, by hand"),
    }
    each = {name: microseconds(found, LOOPS * len(ours)) for name, found in times.items()}
    facts = {
        "events": len(ours),
        "bytes in": sum(map(len, our_texts)) // len(ours),
        "bytes out": sum(len(json.dumps(a)) for a in our_answers) // len(ours),
        "attribute bytes": max(len(json.dumps(a.get("TransactionAttributes", {}))) for a in our_answers),
        "attribute bytes by hand": max(len(json.dumps(a.get("TransactionAttributes", {}))) for a in their_answers),
    }
    return ratios, each, facts
