"""Small values of the language: names, keys, legs, counts, limits, times. Each reader gives a value or a `Fault`."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

from sma_flows.flow.diagnostics import Fault, did_you_mean
from sma_flows.flow.expressions import Expr, parse_duration

__all__ = [
    "DAYS",
    "RESERVED_NAMES",
    "RESERVED_OUTCOMES",
    "Limit",
    "Range",
    "Take",
    "Visits",
    "check_count",
    "check_key",
    "check_leg",
    "check_locale",
    "check_name",
    "check_outcome",
    "check_word",
    "check_zone",
    "parse_limit",
    "parse_prefix",
    "parse_range",
    "parse_take",
    "parse_visits",
]

RESERVED_NAMES: Final = frozenset(
    ("and", "or", "not", "is", "in", "true", "false", "unset", "env", "call", "bot", "key", "hangup", "back")
)
"""Words of the language that cannot be names of variables, hooks or prompts, which stand in expressions."""
_RESERVED: Final = {"state": frozenset(("hangup", "back")), "outcome": frozenset[str](), "counter": frozenset[str]()}
"""What the names that stand in no expression must not be instead (language reference 3)."""
RESERVED_OUTCOMES: Final = frozenset(("failed", "limited", "exhausted", "other"))
"""Outcomes of the language. `closed` is not among them: schedules declare it, and so do hooks that look rooms up."""
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_COUNT: Final = 1_000_000
MAX_WINDOW_S: Final = 24 * 3_600

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_MAX_NAME: Final = 40
_LOCALE: Final = re.compile(r"[a-z]{2,3}-[A-Z]{2}")
_KEYS: Final = re.compile(r"[0-9*#]{1,20}")
_LIMIT: Final = re.compile(r"(\d+)\s+per\s+(\S+)(?:\s+per\s+(\S+))?", re.ASCII)
_VISITS: Final = re.compile(r"(\S+)(?:\s+in\s+(\S+))?(?:\s+since\s+(\S+))?")
_TAKE: Final = re.compile(r"(\S+)\s+from\s+(\S+)")
_ZONE: Final = re.compile(r"(?!posix/|right/)[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
_TIMES: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAY_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `max` times `outcome`, per "call", per "caller" or per value of a variable.

    `window_s` is the fixed window of counts that go over calls, None for "call".
    """

    outcome: str
    max: int
    per: str
    window_s: int | None = None


@dataclass(frozen=True, slots=True)
class Visits:
    """Entry `n` + 1 of a state is `exhausted`. `counter` shares the count, entering `since` starts it again."""

    n: int
    counter: str | None = None
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """Move the first element of the list `source` into `variable`."""

    variable: str
    source: str


@dataclass(frozen=True, slots=True)
class Range:
    """A stretch of time: one date (ISO) or some days of the week (Monday is 0), or every day, between two minutes.

    `start` and `end` are minutes of the day, end excluded, 1,440 for midnight at the end.
    """

    date: str | None
    days: tuple[int, ...] | None
    start: int
    end: int


def check_name(text: str, what: str = "name") -> str:
    """A name of a state, variable, hook, prompt or counter.

    Raises:
        Fault: other characters than `a-z`, digits and `_`, too long, or a word of the language.
    """
    if text in _RESERVED.get(what, RESERVED_NAMES):
        raise Fault(
            "SF125",
            f"'{text}' is a word of the language" + ("" if what == "name" else f" and cannot be the name of a {what}"),
            label="reserved word",
            help=f"choose another name, such as 'my_{text}'",
            length=len(text),
        )
    if _NAME.fullmatch(text) and len(text) <= _MAX_NAME:
        return text
    better = re.sub(r"[^a-z0-9_]+", "_", text.strip().lower()).strip("_")[:_MAX_NAME]
    if not re.match(r"[a-z]", better):
        better = f"{what[:1]}_{better}".rstrip("_")[:_MAX_NAME]
    label = f"longer than {_MAX_NAME} characters" if len(text) > _MAX_NAME else ""
    raise Fault(
        "SF108",
        f"'{_short(text)}' " + ("is not a name" if what == "name" else f"cannot be the name of a {what}"),
        label=label,
        help=f"use a-z, 0-9 and _, such as '{better}'",
        length=len(text),
    )


def check_outcome(text: str) -> str:
    """A name of an outcome that an author declares.

    Raises:
        Fault: see `check_name`; outcomes of the language itself cannot be declared.
    """
    if text in RESERVED_OUTCOMES:
        raise Fault(
            "SF125",
            f"'{text}' is an outcome of the language and cannot be declared",
            label="reserved word",
            help=f"choose another name, such as 'my_{text}'",
            length=len(text),
        )
    return check_name(text, "outcome")


def check_word(text: str, words: Sequence[str], what: str) -> str:
    """One of a closed list of words.

    Raises:
        Fault: it is none of them.
    """
    if text in words:
        return text
    raise Fault(
        "SF118",
        f"'{_short(text)}' is not a word for {what}",
        help=did_you_mean(text, words) or f"write one of {', '.join(words)}",
        length=len(text),
    )


def check_count(text: str, low: int, high: int, what: str, offset: int = 0) -> int:
    """A whole number from `low` to `high`.

    Raises:
        Fault: it is none, or out of range.
    """
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Fault(
            "SF110",
            f"'{_short(text)}' is not a number for {what}",
            help=f"write a whole number from {low} to {high}",
            offset=offset,
            length=len(text),
        )
    if not low <= int(text) <= high:
        raise Fault(
            "SF110",
            f"{int(text)} is out of range for {what}",
            help=f"write a whole number from {low} to {high}",
            offset=offset,
            length=len(text),
        )
    return int(text)


def check_key(text: str, *, sequence: bool = True, any_digit: bool = False) -> str:
    """A telephone key or key sequence in the form of the plan: `*6`, `#`, `0`, or `digit`.

    Raises:
        Fault: it is none.
    """
    if text == "digit" and any_digit:
        return text
    if text in ("star", "pound"):
        return {"star": "*", "pound": "#"}[text]
    if _KEYS.fullmatch(text) and (sequence or len(text) == 1):
        return text
    words = {"hash": "pound", "#": "pound", "asterisk": "star", "digits": "digit", "any": "digit", "sharp": "pound"}
    better = words.get(text.lower(), "")
    help_ = f"write {better}" if better else "keys are 0-9, star and pound"
    if _KEYS.fullmatch(text):
        help_ = "one key only stands here" if len(text) <= 20 else "a sequence has at most 20 keys"
    raise Fault("SF116", f"'{_short(text)}' is not a telephone key", help=help_, length=len(text))


def check_leg(text: str, words: Sequence[str]) -> str:
    """One of the leg words that fit here, or the name of a leg variable.

    Raises:
        Fault: it is none.
    """
    if text in words:
        return text
    if _NAME.fullmatch(text) and len(text) <= _MAX_NAME and text not in ("both", "here", "other"):
        return text
    fits = ", ".join(words)
    better = {"a": "A", "b": "B", "leg-a": "A", "leg-b": "B", "caller": "A", "callee": "B"}.get(text.lower(), "")
    raise Fault(
        "SF118",
        f"'{_short(text)}' is not a leg that fits here",
        help=f"write {better}" if better in words else f"write {fits} or a variable of type leg",
        length=len(text),
    )


def check_locale(text: str) -> str:
    """A locale such as `en-US`.

    Raises:
        Fault: it is none.
    """
    if _LOCALE.fullmatch(text):
        return text
    match = re.fullmatch(r"([A-Za-z]{2,3})[-_]([A-Za-z]{2})", text)
    better = f"{match[1].lower()}-{match[2].upper()}" if match else "en-US"
    raise Fault(
        "SF127",
        f"'{_short(text)}' is not the name of a locale",
        help=f"write language and country, such as {better}",
        length=len(text),
    )


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    """All zones; finding them takes as long as reading a long flow, so only a misspelt zone pays for it."""
    return frozenset(zoneinfo.available_timezones())


@lru_cache(maxsize=64)
def _exists(zone: str) -> bool:
    if not _ZONE.fullmatch(zone) or zone in ("localtime", "posixrules", "Factory"):
        return False
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):  # no such file, a folder, not a zone file
        return False
    return True


def check_zone(text: str) -> str:
    """A time zone of the IANA data base.

    Raises:
        Fault: it is none, or this machine has no such data base.
    """
    if _exists(text):
        return text
    if not _zones():
        raise Fault(
            "SF119",
            "this machine has no time zone data, so that no zone can be checked",
            help="install the Python package tzdata",
            length=len(text),
        )
    word = text.strip().lower().replace(" ", "_")
    same = next((zone for zone in _zones() if zone.lower() == word), "")
    city = next((zone for zone in sorted(_zones()) if zone.rpartition("/")[2].lower() == word), "")
    close = f"write {same or city}" if same or city else did_you_mean(text, sorted(_zones()))
    raise Fault(
        "SF119",
        f"there is no time zone '{_short(text)}'",
        help=close or "write a zone such as America/New_York or Etc/UTC",
        length=len(text),
    )


def parse_limit(text: str, outcome: str) -> Limit:
    """`3 per call`, `10 per caller per 1h`, `20 per VARIABLE per 1h`.

    Raises:
        Fault: it is no such rule.
    """
    match = _LIMIT.fullmatch(text.strip())
    if match is None:
        raise Fault(
            "SF121",
            f"'{_short(text)}' is not a limit",
            help="write `3 per call`, `10 per caller per 1h` or `20 per VARIABLE per 1h`",
            length=len(text),
        )
    most = check_count(match[1], 1, MAX_COUNT, "a limit")
    per, window = match[2], match[3]
    if per == "call":
        if window is not None:
            raise Fault(
                "SF121",
                "a limit per call has no time",
                help=f"write `{most} per call`",
                offset=match.end(2),
                length=match.end() - match.end(2),
            )
        return Limit(outcome, most, "call")
    if per != "caller" and not _NAME.fullmatch(per):
        raise Fault(
            "SF121",
            f"'{_short(per)}' is nothing to count per",
            help="write `call`, `caller` or the name of a variable",
            offset=match.start(2),
            length=len(per),
        )
    if window is None:
        raise Fault(
            "SF121",
            f"a limit per {per} counts over calls and needs a time",
            help=f"write `{most} per {per} per 1h`",
            offset=match.start(2),
            length=len(per),
        )
    ms = parse_duration(window, match.start(3))
    if ms < 1000 or ms % 1000:
        raise Fault(
            "SF121",
            f"'{window}' is not a time for a limit",
            help="write whole seconds, minutes or hours, from 1s to 24h",
            offset=match.start(3),
            length=len(window),
        )
    return Limit(outcome, most, per, ms // 1000)


def parse_visits(text: str) -> Visits:
    """`5`, `5 in tries`, `5 in tries since menu`.

    Raises:
        Fault: it is no such rule.
    """
    match = _VISITS.fullmatch(text.strip())
    if match is None:
        raise Fault(
            "SF122",
            f"'{_short(text)}' does not say how often a state may be entered",
            help="write `5`, `5 in COUNTER` or `5 in COUNTER since STATE`",
            length=len(text),
        )
    count = check_count(match[1], 1, 1_000, "visits")
    for group, what in ((2, "counter"), (3, "state")):
        if match[group] is not None:
            try:
                check_name(match[group], what)
            except Fault as fault:
                raise fault.moved(match.start(group)) from None
    return Visits(count, match[2], match[3])


def parse_take(text: str) -> Take:
    """`VARIABLE from LIST`.

    Raises:
        Fault: it is not written so.
    """
    match = _TAKE.fullmatch(text.strip())
    if match is None:
        raise Fault(
            "SF112",
            f"'{_short(text)}' does not say what to take from where",
            help="write `VARIABLE from LIST`",
            length=len(text),
        )
    for group in (1, 2):
        try:
            check_name(match[group], "variable")
        except Fault as fault:
            raise fault.moved(match.start(group)) from None
    return Take(match[1], match[2])


def parse_prefix(text: str) -> Expr:
    """The start of telephone numbers: `+1206`, or `env.NAME`.

    Raises:
        Fault: it is neither.
    """
    if re.fullmatch(r"\+[1-9][0-9]{0,14}", text):
        return Expr("lit", (text,))
    if match := re.fullmatch(r"env\.([A-Za-z_][A-Za-z0-9_]*)", text):
        return Expr("env", (match[1],))
    digits = re.sub(r"[^0-9]", "", text)
    help_ = f"write +{digits}" if digits.lstrip("0") == digits and 0 < len(digits) <= 15 else "write +1206 or env.NAME"
    raise Fault("SF117", f"'{_short(text)}' is not the start of a telephone number", help=help_, length=len(text))


def parse_range(text: str) -> Range:
    """`2026-12-24 09:00-12:00`, `mon-fri 09:00-17:00`, `sat`, `08:00-20:00`.

    Raises:
        Fault: it is no such range, a day that does not exist, or a range that ends before it starts.
    """
    words = text.split()
    if not 1 <= len(words) <= 2:
        raise _bad_range(text, text, "write `[date | day | day-day] [hh:mm-hh:mm]`, such as mon-fri 09:00-17:00")
    when, times = (words[0], words[1]) if len(words) == 2 else (words[0], "")
    if not times and ":" in when:
        when, times = "", when
    start, end = _minutes(text, times) if times else (0, _DAY_MINUTES)
    if not when:
        return Range(None, None, start, end)
    if _DATE.fullmatch(when):
        try:
            date.fromisoformat(when)
        except ValueError:
            raise _bad_range(text, when, "write a day of the calendar as YYYY-MM-DD") from None
        return Range(when, None, start, end)
    return Range(None, _days(text, when), start, end)


def _days(text: str, when: str) -> tuple[int, ...]:
    first, dash, last = when.partition("-")
    for name in (first, last) if dash else (first,):
        if name not in DAYS:
            short = name[:3].lower()
            help_ = f"write {short}" if short in DAYS else f"days are {', '.join(DAYS)}; dates are YYYY-MM-DD"
            raise _bad_range(text, name or when, help_)
    start = DAYS.index(first)
    end = DAYS.index(last) if dash else start
    return tuple((start + step) % 7 for step in range((end - start) % 7 + 1))


def _minutes(text: str, times: str) -> tuple[int, int]:
    match = _TIMES.fullmatch(times)
    if match is None:
        raise _bad_range(text, times, "write the times as hh:mm-hh:mm, such as 09:00-17:30")
    start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if int(match[2]) > 59 or int(match[4]) > 59 or start >= _DAY_MINUTES or end > _DAY_MINUTES:
        raise _bad_range(text, times, "times go from 00:00 to 24:00")
    if end <= start:
        over = f"{times.partition('-')[0]}-24:00 and 00:00-{times.partition('-')[2]}"
        raise _bad_range(text, times, f"a range ends on the day on which it starts: write two ranges, {over}")
    return start, end


def _bad_range(text: str, part: str, help_: str) -> Fault:
    at = max(0, text.find(part))
    return Fault(
        "SF120", f"'{_short(part)}' is not a time of the schedule", help=help_, offset=at, length=max(1, len(part))
    )


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
