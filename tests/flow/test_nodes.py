"""Nodes and the places that documents give for paths."""

from __future__ import annotations

import pytest

from sma_flows.flow.nodes import Document, Scalar, Span, source_lines
from sma_flows.flow.source import load_text

TEXT = """\
sma_flow: 1
states:
  ask:
    menu: welcome
    keys: {star: one, "#": two}
    next: bye
    limit:
      wrong: [3 per call, 4 per call]
    prompt:
"""


@pytest.fixture
def document() -> Document:
    found, diagnostics = load_text(TEXT, "t.yaml")
    assert diagnostics == []
    assert found is not None
    return found


def at(span: Span) -> tuple[int, int]:
    return span.line, span.col


def test_a_path_leads_to_its_value_or_to_its_key(document: Document) -> None:
    assert at(document.span(("states", "ask", "menu"))) == (4, 11)
    assert at(document.span(("states", "ask", "menu"), key=True)) == (4, 5)


def test_a_map_is_shown_at_its_key(document: Document) -> None:
    assert at(document.span(("states", "ask"))) == (3, 3)


def test_a_list_element_is_found_by_its_position(document: Document) -> None:
    assert at(document.span(("states", "ask", "limit", "wrong", 1))) == (8, 27)


def test_a_path_that_leads_to_nothing_gives_its_nearest_ancestor(document: Document) -> None:
    assert at(document.span(("states", "ask", "next", ""))) == (6, 11)
    assert at(document.span(("states", "ask", "next", "failed"))) == (6, 11)
    assert at(document.span(("states", "nobody", "next"))) == (2, 1)
    assert at(document.span(("states", "ask", "limit", "wrong", 7))) == (8, 7)
    assert at(document.span(())) == (1, 1)


def test_a_value_with_nothing_in_it_is_shown_at_its_key(document: Document) -> None:
    assert at(document.span(("states", "ask", "prompt"))) == (9, 5)


def test_keys_of_the_telephone_are_found_by_their_sign(document: Document) -> None:
    assert at(document.span(("states", "ask", "keys", "*"), key=True)) == (5, 12)
    assert at(document.span(("states", "ask", "keys", "#"), key=True)) == (5, 23)


def test_the_kind_of_a_file_is_told_by_its_keys() -> None:
    kinds = {
        "sma_flow: 1": "flow",
        "sma_prompts: 1": "prompts",
        "sma_bundle: 1": "bundle",
        "calls: []": "calls",
        "a: b": "",
    }
    for text, kind in kinds.items():
        document, _ = load_text(text, "t.yaml")
        assert document is not None
        assert document.kind == kind


def test_a_part_of_a_quoted_text_is_found_behind_the_quote() -> None:
    scalar = Scalar("hello", True, Span("t", 1, 5, 1, 12), inset=1)
    assert scalar.part(1, 2) == Span("t", 1, 7, 1, 9)


def test_a_part_of_a_text_with_escapes_is_the_whole_text() -> None:
    span = Span("t", 1, 5, 1, 14)
    assert Scalar("a\tb", True, span).part(2) == span


def test_lines_are_counted_as_yaml_counts_them() -> None:
    assert source_lines("a\nb\r\nc\rd\x85e\u2028f") == ["a", "b", "c", "d", "e", "f"]
