"""Many calls at once on one clock: calls come in and are placed, updated, listed and steered while others go on.

Each call is a :class:`~sma_flows.simulator.driver.Phone` with a function of its own that answers its events. With a
:class:`~sma_flows.simulator.clock.VirtualClock` the exchange is moved by hand and everything happens in the thread that
moves it (:meth:`Exchange.wait`, :meth:`Exchange.settle`). With a running clock, :func:`running` keeps it going in a
thread, and every event is answered in a thread of its own: functions may call the exchange, also through its HTTP door.
"""

from __future__ import annotations

import heapq
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from traceback import walk_tb
from typing import Final

from sma_flows.protocol import limits
from sma_flows.protocol.ids import like_uuid
from sma_flows.simulator.attending import Attending, thrown_out
from sma_flows.simulator.clock import Clock, VirtualClock
from sma_flows.simulator.driver import AnswerFunction, Party, Phone
from sma_flows.simulator.legs import MEETING_NUMBER
from sma_flows.simulator.meetings import Meetings
from sma_flows.simulator.messages import (
    Deliver,
    Dials,
    Entry,
    InboundCall,
    Input,
    OutboundCall,
    Output,
    Refused,
    Update,
)
from sma_flows.simulator.model import Network, World
from sma_flows.simulator.refused import RefusedError
from sma_flows.simulator.switches import Switches

__all__ = ["Exchange", "Line", "Quotas", "Rate", "Route", "running"]

KEPT: Final = 1_000
"""Calls that are over and can still be looked at."""

MEETING: Final = Party(after_ms=0, rings_ms=None)
NO_ENTRY: Final = Party("rejects", after_ms=0, rings_ms=None, code=403)
"""Who picks up at the number of the meetings: with a good token, and with any other (inferred)."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """What an account may do per region (contract 7.2); the defaults are those of a new account."""

    creates_per_s: int = limits.DIALS_PER_S
    updates_per_s: int = limits.UPDATES_PER_S
    active_calls: int = limits.ACTIVE_CALLS


class Rate:
    """At most *per_s* in any second; times in milliseconds."""

    def __init__(self, per_s: int) -> None:
        self._taken: deque[int] = deque(maxlen=per_s)

    def take(self, now_ms: int) -> bool:
        """Whether one more is allowed now; if so, it counts."""
        if not self._taken.maxlen or (len(self._taken) == self._taken.maxlen and now_ms - self._taken[0] < 1000):
            return False
        self._taken.append(now_ms)
        return True


@dataclass(frozen=True, slots=True)
class Route:
    """Where a call is led: to a SIP media application, by a SIP rule (inbound).

    ``phone`` makes the call: with the world and the surroundings that it is given, and a function that answers.
    """

    application: str
    phone: Callable[[World, Line], Phone]
    rule: str = ""


def answered_by(answer: AnswerFunction, switches: Switches | None = None) -> Callable[[World, Line], Phone]:
    """The ``phone`` of a route whose calls are all answered by one function."""
    return lambda world, line: Phone(answer, world=world, switches=switches, around=line)


class Line(Attending):
    """One call of an exchange. ``began_ms`` is on its clock; ``done`` is set when the call is over."""

    def __init__(self, exchange: Exchange, route: Route, world: World) -> None:
        super().__init__(exchange.meetings, world.transaction, exchange.clock.now_ms)
        self.transaction = world.transaction
        self.application = route.application
        self.began_ms = exchange.clock.now_ms()
        self.done = threading.Event()
        self.seen = 0
        self.counted = 0
        self.due: int | None = None
        self._exchange = exchange
        self.phone = route.phone(world, self)

    @property
    def legs(self) -> int:
        """How often the call counts for the quota: a bridge counts 2 more (contract 7.2)."""
        other = self.phone.network.leg("LEG-B")
        bridged = other is not None and not other.gone and not self.phone.network.joined.startswith("meeting ")
        return 3 if bridged else 1

    def world(self, network: Network, event: Input) -> World:
        """See :class:`~sma_flows.simulator.driver.Around`."""
        world = super().world(network, event)
        others = self._exchange.active - self.counted
        return world if world.calls >= others else replace(world, calls=others)

    def takes(self, output: Output) -> bool:
        """See :class:`~sma_flows.simulator.driver.Around`."""
        match output:
            case Deliver():
                self._exchange.deliver(self, output)
                return True
            case Dials():
                self._call(output)
                return True
        return False

    def _call(self, dials: Dials) -> None:
        party = self._exchange.party(dials.to)
        if dials.to == MEETING_NUMBER:
            let_in = self.answers(dials, self.phone.network)
            party = MEETING if let_in else NO_ENTRY
        if party is not None:
            self.phone.call(dials.leg, party)


class Exchange:
    """See the module.

    *route* says where a call goes: an outbound one by application id, an inbound one by the number that was dialled
    (then the id is empty); None: nowhere. *party* says how the party at a number behaves; None: it is led by hand
    (:meth:`act`). *world* is the account; *numbers* (default: those of the world) can be called from. *on_entry* sees
    each entry of each transcript as it is written; it must not take long.

    All methods may be called from any thread.
    """

    def __init__(
        self,
        route: Callable[[str, str], Route | None],
        *,
        clock: Clock | None = None,
        world: World | None = None,
        quotas: Quotas | None = None,
        meetings: Meetings | None = None,
        party: Callable[[str], Party | None] = lambda _number: Party(),
        on_entry: Callable[[Line, Entry], None] | None = None,
        numbers: Callable[[], frozenset[str]] | None = None,
    ) -> None:
        self.clock: Clock = clock or VirtualClock()
        self.quotas = quotas or Quotas()
        self.base = world or World()
        self.meetings = meetings or Meetings()
        self.party = party
        self.numbers = numbers or (lambda: self.base.numbers)
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.route = route
        self.on_entry = on_entry
        self._lines: OrderedDict[str, Line] = OrderedDict()
        self._active: dict[str, Line] = {}
        self._heap: list[tuple[int, int, Line]] = []
        self._count = self._pushed = 0
        self._jobs: deque[tuple[Line, Deliver]] = deque()
        self._creates = Rate(self.quotas.creates_per_s)
        self._updates = Rate(self.quotas.updates_per_s)
        self._threads = False
        self._failure: Exception | None = None
        self._together = 0
        self._legs = 0

    # -- calls -----------------------------------------------------------------------------------------------------

    def place(
        self,
        to: str,
        from_: str,
        application: str,
        arguments: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Line:
        """CreateSipMediaApplicationCall: the call as it begins; who is called acts later.

        Raises:
            RefusedError: ThrottledClientException; ResourceLimitExceededException: too many calls; BadRequestException:
                no such application, or not a number of the account.
        """
        with self.changed:
            self._catch_up()
            if not self._creates.take(self.clock.now_ms()):
                raise RefusedError("ThrottledClientException", "The rate of CreateSipMediaApplicationCall is exceeded.")
            if from_ not in self.numbers():
                raise RefusedError("BadRequestException", "FromPhoneNumber is not a number of this account.")
            route = self.route(application, "")
            if route is None:
                raise RefusedError("BadRequestException", f"There is no SIP media application {application}.")
            call = OutboundCall(to, from_, _pairs(arguments), _pairs(headers))
            line = self._open(route, call)
        self._work()
        return line

    def dial_in(self, from_: str, to: str, headers: Mapping[str, str] | None = None) -> Line:
        """Somebody calls a number.

        Raises:
            RefusedError: NotFoundException: nothing leads from this number to an application;
                ResourceLimitExceededException: too many calls.
        """
        with self.changed:
            self._catch_up()
            route = self.route("", to)
            if route is None:
                raise RefusedError("NotFoundException", f"No SIP rule leads from {to} to an application.")
            line = self._open(route, InboundCall(from_, to, _pairs(headers)))
        self._work()
        return line

    def update(self, transaction: str, arguments: Mapping[str, str], application: str = "") -> None:
        """UpdateSipMediaApplicationCall.

        Raises:
            RefusedError: NotFoundException: no such call, of another application, or over (rule 66);
                ThrottledClientException (rule 69).
        """
        with self.changed:
            self._catch_up()
            line = self._living(transaction)
            if application and line.application != application:
                raise RefusedError("NotFoundException", f"The application has no call {transaction}.")
            if not self._updates.take(self.clock.now_ms()):
                raise RefusedError("ThrottledClientException", "The rate of UpdateSipMediaApplicationCall is exceeded.")
            entries = self._send(line, Update(_pairs(arguments)))
            for entry in entries:
                if isinstance(entry.value, Refused):
                    raise RefusedError(entry.value.error, "The call does not take an update.")
        self._work()

    def act(self, transaction: str, *events: Input) -> None:
        """A party does something: presses keys, talks, hangs up, answers.

        Raises:
            RefusedError: NotFoundException: no such call, or over.
            ValueError: the event makes no sense now.
        """
        for event in events:
            with self.changed:
                self._catch_up()
                self._send(self._living(transaction), event)
            self._work()

    def line(self, transaction: str) -> Line:
        """A call, also one that is over.

        Raises:
            RefusedError: NotFoundException.
        """
        with self.lock:
            found = self._lines.get(transaction)
        if found is None:
            raise RefusedError("NotFoundException", f"There is no call {transaction}.")
        return found

    @property
    def lines(self) -> list[Line]:
        """All calls, the oldest first; the last of those that are over."""
        with self.lock:
            return list(self._lines.values())

    @property
    def active(self) -> int:
        """Active calls as the quota counts them."""
        return self._legs

    # -- time ------------------------------------------------------------------------------------------------------

    @property
    def next_ms(self) -> int | None:
        """When the next thing happens by itself, on the clock; None: never."""
        with self.lock:
            while self._heap and self._heap[0][2].due != self._heap[0][0]:
                heapq.heappop(self._heap)
            due = [self._heap[0][0]] if self._heap else []
            end = self.meetings.next_drop_ms()
            return min(due if end is None else [*due, end], default=None)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let several things happen in one moment, the meetings included; functions are asked afterwards."""
        with self.changed:
            self._catch_up()
            self._together += 1
            try:
                yield
            finally:
                self._together -= 1
                self._catch_up()
                self.changed.notify_all()
        self._work()

    def catch_up(self) -> None:
        """Let everything happen that is due by now."""
        with self.changed:
            self._catch_up()
        self._work()

    def wait(self, ms: int) -> None:
        """Put a virtual clock forward by *ms* and let happen what is due on the way, in order."""
        clock = self._virtual()
        end = clock.now_ms() + ms
        while (at := self.next_ms) is not None and at <= end:
            clock.go_to(at)
            self.catch_up()
        clock.go_to(end)
        self.catch_up()

    def settle(self, limit_ms: int = 600_000) -> None:
        """Put a virtual clock forward until nothing more happens by itself, at most *limit_ms*."""
        clock = self._virtual()
        end = clock.now_ms() + limit_ms
        while (at := self.next_ms) is not None and at <= end:
            clock.go_to(at)
            self.catch_up()

    def _virtual(self) -> VirtualClock:
        if not isinstance(self.clock, VirtualClock):
            raise TypeError("this clock runs by itself")
        return self.clock

    # -- inside ----------------------------------------------------------------------------------------------------

    def deliver(self, line: Line, deliver: Deliver) -> None:
        """An event is on its way to the function of a call: until it is answered, the clock runs in real time."""
        self.clock.hold()
        self._jobs.append((line, deliver))

    def _open(self, route: Route, call: InboundCall | OutboundCall) -> Line:
        if self.active >= self.quotas.active_calls:
            limit = self.quotas.active_calls
            raise RefusedError("ResourceLimitExceededException", f"The account has {limit} active calls already.")
        self._count += 1
        now = self.clock.now_ms()
        started = self.base.started_ms + now
        world = replace(
            self.base,
            transaction=like_uuid("call", self.base.account, self.base.region, str(self._count)),
            line=f"{self._count >> 16 & 0xFFFF:04x}-{self._count & 0xFFFF:04x}",
            application=route.application,
            numbers=self.numbers(),
            rule=route.rule or self.base.rule,
            started_ms=started,
            day=f"{datetime.fromtimestamp(started / 1000, UTC):%Y/%m/%d}",
            quota=self.quotas.active_calls,
            updates_per_s=self.quotas.updates_per_s,
        )
        line = Line(self, route, world)
        self._lines[line.transaction] = self._active[line.transaction] = line
        self._send(line, call)
        return line

    def _living(self, transaction: str) -> Line:
        line = self._active.get(transaction)
        if line is None:
            raise RefusedError("NotFoundException", f"There is no active call {transaction}.")
        return line

    def _send(self, line: Line, event: Input) -> list[Entry]:
        self._bring(line)
        entries = line.phone.send(event)
        self._touched(line)
        return entries

    def _bring(self, line: Line) -> None:
        """A call that rests does not follow the clock: bring it to now. What is due has happened already."""
        behind = self.clock.now_ms() - line.began_ms - line.phone.now_ms
        if behind > 0 and not line.phone.over:
            line.phone.wait(behind)

    def _touched(self, line: Line) -> None:
        """Something has happened to a call: tell, put it in its place in time, throw out whom a meeting dropped."""
        phone = line.phone
        if self.on_entry is not None:
            while line.seen < len(phone.transcript):
                line.seen += 1
                try:
                    self.on_entry(line, phone.transcript[line.seen - 1])
                except Exception as error:  # noqa: BLE001 - who listens must not hold up the calls
                    self._failed(error)
        ahead = None if phone.over else phone.next_ms
        due = None if ahead is None else line.began_ms + phone.now_ms + ahead
        if due is not None and due != line.due:
            self._pushed += 1
            heapq.heappush(self._heap, (due, self._pushed, line))
        line.due = due
        legs = 0 if phone.over else line.legs
        self._legs, line.counted = self._legs + legs - line.counted, legs
        if phone.over and self._active.pop(line.transaction, None) is not None:
            line.done.set()
            if len(self._lines) - len(self._active) > KEPT:
                del self._lines[next(name for name in self._lines if name not in self._active)]
        self._throw_out()
        self.changed.notify_all()

    def _throw_out(self) -> None:
        for connection in self.meetings.dropped():
            line = self._active.get(connection.rpartition(" ")[0])
            event = thrown_out(connection, line.phone.network) if line is not None else None
            if line is not None and event is not None:
                self._send(line, event)

    def _catch_up(self) -> None:
        """Let happen what is due by now, in order."""
        now = self.clock.now_ms()
        while (at := self.next_ms) is not None and at <= now:
            self.meetings.tick(at)
            self._throw_out()
            if self._heap and self._heap[0][0] <= at:
                line = heapq.heappop(self._heap)[2]
                line.due = None
                with self._guarded(line):
                    line.phone.wait(at - line.began_ms - line.phone.now_ms)
        self.meetings.tick(now)
        self._throw_out()

    def _work(self) -> None:
        """Have the events answered that are on their way: here, or in threads of their own."""
        while True:
            with self.lock:
                if self._together or not self._jobs:
                    return
                line, deliver = self._jobs.popleft()
                threads = self._threads
            if threads:
                threading.Thread(target=self._answer_alone, args=(line, deliver), daemon=True).start()
            else:
                self._answer(line, deliver)

    def _answer_alone(self, line: Line, deliver: Deliver) -> None:
        self._answer(line, deliver)
        self._work()

    def _answer(self, line: Line, deliver: Deliver) -> None:
        result: list[object] = []
        failure: Exception | None = None
        try:
            result.append(line.phone.ask(deliver))
        except Exception as error:  # noqa: BLE001 - whatever the function raises is a function error to the service
            failure = error

        def answer() -> object:
            if failure is not None:
                raise failure
            return result[0]

        with self.changed:
            try:
                self._catch_up()
                with self._guarded(line):
                    self._bring(line)
                    line.phone.reply(deliver, answer)
            finally:
                self.clock.release()

    @contextmanager
    def _guarded(self, line: Line) -> Iterator[None]:
        """Let something happen to a call. An error of the simulator itself ends this call, and no other."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever it is, the call must not hang
            line.phone.break_off(f"the simulator failed: {_where(error)}")
            self._touched(line)
            self._failed(error)
        else:
            self._touched(line)

    def _failed(self, error: Exception) -> None:
        """Raise an error of the simulator: now, or where the block of :func:`running` ends, the first one."""
        if not self._threads:
            raise error
        self._failure = self._failure or error


def _where(error: Exception) -> str:
    """An error and its place. Never its words: they may hold a secret."""
    *_, (frame, line) = walk_tb(error.__traceback__)
    return f"{type(error).__name__} in {Path(frame.f_code.co_filename).name}, line {line}"


def _pairs(values: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple((values or {}).items())


@contextmanager
def running(exchange: Exchange) -> Iterator[Exchange]:
    """Keep an exchange with a running clock going in a thread, until the block ends; calls then stand still.

    Every event is answered in a thread of its own; while one is, the clock runs in real time, because functions do.

    Raises:
        Exception: the simulator itself has failed in between (the first such error, when the block ends). The call in
            which it did is over, and its transcript says so; the others have gone on.
    """
    stop = threading.Event()
    failures: list[BaseException] = []

    def loop() -> None:
        try:
            while not stop.is_set():
                exchange.catch_up()
                with exchange.changed:
                    due = exchange.next_ms
                    left = None if due is None else exchange.clock.seconds_until(due)
                    if left != 0 and not stop.is_set():
                        exchange.changed.wait(left)
        except BaseException as error:  # noqa: BLE001 - raised again where the block ends
            failures.append(error)

    with exchange.lock:
        exchange._threads = True
    thread = threading.Thread(target=loop, name="sma-flows exchange", daemon=True)
    thread.start()
    try:
        yield exchange
    finally:
        stop.set()
        with exchange.changed:
            exchange.changed.notify_all()
        thread.join()
        with exchange.lock:
            exchange._threads = False
            failures += [exchange._failure] if exchange._failure is not None else []
            exchange._failure = None
        for failure in failures:
            raise failure
