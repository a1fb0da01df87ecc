from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sma_flows.errors import PlanError
from sma_flows.plan import Plan
from sma_flows.services.local.meetings import LocalMeetings
from sma_flows.services.setup import hook_roots, open_services

SAY: Mapping[str, Any] = {"do": "say", "items": [["text", ["Hello"]]], "next": {"done": "hangup", "failed": "hangup"}}
JOIN: Mapping[str, Any] = {
    "do": "join_meeting",
    "meeting": ["lit", "m-1"],
    "next": {"left": "hangup", "failed": "hangup"},
}
LIMITED: Mapping[str, Any] = {
    "do": "run",
    "hook": "look",
    "limits": [{"outcome": "wrong", "max": 3, "per": "caller", "window": 3600, "name": "f:s:wrong:caller"}],
}
LOOK: Mapping[str, Any] = {"builtin": "directory.find", "with": {"table": ["lit", "people"]}, "effect": "read"}
ONCE: Mapping[str, Any] = {"builtin": "calls.dial", "effect": "once"}
OPEN: Mapping[str, Any] = {"builtin": "meetings.open", "effect": "keyed"}
FIND: Mapping[str, Any] = {"builtin": "meetings.find", "effect": "read"}


def plan(state: Mapping[str, Any] = SAY, **hooks: Mapping[str, Any]) -> Plan:
    flow = {"name": "dial-in", "entry": "inbound", "start": "a", "states": {"a": dict(state)}, "hooks": hooks}
    return Plan("dial-in", ({"entry": "inbound", "flow": "dial-in"},), {"dial-in": "rev1"}, {"rev1": flow})


HERE = Path("plan.json")
LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "calls"}
AWS = {"SMA_FLOWS_MEETINGS": "aws", "AWS_REGION": "us-east-1"}
NEEDY = [plan(call_back=ONCE), plan(LIMITED, look=LOOK), plan(look=LOOK), plan(JOIN), plan(open_it=OPEN)]


@pytest.mark.parametrize("needy", NEEDY)
def test_a_plan_that_needs_a_store_does_not_load_without_one(needy: Plan) -> None:
    with pytest.raises(PlanError, match=r"the flow 'dial-in' .* set SMA_FLOWS_STORE"):
        open_services(needy, {}, HERE)


@pytest.mark.parametrize("needy", NEEDY)
def test_tests_and_tools_name_a_store(needy: Plan, tmp_path: Path) -> None:
    for env, default in [({"SMA_FLOWS_STORE": "memory"}, ""), ({}, str(tmp_path / "store.sqlite"))]:
        opened = open_services(needy, env, HERE, default)
        assert opened.services.memo is not None
        assert opened.services.limits is not None
        assert opened.services.ports.meetings is not None
        assert opened.warnings == ()


def test_the_error_says_what_needs_the_store() -> None:
    with pytest.raises(PlanError, match="runs 'call_back' at most once"):
        open_services(plan(call_back=ONCE), {}, HERE)
    with pytest.raises(PlanError, match="limits 'a' over several calls"):
        open_services(plan(LIMITED, look={**LOOK, "builtin": ""}), {}, HERE)


def test_a_plan_that_needs_nothing_opens_nothing() -> None:
    opened = open_services(plan(), {"SMA_FLOWS_STORE": "/nowhere/at/all.sqlite"}, HERE)
    assert opened.services.memo is None
    assert opened.services.ports.directory is None


def test_limits_of_one_call_need_no_store() -> None:
    state = {**LIMITED, "limits": [{"outcome": "wrong", "max": 3, "per": "call", "counter": "l:a:wrong"}]}
    assert open_services(plan(state), {}, HERE).services.limits is None


def test_a_token_from_outside_needs_no_meeting_service() -> None:
    assert open_services(plan({**JOIN, "token": ["lit", "t"]}), {}, HERE).services.ports.meetings is None


def test_in_lambda_a_store_of_one_process_is_refused() -> None:
    with pytest.raises(PlanError, match="another execution environment"):
        open_services(plan(call_back=ONCE), {**LAMBDA, "SMA_FLOWS_STORE": "memory"}, HERE)


def test_in_lambda_a_file_is_taken_with_a_warning(tmp_path: Path) -> None:
    env = {**LAMBDA, "SMA_FLOWS_STORE": str(tmp_path / "store.sqlite"), "SMA_FLOWS_CALLS": "local"}
    assert "as far as this file is shared" in open_services(plan(call_back=ONCE), env, HERE).warnings[0]


def test_in_lambda_the_stand_in_for_meetings_must_be_asked_for() -> None:
    with pytest.raises(PlanError, match="SMA_FLOWS_MEETINGS"):
        open_services(plan(JOIN), {**LAMBDA, "SMA_FLOWS_STORE": "/mnt/store"}, HERE)


@pytest.mark.parametrize("local", [{}, {"SMA_FLOWS_MEETINGS": "local"}])
def test_elsewhere_the_stand_in_is_what_there_is(local: dict[str, str]) -> None:
    opened = open_services(plan(JOIN), {**local, "SMA_FLOWS_STORE": "memory"}, HERE)
    assert isinstance(opened.services.ports.meetings, LocalMeetings)


def test_an_unknown_meeting_service_is_refused() -> None:
    with pytest.raises(PlanError, match="'aws' or 'local'"):
        open_services(plan(JOIN), {"SMA_FLOWS_MEETINGS": "chime"}, HERE)


@pytest.mark.parametrize("of_aws", [plan(JOIN), plan(open_it=OPEN), plan(JOIN, open_it=OPEN)])
def test_with_the_meetings_of_aws_seats_need_no_store(of_aws: Plan) -> None:
    opened = open_services(of_aws, AWS, HERE)
    assert type(opened.services.ports.meetings).__name__ == "AwsMeetings"
    assert opened.services.memo is None


def test_finding_a_meeting_by_name_needs_a_store_there_too() -> None:
    with pytest.raises(PlanError, match=r"uses 'meetings\.find'"):
        open_services(plan(find_it=FIND), AWS, HERE)
    opened = open_services(plan(find_it=FIND), {**AWS, "SMA_FLOWS_STORE": "memory"}, HERE)
    assert type(opened.services.ports.meetings).__name__ == "AwsMeetings"


def test_a_store_that_cannot_be_opened_is_a_warning_and_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    env = {"SMA_FLOWS_STORE": str(tmp_path / "file" / "store.sqlite")}
    assert "cannot be made" in open_services(plan(call_back=ONCE), env, HERE).warnings[0]


def test_hooks_are_looked_for_in_their_folder_or_around_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert hook_roots({}, Path("build/plan.json")) == [tmp_path / "build", tmp_path / "flows"]
    assert hook_roots({"SMA_FLOWS_HOOKS": "elsewhere"}, Path("build/plan.json")) == [Path("elsewhere")]


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("", {"sqlite3", "boto3", "botocore", "sma_flows.hooks.load"}),
        (
            "env['SMA_FLOWS_STORE'] = 'memory'; hooks['look'] = {'builtin': 'directory.find', 'effect': 'read'}",
            {"boto3"},
        ),
    ],
)
def test_only_what_a_plan_needs_is_imported(code: str, unwanted: set[str]) -> None:
    program = f"""
import sys
from pathlib import Path
from sma_flows.plan import Plan
from sma_flows.services.setup import open_services
env, hooks = {{}}, {{}}
{code}
flow = {{"name": "f", "start": "a", "states": {{}}, "hooks": hooks}}
open_services(Plan("f", (), {{"f": "r"}}, {{"r": flow}}), env, Path("plan.json"))
print(*sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not unwanted & set(run.stdout.split())
