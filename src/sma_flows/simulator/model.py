"""The state of one call as the service holds it: frozen, hashable, and without any clock but remaining milliseconds.

JSON objects (actions, attributes, events) count by their text, so two calls in the same situation are equal values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, Final, NamedTuple

from sma_flows.protocol import limits
from sma_flows.simulator.jsontext import dumps, loads
from sma_flows.simulator.messages import Break, Pairs
from sma_flows.simulator.switches import Switches

SPEECH_MS_PER_CHARACTER = 60
MASK: Final = "\x7f"
MASKS: Final = (f"{MASK}A", f"{MASK}B")
"""What stands for the CallIds of the legs in actions, which calls share (:class:`Sent`)."""

MASKED: Final = f'"CallId":"{MASK}'
"""How the parameters name a leg by its mask, up to its letter."""

CONSUMED: Final = ("x-chime-join-token", "x-chime-meeting-id")
"""SIP headers that the service takes for itself and does not show (contract 1.3)."""

_new = tuple.__new__

quote = encode_basestring
"""A text as a JSON string."""


@dataclass(frozen=True, slots=True)
class World:
    """What surrounds the call and does not change in it: names, files, numbers, what is missing.

    ``line`` is the middle of the CallIds, so that the legs of different calls have different ones.
    ``audio_ms`` gives durations by ``bucket/key``; files are there unless named in ``missing_audio``. Words take
    ``ms_per_character``, joining a meeting ``join_ms`` (0: it has joined at once). Numbers of the account are
    ``numbers``; ``calls`` are active calls of other transactions (the quota is ``quota``);
    ``updates_per_s`` is the quota of updates.
    """

    transaction: str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
    line: str = "0000-0000"
    account: str = "111122223333"
    region: str = "us-east-1"
    application: str = "abcdefab-aaaa-bbbb-cccc-abcdefabcdef"
    rule: str = "fedcbafe-dddd-eeee-ffff-fedcbafedcba"
    started_ms: int = 1_795_000_000_000
    day: str = "2026/11/20"
    audio_ms: tuple[tuple[str, int], ...] = ()
    default_audio_ms: int = 3_000
    ms_per_character: int = SPEECH_MS_PER_CHARACTER
    join_ms: int = 0
    missing_audio: frozenset[str] = frozenset()
    unwritable: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset({"+14255550100"})
    dead_tokens: frozenset[str] = frozenset()
    attendees: frozenset[str] | None = None
    missing_bots: frozenset[str] = frozenset()
    forbidden_bots: frozenset[str] = frozenset()
    bots_throttled: bool = False
    speech_error: str = ""
    calls: int = 0
    quota: int = limits.ACTIVE_CALLS
    updates_per_s: int = limits.UPDATES_PER_S


@lru_cache(maxsize=256)
def frame(transaction: str, account: str, region: str, rule: str, key: str, application: str) -> tuple[str, str]:
    """The text of CallDetails before TransactionAttributes, and from there to the participants. *rule* may be empty."""
    sip_rule = f'"SipRuleId":{quote(rule)},' if rule else ""
    return (
        f',"CallDetails":{{"TransactionId":{quote(transaction)},',
        f'"AwsAccountId":{quote(account)},"AwsRegion":{quote(region)},{sip_rule}'
        f'"{key}":{quote(application)},"Participants":[',
    )


class Leg(NamedTuple):
    """A participant. ``status`` is "" (not answered), ``ringing`` (invisible to the function), Connected, Disconnected.

    ``recording`` is "", ``on``, ``paused`` or ``stopped``. ``texts`` are the beginning of the participant as JSON, its
    SIP headers as a member behind a comma, and its CallId as a member. Make one with :meth:`new`.
    """

    tag: str
    call_id: str
    to: str
    from_: str
    direction: str
    started: str
    status: str
    headers: Pairs
    recording: str
    texts: tuple[str, str, str]

    @classmethod
    def new(
        cls, tag: str, call_id: str, to: str, from_: str, direction: str, started: str, status: str, headers: Pairs
    ) -> Leg:
        """A leg that begins."""
        shown = {name: value for name, value in headers if name.lower() not in CONSUMED}
        named = f'"CallId":{quote(call_id)}'
        texts = (
            f'{{{named},"ParticipantTag":"{tag}","To":{quote(to)},"From":{quote(from_)},'
            f'"Direction":"{direction}","StartTimeInMilliseconds":"{started}"',
            f',"SipHeaders":{dumps(shown)}' if shown else "",
            named,
        )
        return cls(tag, call_id, to, from_, direction, started, status, headers, "", texts)

    @property
    def connected(self) -> bool:
        """It is on the line and answered."""
        return self.status == "Connected"

    @property
    def gone(self) -> bool:
        """It has left."""
        return self.status == "Disconnected"

    def having(self, status: str, recording: str) -> Leg:
        """The same leg later."""
        return _new(Leg, (*self[:6], status, self.headers, recording, self.texts))


class Sent(NamedTuple):
    """One action of an answer; ``leg`` is the tag of the leg whose event was answered. Counts by its text.

    ``text`` and ``data`` are its parameters, as JSON text and as an object, without those that the service does not
    know (rule 8). ``call_id`` is the leg's, when it is one of this call: ``data`` lacks it and ``params`` has a mask
    in its place, because both are shared by everybody who sent the same: never to be changed. ``defaults`` is what the
    service adds to the echo, as JSON text that begins with a comma (rule 20).
    """

    type: str
    leg: str
    params: str
    data: dict[str, Any]
    defaults: str = ""
    call_id: str = ""

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Sent):
            return NotImplemented
        return self.type == other.type and self.leg == other.leg and self.text == other.text

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((self.type, self.leg, self.text))

    def __repr__(self) -> str:
        return f"Sent({self.type!r}, {self.leg!r}, {self.text})"

    @property
    def text(self) -> str:
        """The parameters as JSON text."""
        if not self.call_id:
            return self.params
        at = self.params.index(MASKED)
        behind = at + len(MASKED) + 2  # the mask's letter and the quote
        return f'{self.params[:at]}"CallId":"{self.call_id}"{self.params[behind:]}'

    def parameters(self) -> dict[str, Any]:
        """The parameters, a fresh object."""
        loaded: dict[str, Any] = loads(self.text)
        return loaded


class Running(NamedTuple):
    """The action that is going on. ``dropped``: more actions followed it, and a newer list took their place."""

    action: Sent
    leg: str
    phase: str
    digits: str = ""
    attempt: int = 1
    dropped: bool = False


class Listener(NamedTuple):
    """A registered ReceiveDigits with what has been typed so far. ``reported``: it has matched before."""

    leg: str
    action: Sent
    buffer: str = ""
    reported: bool = False


class Timer(NamedTuple):
    """Goes off after ``ms``; ``name`` and ``subject`` say what then happens."""

    ms: int
    name: str
    subject: str = ""


class Notice(NamedTuple):
    """An event that is to be sent: built when its turn comes. ``holds``: the list waits for its answer.

    ``sequence`` is the number of an event that comes a second time; None: the next one.
    """

    type: str
    leg: str
    data: str = ""
    holds: bool = False
    error: str = ""
    message: str = ""
    final: bool = False
    sequence: int | None = None


class Delivery(NamedTuple):
    """An event that the function is working on."""

    number: int
    notice: Notice
    body: str
    sequence: int
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Network:
    """One call. ``Network()`` is a call that has not begun; :func:`sma_flows.simulator.network.advance` moves it."""

    world: World = field(default_factory=World)
    switches: Switches = field(default_factory=Switches)
    outbound: bool = False
    legs: tuple[Leg, ...] = ()
    joined: str = ""
    others: int = 0
    rest: tuple[Sent, ...] = ()
    next_list: tuple[Sent, ...] = ()
    running: Running | None = None
    listeners: tuple[Listener, ...] = ()
    timers: tuple[Timer, ...] = ()
    attributes: str = ""
    sequence: int = 0
    numbered: int = 0
    invocations: int = 0
    queue: tuple[Notice, ...] = ()
    delivered: tuple[Delivery, ...] = ()
    held: tuple[tuple[int, str], ...] = ()
    files: int = 0
    over: bool = False
    breaks: tuple[Break, ...] = ()

    @property
    def next_ms(self) -> int | None:
        """Milliseconds to the next timer; None when nothing is going to happen by itself."""
        return self.timers[0].ms if self.timers else None

    def leg(self, tag: str) -> Leg | None:
        """The newest leg with this tag."""
        for leg in reversed(self.legs):
            if leg.tag == tag:
                return leg
        return None

    def broken_off(self) -> Network:
        """The same call, over: everybody has gone, nothing is left of what went on."""
        return Network(
            self.world,
            self.switches,
            self.outbound,
            tuple(leg.having("Disconnected", "") for leg in self.legs),
            attributes=self.attributes,
            sequence=self.sequence,
            numbered=self.numbered,
            invocations=self.invocations,
            files=self.files,
            over=True,
        )

    @property
    def idle(self) -> bool:
        """Nothing runs, nothing waits, nobody is being asked: only a party or an update can change that (rule 21)."""
        return not (self.running or self.rest or self.queue or self.delivered or self.timers or self.over)
