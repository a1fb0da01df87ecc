"""The command group and what all commands share: help, version, exit codes."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final

import click

from sma_flows import __version__
from sma_flows.cli.console import ended_from_outside, steady_output

__all__ = ["cli", "run"]

COMMANDS: Final = (
    "check",
    "compile",
    "explain",
    "codes",
    "graph",
    "replay",
    "invoke",
    "test",
    "fuzz",
    "faults",
    "phone",
    "serve",
    "web",
    "page",
    "fidelity",
    "policy",
    "build",
    "runtime",
    "rollout",
    "redo",
)
"""In the order of work: write, understand, look, try."""

EXAMPLES: Final = """\b
Examples:
  sma-flows check flows/                         every problem of every file, at once
  sma-flows explain SF201                        what a code means and how to mend it
  sma-flows replay flows/dial-in.yaml events/dial-in
  sma-flows test flows/calls                     play calls against their flows, without a telephone
  sma-flows phone flows/dial-in.yaml             call a flow by hand
  sma-flows graph flows/dial-in.yaml > dial-in.mmd
  sma-flows compile flows/ -o build/plan.json    what the Lambda function loads

\b
Exit codes, for every command:
  0  clean
  1  findings: problems in a flow, differences in a replay, calls that failed
  2  wrong usage: a file is missing, an option is unknown, an event is not JSON
  130  interrupted (Ctrl-C); 141 whoever read the output has gone: nothing is said about findings
"""


class _Lazy(click.Group):
    """Loads a command's module when it is asked for: ``invoke`` must not pay for what ``check`` needs."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:  # prints --help
        with ended_from_outside():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with ended_from_outside():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (given by click)
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (given by click)
        if cmd_name not in COMMANDS:
            return None
        command: Any = importlib.import_module(f"sma_flows.cli.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"there is no command '{args[0]}': choose one of {', '.join(COMMANDS)}.", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Lazy,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, "-V", "--version", prog_name="sma-flows", message="%(prog)s %(version)s")
def cli() -> None:
    """Phone call flows in YAML for Amazon Chime SDK PSTN Audio: check, compile, draw and replay them.

    A FLOW is a flow file (flows/dial-in.yaml), a folder of flows, or a compiled plan (build/plan.json).
    """


def run() -> None:
    """Run the command line of this process."""
    steady_output(sys.stdout, sys.stderr)
    cli(prog_name="sma-flows")
