"""A plan made ready: environment, routes, dial policy, opening hours, updates."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from decisions.kit import ENV, Phone, load, plan_of
from sma_flows.errors import PlanError
from sma_flows.protocol.events import parse_event
from sma_flows.runtime.program import Policy, Program, Schedule, Update

FLOW = """\
sma_flow: 1
name: NAME
entry: inbound
start: hello
states:
  hello: {say: "NAME.", next: {done: hangup, failed: hangup}}
"""


def policy(allow: list[str], deny: list[str]) -> Policy:
    return Policy({"allow": [["lit", p] for p in allow], "deny": [["lit", p] for p in deny]}, lambda e: lambda _f: e[1])


@pytest.mark.parametrize(
    ("allow", "deny", "allowed"),
    [
        (["+1"], [], True),
        (["+44"], [], False),
        ([], ["+1900"], True),
        ([], ["+1415"], False),
        (["+1"], ["+1415"], False),
        (["+1415555"], ["+1415"], True),
        (["+1415"], ["+1415"], False),
        (["+44, +1415"], [], True),
        ([""], [], False),
        ([","], [], False),
    ],
)
def test_the_longest_prefix_decides_and_deny_wins_a_tie(allow: list[str], deny: list[str], allowed: bool) -> None:
    assert policy(allow, deny).allows(None, "+14155550123") is allowed  # type: ignore[arg-type]


def test_opening_hours_are_those_of_their_zone_and_the_first_range_decides() -> None:
    hours = Schedule(
        {
            "zone": "America/New_York",
            "periods": [
                ["holiday", [{"date": "2026-12-24"}]],
                ["open", [{"days": [0, 1, 2, 3, 4], "from": 540, "to": 1020}]],
            ],
        }
    )
    at = [
        (datetime(2026, 11, 20, 13, 59, tzinfo=UTC), "closed"),
        (datetime(2026, 11, 20, 14, 0, tzinfo=UTC), "open"),
        (datetime(2026, 11, 20, 22, 0, tzinfo=UTC), "closed"),
        (datetime(2026, 7, 10, 13, 0, tzinfo=UTC), "open"),
        (datetime(2026, 11, 21, 15, 0, tzinfo=UTC), "closed"),
        (datetime(2026, 12, 24, 15, 0, tzinfo=UTC), "holiday"),
    ]
    assert [(when, hours.period(when)) for when, _ in at] == at


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"kind": "news", "words": "hi"}, {"text": "hi"}),
        ({"kind": "news", "words": "hi", "more": 1}, {"text": "hi"}),
        ({"kind": "other", "words": "hi"}, None),
        ({"words": "hi"}, None),
        ({"kind": "news"}, None),
        ({"kind": "news", "words": "far too long"}, None),
        ({"kind": ["news"], "words": "hi"}, None),
    ],
)
def test_an_update_is_taken_only_as_declared(arguments: dict[str, Any], expected: object) -> None:
    takes = {"words": {"t": "text", "max": 5}}
    update = Update(
        {"name": "n", "match": {"kind": "news"}, "takes": takes, "vars": {"words": "text"}, "next": "x"}, {}
    )
    assert update.read(arguments) == expected


def test_missing_values_are_named_all_at_once() -> None:
    text = FLOW.replace("NAME", "door").replace(
        "hello: {say",
        "talk: {bridge: env.ONE, caller_id: env.TWO, next: {ended: hangup, no_answer: hangup, failed: hangup}}\n"
        "  hello: {say",
    )
    text = text.replace("done: hangup", "done: talk")
    with pytest.raises(PlanError, match=r"ONE.*door.*TWO"):
        Program.load(plan_of(text), {"ONE": ""})


def test_the_first_route_that_fits_is_taken() -> None:
    bundle = plan_of(FLOW.replace("NAME", "first"))
    one = Program.load(bundle, ENV)
    event = parse_event(Phone(one).event("NEW_INBOUND_CALL"))
    assert getattr(one.route(event, "inbound"), "name", None) == "first"
    assert one.route(event, "outbound") is None


def test_a_state_that_a_plan_does_not_have_is_named() -> None:
    flow = load(FLOW.replace("NAME", "first")).current("first")
    assert flow is not None
    with pytest.raises(PlanError, match="nowhere"):
        flow.node("nowhere")
    assert load(FLOW.replace("NAME", "first")).flow("000000000000") is None
