"""The saved call: what is written is read, what is damaged is nothing. Round trips of whole calls: tests/properties."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sma_flows.runtime.callstate import LAYOUT, Call, load, save

VALUES = st.one_of(
    st.text(max_size=30),
    st.integers(-(10**9), 10**9),
    st.booleans(),
    st.lists(st.text(max_size=5), max_size=3),
    st.dictionaries(st.text("abc", min_size=1), st.text(max_size=5), max_size=3),
)
NAMES = st.from_regex(r"[@a-z][a-z0-9_./-]{0,12}", fullmatch=True)


@given(st.dictionaries(NAMES, VALUES, max_size=5), st.dictionaries(NAMES, st.integers(0, 999), max_size=4), st.data())
def test_what_is_saved_is_read_back(variables: dict[str, Any], counters: dict[str, int], data: st.DataObject) -> None:
    call = Call("desk", "0123456789ab")
    call.pos, call.base, call.n, call.q, call.flags = "ask", "talk", 7, 12, "ae"
    call.vars, call.counters = dict(variables), dict(counters)
    tokens = frozenset(data.draw(st.sets(st.sampled_from(sorted(variables) or ["none"]))))
    attributes = save(call, tokens)
    assert set(attributes) <= {"sf", "sc", "sv", "st"}
    assert all(type(text) is str and text.isascii() for text in attributes.values())
    assert load(attributes) == call
    assert save(call, tokens) == attributes


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"sf": None},
        {"sf": 3},
        {"sf": "1|a"},
        {"sf": "|".join(["9", *[""] * 16])},
        {"sf": "|".join([LAYOUT, *[""] * 16])},
        {"sf": "|".join([LAYOUT, "f", "r", "p", "", "", "", "", "x", "1", *[""] * 7])},
        {"sf": "|".join([LAYOUT, "f", "r", "p", "", "", "", "", "1", "1", *[""] * 7]), "sc": "a=b"},
        {"sf": "|".join([LAYOUT, "f", "r", "p", "", "", "", "", "1", "1", *[""] * 7]), "sc": 7},
        {"sf": "|".join([LAYOUT, "f", "r", "p", "", "", "", "", "1", "1", *[""] * 7]), "sv": "{"},
        {"sf": "|".join([LAYOUT, "f", "r", "p", "", "", "", "", "1", "1", *[""] * 7]), "sv": ["a"]},
        {"sf": "|".join([LAYOUT, "f", "r", "p", "", "", "", "", "1", "1", *[""] * 7]), "st": {"a": "b"}},
    ],
)
def test_what_is_damaged_is_no_saved_call(damaged: dict[str, Any]) -> None:
    assert load(damaged) is None


@given(
    st.dictionaries(
        st.sampled_from(["sf", "sc", "sv", "st"]), st.one_of(st.text(max_size=60), st.integers(), st.none())
    )
)
def test_nothing_that_can_stand_there_raises(attributes: dict[str, Any]) -> None:
    assert load(attributes) is None or load(attributes) is not None


def test_a_copy_can_be_changed_alone_and_shows_no_values() -> None:
    call = Call("desk", "0123456789ab")
    call.vars["pin"] = "7351"
    other = call.copy()
    other.vars["more"] = "x"
    other.counters["v:ask"] = 1
    assert (call.vars, call.counters) == ({"pin": "7351"}, {})
    assert call != other
    assert "7351" not in repr(call)
