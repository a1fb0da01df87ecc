"""What a caller's words are as the value of a slot: values with synonyms, and the built-in types of Lex that matter.

No language understanding: numbers, dates and times are read in a few plain forms (English words, digits in any
language); every other built-in type takes the words as they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from sma_flows.simulator.bot_export import SlotType

__all__ = ["Said", "normal", "resolve", "yes_or_no"]


@dataclass(frozen=True, slots=True)
class Said:
    """The value of a slot as the service reports it (contract 4.16)."""

    original: str
    interpreted: str
    resolved: tuple[str, ...] = ()


_PUNCTUATION: Final = re.compile(r"[^\w\s'+@.:/{}-]|(?<!\d)[.:/]|[.:/](?!\w)")
_APOSTROPHE: Final = re.compile(r"[\u2018\u2019\u02bc]")


@lru_cache(maxsize=8192)
def normal(text: str) -> str:
    """Words as they are compared: small letters, one space, no punctuation but what is part of a number or a name."""
    text = _APOSTROPHE.sub("'", unicodedata.normalize("NFKC", text)).casefold()
    return " ".join(word.strip("-'.") for word in _PUNCTUATION.sub(" ", text).split() if word.strip("-'."))


def resolve(kind: SlotType, text: str, today: date) -> Said | None:
    """The value of a slot of this type, if *text* (all of it) is one."""
    words = normal(text)
    if not words:
        return None
    if kind.values:
        return _listed(kind, text, words)
    if kind.pattern:
        return _patterned(kind, text, words)
    read = _BUILT_IN.get(kind.parent)
    value = read(words, today) if read is not None else text.strip()
    if value is None:
        return None
    return Said(text.strip(), value, (value,) if read is not None else ())


def _listed(kind: SlotType, text: str, words: str) -> Said | None:
    for value, synonyms in kind.values:
        if words in map(normal, (value, *synonyms)):
            return Said(text.strip(), value if kind.top else text.strip(), (value,))
    return None if kind.top else Said(text.strip(), text.strip())


def _patterned(kind: SlotType, text: str, words: str) -> Said | None:
    joined = re.sub(r"[\s-]", "", words)
    for value in (text.strip(), joined, joined.upper()):
        if re.fullmatch(kind.pattern, value):
            return Said(text.strip(), value, (value,))
    return None


# ---- built-in types ------------------------------------------------------------------------------------------------

_UNITS: Final = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS: Final = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_NUMBERS: Final = {
    **{word: value for value, word in enumerate(_UNITS)},
    **{word: 10 * (value + 2) for value, word in enumerate(_TENS)},
}
_DIGITS: Final = {**{word: str(value) for word, value in zip(_UNITS[:10], range(10), strict=True)}, "oh": "0"}


def _number(words: str, _today: date) -> str | None:
    if re.fullmatch(r"-?\d+(\.\d+)?", words):
        return words
    digits = [_DIGITS.get(word, word) for word in words.split()]
    if len(digits) > 1 and all(one.isdecimal() for one in digits):
        return "".join(digits)
    total = part = 0
    for word in re.sub(r"[\s-]+(?:and[\s-]+)?", " ", words).split():
        if word in _NUMBERS:
            part += _NUMBERS[word]
        elif word == "hundred":
            part = 100 * max(1, part)
        elif word == "thousand":
            total, part = total + 1000 * max(1, part), 0
        else:
            return None
    return str(total + part)


_MONTHS: Final = [
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
]  # fmt: skip
_NAMED_DAY: Final = re.compile(
    r"(?:(\w+) (\d{1,2})(?:st|nd|rd|th)?|(\d{1,2})(?:st|nd|rd|th)?(?: of)? (\w+))(?: (\d{4}))?"
)
_DAYS: Final = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_SOON: Final = {"yesterday": -1, "today": 0, "tonight": 0, "tomorrow": 1, "the day after tomorrow": 2}


def _date(words: str, today: date) -> str | None:
    words = words.removeprefix("on ").removeprefix("the ") if words != "the day after tomorrow" else words
    if words in _SOON:
        return str(today + timedelta(days=_SOON[words]))
    day = words.removeprefix("next ").removeprefix("this ")
    if day in _DAYS:
        return str(today + timedelta(days=(_DAYS.index(day) - today.weekday() - 1) % 7 + 1))
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", words):
        return _day(*map(int, words.split("-")))
    numeric = re.fullmatch(r"(\d{1,2})/(\d{1,2})(?:/(\d{4}))?", words)
    if numeric:
        return _ahead(today, int(numeric[1]), int(numeric[2]), numeric[3])
    named = _NAMED_DAY.fullmatch(words)
    if named:
        month, number = (named[1], named[2]) if named[1] else (named[4], named[3])
        if month in _MONTHS:
            return _ahead(today, _MONTHS.index(month) + 1, int(number), named[5])
    return None


def _ahead(today: date, month: int, day: int, year: str | None) -> str | None:
    """That day, in the given year or the next time it comes."""
    if year:
        return _day(int(year), month, day)
    found = _day(today.year, month, day)
    return found if found is None or found >= str(today) else _day(today.year + 1, month, day)


def _day(year: int, month: int, day: int) -> str | None:
    try:
        return str(date(year, month, day))
    except ValueError:
        return None


def _time(words: str, _today: date) -> str | None:
    if words in ("noon", "midnight"):
        return "12:00" if words == "noon" else "00:00"
    match = re.fullmatch(r"(\d{1,2})(?::(\d{2}))?(?: ?(am|pm|a m|p m|o'clock))?", words.replace(".", ""))
    if not match or (match[2] is None and match[3] is None):
        return None
    hour, minute, half = int(match[1]), int(match[2] or 0), (match[3] or "")[:1]
    if half in ("a", "p") and not 1 <= hour <= 12:
        return None
    hour = hour % 12 + (12 if half == "p" else 0) if half in ("a", "p") else hour
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else None


def _phone(words: str, _today: date) -> str | None:
    digits = "".join(_DIGITS.get(word, word) for word in re.sub(r"[()+-]", " ", words).split())
    return digits if re.fullmatch(r"\d{7,15}", digits) else None


def _letters(words: str, _today: date) -> str | None:
    parts = [_DIGITS.get(word, word) for word in words.replace("-", " ").split()]
    spelled = len(parts) == 1 or all(len(part) == 1 or re.search(r"\d", part) for part in parts)
    joined = "".join(parts)
    return joined.upper() if spelled and re.fullmatch(r"[a-z0-9]+", joined) else None


def _mail(words: str, _today: date) -> str | None:
    joined = words.replace(" at ", "@").replace(" dot ", ".").replace(" ", "")
    return joined if re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]+", joined) else None


_YES: Final = frozenset({
    "yes", "yeah", "yep", "yup", "sure", "ok", "okay", "correct", "right", "that's right", "that is right",
    "yes please", "please do", "of course", "exactly", "sí", "si", "claro", "correcto", "por supuesto",
    "sí por favor", "si por favor", "ja", "oui", "sim", "certo",
})  # fmt: skip
_NO: Final = frozenset({
    "no", "nope", "nah", "no thanks", "no thank you", "not at all", "wrong", "that's wrong", "incorrect",
    "cancel", "don't", "no gracias", "nein", "non", "não",
})  # fmt: skip


def yes_or_no(text: str) -> bool | None:
    """What an answer to a confirmation means; None: neither."""
    words = normal(text)
    return True if words in _YES else False if words in _NO else None


def _confirmation(words: str, _today: date) -> str | None:
    meant = yes_or_no(words)
    return None if meant is None else "Yes" if meant else "No"


_BUILT_IN: Final[Mapping[str, Callable[[str, date], str | None]]] = {
    "AMAZON.Number": _number,
    "AMAZON.Date": _date,
    "AMAZON.Time": _time,
    "AMAZON.PhoneNumber": _phone,
    "AMAZON.AlphaNumeric": _letters,
    "AMAZON.EmailAddress": _mail,
    "AMAZON.Confirmation": _confirmation,
}
