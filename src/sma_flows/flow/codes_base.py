"""The shape of one entry of the diagnostics catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Code", "Severity"]

Severity: TypeAlias = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Code:
    """What one kind of diagnostic means, for people who meet it.

    `title` is one sentence, `why` says what would happen to a call, `bad` and `good` are pieces of YAML.
    """

    code: str
    name: str
    severity: Severity
    title: str
    why: str
    bad: str
    good: str
