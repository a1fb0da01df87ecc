"""The fields of the models: how one YAML value becomes one value of the language.

The models are given maps, lists and `Scalar` leaves. Each field type below reads one of these and raises a `Fault` in
the words of the author. Where a field may be written in several shapes (one value, a list, a map) the shape decides,
so that every fault belongs to exactly one place; the tags by which pydantic tells the shapes apart start with NUL,
which no file can contain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, GetPydanticSchema
from pydantic_core import CoreSchema, core_schema

from sma_flows.flow import values
from sma_flows.flow.diagnostics import Fault
from sma_flows.flow.expressions import (
    Expr,
    HookCall,
    parse_call,
    parse_condition,
    parse_duration,
    parse_template,
    parse_value,
)
from sma_flows.flow.nodes import Scalar
from sma_flows.flow.types import Type, parse_type

__all__ = ["TAG", "Connector", "PromptItem"]

TAG: Final = "\0"
"""First character of path steps that exist in the models but not in the file."""
SHAPES: Final = {"scalar": "one value", "list": "a list", "map": "a map"}

T = TypeVar("T")
Json: TypeAlias = dict[str, Any]
_TEXT: Final[Json] = {"type": ["string", "number", "boolean"]}


@dataclass(frozen=True, slots=True)
class PromptItem:
    """One thing to be heard: the `name` of a prompt or variable, or a literal `template`."""

    kind: Literal["name", "text"]
    name: str = ""
    template: Expr | None = None


@dataclass(frozen=True, slots=True)
class Connector:
    """A user behind a Voice Connector."""

    connector: Expr
    user: Expr


def shape_of(value: object) -> str:
    """`scalar`, `list` or `map`."""
    if isinstance(value, dict):
        return "map"
    return "list" if isinstance(value, list) else "scalar"


def text_of(value: object) -> Scalar:
    """The scalar that a field of one value needs.

    Raises:
        Fault: there is a map or a list, or nothing; `{field}` in the message is filled in by the parser.
    """
    if not isinstance(value, Scalar):
        raise Fault("SF103", f"{{field}} takes one value, not {SHAPES[shape_of(value)]}", at_key=True)
    if not value.text and not value.quoted:
        raise Fault("SF104", "{field} has no value", at_key=True)
    return value


def leaf(read: Callable[[Scalar], Any], schema: Json | None = None) -> GetPydanticSchema:
    """A field of one value."""

    def validate(value: object) -> object:
        return read(text_of(value))

    return _marker(lambda _handler: core_schema.no_info_plain_validator_function(validate), schema or _TEXT)


def word(read: Callable[[str], Any], schema: Json | None = None) -> GetPydanticSchema:
    """A field of one value of which only the text counts."""
    return leaf(lambda scalar: read(scalar.text), schema)


def key(read: Callable[[str], str], pattern: str = "") -> GetPydanticSchema:
    """The key of a map."""

    def validate(value: object) -> str:
        try:
            return read(str(value))
        except Fault as fault:
            fault.at_key = True
            raise

    schema: Json = {"type": "string", **({"pattern": pattern} if pattern else {})}
    return _marker(lambda _handler: core_schema.no_info_plain_validator_function(validate), schema)


def shaped(
    *, scalar: Any = None, list_: Any = None, map_: Any = None, then: Callable[[Any], Any] | None = None
) -> GetPydanticSchema:
    """A field that may be written in several shapes, each with its own type; `then` finishes the value."""
    types = {name: each for name, each in (("scalar", scalar), ("list", list_), ("map", map_)) if each is not None}

    def build(handler: GetCoreSchemaHandler) -> CoreSchema:
        choices = {TAG + name: handler.generate_schema(each) for name, each in types.items()}

        def choose(value: object) -> str:
            shape = shape_of(value)
            if shape not in types and shape == "scalar":
                text_of(value)
            return TAG + shape

        def check(value: object, inner: core_schema.ValidatorFunctionWrapHandler) -> object:
            shape = shape_of(value)
            if shape not in types:
                if shape == "scalar":
                    text_of(value)
                takes = " or ".join(SHAPES[name] for name in types)
                raise Fault("SF103", f"{{field}} takes {takes}, not {SHAPES[shape]}", at_key=True)
            found = inner(value)
            return then(found) if then else found

        union = core_schema.tagged_union_schema(choices, choose)
        return core_schema.no_info_wrap_validator_function(check, union)

    return GetPydanticSchema(lambda _source, handler: build(handler))


def _marker(build: Callable[[GetCoreSchemaHandler], CoreSchema], schema: Json) -> GetPydanticSchema:
    def json_schema(_core: CoreSchema, _handler: GetJsonSchemaHandler) -> Json:
        return dict(schema)

    return GetPydanticSchema(lambda _source, handler: build(handler), json_schema)


# One value


def _prompt_item(scalar: Scalar) -> PromptItem:
    if scalar.quoted:
        return PromptItem("text", template=parse_template(scalar.text, spoken=True))
    if re.fullmatch(r"[a-z][a-z0-9_]*", scalar.text) and len(scalar.text) <= 40:
        return PromptItem("name", scalar.text)
    if re.search(r"[\s.,!?{]", scalar.text):
        raise Fault(
            "SF132",
            f"'{scalar.text[:60]}' is neither the name of a prompt nor text in quotes",
            label="literal text needs quotes",
            help="put the words into the prompt catalogue and write their key, or put them in quotes",
        )
    return PromptItem("name", values.check_name(scalar.text, "prompt"))


def _target(text: str) -> str:
    return text if text in ("hangup", "back") else values.check_name(text, "state")


def _flow_name(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", text):
        return text
    better = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:64] or "my-flow"
    raise Fault(
        "SF108",
        f"'{text[:60]}' cannot be the name of a flow",
        help=f"use letters, digits and dashes, such as '{better}'",
        length=len(text),
    )


def _switch(text: str) -> bool:
    return values.check_word(text, ("on", "off"), "a switch") == "on"


def _intent(text: str) -> str:
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,99}", text):
        return text
    raise Fault("SF108", f"'{text[:60]}' cannot be the name of an intent", help="use letters, digits, _ and -")


def _pattern(text: str) -> str:
    """A regular expression over the digits that were pressed."""
    if len(text) > 200:
        raise Fault("SF133", "the pattern is longer than 200 characters", help="write a shorter one")
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise Fault(
            "SF133",
            f"the pattern cannot be read: {error}",
            help="write a regular expression over 0-9, such as ^1[0-9]{4}$",
        ) from None
    return text


def _bot_result(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"(slots|attributes)\.([A-Za-z_][A-Za-z0-9_-]*)", text)
    if match is None:
        raise Fault(
            "SF118",
            f"'{text[:60]}' is no result of a conversation",
            help="write slots.NAME or attributes.NAME",
            length=len(text),
        )
    return match[1], match[2]


def _python(text: str) -> str:
    if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", text, re.ASCII):
        return text
    raise Fault(
        "SF131",
        f"'{text[:80]}' does not name a Python function",
        help="write `package.module:function`",
        length=len(text),
    )


def _version(kind: str) -> Callable[[str], int]:
    def read(text: str) -> int:
        if text == "1":
            return 1
        raise Fault(
            "SF017",
            f"version '{text[:20]}' of `{kind}` files is not known here",
            label="not a version that this program reads",
            help=f"write `{kind}: 1`",
            length=len(text),
        )

    return read


def _sequence_of(scalar: Scalar) -> str:
    return values.check_key(scalar.text, sequence=False)


def count(low: int, high: int, what: str) -> GetPydanticSchema:
    """A whole number in a range."""
    return word(
        lambda text: values.check_count(text, low, high, what), {"type": "integer", "minimum": low, "maximum": high}
    )


def one_of(words: Sequence[str], what: str) -> GetPydanticSchema:
    """One of a closed list of words."""
    return word(lambda text: values.check_word(text, words, what), {"enum": list(words)})


def leg_of(*words: str) -> GetPydanticSchema:
    """A leg word of these, or a leg variable."""
    return word(lambda text: values.check_leg(text, words), {"type": "string"})


def version(kind: str) -> GetPydanticSchema:
    """The first line of a file."""
    return word(_version(kind), {"const": 1})


_NAME_PATTERN: Final = "^[a-z][a-z0-9_]{0,39}$"

Text: TypeAlias = Annotated[str, word(str)]
Name: TypeAlias = Annotated[str, word(values.check_name, {"type": "string", "pattern": _NAME_PATTERN})]
StateName: TypeAlias = Annotated[
    str, word(lambda text: values.check_name(text, "state"), {"type": "string", "pattern": _NAME_PATTERN})
]
VarName: TypeAlias = Annotated[
    str, word(lambda text: values.check_name(text, "variable"), {"type": "string", "pattern": _NAME_PATTERN})
]
Target: TypeAlias = Annotated[str, word(_target, {"type": "string", "pattern": _NAME_PATTERN})]
FlowName: TypeAlias = Annotated[str, word(_flow_name, {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9-]{0,63}$"})]
Value: TypeAlias = Annotated[Expr, leaf(parse_value)]
Condition: TypeAlias = Annotated[Expr, leaf(parse_condition, {"type": "string"})]
Call: TypeAlias = Annotated[HookCall, leaf(parse_call, {"type": "string"})]
Prefix: TypeAlias = Annotated[Expr, word(values.parse_prefix, {"type": ["string", "number"]})]
Duration: TypeAlias = Annotated[int, word(parse_duration, {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"})]
VarType: TypeAlias = Annotated[Type, word(parse_type, {"type": "string"})]
PlainType: TypeAlias = Annotated[Type, word(lambda text: parse_type(text, initial=False), {"type": "string"})]
Switch: TypeAlias = Annotated[bool, word(_switch, {"enum": ["on", "off", True, False]})]
Pattern: TypeAlias = Annotated[str, word(_pattern, {"type": "string"})]
Intent: TypeAlias = Annotated[str, word(_intent, {"type": "string"})]
BotResult: TypeAlias = Annotated[tuple[str, str], word(_bot_result, {"type": "string"})]
PythonName: TypeAlias = Annotated[str, word(_python, {"type": "string"})]
Zone: TypeAlias = Annotated[str, word(values.check_zone, {"type": "string"})]
Locale: TypeAlias = Annotated[str, word(values.check_locale, {"type": "string"})]
VisitsField: TypeAlias = Annotated[values.Visits, word(values.parse_visits)]
TakeField: TypeAlias = Annotated[values.Take, word(values.parse_take, {"type": "string"})]
RangeField: TypeAlias = Annotated[values.Range, word(values.parse_range, {"type": "string"})]
OutcomeName: TypeAlias = Annotated[str, word(values.check_outcome, {"type": "string", "pattern": _NAME_PATTERN})]

# Keys of maps

VarKey: TypeAlias = Annotated[str, key(lambda text: values.check_name(text, "variable"), _NAME_PATTERN)]
StateKey: TypeAlias = Annotated[str, key(lambda text: values.check_name(text, "state"), _NAME_PATTERN)]
HookKey: TypeAlias = Annotated[str, key(lambda text: values.check_name(text, "hook"), _NAME_PATTERN)]
NameKey: TypeAlias = Annotated[str, key(values.check_name, _NAME_PATTERN)]
PromptKey: TypeAlias = Annotated[str, key(lambda text: values.check_name(text, "prompt"), _NAME_PATTERN)]
OutcomeKey: TypeAlias = Annotated[str, key(values.check_outcome, _NAME_PATTERN)]
AnyKey: TypeAlias = Annotated[str, key(str)]
LocaleKey: TypeAlias = Annotated[str, key(values.check_locale)]


def _set_key(text: str) -> str:
    return text if text == "call.locale" else values.check_name(text, "variable")


SetKey: TypeAlias = Annotated[str, key(_set_key)]
PhoneKey: TypeAlias = Annotated[str, key(lambda text: values.check_key(text, any_digit=True))]

# Several values


def _rules(limits: Mapping[str, tuple[values.Limit, ...]]) -> tuple[values.Limit, ...]:
    return tuple(replace(rule, outcome=outcome) for outcome, rules in limits.items() for rule in rules)


def _single(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def many(item: Any) -> GetPydanticSchema:
    """One value or a list of them, as a tuple."""
    return shaped(scalar=item, list_=tuple[item, ...], then=_single)


_Item: TypeAlias = Annotated[PromptItem, leaf(_prompt_item, {"type": "string"})]
_Rule: TypeAlias = Annotated[values.Limit, word(lambda text: values.parse_limit(text, ""), {"type": "string"})]
_Rules: TypeAlias = Annotated[tuple[values.Limit, ...], many(_Rule)]
_Key: TypeAlias = Annotated[str, leaf(_sequence_of)]


def _plain_name(name: str) -> dict[str, str]:
    return {"": name}


def _next(value: object) -> object:
    return value if isinstance(value, dict) else _plain_name(str(value))


def _results(value: Any) -> dict[str, dict[str, Type]]:
    return value if isinstance(value, dict) else {name: {} for name in value}


Prompt: TypeAlias = Annotated[tuple[PromptItem, ...], many(_Item)]
Keys: TypeAlias = Annotated[tuple[str, ...], many(_Key)]
Next: TypeAlias = Annotated[dict[str, str], shaped(scalar=Target, map_=dict[AnyKey, Target], then=_next)]
KeyTargets: TypeAlias = Annotated[dict[str, str], shaped(map_=dict[PhoneKey, Target])]
Limits: TypeAlias = Annotated[tuple[values.Limit, ...], shaped(map_=dict[AnyKey, _Rules], then=_rules)]
Cases: TypeAlias = Annotated[Expr | dict[str, Expr], shaped(scalar=Value, map_=dict[OutcomeKey, Condition])]
Attributes: TypeAlias = Annotated[Expr | dict[str, Expr], shaped(scalar=Value, map_=dict[AnyKey, Value])]
Outcomes: TypeAlias = Annotated[
    dict[str, dict[str, Type]],
    shaped(list_=tuple[OutcomeName, ...], map_=dict[OutcomeKey, dict[VarKey, PlainType]], then=_results),
]
Ranges: TypeAlias = Annotated[tuple[values.Range, ...], many(RangeField)]
Names: TypeAlias = Annotated[tuple[str, ...], many(Name)]
Intents: TypeAlias = Annotated[tuple[str, ...], many(Intent)]
