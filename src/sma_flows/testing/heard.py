"""From what a leg heard back to the names that an author gave it: prompts, and recordings by variable."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Ear", "Heard", "difference", "ear_of", "visible"]

_TAG: Final = re.compile(r"<[^>]*>")
_SPACE: Final = re.compile(r"\s+")
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What acts on a terminal, or cannot be in XML 1.0; tabs and ends of lines do neither."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One thing that was heard. ``names`` are all prompts that sound like this; none: nobody gave it a name."""

    names: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return self.names[0] if self.names else f'"{self.text}"'

    @property
    def told(self) -> str:
        """The name, and what was said; without a name what was said."""
        return f'{self}  "{self.text}"' if self.names else str(self)

    def fits(self, wanted: Any) -> bool:
        """Whether an item of ``hear`` means this."""
        if isinstance(wanted, Mapping):
            return words(str(wanted["text"])) in words(self.text)
        return wanted in self.names


def words(text: str) -> str:
    """A text as it sounds: without markup, one space between words."""
    return _SPACE.sub(" ", html.unescape(_TAG.sub("", text))).strip()


def visible(text: str) -> str:
    """A text for a transcript or a report: characters that nobody can see are written out (``\\x00``)."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class Ear:
    """Knows the prompts of one compiled flow by their sound."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self._files: dict[str, tuple[str, ...]] = {}
        exact: dict[str, tuple[str, ...]] = {}
        patterns: dict[str, tuple[str, ...]] = {}
        for name, by_locale in plan.get("prompts", {}).items():
            for entry in (entry for entries in by_locale.values() for entry in entries):
                if "audio" in entry:
                    _note(self._files, entry["audio"], name)
                    continue
                parts = [entry["say"]] if isinstance(entry["say"], str) else entry["say"]
                if all(isinstance(part, str) for part in parts):
                    _note(exact, words("".join(parts)), name)
                else:
                    _note(patterns, _pattern(parts), name)
        longest = sorted(exact, key=len, reverse=True)
        self._known = [(re.compile(re.escape(text)), exact[text]) for text in longest if text]
        self._known += [(re.compile(pattern), patterns[pattern]) for pattern in sorted(patterns, key=len, reverse=True)]

    def text(self, spoken: str) -> list[Heard]:
        """The prompts that a spoken text is made of: neighbours are spoken in one breath."""
        whole = words(spoken)
        return list(self._split(whole, 0, frozenset()) or [Heard((), whole)]) if whole else []

    def file(self, key: str, variables: Mapping[str, Any]) -> Heard:
        """The prompt with this file, or the variable that holds the recording with this key."""
        names = self._files.get(key, ())
        found = tuple(
            name for name, value in variables.items() if isinstance(value, Mapping) and value.get("key") == key
        )
        return Heard((*names, *found), key)

    def sound(self, what: str, text: str, variables: Mapping[str, Any], welcome: Iterable[str] = ()) -> list[Heard]:
        """What a leg hears when the service says that it hears *what* (speech, audio, bot ...); *welcome*: a bot's."""
        if what == "speech":
            return self.text(text)
        if what == "bot":
            return [heard for words in welcome for heard in self.text(words)]
        if what in ("audio", "ringback") and "/" in text:
            return [self.file(text.partition("/")[2], variables)]
        return []

    def _split(self, whole: str, start: int, seen: frozenset[int]) -> tuple[Heard, ...] | None:
        if start >= len(whole):
            return ()
        for pattern, names in self._known:
            for end in _ends(pattern, whole, start):
                rest = self._split(whole, end + 1 if end < len(whole) else end, seen)
                if rest is not None:
                    return (Heard(names, whole[start:end]), *rest)
        return None


def ear_of(plan: Mapping[str, Any]) -> Ear:
    """The ear for a plan; one that was used lately is used again."""
    known = _ears.get(id(plan))
    if known is None or known[0] is not plan:
        while len(_ears) >= MOST_EARS:
            del _ears[next(iter(_ears))]
        known = _ears[id(plan)] = (plan, Ear(plan))
    return known[1]


MOST_EARS: Final = 32
_ears: dict[int, tuple[Mapping[str, Any], Ear]] = {}


def _ends(pattern: re.Pattern[str], whole: str, start: int) -> Iterator[int]:
    """Where a prompt that starts at `start` may end: before a space, or where all ends. The shortest first."""
    match = pattern.match(whole, start)
    if match is None:
        return
    for end in range(match.end(), len(whole) + 1):
        if (end == len(whole) or whole[end] == " ") and pattern.fullmatch(whole, start, end):
            yield end


def _note(known: dict[str, tuple[str, ...]], key: str, name: str) -> None:
    if name not in known.get(key, ()):
        known[key] = (*known.get(key, ()), name)


def _pattern(parts: Iterable[Any]) -> str:
    """What is inserted may sound like anything."""
    marked = "".join(part if isinstance(part, str) else "\0" for part in parts)
    return ".*?".join(re.escape(piece) for piece in words(marked).split("\0"))


def difference(wanted: list[Any], heard: list[Heard]) -> int | None:
    """The position of the first difference; None when all is as wanted."""
    for position in range(max(len(wanted), len(heard))):
        if position >= len(wanted) or position >= len(heard) or not heard[position].fits(wanted[position]):
            return position
    return None
