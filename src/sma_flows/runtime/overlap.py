"""Answers to events that overlap, told of each other by a journal (decision 24).

Two events that start from the same saved call give two answers, and the service keeps the one that arrives last: what
the other one changed would be lost. So at the positions that the plan names, an answer is written into a journal before
it is given, under one condition: its number ``n`` is higher than the newest one there. Who is refused reads the newest
call, takes the event once more from there with the replies it has already, and answers from that.

The answer that was written last may still *arrive* first. The next event shows it: it brings a smaller ``n`` than the
journal has. Then the call of the journal holds, and where the event leads nowhere in it, its list is sent again, unless
that could do something twice (a leg, digits to a third party, a recording): then the state's ``failed`` is taken.

Everything here is decided from values; the journal itself is a port. What it cannot do is answered as without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from sma_flows.protocol import events as ev
from sma_flows.protocol.actions import CODES
from sma_flows.runtime import callstate
from sma_flows.runtime.ending import clean_up
from sma_flows.runtime.finish import Step, finish
from sma_flows.runtime.frame import HANG_UP
from sma_flows.runtime.nodes.silent import RunNode
from sma_flows.runtime.step import mark_dead, take
from sma_flows.runtime.turn import Turn

if TYPE_CHECKING:
    import datetime as dt

    from sma_flows.protocol.actions import Action
    from sma_flows.protocol.events import Invocation
    from sma_flows.runtime.ask import Ask, ServiceReply
    from sma_flows.runtime.callstate import Call
    from sma_flows.runtime.program import FlowProgram, Program
    from sma_flows.runtime.work import Work

AGAIN: Final = frozenset(CODES) - {
    *("CallAndBridge", "JoinChimeMeeting", "SendDigits", "StartBotConversation"),
    *("StartCallRecording", "StopCallRecording", "PauseCallRecording", "ResumeCallRecording"),
}
"""Actions that may be sent a second time: whoever hears them twice has lost nothing."""

MOVING: Final = frozenset(
    (ev.ACTION_SUCCESSFUL, ev.ACTION_FAILED, ev.DIGITS_RECEIVED, ev.CALL_UPDATE_REQUESTED, ev.HANGUP)
)
"""Events that move a call which has begun."""

HOLD_S: Final = 0.3
"""So long the answer of a loser is held back after it was written: it shall arrive behind the winner's. Who comes
earlier than that after it was written knows that it has not arrived yet."""

REPEATED_S: Final = 4.5
"""Two events alike, begun so far apart from the same saved call, are one that the service sent again (after five
seconds, contract 7.1), also where its Sequence says something else. A hook is at work for less."""

TRIES: Final = 4
"""How often an answer is made anew because another one was faster; then it is given as it is."""

SEEN: Final = 8
"""Events that an entry remembers as handled."""


class Entry(NamedTuple):  # its fields are the layout of the record: a new one needs a default
    """What the journal knows of a call: its newest answer.

    ``attributes`` are the saved call, ``actions`` the list that goes with it (None: it holds the token of a meeting,
    which is not written down). ``seen`` are the events handled last: what tells them apart, the ``n`` they started
    from, and when they came (seconds since 1970). ``raced``: it replaced an answer that was on its way at the same
    time. ``at``: when it was written.
    """

    n: int
    attributes: Mapping[str, str]
    actions: list[Action] | None
    seen: tuple[tuple[str, int, float], ...] = ()
    raced: bool = False
    at: float = 0.0

    def __repr__(self) -> str:
        return f"Entry(n={self.n})"


class Journal(Protocol):
    """The newest answer of each call. It never raises: what it cannot do it reports to whoever is in charge of it."""

    def write(self, call: str, entry: Entry) -> Entry | None:
        """Keep *entry* as the newest answer of *call*, unless one with the same or a higher ``n`` is there: that one is
        given. None: it is kept, or the journal cannot be used."""
        ...

    def read(self, call: str) -> Entry | None:
        """The newest answer of *call*; None if there is none, or the journal cannot be used."""
        ...

    def hold_back(self, seconds: float) -> None:
        """Wait so long before the answer is given."""
        ...


class Handling(NamedTuple):
    """One event on its way: how it is read anew, the saved call that it is taken from (untouched), what was asked."""

    program: Program
    read: Callable[[], Invocation]
    now: dt.datetime
    before: Call
    work: Work


class Overlaps:
    """The journal at work. One for all calls; nothing of a call stays in it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @staticmethod
    def concern(flow: FlowProgram | None, call: Call, kind: str) -> bool:
        """Whether another answer to this call may be made at the same time as the one to this *kind* of event."""
        return flow is not None and call.pos in flow.overlap and kind in MOVING

    def answer(
        self, program: Program, call: Call, read: Callable[[], Invocation], now: dt.datetime, work: Work
    ) -> Step:
        """The answer to the event that *read* gives (a new one each time), which came with *call*."""
        event = read()
        if event.type == ev.HANGUP:
            mark_dead(event)
        handling = Handling(program, read, now, call.copy(), work)
        if event.type == ev.HANGUP and not event.anybody:  # what was made and never told is undone, too
            entry = self._journal.read(event.transaction)
            found = callstate.load(entry.attributes) if entry is not None and entry.n > call.n else None
            if entry is not None and found is not None:
                if _place(handling, event, entry, trusted="s" not in found.flags) is not None:
                    return Step("repeated event", [], found, flow=program.flow(found.revision))
                call = found
                handling = handling._replace(before=call.copy())
        return self._settle(handling, event, work.run(take(program, call, read(), now)))

    def _settle(self, handling: Handling, event: Invocation, done: Step) -> Step:
        """*done*, or what has to be answered instead because another answer was written meanwhile."""
        transaction = event.transaction
        raced = False
        known: tuple[tuple[str, int, float], ...] = ()
        for _ in range(TRIES):
            if done.call is None:
                if event.type != ev.ACTION_SUCCESSFUL or event.action == "Hangup":
                    return done
                # A report that means nothing here may be of the list that has been replaced in the journal.
                entry = self._journal.read(transaction)
                if entry is None or entry.n <= handling.before.n:
                    return done
            else:
                mine = _entry(handling, event, done, known, raced=raced)
                entry = self._journal.write(transaction, mine)
                if entry is None:
                    if raced and event.anybody:
                        self._journal.hold_back(HOLD_S)
                    return done
                raced = True
            known = entry.seen
            done, final = _anew(handling, event, done, entry)
            if final:
                return done
        return done


def _entry(
    handling: Handling, event: Invocation, done: Step, known: tuple[tuple[str, int, float], ...], *, raced: bool
) -> Entry:
    call, flow = done.call, done.flow
    assert call is not None and flow is not None  # noqa: S101, PT018 - only answers with a saved call are written
    if call.n <= handling.before.n:
        call.n = handling.before.n + 2  # nothing was sent, so the question that is asked next is still the other one
    seen = (*known, (_name(event), handling.before.n, handling.now.timestamp()))
    token = any(action["Type"] == "JoinChimeMeeting" for action in done.actions)
    actions = None if token else list(done.actions)
    return Entry(call.n, callstate.save(call, flow.tokens), actions, seen[-SEEN:], raced)


def _name(event: Invocation) -> str:
    """What tells this event from others of its call. Never its digits."""
    return f"{event.sequence}.{event.type}.{CODES.get(event.action, '')}{event.leg}"


def _anew(handling: Handling, event: Invocation, done: Step, entry: Entry) -> tuple[Step, bool]:
    """The answer to *event* in the call of *entry*, and whether it is the last word."""
    call = callstate.load(entry.attributes)
    flow = handling.program.flow(call.revision) if call is not None else None
    if call is None or flow is None:
        return done, True
    place = _place(handling, event, entry, trusted="s" not in call.flags)
    if place is not None:
        if place < len(entry.seen) - 1:  # what it did is in the newer answer
            return Step("repeated event", [], flow=flow), True
        if entry.actions is None:  # its list held a token: what was found here is made the same way
            return done, True
        return Step("repeated event", list(entry.actions), call, flow=flow), True
    if "c" in call.flags:
        return _too_late(handling, event, done), True
    n = call.n
    known = _Known(handling.work)
    made = handling.work.run(take(handling.program, call, handling.read(), handling.now), known.reply)
    if made.call is None:
        made = _adopted(handling, flow, entry, known.left, made)
    if made.call is None:
        behind = entry.raced and handling.before.n == n - 1 and event.anybody
        if behind and handling.now.timestamp() >= entry.at + HOLD_S:
            return _send_again(handling, entry, flow)
    return made, made.call is None


def _alike(event: Invocation, name: str) -> bool:
    return name.partition(".")[2] == _name(event).partition(".")[2]


def _place(handling: Handling, event: Invocation, entry: Entry, *, trusted: bool) -> int | None:
    """Where this very event stands among those that the journal knows to be handled: the service sent it twice, or
    what was written here was not heard back."""
    for place, (name, base, began) in enumerate(entry.seen):
        if trusted and name == _name(event):
            return place
        again = handling.now.timestamp() - began >= REPEATED_S
        if base == handling.before.n and again and _alike(event, name):
            return place
    return None


def _send_again(handling: Handling, entry: Entry, flow: FlowProgram) -> tuple[Step, bool]:
    """The service has taken the older of two answers last: it gets the newer one once more."""
    call = callstate.load(entry.attributes)
    assert call is not None  # noqa: S101 - it was read before
    if entry.actions is not None and all(action["Type"] in AGAIN for action in entry.actions):
        return Step("newest list again", list(entry.actions), call, flow=flow), True
    turn = Turn(handling.program, call, handling.read(), handling.now)
    frame = turn.frame()
    call.then = ""
    node = flow.node(call.pos) if call.pos else None
    frame.at = node
    frame.walk(frame.leave(node, "failed") if node is not None else HANG_UP)
    return handling.work.run(finish(frame, "newest list is lost", turn.fingerprint)), False


def _too_late(handling: Handling, event: Invocation, done: Step) -> Step:
    """The call was cleaned up meanwhile. What was made here and nobody could know of is cleaned up as well."""
    flow, call = done.flow, done.call
    if flow is None or call is None or not _made(call) - _made(handling.before):
        return Step("the call is over", [], flow=flow)
    turn = Turn(handling.program, call, event, handling.now)
    step = handling.work.run(clean_up(turn.frame()))
    return Step("the call is over", [], flow=step.flow)


def _made(call: Call) -> set[str]:
    """What clean-up would have to undo."""
    return {*map(str, call.vars.get("@undo", ())), *filter(None, (call.vars.get("@made"), call.vars.get("@attendee")))}


def _adopted(
    handling: Handling, flow: FlowProgram, entry: Entry, left: list[tuple[Ask, ServiceReply]], made: Step
) -> Step:
    """*made*, with what was done for this event and has no place in the newer call: it is kept in mind to be undone."""
    undone = [(ask, reply) for ask, reply in left if ask.port == "hook" and ask.hook.get("undo")]
    if not undone:
        return made
    call = callstate.load(entry.attributes)
    assert call is not None  # noqa: S101 - it was read before
    turn = Turn(handling.program, call, handling.read(), handling.now)
    frame = turn.frame()
    flags, marks = call.flags, list(frame.vars.get("@undo", ()))
    for ask, reply in undone:
        node = flow.node(ask.call.state)
        if isinstance(node, RunNode):
            node.replied(frame, reply)
    call.flags = flags  # where its outcome leads is not gone to
    if frame.ask is None and list(frame.vars.get("@undo", ())) == marks:
        return made
    if frame.ask is not None:
        handling.work.run(Step("undone", [], ask=frame.ask, frame=frame, flow=flow))
        return made
    return Step("what was made is remembered", [], call=call, flow=flow)


class _Known:
    """The replies that this event was given before; ``left`` are those that were not wanted again."""

    def __init__(self, work: Work) -> None:
        self.left = list(zip(work.asks, work.replies, strict=True))

    def reply(self, ask: Ask) -> ServiceReply | None:
        """What the same state was told when it asked the same; None: it did not."""
        for place, (before, reply) in enumerate(self.left):
            if (before.port, before.name, before.call.state) == (ask.port, ask.name, ask.call.state):
                del self.left[place]
                return reply
        return None
