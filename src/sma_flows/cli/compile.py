"""``sma-flows compile``: flows become the plan that the Lambda function loads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sma_flows.cli.console import FindingsError, WrongUsage, busy, columns, err, exit_with, say_json, show
from sma_flows.cli.given import existing, something, verdict
from sma_flows.compiler import compile_paths
from sma_flows.errors import PlanError
from sma_flows.flow.diagnostics import render_text
from sma_flows.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["command", "held", "previous_plan", "write_plan"]

EXAMPLES = """\b
Examples:
  sma-flows compile flows/ -o build/plan.json
  sma-flows compile flows/dial-in.yaml -o build/dial-in.json
  sma-flows compile flows/ -o build/plan.json --previous deployed.json --keep 3
  sma-flows compile flows/ -o build/plan.json --previous deployed.json --hold

\b
The same files give the same bytes. Calls that are in progress during a deployment go on with the revision they began
with if the new plan holds it: give the deployed plan as --previous (several: newest first).

\b
Exit codes: 0 compiled, 1 errors found (nothing is written), 2 wrong usage.
"""


@click.command("compile", short_help="Write the plan that the Lambda function loads.", epilog=EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Where the plan is written.")
@click.option("--previous", multiple=True, type=click.Path(path_type=Path), help="A plan whose calls may still run.")
@click.option("--keep", default=3, show_default=True, type=click.IntRange(0, 100), help="Previous revisions per flow.")
@click.option("--hold", is_flag=True, help="New calls stay with --previous until `sma-flows rollout` gives a share.")
@click.option("--json", "as_json", is_flag=True, help="Print the facts as JSON.")
def command(
    paths: tuple[str, ...], output: Path, previous: tuple[Path, ...], keep: int, hold: bool, as_json: bool
) -> None:
    """Compile flow files, bundles and folders of them into one plan, and say what is known about each flow.

    The facts: states, the longest list of actions, the most bytes that a call can save, and how many states are
    answered together with the one before, so that each of them saves an invocation.
    """
    given = existing(paths)
    plans = [previous_plan(path) for path in previous]
    held(hold, previous, plans)
    with busy(f"Compiling {', '.join(paths)}"):
        result = compile_paths(given, plans, keep, hold)
    something(result, paths)
    if result.diagnostics:
        text = render_text(result.diagnostics, result.sources, colour=err().is_terminal)
        click.echo(text, err=True)
    if result.plan is None:
        raise FindingsError(f"{verdict(result.diagnostics, len(result.sources))}; nothing was written.")
    text = result.plan.dumps()
    write_plan(output, text)
    facts = _facts(result.plan)
    if as_json:
        say_json({"plan": str(output), "bytes": len(text.encode()), "flows": facts})
    else:
        _show(facts)
        err().print(f"{output}: {len(text.encode()):,} bytes, {verdict(result.diagnostics, len(result.sources))}")
    exit_with(0)


def previous_plan(path: Path) -> Plan:
    """A plan that was given as --previous.

    Raises:
        WrongUsage: it cannot be read.
    """
    try:
        return Plan.read(path)
    except PlanError as error:
        raise WrongUsage(f"--previous {error}") from None


def held(hold: bool, paths: Sequence[Path], plans: Sequence[Plan]) -> None:
    """Refuse --hold where it is not clear what new calls are to stay with.

    Raises:
        WrongUsage: there is no plan of before, or it holds a roll-out that is not over.
    """
    if hold and not plans:
        raise WrongUsage("--hold keeps new calls with the deployed plan: name it with --previous.")
    if hold and plans[0].candidates:
        raise WrongUsage(
            f"{paths[0]} holds a roll-out ({', '.join(sorted(plans[0].candidates))}): write it as it is in effect with "
            "`sma-flows rollout fetch`, then name that file."
        )


def write_plan(output: Path, text: str) -> None:
    """Write the plan at once or not at all: a function may be reading the old one."""
    beside = output.with_name(f".{output.name}.new")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, output)
    except OSError as error:
        raise WrongUsage(f"{output} cannot be written ({error.strerror}): name a file with -o.") from None


def _facts(plan: Plan) -> list[dict[str, Any]]:
    """What is known about each flow, of the revision that was compiled; ``previous`` counts the older ones."""
    found = []
    for name, revision in sorted({**plan.flows, **plan.candidates}.items()):
        flow = plan.revisions[revision]
        older = sum(1 for other, each in plan.revisions.items() if each["name"] == name and other != revision)
        found.append({"flow": name, "revision": revision, "previous": older, **flow.get("facts", {})})
    return found


def _show(facts: Sequence[dict[str, Any]]) -> None:
    head = ("flow", "revision", "states", "longest list", "bytes saved at most", "invocations saved", "previous")
    keys = ("flow", "revision", "states", "longest_list", "attributes_bytes", "joined", "previous")
    rows = [[one.get(key, "-") for key in keys] for one in facts]
    for line in columns(head, rows, right=range(2, len(head))):
        show(line)
