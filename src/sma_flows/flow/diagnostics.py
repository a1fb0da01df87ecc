"""What an author did wrong, as values, and how they are shown to people and to programs."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sma_flows.flow.codes import CODES, Severity
from sma_flows.flow.excerpt import Mark, excerpt
from sma_flows.flow.nodes import Span, source_lines

__all__ = [
    "MAX_FINDINGS",
    "Diagnostic",
    "Fault",
    "Severity",
    "did_you_mean",
    "in_order",
    "limited",
    "nearest",
    "render_github",
    "render_json",
    "render_text",
    "report",
]

MAX_FINDINGS: Final = 200
"""Most diagnostics of one pass over one file; more help nobody."""

_COLOURS = {"error": "31", "warning": "33", "note": "36"}


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `message` says what is wrong, `label` what is wrong at `span`, `help` what to type instead.

    `related` are other places that matter, each with a label.
    """

    code: str
    name: str
    severity: Severity
    span: Span
    message: str
    label: str = ""
    help: str = ""
    related: tuple[tuple[Span, str], ...] = ()

    @property
    def order(self) -> tuple[Any, ...]:
        """Sorting key: source order, then code."""
        return (self.span, self.code, self.message)

    def __lt__(self, other: Diagnostic) -> bool:
        return bool(self.order < other.order)


class Fault(ValueError):  # noqa: N818 - the author's, not the program's
    """A value that cannot be read, raised by the parsers of single values and turned into a `Diagnostic`.

    `offset` and `length` count characters inside the text of the scalar; `length` None means the whole scalar.
    `path` leads from the value that was read to the one that is meant, `at_key` means its key, and `related` are
    further places by path, each with a label.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        label: str = "",
        help: str = "",
        offset: int = 0,
        length: int | None = None,
        path: tuple[str | int, ...] = (),
        at_key: bool = False,
        related: tuple[tuple[tuple[str | int, ...], str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.label = label
        self.help = help
        self.offset = offset
        self.length = length
        self.path = path
        self.at_key = at_key
        self.related = related

    def moved(self, by: int) -> Fault:
        """The same fault in a longer text in which this one starts at `by`."""
        return Fault(
            self.code, self.message, label=self.label, help=self.help, offset=self.offset + by, length=self.length
        )


def report(
    code: str,
    span: Span,
    message: str,
    *,
    label: str = "",
    help: str = "",
    related: Iterable[tuple[Span, str]] = (),
    severity: Severity | None = None,
) -> Diagnostic:
    """A diagnostic with the name and, unless given, the severity of the catalogue.

    Raises:
        KeyError: the code is not in the catalogue.
    """
    entry = CODES[code]
    words = (_cut(message), _cut(label), _cut(help))
    return Diagnostic(code, entry.name, severity or entry.severity, span, *words, tuple(related))


def _cut(words: str, most: int = 400) -> str:
    """What an author wrote may be long; nobody reads a page on one line."""
    return words if len(words) <= most else words[: most - 3] + "..."


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Source order, without exact repetitions."""
    return tuple(sorted(dict.fromkeys(diagnostics)))


def limited(diagnostics: Iterable[Diagnostic], file: str, more: int = 0) -> list[Diagnostic]:
    """Source order; after `MAX_FINDINGS` only their number is told. `more` were counted and not kept."""
    ordered = in_order(diagnostics)
    rest = max(0, len(ordered) - MAX_FINDINGS) + more
    if not rest:
        return list(ordered)
    kept = ordered[:MAX_FINDINGS]
    end = kept[-1].span
    behind = Span(end.file, end.end_line, end.end_col, end.end_line, end.end_col)
    message = f"there are {rest} more findings in {file}"
    return [*kept, report("SF020", behind, message, help="mend the first ones and check again")]


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that `word` was probably meant to be, or ""."""
    if len(word) > 60:
        return ""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A help text that names the nearest known word, or ""."""
    close = nearest(word, known)
    return f"did you mean '{close}'?" if close else ""


def render_text(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str], *, colour: bool = False) -> str:
    """For people: the finding on one line, the source with the place underlined, the help.

    `sources` maps file names to texts; a file that is not there is reported without its lines.
    """
    lines: dict[str, list[str]] = {}

    def of(file: str) -> list[str]:
        if file not in lines:
            lines[file] = source_lines(sources[file]) if file in sources else []
        return lines[file]

    return "\n".join(_text(diagnostic, of, colour) for diagnostic in in_order(diagnostics))


def _text(one: Diagnostic, lines_of: Any, colour: bool) -> str:
    def paint(text: str, how: str) -> str:
        return f"\x1b[{how}m{text}\x1b[0m" if colour and text else text

    at, tone = one.span, _COLOURS[one.severity]
    place = f"{at.file}:{at.line}:{at.col}:" if at.line else f"{at.file}:"
    head = f"{place} {paint(f'{one.severity}[{one.code}]', tone + ';1')} {paint(one.message, '1')} ({one.name})"
    here = [Mark(at, one.label, "^", tone)]
    elsewhere: dict[str, list[Mark]] = {}
    for span, label in one.related:
        (here if span.file == at.file else elsewhere.setdefault(span.file, [])).append(Mark(span, label, "-", "34"))
    shown = [mark.span.end_line for marks in (here, *elsewhere.values()) for mark in marks]
    width = len(str(max(shown)))
    body = excerpt(lines_of(at.file), here, width, paint)
    for file, marks in elsewhere.items():
        body.append(f"{' ' * (width + 1)}{paint(f'::: {file}:{marks[0].span.line}:{marks[0].span.col}', '2')}")
        body += excerpt(lines_of(file), marks, width, paint)
    if not any(lines_of(at.file)) and one.label:
        body.append(f"{' ' * (width + 1)}= note: {one.label}")
    if one.help:
        body.append(f"{' ' * (width + 1)}{paint('= help:', '32')} {one.help}")
    return "\n".join([head, *body]) + "\n"


def render_json(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str] | None = None) -> str:  # noqa: ARG001
    """For programs: a list of objects, one per finding, in source order."""

    def place(span: Span) -> dict[str, Any]:
        return {
            "file": span.file,
            "line": span.line,
            "column": span.col,
            "end_line": span.end_line,
            "end_column": span.end_col,
        }

    found = [
        {
            "code": one.code,
            "name": one.name,
            "severity": one.severity,
            **place(one.span),
            "message": one.message,
            "label": one.label,
            "help": one.help,
            "related": [{**place(span), "label": label} for span, label in one.related],
        }
        for one in in_order(diagnostics)
    ]
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def render_github(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str] | None = None) -> str:  # noqa: ARG001
    """For GitHub: one workflow command per finding, shown beside the changed lines of a pull request."""

    def data(text: str) -> str:
        return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")

    def value(text: object) -> str:
        return data(str(text)).replace(":", "%3A").replace(",", "%2C")

    out = []
    for one in in_order(diagnostics):
        at = one.span
        fields = {
            "file": at.file,
            "line": max(1, at.line),
            "endLine": max(1, at.end_line),
            "col": max(1, at.col),
            "endColumn": max(1, at.end_col),
            "title": f"{one.code} {one.name}",
        }
        if at.line != at.end_line:  # GitHub refuses columns on several lines
            del fields["col"], fields["endColumn"]
        where = ",".join(f"{name}={value(each)}" for name, each in fields.items())
        words = one.message + (f"\nhelp: {one.help}" if one.help else "")
        level = {"note": "notice"}.get(one.severity, one.severity)
        out.append(f"::{level} {where}::{data(words)}\n")
    return "".join(out)
