"""Which revision a new call gets, and that it keeps it (decision 35)."""

from __future__ import annotations

import copy
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sma_flows.compiler import compile_paths
from sma_flows.plan import Plan
from sma_flows.runtime.invoke import Result, handle
from sma_flows.runtime.program import Program
from sma_flows.runtime.rollout import BUCKETS, ROLLOUT, Rollout, bucket_of, read_shares
from sma_flows.services.dispatch import LocalServices

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)

FLOW = """
sma_flow: 1
name: line
entry: inbound
start: ask
states:
  ask: {gather: pin, prompt: "WORDS", next: {done: again, no_input: again, no_match: again, failed: hangup}}
  again: {say: "Thank you.", next: {done: last, failed: hangup}}
  last: {say: "Goodbye.", hangup: normal}
vars: {pin: digits(4)}
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A flow in two revisions, the new one as candidate."""
    file = tmp_path_factory.mktemp("flows") / "line.yaml"
    file.write_text(FLOW.replace("WORDS", "Please enter your number."))
    old = compile_paths([file]).plan
    file.write_text(FLOW.replace("WORDS", "Your number, please."))
    assert old is not None
    new = compile_paths([file], [old], hold=True).plan
    assert new is not None
    assert new.flows == old.flows
    return new


def share(plan: Plan, percent: float) -> str:
    return f"line:{plan.candidates['line']}={percent:g}"


def program(plan: Plan, percent: float) -> Program:
    return Program.load(plan, {ROLLOUT: share(plan, percent)})


def event(kind: str, transaction: str, sequence: int, **data: Any) -> dict[str, Any]:
    return {
        "SchemaVersion": "1.0",
        "Sequence": sequence,
        "InvocationEventType": kind,
        **({"ActionData": data} if data else {}),
        "CallDetails": {
            "TransactionId": transaction,
            "AwsAccountId": "111122223333",
            "AwsRegion": "us-east-1",
            "SipRuleId": "rule",
            "SipMediaApplicationId": "application",
            "Participants": [
                {
                    "CallId": "leg-a",
                    "ParticipantTag": "LEG-A",
                    "To": "+12065550110",
                    "From": "+14155550123",
                    "Direction": "Inbound",
                    "StartTimeInMilliseconds": "159700958834234",
                    **({"Status": "Connected"} if sequence > 1 else {}),
                }
            ],
        },
    }


class Line:
    """One call, led from event to event; its saved call goes along as the service does it."""

    def __init__(self, transaction: str) -> None:
        self.transaction = transaction
        self.attributes: Any = None
        self.actions: list[dict[str, Any]] = []
        self.sequence = 0

    def next(self, program: Program) -> Result:
        self.sequence += 1
        if self.sequence == 1:
            sent = event("NEW_INBOUND_CALL", self.transaction, 1)
        else:
            last = copy.deepcopy(self.actions[-1])
            more = {"ReceivedDigits": "4711"} if "Digits" in last["Type"] else {}
            sent = event("ACTION_SUCCESSFUL", self.transaction, self.sequence, **last, **more)
        if self.attributes is not None:
            sent["CallDetails"]["TransactionAttributes"] = self.attributes
        result = handle(program, sent, now=NOW, services=LocalServices())
        self.attributes = result.response.get("TransactionAttributes", self.attributes)
        self.actions = result.response.get("Actions") or self.actions
        return result


# ---- dealing -------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**128 - 1), st.floats(0, 100), st.floats(0, 100))
def test_who_has_the_candidate_at_a_share_has_it_at_every_larger_one(number: int, one: float, other: float) -> None:
    small, large = sorted((one, other))
    bucket = bucket_of(str(uuid.UUID(int=number)))
    assert 0 <= bucket < BUCKETS
    assert not (bucket < small * BUCKETS / 100 and not bucket < large * BUCKETS / 100)


@given(st.text(max_size=80))
def test_every_text_has_a_bucket_and_always_the_same(transaction: str) -> None:
    assert bucket_of(transaction) == bucket_of(transaction) in range(BUCKETS)


@pytest.mark.parametrize("percent", [0.5, 1, 5, 10, 33.33, 50, 99])
def test_the_share_is_met(plan: Plan, percent: float) -> None:
    """20,000 calls: four standard deviations of an even deal."""
    rollout, calls = Rollout(plan, share(plan, percent)), 20_000
    candidate = plan.candidates["line"]
    got = sum(
        rollout.revision("line", str(uuid.UUID(int=n * 0x9E3779B97F4A7C15)), plan.flows) == candidate
        for n in range(calls)
    )
    expected = calls * percent / 100
    assert abs(got - expected) <= 4 * (expected * (1 - percent / 100)) ** 0.5


@given(st.uuids())
def test_no_call_at_zero_and_every_call_at_a_hundred(plan: Plan, transaction: uuid.UUID) -> None:
    assert Rollout(plan, share(plan, 0)).revision("line", str(transaction), plan.flows) == plan.flows["line"]
    assert Rollout(plan, share(plan, 100)).revision("line", str(transaction), plan.flows) == plan.candidates["line"]


# ---- whole calls ---------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.uuids(), st.lists(st.sampled_from([0, 1, 10, 50, 99, 100]), min_size=4, max_size=4))
def test_a_call_never_changes_its_revision(plan: Plan, transaction: uuid.UUID, percents: list[int]) -> None:
    """The share changes before every event; only the first one counts."""
    line = Line(str(transaction))
    results = [line.next(program(plan, percent)) for percent in percents]
    new = bucket_of(str(transaction)) < percents[0] * BUCKETS / 100
    assert {result.revision for result in results[:3]} == {plan.candidates["line"] if new else plan.flows["line"]}
    assert [result.note for result in results if result.fault] == []


def test_taking_a_roll_out_back_lets_its_calls_end(plan: Plan) -> None:
    line = Line("of-the-candidate")
    first = line.next(program(plan, 100))
    assert "Your number, please." in json.dumps(first.response)
    second = line.next(program(plan, 0))
    assert second.revision == plan.candidates["line"]
    assert [action["Type"] for action in second.response["Actions"]] == ["Speak", "Speak", "Hangup"]
    assert "Please enter your number." in json.dumps(Line("of-a-new-one").next(program(plan, 0)).response)


def test_a_first_event_that_comes_again_gives_the_same_answer(plan: Plan) -> None:
    for number in range(40):
        one, two = Line(f"call-{number}"), Line(f"call-{number}")
        assert one.next(program(plan, 50)).response == two.next(program(plan, 50)).response


# ---- the value -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["nonsense", "line=10", "line:abc=10", "line:0123456789ab=101", "line:0123456789ab=-1", "line:0123456789ab=x"],
)
def test_a_value_that_cannot_be_read_moves_nobody_and_is_reported(plan: Plan, text: str) -> None:
    loaded = Program.load(plan, {ROLLOUT: text})
    assert Line("any").next(loaded).revision == plan.flows["line"]
    assert len(loaded.warnings) == 1
    assert text in loaded.warnings[0]


def test_a_share_of_a_revision_that_is_no_candidate_moves_nobody(plan: Plan) -> None:
    loaded = Program.load(plan, {ROLLOUT: "line:0123456789ab=100"})
    assert Line("any").next(loaded).revision == plan.flows["line"]
    assert loaded.warnings == [f"{ROLLOUT} names line:0123456789ab=100, which is no candidate of the plan"]


def test_the_share_of_a_candidate_that_became_current_is_silent(plan: Plan) -> None:
    later = Plan(plan.name, plan.routes, dict(plan.candidates), plan.revisions)
    assert Program.load(later, {ROLLOUT: share(plan, 100)}).warnings == []


@given(st.text(max_size=60))
def test_no_value_stops_a_plan_from_loading(plan: Plan, text: str) -> None:
    assert Program.load(plan, {ROLLOUT: text}).flow(plan.flows["line"]) is not None


@given(st.lists(st.tuples(st.sampled_from(["a", "b-c", "d_e"]), st.integers(0, BUCKETS)), max_size=5))
def test_shares_are_read_as_they_are_written(parts: list[tuple[str, int]]) -> None:
    text = " ".join(f"{flow}:{'0' * 12}={buckets / 100:g}" for flow, buckets in parts)
    shares, wrong = read_shares(text)
    assert wrong == []
    assert {each.flow: each.buckets for each in shares} == dict(parts)
    assert read_shares(" ".join(map(str, shares)))[0] == shares


# ---- the plan ------------------------------------------------------------------------------------------------------


def test_a_plan_without_candidates_is_written_as_ever(plan: Plan) -> None:
    assert "candidates" not in Plan(plan.name, plan.routes, plan.flows, plan.revisions).to_json()
    assert Plan.loads(plan.dumps()).candidates == plan.candidates


def test_a_flow_that_has_not_changed_has_no_candidate(tmp_path: Path) -> None:
    file = tmp_path / "line.yaml"
    file.write_text(FLOW)
    old = compile_paths([file]).plan
    assert old is not None
    again = compile_paths([file], [old], hold=True).plan
    assert again == old


def test_holding_keeps_the_revision_of_before_whatever_keep_says(plan: Plan, tmp_path: Path) -> None:
    file = tmp_path / "line.yaml"
    file.write_text(FLOW.replace("WORDS", "Once more."))
    held = compile_paths([file], [plan], keep=0, hold=True).plan
    assert held is not None
    assert held.flows == plan.flows
    assert set(held.revisions) == {plan.flows["line"], held.candidates["line"]}
