"""The journal of overlapping answers in SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sma_flows.services.ports import KEPT_S

if TYPE_CHECKING:
    from sma_flows.services.local.database import Database

_WRITE = """
INSERT INTO journal (call, n, entry, expires) VALUES (?, ?, ?, ?) ON CONFLICT (call)
DO UPDATE SET n = excluded.n, entry = excluded.entry, expires = excluded.expires WHERE journal.n < excluded.n
"""


class LocalJournal:
    """See :class:`~sma_flows.services.ports.JournalStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, call: str, n: int, entry: str, now: float, timeout_s: float) -> str | None:
        """Keep *entry*, unless one with the same or a higher *n* is there."""
        with self._database.change(timeout_s) as store:
            store.execute("DELETE FROM journal WHERE expires <= ?", (now,))
            if store.execute(_WRITE, (call, n, entry, now + KEPT_S)).rowcount:
                return None
            return str(store.execute("SELECT entry FROM journal WHERE call = ?", (call,)).fetchone()[0])

    def read(self, call: str, now: float, timeout_s: float) -> str | None:
        """The newest entry of *call*."""
        query = "SELECT entry FROM journal WHERE call = ? AND expires > ?"
        rows = self._database.rows(query, (call, now), timeout_s)
        return str(rows[0][0]) if rows else None
