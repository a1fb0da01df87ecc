"""One flow together with the sub-flows it uses, as one graph with full names: what liveness and lowering work on.

Sub-flows are entered by `use` and left by `return`; each is in the graph once, however often it is used, so a `return`
leads to the followers of every `use` of its flow (context-insensitive). Names of a sub-flow get the prefix
`<sub-flow name>/`, those of the outer flow none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from sma_flows.compiler.graph import in_cycles
from sma_flows.compiler.resolved import NOTHING, ResolvedFlow, ResolvedState
from sma_flows.compiler.uses import state_reads
from sma_flows.compiler.verbs import CONNECTING, JOINED, SILENT
from sma_flows.flow.states import RecordCallState, ReturnState, UseState

_BACK: Final = "back"

__all__ = ["Arc", "ArcKind", "Node", "NodeKind", "Program", "build_program"]

ArcKind: TypeAlias = Literal["next", "key", "connected", "update", "back", "resume"]
"""How a state is left: by an outcome, by a background key, when connected, by an update; `back` starts a listening
state again, `resume` goes on with a bridge or meeting without doing anything."""

NodeKind: TypeAlias = Literal["stop", "joined", "silent", "run"]
"""stop: its answer ends the list. joined: others may follow in the same list. silent: no action. run: no action, and
waits until everything in front of it was heard."""


@dataclass(frozen=True, slots=True)
class Arc:
    """One way from a state to another. `sets` are overwritten on the way, `reads` are read on the way."""

    target: str
    outcome: str
    kind: ArcKind = "next"
    sets: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()


@dataclass(slots=True)
class Node:
    """One state of the whole call. `base`: the listening states that `back` may lead to from here."""

    name: str
    state: ResolvedState
    flow: ResolvedFlow
    prefix: str
    kind: NodeKind
    talks_first: bool
    reads: frozenset[str]
    arcs: list[Arc] = field(default_factory=list)
    base: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Program:
    """The whole graph, and the flows in it by prefix (the outer flow under "")."""

    outer: ResolvedFlow
    flows: Mapping[str, ResolvedFlow]
    nodes: Mapping[str, Node]
    start: str
    memo: dict[str, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)

    def twice(self) -> frozenset[str]:
        """The states that a call may come to more than once."""
        found = self.memo.get("twice")
        if found is None:
            found = self.memo["twice"] = frozenset(in_cycles(self.edges()))
        return found

    def edges(self) -> dict[str, tuple[str, ...]]:
        """Followers of every node, for graph algorithms."""
        return {name: tuple(dict.fromkeys(arc.target for arc in node.arcs)) for name, node in self.nodes.items()}


def flows_of(outer: ResolvedFlow) -> dict[str, ResolvedFlow]:
    """The flow and every sub-flow below it, by prefix."""
    found = {"": outer}
    waiting = [outer]
    for flow in waiting:
        for name, sub in flow.subflows.items():
            if f"{name}/" not in found:
                found[f"{name}/"] = sub
                waiting.append(sub)
    return found


def kind_of(state: ResolvedState) -> NodeKind:
    """How the state behaves in an action list (interfaces of the runtime; contract E2, E3)."""
    if state.verb == "run":
        return "run"
    if state.verb in SILENT:
        return "silent"
    if state.verb in JOINED and not state.listens and not _waits_for_result(state):
        return "joined"
    return "stop"


def _waits_for_result(state: ResolvedState) -> bool:
    return isinstance(state.model, RecordCallState) and state.model.into is not None


def build_program(outer: ResolvedFlow) -> Program:
    """The graph of a resolved flow. Edges to states that do not exist are left out."""
    flows = flows_of(outer)
    nodes: dict[str, Node] = {}
    for prefix, flow in flows.items():
        for name, state in flow.states.items():
            reads = frozenset(full(prefix, read) for read in state_reads(flow, state))
            nodes[prefix + name] = Node(
                prefix + name, state, flow, prefix, kind_of(state), state.talks_first, reads, []
            )
    program = Program(outer, flows, nodes, outer.model.start)
    users = [node for node in nodes.values() if node.state.verb == "use"]
    for node in nodes.values():
        node.arcs = [arc for arc in _arcs(node, program, users) if arc.target in nodes]
    _bases(program)
    _updates(program)
    for node in nodes.values():
        node.arcs = [each for arc in node.arcs for each in _back(node, arc, nodes)]
    return program


def full(prefix: str, name: str) -> str:
    """The name of a variable in the whole call; live values such as `bot.slots` belong to the call."""
    return name if "." in name else prefix + name


def _fulls(prefix: str, names: Iterable[str]) -> frozenset[str]:
    return frozenset(full(prefix, name) for name in names)


def _arcs(node: Node, program: Program, users: list[Node]) -> Iterator[Arc]:
    state, prefix = node.state, node.prefix
    if state.verb == "return":
        yield from _returns(node, users)
    if state.verb == "use":
        yield from _enter(node, program)
    for outcome, edge in state.edges.items():
        if state.verb == "use" and outcome != "failed":
            continue  # the `return` states of the sub-flow lead there
        sets = _fulls(prefix, state.sets.get(outcome, NOTHING))
        if edge.target == "back":
            yield Arc(node.name, outcome, _BACK, sets)
        else:
            yield Arc(prefix + edge.target, outcome, "next", sets)
        if outcome == "failed" and edge.source != "own" and state.aside:
            yield Arc(node.name, outcome, _BACK, sets)
    pressed = frozenset(("key.digits", "key.leg"))
    for key, edge in state.keys.items():
        yield Arc(prefix + edge.target, key, "key", pressed)
    if state.connected is not None:
        yield Arc(prefix + state.connected.target, "connected", "connected")


def _enter(node: Node, program: Program) -> Iterator[Arc]:
    model = node.state.model
    sub = node.flow.subflows.get(model.use) if isinstance(model, UseState) else None
    if sub is None:
        return
    inside = f"{sub.name}/"
    start = inside + sub.model.start
    if start in program.nodes:
        yield Arc(start, "use", "next", _fulls(inside, sub.variables))


def _returns(node: Node, users: list[Node]) -> Iterator[Arc]:
    model = node.state.model
    outcome = model.return_ if isinstance(model, ReturnState) else ""
    for user in users:
        if not isinstance(user.state.model, UseState) or f"{user.state.model.use}/" != node.prefix:
            continue
        edge = user.state.edges.get(outcome)
        if edge is None:
            continue
        results = user.state.results.get(outcome, {})
        arc = Arc(
            user.prefix + edge.target,
            outcome,
            "next",
            _fulls(user.prefix, results.values()),
            _fulls(node.prefix, (result for result, variable in results.items() if variable)),
        )
        yield Arc(user.name, outcome, _BACK, arc.sets, arc.reads) if edge.target == "back" else arc


def _bases(program: Program) -> None:
    """For each node, the listening states that were the last ones to listen on some way to it.

    Key handlers and `connected` belong to the state they come from. A sub-flow gives the base of its user back when it
    returns, so a `use` is passed through.
    """
    nodes = program.nodes
    bases: dict[str, set[str]] = {name: set() for name in nodes}
    waiting = list(nodes)
    while waiting:
        node = nodes[waiting.pop()]
        for arc in node.arcs:
            if arc.kind == _BACK or (node.state.verb == "return"):
                continue
            target = nodes[arc.target]
            entering = node.state.verb == "use" and arc.outcome == "use"
            give = {node.name} if node.state.listens else set() if entering else bases[node.name]
            if not give <= bases[target.name]:
                bases[target.name] |= give
                waiting.append(target.name)
        if node.state.verb == "use":
            for edge in node.state.edges.values():
                target_name = node.prefix + edge.target
                if target_name in nodes and not bases[node.name] <= bases[target_name]:
                    bases[target_name] |= bases[node.name]
                    waiting.append(target_name)
    for name, node in nodes.items():
        node.base = frozenset(bases[name])


def _updates(program: Program) -> None:
    """Updates lead from every state during which they are accepted; their asides go back to what listened there."""
    outer, nodes = program.outer, program.nodes
    for name, update in outer.model.updates.items():
        target = outer.updates[name].target
        if target not in nodes:
            continue
        during = set(nodes) if update.during is None else set(update.during) & set(nodes)
        resting = [node for each, node in nodes.items() if each in during and not node.state.silent]
        taken = frozenset(update.takes)
        bases: set[str] = set()
        for node in resting:
            node.arcs.append(Arc(target, name, "update", taken))
            bases |= {node.name} if node.state.listens else node.base
        _spread(nodes, target, frozenset(bases))


def _spread(nodes: Mapping[str, Node], start: str, bases: frozenset[str]) -> None:
    """Add bases to an aside and everything behind it up to the next state that listens."""
    waiting, seen = [start], {start}
    while waiting:
        node = nodes[waiting.pop()]
        node.base |= bases
        if node.state.listens:
            continue
        for arc in node.arcs:
            if arc.kind == "next" and arc.target not in seen:
                seen.add(arc.target)
                waiting.append(arc.target)


def _back(node: Node, arc: Arc, nodes: Mapping[str, Node]) -> Iterator[Arc]:
    """`back` as arcs to every state it may return to."""
    if arc.kind != _BACK:
        yield arc
        return
    for base in sorted(node.base):
        kind: ArcKind = "resume" if nodes[base].state.verb in CONNECTING else _BACK
        yield Arc(base, arc.outcome, kind, arc.sets, arc.reads)
