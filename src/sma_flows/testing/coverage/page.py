"""Coverage as pages for a browser: the diagram in colours, what is missing and what to write, the lines of the file.

Each page is one file that needs nothing else: no script, no network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Final

from sma_flows.diagram import Mark, boxes_of, svg
from sma_flows.flow.nodes import source_lines
from sma_flows.testing.coverage.items import Item
from sma_flows.testing.coverage.report import Covered, Figure, FlowCoverage, total

__all__ = ["index_page", "page_of", "write_pages"]

STYLE: Final = """
:root{--ink:#1d2530;--soft:#5b6675;--line:#d9dee6;--seen:#1e8e4a;--missed:#c5362b;--seenbg:#eefaf1;--missedbg:#fdf0ee}
body{font:15px/1.45 system-ui,-apple-system,"Segoe UI",sans-serif;color:var(--ink);margin:2rem auto;max-width:1180px;
padding:0 1.2rem;background:#fff}
h1{font-size:1.5rem;margin:0 0 .2rem}h2{font-size:1.1rem;margin:2rem 0 .6rem}
p.file{color:var(--soft);margin:0 0 1.2rem}a{color:#1b5cab}
table{border-collapse:collapse}th{text-align:left;font-weight:600}
.figures td,.figures th{padding:.25rem 1.4rem .25rem 0}
.bar{display:inline-block;width:120px;height:8px;border-radius:4px;
background:var(--missed);margin-right:.5rem;overflow:hidden}.bar i{display:block;height:8px;background:var(--seen)}
.diagram{overflow:auto;border:1px solid var(--line);border-radius:6px;padding:4px;max-height:85vh;
width:calc(100vw - 4rem);margin-left:calc(50% - 50vw + 1.6rem)}
.legend{color:var(--soft);font-size:.85rem;margin:.4rem 0}
.legend b.seen{color:var(--seen)}.legend b.missed{color:var(--missed)}
.missing{width:100%}.missing td{vertical-align:top;padding:.45rem .8rem .45rem 0;border-top:1px solid var(--line)}
.missing td:first-child{white-space:nowrap}
pre{margin:0;font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.write{background:#f4f6f9;border-radius:5px;padding:.4rem .7rem;overflow:auto}
.source{border:1px solid var(--line);border-radius:6px;overflow:auto;padding:.4rem 0}
.source td{padding:0 .7rem;white-space:pre;font:12.5px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.source td:first-child{text-align:right;color:var(--soft);user-select:none}
.source tr.seen td:nth-child(2){background:var(--seenbg);border-left:3px solid var(--seen)}
.source tr.missed td:nth-child(2){background:var(--missedbg);border-left:3px solid var(--missed)}
.source tr.none td:nth-child(2){border-left:3px solid transparent}
.source td:nth-child(3){color:var(--missed)}.source tr:target td{outline:2px solid #f2c94c}
"""


def write_pages(flows: Sequence[FlowCoverage], folder: Path) -> Path:
    """Write a page for each flow and ``index.html``; the index.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for flow in flows:
        (folder / _file(flow.name)).write_text(page_of(flow, flows), "utf-8")
    index = folder / "index.html"
    index.write_text(index_page(flows), "utf-8")
    return index


def index_page(flows: Sequence[FlowCoverage]) -> str:
    """The figures of all flows, with links to their pages."""
    rows = [
        f'<tr><td><a href="{_file(flow.name)}">{escape(flow.name)}</a></td>{_cells(flow.figures.values())}</tr>'
        for flow in flows
    ]
    if len(flows) > 1:
        rows.append(f"<tr><td>all</td>{_cells(total(flows).values())}</tr>")
    return _page("Coverage of flows", f'<h1>Coverage of flows</h1>\n<table class="figures">{_head(rows)}</table>')


def page_of(flow: FlowCoverage, others: Sequence[FlowCoverage] = ()) -> str:
    """The page of one flow; *others* are linked."""
    links = " · ".join(
        f'<a href="{_file(each.name)}">{escape(each.name)}</a>' for each in others if each.name != flow.name
    )
    row = f"<tr><td>{escape(flow.name)}</td>{_cells(flow.figures.values())}</tr>"
    body = [
        f"<h1>{escape(flow.name)}</h1>",
        f'<p class="file">{escape(flow.file)} · <a href="index.html">all flows</a>{" · " + links if links else ""}</p>',
        f'<table class="figures">{_head([row])}</table>',
        '<h2>Diagram</h2><p class="legend"><b class="seen">\N{CHECK MARK} calls came by</b> · '
        '<b class="missed">\N{MULTIPLICATION X} none did (dashed)</b> · the small numbers are attempts at a question · '
        "a dashed arrow is an answer from <code>defaults</code> or built in · rest the pointer somewhere to read which "
        "calls came by</p>",
        f'<div class="diagram">{svg(boxes_of(flow.guide.plan, _prefix(flow), _marks(flow)), flow.name)}</div>',
        *_missing(flow),
        *_source(flow),
    ]
    return _page(f"Coverage of {flow.name}", "\n".join(body))


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )


def _head(rows: Sequence[str]) -> str:
    names = "".join(f"<th>{name}</th>" for name in ("flow", "states", "transitions", "outcomes", "attempts"))
    return f"<tr>{names}</tr>{''.join(rows)}"


def _cells(figures: Iterable[Figure]) -> str:
    return "".join(f"<td>{_cell(figure)}</td>" for figure in figures)


def _file(flow: str) -> str:
    """The page of a flow; `index` is taken."""
    return f"{flow}.html" if flow != "index" else "index-flow.html"


def _cell(figure: Figure) -> str:
    if not figure.total:
        return "–"
    bar = f'<span class="bar"><i style="width:{figure.percent:.0f}%"></i></span>'
    return f"{bar}{figure} · {figure.percent:.0f} %"


def _prefix(flow: FlowCoverage) -> str:
    return "" if flow.name == flow.guide.map.outer.name else f"{flow.name}/"


def _marks(flow: FlowCoverage) -> dict[tuple[str, str, str], Mark]:
    """Where a failure can lead to two places, it is done when both were seen."""
    marks: dict[tuple[str, str, str], Mark] = {}
    for one in flow.items:
        key = (one.item.kind, one.item.state, one.item.label)
        known = marks.get(key)
        calls = one.calls if known is None else one.calls + known.calls if one.calls and known.calls else ()
        marks[key] = Mark(tuple(dict.fromkeys(calls)))
    return marks


def _missing(flow: FlowCoverage) -> Iterator[str]:
    if not flow.missed:
        yield "<h2>Nothing is missing</h2>"
        return
    yield '<h2>No call comes by</h2><table class="missing">'
    unseen = {one.item.state for one in flow.missed if one.item.kind == "state"}
    for one in flow.missed:
        item = one.item
        place = f'<a href="#L{item.span.line}">{escape(Path(item.span.file).name)}:{item.span.line}</a>'
        told = ""
        if item.kind == "state" or item.state not in unseen:
            advice = flow.advice(item)
            text = advice.yaml(str(item)) if advice is not None else "no way leads here from the start"
            told = f'<pre class="write">{escape(text)}</pre>'
        yield f"<tr><td>{place}</td><td>{escape(str(item))}</td><td>{told}</td></tr>"
    yield "</table>"


def _source(flow: FlowCoverage) -> Iterator[str]:
    lines: dict[int, list[Covered]] = {}
    for one in flow.items:
        lines.setdefault(one.item.span.line, []).append(one)
    document = next(each.document for each in flow.guide.map.flows.values() if each.name == flow.name)
    yield f'<h2>{escape(flow.file)}</h2><div class="source"><table>'
    for number, text in enumerate(source_lines(document.text), 1):
        found = lines.get(number, [])
        missed = [one.item for one in found if not one.calls]
        kind = "missed" if missed else "seen" if found else "none"
        words = ", ".join(_short(item) for item in missed)
        calls = sorted({call for one in found for call in one.calls})
        tip = f' title="{escape(chr(10).join(calls[:12]))}"' if calls else ""
        yield (
            f'<tr id="L{number}" class="{kind}"><td>{number}</td><td{tip}>{escape(text) or " "}</td>'
            f"<td>{escape(words)}</td></tr>"
        )
    yield "</table></div>"


def _short(item: Item) -> str:
    """An item on its own line: without the state that the line names."""
    return "never entered" if item.kind == "state" else str(item).partition(": ")[2] or str(item)
