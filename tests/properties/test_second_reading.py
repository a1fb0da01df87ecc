"""Two readings of the contract agree: the small line of this folder and the virtual network.

:mod:`properties.line` knows nothing of the simulator, on purpose: it lets actions end as a test wishes, also as the
service never would. Where it plays what the service could do, the network must be able to send the very same events,
and the function must give the very same answers to them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.scenarios.engine import Reaction
from tests.scenarios.network import NetworkPlayer
from tests.scenarios.script import Script, Step

from properties.calls import FLOWS, NOW, Dice, World, arguments_of, program_of
from properties.line import TRANSACTION, Done, Failed, Gone, Line, results_of
from sma_flows.runtime.invoke import Result, handle
from sma_flows.runtime.program import Program

CALLS = 60
MOST = 40
NO_TIME = (
    *("ReceiveDigits", "VoiceFocus", "ModifyChimeMeetingAttendees"),
    *("StartCallRecording", "StopCallRecording", "PauseCallRecording", "ResumeCallRecording"),
)


class Fair(Dice):
    """Fates that the service could let happen: nobody can leave during what takes no time."""

    def act(self, line: Line, action: dict[str, Any]) -> Done | Failed | Gone:
        fate = super().act(line, action)
        return Done(results_of(action)) if isinstance(fate, Gone) and action["Type"] in NO_TIME else fate


def random_line(program: Program, inbound: bool, seed: int) -> Line:
    """A call on the line in which nothing happens that the service could not let happen."""
    rng, world = Random(seed), World(seed)
    flow = program.plan.revisions[next(iter(program.plan.flows.values()))]

    def answer(event: dict[str, Any]) -> Result:
        return handle(program, event, now=NOW, services=world)

    line = Line(answer, inbound=inbound, arguments=None if inbound else arguments_of(flow, rng))
    dice = Fair(rng, flow)
    line.start()
    for _ in range(MOST):
        if line.over:
            break
        alive = [tag for tag, leg in line.legs.items() if leg.alive]
        if line.list:
            line.step(dice)
        elif rng.random() < 0.5 and line.listeners:
            line.press(rng.choice(alive), dice.key(line))
        else:
            line.leave(rng.choice(alive))
    return line


def steps_of(line: Line) -> tuple[Step, ...]:
    """The events of a call as wishes."""
    return tuple(step_of(event) for event in line.events)


def step_of(event: Mapping[str, Any]) -> Step:
    kind, data = event["InvocationEventType"], event.get("ActionData") or {}
    params = data.get("Parameters") or {}
    legs = {leg["CallId"]: leg["ParticipantTag"][-1] for leg in event["CallDetails"]["Participants"]}
    leg = legs.get(params.get("CallId", ""), "")
    if kind == "HANGUP":
        return Step(kind, leg=params["ParticipantTag"][-1], code=params["SipResponseCode"])
    if kind == "DIGITS_RECEIVED":
        return Step(kind, leg=leg, digits=data["ReceivedDigits"])
    if kind in ("NEW_OUTBOUND_CALL", "CALL_UPDATE_REQUESTED"):
        return Step(kind, arguments=params.get("Arguments", {}))
    if not kind.startswith("ACTION_"):
        return Step(kind)
    if kind == "ACTION_FAILED":
        words = str(params.get("Text") or params.get("AudioSource", {}).get("Key", ""))
        plainest = max(re.findall(r"[ -!#-\[\]-~]*", words), key=len)  # the same in any JSON text
        match = {"words": plainest} if plainest and leg == "A" else {}  # on leg B the leg is enough
        return Step(kind, action=data["Type"], leg=leg, match=match, error=data["ErrorType"])
    digits = data.get("ReceivedDigits") if data["Type"] != "ReceiveDigits" else None
    key = (data.get("RecordingDestination") or {}).get("Key", "")
    location = (data.get("CallRecordingDestination") or {}).get("Location", "")
    intent = ((data.get("IntentResult") or {}).get("SessionState") or {}).get("Intent", {})
    slots = {name: slot["Value"]["InterpretedValue"] for name, slot in intent.get("Slots", {}).items()}
    return Step(
        kind, action=data["Type"], leg=leg, digits=digits, key=key, location=location, intent=intent.get("Name", ""),
        state=intent.get("State", ""), slots=slots,
    )  # fmt: skip


class Function:
    """The program at the standing clock of the line."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def react(self, event: dict[str, Any], now: datetime, services: Any) -> Reaction:
        return Reaction(json.loads(json.dumps(handle(self.program, event, now=NOW, services=services).response)))


class Asked(World):
    """The world of the line, with the books that the player of scripts reads: nobody counts here."""

    problem = None

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.state: dict[str, Any] = {"calls": [], "asked": []}


def on_the_network(program: Program, seed: int, line: Line) -> NetworkPlayer:
    """The same call, played by the network."""
    script = Script(
        "line", "line", "", folder=Path(), flows=(), env={}, stubs={}, secrets=(), never_saved=(), at=NOW, from_="",
        to="", headers={}, steps=steps_of(line), totals={},
    )  # fmt: skip
    player = NetworkPlayer(script, Function(program))
    player.transaction = TRANSACTION
    player.services = Asked(seed)
    player.play()
    return player


def differences(line: Line, player: NetworkPlayer) -> list[str]:
    """Where the two calls are not the same: what was told, who was there, where the call was, what was answered."""
    first: dict[int, Any] = {}
    for record in player.records:
        first.setdefault(record.step, record)
    found = []
    for number, (event, result) in enumerate(zip(line.events, line.results, strict=True), 1):
        told, answered = first[number].sent(), first[number].reply()
        pairs = {
            "legs": (people(event), people(told)),
            "position": (position(event), position(told)),
            "answer": (plain(result.response.get("Actions")), plain(answered.get("Actions"))),
        }
        found += [
            f"{number} {event['InvocationEventType']}: {what} {one} on the line, {other} on the network"
            for what, (one, other) in pairs.items()
            if one != other
        ]
    return found


def people(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(leg["ParticipantTag"], leg.get("Status", "")) for leg in event["CallDetails"]["Participants"]]


def position(event: Mapping[str, Any]) -> list[str]:
    """Where the saved call is; the rest of it holds numbers of events and marks of CallIds."""
    saved = event["CallDetails"].get("TransactionAttributes") or {}
    return str(saved.get("sf", "")).split("|")[2:7]


def plain(value: Any) -> str:
    """An answer without the CallIds, of which each of the two has its own."""
    return re.sub(r"a{8}-[0-9-]+|b{8}-[0-9-]+|call-[ab][0-9]*", "leg", json.dumps(value))


@pytest.mark.parametrize("name", FLOWS)
def test_the_network_plays_the_calls_of_the_line(name: str) -> None:
    program, inbound = program_of(name)
    kinds: Counter[str] = Counter()
    for seed in range(CALLS):
        line = random_line(program, inbound, seed)
        kinds.update(str(event["InvocationEventType"]) for event in line.events)
        try:
            player = on_the_network(program, seed, line)
        except Exception as problem:
            problem.add_note(f"{name}, call {seed}")
            raise
        assert differences(line, player) == [], f"call {seed}"
        assert player.by_hand == [], f"call {seed}"
        assert player.lacking == {}, f"call {seed}"
    assert kinds["HANGUP"] >= CALLS
    assert kinds["ACTION_SUCCESSFUL"] + kinds["ACTION_FAILED"] >= CALLS
