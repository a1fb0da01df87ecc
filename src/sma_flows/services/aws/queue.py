"""Queues of SQS and buses of EventBridge.

A queue is named by its URL or ARN, a bus by its ARN. A FIFO queue knows the effect token (MessageDeduplicationId) and
takes a message once. Other queues and buses do not: what is sent there is sent in one attempt behind a memo record, and
every body carries the token, so that whoever reads it can tell a message that SQS itself delivers twice.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sma_flows.errors import ServiceError
from sma_flows.services.aws.client import ATTEMPTS, AwsError, text_at
from sma_flows.services.queues import is_bus, knows_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sma_flows.services.aws.client import Api

SOURCE: Final = "sma-flows"
"""Source of our events on a bus."""


class AwsQueue:
    """See :class:`~sma_flows.services.ports.Queue`."""

    def __init__(self, api_of: Callable[[str, str], Api]) -> None:
        self._api_of = api_of
        self._apis: dict[tuple[str, str], Api] = {}

    def prepare(self, queue: str) -> None:
        """Make the client for *queue* now."""
        self._api(queue)

    def knows_tokens(self, queue: str) -> bool:
        """Whether it is a FIFO queue."""
        return knows_tokens(queue)

    def put(self, queue: str, kind: str, body: Mapping[str, Any], token: str, now: float, timeout_s: float) -> None:
        """Hand *body* over as JSON."""
        text = json.dumps({**body, "token": token}, separators=(",", ":"))
        if is_bus(queue):
            self._publish(queue, kind, text, timeout_s)
            return
        more: dict[str, Any] = {}
        if knows_tokens(queue):
            more = {"MessageDeduplicationId": token, "MessageGroupId": str(body.get("call") or token)}
        api = self._api(queue)
        api.call(
            "send_message",
            timeout_s,
            attempts=ATTEMPTS if more else 1,
            QueueUrl=_url(queue, api.endpoint),
            MessageBody=text,
            **more,
        )

    def _publish(self, bus: str, kind: str, text: str, timeout_s: float) -> None:
        entry = {"Source": SOURCE, "DetailType": kind, "Detail": text, "EventBusName": bus}
        answer = self._api(bus).call("put_events", timeout_s, attempts=1, Entries=[entry])
        if answer.get("FailedEntryCount") != 0:
            entries = answer.get("Entries")
            first = entries[0] if isinstance(entries, list) and entries else None
            raise AwsError("put_events", text_at(first, "ErrorCode") or "unreadable answer")

    def _api(self, queue: str) -> Api:
        key = ("events" if is_bus(queue) else "sqs", _region(queue))
        if key not in self._apis:
            self._apis[key] = self._api_of(*key)
        return self._apis[key]


def _region(queue: str) -> str:
    """The region in an ARN, or in a URL with a host like ``sqs.REGION.DOMAIN``; empty: the function's."""
    if queue.startswith("arn:"):
        parts = queue.split(":")
        return parts[3] if len(parts) > 5 else ""
    host = queue.partition("://")[2].partition("/")[0].split(".")
    return host[1] if len(host) > 3 and host[0] == "sqs" else ""


def _url(queue: str, endpoint: str) -> str:
    """The URL of a queue, also where its ARN is given."""
    if not queue.startswith("arn:"):
        return queue
    parts = queue.split(":")
    if len(parts) != 6 or parts[2] != "sqs":
        raise ServiceError("a queue is named by its URL or ARN, a bus by its ARN")
    return f"{endpoint}/{parts[4]}/{parts[5]}"
