"""The simulated meetings as the port that a flow has for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from sma_flows.errors import ServiceError
from sma_flows.protocol.ids import digest
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.local.meetings import LocalMeetings
from sma_flows.services.ports import Attendee
from sma_flows.simulator.exchange import Exchange
from sma_flows.simulator.meetings import Meetings, Wanted
from sma_flows.simulator.refused import RefusedError

__all__ = ["SimulatedMeetings", "of_exchange", "with_meetings"]

T = TypeVar("T")


class SimulatedMeetings:
    """See :class:`~sma_flows.services.ports.Meetings`: what a flow asks of them is done with the simulated ones.

    As with the local stand-in, a meeting that nobody has made here counts as open: it is made when somebody attends.
    *now_ms* is the clock of the meetings; *moment* holds everything else still while something is done with them.
    """

    def __init__(
        self,
        meetings: Meetings,
        now_ms: Callable[[], int],
        *,
        region: str = "us-east-1",
        moment: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._meetings = meetings
        self._now_ms = now_ms
        self._region = region
        self._moment = moment
        self._names: dict[str, str] = {}

    def _do(self, what: Callable[[int], T]) -> T:
        try:
            with self._moment():
                return what(self._now_ms())
        except RefusedError as why:
            raise ServiceError(f"the meeting service says {why.error}") from None

    def attend(self, meeting: str, token: str, now: float, timeout_s: float) -> Attendee:  # noqa: ARG002 - own clock
        """Create an attendee whose external id is *token*."""

        def add(now_ms: int) -> Attendee:
            self._meetings.adopt(meeting, now_ms)
            made = self._meetings.add(meeting, Wanted(token), now_ms)
            return Attendee(made.id, made.token)

        return self._do(add)

    def leave(self, meeting: str, attendee: str, now: float, timeout_s: float) -> None:  # noqa: ARG002
        """Delete an attendee, and with the last one a meeting that was opened by name."""

        def remove(now_ms: int) -> None:
            if attendee in self._meetings.roster(meeting, now_ms):
                self._meetings.remove(meeting, attendee, now_ms)
                if meeting in self._names.values() and not self._meetings.roster(meeting, now_ms):
                    self._meetings.delete(meeting, now_ms)

        self._do(remove)

    def roster(self, meeting: str, timeout_s: float) -> Sequence[str]:  # noqa: ARG002
        """Ids of the attendees, in the order in which they came; nobody in a meeting that is over or elsewhere."""
        return self._do(lambda now: self._meetings.roster(meeting, now))

    def mute(self, meeting: str, attendee: str, muted: bool, timeout_s: float) -> None:  # noqa: ARG002
        """Let an attendee only hear, or speak again; one that is gone already is a success."""

        def grant(now_ms: int) -> None:
            if attendee in self._meetings.roster(meeting, now_ms):
                may = self._meetings.attendee(meeting, attendee, now_ms).capabilities
                self._meetings.grant(meeting, attendee, {**may, "Audio": "Receive" if muted else "SendReceive"}, now_ms)

        self._do(grant)

    def open(self, name: str, region: str, now: float, timeout_s: float) -> str:
        """Id of the living meeting called *name*, made if there is none."""
        known = self.find(name, now, timeout_s)
        if known is not None:
            return known
        before = self._names.get(name)
        token = digest(name, before)[:32] if before else name  # a token belongs to one meeting, also when it is over
        made = self._do(lambda now_ms: self._meetings.create(token, name, region or self._region, now_ms))
        self._names[name] = made.id
        return made.id

    def find(self, name: str, now: float, timeout_s: float) -> str | None:  # noqa: ARG002
        """Id of the living meeting called *name*."""
        living = self._do(lambda now: {one.id for one in self._meetings.living(now)})
        known = self._names.get(name)
        return known if known in living else None

    def close(self, name: str, now: float, timeout_s: float) -> None:
        """End the meeting called *name*; none of that name is a success."""
        known = self.find(name, now, timeout_s)
        if known is not None:
            self._do(lambda now: self._meetings.delete(known, now))

    def show(self, meeting: str, timeout_s: float) -> Mapping[str, Any]:  # noqa: ARG002
        """The meeting without any addresses."""
        made = self._do(lambda now: self._meetings.get(meeting, now))
        return {"MeetingId": made.id, "ExternalMeetingId": made.external, "MediaRegion": made.region}


def with_meetings(services: LocalServices, meetings: SimulatedMeetings) -> LocalServices:
    """The services of a flow with these meetings, unless it needs none or has them elsewhere (AWS)."""
    if isinstance(services.ports.meetings, LocalMeetings):
        services.ports = services.ports._replace(meetings=meetings)
    return services


def of_exchange(exchange: Exchange) -> SimulatedMeetings:
    """The meetings of an exchange."""
    return SimulatedMeetings(
        exchange.meetings, exchange.clock.now_ms, region=exchange.base.region, moment=exchange.together
    )
