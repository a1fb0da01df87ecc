"""The measurements measure what they say: both handlers send the same, and every part of them still runs."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from properties.calls import ROOT


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives a module of ``benchmarks``, which is run from the top of the repository."""
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def test_handler_by_hand_sends_the_same_actions_as_the_compiled_flow(part: Any) -> None:
    ours, answers, theirs, _ = part("dial_in").same_actions()
    assert len(ours) == len(answers) == len(theirs) > 10


def test_joining_never_costs_an_invocation(part: Any) -> None:
    calls = part("joining").calls()
    assert len(calls) >= 6
    assert all(call.invocations <= call.without for call in calls)


def test_generated_chain_compiles_and_answers(part: Any) -> None:
    scaling = part("scaling")
    scaling.LOOPS = 2
    scaling.case(scaling.plan_of(12))()


def test_ratio_is_the_median_of_the_rounds(part: Any) -> None:
    found = part("measure").ratio({"slow": [20, 30, 40], "quick": [10, 10, 10]}, "slow", "quick")
    assert (found.value, found.low, found.high) == (3.0, 2.0, 4.0)
    assert str(found) == "3.00 (2.00..4.00)"


def test_handler_loads_none_of_the_tools(part: Any, tmp_path: Any) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(part("dial_in").load_plan().dumps(), encoding="utf-8")
    number, forbidden = part("startup").modules(str(plan))
    assert number > 50
    assert forbidden == []
