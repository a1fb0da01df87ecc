"""What the acceptance scenarios leave open (``extra/``): the reaction table cell by cell, bounds, sub-flows, hours.

Same format, same harness, same variations as the scenarios; ``test_network.py`` plays them. A script that overlaps
events on purpose (``stored``, ``sent``) is replayed, but not varied: there, what comes when is the point.
"""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import good_run
from .engine import plan_text, runtime_for
from .script import Script, extra_scripts, script_named
from .stubs import StubServices
from .variations import (
    altered,
    constant_sequence,
    decreasing_sequence,
    duplicated,
    replay,
    settled,
    strange_echo,
    strangers,
)
from .worker import FreshProcesses


def plain(script: Script) -> bool:
    """Nothing in it happens out of order, and it is about one call."""
    return not any(step.stored or step.sent or step.shape or step.status or step.call > 1 for step in script.steps)


SCRIPTS = pytest.mark.parametrize("script", extra_scripts(), ids=str)
PLAIN_SCRIPTS = [script for script in extra_scripts() if plain(script)]
PLAIN = pytest.mark.parametrize("script", PLAIN_SCRIPTS, ids=str)


@SCRIPTS
def test_each_event_in_a_fresh_process_gives_the_same_answers(script: Script, fresh_processes: FreshProcesses) -> None:
    replay(good_run(script.name), fresh_processes.engine(plan_text(script.folder, script.flows), script.env))


@PLAIN
@pytest.mark.parametrize("change", [constant_sequence, decreasing_sequence, strange_echo])
def test_sequence_and_echo_do_not_matter(script: Script, change: object) -> None:
    altered(good_run(script.name), runtime_for(script), change)  # type: ignore[arg-type]


@PLAIN
def test_an_event_that_comes_twice_has_no_effect_twice(script: Script) -> None:
    duplicated(good_run(script.name), runtime_for(script))


@pytest.mark.parametrize("script", [script for script in PLAIN_SCRIPTS if script.scenario != "digits"], ids=str)
def test_events_that_nobody_expects_change_nothing(script: Script) -> None:
    """Not where digits are sent: one of the strangers reports just that, and decision 8 says that it is believed."""
    strangers(good_run(script.name), runtime_for(script))


@PLAIN
def test_reports_in_the_middle_of_a_list_change_nothing(script: Script) -> None:
    settled(good_run(script.name), runtime_for(script))


def test_of_two_equal_lists_the_report_with_the_smaller_sequence_is_late() -> None:
    """Decision 10, "fits both": the hold music of A21 is played twice in a row, and nothing in the reports differs."""
    script = script_named("A21b")
    engine = runtime_for(script)
    services = StubServices(script.stubs)
    saved: dict[str, str] = {}

    def send(event: dict[str, Any]) -> dict[str, Any]:
        event["CallDetails"].pop("TransactionAttributes", None)
        if saved:
            event["CallDetails"]["TransactionAttributes"] = dict(saved)
        answer: dict[str, Any] = engine.react(event, script.at, services).answer
        saved.update(answer.get("TransactionAttributes") or {})
        return answer

    events = [record.sent() for record in good_run("A21b").records]
    holding = [index for index, event in enumerate(events) if event.get("ActionData", {}).get("Type") == "PlayAudio"]
    first, second, third = holding[:3]
    for event in events[: second + 1]:
        send(event)
    assert send(events[first]) == {"SchemaVersion": "1.0"}
    assert [action["Type"] for action in send(events[third])["Actions"]] == ["PlayAudio"]


def test_script_names_are_unique() -> None:
    names = [script.name for script in extra_scripts()]
    assert len(names) == len(set(names))
