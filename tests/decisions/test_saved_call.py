"""Decisions 1 to 7: what is saved, and what is believed."""

from __future__ import annotations

import ast
import copy
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import sma_flows.runtime
from decisions.kit import NOTHING, Phone, World, findings, load, nothing, saved, texts, types
from properties.calls import NOW
from sma_flows.runtime import callstate
from sma_flows.runtime.invoke import handle

TALK = """\
sma_flow: 1
name: talk
entry: inbound
hooks:
  greet: {python: hooks.made:greet, outcomes: {done: {name: text(1..10)}}, effect: read, budget: 100ms}
defaults: {next: {failed: bye}}
start: find
states:
  find: {run: greet(), next: hello}
  hello: {say: "Hello {name}.", next: ask}
  ask: {menu: "Shall we connect?", keys: {1: talk}, next: {no_input: bye, no_match: bye}}
  talk: {bridge: env.SALES, keys: {1: tell}, next: {ended: later, no_answer: bye}}
  tell: {say: "Still here.", next: back}
  later: {say: "{call.headers.x-station} says goodbye.", next: bye}
  bye: {hangup: normal}
"""
HOURS = """\
sma_flow: 1
name: hours
entry: inbound
schedules: {office: {zone: America/New_York, open: [mon-fri 09:00-17:00]}}
start: when
states:
  when: {schedule: office, next: {open: hello, closed: sorry}}
  hello: {say: "We are open.", next: {done: hangup, failed: hangup}}
  sorry: {say: "We are closed.", next: {done: hangup, failed: hangup}}
"""


def named() -> World:
    return World(greet=("done", {"name": "Ann"}))


def bridged() -> Phone:
    phone = Phone(TALK, named()).to("talk", "1").rest()
    assert phone.at.base == "talk"
    return phone


# -- 1


def test_the_saved_call_knows_no_leg() -> None:
    """That all 33 scenarios pass so is shown by the scenarios: they thread these very attributes."""
    phone = bridged()
    assert [leg for leg in phone.legs.values() if leg.call_id in saved(phone)] == []


def test_a_participant_without_status_is_alive_and_only_disconnected_is_not() -> None:
    phone = bridged()
    event = phone.key("1")
    for person in event["CallDetails"]["Participants"]:
        del person["Status"]
    assert types(phone.react(event)) == ["ReceiveDigits", "Speak"]
    event["CallDetails"]["Participants"][1]["Status"] = "Disconnected"
    assert texts(phone.react(event)) == [" says goodbye."]


# -- 2


def test_the_saved_call_has_four_keys_at_most_and_only_texts() -> None:
    phone = bridged()
    assert set(phone.attributes or {}) <= {"sf", "sc", "sv", "st"}
    header = str((phone.attributes or {})["sf"]).split("|")
    assert header[0] == callstate.LAYOUT
    assert (header[1], header[3], header[5]) == ("talk", "talk", "talk"), "positions are names"


@pytest.mark.parametrize("attributes", [{"CurrentState": "menu"}, {"sf": "2|x"}, {"sf": ""}, {"sc": "a=1"}, {"sf": 7}])
def test_foreign_or_unknown_attributes_are_no_saved_call(attributes: dict[str, Any]) -> None:
    assert callstate.load(attributes) is None


# -- 3


@pytest.mark.parametrize("name", ["A name that is far too long", "", 7.5, ["Ann"]])
def test_a_result_that_is_not_of_its_type_is_a_failure_and_never_cut(name: object) -> None:
    phone = Phone(TALK, World(greet=("done", {"name": name})))
    assert types(phone.start()) == ["Hangup"]


def test_a_call_that_could_outgrow_its_attributes_does_not_compile() -> None:
    later = next(line for line in TALK.splitlines() if line.startswith("  later:"))
    hello = next(line for line in TALK.splitlines() if line.startswith("  hello:"))
    keeping = TALK.replace(hello, "  hello: {set: {known: name}, next: ask}")
    keeping = keeping.replace(later, "  later: {choose: {some: known}, next: {some: bye, other: bye}}")
    keeping = keeping.replace("hooks:", "vars: {known: TYPE}\nhooks:").replace("text(1..10)", "TYPE")
    assert findings(keeping.replace("TYPE", '"list(2, text(1000))"')).count("SF409") == 0
    assert findings(keeping.replace("TYPE", '"list(9, text(1900))"')).count("SF409") == 1


# -- 4


def test_a_variable_that_nobody_reads_again_is_not_saved() -> None:
    phone = Phone(TALK, named())
    phone.start()
    assert texts(phone.last) == ["Hello Ann.", "Shall we connect?"]
    assert "Ann" not in saved(phone)


def test_a_header_that_is_read_later_is_saved_at_the_first_event() -> None:
    """Whether later events repeat it is not known."""
    phone = Phone(TALK, named())
    event = phone.event("NEW_INBOUND_CALL")
    event["CallDetails"]["Participants"][0]["SipHeaders"] = {"X-Station": "North"}
    phone.deliver(event)
    phone.to("talk", "1").rest()
    assert texts(phone.deliver(phone.hangup("LEG-B"))) == ["North says goodbye."]


def test_numbers_are_read_from_the_event_and_not_saved() -> None:
    phone = bridged()
    assert "0123" not in saved(phone)
    assert "0199" not in saved(phone)


# -- 5


def test_attributes_are_complete_or_absent_and_never_empty() -> None:
    phone = bridged()
    unknown = phone.react(phone.event("ACTION_INTERRUPTED"))
    assert unknown.response == NOTHING
    phone.deliver(phone.key("1"))
    for result in phone.results:
        attributes = result.response.get("TransactionAttributes", {"sf": ""})
        assert "sf" in attributes


# -- 6


def test_the_same_event_with_the_old_attributes_gets_the_same_bytes_and_with_the_new_ones_nothing() -> None:
    phone = bridged()
    event = phone.key("1")
    first = phone.deliver(copy.deepcopy(event))
    again = phone.react(copy.deepcopy(event))
    assert json.dumps(again.response) == json.dumps(first.response)
    event["CallDetails"]["TransactionAttributes"] = phone.attributes
    assert nothing(phone.react(event))


# -- 7


def test_now_is_an_input_of_the_step() -> None:
    program = load(HOURS)
    event = Phone(program).event("NEW_INBOUND_CALL")
    said = [texts(handle(program, event, now=NOW + timedelta(hours=h), services=World())) for h in (0, 12, 0)]
    assert said == [["We are open."], ["We are closed."], ["We are open."]]


def test_the_runtime_has_no_clock_and_no_dice_of_its_own() -> None:
    """Only ``work`` looks at the monotonic clock, for the deadline of what it asks."""
    found = []
    for path in sorted(Path(sma_flows.runtime.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if {"time", "random", "uuid", "secrets"} & {*names, module}:
                found.append(path.name)
            if (
                isinstance(node, ast.Attribute)
                and node.attr in ("now", "utcnow", "today")
                and path.name != "program.py"
            ):
                owner = node.value
                if isinstance(owner, ast.Attribute) and owner.attr in ("datetime", "date"):
                    found.append(f"{path.name}: {node.attr}")
    assert found == ["work.py"]
