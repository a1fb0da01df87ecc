"""What the services need from the outside, as protocols.

Behind each stands a local adapter (SQLite, ``services/local``) and one for AWS (``services/aws``). *timeout_s* is the
longest time an operation may take; *token* is an effect token: the same one has the same effect once. An adapter raises
:class:`~sma_flows.errors.ServiceError` when it cannot do its work; the dispatcher turns that into the outcome
``failed``. Nothing else may come out of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

KEPT_S: Final = 3600.0
"""Seconds for which effects are remembered: longer than the service repeats an event, shorter than anybody wants it
(decision 18)."""


class Clock(Protocol):
    """Time as the services see it: tests bring their own."""

    def now(self) -> float:
        """Seconds since 1970, as the wall clock shows them."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back; deadlines are values of it."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Memo(NamedTuple):
    """What a memo record says to an invocation that wants to have an effect.

    ``state`` is ``run`` (the record is yours: do it), ``reply`` (it was done: *reply* is what came of it), ``wait``
    (somebody else is at it) or ``lost`` (somebody was, and never wrote what came of it: it may have happened).
    """

    state: str
    reply: str = ""


class MemoStore(Protocol):
    """Records that keep an effect of class ``once`` from happening twice (decision 18)."""

    def begin(self, token: str, lease_s: float, now: float, timeout_s: float) -> Memo:
        """Open the record of *token*, or say what is in it. Never waits for another invocation."""
        ...

    def look(self, token: str, now: float, timeout_s: float) -> Memo:
        """What is in the record of *token*, without opening one; ``lost`` if it is gone."""
        ...

    def finish(self, token: str, reply: str, now: float, timeout_s: float) -> None:
        """Write what came of the effect. *reply* is JSON text without secrets."""
        ...

    def end(self, call: str, now: float, timeout_s: float) -> None:
        """Note that the call with this transaction id is over (decision 23)."""
        ...

    def ended(self, call: str, now: float, timeout_s: float) -> bool:
        """Whether the call is over."""
        ...


class JournalStore(Protocol):
    """The newest answer of each call, as text, for an hour (decision 24)."""

    def write(self, call: str, n: int, entry: str, now: float, timeout_s: float) -> str | None:
        """Keep *entry*, unless one with the same or a higher *n* is there: that one is given. None: it is kept."""
        ...

    def read(self, call: str, now: float, timeout_s: float) -> str | None:
        """The newest entry of *call*."""
        ...


class LimitStore(Protocol):
    """Counters over calls (decision 20): reserve, then use or give back."""

    def reserve(self, name: str, key: str, token: str, most: int, window_s: int, now: float, timeout_s: float) -> bool:
        """Reserve one unit of counter *name* for *key*; false when the window is full.

        The unit belongs to *token*: reserving again with the same token takes no second one.
        """
        ...

    def give_back(self, name: str, key: str, token: str, timeout_s: float) -> None:
        """Return a unit that was reserved and not used. A unit in use stays."""
        ...

    def use(self, name: str, key: str, token: str, timeout_s: float) -> int:
        """Use the reserved unit up; gives its place in the window, counted from 1, the same at every repetition."""
        ...


class Attendee(NamedTuple):
    """A seat in a meeting. ``join_token`` is a bearer value and not for eyes."""

    id: str
    join_token: str

    def __repr__(self) -> str:
        return f"Attendee({self.id!r}, ***)"


class Meetings(Protocol):
    """The meeting service. *token* is an effect token: the same one gives the same attendee."""

    def attend(self, meeting: str, token: str, now: float, timeout_s: float) -> Attendee:
        """Create an attendee whose external id is *token*."""
        ...

    def leave(self, meeting: str, attendee: str, now: float, timeout_s: float) -> None:
        """Delete an attendee, and the meeting with the last one if it was opened by name.

        One that is gone already is a success.
        """
        ...

    def roster(self, meeting: str, timeout_s: float) -> Sequence[str]:
        """Ids of the attendees of a meeting, in the order in which they came."""
        ...

    def mute(self, meeting: str, attendee: str, muted: bool, timeout_s: float) -> None:
        """Let an attendee only hear, or hear and speak again. One that is gone already is a success."""
        ...

    def open(self, name: str, region: str, now: float, timeout_s: float) -> str:
        """Id of the living meeting called *name*, made if there is none: one that has ended is replaced."""
        ...

    def find(self, name: str, now: float, timeout_s: float) -> str | None:
        """Id of the living meeting called *name*."""
        ...

    def close(self, name: str, now: float, timeout_s: float) -> None:
        """End the meeting called *name*. None of that name is a success."""
        ...

    def show(self, meeting: str, timeout_s: float) -> Mapping[str, Any]:
        """What a client needs to join the meeting with this id: the ``Meeting`` of GetMeeting."""
        ...


class Directory(Protocol):
    """Rows by table and key."""

    def find(self, table: str, key: str, timeout_s: float) -> Mapping[str, Any] | None:
        """The row under *key*."""
        ...

    def find_secret(self, table: str, key: str, timeout_s: float) -> Mapping[str, Any] | None:
        """The row that was written under a secret key: only its keyed hash is stored and compared."""
        ...

    def put(self, table: str, key: str, values: Mapping[str, Any], token: str, now: float, timeout_s: float) -> None:
        """Write the row under *key*; fields that it has and *values* has not stay."""
        ...

    def put_secret(self, table: str, key: str, values: Mapping[str, Any], timeout_s: float) -> None:
        """Write the whole row under a secret key. For whoever gives out PINs; a call cannot do it."""
        ...

    def claim(
        self, table: str, key: str, values: Mapping[str, Any], token: str, timeout_s: float, expires: int = 0
    ) -> bool:
        """Write the row under *key* if there is none. True for the token that wrote it.

        *expires* is when the row may be deleted, in seconds since 1970; 0: it is kept.
        """
        ...

    def remove(self, table: str, key: str, timeout_s: float) -> None:
        """Delete the row under *key*. None there is a success."""
        ...

    def remove_secret(self, table: str, key: str, timeout_s: float) -> None:
        """Delete the row that was written under a secret key. None there is a success."""
        ...


class Calls(Protocol):
    """Calls of a SIP media application, as it can be told from outside."""

    def create(
        self,
        application: str,
        to: str,
        caller: str,
        arguments: Mapping[str, str],
        token: str,
        now: float,
        timeout_s: float,
    ) -> str:
        """Dial *to* with *caller* as caller id; gives the transaction id. Tried once: the service knows no token."""
        ...

    def update(
        self, application: str, transaction: str, arguments: Mapping[str, str], token: str, now: float, timeout_s: float
    ) -> bool:
        """Tell a running call something; false when it is over. That it arrives is not promised (contract 6.4)."""
        ...


class Channel(Protocol):
    """Messaging channels."""

    def post(
        self,
        channel: str,
        bearer: str,
        text: str,
        metadata: Mapping[str, Any],
        token: str,
        now: float,
        timeout_s: float,
    ) -> None:
        """Post *text* to *channel* in the name of *bearer*."""
        ...


class Queue(Protocol):
    """Queues and event buses."""

    def knows_tokens(self, queue: str) -> bool:
        """Whether what is put there twice with one token arrives once."""
        ...

    def put(self, queue: str, kind: str, body: Mapping[str, Any], token: str, now: float, timeout_s: float) -> None:
        """Hand *body* over, on a bus as an event of *kind*. ``body["call"]`` groups what stays in order."""
        ...


class Stream(Protocol):
    """Live streams of meetings."""

    def start(self, meeting: str, sink: str, token: str, now: float, timeout_s: float) -> str:
        """Send picture and sound of *meeting* to the RTMP address *sink*; gives the id of the pipeline."""
        ...

    def stop(self, pipeline: str, token: str, now: float, timeout_s: float) -> None:
        """End a stream. One that is over is a success."""
        ...


class Capture(Protocol):
    """Recordings of meetings."""

    def start(self, meeting: str, sink: str, token: str, now: float, timeout_s: float) -> str:
        """Record the sound of *meeting* into the bucket *sink*; gives the id of the pipeline."""
        ...

    def stop(self, pipeline: str, token: str, now: float, timeout_s: float) -> None:
        """End a recording. One that is over is a success."""
        ...


class Transcription(Protocol):
    """Transcriptions of meetings, which the meeting's clients receive."""

    def start(self, meeting: str, language: str, token: str, now: float, timeout_s: float) -> None:
        """Transcribe what is said in *meeting*."""
        ...

    def stop(self, meeting: str, token: str, now: float, timeout_s: float) -> None:
        """End the transcription of *meeting*. One that is over is a success."""
        ...


class Ports(NamedTuple):
    """What the built-in hooks work on. A port that is not there makes its built-ins fail."""

    directory: Directory | None = None
    meetings: Meetings | None = None
    calls: Calls | None = None
    channel: Channel | None = None
    queue: Queue | None = None
    stream: Stream | None = None
    capture: Capture | None = None
    transcription: Transcription | None = None


class Meter:
    """How many requests went to AWS since the last :meth:`take`, by what they were for (decision 39)."""

    __slots__ = ("limits", "named", "records")

    def __init__(self) -> None:
        self.named = self.records = self.limits = 0

    def take(self) -> dict[str, int]:
        """The figures that are not zero: ``named`` by the flow, memo and journal ``records``, ``limits``."""
        taken = {name: n for name in ("named", "records", "limits") if (n := getattr(self, name))}
        self.named = self.records = self.limits = 0
        return taken
