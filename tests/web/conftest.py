from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from sma_flows.testing.control import UNLIMITED, local_service

from .rig import Rig


@contextmanager
def standing(store: Path, **changes: str) -> Iterator[Rig]:
    """The API in front of a service whose clock stands: telephones ring, and nobody answers."""
    with local_service(quotas=UNLIMITED, rates={"*": 0}) as service:
        yield Rig(service, store, changes)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with standing(tmp_path / "store.sqlite") as made:
        yield made


@pytest.fixture
def rigs(tmp_path: Path) -> Callable[..., AbstractContextManager[Rig]]:
    """One with settings of its own."""
    return lambda **changes: standing(tmp_path / "store.sqlite", **changes)
