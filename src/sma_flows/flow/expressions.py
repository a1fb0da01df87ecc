"""Values, conditions and hook calls as an author writes them, read into small trees.

::

    value     = reference | literal | reference ("+" | "-") number
    reference = variable | variable.field | env.NAME | call.* | bot.* | key.*
    literal   = "text" | 12 | +12065550150 | 30s | true | false | A | B | unset
    condition = clause {"and" clause}  |  clause {"or" clause}
    clause    = reference | "not" reference | reference op value
    op        = is | is not | in | starts with | < | <= | > | >=
    call      = name "(" [value {"," value}] ")"

Text is a template: `{name}` inserts, `{name as digits}` inserts as it is to be spoken, `{{` and `}}` are braces.
Which names exist is not known here: a word is a variable until the resolver says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sma_flows.flow.diagnostics import Fault, did_you_mean, nearest
from sma_flows.flow.nodes import Scalar
from sma_flows.flow.types import NUMBER_DIGITS, check_phone

__all__ = [
    "CALL_FIELDS",
    "SPOKEN_AS",
    "Arg",
    "Expr",
    "HookCall",
    "parse_call",
    "parse_condition",
    "parse_duration",
    "parse_template",
    "parse_value",
]

CALL_FIELDS: Final = (
    "id",
    "from",
    "to",
    "direction",
    "locale",
    "answered",
    "ended_by",
    "hangup_code",
    "user_to_user",
)
BOT_FIELDS: Final = ("intent", "state", "slots", "attributes")
KEY_FIELDS: Final = ("digits", "leg")
SPOKEN_AS: Final = ("digits", "number", "date", "time", "letters")
_UNITS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
MAX_DURATION_MS: Final = 24 * 3_600_000

_SPACE: Final = re.compile(r"\s*")
_REFERENCE: Final = re.compile(
    r"call\.headers\.(?P<header>[A-Za-z0-9-]+)"
    r"|(?P<root>env|call|bot|key)\.(?P<path>[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:\.(?P<field>[A-Za-z_][A-Za-z0-9_]*))?"
)
_DURATION: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?\s?(?:ms|s|m|h)(?![A-Za-z0-9_])")
_DURATION_TEXT: Final = re.compile(r"([0-9]{1,9})(ms|s|m|h)")
_NUMBER: Final = re.compile(r"-?[0-9]+(?![A-Za-z0-9_.:])")
_PLUS_NUMBER: Final = re.compile(r"\+[0-9][0-9().-]*")
_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\']|\'\')*)\'', re.DOTALL)
_OPERATOR: Final = re.compile(r"(?:is\s+not|is|in|starts\s+with)(?![A-Za-z0-9_])|<=|>=|<|>")
_FOREIGN: Final = {
    "==": "is",
    "=": "is",
    "!=": "is not",
    "<>": "is not",
    "&&": "and",
    "||": "or",
    "=~": "starts with",
    "!": "not",
}
_FOREIGN_TOKEN: Final = re.compile(r"==|=~|=|!=|<>|&&|\|\||!")
_WORD: Final = re.compile(r"[A-Za-z0-9_.+-]+|\S")
_UNSPACED: Final = re.compile(r"[^\s,()\[\]]+")
_CALL: Final = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.]*)\s*(\(?)")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_INSERT: Final = re.compile(r"\{\{|\}\}|\{|\}")
_PLACE: Final = re.compile(r"\s*(?P<ref>[A-Za-z_][A-Za-z0-9_.-]*)\s*(?:\sas\s+(?P<how>[A-Za-z_]+)\s*)?")

Arg: TypeAlias = "Expr | str | int | bool"


@dataclass(frozen=True, slots=True)
class Expr:
    """One node of an expression; `op` and `args` are those of the plan's arrays, with `in`, `starts with` and `text`
    holding their list members as further arguments.
    """

    op: str
    args: tuple[Arg, ...] = ()

    def to_json(self) -> list[Any]:
        """The array form of the plan, such as `["+", ["var", "n"], 1]`."""
        plain = [arg.to_json() if isinstance(arg, Expr) else arg for arg in self.args]
        if self.op == "text":
            return ["text", plain]
        if self.op in ("in", "starts with"):
            return [self.op, plain[0], plain[1:]]
        return [self.op, *plain]

    def walk(self) -> Iterator[Expr]:
        """This node and every node below it, outermost first."""
        yield self
        for arg in self.args:
            if isinstance(arg, Expr):
                yield from arg.walk()

    @property
    def constant(self) -> str | int | bool | None:
        """The value of a literal; None for everything else."""
        value = self.args[0] if self.op == "lit" else None
        return None if isinstance(value, Expr) else value


@dataclass(frozen=True, slots=True)
class HookCall:
    """`name(args)`."""

    name: str
    args: tuple[Expr, ...] = ()


def parse_value(scalar: Scalar) -> Expr:
    """A value. A quoted scalar is text, a plain one an expression.

    Raises:
        Fault: it cannot be read; the offset points into the text of the scalar.
    """
    if scalar.quoted:
        return parse_template(scalar.text)
    reader = _Reader(scalar.text, "SF112")
    value = reader.value()
    reader.finish()
    return value


def parse_condition(scalar: Scalar | str) -> Expr:
    """A condition; quotes around the whole of it change nothing.

    Raises:
        Fault: it cannot be read.
    """
    reader = _Reader(scalar if isinstance(scalar, str) else scalar.text, "SF113")
    condition = reader.condition()
    reader.finish()
    return condition


def parse_call(scalar: Scalar | str) -> HookCall:
    """A hook with its arguments; a bare name is a call without arguments.

    Raises:
        Fault: it cannot be read.
    """
    text = scalar if isinstance(scalar, str) else scalar.text
    match = _CALL.match(text)
    if match is None:
        raise Fault("SF114", f"'{text.strip()}' is not a hook call", help="write `hook(value, value)`")
    name = match[1]
    if not _NAME.fullmatch(name):
        raise Fault(
            "SF114",
            f"'{name}' is not a hook name",
            help="declare the hook under `hooks` and call it by that name",
            offset=match.start(1),
            length=len(name),
        )
    reader = _Reader(text, "SF114", match.end())
    args = reader.arguments() if match[2] else ()
    reader.finish()
    return HookCall(name, args)


def parse_template(text: str, offset: int = 0, *, spoken: bool = False) -> Expr:
    """Text with `{name}` in it: a literal when nothing is inserted, else `["text", parts]`.

    `spoken` allows `{name as digits}`. `offset` is where the text starts in what the author wrote.

    Raises:
        Fault: a brace has no partner, or what stands between them is no reference.
    """
    parts: list[Expr | str] = []
    constant = ""
    at = 0
    while (brace := _INSERT.search(text, at)) is not None:
        constant += text[at : brace.start()]
        at = brace.end()
        if brace[0] in ("{{", "}}"):
            constant += brace[0][0]
            continue
        if brace[0] == "}":
            raise Fault(
                "SF115",
                "'}' closes nothing",
                label="no '{' in front of it",
                help="write }} to mean the character",
                offset=offset + brace.start(),
                length=1,
            )
        close = text.find("}", at)
        if close < 0:
            raise Fault(
                "SF115",
                "'{' is never closed",
                label="no '}' behind it",
                help="write {{ to mean the character",
                offset=offset + brace.start(),
                length=1,
            )
        if constant:
            parts.append(constant)
        constant = ""
        parts.append(_place(text[at:close], offset + at, spoken))
        at = close + 1
    constant += text[at:]
    if not parts:
        return Expr("lit", (constant,))
    if constant:
        parts.append(constant)
    return Expr("text", tuple(parts))


def _place(inside: str, offset: int, spoken: bool) -> Expr:
    """What stands between two braces."""
    match = _PLACE.fullmatch(inside)
    if match is None:
        raise Fault(
            "SF115",
            f"'{{{inside}}}' is not the name of a value",
            help="write {name}, or {{ to mean the character",
            offset=offset - 1,
            length=len(inside) + 2,
        )
    reader = _Reader(match["ref"], "SF115")
    try:
        value = reader.reference()
        reader.finish()
    except Fault as fault:
        raise fault.moved(offset + match.start("ref")) from None
    how = match["how"]
    if how is None:
        return value
    if how not in SPOKEN_AS:
        raise Fault(
            "SF115",
            f"nothing can be spoken as '{how}'",
            help=did_you_mean(how, SPOKEN_AS) or f"write one of {', '.join(SPOKEN_AS)}",
            offset=offset + match.start("how"),
            length=len(how),
        )
    if not spoken:
        raise Fault(
            "SF115",
            f"'as {how}' works only in words that are spoken",
            help=f"write {{{match['ref']}}}",
            offset=offset - 1,
            length=len(inside) + 2,
        )
    return Expr("as", (how, value))


def parse_duration(text: str, offset: int = 0) -> int:
    """Milliseconds of `25s`, `1500ms`, `2m` or `1h`.

    Raises:
        Fault: there is no unit, a fraction, or more than a day.
    """
    match = _DURATION_TEXT.fullmatch(text)
    if match:
        ms = int(match[1]) * _UNITS[match[2]]
        if ms <= MAX_DURATION_MS:
            return ms
        help_ = "write at most 24h"
    elif re.fullmatch(r"[0-9]{1,9}", text):
        help_ = f"write {text}s for seconds or {text}ms for milliseconds"
    elif fraction := re.fullmatch(r"([0-9]{1,5})\.([0-9]{1,3})\s*s(?:ec\w*)?", text):
        help_ = f"write {int(fraction[1]) * 1000 + int(fraction[2].ljust(3, '0'))}ms"
    elif words := re.fullmatch(r"([0-9]{1,9})\s*(milli|ms|s|m|h)[a-z]*", text):
        help_ = f"write {words[1]}{words[2].replace('milli', 'ms')}"
    else:
        help_ = "write a whole number with ms, s, m or h, such as 25s"
    label = "no unit" if text.isascii() and text.isdecimal() else ""
    raise Fault("SF109", f"'{text}' is not a duration", label=label, help=help_, offset=offset, length=len(text))


class _Reader:
    """Reads one line of expression text from left to right."""

    def __init__(self, text: str, code: str, at: int = 0) -> None:
        self.text = text
        self.code = code
        self.at = at

    def fault(self, message: str, help_: str, at: int | None = None, length: int = 1, label: str = "") -> Fault:
        where = self.at if at is None else at
        return Fault(self.code, message, label=label, help=help_, offset=where, length=max(1, length))

    def text_fault(self, word: str, at: int) -> Fault:
        """Something that can only be meant as text."""
        return self.fault(
            f"'{_short(word)}' is not a value", f'quote it to mean the text: "{_short(word)}"', at, len(word)
        )

    def skip(self) -> None:
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def word(self) -> str:
        """The next word or sign, without taking it."""
        self.skip()
        match = _WORD.match(self.text, self.at)
        return match[0] if match else ""

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self.skip()
        match = pattern.match(self.text, self.at)
        if match:
            self.at = match.end()
        return match

    def sign(self, sign: str) -> bool:
        self.skip()
        if self.text.startswith(sign, self.at):
            self.at += len(sign)
            return True
        return False

    def finish(self) -> None:
        """Nothing may be left over."""
        word = self.word()
        if not word:
            return
        rest = self.text[self.at :].strip()
        foreign = _FOREIGN_TOKEN.match(self.text, self.at)
        if foreign and self.code == "SF113":
            raise self.fault(
                f"'{foreign[0]}' is not an operator here", f"write `{_FOREIGN[foreign[0]]}`", length=len(foreign[0])
            )
        if word in ("and", "or"):
            raise self.fault(
                "'and' and 'or' cannot be mixed",
                "use `and` only or `or` only; several cases of `choose` say the rest",
                length=len(word),
            )
        help_ = "remove it"
        if self.code == "SF112":
            help_ = f'quote it to mean the text: "{_short(self.text.strip())}"'
        if self.code == "SF114" and "(" not in self.text:
            help_ = f"put the values in brackets: {self.text.split()[0]}(value, value)"
        raise self.fault(f"'{_short(rest)}' is left over", help_, length=len(rest), label="not expected here")

    # values

    def value(self) -> Expr:
        start = self.at
        first = self.operand()
        self.skip()
        sign = self.text[self.at : self.at + 1]
        if sign not in ("+", "-") or not sign:
            return first
        at = self.at
        self.at += 1
        number = self.take(_NUMBER)
        if number is None or number[0].startswith("-") or first.op in ("lit", "text", "unset"):
            self.at = start
            self.skip()
            word = _UNSPACED.match(self.text, self.at)
            if word and word.end() > at + 1:  # en-US, 2026-12-24, sales-desk
                raise self.text_fault(word[0], self.at)
            raise self.fault(f"'{sign}' stands between a variable and a whole number", "write `n + 1`", at)
        return Expr(sign, (first, int(number[0])))

    def operand(self) -> Expr:
        """A literal or a reference."""
        self.skip()
        at = self.at
        if at >= len(self.text):
            raise self.fault("a value is missing here", "write a variable, a number or text in quotes", at)
        if (string := self.take(_STRING)) is not None:
            return self.string(string)
        if self.text[at] in "\"'":
            raise self.fault(
                "the quote is never closed",
                "close it; where the text has ` #` or `: `, put the whole expression in single quotes",
                at,
                len(self.text) - at,
            )
        if (plus := self.take(_PLUS_NUMBER)) is not None:
            return Expr("lit", (check_phone(plus[0], at),))
        if (duration := self.take(_DURATION)) is not None:
            return Expr("lit", (parse_duration(duration[0], at),))
        if (number := self.take(_NUMBER)) is not None:
            return Expr("lit", (self.number(number[0], at),))
        return self.reference()

    def string(self, match: re.Match[str]) -> Expr:
        if match[1] is not None:
            return parse_template(re.sub(r"\\(.)", r"\1", match[1]), match.start() + 1)
        return parse_template(match[2].replace("''", "'"), match.start() + 1)

    def number(self, text: str, at: int) -> int:
        digits = text.lstrip("-")
        if len(digits) > 1 and digits[0] == "0":
            raise self.fault(
                f"as a number {text} would lose its leading zero", f'write "{text}" in quotes', at, len(text)
            )
        if len(digits) > NUMBER_DIGITS:
            raise self.fault(
                f"the number has more than {NUMBER_DIGITS} digits", "write it in quotes to mean text", at, len(text)
            )
        return int(text)

    def reference(self) -> Expr:
        self.skip()
        at = self.at
        match = self.take(_REFERENCE)
        if match is None:
            foreign = _FOREIGN_TOKEN.match(self.text, at)
            word = foreign[0] if foreign else self.word()
            if word == "(":
                raise self.fault("there are no brackets in expressions", "remove them", at)
            if foreign:
                raise self.fault(f"'{word}' is not an operator here", f"write `{_FOREIGN[word]}`", at, len(word))
            whole = _UNSPACED.match(self.text, at)
            if not word:
                raise self.fault("a value is missing here", "write a variable, a number or text in quotes", at)
            raise self.text_fault(whole[0] if whole else word, at)
        if match["header"]:
            return Expr("header", (match["header"].lower(),))
        if match["root"]:
            return self.live(match["root"], match["path"], at, match[0])
        name, field = match["name"], match["field"]
        if field is not None:
            return Expr("var", (name, field))
        if name in ("true", "false"):
            return Expr("lit", (name == "true",))
        if name in ("A", "B"):
            return Expr("lit", (name,))
        if name == "unset":
            return Expr("unset")
        if name in ("and", "or", "not", "is", "in"):
            raise self.fault(f"a value is missing in front of '{name}'", "write a variable", at, len(name))
        if name in ("env", "call", "bot", "key"):
            example = {"env": "env.NAME", "call": "call.from", "bot": "bot.intent", "key": "key.digits"}[name]
            raise self.fault(f"'{name}' alone is not a value", f"write `{example}`", at, len(name))
        return Expr("var", (name,))

    def live(self, root: str, path: str, at: int, whole: str) -> Expr:
        """`env.NAME`, `call.from`, `bot.slots.City`, `key.digits`."""
        if root == "env":
            if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", path):
                return Expr("env", (path,))
            raise self.fault(
                f"'{path}' is not the name of an environment value",
                "use letters, digits and underscores",
                at,
                len(whole),
            )
        first, _, second = path.partition(".")
        known = {"call": CALL_FIELDS, "bot": BOT_FIELDS, "key": KEY_FIELDS}[root]
        if first in known and not second:
            return Expr(root, (first,))
        if root == "bot" and first in ("slots", "attributes"):
            return Expr("bot", (first, second))
        if root == "call" and first == "headers":
            raise self.fault("a header has one name", "write `call.headers.x-name`", at, len(whole))
        close = first if second and first in known else nearest(first, known)
        help_ = f"did you mean '{root}.{close}'?" if close else f"{root} has {', '.join(known)}"
        raise self.fault(f"there is no '{whole}'", help_, at, len(whole))

    # conditions

    def condition(self) -> Expr:
        clauses = [self.clause()]
        word = self.word()
        if word not in ("and", "or"):
            return clauses[0]
        while self.word() == word:
            self.at += len(word)
            clauses.append(self.clause())
        return Expr(word, tuple(clauses))

    def clause(self) -> Expr:
        if self.word() == "not":
            self.skip()
            at = self.at
            self.at += 3
            inner = self.reference_only(at)
            if self.take(_OPERATOR):
                raise self.fault("'not' stands in front of a value, not of a comparison", "write `x is not y`", at, 3)
            return Expr("not", (inner,))
        self.skip()
        start = self.at
        if self.text[start : start + 1] in ("'", '"') or self.text[start : start + 1].isdigit():
            raise self.fault("a comparison starts with a variable", 'write `x is "text"`', start, len(self.word()))
        left = self.reference_only(start)
        operator = self.take(_OPERATOR)
        if operator is None:
            return left
        op = " ".join(operator[0].split())
        if op in ("in", "starts with"):
            return Expr(op, (left, *self.members()))
        self.skip()
        at = self.at
        right = self.value()
        if right.op == "unset":
            shown = self.text[start : operator.start()].strip()
            good = f"not {shown}" if op == "is" else shown
            raise self.fault("nothing can be compared with unset", f"write `{good}`", at, 5)
        return Expr(op, (left, right))

    def reference_only(self, at: int) -> Expr:
        found = self.reference()
        if found.op in ("lit", "unset"):
            raise self.fault(
                "a condition starts with a variable", "write a variable, `env.NAME` or `call.*`", at, self.at - at
            )
        return found

    def members(self) -> tuple[Expr, ...]:
        """What may follow `in` and `starts with`: a list, text with commas, or one value."""
        if self.sign("["):
            return self.arguments("]")
        only = self.value()
        if only.op == "lit" and isinstance(only.args[0], str):
            pieces = [piece.strip() for piece in only.args[0].split(",")]
            return tuple(Expr("lit", (piece,)) for piece in pieces if piece) or (only,)
        return (only,)

    # calls

    def arguments(self, close: str = ")") -> tuple[Expr, ...]:
        """Values up to the closing bracket; the opening one is taken."""
        opened = self.at - 1
        values: list[Expr] = []
        if self.sign(close):
            return ()
        while True:
            if self.word() in (",", close):
                raise self.fault("a value is missing here", "write a value between the commas")
            if not self.word():
                raise self.fault(
                    f"'{self.text[opened]}' is never closed", f"close it with {close}", opened, len(self.text) - opened
                )
            values.append(self.value())
            if self.sign(close):
                return tuple(values)
            if not self.sign(","):
                word = self.word()
                if not word:
                    raise self.fault(
                        f"'{self.text[opened]}' is never closed",
                        f"close it with {close}",
                        opened,
                        len(self.text) - opened,
                    )
                raise self.fault(
                    f"'{word}' is not expected here",
                    f'separate values with commas, quote text, end with "{close}"',
                    self.at,
                    len(word),
                )


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
