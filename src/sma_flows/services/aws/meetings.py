"""Meetings of the Amazon Chime SDK, and seats in them.

ExternalUserId is the effect token. The service model calls it an idempotency token of CreateAttendee: the same event
that comes twice gets the same attendee.

A meeting's name gives its ClientRequestToken, so that callers who open it at the same moment get the same meeting. A
meeting ends with DeleteMeeting, after 24 hours, or after five minutes without anybody (contract 10.1); what
CreateMeeting says to the token of a meeting that is over is not documented. So the token is made of the name *and of
the meeting before*, which the directory keeps, and a meeting whose token may have been used before is looked at before
it is given away.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from sma_flows.errors import ServiceError
from sma_flows.services.aws.client import AwsError, text_at
from sma_flows.services.ports import Attendee

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sma_flows.services.aws.client import Api
    from sma_flows.services.ports import Directory

NAMES: Final = "sma-flows/meetings"
"""Table of the directory in which the newest meeting of each name is kept."""

OURS: Final = "sf-"
"""Start of the ExternalMeetingId of meetings that were opened by name: only these end with their last attendee."""

GENERATIONS: Final = 3
"""Most meetings that are tried under one name at one time."""

PAGE: Final = 100
"""Most attendees in one page of ListAttendees."""

GONE: Final = "NotFoundException"
BOTH: Final = "SendReceive"


class AwsMeetings:
    """See :class:`~sma_flows.services.ports.Meetings`. Without *names*, ``find`` and ``close`` fail."""

    def __init__(self, api: Api, names: Directory | None = None) -> None:
        self._api = api
        self._names = names

    def attend(self, meeting: str, token: str, now: float, timeout_s: float) -> Attendee:
        """Create an attendee; the same token gives the same one."""
        answer = self._api.call("create_attendee", timeout_s, MeetingId=meeting, ExternalUserId=token)
        seat = Attendee(text_at(answer, "Attendee", "AttendeeId"), text_at(answer, "Attendee", "JoinToken"))
        if not seat.id or not seat.join_token:
            raise ServiceError("create_attendee gave no join token")
        return seat

    def leave(self, meeting: str, attendee: str, now: float, timeout_s: float) -> None:
        """Delete an attendee; the last one of a meeting that was opened by name ends it.

        That the meeting is not ended is no failure: it ends by itself.
        """
        until = self._api.clock.monotonic() + timeout_s
        self._api.call("delete_attendee", timeout_s, gone=GONE, MeetingId=meeting, AttendeeId=attendee)
        try:
            self._end_if_empty(meeting, until)
        except ServiceError:
            return

    def _end_if_empty(self, meeting: str, until: float) -> None:
        left = until - self._api.clock.monotonic()
        if self._api.call("list_attendees", left, gone=GONE, MeetingId=meeting, MaxResults=1).get("Attendees") != []:
            return
        left = until - self._api.clock.monotonic()
        found = self._api.call("get_meeting", left, gone=GONE, MeetingId=meeting)
        if text_at(found, "Meeting", "ExternalMeetingId").startswith(OURS):
            left = until - self._api.clock.monotonic()
            self._api.call("delete_meeting", left, gone=GONE, MeetingId=meeting)

    def roster(self, meeting: str, timeout_s: float) -> Sequence[str]:
        """Ids of the attendees of a meeting."""
        until = self._api.clock.monotonic() + timeout_s
        found: list[str] = []
        more: dict[str, Any] = {}
        while True:
            left = until - self._api.clock.monotonic()
            page = self._api.call("list_attendees", left, MeetingId=meeting, MaxResults=PAGE, **more)
            if not isinstance(page.get("Attendees"), list):
                raise ServiceError("list_attendees gave no list")
            found += [each for one in page["Attendees"] if (each := text_at(one, "AttendeeId"))]
            if not text_at(page, "NextToken"):
                return tuple(found)
            more = {"NextToken": page["NextToken"]}

    def mute(self, meeting: str, attendee: str, muted: bool, timeout_s: float) -> None:
        """Take away or give back the right to be heard; picture and content stay as they are."""
        until = self._api.clock.monotonic() + timeout_s
        found = self._api.call("get_attendee", timeout_s, gone=GONE, MeetingId=meeting, AttendeeId=attendee)
        if not found:
            return
        may = {kind: text_at(found, "Attendee", "Capabilities", kind) or BOTH for kind in ("Video", "Content")}
        may["Audio"] = "Receive" if muted else BOTH
        left = until - self._api.clock.monotonic()
        self._api.call(
            "update_attendee_capabilities", left, gone=GONE, MeetingId=meeting, AttendeeId=attendee, Capabilities=may
        )

    def open(self, name: str, region: str, now: float, timeout_s: float) -> str:
        """Id of the living meeting called *name*. *region* is its media region; empty: the client's."""
        until = self._api.clock.monotonic() + timeout_s
        before = self._known(name, until) if self._names is not None else ""
        if before and self._alive(before, until):
            return before
        fresh = bool(before)  # nobody has used a token that is made of a meeting which has just been found dead
        for _ in range(GENERATIONS):
            meeting = self._create(name, before, region or self._api.region, until)
            if meeting and meeting != before:
                if self._names is not None:  # first of all, so that it can be closed whatever happens next
                    left = until - self._api.clock.monotonic()
                    self._names.put(NAMES, name, {"meeting": meeting}, f"open.{meeting}", now, left)
                if fresh or self._alive(meeting, until):
                    return meeting
            before, fresh = meeting or f"{before}+", False
        raise ServiceError("create_meeting gave only meetings that have ended")

    def _create(self, name: str, before: str, region: str, until: float) -> str:
        """Id of the meeting with the token of *name* and *before*; empty when the service will not have that token."""
        token = sha256(f"{name}\x1f{before}".encode() if before else name.encode()).hexdigest()[:32]
        try:
            answer = self._api.call(
                "create_meeting",
                until - self._api.clock.monotonic(),
                ClientRequestToken=token,
                ExternalMeetingId=OURS + token,
                MediaRegion=region,
            )
        except AwsError as error:
            if error.code != "ConflictException":
                raise
            return ""
        meeting = text_at(answer, "Meeting", "MeetingId")
        if not meeting:
            raise ServiceError("create_meeting gave no meeting")
        return meeting

    def find(self, name: str, now: float, timeout_s: float) -> str | None:
        """Id of the meeting that was opened as *name*, if it has not ended."""
        until = self._api.clock.monotonic() + timeout_s
        meeting = self._known(name, until)
        return meeting if meeting and self._alive(meeting, until) else None

    def close(self, name: str, now: float, timeout_s: float) -> None:
        """End the meeting that was opened as *name*."""
        until = self._api.clock.monotonic() + timeout_s
        meeting = self._known(name, until)
        if meeting:
            self._api.call("delete_meeting", until - self._api.clock.monotonic(), gone=GONE, MeetingId=meeting)

    def show(self, meeting: str, timeout_s: float) -> Mapping[str, Any]:
        """The meeting as GetMeeting shows it: with the addresses that a client connects to."""
        found = self._api.call("get_meeting", timeout_s, MeetingId=meeting).get("Meeting")
        if not isinstance(found, dict) or not text_at(found, "MeetingId"):
            raise ServiceError("get_meeting gave no meeting")
        return found

    def _alive(self, meeting: str, until: float) -> bool:
        try:
            found = self._api.call("get_meeting", until - self._api.clock.monotonic(), MeetingId=meeting)
        except AwsError as error:
            if error.code == GONE:
                return False
            raise
        if not text_at(found, "Meeting", "MeetingId"):  # an answer like that is no reason to make another one
            raise ServiceError("get_meeting gave no meeting")
        return True

    def _known(self, name: str, until: float) -> str:
        if self._names is None:
            raise ServiceError("no store keeps the names of meetings")
        row = self._names.find(NAMES, name, until - self._api.clock.monotonic())
        return str(row.get("meeting") or "") if row else ""


def meeting_arn(api: Api, meeting: str, timeout_s: float) -> str:
    """The ARN of a meeting, asked from the service: its form is not documented well enough to be put together."""
    arn = text_at(api.call("get_meeting", timeout_s, MeetingId=meeting), "Meeting", "MeetingArn")
    if not arn:
        raise ServiceError("get_meeting gave no ARN")
    return arn
