"""What commands share that run a flow on the simulated service: parties and numbers from options, and how they end."""

from __future__ import annotations

import json
import queue
import re
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sma_flows.cli.console import WrongUsage

if TYPE_CHECKING:
    from sma_flows.simulator.exchange import Line
    from sma_flows.simulator.model import World
    from sma_flows.simulator.parties import Party
    from sma_flows.testing.script import CallScript

__all__ = [
    "ended_by_signal",
    "folder_of",
    "numbers_of",
    "pair",
    "people_of",
    "read_given",
    "show_calls",
    "switch_option",
    "switches_of",
]

NUMBER: Final = re.compile(r"\+[1-9]\d{1,14}")
LOOK_S: Final = 0.2
"""Real seconds between two looks for Ctrl-C while nothing happens."""


def pair(text: str, option: str, example: str = "") -> tuple[str, str]:
    """NAME and VALUE of an option; *example* is shown to whoever writes something else.

    Raises:
        WrongUsage: it is something else.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise WrongUsage(f"{option} {text}: write NAME=VALUE{f', such as {example}' if example else ''}.")
    return name, value


def switch_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give *command* the option ``--switch NAME=VALUE``, as often as one likes: see :func:`switches_of`."""
    help_ = "An open question of the service (sma-flows fidelity --switches)."
    option = click.option("--switch", "switches", multiple=True, metavar="NAME=VALUE", help=help_)
    decorated: Callable[..., Any] = option(command)
    return decorated


def switches_of(given: Iterable[str]) -> dict[str, str]:
    """The values of ``--switch NAME=VALUE``.

    Raises:
        WrongUsage: one of them is no pair, no switch, or none of its values.
    """
    from sma_flows.simulator.switches import SwitchError, Switches

    chosen = dict(pair(text, "--switch", "overlap=parallel") for text in given)
    try:
        Switches().having(chosen)
    except SwitchError as error:
        raise WrongUsage(f"--switch: {error}.") from None
    return chosen


def folder_of(flow: str) -> Path:
    """The folder of a flow."""
    path = Path(flow)
    return path if path.is_dir() else path.parent


def read_given(given: tuple[str, ...], key: str, option: str) -> CallScript:
    """What is given as in a calls file: ``NUMBER=busy`` or ``NUMBER={answers: 3s}``."""
    from sma_flows.testing.script import read_calls

    lines = "".join(f"      {json.dumps(name)}: {value}\n" for name, value in (pair(one, option) for one in given))
    text = "flow: x\ncalls:\n  - call: x\n" + (f"    {key}:\n{lines}" if given else "")
    file, found = read_calls(text, option)
    if file is None:
        raise WrongUsage(f"{option}: {'. '.join(filter(None, (found[0].message, found[0].help)))}.")
    return file.calls[0]


def people_of(given: tuple[str, ...], values: Mapping[str, str]) -> dict[str, Party]:
    """Who is at which number, of ``--party NUMBER=DOES``: ``env.NAME`` is the number that *values* have for it.

    Raises:
        WrongUsage: one of them is no pair, no party, or has no value.
    """
    from sma_flows.testing.play import by_value
    from sma_flows.testing.world import UnplayableError

    try:
        return by_value(read_given(given, "parties", "--party").parties, values, "--party")
    except UnplayableError as error:
        raise WrongUsage(f"{error}.") from None


def numbers_of(world: World, given: tuple[str, ...], values: Mapping[str, str]) -> frozenset[str]:
    """The numbers of the account: those that are given, and those that the flow calls its own."""
    wrong = [number for number in given if not NUMBER.fullmatch(number)]
    if wrong:
        raise WrongUsage(f"--number {wrong[0]}: write a number such as +14255550100.")
    return world.numbers | frozenset(given) | {value for value in values.values() if NUMBER.fullmatch(value)}


@contextmanager
def ended_by_signal() -> Iterator[None]:
    """SIGTERM ends the command as Ctrl-C does."""

    def end(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def show_calls(told: queue.Queue[tuple[Line, str]], *, as_json: bool) -> None:
    """Print what happens on the telephone until the command is ended."""
    calls: dict[str, int] = {}
    while True:
        try:
            line, words = told.get(timeout=LOOK_S)
        except queue.Empty:
            continue
        number = calls.setdefault(line.transaction, len(calls) + 1)
        if as_json:
            click.echo(json.dumps({"call": line.transaction, "line": words.strip()}, ensure_ascii=False))
        else:
            click.echo(f"[{number}] {words}")
