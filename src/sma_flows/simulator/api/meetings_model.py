"""Operations of chime-sdk-meetings. Model of 2021-07-15."""

from __future__ import annotations

from typing import Final

from sma_flows.simulator.api.operation import (
    CONFLICT,
    LIMIT,
    MISSING,
    SENSELESS,
    TAGS_OF_MEETINGS,
    TOKEN,
    UUID,
    Operation,
    operation,
)
from sma_flows.simulator.api.shapes import Flag, Many, Member, Record, Shape, Text, Whole, choice, query, record, uri

__all__ = ["MEETINGS"]

_EXTERNAL: Final = Text(2, 64)
_WORDS: Final = Text(most=4096)
_ARN: Final = Text(1, 1024, r"^arn[\/\:\-\_\.a-zA-Z0-9]+$")
_ACCESS: Final = choice("SendReceive Send Receive None")
_CAPABILITIES: Final = record({"*Audio": _ACCESS, "*Video": _ACCESS, "*Content": _ACCESS})
_WANTED: Final[dict[str, Shape | Member]] = {"*ExternalUserId": _EXTERNAL, "Capabilities": _CAPABILITIES}
_ATTENDEE: Final = record(_WANTED)
_MEETING_ID: Final = uri("MeetingId", UUID)
_ATTENDEE_ID: Final = uri("AttendeeId", UUID)

_MEETING: Final[dict[str, Shape | Member]] = {
    "*ClientRequestToken": TOKEN,
    "*MediaRegion": Text(2, 64),
    "MeetingHostId": _EXTERNAL,
    "*ExternalMeetingId": _EXTERNAL,
    "NotificationsConfiguration": record({"LambdaFunctionArn": _ARN, "SnsTopicArn": _ARN, "SqsQueueArn": _ARN}),
    "MeetingFeatures": record(
        {
            "Audio": record({"EchoReduction": choice("AVAILABLE UNAVAILABLE")}),
            "Video": record({"MaxResolution": choice("None HD FHD")}),
            "Content": record({"MaxResolution": choice("None FHD UHD")}),
            "Attendee": record({"MaxCount": Whole(1, 250)}),
        }
    ),
    "PrimaryMeetingId": Text(2, 64),
    "TenantIds": Many(Text(2, 256, r"^(?!.*?(.)\1{3})[-_!@#$a-zA-Z0-9]*$"), 1, 5),
    "Tags": TAGS_OF_MEETINGS,
    "MediaPlacementNetworkType": choice("Ipv4Only DualStack"),
}

_LANGUAGES: Final = choice("en-US en-GB es-US fr-CA fr-FR en-AU it-IT de-DE pt-BR ja-JP ko-KR zh-CN th-TH hi-IN")
_TRANSCRIBE: Final = record(
    {
        "LanguageCode": _LANGUAGES,
        "VocabularyFilterMethod": choice("remove mask tag"),
        "VocabularyFilterName": _WORDS,
        "VocabularyName": _WORDS,
        "Region": choice(
            "us-east-2 us-east-1 us-west-2 ap-northeast-2 ap-southeast-2 ap-northeast-1 ca-central-1 "
            "eu-central-1 eu-west-1 eu-west-2 sa-east-1 auto us-gov-west-1"
        ),
        "EnablePartialResultsStabilization": Flag(),
        "PartialResultsStability": choice("low medium high"),
        "ContentIdentificationType": choice("PII"),
        "ContentRedactionType": choice("PII"),
        "PiiEntityTypes": Text(1, 300, "^[A-Z_, ]+"),
        "LanguageModelName": Text(1, 200, "^[0-9a-zA-Z._-]+"),
        "IdentifyLanguage": Flag(),
        "LanguageOptions": Text(1, 200, "^[a-zA-Z-,]+"),
        "PreferredLanguage": _LANGUAGES,
        "VocabularyNames": Text(1, 3000, "^[a-zA-Z0-9,-._]+"),
        "VocabularyFilterNames": Text(1, 3000, "^[a-zA-Z0-9,-._]+"),
    }
)
_MEDICAL: Final = record(
    {
        "*LanguageCode": choice("en-US"),
        "*Specialty": choice("PRIMARYCARE CARDIOLOGY NEUROLOGY ONCOLOGY RADIOLOGY UROLOGY"),
        "*Type": choice("CONVERSATION DICTATION"),
        "VocabularyName": _WORDS,
        "Region": choice("us-east-1 us-east-2 us-west-2 ap-southeast-2 ca-central-1 eu-west-1 auto"),
        "ContentIdentificationType": choice("PHI"),
    }
)


def _op(name: str, route: str, takes: Record, *errors: str, status: int = 200, per_s: int = 0) -> Operation:
    rates = (("", per_s),) if per_s else ()
    return operation("chime-sdk-meetings", name, route, takes, *errors, status=status, rates=rates)


MEETINGS: Final = (
    _op("CreateMeeting", "POST /meetings", record(_MEETING), CONFLICT, LIMIT, per_s=10),
    _op(
        "CreateMeetingWithAttendees",
        "POST /meetings?operation=create-attendees",
        record({**_MEETING, "*Attendees": Many(_ATTENDEE, 1, 20)}),
        CONFLICT,
        LIMIT,
        per_s=10,
    ),
    _op("GetMeeting", "GET /meetings/{MeetingId}", record({"*MeetingId": _MEETING_ID}), MISSING, per_s=10),
    _op(
        "DeleteMeeting",
        "DELETE /meetings/{MeetingId}",
        record({"*MeetingId": _MEETING_ID}),
        MISSING,
        status=204,
        per_s=10,
    ),
    _op(
        "CreateAttendee",
        "POST /meetings/{MeetingId}/attendees",
        record({"*MeetingId": _MEETING_ID, **_WANTED}),
        MISSING,
        SENSELESS,
        LIMIT,
        per_s=10,
    ),
    _op(
        "BatchCreateAttendee",
        "POST /meetings/{MeetingId}/attendees?operation=batch-create",
        record({"*MeetingId": _MEETING_ID, "*Attendees": Many(_ATTENDEE, 1, 100)}),
        MISSING,
        SENSELESS,
        LIMIT,
        per_s=10,
    ),
    _op(
        "GetAttendee",
        "GET /meetings/{MeetingId}/attendees/{AttendeeId}",
        record({"*MeetingId": _MEETING_ID, "*AttendeeId": _ATTENDEE_ID}),
        MISSING,
    ),
    _op(
        "ListAttendees",
        "GET /meetings/{MeetingId}/attendees",
        record(
            {
                "*MeetingId": _MEETING_ID,
                "NextToken": query("next-token", _WORDS),
                "MaxResults": query("max-results", Whole(1, 100)),
            }
        ),
        MISSING,
        per_s=10,
    ),
    _op(
        "DeleteAttendee",
        "DELETE /meetings/{MeetingId}/attendees/{AttendeeId}",
        record({"*MeetingId": _MEETING_ID, "*AttendeeId": _ATTENDEE_ID}),
        MISSING,
        status=204,
        per_s=10,
    ),
    _op(
        "UpdateAttendeeCapabilities",
        "PUT /meetings/{MeetingId}/attendees/{AttendeeId}/capabilities",
        record({"*MeetingId": _MEETING_ID, "*AttendeeId": _ATTENDEE_ID, "*Capabilities": _CAPABILITIES}),
        MISSING,
        CONFLICT,
    ),
    _op(
        "StartMeetingTranscription",
        "POST /meetings/{MeetingId}/transcription?operation=start",
        record(
            {
                "*MeetingId": _MEETING_ID,
                "*TranscriptionConfiguration": record(
                    {"EngineTranscribeSettings": _TRANSCRIBE, "EngineTranscribeMedicalSettings": _MEDICAL}
                ),
            }
        ),
        MISSING,
        LIMIT,
        SENSELESS,
    ),
    _op(
        "StopMeetingTranscription",
        "POST /meetings/{MeetingId}/transcription?operation=stop",
        record({"*MeetingId": _MEETING_ID}),
        MISSING,
        SENSELESS,
    ),
)
"""The operations, with the rates that the quotas page gives."""
