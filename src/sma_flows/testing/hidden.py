"""What of a call is hidden: keys of secrets and masked values. How they are told, and put into disguise by twins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from sma_flows.plan import FlowPlan
from sma_flows.testing.script import Step
from sma_flows.testing.session import Session

__all__ = ["Disguising", "disguised", "disguised_pairs", "hides", "in_words", "taken_by", "undisguised"]

Disguising = Callable[[str, str], str]
"""Given a hidden text and how hidden it is (``secret``, ``masked``): what is typed or sent in its place."""

PRESSING: Final = ("press", "callee_press")


def undisguised(text: str, _secrecy: str) -> str:
    """Everything is typed as it is written."""
    return text


def hides(plan: FlowPlan) -> bool:
    """Whether a flow has anything to hide."""
    return any(kind.get("secrecy") for kind in plan.get("vars", {}).values())


def taken_by(plan: FlowPlan) -> dict[str, Mapping[str, Any]]:
    """The types of what updates take, by name."""
    return {name: kind for one in plan.get("updates", ()) for name, kind in one.get("takes", {}).items()}


def disguised_pairs(
    pairs: Mapping[str, str], types: Mapping[str, Mapping[str, Any]], disguise: Disguising
) -> dict[str, str]:
    """Values by name; those whose type (``docs/plan.md``) says that they are hidden are in disguise."""
    secrecy = {name: types.get(name, {}).get("secrecy", "") for name in pairs}
    return {name: disguise(text, secrecy[name]) if secrecy[name] else text for name, text in pairs.items()}


def disguised(step: Step, session: Session, disguise: Disguising) -> Step:
    """The step that is done in the place of one that types or sends something hidden now."""
    if step.kind in PRESSING and session.asks_for:
        return replace(step, value=disguise(step.value, session.asks_for))
    if step.kind == "update":
        return replace(step, value=disguised_pairs(step.value, taken_by(session.plan), disguise))
    return step


def in_words(step: Step, session: Session, *, hidden: bool) -> str:
    """A step as transcripts and reports show it: the keys of a secret are in the calls file, and stay there."""
    if step.kind == "update":
        types = taken_by(session.plan)
        masked = {name: "***" for name in step.value if types.get(name, {}).get("secrecy")}
        return str(replace(step, value={**step.value, **masked}))
    return f"{step.kind}: ({len(step.value)} hidden keys)" if hidden and step.kind in PRESSING else str(step)
