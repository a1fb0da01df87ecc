"""SF31x: things that work, and that somebody will regret."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sma_flows.compiler.program import Node
from sma_flows.compiler.resolved import ResolvedFlow, ResolvedState
from sma_flows.compiler.rules.base import Whole, call_rule, flow_rule, word_span
from sma_flows.compiler.uses import flow_expressions, prompt_items, state_expressions
from sma_flows.flow.diagnostics import Diagnostic, report
from sma_flows.flow.expressions import Expr
from sma_flows.flow.fields import Connector, PromptItem
from sma_flows.flow.states import BridgeState, HangupState, RunState

_NUMBER = re.compile(r"\+[1-9][0-9]{7,14}")
_POLICY = frozenset(("allow", "deny"))


@flow_rule
def literal_prompt(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """Words stand in the flow (language.md section 2, rule 6): fine for a prototype, and in one language only."""
    for state in flow.states.values():
        for field, place, items in prompt_items(flow, state):
            if field in ("no_input", "no_match") and place[0] == "defaults":
                continue
            for index, item in enumerate(items):
                if item.template is not None and not _only_a_value(item):
                    where = (*place, index) if flow.document.node((*place, index)) is not None else place
                    yield report(
                        "SF312",
                        flow.document.span(where),
                        f"'{state.name}' says words that are not in the catalogue",
                        label="one language only",
                        help="put them into the prompts file and write their key",
                    )


def _only_a_value(item: PromptItem) -> bool:
    template = item.template
    return template is not None and template.op == "text" and len(template.args) == 1


@flow_rule
def literal_address(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """An ARN, a bucket or a telephone number is written into a flow (language.md section 2, rule 9)."""
    places = [use for use in flow_expressions(flow.model) if use.field not in _POLICY]
    places += [use for state in flow.states.values() for use in state_expressions(state) if use.field != "choose"]
    for use in places:
        for node in use.expr.walk():
            what = _address(node, use.field)
            if what:
                yield report(
                    "SF313",
                    flow.document.span(use.place),
                    f"{what} is written into the flow",
                    label="differs between test and production",
                    help="write `env.NAME` and give the value when the flow is loaded",
                )
                break


def _address(node: Expr, field: str) -> str:
    text = node.constant
    if not isinstance(text, str):
        return ""
    if text.startswith("arn:"):
        return "an ARN"
    if _NUMBER.fullmatch(text):
        return "a telephone number"
    return "a bucket" if field == "to" else ""


@flow_rule
def limit_per_target(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A limit per value of a variable lets a stranger use it up for everybody (decision 20)."""
    for state in flow.states.values():
        if not isinstance(state.model, RunState):
            continue
        for rule in state.model.limit:
            if rule.per not in ("call", "caller") and rule.per in flow.variables:
                yield report(
                    "SF315",
                    word_span(flow.document, (*state.path, "limit", rule.outcome), rule.per),
                    f"anybody can use up the limit of one '{rule.per}' for {rule.window_s or 0} seconds",
                    label="counts over all callers",
                    help="keep it higher than the limit per caller",
                )


@flow_rule
def effect_of_cleanup(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """Undo and clean-up hooks change something, and only what has an effect can be undone (decision 22)."""
    for index, item in enumerate(flow.model.cleanup):
        hook = flow.hooks.get(item.run.name)
        if hook is not None and hook.effect == "read":
            yield report(
                "SF316",
                word_span(flow.document, ("cleanup", index, "run"), item.run.name),
                f"'{hook.name}' only reads, so nothing is cleaned up",
                label="effect: read",
                help="declare its effect as repeatable, keyed or once, or remove it here",
                related=[(hook.span, "declared here")],
            )
    for name, hook in flow.hooks.items():
        if hook.model.undo is None:
            continue
        place = ("hooks", name, "undo")
        undo = flow.hooks.get(hook.model.undo.name)
        if hook.effect == "read":
            yield report(
                "SF316",
                flow.document.span(place, key=True),
                f"'{name}' only reads: there is nothing to undo",
                label="effect: read",
                help="remove `undo`, or declare the effect",
                related=[(hook.span, "declared here")],
            )
        elif undo is not None and undo.effect == "read":
            yield report(
                "SF316",
                word_span(flow.document, place, undo.name),
                f"'{undo.name}' only reads, so it undoes nothing",
                label="effect: read",
                help="declare its effect as repeatable, keyed or once",
                related=[(undo.span, "declared here")],
            )


@call_rule
def alike_actions(whole: Whole) -> Iterator[Diagnostic]:
    """Two actions of one list cannot be told apart and fail to different places (decision 25)."""
    nodes = whole.program.nodes
    for node in nodes.values():
        if not _joins(node):
            continue
        seen = {node.name}
        waiting = [arc.target for arc in node.arcs if arc.kind == "next" and arc.outcome != "failed"]
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            other = nodes[name]
            if other.state.silent and other.kind == "silent":
                waiting += [arc.target for arc in other.arcs if arc.kind == "next"]
            elif _joins(other) and _content(node.state) == _content(other.state) and _failed(node) != _failed(other):
                yield report(
                    "SF317",
                    other.state.span,
                    f"'{node.name}' and '{other.name}' do the same and fail to different states",
                    label="sent on its own, after the report of the first",
                    help="let both fail to the same state: they are then one answer instead of two",
                    related=[(node.state.span, "the first one")],
                )


def _joins(node: Node) -> bool:
    return node.kind == "joined"


def _content(state: ResolvedState) -> object:
    fields = type(state.model).model_fields
    return (state.verb, [getattr(state.model, name) for name in fields if name not in ("next", "visits")])


def _failed(node: Node) -> str:
    edge = node.state.edges.get("failed")
    return edge.target if edge else ""


@call_rule
def late_rejection(whole: Whole) -> Iterator[Diagnostic]:
    """A call is rejected after it was answered: the SIP code then has no effect (contract 3.4)."""
    nodes = whole.program.nodes
    seen: set[str] = set()
    waiting = [name for name, node in nodes.items() if not node.state.silent and node.state.verb != "hangup"]
    for name in waiting:
        for arc in nodes[name].arcs:
            if arc.target not in seen:
                seen.add(arc.target)
                waiting.append(arc.target)
    for name, node in nodes.items():
        model = node.state.model
        if not isinstance(model, HangupState) or model.hangup == "normal" or model.leg not in (None, "A"):
            continue
        if name in seen or node.talks_first or whole.program.outer.entry == "outbound":
            yield report(
                "SF319",
                node.flow.span(*node.state.path, "hangup"),
                f"the call is answered by then, so nobody notices '{model.hangup}'",
                label="works only as first action of an unanswered call",
                help="write `hangup: normal`, or come here before anything is said",
            )


@call_rule
def dials_anything(whole: Whole) -> Iterator[Diagnostic]:
    """What a caller typed is dialled, and no `dial_policy.allow` limits it (language reference 4, Dial policy).

    A bridge, or `calls.dial`: there the caller's own number is no better, because anybody can show any number.
    """
    outer = whole.program.outer
    policy = outer.model.dial_policy
    if policy is not None and policy.allow:
        return
    typed = typed_variables(whole)
    for node in whole.program.nodes.values():
        for number, key, live in _dialled(node):
            for each in number.walk():
                name = f"{node.prefix}{each.args[0]}" if each.op == "var" else ""
                if name in typed or each.op in live or (each.op == "call" and f"call.{each.args[0]}" in live):
                    shown = str(each.args[0]) if each.op == "var" else f"{each.op}.{each.args[0]}"
                    yield report(
                        "SF304",
                        word_span(node.flow.document, (*node.state.path, key), shown),
                        f"callers decide what '{node.state.name}' dials, and nothing limits it",
                        label="said by the caller's telephone"
                        if each.op == "call"
                        else "typed or spoken by the caller",
                        help="add `dial_policy: {allow: [+1206]}` with the numbers that may be dialled",
                    )
                    break
    for flow in whole.program.flows.values():
        for name, hook in flow.hooks.items():
            if "calls.dial" in hook.model.uses:
                yield report(
                    "SF304",
                    flow.document.span(("hooks", name, "uses", "calls.dial"), key=True),
                    f"what '{name}' dials nobody can see from here, and nothing limits it",
                    label="own code decides",
                    help="add `dial_policy: {allow: [+1206]}` with the numbers that may be dialled",
                )


def _dialled(node: Node) -> Iterator[tuple[Expr, str, tuple[str, ...]]]:
    """What a state dials, the key in which it stands, and the live values that are the caller's."""
    model = node.state.model
    if isinstance(model, BridgeState) and not isinstance(model.bridge, Connector):
        yield model.bridge, "bridge", ("key", "bot")
    if isinstance(model, RunState):
        hook = node.flow.hooks.get(model.run.name)
        if hook is not None and hook.model.builtin == "calls.dial" and len(model.run.args) > 1:
            yield model.run.args[1], "run", ("key", "bot", "call.from")


def typed_variables(whole: Whole) -> set[str]:
    """Full names of variables whose value a caller may have typed or spoken."""
    found: set[str] = set()
    nodes = whole.program.nodes.values()
    changed = True
    while changed:
        before = len(found)
        for node in nodes:
            model, prefix = node.state.model, node.prefix
            if node.state.verb == "gather":
                found |= {prefix + name for name in node.state.sets.get("done", ())}
            elif node.state.verb == "bot":
                found |= {prefix + name for name in getattr(model, "into", {})}
            pairs: list[tuple[str, Expr]] = []
            if node.state.verb == "set":
                pairs = [(prefix + name, value) for name, value in getattr(model, "set", {}).items()]
            elif node.state.verb == "use":
                inside = f"{getattr(model, 'use', '')}/"
                pairs = [(inside + name, value) for name, value in getattr(model, "with_", {}).items()]
                for results in node.state.results.values():
                    found |= {prefix + variable for result, variable in results.items() if inside + result in found}
            for target, value in pairs:
                for each in value.walk():
                    if each.op in ("key", "bot") or (each.op == "var" and f"{prefix}{each.args[0]}" in found):
                        found.add(target)
        changed = len(found) > before
    return found
