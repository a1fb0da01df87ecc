"""What the parameters of an operation look like: a small language for shapes, and the check of values against them.

The words are those of the service models: texts with lengths and a pattern, whole numbers, lists, maps, structures
whose members are in the body, in the path, in the query or in a header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

__all__ = [
    "Choice",
    "Flag",
    "Many",
    "Member",
    "Pairs",
    "Record",
    "Shape",
    "Text",
    "Time",
    "Whole",
    "choice",
    "header",
    "problems",
    "query",
    "record",
    "uri",
]

Where = Literal["body", "uri", "query", "header"]


@dataclass(frozen=True, slots=True)
class Text:
    """A text with a length and a pattern, which it fits as a whole."""

    least: int | None = None
    most: int | None = None
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number."""

    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""


@dataclass(frozen=True, slots=True)
class Time:
    """A moment, as seconds since 1970 or as text (``iso8601``)."""

    format: str = ""


@dataclass(frozen=True, slots=True)
class Many:
    """A list."""

    item: Shape
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Pairs:
    """A map."""

    key: Shape
    value: Shape
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a structure, and where it travels under which name (``wire``; empty: its own)."""

    shape: Shape
    required: bool = False
    where: Where = "body"
    wire: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A structure."""

    members: Mapping[str, Member] = field(default_factory=dict)


Shape = Text | Choice | Whole | Flag | Time | Many | Pairs | Record


def record(members: Mapping[str, Shape | Member] | None = None) -> Record:
    """A structure; ``*`` before a name says that the member is required."""
    made = {}
    for name, shape in (members or {}).items():
        member = shape if isinstance(shape, Member) else Member(shape)
        made[name.removeprefix("*")] = Member(member.shape, name.startswith("*"), member.where, member.wire)
    return Record(made)


def choice(words: str) -> Choice:
    """One of the words of a text."""
    return Choice(tuple(words.split()))


def uri(wire: str, shape: Shape) -> Member:
    """A member that is part of the path."""
    return Member(shape, where="uri", wire=wire)


def query(wire: str, shape: Shape) -> Member:
    """A member that is in the query."""
    return Member(shape, where="query", wire=wire)


def header(wire: str, shape: Shape) -> Member:
    """A member that is a header."""
    return Member(shape, where="header", wire=wire)


_ISO: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")


def problems(shape: Shape, value: Any, name: str = "") -> Iterator[str]:
    """Everything that is wrong with a value, in sentences that never repeat it. Members nobody knows are ignored."""
    match shape:
        case Text():
            yield from _text(shape, value, name)
        case Choice():
            if value not in shape.words:
                yield f"{name} must be one of {', '.join(shape.words)}"
        case Whole():
            if not isinstance(value, int) or isinstance(value, bool):
                yield f"{name} must be a whole number"
            else:
                yield from _bounds(shape.least, shape.most, value, name, "")
        case Flag():
            if not isinstance(value, bool):
                yield f"{name} must be true or false"
        case Time():
            if not isinstance(value, int | float) and not (isinstance(value, str) and _ISO.fullmatch(value)):
                yield f"{name} must be a time"
        case Many():
            if not isinstance(value, list):
                yield f"{name} must be a list"
                return
            yield from _bounds(shape.least, shape.most, len(value), name, " members")
            for place, each in enumerate(value):
                yield from problems(shape.item, each, f"{name}[{place}]")
        case Pairs():
            if not isinstance(value, dict):
                yield f"{name} must be a map"
                return
            yield from _bounds(shape.least, shape.most, len(value), name, " pairs")
            for place, (key, each) in enumerate(value.items()):
                yield from problems(shape.key, key, f"key {place} of {name}")
                yield from problems(shape.value, each, f"value {place} of {name}")
        case Record():
            if not isinstance(value, dict):
                yield f"{name or 'the request'} must be a structure"
                return
            for key, member in shape.members.items():
                there = value.get(key)
                inner = f"{name}.{key}" if name else key
                if there is not None:
                    yield from problems(member.shape, there, inner)
                elif member.required:
                    yield f"{inner} is required"


def _text(shape: Text, value: Any, name: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{name} must be a text"
        return
    yield from _bounds(shape.least, shape.most, len(value), name, " characters")
    if shape.pattern and not _compiled(shape.pattern).fullmatch(value):
        yield f"{name} does not match {shape.pattern}"


def _bounds(least: int | None, most: int | None, value: int, name: str, of: str) -> Iterator[str]:
    if least is not None and value < least:
        yield f"{name} must have at least {least}{of}" if of else f"{name} must be at least {least}"
    if most is not None and value > most:
        yield f"{name} must have at most {most}{of}" if of else f"{name} must be at most {most}"


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
