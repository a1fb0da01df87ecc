"""Bugs that hand-written handlers have, planted into the answering side: found, named, and made small.

Each is looked for with the tool that fits it: the fault matrix, drawn calls, or the scanner for secrets (the twins).
The same tools find nothing in the same flow without the bug.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from sma_flows.runtime import ending
from sma_flows.testing import Lab, Reproduction, Twins, fault_matrix, fuzz_flow, twin_flow
from sma_flows.testing.handled import Entry
from sma_flows.testing.targets import Target

from . import planted

ENV = {"SALES": "+12065550150"}
MOST_STEPS = 8

CALLS, SEED = 500, 1

Wrap = Callable[[Target], Target]


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "desk.yaml"
    path.write_text(planted.DESK, "utf-8")
    return path


def by_matrix(flow: Path, wrap: Wrap | None = None) -> list[Reproduction]:
    matrix = fault_matrix(Lab(flow, env=ENV, watched=True, wrap=wrap))
    return [found for cell in matrix.red for found in cell.red]


def by_fuzz(flow: Path, wrap: Wrap | None = None) -> list[Reproduction]:
    return fuzz_flow(Lab(flow, env=ENV, wrap=wrap), calls=CALLS, seed=SEED).found


def by_scanner(flow: Path, wrap: Callable[[Entry], Entry] | None = None) -> list[Twins]:
    return [found for found in twin_flow(flow, env=ENV, wrap=wrap) if found.leaks]


# ---- without a bug ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", [by_matrix, by_fuzz, by_scanner], ids=lambda tool: tool.__name__)
def test_nothing_is_found_where_nothing_is_planted(tool: Callable[[Path], list[Any]], flow: Path) -> None:
    assert tool(flow) == []


def test_every_state_is_tried_in_the_matrix(flow: Path) -> None:
    matrix = fault_matrix(Lab(flow, env=ENV, watched=True))
    assert matrix.missed == ()
    assert matrix.calls > 150


# ---- with one --------------------------------------------------------------------------------------------------------

BUGS = [
    # bug, tool, invariant
    (planted.StrandsTheCallee, by_matrix, "never silent"),
    (planted.StrandsTheCallee, by_fuzz, "never silent"),
    (planted.Redials, by_fuzz, "repeats change nothing"),
    (planted.CleansUpTwice, by_matrix, "cleaned up once"),
    (planted.CleansUpTwice, by_fuzz, "cleaned up once"),
    (planted.SilentAtFailures, by_matrix, "never silent"),
    (planted.SilentAtFailures, by_fuzz, "never silent"),
    (planted.HangsUpTheDead, by_fuzz, "emit rules kept"),
    (planted.Accumulates, by_fuzz, "answers fit"),
    (planted.TriesForEver, by_matrix, "never silent"),
    (planted.ForgetsTheCall, by_fuzz, "repeats change nothing"),
    (planted.AnswersTheLate, by_fuzz, "repeats change nothing"),
    (planted.Counts, by_fuzz, "repeats alike"),
    (planted.ActsOnNews, by_fuzz, "emit rules kept"),
    (planted.TakesTheFirst, by_matrix, "emit rules kept"),
    (planted.WantsAStatus, by_fuzz, "not dropped"),
    (planted.NoListAtAll, by_fuzz, "emit rules kept"),
]


@pytest.mark.parametrize(("bug", "tool", "invariant"), BUGS, ids=lambda value: getattr(value, "__name__", value))
def test_a_planted_bug_is_found_and_made_small(
    bug: type[planted.Planted], tool: Callable[..., list[Reproduction]], invariant: str, flow: Path
) -> None:
    planted.Accumulates.kept.clear()
    found = tool(flow, bug)
    assert {one.violation.invariant for one in found} == {invariant}
    assert max(one.steps for one in found) <= MOST_STEPS
    assert_it_happens_again(found[0], flow, bug)


def assert_it_happens_again(found: Reproduction, flow: Path, wrap: Wrap) -> None:
    """The call that was found breaks the invariant when it is made once more, and without the bug it does not."""
    planted.Accumulates.kept.clear()
    if wrap is not planted.Accumulates:  # it needs the calls before
        again = Lab(flow, env=ENV, wrap=wrap).play(found.setting, found.moves, found.given)
        assert found.violation.invariant in {one.invariant for one in again.violations}
    sound = Lab(flow, env=ENV).play(found.setting, found.moves, found.given)
    assert sound.violations == ()


def test_an_attendee_who_is_never_deleted_is_found(flow: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clean-up deletes the row and forgets the attendee (M15)."""
    monkeypatch.setattr(ending, "made_attendees", lambda _frame: [])
    found = by_matrix(flow)
    assert {one.violation.invariant for one in found} == {"attendees deleted"}
    assert max(one.steps for one in found) <= MOST_STEPS
    monkeypatch.undo()
    assert Lab(flow, env=ENV).play(found[0].setting, found[0].moves, found[0].given).violations == ()


def test_digits_that_are_logged_are_found_by_the_scanner(flow: Path) -> None:
    """The whole event goes into the log, as in almost every handler (M14)."""

    def logs(inner: Entry) -> Entry:
        def entry(event: dict[str, Any], context: Any) -> Any:
            logging.getLogger("handler").info("event %s", event)
            return inner(event, context)

        return entry

    found = by_scanner(flow, logs)
    assert {leak.sink for one in found for leak in one.leaks} == {"log"}
    assert min(one.steps for one in found) == 1
    assert max(one.steps for one in found) <= MOST_STEPS


def test_at_least_ten_different_bugs_are_planted() -> None:
    bugs: Iterable[type] = {bug for bug, _, _ in BUGS}
    assert len({bug.__name__ for bug in bugs}) + 2 >= 10
