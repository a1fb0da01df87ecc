"""Types of variables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sma_flows.flow.diagnostics import Fault
from sma_flows.flow.types import Type, check_phone, parse_type


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("digits(6)", {"t": "digits", "min": 6, "max": 6}),
        ("digits(4..8)", {"t": "digits", "min": 4, "max": 8}),
        ("text", {"t": "text", "min": 0, "max": 200}),
        ("text(50)", {"t": "text", "min": 0, "max": 50}),
        ("text(1..2048)", {"t": "text", "min": 1, "max": 2048}),
        ("number", {"t": "number"}),
        ("number = 0", {"t": "number", "initial": 0}),
        ("number = -12", {"t": "number", "initial": -12}),
        ("boolean = false", {"t": "boolean", "initial": False}),
        ("phone", {"t": "phone"}),
        ("one_of(a, b-c)", {"t": "one_of", "words": ["a", "b-c"]}),
        ("one_of(a, b) = b", {"t": "one_of", "words": ["a", "b"], "initial": "b"}),
        ("secret digits(6)", {"t": "digits", "min": 6, "max": 6, "secrecy": "secret"}),
        ("masked text(400)", {"t": "text", "min": 0, "max": 400, "secrecy": "masked"}),
        ("list(20, text(100))", {"t": "list", "min": 0, "max": 20, "item": {"t": "text", "min": 0, "max": 100}}),
        ("list(5, recording)", {"t": "list", "min": 0, "max": 5, "item": {"t": "recording"}}),
        ("digits(4) = 0042", {"t": "digits", "min": 4, "max": 4, "initial": "0042"}),
        ('text = "a, (b)"', {"t": "text", "min": 0, "max": 200, "initial": "a, (b)"}),
        ("  leg  ", {"t": "leg"}),
    ],
)
def test_a_type_is_read(text: str, expected: dict[str, Any]) -> None:
    assert parse_type(text).to_json() == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("string", "string"),
        ("digits", "digits"),
        ("digits()", ""),
        ("digits(x)", "x"),
        ("digits(200)", "200"),
        ("text(0)", "0"),
        ("number(3)", "number(3)"),
        ("one_of()", "one_of()"),
        ("one_of(a, a)", " a"),
        ("one_of(a b)", "a b"),
        ("list(text)", "list(text)"),
        ("list(0, text)", "0"),
        ("list(3, strng)", "strng"),
        ("list(3, list(4, text))", " list(4, text)"),
        ("secret", ""),
        ("secret masked text", "masked text"),
        ("number = 007x", "007x"),
        ("number =", "="),
        ("digits(4) = 12", "12"),
        ("recording = x", "x"),
        ("one_of(a) = b", "b"),
        ("phone = 2065550150", "2065550150"),
    ],
)
def test_what_is_no_type_is_shown_at_its_place(text: str, part: str) -> None:
    with pytest.raises(Fault) as caught:
        parse_type(text)
    fault = caught.value
    if part:
        shown = text[fault.offset : fault.offset + (fault.length or 0)]
        assert shown.strip() == part.strip()
    assert fault.help


def test_a_secret_has_no_start_value() -> None:
    with pytest.raises(Fault, match="a secret has no start value"):
        parse_type("secret digits(4) = 0000")


def test_an_input_has_no_start_value() -> None:
    with pytest.raises(Fault, match="a start value belongs under `vars`"):
        parse_type("number = 0", initial=False)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (parse_type("digits(8)"), "12345678"),
        (parse_type("text(10)"), "é" * 10),
        (parse_type("text(10)"), '"' * 10),
        (parse_type("text(10)"), "\\" * 10),
        (parse_type("number"), -999_999_999_999_999),
        (parse_type("boolean"), False),
        (parse_type("phone"), "+123456789012345"),
        (parse_type("one_of(a, bcd)"), "bcd"),
        (parse_type("locale"), "en-US"),
        (parse_type("leg"), "A"),
        (parse_type("prompt"), "a" * 40 + "/" + "b" * 40),
        (parse_type("list(3, digits(4))"), ["1234"] * 3),
        (parse_type("recording"), {"bucket": "b" * 63, "key": "k" * 512, "ended_by": "#"}),
    ],
)
def test_no_saved_value_is_larger_than_the_worst_size(kind: Type, value: Any) -> None:
    inner = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert len(json.dumps(inner)) - 2 <= kind.worst_bytes


@pytest.mark.parametrize(
    ("text", "help_"),
    [
        ("+1 (206) 555-0150", "write +12065550150"),
        ("2065550150", "write the number with + and its country code, such as +12065550150"),
        ("+0123456789", "write + and the country code, digits only, such as +12065550150"),
        ("sales", "write + and the country code, digits only, such as +12065550150"),
    ],
)
def test_what_is_no_telephone_number_is_answered_with_one(text: str, help_: str) -> None:
    with pytest.raises(Fault) as caught:
        check_phone(text)
    assert caught.value.help == help_


def test_a_list_in_a_list_in_a_list_is_refused_at_the_second_one() -> None:
    with pytest.raises(Fault, match="a list cannot hold lists"):
        parse_type("list(2, " * 5_000 + "text" + ")" * 5_000)
