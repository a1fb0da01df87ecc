"""The saved call: what TransactionAttributes carry from one event to the next.

Four keys, strings, complete or absent (decisions 2 and 5):

``sf``  header, fields joined by ``|``: layout, flow, revision, position, then, base, heard, stack, n, q, fp, last, was,
        flags, aside, departed legs, owners
``sc``  counters, ``name=3;other=1``
``sv``  live variables: ``name=value;other=x`` where all are plain short texts, else a JSON object
``st``  bearer tokens (variables declared ``masked``), in the same form

Legs are not in it: they are read from every event (decision 1). A secret is never in it (decision 12).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

LAYOUT: Final = "1"
"""Version of the header. A header of another version counts as no saved call."""

_FIELDS: Final = 17
_dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, sort_keys=True).encode
_decode = json.JSONDecoder().raw_decode
_PLAIN: Final = re.compile(r"[A-Za-z0-9+_./:@ -]{0,200}").fullmatch
_new = object.__new__


class Call:
    """One call between two events.

    ``pos`` is the state whose action the call waits for (empty before the first list); ``then`` the state to go on with
    when a list was cut; ``base`` the bridge, meeting or listening state behind an aside; ``heard`` the last state that
    listened; ``stack`` the `use` states around the position; ``n`` counts answers; ``q`` and ``fp`` identify the event
    answered last; ``last`` and ``was`` the reporting action of the current and of the previous list; ``owners`` which
    state owns which action where that matters for failures; ``departed`` the legs whose end was handled.

    ``flags``: ``a`` answered, ``b`` bad arguments, ``c`` cleaned up, ``e`` error path entered, ``h`` flow hung up,
    ``r`` rejected, ``s`` Sequence cannot be trusted, ``B`` leg B left first.
    """

    __slots__ = (
        "aside",
        "base",
        "counters",
        "departed",
        "flags",
        "flow",
        "fp",
        "heard",
        "last",
        "n",
        "owners",
        "pos",
        "q",
        "revision",
        "stack",
        "then",
        "vars",
        "was",
    )

    def __init__(self, flow: str, revision: str) -> None:
        self.flow = flow
        self.revision = revision
        self.pos = ""
        self.then = ""
        self.base = ""
        self.heard = ""
        self.stack = ""
        self.n = 0
        self.q = -1
        self.fp = ""
        self.last = ""
        self.was = ""
        self.flags = ""
        self.aside = ""
        self.departed = ""
        self.owners = ""
        self.counters: dict[str, int] = {}
        self.vars: dict[str, Any] = {}

    def copy(self) -> Call:
        """A call that can be changed without changing this one. Values of variables are shared and never changed."""
        other = Call(self.flow, self.revision)
        for name in Call.__slots__:
            setattr(other, name, getattr(self, name))
        other.counters = dict(self.counters)
        other.vars = dict(self.vars)
        return other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Call):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in Call.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        # Variables are left out on purpose: a representation may end in a log.
        return f"Call({self.flow}@{self.revision} pos={self.pos!r} base={self.base!r} n={self.n})"


def save(call: Call, tokens: frozenset[str]) -> dict[str, str]:
    """The saved call as TransactionAttributes; *tokens* are the variables that go under ``st``."""
    out = {
        "sf": (
            f"{LAYOUT}|{call.flow}|{call.revision}|{call.pos}|{call.then}|{call.base}|{call.heard}|{call.stack}|{call.n}"
            f"|{call.q}|{call.fp}|{call.last}|{call.was}|{call.flags}|{call.aside}|{call.departed}|{call.owners}"
        )
    }
    if call.counters:
        out["sc"] = ";".join([f"{name}={count}" for name, count in call.counters.items()])
    values = call.vars
    if values:
        if tokens and not tokens.isdisjoint(values):
            out["st"] = _write({name: value for name, value in values.items() if name in tokens})
            values = {name: value for name, value in values.items() if name not in tokens}
        if values:
            out["sv"] = _write(values)
    return out


def _write(values: dict[str, Any]) -> str:
    """Variables as text. Most calls hold a few digits and words: those need no JSON, which also doubles every quote."""
    for value in values.values():
        if value.__class__ is not str or _PLAIN(value) is None:
            return _dumps(values)
    return ";".join([f"{name}={value}" for name, value in values.items()])


_OWN: Final = {
    **dict.fromkeys(("@attendee", "@made", "@muted"), str),
    **dict.fromkeys(("@undo", "@queue", "@hold"), list),
    "@rec": dict,
}
"""Values of the runtime itself and their types; anything else under such a name counts as absent."""


def _read(text: str) -> dict[str, Any]:
    if text[0] == "{":
        values, _ = _decode(text)
        if not isinstance(values, dict):
            raise ValueError("not an object")
        for name, kind in _OWN.items():
            if name in values and not isinstance(values[name], kind):
                del values[name]
        return values
    return {name: value for name, _, value in [item.partition("=") for item in text.split(";")]}


def load(attributes: Mapping[str, Any]) -> Call | None:
    """Read a saved call; None when there is none, or it is not ours, or it is damaged."""
    header = attributes.get("sf")
    if not isinstance(header, str):
        return None
    fields = header.split("|")
    if len(fields) != _FIELDS or fields[0] != LAYOUT:
        return None
    call = _new(Call)
    try:
        (
            _,
            call.flow,
            call.revision,
            call.pos,
            call.then,
            call.base,
            call.heard,
            call.stack,
            n,
            q,
            call.fp,
            call.last,
            call.was,
            call.flags,
            call.aside,
            call.departed,
            call.owners,
        ) = fields
        call.n = int(n)
        call.q = int(q)
        call.counters = counters = {}
        text = attributes.get("sc")
        if text:
            for item in text.split(";"):
                name, _, count = item.rpartition("=")
                counters[name] = int(count)
        text = attributes.get("sv")
        call.vars = _read(text) if text else {}
        text = attributes.get("st")
        if text:
            call.vars.update(_read(text))
    except (ValueError, TypeError, AttributeError, RecursionError, KeyError):
        return None
    return call
