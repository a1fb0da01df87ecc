"""Branches of the rules that are known in another way than their rule, and who reports in the middle of a list."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.kit import (
    A,
    Action,
    B,
    act,
    bot,
    bridge,
    called,
    digits,
    hangup,
    join,
    last,
    listen,
    logs,
    pause,
    phone,
    play,
    record,
    reply,
    speak,
    spoken_digits,
    told,
)
from sma_flows.simulator.desk import sent
from sma_flows.simulator.driver import Party
from sma_flows.simulator.messages import BotResult, Deliver, Key, Stored
from sma_flows.simulator.model import MASK, MASKS, World

MUTE = act("ModifyChimeMeetingAttendees", Operation="Mute", MeetingId="meeting-1", AttendeeList=["me"], **B)
RECORD = act("StartCallRecording", Track="BOTH", Destination={"Type": "S3", "Location": "calls"})


# --- answers -----------------------------------------------------------------------------------------------------


def test_attributes_beyond_20_kb_are_refused() -> None:
    large = reply(TransactionAttributes={"a": "x" * 21_000})
    made = called(pause(), answers={"ACTION_SUCCESSFUL Pause": large})
    made.settle()
    assert told(made)[-1] == "INVALID_LAMBDA_RESPONSE TransactionAttributesInvalidMapSize"
    fits = called(pause(), answers={"ACTION_SUCCESSFUL Pause": reply(TransactionAttributes={"a": "é" * 10_000})})
    fits.settle()
    assert told(fits)[-1] == "ACTION_SUCCESSFUL Pause"


@pytest.mark.parametrize(
    "body",
    [
        '{"SchemaVersion":"1.0","TransactionAttributes":{"a":"b"}}',
        '{"TransactionAttributes": {"a": "b"}, "SchemaVersion": "1.0"}',
        '{\n "SchemaVersion": "1.0",\n "Actions": null,\n "TransactionAttributes" : { "a":"b" }\n}\n',
        '{"SchemaVersion":"1.0","TransactionAttributes":{"o":"x"},"TransactionAttributes":{"a":"b"}}',
    ],
    ids=["last", "first", "spaced", "twice"],
)
def test_attributes_are_read_wherever_they_stand(body: str) -> None:
    made = phone({}, text=True)
    made.answer = lambda _text: body
    made.dial_in()
    assert json.loads(made.network.attributes) == {"a": "b"}


@pytest.mark.parametrize(
    "body",
    [
        '{"SchemaVersion":"1.0","Actions":[{"TransactionAttributes":{}}]}',
        '{"SchemaVersion":"1.0","Actions":[{"Type":"Pause","TransactionAttributes":{"a":"b"}}]}',
        '{"SchemaVersion":"1.0","x":["TransactionAttributes":{}}',
        '{"SchemaVersion":"1.0","TransactionAttributes":{"a":"b"}',
    ],
    ids=["without type", "inside", "broken", "open"],
)
def test_attributes_elsewhere_are_not_the_attributes(body: str) -> None:
    made = phone({}, text=True)
    made.answer = lambda _text: body
    made.dial_in()
    assert made.network.attributes == ""


def test_unknown_members_of_an_answer_are_named() -> None:
    made = called(pause(), answers={"ACTION_SUCCESSFUL Pause": reply(hangup(), actions=[], TransactionAttribute={})})
    made.settle()
    assert "the answer: the service ignores TransactionAttribute, actions" in logs(made, "warning")


def test_unknown_keys_inside_of_parameters_are_ignored() -> None:
    source = {"Type": "S3", "BucketName": "sounds", "Key": "a.wav", "ParticipantTag": "LEG-A"}
    made = called(play(AudioSource=source, CallId="", ParticipantTag=""))
    made.settle()
    echo = last(made)["ActionData"]["Parameters"]
    assert echo["AudioSource"] == {"Type": "S3", "BucketName": "sounds", "Key": "a.wav"}
    assert echo["CallId"] == last(made)["CallDetails"]["Participants"][0]["CallId"]
    assert logs(made, "warning")[0] == "PlayAudio: the service ignores AudioSource.ParticipantTag"


ID = "aaaaaaaa-0000-0000-0000-000000000001"
NAMES = st.sampled_from([ID, MASKS[0], MASKS[1], "nobody", "", 3, None])
WORDS = st.sampled_from(
    [
        "Hello.",
        ID,
        MASKS[0],
        MASKS[1],
        "<speak>\ud800</speak>",
        f'"CallId":"{ID}"',
        f'"CallId":"{MASKS[0]}"',
        "\ud800",
        "é",
    ]
)
ACTIONS = st.lists(
    st.builds(pause, st.sampled_from([1000, "2000", 10**30]))
    | st.builds(pause, CallId=NAMES)
    | st.builds(speak, WORDS, CallId=NAMES)
    | st.builds(speak, WORDS, TextType=st.just("ssml"))
    | st.builds(spoken_digits, SpeechParameters=st.fixed_dictionaries({"Text": WORDS, "TextType": st.just("ssml")}))
    | st.builds(speak, WORDS, CallId=st.just(ID), More=WORDS)
    | st.builds(play, AudioSource=st.fixed_dictionaries({"Key": WORDS, "CallId": NAMES}), CallId=NAMES)
    | st.builds(lambda parameters: {"Type": "Pause", "Parameters": parameters}, st.sampled_from([None, {}, [], 3]))
    | st.builds(bot, Configuration=st.fixed_dictionaries({"CallId": NAMES}), CallId=NAMES),
    max_size=11,
)
WRITTEN = [
    lambda answer: json.dumps(answer, separators=(",", ":"), ensure_ascii=False),
    json.dumps,
    lambda answer: json.dumps(answer, indent=1),
    lambda answer: json.dumps(dict(reversed(answer.items()))),
    lambda answer: json.dumps(answer | {"More": 1}),
    lambda answer: json.dumps(answer).replace("\x7f", "\\u007F"),
]


@given(ACTIONS, st.dictionaries(WORDS, WORDS | st.integers()) | st.sampled_from([None, [], "{", 3]))
@example([bot(Configuration={"CallId": ID}, CallId=ID)], None)
@example([pause()] * 11, {})
def test_an_answer_is_taken_alike_however_it_is_written(actions: list[Action], kept: object) -> None:
    answer = reply(*actions, TransactionAttributes=kept)
    made = []
    for write in WRITTEN:
        body = write(answer)
        call = phone({}, text=True)
        call.answer = lambda text, body=body: body if "NEW_INBOUND" in text else "{}"
        call.dial_in()
        network = call.network
        taken = [*([network.running.action] if network.running else ()), *network.rest]
        alone = [sent(one["Type"], "LEG-A", one["Parameters"] or {})[0].parameters() for one in actions if taken]
        parameters = [one.parameters() for one in taken]
        assert all(each in alone for each in parameters)
        assert MASK in body or "\\u007" in body or MASK not in json.dumps(call.events)
        assert all(one.body.encode() for one in call.outputs if isinstance(one, Deliver))
        made.append((call.events[1:], parameters, json.loads(network.attributes or "null"), call.over))
    assert all(each == made[0] for each in made)


@pytest.mark.parametrize(
    "parameters",
    [
        f'{{"DurationInMilliseconds":{"1" * 5_000}}}',
        f'{{"DurationInMilliseconds":{"[" * 2_000 + "]" * 2_000}}}',
        '{"DurationInMilliseconds":1e999}',
    ],
    ids=["digits", "nested", "infinite"],
)
@pytest.mark.parametrize("place", ["Actions", "TransactionAttributes"])
def test_what_nobody_can_read_is_no_answer(parameters: str, place: str) -> None:
    inside = f'[{{"Type":"Pause","Parameters":{parameters}}}]' if place == "Actions" else parameters
    made = phone({}, text=True)
    made.answer = lambda text: f'{{"SchemaVersion":"1.0","{place}":{inside}}}' if "NEW_INBOUND" in text else "{}"
    made.dial_in()
    assert told(made)[1] == "INVALID_LAMBDA_RESPONSE InvalidLambdaResponse"
    assert "Error while reading actions list." in logs(made)


@pytest.mark.parametrize(
    "parameters",
    [
        '{"CallId":"\\u007fA","Text":"ID"}',
        '{"CallId":"ID","CallId": "\x7fA"}',
        '{"CallId":"\x7fA","Text":"ID"}',
        '{"CallId":"ID","CallId":"\\u007fA"}',
    ],
)
def test_what_looks_like_a_mask_is_never_taken_for_the_leg(parameters: str) -> None:
    made = phone({}, text=True)
    body = f'{{"SchemaVersion":"1.0","Actions":[{{"Type":"Speak","Parameters":{parameters.replace("ID", ID)}}}]}}'
    made.answer = lambda text: body if "NEW_INBOUND" in text else '{"SchemaVersion":"1.0"}'
    made.dial_in()
    assert told(made)[1] == "ACTION_FAILED Speak InvalidActionParameter"
    assert made.events[1]["ActionData"]["Parameters"]["CallId"] == MASKS[0]


@pytest.mark.parametrize("name", [MASKS[0], MASKS[1], "nobody"])
def test_a_call_id_of_nobody_is_read_as_it_is(name: str) -> None:
    right, wrong = pause(CallId=ID), pause(CallId=name)
    made = called(right, answers={"ACTION_SUCCESSFUL Pause": [reply(wrong), reply()]})
    made.settle()
    ours, theirs = made.events[-2:]
    assert ours["ActionData"]["Parameters"]["CallId"] == ID
    assert theirs["InvocationEventType"] == "ACTION_FAILED"
    assert theirs["ActionData"]["Parameters"]["CallId"] == name


def test_an_answer_after_the_end_is_dropped() -> None:
    made = phone(
        {"NEW_INBOUND_CALL": reply(speak())},
        switches={"overlap": "parallel"},
        delay_ms=lambda event: None if event["InvocationEventType"] == "NEW_INBOUND_CALL" else 0,
    )
    made.dial_in()
    made.hang_up()
    assert made.over
    before = made.network
    made.release()
    assert made.network == before
    assert logs(made, "warning") == ["the answer to delivery 1 came too late and is dropped"]
    assert "66 late" in made.leaned_on()


@pytest.mark.parametrize("value", ["kept", "lost"])
def test_attributes_of_the_last_answers(value: str) -> None:
    made = called(
        join(),
        switches={"final_hangup_attributes": value, "meeting_second_hangup": "yes"},
        answers={"HANGUP": [reply(TransactionAttributes={"cleaned": "yes"}), reply()]},
    )
    made.hang_up()
    assert told(made)[2:] == ["HANGUP LEG-A", "HANGUP LEG-B"]
    assert last(made)["CallDetails"].get("TransactionAttributes") == ({"cleaned": "yes"} if value == "kept" else None)


# --- lists -------------------------------------------------------------------------------------------------------


def test_an_action_without_a_target_runs_on_the_leg_of_its_event() -> None:
    made = called(
        bridge(),
        parties=[Party()],
        answers={
            "ACTION_SUCCESSFUL CallAndBridge": reply(listen("^1$", **B)),
            "DIGITS_RECEIVED": reply(speak(), pause(**A)),
        },
    )
    made.wait(5000)
    made.press("1", "LEG-B")
    made.wait(1000)
    heard = [(one.leg, one.text) for one in made.outputs if getattr(one, "what", "") == "speech"]
    assert heard == [("LEG-B", "Hello.")]


@pytest.mark.parametrize(
    ("action", "reports"),
    [
        (bridge(), True), (join(), True), (pause(), False), (play(), False), (digits(), True), (listen(), False),
        (record(DurationInSeconds=1), True), (act("SendDigits", Digits="1"), False), (speak(), False),
        (spoken_digits(MinNumberOfDigits=1, MaxNumberOfDigits=1), True), (act("VoiceFocus", Enable=True), False),
        (RECORD, False),
    ],
    ids=lambda one: one["Type"] if isinstance(one, dict) else "",
)  # fmt: skip
def test_who_reports_in_the_middle_of_a_list(action: dict[str, Any], reports: bool) -> None:
    made = called(pause(100), action, pause(**A), hangup(**A), parties=[Party()])
    made.wait(500)
    made.press("1")
    made.settle()
    assert (f"ACTION_SUCCESSFUL {action['Type']}" in " ".join(told(made))) == reports
    assert f"report {action['Type']}" in made.leaned_on()


def test_muting_reports_in_the_middle_of_a_list() -> None:
    made = called(join(), MUTE, pause(**A))
    made.settle()
    assert told(made)[2:] == ["ACTION_SUCCESSFUL ModifyChimeMeetingAttendees", "ACTION_SUCCESSFUL Pause"]


def test_what_needs_leg_a_alone_fails_beside_leg_b() -> None:
    for second in (bridge(), join(), bot()):
        made = called(bridge(), parties=[Party()], answers={"ACTION_SUCCESSFUL CallAndBridge": reply(second)})
        made.settle()
        assert told(made)[2] == f"ACTION_FAILED {second['Type']} InvalidActionParameter"


def test_a_bridge_answers_the_caller() -> None:
    made = called(bridge(), parties=[Party()])
    made.wait(3000)
    assert made.network.legs[0].status == ""
    made.wait(2000)
    statuses = [leg["Status"] for leg in last(made)["CallDetails"]["Participants"]]
    assert statuses == ["Connected", "Connected"]


# --- parameters --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        play(Repeat=0), play(PlaybackTerminators=["x"]), play(PlaybackTerminators="#"),
        speak(Engine="long"), speak(TextType="html"), speak("<speak>Hello.", TextType="ssml"),
        speak("Hello.", TextType="ssml"), digits(Repeat=0), digits(InBetweenDigitsDurationInMilliseconds=0),
        record(DurationInSeconds=0), record(DurationInSeconds=None), record(SilenceThreshold=1001),
        record(SilenceDurationInSeconds="x"), record(RecordingTerminators=["ten"]), record(RecordingDestination={}),
        bot(BotAliasArn="nobody"), bot(BotAliasArn=None), bot(Configuration={"WelcomeMessages": [{"Content": "Hi"}]}),
        bot(Configuration="x"), bot(Configuration={"SessionState": {"SessionAttributes": {"a": "x" * 11_000}}}),
        {**RECORD, "Parameters": {**RECORD["Parameters"], "Track": "LEFT"}},
        {**RECORD, "Parameters": {**RECORD["Parameters"], "Destination": {}}},
        act("VoiceFocus", Enable="maybe"), hangup("busy"), hangup("700"),
    ],
    ids=lambda one: one["Type"],
)  # fmt: skip
def test_parameters_that_make_no_sense_fail_their_action(action: dict[str, Any]) -> None:
    made = called(pause(), action)
    made.settle()
    assert told(made)[1] == f"ACTION_FAILED {action['Type']} InvalidActionParameter"
    assert last(made)["ActionData"]["ErrorMessage"]


@pytest.mark.parametrize(
    "action",
    [
        speak("<speak>Hello, <break time='1s'/>you.</speak>", TextType="ssml", Engine="neural"),
        bot(Configuration={"SessionState": {"DialogAction": {"Type": "ElicitIntent"}}, "WelcomeMessages": [{}]}),
        act("VoiceFocus", Enable="True"), record(RecordingTerminators=[]), play(Repeat="2", PlaybackTerminators=[]),
    ],
    ids=lambda one: one["Type"],
)  # fmt: skip
def test_parameters_that_look_odd_and_are_good(action: dict[str, Any]) -> None:
    made = called(action, bots=[BotResult()])
    made.settle()
    assert told(made)[1] == f"ACTION_SUCCESSFUL {action['Type']}"


@pytest.mark.parametrize("error", ["AccessDenied", "ActionExecutionThrottled"])
def test_errors_that_the_world_asks_for(error: str) -> None:
    made = called(speak(), world=World(speech_error=error))
    assert told(made)[1] == f"ACTION_FAILED Speak {error}"
    asked = called(spoken_digits(), world=World(speech_error=error))
    assert told(asked)[1] == f"ACTION_FAILED SpeakAndGetDigits {error}"


# --- keys --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("running", [play(PlaybackTerminators=["#"]), speak("A" * 100), record(), pause(5000)])
def test_other_keys_go_to_the_listener(running: dict[str, Any]) -> None:
    made = called(listen(), running)
    made.press("*7")
    made.wait(1500)
    assert told(made)[1] == "DIGITS_RECEIVED ReceiveDigits *7"
    alone = called(running)
    alone.press("5")
    assert logs(alone, "warning") == ["a key on LEG-A is heard by nobody"]
    assert len(alone.events) == 1


def test_keys_during_a_conversation_are_for_the_bot() -> None:
    made = called(listen(), bot())
    made.press("*7")
    made.wait(3000)
    assert len(made.events) == 1
    assert not logs(made, "warning")


def test_keys_during_the_failure_prompt_are_lost() -> None:
    made = called(digits(InputDigitsRegex="^1$", Repeat=2))
    made.press("2")
    made.wait(1000)
    made.press("1")
    assert len(made.events) == 1
    made.wait(2500)
    made.press("1")
    assert told(made)[1] == "ACTION_SUCCESSFUL PlayAudioAndGetDigits 1"


def test_a_pattern_without_anchors_is_searched() -> None:
    made = called(digits(InputDigitsRegex="[5-7]", MinNumberOfDigits=3, MaxNumberOfDigits=3))
    made.press("151")
    assert told(made)[1] == "ACTION_SUCCESSFUL PlayAudioAndGetDigits 151"
    assert "30 regex" in made.leaned_on()
    whole = called(digits(InputDigitsRegex="^[0-9]$"))
    whole.press("1")
    assert "30 regex" not in whole.leaned_on()


def test_a_leg_has_one_listener() -> None:
    made = called(listen("^1$"), listen("^2$"), pause(20_000))
    made.press("1")
    made.wait(11_000)
    made.press("2")
    made.wait(1000)
    assert told(made)[1:] == ["DIGITS_RECEIVED ReceiveDigits 2"]


# --- ends --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["no", "yes"])
def test_hangup_of_the_caller_in_a_meeting(value: str) -> None:
    made = called(join(), hangup(**A), switches={"meeting_second_hangup": value})
    assert told(made)[2:] == ["HANGUP LEG-A", *(["HANGUP LEG-B"] if value == "yes" else [])]
    assert {leg["Status"] for leg in last(made)["CallDetails"]["Participants"]} == {"Disconnected"}
    assert made.over


def test_an_interrupted_recording_leaves_no_file() -> None:
    made = called(record(), answers={"CALL_UPDATE_REQUESTED": reply(hangup())})
    made.wait(1000)
    made.update({})
    assert told(made)[2:] == ["ACTION_INTERRUPTED RecordAudio", "HANGUP LEG-A"]
    assert "RecordingDestination" not in made.events[2]["ActionData"]
    assert not any(isinstance(one, Stored) for one in made.outputs)


def test_a_key_on_a_leg_that_is_not_there_makes_no_sense() -> None:
    made = called(pause())
    with pytest.raises(ValueError, match="LEG-B is not on the line"):
        made.send(Key("1", "LEG-B"))
