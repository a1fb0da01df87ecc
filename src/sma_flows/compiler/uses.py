"""Where a state names something: every expression, prompt and variable in it, with its place in the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TypeAlias

from sma_flows.compiler.resolved import ResolvedFlow, ResolvedState
from sma_flows.flow.expressions import Expr, HookCall
from sma_flows.flow.fields import Connector, PromptItem
from sma_flows.flow.model import FlowModel
from sma_flows.flow.prompts import Entry
from sma_flows.flow.states import GatherState, MenuState, Retry, RunState, StateBase, TakeState, _Listening

__all__ = [
    "Expression",
    "Place",
    "flow_expressions",
    "inserted",
    "names_read",
    "prompt_entries",
    "prompt_items",
    "retry_of",
    "state_expressions",
    "state_reads",
]

Place: TypeAlias = tuple[str | int, ...]
"""A path in the document."""

Heard: TypeAlias = tuple[str, Place, tuple[PromptItem, ...]]
"""A field that is heard, its place, its items."""

_LEGS = frozenset(("A", "B", "both", "here", "other"))
_HEARD = ("say", "play", "prompt", "menu", "welcome", "ringback", "beep", "while_")
_PLAIN = frozenset((*_HEARD, "before", "next", "visits", "keys", "retry", "leg", "listen"))


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression, the field it stands in, and its place. `condition`: it is asked whether it holds."""

    expr: Expr
    field: str
    place: Place
    condition: bool = False


def names_read(expr: Expr) -> Iterator[str]:
    """The variables and live values that an expression reads, as the names by which they are saved."""
    for node in expr.walk():
        if node.op == "var":
            yield str(node.args[0])
        elif node.op == "header":
            yield f"header.{node.args[0]}"
        elif node.op in ("bot", "key"):
            yield f"{node.op}.{node.args[0]}"
        elif node.op == "call" and node.args[0] == "user_to_user":
            yield "call.user_to_user"


@lru_cache(maxsize=64)
def _fields(model: type[StateBase]) -> tuple[tuple[str, str], ...]:
    """The attributes of a model that may hold expressions, with their YAML keys."""
    return tuple((name, name.removesuffix("_")) for name in model.model_fields if name not in _PLAIN)


@lru_cache(maxsize=64)
def _heard_fields(model: type[StateBase]) -> tuple[str, ...]:
    """The attributes of a model that hold words."""
    return tuple(name for name in _HEARD if name in model.model_fields)


def state_expressions(state: ResolvedState) -> tuple[Expression, ...]:
    """Every expression in the fields of a state; words that are spoken are `prompt_items`."""
    found: tuple[Expression, ...] | None = state.memo.get("expressions")
    if found is None:
        model = state.model
        each = (_expressions(getattr(model, name), key, (*state.path, key)) for name, key in _fields(type(model)))
        found = state.memo["expressions"] = tuple(chain.from_iterable(each))
    return found


def _expressions(value: object, field: str, place: Place) -> Iterator[Expression]:
    if value is None or isinstance(value, str | int):
        return
    if isinstance(value, Expr):
        yield Expression(value, field, place)
    elif isinstance(value, HookCall):
        for arg in value.args:
            yield Expression(arg, field, place)
    elif isinstance(value, Connector):
        yield Expression(value.connector, "connector", (*place, "connector"))
        yield Expression(value.user, "user", (*place, "user"))
    elif isinstance(value, dict):
        for key, each in value.items():
            if isinstance(each, Expr):
                yield Expression(each, field, (*place, key), condition=field == "choose")


def flow_expressions(model: FlowModel) -> Iterator[Expression]:
    """Every expression of a flow outside of its states."""
    for name, hook in model.hooks.items():
        for key, value in hook.with_.items():
            yield Expression(value, "with", ("hooks", name, "with", key))
        for used, settings in hook.uses.items():
            for key, value in settings.items():
                yield Expression(value, "uses", ("hooks", name, "uses", used, key))
        if hook.undo is not None:
            yield from _expressions(hook.undo, "undo", ("hooks", name, "undo"))
    if model.dial_policy is not None:
        for key in ("allow", "deny"):
            for prefix in getattr(model.dial_policy, key):
                yield Expression(prefix, key, ("dial_policy", key))
        if model.dial_policy.caller_id is not None:
            yield Expression(model.dial_policy.caller_id, "caller_id", ("dial_policy", "caller_id"))
    for name, update in model.updates.items():
        if update.when is not None:
            yield Expression(update.when, "when", ("updates", name, "when"), condition=True)
    for index, item in enumerate(model.cleanup):
        yield from _expressions(item.run, "run", ("cleanup", index, "run"))
        if item.when is not None:
            yield Expression(item.when, "when", ("cleanup", index, "when"), condition=True)


def retry_of(flow: ResolvedFlow, state: ResolvedState) -> tuple[Retry | None, Place]:
    """The retry that applies to a question: its own, else the flow's; with its place."""
    if not isinstance(state.model, GatherState | MenuState):
        return None, ()
    if state.model.retry is not None:
        return state.model.retry, (*state.path, "retry")
    return flow.model.defaults.retry, ("defaults", "retry")


def prompt_items(flow: ResolvedFlow, state: ResolvedState) -> tuple[Heard, ...]:
    """What a state lets a caller hear: field, place, items. The retry words that apply are among them."""
    found: tuple[Heard, ...] | None = state.memo.get("heard")
    if found is None:
        found = state.memo["heard"] = tuple(_prompt_items(flow, state))
    return found


def _prompt_items(flow: ResolvedFlow, state: ResolvedState) -> Iterator[Heard]:
    for name in _heard_fields(type(state.model)):
        value = getattr(state.model, name)
        if isinstance(value, tuple) and value:
            field = name.removesuffix("_")
            yield field, (*state.path, field), value
    retry, place = retry_of(flow, state)
    if retry is not None:
        for name in ("no_input", "no_match"):
            value = getattr(retry, name)
            if value:
                yield name, (*place, name), value


def prompt_entries(flow: ResolvedFlow, item: PromptItem) -> Iterator[tuple[str, Entry]]:
    """The entries, by locale, that an item may be heard as. Variables have none that is known here."""
    if item.kind == "name" and flow.catalogue is not None and item.name not in flow.variables:
        for locale, entries in flow.catalogue.prompts.get(item.name, {}).items():
            for entry in entries:
                yield locale, entry


def inserted(entry: Entry) -> Iterator[Expr]:
    """The values that a prompt inserts."""
    for part in entry.parts:
        if isinstance(part, Expr):
            yield part


def _item_reads(flow: ResolvedFlow, items: Iterable[PromptItem]) -> Iterator[str]:
    for item in items:
        if item.template is not None:
            yield from names_read(item.template)
        if item.kind == "name" and item.name in flow.variables:
            yield item.name
            if flow.variables[item.name].type.kind == "prompt":
                yield from any_prompt_reads(flow)
        for _, entry in prompt_entries(flow, item):
            for value in inserted(entry):
                yield from names_read(value)


def any_prompt_reads(flow: ResolvedFlow) -> Iterator[str]:
    """What a prompt whose name is only known during the call may insert."""
    if flow.catalogue is not None:
        for locales in flow.catalogue.prompts.values():
            for entries in locales.values():
                for entry in entries:
                    for value in inserted(entry):
                        yield from (name for name in names_read(value) if "." in name or name in flow.variables)


def state_reads(flow: ResolvedFlow, state: ResolvedState) -> frozenset[str]:
    """The variables and live values read when the state runs. Names that are no variables are left out."""
    found: frozenset[str] | None = state.memo.get("reads")
    if found is None:
        names = set(_state_reads(flow, state))
        found = state.memo["reads"] = frozenset(name for name in names if "." in name or name in flow.variables)
    return found


def _state_reads(flow: ResolvedFlow, state: ResolvedState) -> Iterator[str]:
    model = state.model
    for expression in state_expressions(state):
        yield from names_read(expression.expr)
    for _, _, items in prompt_items(flow, state):
        yield from _item_reads(flow, items)
    yield from _leg_reads(model)
    if isinstance(model, TakeState):
        yield model.take.source
    if isinstance(model, RunState):
        yield from (rule.per for rule in model.limit if rule.per not in ("call", "caller"))


def _leg_reads(model: StateBase) -> Iterator[str]:
    for leg in (model.leg, model.listen if isinstance(model, _Listening) else None):
        if leg in ("here", "other"):
            yield "key.leg"
        elif isinstance(leg, str) and leg not in _LEGS:
            yield leg
