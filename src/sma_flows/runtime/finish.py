"""From a finished walk to an answer: the list in its final order and the saved call that belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sma_flows.protocol.actions import CODES, Action
from sma_flows.runtime.frame import MAX_ACTIONS, Frame
from sma_flows.runtime.nodes import Connector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sma_flows.protocol.events import Invocation
    from sma_flows.runtime.ask import Ask
    from sma_flows.runtime.callstate import Call
    from sma_flows.runtime.program import FlowProgram


class Step:
    """What one event leads to.

    ``values`` are the variables as they stood before those that nobody reads any more were forgotten.
    ``actions`` empty and ``call`` None is *nothing*. ``ask`` set means: perform it, then :func:`resume`. ``note`` says
    in a few words what was done; ``flow`` is the flow that answered, if one could be found.
    """

    __slots__ = ("actions", "ask", "call", "flow", "frame", "note", "values")

    def __init__(
        self,
        note: str,
        actions: list[Action],
        call: Call | None = None,
        ask: Ask | None = None,
        frame: Frame | None = None,
        flow: FlowProgram | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self.note = note
        self.actions = actions
        self.call = call
        self.ask = ask
        self.frame = frame
        self.flow = flow
        self.values = values


def release(event: Invocation) -> list[Action]:
    """Hang up every leg that is still there (rule R5)."""
    return [
        {"Type": "Hangup", "Parameters": {"CallId": leg.call_id, "SipResponseCode": "0"}}
        for leg in (event.leg_b, event.leg_a)
        if leg is not None and leg.alive
    ]


def finish(frame: Frame, note: str, fingerprint: str) -> Step:
    """The step that the walk of *frame* leads to. *fingerprint* is empty when an ask was in between: it is kept."""
    call, flow, event = frame.call, frame.flow, frame.event
    if fingerprint:
        if call.q >= event.sequence and call.fp != fingerprint and "s" not in call.flags:
            call.flags += "s"  # one Sequence for two different events, or a falling one: it cannot be trusted
        call.q = event.sequence
        call.fp = fingerprint
    if frame.ask is not None:
        return Step(note, [], ask=frame.ask, frame=frame, flow=flow)
    actions = _complete(frame)
    if frame.actions:
        _remember(frame)
    elif frame.resting or not call.pos:
        call.was = call.last if call.last not in ("", "rest") else call.was
        call.last = "rest" if frame.resting else ""
        call.owners = ""
    values = frame.vars.copy() if frame.vars else None
    _keep(frame)
    call.n += 1
    return Step(frame.note or note, actions, call, None, None, flow, values)


def touch(frame: Frame, note: str, fingerprint: str) -> Step:
    """Save what changed; the running list goes on."""
    frame.call.q = frame.event.sequence
    frame.call.fp = fingerprint
    return Step(note, [], call=frame.call, flow=frame.flow)


def _complete(frame: Frame) -> list[Action]:
    """Listeners first, a short pause before a new leg B after a departure, never silence for a living caller."""
    event, call = frame.event, frame.call
    if not event.anybody:
        frame.actions = []
        frame.owners = []
        return []
    if not frame.actions and not frame.resting and not _outbound_unanswered(frame):
        frame.actions = release(event)  # the walk ended without an action: the end of the call, not silence
        frame.owners = [("H.A.0", "")] * len(frame.actions)
    if frame.resting and frame.asked and not frame.head and not frame.actions:
        # An answer that took a hook may lose a race; its silent action reports, so that a next event comes.
        node = frame.flow.node(call.base) if call.base else None
        frame.head = node.silent_report(frame) if isinstance(node, Connector) else ()
    actions = [*frame.head, *frame.actions] if frame.head else frame.actions
    if (
        frame.departure
        and frame.actions
        and frame.actions[0]["Type"] in ("CallAndBridge", "JoinChimeMeeting")
        and len(actions) < MAX_ACTIONS
    ):
        # Interruptible: a twin report of the same departure replaces the list before anything is dialled (item 11).
        pause: Action = {"Type": "Pause", "Parameters": {**frame.leg("A"), "DurationInMilliseconds": 200}}
        actions = [pause, *actions]
    return actions


def _outbound_unanswered(frame: Frame) -> bool:
    return not frame.call.pos and frame.event.type == "NEW_OUTBOUND_CALL"


def _remember(frame: Frame) -> None:
    """What the next report is compared with: types of the list, its tail, and owners where failures differ."""
    call = frame.call
    if call.last and call.last != "rest":
        call.was = call.last
    if len(frame.owners) == 1 and not frame.head and frame.owners[0][0][0] != "H" and "h" not in call.flags:
        tail, owner = frame.owners[0]  # the usual case: one action, and its tail is as the header wants it
        if owner.rpartition(":")[0] == call.stack:
            call.last, call.owners = tail, ""
            return
    # A listener in front that cannot be registered takes the rest of its list with it: it is the position's failure.
    codes = "".join([CODES[action["Type"]] for action in (*frame.head, *frame.actions)])
    tail, owner = frame.owners[-1]
    if tail == "+":
        tail, owner = next(pair for pair in reversed(frame.owners) if pair[0] != "+")
    call.last = f"{codes}.{tail[2:]}"
    if codes.count(codes[-1]) > 1:  # the report of an earlier action of the same type is not the tail's
        like = {other for other, _ in frame.owners if other[:4] == tail[:4] and other != tail}
        call.last = ".".join([call.last, *sorted(other[4:] for other in like)])
    hangs_up = codes[-1] == "H" and tail[2] == "A"
    if hangs_up != ("h" in call.flags):
        call.flags = call.flags + "h" if hangs_up else call.flags.replace("h", "")
    call.owners = ""
    elsewhere = (
        owner.rpartition(":")[0] != call.stack
    )  # the list ends behind a `use` or `return` that was walked already
    if elsewhere or len(frame.owners) > 1:
        tails = [tail for tail, _ in frame.owners]
        if elsewhere or "+" in tails or _like_the_last_before(call, tails) or _fail_apart(frame):
            call.owners = ",".join([f"{tail}={name}" for tail, name in frame.owners])


def _like_the_last_before(call: Call, tails: list[str]) -> bool:
    """Whether this list has an action such as the one that the list before ended with: if one fails, which is it?"""
    codes, _, rest = call.was.partition(".")
    return bool(codes) and f"{codes[-1]}.{rest[:1]}." in [tail[:4] for tail in tails[:-1]]


def _fail_apart(frame: Frame) -> bool:
    """Whether failures of this list lead to different places.

    A place is a state and the `use` states around it: one sub-flow can be in a list twice.
    """
    first = frame.owners[0][1]
    around, place = first.rpartition(":")[0], frame.failure_target(first)
    for _, owner in frame.owners:
        if owner != first and (owner.rpartition(":")[0] != around or frame.failure_target(owner) != place):
            return True
    return False


def _keep(frame: Frame) -> None:
    """Save only what is read again; a secret never (decisions 4 and 12)."""
    call, flow = frame.call, frame.flow
    if not call.pos:
        frame.keep({*flow.inputs, *flow.keep}, ())
    else:
        node = flow.node(call.pos)
        names, headers = node.keep, node.headers
        if not headers and not call.base and (not frame.vars or frame.vars.keys() <= names):
            return  # nothing to forget; a secret is in no such list
        if call.base and call.base != call.pos:
            base = flow.node(call.base)
            names |= base.keep
            headers += base.headers
        if call.aside in flow.updates:
            names = names.union(flow.updates[call.aside].keep)
        frame.keep(names, headers)
    if flow.secrets:
        for secret in flow.secrets.intersection(frame.vars):
            del frame.vars[secret]
