"""What commands share that call flows: which flows are meant, and values of their environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import click

from sma_flows.cli.console import WrongUsage

__all__ = ["env_of", "env_option", "flow_files"]

_ENTRY: Final = re.compile(r"^entry:\s*(inbound|outbound)\b", re.MULTILINE)
_FLOW: Final = re.compile(r"^sma_flow:", re.MULTILINE)


def env_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give *command* the option ``--env NAME=VALUE``, as often as one likes: see :func:`env_of`."""
    help_ = "A value of env.NAME; others: local.env beside the flow."
    decorated: Callable[..., Any] = click.option("--env", multiple=True, metavar="NAME=VALUE", help=help_)(command)
    return decorated


def flow_files(paths: Iterable[str]) -> list[Path]:
    """The flows that paths mean: files, and every flow in a folder that can be called.

    Raises:
        WrongUsage: there is none.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise WrongUsage(f"there is no file or folder '{path}': name a flow file.")
        inside = [path] if path.is_file() else sorted(each for each in path.glob("*.yaml") if _callable(each))
        if not inside:
            raise WrongUsage(f"there is no flow in '{path}' that can be called (with `entry: inbound` or `outbound`).")
        found += [each for each in inside if each not in found]
    return found


def _callable(path: Path) -> bool:
    text = path.read_text("utf-8", errors="replace")
    return bool(_FLOW.search(text) and _ENTRY.search(text))


def env_of(pairs: Iterable[str]) -> dict[str, str]:
    """The values of ``--env NAME=VALUE``.

    Raises:
        WrongUsage: one of them is no pair.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise WrongUsage(f"--env '{pair}': write NAME=VALUE.")
        found[name] = value
    return found
