"""Memo records in SQLite: what keeps an effect of class ``once`` from happening twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sma_flows.services.ports import KEPT_S, Memo

if TYPE_CHECKING:
    from sma_flows.services.local.database import Database

_ENDED: Final = "ended "
"""Start of the key of a call that is over. No effect token looks like it."""


class LocalMemo:
    """See :class:`~sma_flows.services.ports.MemoStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, token: str, lease_s: float, now: float, timeout_s: float) -> Memo:
        """Open the record of *token*, or say what is in it."""
        with self._database.change(timeout_s) as store:
            store.execute("DELETE FROM memo WHERE expires <= ?", (now,))
            made = store.execute(
                "INSERT INTO memo (token, lease, expires) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (token, now + lease_s, now + KEPT_S),
            )
            if made.rowcount:
                return Memo("run")
        return self.look(token, now, timeout_s)

    def look(self, token: str, now: float, timeout_s: float) -> Memo:
        """What is in the record of *token*; ``lost`` if there is none any more."""
        rows = self._database.rows("SELECT lease, reply FROM memo WHERE token = ?", (token,), timeout_s)
        lease, reply = rows[0] if rows else (0.0, None)
        if reply is not None:
            return Memo("reply", reply)
        return Memo("wait" if now < lease else "lost")

    def finish(self, token: str, reply: str, now: float, timeout_s: float) -> None:
        """Write what came of the effect."""
        with self._database.change(timeout_s) as store:
            store.execute("UPDATE memo SET reply = ?, expires = ? WHERE token = ?", (reply, now + KEPT_S, token))

    def end(self, call: str, now: float, timeout_s: float) -> None:
        """Note that the call is over."""
        note = "INSERT INTO memo (token, lease, expires, reply) VALUES (?, ?, ?, '') ON CONFLICT DO NOTHING"
        with self._database.change(timeout_s) as store:
            store.execute(note, (_ENDED + call, now, now + KEPT_S))

    def ended(self, call: str, now: float, timeout_s: float) -> bool:
        """Whether the call is over."""
        note = "SELECT 1 FROM memo WHERE token = ? AND expires > ?"
        return bool(self._database.rows(note, (_ENDED + call, now), timeout_s))
