"""The fault matrix: ways to every state, all flows of the repository green, and what it found before stays mended."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sma_flows.cli.app import cli
from sma_flows.simulator.messages import Break, Callee, HangUp, Talk, Update
from sma_flows.simulator.switches import SwitchError
from sma_flows.testing import Function, Lab, Listen, Press, Setting, Silence
from sma_flows.testing.faults import COLUMNS, fault_matrix
from sma_flows.testing.fuzz import fuzz_flows
from sma_flows.testing.reach import acting, ways_of
from sma_flows.testing.targets import Target, Turn

from .test_fuzz import ENV, EVERYTHING, FLOWS, ROOT

MOVERS = """\
sma_flow: 1
name: movers
entry: inbound
hooks:
  look: {python: hooks.made:look, effect: read, budget: 400ms}
  note: {python: hooks.made:note, effect: once, budget: 400ms}
  ended: {python: hooks.made:ended, effect: once, budget: 400ms}
updates:
  news: {takes: {words: text(1..40)}, next: tell}
cleanup:
  - run: ended()
defaults:
  next: {no_input: bye, no_match: bye, exhausted: bye, failed: sorry}
start: greet
states:
  greet: {say: "Hello.", next: talk}
  talk:
    bridge: env.SALES
    keys: {1: ask, 2: free}
    visits: 3
    next: {ended: after, no_answer: bye, failed: sorry}
  ask: {run: look(), next: {done: told, failed: told}}      # while two parties talk
  told: {say: "Told.", next: back}
  tell: {run: note(), next: {done: told, failed: told}}
  free: {hangup: normal, leg: B, next: after}
  after: {run: note(), next: {done: bye, failed: sorry}}    # right after a hang-up: its second report comes meanwhile
  sorry: {say: "Sorry.", next: bye}
  bye: {say: "Goodbye.", hangup: normal}
"""


@pytest.fixture
def flow(tmp_path: Path) -> Callable[..., Lab]:
    def made(text: str, **options: Any) -> Lab:
        path = tmp_path / "made.yaml"
        path.write_text(text, "utf-8")
        return Lab(path, env=ENV, watched=True, **options)

    return made


# ---- ways ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_a_way_is_found_to_every_state_and_leads_there(path: Path) -> None:
    lab = Lab(path, watched=True)
    found = ways_of(lab)
    assert found.missed == set()
    for way in found.ways.values():
        moves = (*way.before, way.last) if way.last is not None else way.before
        trial = lab.play(way.setting, moves, way.given)
        met = {state for turn in trial.watch.turns for kind, state, _, _ in turn.trail if kind in ("state", "action")}
        assert way.state in met | {ask.call.state for turn in trial.watch.turns for ask in turn.asks}


NAMES = {"PIN": "826405", "BOT": ENV["BOT_ALIAS"], "UTTERANCES": "example-utterances"}
SCENARIOS = sorted(
    path
    for path in (ROOT / "tests" / "scenarios").glob("A*/*.yaml")
    if re.search(r"^entry: (inbound|outbound)", path.read_text("utf-8"), re.MULTILINE)
)
UNREACHABLE = {
    # With a bot configured, nobody hears that there is none: see the test below.
    "A06/flow.yaml": ("not_in_service",),
}


def scenario_lab(path: Path) -> Lab:
    """The flow of a scenario with some value for each name of its environment."""
    texts = [each.read_text("utf-8") for each in path.parent.glob("*.yaml")]
    named = {name for text in texts for name in re.findall(r"env\.([A-Z_]+)", text)}
    return Lab(path, env={**dict.fromkeys(named, "+12065550150"), **ENV, **NAMES}, watched=True)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_way_is_found_to_every_state_of_the_scenarios(path: Path) -> None:
    found = ways_of(scenario_lab(path))
    assert found.missed == set(UNREACHABLE.get(f"{path.parent.name}/{path.name}", ()))


def test_the_state_for_a_line_without_a_bot_is_reached_where_there_is_none() -> None:
    found = ways_of(Lab(ROOT / "tests" / "scenarios" / "A06" / "flow.yaml", watched=True))
    assert "not_in_service" in found.ways


def test_who_is_at_work_is_known_inside_of_a_list() -> None:
    lab = Lab(ROOT / "flows" / "front-desk.yaml", watched=True)
    with lab.call(lab.setting(), lambda _ask: "done") as trial:
        assert acting(trial) == ("hours", "Speak")
        trial.make(Silence())
        assert acting(trial) == ("main_menu", "SpeakAndGetDigits")
        trial.make(Listen())
        trial.make(Press("1"))
        assert acting(trial) == ("sales", "Speak")
        trial.make(Listen())
        assert acting(trial) == ("sales", "CallAndBridge")
        trial.make(Callee("answers"))
        trial.make(Listen())
        assert acting(trial) == ("sales", "joined")


def test_a_state_that_cannot_be_reached_is_not_green(flow: Callable[..., Lab]) -> None:
    text = """\
sma_flow: 1
name: odd
entry: inbound
vars: {pin: secret digits(6)}
start: ask
states:
  ask: {gather: pin, prompt: "PIN?", next: {done: check, no_input: hangup, no_match: hangup, failed: hangup}}
  check: {choose: {right: pin is call.id}, next: {right: inside, other: hangup}}
  inside: {say: "Inside.", next: {done: hangup, failed: hangup}}
"""
    matrix = fault_matrix(flow(text))
    assert matrix.missed == ("inside",)
    assert ("inside", "hang-up A") not in matrix.cells


# ---- matrices --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_the_matrix_of_a_flow_is_green(path: Path) -> None:
    matrix = fault_matrix(Lab(path, watched=True))
    assert [f"{cell.state}: {cell.column}: {one.violation}" for cell in matrix.red for one in cell.red] == []
    assert matrix.missed == ()
    assert matrix.calls > 100
    for state in set(matrix.states) - set(matrix.silent):
        assert any(matrix.cells[state, column].calls for column in COLUMNS), state


@pytest.mark.parametrize("name", ["A23", "A28"])
def test_calls_that_are_told_two_things_at_a_time_are_sound(name: str) -> None:
    """The scenarios whose answers can overlap, with the journal that a store gives them."""
    path = ROOT / "tests" / "scenarios" / name / "flow.yaml"
    env = dict.fromkeys(re.findall(r"env\.([A-Z_]+)", path.read_text()), "+12065550150")
    lab = Lab(path, env={"PROMPTS": "example-prompts", **env}, watched=True)
    assert lab.flow["overlap"]
    matrix = fault_matrix(lab)
    assert [f"{cell.state}: {cell.column}: {one.violation}" for cell in matrix.red for one in cell.red] == []
    assert sum(cell.calls for (_, column), cell in matrix.cells.items() if column == "overlap") >= 10


def test_every_kind_of_fault_is_brought_about_where_it_can_be(flow: Callable[..., Lab]) -> None:
    matrix = fault_matrix(flow(MOVERS))
    assert [f"{cell.state}: {cell.column}: {one.violation}" for cell in matrix.red for one in cell.red] == []
    assert matrix.missed == ()
    assert {column for (_, column), cell in matrix.cells.items() if cell.calls} == set(COLUMNS)
    # Both parties, a key, the update and an interruption, in both orders; after a hang-up also its second report.
    assert matrix.cells["ask", "overlap"].calls == 10
    assert matrix.cells["after", "overlap"].calls >= 6


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The switches of each call that a lab makes."""
    found: list[dict[str, str]] = []
    call = Lab.call

    def noted(lab: Lab, setting: Setting, *rest: Any, **more: Any) -> Any:
        found.append(dict(setting.switches))
        return call(lab, setting, *rest, **more)

    monkeypatch.setattr(Lab, "call", noted)
    return found


def test_a_switch_of_the_lab_holds_in_every_call_of_the_matrix(
    flow: Callable[..., Lab], settings: list[dict[str, str]]
) -> None:
    fault_matrix(flow(MOVERS, switches={"hangup_order": "success_first"}))
    assert {one["hangup_order"] for one in settings} == {"success_first"}
    assert {one.get("overlap") for one in settings} == {None, "parallel"}


@pytest.mark.parametrize(("value", "drawn"), [("success_first", {"success_first"}), ("hangup_first", {None})])
def test_a_switch_of_the_lab_holds_in_every_drawn_call(
    flow: Callable[..., Lab], settings: list[dict[str, str]], value: str, drawn: set[str | None]
) -> None:
    fuzz_flows([flow(MOVERS, switches={"hangup_order": value})], calls=60)
    assert {one.get("hangup_order") for one in settings} == drawn
    assert len({frozenset(one) for one in settings}) > 1


def test_a_lab_refuses_a_switch_that_does_not_exist(flow: Callable[..., Lab]) -> None:
    with pytest.raises(SwitchError):
        flow(MOVERS, switches={"overlap": "maybe"})


def test_processes_at_work_get_the_switches_too(flow: Callable[..., Lab]) -> None:
    path, switches = flow(MOVERS).path, {"hangup_during_action": "observed"}
    (here,) = fuzz_flows([flow(MOVERS, switches=switches)], calls=300)
    done = [fuzz_flows([path], calls=300, workers=2, env=ENV, switches=each)[0].events for each in (switches, {})]
    assert done[0] == here.events != done[1]


def test_a_lab_that_is_not_watched_makes_no_matrix() -> None:
    with pytest.raises(ValueError, match="watched=True"):
        fault_matrix(Lab(FLOWS[0]))


class Forgetful:
    """A handler that never releases the callee when the caller has left."""

    scripted = True

    def __init__(self, inner: Target) -> None:
        self.inner = inner

    def answer(self, event: str, at_ms: int, now: datetime) -> Turn:
        turn = self.inner.answer(event, at_ms, now)
        return replace(turn, response='{"SchemaVersion": "1.0"}') if turn.kind == "HANGUP" else turn


def test_a_red_cell_shows_its_calls() -> None:
    matrix = fault_matrix(Lab(ROOT / "flows" / "front-desk.yaml", watched=True, wrap=Forgetful))
    red = {(cell.state, cell.column) for cell in matrix.red}
    assert ("sales", "hang-up A") in red
    (one,) = matrix.cells["sales", "hang-up B"].red
    assert one.violation.invariant == "never silent"
    assert "LEG-B hangs up" in "\n".join(one.violation.transcript)
    for found in (found for cell in matrix.red for found in cell.red):
        lab = Lab(found.flow, wrap=Forgetful)
        again = lab.play(found.setting, found.moves, found.given)
        assert found.violation.invariant in {each.invariant for each in again.violations}, found.as_python()
    assert matrix.cells["main_menu", "hang-up A"].colour == "green"


# ---- what was found once ---------------------------------------------------------------------------------------------


def test_a_listener_that_cannot_be_registered_does_not_leave_the_caller_in_silence() -> None:
    lab = Lab(EVERYTHING, env=ENV)
    closed = Setting(at=datetime(2026, 11, 22, 3, 0, tzinfo=UTC))
    trial = lab.play(closed, [Listen(), Break(("ReceiveDigits",)), Talk(2_000), Listen()], {})
    assert trial.violations == ()
    assert [turn.after.state for turn in trial.watch.turns if turn.kind == "ACTION_FAILED"] == ["main"]


def test_a_failure_that_fits_two_lists_belongs_to_the_one_that_runs() -> None:
    lab = Lab(ROOT / "tests" / "scenarios" / "A22" / "flow.yaml", env={**ENV, "UTTERANCES": "example-utterances"})
    same_file = Update((("final", "no"), ("file", "hold.wav")))
    broken = Break(("PlayAudio",), "InvalidAudioSource", running=True)
    trial = lab.play(lab.setting(), [Silence(), Silence(), same_file, broken, Listen()], {})
    assert trial.violations == ()
    assert [turn.kind for turn in trial.watch.turns][-2:] == ["ACTION_FAILED", "HANGUP"]


def test_a_callee_who_cannot_be_released_at_once_is_released_after_all() -> None:
    lab = Lab(ROOT / "flows" / "front-desk.yaml")
    moves = [Listen(), Press("1"), Listen(), Callee("answers"), Listen(), Break(("Hangup",)), HangUp("LEG-A")]
    trial = lab.play(lab.setting(), moves, {})
    assert trial.violations == ()
    assert trial.session.phone.over


def test_last_words_that_fail_do_not_leave_the_caller_in_silence() -> None:
    lab = Lab(ROOT / "flows" / "dial-in.yaml")
    for broken in (Break(("Speak",)), Break(("Hangup",))):
        trial = lab.play(lab.setting(), [Listen(), Function("garbled"), broken, Press("1"), Listen()], {})
        assert trial.violations == (), broken
        assert [turn.kind for turn in trial.watch.turns][-3:] == ["INVALID_LAMBDA_RESPONSE", "ACTION_FAILED", "HANGUP"]


def test_an_outbound_call_that_was_not_answered_yet_can_still_begin() -> None:
    lab = Lab(ROOT / "flows" / "click-to-call.yaml")
    moves = [Function("garbled"), Callee("rings"), Callee("answers"), Listen(), Press("2"), Listen()]
    trial = lab.play(lab.setting(), moves, {})
    assert trial.violations == ()
    assert "declined" in str(trial.session.variables) or "offer" in trial.session.states


# ---- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def run() -> Callable[..., Result]:
    return lambda *arguments: CliRunner().invoke(cli, ["faults", *arguments])


def test_the_command_prints_the_table(run: Callable[..., Result]) -> None:
    done = run(str(ROOT / "flows" / "click-to-call.yaml"))
    assert done.exit_code == 0, done.output
    assert "calls, none went wrong" in done.output
    assert all(column in done.output for column in COLUMNS)
    assert "sends nothing" in done.output


def test_the_command_writes_a_page_and_json(run: Callable[..., Result], tmp_path: Path) -> None:
    page = tmp_path / "build" / "faults.html"
    done = run(str(ROOT / "flows" / "click-to-call.yaml"), "--html", str(page), "--json")
    (told,) = json.loads(done.output)
    assert told["missed"] == []
    assert told["states"]["connect"]["hang-up B"]["colour"] == "green"
    text = page.read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert text.count('<td class="green">') == sum(
        bool(cell["calls"]) for state in told["states"].values() for cell in state.values()
    )


def test_a_red_cell_ends_with_1_and_shows_transcript_and_test(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sma_flows.testing.targets import InProcess

    monkeypatch.setattr("sma_flows.testing.lab.InProcess", lambda world: Forgetful(InProcess(world)))
    page = tmp_path / "faults.html"
    done = run(str(ROOT / "flows" / "click-to-call.yaml"), "--html", str(page))
    assert done.exit_code == 1
    assert "RED " in done.output
    assert "def test_the_call_is_sound" in done.output
    assert 'class="red"' in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [((), "Missing argument"), (("nowhere.yaml",), "no file or folder"), ((str(EVERYTHING),), "environment values")],
)
def test_wrong_usage_is_said(run: Callable[..., Result], arguments: tuple[str, ...], problem: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert problem in done.output


def test_settings_of_ways_are_told() -> None:
    lab = Lab(ROOT / "flows" / "front-desk.yaml", watched=True)
    ways = ways_of(lab).ways
    assert ways["after_hours"].setting.at != Setting().at
