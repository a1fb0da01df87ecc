"""Media pipelines: a meeting as a live stream, and a meeting recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sma_flows.errors import ServiceError
from sma_flows.services.aws.client import text_at
from sma_flows.services.aws.meetings import meeting_arn

if TYPE_CHECKING:
    from sma_flows.services.aws.client import Api


class _Pipelines:
    """What both kinds share: the client of the pipelines and the one that knows the meeting's ARN."""

    def __init__(self, api: Api, meetings: Api) -> None:
        self._api = api
        self._meetings = meetings

    def stop(self, pipeline: str, token: str, now: float, timeout_s: float) -> None:
        """Delete a pipeline; one that is gone already is a success."""
        self._api.call("delete_media_pipeline", timeout_s, gone="NotFoundException", MediaPipelineId=pipeline)

    def _source(self, meeting: str, until: float) -> str:
        return meeting_arn(self._meetings, meeting, until - self._api.clock.monotonic())

    def _create(self, kind: str, until: float, **values: Any) -> str:
        answer = self._api.call(f"create_media_{kind}_pipeline", until - self._api.clock.monotonic(), **values)
        name = "".join(word.capitalize() for word in kind.split("_"))
        pipeline = text_at(answer, f"Media{name}Pipeline", "MediaPipelineId")
        if not pipeline:
            raise ServiceError(f"create_media_{kind}_pipeline gave no pipeline")
        return pipeline


class AwsStream(_Pipelines):
    """See :class:`~sma_flows.services.ports.Stream`: a media live connector pipeline."""

    def start(self, meeting: str, sink: str, token: str, now: float, timeout_s: float) -> str:
        """Send a meeting to an RTMP address; the service knows the token and makes one pipeline."""
        if not sink.startswith(("rtmp://", "rtmps://")):
            raise ServiceError("stream.start needs the setting 'sink', an RTMP address")
        until = self._api.clock.monotonic() + timeout_s
        meeting_in = {"Arn": self._source(meeting, until), "MuxType": "AudioWithActiveSpeakerVideo"}
        rtmp = {"Url": sink, "AudioChannels": "Stereo", "AudioSampleRate": "48000"}
        return self._create(
            "live_connector",
            until,
            Sources=[{"SourceType": "ChimeSdkMeeting", "ChimeSdkMeetingLiveConnectorConfiguration": meeting_in}],
            Sinks=[{"SinkType": "RTMP", "RTMPConfiguration": rtmp}],
            ClientRequestToken=token,
        )


class AwsCapture(_Pipelines):
    """See :class:`~sma_flows.services.ports.Capture`: a media capture pipeline, sound only."""

    def start(self, meeting: str, sink: str, token: str, now: float, timeout_s: float) -> str:
        """Record a meeting; the service knows the token and makes one pipeline.

        *sink* is a bucket, ``bucket/prefix``, or an ARN of one of these.
        """
        if not sink:
            raise ServiceError("capture.start needs the setting 'sink', a bucket")
        until = self._api.clock.monotonic() + timeout_s
        off = {"State": "Disabled"}
        artifacts = {"Audio": {"MuxType": "AudioOnly"}, "Video": off, "Content": off}
        return self._create(
            "capture",
            until,
            SourceType="ChimeSdkMeeting",
            SourceArn=self._source(meeting, until),
            SinkType="S3Bucket",
            SinkArn=sink if sink.startswith("arn:") else f"arn:aws:s3:::{sink}",
            ChimeSdkMeetingConfiguration={"ArtifactsConfiguration": artifacts},
            ClientRequestToken=token,
        )
