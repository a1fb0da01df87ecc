from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .stand_ins import Place, Store, dynalite, moto, new_table, open_store


@pytest.fixture(scope="session")
def dynalite_address() -> Iterator[str]:
    with dynalite() as address:
        yield address


@pytest.fixture(scope="session")
def moto_address() -> Iterator[str]:
    with moto() as address:
        yield address


def place_of(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if kind == "file":
        return Place("sqlite", str(tmp_path / "deep" / "store.sqlite"))
    if kind == "memory":
        return Place("sqlite", "memory")
    return new_table(kind, request.getfixturevalue(f"{kind}_address"))


@pytest.fixture(params=["memory", "file", "dynalite", "moto"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store, of every kind in turn."""
    return open_store(place_of(request.param, request, tmp_path))


@pytest.fixture(params=["dynalite", "moto"])
def dynamo(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty table, of both stand-ins in turn."""
    return open_store(place_of(request.param, request, tmp_path))


@pytest.fixture(params=["file", "dynalite"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A store that holds its conditions against many at once."""
    return place_of(request.param, request, tmp_path)
