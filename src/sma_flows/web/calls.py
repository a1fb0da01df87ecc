"""Calls that a page asks for: what is made, in which order, and what is undone when a step fails.

The order is the fence. Nothing is made before the number is understood, the dial policy of the flow allows it, the
request is the first with its id, and every limit has room. Then, and only then: a meeting, a seat for the browser, the
call. The person who is called gets a seat when he joins, by the flow.

One row for each call, under an id that is made of tenant, user and the page's request id. It is claimed before anything
else, so that of many equal requests one goes on. Fields are only ever added, by us and by the flow, so that it does not
matter which of two writers is last:

==============  ======================================================================================================
``owner``       digest of tenant and user
``created``     when, in seconds since 1970
``transaction`` of the telephone call, as soon as it is known
``wanted``      ``no`` when the page has ended the call, or nobody knows whether it was placed
``talking``     the flow: both have met in the meeting
``ended``       the flow: how it ended, one of :data:`OUTCOMES`
==============  ======================================================================================================

Numbers and names are not in it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sma_flows.errors import ServiceError
from sma_flows.protocol.ids import digest
from sma_flows.services.outbound import InputError, RefusedNumberError
from sma_flows.web.refused import RefusedError, no_such_call, unavailable

if TYPE_CHECKING:
    from sma_flows.services.outbound import Outbound
    from sma_flows.services.ports import Attendee, Calls, Clock, Directory, LimitStore, Meetings
    from sma_flows.web.identity import Identity
    from sma_flows.web.settings import Settings

__all__ = ["OUTCOMES", "Placed", "Status", "Trouble", "WebCalls"]

STEP_S: Final = 2.5
"""Longest time of one request to AWS or the store."""

WHOLE_S: Final = 16.0
"""Longest time of a request that places a call, before it is undone."""

SHORT_S: Final = 8.0
"""Longest time of any other request."""

UNDO_S: Final = 6.0
"""Longest time for what takes the steps of a failed request back."""

PLACING_S: Final = 6.0
"""Longest time of the request that places the call: it is made once, and what it answers decides a lot."""

KEPT_S: Final = 2 * 24 * 3600
"""Seconds for which the row of a call is kept: longer than any meeting lasts."""

RINGS_S: Final = 300
"""A call that has not come further after so many seconds is over, whatever became of the flow's report."""

LASTS_S: Final = 24 * 3600
"""No meeting lasts longer (contract 10.1)."""

OUTCOMES: Final = (
    "no_answer",
    "not_accepted",
    "declined",
    "cancelled",
    "talked",
    "no_meeting",
    "failed",
    "unknown",
)
"""How a call can end; ``unknown`` where nobody has said it."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A telephone is ringing: ``meeting`` as GetMeeting shows it, and the browser's seat in it."""

    call: str
    meeting: Mapping[str, Any]
    attendee: Attendee
    external: str


@dataclass(frozen=True, slots=True)
class Status:
    """``ringing``, ``talking`` or ``ended``; then with one of :data:`OUTCOMES`."""

    call: str
    state: str
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong at our side: which step, and what the port said (operation and code, never a value)."""

    step: str
    reason: str


@dataclass(slots=True)
class WebCalls:
    """What the API does. *settings* say for whom, the ports with what."""

    settings: Settings
    outbound: Outbound
    directory: Directory
    limits: LimitStore
    meetings: Meetings
    calls: Calls
    clock: Clock
    troubles: list[Trouble] = field(default_factory=list)
    _until: float = 0.0
    _end: float = 0.0

    def place(self, who: Identity, request: str, to: str, name: str, language: str) -> Placed:
        """Have *to* called for the visitor *name*. *request* is an id that the page makes anew for each click.

        Raises:
            RefusedError: it may not be, was already, or could not be; then nothing of it stays.
        """
        self._begin(WHOLE_S)
        call = call_id(who, request)
        number = self._allowed(call, to, name, language)
        self._claim(who, call)
        with self._undone() as undo:
            undo("forget", lambda: self.directory.remove(self.settings.table, call, self._left()))
            units = self._reserve(who, call, number)
            for unit in units:
                undo("give_back", partial(self._give_back, unit))
            undo("close_meeting", lambda: self.meetings.close(call, self.clock.now(), self._left()))
            external = digest(call, "visitor")[:26]
            with _needed(self, "meeting", "There is no meeting to be had just now."):
                meeting = self.meetings.open(call, self.settings.media_region, self.clock.now(), self._left())
                shown = self.meetings.show(meeting, self._left())
                attendee = self.meetings.attend(meeting, external, self.clock.now(), self._left())
            transaction = self._dial(call, number, name, language, meeting)
            self._keep(call, transaction)
        for unit in units:  # that it stays reserved counts as much
            self._tried("use", partial(self._use, unit))
        return Placed(call, shown, attendee, external)

    def status(self, who: Identity, call: str) -> Status:
        """How far a call of *who* has come.

        Raises:
            RefusedError: there is no such call, or the store does not answer.
        """
        self._begin(SHORT_S)
        return self._status(call, self._row(who, call))

    def press(self, who: Identity, call: str, keys: str) -> None:
        """Have *keys* sent to the telephone. That they arrive is not promised.

        Raises:
            RefusedError: there is no such call, nobody is talking, or the service does not take them.
        """
        self._begin(SHORT_S)
        row = self._row(who, call)
        status = self._status(call, row)
        if status.state != "talking":
            raise RefusedError(409, f"call_{status.state}", "Keys are sent while both sides are talking.", call=call)
        with _needed(self, "keys", "The keys could not be sent."):
            if not self._tell(call, str(row.get("transaction") or ""), "keys", keys=keys):
                raise RefusedError(409, "call_ended", "The call is over.", call=call)

    def end(self, who: Identity, call: str) -> None:
        """End a call and its meeting. One that is over is a success.

        Raises:
            RefusedError: there is no such call, or the meeting could not be ended; trying again does no harm.
        """
        self._begin(SHORT_S)
        row = self._row(who, call)
        if row.get("ended"):
            return
        with _needed(self, "end", "The call could not be ended."):
            self._note(call, "wanted", "no")
        if row.get("transaction"):  # without it the flow looks at the row when the telephone is picked up
            self._tried("end_call", lambda: self._tell(call, str(row["transaction"]), "end"))
        with _needed(self, "close_meeting", "The meeting could not be ended."):
            self.meetings.close(call, self.clock.now(), self._left())

    def _allowed(self, call: str, to: str, name: str, language: str) -> str:
        """*to* in E.164 form, if it may be called in this language."""
        number = self.settings.fence.number(to)
        if language not in self.settings.languages:
            spoken = ", ".join(sorted(self.settings.languages))
            raise RefusedError(422, "language_unknown", f"The call can be held in {spoken}.")
        inputs = self._inputs(call, name, language, "meeting")
        try:
            self.outbound.arguments(self.settings.flow, number, self.settings.caller, inputs)
        except RefusedNumberError:
            raise RefusedError(403, "number_refused", "This number is not called from here.") from None
        except InputError:
            raise RefusedError(422, "invalid", "The call cannot be placed with these values.") from None
        return number

    def _inputs(self, call: str, name: str, language: str, meeting: str) -> dict[str, str]:
        return {"web_call": call, "visitor": name, "language": language, "meeting": meeting}

    def _claim(self, who: Identity, call: str) -> None:
        now = int(self.clock.now())
        row = {"owner": who.owner, "created": now}
        with _needed(self, "claim", "The call cannot be noted down just now."):
            mine = self.directory.claim(
                self.settings.table, call, row, secrets.token_hex(16), self._left(), now + KEPT_S
            )
        if not mine:
            raise RefusedError(409, "repeated", "This request was made before; this is its call.", call=call)

    def _reserve(self, who: Identity, call: str, number: str) -> list[_Unit]:
        """One unit of each limit, or none of any."""
        taken: list[_Unit] = []
        with self._undone() as undo:
            for what, key, limit, words in (
                ("user", who.owner, self.settings.per_user, "You have"),
                ("destination", number, self.settings.per_destination, "This number has"),
                ("tenant", who.tenant, self.settings.per_tenant, "Your organisation has"),
            ):
                unit = _Unit(f"{self.settings.flow}:{what}", key, call)
                now = self.clock.now()
                undo("give_back", partial(self._give_back, unit))  # also when the answer is lost
                with _needed(self, "limits", "Nobody can say how many calls there were."):
                    room = self.limits.reserve(*unit, limit.most, limit.window_s, now, self._left())
                if not room:
                    wait = limit.window_s - int(now) % limit.window_s
                    message = f"{words} had as many calls as are allowed for now."
                    raise RefusedError(429, f"too_many_for_{what}", message, retry_s=wait)
                taken.append(unit)
        return taken

    def _give_back(self, unit: _Unit) -> None:
        self.limits.give_back(*unit, self._left())

    def _use(self, unit: _Unit) -> None:
        self.limits.use(*unit, self._left())

    def _dial(self, call: str, number: str, name: str, language: str, meeting: str) -> str:
        """Place the call, once; gives its transaction id.

        Raises:
            RefusedError: it was not placed.
            LostError: nobody knows whether it was.
        """
        try:
            return self.outbound.place(
                self.calls,
                self.settings.flow,
                number,
                self.settings.caller,
                self._inputs(call, name, language, meeting),
                token=call,
                now=self.clock.now(),
                timeout_s=self._left(PLACING_S),
                application=self.settings.application,
            )
        except ServiceError as error:
            self.troubles.append(Trouble("dial", str(error)))
            if error.certain:
                raise unavailable("The telephone service does not place the call.") from None
            raise LostError(call, "Nobody knows whether the call was placed.") from None

    def _keep(self, call: str, transaction: str) -> None:
        """Write down what the call is steered by; without it, the call is ended.

        Raises:
            LostError: it could not be written.
        """
        try:
            self._note(call, "transaction", transaction)
        except ServiceError as error:
            self.troubles.append(Trouble("note_call", str(error)))
            self._tried("end_call", lambda: self._tell(call, transaction, "end"))
            raise LostError(call, "The call could not be noted down, so it is being ended.") from None

    def _tell(self, call: str, transaction: str, update: str, **arguments: str) -> bool:
        return self.outbound.tell(
            self.calls,
            self.settings.flow,
            transaction,
            update,
            arguments,
            token=f"{call}.{update}",
            now=self.clock.now(),
            timeout_s=self._left(),
            application=self.settings.application,
        )

    def _note(self, call: str, name: str, value: str) -> None:
        token = f"{call}.{name}"
        self.directory.put(self.settings.table, call, {name: value}, token, self.clock.now(), self._left())

    def _row(self, who: Identity, call: str) -> Mapping[str, Any]:
        with _needed(self, "look", "Nobody can say how the call is."):
            row = self.directory.find(self.settings.table, call, self._left())
        if row is None or not secrets.compare_digest(str(row.get("owner")), who.owner):
            raise no_such_call()
        return row

    def _status(self, call: str, row: Mapping[str, Any]) -> Status:
        age = self.clock.now() - float(row.get("created") or 0)
        if row.get("ended"):
            ended = str(row["ended"])
            return Status(call, "ended", ended if ended in OUTCOMES else "unknown")
        if row.get("wanted") == "no":
            return Status(call, "ended", "talked" if row.get("talking") else "cancelled")
        if age > (LASTS_S if row.get("talking") else RINGS_S):
            return Status(call, "ended", "unknown")
        return Status(call, "talking" if row.get("talking") else "ringing")

    @contextmanager
    def _undone(self) -> Iterator[Callable[[str, Callable[[], object]], None]]:
        """A block that is given a function for what takes back a step; if the block fails, all are, last one first.

        Where nobody knows whether the call was placed, only the meeting is ended: the request counts as made, so that
        it is not made twice, and the flow tells whoever picks up that nobody is waiting.
        """
        steps: list[tuple[str, Callable[[], object]]] = []
        try:
            yield lambda name, step: steps.append((name, step))
        except LostError as lost:
            self._until = self._end
            for name, step in reversed(steps):
                if name == "close_meeting":
                    self._tried(name, step)
            call = lost.call
            self._tried("note_lost", lambda: self._note(call, "wanted", "no"))
            raise unavailable(lost.message, call=lost.call) from None
        except BaseException:
            self._until = self._end
            for name, step in reversed(steps):
                self._tried(name, step)
            raise

    def _begin(self, seconds: float) -> None:
        """From now on there are so many seconds, and some more to take back what was done."""
        self._until = self.clock.monotonic() + seconds
        self._end = self._until + UNDO_S

    def _left(self, most: float = STEP_S) -> float:
        """Seconds that the next step may take."""
        return min(most, max(self._until - self.clock.monotonic(), 0.0))

    def _tried(self, name: str, step: Callable[[], object]) -> None:
        """Do what is good to have, and only note when it fails."""
        try:
            step()
        except ServiceError as error:
            self.troubles.append(Trouble(name, str(error)))


class LostError(Exception):
    """A telephone may be ringing, and nobody can be told more about it."""

    def __init__(self, call: str, message: str) -> None:
        super().__init__(call)
        self.call = call
        self.message = message


class _Unit(NamedTuple):
    """One unit of one limit, for one call."""

    name: str
    key: str
    token: str


def call_id(who: Identity, request: str) -> str:
    """The id of the call that *who* asks for with *request*: the same for the same, and nobody else's."""
    return "wc-" + digest(who.owner, request)[:26]


@contextmanager
def _needed(calls: WebCalls, step: str, message: str) -> Iterator[None]:
    """A step without which it does not go on: a service that fails becomes an answer for the page."""
    try:
        yield
    except ServiceError as error:
        calls.troubles.append(Trouble(step, str(error)))
        raise unavailable(message) from None
