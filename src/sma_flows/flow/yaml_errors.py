"""What YAML could not read, in the words of somebody who writes a flow."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import yaml

from sma_flows.flow.diagnostics import Diagnostic, report
from sma_flows.flow.nodes import Span

__all__ = ["MAX_DEPTH", "deep_diagnostic", "explain_error", "tab_indented"]

_TAB: Final = re.compile(r" *(\t[ \t]*)\S")
_HASH_IN_FLOW: Final = re.compile(r"[\[{,]\s*(#)")


def tab_indented(line: str) -> int | None:
    """Index of the tab in the indentation of a line, or None."""
    match = _TAB.match(line)
    return None if match is None else match.start(1)


MAX_DEPTH: Final = 32
"""Levels of lists and maps in a file. A flow needs seven."""


def deep_diagnostic(span: Span) -> Diagnostic:
    """Lists and maps inside each other without an end."""
    message = f"lists and maps are nested more than {MAX_DEPTH} deep"
    return report("SF018", span, message, label="too deep", help="no flow needs more than seven levels")


def explain_error(error: yaml.YAMLError, file: str, lines: Sequence[str]) -> Diagnostic:
    """One diagnostic for an error of the YAML parser; both of PyYAML's parsers lead to the same one."""
    return _Explainer(error, file, lines).explain()


class _Explainer:
    def __init__(self, error: yaml.YAMLError, file: str, lines: Sequence[str]) -> None:
        marked = isinstance(error, yaml.MarkedYAMLError)
        self.file = file
        self.lines = lines
        self.problem = (error.problem or "") if isinstance(error, yaml.MarkedYAMLError) else str(error)
        self.context = (error.context or "") if isinstance(error, yaml.MarkedYAMLError) else ""
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) and marked else None
        start = error.context_mark if isinstance(error, yaml.MarkedYAMLError) and marked else None
        self.line, self.col = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        self.start_line, self.start_col = (start.line + 1, start.column + 1) if start else (self.line, self.col)

    def text(self, line: int) -> str:
        return self.lines[line - 1] if 1 <= line <= len(self.lines) else ""

    def span(self, line: int, col: int, length: int = 1) -> Span:
        last = max(1, len(self.lines))
        if line > last:
            line, col = last, len(self.text(last)) + 1
        return Span(self.file, line, col, line, col + max(1, length))

    def syntax(self, message: str, label: str, help_: str, at: Span | None = None, opened: str = "") -> Diagnostic:
        related = [(self.span(self.start_line, self.start_col), opened)] if opened else []
        where = at or self.span(self.line, self.col)
        return report("SF007", where, message, label=label, help=help_, related=related)

    def explain(self) -> Diagnostic:
        for line in (self.line, self.start_line):
            tab = tab_indented(self.text(line))
            if tab is not None:
                return tab_diagnostic(self.file, line, tab)
        if "nesting depth" in self.problem:  # PyYAML 6.0.4 and later give up before the reader can
            return deep_diagnostic(self.span(self.line, self.col))
        return self._sign() or self._quote() or self._flow() or self._block()

    def _sign(self) -> Diagnostic | None:
        """A value that starts with a sign of YAML."""
        rest = self.text(self.start_line)[self.start_col - 1 :]
        word = re.match(r"\S[^\s,\]}:]*", rest)
        shown = word[0] if word else rest[:1]
        if "scanning an alias" in self.context:
            return alias_diagnostic(self.span(self.start_line, self.start_col, len(shown)), shown)
        if "scanning an anchor" in self.context:
            return self.syntax(
                "YAML takes '&' as the name of an anchor",
                "not a name",
                "put the value in quotes",
                self.span(self.start_line, self.start_col),
            )
        if "tag" in self.context or "tag handle" in self.problem:
            return report(
                "SF011",
                self.span(self.start_line, self.start_col, len(shown)),
                f"'{shown}' is a tag of YAML and means nothing in a flow",
                label="not text",
                help="remove it, or put the value in quotes",
            )
        if "cannot start any token" in self.problem:
            sign = self.text(self.line)[self.col - 1 : self.col]
            return self.syntax(
                f"a value cannot start with '{sign}' in YAML", "quotes are missing", "put the value in quotes"
            )
        if "YAML document" in self.problem or "directive" in self.problem + self.context:
            return self.syntax("a line that starts with '%' is a directive of YAML", "not needed", "remove the line")
        return None

    def _quote(self) -> Diagnostic | None:
        if "quoted scalar" not in self.context and "double-quoted" not in self.context:
            return None
        opening = self.span(self.start_line, self.start_col)
        if "escape" in self.problem or "hexdecimal" in self.problem or "hexadecimal" in self.problem:
            line = self.text(self.line)
            at = max(0, line.rfind("\\", 0, self.col))
            return self.syntax(
                f"'{line[at : at + 2]}' is no escape of YAML",
                "not known between double quotes",
                "use single quotes, in which a backslash is an ordinary character",
                self.span(self.line, at + 1, 2),
            )
        return self.syntax(
            "the quote is never closed", "opened here", "close it, or write the quote twice to mean it", opening
        )

    def _flow(self) -> Diagnostic | None:
        if "flow" not in self.context:
            return None
        for line in dict.fromkeys((self.start_line, self.line - 1, self.line)):
            match = _HASH_IN_FLOW.search(self.text(line))
            if match:
                return hash_diagnostic(self.span(line, match.start(1) + 1), "everything from '#' on is a comment")
        if self.start_line > max(1, len(self.lines)) or not self.text(self.start_line):
            self.start_line = max((number for number, line in enumerate(self.lines, 1) if line.strip()), default=1)
            self.start_col = len(self.text(self.start_line))
        before = self.text(self.start_line)[: self.start_col]
        opened = max(before.rfind("{"), before.rfind("["))
        sign = before[opened] if opened >= 0 else "{"
        self.start_col = opened + 1 if opened >= 0 else self.start_col
        close = {"{": "}", "[": "]"}[sign]
        ended = self.line > len(self.lines) or not self.text(self.line)[self.col - 1 :].strip()
        if ended or self.line > self.start_line:
            return self.syntax(
                f"'{sign}' is never closed",
                "opened here",
                f"close it with '{close}', or put the text in quotes",
                self.span(self.start_line, self.start_col),
            )
        return self.syntax(
            f"',' or '{close}' is expected here",
            "the list or map cannot go on like this",
            f"separate with commas, close with '{close}', put other text in quotes",
            opened=f"'{sign}' opened here",
        )

    def _block(self) -> Diagnostic:
        line = self.text(self.line)
        before, rest = line[: self.col - 1], line[self.col - 1 :]
        if "mapping values are not allowed" in self.problem:
            if re.search(r":\s", before):
                return self.syntax(
                    "a second ': ' in one line", "YAML reads a key in front of it", "put the text in quotes"
                )
            return self._indentation(before)
        if "expected ':'" in self.problem:
            return self.syntax(
                "this line has no ':' behind its key",
                "neither `key: value` nor `- value`",
                "write `key: value`, or put text of several lines in quotes",
                self.span(self.start_line, self.start_col, len(self.text(self.start_line).strip())),
            )
        if "block scalar" in self.context:
            return self.syntax(
                "text is expected in the lines below '|' or '>'", "not possible here", "start the text on the next line"
            )
        if before.strip():
            return self.syntax(
                "the value ends before this text",
                "not part of the value",
                "put the whole value in quotes",
                self.span(self.line, self.col, len(rest.rstrip())),
            )
        if rest.strip():
            return self._indentation(rest)
        return self.syntax(
            "YAML cannot be read here", "something is missing", "compare the indentation with the lines above"
        )

    def _indentation(self, text: str) -> Diagnostic:
        line = self.text(self.line)
        indent = len(line) - len(line.lstrip())
        return self.syntax(
            f"the line is indented by {indent} space{'' if indent == 1 else 's'}, which fits none of the lines above",
            "wrong indentation",
            "indent it like the keys that it belongs to",
            self.span(self.line, indent + 1, max(1, len(text.strip()) if indent else 1)),
        )


def tab_diagnostic(file: str, line: int, index: int) -> Diagnostic:
    """A tab in the indentation of `line`, at `index`."""
    return report(
        "SF015",
        Span(file, line, index + 1, line, index + 2),
        "a tab stands in the indentation of this line",
        label="tab",
        help="indent with spaces; most editors can replace tabs in the whole file",
    )


def alias_diagnostic(span: Span, shown: str) -> Diagnostic:
    """A plain `*`, which YAML takes as the name of something defined elsewhere."""
    word = shown if re.fullmatch(r"\*[0-9*#]*", shown) else "*"
    star = " or write star" if word == "*" else ""
    return report(
        "SF012",
        span,
        f"YAML takes '{shown}' as a reference to an anchor, not as the keys a caller presses",
        label="quotes are missing",
        help=f'quote it: "{word}"{star}',
    )


def hash_diagnostic(span: Span, label: str) -> Diagnostic:
    """A plain `#`, which starts a comment."""
    return report(
        "SF014",
        span,
        "YAML takes '#' as the start of a comment, not as the key a caller presses",
        label=label,
        help='write pound or "#" in quotes',
    )
