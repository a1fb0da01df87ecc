"""The service as a call flow sees it: builds the events of one call and threads its attributes.

Shapes follow the contract of the service (developer guide, "Understanding PSTN Audio service call flows"): the first
event has no Status, an action's event repeats the Parameters that were sent plus the resolved CallId, leg B appears
when a bridge or a meeting is connected, and TransactionAttributes arrive with every event once something was saved.
Ids are derived from the story's name, so that the same story always gives the same bytes.
"""

from __future__ import annotations

import copy
import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

ACCOUNT = "111122223333"
REGION = "us-east-1"
APPLICATION = "6f0d2c1e-4b7a-4d6e-9a53-1f2e3d4c5b6a"
RULE = "a3b1c9d7-52e8-4f60-8b9c-0d1e2f3a4b5c"
MEETING_NUMBER = "+17035550122"
"""The number that a meeting leg shows in the developer guide."""

DIGIT_ACTIONS = ("SpeakAndGetDigits", "PlayAudioAndGetDigits")
NEVER_ANSWERING = ("Hangup", "Pause", "VoiceFocus", "ReceiveDigits", "StartCallRecording")

ERRORS = {
    "InvalidDigitsReceived": "Invalid digits received.",
    "CallNotAnswered": "Call not answered",
    "SystemException": "System error while running action",
    "InvalidActionParameter": "A parameter of the action is invalid.",
    "InvalidAudioSource": "Cannot access S3 bucket or audio file.",
    "ResourceAccessDenied": "Access to the bot alias is denied.",
    "ActionExecutionThrottled": "The action was throttled.",
    "ErrorJoiningMeeting": "Error while joining meeting.",
}
"""What the service says beside an error type. Free text: no flow may depend on it."""

Answer = dict[str, Any]
Handler = Callable[[Mapping[str, Any], datetime], Answer]


def own_id(*words: str) -> str:
    """A valid random-looking UUID that depends on *words* only."""
    return str(uuid.UUID(bytes=hashlib.sha256("/".join(words).encode()).digest()[:16], version=4))


@dataclass
class Leg:
    """One participant, as it is printed in an event."""

    call_id: str
    tag: str
    to: str
    from_: str
    direction: str
    since: datetime
    status: str | None = None

    def to_json(self) -> dict[str, str]:
        shown = {
            "CallId": self.call_id,
            "ParticipantTag": self.tag,
            "To": self.to,
            "From": self.from_,
            "Direction": self.direction,
            "StartTimeInMilliseconds": str(round(self.since.timestamp() * 1000)),
        }
        return shown if self.status is None else {**shown, "Status": self.status}


@dataclass
class Network:
    """One call. Every method sends one event and takes the answer.

    ``sent`` holds the events without TransactionAttributes, each with the answer that the handler gave; ``now`` is the
    time at the last event.
    """

    name: str
    handler: Handler
    now: datetime
    caller: str
    called: str
    inbound: bool = True
    arguments: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    actions: list[dict[str, Any]] = field(default_factory=list)
    sent: list[tuple[dict[str, Any], Answer]] = field(default_factory=list)
    recordings: int = 0
    b_legs: int = 0

    def __post_init__(self) -> None:
        direction = "Inbound" if self.inbound else "Outbound"
        start = self.now
        self.transaction = own_id(self.name, "transaction")
        self.legs = {"A": Leg(own_id(self.name, "leg A"), "LEG-A", self.called, self.caller, direction, start)}

    # -- what the telephone network and the two parties do ---------------------------------------------------------

    def starts(self) -> None:
        if self.inbound:
            self._send("NEW_INBOUND_CALL", None, seconds=0)
        else:
            data = {"Type": "CallCreateRequest", "Parameters": {"Arguments": dict(self.arguments)}}
            self._send("NEW_OUTBOUND_CALL", data if self.arguments else None, seconds=0)

    def rings(self) -> None:
        self._send("RINGING", None, seconds=2)

    def answers(self) -> None:
        self.legs["A"].status = "Connected"
        self._send("CALL_ANSWERED", None, seconds=7)

    def digits(self, pressed: str) -> None:
        """The pending question is answered with these keys; a finishing key is not part of what the service reports."""
        self._succeeds(self._last(*DIGIT_ACTIONS), seconds=6, ReceivedDigits=pressed)

    def silence(self) -> None:
        self.fails("InvalidDigitsReceived")

    def done(self) -> None:
        """The last action of the list has ended well."""
        action = self._last()
        extra: dict[str, Any] = {}
        if action["Type"] in ("CallAndBridge", "JoinChimeMeeting"):
            self._leg_b(action)
        if action["Type"] == "ReceiveDigits":
            extra["ReceivedDigits"] = ""
        self._succeeds(action, seconds=5, **extra)

    def records(self, ended_by: str) -> None:
        """Something was recorded; *ended_by* is the finishing key, or a word such as silence or hang-up."""
        action = self._last("RecordAudio")
        where = action["Parameters"]["RecordingDestination"]
        self.recordings += 1
        self.now += timedelta(seconds=8)
        key = f"{self.now:%Y/%m/%d/%H-%M-%S}_{self.legs['A'].call_id}_{self.recordings}.wav"
        prefix = where.get("Prefix", "").rstrip("/")
        extra: dict[str, Any] = {
            "RecordingDestination": {
                "Type": "S3",
                "BucketName": where["BucketName"],
                "Key": f"{prefix}/{key}" if prefix else key,
            }
        }
        if len(ended_by) == 1:
            extra["RecordingTerminatorUsed"] = ended_by
        if ended_by == "hang-up":
            self.legs["A"].status = "Disconnected"
        self._succeeds(action, seconds=0, **extra)

    def bot(self, result: Mapping[str, Any]) -> None:
        """The conversation has ended with *result*: intent, slots (by name), attributes, state."""
        action = self._last("StartBotConversation")
        intent = {
            "Name": result["intent"],
            "Slots": {name: _slot(value) for name, value in result.get("slots", {}).items()},
            "State": result.get("state", "ReadyForFulfillment"),
            "ConfirmationState": "None",
        }
        reading: dict[str, Any] = {"Intent": intent}
        if result["intent"] != "FallbackIntent":
            reading["NluConfidence"] = {"Score": 0.94}
        self._succeeds(
            action,
            seconds=12,
            IntentResult={
                "SessionId": self.legs["A"].call_id,
                "SessionState": {"SessionAttributes": dict(result.get("attributes", {})), "Intent": intent},
                "Interpretations": [reading],
            },
        )

    def fails(self, error: str) -> None:
        """The last action of the list fails."""
        action = self._last()
        told = ERRORS[error]
        extra = {"ErrorType": error, "ErrorMessage": told}
        if error == "ErrorJoiningMeeting":  # joining reports one text instead of the pair
            extra = {"Error": f"{error}: {told}"}
        self.actions = []
        self._report("ACTION_FAILED", action, 15 if error == "CallNotAnswered" else 5, extra)

    def key(self, pressed: str, leg: str = "A") -> None:
        """Keys that match the listener of *leg*."""
        wanted = self.legs[leg].call_id
        found = [a for a in self.listeners if a["Parameters"].get("CallId") == wanted]
        self._report("DIGITS_RECEIVED", found[-1], 9, {"ReceivedDigits": pressed})

    def update(self, arguments: Mapping[str, str]) -> None:
        data = {"Type": "CallUpdateRequest", "Parameters": {"Arguments": dict(arguments)}}
        self._send("CALL_UPDATE_REQUESTED", data, seconds=6)

    def hangs_up(self, leg: str, code: int = 0) -> None:
        gone = self.legs[leg]
        gone.status = "Disconnected"
        data = {
            "Type": "Hangup",
            "Parameters": {"SipResponseCode": code, "CallId": gone.call_id, "ParticipantTag": gone.tag},
        }
        self._send("HANGUP", data, seconds=3 if code == 0 else 25)

    # -- the machinery ---------------------------------------------------------------------------------------------

    @property
    def listeners(self) -> list[dict[str, Any]]:
        """Every ReceiveDigits that was ever registered."""
        return [a for _, answer in self.sent for a in answer.get("Actions", []) if a["Type"] == "ReceiveDigits"]

    def _last(self, *types: str) -> dict[str, Any]:
        assert self.actions, f"{self.name}: the last answer has no action that could report"
        action = self.actions[-1]
        assert not types or action["Type"] in types, f"{self.name}: the call waits for {action['Type']}, not {types}"
        return action

    def _leg_b(self, action: Mapping[str, Any]) -> None:
        sent = action["Parameters"]
        meeting = action["Type"] == "JoinChimeMeeting"
        to = "SMA" if meeting else sent["Endpoints"][0]["Uri"]
        from_ = MEETING_NUMBER if meeting else sent["CallerIdNumber"]
        self.b_legs += 1
        self.legs["B"] = Leg(
            own_id(self.name, f"leg B{self.b_legs}"),
            "LEG-B",
            to,
            from_,
            "Outbound",
            self.now + timedelta(seconds=1),
            "Connected",
        )

    def _succeeds(self, action: Mapping[str, Any], seconds: int, **extra: object) -> None:
        self._report("ACTION_SUCCESSFUL", action, seconds, extra)

    def _report(self, event: str, action: Mapping[str, Any], seconds: int, extra: Mapping[str, object]) -> None:
        parameters = copy.deepcopy(dict(action["Parameters"]))
        tag = parameters.get("ParticipantTag", "LEG-A")
        parameters.setdefault("CallId", self.legs[tag.removeprefix("LEG-")].call_id)
        self._send(event, {"Type": action["Type"], "Parameters": parameters, **extra}, seconds)

    def _send(self, event: str, data: Mapping[str, Any] | None, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        details: dict[str, Any] = {
            "TransactionId": self.transaction,
            "AwsAccountId": ACCOUNT,
            "AwsRegion": REGION,
            "SipMediaApplicationId": APPLICATION,
            "Participants": [leg.to_json() for leg in self.legs.values()],
        }
        if self.inbound:
            details["SipRuleId"] = RULE
        if self.headers:
            details["Participants"][0]["SipHeaders"] = dict(self.headers)
        shown: dict[str, Any] = {
            "SchemaVersion": "1.0",
            "Sequence": len(self.sent) + 1,
            "InvocationEventType": event,
            **({} if data is None else {"ActionData": dict(data)}),
            "CallDetails": details,
        }
        delivered = copy.deepcopy(shown)
        if self.attributes:
            delivered["CallDetails"]["TransactionAttributes"] = dict(self.attributes)
        answer = self.handler(delivered, self.now)
        self.sent.append((shown, answer))
        self._take(answer)

    def _take(self, answer: Answer) -> None:
        if answer.get("TransactionAttributes"):
            self.attributes = dict(answer["TransactionAttributes"])
        actions = answer.get("Actions")
        if actions:
            self.actions = list(actions)
            first = self.legs["A"]
            if first.status is None and self.inbound and any(a["Type"] not in NEVER_ANSWERING for a in actions):
                first.status = "Connected"


def _slot(value: str | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {"Value": {"OriginalValue": value, "InterpretedValue": value, "ResolvedValues": [value]}}
