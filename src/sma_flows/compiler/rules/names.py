"""SF2xx: every name means something, and one thing only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sma_flows.compiler.resolve import variables_of
from sma_flows.compiler.resolved import ResolvedFlow, ResolvedState, Variable
from sma_flows.compiler.rules.base import flow_rule, names, word_span
from sma_flows.compiler.uses import (
    Place,
    flow_expressions,
    prompt_items,
    state_expressions,
)
from sma_flows.flow.diagnostics import Diagnostic, did_you_mean, report
from sma_flows.flow.expressions import Expr
from sma_flows.flow.nodes import Span
from sma_flows.flow.states import (
    BotState,
    GatherState,
    MenuState,
    RecordCallState,
    RecordState,
    ReturnState,
    RunState,
    ScheduleState,
    SetState,
    TakeState,
    UseState,
)

__all__ = ["named_variables"]

_SPECIAL = frozenset(("hangup", "back"))
_FIELDS = {"recording": ("bucket", "key", "ended_by")}
_LEGS = frozenset(("A", "B", "both", "here", "other"))


def _targets(flow: ResolvedFlow) -> Iterator[tuple[str, Span]]:
    """Every state that is named, with its place."""
    model = flow.model
    yield model.start, flow.span("start")
    for outcome, target in model.defaults.next.items():
        yield target, flow.span("defaults", "next", outcome)
    for name, update in model.updates.items():
        yield update.next, flow.span("updates", name, "next")
        for during in update.during or ():
            yield during, word_span(flow.document, ("updates", name, "during"), during)
    for state in flow.states.values():
        for outcome, target in state.model.next.items():
            yield target, flow.span(*state.path, "next", outcome)
        if isinstance(state.model, MenuState):
            for key, target in state.model.keys.items():
                yield target, flow.span(*state.path, "keys", key)
        for edge in (*state.keys.values(), *([state.connected] if state.connected else [])):
            yield edge.target, edge.span
        if state.model.visits is not None and state.model.visits.since is not None:
            since = state.model.visits.since
            yield since, word_span(flow.document, (*state.path, "visits"), since)


@flow_rule
def unknown_state(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A transition leads to a state that the flow does not define (language reference 3)."""
    for target, span in _targets(flow):
        if target not in flow.states and target not in _SPECIAL:
            close = did_you_mean(target, flow.states)
            related = [
                (flow.states[name].span, "a state with a similar name") for name in flow.states if f"'{name}'" in close
            ]
            yield report(
                "SF201",
                span,
                f"state '{target}' is not defined in this flow",
                label="leads nowhere",
                help=close or f"add a state '{target}' under `states`",
                related=related,
            )


def named_variables(state: ResolvedState) -> Iterator[tuple[str, Place]]:
    """The variables that a state names outside of expressions, with their places."""
    model, path = state.model, state.path
    if isinstance(model, GatherState):
        yield model.gather, (*path, "gather")
    elif isinstance(model, RecordState):
        yield model.record, (*path, "record")
    elif isinstance(model, RecordCallState) and model.into is not None:
        yield model.into, (*path, "into")
    elif isinstance(model, TakeState):
        yield model.take.variable, (*path, "take")
        yield model.take.source, (*path, "take")
    elif isinstance(model, BotState):
        for name in model.into:
            yield name, (*path, "into", name)
    elif isinstance(model, SetState):
        for name in model.set:
            if "." not in name:
                yield name, (*path, "set", name)
    elif isinstance(model, RunState | UseState):
        for name in model.into:
            yield name, (*path, "into", name)
    if isinstance(model, RunState):
        for rule in model.limit:
            if rule.per not in ("call", "caller"):
                yield rule.per, (*path, "limit", rule.outcome)
    for field in ("leg", "listen"):
        leg = getattr(model, field, None)
        if isinstance(leg, str) and leg not in _LEGS:
            yield leg, (*path, field)


@flow_rule
def unknown_variable(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A plain word is no declared name (language reference 2: "quote it to mean the text")."""
    for use in flow_expressions(flow.model):
        yield from _unknown(flow, use.expr, use.place)
    for state in flow.states.values():
        for use in state_expressions(state):
            yield from _unknown(flow, use.expr, use.place)
        for _, place, items in prompt_items(flow, state):
            for index, item in enumerate(items):
                if item.template is not None and place[0] != "defaults":
                    yield from _unknown(flow, item.template, _item_place(flow, place, index))
        for name, place in named_variables(state):
            if name not in flow.variables:
                key = place[-2] in ("into", "set") if len(place) > 1 else False
                span = flow.document.span(place, key=True) if key else word_span(flow.document, place, name)
                yield _no_variable(flow, name, span, quote=False)


def _item_place(flow: ResolvedFlow, place: Place, index: int) -> Place:
    return (*place, index) if flow.document.node((*place, index)) is not None else place


def _unknown(flow: ResolvedFlow, expr: Expr, place: Place) -> Iterator[Diagnostic]:
    for node in expr.walk():
        if node.op != "var":
            continue
        name = str(node.args[0])
        kind = flow.type_of(name)
        if kind is None and len(node.args) == 1 and flow.catalogue is not None and name in flow.catalogue.prompts:
            continue  # the name of a prompt stands for itself: that is how a `prompt` variable gets its value
        if kind is None:
            span = word_span(flow.document, place, name)
            yield _no_variable(flow, name, span, quote=expr is node and len(node.args) == 1)
        elif len(node.args) > 1 and node.args[1] not in _FIELDS.get(kind.kind, ()):
            fields = _FIELDS.get(kind.kind, ())
            yield report(
                "SF226",
                word_span(flow.document, place, f"{name}.{node.args[1]}"),
                f"'{name}' has no '{node.args[1]}'",
                label=f"it is {kind}",
                help=did_you_mean(str(node.args[1]), fields)
                or (f"a recording has {names(fields)}" if fields else f"write '{name}'"),
                related=[(flow.variables[name].span, "declared here")],
            )


def _no_variable(flow: ResolvedFlow, name: str, span: Span, *, quote: bool) -> Diagnostic:
    help_ = did_you_mean(name, flow.variables)
    if not help_:
        help_ = f'quote it to mean the text: "{name}"' if quote else f"declare it: `vars: {{{name}: text}}`"
    return report("SF202", span, f"'{name}' is not a variable of this flow", label="no declared name", help=help_)


@flow_rule
def unknown_hook(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A hook is run that the flow does not declare (language reference 5)."""
    calls: list[tuple[str, Place]] = [
        (state.model.run.name, (*state.path, "run"))
        for state in flow.states.values()
        if isinstance(state.model, RunState)
    ]
    calls += [(item.run.name, ("cleanup", index, "run")) for index, item in enumerate(flow.model.cleanup)]
    calls += [(hook.undo.name, ("hooks", name, "undo")) for name, hook in flow.model.hooks.items() if hook.undo]
    for name, place in calls:
        if name not in flow.hooks:
            yield report(
                "SF203",
                word_span(flow.document, place, name),
                f"there is no hook '{name}'",
                label="not declared",
                help=did_you_mean(name, flow.hooks)
                or f"declare it: `hooks: {{{name}: {{python: hooks.module:{name}}}}}`",
            )


@flow_rule
def unknown_prompt(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A prompt is named that is neither in the catalogue nor a variable that can be heard (language reference 9)."""
    known = flow.catalogue.prompts if flow.catalogue else {}
    if flow.model.prompts is not None and flow.catalogue is None:
        return  # the catalogue's own findings say why
    seen: set[Span] = set()
    for state in flow.states.values():
        for _, place, items in prompt_items(flow, state):
            for index, item in enumerate(items):
                if item.kind != "name" or item.name in known:
                    continue
                span = word_span(flow.document, _item_place(flow, place, index), item.name)
                kind = flow.type_of(item.name)
                if span in seen or (kind and kind.kind in ("prompt", "audio", "recording")):
                    continue
                seen.add(span)
                if kind is not None:
                    yield report(
                        "SF222",
                        span,
                        f"'{item.name}' cannot be heard: it is {kind}",
                        label="not a prompt, audio or recording",
                        help=f'write "{{{item.name}}}" to have its value read out',
                        related=[(flow.variables[item.name].span, "declared here")],
                    )
                    continue
                yield report(
                    "SF204",
                    span,
                    f"there is no prompt '{item.name}'",
                    label="not in the catalogue" if flow.catalogue else "the flow names no prompts file",
                    help=did_you_mean(item.name, known)
                    or ("add it to the prompts file" if flow.catalogue else "add `prompts: prompts.yaml`"),
                )


@flow_rule
def unknown_schedule(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A schedule is asked that the flow does not have (language reference 4)."""
    for state in flow.states.values():
        if isinstance(state.model, ScheduleState) and state.model.schedule not in flow.model.schedules:
            name = state.model.schedule
            yield report(
                "SF205",
                flow.span(*state.path, "schedule"),
                f"there is no schedule '{name}'",
                label="not declared",
                help=did_you_mean(name, flow.model.schedules) or f"add `{name}:` under `schedules`",
            )


@flow_rule
def unknown_outcome(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """`next` answers an outcome that the state does not have (language reference 3 and 4)."""
    for state in flow.states.values():
        for outcome in state.model.next:
            if outcome in state.outcomes and not (isinstance(state.model, MenuState) and outcome in state.model.keys):
                continue
            if outcome == "" and not isinstance(state.model, MenuState):
                continue
            yield _no_outcome(flow, state, outcome)
        if isinstance(state.model, RunState) and (hook := flow.hooks.get(state.model.run.name)) is not None:
            for outcome in dict.fromkeys(rule.outcome for rule in state.model.limit):
                if outcome not in hook.outcomes:
                    yield report(
                        "SF207",
                        flow.document.span((*state.path, "limit", outcome), key=True),
                        f"the hook '{hook.name}' has no outcome '{outcome}'",
                        label="cannot be limited",
                        help=did_you_mean(outcome, hook.outcomes) or f"its outcomes are {names(list(hook.outcomes))}",
                        related=[(hook.span, "declared here")],
                    )
        if isinstance(state.model, ReturnState):
            yield from _return(flow, state, state.model)


def _no_outcome(flow: ResolvedFlow, state: ResolvedState, outcome: str) -> Diagnostic:
    span = flow.document.span((*state.path, "next", outcome), key=outcome != "")
    can = [each for each in state.outcomes if not isinstance(state.model, MenuState) or each not in state.model.keys]
    if outcome == "":
        return report(
            "SF207",
            span,
            f"the menu '{state.name}' has no main outcome",
            label="a plain name answers none",
            help="lead the keys to states under `keys`, and name outcomes: `next: {no_input: STATE}`",
        )
    help_ = did_you_mean(outcome, can) or f"'{state.verb}' has {names(can)}"
    if isinstance(state.model, BotState):
        help_ = did_you_mean(outcome, can) or f"add it to `intents: [{', '.join([*state.model.intents, outcome])}]`"
    if isinstance(state.model, MenuState) and outcome in state.model.keys:
        help_ = "keys of a menu lead to states under `keys`"
    if outcome == "exhausted":
        help_ = "add `visits: N`, or remove this outcome"
    if outcome == "limited":
        help_ = "add `limit: {OUTCOME: 3 per call}`, or remove this outcome"
    return report("SF207", span, f"'{state.name}' has no outcome '{outcome}'", label="never happens", help=help_)


def _return(flow: ResolvedFlow, state: ResolvedState, model: ReturnState) -> Iterator[Diagnostic]:
    if flow.entry != "sub":
        yield report(
            "SF207",
            flow.span(*state.path, "return"),
            "only a sub-flow can return",
            label=f"this flow is {flow.entry}",
            help="write `hangup: normal`, or `entry: sub` at the top",
            related=[(flow.span("entry"), "declared here")],
        )
    elif model.return_ not in flow.model.outcomes:
        yield report(
            "SF207",
            flow.span(*state.path, "return"),
            f"this flow declares no outcome '{model.return_}'",
            label="not declared",
            help=did_you_mean(model.return_, flow.model.outcomes) or "add it to `outcomes` at the top",
        )


@flow_rule
def unhandled_outcome(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """Neither the state nor `defaults.next` nor the language answers an outcome (decision 26)."""
    for state in flow.states.values():
        if isinstance(state.model, RunState) and state.model.run.name not in flow.hooks:
            continue
        if isinstance(state.model, UseState) and state.model.use not in flow.subflows:
            continue
        if isinstance(state.model, ScheduleState) and state.model.schedule not in flow.model.schedules:
            continue
        missing = [outcome for outcome in state.outcomes if outcome not in state.edges]
        if not missing:
            continue
        shown = f"{names(missing)} of '{state.verb}'"
        add = ", ".join(f"{outcome}: STATE" for outcome in missing)
        yield report(
            "SF208",
            state.span,
            f"'{state.name}' does not say what follows {shown}",
            label="not answered",
            help=f"add `next: {{{add}}}`" + (" here or under `defaults`" if _common(missing) else ""),
        )


def _common(missing: Iterable[str]) -> bool:
    return bool({"failed", "no_input", "no_match", "exhausted", "limited"}.intersection(missing))


@flow_rule
def wrong_inputs(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """`with` gives a sub-flow an input it does not declare, or leaves one out (language reference 8)."""
    for state in flow.states.values():
        if not isinstance(state.model, UseState) or (sub := flow.subflows.get(state.model.use)) is None:
            continue
        for name in state.model.with_:
            if name not in sub.model.inputs:
                yield report(
                    "SF209",
                    flow.document.span((*state.path, "with", name), key=True),
                    f"the flow '{sub.name}' has no input '{name}'",
                    label="not declared there",
                    help=did_you_mean(name, sub.model.inputs) or "remove it, or declare it under `inputs` there",
                )
        missing = [name for name in sub.model.inputs if name not in state.model.with_]
        if missing:
            values = ", ".join(f"{name}: VALUE" for name in missing)
            yield report(
                "SF210",
                flow.span(*state.path, "use"),
                f"'{sub.name}' needs {names(missing)}",
                label="not given here",
                help=f"add `with: {{{values}}}`; `unset` is a value too",
                related=[(sub.span("inputs", missing[0]), "declared here")] if sub.document is flow.document else [],
            )


@flow_rule
def unknown_result(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """`into` names a result that the hook or sub-flow does not give (language reference 5)."""
    for state in flow.states.values():
        results: Iterable[str]
        if isinstance(state.model, RunState) and (hook := flow.hooks.get(state.model.run.name)) is not None:
            results, owner = hook.results, f"the hook '{hook.name}'"
        elif isinstance(state.model, UseState) and (sub := flow.subflows.get(state.model.use)) is not None:
            results, owner = sub.model.gives, f"the flow '{sub.name}'"
        else:
            continue
        for variable, result in state.model.into.items():
            if result not in results:
                yield report(
                    "SF211",
                    flow.span(*state.path, "into", variable),
                    f"{owner} gives no '{result}'",
                    label="not a result",
                    help=did_you_mean(result, results) or f"declare it: `gives: {{{result}: text}}`",
                )


@flow_rule
def two_meanings(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """Variable, prompt and hook names must differ (language reference 1): one name, one meaning."""
    for name, hook in flow.hooks.items():
        if (variable := flow.variables.get(name)) is not None:
            first, second = sorted(((variable.span, "a variable"), (hook.span, "a hook")))
            yield _clash(name, first, second)
    used = {
        item.name: span
        for state in flow.states.values()
        for _, place, items in prompt_items(flow, state)
        for item in items
        if item.kind == "name" and (span := flow.document.span(place))
    }
    for name, span in used.items():
        if flow.catalogue is None or name not in flow.catalogue.prompts:
            continue
        if (variable := flow.variables.get(name)) is not None:
            yield _clash(name, (variable.span, "a variable"), (span, "a prompt of the catalogue"), at_second=False)
        elif name in flow.hooks:
            yield _clash(name, (flow.hooks[name].span, "a hook"), (span, "a prompt of the catalogue"), at_second=False)
    seen: dict[str, Variable] = {}
    for variable in variables_of(flow.model, flow.document, flow.hooks, flow.subflows):
        first_of = seen.setdefault(variable.name, variable)
        same = (first_of.type.kind, first_of.type.secrecy) == (variable.type.kind, variable.type.secrecy)
        both = {first_of.origin, variable.origin}
        if not same or both == {"var", "input"}:
            why = f"{first_of.type} here and {variable.type} there" if not same else "a variable and an input"
            yield report(
                "SF220",
                variable.span,
                f"'{variable.name}' is declared twice with different meanings",
                label=why,
                help="give one of them another name; `into: {VARIABLE: RESULT}` renames results",
                related=[(first_of.span, f"first declared as {first_of.type}")],
            )


def _clash(name: str, first: tuple[Span, str], second: tuple[Span, str], *, at_second: bool = True) -> Diagnostic:
    if not at_second:
        first, second = second, first
    return report(
        "SF219",
        second[0],
        f"'{name}' has two meanings",
        label=second[1],
        help="give one of them another name",
        related=[first],
    )


@flow_rule
def quoted_name(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """Quoted text equals the name of a variable (language reference 2): probably the variable was meant."""
    for state in flow.states.values():
        for use in state_expressions(state):
            for node in use.expr.walk():
                text = node.constant
                if isinstance(text, str) and text in flow.variables:
                    yield report(
                        "SF223",
                        word_span(flow.document, use.place, text),
                        f'"{text}" is text, not the variable of that name',
                        label="quoted",
                        help=f"remove the quotes to mean the variable '{text}'",
                        related=[(flow.variables[text].span, "the variable")],
                    )


@flow_rule
def lonely_counter(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A counter is shared with nobody (language reference 3): its name is probably misspelt in one place."""
    users: dict[str, list[ResolvedState]] = {}
    for state in flow.states.values():
        if state.model.visits is not None and state.model.visits.counter is not None:
            users.setdefault(state.model.visits.counter, []).append(state)
    for counter, states in users.items():
        if len(states) == 1:
            yield report(
                "SF228",
                word_span(flow.document, (*states[0].path, "visits"), counter),
                f"no other state counts in '{counter}'",
                label="shared with nobody",
                help=did_you_mean(counter, [name for name in users if name != counter])
                or f"write `visits: {states[0].model.visits.n if states[0].model.visits else 1}`",
            )
