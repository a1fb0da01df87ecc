"""Whatever an author saves: diagnostics or a model, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sma_flows.flow.codes import CODES
from sma_flows.flow.diagnostics import Fault, render_github, render_json, render_text
from sma_flows.flow.expressions import HookCall, parse_call, parse_condition, parse_template, parse_value
from sma_flows.flow.nodes import Scalar, Span, source_lines
from sma_flows.flow.source import PureParser, load_text
from sma_flows.flow.types import Type, parse_type

from .reading import DIAL_IN, PROMPTS, read

KINDS = st.sampled_from(["flow", "prompts", "bundle"])
BITS = st.sampled_from(
    [
        *"\t\n {}[]()#:*&!|>'\"%@`,-?=+.\\0",
        "\n  ",
        ": ",
        " #",
        "- ",
        "say: ",
        "next: x\n",
        "*x",
        "&x ",
        "!t ",
        "---\n",
        "\r\n",
        "\x00",
        "é",
        "\u2028",
        "<<: ",
        "{a: f(x, y)}",
        "states",
        "\ud800",
    ]
)


@st.composite
def mutated(draw: st.DrawFn, valid: str) -> str:
    """A valid text with a few cuts, copies and insertions."""
    text = valid
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        to = draw(st.integers(at, min(len(text), at + 40)))
        how = draw(st.sampled_from(["cut", "copy", "insert", "replace"]))
        bit = draw(BITS)
        if how == "cut":
            text = text[:at] + text[to:]
        elif how == "copy":
            where = draw(st.integers(0, len(text)))
            text = text[:where] + text[at:to] + text[where:]
        else:
            text = text[:at] + bit + (text[at:] if how == "insert" else text[to:])
    return text


def check(text: str, kind: str) -> None:
    """Diagnostics or a model; every diagnostic is complete, inside of the text, and can be shown in every way."""
    model, found = read(text, kind)
    errors = [one for one in found if one.severity == "error"]
    assert (model is None) <= bool(errors), "no model means that something was said"
    lines = source_lines(text.removeprefix("\ufeff"))
    for one in found:
        assert one.name == CODES[one.code].name
        assert one.message
        assert "{" not in one.message or "{" in text
        assert 1 <= one.span.line <= len(lines)
        assert 1 <= one.span.col <= len(lines[one.span.line - 1]) + 1
        assert (one.span.line, one.span.col) <= (one.span.end_line, one.span.end_col)
        assert "Scalar" not in one.message + one.help
    sources = {"case.yaml": text}
    assert render_text(found, sources).count("case.yaml:") >= len(found)
    assert len(json.loads(render_json(found, sources))) == len(found)
    assert render_github(found, sources).count("\n") == len(found)


@given(st.text(), KINDS)
def test_any_text_is_answered(text: str, kind: str) -> None:
    check(text, kind)


@given(st.lists(BITS, max_size=40).map("".join), KINDS)
def test_any_heap_of_yaml_signs_is_answered(text: str, kind: str) -> None:
    check(f"sma_{kind}: 1\n{text}", kind)


@settings(max_examples=300)
@given(mutated(DIAL_IN))
def test_any_mutation_of_a_flow_is_answered(text: str) -> None:
    check(text, "flow")


@given(mutated(PROMPTS))
def test_any_mutation_of_a_catalogue_is_answered(text: str) -> None:
    check(text, "prompts")


@settings(max_examples=200)
@given(st.one_of(mutated(DIAL_IN), mutated(PROMPTS), st.lists(BITS, max_size=12).map("".join)))
def test_where_both_parsers_read_a_text_they_read_the_same(text: str) -> None:
    fast, slow = load_text(text), load_text(text, parser=PureParser)
    if fast[0] is not None and slow[0] is not None:
        assert fast[0].root == slow[0].root
        assert fast[1] == slow[1]


def tree() -> st.SearchStrategy[Any]:
    """Values of any shape, as YAML in flow style."""
    leaf = st.sampled_from(["a", "1", "5s", '""', "", "env.X", "f(x)", '"{n}"', "back", "*", "say", "3 per call"])
    keys = st.sampled_from(
        ["say", "next", "keys", "retry", "times", "with", "1", "star", "run", "limit", "audio", "en-US"]
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
            st.dictionaries(keys, inner, max_size=3).map(
                lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
            ),
        ),
        max_leaves=6,
    )


FLOW_KEYS = [
    "name",
    "entry",
    "inputs",
    "outcomes",
    "gives",
    "prompts",
    "vars",
    "hooks",
    "schedules",
    "dial_policy",
    "updates",
    "defaults",
    "cleanup",
    "start",
    "states",
    "states.x",
    "hooks.x",
    "schedules.x",
    "updates.x",
]
STATE_KEYS = [
    "say",
    "play",
    "next",
    "visits",
    "leg",
    "locale",
    "keys",
    "listen",
    "key_gap",
    "retry",
    "timeout",
    "digit_gap",
    "times",
    "stop_on",
    "gather",
    "prompt",
    "finish_on",
    "pattern",
    "menu",
    "record",
    "max",
    "to",
    "silence",
    "beep",
    "record_call",
    "track",
    "into",
    "bridge",
    "caller_id",
    "ring_for",
    "ringback",
    "headers",
    "connected",
    "join_meeting",
    "token",
    "attendee",
    "mute",
    "who",
    "bot",
    "intents",
    "welcome",
    "attributes",
    "voice_focus",
    "send_digits",
    "tone",
    "wait",
    "run",
    "limit",
    "while",
    "at_most",
    "choose",
    "schedule",
    "take",
    "set",
    "use",
    "with",
    "return",
    "hangup",
]


@given(st.dictionaries(st.sampled_from(FLOW_KEYS), tree(), max_size=6))
def test_any_shape_under_the_keys_of_a_flow_is_answered(values: dict[str, str]) -> None:
    text = "sma_flow: 1\n"
    for key, value in values.items():
        outer, _, inner = key.partition(".")
        text += f"{outer}:\n  {inner}: {value}\n" if inner else f"{key}: {value}\n"
    check(text, "flow")


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(STATE_KEYS), tree(), max_size=5))
def test_any_shape_under_the_keys_of_a_state_is_answered(values: dict[str, str]) -> None:
    lines = "".join(f"    {key}: {value}\n" for key, value in values.items())
    check(f"sma_flow: 1\nname: x\nentry: inbound\nstart: x\nstates:\n  x:\n{lines}", "flow")


@given(
    st.dictionaries(
        st.sampled_from(["default", "locales", "prompts", "prompts.a", "locales.en-US"]), tree(), max_size=4
    )
)
def test_any_shape_under_the_keys_of_a_catalogue_is_answered(values: dict[str, str]) -> None:
    text = "sma_prompts: 1\n"
    for key, value in values.items():
        outer, _, inner = key.partition(".")
        text += f"{outer}:\n  {inner}: {value}\n" if inner else f"{key}: {value}\n"
    check(text, "prompts")


WORDS = st.lists(
    st.sampled_from(
        [
            "a",
            "b",
            "env.X",
            "call.from",
            "call.headers.x-a",
            "bot.slots.C",
            "key.leg",
            "not",
            "and",
            "or",
            "is",
            "in",
            "starts",
            "with",
            "<",
            "<=",
            "+",
            "-",
            "1",
            "007",
            '"t"',
            "'{n}'",
            '"{n',
            "as",
            'digits}"',
            "(",
            ")",
            "[",
            "]",
            ",",
            "f(",
            "{{",
            "}}",
            "+12065550150",
            "30s",
            "true",
            "unset",
            "A",
            "=",
            "==",
        ]
    ),
    max_size=9,
)


def refused(parse: Callable[[], Any]) -> Fault | None:
    """The fault, or None when something was read."""
    try:
        parse()
    except Fault as fault:
        return fault
    return None


@given(st.one_of(WORDS.map(" ".join), WORDS.map("".join), st.text(max_size=30)), st.booleans())
def test_any_expression_is_read_or_refused_at_a_place_inside_of_it(text: str, quoted: bool) -> None:
    scalar = Scalar(text, quoted, Span("t", 1, 1, 1, 1))
    for parse in (parse_value, parse_condition, parse_call, lambda each: parse_template(each.text, spoken=True)):
        fault = refused(lambda parse=parse: parse(scalar))
        if fault is None:
            result: Any = parse(scalar)
            assert isinstance(result, HookCall) or json.dumps(result.to_json())
        else:
            assert 0 <= fault.offset <= len(text)
            assert fault.code in CODES
            assert fault.help


SIZES = st.integers(1, 128)
TYPES = st.one_of(
    st.builds(lambda a, b: f"digits({min(a, b)}..{max(a, b)})", SIZES, SIZES),
    SIZES.map("digits({})".format),
    SIZES.map("text({})".format),
    st.sampled_from(["number", "boolean", "phone", "locale", "prompt", "leg", "audio", "recording", "one_of(a, b-c)"]),
)


@given(
    st.one_of(TYPES, st.builds(lambda n, t: f"list({n}, {t})", SIZES, TYPES)),
    st.sampled_from(["", "secret ", "masked "]),
)
def test_a_type_is_written_as_it_is_read(text: str, secrecy: str) -> None:
    kind = parse_type(secrecy + text)
    assert parse_type(str(kind)) == kind
    assert kind.worst_bytes > 0
    assert isinstance(kind, Type)


@given(st.text(max_size=30))
def test_any_type_is_read_or_refused_at_a_place_inside_of_it(text: str) -> None:
    fault = refused(lambda: parse_type(text))
    if fault is not None:
        assert 0 <= fault.offset <= len(text)
        assert fault.help
