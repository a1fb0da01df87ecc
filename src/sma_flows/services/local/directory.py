"""Rows by table and key in SQLite: the stand-in for a table of your own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sma_flows.runtime.ask import same_text
from sma_flows.services.ports import KEPT_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sma_flows.services.digests import Digests
    from sma_flows.services.local.database import Database

SECRET: Final = "pin:"  # noqa: S105 - a name
"""Start of the table's name for rows under secret keys: none that a flow can write looks like it."""


class LocalDirectory:
    """See :class:`~sma_flows.services.ports.Directory`."""

    def __init__(self, database: Database, digests: Digests) -> None:
        self._database = database
        self._digests = digests

    def find(self, table: str, key: str, timeout_s: float) -> Mapping[str, Any] | None:
        """The row under *key*."""
        found = self._database.rows("SELECT fields FROM directory WHERE tab = ? AND key = ?", (table, key), timeout_s)
        return _fields(found[0][0]) if found else None

    def find_secret(self, table: str, key: str, timeout_s: float) -> Mapping[str, Any] | None:
        """The row under a key that is a secret: every row is compared, each in constant time."""
        digest, found = self._digests.of_secret(table, key), None
        rows = self._database.rows("SELECT key, fields FROM directory WHERE tab = ?", (SECRET + table,), timeout_s)
        for row_key, fields in rows:
            if same_text(row_key, digest):
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

    def put_secret(self, table: str, key: str, values: Mapping[str, Any], timeout_s: float) -> None:
        """Write the whole row under a secret key, of which only the keyed hash is kept."""
        row = (SECRET + table, self._digests.of_secret(table, key), json.dumps(dict(values)))
        with self._database.change(timeout_s) as store:
            store.execute("INSERT OR REPLACE INTO directory VALUES (?, ?, ?, '')", row)

    def claim(
        self, table: str, key: str, values: Mapping[str, Any], token: str, timeout_s: float, expires: int = 0
    ) -> bool:
        """Write the row under *key* if there is none. True for the token that wrote it. All rows are kept."""
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

    def remove_secret(self, table: str, key: str, timeout_s: float) -> None:
        """Delete the row under a secret key."""
        row = (SECRET + table, self._digests.of_secret(table, key))
        with self._database.change(timeout_s) as store:
            store.execute("DELETE FROM directory WHERE tab = ? AND key = ?", row)


def _fields(text: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(text)
    return fields
