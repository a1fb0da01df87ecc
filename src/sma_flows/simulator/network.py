"""The virtual service: one call as a value, moved by one function. No clock, no randomness, no I/O.

``advance(network, input) -> (network, outputs)``. The rules are those of section 9 of the contract; each is named
where it is kept, and :mod:`sma_flows.simulator.fidelity` lists them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from sma_flows.protocol import limits
from sma_flows.simulator import answers, digits, legs, lists, talk
from sma_flows.simulator.desk import COLLECTING, DONE, Desk
from sma_flows.simulator.jsontext import dumps
from sma_flows.simulator.messages import (
    Answer,
    BotResult,
    Break,
    Callee,
    Dials,
    Elapse,
    FunctionFails,
    HangUp,
    InboundCall,
    Input,
    Key,
    MeetingEnds,
    OutboundCall,
    Output,
    Refused,
    Stray,
    Talk,
    Update,
)
from sma_flows.simulator.model import Leg, Network, Notice

__all__ = ["Network", "advance", "elapse", "feed"]


def advance(network: Network, event: Input, lean: Callable[[str], object] = str) -> tuple[Network, tuple[Output, ...]]:
    """Let one thing happen to the call: the call afterwards, and what came of it, in order.

    The given network is not changed. The same network and input always give the same result. *lean* is called with the
    key of every entry of the ledger that had a say in it.

    Raises:
        ValueError: an input that makes no sense now: a second call, an Elapse beyond the next timer, a leg or a callee
            that is not there.
    """
    desk = Desk(network, lean)
    feed(desk, event)
    return desk.network(), tuple(desk.out)


def feed(desk: Desk, event: Input) -> None:
    """As :func:`advance`, on a desk that stays open: what came of it is added to ``desk.out``.

    Raises:
        ValueError: as :func:`advance`; the desk is then as it was.
    """
    idle = desk.running is None and desk.idle
    _TAKE[type(event)](desk, event)
    if desk.running is None or desk.queue or desk.rest:
        _work(desk, idle)


def elapse(desk: Desk, ms: int) -> None:
    """As feeding an :class:`Elapse`.

    Raises:
        ValueError: a negative time, or one beyond the next timer.
    """
    now = desk.now + ms
    timers = desk.timers
    if ms < 0 or (timers and now > timers[0][0]):
        raise ValueError("time cannot go beyond the next timer")
    desk.now = now
    if timers and timers[0][0] == now:
        while desk.timers and desk.timers[0][0] == now:
            _, name, subject = desk.timers.pop(0)
            _TIMERS[name](desk, subject)
        _work(desk, False)


def _work(desk: Desk, idle: bool) -> None:
    """Run the list and send events until both wait for something; *idle*: the call rested before."""
    if desk.rest or desk.next_list:
        lists.run(desk)
    if desk.queue:
        answers.pump(desk)
    if desk.running is None and not (desk.delivered or idle):
        _rests(desk)


def _rests(desk: Desk) -> None:
    """Say so when nothing goes on any more (rules 11, 21 and 63)."""
    if desk.over or desk.rest or desk.queue or desk.next_list or not desk.legs:
        return
    first = desk.legs[0]
    if not (desk.outbound or first.status or any(one[1] == "unanswered" for one in desk.timers)):
        desk.lean("11 unanswered")
        desk.timer("unanswered", limits.UNANSWERED_INBOUND_S * 1000)
    if not (desk.timers or desk.joined):
        desk.lean("21")
        for leg in desk.connected():
            desk.warn(f"{leg.tag} stays connected and idle")


_AWAY: Final = ("Disconnected", "ringing")

# --- inputs --------------------------------------------------------------------------------------------------------


def _key(desk: Desk, event: Key) -> None:
    tag = event.leg
    _leg(desk, tag)
    outcome = digits.key(desk, tag, event.key)
    if outcome is not None:
        lists.settle(desk, outcome)


def _talk(desk: Desk, event: Talk) -> None:
    _leg(desk, event.leg)
    talk.talks(desk, event.leg, event.ms)


def _hang_up(desk: Desk, event: HangUp) -> None:
    lists.party_leaves(desk, _leg(desk, event.leg), event.code)


def _meeting_ends(desk: Desk, _event: MeetingEnds) -> None:
    if not desk.joined.startswith("meeting"):
        raise ValueError("the call is not in a meeting")
    lists.party_leaves(desk, _leg(desk, "LEG-B"), 0)  # rule 65


def _bot(desk: Desk, event: BotResult) -> None:
    if desk.running is None or desk.running.phase != "bot":
        raise ValueError("no bot conversation goes on")
    lists.settle(desk, legs.bot_result(desk, event))


def _break(desk: Desk, event: Break) -> None:
    before = desk.breaks
    desk.breaks = (*before, replace(event, running=False))
    if event.running:
        fault = desk.broken(desk.running.action) if desk.running is not None else None
        if fault is None:
            desk.breaks = before
            raise ValueError(f"no action of {', '.join(event.actions)} runs")
        legs.drop_ringing(desk)  # a bridge that fails leaves nobody ringing (rule 43)
        lists.settle(desk, fault)


def _stray(desk: Desk, event: Stray) -> None:
    if desk.over or desk.leg(event.leg) is None:
        raise ValueError(f"nothing can be sent for {event.leg}")
    desk.tell(Notice(event.type, event.leg, event.data, sequence=event.sequence))


def _elapse(desk: Desk, event: Elapse) -> None:
    elapse(desk, event.ms)


def _leg(desk: Desk, tag: str) -> Leg:
    legs = desk.legs
    leg = legs[0] if legs and tag == "LEG-A" else desk.leg(tag)
    if leg is None or leg[6] in _AWAY:
        raise ValueError(f"{tag} is not on the line")
    return leg


def _open(desk: Desk, call: InboundCall | OutboundCall) -> None:
    """Rules 10 and 15."""
    if desk.legs:
        raise ValueError("the call has begun already")
    desk.outbound = isinstance(call, OutboundCall)
    direction = "Outbound" if desk.outbound else "Inbound"
    status = "ringing" if desk.outbound else ""
    ident = f"aaaaaaaa-0000-{desk.world.line}-000000000001"
    started = str(desk.world.started_ms)
    desk.put(Leg.new("LEG-A", ident, call.to, call.from_, direction, started, status, call.headers))
    desk.lean("15" if desk.outbound else "10")
    if isinstance(call, InboundCall):
        desk.tell(Notice("NEW_INBOUND_CALL", "LEG-A"))
        return
    data = {"Type": "CallCreateRequest", "Parameters": {"Arguments": dict(call.arguments)}}
    desk.tell(Notice("NEW_OUTBOUND_CALL", "LEG-A", dumps(data) if call.arguments else ""))
    desk.out.append(Dials("LEG-A", call.to, call.from_))


def _callee(desk: Desk, callee: Callee) -> None:
    leg = desk.leg("LEG-A")
    if leg is not None and leg.status == "ringing":  # rule 15
        _outbound(desk, leg, callee)
    elif desk.running is not None and desk.running.phase == "ring":
        lists.settle(desk, legs.bridge_callee(desk, callee))
    else:
        raise ValueError("nobody is being called")


def _outbound(desk: Desk, leg: Leg, callee: Callee) -> None:
    """Rule 15: what the callee of an outbound call does."""
    if callee.does == "rings":
        desk.tell(Notice("RINGING", "LEG-A"))
    elif callee.does in ("answers", "voicemail"):
        desk.answer_leg(leg)
        desk.tell(Notice("CALL_ANSWERED", "LEG-A"))
    else:
        desk.lean("15 rejected" if callee.does == "rejects" else "15")
        code = {"busy": 486, "no_answer": 480}.get(callee.does, callee.code)
        lists.party_leaves(desk, leg, code)


def _update(desk: Desk, update: Update) -> None:
    """Rules 66 and 69."""
    recent = {one[2] for one in desk.timers if one[1] == "update"}
    desk.lean("69")
    if desk.over or not desk.alive:
        desk.lean("66")
        desk.out.append(Refused("NotFoundException"))
        return
    most = desk.world.updates_per_s
    if len(recent) >= most:
        desk.out.append(Refused("ThrottledClientException"))
        return
    free = next(str(number) for number in range(most) if str(number) not in recent)
    desk.timer("update", 1000, free)
    data = {"Type": "CallUpdateRequest", "Parameters": {"Arguments": dict(update.arguments)}}
    desk.tell(Notice("CALL_UPDATE_REQUESTED", "LEG-A", dumps(data)))


# --- timers --------------------------------------------------------------------------------------------------------


def _action(desk: Desk, _subject: str) -> None:
    """The running action has had its time."""
    desk.acted()
    running = desk.running
    if running is None:
        return
    if running.action.type in COLLECTING:
        lists.settle(desk, digits.collect_timer(desk, running))
    elif running.phase == "ring":
        desk.lean("43")
        legs.drop_ringing(desk)
        lists.settle(desk, legs.NOT_ANSWERED)
    elif running.phase == "join":
        lists.settle(desk, legs.joined(desk, running.action))
    elif running.phase == "record":
        desk.lean("39")
        lists.settle(desk, talk.recorded(desk, running))
    else:  # rules 22, 26, 28, 41
        lists.settle(desk, DONE)


def _silence(desk: Desk, _subject: str) -> None:
    if desk.running is not None:
        desk.lean("39")
        lists.settle(desk, talk.recorded(desk, desk.running))


def _unanswered(desk: Desk, _subject: str) -> None:
    lists.end_all(desk, 480)  # rule 11


_TAKE: Final[Mapping[type[Any], Callable[[Desk, Any], None]]] = {
    InboundCall: _open,
    OutboundCall: _open,
    Elapse: _elapse,
    Answer: answers.answered,
    FunctionFails: answers.failed,
    Key: _key,
    Talk: _talk,
    HangUp: _hang_up,
    MeetingEnds: _meeting_ends,
    Callee: _callee,
    BotResult: _bot,
    Update: _update,
    Break: _break,
    Stray: _stray,
}
_TIMERS: Final[Mapping[str, Callable[[Desk, str], None]]] = {
    "action": _action,
    "silence": _silence,
    "gap": lambda desk, tag: digits.listener_timer(desk, "gap", tag),
    "flush": lambda desk, tag: digits.listener_timer(desk, "flush", tag),
    "retry": lambda desk, number: answers.retry(desk, int(number)),
    "limit": lambda desk, number: answers.limit(desk, int(number)),
    "unanswered": _unanswered,
    "update": lambda desk, number: None,  # noqa: ARG005 - only that the second is over
}
