"""The runtime's shortcut past the checks is only a shortcut: where it is taken, no check would have hit."""

from __future__ import annotations

from random import Random

import pytest

from properties.calls import FLOWS, NOW, program_of
from properties.mutate import mutants
from properties.test_mutated_events import seeds
from sma_flows.errors import ProtocolError
from sma_flows.protocol.events import HANGUP, parse_event
from sma_flows.runtime import callstate
from sma_flows.runtime import step as step_module
from sma_flows.runtime.turn import Turn

EVENTS = 2_000


@pytest.mark.parametrize("name", FLOWS)
def test_no_check_would_have_hit(name: str) -> None:
    program, _ = program_of(name)
    texts = list(seeds(name))
    taken = 0
    for event in mutants(texts, Random(name), EVENTS):

        def turn(event: object = event) -> Turn:
            invocation = parse_event(event)
            call = callstate.load(invocation.attributes)
            if invocation.type == HANGUP:
                step_module.mark_dead(invocation)
            return Turn(program, call, invocation, NOW)

        try:
            if not step_module._plain(turn()):
                continue
        except ProtocolError:
            continue
        taken += 1
        hit = [title for title, check in step_module.CHECKS if check(turn()) is not None]
        assert not hit, event
    assert taken > EVENTS // 20
