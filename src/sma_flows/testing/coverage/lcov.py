"""Coverage in the form of LCOV, which editors and build servers read: lines, functions (states) and branches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sma_flows.testing.coverage.items import TRANSITIONS
from sma_flows.testing.coverage.report import FlowCoverage

__all__ = ["lcov"]


def lcov(flows: Sequence[FlowCoverage]) -> str:
    """One record for each flow file.

    A state is a function, an outcome or another transition a branch, numbered in the order of the file; every line that
    names one of them counts how many calls came by it.
    """
    return "".join(f"{line}\n" for flow in flows for line in _record(flow))


def _record(flow: FlowCoverage) -> Iterator[str]:
    yield "TN:"
    yield f"SF:{flow.file}"
    states = [one for one in flow.items if one.item.kind == "state"]
    for one in states:
        yield f"FN:{one.item.span.line},{one.item.state}"
    for one in states:
        yield f"FNDA:{len(one.calls)},{one.item.state}"
    yield f"FNF:{len(states)}"
    yield f"FNH:{sum(bool(one.calls) for one in states)}"
    entered = {one.item.state for one in states if one.calls}
    blocks = {one.item.state: number for number, one in enumerate(states, 1)}
    branches = [one for one in flow.items if one.item.kind in TRANSITIONS]
    counted: dict[str, int] = {}
    for one in branches:
        state = one.item.state
        number = counted[state] = counted.get(state, -1) + 1
        taken = str(len(one.calls)) if one.calls or not state or state in entered else "-"
        yield f"BRDA:{one.item.span.line},{blocks.get(state, 0)},{number},{taken}"
    yield f"BRF:{len(branches)}"
    yield f"BRH:{sum(bool(one.calls) for one in branches)}"
    lines: dict[int, set[str]] = {}
    for one in flow.items:
        if one.item.kind != "attempt":
            lines.setdefault(one.item.span.line, set()).update(one.calls)
    for line, calls in sorted(lines.items()):
        yield f"DA:{line},{len(calls)}"
    yield f"LF:{len(lines)}"
    yield f"LH:{sum(bool(calls) for calls in lines.values())}"
    yield "end_of_record"
