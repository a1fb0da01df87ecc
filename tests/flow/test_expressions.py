"""Values, conditions, calls and templates."""

from __future__ import annotations

from typing import Any

import pytest

from sma_flows.flow.diagnostics import Fault
from sma_flows.flow.expressions import (
    Expr,
    HookCall,
    parse_call,
    parse_condition,
    parse_duration,
    parse_template,
    parse_value,
)
from sma_flows.flow.nodes import Scalar, Span


def scalar(text: str, quoted: bool = False) -> Scalar:
    return Scalar(text, quoted, Span("t", 1, 1, 1, len(text) + 1), 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("room", ["var", "room"]),
        ("message.key", ["var", "message", "key"]),
        ("env.OWN_NUMBER", ["env", "OWN_NUMBER"]),
        ("call.from", ["call", "from"]),
        ("call.headers.X-Ticket-Id", ["header", "x-ticket-id"]),
        ("call.headers.User-to-User", ["header", "user-to-user"]),
        ("call.user_to_user", ["call", "user_to_user"]),
        ("key.digits", ["key", "digits"]),
        ("bot.intent", ["bot", "intent"]),
        ("bot.slots", ["bot", "slots"]),
        ("bot.slots.City", ["bot", "slots", "City"]),
        ("bot.attributes.lang", ["bot", "attributes", "lang"]),
        ('"text"', ["lit", "text"]),
        ("'it''s'", ["lit", "it's"]),
        ("12", ["lit", 12]),
        ("-3", ["lit", -3]),
        ("0", ["lit", 0]),
        ("+12065550150", ["lit", "+12065550150"]),
        ("30s", ["lit", 30_000]),
        ("true", ["lit", True]),
        ("false", ["lit", False]),
        ("A", ["lit", "A"]),
        ("unset", ["unset"]),
        ("n + 1", ["+", ["var", "n"], 1]),
        ("n-1", ["-", ["var", "n"], 1]),
        ("  n  +  12 ", ["+", ["var", "n"], 12]),
        ('"+1{number}"', ["text", ["+1", ["var", "number"]]]),
        ("not_a_keyword", ["var", "not_a_keyword"]),
    ],
)
def test_a_plain_value_is_an_expression(text: str, expected: list[Any]) -> None:
    assert parse_value(scalar(text)).to_json() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("room", ["lit", "room"]),
        ("call.from", ["lit", "call.from"]),
        ("12", ["lit", "12"]),
        ("", ["lit", ""]),
        ("{meeting}#,,#", ["text", [["var", "meeting"], "#,,#"]]),
        ("{{{a}}}", ["text", ["{", ["var", "a"], "}"]]),
        ("{a}{b.key} {env.X}", ["text", [["var", "a"], ["var", "b", "key"], " ", ["env", "X"]]]),
        ("{ a }", ["text", [["var", "a"]]]),
    ],
)
def test_a_quoted_value_is_text(text: str, expected: list[Any]) -> None:
    assert parse_value(scalar(text, quoted=True)).to_json() == expected


def test_words_that_are_spoken_say_how() -> None:
    found = parse_template("Code {code as digits}, due {day  as  date}.", spoken=True)
    assert found.to_json() == [
        "text",
        ["Code ", ["as", "digits", ["var", "code"]], ", due ", ["as", "date", ["var", "day"]], "."],
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vip", ["var", "vip"]),
        ("not call.answered", ["not", ["call", "answered"]]),
        ('kind is "gold"', ["is", ["var", "kind"], ["lit", "gold"]]),
        ("kind is other", ["is", ["var", "kind"], ["var", "other"]]),
        ("kind is  not other", ["is not", ["var", "kind"], ["var", "other"]]),
        ("n < m + 1", ["<", ["var", "n"], ["+", ["var", "m"], 1]]),
        ("n>=3", [">=", ["var", "n"], ["lit", 3]]),
        ("n <= -3", ["<=", ["var", "n"], ["lit", -3]]),
        ("a and b and c", ["and", ["var", "a"], ["var", "b"], ["var", "c"]]),
        ("a or not b", ["or", ["var", "a"], ["not", ["var", "b"]]]),
        ('x in "a, b ,c"', ["in", ["var", "x"], [["lit", "a"], ["lit", "b"], ["lit", "c"]]]),
        ('x in ["a", y]', ["in", ["var", "x"], [["lit", "a"], ["var", "y"]]]),
        ("x in env.LIST", ["in", ["var", "x"], [["env", "LIST"]]]),
        (
            'call.from starts with "+1206,+1415"',
            ["starts with", ["call", "from"], [["lit", "+1206"], ["lit", "+1415"]]],
        ),
        ("handler is issue", ["is", ["var", "handler"], ["var", "issue"]]),
        ("android and order", ["and", ["var", "android"], ["var", "order"]]),
    ],
)
def test_a_condition_is_read(text: str, expected: list[Any]) -> None:
    assert parse_condition(text).to_json() == expected
    assert parse_condition(scalar(text, quoted=True)).to_json() == expected


@pytest.mark.parametrize(
    ("text", "name", "args"),
    [
        ("now", "now", []),
        ("now()", "now", []),
        ("verify_pin(meeting, pin)", "verify_pin", [["var", "meeting"], ["var", "pin"]]),
        ('note( "a, b" , n + 1, unset )', "note", [["lit", "a, b"], ["+", ["var", "n"], 1], ["unset"]]),
        ('say("{a}")', "say", [["text", [["var", "a"]]]]),
    ],
)
def test_a_call_has_a_name_and_values(text: str, name: str, args: list[Any]) -> None:
    found = parse_call(text)
    assert (found.name, [arg.to_json() for arg in found.args]) == (name, args)


def test_a_call_is_a_value() -> None:
    assert parse_call("f(x)") == HookCall("f", (Expr("var", ("x",)),))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("hello world", "world"),
        ("call.form", "call.form"),
        ("007", "007"),
        ("en-US", "en-US"),
        ("17:30", "17:30"),
        ("2026-12-24", "2026-12-24"),
        ("+1-206", "+1-206"),
        ("arn:aws:lex", ":aws:lex"),
        ("a.b.c", ".c"),
        ("bot.slots.a.b", ".b"),
        ("env.9X", "env"),
        ("1234567890123456", "1234567890123456"),
        ('"open', '"open'),
        ("$x", "$x"),
        ("90x", "90x"),
    ],
)
def test_what_is_no_value_is_shown_at_its_place(text: str, part: str) -> None:
    with pytest.raises(Fault) as caught:
        parse_value(scalar(text))
    fault = caught.value
    assert text[fault.offset : fault.offset + (fault.length or 0)] == part


def test_a_plain_word_behind_a_dash_is_to_be_quoted() -> None:
    with pytest.raises(Fault) as caught:
        parse_value(scalar("es-US"))
    assert caught.value.help == 'quote it to mean the text: "es-US"'


@pytest.mark.parametrize(
    ("text", "ms"), [("25s", 25_000), ("1500ms", 1_500), ("2m", 120_000), ("1h", 3_600_000), ("24h", 86_400_000)]
)
def test_a_duration_has_a_unit(text: str, ms: int) -> None:
    assert parse_duration(text) == ms


@pytest.mark.parametrize(
    ("text", "help_"),
    [
        ("5", "write 5s for seconds or 5ms for milliseconds"),
        ("1.5s", "write 1500ms"),
        ("20 seconds", "write 20s"),
        ("3 minutes", "write 3m"),
        ("25h", "write at most 24h"),
        ("soon", "write a whole number with ms, s, m or h, such as 25s"),
        ("-5s", "write a whole number with ms, s, m or h, such as 25s"),
    ],
)
def test_what_is_no_duration_is_answered_with_one(text: str, help_: str) -> None:
    with pytest.raises(Fault) as caught:
        parse_duration(text)
    assert caught.value.help == help_


def test_walking_meets_every_node_once() -> None:
    found = parse_condition('a is "{b}{c as digits}"'.replace(" as digits", "")).walk()
    assert [each.args[0] for each in found if each.op == "var"] == ["a", "b", "c"]


def test_only_a_literal_has_a_constant() -> None:
    assert parse_value(scalar("12")).constant == 12
    assert parse_value(scalar("n")).constant is None
