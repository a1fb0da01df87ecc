"""Everything that can be said about files of calls before they are played: each file alone, and against its flow."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sma_flows.flow.diagnostics import Diagnostic, did_you_mean, in_order
from sma_flows.flow.nodes import Document, Mapping_, Node, Scalar, Seq, Span
from sma_flows.flow.source import load_document, load_text
from sma_flows.plan import FlowPlan
from sma_flows.runtime.values import MismatchError, coerce, show
from sma_flows.testing import SUFFIXES
from sma_flows.testing.mistake import finding
from sma_flows.testing.script import CallsFile, entries, load_calls, plain, read_calls, shown, sources_of
from sma_flows.testing.scripted import typed
from sma_flows.testing.stubs import StubError, reaction
from sma_flows.testing.world import checked

__all__ = ["calls_files", "check_calls", "checked_calls", "checked_text"]

PORTS: Final = ("meetings.attend", "meetings.roster", "meetings.leave")
"""What the runtime asks by itself; a stub can stand for it as for a hook."""

_SETTINGS: Final = ("SMA_FLOWS_", "AWS_")
"""How environment values begin that are not for the flow, but for its services."""

_LIVE: Final = ("call.", "key.", "bot.", "header.")
_STEPS: Final[Mapping[str, Sequence[str]]] = {
    "speak": ("record",),
    "bot": ("bot",),
    "say_to_bot": ("bot",),
    "meeting": ("join_meeting",),
    "callee": ("bridge",),
    "callee_press": ("bridge",),
    "silence": ("gather", "menu", "bot"),
}
"""Steps and the verbs that give occasion for them."""

_LIKE: Final = (("say", "play"), ("gather", "menu"))
"""Verbs whose actions are alike: what breaks one breaks the other."""


def calls_files(path: Path) -> list[Path]:
    """The files of calls that a path means: itself, or those below a folder."""
    if not path.is_dir():
        return [path] if path.name.endswith(SUFFIXES) else []
    return sorted(file for suffix in SUFFIXES for file in path.rglob(f"*{suffix}") if file.is_file())


def check_calls(paths: Iterable[Path]) -> tuple[list[Diagnostic], dict[str, str]]:
    """What is wrong in files of calls, file by file in source order, and the texts that were read."""
    paths = list(paths)
    found = [one for path in paths for one in checked_calls(path)[1]]
    return found, sources_of([*paths, *(one.span.file for one in found)])


def checked_calls(path: Path) -> tuple[CallsFile | None, list[Diagnostic]]:
    """Read one file and hold it against its flow. None when there is an error, here or in the flow."""
    return _checked(path, load_document(path)[0], *load_calls(path))


def checked_text(text: str, path: Path) -> tuple[CallsFile | None, list[Diagnostic]]:
    """The same for a text; *path* stands for the file, its flow is seen from there."""
    return _checked(path, load_text(text, str(path))[0], *read_calls(text, str(path)))


def _checked(
    path: Path, document: Document | None, file: CallsFile | None, found: list[Diagnostic]
) -> tuple[CallsFile | None, list[Diagnostic]]:
    flow = document.root.get("flow") if document is not None else None
    if document is not None and isinstance(flow, Scalar) and flow.text:
        flow_path = Path(os.path.normpath(path.parent / flow.text))
        found = list(in_order([*found, *_against_flow(document, flow, flow_path)]))
    return (None if any(one.severity == "error" for one in found) else file), found


def _against_flow(document: Document, named: Scalar, path: Path) -> Iterator[Diagnostic]:
    if not path.is_file():
        beside = sorted(str(each.relative_to(path.parent)) for each in path.parent.glob("*.yaml"))
        near = did_you_mean(path.name, beside)
        yield finding("SF520", named.span, f"there is no flow '{named.text}'", near or "write its path from this file")
        return
    result = checked(path)
    own = next((flow for flow in result.flows if Path(flow.document.path) == path), None)
    if own is not None and own.entry == "sub":
        yield finding(
            "SF520", named.span, f"'{named.text}' is a part of other flows", "name a flow that uses it, and call that"
        )
    elif result.plan is None:
        yield from (one for one in result.diagnostics if one.severity == "error")
    else:
        yield from _Checker(result.plan.flow(next(iter(result.plan.flows)))).file(document)


class _Checker:
    """Holds files of calls against one compiled flow."""

    def __init__(self, flow: FlowPlan) -> None:
        self.flow = flow
        self.types: Mapping[str, Mapping[str, Any]] = flow.get("vars", {})
        self.hooks: Mapping[str, Mapping[str, Any]] = flow.get("hooks", {})
        self.outbound = flow.get("entry") == "outbound"
        recordings = [name for name, kind in self.types.items() if kind["t"] in ("recording", "audio")]
        self.heard = [*flow.get("prompts", {}), *recordings]
        self.verbs = set(_verbs(flow))
        environment = flow.get("env", {})
        self.environment = {*environment.get("required", ()), *environment.get("optional", ())}

    def file(self, document: Document) -> Iterator[Diagnostic]:
        """All calls, and what the file says for all of them."""
        root = document.root
        yield from self._common(root)
        calls = root.get("calls")
        for call in calls.items if isinstance(calls, Seq) else ():
            if isinstance(call, Mapping_):
                yield from self._call(call)

    def _common(self, node: Mapping_) -> Iterator[Diagnostic]:
        yield from self._stubs(node.get("stub"))
        named = [(name, name.text) for name, _ in entries(node.get("env")) if not name.text.startswith(_SETTINGS)]
        for key in ("parties", "bots"):
            prefixed = (name for name, _ in entries(node.get(key)) if name.text.startswith("env."))
            named += [(name, name.text.removeprefix("env.")) for name in prefixed]
        for name, env in named:
            if env not in self.environment:
                reads = _list(sorted(self.environment)) or "nothing"
                help_ = did_you_mean(env, self.environment) or f"it reads {reads}"
                yield finding("SF532", name.span, f"the flow does not read env.{env}", help_)

    def _call(self, call: Mapping_) -> Iterator[Diagnostic]:
        yield from self._common(call)
        yield from self._direction(call)
        script = call.get("script")
        for step in script.items if isinstance(script, Seq) else ():
            if isinstance(step, Mapping_) and len(step.entries) == 1:
                yield from self._step(*step.entries[0])
        expect = call.get("expect")
        if isinstance(expect, Mapping_):
            yield from self._counts(expect.get("calls"))
            yield from self._variables(entries(expect.get("var")))
            state = expect.get("ends_in")
            if isinstance(state, Scalar) and state.text not in self.flow["states"]:
                help_ = did_you_mean(state.text, self.flow["states"]) or "name a state of the flow"
                yield finding("SF525", state.span, f"the flow has no state '{state.text}'", help_)

    def _direction(self, call: Mapping_) -> Iterator[Diagnostic]:
        inputs, answer, name = call.get("inputs"), call.get("answer"), call.get("call")
        given = inputs or answer
        if self.outbound and given is None:
            at = name.span if name is not None else call.span
            help_ = f"add `inputs: {{{', '.join(self.flow.get('inputs', ()))}}}`, or `answer: after 8s`"
            yield finding("SF530", at, "the flow places calls, and nobody dials it", help_)
        if not self.outbound and given is not None:
            key = call.find("inputs" if inputs is not None else "answer")
            at = key[0].span if key is not None else given.span
            yield finding("SF530", at, "the flow is dialled, it places no calls", "leave it out: `from` says who calls")
        if self.outbound and isinstance(inputs, Mapping_):
            yield from self._inputs(inputs)

    def _inputs(self, inputs: Mapping_) -> Iterator[Diagnostic]:
        names = self.flow.get("inputs", ())
        for name, value in inputs.entries:
            if name.text not in names:
                help_ = did_you_mean(name.text, names) or f"the inputs are {_list(names)}"
                yield finding("SF528", name.span, f"the flow has no input '{name.text}'", help_)
            elif not _fits(self.types[name.text], plain(value)):
                words = _type(self.types[name.text])
                yield finding("SF529", value.span, f"'{name.text}' is {words}, and this is none", f"give {words}")
        for name_ in names:
            if inputs.get(name_) is None and self.types[name_].get("initial") is None:
                words = f"{name_}: {_type(self.types[name_])}"
                yield finding("SF529", _begin(inputs), f"the input '{name_}' is missing", f"add {words}")

    # ---- steps -----------------------------------------------------------------------------------------------------

    def _step(self, key: Scalar, value: Node) -> Iterator[Diagnostic]:
        kind = key.text
        occasions = _STEPS.get(kind, ())
        if occasions and not self.verbs & set(occasions) and not (kind == "callee" and self.outbound):
            verbs = " or ".join(occasions)
            yield finding("SF531", key.span, f"no state of the flow is a {verbs}", f"leave '{kind}' out")
        if kind == "hear":
            for item in value.items if isinstance(value, Seq) else (value,):
                if isinstance(item, Scalar):
                    yield from self._prompt(item, self.heard)
        elif kind == "fail":
            yield from self._fail(value)
        elif kind == "update" and isinstance(value, Mapping_):
            yield from self._update(value)
        elif kind == "expect" and isinstance(value, Mapping_):
            yield from self._counts(value.get("calls"))
            named = [each for each in value.entries if each[0].text not in ("dialled", "headers", "calls", "var")]
            yield from self._variables([*named, *entries(value.get("var"))])

    def _prompt(self, item: Scalar, names: Sequence[str]) -> Iterator[Diagnostic]:
        if item.text and item.text not in names:
            help_ = did_you_mean(item.text, names) or "name a prompt that the flow uses, or write {text: a part of it}"
            yield finding("SF521", item.span, f"the flow never says '{item.text}'", help_)

    def _fail(self, value: Node) -> Iterator[Diagnostic]:
        verb = value if isinstance(value, Scalar) else next((key for key, _ in entries(value)), None)
        if verb is None:
            return
        alike = next((like for like in _LIKE if verb.text in like), (verb.text,))
        if not self.verbs & set(alike):
            help_ = f"the flow has {_list(sorted(self.verbs))}"
            yield finding("SF531", verb.span, f"no state of the flow is a {verb.text}", help_)
        for _, prompt in entries(value):
            if isinstance(prompt, Scalar):
                yield from self._prompt(prompt, list(self.flow.get("prompts", {})))

    def _update(self, value: Mapping_) -> Iterator[Diagnostic]:
        """The first update whose `match` fits is the one that is meant."""
        given = {key.text: plain(item) for key, item in value.entries}
        updates = self.flow.get("updates", ())
        meant = next(
            (each for each in updates if all(show(given.get(name)) == text for name, text in each["match"].items())),
            None,
        )
        if meant is None:
            forms = [shown({**each["match"], **dict.fromkeys(each.get("takes", {}), "...")}) for each in updates]
            help_ = f"it takes {' or '.join(forms)}" if forms else "the flow has no updates"
            yield finding("SF527", _begin(value), "no update of the flow is like this", help_)
            return
        takes = meant.get("takes", {})
        for key, item in value.entries:
            known = [*meant["match"], *takes]
            if key.text not in known:
                help_ = did_you_mean(key.text, known) or f"it takes {_list(known)}"
                yield finding("SF527", key.span, f"the update '{meant['name']}' takes no '{key.text}'", help_)
            elif key.text in takes and not _fits(takes[key.text], plain(item)):
                words = _type(takes[key.text])
                yield finding("SF527", item.span, f"'{key.text}' is {words}, and this is none", f"give {words}")
        for name in takes:
            if name not in given:
                help_ = f"add {name}: {_type(takes[name])}"
                yield finding("SF527", _begin(value), f"the update '{meant['name']}' takes '{name}', too", help_)

    # ---- hooks and variables ---------------------------------------------------------------------------------------

    def _stubs(self, stubs: Node | None) -> Iterator[Diagnostic]:
        for name, value in entries(stubs):
            if name.text in PORTS:
                continue
            if name.text not in self.hooks:
                yield self._no_hook(name)
                continue
            for item in value.items if isinstance(value, Seq) else (value,):
                with suppress(StubError):  # told when the file was read
                    yield from self._reply(name.text, item)

    def _no_hook(self, name: Scalar) -> Diagnostic:
        help_ = did_you_mean(name.text, [*self.hooks, *PORTS])
        return finding(
            "SF522",
            name.span,
            f"the flow has no hook '{name.text}'",
            help_ or (f"its hooks are {_list(self.hooks)}" if self.hooks else "it has none"),
        )

    def _reply(self, hook: str, item: Node) -> Iterator[Diagnostic]:
        reply = reaction(plain(item))
        if reply.fails or reply.outcome == "late":
            return
        outcomes: Mapping[str, Mapping[str, Any]] = self.hooks[hook].get("outcomes") or {"done": {}}
        key = next((key for key, _ in entries(item) if key.text == reply.outcome), None)
        at = key.span if key is not None else item.span
        if reply.outcome not in outcomes:
            known = [*outcomes, "raises", "late"]
            help_ = did_you_mean(reply.outcome, known) or f"it gives {_list(known)}"
            yield finding("SF523", at, f"'{hook}' never gives '{reply.outcome}'", help_)
            return
        results = outcomes[reply.outcome] or {}
        given = dict(entries(item)).get(key) if key is not None else None
        for name, value in entries(given):
            if name.text not in results:
                help_ = did_you_mean(name.text, results) or f"'{reply.outcome}' gives {_list(results) or 'nothing'}"
                words = f"'{reply.outcome}' of '{hook}' gives no '{name.text}'"
                yield finding("SF524", name.span, words, help_)
            elif not _fits(results[name.text], plain(value)):
                kind = _type(results[name.text])
                yield finding("SF524", value.span, f"'{name.text}' is {kind}, and this is none", f"give {kind}")
        for name_ in results:
            if name_ not in reply.values:
                help_ = f"write {{{reply.outcome}: {{{', '.join(f'{each}: ...' for each in results)}}}}}"
                yield finding("SF524", at, f"'{reply.outcome}' of '{hook}' gives '{name_}', too", help_)

    def _counts(self, counts: Node | None) -> Iterator[Diagnostic]:
        for name, _ in entries(counts):
            if name.text not in self.hooks and name.text not in PORTS:
                yield self._no_hook(name)

    def _variables(self, wanted: Iterable[tuple[Scalar, Node]]) -> Iterator[Diagnostic]:
        for name, value in wanted:
            kind = self.types.get(name.text)
            if kind is None:
                if not name.text.startswith(_LIVE):
                    help_ = did_you_mean(name.text, self.types) or f"the variables are {_list(self.types) or 'none'}"
                    yield finding("SF526", name.span, f"the flow has no variable '{name.text}'", help_)
            elif plain(value) != "unset" and not _equals(kind, plain(value)):
                words = f"'{name.text}' is {_type(kind)} and can never be {shown(plain(value))}"
                yield finding("SF526", value.span, words, f"expect {_type(kind)}, or unset")


# ---- words ---------------------------------------------------------------------------------------------------------


def _verbs(flow: FlowPlan) -> Iterator[str]:
    """The verbs whose actions the flow sends."""
    for state in flow["states"].values():
        yield state["do"]
        for talk in state.get("pre", ()):
            yield talk["do"]
        if state.get("beep"):
            yield "play"


def _fits(kind: Mapping[str, Any], value: Any) -> bool:
    """Whether a text of a calls file is a value of this type."""
    if kind["t"] in ("map", "recording"):
        return isinstance(value, Mapping)
    if kind["t"] == "boolean":
        return value in ("true", "yes", "on", "false", "no", "off")
    try:
        return coerce(kind, typed(value, kind)) is not None
    except (MismatchError, ValueError):
        return False


def _equals(kind: Mapping[str, Any], value: Any) -> bool:
    """Whether a variable of this type can be told as this text."""
    return value in ("true", "false") if kind["t"] == "boolean" else _fits(kind, value)


def _type(kind: Mapping[str, Any]) -> str:
    """A type as an author writes it."""
    name = str(kind["t"])
    if name == "one_of":
        return f"one of {_list(kind['words'])}"
    if name == "list":
        return f"a list of {_type(kind['item'])}"
    if name == "digits":
        low, high = kind.get("min", 1), kind.get("max", 128)
        return f"{low if low == high else f'{low} to {high}'} digits"
    return {"phone": "a telephone number", "number": "a whole number", "boolean": "true or false"}.get(
        name, f"a {name}"
    )


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


def _begin(node: Mapping_) -> Span:
    return node.entries[0][0].span if node.entries else node.span
