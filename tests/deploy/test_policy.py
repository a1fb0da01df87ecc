"""The policy is enough, and every statement of it is needed: calls of the flows behind it, with the AWS adapters."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sma_flows.cli.app import cli
from sma_flows.cli.load import load_plan
from sma_flows.deploy import permissions
from sma_flows.deploy.policy import Policy, Value, policy_of, web_policy
from sma_flows.deploy.template import WEB_HANDLER, read_template
from sma_flows.hooks.builtin import BUILTINS
from sma_flows.plan import Plan
from sma_flows.services.dispatch import Trouble
from sma_flows.testing.play import CallFailedError, Player
from sma_flows.testing.script import load_calls
from sma_flows.testing.targets import InProcess
from sma_flows.testing.world import world_of

from .conftest import ROOT
from .gate import ACCOUNT, BEARER, CHANNEL, ENV, FUNCTION, KNOWN, REGION, TABLE, Gate, Request

CALLS = (
    "dial-in: right number and PIN, muted and heard again",
    "dial-in: right PIN at the second attempt, in Spanish",
    "front-desk: support does not answer, so a message is left",
    "voicemail: recorded again",
    "click-to-call: accepted, and the customer answers",
    "meeting-dialer: declines",
    "web-call: accepted, keys are sent, and the person called hangs up",
)
"""Between them the flows do here all that they ever do."""

UNTIDY = CALLS[0]
"""This call is played once more, and its attendee cannot be deleted: clean-up that failed is handed over."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of some calls: what they needed, what was denied, and what went wrong because of it."""

    asked: frozenset[Request]
    denied: frozenset[Request]
    broken: tuple[str, ...]


def play(policy: dict[str, Any] | None) -> Outcome:
    gate, broken, played = Gate(policy), [], list[str]()
    with gate.open():
        for name in (*CALLS, UNTIDY):
            flow, _, title = name.partition(": ")
            file = load_calls(ROOT / "flows" / "calls" / f"{flow}.calls.yaml")[0]
            assert file is not None
            script = next(call for call in file.calls if call.name == title)
            spec = world_of(ROOT / "flows" / f"{flow}.yaml", script)
            spec = replace(spec, values={**spec.values, **ENV}, store=ENV["SMA_FLOWS_STORE"])
            world = spec.open()
            gate.down = {"DeleteAttendee"} if name == UNTIDY and UNTIDY in played else set()
            played.append(name)
            try:
                Player(spec, script, InProcess(world), world, None).play()
            except CallFailedError as error:
                broken.append(f"{name}: {error}")
            broken += [f"{name}: {each}" for each in world.services.take_troubles() if not gate.down or _lost(each)]
    return Outcome(frozenset(gate.asked), frozenset(gate.denied), tuple(broken))


def _lost(trouble: Trouble) -> bool:
    """Whether this is more than the attendee who cannot be deleted and is handed over."""
    return trouble.what != "meetings.leave" or trouble.reason not in ("port", "cleanup_later")


@cache
def policy() -> Policy:
    return policy_of(load_plan(str(ROOT / "flows")), {name: Value(text) for name, text in ENV.items()})


def document(*, without: str = "") -> dict[str, Any]:
    made = policy().document(KNOWN)
    made["Statement"] = [each for each in made["Statement"] if each["Sid"] != without]
    return made


def test_calls_of_the_flows_need_nothing_that_the_policy_does_not_allow() -> None:
    outcome = play(document())
    assert outcome.denied == set()
    assert outcome.broken == ()


def test_everything_that_the_policy_allows_is_needed_by_these_calls() -> None:
    asked = play(None).asked
    gate = Gate(document())
    allowed = {(action, statement["Sid"]) for statement in gate.policy["Statement"] for action in statement["Action"]}
    used = {
        (action, statement["Sid"])
        for statement in gate.policy["Statement"]
        for action, resource in asked
        if action in statement["Action"] and Gate({"Statement": [statement]}).allows((action, resource))
    }
    assert allowed - used == set()


@pytest.mark.parametrize("sid", [statement.sid for statement in policy().statements])
def test_without_one_statement_a_call_breaks(sid: str) -> None:
    outcome = play(document(without=sid))
    actions = next(statement.actions for statement in policy().statements if statement.sid == sid)
    assert {action for action, _ in outcome.denied} <= set(actions)
    assert outcome.denied
    assert outcome.broken, f"nothing breaks without {sid}"


def test_no_action_is_a_wildcard_and_no_resource_where_iam_knows_one() -> None:
    for statement in policy().document(KNOWN)["Statement"]:
        assert not any("*" in action for action in statement["Action"])
        if statement["Resource"] == "*":
            assert statement["Sid"] == "WithoutResources"
            scoped = {
                action for grants in permissions.NEEDED.values() for action, kind in grants if kind != permissions.ANY
            }
            assert not scoped & set(statement["Action"])


def test_every_statement_says_who_needs_it() -> None:
    for statement in policy().statements:
        for action in statement.actions:
            assert statement.why(action)
            assert all(": " in why for why in statement.why(action))


def test_every_built_in_hook_has_its_permissions() -> None:
    assert set(BUILTINS) <= set(permissions.NEEDED)


# ---- single needs --------------------------------------------------------------------------------------------------


def plan(hooks: dict[str, Any] | None = None, states: dict[str, Any] | None = None) -> Plan:
    flow = {"name": "line", "start": "a", "hooks": hooks or {}, "states": states or {"a": {"do": "hangup"}}}
    return Plan("line", (), {"line": "0" * 12}, {"0" * 12: flow})


def grants(of: Plan, **env: str) -> dict[str, tuple[list[str], Any]]:
    known = {"SMA_FLOWS_STORE": f"dynamodb:{TABLE}", **env}
    made = policy_of(of, {name: Value(text) for name, text in known.items()}).document(KNOWN)
    return {each["Sid"]: (each["Action"], each["Resource"]) for each in made["Statement"]}


STORE_ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{TABLE}"


def test_a_flow_that_asks_for_nothing_may_do_nothing() -> None:
    assert grants(plan()) == {}


def test_an_effect_that_may_happen_once_needs_its_records() -> None:
    hooks = {"mail": {"python": "hooks.m:mail"}}
    assert grants(plan(hooks)) == {
        "Store": (["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], STORE_ARN)
    }
    assert grants(plan(hooks), SMA_FLOWS_STORE="/mnt/shared/store.sqlite") == {}


def test_a_table_of_ones_own_is_named() -> None:
    hooks = {"f": {"builtin": "directory.find", "with": {"table": ["env", "T"]}, "effect": "read"}}
    found = grants(plan(hooks), T="dynamodb:accounts/number")
    assert found == {"Table": (["dynamodb:GetItem"], f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/accounts")}


@pytest.mark.parametrize(
    ("queue", "wanted"),
    [
        (
            f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/jobs.fifo",
            {"Queue": (["sqs:SendMessage"], f"arn:aws:sqs:{REGION}:{ACCOUNT}:jobs.fifo")},
        ),
        (
            f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/ours",
            {
                "Store": (["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], STORE_ARN),
                "Bus": (["events:PutEvents"], f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/ours"),
            },
        ),
    ],
)
def test_queues_and_buses(queue: str, wanted: dict[str, Any]) -> None:
    hooks = {"q": {"builtin": "queue.put", "with": {"queue": ["lit", queue]}, "effect": "keyed"}}
    assert grants(plan(hooks)) == wanted


def test_services_that_a_hook_of_ones_own_uses() -> None:
    uses = {"calls.dial": {"application": ["env", "APP"]}, "transcription.start": {}}
    hooks = {"h": {"python": "hooks.h:h", "effect": "read", "uses": uses}}
    found = grants(plan(hooks), APP="0f3c")
    assert found["Calls"] == (["chime:CreateSipMediaApplicationCall"], f"arn:aws:chime:{REGION}:{ACCOUNT}:sma/0f3c")
    assert found["WithoutResources"] == (["chime:StartMeetingTranscription"], "*")
    assert found["Store"][0] == ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]


def test_what_a_stand_in_does_needs_no_permission() -> None:
    states = {"j": {"do": "join_meeting", "meeting": ["lit", "m"]}}
    assert "Meetings" in grants(plan(states=states))
    assert set(grants(plan(states=states), SMA_FLOWS_MEETINGS="local")) == {"Itself"}, "for clean-up that failed"
    assert grants(plan(states=states), SMA_FLOWS_SERVICES="local") == {}


def test_work_outside_a_call_needs_the_function_itself() -> None:
    found = grants(plan(states={"w": {"do": "hold", "hook": "h"}}), AWS_LAMBDA_FUNCTION_NAME="line")
    # with a qualifier: it is its own version that a function invokes
    assert found["Itself"] == (["lambda:InvokeFunction"], f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:line:*")
    assert found["AllCalls"] == (["chime:UpdateSipMediaApplicationCall"], f"arn:aws:chime:{REGION}:{ACCOUNT}:sma/*")


def test_answers_that_can_overlap_need_their_journal() -> None:
    flow = {"name": "line", "start": "a", "states": {"a": {"do": "hangup"}}, "overlap": ["a"]}
    of = Plan("line", (), {"line": "0" * 12}, {"0" * 12: flow})
    assert grants(of) == {"Store": (["dynamodb:GetItem", "dynamodb:PutItem"], STORE_ARN)}
    assert grants(of, SMA_FLOWS_JOURNAL="off") == {}


def test_traces_need_permission_where_they_are_on() -> None:
    assert grants(plan(), SMA_FLOWS_TRACE="true")["WithoutResources"][0] == [
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    ]


def test_revisions_of_before_keep_their_permissions() -> None:
    old = {"name": "line", "start": "a", "states": {"a": {"do": "join_meeting"}}}
    now = plan()
    assert "Meetings" in grants(now._replace(revisions={**now.revisions, "1" * 12: old}))


# ---- the command ---------------------------------------------------------------------------------------------------


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["policy", str(ROOT / "flows"), *arguments])


def test_the_command_explains(tmp_path: Path) -> None:
    shown = run("--env", f"SMA_FLOWS_STORE=dynamodb:{TABLE}", "--account", ACCOUNT, "--region", REGION)
    assert shown.exit_code == 0, shown.output
    assert f"on {STORE_ARN}" in shown.output
    assert "dial-in: limits of 'check' over several calls" in shown.output
    assert "Note: dial-in: 'verify_pin' is code of yours" in shown.output


def test_the_document_is_a_policy() -> None:
    values = [
        f"--env={name}={text}"
        for name, text in {"TEAM_CHANNEL": CHANNEL, "TEAM_BOT": BEARER, "AWS_LAMBDA_FUNCTION_NAME": FUNCTION}.items()
    ]
    made = json.loads(
        run(
            "--json", "--account", ACCOUNT, "--region", REGION, f"--env=SMA_FLOWS_STORE=dynamodb:{TABLE}", *values
        ).stdout
    )
    assert made == policy().document(KNOWN)
    assert "${" not in json.dumps(made)


def test_unknown_values_stay_placeholders_and_are_named() -> None:
    shown = run("--json")
    assert "${TEAM_CHANNEL}" in shown.stdout
    assert "env.TEAM_CHANNEL is not known" in shown.stderr


def test_the_permissions_of_the_template_are_those_that_the_command_prints() -> None:
    template = read_template(ROOT / "template.yaml")
    wanted = policy_of(load_plan(str(ROOT / "flows")), template.values()).statements
    found = {grant.sid: grant for grant in template.grants()}
    assert set(found) == {"Records", "DeadLetters", *(statement.sid for statement in wanted)}
    for statement in wanted:
        grant = found[statement.sid]
        assert (grant.actions, grant.resources) == (statement.actions, statement.resources)
        assert grant.condition == statement.condition


def test_the_permissions_of_the_api_are_those_that_the_command_prints() -> None:
    template = read_template(ROOT / "template.yaml", WEB_HANDLER)
    wanted = web_policy(template.values()).statements
    found = {grant.sid: grant for grant in template.grants()}
    assert set(found) == {"Records", *(statement.sid for statement in wanted)}
    for statement in wanted:
        assert (found[statement.sid].actions, found[statement.sid].resources) == (
            statement.actions,
            statement.resources,
        )
    shown = run("--web", "--template", str(ROOT / "template.yaml"), "--format", "cloudformation")
    assert shown.exit_code == 0
    assert "chime:CreateSipMediaApplicationCall" in shown.stdout


def test_a_template_without_the_function_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("Resources: {Q: {Type: AWS::SQS::Queue}}\n")
    assert run("--template", str(tmp_path / "t.yaml")).exit_code == 2
