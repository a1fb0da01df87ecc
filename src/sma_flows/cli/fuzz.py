"""``sma-flows fuzz``: draw calls at random and tell in which of them something does not hold that always must."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sma_flows.cli.calling import env_of, env_option, flow_files
from sma_flows.cli.console import WrongUsage, err, exit_with, say_json
from sma_flows.cli.simulated import switch_option, switches_of

if TYPE_CHECKING:
    from sma_flows.testing.fuzz import Fuzzed

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  sma-flows fuzz flows/dial-in.yaml                        1,000 calls
  sma-flows fuzz flows --calls 10000                       of all flows of a folder together
  sma-flows fuzz flows/dial-in.yaml --seed 7               other calls; the same seed draws the same calls
  sma-flows fuzz flows/dial-in.yaml --save build/found     write a test for each call that was found
  sma-flows fuzz flows --switch overlap=parallel           in every call; the other switches are drawn
  sma-flows fuzz flows --json | jq '.[].found'

\b
Drawn are keys, silence, speech and hang-ups at any moment, what called parties, bots and hooks answer, updates,
errors of the service, what happens to the function, and everything about the service that nobody knows
(`sma-flows fidelity`). Each call is judged by the same invariants: nobody is left in silence, no action is for a leg
that has gone, clean-up runs once, no secret leaves, a repeated event gets the same answer, and so on (--list). The
first call in which one does not hold is made as small as possible, and shown with a Python test that lets it happen
again.

\b
Exit codes: 0 everything held, 1 something did not, 2 wrong usage.
"""


@click.command("fuzz", short_help="Draw calls at random and judge each.", epilog=EXAMPLES)
@click.argument("paths", nargs=-1, metavar="FLOW...")
@click.option("--calls", type=click.IntRange(1), default=1_000, show_default=True, help="How many, all flows together.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which calls: the same seed draws the same ones.")
@click.option("--workers", type=click.IntRange(1), help="Processes at work; default: one for each processor.")
@env_option
@switch_option
@click.option("--save", type=click.Path(path_type=Path, file_okay=False), help="Write what was found into this folder.")
@click.option("--list", "list_them", is_flag=True, help="List the invariants and end.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def command(
    paths: tuple[str, ...],
    calls: int,
    seed: int,
    workers: int | None,
    env: tuple[str, ...],
    switches: tuple[str, ...],
    save: Path | None,
    list_them: bool,
    as_json: bool,
) -> None:
    """Draw calls of flows at random, play them on the simulated service, and judge each by invariants."""
    from sma_flows.testing.invariants import INVARIANTS

    if list_them:
        _list(as_json)
        exit_with(0)
    if not paths:
        raise WrongUsage("name a flow: sma-flows fuzz flows/dial-in.yaml (or --list for what is looked at).")
    flows = flow_files(paths)
    settled = switches_of(switches)
    begin = time.perf_counter()
    with _progress(calls, quiet=as_json) as tell:
        done = _fuzz(flows, calls, seed, workers, env_of(env), settled, tell)
    seconds = time.perf_counter() - begin
    written = [path for one in done for path in _save(one, save)] if save is not None else []
    if as_json:
        from sma_flows.testing.fuzz import as_object

        say_json([as_object(one) for one in done])
    else:
        for one in done:
            _tell(one, saved=save is not None)
        for path in written:
            click.echo(f"written: {path}")
        if not any(one.found for one in done):
            click.echo(
                f"{len(INVARIANTS)} invariants held in {sum(one.calls for one in done):,} calls ({seconds:.1f} s)"
            )
    exit_with(1 if any(one.found for one in done) else 0)


def _list(as_json: bool) -> None:
    from sma_flows.testing.invariants import INVARIANTS

    if as_json:
        say_json([{"name": one.name, "says": one.says} for one in INVARIANTS])
        return
    for one in INVARIANTS:
        click.echo(f"{one.name:24} {one.says}")


def _fuzz(
    flows: list[Path],
    calls: int,
    seed: int,
    workers: int | None,
    env: dict[str, str],
    switches: dict[str, str],
    tell: Callable[[int], object],
) -> list[Fuzzed]:
    from sma_flows.testing.world import UnplayableError

    try:
        from sma_flows.testing.fuzz import fuzz_flows

        return fuzz_flows(flows, calls=calls, seed=seed, workers=workers, env=env, switches=switches, progress=tell)
    except UnplayableError as error:
        raise WrongUsage(str(error)) from None
    except ImportError as error:
        raise WrongUsage(f"drawing calls needs {error.name}: pip install 'sma-flows[fuzz]'.") from None


def _tell(one: Fuzzed, *, saved: bool) -> None:
    rate = f"{one.calls:,} calls, {one.events:,} events"
    if not one.found:
        click.echo(f"{one.flow}: {rate}: sound")
        return
    for found in one.found:
        click.echo(f"{one.flow}: {rate}: {found.violation}\n")
        if not saved:
            click.echo(found.as_python())


def _save(one: Fuzzed, folder: Path) -> Iterator[Path]:
    for found in one.found:
        name = f"{Path(one.flow).stem}-{found.violation.invariant.replace(' ', '-')}"
        texts = {f"test_{name.replace('-', '_')}.py": found.as_python(), f"{name}.calls.yaml": found.as_calls(folder)}
        for file, text in texts.items():
            if text is None:
                continue
            try:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / file).write_text(text, "utf-8")
            except OSError as error:
                raise WrongUsage(f"{folder / file} cannot be written ({error.strerror}).") from None
            yield folder / file


@contextmanager
def _progress(calls: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    console = err()
    if quiet or not console.is_terminal:
        yield lambda _done: None
        return
    columns = (TextColumn("Calling"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("calls", total=calls)
        yield lambda more: bar.advance(task, more)
