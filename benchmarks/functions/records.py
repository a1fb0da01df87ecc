"""One structured record of each event, and the metrics of a call: the log duties of a compiled flow, by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

Event = dict[str, Any]
STATUS = {"Connected": "connected", "Disconnected": "gone"}


def recorded(handle: Callable[[Event], Event], logger: Logger) -> Callable[..., Event]:
    """The function that the service invokes: *handle*, with its record and its metrics."""

    def lambda_handler(event: Event, context: object = None) -> Event:  # noqa: ARG001
        started = time.perf_counter()
        answer = handle(event)
        details = event["CallDetails"]
        kind = event["InvocationEventType"]
        before = details.get("TransactionAttributes") or {}
        after = answer.get("TransactionAttributes") or before
        record = {
            "event": kind,
            "transaction": details["TransactionId"],
            "ms": round((time.perf_counter() - started) * 1000, 2),
            "flow": "dial-in",
            "before": before.get("at", ""),
            "after": after.get("at", ""),
            "values": {"locale": after.get("locale", "")},
            "legs": {
                p["ParticipantTag"][-1]: STATUS.get(p.get("Status", ""), "waiting") for p in details["Participants"]
            },
            "actions": [action["Type"] for action in answer.get("Actions") or ()],
        }
        logger.info("event", extra=record)
        if kind == "NEW_INBOUND_CALL":
            count("Calls")
        elif kind == "ACTION_FAILED" and event["ActionData"].get("ErrorType") == "InvalidDigitsReceived":
            count("NoInput", state=before.get("at", ""))
        return answer

    return lambda_handler


def count(name: str, **dimensions: str) -> None:
    with single_metric(
        name=name, unit=MetricUnit.Count, value=1, namespace="ByHand", default_dimensions={"service": "dial-in"}
    ) as one:
        one.add_dimension(name="flow", value="dial-in")
        for key, value in dimensions.items():
            one.add_dimension(name=key, value=value)
