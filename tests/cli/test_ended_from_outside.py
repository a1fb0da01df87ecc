"""Ctrl-C and a reader who has gone: real processes and real signals. Neither is a finding, nothing stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DEADLINE_S = 60.0
WEB_CALL = Path(__file__).parents[2] / "flows" / "web-call.yaml"
Process = subprocess.Popen[str]
AT_WORK = "at work\n"

DRIVER = """
import importlib, sys

words = sys.argv.pop(1).split(":")
module = importlib.import_module(words[0])
real = getattr(module, words[1])


def told(*args, **more):
    print("at work", file=sys.stderr, flush=True)
    return real(*args, **more)


setattr(module, words[1], told)
from sma_flows.cli import main

main()
"""
"""The command line, which says when it comes to a function: from then on it can be interrupted."""

FLOW = """\
sma_flow: 1
name: slow
entry: inbound
hooks: {look: {python: hooks.slow:look, effect: read, budget: 2s}}
start: greet
states:
  greet: {gather: pin, prompt: greet, next: {done: look, no_input: look, no_match: look, failed: hangup}}
  look: {run: look(), next: {done: hangup, failed: hangup}}
vars: {pin: digits(4)}
prompts: prompts.yaml
"""
PROMPTS = """\
sma_prompts: 1
default: en-US
locales: {en-US: {voice: Joanna}}
prompts: {greet: {en-US: Your number?}}
"""
HOOK = """\
import os
import sys

from sma_flows.hooks import hook


@hook
def look(_call):
    print("at work", file=sys.stderr, flush=True)
    os.read(os.pipe()[0], 1)  # until its budget is used up
"""
CALLS = "flow: slow.yaml\ncalls:\n  - call: says nothing\n    script: [silence: 1x, hear: []]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "slow.yaml").write_text(FLOW)
    (tmp_path / "prompts.yaml").write_text(PROMPTS)
    (tmp_path / "slow.calls.yaml").write_text(CALLS)
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "slow.py").write_text(HOOK)
    return tmp_path


@contextmanager
def started(folder: Path, *words: str, driven: str = "", stdout: int = subprocess.PIPE) -> Iterator[Process]:
    """A command in a session of its own, as a terminal has one: a signal to the group reaches all that it starts."""
    code = [DRIVER, driven] if driven else ["from sma_flows.cli import main; main()"]
    with subprocess.Popen(
        [sys.executable, "-c", *code, *words],
        cwd=folder,
        text=True,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


COMMANDS = {
    "test": ("sma_flows.testing.play:play_call", ["test", "slow.calls.yaml", "--every-switch"]),
    "test, in a hook": ("", ["test", "slow.calls.yaml"]),
    "test --fresh, in a hook": ("", ["test", "slow.calls.yaml", "--fresh"]),
    "faults": ("sma_flows.testing.faults:fault_matrix", ["faults", "slow.yaml"]),
    "fuzz": ("sma_flows.testing.fuzz:draw_batch", ["fuzz", "slow.yaml", "--workers", "1", "--calls", "100000"]),
    "fuzz, processes": (
        "sma_flows.testing.fuzz:wait",
        ["fuzz", "slow.yaml", "--workers", "2", "--calls", "100000"],
    ),
    "phone": ("sma_flows.cli.phone:_typed", ["phone", "slow.yaml", "--plain"]),
}


@pytest.mark.parametrize("everybody", [True, False], ids=["a terminal tells the group", "one process is told"])
@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_ends_a_command_with_130_and_one_word(folder: Path, name: str, everybody: bool) -> None:
    driven, words = COMMANDS[name]
    with started(folder, *words, driven=driven) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == AT_WORK
        (os.killpg if everybody else os.kill)(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=DEADLINE_S)  # ends when nobody holds the pipes any more, children neither
    assert err.replace(AT_WORK, "") == "Interrupted.\n"
    assert process.returncode == 130


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["test", "--help"],
        ["fidelity"],
        ["codes", "--json"],
        ["check", "slow.yaml"],
        ["faults", "slow.yaml"],
        ["test", "slow.calls.yaml"],
        ["phone", "slow.yaml", "--plain"],
        ["serve", "slow.yaml", "--json"],
        ["web", str(WEB_CALL), "--no-page", "--json"],
    ],
    ids=lambda words: words[0],
)
def test_a_reader_who_has_gone_ends_a_command_quietly_with_141(folder: Path, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with started(folder, *words, stdout=writer) as process:
        os.close(writer)
        _, err = process.communicate("", timeout=DEADLINE_S)
    assert err.replace(AT_WORK, "") == ""
    assert process.returncode == 141
