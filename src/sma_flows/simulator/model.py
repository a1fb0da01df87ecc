"""The state of one call as the service holds it: frozen, hashable, and without any clock but remaining milliseconds.

JSON objects (actions, attributes, events) are kept as text, so that two calls in the same situation are equal values.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from sma_flows.protocol import limits
from sma_flows.simulator.messages import Break, Pairs
from sma_flows.simulator.switches import Switches

SPEECH_MS_PER_CHARACTER = 60


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


@dataclass(frozen=True, slots=True)
class Leg:
    """A participant. ``status`` is "" (not answered), ``ringing`` (invisible to the function), Connected, Disconnected.

    ``recording`` is "", ``on``, ``paused`` or ``stopped``.
    """

    tag: str
    call_id: str
    to: str
    from_: str
    direction: str
    started: str
    status: str = ""
    headers: Pairs = ()
    recording: str = ""

    @property
    def connected(self) -> bool:
        """It is on the line and answered."""
        return self.status == "Connected"

    @property
    def gone(self) -> bool:
        """It has left."""
        return self.status == "Disconnected"


@dataclass(frozen=True, slots=True)
class Sent:
    """One action of an answer. ``params`` is JSON text; ``leg`` is the tag of the leg whose event was answered."""

    type: str
    params: str
    leg: str

    def parameters(self) -> dict[str, Any]:
        """The parameters, a fresh object."""
        loaded: dict[str, Any] = json.loads(self.params)
        return loaded


@dataclass(frozen=True, slots=True)
class Running:
    """The action that is going on. ``last``: nothing followed it in its list when it began."""

    action: Sent
    leg: str
    phase: str
    digits: str = ""
    attempt: int = 1
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class Listener:
    """A registered ReceiveDigits with what has been typed so far."""

    leg: str
    action: Sent
    buffer: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Timer:
    """Goes off after ``ms``; ``name`` and ``subject`` say what then happens."""

    ms: int
    name: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
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


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event that the function is working on."""

    number: int
    notice: Notice
    body: str
    attempt: int = 1
    failed: int = 0


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

    @property
    def idle(self) -> bool:
        """Nothing runs, nothing waits, nobody is being asked: only a party or an update can change that (rule 21)."""
        return not (self.running or self.rest or self.queue or self.delivered or self.timers or self.over)
