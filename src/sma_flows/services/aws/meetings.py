"""Seats in meetings of the Amazon Chime SDK.

Only imported where ``SMA_FLOWS_MEETINGS`` is ``aws``; the clients are made once, when the function starts, because an
init phase has a whole processor and a caller with a typed PIN has none to spare.

botocore waits 60 seconds and tries again by itself; a call flow cannot (decision 19). So a client connects within
half a second, tries once, and reads no longer than the time that is left: one client for each step of
:data:`READ_STEPS_S`, since botocore fixes the time when a client is made (a further client of the same service costs
3 ms, measured). A second attempt is ours, and only while time is left. What AWS answers is mapped to
:class:`~sma_flows.errors.ServiceError`, with the error's code and never its text.

ExternalUserId is the effect token. The service model calls it an idempotency token of CreateAttendee: the same event
that comes twice gets the same attendee.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from sma_flows.errors import ServiceError
from sma_flows.services.ports import Attendee

if TYPE_CHECKING:
    from sma_flows.services.ports import Directory

CONNECT_S: Final = 0.5
READ_STEPS_S: Final = (2.0, 1.5, 1.0, 0.7, 0.4, 0.2)
"""Read time-outs, longest first."""

ATTEMPTS: Final = 2
"""Most attempts of one operation; none of these is of class ``once``."""

LEAST_S: Final = 0.15
"""Less time than this is not worth a request."""

TRY_AGAIN: Final = frozenset({"ThrottlingException", "ServiceUnavailableException", "ServiceFailureException"})
"""Answers that another attempt may turn into a better one. Common errors of chime-sdk-meetings."""

NAMES: Final = "sma-flows/meetings"
"""Table of the directory in which ids are kept by name."""

PAGE: Final = 100
"""Most attendees in one page of ListAttendees."""


class AwsMeetings:
    """See :class:`~sma_flows.services.ports.Meetings`.

    A meeting's name is its ClientRequestToken: opening the same name again gives the same meeting while it lives. The
    service finds no meeting by its name, so ids are kept in *names*; without it, ``find`` and ``close`` fail.
    """

    def __init__(
        self,
        clients: Mapping[float, Any],
        names: Directory | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clients = dict(sorted(clients.items(), reverse=True))
        self._names = names
        self._monotonic = monotonic

    @classmethod
    def from_env(cls, env: Mapping[str, str], names: Directory | None = None) -> AwsMeetings:
        """Clients for the region of the environment, made now."""
        session = boto3.session.Session(region_name=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or None)
        make = session.client
        return cls({step: make("chime-sdk-meetings", config=client_config(step)) for step in READ_STEPS_S}, names)

    def attend(self, meeting: str, token: str, timeout_s: float) -> Attendee:
        """Create an attendee; the same token gives the same one."""
        answer = self._call("create_attendee", timeout_s, MeetingId=meeting, ExternalUserId=token)
        seat = answer.get("Attendee", {})
        if not seat.get("AttendeeId") or not seat.get("JoinToken"):
            raise ServiceError("create_attendee gave no join token")
        return Attendee(seat["AttendeeId"], seat["JoinToken"])

    def leave(self, meeting: str, attendee: str, timeout_s: float) -> None:
        """Delete an attendee; one that is gone already, or whose meeting is, is a success."""
        self._call("delete_attendee", timeout_s, gone={}, MeetingId=meeting, AttendeeId=attendee)

    def roster(self, meeting: str, timeout_s: float) -> Sequence[str]:
        """Ids of the attendees of a meeting."""
        until = self._monotonic() + timeout_s
        found: list[str] = []
        more: dict[str, Any] = {}
        while True:
            left = until - self._monotonic()
            page = self._call("list_attendees", left, MeetingId=meeting, MaxResults=PAGE, **more)
            found += [attendee["AttendeeId"] for attendee in page.get("Attendees", ())]
            if not page.get("NextToken"):
                return tuple(found)
            more = {"NextToken": page["NextToken"]}

    def open(self, name: str, region: str, timeout_s: float) -> str:
        """Id of the meeting called *name*, made if there is none. *region* is its media region; empty: the clients'."""
        until = self._monotonic() + timeout_s
        region = region or next(iter(self._clients.values())).meta.region_name
        token = sha256(name.encode()).hexdigest()[:32]
        answer = self._call(
            "create_meeting", timeout_s, ClientRequestToken=token, ExternalMeetingId=token, MediaRegion=region
        )
        meeting = answer.get("Meeting", {}).get("MeetingId")
        if not meeting:
            raise ServiceError("create_meeting gave no meeting")
        if self._names is not None:
            left = max(until - self._monotonic(), 0.0)
            self._names.put(NAMES, name, {"meeting": meeting}, f"open.{meeting}", time.time(), left)
        return str(meeting)

    def find(self, name: str, timeout_s: float) -> str | None:
        """Id of the meeting that was opened as *name*, if it has not ended."""
        until = self._monotonic() + timeout_s
        meeting = self._known(name, timeout_s)
        if meeting is None:
            return None
        answer = self._call("get_meeting", until - self._monotonic(), gone={}, MeetingId=meeting)
        return meeting if answer.get("Meeting") else None

    def close(self, name: str, timeout_s: float) -> None:
        """End the meeting that was opened as *name*."""
        until = self._monotonic() + timeout_s
        meeting = self._known(name, timeout_s)
        if meeting is not None:
            self._call("delete_meeting", until - self._monotonic(), gone={}, MeetingId=meeting)

    def _known(self, name: str, timeout_s: float) -> str | None:
        if self._names is None:
            raise ServiceError("no store keeps the names of meetings")
        row = self._names.find(NAMES, name, timeout_s)
        return str(row["meeting"]) if row else None

    def _call(
        self, operation: str, timeout_s: float, gone: dict[str, Any] | None = None, **values: Any
    ) -> dict[str, Any]:
        """One operation within *timeout_s*. *gone* is the answer where "not found" is a success."""
        until = self._monotonic() + timeout_s
        reason = "no time left"
        for _ in range(ATTEMPTS):
            client = self._client(until - self._monotonic())
            if client is None:
                break
            try:
                answer: dict[str, Any] = getattr(client, operation)(**values)
                return answer
            except ClientError as error:
                reason = str(error.response.get("Error", {}).get("Code", "unknown"))
                if reason == "NotFoundException" and gone is not None:
                    return gone
                if reason not in TRY_AGAIN:
                    break
            except BotoCoreError as error:
                reason = type(error).__name__
        raise ServiceError(f"{operation}: {reason}")

    def _client(self, left: float) -> Any | None:
        """The client with the longest read time-out that fits; the shortest one if at least an attempt is possible."""
        if left < LEAST_S:
            return None
        return next(
            (client for step, client in self._clients.items() if step <= left), list(self._clients.values())[-1]
        )


def client_config(read_s: float) -> Config:
    """Settings of a client: quick to connect, one attempt, reads for *read_s* seconds."""
    return Config(connect_timeout=CONNECT_S, read_timeout=read_s, retries={"total_max_attempts": 1, "mode": "standard"})
