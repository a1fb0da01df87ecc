"""Decision 24 with a store: two answers to one call are told of each other by a journal, and nothing is lost.

Each call is played on the simulated network. Its two events are worked on in both orders, and their answers arrive in
both orders.
"""

from __future__ import annotations

import pytest

from decisions.journal import Crossing, memory
from sma_flows.simulator.messages import Callee, HangUp, Key

FLOW = """\
sma_flow: 1
name: crossing
entry: inbound
vars:
  wanted: boolean = false
  noted: boolean = false
hooks:
  note: {python: hooks.made:note, effect: keyed, budget: 800ms}
defaults: {next: {no_input: bye, no_match: bye, exhausted: bye, failed: sorry}}
start: hello
states:
  hello: {say: "Hello.", next: talk}
  talk:
    bridge: env.SALES
    keys: {1: noting, 2: wanting}
    next: {ended: after, no_answer: bye}
  noting: {run: note(), next: remember}
  remember: {set: {noted: true}, next: back}
  wanting: {set: {wanted: true}, next: back}
  after:
    choose: {both: wanted and noted, wanted: wanted}
    next: {both: said_both, wanted: said_wanted, other: said_noted}
  said_both: {say: "Noted and wanted.", next: bye}
  said_wanted: {say: "Only wanted.", next: bye}
  said_noted: {say: "Only noted.", next: bye}
  sorry: {say: "Sorry.", next: bye}
  bye: {say: "Goodbye.", hangup: normal}
"""

NAMES = ("hook", "key")
ORDERS = [
    pytest.param(work, arrive, id=f"{NAMES[work[0]]} is worked on first, {NAMES[arrive[0]]} arrives first")
    for work in ((0, 1), (1, 0))
    for arrive in ((0, 1), (1, 0))
]


def talking(call: Crossing) -> Crossing:
    """The caller talks with sales."""
    call.phone.dial_in()
    call.go_on(5_000)
    call.send(Callee("answers"))
    call.go_on(2_000)
    assert call.results[-1].after.base == "talk"
    return call


def crossed(call: Crossing, work: tuple[int, int], arrive: tuple[int, int]) -> Crossing:
    """Key 1, which takes a hook, and key 2 while it works; then both hang up what there is to hang up."""
    talking(call)
    events = [call.delivered(Key("1")), call.delivered(Key("2"))]
    for which in work:
        call.work(events[which])
    for which in arrive:
        call.arrive(events[which])
    call.go_on(5_000)
    call.send(HangUp("LEG-B"))
    call.go_on()
    assert call.phone.over
    return call


@pytest.mark.parametrize(("work", "arrive"), ORDERS)
def test_without_a_journal_the_answer_that_arrives_first_is_lost(
    work: tuple[int, int], arrive: tuple[int, int]
) -> None:
    call = crossed(Crossing(FLOW), work, arrive)
    lost = "Only wanted." if arrive == (0, 1) else "Only noted."
    assert call.heard[1:] == [lost, "Goodbye."]


@pytest.mark.parametrize(("work", "arrive"), ORDERS)
def test_with_a_journal_both_are_kept(work: tuple[int, int], arrive: tuple[int, int]) -> None:
    call = crossed(Crossing(FLOW, memory()), work, arrive)
    assert call.heard[1:] == ["Noted and wanted.", "Goodbye."]
    assert call.hooks.done["note"] == 1
