"""Third pass: every rule over every flow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sma_flows.compiler.resolved import ResolvedFlow
from sma_flows.flow.diagnostics import Diagnostic

__all__ = ["check_flows", "has_errors"]


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether anything in the list keeps a flow from being compiled."""
    return any(each.severity == "error" for each in diagnostics)


def check_flows(flows: Sequence[ResolvedFlow]) -> list[Diagnostic]:
    """What the rules say about the flows, sub-flows included, each once."""
    return []
