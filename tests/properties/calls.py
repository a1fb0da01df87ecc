"""Random calls against any plan: a chooser, services that answer what is declared, and plans to play against."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from properties.line import Chooser, Done, Failed, Gone, Line, collect, results_of
from sma_flows.compiler import compile_paths
from sma_flows.plan import Plan
from sma_flows.runtime.ask import Ask, ServiceReply
from sma_flows.runtime.invoke import Result, handle
from sma_flows.runtime.program import Program

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)


def compiled(*paths: Path) -> Plan:
    """Compile flows that are expected to be in order."""
    result = compile_paths(list(paths))
    errors = [found for found in result.diagnostics if found.severity == "error"]
    assert result.plan is not None, "\n".join(map(str, errors))
    return result.plan


def env_of(plan: Plan) -> dict[str, str]:
    """A value for every environment name that the plan wants, fit for what its name promises."""
    env = {}
    for flow in plan.revisions.values():
        wanted = flow.get("env", {})
        for name in [*wanted.get("required", ()), *wanted.get("optional", ())]:
            env[name] = _env(name)
    return env


def _env(name: str) -> str:
    known = _local_env().get(name)
    if known:
        return known
    if "BOT" in name:
        return "arn:aws:lex:us-east-1:111122223333:bot-alias/EXAMPLEBOT/TSTALIASID"
    if "ARN" in name or "CONNECTOR" in name:
        return "arn:aws:chime:us-east-1:111122223333:vc/abcdefghijklmnopqrstu1"
    if any(word in name for word in ("NUMBER", "SALES", "PHONE")):
        return "+12065550150"
    return "example-" + name.lower().replace("_", "-")


@cache
def _local_env() -> dict[str, str]:
    path = ROOT / "flows" / "local.env"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def own_flow() -> Path:
    """A flow of this folder that uses every verb which the shipped flows may not use."""
    return HERE / "everything" / "everything.yaml"


def _whole_calls() -> dict[str, Path]:
    """Our flow and the shipped ones by name; sub-flows and bundles are no calls."""
    found = {}
    for path in [own_flow(), *sorted((ROOT / "flows").glob("*.yaml"))]:
        text = path.read_text(encoding="utf-8")
        if text.startswith("sma_flow") and "\nentry: sub" not in text:
            found[path.stem] = path
    return found


PATHS = _whole_calls()
FLOWS = tuple(PATHS)
"""The flows that random calls are played against."""


@cache
def program_of(name: str) -> tuple[Program, bool]:
    """The program of one of :data:`FLOWS`, and whether its calls are inbound."""
    plan = compiled(PATHS[name])
    flow = next(iter(plan.revisions.values()))
    return Program.load(plan, env_of(plan)), flow["entry"] == "inbound"


def value_of(kind: Mapping[str, Any], rng: Random) -> Any:
    """Some value of a declared type."""
    name = kind["t"]
    low, high = kind.get("min") or 0, kind.get("max") or 5
    size = rng.randint(low, min(high, low + 5))
    if name == "digits":
        return "".join(rng.choice("0123456789") for _ in range(max(1, size)))
    if name == "text":
        return 'é<&|,;="x'.ljust(low, "x")[: max(low, min(high, 9))]
    if name in ("one_of", "number", "boolean", "phone"):
        return {"one_of": rng.choice(list(kind.get("words") or [""])), "number": rng.randint(-2, 5)}.get(
            name, rng.random() < 0.5 if name == "boolean" else "+12065550177"
        )
    if name == "list":
        return [value_of(kind["item"], rng) for _ in range(min(3, kind.get("max") or 3))]
    return {
        "locale": "en-US",
        "leg": rng.choice("AB"),
        "audio": "hold.wav",
        "prompt": "welcome",
        "recording": {"bucket": "example-voicemails", "key": "rec/7.wav"},
        "map": {"Topic": "billing"},
    }.get(name, "x")


@dataclass
class World:
    """Answers every ask with a declared outcome, always the same for the same effect token."""

    seed: int = 0
    asks: list[Ask] = field(default_factory=list)
    failing: float = 0.05

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        """The same token gets the same reply, as a memo would give it."""
        self.asks.append(ask)
        rng = Random(f"{self.seed}{ask.port}{ask.name}{ask.token}")
        if rng.random() < self.failing:
            return ServiceReply("failed")
        if ask.port == "meetings.attend":
            return ServiceReply("done", {"attendee": f"att-{ask.token[:8]}", "token": f"join-{ask.token}"})
        if ask.port == "meetings.roster":
            return ServiceReply("done", {"attendees": ["att-1", "att-2"]})
        if ask.port != "hook":
            return ServiceReply("done")
        outcomes = ask.hook.get("outcomes") or {"done": {}}
        names = list(outcomes)
        outcome = names[0] if rng.random() < 0.6 else rng.choice(names)
        return ServiceReply(outcome, {name: value_of(kind, rng) for name, kind in outcomes[outcome].items()})


class Dice(Chooser):
    """Every action may work, fail, or be cut short by a hang-up; digits are typed well, badly or not at all."""

    def __init__(self, rng: Random, flow: Mapping[str, Any], *, trouble: float = 0.05) -> None:
        self.rng = rng
        self.trouble = trouble
        self.states: Mapping[str, Any] = flow["states"]

    def typed(self, line: Line) -> str:
        """One attempt at the question that the call is at: mostly what it wants, else anything."""
        rng = self.rng
        state = self.states.get(line.results[-1].after.state, {})
        if rng.random() < 0.75:
            if state.get("do") == "menu":
                return rng.choice([key.replace("digit", "4") for key in state["keys"]])
            low, high = state.get("min", 1), state.get("max", 6)
            return "".join(rng.choice("0123456789") for _ in range(rng.randint(low, high)))
        return "".join(rng.choice("0123456789*") for _ in range(rng.randint(0, 8))) + rng.choice(["", "#"])

    def key(self, line: Line) -> str:
        """A background key: mostly one that somebody waits for."""
        position = line.results[-1].after
        keys = [
            key.replace("digit", "4")
            for name in (position.base, position.state)
            for key in self.states.get(name, {}).get("listen", {}).get("keys", {})
        ]
        return self.rng.choice([*keys, *keys, "5", "*"])

    def act(self, line: Line, action: dict[str, Any]) -> Done | Failed | Gone:
        """The fate of one action."""
        rng, kind = self.rng, action["Type"]
        draw = rng.random()
        if draw < self.trouble / 2:
            both = "LEG-B" in line.legs and line.legs["LEG-B"].alive
            return Gone(rng.choice(["LEG-A", "LEG-B"]) if both else "LEG-A")
        if draw < self.trouble:
            errors = ["SystemException", "InvalidActionParameter", "InvalidAudioSource", "CallNotAnswered", "Odd"]
            return Failed(rng.choice(errors))
        if kind in ("SpeakAndGetDigits", "PlayAudioAndGetDigits"):
            params = action["Parameters"]
            entered, _ = collect(params, [self.typed(line) for _ in range(int(params.get("Repeat", 1)))])
            return Done({"ReceivedDigits": entered}) if entered is not None else Failed("InvalidDigitsReceived")
        data = results_of(action)
        if kind == "StartBotConversation":
            intents = self.states.get(line.results[-1].after.state, {}).get("intents") or ["Other"]
            intent = data["IntentResult"]["SessionState"]["Intent"]
            intent["Name"] = rng.choice(intents)
            intent["Slots"] = {"Topic": {"Value": {"OriginalValue": "bills", "InterpretedValue": "billing"}}}
        return Done(data)


def random_call(program: Program, inbound: bool, seed: int, *, steps: int = 60) -> Line:
    """Play one call to its end or until it has taken long enough. The line keeps every event."""
    rng = Random(seed)
    world = World(seed)
    flow = program.plan.revisions[next(iter(program.plan.flows.values()))]

    def answer(event: dict[str, Any]) -> Result:
        return handle(program, event, now=NOW, services=world)

    line = Line(answer, inbound=inbound, arguments=None if inbound else arguments_of(flow, rng))
    dice = Dice(rng, flow)
    line.start()
    for _ in range(steps):
        if line.over:
            break
        disturb(line, dice, rng, flow)
    return line


def arguments_of(flow: Mapping[str, Any], rng: Random) -> dict[str, str]:
    """Arguments of an outbound call as its flow declares them, now and then with one missing."""
    given = {name: _text(value_of(flow["vars"][name], rng)) for name in flow.get("inputs", ())}
    if given and rng.random() < 0.1:
        given.pop(rng.choice(list(given)))
    return given


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def disturb(line: Line, dice: Dice, rng: Random, flow: Mapping[str, Any]) -> None:
    """The next thing that happens on the line: mostly the running list goes on, or a key, an update, a hang-up."""
    draw = rng.random()
    alive = [tag for tag, leg in line.legs.items() if leg.alive]
    if line.list and draw < 0.72:
        line.step(dice)
    elif draw < 0.87:
        line.press(rng.choice(alive), dice.key(line))
    elif draw < 0.94:
        updates = flow.get("updates") or [{"match": {"kind": "x"}, "takes": {}}]
        update = rng.choice(updates)
        given = dict(update.get("match", {}))
        given.update({name: _text(value_of(kind, rng)) for name, kind in update.get("takes", {}).items()})
        line.update(given)
    elif draw < 0.97 and not line.list:
        line.leave(rng.choice(alive))
    elif draw < 0.98:
        line.deliver(line.event("RINGING"))


def own_events() -> list[dict[str, Any]]:
    """Invocation events that lie in the repository, and in a corpus of published ones where a checkout has it."""
    folders = [ROOT / "events", Path(os.environ.get("SMA_FLOWS_CORPUS", ROOT.parent / "shared" / "corpus")) / "events"]
    found = []
    for folder in folders:
        for path in sorted(folder.rglob("*.json")) if folder.is_dir() else ():
            data = json.loads(path.read_text(encoding="utf-8"))
            for item in data if isinstance(data, list) else [data]:
                event = item.get("event", item) if isinstance(item, dict) else item
                if isinstance(event, dict) and "InvocationEventType" in event:
                    found.append(event)
    return found
