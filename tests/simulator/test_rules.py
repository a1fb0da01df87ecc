"""The rules of contract section 9, one test per family; the ledger names these tests."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from simulator.kit import (
    BOT,
    A,
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
from sma_flows.simulator.driver import Party
from sma_flows.simulator.messages import (
    BotResult,
    Deliver,
    Gone,
    MeetingEnds,
    OutboundCall,
    Refused,
    Talk,
)
from sma_flows.simulator.model import World

LONG = pause(20_000)


# --- 1-9: answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "Response is blank or empty"),
        ("", "Response is blank or empty"),
        (3, "Error while reading actions list."),
        ({"SchemaVersion": "1.0", "Actions": [], "more": math.nan}, "Error while reading actions list."),
        ({"SchemaVersion": "1.0", "Actions": [None]}, "Error while reading actions list."),
        ({"SchemaVersion": "1.0", "TransactionAttributes": []}, "Error while reading actions list."),
        ({"SchemaVersion": "1.0", "Actions": 3}, "Error while reading actions list."),
        (
            {"Actions": []},
            "The schema version in the invocation request does not match the schema version in the response.",
        ),
        (reply(act("Answer")), "Unsupported action Answer specified"),
        (reply(*[pause()] * 11), "Too many actions specified in a response."),
    ],
)  # fmt: skip
def test_a_bad_answer_is_told_once_then_the_call_ends(answer: object, message: str) -> None:
    made = phone({"NEW_INBOUND_CALL": answer, "INVALID_LAMBDA_RESPONSE": answer})
    made.dial_in()
    assert logs(made) == [message, message]
    assert told(made) == ["NEW_INBOUND_CALL", "INVALID_LAMBDA_RESPONSE InvalidLambdaResponse", "HANGUP LEG-A"]
    assert last(made)["ActionData"]["Parameters"]["SipResponseCode"] == 480
    hard = phone({"NEW_INBOUND_CALL": answer}, switches={"bad_answer": "hangup"})
    hard.dial_in()
    assert told(hard) == ["NEW_INBOUND_CALL", "HANGUP LEG-A"]


def test_too_many_attributes_are_refused_and_the_old_ones_stay() -> None:
    many = {str(number): "x" for number in range(101)}
    answers = {"ACTION_SUCCESSFUL Pause": reply(TransactionAttributes=many)}
    made = phone({"NEW_INBOUND_CALL": reply(pause(), TransactionAttributes={"a": "b"}), **answers})
    made.dial_in()
    made.settle()
    assert told(made)[-1] == "INVALID_LAMBDA_RESPONSE TransactionAttributesInvalidMapSize"
    assert last(made)["CallDetails"]["TransactionAttributes"] == {"a": "b"}


def test_attributes_are_replaced_cleared_and_kept() -> None:
    answers = {
        "ACTION_SUCCESSFUL Pause": [
            reply(pause(), TransactionAttributes={"c": "d"}), reply(pause(), TransactionAttributes=None),
            reply(pause(), TransactionAttributes={}), reply(hangup()),
        ]
    }  # fmt: skip
    made = phone({"NEW_INBOUND_CALL": reply(pause(), TransactionAttributes={"a": "b"}), **answers})
    made.dial_in()
    made.settle()
    seen = [event["CallDetails"].get("TransactionAttributes") for event in made.events]
    assert seen == [None, {"a": "b"}, {"c": "d"}, {"c": "d"}, None, None]


@pytest.mark.parametrize("same", ["yes", "no"])
def test_a_function_that_fails_is_asked_once_more(same: str) -> None:
    made = phone({"NEW_INBOUND_CALL": [ValueError("x"), reply(hangup())]}, switches={"retry_same_sequence": same})
    made.dial_in()
    made.settle()
    assert [event["Sequence"] for event in made.events] == ([1, 1, 2] if same == "yes" else [1, 2, 3])
    assert made.transcript[-1].at_ms == 5000
    twice = phone({"NEW_INBOUND_CALL": [ValueError("x"), ValueError("y")]})
    twice.dial_in()
    twice.settle()
    assert told(twice) == ["NEW_INBOUND_CALL", "NEW_INBOUND_CALL", "HANGUP LEG-A"]
    once = phone({"NEW_INBOUND_CALL": ValueError("x")}, switches={"lambda_failure": "no_retry"})
    once.dial_in()
    assert told(once) == ["NEW_INBOUND_CALL", "HANGUP LEG-A"]


def test_a_function_that_never_answers_ends_the_call_after_20_seconds() -> None:
    made = phone({}, delay_ms=lambda event: 60_000 if event["Sequence"] == 1 else 0)
    made.dial_in()
    made.settle()
    assert logs(made) == ["AWS Lambda client operation timed out."]
    assert [one.at_ms for one in made.transcript if isinstance(one.value, Deliver)] == [0, 5000, 20000]
    assert last(made)["ActionData"]["Parameters"]["SipResponseCode"] == 480


@pytest.mark.parametrize(("late", "first"), [("dropped", 13_000), ("applied", 8_000)])
def test_an_answer_to_an_attempt_that_was_given_up(late: str, first: int) -> None:
    made = phone(
        {"NEW_INBOUND_CALL": [reply(hangup())] * 2}, switches={"late_answer": late},
        delay_ms=lambda event: 8_000 if event["Sequence"] == 1 else 0,
    )  # fmt: skip
    made.dial_in()
    made.settle(30_000)
    assert [one.at_ms for one in made.transcript if isinstance(one.value, Gone)] == [first]


@pytest.mark.parametrize("shape", ["as_first_sent", "current"])
def test_a_repeated_event_carries_attributes(shape: str) -> None:
    slow = {"CALL_UPDATE_REQUESTED"}
    made = phone(
        {
            "NEW_INBOUND_CALL": reply(pause(1000), pause(20_000), TransactionAttributes={"n": "1"}),
            "CALL_UPDATE_REQUESTED": [reply(), reply()],
            "HANGUP": reply(),
        },
        switches={"retry_attributes": shape, "overlap": "parallel"},
        delay_ms=lambda event: 6_000 if event["InvocationEventType"] in slow else 0,
    )
    made.dial_in()
    made.update({})
    slow_again = made.events[-1]
    made.network = replace(made.network, attributes='{"n":"2"}')
    made.wait(5500)
    again = made.events[-1]
    assert slow_again["CallDetails"]["TransactionAttributes"] == {"n": "1"}
    assert again["CallDetails"]["TransactionAttributes"] == {"n": "1" if shape == "as_first_sent" else "2"}


def test_answers_to_ringing_are_ignored_and_their_attributes_kept() -> None:
    answers = {"RINGING": reply(hangup(), TransactionAttributes={"r": "1"}), "CALL_ANSWERED": reply(hangup())}
    made = phone(answers, parties=[Party()])
    made.dial_out(OutboundCall())
    made.settle()
    assert told(made) == ["NEW_OUTBOUND_CALL", "RINGING", "CALL_ANSWERED", "HANGUP LEG-A"]
    assert made.events[2]["CallDetails"]["TransactionAttributes"] == {"r": "1"}
    assert logs(made, "warning") == ["actions in the answer to RINGING are ignored"]


@pytest.mark.parametrize("value", ["keep", "clear"])
def test_no_actions_keeps_the_list_and_an_empty_one_is_a_switch(value: str) -> None:
    empty = {"SchemaVersion": "1.0", "Actions": []}
    answers = {"CALL_UPDATE_REQUESTED": [reply(), empty]}
    made = called(LONG, hangup(), answers=answers, switches={"empty_list": value})
    made.update({})
    made.update({})
    made.settle()
    kept = ["NEW_INBOUND_CALL", *["CALL_UPDATE_REQUESTED CallUpdateRequest"] * 2]
    assert told(made) == [*kept, "HANGUP LEG-A" if value == "keep" else "ACTION_INTERRUPTED Pause"]


def test_parameters_are_checked_when_the_action_starts() -> None:
    made = called(play(), pause(1), hangup(), answers={"ACTION_FAILED": reply(hangup())})
    assert told(made) == ["NEW_INBOUND_CALL"]
    made.settle()
    assert told(made)[1:] == ["ACTION_FAILED Pause InvalidActionParameter", "HANGUP LEG-A"]


def test_unknown_keys_are_ignored() -> None:
    made = called(pause(Colour="red"))
    made.settle()
    assert "Colour" not in last(made)["ActionData"]["Parameters"]
    assert "Pause: the service ignores Colour" in logs(made, "warning")


def test_the_thousandth_invocation_is_the_last() -> None:
    made = called(pause(100), answers={"ACTION_SUCCESSFUL Pause": [reply(pause(100))] * 1100})
    made.settle()
    assert len(made.events) == 1000
    assert made.over
    silent = called(listen(), answers={"ACTION_SUCCESSFUL": [reply(listen())] * 2000})
    assert (len(silent.events), silent.now_ms) == (1000, 0)
    assert silent.over


# --- 10-21: beginning, lists -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "at"), [("after_30s", 30_000), ("at_once", 0)])
def test_an_empty_first_answer_ends_the_call(value: str, at: int) -> None:
    made = called(switches={"empty_inbound": value})
    made.settle()
    assert logs(made) == ["Actions list is empty."]
    assert told(made) == ["NEW_INBOUND_CALL", "HANGUP LEG-A"]
    assert made.transcript[-1].at_ms == at


def test_hangup_first_rejects_the_call() -> None:
    made = called(hangup("486"))
    assert told(made) == ["NEW_INBOUND_CALL", "HANGUP LEG-A"]
    assert last(made)["ActionData"]["Parameters"]["SipResponseCode"] == 486


@pytest.mark.parametrize("value", ["yes", "no"])
def test_the_first_action_answers(value: str) -> None:
    for action in (speak(), play(), record(), digits(), spoken_digits(), bot(), join()):
        made = called(action)
        assert made.network.legs[0].connected
    quiet = called(pause(), switches={"pause_answers": value})
    quiet.settle()
    status = quiet.events[1]["CallDetails"]["Participants"][0].get("Status")
    assert status == ("Connected" if value == "yes" else None)
    assert quiet.over == (value == "no")  # nobody answered within 30 seconds
    assert quiet.now_ms == (1000 if value == "yes" else 31_000)


def test_the_caller_gives_up_before_the_answer() -> None:
    made = phone({})
    made.dial_in()
    made.hang_up(code=487)
    assert told(made) == ["NEW_INBOUND_CALL", "HANGUP LEG-A"]
    assert made.over


@pytest.mark.parametrize(
    ("does", "code"), [("busy", 486), ("no_answer", 480), ("rejects", 603), ("voicemail", None), ("answers", None)]
)
def test_the_callee_of_an_outbound_call(does: Any, code: int | None) -> None:
    made = phone({"CALL_ANSWERED": reply(pause())}, parties=[Party(does)])
    made.dial_out(OutboundCall())
    made.settle()
    if code is None:
        assert told(made)[2:] == ["CALL_ANSWERED", "ACTION_SUCCESSFUL Pause"]
    else:
        assert told(made)[2:] == ["HANGUP LEG-A"]
        assert last(made)["ActionData"]["Parameters"]["SipResponseCode"] == code


def test_a_leg_that_is_not_there_fails_the_action() -> None:
    for params in (B, {"CallId": "nobody"}):
        made = called(pause(), speak(**params), hangup())
        made.settle()
        assert told(made)[1:] == ["ACTION_FAILED Speak InvalidActionParameter"]
    both = called(pause(**A, CallId=""))
    both.settle()
    assert told(both)[1:] == ["ACTION_SUCCESSFUL Pause"]


def test_an_always_event_lets_the_list_continue_or_replaces_it() -> None:
    goes_on = called(record(), pause(), hangup())
    goes_on.press("#")
    goes_on.settle()
    assert told(goes_on) == ["NEW_INBOUND_CALL", "ACTION_SUCCESSFUL RecordAudio", "HANGUP LEG-A"]
    other = called(record(), pause(), answers={"ACTION_SUCCESSFUL RecordAudio": reply(hangup("480"))})
    other.press("#")
    assert last(other)["ActionData"]["Parameters"]["SipResponseCode"] == 480


def test_a_call_that_rests_is_reported() -> None:
    made = called(pause())
    made.settle()
    assert made.stuck
    assert logs(made, "warning") == ["LEG-A stays connected and idle"]


# --- 22-41: one leg ----------------------------------------------------------------------------------------------


def test_audio_plays_as_often_as_asked_and_a_terminator_stops_it() -> None:
    made = called(play(Repeat=2))
    made.settle()
    assert made.now_ms == 6000
    stopped = called(play(Repeat="2", PlaybackTerminators=["#"]))
    stopped.wait(1000)
    stopped.press("5")
    assert len(stopped.events) == 1
    stopped.press("#")
    assert told(stopped)[1:] == ["ACTION_SUCCESSFUL PlayAudio"]


def test_audio_that_is_missing_fails() -> None:
    made = called(play(), world=World(missing_audio=frozenset({"sounds/hello.wav"})))
    assert told(made)[1:] == ["ACTION_FAILED PlayAudio InvalidAudioSource"]


def test_speech_takes_its_time() -> None:
    slow = called(speak("A" * 10), world=World(ms_per_character=500))
    slow.settle()
    assert slow.now_ms == 5000


def test_speech_plays_to_the_end() -> None:
    made = called(speak("A" * 100))
    made.press("#")
    made.settle()
    assert made.now_ms == 6000
    for text in ("", "x" * 1001):
        bad = called(speak(text))
        assert told(bad)[1:] == ["ACTION_FAILED Speak MissingRequiredActionParameter"]


@pytest.mark.parametrize(("value", "result"), [("strict", "ACTION_FAILED"), ("any_positive", "ACTION_SUCCESSFUL")])
def test_a_pause_lasts_and_has_a_range(value: str, result: str) -> None:
    for ms in (50, 40_000):
        made = called(pause(ms), switches={"pause_range": value})
        made.settle()
        assert told(made)[1].startswith(f"{result} Pause")


def test_digits_stop_the_prompt_and_end_by_terminator_number_or_gap() -> None:
    wide = {"MinNumberOfDigits": 2, "MaxNumberOfDigits": 4, "InBetweenDigitsDurationInMilliseconds": 2000}
    for keys, at in (("12#", 1200), ("1234", 1500), ("12", 2900 - 300 + 300)):
        made = called(digits(**wide))
        made.wait(600)
        made.press(keys)
        made.settle()
        assert told(made)[1] == f"ACTION_SUCCESSFUL PlayAudioAndGetDigits {keys.rstrip('#')}"
        assert made.transcript[-1].at_ms == at


@pytest.mark.parametrize("error", ["InvalidDigitsReceived", "InputTimeLimitExceeded", "InvalidAudioSource"])
def test_silence_and_wrong_digits_use_up_attempts(error: str) -> None:
    made = called(digits(Repeat=2), switches={"digits_error": error})
    made.settle()
    assert told(made)[1] == f"ACTION_FAILED PlayAudioAndGetDigits {error}"
    assert made.now_ms == 2 * (3000 + 5000 + 3000)
    nothing = called(digits(MinNumberOfDigits=0))
    nothing.settle()
    assert nothing.events[1]["ActionData"]["ReceivedDigits"] == ""


@pytest.mark.parametrize(
    "params",
    [
        {"MaxNumberOfDigits": 0}, {"MaxNumberOfDigits": 129}, {"RepeatDurationInMilliseconds": 0},
        {"InputDigitsRegex": "("},
    ],
)  # fmt: skip
def test_wrong_parameters_of_a_digit_action(params: dict[str, Any]) -> None:
    assert told(called(digits(**params)))[1] == "ACTION_FAILED PlayAudioAndGetDigits InvalidActionParameter"


@pytest.mark.parametrize("once", ["no", "yes"])
def test_a_listener_reports_what_fits(once: str) -> None:
    made = called(listen(), LONG, switches={"listener_once": once})
    for _ in range(2):
        made.press("*7")
        made.wait(2000)
    assert told(made)[1:] == ["DIGITS_RECEIVED ReceiveDigits *7"] * (1 if once == "yes" else 2)
    alone = called(listen())
    assert alone.events[1]["ActionData"]["ReceivedDigits"] == ""
    wrong = called(listen(FlushDigitsDurationInMilliseconds=1000))
    assert told(wrong)[1:] == ["ACTION_FAILED ReceiveDigits InvalidActionParameter"]


@pytest.mark.parametrize("value", ["no", "yes"])
def test_keys_that_never_fit_are_flushed(value: str) -> None:
    made = called(listen(), LONG, switches={"flush_reports": value})
    made.press("55")
    made.wait(10_000)
    assert told(made)[1:] == (["DIGITS_RECEIVED ReceiveDigits 55"] if value == "yes" else [])
    made.press("*7")
    made.wait(2000)
    assert told(made)[-1] == "DIGITS_RECEIVED ReceiveDigits *7"


def test_a_recording_ends_by_key_silence_or_time() -> None:
    by_key = called(record())
    by_key.press("#")
    assert last(by_key)["ActionData"]["RecordingTerminatorUsed"] == "#"
    by_time = called(record(DurationInSeconds="10"))
    by_time.settle()
    data = last(by_time)["ActionData"]
    assert "RecordingTerminatorUsed" not in data
    assert (by_time.now_ms, data["RecordingDestination"]["BucketName"]) == (10_000, "voices")
    by_silence = called(record(SilenceDurationInSeconds=2))
    by_silence.wait(1000)
    by_silence.send(Talk(3000))
    by_silence.settle()
    assert by_silence.now_ms == 6000
    endless = record()
    del endless["Parameters"]["DurationInSeconds"]
    open_end = called(endless)
    open_end.settle()
    assert open_end.stuck
    open_end.press("#")
    assert told(open_end)[1:] == ["ACTION_SUCCESSFUL RecordAudio"]
    closed = called(record(), world=World(unwritable=frozenset({"voices"})))
    assert told(closed)[1:] == ["ACTION_FAILED RecordAudio InvalidActionParameter"]


def test_tones_take_their_time() -> None:
    made = called(act("SendDigits", Digits="12,,3", ToneDurationInMilliseconds=100))
    made.settle()
    assert (told(made)[1], made.now_ms) == ("ACTION_SUCCESSFUL SendDigits", 1300)
    for params in ({"Digits": "x"}, {"Digits": "1", "ToneDurationInMilliseconds": 10}):
        assert told(called(act("SendDigits", **params)))[1] == "ACTION_FAILED SendDigits InvalidActionParameter"


# --- 42-58: legs and services ------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["no", "yes"])
@pytest.mark.parametrize("does", ["answers", "voicemail", "busy", "rejects", "no_answer"])
def test_a_bridge_is_answered_or_not(does: str, value: str) -> None:
    made = called(pause(), bridge(), parties=[Party(does)], switches={"bridge_ringing": value})
    made.settle()
    good = does in ("answers", "voicemail")
    end = "ACTION_SUCCESSFUL CallAndBridge" if good else "ACTION_FAILED CallAndBridge CallNotAnswered"
    assert told(made)[1:] == [*(["RINGING"] if value == "yes" else []), end]
    assert len(last(made)["CallDetails"]["Participants"]) == (2 if good else 1)
    silent = called(pause(), bridge())
    silent.settle()
    assert (told(silent)[1], silent.now_ms) == ("ACTION_FAILED CallAndBridge CallNotAnswered", 21_000)


def test_the_caller_leaves_while_it_rings() -> None:
    made = called(bridge())
    made.hang_up()
    assert told(made)[1:] == ["HANGUP LEG-A"]
    assert made.over


@pytest.mark.parametrize(
    "params",
    [
        {"CallerIdNumber": "+19995550100"}, {"CallerIdNumber": "x"}, {"CallerIdNumber": ""}, {"Endpoints": []},
        {"Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "12"}]}, {"CallTimeoutSeconds": 121},
        {"SipHeaders": {"X-Amzn-a": "b"}},
    ],
)  # fmt: skip
def test_wrong_parameters_of_a_bridge(params: dict[str, Any]) -> None:
    assert told(called(bridge(**params)))[1] == "ACTION_FAILED CallAndBridge InvalidActionParameter"


def test_the_quota_of_calls() -> None:
    assert told(called(bridge(), world=World(calls=8)))[1] == "ACTION_FAILED CallAndBridge SystemException"


@pytest.mark.parametrize("shape", ["pair", "error_string"])
def test_a_meeting_is_joined_or_not(shape: str) -> None:
    assert told(called(join()))[1] == "ACTION_SUCCESSFUL JoinChimeMeeting"
    for wrong in ({"MeetingId": ""}, {"JoinToken": "x"}, {"JoinToken": "x" * 2049}):
        assert told(called(join(**wrong)))[1] == "ACTION_FAILED JoinChimeMeeting InvalidActionParameter"
    dead = called(join(), world=World(dead_tokens=frozenset({"token"})), switches={"join_error_shape": shape})
    data = last(dead)["ActionData"]
    assert ("Error" in data) == (shape == "error_string")
    assert ("ErrorType" in data) == (shape == "pair")


def test_joining_a_meeting_may_take_time() -> None:
    slow = World(join_ms=800)
    made = called(join(), world=slow)
    assert told(made) == ["NEW_INBOUND_CALL"]
    made.update({"too": "early"})
    made.wait(799)
    assert told(made)[1:] == ["CALL_UPDATE_REQUESTED CallUpdateRequest"]
    made.wait(1)
    assert told(made)[2:] == ["ACTION_SUCCESSFUL JoinChimeMeeting"]
    assert len(last(made)["CallDetails"]["Participants"]) == 2
    gone = called(join(), world=slow)
    gone.hang_up()
    gone.settle()
    assert told(gone)[1:] == ["HANGUP LEG-A"]
    assert len(last(gone)["CallDetails"]["Participants"]) == 1
    kept = called(join(), answers={"CALL_UPDATE_REQUESTED": reply(speak())}, world=slow)
    kept.update({})
    kept.settle()
    assert told(kept)[2:] == ["ACTION_SUCCESSFUL JoinChimeMeeting", "ACTION_SUCCESSFUL Speak"]


def test_muting_needs_a_meeting() -> None:
    mute = {"Operation": "Mute", "MeetingId": "meeting-1", "AttendeeList": ["me"]}
    kind = "ModifyChimeMeetingAttendees"
    texts = set()
    world = World(attendees=frozenset({"me"}))
    for wrong in (
        {"Operation": "x"}, {"MeetingId": ""}, {"AttendeeList": []}, {"MeetingId": "2"}, {"AttendeeList": ["you"]}, A
    ):  # fmt: skip
        made = called(join(), act(kind, **{**mute, **B, **wrong}), world=world)
        assert told(made)[2] == f"ACTION_FAILED {kind} InvalidActionParameter"
        texts.add(last(made)["ActionData"]["ErrorMessage"])
    assert len(texts) == 6
    assert told(called(join(), act(kind, **mute, **B), world=world))[2] == f"ACTION_SUCCESSFUL {kind}"


def test_a_bot_is_the_last_of_its_list() -> None:
    made = called(bot(), speak(), bots=[BotResult("Sales", slots=(("Topic", "phones"), ("City", None)))])
    made.settle()
    assert told(made)[1:] == ["ACTION_SUCCESSFUL StartBotConversation"]
    assert last(made)["ActionData"]["IntentResult"]["SessionState"]["Intent"]["Slots"]["City"] is None
    assert len(logs(made)) == 1
    some = frozenset({BOT})
    for world, error in (
        (World(missing_bots=some), "ResourceNotFound"), (World(forbidden_bots=some), "ResourceAccessDenied"),
        (World(bots_throttled=True), "ActionExecutionThrottled"),
    ):  # fmt: skip
        assert told(called(bot(), world=world))[1] == f"ACTION_FAILED StartBotConversation {error}"


@pytest.mark.parametrize("value", ["end", "always"])
def test_call_recording_once_per_leg(value: str) -> None:
    start = act("StartCallRecording", Track="BOTH", Destination={"Type": "S3", "Location": "calls/x"}, **A)
    made = called(start, pause(), switches={"start_recording_event": value})
    assert len(made.events) == (2 if value == "always" else 1)
    rest = ["PauseCallRecording", "ResumeCallRecording", "StopCallRecording"]
    good = called(start, *[act(kind, **A) for kind in rest])
    assert told(good)[1:] == ["ACTION_SUCCESSFUL StopCallRecording"]
    longer = called(start, *[act(kind, **A) for kind in rest], pause())
    longer.settle()
    assert told(longer)[1:] == ["ACTION_SUCCESSFUL Pause"]
    assert told(called(start, start))[1] == "ACTION_FAILED StartCallRecording InvalidActionParameter"
    for kind in rest:
        assert told(called(act(kind)))[1] == f"ACTION_FAILED {kind} InvalidActionParameter"
    closed = called(start, world=World(unwritable=frozenset({"calls"})))
    assert last(closed)["ActionData"]["Error"].startswith("NoAccessToDestination")


def test_voice_focus() -> None:
    assert told(called(act("VoiceFocus", Enable=True)))[1] == "ACTION_SUCCESSFUL VoiceFocus"
    assert told(called(act("VoiceFocus")))[1] == "ACTION_FAILED VoiceFocus MissingRequiredActionParameter"


# --- 59-71: hang-ups, interruption, keys -------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["hangup_first", "success_first"])
def test_hangup_of_one_leg_of_a_bridge(order: str) -> None:
    for target, leg in ((B, "LEG-B"), (A, "LEG-A")):
        made = called(bridge(), hangup(**target), parties=[Party()], switches={"hangup_order": order})
        made.settle()
        pair = [f"HANGUP {leg}", "ACTION_SUCCESSFUL Hangup"]
        assert told(made)[2:] == (pair if order == "hangup_first" else pair[::-1])
        assert [one.connected for one in made.network.legs] == [leg == "LEG-B", leg == "LEG-A"]


@pytest.mark.parametrize("value", ["no", "yes"])
def test_hangup_of_the_meeting_leg(value: str) -> None:
    made = called(join(), hangup(**B), switches={"meeting_hangup_event": value})
    assert told(made)[2:] == ["ACTION_SUCCESSFUL Hangup", *(["HANGUP LEG-B"] if value == "yes" else [])]


@pytest.mark.parametrize(
    ("action", "event"),
    [(record(), "ACTION_SUCCESSFUL RecordAudio"), (digits(), "ACTION_FAILED PlayAudioAndGetDigits SystemException"),
     (bot(), "ACTION_FAILED StartBotConversation SystemException"), (speak(), "")],
)  # fmt: skip
@pytest.mark.parametrize("value", ["documented", "observed"])
def test_a_party_leaves_during_an_action(action: dict[str, Any], event: str, value: str) -> None:
    made = called(action, switches={"hangup_during_action": value})
    made.hang_up()
    assert told(made)[1:] == [*([event] if event and value == "observed" else []), "HANGUP LEG-A"]
    assert made.over


@pytest.mark.parametrize("value", ["no", "yes"])
def test_who_leaves_a_meeting(value: str) -> None:
    made = called(join(), switches={"meeting_second_hangup": value})
    made.hang_up()
    two = ["HANGUP LEG-A", *(["HANGUP LEG-B"] if value == "yes" else [])]
    assert told(made)[2:] == two
    assert made.over
    ours = called(join(), answers={"ACTION_SUCCESSFUL": reply(hangup(**A))}, switches={"meeting_second_hangup": value})
    assert told(ours)[2:] == two
    assert ours.over
    ended = called(join(), answers={"HANGUP LEG-B": reply(speak(**A), hangup(**A))})
    ended.send(MeetingEnds())
    ended.settle()
    assert told(ended)[2:] == ["HANGUP LEG-B", "HANGUP LEG-A"]


def test_after_the_end_nothing_is_sent() -> None:
    made = called(hangup())
    made.update({})
    assert [one for one in made.outputs if isinstance(one, Refused)] == [Refused("NotFoundException")]


@pytest.mark.parametrize("value", ["yes", "no"])
def test_a_newer_list_interrupts(value: str) -> None:
    made = called(LONG, answers={"CALL_UPDATE_REQUESTED": reply(hangup())})
    made.update({})
    assert told(made)[2:] == ["ACTION_INTERRUPTED Pause", "HANGUP LEG-A"]
    answers = {"DIGITS_RECEIVED": reply(hangup())}
    keyed = called(listen(), LONG, answers=answers, switches={"interrupt_on_digits": value})
    keyed.press("*7")
    keyed.wait(1500)
    assert keyed.over == (value == "yes")
    keyed.settle()
    assert keyed.over


def test_speech_is_not_interrupted_by_a_newer_list() -> None:
    made = called(speak("A" * 50), pause(), answers={"CALL_UPDATE_REQUESTED": reply(hangup())})
    made.wait(1000)
    made.update({})
    assert not made.over
    made.settle()
    assert (told(made)[2:], made.now_ms) == (["HANGUP LEG-A"], 3000)
    alone = called(speak(), answers={"CALL_UPDATE_REQUESTED": reply(hangup())})
    alone.update({})
    alone.settle()
    assert told(alone)[2:] == ["ACTION_SUCCESSFUL Speak", "HANGUP LEG-A"]


def test_updates_have_a_rate() -> None:
    made = called(LONG)
    for _ in range(6):
        made.update({})
    assert [one for one in made.outputs if isinstance(one, Refused)] == [Refused("ThrottledClientException")]


def test_keys_go_to_their_own_leg() -> None:
    made = called(bridge(), listen(**B), parties=[Party()])
    made.wait(5000)
    made.press("*7", "LEG-A")
    made.wait(2000)
    assert "DIGITS_RECEIVED ReceiveDigits *7" not in told(made)
    made.press("*7", "LEG-B")
    made.wait(2000)
    assert told(made)[-1] == "DIGITS_RECEIVED ReceiveDigits *7"


# --- shapes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["serial", "parallel"])
@pytest.mark.parametrize("order", ["arrival", "sequence"])
def test_events_overlap_or_not(value: str, order: str) -> None:
    made = phone(
        {"NEW_INBOUND_CALL": reply(LONG), "CALL_UPDATE_REQUESTED": [reply(TransactionAttributes={"n": "1"}),
                                                                    reply(TransactionAttributes={"n": "2"})]},
        switches={"overlap": value, "answer_order": order},
        delay_ms=lambda event: {2: 3000, 3: 1000}.get(event["Sequence"], 0),
    )  # fmt: skip
    made.dial_in()
    made.update({})
    made.update({})
    assert len(made.events) == (3 if value == "parallel" else 2)
    made.wait(4500)
    newest = "1" if (value, order) == ("parallel", "arrival") else "2"
    assert made.network.attributes == f'{{"n":"{newest}"}}'


def test_the_shape_of_events_is_switched() -> None:
    made = called(
        digits(),
        switches={
            "sequence_start": "0", "status_before_answer": "Connected", "app_id_key": "SipApplicationId",
            "echo_defaults": "more",
        },
        answers={"ACTION_SUCCESSFUL PlayAudioAndGetDigits": reply(hangup(), TransactionAttributes={"a": "b"})},
    )  # fmt: skip
    made.press("1")
    first, got, _ = made.events
    assert [event["Sequence"] for event in made.events] == [0, 1, 2]
    assert first["CallDetails"]["Participants"][0]["Status"] == "Connected"
    assert "SipMediaApplicationId" not in first["CallDetails"]
    assert got["ActionData"]["Parameters"]["TerminatorDigits"] == ["#"]


@pytest.mark.parametrize("value", ["yes", "no"])
def test_legs_that_left_and_headers(value: str) -> None:
    made = phone(
        {"NEW_INBOUND_CALL": reply(bridge(), hangup(**B), pause())}, parties=[Party()],
        switches={"gone_leg_listed": value, "headers_repeated": value},
    )  # fmt: skip
    made.dial_in(headers={"X-Shop": "7"})
    made.settle()
    people = last(made)["CallDetails"]["Participants"]
    assert [leg["ParticipantTag"] for leg in people] == ["LEG-A", *(["LEG-B"] if value == "yes" else [])]
    assert ("SipHeaders" in people[0]) == (value == "yes")
    assert made.events[0]["CallDetails"]["Participants"][0]["SipHeaders"] == {"X-Shop": "7"}
