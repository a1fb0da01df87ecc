"""Digit patterns: what the subset takes, and how long its entries are."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sma_flows.compiler.patterns import KEYS, PatternError, keys_pattern, parse_pattern


@pytest.mark.parametrize(
    ("text", "sent", "lengths"),
    [
        ("[0-9]{4}", "^[0-9]{4}$", {4}),
        ("^[0-9]{4,6}$", "^[0-9]{4,6}$", {4, 5, 6}),
        ("1|23", "^(1|23)$", {1, 2}),
        ("(1|2)?3", "^((1|2)?3)$", {1, 2}),
        ("\\*[1-3]", "^\\*[1-3]$", {2}),
        ("[^0]\\d", "^[^0]\\d$", {2}),
        ("0{3}(12){2}", "^0{3}(12){2}$", {7}),
        ("#", "^#$", {1}),
        ("(?:12)+", "^(?:12)+$", set(range(2, 129, 2))),
        ("1*", "^1*$", set(range(129))),
        ("1{2,}", "^1{2,}$", set(range(2, 129))),
    ],
)
def test_a_pattern_is_anchored_and_its_lengths_are_known(text: str, sent: str, lengths: set[int]) -> None:
    pattern = parse_pattern(text)
    assert pattern.text == sent
    assert pattern.lengths() == lengths


@pytest.mark.parametrize(
    "text",
    [
        "(",
        ")",
        "a",
        "[",
        "[]",
        "[a-z]",
        "[9-0]",
        "1{",
        "1{3,2}",
        "1{200}",
        "1**",
        "*1",
        "(?i)1",
        "\\w",
        "1{x}",
        "(1{128}){128}",
    ],
)
def test_a_pattern_outside_of_the_subset_is_refused(text: str) -> None:
    with pytest.raises(PatternError):
        parse_pattern(text)


def test_keys_that_are_not_there_do_not_match() -> None:
    assert parse_pattern("\\*1").lengths("0123456789") == frozenset()


@given(st.from_regex(r"\A(?:[0-9]|\[[0-4]+\]|\\d|\([12]\|3\))(?:[?+]|\{[1-3]\})?(?:[0-9]|\\\*)?\Z"))
def test_lengths_are_those_that_python_matches(text: str) -> None:
    pattern = parse_pattern(text)
    compiled = re.compile(pattern.text)
    for length in range(1, 4):
        entries = ("".join(keys) for keys in itertools.product("0123*", repeat=length))
        if any(compiled.fullmatch(entry) for entry in entries):
            assert length in pattern.lengths()


@pytest.mark.parametrize(
    ("keys", "pattern"),
    [
        (["1"], "^1$"),
        (["*"], "^\\*$"),
        (["1", "2", "3", "9", "*"], "^[1-39*]$"),
        (["1", "2"], "^[12]$"),
        (["digit", "*6"], "^([0-9]|\\*6)$"),
        (["digit", "*", "4"], "^[0-9*]$"),
        (["*7", "*6"], "^(\\*6|\\*7)$"),
        (["#", "12"], "^(#|12)$"),
    ],
)
def test_the_pattern_of_keys_is_written_briefly(keys: list[str], pattern: str) -> None:
    assert keys_pattern(keys) == pattern


@given(st.sets(st.sampled_from([*KEYS, "*6", "12", "##"]), min_size=1))
def test_the_pattern_of_keys_admits_exactly_the_keys(keys: set[str]) -> None:
    compiled = re.compile(keys_pattern(sorted(keys)))
    entries = [*KEYS, *("".join(pair) for pair in itertools.product(KEYS, repeat=2))]
    assert {entry for entry in entries if compiled.fullmatch(entry)} == keys
