"""What a flow sends away, kept in SQLite where a developer can look at it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sma_flows.services.local.database import Database


class LocalOutbox:
    """See :class:`~sma_flows.services.ports.Outbox`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def send(self, kind: str, token: str, payload: Mapping[str, Any], now: float, timeout_s: float) -> None:
        """Keep *payload*, unless *token* has sent it already."""
        with self._database.change(timeout_s) as store:
            store.execute(
                "INSERT INTO outbox (kind, token, payload, sent) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (kind, token, json.dumps(dict(payload)), now),
            )

    def sent(self, kind: str = "", timeout_s: float = 1.0) -> list[dict[str, Any]]:
        """What was sent, oldest first: ``{"kind", "token", "payload"}``; of one kind or of all."""
        query = "SELECT kind, token, payload FROM outbox WHERE ? IN ('', kind) ORDER BY place"
        rows = self._database.rows(query, (kind,), timeout_s)
        return [{"kind": row[0], "token": row[1], "payload": json.loads(row[2])} for row in rows]
