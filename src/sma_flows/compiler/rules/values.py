"""SF2xx: values are set before they are read, and of the type that is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from sma_flows.compiler.resolve import choices_of
from sma_flows.compiler.resolved import ResolvedFlow, ResolvedState
from sma_flows.compiler.rules.base import flow_rule, names, word_span
from sma_flows.compiler.uses import Expression, Place, inserted, prompt_entries, prompt_items, state_expressions
from sma_flows.flow.diagnostics import Diagnostic, did_you_mean, report
from sma_flows.flow.expressions import Expr
from sma_flows.flow.prompts import EVERYWHERE
from sma_flows.flow.states import (
    BotState,
    ChooseState,
    GatherState,
    PlayState,
    RecordCallState,
    RecordState,
    RunState,
    SetState,
    StateBase,
    TakeState,
    UseState,
)
from sma_flows.flow.types import Type
from sma_flows.hooks.builtin import BUILTINS

_LEGS: Final = frozenset(("A", "B", "both", "here", "other"))
_TEXTS: Final = frozenset(("text", "digits", "phone", "one_of", "number", "locale", "audio", "prompt", "leg"))
_NEEDED: Final[Mapping[str, frozenset[str]]] = {
    "bridge": frozenset(("phone", "text", "digits")),
    "caller_id": frozenset(("phone", "text")),
    "connector": frozenset(("text", "one_of")),
    "user": _TEXTS,
    "join_meeting": frozenset(("text", "digits", "one_of")),
    "token": frozenset(("text",)),
    "attendee": frozenset(("text",)),
    "bot": frozenset(("text", "one_of")),
    "send_digits": frozenset(("digits", "text", "number", "phone", "one_of")),
    "to": frozenset(("text", "one_of")),
    "locale": frozenset(("locale", "text", "one_of")),
}
"""Types that the fields of states take."""


_MAY_BE_UNSET: Final = frozenset(("choose", "set", "with", "headers", "attributes", "locale"))
"""Fields in which an unset value means something."""
_FLEETING: Final = frozenset(("user_to_user", "ended_by", "hangup_code"))
"""Values of the call that may be unset."""

# May a variable be unset? Forward over the states of one flow.


def possibly_unset(flow: ResolvedFlow) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """By state: the variables that may be unset when it is entered, and those that are certainly unset."""
    may: dict[str, set[str]] = {}
    can_be_set: dict[str, set[str]] = {}
    every = set(flow.variables)
    given = {name for name, each in flow.variables.items() if each.origin == "input" or each.type.initial is not None}
    waiting: list[str] = []

    def enter(name: str, unset: set[str], maybe_set: set[str]) -> None:
        if name not in flow.states:
            return
        if name not in may:
            may[name], can_be_set[name] = set(unset), set(maybe_set)
        elif unset <= may[name] and maybe_set <= can_be_set[name]:
            return
        else:
            may[name] |= unset
            can_be_set[name] |= maybe_set
        waiting.append(name)

    enter(flow.model.start, every - given, given)
    for name, update in flow.model.updates.items():
        enter(flow.updates[name].target, every - given - set(update.takes), every)
    while waiting:
        name = waiting.pop()
        state = flow.states[name]
        for outcome, edge in state.targets():
            unset, maybe = _after(flow, state, outcome, may[name], can_be_set[name])
            if edge.target == "back":
                continue
            enter(edge.target, unset, maybe)
    certain = {name: every - can_be_set[name] for name in may}
    return may, certain


def _after(
    flow: ResolvedFlow, state: ResolvedState, outcome: str, unset: set[str], maybe: set[str]
) -> tuple[set[str], set[str]]:
    """The two sets behind an outcome."""
    model = state.model
    sets = set(state.sets.get(outcome, ())) & set(flow.variables)
    lost: set[str] = set()
    if isinstance(model, RunState):
        if outcome == "failed" or outcome == "limited":
            sets = {name for each in state.sets.values() for name in each}
        lost = sets - set(state.results.get(outcome, {}).values())
    elif isinstance(model, SetState) and outcome == "done":
        lost = {name for name, value in model.set.items() if _may_be_nothing(value, unset)}
    elif isinstance(model, UseState):
        lost = set(sets)
    elif isinstance(model, BotState):
        lost = set(model.into) & sets
    certainly = isinstance(model, RunState) or (
        isinstance(model, SetState) and all(model.set[name].op == "unset" for name in lost if name in model.set)
    )
    known = _known_set(model, outcome)
    after_unset = (unset - sets - known) | lost
    after_maybe = (maybe | sets | known) - (lost if certainly else set())
    return after_unset, after_maybe


def _may_be_nothing(value: Expr, unset: set[str]) -> bool:
    """Whether assigning a value may leave the variable unset."""
    if value.op == "var":
        return str(value.args[0]) in unset or len(value.args) > 1
    if value.op == "call":
        return value.args[0] in _FLEETING
    return value.op in ("unset", "header", "bot", "key")


def _known_set(model: StateBase, outcome: str) -> set[str]:
    """What a case of `choose` proves: its condition can only hold when these are set."""
    if not isinstance(model, ChooseState) or not isinstance(model.choose, dict):
        return set()
    earlier: set[str] = set()
    for case, when in model.choose.items():
        if case == outcome:
            return earlier | _implied(when)
        if when.op == "not" and isinstance(when.args[0], Expr) and when.args[0].op == "var":
            earlier.add(str(when.args[0].args[0]))
    return earlier


def _implied(when: Expr) -> set[str]:
    if when.op == "and":
        return set[str]().union(*(_implied(arg) for arg in when.args if isinstance(arg, Expr)))
    if when.op == "or":
        each = [_implied(arg) for arg in when.args if isinstance(arg, Expr)]
        return set[str].intersection(*each)
    if when.op == "var":
        return {str(when.args[0])}
    if when.op in ("is", "is not", "<", "<=", ">", ">=", "in", "starts with"):
        left = [arg for arg in when.args[:1] if isinstance(arg, Expr)]
        right = [arg for arg in when.args[1:2] if isinstance(arg, Expr)] if when.op not in ("in", "starts with") else []
        return {str(arg.args[0]) for arg in (*left, *right) if arg.op == "var"}
    return set()


@flow_rule
def unset_variable(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A value is used where it is, or may be, unset (language reference 2 and 9: unset is a state, not a value)."""
    may, certain = possibly_unset(flow)
    for name, state in flow.states.items():
        if name not in may:
            continue
        for variable, place, required in _needs(flow, state):
            if variable not in flow.variables or variable not in may[name]:
                continue
            surely = variable in certain[name]
            if not surely and not required:
                continue
            never = not any(variable in sets for other in flow.states.values() for sets in other.sets.values())
            yield report(
                "SF221",
                word_span(flow.document, place, variable),
                f"'{variable}' is not set here" if surely else f"'{variable}' may be unset here",
                label="nothing sets it"
                if surely and never
                else "no value yet"
                if surely
                else "not set on every way here",
                help=_how_to_set(flow, state, variable),
                related=[(flow.variables[variable].span, "declared here")],
                severity="error" if surely and required else "warning",
            )


def _how_to_set(flow: ResolvedFlow, state: ResolvedState, variable: str) -> str:
    setters = [
        other.name
        for other in flow.states.values()
        if any(variable in sets for sets in other.sets.values()) and other is not state
    ]
    if not setters:
        return "set it on the way here"
    return f"come here by way of {names(setters[:3], 'or')}, or test it with `choose` first"


def _needs(flow: ResolvedFlow, state: ResolvedState) -> Iterator[tuple[str, Place, bool]]:
    """What a state reads: variable, place, and whether the state makes no sense without it."""
    model = state.model
    for use in state_expressions(state):
        if use.field in _MAY_BE_UNSET:
            continue
        for node in use.expr.walk():
            if node.op == "var":
                yield str(node.args[0]), use.place, use.field != "run"
    for _, place, items in prompt_items(flow, state):
        for item in items:
            if item.kind == "name" and item.name in flow.variables:
                yield item.name, place, True
            values = [value for _, entry in prompt_entries(flow, item) for value in inserted(entry)]
            if item.template is not None:
                values.append(item.template)
            for value in values:
                for node in value.walk():
                    if node.op == "var":
                        yield str(node.args[0]), place, True
    if isinstance(model, TakeState):
        yield model.take.source, (*state.path, "take"), False


# Types


@flow_rule
def wrong_type(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A variable stands where its type does not fit (language reference 2 and 4)."""
    for state in flow.states.values():
        for name, place, kinds, what in _typed_names(state):
            kind = flow.type_of(name)
            if kind is not None and kind.kind not in kinds:
                yield _wrong(flow, name, place, kind, f"{what} needs {' or '.join(kinds)}")
        for use in state_expressions(state):
            yield from _field_types(flow, use)
            yield from _operations(flow, use)
        if isinstance(state.model, SetState):
            yield from _assignments(flow, state, state.model)
        if isinstance(state.model, TakeState):
            source, target = flow.type_of(state.model.take.source), flow.type_of(state.model.take.variable)
            if source and target and source.item and source.item.kind != target.kind:
                yield _wrong(
                    flow, state.model.take.variable, (*state.path, "take"), target, f"the list holds {source.item}"
                )
        if isinstance(state.model, RunState):
            yield from _arguments(flow, state, state.model)


def _typed_names(state: ResolvedState) -> Iterator[tuple[str, Place, tuple[str, ...], str]]:
    model, path = state.model, state.path
    if isinstance(model, GatherState):
        yield model.gather, (*path, "gather"), ("digits",), "gather"
    elif isinstance(model, RecordState):
        yield model.record, (*path, "record"), ("recording",), "record"
    elif isinstance(model, RecordCallState) and model.into is not None:
        yield model.into, (*path, "into"), ("text", "recording"), "the location"
    elif isinstance(model, TakeState):
        yield model.take.source, (*path, "take"), ("list",), "take"
    elif isinstance(model, PlayState):
        for item in model.play:
            if item.kind == "name":
                yield item.name, (*path, "play"), ("prompt", "audio", "recording"), "play"
    for field in ("leg", "listen"):
        leg = getattr(model, field, None)
        if isinstance(leg, str) and leg not in _LEGS:
            yield leg, (*path, field), ("leg",), field


@flow_rule
def words_where_files_are_played(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """`play`, `ringback`, `beep` and `while` take files: words are `say` (language reference 4)."""
    for state in flow.states.values():
        for field, place, items in prompt_items(flow, state):
            if field not in ("play", "ringback", "beep", "while"):
                continue
            for item in items:
                if item.template is None and all(each.kind == "audio" for _, each in prompt_entries(flow, item)):
                    continue
                what = f"'{item.name}'" if item.template is None else "text"
                yield report(
                    "SF222",
                    word_span(flow.document, place, item.name) if item.name else flow.document.span(place),
                    f"{what} is spoken, and '{field}' plays files",
                    label="not an audio prompt",
                    help="write `say`" if field == "play" else "name a prompt that is `{audio: file.wav}`",
                )
            if field == "ringback" and len(items) > 1:
                yield report(
                    "SF222",
                    flow.document.span(place),
                    "one file is repeated while it rings",
                    label="several prompts",
                    help="name one audio prompt",
                )


def _wrong(flow: ResolvedFlow, name: str, place: Place, kind: Type, why: str) -> Diagnostic:
    return report(
        "SF222",
        word_span(flow.document, place, name),
        f"'{name}' does not fit here: it is {kind}",
        label=why,
        help=f"change the type of '{name}', or use another variable",
        related=[(flow.variables[name].span, f"declared as {kind}")],
    )


def _field_types(flow: ResolvedFlow, use: Expression) -> Iterator[Diagnostic]:
    needed = _NEEDED.get(use.field)
    if needed is None or use.expr.op != "var" or len(use.expr.args) > 1:
        return
    name = str(use.expr.args[0])
    kind = flow.type_of(name)
    if kind is not None and kind.kind not in needed:
        yield _wrong(flow, name, use.place, kind, f"{use.field} needs {' or '.join(sorted(needed))}")


def _operations(flow: ResolvedFlow, use: Expression) -> Iterator[Diagnostic]:
    for node in use.expr.walk():
        if node.op in ("+", "-", "<", "<=", ">", ">="):
            for arg in node.args:
                if isinstance(arg, Expr) and arg.op == "var" and len(arg.args) == 1:
                    kind = flow.type_of(str(arg.args[0]))
                    if kind is not None and kind.kind not in ("number", "digits"):
                        yield _wrong(flow, str(arg.args[0]), use.place, kind, f"'{node.op}' works on numbers")
        if node.op in ("is", "is not") and len(node.args) == 2:
            yield from _comparison(flow, use, node)
        if node.op == "in":
            yield from _members(flow, use, node)


def _comparison(flow: ResolvedFlow, use: Expression, node: Expr) -> Iterator[Diagnostic]:
    left, right = node.args
    if isinstance(left, Expr) and isinstance(right, Expr):
        yield from _word(flow, use, left, right)


def _members(flow: ResolvedFlow, use: Expression, node: Expr) -> Iterator[Diagnostic]:
    left = node.args[0]
    for member in node.args[1:]:
        if isinstance(left, Expr) and isinstance(member, Expr):
            yield from _word(flow, use, left, member)


def _word(flow: ResolvedFlow, use: Expression, left: Expr, right: Expr) -> Iterator[Diagnostic]:
    """A comparison with a word that the variable can never hold."""
    if left.op != "var" or len(left.args) > 1 or not isinstance(right.constant, str):
        return
    kind = flow.type_of(str(left.args[0]))
    if kind is None:
        return
    misfit = misfit_of(kind, right)
    if misfit:
        yield report(
            "SF222",
            word_span(flow.document, use.place, right.constant),
            f"'{left.args[0]}' is never \"{right.constant}\"",
            label=misfit,
            help=did_you_mean(right.constant, kind.words) or f"'{left.args[0]}' is {kind}",
            related=[(flow.variables[str(left.args[0])].span, f"declared as {kind}")],
        )


def misfit_of(kind: Type, value: Expr) -> str:
    """Why a literal is no value of a type, or ""."""
    constant = value.constant
    if value.op != "lit" or constant is None:
        return ""
    text = (
        constant
        if isinstance(constant, str)
        else str(constant).lower()
        if isinstance(constant, bool)
        else str(constant)
    )
    match kind.kind:
        case "one_of":
            return "" if text in kind.words else "not one of its words"
        case "digits":
            if not (text.isascii() and text.isdigit()):
                return "not only digits"
            return (
                "" if (kind.min or 1) <= len(text) <= (kind.max or 128) else f"it has {kind.min} to {kind.max} digits"
            )
        case "number":
            return "" if text.lstrip("-").isdigit() else "not a number"
        case "boolean":
            return "" if text in ("true", "false") else "not true or false"
        case "phone":
            return "" if text.startswith("+") and text[1:].isdigit() else "not a telephone number"
        case "leg":
            return "" if text in ("A", "B") else "not a leg"
        case "text":
            return "" if len(text) <= (kind.max or 200) else f"longer than {kind.max} characters"
        case "list" | "recording":
            return f"it is {kind}"
    return ""


def _assignments(flow: ResolvedFlow, state: ResolvedState, model: SetState) -> Iterator[Diagnostic]:
    for name, value in model.set.items():
        kind = flow.type_of(name)
        place = (*state.path, "set", name)
        if name == "call.locale":
            yield from _locale_word(flow, value, place)
            continue
        if kind is None:
            continue
        misfit = misfit_of(kind, value)
        if not misfit and value.op == "var" and len(value.args) == 1:
            other = flow.type_of(str(value.args[0]))
            both = {kind.kind, other.kind} if other else set()
            if other and kind.kind != other.kind and (both & {"list", "recording"}):
                misfit = f"'{value.args[0]}' is {other}"
        if misfit:
            yield report(
                "SF222",
                flow.document.span(place),
                f"'{name}' cannot take this value: it is {kind}",
                label=misfit,
                help=did_you_mean(str(value.constant), kind.words) or f"give it a value of type {kind}",
                related=[(flow.variables[name].span, f"declared as {kind}")],
            )


def _locale_word(flow: ResolvedFlow, value: Expr, place: Place) -> Iterator[Diagnostic]:
    if flow.catalogue is not None and isinstance(value.constant, str) and value.constant not in flow.catalogue.locales:
        known = list(flow.catalogue.locales)
        yield report(
            "SF227",
            flow.document.span(place),
            f"the catalogue has no locale '{value.constant}'",
            label="no prompts in it",
            help=did_you_mean(value.constant, known) or f"its locales are {names(known)}",
        )


def _arguments(flow: ResolvedFlow, state: ResolvedState, model: RunState) -> Iterator[Diagnostic]:
    hook = flow.hooks.get(model.run.name)
    if hook is not None and hook.model.builtin is not None:
        takes = BUILTINS[hook.model.builtin].args
        for (name, takes_kind), arg in zip(takes.items(), model.run.args, strict=False):
            kind = flow.type_of(str(arg.args[0])) if arg.op == "var" and len(arg.args) == 1 else None
            if kind is not None and takes_kind != "any" and kind.kind in ("recording", "list", "map"):
                yield _wrong(flow, str(arg.args[0]), (*state.path, "run"), kind, f"'{name}' is {takes_kind}")
    if hook is None or hook.most is None or hook.least <= len(model.run.args) <= hook.most:
        return
    yield report(
        "SF229",
        flow.span(*state.path, "run"),
        f"'{hook.name}' takes {_count(hook.least)}, here are {len(model.run.args)}",
        label="too few" if len(model.run.args) < hook.least else "too many",
        help=_signature(flow, hook.name),
        related=[(hook.span, "declared here")],
    )


def _count(number: int) -> str:
    return {0: "no values", 1: "one value"}.get(number, f"{number} values")


def _signature(flow: ResolvedFlow, name: str) -> str:
    model = flow.hooks[name].model
    builtin = BUILTINS[model.builtin or ""]
    fields = model.fields_ if builtin.fields else ()
    return f"write `run: {name}({', '.join([*builtin.args, *fields])})`"


# Prompts in every locale


@flow_rule
def missing_locale(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """Every prompt exists in every locale (language reference 9)."""
    catalogue, document = flow.catalogue, flow.catalogue_document
    if catalogue is None or document is None:
        return
    if catalogue.default not in catalogue.locales:
        yield report(
            "SF227",
            document.span(("default",)),
            f"the default locale '{catalogue.default}' is not declared",
            label="no voice for it",
            help=did_you_mean(catalogue.default, catalogue.locales) or "add it under `locales`",
        )
    for name, locales in catalogue.prompts.items():
        for locale in locales:
            if locale != EVERYWHERE and locale not in catalogue.locales:
                yield report(
                    "SF227",
                    document.span(("prompts", name, locale), key=True),
                    f"the locale '{locale}' is not declared",
                    label="no voice for it",
                    help=did_you_mean(locale, catalogue.locales) or "add it under `locales`",
                )
        missing = [locale for locale in catalogue.locales if locale not in locales and EVERYWHERE not in locales]
        if missing:
            yield report(
                "SF225",
                document.span(("prompts", name), key=True),
                f"the prompt '{name}' is missing in {names(missing)}",
                label="nothing to say there",
                help=f"add `{missing[0]}: text`",
            )


@flow_rule
def unknown_insert(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A prompt inserts a value that the flow which lets it be heard does not have (language reference 9)."""
    if flow.catalogue is None or flow.catalogue_document is None:
        return
    used = {item.name for state in flow.states.values() for _, _, items in prompt_items(flow, state) for item in items}
    for name in sorted(used & set(flow.catalogue.prompts)):
        for locale, entries in flow.catalogue.prompts[name].items():
            for entry in entries:
                for variable in entry.names:
                    if variable not in flow.variables:
                        place = ("prompts", name) if locale == EVERYWHERE else ("prompts", name, locale)
                        yield report(
                            "SF202",
                            word_span(flow.catalogue_document, place, variable),
                            f"'{variable}' is not a variable of the flow '{flow.name}'",
                            label="inserted here",
                            help=did_you_mean(variable, flow.variables)
                            or "declare it in the flow, or change the prompt",
                        )


__all__ = ["choices_of", "misfit_of", "possibly_unset"]
