"""Second pass: what every name of a flow means, which outcomes each state has, and where each of them leads.

Nothing is reported here: a name that means nothing leaves a gap (an outcome without edge, a variable that does not
exist), and the rules say so. Only what would make resolving impossible, sub-flows that use each other, is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from sma_flows.compiler.graph import reach
from sma_flows.compiler.resolved import (
    Edge,
    ResolvedFlow,
    ResolvedHook,
    ResolvedState,
    Variable,
)
from sma_flows.compiler.schedules import covers_week
from sma_flows.compiler.verbs import AS_OTHER, ASIDE_VERBS, BUILT_IN, CONNECTING, OUTCOMES
from sma_flows.flow.expressions import Expr
from sma_flows.flow.model import FlowModel, HookModel
from sma_flows.flow.nodes import Document
from sma_flows.flow.prompts import Catalogue
from sma_flows.flow.states import (
    BotState,
    BridgeState,
    ChooseState,
    GatherState,
    HangupState,
    JoinMeetingState,
    MenuState,
    RecordCallState,
    RecordState,
    RunState,
    ScheduleState,
    SetState,
    State,
    StateBase,
    TakeState,
    UseState,
    _Listening,
)
from sma_flows.flow.types import Type, parse_type
from sma_flows.hooks.builtin import BUILTINS

__all__ = ["FINAL", "choices_of", "resolve_flow", "variables_of"]

FINAL: Final = frozenset(("hangup", "return"))
"""Verbs that take no `next`."""

_COMMON: Final = frozenset(("failed", "exhausted", "other"))
BOT_RESULTS: Final = frozenset(("bot.intent", "bot.state", "bot.slots", "bot.attributes"))
_KNOWN_WORDS: Final[Mapping[tuple[str, ...], tuple[str, ...]]] = {
    ("call", "direction"): ("inbound", "outbound"),
    ("call", "ended_by"): ("caller", "callee", "flow", "network"),
    ("call", "answered"): ("true", "false"),
    ("key", "leg"): ("A", "B"),
}


LONG_BUDGET_MS = 60_000
"""Longest work of a hook outside the call, where it does not say so itself."""


def resolve_flow(
    model: FlowModel,
    document: Document,
    catalogue: Catalogue | None,
    catalogue_document: Document | None,
    subflows: Mapping[str, ResolvedFlow],
) -> ResolvedFlow:
    """Resolve one flow whose sub-flows are resolved already. `subflows` holds those it uses directly, by name."""
    hooks = {name: _hook(name, hook, document) for name, hook in model.hooks.items()}
    variables = {each.name: each for each in reversed(list(variables_of(model, document, hooks, subflows)))}
    flow = ResolvedFlow(
        name=model.name,
        entry=model.entry,
        model=model,
        document=document,
        catalogue=catalogue,
        catalogue_document=catalogue_document,
        variables=dict(reversed(variables.items())),
        hooks=hooks,
        states={},
        updates={
            name: Edge(update.next, "own", document.span(("updates", name, "next")))
            for name, update in model.updates.items()
        },
        subflows=dict(subflows),
    )
    states = {name: _state(name, state, flow) for name, state in model.states.items()}
    return replace(flow, states=_contexts(flow, states))


def _hook(name: str, model: HookModel, document: Document) -> ResolvedHook:
    span = document.span(("hooks", name), key=True)
    builtin = BUILTINS.get(model.builtin) if model.builtin else None
    if builtin is None:
        budget = model.budget if "budget" in model.model_fields_set or model.long == "false" else LONG_BUDGET_MS
        return ResolvedHook(name, model, span, model.results, model.effect, budget)
    given = {result: parse_type(text) for result, text in builtin.gives.items()}
    given.update(model.gives)
    outcomes = {outcome: given if outcome == builtin.main else {} for outcome in builtin.outcomes}
    count = len(builtin.args) + (len(model.fields_) if builtin.fields else 0)
    stated = model.model_fields_set
    return ResolvedHook(
        name,
        model,
        span,
        outcomes,
        model.effect if "effect" in stated else builtin.effect,
        model.budget if "budget" in stated else builtin.budget_ms,
        count,
        count,
    )


def variables_of(
    model: FlowModel,
    document: Document,
    hooks: Mapping[str, ResolvedHook],
    subflows: Mapping[str, ResolvedFlow],
) -> Iterator[Variable]:
    """Every declaration of a variable, also repeated ones: `vars`, `inputs`, results of hooks and sub-flows, arguments
    of updates. The first one of a name counts.
    """
    for name, kind in model.vars.items():
        yield Variable(name, kind, document.span(("vars", name), key=True), "var")
    for name, kind in model.inputs.items():
        yield Variable(name, kind, document.span(("inputs", name), key=True), "input")
    for name, kind in model.gives.items():
        if name not in model.vars and name not in model.inputs:
            yield Variable(name, kind, document.span(("gives", name), key=True), "result")
    for name, update in model.updates.items():
        for argument, kind in update.takes.items():
            yield Variable(argument, kind, document.span(("updates", name, "takes", argument), key=True), "argument")
    for name, state in model.states.items():
        if isinstance(state, RunState) and (hook := hooks.get(state.run.name)) is not None:
            for result, variable in _stored(hook.results, state.into).items():
                if variable == result:
                    where = ("hooks", hook.name, "gives", result)
                    if hook.model.gives.get(result) is None:
                        owner = next(outcome for outcome, results in hook.outcomes.items() if result in results)
                        where = ("hooks", hook.name, "outcomes", owner, result)  # type: ignore[assignment]
                    yield Variable(variable, hook.results[result], document.span(where, key=True), "result")
        if isinstance(state, UseState) and (sub := subflows.get(state.use)) is not None:
            for result, variable in _stored(sub.model.gives, state.into).items():
                if variable == result:
                    span = document.span(("states", name, "use"))
                    yield Variable(variable, sub.model.gives[result], span, "result")


def _stored(results: Mapping[str, Type], into: Mapping[str, str]) -> dict[str, str]:
    """Which variable takes which result: those named in `into`, the others under their own name."""
    renamed = {result: variable for variable, result in into.items()}
    return {result: renamed.get(result, result) for result in results}


def _state(name: str, model: State, flow: ResolvedFlow) -> ResolvedState:
    outcomes = _outcomes(model, flow)
    keys: dict[str, Edge] = {}
    connected = None
    path = ("states", name)
    if isinstance(model, _Listening):
        keys = {key: Edge(to, "own", flow.span(*path, "keys", key)) for key, to in model.keys.items()}
    if isinstance(model, BridgeState | JoinMeetingState) and model.connected is not None:
        connected = Edge(model.connected, "own", flow.span(*path, "connected"))
    state = ResolvedState(
        name=name,
        verb="hold" if isinstance(model, RunState) and model.while_ is not None else model.verb,
        model=model,
        span=flow.span(*path, key=True),
        outcomes=outcomes,
        edges={},
        keys=keys,
        connected=connected,
        sets={},
        results=_results(model, flow),
    )
    return replace(state, edges=_edges(state, flow), sets=_sets(state, flow))


def _outcomes(model: State, flow: ResolvedFlow) -> tuple[str, ...]:
    """The outcomes of a state, main one first where there is one (language reference, section 4)."""
    own: tuple[str, ...] = ()
    fixed = OUTCOMES[model.verb]
    if isinstance(model, MenuState):
        own = tuple(model.keys)
    elif isinstance(model, BotState):
        own, fixed = ("other", *model.intents), ("failed",)
    elif isinstance(model, RunState):
        hook = flow.hooks.get(model.run.name)
        own = tuple(hook.outcomes) if hook else tuple(name for name in model.next if name) or ("done",)
        fixed = ("limited", "failed") if model.limit else ("failed",)
    elif isinstance(model, ChooseState):
        own = _choices(model, flow)
    elif isinstance(model, ScheduleState):
        schedule = flow.model.schedules.get(model.schedule)
        own = tuple(schedule.periods) if schedule else tuple(name for name in model.next if name)
        if schedule and covers_week(schedule):
            fixed = ()
    elif isinstance(model, UseState):
        sub = flow.subflows.get(model.use)
        own = sub.model.outcomes if sub else tuple(name for name in model.next if name)
    elif isinstance(model, HangupState) and model.leg == "B":
        own = ("done",)
    found = dict.fromkeys((*own, *fixed))
    if counts_entries(model):
        found["exhausted"] = None
    if model.before:
        found["failed"] = None
    return tuple(found)


def counts_entries(model: StateBase) -> bool:
    """Whether `visits` bounds how often the state is entered. On a bridge or meeting with keys it bounds the keys."""
    return model.visits is not None and not (model.verb in CONNECTING and bool(getattr(model, "keys", None)))


def _choices(model: ChooseState, flow: ResolvedFlow) -> tuple[str, ...]:
    """The outcomes of a `choose` besides `other`, which by value also stands for words that `next` leaves out."""
    known = choices_of(model, flow)
    if isinstance(model.choose, dict):
        return known
    named = tuple(name for name in model.next if name not in ("", "other", "exhausted", "failed"))
    if not known:
        return named
    return tuple(word for word in known if word in named) if "other" in model.next else known


def choices_of(model: ChooseState, flow: ResolvedFlow) -> tuple[str, ...]:
    """The values or cases that a `choose` tells apart, () when its value may be anything."""
    if isinstance(model.choose, dict):
        return tuple(model.choose)
    value: Expr = model.choose
    if value.op == "var" and len(value.args) == 1:
        kind = flow.type_of(str(value.args[0]))
        if kind is None:
            return ()
        if kind.kind == "boolean":
            return ("true", "false")
        if kind.kind == "leg":
            return ("A", "B")
        if kind.kind == "locale":
            return tuple(flow.catalogue.locales) if flow.catalogue else ()
        return kind.words
    if (value.op, *value.args) == ("call", "locale"):
        return tuple(flow.catalogue.locales) if flow.catalogue else ()
    return _KNOWN_WORDS.get((value.op, *map(str, value.args)), ())


def _edges(state: ResolvedState, flow: ResolvedFlow) -> dict[str, Edge]:
    """Who answers each outcome: the state, then `defaults.next`, then the language."""
    model, edges = state.model, dict[str, Edge]()
    own = dict(model.next)
    if "" in own and state.outcomes and not isinstance(model, MenuState):
        own[state.outcomes[0]] = own.pop("")
    for outcome in state.outcomes:
        if isinstance(model, MenuState) and outcome in model.keys:
            edges[outcome] = Edge(model.keys[outcome], "own", flow.span(*state.path, "keys", outcome))
        elif outcome in own:
            edges[outcome] = Edge(own[outcome], "own", flow.span(*state.path, "next", outcome))
        elif state.verb in FINAL and outcome == "failed":
            edges[outcome] = Edge("hangup", "builtin", state.span)
        elif outcome in flow.model.defaults.next and not (isinstance(model, ChooseState) and outcome not in _COMMON):
            # The cases of a `choose` are its own words, even where one is called like an outcome of another verb.
            edges[outcome] = Edge(flow.model.defaults.next[outcome], "defaults", flow.span("defaults", "next", outcome))
        elif (state.verb, outcome) in BUILT_IN:
            edges[outcome] = Edge(BUILT_IN[state.verb, outcome], "builtin", state.span)
    for (verb, outcome), other in AS_OTHER.items():
        if verb == state.verb and outcome not in edges and other in edges:
            edges[outcome] = Edge(edges[other].target, "builtin", edges[other].span)
    return {outcome: edges[outcome] for outcome in state.outcomes if outcome in edges}


def _results(model: State, flow: ResolvedFlow) -> dict[str, Mapping[str, str]]:
    """By outcome: which result of the hook or sub-flow goes into which variable."""
    if isinstance(model, RunState) and (hook := flow.hooks.get(model.run.name)) is not None:
        return {outcome: _stored(results, model.into) for outcome, results in hook.outcomes.items()}
    if isinstance(model, UseState) and (sub := flow.subflows.get(model.use)) is not None:
        stored = _stored(sub.model.gives, model.into)
        return dict.fromkeys(sub.model.outcomes, stored)
    return {}


def _sets(state: ResolvedState, flow: ResolvedFlow) -> dict[str, frozenset[str]]:
    """By outcome: which variables are overwritten (also with unset) when it is taken."""
    model = state.model
    if isinstance(model, GatherState):
        return {"done": frozenset((model.gather,))}
    if isinstance(model, MenuState):
        return dict.fromkeys(model.keys, frozenset(("key.digits", "key.leg")))
    if isinstance(model, RecordState):
        return {"recorded": frozenset((model.record,))}
    if isinstance(model, RecordCallState) and model.into:
        return {"done": frozenset((model.into,))}
    if isinstance(model, TakeState):
        return {"taken": frozenset((model.take.variable,))}
    if isinstance(model, SetState):
        return {"done": frozenset(name for name in model.set if "." not in name)}
    if isinstance(model, BotState):
        told = BOT_RESULTS | frozenset(model.into)
        return {outcome: told for outcome in state.outcomes if outcome not in ("failed", "exhausted")}
    if isinstance(model, RunState) and (hook := flow.hooks.get(model.run.name)) is not None:
        stored = frozenset(_stored(hook.results, model.into).values())
        return dict.fromkeys(hook.outcomes, stored)
    if isinstance(model, UseState):
        return {outcome: frozenset(results.values()) for outcome, results in state.results.items()}
    return {}


# Where a state may run: in the main flow, or aside of a connected bridge or meeting.


def _contexts(flow: ResolvedFlow, states: Mapping[str, ResolvedState]) -> dict[str, ResolvedState]:
    main_starts, aside_starts = _starts(flow, states)
    aside = reach([name for name in aside_starts if name in states], _aside_followers(states))
    freed = [
        edge.target
        for name in aside
        if _frees_b(states[name])
        for outcome, edge in states[name].edges.items()
        if outcome != "failed"
    ]
    main = reach([name for name in (*main_starts, *freed) if name in states], _main_followers(states))
    out = {}
    for name, state in states.items():
        alone = name in aside and name not in main
        edges = dict(state.edges)
        failed = edges.get("failed")
        if name in aside and "failed" in state.outcomes and state.verb not in FINAL:
            if alone and (failed is None or failed.source != "own"):
                edges["failed"] = Edge("back", "builtin", state.span)
            elif failed is None and not alone:
                pass  # the main flow needs an answer of its own
        edges = {outcome: edges[outcome] for outcome in state.outcomes if outcome in edges}
        out[name] = replace(state, edges=edges, aside=name in aside, main=not alone)
    return out


def _starts(flow: ResolvedFlow, states: Mapping[str, ResolvedState]) -> tuple[list[str], list[str]]:
    """Where the main flow and the asides begin."""
    main, aside = [flow.model.start], []
    connecting = {name for name, state in states.items() if state.verb in CONNECTING}
    for name in connecting:
        aside += [edge.target for edge in states[name].keys.values()]
        if (connected := states[name].connected) is not None:
            aside.append(connected.target)
    brings_b = bool(connecting) or any(sub_connects(sub) for sub in flow.subflows.values())
    for name, update in flow.model.updates.items():
        target = flow.updates[name].target
        if update.during is None:
            (aside if brings_b else main).append(target)
        else:
            if connecting.intersection(update.during):
                aside.append(target)
            if set(update.during) - connecting:
                main.append(target)
    return main, aside


def sub_connects(flow: ResolvedFlow) -> bool:
    """Whether a flow, or one that it uses, brings leg B."""
    own = any(state.verb in CONNECTING for state in flow.states.values())
    return own or any(sub_connects(sub) for sub in flow.subflows.values())


def _frees_b(state: ResolvedState) -> bool:
    return isinstance(state.model, HangupState) and state.model.leg == "B"


def _aside_followers(states: Mapping[str, ResolvedState]) -> Callable[[str], list[str]]:
    def followers(name: str) -> list[str]:
        state = states[name]
        if state.verb not in ASIDE_VERBS or _frees_b(state):
            return []
        edges = [e for outcome, e in state.edges.items() if outcome != "failed" or e.source == "own"]
        return [edge.target for edge in edges if edge.target in states]

    return followers


def _main_followers(states: Mapping[str, ResolvedState]) -> Callable[[str], list[str]]:
    def followers(name: str) -> list[str]:
        state = states[name]
        edges = list(state.edges.values())
        if state.verb not in CONNECTING:
            edges += state.keys.values()
        return [edge.target for edge in edges if edge.target in states]

    return followers
