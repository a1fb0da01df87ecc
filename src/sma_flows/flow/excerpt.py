"""Source lines with places underlined, as compilers show them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from sma_flows.flow.nodes import Span

__all__ = ["Mark", "excerpt"]

_WIDEST: Final = 120
_TAB: Final = "    "

Paint: TypeAlias = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place to underline with `sign`, and what to write behind the line."""

    span: Span
    label: str
    sign: str
    tone: str


def excerpt(lines: Sequence[str], marks: Sequence[Mark], width: int, paint: Paint) -> list[str]:
    """The marked lines with a gutter for line numbers of `width` digits, nearest first line to last.

    Lines that are not in the text (a missing file, a place behind the end) are left out.
    """
    there = sorted((mark for mark in marks if 1 <= mark.span.line <= len(lines)), key=lambda mark: mark.span.line)
    if not there:
        return []
    bar = f"{' ' * (width + 1)}{paint('|', '2')}"
    out = [bar]
    before = there[0].span.line
    for number in dict.fromkeys(mark.span.line for mark in there):
        if number > before + 1:
            out.append(f"{' ' * (width + 1)}:")
        before = number
        here = [mark for mark in there if mark.span.line == number]
        text, move = _fit(lines[number - 1], here)
        out.append(f"{number:>{width}} {paint('|', '2')} {text}".rstrip())
        for mark in here:
            start, end = move(mark.span.col - 1), move(_end(mark.span, lines[number - 1]))
            line = mark.sign * max(1, end - start)
            out.append(f"{bar} {' ' * start}{paint(line + (' ' + mark.label if mark.label else ''), mark.tone)}")
    return out


def _end(span: Span, line: str) -> int:
    """Index behind the last underlined character: a place on several lines is underlined on its first."""
    return min(span.end_col - 1, max(len(line), span.col)) if span.end_line == span.line else len(line)


def _fit(line: str, marks: Sequence[Mark]) -> tuple[str, Callable[[int], int]]:
    """The line as it is printed, and where a character of it stands on the screen."""
    start = 0
    if len(line) > _WIDEST:  # a file on one line must not fill the terminal
        start = max(0, min(mark.span.col for mark in marks) - 1 - _WIDEST // 2)
    part = line[start : start + _WIDEST]
    shown = [_screen(character) for character in part]
    left = "... " if start else ""
    right = " ..." if start + _WIDEST < len(line) else ""

    def move(index: int) -> int:
        inside = min(max(index - start, 0), len(part))
        width = sum(_columns(piece) for piece in shown[:inside])
        return len(left) + width + max(0, min(index - start - len(part), 4))

    return left + "".join(shown) + right, move


def _screen(character: str) -> str:
    if character == "\t":
        return _TAB
    return character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"


def _columns(piece: str) -> int:
    if len(piece) != 1:
        return len(piece)
    if unicodedata.combining(piece):
        return 0
    return 2 if unicodedata.east_asian_width(piece) in "WF" else 1
