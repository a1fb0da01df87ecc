"""The heart: one event and a saved call in, actions and a new saved call out. No clock, no I/O.

Which event is the answer to what? Nothing the service sends names our list, so identity is *inferred and fails open*
(decision 8): an event is dropped as late only when it fits the list before and not the current one. The whole reaction
is two tables. :data:`CHECKS` runs top to bottom, the first hit decides; what is left goes to :data:`REACTIONS` by its
type and by what it fits: the ``last`` list, only the one before (``was``), or ``none``.

A walk that needs the world stops with ``ask``; :func:`resume` goes on with the reply. Both give a :class:`Step`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from sma_flows.plan import QUEUE_BYTES
from sma_flows.protocol import events as ev
from sma_flows.protocol.actions import CODES, InvalidActionError, mark
from sma_flows.runtime.ask import ServiceReply
from sma_flows.runtime.callstate import Call
from sma_flows.runtime.ending import MAX_HANGUPS, clean_up, last_words, next_clean_up, still_there
from sma_flows.runtime.finish import Step, finish, release, touch
from sma_flows.runtime.frame import HANG_UP, Frame, StepError, has_departed
from sma_flows.runtime.nodes import TICKET, Connector, HangupNode, HoldNode, Node
from sma_flows.runtime.turn import Turn
from sma_flows.runtime.values import MismatchError, coerce

if TYPE_CHECKING:
    import datetime as dt

    from sma_flows.protocol.events import Invocation
    from sma_flows.runtime.program import Program

NO_FLOW: Final = "no flow for this call"
WRONG_ARGUMENTS: Final = "arguments missing or of another type: "
"""How the note begins of an outbound call that ends as soon as it is answered; their names follow."""

MAX_UPDATES: Final = 200
"""Updates of one name that a call accepts. Outside events can come at 5 per second and invocations are limited to
1,000 per call (contract L13); the rest is answered with nothing (decision 32)."""


# ---- checks: first hit decides (decision 10) -----------------------------------------------------------------------


def _unknown(turn: Turn) -> Step | None:
    return None if turn.event.type in ev.EVENT_TYPES else turn.nothing("unknown event")


def _nobody(turn: Turn) -> Step | None:
    event, call = turn.event, turn.call
    if event.anybody:
        return None
    if event.type == ev.NEW_INBOUND_CALL and not event.readable:
        return last_words(turn, "participants cannot be read")
    if call is None and event.type == ev.HANGUP:
        return _never_seen(turn)
    if call is None or turn.flow is None:
        return turn.nothing("nobody is connected")
    if event.type == ev.HANGUP:
        return turn.nothing("cleaned up before") if "c" in call.flags else clean_up(turn.frame())
    if event.type == ev.ACTION_SUCCESSFUL and _follows_silently(turn, call):
        # Its speaker has left, its result has not: a voicemail is stored although the caller hung up.
        frame = turn.frame()
        frame.line_dead = True
        _follow(frame)
        return finish(frame, "followed without the caller", turn.fingerprint)
    return turn.nothing("nobody is connected")


def _follows_silently(turn: Turn, call: Call) -> bool:
    """Whether this report still has an outcome: the caller's end was not handled yet, and it is not a hang-up's."""
    event = turn.event
    if "c" in call.flags or event.action == "Hangup" or (event.leg_a and has_departed(call, event.leg_a.call_id)):
        return False
    return turn.fits() == "last" and not _repeated(turn)


def _never_seen(turn: Turn) -> Step:
    """The call ended before anything of it was saved: its flow is cleaned up all the same (rule R6)."""
    leg = turn.event.leg_a
    outbound = leg is not None and leg.text("Direction") == "Outbound"
    flow = turn.program.route(turn.event, "outbound" if outbound else "inbound")
    if flow is None:
        return turn.nothing("nobody is connected")
    turn.flow, turn.call = flow, Call(flow.name, flow.revision)
    frame = turn.frame()
    _initial(frame)
    return clean_up(frame)


def _repeated(turn: Turn) -> bool:
    call = turn.call
    return (
        call is not None
        and call.q == turn.event.sequence >= 0
        and "s" not in call.flags
        and call.fp == turn.fingerprint
    )


def _duplicate(turn: Turn) -> Step | None:
    call = turn.call
    if call is None:
        return None
    first = call.n <= 1 and turn.event.type == ev.NEW_INBOUND_CALL
    if first:
        turn.call = turn.flow = None  # rule R4: the first list again, from the start
        return None
    return turn.nothing("repeated event") if _repeated(turn) else None


def _informational(turn: Turn) -> Step | None:
    return turn.nothing("informational") if turn.event.type in (ev.RINGING, ev.ACTION_INTERRUPTED) else None


def _lost(turn: Turn) -> Step | None:
    """No saved call, or one of a revision that this bundle does not hold (decision 27)."""
    event = turn.event
    if event.type == ev.INVALID_LAMBDA_RESPONSE:
        return last_words(turn, "the service refused the last answer")
    if turn.flow is not None or event.type in (ev.NEW_INBOUND_CALL, ev.NEW_OUTBOUND_CALL):
        return None
    note = "no saved call" if turn.call is None else "unknown revision"
    if event.type in (ev.ACTION_SUCCESSFUL, ev.ACTION_FAILED):
        return last_words(turn, note)
    if event.type == ev.HANGUP and any(leg is not None and not leg.alive for leg in (event.leg_a, event.leg_b)):
        return Step(note, release(event))
    return None if event.type == ev.CALL_ANSWERED and turn.call is None else turn.nothing(note)


def _departed(turn: Turn) -> Step | None:
    event, call = turn.event, turn.call
    if call is None or not event.leg_id:
        return None
    if event.type != ev.HANGUP and not (event.type == ev.ACTION_SUCCESSFUL and event.action == "Hangup"):
        return None
    return turn.nothing("end of this leg was handled") if has_departed(call, event.leg_id) else None


def _reconcile(turn: Turn) -> Step | None:
    """The position needs a leg that is gone: take its departure now, whatever the event is (decision 10.6)."""
    call, event = turn.call, turn.event
    if call is None or turn.flow is None or event.type in (ev.NEW_INBOUND_CALL, ev.NEW_OUTBOUND_CALL):
        return None
    leg_a, leg_b = event.leg_a, event.leg_b
    if leg_a is None or not leg_a.alive:
        frame = turn.frame()
        gone = leg_a.call_id if leg_a is not None else event.leg_id if event.leg == "A" else "LEG-A"
        if has_departed(frame.call, gone):
            return turn.nothing("the caller's end was handled")
        frame.depart(gone)
        frame.actions = release(event)
        frame.owners = [("H.B.0", "")] * len(frame.actions)
        frame.call.then = ""
        return finish(frame, "caller left", turn.fingerprint)
    if call.base and (leg_b is None or not leg_b.alive):
        frame = turn.frame()
        gone = leg_b.call_id if leg_b is not None else event.leg_id if event.leg == "B" else ""
        if gone and has_departed(frame.call, gone):
            return None
        frame.depart(gone)
        node = turn.flow.node(call.base)
        if _we_hung_up_b(call):
            _freed(frame)
            _follow(frame)
            return finish(frame, "leg B hung up", turn.fingerprint)
        frame.call.flags += "" if "B" in frame.call.flags else "B"
        if isinstance(node, Connector):
            frame.walk(node.left(frame))
        return finish(frame, "leg B left", turn.fingerprint)
    return None


def _we_hung_up_b(call: Call) -> bool:
    """Whether the current list ends with our own Hangup of leg B."""
    codes, _, rest = call.last.partition(".")
    return codes[-1:] == "H" and rest[:1] == "B"


def _freed(frame: Frame) -> None:
    """The flow itself let leg B go: the caller stays, and the bridge or meeting behind is over."""
    frame.call.base = frame.call.aside = ""
    frame.vars.pop("@queue", None)
    frame.departure = True


def _stray_leg(turn: Turn) -> Step | None:
    """A leg B that no list of ours explains is released; then the saved position is entered again (decision 10.7)."""
    event, call = turn.event, turn.call
    if (
        event.type != ev.ACTION_SUCCESSFUL
        or event.action not in ("CallAndBridge", "JoinChimeMeeting")
        or call is None
        or call.base
        or turn.fits() != "none"
        or event.leg_b is None
        or not event.leg_b.alive
    ):
        return None
    frame = turn.frame()
    frame.actions = [{"Type": "Hangup", "Parameters": {**frame.leg("B"), "SipResponseCode": "0"}}]
    frame.owners = [(f"H.B.{mark('Hangup', {})}", call.pos)]
    frame.call.then = f"!{call.pos}" if call.pos else HANG_UP
    return finish(frame, "unexplained leg B", turn.fingerprint)


CHECKS: Final[tuple[tuple[str, Callable[[Turn], Step | None]], ...]] = (
    ("unknown event type: nothing", _unknown),
    ("nobody alive: clean-up on HANGUP, else nothing", _nobody),
    ("repeated event with the new attributes: nothing; NEW_INBOUND_CALL: the start list again", _duplicate),
    ("RINGING, ACTION_INTERRUPTED: nothing", _informational),
    ("what ends the call failed, and no list remembers it: Hangup", still_there),
    ("no saved call or unknown revision: last words", _lost),
    ("end of a leg that was handled: nothing", _departed),
    ("the position needs a leg that is gone: its departure", _reconcile),
    ("leg B that fits no list: release it", _stray_leg),
)
"""What comes before the reaction by type, in this order."""


# ---- reactions by type -----------------------------------------------------------------------------------------------


def _start(turn: Turn) -> Step:
    """A new call: find its flow and enter the start state."""
    event = turn.event
    if turn.call is None:
        entry = "outbound" if event.type == ev.CALL_ANSWERED else "inbound"
        flow = turn.program.route(event, entry)
        if flow is None:
            return last_words(turn, NO_FLOW)
        turn.flow = flow
        turn.call = Call(flow.name, flow.revision)
        if flow.entry == "outbound" and flow.inputs:
            turn.call.flags = "b"  # the arguments are lost with the first answer
    elif turn.call.pos or turn.call.n > 1:
        return turn.nothing("started before")
    frame = turn.frame()
    _initial(frame)
    if "a" not in frame.call.flags:
        frame.call.flags += "a"
    start = HANG_UP if "b" in frame.call.flags else frame.flow.start
    if frame.watch is not None:
        frame.watch.append(("start", "", "", start))
    frame.walk(start)
    return finish(frame, "started", turn.fingerprint)


def _initial(frame: Frame) -> None:
    for name, kind in frame.flow.types.items():
        if kind.get("initial") is not None and name not in frame.vars:
            frame.vars[name] = kind["initial"]


def _arguments(turn: Turn) -> Step:
    """An outbound call was placed: keep its typed arguments; the flow starts when it is answered."""
    if turn.call is not None:
        return turn.nothing("arguments are saved")
    flow = turn.program.route(turn.event, "outbound")
    if flow is None:
        return turn.nothing(NO_FLOW)
    turn.flow = flow
    turn.call = Call(flow.name, flow.revision)
    frame = turn.frame()
    _initial(frame)  # they hold from here on: a call that is never answered is cleaned up with them
    given = turn.event.arguments
    wrong: list[str] = []
    for name in flow.inputs:
        kind = flow.types.get(name, {"t": "text", "max": 2048})
        try:
            value = coerce(kind, given.get(name))
        except MismatchError:
            value = None
        if value is None and kind.get("initial") is None:
            frame.call.flags = "b"
            wrong.append(name)
        elif value is not None:
            frame.vars[name] = value
    if wrong:
        frame.note = WRONG_ARGUMENTS + ", ".join(wrong)
    return finish(frame, "arguments saved", turn.fingerprint)


def _outcome(turn: Turn) -> Step:
    """The current list has run: the position's outcome."""
    frame = turn.frame()
    if turn.event.action == "Hangup" and turn.event.leg == "B":
        frame.depart(turn.event.leg_id)
        _freed(frame)
    frame.goes_on()
    _follow(frame)
    return finish(frame, "done", turn.fingerprint)


def _follow(frame: Frame) -> None:
    call = frame.call
    target: str | None
    if call.then:
        target, call.then = call.then, ""
    elif call.pos:
        frame.at = node = frame.flow.node(call.pos)
        try:
            target = node.success(frame)
        except InvalidActionError as error:
            frame.note = str(error)
            target = frame.leave(node, "failed")
    else:
        target = HANG_UP
    frame.walk(target)


def _failure(turn: Turn) -> Step:
    """An action of the current list failed: the outcome of the state that owns it (decision 25)."""
    frame = turn.frame()
    call = frame.call
    if turn.event.action == "Hangup" and "h" in call.flags:
        tries = frame.counters.get("h:", 0) + 1
        if tries > MAX_HANGUPS:
            return turn.nothing("the caller cannot be hung up")
        frame.counters["h:"] = tries
    frame.goes_on()
    owner = _owner(turn, frame) if call.owners else call.pos
    call.then = ""
    target: str | None
    if not owner:
        target = HANG_UP
    else:
        frame.at = node = frame.flow.node(owner)
        try:
            target = node.failure(frame)
        except InvalidActionError as error:
            frame.note = str(error)
            target = frame.leave(node, "failed")
    frame.walk(target)
    return finish(frame, "failed", turn.fingerprint)


def _owner(turn: Turn, frame: Frame) -> str:
    """The state whose action failed, in list order; visits of states behind it never happened and are taken back."""
    call, event = frame.call, turn.event
    code = CODES.get(event.action, "?")
    items = [item.partition("=")[::2] for item in call.owners.split(",")]
    found = -1
    for number, (tail, _) in enumerate(items):
        kind, _, rest = tail.partition(".")
        leg, _, digest = rest.partition(".")
        if kind == code and (not event.leg or leg == event.leg):
            if digest == turn.mark:
                found = number
                break
            if found < 0:
                found = number
    if found < 0:
        return call.pos
    for tail, counter in items[found:]:
        if tail == "+" and frame.counters.get(counter, 0) > 0:
            frame.counters[counter] -= 1
    call.stack, _, owner = items[found][1].rpartition(":")  # as it was when the state was entered
    return owner


def _stray_failure(turn: Turn) -> Step:
    """A failure that fits neither list."""
    return turn.nothing("failure of nothing that runs")


def _keys(turn: Turn) -> Step:
    """Keys in the background of the position or its base (decision 29)."""
    call, flow = turn.known()
    name = call.base
    if not name:
        heard = call.heard.rpartition(":")[2]
        name = heard if heard and (heard == call.pos or call.aside == "key") else ""
    listener = getattr(flow.node(name), "listener", None) if name else None
    if listener is None or "h" in call.flags:
        return turn.nothing("nobody listens")
    frame = turn.frame()
    target = listener.target(frame)
    if target is None:
        if call.base and call.last == "rest":
            return Step("unknown keys, listener renewed", listener.arm(frame), flow=flow)
        return turn.nothing("unknown keys")
    if frame.watch is not None:
        key = turn.event.digits if turn.event.digits in listener.keys else "digit"
        frame.watch.append(("key", name, key, target))
    frame.head = listener.arm(frame)
    frame.vars["key.digits"] = turn.event.digits
    frame.vars["key.leg"] = turn.event.leg or "A"
    frame.call.aside = "key"
    frame.call.then = ""
    frame.walk(target)
    return finish(frame, "key", turn.fingerprint)


def _update(turn: Turn) -> Step:
    """An event from outside: typed, declared, allowed here, or nothing (decision 33)."""
    (call, flow), event = turn.known(), turn.event
    if not call.pos or "h" in call.flags:
        return turn.nothing("no update is taken now")
    ticket = event.arguments.get(TICKET)
    if ticket is not None:
        node = flow.node(call.pos)
        if not isinstance(node, HoldNode) or not node.waits_for(call.vars, ticket):
            return turn.nothing("a result that nobody waits for")
        frame = turn.frame()
        frame.call.then = ""
        frame.walk(node.result(frame, event.arguments))
        return finish(frame, "result of a long hook", turn.fingerprint)
    where = call.base or call.pos
    ringing = not call.base and flow.node(call.pos).connects
    for update in flow.updates.values():
        if update.during is not None and (ringing or where not in update.during):
            continue
        values = update.read(event.arguments)
        if values is None:
            continue
        frame = turn.frame()
        before = dict(frame.vars)
        frame.vars.update(values)
        if update.when is not None and not update.when(frame):
            _put_back(frame, before)
            continue
        counter = f"u:{update.name}"
        count = frame.counters.get(counter, 0)
        if count >= MAX_UPDATES:
            return turn.nothing("too many updates")
        frame.counters[counter] = count + 1
        if update.queue and call.base and call.aside == update.name:
            if not flow.secrets.isdisjoint(values):
                return turn.nothing("a secret cannot wait")  # it would be saved (decision 12)
            _put_back(frame, before)
            waiting = list(frame.vars.get("@queue", ()))
            waiting.append([update.name, values])
            if len(waiting) > update.queue or len(json.dumps(waiting)) > QUEUE_BYTES:
                return turn.nothing("update queue is full")
            frame.vars["@queue"] = waiting
            return touch(frame, "update waits", turn.fingerprint)
        frame.call.aside = update.name
        frame.call.then = ""
        if frame.watch is not None:
            frame.watch.append(("update", "", update.name, update.next))
        frame.walk(update.next)
        return finish(frame, "update", turn.fingerprint)
    return turn.nothing("update not expected")


def _put_back(frame: Frame, before: Mapping[str, Any]) -> None:
    """Arguments become variables only when their update is accepted."""
    frame.vars.clear()
    frame.vars.update(before)


def _hangup(turn: Turn) -> Step:
    """Leg B ended while the caller is there, and the position is not its connection."""
    (call, flow), event = turn.known(), turn.event
    if event.leg != "B":
        return turn.nothing("end of an unknown leg")
    frame = turn.frame()
    frame.depart(event.leg_id)
    node: Node | None = flow.node(call.pos) if call.pos else None
    frame.departure = True
    if isinstance(node, HangupNode) or _we_hung_up_b(call):
        _follow(frame)
        return finish(frame, "leg B hung up", turn.fingerprint)
    if isinstance(node, Connector):
        frame.call.flags += "" if "B" in frame.call.flags else "B"
        frame.walk(node.left(frame))
        return finish(frame, "leg B left", turn.fingerprint)
    return touch(frame, "leg B left", turn.fingerprint)


def _late(turn: Turn) -> Step:
    return turn.nothing("late report")


def _stray(turn: Turn) -> Step:
    return turn.nothing("report of nothing that runs")


Reaction = Callable[[Turn], Step]

REACTIONS: Final[Mapping[str, Mapping[str, Reaction]]] = {
    ev.NEW_INBOUND_CALL: {"last": _start, "was": _start, "none": _start},
    ev.CALL_ANSWERED: {"last": _start, "was": _start, "none": _start},
    ev.NEW_OUTBOUND_CALL: {"last": _arguments, "was": _arguments, "none": _arguments},
    ev.ACTION_SUCCESSFUL: {"last": _outcome, "was": _late, "none": _stray},
    ev.ACTION_FAILED: {"last": _failure, "was": _late, "none": _stray_failure},
    ev.DIGITS_RECEIVED: {"last": _keys, "was": _keys, "none": _keys},
    ev.CALL_UPDATE_REQUESTED: {"last": _update, "was": _update, "none": _update},
    ev.HANGUP: {"last": _hangup, "was": _hangup, "none": _hangup},
}
"""What happens by event type and by the list it fits. The other types end in :data:`CHECKS`."""

_USUAL: Final = frozenset((ev.ACTION_SUCCESSFUL, ev.DIGITS_RECEIVED))
_ORDINARY: Final = frozenset(CODES) - {"Hangup", "CallAndBridge", "JoinChimeMeeting"}


# ---- the door --------------------------------------------------------------------------------------------------------


def step(program: Program, call: Call | None, event: Invocation, now: dt.datetime) -> Step:
    """One event: what to answer, or what to ask first.

    *call* is not changed. *now* is aware. Same arguments, same result (decision 7).
    """
    return take(program, call.copy() if call is not None else None, event, now)


def take(program: Program, call: Call | None, event: Invocation, now: dt.datetime) -> Step:
    """As :func:`step`, for a caller who gives *call* away."""
    kind = event.type
    if kind == ev.HANGUP:
        mark_dead(event)
    turn = Turn(program, call, event, now)
    if not _plain(turn):
        for _, check in CHECKS:
            found = check(turn)
            if found is not None:
                return found
    if kind == ev.ACTION_SUCCESSFUL:
        return REACTIONS[kind][turn.fits()](turn)
    return REACTIONS[kind][turn.fits_failure() if kind == ev.ACTION_FAILED else "last"](turn)


def _plain(turn: Turn) -> bool:
    """Whether it can be seen at a glance that none of :data:`CHECKS` hits: the usual event in the usual position.

    A shortcut for speed, not a rule: a property test compares it with the checks.
    """
    call, event = turn.call, turn.event
    leg_a = event.leg_a
    if call is None:
        return event.type == ev.NEW_INBOUND_CALL and event.anybody
    if turn.flow is None or event.type not in _USUAL or event.sequence == call.q or leg_a is None or not leg_a.alive:
        return False
    if call.base:
        return event.leg_b is not None and event.leg_b.alive and event.action != "Hangup"
    return event.action in _ORDINARY


def resume(waiting: Step, reply: ServiceReply) -> Step:
    """Go on after an ask. The waiting step must not be used again."""
    frame = waiting.frame
    if frame is None:
        raise StepError("only a step with an ask can be resumed")
    frame.ask = None
    if frame.todo:
        frame.todo = frame.todo[1:]
        return next_clean_up(frame, waiting.note)
    resume_, frame.resume = frame.resume, None
    if resume_ is not None:
        try:
            target = resume_(frame, reply)
        except InvalidActionError as error:
            frame.note = str(error)
            target = frame.leave(frame.at, "failed") if frame.at is not None else HANG_UP
        frame.walk(target)
    return finish(frame, waiting.note, "")


def fault(program: Program, call: Call | None, event: Invocation, now: dt.datetime) -> Step:
    """The answer when the step itself broke: the flow's error path once, then the last words (decision 27)."""
    turn = Turn(program, call, event, now)
    if not event.anybody or event.type in (ev.NEW_OUTBOUND_CALL, ev.RINGING, ev.ACTION_INTERRUPTED):
        return turn.nothing("fault")
    flow = turn.flow
    if flow is None and event.type == ev.NEW_INBOUND_CALL:
        flow = turn.flow = program.route(event, "inbound")
        if flow is not None:
            turn.call = Call(flow.name, flow.revision)
    if flow is None or flow.failed is None or turn.call is None or "e" in turn.call.flags:
        return last_words(turn, "fault")
    frame = turn.frame()
    frame.call.flags += "e"
    frame.call.then = ""
    frame.walk(flow.failed)
    if frame.ask is not None:
        return last_words(turn, "fault")
    return finish(frame, "fault", turn.fingerprint)


def mark_dead(event: Invocation) -> None:
    """A HANGUP says that its leg ended, whatever Status says: the event is changed accordingly."""
    for leg in (event.leg_a, event.leg_b):
        if leg is not None and leg.tag == event.leg and event.leg_id in ("", leg.call_id):
            leg.alive = False
    event.anybody = any(leg is not None and leg.alive for leg in (event.leg_a, event.leg_b))
