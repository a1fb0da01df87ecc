"""The functions whose init phases are measured start in the real runtime, and count only if they answer right."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT


@pytest.fixture
def init(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.init")


def test_every_function_starts_in_the_real_runtime_and_gives_the_expected_answer(init: Any, tmp_path: Path) -> None:
    told: list[str] = []
    made = init.functions(tmp_path)
    starts = init.measure(made, 1, told.append)
    assert "round 1 of 1" in told
    for name, base, _ in init.AIMS:
        assert len(starts[name]) == len(starts[base]) == 1
        assert all(ratio.value > 0 for ratio in init.ratios(starts, name, base))
    assert all(0 < init.zipped(each.folder) <= init.MOST_ZIPPED for each in made.values())


def test_a_function_with_another_answer_is_not_measured(init: Any, tmp_path: Path) -> None:
    made = init.functions(tmp_path)[init.EMPTY]
    with pytest.raises(SystemExit, match="answered"):
        init.start(replace(made, answers=lambda answer: "Actions" in answer))
