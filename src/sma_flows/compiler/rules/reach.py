"""SF2xx: everything that is declared is used, and every loop ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from sma_flows.compiler.graph import components, cycle_in, reach
from sma_flows.compiler.resolve import choices_of, counts_entries
from sma_flows.compiler.resolved import ResolvedFlow, ResolvedState
from sma_flows.compiler.rules.base import flow_rule
from sma_flows.compiler.schedules import hidden_periods
from sma_flows.compiler.uses import flow_expressions, names_read, prompt_items, state_reads
from sma_flows.compiler.verbs import CONNECTING
from sma_flows.flow.diagnostics import Diagnostic, report
from sma_flows.flow.states import ChooseState, RecordState, ReturnState, RunState, ScheduleState, TakeState, UseState

__all__ = ["back_bases", "bounded_outcomes", "reached_states", "unused_prompts"]


def reached_states(flow: ResolvedFlow) -> set[str]:
    """The states that a call can come to: from the start, by keys, when connected, by updates."""
    starts = [flow.model.start, *(edge.target for edge in flow.updates.values())]

    def after(name: str) -> Iterator[str]:
        return (edge.target for _, edge in flow.states[name].targets() if edge.target in flow.states)

    return set(reach([name for name in starts if name in flow.states], after))


@flow_rule
def unreachable_state(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """No way leads to a state (language reference 3): it is left over, or a transition is missing."""
    reached = reached_states(flow)
    if flow.model.start not in flow.states:
        return
    for name, state in flow.states.items():
        if name not in reached:
            yield report(
                "SF212",
                state.span,
                f"no way leads to '{name}'",
                label="never reached",
                help="lead a state to it, or remove it",
            )


@flow_rule
def unused_names(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A variable is never read, or a hook or schedule never asked (language reference 1)."""
    read = set(_reads(flow))
    written = {name for state in flow.states.values() for sets in state.sets.values() for name in sets}
    demanded = {state.model.record for state in flow.states.values() if isinstance(state.model, RecordState)}
    for name in (*flow.model.vars, *flow.model.inputs):
        variable = flow.variables[name]
        if name in read or name in demanded or (flow.entry == "sub" and name in flow.model.gives):
            continue
        if variable.origin == "var":
            what = "is filled but never read" if name in written else "is never used"
        else:
            what = "is never read"
        yield report(
            "SF213",
            variable.span,
            f"the {'variable' if variable.origin == 'var' else 'input'} '{name}' {what}",
            label="not needed",
            help="remove it, or use it",
            severity="note" if name in written else None,
        )
    run = {state.model.run.name for state in flow.states.values() if isinstance(state.model, RunState)}
    run |= {item.run.name for item in flow.model.cleanup}
    run |= {hook.undo.name for hook in flow.model.hooks.values() if hook.undo is not None}
    for name, hook in flow.hooks.items():
        if name not in run:
            yield report(
                "SF214",
                hook.span,
                f"the hook '{name}' is never run",
                label="not needed",
                help=f"`run: {name}(...)` it, or remove it",
            )
    asked = {state.model.schedule for state in flow.states.values() if isinstance(state.model, ScheduleState)}
    for name in flow.model.schedules:
        if name not in asked:
            yield report(
                "SF214",
                flow.document.span(("schedules", name), key=True),
                f"the schedule '{name}' is never asked",
                label="not needed",
                help=f"ask it with `schedule: {name}`, or remove it",
            )


def _reads(flow: ResolvedFlow) -> Iterator[str]:
    for use in flow_expressions(flow.model):
        yield from names_read(use.expr)
    for state in flow.states.values():
        yield from state_reads(flow, state)


@flow_rule
def unused_default(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """No state relies on an entry of `defaults` (language reference 7)."""
    asked = any(
        state.verb in ("gather", "menu") and getattr(state.model, "retry", None) is None
        for state in flow.states.values()
    )
    if flow.model.defaults.retry is not None and not asked:
        yield report(
            "SF216",
            flow.document.span(("defaults", "retry"), key=True),
            "no question relies on `defaults.retry`",
            label="never used",
            help="remove it",
        )
    used = {
        outcome for state in flow.states.values() for outcome, edge in state.edges.items() if edge.source == "defaults"
    }
    for outcome in flow.model.defaults.next:
        if outcome not in used and outcome != "failed":  # `failed` also answers faults of the runtime
            yield report(
                "SF216",
                flow.document.span(("defaults", "next", outcome), key=True),
                f"no state relies on the default for '{outcome}'",
                label="never used",
                help="remove it, or correct the name of the outcome",
            )


def unused_prompts(flows: Sequence[ResolvedFlow]) -> Iterator[Diagnostic]:
    """A prompt that no flow lets anybody hear (language reference 9). Asked over all flows that share a catalogue."""
    by_file: dict[str, list[ResolvedFlow]] = {}
    for flow in flows:
        if flow.catalogue is not None and flow.catalogue_document is not None:
            by_file.setdefault(flow.catalogue_document.path, []).append(flow)
    for sharing in by_file.values():
        if any(kind.type.kind == "prompt" for flow in sharing for kind in flow.variables.values()):
            continue
        used = {
            item.name
            for flow in sharing
            for state in flow.states.values()
            for _, _, items in prompt_items(flow, state)
            for item in items
        }
        document, catalogue = sharing[0].catalogue_document, sharing[0].catalogue
        retry = [flow.model.defaults.retry for flow in sharing if flow.model.defaults.retry is not None]
        used |= {item.name for each in retry for items in (each.no_input, each.no_match) for item in items or ()}
        if document is None or catalogue is None:
            continue
        for name in catalogue.prompts:
            if name not in used:
                yield report(
                    "SF215",
                    document.span(("prompts", name), key=True),
                    f"the prompt '{name}' is never heard",
                    label="not needed",
                    help="name it in a state, or remove it",
                )


@flow_rule
def hidden_choice(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A period of a schedule is never taken because earlier ones cover it (language reference 4, Schedules)."""
    for name, schedule in flow.model.schedules.items():
        for period in hidden_periods(schedule):
            yield report(
                "SF320",
                flow.document.span(("schedules", name, period), key=True),
                f"'{period}' is never taken: the periods above it cover all its times",
                label="hidden",
                help="put it in front of them: the first match from top to bottom counts",
            )


@flow_rule
def open_choice(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """The values of a `choose` are not known, so a missing one would go unnoticed (decision 26)."""
    for state in flow.states.values():
        model = state.model
        if isinstance(model, ChooseState) and not isinstance(model.choose, dict) and not choices_of(model, flow):
            if model.choose.op == "var" and str(model.choose.args[0]) not in flow.variables:
                continue
            yield report(
                "SF224",
                flow.span(*state.path, "choose"),
                "the values to choose from are not known",
                label="may be anything",
                help='name cases: `choose: {sales: department is "sales"}`, or declare the variable as `one_of(...)`',
            )


# Loops. A state with `visits` has an entrance, which counts, and a body; `back` goes to the body of what it leads to.

Point: TypeAlias = tuple[str, str]
"""State and "in" (entrance), "body" or "over" (`exhausted`, limits and empty lists lead away from here)."""


@dataclass(slots=True)
class _Graph:
    edges: dict[Point, list[Point]] = field(default_factory=dict)
    bounded: dict[tuple[Point, Point], frozenset[str]] = field(default_factory=dict)
    """Edges that can be taken only so often, with the states that start the count again."""


def bounded_outcomes(flow: ResolvedFlow, state: ResolvedState) -> dict[str, frozenset[str]]:
    """Outcomes that can happen only so often in a call, each with the states that undo the bound."""
    model = state.model
    if isinstance(model, RunState):
        return {rule.outcome: frozenset() for rule in model.limit if rule.per == "call"}
    if isinstance(model, TakeState):
        fillers = {
            name
            for name, other in flow.states.items()
            if name != state.name and any(model.take.source in sets for sets in other.sets.values())
        }
        return {"taken": frozenset(fillers)}
    return {}


def _graph(flow: ResolvedFlow, through: dict[str, set[str]]) -> _Graph:
    graph = _Graph()
    bases = back_bases(flow)
    for name, state in flow.states.items():
        entry, body = (name, "in"), (name, "body")
        graph.edges[entry], graph.edges[body] = [body], []
        visits = state.model.visits
        if visits is not None and counts_entries(state.model):
            since = frozenset((visits.since,)) if visits.since else frozenset()
            graph.bounded[entry, body] = since
        free = bounded_outcomes(flow, state)
        for outcome, edge in state.edges.items():
            start = entry if outcome == "exhausted" else body
            if isinstance(state.model, UseState) and outcome not in through.get(state.model.use, {outcome}):
                continue  # the sub-flow itself bounds how often it can return this
            for target in _points(edge.target, name, flow, bases):
                graph.edges[start].append(target)
                if outcome in free:
                    graph.bounded[start, target] = free[outcome]
                elif outcome == "failed" and (
                    edge.source != "own" or edge.target == flow.model.defaults.next.get("failed")
                ):
                    graph.bounded[start, target] = frozenset()  # the error path is entered once per call (decision 27)
        for edge in state.keys.values():  # background keys are heard so often only (decision 32)
            for target in _points(edge.target, name, flow, bases):
                graph.edges[body].append(target)
                graph.bounded[body, target] = frozenset()
        if state.connected is not None:
            graph.edges[body] += _points(state.connected.target, name, flow, bases)
    return graph


def _points(target: str, at: str, flow: ResolvedFlow, bases: dict[str, set[str]]) -> list[Point]:
    if target == "back":
        return [
            (base, "body") for base in sorted(bases[at] & set(flow.states)) if flow.states[base].verb not in CONNECTING
        ]
    return [(target, "in")] if target in flow.states else []


def back_bases(flow: ResolvedFlow) -> dict[str, set[str]]:
    """The states that `back` may return to, by state. `NAME/` stands for a state inside of the sub-flow NAME."""
    found: dict[str, set[str]] = {name: set() for name in flow.states}
    waiting = list(flow.states)
    while waiting:
        name = waiting.pop()
        state = flow.states[name]
        give = {name} if state.listens else found[name]
        if isinstance(state.model, UseState) and (sub := flow.subflows.get(state.model.use)) and hears(sub):
            give = {f"{sub.name}/"}
        targets = [edge.target for _, edge in state.targets()]
        if not state.silent:  # an update finds the call there, and `back` from its aside returns to what listened
            targets += [
                flow.updates[update].target
                for update, model in flow.model.updates.items()
                if model.during is None or name in model.during
            ]
        for target in targets:
            if target in found and not give <= found[target]:
                found[target] |= give
                waiting.append(target)
    return found


def hears(flow: ResolvedFlow) -> bool:
    """Whether a state of the flow, or of one that it uses, listens."""
    return any(state.listens for state in flow.states.values()) or any(hears(sub) for sub in flow.subflows.values())


@flow_rule
def unbounded_loop(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A cycle passes no `visits`, no outcome with `limit ... per call`, no `take` (language reference 3).

    Contract L13: a call has at most 1,000 invocations. `back` counts no visit (decision 30).
    """
    for cycle in unbounded_cycles(_graph(flow, {name: through_outcomes(sub) for name, sub in flow.subflows.items()})):
        states = list(dict.fromkeys(name for name, _ in cycle))
        first = min(states, key=lambda name: list(flow.states).index(name))
        turn = states.index(first)
        states = states[turn:] + states[:turn]
        way = " -> ".join([*states, states[0]])
        yield report(
            "SF217",
            flow.states[first].span,
            f"nothing ends the loop {way}",
            label="may be entered for ever",
            help="add `visits: 5` to one of its states and answer 'exhausted'",
            related=[(flow.states[name].span, "part of the loop") for name in states[1:4]],
        )


def through_outcomes(sub: ResolvedFlow) -> set[str]:
    """Outcomes that a sub-flow can return without having passed anything that bounds how often."""
    graph = _graph(sub, {name: through_outcomes(each) for name, each in sub.subflows.items()})
    free = {
        point: [target for target in targets if (point, target) not in graph.bounded or graph.bounded[point, target]]
        for point, targets in graph.edges.items()
    }
    seen = reach([(sub.model.start, "in")] if sub.model.start in sub.states else [], lambda point: free[point])
    out = {"failed"}
    for name, _ in seen:
        model = sub.states[name].model
        if isinstance(model, ReturnState):
            out.add(model.return_)
    return out


def unbounded_cycles(graph: _Graph) -> list[list[Point]]:
    """Cycles on which no bound holds. A bound is void where the cycle passes a state that starts its count again.

    In each strongly connected component the edges whose bound cannot be undone inside of it are removed, until nothing
    changes: what is still a cycle then has no bound.
    """
    found: list[list[Point]] = []
    waiting: list[dict[Point, list[Point]]] = [graph.edges]
    while waiting:
        edges = waiting.pop()
        for group in components(edges):
            members = set(group)
            inner = {point: [target for target in edges[point] if target in members] for point in group}
            if len(group) == 1 and group[0] not in inner[group[0]]:
                continue
            entered = {name for name, part in group if part == "body"}
            kept = {
                point: [target for target in targets if not _holds(graph, point, target, entered)]
                for point, targets in inner.items()
            }
            if kept == inner:
                found.append(cycle_in(_ordered(group, graph.edges), inner))
            else:
                waiting.append(kept)
    return sorted(found)


def _holds(graph: _Graph, point: Point, target: Point, entered: Iterable[str]) -> bool:
    undone_by = graph.bounded.get((point, target))
    return undone_by is not None and not undone_by.intersection(entered)


def _ordered(group: Iterable[Point], edges: dict[Point, list[Point]]) -> list[Point]:
    order = {point: place for place, point in enumerate(edges)}
    return sorted(group, key=lambda point: order[point])
