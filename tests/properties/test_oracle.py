"""Machine and compiled plan visit the same states, and a lowering that is wrong anywhere is found (decision 38)."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from properties.flowgen import ENV, GenFlow, make_flow
from properties.oracle import DisagreementError, Walk, play
from sma_flows.compiler import compile_paths
from sma_flows.compiler.load import load
from sma_flows.machine import FlowMachine, machine
from sma_flows.plan import Plan
from sma_flows.runtime.program import Program

State = dict[str, Any]
SAMPLES, WALKS = 120, 8


def build(flow: GenFlow) -> tuple[FlowMachine, Plan]:
    """The machine and the plan of a generated flow."""
    with tempfile.TemporaryDirectory() as folder:
        path = flow.write(Path(folder))
        result = compile_paths([path])
        errors = [str(found) for found in result.diagnostics if found.severity == "error"]
        assert result.plan is not None, "\n".join([*errors, flow.text(), *(s.text() for s in flow.subflows.values())])
        resolved = next(each for each in load([path]).flows if each.name == flow.name)
        return machine(resolved), result.plan


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(rng=st.randoms(use_true_random=False))
def test_machine_and_plan_visit_the_same_states(rng: Random) -> None:
    flow = make_flow(rng)
    built, plan = build(flow)
    program = Program.load(plan, ENV)
    for _ in range(6):
        play(Walk(flow, built, rng), program)


@cache
def samples() -> tuple[tuple[GenFlow, FlowMachine, Plan], ...]:
    """Flows that the mutations are tried on, always the same ones."""
    return tuple((flow, *build(flow)) for flow in (make_flow(Random(seed)) for seed in range(SAMPLES)))


def test_fixed_flows_agree() -> None:
    """Without a mutation the very walks that find the mutations agree."""
    for number, (flow, built, plan) in enumerate(samples()):
        program = Program.load(plan, ENV)
        for walk in range(WALKS):
            play(Walk(flow, built, Random(f"{number}/{walk}")), program)


def states_of(plan: Plan) -> Iterator[tuple[State, dict[str, State]]]:
    """Every state of a plan, with all states of its flow."""
    for flow in plan.revisions.values():
        for state in flow["states"].values():
            yield state, flow["states"]


def swap_two_edges(plan: Plan) -> None:
    for state, _ in states_of(plan):
        edges = state.get("next", {})
        names = [name for name in edges if name != "failed"]
        if len(names) > 1 and edges[names[0]] != edges[names[1]]:
            edges[names[0]], edges[names[1]] = edges[names[1]], edges[names[0]]


def drop_a_default(plan: Plan) -> None:
    for state, _ in states_of(plan):
        for name in [name for name in state.get("next", {}) if name not in state.get("own", ())]:
            state["next"][name] = "hangup"


def count_one_visit_more(plan: Plan) -> None:
    for state, _ in states_of(plan):
        if "visits" in state:
            state["visits"] += 1


def count_one_visit_less(plan: Plan) -> None:
    for state, _ in states_of(plan):
        if "visits" in state:
            state["visits"] -= 1


def forget_to_share_counters(plan: Plan) -> None:
    for flow in plan.revisions.values():
        for name, state in flow["states"].items():
            if "count" in state and "visits" in state:
                state["count"] = f"own:{name}"


def forget_to_reset_counters(plan: Plan) -> None:
    for state, _ in states_of(plan):
        state.pop("resets", None)


def ask_once_more(plan: Plan) -> None:
    for state, _ in states_of(plan):
        if "times" in state:
            state["times"] += 1


def let_the_service_repeat_where_words_differ(plan: Plan) -> None:
    for state, _ in states_of(plan):
        if state.get("encoding") == "runtime":
            state["encoding"] = "service"


def take_shorter_entries(plan: Plan) -> None:
    for state, _ in states_of(plan):
        if state["do"] == "gather":
            state["regex"], state["min"] = "^[0-9]{1,9}$", 1


def mix_up_menu_keys(plan: Plan) -> None:
    for state, _ in states_of(plan):
        keys = state.get("keys", {})
        if state["do"] == "menu" and len(set(keys.values())) > 1:
            targets = list(keys.values())
            state["keys"] = dict(zip(keys, [*targets[1:], targets[0]], strict=True))


def turn_a_case_round(plan: Plan) -> None:
    for state, _ in states_of(plan):
        if state.get("cases"):
            state["cases"] = [[name, ["not", test]] for name, test in state["cases"]]


def allow_one_outcome_more(plan: Plan) -> None:
    for state, _ in states_of(plan):
        for limit in state.get("limits", ()):
            limit["max"] += 1


def return_with_another_outcome(plan: Plan) -> None:
    for state, _ in states_of(plan):
        if state["do"] == "return":
            state["outcome"] = {"kept": "dropped", "dropped": "kept"}[state["outcome"]]


def keep_no_variables(plan: Plan) -> None:
    for state, _ in states_of(plan):
        state["keep"] = []


def leave_variables_of_sub_flows(plan: Plan) -> None:
    for state, _ in states_of(plan):
        if state["do"] == "use":
            state["clear"] = []


def pass_arguments_in_another_order(plan: Plan) -> None:
    for state, _ in states_of(plan):
        if state["do"] == "run":
            state["args"] = state.get("args", [])[::-1]


def say_nothing_in_front(plan: Plan) -> None:
    for state, _ in states_of(plan):
        state.pop("pre", None)


def treat_failures_as_success(plan: Plan) -> None:
    for state, _ in states_of(plan):
        if state["do"] == "say" and "done" in state["next"]:
            state["next"]["failed"] = state["next"]["done"]
            state["own"] = ["done", "failed"]


MUTATIONS: tuple[Callable[[Plan], None], ...] = (
    swap_two_edges,
    drop_a_default,
    count_one_visit_more,
    count_one_visit_less,
    forget_to_share_counters,
    forget_to_reset_counters,
    ask_once_more,
    let_the_service_repeat_where_words_differ,
    take_shorter_entries,
    mix_up_menu_keys,
    turn_a_case_round,
    allow_one_outcome_more,
    return_with_another_outcome,
    keep_no_variables,
    leave_variables_of_sub_flows,
    pass_arguments_in_another_order,
    say_nothing_in_front,
    treat_failures_as_success,
)


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
def test_wrong_lowering_is_found(mutate: Callable[[Plan], None]) -> None:
    for number, (flow, built, plan) in enumerate(samples()):
        wrong = Plan.from_json(copy.deepcopy(plan.to_json()))
        mutate(wrong)
        if wrong.to_json() == plan.to_json():
            continue
        program = Program.load(wrong, ENV)
        for walk in range(WALKS):
            try:
                play(Walk(flow, built, Random(f"{number}/{walk}")), program)
            except (DisagreementError, AssertionError):
                return
    pytest.fail(f"nobody noticed: {mutate.__name__}")
