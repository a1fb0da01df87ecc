"""The option ``--at``: what time it is for a flow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from sma_flows.cli.console import WrongUsage

__all__ = ["clock_option", "read_time"]

Command = TypeVar("Command", bound=Callable[..., Any])


def read_time(text: str) -> datetime:
    """The time a text means: ISO 8601, UTC unless it says otherwise, or ``now``.

    Raises:
        WrongUsage: it is neither.
    """
    if text == "now":
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise WrongUsage(
            f"--at {text}: this is no time; write for example --at 2026-11-20T09:30-05:00, or --at now"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def clock_option(command: Command) -> Command:
    """Add ``--at``."""
    return click.option(
        "--at",
        metavar="TIME",
        callback=lambda _context, _option, value: None if value is None else read_time(value),
        help="Clock of every event, such as 2026-11-20T09:30-05:00, or `now`. Default: the newest time in the event.",
    )(command)
