"""The seven reference traces: event types, order, and every payload field that their sources show (trace_fields.py)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from simulator.kit import (
    B,
    act,
    bot,
    bridge,
    called,
    digits,
    hangup,
    join,
    listen,
    pause,
    phone,
    play,
    reply,
    speak,
    spoken_digits,
    told,
)
from simulator.trace_fields import ARGUMENTS, ASIDE, FIELDS, PUBLISHED, READ_BY_SAMPLES, VOICE, flat
from sma_flows.simulator.driver import Party, Phone
from sma_flows.simulator.messages import BotResult, OutboundCall

ROOT = Path(__file__).resolve().parents[2]
LEG_A = "aaaaaaaa-0000-0000-0000-000000000001"


def as_shown(trace: str, made: Phone) -> None:
    """Every field that the sources show is as they show it."""
    for place, fields in FIELDS[trace].items():
        event = flat(made.events[place])
        assert {name: event.get(name) for name in fields} == fields, f"{trace}, event {place + 1}"


def sequences(made: Phone) -> list[int]:
    return [event["Sequence"] for event in made.events]


def statuses(event: dict[str, Any]) -> dict[str, Any]:
    return {leg["ParticipantTag"]: leg.get("Status") for leg in event["CallDetails"]["Participants"]}


# ---- our copy of the facts -----------------------------------------------------------------------------------------


def published(trace: str, place: int) -> dict[str, Any]:
    """What the published payloads show of an event, where a checkout has them; without them: our own copy."""
    named = os.environ.get("SMA_FLOWS_CORPUS")
    folder = (Path(named) if named else ROOT.parent / "shared" / "corpus") / "events"
    if not folder.is_dir():
        return dict(FIELDS[trace][place])
    shown: dict[str, Any] = {}
    for file in PUBLISHED[trace][place]:
        found = flat(json.loads((folder / f"{file}.json").read_text("utf-8")))
        aside = {name for where, name in ASIDE if file.startswith(where)}
        assert aside & found.keys() or not any(file == where for where, _ in ASIDE), f"{file}: nothing to put aside"
        shown |= {name: value for name, value in found.items() if name not in aside}
    return shown


@pytest.mark.parametrize(("trace", "place"), [(trace, place) for trace, events in FIELDS.items() for place in events])
def test_the_fields_are_those_of_the_published_payloads(trace: str, place: int) -> None:
    ours = dict(FIELDS[trace][place])
    if (trace, place) in READ_BY_SAMPLES:
        assert place not in PUBLISHED.get(trace, {})
        return
    shown = published(trace, place)
    assert {name: ours.get(name) for name in shown} == shown
    assert ours.keys() - shown.keys() <= {"Sequence", "ActionData.ErrorType"}


def test_what_is_put_aside_has_a_reason() -> None:
    files = {file for events in PUBLISHED.values() for names in events.values() for file in names}
    for (where, _), reason in ASIDE.items():
        assert reason
        assert any(file.startswith(where) for file in files)


# ---- the traces ----------------------------------------------------------------------------------------------------


def test_t1_pause_play_hangup_is_one_event() -> None:
    kept = {"key1": "val1*", "key2": "val2*", "key3": "val3*"}
    made = called(pause("1000"), play(Repeat="1"), hangup(ParticipantTag=""), kept=kept)
    made.settle()
    assert told(made) == ["NEW_INBOUND_CALL", "HANGUP LEG-A"]
    as_shown("T1", made)
    first, end = made.events
    assert "TransactionAttributes" not in first["CallDetails"]
    assert "ActionData" not in first
    assert first["CallDetails"]["SipRuleId"]
    assert statuses(first) == {"LEG-A": None}
    leg = end["CallDetails"]["Participants"][0]
    assert end["ActionData"]["Parameters"] == {
        "SipResponseCode": 0,
        "CallId": leg["CallId"],
        "ParticipantTag": "LEG-A",
    }
    assert made.over


def log1(**switches: str) -> Phone:
    """The answers of the log, word for word."""
    leg = {"CallId": LEG_A, "ParticipantTag": "LEG-A"}
    files = {"Type": "S3", "BucketName": "example-prompt-bucket"}
    menu = digits(
        **leg,
        InputDigitsRegex=r"^\d{1}$",
        AudioSource={**files, "Key": "main-menu-en-US.wav"},
        FailureAudioSource={**files, "Key": "try-again-en-US.wav"},
        Repeat=2,
        RepeatDurationInMilliseconds=3000,
    )
    welcome = play(AudioSource={**files, "Key": "us-east-1-welcome.wav"}, **leg)
    goodbye = play(AudioSource={**files, "Key": "goodbye-en-US.wav"}, **leg)
    talk = bot(
        CallId=LEG_A,
        BotAliasArn="arn:aws:lex:us-east-1:111122223333:bot-alias/EXAMPLEBOT/EXAMPLALIA",
        Configuration={
            "SessionState": {"DialogAction": {"Type": "ElicitIntent"}},
            "WelcomeMessages": [{"Content": "What can Chat GPT help you with?", "ContentType": "PlainText"}],
        },
    )

    def kept(number: str, numbers: str, **more: str) -> dict[str, str]:
        return {"CurrentActionId": number, "locale": "en-US", "CurrentActionIdList": numbers, **more}

    quit_ = {"LexLastMatchedIntent": "Quit"}
    made = phone(
        {
            "NEW_INBOUND_CALL": reply(welcome, menu, TransactionAttributes=kept("6", "18,6")),
            "ACTION_SUCCESSFUL PlayAudioAndGetDigits": [
                reply(talk, TransactionAttributes=kept("4", "4")),
                reply(
                    goodbye, act("Hangup", CallId=LEG_A), TransactionAttributes={**quit_, **kept("1", "2,1")}
                ),
            ],
            "ACTION_SUCCESSFUL StartBotConversation": reply(menu, TransactionAttributes=kept("6", "6", **quit_)),
            "HANGUP": {"SchemaVersion": "1.0", "Actions": []},
        },
        bots=[
            BotResult(
                "Quit", "ReadyForFulfillment", score=1.0, others=(("FallbackIntent", None), ("Transfer", 0.42))
            )
        ],
        switches=switches,
    )  # fmt: skip
    made.dial_in(to="+17035550122")
    made.wait(3500)
    made.press("1")
    made.wait(1500)
    made.press("8")
    made.settle()
    return made


def test_t2_menu_bot_menu_goodbye() -> None:
    made = log1()
    assert told(made) == [
        "NEW_INBOUND_CALL",
        "ACTION_SUCCESSFUL PlayAudioAndGetDigits 1",
        "ACTION_SUCCESSFUL StartBotConversation",
        "ACTION_SUCCESSFUL PlayAudioAndGetDigits 8",
        "HANGUP LEG-A",
    ]
    as_shown("T2", made)
    assert made.events[2]["ActionData"]["IntentResult"]["SessionId"] == LEG_A
    assert made.events[2]["ActionData"]["Parameters"]["CallId"] == LEG_A
    assert made.over


def test_t2_with_more_defaults_has_the_field_that_the_java_log_adds() -> None:
    made = log1(echo_defaults="more")
    as_shown("T2", made)
    assert made.events[2]["ActionData"]["Parameters"]["ParticipantTag"] == "LEG-A"


def test_t3_outbound_call_and_bridge() -> None:
    made = phone(
        {
            "NEW_OUTBOUND_CALL": reply(TransactionAttributes=ARGUMENTS),
            "CALL_ANSWERED": reply(bridge(CallTimeoutSeconds=30)),
        },
        parties=[Party()],
    )
    made.dial_out(OutboundCall(arguments=tuple(ARGUMENTS.items())))
    made.settle()
    assert told(made) == [
        "NEW_OUTBOUND_CALL CallCreateRequest",
        "RINGING",
        "CALL_ANSWERED",
        "ACTION_SUCCESSFUL CallAndBridge",
    ]
    as_shown("T3", made)
    new, ringing, answered, bridged = made.events
    assert statuses(new) == statuses(ringing) == {"LEG-A": None}
    assert all("SipRuleId" not in event["CallDetails"] for event in made.events)
    assert "ActionData" not in ringing
    assert "ActionData" not in answered
    assert {leg["Direction"] for leg in bridged["CallDetails"]["Participants"]} == {"Outbound"}


def test_t4_take_back_and_transfer() -> None:
    made = called(
        bridge(CallTimeoutSeconds=30),
        parties=[Party()],
        answers={
            "CALL_UPDATE_REQUESTED": reply(hangup(**B)),
            "HANGUP LEG-B": {"SchemaVersion": "1.0", "Actions": []},
            "ACTION_SUCCESSFUL Hangup": reply(speak(ParticipantTag="LEG-A"), bridge(CallTimeoutSeconds=30)),
        },
    )
    made.wait(5000)
    first_b = made.events[-1]["CallDetails"]["Participants"][1]["CallId"]
    made.update({"action": "PlayAudio"})
    made.settle()
    assert told(made) == [
        "NEW_INBOUND_CALL",
        "ACTION_SUCCESSFUL CallAndBridge",
        "CALL_UPDATE_REQUESTED CallUpdateRequest",
        "HANGUP LEG-B",
        "ACTION_SUCCESSFUL Hangup",
        "ACTION_SUCCESSFUL CallAndBridge",
    ]
    as_shown("T4", made)
    assert made.events[3]["ActionData"]["Parameters"]["CallId"] == first_b
    assert made.events[-1]["CallDetails"]["Participants"][1]["CallId"] != first_b


@pytest.mark.parametrize(("regex", "keys"), [(r"^\*7$", "*7"), (r"^\d{2}#$", "11#")])
def test_t5_pin_and_meeting(regex: str, keys: str) -> None:
    files = {"Type": "S3", "BucketName": "chime-meetings-audio-files-bucket-name"}
    people = ["attendee-id-1", "attendee-id-2"]
    mute = act("ModifyChimeMeetingAttendees", Operation="Mute", MeetingId="meeting-id", AttendeeList=people, **B)
    pin = digits(
        ParticipantTag="LEG-A",
        AudioSource={**files, "Key": "enter-meeting-pin.wav"},
        FailureAudioSource={**files, "Key": "invalid-meeting-pin.wav"},
        MinNumberOfDigits=3,
        MaxNumberOfDigits=5,
        TerminatorDigits=["#"],
        InBetweenDigitsDurationInMilliseconds=5000,
        Repeat=3,
        RepeatDurationInMilliseconds=10000,
    )
    made = called(
        pause(),
        play(),
        pin,
        answers={
            "ACTION_SUCCESSFUL PlayAudioAndGetDigits": reply(
                join(JoinToken="meeting-attendee-join-token", MeetingId="meeting-id")
            ),
            "ACTION_SUCCESSFUL JoinChimeMeeting": reply(
                listen(regex, InBetweenDigitsDurationInMilliseconds=5000), play()
            ),
            "DIGITS_RECEIVED": reply(mute),
            "ACTION_SUCCESSFUL ModifyChimeMeetingAttendees": reply(play()),
        },
    )
    made.wait(4500)
    made.press("12345")
    made.wait(4000)
    made.press(keys)
    made.wait(5500)
    made.hang_up()
    made.settle()
    assert told(made) == [
        "NEW_INBOUND_CALL",
        "ACTION_SUCCESSFUL PlayAudioAndGetDigits 12345",
        "ACTION_SUCCESSFUL JoinChimeMeeting",
        "ACTION_SUCCESSFUL PlayAudio",
        f"DIGITS_RECEIVED ReceiveDigits {keys}",
        "ACTION_SUCCESSFUL ModifyChimeMeetingAttendees",
        "HANGUP LEG-A",
    ]
    assert sequences(made) == [1, 2, 3, 4, 5, 6, 7]
    if keys == "11#":
        as_shown("T5", made)
    assert made.over


def test_t6_three_wrong_entries() -> None:
    question = spoken_digits(
        SpeechParameters=VOICE,
        FailureSpeechParameters=VOICE,
        InputDigitsRegex=r"^\d{2}#$",
        MinNumberOfDigits=3,
        MaxNumberOfDigits=5,
        TerminatorDigits=["#"],
        InBetweenDigitsDurationInMilliseconds=5000,
        Repeat=3,
        RepeatDurationInMilliseconds=10000,
    )
    made = called(question, answers={"ACTION_FAILED": reply(hangup())})
    for _ in range(3):
        made.press("22222")
        made.wait(1000)
    made.settle()
    assert told(made) == [
        "NEW_INBOUND_CALL",
        "ACTION_FAILED SpeakAndGetDigits InvalidDigitsReceived",
        "HANGUP LEG-A",
    ]
    as_shown("T6", made)
    failed = made.events[1]["ActionData"]
    assert "ReceivedDigits" not in failed
    assert failed["ErrorMessage"]


def test_t7_caller_leaves_a_bridge() -> None:
    made = called(bridge(), parties=[Party()])
    made.wait(5000)
    other = made.events[-1]["CallDetails"]["Participants"][1]["CallId"]
    made.answer.answers["HANGUP LEG-A"] = [reply(hangup(CallId=other))]  # type: ignore[attr-defined]
    made.hang_up()
    made.settle()
    assert told(made) == ["NEW_INBOUND_CALL", "ACTION_SUCCESSFUL CallAndBridge", "HANGUP LEG-A", "HANGUP LEG-B"]
    as_shown("T7", made)
    assert made.over
