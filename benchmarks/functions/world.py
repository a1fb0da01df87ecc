"""Conferences in a table of DynamoDB, and the meetings of Amazon Chime SDK: what the dial-in call by hand needs."""

from __future__ import annotations

import hmac
import uuid
from typing import Any

TABLE = "conferences"


class World:
    """See `benchmarks.handwritten.World`."""

    def __init__(self, dynamodb: Any, meetings: Any) -> None:
        self._dynamodb = dynamodb
        self._meetings = meetings

    def verify_pin(self, conference: str, pin: str, caller: str) -> str:  # noqa: ARG002
        found = self._dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": conference}}).get("Item")
        if found is None or not hmac.compare_digest(found["pin"]["S"], pin):
            return "wrong"
        return "ok" if found["open"]["BOOL"] else "closed"

    def open_meeting(self, conference: str) -> str:
        made = self._meetings.create_meeting(
            ClientRequestToken=f"conference-{conference}", MediaRegion="us-east-1", ExternalMeetingId=conference
        )
        return str(made["Meeting"]["MeetingId"])

    def attend(self, meeting: str) -> tuple[str, str]:
        made = self._meetings.create_attendee(MeetingId=meeting, ExternalUserId=uuid.uuid4().hex)["Attendee"]
        return made["AttendeeId"], made["JoinToken"]

    def leave(self, meeting: str, attendee: str) -> None:
        self._meetings.delete_attendee(MeetingId=meeting, AttendeeId=attendee)
