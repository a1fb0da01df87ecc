"""The thing under test: a scenario's folder compiled to a plan, and the plan answering events in this process."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

from sma_flows.plan import Plan

from .script import Script, ScriptError
from .stubs import StubServices


@dataclass(frozen=True, slots=True)
class Reaction:
    """What came back for one event. ``traces`` is everything that could reach a log."""

    answer: Any
    traces: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """Something that answers events: the real runtime, a fresh process per event, or a broken handler."""

    def react(self, event: dict[str, Any], now: datetime, services: StubServices) -> Reaction: ...


@cache
def plan_text(folder: Path, flows: tuple[str, ...] = ()) -> str:
    """The compiled plan of a scenario folder, as the JSON that would be deployed."""
    from sma_flows.compiler import compile_paths
    from sma_flows.flow.diagnostics import render_text

    paths = [folder / name for name in flows] or [folder]
    result = compile_paths(paths)
    if result.plan is None:
        raise ScriptError(f"{folder.name} does not compile:\n{render_text(result.diagnostics, result.sources)}")
    return result.plan.dumps()


class _Memory(logging.Handler):
    """Keeps what was logged, arguments and extra fields included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        extra = {key: value for key, value in vars(record).items() if key not in _PLAIN_RECORD}
        self.lines.append(f"{record.getMessage()} {extra}")


_PLAIN_RECORD = frozenset(vars(logging.makeLogRecord({})))


class RuntimeEngine:
    """The real runtime, in this process."""

    def __init__(self, text: str, env: Mapping[str, str]) -> None:
        from sma_flows.runtime.program import Program

        self.program = Program.load(Plan.loads(text), env)

    def react(self, event: dict[str, Any], now: datetime, services: StubServices) -> Reaction:
        from sma_flows.runtime.invoke import handle

        memory = _Memory()
        root = logging.getLogger()
        level = root.level
        root.addHandler(memory)
        root.setLevel(logging.DEBUG)
        try:
            result = handle(self.program, json.loads(json.dumps(event)), now=now, services=services)
        finally:
            root.removeHandler(memory)
            root.setLevel(level)
        if services.problem is not None:
            raise services.problem
        if result.fault:
            raise RuntimeError(f"fault in the runtime: {result.fault}")
        answer = json.loads(json.dumps(result.response))
        return Reaction(answer, "\n".join([*memory.lines, str(result.note)]), dict(result.variables))


class HandlerEngine:
    """The Lambda handler around the runtime, as deployed; its clock and its world are the script's.

    ``traces`` of a reaction are the records it wrote, without the clock's own digits.
    """

    _numbers = itertools.count()  # loggers are known by name: a name used before would write elsewhere

    def __init__(self, text: str, env: Mapping[str, str]) -> None:
        from sma_flows import handler

        self._module = handler
        self._output = io.StringIO()
        with contextlib.redirect_stdout(self._output):
            self.handler = handler.Handler({"POWERTOOLS_SERVICE_NAME": f"scenario-{next(self._numbers)}"})
        self.handler.use(RuntimeEngine(text, env).program, self.handler.services)

    def react(self, event: dict[str, Any], now: datetime, services: StubServices) -> Reaction:
        self.handler.services = _Dispatched(services)  # type: ignore[assignment]
        self._output.seek(0)
        self._output.truncate()
        clock = mock.patch.object(self._module, "datetime", mock.Mock(now=lambda _: now))
        with clock, contextlib.redirect_stdout(self._output):
            answer = self.handler.answer(json.loads(json.dumps(event)))
        if services.problem is not None:
            raise services.problem
        records = [json.loads(line) for line in self._output.getvalue().splitlines()]
        if not records:
            raise RuntimeError("the handler wrote no record: a search for secrets would find nothing")
        for record in records:
            for name in ("timestamp", "ms", "asks_ms", "HookLatency"):
                record.pop(name, None)
        return Reaction(json.loads(json.dumps(answer)), json.dumps(records, ensure_ascii=False))


class _Dispatched:
    """The part of the services that the handler itself uses, beside ``perform``."""

    overlaps = None

    def __init__(self, services: StubServices) -> None:
        self.perform = services.perform

    @staticmethod
    def take_troubles() -> list[Any]:
        return []


def runtime_for(script: Script) -> RuntimeEngine:
    """The runtime with the plan and the environment of *script*."""
    return RuntimeEngine(plan_text(script.folder, script.flows), script.env)
