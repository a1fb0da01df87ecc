"""How long a spoken text can become, counted as the service counts it (contract E10, decision 28)."""

from __future__ import annotations

from typing import Final

from sma_flows.compiler.lower_talk import needs_ssml
from sma_flows.compiler.resolved import ResolvedFlow
from sma_flows.flow.expressions import Expr
from sma_flows.flow.prompts import Entry
from sma_flows.flow.types import Type

__all__ = ["spoken_length", "type_length", "value_length"]

_ESCAPED: Final = 5
"""`&amp;`: a character that SSML cannot hold as it is."""
_SAY_AS: Final = len('<say-as interpret-as="cardinal"></say-as>')
_LIVE: Final = {
    "id": 36,
    "from": 16,
    "to": 16,
    "direction": 8,
    "locale": 5,
    "answered": 5,
    "ended_by": 7,
    "hangup_code": 3,
    "user_to_user": 128,
}


def type_length(kind: Type) -> int:
    """Most characters of a value."""
    fixed = {"number": 16, "boolean": 5, "phone": 16, "locale": 5, "prompt": 200, "leg": 1, "audio": 256}
    if kind.kind in ("digits", "text"):
        return kind.max or 200
    if kind.kind == "one_of":
        return max((len(word) for word in kind.words), default=0)
    return fixed.get(kind.kind, 200)


def value_length(flow: ResolvedFlow, value: Expr, *, ssml: bool = False) -> int:
    """Most characters that a value inserts into a text."""
    if value.op == "as":
        inner = value.args[1]
        return _SAY_AS + (value_length(flow, inner, ssml=True) if isinstance(inner, Expr) else 0)
    if value.op == "lit":
        return len(str(value.args[0]))
    if value.op in ("+", "-"):
        return 16
    if value.op == "key":
        return 20 if value.args[0] == "digits" else 1
    if value.op == "call":
        return _LIVE[str(value.args[0])]
    if value.op == "var":
        kind = flow.type_of(str(value.args[0]))
        if kind is None:
            return 0
        free = kind.kind in ("text", "audio", "list", "recording", "map")
        return type_length(kind) * (_ESCAPED if ssml and free else 1)
    return 200 * (_ESCAPED if ssml else 1)


def spoken_length(flow: ResolvedFlow, entry: Entry) -> int:
    """Most characters of a prompt entry as it is sent, tags included. 0 for a file."""
    ssml = needs_ssml(entry)
    length = len("<speak></speak>") if ssml and not entry.ssml else 0
    for part in entry.parts:
        length += len(part) if isinstance(part, str) else value_length(flow, part, ssml=ssml)
    return length
