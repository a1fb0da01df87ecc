"""The quick reader and writer of JSON say what ``json`` says."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sma_flows.simulator.jsontext import dumps, loads, object_of

TEXTS = st.text(st.characters(codec=None))  # halves of surrogate pairs too
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, 2**64, -(2**63) - 1, 10**40])
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=20)


def exactly(value: Any) -> Any:
    """So that 1, 1.0 and True differ, -0.0 and 0.0 too, and the order of members counts."""
    if isinstance(value, dict):
        return [(name, exactly(inner)) for name, inner in value.items()]
    if isinstance(value, list):
        return [exactly(inner) for inner in value]
    return type(value), repr(value)


@given(VALUES, st.booleans())
def test_texts_are_read_as_json_reads_them(value: Any, escaped: bool) -> None:
    text = json.dumps(value, ensure_ascii=escaped)
    assert exactly(loads(text)) == exactly(json.loads(text))


@given(VALUES)
@example({"a": 1e16, "b": [1e-7, 5e-324, -0.0], "c": "\x00\x7f\u2028</", "d": "\ud800", "e": 10**40})
def test_what_is_written_json_reads_as_the_same_value(value: Any) -> None:
    text = dumps(value)
    text.encode()  # it can be sent
    same = exactly(json.loads(json.dumps(value)))  # two halves beside each other become one sign
    assert exactly(json.loads(text)) == same
    assert exactly(loads(text)) == same


@given(st.text('{}[]",:0123456789.eE+-truefalsn \n\t\\u', max_size=30))
@example('{"a":1,"a":2}')
@example("[1,]")
@example("01")
@example("\ufeff1")
def test_what_json_refuses_is_refused_and_nothing_else(text: str) -> None:
    try:
        value = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            loads(text)
    else:
        assert exactly(loads(text)) == exactly(value)


@pytest.mark.parametrize(
    "text", ["NaN", "-Infinity", '{"a":[Infinity]}', "1e400", "[-1e999]", "[" * 100_000, "1" * 5_000, ""]
)
def test_what_is_no_json_to_anybody_else_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(text)


def test_a_value_that_is_no_json_is_not_written() -> None:
    with pytest.raises(TypeError):
        dumps({"a": object()})
    for number in (math.inf, -math.inf, math.nan):
        for name in ("a", "\ud800"):
            with pytest.raises(ValueError, match="JSON compliant"):
                dumps({name: number})


def test_an_object_is_taken_out_of_a_text_and_nothing_else_is() -> None:
    assert object_of('{"a":[1]}') == {"a": [1]}
    assert [object_of(text) for text in ("", "[]", "3", "null", '{"a":NaN}', "{")] == [None] * 6
