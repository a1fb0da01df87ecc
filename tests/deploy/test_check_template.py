"""The cases in tests/rules, for SF6xx: what of the flows a template does not serve, and near misses.

A case holds the text of a `template` and, if it is not the small flow below, of a `flow`. `at` is line and column in
the template, in front of it the file's name if it is another.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from sma_flows.cli.app import cli
from sma_flows.compiler import compile_paths
from sma_flows.deploy.check import check_template
from sma_flows.flow.codes import CODES
from sma_flows.flow.diagnostics import Diagnostic

from .conftest import ROOT

CASES = ROOT / "tests" / "rules"
FILES = sorted(CASES.glob("SF6*.yaml"))
FLOW = 'sma_flow: 1\nname: line\nentry: inbound\nstart: a\nstates:\n  a: {say: "Hello.", hangup: normal}\n'


def cases() -> list[Any]:
    found = []
    for file in FILES:
        for case in yaml.safe_load(file.read_text("utf-8")):
            found.append(pytest.param(file.stem, case, id=f"{file.stem} {case['name']}"))
    return found


def findings(case: dict[str, Any], folder: Path) -> list[Diagnostic]:
    flow, template = folder / "line.yaml", folder / "template.yaml"
    flow.write_text(case.get("flow", FLOW), "utf-8")
    for name, text in case.get("files", {}).items():
        (folder / name).write_text(text, "utf-8")
    template.write_text(case["template"], "utf-8")
    result = compile_paths([flow])
    assert result.plan is not None, result.diagnostics
    return list(check_template(template, result.plan, result.sources, folder))


@pytest.mark.parametrize(("code", "case"), cases())
def test_a_case_finds_what_it_says(code: str, case: dict[str, Any], tmp_path: Path) -> None:
    found = []
    for one in findings(case, tmp_path):
        name, place = os.path.relpath(one.span.file, tmp_path), f"{one.span.line}:{one.span.col}"
        if one.code == code:
            found.append({"at": place if name == "template.yaml" else f"{name}:{place}", "message": one.message})
    assert found == case["expect"]


@pytest.mark.parametrize(("code", "case"), cases())
def test_a_finding_names_its_place_and_what_to_type(code: str, case: dict[str, Any], tmp_path: Path) -> None:
    for one in findings(case, tmp_path):
        assert one.label
        assert one.help
        assert not one.message.endswith(".")


def test_every_code_has_a_file_that_fires_and_a_near_miss() -> None:
    assert {file.stem for file in FILES} == {code for code in CODES if code.startswith("SF6")}
    for file in FILES:
        expected = {bool(case["expect"]) for case in yaml.safe_load(file.read_text("utf-8"))}
        assert expected == {True, False}, file.name


# ---- the command, and our own template -----------------------------------------------------------------------------


def check(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["check", *arguments])


def test_the_template_serves_the_flows() -> None:
    done = check(str(ROOT / "flows"), "--template", str(ROOT / "template.yaml"), "--json")
    assert done.exit_code == 0
    assert [one for one in json.loads(done.stdout) if one["code"].startswith("SF6")] == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("          SALES_NUMBER: !Ref SalesNumber\n", "", "SF603"),
        ("          SALES_NUMBER:", "          SALES_NUMER:", "SF604"),
        ("                  - dynamodb:UpdateItem", "                  - dynamodb:PutItem", "SF605"),
        ("                  - dynamodb:DeleteItem", '                  - "dynamodb:*"', "SF606"),
        ("            Action: [s3:PutObject, s3:PutObjectAcl]", "            Action: [s3:PutObject]", "SF607"),
        ("            Action: lex:StartConversation", "            Action: lex:PutSession", "SF608"),
        ("      FunctionName: !Ref CallAlias", "      FunctionName: !Ref VoiceFunction", "SF609"),
        ("      AutoPublishAlias: built", "      DeploymentPreference: {Type: Linear10PercentEvery1Minute}", "SF610"),
    ],
)
def test_a_mistake_in_the_template_is_found(old: str, new: str, code: str, tmp_path: Path) -> None:
    text = (ROOT / "template.yaml").read_text("utf-8")
    assert old in text
    (tmp_path / "template.yaml").write_text(text.replace(old, new, 1), "utf-8")
    done = check(str(ROOT / "flows"), "--template", str(tmp_path / "template.yaml"), "--json")
    found = [one for one in json.loads(done.stdout) if one["code"].startswith("SF6")]
    assert code in {one["code"] for one in found}
    assert done.exit_code == (0 if {one["severity"] for one in found} == {"warning"} else 1)


def test_a_finding_in_a_flow_shows_the_flow_and_the_template(tmp_path: Path) -> None:
    text = (ROOT / "template.yaml").read_text("utf-8")
    (tmp_path / "template.yaml").write_text(text.replace("          SALES_NUMBER: !Ref SalesNumber\n", ""), "utf-8")
    done = check(str(ROOT / "flows"), "--template", str(tmp_path / "template.yaml"))
    assert "front-desk.yaml:47:13: error[SF603]" in done.stdout
    assert "the values of the function" in done.stdout


def test_a_template_that_is_not_there_is_wrong_usage() -> None:
    assert check(str(ROOT / "flows"), "--template", "nowhere.yaml").exit_code == 2
