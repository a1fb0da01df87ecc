"""The Lambda function of click-to-call. What it is told by its environment: :mod:`sma_flows.web.settings`.

``SMA_FLOWS_PLAN`` names the compiled plan. Everything is loaded and opened when the function starts; where that fails,
every request is answered with 503, and the log says why. One record for each request: route, status, the word of a
refusal, milliseconds, what went wrong at our side. No numbers, names, ids, tokens or bodies.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger

from sma_flows.errors import PlanError
from sma_flows.plan import Plan
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.needs import Need
from sma_flows.services.outbound import Outbound
from sma_flows.services.ports import Meter
from sma_flows.services.setup import open_needed
from sma_flows.web.api import Answer, Api
from sma_flows.web.calls import WebCalls
from sma_flows.web.settings import Settings

if TYPE_CHECKING:
    from sma_flows.services.ports import Clock

__all__ = ["Function", "lambda_handler", "open_calls"]

NEEDS: Final = (
    Need("directory", "web", "keeps the calls of a page"),
    Need("limits", "web", "counts the calls of a page"),
    Need("meetings", "web", "opens meetings", "meetings.close"),
    Need("calls", "web", "places calls"),
)
"""What is opened: as for a flow that uses these."""

SERVICE: Final = "sma-flows"
ROUTES: Final = frozenset({"POST /calls", "GET /calls/{call}", "DELETE /calls/{call}", "POST /calls/{call}/keys"})


def open_calls(
    plan: Plan, env: Mapping[str, str], default_store: str = "", clock: Clock | None = None
) -> tuple[WebCalls, Meter]:
    """Everything behind the API, found in *env*.

    Raises:
        PlanError: the environment does not say enough, or the plan has no flow for this.
    """
    settings = Settings.read(env, plan)
    services = LocalServices({}, env=dict(env))
    if clock is not None:
        services.clock = clock
    open_needed(services, NEEDS, env, default_store)
    ports = services.ports
    if ports.directory is None or ports.meetings is None or ports.calls is None or services.limits is None:
        raise PlanError("a service is missing that click-to-call needs")
    calls = WebCalls(
        settings, Outbound(plan, env), ports.directory, services.limits, ports.meetings, ports.calls, services.clock
    )
    return calls, services.meter


class Function:
    """One execution environment: a loaded plan and the services around it, for one request at a time."""

    def __init__(self, calls: WebCalls | None = None, meter: Meter | None = None, service: str = SERVICE) -> None:
        Logger(service=service, location=None)
        self.records = logging.getLogger(service)  # the logger behind it, with all that logging can do
        self._calls = calls
        self._meter = meter or Meter()
        self.api = Api(calls)

    @classmethod
    def on(cls, plan: Plan, env: Mapping[str, str], default_store: str = "", clock: Clock | None = None) -> Function:
        """The function for *plan* in *env*.

        Raises:
            PlanError: as :func:`open_calls`.
        """
        calls, meter = open_calls(plan, env, default_store, clock)
        return cls(calls, meter, env.get("POWERTOOLS_SERVICE_NAME") or SERVICE)

    @classmethod
    def started(cls, env: Mapping[str, str]) -> Function:
        """The function as Lambda starts it; one that cannot work says so in the log, and to every request."""
        path = env.get("SMA_FLOWS_PLAN")
        if not path:
            return cls()
        try:
            return cls.on(Plan.read(Path(path)), env)
        except PlanError as error:
            broken = cls(service=env.get("POWERTOOLS_SERVICE_NAME") or SERVICE)
            broken.records.critical("click-to-call cannot be used", extra={"reason": str(error)})
            return broken

    @property
    def settings(self) -> Settings:
        """What the operator has said.

        Raises:
            PlanError: the function cannot work.
        """
        if self._calls is None:
            raise PlanError("click-to-call is not set up")
        return self._calls.settings

    def answer(self, event: Mapping[str, Any], context: object = None) -> Answer:
        """The answer to one request, and its record. Never raises."""
        started = time.perf_counter()
        answer = self.api.answer(event, context)
        self._record(event, context, int(answer.get("statusCode") or 0), (time.perf_counter() - started) * 1000)
        return answer

    def _record(self, event: Mapping[str, Any], context: object, status: int, milliseconds: float) -> None:
        troubles = self._calls.troubles if self._calls is not None else []
        route = event.get("routeKey")
        record: dict[str, Any] = {
            "route": route if route in ROUTES else "other",
            "status": status,
            "ms": round(milliseconds, 2),
        }
        if self.api.code:
            record["error"] = self.api.code
        if troubles:
            record["troubles"] = [{"step": trouble.step, "reason": trouble.reason} for trouble in troubles]
            troubles.clear()
        calls = self._meter.take()
        if calls:
            record["aws"] = calls
        request = getattr(context, "aws_request_id", None)
        if isinstance(request, str):
            record["request"] = request
        level = logging.ERROR if status >= 500 else logging.WARNING if "troubles" in record else logging.INFO
        self.records.log(level, "request", extra=record)


_function: Final = Function.started(os.environ)


def lambda_handler(event: dict[str, Any], context: object) -> Answer:
    """What Lambda calls for each request of API Gateway."""
    return _function.answer(event, context)
