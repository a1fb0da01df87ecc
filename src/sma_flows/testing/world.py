"""The world of a call that is played: scripted replies of hooks, a store in memory, a clock of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sma_flows.compiler import CompileResult, compile_paths
from sma_flows.errors import PlanError, SmaFlowsError
from sma_flows.flow.diagnostics import render_text
from sma_flows.plan import Plan
from sma_flows.runtime.program import Program
from sma_flows.services.setup import HOOKS, STORE, open_services
from sma_flows.testing.script import CallScript
from sma_flows.testing.scripted import CallClock, World

__all__ = ["UnplayableError", "World", "WorldSpec", "checked", "compiled", "spec_of", "world_of"]

LOCAL_ENV: Final = "local.env"


class UnplayableError(SmaFlowsError):
    """A call cannot be played at all: its flow does not compile, or a value or a hook is missing."""


def compiled(flow: Path) -> Plan:
    """The plan of a flow file, see :func:`checked`.

    Raises:
        UnplayableError: there is no such file, or what the compiler says.
    """
    if not flow.is_file():
        raise UnplayableError(f"there is no flow '{flow}'")
    result = checked(flow)
    if result.plan is None:
        raise UnplayableError(render_text(result.diagnostics, result.sources).rstrip())
    return result.plan


def checked(flow: Path) -> CompileResult:
    """What the compiler says of a flow file, asked again only when one of its files has changed."""
    known = _checked.get(flow)
    if known is not None and known[1] == _changes(known[0]):
        return known[0]
    result = compile_paths([flow])
    while len(_checked) >= MOST_CHECKED:
        del _checked[next(iter(_checked))]
    _checked[flow] = (result, _changes(result))
    return result


MOST_CHECKED: Final = 64
_checked: dict[Path, tuple[CompileResult, list[int]]] = {}


def _changes(result: CompileResult) -> list[int]:
    """When the files of a flow were last written; 0 for one that is gone."""
    paths = map(Path, result.sources)
    return [path.stat().st_mtime_ns if path.is_file() else 0 for path in paths]


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """What the world of one call is made of; :meth:`open` makes it, as often as one likes.

    ``root`` holds the hooks; ``values`` are those of ``env.NAME``; ``stubs`` as in a calls file; ``store`` is
    ``memory`` or a file; ``watched``: walks are noted.
    """

    plan: Plan
    flow: str
    root: Path
    values: Mapping[str, str]
    stubs: Mapping[str, Any]
    at: datetime
    store: str = "memory"
    watched: bool = False

    def open(self, program: Program | None = None) -> World:
        """Everything one call needs, fresh. *program* is one of the same plan and values, to be used again.

        Raises:
            UnplayableError: a value or a hook is missing.
        """
        try:
            opened = open_services(self.plan, {**self.values, HOOKS: str(self.root), STORE: self.store}, self.root)
            program = program or Program.load(opened.plan, self.values)
        except PlanError as error:
            raise UnplayableError(f"{error} (give values with `env:` in the calls file)") from None
        clock = CallClock(self.at)
        opened.services.clock = clock
        world = World(program, opened.plan.flow(self.flow), opened.services, clock, self.stubs)
        if self.watched:
            world.watch = program.watched()
        return world


def world_of(flow: Path, script: CallScript) -> WorldSpec:
    """The world of a call of a calls file: hooks of the flow's folder, its ``local.env``, an empty store.

    Raises:
        UnplayableError: no such flow, or it does not compile.
    """
    return spec_of(flow, env=script.env, stubs=script.stubs, at=script.at)


def spec_of(flow: Path, *, env: Mapping[str, str], stubs: Mapping[str, Any], at: datetime) -> WorldSpec:
    """The same from its parts; *env* has precedence over the values of ``local.env``.

    Raises:
        UnplayableError: no such flow, or it does not compile.
    """
    plan = _without_stubbed(compiled(flow), stubs)
    values = {**_local_values(flow.parent / LOCAL_ENV), **env}
    return WorldSpec(plan, next(iter(plan.flows)), flow.parent, values, stubs, at)


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
    return plan._replace(revisions=revisions)


def _local_values(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    lines = (line.strip() for line in path.read_text("utf-8-sig").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.removeprefix("export ").strip(): value.strip().strip("\"'") for name, _, value in pairs}
