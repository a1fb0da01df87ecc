"""Names, keys, legs, limits, visits and times of schedules."""

from __future__ import annotations

import pytest

from sma_flows.flow import values
from sma_flows.flow.diagnostics import Fault
from sma_flows.flow.values import Limit, Range, Take, Visits


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 per call", Limit("wrong", 3, "call")),
        ("10 per caller per 1h", Limit("wrong", 10, "caller", 3_600)),
        ("20 per meeting per 15m", Limit("wrong", 20, "meeting", 900)),
        ("  1  per  call ", Limit("wrong", 1, "call")),
    ],
)
def test_a_limit_is_read(text: str, expected: Limit) -> None:
    assert values.parse_limit(text, "wrong") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", Visits(5)),
        ("5 in tries", Visits(5, "tries")),
        ("5 since menu", Visits(5, None, "menu")),
        ("5 in tries since menu", Visits(5, "tries", "menu")),
    ],
)
def test_visits_are_read(text: str, expected: Visits) -> None:
    assert values.parse_visits(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-25", Range("2026-12-25", None, 0, 1440)),
        ("2026-12-24 09:00-12:00", Range("2026-12-24", None, 540, 720)),
        ("mon-fri 09:00-17:30", Range(None, (0, 1, 2, 3, 4), 540, 1050)),
        ("sat", Range(None, (5,), 0, 1440)),
        ("sat-mon", Range(None, (5, 6, 0), 0, 1440)),
        ("mon-mon", Range(None, (0,), 0, 1440)),
        ("18:00-24:00", Range(None, None, 1080, 1440)),
        ("9:00-10:00", Range(None, None, 540, 600)),
    ],
)
def test_a_range_of_a_schedule_is_read(text: str, expected: Range) -> None:
    assert values.parse_range(text) == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("mon-fri 9-17", "9-17"),
        ("mon-fry", "fry"),
        ("2026-02-30", "2026-02-30"),
        ("fri 22:00-02:00", "22:00-02:00"),
        ("fri 24:00-24:00", "24:00-24:00"),
        ("fri 09:60-10:00", "09:60-10:00"),
        ("", ""),
        ("mon tue wed", "mon tue wed"),
    ],
)
def test_what_is_no_range_is_shown_at_its_place(text: str, part: str) -> None:
    with pytest.raises(Fault) as caught:
        values.parse_range(text)
    assert text[caught.value.offset : caught.value.offset + (caught.value.length or 0)] == part


def test_take_names_a_variable_and_a_list() -> None:
    assert values.parse_take("message from messages") == Take("message", "messages")


@pytest.mark.parametrize("text", ["message", "message of messages", "Message from messages", "a from b.c"])
def test_what_takes_nothing_is_refused(text: str) -> None:
    with pytest.raises(Fault):
        values.parse_take(text)


@pytest.mark.parametrize(("text", "expected"), [("star", "*"), ("pound", "#"), ("*6", "*6"), ("02", "02"), ("#", "#")])
def test_keys_have_one_form(text: str, expected: str) -> None:
    assert values.check_key(text) == expected


@pytest.mark.parametrize("text", ["", "A", "hash", "digit", "1 2", "٣", "*" * 21])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(Fault):
        values.check_key(text)


def test_digit_is_a_key_only_where_any_digit_may_be_meant() -> None:
    assert values.check_key("digit", any_digit=True) == "digit"


@pytest.mark.parametrize("text", ["a", "ask_pin", "a1", "a" * 40])
def test_names_are_small_letters_digits_and_underscores(text: str) -> None:
    assert values.check_name(text) == text


@pytest.mark.parametrize(
    ("text", "better"),
    [("Ask-PIN", "ask_pin"), ("1st", "s_1st"), ("état", "tat"), ("", "s"), ("ask pin", "ask_pin"), ("_x", "x")],
)
def test_a_bad_name_is_answered_with_a_good_one(text: str, better: str) -> None:
    with pytest.raises(Fault) as caught:
        values.check_name(text, "state")
    assert caught.value.help == f"use a-z, 0-9 and _, such as '{better}'"
    assert values.check_name(better) == better


@pytest.mark.parametrize("text", sorted(values.RESERVED_NAMES))
def test_words_of_the_language_are_no_names(text: str) -> None:
    with pytest.raises(Fault) as caught:
        values.check_name(text, "variable")
    assert caught.value.code == "SF125"


def test_states_stand_in_no_expression_and_may_be_called_like_such_words() -> None:
    assert values.check_name("bot", "state") == "bot"
    with pytest.raises(Fault):
        values.check_name("back", "state")


@pytest.mark.parametrize("text", ["America/New_York", "Etc/UTC", "UTC", "Asia/Kolkata"])
def test_a_zone_of_the_data_base_is_known(text: str) -> None:
    assert values.check_zone(text) == text


@pytest.mark.parametrize(
    ("text", "help_"),
    [
        ("america/new_york", "write America/New_York"),
        ("New York", "write America/New_York"),
        ("Europe/Berln", "did you mean 'Europe/Berlin'?"),
    ],
)
def test_an_unknown_zone_is_answered_with_a_known_one(text: str, help_: str) -> None:
    with pytest.raises(Fault) as caught:
        values.check_zone(text)
    assert caught.value.help == help_


@pytest.mark.parametrize(
    "text", ["../../etc/passwd", "/etc/localtime", "a\0b", "", "America", "posix/UTC", "zone.tab", "America/New_York/x"]
)
def test_a_zone_is_never_a_file(text: str) -> None:
    with pytest.raises(Fault):
        values.check_zone(text)


def test_legs_are_words_or_variables() -> None:
    assert values.check_leg("B", ("A", "B")) == "B"
    assert values.check_leg("which", ("A", "B")) == "which"
    with pytest.raises(Fault):
        values.check_leg("here", ("A", "B"))


def test_without_a_data_base_of_zones_the_author_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "_exists", lambda _zone: False)
    monkeypatch.setattr(values, "_zones", frozenset)
    with pytest.raises(Fault) as caught:
        values.check_zone("America/New_York")
    assert caught.value.help == "install the Python package tzdata"
