"""Coverage of flows by calls: what was come by and by which calls, in figures, as text and as an object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sma_flows.flow.nodes import Scalar
from sma_flows.flow.source import load_document
from sma_flows.runtime.frame import Visit
from sma_flows.testing.coverage.advice import Advice, Guide
from sma_flows.testing.coverage.items import OUTCOME, TRANSITIONS, FlowMap, Item, map_of
from sma_flows.testing.world import checked

__all__ = ["Coverage", "Covered", "Figure", "FlowCoverage"]

FIGURES: Final[Mapping[str, Sequence[str]]] = {
    "states": ("state",),
    "transitions": TRANSITIONS,
    "outcomes": (OUTCOME,),
    "attempts": ("attempt",),
}
"""What is counted, and which kinds of items belong to it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """How many of all were come by."""

    visited: int
    total: int

    @property
    def percent(self) -> float:
        """100 where there is nothing to come by."""
        return 100.0 * self.visited / self.total if self.total else 100.0

    def __str__(self) -> str:
        return f"{self.visited}/{self.total}"


@dataclass(frozen=True, slots=True)
class Covered:
    """An item with the names of the calls that came by it."""

    item: Item
    calls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FlowCoverage:
    """One flow file: outer or sub-flow. ``items`` in the order of the file; ``guide`` knows the ways through it."""

    name: str
    file: str
    items: tuple[Covered, ...]
    guide: Guide = field(repr=False)

    def advice(self, item: Item) -> Advice | None:
        """What to write so that a call comes by *item*; None when no way leads there."""
        return self.guide.to(item)

    @property
    def figures(self) -> dict[str, Figure]:
        """The figures by name."""
        out = {}
        for name, kinds in FIGURES.items():
            mine = [one for one in self.items if one.item.kind in kinds]
            out[name] = Figure(sum(bool(one.calls) for one in mine), len(mine))
        return out

    @property
    def missed(self) -> list[Covered]:
        """What no call came by."""
        return [one for one in self.items if not one.calls]

    @property
    def percent(self) -> float:
        """The lowest of the figures."""
        return min(figure.percent for figure in self.figures.values())


class Coverage:
    """Collects the visits of calls. Nothing of the flows is looked at before :meth:`flows`."""

    def __init__(self) -> None:
        self._visits: dict[str, dict[Visit, list[str]]] = {}

    def add(self, flow: Path, call: str, visits: Iterable[Visit]) -> None:
        """A call of this name has come by *visits* in *flow*."""
        known = self._visits.setdefault(str(flow), {})
        for visit in visits:
            known.setdefault(visit, []).append(call)

    def expect(self, flow: Path) -> None:
        """This flow counts, even if no call is ever made to it."""
        self._visits.setdefault(str(flow), {})

    def expect_beside(self) -> None:
        """All outer flows in the folders of the called ones count."""
        for folder in sorted({Path(flow).parent for flow in self._visits}):
            for path in sorted(folder.glob("*.yaml")):
                document = load_document(path)[0]
                entry = document.root.get("entry") if document is not None and document.kind == "flow" else None
                if isinstance(entry, Scalar) and entry.text != "sub":
                    self.expect(path)

    def too_low(self, least: float | None) -> list[str]:
        """A line for each figure of a flow that is below *least* per cent. None: nothing can be too low."""
        if least is None:
            return []
        return [
            f"{flow.name}: {figure.percent:.1f} % of its {name} ({figure}), and at least {least:g} % are wanted"
            for flow in self.flows()
            for name, figure in flow.figures.items()
            if figure.percent < least
        ]

    def dump(self) -> list[Any]:
        """Everything collected as plain values, for :meth:`load` in another process."""
        return [
            [flow, [[list(visit), calls] for visit, calls in known.items()]] for flow, known in self._visits.items()
        ]

    def load(self, dumped: Iterable[Any]) -> None:
        """Add what another process has collected."""
        for flow, known in dumped:
            self.expect(Path(flow))
            for visit, calls in known:
                for call in calls:
                    self.add(Path(flow), call, [tuple(visit)])

    def flows(self) -> list[FlowCoverage]:
        """The flows that calls were made to and the sub-flows they use, each once. Those with errors are left out."""
        maps: dict[str, FlowMap] = {}
        hits: dict[Item, dict[str, None]] = {}
        for path, visits in sorted(self._visits.items()):
            result = checked(Path(path)) if Path(path).is_file() else None
            if result is None or result.plan is None:
                continue
            map_ = map_of(result.plan.flow(next(iter(result.plan.flows))), result.flows)
            for item in map_.items:
                hits.setdefault(item, {})
            for visit, calls in visits.items():
                for item in map_.of(visit):
                    hits[item].update(dict.fromkeys(calls))
            for name in map_.files:
                maps.setdefault(name, map_)
        guides = {name: Guide(map_) for name, map_ in maps.items()}
        out = []
        for name, map_ in maps.items():
            mine = sorted((item for item in hits if item.flow == name), key=lambda item: (item.span, *_order(item)))
            covered = tuple(Covered(item, tuple(hits[item])) for item in mine)
            out.append(FlowCoverage(name, map_.files[name], covered, guides[name]))
        return out


def _order(item: Item) -> tuple[int, str, str]:
    kinds = ("start", "update", "state", "attempt", "use", OUTCOME, "key", "connected")
    return kinds.index(item.kind), item.label, item.target


def table_lines(flows: Sequence[FlowCoverage]) -> Iterator[str]:
    """The figures of each flow, and of all together."""
    head = ["flow", *FIGURES]
    rows = [[flow.name, *(_cell(figure) for figure in flow.figures.values())] for flow in flows]
    if len(flows) > 1:
        rows.append(["all", *(_cell(figure) for figure in total(flows).values())])
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    for row in [head, *rows]:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def missed_lines(flows: Sequence[FlowCoverage]) -> Iterator[str]:
    """What no call has come by: place, what it is, and what to write. Of a state that nobody sees, that is enough."""
    for flow in flows:
        if flow.missed:
            yield ""
            yield f"{flow.name}: no call comes by"
        unseen = {one.item.state for one in flow.missed if one.item.kind == "state"}
        for one in flow.missed:
            item = one.item
            yield f"  {item.span.file}:{item.span.line}  {item}"
            if item.kind == "state" or item.state not in unseen:
                yield f"      write {flow.advice(item) or 'another flow: no way leads here from the start'}"


def _cell(figure: Figure) -> str:
    return f"{figure} {figure.percent:.0f} %" if figure.total else "-"


def total(flows: Iterable[FlowCoverage]) -> dict[str, Figure]:
    """The figures of all flows together."""
    sums = dict.fromkeys(FIGURES, Figure(0, 0))
    for flow in flows:
        for name, figure in flow.figures.items():
            sums[name] = Figure(sums[name].visited + figure.visited, sums[name].total + figure.total)
    return sums


def as_object(flows: Sequence[FlowCoverage]) -> dict[str, Any]:
    """The report for programs."""
    return {
        "figures": {name: _figure(figure) for name, figure in total(flows).items()},
        "flows": [
            {
                "flow": flow.name,
                "file": flow.file,
                "figures": {name: _figure(figure) for name, figure in flow.figures.items()},
                "items": [_item(flow, one) for one in flow.items],
            }
            for flow in flows
        ],
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {"visited": figure.visited, "total": figure.total, "percent": round(figure.percent, 2)}


def _item(flow: FlowCoverage, one: Covered) -> dict[str, Any]:
    item = one.item
    advice = None if one.calls else flow.advice(item)
    return {
        "kind": item.kind,
        "state": item.state,
        "label": item.label,
        "target": item.target,
        "own": item.own,
        "file": item.span.file,
        "line": item.span.line,
        "column": item.span.col,
        "calls": list(one.calls),
        **({"write": advice.as_object()} if advice is not None else {}),
    }
