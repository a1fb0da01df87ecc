"""Which list a report belongs to (decisions 8 and 9)."""

from __future__ import annotations

from typing import Any

import pytest

from decisions.kit import load
from properties.calls import NOW
from sma_flows.protocol.actions import mark
from sma_flows.protocol.events import parse_event
from sma_flows.runtime.callstate import Call
from sma_flows.runtime.turn import Turn

FLOW = """\
sma_flow: 1
name: door
entry: inbound
start: hello
states:
  hello: {say: "Hello.", next: {done: hangup, failed: hangup}}
"""
ONE, TWO, OTHER = (mark("Speak", {"Text": text}) for text in ("One.", "Two.", "Other."))


def turn(last: str, was: str, text: str = "One.", kind: str = "Speak", sequence: int = 5, owners: str = "") -> Turn:
    program = load(FLOW)
    call = Call("door", program.plan.flows["door"])
    call.last, call.was, call.q, call.owners = last, was, 4, owners
    event: dict[str, Any] = {
        "InvocationEventType": "ACTION_SUCCESSFUL",
        "Sequence": sequence,
        "CallDetails": {"Participants": [{"CallId": "call-a", "ParticipantTag": "LEG-A"}]},
        "ActionData": {"Type": kind, "Parameters": {"CallId": "call-a", "Text": text}},
    }
    return Turn(program, call, parse_event(event), NOW)


@pytest.mark.parametrize(
    ("last", "was", "fits"),
    [
        (f"S.A.{ONE}", "", "last"),
        (f"S.A.{OTHER}", "", "last"),
        ("", f"S.A.{ONE}", "was"),
        (f"S.A.{ONE}", f"S.A.{TWO}", "last"),
        (f"S.A.{TWO}", f"S.A.{ONE}", "was"),
        (f"S.A.{TWO}", f"S.A.{OTHER}", "last"),
        (f"SG.A.{ONE}", "", "none"),
        (f"S.B.{ONE}", "", "none"),
        ("rest", "", "none"),
        ("", "", "none"),
    ],
)
def test_a_report_is_late_only_when_it_fits_the_list_before_and_not_the_current_one(
    last: str, was: str, fits: str
) -> None:
    assert turn(last, was).fits() == fits


@pytest.mark.parametrize(("sequence", "fits"), [(3, "was"), (4, "last"), (5, "last"), (-1, "last")])
def test_sequence_only_breaks_a_tie(sequence: int, fits: str) -> None:
    assert turn(f"S.A.{ONE}", f"S.A.{ONE}", sequence=sequence).fits() == fits


@pytest.mark.parametrize(
    ("last", "was", "owners", "fits"),
    [
        (f"SG.A.{TWO}", "", "", "last"),
        (f"SG.A.{TWO}", "", f"S.A.{ONE}=hello", "last"),
        (f"G.A.{TWO}", f"S.A.{ONE}", "", "was"),
        (f"G.A.{TWO}", "", "", "none"),
    ],
)
def test_any_action_of_the_current_list_can_fail(last: str, was: str, owners: str, fits: str) -> None:
    assert turn(last, was, owners=owners).fits_failure() == fits
