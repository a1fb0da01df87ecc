"""No entry of a `next` can be lost unnoticed: without it the flow does not compile, or a default takes its place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sma_flows.compiler import CompileResult, answers, compile_paths
from sma_flows.flow.nodes import Document, Mapping_, Node
from sma_flows.flow.source import load_document

from .desk import FLOW_NAMES, FLOWS


@dataclass(frozen=True)
class Cut:
    """One entry of one `next`, and the flow's text without it. ``state`` is empty for the defaults."""

    flow: str
    state: str
    outcome: str
    text: str

    def __str__(self) -> str:
        return f"{self.flow}:{self.state or 'defaults'}.{self.outcome or 'next'}"


def cuts_of(flow: str) -> Iterator[Cut]:
    """Every way to leave out one entry of a `next` of this flow."""
    document, _ = load_document(FLOWS / f"{flow}.yaml")
    assert document is not None
    states = document.root.get("states")
    assert isinstance(states, Mapping_)
    defaults = document.root.get("defaults")
    places = [("", defaults), *((name.text, state) for name, state in states.entries)]
    for name, holder in places:
        following = holder.get("next") if isinstance(holder, Mapping_) else None
        if isinstance(following, Mapping_):
            for left_out, _ in following.entries:
                kept = [f"{key.text}: {value.text}" for key, value in following.entries if key is not left_out]
                text = _replaced(document, following, "{" + ", ".join(kept) + "}")
                yield Cut(flow, name, left_out.text, text)
        elif following is not None:
            yield Cut(flow, name, "", _replaced(document, following, "{}"))


def _replaced(document: Document, node: Node, new: str) -> str:
    """The document's text with a node written anew."""
    span = node.span
    if isinstance(node, Mapping_):
        last = node.entries[-1][1].span
        closing = document.lines[last.end_line - 1][last.end_col - 1 :].lstrip().startswith("}")
        span = span.to(last)
        end_col = document.lines[last.end_line - 1].index("}", last.end_col - 1) + 2 if closing else last.end_col
        opening = document.lines[span.line - 1][span.col - 1] == "{"
        assert opening == closing
    else:
        end_col = span.end_col
    lines = document.lines
    before = "\n".join([*lines[: span.line - 1], lines[span.line - 1][: span.col - 1]])
    after = "\n".join([lines[span.end_line - 1][end_col - 1 :], *lines[span.end_line :]])
    return before + new + after


def compiled(cut: Cut, folder: Path) -> CompileResult:
    shutil.copytree(FLOWS, folder / "flows", dirs_exist_ok=True)
    path = folder / "flows" / f"{cut.flow}.yaml"
    path.write_text(cut.text, encoding="utf-8")
    return compile_paths([path])


CUTS = [cut for flow in FLOW_NAMES for cut in cuts_of(flow)]


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_an_entry_that_is_left_out_is_an_error_or_answered_by_a_default(cut: Cut, tmp_path: Path) -> None:
    result = compiled(cut, tmp_path)
    if not result.ok:
        missing = [found.message for found in result.diagnostics if found.name == "unhandled-outcome"]
        assert any(f"'{cut.state}'" in message or not cut.state for message in missing), str(cut)
        assert any(f"'{cut.outcome}'" in message or not cut.outcome for message in missing), str(cut)
        return
    assert cut.state, f"{cut}: a default that nobody needs"
    told = {
        one.source
        for one in answers(result.flows)
        if one.flow == cut.flow and one.state == cut.state and one.outcome == (cut.outcome or one.outcome)
    }
    assert "own" not in told
    assert told, f"{cut}: nobody answers this outcome"


def test_every_flow_has_entries_to_leave_out() -> None:
    assert {cut.flow for cut in CUTS} == set(FLOW_NAMES)
    assert len(CUTS) > 100
