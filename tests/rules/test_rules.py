"""The cases beside this file, for the codes SF2xx to SF4xx: what a rule finds, and a near miss that it leaves alone.

SF0xx and SF1xx are tested in tests/flow (but those of their cases that are `compiled`: what is found in the settings of
built-in hooks takes the compiler), SF5xx in tests/testing, SF6xx in tests/deploy. A case holds the text of a
`flow`, a `bundle` or a `prompts` file, other `files` beside it, and what is expected under the code of its file: `at`
is line and column, in front of it the file's name unless it is the case's own text.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from sma_flows.compiler import check_paths, compile_paths
from sma_flows.compiler.check import has_errors
from sma_flows.flow.codes import CODES
from sma_flows.flow.diagnostics import render_text

FILES = sorted(file for file in Path(__file__).parent.glob("SF*.yaml") if "SF2" <= file.stem < "SF5")
READ = sorted(Path(__file__).parent.glob("SF1*.yaml"))
MAIN = {"flow": "flow.yaml", "bundle": "bundle.yaml", "prompts": "prompts.yaml"}


def cases() -> list[Any]:
    out = []
    for file in [*READ, *FILES]:
        for case in yaml.safe_load(file.read_text("utf-8")):
            if file in READ and not case.get("compiled"):
                continue
            out.append(pytest.param(file.stem, case, id=f"{file.stem} {case['name']}"))
    return out


def written(case: dict[str, Any], folder: Path) -> Path:
    kind = next(name for name in MAIN if name in case)
    for name, text in {MAIN[kind]: case[kind], **case.get("files", {})}.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return folder / MAIN[kind]


@pytest.mark.parametrize(("code", "case"), cases())
def test_a_case_finds_what_it_says(code: str, case: dict[str, Any], tmp_path: Path) -> None:
    main = written(case, tmp_path)
    result = check_paths([main])
    found = []
    for one in result.diagnostics:
        if one.code == code:
            place = f"{one.span.line}:{one.span.col}"
            name = os.path.relpath(one.span.file, tmp_path)
            found.append({"at": place if name == main.name else f"{name}:{place}", "message": one.message})
    assert found == case["expect"]
    if not case["expect"]:
        assert not has_errors(result.diagnostics), render_text(result.diagnostics, result.sources)
        assert compile_paths([main]).plan is not None


def test_every_code_has_a_file() -> None:
    assert {file.stem for file in FILES} == {code for code in CODES if "SF2" <= code < "SF5"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_code_fires_and_has_a_near_miss(file: Path) -> None:
    expected = [bool(case["expect"]) for case in yaml.safe_load(file.read_text("utf-8"))]
    assert True in expected
    assert False in expected


@pytest.mark.parametrize(("code", "case"), cases())
def test_a_finding_names_its_place_and_what_to_type(code: str, case: dict[str, Any], tmp_path: Path) -> None:
    for one in check_paths([written(case, tmp_path)]).diagnostics:
        if one.code == code:
            assert one.label
            assert one.help
            assert not one.message.endswith(".")
            assert one.span.line >= 1
