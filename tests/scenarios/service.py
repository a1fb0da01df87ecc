"""The service's side of one call: legs, listeners, attributes, Sequence, and the events made of them.

Facts: sections 1, 3, 5 and 9 of the contract (events carry no Status before the answer, legs that left stay in the
list until a new leg B replaces them, the echo is what was sent plus Repeat, InBetweenDigits... and the CallId).
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .script import CALLER, OWN_NUMBER, Script, ScriptError, Step

ACCOUNT = "111122223333"
REGION = "us-east-1"
APPLICATION = "abcdefab-aaaa-bbbb-cccc-abcdefabcdef"
RULE = "fedcbafe-dddd-eeee-ffff-fedcbafedcba"
DIGIT_ACTIONS = ("PlayAudioAndGetDigits", "SpeakAndGetDigits")
REPORTS_ALWAYS = frozenset(
    {
        "CallAndBridge", "JoinChimeMeeting", "ModifyChimeMeetingAttendees", "PlayAudioAndGetDigits", "RecordAudio",
        "SpeakAndGetDigits", "StartBotConversation",
    }
)  # fmt: skip


class UnheardError(Exception):
    """Something that the service could not deliver because the handler did not ask for it (a key without listener)."""


@dataclass(slots=True)
class Leg:
    """A participant."""

    tag: str
    call_id: str
    to: str
    from_: str
    direction: str
    started: str
    status: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def alive(self) -> bool:
        """An absent Status counts as connected (R2)."""
        return self.status != "Disconnected"

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "CallId": self.call_id,
            "ParticipantTag": self.tag,
            "To": self.to,
            "From": self.from_,
            "Direction": self.direction,
            "StartTimeInMilliseconds": self.started,
        }
        if self.headers:
            data["SipHeaders"] = dict(self.headers)
        if self.status:
            data["Status"] = self.status
        return data


def letters(text: str) -> str:
    """An identifier that cannot be mistaken for digits in a log: a UUID shape out of letters only."""
    import hashlib

    raw = hashlib.sha256(text.encode()).hexdigest().translate(str.maketrans("0123456789", "abcdefabcd"))
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:32]}"


class Line:
    """One transaction as the service keeps it."""

    def __init__(self, script: Script, number: int) -> None:
        self.script = script
        self.number = number
        self.transaction = letters(f"{script.name}/{number}")
        self.sequence = 0
        self.attributes: dict[str, Any] | None = None
        self.legs: dict[str, Leg] = {}
        self.lists: list[list[dict[str, Any]]] = []
        self.listeners: dict[str, dict[str, Any]] = {}
        self.bridges = 0

    # -- events ------------------------------------------------------------------------------------------------------

    def event(self, step: Step, now: datetime) -> dict[str, Any]:
        """The next event of this call."""
        if not self.legs:
            self._open(step, now)
        if step.status == "disconnected":
            self.legs[f"LEG-{step.leg or 'A'}"].status = "Disconnected"
        data = self._action_data(step, now)
        self.sequence += 1
        event: dict[str, Any] = {
            "SchemaVersion": "1.0",
            "Sequence": self.sequence,
            "InvocationEventType": step.event,
            **({"ActionData": data} if data is not None else {}),
            "CallDetails": self._details(),
        }
        if step.event == "INVALID_LAMBDA_RESPONSE":
            event |= {"ErrorType": step.error or "TransactionAttributesInvalidMapSize", "ErrorMessage": step.message}
        return event

    def _open(self, step: Step, now: datetime) -> None:
        outbound = step.event == "NEW_OUTBOUND_CALL"
        mine = self.number == 1
        from_ = (self.script.from_ if mine else "") or (OWN_NUMBER if outbound else CALLER)
        to = (self.script.to if mine else "") or (CALLER if outbound else OWN_NUMBER)
        self.outbound = outbound
        self.legs["LEG-A"] = Leg(
            "LEG-A",
            letters(f"{self.transaction}/A"),
            to,
            from_,
            "Outbound" if outbound else "Inbound",
            _millis(now),
            headers=dict(self.script.headers) if mine else {},
        )

    def _details(self) -> dict[str, Any]:
        details: dict[str, Any] = {"TransactionId": self.transaction}
        if self.attributes:
            details["TransactionAttributes"] = copy.deepcopy(self.attributes)
        details |= {"AwsAccountId": ACCOUNT, "AwsRegion": REGION}
        if not self.outbound:
            details["SipRuleId"] = RULE
        details["SipMediaApplicationId"] = APPLICATION
        details["Participants"] = [self.legs[tag].to_json() for tag in sorted(self.legs)]
        return details

    def _action_data(self, step: Step, now: datetime) -> dict[str, Any] | None:
        match step.event:
            case "CALL_ANSWERED":
                self.legs["LEG-A"].status = "Connected"
                return None
            case "NEW_OUTBOUND_CALL":
                arguments = {"Arguments": dict(step.arguments)}
                return {"Type": "CallCreateRequest", "Parameters": arguments} if step.arguments else None
            case "CALL_UPDATE_REQUESTED":
                return {"Type": "CallUpdateRequest", "Parameters": {"Arguments": dict(step.arguments)}}
            case "HANGUP":
                leg = self._leg(step.leg or "A")
                leg.status = "Disconnected"
                self.listeners.pop(leg.tag, None)
                return {
                    "Type": "Hangup",
                    "Parameters": {"SipResponseCode": step.code, "CallId": leg.call_id, "ParticipantTag": leg.tag},
                }
            case "DIGITS_RECEIVED":
                return self._digits(step)
            case "ACTION_SUCCESSFUL":
                action = self._sent(step, last=True)
                return self._success(action, step, now)
            case "ACTION_FAILED":
                return self._failure(self._sent(step, last=False), step)
            case "ACTION_INTERRUPTED":
                return self.echo(self._sent(step, last=True))
            case _:
                return None

    def _leg(self, name: str) -> Leg:
        tag = name if name.startswith("LEG-") else f"LEG-{name}"
        if tag not in self.legs:
            raise UnheardError(f"there is no {tag}")
        return self.legs[tag]

    def _digits(self, step: Step) -> dict[str, Any]:
        leg = self._leg(step.leg or "A")
        listener = self.listeners.get(leg.tag)
        if listener is None:
            raise UnheardError(f"nobody listens for keys on {leg.tag}: {step.digits} would be lost")
        pattern = listener["Parameters"]["InputDigitsRegex"]
        if step.shape != "flushed" and not re.search(pattern, step.digits or ""):
            raise UnheardError(f"the listener on {leg.tag} waits for {pattern}: {step.digits} would be lost")
        return {**self.echo(listener), "ReceivedDigits": step.digits}

    def _sent(self, step: Step, *, last: bool) -> dict[str, Any]:
        """The action that a report is about: of the newest list that has one."""
        lists = self.lists[step.sent - 1 : step.sent] if step.sent else self.lists
        for actions in reversed(lists):
            fits = [
                action
                for action in actions
                if action["Type"] == step.action
                and (not step.leg or self.tag_of(action) == f"LEG-{step.leg}")
                and all(value in str(action["Parameters"]) for value in step.match.values())
            ]
            if fits:
                return fits[-1 if last else 0]
        if step.action == "Hangup":
            return {"Type": "Hangup", "Parameters": {"CallId": self._leg(step.leg or "A").call_id}}
        raise UnheardError(f"{step.event} of {step.action}, but no list that was sent has such an action")

    def tag_of(self, action: dict[str, Any]) -> str:
        """The leg an action is addressed to; without address the leg of the event it answered (kept in ``_leg``)."""
        parameters = action.get("Parameters") or {}
        for leg in self.legs.values():
            if parameters.get("CallId") == leg.call_id:
                return leg.tag
        return str(parameters.get("ParticipantTag") or action.get("_leg") or "LEG-A")

    def echo(self, action: dict[str, Any]) -> dict[str, Any]:
        """ActionData of a report: parameters as sent, defaults filled, CallId resolved (rule 20)."""
        parameters = copy.deepcopy(action["Parameters"])
        tag = self.tag_of(action)
        if tag in self.legs:
            parameters.setdefault("CallId", self.legs[tag].call_id)
        kind = action["Type"]
        if kind in DIGIT_ACTIONS or kind == "PlayAudio":
            parameters.setdefault("Repeat", 1)
        if kind in DIGIT_ACTIONS:
            parameters.setdefault(
                "InBetweenDigitsDurationInMilliseconds", parameters.get("RepeatDurationInMilliseconds")
            )
        return {"Type": kind, "Parameters": parameters}

    def _success(self, action: dict[str, Any], step: Step, now: datetime) -> dict[str, Any]:
        data = self.echo(action)
        parameters = action["Parameters"]
        kind = step.action
        if kind in DIGIT_ACTIONS:
            if step.digits is None:
                raise ScriptError(f"{self.script.name}: a success of {kind} needs digits")
            data["ReceivedDigits"] = step.digits
        elif kind == "ReceiveDigits":
            data["ReceivedDigits"] = ""
        elif kind == "RecordAudio":
            bucket = step.bucket or parameters["RecordingDestination"]["BucketName"]
            data["RecordingDestination"] = {"Type": "S3", "BucketName": bucket, "Key": step.key or "recording.wav"}
            if step.terminator:
                data["RecordingTerminatorUsed"] = step.terminator
        elif kind == "StartCallRecording":
            location = step.location or f"{parameters['Destination']['Location']}/2026/11/20/call.wav"
            data["CallRecordingDestination"] = {"Type": "S3", "Location": location}
        elif kind == "StartBotConversation":
            data["IntentResult"] = self._bot_result(step, data["Parameters"].get("CallId", ""))
        elif kind in ("CallAndBridge", "JoinChimeMeeting") and self._newest_join() is action:
            # A late report of an earlier bridge shows the legs as they are now.
            self._join(action, now)
        elif kind == "Hangup":
            self._leg(self.tag_of(action)).status = "Disconnected"
        return data

    def _newest_join(self) -> dict[str, Any] | None:
        joins = [a for actions in self.lists for a in actions if a["Type"] in ("CallAndBridge", "JoinChimeMeeting")]
        return joins[-1] if joins else None

    def _join(self, action: dict[str, Any], now: datetime) -> None:
        parameters = action["Parameters"]
        self.legs["LEG-A"].status = "Connected"
        self.bridges += 1
        if action["Type"] == "JoinChimeMeeting":
            to, from_, headers = "SMA", "+17035550122", {}
        else:
            to, from_ = parameters["Endpoints"][0]["Uri"], parameters["CallerIdNumber"]
            headers = dict(parameters.get("SipHeaders") or {})
        call_id = letters(f"{self.transaction}/B{self.bridges}")
        self.legs["LEG-B"] = Leg("LEG-B", call_id, to, from_, "Outbound", _millis(now), "Connected", headers)
        self.listeners.pop("LEG-B", None)

    @staticmethod
    def _bot_result(step: Step, session: str) -> dict[str, Any]:
        slots = {
            name: None
            if value == "none"
            else {
                "Value": {"OriginalValue": value.lower(), "InterpretedValue": value, "ResolvedValues": [value]},
                "Values": [],
            }
            for name, value in step.slots.items()
        }
        state = step.state or ("Failed" if step.intent == "FallbackIntent" else "ReadyForFulfillment")
        intent = {"Name": step.intent, "Slots": slots, "State": state, "ConfirmationState": "None"}
        session_state = {"SessionAttributes": dict(step.attributes), "Intent": intent}
        return {"SessionId": session, "SessionState": session_state, "Interpretations": [{"Intent": intent}]}

    def _failure(self, action: dict[str, Any], step: Step) -> dict[str, Any]:
        data = self.echo(action)
        error = step.error or "SystemException"
        message = step.message or "System error while running action"
        if step.shape == "error":
            return {**data, "Error": f"{error}: {message}"}
        data |= {"ErrorType": error, "ErrorMessage": message}
        if step.action == "ModifyChimeMeetingAttendees":
            data["ErrorList"] = [
                {"AttendeeId": item, "Error": "unknown"} for item in action["Parameters"]["AttendeeList"]
            ]
        return data

    # -- answers -----------------------------------------------------------------------------------------------------

    def take(self, event: dict[str, Any], answer: dict[str, Any]) -> None:
        """Store attributes, make the answer's list the current one, register listeners, answer leg A."""
        attributes = answer.get("TransactionAttributes")
        if attributes is not None:
            self.attributes = copy.deepcopy(attributes) or None
        kind = event["InvocationEventType"]
        actions = answer.get("Actions") or []
        if not actions or kind in ("NEW_OUTBOUND_CALL", "RINGING", "ACTION_INTERRUPTED"):
            return
        tag = event_leg(event)
        self.lists.append([{**copy.deepcopy(action), "_leg": tag} for action in actions])
        leg = self.legs["LEG-A"]
        if not self.outbound and leg.status is None and actions[0]["Type"] != "Hangup":
            leg.status = "Connected"
        for action in self.lists[-1]:
            if action["Type"] == "ReceiveDigits":
                self.listeners[self.tag_of(action)] = action


def event_leg(event: dict[str, Any]) -> str:
    """The tag of the leg that an event belongs to (where actions without address go)."""
    parameters = (event.get("ActionData") or {}).get("Parameters") or {}
    for leg in event["CallDetails"]["Participants"]:
        if leg["CallId"] == parameters.get("CallId"):
            return str(leg["ParticipantTag"])
    return str(parameters.get("ParticipantTag") or "LEG-A")


def _millis(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))
