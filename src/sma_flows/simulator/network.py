"""The virtual service: one call as a value, moved by one function. No clock, no randomness, no I/O.

``advance(network, input) -> (network, outputs)``. The rules are those of section 9 of the contract; each is named
where it is kept, and :mod:`sma_flows.simulator.fidelity` lists them all.
"""

from __future__ import annotations

from dataclasses import replace

from sma_flows.simulator import answers, digits, legs, lists, talk
from sma_flows.simulator.desk import Desk, Done, dumps
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
from sma_flows.simulator.model import Leg, Network, Notice, Timer

__all__ = ["Network", "advance"]


def advance(network: Network, event: Input) -> tuple[Network, tuple[Output, ...]]:
    """Let one thing happen to the call: the call afterwards, and what came of it, in order.

    The given network is not changed. The same network and input always give the same result.

    Raises:
        ValueError: an input that makes no sense now: a second call, an Elapse beyond the next timer, a leg or a callee
            that is not there.
    """
    desk = Desk.of(network)
    _take(desk, event)
    _work(desk)
    after = desk.network()
    if after.idle and not network.idle and not after.joined:  # rules 21 and 63
        for leg in desk.connected():
            desk.warn(f"{leg.tag} stays connected and idle")
    return after, tuple(desk.out)


def _work(desk: Desk) -> None:
    """Run the list and send events until both wait for something."""
    before = None
    while before != (desk.rest, desk.next_list, desk.queue, desk.running):
        before = (desk.rest, desk.next_list, desk.queue, desk.running)
        lists.run(desk)
        answers.pump(desk)


def _take(desk: Desk, event: Input) -> None:
    match event:
        case InboundCall() | OutboundCall():
            _open(desk, event)
        case Elapse():
            _elapse(desk, event.ms)
        case Answer():
            answers.answered(desk, event)
        case FunctionFails():
            answers.failed(desk, event)
        case Key():
            _leg(desk, event.leg)
            lists.settle(desk, digits.key(desk, event.leg, event.key))
        case Talk():
            _leg(desk, event.leg)
            talk.talks(desk, event.leg, event.ms)
        case HangUp():
            lists.party_leaves(desk, _leg(desk, event.leg), event.code)
        case MeetingEnds():
            if not desk.joined.startswith("meeting"):
                raise ValueError("the call is not in a meeting")
            lists.party_leaves(desk, _leg(desk, "LEG-B"), 0)  # rule 65
        case Callee():
            _callee(desk, event)
        case BotResult():
            if desk.running is None or desk.running.phase != "bot":
                raise ValueError("no bot conversation goes on")
            lists.settle(desk, legs.bot_result(desk, event))
        case Update():
            _update(desk, event)
        case Break():
            _break(desk, event)
        case Stray():
            if desk.over or desk.leg(event.leg) is None:
                raise ValueError(f"nothing can be sent for {event.leg}")
            desk.tell(Notice(event.type, event.leg, event.data, sequence=event.sequence))


def _break(desk: Desk, event: Break) -> None:
    desk.breaks = (*desk.breaks, replace(event, running=False))
    if event.running:
        fault = desk.broken(desk.running.action) if desk.running is not None else None
        if fault is None:
            raise ValueError(f"no action of {', '.join(event.actions)} runs")
        lists.settle(desk, fault)


def _leg(desk: Desk, tag: str) -> Leg:
    leg = desk.leg(tag)
    if leg is None or leg.gone or leg.status == "ringing":
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
    desk.put(
        Leg("LEG-A", ident, call.to, call.from_, direction, str(desk.world.started_ms), status, headers=call.headers)
    )
    if isinstance(call, InboundCall):
        desk.tell(Notice("NEW_INBOUND_CALL", "LEG-A"))
        return
    data = {"Type": "CallCreateRequest", "Parameters": {"Arguments": dict(call.arguments)}}
    desk.tell(Notice("NEW_OUTBOUND_CALL", "LEG-A", dumps(data) if call.arguments else ""))
    desk.out.append(Dials("LEG-A", call.to, call.from_))


def _elapse(desk: Desk, ms: int) -> None:
    if ms < 0 or (desk.timers and ms > desk.timers[0].ms):
        raise ValueError("time cannot go beyond the next timer")
    desk.timers = tuple(Timer(one.ms - ms, one.name, one.subject) for one in desk.timers)
    while desk.timers and desk.timers[0].ms == 0:
        timer, desk.timers = desk.timers[0], desk.timers[1:]
        _timer(desk, timer)


def _timer(desk: Desk, timer: Timer) -> None:
    running = desk.running
    match timer.name:
        case "action" if running is not None:
            if running.action.type in ("PlayAudioAndGetDigits", "SpeakAndGetDigits"):
                lists.settle(desk, digits.collect_timer(desk))
            elif running.phase == "ring":  # rule 43
                legs.drop_ringing(desk)
                lists.settle(desk, legs.NOT_ANSWERED)
            elif running.phase == "join":
                lists.settle(desk, legs.joined(desk, running.action))
            elif running.phase == "record":
                lists.settle(desk, talk.recorded(desk, running))  # rule 39
            else:
                lists.settle(desk, Done())  # rules 22, 26, 28, 41
        case "silence" if running is not None:
            lists.settle(desk, talk.recorded(desk, running))
        case "gap" | "flush":
            digits.listener_timer(desk, timer.name, timer.subject)
        case "retry":
            answers.retry(desk, int(timer.subject))
        case "limit":
            answers.limit(desk, int(timer.subject))
        case "unanswered":
            lists.end_all(desk, 480)  # rule 11


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
        code = {"busy": 486, "no_answer": 480}.get(callee.does, callee.code)
        lists.party_leaves(desk, leg, code)


def _update(desk: Desk, update: Update) -> None:
    """Rules 66 and 69."""
    recent = [one for one in desk.timers if one.name == "update"]
    if desk.over or not desk.alive:
        desk.out.append(Refused("NotFoundException"))
        return
    most = desk.world.updates_per_s
    if len(recent) >= most:
        desk.out.append(Refused("ThrottledClientException"))
        return
    free = next(str(number) for number in range(most) if str(number) not in {t.subject for t in recent})
    desk.timer("update", 1000, free)
    data = {"Type": "CallUpdateRequest", "Parameters": {"Arguments": dict(update.arguments)}}
    desk.tell(Notice("CALL_UPDATE_REQUESTED", "LEG-A", dumps(data)))
