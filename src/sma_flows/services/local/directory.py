"""Rows by table and key in SQLite: the stand-in for a table of your own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sma_flows.runtime.ask import same_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sma_flows.services.local.database import Database

KEPT_S: Final = 3600.0
"""Seconds for which it is remembered that a token has written."""

SEED_S: Final = 5.0


class LocalDirectory:
    """See :class:`~sma_flows.services.ports.Directory`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, table: str, key: str, timeout_s: float) -> Mapping[str, Any] | None:
        """The row under *key*."""
        found = self._database.rows("SELECT fields FROM directory WHERE tab = ? AND key = ?", (table, key), timeout_s)
        return _fields(found[0][0]) if found else None

    def find_secret(self, table: str, key: str, timeout_s: float) -> Mapping[str, Any] | None:
        """The row under a key that is a secret: every row is compared, each in constant time."""
        found: str | None = None
        for row_key, fields in self._database.rows(
            "SELECT key, fields FROM directory WHERE tab = ?", (table,), timeout_s
        ):
            if same_text(row_key, key):
                found = fields  # and on to the last row, so that the place does not show
        return None if found is None else _fields(found)

    def put(self, table: str, key: str, values: Mapping[str, Any], token: str, now: float, timeout_s: float) -> None:
        """Write the row under *key*, once for each token."""
        with self._database.change(timeout_s) as store:
            store.execute("DELETE FROM applied WHERE expires <= ?", (now,))
            first = store.execute("INSERT INTO applied VALUES (?, ?) ON CONFLICT DO NOTHING", (token, now + KEPT_S))
            if not first.rowcount:
                return
            row = store.execute(
                "SELECT fields, owner FROM directory WHERE tab = ? AND key = ?", (table, key)
            ).fetchone()
            old, owner = (_fields(row[0]), row[1]) if row else ({}, token)  # a claimed row stays its claimer's
            fields = json.dumps({**old, **values})
            store.execute("INSERT OR REPLACE INTO directory VALUES (?, ?, ?, ?)", (table, key, fields, owner))

    def claim(self, table: str, key: str, values: Mapping[str, Any], token: str, timeout_s: float) -> bool:
        """Write the row under *key* if there is none. True for the token that wrote it."""
        with self._database.change(timeout_s) as store:
            store.execute(
                "INSERT INTO directory VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (table, key, json.dumps(dict(values)), token),
            )
            row = store.execute("SELECT owner FROM directory WHERE tab = ? AND key = ?", (table, key)).fetchone()
        return bool(row[0] == token)

    def remove(self, table: str, key: str, timeout_s: float) -> None:
        """Delete the row under *key*."""
        with self._database.change(timeout_s) as store:
            store.execute("DELETE FROM directory WHERE tab = ? AND key = ?", (table, key))

    def seed(self, tables: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        """Write rows from outside a call: ``{table: {key: {field: value}}}``. Rows that are there are replaced."""
        with self._database.change(SEED_S) as store:
            store.executemany(
                "INSERT OR REPLACE INTO directory VALUES (?, ?, ?, '')",
                [(table, key, json.dumps(row)) for table, rows in tables.items() for key, row in rows.items()],
            )


def _fields(text: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(text)
    return fields
