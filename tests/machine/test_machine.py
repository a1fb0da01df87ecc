"""The flow as a machine: what it can do, what it expands by itself, and that it only does what the flow says."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import pytest
from transitions import MachineError

import sma_flows.machine
from sma_flows.compiler import compile_paths
from sma_flows.compiler.load import load
from sma_flows.compiler.resolved import ResolvedFlow
from sma_flows.machine import FlowCall, dot, expand, machine, mermaid

ROOT = Path(__file__).resolve().parents[2]
FLOWS = [path for path in sorted((ROOT / "flows").glob("*.yaml")) if path.read_text().startswith("sma_flow:")]

HEAD = """\
sma_flow: 1
name: small
entry: inbound
vars: {number: digits(4), on_hold: boolean}
hooks:
  check: {python: hooks.made:check, outcomes: [right, wrong], effect: read}
defaults:
  retry: {times: 1, no_input: "Nothing was heard.", no_match: "Not valid."}
  next: {no_input: bye, no_match: bye, exhausted: bye, failed: sorry}
start: ask
states:
  sorry: {say: "We are sorry.", next: bye}
  bye: {say: "Goodbye.", hangup: normal}
"""
ASK = """\
  ask: {gather: number, prompt: "Your number?", next: look}
  look:
    run: check(number)
    limit: {wrong: 2 per call}
    next: {right: talk, wrong: again, limited: bye}
  again: {say: "That was wrong.", visits: 1, next: ask}
  talk:
    bridge: env.SALES
    keys: {1: hush}
    connected: hello
    next: {ended: bye, no_answer: sorry, failed: sorry}
  hush: {voice_focus: on, next: back}
  hello: {say: "You are connected.", next: back}
"""


def flow_of(folder: Path, text: str, **more: str) -> ResolvedFlow:
    for name, other in more.items():
        (folder / f"{name}.yaml").write_text(other, encoding="utf-8")
    path = folder / "small.yaml"
    path.write_text(text, encoding="utf-8")
    loaded = load([path])
    return next(flow for flow in loaded.flows if flow.name == "small")


@pytest.fixture
def call(tmp_path: Path) -> FlowCall:
    return FlowCall(machine(flow_of(tmp_path, HEAD + ASK))).start()


def test_call_starts_in_the_start_state(call: FlowCall) -> None:
    assert (call.state, call.visited) == ("ask", ["ask"])


def test_question_is_put_once_more_before_its_outcome_follows(call: FlowCall) -> None:
    call.take("no_input")
    assert call.state == "ask"
    assert call.visited == ["ask"]
    call.take("no_match")
    assert call.state == "bye"


def test_default_answers_what_the_state_does_not(call: FlowCall) -> None:
    assert call.take("failed").state == "sorry"


def test_second_failure_hangs_up(call: FlowCall) -> None:
    assert call.take("failed").take("failed").state == "hangup"


def test_limit_turns_the_last_allowed_outcome_into_limited(call: FlowCall) -> None:
    call.take("done").take("wrong").take("done").take("done")
    assert call.state == "look"
    assert call.take("wrong").state == "bye"


def test_state_whose_visits_are_used_up_does_not_run(tmp_path: Path) -> None:
    text = HEAD + '  ask: {say: "Round.", visits: 2, next: ask}\n'
    call = FlowCall(machine(flow_of(tmp_path, text))).start()
    call.take("done").take("done")
    assert call.visited == ["ask", "ask", "bye"]


def test_shared_counter_starts_again_with_the_named_state(tmp_path: Path) -> None:
    text = HEAD + (
        '  ask: {say: "Top.", visits: 2, next: one}\n'
        '  one: {say: "One.", visits: 1 in rounds since ask, next: two}\n'
        '  two: {say: "Two.", visits: 1 in rounds since ask, next: ask, }\n'
    ).replace(", }", "}")
    call = FlowCall(machine(flow_of(tmp_path, text))).start()
    call.take("done")
    assert call.state == "one"
    call.take("done")  # `two` shares the count that `one` used up
    assert call.state == "bye"


def test_aside_returns_to_the_conversation(call: FlowCall) -> None:
    call.take("done").take("right").connect()
    assert call.state == "hello"
    call.take("done")
    assert (call.state, call.talking) == ("talk", True)
    call.press("1")
    assert call.state == "hush"
    call.take("failed")  # never ends a conversation
    assert (call.state, call.talking) == ("talk", True)
    assert call.take("ended").state == "bye"
    assert not call.talking


def test_key_during_an_aside_replaces_it_and_keeps_the_conversation(call: FlowCall) -> None:
    call.take("done").take("right").connect()
    call.press("1")
    assert (call.state, call.base) == ("hush", "talk")


def test_leg_b_that_leaves_drops_the_aside(call: FlowCall) -> None:
    call.take("done").take("right").connect().press("1")
    assert call.take("ended").state == "bye"


def test_caller_can_leave_anywhere(call: FlowCall) -> None:
    assert call.take("done").leave().over


def test_outcome_that_a_state_does_not_have_is_refused(call: FlowCall) -> None:
    with pytest.raises(MachineError, match="limited"):
        call.take("limited")


def test_only_declared_transitions_exist(call: FlowCall) -> None:
    assert not [name for name in call.machine.events if name.startswith("to_")]


def test_sub_flow_is_entered_and_left_by_every_user(tmp_path: Path) -> None:
    part = (
        "sma_flow: 1\nname: part\nentry: sub\noutcomes: [well, badly]\nstart: hear\nstates:\n"
        '  hear: {say: "Part.", next: {done: fine, failed: bad}}\n  fine: {return: well}\n  bad: {return: badly}\n'
    )
    text = HEAD + (
        "  ask: {use: part, next: {well: second, badly: bye}}\n  second: {use: part, next: {well: bye, badly: sorry}}\n"
    )
    call = FlowCall(machine(flow_of(tmp_path, text, part=part))).start()
    assert call.state == "part/hear"
    call.take("done")
    assert call.state == "part/hear"
    call.take("failed")
    assert call.state == "sorry"
    assert call.visited == ["ask", "part/hear", "part/fine", "second", "part/hear", "part/bad", "sorry"]


def test_expansion_names_an_outcome_that_nobody_answers(tmp_path: Path) -> None:
    flow = flow_of(tmp_path, HEAD.replace("failed: sorry", "other: sorry") + ASK)
    with pytest.raises(ValueError, match="state 'sorry' does not answer failed"):
        expand(flow)


def test_expansion_knows_what_defaults_built_in_answers_and_keys_add(tmp_path: Path) -> None:
    nodes = {node.name: node for node in expand(flow_of(tmp_path, HEAD + ASK))}
    assert nodes["ask"].edges == {"done": "look", "no_input": "bye", "no_match": "bye", "failed": "sorry"}
    assert nodes["ask"].own == {"done"}
    assert nodes["ask"].attempts == 2
    assert nodes["talk"].edges["refused"] == "sorry"
    assert nodes["talk"].keys == {"1": "hush"}
    assert nodes["bye"].edges == {"failed": "hangup"}


def test_mermaid_shows_every_state_and_edge(tmp_path: Path) -> None:
    flow = flow_of(tmp_path, HEAD + ASK)
    text = mermaid(flow)
    assert text.startswith("---\ntitle: small\n---\nstateDiagram-v2")
    for node in expand(flow):
        assert f'state "{node.name}" as s_' in text
    assert "s_look --> s_again: wrong" in text
    assert "s_talk --> s_hush: key 1" in text


def test_dot_shows_every_edge_without_needing_graphviz(tmp_path: Path) -> None:
    text = dot(flow_of(tmp_path, HEAD + ASK))
    assert text.startswith('digraph "small" {')
    assert '  s_look -> s_bye [label="limited"];' in text
    assert '  s_hush -> s_back [label="done | failed"];' not in text  # a failure leads where the defaults say
    assert text.count("{") == text.count("}")


def test_machine_is_built_without_the_lowering() -> None:
    code = (
        "import sys, sma_flows.machine; print([name for name in sys.modules if '.lower' in name or '.facts' in name])"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_edges_of_the_shipped_flows_are_those_of_their_plans(path: Path) -> None:
    plan = compile_paths([path]).plan
    assert plan is not None
    states = next(iter(plan.revisions.values()))["states"]
    nodes = {node.name: node for node in expand(load([path]).flows[0])}
    assert set(nodes) == set(states)
    for name, state in states.items():
        keys = state.get("keys", {}) or state.get("listen", {}).get("keys", {})
        expected = {**state.get("next", {}), **(keys if state["do"] == "menu" else {})}
        edges = dict(nodes[name].edges)
        if expected.get("failed") == "back" and "failed" not in nodes[name].own:
            edges["failed"] = "back"  # written down by the plan, found out by the machine when it talks
        assert edges == expected, name
        assert nodes[name].keys == keys, name
        assert nodes[name].connected == state.get("connected", ""), name
        assert nodes[name].visits == state.get("visits", 0), name


def test_documentation_of_the_module_is_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert doctest.testmod(sma_flows.machine) == (0, 7)
