"""The call while something happens to it: a mutable copy of the value, and the events made of it."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from sma_flows.protocol.check import PARAMETERS
from sma_flows.simulator.jsontext import dumps
from sma_flows.simulator.messages import Break, CallRecording, Deliver, Gone, Log, Output
from sma_flows.simulator.model import (
    Delivery,
    Leg,
    Listener,
    Network,
    Notice,
    Running,
    Sent,
    Timer,
    World,
    frame,
    quote,
)
from sma_flows.simulator.switches import Switches

_new: Final = tuple.__new__
RETRY_MS: Final = 5_000
LIMIT_MS: Final = 20_000
COLLECTING: Final = ("PlayAudioAndGetDigits", "SpeakAndGetDigits")


class Done(NamedTuple):
    """The action has succeeded; *more* goes into the report beside the echo: JSON members, each behind a comma."""

    more: str = ""


class Failed(NamedTuple):
    """The action has failed. *shape* ``error`` puts both into one text ``Error``."""

    error: str
    message: str
    shape: str = "pair"


Outcome = Done | Failed | None
"""None: the action goes on."""

DONE: Final = Done()


def bad(message: str) -> Failed:
    """A parameter is wrong."""
    return Failed("InvalidActionParameter", message)


class Desk:
    """The fields of :class:`Network`, changeable, and the outputs so far.

    ``now`` is when the desk was opened plus the time that has gone by since (ms); ``timers`` hold the moment at which
    each goes off. ``lean`` takes the key of every ledger entry that decides something (:mod:`.fidelity`).
    """

    __slots__ = (
        "_acts",
        "_frame",
        "alive",
        "attributes",
        "breaks",
        "delivered",
        "files",
        "held",
        "invocations",
        "joined",
        "lean",
        "legs",
        "listeners",
        "next_list",
        "now",
        "numbered",
        "others",
        "out",
        "outbound",
        "over",
        "queue",
        "rest",
        "running",
        "sequence",
        "switches",
        "timers",
        "world",
    )

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
    timers: list[tuple[int, str, str]]
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
    out: list[Output]
    now: int
    lean: Callable[[str], object]
    alive: bool
    """Somebody is on the line, or waits to be answered."""

    def __init__(self, network: Network, lean: Callable[[str], object], now: int = 0) -> None:
        self.world = network.world
        self.switches = network.switches
        self.outbound = network.outbound
        self.legs = network.legs
        self.joined = network.joined
        self.others = network.others
        self.rest = network.rest
        self.next_list = network.next_list
        self.running = network.running
        self.listeners = network.listeners
        self.timers = [(now + one[0], one[1], one[2]) for one in network.timers]
        self.attributes = network.attributes
        self.sequence = network.sequence
        self.numbered = network.numbered
        self.invocations = network.invocations
        self.queue = network.queue
        self.delivered = network.delivered
        self.held = network.held
        self.files = network.files
        self.over = network.over
        self.breaks = network.breaks
        self.out = []
        self.now = now
        self.lean = lean
        self.alive = any([leg.status != "Disconnected" for leg in self.legs])  # noqa: C419
        self._frame = ("", "")
        self._acts = next((one for one in self.timers if one[1] == "action"), None) if self.timers else None

    def network(self) -> Network:
        """The value again."""
        now = self.now
        return Network(
            self.world,
            self.switches,
            self.outbound,
            self.legs,
            self.joined,
            self.others,
            self.rest,
            self.next_list,
            self.running,
            self.listeners,
            tuple([Timer(at - now, name, subject) for at, name, subject in self.timers]),
            self.attributes,
            self.sequence,
            self.numbered,
            self.invocations,
            self.queue,
            self.delivered,
            self.held,
            self.files,
            self.over,
            self.breaks,
        )

    @property
    def idle(self) -> bool:
        """As :attr:`Network.idle`."""
        return not (self.running or self.delivered or self.timers or self.rest or self.queue or self.over)

    # -- legs ------------------------------------------------------------------------------------------------------

    def leg(self, tag: str) -> Leg | None:
        """The leg with this tag. LEG-A is always the first, LEG-B the second."""
        place = 0 if tag == "LEG-A" else 1 if tag == "LEG-B" else 2
        return self.legs[place] if place < len(self.legs) else None

    def put(self, leg: Leg) -> Leg:
        """Store a leg in the place of the one with its tag."""
        legs = self.legs
        self.keep((leg, *legs[1:]) if leg.tag == "LEG-A" else (*legs[:1], leg))
        return leg

    def keep(self, legs: tuple[Leg, ...]) -> None:
        """These are the legs now."""
        self.legs = legs
        self.alive = any([leg.status != "Disconnected" for leg in legs])  # noqa: C419

    def connected(self) -> list[Leg]:
        """The legs on the line."""
        return [leg for leg in self.legs if leg.connected]

    def answer_leg(self, leg: Leg) -> Leg:
        """The leg becomes Connected (rules 13, 42)."""
        if leg.connected:
            return leg
        self.cancel("unanswered")
        return self.put(leg.having("Connected", leg.recording))

    def leave(self, leg: Leg, code: int, by: str) -> Leg:
        """The leg is gone, with everything that happened on it."""
        left = self.put(leg.having("Disconnected", "stopped" if leg.recording else ""))
        self.listeners = tuple([one for one in self.listeners if one.leg != leg.tag])
        self.cancel("gap", leg.tag)
        self.cancel("flush", leg.tag)
        if leg.tag == "LEG-A":
            self.cancel("unanswered")
        if self.running is not None and self.running.leg == leg.tag:
            self.stop()
        self.joined = ""
        self.gone(leg, code, by)
        return left

    def gone(self, leg: Leg, code: int, by: str) -> None:
        """Say that a leg has ended, and with it the recording of it."""
        if leg.recording in ("on", "paused"):
            self.out.append(CallRecording(leg.tag, "stops"))
        self.out.append(Gone(leg.tag, code, by))

    def stop(self) -> None:
        """The running action is no more."""
        running = self.running
        if running is not None:
            self.running = None
            if self._acts is not None:
                self.timers.remove(self._acts)
                self._acts = None
            if running[2] == "record":
                self.cancel("silence")

    def clear(self) -> None:
        """Nothing of any list is left."""
        self.rest = self.next_list = ()

    # -- timers ----------------------------------------------------------------------------------------------------

    def goes_on(self, ms: int) -> None:
        """The running action goes on for so long; a timer that it has already is no more."""
        if self._acts is not None:
            self.timers.remove(self._acts)
        self._acts = at = (self.now + ms if ms > 0 else self.now, "action", "")
        insort(self.timers, at)

    def acted(self) -> None:
        """The timer of the running action has gone off."""
        self._acts = None

    def no_timers(self) -> None:
        """Nothing happens by itself any more."""
        self.timers = []
        self._acts = None

    def timer(self, name: str, ms: int, subject: str = "") -> None:
        """Set a timer, in the place of an earlier one of the same name and subject."""
        self.cancel(name, subject)
        insort(self.timers, (self.now + ms if ms > 0 else self.now, name, subject))

    def cancel(self, name: str, subject: str = "") -> None:
        """Forget a timer."""
        timers = self.timers
        for place, one in enumerate(timers):
            if one[1] == name and one[2] == subject:
                del timers[place]
                return

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
        data = (
            f'{{"Type":"Hangup","Parameters":{{"SipResponseCode":{code},"CallId":{quote(leg.call_id)},'
            f'"ParticipantTag":"{leg.tag}"}}}}'
        )
        self.tell(Notice("HANGUP", leg.tag, data, holds, final=not self.alive))

    def report(self, sent: Sent, leg: Leg, result: Done | Failed, *, holds: bool = True) -> None:
        """ACTION_SUCCESSFUL or ACTION_FAILED with the echo (rules 17-20)."""
        data = self.echo(sent, leg)
        if isinstance(result, Done):
            if result.more:
                data = f"{data[:-1]}{result.more}}}"
            self.tell(_new(Notice, ("ACTION_SUCCESSFUL", leg[0], data, holds, "", "", False, None)))
            return
        more: dict[str, Any]
        if result.shape == "error":
            more = {"Error": f"{result.error}: {result.message}"}
        else:
            more = {"ErrorType": result.error, "ErrorMessage": result.message}
        if sent.type == "ModifyChimeMeetingAttendees":
            more["ErrorList"] = []  # contract 1.5: it is there, its contents are not documented
        self.lean(f"error {result.error}")
        self.tell(Notice("ACTION_FAILED", leg.tag, f"{data[:-1]},{dumps(more)[1:]}", holds))

    def broken(self, sent: Sent) -> Failed | None:
        """How this action fails, if it was broken (:class:`Break`); the break is used up."""
        for one in self.breaks:
            if sent.type in one.actions and one.text in sent.text:
                self.breaks = tuple([other for other in self.breaks if other is not one])
                return Failed(one.error, one.message, one.shape)
        return None

    def echo(self, sent: Sent, leg: Leg) -> str:
        """What was sent, with what the service adds (rules 8 and 20): JSON text."""
        self.lean("20")
        given = sent.call_id or "CallId" in sent.data
        added = sent.defaults if given else f",{leg.texts[2]}{sent.defaults}"
        if self.switches.echo_defaults == "more":
            self.lean("20 more")
            known = {"ParticipantTag": leg.tag, **_MORE.get(sent.type, {})}
            more = {name: value for name, value in known.items() if name not in sent.data}
            if "Repeat" in sent.defaults:
                more.pop("Repeat", None)
            added += f",{dumps(more)[1:-1]}" if more else ""
        text = f"{sent.text[:-1]}{added}" if len(sent.params) > 2 else f"{{{added[1:]}"
        return f'{{"Type":"{sent.type}","Parameters":{text}}}}}'

    # -- sending ---------------------------------------------------------------------------------------------------

    @property
    def holding(self) -> bool:
        """The list waits for the answer to the report of one of its actions."""
        held = [one.holds for one in self.queue] + [one.notice.holds for one in self.delivered]
        return True in held

    def pump(self) -> None:
        """Send what may be sent: one at a time, or all at once (switch ``overlap``)."""
        switches = self.switches
        if self.delivered:
            self.lean("3 overlap")
        while self.queue and not self.over and (not self.delivered or switches.overlap == "parallel"):
            queue = self.queue
            notice, self.queue = queue[0], queue[1:]
            sequence = notice[7]
            if sequence is None:
                self.sequence = sequence = self.sequence + 1 if self.numbered else int(switches.sequence_start)
            self.numbered = number = self.numbered + 1
            self.invocations += 1
            body = self.event(notice, sequence)
            self.delivered = (*self.delivered, _new(Delivery, (number, notice, body, sequence, 1)))
            if switches.lambda_failure == "retry_once":
                insort(self.timers, (self.now + RETRY_MS, "retry", str(number)))
            else:
                insort(self.timers, (self.now + LIMIT_MS, "limit", str(number)))
            self.lean(f"event {notice[0]}")
            self.out.append(Deliver(number, body, 1))

    def send_again(self, delivery: Delivery) -> None:
        """The second attempt of an event that was not answered in time (rule 3)."""
        notice, number, body = delivery.notice, delivery.sequence, delivery.body
        if self.switches.retry_same_sequence == "no":
            self.sequence += 1
            head, _, tail = body.partition(f'"Sequence":{number},')
            number = self.sequence
            body = f'{head}"Sequence":{number},{tail}'
        if self.switches.retry_attributes == "current":
            body = self.event(notice, number)
        self.lean("3 retry")
        self.lean(f"event {notice.type}")
        self.invocations += 1
        again = Delivery(delivery.number, notice, body, number, delivery.attempt + 1)
        self.delivered = (*[one for one in self.delivered if one is not delivery], again)
        self.out.append(Deliver(delivery.number, body, again.attempt))

    def event(self, notice: Notice, sequence: int) -> str:
        """The event as it is at this moment (contract 1.1 to 1.3), as JSON text."""
        head, middle = self._frame
        if not head:
            world = self.world
            head, middle = self._frame = frame(
                world.transaction,
                world.account,
                world.region,
                "" if self.outbound else world.rule,
                self.switches.app_id_key,
                world.application,
            )
        kind, _, data, _, error, message, _, _ = notice
        legs, people = self.legs, ""
        if len(legs) > 1:
            people = ",".join([self._participant(leg, notice) for leg in legs if self._listed(leg, notice)])
        if len(legs) == 1 or not people:
            people = self._participant(legs[0], notice)
        told = f',"ActionData":{data}' if data else ""
        kept = f'"TransactionAttributes":{self.attributes},' if self.attributes else ""
        wrong = f',"ErrorType":{quote(error)},"ErrorMessage":{quote(message)}' if error else ""
        return (
            f'{{"SchemaVersion":"1.0","Sequence":{sequence},"InvocationEventType":"{kind}"{told}'
            f"{head}{kept}{middle}{people}]}}{wrong}}}"
        )

    def _listed(self, leg: Leg, notice: Notice) -> bool:
        if leg.status == "ringing" and leg.tag == "LEG-B":
            return notice.type == "RINGING"
        if not leg.gone or leg.tag == notice.leg:
            return True
        self.lean("60 listed")
        return self.switches.gone_leg_listed == "yes"

    def _participant(self, leg: Leg, notice: Notice) -> str:
        begin, headers, _ = leg.texts
        if headers:
            first = self.numbered <= 1 if leg.tag == "LEG-A" else notice.type == "ACTION_SUCCESSFUL"
            if not first:
                self.lean("10 headers")
                if self.switches.headers_repeated == "no":
                    headers = ""
        status = leg.status
        if status and status != "ringing":
            return f'{begin}{headers},"Status":"{status}"}}'
        if not status and self.switches.status_before_answer == "Connected":
            return f'{begin}{headers},"Status":"Connected"}}'
        return f"{begin}{headers}}}"


def sent(kind: str, leg: str, given: Mapping[str, Any], *, masked: bool = False) -> tuple[Sent, str]:
    """An action as the service understands it, and a warning about keys that it does not know (rule 8).

    *masked*: CallId is a mask (:class:`Sent`).
    """
    known = _KNOWN[kind]
    data: dict[str, Any] = {}
    ignored = []
    for name, value in given.items():
        if name not in known:
            ignored.append(name)
            continue
        inner = known[name]
        if inner is not None and isinstance(value, dict) and not value.keys() <= inner:
            ignored += [f"{name}.{each}" for each in value if each not in inner]
            data[name] = {each: value[each] for each in value if each in inner}
        elif value or name not in ("CallId", "ParticipantTag"):  # empty is like not there (LOG2)
            data[name] = value
    defaults = ""
    if kind in _REPEATS:
        if "Repeat" not in data:
            defaults = ',"Repeat":1'
        total = data.get("RepeatDurationInMilliseconds")
        if total is not None and "InBetweenDigitsDurationInMilliseconds" not in data:
            defaults += f',"InBetweenDigitsDurationInMilliseconds":{dumps(total)}'
    warning = f"{kind}: the service ignores {', '.join(sorted(ignored))}" if ignored else ""
    params = dumps(data)
    call_id = str(data.pop("CallId")) if masked else ""
    return Sent(kind, leg, params, data, defaults, call_id), warning


_SOURCE: Final = frozenset({"Type", "BucketName", "Key"})
_SPEECH: Final = frozenset({"Text", "Engine", "LanguageCode", "TextType", "VoiceId"})
_INNER: Final[Mapping[str, frozenset[str]]] = {
    "AudioSource": _SOURCE,
    "FailureAudioSource": _SOURCE,
    "RingbackTone": _SOURCE,
    "RecordingDestination": frozenset({"Type", "BucketName", "Prefix"}),
    "Destination": frozenset({"Type", "Location"}),
    "SpeechParameters": _SPEECH,
    "FailureSpeechParameters": _SPEECH,
}
_KNOWN: Final[Mapping[str, Mapping[str, frozenset[str] | None]]] = {
    kind: {name: _INNER.get(name) for name in parameters} for kind, parameters in PARAMETERS.items()
}
"""For each action the parameters that the service knows, and what it knows inside of them (None: not looked at)."""

_REPEATS: Final = (*COLLECTING, "PlayAudio")
_COLLECT: Final = {"MinNumberOfDigits": 0, "MaxNumberOfDigits": 128, "TerminatorDigits": ["#"], "Repeat": 1}
_MORE: Final[Mapping[str, Mapping[str, Any]]] = {
    "PlayAudioAndGetDigits": _COLLECT,
    "SpeakAndGetDigits": _COLLECT,
    "CallAndBridge": {"CallTimeoutSeconds": 30},
    "RecordAudio": {"SilenceThreshold": 200},
    "SendDigits": {"ToneDurationInMilliseconds": 250},
    "Speak": {"Engine": "standard", "TextType": "text", "VoiceId": "Joanna"},
}
