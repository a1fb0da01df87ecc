"""Meetings and attendees as the meeting API keeps them, without a clock: every question brings the time along.

A meeting ends when it is deleted, after 24 hours, or after 5 minutes without a connected attendee (contract 10.1).
Times are milliseconds of any one clock. Ids are derived from request tokens and external ids: the same requests in the
same order give the same ids, and those of the stand-in in SQLite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sma_flows.protocol import limits
from sma_flows.protocol.ids import digest, like_uuid
from sma_flows.simulator.refused import RefusedError

__all__ = ["CAPABILITIES", "Attendee", "Meeting", "Meetings", "NotCreated", "Wanted"]

CAPABILITIES: Final = {"Audio": "SendReceive", "Video": "SendReceive", "Content": "SendReceive"}
"""What an attendee may do who was given nothing else."""

PAGE: Final = 100
"""Most attendees on one page of a list. Model, ListAttendees."""

_RECEIVES: Final = ("SendReceive", "Receive")


class Wanted(NamedTuple):
    """An attendee who shall be made: the caller's own id for them, and what they may do (None: everything)."""

    external: str
    capabilities: Mapping[str, str] | None = None


class NotCreated(NamedTuple):
    """An attendee of a batch who could not be made, and why."""

    external: str
    error: str
    message: str


@dataclass(slots=True)
class Attendee:
    """Somebody who may join. ``connection`` names who is in the meeting with this token; empty: nobody."""

    id: str
    external: str
    token: str = field(repr=False)
    capabilities: dict[str, str]
    place: int
    connection: str = ""


@dataclass(slots=True)
class Meeting:
    """A meeting that has not ended.

    ``details`` are further values of the request as they were given (MeetingFeatures, Tags ...). ``empty_since_ms`` is
    None while somebody is connected.
    """

    id: str
    token: str
    external: str
    region: str
    details: Mapping[str, Any]
    made_ms: int
    empty_since_ms: int | None
    attendees: dict[str, Attendee] = field(default_factory=dict)
    transcription: Mapping[str, Any] | None = None
    seats: int = 0

    @property
    def ends_ms(self) -> int:
        """When it ends by itself as things stand."""
        day = self.made_ms + 1000 * limits.MEETING_LIFE_S
        return day if self.empty_since_ms is None else min(day, self.empty_since_ms + 1000 * limits.MEETING_EMPTY_S)

    def resolution(self, kind: str) -> str:
        """``MaxResolution`` of Video or Content; empty when the request did not say."""
        return str(((self.details.get("MeetingFeatures") or {}).get(kind) or {}).get("MaxResolution") or "")

    @property
    def room(self) -> int:
        """Most attendees at the same time."""
        wanted = ((self.details.get("MeetingFeatures") or {}).get("Attendee") or {}).get("MaxCount")
        return min(int(wanted or limits.MAX_MEETING_ATTENDEES), limits.MAX_MEETING_ATTENDEES)


class Meetings:
    """All meetings of one account and region.

    *after_end* says what a request token does whose meeting has ended: ``new_meeting`` or ``error`` (switch
    ``same_meeting_token_after_end``). *quota* is the number of meetings at the same time.

    Every method takes ``now_ms``, and meetings that are over by then are gone before it looks.
    """

    def __init__(
        self,
        *,
        after_end: str = "new_meeting",
        quota: int = limits.MAX_MEETINGS,
    ) -> None:
        self.quota = quota
        self._after_end = after_end
        self._meetings: dict[str, Meeting] = {}
        self._by_token: dict[str, Meeting] = {}
        self._made: dict[tuple[str, ...], int] = {}
        self._dropped: list[str] = []
        self._own: set[str] = set()
        self._made_here: set[str] = set()
        self._watching: list[Callable[[str], None]] = []

    def watch(self, told: Callable[[str], None]) -> Callable[[], None]:
        """*told* gets the id of a meeting whenever somebody has come or gone, or it has ended. Gives what stops it.

        It is called in the middle of what happens, so it must only take note.
        """
        self._watching.append(told)
        return lambda: self._watching.remove(told)

    # -- meetings --------------------------------------------------------------------------------------------------

    def create(
        self, token: str, external: str, region: str, now_ms: int, details: Mapping[str, Any] | None = None
    ) -> Meeting:
        """The living meeting that was made with this request token, or a new one.

        Raises:
            RefusedError: ConflictException: the living meeting was made with other values (inferred), or the switch
                says ``error`` about a token whose meeting has ended. LimitExceededException: too many meetings.
        """
        self._end_what_is_over(now_ms)
        _not_reserved("ExternalMeetingId", external)
        given = dict(details or {})
        if (alive := self._by_token.get(token)) is not None:
            if (alive.external.lower(), alive.region, alive.details) != (external.lower(), region, given):
                raise RefusedError("ConflictException", "The request token was used for a meeting with other values.")
            return alive
        before = self._made.get((token,), 0)
        if before and self._after_end == "error":
            raise RefusedError("ConflictException", "The meeting of this request token has ended.")
        if len(self._meetings) >= self.quota:
            raise RefusedError("LimitExceededException", f"The account has {self.quota} meetings already.")
        self._made[(token,)] = before + 1
        ident = like_uuid("meeting", token, str(before))
        meeting = Meeting(ident, token, external, region, given, now_ms, now_ms)
        self._meetings[ident] = self._by_token[token] = meeting
        self._made_here.add(ident)
        self._own.add(ident)
        return meeting

    def adopt(self, meeting: str, now_ms: int) -> None:
        """A meeting with this id was made elsewhere and counts as open; one that was made here stays as it is."""
        self._end_what_is_over(now_ms)
        if meeting.lower() not in self._meetings and meeting.lower() not in self._made_here:
            self._own.add(meeting.lower())
            made = Meeting(meeting, f"adopted {meeting}", meeting, "", {}, now_ms, now_ms)
            self._meetings[meeting.lower()] = self._by_token[made.token] = made

    def knows(self, meeting: str) -> bool:
        """Whether a meeting with this id was made or adopted here, also if it is over."""
        return meeting.lower() in self._own

    def get(self, meeting: str, now_ms: int) -> Meeting:
        """A meeting that has not ended.

        Raises:
            RefusedError: NotFoundException.
        """
        self._end_what_is_over(now_ms)
        found = self._meetings.get(meeting.lower())
        if found is None:
            raise RefusedError("NotFoundException", f"There is no meeting {meeting}.")
        return found

    def delete(self, meeting: str, now_ms: int) -> None:
        """End a meeting: everybody in it is thrown out (rule 65).

        Raises:
            RefusedError: NotFoundException.
        """
        self._end(self.get(meeting, now_ms))

    def living(self, now_ms: int) -> Sequence[Meeting]:
        """The meetings that have not ended, in the order in which they were made."""
        self._end_what_is_over(now_ms)
        return tuple(self._meetings.values())

    # -- attendees -------------------------------------------------------------------------------------------------

    def add(self, meeting: str, wanted: Wanted, now_ms: int) -> Attendee:
        """The attendee with this external id, or a new one (the model calls ExternalUserId an idempotency token).

        Raises:
            RefusedError: NotFoundException: no such meeting. BadRequestException: capabilities that the meeting does
                not have, or that contradict each other. LimitExceededException: the meeting is full.
        """
        place = self.get(meeting, now_ms)
        _not_reserved("ExternalUserId", wanted.external)
        for attendee in place.attendees.values():
            if attendee.external == wanted.external:
                return attendee
        capabilities = _granted(place, wanted.capabilities)
        if len(place.attendees) >= place.room:
            raise RefusedError("LimitExceededException", f"The meeting has {place.room} attendees already.")
        name = (place.id, wanted.external)
        before = self._made.get(name, 0)
        self._made[name] = before + 1
        place.seats += 1
        again = (str(before),) if before else ()
        attendee = Attendee(
            like_uuid("attendee", *name, *again),
            wanted.external,
            digest("join", *name, *again),
            capabilities,
            place.seats,
        )
        place.attendees[attendee.id] = attendee
        return attendee

    def add_all(self, meeting: str, wanted: Sequence[Wanted], now_ms: int) -> tuple[list[Attendee], list[NotCreated]]:
        """Attendees of a batch: those who are there now, and those who could not be made.

        Raises:
            RefusedError: NotFoundException: no such meeting.
        """
        self.get(meeting, now_ms)
        made: list[Attendee] = []
        refused: list[NotCreated] = []
        for each in wanted:
            try:
                made.append(self.add(meeting, each, now_ms))
            except RefusedError as why:
                refused.append(NotCreated(each.external, why.error, why.message))
        return made, refused

    def attendee(self, meeting: str, attendee: str, now_ms: int) -> Attendee:
        """An attendee of a meeting that has not ended.

        Raises:
            RefusedError: NotFoundException.
        """
        found = self.get(meeting, now_ms).attendees.get(attendee.lower())
        if found is None:
            raise RefusedError("NotFoundException", f"The meeting has no attendee {attendee}.")
        return found

    def page(self, meeting: str, now_ms: int, after: str = "", most: int | None = None) -> tuple[list[Attendee], str]:
        """Attendees in the order in which they were made, from where the page token *after* says, and the next token.

        Raises:
            RefusedError: NotFoundException; BadRequestException: no token of ours.
        """
        place = self.get(meeting, now_ms)
        if after and not after.isdecimal():
            raise RefusedError("BadRequestException", "NextToken is invalid.")
        left = [each for each in place.attendees.values() if each.place > int(after or 0)]
        shown = left[: most or PAGE]
        return shown, str(shown[-1].place) if len(shown) < len(left) else ""

    def remove(self, meeting: str, attendee: str, now_ms: int) -> None:
        """Delete an attendee and the join token; who is in the meeting with it is thrown out (rule 65).

        Raises:
            RefusedError: NotFoundException.
        """
        gone = self.attendee(meeting, attendee, now_ms)
        place = self.get(meeting, now_ms)
        del place.attendees[gone.id]
        self._disconnect(place, gone, now_ms, thrown_out=True)

    def grant(self, meeting: str, attendee: str, capabilities: Mapping[str, str], now_ms: int) -> Attendee:
        """Change what an attendee may do.

        Raises:
            RefusedError: NotFoundException; BadRequestException as for :meth:`add`.
        """
        found = self.attendee(meeting, attendee, now_ms)
        found.capabilities = _granted(self.get(meeting, now_ms), capabilities)
        return found

    # -- transcription ---------------------------------------------------------------------------------------------

    def transcribe(self, meeting: str, configuration: Mapping[str, Any], now_ms: int) -> None:
        """Start the transcription.

        Raises:
            RefusedError: NotFoundException; UnprocessableEntityException: it is on already (inferred).
        """
        place = self.get(meeting, now_ms)
        if place.transcription is not None:
            raise RefusedError("UnprocessableEntityException", "The meeting is being transcribed already.")
        place.transcription = dict(configuration)

    def stop_transcribing(self, meeting: str, now_ms: int) -> None:
        """Stop the transcription.

        Raises:
            RefusedError: NotFoundException; UnprocessableEntityException: it is not on (inferred).
        """
        place = self.get(meeting, now_ms)
        if place.transcription is None:
            raise RefusedError("UnprocessableEntityException", "The meeting is not being transcribed.")
        place.transcription = None

    # -- being in a meeting ----------------------------------------------------------------------------------------

    def admits(self, meeting: str, token: str, now_ms: int) -> bool:
        """Whether somebody can join with this token now: it is valid (rule 49), and nobody is in with it (4.3)."""
        seat = self._seat(meeting, token, now_ms)
        return seat is not None and not seat[1].connection

    def members(self, meeting: str, now_ms: int) -> frozenset[str]:
        """Ids of the attendees of a meeting (rule 51); none when it has ended."""
        return frozenset(self.roster(meeting, now_ms))

    def roster(self, meeting: str, now_ms: int) -> tuple[str, ...]:
        """The same in the order in which they were made."""
        self._end_what_is_over(now_ms)
        place = self._meetings.get(meeting.lower())
        return tuple(place.attendees) if place is not None else ()

    def join(self, meeting: str, token: str, connection: str, now_ms: int) -> Attendee:
        """Somebody, called *connection*, is in the meeting from now on.

        Raises:
            RefusedError: BadRequestException: see :meth:`admits`.
        """
        seat = self._seat(meeting, token, now_ms)
        if seat is None or seat[1].connection:
            raise RefusedError("BadRequestException", "JoinToken parameter value is invalid.")
        place, attendee = seat
        attendee.connection, place.empty_since_ms = connection, None
        self._changed(place)
        return attendee

    def connection(self, meeting: str, token: str, now_ms: int) -> str | None:
        """Who is in the meeting with this token; empty: nobody; None: the token is no good."""
        seat = self._seat(meeting, token, now_ms)
        return seat[1].connection if seat is not None else None

    def leave(self, meeting: str, token: str, connection: str, now_ms: int) -> None:
        """*connection* has left. It was not in with this token: nothing."""
        seat = self._seat(meeting, token, now_ms)
        if seat is not None and seat[1].connection == connection:
            self._disconnect(*seat, now_ms, thrown_out=False)

    def dropped(self) -> list[str]:
        """The connections that were thrown out since the last question, by name, in order."""
        names, self._dropped = self._dropped, []
        return names

    def drop(self, connection: str) -> None:
        """Throw out somebody who has come too late."""
        self._dropped.append(connection)

    def next_drop_ms(self) -> int | None:
        """When the next meeting ends with somebody in it; None: never as things stand."""
        busy = [each.ends_ms for each in self._meetings.values() if each.empty_since_ms is None]
        return min(busy, default=None)

    def tick(self, now_ms: int) -> None:
        """End what is over by now."""
        self._end_what_is_over(now_ms)

    def _seat(self, meeting: str, token: str, now_ms: int) -> tuple[Meeting, Attendee] | None:
        self._end_what_is_over(now_ms)
        place = self._meetings.get(meeting.lower())
        if place is None:
            return None
        return next(((place, each) for each in place.attendees.values() if each.token == token), None)

    def _disconnect(self, place: Meeting, attendee: Attendee, now_ms: int, *, thrown_out: bool) -> None:
        if not attendee.connection:
            return
        if thrown_out:
            self._dropped.append(attendee.connection)
        attendee.connection = ""
        if not any(each.connection for each in place.attendees.values()):
            place.empty_since_ms = now_ms
        self._changed(place)

    def _end_what_is_over(self, now_ms: int) -> None:
        for meeting in [each for each in self._meetings.values() if each.ends_ms <= now_ms]:
            self._end(meeting)

    def _end(self, meeting: Meeting) -> None:
        del self._meetings[meeting.id.lower()], self._by_token[meeting.token]
        self._dropped += [each.connection for each in meeting.attendees.values() if each.connection]
        self._changed(meeting)

    def _changed(self, meeting: Meeting) -> None:
        for told in tuple(self._watching):
            told(meeting.id)


def _not_reserved(name: str, value: str) -> None:
    if value.lower().startswith("aws:"):
        raise RefusedError("BadRequestException", f"{name}: values that begin with aws: are reserved.")


def _granted(meeting: Meeting, wanted: Mapping[str, str] | None) -> dict[str, str]:
    """What an attendee may do in this meeting (model, text of AttendeeCapabilities)."""
    no_video, no_content = (meeting.resolution(kind) == "None" for kind in ("Video", "Content"))
    if wanted is None:
        default = dict(CAPABILITIES)
        if no_content:
            default["Content"] = "None"
        if no_video:
            default["Video"] = "None" if no_content else "Receive"
        return default
    granted = {name: wanted[name] for name in CAPABILITIES}
    for kind, off in (("Video", no_video), ("Content", no_content)):
        if off and granted[kind] != "None":
            raise RefusedError("BadRequestException", f"The meeting has no {kind}.")
    if granted["Content"] in _RECEIVES and granted["Video"] not in _RECEIVES:
        raise RefusedError("BadRequestException", "Content can be received only together with Video.")
    return granted
