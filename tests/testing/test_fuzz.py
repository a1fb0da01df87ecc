"""Drawn calls: the flows of the repository are sound; a drawn call can be written down and happens again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings

from sma_flows.cli.app import cli
from sma_flows.simulator.messages import Break, HangUp, Stray
from sma_flows.testing import Lab, Reproduction, Trial, Violation, fuzz_call, fuzz_flow, trials
from sma_flows.testing.play import play_call
from sma_flows.testing.reproduce import reproduction
from sma_flows.testing.script import read_calls
from sma_flows.testing.strategies import UnsoundError
from sma_flows.testing.targets import Target, Turn

ROOT = Path(__file__).parents[2]
FLOWS = sorted((ROOT / "flows").glob("[!b]*.yaml"))
EVERYTHING = ROOT / "tests" / "properties" / "everything" / "everything.yaml"
ENV = {
    "SALES": "+12065550150",
    "PROMPTS": "example-prompts",
    "RECORDINGS": "example-recordings",
    "VOICEMAILS": "example-voicemails",
    "BOT_ALIAS": "arn:aws:lex:us-east-1:111122223333:bot-alias/EXAMPLEBOT/TSTALIASID",
}


@pytest.mark.parametrize("flow", FLOWS, ids=lambda path: path.stem)
def test_every_drawn_call_of_a_flow_is_sound(flow: Path) -> None:
    fuzz_call(flow, max_examples=200)()


def test_every_drawn_call_of_a_flow_with_every_verb_is_sound() -> None:
    fuzz_call(EVERYTHING, max_examples=200, env=ENV)()


class Strands:
    """A handler that does not release anybody when somebody hangs up."""

    scripted = True

    def __init__(self, inner: Target) -> None:
        self.inner = inner

    def answer(self, event: str, at_ms: int, now: datetime) -> Turn:
        turn = self.inner.answer(event, at_ms, now)
        return replace(turn, response='{"SchemaVersion": "1.0"}') if turn.kind == "HANGUP" else turn


def test_a_broken_handler_is_found_and_its_call_made_small() -> None:
    done = fuzz_flow(Lab(ROOT / "flows" / "front-desk.yaml", wrap=Strands), calls=2_000, seed=1)
    (found,) = done.found
    assert found.violation.invariant == "never silent"
    assert found.steps <= 8
    assert found.violation.transcript[-1].endswith("operator") or found.violation.transcript
    assert 0 < done.calls < 2_000
    assert done.positions["main_menu"]


def test_a_call_is_told_as_it_was_found_when_there_is_no_time_to_make_it_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sma_flows.testing.fuzz.SHRINKING_S", 0)
    done = fuzz_flow(Lab(ROOT / "flows" / "front-desk.yaml", wrap=Strands), calls=2_000, seed=1)
    (found,) = done.found
    assert found.violation.invariant == "never silent"
    assert again_of(found).violations


def again_of(found: Reproduction) -> Trial:
    return Lab(found.flow, wrap=Strands).play(found.setting, found.moves, found.given)


class Remembers(Strands):
    """Strands the callee of every second call that comes to one."""

    calls = 0

    def answer(self, event: str, at_ms: int, now: datetime) -> Turn:
        turn = self.inner.answer(event, at_ms, now)
        if turn.kind == "HANGUP" and turn.actions:
            Remembers.calls += 1
            return replace(turn, response='{"SchemaVersion": "1.0"}') if Remembers.calls % 2 else turn
        return turn


def test_a_handler_that_remembers_other_calls_is_found_although_no_call_happens_again() -> None:
    Remembers.calls = 0
    done = fuzz_flow(Lab(ROOT / "flows" / "front-desk.yaml", wrap=Remembers), calls=2_000, seed=1)
    assert [found.violation.invariant for found in done.found] == ["repeats alike"]


def test_a_test_with_drawn_calls_fails_with_the_transcript() -> None:
    lab = Lab(ROOT / "flows" / "front-desk.yaml", wrap=Strands)
    with pytest.raises(UnsoundError, match=r"never silent: LEG-. stays connected and idle\n  \|") as caught:
        fuzz_call(lab, max_examples=2_000)()
    assert caught.value.trial.violations


def again(trial: Trial) -> Trial:
    return trial.lab.play(trial.setting, trial.moves, trial.given)


@pytest.mark.parametrize("name", ["dial-in", "click-to-call", "lex-bot"])
def test_a_drawn_call_happens_again_in_the_same_way(name: str) -> None:
    lab = Lab(ROOT / "flows" / f"{name}.yaml")

    @settings(max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(trials(lab))
    def same(trial: Trial) -> None:
        assert again(trial).session.lines == trial.session.lines
        trial.watch.found = [Violation("made up", "for the test", 0)]
        found = reproduction(trial)
        written: dict[str, Any] = {}
        exec(found.as_python(), written)
        written["test_the_call_is_sound"]()
        text = found.as_calls(Path("flows/calls"))
        if text is None:
            return
        file, problems = read_calls(text, "flows/calls/made.calls.yaml")
        assert file is not None, problems
        played = play_call(lab.path, file.calls[0])
        assert [turn.kind for turn in played.turns] == [turn.kind for turn in trial.watch.turns]
        assert [turn.after for turn in played.turns] == [turn.after for turn in trial.watch.turns]

    same()


def test_what_call_scripts_have_no_word_for_is_left_to_python() -> None:
    lab = Lab(ROOT / "flows" / "dial-in.yaml")
    for move in (Stray("RINGING"), Break(("Pause",), "Odd"), HangUp(code=486)):
        with lab.call(lab.setting(), lambda _ask: "ok") as trial:
            trial.make(move)
            trial.watch.found = [Violation("made up", "for the test", 0)]
            assert reproduction(trial).as_calls() is None
            assert type(move).__name__ in reproduction(trial).as_python()


# ---- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def run() -> Callable[..., Result]:
    return lambda *arguments: CliRunner().invoke(cli, ["fuzz", *arguments])


def test_the_command_says_what_it_did(run: Callable[..., Result]) -> None:
    done = run(str(ROOT / "flows" / "click-to-call.yaml"), "--calls", "20", "--workers", "1")
    assert done.exit_code == 0, done.output
    assert "click-to-call.yaml: 20 calls, " in done.output
    assert "invariants held in 20 calls" in done.output


def test_the_same_seed_draws_the_same_calls(run: Callable[..., Result]) -> None:
    flow = str(ROOT / "flows" / "click-to-call.yaml")

    def drawn(seed: int) -> Any:
        (told,) = json.loads(run(flow, "--calls", "30", "--workers", "1", "--json", "--seed", str(seed)).output)
        return told["events"], told["positions"]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_several_processes_draw_what_one_draws() -> None:
    flow = ROOT / "flows" / "click-to-call.yaml"
    one, two = (fuzz_flow(flow, calls=300, seed=3, workers=workers) for workers in (1, 2))
    assert (one.calls, one.events, one.positions) == (two.calls, two.events, two.positions)


def test_what_was_found_is_shown_and_written(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sma_flows.testing.lab.InProcess", lambda world: Strands(InProcess(world)))
    from sma_flows.testing.targets import InProcess

    flow = str(ROOT / "flows" / "front-desk.yaml")
    done = run(flow, "--calls", "2000", "--workers", "1", "--save", str(tmp_path / "found"))
    assert done.exit_code == 1
    assert "never silent" in done.output
    assert {path.suffix for path in (tmp_path / "found").iterdir()} <= {".py", ".yaml"}
    assert "def test_the_call_is_sound" in next((tmp_path / "found").glob("*.py")).read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "name a flow"),
        (("nowhere.yaml",), "there is no file or folder 'nowhere.yaml'"),
        ((str(ROOT / "docs"),), "there is no flow in"),
        ((str(ROOT / "flows" / "bundle.yaml"), "--env", "X"), "write NAME=VALUE"),
        ((str(EVERYTHING),), "environment values are missing"),
        ((str(ROOT / "pyproject.toml"),), "pyproject.toml"),
    ],
)
def test_wrong_usage_is_said(run: Callable[..., Result], arguments: tuple[str, ...], problem: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert problem in done.output


def test_the_invariants_can_be_listed(run: Callable[..., Result]) -> None:
    assert "never silent" in run("--list").output
    assert len(json.loads(run("--list", "--json").output)) >= 12
