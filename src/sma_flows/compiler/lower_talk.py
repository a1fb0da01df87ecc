"""Expressions, prompts and words as the plan writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from xml.sax.saxutils import escape

from sma_flows.compiler.program import full
from sma_flows.compiler.resolved import ResolvedFlow, ResolvedState
from sma_flows.compiler.uses import inserted, prompt_items
from sma_flows.flow.expressions import Expr
from sma_flows.flow.fields import PromptItem
from sma_flows.flow.prompts import Catalogue, Entry

__all__ = ["Json", "Scope", "condition", "entry_json", "expression", "leg_json", "parts_json"]

Json = dict[str, Any]

_COMPARED: Final = frozenset(("is", "is not"))
LEG_WORDS: Final = frozenset(("A", "B", "both", "here", "other"))


@dataclass(slots=True)
class Scope:
    """What lowering a state needs to know of its flow: names get `prefix`; literal texts that are spoken in a special
    way become prompts of the plan, collected in `literals`.
    """

    flow: ResolvedFlow
    prefix: str
    literals: dict[str, Json] = field(default_factory=dict)
    """Prompts made of literal texts, by full name."""

    def name(self, own: str) -> str:
        """The full name of a variable, state, hook, prompt or schedule."""
        return full(self.prefix, own)

    def is_prompt(self, name: str) -> bool:
        """Whether a plain word names a prompt of the catalogue, and so stands for itself."""
        return name not in self.flow.variables and bool(self.flow.catalogue and name in self.flow.catalogue.prompts)

    def target(self, own: str) -> str:
        """The full name of a target."""
        return own if own in ("hangup", "back") else self.prefix + own

    def items(self, items: Sequence[PromptItem], name: str) -> list[list[Any]]:
        """Prompt items; `name` is used for literal texts that need SSML."""
        return [self._item(item, f"{name}.{index}") for index, item in enumerate(items)]

    def _item(self, item: PromptItem, name: str) -> list[Any]:
        if item.template is not None:
            parts = item.template.args if item.template.op == "text" else item.template.args[:1]
            entry = entry_json(Entry("say", tuple(_part(part) for part in parts)), self)
            if "ssml" not in entry:
                return ["text", entry["say"]]
            literal = self.prefix + name
            self.literals[literal] = {"*": [entry]}
            return ["prompt", literal]
        kind = "var" if item.name in self.flow.variables else "prompt"
        return [kind, self.prefix + item.name]


def _part(part: object) -> str | Expr:
    return part if isinstance(part, Expr) else str(part)


def expression(expr: Expr, scope: Scope) -> list[Any]:
    """An expression with full names, as the runtime reads it."""
    if expr.op == "var":
        if len(expr.args) == 1 and scope.is_prompt(str(expr.args[0])):
            return ["lit", scope.prefix + str(expr.args[0])]
        return ["var", scope.name(str(expr.args[0])), *expr.args[1:]]
    if expr.op == "text":
        return ["text", parts_json([_part(part) for part in expr.args], scope)]
    plain = [expression(arg, scope) if isinstance(arg, Expr) else arg for arg in expr.args]
    if expr.op in ("in", "starts with"):
        marked = ["secret"] if any(_secret(arg, scope.flow) for arg in expr.args) else []
        return [expr.op, plain[0], plain[1:], *marked]
    if expr.op in _COMPARED and any(_secret(arg, scope.flow) for arg in expr.args):
        return [expr.op, *plain, "secret"]
    return [expr.op, *plain]


condition = expression
"""Conditions are expressions whose value is asked for truth."""


def _secret(arg: object, flow: ResolvedFlow) -> bool:
    if not isinstance(arg, Expr) or arg.op != "var":
        return False
    kind = flow.type_of(str(arg.args[0]))
    return kind is not None and kind.secrecy == "secret"


def parts_json(parts: Iterable[str | Expr], scope: Scope) -> list[Any]:
    """The parts of a text."""
    out: list[Any] = []
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif part.op == "as":
            value = part.args[1]
            out.append(["as", part.args[0], expression(value, scope) if isinstance(value, Expr) else value])
        else:
            out.append(expression(part, scope))
    return out


def needs_ssml(entry: Entry) -> bool:
    """Whether an entry is sent as SSML: written as such, or with a value to be spoken in a special way."""
    return entry.ssml or any(part.op == "as" for part in inserted(entry))


def entry_json(entry: Entry, scope: Scope) -> Json:
    """One entry of a prompt. In SSML the constant parts are complete SSML text, `<speak>` included."""
    if entry.kind == "audio":
        return {"audio": entry.file}
    parts: Sequence[str | Expr] = entry.parts
    if not needs_ssml(entry):
        return {"say": parts_json(parts, scope)}
    if not entry.ssml:
        spoken = [escape(part) if isinstance(part, str) else part for part in parts]
        parts = _merged(["<speak>", *spoken, "</speak>"])
    return {"say": parts_json(parts, scope), "ssml": True}


def _merged(parts: Iterable[str | Expr]) -> list[str | Expr]:
    out: list[str | Expr] = []
    for part in parts:
        if out and isinstance(part, str) and isinstance(out[-1], str):
            out[-1] += part
        else:
            out.append(part)
    return out


def leg_json(leg: str | None, scope: Scope) -> Any:
    """A leg word, or a variable that holds one."""
    if leg is None or leg in LEG_WORDS:
        return leg or "A"
    return ["var", scope.name(leg)]


def used_prompts(flow: ResolvedFlow) -> dict[str, Mapping[str, tuple[Entry, ...]]]:
    """The prompts that the flow may need: those it names, or all if a name can come from a variable."""
    catalogue: Catalogue | None = flow.catalogue
    if catalogue is None:
        return {}
    if any(variable.type.kind == "prompt" for variable in flow.variables.values()):
        return dict(catalogue.prompts)
    names = {item.name for state in flow.states.values() for _, _, items in _items(flow, state) for item in items}
    return {name: catalogue.prompts[name] for name in sorted(names) if name in catalogue.prompts}


def _items(
    flow: ResolvedFlow, state: ResolvedState
) -> Iterable[tuple[str, tuple[str | int, ...], tuple[PromptItem, ...]]]:
    return prompt_items(flow, state)
