"""Put the adapters of one SQLite file into the services."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sma_flows.services.digests import Digests
from sma_flows.services.local.database import OPEN_S
from sma_flows.services.local.directory import LocalDirectory
from sma_flows.services.local.limits import LocalLimits
from sma_flows.services.local.meetings import LocalMeetings
from sma_flows.services.local.memo import LocalMemo
from sma_flows.services.local.outbox import (
    LocalCalls,
    LocalChannel,
    LocalLater,
    LocalOutbox,
    LocalPipelines,
    LocalQueue,
    LocalTranscription,
)
from sma_flows.services.ports import Ports

if TYPE_CHECKING:
    from sma_flows.services.dispatch import LocalServices
    from sma_flows.services.local.database import Database


def digests_of(database: Database, key: str) -> Digests:
    """Digests under *key*; without one, PINs are hashed under a key that is made once and kept in the file."""
    return Digests(key, lambda: database.setting("hash_key", secrets.token_hex(32), OPEN_S))


def use_file(services: LocalServices, database: Database, key: str = "") -> None:
    """Everything from one file: the store, and a stand-in for every service.

    Raises:
        PlanError: *key* is too short.
    """
    digests = digests_of(database, key)
    services.memo = LocalMemo(database)
    services.limits = LocalLimits(database, digests)
    outbox = LocalOutbox(database)
    services.later = LocalLater(outbox)
    services.ports = Ports(
        directory=LocalDirectory(database, digests),
        meetings=LocalMeetings(database),
        calls=LocalCalls(outbox),
        channel=LocalChannel(outbox),
        queue=LocalQueue(outbox),
        stream=LocalPipelines(outbox, "stream"),
        capture=LocalPipelines(outbox, "capture"),
        transcription=LocalTranscription(outbox),
    )
