"""Twins compared: what two calls left that differ only in what was typed, and a search for digits in any disguise."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Final, NamedTuple

from sma_flows.testing.sinks import Kept, Sinks

__all__ = ["ALLOWED", "OUTSIDE", "Allowed", "Leak", "differences", "forms", "hits", "merged"]

LEAST: Final = 4
"""Shorter digits, and shorter disguises of digits, are not searched for: comparing finds them all the same."""

SHOWN: Final = 40
"""So much of a text is shown on either side of what differs."""


class Allowed(NamedTuple):
    """A place where what is hidden may be: ``kind`` of secrecy, ``sink``, a pattern of the place in it, and why."""

    kind: str
    sink: str
    place: str
    why: str


ALLOWED: Final = (
    Allowed("masked", "attribute", r"event \d+, st", "a bearer token travels with the call until its last use"),
    Allowed("masked", "store", "memo", "the reply of an effect that must not happen twice, for an hour (decision 18)"),
    Allowed("masked", "action", r"event \d+, JoinChimeMeeting .*JoinToken", "who joins shows the token to the service"),
)
"""Places in the sinks where a masked value belongs. A secret belongs in none of them."""

OUTSIDE: Final[Mapping[str, str]] = {
    "the calls file": "its author typed the digits; reports name its line and hide the keys",
    "a call saved by sma-flows phone": "the same: it is a calls file",
    "the event": "the digits come from the service in it, and a debugger who records events has them",
    "arguments of the author's own hooks": "a hook that is declared to take a secret is given it",
    "a Python test of sma-flows fuzz or faults": "its digits are drawn, not somebody's",
}
"""Where the digits are and may be: no sinks."""


@dataclass(frozen=True, slots=True)
class Leak:
    """Something hidden that has come out: in which sink, where in it, and by which checks it was found.

    ``checks``: ``twins``, ``search: plain`` and so on. ``one`` and ``other`` are the two texts around the place; what
    differs in them is only described.
    """

    kind: str
    sink: str
    place: str
    checks: tuple[str, ...]
    one: str
    other: str

    def __str__(self) -> str:
        what = f"a {self.kind} value is in the sink '{self.sink}', {self.place} ({', '.join(self.checks)})"
        return f"{what}\n  | {self.one}\n  | {self.other}"


# ---- first check: byte for byte --------------------------------------------------------------------------------------


def differences(kind: str, one: Sinks, two: Sinks, again: Sinks, unsteady: list[str]) -> list[Leak]:
    """Where *one* and *two* differ, unless *one* and *again*, in which the same was typed, differ in the same place.

    Sinks with texts that differ from play to play are added to *unsteady*.
    """
    found: list[Leak] = []
    for sink in dict.fromkeys(kept.sink for sinks in (one, two, again) for kept in sinks.kept):
        for first, second, third in zip_longest(one.of(sink), two.of(sink), again.of(sink)):
            texts = [f"{kept.place}\n{kept.text}" if kept is not None else "" for kept in (first, second, third)]
            place = next(kept.place for kept in (first, second, third) if kept is not None)
            if texts[0] == texts[1] == texts[2] or _allowed(kind, sink, place):
                continue
            if texts[0] != texts[2] and sink not in unsteady:
                unsteady.append(sink)
            if not _differ(*texts):
                continue
            shown = _cut(first.text if first else "", second.text if second else "")
            found.append(Leak(kind, sink, place, ("twins",), *shown))
            if None in (first, second):
                break  # one has more: what follows stands in other places
    return found


def _differ(one: str, two: str, again: str) -> bool:
    """Whether *two* differs from *one* in something that is the same in *again*."""
    if one == again:
        return one != two
    words = [re.split(r"([^0-9A-Za-z]+)", text) for text in (one, two, again)]
    if len({len(each) for each in words}) > 1:
        return False
    return any(first == third != second for first, second, third in zip(*words, strict=True))


def _allowed(kind: str, sink: str, place: str) -> bool:
    return any(one.kind == kind and one.sink == sink and re.match(one.place, place) for one in ALLOWED)


def _cut(one: str, two: str) -> tuple[str, str]:
    """Two texts around their difference, which is only described: a report of leaks must not leak."""
    start = 0
    while start < min(len(one), len(two)) and one[start] == two[start]:
        start += 1
    while start and one[start - 1].isalnum():
        start -= 1
    end = 0
    while end < min(len(one), len(two)) - start and one[-1 - end] == two[-1 - end]:
        end += 1
    while end and one[len(one) - end].isalnum():
        end -= 1
    return _around(one, start, len(one) - end), _around(two, start, len(two) - end)


def _around(text: str, start: int, end: int) -> str:
    before, after = text[max(0, start - SHOWN) : start], text[end : end + SHOWN]
    return f"{'...' * (start > SHOWN)}{before}{_described(text[start:end])}{after}{'...' * (len(text) - end > SHOWN)}"


def _described(text: str) -> str:
    if not text:
        return "[nothing]"
    kind = "digits" if text.isdigit() else "hexadecimal digits" if re.fullmatch("[0-9a-f]+", text) else "characters"
    return f"[{len(text)} {kind}]"


# ---- second check: a search -----------------------------------------------------------------------------------------


def forms(text: str) -> Iterator[tuple[str, str]]:
    """What digits may look like in a text, with the name of each form."""
    data = text.encode()
    yield "plain", text
    yield "reversed", text[::-1]
    yield from ((f"digits with {name}", sign.join(text)) for name, sign in (("spaces", " "), ("dashes", "-")))
    yield "digits in quotes", '", "'.join(text)
    yield "JSON escapes", "".join(f"\\u{ord(each):04x}" for each in text)
    yield "percent escapes", "".join(f"%{ord(each):02X}" for each in text)
    yield "hexadecimal", data.hex()
    yield "base64", base64.b64encode(data).decode().rstrip("=")
    for name in ("md5", "sha1", "sha256", "sha512"):
        made = hashlib.new(name, data, usedforsecurity=False).digest()
        yield name, made.hex()
        yield f"{name}, base64", base64.b64encode(made).decode().rstrip("=")
    yield "crc32", str(zlib.crc32(data))
    yield "crc32, hexadecimal", f"{zlib.crc32(data):08x}"


def hits(kind: str, texts: Iterable[str], sinks: Sinks, without: Sinks) -> list[Leak]:
    """Places in *sinks* that hold one of *texts* in any form, more often than the same sink in *without*."""
    found: list[Leak] = []
    for text in texts:
        digits = text.strip("#*")
        for name, form in forms(digits) if len(digits) >= LEAST else ():
            if len(form) < LEAST or (name != "plain" and form == digits):
                continue
            pattern = re.compile(re.escape(form), re.IGNORECASE if re.fullmatch("[0-9a-f]+", form) else 0)
            for kept in _more(kind, pattern, sinks, without):
                where = pattern.search(kept.text)
                shown = _around(kept.text, where.start(), where.end()) if where else ""
                found.append(Leak(kind, kept.sink, kept.place, (f"search: {name}",), shown, ""))
    return found


def _more(kind: str, pattern: re.Pattern[str], sinks: Sinks, without: Sinks) -> Iterator[Kept]:
    known: Counter[str] = Counter()
    for kept in without.kept:
        if pattern.search(kept.text) and not _allowed(kind, kept.sink, kept.place):
            known[kept.sink] += len(pattern.findall(kept.text))
    for kept in sinks.kept:
        if pattern.search(kept.text) and not _allowed(kind, kept.sink, kept.place):
            known[kept.sink] -= len(pattern.findall(kept.text))
            if known[kept.sink] < 0:
                known[kept.sink] = 0
                yield kept


# ---- both -----------------------------------------------------------------------------------------------------------


def merged(leaks: Iterable[Leak], written: Iterable[str]) -> list[Leak]:
    """Each place once, with all checks that found it; what is *written* in the call is not shown."""
    places: dict[tuple[str, str, str], Leak] = {}
    for one in leaks:
        known = places.setdefault((one.kind, one.sink, one.place), one)
        places[one.kind, one.sink, one.place] = replace(
            known, checks=tuple(dict.fromkeys((*known.checks, *one.checks)))
        )
    hidden = sorted({text.strip("#*") for text in written} - {""}, key=len, reverse=True)
    return [replace(one, one=_without(one.one, hidden), other=_without(one.other, hidden)) for one in places.values()]


def _without(text: str, hidden: list[str]) -> str:
    for each in hidden:
        text = text.replace(each, f"[{len(each)} characters]")
    return text
