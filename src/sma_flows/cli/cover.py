"""What ``sma-flows test`` says and writes about coverage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sma_flows.cli.console import WrongUsage, err

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sma_flows.testing.coverage import Coverage
    from sma_flows.testing.script import CallsFile

__all__ = ["Wanted", "collector", "covered", "tell", "with_coverage_options", "write"]

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks of coverage. ``fail_under`` is in per cent."""

    text: bool
    fail_under: float | None
    html: Path | None
    lcov: Path | None

    def __bool__(self) -> bool:
        return self.text or bool(self.html or self.lcov) or self.fail_under is not None


def with_coverage_options(command: Command) -> Command:
    """Add the options; the command gets one argument ``wanted``."""

    def run(
        *args: Any, coverage: bool, fail_under: float | None, coverage_html: Path | None, lcov: Path | None, **rest: Any
    ) -> Any:
        return command(*args, wanted=Wanted(coverage, fail_under, coverage_html, lcov), **rest)

    run.__doc__ = command.__doc__
    options = (
        click.option(
            "--fail-under",
            type=click.FloatRange(0, 100),
            metavar="PERCENT",
            help="Exit with 1 if a flow has less of its states, transitions, outcomes or attempts.",
        ),
        click.option(
            "--lcov", type=click.Path(path_type=Path, dir_okay=False), help="Write coverage as LCOV, for editors."
        ),
        click.option(
            "--coverage-html",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help="Write a page for each flow: its diagram in colours, what is missing, its lines.",
        ),
        click.option("--coverage", is_flag=True, help="Tell what no call has come by, and what to write to get there."),
    )
    made: Any = run
    for option in options:
        made = option(made)
    return made  # type: ignore[no-any-return]


def collector(files: Iterable[CallsFile], paths: Iterable[Path]) -> Coverage:
    """An empty coverage. Where calls of a whole folder are played, all flows beside the called ones count."""
    from sma_flows.testing.coverage import Coverage

    coverage = Coverage()
    folders = [path for path in paths if path.is_dir()]
    for file in files:
        if any(folder in file.path.parents for folder in folders):
            coverage.expect(file.flow)
    coverage.expect_beside()
    return coverage


def tell(coverage: Coverage, wanted: Wanted) -> None:
    """Print the table, and if it was asked for what is missing."""
    from sma_flows.testing.coverage.report import missed_lines, table_lines

    flows = coverage.flows()
    click.echo()
    for line in table_lines(flows):
        click.echo(line)
    if wanted.text:
        for line in missed_lines(flows):
            click.echo(line)
    for line in coverage.too_low(wanted.fail_under):
        click.echo(line)


def write(coverage: Coverage, wanted: Wanted) -> None:
    """Write the pages and the LCOV file that were asked for.

    Raises:
        WrongUsage: they cannot be written.
    """
    from sma_flows.testing.coverage.lcov import lcov
    from sma_flows.testing.coverage.page import write_pages

    try:
        if wanted.html is not None:
            err().print(f"Coverage: {write_pages(coverage.flows(), wanted.html)}")
        if wanted.lcov is not None:
            wanted.lcov.parent.mkdir(parents=True, exist_ok=True)
            wanted.lcov.write_text(lcov(coverage.flows()), "utf-8")
    except OSError as error:
        raise WrongUsage(f"{error.filename or wanted.html} cannot be written ({error.strerror}).") from None


def covered(coverage: Coverage) -> dict[str, Any]:
    """The report for programs."""
    from sma_flows.testing.coverage.report import as_object

    return as_object(coverage.flows())
