"""SF3xx: what may run while a bridge or meeting goes on, and which leg is there."""

from __future__ import annotations

from collections.abc import Iterator

from sma_flows.compiler.graph import reach
from sma_flows.compiler.resolve import sub_connects
from sma_flows.compiler.resolved import Edge, ResolvedFlow, ResolvedState
from sma_flows.compiler.rules.base import flow_rule, names, word_span
from sma_flows.compiler.rules.reach import back_bases
from sma_flows.compiler.uses import state_expressions
from sma_flows.compiler.verbs import ASIDE_VERBS, CONNECTING
from sma_flows.flow.diagnostics import Diagnostic, report
from sma_flows.flow.nodes import Span
from sma_flows.flow.states import HangupState, PlayState, WaitState, _Listening

_NEEDS_A_ALONE = frozenset(("bridge", "join_meeting", "bot"))


def _entries(flow: ResolvedFlow) -> Iterator[tuple[Edge, str, str]]:
    """Where asides begin: the edge, how it is called, and the verb during which it runs."""
    for state in flow.states.values():
        if state.verb in CONNECTING:
            for key, edge in state.keys.items():
                yield edge, f"key {key}", state.verb
            if state.connected is not None:
                yield state.connected, "`connected`", state.verb
    connecting = {name: state.verb for name, state in flow.states.items() if state.verb in CONNECTING}
    for name, update in flow.model.updates.items():
        during = (
            connecting
            if update.during is None
            else {each: connecting[each] for each in update.during if each in connecting}
        )
        for verb in dict.fromkeys(during.values()):
            yield flow.updates[name], f"the update '{name}'", verb
        if update.during is None and not connecting and any(sub_connects(sub) for sub in flow.subflows.values()):
            yield flow.updates[name], f"the update '{name}'", "bridge"


def _aside(flow: ResolvedFlow, edge: Edge) -> dict[str, str | None]:
    """The states of one aside, each with the one before it."""

    def after(name: str) -> list[str]:
        state = flow.states[name]
        if state.verb not in ASIDE_VERBS or _leaves(state):
            return []
        ways = (way for outcome, way in state.edges.items() if outcome != "failed" or way.source == "own")
        return [way.target for way in ways if way.target in flow.states]

    return reach([edge.target] if edge.target in flow.states else [], after)


def _leaves(state: ResolvedState) -> bool:
    return isinstance(state.model, HangupState) and state.model.leg == "B"


@flow_rule
def verb_in_aside(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """An aside does something that cannot be done while leg B is connected (language reference 3, Asides).

    JoinChimeMeeting and StartBotConversation are impossible then, and there is only one leg B (contract 3.3).
    """
    seen: set[tuple[str, Span]] = set()
    for edge, how, verb in _entries(flow):
        for name in _aside(flow, edge):
            state = flow.states[name]
            if (name, edge.span) in seen:
                continue
            seen.add((name, edge.span))
            going = "the meeting goes on" if verb == "join_meeting" else "the bridge goes on"
            related = [(edge.span, f"{how} leads here while {going}")]
            if state.verb in _NEEDS_A_ALONE:
                yield report(
                    "SF305",
                    state.span,
                    f"'{name}' cannot {state.verb} while leg B is connected",
                    label=f"{state.verb} needs the caller alone",
                    help="end in `back` to go on, or free leg B first: `hangup: normal` with `leg: B`",
                    related=related,
                )
            elif state.verb not in ASIDE_VERBS or (isinstance(state.model, PlayState | WaitState) and state.model.keys):
                shown = state.verb if state.verb not in ASIDE_VERBS else f"{state.verb} with keys"
                yield report(
                    "SF306",
                    state.span,
                    f"'{shown}' is not possible while {going}",
                    label="comes in an aside",
                    help="end the aside in `back` or `hangup` before this state",
                    related=related,
                )


@flow_rule
def nothing_to_go_back_to(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """`back` where no state has listened yet (language reference 3: `back` returns to the last state that listened)."""
    bases = back_bases(flow)
    for state in flow.states.values():
        for outcome, edge in state.edges.items():
            if edge.target != "back" or state.aside:
                continue
            inside = sorted(base for base in bases[state.name] if base.endswith("/"))
            if inside:
                yield report(
                    "SF308",
                    edge.span,
                    f"the last state that listened may be one of the sub-flow '{inside[0].rstrip('/')}'",
                    label="cannot go back into it",
                    help="name a state",
                )
            if not bases[state.name]:
                yield report(
                    "SF308",
                    edge.span,
                    "there is nothing to go back to",
                    label=f"no state before '{state.name}' listens",
                    help="name a state; `back` returns to gather, menu, record, bot, bridge, join_meeting, "
                    "or play and wait with keys",
                    related=[] if edge.source == "own" else [(state.span, f"'{outcome}' of '{state.name}' goes back")],
                )


@flow_rule
def back_plays_again(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """`back` to a `play` with keys starts it from the beginning: PlayAudio cannot resume (decision 30)."""
    bases = back_bases(flow)
    for state in flow.states.values():
        if not isinstance(state.model, PlayState) or not state.model.keys:
            continue
        for other in flow.states.values():
            if state.name in bases[other.name] and any(edge.target == "back" for edge in other.edges.values()):
                yield report(
                    "SF318",
                    state.span,
                    f"'{state.name}' plays from the beginning again when '{other.name}' goes back",
                    label="cannot resume",
                    help="lead the key elsewhere if that is not wanted",
                    related=[(other.span, "goes back")],
                )
                break


@flow_rule
def no_leg_b(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """Leg B is addressed where no leg B can be (rule R2 of the scenarios; contract 3.2)."""
    for state in flow.states.values():
        if state.aside:
            continue
        for field in ("leg", "listen"):
            if getattr(state.model, field, None) == "B" and not (field == "listen" and state.verb in CONNECTING):
                yield report(
                    "SF309",
                    flow.span(*state.path, field),
                    f"there is no leg B in '{state.name}'",
                    label="no bridge or meeting goes on here",
                    help="write `leg: A`, or come here from `keys` or `connected` of a bridge",
                )
        if state.verb == "mute":
            yield report(
                "SF311",
                state.span,
                f"'{state.name}' mutes outside of a meeting",
                label="no meeting goes on here",
                help="lead a key of a `join_meeting` state here",
            )


@flow_rule
def mute_in_a_bridge(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """Only attendees of a meeting can be muted (contract 4.4: "Call is not connected to Chime Meeting")."""
    verbs: dict[str, set[str]] = {}
    for edge, _, verb in _entries(flow):
        for name in _aside(flow, edge):
            verbs.setdefault(name, set()).add(verb)
    for name, state in flow.states.items():
        if state.verb == "mute" and verbs.get(name) == {"bridge"}:
            yield report(
                "SF311",
                state.span,
                f"'{name}' mutes in a bridge",
                label="only meetings have microphones to switch",
                help="use `voice_focus` or `record_call` here, or join a meeting",
            )


@flow_rule
def no_pressed_key(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """`here`, `other` or `key.*` where no key was pressed (language reference 4: relative to the pressed key)."""
    pressed_starts = [edge.target for state in flow.states.values() for edge in state.keys.values()]
    menu_starts = [
        edge.target
        for state in flow.states.values()
        if state.verb == "menu"
        for key, edge in state.edges.items()
        if key in getattr(state.model, "keys", {})
    ]

    def after(name: str) -> list[str]:
        return [edge.target for _, edge in flow.states[name].targets() if edge.target in flow.states]

    pressed = reach([name for name in pressed_starts if name in flow.states], after)
    typed = reach([name for name in (*pressed_starts, *menu_starts) if name in flow.states], after)
    for name, state in flow.states.items():
        if state.model.leg in ("here", "other") and name not in pressed:
            yield _not_pressed(flow, flow.span(*state.path, "leg"), state, str(state.model.leg))
        for use in state_expressions(state):
            for node in use.expr.walk():
                if node.op == "key" and name not in (typed if node.args[0] == "digits" else pressed):
                    word = f"key.{node.args[0]}"
                    yield _not_pressed(flow, word_span(flow.document, use.place, word), state, word)


def _not_pressed(flow: ResolvedFlow, span: Span, state: ResolvedState, word: str) -> Diagnostic:
    keyed = [other.name for other in flow.states.values() if isinstance(other.model, _Listening) and other.model.keys]
    return report(
        "SF310",
        span,
        f"'{word}' means the key that was pressed, and no key leads to '{state.name}'",
        label="no key pressed",
        help=f"lead a key of {names(keyed[:3], 'or')} here" if keyed else "name the leg: A or B",
    )
