"""Who ended a call, as clean-up is told. Order and repetition: tests/decisions/test_effects.py."""

from __future__ import annotations

import pytest

from decisions.kit import Phone, Works

FLOW = """\
sma_flow: 1
name: ending
entry: inbound
hooks: {settle: {python: hooks.made:settle, effect: repeatable, budget: 100ms}}
cleanup: [{run: settle(call.ended_by)}]
defaults: {next: {no_input: bye, no_match: bye, no_answer: bye, failed: bye}}
start: ask
states:
  ask: {menu: "Ask.", keys: {1: talk, 2: bye}}
  talk: {bridge: env.SALES, next: {ended: hangup}}
  bye: {say: "Goodbye.", hangup: normal}
"""


def told(phone: Phone) -> list[str]:
    return [ask.args[0] for ask in phone.world.asked("settle")]


@pytest.mark.parametrize(
    ("keys", "leaves", "expected"), [("1", "LEG-A", "caller"), ("1", "LEG-B", "callee"), ("2", "", "flow")]
)
def test_clean_up_is_told_who_ended_the_call(keys: str, leaves: str, expected: str) -> None:
    phone = Phone(FLOW).rest(keys)
    if leaves:
        phone.leave(leaves)
        phone.run(Works())
    assert phone.over
    assert set(told(phone)) == {expected}


def test_a_call_that_broke_down_was_ended_by_the_network() -> None:
    phone = Phone(FLOW)
    phone.start()
    event = phone.hangup("LEG-A")
    event["ActionData"]["Parameters"]["SipResponseCode"] = 503
    phone.deliver(event)
    assert told(phone) == ["network"]
