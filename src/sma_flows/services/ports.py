"""What the services need from the outside, as protocols.

Behind each stands a local adapter (SQLite, ``services/local``) and, where it exists, one for AWS (``services/aws``). An
adapter raises :class:`~sma_flows.errors.ServiceError` when it cannot do its work; the dispatcher turns that into the
outcome ``failed``. Nothing else may come out of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


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


@dataclass(frozen=True, slots=True)
class Memo:
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

    def finish(self, token: str, reply: str, now: float, timeout_s: float) -> None:
        """Write what came of the effect. *reply* is JSON text without secrets."""
        ...

    def end(self, call: str, now: float, timeout_s: float) -> None:
        """Note that the call with this transaction id is over (decision 23)."""
        ...

    def ended(self, call: str, timeout_s: float) -> bool:
        """Whether the call is over."""
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


@dataclass(frozen=True, slots=True)
class Attendee:
    """A seat in a meeting. ``join_token`` is a bearer value and not for eyes."""

    id: str
    join_token: str

    def __repr__(self) -> str:
        return f"Attendee({self.id!r}, ***)"


class Meetings(Protocol):
    """The meeting service. *token* is an effect token: the same one gives the same attendee."""

    def attend(self, meeting: str, token: str, timeout_s: float) -> Attendee:
        """Create an attendee whose external id is *token*."""
        ...

    def leave(self, meeting: str, attendee: str, timeout_s: float) -> None:
        """Delete an attendee. One that is gone already is a success."""
        ...

    def roster(self, meeting: str, timeout_s: float) -> Sequence[str]:
        """Ids of the attendees of a meeting, in the order in which they came."""
        ...

    def open(self, name: str, region: str, timeout_s: float) -> str:
        """Id of the meeting called *name*, made if there is none."""
        ...

    def find(self, name: str, timeout_s: float) -> str | None:
        """Id of the open meeting called *name*."""
        ...

    def close(self, name: str, timeout_s: float) -> None:
        """End the meeting called *name*. None of that name is a success."""
        ...


class Directory(Protocol):
    """Rows by table and key. *token* is an effect token: the same one writes once."""

    def find(self, table: str, key: str, timeout_s: float) -> Mapping[str, Any] | None:
        """The row under *key*."""
        ...

    def find_secret(self, table: str, key: str, timeout_s: float) -> Mapping[str, Any] | None:
        """The row under a key that is a secret: every row is compared, each in constant time."""
        ...

    def put(self, table: str, key: str, values: Mapping[str, Any], token: str, now: float, timeout_s: float) -> None:
        """Write the row under *key*; fields that it has and *values* has not stay."""
        ...

    def claim(self, table: str, key: str, values: Mapping[str, Any], token: str, timeout_s: float) -> bool:
        """Write the row under *key* if there is none. True for the token that wrote it."""
        ...

    def remove(self, table: str, key: str, timeout_s: float) -> None:
        """Delete the row under *key*. None there is a success."""
        ...


class Outbox(Protocol):
    """What leaves for somewhere else: messages, queue items, pipelines, dialled calls. One item per token."""

    def send(self, kind: str, token: str, payload: Mapping[str, Any], now: float, timeout_s: float) -> None:
        """Send *payload* as *kind*, unless *token* has sent it already."""
        ...
