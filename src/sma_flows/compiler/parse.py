"""From YAML nodes to models: every fault of a file at once, each at its place and in the author's words."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from sma_flows.flow.diagnostics import MAX_FINDINGS, Diagnostic, Fault, limited, nearest, report
from sma_flows.flow.fields import SHAPES, TAG, shape_of
from sma_flows.flow.model import (
    BundleModel,
    CleanupItem,
    Defaults,
    DialPolicy,
    FlowModel,
    HookModel,
    Retry,
    Route,
    UpdateModel,
)
from sma_flows.flow.nodes import Document, Mapping_, Scalar, Seq, phone_key
from sma_flows.flow.prompts import Catalogue, PromptsModel
from sma_flows.flow.states import foreign_key, keys_of, owners_of, verb_of

__all__ = ["parse_bundle", "parse_flow", "parse_prompts"]

Path: TypeAlias = "tuple[str | int, ...]"
M = TypeVar("M", bound=BaseModel)

_KINDS: Final = {"flow": "a flow", "prompts": "a prompt catalogue", "bundle": "a bundle", "calls": "a test script"}
_EXAMPLES: Final = {
    "name": "name: front-desk",
    "entry": "entry: inbound",
    "start": "start: welcome",
    "states": "states:",
    "prompt": "prompt: ask_pin",
    "keys": "keys: {1: sales}",
    "max": "max: 2m",
    "to": "to: env.RECORDINGS",
    "times": "times: 2",
    "connector": "connector: env.CONNECTOR_ARN",
    "user": 'user: "desk"',
    "zone": "zone: America/New_York",
    "next": "next: STATE",
    "run": "run: hook(value)",
    "flow": "flow: front-desk",
    "flows": "flows: [front-desk.yaml]",
    "default": "default: en-US",
    "locales": "locales: {en-US: {voice: Joanna}}",
    "voice": "voice: Joanna",
}
_SHAPE_HELP: Final = {
    "one value": "write one value behind the colon",
    "a list": "write lines `- value` below it, or [value, value]",
    "a map": "write lines `key: value` below it",
}
_OTHER_KEYS: Final = {
    "bridge": ("connector", "user"),
    "prompts": ("audio", "ssml"),
    "locales": ("voice", "engine", "bot"),
}
_SINGULAR: Final = {
    "states": "state",
    "hooks": "hook",
    "schedules": "schedule",
    "updates": "update",
    "locales": "locale",
}
_MODELS: Final[Mapping[str, type[BaseModel]]] = {"flow": FlowModel, "bundle": BundleModel, "prompts": PromptsModel}
_SUB_ONLY: Final = ("outcomes", "gives")
_NOT_SUB: Final = {
    "dial_policy": "the outer flow's policy holds",
    "cleanup": "the outer flow cleans up",
    "updates": "the outer flow takes updates",
}


def parse_flow(document: Document) -> tuple[FlowModel | None, list[Diagnostic]]:
    """The model of a flow file; None when anything in it cannot be read."""
    model, found = _parse(FlowModel, "flow", document)
    found += _same_keys(document)
    found += _entry(document)
    return model, limited(found, document.path)


def parse_bundle(document: Document) -> tuple[BundleModel | None, list[Diagnostic]]:
    """The model of a bundle file; None when anything in it cannot be read."""
    model, found = _parse(BundleModel, "bundle", document)
    return model, limited(found, document.path)


def parse_prompts(document: Document) -> tuple[Catalogue | None, list[Diagnostic]]:
    """The catalogue of a prompts file; None when anything in it cannot be read."""
    model, found = _parse(PromptsModel, "prompts", document)
    return (model.catalogue() if model else None), limited(found, document.path)


def _parse(model: type[M], kind: str, document: Document) -> tuple[M | None, list[Diagnostic]]:
    wrong = _wrong_kind(kind, document)
    if wrong is not None:
        return None, [wrong]
    try:
        return model.model_validate(document.plain()), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
    return None, _Findings(kind, document, errors).all()


def _wrong_kind(kind: str, document: Document) -> Diagnostic | None:
    """The finding for a file that is no file of this kind at all."""
    first = f"sma_{kind}"
    if document.kind == kind or any(nearest(key.text, [first]) for key, _ in document.root.entries[:3]):
        return None
    if document.kind:
        message = f"this file is {_KINDS[document.kind]}, not {_KINDS[kind]}"
    else:
        message = f"the file does not say that it is {_KINDS[kind]}"
    return report("SF017", document.span(()), message, label="first key", help=f"start the file with `{first}: 1`")


class _Findings:
    """Translates what the models refused."""

    def __init__(self, kind: str, document: Document, errors: Sequence[Mapping[str, Any]]) -> None:
        self.kind = kind
        self.document = document
        self.errors = errors
        self.verbs: dict[Path, str] = {}

    def all(self) -> list[Diagnostic]:
        """One diagnostic for each mistake: a misspelt key is both unknown and missing, and told once."""
        found: list[Diagnostic] = []
        unknown: dict[Path, list[str]] = defaultdict(list)
        missing: dict[Path, list[str]] = defaultdict(list)
        for error in self.errors:
            path, of_key = _clean(error["loc"])
            if error["type"] == "extra_forbidden":
                unknown[path[:-1]].append(str(path[-1]))
            elif error["type"] == "missing":
                missing[path[:-1]].append(str(path[-1]))
            else:
                found.append(self._refused(error, path, of_key))
        for path in {**unknown, **missing}:
            found += self._keys(path, unknown.get(path, []), missing.get(path, []))
        return found

    # keys

    def _keys(self, path: Path, unknown: list[str], missing: list[str]) -> Iterator[Diagnostic]:
        for position, name in enumerate(unknown):
            close = nearest(name, missing) if position < MAX_FINDINGS else ""
            if close:
                missing.remove(close)
            yield self._unknown(path, name, close, guess=position < MAX_FINDINGS)
        for name in missing:
            yield self._missing(path, name)

    def _unknown(self, path: Path, name: str, missing: str, *, guess: bool) -> Diagnostic:
        verb = self._verb(path)
        if verb and not missing and owners_of(name):
            return self._fault(foreign_key(name, verb), path)
        known = self._known(path, verb)
        close = missing or (nearest(name, known) if guess else "")
        listed = ", ".join(known)
        return report(
            "SF101",
            self.document.span((*path, name), key=True),
            f"{self._name(path)} has no key '{_short(name)}'",
            label="unknown key",
            help=f"did you mean '{close}'?" if close else f"the keys are {listed}" if listed else "remove it",
        )

    def _missing(self, path: Path, name: str) -> Diagnostic:
        if name == f"sma_{self.kind}":
            return report(
                "SF017",
                self.document.span(()),
                f"the file does not say that it is {_KINDS[self.kind]}",
                label="first key",
                help=f"start the file with `{name}: 1`",
            )
        example = _EXAMPLES.get(name, f"{name}:")
        where = self.document.span(path, key=True)
        return report("SF102", where, f"'{name}' is missing in {self._name(path)}", help=f"add `{example}`")

    def _verb(self, path: Path) -> str:
        """The verb, where the path is that of a state."""
        if len(path) != 2 or path[0] != "states":
            return ""
        if path not in self.verbs:
            node = self.document.node(path)
            try:
                keys = {key.text: None for key, _ in node.entries} if isinstance(node, Mapping_) else {}
                self.verbs[path] = verb_of(keys)[0]
            except Fault:
                self.verbs[path] = ""
        return self.verbs[path]

    def _known(self, path: Path, verb: str) -> tuple[str, ...]:
        """The keys that the map at this path may have."""
        if verb:
            node = self.document.node(path)
            talk = [word for word in ("say", "play") if isinstance(node, Mapping_) and node.get(word) is not None]
            return keys_of(verb, talking=any(word != verb for word in talk))
        model = self._model(path)
        if model is None:
            return _OTHER_KEYS.get(str(path[-1]), _OTHER_KEYS.get(str(path[0]), ()))
        return tuple(field.alias or name for name, field in model.model_fields.items())

    def _model(self, path: Path) -> type[BaseModel] | None:
        if not path:
            return _MODELS[self.kind]
        if path[-1] == "retry":
            return Retry
        known: dict[tuple[str | int, int], type[BaseModel]] = {
            ("hooks", 2): HookModel,
            ("dial_policy", 1): DialPolicy,
            ("updates", 2): UpdateModel,
            ("defaults", 1): Defaults,
            ("cleanup", 2): CleanupItem,
            ("routes", 2): Route,
        }
        return known.get((path[0], len(path)))

    def _name(self, path: Path) -> str:
        """What the map at this path is, for a sentence."""
        if not path:
            return _KINDS[self.kind]
        if len(path) == 2 and path[0] in _SINGULAR:
            return f"{_SINGULAR[str(path[0])]} '{_short(str(path[1]))}'"
        last = path[-1]
        if isinstance(last, int):
            return f"entry {last + 1} of '{path[-2]}'"
        return f"'{_short(last)}'"

    # values

    def _refused(self, error: Mapping[str, Any], path: Path, of_key: bool) -> Diagnostic:
        fault = error.get("ctx", {}).get("error")
        if isinstance(fault, Fault):
            return self._fault(fault, path, of_key)
        value = error["input"]
        if isinstance(value, Scalar) and not value.text and not value.quoted:
            return self._fault(Fault("SF104", "{field} has no value", at_key=True), path)
        takes = "a list" if error["type"] in ("list_type", "tuple_type") else "a map of keys"
        shape = SHAPES[shape_of(value)]
        return self._fault(Fault("SF103", f"{{field}} takes {takes}, not {shape}", at_key=True), path)

    def _fault(self, fault: Fault, path: Path, of_key: bool = False) -> Diagnostic:
        at = (*path, *fault.path)
        message = fault.message
        if "{field}" in message and fault.code in ("SF102", "SF103", "SF104", "SF105", "SF126"):
            name = self._name(path)
            message = message.replace("{field}", name, 1)
        help_ = fault.help
        if fault.code == "SF104" and not help_:
            help_ = "write a value behind the colon, or remove the key"
        if fault.code == "SF103" and not help_:
            takes = re.search(r"takes (one value|a list|a map)", message)
            help_ = _SHAPE_HELP[takes[1] if takes else "one value"]
        return report(
            fault.code,
            self._place(fault, at, of_key),
            message,
            label=fault.label,
            help=help_,
            related=[(self.document.span((*path, *other), key=True), label) for other, label in fault.related],
        )

    def _place(self, fault: Fault, at: Path, of_key: bool) -> Any:
        node = self.document.node(at)
        if of_key:
            return self.document.span(at, key=True)
        if fault.at_key and not (isinstance(node, Scalar) and fault.code == "SF103"):
            return self.document.span(at, key=True)
        if isinstance(node, Scalar) and fault.length is not None:
            return node.part(fault.offset, fault.length)
        return self.document.span(at)


def _clean(loc: Sequence[str | int]) -> tuple[Path, bool]:
    """The path in the file, and whether the key itself was refused. Steps that only the models know are left out."""
    of_key = bool(loc) and loc[-1] == "[key]"
    steps = loc[:-1] if of_key else loc
    return tuple(step for step in steps if not (isinstance(step, str) and step.startswith(TAG))), of_key


def _same_keys(document: Document) -> Iterator[Diagnostic]:
    """`star` and `"*"` in one map of keys are the same key."""
    states = document.root.get("states")
    for _, state in states.entries if isinstance(states, Mapping_) else ():
        keys = state.get("keys") if isinstance(state, Mapping_) else None
        first: dict[str, Scalar] = {}
        for key, _ in keys.entries if isinstance(keys, Mapping_) else ():
            same = first.setdefault(phone_key(key.text), key)
            if same is not key:
                yield report(
                    "SF128",
                    key.span,
                    f"'{key.text}' and '{same.text}' are the same key of the telephone",
                    label="second one",
                    help="remove one of them",
                    related=[(same.span, "first one")],
                )


def _entry(document: Document) -> Iterator[Diagnostic]:
    """Keys that fit only some entries: a sub-flow is used like a hook, the others take calls."""
    entry = document.root.get("entry")
    kind = entry.text if isinstance(entry, Scalar) else ""
    if kind not in ("inbound", "outbound", "sub"):
        return
    for name in _NOT_SUB if kind == "sub" else _SUB_ONLY:
        found = document.root.find(name)
        if found is None or (isinstance(found[1], Mapping_ | Seq) and not _filled(found[1])):
            continue
        why = _NOT_SUB.get(name, "only sub-flows are used by other flows")
        yield report(
            "SF130",
            found[0].span,
            f"'{name}' is no key of a flow with `entry: {kind}`",
            label=why,
            help="move it to the outer flow" if kind == "sub" else "remove it, or write `entry: sub`",
        )
    if kind == "sub" and document.root.find("outcomes") is None:
        yield report(
            "SF102",
            document.span(("entry",), key=True),
            "'outcomes' is missing in a sub-flow",
            label="a sub-flow tells how it ended",
            help="add `outcomes: [done]`",
        )


def _filled(node: Mapping_ | Seq) -> bool:
    return bool(node.entries if isinstance(node, Mapping_) else node.items)


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
