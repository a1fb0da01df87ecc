"""Stores to test with: SQLite, and DynamoDB as two stand-ins know it.

moto knows the operations, also what a failed condition met, but its conditions do not hold against each other when
requests are really parallel. dynalite holds them, and knows no transactions, no time to live, and nothing of what a
failed condition met. So everything runs on both, and races run on dynalite.

dynalite comes from npm, once, into ``build/dynalite``. Without node the tests that need it are skipped and say so; on a
machine that builds (``CI`` is set) they fail.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from botocore.stub import Stubber

from sma_flows.services.aws.client import Aws
from sma_flows.services.aws.directory import DynamoDirectory
from sma_flows.services.aws.journal import DynamoJournal
from sma_flows.services.aws.limits import DynamoLimits
from sma_flows.services.aws.memo import DynamoMemo
from sma_flows.services.aws.table import Table
from sma_flows.services.digests import Digests
from sma_flows.services.local.database import Database
from sma_flows.services.local.directory import LocalDirectory
from sma_flows.services.local.journal import LocalJournal
from sma_flows.services.local.limits import LocalLimits
from sma_flows.services.local.memo import LocalMemo
from sma_flows.services.local.open import digests_of
from sma_flows.services.ports import Directory, JournalStore, LimitStore, MemoStore, Meter

DYNALITE: Final = "dynalite@4.0.0"
FOLDER: Final = Path(__file__).resolve().parents[2] / "build" / "dynalite"
HASH_KEY: Final = "a key for tests that is long enough"

SERVER: Final = """
import dynalite from 'dynalite'
const server = dynalite({createTableMs: 0, deleteTableMs: 0, updateTableMs: 0})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
"""
"""Ends with whoever started it."""

ENV: Final = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is; can be sent to another process. ``at`` is a path or the address of a server."""

    kind: str
    at: str
    table: str = ""

    @property
    def env(self) -> dict[str, str]:
        """The environment that names it."""
        if self.kind == "sqlite":
            return {"SMA_FLOWS_STORE": self.at}
        return {**ENV, "SMA_FLOWS_STORE": f"dynamodb:{self.table}", "AWS_ENDPOINT_URL_DYNAMODB": self.at}


@dataclass(frozen=True, slots=True)
class Store:
    """An open store, and the count of what it sent to AWS."""

    place: Place
    memo: MemoStore
    limits: LimitStore
    directory: Directory
    journal: JournalStore
    meter: Meter


def open_store(place: Place) -> Store:
    """The store at *place*."""
    meter = Meter()
    if place.kind == "sqlite":
        database = Database(place.at)
        digests = digests_of(database, "")
        return Store(
            place,
            LocalMemo(database),
            LocalLimits(database, digests),
            LocalDirectory(database, digests),
            LocalJournal(database),
            meter,
        )
    aws, digests = Aws(place.env, meter), Digests(HASH_KEY)
    return Store(
        place,
        DynamoMemo(Table(aws.api("dynamodb", "records"), place.table)),
        DynamoLimits(Table(aws.api("dynamodb", "limits"), place.table), digests),
        DynamoDirectory(aws.api("dynamodb"), place.table, digests),
        DynamoJournal(Table(aws.api("dynamodb", "records"), place.table)),
        meter,
    )


def new_table(kind: str, address: str, key: str = "pk") -> Place:
    """A new table on a server."""
    place = Place(kind, address, f"table-{uuid.uuid4().hex}")
    Aws(place.env).api("dynamodb").call(
        "create_table",
        60,
        attempts=1,
        TableName=place.table,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return place


def items(place: Place) -> list[dict[str, Any]]:
    """All items of a table, as DynamoDB writes them."""
    found: list[dict[str, Any]] = Aws(place.env).api("dynamodb").call("scan", 10, TableName=place.table)["Items"]
    return found


def _installed() -> str:
    """Path of node, with dynalite in its folder."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        if os.environ.get("CI"):
            pytest.fail("node and npm are needed: races on conditional writes are tried on dynalite")
        pytest.skip("no node and npm here: races on conditional writes are not tried on dynalite")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one of the processes of a test run installs, the others wait
        if not (FOLDER / "node_modules" / "dynalite").is_dir():
            command = [npm, "install", "--silent", "--no-save", "--prefix", str(FOLDER), DYNALITE]
            subprocess.run(command, check=True, timeout=120, capture_output=True)
    return node


@contextmanager
def dynalite() -> Iterator[str]:
    """Address of a dynalite that runs meanwhile."""
    process = subprocess.Popen(
        [_installed(), "--input-type=module", "--eval", SERVER],
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


@contextmanager
def moto() -> Iterator[str]:
    """Address of moto's server in a thread of this process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        Aws({**ENV, "AWS_ENDPOINT_URL": address}).api("dynamodb").call("list_tables", 60)  # the first request is slow
        yield address
    finally:
        server.stop()


@contextmanager
def stubbed(service: str, region: str = "us-east-1") -> Iterator[Stubber]:
    """A client of *service* that answers what it is told, checks it against the model, and was asked everything."""
    with Stubber(Aws(ENV).api(service, region=region).client) as stub:
        yield stub
        stub.assert_no_pending_responses()
