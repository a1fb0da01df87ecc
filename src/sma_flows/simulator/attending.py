"""A call and the meetings it joins: who may come in, who is a member, who has left.

The network is pure and knows no meeting. A driver that has meetings shows it the part that matters in this moment:
which of the tokens that could be used next are no good (rule 49), and who is in the meeting of the call (rule 51).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from sma_flows.simulator.jsontext import loads
from sma_flows.simulator.legs import JOIN_TOKEN, MEETING_ID
from sma_flows.simulator.meetings import Meetings
from sma_flows.simulator.messages import Answer, Dials, HangUp, Input, MeetingEnds, Output
from sma_flows.simulator.model import Leg, Network, World

__all__ = ["Attending", "Seat", "seat_of", "thrown_out"]

_JOIN = "JoinChimeMeeting"


class Seat(NamedTuple):
    """A place in a meeting: its id and a join token."""

    meeting: str
    token: str


class Attending:
    """What :class:`~sma_flows.simulator.driver.Phone` needs to know of meetings, for one call called *name*.

    *now_ms* is the clock of the meetings. Connections are called ``NAME LEG-A`` or ``NAME LEG-B``; when the meetings
    drop one (:meth:`Meetings.dropped`), :func:`thrown_out` is what happens to the call. A meeting of which *meetings*
    has never heard does not exist, or without *strict* it is somewhere else: every token opens it.
    """

    def __init__(self, meetings: Meetings, name: str, now_ms: Callable[[], int], *, strict: bool = True) -> None:
        self.meetings = meetings
        self.name = name
        self.now_ms = now_ms
        self._strict = strict

    def world(self, network: Network, event: Input) -> World:
        """The world of the network, with the tokens and members of this moment."""
        world, now = network.world, self.now_ms()
        dead = frozenset(
            seat.token
            for seat in _seats(network, event)
            if seat.token in world.dead_tokens
            or (self._here(seat.meeting) and not self.meetings.admits(seat.meeting, seat.token, now))
        )
        members, (kind, _, meeting) = world.attendees, network.joined.partition(" ")
        if kind == "meeting" and self._here(meeting):
            members = self.meetings.members(meeting, now)
        if dead or members is not world.attendees:
            world = replace(world, dead_tokens=dead or world.dead_tokens, attendees=members)
        return world

    def moved(self, before: Network, after: Network) -> None:
        """Tell the meetings who has joined and who has left."""
        if before.legs is after.legs:
            return
        was, now = _taken(before), _taken(after)
        for tag, seat in was.items():
            if now.get(tag) != seat:
                self.meetings.leave(*seat, f"{self.name} {tag}", self.now_ms())
        for tag, seat in now.items():
            if was.get(tag) == seat or not self._here(seat.meeting):
                continue
            if self.meetings.admits(*seat, self.now_ms()):
                self.meetings.join(*seat, f"{self.name} {tag}", self.now_ms())
            else:  # the meeting has ended while the leg was joining
                self.meetings.drop(f"{self.name} {tag}")

    def _here(self, meeting: str) -> bool:
        return self._strict or self.meetings.knows(meeting)

    def takes(self, output: Output) -> bool:  # noqa: ARG002 - nothing: meetings call nobody
        """See :class:`~sma_flows.simulator.driver.Around`."""
        return False

    def answers(self, dials: Dials, network: Network) -> bool:
        """Whether a leg that dials the number of the meetings is let in: its headers name a seat that is free."""
        leg = network.leg(dials.leg)
        seat = seat_of(leg) if leg is not None else None
        return seat is not None and self.meetings.admits(*seat, self.now_ms())


def seat_of(leg: Leg) -> Seat | None:
    """The seat that a leg takes when it is connected: its two headers say so, which the service keeps to itself."""
    headers = {name.lower(): value for name, value in leg.headers}
    meeting, token = headers.get(MEETING_ID.lower()), headers.get(JOIN_TOKEN.lower())
    return Seat(meeting, token) if meeting and token else None


def thrown_out(connection: str, network: Network) -> Input | None:
    """What happens to a call whose connection was dropped (rule 65); None: that leg has left already."""
    tag = connection.rpartition(" ")[2]
    leg = network.leg(tag)
    if leg is None or not leg.connected:
        return None
    return MeetingEnds() if tag == "LEG-B" else HangUp(tag)


def _taken(network: Network) -> dict[str, Seat]:
    seats = ((leg.tag, seat_of(leg)) for leg in network.legs if leg.connected)
    return {tag: seat for tag, seat in seats if seat is not None}


def _seats(network: Network, event: Input) -> Iterator[Seat]:
    """The seats that an action could take next: those of all lists that the service has or is being given."""
    for sent in (*network.rest, *network.next_list):
        if sent.type == _JOIN:
            yield _seat(sent.parameters())
    bodies = [body for _, body in network.held]
    if isinstance(event, Answer):
        bodies.append(event.body)
    for body in bodies:
        if _JOIN in body:
            yield from (_seat(params) for params in _joins(body))


def _seat(params: Mapping[str, Any]) -> Seat:
    return Seat(str(params.get("MeetingId") or ""), str(params.get("JoinToken") or ""))


def _joins(body: str) -> Iterator[Mapping[str, Any]]:
    try:
        actions = loads(body).get("Actions") or ()
        for action in actions:
            if action.get("Type") == _JOIN and isinstance(action.get("Parameters"), dict):
                yield action["Parameters"]
    except (ValueError, AttributeError, TypeError):
        return  # not an answer at all: the network says so (rule 1)
