"""Media pipelines through an unmodified boto3 client."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.api.kit import Served, fails, served
from sma_flows.simulator.pipelines import STARTS_MS, Pipelines

BUCKET = "arn:aws:s3:::recordings"
ON, OFF = {"State": "Enabled"}, {"State": "Disabled"}
OTHERS = ("Video", "Content", "DataChannel", "TranscriptionMessages", "MeetingEvents", "CompositedVideo")
AUDIO_ONLY = {"Audio": {"MuxType": "AudioOnly"}, "Video": OFF, "Content": OFF}


def meeting(desk: Served) -> tuple[str, str]:
    """Id and ARN of a meeting with somebody in it."""
    client = desk.client("chime-sdk-meetings")
    made = client.create_meeting(ClientRequestToken="room-7", ExternalMeetingId="weekly", MediaRegion="us-east-1")
    ident = made["Meeting"]["MeetingId"]
    seat = client.create_attendee(MeetingId=ident, ExternalUserId="ann")["Attendee"]["AttendeeId"]
    desk.admin("POST", f"/meetings/{ident}/attendees/{seat}/join")
    return ident, made["Meeting"]["MeetingArn"]


def capture(client: Any, source: str, **more: Any) -> dict[str, Any]:
    values = {"SourceType": "ChimeSdkMeeting", "SourceArn": source, "SinkType": "S3Bucket", "SinkArn": BUCKET, **more}
    made: dict[str, Any] = client.create_media_capture_pipeline(**values)["MediaCapturePipeline"]
    return made


def stream(client: Any, source: str, **more: Any) -> dict[str, Any]:
    configuration = {"Arn": source, "MuxType": "AudioWithActiveSpeakerVideo"}
    values = {
        "Sources": [{"SourceType": "ChimeSdkMeeting", "ChimeSdkMeetingLiveConnectorConfiguration": configuration}],
        "Sinks": [{"SinkType": "RTMP", "RTMPConfiguration": {"Url": "rtmps://live.example/app/key"}}],
        **more,
    }
    made: dict[str, Any] = client.create_media_live_connector_pipeline(**values)["MediaLiveConnectorPipeline"]
    return made


def test_a_recording_starts_goes_on_and_stops_with_its_meeting() -> None:
    with served() as desk:
        ident, arn = meeting(desk)
        client = desk.client("chime-sdk-media-pipelines")
        mux = {"ArtifactsConfiguration": AUDIO_ONLY}
        made = capture(client, arn, ChimeSdkMeetingConfiguration=mux)
        pipeline = made["MediaPipelineId"]
        assert (made["Status"], made["SinkArn"], made["ChimeSdkMeetingConfiguration"]) == ("Initializing", BUCKET, mux)

        def status() -> str:
            told = client.get_media_pipeline(MediaPipelineId=pipeline)["MediaPipeline"]["MediaCapturePipeline"]
            assert told == client.get_media_capture_pipeline(MediaPipelineId=pipeline)["MediaCapturePipeline"]
            return str(told["Status"])

        desk.exchange.wait(STARTS_MS)
        assert status() == "InProgress"
        desk.client("chime-sdk-meetings").delete_meeting(MeetingId=ident)
        assert status() == "Stopped"
        client.delete_media_capture_pipeline(MediaPipelineId=pipeline)
        for gone in (client.get_media_pipeline, client.delete_media_pipeline, client.delete_media_capture_pipeline):
            with fails("NotFoundException", 404):
                gone(MediaPipelineId=pipeline)


def test_a_stream_is_made_once_for_each_token_and_ends_when_it_is_deleted() -> None:
    with served() as desk:
        _, arn = meeting(desk)
        client = desk.client("chime-sdk-media-pipelines")
        made = stream(client, arn, ClientRequestToken="token-1")
        assert stream(client, arn, ClientRequestToken="token-1") == made
        with fails("BadRequestException"):
            capture(client, arn, ClientRequestToken="token-1")
        assert stream(client, arn)["MediaPipelineId"] != made["MediaPipelineId"]
        assert len(client.list_media_pipelines()["MediaPipelines"]) == 2
        with fails("NotFoundException"):
            client.get_media_capture_pipeline(MediaPipelineId=made["MediaPipelineId"])
        client.delete_media_pipeline(MediaPipelineId=made["MediaPipelineId"])
        assert len(client.list_media_pipelines()["MediaPipelines"]) == 1
        assert stream(client, arn, ClientRequestToken="token-1")["MediaPipelineId"] != made["MediaPipelineId"]


def test_recordings_are_put_together_also_after_the_meeting() -> None:
    with served() as desk:
        ident, arn = meeting(desk)
        client = desk.client("chime-sdk-media-pipelines")
        source = capture(client, arn)["MediaPipelineArn"]
        desk.client("chime-sdk-meetings").delete_meeting(MeetingId=ident)

        def concatenate(of: str) -> dict[str, Any]:
            artifacts = {"ArtifactsConfiguration": {"Audio": ON, **dict.fromkeys(OTHERS, OFF)}}
            configuration = {"MediaPipelineArn": of, "ChimeSdkMeetingConfiguration": artifacts}
            made: dict[str, Any] = client.create_media_concatenation_pipeline(
                Sources=[{"Type": "MediaCapturePipeline", "MediaCapturePipelineSourceConfiguration": configuration}],
                Sinks=[{"Type": "S3Bucket", "S3BucketSinkConfiguration": {"Destination": BUCKET}}],
            )["MediaConcatenationPipeline"]
            return made

        assert concatenate(source)["Status"] == "Initializing"
        with fails("BadRequestException"):
            concatenate(source[:-1] + "x")


@pytest.mark.parametrize("where", ["another account", "another region", "nobody", "over"])
def test_a_meeting_that_is_not_there_is_not_recorded(where: str) -> None:
    with served() as desk:
        ident, arn = meeting(desk)
        client = desk.client("chime-sdk-media-pipelines")
        wrong = {
            "another account": arn.replace("111122223333", "123456789012"),
            "another region": arn.replace("us-east-1", "us-west-2"),
            "nobody": arn.replace(ident, "11111111-2222-3333-4444-555555555555"),
            "over": arn,
        }
        if where == "over":
            desk.client("chime-sdk-meetings").delete_meeting(MeetingId=ident)
        with fails("BadRequestException", 400):
            capture(client, wrong[where])


def test_there_are_only_so_many_pipelines_at_once() -> None:
    assert (Pipelines(lambda *_: True).most, Pipelines(lambda *_: True, region="eu-central-1").most) == (100, 10)
    with served() as desk:
        _, arn = meeting(desk)
        client = desk.client("chime-sdk-media-pipelines")
        desk.plane.pipelines.most = 2
        first = capture(client, arn)["MediaPipelineId"]
        capture(client, arn)
        with fails("ResourceLimitExceededException", 400):
            stream(client, arn)
        client.delete_media_capture_pipeline(MediaPipelineId=first)
        stream(client, arn)


@pytest.mark.parametrize(
    "wrong",
    [
        {"SinkType": "Tape"},
        {"SinkArn": "no arn"},
        {"ClientRequestToken": "no spaces"},
        {"ChimeSdkMeetingConfiguration": {"ArtifactsConfiguration": {**AUDIO_ONLY, "Audio": {"MuxType": "Silence"}}}},
    ],
    ids=str,
)
def test_values_out_of_bounds_are_bad_requests(wrong: dict[str, Any]) -> None:
    with served() as desk:
        _, arn = meeting(desk)
        with fails("BadRequestException"):
            capture(desk.client("chime-sdk-media-pipelines"), arn, **wrong)
