"""Comparing answers: what counts as a difference, and how it is shown."""

from __future__ import annotations

from typing import Any

import pytest

from sma_flows.cli.compare import difference, same

SPEAK = {"Type": "Speak", "Parameters": {"CallId": "a", "Text": "Welcome."}}
HANGUP = {"Type": "Hangup", "Parameters": {"CallId": "a", "SipResponseCode": "0"}}


def answer(*actions: dict[str, Any], **attributes: str) -> dict[str, Any]:
    found: dict[str, Any] = {"SchemaVersion": "1.0"}
    if actions:
        found["Actions"] = list(actions)
    if attributes:
        found["TransactionAttributes"] = attributes
    return found


@pytest.mark.parametrize("nothing", [{"Actions": []}, {"Actions": None}, {"TransactionAttributes": None}, {}])
def test_all_ways_to_answer_nothing_are_the_same(nothing: dict[str, Any]) -> None:
    assert same({"SchemaVersion": "1.0", **nothing}, answer())


def test_other_words_other_order_and_other_attributes_differ() -> None:
    assert not same(answer(SPEAK), answer(HANGUP))
    assert not same(answer(SPEAK, HANGUP), answer(HANGUP, SPEAK))
    assert not same(answer(SPEAK, sv="{}"), answer(SPEAK))


def header(revision: str = "aaaaaaaaaaaa", state: str = "ask", fingerprint: str = "f", last: str = "S.A.1") -> str:
    fields = ["1", "small", revision, state, *[""] * 13]
    fields[10], fields[11] = fingerprint, last
    return "|".join(fields)


def test_revision_and_digests_alone_are_no_difference_unless_asked_for() -> None:
    old, new = answer(SPEAK, sf=header()), answer(SPEAK, sf=header("bbbbbbbbbbbb", "ask", "g", "S.A.2"))
    assert same(new, old)
    assert difference(new, old, {}) == []
    assert not same(new, old, exact=True)
    assert difference(new, old, {}, exact=True)


def test_another_position_is_a_difference() -> None:
    assert not same(answer(SPEAK, sf=header()), answer(SPEAK, sf=header(state="other")))


@pytest.mark.parametrize("foreign", ["", "1|x", 7, None])
def test_a_header_of_another_make_is_compared_as_it_is(foreign: Any) -> None:
    assert same(answer(SPEAK, sf=foreign), answer(SPEAK, sf=foreign))
    assert not same(answer(SPEAK, sf=foreign), answer(SPEAK, sf="z"))


def test_a_difference_is_readable() -> None:
    other = {"Type": "Speak", "Parameters": {"CallId": "a", "Text": "Goodbye."}}
    lines = difference(answer(other), answer(SPEAK), {})
    assert "--- recorded" in lines
    assert '-Speak "Welcome."' in lines
    assert '+Speak "Goodbye."' in lines
    assert '+    Text: "Goodbye."' in lines


def test_nothing_is_named_in_a_difference() -> None:
    assert "+(no actions)" in difference(answer(), answer(SPEAK), {})


def test_a_token_is_not_shown_but_its_change_is() -> None:
    old = answer({"Type": "JoinChimeMeeting", "Parameters": {"JoinToken": "token-old"}}, st='{"t":"token-old"}')
    new = answer({"Type": "JoinChimeMeeting", "Parameters": {"JoinToken": "token-new"}}, st='{"t":"token-new"}')
    text = "\n".join(difference(new, old, {}))
    assert "token-" not in text
    assert text.count("***") >= 4


def test_recorded_actions_of_no_known_shape_are_shown_as_they_are() -> None:
    lines = difference(answer(SPEAK), {"SchemaVersion": "1.0", "Actions": ["Hangup"], "Other": 1}, {})
    assert '-"Hangup"' in lines
    assert "-Other: 1" in lines
