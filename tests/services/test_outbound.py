"""Calls that are placed and told something: what is checked before anybody is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sma_flows.plan import Plan
from sma_flows.services.outbound import InputError, Outbound, RefusedNumberError

from .world import NOW

ENV = {"AREA": "+1415555"}
POLICY = {"allow": [["lit", "+1206"], ["env", "AREA"]], "deny": [["lit", "+120655501"]]}
DIGITS = {"t": "digits", "min": 4, "max": 4}
CALL_BACK: Mapping[str, Any] = {
    "name": "call-back",
    "entry": "outbound",
    "start": "a",
    "states": {},
    "inputs": ["name", "ticket", "again"],
    "vars": {
        "name": {"t": "text", "max": 20},
        "ticket": DIGITS,
        "again": {"t": "boolean", "initial": False},
        "words": {"t": "text", "max": 20},
    },
    "updates": [
        {
            "name": "notice",
            "match": {"update": "notice"},
            "takes": {"words": {"t": "text", "max": 20}},
            "vars": {"words": "words"},
            "next": "a",
        }
    ],
}
DESK: Mapping[str, Any] = {"name": "desk", "entry": "inbound", "start": "a", "states": {}, "policy": POLICY}


class Calls:
    def __init__(self) -> None:
        self.placed: list[tuple[object, ...]] = []
        self.told: list[tuple[object, ...]] = []

    def create(self, *asked: object) -> str:
        self.placed.append(asked)
        return "t-1"

    def update(self, *asked: object) -> bool:
        self.told.append(asked)
        return True


def outbound(**policies: Mapping[str, Any]) -> Outbound:
    flows = {"call-back": dict(CALL_BACK), "desk": dict(DESK)}
    for name, policy in policies.items():
        flows[name.replace("_", "-")]["policy"] = policy
    revisions = {f"rev-{name}": flow for name, flow in flows.items()}
    plan = Plan("desk", (), {name: f"rev-{name}" for name in flows}, revisions)
    return Outbound(plan, ENV)


INPUTS = {"name": "Ana", "ticket": "1234"}


def place(made: Outbound, to: str = "+14155550123", **changes: Any) -> Calls:
    calls = Calls()
    settings: dict[str, Any] = {
        "flow": "call-back",
        "to": to,
        "caller": "+12065550199",
        "inputs": INPUTS,
        "token": "token",
        "now": NOW,
        "timeout_s": 1.0,
        "application": "app-1",
        "revision": "rev-desk",
        **changes,
    }
    made.place(calls, **settings)  # type: ignore[arg-type]
    return calls


def test_a_call_is_placed_with_texts_only() -> None:
    calls = place(outbound(), inputs={**INPUTS, "again": True, "ticket": 1234})
    arguments = {"flow": "call-back", "name": "Ana", "ticket": "1234", "again": "true"}
    assert calls.placed == [("app-1", "+14155550123", "+12065550199", arguments, "token", NOW, 1.0)]


@pytest.mark.parametrize(
    "number",
    [
        "+19005550123",
        "+12065550123",  # denied, and longer than what allows it
        "911",
        "",
        "+",
        "4155550123",
        "+1415555CALL",
        "+0415555012",
        "+14155550123456789",
        "+1415555\u0661\u0662\u0663\u0664",  # digits, but not those of a telephone
        "+14155550123\n",
        "sip:ana@example.com",
    ],
)
def test_numbers_that_are_not_allowed_or_none_are_not_dialled(number: str) -> None:
    with pytest.raises(RefusedNumberError):
        place(outbound(), number)


def test_both_flows_have_a_say() -> None:
    """The flow that asks and the one that answers: a number passes both policies."""
    with pytest.raises(RefusedNumberError):
        place(outbound(call_back={"allow": [["lit", "+1425"]]}))
    assert place(outbound(call_back={"allow": [["lit", "+1415"]]})).placed
    with pytest.raises(RefusedNumberError):
        place(outbound(call_back={"allow": [["lit", "+1425"]]}), revision="")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"inputs": {"name": "Ana"}}, "'ticket' of the flow 'call-back' is missing"),
        ({"inputs": {**INPUTS, "ticket": "12"}}, "'ticket' of the flow 'call-back' is missing or of another type"),
        ({"inputs": {**INPUTS, "ticket": None}}, "'ticket'"),
        ({"inputs": {**INPUTS, "colour": "red"}}, "takes no colour"),
        ({"inputs": {**INPUTS, "name": ["Ana"]}}, "'name' is neither text nor number"),
        ({"flow": "desk"}, "'desk' does not answer calls that we place"),
        ({"caller": "anonymous"}, "caller id"),
        ({"flow": "elsewhere", "inputs": {f"n{n}": n for n in range(20)}}, "more than 19"),
    ],
)
def test_what_the_flow_does_not_take_is_not_sent(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        place(outbound(), **changes)


def test_a_flow_of_somebody_else_is_given_what_there_is() -> None:
    calls = place(outbound(), flow="elsewhere", inputs={"anything": 1})
    assert calls.placed[0][3] == {"flow": "elsewhere", "anything": "1"}


def tell(made: Outbound, update: str = "notice", **arguments: Any) -> Calls:
    calls = Calls()
    assert made.tell(
        calls, "call-back", "t-1", update, arguments, token="token", now=NOW, timeout_s=1.0, application="app-1"
    )
    return calls


def test_an_update_is_sent_with_what_tells_it_from_others() -> None:
    calls = tell(outbound(), words="soon")
    assert calls.told == [("app-1", "t-1", {"words": "soon", "update": "notice"}, "token", NOW, 1.0)]


@pytest.mark.parametrize(
    ("update", "arguments", "problem"),
    [
        ("news", {}, "has no update 'news'"),
        ("notice", {}, "takes other arguments"),
        ("notice", {"words": "a" * 21}, "takes other arguments"),
        ("notice", {"words": "soon", "colour": "red"}, "takes no colour"),
        ("notice", {"words": {"a": 1}}, "neither text nor number"),
    ],
)
def test_an_update_that_the_flow_would_not_take_is_not_sent(
    update: str, arguments: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        tell(outbound(), update, **arguments)
