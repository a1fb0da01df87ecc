"""Decision 24: two invocations of one call at the same time, without a store that could tell them of each other.

The answer that arrives last replaces list and attributes. Each pair is handled from the same old attributes, and the
answers are applied in both orders; then the call goes on. It never ends silent, and no effect happens twice.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from decisions.kit import Phone, Works, types
from properties.line import Leg

FLOW = """\
sma_flow: 1
name: overlap
entry: inbound
hooks:
  note: {python: hooks.made:note, effect: repeatable, budget: 100ms}
  tidy: {python: hooks.made:tidy, effect: repeatable, budget: 100ms}
updates:
  news: {during: [talk], next: noting}
  stop: {next: bye}
defaults: {next: {no_input: bye, no_match: bye, exhausted: bye, failed: sorry}}
cleanup: [{run: tidy()}]
start: main
states:
  main: {menu: "Main.", keys: {1: look, 2: talk}, visits: 9}
  look: {run: note(), next: said}
  said: {say: "Done.", next: main}
  talk:
    bridge: env.SALES
    connected: greet
    keys: {1: noting, 2: free, 3: telling}
    next: {ended: after, no_answer: main}
  greet: {run: note(), next: back}
  noting: {run: note(), next: back}
  telling: {run: note(), next: told}
  told: {say: "Told.", next: back}
  free: {hangup: normal, leg: B, next: after}
  after: {run: note(), next: main}
  sorry: {say: "Sorry.", next: bye}
  bye: {say: "Goodbye.", hangup: normal}
"""
Make = Callable[[Phone], dict[str, Any]]

MOVERS: dict[str, Make] = {
    "key 1": lambda phone: phone.key("1"),
    "key 2": lambda phone: phone.key("2"),
    "key 3": lambda phone: phone.key("3"),
    "unknown key": lambda phone: phone.key("7"),
    "update": lambda phone: phone.updating(update="news"),
    "update that ends": lambda phone: phone.updating(update="stop"),
    "caller leaves": lambda phone: phone.hangup("LEG-A"),
    "leg B leaves": lambda phone: phone.hangup("LEG-B"),
    "interruption": lambda phone: phone.event("ACTION_INTERRUPTED", {"Type": "Pause", "Parameters": {}}),
    "ringing": lambda phone: phone.event("RINGING"),
}
WITH_HOOK = ("key 1", "key 3", "update", "leg B leaves")


def settle(phone: Phone) -> None:
    """Let the service go on: actions on a leg that is gone fail, the others work."""
    for _ in range(60):
        if phone.over or not phone.list:
            return
        leg = phone.legs.get(phone.target(phone.list[0]))
        if leg is not None and leg.alive:
            phone.step(Works("1"))
        else:
            failed, phone.list = phone.list[0], []
            if phone.listed():
                phone.deliver(phone.failure(failed, "InvalidActionParameter"))
    raise AssertionError("the call does not come to rest")


class Overlap(Phone):
    """A phone whose two newest answers arrive in the order that the test says."""

    def listed(self) -> list[str]:
        """Who is on the line."""
        return [tag for tag, leg in self.legs.items() if leg.alive]

    def both(self, first: Make, second: Make, order: tuple[int, int]) -> None:
        """Two events start from the same attributes; their answers are taken in *order*."""
        one = first(self)
        other = second(self)
        answers = [self.react(copy.deepcopy(one)), self.react(copy.deepcopy(other))]
        self.results += answers
        for index in order:
            if self.listed():
                self.take(answers[index].response)
            elif answers[index].response.get("TransactionAttributes"):
                self.take({"TransactionAttributes": answers[index].response["TransactionAttributes"]})
        if not self.listed():
            self.list, self.over = [], True


def finish(phone: Overlap) -> None:
    """Whatever is left leaves; then the books must be right."""
    settle(phone)
    if not phone.over:
        assert phone.listed() == ["LEG-A", "LEG-B"], "somebody is alone and hears nothing"
        assert phone.at.base == "talk", f"nothing runs and nothing is expected at {phone.at}"
        phone.leave("LEG-B")
        settle(phone)
    for tag in phone.listed():
        phone.leave(tag)
        settle(phone)
    assert phone.listed() == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "overtaken"])
@pytest.mark.parametrize("mover", MOVERS)
@pytest.mark.parametrize("hook", WITH_HOOK)
def test_a_hook_and_anything_that_moves(hook: str, mover: str, order: tuple[int, int]) -> None:
    phone = Overlap(FLOW)
    phone.to("talk", "2").run(Works())
    assert (phone.at.base, phone.list) == ("talk", [])
    phone.both(MOVERS[hook], MOVERS[mover], order)
    finish(phone)
    tidied = {ask.token for ask in phone.world.asked("tidy")}
    assert len(tidied) == 1, "clean-up has one token, however often it is asked for"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "overtaken"])
@pytest.mark.parametrize("mover", ["caller leaves", "update that ends", "interruption", "ringing"])
def test_a_hook_behind_a_question_and_anything_that_moves(mover: str, order: tuple[int, int]) -> None:
    phone = Overlap(FLOW)
    phone.start()
    phone.list = []
    phone.both(lambda phone: phone.report(ReceivedDigits="1"), MOVERS[mover], order)
    finish(phone)
    assert len({ask.token for ask in phone.world.asked("tidy")}) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "overtaken"])
@pytest.mark.parametrize("mover", ["caller leaves", "leg B leaves", "update that ends", "interruption", "ringing"])
def test_a_hook_at_the_connection_and_anything_that_moves(mover: str, order: tuple[int, int]) -> None:
    phone = Overlap(FLOW).to("talk", "2")
    bridge = phone.list.pop()

    def connected(phone: Phone) -> dict[str, Any]:
        return phone.event("ACTION_SUCCESSFUL", phone.echo(bridge, {}))

    phone.legs["LEG-A"].status = "Connected"
    phone.legs["LEG-B"] = Leg("call-b1", "LEG-B", "Connected")
    assert isinstance(phone, Overlap)
    phone.bridged = "CallAndBridge"
    phone.both(connected, MOVERS[mover], order)
    finish(phone)


def test_an_answer_that_took_a_hook_and_rests_makes_a_next_event_come() -> None:
    """A silent action that reports stands in it."""
    phone = Phone(FLOW).to("talk", "2")
    phone.run(Works())
    connection = next(result for result in phone.results if result.after.base)
    assert types(connection) == ["ReceiveDigits"]
    assert types(phone.deliver(phone.updating(update="news"))) == ["ReceiveDigits"]


def test_also_where_no_key_is_heard_such_an_answer_reports() -> None:
    """The pattern is one that nobody can type."""
    text = FLOW.replace("    keys: {1: noting, 2: free, 3: telling}\n", "").replace("connected: greet\n", "\n")
    for name in ("greet", "telling", "told", "free"):
        text = "\n".join(line for line in text.splitlines() if not line.startswith(f"  {name}:"))
    phone = Phone(text).to("talk", "2")
    phone.run(Works())
    result = phone.deliver(phone.updating(update="news"))
    assert [action["Parameters"]["InputDigitsRegex"] for action in result.actions] == ["^[0-9]{60}$"]
