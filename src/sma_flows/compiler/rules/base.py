"""What rules have in common: the registry, and places of words inside of values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from sma_flows.compiler.resolved import ResolvedFlow
from sma_flows.compiler.uses import Place
from sma_flows.compiler.whole import Whole
from sma_flows.flow.diagnostics import Diagnostic
from sma_flows.flow.nodes import Document, Scalar, Seq, Span

__all__ = ["CALL_RULES", "FLOW_RULES", "CallRule", "FlowRule", "Whole", "call_rule", "flow_rule", "names", "word_span"]

FlowRule: TypeAlias = Callable[[ResolvedFlow], Iterator[Diagnostic]]
"""A rule about one flow, asked for every flow and sub-flow."""


CallRule: TypeAlias = Callable[[Whole], Iterator[Diagnostic]]
"""A rule about a whole call, asked for every flow that takes calls."""

FLOW_RULES: Final[list[FlowRule]] = []
CALL_RULES: Final[list[CallRule]] = []


def flow_rule(rule: FlowRule) -> FlowRule:
    """Register a rule about one flow."""
    FLOW_RULES.append(rule)
    return rule


def call_rule(rule: CallRule) -> CallRule:
    """Register a rule about a whole call. Such rules run only when no flow rule found an error."""
    CALL_RULES.append(rule)
    return rule


def word_span(document: Document, place: Place, word: str) -> Span:
    """Where a word stands inside the value at a place, or the value itself if that cannot be said."""
    node = document.node(place)
    for scalar in node.items if isinstance(node, Seq) else (node,):
        if isinstance(scalar, Scalar):
            found = re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", scalar.text)
            if found:
                return scalar.part(found.start(), len(word))
    return document.span(place)


def names(words: Sequence[str], last: str = "and") -> str:
    """`'a', 'b' and 'c'`."""
    quoted = [f"'{word}'" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"
