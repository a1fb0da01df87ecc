"""From a compiled flow to cards: a card for each state, a row for each way out of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sma_flows.plan import FlowPlan

__all__ = ["DECISIONS", "Box", "Mark", "Marks", "Row", "boxes_of", "caption"]

DECISIONS: Final = frozenset({"run", "choose", "schedule", "take"})
"""Verbs that decide without the caller."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Whether calls have come by, and their names."""

    calls: tuple[str, ...]

    @property
    def visited(self) -> bool:
        """At least one has."""
        return bool(self.calls)


Marks = Mapping[tuple[str, str, str], Mark]
"""Marks by kind (``state``, ``outcome``, ``key``, ``connected``, ``use``, ``update``, ``start``, ``attempt``), state
and label. Empty: a picture of the flow alone."""


@dataclass(frozen=True, slots=True)
class Row:
    """A way out of a state. ``target`` is a state, ``hangup`` or ``back``; ``own``: the state says it itself."""

    label: str
    target: str
    own: bool
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class Box:
    """A state; or, with ``entry``, where calls or updates come in.

    ``title`` and ``caption`` are its two lines; ``attempts`` the marks of a question's attempts; ``decides``: a state
    that the caller does not hear.
    """

    name: str
    title: str
    caption: str
    rows: tuple[Row, ...]
    decides: bool = False
    entry: bool = False
    mark: Mark | None = None
    attempts: tuple[Mark | None, ...] = ()


def boxes_of(flow: FlowPlan, prefix: str | None = None, marks: Marks | None = None) -> list[Box]:
    """The cards of a flow, entries first, in the order of the file.

    *prefix* (``""`` or ``leave-message/``) chooses the flow itself or one of its sub-flows, whose names then lose it;
    None: all in one picture. *marks* name states without the prefix.
    """
    known: Marks = marks or {}
    boxes: list[Box] = []
    if not prefix:
        row = Row("", _without(flow["start"], prefix), own=True, mark=known.get(("start", "", "")))
        boxes.append(Box("(start)", "call", "", (row,), entry=True))
        for update in flow.get("updates", ()):
            row = Row("", _without(update["next"], prefix), own=True, mark=known.get(("update", "", update["name"])))
            boxes.append(Box(f"(update {update['name']})", f"update {update['name']}", "", (row,), entry=True))
    for name, state in flow["states"].items():
        if prefix is None or name.rpartition("/")[0] == prefix[:-1]:
            boxes.append(_box(_without(name, prefix), state, prefix, known))
    return boxes


def _box(name: str, state: Mapping[str, Any], prefix: str | None, marks: Marks) -> Box:
    rows = tuple(
        Row(label, _without(target, prefix), own, marks.get((kind, name, key)))
        for kind, key, label, target, own in _ways(state)
        if not marks or (kind, name, key) in marks
    )
    attempts: tuple[Mark | None, ...] = ()
    if state["do"] in ("gather", "menu"):
        attempts = tuple(marks.get(("attempt", name, str(each + 1))) for each in range(state.get("times", 0) + 1))
    return Box(
        name, name, caption(state), rows, state["do"] in DECISIONS, False, marks.get(("state", name, "")), attempts
    )


def _ways(state: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str, bool]]:
    """Kind, label as an item has it, label as it is shown, target, own."""
    own = set(state.get("own", ()))
    keys = state.get("keys", {})
    for key, target in keys.items():
        yield "outcome", key, f"key {key}", target, True
    if state["do"] == "use":
        yield "use", "", "enters", state["start"], True
    if state.get("connected"):
        yield "connected", "connected", "connected", state["connected"], True
    for key, target in state.get("listen", {}).get("keys", {}).items():
        yield "key", key, f"key {key}", target, True
    for outcome, target in state.get("next", {}).items():
        if outcome not in keys:
            yield "outcome", outcome, outcome, target, outcome in own


def caption(state: Mapping[str, Any]) -> str:
    """What a state does, in a few words."""
    verb = state["do"]
    what = {
        "run": state.get("hook"),
        "use": str(state.get("flow", "")).removesuffix("/"),
        "return": state.get("outcome"),
        "gather": state.get("var"),
        "schedule": state.get("name"),
        "take": state.get("var"),
    }
    return f"{verb} {what.get(verb) or ''}".rstrip()


def _without(name: str, prefix: str | None) -> str:
    return name.removeprefix(prefix) if prefix else name
