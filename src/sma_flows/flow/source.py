"""Read a YAML file without losing anything that its author typed.

PyYAML's parser only cuts the text into events; types are not resolved, so a scalar stays the text that it is, with
line, column and whether it was quoted. What YAML itself would do silently (keys that win over equal ones, lines that
become comments, references, tags) is said instead.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from sma_flows.flow.diagnostics import MAX_FINDINGS, Diagnostic, did_you_mean, limited, report
from sma_flows.flow.nodes import Document, Mapping_, Node, Scalar, Seq, Span, source_lines
from sma_flows.flow.yaml_errors import (
    MAX_DEPTH,
    alias_diagnostic,
    deep_diagnostic,
    explain_error,
    hash_diagnostic,
    tab_diagnostic,
    tab_indented,
)

__all__ = ["MAX_BYTES", "PureParser", "fast_parser", "load_document", "load_text"]

MAX_BYTES: Final = 1_000_000
MAX_ALIASED: Final = 10_000
"""Most nodes that aliases may add to a document."""

# What YAML 1.1 may contain, without the byte order mark in the middle of a text, on which PyYAML's parsers differ.
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_HASH_KEY: Final = re.compile(r"\s*(#):(?:\s+[a-z][a-z0-9_]*)?\s*")
_HASH_VALUE: Final = re.compile(r"\s*:\s+(#)\s*")


class PureParser(Reader, Scanner, Parser):
    """PyYAML's parser in Python, for places where its C library is missing."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


def fast_parser() -> Any:
    """PyYAML's parser on libyaml, ten times as fast; where there is none, the one in Python."""
    # PyYAML leaves the name out when it was built without libyaml
    return getattr(yaml, "CParser", None) or getattr(getattr(yaml, "cyaml", None), "CParser", PureParser)


def load_document(path: Path | str) -> tuple[Document | None, list[Diagnostic]]:
    """Read one file. No document means that nothing else can be said about the file.

    Never raises for what is in the file, or for a file that is not there.
    """
    name = str(path)
    nowhere = Span(name, 1, 1, 1, 1)
    try:
        data = _read(Path(path))
    except _Unreadable as error:
        return None, [report(error.code, nowhere, error.message, help=error.help)]
    if len(data) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES:,} bytes, which no flow is"
        return None, [report("SF003", nowhere, message, help="split it into sub-flows, or name the right file")]
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return None, [_not_utf8(name, data, error)]
    return load_text(text, name)


def load_text(text: str, name: str = "<text>", parser: Any = None) -> tuple[Document | None, list[Diagnostic]]:
    """Read YAML text; `name` stands for the file in diagnostics, `parser` is one of PyYAML's."""
    text = text.removeprefix("\ufeff")
    lines = source_lines(text)
    if (match := _FORBIDDEN.search(text)) is not None:
        before = source_lines(text[: match.start()])
        at = Span(name, len(before), len(before[-1]) + 1, len(before), len(before[-1]) + 2)
        return None, [_control(at, match[0])]
    builder = _Builder(name, lines)
    try:
        root = builder.build((parser or fast_parser())(text))
    except _Stop as stop:
        return None, [stop.diagnostic]
    except yaml.YAMLError as error:
        return None, [explain_error(error, name, lines)]
    except (ValueError, OverflowError):  # the parser in Python, on an escape beyond Unicode
        at = Span(name, 1, 1, 1, 1)
        return None, [report("SF007", at, "an escape in double quotes is no character", help="use single quotes")]
    found = [*builder.found, *_tabs(name, lines, builder.texts), *_hash_keys(name, lines, builder.texts)]
    return Document(name, text, root), limited(found, name, builder.more)


class _Unreadable(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, code: str, message: str, help_: str) -> None:
        super().__init__(message)
        self.code, self.message, self.help = code, message, help_


def _read(path: Path) -> bytes:
    """The first bytes of a file, one more than are allowed."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise _Unreadable("SF002", f"'{path}' is a folder, not a file", "name the file inside it")
        if not stat.S_ISREG(mode):
            raise _Unreadable("SF002", f"'{path}' is not an ordinary file", "name a .yaml file")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _Unreadable("SF001", f"there is no file '{path}'", _similar(path)) from None
    except PermissionError:
        raise _Unreadable("SF001", f"the file '{path}' may not be read", "change its permissions") from None
    except (OSError, ValueError):
        raise _Unreadable("SF001", f"the file '{path}' cannot be read", "check its name and its folder") from None


def _similar(path: Path) -> str:
    try:
        others = [each.name for each in sorted(path.parent.iterdir())[:500] if each.suffix in (".yaml", ".yml")]
    except (OSError, ValueError):
        return "check the name of the folder"
    return did_you_mean(path.name, others) or "check the name and the folder"


def _not_utf8(name: str, data: bytes, error: UnicodeDecodeError) -> Diagnostic:
    before = source_lines(data[: error.start].decode())
    at = Span(name, len(before), len(before[-1]) + 1, len(before), len(before[-1]) + 2)
    byte = data[error.start]
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    return report(
        "SF004",
        at,
        f"the byte 0x{byte:02X} is not part of a UTF-8 text",
        help="save the file as UTF-8" + (" instead of UTF-16" if utf16 else ""),
    )


def _control(at: Span, character: str) -> Diagnostic:
    shown = {0: "a NUL byte", 0xFEFF: "a byte order mark"}.get(ord(character), f"the character U+{ord(character):04X}")
    return report("SF005", at, f"{shown} stands in the text", label="cannot be seen", help="remove it")


class _Stop(Exception):  # noqa: N818 - never leaves this module
    """Nothing behind this place can be understood."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


@dataclass(slots=True)
class _Frame:
    """A list or map that is being read. Children of a map are keys and values in turn."""

    event: Any
    span: Span
    children: list[Node] = field(default_factory=list)
    size: int = 1

    @property
    def wants_key(self) -> bool:
        return isinstance(self.event, yaml.MappingStartEvent) and len(self.children) % 2 == 0


class _Builder:
    """Builds nodes from the events of a parser."""

    def __init__(self, name: str, lines: list[str]) -> None:
        self.name = name
        self.lines = lines
        self.found: list[Diagnostic] = []
        self.more = 0
        self.texts: list[Span] = []
        """Scalars on several lines, whose lines are text and nothing else."""
        self.frames: list[_Frame] = []
        self.anchors: dict[str, tuple[Node | None, int]] = {}
        self.aliased = 0
        self.root: Node | None = None

    def build(self, parser: Any) -> Mapping_:
        """The root map of the only document."""
        documents = 0
        while parser.check_event():
            event = parser.get_event()
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _Stop(self._several(event))
            elif isinstance(event, yaml.NodeEvent):
                self._event(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close(event)
        return self._root()

    def _root(self) -> Mapping_:
        root = self.root
        if root is None or (isinstance(root, Scalar) and not root.text and not root.quoted):
            at = Span(self.name, 1, 1, 1, 1)
            raise _Stop(report("SF006", at, "the file is empty", help=f"start it with `{self._first_line()}`"))
        if isinstance(root, Mapping_):
            return root
        shape = "a list" if isinstance(root, Seq) else "one piece of text"
        raise _Stop(
            report(
                "SF009",
                root.span,
                f"the file holds {shape}, not a map of keys",
                label="not a map",
                help=f"start the file with `{self._first_line()}`, one key in each line",
            )
        )

    def _first_line(self) -> str:
        """What a file of this name begins with."""
        return "flow: dial-in.yaml" if ".calls." in Path(self.name).name else "sma_flow: 1"

    def _several(self, event: Any) -> Diagnostic:
        return report(
            "SF008",
            self._span(event.start_mark, event.end_mark),
            "a second document starts in this file",
            label="one file holds one document",
            help="move it to a file of its own, and remove the line `---`",
        )

    def _say(self, diagnostic: Diagnostic) -> None:
        if len(self.found) < MAX_FINDINGS:
            self.found.append(diagnostic)
        else:
            self.more += 1

    def _span(self, start: Any, end: Any) -> Span:
        return Span(self.name, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def _event(self, event: Any) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._alias(event)
            return
        span = self._behind_properties(event)
        if event.tag is not None:
            self._tag(event)
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, span)
            if event.anchor:
                self.anchors[event.anchor] = (node, 1)
            self._add(node, 1)
            return
        if len(self.frames) >= MAX_DEPTH:
            raise _Stop(deep_diagnostic(span))
        if event.anchor:
            self.anchors[event.anchor] = (None, 0)
        self.frames.append(_Frame(event, span))

    def _behind_properties(self, event: Any) -> Span:
        """The place of a node without its anchor and tag."""
        span = self._span(event.start_mark, event.end_mark)
        if not event.anchor and event.tag is None:
            return span
        line = self.lines[span.line - 1] if span.line <= len(self.lines) else ""
        match = re.match(r"(?:[&!]\S*\s*)+", line[span.col - 1 :])
        start = span.col + (match.end() if match else 0)
        if span.line == span.end_line and start < span.end_col:
            return Span(self.name, span.line, start, span.end_line, span.end_col)
        return span

    def _tag(self, event: Any) -> None:
        line = self.lines[event.start_mark.line]
        match = re.compile(r"(?:&\S+\s+)?(!\S*)").match(line, event.start_mark.column)
        start, end = match.span(1) if match else (event.start_mark.column, event.start_mark.column + 1)
        at = Span(self.name, event.start_mark.line + 1, start + 1, event.start_mark.line + 1, end + 1)
        self._say(
            report(
                "SF011",
                at,
                f"'{line[start:end]}' is a tag of YAML and means nothing in a flow",
                label="not text",
                help="remove it, or put the value in quotes",
            )
        )

    def _scalar(self, event: Any, span: Span) -> Scalar:
        text = event.value
        if (bad := _FORBIDDEN.search(text)) is not None:
            self._say(_control(span, bad[0]))
            text = _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
        style = event.style or ""
        if not text and not style:
            return Scalar("", False, self._before(span), 0)
        if style in ("|", ">") or span.line != span.end_line:
            self.texts.append(span)
            return Scalar(text, bool(style), self._trimmed(span))
        inset = 1 if style else 0
        line = self.lines[span.line - 1] if span.line <= len(self.lines) else ""
        exact = line[span.col - 1 + inset : span.end_col - 1 - inset] == text
        return Scalar(text, bool(style), span, inset if exact else None)

    def _trimmed(self, span: Span) -> Span:
        """The place of a text on several lines; the parsers differ on where a block of text ends."""
        line, col = span.end_line, span.end_col
        while line > span.line and (line > len(self.lines) or not self.lines[line - 1][: col - 1].strip()):
            line -= 1
            col = len(self.lines[line - 1]) + 1
        last = self.lines[line - 1][: col - 1].rstrip() if line <= len(self.lines) else ""
        return Span(span.file, span.line, span.col, line, max(len(last) + 1, 1 if line > span.line else span.col + 1))

    def _before(self, span: Span) -> Span:
        """The place behind the last visible character in front of a value with nothing in it."""
        line, col = min(span.line, len(self.lines)), span.col
        if line < span.line:
            col = len(self.lines[line - 1]) + 1
        while line > 1 and not self.lines[line - 1][: col - 1].strip():
            line -= 1
            col = len(self.lines[line - 1]) + 1
        col = len(self.lines[line - 1][: col - 1].rstrip()) + 1
        return Span(span.file, line, col, line, col)

    def _alias(self, event: Any) -> None:
        span = self._span(event.start_mark, event.end_mark)
        known = self.anchors.get(event.anchor)
        if known is None:
            self._say(alias_diagnostic(span, f"*{event.anchor}"))
            self._add(Scalar(f"*{event.anchor}", True, span), 1)
            return
        node, size = known
        if node is None:
            raise _Stop(
                report(
                    "SF013",
                    span,
                    f"'*{event.anchor}' stands inside of what it refers to",
                    label="never ends",
                    help="write the value out",
                )
            )
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            message = f"references add more than {MAX_ALIASED:,} values to this file"
            raise _Stop(report("SF013", span, message, label="too much", help="write the values out"))
        self._add(node, size)

    def _add(self, node: Node, size: int) -> None:
        if not self.frames:
            self.root = node
            return
        frame = self.frames[-1]
        frame.children.append(node)
        frame.size += size

    def _close(self, event: Any) -> None:
        frame = self.frames.pop()
        flow = bool(frame.event.flow_style)
        end = self._span(event.start_mark, event.end_mark)
        if isinstance(frame.event, yaml.MappingStartEvent):
            node: Node = self._mapping(frame, flow, end)
        else:
            items = list(self._joined_items(frame.children)) if flow else frame.children
            items = [self._hash_value(item) for item in items]
            node = Seq(tuple(items), self._extent(frame, flow, end))
        if frame.event.anchor:
            self.anchors[frame.event.anchor] = (node, frame.size)
        self._add(node, frame.size)

    def _extent(self, frame: _Frame, flow: bool, end: Span) -> Span:
        """A flow style collection ends at its bracket, a block one with its last child: parsers see it end later."""
        if flow:
            return frame.span.to(end)
        if not frame.children:
            return frame.span
        last = frame.children[-1].span
        return frame.span.to(last) if (last.line, last.col) >= (frame.span.line, frame.span.col) else frame.span

    # maps

    def _mapping(self, frame: _Frame, flow: bool, end: Span) -> Mapping_:
        children = frame.children
        pairs = list(zip(children[::2], children[1::2], strict=True))
        if flow:
            pairs = list(self._joined_pairs(pairs))
        entries: list[tuple[Scalar, Node]] = []
        first: dict[str, Scalar] = {}
        for key, value in pairs:
            if not isinstance(key, Scalar) or (key.text == "<<" and not key.quoted):
                self._say(self._bad_key(key))
                continue
            if key.text in first:
                self._say(self._twice(key, first[key.text]))
                continue
            first[key.text] = key
            entries.append((key, self._hash_value(_behind(key, value))))
        return Mapping_(tuple(entries), self._extent(frame, flow, end))

    def _bad_key(self, key: Node) -> Diagnostic:
        merge = isinstance(key, Scalar)
        return report(
            "SF019",
            key.span,
            "'<<' is not a key of the language" if merge else "a key is one word, not a list or a map",
            label="cannot be a key",
            help="write the keys out; what all states share stands under `defaults`" if merge else "write a word",
        )

    def _twice(self, key: Scalar, first: Scalar) -> Diagnostic:
        return report(
            "SF010",
            key.span,
            f"the key '{key.text}' stands in this map twice",
            label="YAML would keep only one of them",
            help="remove one, or give it another name",
            related=[(first.span, "first one")],
        )

    def _hash_value(self, value: Node) -> Node:
        """`key: #` has no value, because # starts a comment."""
        if not isinstance(value, Scalar) or value.text or value.quoted or value.span.line > len(self.lines):
            return value
        line = self.lines[value.span.line - 1]
        match = _HASH_VALUE.fullmatch(line, value.span.col - 1) or re.fullmatch(r"\s*-\s+(#)\s*", line)
        if match is None:
            return value
        at = Span(self.name, value.span.line, match.start(1) + 1, value.span.line, match.end(1) + 1)
        self._say(hash_diagnostic(at, "nothing is left of the value"))
        return Scalar("#", True, at)

    # calls that YAML splits at the comma

    def _joined_pairs(self, pairs: list[tuple[Node, Node]]) -> Iterator[tuple[Node, Node]]:
        """`{a: f(x, y)}` arrives as `a: "f(x"` and `"y)": nothing`."""
        rest = iter(pairs)
        for key, value in rest:
            if not _opens(value):
                yield key, value
                continue
            end = value
            depth = _depth(value)
            for name, empty in rest:
                if not isinstance(name, Scalar) or not isinstance(empty, Scalar) or name.quoted or empty.text:
                    yield key, value
                    yield name, empty
                    break
                end = name
                depth += _depth(name)
                if depth <= 0:
                    yield key, self._joined(value, end)
                    break
            else:
                yield key, value

    def _joined_items(self, items: list[Node]) -> Iterator[Node]:
        rest = iter(items)
        for item in rest:
            if not _opens(item):
                yield item
                continue
            depth = _depth(item)
            for other in rest:
                if not isinstance(other, Scalar) or other.quoted:
                    yield item
                    yield other
                    break
                depth += _depth(other)
                if depth <= 0:
                    yield self._joined(item, other)
                    break
            else:
                yield item

    def _joined(self, first: Node, last: Node) -> Scalar:
        span = first.span.to(last.span)
        line = self.lines[span.line - 1]
        whole = span.line == span.end_line
        text = line[span.col - 1 : span.end_col - 1] if whole else f"{_text(first)}, {_text(last)}"
        self._say(
            report(
                "SF016",
                span,
                f"YAML splits '{text}' at the comma",
                label="a value in {...} or [...] ends at a comma",
                help="write it in block style, one key in each line, or put it in single quotes",
            )
        )
        return Scalar(text, False, span, 0 if whole else None)


def _behind(key: Scalar, value: Node) -> Node:
    """A value with nothing in it stands behind its key; the parsers differ on that."""
    if not isinstance(value, Scalar) or value.text or value.quoted:
        return value
    end = key.span
    return Scalar("", False, Span(end.file, end.end_line, end.end_col, end.end_line, end.end_col), 0)


def _text(node: Node) -> str:
    return node.text if isinstance(node, Scalar) else ""


def _depth(node: Node) -> int:
    text = _text(node)
    return text.count("(") - text.count(")")


def _opens(node: Node) -> bool:
    return isinstance(node, Scalar) and not node.quoted and _depth(node) > 0


def _outside(lines: list[str], texts: list[Span]) -> Iterator[tuple[int, str]]:
    """The lines, numbered, that are not inside a text of several lines (whose first line has a key in front)."""
    inside = {line for span in texts for line in range(span.line + 1, span.end_line + 1)}
    return ((number, line) for number, line in enumerate(lines, 1) if number not in inside)


def _tabs(name: str, lines: list[str], texts: list[Span]) -> Iterator[Diagnostic]:
    for number, line in _outside(lines, texts):
        if "\t" in line and (index := tab_indented(line)) is not None:
            yield tab_diagnostic(name, number, index)


def _hash_keys(name: str, lines: list[str], texts: list[Span]) -> Iterator[Diagnostic]:
    """`#: state` looks like a key and is a comment."""
    for number, line in _outside(lines, texts):
        if "#:" in line and (match := _HASH_KEY.fullmatch(line)):
            at = Span(name, number, match.start(1) + 1, number, match.end(1) + 1)
            yield hash_diagnostic(at, "the whole line is a comment")
