"""Each invariant is broken by a handler that was made to break it, and holds in a plain call."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sma_flows.simulator.messages import Break, Callee, HangUp
from sma_flows.testing.invariants import INVARIANTS
from sma_flows.testing.lab import Lab, Setting, Trial, usual
from sma_flows.testing.moves import Function, Listen, Press
from sma_flows.testing.targets import FunctionError, Target, Turn

FLOWS = Path(__file__).parents[2] / "flows"
MOVES = (Listen(), Press("1"), Listen(), Press("7391846"), Listen(), Press("826405"), Listen())

Change = Callable[[dict[str, Any], dict[str, Any], int], Any]


class Changed:
    """A handler whose answers go through *change(event, answer, number of the event)*."""

    def __init__(self, inner: Target, change: Change) -> None:
        self.inner, self.change, self.scripted, self.count = inner, change, True, 0

    def answer(self, event: str, at_ms: int, now: datetime) -> Turn:
        turn = self.inner.answer(event, at_ms, now)
        self.count += 1
        changed = self.change(json.loads(event), json.loads(turn.response), self.count)
        return replace(turn, response=changed if isinstance(changed, str) else json.dumps(changed))


def dial_in(change: Change | None = None, *moves: Any, flow: str = "dial-in", **answers: Any) -> Trial:
    lab = Lab(FLOWS / f"{flow}.yaml", wrap=None if change is None else lambda inner: Changed(inner, change))
    return lab.play(lab.setting(), moves or MOVES, answers)


def names(trial: Trial) -> set[str]:
    return {found.invariant for found in trial.violations}


def test_nothing_is_found_in_a_plain_call() -> None:
    trial = dial_in()
    assert trial.violations == ()
    assert trial.session.phone.over
    assert "join" in trial.session.states
    assert "826405" in trial.watch.secrets


def test_there_are_enough_invariants_and_each_says_what_holds() -> None:
    assert len(INVARIANTS) >= 12
    assert len({one.name for one in INVARIANTS}) == len(INVARIANTS)
    assert all(one.says.endswith(".") or ")" in one.says for one in INVARIANTS)


def with_actions(*actions: Mapping[str, Any]) -> Change:
    return lambda _event, answer, _number: {**answer, "Actions": list(actions)}


LEG_A = {"ParticipantTag": "LEG-A"}
PAUSE = {"Type": "Pause", "Parameters": {"DurationInMilliseconds": 100, **LEG_A}}
BRIDGE = {
    "Type": "CallAndBridge",
    "Parameters": {
        "ParticipantTag": "LEG-A",
        "CallTimeoutSeconds": 20,
        "CallerIdNumber": "+12065550199",
        "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+12065550150"}],
    },
}


def on(kind: str, change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> Change:
    return lambda event, answer, _number: change(event, answer) if event["InvocationEventType"] == kind else answer


def leaks(event: dict[str, Any], answer: dict[str, Any], _number: int) -> Any:
    digits = (event.get("ActionData") or {}).get("ReceivedDigits")
    saved = answer.get("TransactionAttributes")
    return {**answer, "TransactionAttributes": {**saved, "last": digits}} if digits and saved else answer


def counts(_event: dict[str, Any], answer: dict[str, Any], number: int) -> Any:
    saved = answer.get("TransactionAttributes")
    return {**answer, "TransactionAttributes": {**saved, "number": str(number)}} if saved else answer


def acts_again(event: dict[str, Any], answer: dict[str, Any], _number: int) -> Any:
    return {**answer, "Actions": [PAUSE]} if "Actions" not in answer and _alive(event) else answer


def _alive(event: dict[str, Any]) -> bool:
    return any(one.get("Status") != "Disconnected" for one in event["CallDetails"]["Participants"])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("answers fit", lambda _event, _answer, _number: json.dumps([])),
        ("answers fit", with_actions({"Type": "Answer", "Parameters": {}})),
        ("emit rules kept", with_actions({"Type": "Pause", "Parameters": {"DurationInMilliseconds": 5, **LEG_A}})),
        ("at most ten actions", with_actions(*[PAUSE] * 11)),
        ("no action on dead leg", with_actions({"Type": "Hangup", "Parameters": {"ParticipantTag": "LEG-B"}})),
        ("attributes fit", on("NEW_INBOUND_CALL", lambda _e, a: {**a, "TransactionAttributes": {"x": "y" * 17_000}})),
        ("no secret leaves", leaks),
        ("repeats alike", counts),
        ("repeats change nothing", acts_again),
        ("invocations bounded", with_actions(PAUSE)),
        ("never silent", on("ACTION_SUCCESSFUL", lambda _e, _a: {"SchemaVersion": "1.0"})),
    ],
)  # fmt: skip
def test_a_handler_that_breaks_it_is_found(name: str, change: Change) -> None:
    found = dial_in(change)
    assert name in names(found), found.violations
    assert found.violations[0].transcript


def test_a_function_that_lets_the_service_end_the_call_is_found() -> None:
    def raises(_event: Any, _answer: Any, _number: int) -> Any:
        raise FunctionError("no")

    assert "not dropped" in names(dial_in(raises))


def test_a_second_leg_b_is_found() -> None:
    bridged = (Listen(), Press("1"), Listen(), Callee("answers"))

    def dials(event: dict[str, Any], answer: dict[str, Any]) -> Any:
        return {**answer, "Actions": [BRIDGE]} if event["ActionData"]["Type"] == "CallAndBridge" else answer

    trial = dial_in(on("ACTION_SUCCESSFUL", dials), *bridged, flow="front-desk")
    assert "one leg b" in names(trial)


def test_a_callee_who_is_left_behind_is_found() -> None:
    moves = (Listen(), Press("1"), Listen(), Callee("answers"), Listen(), HangUp("LEG-A"))
    assert names(dial_in(None, *moves, flow="front-desk")) == set()
    change = on("HANGUP", lambda _event, _answer: {"SchemaVersion": "1.0"})
    assert "never silent" in names(dial_in(change, *moves, flow="front-desk"))


ONCE = """\
sma_flow: 1
name: once
entry: inbound
hooks:
  charge: {python: hooks.made:charge, effect: once, budget: 100ms}
  note: {python: hooks.made:note, effect: once, budget: 100ms}
cleanup:
  - run: note()
start: pay
states:
  pay: {run: charge(), next: {done: bye, failed: bye}}
  bye: {say: "Goodbye.", next: {done: hangup, failed: hangup}}
"""


@pytest.fixture
def once(tmp_path: Path) -> Path:
    path = tmp_path / "once.yaml"
    path.write_text(ONCE, "utf-8")
    return path


def test_an_effect_that_happens_twice_is_found(once: Path) -> None:
    lab = Lab(once)
    with lab.call(lab.setting(), lambda _ask: "done") as trial:
        trial.finish()
    assert trial.violations == ()
    assert trial.world.ran == {"charge": 1, "note": 1}
    with lab.call(lab.setting(), lambda _ask: "done") as trial:
        trial.world.runs[trial.watch.turns[0].asks[0].token] += 1
        trial.watch.judge()
    assert names(trial) == {"effects happen once"}


def test_clean_up_that_is_left_out_or_asked_for_twice_is_found(once: Path) -> None:
    def lost(inner: Target) -> Target:
        return Changed(inner, lambda _event, answer, _number: answer)

    lab = Lab(once, wrap=lost)
    with lab.call(lab.setting(), lambda _ask: "done") as trial:
        trial.finish()
        assert trial.violations == ()
        last = trial.watch.turns[-1]
        assert [ask.name for ask in last.asks] == ["note"]
        trial.watch.turns[-1], trial.watch.again = replace(last, asks=()), None
        trial.watch.end()
    assert names(trial) == {"cleaned up once"}
    with lab.call(lab.setting(), lambda _ask: "done") as trial:
        trial.finish()
        last = trial.watch.turns[-1]
        other = json.loads(last.event)
        other["ActionData"]["Parameters"]["SipResponseCode"] = 480
        trial.watch.turns.append(replace(last, event=json.dumps(other)))
        trial.watch.end()
    assert names(trial) == {"cleaned up once"}


def test_a_late_answer_a_fault_and_a_wrong_event_are_found() -> None:
    lab = Lab(FLOWS / "dial-in.yaml")
    for change, name in (
        ({"delay_ms": 3_600}, "answers in time"),
        ({"fault": "ValueError in step:1"}, "no fault"),
    ):
        with lab.call(lab.setting(), lambda _ask: "done") as trial:
            trial.watch.turns.append(replace(trial.watch.turn, **change))  # type: ignore[arg-type]
            trial.watch.judge()
            assert names(trial) == {name}
    with lab.call(lab.setting(), lambda _ask: "done") as trial:
        trial.watch.event = {"InvocationEventType": "NEWS", "CallDetails": {}}
        trial.watch.judge()
        assert "events fit" in names(trial)


def test_the_same_answer_to_a_report_that_comes_again_is_found() -> None:
    """Only the first event of a call may get its answer a second time: the service may not have heard the first."""
    known: dict[str, Any] = {}

    def again(event: dict[str, Any], answer: dict[str, Any], _number: int) -> Any:
        key = json.dumps(event.get("ActionData"))
        if answer.get("Actions"):
            known[key] = answer
        return known.get(key, answer) if _alive(event) else answer

    trial = dial_in(again)
    assert "repeats change nothing" in names(trial)
    assert trial.watch.turn.kind == "ACTION_SUCCESSFUL"


def test_an_attendee_who_is_left_behind_is_found() -> None:
    lab = Lab(FLOWS / "dial-in.yaml")
    with lab.call(lab.setting(), lambda ask: "ok" if ask.name == "verify_pin" else usual(ask)) as trial:
        for move in MOVES:
            trial.make(move)
        trial.finish()
        assert trial.violations == ()
        assert any(ask.port == "meetings.leave" for ask, _ in trial.world.asked)
        trial.world.asked = [one for one in trial.world.asked if one[0].port != "meetings.leave"]
        trial.watch.end()
    assert names(trial) == {"attendees deleted"}


def test_an_error_that_comes_again_and_again_is_found() -> None:
    def retries(event: dict[str, Any], _answer: Any) -> Any:
        leg = event["ActionData"]["Parameters"]["CallId"]
        return {"SchemaVersion": "1.0", "Actions": [{"Type": "Speak", "Parameters": {"Text": "Sorry.", "CallId": leg}}]}

    breaks = [Break(("Speak",))] * 12
    trial = dial_in(
        on("ACTION_FAILED", retries), Listen(), Break(("SpeakAndGetDigits",)), *breaks, Press("1"), Listen()
    )
    assert "errors end" in names(trial)


def test_a_call_that_nobody_can_end_is_found() -> None:
    """Whoever fails to answer the last event keeps the call from its end only until the service gives up."""
    trial = dial_in(None, *MOVES[:1], Function("dies"), HangUp())
    assert trial.violations == ()
    assert trial.session.phone.over


def test_what_a_function_suffers_is_no_fault_of_the_flow() -> None:
    for how in ("slow", "retried", "dies", "raises", "garbled"):
        trial = dial_in(None, Listen(), Function(how), *MOVES[1:])  # type: ignore[arg-type]
        assert trial.violations == (), how
        assert trial.watch.faulty


def test_a_setting_says_how_the_call_begins() -> None:
    lab = Lab(FLOWS / "dial-in.yaml")
    trial = lab.play(
        Setting(switches=(("sequence_start", "0"),), headers=(("x-a", "b"),)), MOVES, {"verify_pin": ["wrong"]}
    )
    first = json.loads(trial.watch.turns[0].event)
    assert first["Sequence"] == 0
    assert first["CallDetails"]["Participants"][0]["SipHeaders"] == {"x-a": "b"}
    assert trial.given["verify_pin"] == ["wrong"]
    assert "join" not in trial.session.states
