"""SF302 and SF303: a secret never leaves the invocation in which it arrived (decisions 12 and 13)."""

from __future__ import annotations

from collections.abc import Iterator

from sma_flows.compiler.program import Node
from sma_flows.compiler.resolved import ResolvedFlow, ResolvedState
from sma_flows.compiler.rules.base import Whole, call_rule, flow_rule, word_span
from sma_flows.compiler.uses import Place, inserted, prompt_entries, prompt_items, state_expressions
from sma_flows.flow.diagnostics import Diagnostic, report
from sma_flows.flow.expressions import Expr
from sma_flows.flow.nodes import Span
from sma_flows.flow.states import RunState, SetState, UseState
from sma_flows.hooks.builtin import BUILTINS

_SHOWN = frozenset(
    ("headers", "attributes", "to", "user", "connector", "bridge", "caller_id", "join_meeting", "attendee")
)
_TELLING = frozenset(BUILTINS) - {"directory.find"}  # its key is compared and not kept


def _secret(flow: ResolvedFlow, name: str) -> bool:
    kind = flow.type_of(name)
    return kind is not None and kind.secrecy == "secret"


@call_rule
def secret_outlives_invocation(whole: Whole) -> Iterator[Diagnostic]:
    """A secret is read after an answer was given, so it would have to be saved (decision 13)."""
    seen: set[tuple[str, Span]] = set()
    program = whole.program
    for name, kept in sorted(whole.keep.items()):
        node = program.nodes[name]
        for variable in sorted(kept):
            flow, own = _owner(whole, variable)
            if flow is None or not _secret(flow, own):
                continue
            reader = _reader(whole, node, variable)
            place = reader.state.span if reader is not None else flow.variables[own].span
            if reader is not None:
                place = next((span for read, span in _read_places(reader) if read == own), place)
            if (variable, place) in seen:
                continue
            seen.add((variable, place))
            yield report(
                "SF302",
                place,
                f"'{own}' is secret and would have to be saved until here",
                label="read after an answer was given",
                help="check it in the state that follows the question",
                related=[(node.state.span, "the call waits here in between")],
            )
    for variable, who in whole.always.items():
        flow, own = _owner(whole, variable)
        if flow is not None and _secret(flow, own):
            yield report(
                "SF302",
                _always_span(whole, who[0], own),
                f"'{own}' is secret and would have to be saved for the whole call",
                label="read at the end of the call",
                help="pass something that is not secret",
                related=[(flow.variables[own].span, "declared secret here")],
            )
    outer = program.outer
    if outer.entry == "outbound":
        for variable in sorted(whole.live.into.get(program.start, frozenset())):
            if variable in outer.model.inputs and _secret(outer, variable):
                yield report(
                    "SF302",
                    outer.variables[variable].span,
                    f"'{variable}' is secret, and inputs of an outbound call arrive before anybody answers",
                    label="would have to be saved until then",
                    help="declare it `masked`, or ask for it during the call",
                )


def _owner(whole: Whole, variable: str) -> tuple[ResolvedFlow | None, str]:
    prefix, _, own = variable.rpartition("/")
    return whole.program.flows.get(f"{prefix}/" if prefix else ""), own


def _reader(whole: Whole, start: Node, variable: str) -> Node | None:
    """The nearest state behind a rest that reads the variable."""
    if start.talks_first and variable in start.reads:
        return start  # what it says in front of its verb is an answer of its own
    nodes = whole.program.nodes
    seen = {start.name}
    waiting = [start]
    for node in waiting:
        if node is not start and variable in node.reads:
            return node
        for arc in node.arcs:
            if variable in arc.sets:
                continue
            target = nodes[arc.target]
            if variable in target.reads and arc.kind != "resume":
                return target
            if target.name not in seen:
                seen.add(target.name)
                waiting.append(target)
    return None


def _read_places(node: Node) -> Iterator[tuple[str, Span]]:
    for use in state_expressions(node.state):
        for each in use.expr.walk():
            if each.op == "var":
                yield str(each.args[0]), word_span(node.flow.document, use.place, str(each.args[0]))


def _always_span(whole: Whole, who: str, own: str) -> Span:
    kind, _, name = who.partition(":")
    outer = whole.program.outer
    if kind == "cleanup":
        return word_span(outer.document, ("cleanup", int(name), "run"), own)
    if kind == "update":
        return word_span(outer.document, ("updates", name, "when"), own)
    prefix, _, hook = name.rpartition("/")
    flow = whole.program.flows[f"{prefix}/" if prefix else ""]
    return word_span(flow.document, ("hooks", hook, "undo"), own)


@flow_rule
def secret_shown(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A secret goes where it is heard, sent, stored or logged (decision 13; language reference 2)."""
    for state in flow.states.values():
        for name, place, where in _shown(flow, state):
            if _secret(flow, name):
                yield report(
                    "SF303",
                    word_span(flow.document, place, name),
                    f"'{name}' is secret and must not go into {where}",
                    label="would be seen there",
                    help="check it with a hook, and show the hook's result",
                    related=[(flow.variables[name].span, "declared secret here")],
                )
    for name, update in flow.model.updates.items():
        for argument, kind in update.takes.items():
            if update.queue and kind.secrecy == "secret":
                yield report(
                    "SF303",
                    flow.span("updates", name, "takes", argument),
                    f"'{argument}' is secret and cannot wait in the queue of '{name}'",
                    label="would be saved while it waits",
                    help="leave out `queue`, or let a hook fetch the secret when the turn comes",
                )


def _shown(flow: ResolvedFlow, state: ResolvedState) -> Iterator[tuple[str, Place, str]]:
    model = state.model
    for use in state_expressions(state):
        for node in use.expr.walk():
            if node.op == "text" and use.field != "send_digits":
                yield from ((name, use.place, "a text") for name in _variables(node))
        if use.field in _SHOWN and use.expr.op == "var":
            what = {"headers": "a SIP header", "attributes": "the attributes of a bot", "to": "the name of a place"}
            yield str(use.expr.args[0]), use.place, what.get(use.field, f"`{use.field}`")
    for _, place, items in prompt_items(flow, state):
        for item in items:
            values = [value for _, entry in prompt_entries(flow, item) for value in inserted(entry)]
            if item.template is not None:
                values.append(item.template)
            for value in values:
                yield from ((name, place, "a prompt") for name in _variables(value))
    if isinstance(model, SetState):
        for target, value in model.set.items():
            kind = flow.type_of(target)
            if value.op == "var" and kind is not None and kind.secrecy != "secret":
                yield str(value.args[0]), (*state.path, "set", target), f"'{target}', which is not secret"
    if isinstance(model, UseState) and (sub := flow.subflows.get(model.use)) is not None:
        for target, value in model.with_.items():
            given = sub.model.inputs.get(target)
            if value.op == "var" and given is not None and given.secrecy != "secret":
                yield str(value.args[0]), (*state.path, "with", target), f"the input '{target}', which is not secret"
    if isinstance(model, RunState):
        hook = flow.hooks.get(model.run.name)
        if hook is not None and hook.long:
            for arg in model.run.args:
                for node in arg.walk():
                    if node.op == "var":
                        yield str(node.args[0]), (*state.path, "run"), f"'{hook.name}', which works outside the call"
        if hook is not None and hook.model.builtin in _TELLING:
            for arg in model.run.args:
                if arg.op == "var":
                    yield str(arg.args[0]), (*state.path, "run"), f"'{hook.model.builtin}'"
        for rule in model.limit:
            if rule.per not in ("call", "caller"):
                yield rule.per, (*state.path, "limit", rule.outcome), "the key of a limit, which is stored"


def _variables(expr: Expr) -> Iterator[str]:
    return (str(node.args[0]) for node in expr.walk() if node.op == "var")
