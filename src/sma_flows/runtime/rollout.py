"""Which revision a new call gets while a new one is being rolled out (decision 35).

A plan may hold a *candidate* beside the current revision of a flow. How many new calls it gets stands in the
environment value ``SMA_FLOWS_ROLLOUT``: ``front-desk:5c0f12ab34cd=10 dial-in:9e1f00aa77bb=0.5``, in percent. Reading it
costs nothing on the live path. A call is dealt to one of :data:`BUCKETS` buckets by a hash of its transaction id, so
the same event gives the same answer, and a call that the candidate got at 10 percent it also gets at 20. Only the first
event asks; from then on the revision stands in the saved call.

Whatever is wrong with the value, callers get the current revision.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from sma_flows.plan import Plan

ROLLOUT: Final = "SMA_FLOWS_ROLLOUT"
BUCKETS: Final = 10_000
"""A bucket is a hundredth of a percent of all calls."""

_SHARE: Final = r"(?P<flow>[^\s:=,]+):(?P<revision>[0-9a-f]{12})=(?P<percent>\d{1,3}(?:\.\d{1,2})?)"


class Share(NamedTuple):
    """How many buckets of a flow's new calls a candidate gets."""

    flow: str
    revision: str
    buckets: int

    @property
    def percent(self) -> float:
        """The same in percent."""
        return self.buckets * 100 / BUCKETS

    def __str__(self) -> str:
        return f"{self.flow}:{self.revision}={self.percent:g}"


def bucket_of(transaction: str) -> int:
    """The bucket of a call, 0 to :data:`BUCKETS` - 1; transaction ids spread evenly."""
    from hashlib import sha256  # here: only functions with a share pay for it

    return int.from_bytes(sha256(transaction.encode("utf-8", "surrogatepass")).digest()[:8]) * BUCKETS >> 64


def read_shares(text: str) -> tuple[list[Share], list[str]]:
    """The shares that *text* holds, and what in it cannot be read. The last word about a flow counts."""
    shares: dict[str, Share] = {}
    wrong = []
    for word in text.replace(",", " ").split():
        found = re.fullmatch(_SHARE, word)
        buckets = round(float(found["percent"]) * BUCKETS / 100) if found else BUCKETS + 1
        if found is None or buckets > BUCKETS:
            wrong.append(word)
        else:
            shares[found["flow"]] = Share(found["flow"], found["revision"], buckets)
    return list(shares.values()), wrong


class Rollout:
    """The shares of a plan's candidates."""

    __slots__ = ("_shares", "warnings")

    def __init__(self, plan: Plan, text: str) -> None:
        shares, wrong = read_shares(text)
        self.warnings = [f"{ROLLOUT} cannot be read: '{word[:60]}'" for word in wrong]
        self._shares: dict[str, Share] = {}
        for share in shares:
            if plan.candidates.get(share.flow) == share.revision:
                self._shares[share.flow] = share
            elif plan.flows.get(share.flow) != share.revision:  # the current revision has all calls anyway
                self.warnings.append(f"{ROLLOUT} names {share}, which is no candidate of the plan")
        if self._shares:
            bucket_of("")  # what it needs is loaded now, and not while a caller waits

    def revision(self, flow: str, transaction: str, current: Mapping[str, str]) -> str | None:
        """The revision of *flow* for the new call *transaction*; None when there is no such flow."""
        share = self._shares.get(flow)
        if share is not None and bucket_of(transaction) < share.buckets:
            return share.revision
        return current.get(flow)
