"""Our own reading of a flow's source: what defaults, retries, visits and built-in answers add to each state.

Nothing here may come from the compiler's lowering or from the edges the resolver filled in: two readings that share
their mistakes cannot check each other (decision 38).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sma_flows.compiler.resolved import ResolvedFlow

__all__ = ["BACK", "CONVERSATION", "HANGUP", "RINGING", "Node", "expand"]

RINGING: Final = "(ringing)"
"""The state before the first one. Parentheses cannot occur in an author's name."""
HANGUP: Final = "hangup"
BACK: Final = "back"

# Outcomes of each verb, main outcome first (language reference, section 4).
_OUTCOMES: Final[dict[str, tuple[str, ...]]] = {
    "say": ("done", "failed"),
    "play": ("done", "failed"),
    "gather": ("done", "no_input", "no_match", "failed"),
    "menu": ("no_input", "no_match", "failed"),
    "record": ("recorded", "failed"),
    "record_call": ("done", "unchanged", "failed"),
    "bridge": ("ended", "no_answer", "refused", "failed"),
    "join_meeting": ("left", "failed"),
    "mute": ("done", "failed"),
    "bot": ("other", "failed"),
    "voice_focus": ("done", "failed"),
    "send_digits": ("done", "failed"),
    "wait": ("done",),
    "run": ("limited", "failed"),
    "choose": ("other",),
    "schedule": ("closed",),
    "take": ("taken", "empty"),
    "set": ("done",),
    "use": ("failed",),
    "return": (),
    "hangup": (),
}
# Answers that the language gives by itself: hang up, or do as for another outcome of the same state.
_BUILT_IN: Final[dict[tuple[str, str], str]] = {
    ("bridge", "ended"): HANGUP,
    ("join_meeting", "left"): HANGUP,
    ("bridge", "refused"): "= failed",
    ("record_call", "unchanged"): "= done",
}
_LISTENING: Final = frozenset({"gather", "menu", "record", "bot", "bridge", "join_meeting"})
CONVERSATION: Final = frozenset({"bridge", "join_meeting"})
_FINAL: Final = frozenset({"hangup", "return"})


@dataclass(frozen=True, slots=True)
class Node:
    """One state with everything that defaults, retries and visits add to it.

    ``edges`` maps each outcome to a target: a full state name (``sub-flow/state`` inside a sub-flow), ``hangup`` or
    ``back``. ``own`` are the outcomes that the state itself answers. ``attempts`` counts how often a question is put in
    all. ``limits`` maps a hook's outcome to the number after which it becomes ``limited``.
    """

    name: str
    verb: str
    edges: dict[str, str]
    own: frozenset[str] = frozenset()
    keys: dict[str, str] = field(default_factory=dict)
    connected: str = ""
    attempts: int = 1
    visits: int = 0
    counter: str = ""
    resets: tuple[str, ...] = ()
    limits: dict[str, int] = field(default_factory=dict)
    enters: str = ""
    returns: str = ""
    frees: bool = False

    @property
    def listens(self) -> bool:
        """Whether ``back`` can lead here."""
        return self.verb in _LISTENING or bool(self.keys)

    @property
    def last(self) -> bool:
        """Whether the call ends here."""
        return self.verb == "hangup" and not self.frees


def expand(flow: ResolvedFlow) -> tuple[Node, ...]:
    """The states of *flow* and of every sub-flow below it, with what defaults, retries and visits add to each.

    Raises:
        ValueError: a state leaves an outcome without an answer; such a flow does not compile either.
    """
    flows: dict[str, ResolvedFlow] = {"": flow}
    todo = [flow]
    while todo:
        for sub in todo.pop().subflows.values():
            if f"{sub.name}/" not in flows:
                flows[f"{sub.name}/"] = sub
                todo.append(sub)
    return tuple(
        _node(part, prefix, name, state, name in asides)
        for prefix, part in flows.items()
        for asides in [_asides(part)]
        for name, state in part.model.states.items()
    )


def _asides(flow: ResolvedFlow) -> set[str]:
    """States that run while a bridge or meeting goes on: there a failure that nobody answers goes back."""
    states = flow.model.states
    todo = [update.next for update in flow.model.updates.values()]
    for state in states.values():
        if state.verb in CONVERSATION:
            todo += [*getattr(state, "keys", {}).values(), getattr(state, "connected", None) or ""]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name in states and name not in found:
            found.add(name)
            todo += states[name].next.values()
    return found


def _node(flow: ResolvedFlow, prefix: str, name: str, state: Any, aside: bool) -> Node:
    verb: str = state.verb
    visits = _visits(state)
    outcomes = list(_outcomes(flow, state))
    if verb == "hangup" and state.leg == "B":
        outcomes.append("done")
    if state.before and "failed" not in outcomes:
        outcomes.append("failed")
    if visits is not None:
        outcomes.append("exhausted")
    if verb == "run" and not state.limit:
        outcomes.remove("limited")
    said = {outcome or outcomes[0]: target for outcome, target in state.next.items()}
    if verb == "menu":
        said.update(state.keys)
    edges: dict[str, str] = {}
    for outcome in outcomes:
        target = said.get(outcome)
        if target is None and verb in _FINAL and outcome == "failed":
            target = HANGUP  # words in front of an end that cannot be said do not prevent it
        target = target or flow.model.defaults.next.get(outcome) or _BUILT_IN.get((verb, outcome))
        if target is None and aside and outcome == "failed":
            target = BACK
        if target is not None:
            edges[outcome] = target
    for outcome, target in edges.items():
        if target.startswith("= "):
            edges[outcome] = edges.get(target[2:], "")
    missing = [outcome for outcome in outcomes if not edges.get(outcome)]
    if missing:
        raise ValueError(f"state '{prefix}{name}' does not answer {', '.join(missing)}")
    retry = getattr(state, "retry", None) or flow.model.defaults.retry
    keys = dict(getattr(state, "keys", {}))
    connected = getattr(state, "connected", None) or ""
    return Node(
        name=prefix + name,
        verb=verb,
        edges={outcome: _full(prefix, target) for outcome, target in edges.items() if target},
        own=frozenset(said),
        keys={key: _full(prefix, target) for key, target in keys.items()},
        connected=_full(prefix, connected) if connected else "",
        attempts=retry.times + 1 if retry is not None and verb in ("gather", "menu") else 1,
        visits=visits.n if visits is not None else 0,
        counter=prefix + (visits.counter or name) if visits is not None else "",
        resets=tuple(_resets(flow, prefix, name)),
        limits={rule.outcome: rule.max for rule in getattr(state, "limit", ()) if rule.per == "call"},
        enters=f"{state.use}/{flow.subflows[state.use].model.start}" if verb == "use" else "",
        returns=state.return_ if verb == "return" else "",
        frees=verb == "hangup" and state.leg == "B",
    )


def _visits(state: Any) -> Any:
    """How often a state may be entered; on a conversation with keys the word bounds how often keys are heard."""
    return None if state.verb in CONVERSATION and getattr(state, "keys", None) else state.visits


def _full(prefix: str, target: str) -> str:
    return target if target in (HANGUP, BACK) else prefix + target


def _resets(flow: ResolvedFlow, prefix: str, name: str) -> Iterator[str]:
    """Counters that start again when the state called *name* is entered."""
    for other, state in flow.model.states.items():
        visits = _visits(state)
        if visits is not None and visits.since == name:
            yield prefix + (visits.counter or other)


def _never_closed(flow: ResolvedFlow, state: Any) -> bool:
    answers = flow.model.defaults.next
    return "closed" not in answers and "closed" not in flow.model.schedules[state.schedule].periods


def _outcomes(flow: ResolvedFlow, state: Any) -> tuple[str, ...]:
    """Every outcome of a state's verb in this flow, main outcome first."""
    verb: str = state.verb
    fixed = _OUTCOMES[verb]
    if verb == "menu":
        return (*state.keys, *fixed)
    if verb == "bot":
        return ("other", *state.intents, "failed")
    if verb == "run":
        return (*flow.hooks[state.run.name].outcomes, *fixed)
    if verb == "choose":
        cases = state.choose if isinstance(state.choose, dict) else state.next
        return (*(case for case in cases if case not in ("", "other", "exhausted")), *fixed)
    if verb == "schedule":
        periods = flow.model.schedules[state.schedule].periods
        # Periods that cover the whole week leave no time that is closed; then nobody needs to answer it.
        named = tuple(name for name in periods if name != "closed")
        return named if "closed" not in state.next and _never_closed(flow, state) else (*named, *fixed)
    if verb == "use":
        return (*flow.subflows[state.use].model.outcomes, *fixed)
    return fixed
