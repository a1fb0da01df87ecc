"""The picture as SVG: one element, styled by itself, without scripts and without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from sma_flows.diagram.boxes import Box, Mark, Row
from sma_flows.diagram.layout import HEAD, ROW, Layout, Place, Wire, layout_of, port_of, text_width

__all__ = ["STYLE", "svg"]

MARGIN: Final = 16

STYLE: Final = """
.flow{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:#fff}
.flow .card{fill:#f7f8fa;stroke:#8a94a3;stroke-width:1.2}
.flow .entry{fill:#e8ebf0;stroke:#8a94a3}
.flow text{fill:#1d2530}.flow .title{font-weight:700}.flow .caption,.flow .told{fill:#5b6675}
.flow .wire{fill:none;stroke:#6b7685;stroke-width:1.4}
.flow .seen .card{fill:#eefaf1;stroke:#1e8e4a}.flow .missed .card{fill:#fdf0ee;stroke:#c5362b;stroke-dasharray:5 3}
.flow .wire.seen{stroke:#1e8e4a}.flow .wire.missed{stroke:#c5362b;stroke-dasharray:5 4}
.flow .row.seen .mark{fill:#1e8e4a}.flow .row.missed .mark,.flow .row.missed .label{fill:#c5362b}
.flow .row.missed .label{font-weight:700}
.flow .chip{fill:#d9dee6}.flow .chip.seen{fill:#1e8e4a}.flow .chip.missed{fill:#c5362b}
.flow .chiptext{fill:#fff;font-size:10px}
"""


def svg(boxes: Sequence[Box], title: str) -> str:
    """The picture of these cards. *title* is for people who cannot see it."""
    plan = layout_of(boxes)
    width, height = round(plan.width + 2 * MARGIN), round(plan.height + 2 * MARGIN)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="flow" role="img" width="{width}" height="{height}" '
        f'viewBox="{-MARGIN} {-MARGIN} {width} {height}">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="context-stroke"/></marker></defs>',
        *_wires(plan),
        *(text for place in plan.places if place.box is not None for text in _card(place, place.box, plan)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _class(mark: Mark | None) -> str:
    return "" if mark is None else "seen" if mark.visited else "missed"


def _tip(mark: Mark | None) -> str:
    """What a pointer that rests there is told."""
    if mark is None:
        return ""
    if not mark.visited:
        return "<title>no call comes by</title>"
    shown = mark.calls[:12]
    more = f"\n... and {len(mark.calls) - len(shown)} more" if len(mark.calls) > len(shown) else ""
    return f"<title>{escape(chr(10).join(shown) + more)}</title>"


def _wires(plan: Layout) -> Iterator[str]:
    for wire in plan.wires:
        box = wire.start.box
        mark = box.rows[wire.row].mark if box is not None else None
        yield f'<path class="wire {_class(mark)}" d="{_path(wire)}" marker-end="url(#tip)">{_tip(mark)}</path>'


def _path(wire: Wire) -> str:
    x, y = port_of(wire)
    out = [f"M{x:.1f} {y:.1f}"]
    for place in (*wire.passes, wire.end):
        to_x, to_y = place.x, place.y + place.door
        middle = (x + to_x) / 2
        out.append(f"C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
        if place.box is None:
            out.append(f"L{x + place.width:.1f} {y:.1f}")
            x += place.width
    return "".join(out)


def _card(place: Place, box: Box, plan: Layout) -> Iterator[str]:
    if box.entry:
        row = box.rows[0]
        yield (
            f'<g class="{_class(row.mark)}" transform="translate({place.x:.1f} {place.y:.1f})">{_tip(row.mark)}'
            f'<rect class="card entry" width="{place.width:.0f}" height="{place.height:.0f}" rx="14"/>'
            f'<text class="title" x="14" y="18">{escape(box.title)}</text></g>'
        )
        return
    corner = 3 if box.decides else 9
    yield (
        f'<g id="{escape(box.name, quote=True)}" class="{_class(box.mark)}" '
        f'transform="translate({place.x:.1f} {place.y:.1f})">'
        f'<g>{_tip(box.mark)}<rect class="card" width="{place.width:.0f}" height="{place.height:.0f}" rx="{corner}"/>'
        f'<text class="title" x="12" y="17">{escape(box.title)}</text>'
        f'<text class="caption" x="12" y="32">{escape(box.caption)}</text></g>'
    )
    if len(box.attempts) > 1 or any(mark is not None for mark in box.attempts):
        for number, mark in enumerate(box.attempts, 1):
            x = place.width - 8 - 14 * (len(box.attempts) - number + 1)
            yield (
                f"<g>{_tip(mark) or f'<title>attempt {number}</title>'}"
                f'<rect class="chip {_class(mark)}" x="{x:.0f}" y="7" width="12" height="13" rx="2"/>'
                f'<text class="chiptext" x="{x + 3:.0f}" y="17">{number}</text></g>'
            )
    for number, row in enumerate(box.rows):
        yield _row(row, HEAD + ROW * number + 12, told=(box.name, number) in plan.told)
    yield "</g>"


def _row(row: Row, y: float, *, told: bool) -> str:
    sign = {"seen": "\N{CHECK MARK}", "missed": "\N{MULTIPLICATION X}"}.get(_class(row.mark), "\N{BULLET}")
    where = ""
    if told:
        arrow = "\N{RIGHTWARDS ARROW}" if row.own else "\N{RIGHTWARDS DASHED ARROW}"
        x = 28 + text_width(row.label) + 10
        where = f'<text class="told" x="{x:.0f}" y="{y:.0f}">{arrow} {escape(row.target)}</text>'
    return (
        f'<g class="row {_class(row.mark)}">{_tip(row.mark)}<text class="mark" x="11" y="{y:.0f}">{sign}</text>'
        f'<text class="label" x="28" y="{y:.0f}">{escape(row.label)}</text>{where}</g>'
    )
