"""What can be said about a flow before it takes a call: sizes, list lengths, invocations saved."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from sma_flows.compiler.graph import components
from sma_flows.compiler.overlaps import overlapping
from sma_flows.compiler.program import Arc, Node, Program
from sma_flows.compiler.resolved import ResolvedFlow
from sma_flows.compiler.speech import spoken_length
from sma_flows.compiler.uses import prompt_entries
from sma_flows.compiler.verbs import EFFECTS
from sma_flows.flow.fields import PromptItem
from sma_flows.flow.states import JoinMeetingState, PlayState, RecordState, RunState, SayState, WaitState, _Listening
from sma_flows.plan import QUEUE_BYTES

__all__ = ["MAX_ATTRIBUTES", "attributes_bytes", "facts_json", "sizes_of", "variable_bytes"]

MAX_ACTIONS: Final = 10
MAX_TEXT: Final = 1_000
MAX_PAUSE_MS: Final = 30_000
HEADER_BYTES: Final = 1_500
"""Position, answer number, fingerprint, flags, and the owners of ten actions (decision 3, docs/decisions/0005)."""
COUNTER_BYTES: Final = 12
ATTENDEE_BYTES: Final = 1_000
HOLD_BYTES: Final = 70
"""The ticket of a long hook, and until when its result is waited for."""
MAX_ATTRIBUTES: Final = 16_000
"""Compile error above this many bytes of attributes; the service's limit is 20 KB (decision 3)."""

_LIVE_BYTES: Final = {
    "call.user_to_user": 256,
    "bot.intent": 110,
    "bot.state": 30,
    "bot.slots": 1_000,
    "bot.attributes": 1_000,
    "key.digits": 24,
    "key.leg": 5,
}
_HEADER_VALUE_BYTES: Final = 256


def sizes_of(program: Program) -> dict[str, int]:
    """How many actions each state adds to a list, at most."""
    return {name: _size(node) for name, node in program.nodes.items()}


def _size(node: Node) -> int:
    model, flow = node.state.model, node.flow
    before = sum(_said(flow, getattr(model, name) or ()) for name in model.before)
    if isinstance(model, SayState):
        return before + _said(flow, model.say) * _legs(model.leg)
    if isinstance(model, PlayState):
        return before + _legs(model.leg) + bool(model.keys)
    if isinstance(model, WaitState):
        return before + min(MAX_ACTIONS, -(-model.wait // MAX_PAUSE_MS)) + bool(model.keys)
    if isinstance(model, RecordState):
        return before + 1 + bool(model.beep)
    if node.state.verb in ("gather", "menu"):
        return before + 1
    if node.kind in ("silent", "run"):
        return before
    keys = bool(isinstance(model, _Listening) and model.keys)
    return before + _legs(model.leg) + keys


def _legs(leg: str | None) -> int:
    return 2 if leg in ("both",) else 1


def _said(flow: ResolvedFlow, items: Collection[PromptItem]) -> int:
    """Actions for a run of prompts: neighbouring texts become one, up to 1,000 characters."""
    worst = 0
    for locale in flow.catalogue.locales if flow.catalogue else ("",):
        actions, text = 0, 0
        for item in items:
            entries = [entry for where, entry in prompt_entries(flow, item) if where in (locale, "*")]
            if entries and entries[0].kind == "audio":
                actions, text = actions + 1, 0
                continue
            length = max((spoken_length(flow, entry) for entry in entries), default=200)
            if not text or text + length > MAX_TEXT:
                actions += max(1, -(-length // MAX_TEXT))
                text = 0
            text += length + 1
        worst = max(worst, actions)
    return max(1, worst)


def variable_bytes(program: Program, name: str) -> int:
    """Most bytes of a saved variable with its name: JSON in a JSON string, ASCII."""
    if name in _LIVE_BYTES:
        return len(name) + 6 + _LIVE_BYTES[name]
    if name.startswith("header."):
        return len(name) + 6 + _HEADER_VALUE_BYTES
    prefix, _, own = name.rpartition("/")
    flow = program.flows.get(f"{prefix}/" if prefix else "")
    kind = flow.type_of(own) if flow else None
    if flow is not None and kind is not None and kind.kind == "text" and own in _tokens(flow):
        return len(name) + 6 + (kind.max or 0) + 4  # bearer tokens are ASCII (decision 3: 2,100 bytes each)
    return len(name) + 6 + (kind.worst_bytes if kind else 0)


def _tokens(flow: ResolvedFlow) -> set[str]:
    """The variables that hold the token of a meeting."""
    tokens = (state.model.token for state in flow.states.values() if isinstance(state.model, JoinMeetingState))
    return {str(token.args[0]) for token in tokens if token is not None and token.op == "var"}


def attributes_bytes(program: Program, kept: Mapping[str, frozenset[str]], always: Collection[str]) -> tuple[int, str]:
    """Worst size of the call's attributes, and the state where the call then rests."""
    fixed = HEADER_BYTES + _counters(program) + _specials(program)
    worst, where = fixed, program.start
    for name, names in kept.items():
        size = fixed + sum(variable_bytes(program, each) for each in names | set(always))
        if size > worst:
            worst, where = size, name
    return worst, where


def _counters(program: Program) -> int:
    """Bytes of all counters: every name once. Attempts of a question are counted only while it is asked."""
    twice = program.twice()
    names: set[str] = set()
    passing = 0
    for name, node in program.nodes.items():
        model = node.state.model
        if model.visits is not None:
            names.add(f"c:{node.prefix}{model.visits.counter}" if model.visits.counter else f"v:{name}")
            if node.state.verb in EFFECTS:  # and its serial, where the count begins anew
                names.add(f"n:{name}")
        elif name in twice and node.state.verb in EFFECTS:
            names.add(f"v:{name}")
        if isinstance(model, _Listening) and model.keys:
            names.add(f"k:{name}")
        if isinstance(model, RunState):
            names |= {f"l:{name}:{rule.outcome}" for rule in model.limit if rule.per == "call"}
        if node.state.verb in ("gather", "menu", "wait"):
            passing = max(passing, len(name) + COUNTER_BYTES)
    return passing + sum(len(name) + COUNTER_BYTES for name in names)


def _specials(program: Program) -> int:
    """What the runtime saves on its own: attendee, marks of things to undo, waiting updates."""
    verbs = {node.state.verb for node in program.nodes.values()}
    size = (ATTENDEE_BYTES if "join_meeting" in verbs else 0) + (HOLD_BYTES if "hold" in verbs else 0)
    for prefix, flow in program.flows.items():
        size += sum(len(prefix + name) + 5 for name, hook in flow.hooks.items() if hook.model.undo is not None)
    for name, update in program.outer.model.updates.items():
        if update.queue:
            each = len(name) + sum(kind.worst_bytes + len(arg) + 6 for arg, kind in update.takes.items())
            size += min(update.queue * each, QUEUE_BYTES)  # the runtime drops what does not fit into that
    return size


def longest_list(program: Program, sizes: Mapping[str, int]) -> int:
    """Actions of the longest list: states joined into one answer, at most ten."""
    joined = {
        name: tuple(arc.target for arc in node.arcs if _goes_on(node, arc)) if node.kind in ("joined", "silent") else ()
        for name, node in program.nodes.items()
    }
    length: dict[str, int] = {}
    for group in components(joined):
        looped = len(group) > 1 or group[0] in joined[group[0]]
        own = sum(sizes[name] for name in group)
        behind = max(
            (
                length[target]
                for name in group
                for target in joined[name]
                if target not in group and _joins(program, target)
            ),
            default=0,
        )
        for name in group:
            length[name] = MAX_ACTIONS if looped and own else own + behind
    return min(MAX_ACTIONS, max(length.values(), default=0))


def _goes_on(node: Node, arc: Arc) -> bool:
    """Whether the same list may go on behind an arc: what follows a failed action is a list of its own."""
    return arc.kind == "next" and (arc.outcome != "failed" or node.state.silent)


def _joins(program: Program, name: str) -> bool:
    return program.nodes[name].kind != "run"


def joined_states(program: Program) -> int:
    """How many states are heard without an invocation of their own, because they follow in the same list."""
    before = {
        arc.target
        for node in program.nodes.values()
        if node.kind == "joined"
        for arc in node.arcs
        if arc.kind == "next" and arc.outcome in ("done", "unchanged")
    }
    return sum(1 for name in before if not program.nodes[name].state.silent)


def facts_json(program: Program, kept: Mapping[str, frozenset[str]], always: Collection[str]) -> dict[str, Any]:
    """Facts of the plan. They are no part of its revision."""
    sizes = sizes_of(program)
    size, where = attributes_bytes(program, kept, always)
    joined = joined_states(program)
    note = [f"attributes are largest at '{where}'"]
    if joined:
        note.append(f"{joined} states follow in the list of the state before, each saves an invocation")
    overlaps = overlapping(program)
    return {
        **({"overlaps": overlaps} if overlaps else {}),
        "states": len(program.nodes),
        "longest_list": longest_list(program, sizes),
        "attributes_bytes": size,
        "joined": joined,
        "note": note,
    }
