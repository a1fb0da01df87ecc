"""Fixtures of the scenario tests: good runs (played once per process) and a supply of fresh processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from .engine import runtime_for
from .harness import Run, play
from .script import Script, script_named
from .worker import FreshProcesses


@cache
def good_run(name: str) -> Run:
    """The plain run of the script called *name*."""
    script = script_named(name)
    return play(script, runtime_for(script))


@pytest.fixture
def run_of() -> Callable[[Script], Run]:
    """Gives the plain run of a script."""
    return lambda script: good_run(script.name)


@pytest.fixture(scope="session")
def fresh_processes() -> Iterator[FreshProcesses]:
    """A server that answers every event in a process of its own."""
    with FreshProcesses() as server:
        yield server
