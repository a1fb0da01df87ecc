"""The cases beside this file, one by one: what the compiler says, what the plan holds, how the call goes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sma_flows.errors import PlanError
from sma_flows.plan import Plan
from sma_flows.runtime.program import Program

from .cases import HERE, call, cases, compiled, part

FILES = sorted(file.name for file in HERE.glob("*.yaml"))
ALL = [pytest.param(case, id=f"{file[:-5]}: {case['says']}") for file in FILES for case in cases(file)]

LINTS = frozenset(("SF212", "SF213", "SF214", "SF216", "SF224", "SF312", "SF313"))
"""Findings about style, of which a small case is full: they count where the case names them."""


@pytest.mark.parametrize("case", ALL)
def test_the_language_does_what_the_reference_says(case: dict[str, Any], tmp_path: Path) -> None:
    result = compiled(case, tmp_path)
    said = [f"{one.code} {one.span.line}: {one.message}" for one in result.diagnostics if one.code not in LINTS]
    if "finds" in case:
        places = [
            (one.code, f"{one.code} {one.span.line}:{one.span.col}")
            for one in result.diagnostics
            if one.code not in LINTS or one.code in " ".join(case["finds"])
        ]
        pairs = zip(places, case["finds"], strict=False)
        found = [place if " " in wanted else code for (code, place), wanted in pairs]
        assert found + [code for code, _ in places[len(found) :]] == case["finds"], said
    if "plan" in case:
        assert result.plan is not None, said
        flow = result.plan.revisions[next(iter(result.plan.flows.values()))]
        for path, wanted in case["plan"].items():
            assert shown(part(flow, path)) == wanted, f"{path}\n{said}"
    if "needs" in case:
        assert result.plan is not None, said
        assert missing(result.plan) == case["needs"]
    if "steps" in case:
        call(case, result, tmp_path)
    assert {"finds", "plan", "steps", "needs"} & set(case), "the case tries nothing"


def missing(plan: Plan) -> list[str]:
    """The environment values without which a plan does not load."""
    try:
        Program.load(plan, {})
    except PlanError as error:
        return re.findall(r"\b[A-Z][A-Z_]+\b(?= \()", str(error))
    return []


def shown(value: Any) -> str:
    """A part of the plan as cases write it."""
    if isinstance(value, str):
        return value
    return "absent" if value is None else json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def test_no_sentence_is_tried_twice() -> None:
    ids = [param.id for param in ALL]
    assert sorted(set(ids)) == sorted(ids)
