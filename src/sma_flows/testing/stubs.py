"""What a stub stands for: the replies of a hook as a calls file writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sma_flows.errors import SmaFlowsError

__all__ = ["LATE_MS", "Reaction", "StubError", "reaction", "seconds"]

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float | None:
    """``20s`` as seconds; None when it is no length of time."""
    match = _DURATION.fullmatch(text.strip())
    return float(match[1]) * _UNITS[match[2]] if match else None


class StubError(SmaFlowsError):
    """A reply that is written in no way we know; the text says what to write."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a stub does: ``fails`` (the hook raises), or an outcome with its results; after so many milliseconds."""

    outcome: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    after_ms: int = 0
    fails: bool = False


LATE_MS: Final = 3_600_000
"""Longer than any budget."""


def reaction(stub: Any) -> Reaction:
    """One item of a stub as it is written: ``wrong``, ``{ok: {room: m}}``, ``raises``, ``late``, each map perhaps with
    ``after: 800ms``.

    Raises:
        StubError: it is none of these; the text says what to write.
    """
    if isinstance(stub, str):
        return Reaction(stub, fails=stub == "raises", after_ms=LATE_MS if stub == "late" else 0)
    if not isinstance(stub, Mapping):
        raise StubError("a reply is an outcome, {outcome: {result: value}}, raises or late")
    after = stub.get("after")
    length = seconds(after) if isinstance(after, str) else None
    rest = {key: value for key, value in stub.items() if not (key == "after" and length is not None)}
    if len(rest) != 1:
        raise StubError("a reply has one outcome: write {ok: {room: m-1}} or {ok: {room: m-1}, after: 800ms}")
    ((outcome, values),) = rest.items()
    if not isinstance(values or {}, Mapping):
        raise StubError(f"the results of '{outcome}' are a map: write {{{outcome}: {{name: value}}}}")
    late = LATE_MS if outcome == "late" else round(1000 * (length or 0))
    return Reaction(outcome, dict(values or {}), late, fails=outcome == "raises")
