"""A meeting service that keeps its books in SQLite: enough for a flow to be tried without an account.

Ids are made of names and effect tokens, never of chance: the same event gives the same attendee and the same join
token, as the real service does for the same external id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sma_flows.errors import ServiceError
from sma_flows.protocol.ids import digest, like_uuid
from sma_flows.services.ports import Attendee

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sma_flows.services.local.database import Database


class LocalMeetings:
    """See :class:`~sma_flows.services.ports.Meetings`. A meeting that was never opened here counts as open."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def attend(self, meeting: str, token: str, timeout_s: float) -> Attendee:
        """Create an attendee whose external id is *token*; the same token gives the same one.

        Raises:
            ServiceError: the meeting was closed.
        """
        attendee = Attendee(like_uuid("attendee", meeting, token), digest("join", meeting, token))
        with self._database.change(timeout_s) as store:
            row = store.execute("SELECT open FROM meeting WHERE id = ?", (meeting,)).fetchone()
            if row is not None and not row[0]:
                raise ServiceError("the meeting is closed")
            store.execute(
                "INSERT INTO attendee (meeting, id, present) VALUES (?, ?, 1) ON CONFLICT DO NOTHING",
                (meeting, attendee.id),
            )
        return attendee

    def leave(self, meeting: str, attendee: str, timeout_s: float) -> None:
        """Delete an attendee."""
        with self._database.change(timeout_s) as store:
            store.execute("UPDATE attendee SET present = 0 WHERE meeting = ? AND id = ?", (meeting, attendee))

    def roster(self, meeting: str, timeout_s: float) -> Sequence[str]:
        """Ids of the attendees, in the order in which they came."""
        present = "SELECT id FROM attendee WHERE meeting = ? AND present = 1 ORDER BY place"
        return tuple(row[0] for row in self._database.rows(present, (meeting,), timeout_s))

    def open(self, name: str, region: str, timeout_s: float) -> str:  # noqa: ARG002 - there is one region here
        """Id of the meeting called *name*, made if there is none."""
        with self._database.change(timeout_s) as store:
            row = store.execute("SELECT id FROM meeting WHERE name = ? AND open = 1", (name,)).fetchone()
            if row is not None:
                return str(row[0])
            earlier = store.execute("SELECT COUNT(*) FROM meeting WHERE name = ?", (name,)).fetchone()[0]
            meeting = like_uuid("meeting", name, str(earlier))
            store.execute("INSERT INTO meeting VALUES (?, ?, 1)", (meeting, name))
        return meeting

    def find(self, name: str, timeout_s: float) -> str | None:
        """Id of the open meeting called *name*."""
        rows = self._database.rows("SELECT id FROM meeting WHERE name = ? AND open = 1", (name,), timeout_s)
        return str(rows[0][0]) if rows else None

    def close(self, name: str, timeout_s: float) -> None:
        """End the meeting called *name*, and with it everybody's seat."""
        with self._database.change(timeout_s) as store:
            ended = "SELECT id FROM meeting WHERE name = ?"
            store.execute(f"UPDATE attendee SET present = 0 WHERE meeting IN ({ended})", (name,))  # noqa: S608 - constant
            store.execute("UPDATE meeting SET open = 0 WHERE name = ?", (name,))
