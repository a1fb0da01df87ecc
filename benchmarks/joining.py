"""How many invocations the joining of states saves, counted on the recorded calls in ``events/``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

EVENTS = Path(__file__).resolve().parents[1] / "events"
SILENT = frozenset({"ReceiveDigits", "VoiceFocus", "StartCallRecording", "Pause"})


@dataclass(frozen=True)
class Call:
    """One recorded call: its invocations, the actions that were sent, and the longest list."""

    name: str
    invocations: int
    actions: int
    longest: int
    without: int
    """Invocations if every audible or blocking action were answered on its own."""


def calls() -> list[Call]:
    """Every whole call, by flow."""
    found = []
    for folder in sorted({path.parent for path in EVENTS.rglob("*.response.json")}):
        if "samples" in folder.parts:
            continue
        answers = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.response.json"))]
        lists = [answer.get("Actions") or [] for answer in answers]
        apart = [max(0, sum(action["Type"] not in SILENT for action in actions) - 1) for actions in lists]
        name = folder.relative_to(EVENTS).as_posix()
        longest = max(map(len, lists), default=0)
        found.append(Call(name, len(answers), sum(map(len, lists)), longest, len(answers) + sum(apart)))
    return found
