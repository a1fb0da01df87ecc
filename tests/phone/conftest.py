"""Telephones on the flows of the project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sma_flows.phone.handset import Handset
from sma_flows.testing.script import read_calls

FLOWS = Path(__file__).resolve().parents[2] / "flows"
Dial = Callable[..., Handset]


@pytest.fixture
def dial() -> Iterator[Dial]:
    """Gives a telephone on a flow; ``head`` are further keys of the call."""
    made: list[Handset] = []

    def one(flow: str, head: str = "", *, live: bool = False) -> Handset:
        file, found = read_calls(f"flow: {flow}.yaml\ncalls:\n  - call: by hand\n{head}", "phone")
        assert file is not None, found
        made.append(Handset(FLOWS / f"{flow}.yaml", file.calls[0], live=live))
        return made[-1]

    yield one
    for each in made:
        each.close()
