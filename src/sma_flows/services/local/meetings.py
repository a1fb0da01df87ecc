"""A meeting service that keeps its books in SQLite: enough for a flow to be tried without an account.

Ids are made of names and effect tokens, never of chance: the same event gives the same attendee and the same join
token, as the real service does for the same external id. Meetings that were opened by name end as real ones do: after
24 hours, after five minutes without anybody, and when the last one leaves (contract 10.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sma_flows.errors import ServiceError
from sma_flows.protocol.ids import digest, like_uuid
from sma_flows.services.ports import Attendee

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from sma_flows.services.local.database import Database

LONGEST_S: Final = 24 * 3600.0
EMPTY_S: Final = 300.0


class LocalMeetings:
    """See :class:`~sma_flows.services.ports.Meetings`. A meeting that was never opened here counts as open."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def attend(self, meeting: str, token: str, now: float, timeout_s: float) -> Attendee:
        """Create an attendee whose external id is *token*; the same token gives the same one.

        Raises:
            ServiceError: the meeting has ended.
        """
        attendee = Attendee(like_uuid("attendee", meeting, token), digest("join", meeting, token))
        with self._database.change(timeout_s) as store:
            self._end_what_is_over(store, now)
            row = store.execute("SELECT open FROM meeting WHERE id = ?", (meeting,)).fetchone()
            if row is not None and not row[0]:
                raise ServiceError("the meeting is closed")
            store.execute("UPDATE meeting SET empty = NULL WHERE id = ?", (meeting,))
            store.execute(
                "INSERT INTO attendee (meeting, id, present) VALUES (?, ?, 1) ON CONFLICT DO NOTHING",
                (meeting, attendee.id),
            )
        return attendee

    def leave(self, meeting: str, attendee: str, now: float, timeout_s: float) -> None:
        """Delete an attendee, and the meeting with the last one."""
        with self._database.change(timeout_s) as store:
            here = "UPDATE attendee SET present = 0 WHERE meeting = ? AND id = ? AND present = 1"
            if not store.execute(here, (meeting, attendee)).rowcount:
                return
            left = "SELECT COUNT(*) FROM attendee WHERE meeting = ? AND present = 1"
            if not store.execute(left, (meeting,)).fetchone()[0]:
                store.execute("UPDATE meeting SET open = 0 WHERE id = ?", (meeting,))

    def roster(self, meeting: str, timeout_s: float) -> Sequence[str]:
        """Ids of the attendees, in the order in which they came."""
        present = "SELECT id FROM attendee WHERE meeting = ? AND present = 1 ORDER BY place"
        return tuple(row[0] for row in self._database.rows(present, (meeting,), timeout_s))

    def mute(self, meeting: str, attendee: str, muted: bool, timeout_s: float) -> None:
        """Note whether an attendee may be heard."""
        with self._database.change(timeout_s) as store:
            store.execute("UPDATE attendee SET muted = ? WHERE meeting = ? AND id = ?", (muted, meeting, attendee))

    def muted(self, meeting: str, timeout_s: float = 1.0) -> Sequence[str]:
        """Ids of the attendees who only hear: for tests."""
        quiet = "SELECT id FROM attendee WHERE meeting = ? AND muted = 1 ORDER BY place"
        return tuple(row[0] for row in self._database.rows(quiet, (meeting,), timeout_s))

    def open(self, name: str, region: str, now: float, timeout_s: float) -> str:
        """Id of the living meeting called *name*, made if there is none."""
        with self._database.change(timeout_s) as store:
            self._end_what_is_over(store, now)
            row = store.execute("SELECT id FROM meeting WHERE name = ? AND open = 1", (name,)).fetchone()
            if row is not None:
                return str(row[0])
            earlier = store.execute("SELECT COUNT(*) FROM meeting WHERE name = ?", (name,)).fetchone()[0]
            meeting = like_uuid("meeting", name, str(earlier))
            store.execute("INSERT INTO meeting VALUES (?, ?, 1, ?, ?)", (meeting, name, now, now))
        return meeting

    def find(self, name: str, now: float, timeout_s: float) -> str | None:
        """Id of the living meeting called *name*."""
        with self._database.change(timeout_s) as store:
            self._end_what_is_over(store, now)
            row = store.execute("SELECT id FROM meeting WHERE name = ? AND open = 1", (name,)).fetchone()
        return None if row is None else str(row[0])

    def close(self, name: str, now: float, timeout_s: float) -> None:
        """End the meeting called *name*, and with it everybody's seat."""
        with self._database.change(timeout_s) as store:
            store.execute("UPDATE meeting SET open = 0 WHERE name = ?", (name,))
            self._empty_what_is_over(store)

    def show(self, meeting: str, timeout_s: float) -> Mapping[str, Any]:
        """The meeting without any addresses: there is no media here."""
        if not self._database.rows("SELECT 1 FROM meeting WHERE id = ? AND open = 1", (meeting,), timeout_s):
            raise ServiceError("the meeting is closed")
        return {"MeetingId": meeting, "ExternalMeetingId": meeting, "MediaRegion": "", "MediaPlacement": {}}

    def _end_what_is_over(self, store: sqlite3.Connection, now: float) -> None:
        over = "UPDATE meeting SET open = 0 WHERE open = 1 AND (opened <= ? OR empty <= ?)"
        if store.execute(over, (now - LONGEST_S, now - EMPTY_S)).rowcount:
            self._empty_what_is_over(store)

    def _empty_what_is_over(self, store: sqlite3.Connection) -> None:
        ended = "SELECT id FROM meeting WHERE open = 0"
        store.execute(f"UPDATE attendee SET present = 0 WHERE meeting IN ({ended})")  # noqa: S608 - constant
