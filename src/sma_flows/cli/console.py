"""Output: plain lines on stdout, progress and problems on stderr."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any, Final, NoReturn

import click
from rich.console import Console
from rich.text import Text

__all__ = [
    "FindingsError",
    "WrongUsage",
    "busy",
    "columns",
    "ended_from_outside",
    "err",
    "exit_with",
    "out",
    "say_json",
    "show",
    "steady_output",
]


INTERRUPTED: Final = 130
READER_GONE: Final = 141
"""What a shell says of a program that SIGINT or SIGPIPE has ended: never the codes of findings and of wrong usage."""


class WrongUsage(click.ClickException):
    """The command was given something it cannot work with. One paragraph that names what to do; exit code 2."""

    exit_code = 2


class FindingsError(click.ClickException):
    """A flow or an answer is not as it should be. One paragraph; exit code 1."""

    exit_code = 1


def steady_output(*streams: IO[str]) -> None:
    """Let a terminal that cannot show a character print its escape instead of ending the command."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def ended_from_outside() -> Iterator[None]:
    """Ctrl-C, and a reader who has seen enough (``| head -1``), end the command; they are no findings.

    Raises:
        Exit: of click, with 130 or 141.
    """
    try:
        yield
    except KeyboardInterrupt:
        with suppress(OSError):
            click.echo("Interrupted.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        with suppress(OSError, ValueError):  # what is still to be flushed when the interpreter ends goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(READER_GONE) from None


class _Console(Console):
    """A console that does not exit by itself, with the code of findings, when its reader has gone."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def out() -> Console:
    """The console of results. Made anew each time, so that a redirected stdout is honoured."""
    return _Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def err() -> Console:
    """The console of progress and remarks."""
    return _Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def show(text: str | Text, *, end: str = "\n") -> None:
    """Print one piece of result. Lines are never wrapped: what is copied or piped stays whole."""
    out().print(text, end=end)


def say_json(value: Any) -> None:
    """Print a result for programs: one JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def columns(head: Sequence[str], rows: Iterable[Sequence[object]], right: Container[int] = ()) -> Iterator[Text]:
    """Rows as aligned lines, a bold head first. ``right`` are the columns of numbers. Nothing is ever cut."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    for number, row in enumerate(cells):
        padded = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield Text("  ".join(padded).rstrip(), style="" if number else "bold")


@contextmanager
def busy(doing: str) -> Iterator[None]:
    """Show on a terminal that something takes its time. Elsewhere: nothing."""
    console = err()
    if not console.is_terminal:
        yield
        return
    with console.status(doing, spinner="line"):
        yield


def exit_with(code: int) -> NoReturn:
    """End the command with an exit code of the table in ``sma-flows --help``."""
    click.get_current_context().exit(code)
