"""The harness finds what is broken: a judge that lets everything pass would be worse than none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import faults, variations
from .conftest import good_run
from .engine import Engine, HandlerEngine, plan_text, runtime_for
from .expect import Expectation
from .harness import Run, ScenarioError
from .network import play
from .script import ScriptError, Step, Wanted, all_scripts, load_scripts, script_named
from .stubs import StoredServices, compare_calls
from .worker import FreshProcesses


@pytest.mark.parametrize(
    ("fault", "script", "finding"),
    [
        ("Leaks", "A01a", "R2: nobody is connected"),
        ("Leaks", "A05a", "in circles"),
        ("Leaks", "A08a", "nothing more was expected"),
        ("hangs_up_the_dead", "A05a", "R2: Hangup addresses leg B"),
        ("releases_nobody", "A05a", "not answered: Hangup A"),
        ("releases_nobody", "A11a", "not answered: Hangup B"),
        ("no_version", "A01a", "R1: SchemaVersion"),
        ("array", "A01a", "R1: the answer is list"),
        ("too_many", "A01a", "R1: Actions"),
        ("misspelt", "A01a", "R1: Actions"),
        ("answers_ringing", "A12a", "R3: RINGING answered with Pause"),
        ("silent", "A01a", "R4"),
        ("nested_attributes", "A01a", "E12: attribute state is not text"),
        ("huge_attributes", "A01a", "R1: attributes of"),
        ("clears_attributes", "A01a", "E12: an empty map"),
        ("saves_digits", "A07a", "R10: 48291 is in TransactionAttributes"),
        ("names_tags", "A05a", "R11: SpeakAndGetDigits without CallId"),
        ("arms_nothing", "A05a", "not answered: ReceiveDigits A"),
        ("behind_the_bridge", "A05a", "E2: CallAndBridge is followed by Pause"),
        ("Raises", "A01a", "R9: KeyError"),
        ("LogsEvents", "A07a", "R10: 14155550123 is in the log output"),
        ("LogsEvents", "A05a", "R10: [0-9]+ is in the log output"),
        ("CleansTwice", "A13a", "delete_meeting_if_empty: 1 calls expected, 4 made"),
    ],
)
def test_a_broken_handler_does_not_pass(fault: str, script: str, finding: str) -> None:
    wanted = script_named(script)
    with pytest.raises(ScenarioError, match=finding):
        play(wanted, getattr(faults, fault)(runtime_for(wanted)))


def test_a_handler_that_remembers_passes_alone_and_fails_in_fresh_processes(fresh_processes: FreshProcesses) -> None:
    script = script_named("A05a")
    run = play(script, faults.Remembers(runtime_for(script)))
    engine = fresh_processes.engine(plan_text(script.folder, script.flows), script.env, fault="Remembers")
    with pytest.raises(ScenarioError, match="replayed"):
        variations.replay(run, engine)


def test_a_handler_that_knows_one_call_passes_alone_and_fails_interleaved() -> None:
    script = script_named("A05a")
    broken = faults.OneAtATime(runtime_for(script))
    run = play(script, broken)
    other = script_named("A05c")
    pair = [(run, broken), (play(other, faults.OneAtATime(runtime_for(other))), broken)]
    with pytest.raises(ScenarioError, match="interleaved"):
        variations.interleave(pair)


def _altered(change: Callable[[variations.Event, int], None]) -> Callable[[Run, Engine], None]:
    return lambda run, engine: variations.altered(run, engine, change)


@pytest.mark.parametrize(
    ("fault", "script", "vary", "finding"),
    [
        ("TrustsSequence", "A05a", _altered(variations.decreasing_sequence), "R7: other actions"),
        ("TrustsSequence", "A05a", _altered(variations.constant_sequence), "R7: other actions"),
        ("TrustsEcho", "A05a", _altered(variations.strange_echo), "R7: other actions"),
        ("NewTokens", "A12a", variations.duplicated, "other effects than in the plain run"),
        ("NewTokens", "A09a", variations.duplicated, "1 effects were repeated"),
    ],
)
def test_a_handler_that_passes_alone_fails_in_its_variation(
    fault: str, script: str, vary: Callable[[Run, Engine], None], finding: str
) -> None:
    wanted = script_named(script)
    broken = getattr(faults, fault)
    run = play(wanted, broken(runtime_for(wanted)))
    with pytest.raises(ScenarioError, match=finding):
        vary(run, broken(runtime_for(wanted)))


@pytest.mark.parametrize("vary", [variations.strangers, variations.settled, variations.duplicated])
def test_a_handler_that_leaks_its_last_list_fails_in_every_variation(vary: Callable[[Run, Engine], object]) -> None:
    run = good_run("A05a")
    with pytest.raises(ScenarioError):
        vary(run, faults.Leaks(runtime_for(run.script)))


def test_a_handler_whose_records_hold_the_event_is_found() -> None:
    run = good_run("A05a")
    engine = HandlerEngine(plan_text(run.script.folder, run.script.flows), run.script.env)
    work = engine.handler._answer

    def talkative(event: object) -> Any:
        engine.handler.logger.info("event", extra={"raw": json.dumps(event)})
        return work(event)

    engine.handler._answer = talkative
    with pytest.raises(ScenarioError, match="R10: 12065550199 is in the log output"):
        variations.replay(run, engine)


def test_a_key_without_listener_is_a_finding() -> None:
    script = script_named("A05a")

    class Deaf(faults.Broken):
        def after(self, event: faults.Event, answer: faults.Event) -> faults.Event:
            for action in answer.get("Actions") or []:
                if action["Type"] == "ReceiveDigits":
                    action["Parameters"]["InputDigitsRegex"] = "^[2-9]$"
            return answer

    with pytest.raises(ScenarioError, match="1 would be lost"):
        play(script, Deaf(runtime_for(script)))


def test_behind_a_store_a_hook_runs_once_although_it_is_asked_again() -> None:
    run = good_run("A04a")
    services = StoredServices(run.script.stubs)
    variations.duplicated(run, runtime_for(run.script), services)
    assert len(services.ran) == 1
    assert len(run.effects) == 1


def test_an_expectation_names_what_differs() -> None:
    step = Step("X", expect=(Wanted("Speak", "A", {"Text": "~Hello"}), Wanted("Hangup", "A")))
    event = {"CallDetails": {"Participants": [{"CallId": "a", "ParticipantTag": "LEG-A"}]}}
    expectation = Expectation(step)
    said = {"Type": "Speak", "Parameters": {"CallId": "a", "Text": "Good evening"}}
    assert expectation.take([said], event) == ["Speak A does not fit: Text: ~Hello expected, 'Good evening' sent"]
    assert not expectation.complete
    pause = {"Type": "Pause", "Parameters": {"CallId": "a", "DurationInMilliseconds": 200}}
    hello = {"Type": "Speak", "Parameters": {"CallId": "a", "Text": "Hello there"}}
    assert expectation.take([pause, hello], event) == []
    assert [item.type for item in expectation.open] == ["Hangup"]


def test_calls_are_compared_by_number_and_by_argument() -> None:
    made = [["set_status", ["r-1", "confirmed"], "t1", False]]
    assert compare_calls({"set_status": "1"}, made) == []
    assert compare_calls({"set_status": [["r-1", "any"]]}, made) == []
    assert compare_calls({"set_status": [["r-1", "rejected"]]}, made) != []
    assert compare_calls({"set_status": "0"}, made) != []
    assert compare_calls({"set_status": "2"}, made) != []


def test_a_script_with_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "A99"
    folder.mkdir()
    (folder / "script.yaml").write_text(
        "scenario: A99\nscripts:\n  - name: A99a\n    steps:\n      - {event: HANGUP, expects: nothing}\n"
    )
    with pytest.raises(ScriptError, match="unknown key expects"):
        load_scripts(folder)


def test_events_are_what_the_service_sends() -> None:
    first = good_run("A05a").records[0].sent()
    (caller,) = first["CallDetails"]["Participants"]
    assert "Status" not in caller
    assert "ActionData" not in first
    assert (caller["From"], caller["To"]) == ("+14155550123", "+12065550199")
    assert first["CallDetails"]["SipRuleId"]
    told = [record.sent() for record in good_run("A09a").records]
    left = [event for event in told if event["InvocationEventType"] == "HANGUP"]
    shown = [[leg.get("Status") for leg in event["CallDetails"]["Participants"]] for event in left]
    assert shown == [["Connected", "Disconnected"], ["Connected", "Disconnected"], ["Disconnected", "Disconnected"]]
    first, second, last = ([leg["CallId"] for leg in event["CallDetails"]["Participants"]] for event in left)
    assert first[0] == second[0]
    assert first[1] != second[1] == last[1]


def test_every_acceptance_script_is_here() -> None:
    scripts = all_scripts()
    assert len({script.name for script in scripts}) == len(scripts)
    assert all(script.name.startswith(script.scenario) and script.folder.name == script.scenario for script in scripts)
    given = [script for script in scripts if re.fullmatch(r"A[0-9]{2}[a-e]", script.name)]
    assert len(given) == 65
    assert sum(len(script.steps) for script in given) >= 286
    assert {script.scenario for script in given} == {f"A{number:02}" for number in range(1, 33)}
