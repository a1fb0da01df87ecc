"""The SQLite file behind the local adapters.

One file for everything, in WAL mode, so that processes that serve different calls can read while one writes. Every
change is one immediate transaction: what a call read is still true when it writes.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sma_flows.errors import ServiceError

MEMORY: Final = "memory"
"""Name of a store that lives in this process only: for tests."""

LAYOUT: Final = 3
"""Version of the tables. A file of a newer version is not touched."""

OPEN_S: Final = 2.0
"""Longest wait when the file is opened ahead of the first call; another process may be making it."""

_opening: Final = threading.Lock()
"""Held while a file is made. Closing *any* descriptor of a file takes away all locks that the process holds on it, also
those of SQLite in another thread (sqlite.org, howtocorrupt, section 2.2): nobody may have it open at that moment."""

_TABLES: Final = """
CREATE TABLE memo (token TEXT PRIMARY KEY, lease REAL NOT NULL, expires REAL NOT NULL, reply TEXT) WITHOUT ROWID;
CREATE INDEX memo_expires ON memo (expires);
CREATE TABLE limit_units (
  name TEXT NOT NULL, who TEXT NOT NULL, token TEXT NOT NULL, window INTEGER NOT NULL, expires REAL NOT NULL,
  place INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (name, who, token)) WITHOUT ROWID;
CREATE INDEX limit_units_expires ON limit_units (expires);
CREATE INDEX limit_units_window ON limit_units (name, who, window);
CREATE TABLE directory (
  tab TEXT NOT NULL, key TEXT NOT NULL, fields TEXT NOT NULL, owner TEXT NOT NULL,
  PRIMARY KEY (tab, key)) WITHOUT ROWID;
CREATE TABLE applied (token TEXT PRIMARY KEY, expires REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX applied_expires ON applied (expires);
CREATE TABLE meeting (
  id TEXT PRIMARY KEY, name TEXT, open INTEGER NOT NULL, opened REAL NOT NULL DEFAULT 0, empty REAL) WITHOUT ROWID;
CREATE INDEX meeting_name ON meeting (name);
CREATE TABLE attendee (
  place INTEGER PRIMARY KEY AUTOINCREMENT, meeting TEXT NOT NULL, id TEXT NOT NULL UNIQUE, present INTEGER NOT NULL,
  muted INTEGER NOT NULL DEFAULT 0);
CREATE INDEX attendee_meeting ON attendee (meeting);
CREATE TABLE outbox (
  place INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, token TEXT NOT NULL, payload TEXT NOT NULL,
  sent REAL NOT NULL, UNIQUE (kind, token));
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE journal (
  call TEXT PRIMARY KEY, n INTEGER NOT NULL, entry TEXT NOT NULL, expires REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX journal_expires ON journal (expires);
"""

_UPGRADES: Final = {
    1: (
        "ALTER TABLE meeting ADD COLUMN opened REAL NOT NULL DEFAULT 0",
        "ALTER TABLE meeting ADD COLUMN empty REAL",
        "ALTER TABLE attendee ADD COLUMN muted INTEGER NOT NULL DEFAULT 0",
        "CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    ),
    2: (
        "CREATE TABLE journal (call TEXT PRIMARY KEY, n INTEGER NOT NULL, entry TEXT NOT NULL, "
        "expires REAL NOT NULL) WITHOUT ROWID",
        "CREATE INDEX journal_expires ON journal (expires)",
    ),
}
"""What makes the tables of a version those of the next one."""


class StoreDownError(ServiceError):
    """The file cannot be read or written in time."""


class Database:
    """One SQLite file, opened when it is first needed and again after a fork.

    Safe to share between threads; every operation takes the longest time it may wait.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._pid = 0

    def open(self) -> None:
        """Open the file now, so that no call has to wait for it.

        Raises:
            StoreDownError: it cannot be opened; the next use tries again.
        """
        with self._held(OPEN_S):
            pass

    @contextmanager
    def change(self, timeout_s: float) -> Iterator[sqlite3.Connection]:
        """One transaction that excludes other writers; nothing of it stays when something goes wrong.

        Raises:
            StoreDownError: the file could not be had within *timeout_s*, or is damaged.
        """
        with self._held(timeout_s) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def rows(self, query: str, values: Sequence[Any], timeout_s: float) -> list[tuple[Any, ...]]:
        """The rows of one query.

        Raises:
            StoreDownError: the file could not be had within *timeout_s*, or is damaged.
        """
        with self._held(timeout_s) as connection:
            return connection.execute(query, values).fetchall()

    def setting(self, name: str, first: str, timeout_s: float) -> str:
        """What the file keeps under *name*; *first* if it keeps nothing yet, from now on.

        Raises:
            StoreDownError: the file could not be had within *timeout_s*, or is damaged.
        """
        with self.change(timeout_s) as store:
            store.execute("INSERT INTO setting VALUES (?, ?) ON CONFLICT DO NOTHING", (name, first))
            return str(store.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()[0])

    def close(self) -> None:
        """Close the file; the next use opens it again. What is in ``memory`` is gone."""
        with self._lock:
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
            self._connection = None

    def __del__(self) -> None:
        """A store that nobody has any more is closed."""
        try:  # noqa: SIM105 - `suppress` itself may be gone
            self.close()
        except Exception:  # noqa: BLE001, S110 - when the interpreter ends, half of it is gone
            pass

    @contextmanager
    def _held(self, timeout_s: float) -> Iterator[sqlite3.Connection]:
        timeout_s = max(timeout_s, 0.0)
        if not self._lock.acquire(timeout=timeout_s):
            raise StoreDownError("the store is busy")
        try:
            connection = self._open(timeout_s)
            if connection.in_transaction:  # somebody was stopped in the middle
                connection.execute("ROLLBACK")
            connection.execute(f"PRAGMA busy_timeout = {int(timeout_s * 1000)}")
            yield connection
        except sqlite3.Error as error:
            raise StoreDownError(f"the store cannot be used ({type(error).__name__})") from None
        finally:
            self._lock.release()

    def _open(self, timeout_s: float) -> sqlite3.Connection:
        if self._connection is not None and self._pid == os.getpid():
            return self._connection
        if self.path == MEMORY:
            connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            connection.executescript(_TABLES)
        else:
            connection = _open_file(Path(self.path), timeout_s)
        self._connection, self._pid = connection, os.getpid()
        return connection


def _open_file(path: Path, timeout_s: float) -> sqlite3.Connection:
    """Open the file, making it and its tables if need be; only its owner can read it."""
    with _opening:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except OSError as error:
            raise StoreDownError(f"the store {path} cannot be made ({error.strerror})") from None
        connection = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path, timeout_s)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, timeout_s: float) -> None:
    """Switch to WAL mode and make the tables, unless another process has."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")  # takes no notice of the time-out
            break
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("BEGIN IMMEDIATE")
    layout = connection.execute("PRAGMA user_version").fetchone()[0]
    if layout < LAYOUT:
        statements = _TABLES.split(";") if layout == 0 else [s for n in range(layout, LAYOUT) for s in _UPGRADES[n]]
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {LAYOUT}")
    connection.execute("COMMIT")
    if layout > LAYOUT:
        raise StoreDownError(f"the store {path} was written by a newer version of this package")
