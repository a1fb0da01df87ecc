"""What the API takes and gives, as it stands in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CallState", "Created", "Keys", "NewCall", "Problem", "Seat"]


_CONTROL = r"\x00-\x1f\x7f\u2028\u2029"
"""What no name contains: a line break in one would be a line of somebody else's."""


class NewCall(BaseModel):
    """A call that a visitor wants."""

    model_config = ConfigDict(extra="forbid")

    request: Annotated[UUID, Field(description="Made anew by the page for each click. The second of two is refused.")]
    to: Annotated[
        str,
        Field(
            min_length=1,
            max_length=32,
            description="Who is called: plus, country code, number.",
            examples=["+12065550150"],
        ),
    ]
    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=60,
            pattern=rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$",
            description="Who is calling, as the person called will hear it.",
            examples=["Ana Torres"],
        ),
    ]
    language: Annotated[
        str,
        Field(
            pattern=r"^[a-z]{2,3}-[A-Z]{2}$",
            description="In which language the person called is spoken to.",
            examples=["en-US"],
        ),
    ]


class Keys(BaseModel):
    """Keys for the telephone."""

    model_config = ConfigDict(extra="forbid")

    keys: Annotated[
        str, Field(pattern=r"^[0-9A-D*#,]{1,32}$", description="A comma waits half a second.", examples=["12#"])
    ]


class Seat(BaseModel):
    """The browser's seat: the ``Attendee`` of CreateAttendee. The join token opens the meeting; keep it from others."""

    AttendeeId: str
    ExternalUserId: str
    JoinToken: str


class Created(BaseModel):
    """A telephone is ringing."""

    call: Annotated[str, Field(description="The call's id.")]
    state: Literal["ringing"] = "ringing"
    meeting: Annotated[dict[str, Any], Field(description="The `Meeting` of GetMeeting, for the client library.")]
    attendee: Seat


class CallState(BaseModel):
    """How far a call has come."""

    call: str
    state: Literal["ringing", "talking", "ended"]
    outcome: (
        Literal["no_answer", "not_accepted", "declined", "cancelled", "talked", "no_meeting", "failed", "unknown"]
        | None
    ) = Field(default=None, description="How it ended, once it has.")


class Problem(BaseModel):
    """Why a request is not carried out."""

    error: Annotated[str, Field(description="A word for programs.", examples=["foreign_number_refused"])]
    message: Annotated[str, Field(description="A sentence for people.")]
    call: Annotated[str | None, Field(description="The call that is there already.")] = None
