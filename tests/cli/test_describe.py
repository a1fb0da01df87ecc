"""Events and actions in words."""

from __future__ import annotations

from typing import Any

import pytest

from sma_flows.cli.describe import action_line, event_line, legs_of

from .conftest import LEG_A, an_event, digits, hung_up

LEGS = {"a": "A", "b": "B"}


@pytest.mark.parametrize(
    ("kind", "parameters", "words"),
    [
        ("Speak", {"CallId": "a", "Text": "Hi."}, 'Speak "Hi."'),
        ("Speak", {"CallId": "b", "Text": "Hola.", "LanguageCode": "es-US"}, 'Speak "Hola." [es-US] (leg B)'),
        ("Speak", {"Text": "<speak>You &amp; <b>me</b></speak>", "TextType": "ssml"}, 'Speak "You & me"'),
        ("PlayAudio", {"AudioSource": {"BucketName": "p", "Key": "x.wav"}}, "PlayAudio p/x.wav"),
        (
            "PlayAudio",
            {"AudioSource": {"BucketName": "p", "Key": "x.wav"}, "Repeat": 3, "PlaybackTerminators": ["#", "1"]},
            "PlayAudio p/x.wav, x3, until # or 1",
        ),
        (
            "SpeakAndGetDigits",
            {"SpeechParameters": {"Text": "PIN?"}, "MinNumberOfDigits": 1, "MaxNumberOfDigits": 1},
            'SpeakAndGetDigits "PIN?" (1 key)',
        ),
        (
            "PlayAudioAndGetDigits",
            {
                "AudioSource": {"BucketName": "p", "Key": "x.wav"},
                "MinNumberOfDigits": 4,
                "MaxNumberOfDigits": 8,
                "TerminatorDigits": ["#"],
                "Repeat": 3,
            },
            "PlayAudioAndGetDigits p/x.wav (4-8 keys, # ends, 3 attempts)",
        ),
        ("ReceiveDigits", {"InputDigitsRegex": "^1$"}, "ReceiveDigits ^1$"),
        (
            "RecordAudio",
            {
                "DurationInSeconds": 60,
                "RecordingDestination": {"BucketName": "v", "Prefix": "box"},
                "SilenceDurationInSeconds": 4,
                "RecordingTerminators": ["#"],
            },
            "RecordAudio to v/box (at most 60 s, 4 s of silence ends, # ends)",
        ),
        ("Pause", {"DurationInMilliseconds": 1500}, "Pause 1.5 s"),
        (
            "CallAndBridge",
            {
                "CallTimeoutSeconds": 20,
                "CallerIdNumber": "+12065550199",
                "Endpoints": [{"BridgeEndpointType": "AWS", "Arn": "arn:vc", "Uri": "1001"}],
                "SipHeaders": {"x-a": "1"},
                "RingbackTone": {"BucketName": "p", "Key": "r.wav"},
            },
            "CallAndBridge to 1001 at arn:vc as +12065550199 for 20 s ringback p/r.wav with x-a=1",
        ),
        ("JoinChimeMeeting", {"MeetingId": "m", "JoinToken": "secret"}, "JoinChimeMeeting meeting m token ***"),
        ("ModifyChimeMeetingAttendees", {"Operation": "Mute", "AttendeeList": ["x"]}, None),
        (
            "StartBotConversation",
            {
                "BotAliasArn": "arn:aws:lex:us-east-1:111122223333:bot-alias/A/B",
                "LocaleId": "en_US",
                "Configuration": {"WelcomeMessages": [{"Content": "Hi"}]},
            },
            'StartBotConversation bot-alias/A/B en_US "Hi"',
        ),
        ("VoiceFocus", {"Enable": True, "CallId": "b"}, "VoiceFocus on (leg B)"),
        ("SendDigits", {"Digits": "1,2#"}, 'SendDigits "1,2#"'),
        ("Hangup", {"SipResponseCode": "480", "ParticipantTag": "LEG-B"}, "Hangup code 480 (leg B)"),
        ("StopCallRecording", {"CallId": "a"}, "StopCallRecording"),
        ("StartCallRecording", {"CallId": "a", "Track": "BOTH"}, 'StartCallRecording {"Track": "BOTH"}'),
    ],
)
def test_an_action_is_one_readable_line(kind: str, parameters: dict[str, Any], words: str | None) -> None:
    expected = words or "ModifyChimeMeetingAttendees Mute 1 attendee"
    assert action_line({"Type": kind, "Parameters": parameters}, LEGS) == expected


@pytest.mark.parametrize("action", [{}, {"Type": "Speak"}, {"Type": "Speak", "Parameters": None}])
def test_half_an_action_does_not_break_the_line(action: dict[str, Any]) -> None:
    assert action_line(action, LEGS)


def test_a_new_call_names_both_numbers() -> None:
    line = event_line(an_event("NEW_INBOUND_CALL", 1))
    assert line == "NEW_INBOUND_CALL from +12065550101 to +12065550199"


def test_digits_are_shown_or_masked() -> None:
    assert event_line(digits(2, "4711")) == 'ACTION_SUCCESSFUL SpeakAndGetDigits "4711"'
    assert event_line(digits(2, "4711"), masked=True) == 'ACTION_SUCCESSFUL SpeakAndGetDigits "***"'


def test_a_hangup_names_leg_and_code() -> None:
    assert event_line(hung_up(3)) == "HANGUP leg A code 0"


def test_arguments_are_listed_and_hidden_ones_masked() -> None:
    event = an_event("CALL_UPDATE_REQUESTED", 3, Type="x", Parameters={"Arguments": {"kind": "notice", "token": "t-7"}})
    assert event_line(event, hidden={"token"}) == "CALL_UPDATE_REQUESTED kind=notice, token=***"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"ErrorType": "SystemException", "ErrorMessage": "broken"}, "[SystemException: broken]"),
        ({"Error": "ErrorJoiningMeeting: no"}, "[ErrorJoiningMeeting: no]"),
        ({"RecordingDestination": {"BucketName": "v", "Key": "k.wav"}}, "-> v/k.wav"),
        (
            {"IntentResult": {"SessionState": {"Intent": {"Name": "Book", "State": "Fulfilled"}}}},
            "intent Book (Fulfilled)",
        ),
    ],
)
def test_the_result_of_an_action_is_part_of_the_line(data: dict[str, Any], words: str) -> None:
    event = an_event("ACTION_SUCCESSFUL", 2, Type="Speak", Parameters={"CallId": LEG_A}, **data)
    assert event_line(event) == f"ACTION_SUCCESSFUL Speak {words}"


@pytest.mark.parametrize("event", [{}, {"ActionData": 3}, {"CallDetails": []}, {"CallDetails": {"Participants": [7]}}])
def test_an_event_without_anything_still_has_a_line(event: dict[str, Any]) -> None:
    assert event_line(event)
    assert legs_of(event) == {}
