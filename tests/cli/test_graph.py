"""Diagrams: their edges are those of the plan, all of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from sma_flows.cli.graph import Edge, dot, edges_of, mermaid
from sma_flows.compiler import compile_paths

from .conftest import Run, small_flow

FLOWS = Path(__file__).resolve().parents[2] / "flows"


def a_flow() -> dict[str, Any]:
    """A menu, a bridge with keys and an aside, a sub-flow, an update; names that diagrams cannot take as they are."""
    return {
        "name": "desk",
        "start": "menu",
        "updates": [{"name": "notice", "next": "end"}],
        "states": {
            "menu": {
                "do": "menu",
                "keys": {"1": "talk", "*": "end"},
                "next": {"1": "talk", "*": "end", "no_input": "end", "no_match": "end", "failed": "end"},
                "own": ["1", "*", "no_input"],
            },
            "talk": {
                "do": "bridge",
                "connected": "end",
                "listen": {"keys": {"#": "end"}},
                "next": {"ended": "hangup", "no_answer": "message"},
                "own": ["no_answer"],
            },
            "message": {
                "do": "use",
                "flow": "leave/",
                "start": "leave/speak",
                "next": {"kept": "hangup"},
                "own": ["kept"],
            },
            "leave/speak": {"do": "say", "next": {"done": "leave/keep"}, "own": ["done"]},
            "leave/keep": {"do": "return", "outcome": "kept"},
            "end": {"do": "mute", "next": {"done": "back", "failed": "back"}, "own": ["done"]},
        },
    }


EDGES = {
    Edge("", "", "menu"),
    Edge("", "update notice", "end"),
    Edge("menu", "key 1", "talk"),
    Edge("menu", "key *", "end"),
    Edge("menu", "no_input", "end"),
    Edge("menu", "no_match", "end", own=False),
    Edge("menu", "failed", "end", own=False),
    Edge("talk", "connected", "end"),
    Edge("talk", "key #", "end"),
    Edge("talk", "ended", "hangup", own=False),
    Edge("talk", "no_answer", "message"),
    Edge("message", "", "leave/speak"),
    Edge("message", "kept", "hangup"),
    Edge("leave/speak", "done", "leave/keep"),
    Edge("end", "done", "back"),
    Edge("end", "failed", "back", own=False),
}


def test_every_edge_of_the_plan_is_found_once() -> None:
    found = edges_of(a_flow())
    assert set(found) == EDGES
    assert len(found) == len(EDGES)


def test_mermaid_draws_each_pair_of_states_that_is_connected() -> None:
    text = mermaid(a_flow())
    assert text.startswith("flowchart TD\n")
    assert '  s_menu -->|"key 1"| s_talk\n' in text
    assert '  s_menu -->|"key #42;, no_input"| s_end\n' in text
    assert '  s_menu -.->|"no_match, failed"| s_end\n' in text
    assert '  subgraph s_flow_leave["leave"]\n' in text
    assert text.count("subgraph") == text.count("  end\n") == 1
    assert "  s_end_back[/back/]\n" in text
    assert '  s_end -.->|"failed"| s_end_back\n' in text
    assert '  s_start -->|"update notice"| s_end\n' in text


def test_no_node_is_named_by_a_word_of_mermaid() -> None:
    flow = small_flow()
    flow["states"]["end"] = flow["states"].pop("welcome")
    flow["states"]["subgraph"] = {"do": "say", "next": {"done": "end"}}
    lines = mermaid(flow).splitlines()[1:]
    assert not [line for line in lines if line.strip().startswith(("end", "subgraph("))]


def test_dot_quotes_names_and_groups_sub_flows() -> None:
    text = dot(a_flow())
    assert text.startswith("digraph flow {\n")
    assert text.endswith("}\n")
    assert '"menu" -> "end" [label="no_match, failed", style=dashed];' in text
    assert "subgraph cluster_1 {" in text
    assert '"leave/speak" [label="speak\\nsay"];' in text
    assert text.count("{") == text.count("}")


def test_a_legend_is_drawn_when_asked_for(run: Run, plan_file: Path) -> None:
    assert "legend" not in run("graph", plan_file).stdout
    assert '-.->|"answer from `defaults`, or built in"|' in run("graph", plan_file, "--legend").stdout
    assert "style=dashed];\n  }\n}" in run("graph", plan_file, "--legend", "--format", "dot").stdout


def test_a_picture_is_one_svg_element(run: Run) -> None:
    result = run("graph", FLOWS / "dial-in.yaml", "--format", "svg")
    assert result.exit_code == 0
    assert ElementTree.fromstring(result.stdout).tag == "{http://www.w3.org/2000/svg}svg"
    assert ">ask_conference<" in result.stdout


def test_json_is_the_list_of_edges(run: Run, plan_file: Path) -> None:
    found = {
        Edge(e["from"], e["outcome"], e["to"], e["own"]) for e in json.loads(run("graph", plan_file, "--json").stdout)
    }
    assert found == set(edges_of(small_flow()))


def test_a_flow_that_is_not_there_is_named(run: Run, plan_file: Path) -> None:
    result = run("graph", plan_file, "--flow", "large")
    assert result.exit_code == 2
    assert "it holds small" in result.stderr


def drawn_in_mermaid(text: str) -> set[tuple[str, str, str, bool]]:
    """The edges of a Mermaid text, by the names of its nodes, one for each label."""
    names = dict(re.findall(r'^ +(s_\w+)(?:\("|\{\{")(.*?)<br/>', text, re.MULTILINE))
    names |= {"s_start": "", "s_hangup": "hangup"}
    found = set()
    for start, line, labels, target in re.findall(
        r'^  (s_\w+) (-->|-\.->)(?:\|"(.*?)"\|)? (s_\w+)$', text, re.MULTILINE
    ):
        end = names.get(target, "back")
        for label in (labels.replace("#42;", "*").replace("#35;", "#") or "").split(", "):
            found.add((names[start], label, end, line == "-->"))
    return found


@pytest.mark.parametrize("path", sorted(FLOWS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_drawn_edges_of_our_flows_are_those_of_the_plan(run: Run, path: Path) -> None:
    plan = compile_paths([path]).plan
    assert plan is not None
    for name in plan.flows:
        flow = plan.flow(name)
        text = run("graph", path, "--flow", name).stdout
        assert drawn_in_mermaid(text) == {(e.start, e.label, e.target, e.own) for e in edges_of(flow)}
        of_the_runtime = {
            (state, outcome, target)
            for state, each in flow["states"].items()
            for outcome, target in {**each.get("next", {}), **_keys(each)}.items()
        }
        assert of_the_runtime == {
            (e.start, e.label, e.target) for e in edges_of(flow) if e.start and e.label and e.label != "connected"
        }


def _keys(state: dict[str, Any]) -> dict[str, str]:
    keys = {**state.get("keys", {}), **state.get("listen", {}).get("keys", {})}
    return {f"key {key}": target for key, target in keys.items()}
