"""Plays a script against an engine, event by event, and judges every answer."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .engine import Engine, Reaction
from .expect import HARMLESS, Expectation, leg_of
from .rules import check_answer, check_event
from .script import Script, ScriptError, Step
from .service import DIGIT_ACTIONS, Line, UnheardError
from .stubs import StubServices, compare_calls, same

MOST_INSERTED = 6


class ScenarioError(AssertionError):
    """A scenario did not go as it must."""


@dataclass(frozen=True, slots=True)
class Record:
    """One event that was played, and its answer: JSON texts, so that nothing can change them afterwards."""

    step: int
    call: int
    event: str
    now: datetime
    answer: str

    @property
    def kind(self) -> str:
        return str(json.loads(self.event)["InvocationEventType"])

    def sent(self) -> dict[str, Any]:
        return dict(json.loads(self.event))

    def reply(self) -> dict[str, Any]:
        return dict(json.loads(self.answer))

    def actions(self) -> list[dict[str, Any]]:
        return list(self.reply().get("Actions") or [])


@dataclass(frozen=True, slots=True)
class Run:
    """A script that went well: what was played, and every effect it had (hook, arguments, token) in order."""

    script: Script
    records: tuple[Record, ...]
    effects: list[list[Any]]


class Player:
    """One run of one script."""

    def __init__(self, script: Script, engine: Engine) -> None:
        self.script = script
        self.engine = engine
        self.services = StubServices(script.stubs)
        self.lines: dict[int, Line] = {}
        self.records: list[Record] = []
        self.now = script.at
        self.kept: dict[tuple[int, int], Any] = {}
        self.hushed = hushed(script)

    def play(self) -> Run:
        """All steps in order, then the totals.

        Raises:
            ScenarioError: with everything that was wrong in the step where it went wrong first.
        """
        for index, step in enumerate(self.script.steps, 1):
            self._step(index, step)
        calls = self.services.state["calls"]
        self._judge(len(self.script.steps), "totals", compare_calls(self.script.totals, calls))
        twice = [token for token, times in Counter(map(tuple, self.services.state["asked"])).items() if times > 1]
        self._judge(len(self.script.steps), "totals", [f"R6: asked twice without need: {token}" for token in twice])
        return Run(self.script, tuple(self.records), effects(self.services))

    def _step(self, index: int, step: Step) -> None:
        line = self.lines.setdefault(step.call, Line(self.script, step.call))
        self.now = step.at or (self.now + timedelta(seconds=step.after) if self.records else self.now)
        before = len(self.services.state["calls"])
        expectation = Expectation(step)
        event, reaction = self._deliver(index, line, step)
        actions = reaction.answer.get("Actions") or []
        self._judge(index, step.event, expectation.take(actions, event), reaction)
        for _ in range(MOST_INSERTED):
            if expectation.complete or not expectation.judged or not actions:
                break
            event, reaction = self._report(index, line, actions[-1], event)
            actions = reaction.answer.get("Actions") or []
            self._judge(index, f"{step.event}, continued", expectation.take(actions, event), reaction)
        if not expectation.complete:
            missing = ", then ".join(map(str, expectation.open))
            self._judge(index, step.event, [f"not answered: {missing}"], reaction)
        calls = self.services.state["calls"][before:]
        problems = compare_calls(step.calls, calls)
        for name, value in step.variables.items():
            got = reaction.variables.get(name)
            if not same(value, got):
                problems.append(f"variable {name}: {value} expected, is {got!r}")
        stored = json.dumps(line.attributes or {}, ensure_ascii=False)
        problems += [f"{text} is not saved" for text in step.saved if text not in stored]
        self._judge(index, step.event, problems, reaction)

    def _report(
        self, index: int, line: Line, action: dict[str, Any], event: dict[str, Any]
    ) -> tuple[dict[str, Any], Reaction]:
        """ACTION_SUCCESSFUL of the last action of a part (tolerance: a list may be split over several answers)."""
        kind = action["Type"]
        if kind in (*DIGIT_ACTIONS, "StartBotConversation", "RecordAudio", "CallAndBridge"):
            self._judge(index, kind, [f"the list stops at {kind}, whose result the script does not give"])
        self.now += timedelta(seconds=1)
        leg = leg_of(action, event)
        return self._deliver(index, line, Step("ACTION_SUCCESSFUL", call=line.number, action=kind, leg=leg))

    def _deliver(self, index: int, line: Line, step: Step) -> tuple[dict[str, Any], Reaction]:
        try:
            event = line.event(step, self.now)
        except UnheardError as error:
            raise ScenarioError(f"{self.script.name} step {index} {step.event}: {error}") from None
        if step.stored:
            self._alter(event, line, step.stored)
        self._judge(index, "harness", check_event(event))
        text = json.dumps(event)
        try:
            reaction = self.engine.react(json.loads(text), self.now, self.services)
        except ScriptError:
            raise
        except Exception as error:
            raise ScenarioError(f"{self.script.name} step {index} {step.event}: R9: {error!r}") from error
        self._judge(index, step.event, check_answer(event, reaction.answer), reaction)
        self._judge(index, step.event, self._leaks(reaction), reaction)
        self.records.append(Record(index, line.number, text, self.now, json.dumps(reaction.answer)))
        line.take(event, reaction.answer)
        self.kept[line.number, index] = copy.deepcopy(line.attributes)
        return event, reaction

    def _alter(self, event: dict[str, Any], line: Line, stored: str) -> None:
        """The attributes of this event are others than those that the last answer saved."""
        if stored.startswith("step "):
            attributes = self.kept[line.number, int(stored[5:])]
        elif stored == "none":
            attributes = line.attributes = None
        elif stored == "strange":
            attributes = line.attributes = {"CurrentState": "menu"}
        elif stored == "other revision":
            text = re.sub(r"[0-9a-f]{12}", "0" * 12, json.dumps(line.attributes), count=1)
            attributes = line.attributes = json.loads(text)
        else:
            raise ScriptError(f"{self.script.name}: stored: {stored} is not known")
        event["CallDetails"].pop("TransactionAttributes", None)
        if attributes:
            event["CallDetails"]["TransactionAttributes"] = copy.deepcopy(attributes)

    def _leaks(self, reaction: Reaction) -> list[str]:
        problems = told(self.hushed, reaction.traces)
        stored = json.dumps(reaction.answer.get("TransactionAttributes") or {})
        problems += [
            f"R10: {text} is in TransactionAttributes" for text in self.script.never_saved if occurs(text, stored)
        ]
        return problems

    def _judge(self, index: int, what: str, problems: list[str], reaction: Reaction | None = None) -> None:
        if problems:
            answer = f"\n  answer: {json.dumps(reaction.answer)[:1500]}" if reaction is not None else ""
            listed = "".join(f"\n  - {problem}" for problem in problems)
            raise ScenarioError(f"{self.script.name} step {index} {what}:{listed}{answer}")


def play(script: Script, engine: Engine) -> Run:
    """Play *script* against *engine*.

    Raises:
        ScenarioError: something is not as it must be.
    """
    return Player(script, engine).play()


def effects(services: StubServices) -> list[list[Any]]:
    """What was asked of the world: hook, arguments, token, once each."""
    return [call[:3] for call in services.state["calls"]]


def harmless(answer: dict[str, Any]) -> bool:
    """An answer that does nothing to the call: no actions, or only a Pause or a listener armed again."""
    return all(action["Type"] in HARMLESS for action in answer.get("Actions") or [])


def told(secrets: frozenset[str], traces: str) -> list[str]:
    """Which of *secrets* a log gives away (R10)."""
    return [f"R10: {text} is in the log output" for text in sorted(secrets) if occurs(text, traces)]


def hushed(script: Script) -> frozenset[str]:
    """What must stay out of the logs: typed digits, full numbers, and what the script names."""
    texts = {*script.secrets, *script.never_saved}
    for step in script.steps:
        if step.digits and len(step.digits) >= 4:
            texts.add(step.digits.rstrip("#*"))
    texts |= {number.lstrip("+") for number in (script.from_, script.to, "+14155550123", "+12065550199") if number}
    return frozenset(text for text in texts if text)


def occurs(text: str, where: str) -> bool:
    if text not in where:
        return False
    edge = r"(?<![0-9])" if text[0].isdigit() else ""
    end = r"(?![0-9])" if text[-1].isdigit() else ""
    return re.search(edge + re.escape(text) + end, where) is not None
