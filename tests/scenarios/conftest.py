"""Fixtures of the scenario tests: good runs (played once per process) and a supply of fresh processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from .harness import Run
from .network import as_written
from .script import Script
from .worker import FreshProcesses


def good_run(name: str) -> Run:
    """The run of the script called *name*, as it is written."""
    return as_written(name)[1].run


@pytest.fixture
def run_of() -> Callable[[Script], Run]:
    """Gives the plain run of a script."""
    return lambda script: good_run(script.name)


@pytest.fixture(scope="session")
def fresh_processes() -> Iterator[FreshProcesses]:
    """A server that answers every event in a process of its own."""
    with FreshProcesses() as server:
        yield server
