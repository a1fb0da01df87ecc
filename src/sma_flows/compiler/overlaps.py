"""Where one answer can overwrite another: positions at which the world may be asked while something else arrives.

An event that takes a hook is answered late, and meanwhile a key or an update may arrive that starts from the same saved
call (decision 24). Of the two answers the service keeps the one that arrives last; what the other one changed is lost,
unless a journal tells them of each other. Whether both can happen at a position is a fact of the flow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sma_flows.compiler.verbs import EFFECTS
from sma_flows.flow.states import MuteState

if TYPE_CHECKING:
    from sma_flows.compiler.program import Node, Program

__all__ = ["overlapping", "positions"]


def overlapping(program: Program) -> list[list[str]]:
    """Pairs of a state that asks the world and what may arrive meanwhile: a key, an update, or a long hook's result."""
    return [list(pair) for pair in sorted({(asking, mover) for _, asking, mover in _found(program)})]


def positions(program: Program) -> list[str]:
    """The states at which a call may stand when that happens: there, and only there, answers go through the journal."""
    return sorted({position for position, _, _ in _found(program)})


def _found(program: Program) -> Iterator[tuple[str, str, str]]:
    """Position, state that asks, what may arrive meanwhile."""
    for name, node in program.nodes.items():
        if not _rests(node):
            continue
        movers = list(_movers(program, node))
        if not movers:
            continue
        for asking in sorted(_asking(program, node)):
            for mover in movers:
                yield name, asking, mover


def _asks(node: Node) -> bool:
    """Whether the state asks the world: a hook, a seat in a meeting, who else is in it."""
    model = node.state.model
    return node.state.verb in EFFECTS or (isinstance(model, MuteState) and model.who != "self")


def _rests(node: Node) -> bool:
    """Whether a call can stand at this state: it sends an action, or speaks before it does its silent work."""
    return node.kind in ("stop", "joined") or node.talks_first


def _behind(program: Program, node: Node) -> list[Node]:
    """The states whose keys and updates are taken while a call stands at *node*: itself, and what lasts behind it."""
    return [node] if node.state.listens else [program.nodes[base] for base in sorted(node.base)]


def _movers(program: Program, node: Node) -> Iterator[str]:
    """What can arrive at any time while a call stands at *node*, and is not the report of its own action."""
    behind = _behind(program, node)
    for base in behind:
        yield from (f"key {key} of {base.name}" for key in base.state.keys)
    here = {node.name, *(base.name for base in behind)}
    for name, update in program.outer.model.updates.items():
        if update.during is None or here & set(update.during):
            yield f"update {name}"
    if node.state.verb == "hold":
        yield f"the result of {node.name}"


def _asking(program: Program, node: Node) -> set[str]:
    """The states that ask the world in the answer to some event at *node*."""
    targets = [arc.target for arc in node.arcs if arc.kind != "resume"]
    behind = _behind(program, node)
    for base in behind:
        targets += [arc.target for arc in base.arcs if arc.kind in ("key", "update")]
    if node.talks_first and node.kind in ("run", "silent"):
        targets.append(node.name)  # its words were heard: now it does its work
    found: set[str] = set()
    seen: set[str] = set()
    waiting = targets
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        each = program.nodes[name]
        if _asks(each):
            found.add(name)
        if each.kind in ("run", "silent"):  # it sends nothing, so the same answer goes on
            waiting += [arc.target for arc in each.arcs if arc.kind == "next"]
        elif _asks(each):  # what it asked for it did not get
            waiting += [arc.target for arc in each.arcs if arc.kind == "next" and arc.outcome == "failed"]
    return found
