from __future__ import annotations

import subprocess
import sys

import pytest

from sma_flows.hooks.builtin import BUILTINS

NAMES = {
    *(f"directory.{verb}" for verb in ("find", "put", "claim", "remove")),
    *(f"meetings.{verb}" for verb in ("open", "find", "close", "mute", "unmute")),
    "channel.post",
    "queue.put",
    *(f"{kind}.{verb}" for kind in ("stream", "capture", "transcription") for verb in ("start", "stop")),
    "calls.dial",
    "calls.update",
}


def test_the_built_ins_are_those_of_the_language() -> None:
    assert set(BUILTINS) == NAMES


@pytest.mark.parametrize(
    ("name", "outcomes"),
    [
        ("directory.find", ("found", "none")),
        ("directory.put", ("done",)),
        ("directory.claim", ("claimed", "taken")),
        ("meetings.find", ("found", "none")),
        ("calls.dial", ("done", "refused")),
    ],
)
def test_outcomes_are_those_of_the_language(name: str, outcomes: tuple[str, ...]) -> None:
    assert BUILTINS[name].outcomes == outcomes


def test_only_what_calls_are_told_needs_a_memo_record() -> None:
    once = [name for name, declared in BUILTINS.items() if declared.effect == "once"]
    assert once == ["calls.dial", "calls.update"]


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        BUILTINS["new.one"] = BUILTINS["queue.put"]  # type: ignore[index]


def test_reading_the_table_imports_no_service() -> None:
    code = "import sma_flows.hooks.builtin, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {name for name in run.stdout.split() if name.startswith(("sma_flows.services", "sqlite3", "boto"))}
