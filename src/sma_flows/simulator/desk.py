"""The call while one input is worked on: a mutable copy of the value, and the events made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, NamedTuple

from sma_flows.protocol.check import PARAMETERS
from sma_flows.simulator.messages import Break, CallRecording, Deliver, Gone, Log, Output
from sma_flows.simulator.model import Delivery, Leg, Listener, Network, Notice, Running, Sent, Timer, World
from sma_flows.simulator.switches import Switches

RETRY_MS: Final = 5_000
LIMIT_MS: Final = 20_000
COLLECTING: Final = ("PlayAudioAndGetDigits", "SpeakAndGetDigits")
_CONSUMED: Final = ("x-chime-join-token", "x-chime-meeting-id")


class Done(NamedTuple):
    """The action has succeeded; *data* goes into the report beside the echo."""

    data: Mapping[str, Any] = {}


class Failed(NamedTuple):
    """The action has failed. *shape* ``error`` puts both into one text ``Error``."""

    error: str
    message: str
    shape: str = "pair"


Outcome = Done | Failed | None
"""None: the action goes on."""


def bad(message: str) -> Failed:
    """A parameter is wrong."""
    return Failed("InvalidActionParameter", message)


def dumps(value: Any) -> str:
    """JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(slots=True)
class Desk:
    """The fields of :class:`Network`, changeable, and the outputs so far."""

    world: World
    switches: Switches
    outbound: bool
    legs: tuple[Leg, ...]
    joined: str
    others: int
    rest: tuple[Sent, ...]
    next_list: tuple[Sent, ...]
    running: Running | None
    listeners: tuple[Listener, ...]
    timers: tuple[Timer, ...]
    attributes: str
    sequence: int
    numbered: int
    invocations: int
    queue: tuple[Notice, ...]
    delivered: tuple[Delivery, ...]
    held: tuple[tuple[int, str], ...]
    files: int
    over: bool
    breaks: tuple[Break, ...]
    out: list[Output] = field(default_factory=list)

    @classmethod
    def of(cls, network: Network) -> Desk:
        """A working copy."""
        return cls(*(getattr(network, name) for name in _NAMES))

    def network(self) -> Network:
        """The value again."""
        return Network(*(getattr(self, name) for name in _NAMES))

    # -- legs ------------------------------------------------------------------------------------------------------

    def leg(self, tag: str) -> Leg | None:
        """The leg with this tag."""
        return next((leg for leg in self.legs if leg.tag == tag), None)

    def put(self, leg: Leg) -> Leg:
        """Store a leg in the place of the one with its tag."""
        self.legs = tuple(sorted([*(each for each in self.legs if each.tag != leg.tag), leg], key=lambda one: one.tag))
        return leg

    def connected(self) -> list[Leg]:
        """The legs on the line."""
        return [leg for leg in self.legs if leg.connected]

    @property
    def alive(self) -> bool:
        """Somebody is on the line, or waits to be answered."""
        return any(not leg.gone for leg in self.legs)

    def answer_leg(self, leg: Leg) -> Leg:
        """The leg becomes Connected (rules 13, 42)."""
        return leg if leg.connected else self.put(replace(leg, status="Connected"))

    def leave(self, leg: Leg, code: int, by: str) -> None:
        """The leg is gone, with everything that happened on it."""
        self.put(replace(leg, status="Disconnected", recording="stopped" if leg.recording else ""))
        self.listeners = tuple(one for one in self.listeners if one.leg != leg.tag)
        self.cancel("gap", leg.tag)
        self.cancel("flush", leg.tag)
        if self.running is not None and self.running.leg == leg.tag:
            self.stop()
        self.joined = ""
        self.gone(leg, code, by)

    def gone(self, leg: Leg, code: int, by: str) -> None:
        """Say that a leg has ended, and with it the recording of it."""
        if leg.recording in ("on", "paused"):
            self.out.append(CallRecording(leg.tag, "stops"))
        self.out.append(Gone(leg.tag, code, by))

    def stop(self) -> None:
        """The running action is no more."""
        self.running = None
        self.cancel("action")
        self.cancel("silence")

    def clear(self) -> None:
        """Nothing of any list is left."""
        self.rest = self.next_list = ()

    # -- timers ----------------------------------------------------------------------------------------------------

    def timer(self, name: str, ms: int, subject: str = "") -> None:
        """Set a timer, in the place of an earlier one of the same name and subject."""
        self.cancel(name, subject)
        self.timers = tuple(sorted([*self.timers, Timer(max(0, ms), name, subject)]))

    def cancel(self, name: str, subject: str = "") -> None:
        """Forget a timer."""
        self.timers = tuple(one for one in self.timers if (one.name, one.subject) != (name, subject))

    # -- telling ---------------------------------------------------------------------------------------------------

    def warn(self, message: str) -> None:
        """Something that a tester should know."""
        self.out.append(Log("warning", message))

    def error(self, message: str) -> None:
        """A line of the service's log."""
        self.out.append(Log("error", message))

    def tell(self, notice: Notice) -> None:
        """An event for the function; :meth:`pump` sends it when its turn comes."""
        self.queue = (*self.queue, notice)

    def tell_hangup(self, leg: Leg, code: int, *, holds: bool = False) -> None:
        """HANGUP of a leg that has left (contract 1.2); the last one when nobody is left."""
        data = {
            "Type": "Hangup",
            "Parameters": {"SipResponseCode": code, "CallId": leg.call_id, "ParticipantTag": leg.tag},
        }
        self.tell(Notice("HANGUP", leg.tag, dumps(data), holds=holds, final=not self.alive))

    def report(self, sent: Sent, leg: Leg, result: Done | Failed, *, holds: bool = True) -> None:
        """ACTION_SUCCESSFUL or ACTION_FAILED with the echo (rules 17-20)."""
        data = self.echo(sent, leg)
        if isinstance(result, Done):
            data |= result.data
            self.tell(Notice("ACTION_SUCCESSFUL", leg.tag, dumps(data), holds=holds))
            return
        if result.shape == "error":
            data["Error"] = f"{result.error}: {result.message}"
        else:
            data |= {"ErrorType": result.error, "ErrorMessage": result.message}
        if sent.type == "ModifyChimeMeetingAttendees":
            data["ErrorList"] = []  # contract 1.5: it is there, its contents are not documented
        self.tell(Notice("ACTION_FAILED", leg.tag, dumps(data), holds=holds))

    def broken(self, sent: Sent) -> Failed | None:
        """How this action fails, if it was broken (:class:`Break`); the break is used up."""
        for one in self.breaks:
            if sent.type in one.actions and one.text in sent.params:
                self.breaks = tuple(other for other in self.breaks if other is not one)
                return Failed(one.error, one.message, one.shape)
        return None

    def echo(self, sent: Sent, leg: Leg) -> dict[str, Any]:
        """What was sent, without what the service does not know, with what it adds (rules 8 and 20)."""
        known = PARAMETERS[sent.type]
        params = {name: value for name, value in sent.parameters().items() if name in known}
        if not params.get("CallId"):
            params["CallId"] = leg.call_id
        if sent.type in COLLECTING or sent.type == "PlayAudio":
            params.setdefault("Repeat", 1)
        if sent.type in COLLECTING and "RepeatDurationInMilliseconds" in params:
            params.setdefault("InBetweenDigitsDurationInMilliseconds", params["RepeatDurationInMilliseconds"])
        if self.switches.echo_defaults == "more":
            for name, value in _MORE.get(sent.type, {}).items():
                params.setdefault(name, value)
        return {"Type": sent.type, "Parameters": params}

    # -- sending ---------------------------------------------------------------------------------------------------

    @property
    def holding(self) -> bool:
        """The list waits for the answer to the report of one of its actions."""
        return any(one.holds for one in self.queue) or any(one.notice.holds for one in self.delivered)

    def pump(self) -> None:
        """Send what may be sent: one at a time, or all at once (switch ``overlap``)."""
        while self.queue and not self.over and (self.switches.overlap == "parallel" or not self.delivered):
            notice, self.queue = self.queue[0], self.queue[1:]
            if notice.sequence is None:
                self.sequence = self.sequence + 1 if self.numbered else int(self.switches.sequence_start)
            sequence = self.sequence if notice.sequence is None else notice.sequence
            self.numbered += 1
            self._send(Delivery(self.numbered, notice, dumps(self.event(notice, sequence))))

    def _send(self, delivery: Delivery) -> None:
        self.invocations += 1
        self.delivered = (*(one for one in self.delivered if one.number != delivery.number), delivery)
        if delivery.attempt == 1:
            subject = str(delivery.number)
            self.timer("limit", LIMIT_MS, subject)
            if self.switches.lambda_failure == "retry_once":
                self.timer("retry", RETRY_MS, subject)
        self.out.append(Deliver(delivery.number, delivery.body, delivery.attempt))

    def send_again(self, delivery: Delivery) -> None:
        """The second attempt of an event that was not answered in time (rule 3)."""
        event = json.loads(delivery.body)
        if self.switches.retry_attributes == "current":
            event["CallDetails"] = self._details(delivery.notice)
        if self.switches.retry_same_sequence == "no":
            self.sequence += 1
            event["Sequence"] = self.sequence
        self._send(replace(delivery, body=dumps(event), attempt=delivery.attempt + 1))

    def event(self, notice: Notice, sequence: int) -> dict[str, Any]:
        """The event as it is at this moment (contract 1.1 to 1.3)."""
        event: dict[str, Any] = {
            "SchemaVersion": "1.0",
            "Sequence": sequence,
            "InvocationEventType": notice.type,
        }
        if notice.data:
            event["ActionData"] = json.loads(notice.data)
        event["CallDetails"] = self._details(notice)
        if notice.error:
            event |= {"ErrorType": notice.error, "ErrorMessage": notice.message}
        return event

    def _details(self, notice: Notice) -> dict[str, Any]:
        details: dict[str, Any] = {"TransactionId": self.world.transaction}
        lost = notice.final and self.switches.final_hangup_attributes == "lost"
        if self.attributes and not lost:
            details["TransactionAttributes"] = json.loads(self.attributes)
        details |= {"AwsAccountId": self.world.account, "AwsRegion": self.world.region}
        if not self.outbound:
            details["SipRuleId"] = self.world.rule
        details[self.switches.app_id_key] = self.world.application
        listed = [leg for leg in self.legs if self._listed(leg, notice)]
        details["Participants"] = [self._participant(leg, notice) for leg in listed or self.legs[:1]]
        return details

    def _listed(self, leg: Leg, notice: Notice) -> bool:
        if leg.tag == "LEG-B" and leg.status == "ringing":
            return notice.type == "RINGING"
        return not leg.gone or leg.tag == notice.leg or self.switches.gone_leg_listed == "yes"

    def _participant(self, leg: Leg, notice: Notice) -> dict[str, Any]:
        data: dict[str, Any] = {
            "CallId": leg.call_id,
            "ParticipantTag": leg.tag,
            "To": leg.to,
            "From": leg.from_,
            "Direction": leg.direction,
            "StartTimeInMilliseconds": leg.started,
        }
        shown = {name: value for name, value in leg.headers if name.lower() not in _CONSUMED}
        first = self.numbered <= 1 if leg.tag == "LEG-A" else notice.type == "ACTION_SUCCESSFUL"
        if shown and (first or self.switches.headers_repeated == "yes"):
            data["SipHeaders"] = shown
        if leg.status in ("Connected", "Disconnected"):
            data["Status"] = leg.status
        elif self.switches.status_before_answer == "Connected":
            data["Status"] = "Connected"
        return data


_COLLECT: Final = {"MinNumberOfDigits": 0, "MaxNumberOfDigits": 128, "TerminatorDigits": ["#"], "Repeat": 1}
_MORE: Final[Mapping[str, Mapping[str, Any]]] = {
    "PlayAudioAndGetDigits": _COLLECT,
    "SpeakAndGetDigits": _COLLECT,
    "CallAndBridge": {"CallTimeoutSeconds": 30},
    "RecordAudio": {"SilenceThreshold": 200},
    "SendDigits": {"ToneDurationInMilliseconds": 250},
    "Speak": {"Engine": "standard", "TextType": "text", "VoiceId": "Joanna"},
}
_NAMES: Final = tuple(one.name for one in fields(Network))
