"""The simulated service for tests of application code: its API on localhost, and a function that answers its calls.

::

    with local_service(my_function) as service:
        voice = boto3.client("chime-sdk-voice", endpoint_url=service.url)
        ...
        service.exchange.wait(5_000)      # five seconds go by for every call

For code that makes its clients itself, :meth:`LocalService.environment` has the variables that lead them here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sma_flows.simulator.account import Account
from sma_flows.simulator.api.plane import ControlPlane
from sma_flows.simulator.api.server import serving
from sma_flows.simulator.clock import Clock, RunningClock, VirtualClock
from sma_flows.simulator.driver import AnswerFunction
from sma_flows.simulator.exchange import Exchange, Quotas, Route, answered_by, running
from sma_flows.simulator.meetings import Meetings
from sma_flows.simulator.model import World
from sma_flows.simulator.parties import Party
from sma_flows.simulator.switches import Switches

__all__ = ["SERVICES", "UNLIMITED", "LocalService", "environment_of", "local_service"]

SERVICES: Final = tuple(
    f"CHIME_SDK_{name}" for name in ("VOICE", "MEETINGS", "MESSAGING", "IDENTITY", "MEDIA_PIPELINES")
)
"""The SDK's names of the services that are simulated, as its variables have them."""

UNLIMITED: Final = Quotas(1_000_000, 1_000_000, 1_000_000)
"""As many calls and updates as one likes."""


@dataclass(frozen=True, slots=True)
class LocalService:
    """A simulated service that answers at ``url``."""

    url: str
    plane: ControlPlane

    @property
    def exchange(self) -> Exchange:
        """The calls, and the clock that they run on."""
        return self.plane.exchange

    def environment(self) -> dict[str, str]:
        """Variables that lead the clients of an AWS SDK here."""
        return environment_of(self.url, self.exchange.base.region)


def environment_of(url: str, region: str) -> dict[str, str]:
    """Variables that lead the clients of an AWS SDK to *url*, with credentials that are none."""
    credentials = {"AWS_ACCESS_KEY_ID": "simulated", "AWS_SECRET_ACCESS_KEY": "simulated"}
    return {**{f"AWS_ENDPOINT_URL_{name}": url for name in SERVICES}, **credentials, "AWS_DEFAULT_REGION": region}


def _says_nothing(_event: dict[str, Any]) -> object:
    return {"SchemaVersion": "1.0"}


@contextmanager
def local_service(
    answer: AnswerFunction = _says_nothing,
    *,
    speed: float | None = None,
    world: World | None = None,
    switches: Switches | None = None,
    quotas: Quotas | None = None,
    rates: Mapping[str, int] | None = None,
    party: Callable[[str], Party | None] = lambda _number: Party(),
) -> Iterator[LocalService]:
    """A simulated service until the block ends.

    *answer* is the function of all its applications: it takes an event and gives the response. Without *speed* the
    clock stands until it is put forward (``exchange.wait``), and a function must not call the API while it answers;
    with it, time passes by itself, so many times as fast as on the wall. *quotas* and *rates* are those of a new
    account; give :data:`UNLIMITED` and ``{"*": 0}`` for none. *world* is the account with its numbers, *party* who
    answers at a number.
    """
    chosen, base = switches or Switches(), world or World()
    account = Account.of(base)
    clock: Clock = VirtualClock() if speed is None else RunningClock(speed)
    phone = answered_by(answer, chosen)

    def route(application: str, number: str) -> Route | None:
        lead = account.lead(application, number, clock.now_ms())
        return Route(lead.application, phone, lead.rule) if lead is not None else None

    exchange = Exchange(
        route,
        clock=clock,
        world=base,
        quotas=quotas,
        meetings=Meetings(after_end=chosen.same_meeting_token_after_end),
        party=party,
        numbers=lambda: account.owned(clock.now_ms()),
    )
    plane = ControlPlane(exchange, rates=rates, account=account)
    with ExitStack() as stack:
        url = stack.enter_context(serving(plane))
        if speed is not None:
            stack.enter_context(running(exchange))
        yield LocalService(url, plane)
