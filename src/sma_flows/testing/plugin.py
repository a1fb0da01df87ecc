"""The pytest plugin: each call of a ``*.calls.yaml`` file is a test. Nothing heavy is loaded before there is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sma_flows.testing import SUFFIXES

if TYPE_CHECKING:
    from sma_flows.testing.script import CallScript


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take files of calls."""
    if not file_path.name.endswith(SUFFIXES):
        return None
    calls: pytest.Collector = CallsItems.from_parent(parent, path=file_path)
    return calls


class UnreadableError(Exception):
    """A calls file that cannot be played: the text says where and why."""


class CallsItems(pytest.File):
    """A file of calls."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item per call."""
        from sma_flows.testing.script import load_calls, told

        file, found = load_calls(self.path)
        if file is None:
            raise UnreadableError(told(found))
        for script in file.calls:
            yield CallItem.from_parent(self, name=script.name, script=script, flow=file.flow)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:  # noqa: ARG002 (given by pytest)
        """What is wrong in the file, without a traceback."""
        if isinstance(excinfo.value, UnreadableError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)


class CallItem(pytest.Item):
    """One call."""

    def __init__(self, *, script: CallScript, flow: Path, **rest: Any) -> None:
        super().__init__(**rest)
        self.script = script
        self.flow = flow

    def runtest(self) -> None:
        """Play it."""
        from sma_flows.testing.play import play_call

        play_call(self.flow, self.script)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The transcript with the first difference, without a traceback."""
        from sma_flows.errors import SmaFlowsError

        if isinstance(excinfo.value, SmaFlowsError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """File and line of the call."""
        return self.path, self.script.span.line - 1, f"call: {self.name}"
