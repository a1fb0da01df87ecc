"""The pytest plugin: calls of ``*.calls.yaml`` files are tests, the fixture ``call``, coverage of flows.

Nothing heavy is loaded before there is a call.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sma_flows.testing import SUFFIXES

if TYPE_CHECKING:
    from sma_flows.testing.coverage import Coverage
    from sma_flows.testing.line import Caller
    from sma_flows.testing.script import CallScript
    from sma_flows.testing.visits import Visit

_COVERAGE: pytest.StashKey[Coverage] = pytest.StashKey()
_FAILED: pytest.StashKey[bool] = pytest.StashKey()
_SENT = "sma_flows_coverage"


# ---- calls of files ------------------------------------------------------------------------------------------------


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
        from sma_flows.testing.check import checked_calls
        from sma_flows.testing.script import near, told

        file, found = checked_calls(near(self.path))
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

        on_visits = _collector(self)
        script = self.script
        if self.config.getoption("--flow-strict-sources"):
            script = replace(script, strict=script.strict or frozenset())
        script = script.having(dict(one.split("=", 1) for one in self.config.getoption("--flow-switch")))
        play_call(self.flow, script, on_visits=on_visits and partial(on_visits, self.flow))
        if self.config.getoption("--flow-twins"):
            self._twins(script)

    def _twins(self, script: CallScript) -> None:
        """Play it with other secrets, too: nothing that it leaves behind may differ."""
        from sma_flows.testing.twins import LeakError, twin_call

        problem, notes = twin_call(self.flow, script).told(f"{script.span.file}:{script.span.line}")
        if notes:
            self.add_report_section("call", "twins", "\n".join(notes))
        if problem:
            raise LeakError(problem)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The transcript with the first difference, without a traceback."""
        from sma_flows.errors import SmaFlowsError

        if isinstance(excinfo.value, SmaFlowsError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """File and line of the call."""
        return self.path, self.script.span.line - 1, f"call: {self.name}"


# ---- calls in Python -----------------------------------------------------------------------------------------------


@pytest.fixture
def call(request: pytest.FixtureRequest) -> Iterator[Caller]:
    """Calls flows: ``line = call("flows/dial-in.yaml")``, then ``line.press("1")``, ``line.hear("ask_pin")`` and so on.

    When the test is over every call must be over, too: nobody is left on the line.
    """
    from sma_flows.testing.line import Caller

    item: pytest.Item = request.node
    caller = Caller([item.path.parent, request.config.rootpath, Path.cwd()], item.name, _collector(item))
    yield caller
    caller.close(check=not item.stash.get(_FAILED, False))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that has failed is not asked whether its calls are over."""
    report = yield
    if report.when == "call" and report.failed:
        item.stash[_FAILED] = True
    return report


# ---- coverage ------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options for calls of files and for coverage, as `sma-flows test` has them."""
    group = parser.getgroup("sma-flows", "calls of flows")
    group.addoption(
        "--flow-strict-sources", action="store_true", help="Fail calls that lean on inferred or unknown behaviour."
    )
    group.addoption(
        "--flow-switch", action="append", default=[], metavar="NAME=VALUE", help="An open question of the service."
    )
    group.addoption("--flow-twins", action="store_true", help="Play each call with other secrets, too, and compare.")
    group.addoption("--flow-coverage", action="store_true", help="Tell what no call has come by, and what to write.")
    group.addoption("--flow-coverage-html", metavar="DIR", help="Write a page for each flow, with its diagram.")
    group.addoption("--flow-lcov", metavar="FILE", help="Write coverage of flows as LCOV.")
    group.addoption("--flow-fail-under", type=float, metavar="PERCENT", help="Fail if a flow has less of anything.")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse switches that do not exist. Collect what calls come by, if somebody asks."""
    if switches := config.getoption("--flow-switch"):
        _look_at(switches)
    wanted = [config.getoption(each) for each in ("--flow-coverage", "--flow-coverage-html", "--flow-lcov")]
    if any(wanted) or config.getoption("--flow-fail-under") is not None:
        from sma_flows.testing.coverage import Coverage

        config.stash[_COVERAGE] = Coverage()


def _look_at(switches: list[str]) -> None:
    from sma_flows.simulator.switches import SwitchError, Switches

    for one in switches:
        name, _, value = one.partition("=")
        try:
            Switches().having({name: value})
        except SwitchError as error:
            raise pytest.UsageError(f"--flow-switch {one}: {error}") from None


def _collector(item: pytest.Item) -> Callable[[Path, frozenset[Visit]], None] | None:
    coverage = item.config.stash.get(_COVERAGE, None)
    if coverage is None:
        return None
    return lambda flow, visits: coverage.add(flow, item.nodeid, visits)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ARG001 (given by xdist)
    """A worker of pytest-xdist has ended: take over what its calls came by."""
    sent = getattr(node, "workeroutput", {}).get(_SENT)
    if sent is not None:
        node.config.stash[_COVERAGE].load(sent)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Workers send what they have collected; whoever reports decides whether it is enough."""
    coverage = session.config.stash.get(_COVERAGE, None)
    if coverage is None:
        return
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_SENT] = coverage.dump()
        return
    if any(Path(each).is_dir() for each in session.config.args):
        coverage.expect_beside()
    least = session.config.getoption("--flow-fail-under")
    if session.exitstatus == pytest.ExitCode.OK and coverage.too_low(least):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The report at the end of the run."""
    coverage = config.stash.get(_COVERAGE, None)
    if coverage is None:
        return
    from sma_flows.testing.coverage.lcov import lcov
    from sma_flows.testing.coverage.page import write_pages
    from sma_flows.testing.coverage.report import missed_lines, table_lines

    flows = coverage.flows()
    terminalreporter.section("coverage of flows")
    lines = list(table_lines(flows))
    if config.getoption("--flow-coverage"):
        lines += missed_lines(flows)
    if html := config.getoption("--flow-coverage-html"):
        lines.append(f"pages: {write_pages(flows, Path(html))}")
    if path := config.getoption("--flow-lcov"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(lcov(flows), "utf-8")
    for line in [*lines, *coverage.too_low(config.getoption("--flow-fail-under"))]:
        terminalreporter.write_line(line)
