"""Calls, channels, queues, pipelines and transcriptions of AWS, with botocore's Stubber.

The Stubber checks requests and answers against the service models; what the services do with them is theirs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from sma_flows.errors import ServiceError
from sma_flows.services.aws.calls import AwsCalls
from sma_flows.services.aws.channel import MAX_CONTENT, AwsChannel
from sma_flows.services.aws.client import Api, Aws
from sma_flows.services.aws.jobs import AwsJobs
from sma_flows.services.aws.media import AwsCapture, AwsStream
from sma_flows.services.aws.queue import AwsQueue
from sma_flows.services.aws.transcription import AwsTranscription

from .stand_ins import ENV, stubbed
from .world import NOW

TOKEN = "abcdefghijklmnopqrstuvwxyz"
MEETING = "11111111-2222-3333-4444-555555555555"
ARN = f"arn:aws:chime:us-east-1:111122223333:meeting/{MEETING}"
PIPELINE = "66666666-7777-8888-9999-000000000000"
CHANNEL = "arn:aws:chime:eu-central-1:111122223333:app-instance/a/channel/c"
BOT = "arn:aws:chime:eu-central-1:111122223333:app-instance/a/bot/b"
WAIT = 2.0


def refuse(stub: Stubber, operation: str, code: str, status: int = 400) -> None:
    stub.add_client_error(operation, code, "the text of the service", status)


# --- calls -------------------------------------------------------------------------------------------------------


@pytest.fixture
def voice() -> Iterator[Stubber]:
    with stubbed("chime-sdk-voice") as stub:
        yield stub


def dial(stub: Stubber) -> str:
    arguments = {"flow": "call-back", "name": "Ana"}
    return AwsCalls(Api(stub.client)).create("app-1", "+14155550123", "+12065550199", arguments, TOKEN, NOW, WAIT)


def test_a_call_is_placed_with_its_arguments(voice: Stubber) -> None:
    voice.add_response(
        "create_sip_media_application_call",
        {"SipMediaApplicationCall": {"TransactionId": "t-1"}},
        {
            "SipMediaApplicationId": "app-1",
            "ToPhoneNumber": "+14155550123",
            "FromPhoneNumber": "+12065550199",
            "ArgumentsMap": {"flow": "call-back", "name": "Ana"},
        },
    )
    assert dial(voice) == "t-1"


@pytest.mark.parametrize(("code", "status"), [("ThrottledClientException", 429), ("ServiceFailureException", 500)])
def test_a_call_is_tried_once_whatever_happens(voice: Stubber, code: str, status: int) -> None:
    """CreateSipMediaApplicationCall knows no token: a second attempt could be a second call (contract 6.1)."""
    refuse(voice, "create_sip_media_application_call", code, status)
    with pytest.raises(ServiceError, match=code):
        dial(voice)


def test_a_call_without_a_transaction_is_none(voice: Stubber) -> None:
    voice.add_response("create_sip_media_application_call", {})
    with pytest.raises(ServiceError, match="no transaction"):
        dial(voice)


def test_a_running_call_is_told_something(voice: Stubber) -> None:
    told = {"SipMediaApplicationId": "app-1", "TransactionId": "t-1", "Arguments": {"update": "notice"}}
    answer = {"SipMediaApplicationCall": {"TransactionId": "t-1"}}
    voice.add_response("update_sip_media_application_call", answer, told)
    assert AwsCalls(Api(voice.client)).update("app-1", "t-1", {"update": "notice"}, TOKEN, NOW, WAIT)


def test_a_call_that_is_over_is_told_nothing_and_that_is_no_error(voice: Stubber) -> None:
    refuse(voice, "update_sip_media_application_call", "NotFoundException", 404)
    assert not AwsCalls(Api(voice.client)).update("app-1", "t-1", {}, TOKEN, NOW, WAIT)


# --- jobs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def functions() -> Iterator[Stubber]:
    with stubbed("lambda") as stub:
        yield stub


def test_the_function_invokes_its_own_version_and_does_not_wait(functions: Stubber, voice: Stubber) -> None:
    jobs = AwsJobs(Api(functions.client), AwsCalls(Api(voice.client)), "calls", "7")
    expected = {
        "FunctionName": "calls",
        "Qualifier": "7",
        "InvocationType": "Event",
        "Payload": b'{"sma-flows-job": 1}',
    }
    functions.add_response("invoke", {"StatusCode": 202}, expected)
    jobs.start({"sma-flows-job": 1}, WAIT)
    functions.add_response("invoke", {"StatusCode": 200})
    with pytest.raises(ServiceError, match="not taken"):
        jobs.start({}, WAIT)
    refuse(functions, "invoke", "TooManyRequestsException", 429)
    with pytest.raises(ServiceError, match="TooManyRequests"):
        jobs.start({}, WAIT)


def test_the_result_of_a_job_is_an_update_and_a_call_that_is_over_no_error(functions: Stubber, voice: Stubber) -> None:
    jobs = AwsJobs(Api(functions.client), AwsCalls(Api(voice.client)), "calls", "7")
    told = {"SipMediaApplicationId": "app-1", "TransactionId": "t-1", "Arguments": {"sma-flows-ticket": "x"}}
    voice.add_response("update_sip_media_application_call", {"SipMediaApplicationCall": {}}, told)
    jobs.report("app-1", "t-1", {"sma-flows-ticket": "x"}, WAIT)
    refuse(voice, "update_sip_media_application_call", "NotFoundException", 404)
    jobs.report("app-1", "t-1", {"sma-flows-ticket": "x"}, WAIT)


# --- channels ----------------------------------------------------------------------------------------------------


@pytest.fixture
def messaging() -> Iterator[Stubber]:
    with stubbed("chime-sdk-messaging", "eu-central-1") as stub:
        yield stub


def channel(stub: Stubber) -> AwsChannel:
    regions = {"eu-central-1": Api(stub.client)}
    return AwsChannel(lambda region: regions[region])


def test_a_message_is_posted_with_the_token_in_the_region_of_its_channel(messaging: Stubber) -> None:
    messaging.add_response(
        "send_channel_message",
        {"ChannelArn": CHANNEL, "MessageId": "m-1"},
        {
            "ChannelArn": CHANNEL,
            "Content": "Ana has called",
            "Type": "STANDARD",
            "Persistence": "PERSISTENT",
            "ClientRequestToken": TOKEN,
            "ChimeBearer": BOT,
            "Metadata": '{"mailbox":"1200"}',
        },
    )
    channel(messaging).post(CHANNEL, BOT, "Ana has called", {"mailbox": "1200"}, TOKEN, NOW, WAIT)


def test_a_throttled_message_is_posted_again_with_the_same_token(messaging: Stubber) -> None:
    tokens = []
    messaging.client.meta.events.register(
        "before-parameter-build", lambda params, **_: tokens.append(params["ClientRequestToken"])
    )
    refuse(messaging, "send_channel_message", "ThrottledClientException", 429)
    messaging.add_response("send_channel_message", {"MessageId": "m-1"})
    channel(messaging).post(CHANNEL, BOT, "hello", {}, TOKEN, NOW, WAIT)
    assert tokens == [TOKEN, TOKEN]


@pytest.mark.parametrize(
    ("where", "bearer", "text", "metadata", "problem"),
    [
        ("team", BOT, "hello", {}, "ARN"),
        (CHANNEL, "", "hello", {}, "bearer"),
        (CHANNEL, BOT, "a" * (MAX_CONTENT + 1), {}, "too long"),
        (CHANNEL, BOT, "hello", {"note": "a" * 1100}, "too long"),
    ],
)
def test_what_cannot_be_posted_is_not_sent(
    messaging: Stubber, where: str, bearer: str, text: str, metadata: dict[str, str], problem: str
) -> None:
    with pytest.raises(ServiceError, match=problem):
        channel(messaging).post(where, bearer, text, metadata, TOKEN, NOW, WAIT)


# --- queues and buses --------------------------------------------------------------------------------------------


URL = "https://sqs.us-east-1.example.com/111122223333/calls"


@pytest.fixture
def sqs() -> Iterator[Stubber]:
    with stubbed("sqs") as stub:
        yield stub


@pytest.fixture
def events() -> Iterator[Stubber]:
    with stubbed("events", "eu-west-1") as stub:
        yield stub


def queue(stub: Stubber) -> tuple[AwsQueue, list[tuple[str, str]]]:
    asked: list[tuple[str, str]] = []

    def api_of(service: str, region: str) -> Api:
        asked.append((service, region))
        return Api(stub.client)

    return AwsQueue(api_of), asked


BODY = {"call": "t-1", "message": {"key": "a.wav"}}
SENT = json.dumps({**BODY, "token": TOKEN}, separators=(",", ":"))


def test_a_fifo_queue_gets_the_token_and_keeps_the_order_of_a_call(sqs: Stubber) -> None:
    made, asked = queue(sqs)
    expected = {
        "QueueUrl": f"{URL}.fifo",
        "MessageBody": SENT,
        "MessageDeduplicationId": TOKEN,
        "MessageGroupId": "t-1",
    }
    refuse(sqs, "send_message", "ThrottlingException", 429)
    sqs.add_response("send_message", {"MessageId": "m"}, expected)
    made.put(f"{URL}.fifo", "missed", BODY, TOKEN, NOW, WAIT)
    assert asked == [("sqs", "us-east-1")]
    assert made.knows_tokens(f"{URL}.fifo")


def test_a_standard_queue_gets_a_message_in_one_attempt(sqs: Stubber) -> None:
    made, _ = queue(sqs)
    sqs.add_response("send_message", {"MessageId": "m"}, {"QueueUrl": URL, "MessageBody": SENT})
    made.put(URL, "missed", BODY, TOKEN, NOW, WAIT)
    refuse(sqs, "send_message", "ThrottlingException", 429)
    with pytest.raises(ServiceError, match="ThrottlingException"):
        made.put(URL, "missed", BODY, TOKEN, NOW, WAIT)
    assert not made.knows_tokens(URL)


def test_a_queue_can_be_named_by_its_arn(sqs: Stubber) -> None:
    made, asked = queue(sqs)
    sqs.add_response(
        "send_message", {}, {"QueueUrl": f"{Api(sqs.client).endpoint}/111122223333/calls", "MessageBody": ANY}
    )
    made.put("arn:aws:sqs:us-west-2:111122223333:calls", "missed", BODY, TOKEN, NOW, WAIT)
    assert asked == [("sqs", "us-west-2")]


BUS = "arn:aws:events:eu-west-1:111122223333:event-bus/calls"


def test_a_bus_gets_an_event_of_its_kind(events: Stubber) -> None:
    made, asked = queue(events)
    entry = {"Source": "sma-flows", "DetailType": "missed", "Detail": SENT, "EventBusName": BUS}
    events.add_response("put_events", {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}, {"Entries": [entry]})
    made.put(BUS, "missed", BODY, TOKEN, NOW, WAIT)
    assert asked == [("events", "eu-west-1")]


def test_an_event_that_the_bus_did_not_take_is_an_error_with_its_code(events: Stubber) -> None:
    made, _ = queue(events)
    answer = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException", "ErrorMessage": "a text"}]}
    events.add_response("put_events", answer)
    with pytest.raises(ServiceError, match=r"^put_events: ThrottlingException$"):
        made.put(BUS, "missed", BODY, TOKEN, NOW, WAIT)


def test_what_is_neither_queue_nor_bus_is_an_error(sqs: Stubber) -> None:
    made, _ = queue(sqs)
    with pytest.raises(ServiceError, match="URL or ARN"):
        made.put("arn:aws:sns:us-east-1:111122223333:topic", "missed", BODY, TOKEN, NOW, WAIT)


# --- pipelines and transcriptions --------------------------------------------------------------------------------


@pytest.fixture
def pipelines() -> Iterator[Stubber]:
    with stubbed("chime-sdk-media-pipelines") as stub:
        yield stub


@pytest.fixture
def meetings() -> Iterator[Stubber]:
    with stubbed("chime-sdk-meetings") as stub:
        yield stub


def arn_of(meetings: Stubber) -> None:
    answer = {"Meeting": {"MeetingId": MEETING, "MeetingArn": ARN}}
    meetings.add_response("get_meeting", answer, {"MeetingId": MEETING})


def test_a_meeting_is_streamed_to_an_rtmp_address(pipelines: Stubber, meetings: Stubber) -> None:
    arn_of(meetings)
    source = {"Arn": ARN, "MuxType": "AudioWithActiveSpeakerVideo"}
    sink = {"Url": "rtmps://live.example.com/app/key", "AudioChannels": "Stereo", "AudioSampleRate": "48000"}
    pipelines.add_response(
        "create_media_live_connector_pipeline",
        {"MediaLiveConnectorPipeline": {"MediaPipelineId": PIPELINE}},
        {
            "Sources": [{"SourceType": "ChimeSdkMeeting", "ChimeSdkMeetingLiveConnectorConfiguration": source}],
            "Sinks": [{"SinkType": "RTMP", "RTMPConfiguration": sink}],
            "ClientRequestToken": TOKEN,
        },
    )
    stream = AwsStream(Api(pipelines.client), Api(meetings.client))
    assert stream.start(MEETING, sink["Url"], TOKEN, NOW, WAIT) == PIPELINE


@pytest.mark.parametrize(
    ("sink", "arn"),
    [
        ("recordings", "arn:aws:s3:::recordings"),
        ("recordings/board", "arn:aws:s3:::recordings/board"),
        ("arn:aws-cn:s3:::recordings", "arn:aws-cn:s3:::recordings"),
    ],
)
def test_a_meeting_is_recorded_into_a_bucket(pipelines: Stubber, meetings: Stubber, sink: str, arn: str) -> None:
    arn_of(meetings)
    off = {"State": "Disabled"}
    artifacts = {"Audio": {"MuxType": "AudioOnly"}, "Video": off, "Content": off}
    pipelines.add_response(
        "create_media_capture_pipeline",
        {"MediaCapturePipeline": {"MediaPipelineId": PIPELINE}},
        {
            "SourceType": "ChimeSdkMeeting",
            "SourceArn": ARN,
            "SinkType": "S3Bucket",
            "SinkArn": arn,
            "ChimeSdkMeetingConfiguration": {"ArtifactsConfiguration": artifacts},
            "ClientRequestToken": TOKEN,
        },
    )
    capture = AwsCapture(Api(pipelines.client), Api(meetings.client))
    assert capture.start(MEETING, sink, TOKEN, NOW, WAIT) == PIPELINE


@pytest.mark.parametrize("kind", [AwsStream, AwsCapture])
def test_a_pipeline_that_is_gone_has_ended(pipelines: Stubber, meetings: Stubber, kind: Callable[..., Any]) -> None:
    made = kind(Api(pipelines.client), Api(meetings.client))
    pipelines.add_response("delete_media_pipeline", {}, {"MediaPipelineId": PIPELINE})
    refuse(pipelines, "delete_media_pipeline", "NotFoundException", 404)
    for _ in range(2):
        made.stop(PIPELINE, TOKEN, NOW, WAIT)


@pytest.mark.parametrize(("kind", "sink"), [(AwsStream, "https://example.com"), (AwsStream, ""), (AwsCapture, "")])
def test_without_a_place_to_go_nothing_is_asked(
    pipelines: Stubber, meetings: Stubber, kind: Callable[..., Any], sink: str
) -> None:
    with pytest.raises(ServiceError, match="sink"):
        kind(Api(pipelines.client), Api(meetings.client)).start(MEETING, sink, TOKEN, NOW, WAIT)


def test_a_pipeline_without_an_id_is_none(pipelines: Stubber, meetings: Stubber) -> None:
    arn_of(meetings)
    pipelines.add_response("create_media_capture_pipeline", {"MediaCapturePipeline": {}})
    with pytest.raises(ServiceError, match="no pipeline"):
        AwsCapture(Api(pipelines.client), Api(meetings.client)).start(MEETING, "bucket", TOKEN, NOW, WAIT)


def test_a_meeting_is_transcribed_until_that_is_ended_twice(meetings: Stubber) -> None:
    transcription = AwsTranscription(Api(meetings.client))
    settings = {"EngineTranscribeSettings": {"LanguageCode": "es-US"}}
    started = {"MeetingId": MEETING, "TranscriptionConfiguration": settings}
    meetings.add_response("start_meeting_transcription", {}, started)
    transcription.start(MEETING, "es-US", TOKEN, NOW, WAIT)
    meetings.add_response("stop_meeting_transcription", {}, {"MeetingId": MEETING})
    refuse(meetings, "stop_meeting_transcription", "NotFoundException", 404)
    for _ in range(2):
        transcription.stop(MEETING, TOKEN, NOW, WAIT)


# --- what boto3 knows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "operation", "tokens"),
    [
        ("chime-sdk-messaging", "SendChannelMessage", {"ClientRequestToken"}),
        ("chime-sdk-media-pipelines", "CreateMediaCapturePipeline", {"ClientRequestToken"}),
        ("chime-sdk-media-pipelines", "CreateMediaLiveConnectorPipeline", {"ClientRequestToken"}),
        ("chime-sdk-meetings", "CreateMeeting", {"ClientRequestToken"}),
        ("chime-sdk-voice", "CreateSipMediaApplicationCall", set()),
        ("chime-sdk-voice", "UpdateSipMediaApplicationCall", set()),
    ],
)
def test_which_operations_know_a_token_is_what_our_effect_classes_say(
    service: str, operation: str, tokens: set[str]
) -> None:
    model = Aws(ENV).api(service).client.meta.service_model.operation_model(operation)
    assert {name for name in model.input_shape.members if "Token" in name} == tokens
