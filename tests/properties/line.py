"""A small telephone line: plays one call against a compiled plan and keeps the service's books.

It fabricates events as the service sends them (contract sections 1 and 3) from the actions that really came back, and
leaves every choice (does this action work, what is pressed) to a :class:`Chooser`. It is deliberately a second reading
of the contract: nothing of the package is used except the front door it tests. ``test_second_reading.py`` compares it
with the simulator.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sma_flows.runtime.invoke import Result

Event = dict[str, Any]
Action = dict[str, Any]

TRANSACTION = "b4a1fd7e-4ea2-4d4b-9f5c-0c1d7a3e1f00"
CALLER, OWN = "+14155550123", "+12065550199"
ALWAYS = frozenset(
    {
        "CallAndBridge",
        "JoinChimeMeeting",
        "ModifyChimeMeetingAttendees",
        "RecordAudio",
        "PlayAudioAndGetDigits",
        "SpeakAndGetDigits",
        "StartBotConversation",
    }
)
"""Actions that report their success wherever they stand in a list (contract 4.0)."""


@dataclass
class Leg:
    call_id: str
    tag: str
    status: str = ""

    @property
    def alive(self) -> bool:
        return self.status != "Disconnected"


@dataclass(frozen=True)
class Done:
    """The action worked. ``data`` are result fields of ActionData."""

    data: Event = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """The action failed with this error."""

    error: str = "SystemException"


@dataclass(frozen=True)
class Gone:
    """A party hung up while the action ran."""

    tag: str = "LEG-A"


@dataclass(frozen=True)
class Keyed:
    """A background key was pressed while the action ran."""

    key: str
    tag: str = "LEG-A"


class Chooser:
    """What happens to each action that is started. The base class lets everything work; digits are never entered."""

    def act(self, line: Line, action: Action) -> Done | Failed | Gone | Keyed:
        """The fate of *action*, which starts now."""
        if action["Type"] in ("SpeakAndGetDigits", "PlayAudioAndGetDigits"):
            return Failed("InvalidDigitsReceived")
        return Done(results_of(action))


def results_of(action: Action) -> Event:
    """Result fields of a successful action (contract 1.5)."""
    kind, params = action["Type"], action["Parameters"]
    if kind == "ReceiveDigits":
        return {"ReceivedDigits": ""}
    if kind == "RecordAudio":
        to = params["RecordingDestination"]
        return {"RecordingDestination": {"Type": "S3", "BucketName": to["BucketName"], "Key": "rec/1.wav"}}
    if kind == "StartCallRecording":
        return {"CallRecordingDestination": {"Type": "S3", "Location": "calls/rec/2.wav"}}
    if kind == "StartBotConversation":
        intent = {"Name": "Other", "Slots": {}, "State": "ReadyForFulfillment", "ConfirmationState": "None"}
        state = {"SessionAttributes": {}, "Intent": intent}
        return {"IntentResult": {"SessionId": "s", "SessionState": state, "Interpretations": []}}
    return {}


def collect(params: Event, attempts: list[str]) -> tuple[str | None, list[str]]:
    """Let the service collect digits (contract rules 29-32): the entry it accepts or None, and the attempts left over.

    An attempt is what a caller types, ``""`` for silence. The service uses up at most ``Repeat`` of them and stops at
    the first that has enough digits and fits the pattern.
    """
    left = list(attempts)
    for _ in range(int(params.get("Repeat", 1))):
        if not left:
            break
        digits = left.pop(0)
        terminators = params.get("TerminatorDigits", ["#"])
        entered = ""
        for key in digits:
            if key in terminators:
                break
            entered += key
            if len(entered) == int(params.get("MaxNumberOfDigits", 128)):
                break
        pattern = params.get("InputDigitsRegex")
        enough = len(entered) >= int(params.get("MinNumberOfDigits", 0))
        if enough and (pattern is None or re.search(pattern, entered)):
            return entered, left
    return None, left


class Line:
    """One call between the service and the function ``answer(event) -> Result``."""

    def __init__(
        self, answer: Callable[[Event], Result], *, inbound: bool = True, arguments: Event | None = None
    ) -> None:
        self.answer = answer
        self.inbound = inbound
        self.arguments = arguments
        self.legs: dict[str, Leg] = {"LEG-A": Leg("call-a", "LEG-A")}
        self.others = 0
        self.attributes: Event | None = None
        self.sequence = 0
        self.list: list[Action] = []
        self.bridged = ""
        self.listeners: dict[str, Event] = {}
        self.events: list[Event] = []
        self.results: list[Result] = []
        self.released: list[str] = []
        self.over = False

    # -- events ----------------------------------------------------------------------------------------------------

    def event(self, kind: str, data: Event | None = None) -> Event:
        """An invocation event of this call as it stands now; counts the Sequence up."""
        self.sequence += 1
        details: Event = {
            "TransactionId": TRANSACTION,
            "AwsAccountId": "111122223333",
            "AwsRegion": "us-east-1",
            "SipMediaApplicationId": "sma-1",
            "Participants": [self._participant(leg) for leg in self.legs.values()],
        }
        if self.inbound:
            details["SipRuleId"] = "rule-1"
        if self.attributes:
            details["TransactionAttributes"] = copy.deepcopy(self.attributes)
        event: Event = {
            "SchemaVersion": "1.0",
            "Sequence": self.sequence,
            "InvocationEventType": kind,
            "CallDetails": details,
        }
        if data is not None:
            event["ActionData"] = data
        return event

    def _participant(self, leg: Leg) -> Event:
        outbound = leg.tag == "LEG-B" or not self.inbound
        out = {
            "CallId": leg.call_id,
            "ParticipantTag": leg.tag,
            "To": OWN if leg.tag == "LEG-A" and self.inbound else CALLER,
            "From": CALLER if leg.tag == "LEG-A" and self.inbound else OWN,
            "Direction": "Outbound" if outbound else "Inbound",
            "StartTimeInMilliseconds": "1795000000000",
        }
        if leg.status:
            out["Status"] = leg.status
        return out

    def echo(self, action: Action, data: Event) -> Event:
        """ActionData of a report about *action*: its parameters with the defaults the service adds (rule 20)."""
        params = copy.deepcopy(action["Parameters"])
        tag = self.target(action)
        params.setdefault("CallId", self.legs[tag].call_id if tag in self.legs else "call-a")
        if "RepeatDurationInMilliseconds" in params:
            params.setdefault("InBetweenDigitsDurationInMilliseconds", params["RepeatDurationInMilliseconds"])
            params.setdefault("Repeat", 1)
        return {"Type": action["Type"], "Parameters": params, **data}

    def target(self, action: Action) -> str:
        """Tag of the leg that *action* works on."""
        params = action["Parameters"]
        for leg in self.legs.values():
            if params.get("CallId") == leg.call_id:
                return leg.tag
        return str(params.get("ParticipantTag") or "LEG-A")

    # -- delivering ------------------------------------------------------------------------------------------------

    def deliver(self, event: Event) -> Result:
        """Hand *event* to the function and take its answer as the service does (rules 4-6)."""
        self.events.append(json.loads(json.dumps(event)))
        result = self.answer(event)
        self.results.append(result)
        response = json.loads(json.dumps(result.response, allow_nan=False))
        if response.get("TransactionAttributes") is not None:
            self.attributes = response["TransactionAttributes"] or None
        ignored = event["InvocationEventType"] in ("RINGING", "NEW_OUTBOUND_CALL", "ACTION_INTERRUPTED")
        if response.get("Actions") and not ignored and any(leg.alive for leg in self.legs.values()):
            self.list = response["Actions"]
        return result

    def start(self) -> Result:
        """The first event, and for an outbound call also ringing and the answer."""
        if self.inbound:
            return self.deliver(self.event("NEW_INBOUND_CALL"))
        data = None
        if self.arguments is not None:
            data = {"Type": "CallCreateRequest", "Parameters": {"Arguments": self.arguments}}
        self.deliver(self.event("NEW_OUTBOUND_CALL", data))
        self.deliver(self.event("RINGING"))
        self.legs["LEG-A"].status = "Connected"
        return self.deliver(self.event("CALL_ANSWERED"))

    def run(self, chooser: Chooser, limit: int = 400) -> None:
        """Run the list until nothing is left to do: the call is over, or it rests."""
        for _ in range(limit):
            if self.over or not self.list:
                return
            self.step(chooser)
        raise AssertionError("the call does not come to an end")

    def step(self, chooser: Chooser) -> None:
        """Start the first action of the list and deliver the event that follows, if one does."""
        action = self.list.pop(0)
        kind = action["Type"]
        tag = self.target(action)
        leg = self.legs.get(tag)
        if leg is None or not leg.alive:
            raise AssertionError(f"{kind} on {tag}, which is not connected")
        if kind == "Hangup":
            self.hang_up(leg, str(action["Parameters"].get("SipResponseCode", "0")))
            return
        if kind not in ("CallAndBridge", "Hangup"):
            leg.status = "Connected"
        fate = chooser.act(self, action)
        if isinstance(fate, Gone):
            self.leave(fate.tag)
            return
        if isinstance(fate, Keyed):
            running = self.list
            if not self.press(fate.tag, fate.key):
                raise AssertionError(f"nobody listens to {fate.key}")
            if self.list is not running:
                return  # a new list: the pause is cut short
            fate = Done()
        if isinstance(fate, Failed):
            self.list = []
            data = self.echo(action, {"ErrorType": fate.error, "ErrorMessage": "it did not work"})
            self.deliver(self.event("ACTION_FAILED", data))
            return
        if kind in ("CallAndBridge", "JoinChimeMeeting"):
            self.others += 1
            self.legs["LEG-A"].status = "Connected"
            self.legs["LEG-B"] = Leg(f"call-b{self.others}", "LEG-B", "Connected")
            self.bridged = kind
        if kind == "ReceiveDigits":
            self.listeners[leg.call_id] = action
        if kind in ALWAYS or not self.list:
            self.deliver(self.event("ACTION_SUCCESSFUL", self.echo(action, dict(fate.data))))

    def hang_up(self, leg: Leg, code: str) -> None:
        """The function's own Hangup (rules 59-61): one leg alone ends the call, otherwise two reports follow."""
        if leg.call_id in self.released:
            raise AssertionError(f"{leg.tag} is released twice")
        self.released.append(leg.call_id)
        action = {"Type": "Hangup", "Parameters": {"CallId": leg.call_id, "ParticipantTag": leg.tag}}
        leg.status = "Disconnected"
        self.list = []
        meeting = self.bridged == "JoinChimeMeeting" and leg.tag == "LEG-B"
        if not meeting:
            data = {"Type": "Hangup", "Parameters": {**action["Parameters"], "SipResponseCode": int(code)}}
            self.deliver(self.event("HANGUP", data))
        if any(other.alive for other in self.legs.values()):
            rest, self.list = self.list, []
            self.deliver(self.event("ACTION_SUCCESSFUL", self.echo(action, {})))
            self.list = self.list or rest
        else:
            self.list, self.over = [], True

    def leave(self, tag: str) -> None:
        """A party hangs up (rules 62-65)."""
        leg = self.legs[tag]
        leg.status = "Disconnected"
        self.list = []
        if tag == "LEG-A" and self.bridged == "JoinChimeMeeting" and "LEG-B" in self.legs:
            self.legs["LEG-B"].status = "Disconnected"
        params = {"CallId": leg.call_id, "ParticipantTag": tag, "SipResponseCode": 0}
        self.deliver(self.event("HANGUP", {"Type": "Hangup", "Parameters": params}))
        if not any(other.alive for other in self.legs.values()):
            self.list, self.over = [], True

    def press(self, tag: str, keys: str) -> bool:
        """Keys on a leg while no digit action runs: DIGITS_RECEIVED when the listener's pattern fits (rules 35, 70)."""
        leg = self.legs.get(tag)
        listener = self.listeners.get(leg.call_id) if leg is not None and leg.alive else None
        if listener is None or not re.search(listener["Parameters"]["InputDigitsRegex"], keys):
            return False
        self.deliver(self.event("DIGITS_RECEIVED", self.echo(listener, {"ReceivedDigits": keys})))
        return True

    def update(self, arguments: Event) -> None:
        """UpdateSipMediaApplicationCall (rule 69)."""
        data = {"Type": "CallUpdateRequest", "Parameters": {"Arguments": arguments}}
        self.deliver(self.event("CALL_UPDATE_REQUESTED", data))
