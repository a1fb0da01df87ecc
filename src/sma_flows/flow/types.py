"""Types of variables: what a value may be, and how large it can become in the attributes of a call."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from sma_flows.flow.diagnostics import Fault, did_you_mean

__all__ = ["KINDS", "Secrecy", "Type", "check_phone", "parse_type"]

Secrecy: TypeAlias = Literal["", "secret", "masked"]
Initial: TypeAlias = "str | int | bool | None"

KINDS: Final = (
    "digits",
    "text",
    "number",
    "boolean",
    "phone",
    "one_of",
    "locale",
    "prompt",
    "leg",
    "audio",
    "recording",
    "list",
)
MAX_DIGITS: Final = 128
"""Most digits of one collection. Contract E10."""
MAX_TEXT: Final = 2_048
DEFAULT_TEXT: Final = 200
MAX_LIST: Final = 1_000
NUMBER_DIGITS: Final = 15
"""A whole number of a flow has at most this many digits, so that JSON readers keep it exact."""

# Bytes of one character of free text in the attributes. They are JSON in a JSON string: a character outside ASCII
# becomes \uXXXX (6 bytes); one outside the basic plane counts as two.
_TEXT_BYTES: Final = 6
_QUOTES: Final = 4  # \" before and behind a text in JSON in JSON
_FIXED_BYTES: Final = {
    "number": NUMBER_DIGITS + 1,
    "boolean": 5,
    "phone": 16 + _QUOTES,
    "locale": 5 + _QUOTES,
    "prompt": 81 + _QUOTES,  # sub-flow name, slash, prompt name
    "leg": 1 + _QUOTES,
    "audio": 256 + _QUOTES,
    "recording": 63 + 512 + 1 + 60,  # bucket, key, finishing key, field names and quotes
}
_TYPE: Final = re.compile(r"\s*(?P<kind>[A-Za-z_][A-Za-z0-9_]*)\s*(?:(?P<open>\()(?P<inside>.*)\))?\s*", re.DOTALL)
_SIZE: Final = re.compile(r"\s*([0-9]{1,6})\s*(?:\.\.\s*([0-9]{1,6})\s*)?")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_LOCALE: Final = re.compile(r"[a-z]{2,3}-[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Type:
    """What values a variable takes.

    `min` and `max` count digits, characters or list elements. `initial` is the value at the start of the call, None
    for unset. `kind` "map" belongs to values that only hooks see (slots of a bot); authors cannot write it.
    """

    kind: str
    min: int | None = None
    max: int | None = None
    words: tuple[str, ...] = ()
    item: Type | None = None
    secrecy: Secrecy = ""
    initial: Initial = None

    @property
    def worst_bytes(self) -> int:
        """Most bytes of a value in the saved attributes: JSON in a JSON string, ASCII only."""
        if self.kind == "digits":
            return (self.max or MAX_DIGITS) + _QUOTES
        if self.kind == "text":
            return (self.max or DEFAULT_TEXT) * _TEXT_BYTES + _QUOTES
        if self.kind == "one_of":
            return max((len(word) for word in self.words), default=0) + _QUOTES
        if self.kind == "list" and self.item:
            return (self.max or 0) * (self.item.worst_bytes + 1) + 2
        return _FIXED_BYTES.get(self.kind, 0)

    def to_json(self) -> dict[str, Any]:
        """The form of the plan: only the keys that say something."""
        out: dict[str, Any] = {"t": self.kind}
        if self.min is not None:
            out["min"] = self.min
        if self.max is not None:
            out["max"] = self.max
        if self.words:
            out["words"] = list(self.words)
        if self.item is not None:
            out["item"] = self.item.to_json()
        if self.secrecy:
            out["secrecy"] = self.secrecy
        if self.initial is not None:
            out["initial"] = self.initial
        return out

    def __str__(self) -> str:
        """The type as an author writes it, without its start value."""
        size = f"{self.min}..{self.max}" if self.min != self.max else f"{self.max}"
        inside = {
            "digits": size,
            "text": f"{self.max}" if self.min in (0, None) else size,
            "one_of": ", ".join(self.words),
            "list": f"{self.max}, {self.item}",
        }.get(self.kind)
        name = f"{self.kind}({inside})" if inside is not None else self.kind
        return f"{self.secrecy} {name}" if self.secrecy else name


def check_phone(text: str, offset: int = 0) -> str:
    """The telephone number in E.164 form.

    Raises:
        Fault: it is none.
    """
    if _PHONE.fullmatch(text):
        return text
    digits = re.sub(r"[\s().-]", "", text)
    help_ = "write + and the country code, digits only, such as +12065550150"
    if _PHONE.fullmatch(digits):
        help_ = f"write {digits}"
    elif re.fullmatch(r"[0-9]{7,15}", digits):
        help_ = f"write the number with + and its country code, such as +1{digits[-10:]}"
    raise Fault(
        "SF117",
        f"'{text}' is not a telephone number",
        label="not in E.164 form",
        help=help_,
        offset=offset,
        length=len(text),
    )


def parse_type(text: str, *, initial: bool = True) -> Type:
    """Read a type such as `secret digits(4..8)`, `list(20, text(100))` or, with `initial`, `number = 0`.

    Raises:
        Fault: it is none; the offset points into `text`.
    """
    body, start, value = _split_initial(text)
    if value is not None and not initial:
        raise _bad("a start value belongs under `vars`", start - 1, len(text) - start + 1, help_="remove `= ...`")
    secrecy: Secrecy = ""
    stripped = body.lstrip()
    first = stripped.split(maxsplit=1)[0] if stripped else ""
    offset = len(body) - len(stripped)
    if first in ("secret", "masked"):
        secrecy = "secret" if first == "secret" else "masked"
        offset += len(first)
    found = replace(_parse(body[offset:], offset), secrecy=secrecy)
    if value is None:
        return found
    if secrecy == "secret":
        raise _bad("a secret has no start value", start, len(text) - start, help_="remove `= ...`")
    return replace(found, initial=_initial(found, value, start))


def _bad(message: str, offset: int, length: int, *, help_: str, label: str = "") -> Fault:
    return Fault("SF111", message, label=label, help=help_, offset=offset, length=max(1, length))


def _split_initial(text: str) -> tuple[str, int, str | None]:
    body, sign, rest = text.partition("=")
    if not sign:
        return text, len(text), None
    value = rest.strip()
    start = len(body) + 1 + (len(rest) - len(rest.lstrip()))
    if not value:
        raise _bad("there is no start value behind `=`", len(body), 1, help_="write `number = 0`, or leave out the `=`")
    return body, start, value


def _parse(text: str, base: int) -> Type:
    """The type in `text`, which starts at `base` in what the author wrote."""
    match = _TYPE.fullmatch(text)
    shown = text.strip()
    at = base + len(text) - len(text.lstrip())
    if match is None:
        if not shown:
            raise _bad("there is no type here", base, 1, help_=f"write one of {', '.join(KINDS)}")
        if shown.count("(") != shown.count(")"):
            raise _bad(f"'{shown}' has a bracket without its partner", at, len(shown), help_="close every bracket")
        behind = re.fullmatch(r"(.+?)\s+(secret|masked)", shown)
        help_ = f"write {behind[2]} {behind[1]}" if behind else f"write one of {', '.join(KINDS)}"
        raise _bad(f"'{shown}' is not a type", at, len(shown), help_=help_)
    kind = match["kind"]
    if kind not in KINDS:
        others = {"int": "number", "integer": "number", "string": "text", "str": "text", "bool": "boolean"}
        close = f"did you mean '{others[kind]}'?" if kind in others else did_you_mean(kind, KINDS)
        if kind in ("secret", "masked"):
            close = "write `secret` or `masked` once, in front of the type"
        raise _bad(
            f"there is no type '{kind}'", base + match.start("kind"), len(kind), help_=close or "see the list of types"
        )
    inside = match["inside"] if match["open"] else None
    inner = base + (match.start("inside") if match["open"] else match.end("kind"))
    if kind in ("digits", "text"):
        return _sized(kind, inside, at, inner, len(shown))
    if kind == "one_of":
        return _one_of(inside, at, inner, len(shown))
    if kind == "list":
        return _list(inside, at, inner, len(shown))
    if inside is not None:
        raise _bad(f"'{kind}' has no size", at, len(shown), help_=f"write `{kind}`")
    return Type(kind)


def _sized(kind: str, inside: str | None, at: int, inner: int, length: int) -> Type:
    most = MAX_DIGITS if kind == "digits" else MAX_TEXT
    if inside is None:
        if kind == "digits":
            raise _bad(
                "'digits' does not say how many",
                at,
                length,
                help_="write `digits(6)` for six, `digits(4..8)` for a range",
            )
        return Type("text", 0, DEFAULT_TEXT)
    match = _SIZE.fullmatch(inside)
    if match is None:
        raise _bad(
            f"'{inside.strip()}' is not a size", inner, len(inside), help_=f"write `{kind}(6)` or `{kind}(4..8)`"
        )
    high = int(match[2] or match[1])
    low = int(match[1]) if match[2] or kind == "digits" else 0
    if low > high:
        raise _bad(
            f"the smallest size {low} is larger than the largest {high}",
            inner,
            len(inside),
            help_=f"write `{kind}({high}..{low})`",
        )
    if kind == "digits" and low < 1:
        raise _bad("at least one digit is collected", inner, len(inside), help_=f"write `digits(1..{max(1, high)})`")
    if not 1 <= high <= most:
        raise _bad(f"{high} is not between 1 and {most}", inner, len(inside), help_=f"write at most {most}")
    return Type(kind, low, high)


def _one_of(inside: str | None, at: int, inner: int, length: int) -> Type:
    if not inside or not inside.strip():
        raise _bad("'one_of' needs its words", at, length, help_="write `one_of(sales, support)`")
    words: list[str] = []
    offset = inner
    for piece in inside.split(","):
        word = piece.strip()
        if not _WORD.fullmatch(word) or len(word) > 64:
            raise _bad(
                f"'{word}' is not a word",
                offset,
                len(piece),
                help_="use letters, digits, dashes and underscores, at most 64",
            )
        if word in words:
            raise _bad(f"the word '{word}' stands here twice", offset, len(piece), help_="name every word once")
        words.append(word)
        offset += len(piece) + 1
    return Type("one_of", words=tuple(words))


def _list(inside: str | None, at: int, inner: int, length: int) -> Type:
    count, comma, rest = (inside or "").partition(",")
    if not comma or not count.strip().isdecimal():
        raise _bad(
            "a list says how many elements it holds, and of which type",
            at,
            length,
            help_="write `list(20, text(100))`",
        )
    most = int(count) if len(count) < 8 else MAX_LIST + 1
    if not 1 <= most <= MAX_LIST:
        raise _bad(f"a list holds 1 to {MAX_LIST} elements", inner, len(count), help_=f"write at most {MAX_LIST}")
    if re.match(r"\s*list\b", rest):
        raise _bad("a list cannot hold lists", inner + len(count) + 1, len(rest), help_="name another type")
    item = _parse(rest, inner + len(count) + 1)
    return Type("list", 0, most, item=item)


def _initial(kind: Type, value: str, start: int) -> Initial:
    """The start value of a variable of this type."""
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    text = value[1:-1] if quoted else value

    def bad(help_: str) -> Fault:
        return _bad(f"'{value}' is no start value for '{kind}'", start, len(value), help_=help_)

    match kind.kind:
        case "number":
            if re.fullmatch(rf"-?[0-9]{{1,{NUMBER_DIGITS}}}", text) and not quoted:
                return int(text)
            raise bad("write a whole number")
        case "boolean":
            if text in ("true", "false") and not quoted:
                return text == "true"
            raise bad("write `true` or `false`")
        case "digits":
            if text.isascii() and text.isdecimal() and (kind.min or 1) <= len(text) <= (kind.max or MAX_DIGITS):
                return text
            raise bad("write as many digits as the type says")
        case "text":
            if quoted and (kind.min or 0) <= len(text) <= (kind.max or DEFAULT_TEXT):
                return text
            raise bad("write the text in quotes; it has to fit the size")
        case "phone":
            return check_phone(text, start + quoted)
        case "one_of":
            if text in kind.words:
                return text
            raise bad(f"write one of {', '.join(kind.words)}")
        case "leg":
            if text in ("A", "B"):
                return text
            raise bad("write `A` or `B`")
        case "locale":
            if _LOCALE.fullmatch(text):
                return text
            raise bad("write a locale such as `en-US`")
        case "prompt" | "audio":
            if text and len(text) <= 256:
                return text
    raise bad("leave out the start value: such a variable starts unset")
