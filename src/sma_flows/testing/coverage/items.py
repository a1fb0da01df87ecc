"""What calls can come by in a flow, with the line of the file that says it: the static side of coverage.

Everything is read from the compiled plan, which the runtime follows; lines come from the resolved flow. What the plan
holds and no call can bring about is left out: a bridge to a number that no policy looks at is never refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sma_flows.compiler import ResolvedFlow, ResolvedState
from sma_flows.compiler.program import flows_of
from sma_flows.flow.nodes import Span
from sma_flows.plan import FlowPlan
from sma_flows.runtime.frame import BACK, Visit

__all__ = ["OUTCOME", "TRANSITIONS", "FlowMap", "Item", "map_of"]

OUTCOME: Final = "outcome"
TRANSITIONS: Final = ("start", OUTCOME, "key", "connected", "update", "use")
"""Kinds of items that lead from one place to another: the edges of the diagram."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a call can come by, named as in the file of *flow*.

    ``kind`` is that of a :data:`~sma_flows.runtime.frame.Visit`. ``target`` is a state, ``hangup`` or ``back``; a state
    of another flow has that flow's name in front. ``own``: the state says it itself, not `defaults` or the language.
    """

    kind: str
    flow: str
    state: str
    label: str
    target: str
    own: bool
    span: Span = field(compare=False)

    def __str__(self) -> str:
        if self.kind == "state":
            return self.state
        if self.kind == "attempt":
            return f"{self.state}: attempt {self.label}"
        words = {"key": f"key {self.label}", "update": f"update {self.label}", "use": "enter", "start": "start"}
        label = words.get(self.kind, self.label)
        return f"{self.state + ': ' if self.state else ''}{label} -> {self.target}"


class FlowMap:
    """The items of one outer flow and of the sub-flows it uses, and the way from a visit to them.

    ``files`` maps the name of each of these flows to its file.
    """

    def __init__(self, plan: FlowPlan, outer: ResolvedFlow) -> None:
        self.plan = plan
        self.outer = outer
        self.flows = flows_of(outer)
        self.files = {flow.name: flow.document.path for flow in self.flows.values()}
        self.items: list[Item] = []
        self._by_visit: dict[tuple[str, str, str], list[Item]] = {}
        self._merged: dict[str, list[Item]] = {}
        for visit, item in self._found():
            self.items.append(item)
            self._by_visit.setdefault(visit, []).append(item)

    def of(self, visit: Visit) -> list[Item]:
        """The items that a visit stands for; none for what was left out."""
        kind, state, label, target = visit
        found = self._by_visit.get((kind, state, label), [])
        if len(found) > 1:  # a failure goes back during a conversation, elsewhere to where the flow says
            found = [item for item in found if (item.target == BACK) == (target == BACK)]
        if kind == OUTCOME and label in ("no_input", "no_match") and self._service_repeats(state):
            # Both lead to the same place after the same words, so the service repeats and reports one of them.
            both = [item for each in ("no_input", "no_match") for item in self._by_visit.get((kind, state, each), [])]
            attempts = range(1, self.plan["states"][state].get("times", 0) + 2)
            return both + [item for each in attempts for item in self._by_visit.get(("attempt", state, str(each)), [])]
        return found

    def _service_repeats(self, state: str) -> bool:
        return bool(self.plan["states"][state].get("encoding") == "service")

    def _found(self) -> Iterator[tuple[tuple[str, str, str], Item]]:
        outer = self.outer
        start = self.plan["start"]
        yield ("start", "", ""), Item("start", outer.name, "", "", start, own=True, span=outer.span("start"))
        for update in self.plan.get("updates", ()):
            name, target = update["name"], update["next"]
            span = outer.updates[name].span
            yield ("update", "", name), Item("update", outer.name, "", name, target, own=True, span=span)
        for full, plan in self.plan["states"].items():
            prefix, _, name = full.rpartition("/")
            flow = self.flows[f"{prefix}/" if prefix else ""]
            yield from self._of_state(full, plan, flow, flow.states[name])

    def _of_state(
        self, full: str, plan: Mapping[str, Any], flow: ResolvedFlow, state: ResolvedState
    ) -> Iterator[tuple[tuple[str, str, str], Item]]:
        def item(kind: str, label: str, target: str, span: Span, *, own: bool = True) -> Item:
            return Item(kind, flow.name, state.name, label, self._seen_from(flow, target), own, span)

        yield ("state", full, ""), item("state", "", "", state.span)
        for number in range(1, plan.get("times", 0) + 2 if state.verb in ("gather", "menu") else 1):
            yield ("attempt", full, str(number)), item("attempt", str(number), "", state.span)
        if state.verb == "use":
            yield ("use", full, ""), item("use", "", plan["start"], flow.span(*state.path, "use"))
        for key, target in plan.get("keys", {}).items():
            yield (OUTCOME, full, key), item(OUTCOME, key, target, state.edges[key].span)
        for outcome, target in plan.get("next", {}).items():
            if outcome in plan.get("keys", {}) or _never(plan, outcome):
                continue
            edge = state.edges[outcome]
            own = edge.source == "own"
            span = edge.span if own else state.span
            aside = outcome == "failed" and not own and state.aside and target != BACK
            if not aside or state.main:
                yield (OUTCOME, full, outcome), item(OUTCOME, outcome, target, span, own=own)
            if aside:
                yield (OUTCOME, full, outcome), item(OUTCOME, outcome, BACK, span, own=False)
        for key, target in plan.get("listen", {}).get("keys", {}).items():
            yield ("key", full, key), item("key", key, target, state.keys[key].span)
        if plan.get("connected") and state.connected is not None:
            yield (
                ("connected", full, "connected"),
                item("connected", "connected", plan["connected"], state.connected.span),
            )

    def _seen_from(self, flow: ResolvedFlow, target: str) -> str:
        """A full name as the file of *flow* writes it."""
        return target if flow is self.outer else target.removeprefix(f"{flow.name}/")


def _never(plan: Mapping[str, Any], outcome: str) -> bool:
    """Whether no call can bring about this outcome of a state."""
    if plan["do"] == "bridge":
        return outcome == "refused" and not plan.get("policy")
    return plan["do"] == "record_call" and outcome == "unchanged" and plan["op"] == "start"


def map_of(plan: FlowPlan, flows: tuple[ResolvedFlow, ...]) -> FlowMap:
    """The map of a compiled flow; *flows* are those that were resolved with it."""
    return FlowMap(plan, next(flow for flow in flows if flow.name == plan["name"]))
