"""Digit patterns: conservative regular expressions that the service (Java) and the runtime (Python) read alike.

The service searches, it does not match the whole entry (contract 4.19), so every pattern is sent anchored. The subset:
keys, `[...]` classes with ranges, `.`, `\\d`, `\\*`, groups `(...)`, `|`, and the repetitions `?`, `*`, `+`, `{n}`,
`{n,}`, `{n,m}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

__all__ = ["KEYS", "Pattern", "PatternError", "keys_pattern", "parse_pattern"]

KEYS: Final = "0123456789*#"
_MOST: Final = 128


class PatternError(ValueError):
    """A pattern outside of the subset; the text says what, `offset` says where."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed pattern as a small automaton. `text` is anchored and escaped, ready to be sent."""

    text: str
    moves: tuple[tuple[tuple[frozenset[str] | None, int], ...], ...]
    start: int
    end: int

    def _closure(self, states: Iterable[int]) -> frozenset[int]:
        seen, waiting = set(states), list(states)
        for state in waiting:
            for keys, follower in self.moves[state]:
                if keys is None and follower not in seen:
                    seen.add(follower)
                    waiting.append(follower)
        return frozenset(seen)

    def lengths(self, alphabet: Iterable[str] = KEYS) -> frozenset[int]:
        """The lengths up to 128 of entries, made of the keys of *alphabet*, that match."""
        usable = frozenset(alphabet)
        found: set[int] = set()
        states = self._closure([self.start])
        for length in range(_MOST + 1):
            if self.end in states:
                found.add(length)
            states = self._closure(
                {follower for state in states for keys, follower in self.moves[state] if keys and keys & usable}
            )
            if not states:
                break
        return frozenset(found)


@dataclass(slots=True)
class _Builder:
    text: str
    at: int = 0
    moves: list[list[tuple[frozenset[str] | None, int]]] = field(default_factory=list)

    def new(self) -> int:
        if len(self.moves) > 5000:
            raise PatternError("the pattern is too large", self.at)
        self.moves.append([])
        return len(self.moves) - 1

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def choice(self) -> tuple[int, int]:
        options = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            options.append(self.sequence())
        if len(options) == 1:
            return options[0]
        start, end = self.new(), self.new()
        for first, last in options:
            self.moves[start].append((None, first))
            self.moves[last].append((None, end))
        return start, end

    def sequence(self) -> tuple[int, int]:
        start = end = self.new()
        while self.peek() not in ("", "|", ")"):
            first, last = self.repeated()
            self.moves[end].append((None, first))
            end = last
        return start, end

    def repeated(self) -> tuple[int, int]:
        begin = self.at
        part = self.atom()
        low, high = self.count()
        if (low, high) == (1, 1):
            return part
        stop = self.at
        start = end = self.new()
        for turn in range(low if high is None else high):
            if turn:
                self.at = begin
                part = self.atom()
            self.moves[end].append((None, part[0]))
            if turn >= low:
                self.moves[end].append((None, part[1]))
            end = part[1]
        if high is None:
            self.at = begin
            first, last = self.atom()
            self.moves[end].append((None, first))
            self.moves[last].append((None, first))
            tail = self.new()
            self.moves[last].append((None, tail))
            self.moves[end].append((None, tail))
            end = tail
        self.at = stop
        return start, end

    def count(self) -> tuple[int, int | None]:
        mark = self.peek()
        if mark in ("?", "*", "+") and mark:
            self.at += 1
            self.single()
            return {"?": (0, 1), "*": (0, None), "+": (1, None)}[mark]
        if mark != "{":
            return 1, 1
        end = self.text.find("}", self.at)
        low, comma, high = self.text[self.at + 1 : end].partition(",") if end > 0 else ("", "", "")
        if not _number(low) or (high and not _number(high)):
            raise PatternError("'{' starts a count such as {4} or {4,6}", self.at)
        least, most = int(low), int(high) if high else None if comma else int(low)
        if least > _MOST or (most is not None and not least <= most <= _MOST):
            raise PatternError("a count goes from a smaller to a larger number, at most 128", self.at)
        self.at = end + 1
        self.single()
        return least, most

    def single(self) -> None:
        if self.peek() in ("?", "*", "+", "{") and self.peek():
            raise PatternError("two repetitions stand behind each other", self.at)

    def atom(self) -> tuple[int, int]:
        mark = self.peek()
        if mark == "(":
            begin = self.at
            self.at += 1
            if self.peek() == "?":
                if self.text[self.at : self.at + 2] != "?:":
                    raise PatternError("'(?' is read differently by different programs", begin)
                self.at += 2
            inner = self.choice()
            if self.peek() != ")":
                raise PatternError("this '(' is never closed", begin)
            self.at += 1
            return inner
        keys = self.keys()
        start, end = self.new(), self.new()
        self.moves[start].append((keys, end))
        return start, end

    def keys(self) -> frozenset[str]:
        mark = self.peek()
        if mark == "[":
            return self.klass()
        self.at += 1
        if mark == ".":
            return frozenset(KEYS)
        if mark == "\\":
            mark = self.peek()
            self.at += 1
            if mark == "d":
                return frozenset("0123456789")
            if mark not in ("*", "#"):
                raise PatternError("only \\d, \\* and \\# are understood behind a backslash", self.at - 2)
            return frozenset(mark)
        if mark not in KEYS or mark == "*":
            raise PatternError(f"'{mark}' is no key of a telephone", self.at - 1)
        return frozenset(mark)

    def klass(self) -> frozenset[str]:
        begin = self.at
        end = self.text.find("]", begin)
        body = self.text[begin + 1 : end].replace("\\*", "*").replace("\\#", "#").replace("\\d", "0-9")
        negative = body.startswith("^")
        body = body.removeprefix("^")
        found: set[str] = set()
        place = 0
        while place < len(body):
            first = body[place]
            last = body[place + 2] if body[place + 1 : place + 2] == "-" and place + 2 < len(body) else first
            span = KEYS[KEYS.find(first) : KEYS.find(last) + 1] if first in KEYS and last in KEYS else ""
            if not span or (first != last and not (first + last).isdigit()):
                raise PatternError("a class lists keys of a telephone, such as [0-4*]", begin)
            found.update(span)
            place += 3 if last != first or body[place + 1 : place + 2] == "-" else 1
        if end < 0 or not found:
            raise PatternError("a class lists keys of a telephone, such as [0-4*]", begin)
        self.at = end + 1
        return frozenset(KEYS) - found if negative else frozenset(found)


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3


def parse_pattern(text: str) -> Pattern:
    """Read a pattern of the subset; anchors at its ends are allowed and not needed.

    Raises:
        PatternError: the pattern could be read differently by the service and by the runtime.
    """
    inner = text[1:] if text.startswith("^") else text
    shift = len(text) - len(inner)
    if inner.endswith("$"):
        inner = inner[:-1]
    builder = _Builder(inner)
    try:
        start, end = builder.choice()
        if builder.at < len(inner):
            raise PatternError("this ')' closes nothing", builder.at)
    except PatternError as error:
        raise PatternError(str(error), error.offset + shift) from None
    body = f"({inner})" if "|" in inner else inner
    return Pattern(f"^{body}$", tuple(tuple(moves) for moves in builder.moves), start, end)


def keys_pattern(keys: Sequence[str]) -> str:
    """An anchored pattern that admits exactly the declared keys (`digit` stands for any one of 0-9)."""
    singles = sorted({key for key in keys if len(key) == 1}, key=KEYS.find)
    longer = sorted(key for key in keys if len(key) > 1 and key != "digit")
    if "digit" in keys:
        singles = [key for key in singles if not key.isdigit()]
        parts = ["[0-9]" if not singles else f"[0-9{''.join(singles)}]"]
    elif len(singles) == 1:
        parts = [_escape(singles[0])]
    else:
        parts = [f"[{_ranges(singles)}]"] if singles else []
    parts += [_escape(key) for key in longer]
    return f"^({'|'.join(parts)})$" if len(parts) > 1 else f"^{parts[0]}$"


def _escape(key: str) -> str:
    return key.replace("*", "\\*")


def _ranges(keys: Sequence[str]) -> str:
    """`1239*` as `1-39*`: runs of three and more digits become a range."""
    out: list[str] = []
    run: list[str] = []
    for key in [*keys, ""]:
        if run and key.isdigit() and int(key) == int(run[-1]) + 1:
            run.append(key)
            continue
        out.append("".join(run) if len(run) < 3 else f"{run[0]}-{run[-1]}")
        run = [key] if key.isdigit() else []
        if key and not key.isdigit():
            out.append(key)
    return "".join(out)
