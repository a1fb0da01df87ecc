"""The seven reference traces of contract 9.10: event types, order, and every payload field the contract shows."""

from __future__ import annotations

from typing import Any

from simulator.kit import (
    BOT,
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
from sma_flows.simulator.driver import Party, Phone
from sma_flows.simulator.messages import BotResult, OutboundCall


def sequences(made: Phone) -> list[int]:
    return [event["Sequence"] for event in made.events]


def statuses(event: dict[str, Any]) -> dict[str, Any]:
    return {leg["ParticipantTag"]: leg.get("Status") for leg in event["CallDetails"]["Participants"]}


def test_t1_pause_play_hangup_is_one_event() -> None:
    kept = {"key": "value"}
    made = phone({"NEW_INBOUND_CALL": reply(pause(), play(), hangup(), TransactionAttributes=kept)})
    made.dial_in()
    made.settle()
    assert told(made) == ["NEW_INBOUND_CALL", "HANGUP LEG-A"]
    assert sequences(made) == [1, 2]
    first, end = made.events
    assert "TransactionAttributes" not in first["CallDetails"]
    assert "ActionData" not in first
    assert first["CallDetails"]["SipRuleId"]
    assert statuses(first) == {"LEG-A": None}
    assert end["ActionData"]["Type"] == "Hangup"
    leg = end["CallDetails"]["Participants"][0]
    assert end["ActionData"]["Parameters"] == {
        "SipResponseCode": 0,
        "CallId": leg["CallId"],
        "ParticipantTag": "LEG-A",
    }
    assert end["CallDetails"]["TransactionAttributes"] == kept
    assert (leg["Direction"], leg["Status"]) == ("Inbound", "Disconnected")
    assert made.over


def test_t2_menu_bot_menu_goodbye() -> None:
    made = phone(
        {
            "NEW_INBOUND_CALL": reply(play(), digits()),
            "ACTION_SUCCESSFUL PlayAudioAndGetDigits": [reply(bot()), reply(play(), hangup())],
            "ACTION_SUCCESSFUL StartBotConversation": reply(digits()),
        },
        bots=[BotResult("Quit", "ReadyForFulfillment")],
    )
    made.dial_in()
    made.wait(3500)
    made.press("1")
    made.wait(1500)
    made.press("8")
    made.settle()
    assert told(made) == [
        "NEW_INBOUND_CALL",
        "ACTION_SUCCESSFUL PlayAudioAndGetDigits 1",
        "ACTION_SUCCESSFUL StartBotConversation",
        "ACTION_SUCCESSFUL PlayAudioAndGetDigits 8",
        "HANGUP LEG-A",
    ]
    assert sequences(made) == [1, 2, 3, 4, 5]
    got = made.events[1]["ActionData"]
    call_id = made.events[0]["CallDetails"]["Participants"][0]["CallId"]
    assert got["ReceivedDigits"] == "1"
    assert got["Parameters"] == {
        **digits()["Parameters"],
        "CallId": call_id,
        "Repeat": 1,
        "InBetweenDigitsDurationInMilliseconds": 5000,
    }
    result = made.events[2]["ActionData"]["IntentResult"]
    assert made.events[2]["ActionData"]["Parameters"]["BotAliasArn"] == BOT
    assert result["SessionId"] == call_id
    intent = result["SessionState"]["Intent"]
    assert (intent["Name"], intent["State"], intent["Slots"], intent["ConfirmationState"]) == (
        "Quit",
        "ReadyForFulfillment",
        {},
        "None",
    )
    assert result["SessionState"]["SessionAttributes"] == {}
    assert result["Interpretations"][0]["Intent"] == intent
    assert statuses(made.events[1]) == {"LEG-A": "Connected"}


def test_t3_outbound_call_and_bridge() -> None:
    made = phone(
        {
            "NEW_OUTBOUND_CALL": reply(TransactionAttributes={"who": "42"}),
            "CALL_ANSWERED": reply(bridge()),
        },
        parties=[Party()],
    )
    made.dial_out(OutboundCall(arguments=(("who", "42"),)))
    made.settle()
    assert told(made) == [
        "NEW_OUTBOUND_CALL CallCreateRequest",
        "RINGING",
        "CALL_ANSWERED",
        "ACTION_SUCCESSFUL CallAndBridge",
    ]
    assert sequences(made) == [1, 2, 3, 4]
    new, ringing, answered, bridged = made.events
    assert new["ActionData"] == {"Type": "CallCreateRequest", "Parameters": {"Arguments": {"who": "42"}}}
    assert statuses(new) == statuses(ringing) == {"LEG-A": None}
    assert all("SipRuleId" not in event["CallDetails"] for event in made.events)
    assert "ActionData" not in ringing
    assert "ActionData" not in answered
    assert answered["CallDetails"]["TransactionAttributes"] == {"who": "42"}
    assert statuses(answered) == {"LEG-A": "Connected"}
    assert statuses(bridged) == {"LEG-A": "Connected", "LEG-B": "Connected"}
    assert {leg["Direction"] for leg in bridged["CallDetails"]["Participants"]} == {"Outbound"}


def test_t4_take_back_and_transfer() -> None:
    made = called(
        bridge(),
        parties=[Party()],
        answers={
            "CALL_UPDATE_REQUESTED": reply(hangup(**B)),
            "HANGUP LEG-B": reply(),
            "ACTION_SUCCESSFUL Hangup": reply(speak(ParticipantTag="LEG-A"), bridge()),
        },
    )
    made.wait(5000)
    first_b = made.events[-1]["CallDetails"]["Participants"][1]["CallId"]
    made.update({"action": "transfer"})
    made.settle()
    assert told(made) == [
        "NEW_INBOUND_CALL",
        "ACTION_SUCCESSFUL CallAndBridge",
        "CALL_UPDATE_REQUESTED CallUpdateRequest",
        "HANGUP LEG-B",
        "ACTION_SUCCESSFUL Hangup",
        "ACTION_SUCCESSFUL CallAndBridge",
    ]
    assert made.events[2]["ActionData"]["Parameters"]["Arguments"] == {"action": "transfer"}
    assert statuses(made.events[3]) == {"LEG-A": "Connected", "LEG-B": "Disconnected"}
    assert made.events[3]["ActionData"]["Parameters"]["CallId"] == first_b
    new_b = made.events[-1]["CallDetails"]["Participants"][1]
    assert new_b["CallId"] != first_b
    assert statuses(made.events[-1]) == {"LEG-A": "Connected", "LEG-B": "Connected"}


def test_t5_pin_and_meeting() -> None:
    mute = act("ModifyChimeMeetingAttendees", Operation="Mute", MeetingId="meeting-1", AttendeeList=["me"], **B)
    made = called(
        pause(),
        play(),
        digits(MinNumberOfDigits=5, MaxNumberOfDigits=5),
        answers={
            "ACTION_SUCCESSFUL PlayAudioAndGetDigits": reply(join()),
            "ACTION_SUCCESSFUL JoinChimeMeeting": reply(listen(), play()),
            "DIGITS_RECEIVED": reply(mute),
            "ACTION_SUCCESSFUL ModifyChimeMeetingAttendees": reply(play()),
        },
    )
    made.wait(4500)
    made.press("12345")
    made.wait(4000)
    made.press("*7")
    made.wait(1500)
    made.hang_up()
    made.settle()
    assert told(made) == [
        "NEW_INBOUND_CALL",
        "ACTION_SUCCESSFUL PlayAudioAndGetDigits 12345",
        "ACTION_SUCCESSFUL JoinChimeMeeting",
        "ACTION_SUCCESSFUL PlayAudio",
        "DIGITS_RECEIVED ReceiveDigits *7",
        "ACTION_SUCCESSFUL ModifyChimeMeetingAttendees",
        "HANGUP LEG-A",
    ]
    assert statuses(made.events[2]) == {"LEG-A": "Connected", "LEG-B": "Connected"}
    assert made.events[4]["ActionData"]["Parameters"]["InputDigitsRegex"] == r"^\*7$"
    assert made.events[5]["ActionData"]["Parameters"]["Operation"] == "Mute"
    assert statuses(made.events[6]) == {"LEG-A": "Disconnected", "LEG-B": "Disconnected"}
    assert made.over


def test_t6_three_wrong_entries() -> None:
    made = called(spoken_digits(Repeat=3, InputDigitsRegex="^1+$"), answers={"ACTION_FAILED": reply(hangup())})
    for _ in range(3):
        made.press("222222")
        made.wait(1000)
    made.settle()
    assert told(made) == [
        "NEW_INBOUND_CALL",
        "ACTION_FAILED SpeakAndGetDigits InvalidDigitsReceived",
        "HANGUP LEG-A",
    ]
    failed = made.events[1]["ActionData"]
    assert failed["Parameters"]["Repeat"] == 3
    assert "ReceivedDigits" not in failed


def test_t7_caller_leaves_a_bridge() -> None:
    made = called(bridge(), parties=[Party()])
    made.wait(5000)
    other = made.events[-1]["CallDetails"]["Participants"][1]["CallId"]
    made.answer.answers["HANGUP LEG-A"] = [reply(hangup(CallId=other))]  # type: ignore[attr-defined]
    made.hang_up()
    made.settle()
    assert told(made)[2:] == ["HANGUP LEG-A", "HANGUP LEG-B"]
    assert statuses(made.events[2]) == {"LEG-A": "Disconnected", "LEG-B": "Connected"}
    assert statuses(made.events[3]) == {"LEG-A": "Disconnected", "LEG-B": "Disconnected"}
    assert made.over
