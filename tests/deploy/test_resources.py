"""The custom resources: what CloudFormation asks, in every order in which it may ask it."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from sma_flows.deploy import resources
from sma_flows.deploy.resources import KINDS, PENDING, Api, answer, handler

from .voice import ACCOUNT, Voice

STACK = f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/line/51af3dc0-da77-11e4-872e-1234567db123"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:line:live"
FAR = FUNCTION.replace("us-east-1", "us-west-2")
NUMBER, OTHER = "+12065550110", "+12065550111"


class Stack:
    """One resource of a stack, asked as CloudFormation asks."""

    def __init__(self, voice: Voice, kind: str, logical: str = "It", region: str = "us-east-1") -> None:
        self.voice = voice
        self.frame = {"ResourceType": f"Custom::{kind}", "LogicalResourceId": logical, "StackId": STACK}
        self.id = ""
        self.old: dict[str, Any] = {}
        self.waited: list[float] = []
        self.left = 200.0
        self.last: dict[str, Any] = {}
        self.api = Api(voice.client, region, lambda: self.left - sum(self.waited), self.waited.append)

    def create(self, **wanted: Any) -> dict[str, Any]:
        self.last = {**self.frame, "RequestType": "Create", "RequestId": uuid.uuid4().hex, "ResourceProperties": wanted}
        return self._ask(wanted)

    def update(self, **wanted: Any) -> dict[str, Any]:
        self.last = {
            **self.frame,
            "RequestType": "Update",
            "RequestId": uuid.uuid4().hex,
            "PhysicalResourceId": self.id,
            "ResourceProperties": wanted,
            "OldResourceProperties": self.old,
        }
        return self._ask(wanted)

    def delete(self, physical: str | None = None) -> dict[str, Any]:
        request = {**self.frame, "RequestType": "Delete", "RequestId": uuid.uuid4().hex}
        self.last = {**request, "PhysicalResourceId": physical or self.id, "ResourceProperties": self.old}
        return self._ask(self.old)

    def again(self) -> dict[str, Any]:
        """The same request once more, as a queue that delivers at least once does it."""
        return answer(copy.deepcopy(self.last), self.api)

    def _ask(self, wanted: dict[str, Any]) -> dict[str, Any]:
        self.last["ResourceProperties"] = {"ServiceToken": "arn", "ServiceTimeout": "300", **wanted}
        body = self.again()
        assert body.keys() >= {"Status", "PhysicalResourceId", "StackId", "RequestId", "LogicalResourceId"}
        if body["Status"] == "SUCCESS":
            self.id, self.old = body["PhysicalResourceId"], wanted
        return body


@pytest.fixture
def voice() -> Iterator[Voice]:
    with Voice() as made:
        yield made


@pytest.fixture
def application(voice: Voice) -> str:
    """An application that a rule can name."""
    made = Stack(voice, "SipMediaApplication", "Application").create(
        Name="line", AwsRegion="us-east-1", LambdaArn=FUNCTION
    )
    return str(made["PhysicalResourceId"])


def rule(application: str, number: str = NUMBER, **more: Any) -> dict[str, Any]:
    """Properties of a rule as CloudFormation sends them: all texts."""
    target = {"SipMediaApplicationId": application, "AwsRegion": "us-east-1", "Priority": "1"}
    wanted = {"Name": "line front desk", "TriggerType": "ToPhoneNumber", "TriggerValue": number, "Disabled": "false"}
    return {**wanted, "TargetApplications": [target], **more}


# ---- rules ---------------------------------------------------------------------------------------------------------


def test_a_rule_is_made_with_its_id_as_physical_id(voice: Voice, application: str) -> None:
    stack = Stack(voice, "SipRule")
    made = stack.create(**rule(application))
    assert made["Status"] == "SUCCESS"
    found = voice.rules[made["PhysicalResourceId"]]
    assert found["TargetApplications"] == [
        {"SipMediaApplicationId": application, "AwsRegion": "us-east-1", "Priority": 1}
    ]
    assert found["Disabled"] is False
    assert found["Name"].startswith("line front desk-")
    assert made["Data"] == {"Id": made["PhysicalResourceId"]}


def test_a_creation_that_is_delivered_twice_makes_one_rule(voice: Voice, application: str) -> None:
    stack = Stack(voice, "SipRule")
    first = stack.create(**rule(application))
    assert stack.again() == first
    assert len(voice.rules) == 1


def test_every_property_of_a_rule_can_be_updated_in_place(voice: Voice, application: str) -> None:
    far = Stack(voice, "SipMediaApplication", "Far", "us-west-2").create(
        Name="line", AwsRegion="us-west-2", LambdaArn=FAR
    )["PhysicalResourceId"]
    stack = Stack(voice, "SipRule")
    thing = stack.create(**rule(application))["PhysicalResourceId"]
    second = {"SipMediaApplicationId": far, "AwsRegion": "us-west-2", "Priority": "2"}
    first = {"SipMediaApplicationId": application, "AwsRegion": "us-east-1", "Priority": "1"}
    for change in (
        {"Name": "other"},
        {"Disabled": "true"},
        {"Disabled": "false", "TargetApplications": [second, first]},
    ):
        done = stack.update(**rule(application, **change))
        assert (done["Status"], done["PhysicalResourceId"]) == ("SUCCESS", thing)
        assert stack.again() == done
    found = voice.rules[thing]
    assert found["Name"].startswith("line front desk-")
    assert [each["Priority"] for each in found["TargetApplications"]] == [1, 2]
    assert "CreateSipRule" not in voice.log[voice.log.index("CreateSipRule") + 1 :]


def test_another_number_makes_another_rule_and_the_old_one_is_deleted_after_it(voice: Voice, application: str) -> None:
    stack = Stack(voice, "SipRule")
    old = stack.create(**rule(application))["PhysicalResourceId"]
    new = stack.update(**rule(application, OTHER))["PhysicalResourceId"]
    assert new != old
    assert set(voice.rules) == {old, new}
    assert stack.again()["PhysicalResourceId"] == new
    assert stack.delete(old)["Status"] == "SUCCESS"
    assert set(voice.rules) == {new}


def test_a_roll_back_behind_another_number_finds_the_first_rule_again(voice: Voice, application: str) -> None:
    """CloudFormation asks for an update to the old values, with the id of the new rule, and deletes that one."""
    stack = Stack(voice, "SipRule")
    old = stack.create(**rule(application))["PhysicalResourceId"]
    new = stack.update(**rule(application, OTHER))["PhysicalResourceId"]
    back = stack.update(**rule(application))
    assert back["PhysicalResourceId"] == old
    stack.delete(new)
    assert set(voice.rules) == {old}
    assert voice.rules[old]["Disabled"] is False


def test_a_failed_update_puts_back_what_was_there(voice: Voice, application: str) -> None:
    stack = Stack(voice, "SipRule")
    thing = stack.create(**rule(application))["PhysicalResourceId"]
    before = copy.deepcopy(voice.rules[thing])
    with voice.broken("UpdateSipRule", "BadRequestException", after=True):
        failed = stack.update(**rule(application, Name="other", Disabled="true"))
    assert (failed["Status"], failed["PhysicalResourceId"]) == ("FAILED", thing)
    assert voice.rules[thing] == before
    assert stack.update(**rule(application))["Status"] == "SUCCESS"  # the roll-back of the stack
    assert voice.rules[thing] == before


def test_an_update_to_an_application_that_does_not_exist_fails_and_changes_nothing(
    voice: Voice, application: str
) -> None:
    stack = Stack(voice, "SipRule")
    thing = stack.create(**rule(application))["PhysicalResourceId"]
    before = copy.deepcopy(voice.rules[thing])
    failed = stack.update(**rule(str(uuid.uuid4())))
    assert failed["Status"] == "FAILED"
    assert "UpdateSipRule: BadRequestException" in failed["Reason"]
    assert voice.rules[thing] == before


def test_a_deletion_disables_first(voice: Voice, application: str) -> None:
    stack = Stack(voice, "SipRule")
    stack.create(**rule(application))
    del voice.log[:]
    assert stack.delete()["Status"] == "SUCCESS"
    assert voice.log == ["GetSipRule", "UpdateSipRule", "DeleteSipRule"]
    assert voice.rules == {}


def test_what_is_gone_is_deleted_and_again(voice: Voice, application: str) -> None:
    stack = Stack(voice, "SipRule")
    stack.create(**rule(application))
    assert stack.delete()["Status"] == "SUCCESS"
    assert stack.again()["Status"] == "SUCCESS"
    assert stack.delete(str(uuid.uuid4()))["Status"] == "SUCCESS"


def test_a_rule_that_goes_between_two_requests_of_its_deletion_is_gone(voice: Voice, application: str) -> None:
    stack = Stack(voice, "SipRule")
    stack.create(**rule(application))
    with voice.broken("DeleteSipRule", "NotFoundException"):
        assert stack.delete()["Status"] == "SUCCESS"


def test_an_update_of_what_is_gone_makes_it_anew(voice: Voice, application: str) -> None:
    stack = Stack(voice, "SipRule")
    old = stack.create(**rule(application))["PhysicalResourceId"]
    voice.lose_rules()
    made = stack.update(**rule(application, Disabled="true"))
    assert made["Status"] == "SUCCESS"
    assert made["PhysicalResourceId"] != old
    assert list(voice.rules) == [made["PhysicalResourceId"]]


def test_a_creation_nobody_heard_of_is_undone_by_the_roll_back(voice: Voice, application: str) -> None:
    """The function ran out of time after the rule was there: CloudFormation deletes an id of its own."""
    stack = Stack(voice, "SipRule")
    stack.create(**rule(application))
    assert len(voice.rules) == 1
    assert stack.delete("line-It-1ABCDEFGHIJKL")["Status"] == "SUCCESS"
    assert voice.rules == {}


def test_a_creation_that_failed_leaves_nothing_and_its_deletion_succeeds(voice: Voice, application: str) -> None:
    stack = Stack(voice, "SipRule")
    failed = stack.create(**rule(application, "+14155550199"))  # not in the inventory
    assert failed["Status"] == "FAILED"
    assert failed["PhysicalResourceId"].startswith(PENDING)
    stack.old = rule(application)
    assert stack.delete(failed["PhysicalResourceId"])["Status"] == "SUCCESS"
    assert voice.rules == {}


def test_rules_of_others_are_never_touched(voice: Voice, application: str) -> None:
    others = Stack(voice, "SipRule", "Another").create(**rule(application, OTHER))["PhysicalResourceId"]
    stack = Stack(voice, "SipRule")
    stack.create(**rule(application))
    stack.update(**rule(application, Name="new"))
    stack.delete("line-It-1ABCDEFGHIJKL")
    assert list(voice.rules) == [others]


def test_a_replacement_whose_answer_was_lost_is_swept_up_by_the_next_update(voice: Voice, application: str) -> None:
    stack = Stack(voice, "SipRule")
    old = stack.create(**rule(application))["PhysicalResourceId"]
    before = dict(stack.old)
    stack.update(**rule(application, OTHER))
    stack.id, stack.old = old, before  # as if CloudFormation had not heard of it
    stack.update(**rule(application))
    assert list(voice.rules) == [old]


def test_a_number_that_is_not_known_yet_is_waited_for(voice: Voice, application: str) -> None:
    stack = Stack(voice, "SipRule")
    with voice.broken("CreateSipRule", *["BadRequestException"] * 4):
        made = stack.create(**rule(application))
    assert made["Status"] == "SUCCESS"
    assert stack.waited == [1.0, 2.0, 4.0, 8.0]


def test_nobody_waits_longer_than_the_function_lives(voice: Voice, application: str) -> None:
    stack = Stack(voice, "SipRule")
    stack.left = 12.0
    with voice.broken("CreateSipRule", *["BadRequestException"] * 3):
        failed = stack.create(**rule(application))
    assert failed["Status"] == "FAILED"
    assert sum(stack.waited) < 12.0


def test_throttling_is_waited_out(voice: Voice, application: str) -> None:
    stack = Stack(voice, "SipRule")
    with voice.broken("ListSipRules", "ThrottledClientException", "ServiceUnavailableException"):
        assert stack.create(**rule(application))["Status"] == "SUCCESS"
    assert stack.waited == [1.0, 2.0]


def test_a_rule_is_found_among_many(voice: Voice, application: str) -> None:
    """Lists come in pages of two here."""
    for number in range(5):
        phone = f"+1206555011{number}"
        Stack(voice, "SipRule", f"Rule{number}").create(**rule(application, phone))
    stack = Stack(voice, "SipRule", "Rule4")
    assert stack.create(**rule(application, "+12065550114"))["Status"] == "SUCCESS"
    assert len(voice.rules) == 5


def test_a_second_region_without_an_application_is_left_out(voice: Voice, application: str) -> None:
    none = {"SipMediaApplicationId": "", "AwsRegion": "", "Priority": "2"}
    wanted = rule(application)
    wanted["TargetApplications"].append(none)
    made = Stack(voice, "SipRule").create(**wanted)
    assert len(voice.rules[made["PhysicalResourceId"]]["TargetApplications"]) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"Trigger": "x"},
        {"Name": ""},
        {"TargetApplications": []},
        {"TargetApplications": [{"SipMediaApplicationId": ""}]},
    ],
)
def test_wrong_properties_are_named(voice: Voice, application: str, change: dict[str, Any]) -> None:
    failed = Stack(voice, "SipRule").create(**rule(application, **change))
    assert failed["Status"] == "FAILED"
    assert voice.rules == {}
    assert next(iter(change)) in failed["Reason"]


def test_two_applications_of_one_priority_are_refused(voice: Voice, application: str) -> None:
    target = {"SipMediaApplicationId": application, "AwsRegion": "us-east-1", "Priority": "1"}
    failed = Stack(voice, "SipRule").create(**rule(application, TargetApplications=[target, target]))
    assert "a priority of its own" in failed["Reason"]


# ---- applications --------------------------------------------------------------------------------------------------

WANTED = {"Name": "line", "AwsRegion": "us-west-2", "LambdaArn": FAR}
NEAR = {**WANTED, "AwsRegion": "us-east-1", "LambdaArn": FUNCTION}


def test_an_application_lives_as_the_native_type_does(voice: Voice) -> None:
    stack = Stack(voice, "SipMediaApplication", region="us-west-2")
    made = stack.create(**WANTED)
    thing = made["PhysicalResourceId"]
    assert made["Data"]["SipMediaApplicationId"] == thing
    assert made["Data"]["SipMediaApplicationArn"].endswith(f":sma/{thing}")
    assert stack.again() == made
    for change in ({"Name": "another"}, {"LambdaArn": FAR.replace("live", "next")}):
        assert stack.update(**{**WANTED, **change})["PhysicalResourceId"] == thing
    assert voice.applications[thing]["Endpoints"] == [{"LambdaArn": FAR.replace("live", "next")}]
    assert stack.delete()["Status"] == "SUCCESS"
    assert stack.again()["Status"] == "SUCCESS"
    assert voice.applications == {}


def test_another_region_is_another_application_and_each_is_deleted_in_its_own(voice: Voice) -> None:
    stack = Stack(voice, "SipMediaApplication", region="us-west-2")
    old = stack.create(**WANTED)["PhysicalResourceId"]
    first = dict(stack.old)
    new = stack.update(
        **{**WANTED, "AwsRegion": "eu-central-1", "LambdaArn": FAR.replace("us-west-2", "eu-central-1")}
    )["PhysicalResourceId"]
    assert {each["AwsRegion"] for each in voice.applications.values()} == {"us-west-2", "eu-central-1"}
    stack.old = first
    assert stack.delete(old)["Status"] == "SUCCESS"
    assert list(voice.applications) == [new]


def test_a_failed_update_of_an_application_puts_its_function_back(voice: Voice) -> None:
    stack = Stack(voice, "SipMediaApplication", region="us-west-2")
    thing = stack.create(**WANTED)["PhysicalResourceId"]
    before = copy.deepcopy(voice.applications[thing])
    with voice.broken("UpdateSipMediaApplication", "ConflictException", after=True):
        assert stack.update(**{**WANTED, "LambdaArn": FAR + "x"})["Status"] == "FAILED"
    assert voice.applications[thing] == before


def test_a_deletion_waits_for_the_rules_to_be_gone(voice: Voice) -> None:
    stack = Stack(voice, "SipMediaApplication", region="us-west-2")
    stack.create(**WANTED)
    with voice.broken("DeleteSipMediaApplication", "ConflictException", "ConflictException"):
        assert stack.delete()["Status"] == "SUCCESS"
    assert voice.applications == {}


def test_an_application_that_a_rule_names_is_not_deleted(voice: Voice, application: str) -> None:
    Stack(voice, "SipRule").create(**rule(application))
    stack = Stack(voice, "SipMediaApplication", "Application")
    stack.id, stack.old = application, NEAR
    failed = stack.delete()
    assert failed["Status"] == "FAILED"
    assert "ConflictException" in failed["Reason"]
    assert application in voice.applications


# ---- message logs --------------------------------------------------------------------------------------------------


def test_message_logs_are_switched_on_off_and_off_at_the_end(voice: Voice, application: str) -> None:
    stack = Stack(voice, "SipMediaApplicationLogging")
    made = stack.create(SipMediaApplicationId=application, MessageLogs="yes")
    assert made["Data"] == {"SipMediaApplicationId": application}
    assert voice.logging == {application: True}
    assert stack.again() == made
    changed = stack.update(SipMediaApplicationId=application, MessageLogs="no")
    assert changed == {**made, "RequestId": changed["RequestId"]}
    assert voice.logging == {application: False}
    stack.update(SipMediaApplicationId=application, MessageLogs="yes")
    assert stack.delete()["Status"] == "SUCCESS"
    assert voice.logging == {application: False}


def test_a_failed_switch_is_switched_back(voice: Voice, application: str) -> None:
    stack = Stack(voice, "SipMediaApplicationLogging")
    stack.create(SipMediaApplicationId=application, MessageLogs="yes")
    with voice.broken("PutSipMediaApplicationLoggingConfiguration", "BadRequestException", after=True):
        assert stack.update(SipMediaApplicationId=application, MessageLogs="no")["Status"] == "FAILED"
    assert voice.logging == {application: True}


def test_the_message_log_of_another_application_is_another_resource(voice: Voice, application: str) -> None:
    other = Stack(voice, "SipMediaApplication", "B").create(**NEAR)["PhysicalResourceId"]
    stack = Stack(voice, "SipMediaApplicationLogging")
    old = stack.create(SipMediaApplicationId=application, MessageLogs="yes")["PhysicalResourceId"]
    new = stack.update(SipMediaApplicationId=other, MessageLogs="yes")["PhysicalResourceId"]
    assert new != old
    stack.delete(old)
    assert voice.logging == {application: False, other: True}


def test_the_message_log_of_an_application_that_is_gone_is_deleted(voice: Voice, application: str) -> None:
    stack = Stack(voice, "SipMediaApplicationLogging")
    stack.create(SipMediaApplicationId=application, MessageLogs="yes")
    voice.lose_applications()
    assert stack.delete()["Status"] == "SUCCESS"


# ---- numbers -------------------------------------------------------------------------------------------------------


def test_a_number_is_made_one_for_applications_and_never_given_back(voice: Voice) -> None:
    voice.set_product(NUMBER, "VoiceConnector")
    stack = Stack(voice, "PhoneNumber")
    made = stack.create(E164PhoneNumber=NUMBER)
    assert made["PhysicalResourceId"] == NUMBER
    assert voice.numbers[NUMBER]["ProductType"] == "SipMediaApplicationDialIn"
    assert stack.again() == made
    stack.update(E164PhoneNumber=NUMBER, Label="front desk")
    assert voice.numbers[NUMBER].get("Name", "") == "front desk"
    assert stack.update(E164PhoneNumber=OTHER)["PhysicalResourceId"] == OTHER
    del voice.log[:]
    assert stack.delete(NUMBER)["Status"] == "SUCCESS"
    assert voice.log == []


def test_a_failed_update_of_a_number_is_taken_back(voice: Voice) -> None:
    stack = Stack(voice, "PhoneNumber")
    stack.create(E164PhoneNumber=NUMBER, Label="one")
    with voice.broken("UpdatePhoneNumber", "ConflictException", after=True):
        assert stack.update(E164PhoneNumber=NUMBER, Label="two")["Status"] == "FAILED"
    assert voice.numbers[NUMBER].get("Name", "") == "one"


def test_a_number_that_the_account_has_not_is_refused_with_what_to_do(voice: Voice) -> None:
    failed = Stack(voice, "PhoneNumber").create(E164PhoneNumber="+14155550123")
    assert failed["Status"] == "FAILED"
    assert "order it in the console" in failed["Reason"]


# ---- versions ------------------------------------------------------------------------------------------------------


def test_a_version_is_published_when_something_has_changed_and_only_then(voice: Voice) -> None:
    stack = Stack(voice, "FunctionVersion")
    assert stack.create(FunctionName="line", Follows=["a"])["Data"] == {"Version": "1"}
    assert stack.again()["Data"] == {"Version": "1"}
    voice.function = "with other values"
    assert stack.update(FunctionName="line", Follows=["b"])["Data"] == {"Version": "2"}
    assert stack.delete()["Status"] == "SUCCESS"


def test_an_update_of_the_function_that_is_on_its_way_is_waited_for(voice: Voice) -> None:
    with voice.broken("PublishVersion", "ResourceConflictException"):
        assert Stack(voice, "FunctionVersion").create(FunctionName="line")["Status"] == "SUCCESS"


# ---- every kind ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_deletion_of_what_never_was_succeeds(voice: Voice, kind: str) -> None:
    stack = Stack(voice, kind.removeprefix("Custom::"))
    assert stack.delete("line-It-1ABCDEFGHIJKL")["Status"] == "SUCCESS"
    assert stack.delete(PENDING + "0123abcd")["Status"] == "SUCCESS"


@pytest.mark.parametrize("kind", ["Custom::Nonsense", "SipRule", ""])
def test_a_type_that_there_is_not_is_answered(voice: Voice, kind: str) -> None:
    stack = Stack(voice, "X")
    stack.frame["ResourceType"] = kind
    assert stack.create()["Status"] == "FAILED"


def test_a_reason_shows_no_number(voice: Voice, application: str) -> None:
    with voice.broken("CreateSipRule", "AccessDeniedException"):
        failed = Stack(voice, "SipRule").create(**rule(application))
    assert failed["Reason"] == "CreateSipRule: AccessDeniedException: of ***"


def test_names_fit_into_what_the_service_takes(voice: Voice, application: str) -> None:
    made = Stack(voice, "SipRule").create(**rule(application, Name="Mülleimer/" * 60))
    name = voice.rules[made["PhysicalResourceId"]]["Name"]
    assert len(name) <= 256
    assert resources.re.fullmatch(r"[a-zA-Z0-9 _.-]+", name)


# ---- the function --------------------------------------------------------------------------------------------------


@pytest.fixture
def waiting_stack() -> Iterator[tuple[str, list[tuple[dict[str, str], Any]]]]:
    """The address that CloudFormation gives, on loopback, and what arrived there."""
    heard: list[tuple[dict[str, str], Any]] = []

    class Response(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append((dict(self.headers), json.loads(body)))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Response)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/answer?signature=x", heard
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_the_function_answers_the_stack(
    voice: Voice,
    application: str,
    waiting_stack: tuple[str, list[tuple[dict[str, str], Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resources, "_client", voice.client)
    address, heard = waiting_stack
    context = SimpleNamespace(
        invoked_function_arn=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:resources",
        get_remaining_time_in_millis=lambda: 200_000,
    )
    frame = {"StackId": STACK, "RequestId": "r", "LogicalResourceId": "It", "ResponseURL": address}
    request = {**frame, "RequestType": "Create", "ResourceType": "Custom::SipRule"}
    handler({**request, "ResourceProperties": {"ServiceToken": "arn", **rule(application)}}, context)
    handler({**request, "ResourceProperties": {"ServiceToken": "arn"}}, context)
    assert [body["Status"] for _, body in heard] == ["SUCCESS", "FAILED"]
    assert heard[0][1]["PhysicalResourceId"] in voice.rules
    assert heard[0][0].get("Content-Type", "") == ""
