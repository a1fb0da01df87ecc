"""The end of a call: clean-up, once, in order; the last words where nothing else works; ends that did not come about.

Made attendees are deleted first, then the hooks with an undo mark are undone backwards, then the flow's own list runs.
Each piece is an ask of its own with a token that a repeated HANGUP makes again (decisions 16 and 22).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from sma_flows.protocol.actions import goodbye
from sma_flows.protocol.events import ACTION_FAILED, as_int
from sma_flows.runtime.ask import Ask
from sma_flows.runtime.callstate import Call
from sma_flows.runtime.finish import Step, finish, release
from sma_flows.runtime.nodes import effect_token, made_attendees
from sma_flows.runtime.values import compile_condition

if TYPE_CHECKING:
    from sma_flows.runtime.frame import Frame
    from sma_flows.runtime.program import FlowProgram
    from sma_flows.runtime.turn import Turn

MAX_HANGUPS: Final = 3
"""How often a Hangup that failed is tried again. Then nothing is left but the party's own hang-up."""


def still_there(turn: Turn) -> Step | None:
    """Something failed that should have ended the call and belongs to no state: nothing else will ever end it.

    That is a Hangup of leg B after the caller has left, or what came with the last words, which no list remembers:
    their Speak, then the Hangup alone is left; a Hangup, then it is tried again. Where no call is saved, one is from
    now on: something must count.
    """
    event = turn.event
    if event.type != ACTION_FAILED or event.action not in ("Hangup", "Speak"):
        return None
    leg = event.leg_b if event.leg == "B" else event.leg_a
    caller = event.leg_a is not None and event.leg_a.alive
    if leg is None or not leg.alive or (caller and turn.fits_failure() == "last"):
        return None
    if event.action == "Speak" and (turn.flow is None or event.params.get("Text") != turn.flow.apology()[0]):
        return None
    if _not_answered(turn):
        return turn.nothing("not answered yet")
    if turn.flow is None:
        turn.flow = turn.program.current(next(iter(turn.program.plan.flows), ""))
        if turn.flow is None:
            return None
        turn.call = Call(turn.flow.name, turn.flow.revision)
    frame = turn.frame()
    tries = frame.counters.get("h:", 0) + 1
    if tries > MAX_HANGUPS:
        return turn.nothing("a party cannot be hung up")
    frame.counters["h:"] = tries
    frame.call.pos = frame.call.then = ""  # whatever the flow waited for, it is over
    frame.actions = [{"Type": "Hangup", "Parameters": {**frame.leg(leg.tag), "SipResponseCode": "0"}}]
    frame.owners = [(f"H.{leg.tag}.0", "")]
    return finish(frame, "hung up again", turn.fingerprint)


def _not_answered(turn: Turn) -> bool:
    """An outbound call that has not started: CALL_ANSWERED may come yet, and must find it so."""
    leg = turn.event.leg_a
    outbound = leg is not None and leg.text("Direction") == "Outbound"
    return outbound and (turn.call is None or "a" not in turn.call.flags)


def clean_up(frame: Frame) -> Step:
    """The last leg has left: delete what was made, undo marked hooks backwards, then the flow's list (decision 22)."""
    call, flow, event = frame.call, frame.flow, frame.event
    frame.line_dead = True
    frame.hangup_code = as_int(event.params.get("SipResponseCode"))
    if "r" in call.flags and "a" in call.flags and call.n <= 1:
        call.flags = call.flags.replace("a", "")
    if "B" in call.flags:
        frame.ended_by = "callee"
    elif "h" in call.flags:
        frame.ended_by = "flow"
    else:
        frame.ended_by = "network" if frame.hangup_code else "caller"
    frame.todo = todo = []
    if flow.undoes:
        # A hook that is still at work finds this note, and undoes what nobody here can know of (decision 23).
        todo.append(lambda frame: _ask_end(frame, "call.ended", "ended", (), {}, ""))
    for number, pair in enumerate(made_attendees(frame)):
        todo.append(_leave(pair, str(number)))
    for name in reversed(frame.vars.get("@undo", ())):
        undo = flow.hooks.get(name, {}).get("undo")
        if undo:
            todo.append(_end_hook(undo, f"u{name}", flow))
    if flow.ends is None:
        flow.ends = [_end_hook(item, f"c{number}", flow) for number, item in enumerate(flow.cleanup)]
    todo += flow.ends
    if not todo:
        return Step("ended", [], flow=flow)
    return next_clean_up(frame, "ended")


def _leave(pair: tuple[str, str], position: str) -> Callable[[Frame], bool]:
    return lambda frame: _ask_end(frame, "meetings.leave", "leave", pair, {}, position, later=True)


def _end_hook(item: Mapping[str, Any], position: str, flow: FlowProgram) -> Callable[[Frame], bool]:
    when = compile_condition(item["when"], flow.env) if item.get("when") is not None else None
    args = [flow.argument(arg) for arg in item.get("args", ())]

    def ask(frame: Frame) -> bool:
        if when is not None and not when(frame):
            return False
        hook = flow.hooks.get(item["hook"])
        if hook is None:
            return False
        later = not flow.shows_token(item.get("args", ()))
        return _ask_end(frame, "hook", item["hook"], tuple([arg(frame) for arg in args]), hook, position, later=later)

    return ask


def _ask_end(
    frame: Frame,
    port: str,
    name: str,
    args: tuple[Any, ...],
    hook: Mapping[str, Any],
    position: str,
    *,
    later: bool = False,
) -> bool:
    frame.ask = Ask(
        port=port,
        name=name,
        args=args,
        token=effect_token(frame.event.transaction, "end", name, position),
        effect=hook.get("effect", "once") if hook else "repeatable",
        budget_ms=hook.get("budget", 2000) if hook else 2000,
        call=frame.info(frame.call.pos),
        revision=frame.flow.revision,
        hook=hook,
        cleanup=True,
        later=later,
    )
    return True


def next_clean_up(frame: Frame, note: str) -> Step:
    """Ask for the next piece of clean-up; without one the call is over and its saved call says so."""
    while frame.todo:
        if frame.todo[0](frame):
            return Step(note, [], ask=frame.ask, frame=frame, flow=frame.flow)
        frame.todo = frame.todo[1:]
    frame.ask = None
    if "c" not in frame.call.flags:
        frame.call.flags += "c"
    frame.counters.clear()
    frame.vars.clear()
    return Step(note, [], call=frame.call, flow=frame.flow)


def last_words(turn: Turn, note: str) -> Step:
    """Constant goodbye and Hangup, without attributes."""
    event, flow = turn.event, turn.flow
    if flow is None:
        name = next(iter(turn.program.plan.flows), None) if turn.call is None else turn.call.flow
        flow = turn.program.current(name) if name is not None else None
    leg = event.leg_a
    if leg is not None and not leg.alive:
        return Step(note, release(event), flow=flow)
    text, speech = flow.apology() if flow is not None else ("We are sorry. Goodbye.", {})
    target = {"CallId": leg.call_id} if leg is not None else {"ParticipantTag": "LEG-A"}
    words = goodbye(text, target, speech)
    if event.type == ACTION_FAILED:  # nothing is saved that could count: what failed is not sent again
        if event.action == "Hangup":
            words = []
        elif event.action == "Speak" and event.params.get("Text") == text:
            del words[0]
    return Step(note, words, flow=flow)
