"""SF230 and SF408: hooks exist, take what they are given, and fit into the time of an invocation."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from sma_flows.compiler.graph import components
from sma_flows.compiler.program import Node
from sma_flows.compiler.resolved import ResolvedFlow, ResolvedHook, ResolvedState
from sma_flows.compiler.rules.base import Whole, call_rule, flow_rule, names
from sma_flows.flow.diagnostics import Diagnostic, did_you_mean, report
from sma_flows.flow.expressions import Expr
from sma_flows.flow.nodes import Span
from sma_flows.flow.states import RunState, TakeState
from sma_flows.hooks.builtin import BUILTINS

MOST_MS: Final = 3_000
"""Sum of the budgets that one invocation can run (decision 21)."""
WARN_MS: Final = 2_500


def hook_file(flow: ResolvedFlow, hook: ResolvedHook) -> Path | None:
    """The file of a Python hook, looked for from the flow's folder upwards; None when it is somewhere else."""
    if hook.model.python is None:
        return None
    module = hook.model.python.partition(":")[0].replace(".", "/")
    start = Path(flow.document.path).absolute().parent
    for folder in (start, *list(start.parents)[:2]):
        for file in (folder / f"{module}.py", folder / module / "__init__.py"):
            if file.is_file():
                return file
    return None


@flow_rule
def hook_function(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """The Python file of a hook has no such function, or it takes another number of values (decision 34).

    The file is read, never run. A file that is not beside the flow is looked for when the plan is loaded.
    """
    for name, hook in flow.hooks.items():
        file = hook_file(flow, hook)
        if file is None:
            continue
        place = ("hooks", name, "python")
        function = str(hook.model.python).partition(":")[2]
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError, OSError) as error:
            line = f" in line {error.lineno}" if isinstance(error, SyntaxError) else ""
            yield report(
                "SF230",
                flow.document.span(place),
                f"the file of the hook '{name}' cannot be read{line}",
                label=file.name,
                help="correct the Python file",
            )
            continue
        found = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
        known = {*found, *_assigned(tree)}
        if function not in known:
            yield report(
                "SF230",
                flow.document.span(place),
                f"{file.name} has no function '{function}'",
                label="not defined there",
                help=did_you_mean(function, known) or f"add `def {function}(call, ...)` with `@hook`",
            )
        elif function in found:
            yield from _calls(flow, hook, found[function])


def _assigned(tree: ast.Module) -> set[str]:
    """Names that a module has without defining a function: imports and assignments."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name) for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def _calls(
    flow: ResolvedFlow, hook: ResolvedHook, function: ast.FunctionDef | ast.AsyncFunctionDef
) -> Iterator[Diagnostic]:
    """Every place that runs the hook, against the function's parameters behind `call`."""
    args = function.args
    if args.vararg is not None:
        return
    parameters = [arg.arg for arg in (*args.posonlyargs, *args.args)][1:]
    most, least = len(parameters), max(0, len(parameters) - len(args.defaults))
    places: list[tuple[int, tuple[str | int, ...]]] = [
        (len(state.model.run.args), (*state.path, "run"))
        for state in flow.states.values()
        if isinstance(state.model, RunState) and state.model.run.name == hook.name
    ]
    for index, item in enumerate(flow.model.cleanup):
        if item.run.name == hook.name:
            places.append((len(item.run.args), ("cleanup", index, "run")))
    for name, other in flow.model.hooks.items():
        if other.undo is not None and other.undo.name == hook.name:
            places.append((len(other.undo.args), ("hooks", name, "undo")))
    for count, place in places:
        if not least <= count <= most:
            yield report(
                "SF229",
                flow.document.span(place),
                f"'{hook.name}' takes {_count(least, most)}, here are {count}",
                label="too few" if count < least else "too many",
                help=f"write `run: {hook.name}({', '.join(parameters)})`",
                related=[(flow.document.span(("hooks", hook.name, "python")), "the function is named here")],
            )


@flow_rule
def long_hooks(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A long hook stands where its result cannot be waited for, or `while` stands where nothing takes long.

    A long hook works in an invocation of its own and tells its result by an update of the call.
    """
    document = flow.document
    for name, hook in flow.hooks.items():
        if hook.long:
            yield from _long_hook(flow, name, hook)
    for state in flow.states.values():
        if isinstance(state.model, RunState) and (found := flow.hooks.get(state.model.run.name)) is not None:
            yield from _long_run(flow, state, state.model, found)
    for index, item in enumerate(flow.model.cleanup):
        if item.run.name in flow.hooks and flow.hooks[item.run.name].long:
            span = document.span(("cleanup", index, "run"))
            yield _long(span, "nobody waits at the end of a call", "long hook", _SHORT)
    for name, model in flow.model.hooks.items():
        if model.undo is not None and model.undo.name in flow.hooks and flow.hooks[model.undo.name].long:
            span = document.span(("hooks", name, "undo"))
            yield _long(span, "nobody waits for what is undone", "long hook", _SHORT)


def _long_hook(flow: ResolvedFlow, name: str, hook: ResolvedHook) -> Iterator[Diagnostic]:
    """What a long hook cannot have."""
    for key, there, why in (
        ("builtin", hook.model.builtin is not None, "built-in hooks answer at once"),
        ("undo", hook.model.undo is not None, "it may make something after the call has ended"),
    ):
        if there:
            span = flow.document.span(("hooks", name, key), key=True)
            yield _long(span, f"a long hook has no `{key}`", why, "remove it, or `long: true`")
    for outcome, results in hook.outcomes.items():
        for result, kind in results.items():
            if kind.secrecy == "secret":
                what = f"'{result}' of '{outcome}' is secret, and the result of a long hook comes by an update"
                help_ = "make it no secret, or ask for it with a second hook"
                yield _long(hook.span, what, "would be stored on its way", help_)


def _long_run(flow: ResolvedFlow, state: ResolvedState, model: RunState, hook: ResolvedHook) -> Iterator[Diagnostic]:
    """A state that runs a long hook, or that waits."""
    if hook.long and model.while_ is None:
        span = flow.span(*state.path, "run")
        yield _long(span, f"'{hook.name}' takes long, and the caller hears nothing", "long hook", _HOLD)
    elif model.while_ is not None and not hook.long:
        span = flow.document.span((*state.path, "while"), key=True)
        what = f"'{hook.name}' answers at once, and '{state.name}' plays meanwhile"
        help_ = f"write `long: true` at the hook '{hook.name}', or remove `while` and `at_most`"
        yield _long(span, what, "nothing to wait for", help_)
    if model.at_most is not None and not LEAST_HOLD_MS <= model.at_most <= MOST_HOLD_MS:
        span = flow.document.span((*state.path, "at_most"))
        what = "a caller is kept waiting from 1s to 10m"
        yield _long(span, what, "out of this", "write for example `at_most: 45s`")
    for rule in model.limit if hook.long else ():
        if rule.per != "call":
            span = flow.document.span((*state.path, "limit", rule.outcome))
            what = "a limit over calls needs the outcome at once, and this one comes later"
            yield _long(span, what, "not with a long hook", f"write `{rule.max} per call`")


_HOLD: Final = "add `while: hold_music` and `at_most: 45s`"
_SHORT: Final = "name a hook that answers within its budget"
LEAST_HOLD_MS: Final = 1_000
MOST_HOLD_MS: Final = 600_000
"""Ten minutes: a caller has left long before, and a function works at most fifteen."""


def _long(span: Span, message: str, label: str, help_: str) -> Diagnostic:
    return report("SF321", span, message, label=label, help=help_)


def _count(least: int, most: int) -> str:
    if least == most:
        return {0: "no values", 1: "one value"}.get(most, f"{most} values")
    return f"{least} to {most} values"


@flow_rule
def settings(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A built-in hook has no such setting, lacks one, or own code is promised one that only a call could give."""
    for name, hook in flow.hooks.items():
        builtin = hook.model.builtin
        if builtin is not None:
            yield from _unknown_settings(flow, builtin, hook.model.with_, ("hooks", name, "with"))
            for missing in BUILTINS[builtin].required:
                if missing not in hook.model.with_:
                    yield report(
                        "SF102",
                        flow.document.span(("hooks", name, "builtin")),
                        f"'{builtin}' needs the setting '{missing}'",
                        label=f"no `{missing}`",
                        help=f"add `with: {{{missing}: env.NAME}}`",
                    )
        for used, given in hook.model.uses.items():
            place = ("hooks", name, "uses", used)
            yield from _unknown_settings(flow, used, given, place)
            for setting, value in given.items():
                if any(node.op not in ("lit", "env", "text") for node in value.walk()):
                    yield report(
                        "SF129",
                        flow.document.span((*place, setting)),
                        f"the setting '{setting}' of '{used}' depends on the call",
                        label="only text and env.NAME can stand here",
                        help=f"leave it out and write `call.services.{used}(..., {setting}=...)` in the hook",
                    )


def _unknown_settings(
    flow: ResolvedFlow, builtin: str, given: Mapping[str, Expr], place: tuple[str, ...]
) -> Iterator[Diagnostic]:
    known = BUILTINS[builtin].settings
    for setting in given:
        if setting not in known:
            yield report(
                "SF101",
                flow.document.span((*place, setting), key=True),
                f"'{builtin}' has no setting '{setting}'",
                label="not known here",
                help=did_you_mean(setting, known) or (f"it has {names(known)}" if known else "remove it"),
            )


def _rounds(group: Sequence[Node]) -> int:
    """How often a loop without an answer can be passed: bounded by `visits`, by a limit per call, by a list.

    Two uses of one sub-flow look like a loop, because its `return` leads to the followers of both; they are none.
    """
    bounds = [1 for node in group if node.state.verb == "return"]
    for node in group:
        model = node.state.model
        if model.visits is not None:
            bounds.append(model.visits.n)
        if isinstance(model, RunState):
            bounds += [rule.max for rule in model.limit if rule.per == "call"]
        if isinstance(model, TakeState) and (kind := node.flow.type_of(model.take.source)) is not None:
            bounds.append(kind.max or 1)
    return min(bounds, default=2)


@call_rule
def cleanup_budgets(whole: Whole) -> Iterator[Diagnostic]:
    """What runs at the end of a call needs longer than one invocation has (decision 21)."""
    outer = whole.program.outer
    known = [hook for item in outer.model.cleanup if (hook := outer.hooks.get(item.run.name)) is not None]
    undone = [
        flow.hooks[hook.model.undo.name]
        for flow in whole.program.flows.values()
        for hook in flow.hooks.values()
        if hook.model.undo is not None and hook.model.undo.name in flow.hooks
    ]
    total = sum(hook.budget_ms for hook in (*undone, *known))
    if total > MOST_MS:
        yield report(
            "SF408",
            outer.document.span(("cleanup",), key=True) if known else undone[0].span,
            f"the hooks at the end of the call can take {total:,} ms together",
            label=f"{MOST_MS:,} ms fit into one invocation; the last ones may not run",
            help="shorten a `budget`",
            severity="warning",
        )


@call_rule
def hook_budgets(whole: Whole) -> Iterator[Diagnostic]:
    """Hooks that run one after the other inside one invocation need too long together (decision 21, contract 7.1)."""
    program = whole.program
    weight: dict[str, int] = {}
    for name, node in program.nodes.items():
        model = node.state.model
        hook = node.flow.hooks.get(model.run.name) if isinstance(model, RunState) else None
        weight[name] = hook.budget_ms if hook is not None and not hook.long else 0
    quiet = {name for name, node in program.nodes.items() if node.state.silent}
    followers = {
        name: [arc.target for arc in program.nodes[name].arcs if arc.target in quiet and arc.kind == "next"]
        for name in quiet
    }
    best: dict[str, tuple[int, list[str]]] = {}
    for group in components(followers):
        members = set(group)
        looped = len(group) > 1 or group[0] in followers[group[0]]
        own = sum(weight[name] for name in group)
        behind: tuple[int, list[str]] = (0, [])
        for name in group:
            for target in followers[name]:
                if target not in members and best[target][0] > behind[0]:
                    behind = best[target]
        rounds = _rounds([program.nodes[name] for name in group]) if looped and own else 1
        for name in group:
            chain = [each for each in sorted(group) if weight[each]] if looped else ([name] if weight[name] else [])
            best[name] = (own * rounds + behind[0], [*chain, *behind[1]])
    entered = {arc.target for name, node in program.nodes.items() if name not in quiet for arc in node.arcs} | {
        program.start
    }
    entered |= {name for name, node in program.nodes.items() if node.kind == "run" and node.talks_first}
    reported: set[str] = set()
    totals = {name: best[name] for name in entered if name in best}
    for name, node in program.nodes.items():
        if node.kind == "run" and node.talks_first:  # what it says is sent first; the hooks behind it then run together
            after = max((best[arc.target] for arc in node.arcs if arc.target in best), default=(0, []))
            totals[name] = (weight[name] + after[0], [name, *after[1]])
    for total, chain in sorted(totals.values(), key=lambda each: (-each[0], each[1])):
        if total <= WARN_MS or not chain or chain[-1] in reported:
            continue
        reported.update(chain)
        last = program.nodes[chain[-1]]
        severe = total > MOST_MS
        yield report(
            "SF408",
            last.flow.span(*last.state.path, "run"),
            f"the hooks up to here can take {total:,} ms in one invocation",
            label=f"at most {MOST_MS:,} ms fit" if severe else f"more than {WARN_MS:,} ms; {MOST_MS:,} are the end",
            help="shorten a `budget`, or say something between two of them",
            related=[
                (program.nodes[each].state.span, f"up to {weight[each]:,} ms")
                for each in chain[:-1]
                if each != chain[-1]
            ],
            severity="error" if severe else "warning",
        )
