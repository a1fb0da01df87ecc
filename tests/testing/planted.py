"""Bugs of the field's hand-written handlers, put into the answering side of a flow that has none of them.

Each is a :class:`~sma_flows.testing.targets.Target` around the one that answers, as ``Lab(flow, wrap=...)`` takes it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sma_flows.testing.targets import FunctionError, Target, Turn

DESK: Final = """\
sma_flow: 1
name: desk
entry: inbound
vars:
  pin: secret digits(4)
hooks:
  check: {python: hooks.made:check, outcomes: [right, wrong], effect: once, budget: 300ms}
  open: {builtin: meetings.open}
  ended: {python: hooks.made:ended, effect: repeatable, budget: 300ms}
cleanup:
  - run: ended()
defaults:
  next: {no_input: bye, no_match: bye, exhausted: bye, failed: sorry}
start: ask
states:
  ask: {gather: pin, prompt: "Your PIN, please.", visits: 2, next: check}
  check: {run: check(pin), next: {right: choose, wrong: ask}}
  choose: {menu: "One for sales, two for the meeting.", keys: {1: sales, 2: open}}
  sales: {say: "One moment.", bridge: env.SALES, next: {ended: choose_more, no_answer: bye, failed: sorry}}
  choose_more: {say: "They have left.", next: bye}
  open: {run: open("weekly"), next: meet}
  meet: {join_meeting: meeting, keys: {"*6": hush}, next: {left: bye}}
  hush: {mute: on, next: back}
  sorry: {say: "Sorry.", next: bye}
  bye: {say: "Goodbye.", hangup: normal}
"""

Event = Mapping[str, Any]
Answer = dict[str, Any]

NOTHING: Final[Mapping[str, Any]] = {"SchemaVersion": "1.0"}


def alive(event: Event) -> list[Mapping[str, Any]]:
    return [one for one in event["CallDetails"]["Participants"] if one.get("Status") != "Disconnected"]


class Planted:
    """Around *inner*; :meth:`change` is given each event and its answer."""

    scripted = True

    def __init__(self, inner: Target) -> None:
        self.inner = inner

    def answer(self, event: str, at_ms: int, now: datetime) -> Turn:
        turn = self.inner.answer(event, at_ms, now)
        changed = self.change(json.loads(event), json.loads(turn.response))
        return replace(turn, response=json.dumps(changed))

    def change(self, event: Event, answer: Answer) -> Any:
        raise NotImplementedError


class StrandsTheCallee(Planted):
    """HANGUP is answered with nothing, whoever is still on the line (M3)."""

    def change(self, event: Event, answer: Answer) -> Any:
        return NOTHING if event["InvocationEventType"] == "HANGUP" else answer


class Redials(Planted):
    """The called party is dialled again when a report comes a second time, or when they hang up (M21, M26)."""

    dialled: Answer | None = None

    def change(self, event: Event, answer: Answer) -> Any:
        if any(action["Type"] == "CallAndBridge" for action in answer.get("Actions", ())):
            self.dialled = answer
        data = event.get("ActionData") or {}
        again = data.get("Type") in ("SpeakAndGetDigits", "Hangup") and self.dialled is not None
        return self.dialled if again and len(alive(event)) == 1 else answer


class CleansUpTwice(Planted):
    """Clean-up runs at every HANGUP, not only at the last (M15)."""

    def answer(self, event: str, at_ms: int, now: datetime) -> Turn:
        turn = self.inner.answer(event, at_ms, now)
        told = json.loads(event)
        if told["InvocationEventType"] != "HANGUP" or not alive(told):
            return turn
        for one in told["CallDetails"]["Participants"]:
            one["Status"] = "Disconnected"
        return replace(turn, asks=turn.asks + self.inner.answer(json.dumps(told), at_ms, now).asks)


class SilentAtFailures(Planted):
    """A failed action is answered with nothing to do (M7)."""

    def change(self, event: Event, answer: Answer) -> Any:
        failed = event["InvocationEventType"] == "ACTION_FAILED"
        return {name: value for name, value in answer.items() if name != "Actions"} if failed else answer


class HangsUpTheDead(Planted):
    """The last HANGUP is answered with a Hangup of the leg that has gone (M2)."""

    def change(self, event: Event, answer: Answer) -> Any:
        if event["InvocationEventType"] != "HANGUP":
            return answer
        leg = event["ActionData"]["Parameters"]["CallId"]
        hangup = {"Type": "Hangup", "Parameters": {"CallId": leg, "SipResponseCode": "0"}}
        return {**answer, "Actions": [*answer.get("Actions", ()), hangup]}


class Accumulates(Planted):
    """The list of actions lives in the module: every answer begins with those of the calls before (M1)."""

    kept: list[dict[str, Any]] = []  # noqa: RUF012 - that is the bug

    def change(self, event: Event, answer: Answer) -> Any:
        if "Actions" not in answer:
            return answer
        old = list(self.kept)
        self.kept.extend(action for action in answer["Actions"] if action["Type"] == "Speak")
        return {**answer, "Actions": [*old, *answer["Actions"]]}


class TriesForEver(Planted):
    """An action that failed is sent again, whatever it was and as often as it fails (M21)."""

    last: list[dict[str, Any]]

    def change(self, event: Event, answer: Answer) -> Any:
        if event["InvocationEventType"] == "ACTION_FAILED":
            data = event["ActionData"]
            return {**NOTHING, "Actions": [{"Type": data["Type"], "Parameters": data["Parameters"]}]}
        return answer


class ForgetsTheCall(Planted):
    """An answer without attributes of its own says ``{}``, which clears those that are stored."""

    def change(self, event: Event, answer: Answer) -> Any:
        return answer if "TransactionAttributes" in answer else {**answer, "TransactionAttributes": {}}


class AnswersTheLate(Planted):
    """Reports are told apart by their type alone: a late one gets the goodbye of the one that is waited for (M8)."""

    def change(self, event: Event, answer: Answer) -> Any:
        kind, data = event["InvocationEventType"], event.get("ActionData") or {}
        if answer == NOTHING and kind == "ACTION_SUCCESSFUL" and data.get("Type") != "Hangup" and alive(event):
            leg = {"CallId": alive(event)[0]["CallId"]}
            text = {"Text": "Thank you. Goodbye.", **leg}
            hangup = {"Type": "Hangup", "Parameters": {**leg, "SipResponseCode": "0"}}
            return {**answer, "Actions": [{"Type": "Speak", "Parameters": text}, hangup]}
        return answer


class Counts(Planted):
    """What is said depends on how many events this process has answered (M18)."""

    number = 0

    def change(self, event: Event, answer: Answer) -> Any:
        self.number += 1
        actions = json.loads(json.dumps(answer.get("Actions", [])))
        for action in actions:
            if action["Type"] == "Speak":
                action["Parameters"]["Text"] += " " * (self.number % 2)
        return {**answer, "Actions": actions} if actions else answer


class ActsOnNews(Planted):
    """Events whose answer is ignored are answered with a hang-up, as everything unknown is (M5, M19)."""

    def change(self, event: Event, answer: Answer) -> Any:
        if event["InvocationEventType"] in ("RINGING", "ACTION_INTERRUPTED", "CALL_UPDATE_REQUESTED"):
            return {**NOTHING, "Actions": [{"Type": "Hangup", "Parameters": {"SipResponseCode": "0"}}]}
        return answer


class TakesTheFirst(Planted):
    """The first participant is believed to be the one who has left (M4)."""

    def change(self, event: Event, answer: Answer) -> Any:
        if event["InvocationEventType"] != "HANGUP" or "Actions" not in answer:
            return answer
        first = event["CallDetails"]["Participants"][0]["CallId"]
        return {**answer, "Actions": [{"Type": "Hangup", "Parameters": {"CallId": first, "SipResponseCode": "0"}}]}


class WantsAStatus(Planted):
    """A participant without Status is a KeyError, and nothing is at the top that catches it (M4, M25)."""

    def change(self, event: Event, answer: Answer) -> Any:
        if any("Status" not in one for one in event["CallDetails"]["Participants"]):
            raise FunctionError("KeyError: 'Status'")
        return answer


class NoListAtAll(Planted):
    """Where there is nothing to do, Actions is null (M6)."""

    def change(self, event: Event, answer: Answer) -> Any:
        return {**answer, "Actions": answer.get("Actions")}


Wrap = Callable[[Target], Target]
