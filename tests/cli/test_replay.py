"""`replay` and `invoke`: a recorded call through the whole runtime, and everything that can be wrong with the input."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sma_flows.cli.story import clock_of

from .conftest import Run, an_event, digits, hung_up

ROOT = Path(__file__).resolve().parents[2]
FLOWS, EVENTS = ROOT / "flows", ROOT / "events"


def test_a_replay_shows_what_arrived_where_it_led_and_what_was_answered(
    run: Run, plan_file: Path, events: Path
) -> None:
    result = run("replay", plan_file, events)
    assert result.exit_code == 0
    shown = re.sub(r" +\d+\.\d\d ms", "", result.stdout)
    assert "Call 1: small (revision " in shown
    assert " 1  NEW_INBOUND_CALL from +12065550101 to +12065550199\n    (start) -> ask_pin\n" in shown
    assert '      SpeakAndGetDigits "Please enter your PIN." (4 keys, # ends, 2 attempts)\n' in shown
    assert ' 2  ACTION_SUCCESSFUL SpeakAndGetDigits "***"\n    ask_pin -> welcome\n' in shown
    assert "      run check_pin(***) -> ok\n" in shown
    assert '      Speak "Welcome."\n      Hangup code 0\n' in shown
    assert " 3  HANGUP leg A code 0\n" in shown
    assert "      nothing to do\n" in shown


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_secret_is_shown_in_no_form(run: Run, plan_file: Path, events: Path, form: list[str]) -> None:
    result = run("replay", plan_file, events, *form)
    assert result.exit_code == 0
    assert "4711" not in result.output


def test_an_event_cannot_act_on_the_terminal(run: Run, plan_file: Path) -> None:
    event = an_event("NEW_INBOUND_CALL\x1b[2J", 1)
    assert "\x1b" not in run("replay", plan_file, "-", stdin=json.dumps(event)).output


def test_two_replays_are_equal_but_for_their_times(run: Run, plan_file: Path, events: Path) -> None:
    shown = [re.sub(r"\d+\.\d\d ms", "", run("replay", plan_file, events).output) for _ in range(2)]
    assert shown[0] == shown[1]


def test_json_holds_the_raw_answers(run: Run, plan_file: Path, events: Path) -> None:
    steps = json.loads(run("replay", plan_file, events, "--json").stdout)
    assert [step["event"] for step in steps] == ["NEW_INBOUND_CALL", "ACTION_SUCCESSFUL", "HANGUP"]
    assert steps[0]["response"]["SchemaVersion"] == "1.0"
    assert steps[0]["after"]["state"] == "ask_pin"
    assert steps[1]["hooks"] == ["check_pin(***) -> ok"]
    assert steps[1]["milliseconds"] > 0
    assert steps[0]["at"] == "2026-11-20T14:00:00+00:00"
    assert "difference" not in steps[0]


def test_attributes_travel_from_answer_to_event_and_replace_recorded_ones(
    run: Run, plan_file: Path, tmp_path: Path
) -> None:
    late = digits(2, "4711")
    late["CallDetails"]["TransactionAttributes"] = {"sf": "of another time"}
    lines = tmp_path / "call.jsonl"
    lines.write_text("\n".join(json.dumps(event) for event in (an_event("NEW_INBOUND_CALL", 1), late)))
    steps = json.loads(run("replay", plan_file, lines, "--json").stdout)
    assert steps[1]["before"]["state"] == "ask_pin"
    assert steps[1]["after"]["state"] == "welcome"


def test_an_event_from_the_middle_of_a_call_keeps_its_recorded_attributes(
    run: Run, plan_file: Path, events: Path, tmp_path: Path
) -> None:
    first = json.loads(run("replay", plan_file, events, "--json").stdout)[0]
    middle = digits(2, "1111")
    middle["CallDetails"]["TransactionAttributes"] = first["response"]["TransactionAttributes"]
    path = tmp_path / "middle.json"
    path.write_text(json.dumps(middle))
    (step,) = json.loads(run("replay", plan_file, path, "--json").stdout)
    assert step["before"]["state"] == "ask_pin"
    assert step["after"]["state"] == "sorry"


def test_calls_of_different_folders_do_not_meet(run: Run, plan_file: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "calls" / name).mkdir(parents=True)
        (tmp_path / "calls" / name / "1.json").write_text(json.dumps(an_event("NEW_INBOUND_CALL", 1)))
    steps = json.loads(run("replay", plan_file, tmp_path / "calls", "--json").stdout)
    assert [step["call"] for step in steps] == [1, 2]
    assert [step["before"]["state"] for step in steps] == ["", ""]
    assert run("replay", plan_file, tmp_path / "calls").stdout.count("Call ") == 2


def test_recorded_answers_are_written_checked_and_their_differences_shown(
    run: Run, plan_file: Path, events: Path
) -> None:
    nothing = run("replay", "--check", plan_file, events)
    assert nothing.exit_code == 2
    assert "--record" in nothing.stderr
    assert run("replay", "--record", "--quiet", plan_file, events).stdout == ""
    same = run("replay", "--check", "--quiet", plan_file, events)
    assert same.exit_code == 0
    assert same.stdout == "3 answers are as recorded\n"
    changed = run("replay", "--check", "--quiet", "--env", "GREETING=Your PIN, please.", plan_file, events)
    assert changed.exit_code == 1
    assert '-SpeakAndGetDigits "Please enter your PIN."' in changed.stdout
    assert '+SpeakAndGetDigits "Your PIN, please."' in changed.stdout
    assert "1 of 3 answers differ from what was recorded" in changed.stdout
    steps = json.loads(run("replay", "--check", "--json", plan_file, events).stdout)
    assert [(step["recorded"], step["difference"]) for step in steps] == [(True, [])] * 3


def test_check_reads_answers_from_json_lines(run: Run, plan_file: Path, tmp_path: Path) -> None:
    lines = tmp_path / "call.jsonl"
    pair = {"event": hung_up(1), "response": {"SchemaVersion": "1.0", "Actions": []}}
    lines.write_text(f"{json.dumps(pair)}\n{json.dumps(hung_up(2))}\n")
    result = run("replay", "--check", "--quiet", plan_file, lines)
    assert result.exit_code == 0
    assert result.stdout == "1 answers are as recorded, 1 without a recorded answer\n"
    pair["response"]["Actions"] = [{"Type": "Hangup", "Parameters": {}}]
    lines.write_text(json.dumps(pair))
    assert run("replay", "--check", plan_file, lines).exit_code == 1


def test_answers_to_lines_cannot_be_recorded(run: Run, plan_file: Path) -> None:
    result = run("replay", "--record", plan_file, "-", stdin=json.dumps(hung_up(1)))
    assert result.exit_code == 2
    assert "beside event files" in result.stderr


def test_check_and_record_exclude_each_other(run: Run, plan_file: Path, events: Path) -> None:
    assert run("replay", "--record", "--check", plan_file, events).exit_code == 2


@pytest.mark.parametrize(
    ("started", "clock"),
    [
        ("1795183200000", "2026-11-20T14:00:00+00:00"),
        (1795183200, "2026-11-20T14:00:00+00:00"),
        ("soon", "2026-11-20T15:00:00+00:00"),
        ("9" * 30, "2026-11-20T15:00:00+00:00"),
        (None, "2026-11-20T15:00:00+00:00"),
    ],
)
def test_the_clock_is_the_newest_time_in_the_event(started: Any, clock: str) -> None:
    event = an_event("NEW_INBOUND_CALL", 1)
    people = event["CallDetails"]["Participants"]
    people[0]["StartTimeInMilliseconds"] = started
    people.append({"StartTimeInMilliseconds": "1"})
    assert clock_of(event).isoformat() == clock or started in ("soon", "9" * 30, None)


def test_another_clock_can_be_given(run: Run, plan_file: Path, events: Path) -> None:
    steps = json.loads(run("replay", "--json", "--at", "2026-12-25T10:00-05:00", plan_file, events).stdout)
    assert {step["at"] for step in steps} == {"2026-12-25T10:00:00-05:00"}
    wrong = run("replay", "--at", "noon", plan_file, events)
    assert wrong.exit_code == 2
    assert "2026-11-20T09:30-05:00" in wrong.stderr


def test_invoke_prints_the_raw_answer_and_reads_stdin(run: Run, plan_file: Path) -> None:
    result = run("invoke", plan_file, "-", "--store", "memory", stdin=json.dumps(an_event("NEW_INBOUND_CALL", 1)))
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["SchemaVersion"] == "1.0"
    assert answer["Actions"][0]["Type"] == "SpeakAndGetDigits"
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize("event", [{}, {"InvocationEventType": "NEW_THING"}, {"InvocationEventType": 7}])
def test_invoke_answers_any_object(run: Run, plan_file: Path, event: dict[str, Any]) -> None:
    result = run("invoke", plan_file, "-", stdin=json.dumps(event))
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"SchemaVersion": "1.0"})


@pytest.mark.parametrize("command", ["replay", "invoke"])
@pytest.mark.parametrize(
    ("flow", "event", "says"),
    [
        ("none.yaml", "event.json", "there is no file or folder"),
        ("event.txt", "event.json", "neither a flow (.yaml) nor a compiled plan"),
        ("broken.json", "event.json", "not JSON"),
        ("other.json", "event.json", "not a compiled plan"),
        ("old.json", "event.json", "plan format 99"),
        ("plan.json", "none.json", "there is no file or folder"),
        ("plan.json", "broken.json", "broken.json:1:2: this is not JSON"),
        ("plan.json", "list.json", "this is a number"),
    ],
)
def test_bad_input_is_one_paragraph_that_says_what_to_do(
    run: Run, plan_file: Path, command: str, flow: str, event: str, says: str
) -> None:
    folder = plan_file.parent
    (folder / "event.json").write_text(json.dumps(an_event("NEW_INBOUND_CALL", 1)))
    (folder / "event.txt").write_text("?")
    (folder / "broken.json").write_text("{]")
    (folder / "list.json").write_text("[3]")
    (folder / "other.json").write_text("{}")
    (folder / "old.json").write_text('{"format": 99}')
    result = run(command, folder / flow, folder / event)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert isinstance(result.exception, SystemExit)


def test_missing_values_are_named_with_the_ways_to_give_them(run: Run, plan_file: Path, events: Path) -> None:
    (plan_file.parent / "local.env").unlink()
    result = run("replay", plan_file, events)
    assert result.exit_code == 2
    assert "GREETING" in result.stderr
    assert "--env NAME=VALUE" in result.stderr


def test_missing_hooks_are_named(run: Run, plan_file: Path, events: Path) -> None:
    (plan_file.parent / "hooks" / "pins.py").unlink()
    result = run("replay", plan_file, events)
    assert result.exit_code == 2
    assert "check_pin" in result.stderr
    assert run("replay", "--hooks", plan_file.parent / "nowhere", plan_file, events).exit_code == 2


@pytest.mark.parametrize("folder", sorted(each for each in EVENTS.iterdir() if (FLOWS / f"{each.name}.yaml").exists()))
def test_the_recorded_calls_of_our_flows_are_answered_as_recorded(run: Run, folder: Path) -> None:
    result = run("replay", "--check", "--quiet", FLOWS / f"{folder.name}.yaml", folder)
    assert result.exit_code == 0, result.stdout


def test_the_bundle_routes_each_recorded_call_to_its_flow(run: Run) -> None:
    for folder in sorted(each for each in EVENTS.iterdir() if (FLOWS / f"{each.name}.yaml").exists()):
        steps = json.loads(run("replay", "--json", FLOWS, folder).stdout)
        assert {step["flow"] for step in steps if step["flow"]} == {folder.name}
