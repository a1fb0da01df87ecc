"""Memo records in SQLite: what keeps an effect of class ``once`` from happening twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sma_flows.services.ports import Memo

if TYPE_CHECKING:
    from sma_flows.services.local.database import Database

KEPT_S: Final = 3600.0
"""Seconds a record is kept: longer than the service repeats an event, shorter than anybody wants it (decision 18)."""


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
            lease, reply = store.execute("SELECT lease, reply FROM memo WHERE token = ?", (token,)).fetchone()
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

    def ended(self, call: str, timeout_s: float) -> bool:
        """Whether the call is over."""
        return bool(self._database.rows("SELECT 1 FROM memo WHERE token = ?", (_ENDED + call,), timeout_s))
