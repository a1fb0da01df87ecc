"""The catalogue of diagnostics: every code, its name, and what to tell a person who asks.

Families: SF0xx file and YAML, SF1xx values and types, SF2xx names and reachability, SF3xx call behaviour, SF4xx service
limits, SF5xx calls as tests, SF6xx the template. SF9xx stays free for users. A code is never used again for something
else.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sma_flows.flow import (
    codes_behaviour,
    codes_calls,
    codes_files,
    codes_limits,
    codes_names,
    codes_template,
    codes_values,
)
from sma_flows.flow.codes_base import Code, Severity

__all__ = ["CODES", "Code", "Severity", "explain"]

_FAMILIES: Final = (codes_files, codes_values, codes_names, codes_behaviour, codes_limits, codes_calls, codes_template)


def _catalogue() -> dict[str, Code]:
    found: dict[str, Code] = {}
    names: set[str] = set()
    for code in sorted((code for family in _FAMILIES for code in family.CODES), key=lambda code: code.code):
        if code.code in found or code.name in names:
            raise ValueError(f"{code.code} ({code.name}) is in the catalogue twice")
        found[code.code] = code
        names.add(code.name)
    return found


CODES: Final[Mapping[str, Code]] = MappingProxyType(_catalogue())


def explain(code: str) -> str:
    """The page of one code, found by code or by name, as plain text.

    Raises:
        KeyError: there is no such code.
    """
    entry = CODES.get(code.upper()) or next((each for each in CODES.values() if each.name == code), None)
    if entry is None:
        raise KeyError(code)
    why = textwrap.fill(entry.why, 100)
    bad, good = (textwrap.indent(text.strip("\n"), "    ") for text in (entry.bad, entry.good))
    head = f"{entry.code} {entry.name} ({entry.severity})"
    return f"{head}\n\n{entry.title}\n\nWhy: {why}\n\nInstead of\n\n{bad}\n\nwrite\n\n{good}\n"
