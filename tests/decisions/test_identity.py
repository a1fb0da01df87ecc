"""Decisions 8 to 11: which event is this the answer to.

Sequence constant, Sequence decreasing and other echoes for all scenarios: tests/scenarios/test_matrix.py. Every cell of
the reaction table: tests/properties/test_reactions.py. Here is what these two do not show.
"""

from __future__ import annotations

import copy

import pytest

from decisions.kit import Phone, Works, nothing, plan_of, texts, types

TWO_ALIKE = """\
sma_flow: 1
name: alike
entry: inbound
defaults: {next: {no_input: bye, no_match: bye, failed: bye}}
start: first
states:
  first: {menu: "Press one.", keys: {1: second}}
  second: {menu: "Press one.", keys: {1: bye, 2: third}}
  third: {menu: "Press one.", keys: {1: bye}}
  bye: {say: "Goodbye.", next: {done: hangup, failed: hangup}}
"""
HUNT = """\
sma_flow: 1
name: hunt
entry: inbound
defaults: {next: {failed: bye, refused: bye}}
start: first
states:
  first: {bridge: env.SALES, next: {ended: second, no_answer: second}}
  second: {bridge: env.OFFICE, next: {ended: bye, no_answer: bye}}
  bye: {say: "Goodbye.", next: {done: hangup, failed: hangup}}
"""


def test_states_that_end_alike_are_told_apart_by_a_millisecond() -> None:
    states = plan_of(TWO_ALIKE).flow("alike")["states"]
    assert states["first"]["tick"] != states["third"]["tick"]


@pytest.mark.parametrize("sequence", ["constant", "falling", "rising"])
def test_a_late_report_of_a_question_that_sounds_the_same_is_not_believed(sequence: str) -> None:
    phone = Phone(TWO_ALIKE)
    phone.start()
    late = phone.report(ReceivedDigits="1")
    phone.deliver(copy.deepcopy(late))
    assert phone.at.state == "second"
    late["CallDetails"]["TransactionAttributes"] = phone.attributes
    late["Sequence"] += {"constant": 0, "falling": -1, "rising": 3}[sequence]
    assert nothing(phone.react(late))


def test_an_echo_with_other_parameters_is_still_the_answer() -> None:
    """A digest is never a gate: the service may add and change what it echoes."""
    phone = Phone(TWO_ALIKE)
    phone.start()
    event = phone.report(ReceivedDigits="1")
    event["ActionData"]["Parameters"] = {"CallId": "call-a", "Repeat": "1", "New": {"a": 1}}
    assert texts(phone.react(event)) == ["Press one."]
    event["ActionData"]["Parameters"] = {}
    assert texts(phone.react(event)) == ["Press one."]


def test_a_sequence_that_cannot_be_read_drops_nothing() -> None:
    for wrong in ("x", None, -5, "7"):
        phone = Phone(TWO_ALIKE)
        event = phone.event("NEW_INBOUND_CALL")
        event["Sequence"] = wrong
        phone.deliver(event)
        event = phone.report(ReceivedDigits="1")
        event["Sequence"] = wrong
        assert types(phone.react(event)) == ["SpeakAndGetDigits"]


# -- 11


def test_a_leg_made_after_a_departure_comes_behind_a_short_pause() -> None:
    phone = Phone(HUNT).rest()
    result = phone.deliver(phone.hangup("LEG-B"))
    assert types(result) == ["Pause", "CallAndBridge"]
    assert result.actions[0]["Parameters"]["DurationInMilliseconds"] == 200


def test_a_leg_made_without_a_departure_does_not_wait() -> None:
    assert types(Phone(HUNT).start()) == ["CallAndBridge"]


def test_both_reports_of_a_departure_have_the_same_answer_from_the_same_attributes() -> None:
    phone = Phone(HUNT).rest()
    hangup = phone.hangup("LEG-B")
    twin = phone.event("ACTION_SUCCESSFUL", {"Type": "Hangup", "Parameters": {"CallId": "call-b1"}})
    one, other = phone.react(hangup), phone.react(twin)
    assert one.actions == other.actions
    assert (one.after.state, one.after.base) == (other.after.state, other.after.base)
    phone.take(one.response)
    phone.take(other.response)
    phone.run(Works())
    assert [leg.call_id for leg in phone.legs.values() if leg.alive] == ["call-a", "call-b2"]
