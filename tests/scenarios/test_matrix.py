"""Every script under every circumstance that must not matter (rules R6 to R8, decisions 6 and 8)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sma_flows.plan import Plan

from .engine import HandlerEngine, RuntimeEngine, plan_text, runtime_for
from .harness import Run
from .script import Script, all_scripts
from .stubs import StoredServices
from .variations import (
    Event,
    altered,
    both_gone,
    constant_sequence,
    decreasing_sequence,
    duplicated,
    interleave,
    other_habits,
    replay,
    settled,
    strange_echo,
    strangers,
    twins,
)
from .worker import FreshProcesses

SCRIPTS = pytest.mark.parametrize("script", all_scripts(), ids=str)
RunOf = Callable[[Script], Run]


@SCRIPTS
def test_each_event_in_a_fresh_process_gives_the_same_answers(
    script: Script, run_of: RunOf, fresh_processes: FreshProcesses
) -> None:
    replay(run_of(script), fresh_processes.engine(plan_text(script.folder, script.flows), script.env))


@SCRIPTS
def test_ten_repetitions_in_one_process_give_the_same_answers(script: Script, run_of: RunOf) -> None:
    engine = runtime_for(script)
    for _ in range(10):
        replay(run_of(script), engine)


def test_all_calls_interleaved_in_one_process_give_the_same_answers(run_of: RunOf) -> None:
    runs = [(run_of(script), runtime_for(script)) for script in all_scripts()]
    assert interleave(runs) == sum(len(run.records) for run, _ in runs)


@pytest.mark.parametrize("scenario", sorted({script.scenario for script in all_scripts()}))
def test_the_calls_of_one_flow_interleaved_on_one_program_give_the_same_answers(scenario: str, run_of: RunOf) -> None:
    scripts = [script for script in all_scripts() if script.scenario == scenario]
    shared = runtime_for(scripts[0])
    pairs = [(run_of(script), shared if script.env == scripts[0].env else runtime_for(script)) for script in scripts]
    assert interleave(pairs) > 0


@SCRIPTS
@pytest.mark.parametrize("change", [constant_sequence, decreasing_sequence, strange_echo, other_habits])
def test_sequence_and_echo_do_not_matter(script: Script, change: Callable[[Event, int], None], run_of: RunOf) -> None:
    altered(run_of(script), runtime_for(script), change)


@SCRIPTS
def test_an_event_that_comes_twice_has_no_effect_twice(script: Script, run_of: RunOf) -> None:
    duplicated(run_of(script), runtime_for(script))


@SCRIPTS
def test_with_a_store_an_effect_runs_once_however_often_its_event_comes(script: Script, run_of: RunOf) -> None:
    services = StoredServices(script.stubs)
    duplicated(run_of(script), runtime_for(script), services)
    assert len(services.ran) == len(set(services.ran))


@SCRIPTS
def test_events_that_nobody_expects_change_nothing(script: Script, run_of: RunOf) -> None:
    strangers(run_of(script), runtime_for(script))


@SCRIPTS
def test_reports_in_the_middle_of_a_list_change_nothing(script: Script, run_of: RunOf) -> None:
    settled(run_of(script), runtime_for(script))


@SCRIPTS
@pytest.mark.parametrize("success_first", [False, True])
def test_the_two_reports_of_a_hangup_count_once(script: Script, success_first: bool, run_of: RunOf) -> None:
    twins(run_of(script), runtime_for(script), success_first=success_first)


@SCRIPTS
def test_a_caller_who_takes_leg_b_along_is_cleaned_up_once(script: Script, run_of: RunOf) -> None:
    both_gone(run_of(script), runtime_for(script))


@SCRIPTS
def test_the_handler_answers_the_same_and_its_records_tell_nothing(script: Script, run_of: RunOf) -> None:
    replay(run_of(script), HandlerEngine(plan_text(script.folder, script.flows), script.env))


@SCRIPTS
def test_a_plan_that_went_through_json_gives_the_same_answers(script: Script, run_of: RunOf) -> None:
    text = plan_text(script.folder, script.flows)
    assert Plan.loads(text).dumps() == text
    replay(run_of(script), RuntimeEngine(Plan.loads(text).dumps(), script.env))
