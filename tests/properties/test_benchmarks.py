"""The measurements measure what they say: both handlers send the same, and every part of them still runs."""

from __future__ import annotations

import importlib
import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from properties.calls import ROOT


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives a module of ``benchmarks``, which is run from the top of the repository."""
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def test_handler_by_hand_sends_the_same_actions_as_the_compiled_flow(part: Any) -> None:
    ours, answers, theirs, _ = part("dial_in").same_actions()
    assert len(ours) == len(answers) == len(theirs) > 10


def test_joining_never_costs_an_invocation(part: Any) -> None:
    calls = part("joining").calls()
    assert len(calls) >= 6
    assert all(call.invocations <= call.without for call in calls)


def test_generated_chain_compiles_and_answers(part: Any) -> None:
    scaling = part("scaling")
    scaling.LOOPS = 2
    scaling.case(scaling.plan_of(12))()


def test_ratio_is_the_median_of_the_rounds(part: Any) -> None:
    found = part("measure").ratio({"slow": [20, 30, 40], "quick": [10, 10, 10]}, "slow", "quick")
    assert (found.value, found.low, found.high) == (3.0, 2.0, 4.0)
    assert str(found) == "3.00 (2.00..4.00)"


def test_handler_loads_none_of_the_tools(part: Any, tmp_path: Any) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(part("dial_in").load_plan().dumps(), encoding="utf-8")
    number, forbidden = part("startup").modules(str(plan))
    assert number > 50
    assert forbidden == []


def test_functions_that_are_timed_warm_do_the_same_and_write_as_many_lines(part: Any) -> None:
    ours, theirs, lines = part("warm").same_duties()
    assert len(ours) == len(theirs) > 10
    assert lines >= len(ours)


def test_warm_events_are_timed_on_both_sides(part: Any, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    warm = part("warm")
    monkeypatch.setattr(warm, "LOOPS", 1)
    ratios, each, *_ = warm.measure(1)
    assert set(ratios) == {"p50", "p99"}
    assert all(ratio.value > 0 for ratio in ratios.values())
    assert {name for name, (middle, tail) in each.items() if 0 < middle <= tail} == {"compiled", "by hand"}
    assert capfd.readouterr().out == ""  # what they log is thrown away, and not into the page


def test_two_clients_of_the_function_by_hand_do_what_its_stand_in_does(part: Any) -> None:
    dial_in, call, handwritten = part("dial_in"), part("call"), part("handwritten")
    session = boto3.session.Session("testing", "testing", region_name="us-east-1")
    table, meetings = Stubber(session.client("dynamodb")), Stubber(session.client("chime-sdk-meetings"))
    row = {"Item": {"pin": {"S": call.PIN}, "open": {"BOOL": True}}}
    key = {"TableName": "conferences", "Key": {"pk": {"S": "12345678"}}}
    table.add_response("get_item", row, key)
    table.add_response("get_item", row, key)
    meetings.add_response("create_meeting", {"Meeting": {"MeetingId": "m-1"}})
    meetings.add_response("create_attendee", {"Attendee": {"AttendeeId": "att-1", "JoinToken": dial_in.TOKEN}})
    meetings.add_response("delete_attendee", {}, {"MeetingId": "m-1", "AttendeeId": "att-1"})
    with table, meetings:
        world = part("functions.world").World(table.client, meetings.client)
        _, answers = call.events(handwritten.handler(world))
    _, expected = call.events(handwritten.handler(dial_in.World()))
    assert answers == expected
    table.assert_no_pending_responses()
    meetings.assert_no_pending_responses()


def test_a_section_can_be_measured_alone(part: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    main = part("__main__")
    monkeypatch.setattr("sys.argv", ["benchmarks", "--quick", "--only", "joining"])
    main.main()
    page = capsys.readouterr().out
    assert [line for line in page.splitlines() if line.startswith("## ")] == ["## Invocations of a call"]


def test_the_simulated_call_has_ten_events_with_both_handlers(part: Any) -> None:
    virtual = part("virtual")
    ours, theirs = virtual.call(virtual.compiled()), virtual.call(virtual.by_hand())
    assert virtual.told(ours) == virtual.told(theirs)
    assert (len(ours.events), ours.over, theirs.over) == (10, True, True)


def test_the_call_on_hold_lasts_an_hour(part: Any) -> None:
    virtual = part("virtual")
    made = virtual.hour(virtual.on_hold())
    assert made.over
    assert made.now_ms >= 3_600_000


def test_calls_are_held_at_the_same_time_and_ended(part: Any) -> None:
    found = part("virtual").held_here(20)
    assert (found["calls"], found["over"]) == (20, 20)
    assert found["high"] >= found["before"] > 0


def test_calls_are_played_in_two_processes(part: Any) -> None:
    found = part("virtual").processes(1, 1)
    assert found.clock.value > 0
    assert found.processor.value > 0


def test_a_bare_loop_hands_over_the_same_events(part: Any) -> None:
    virtual = part("virtual")
    made = virtual.call(virtual.by_hand())
    answers = []

    def function(body: str) -> str:
        answers.append(virtual.by_hand()(body))
        return str(answers[-1])

    assert virtual.bare(function, made.events) == 10
    assert [json.loads(text).get("Actions") for text in answers] == [one.get("Actions") for one in made.responses]


def test_drawn_calls_are_counted_with_the_time_of_their_processes(part: Any) -> None:
    found = part("virtual").drawn(12)
    assert found.calls >= 12
    assert found.events >= found.calls
    assert found.processor_s > 0
