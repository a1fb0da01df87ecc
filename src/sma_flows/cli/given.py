"""Flows that were named on a command line: are they there, is anything in them, and how did they fare."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from sma_flows.cli.console import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sma_flows.compiler import CompileResult
    from sma_flows.flow.diagnostics import Diagnostic

__all__ = ["existing", "something", "verdict"]


def existing(paths: Sequence[str]) -> list[Path]:
    """The paths, if all of them are there.

    Raises:
        WrongUsage: one is not.
    """
    for path in paths:
        if not Path(path).exists():
            raise WrongUsage(f"there is no file or folder '{path}': name flow files or folders, such as flows/.")
    return [Path(path) for path in paths]


def something(result: CompileResult, paths: Sequence[str]) -> None:
    """Refuse paths in which there was nothing to compile.

    Raises:
        WrongUsage: no flow, and no finding that would say why.
    """
    if not result.flows and not result.diagnostics and not result.sources:
        raise WrongUsage(
            f"{', '.join(paths)} holds no flows: a flow is a .yaml file that begins with `sma_flow: 1`, "
            "such as flows/dial-in.yaml."
        )


def verdict(found: Sequence[Diagnostic], files: int) -> str:
    """The closing line: how many of what."""
    count = Counter(one.severity for one in found)
    words = [
        f"{count[severity]} {severity}{'' if count[severity] == 1 else 's'}"
        for severity in ("error", "warning", "note")
        if count[severity]
    ]
    return f"{files} file{'' if files == 1 else 's'} checked: {', '.join(words) or 'nothing to mend'}"
