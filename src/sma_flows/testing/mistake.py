"""A mistake in a calls file while it is read: its code, where it is, what is wrong, and what to type instead."""

from __future__ import annotations

from typing import Final

from sma_flows.flow.diagnostics import Diagnostic, report
from sma_flows.flow.nodes import Node, Span

__all__ = ["LABELS", "Mistake", "finding"]

LABELS: Final = {
    "SF501": "not known here",
    "SF502": "something is missing",
    "SF503": "of another shape",
    "SF504": "second call of this name",
    "SF505": "no such step",
    "SF506": "not possible here",
    "SF507": "no moment",
    "SF508": "no answer of a called party",
    "SF509": "no reply of a hook",
    "SF510": "no such switch or value",
    "SF511": "cannot be expected",
    "SF512": "no party is like this",
    "SF513": "no bot that can be talked to",
    "SF514": "nothing that can be strict",
    "SF515": "nobody has this number",
    "SF516": "nobody, to most flows",
    "SF517": "never comes with a call",
    "SF520": "cannot be called",
    "SF521": "never said",
    "SF522": "no such hook",
    "SF523": "no such outcome",
    "SF524": "not what the hook gives",
    "SF525": "no such state",
    "SF526": "never so",
    "SF527": "nothing will happen",
    "SF528": "no such input",
    "SF529": "the flow will hang up",
    "SF530": "the other way",
    "SF531": "no occasion for it",
    "SF532": "never read",
}


class Mistake(Exception):  # noqa: N818 - caught by whoever reads the file, and told with its place
    """Raised where a value is read; it never leaves the reader of the file."""

    def __init__(self, code: str, at: Node | Span, message: str, help_: str) -> None:
        super().__init__(message)
        self.finding = finding(code, at if isinstance(at, Span) else at.span, message, help_)


def finding(code: str, at: Span, message: str, help_: str) -> Diagnostic:
    """What is told of a mistake."""
    return report(code, at, message, label=LABELS[code], help=help_)
