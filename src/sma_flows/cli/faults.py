"""``sma-flows faults``: the fault matrix of a flow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table
from rich.text import Text

from sma_flows.cli.calling import env_of, env_option, flow_files
from sma_flows.cli.console import WrongUsage, columns, err, exit_with, out, say_json, show
from sma_flows.cli.simulated import switch_option, switches_of

if TYPE_CHECKING:
    from sma_flows.testing.faults import Cell, Matrix

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  sma-flows faults flows/dial-in.yaml                      the table in the terminal
  sma-flows faults flows --html build/faults.html          of all flows of a folder, as a page
  sma-flows faults flows/dial-in.yaml --switch hangup_during_action=observed    of a service that does it so
  sma-flows faults flows/dial-in.yaml --json | jq '.[].missed'

\b
Rows are the states of the flow; the way to each is found by trying what people and hooks can do. Columns are what
can go wrong: a party hangs up, an action ends with one of its documented errors, an event comes again, late, or out
of order, something happens while a hook works (the answers arriving in either order), the function runs out of time
or dies, a hook raises or is late, an answer does not arrive whole. Each cell is made of one call for each way in
which that fault can meet that state. It is red when an invariant does not hold (`sma-flows fuzz --list`) or the
service had to end the call; its transcripts follow the table, each with a Python test that lets it happen again.

\b
Exit codes: 0 no red cell, 1 a red cell, 2 wrong usage.
"""


@click.command("faults", short_help="What every state does when anything goes wrong.", epilog=EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="FLOW...")
@env_option
@switch_option
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write the tables as a page to this file."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def command(
    paths: tuple[str, ...], env: tuple[str, ...], switches: tuple[str, ...], html: Path | None, as_json: bool
) -> None:
    """Let every state of a flow meet everything that can go wrong, on the simulated service, and show the outcome."""
    given, settled = env_of(env), switches_of(switches)
    matrices = [_made(flow, given, settled, quiet=as_json) for flow in flow_files(paths)]
    if html is not None:
        _write(html, matrices)
    if as_json:
        say_json([_as_object(one) for one in matrices])
    else:
        for matrix in matrices:
            _tell(matrix)
        if html is not None:
            click.echo(f"written: {html}")
    exit_with(1 if any(one.red for one in matrices) else 0)


def _made(flow: Path, env: dict[str, str], switches: dict[str, str], *, quiet: bool) -> Matrix:
    from sma_flows.testing.faults import fault_matrix
    from sma_flows.testing.lab import Lab
    from sma_flows.testing.world import UnplayableError

    try:
        with _progress(flow, quiet=quiet) as tell:
            return fault_matrix(Lab(flow, env=env, watched=True, switches=switches), progress=tell)
    except UnplayableError as error:
        raise WrongUsage(str(error)) from None
    except ImportError as error:
        raise WrongUsage(f"judging calls needs {error.name}: pip install 'sma-flows[fuzz]'.") from None


@contextmanager
def _progress(flow: Path, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    console = err()
    if quiet or not console.is_terminal:
        yield lambda _state: None
        return
    with console.status(f"{flow.name}: looking for ways to every state", spinner="line") as status:
        yield lambda state: status.update(f"{flow.name}: {state}")


def _tell(matrix: Matrix) -> None:
    red = sum(len(cell.red) for cell in matrix.red)
    missed = f", {len(matrix.missed)} states not reached" if matrix.missed else ""
    show(f"{matrix.flow}: {matrix.calls} calls, {red or 'none'} went wrong{missed}")
    _table(matrix)
    for cell in matrix.red:
        for one in cell.red:
            show(f"\n{cell.state}: {cell.column}: {one.violation}\n")
            show(one.as_python())


def _table(matrix: Matrix) -> None:
    from sma_flows.testing.faults import COLUMNS

    head = ["state", *COLUMNS]
    rows = [[state, *_row(matrix, state)] for state in matrix.states]
    console = out()
    if not console.is_terminal:
        for line in columns(head, rows, right=range(1, len(head))):
            show(line)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in head:
        table.add_column(name, justify="left" if name == "state" else "right")
    for row in rows:
        table.add_row(row[0], *(_coloured(text) for text in row[1:]))
    console.print(table)


def _row(matrix: Matrix, state: str) -> list[str]:
    from sma_flows.testing.faults import COLUMNS

    if state in matrix.missed:
        return ["not reached", *[""] * (len(COLUMNS) - 1)]
    if state in matrix.silent:
        return ["sends nothing", *[""] * (len(COLUMNS) - 1)]
    return [_word(matrix.cells[state, column]) for column in COLUMNS]


def _word(cell: Cell) -> str:
    return f"RED {len(cell.red)}/{cell.calls}" if cell.red else str(cell.calls or "-")


def _coloured(text: str) -> Text:
    if text.startswith("RED"):
        return Text(text, style="bold red")
    return Text(text, style="green" if text.isdigit() else "yellow" if text == "not reached" else "dim")


def _as_object(matrix: Matrix) -> dict[str, Any]:
    cells: dict[str, dict[str, Any]] = {}
    for (state, column), cell in matrix.cells.items():
        cells.setdefault(state, {})[column] = {
            "colour": cell.colour,
            "calls": cell.calls,
            "red": [
                {
                    "invariant": one.violation.invariant,
                    "what": one.violation.what,
                    "transcript": list(one.violation.transcript),
                    "python": one.as_python(),
                }
                for one in cell.red
            ],
        }
    return {
        "flow": matrix.flow,
        "name": matrix.name,
        "calls": matrix.calls,
        "missed": list(matrix.missed),
        "silent": list(matrix.silent),
        "states": cells,
    }


def _write(path: Path, matrices: list[Matrix]) -> None:
    from sma_flows.testing.faults_page import page

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(matrices), "utf-8")
    except OSError as error:
        raise WrongUsage(f"the page {path} cannot be written ({error.strerror}).") from None
