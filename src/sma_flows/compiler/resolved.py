"""A flow after its names are resolved: what rules, liveness, lowering and the `transitions` machine read.

Nothing here knows the plan. Names are those of the flow itself, without prefixes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from sma_flows.compiler.verbs import LISTENING, SILENT
from sma_flows.flow.model import FlowModel, HookModel
from sma_flows.flow.nodes import Document, Span
from sma_flows.flow.prompts import Catalogue
from sma_flows.flow.states import PlayState, State, WaitState
from sma_flows.flow.types import Type

__all__ = [
    "NOTHING",
    "Edge",
    "ResolvedFlow",
    "ResolvedHook",
    "ResolvedState",
    "Source",
    "Variable",
]

Source: TypeAlias = Literal["own", "defaults", "builtin"]
"""Who answers an outcome: the state, `defaults.next`, or the language."""

Origin: TypeAlias = Literal["var", "input", "result", "argument"]

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Edge:
    """Where one outcome leads: a state, `hangup` or `back`, and where that is written."""

    target: str
    source: Source
    span: Span


@dataclass(frozen=True, slots=True)
class Variable:
    """A name that holds a value. `result` and `argument` are declared by a hook, a sub-flow or an update."""

    name: str
    type: Type
    span: Span
    origin: Origin


@dataclass(frozen=True, slots=True)
class ResolvedHook:
    """A hook with everything its kind adds: results per outcome (main first), effect class and budget in ms.

    `least` and `most` count arguments; `most` None: not known.
    """

    name: str
    model: HookModel
    span: Span
    outcomes: Mapping[str, Mapping[str, Type]]
    effect: str
    budget_ms: int
    least: int = 0
    most: int | None = None

    @property
    def main(self) -> str:
        """The outcome that a plain `next: NAME` answers."""
        return next(iter(self.outcomes))

    @property
    def long(self) -> bool:
        """Whether it runs outside the call, while the caller hears something."""
        return self.model.long == "true"

    @property
    def results(self) -> dict[str, Type]:
        """Every result name of every outcome."""
        return {name: kind for results in self.outcomes.values() for name, kind in results.items()}


@dataclass(frozen=True, slots=True)
class ResolvedState:
    """One state. `edges` holds the answered outcomes, menu keys among them; an outcome without edge is a finding.

    `keys` are background keys. `sets` says which variables an outcome overwrites, `results` which variable takes which
    result of a hook or sub-flow. `aside`: may run while a bridge or meeting goes on; `main`: may run otherwise.
    """

    name: str
    verb: str
    model: State
    span: Span
    outcomes: tuple[str, ...]
    edges: Mapping[str, Edge]
    keys: Mapping[str, Edge]
    connected: Edge | None
    sets: Mapping[str, frozenset[str]]
    results: Mapping[str, Mapping[str, str]]
    aside: bool = False
    main: bool = True
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What was found out about the model once, by the name of the question. Many rules ask the same."""

    @property
    def path(self) -> tuple[str, str]:
        """Where the state is in its document."""
        return ("states", self.name)

    @property
    def listens(self) -> bool:
        """Whether `back` may return here."""
        return self.verb in LISTENING or bool(isinstance(self.model, PlayState | WaitState) and self.model.keys)

    @property
    def talks_first(self) -> bool:
        """Whether something is said or played in front of the verb."""
        return bool(self.model.before)

    @property
    def silent(self) -> bool:
        """Whether the state sends no action at all."""
        return self.verb in SILENT and not self.talks_first

    def targets(self) -> Iterator[tuple[str, Edge]]:
        """Every way out, with what leads there: outcomes, background keys, `connected`."""
        yield from self.edges.items()
        yield from self.keys.items()
        if self.connected is not None:
            yield "connected", self.connected


@dataclass(frozen=True, slots=True)
class ResolvedFlow:
    """One flow with its names, and the sub-flows it uses directly.

    `updates` maps an update to where its arguments lead. `catalogue` is None without a `prompts:` file that could be
    read. `catalogue_document` belongs to it.
    """

    name: str
    entry: str
    model: FlowModel
    document: Document
    catalogue: Catalogue | None
    catalogue_document: Document | None
    variables: Mapping[str, Variable]
    hooks: Mapping[str, ResolvedHook]
    states: Mapping[str, ResolvedState]
    updates: Mapping[str, Edge]
    subflows: Mapping[str, ResolvedFlow] = field(default_factory=dict)
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def span(self, *path: str | int, key: bool = False) -> Span:
        """A place in the flow's file."""
        return self.document.span(path, key=key)

    def type_of(self, name: str) -> Type | None:
        """The type of a variable, None for a name that is none."""
        variable = self.variables.get(name)
        return variable.type if variable else None
