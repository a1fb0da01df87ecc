"""Lists of actions: running them, reporting, interrupting, and everything that ends legs (rules 12-21, 59-68)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sma_flows.protocol.check import ALWAYS_REPORTING
from sma_flows.protocol.events import as_int
from sma_flows.simulator import digits, legs, talk
from sma_flows.simulator.desk import COLLECTING, DONE, Desk, Done, Failed, Outcome, bad
from sma_flows.simulator.model import Leg, Notice, Running, Sent

INTERRUPTIBLE: Final = frozenset({"PlayAudio", "RecordAudio", "Pause"})
ANSWERS: Final = frozenset(
    {
        *COLLECTING,
        *("PlayAudio", "Speak", "RecordAudio", "StartBotConversation", "JoinChimeMeeting"),
    }
)
"""Actions that answer an inbound call (rule 13); CallAndBridge and Hangup never do, the others by a switch."""

MOST_CODE: Final = 699
"""Highest code of SIP."""

_REPORT_LEAVING: Final = frozenset({"RecordAudio", *COLLECTING, "StartBotConversation", "CallAndBridge"})

START: Final[Mapping[str, Callable[[Desk, Sent, Leg], Outcome]]] = {
    "PlayAudio": talk.play,
    "Speak": talk.speak,
    "Pause": talk.pause,
    "PlayAudioAndGetDigits": digits.collect,
    "SpeakAndGetDigits": digits.collect,
    "ReceiveDigits": digits.listen,
    "RecordAudio": talk.record,
    "SendDigits": talk.send_digits,
    "CallAndBridge": legs.bridge,
    "JoinChimeMeeting": legs.join,
    "ModifyChimeMeetingAttendees": legs.modify,
    "StartBotConversation": legs.bot,
    "StartCallRecording": legs.start_recording,
    "StopCallRecording": legs.stop_recording,
    "PauseCallRecording": legs.pause_recording,
    "ResumeCallRecording": legs.resume_recording,
    "VoiceFocus": legs.voice_focus,
}


def run(desk: Desk) -> None:
    """Go on with the list as far as that goes without waiting (rules 16-18)."""
    while (desk.rest or desk.next_list) and desk.alive:
        if desk.running is not None or desk.over or ((desk.queue or desk.delivered) and desk.holding):
            return
        if not desk.rest:
            desk.rest, desk.next_list = desk.next_list, ()
        sent, desk.rest = desk.rest[0], desk.rest[1:]
        _begin(desk, sent)


def _begin(desk: Desk, sent: Sent) -> None:
    kind = sent.type
    desk.lean(f"action {kind}")
    if kind == "StartBotConversation" and desk.rest:  # rule 53
        desk.lean("53")
        desk.error(f"Actions behind StartBotConversation are not run: {', '.join(one.type for one in desk.rest)}")
        desk.rest = ()
    leg = _target(desk, sent)
    if leg is None or leg.gone or (not leg.connected and (leg.tag == "LEG-B" or desk.outbound)):  # rule 16
        fallback = leg or desk.leg(sent.leg) or desk.legs[0]
        desk.lean("16")
        _finish(desk, Running(sent, fallback.tag, ""), bad("CallId or ParticipantTag parameter for action is invalid"))
        return
    fault = desk.broken(sent) if desk.breaks else None
    if kind == "Hangup" and fault is None:  # rule 58
        desk.lean("58")
        _hang_up(desk, sent, leg)
        return
    if not leg.connected and kind != "Hangup":  # also when it then fails, for whatever cause
        desk.cancel("unanswered")
        if kind in ANSWERS:  # rule 13
            desk.lean("13")
            desk.lean(f"13 {kind}")
            leg = desk.answer_leg(leg)
        elif kind != "CallAndBridge":
            desk.lean("13 quiet")
            if desk.switches.pause_answers == "yes":
                leg = desk.answer_leg(leg)
    outcome = fault or START[kind](desk, sent, leg)
    if outcome is not None:
        if isinstance(outcome, Failed) and fault is None:
            desk.lean("7")
        desk.stop()
        _finish(desk, Running(sent, leg.tag, ""), outcome)


def _target(desk: Desk, sent: Sent) -> Leg | None:
    """Rule 16: CallId if known, else the tag, else the leg of the event."""
    call_id = sent.call_id or sent.data.get("CallId")
    if call_id:
        for leg in desk.legs:
            if leg.call_id == call_id:
                return leg
    tag = sent.data.get("ParticipantTag")
    if tag:
        return desk.leg(str(tag))
    if call_id:
        return None
    if sent.type in ("CallAndBridge", "JoinChimeMeeting", "StartBotConversation"):
        return desk.leg("LEG-A")
    desk.lean("16 default")
    return desk.leg(sent.leg)


def settle(desk: Desk, outcome: Outcome) -> None:
    """The running action has an outcome, or goes on."""
    action = desk.running
    if outcome is not None and action is not None:
        desk.stop()
        _finish(desk, action, outcome)


def _finish(desk: Desk, action: Running, outcome: Done | Failed) -> None:
    sent, leg = action.action, desk.leg(action.leg)
    if leg is None:
        return
    if isinstance(outcome, Failed):  # rule 19
        desk.lean("19")
        desk.rest = ()
        desk.report(sent, leg, outcome)
        return
    if not (desk.rest or action.dropped):  # rules 17 and 18: the last of a list always reports
        desk.lean("18")
        desk.report(sent, leg, outcome)
        return
    desk.lean(f"report {sent.type}")
    always = sent.type in ALWAYS_REPORTING
    if always:
        desk.lean("17")
    if always or (sent.type == "StartCallRecording" and desk.switches.start_recording_event == "always"):
        desk.report(sent, leg, outcome)


def replace_list(desk: Desk, actions: tuple[Sent, ...], cause: str) -> None:
    """A newer list arrives (rules 6, 67, 68)."""
    running = desk.running
    rest, desk.rest, desk.next_list = desk.rest, (), ()
    desk.lean("6")
    if running is None:
        desk.rest = actions
        return
    leg = desk.leg(running.leg)
    if running.action.type in INTERRUPTIBLE and leg is not None:
        by_person = cause in ("DIGITS_RECEIVED", "HANGUP")
        desk.lean("67 keys" if by_person else "67")
        if not by_person or desk.switches.interrupt_on_digits == "yes":
            if running.action.type == "RecordAudio":
                desk.lean("67 file")
            desk.stop()
            desk.tell(Notice("ACTION_INTERRUPTED", leg.tag, desk.echo(running.action, leg)))
            desk.rest = actions
            return
    desk.lean("68")
    if rest and not running.dropped:
        desk.running = running._replace(dropped=True)
    desk.next_list = actions


# --- ends of legs --------------------------------------------------------------------------------------------------


def _hang_up(desk: Desk, sent: Sent, leg: Leg) -> None:
    given = sent.data.get("SipResponseCode")
    code = 0 if given is None else as_int(given)
    if code is None or not 0 <= code <= MOST_CODE:
        desk.lean("58 code")
        _finish(desk, Running(sent, leg.tag, ""), bad("The SipResponseCode parameter is invalid."))
        return
    before = leg.status
    others = [one for one in desk.connected() if one.tag != leg.tag]
    meeting = desk.joined.startswith("meeting")
    left = desk.leave(leg, code, "flow")
    extra = _drop_others(desk) if meeting and leg.tag == "LEG-A" else []
    if extra or not others:  # rules 12 and 59
        desk.lean("59 meeting" if extra else "59" if before else "12")
        desk.clear()
        desk.stop()
        _tell_end(desk, left, code, extra)
        return
    desk.lean("report Hangup")
    if meeting:  # rule 61
        desk.lean("61")
        desk.lean("61 event")
        desk.report(sent, left, DONE)
        if desk.switches.meeting_hangup_event == "yes":
            desk.tell_hangup(left, code)
    else:  # rule 60
        desk.lean("60" if leg.tag == "LEG-B" else "60 LEG-A")
        desk.lean("60 order")
        if desk.switches.hangup_order == "hangup_first":
            desk.tell_hangup(left, code, holds=True)
            desk.report(sent, left, DONE, holds=False)
        else:
            desk.report(sent, left, DONE)
            desk.tell_hangup(left, code)


def _drop_others(desk: Desk) -> list[Leg]:
    """Legs that go with LEG-A: a party that still rings, the meeting's leg."""
    legs.drop_ringing(desk)
    gone = [leg for leg in desk.legs if leg.tag == "LEG-B" and not leg.gone]
    for leg in gone:
        desk.leave(leg, 0, "service")
    return gone


def party_leaves(desk: Desk, leg: Leg, code: int) -> None:
    """A party hangs up: rules 14, 45, 62 to 65."""
    running, meeting = desk.running, desk.joined.startswith("meeting")
    ringing = running is not None and running.phase == "ring"
    joined = desk.joined
    left = desk.leave(leg, code, "party")
    if running is not None and running.leg == leg.tag:
        desk.lean("62")
        if running.action.type in _REPORT_LEAVING:
            desk.lean("62 report")
            if desk.switches.hangup_during_action == "observed":
                _last_report(desk, running, left)
    elif not joined and not leg.status:
        desk.lean("14")
    extra: list[Leg] = []
    if leg.tag == "LEG-A" and (meeting or ringing):  # rules 45 and 64
        desk.lean("64" if meeting else "45")
        extra = _drop_others(desk)
    elif joined:
        desk.lean("65" if meeting else "63")
    desk.clear()
    _tell_end(desk, left, code, extra if meeting else [])


def _tell_end(desk: Desk, first: Leg, code: int, taken_along: list[Leg]) -> None:
    """HANGUP of a leg; with ``meeting_second_hangup`` the meeting leg it takes along has the last event (rule 64)."""
    desk.tell_hangup(first, code)
    if taken_along:
        desk.lean("64 second")
        if desk.switches.meeting_second_hangup == "yes":
            desk.queue = (*desk.queue[:-1], desk.queue[-1]._replace(final=False))
            desk.tell_hangup(taken_along[0], 0)


def _last_report(desk: Desk, running: Running, leg: Leg) -> None:
    """Rule 62, ``observed``: the action's own event, with Status Disconnected, before HANGUP."""
    if running.action.type == "RecordAudio":
        desk.report(running.action, leg, talk.recorded(desk, running), holds=False)
    else:
        fault = Failed("SystemException", "System error while running action")
        desk.report(running.action, leg, fault, holds=False)


def end_all(desk: Desk, code: int, *, tell: bool = True) -> None:
    """The service ends the call: every leg goes, and a last HANGUP is sent if anybody can still be told."""
    desk.clear()
    desk.stop()
    legs.drop_ringing(desk)
    staying = [leg for leg in desk.legs if not leg.gone]
    for leg in staying:
        desk.put(leg.having("Disconnected", leg.recording))
        desk.gone(leg, code, "service")
    desk.joined = ""
    desk.listeners = desk.queue = desk.delivered = desk.held = ()
    desk.no_timers()
    if tell and staying:
        desk.tell_hangup(staying[0], code)
