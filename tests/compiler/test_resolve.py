"""Outcomes, and who answers them."""

# ruff: noqa: E501 - a flow reads best in as few lines as it has

from __future__ import annotations

from pathlib import Path

import pytest

from sma_flows.compiler import answers, check_paths
from sma_flows.compiler.resolve import resolve_flow
from sma_flows.compiler.resolved import ResolvedFlow
from sma_flows.compiler.rules.names import unhandled_outcome
from sma_flows.flow.states import ChooseState, MenuState

from .building import ANSWERS, HEAD, resolved

ROOT = Path(__file__).parents[2]
FLOWS = sorted(
    [
        *ROOT.glob("flows/*.yaml"),
        *ROOT.glob("tests/scenarios/*/flow.yaml"),
        *ROOT.glob("tests/scenarios/extra/*/flow.yaml"),
    ]
)


def edges(flow: ResolvedFlow, state: str) -> dict[str, tuple[str, str]]:
    return {outcome: (edge.target, edge.source) for outcome, edge in flow.states[state].edges.items()}


def test_the_state_answers_first_then_the_defaults_then_the_language(tmp_path: Path) -> None:
    flow = resolved(
        tmp_path,
        HEAD
        + "defaults: {next: {no_answer: busy, failed: sorry}}\nstart: a\nstates:\n"
        + "  a: {bridge: env.DESK, next: {failed: busy}}\n  busy: {hangup: normal}\n  sorry: {hangup: normal}\n",
    )
    assert edges(flow, "a") == {
        "ended": ("hangup", "builtin"),
        "no_answer": ("busy", "defaults"),
        "refused": ("busy", "builtin"),
        "failed": ("busy", "own"),
    }


def test_a_plain_name_answers_the_main_outcome_only(tmp_path: Path) -> None:
    flow = resolved(
        tmp_path,
        HEAD
        + "hooks: {find: {python: hooks.a:find, outcomes: [found, none]}}\nstart: a\nstates:\n  a: {run: find(), next: hangup}\n",
    )
    assert edges(flow, "a") == {"found": ("hangup", "own")}
    assert flow.states["a"].outcomes == ("found", "none", "failed")


def test_a_failure_in_an_aside_goes_back(tmp_path: Path) -> None:
    flow = resolved(
        tmp_path,
        HEAD
        + ANSWERS
        + "start: a\nstates:\n  a: {join_meeting: env.ROOM, keys: {1: b}}\n  b: {mute: on, next: back}\n",
    )
    assert edges(flow, "b") == {"done": ("back", "own"), "failed": ("back", "builtin")}
    assert flow.states["b"].aside
    assert not flow.states["b"].main


def test_a_state_of_both_worlds_keeps_its_default(tmp_path: Path) -> None:
    flow = resolved(
        tmp_path,
        HEAD
        + ANSWERS
        + "start: b\nstates:\n  a: {join_meeting: env.ROOM, keys: {1: b}}\n"
        + "  b: {say: '{call.id}', next: c}\n  c: {choose: {x: call.from}, next: {x: back, other: a}}\n",
    )
    assert edges(flow, "b")["failed"] == ("hangup", "defaults")
    assert (flow.states["b"].aside, flow.states["b"].main) == (True, True)


def test_results_of_hooks_are_variables(tmp_path: Path) -> None:
    flow = resolved(
        tmp_path,
        HEAD
        + ANSWERS
        + "vars: {place: text}\nhooks: {find: {python: hooks.a:find, gives: {room: text, guests: number}}}\nstart: a\nstates:\n"
        + "  a:\n    run: find()\n    into: {place: room}\n    next: b\n  b: {say: '{place} {guests}', next: hangup}\n",
    )
    assert {name: each.origin for name, each in flow.variables.items()} == {"place": "var", "guests": "result"}
    assert flow.states["a"].sets["done"] == {"place", "guests"}


def test_words_of_a_choice_that_next_leaves_out_are_other(tmp_path: Path) -> None:
    text = HEAD + 'vars: {size: "one_of(small, large) = small"}\nstart: a\nstates:\n  a: {choose: size, next: {%s}}\n'
    assert resolved(tmp_path, text % "small: hangup, other: hangup").states["a"].outcomes == ("small", "other")
    assert resolved(tmp_path, text % "small: hangup").states["a"].outcomes == ("small", "large", "other")


def test_everybody_who_relies_on_a_default_is_listed(tmp_path: Path) -> None:
    flow = resolved(
        tmp_path, HEAD + ANSWERS + "start: a\nstates:\n  a: {say: '{call.id}', next: b}\n  b: {hangup: normal}\n"
    )
    assert [(each.state, each.outcome, each.target, each.source) for each in answers([flow])] == [
        ("a", "done", "b", "own"),
        ("a", "failed", "hangup", "defaults"),
    ]


@pytest.mark.parametrize("file", FLOWS, ids=lambda file: str(file.relative_to(ROOT)))
def test_deleting_any_entry_of_any_next_map_is_an_error_unless_something_else_answers(file: Path) -> None:
    for flow in check_paths([file]).flows:
        for name, state in flow.states.items():
            for outcome in state.model.next:
                if outcome == "":
                    continue
                model = state.model.model_copy(
                    update={"next": {key: to for key, to in state.model.next.items() if key != outcome}}
                )
                states = {**flow.model.states, name: model}
                changed = resolve_flow(
                    flow.model.model_copy(update={"states": states}),
                    flow.document,
                    flow.catalogue,
                    flow.catalogue_document,
                    flow.subflows,
                )
                edge = changed.states[name].edges.get(outcome)
                if edge is not None:
                    assert edge.source in ("defaults", "builtin")
                elif isinstance(model, ChooseState) and not isinstance(model.choose, dict) and "other" in model.next:
                    assert outcome not in changed.states[name].outcomes, "`other` stands for it"
                else:
                    assert any(one.span == state.span for one in unhandled_outcome(changed)), f"{name}.{outcome}"


@pytest.mark.parametrize("file", FLOWS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_outcome_of_every_state_of_a_good_flow_is_answered(file: Path) -> None:
    for flow in check_paths([file]).flows:
        for state in flow.states.values():
            assert set(state.edges) == set(state.outcomes)
            if isinstance(state.model, MenuState):
                assert set(state.model.keys) <= set(state.edges)
