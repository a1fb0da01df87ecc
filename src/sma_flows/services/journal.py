"""The journal of overlapping answers on a store: bounded in time, and never in the way of an answer.

See :mod:`sma_flows.runtime.overlap` for what it is for. Loaded only for plans with positions at which answers can
overlap, and only where there is a store.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from sma_flows.errors import ServiceError
from sma_flows.runtime.overlap import Entry, Overlaps
from sma_flows.services.dispatch import Trouble

if TYPE_CHECKING:
    from sma_flows.services.dispatch import LocalServices
    from sma_flows.services.ports import JournalStore

WAIT_S: Final = 0.4
"""Longest wait for the store. An event has at most 3.5 seconds for its hooks, and the service waits five."""


class StoredJournal:
    """See :class:`~sma_flows.runtime.overlap.Journal`. A store that fails is told among the troubles of *services*."""

    def __init__(self, services: LocalServices, store: JournalStore) -> None:
        self._services = services
        self._store = store

    def write(self, call: str, entry: Entry) -> Entry | None:
        """Keep *entry*, unless a newer answer of *call* is there: that one is given."""
        now = self._services.clock.now()
        try:
            found = self._store.write(call, entry.n, written(entry._replace(at=now)), now, WAIT_S)
            return None if found is None else read(found)
        except ServiceError as error:
            self._services.troubles.append(Trouble("journal", "write", type(error).__name__))
            return None

    def read(self, call: str) -> Entry | None:
        """The newest answer of *call*."""
        try:
            found = self._store.read(call, self._services.clock.now(), WAIT_S)
            return None if found is None else read(found)
        except ServiceError as error:
            self._services.troubles.append(Trouble("journal", "read", type(error).__name__))
            return None

    def hold_back(self, seconds: float) -> None:
        """Wait so long before the answer is given."""
        self._services.clock.sleep(seconds)


def use_journal(services: LocalServices, store: JournalStore) -> None:
    """From now on answers that can overlap are told of each other by *store*."""
    services.overlaps = Overlaps(StoredJournal(services, store))


def written(entry: Entry) -> str:
    """An entry as text. It holds what the saved call holds, and never a secret (decision 12)."""
    return json.dumps(entry._asdict(), separators=(",", ":"))


def read(text: str) -> Entry:
    """The entry again.

    Raises:
        ServiceError: it is none, or of a version that is not known here.
    """
    try:
        fields = json.loads(text)
        fields["seen"] = tuple((str(name), int(base), float(began)) for name, base, began in fields["seen"])
        return Entry(**fields)
    except (ValueError, TypeError, KeyError) as error:
        raise ServiceError(f"an entry of the journal cannot be read ({type(error).__name__})") from None
