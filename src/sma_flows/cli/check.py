"""``sma-flows check``: every problem of every flow, at once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sma_flows.cli.console import busy, err, exit_with, out, say_json, show
from sma_flows.cli.given import existing, something, verdict
from sma_flows.cli.load import root_of
from sma_flows.compiler import answers, check_paths, compile_paths
from sma_flows.flow.diagnostics import in_order, render_github, render_json, render_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sma_flows.compiler import Answer, CompileResult
    from sma_flows.flow.diagnostics import Diagnostic

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  sma-flows check flows/                       all flows of a folder
  sma-flows check flows/dial-in.yaml           one flow, with the sub-flows it uses
  sma-flows check flows/calls/dial-in.calls.yaml    the calls that test a flow
  sma-flows check flows/ --defaults            which state leaves which outcome to the flow's defaults
  sma-flows check flows/ --format github       remarks beside the lines of a pull request
  sma-flows check flows/ --strict              warnings count as errors (for CI)
  sma-flows check flows/ --template template.yaml   and what of them the template does not serve

\b
Exit codes: 0 nothing to mend, 1 errors found (with --strict: or warnings), 2 wrong usage.
"""


@click.command("check", short_help="Report every problem of flows, with place and remedy.", epilog=EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...")
@click.option("--format", "form", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--defaults", is_flag=True, help="List the outcomes that states leave to `defaults` or to the language.")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("--template", type=click.Path(path_type=Path), help="Check the template that deploys the flows, too.")
def command(
    paths: tuple[str, ...], form: str, as_json: bool, defaults: bool, strict: bool, template: Path | None
) -> None:
    """Check flows, bundles, files of calls and folders of them; report all problems with place, code and remedy.

    `sma-flows explain CODE` says more about any of them. JSON is a list of findings; with --defaults it is an object of
    `findings` and `defaults`.
    """
    form = "json" if as_json else form
    given = existing(paths)
    with busy(f"Checking {', '.join(paths)}"):
        result = _checked(given)
        if template is not None:
            result = _with_template(result, given, template)
    something(result, paths)
    found = result.diagnostics
    relied = [one for one in answers(result.flows) if one.source != "own"]
    if form == "json":
        findings = json.loads(render_json(found))
        say_json({"findings": findings, "defaults": [asdict(one) for one in relied]} if defaults else findings)
    elif form == "github":
        click.echo(render_github(found), nl=False)
    else:
        if found:
            click.echo(render_text(found, result.sources, colour=out().is_terminal))
        for line in _listed(relied) if defaults else ():
            show(line)
        for line in _in_short(relied) if not defaults else ():
            err().print(line)
    if form != "json":
        err().print(verdict(found, len(result.sources)))
    exit_with(1 if _bad(found, strict) else 0)


def _checked(paths: Sequence[Path]) -> CompileResult:
    """Flows and bundles as the compiler sees them, and the files of calls among them or below a folder."""
    from sma_flows.testing.check import calls_files, check_calls

    calls = list(dict.fromkeys(file for path in paths for file in calls_files(path)))
    result = check_paths([path for path in paths if path not in calls])
    if not calls:
        return result
    found, sources = check_calls(calls)
    return replace(
        result,
        diagnostics=in_order([*result.diagnostics, *found]),
        sources={**result.sources, **sources},
    )


def _with_template(result: CompileResult, paths: Sequence[Path], template: Path) -> CompileResult:
    """The same with what is said about the template. Flows with errors have no plan to compare it with."""
    from sma_flows.deploy.check import check_template

    existing([str(template)])
    compiled = compile_paths([path for path in paths if not path.name.endswith(".calls.yaml")])
    if compiled.plan is None:
        return result
    found = check_template(template, compiled.plan, compiled.sources, root_of(paths[0]))
    text = template.read_text("utf-8", errors="replace")
    return replace(
        result,
        diagnostics=in_order([*result.diagnostics, *found]),
        sources={**result.sources, str(template): text},
    )


def _bad(found: Sequence[Diagnostic], strict: bool) -> bool:
    bad = {"error", "warning"} if strict else {"error"}
    return any(one.severity in bad for one in found)


def _listed(relied: Sequence[Answer]) -> Iterator[str]:
    """Who relies on which default, a line for each: flow by flow, outcome by outcome."""
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for one in relied:
        groups.setdefault((one.flow, one.source, one.outcome, one.target), []).append(one.state)
    flow = ""
    for (name, source, outcome, target), states in sorted(groups.items()):
        if name != flow:
            yield name
            flow = name
        words = "from `defaults`" if source == "defaults" else "built in"
        yield f"  {outcome} -> {target} ({words}): {', '.join(states)}"


def _in_short(relied: Sequence[Answer]) -> Iterator[str]:
    """The same in one line for each flow, without the answers that the language has built in."""
    flows: dict[str, Counter[str]] = {}
    for one in relied:
        if one.source == "defaults":
            flows.setdefault(one.flow, Counter())[f"{one.outcome} -> {one.target}"] += 1
    for name, counts in flows.items():
        words = ", ".join(f"{answer} ({number})" for answer, number in sorted(counts.items()))
        yield f"{name} leaves to its defaults: {words}"
