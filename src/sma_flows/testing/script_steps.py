"""The steps of a call script: what each word may be given, and what that means as a plain value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sma_flows.flow.diagnostics import did_you_mean
from sma_flows.flow.nodes import Mapping_, Node, Scalar, Seq, Span
from sma_flows.testing.mistake import Mistake
from sma_flows.testing.script_parties import read_spoken
from sma_flows.testing.stubs import seconds

__all__ = [
    "EXAMPLES",
    "FAILING",
    "SAYING",
    "SITUATIONS",
    "STEP_KEYS",
    "Step",
    "entries",
    "plain",
    "read_counts",
    "read_map",
    "read_step",
    "shown",
]

STEP_KEYS: Final = (
    "hear", "press", "silence", "speak", "bot", "say_to_bot", "callee", "callee_press", "meeting", "update", "wait",
    "fail", "repeat", "hangup", "expect",
)  # fmt: skip
SITUATIONS: Final = ("in_meeting", "bridged", "recording", "on_hold", "hung_up")
"""What can be expected of a call at one moment, by word."""

SAYING: Final = ("say", "play", "gather", "menu")
"""Verbs whose actions say prompts."""

FAILING: Final = (
    *SAYING, "wait", "record", "bridge", "join_meeting", "bot", "mute", "voice_focus", "send_digits", "record_call",
    "hangup",
)  # fmt: skip
"""Verbs whose next action the service can be told to fail."""

CALLEE: Final = ("answers", "no_answer", "busy", "hangs_up")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a call: ``kind`` is its word, ``value`` what belongs to it as plain lists, maps and texts."""

    kind: str
    value: Any
    span: Span

    @property
    def where(self) -> str:
        """``file:line`` of the step."""
        return f"{self.span.file}:{self.span.line}"

    def __str__(self) -> str:
        return f"{self.kind}: {shown(self.value)}"


def shown(value: Any) -> str:
    """A plain value as an author would write it on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(shown, value)) + "]"
    return str(value)


def plain(node: Node) -> Any:
    """A node as maps, lists and texts."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Seq):
        return [plain(item) for item in node.items]
    return {key.text: plain(value) for key, value in node.entries}


def entries(node: Node | None) -> tuple[tuple[Scalar, Node], ...]:
    """The entries of a map; none of anything else."""
    return node.entries if isinstance(node, Mapping_) else ()


def read_map(node: Node | None, key: str) -> dict[str, Any]:
    """A map as plain values; nothing is an empty one.

    Raises:
        Mistake: it is something else.
    """
    if node is None:
        return {}
    if not isinstance(node, Mapping_):
        raise Mistake("SF503", node, f"'{key}' takes a map", EXAMPLES.get(key, "write {name: value}"))
    value: dict[str, Any] = plain(node)
    return value


def read_step(node: Node) -> Step:
    """One step of a script.

    Raises:
        Mistake: it is none, or cannot be that.
    """
    if not isinstance(node, Mapping_) or len(node.entries) != 1:
        raise Mistake("SF503", node, "a step is one word and what belongs to it", "write for example `- press: 123#`")
    key, value = node.entries[0]
    if key.text not in STEP_KEYS:
        help_ = did_you_mean(key.text, STEP_KEYS) or f"the steps are {', '.join(STEP_KEYS)}"
        raise Mistake("SF505", key, f"there is no step '{key.text}'", help_)
    if isinstance(value, Scalar) and not value.text and not value.quoted:
        raise Mistake("SF506", key, f"'{key.text}' has no value", EXAMPLES[key.text])
    return Step(key.text, _VALUES.get(key.text, _any)(value, key.text), key.span)


# ---- values --------------------------------------------------------------------------------------------------------


def _any(node: Node, _step: str) -> Any:
    return plain(node)


def _hear(node: Node, _step: str) -> Any:
    items = node.items if isinstance(node, Seq) else (node,)
    for item in items:
        if isinstance(item, Mapping_) and (len(item.entries) != 1 or item.get("text") is None):
            raise Mistake(
                "SF506", item, "heard is a prompt, a variable or {text: ...}", "write `{text: part of the words}`"
            )
        if isinstance(item, Seq):
            raise Mistake("SF503", item, "a list inside the list", "write all that is heard in one list")
    return [plain(item) for item in items]


def _press(node: Node, step: str) -> str:
    text = node.text if isinstance(node, Scalar) else ""
    keys = {"star": "*", "pound": "#"}.get(text, text)
    if not re.fullmatch(r"[0-9*#A-D]+", keys):
        raise Mistake("SF506", node, f"'{text}' are no keys of a telephone", f'write for example `{step}: "0123#"`')
    return keys


def _silence(node: Node, _step: str) -> int:
    text = node.text if isinstance(node, Scalar) else ""
    match = re.fullmatch(r"([1-9]\d?)x", text)
    if match is None:
        raise Mistake(
            "SF506", node, f"'silence' cannot be '{text}'", "write how many questions stay unanswered: `silence: 3x`"
        )
    return int(match[1])


def _duration(node: Node, step: str) -> float:
    text = node.text if isinstance(node, Scalar) else ""
    length = seconds(text)
    if length is None:
        raise Mistake("SF506", node, f"'{text}' is no length of time", f"write for example `{step}: 20s`")
    return length


def _spoken(node: Node, step: str) -> float | str:
    """A length, or a WAV file as it is written."""
    ms, file = read_spoken(node, step, "SF506")
    return str(plain(node)) if file else ms / 1000


def _said(node: Node, step: str) -> list[str]:
    items = node.items if isinstance(node, Seq) else (node,)
    for item in items:
        if not isinstance(item, Scalar) or not item.text.strip():
            raise Mistake("SF506", item, "the bot hears words", EXAMPLES[step])
    return [str(plain(item)) for item in items]


def _words(*allowed: str) -> Callable[[Node, str], str]:
    def read(node: Node, step: str) -> str:
        text = node.text if isinstance(node, Scalar) else ""
        if text not in allowed:
            raise Mistake("SF506", node, f"'{step}' cannot be '{text}'", f"write {' or '.join(allowed)}")
        return text

    return read


def _bot(node: Node, step: str) -> Any:
    if isinstance(node, Scalar) and node.text == "failed":
        return "failed"
    value = read_map(node, step)
    strange = sorted(set(value) - {"intent", "slots", "attributes", "state"})
    if strange or "intent" not in value:
        wrong = f"a bot gives no '{strange[0]}'" if strange else "the bot's intent is missing"
        raise Mistake("SF506", node, wrong, EXAMPLES["bot"])
    return value


def _fail(node: Node, step: str) -> Any:
    """A verb, or a verb that says something with the prompt that fails."""
    if isinstance(node, Scalar):
        return _words(*FAILING)(node, step)
    value = read_map(node, step)
    if len(value) != 1 or not set(value) <= set(SAYING) or not all(isinstance(each, str) for each in value.values()):
        raise Mistake("SF506", node, f"'{step}' takes one verb that says something, and its prompt", EXAMPLES[step])
    return value


def _expect(node: Node, _step: str) -> Any:
    if isinstance(node, Scalar):
        return _words(*SITUATIONS)(node, "expect")
    value = read_map(node, "expect")
    strange = sorted(set(value) - {"dialled", "headers", "calls", "var"})
    if "calls" in value and isinstance(node, Mapping_):
        read_counts(node.get("calls"))
    if strange and set(value) & {"dialled", "headers", "calls"}:
        raise Mistake(
            "SF511", node, f"'expect' does not know '{strange[0]}' here", "write variables in a step of their own"
        )
    return value


def read_counts(node: Node | None) -> None:
    """Look at how often hooks shall have run.

    Raises:
        Mistake: these are no numbers by name.
    """
    if node is None:
        return
    if not isinstance(node, Mapping_):
        raise Mistake("SF503", node, "'calls' takes a map of hooks and numbers", "write {verify_pin: 2}")
    for _, value in node.entries:
        if not isinstance(value, Scalar) or not value.text.isdecimal():
            raise Mistake("SF511", value, "how often a hook ran is a number", "write {verify_pin: 2}")


EXAMPLES: Final = {
    "hear": "write `hear: welcome` or `hear: [welcome, ask_pin]`",
    "press": 'write `press: "1"`',
    "silence": "write `silence: 1x`",
    "speak": "write `speak: 6s`",
    "bot": "write `bot: {intent: Route, slots: {Department: Billing}}` or `bot: failed`",
    "callee": "write `callee: answers`",
    "say_to_bot": 'write `say_to_bot: "I want billing"`, or a list of what is said one after the other',
    "bots": "write {env.BOT_ALIAS: bots/reception.zip}",
    "parties": 'write {"+12065550150": busy}',
    "callee_press": 'write `callee_press: "1"`',
    "meeting": "write `meeting: ends`",
    "update": "write `update: {kind: notice}`",
    "wait": "write `wait: 20s`",
    "fail": "write `fail: bridge` or `fail: {say: goodbye}`",
    "repeat": "write `repeat: event`",
    "hangup": "write `hangup: caller`",
    "expect": "write `expect: in_meeting` or `expect: {variable: value}`",
}
_VALUES: Final[Mapping[str, Callable[[Node, str], Any]]] = {
    "hear": _hear,
    "press": _press,
    "silence": _silence,
    "speak": _spoken,
    "bot": _bot,
    "say_to_bot": _said,
    "callee": _words(*CALLEE),
    "callee_press": _press,
    "meeting": _words("ends"),
    "update": read_map,
    "wait": _duration,
    "fail": _fail,
    "repeat": _words("event"),
    "hangup": _words("caller", "callee"),
    "expect": _expect,
}
