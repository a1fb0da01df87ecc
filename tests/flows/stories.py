"""Reads the stories of ``tests/flows/stories`` and plays them against a compiled flow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from .network import Handler, Network

STORIES = Path(__file__).with_name("stories")
CALLER = "+14155550123"
OFFICE_HOUR = "2026-11-20T10:30:00-05:00"


@dataclass(frozen=True)
class Story:
    """One call: who calls whom, when, and what happens. ``folder`` is where its events lie, below ``events``."""

    flow: str
    name: str
    tells: str
    caller: str
    called: str
    at: datetime
    arguments: Mapping[str, str]
    steps: tuple[str | Mapping[str, Any], ...]

    @property
    def folder(self) -> str:
        return f"{self.flow}/{self.name}" if self.name else self.flow

    def play(self, handler: Handler) -> Network:
        """The whole call against *handler*; ``.sent`` of the result holds every event and its answer."""
        call = Network(
            name=self.folder,
            handler=handler,
            now=self.at,
            caller=self.caller,
            called=self.called,
            inbound=not self.arguments,
            arguments=self.arguments,
        )
        for step in self.steps:
            _take(call, step)
        return call


def read_stories() -> list[Story]:
    """Every story of every flow, in the order of the files."""
    return [story for path in sorted(STORIES.glob("*.yaml")) for story in _read(path)]


def file_names(call: Network) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name (without ending), event and answer of every event of a played call."""
    for number, (event, answer) in enumerate(call.sent, start=1):
        kind = event["InvocationEventType"].lower().replace("_", "-")
        action = event.get("ActionData", {}).get("Type", "")
        detail = re.sub(r"(?<!^)(?=[A-Z])", "-", action).lower() if kind.startswith("action-") else ""
        yield "-".join(filter(None, (f"{number:02}", kind, detail))), event, answer


def _read(path: Path) -> Iterator[Story]:
    data = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    for told in data["stories"]:
        yield Story(
            flow=data["flow"],
            name=told["story"],
            tells=told["tells"],
            caller=data.get("from", CALLER),
            called=data["to"],
            at=datetime.fromisoformat(told.get("at", OFFICE_HOUR)),
            arguments={**data.get("arguments", {}), **told.get("arguments", {})},
            steps=tuple(told["steps"]),
        )


def _take(call: Network, step: str | Mapping[str, Any]) -> None:
    """One step: a word, or a word with what belongs to it."""
    if step == "no_answer":
        call.hangs_up("A", 480)
    elif step == "busy":
        call.hangs_up("A", 486)
    elif isinstance(step, str):
        getattr(call, step)()
    else:
        ((word, what),) = step.items()
        getattr(call, word)(what)
