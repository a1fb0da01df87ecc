"""Values at run time: types of what comes from outside, comparisons, texts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sma_flows.errors import PlanError
from sma_flows.runtime import values
from sma_flows.runtime.values import MismatchError, coerce, compile_condition, compile_text, compile_value, say_as


def frame(**variables: Any) -> Any:
    """As much of a frame as an expression looks at."""
    return SimpleNamespace(vars=variables)


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ({"t": "text", "max": 5}, "abc", "abc"),
        ({"t": "text", "max": 5}, 12, "12"),
        ({"t": "text", "max": 5}, True, "true"),
        ({"t": "digits", "min": 2, "max": 4}, "0123", "0123"),
        ({"t": "number"}, "-7", -7),
        ({"t": "number"}, 7, 7),
        ({"t": "boolean"}, "false", False),
        ({"t": "phone"}, "+14155550123", "+14155550123"),
        ({"t": "one_of", "words": ["a", "b"]}, "b", "b"),
        ({"t": "leg"}, "B", "B"),
        ({"t": "list", "max": 2, "item": {"t": "number"}}, ["1", 2], [1, 2]),
        ({"t": "recording"}, {"bucket": "example", "key": "k", "more": 1}, {"bucket": "example", "key": "k"}),
        ({"t": "map"}, {"a": "b", "c": None}, {"a": "b", "c": None}),
        ({"t": "digits"}, None, None),
    ],
)
def test_a_value_of_its_type_is_taken(kind: dict[str, Any], given: object, expected: object) -> None:
    assert coerce(kind, given) == expected


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ({"t": "text", "max": 2}, "abc"),
        ({"t": "text", "min": 1}, ""),
        ({"t": "text"}, ["a"]),
        ({"t": "text"}, 1.5),
        ({"t": "digits", "max": 2}, "123"),
        ({"t": "digits"}, 12),
        ({"t": "digits"}, ""),
        ({"t": "digits"}, "\u0661\u0662"),
        ({"t": "number"}, True),
        ({"t": "number"}, "1.5"),
        ({"t": "number"}, 10**15),
        ({"t": "boolean"}, "yes"),
        ({"t": "phone"}, "4155550123"),
        ({"t": "phone"}, "+0155550123"),
        ({"t": "phone"}, "+1415555012\n"),
        ({"t": "one_of", "words": ["a"]}, "b"),
        ({"t": "one_of", "words": ["a"]}, ["a"]),
        ({"t": "list", "max": 1, "item": {"t": "text"}}, ["a", "b"]),
        ({"t": "list", "max": 3, "item": {"t": "digits"}}, ["a"]),
        ({"t": "recording"}, {"bucket": "", "key": "k"}),
        ({"t": "recording"}, "s3://example/k"),
        ({"t": "map", "max": 3}, {"abc": "d"}),
        ({"t": "map"}, {"a": 1}),
        ({"t": "wish"}, "a"),
    ],
)
def test_any_other_value_is_refused_and_never_cut(kind: dict[str, Any], given: object) -> None:
    with pytest.raises(MismatchError):
        coerce(kind, given)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (["var", "word"], True),
        (["var", "no"], False),
        (["var", "missing"], False),
        (["not", ["var", "missing"]], True),
        (["and", ["var", "word"], ["var", "no"]], False),
        (["or", ["var", "no"], ["var", "word"]], True),
        (["is", ["var", "number"], ["lit", "7"]], True),
        (["is", ["var", "missing"], ["unset"]], False),
        (["is not", ["var", "missing"], ["lit", "x"]], False),
        (["is not", ["var", "word"], ["lit", "x"]], True),
        (["<", ["var", "number"], ["lit", 10]], True),
        (["<", ["var", "missing"], ["lit", 10]], False),
        ([">=", ["lit", "10"], ["var", "number"]], True),
        (["in", ["var", "word"], [["lit", "a"], ["lit", "hello"]]], True),
        (["in", ["var", "missing"], [["lit", ""]]], False),
        (["starts with", ["var", "word"], [["lit", "he"]]], True),
        (["is", ["var", "word"], ["lit", "hello"], "secret"], True),
        (["is", ["var", "word"], ["lit", "hellp"], "secret"], False),
        (["is", ["var", "missing"], ["var", "missing"], "secret"], False),
    ],
)
def test_an_unset_value_takes_the_other_branch_and_never_raises(condition: list[Any], holds: bool) -> None:
    assert bool(compile_condition(condition, {})(frame(word="hello", number=7, no=False))) is holds


def test_arithmetic_of_something_that_is_no_number_is_unset() -> None:
    plus = compile_value(["+", ["var", "n"], 2], {})
    assert [plus(frame(n=n)) for n in (3, "3", None, "x", True)] == [5, 5, None, None, None]


def test_an_operation_of_a_newer_compiler_stops_the_load() -> None:
    with pytest.raises(PlanError, match="update sma-flows"):
        compile_value(["modulo", ["lit", 1], ["lit", 2]], {})


def test_inserted_values_are_escaped_in_ssml_and_cleaned_everywhere() -> None:
    parts = ["<speak>", ["var", "name"], "</speak>"]
    assert compile_text(parts, {}, ssml=True)(frame(name="A<&\x00B")) == "<speak>A&lt;&amp;B</speak>"
    assert compile_text([["var", "name"], "!"], {})(frame(name="A<\x07B")) == "A<B!"
    assert compile_text([["var", "name"], "!"], {})(frame()) == "!"


@pytest.mark.parametrize("style", sorted(values._SAY_AS))
def test_a_value_that_is_read_in_a_style_is_escaped(style: str) -> None:
    spoken = say_as(style, "2026-12-24 <b>")
    assert "<b>" not in spoken
    assert say_as(style, None) == ""
