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


TABLE = {"SMA_FLOWS_STORE": "dynamodb:calls", "AWS_REGION": "us-east-1"}
KEY = {"SMA_FLOWS_HASH_KEY": "a key for tests that is long enough"}
SECRET: Mapping[str, Any] = {"do": "run", "hook": "look", "args": [["var", "pin"]], "next": {}}


def names_of(opened: Any) -> dict[str, str]:
    """The adapters that are there, by port."""
    services = opened.services
    ports = {name: getattr(services.ports, name) for name in services.ports._fields}
    ports |= {"memo": services.memo, "limits": services.limits, "jobs": services.jobs}
    return {name: type(each).__name__ for name, each in ports.items() if each is not None}


def test_of_a_table_only_what_the_plan_needs_is_opened() -> None:
    assert names_of(open_services(plan(look=LOOK), TABLE, HERE)) == {"directory": "DynamoDirectory"}
    assert names_of(open_services(plan(LIMITED, look={**LOOK, "builtin": ""}), TABLE, HERE)) == {
        "limits": "DynamoLimits"
    }
    once = plan(own={"python": "", "effect": "once"})
    once.revisions["rev1"]["hooks"]["own"].pop("python")
    assert names_of(open_services(once, TABLE, HERE)) == {"memo": "DynamoMemo"}
    assert names_of(open_services(plan(), TABLE, HERE)) == {}


def test_beside_a_table_stand_ins_have_a_file_of_their_own(tmp_path: Path) -> None:
    env = {**TABLE, "SMA_FLOWS_STAND_INS": str(tmp_path / "out.sqlite")}
    found = names_of(open_services(plan(call_back=ONCE), env, HERE))
    assert (found["calls"], found["memo"]) == ("LocalCalls", "DynamoMemo")
    assert "limits" not in found
    assert (tmp_path / "out.sqlite").exists()


def test_a_hook_that_undoes_finds_the_end_of_its_call_where_there_is_a_table() -> None:
    made = plan(look=LOOK, make={"effect": "keyed", "undo": {"hook": "look", "args": []}})
    assert names_of(open_services(made, TABLE, HERE)) == {"directory": "DynamoDirectory", "memo": "DynamoMemo"}


def test_meetings_of_aws_keep_their_names_in_a_store_if_there_is_one() -> None:
    opened = open_services(plan(open_it=OPEN), {**TABLE, **AWS}, HERE)
    assert names_of(opened) == {"directory": "DynamoDirectory", "meetings": "AwsMeetings"}
    assert opened.services.ports.meetings._names is opened.services.ports.directory  # type: ignore[union-attr]


EVERY: Mapping[str, tuple[Mapping[str, str], str]] = {
    "meetings.open": ({}, "AwsMeetings"),
    "calls.dial": ({"application": "app-1"}, "AwsCalls"),
    "channel.post": ({"channel": "arn:aws:chime:us-east-1:111122223333:x", "bearer": "b"}, "AwsChannel"),
    "queue.put": ({"queue": "https://sqs.us-east-1.example.com/1/q.fifo"}, "AwsQueue"),
    "stream.start": ({"sink": "rtmp://example.com"}, "AwsStream"),
    "capture.start": ({"sink": "bucket"}, "AwsCapture"),
    "transcription.start": ({}, "AwsTranscription"),
}


@pytest.mark.parametrize("builtin", EVERY)
def test_every_service_is_opened_in_aws_where_the_environment_says_so(builtin: str) -> None:
    settings, expected = EVERY[builtin]
    hook = {"builtin": builtin, "with": {key: ["lit", value] for key, value in settings.items()}, "effect": "keyed"}
    kind = builtin.partition(".")[0]
    for env in ({"SMA_FLOWS_SERVICES": "aws"}, {f"SMA_FLOWS_{kind.upper()}": "aws"}):
        found = names_of(open_services(plan(it=hook), {**env, "AWS_REGION": "us-east-1"}, HERE))
        assert found == {kind: expected}
    own = {"effect": "keyed", "uses": {builtin: hook["with"]}}
    found = names_of(open_services(plan(it=own), {**TABLE, "SMA_FLOWS_SERVICES": "aws"}, HERE))
    assert found[kind] == expected


def test_a_service_of_its_own_place_is_an_exception_to_the_rule() -> None:
    env = {"SMA_FLOWS_SERVICES": "aws", "SMA_FLOWS_CAPTURE": "local", "AWS_REGION": "us-east-1"}
    hooks = {"talk": {"builtin": "transcription.start", "effect": "keyed"}, "take": {"builtin": "capture.start"}}
    found = names_of(open_services(plan(**hooks), {**env, "SMA_FLOWS_STORE": "memory"}, HERE))
    assert (found["transcription"], found["capture"]) == ("AwsTranscription", "LocalPipelines")


def test_what_a_service_of_aws_must_know_is_asked_for_before_the_first_call() -> None:
    hooks = {
        "tell": {"builtin": "channel.post", "with": {"channel": ["env", "TEAM"]}, "effect": "keyed"},
        "take": {"builtin": "capture.start", "effect": "keyed"},
    }
    with pytest.raises(PlanError) as raised:
        open_services(plan(**hooks), {"SMA_FLOWS_SERVICES": "aws", "AWS_REGION": "us-east-1"}, HERE)
    assert str(raised.value).split("; ") == [
        "the flow 'dial-in' uses 'channel.post' and gives it no 'channel'",
        "the flow 'dial-in' uses 'channel.post' and gives it no 'bearer'",
        "the flow 'dial-in' uses 'capture.start' and gives it no 'sink'",
    ]


def test_settings_that_come_with_the_call_are_not_asked_for() -> None:
    tell = {"builtin": "channel.post", "with": {"channel": ["var", "team"], "bearer": ["lit", "b"]}, "effect": "keyed"}
    own = {"effect": "keyed", "uses": {"channel.post": {}}}
    env = {"SMA_FLOWS_SERVICES": "aws", "AWS_REGION": "us-east-1"}
    assert names_of(open_services(plan(tell=tell, own=own), env, HERE)) == {"channel": "AwsChannel"}


@pytest.mark.parametrize(
    ("queue", "needs"), [("https://q/1/a.fifo", False), ("https://q/1/a", True), ("arn:a:events:r:1:event-bus/b", True)]
)
def test_a_queue_that_knows_no_tokens_needs_records(queue: str, needs: bool) -> None:
    hook = {"builtin": "queue.put", "with": {"queue": ["lit", queue]}, "effect": "keyed"}
    env = {"SMA_FLOWS_SERVICES": "aws", "AWS_REGION": "us-east-1"}
    assert names_of(open_services(plan(it=hook), {**env, **TABLE}, HERE)).get("memo", "") == "DynamoMemo" * needs
    if needs:
        with pytest.raises(PlanError, match="no store is configured"):
            open_services(plan(it=hook), env, HERE)


def test_pins_in_a_table_need_a_key_that_is_not_in_it() -> None:
    needy = plan(SECRET, look=LOOK)
    needy.revisions["rev1"]["vars"] = {"pin": {"t": "digits", "secrecy": "secret"}}
    with pytest.raises(PlanError, match=r"looks up a secret in 'a': set SMA_FLOWS_HASH_KEY"):
        open_services(needy, TABLE, HERE)
    with pytest.raises(PlanError, match="at least 32"):
        open_services(needy, {**TABLE, "SMA_FLOWS_HASH_KEY": "short"}, HERE)
    assert names_of(open_services(needy, {**TABLE, **KEY}, HERE)) == {"directory": "DynamoDirectory"}
    assert open_services(needy, {"SMA_FLOWS_STORE": "memory"}, HERE)


def test_everything_that_is_missing_is_said_at_once() -> None:
    hooks = {"call_back": ONCE, "look": LOOK}
    with pytest.raises(PlanError) as raised:
        open_services(plan(JOIN, **hooks), {**LAMBDA, "SMA_FLOWS_QUEUE": "sqs"}, HERE)
    text = str(raised.value)
    for part in ("SMA_FLOWS_QUEUE is 'sqs'", "SMA_FLOWS_MEETINGS", "SMA_FLOWS_CALLS", "SMA_FLOWS_STORE"):
        assert part in text


def test_a_table_without_a_name_is_none() -> None:
    with pytest.raises(PlanError, match="names no table"):
        open_services(plan(look=LOOK), {"SMA_FLOWS_STORE": "dynamodb:"}, HERE)


def test_without_a_region_the_plan_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(PlanError, match="no client for dynamodb"):
        open_services(plan(look=LOOK), {"SMA_FLOWS_STORE": "dynamodb:calls"}, HERE)


def test_long_hooks_are_jobs_of_the_function_itself() -> None:
    long = plan(look={**LOOK, "builtin": "", "long": True})
    assert names_of(open_services(long, {}, HERE)) == {}
    with pytest.raises(PlanError, match="only a Lambda function"):
        open_services(long, {"SMA_FLOWS_SERVICES": "aws"}, HERE)
    with pytest.raises(PlanError, match="SMA_FLOWS_JOBS"):
        open_services(long, LAMBDA, HERE)
    env = {**LAMBDA, "SMA_FLOWS_SERVICES": "aws", "AWS_REGION": "us-east-1"}
    assert names_of(open_services(long, env, HERE)) == {"jobs": "AwsJobs"}


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
        (
            "env['SMA_FLOWS_STORE'] = 'dynamodb:t'; env['AWS_REGION'] = 'us-east-1'; "
            "hooks['look'] = {'builtin': 'directory.find', 'effect': 'read'}",
            {
                "sqlite3",
                *(f"sma_flows.services.aws.{name}" for name in ("limits", "memo", "meetings", "calls")),
            },
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
