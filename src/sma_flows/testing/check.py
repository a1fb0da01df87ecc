"""Everything that can be said about files of calls before they are played."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sma_flows.flow.diagnostics import Diagnostic
from sma_flows.testing import SUFFIXES
from sma_flows.testing.script import load_calls, sources_of

__all__ = ["calls_files", "check_calls"]


def calls_files(path: Path) -> list[Path]:
    """The files of calls that a path means: itself, or those below a folder."""
    if not path.is_dir():
        return [path] if path.name.endswith(SUFFIXES) else []
    return sorted(file for suffix in SUFFIXES for file in path.rglob(f"*{suffix}") if file.is_file())


def check_calls(paths: Iterable[Path]) -> tuple[list[Diagnostic], dict[str, str]]:
    """What is wrong in files of calls, in source order, and the texts that were read."""
    found: list[Diagnostic] = []
    for path in paths:
        found += load_calls(path)[1]
    return found, sources_of([*paths, *(one.span.file for one in found)])
