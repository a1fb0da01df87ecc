"""A whole call: the graph of a flow with its sub-flows, and what liveness says about it. Worked out once per flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sma_flows.compiler.facts import sizes_of
from sma_flows.compiler.liveness import Live, Pending, always_kept, keep_lists, live, pending
from sma_flows.compiler.lower_ask import encoding_of
from sma_flows.compiler.program import Program, build_program
from sma_flows.compiler.resolved import ResolvedFlow

__all__ = ["Whole", "asks_again", "understand"]


@dataclass(frozen=True, slots=True)
class Whole:
    """What rules about a whole call and the lowering both need."""

    program: Program
    live: Live
    pending: Mapping[str, Pending]
    keep: Mapping[str, frozenset[str]]
    always: Mapping[str, tuple[str, ...]]


def asks_again(program: Program) -> list[str]:
    """Questions that the runtime itself asks again, so that what they insert must still be known then."""
    return [
        name
        for name, node in program.nodes.items()
        if node.state.verb in ("gather", "menu") and encoding_of(node.flow, node.state) == "runtime"
    ]


def understand(flow: ResolvedFlow) -> Whole:
    """The whole call of a flow that takes calls."""
    found: Whole | None = flow.memo.get("whole")
    if found is None:
        program = build_program(flow)
        solved = live(program, asks_again(program))
        sizes = sizes_of(program)
        waits = pending(program, sizes)
        kept = keep_lists(program, solved, waits, sizes)
        found = flow.memo["whole"] = Whole(program, solved, waits, kept, always_kept(program))
    return found
