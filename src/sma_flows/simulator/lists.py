"""Lists of actions: running them, reporting, interrupting, and everything that ends legs (rules 12-21, 59-68)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from sma_flows.protocol.check import ALWAYS_REPORTING
from sma_flows.protocol.events import as_int
from sma_flows.simulator import digits, legs, talk
from sma_flows.simulator.desk import COLLECTING, Desk, Done, Failed, Outcome, bad, dumps
from sma_flows.simulator.model import Leg, Notice, Running, Sent

INTERRUPTIBLE: Final = frozenset({"PlayAudio", "RecordAudio", "Pause"})
ANSWERS: Final = frozenset(
    {
        *COLLECTING,
        *("PlayAudio", "Speak", "RecordAudio", "StartBotConversation", "JoinChimeMeeting"),
    }
)
"""Actions that answer an inbound call (rule 13); CallAndBridge and Hangup never do, the others by a switch."""

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
    while not (desk.over or desk.running or desk.holding) and desk.alive:
        if not desk.rest:
            if not desk.next_list:
                return
            desk.rest, desk.next_list = desk.next_list, ()
        sent, desk.rest = desk.rest[0], desk.rest[1:]
        _begin(desk, sent)


def _begin(desk: Desk, sent: Sent) -> None:
    if sent.type == "StartBotConversation" and desk.rest:  # rule 53
        desk.error(f"Actions behind StartBotConversation are not run: {', '.join(one.type for one in desk.rest)}")
        desk.rest = ()
    leg = _target(desk, sent)
    if leg is None or leg.gone or (leg.status != "Connected" and (leg.tag == "LEG-B" or desk.outbound)):  # rule 16
        fallback = leg or desk.leg(sent.leg) or desk.legs[0]
        _finish(desk, Running(sent, fallback.tag, ""), bad("CallId or ParticipantTag parameter for action is invalid"))
        return
    fault = desk.broken(sent)
    if fault is not None:
        _finish(desk, Running(sent, leg.tag, ""), fault)
        return
    if sent.type == "Hangup":  # rule 58
        _hang_up(desk, sent, leg)
        return
    if not leg.connected and (
        sent.type in ANSWERS or (sent.type != "CallAndBridge" and desk.switches.pause_answers == "yes")
    ):
        desk.cancel("unanswered")
        leg = desk.answer_leg(leg)  # rule 13
    settle(desk, START[sent.type](desk, sent, leg), Running(sent, leg.tag, ""))


def _target(desk: Desk, sent: Sent) -> Leg | None:
    """Rule 16: CallId if known, else the tag, else the leg of the event."""
    params = sent.parameters()
    for leg in desk.legs:
        if leg.call_id == params.get("CallId"):
            return leg
    if params.get("ParticipantTag"):
        return desk.leg(str(params["ParticipantTag"]))
    alone = sent.type in ("CallAndBridge", "JoinChimeMeeting", "StartBotConversation")
    return None if params.get("CallId") else desk.leg("LEG-A" if alone else sent.leg)


def settle(desk: Desk, outcome: Outcome, action: Running | None = None) -> None:
    """An action has an outcome, or goes on. Without *action* it is the running one."""
    if outcome is None:
        return
    action = action or desk.running
    if action is None:
        return
    desk.stop()
    _finish(desk, action, outcome)


def _finish(desk: Desk, action: Running, outcome: Done | Failed) -> None:
    sent, leg = action.action, desk.leg(action.leg)
    if leg is None:
        return
    if isinstance(outcome, Failed):  # rule 19
        desk.rest = ()
        desk.report(sent, leg, outcome)
        return
    always = sent.type in ALWAYS_REPORTING or (
        sent.type == "StartCallRecording" and desk.switches.start_recording_event == "always"
    )
    if always or not (desk.rest or action.dropped):  # rules 17 and 18
        desk.report(sent, leg, outcome)


def replace_list(desk: Desk, actions: tuple[Sent, ...], cause: str) -> None:
    """A newer list arrives (rules 6, 67, 68)."""
    running = desk.running
    rest, desk.rest, desk.next_list = desk.rest, (), ()
    if running is None:
        desk.rest = actions
        return
    by_update = cause not in ("DIGITS_RECEIVED", "HANGUP")
    leg = desk.leg(running.leg)
    if (
        running.action.type in INTERRUPTIBLE
        and leg is not None
        and (by_update or desk.switches.interrupt_on_digits == "yes")
    ):
        desk.stop()
        desk.tell(Notice("ACTION_INTERRUPTED", leg.tag, dumps(desk.echo(running.action, leg))))
        desk.rest = actions
        return
    desk.running = replace(running, dropped=running.dropped or bool(rest))
    desk.next_list = actions


# --- ends of legs --------------------------------------------------------------------------------------------------


def _hang_up(desk: Desk, sent: Sent, leg: Leg) -> None:
    code = as_int(sent.parameters().get("SipResponseCode")) or 0
    others = [one for one in desk.connected() if one.tag != leg.tag]
    meeting = desk.joined.startswith("meeting")
    desk.leave(leg, code, "flow")
    left = replace(leg, status="Disconnected")
    if meeting and leg.tag == "LEG-A":
        _drop_others(desk)
        others = []
    if not others:  # rules 12 and 59
        desk.clear()
        desk.stop()
        desk.tell_hangup(left, code)
    elif meeting:  # rule 61
        desk.report(sent, left, Done())
        if desk.switches.meeting_hangup_event == "yes":
            desk.tell_hangup(left, code)
    elif desk.switches.hangup_order == "hangup_first":  # rule 60
        desk.tell_hangup(left, code, holds=True)
        desk.report(sent, left, Done(), holds=False)
    else:
        desk.report(sent, left, Done())
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
    desk.leave(leg, code, "party")
    left = replace(leg, status="Disconnected")
    if running is not None and running.leg == leg.tag:
        if desk.switches.hangup_during_action == "observed":
            _last_report(desk, running, left)
        desk.rest = desk.next_list = ()
    extra: list[Leg] = []
    if leg.tag == "LEG-A" and (meeting or ringing):  # rules 45 and 64
        extra = _drop_others(desk)
    desk.clear()
    if meeting and extra and desk.switches.meeting_second_hangup == "yes":
        _tell_two(desk, left, code)
        return
    desk.tell_hangup(left, code)


def _tell_two(desk: Desk, first: Leg, code: int) -> None:
    """Rule 64 with ``meeting_second_hangup``: the second HANGUP is the last event."""
    desk.tell_hangup(first, code)
    desk.queue = (*desk.queue[:-1], replace(desk.queue[-1], final=False))
    other = desk.leg("LEG-B")
    if other is not None:
        desk.tell_hangup(other, 0)


def _last_report(desk: Desk, running: Running, leg: Leg) -> None:
    """Rule 62, ``observed``: the action's own event, with Status Disconnected, before HANGUP."""
    kind = running.action.type
    if kind == "RecordAudio":
        desk.report(running.action, leg, talk.recorded(desk, running), holds=False)
    elif kind in (*COLLECTING, "StartBotConversation", "CallAndBridge"):
        fault = Failed("SystemException", "System error while running action")
        desk.report(running.action, leg, fault, holds=False)


def end_all(desk: Desk, code: int, *, tell: bool = True) -> None:
    """The service ends the call: every leg goes, and a last HANGUP is sent if anybody can still be told."""
    desk.clear()
    desk.stop()
    legs.drop_ringing(desk)
    staying = [leg for leg in desk.legs if not leg.gone]
    for leg in staying:
        desk.legs = tuple(replace(one, status="Disconnected") if one == leg else one for one in desk.legs)
        desk.gone(leg, code, "service")
    desk.joined, desk.listeners, desk.queue, desk.delivered, desk.timers, desk.held = "", (), (), (), (), ()
    if tell and staying:
        desk.tell_hangup(replace(staying[0], status="Disconnected"), code)
