"""What is stored in place of a PIN or of whoever is counted.

A PIN has six digits: whoever gets hold of a plain digest tries them all in a second. So it is hashed with a key that is
not in the table (``SMA_FLOWS_HASH_KEY``, see docs/decisions/0071), and what is looked up is compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from sma_flows.errors import PlanError, ServiceError
from sma_flows.services.needs import HASH_KEY

NOBODY: Final = frozenset({"", "anonymous", "unknown", "unavailable", "restricted", "private"})
"""What stands in place of a number when the caller withholds it. All of them share one counter."""

LEAST_KEY: Final = 32
"""Fewest characters of a key."""


class Digests:
    """Digests under *key*. Without one, *kept* gives the key for secrets when a secret is looked up or stored."""

    def __init__(self, key: str = "", kept: Callable[[], str] | None = None) -> None:
        if key and len(key) < LEAST_KEY:
            raise PlanError(f"{HASH_KEY} has {len(key)} characters: it needs at least {LEAST_KEY} random ones")
        self._key = key
        self._kept = kept

    def of_secret(self, table: str, secret: str) -> str:
        """The digest under which a secret key of *table* is stored: 64 hexadecimal digits.

        Raises:
            ServiceError: no key is configured, or it cannot be had.
        """
        key = self._key or (self._kept() if self._kept is not None else "")
        if not key:
            raise ServiceError(f"{HASH_KEY} is not set")
        return hmac.new(key.encode(), _joined(table, secret), hashlib.sha256).hexdigest()

    def of_counted(self, name: str, key: str) -> str:
        """The digest of who or what is counted by the limit *name*: 32 hexadecimal digits."""
        key = key.strip().lower()
        text = _joined(name, "" if key in NOBODY else key)
        digest = hmac.new(self._key.encode(), text, hashlib.sha256) if self._key else hashlib.sha256(text)
        return digest.hexdigest()[:32]


def _joined(*parts: str) -> bytes:
    return "\x1f".join(parts).encode("utf-8", "replace")
