"""The fault matrix as one HTML file: the table, and a transcript with a test for every call that went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Final

from sma_flows.testing.faults import COLUMNS, Cell, Matrix

__all__ = ["page"]

STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0 2rem; }
th, td { padding: .25rem .6rem; text-align: center; border-bottom: 1px solid #8884; }
td { font-variant-numeric: tabular-nums; }
th[scope=row] { text-align: left; font-weight: 500; }
thead th { vertical-align: bottom; font-weight: 500; font-size: .85rem; }
td.green { color: #14713d; background: #14713d1a; }
td.red { color: #fff; background: #b3261e; font-weight: 700; }
td.red a { color: inherit; }
tr.missed th { color: #b35900; }
@media (prefers-color-scheme: dark) { td.green { color: #7fd8a2; } }
pre { overflow-x: auto; padding: .8rem; background: #8881; font-size: .85rem; }
details { margin: .5rem 0; }
summary { cursor: pointer; }
""".strip()


def page(matrices: Iterable[Matrix]) -> str:
    """One page with the matrices of some flows."""
    body = "\n".join(line for matrix in matrices for line in _matrix(matrix))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Fault matrix</title>\n'
        f"<style>\n{STYLE}\n</style>\n</head>\n<body>\n<h1>Fault matrix</h1>\n"
        "<p>Every state meets every kind of fault; the number says in how many calls. A cell without a number: this "
        f"fault cannot meet this state.</p>\n{body}\n</body>\n</html>\n"
    )


def _matrix(matrix: Matrix) -> Iterator[str]:
    red = matrix.red
    yield f"<h2>{escape(matrix.name)}</h2>"
    yield f"<p><code>{escape(matrix.flow)}</code>: {matrix.calls} calls, {_count(red)} went wrong.</p>"
    yield "<table>\n<thead><tr><th></th>" + "".join(f'<th scope="col">{escape(name)}</th>' for name in COLUMNS)
    yield "</tr></thead>\n<tbody>"
    for state in matrix.states:
        yield _row(matrix, state)
    yield "</tbody>\n</table>"
    for cell in red:
        yield f'<h3 id="{_anchor(matrix, cell)}">{escape(cell.state)}: {escape(cell.column)}</h3>'
        for one in cell.red:
            yield f"<details><summary>{escape(one.violation.invariant)}: {escape(one.violation.what)}</summary>"
            yield f"<pre>{escape(chr(10).join(one.violation.transcript))}</pre>"
            yield f"<pre>{escape(one.as_python())}</pre></details>"


def _row(matrix: Matrix, state: str) -> str:
    head = f'<th scope="row">{escape(state)}</th>'
    width = len(COLUMNS)
    if state in matrix.missed:
        return f'<tr class="missed">{head}<td colspan="{width}">not reached</td></tr>'
    if state in matrix.silent:
        return f'<tr>{head}<td colspan="{width}">sends nothing and asks nobody</td></tr>'
    cells = (matrix.cells[state, column] for column in COLUMNS)
    return f"<tr>{head}{''.join(_cell(matrix, cell) for cell in cells)}</tr>"


def _cell(matrix: Matrix, cell: Cell) -> str:
    if not cell.calls:
        return "<td></td>"
    if not cell.red:
        return f'<td class="green">{cell.calls}</td>'
    return f'<td class="red"><a href="#{_anchor(matrix, cell)}">{len(cell.red)} of {cell.calls}</a></td>'


def _anchor(matrix: Matrix, cell: Cell) -> str:
    return escape(f"{matrix.name}-{cell.state}-{cell.column}".replace(" ", "-").replace("/", "-"))


def _count(red: list[Cell]) -> str:
    return str(sum(len(cell.red) for cell in red) or "none")
