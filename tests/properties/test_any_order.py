"""Calls in which anything arrives in any order: late, twice, out of turn, with a constant or falling Sequence."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

import pytest

from properties.calls import FLOWS, NOW, Dice, World, arguments_of, disturb, program_of
from properties.check import Checker
from properties.line import Line
from sma_flows.runtime import callstate
from sma_flows.runtime.invoke import Result, handle
from sma_flows.runtime.program import Program

CALLS = 120
CHECKER = Checker()


class Witness:
    """Answers for a line and checks what must hold for every single answer."""

    def __init__(self, program: Program, seed: int) -> None:
        self.program = program
        self.world = World(seed)
        self.cleaned: dict[str, set[str]] = {}

    def __call__(self, event: dict[str, Any]) -> Result:
        given = json.dumps(event)
        result = handle(self.program, event, now=NOW, services=self.world)
        assert not result.fault, result.fault
        assert json.dumps(event) == given, "the event was changed"
        CHECKER.answer(event, result.response)
        again = handle(self.program, json.loads(given), now=NOW, services=World(self.world.seed))
        assert json.dumps(again.response) == json.dumps(result.response), "the same event has two answers"
        for ask in result.asks:
            if ask.cleanup:
                self.cleaned.setdefault(f"{ask.port} {ask.name} {ask.args}", set()).add(ask.token)
        return result


def play(name: str, seed: int) -> tuple[Line, Witness]:
    """One call with every kind of disturbance; the events of the past come back now and then."""
    program, inbound = program_of(name)
    flow = program.plan.revisions[next(iter(program.plan.flows.values()))]
    rng = Random(f"{name}/{seed}")
    witness = Witness(program, seed)
    line = Line(witness, inbound=inbound, arguments=None if inbound else arguments_of(flow, rng))
    dice = Dice(rng, flow)
    line.start()
    for _ in range(70):
        if line.over:
            break
        draw = rng.random()
        if draw < 0.85:
            disturb(line, dice, rng, flow)
        elif draw < 0.89:
            repeat_as_sent(line, rng)
        elif draw < 0.96:
            repeat_late(line, rng)
        elif draw < 0.98:
            line.sequence += rng.choice([-1, -1, -2, 0, 3])
        elif line.list:
            line.list = line.list[: rng.randint(1, len(line.list))]
    while not line.over:
        line.leave(next(tag for tag, leg in line.legs.items() if leg.alive))
    for _ in range(2):  # the last HANGUP once more, and anything else after the end
        repeat_late(line, rng, kinds=("HANGUP",))
        repeat_late(line, rng)
    return line, witness


def repeat_as_sent(line: Line, rng: Random) -> None:
    """The service tries again: same event with the attributes it had. Same answer; it is not applied twice."""
    at = rng.randrange(len(line.events))
    again = line.answer(copy.deepcopy(line.events[at]))
    assert json.dumps(again.response) == json.dumps(line.results[at].response), "a repeated event has another answer"


def repeat_late(line: Line, rng: Random, kinds: tuple[str, ...] = ()) -> None:
    """A former event arrives (again) with the attributes and participants of now."""
    chosen = [event for event in line.events if not kinds or event["InvocationEventType"] in kinds]
    if not chosen:
        return
    old = copy.deepcopy(rng.choice(chosen))
    late = line.event(old["InvocationEventType"], old.get("ActionData"))
    if rng.random() < 0.5:
        late["Sequence"] = old["Sequence"]
    running = line.list
    line.deliver(late)
    # What the event says has happened before: the service only takes the answer.
    if line.list is not running and not any(leg.alive for leg in line.legs.values()):
        line.list = []


@pytest.mark.parametrize("name", FLOWS)
def test_call_survives_any_order_of_events(name: str) -> None:
    for seed in range(CALLS):
        try:
            line, witness = play(name, seed)
        except Exception as problem:
            problem.add_note(f"{name}, call {seed}")
            raise
        assert len(line.released) == len(set(line.released)), "a leg is released twice"
        assert all(len(tokens) == 1 for tokens in witness.cleaned.values()), "clean-up runs twice"


@pytest.mark.parametrize("name", FLOWS)
def test_saved_call_reads_back_as_it_was(name: str) -> None:
    """Attributes that were read and saved again are the same: nothing is lost between two events."""
    program, _ = program_of(name)
    for seed in range(10):
        line, _ = play(name, seed)
        for result in line.results:
            attributes = result.response.get("TransactionAttributes")
            if attributes is None:
                continue
            call = callstate.load(attributes)
            assert call is not None
            flow = program.flow(call.revision)
            assert flow is not None
            assert callstate.save(call, flow.tokens) == attributes
            assert callstate.load(callstate.save(call, flow.tokens)) == call
