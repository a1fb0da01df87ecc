"""Memo records in DynamoDB: what keeps an effect of class ``once`` from happening twice (decision 18)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from sma_flows.services.aws.table import RefusedError
from sma_flows.services.ports import KEPT_S, Memo

if TYPE_CHECKING:
    from sma_flows.services.aws.table import Table

_FREE: Final = "attribute_not_exists(#key) OR expires <= :now"
"""No record, or one that DynamoDB has not come to delete."""


class DynamoMemo:
    """See :class:`~sma_flows.services.ports.MemoStore`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def begin(self, token: str, lease_s: float, now: float, timeout_s: float) -> Memo:
        """Open the record of *token*, or say what is in it.

        The record names this attempt: a write whose answer was lost and that is made again is still ours.
        """
        me = uuid.uuid4().hex
        record = {"lease": now + lease_s, "by": me, "expires": int(now + KEPT_S)}
        try:
            self._table.put(f"memo/{token}", record, timeout_s, _FREE, now=now)
        except RefusedError as refused:
            found = refused.item
        else:
            return Memo("run")
        if found.get("by") == me:
            return Memo("run")
        if "reply" in found:
            return Memo("reply", str(found["reply"]))
        return Memo("wait" if now < found.get("lease", 0) else "lost")

    def look(self, token: str, now: float, timeout_s: float) -> Memo:
        """What is in the record of *token*; ``lost`` if there is none any more."""
        found = self._table.get(f"memo/{token}", timeout_s) or {}
        if "reply" in found:
            return Memo("reply", str(found["reply"]))
        return Memo("wait" if now < found.get("lease", 0) else "lost")

    def finish(self, token: str, reply: str, now: float, timeout_s: float) -> None:
        """Write what came of the effect."""
        self._table.update(
            f"memo/{token}", "SET reply = :reply, expires = :expires", timeout_s, reply=reply, expires=int(now + KEPT_S)
        )

    def end(self, call: str, now: float, timeout_s: float) -> None:
        """Note that the call is over."""
        self._table.put(f"ended/{call}", {"expires": int(now + KEPT_S)}, timeout_s)

    def ended(self, call: str, now: float, timeout_s: float) -> bool:
        """Whether the call is over."""
        found = self._table.get(f"ended/{call}", timeout_s)
        return found is not None and bool(now < found.get("expires", 0))
