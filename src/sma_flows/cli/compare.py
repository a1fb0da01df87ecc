"""Compares an answer with a recorded one, and shows the difference so that a person can read it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any, Final
from zlib import crc32

from sma_flows.cli.describe import action_line

__all__ = ["difference", "same"]

_HEADER: Final = "sf"
_DIGESTS: Final = (2, 10, 11, 12, 16)
"""Fields of the header that follow every rewording: revision, fingerprint, marks of lists (``runtime/callstate``)."""

_TOKENS: Final = "st"
_HIDDEN: Final = "JoinToken"


def same(answer: Mapping[str, Any], recorded: Mapping[str, Any], *, exact: bool = False) -> bool:
    """Whether two answers mean the same to the service.

    No actions and an empty list are equal, an absent key and null are equal. Unless *exact*, revision and digests
    inside the saved call do not count: they change with every edit of a flow.
    """
    return _normal(answer, exact) == _normal(recorded, exact)


def difference(
    answer: Mapping[str, Any], recorded: Mapping[str, Any], legs: Mapping[str, str], *, exact: bool = False
) -> list[str]:
    """The lines of a diff, recorded first; empty when both are the same."""
    if same(answer, recorded, exact=exact):
        return []
    old, new = (_lines(_normal(one, exact), legs) for one in (recorded, answer))
    lines = list(difflib.unified_diff(old, new, "recorded", "now", lineterm="", n=2))
    return [line for line in lines if not line.startswith("@@")]


def _normal(answer: Mapping[str, Any], exact: bool) -> dict[str, Any]:
    kept = {key: value for key, value in answer.items() if value is not None}
    if not kept.get("Actions"):
        kept.pop("Actions", None)
    attributes = kept.get("TransactionAttributes")
    if not exact and isinstance(attributes, Mapping):
        kept["TransactionAttributes"] = {**attributes, **_without_digests(attributes.get(_HEADER))}
    return kept


def _without_digests(header: Any) -> dict[str, Any]:
    fields = header.split("|") if isinstance(header, str) else []
    if len(fields) <= max(_DIGESTS):
        return {}
    for place in _DIGESTS:
        fields[place] = "*"
    return {_HEADER: "|".join(fields)}


def _lines(answer: Mapping[str, Any], legs: Mapping[str, str]) -> list[str]:
    """One line per action, then its parameters; attributes one per line; anything else as it is. Tokens as digests."""
    lines: list[str] = []
    for action in answer.get("Actions", ()):
        if not isinstance(action, Mapping):
            lines.append(json.dumps(action))
            continue
        lines.append(action_line(action, legs))
        parameters = action.get("Parameters")
        if isinstance(parameters, Mapping):
            lines += [f"    {key}: {_shown(key, parameters[key])}" for key in sorted(parameters)]
    if not answer.get("Actions"):
        lines.append("(no actions)")
    attributes = answer.get("TransactionAttributes")
    if isinstance(attributes, Mapping):
        lines += [f"attribute {key}: {_shown(key, attributes[key])}" for key in sorted(attributes)]
    known = {"Actions", "TransactionAttributes"}
    lines += [f"{key}: {json.dumps(answer[key])}" for key in sorted(answer) if key not in known]
    return lines


def _shown(key: str, value: Any) -> str:
    """A value in a diff. A bearer token is not shown, but that it changed is."""
    if key in (_HIDDEN, _TOKENS):
        return f"*** (crc {crc32(json.dumps(value, sort_keys=True).encode()):08x})"
    return (
        value
        if isinstance(value, str) and key in ("sc", "sf", "sv")
        else json.dumps(value, sort_keys=True, ensure_ascii=False)
    )
