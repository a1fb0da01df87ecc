"""``sma-flows build``: the folder that becomes the Lambda function."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sma_flows.cli.compile import held, previous_plan
from sma_flows.cli.console import FindingsError, WrongUsage, busy, err, exit_with, say_json, show
from sma_flows.cli.given import existing, something, verdict
from sma_flows.cli.load import root_of
from sma_flows.compiler import compile_paths
from sma_flows.deploy.package import RUNTIME, build_function, build_resources, build_web, zip_folder
from sma_flows.errors import BuildError
from sma_flows.flow.diagnostics import render_text

if TYPE_CHECKING:
    from sma_flows.deploy.package import Built
    from sma_flows.plan import Plan

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  sma-flows build flows/ -o build/function
  sma-flows build flows/ -o build/function --previous deployed.json
  sma-flows build flows/ -o build/function --requirements flows/requirements.txt
  sma-flows build --resources -o build/resources     the function behind the custom resource of template.yaml
  sma-flows build flows/ --web -o build/web          the function behind the HTTP API of click-to-call

\b
`sam build` runs this through flows/Makefile. The same input gives the same bytes: compare the digest.

\b
Exit codes: 0 built, 1 errors in the flows (nothing is built), 2 wrong usage or something is missing.
"""


@click.command("build", short_help="Build the folder that becomes the Lambda function.", epilog=EXAMPLES)
@click.argument("path", required=False, metavar="[FLOWS]")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The folder; what we built is replaced."
)
@click.option("--previous", multiple=True, type=click.Path(path_type=Path), help="A plan whose calls may still run.")
@click.option("--keep", default=3, show_default=True, type=click.IntRange(0, 100), help="Previous revisions per flow.")
@click.option("--hold", is_flag=True, help="New calls stay with --previous until `sma-flows rollout` gives a share.")
@click.option("--runtime", default=RUNTIME, show_default=True, help="The Lambda runtime, as in template.yaml.")
@click.option(
    "--byte-code",
    type=click.Choice(["auto", "require", "none"]),
    default="auto",
    show_default=True,
    help="auto: if an interpreter of the runtime's version is here.",
)
@click.option(
    "--requirements",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Packages that your hooks need, fetched for 64-bit ARM. Default: requirements.txt beside the flows.",
)
@click.option("--resources", is_flag=True, help="Build the function behind the template's custom resource instead.")
@click.option("--web", is_flag=True, help="Build the function behind the HTTP API of click-to-call instead.")
@click.option("--zip", "archive", type=click.Path(path_type=Path), help="Write the folder as an archive, too.")
@click.option("--json", "as_json", is_flag=True, help="Say what was built as JSON.")
def command(
    path: str | None,
    output: Path,
    previous: tuple[Path, ...],
    keep: int,
    hold: bool,
    runtime: str,
    byte_code: str,
    requirements: Path | None,
    resources: bool,
    web: bool,
    archive: Path | None,
    as_json: bool,
) -> None:
    """Build the Lambda function that answers calls with FLOWS (a file, a bundle or a folder).

    It holds the compiled plan, the hooks, the modules of sma-flows that a live call loads, and their requirements as
    they are installed here; with byte code, so that a cold start need not compile.
    """
    try:
        with busy(f"Building {output}"):
            if resources and web:
                raise WrongUsage("--resources and --web are two functions: build one at a time.")
            if resources:
                built = build_resources(output, runtime=runtime, byte_code=byte_code)
            else:
                if path is None:
                    raise WrongUsage("name the flows to build: sma-flows build flows/ -o build/function")
                plan = _plan(path, previous, keep, hold)
                if web:
                    built = build_web(plan, output, runtime=runtime, byte_code=byte_code)
                else:
                    built = build_function(
                        plan,
                        root_of(Path(path)),
                        output,
                        runtime=runtime,
                        byte_code=byte_code,
                        requirements=requirements or _beside(root_of(Path(path))),
                    )
            zipped = _zipped(output, archive)
    except BuildError as error:
        raise WrongUsage(f"{error}.") from None
    _report(built, zipped, runtime, as_json)
    exit_with(0)


def _beside(root: Path) -> Path | None:
    """What the hooks need, if the folder of the flows says it."""
    found = root / "requirements.txt"
    return found if found.is_file() else None


def _plan(path: str, previous: tuple[Path, ...], keep: int, hold: bool) -> Plan:
    plans = [previous_plan(each) for each in previous]
    held(hold, previous, plans)
    result = compile_paths(existing((path,)), plans, keep, hold)
    something(result, (path,))
    found = [one for one in result.diagnostics if one.severity != "note"]
    if found:
        click.echo(render_text(found, result.sources, colour=err().is_terminal), err=True)
    if result.plan is None:
        raise FindingsError(f"{verdict(result.diagnostics, len(result.sources))}; nothing was built.")
    return result.plan


def _zipped(folder: Path, archive: Path | None) -> int:
    """Bytes of the folder as an archive, which is written where *archive* says or not at all."""
    if archive is not None:
        archive.parent.mkdir(parents=True, exist_ok=True)
        return zip_folder(folder, archive)
    with tempfile.TemporaryDirectory() as place:
        return zip_folder(folder, Path(place) / "function.zip")


def _report(built: Built, zipped: int, runtime: str, as_json: bool) -> None:
    if as_json:
        say_json(
            {
                "folder": str(built.folder),
                "files": built.files,
                "bytes": built.size,
                "zipped_bytes": zipped,
                "digest": built.digest,
                "runtime": runtime,
                "byte_code": built.byte_code,
                "packages": dict(built.packages),
                "flows": dict(built.flows),
                "candidates": dict(built.candidates),
            }
        )
        return
    show(f"{built.folder}: {built.files} files, {built.size / 1e6:.1f} MB, {zipped / 1e6:.2f} MB zipped")
    show(f"digest {built.digest[:16]}")
    candidates = dict(built.candidates)
    for name, revision in built.flows:
        show(f"  {name} {revision}{f', candidate {candidates[name]}' if name in candidates else ''}")
    for name, version in built.packages:
        show(f"  {name} {version}")
    if not built.byte_code:
        err().print(
            f"Note: without byte code, because no interpreter of {runtime} was found: a cold start takes about twice "
            "the time to import."
        )
