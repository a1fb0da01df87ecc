"""From the FLOW argument of a command to a plan, a program and the services behind it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from sma_flows.cli.console import WrongUsage, busy, err, exit_with
from sma_flows.cli.given import something
from sma_flows.cli.values import LOCAL_ENV, gather_values
from sma_flows.errors import PlanError
from sma_flows.plan import Plan

if TYPE_CHECKING:
    from sma_flows.runtime.program import Program
    from sma_flows.services.dispatch import LocalServices

__all__ = ["Loaded", "load_plan", "load_program", "root_of", "with_flow_options"]

_FLOWS: Final = frozenset({".yaml", ".yml"})
Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Loaded:
    """A flow that is ready to answer, and the world it asks."""

    program: Program
    services: LocalServices
    plan: Plan


def with_flow_options(command: Command) -> Command:
    """Add the options that say where a flow gets its values and hooks from."""
    for option in (
        click.option(
            "--hooks", type=click.Path(path_type=Path), help="Folder of the hooks. Default: that of the flow."
        ),
        click.option(
            "--env-file",
            type=click.Path(path_type=Path),
            help=f"File of NAME=VALUE lines. {LOCAL_ENV} beside the flow is read anyway.",
        ),
        click.option("--env", multiple=True, metavar="NAME=VALUE", help="A value for env.NAME; may be repeated."),
    ):
        command = option(command)
    return command


def load_plan(flow: str) -> Plan:
    """The plan of a flow file, a folder of flows (compiled in memory) or a compiled plan.

    Problems of the flow are printed on stderr and end the command with exit code 1.

    Raises:
        WrongUsage: there is nothing that could be a flow.
    """
    path = Path(flow)
    if not path.exists():
        raise WrongUsage(
            f"there is no file or folder '{flow}': name a flow file (flows/dial-in.yaml), a folder of flows or a "
            "compiled plan (build/plan.json)."
        )
    if path.is_dir() or path.suffix in _FLOWS:
        return _compile(path)
    if path.suffix != ".json":
        raise WrongUsage(f"'{flow}' is neither a flow (.yaml) nor a compiled plan (.json).")
    try:
        return Plan.read(path)
    except PlanError as error:
        raise WrongUsage(str(error)) from None


def load_program(flow: str, env: Iterable[str], env_file: Path | None, hooks: Path | None, store: str = "") -> Loaded:
    """A flow made ready to answer events, with stand-ins for the outside world.

    ``store`` is where limits and records of effects are kept: a file, or ``memory`` for a store that begins empty and
    ends with the command. Empty: what ``SMA_FLOWS_STORE`` says, else a file beneath the working directory.

    Raises:
        WrongUsage: no such flow; values of the environment or hooks are missing.
    """
    from sma_flows.runtime.program import Program
    from sma_flows.services.setup import DEFAULT_STORE, HOOKS, STORE, open_services

    plan = load_plan(flow)
    if hooks is not None and not hooks.is_dir():
        raise WrongUsage(f"--hooks {hooks}: there is no such folder; name the one that holds hooks/.")
    root = hooks or root_of(Path(flow))
    values = gather_values(env, env_file, root)
    settings = {**values, HOOKS: str(root)}
    if store:
        settings[STORE] = store
    try:
        opened = open_services(plan, settings, Path(flow), DEFAULT_STORE)
        program = Program.load(opened.plan, values)
    except PlanError as error:
        raise WrongUsage(
            f"{error} (or give it with --env NAME=VALUE)" if "values" in str(error) else str(error)
        ) from None
    for warning in opened.warnings:
        err().print(f"Warning: {warning}")
    return Loaded(program, opened.services, opened.plan)


def root_of(flow: Path) -> Path:
    """The folder in which a flow's hooks and ``local.env`` lie.

    For a compiled plan: ``SMA_FLOWS_HOOKS``, else the plan's folder if it holds hooks, else ``flows`` beneath the
    working directory, as the handler looks for them.
    """
    if flow.is_dir():
        return flow
    if flow.suffix in _FLOWS:
        return flow.parent
    if given := os.environ.get("SMA_FLOWS_HOOKS"):
        return Path(given)
    beneath = Path("flows")
    return beneath if beneath.is_dir() and not (flow.parent / "hooks").is_dir() else flow.parent


def _compile(path: Path) -> Plan:
    from sma_flows.compiler import compile_paths
    from sma_flows.flow.diagnostics import render_text

    with busy(f"Compiling {path}"):
        result = compile_paths([path])
    something(result, [str(path)])
    if result.plan is None:
        console = err()
        text = render_text(result.diagnostics, result.sources, colour=console.is_terminal)
        click.echo(text, err=True, nl=False)
        exit_with(1)
    return result.plan
