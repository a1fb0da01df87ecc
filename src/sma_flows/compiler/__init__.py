"""The compiler: flow files become a plan, or a list of findings in the author's words.

Four passes: files to models (`load`, `parse`), names and outcomes (`resolve`), rules (`check`), plan (`lower`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sma_flows.compiler.bundle import assemble
from sma_flows.compiler.check import check_flows, has_errors
from sma_flows.compiler.load import Loaded, load
from sma_flows.compiler.lower import lower_flow
from sma_flows.compiler.resolved import Edge, ResolvedFlow, ResolvedState
from sma_flows.compiler.rules.routes import wrong_route
from sma_flows.flow.diagnostics import Diagnostic, in_order
from sma_flows.plan import Plan

__all__ = [
    "Answer",
    "CompileResult",
    "Edge",
    "ResolvedFlow",
    "ResolvedState",
    "answers",
    "check_paths",
    "compile_paths",
]


@dataclass(frozen=True, slots=True)
class Answer:
    """Who answers an outcome of a state: `source` is "own", "defaults" or "builtin"."""

    flow: str
    state: str
    outcome: str
    target: str
    source: str


@dataclass(frozen=True, slots=True)
class CompileResult:
    """What compiling gave. `plan` is None when a diagnostic is an error. `sources` are the texts that were read.

    `flows` are the resolved flows, for diagrams, machines and `answers`; they may have gaps where there are errors.
    """

    plan: Plan | None
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str]
    flows: tuple[ResolvedFlow, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing in the files is an error."""
        return not has_errors(self.diagnostics)


def compile_paths(
    paths: Sequence[Path | str], previous: Sequence[Plan] = (), keep: int = 3, hold: bool = False
) -> CompileResult:
    """Compile flow files, bundle files or folders of them into one plan.

    `previous` are plans whose calls may still run, newest first; `keep` revisions of each of their flows stay in the
    new plan. With `hold` new calls go on with the revisions of before until a roll-out gives the new ones a share.
    Author mistakes never raise: they are in `diagnostics`, in source order.
    """
    loaded, found = _check(paths)
    if has_errors(found):
        return _result(None, loaded, found)
    lowered = {flow.name: lower_flow(flow) for flow in loaded.outer}
    return _result(assemble(loaded, lowered, previous, keep, hold), loaded, found)


def check_paths(paths: Sequence[Path | str]) -> CompileResult:
    """The findings about flow files, bundle files or folders of them, without a plan."""
    loaded, found = _check(paths)
    return _result(None, loaded, found)


def _check(paths: Sequence[Path | str]) -> tuple[Loaded, list[Diagnostic]]:
    loaded = load([Path(path) for path in paths])
    found = list(loaded.diagnostics)
    if not has_errors(found):
        found += wrong_route(loaded)
        found += check_flows(loaded.flows)
    return loaded, found


def _result(plan: Plan | None, loaded: Loaded, found: Sequence[Diagnostic]) -> CompileResult:
    return CompileResult(plan, in_order(found), loaded.sources, loaded.flows)


def answers(flows: Sequence[ResolvedFlow]) -> list[Answer]:
    """For every outcome of every state, in source order, who answers it: what `check --defaults` shows."""
    out: list[Answer] = []
    seen: set[str] = set()
    waiting = list(flows)
    for flow in waiting:
        if flow.name in seen:
            continue
        seen.add(flow.name)
        waiting.extend(flow.subflows.values())
        for state in flow.states.values():
            out += [
                Answer(flow.name, state.name, outcome, edge.target, edge.source)
                for outcome, edge in state.edges.items()
            ]
    return out
