"""Every script as one whole call on the virtual network, under every value of every switch, and under pressure.

Contract section 9: the network sends what the service would, and more or less of it by switch. The actions stay the
same; what the service sends in addition is answered with nothing.
"""

from __future__ import annotations

import re
from functools import cache

import pytest

from sma_flows.simulator.switches import CHOICES, OTHERS

from .engine import RuntimeEngine, runtime_for
from .exceptions import BY_HAND, CLEANED_AGAIN, ONLY_SO, OTHER_COURSE, PRESUPPOSED, SECOND_ATTEMPT, VOID
from .harness import ScenarioError
from .network import Delay, NetworkPlayer, Whole, as_written, play_on_network
from .script import Script, all_scripts, extra_scripts, script_named

EVERYTHING = (*all_scripts(), *extra_scripts())
SCRIPTS = pytest.mark.parametrize("script", EVERYTHING, ids=str)
IN_TURN = pytest.mark.parametrize(
    "script", [one for one in EVERYTHING if not any(step.stored.startswith("step") for step in one.steps)], ids=str
)
"""Without the scripts that let events overlap themselves, where what comes when is the point."""

TALKATIVE = {
    "bridge_ringing": "yes",
    "flush_reports": "yes",
    "hangup_during_action": "observed",
    "meeting_hangup_event": "yes",
    "meeting_second_hangup": "yes",
    "start_recording_event": "always",
}
"""A service that sends whatever it might send."""


def engine(script: Script) -> RuntimeEngine:
    """The runtime with the script's flow: compiled and loaded once."""
    return _engine(script.name)


@cache
def _engine(name: str) -> RuntimeEngine:
    return runtime_for(script_named(name))


def base(script: Script) -> dict[str, str]:
    """Switches without which the script has another course."""
    return dict([PRESUPPOSED[script.name]]) if script.name in ONLY_SO else {}


@cache
def plain(name: str) -> Whole:
    """The script under the defaults."""
    script = script_named(name)
    return play_on_network(script, engine(script), base(script))


def same_course(script: Script, switches: dict[str, str], delay: Delay | None = None, *, early: bool = False) -> Whole:
    """Play it again in other circumstances: as the script says, and action by action as in the plain call."""
    whole = play_on_network(script, engine(script), {**base(script), **switches}, delay, early=early)
    assert whole.actions == plain(script.name).actions, f"{script.name} with {switches}"
    return whole


# -- as written --------------------------------------------------------------------------------------------------------


@SCRIPTS
def test_the_whole_call_goes_as_the_script_says(script: Script) -> None:
    """Every event of the script comes, none of them from the script but those of ``BY_HAND``."""
    switches, whole = as_written(script.name)
    assert switches == dict([PRESUPPOSED[script.name]] if script.name in PRESUPPOSED else [])
    assert bool(whole.by_hand) == (script.name in BY_HAND), whole.by_hand
    assert bool(whole.void) == (script.name in VOID), whole.void
    assert whole.lacking.items() <= switches.items()
    assert len(whole.run.records) >= len(script.steps) - len(whole.lacking) or script.name in VOID


def test_all_acceptance_scripts_are_whole_calls() -> None:
    names = [script.name for script in all_scripts() if re.fullmatch(r"A[0-9]{2}[a-e]", script.name)]
    assert len(names) == 65
    assert sum(name in BY_HAND for name in names) == 2
    assert not [name for name in names if name in ONLY_SO]


# -- under every switch value ------------------------------------------------------------------------------------------


@SCRIPTS
def test_the_actions_are_the_same_under_every_single_switch_value(script: Script) -> None:
    """All findings at once, with the switch that showed them."""
    findings = []
    for name, value in OTHERS:
        if name in base(script) or (script.name, (name, value)) in OTHER_COURSE:
            continue
        try:
            same_course(script, {name: value})
        except (AssertionError, ScenarioError) as finding:
            findings.append(f"{name}={value}: {finding}")
    assert not findings, "\n".join(findings)


@pytest.mark.parametrize(("case", "reason"), OTHER_COURSE.items(), ids=str)
def test_a_call_with_another_course_is_listed_with_need(case: tuple[str, tuple[str, str]], reason: str) -> None:
    script = script_named(case[0])
    with pytest.raises(ScenarioError):
        play_on_network(script, engine(script), dict([case[1]]))
    assert reason


@pytest.mark.parametrize("name", ONLY_SO)
def test_a_script_that_presupposes_a_switch_has_another_course_without_it(name: str) -> None:
    with pytest.raises(ScenarioError):
        play_on_network(script_named(name), engine(script_named(name)))


def test_a_clean_up_that_is_not_kept_is_done_again_with_the_same_tokens() -> None:
    """The exception of ``CLEANED_AGAIN`` is needed: hooks are asked again, which their tokens make one effect."""
    script = script_named("A26-two-hangups")
    switches = dict([PRESUPPOSED[script.name], CLEANED_AGAIN])
    asked: list[list[list[str]]] = []
    for chosen in (dict([PRESUPPOSED[script.name]]), switches):
        play = NetworkPlayer(script, engine(script), chosen)
        play.play()
        asked.append(play.services.state["asked"])
    assert len(asked[1]) > len(asked[0])
    assert {tuple(one) for one in asked[1]} == {tuple(one) for one in asked[0]}


@pytest.mark.parametrize(("name", "value"), OTHERS)
def test_every_switch_value_makes_a_difference_to_a_call(name: str, value: str) -> None:
    """Otherwise the test above would try nothing."""
    assert (name in SHOWN_BY) != (name in ELSEWHERE)
    if name in SHOWN_BY:
        script = script_named(SHOWN_BY[name])
        whole = play_on_network(script, engine(script), {**base(script), name: value})
        told = [[record.event for record in one.run.records] for one in (whole, plain(script.name))]
        assert told[0] != told[1]


SHOWN_BY = {
    "app_id_key": "A01a",
    "bridge_ringing": "A05-caller-leaves-while-it-rings",
    "digits_error": "A05-no-input",
    "echo_defaults": "A03a",
    "flush_reports": "movers-keys-used-up",
    "gone_leg_listed": "A05a",
    "hangup_during_action": "A19a",
    "hangup_order": "movers-hangup-first",
    "headers_repeated": "A16a",
    "interrupt_on_digits": "A07a",
    "meeting_hangup_event": "meetings-leave-and-join",
    "meeting_second_hangup": "A08a",
    "pause_answers": "long-wait",
    "sequence_start": "A01a",
    "status_before_answer": "A01a",
}
"""Switches that are seen in a plain call, with a script that shows them."""

ELSEWHERE = {
    "answer_order": "answers that overtake one another: with overlapping events below",
    "bad_answer": "an answer that is refused: the test of calls with another course",
    "empty_inbound": "an empty answer to a new call, which the runtime never gives (R4)",
    "empty_list": "an empty list, which the runtime never sends (E4)",
    "final_hangup_attributes": "an event after the last HANGUP: the test of a clean-up that is not kept",
    "join_error_shape": "a token that the service refuses by itself; in a script the action breaks",
    "lambda_failure": "a function that fails, which the runtime does not (R9)",
    "late_answer": "a function that is late: with second deliveries below",
    "listener_once": "a listener that is not registered again, as the runtime always does",
    "overlap": "a function that takes its time: with overlapping events below",
    "pause_range": "a Pause out of range, which the runtime never sends (E10)",
    "retry_attributes": "a second delivery: below",
    "retry_same_sequence": "a second delivery: below",
    "start_recording_event": "StartCallRecording before the end of a list, which the runtime never sends (E3)",
    "same_meeting_token_after_end": "the API of meetings, which stubs stand for here",
}
"""Switches that need something which a plain call does not have."""


# -- under pressure ----------------------------------------------------------------------------------------------------


def twice(attempt: int, behind: int) -> int:
    """The first attempt is not answered within 5 seconds, so that there is a second one (contract 7.1)."""
    return 6_000 if attempt == 1 else 3_000


def in_order(attempt: int, behind: int) -> int:
    return 300


def last_first(attempt: int, behind: int) -> int:
    """Of events that are handled at the same time, the last one is answered first."""
    return 300 // (1 + behind)


@IN_TURN
@pytest.mark.parametrize(
    "switches",
    [{}, {"retry_same_sequence": "no"}, {"retry_attributes": "current"}, {"late_answer": "applied"}],
    ids=["", "other sequence", "current attributes", "late answer applied"],
)
def test_every_event_may_be_delivered_twice(script: Script, switches: dict[str, str]) -> None:
    if script.name in SECOND_ATTEMPT:
        with pytest.raises(ScenarioError, match="asked again"):
            same_course(script, switches, twice)
        return
    same_course(script, switches, twice)


@IN_TURN
@pytest.mark.parametrize("delay", [in_order, last_first])
@pytest.mark.parametrize("order", ["arrival", "sequence"])
def test_answers_to_overlapping_events_may_arrive_in_any_order(script: Script, delay: Delay, order: str) -> None:
    same_course(script, {"overlap": "parallel", "answer_order": order}, delay)


@IN_TURN
@pytest.mark.parametrize("hangup_order", ["hangup_first", "success_first"])
def test_a_talkative_service_changes_nothing(script: Script, hangup_order: str) -> None:
    """All that might be sent, at the same time, in both orders."""
    if any((script.name, switch) in OTHER_COURSE for switch in TALKATIVE.items()):
        return
    for delay in (in_order, last_first):
        same_course(script, {**TALKATIVE, "overlap": "parallel", "hangup_order": hangup_order}, delay)


def test_many_events_of_these_calls_overlap() -> None:
    calls = [
        same_course(script, {**TALKATIVE, "overlap": "parallel"}, last_first).overlaps for script in all_scripts()[::3]
    ]
    assert sum(map(bool, calls)) >= 5
    assert sum(calls) >= 8


@SCRIPTS
def test_a_party_may_leave_before_it_is_hung_up(script: Script) -> None:
    same_course(script, {}, early=True)


@pytest.mark.parametrize(
    "script", [one for one in EVERYTHING if any(step.digits for step in one.steps if not step.sent)], ids=str
)
def test_a_service_that_takes_every_entry_changes_nothing(script: Script) -> None:
    """Patterns are read by an unknown dialect (contract 4.19): the runtime looks at what was typed itself."""
    whole = play_on_network(script, engine(script), base(script), lenient=True)
    assert whole.refused == ()
    assert whole.actions == plain(script.name).actions


def test_some_entries_are_refused_by_the_service() -> None:
    refused = {script.name for script in EVERYTHING if plain(script.name).refused}
    assert refused == {"A09b", "A13-wrong-key", "A20-another-key"}


# -- the tables --------------------------------------------------------------------------------------------------------


def test_the_tables_of_exceptions_name_scripts_and_reasons() -> None:
    names = {script.name for script in EVERYTHING}
    for table in (PRESUPPOSED, ONLY_SO, BY_HAND, VOID, SECOND_ATTEMPT):
        assert set(table) <= names
    assert set(ONLY_SO) <= set(PRESUPPOSED)
    assert all(value in CHOICES[name][1:] for name, value in [*PRESUPPOSED.values(), CLEANED_AGAIN])
