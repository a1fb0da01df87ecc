"""Counters over calls in DynamoDB.

One item for each rule and whoever is counted:

========  =============================================================================================================
``w``     start of the window that is counted, in seconds since 1970
``n``     units taken: reserved or used
``u``     units used
``t``     who took them: effect token to 0 (reserved) or to its place among the used ones
``p``     the same of the window before, so that an event repeated behind the boundary still finds its unit
========  =============================================================================================================

A reservation is one conditional write that lets nobody past ``most``, however many lines ask at once, and that the same
token passes twice without taking a second unit. The first one of a window is a second write, which turns the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sma_flows.errors import ServiceError
from sma_flows.services.aws.table import RefusedError

if TYPE_CHECKING:
    from sma_flows.services.aws.table import Item, Table
    from sma_flows.services.digests import Digests

ROUNDS: Final = 3
"""How often a reservation is tried again because somebody else turned the page at the same moment."""


class DynamoLimits:
    """See :class:`~sma_flows.services.ports.LimitStore`."""

    def __init__(self, table: Table, digests: Digests) -> None:
        self._table = table
        self._digests = digests

    def reserve(self, name: str, key: str, token: str, most: int, window_s: int, now: float, timeout_s: float) -> bool:
        """Reserve one unit; false when the window is full."""
        item, window = self._key(name, key), int(now // window_s) * window_s
        until = self._table.clock.monotonic() + timeout_s
        for _ in range(ROUNDS):
            found = self._take(item, token, most, window, until - self._table.clock.monotonic())
            if found is None or _holds(found, token):
                return True
            if (found and found.get("w", 0) >= window) or most < 1:
                return False
            # One window longer than needed: an event repeated behind the boundary still finds its unit.
            turned = self._turn(item, token, window, window + 2 * window_s, until - self._table.clock.monotonic())
            if turned is None or _holds(turned, token):
                return True
        raise ServiceError("the counter is too busy")

    def _take(self, item: str, token: str, most: int, window: int, timeout_s: float) -> Item | None:
        """One unit of the window that is counted; None: taken, else what is there.

        A clock that is behind counts in the window of the others: a window that was closed never opens again.
        """
        try:
            self._table.update(
                item,
                "SET t.#k = :zero, n = n + :one",
                timeout_s,
                "w >= :w AND n < :most AND attribute_not_exists(t.#k) AND attribute_not_exists(p.#k)",
                {"#k": token},
                zero=0,
                one=1,
                w=window,
                most=most,
            )
        except RefusedError as refused:
            return refused.item
        return None

    def _turn(self, item: str, token: str, window: int, expires: int, timeout_s: float) -> Item | None:
        """Begin a window with one unit taken; None: done, else what is there because somebody else was first."""
        try:
            self._table.update(
                item,
                "SET p = if_not_exists(t, :none), t = :t, n = :one, u = :zero, w = :w, expires = :expires",
                timeout_s,
                "(attribute_not_exists(w) OR w < :w) AND attribute_not_exists(t.#k)",
                {"#k": token},
                none={},
                t={token: 0},
                one=1,
                zero=0,
                w=window,
                expires=expires,
            )
        except RefusedError as refused:
            return refused.item
        return None

    def give_back(self, name: str, key: str, token: str, timeout_s: float) -> None:
        """Return a unit that was not used. One of the window before is left there: nobody counts it any more."""
        try:
            self._table.update(
                self._key(name, key),
                "SET n = n - :one REMOVE t.#k",
                timeout_s,
                "t.#k = :zero",
                {"#k": token},
                one=1,
                zero=0,
            )
        except RefusedError:
            return

    def use(self, name: str, key: str, token: str, timeout_s: float) -> int:
        """Use the unit up; gives its place in the window, counted from 1."""
        try:
            changed = self._table.update(
                self._key(name, key),
                "SET t.#k = u + :one, u = u + :one",
                timeout_s,
                "t.#k = :zero",
                {"#k": token},
                one=1,
                zero=0,
            )
        except RefusedError as refused:
            before, now = refused.item.get("p", {}), refused.item.get("t", {})
            return int(now.get(token) or before.get(token) or 1)  # 1: its window ended while the hook ran
        return int(changed.get("u", 1))

    def _key(self, name: str, key: str) -> str:
        return f"limit/{self._digests.of_counted(name, key)}"


def _holds(item: Item, token: str) -> bool:
    return token in item.get("t", {}) or token in item.get("p", {})
