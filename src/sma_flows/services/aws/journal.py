"""The journal of overlapping answers in DynamoDB: one conditional write for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sma_flows.errors import ServiceError
from sma_flows.services.aws.table import RefusedError
from sma_flows.services.ports import KEPT_S

if TYPE_CHECKING:
    from sma_flows.services.aws.table import Table

_NEWER: Final = "attribute_not_exists(#key) OR n < :n OR expires <= :now"
"""No entry, an older one, or one that DynamoDB has not come to delete."""


class DynamoJournal:
    """See :class:`~sma_flows.services.ports.JournalStore`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def write(self, call: str, n: int, entry: str, now: float, timeout_s: float) -> str | None:
        """Keep *entry*, unless one with the same or a higher *n* is there.

        A write whose answer was lost and that is made again finds its own entry: the event is recognised in it.
        """
        item = {"n": n, "entry": entry, "expires": int(now + KEPT_S)}
        try:
            self._table.put(f"journal/{call}", item, timeout_s, _NEWER, n=n, now=now)
        except RefusedError as refused:
            if "entry" not in refused.item:
                raise ServiceError("the newest entry of the journal is gone") from None
            return str(refused.item["entry"])
        return None

    def read(self, call: str, now: float, timeout_s: float) -> str | None:
        """The newest entry of *call*."""
        found = self._table.get(f"journal/{call}", timeout_s)
        return str(found["entry"]) if found is not None and now < found.get("expires", 0) else None
