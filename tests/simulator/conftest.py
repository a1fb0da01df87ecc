"""For every test here: each event that a simulated call sends is valid, and what it leaned on is noted.

The note goes into the JUnit report as a property, where test_fidelity.py reads it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sma_flows.protocol.check import check_event
from sma_flows.simulator import desk
from sma_flows.simulator.messages import Deliver
from sma_flows.simulator.model import Network

NUMBERS = re.compile(r'(?<="Sequence":)[0-9]+')


@pytest.fixture(autouse=True)
def every_event_is_valid(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    bodies: dict[str, str] = {}
    leaned: set[str] = set()
    begin = desk.Desk.__init__

    def deliver(number: int, body: str, attempt: int = 1) -> Deliver:
        bodies.setdefault(NUMBERS.sub("0", body), body)
        return Deliver(number, body, attempt)

    def opened(self: desk.Desk, network: Network, lean: Callable[[str], Any], now: int = 0) -> None:
        begin(self, network, lambda key: (leaned.add(key), lean(key)), now)

    monkeypatch.setattr(desk, "Deliver", deliver)
    monkeypatch.setattr(desk.Desk, "__init__", opened)
    yield
    request.node.user_properties.append(("leaned", "|".join(sorted(leaned))))
    for body in bodies.values():
        assert check_event(json.loads(body)) == [], body
