"""Values at run time: expressions become closures, results of the world are checked against their types."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sma_flows.errors import PlanError
from sma_flows.protocol.events import as_int
from sma_flows.runtime.ask import same_text

if TYPE_CHECKING:
    from sma_flows.runtime.frame import Frame

Value = Callable[["Frame"], Any]
"""A compiled expression."""

_SAY_AS: Final[Mapping[str, str]] = {
    "digits": '<say-as interpret-as="digits">{}</say-as>',
    "number": '<say-as interpret-as="cardinal">{}</say-as>',
    "date": '<say-as interpret-as="date" format="ymd">{}</say-as>',
    "time": "{}",
    "letters": '<say-as interpret-as="characters">{}</say-as>',
}
"""How Polly is told to read a value. Times such as 17:30 are read well without a mark."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def escape(text: str) -> str:
    """Text as content of SSML. Of our own because the one of the standard library loads an HTTP client."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clean(text: str) -> str:
    """Text without characters that XML, and so Polly, refuses."""
    return _CONTROL.sub("", text) if not text.isprintable() else text


def show(value: object) -> str:
    """A value as words: unset is nothing, booleans are true and false."""
    if value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return value if isinstance(value, str) else str(value)


def say_as(style: str, value: object) -> str:
    """A value with its reading mark, escaped for SSML."""
    text = show(value)
    if style == "digits":
        text = re.sub(r"[^0-9]", "", text) or text
    elif style == "date":
        text = text.replace("-", "")
    return _SAY_AS[style].format(escape(clean(text))) if text else ""


def compile_value(expr: Sequence[Any], env: Mapping[str, str]) -> Value:
    """Turn an expression of the plan into a closure.

    Raises:
        PlanError: an operation this version does not know, or a missing environment value.
    """
    op = expr[0]
    if op == "lit":
        literal = expr[1]
        return lambda _f: literal
    if op == "unset":
        return lambda _f: None
    if op == "var":
        name = expr[1]
        if len(expr) == 2:
            return lambda f: f.vars.get(name)
        field = expr[2]
        return lambda f: _field(f.vars.get(name), field)
    if op == "env":
        setting = env.get(expr[1])
        return lambda _f: setting
    if op == "call":
        return _CALL[expr[1]]
    if op == "header":
        header = expr[1].lower()
        return lambda f: f.header(header)
    if op == "key":
        name = f"key.{expr[1]}"
        return lambda f: f.vars.get(name)
    if op == "bot":
        name = f"bot.{expr[1]}"
        if len(expr) == 2:
            return lambda f: f.vars.get(name)
        part = expr[2]
        return lambda f: _field(f.vars.get(name), part)
    if op in ("+", "-"):
        left, amount = compile_value(expr[1], env), expr[2] if op == "+" else -expr[2]
        return lambda f: _add(left(f), amount)
    if op == "text":
        return compile_text(expr[1], env)
    return compile_condition(expr, env)


def compile_text(
    parts: Sequence[Any], env: Mapping[str, str], *, ssml: bool = False, prompts: frozenset[str] = frozenset()
) -> Callable[[Frame], str]:
    """A text with inserted values. Constants are taken as they are; in SSML inserted values are escaped.

    *prompts* names the variables that hold a prompt's name: the words of that prompt are inserted, not its name.
    """
    pieces: list[str | Value] = []
    for part in parts:
        if isinstance(part, str):
            pieces.append(part)
        elif part[0] == "as":
            pieces.append(_spoken(part[1], compile_value(part[2], env), ssml=ssml))
        else:
            named = part[0] == "var" and len(part) == 2 and part[1] in prompts
            pieces.append(_inserted(compile_value(part, env), ssml=ssml, named=named))
    if all(isinstance(piece, str) for piece in pieces):
        constant = "".join(piece for piece in pieces if isinstance(piece, str))
        return lambda _f: constant
    return lambda f: "".join([piece if isinstance(piece, str) else piece(f) for piece in pieces])


def _spoken(style: str, value: Value, *, ssml: bool) -> Value:
    if ssml:
        return lambda f: say_as(style, value(f))
    return lambda f: show(value(f))


def _inserted(value: Value, *, ssml: bool, named: bool) -> Value:
    if named:
        return lambda f: f.prompt_words(value(f), ssml=ssml)
    if ssml:
        return lambda f: escape(clean(show(value(f))))
    return lambda f: clean(show(value(f)))


def _field(value: object, name: str) -> Any:
    if not isinstance(value, dict):
        return None
    return value.get(name)


def _add(value: object, amount: int) -> int | None:
    number = as_int(value) if not isinstance(value, bool) else None
    return None if number is None else number + amount


_CALL: Final[Mapping[str, Value]] = {
    "id": lambda f: f.event.transaction,
    "from": lambda f: f.event.leg_a.text("From") or None if f.event.leg_a else None,
    "to": lambda f: f.event.leg_a.text("To") or None if f.event.leg_a else None,
    "direction": lambda f: f.direction,
    "locale": lambda f: f.locale(),
    "answered": lambda f: "a" in f.call.flags,
    "ended_by": lambda f: f.ended_by,
    "hangup_code": lambda f: f.hangup_code,
    "user_to_user": lambda f: f.user_to_user(),
}


def compile_condition(expr: Sequence[Any], env: Mapping[str, str]) -> Value:
    """A condition as closure giving true or false.

    Raises:
        PlanError: an operation this version does not know.
    """
    op = expr[0]
    if op in ("and", "or"):
        clauses = [compile_condition(item, env) for item in expr[1:]]
        if op == "and":
            return lambda f: all(clause(f) for clause in clauses)
        return lambda f: any(clause(f) for clause in clauses)
    if op == "not":
        inner = compile_condition(expr[1], env)
        return lambda f: not inner(f)
    if op in ("is", "is not", "<", "<=", ">", ">="):
        left, right = compile_value(expr[1], env), compile_value(expr[2], env)
        compare = _COMPARE[f"secret {op}" if len(expr) > 3 else op]
        return lambda f: compare(left(f), right(f))
    if op in ("in", "starts with"):
        value = compile_value(expr[1], env)
        choices = [_choices(item, env) for item in expr[2]]
        test = _MEMBERS[f"secret {op}" if len(expr) > 3 else op]
        return lambda f: test(value(f), [choice(f) for choice in choices])
    if op in ("lit", "unset", "var", "env", "call", "header", "key", "bot", "+", "-", "text"):
        bare = compile_value(expr, env)
        return lambda f: (found := bare(f)) is not None and found is not False  # 0 is set
    raise PlanError(f"the plan uses the operation '{op}', which this version does not know: update sma-flows")


def _choices(expr: Sequence[Any], env: Mapping[str, str]) -> Value:
    """What may stand behind `in`: a text that is only known now means each of its pieces between commas.

    The compiler has split literal texts; what a literal still holds is meant as it is.
    """
    value = compile_value(expr, env)
    if expr[0] == "lit":
        return value

    def split(frame: Frame) -> Any:
        found = value(frame)
        if isinstance(found, str) and "," in found:
            return [piece for piece in map(str.strip, found.split(",")) if piece]
        return found

    return split


def _flat(values: Sequence[Any]) -> list[str]:
    out: list[str] = []
    for value in values:
        if isinstance(value, list):
            out.extend(show(item) for item in value if item is not None)
        elif value is not None:
            out.append(show(value))
    return out


def _in(value: object, choices: Sequence[Any]) -> bool:
    return value is not None and show(value) in _flat(choices)


def _starts(value: object, choices: Sequence[Any]) -> bool:
    return value is not None and show(value).startswith(tuple(_flat(choices)))


def _secret_in(value: object, choices: Sequence[Any]) -> bool:
    found = [value is not None and same_text(show(value), choice) for choice in _flat(choices)]
    return any(found)


def _secret_starts(value: object, choices: Sequence[Any]) -> bool:
    text = "" if value is None else show(value)
    found = [value is not None and same_text(text[: len(choice)], choice) for choice in _flat(choices)]
    return any(found)


def _equal(left: object, right: object) -> bool:
    return left is not None and right is not None and (left == right or show(left) == show(right))


def _differ(left: object, right: object) -> bool:
    return left is not None and right is not None and not _equal(left, right)


def _order(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(left: object, right: object) -> bool:
        if left is None or right is None:
            return False
        a, b = as_number(left), as_number(right)
        if a is not None and b is not None:
            return test(a, b)
        return test(show(left), show(right))

    return compare


def as_number(value: object) -> int | None:
    """A whole number, also from text with a sign; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,15}", value):
        return int(value)
    return None


_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "is": _equal,
    "is not": _differ,
    "secret is": lambda a, b: a is not None and b is not None and same_text(show(a), show(b)),
    "secret is not": lambda a, b: a is not None and b is not None and not same_text(show(a), show(b)),
    "<": _order(lambda a, b: a < b),
    "<=": _order(lambda a, b: a <= b),
    ">": _order(lambda a, b: a > b),
    ">=": _order(lambda a, b: a >= b),
}
_MEMBERS: Final[Mapping[str, Callable[[Any, Sequence[Any]], bool]]] = {
    "in": _in,
    "starts with": _starts,
    "secret in": _secret_in,
    "secret starts with": _secret_starts,
}

_PHONE = re.compile(r"\+[1-9][0-9]{1,14}")
_ASCII_DIGITS = re.compile(r"[0-9]*")


class MismatchError(ValueError):
    """A value from outside does not have its declared type. The message never holds the value."""


def coerce(kind: Mapping[str, Any], value: object) -> Any:
    """A value from outside as its declared type; None stays unset.

    Raises:
        MismatchError: wrong type, too long, too many: never a silent cut (decision 3).
    """
    if value is None:
        return None
    name = kind["t"]
    if name in ("text", "locale", "prompt", "audio"):
        return _text(kind, value)
    if name == "digits":
        text = value if isinstance(value, str) else ""
        if not text or not _ASCII_DIGITS.fullmatch(text) or not kind.get("min", 1) <= len(text) <= kind.get("max", 128):
            raise MismatchError("digits expected")
        return text
    if name == "number":
        number = as_number(value)
        if number is None or abs(number) >= 10**15:
            raise MismatchError("a whole number expected")
        return number
    if name == "boolean":
        if value in (True, "true"):
            return True
        if value in (False, "false"):
            return False
        raise MismatchError("true or false expected")
    if name == "phone":
        if isinstance(value, str) and _PHONE.fullmatch(value):
            return value
        raise MismatchError("a telephone number expected")
    if name in ("one_of", "leg"):
        words = kind.get("words") or ["A", "B"]
        if value in words:
            return value
        raise MismatchError("not one of the declared words")
    if name == "recording":
        return _recording(value)
    if name == "map":
        return _mapping(kind, value)
    if name == "list":
        if not isinstance(value, (list, tuple)) or len(value) > kind.get("max", 20):
            raise MismatchError("a list of at most the declared length expected")
        return [coerce(kind["item"], item) for item in value]
    raise MismatchError("unknown type")


def _text(kind: Mapping[str, Any], value: object) -> str:
    text = value if isinstance(value, str) else show(value) if isinstance(value, (int, bool)) else None
    if text is None or not kind.get("min", 0) <= _units(text) <= kind.get("max", 200):
        raise MismatchError("text of the declared length expected")
    return text


def _units(text: str) -> int:
    """Length in UTF-16 units: each takes at most 6 bytes of a saved call, which the proof of its size counts on."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _recording(value: object) -> dict[str, str]:
    if isinstance(value, Mapping):
        bucket, key = value.get("bucket"), value.get("key")
        if isinstance(bucket, str) and isinstance(key, str) and 0 < len(key) <= 1024 and 0 < len(bucket) <= 63:
            out = {"bucket": bucket, "key": key}
            if isinstance(value.get("ended_by"), str):
                out["ended_by"] = value["ended_by"][:1]
            return out
    raise MismatchError("a recording (bucket, key) expected")


def _mapping(kind: Mapping[str, Any], value: object) -> dict[str, str]:
    if (
        isinstance(value, Mapping)
        and all(isinstance(k, str) and (v is None or isinstance(v, str)) for k, v in value.items())
        and sum(len(k) + len(v or "") for k, v in value.items()) <= kind.get("max", 2000)
    ):
        return dict(value)
    raise MismatchError("a map of texts expected")
