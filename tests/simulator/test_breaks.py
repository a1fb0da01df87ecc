"""What a tester can do to the service: let its next action fail, and send events that are not due."""

from __future__ import annotations

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
    told,
)
from sma_flows.simulator.messages import Break, Hears, Stray

CALLER = "aaaaaaaa-0000-0000-0000-000000000001"


def test_a_broken_action_fails_once_with_the_given_error() -> None:
    line = phone({"NEW_INBOUND_CALL": reply(speak()), "ACTION_FAILED": reply(speak(), hangup())})
    line.send(Break(("Speak",), "ActionExecutionThrottled", "Too much."))
    line.dial_in()
    line.settle()
    assert told(line) == ["NEW_INBOUND_CALL", "ACTION_FAILED Speak ActionExecutionThrottled", "HANGUP LEG-A"]
    assert line.events[1]["ActionData"]["ErrorMessage"] == "Too much."


def test_an_action_that_breaks_has_begun_and_answers_the_call_like_others() -> None:
    status = []
    for broken in (True, False):
        line = phone({"NEW_INBOUND_CALL": reply(speak(""))})  # without words it fails by itself
        if broken:
            line.send(Break(("Speak",)))
        line.dial_in()
        status.append(line.events[1]["CallDetails"]["Participants"][0]["Status"])
    assert status == ["Connected", "Connected"]
    refused = phone({"NEW_INBOUND_CALL": reply(hangup())})
    refused.send(Break(("Hangup",)))
    refused.dial_in()
    assert "Status" not in refused.events[1]["CallDetails"]["Participants"][0]


def test_a_break_waits_for_an_action_of_its_types() -> None:
    line = phone({"NEW_INBOUND_CALL": reply(speak(), play()), "ACTION_FAILED": reply(hangup())})
    line.send(Break(("PlayAudio", "StartBotConversation"), "InvalidAudioSource"))
    line.dial_in()
    line.settle()
    assert told(line)[1] == "ACTION_FAILED PlayAudio InvalidAudioSource"


def test_a_break_waits_for_an_action_with_its_text() -> None:
    line = called(speak("One."), speak("Two."), speak("Three."))
    line.send(Break(("Speak",), text='"Three."'))
    line.settle()
    assert told(line)[1:] == ["ACTION_FAILED Speak SystemException"]
    assert [one.text for one in line.outputs if isinstance(one, Hears)] == ["One.", "Two."]


def test_a_break_waits_for_an_action_on_the_leg_with_its_call_id() -> None:
    line = called(pause(20_000, CallId=CALLER), pause(1_000, CallId=CALLER))
    line.send(Break(("Pause",), text=f'"CallId":"{CALLER}"}}'))
    line.settle()
    assert told(line)[1:] == ["ACTION_FAILED Pause SystemException"]
    assert line.events[1]["ActionData"]["Parameters"]["CallId"] == CALLER
    assert line.now_ms == 20_000
    other = called(pause(CallId=CALLER))
    other.send(Break(("Pause",), text="bbbbbbbb"))
    other.settle()
    assert told(other)[1:] == ["ACTION_SUCCESSFUL Pause"]


def test_a_call_id_that_is_no_parameter_is_read_as_it_is() -> None:
    line = called(bot(CallId=CALLER, Configuration={"SessionState": {"SessionAttributes": {"CallId": CALLER}}}))
    running = line.network.running
    assert running is not None
    assert running.action.parameters()["Configuration"]["SessionState"]["SessionAttributes"] == {"CallId": CALLER}
    assert running.action.parameters()["CallId"] == CALLER


def test_an_action_can_break_while_it_runs() -> None:
    line = called(speak("One."), play())
    line.send(Break(("Speak",), running=True))
    line.settle()
    assert told(line)[1:] == ["ACTION_FAILED Speak SystemException"]
    idle = called(listen())
    with pytest.raises(ValueError, match="no action of Speak runs"):
        idle.send(Break(("Speak",), running=True))


def test_a_failure_of_muting_carries_its_list() -> None:
    mute = act("ModifyChimeMeetingAttendees", Operation="Mute", MeetingId="meeting-1", AttendeeList=["me"], **B)
    line = phone({"NEW_INBOUND_CALL": reply(join()), "ACTION_SUCCESSFUL JoinChimeMeeting": reply(mute)})
    line.send(Break(("ModifyChimeMeetingAttendees",)))
    line.dial_in()
    assert line.events[-1]["ActionData"]["ErrorList"] == []


def test_a_broken_hangup_leaves_the_leg_on_the_line() -> None:
    line = called(speak(), hangup(), answers={"ACTION_FAILED": reply(hangup())})
    line.send(Break(("Hangup",)))
    line.settle()
    assert told(line) == ["NEW_INBOUND_CALL", "ACTION_FAILED Hangup SystemException", "HANGUP LEG-A"]


def test_an_error_can_be_one_text() -> None:
    line = phone({"NEW_INBOUND_CALL": reply(digits())})
    line.send(Break(("PlayAudioAndGetDigits",), "NoAccess", "There is none.", "error"))
    line.dial_in()
    assert line.events[1]["ActionData"]["Error"] == "NoAccess: There is none."
    assert "ErrorType" not in line.events[1]["ActionData"]


def test_answers_can_be_kept_back_and_handed_in_in_any_order() -> None:
    answers = {
        "NEW_INBOUND_CALL": reply(play()),
        "CALL_UPDATE_REQUESTED": [reply(speak("One.")), reply(speak("Two."))],
    }
    late = {"CALL_UPDATE_REQUESTED": None}
    line = phone(answers, switches={"overlap": "parallel"}, delay_ms=lambda e: late.get(e["InvocationEventType"], 0))
    line.dial_in()
    line.update({"number": "one"})
    line.update({"number": "two"})
    line.wait(1_000)
    assert told(line)[1:] == ["CALL_UPDATE_REQUESTED CallUpdateRequest"] * 2
    assert len(line.held) == 2
    line.release(1)
    line.release()
    line.settle()
    assert [one.text for one in line.outputs if isinstance(one, Hears) and one.what == "speech"] == ["Two.", "One."]


def test_a_stray_event_shows_the_call_as_it_is_now_and_its_answer_is_used() -> None:
    line = called(listen(), pause(20_000), answers={"ACTION_SUCCESSFUL Speak": reply(speak("What?"))})
    line.wait(1_000)
    line.send(Stray("ACTION_SUCCESSFUL", data='{"Type":"Speak","Parameters":{"Text":"Old."}}'))
    assert told(line) == ["NEW_INBOUND_CALL", "ACTION_SUCCESSFUL Speak", "ACTION_INTERRUPTED Pause"]
    stray = line.events[1]
    assert stray["Sequence"] == 2
    assert stray["CallDetails"]["Participants"][0]["Status"] == "Connected"


def test_a_stray_event_can_have_an_old_number() -> None:
    line = called(pause(20_000))
    line.send(Stray("RINGING", sequence=1))
    line.settle()
    assert [event["Sequence"] for event in line.events] == [1, 1, 2]


def test_nothing_can_be_sent_for_a_leg_that_never_was() -> None:
    line = called(bridge())
    with pytest.raises(ValueError, match="LEG-C"):
        line.send(Stray("HANGUP", "LEG-C"))


def test_a_bridge_that_breaks_while_it_rings_leaves_nobody_ringing() -> None:
    line = called(bridge())
    line.send(Break(("CallAndBridge",), running=True))
    assert told(line)[-1] == "ACTION_FAILED CallAndBridge SystemException"
    assert [leg.tag for leg in line.network.legs] == ["LEG-A"]
