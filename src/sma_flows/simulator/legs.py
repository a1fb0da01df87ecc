"""The second leg, recordings of the whole call, bots (rules 42-57)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Literal

from sma_flows.protocol import limits
from sma_flows.protocol.actions import InvalidActionError, sip_headers
from sma_flows.protocol.events import as_int
from sma_flows.simulator.desk import DONE, Desk, Done, Failed, Outcome, bad
from sma_flows.simulator.jsontext import dumps
from sma_flows.simulator.messages import BotResult, Callee, CallRecording, Dials, Hears, SlotValue
from sma_flows.simulator.model import Leg, Notice, Running, Sent
from sma_flows.simulator.talk import audio_fault, audio_name

MEETING_NUMBER: Final = "+17035550122"
"""Who dials it is connected with a meeting: the two headers say with which, and as whom (contract 6.1)."""

MEETING_ID: Final = "X-chime-meeting-id"
JOIN_TOKEN: Final = "X-chime-join-token"  # noqa: S105 (the name of a header)

NOT_ANSWERED: Final = Failed("CallNotAnswered", "Call not answered")
_E164: Final = re.compile(r"\+[1-9][0-9]{1,14}")
_URI: Final = re.compile(r"[A-Za-z0-9&=+$/%_!~*().-]{1,36}")
_BOT: Final = re.compile(r"arn:aws[a-zA-Z-]*:lex:[a-z0-9-]+:[0-9]{12}:bot-alias/[0-9a-zA-Z]{10}/[0-9a-zA-Z]{10}")
_VC: Final = re.compile(r"arn:aws[a-zA-Z-]*:chime:[a-z0-9-]+:[0-9]+:(vc|vcg)/.+")


def new_leg(desk: Desk, to: str, from_: str, status: str, headers: dict[str, str]) -> Leg:
    """The next LEG-B, with a CallId of its own."""
    desk.others += 1
    ident = f"bbbbbbbb-0000-{desk.world.line}-{desk.others:012d}"
    started = str(desk.world.started_ms + 1000 * desk.others)
    return desk.put(Leg.new("LEG-B", ident, to, from_, "Outbound", started, status, tuple(headers.items())))


def bridge(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rules 42 to 47: the call to LEG-B begins to ring."""
    params = sent.data
    other = desk.leg("LEG-B")
    if leg.tag != "LEG-A" or (other is not None and not other.gone):
        desk.lean("42 twice")
        return bad("CallId or ParticipantTag parameter for action is invalid")
    fault = _bridge_fault(desk, params, leg)
    if fault is not None:
        desk.lean("46")
        return fault
    if desk.world.calls + 3 > desk.world.quota:  # rule 47: this call, and two for the bridge
        desk.lean("47")
        return Failed("SystemException", "System error while running action")
    to = params["Endpoints"][0]["Uri"]
    new_leg(desk, to, params["CallerIdNumber"], "ringing", dict(params.get("SipHeaders") or {}))
    ringback = params.get("RingbackTone")
    desk.out.append(Dials("LEG-B", to, params["CallerIdNumber"]))
    desk.out.append(Hears(leg.tag, "ringback", audio_name(ringback)))
    desk.running = Running(sent, leg.tag, "ring")
    desk.goes_on(1000 * (as_int(params.get("CallTimeoutSeconds")) or 30))
    return None


def _bridge_fault(desk: Desk, params: dict[str, Any], leg: Leg) -> Failed | None:
    """Rule 46, with the messages of contract 4.1."""
    ends = params.get("Endpoints")
    if not isinstance(ends, list) or len(ends) != 1:
        return bad("Invalid number of endpoints provided.")
    end = ends[0] if isinstance(ends[0], dict) else {}
    kind, uri = end.get("BridgeEndpointType"), str(end.get("Uri") or "")
    good_pstn = kind == "PSTN" and _E164.fullmatch(uri) and not end.get("Arn")
    if not good_pstn and not (kind == "AWS" and _URI.fullmatch(uri) and _VC.fullmatch(str(end.get("Arn") or ""))):
        return bad("Endpoint parameter is invalid.")
    caller_id = params.get("CallerIdNumber")
    if not caller_id:
        return bad("Caller ID not defined.")
    if not isinstance(caller_id, str) or not _E164.fullmatch(caller_id):
        return bad("Invalid caller ID.")
    if caller_id not in desk.world.numbers and caller_id != leg.from_:
        return bad(
            "Provided caller ID number is invalid. Number must be owned by this AWS account, or be the From number of "
            "LEG-A."
        )
    seconds = 30 if params.get("CallTimeoutSeconds") is None else as_int(params["CallTimeoutSeconds"])
    if seconds is None or not limits.MIN_RING_S <= seconds <= limits.MAX_RING_S:
        return bad("The MaxCallTimeout parameter is invalid. Timeout must be between 0 and 120 seconds.")
    headers = params.get("SipHeaders") or {}
    if not isinstance(headers, dict):
        return bad("Invalid SIP header(s) provided: SipHeaders.")
    for name, value in headers.items():
        try:
            sip_headers({name: value})
        except InvalidActionError:
            value = None
        if not isinstance(value, str):
            return bad(f"Invalid SIP header(s) provided: {name}.")
    return audio_fault(desk, params["RingbackTone"]) if params.get("RingbackTone") else None


def drop_ringing(desk: Desk) -> None:
    """Nobody answered: there is no LEG-B (rule 43)."""
    if len(desk.legs) > 1:
        desk.keep(tuple([leg for leg in desk.legs if leg.status != "ringing" or leg.tag == "LEG-A"]))


def bridge_callee(desk: Desk, callee: Callee) -> Outcome:
    """What the called party of a ringing bridge does."""
    leg, caller = desk.leg("LEG-B"), desk.leg("LEG-A")
    if leg is None or caller is None:
        return None
    if callee.does == "rings":
        desk.lean("42 ringing")
        if desk.switches.bridge_ringing == "yes":
            desk.tell(Notice("RINGING", "LEG-B"))
        return None
    if callee.does in ("answers", "voicemail"):  # rules 42 and 44
        desk.lean("42" if callee.does == "answers" else "44")
        if not caller.connected:
            desk.lean("42 unanswered")
        desk.answer_leg(leg)
        desk.answer_leg(caller)
        desk.joined = "bridge"
        desk.out += [Hears("LEG-A", "other"), Hears("LEG-B", "other")]
        return DONE
    desk.lean("43" if callee.does == "no_answer" else "43 busy")
    drop_ringing(desk)
    return NOT_ANSWERED


def join(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rules 48 to 50."""
    params = sent.data
    other = desk.leg("LEG-B")
    if leg.tag != "LEG-A" or (other is not None and not other.gone):
        desk.lean("50")
        return bad("Invalid action on the call.")
    if not (isinstance(params.get("MeetingId"), str) and params["MeetingId"]):
        desk.lean("50")
        return bad("Meeting ID parameter value is invalid.")
    token = params.get("JoinToken")
    if not isinstance(token, str) or not limits.MIN_EXTERNAL_ID <= len(token) <= limits.MAX_JOIN_TOKEN:
        desk.lean("49")
        return bad("JoinToken parameter value is invalid.")
    if token in desk.world.dead_tokens:
        desk.lean("49 shape")
        if desk.switches.join_error_shape == "error_string":
            return Failed("ErrorJoiningMeeting", "Error while joining meeting.", "error")
        return bad("JoinToken parameter value is invalid.")
    if desk.world.join_ms:
        desk.running = Running(sent, leg.tag, "join")
        desk.goes_on(desk.world.join_ms)
        return None
    return joined(desk, sent)


def joined(desk: Desk, sent: Sent) -> Done:
    """Rule 48: the meeting's leg is there."""
    desk.lean("48")
    params = sent.data
    headers = {MEETING_ID: params["MeetingId"], JOIN_TOKEN: params["JoinToken"]}
    new_leg(desk, "SMA", MEETING_NUMBER, "Connected", headers)
    desk.joined = f"meeting {params['MeetingId']}"
    desk.out.append(Hears("LEG-A", "other"))
    return DONE


def modify(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rule 51: each check of contract 4.4 has its own message."""
    desk.lean("51")
    params = sent.data
    people = params.get("AttendeeList")
    message = ""
    if params.get("Operation") not in ("Mute", "Unmute"):
        message = "The ModifyChimeMeetingAttendees Operation parameter value is invalid"
    elif not (isinstance(params.get("MeetingId"), str) and params["MeetingId"]):
        message = "Meeting ID parameter value is invalid."
    elif not (isinstance(people, list) and 1 <= len(people) <= limits.MAX_ATTENDEE_LIST and _texts(people)):
        message = "Attendee List parameter value is invalid."
    elif leg.tag != "LEG-B":
        message = "Invalid action on the call."
    elif desk.joined != f"meeting {params['MeetingId']}":
        message = "Call is not connected to Chime Meeting."
    elif desk.world.attendees is not None and not desk.world.attendees.issuperset(people):
        message = "One or more attendees are not part of this meeting. All attendees must be part of this meeting."
    return bad(message) if message else DONE


def _texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def bot(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rules 52 and 54: the conversation lasts until the script says how it ended."""
    other = desk.leg("LEG-B")
    if leg.tag != "LEG-A" or (other is not None and not other.gone):
        desk.lean("52 alone")
        return bad("CallId or ParticipantTag parameter for action is invalid")
    message = _bot_fault(sent.data)
    if message:
        desk.lean("54 parameters")
        return bad(message)
    desk.lean("54")
    arn = sent.data["BotAliasArn"]
    if arn in desk.world.missing_bots:
        return Failed("ResourceNotFound", "The bot or its alias was not found.")
    if arn in desk.world.forbidden_bots:
        return Failed("ResourceAccessDenied", "Access to the bot was denied.")
    if desk.world.bots_throttled:
        return Failed("ActionExecutionThrottled", "The quota of bots is used up.")
    desk.out.append(Hears(leg.tag, "bot", arn))
    desk.running = Running(sent, leg.tag, "bot")
    return None


def _bot_fault(params: dict[str, Any]) -> str:
    """What is wrong with the parameters of a conversation (contract 4.16); the messages are ours."""
    if not isinstance(params.get("BotAliasArn"), str) or not _BOT.fullmatch(params["BotAliasArn"]):
        return "BotAliasArn parameter value is invalid."
    setup = params.get("Configuration")
    if setup is None:
        return ""
    if not isinstance(setup, dict) or len(dumps(setup).encode()) > limits.MAX_BOT_CONFIGURATION_BYTES:
        return "Configuration parameter value is invalid."
    state = setup.get("SessionState")
    dialog = state.get("DialogAction") if isinstance(state, dict) else None
    elicits = isinstance(dialog, dict) and dialog.get("Type") == "ElicitIntent"
    return "" if elicits or not setup.get("WelcomeMessages") else "WelcomeMessages need DialogAction ElicitIntent."


def bot_result(desk: Desk, result: BotResult) -> Outcome:
    """The bot's last word (contract 4.16)."""
    leg = desk.leg("LEG-A")
    if leg is None:
        return None
    desk.lean("54" if result.error else "52")
    if result.error:
        return Failed(result.error, result.message or "System error while running action")
    intent = {
        "Name": result.intent,
        "Slots": {name: _slot(value) for name, value in result.slots},
        "State": result.state,
        "ConfirmationState": result.confirmation,
    }
    heard = [_heard(intent, None if result.intent == "FallbackIntent" else result.score)]
    heard += [_heard({"Name": name, "Slots": {}}, score) for name, score in result.others]
    state = {"SessionAttributes": dict(result.attributes), "Intent": intent}
    found = {"SessionId": leg.call_id, "SessionState": state, "Interpretations": heard}
    return Done(f',"IntentResult":{dumps(found)}')


def _slot(value: str | SlotValue | None) -> dict[str, Any] | None:
    if value is None:
        return None
    said = SlotValue(value, value, (value,)) if isinstance(value, str) else value
    told = {
        "OriginalValue": said.original,
        "InterpretedValue": said.interpreted,
        "ResolvedValues": list(said.resolved),
    }
    return {"Value": told, "Values": []}


def _heard(intent: dict[str, Any], score: float | None) -> dict[str, Any]:
    """FallbackIntent has no confidence; of the second ones no state is told (contract 4.16)."""
    return {"Intent": intent} if score is None else {"Intent": intent, "NluConfidence": {"Score": score}}


def start_recording(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rule 55."""
    params = sent.data
    place = params.get("Destination")
    location = str(place.get("Location") or "") if isinstance(place, dict) else ""
    bucket, _, prefix = location.partition("/")
    if leg.recording:
        desk.lean("55 twice")
        return bad("Invalid action on the call.")
    if params.get("Track") not in ("BOTH", "INCOMING", "OUTGOING") or not bucket:
        desk.lean("55 parameters")
        return bad("The Track parameter is invalid." if bucket else "The Destination parameter is invalid.")
    desk.lean("55")
    if bucket in desk.world.unwritable:
        return Failed("NoAccessToDestination", "Error while accessing destination", "error")
    desk.put(leg.having(leg.status, "on"))
    folder = f"{prefix or 'Amazon-Chime-SMA-Call-Recordings'}/{desk.world.day}"
    key = f"{folder}/{desk.world.started_ms}_{desk.world.transaction}_{leg.call_id}.wav"
    desk.out.append(CallRecording(leg.tag, "starts", bucket, key, params["Track"]))
    place = dumps({"Type": "S3", "Location": f"{bucket}/{key}"})
    return Done(f',"CallRecordingDestination":{place}')


def _recording(
    before: str, after: str, does: Literal["pauses", "resumes", "stops"]
) -> Callable[[Desk, Sent, Leg], Outcome]:
    def change(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
        """Rule 56."""
        if leg.recording not in before.split():
            desk.lean("56 wrong")
            return bad(f"{sent.type} is not possible: the leg is not being recorded.")
        desk.lean("56")
        desk.put(leg.having(leg.status, after))
        desk.out.append(CallRecording(leg.tag, does))
        return DONE

    return change


stop_recording = _recording("on paused", "stopped", "stops")
pause_recording = _recording("on", "paused", "pauses")
resume_recording = _recording("paused", "on", "resumes")


def voice_focus(desk: Desk, sent: Sent, leg: Leg) -> Outcome:  # noqa: ARG001 (signature of all actions)
    """Rule 57."""
    enable = sent.data.get("Enable")
    if enable is None:
        desk.lean("57")
        return Failed("MissingRequiredActionParameter", "Enable is a required parameter.")
    if not isinstance(enable, bool) and str(enable).lower() not in ("true", "false"):
        desk.lean("57 value")
        return bad("The Enable parameter is invalid.")
    desk.lean("57")
    return DONE
