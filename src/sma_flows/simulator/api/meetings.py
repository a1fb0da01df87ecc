"""What the meeting operations do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sma_flows.simulator.meetings import Attendee, Meeting, NotCreated, Wanted
from sma_flows.simulator.refused import RefusedError

if TYPE_CHECKING:
    from sma_flows.simulator.api.plane import ControlPlane, Handler

__all__ = ["HANDLERS"]

Params = Mapping[str, Any]
_OWN: Final = frozenset({"ClientRequestToken", "ExternalMeetingId", "MediaRegion", "Attendees"})


def create_meeting(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """CreateMeeting."""
    return {"Meeting": _meeting(plane, _create(plane, params))}


def create_meeting_with_attendees(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """CreateMeetingWithAttendees."""
    meeting = _create(plane, params)
    return {"Meeting": _meeting(plane, meeting), **_add_all(plane, meeting.id, params)}


def get_meeting(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """GetMeeting."""
    return {"Meeting": _meeting(plane, plane.meetings.get(params["MeetingId"], plane.now_ms))}


def delete_meeting(plane: ControlPlane, params: Params) -> None:
    """DeleteMeeting."""
    plane.meetings.delete(params["MeetingId"], plane.now_ms)


def create_attendee(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """CreateAttendee."""
    return {"Attendee": _attendee(plane.meetings.add(params["MeetingId"], _wanted(params), plane.now_ms))}


def batch_create_attendee(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """BatchCreateAttendee."""
    return _add_all(plane, params["MeetingId"], params)


def get_attendee(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """GetAttendee: the join token comes along."""
    found = plane.meetings.attendee(params["MeetingId"], params["AttendeeId"], plane.now_ms)
    return {"Attendee": _attendee(found)}


def list_attendees(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """ListAttendees."""
    shown, after = plane.meetings.page(
        params["MeetingId"], plane.now_ms, params.get("NextToken", ""), params.get("MaxResults")
    )
    listed: dict[str, Any] = {"Attendees": [_attendee(each) for each in shown]}
    return {**listed, "NextToken": after} if after else listed


def delete_attendee(plane: ControlPlane, params: Params) -> None:
    """DeleteAttendee."""
    plane.meetings.remove(params["MeetingId"], params["AttendeeId"], plane.now_ms)


def update_capabilities(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """UpdateAttendeeCapabilities."""
    found = plane.meetings.grant(params["MeetingId"], params["AttendeeId"], params["Capabilities"], plane.now_ms)
    return {"Attendee": _attendee(found)}


def start_transcription(plane: ControlPlane, params: Params) -> None:
    """StartMeetingTranscription: one engine, and a language or the wish to find it out (contract 10.1)."""
    chosen = params["TranscriptionConfiguration"]
    plain, medical = chosen.get("EngineTranscribeSettings"), chosen.get("EngineTranscribeMedicalSettings")
    if (plain is None) == (medical is None):
        raise RefusedError("BadRequestException", "Give the settings of one transcription engine.")
    if plain is not None and bool(plain.get("LanguageCode")) == bool(plain.get("IdentifyLanguage")):
        raise RefusedError("BadRequestException", "Give either LanguageCode or IdentifyLanguage.")
    plane.meetings.transcribe(params["MeetingId"], chosen, plane.now_ms)


def stop_transcription(plane: ControlPlane, params: Params) -> None:
    """StopMeetingTranscription."""
    plane.meetings.stop_transcribing(params["MeetingId"], plane.now_ms)


def _create(plane: ControlPlane, params: Params) -> Meeting:
    details = {name: value for name, value in params.items() if name not in _OWN}
    return plane.meetings.create(
        params["ClientRequestToken"], params["ExternalMeetingId"], params["MediaRegion"], plane.now_ms, details
    )


def _add_all(plane: ControlPlane, meeting: str, params: Params) -> dict[str, Any]:
    made, refused = plane.meetings.add_all(meeting, [_wanted(each) for each in params["Attendees"]], plane.now_ms)
    return {"Attendees": [_attendee(each) for each in made], "Errors": [_refused(each) for each in refused]}


def _wanted(params: Params) -> Wanted:
    return Wanted(params["ExternalUserId"], params.get("Capabilities"))


def _attendee(attendee: Attendee) -> dict[str, Any]:
    return {
        "ExternalUserId": attendee.external,
        "AttendeeId": attendee.id,
        "JoinToken": attendee.token,
        "Capabilities": dict(attendee.capabilities),
    }


def _refused(refused: NotCreated) -> dict[str, Any]:
    return {
        "ExternalUserId": refused.external,
        "ErrorCode": refused.error.removesuffix("Exception"),
        "ErrorMessage": refused.message,
    }


def _meeting(plane: ControlPlane, meeting: Meeting) -> dict[str, Any]:
    """A meeting as the API shows it."""
    told: dict[str, Any] = {
        "MeetingId": meeting.id,
        "ExternalMeetingId": meeting.external,
        "MediaRegion": meeting.region,
        "MediaPlacement": _placement(meeting.id, plane.media),
        "MeetingArn": f"arn:aws:chime:{plane.exchange.base.region}:{plane.exchange.base.account}:meeting/{meeting.id}",
    }
    shown = ("MeetingHostId", "MeetingFeatures", "PrimaryMeetingId", "TenantIds")
    return told | {name: meeting.details[name] for name in shown if name in meeting.details}


def _placement(meeting: str, media: str) -> dict[str, str]:
    """Where a browser finds the media: at *media* on this machine, or at addresses that lead nowhere.

    Events of clients are not collected, so without EventIngestionUrl a client on this machine sends none.
    """
    host, secure = (media, "") if media else (f"{meeting}.media.invalid", "s")
    placement = {
        "AudioHostUrl": media or f"{host}:3478",
        "AudioFallbackUrl": f"ws{secure}://{host}/calls/{meeting}",
        "SignalingUrl": f"ws{secure}://{host}/control/{meeting}",
        "TurnControlUrl": f"http{secure}://{host}/v2/turn_sessions",
        "ScreenDataUrl": f"ws{secure}://{host}/v2/screen/{meeting}",
        "ScreenViewingUrl": f"ws{secure}://{host}/ws/connect?passcode=null&viewer_uuid=null&X-BitHub-Call-Id={meeting}",
        "ScreenSharingUrl": f"ws{secure}://{host}/v2/screen/{meeting}",
    }
    return placement if media else {**placement, "EventIngestionUrl": f"https://{host}/v1/client-events"}


HANDLERS: Final[Mapping[str, Handler]] = {
    "CreateMeeting": create_meeting,
    "CreateMeetingWithAttendees": create_meeting_with_attendees,
    "GetMeeting": get_meeting,
    "DeleteMeeting": delete_meeting,
    "CreateAttendee": create_attendee,
    "BatchCreateAttendee": batch_create_attendee,
    "GetAttendee": get_attendee,
    "ListAttendees": list_attendees,
    "DeleteAttendee": delete_attendee,
    "UpdateAttendeeCapabilities": update_capabilities,
    "StartMeetingTranscription": start_transcription,
    "StopMeetingTranscription": stop_transcription,
}
"""By the name of the operation."""
