"""The cases of tests/rules for the codes of this room: SF0xx and SF1xx.

A case holds a text (`flow`, `prompts` or `bundle`) and what is to be found in it under the code of its file: places
and messages, or nothing. A case that is `compiled` takes more than reading: it is tested in tests/rules.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sma_flows.flow.codes import CODES

from .reading import PARSERS, read

RULES = Path(__file__).parents[1] / "rules"
FILES = sorted([*RULES.glob("SF0*.yaml"), *RULES.glob("SF1*.yaml")])
# what cannot be a text in a YAML file, see test_source.py; and one that takes hundreds of lines, see test_parse.py
ELSEWHERE = {"SF001", "SF002", "SF003", "SF004", "SF020"}


def _cases() -> list[Any]:
    out = []
    for file in FILES:
        for case in yaml.safe_load(file.read_text("utf-8")):
            if case.get("compiled"):
                continue
            kind = next(name for name in PARSERS if name in case)
            out.append(pytest.param(file.stem, kind, case, id=f"{file.stem} {case['name']}"))
    return out


@pytest.mark.parametrize(("code", "kind", "case"), _cases())
def test_a_case_finds_what_it_says(code: str, kind: str, case: dict[str, Any]) -> None:
    _, found = read(case[kind], kind)
    mine = [{"at": f"{one.span.line}:{one.span.col}", "message": one.message} for one in found if one.code == code]
    assert mine == case["expect"]
    if not case["expect"]:
        assert found == [], "a near miss has no fault at all"


def test_every_code_of_files_and_values_has_cases() -> None:
    assert {file.stem for file in FILES} | ELSEWHERE == {code for code in CODES if code < "SF2"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_code_fires_and_has_a_near_miss(file: Path) -> None:
    expected = [bool(case["expect"]) for case in yaml.safe_load(file.read_text("utf-8"))]
    assert True in expected
    assert False in expected
