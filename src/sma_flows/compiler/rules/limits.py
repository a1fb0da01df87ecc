"""SF4xx: the service's limits (contract 7 and rule E10)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from sma_flows.compiler.facts import MAX_ACTIONS, MAX_ATTRIBUTES, attributes_bytes, sizes_of, variable_bytes
from sma_flows.compiler.resolved import ResolvedFlow
from sma_flows.compiler.rules.base import Whole, call_rule, flow_rule
from sma_flows.compiler.speech import spoken_length, type_length, value_length
from sma_flows.compiler.uses import Place, prompt_entries, prompt_items
from sma_flows.flow.diagnostics import Diagnostic, report
from sma_flows.flow.expressions import Expr
from sma_flows.flow.fields import Connector, PromptItem
from sma_flows.flow.prompts import EVERYWHERE, Entry
from sma_flows.flow.states import (
    BotState,
    BridgeState,
    RecordState,
    SendDigitsState,
    StateBase,
    WaitState,
    _Asking,
    _Listening,
)
from sma_flows.flow.types import Type

MAX_TEXT: Final = 1_000
MAX_ARGUMENTS: Final = 20
NOTE_CHARACTERS: Final = 1_024
MAX_CONFIGURATION: Final = 10_000
_RESERVED_HEADERS: Final = ("x-amzn", "x-vine", "x-vc", "x-canary", "x-voice")
_DTMF: Final = re.compile(r"[0-9*#A-D,]*")
_USER: Final = re.compile(r"[a-zA-Z0-9&=+$/%\-_!~*().]*")
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")


@flow_rule
def text_too_long(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A question is longer than 1,000 characters with its values at their longest (E10, decision 28).

    `say` is split at sentence ends. A question cannot be: keys pressed during its first part would be lost.
    """
    for state in flow.states.values():
        if state.verb not in ("gather", "menu", "bot"):
            continue
        for field, place, items in prompt_items(flow, state):
            if field not in ("prompt", "menu", "welcome", "no_input", "no_match") or place[0] == "defaults":
                continue
            worst, locale = _longest(flow, items)
            if worst > MAX_TEXT:
                where = f" in {locale}" if locale not in ("", EVERYWHERE) else ""
                yield report(
                    "SF401",
                    flow.document.span(place),
                    f"this text can have {worst:,} characters{where}",
                    label="1,000 are possible in a question",
                    help="say the first part in a state before, and shorten the question",
                )


def _longest(flow: ResolvedFlow, items: Sequence[PromptItem]) -> tuple[int, str]:
    """Most characters of the texts among the items, said together, and the locale of it."""
    locales = tuple(flow.catalogue.locales) if flow.catalogue else ("",)
    worst = (0, "")
    for locale in locales:
        total = 0
        for item in items:
            if item.template is not None:
                parts = item.template.args if item.template.op == "text" else item.template.args[:1]
                entry = Entry("say", tuple(part if isinstance(part, Expr) else str(part) for part in parts))
                total += spoken_length(flow, entry) + 1
            entries = [entry for where, entry in prompt_entries(flow, item) if where in (locale, EVERYWHERE)]
            total += max((spoken_length(flow, entry) + 1 for entry in entries), default=0)
        worst = max(worst, (total - 1, locale), key=lambda each: each[0])
    return worst


@flow_rule
def duration_out_of_range(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A time is outside of what the service accepts (rule E10, contract 4.1 to 4.10)."""
    for state in flow.states.values():
        for field, value, low, high, whole in _times(state.model):
            if value is None:
                continue
            if not low <= value <= high:
                yield report(
                    "SF406",
                    flow.span(*state.path, field),
                    f"'{field}' is outside of what is possible",
                    label=f"{_shown(value)} here",
                    help=f"write {_shown(low)} to {_shown(high)}",
                )
            elif whole and value % 1000:
                yield report(
                    "SF406",
                    flow.span(*state.path, field),
                    f"'{field}' takes whole seconds",
                    label=f"{_shown(value)} here",
                    help=f"write {max(1, round(value / 1000))}s",
                )


def _shown(ms: int) -> str:
    return f"{ms // 1000}s" if ms % 1000 == 0 and ms else f"{ms}ms"


def _times(model: StateBase) -> Iterator[tuple[str, int | None, int, int, bool]]:
    """Field, value, least, most (in ms), whole seconds only."""
    hour = 3_600_000
    if isinstance(model, BridgeState):
        yield "ring_for", model.ring_for, 1_000, 120_000, True
    if isinstance(model, RecordState):
        yield "max", model.max, 1_000, 24 * hour, True
        yield "silence", model.silence, 1_000, 1_000_000, True
    if isinstance(model, SendDigitsState):
        yield "tone", model.tone, 50, 24_000, False
    if isinstance(model, WaitState):
        yield "wait", model.wait, 100, hour, False
    if isinstance(model, _Asking):
        yield "timeout", model.timeout, 500, 10 * 60_000, False
        yield "digit_gap", model.digit_gap, 100, 10 * 60_000, False
    if isinstance(model, _Listening) and model.keys:
        yield "key_gap", model.key_gap, 100, 9_999, False


@flow_rule
def header_name(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A SIP header that the service does not pass on (contract 6.3)."""
    for state in flow.states.values():
        if not isinstance(state.model, BridgeState):
            continue
        for name, value in state.model.headers.items():
            lower = name.lower()
            good = re.fullmatch(r"x-[a-z0-9-]{1,60}", lower) or lower in ("user-to-user", "diversion")
            if not good or lower.startswith(_RESERVED_HEADERS):
                yield report(
                    "SF407",
                    flow.document.span((*state.path, "headers", name), key=True),
                    f"the header '{name}' is not passed on",
                    label="reserved by the service" if good else "not x-..., User-to-User or Diversion",
                    help=f"write `x-{re.sub(r'[^a-z0-9-]', '-', lower.removeprefix('x-'))[:40] or 'name'}`"
                    if not good
                    else "choose another name that starts with x-",
                )
            elif value_length(flow, value) > 2_048:
                yield report(
                    "SF407",
                    flow.span(*state.path, "headers", name),
                    f"the header '{name}' can be longer than 2,048 characters",
                    label="too long",
                    help="send less",
                )


@flow_rule
def digits_to_send(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """Keys to send are 1 to 50 of 0-9, star, pound, A-D and comma (contract 4.10)."""
    for state in flow.states.values():
        if not isinstance(state.model, SendDigitsState):
            continue
        value = state.model.send_digits
        constants = [part for part in value.args if isinstance(part, str)] if value.op in ("lit", "text") else []
        wrong = next((part for part in constants if not _DTMF.fullmatch(part)), "")
        length = len(str(value.args[0])) if value.op == "lit" else _text_length(flow, value)
        if wrong or not 1 <= length <= 50:
            yield report(
                "SF413",
                flow.span(*state.path, "send_digits"),
                f"'{wrong}' cannot be sent" if wrong else f"this can be {length} keys",
                label="keys are 0-9, *, #, A-D, and a comma for half a second" if wrong else "1 to 50 can be sent",
                help="send other keys" if wrong else "send them in two states, or declare a shorter type",
            )


def _text_length(flow: ResolvedFlow, value: Expr) -> int:
    if value.op == "text":
        return sum(
            len(part) if isinstance(part, str) else 1 if part.op == "env" else value_length(flow, part)
            for part in value.args
            if isinstance(part, str | Expr)
        )
    if value.op == "var":
        kind = flow.type_of(str(value.args[0]))
        return type_length(kind) if kind is not None and kind.kind in ("digits", "text", "one_of", "number") else 1
    return 1


@flow_rule
def connector_user(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """The user part of a connector is 1 to 30 characters of a SIP address (E10, contract 4.1)."""
    for state in flow.states.values():
        if not isinstance(state.model, BridgeState) or not isinstance(state.model.bridge, Connector):
            continue
        user = state.model.bridge.user
        text = user.constant
        length = len(str(text)) if text is not None else _text_length(flow, user)
        if not 1 <= length <= 30 or (isinstance(text, str) and not _USER.fullmatch(text)):
            yield report(
                "SF414",
                flow.span(*state.path, "bridge", "user"),
                "this is no user behind a connector"
                if 1 <= length <= 30
                else f"a user can have {length} characters here",
                label="1 to 30 of a-z, 0-9 and &=+$/%-_!~*().",
                help="write the extension alone, such as 5560",
            )


@flow_rule
def number_form(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A number to dial or to show is not in E.164 form (contract 4.1)."""
    places: list[tuple[Expr | None, Place]] = []
    policy = flow.model.dial_policy
    if policy is not None:
        places.append((policy.caller_id, ("dial_policy", "caller_id")))
    for state in flow.states.values():
        if isinstance(state.model, BridgeState):
            places.append((state.model.caller_id, (*state.path, "caller_id")))
            if isinstance(state.model.bridge, Expr):
                places.append((state.model.bridge, (*state.path, "bridge")))
    for value, place in places:
        text = value.constant if value is not None else None
        if text is not None and not _E164.fullmatch(str(text)):
            yield report(
                "SF415",
                flow.document.span(place),
                f"'{text}' is not a telephone number",
                label="not in E.164 form",
                help="write + and the country code, digits only, such as +12065550150",
            )


@flow_rule
def bot_locale(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """A bot is used and a locale does not say how Lex calls it (contract 4.16: LocaleId)."""
    bots = [state for state in flow.states.values() if state.verb == "bot"]
    if not bots or flow.catalogue is None or flow.catalogue_document is None:
        return
    for name, voice in flow.catalogue.locales.items():
        if not voice.bot:
            yield report(
                "SF416",
                flow.catalogue_document.span(("locales", name), key=True),
                f"the locale '{name}' does not say which locale of the bot it is",
                label="no `bot`",
                help=f"add `bot: {name.replace('-', '_')}`",
                related=[(bots[0].span, "a bot speaks here")] if flow.catalogue_document is flow.document else [],
            )


@flow_rule
def too_many_arguments(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """Arguments of a call or update: at most 20 (contract 6.1 and 6.4)."""
    if flow.entry != "sub" and len(flow.model.inputs) > MAX_ARGUMENTS:
        yield report(
            "SF411",
            flow.document.span(("inputs",), key=True),
            f"a call takes at most {MAX_ARGUMENTS} arguments, here are {len(flow.model.inputs)}",
            label="too many",
            help="look the others up with a hook",
        )
    for name, update in flow.model.updates.items():
        count = len(update.takes) + (len(update.match) if update.match is not None else 1)
        if count > MAX_ARGUMENTS:
            yield report(
                "SF411",
                flow.document.span(("updates", name), key=True),
                f"an update takes at most {MAX_ARGUMENTS} arguments, here are {count}",
                label="too many, with those of `match`",
                help="look the others up with a hook",
            )


@flow_rule
def bot_configuration(flow: ResolvedFlow) -> Iterator[Diagnostic]:
    """Attributes and welcome of a bot have at most 10 KB as JSON (contract 4.16)."""
    for state in flow.states.values():
        model = state.model
        if not isinstance(model, BotState) or not isinstance(model.attributes, dict):
            continue
        size = 120 + sum(len(name) + 8 + _json_bytes(flow, value) for name, value in model.attributes.items())
        size += 6 * _longest(flow, model.welcome)[0] if model.welcome else 0
        if size > MAX_CONFIGURATION:
            yield report(
                "SF418",
                flow.document.span((*state.path, "attributes"), key=True),
                f"the bot can be sent {size:,} bytes",
                label="10,000 are possible",
                help="send less, or declare shorter types",
            )


def _json_bytes(flow: ResolvedFlow, value: Expr) -> int:
    if value.op == "var":
        kind = flow.type_of(str(value.args[0]))
        return kind.worst_bytes if kind is not None else 0
    return 6 * value_length(flow, value)


@call_rule
def too_many_actions(whole: Whole) -> Iterator[Diagnostic]:
    """One state needs more than ten actions, which is one answer's worth (contract L2, E16)."""
    for name, size in sizes_of(whole.program).items():
        node = whole.program.nodes[name]
        if size > MAX_ACTIONS and node.state.verb != "wait":
            yield report(
                "SF412",
                node.state.span,
                f"'{node.state.name}' needs {size} actions",
                label="ten fit into one answer",
                help="make two states of it",
            )


@call_rule
def attributes_too_large(whole: Whole) -> Iterator[Diagnostic]:
    """What has to be saved between two answers can be larger than the attributes of a call (decision 3, contract 5)."""
    program = whole.program
    size, where = attributes_bytes(program, whole.keep, whole.always)
    names = sorted({*whole.keep.get(where, ()), *whole.always}, key=lambda name: (-variable_bytes(program, name), name))
    if size > MAX_ATTRIBUTES:
        spans = []
        for name in names[:3]:
            prefix, _, own = name.rpartition("/")
            flow = program.flows.get(f"{prefix}/" if prefix else "")
            if flow is not None and own in flow.variables:
                spans.append((flow.variables[own].span, f"up to {variable_bytes(program, name):,} bytes"))
        node = program.nodes[where]
        yield report(
            "SF409",
            node.state.span,
            f"up to {size:,} bytes have to be saved while the call is in '{node.state.name}'",
            label=f"{MAX_ATTRIBUTES:,} are possible",
            help="declare shorter types, or look values up again when they are needed",
            related=spans,
        )
    noted: set[str] = set()
    for kept in [*whole.keep.values(), frozenset(whole.always)]:
        for name in kept:
            prefix, _, own = name.rpartition("/")
            flow = program.flows.get(f"{prefix}/" if prefix else "")
            if name in noted or flow is None or own not in flow.variables:
                continue
            noted.add(name)
            large = _characters(flow.variables[own].type)
            if large > NOTE_CHARACTERS:
                yield report(
                    "SF410",
                    flow.variables[own].span,
                    f"'{own}' can take {large:,} characters of what is saved during the call",
                    label="an older limit of the service was 1,024",
                    help="declare a shorter type if that is enough",
                )


def _characters(kind: Type) -> int:
    """Most characters of a saved value."""
    if kind.kind == "list" and kind.item is not None:
        return (kind.max or 0) * (type_length(kind.item) + 3)
    return type_length(kind)
