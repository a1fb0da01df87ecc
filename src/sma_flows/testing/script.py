"""Read ``*.calls.yaml``: calls as values, and every mistake of their author with its place.

The files are read through the nodes of :mod:`sma_flows.flow.source`, so that ``0000`` stays four keys and every value
knows its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sma_flows.flow.diagnostics import did_you_mean
from sma_flows.flow.nodes import Document, Mapping_, Node, Scalar, Seq, Span
from sma_flows.flow.source import load_document, load_text
from sma_flows.simulator.switches import SwitchError, Switches
from sma_flows.testing.stubs import StubError, reaction, seconds

__all__ = ["CallScript", "CallsFile", "Finding", "Step", "load_calls", "read_calls"]

SOME_DAY: Final = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
"""The clock of a call that names no time: a Friday, ten in the morning in New York."""

CALLER: Final = "+14155550123"
OWN_NUMBER: Final = "+12065550199"

FILE_KEYS: Final = ("flow", "env", "from", "to", "at", "stub", "switches", "calls")
CALL_KEYS: Final = (
    "call", "from", "to", "headers", "at", "inputs", "answer", "env", "stub", "switches", "script", "expect",
)  # fmt: skip
STEP_KEYS: Final = (
    "hear", "press", "silence", "speak", "bot", "callee", "callee_press", "meeting", "update", "wait", "fail",
    "repeat", "hangup", "expect",
)  # fmt: skip
SITUATIONS: Final = ("in_meeting", "bridged", "recording", "on_hold", "hung_up")
CALL_TOTALS: Final = ("ends_in", "calls", "secrets_seen", "var")
CALLEE: Final = ("answers", "no_answer", "busy", "hangs_up")


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake in a calls file: where, what, and what to type instead."""

    span: Span
    message: str
    help: str = ""

    def __str__(self) -> str:
        place = f"{self.span.file}:{self.span.line}:{self.span.col}"
        return f"{place}: error: {self.message}" + (f"\n  = help: {self.help}" if self.help else "")


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


@dataclass(frozen=True, slots=True)
class CallScript:
    """One call: who calls whom and when, what happens, and what must be true at its end.

    ``answer`` is for outbound calls: (``answers`` | ``no_answer`` | ``busy``, seconds of ringing). ``timed``: the
    script says when the call is.
    """

    name: str
    span: Span
    from_: str
    to: str
    at: datetime
    timed: bool
    headers: Mapping[str, str]
    inputs: Mapping[str, Any] | None
    answer: tuple[str, float]
    env: Mapping[str, str]
    stubs: Mapping[str, Any]
    switches: Switches
    steps: tuple[Step, ...]
    expect: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CallsFile:
    """The calls of one file. ``flow`` is the path of the flow, found from the file's folder."""

    path: Path
    flow: Path
    flow_span: Span
    calls: tuple[CallScript, ...]
    text: str = field(repr=False, default="")


class _Mistake(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, at: Node | Span, message: str, help_: str = "") -> None:
        super().__init__(message)
        self.finding = Finding(at if isinstance(at, Span) else at.span, message, help_)


def load_calls(path: Path | str) -> tuple[CallsFile | None, list[Finding]]:
    """Read one file. None and what is wrong with it, all mistakes at once, when it cannot be played."""
    document, diagnostics = load_document(path)
    return _read(document, [Finding(one.span, one.message, one.help) for one in diagnostics])


def read_calls(text: str, name: str = "<text>") -> tuple[CallsFile | None, list[Finding]]:
    """The same for a text; ``name`` stands for the file."""
    document, diagnostics = load_text(text, name)
    return _read(document, [Finding(one.span, one.message, one.help) for one in diagnostics])


def _read(document: Document | None, found: list[Finding]) -> tuple[CallsFile | None, list[Finding]]:
    if document is None:
        return None, found
    reader = _Reader(document, found)
    file = reader.file()
    return (None if found else file), found


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


class _Reader:
    """Reads a document; what is wrong goes to ``found`` and the reading goes on behind it."""

    def __init__(self, document: Document, found: list[Finding]) -> None:
        self.document = document
        self.found = found

    def file(self) -> CallsFile | None:
        root = self.document.root
        self._keys(root, FILE_KEYS, "a calls file")
        flow = root.get("flow")
        calls = root.get("calls")
        if not isinstance(flow, Scalar) or not flow.text:
            at = flow.span if flow else self.document.span(())
            self._say(at, "the file does not name its flow", "add `flow: dial-in.yaml`")
        if not isinstance(calls, Seq) or not calls.items:
            at = calls.span if calls else self.document.span(())
            self._say(at, "the file has no calls", "add `calls:` and below it lines `- call: NAME`")
            return None
        common = {key.text: value for key, value in root.entries}
        scripts = [script for node in calls.items if (script := self._try(self._call, node, common)) is not None]
        first: dict[str, CallScript] = {}
        for script in scripts:
            if first.setdefault(script.name, script) is not script:
                self._say(script.span, f"two calls are named '{script.name}'", "give each a name of its own")
        if not isinstance(flow, Scalar):
            return None
        path = Path(self.document.path)
        return CallsFile(path, path.parent / flow.text, flow.span, tuple(scripts), self.document.text)

    def _try(self, read: Callable[..., Any], *args: Any) -> Any:
        try:
            return read(*args)
        except _Mistake as mistake:
            self.found.append(mistake.finding)
            return None

    def _say(self, at: Span, message: str, help_: str = "") -> None:
        self.found.append(Finding(at, message, help_))

    def _keys(self, node: Mapping_, known: tuple[str, ...], what: str) -> None:
        for key, _ in node.entries:
            if key.text not in known:
                help_ = did_you_mean(key.text, list(known)) or f"the keys are {', '.join(known)}"
                self._say(key.span, f"{what} has no key '{key.text}'", help_)

    def _call(self, node: Node, common: Mapping[str, Node]) -> CallScript:
        if not isinstance(node, Mapping_):
            raise _Mistake(node, "a call is a map of keys", "write `- call: NAME` and its keys below")
        self._keys(node, CALL_KEYS, "a call")
        name = node.get("call")
        if not isinstance(name, Scalar) or not name.text:
            raise _Mistake(node, "the call has no name", "start it with `- call: what the caller does`")
        inputs = node.get("inputs")
        steps = node.get("script")
        outbound = inputs is not None or node.get("answer") is not None
        if steps is not None and not isinstance(steps, Seq):
            raise _Mistake(steps, "'script' takes a list", "write lines `- hear: PROMPT` below it")
        expect = node.get("expect")
        if expect is not None:
            self._try(self._totals, expect)

        def text(key: str, default: str) -> str:
            found = node.get(key) or common.get(key)
            return found.text if isinstance(found, Scalar) else default

        def both(key: str) -> dict[str, Any]:
            merged: dict[str, Any] = {}
            for found in (common.get(key), node.get(key)):
                if found is not None:
                    merged.update(self._map(found, key))
            return merged

        at = node.get("at") or common.get("at")
        return CallScript(
            name=name.text,
            span=name.span,
            from_=text("from", OWN_NUMBER if outbound else CALLER),
            to=text("to", CALLER if outbound else OWN_NUMBER),
            at=self._time(at) if at is not None else SOME_DAY,
            timed=at is not None,
            headers=self._map(node.get("headers"), "headers"),
            inputs=self._map(inputs, "inputs") if outbound else None,
            answer=self._answer(node.get("answer")),
            env=both("env"),
            stubs=self._stubs(node.get("stub"), common.get("stub")),
            switches=self._switches(both("switches"), node.get("switches") or common.get("switches") or node),
            steps=tuple(self._steps(steps)) if steps is not None else (),
            expect=plain(expect) if isinstance(expect, Mapping_) else {},
        )

    def _stubs(self, *given: Node | None) -> dict[str, Any]:
        """Stubs of the call in front of those of the file; each reply must be one."""
        merged: dict[str, Any] = {}
        for node in reversed([node for node in given if node is not None]):
            merged.update(self._map(node, "stub"))
            for _, value in node.entries if isinstance(node, Mapping_) else ():
                for item in value.items if isinstance(value, Seq) else (value,):
                    try:
                        reaction(plain(item))
                    except StubError as error:
                        raise _Mistake(item, f"{shown(plain(item))} is no reply of a hook", str(error)) from None
        return merged

    def _switches(self, values: Mapping[str, str], at: Node) -> Switches:
        try:
            return Switches().having(values)
        except SwitchError as error:
            raise _Mistake(at, str(error)) from None

    def _map(self, node: Node | None, key: str) -> dict[str, Any]:
        if node is None:
            return {}
        if not isinstance(node, Mapping_):
            raise _Mistake(node, f"'{key}' takes a map", "write {name: value}")
        value: dict[str, Any] = plain(node)
        return value

    def _time(self, node: Node) -> datetime:
        text = node.text if isinstance(node, Scalar) else ""
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise _Mistake(node, f"'{text}' is not a date and time", "write 2026-11-20T09:30-05:00") from None
        if moment.tzinfo is None:
            raise _Mistake(node, f"'{text}' does not say in which time zone", f"write for example {text}-05:00")
        return moment

    def _answer(self, node: Node | None) -> tuple[str, float]:
        text = node.text if isinstance(node, Scalar) else "after 7s" if node is None else ""
        if text in ("no_answer", "busy"):
            return text, 0.0
        after = seconds(text.removeprefix("after "))
        if not text.startswith("after ") or after is None:
            at = node or self.document.span(())
            raise _Mistake(at, f"'answer' cannot be '{text}'", "write `after 8s`, `no_answer` or `busy`")
        return "answers", after

    def _steps(self, script: Seq) -> Iterator[Step]:
        for node in script.items:
            step = self._try(self._step, node)
            if step is not None:
                yield step

    def _step(self, node: Node) -> Step:
        if not isinstance(node, Mapping_) or len(node.entries) != 1:
            raise _Mistake(node, "a step is one word and what belongs to it", "write for example `- press: 123#`")
        key, value = node.entries[0]
        if key.text not in STEP_KEYS:
            help_ = did_you_mean(key.text, list(STEP_KEYS)) or f"the steps are {', '.join(STEP_KEYS)}"
            raise _Mistake(key, f"there is no step '{key.text}'", help_)
        if isinstance(value, Scalar) and not value.text and not value.quoted:
            raise _Mistake(key, f"'{key.text}' has no value", _EXAMPLES[key.text])
        return Step(key.text, _VALUES.get(key.text, _any)(value, key.text), key.span)

    def _totals(self, node: Node) -> None:
        if not isinstance(node, Mapping_):
            raise _Mistake(node, "'expect' of a call takes a map", "write {ends_in: STATE, calls: {hook: 2}}")
        self._keys(node, CALL_TOTALS, "'expect' of a call")
        calls = node.get("calls")
        if calls is not None:
            _counts(calls)
        secrets = node.get("secrets_seen")
        if secrets is not None and plain(secrets) != "none":
            raise _Mistake(secrets, "'secrets_seen' can only be `none`", "write `secrets_seen: none`")


# ---- the values of steps -------------------------------------------------------------------------------------------


def _any(node: Node, _step: str) -> Any:
    return plain(node)


def _hear(node: Node, _step: str) -> Any:
    items = node.items if isinstance(node, Seq) else (node,)
    for item in items:
        if isinstance(item, Mapping_) and (len(item.entries) != 1 or item.get("text") is None):
            raise _Mistake(item, "heard is a prompt, a variable or {text: ...}", "write `{text: part of the words}`")
        if isinstance(item, Seq):
            raise _Mistake(item, "a list inside the list", "write all that is heard in one list")
    return [plain(item) for item in items]


def _press(node: Node, step: str) -> str:
    text = node.text if isinstance(node, Scalar) else ""
    keys = {"star": "*", "pound": "#"}.get(text, text)
    if not re.fullmatch(r"[0-9*#A-D]+", keys):
        raise _Mistake(node, f"'{text}' are no keys of a telephone", f'write for example `{step}: "0123#"`')
    return keys


def _silence(node: Node, _step: str) -> int:
    text = node.text if isinstance(node, Scalar) else ""
    match = re.fullmatch(r"([1-9]\d?)x", text)
    if match is None:
        raise _Mistake(node, f"'silence' cannot be '{text}'", "write how many questions stay unanswered: `silence: 3x`")
    return int(match[1])


def _duration(node: Node, step: str) -> float:
    text = node.text if isinstance(node, Scalar) else ""
    length = seconds(text)
    if length is None:
        raise _Mistake(node, f"'{text}' is no length of time", f"write for example `{step}: 20s`")
    return length


def _words(*allowed: str) -> Callable[[Node, str], str]:
    def read(node: Node, step: str) -> str:
        text = node.text if isinstance(node, Scalar) else ""
        if text not in allowed:
            raise _Mistake(node, f"'{step}' cannot be '{text}'", f"write {' or '.join(allowed)}")
        return text

    return read


def _mapping(node: Node, step: str) -> dict[str, Any]:
    if not isinstance(node, Mapping_):
        raise _Mistake(node, f"'{step}' takes a map", _EXAMPLES[step])
    value: dict[str, Any] = plain(node)
    return value


def _bot(node: Node, step: str) -> Any:
    if isinstance(node, Scalar) and node.text == "failed":
        return "failed"
    value = _mapping(node, step)
    strange = sorted(set(value) - {"intent", "slots", "attributes", "state"})
    if strange or "intent" not in value:
        wrong = f"a bot gives no '{strange[0]}'" if strange else "the bot's intent is missing"
        raise _Mistake(node, wrong, _EXAMPLES["bot"])
    return value


def _expect(node: Node, _step: str) -> Any:
    if isinstance(node, Scalar):
        return _words(*SITUATIONS)(node, "expect")
    value = _mapping(node, "expect")
    strange = sorted(set(value) - {"dialled", "headers", "calls", "var"})
    if "calls" in value and isinstance(node, Mapping_):
        _counts(node.get("calls"))
    if strange and set(value) & {"dialled", "headers", "calls"}:
        raise _Mistake(node, f"'expect' does not know '{strange[0]}' here", "write variables in a step of their own")
    return value


def _counts(node: Node | None) -> None:
    if not isinstance(node, Mapping_):
        at = node or Span("", 1, 1, 1, 1)
        raise _Mistake(at, "'calls' takes a map of hooks and numbers", "write {verify_pin: 2}")
    for _, value in node.entries:
        if not isinstance(value, Scalar) or not value.text.isdecimal():
            raise _Mistake(value, "how often a hook ran is a number", "write {verify_pin: 2}")


_EXAMPLES: Final = {
    "hear": "write `hear: welcome` or `hear: [welcome, ask_pin]`",
    "press": 'write `press: "1"`',
    "silence": "write `silence: 1x`",
    "speak": "write `speak: 6s`",
    "bot": "write `bot: {intent: Route, slots: {Department: Billing}}` or `bot: failed`",
    "callee": "write `callee: answers`",
    "callee_press": 'write `callee_press: "1"`',
    "meeting": "write `meeting: ends`",
    "update": "write `update: {kind: notice}`",
    "wait": "write `wait: 20s`",
    "fail": "write `fail: bridge`",
    "repeat": "write `repeat: event`",
    "hangup": "write `hangup: caller`",
    "expect": "write `expect: in_meeting` or `expect: {variable: value}`",
}
_VALUES: Final[Mapping[str, Callable[[Node, str], Any]]] = {
    "hear": _hear,
    "press": _press,
    "silence": _silence,
    "speak": _duration,
    "bot": _bot,
    "callee": _words(*CALLEE),
    "callee_press": _press,
    "meeting": _words("ends"),
    "update": _mapping,
    "wait": _duration,
    "fail": _words("say", "play", "gather", "menu", "record", "bridge", "join_meeting", "bot"),
    "repeat": _words("event"),
    "hangup": _words("caller", "callee"),
    "expect": _expect,
}
