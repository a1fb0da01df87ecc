from __future__ import annotations

import copy
import json
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sma_flows.errors import SmaFlowsError
from sma_flows.protocol import check, limits
from sma_flows.protocol.actions import CODES, goodbye, response
from sma_flows.protocol.check import PARAMETERS, check_emit_rules, check_event, check_response, schema
from sma_flows.protocol.events import EVENT_TYPES

A = {"CallId": "leg-a"}
B = {"CallId": "leg-b"}
AUDIO = {"Type": "S3", "BucketName": "example-prompts", "Key": "welcome.wav"}
COLLECT: Mapping[str, Any] = {
    "InputDigitsRegex": "^[0-9]{6}$",
    "MinNumberOfDigits": 6,
    "MaxNumberOfDigits": 6,
    "TerminatorDigits": ["#"],
    "InBetweenDigitsDurationInMilliseconds": 3000,
    "Repeat": 3,
    "RepeatDurationInMilliseconds": 5000,
}
GOOD: Mapping[str, Mapping[str, Any]] = {
    "CallAndBridge": {
        **A,
        "CallTimeoutSeconds": 30,
        "CallerIdNumber": "+12065550199",
        "RingbackTone": AUDIO,
        "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+14155550123"}],
        "SipHeaders": {"x-reason": "sales"},
    },
    "Hangup": {**A, "SipResponseCode": "0"},
    "JoinChimeMeeting": {**A, "JoinToken": "join-token", "MeetingId": "m-1"},
    "ModifyChimeMeetingAttendees": {**B, "Operation": "Mute", "MeetingId": "m-1", "AttendeeList": ["a-1"]},
    "Pause": {**A, "DurationInMilliseconds": 1000},
    "PauseCallRecording": A,
    "PlayAudio": {**A, "AudioSource": AUDIO, "PlaybackTerminators": ["#"], "Repeat": 2},
    "PlayAudioAndGetDigits": {**A, "AudioSource": AUDIO, "FailureAudioSource": AUDIO, **COLLECT},
    "ReceiveDigits": {
        **A,
        "InputDigitsRegex": "^([0-9]|\\*6)$",
        "InBetweenDigitsDurationInMilliseconds": 1000,
        "FlushDigitsDurationInMilliseconds": 10000,
    },
    "RecordAudio": {
        **A,
        "DurationInSeconds": 60,
        "SilenceDurationInSeconds": 4,
        "SilenceThreshold": 200,
        "RecordingTerminators": ["#"],
        "RecordingDestination": {"Type": "S3", "BucketName": "example-voicemails", "Prefix": "1001/"},
    },
    "ResumeCallRecording": A,
    "SendDigits": {**A, "Digits": "12,,3#", "ToneDurationInMilliseconds": 250},
    "Speak": {
        **A,
        "Text": "Hello",
        "Engine": "neural",
        "LanguageCode": "en-US",
        "TextType": "text",
        "VoiceId": "Joanna",
    },
    "SpeakAndGetDigits": {
        **A,
        "SpeechParameters": {"Text": "PIN?"},
        "FailureSpeechParameters": {"Text": "Again."},
        **COLLECT,
    },
    "StartBotConversation": {
        **A,
        "BotAliasArn": "arn:aws:lex:us-east-1:111122223333:bot-alias/EXAMPLEBOT/TSTALIASID",
        "LocaleId": "en_US",
        "Configuration": {
            "SessionState": {"SessionAttributes": {"a": "b"}, "DialogAction": {"Type": "ElicitIntent"}},
            "WelcomeMessages": [{"Content": "Hello", "ContentType": "PlainText"}],
        },
    },
    "StartCallRecording": {**A, "Track": "BOTH", "Destination": {"Type": "S3", "Location": "example-recordings/calls"}},
    "StopCallRecording": A,
    "VoiceFocus": {**A, "Enable": True},
}
ON_B = {"ModifyChimeMeetingAttendees"}


def leg(tag: str, status: str | None = "Connected") -> dict[str, str]:
    more = {"Status": status} if status else {}
    return {
        "CallId": tag.lower(),
        "ParticipantTag": tag,
        "To": "+12065550199",
        "From": "+14155550123",
        "Direction": "Inbound",
        "StartTimeInMilliseconds": "1795168800000",
        **more,
    }


def an_event(kind: str = "ACTION_SUCCESSFUL", *legs: dict[str, str], **data: Any) -> dict[str, Any]:
    event: dict[str, Any] = {
        "SchemaVersion": "1.0",
        "Sequence": 2,
        "InvocationEventType": kind,
        "CallDetails": {
            "TransactionId": "t-1",
            "AwsAccountId": "111122223333",
            "AwsRegion": "us-east-1",
            "SipMediaApplicationId": "sma-1",
            "Participants": list(legs) or [leg("LEG-A")],
        },
    }
    return {**event, "ActionData": data} if data else event


ALONE = an_event()
TOGETHER = an_event("ACTION_SUCCESSFUL", leg("LEG-A"), leg("LEG-B"))


def action(name: str, drop: str = "", **changes: Any) -> dict[str, Any]:
    parameters = {**GOOD[name], **changes}
    parameters.pop(drop, None)
    return {"Type": name, "Parameters": parameters}


def answer(*actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"SchemaVersion": "1.0", "Actions": list(actions), **more}


def rules(problems: list[str]) -> list[str]:
    return [problem.partition(":")[0] for problem in problems]


# --- shapes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["actions", "events"])
def test_the_shipped_schemas_are_schemas(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))


def test_every_action_is_known_everywhere() -> None:
    types = set(schema("actions")["$defs"]["Action"]["properties"]["Type"]["enum"])
    assert types == set(PARAMETERS) == set(GOOD) == set(CODES)
    assert types == set(schema("events")["$defs"]["Echo"]["properties"]["Type"]["enum"])


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_schema_and_the_emit_rules_know_the_same_parameters(name: str) -> None:
    assert set(schema("actions")["$defs"][f"{name}Parameters"]["properties"]) == set(PARAMETERS[name])


def test_every_event_type_is_known_everywhere() -> None:
    assert set(schema("events")["properties"]["InvocationEventType"]["enum"]) == EVENT_TYPES


@pytest.mark.parametrize("name", GOOD)
def test_a_good_action_is_accepted_by_both_checks(name: str) -> None:
    event = TOGETHER if name in ON_B else ALONE
    assert check_response(answer(action(name))) == []
    assert check_emit_rules(answer(action(name)), event) == []


@pytest.mark.parametrize("name", GOOD)
def test_a_misspelt_parameter_is_found_by_both_checks(name: str) -> None:
    wrong = answer(action(name, callId="leg-a"))
    assert len(check_response(wrong)) == 1
    assert rules(check_emit_rules(wrong, TOGETHER if name in ON_B else ALONE)) == ["E9"]


@pytest.mark.parametrize(
    "accepted",
    [
        {"SchemaVersion": "1.0"},
        {"SchemaVersion": "1.0", "Actions": None},
        {"SchemaVersion": "1.0", "Actions": []},
        {"SchemaVersion": "1.0", "TransactionAttributes": {}},
        answer(action("Pause", DurationInMilliseconds="1000")),
        answer(action("Hangup", SipResponseCode=480)),
        answer(action("Hangup", ParticipantTag="")),
        answer(action("VoiceFocus", Enable="True")),
    ],
)
def test_what_the_service_was_seen_to_accept_has_the_right_shape(accepted: object) -> None:
    assert check_response(accepted) == []


@pytest.mark.parametrize(
    ("refused", "place"),
    [
        (None, "(whole object)"),
        ("", "(whole object)"),
        ({}, "(whole object)"),
        ({"SchemaVersion": 1.0}, "SchemaVersion"),
        ({"schemaVersion": "1.0"}, "(whole object)"),
        (answer(*[action("Pause")] * 11), "Actions"),
        (answer({"Type": "Answer", "Parameters": {}}), "Actions[0].Type"),
        (answer(action("Pause"), action("Pause", DurationInMilliseconds=99)), "Actions[1].Parameters"),
        (answer(action("Speak", Text="")), "Actions[0].Parameters.Text"),
        (answer(action("Speak", Text="x" * 1001)), "Actions[0].Parameters.Text"),
        (answer(action("CallAndBridge", Endpoints=[])), "Actions[0].Parameters.Endpoints"),
        (answer(action("CallAndBridge", SipHeaders={"X-AMZN-x": "1"})), "Actions[0].Parameters.SipHeaders"),
        (answer(action("JoinChimeMeeting", ParticipantTag="LEG-B")), "Actions[0].Parameters.ParticipantTag"),
        (answer(action("StartBotConversation", Configuration={"WelcomeMessages": []})), "Actions[0].Parameters"),
    ],
)
def test_what_the_service_refuses_is_named_with_its_place(refused: object, place: str) -> None:
    problems = check_response(refused)
    assert problems
    assert any(problem.startswith(place) for problem in problems)


@pytest.mark.parametrize(
    "event",
    [
        an_event("NEW_INBOUND_CALL", leg("LEG-A", None)),
        an_event("RINGING", leg("LEG-A", None)),
        an_event("NEW_OUTBOUND_CALL", Type="CallCreateRequest", Parameters={"Arguments": {"a": "b"}}),
        an_event(Type="Speak", Parameters=A),
        an_event(Type="SpeakAndGetDigits", Parameters=A, ReceivedDigits="482913"),
        an_event("ACTION_FAILED", Type="JoinChimeMeeting", Parameters=A, Error="ErrorJoiningMeeting: text"),
        an_event("HANGUP", Type="Hangup", Parameters={**A, "ParticipantTag": "LEG-A", "SipResponseCode": 0}),
    ],
)
def test_a_real_event_has_the_right_shape(event: object) -> None:
    assert check_event(event) == []


@pytest.mark.parametrize(
    "event",
    [
        {},
        an_event("NEW_INCOMING_CALL"),
        an_event("NEW_INBOUND_CALL", Type="Speak", Parameters=A),
        an_event("ACTION_SUCCESSFUL"),
        an_event(Type="SpeakAndGetDigits", Parameters=A),
        an_event(Type="Speak", Parameters=A, ErrorType="SystemException"),
        an_event("ACTION_FAILED", Type="Speak", Parameters=A),
        an_event("ACTION_INTERRUPTED", Type="Speak", Parameters=A),
        an_event("HANGUP", Type="Hangup", Parameters=A),
    ],
)
def test_what_is_no_event_is_named(event: object) -> None:
    assert check_event(event) != []


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    check._validator.cache_clear()
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(SmaFlowsError, match="pip install jsonschema"):
        check_response({})


# --- emit rules --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (None, "E1"),
        ({}, "E1"),
        ({"SchemaVersion": "1.1"}, "E1"),
        ({"SchemaVersion": "1.0", "Attributes": {}}, "E9"),
        ({"SchemaVersion": "1.0", "Actions": []}, "E4"),
        ({"SchemaVersion": "1.0", "Actions": None}, "E4"),
        (answer(action("Speak"), {"Type": "Speak"}), "E9"),
        (answer({"Type": "Answer", "Parameters": A}), "E9"),
        (answer(action("SpeakAndGetDigits"), action("Speak")), "E2"),
        (answer(action("RecordAudio"), action("Hangup")), "E2"),
        (answer(*[action("Pause")] * 11), "E16"),
        (answer(action("Speak", drop="CallId")), "E7"),
        (answer(action("Speak", CallId="")), "E7"),
        (answer(action("Speak", ParticipantTag="LEG-A")), "E7"),
        (answer(action("Speak", ParticipantTag="")), "E7"),
        (answer(action("Speak", CallId="somebody")), "E7"),
        (answer(action("Speak", drop="CallId", ParticipantTag="LEG-B")), "E7"),
        (answer(action("Pause", DurationInMilliseconds="1000")), "E8"),
        (answer(action("Pause", DurationInMilliseconds=True)), "E8"),
        (answer(action("Pause", DurationInMilliseconds=1000.0)), "E8"),
        (answer(action("Hangup", SipResponseCode=0)), "E8"),
        (answer(action("VoiceFocus", Enable="True")), "E8"),
        (answer(action("Pause", DurationInMilliseconds=99)), "E10"),
        (answer(action("Pause", DurationInMilliseconds=30001)), "E10"),
        (answer(action("CallAndBridge", CallTimeoutSeconds=0)), "E10"),
        (answer(action("CallAndBridge", CallTimeoutSeconds=121)), "E10"),
        (answer(action("SpeakAndGetDigits", MinNumberOfDigits=7)), "E10"),
        (answer(action("SpeakAndGetDigits", MinNumberOfDigits=0)), "E10"),
        (answer(action("SpeakAndGetDigits", MaxNumberOfDigits=129)), "E10"),
        (answer(action("ReceiveDigits", FlushDigitsDurationInMilliseconds=1000)), "E10"),
        (answer(action("Speak", Text="x" * 1001)), "E10"),
        (answer(action("SpeakAndGetDigits", SpeechParameters={"Text": "x" * 1001})), "E10"),
        (answer(action("SpeakAndGetDigits", FailureSpeechParameters={})), "E10"),
        (answer(action("SpeakAndGetDigits", SpeechParameters={"Text": "x", "text": "y"})), "E9"),
        (answer(action("SendDigits", Digits="1" * 51)), "E10"),
        (answer(action("RecordAudio", drop="DurationInSeconds")), "E10"),
        (
            answer(action("CallAndBridge", Endpoints=[{"BridgeEndpointType": "AWS", "Arn": "arn", "Uri": "u" * 31}])),
            "E10",
        ),
        (answer(action("SpeakAndGetDigits", InputDigitsRegex="[0-9]")), "E11"),
        (answer(action("SpeakAndGetDigits", InputDigitsRegex="^(?=1).*$")), "E11"),
        (answer(action("SpeakAndGetDigits", InputDigitsRegex="^[0-9$")), "E11"),
        (answer(action("JoinChimeMeeting", drop="MeetingId")), "E13"),
        (response(None, {f"a{n}": "x" for n in range(11)}), "E12"),
        ({"SchemaVersion": "1.0", "TransactionAttributes": {}}, "E12"),
        ({"SchemaVersion": "1.0", "TransactionAttributes": None}, "E12"),
        ({"SchemaVersion": "1.0", "TransactionAttributes": {"n": 1}}, "E12"),
        (response(None, {"a": "x" * limits.MAX_ATTRIBUTES_BYTES}), "E12"),
    ],
)
def test_each_broken_rule_is_named(wrong: object, rule: str) -> None:
    assert set(rules(check_emit_rules(wrong, ALONE))) == {rule}


@pytest.mark.parametrize("name", ["CallAndBridge", "JoinChimeMeeting", "StartBotConversation"])
def test_a_second_leg_b_is_not_made(name: str) -> None:
    assert rules(check_emit_rules(answer(action(name)), TOGETHER)) == ["E7"]


def test_muting_is_for_the_leg_of_the_meeting() -> None:
    wrong = answer(action("ModifyChimeMeetingAttendees", **A))
    assert rules(check_emit_rules(wrong, TOGETHER)) == ["E7"]


def test_at_most_a_hundred_attendees_are_muted() -> None:
    wrong = answer(action("ModifyChimeMeetingAttendees", AttendeeList=["a"] * 101))
    assert rules(check_emit_rules(wrong, TOGETHER)) == ["E10"]


def test_nothing_is_done_on_a_leg_that_is_gone_or_was_hung_up_in_the_same_list() -> None:
    gone = an_event("HANGUP", leg("LEG-A"), leg("LEG-B", "Disconnected"))
    assert rules(check_emit_rules(answer(action("Speak", **B)), gone)) == ["E7"]
    twice = answer(action("Hangup", **B), action("Speak", **B))
    assert rules(check_emit_rules(twice, TOGETHER)) == ["E7"]


def test_nothing_follows_the_end_of_the_last_leg() -> None:
    assert rules(check_emit_rules(answer(action("Hangup"), action("Speak")), ALONE)) == ["E2", "E7"]


def test_a_leg_b_that_was_hung_up_in_the_same_list_leaves_room_for_another() -> None:
    assert check_emit_rules(answer(action("Hangup", **B), action("CallAndBridge")), TOGETHER) == []


def test_both_legs_can_be_hung_up() -> None:
    assert check_emit_rules(answer(action("Hangup", **B), action("Hangup")), TOGETHER) == []


def test_after_a_hangup_the_rest_is_named_by_call_id() -> None:
    event = an_event("HANGUP", leg("LEG-A"), leg("LEG-B", "Disconnected"))
    wrong = answer(action("Hangup", drop="CallId", ParticipantTag="LEG-A"))
    assert rules(check_emit_rules(wrong, event)) == ["E14"]
    assert check_emit_rules(answer(action("Hangup")), event) == []


def test_a_new_call_is_never_answered_without_actions() -> None:
    event = an_event("NEW_INBOUND_CALL", leg("LEG-A", None))
    assert rules(check_emit_rules(response(), event)) == ["E6"]
    assert check_emit_rules(answer(action("Hangup", SipResponseCode="486")), event) == []


@pytest.mark.parametrize("kind", ["NEW_OUTBOUND_CALL", "RINGING", "ACTION_INTERRUPTED"])
def test_actions_that_the_service_ignores_are_not_sent(kind: str) -> None:
    assert rules(check_emit_rules(answer(action("Speak")), an_event(kind))) == ["E4"]
    assert check_emit_rules(response(None, {"sf": "x"}), an_event(kind)) == []


def test_with_nobody_on_the_line_there_is_nothing_to_do() -> None:
    event = an_event("HANGUP", leg("LEG-A", "Disconnected"))
    assert "E4" in rules(check_emit_rules(answer(action("Hangup")), event))
    assert check_emit_rules(response(None, {"sf": "x"}), event) == []


def test_the_constant_goodbye_keeps_the_rules_even_when_nobody_can_be_read() -> None:
    last = response(goodbye("We are sorry. Goodbye.", {"ParticipantTag": "LEG-A"}))
    assert check_response(last) == []
    for event in (None, {}, {"CallDetails": {"Participants": "?"}}, an_event("NEW_INBOUND_CALL")):
        assert check_emit_rules(last, event) == []


def test_the_checks_change_nothing() -> None:
    event, given = copy.deepcopy(TOGETHER), answer(action("Hangup", **B), action("Speak"))
    before = json.dumps([event, given])
    check_emit_rules(given, event)
    check_response(given)
    assert json.dumps([event, given]) == before
