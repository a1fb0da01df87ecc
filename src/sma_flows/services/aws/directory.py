"""Rows by table and key in DynamoDB.

A flow's ``table`` is a part of the store's own table, or, written ``dynamodb:NAME`` or ``dynamodb:NAME/KEY``, a table
of yours with the partition key ``KEY`` (``pk`` unless said). In the store fields are kept as ``f:name``, so that no
field can be mistaken for something else; in your table they are the attributes as they are.

=============  ========================================================================================================
``sf_owner``   the effect token that made the row: whoever claims it again with that token has it
``sf_tokens``  the effect tokens that wrote last: an event that is repeated writes once
``sf_digest``  keyed hash of a secret key; the secret itself is stored nowhere
=============  ========================================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sma_flows.errors import ServiceError
from sma_flows.runtime.ask import same_text
from sma_flows.services.aws.table import EXPIRES, KEY, RefusedError, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sma_flows.services.aws.client import Api
    from sma_flows.services.digests import Digests

OWN: Final = "dynamodb:"
FIELD: Final = "f:"
_OURS: Final = ("sf_owner", "sf_tokens", "sf_digest")

MOST_TOKENS: Final = 16
"""Tokens that are remembered in a row. The service repeats an event within seconds; nobody writes a row that often."""


class DynamoDirectory:
    """See :class:`~sma_flows.services.ports.Directory`."""

    def __init__(self, api: Api, store: str, digests: Digests) -> None:
        self._api = api
        self._store = Table(api, store)
        self._digests = digests
        self._tables: dict[str, Table] = {}

    def find(self, table: str, key: str, timeout_s: float) -> Mapping[str, Any] | None:
        """The row under *key*."""
        where, item_key, prefix = self._place(table, key)
        item = where.get(item_key, timeout_s)
        return None if item is None else _fields(item, prefix, where.key)

    def find_secret(self, table: str, key: str, timeout_s: float) -> Mapping[str, Any] | None:
        """The row under a secret key, found by its keyed hash."""
        digest = self._digests.of_secret(table, key)
        item = self._store.get(_secret(table, digest), timeout_s)
        if item is None or not same_text(str(item.get("sf_digest")), digest):
            return None
        return _fields(item, FIELD, KEY)

    def put(
        self,
        table: str,
        key: str,
        values: Mapping[str, Any],
        token: str,
        now: float,
        timeout_s: float,
    ) -> None:
        """Write the row under *key*, once for each token."""
        where, item_key, prefix = self._place(table, key)
        until = self._api.clock.monotonic() + timeout_s
        names = {"#o": "sf_owner", "#t": "sf_tokens"}
        given: dict[str, Any] = {}
        for number, (name, value) in enumerate(values.items()):
            names[f"#{number}"], given[f"v{number}"] = prefix + name, value
        sets = [f"#{number} = :v{number}" for number in range(len(given))]
        sets += ["#t = list_append(if_not_exists(#t, :none), :tokens)", "#o = if_not_exists(#o, :token)"]
        try:
            changed = where.update(
                item_key,
                "SET " + ", ".join(sets),
                timeout_s,
                "attribute_not_exists(#t) OR NOT contains(#t, :token)",
                names,
                none=[],
                tokens=[token],
                token=token,
                **given,
            )
        except RefusedError:
            return  # this token has written already
        if len(changed.get("sf_tokens", ())) > MOST_TOKENS:
            self._forget(where, item_key, len(changed["sf_tokens"]), until - self._api.clock.monotonic())

    def _forget(self, where: Table, item_key: str, count: int, timeout_s: float) -> None:
        """Leave the newer half of the tokens. That it fails is no reason to say that the row was not written."""
        old = ", ".join(f"#t[{number}]" for number in range(count - MOST_TOKENS // 2))
        try:
            where.update(item_key, f"REMOVE {old}", timeout_s, "size(#t) = :n", {"#t": "sf_tokens"}, n=count)
        except (RefusedError, ServiceError):
            return

    def put_secret(self, table: str, key: str, values: Mapping[str, Any], timeout_s: float) -> None:
        """Write the whole row under a secret key."""
        digest = self._digests.of_secret(table, key)
        row = {FIELD + name: value for name, value in values.items()}
        self._store.put(_secret(table, digest), {**row, "sf_digest": digest}, timeout_s)

    def claim(
        self, table: str, key: str, values: Mapping[str, Any], token: str, timeout_s: float, expires: int = 0
    ) -> bool:
        """Write the row under *key* if there is none. True for the token that wrote it. Your own tables keep it."""
        where, item_key, prefix = self._place(table, key)
        row = {prefix + name: value for name, value in values.items()}
        if expires and prefix:
            row[EXPIRES] = expires
        try:
            where.put(item_key, {**row, "sf_owner": token}, timeout_s, "attribute_not_exists(#key)")
        except RefusedError as refused:
            return bool(refused.item.get("sf_owner") == token)
        return True

    def remove(self, table: str, key: str, timeout_s: float) -> None:
        """Delete the row under *key*."""
        where, item_key, _ = self._place(table, key)
        where.delete(item_key, timeout_s)

    def remove_secret(self, table: str, key: str, timeout_s: float) -> None:
        """Delete the row under a secret key."""
        self._store.delete(_secret(table, self._digests.of_secret(table, key)), timeout_s)

    def _place(self, table: str, key: str) -> tuple[Table, str, str]:
        """The table, the key of the item in it, and what is written before the names of fields."""
        if not table.startswith(OWN):
            return self._store, f"row/{_part(table)}/{key}", FIELD
        if table not in self._tables:
            name, _, key_name = table.removeprefix(OWN).partition("/")
            self._tables[table] = Table(self._api, name, key_name or KEY)
        return self._tables[table], key, ""


def _secret(table: str, digest: str) -> str:
    return f"pin/{_part(table)}/{digest}"


def _part(table: str) -> str:
    """A table's name without the character that ends it."""
    return table.replace("%", "%25").replace("/", "%2F")


def _fields(item: Mapping[str, Any], prefix: str, key: str) -> dict[str, Any]:
    if prefix:
        return {name.removeprefix(prefix): value for name, value in item.items() if name.startswith(prefix)}
    return {name: value for name, value in item.items() if name != key and name not in _OURS}
