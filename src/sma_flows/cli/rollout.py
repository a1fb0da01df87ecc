"""``sma-flows rollout``: how many new calls get the new revisions of a deployed function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from sma_flows.cli.compile import write_plan
from sma_flows.cli.console import WrongUsage, busy, columns, err, exit_with, say_json, show
from sma_flows.deploy.rollout import ALIAS, change, download, facts, in_effect, look
from sma_flows.errors import BuildError

if TYPE_CHECKING:
    from sma_flows.deploy.rollout import Deployed

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  sma-flows rollout fetch -f FUNCTION -o deployed.json    what is deployed, as it is in effect
  PREVIOUS=deployed.json HOLD=yes sam build && sam deploy  both revisions; nothing changes for callers
  sma-flows rollout set front-desk 5 -f FUNCTION           every twentieth new call gets the new one
  sma-flows rollout set front-desk 100 -f FUNCTION
  sma-flows rollout back front-desk -f FUNCTION            none again; calls that have it keep it to their end

\b
FUNCTION is the output CallFunctionName of the stack. A call keeps the revision that it began with.

\b
Exit codes: 0 done, 2 wrong usage, or AWS refused it.
"""

WAIT: Final = {"Delay": 1, "MaxAttempts": 120}
Command = TypeVar("Command", bound=Callable[..., Any])


@click.group("rollout", short_help="Show and set how many new calls get a new revision.", epilog=EXAMPLES)
def command() -> None:
    """Roll new revisions out step by step, and take them back. Every command takes --json."""


def _options(function: Command) -> Command:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option("--region", help="Region of the function. Default: as for the AWS command line."),
        click.option("--alias", default=ALIAS, show_default=True, help="The alias that calls go to."),
        click.option("--function", "-f", required=True, help="Name or ARN of the function."),
    ):
        function = option(function)
    return function


@command.command("show")
@_options
def show_command(function: str, alias: str, region: str | None, as_json: bool) -> None:
    """Show the revisions of each flow and their shares."""
    with _aws(region) as client, busy("Asking"):
        deployed = look(client, function, alias, download)
    _say(deployed, as_json)


@command.command("set")
@click.argument("flow")
@click.argument("percent", type=click.FloatRange(0, 100))
@_options
def set_command(flow: str, percent: float, function: str, alias: str, region: str | None, as_json: bool) -> None:
    """Give the candidate of FLOW a share of the new calls, in PERCENT."""
    with _aws(region) as client, busy("Setting"):
        deployed = change(client, look(client, function, alias, download), {flow: percent}, WAIT)
    _say(deployed, as_json)


@command.command("back")
@click.argument("flow", required=False)
@_options
def back_command(flow: str | None, function: str, alias: str, region: str | None, as_json: bool) -> None:
    """Give new calls of FLOW, or of all flows, the current revision again."""
    with _aws(region) as client, busy("Setting"):
        deployed = look(client, function, alias, download)
        deployed = change(client, deployed, dict.fromkeys([flow] if flow else deployed.plan.candidates, 0), WAIT)
    _say(deployed, as_json)


@command.command("fetch")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Where the plan is written.")
@_options
def fetch_command(output: Path, function: str, alias: str, region: str | None, as_json: bool) -> None:
    """Write the deployed plan as it is in effect: what the next build takes as --previous."""
    with _aws(region) as client, busy("Fetching"):
        deployed = look(client, function, alias, download)
        plan = in_effect(deployed)
    write_plan(output, plan.dumps())
    if as_json:
        say_json({"plan": str(output), "flows": plan.flows, "revisions": sorted(plan.revisions)})
    else:
        show(f"{output}: {len(plan.flows)} flows, {len(plan.revisions)} revisions")
    exit_with(0)


@contextmanager
def _aws(region: str | None) -> Iterator[Any]:
    """A client of AWS Lambda; what it refuses is wrong usage, without a stack trace."""
    import boto3  # here: the dearest import of all
    from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

    try:
        yield _client(boto3.session.Session(region_name=region))
    except BuildError as error:
        raise WrongUsage(f"{error}.") from None
    except ClientError as error:
        told = error.response.get("Error", {})
        raise WrongUsage(f"AWS refused {error.operation_name}: {told.get('Code')}: {told.get('Message')}") from None
    except BotoCoreError as error:
        raise WrongUsage(f"AWS cannot be asked ({type(error).__name__}): {error}") from None


def _client(session: Any) -> Any:
    return session.client("lambda")


def _say(deployed: Deployed, as_json: bool) -> None:
    known = facts(deployed)
    if as_json:
        say_json(known)
        exit_with(0)
    rows = [
        (one["flow"], one["current"], one["candidate"] or "-", f"{one['percent']:g} %" if one["candidate"] else "-")
        for one in known["flows"]
    ]
    for line in columns(("flow", "current", "candidate", "new calls"), rows, right=[3]):
        show(line)
    err().print(f"{deployed.function}:{deployed.alias} is version {deployed.version}")
    for each in deployed.stale:
        err().print(f"Note: the value holds '{each}', which counts for nothing: no candidate of this plan.")
    if known["value"]:
        err().print(f'For the next `sam deploy`: --parameter-overrides Rollout="{known["value"]}"')
    exit_with(0)
