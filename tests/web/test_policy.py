"""The policy of the API is enough, and every statement of it is needed: the real adapters behind it."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from tests.deploy.gate import ENV, KNOWN, Gate

from sma_flows.deploy.policy import Policy, Value, web_policy
from sma_flows.web.function import Function

from .rig import Answered, claims, event, plan, settings, wanted

APPLICATION = "11111111-2222-3333-4444-555555555555"


@cache
def policy() -> Policy:
    env = {**settings(ENV["SMA_FLOWS_STORE"], APPLICATION), **ENV}
    return web_policy({name: Value(text) for name, text in env.items()})


def document(without: str = "") -> dict[str, Any]:
    made = policy().document(KNOWN)
    made["Statement"] = [each for each in made["Statement"] if each["Sid"] != without]
    return made


def play(allowed: dict[str, Any] | None) -> tuple[Gate, list[int]]:
    """Everything that the API does: calls placed, looked at, steered, ended, refused by a limit, failed."""
    gate = Gate(allowed)
    with gate.open():
        env = {**settings(ENV["SMA_FLOWS_STORE"], APPLICATION, PER_USER="2/1d"), **ENV}
        function = Function.on(plan(), env)

        def send(*request: Any) -> Answered:
            import json

            answer = function.answer(event(*request))
            text = answer.get("body") or "{}"
            return Answered(answer["statusCode"], json.loads(text), {}, text)

        first = wanted()
        placed = send("POST", "/calls", first)
        call = placed.body.get("call", "wc-none")
        statuses = [placed.status, send("POST", "/calls", first).status, send("GET", f"/calls/{call}").status]
        if placed.status == 201:
            function._calls.directory.put("example-web-calls", call, {"talking": "yes"}, "t", 0.0, 2.0)
        statuses.append(send("POST", f"/calls/{call}/keys", {"keys": "1"}).status)
        statuses.append(send("DELETE", f"/calls/{call}").status)
        statuses += [send("POST", "/calls", wanted()).status, send("POST", "/calls", wanted()).status]
        statuses.append(send("POST", "/calls", wanted(), claims(sub="u-2")).status)
    return gate, statuses


GOOD = [201, 409, 200, 202, 204, 201, 429, 201]


def test_the_api_needs_nothing_that_its_policy_does_not_allow() -> None:
    gate, statuses = play(document())
    assert (statuses, gate.denied) == (GOOD, [])


def test_everything_that_the_policy_of_the_api_allows_is_needed() -> None:
    gate, _ = play(None)
    for statement in policy().document(KNOWN)["Statement"]:
        one = Gate({"Statement": [statement]})
        used = {action for action, resource in gate.asked if one.allows((action, resource))}
        assert used == set(statement["Action"]), statement["Sid"]


@pytest.mark.parametrize("sid", [statement.sid for statement in policy().statements])
def test_without_one_statement_the_api_breaks(sid: str) -> None:
    gate, statuses = play(document(sid))
    assert gate.denied
    assert statuses != GOOD


def test_the_policy_of_the_api_has_no_wildcard_but_where_iam_knows_no_resource() -> None:
    for statement in policy().document(KNOWN)["Statement"]:
        assert not any("*" in action for action in statement["Action"])
        assert (statement["Resource"] == "*") == (statement["Sid"] == "WithoutResources")
    (application,) = (each["Resource"] for each in document()["Statement"] if each["Sid"] == "Calls")
    assert application.endswith(f":sma/{APPLICATION}")
