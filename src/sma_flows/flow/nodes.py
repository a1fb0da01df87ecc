"""A YAML file as the author wrote it: nodes that know their place in the text.

Every scalar is text. Whether `02`, `on` or `17:30` is a word, a key or a time is decided by the field it stands in,
never by YAML's own type rules, so nothing an author typed can be lost on the way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias

__all__ = ["Document", "Mapping_", "Node", "Plain", "Scalar", "Seq", "Span", "phone_key", "source_lines"]

_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_KEY_WORDS: Final = {"star": "*", "pound": "#"}

Plain: TypeAlias = "Scalar | dict[str, Plain] | list[Plain]"
"""What the models are given: maps and lists of Python, with `Scalar` as leaves."""


def source_lines(text: str) -> list[str]:
    """Lines as YAML counts them, without their line ends (YAML knows five kinds of line end)."""
    return _BREAK.split(text)


def phone_key(word: str) -> str:
    """The key or key sequence that `word` means: `star` is `*`, `pound` is `#`, everything else is itself."""
    return _KEY_WORDS.get(word, word)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of source text. Lines and columns count from 1, in characters; the end is exclusive."""

    file: str
    line: int
    col: int
    end_line: int
    end_col: int

    def to(self, end: Span) -> Span:
        """From the start of this span to the end of another one."""
        return Span(self.file, self.line, self.col, end.end_line, end.end_col)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One piece of text.

    `quoted` is true for '...', "..." and the block styles | and >: all of these mean text, a plain scalar is a word or
    an expression. `inset` is the number of source characters in front of the text (1 for a quote), or None where text
    and source differ (escapes, several lines), so that no place inside can be named.
    """

    text: str
    quoted: bool
    span: Span
    inset: int | None = None

    def part(self, offset: int, length: int = 1) -> Span:
        """Where `length` characters of the text stand in the file; the whole scalar if that is unknown."""
        span = self.span
        if self.inset is None or not 0 <= offset <= len(self.text):
            return span
        start = span.col + self.inset + offset
        return Span(span.file, span.line, start, span.line, start + max(1, length))


@dataclass(frozen=True, slots=True)
class Seq:
    """A YAML list."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Mapping_:  # noqa: N801 - `Mapping` is the abstract type of the standard library
    """A YAML map. Keys are unique: of two equal keys the loader keeps the first and reports the second."""

    entries: tuple[tuple[Scalar, Node], ...]
    span: Span
    index: dict[str, int] = field(repr=False, compare=False, default_factory=dict)

    def find(self, key: str) -> tuple[Scalar, Node] | None:
        """The entry with this key. `*` also finds an entry written as `star`, `#` one written as `pound`."""
        if not self.index:
            for position, (name, _) in enumerate(self.entries):
                self.index.setdefault(name.text, position)
                self.index.setdefault(phone_key(name.text), position)
        position_of = self.index.get(key)
        return None if position_of is None else self.entries[position_of]

    def get(self, key: str) -> Node | None:
        """The value of this key, or None."""
        entry = self.find(key)
        return entry[1] if entry else None


Node: TypeAlias = "Scalar | Seq | Mapping_"


@dataclass(frozen=True)
class Document:
    """One file: its path as the author gave it, its text (without byte order mark) and its root map."""

    path: str
    text: str
    root: Mapping_

    @property
    def kind(self) -> str:
        """`flow`, `prompts`, `bundle`, `calls`, or "" when no key says what the file is."""
        for name in ("flow", "prompts", "bundle"):
            if self.root.find(f"sma_{name}"):
                return name
        return "calls" if self.root.find("calls") else ""

    @cached_property
    def lines(self) -> list[str]:
        """The source lines, for excerpts."""
        return source_lines(self.text)

    def node(self, path: Sequence[str | int]) -> Node | None:
        """The node at a path of keys and list positions, or None."""
        here: Node | None = self.root
        for step in path:
            here = _child(here, step)
            if here is None:
                return None
        return here

    def span(self, path: Sequence[str | int], *, key: bool = False) -> Span:
        """Where the value at `path` stands, or with `key` its key.

        Steps are the keys and list positions of the file. A path that leads to nothing gives its nearest existing
        ancestor, so `("states", "a", "next", "")` is the whole `next` of state `a` when that is a plain name.
        """
        here: Node = self.root
        name: Scalar | None = None
        for step in path:
            if isinstance(here, Mapping_):
                entry = here.find(str(step))
                if entry is None:
                    return self._of(here, name)
                name, here = entry
            elif isinstance(here, Seq) and isinstance(step, int) and 0 <= step < len(here.items):
                name, here = None, here.items[step]
            else:
                return self._of(here, name)
        if key and name is not None:
            return name.span
        return self._of(here, name)

    def plain(self) -> dict[str, Plain]:
        """The document as maps and lists of Python for the models. Key texts are the keys; order is kept."""
        return {name.text: _plain(value) for name, value in self.root.entries}

    def _of(self, node: Node, name: Scalar | None) -> Span:
        """The place that stands for a node: a value with nothing in it is shown at its key."""
        if name is not None and (not isinstance(node, Scalar) or (not node.text and not node.quoted)):
            return name.span
        if isinstance(node, Mapping_) and node.entries:
            return node.entries[0][0].span
        return node.span


def _child(node: Node | None, step: str | int) -> Node | None:
    if isinstance(node, Mapping_):
        return node.get(str(step))
    if isinstance(node, Seq) and isinstance(step, int) and 0 <= step < len(node.items):
        return node.items[step]
    return None


def _plain(node: Node) -> Plain:
    if isinstance(node, Scalar):
        return node
    if isinstance(node, Seq):
        return [_plain(item) for item in node.items]
    return {name.text: _plain(value) for name, value in node.entries}
