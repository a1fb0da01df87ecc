"""A small compiled flow, and ways to run the command line on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sma_flows.cli.app import cli
from sma_flows.plan import Plan, revision_of

Run = Callable[..., Result]

CALLER, CALLED = "+12065550101", "+12065550199"
LEG_A = "leg-a-0001"

HOOK = """
from sma_flows.hooks import Call, Reply, Secret, hook


@hook
def check_pin(_call: Call, pin: Secret) -> Reply:
    return Reply("ok" if pin.reveal() == "4711" else "wrong")
"""


def small_flow() -> dict[str, Any]:
    """Greets, asks for a PIN, lets a hook check it, and says what came of it."""
    say = {"do": "say", "next": {"done": "hangup", "failed": "hangup"}, "own": ["done", "failed"]}
    return {
        "name": "small",
        "entry": "inbound",
        "start": "ask_pin",
        "failed": "sorry",
        "vars": {"pin": {"t": "digits", "min": 4, "max": 4, "secrecy": "secret"}},
        "env": {"required": ["GREETING"], "optional": []},
        "hooks": {
            "check_pin": {
                "python": "hooks.pins:check_pin",
                "outcomes": {"ok": {}, "wrong": {}},
                "main": "ok",
                "budget": 500,
                "effect": "read",
                "args": ["secret"],
            }
        },
        "states": {
            "ask_pin": {
                "do": "gather",
                "var": "pin",
                "items": [["text", [["env", "GREETING"]]]],
                "min": 4,
                "max": 4,
                "terminators": ["#"],
                "timeout": 5000,
                "gap": 3000,
                "regex": "^[0-9]{4}$",
                "encoding": "service",
                "times": 1,
                "tick": 0,
                "next": {"done": "check", "no_input": "sorry", "no_match": "sorry", "failed": "sorry"},
                "own": ["done"],
                "keep": [],
            },
            "check": {
                "do": "run",
                "hook": "check_pin",
                "args": [["var", "pin"]],
                "next": {"ok": "welcome", "wrong": "sorry", "failed": "sorry", "limited": "sorry"},
                "own": ["ok", "wrong"],
                "keep": [],
            },
            "welcome": {**say, "items": [["text", ["Welcome."]]], "keep": []},
            "sorry": {**say, "items": [["text", ["Sorry."]]], "keep": []},
        },
    }


def small_plan() -> Plan:
    """A bundle of the small flow."""
    flow = small_flow()
    revision = revision_of(flow)
    return Plan("small", ({"entry": "inbound", "flow": "small"},), {"small": revision}, {revision: flow})


def an_event(kind: str, sequence: int, **action: Any) -> dict[str, Any]:
    """An event of one call, as the service sends it but without attributes. *action* is its ActionData."""
    found: dict[str, Any] = {
        "SchemaVersion": "1.0",
        "Sequence": sequence,
        "InvocationEventType": kind,
        "CallDetails": {
            "TransactionId": "11111111-2222-3333-4444-555555555555",
            "AwsAccountId": "111122223333",
            "AwsRegion": "us-east-1",
            "SipMediaApplicationId": "66666666-2222-3333-4444-555555555555",
            "Participants": [
                {
                    "CallId": LEG_A,
                    "ParticipantTag": "LEG-A",
                    "To": CALLED,
                    "From": CALLER,
                    "Direction": "Inbound",
                    "StartTimeInMilliseconds": "1795183200000",
                    **({} if kind == "NEW_INBOUND_CALL" else {"Status": "Connected"}),
                }
            ],
        },
    }
    if action:
        found["ActionData"] = action
    return found


def digits(sequence: int, pressed: str) -> dict[str, Any]:
    """The success of the question for the PIN."""
    parameters = {"CallId": LEG_A, "MinNumberOfDigits": 4, "MaxNumberOfDigits": 4}
    return an_event(
        "ACTION_SUCCESSFUL", sequence, Type="SpeakAndGetDigits", Parameters=parameters, ReceivedDigits=pressed
    )


def hung_up(sequence: int) -> dict[str, Any]:
    """The caller has left."""
    parameters = {"SipResponseCode": 0, "CallId": LEG_A, "ParticipantTag": "LEG-A"}
    event = an_event("HANGUP", sequence, Type="Hangup", Parameters=parameters)
    event["CallDetails"]["Participants"][0]["Status"] = "Disconnected"
    return event


@pytest.fixture
def run() -> Run:
    """Run the command line in this process: ``run("check", path)``."""

    def invoke(*words: str | Path, stdin: str | None = None) -> Result:
        return CliRunner().invoke(cli, [str(word) for word in words], input=stdin, prog_name="sma-flows")

    return invoke


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    """The small flow as a compiled plan, with its hook and a local.env beside it."""
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "pins.py").write_text(HOOK)
    (tmp_path / "local.env").write_text('GREETING="Please enter your PIN."\n')
    path = tmp_path / "plan.json"
    path.write_text(small_plan().dumps())
    return path


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """A call with the right PIN."""
    folder = tmp_path / "events"
    folder.mkdir()
    call = (an_event("NEW_INBOUND_CALL", 1), digits(2, "4711"), hung_up(3))
    for number, event in enumerate(call, start=1):
        name = event["InvocationEventType"].lower().replace("_", "-")
        (folder / f"{number:02}-{name}.json").write_text(json.dumps(event))
    return folder
