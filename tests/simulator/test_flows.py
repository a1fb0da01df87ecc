"""Whole calls of three flows: the real compiler, the real runtime, the virtual service."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from simulator.kit import told
from sma_flows.cli.load import load_program
from sma_flows.protocol.check import check_event, check_response
from sma_flows.runtime.invoke import handle
from sma_flows.simulator.driver import Party, Phone
from sma_flows.simulator.messages import OutboundCall
from sma_flows.simulator.model import World
from sma_flows.simulator.switches import OTHERS

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
NUMBERS = World(numbers=frozenset({"+12065550199", "+14255550100"}))


def answering(flow: str) -> Any:
    env = ROOT / "flows" / "local.env"
    loaded = load_program(str(ROOT / "flows" / f"{flow}.yaml"), (), env, None, "memory")

    def answer(event: dict[str, Any]) -> object:
        assert check_event(event) == []
        response = handle(loaded.program, event, now=NOW, services=loaded.services).response
        assert check_response(response) == []
        return response

    return answer


ALL = [{}, *({name: value} for name, value in OTHERS)]


@pytest.mark.parametrize("switches", ALL, ids=lambda one: "-".join(*one.items()) if one else "default")
@pytest.mark.parametrize("flow", ["dial-in", "voicemail"])
def test_a_silent_caller_is_let_go(flow: str, switches: dict[str, str]) -> None:
    made = Phone(answering(flow), switches=switches)
    made.dial_in()
    made.settle()
    assert made.over
    assert told(made)[-1] == "HANGUP LEG-A"


def test_a_caller_who_leaves_at_once() -> None:
    for flow in ("dial-in", "voicemail"):
        made = Phone(answering(flow))
        made.dial_in()
        made.wait(500)
        made.hang_up()
        made.settle()
        assert made.over
        assert told(made) == ["NEW_INBOUND_CALL", "HANGUP LEG-A"]


@pytest.mark.parametrize("does", ["answers", "busy", "no_answer"])
def test_click_to_call(does: str) -> None:
    arguments = {"customer": "+12065550123", "customer_name": "Ana", "language": "en-US", "request": "r-1"}
    made = Phone(answering("click-to-call"), parties=[Party(), Party(does)], world=NUMBERS)
    made.dial_out(OutboundCall("+12065550150", "+12065550199", tuple(arguments.items())))
    made.wait(6_000)
    made.press("1")
    made.wait(40_000)
    assert told(made)[:3] == ["NEW_OUTBOUND_CALL CallCreateRequest", "RINGING", "CALL_ANSWERED"]
    if does == "answers":
        assert "ACTION_SUCCESSFUL CallAndBridge" in told(made)
        made.hang_up("LEG-B")
    else:
        assert "ACTION_FAILED CallAndBridge CallNotAnswered" in told(made)
    made.settle()
    assert made.over
