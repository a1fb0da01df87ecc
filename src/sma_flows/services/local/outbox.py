"""What a flow sends away, kept in SQLite where a developer can look at it: the stand-ins of everything that leaves.

One item for each effect token, as the real services do where they know tokens. Nothing is dialled, posted or streamed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sma_flows.services.local.database import Database


class LocalOutbox:
    """The items by kind, oldest first. A kind is the name of a built-in hook, like ``channel.post``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def send(self, kind: str, token: str, payload: Mapping[str, Any], now: float, timeout_s: float) -> None:
        """Keep *payload*, unless *token* has sent it already."""
        with self._database.change(timeout_s) as store:
            store.execute(
                "INSERT INTO outbox (kind, token, payload, sent) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (kind, token, json.dumps(dict(payload)), now),
            )

    def take_back(self, kind: str, token: str, timeout_s: float) -> None:
        """Keep the item no longer."""
        with self._database.change(timeout_s) as store:
            store.execute("DELETE FROM outbox WHERE kind = ? AND token = ?", (kind, token))

    def sent(self, kind: str = "", timeout_s: float = 1.0) -> list[dict[str, Any]]:
        """What was sent, oldest first: ``{"kind", "token", "payload"}``; of one kind or of all."""
        query = "SELECT kind, token, payload FROM outbox WHERE ? IN ('', kind) ORDER BY place"
        rows = self._database.rows(query, (kind,), timeout_s)
        return [{"kind": row[0], "token": row[1], "payload": json.loads(row[2])} for row in rows]


class LocalLater:
    """See :class:`~sma_flows.services.jobs.Later`: what failed is kept until `sma-flows redo` tries it again."""

    KIND = "clean_up"

    def __init__(self, outbox: LocalOutbox) -> None:
        self._outbox = outbox

    def hand_over(self, job: Mapping[str, Any], token: str, timeout_s: float) -> None:
        """Keep *job*, once for each token."""
        self._outbox.send(self.KIND, token, job, 0.0, timeout_s)

    def waiting(self) -> list[dict[str, Any]]:
        """The jobs that wait, oldest first."""
        return [item["payload"] for item in self._outbox.sent(self.KIND)]

    def done(self, token: str) -> None:
        """The job with this token needs no other try."""
        self._outbox.take_back(self.KIND, token, 1.0)


class LocalCalls:
    """See :class:`~sma_flows.services.ports.Calls`. A call that was placed has its effect token as transaction id."""

    def __init__(self, outbox: LocalOutbox) -> None:
        self._outbox = outbox

    def create(
        self,
        application: str,
        to: str,
        caller: str,
        arguments: Mapping[str, str],
        token: str,
        now: float,
        timeout_s: float,
    ) -> str:
        """Keep the call."""
        call = {"application": application, "to": to, "from": caller, "arguments": dict(arguments)}
        self._outbox.send("calls.dial", token, call, now, timeout_s)
        return token

    def update(
        self,
        application: str,
        transaction: str,
        arguments: Mapping[str, str],
        token: str,
        now: float,
        timeout_s: float,
    ) -> bool:
        """Keep the update."""
        update = {"application": application, "transaction": transaction, "arguments": dict(arguments)}
        self._outbox.send("calls.update", token, update, now, timeout_s)
        return True


class LocalChannel:
    """See :class:`~sma_flows.services.ports.Channel`."""

    def __init__(self, outbox: LocalOutbox) -> None:
        self._outbox = outbox

    def post(
        self,
        channel: str,
        bearer: str,
        text: str,
        metadata: Mapping[str, Any],
        token: str,
        now: float,
        timeout_s: float,
    ) -> None:
        """Keep the message."""
        message = {"channel": channel, "bearer": bearer, "text": text, "metadata": dict(metadata)}
        self._outbox.send("channel.post", token, message, now, timeout_s)


class LocalQueue:
    """See :class:`~sma_flows.services.ports.Queue`."""

    def __init__(self, outbox: LocalOutbox) -> None:
        self._outbox = outbox

    def knows_tokens(self, queue: str) -> bool:
        """Every item is kept once."""
        return True

    def put(self, queue: str, kind: str, body: Mapping[str, Any], token: str, now: float, timeout_s: float) -> None:
        """Keep the item."""
        self._outbox.send("queue.put", token, {"queue": queue, "kind": kind, "body": dict(body)}, now, timeout_s)


class LocalPipelines:
    """See :class:`~sma_flows.services.ports.Stream` and ``Capture``. The effect token is the id of the pipeline."""

    def __init__(self, outbox: LocalOutbox, kind: str) -> None:
        self._outbox = outbox
        self._kind = kind

    def start(self, meeting: str, sink: str, token: str, now: float, timeout_s: float) -> str:
        """Keep what was begun. The sink is left out: an RTMP address often holds the key of the stream."""
        self._outbox.send(f"{self._kind}.start", token, {"meeting": meeting}, now, timeout_s)
        return token

    def stop(self, pipeline: str, token: str, now: float, timeout_s: float) -> None:
        """Keep what was ended."""
        self._outbox.send(f"{self._kind}.stop", token, {"pipeline": pipeline}, now, timeout_s)


class LocalTranscription:
    """See :class:`~sma_flows.services.ports.Transcription`."""

    def __init__(self, outbox: LocalOutbox) -> None:
        self._outbox = outbox

    def start(self, meeting: str, language: str, token: str, now: float, timeout_s: float) -> None:
        """Keep what was begun."""
        self._outbox.send("transcription.start", token, {"meeting": meeting, "language": language}, now, timeout_s)

    def stop(self, meeting: str, token: str, now: float, timeout_s: float) -> None:
        """Keep what was ended."""
        self._outbox.send("transcription.stop", token, {"meeting": meeting}, now, timeout_s)
