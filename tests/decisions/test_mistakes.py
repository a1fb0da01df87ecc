"""The 26 mistakes of the published samples (M1 to M26) cannot be made with a flow, or are found when it is compiled.

Each test shows the mistake where it would show; the names of other tests that prove more stand in its docstring.
"""

from __future__ import annotations

import copy
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

import sma_flows
from decisions.kit import ENV, NOTHING, Phone, Works, World, findings, nothing, plan_of, saved, texts, types
from properties.check import validator
from sma_flows.errors import PlanError
from sma_flows.protocol.events import EVENT_TYPES
from sma_flows.runtime.invoke import handle
from sma_flows.runtime.program import Program

DESK = """\
sma_flow: 1
name: desk
entry: inbound
vars: {number: digits(4..11), tape: recording}
hooks:
  check: {python: hooks.made:check, outcomes: [ok, wrong], effect: read, budget: 100ms}
  tidy: {python: hooks.made:tidy, effect: repeatable, budget: 100ms}
dial_policy: {allow: [+1206], deny: [+1206900]}
updates: {stop: {next: bye}}
defaults: {next: {no_input: bye, no_match: bye, exhausted: bye, refused: bye, no_answer: bye, failed: sorry}}
cleanup: [{run: tidy()}]
start: main
states:
  main: {menu: "Main.", keys: {1: ask, 2: talk, 3: message, 4: meet}, visits: 5}
  ask: {gather: number, prompt: "Which number?", next: look}
  look: {run: check(number), limit: {wrong: 3 per call}, next: {ok: dial, wrong: main, limited: bye}}
  dial: {bridge: "+1{number}", next: {ended: main}}
  talk:
    bridge: env.SALES
    keys: {1: tape_on, 2: tape_off, 5: hush}
    listen: both
    next: {ended: main}
  tape_on: {record_call: start, leg: B, to: env.VOICEMAILS, next: back}
  tape_off: {record_call: stop, leg: B, next: {done: back, unchanged: back}}
  hush: {voice_focus: on, leg: here, next: back}
  message: {record: tape, to: env.VOICEMAILS, max: 1m, next: {recorded: main}}
  meet: {join_meeting: env.ROOM, next: {left: main}}
  sorry: {say: "Sorry.", next: bye}
  bye: {say: "Goodbye.", hangup: normal}
"""
DESK_ENV = ENV | {"ROOM": "1c2d3e4f-0000-4000-8000-000000000001"}


def desk() -> Phone:
    return Phone(Program.load(plan_of(DESK), DESK_ENV))


def bridged() -> Phone:
    phone = desk().to("talk", "2")
    phone.run(Works())
    assert phone.at.base == "talk"
    return phone


def test_m01_one_answer_does_not_leak_into_the_next() -> None:
    """Two calls of one program, one event each in turn; also tests/scenarios interleave."""
    alone = [json.dumps(result.response) for result in bridged().results]
    program = Program.load(plan_of(DESK), DESK_ENV)
    pair = [Phone(program), Phone(program)]
    given: list[list[str]] = [[], []]
    for turn in range(3):
        for phone, answers in zip(pair, given, strict=True):
            if turn:
                phone.step(Works("2"))
            else:
                phone.start()
            answers.append(json.dumps(phone.last.response))
            for action in phone.last.actions:
                action["Parameters"]["Poison"] = True
    assert given == [alone[:3], alone[:3]]


def test_m02_nothing_is_sent_to_a_leg_that_is_gone() -> None:
    phone = bridged()
    for tag in ("LEG-A", "LEG-B"):
        phone.legs[tag].status = "Disconnected"
    for kind in sorted(EVENT_TYPES):
        assert phone.react(phone.event(kind)).actions == []


@pytest.mark.parametrize("leaves", ["LEG-A", "LEG-B"])
def test_m03_the_other_leg_is_released_or_led_on(leaves: str) -> None:
    phone = bridged()
    phone.leave(leaves)
    phone.run(Works())
    assert phone.over
    assert len(phone.released) == 1


def test_m04_legs_are_known_by_tag_and_not_by_place() -> None:
    phone = bridged()
    event = phone.key("5", "LEG-B")
    event["CallDetails"]["Participants"].reverse()
    for person in event["CallDetails"]["Participants"]:
        del person["Status"]
    focus = phone.react(event).actions[-1]
    assert (focus["Type"], focus["Parameters"]["CallId"]) == ("VoiceFocus", phone.legs["LEG-B"].call_id)


def test_m05_unexpected_events_do_no_harm() -> None:
    for phone in (desk().to("main"), bridged()):
        for kind in ("RINGING", "ACTION_INTERRUPTED", "NEW_OUTBOUND_CALL", "CALL_ANSWERED", "BRAND_NEW"):
            assert nothing(phone.react(phone.event(kind))), kind


def test_m06_every_answer_is_an_object_with_a_version() -> None:
    program = Program.load(plan_of(DESK), DESK_ENV)
    for event in (None, [], 3, "x", {}, {"InvocationEventType": "HANGUP"}, {"InvocationEventType": "NEW_INBOUND_CALL"}):
        response = handle(program, event, now=desk().now, services=World()).response
        assert response["SchemaVersion"] == "1.0"
        assert list(validator().iter_errors(response)) == []


def test_m07_a_failure_never_becomes_silence() -> None:
    for keys, error in (("2", "CallNotAnswered"), ("3", "SystemException"), ("4", "SystemException")):
        phone = desk().to("main")
        phone.step(Works(keys))
        assert phone.deliver(phone.failure(error=error)).actions
    assert "SF208" in findings(DESK.replace(", failed: sorry", ""))


def test_m08_the_position_is_saved_and_not_guessed() -> None:
    """Two states with the same action are told apart: tests/decisions/test_identity.py."""
    phone = desk().to("main")
    header = str((phone.attributes or {})["sf"]).split("|")
    assert "main" in header
    phone.step(Works("3"))
    assert "message" in str((phone.attributes or {})["sf"]).split("|")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("record: tape, to: env.VOICEMAILS", "record: tape, destination: env.VOICEMAILS"),
        ("voice_focus: on", 'voice_focus: "True"'),
        ("join_meeting: env.ROOM", "join_meeting: env.ROOM, attendee_join_token: env.ROOM"),
        ("bye: {say", "bye: {speak"),
        ("hangup: normal", "hangup: goodbye"),
    ],
)
def test_m09_a_wrong_name_is_found(old: str, new: str) -> None:
    with pytest.raises(AssertionError):
        plan_of(DESK.replace(old, new))


def test_m10_numbers_are_numbers_on_the_wire() -> None:
    phone = desk()
    phone.rest("1", "2065550150")
    for result in phone.results:
        for action in result.actions:
            for name, value in action["Parameters"].items():
                if name.endswith(("Milliseconds", "Seconds", "Digits", "Repeat")) and name != "TerminatorDigits":
                    assert type(value) is int, name


@pytest.mark.parametrize("typed", ["9", "12", "", "*", "11", "1a"])
def test_m11_a_key_that_was_not_offered_leads_nowhere(typed: str) -> None:
    phone = desk().to("main")
    assert texts(phone.react(phone.report(ReceivedDigits=typed))) == ["Goodbye."]
    pattern = phone.newest()[-1]["Parameters"].get("InputDigitsRegex", "^$")
    assert pattern.startswith("^")
    assert pattern.endswith("$")


@pytest.mark.parametrize(
    ("typed", "dialled"),
    [("2065550150", True), ("9005550150", False), ("2069005550", False), ("4155550123", False), ("2065", True)],
)
def test_m12_a_typed_number_is_called_only_if_the_policy_allows_it(typed: str, dialled: bool) -> None:
    phone = desk().to("ask", "1")
    phone.step(Works(typed))
    assert ("CallAndBridge" in types(phone.last)) is dialled


def test_m12_a_typed_number_without_a_policy_does_not_pass_the_compiler() -> None:
    assert "SF304" in findings(DESK.replace("dial_policy: {allow: [+1206], deny: [+1206900]}\n", ""))


def test_m13_guesses_are_counted_and_end() -> None:
    phone = Phone(Program.load(plan_of(DESK), DESK_ENV), World(check="wrong"))
    phone.rest(*["1", "12345"] * 9)
    assert len(phone.world.asked("check")) == 3
    assert phone.over


def test_m14_nothing_of_the_caller_is_an_id_or_is_saved() -> None:
    phone = desk().to("meet", "4")
    phone.run(Works())
    asked = phone.world.asked("meetings.attend")
    assert [re.sub("[a-z0-9]{26}", "", ask.token) for ask in asked] == [""]
    assert "4155550123" not in saved(phone) + json.dumps([ask.args for ask in asked])
    assert "join-" not in saved(phone)


def test_m15_clean_up_runs_once_whichever_leg_reports_the_end() -> None:
    for tags in (("LEG-A", "LEG-B"), ("LEG-B", "LEG-A")):
        phone = bridged()
        for tag in tags:
            phone.deliver(phone.hangup(tag))
        phone.deliver(phone.hangup("LEG-A"))
        assert len(phone.world.asked("tidy")) == 1


def test_m15_an_attendee_that_was_made_is_deleted() -> None:
    phone = desk().to("meet", "4")
    phone.run(Works())
    phone.leave("LEG-A")
    assert len(phone.world.asked("meetings.leave")) == 1


def test_m16_an_answer_waits_for_nothing_longer_than_it_has() -> None:
    """Hooks are stopped at their budget: tests/services/test_dispatch.py. Their sum is bounded here."""
    assert "SF408" in findings(DESK.replace("effect: read, budget: 100ms", "effect: read, budget: 3200ms"))


def test_m16_work_that_would_begin_too_late_is_not_begun() -> None:
    class Slow(World):
        def perform(self, ask: Any, deadline: float) -> Any:
            assert deadline - time.monotonic() <= 3.5
            return super().perform(ask, deadline)

    phone = Phone(Program.load(plan_of(DESK), DESK_ENV), Slow())
    phone.rest("1", "2065550150")
    assert len(phone.world.asked("check")) == 1


def test_m17_a_result_that_is_no_result_is_a_failure() -> None:
    """An un-awaited promise is truthy; here only a declared outcome is one."""
    for reply in ("true", "", "done", "OK"):
        phone = Phone(Program.load(plan_of(DESK), DESK_ENV), World(check=reply))
        phone.to("ask", "1").step(Works("12345"))
        assert texts(phone.last) == ["Sorry.", "Goodbye."]


def test_m18_no_state_of_a_call_is_kept_in_the_process() -> None:
    """Each event with a program loaded anew; in new processes: tests/scenarios/test_matrix.py."""
    phone = bridged()
    for event, result in zip(phone.events, phone.results, strict=True):
        fresh = Program.load(plan_of(DESK), DESK_ENV)
        again = handle(fresh, copy.deepcopy(event), now=phone.now, services=World())
        assert json.dumps(again.response) == json.dumps(result.response)


def test_m19_no_actions_where_the_answer_is_ignored() -> None:
    phone = bridged()
    for kind in ("RINGING", "ACTION_INTERRUPTED", "NEW_OUTBOUND_CALL"):
        assert phone.react(phone.event(kind)).response == NOTHING


def test_m20_a_recording_is_stopped_on_the_leg_it_was_started_on() -> None:
    phone = bridged()
    started = phone.deliver(phone.key("1")).actions[-1]
    phone.rest()
    stopped = phone.deliver(phone.key("2")).actions[-1]
    assert (started["Type"], stopped["Type"]) == ("StartCallRecording", "StopCallRecording")
    assert started["Parameters"]["CallId"] == stopped["Parameters"]["CallId"] == phone.legs["LEG-B"].call_id


def test_m20_a_recording_of_a_leg_that_has_gone_is_not_stopped_on_the_next_one() -> None:
    phone = bridged()
    phone.deliver(phone.key("1"))
    phone.rest()
    phone.leave("LEG-B")
    phone.step(Works("2"))
    phone.run(Works())
    assert phone.legs["LEG-B"].call_id == "call-b2"
    assert "StopCallRecording" not in types(phone.deliver(phone.key("2")))


def test_m21_every_loop_ends() -> None:
    phone = desk()
    phone.rest(*["2"] * 3)
    for _ in range(12):
        if phone.over:
            break
        phone.leave("LEG-B")
        phone.run(Works("2"))
    assert phone.over
    assert "SF217" in findings(DESK.replace(", visits: 5", ""))


BOT = """\
sma_flow: 1
name: bot
entry: inbound
vars: {topic: text(40)}
start: talk
states:
  talk:
    bot: env.BOT
    intents: [Order]
    into: {topic: slots.Topic}
    next: {Order: known, other: bye, failed: bye}
  known: {choose: {sales: topic is "sales"}, next: {sales: sold, other: bye}}
  sold: {say: "Sales.", next: {done: hangup, failed: hangup}}
  bye: {say: "Goodbye.", next: {done: hangup, failed: hangup}}
"""


@pytest.mark.parametrize(
    ("slot", "said"),
    [
        ({"Value": {"InterpretedValue": "sales"}}, "Sales."),
        ({"Value": {"OriginalValue": "sales", "InterpretedValue": None}}, "Sales."),
        (None, "Goodbye."),
        ({"Value": None}, "Goodbye."),
        ({}, "Goodbye."),
        (7, "Goodbye."),
        ({"Value": {"InterpretedValue": "spaceships"}}, "Goodbye."),
    ],
)
def test_m22_a_slot_may_be_missing_or_null(slot: object, said: str) -> None:
    phone = Phone(BOT)
    phone.start()
    intent = {"Name": "Order", "Slots": {"Topic": slot}, "State": "ReadyForFulfillment"}
    assert texts(phone.react(phone.report(IntentResult={"SessionState": {"Intent": intent}}))) == [said]
    for broken in (None, {}, {"SessionState": None}, {"SessionState": {"Intent": {"Name": None}}}):
        assert texts(phone.react(phone.report(IntentResult=broken))) == ["Goodbye."]


def test_m23_no_waiting_update_is_lost() -> None:
    """tests/decisions/test_lists.py: updates wait in order."""
    text = BOT.replace(
        "vars:", "updates: {news: {takes: {topic: text(1..40)}, during: [line], queue: 3, next: tell}}\nvars:"
    )
    text = text.replace(
        "talk:\n",
        "line: {bridge: env.SALES, next: {ended: talk, no_answer: talk, failed: talk}}\n"
        '  tell: {say: "{topic}", next: {done: back, failed: back}}\n  talk:\n',
        1,
    )
    phone = Phone(text.replace("start: talk", "start: line")).rest()
    for word in ("one", "two", "three"):
        phone.deliver(phone.updating(update="news", topic=word))
    phone.rest()
    assert [text for result in phone.results for text in texts(result)] == ["one", "two", "three"]


def test_m24_what_belongs_to_an_installation_comes_from_its_environment_and_is_checked_at_the_load() -> None:
    with pytest.raises(PlanError, match=r"ROOM.*SALES"):
        Program.load(plan_of(DESK), {"VOICEMAILS": "example-voicemails"})
    sources = Path(sma_flows.__file__).parent
    for path in sources.rglob("*.py"):
        room = path.relative_to(sources).parts[0].removesuffix(".py")
        if room in ("simulator", "testing", "phone", "deploy", "cli") or path.name.startswith("codes_"):
            continue  # tools of the desk, and examples in the catalogue of codes: nothing of it answers a call
        assert not re.search(r"(us|eu|ap)-[a-z]+-[0-9]|amazonaws\.com", path.read_text(encoding="utf-8")), path.name


def test_m25_an_exception_leads_to_the_error_path_and_not_out() -> None:
    class Raises(World):
        def perform(self, ask: Any, deadline: float) -> Any:
            raise KeyError("no number pair is free")

    phone = Phone(Program.load(plan_of(DESK), DESK_ENV), Raises(), fault=True)
    phone.to("ask", "1").step(Works("12345"))
    assert texts(phone.last) == ["Sorry.", "Goodbye."]


def test_m26_an_answer_is_believed_once_and_for_its_own_question() -> None:
    phone = desk().to("main")
    event = phone.report(ReceivedDigits="1")
    phone.deliver(copy.deepcopy(event))
    for sequence in (event["Sequence"], event["Sequence"] + 1):
        late = copy.deepcopy(event)
        late["Sequence"] = sequence
        late["CallDetails"]["TransactionAttributes"] = phone.attributes
        assert nothing(phone.react(late))
