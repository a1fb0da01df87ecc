"""Calls that are played: what is compared, and how a difference is told."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from sma_flows.runtime.invoke import Result, handle
from sma_flows.simulator.fidelity import facts
from sma_flows.simulator.storage import Storage
from sma_flows.simulator.wav import file_of
from sma_flows.testing.play import CallFailedError, Played, play_call
from sma_flows.testing.script import load_calls, read_calls
from sma_flows.testing.world import UnplayableError

FLOW = """
sma_flow: 1
name: desk
entry: inbound
prompts: prompts.yaml
vars:
  pin: secret digits(4)
hooks:
  check_pin: {python: hooks.nowhere:check_pin, outcomes: [ok, wrong], gives: {guests: number}, effect: read}
schedules:
  office: {zone: America/New_York, open: [mon-fri 09:00-17:00]}
defaults:
  next: {failed: sorry, exhausted: sorry}
start: hours
states:
  hours:
    schedule: office
    next: {open: ask, closed: sorry}
  ask:
    gather: pin
    prompt: ask
    next: {done: check, no_input: sorry, no_match: sorry}
  check:
    run: check_pin(pin)
    next: {ok: thanks, wrong: ask}
    visits: 5
  thanks: {say: guests_here, next: sorry}
  sorry: {say: sorry, next: hangup}
"""
PROMPTS = """
sma_prompts: 1
default: en-US
locales: {en-US: {voice: Joanna}}
prompts:
  ask: {en-US: Your PIN please.}
  sorry: {en-US: We are sorry.}
  guests_here: {en-US: "Guests: {guests}."}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "desk.yaml").write_text(FLOW)
    (tmp_path / "prompts.yaml").write_text(PROMPTS)
    return tmp_path


def play(folder: Path, script: str, stub: str = "{ok: {guests: 2}}", more: str = "") -> Played:
    steps = textwrap.indent(textwrap.dedent(script).strip(), "      ")
    more = textwrap.indent(more, "    ")
    text = f"flow: desk.yaml\ncalls:\n  - call: one\n    stub: {{check_pin: {stub}}}\n{more}\n    script:\n{steps}\n"
    file, found = read_calls(text, "x.calls.yaml")
    assert file is not None, [str(one) for one in found]
    return play_call(folder / "desk.yaml", file.calls[0])


def fails(folder: Path, script: str, stub: str = "{ok: {guests: 2}}", more: str = "") -> CallFailedError:
    with pytest.raises(CallFailedError) as caught:
        play(folder, script, stub, more)
    return caught.value


def test_stubs_come_in_turn_and_the_last_stays(folder: Path) -> None:
    script = """
      - press: "1111"
      - hear: ask
      - press: "2222"
      - hear: ask
      - press: "3333"
      - hear: [{text: "Guests: 7"}, sorry]
    """
    stub = "[wrong, wrong, {ok: {guests: 7}}]"
    played = play(folder, script, stub, "expect: {ends_in: sorry, calls: {check_pin: 3}, secrets_seen: none}")
    assert played.events == 5


@pytest.mark.parametrize("stub", ["raises", "late"])
def test_a_hook_that_fails(folder: Path, stub: str) -> None:
    play(folder, '- press: "1111"\n- hear: sorry\n- expect: hung_up', stub)


def test_a_hook_takes_virtual_time_and_the_caller_can_leave_meanwhile(folder: Path) -> None:
    played = play(folder, '- press: "1111"\n- wait: 300ms\n- hangup: caller', "{ok: {guests: 2}, after: 1s}")
    kinds = [turn.kind for turn in played.turns]
    assert kinds == ["NEW_INBOUND_CALL", "ACTION_SUCCESSFUL", "HANGUP"]
    assert played.turns[1].delay_ms == 1000


def test_a_hook_that_takes_more_than_its_budget_fails_and_its_budget_is_spent(folder: Path) -> None:
    played = play(folder, '- press: "1111"\n- hear: sorry', "{ok: {guests: 2}, after: 3s}")
    assert played.turns[1].delay_ms == 2000


def test_a_stub_with_an_outcome_that_is_not_declared_is_told(folder: Path) -> None:
    assert "the stub of check_pin gives 'maybe': it can give ok, wrong" in fails(folder, '- press: "1111"', "maybe").why


def test_the_clock_of_the_call_is_the_one_of_the_flow(folder: Path) -> None:
    play(folder, "- hear: sorry", more="at: 2026-11-21T10:00-05:00")
    play(folder, "- hear: ask", more="at: 2026-11-20T16:59-05:00")


def test_the_first_difference_is_told_with_the_line_and_the_transcript(folder: Path) -> None:
    error = fails(folder, '- hear: ask\n- press: "1111"\n- hear: [{text: "Guests: 2"}, ask]')
    assert error.where == "x.calls.yaml:9"
    assert error.why.startswith("expected to hear ask, heard sorry; all that was heard: ")
    assert any("hears ask" in line for line in error.transcript)
    assert error.transcript[-1].strip().startswith(">>>")


@pytest.mark.parametrize(
    ("steps", "more", "why"),
    [
        ("- expect: in_meeting", "", "the call is not in_meeting"),
        ("- speak: 3s", "", "nothing is being recorded"),
        ("- bot: failed", "", "no bot is talking with the caller"),
        ("- expect: {dialled: x}", "", "nobody was dialled"),
        ("- hangup: callee", "", "that party is not on the line"),
        ("- meeting: ends", "", "the call is not in a meeting"),
        ("- fail: {say: thank}", "", "the flow has no prompt 'thank'"),
        ('- press: "1111"', "expect: {calls: {check_pin: 2}}", "the hook check_pin ran 1 times, not 2"),
        ('- press: "1111"', "expect: {ends_in: ask}", "the call ends in sorry, not in ask"),
    ],
)
def test_what_is_not_so_is_told(folder: Path, steps: str, more: str, why: str) -> None:
    assert fails(folder, steps, more=more).why == why


def test_a_service_that_cannot_speak_once(folder: Path) -> None:
    play(folder, '- fail: say\n- press: "1111"\n- hear: sorry')


def test_the_service_cannot_say_one_prompt_of_a_list(folder: Path) -> None:
    played = play(folder, '- fail: {say: sorry}\n- press: "1111"\n- hear: [{text: "Guests: 2"}, sorry]')
    assert sum("ACTION_FAILED Speak" in line for line in played.transcript) == 1


def test_the_question_that_is_being_asked_can_fail(folder: Path) -> None:
    play(folder, "- fail: {gather: ask}\n- hear: [ask, sorry]\n- expect: hung_up")


def test_silence(folder: Path) -> None:
    play(folder, "- silence: 1x\n- hear: sorry\n- expect: hung_up")


def test_a_strict_call_fails_with_what_it_leans_on(folder: Path) -> None:
    steps = '- press: "1111"\n- hear: [{text: "Guests: 2"}, sorry]'
    error = fails(folder, steps, more="strict: true")
    first, *doubts = error.why.splitlines()
    assert first == "the call leans on what nobody has documented or seen"
    assert "    inferred: [report Speak] Reports as the last of its list only." in doubts
    names = [line.partition("[")[2].partition("]")[0] for line in doubts]
    assert all(fact.source in ("inferred", "unknown") for fact in facts(names))
    assert len(facts(names)) == len(names)
    play(folder, steps, more=f"strict: {json.dumps(names)}")
    assert fails(folder, steps, more=f"strict: {json.dumps(names[1:])}").why.splitlines()[1:] == doubts[:1]


def test_a_script_that_ends_before_the_call_hangs_up(folder: Path) -> None:
    assert "hangs up (the script is over)" in play(folder, "- hear: ask").transcript[-2]


def test_a_flow_that_is_not_there(folder: Path) -> None:
    (folder / "desk.yaml").unlink()
    with pytest.raises(UnplayableError, match="there is no flow"):
        play(folder, "- hear: ask")


def test_a_call_that_nothing_can_end_fails_at_once_as_stuck(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgets(program: Any, event: Any, **rest: Any) -> Result:
        result = handle(program, event, **rest)
        if event["InvocationEventType"] == "ACTION_SUCCESSFUL":
            result.response["Actions"] = []
        return result

    monkeypatch.setattr("sma_flows.testing.targets.handle", forgets)
    error = fails(folder, '- press: "1111"\n- hear: sorry')
    assert error.why == "stuck: nobody is asked anything, no timer runs, and the call is not over"
    assert error.where == "x.calls.yaml:7"


def test_a_repeated_event_that_is_answered_differently_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(range(100))

    def differs(program: Any, event: Any, **rest: Any) -> Result:
        result = handle(program, event, **rest)
        result.response["TransactionAttributes"] = {"n": "x" * next(answers)}
        return result

    monkeypatch.setattr("sma_flows.testing.targets.handle", differs)
    assert fails(folder, "- repeat: event").why == "the repeated event is answered differently"


# ---- audio files ---------------------------------------------------------------------------------------------------

VOICES = """
sma_flow: 1
name: voices
entry: inbound
prompts: prompts.yaml
vars: {said: recording}
start: hello
states:
  hello:
    play: hello
    next: {done: speak, failed: sorry}
  speak:
    record: said
    to: env.BOX
    max: 1m
    next: {recorded: again, failed: sorry}
  again:
    play: said
    next: {done: hangup, failed: sorry}
  sorry: {say: sorry, next: {done: hangup, failed: hangup}}
"""
VOICES_PROMPTS = PROMPTS + "  hello: {audio: hello.wav}\n"


def audio(tmp_path: Path, script: str, env: str = "{PROMPTS: prompts, BOX: box}") -> Played:
    (tmp_path / "voices.yaml").write_text(VOICES)
    (tmp_path / "prompts.yaml").write_text(VOICES_PROMPTS)
    calls = tmp_path / "calls"
    calls.mkdir(exist_ok=True)
    text = f"flow: ../voices.yaml\nenv: {env}\ncalls:\n  - call: one\n    script:\n{textwrap.indent(script, '      ')}"
    (calls / "x.calls.yaml").write_text(text)
    file, found = load_calls(calls / "x.calls.yaml")
    assert file is not None, [str(one) for one in found]
    return play_call(file.flow, file.calls[0])


SPEAKS = """- hear: hello
- speak: 5s
- press: "#"
- hear: said
"""


def test_a_call_without_files_goes_on_and_its_author_is_told(tmp_path: Path) -> None:
    played = audio(tmp_path, SPEAKS)
    assert played.seconds == 3 + 5 + 5
    calls = tmp_path / "calls"
    assert played.notes == (
        f"no folder 'prompts' in '{calls}' or '{tmp_path}' stands for this bucket: its files are not checked",
    )


@pytest.mark.parametrize("beside", [".", "calls"])
def test_a_bucket_is_a_folder_beside_the_flow_or_the_calls(tmp_path: Path, beside: str) -> None:
    (tmp_path / "calls").mkdir()
    bucket = tmp_path / beside / "prompts"
    bucket.mkdir()
    (bucket / "hello.wav").write_bytes(file_of([bytes(2 * 8000 * 8)]))
    played = audio(tmp_path, SPEAKS)
    assert played.seconds == 8 + 5 + 5
    assert played.notes == ()
    assert sorted(path.name for path in tmp_path.rglob("*.wav")) == ["hello.wav"]  # a test leaves no recordings behind


def test_a_caller_can_say_what_is_in_a_file(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    calls.mkdir()
    (calls / "voice.wav").write_bytes(file_of([bytes(2 * 8000 * 7)]))
    assert audio(tmp_path, SPEAKS.replace("5s", "voice.wav")).seconds == 3 + 7 + 7
    (calls / "voice.wav").write_bytes(b"ID3" + bytes(100))
    _, found = load_calls(calls / "x.calls.yaml")
    assert [(one.span.line, one.span.col) for one in found] == [(7, 16)]
    assert found[0].message.startswith("'voice.wav' cannot be spoken: it is an MP3 file")


def test_a_prompt_that_the_service_would_not_play_fails_the_call_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "hello.wav").write_bytes(b"ID3" + bytes(100))
    with pytest.raises(CallFailedError) as caught:
        audio(tmp_path, "- hear: hello\n")
    assert "expected to hear hello, heard sorry" in caught.value.why
    assert any("! prompts/hello.wav is not played: it is an MP3 file" in line for line in caught.value.transcript)


def test_the_files_of_the_flows_are_what_the_service_plays() -> None:
    folder = Path(__file__).parents[2] / "flows" / "audio"
    storage = Storage(folder.parent, strict=True)
    for path in folder.glob("*.wav"):
        found = storage.audio("audio", path.name)
        assert (found.problem, found.advice) == ("", "")
        assert found.ms
