"""The flows, compiled and ready to answer, with the values of ``flows/local.env`` and an empty store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from sma_flows.cli.story import clock_of
from sma_flows.cli.values import read_env_file
from sma_flows.compiler import compile_paths
from sma_flows.plan import Plan
from sma_flows.runtime.invoke import Result, handle
from sma_flows.runtime.program import Program
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.setup import open_services

ROOT = Path(__file__).parents[2]
FLOWS = ROOT / "flows"
EVENTS = ROOT / "events"
FLOW_NAMES = ("dial-in", "front-desk", "voicemail", "lex-bot", "click-to-call", "meeting-dialer", "web-call")


@cache
def plan_of(name: str) -> Plan:
    """The plan of one flow, or of ``bundle``: all of them behind their numbers."""
    path = FLOWS if name == "bundle" else FLOWS / f"{name}.yaml"
    result = compile_paths([path])
    assert result.plan is not None, [str(found) for found in result.diagnostics]
    return result.plan


def local_values() -> dict[str, str]:
    return read_env_file(FLOWS / "local.env")


@dataclass
class Desk:
    """Answers events with one flow, like a fresh deployment: the store is in memory and empty."""

    name: str
    program: Program = field(init=False)
    services: LocalServices = field(init=False)
    results: list[Result] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = {**local_values(), "SMA_FLOWS_STORE": "memory", "SMA_FLOWS_HOOKS": str(FLOWS)}
        opened = open_services(plan_of(self.name), settings, FLOWS / "plan.json")
        self.services = opened.services
        self.program = Program.load(opened.plan, local_values())

    def __call__(self, event: Mapping[str, Any], _now: datetime | None = None) -> dict[str, Any]:
        """The answer to *event*. The clock is the one that ``sma-flows replay`` reads from the event."""
        result = handle(self.program, event, now=clock_of(event), services=self.services)
        self.results.append(result)
        return result.response
