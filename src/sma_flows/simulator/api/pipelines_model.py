"""Operations of chime-sdk-media-pipelines around meetings. Model of 2021-07-15."""

from __future__ import annotations

from typing import Final

from sma_flows.simulator.api.operation import CONFLICT, FULL, MISSING, TOKEN, UUID, Operation, operation, tags
from sma_flows.simulator.api.shapes import Many, Record, Text, Whole, choice, query, record, uri

__all__ = ["PIPELINES"]

_ARN: Final = Text(1, 1024, r"^arn[\/\:\-\_\.a-zA-Z0-9]+$")
_GUID: Final = Text(36, 36, UUID.pattern)
_WORDS: Final = Text(most=4096, pattern=".*")
_COLOURS: Final = choice("Black Blue Red Green White Yellow")
_CORNERS: Final = choice("TopLeft TopRight BottomLeft BottomRight")
_SWITCH: Final = choice("Enabled Disabled")
_RATIO: Final = Text(pattern=r"^\d{1,2}\/\d{1,2}$")


def _tiles(positions: str) -> Record:
    return record(
        {
            "TileOrder": choice("JoinSequence SpeakerSequence"),
            "TilePosition": choice(positions),
            "TileCount": Whole(1, 10),
            "TileAspectRatio": _RATIO,
        }
    )


_COMPOSITED: Final = record(
    {
        "Layout": choice("GridView"),
        "Resolution": choice("HD FHD"),
        "*GridViewConfiguration": record(
            {
                "*ContentShareLayout": choice("PresenterOnly Horizontal Vertical ActiveSpeakerOnly"),
                "PresenterOnlyConfiguration": record({"PresenterPosition": _CORNERS}),
                "ActiveSpeakerOnlyConfiguration": record({"ActiveSpeakerPosition": _CORNERS}),
                "HorizontalLayoutConfiguration": _tiles("Top Bottom"),
                "VerticalLayoutConfiguration": _tiles("Left Right"),
                "VideoAttribute": record(
                    {
                        "CornerRadius": Whole(1, 20),
                        "BorderColor": _COLOURS,
                        "HighlightColor": _COLOURS,
                        "BorderThickness": Whole(1, 20),
                    }
                ),
                "CanvasOrientation": choice("Landscape Portrait"),
            }
        ),
    }
)
_SOURCES: Final = record(
    {"SelectedVideoStreams": record({"AttendeeIds": Many(_GUID, 1), "ExternalUserIds": Many(Text(2, 64), 1)})}
)
_ARTIFACTS: Final = record(
    {
        "*Audio": record({"*MuxType": choice("AudioOnly AudioWithActiveSpeakerVideo AudioWithCompositedVideo")}),
        "*Video": record({"*State": _SWITCH, "MuxType": choice("VideoOnly")}),
        "*Content": record({"*State": _SWITCH, "MuxType": choice("ContentOnly")}),
        "CompositedVideo": _COMPOSITED,
    }
)
_STATE: Final = record({"*State": _SWITCH})
_PUT_TOGETHER: Final = record(
    {
        "*Audio": record({"*State": choice("Enabled")}),
        **{
            f"*{name}": _STATE
            for name in ("Video", "Content", "DataChannel", "TranscriptionMessages", "MeetingEvents", "CompositedVideo")
        },
    }
)
_TAGS: Final = tags(1, 200)
_ID: Final = {"*MediaPipelineId": uri("mediaPipelineId", _GUID)}


def _op(name: str, route: str, takes: Record, *errors: str, status: int = 200) -> Operation:
    rates = (("", 10),) if name.startswith(("Create", "Delete")) else ()
    return operation("chime-sdk-media-pipelines", name, route, takes, *errors, status=status, rates=rates)


PIPELINES: Final = (
    _op(
        "CreateMediaCapturePipeline",
        "POST /sdk-media-capture-pipelines",
        record(
            {
                "*SourceType": choice("ChimeSdkMeeting"),
                "*SourceArn": _ARN,
                "*SinkType": choice("S3Bucket"),
                "*SinkArn": _ARN,
                "ClientRequestToken": TOKEN,
                "ChimeSdkMeetingConfiguration": record(
                    {"SourceConfiguration": _SOURCES, "ArtifactsConfiguration": _ARTIFACTS}
                ),
                "SseAwsKeyManagementParams": record({"*AwsKmsKeyId": _WORDS, "AwsKmsEncryptionContext": _WORDS}),
                "SinkIamRoleArn": _ARN,
                "Tags": _TAGS,
            }
        ),
        FULL,
        status=201,
    ),
    _op(
        "GetMediaCapturePipeline",
        "GET /sdk-media-capture-pipelines/{mediaPipelineId}",
        record(_ID),
        MISSING,
    ),
    _op(
        "DeleteMediaCapturePipeline",
        "DELETE /sdk-media-capture-pipelines/{mediaPipelineId}",
        record(_ID),
        MISSING,
        status=204,
    ),
    _op(
        "CreateMediaLiveConnectorPipeline",
        "POST /sdk-media-live-connector-pipelines",
        record(
            {
                "*Sources": Many(
                    record(
                        {
                            "*SourceType": choice("ChimeSdkMeeting"),
                            "*ChimeSdkMeetingLiveConnectorConfiguration": record(
                                {
                                    "*Arn": _ARN,
                                    "*MuxType": choice("AudioWithCompositedVideo AudioWithActiveSpeakerVideo"),
                                    "CompositedVideo": _COMPOSITED,
                                    "SourceConfiguration": _SOURCES,
                                }
                            ),
                        }
                    ),
                    1,
                    1,
                ),
                "*Sinks": Many(
                    record(
                        {
                            "*SinkType": choice("RTMP"),
                            "*RTMPConfiguration": record(
                                {
                                    "*Url": Text(1, 1024),
                                    "AudioChannels": choice("Stereo Mono"),
                                    "AudioSampleRate": Text(pattern="44100|48000"),
                                }
                            ),
                        }
                    ),
                    1,
                    1,
                ),
                "ClientRequestToken": TOKEN,
                "Tags": _TAGS,
            }
        ),
        FULL,
        status=201,
    ),
    _op(
        "CreateMediaConcatenationPipeline",
        "POST /sdk-media-concatenation-pipelines",
        record(
            {
                "*Sources": Many(
                    record(
                        {
                            "*Type": choice("MediaCapturePipeline"),
                            "*MediaCapturePipelineSourceConfiguration": record(
                                {
                                    "*MediaPipelineArn": _ARN,
                                    "*ChimeSdkMeetingConfiguration": record({"*ArtifactsConfiguration": _PUT_TOGETHER}),
                                }
                            ),
                        }
                    ),
                    1,
                    1,
                ),
                "*Sinks": Many(
                    record({"*Type": choice("S3Bucket"), "*S3BucketSinkConfiguration": record({"*Destination": _ARN})}),
                    1,
                    1,
                ),
                "ClientRequestToken": TOKEN,
                "Tags": _TAGS,
            }
        ),
        FULL,
        status=201,
    ),
    _op("GetMediaPipeline", "GET /sdk-media-pipelines/{mediaPipelineId}", record(_ID), MISSING),
    _op(
        "DeleteMediaPipeline",
        "DELETE /sdk-media-pipelines/{mediaPipelineId}",
        record(_ID),
        MISSING,
        CONFLICT,
        status=204,
    ),
    _op(
        "ListMediaPipelines",
        "GET /sdk-media-pipelines",
        record({"NextToken": query("next-token", _WORDS), "MaxResults": query("max-results", Whole(1, 100))}),
        FULL,
    ),
)
"""The operations; creating and deleting at the rate of the quotas page."""
