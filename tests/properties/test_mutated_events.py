"""Fifty thousand damaged events: no exception, and always an answer that the service accepts."""

from __future__ import annotations

import copy
import json
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from properties.calls import FLOWS, NOW, World, own_events, program_of, random_call
from properties.check import Checker, people_of
from properties.mutate import mutant, mutants
from sma_flows.runtime.invoke import Result, handle
from sma_flows.runtime.program import Program

MUTANTS = 50_000
SHARES = 10
CHECKER = Checker()


@cache
def seeds(name: str) -> tuple[str, ...]:
    """Events of random calls of one flow, and all events that lie in the repository, as JSON text."""
    program, inbound = program_of(name)
    lines = [random_call(program, inbound, seed) for seed in range(25)]
    texts = [json.dumps(event) for line in lines for event in line.events]
    return (*texts, *(json.dumps(event) for event in own_events()))


def answer(program: Program, event: dict[str, Any]) -> None:
    """Answer one event and check the answer; the runtime's own error path counts as an exception."""
    before = copy.deepcopy(event) if len(str(event)) < 20_000 else None
    result = handle(program, event, now=NOW, services=World(1))
    refuse_faults(result)
    if before is not None and before == before:  # NaN is not equal to itself
        assert json.dumps(event) == json.dumps(before), "the event was changed"
    CHECKER.answer(event, result.response)
    legs = [person for person in people_of(event) if person[1].upper() in ("LEG-A", "LEG-B")]
    alive = [tag.upper() for _, tag, status in legs if status != "Disconnected"]
    if legs and not alive:
        assert "Actions" not in result.response, "an action although nobody is connected"
    if event.get("InvocationEventType") == "NEW_INBOUND_CALL" and "LEG-A" in alive and not saved(event):
        assert result.response.get("Actions"), "NEW_INBOUND_CALL is answered with nothing"


def refuse_faults(result: Result) -> None:
    """No exception of ours, also none that was caught: except for a saved call that names a state nobody has."""
    if result.note != "unreadable event":
        assert all(part.startswith("PlanError in node") for part in result.fault.split("; ") if part), result.fault


def saved(event: dict[str, Any]) -> bool:
    """Whether the event brings anything that may count as a saved call."""
    details = event.get("CallDetails")
    return isinstance(details, dict) and bool(details.get("TransactionAttributes"))


@pytest.mark.parametrize("share", range(SHARES))
def test_damaged_events_are_answered(share: int) -> None:
    rng = Random(f"share {share}")
    for number, name in enumerate(FLOWS):
        program, _ = program_of(name)
        count = MUTANTS // SHARES // len(FLOWS) + 1
        texts = list(seeds(name))
        rng.shuffle(texts)
        for event in mutants(texts, Random(f"{share}/{number}"), count):
            try:
                answer(program, event)
            except Exception as problem:
                problem.add_note(f"flow {name}, event {json.dumps(event)[:3000]}")
                raise


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_events_damaged_with_any_json_are_answered(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FLOWS))
    program, _ = program_of(name)
    event = mutant(data.draw(st.sampled_from(seeds(name))), data.draw(st.randoms(use_true_random=False)))
    key = data.draw(st.sampled_from(["ActionData", "CallDetails", "Sequence", "InvocationEventType", "SchemaVersion"]))
    event[key] = data.draw(JSON)
    result = handle(program, event, now=NOW, services=World(1))
    refuse_faults(result)
    CHECKER.answer(event, result.response)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(event=JSON)
def test_anything_that_is_json_is_answered(event: Any) -> None:
    program, _ = program_of(FLOWS[0])
    CHECKER.answer(event, handle(program, event, now=NOW, services=World(1)).response)


@pytest.mark.parametrize("name", FLOWS)
def test_every_event_at_hand_is_answered_by_every_flow(name: str) -> None:
    """Events of any call, undamaged: those in the repository, and published ones where a checkout has them."""
    program, _ = program_of(name)
    found = own_events()
    assert len(found) > 100
    for event in found:
        answer(program, event)
