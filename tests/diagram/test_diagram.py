"""Pictures of flows: every state and every way out is there, nothing lies on something else, nothing is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sma_flows.compiler import compile_paths
from sma_flows.diagram import Box, Mark, Row, boxes_of, svg
from sma_flows.diagram.layout import Layout, layout_of

FLOWS = Path(__file__).parents[2] / "flows"
NAMES = ("click-to-call", "dial-in", "front-desk", "lex-bot", "meeting-dialer", "voicemail")
SVG = "{http://www.w3.org/2000/svg}"


def plan(name: str) -> dict[str, Any]:
    result = compile_paths([FLOWS / f"{name}.yaml"])
    assert result.plan is not None
    return result.plan.flow(name)


def overlapping(layout: Layout) -> list[tuple[str, str]]:
    """Cards that lie on each other."""
    cards = [place for place in layout.places if place.box is not None]
    return [
        (one.box.name, two.box.name)  # type: ignore[union-attr]
        for number, one in enumerate(cards)
        for two in cards[number + 1 :]
        if one.x < two.x + two.width
        and two.x < one.x + one.width
        and one.y < two.y + two.height
        and two.y < one.y + one.height
    ]


def drawn_or_told(layout: Layout) -> set[tuple[str, int]]:
    wires = {(wire.start.box.name, wire.row) for wire in layout.wires if wire.start.box is not None}
    assert not wires & layout.told
    return wires | layout.told


@pytest.mark.parametrize("name", NAMES)
def test_every_way_out_of_every_state_is_drawn_or_told(name: str) -> None:
    boxes = boxes_of(plan(name))
    assert {box.name for box in boxes if not box.entry} == set(plan(name)["states"])
    layout = layout_of(boxes)
    assert drawn_or_told(layout) == {(box.name, number) for box in boxes for number in range(len(box.rows))}
    assert overlapping(layout) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_xml_and_the_same_every_time_and_fetches_nothing(name: str) -> None:
    picture = svg(boxes_of(plan(name)), name)
    assert picture == svg(boxes_of(plan(name)), name)
    root = ElementTree.fromstring(picture)
    titles = [text.text for text in root.iter(f"{SVG}text") if text.get("class") == "title"]
    assert sorted(titles) == sorted([*plan(name)["states"], "call"])
    assert "<script" not in picture
    assert picture.count("http") == 1  # the name of the format


def test_lines_lead_to_the_right_and_loops_are_told_in_words() -> None:
    layout = layout_of(boxes_of(plan("dial-in")))
    assert all(wire.start.x + wire.start.width < wire.end.x for wire in layout.wires)
    told = {(name, number) for name, number in layout.told if name == "wrong_pin"}
    assert ("wrong_pin", 0) in told  # back to ask_conference


def test_what_no_line_leads_to_stands_before_what_it_leads_to() -> None:
    places = {place.box.name: place.layer for place in layout_of(boxes_of(plan("dial-in"))).places if place.box}
    assert places["sorry"] == places["goodbye"] - 1


def test_marks_are_told_by_class_by_sign_and_by_the_names_of_calls() -> None:
    boxes = [
        Box("a", "a", "say", (Row("done", "b", True, Mark(("first call",))), Row("failed", "b", False, Mark(())))),
        Box("b", "b & <c>", "hangup", (), mark=Mark(())),
    ]
    picture = svg(boxes, "marks")
    root = ElementTree.fromstring(picture)
    wires = [path.get("class") for path in root.iter(f"{SVG}path") if path.get("marker-end")]
    assert wires == ["wire seen"]
    assert [group.get("class") for group in root.iter(f"{SVG}g") if "row" in str(group.get("class"))] == [
        "row seen", "row missed",
    ]  # fmt: skip
    assert "first call" in picture
    assert "b &amp; &lt;c&gt;" in picture


def test_a_sub_flow_is_drawn_alone_with_its_own_names() -> None:
    states = {
        "leave": {"do": "use", "flow": "message/", "start": "message/speak", "next": {"kept": "hangup"}},
        "message/speak": {"do": "record", "next": {"recorded": "message/keep"}, "own": ["recorded"]},
        "message/keep": {"do": "return", "outcome": "kept"},
    }
    flow = {"name": "desk", "start": "leave", "states": states}
    (speak, keep) = boxes_of(flow, "message/")
    assert (speak.name, speak.rows[0].target, keep.caption) == ("speak", "keep", "return kept")
    assert [box.name for box in boxes_of(flow, "")] == ["(start)", "leave"]
    assert len(boxes_of(flow)) == 4


@st.composite
def pictures(draw: st.DrawFn) -> list[Box]:
    names = [f"s{number}" for number in range(draw(st.integers(1, 14)))]
    rows = st.builds(Row, st.just("done"), st.sampled_from([*names, "hangup", "back"]), st.booleans())
    return [Box(name, name, "say", tuple(draw(st.lists(rows, max_size=5)))) for name in names]


@given(pictures())
def test_any_flow_has_a_picture_without_overlaps(boxes: list[Box]) -> None:
    layout = layout_of(boxes)
    assert overlapping(layout) == []
    assert drawn_or_told(layout) == {(box.name, number) for box in boxes for number in range(len(box.rows))}
    assert all(wire.start.layer < wire.end.layer for wire in layout.wires)
    ElementTree.fromstring(svg(boxes, "any"))
