"""Which variables are still read: what each answer has to save, and the proof that no secret is saved.

A call rests at the state that owns the last action of the list that was sent. What is saved there is `keep`: everything
read on some way from that state, for each of three ways to go on:

* by an outcome, a key, an update, or because somebody is connected (`Live.out`);
* where the list was cut: the runtime stops collecting in front of a `run`, and where two actions could not be told
  apart or ten are reached. Silent states in front of the cut have run already, so what is live at the cut counts
  (`Live.cuts`);
* because an earlier action of the same list failed: what its `failed` leads to (`Live.failing`).

Decisions 3, 4, 13.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sma_flows.compiler.program import Arc, Node, Program, full
from sma_flows.compiler.resolved import NOTHING
from sma_flows.compiler.uses import names_read
from sma_flows.flow.states import JoinMeetingState, MuteState

__all__ = ["Live", "Pending", "always_kept", "keep_lists", "live", "pending"]

MAX_ACTIONS = 10
"""Most actions in one answer. Contract L2."""


@dataclass(frozen=True, slots=True)
class Live:
    """Live variables by state: when it is entered, and after its last action was sent."""

    into: Mapping[str, frozenset[str]]
    out: Mapping[str, frozenset[str]]


@dataclass(slots=True)
class Pending:
    """What may be waiting in the list when a state is entered.

    `owners` own its last action, `count` is its longest length, `sent` says of what kind its actions are and where
    each leads when it fails.
    """

    owners: set[str] = field(default_factory=set)
    count: int = 0
    sent: set[tuple[str, str]] = field(default_factory=set)
    fails: set[str] = field(default_factory=set)

    def add(self, other: Pending) -> bool:
        """Take over what another way to the same state brings; true if anything is new."""
        before = (len(self.owners), self.count, len(self.sent), len(self.fails))
        self.owners |= other.owners
        self.count = min(MAX_ACTIONS + 1, max(self.count, other.count))
        self.sent |= other.sent
        self.fails |= other.fails
        return before != (len(self.owners), self.count, len(self.sent), len(self.fails))


def live(program: Program, asks_again: Iterable[str] = ()) -> Live:
    """Solve liveness over the whole graph. `asks_again`: questions that the runtime itself repeats."""
    nodes = program.nodes
    into: dict[str, frozenset[str]] = dict.fromkeys(nodes, NOTHING)
    again = frozenset(asks_again)
    out = {name: node.reads if name in again else _armed(node) for name, node in nodes.items()}
    before: dict[str, set[str]] = {name: set() for name in nodes}
    for name, node in nodes.items():
        for arc in node.arcs:
            before[arc.target].add(name)
    waiting: dict[str, None] = dict.fromkeys(reversed(list(nodes)))
    while waiting:
        name, _ = waiting.popitem()
        node = nodes[name]
        after = out[name].union(*(_over(arc, into, out) for arc in node.arcs))
        entry = after | node.reads
        if after != out[name] or entry != into[name]:
            out[name], into[name] = after, entry
            waiting.update(dict.fromkeys(sorted(before[name])))
    return Live(into, out)


def _armed(node: Node) -> frozenset[str]:
    """The leg variable of background keys: they are registered when leg B is there, and again after every key."""
    model = node.state.model
    listen = getattr(model, "listen", "A") if getattr(model, "keys", None) else "A"
    return frozenset((node.prefix + listen,)) - {node.prefix + leg for leg in ("A", "B", "both")}


def _over(arc: Arc, into: Mapping[str, frozenset[str]], out: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """What an arc needs where it starts. Going on with a bridge or meeting needs what its rest needs."""
    needs = out[arc.target] if arc.kind == "resume" else into[arc.target]
    return (needs - arc.sets) | arc.reads


def pending(program: Program, sizes: Mapping[str, int]) -> dict[str, Pending]:
    """What may be waiting in the list in front of each state. `sizes` counts the actions of each state."""
    found = {name: Pending() for name in program.nodes}
    waiting: dict[str, None] = dict.fromkeys(reversed(list(program.nodes)))
    while waiting:
        name, _ = waiting.popitem()
        node = program.nodes[name]
        given = _after(node, found[name], sizes.get(name, 1))
        for arc in node.arcs:
            hands_on = given
            if arc.outcome == "exhausted" and not needs_quiet(node):
                hands_on = found[name]  # a used-up state is passed through, whatever its verb
            elif arc.outcome == "failed" and not node.state.silent:
                hands_on = None  # what follows a failed action is a list of its own
            if arc.kind == "next" and hands_on is not None and hands_on.owners and found[arc.target].add(hands_on):
                waiting[arc.target] = None
    return found


def _after(node: Node, before: Pending, size: int) -> Pending | None:
    """What a state hands on in the list that is being collected; None if nothing is waiting behind it."""
    if node.kind == "stop" or (node.kind == "run"):
        return None
    if node.kind == "silent" and not node.talks_first:
        return before if before.owners else None
    failed = node.state.edges.get("failed")
    target = failed.target if failed else ""
    return Pending(
        {node.name},
        before.count + size,
        before.sent | {(node.state.verb, target)},
        before.fails | ({node.prefix + target} if target else set()),
    )


def needs_quiet(node: Node) -> bool:
    """Whether the runtime sends what is waiting before it goes on with this state: an effect follows."""
    model = node.state.model
    if isinstance(model, MuteState):
        return model.who != "self"
    return node.state.verb in ("run", "hold") or (isinstance(model, JoinMeetingState) and model.token is None)


def keep_lists(
    program: Program, solved: Live, waits: Mapping[str, Pending], sizes: Mapping[str, int]
) -> dict[str, frozenset[str]]:
    """What is saved when the call rests at each state that sends actions."""
    nodes = program.nodes
    keep = {name: set(solved.out[name]) for name, node in nodes.items() if not node.state.silent}
    for name, node in nodes.items():
        before = waits[name]
        if node.talks_first and node.kind == "run":
            keep[name] |= solved.into[name]
        if not before.owners:
            continue
        if not node.state.silent:
            for target in before.fails:
                keep[name] |= solved.into.get(target, NOTHING)
        if needs_quiet(node) or _may_be_cut(node, before, sizes.get(name, 1)):
            for owner in before.owners:
                keep[owner] |= solved.into[name]
        if node.state.silent:
            for arc in node.arcs:
                if arc.kind in ("back", "resume"):
                    for owner in before.owners:
                        keep[owner] |= _over(arc, solved.into, solved.out)
    return {name: frozenset(names) for name, names in keep.items()}


def _may_be_cut(node: Node, before: Pending, size: int) -> bool:
    """Whether the list in front of a state that sends actions may have to be sent first."""
    if node.state.silent:
        return False
    failed = node.state.edges.get("failed")
    target = failed.target if failed else ""
    alike = any(verb == node.state.verb and other != target for verb, other in before.sent)
    return alike or before.count + size > MAX_ACTIONS


def always_kept(program: Program) -> dict[str, tuple[str, ...]]:
    """What is saved at every point of the call, with who needs it: `cleanup`, `undo`, `when` of updates."""
    needed: dict[str, list[str]] = {}

    def note(who: str, names: Iterable[str], prefix: str = "") -> None:
        for name in names:
            if name.startswith(("header.", "bot.", "key.", "call.")) or "." not in name:
                needed.setdefault(full(prefix, name), []).append(who)

    outer = program.outer
    for index, item in enumerate(outer.model.cleanup):
        for arg in item.run.args:
            note(f"cleanup:{index}", names_read(arg))
        if item.when is not None:
            note(f"cleanup:{index}", names_read(item.when))
    for prefix, flow in program.flows.items():
        for name, hook in flow.hooks.items():
            if hook.model.undo is not None:
                for arg in hook.model.undo.args:
                    note(f"undo:{prefix}{name}", names_read(arg), prefix)
    for name, update in outer.model.updates.items():
        if update.when is not None:
            note(f"update:{name}", (read for read in names_read(update.when) if read not in update.takes))
    known = {prefix + name for prefix, flow in program.flows.items() for name in flow.variables}
    return {name: tuple(who) for name, who in sorted(needed.items()) if "." in name or name in known}
