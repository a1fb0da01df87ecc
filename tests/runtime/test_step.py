"""The shortcut of the step, and the door itself. Every cell of the tables: tests/properties/test_reactions.py."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

import pytest

from decisions.kit import Phone, load
from properties.calls import FLOWS, NOW, Dice, World, arguments_of, disturb, program_of
from properties.line import Line
from properties.mutate import mutant
from sma_flows.protocol.events import parse_event
from sma_flows.runtime import callstate, step
from sma_flows.runtime.invoke import Result, handle
from sma_flows.runtime.program import Program
from sma_flows.runtime.turn import Turn


def agree(program: Program, event: dict[str, Any]) -> bool:
    """Compare shortcut and checks for one event; gives whether the shortcut was taken."""

    def turn() -> Turn:
        invocation = parse_event(copy.deepcopy(event))
        if invocation.type == "HANGUP":
            step.mark_dead(invocation)
        call = callstate.load(invocation.attributes) if invocation.attributes else None
        return Turn(program, call, invocation, NOW)

    if not step._plain(turn()):
        return False
    for title, check in step.CHECKS:
        assert check(turn()) is None, f"{title}: the shortcut goes past it for {json.dumps(event)[:300]}"
    return True


@pytest.mark.parametrize("name", FLOWS)
def test_the_shortcut_is_taken_only_where_no_check_hits(name: str) -> None:
    program, inbound = program_of(name)
    flow = program.plan.revisions[next(iter(program.plan.flows.values()))]
    taken = seen = 0

    for seed in range(12):
        rng = Random(f"plain {name} {seed}")
        world = World(seed)

        def answer(event: dict[str, Any], world: World = world) -> Result:
            return handle(program, event, now=NOW, services=world)

        line = Line(answer, inbound=inbound, arguments=None if inbound else arguments_of(flow, rng))
        line.start()
        dice = Dice(rng, flow)
        for _ in range(25):
            if line.over:
                break
            disturb(line, dice, rng, flow)
        kinds = ("ACTION_SUCCESSFUL", "ACTION_FAILED", "DIGITS_RECEIVED", "HANGUP", "NEW_INBOUND_CALL", "CALL_ANSWERED")
        for event in line.events:
            variants = [event, {**event, "InvocationEventType": rng.choice(kinds)}, mutant(json.dumps(event), rng)]
            late = copy.deepcopy(event)
            late["CallDetails"]["TransactionAttributes"] = line.attributes
            late["Sequence"] = rng.choice([late["Sequence"], line.sequence, line.sequence + 1])
            for variant in (*variants, late):
                if isinstance(variant, dict) and isinstance(variant.get("InvocationEventType"), str):
                    seen += 1
                    taken += agree(program, variant)
    assert taken > seen / 20, "the shortcut would save nothing"


FLOW = """\
sma_flow: 1
name: door
entry: inbound
defaults: {next: {no_input: hangup, no_match: hangup, failed: hangup}}
start: ask
states:
  ask: {menu: "Ask.", keys: {1: hangup}}
"""


def test_a_step_leaves_the_saved_call_as_it_was() -> None:
    phone = Phone(FLOW)
    phone.start()
    event = parse_event(phone.report(ReceivedDigits="1"))
    call = callstate.load(event.attributes)
    assert call is not None
    before = call.copy()
    first = step.step(phone.program, call, event, NOW)
    assert call == before
    assert step.step(phone.program, call, event, NOW).actions == first.actions


def test_only_a_step_that_asks_can_be_resumed() -> None:
    phone = Phone(FLOW)
    event = parse_event(phone.event("NEW_INBOUND_CALL"))
    done = step.step(load(FLOW), None, event, NOW)
    with pytest.raises(step.StepError):
        step.resume(done, step.ServiceReply("done"))
