"""Decisions 16 to 23: effects.

Memo records, leases, limits, time budgets and client settings are shown where they are made: tests/services. Here is
what the runtime adds: tokens, marks, clean-up, and hooks that outlive their call.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from decisions.kit import Phone, World, findings, load, nothing, plan_of, types
from properties.line import Chooser, Line
from services.world import services
from sma_flows.hooks import Call, Reply
from sma_flows.runtime.ask import Ask
from sma_flows.runtime.invoke import handle
from sma_flows.services.dispatch import LocalServices

GUESS = """\
sma_flow: 1
name: guess
entry: inbound
hooks:
  check: {python: hooks.made:check, outcomes: [ok, wrong], budget: 500ms}
defaults: {next: {no_input: bye, no_match: bye, exhausted: bye, failed: bye}}
start: main
states:
  main: {menu: "Main.", keys: {1: ask}, visits: 9}
  ask: {menu: "Go on?", keys: {1: look, 2: main}, visits: 9}
  look: {run: check(), visits: 3 since main, next: {ok: bye, wrong: ask}}
  bye: {hangup: normal}
"""
MADE = """\
sma_flow: 1
name: made
entry: inbound
hooks:
  open: {python: hooks.made:open, gives: {room: text(1..20)}, effect: keyed, undo: close(room), budget: 500ms}
  tape: {python: hooks.made:tape, gives: {pipe: text(1..20)}, undo: stop(pipe), budget: 500ms}
  close: {python: hooks.made:close, effect: repeatable, budget: 100ms}
  stop: {python: hooks.made:stop, effect: repeatable, budget: 100ms}
  settle: {python: hooks.made:settle, effect: repeatable, budget: 100ms}
defaults: {next: {no_input: bye, no_match: bye, exhausted: bye, failed: bye}}
cleanup:
  - run: settle(room, call.answered)
    when: room
  - run: settle("no room", call.answered)
    when: not room
start: main
states:
  main: {menu: "Main.", keys: {1: first}, visits: 3}
  first: {run: open(), next: second}
  second: {run: tape(), next: wait_here}
  wait_here: {menu: "Wait.", keys: {1: main}, visits: 3}
  bye: {hangup: normal}
"""
ROOMS = {"open": ("done", {"room": "r-1"}), "tape": ("done", {"pipe": "p-1"})}


# -- 16


def test_every_visit_has_its_own_token_also_where_its_count_begins_anew() -> None:
    phone = Phone(GUESS, World(check="wrong"))
    phone.rest("1", "1", "1", "2", "1", "1", "1", "2", "1", "1")
    tokens = [ask.token for ask in phone.world.asked("check")]
    assert len(tokens) == 5
    assert len(set(tokens)) == 5


def test_a_retry_from_the_same_attributes_has_the_same_token() -> None:
    phone = Phone(GUESS, World(check="wrong"))
    phone.to("ask", "1")
    event = phone.report(ReceivedDigits="1")
    for _ in range(3):
        phone.react(copy.deepcopy(event))
    assert len({ask.token for ask in phone.world.asked("check")}) == 1
    assert all(re.fullmatch("[a-z0-9]{26}", ask.token) for ask in phone.world.asks)


def test_a_token_depends_on_call_and_place_and_not_on_arguments() -> None:
    tokens = []
    for room, transaction in (("r-1", ""), ("r-2", ""), ("r-1", "another-call")):
        phone = Phone(MADE, World(**{**ROOMS, "open": ("done", {"room": room})}))
        phone.start()
        event = phone.report(ReceivedDigits="1")
        event["CallDetails"]["TransactionId"] = transaction or event["CallDetails"]["TransactionId"]
        phone.deliver(event)
        tokens.append([ask.token for ask in phone.world.asks])
    assert tokens[0] == tokens[1]
    assert not set(tokens[0]) & set(tokens[2])


ASIDES = """\
sma_flow: 1
name: asides
entry: inbound
hooks: {note: {python: hooks.made:note, budget: 100ms}}
updates: {tick: {during: [talk], next: ticked}}
start: talk
states:
  talk: {bridge: env.SALES, keys: {1: pressed}, next: {ended: hangup, no_answer: hangup, failed: hangup}}
  pressed: {run: note(), next: back}
  ticked: {run: note(), next: back}
"""


def test_keys_and_updates_that_come_again_are_effects_of_their_own() -> None:
    phone = Phone(ASIDES).rest()
    for _ in range(3):
        phone.deliver(phone.key("1"))
        phone.rest()
        phone.deliver(phone.updating(update="tick"))
        phone.rest()
    assert len({ask.token for ask in phone.world.asked("note")}) == 6


# -- 17, 21


def test_a_hook_is_once_unless_it_says_otherwise() -> None:
    hooks = plan_of(GUESS).flow("guess")["hooks"]
    assert hooks["check"].get("effect", "once") == "once"


def test_more_budget_than_an_answer_has_time_does_not_compile() -> None:
    assert "SF408" not in findings(MADE)
    assert "SF408" in findings(MADE.replace("500ms", "1600ms"))


# -- 22


def test_what_was_made_is_undone_backwards_before_the_list_of_the_flow() -> None:
    phone = Phone(MADE, World(**ROOMS))
    phone.to("wait_here", "1")
    phone.deliver(phone.hangup("LEG-A"))
    ended = [(ask.name, ask.args) for ask in phone.world.asks if ask.cleanup and ask.port == "hook"]
    assert ended == [("stop", ("p-1",)), ("close", ("r-1",)), ("settle", ("r-1", True))]


def test_what_was_not_made_is_not_undone() -> None:
    phone = Phone(MADE, World(open=("done", {"room": "r-1"}), tape="failed"))
    phone.rest("1")
    ended = [ask.name for ask in phone.world.asks if ask.cleanup and ask.port == "hook"]
    assert ended == ["close", "settle"]


def test_a_condition_of_clean_up_sees_what_is_set_at_the_end() -> None:
    phone = Phone(MADE)
    phone.start()
    phone.deliver(phone.hangup("LEG-A"))
    assert [ask.args for ask in phone.world.asked("settle")] == [("no room", True)]


def test_the_flag_of_clean_up_is_only_an_economy() -> None:
    """The attributes of the last answer may be lost: the same tokens are asked again, and no others."""
    phone = Phone(MADE, World(**ROOMS))
    phone.to("wait_here", "1")
    event = phone.hangup("LEG-A")
    phone.react(copy.deepcopy(event))
    phone.react(copy.deepcopy(event))
    tokens = [ask.token for ask in phone.world.asks if ask.cleanup]
    assert tokens[: len(tokens) // 2] == tokens[len(tokens) // 2 :]
    phone.deliver(event)
    event["CallDetails"]["TransactionAttributes"] = phone.attributes
    assert nothing(phone.react(event))


def test_a_hook_of_clean_up_that_fails_does_not_stop_the_next() -> None:
    phone = Phone(MADE, World(**ROOMS, stop="failed", close="failed"))
    phone.to("wait_here", "1")
    phone.deliver(phone.hangup("LEG-A"))
    assert len(phone.world.asked("settle")) == 1


@pytest.mark.parametrize("code", ["busy", "unavailable"])
def test_a_call_that_was_rejected_was_not_answered(code: str) -> None:
    phone = Phone(SORRY.replace('say: "We are closed.", hangup: busy', f"hangup: {code}")).rest()
    assert [ask.args for ask in phone.world.asked("settle")] == [(False,)]


SORRY = """\
sma_flow: 1
name: sorry
entry: inbound
hooks: {settle: {python: hooks.made:settle, effect: repeatable, budget: 100ms}}
cleanup: [{run: settle(call.answered)}]
start: closed
states:
  closed: {say: "We are closed.", hangup: busy}
"""


def test_a_call_that_heard_words_before_the_rejection_was_answered() -> None:
    phone = Phone(SORRY).rest()
    assert types(phone.results[0]) == ["Speak", "Hangup"]
    assert [ask.args for ask in phone.world.asked("settle")] == [(True,)]


CALLING = """\
sma_flow: 1
name: calling
entry: outbound
inputs: {who: text(1..20)}
hooks: {settle: {python: hooks.made:settle, effect: repeatable, budget: 100ms}}
updates: {stop: {next: hello}}
cleanup: [{run: settle(who), when: not call.answered}]
start: hello
states:
  hello: {say: "Hello {who}.", next: {done: hangup, failed: hangup}}
"""


def test_a_call_that_nobody_answered_is_cleaned_up_with_its_arguments() -> None:
    phone = Phone(CALLING, inbound=False)
    data = {"Type": "CallCreateRequest", "Parameters": {"Arguments": {"who": "Ann"}}}
    assert phone.deliver(phone.event("NEW_OUTBOUND_CALL", data)).actions == []
    phone.deliver(phone.event("RINGING"))
    assert nothing(phone.deliver(phone.updating(update="stop"))), "an update before the answer"
    phone.deliver(phone.hangup("LEG-A"))
    assert [ask.args for ask in phone.world.asked("settle")] == [("Ann",)]


@pytest.mark.parametrize("arguments", [{}, {"who": ""}, {"who": "x" * 21}, {"who": ["Ann"]}, {"whom": "Ann"}, None])
def test_a_call_with_a_bad_argument_hangs_up_when_answered(arguments: Any) -> None:
    phone = Phone(CALLING, inbound=False, arguments=arguments)
    assert types(phone.start()) == ["Hangup"]
    assert [result.actions for result in phone.results[:2]] == [[], []]
    phone.rest()
    assert phone.over


# -- 18, 22 and 23 with a real store


class Desk:
    """A call behind the real dispatcher; a hook can make something happen while it works."""

    def __init__(self, *, store: bool = True) -> None:
        self.did: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None
        self.program = load(MADE)
        self.world: LocalServices = services()
        if not store:
            self.world.memo = None
        revision = self.program.plan.flows["made"]
        self.world.functions = {
            (revision, name): self._hook(name, values)
            for name, values in (("open", {"room": "r-1"}), ("tape", {"pipe": "p-1"}), ("close", {}), ("stop", {}))
        }
        self.world.functions |= {(revision, "settle"): self._hook("settle", {})}
        self.line = Line(lambda event: handle(self.program, event, now=Phone(self.program).now, services=self.world))

    def _hook(self, name: str, values: dict[str, str]) -> Callable[..., Reply]:
        def run(_call: Call, *args: object) -> Reply:
            self.did.append(" ".join([name, *(str(arg) for arg in args if isinstance(arg, str))]))
            if name == "open":
                self.meanwhile()
            return Reply("done", **values)

        return run

    def pressed(self) -> dict[str, Any]:
        """The caller presses 1 at the menu."""
        self.line.start()
        return self.line.event("ACTION_SUCCESSFUL", self.line.echo(self.line.list[0], {"ReceivedDigits": "1"}))


def gone(line: Line) -> None:
    """The caller hangs up; the answer to it is taken at once."""
    line.leave("LEG-A")


def test_a_hook_that_finishes_after_the_end_undoes_what_it_made() -> None:
    desk = Desk()
    event = desk.pressed()
    desk.meanwhile = lambda: gone(desk.line)
    result = desk.line.answer(event)
    assert desk.did == ["open", "settle no room", "close r-1"]
    assert [action["Type"] for action in result.actions] == ["Hangup"], "and whatever may be left is released"


def test_a_hook_that_finishes_after_the_end_is_undone_once_however_often_its_event_comes() -> None:
    desk = Desk()
    event = desk.pressed()
    desk.meanwhile = lambda: gone(desk.line) if not desk.line.over else None
    tokens: list[str] = []
    perform = desk.world.perform

    def noted(ask: Ask, deadline: float) -> Any:
        tokens.extend([ask.token] * (ask.name == "close"))
        return perform(ask, deadline)

    for _ in range(2):
        handle(desk.program, json.loads(json.dumps(event)), now=Phone(desk.program).now, services=_Through(noted))
    assert len(tokens) == 2
    assert len(set(tokens)) == 1


class _Through:
    def __init__(self, perform: Callable[[Ask, float], Any]) -> None:
        self.perform = perform


def test_a_hook_that_finishes_in_time_is_undone_by_the_clean_up() -> None:
    desk = Desk()
    desk.line.deliver(desk.pressed())
    desk.line.leave("LEG-A")
    assert desk.did == ["open", "tape", "stop p-1", "close r-1", "settle r-1"]


def test_without_a_store_the_call_goes_on_and_nothing_is_undone_twice() -> None:
    desk = Desk(store=False)
    desk.line.deliver(desk.pressed())
    assert desk.did == ["open"], "the second hook is once, which needs a store"
    desk.line.run(Chooser())
    if not desk.line.over:
        desk.line.leave("LEG-A")
    assert desk.did == ["open", "close r-1", "settle r-1"]
