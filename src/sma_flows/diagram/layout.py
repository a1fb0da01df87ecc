"""Where cards and lines go: layers from left to right, as few crossings as a few sweeps can reach.

The way of Sugiyama: lines that lead back are left out (they are told in words), cards get layers by the longest way to
them, lines over several layers get a place in each, layers are ordered by the mean of their neighbours, and heights are
pulled to the neighbours as far as the order allows. The same flow always gives the same picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sma_flows.diagram.boxes import Box

__all__ = ["HEAD", "ROW", "Layout", "Place", "Wire", "layout_of", "text_width"]

HEAD: Final = 40
ROW: Final = 18
FOOT: Final = 6
GAP_X: Final = 70
GAP_Y: Final = 22
SWEEPS: Final = 12
CHARACTER: Final = 6.7


def text_width(text: str) -> float:
    """About how wide a text is, in pixels."""
    return CHARACTER * len(text)


@dataclass(slots=True)
class Place:
    """A card with its upper left corner and its size; or, without a box, the passage of a line through a layer."""

    box: Box | None
    width: float = 0.0
    height: float = 10.0
    layer: int = 0
    x: float = 0.0
    y: float = 0.0
    before: list[tuple[Place, float]] = field(default_factory=list)
    after: list[tuple[Place, float]] = field(default_factory=list)

    @property
    def door(self) -> float:
        """The height at which lines come in."""
        return 14.0 if self.box is not None else self.height / 2


@dataclass(frozen=True, slots=True)
class Wire:
    """A line: the row of a card, the places it passes, and the card it leads to."""

    start: Place
    row: int
    passes: tuple[Place, ...]
    end: Place


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything with its place. ``told`` are the rows (card, number) whose way is told in words instead of drawn."""

    places: tuple[Place, ...]
    wires: tuple[Wire, ...]
    told: frozenset[tuple[str, int]]
    width: float
    height: float


def layout_of(boxes: Sequence[Box]) -> Layout:
    """The layout of a picture."""
    places = {box.name: Place(box) for box in boxes}
    drawn, told = _drawn(boxes)
    for place in places.values():
        _measure(place, told)
    _layers(places, drawn)
    layers: list[list[Place]] = [[] for _ in range(1 + max((place.layer for place in places.values()), default=0))]
    for place in places.values():
        layers[place.layer].append(place)
    wires = [_wire(places[name], row, places[target], layers) for name, row, target in drawn]
    _order(layers)
    _widths(layers)
    _heights(layers)
    every = [place for layer in layers for place in layer]
    width = max((place.x + place.width for place in every), default=0.0)
    height = max((place.y + place.height for place in every), default=0.0)
    return Layout(tuple(every), tuple(wires), told, width, height)


def _drawn(boxes: Sequence[Box]) -> tuple[list[tuple[str, int, str]], frozenset[tuple[str, int]]]:
    """The rows that become lines: what a state says itself, and does not lead back to where the way came from."""
    rows: dict[str, list[tuple[int, str]]] = {box.name: [] for box in boxes}
    told = set()
    for box in boxes:
        for number, row in enumerate(box.rows):
            if row.own and row.target in rows:
                rows[box.name].append((number, row.target))
            else:
                told.add((box.name, number))
    drawn: list[tuple[str, int, str]] = []
    done: set[str] = set()
    for root in rows:
        if root in done:
            continue
        open_, waiting = {root}, [(root, iter(rows[root]))]
        while waiting:
            name, ways = waiting[-1]
            way = next(ways, None)
            if way is None:
                waiting.pop()
                open_.discard(name)
                done.add(name)
                continue
            number, target = way
            if target in open_:
                told.add((name, number))
                continue
            drawn.append((name, number, target))
            if target not in done:
                open_.add(target)
                waiting.append((target, iter(rows[target])))
    return drawn, frozenset(told)


def _measure(place: Place, told: frozenset[tuple[str, int]]) -> None:
    box = place.box
    if box is None:
        return
    if box.entry:
        place.width, place.height = text_width(box.title) + 28, 28.0
        return
    widths = [text_width(box.title) * 1.1 + 14 * len(box.attempts), text_width(box.caption)]
    for number, row in enumerate(box.rows):
        words = text_width(row.label) + 30
        widths.append(words + (text_width(row.target) + 24 if (box.name, number) in told else 0))
    place.width = max(widths) + 28
    place.height = HEAD + ROW * len(box.rows) + FOOT


def _layers(places: dict[str, Place], drawn: Sequence[tuple[str, int, str]]) -> None:
    """Each card behind all that lead to it; one to which no line leads stands right before what it leads to."""
    coming: dict[str, int] = dict.fromkeys(places, 0)
    going: dict[str, list[str]] = {name: [] for name in places}
    for name, _, target in drawn:
        coming[target] += 1
        going[name].append(target)
    first = [name for name, count in coming.items() if not count]
    ready = list(first)
    while ready:
        name = ready.pop(0)
        for target in going[name]:
            places[target].layer = max(places[target].layer, places[name].layer + 1)
            coming[target] -= 1
            if not coming[target]:
                ready.append(target)
    for name in first:
        if going[name]:
            places[name].layer = min(places[target].layer for target in going[name]) - 1


def _wire(start: Place, row: int, end: Place, layers: list[list[Place]]) -> Wire:
    """A line with a place in each layer that it crosses."""
    passes = []
    port = _port(start, row)
    previous, height = start, port
    for layer in range(start.layer + 1, end.layer):
        place = Place(None, layer=layer)
        layers[layer].append(place)
        passes.append(place)
        previous.after.append((place, height))
        place.before.append((previous, height))
        previous, height = place, place.door
    previous.after.append((end, height))
    end.before.append((previous, height))
    return Wire(start, row, tuple(passes), end)


def _port(place: Place, row: int) -> float:
    return place.height / 2 if place.box is None or place.box.entry else HEAD + ROW * row + ROW / 2


def port_of(wire: Wire) -> tuple[float, float]:
    """Where a line leaves its card."""
    return wire.start.x + wire.start.width, wire.start.y + _port(wire.start, wire.row)


def _order(layers: list[list[Place]]) -> None:
    """Sweep to and fro; each layer is sorted by the mean position of what its places are tied to."""
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        position: dict[int, float] = {}
        for layer in layers if down else reversed(layers):
            keys = []
            for number, place in enumerate(layer):
                ties = place.before if down else place.after
                found = [
                    position[id(other)] + (height / 1000 if down else 0)
                    for other, height in ties
                    if id(other) in position
                ]
                keys.append(sum(found) / len(found) if found else float(number))
            layer[:] = [layer[number] for number in sorted(range(len(layer)), key=lambda each: (keys[each], each))]
            position |= {id(place): float(number) for number, place in enumerate(layer)}


def _widths(layers: list[list[Place]]) -> None:
    x = 0.0
    for layer in layers:
        widest = max((place.width for place in layer), default=0.0)
        for place in layer:
            place.x = x
            if place.box is None:
                place.width = widest
        x += widest + GAP_X


def _heights(layers: list[list[Place]]) -> None:
    for layer in layers:
        _stack(layer, [0.0] * len(layer))
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            wanted = []
            for place in layer:
                if down:
                    ties = [other.y + height - place.door for other, height in place.before]
                else:
                    ties = [other.y + other.door - height for other, height in place.after]
                wanted.append(sum(ties) / len(ties) if ties else place.y)
            _stack(layer, wanted)
    lowest = min((place.y for layer in layers for place in layer), default=0.0)
    for layer in layers:
        for place in layer:
            place.y -= lowest


def _stack(layer: list[Place], wanted: Sequence[float]) -> None:
    """Give each place the height it wants, as far as the ones above leave room; neighbours that collide share it.

    Pool adjacent violators: runs of touching places move as one to the mean of what they want.
    """
    runs: list[tuple[float, float, int]] = []  # mean of wishes for the run's top, weight, first place
    for number in range(len(layer)):
        mean, weight, first = wanted[number], 1.0, number
        while runs:
            above_mean, above_weight, above_first = runs[-1]
            reach = sum(layer[each].height + GAP_Y for each in range(above_first, first))
            if above_mean + reach <= mean:
                break
            runs.pop()
            mean = (above_mean * above_weight + (mean - reach) * weight) / (above_weight + weight)
            weight += above_weight
            first = above_first
        runs.append((mean, weight, first))
    for index, (mean, _, first) in enumerate(runs):
        last = runs[index + 1][2] if index + 1 < len(runs) else len(layer)
        y = mean
        for number in range(first, last):
            layer[number].y = y
            y += layer[number].height + GAP_Y
