"""A telephone, a world with scripted hooks, and flows written into the test that needs them.

Events and the books of the service come from :mod:`properties.line`; what every answer must fulfil from
:mod:`properties.check`. This only adds what a decision needs: flows as text, and
answers that arrive when a test says so.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from properties.calls import NOW
from properties.check import Checker
from properties.line import Chooser, Done, Event, Failed, Gone, Line, results_of
from sma_flows.compiler import compile_paths
from sma_flows.plan import Plan
from sma_flows.runtime.ask import Ask, ServiceReply
from sma_flows.runtime.invoke import Result, handle
from sma_flows.runtime.program import Program

NOTHING = {"SchemaVersion": "1.0"}
ENV = {
    "SALES": "+12065550150",
    "OFFICE": "+12065550151",
    "VOICEMAILS": "example-voicemails",
    "PROMPTS": "example-prompts",
    "BOT": "arn:aws:lex:us-east-1:111122223333:bot-alias/EXAMPLEBOT/TSTALIASID",
}
CHECKER = Checker()

Reply = str | tuple[str, Mapping[str, Any]]


def findings(*texts: str) -> list[str]:
    """Codes of everything the compiler says about flows written as *texts*."""
    return [found.code for found in _compile(texts)[1]]


@cache
def plan_of(*texts: str) -> Plan:
    """Flows written as *texts*, compiled; no errors are expected."""
    plan, found = _compile(texts)
    assert plan is not None, "\n".join(f"{each.code} {each.span.line}: {each.message}" for each in found)
    return plan


def _compile(texts: tuple[str, ...], previous: tuple[Plan, ...] = ()) -> tuple[Plan | None, tuple[Any, ...]]:
    with TemporaryDirectory() as folder:
        paths = []
        for number, text in enumerate(texts):
            paths.append(Path(folder) / f"flow{number}.yaml")
            paths[-1].write_text(text, encoding="utf-8")
        result = compile_paths(paths, previous)
    return result.plan, result.diagnostics


def plan_after(text: str, previous: Plan) -> Plan:
    """The flow written as *text* after *previous* was deployed."""
    plan, found = _compile((text,), (previous,))
    assert plan is not None, found
    return plan


class World:
    """Hooks answer in turn what the test wrote; the last reply stays. Everything asked is kept."""

    def __init__(self, **replies: Reply | list[Reply]) -> None:
        self.replies = {name: list(reply) if isinstance(reply, list) else [reply] for name, reply in replies.items()}
        self.asks: list[Ask] = []
        self.meanwhile: Callable[[Ask], None] = lambda ask: None

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        self.asks.append(ask)
        self.meanwhile(ask)
        name = ask.name if ask.port == "hook" else ask.port
        if name not in self.replies:
            if ask.port == "meetings.attend":
                return ServiceReply("done", {"attendee": f"att-{ask.token[:6]}", "token": f"join-{ask.token}"})
            if ask.port == "meetings.roster":
                return ServiceReply("done", {"attendees": ["att-1", "att-2"]})
            return ServiceReply(ask.hook.get("main", "done") if ask.hook else "done")
        waiting = self.replies[name]
        reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return ServiceReply(reply) if isinstance(reply, str) else ServiceReply(*reply)

    def asked(self, name: str = "") -> list[Ask]:
        """What was asked of the hook or port *name*."""
        return [ask for ask in self.asks if name in ("", ask.name, ask.port)]


class Works(Chooser):
    """Everything works; questions are answered with *entries* in turn (empty: nothing was typed), then not at all."""

    def __init__(self, *entries: str) -> None:
        self.entries = list(entries)

    def act(self, line: Line, action: dict[str, Any]) -> Done | Failed | Gone:
        if action["Type"] in ("SpeakAndGetDigits", "PlayAudioAndGetDigits"):
            entry = self.entries.pop(0) if self.entries else ""
            return Done({"ReceivedDigits": entry}) if entry else Failed("InvalidDigitsReceived")
        return Done(results_of(action))


class Phone(Line):
    """One call against *program*; every answer is checked against the rules of :mod:`properties.check`."""

    def __init__(
        self,
        program: Program | str,
        world: World | None = None,
        *,
        inbound: bool = True,
        arguments: Event | None = None,
        now: datetime = NOW,
        fault: bool = False,
    ) -> None:
        super().__init__(self.react, inbound=inbound, arguments=arguments)
        self.program = load(program) if isinstance(program, str) else program
        self.world = world or World()
        self.now = now
        self.may_fault = fault

    def react(self, event: Event) -> Result:
        """The answer to an event, whether or not the service will take it."""
        given = json.dumps(event)
        result = handle(self.program, event, now=self.now, services=self.world)
        assert json.dumps(event) == given, "the event was changed"
        assert self.may_fault or not result.fault, result.fault
        CHECKER.answer(event, result.response)
        return result

    def to(self, state: str, *entries: str) -> Phone:
        """Go on (start, if need be) until *state* waits for its action."""
        if not self.results:
            self.start()
        works = Works(*entries)
        for _ in range(60):
            if self.at.state == state:
                return self
            self.step(works)
        raise AssertionError(f"{state} is not reached; the call is at {self.at}")

    def rest(self, *entries: str) -> Phone:
        """Go on until nothing runs."""
        if not self.results:
            self.start()
        self.run(Works(*entries))
        return self

    @property
    def last(self) -> Result:
        return self.results[-1]

    @property
    def at(self) -> Any:
        return self.last.after

    def report(self, action: dict[str, Any] | None = None, **data: Any) -> Event:
        """ACTION_SUCCESSFUL of *action* (the last one of the newest list)."""
        return self.event("ACTION_SUCCESSFUL", self.echo(action or self.newest()[-1], data))

    def failure(self, action: dict[str, Any] | None = None, error: str = "SystemException") -> Event:
        """ACTION_FAILED of *action* (the last one of the newest list)."""
        data = {"ErrorType": error, "ErrorMessage": "it did not work"}
        return self.event("ACTION_FAILED", self.echo(action or self.newest()[-1], data))

    def newest(self) -> list[dict[str, Any]]:
        """The list that was sent last."""
        return next(result.actions for result in reversed(self.results) if result.actions)

    def key(self, keys: str, tag: str = "LEG-A") -> Event:
        """DIGITS_RECEIVED on the listener of *tag*."""
        listener = self.listeners[self.legs[tag].call_id]
        return self.event("DIGITS_RECEIVED", self.echo(listener, {"ReceivedDigits": keys}))

    def updating(self, **arguments: Any) -> Event:
        """CALL_UPDATE_REQUESTED."""
        return self.event(
            "CALL_UPDATE_REQUESTED", {"Type": "CallUpdateRequest", "Parameters": {"Arguments": arguments}}
        )

    def hangup(self, tag: str) -> Event:
        """HANGUP of *tag*, which has left now; a meeting leg leaves with its caller."""
        leg = self.legs[tag]
        leg.status = "Disconnected"
        if tag == "LEG-A" and self.bridged == "JoinChimeMeeting" and "LEG-B" in self.legs:
            self.legs["LEG-B"].status = "Disconnected"
        params = {"CallId": leg.call_id, "ParticipantTag": tag, "SipResponseCode": 0}
        return self.event("HANGUP", {"Type": "Hangup", "Parameters": params})

    def take(self, response: Mapping[str, Any]) -> None:
        """The service takes an answer: list and attributes replace what it had."""
        if response.get("TransactionAttributes") is not None:
            self.attributes = copy.deepcopy(dict(response["TransactionAttributes"]))
        if response.get("Actions"):
            self.list = copy.deepcopy(list(response["Actions"]))


def load(*texts: str) -> Program:
    """Flows written as *texts*, ready to run."""
    return Program.load(plan_of(*texts), ENV)


def types(result: Result | Mapping[str, Any]) -> list[str]:
    """Types of the actions of an answer."""
    response = result.response if isinstance(result, Result) else result
    return [action["Type"] for action in response.get("Actions") or ()]


def texts(result: Result | Mapping[str, Any]) -> list[str]:
    """What an answer says."""
    response = result.response if isinstance(result, Result) else result
    speech = [a["Parameters"].get("SpeechParameters") or a["Parameters"] for a in response.get("Actions") or ()]
    return [each["Text"] for each in speech if "Text" in each]


def nothing(result: Result) -> bool:
    """Neither actions nor attributes: the call goes on as it is."""
    return bool(result.response == NOTHING)


def saved(phone: Phone) -> str:
    """What the service keeps of the call, as text."""
    return json.dumps(phone.attributes or {})
