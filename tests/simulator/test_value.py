"""The network is a value: hashable, copyable, deterministic; nothing that happens later changes it."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.kit import B, bot, bridge, called, digits, hangup, join, listen, pause, play, record, reply, speak
from sma_flows.simulator.driver import Party, Phone
from sma_flows.simulator.messages import BotResult, Elapse, InboundCall, Key
from sma_flows.simulator.model import Network
from sma_flows.simulator.network import advance
from sma_flows.simulator.switches import CHOICES

ACTIONS = [speak(), play(), pause(), digits(), listen(), record(), bridge(), join(), bot(), hangup(), hangup(**B)]
ORDERS = st.sampled_from(["1", "#", "*7", "wait", "update", "leave", "leave B"])


def run(actions: list[int], orders: list[str], switches: dict[str, str]) -> Phone:
    chosen = [ACTIONS[number] for number in actions]
    after = {"ACTION_SUCCESSFUL": [reply(chosen[-1])] * 2, "HANGUP": [reply(hangup(**B))]}
    made = called(*chosen, answers=after, parties=[Party()], bots=[BotResult()], switches=switches)
    for order in orders:
        legs = made.network
        if made.over:
            break
        if order == "wait":
            made.wait(7_000)
        elif order == "update":
            made.update({"a": "b"})
        elif order.startswith("leave"):
            leg = legs.leg("LEG-B" if order.endswith("B") else "LEG-A")
            if leg is not None and not leg.gone and leg.status != "ringing":
                made.hang_up(leg.tag)
        elif (leg := legs.leg("LEG-A")) is not None and not leg.gone:
            made.press(order)
    made.settle()
    return made


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(0, len(ACTIONS) - 1), min_size=1, max_size=4),
    st.lists(ORDERS, max_size=6),
    st.dictionaries(st.sampled_from(sorted(CHOICES)), st.integers(0, 1), max_size=4),
)
def test_any_call_is_deterministic_and_its_state_a_value(
    actions: list[int], orders: list[str], picks: dict[str, int]
) -> None:
    switches = {name: CHOICES[name][pick] for name, pick in picks.items()}
    one, two = run(actions, orders, switches), run(actions, orders, switches)
    assert one.network == two.network
    assert hash(one.network) == hash(two.network)
    assert one.events == two.events
    assert pickle.loads(pickle.dumps(one.network)) == copy.deepcopy(one.network) == one.network


def test_a_call_can_be_forked() -> None:
    made = called(digits(MaxNumberOfDigits=2))
    before = made.network
    left, _ = advance(before, Key("1"))
    right, _ = advance(before, Key("2"))
    assert left != right
    assert before == made.network
    assert advance(before, Key("1"))[0] == left


def test_inputs_that_make_no_sense_are_refused() -> None:
    network, _ = advance(Network(), InboundCall())
    for wrong in (InboundCall(), Elapse(60_000), Key("1", "LEG-B"), BotResult()):
        with pytest.raises(ValueError, match=r"."):
            advance(network, wrong)
