"""Media pipelines: recordings of a meeting, streams of it to somewhere else, recordings put together.

Without a clock: times are milliseconds of any one clock. A pipeline of a meeting stops when the meeting ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sma_flows.protocol import limits
from sma_flows.protocol.ids import like_uuid
from sma_flows.simulator.refused import RefusedError

__all__ = ["Kind", "Pipeline", "Pipelines"]

Kind = Literal["capture", "live_connector", "concatenation"]

STARTS_MS: Final = 3_000
"""How long a pipeline takes to start here."""


MORE_PIPELINES: Final = {"us-east-1": 100}
"""Regions in which more media pipelines may run at the same time. Quotas."""


@dataclass(slots=True)
class Pipeline:
    """One pipeline. ``source`` is the ARN of a meeting, or of a capture pipeline; ``values`` are those of the request.

    ``stopped_ms``: when its meeting ended; None: it goes on.
    """

    id: str
    arn: str
    kind: Kind
    source: str
    values: Mapping[str, Any]
    made_ms: int
    stopped_ms: int | None = None

    def status(self, now_ms: int) -> str:
        """``Initializing``, ``InProgress`` or ``Stopped``."""
        if self.stopped_ms is not None:
            return "Stopped"
        return "Initializing" if now_ms < self.made_ms + STARTS_MS else "InProgress"


class Pipelines:
    """All pipelines of one account and region.

    *lives* says whether the meeting with an id is going on. Every question ends the pipelines whose meetings are over.
    """

    def __init__(
        self, lives: Callable[[str, int], bool], *, account: str = "111122223333", region: str = "us-east-1"
    ) -> None:
        self.account, self.region = account, region
        self.most = MORE_PIPELINES.get(region, limits.MAX_PIPELINES)
        self._lives = lives
        self._pipelines: dict[str, Pipeline] = {}
        self._tokens: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self._made = 0

    def create(self, kind: Kind, source: str, values: Mapping[str, Any], now_ms: int, token: str = "") -> Pipeline:
        """A pipeline, or the one that was made with this request token.

        Raises:
            RefusedError: BadRequestException: the meeting is over or not of this account, the capture pipeline does not
                exist (inferred), or the token was used with other values; ResourceLimitExceededException: too many.
        """
        self._stop_what_is_over(now_ms)
        known = self._tokens.get(token) if token else None
        if known is not None and known[0] in self._pipelines:
            if known[1] != values:
                raise RefusedError("BadRequestException", "The request token was used with other values.")
            return self._pipelines[known[0]]
        if kind == "concatenation":
            if not any(one.arn == source and one.kind == "capture" for one in self._pipelines.values()):
                raise RefusedError("BadRequestException", "There is no such capture pipeline.")
        elif not self._alive(source, now_ms):
            raise RefusedError("BadRequestException", "There is no such meeting, or it has ended.")
        if sum(one.stopped_ms is None for one in self._pipelines.values()) >= self.most:
            raise RefusedError("ResourceLimitExceededException", f"The account has {self.most} pipelines already.")
        self._made += 1
        ident = like_uuid("pipeline", self.account, self.region, str(self._made))
        arn = f"arn:aws:chime:{self.region}:{self.account}:media-pipeline/{ident}"
        made = Pipeline(ident, arn, kind, source, values, now_ms)
        self._pipelines[ident] = made
        if token:
            self._tokens[token] = (ident, values)
        return made

    def get(self, ident: str, now_ms: int, kind: Kind | None = None) -> Pipeline:
        """A pipeline (of this kind).

        Raises:
            RefusedError: NotFoundException.
        """
        self._stop_what_is_over(now_ms)
        found = self._pipelines.get(ident.lower())
        if found is None or kind not in (None, found.kind):
            raise RefusedError("NotFoundException", f"There is no media pipeline {ident}.")
        return found

    def delete(self, ident: str, now_ms: int, kind: Kind | None = None) -> None:
        """Stop a pipeline and forget it.

        Raises:
            RefusedError: NotFoundException.
        """
        del self._pipelines[self.get(ident, now_ms, kind).id]

    def all(self, now_ms: int) -> Sequence[Pipeline]:
        """All pipelines, the oldest first."""
        self._stop_what_is_over(now_ms)
        return tuple(self._pipelines.values())

    def _alive(self, source: str, now_ms: int) -> bool:
        prefix = f"arn:aws:chime:{self.region}:{self.account}:meeting/"
        return source.startswith(prefix) and self._lives(source.removeprefix(prefix), now_ms)

    def _stop_what_is_over(self, now_ms: int) -> None:
        for one in self._pipelines.values():
            if one.stopped_ms is None and one.kind != "concatenation" and not self._alive(one.source, now_ms):
                one.stopped_ms = now_ms
