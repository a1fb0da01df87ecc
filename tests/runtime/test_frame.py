"""The working copy of one event: legs, lists, departures."""

from __future__ import annotations

from typing import Any

import pytest

from decisions.kit import load
from properties.calls import NOW
from sma_flows.protocol.events import parse_event
from sma_flows.runtime.callstate import Call
from sma_flows.runtime.frame import HANG_UP, MAX_ACTIONS, Frame, StepError, has_departed

FLOW = """\
sma_flow: 1
name: door
entry: inbound
start: hello
states:
  hello: {say: "Hello.", next: {done: more, failed: hangup}}
  more: {say: "More.", next: {done: hangup, failed: hangup}}
"""


def frame(*legs: str, **headers: str) -> Frame:
    flow = load(FLOW).current("door")
    assert flow is not None
    people: list[dict[str, Any]] = [
        {"CallId": f"call-{leg.lower()}", "ParticipantTag": f"LEG-{leg}", "SipHeaders": headers} for leg in legs
    ]
    event = parse_event({"InvocationEventType": "RINGING", "CallDetails": {"Participants": people}})
    return Frame(flow, Call("door", flow.revision), event, NOW)


@pytest.mark.parametrize(
    ("word", "there", "expected"),
    [
        ("A", "A", ("A",)),
        ("B", "A", ()),
        ("both", "AB", ("A", "B")),
        ("both", "A", ("A",)),
        ("here", "AB", ("B",)),
        ("other", "AB", ("A",)),
        (["var", "side"], "AB", ("B",)),
        (["var", "unset"], "AB", ()),
    ],
)
def test_legs_are_named_and_only_living_ones_are_meant(word: Any, there: str, expected: tuple[str, ...]) -> None:
    made = frame(*there)
    made.vars.update({"key.leg": "B", "side": "B"})
    assert made.legs(word) == expected


def test_a_list_takes_ten_actions_and_the_rest_follows() -> None:
    made = frame("A")
    node = made.flow.node("hello")
    action = {"Type": "Speak", "Parameters": {"CallId": "call-a", "Text": "x"}}
    assert made.add(node, [("A", action, "")] * MAX_ACTIONS)
    assert not made.add(made.flow.node("more"), [("A", action, "")])
    assert made.call.then == "!more"
    made.hang_up_caller()
    assert (len(made.actions), made.call.then) == (MAX_ACTIONS, HANG_UP)


def test_nothing_is_added_for_a_caller_who_has_left() -> None:
    made = frame("B")
    assert not made.add(made.flow.node("hello"), [("A", {"Type": "Speak", "Parameters": {}}, "")])
    assert made.hang_up_caller() is None
    assert made.actions == []


def test_a_departure_is_remembered_without_its_id_and_only_the_newest_six() -> None:
    made = frame("A")
    for number in range(9):
        made.depart(f"leg-{number}")
        made.depart(f"leg-{number}")
    known = [number for number in range(9) if has_departed(made.call, f"leg-{number}")]
    assert known == [3, 4, 5, 6, 7, 8]
    assert "leg-" not in made.call.departed
    assert not has_departed(made.call, "")


def test_headers_are_found_whatever_their_case_and_user_to_user_is_decoded() -> None:
    made = frame("A", **{"X-Station": "North", "User-To-User": "48656c6c6f;encoding=hex"})
    assert made.header("x-station") == "North"
    assert made.user_to_user() == "Hello"
    assert frame("A", **{"User-to-User": "zz"}).user_to_user() is None
    assert frame("A").user_to_user() is None


def test_a_walk_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    made = frame("A")
    node = made.flow.node("hello")
    monkeypatch.setattr(type(node), "enter", lambda _self, _frame: "hello")
    with pytest.raises(StepError):
        made.walk("hello")
