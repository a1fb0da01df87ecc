"""`sma-flows test --coverage`: figures, what is missing, exit codes, JSON, and the choice of calls."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run

FLOW = """sma_flow: 1
name: hello
entry: inbound
start: greet
states:
  greet:
    menu: "Press 1."
    keys: {1: thanks}
    next: {no_input: hangup, no_match: hangup, failed: hangup}
  thanks:
    say: "Thank you."
    next: {done: hangup, failed: hangup}
"""
CALLS = """flow: ../hello.yaml
calls:
  - call: presses 1
    script: [press: "1"]
  - call: says nothing
    script: [silence: 1x]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "calls").mkdir()
    (tmp_path / "hello.yaml").write_text(FLOW)
    (tmp_path / "calls" / "hello.calls.yaml").write_text(CALLS)
    return tmp_path


def test_figures_and_what_is_missing_with_place_and_remedy(run: Run, folder: Path) -> None:
    result = run("test", folder / "calls", "--coverage")
    assert result.exit_code == 0
    _, _, head, row, *rest = result.stdout.splitlines()
    assert head.split() == ["flow", "states", "transitions", "outcomes", "attempts"]
    assert row.split() == ["hello", "2/2", "100", "%", "5/7", "71", "%", "4/6", "67", "%", "1/1", "100", "%"]
    assert rest == [
        "",
        "hello: no call comes by",
        f"  {folder}/hello.yaml:9  greet: failed -> hangup",
        "      write fail: menu",
        f"  {folder}/hello.yaml:12  thanks: failed -> hangup",
        '      write fail: say, press: "1"',
    ]


def test_too_little_is_exit_code_1_and_says_of_what(run: Run, folder: Path) -> None:
    result = run("test", folder / "calls", "--fail-under", "67")
    assert result.exit_code == 1
    assert "hello: 66.7 % of its outcomes (4/6), and at least 67 % are wanted" in result.stdout
    assert "no call comes by" not in result.stdout
    assert run("test", folder / "calls", "--fail-under", "66").exit_code == 0


def test_flows_that_nobody_calls_count_where_a_folder_is_tested(run: Run, folder: Path) -> None:
    (folder / "other.yaml").write_text(FLOW.replace("hello", "other"))
    flows = json.loads(run("test", folder / "calls", "--coverage", "--json").stdout)["coverage"]["flows"]
    assert [(flow["flow"], flow["figures"]["states"]["visited"]) for flow in flows] == [("hello", 2), ("other", 0)]
    alone = run("test", folder / "calls" / "hello.calls.yaml", "--coverage", "--json")
    assert [flow["flow"] for flow in json.loads(alone.stdout)["coverage"]["flows"]] == ["hello"]


def test_json_names_the_calls_of_each_item_and_what_to_write_for_the_others(run: Run, folder: Path) -> None:
    told = json.loads(run("test", folder / "calls", "--coverage", "--json").stdout)
    assert [one["call"] for one in told["calls"]] == ["presses 1", "says nothing"]
    (flow,) = told["coverage"]["flows"]
    items = {(one["kind"], one["state"], one["label"]): one for one in flow["items"]}
    calls = folder / "calls" / "hello.calls.yaml"
    assert items["outcome", "greet", "no_input"]["calls"] == [f"{calls}: says nothing"]
    assert items["outcome", "thanks", "failed"]["write"]["script"] == [{"fail": "say"}, {"press": "1"}]
    assert told["coverage"]["figures"]["outcomes"] == {"visited": 4, "total": 6, "percent": 66.67}


def test_calls_are_chosen_by_a_part_of_their_name(run: Run, folder: Path) -> None:
    told = json.loads(run("test", folder, "-k", "NOTHING", "--json").stdout)
    assert [one["call"] for one in told] == ["says nothing"]
    wrong = run("test", folder, "-k", "says nothin g")
    assert (wrong.exit_code, "did you mean 'says nothing'?" in wrong.stderr) == (2, True)


def test_coverage_of_a_function_elsewhere_is_wrong_usage(run: Run, folder: Path) -> None:
    result = run("test", folder, "--coverage", "--target", "http://127.0.0.1:9")
    assert result.exit_code == 2
    assert "flows that answer here" in result.stderr
