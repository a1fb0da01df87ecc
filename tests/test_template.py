from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent


class _Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as (name, argument)."""


_Loader.add_multi_constructor("!", lambda loader, name, node: (name, loader.construct_scalar(node)))


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), _Loader)
    return loaded


def function(template: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = template["Resources"]["CallFunction"]["Properties"]
    return found


def test_the_handler_of_the_template_is_there(template: dict[str, Any]) -> None:
    module, _, name = function(template)["Handler"].rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


def test_the_service_may_invoke_the_function_for_this_account_only(template: dict[str, Any]) -> None:
    permission = template["Resources"]["CallFunctionPermission"]["Properties"]
    assert permission["Action"] == "lambda:InvokeFunction"
    assert permission["Principal"] == "voiceconnector.chime.amazonaws.com"
    assert permission["SourceAccount"] == ("Ref", "AWS::AccountId")


def test_the_function_ends_before_the_service_does(template: dict[str, Any]) -> None:
    assert 5 < function(template)["Timeout"] < 20


def test_records_are_kept_for_a_limited_time(template: dict[str, Any]) -> None:
    assert template["Resources"]["CallFunctionLogs"]["Properties"]["RetentionInDays"] == ("Ref", "LogRetentionDays")
    assert function(template)["LoggingConfig"]["LogGroup"] == ("Ref", "CallFunctionLogs")


def test_every_reference_leads_somewhere(template: dict[str, Any]) -> None:
    known = {*template["Parameters"], *template["Resources"]}

    def references(node: object) -> list[str]:
        if isinstance(node, tuple):
            return [node[1].partition(".")[0]] if node[0] in ("Ref", "GetAtt") else []
        parts = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        return [name for part in parts for name in references(part)]

    assert {name for name in references(template) if not name.startswith("AWS::")} <= known


def test_the_function_is_told_where_its_plan_is(template: dict[str, Any]) -> None:
    variables = function(template)["Environment"]["Variables"]
    assert {"SMA_FLOWS_PLAN", "SMA_FLOWS_STORE", "SMA_FLOWS_MEETINGS"} <= variables.keys()
