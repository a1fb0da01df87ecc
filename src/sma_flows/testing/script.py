"""Read ``*.calls.yaml``: calls as values, and every mistake of their author with its place.

The files are read through the nodes of :mod:`sma_flows.flow.source`, so that ``0000`` stays four keys and every value
knows its line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sma_flows.flow.diagnostics import Diagnostic, did_you_mean, limited, render_text, report
from sma_flows.flow.nodes import Document, Mapping_, Node, Scalar, Seq, Span
from sma_flows.flow.source import load_document, load_text
from sma_flows.simulator.fidelity import ledger
from sma_flows.simulator.switches import CHOICES, SwitchError, Switches
from sma_flows.testing.mistake import LABELS, finding
from sma_flows.testing.mistake import Mistake as _Mistake
from sma_flows.testing.script_bots import Bot, read_bot, read_bot_name
from sma_flows.testing.script_head import read_header, read_number
from sma_flows.testing.script_parties import Party, read_party, read_party_name
from sma_flows.testing.script_steps import (
    Step,
    entries,
    plain,
    read_counts,
    read_map,
    read_step,
    shown,
)
from sma_flows.testing.stubs import StubError, reaction, seconds

__all__ = [
    "CallScript",
    "CallsFile",
    "Step",
    "entries",
    "load_calls",
    "near",
    "plain",
    "read_calls",
    "shown",
    "sources_of",
    "step_of",
    "told",
]

SOME_DAY: Final = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
"""The clock of a call that names no time: a Friday, ten in the morning in New York."""

ANSWERED: Final = ("answers", 7.0)
"""An outbound call is answered after so many seconds, unless it says otherwise."""

CALLER: Final = "+14155550123"
OWN_NUMBER: Final = "+12065550199"

FILE_KEYS: Final = ("flow", "env", "from", "to", "at", "stub", "switches", "parties", "bots", "strict", "calls")
CALL_KEYS: Final = (
    "call", "from", "to", "headers", "at", "inputs", "answer", "env", "stub", "switches", "parties", "bots",
    "strict", "script", "expect",
)  # fmt: skip
CALL_TOTALS: Final = ("ends_in", "calls", "secrets_seen", "var")


@dataclass(frozen=True, slots=True)
class CallScript:
    """One call: who calls whom and when, what happens, and what must be true at its end.

    ``answer`` is for outbound calls: (``answers`` | ``no_answer`` | ``busy``, seconds of ringing), None where it is not
    said. ``parties`` are by number, ``env.NAME`` or ``*``; ``bots`` by alias ARN or ``env.NAME``. ``timed``: the script
    says when the call is. ``strict``: the call may lean on nothing of the service that is inferred or unknown, but
    these entries of the ledger; None: on anything. ``settled`` are the switches that the file names itself.
    """

    name: str
    span: Span
    from_: str
    to: str
    at: datetime
    timed: bool
    headers: Mapping[str, str]
    inputs: Mapping[str, Any] | None
    answer: tuple[str, float] | None
    parties: Mapping[str, Party]
    bots: Mapping[str, Bot]
    env: Mapping[str, str]
    stubs: Mapping[str, Any]
    switches: Switches
    strict: frozenset[str] | None
    steps: tuple[Step, ...]
    expect: Mapping[str, Any]
    settled: frozenset[str] = frozenset()

    def having(self, switches: Mapping[str, str]) -> CallScript:
        """The same call on a service that does this, whatever its file says.

        Raises:
            SwitchError: there is no such switch, or it has no such value.
        """
        return replace(self, switches=self.switches.having(switches), settled=self.settled | set(switches))


@dataclass(frozen=True, slots=True)
class CallsFile:
    """The calls of one file. ``flow`` is the path of the flow, found from the file's folder."""

    path: Path
    flow: Path
    calls: tuple[CallScript, ...]
    document: Document = field(repr=False)


def load_calls(path: Path | str) -> tuple[CallsFile | None, list[Diagnostic]]:
    """Read one file. None and what is wrong with it, all mistakes at once, when it cannot be played."""
    return _read(*load_document(path))


def read_calls(text: str, name: str = "<text>") -> tuple[CallsFile | None, list[Diagnostic]]:
    """The same for a text; ``name`` stands for the file."""
    return _read(*load_text(text, name))


def near(path: Path) -> Path:
    """A path as seen from the working directory, where that is shorter."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def step_of(kind: str, value: Any, span: Span) -> Step:
    """One step out of plain values, as the line ``- kind: value`` of a script would be read.

    Raises:
        ValueError: there is no such step, or it cannot do that; the text says what to write.
    """
    document, found = load_text(json.dumps({kind: value}), span.file)
    if document is None:
        raise ValueError(found[0].message)
    try:
        return replace(read_step(document.root), span=span)
    except _Mistake as mistake:
        raise ValueError(": ".join(filter(None, (mistake.finding.message, mistake.finding.help)))) from None


def _read(document: Document | None, found: list[Diagnostic]) -> tuple[CallsFile | None, list[Diagnostic]]:
    if document is None:
        return None, found
    reader = _Reader(document, found)
    file = reader.file()
    wrong = any(one.severity == "error" for one in found)
    return (None if wrong else file), limited(found, document.path)


def sources_of(files: Iterable[Path | str]) -> dict[str, str]:
    """The texts of files, for excerpts; what cannot be read is left out."""
    documents = [load_document(file)[0] for file in dict.fromkeys(map(str, files))]
    return {document.path: document.text for document in documents if document is not None}


def told(found: Iterable[Diagnostic], *, colour: bool = False) -> str:
    """Findings for people, each with the lines of its file."""
    found = list(found)
    spans = [span for one in found for span in (one.span, *(place for place, _ in one.related))]
    return render_text(found, sources_of(span.file for span in spans), colour=colour).rstrip()


class _Reader:
    """Reads a document; what is wrong goes to ``found`` and the reading goes on behind it."""

    def __init__(self, document: Document, found: list[Diagnostic]) -> None:
        self.document = document
        self.found = found

    def file(self) -> CallsFile | None:
        root = self.document.root
        self._keys(root, FILE_KEYS, "a calls file")
        flow = root.get("flow")
        calls = root.get("calls")
        if not isinstance(flow, Scalar) or not flow.text:
            at = flow.span if flow else self.document.span(())
            self._say("SF502", at, "the file does not name its flow", "add `flow: dial-in.yaml`")
        if not isinstance(calls, Seq) or not calls.items:
            at = calls.span if calls else self.document.span(())
            self._say("SF502", at, "the file has no calls", "add `calls:` and below it lines `- call: NAME`")
            return None
        common = {key.text: value for key, value in root.entries}
        scripts = [script for node in calls.items if (script := self._try(None, self._call, node, common)) is not None]
        first: dict[str, CallScript] = {}
        for script in scripts:
            if first.setdefault(script.name, script) is not script:
                self._again(first[script.name], script)
        if not isinstance(flow, Scalar):
            return None
        path = Path(self.document.path)
        return CallsFile(path, Path(os.path.normpath(path.parent / flow.text)), tuple(scripts), self.document)

    def _try(self, default: Any, read: Callable[..., Any], *args: Any) -> Any:
        """What *read* gives; *default* where it finds a mistake, which is noted, and reading goes on."""
        try:
            return read(*args)
        except _Mistake as mistake:
            self.found.append(mistake.finding)
            return default

    def _say(self, code: str, at: Span, message: str, help_: str) -> None:
        self.found.append(finding(code, at, message, help_))

    def _again(self, first: CallScript, second: CallScript) -> None:
        message, label = f"two calls are named '{second.name}'", LABELS["SF504"]
        related = [(first.span, "first call of this name")]
        self.found.append(
            report("SF504", second.span, message, label=label, help="give each a name of its own", related=related)
        )

    def _keys(self, node: Mapping_, known: tuple[str, ...], what: str) -> None:
        for key, _ in node.entries:
            if key.text not in known:
                help_ = did_you_mean(key.text, known) or f"the keys are {', '.join(known)}"
                self._say("SF501", key.span, f"{what} has no key '{key.text}'", help_)

    def _call(self, node: Node, common: Mapping[str, Node]) -> CallScript:
        if not isinstance(node, Mapping_):
            raise _Mistake("SF503", node, "a call is a map of keys", "write `- call: NAME` and its keys below")
        self._keys(node, CALL_KEYS, "a call")
        name = node.get("call")
        if not isinstance(name, Scalar) or not name.text:
            raise _Mistake("SF502", node, "the call has no name", "start it with `- call: what the caller does`")
        inputs = node.get("inputs")
        outbound = inputs is not None or node.get("answer") is not None
        at = node.get("at") or common.get("at")
        both = (common, {key.text: value for key, value in node.entries})

        def merged(key: str, read: Callable[[Node | None, str], dict[str, Any]]) -> dict[str, Any]:
            """What the file gives, and in front of it what the call gives."""
            return {name: value for given in both for name, value in self._try({}, read, given.get(key), key).items()}

        switches = merged("switches", self._switches)
        return CallScript(
            name=name.text,
            span=name.span,
            from_=self._number(both, "from", OWN_NUMBER if outbound else CALLER, outbound=outbound),
            to=self._number(both, "to", CALLER if outbound else OWN_NUMBER, outbound=outbound),
            at=self._try(SOME_DAY, _time, at) if at is not None else SOME_DAY,
            timed=at is not None,
            headers=self._try({}, self._headers, node.get("headers"), "headers"),
            inputs=self._try({}, read_map, inputs, "inputs") if outbound else None,
            answer=self._try(ANSWERED, _answer, node.get("answer")),
            parties=merged("parties", self._parties),
            bots=merged("bots", self._bots),
            env=merged("env", read_map),
            stubs=merged("stub", self._stubs),
            switches=Switches().having(switches),
            settled=frozenset(switches),
            strict=self._try(None, _strict, node.get("strict") or common.get("strict")),
            steps=self._try((), self._steps, node.get("script")),
            expect=self._try({}, self._totals, node.get("expect")),
        )

    def _number(self, both: Sequence[Mapping[str, Node]], key: str, default: str, *, outbound: bool) -> str:
        """One end of a call; what is wrong with that of the file is told once, not for each call."""
        node = next((given[key] for given in reversed(both) if key in given), None)
        if node is None:
            return default
        try:
            text, odd = read_number(node, key, outbound=outbound)
        except _Mistake as mistake:
            text, odd = default, mistake.finding
        if odd is not None and odd not in self.found:
            self.found.append(odd)
        return text

    def _headers(self, node: Node | None, key: str) -> dict[str, str]:
        """The SIP headers; those that never come with a call are told."""
        headers = read_map(node, key)
        for name, value in entries(node):
            self._try(None, read_header, name, value)
        return headers

    def _stubs(self, node: Node | None, key: str) -> dict[str, Any]:
        """The stubs of a call or of the file; each reply must be one."""
        stubs = read_map(node, key)
        for _, value in entries(node):
            for item in value.items if isinstance(value, Seq) else (value,):
                try:
                    reaction(plain(item))
                except StubError as error:
                    self._say("SF509", item.span, f"{shown(plain(item))} is no reply of a hook", str(error))
        return stubs

    def _parties(self, node: Node | None, key: str) -> dict[str, Party]:
        """Those that can be; the others are told."""
        read_map(node, key)
        parties = {}
        for name, value in entries(node):
            who, party = self._try("", read_party_name, name), self._try(None, read_party, value)
            if who and party is not None:
                parties[who] = party
        return parties

    def _bots(self, node: Node | None, key: str) -> dict[str, Bot]:
        """Those that can be talked to; the others are told."""
        read_map(node, key)
        bots = {}
        for name, value in entries(node):
            who, bot = self._try("", read_bot_name, name), self._try(None, read_bot, value)
            if who and bot is not None:
                bots[who] = bot
        return bots

    def _switches(self, node: Node | None, key: str) -> dict[str, str]:
        """Those that exist; the others are told."""
        good = read_map(node, key)
        for name, value in entries(node):
            try:
                Switches().having({name.text: plain(value)})
            except SwitchError as error:
                del good[name.text]
                message, _, help_ = str(error).partition(": ")
                known = name.text in CHOICES
                near = did_you_mean(plain(value), CHOICES[name.text]) if known else ""
                self._say("SF510", value.span if known else name.span, message, near or help_)
        return good

    def _steps(self, script: Node | None) -> tuple[Step, ...]:
        if script is None:
            return ()
        if not isinstance(script, Seq):
            raise _Mistake("SF503", script, "'script' takes a list", "write lines `- hear: PROMPT` below it")
        steps = (self._try(None, read_step, node) for node in script.items)
        return tuple(step for step in steps if step is not None)

    def _totals(self, node: Node | None) -> dict[str, Any]:
        if node is None:
            return {}
        if not isinstance(node, Mapping_):
            help_ = "write {ends_in: STATE, calls: {hook: 2}}"
            raise _Mistake("SF503", node, "'expect' of a call takes a map", help_)
        self._keys(node, CALL_TOTALS, "'expect' of a call")
        self._try(None, read_counts, node.get("calls"))
        secrets = node.get("secrets_seen")
        if secrets is not None and plain(secrets) != "none":
            self._say("SF511", secrets.span, "'secrets_seen' can only be `none`", "write `secrets_seen: none`")
        totals: dict[str, Any] = plain(node)
        return totals


# ---- the parts of a call -------------------------------------------------------------------------------------------


def _strict(node: Node | None) -> frozenset[str] | None:
    """``true``, or a list of entries of the ledger that the call may lean on all the same."""
    if node is None or (isinstance(node, Scalar) and node.text == "false"):
        return None
    if isinstance(node, Scalar) and node.text == "true":
        return frozenset()
    if not isinstance(node, Seq):
        raise _Mistake("SF514", node, "'strict' is true, or a list of what may be doubtful", "write `strict: true`")
    known = ledger().facts
    for item in node.items:
        if plain(item) not in known:
            help_ = did_you_mean(str(plain(item)), known) or "`sma-flows fidelity` lists the entries"
            raise _Mistake("SF514", item, f"the ledger has no entry '{shown(plain(item))}'", help_)
    return frozenset(plain(item) for item in node.items)


def _time(node: Node) -> datetime:
    text = node.text if isinstance(node, Scalar) else ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _Mistake("SF507", node, f"'{text}' is not a date and time", "write 2026-11-20T09:30-05:00") from None
    if moment.tzinfo is None:
        help_ = f"write for example {text}-05:00"
        raise _Mistake("SF507", node, f"'{text}' does not say in which time zone", help_)
    return moment


def _answer(node: Node | None) -> tuple[str, float] | None:
    if node is None:
        return None
    text = node.text if isinstance(node, Scalar) else ""
    if text in ("no_answer", "busy"):
        return text, 0.0
    after = seconds(text.removeprefix("after "))
    if not text.startswith("after ") or after is None:
        raise _Mistake("SF508", node, f"'answer' cannot be '{text}'", "write `after 8s`, `no_answer` or `busy`")
    return "answers", after
