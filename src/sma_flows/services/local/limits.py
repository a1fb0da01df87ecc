"""Counters over calls in SQLite.

A unit is a row, and belongs to the effect token that reserved it: an event that comes twice finds its row and takes no
second one. A reservation of an invocation that died stays in its window, because a guess that nobody saw the end of is
a guess all the same.

Windows are fixed: an hour is an hour of the clock, so twice the limit fits around its boundary. Who is counted is kept
as a digest only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sma_flows.services.digests import Digests
    from sma_flows.services.local.database import Database


class LocalLimits:
    """See :class:`~sma_flows.services.ports.LimitStore`."""

    def __init__(self, database: Database, digests: Digests) -> None:
        self._database = database
        self._digests = digests

    def reserve(self, name: str, key: str, token: str, most: int, window_s: int, now: float, timeout_s: float) -> bool:
        """Reserve one unit; false when the window is full."""
        who, window = self._digests.of_counted(name, key), int(now // window_s) * window_s
        with self._database.change(timeout_s) as store:
            store.execute("DELETE FROM limit_units WHERE expires <= ?", (now,))
            mine = "SELECT 1 FROM limit_units WHERE name = ? AND who = ? AND token = ?"
            if store.execute(mine, (name, who, token)).fetchone():
                return True
            # A clock that is behind counts in the window of the others: one that was closed never opens again.
            newest = "SELECT MAX(window) FROM limit_units WHERE name = ? AND who = ?"
            window = max(window, store.execute(newest, (name, who)).fetchone()[0] or 0)
            count = "SELECT COUNT(*) FROM limit_units WHERE name = ? AND who = ? AND window = ?"
            if store.execute(count, (name, who, window)).fetchone()[0] >= most:
                return False
            store.execute(
                "INSERT INTO limit_units (name, who, token, window, expires) VALUES (?, ?, ?, ?, ?)",
                # one window longer than needed: an event repeated behind the boundary still finds its unit
                (name, who, token, window, window + 2 * window_s),
            )
        return True

    def give_back(self, name: str, key: str, token: str, timeout_s: float) -> None:
        """Return a unit that was not used."""
        with self._database.change(timeout_s) as store:
            unused = "DELETE FROM limit_units WHERE name = ? AND who = ? AND token = ? AND place = 0"
            store.execute(unused, (name, self._digests.of_counted(name, key), token))

    def use(self, name: str, key: str, token: str, timeout_s: float) -> int:
        """Use the unit up; gives its place in the window, counted from 1."""
        who = self._digests.of_counted(name, key)
        with self._database.change(timeout_s) as store:
            mine = "SELECT place, window FROM limit_units WHERE name = ? AND who = ? AND token = ?"
            row = store.execute(mine, (name, who, token)).fetchone()
            if row is None:  # the window ended while the hook ran
                return 1
            place, window = row
            if not place:
                used = "SELECT COUNT(*) FROM limit_units WHERE name = ? AND who = ? AND window = ? AND place > 0"
                place = store.execute(used, (name, who, window)).fetchone()[0] + 1
                take = "UPDATE limit_units SET place = ? WHERE name = ? AND who = ? AND token = ?"
                store.execute(take, (place, name, who, token))
        return int(place)
