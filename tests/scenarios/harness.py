"""What a played script leaves behind: the events with their answers, and what was asked of the world."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .expect import HARMLESS
from .script import Script
from .stubs import StubServices


class ScenarioError(AssertionError):
    """A scenario did not go as it must."""


@dataclass(frozen=True, slots=True)
class Record:
    """One event that was played, and its answer: JSON texts, so that nothing can change them afterwards."""

    step: int
    call: int
    event: str
    now: datetime
    answer: str

    @property
    def kind(self) -> str:
        return str(json.loads(self.event)["InvocationEventType"])

    def sent(self) -> dict[str, Any]:
        return dict(json.loads(self.event))

    def reply(self) -> dict[str, Any]:
        return dict(json.loads(self.answer))

    def actions(self) -> list[dict[str, Any]]:
        return list(self.reply().get("Actions") or [])


@dataclass(frozen=True, slots=True)
class Run:
    """A script that went well: what was played, and every effect it had (hook, arguments, token) in order."""

    script: Script
    records: tuple[Record, ...]
    effects: list[list[Any]]


def effects(services: StubServices) -> list[list[Any]]:
    """What was asked of the world: hook, arguments, token, once each."""
    return [call[:3] for call in services.state["calls"]]


def harmless(answer: dict[str, Any]) -> bool:
    """An answer that does nothing to the call: no actions, or only a Pause or a listener armed again."""
    return all(action["Type"] in HARMLESS for action in answer.get("Actions") or [])


def told(secrets: frozenset[str], traces: str) -> list[str]:
    """Which of *secrets* a log gives away (R10)."""
    return [f"R10: {text} is in the log output" for text in sorted(secrets) if occurs(text, traces)]


def hushed(script: Script) -> frozenset[str]:
    """What must stay out of the logs: typed digits, full numbers, and what the script names."""
    texts = {*script.secrets, *script.never_saved}
    for step in script.steps:
        if step.digits and len(step.digits) >= 4:
            texts.add(step.digits.rstrip("#*"))
    texts |= {number.lstrip("+") for number in (script.from_, script.to, "+14155550123", "+12065550199") if number}
    return frozenset(text for text in texts if text)


def occurs(text: str, where: str) -> bool:
    if text not in where:
        return False
    edge = r"(?<![0-9])" if text[0].isdigit() else ""
    end = r"(?![0-9])" if text[-1].isdigit() else ""
    return re.search(edge + re.escape(text) + end, where) is not None
