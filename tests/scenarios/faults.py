"""Handlers that are broken on purpose, each in one way that real ones were: the harness must find every one of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any

from sma_flows.runtime.ask import Ask, ServiceReply

from .engine import Engine, Reaction
from .stubs import StubServices

Event = dict[str, Any]


class Broken:
    """A good engine with something done to its events, its answers or its world."""

    def __init__(self, inner: Engine) -> None:
        self.inner = inner

    def react(self, event: Event, now: datetime, services: StubServices) -> Reaction:
        reaction = self.inner.react(self.before(event), now, services)
        return replace(reaction, answer=self.after(event, reaction.answer))

    def before(self, event: Event) -> Event:
        """The event as the broken handler reads it."""
        return event

    def after(self, event: Event, answer: Any) -> Any:
        """The answer as the broken handler gives it."""
        return answer


def answers(change: Callable[[Event, Any], Any]) -> type[Broken]:
    """A handler whose answers go through *change(event, answer)*."""
    return type("Changed", (Broken,), {"after": staticmethod(change), "__doc__": change.__doc__})


def _leg(event: Event, alive: bool) -> dict[str, str]:
    for leg in event["CallDetails"]["Participants"]:
        if (leg.get("Status") != "Disconnected") is alive:
            return {"CallId": leg["CallId"]}
    return {"ParticipantTag": "LEG-A"}


class Leaks(Broken):
    """The list lives in a module variable: an answer without actions carries those of the event before (M1)."""

    last: list[Any] = []  # noqa: RUF012  shared on purpose

    def after(self, event: Event, answer: Any) -> Any:
        if answer.get("Actions"):
            Leaks.last = answer["Actions"]
            return answer
        return {**answer, "Actions": Leaks.last} if Leaks.last else answer


@answers
def hangs_up_the_dead(event: Event, answer: Any) -> Any:
    """Releases the leg that has just left instead of the other one."""
    if event["InvocationEventType"] != "HANGUP" or not answer.get("Actions"):
        return answer
    gone = {"Type": "Hangup", "Parameters": {"SipResponseCode": "0", **_leg(event, alive=False)}}
    return {**answer, "Actions": [gone]}


@answers
def releases_nobody(event: Event, answer: Any) -> Any:
    """Answers every HANGUP with nothing."""
    return {"SchemaVersion": "1.0"} if event["InvocationEventType"] == "HANGUP" else answer


@answers
def no_version(event: Event, answer: Any) -> Any:
    """A serialiser has changed the case of a key."""
    return {("schemaVersion" if key == "SchemaVersion" else key): value for key, value in answer.items()}


@answers
def array(event: Event, answer: Any) -> Any:
    """The list alone."""
    return answer.get("Actions") or []


@answers
def too_many(event: Event, answer: Any) -> Any:
    """More than ten actions."""
    pause = {"Type": "Pause", "Parameters": {"DurationInMilliseconds": 100, **_leg(event, alive=True)}}
    return {**answer, "Actions": [pause] * 10 + answer["Actions"]} if answer.get("Actions") else answer


@answers
def misspelt(event: Event, answer: Any) -> Any:
    """A parameter that does not exist; the service would ignore it in silence."""
    actions = json.loads(json.dumps(answer.get("Actions") or []).replace('"SipResponseCode"', '"sipResponseCode"'))
    return {**answer, "Actions": actions} if actions else answer


@answers
def answers_ringing(event: Event, answer: Any) -> Any:
    """Speaks while it rings."""
    pause = {"Type": "Pause", "Parameters": {"DurationInMilliseconds": 100, **_leg(event, alive=True)}}
    return {**answer, "Actions": [pause]} if event["InvocationEventType"] == "RINGING" else answer


@answers
def silent(event: Event, answer: Any) -> Any:
    """Nothing for a new call."""
    return {"SchemaVersion": "1.0"}


@answers
def nested_attributes(event: Event, answer: Any) -> Any:
    """Attributes that are no texts."""
    return {**answer, "TransactionAttributes": {"state": {"name": "x"}}}


@answers
def huge_attributes(event: Event, answer: Any) -> Any:
    """More than 20 KB."""
    return {**answer, "TransactionAttributes": {"history": "x" * 21_000}}


@answers
def clears_attributes(event: Event, answer: Any) -> Any:
    """An empty map takes the saved call away."""
    return {**answer, "TransactionAttributes": {}}


@answers
def saves_digits(event: Event, answer: Any) -> Any:
    """The typed PIN is kept."""
    digits = (event.get("ActionData") or {}).get("ReceivedDigits")
    if not digits or "TransactionAttributes" not in answer:
        return answer
    return {**answer, "TransactionAttributes": {**answer["TransactionAttributes"], "pin": digits}}


@answers
def names_tags(event: Event, answer: Any) -> Any:
    """ParticipantTag where the guide requires a CallId."""
    actions = [
        {"Type": item["Type"], "Parameters": {**_without(item["Parameters"], "CallId"), "ParticipantTag": "LEG-A"}}
        for item in answer.get("Actions") or []
    ]
    return {**answer, "Actions": actions} if actions else answer


@answers
def arms_nothing(event: Event, answer: Any) -> Any:
    """Forgets to listen for keys again."""
    actions = [item for item in answer.get("Actions") or [] if item["Type"] != "ReceiveDigits"]
    return {**_without(answer, "Actions"), **({"Actions": actions} if actions else {})}


@answers
def behind_the_bridge(event: Event, answer: Any) -> Any:
    """Puts an action behind a bridge."""
    actions = answer.get("Actions") or []
    if actions and actions[-1]["Type"] == "CallAndBridge":
        pause = {"Type": "Pause", "Parameters": {"DurationInMilliseconds": 100, **_leg(event, alive=True)}}
        return {**answer, "Actions": [*actions, pause]}
    return answer


def _without(data: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != key}


class Raises(Broken):
    """An exception leaves the handler when a leg has gone."""

    def before(self, event: Event) -> Event:
        if event["InvocationEventType"] == "HANGUP":
            raise KeyError("Status")
        return event


class LogsEvents(Broken):
    """Writes every event to the log."""

    def react(self, event: Event, now: datetime, services: StubServices) -> Reaction:
        logging.getLogger("broken").info("event %s", json.dumps(event))
        reaction = super().react(event, now, services)
        return replace(reaction, traces=f"{reaction.traces} {json.dumps(event)}")


class Remembers(Broken):
    """Keeps the saved call in the memory of the process, by transaction."""

    def __init__(self, inner: Engine) -> None:
        super().__init__(inner)
        self.memory: dict[str, Any] = {}

    def key(self, event: Event) -> str:
        return str(event["CallDetails"]["TransactionId"])

    def before(self, event: Event) -> Event:
        details = dict(event["CallDetails"])
        if self.key(event) in self.memory:
            details["TransactionAttributes"] = self.memory[self.key(event)]
        return {**event, "CallDetails": details}

    def after(self, event: Event, answer: Any) -> Any:
        if answer.get("TransactionAttributes"):
            self.memory[self.key(event)] = answer["TransactionAttributes"]
        return _without(answer, "TransactionAttributes")


class OneAtATime(Remembers):
    """Keeps the saved call of the process, whoever calls."""

    def key(self, event: Event) -> str:
        return "the call"

    def before(self, event: Event) -> Event:
        if event["InvocationEventType"] in ("NEW_INBOUND_CALL", "NEW_OUTBOUND_CALL"):
            self.memory.clear()
        return super().before(event)


class _Marks(Broken):
    """Keeps a mark of its own beside the runtime's attributes."""

    def mark(self, event: Event) -> Any:
        text = (event["CallDetails"].get("TransactionAttributes") or {}).get("mark")
        return json.loads(text) if text else None

    def before(self, event: Event) -> Event:
        details = dict(event["CallDetails"])
        attributes = _without(details.get("TransactionAttributes") or {}, "mark")
        details = _without(details, "TransactionAttributes")
        return {**event, "CallDetails": {**details, **({"TransactionAttributes": attributes} if attributes else {})}}

    def save(self, answer: Any, mark: Any) -> Any:
        attributes = answer.get("TransactionAttributes")
        return {**answer, "TransactionAttributes": {**attributes, "mark": json.dumps(mark)}} if attributes else answer


class TrustsSequence(_Marks):
    """Drops what is not newer than the last Sequence."""

    def react(self, event: Event, now: datetime, services: StubServices) -> Reaction:
        last = self.mark(event)
        if last is not None and event["Sequence"] <= last:
            return Reaction({"SchemaVersion": "1.0"})
        return super().react(event, now, services)

    def after(self, event: Event, answer: Any) -> Any:
        return self.save(answer, event["Sequence"])


class TrustsEcho(_Marks):
    """Believes a report only when it echoes exactly what was sent."""

    def react(self, event: Event, now: datetime, services: StubServices) -> Reaction:
        sent = self.mark(event)
        if event["InvocationEventType"] == "ACTION_SUCCESSFUL" and sent is not None:
            echo = event["ActionData"]["Parameters"]
            if not any(echo == {**echo, **item} for item in sent):
                return Reaction({"SchemaVersion": "1.0"})
        return super().react(event, now, services)

    def after(self, event: Event, answer: Any) -> Any:
        return self.save(answer, [item["Parameters"] for item in answer.get("Actions") or []])


class NewTokens(Broken):
    """A random token for every effect: a repeated event repeats the effect."""

    numbers = count()

    def react(self, event: Event, now: datetime, services: StubServices) -> Reaction:
        return self.inner.react(event, now, _Retokened(services))


class _Retokened(StubServices):
    def __init__(self, services: StubServices) -> None:
        super().__init__(services.stubs, services.state)

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        return super().perform(ask._replace(token=f"{ask.token}-{next(NewTokens.numbers)}"), deadline)


class CleansTwice(Broken):
    """Does the clean-up again when the second leg leaves, under another token."""

    def react(self, event: Event, now: datetime, services: StubServices) -> Reaction:
        reaction = self.inner.react(event, now, services)
        for name, args, token, cleanup in list(services.state["calls"]):
            if cleanup and event["InvocationEventType"] == "HANGUP":
                services.state["calls"].append([name, args, f"{token}-again", cleanup])
        return reaction
