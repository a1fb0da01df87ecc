"""The cases of tests/rules for the codes SF5xx: what is found in a file of calls, and a near miss that is left alone.

A case holds the text of a file of `calls`, other `files` beside it, and what is expected under the code of its file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from sma_flows.flow.codes import CODES
from sma_flows.flow.diagnostics import render_text
from sma_flows.testing.check import check_calls

RULES = Path(__file__).parents[1] / "rules"
FILES = sorted(RULES.glob("SF5*.yaml"))
FLOW = """sma_flow: 1
name: line
entry: inbound
prompts: prompts.yaml
vars: {number: digits(4)}
start: ask
states:
  ask: {gather: number, prompt: ask, next: {done: end, no_input: end, no_match: end, failed: end}}
  end: {hangup: normal}
"""
TALK = """sma_flow: 1
name: talk
entry: inbound
start: talk
states:
  talk: {bot: env.BOT, next: {other: hangup, failed: hangup}}
"""
PROMPTS = """sma_prompts: 1
default: en-US
locales: {en-US: {voice: Joanna}}
prompts:
  ask: {en-US: Your number.}
"""


def cases() -> list[Any]:
    return [
        pytest.param(file.stem, case, id=f"{file.stem} {case['name']}")
        for file in FILES
        for case in yaml.safe_load(file.read_text("utf-8"))
    ]


def written(case: dict[str, Any], folder: Path) -> Path:
    files = {
        "line.yaml": FLOW,
        "talk.yaml": TALK,
        "prompts.yaml": PROMPTS,
        **case.get("files", {}),
        "x.calls.yaml": case["calls"],
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder / "x.calls.yaml"


@pytest.mark.parametrize(("code", "case"), cases())
def test_a_case_finds_what_it_says(code: str, case: dict[str, Any], tmp_path: Path) -> None:
    main = written(case, tmp_path)
    found, sources = check_calls([main])
    mine = [
        {
            "at": f"{'' if one.span.file == str(main) else os.path.relpath(one.span.file, tmp_path) + ':'}"
            f"{one.span.line}:{one.span.col}",
            "message": one.message,
        }
        for one in found
        if one.code == code
    ]
    assert mine == case["expect"], render_text(found, sources)
    for one in found:
        assert one.label
        assert one.help
        assert not one.message.endswith(".")
        assert one.span.file in sources
    if not case["expect"]:
        assert found == [], render_text(found, sources)


def test_every_code_of_calls_has_a_file() -> None:
    assert {file.stem for file in FILES} == {code for code in CODES if "SF5" <= code < "SF6"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_code_fires_and_has_a_near_miss(file: Path) -> None:
    expected = [bool(case["expect"]) for case in yaml.safe_load(file.read_text("utf-8"))]
    assert True in expected
    assert False in expected
