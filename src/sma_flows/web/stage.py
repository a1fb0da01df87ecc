"""Click-to-call with everything around it, on one machine: the simulated service, the flow, the API, the page.

The API reaches the simulated service with boto3, as it reaches the real one, and shares its store with the flow.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from aws_lambda_powertools import Logger
from starlette.routing import BaseRoute

from sma_flows.plan import Plan
from sma_flows.simulator.account import Account
from sma_flows.simulator.api.plane import ControlPlane
from sma_flows.simulator.api.server import serving
from sma_flows.simulator.clock import RunningClock
from sma_flows.simulator.exchange import Exchange, Line, running
from sma_flows.simulator.model import World
from sma_flows.simulator.parties import Party
from sma_flows.simulator.storage import Storage
from sma_flows.testing.control import UNLIMITED, environment_of
from sma_flows.testing.switchboard import Switchboard
from sma_flows.testing.targets import Target
from sma_flows.web.function import Function
from sma_flows.web.local import AUDIENCE, ISSUER, TENANT, Serve, Tokens, application, served
from sma_flows.web.settings import PREFIX

__all__ = ["Answering", "Stage", "stage"]

LOG: Final = "click-to-call"
"""Name of the log: on stderr, and only of what goes wrong."""

ENVIRONMENTS: Final = 4
"""Execution environments of the API's function: so many requests at a time."""


@dataclass(frozen=True, slots=True)
class Answering:
    """Who answers the telephone calls, the plan, and the values of its environment."""

    target: Target
    plan: Plan
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stage:
    """What is served: ``url`` is the page and the API, ``service`` the simulated service (also below ``/_sma/``)."""

    url: str
    service: str
    plane: ControlPlane
    tokens: Tokens
    env: Mapping[str, str]

    @property
    def exchange(self) -> Exchange:
        """The telephone calls, and the clock they run on."""
        return self.plane.exchange


@contextmanager
def stage(
    load: Callable[[Mapping[str, str]], Answering],
    store: Path,
    *,
    numbers: frozenset[str] = frozenset(),
    caller: str = "",
    settings: Mapping[str, str] | None = None,
    party: Callable[[str], Party | None] = lambda _number: Party(),
    files: Path | None = None,
    page: Path | None = None,
    port: int = 0,
    service_port: int = 0,
    speed: float = 1.0,
    unlimited: bool = False,
    routes: Sequence[BaseRoute] = (),
    on_line: Callable[[Line, str], None] = lambda _line, _words: None,
) -> Iterator[Stage]:
    """Serve everything until the block ends.

    *load* gets the variables that lead to the simulated service and to *store*, and gives what answers. *numbers* are
    the account's beside the usual ones, *caller* is the one that is shown. *settings* are those of
    :mod:`sma_flows.web.settings`, where they should differ. *party* is who answers at a number.

    Raises:
        OSError: a port is taken.
        PlanError: the flow is not made for this, or a setting is wrong.
    """
    started = datetime.now(UTC)
    world = World(started_ms=round(started.timestamp() * 1000))
    world = replace(world, numbers=world.numbers | numbers)
    account = Account.of(world)
    exchange = Exchange(
        lambda application, number: board.route(application, number),
        clock=RunningClock(speed),
        world=world,
        quotas=UNLIMITED if unlimited else None,
        party=party,
        on_entry=lambda line, entry: board.see(line, entry),
        numbers=lambda: account.owned(exchange.clock.now_ms()),
    )
    plane = ControlPlane(
        exchange,
        rates={"*": 0} if unlimited else None,
        transcript=lambda line: board.transcript(line),
        account=account,
    )
    with ExitStack() as stack:
        service = stack.enter_context(serving(plane, service_port))
        lead = {
            **environment_of(service, world.region),
            "AWS_REGION": world.region,
            "SMA_FLOWS_STORE": str(store),
            "SMA_FLOWS_MEETINGS": "aws",
            "SMA_FLOWS_CALLS": "aws",
        }
        answering = load(lead)
        board = Switchboard(
            answering.target,
            answering.plan,
            account=account,
            now_ms=exchange.clock.now_ms,
            storage=Storage(files) if files is not None else None,
            on_line=on_line,
        )
        env = {
            **answering.values,
            **lead,
            PREFIX + "APPLICATION": world.application,
            PREFIX + "CALLER": caller or sorted(world.numbers)[0],
            PREFIX + "ISSUER": ISSUER,
            PREFIX + "AUDIENCE": AUDIENCE,
            PREFIX + "TENANT": TENANT,
            "POWERTOOLS_SERVICE_NAME": LOG,
            **(settings or {}),
        }
        Logger(service=LOG, level="WARNING", stream=sys.stderr, location=None)  # what the functions find under its name
        functions = [Function.on(answering.plan, env) for _ in range(ENVIRONMENTS)]
        tokens = Tokens()
        environments: list[Serve] = [function.answer for function in functions]
        app = application(environments, tokens, page=page, facts=_facts(functions[0], service), routes=routes)
        url = stack.enter_context(served(app, port))
        stack.enter_context(running(exchange))
        yield Stage(url, service, plane, tokens, env)


def _facts(function: Function, service: str) -> dict[str, Any]:
    """What the page is told beside where the API is."""
    settings = function.settings
    return {"languages": sorted(settings.languages), "service": service}
