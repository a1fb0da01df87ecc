"""Third pass: every rule over every flow.

Rules about one flow run first. Rules about a whole call need its graph, and run when those found no error: a wrong
name would only make them say the same thing again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sma_flows.compiler.resolved import ResolvedFlow
from sma_flows.compiler.rules import asides, hooks, keys, limits, lint, names, reach, secrets, values
from sma_flows.compiler.rules.base import CALL_RULES, FLOW_RULES
from sma_flows.compiler.whole import understand
from sma_flows.flow.diagnostics import Diagnostic

__all__ = ["all_flows", "check_flows", "has_errors"]

_ROOMS = (asides, hooks, keys, limits, lint, names, reach, secrets, values)
"""Importing a module of rules registers them."""


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether anything in the list keeps a flow from being compiled."""
    return any(each.severity == "error" for each in diagnostics)


def all_flows(flows: Sequence[ResolvedFlow]) -> list[ResolvedFlow]:
    """The flows and every sub-flow below them, each file once."""
    found: dict[str, ResolvedFlow] = {}
    waiting = list(flows)
    for flow in waiting:
        if flow.document.path not in found:
            found[flow.document.path] = flow
            waiting.extend(flow.subflows.values())
    return list(found.values())


def check_flows(flows: Sequence[ResolvedFlow]) -> list[Diagnostic]:
    """What the rules say about the flows, sub-flows included, each once."""
    every = all_flows(flows)
    found = [each for flow in every for rule in FLOW_RULES for each in rule(flow)]
    found += reach.unused_prompts(every)
    if has_errors(found):
        return found
    for flow in flows:
        if flow.entry != "sub":
            whole = understand(flow)
            found += [each for rule in CALL_RULES for each in rule(whole)]
    return found
