"""The world of a call that is played: scripted replies of hooks, a store in memory, a clock of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sma_flows.compiler import compile_paths
from sma_flows.errors import PlanError, SmaFlowsError
from sma_flows.flow.diagnostics import render_text
from sma_flows.hooks import Call, Reply
from sma_flows.plan import FlowPlan, Plan
from sma_flows.runtime.ask import FAILED, Ask, Secret, ServiceReply
from sma_flows.runtime.program import Program
from sma_flows.services.builtins import Ports
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.ports import SystemClock
from sma_flows.services.setup import HOOKS, STORE, open_services
from sma_flows.testing.script import CallScript

__all__ = ["UnplayableError", "World", "compiled", "open_world"]

LOCAL_ENV: Final = "local.env"


class UnplayableError(SmaFlowsError):
    """A call cannot be played at all: its flow does not compile, or a value or a hook is missing."""


class _Clock(SystemClock):
    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> float:
        return self.at.timestamp()


@dataclass(slots=True)
class World:
    """What the runtime asks during one call. ``ran`` counts how often each hook did its work."""

    program: Program
    plan: FlowPlan
    services: LocalServices
    clock: _Clock
    stubs: Mapping[str, Any]
    ran: Counter[str] = field(default_factory=Counter)
    turns: Counter[str] = field(default_factory=Counter)
    asked: list[tuple[Ask, ServiceReply]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)

    def close(self) -> None:
        """Let the store go: a thousand calls shall not hold a thousand stores."""
        self.services.memo = self.services.limits = None
        self.services.ports = Ports()

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        """Do what is asked: as the call's ``stub`` says, else with the real hook against an empty store."""
        self.secrets.update(value.reveal() for value in ask.args if isinstance(value, Secret))
        name = ask.name if ask.port == "hook" else ask.port
        if ask.port != "hook":
            if name in self.stubs:
                return self._scripted_port(name)
        elif name in self.stubs:
            declared = {key: value for key, value in ask.hook.items() if key not in ("builtin", "with")}
            self.services.functions = {**self.services.functions, (ask.revision, ask.name): self._stub(ask)}
            ask = ask._replace(hook=declared)
        elif "builtin" in ask.hook:
            self.ran[name] += ask.token not in self.tokens  # the callee knows the token and does it once
            self.tokens.add(ask.token)
        else:
            self.services.functions = {**self.services.functions, (ask.revision, ask.name): self._counted(ask)}
        reply = self.services.perform(ask, deadline)
        self.asked.append((ask, reply))
        return reply

    def _scripted_port(self, name: str) -> ServiceReply:
        turn = self._turn(name)
        self.ran[name] += 1
        if turn in ("raises", "late"):
            return FAILED
        if isinstance(turn, str):
            return ServiceReply(turn)
        ((outcome, values),) = turn.items()
        return ServiceReply(outcome, values or {})

    def _counted(self, ask: Ask) -> Callable[..., object]:
        inner = self.services.functions.get((ask.revision, ask.name))
        inner = getattr(inner, "__wrapped__", inner)

        def run(call: Call, *args: object) -> object:
            self.ran[ask.name] += 1
            if inner is None:
                raise PlanError(f"the hook '{ask.name}' is missing")
            return inner(call, *args)

        run.__wrapped__ = inner  # type: ignore[attr-defined]
        return run

    def _stub(self, ask: Ask) -> Callable[..., object]:
        outcomes: Mapping[str, Mapping[str, Any]] = ask.hook.get("outcomes") or {"done": {}}

        def run(_call: Call, *_args: object) -> object:
            self.ran[ask.name] += 1
            turn = self._turn(ask.name)
            if turn in ("raises", "late"):
                raise PlanError("the call script says so")
            outcome, values = (turn, {}) if isinstance(turn, str) else next(iter(turn.items()))
            if outcome not in outcomes:
                known = ", ".join([*outcomes, "raises", "late"])
                self.problems.append(f"the stub of {ask.name} gives '{outcome}': it can give {known}")
                raise PlanError("no such outcome")
            types = outcomes[outcome] or {}
            return Reply(outcome, **{key: _typed(value, types.get(key) or {}) for key, value in (values or {}).items()})

        return run

    def _turn(self, name: str) -> Any:
        """The reply whose turn it is; the last one stays."""
        stub = self.stubs[name]
        if not isinstance(stub, list):
            return stub
        turn = self.turns[name]
        self.turns[name] += 1
        return stub[min(turn, len(stub) - 1)]


def _typed(value: Any, kind: Mapping[str, Any]) -> Any:
    """A stub's text as the declared type of a hook result."""
    if isinstance(value, list):
        return [_typed(item, kind.get("item") or {}) for item in value]
    if kind.get("t") == "number":
        return int(value)
    if kind.get("t") == "boolean":
        return value in ("true", "yes", "on")
    return None if value == "unset" else value


@lru_cache(maxsize=64)
def compiled(path: str, _changed: int) -> Plan:
    """The plan of a flow file.

    Raises:
        UnplayableError: with everything that the compiler says.
    """
    result = compile_paths([path])
    if result.plan is None:
        raise UnplayableError(render_text(result.diagnostics, result.sources).rstrip())
    return result.plan


def open_world(flow: Path, script: CallScript) -> World:
    """Everything one call needs, fresh: hooks of the flow's folder, its ``local.env``, an empty store.

    Raises:
        UnplayableError: no such flow, or it cannot run.
    """
    if not flow.is_file():
        raise UnplayableError(f"there is no flow '{flow}'")
    plan = _without_stubbed(compiled(str(flow), flow.stat().st_mtime_ns), script.stubs)
    values = {**_local_values(flow.parent / LOCAL_ENV), **script.env}
    try:
        opened = open_services(plan, {**values, HOOKS: str(flow.parent), STORE: "memory"}, flow)
        program = Program.load(opened.plan, values)
    except PlanError as error:
        raise UnplayableError(f"{error} (give values with `env:` in the calls file)") from None
    clock = _Clock(script.at)
    opened.services.clock = clock
    return World(program, next(iter(opened.plan.revisions.values())), opened.services, clock, script.stubs)


def _without_stubbed(plan: Plan, stubs: Mapping[str, Any]) -> Plan:
    """A hook that is stubbed need not exist."""
    if not stubs:
        return plan
    revisions = {}
    for name, flow in plan.revisions.items():
        hooks = {
            hook: {key: value for key, value in spec.items() if hook not in stubs or key != "python"}
            for hook, spec in flow.get("hooks", {}).items()
        }
        revisions[name] = {**flow, "hooks": hooks}
    return replace(plan, revisions=revisions)


def _local_values(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    lines = (line.strip() for line in path.read_text("utf-8-sig").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.removeprefix("export ").strip(): value.strip().strip("\"'") for name, _, value in pairs}
