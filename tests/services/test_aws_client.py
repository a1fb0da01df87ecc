"""The shared part of all adapters for AWS: time, attempts, and what errors become."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber

from sma_flows.errors import ServiceError
from sma_flows.services.aws.client import CONNECT_S, READ_S, Api, Aws, AwsError, client_config, text_at
from sma_flows.services.ports import Meter

from .stand_ins import ENV, stubbed

MEETING = "11111111-2222-3333-4444-555555555555"


class Time:
    """A clock that is put forward by hand and by whoever sleeps."""

    def __init__(self) -> None:
        self.at = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


@pytest.fixture
def aws() -> Iterator[Stubber]:
    with stubbed("chime-sdk-meetings") as stub:
        yield stub


def refuse(stub: Stubber, code: str, status: int, operation: str = "get_meeting") -> None:
    stub.add_client_error(operation, code, "the text of the service", status)


def ask(api: Api, timeout_s: float = 2.0, **more: Any) -> dict[str, Any]:
    return api.call("get_meeting", timeout_s, MeetingId=MEETING, **more)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 429),
        ("ThrottledClientException", 429),
        ("AnythingElse", 429),
        ("ServiceUnavailableException", 503),
        ("ServiceFailureException", 500),
        ("InternalServerError", 500),
        ("502", 502),
    ],
)
def test_what_another_attempt_may_mend_is_tried_once_more(aws: Stubber, code: str, status: int) -> None:
    refuse(aws, code, status)
    aws.add_response("get_meeting", {"Meeting": {"MeetingId": MEETING}})
    assert ask(Api(aws.client, clock=Time()))["Meeting"]["MeetingId"] == MEETING


def test_there_is_no_third_attempt(aws: Stubber) -> None:
    refuse(aws, "ThrottlingException", 429)
    refuse(aws, "ServiceUnavailableException", 503)
    with pytest.raises(AwsError, match=r"^get_meeting: ServiceUnavailableException$"):
        ask(Api(aws.client, clock=Time()))


def test_an_operation_of_class_once_has_one_attempt(aws: Stubber) -> None:
    refuse(aws, "ThrottlingException", 429)
    with pytest.raises(AwsError, match="ThrottlingException"):
        ask(Api(aws.client, clock=Time()), attempts=1)


def test_throttling_is_waited_out_shortly_and_other_faults_are_not(aws: Stubber) -> None:
    time = Time()
    for code, status in (("ThrottlingException", 429), ("ServiceFailureException", 500)):
        refuse(aws, code, status)
        aws.add_response("get_meeting", {})
        ask(Api(aws.client, clock=time))
    assert len(time.slept) == 1
    assert 0.05 <= time.slept[0] <= 0.15


def test_there_is_no_second_attempt_when_no_time_is_left(aws: Stubber) -> None:
    time = Time()
    aws.client.meta.events.register("before-parameter-build", lambda **_: setattr(time, "at", time.at + 1.95))
    refuse(aws, "ThrottlingException", 429)
    with pytest.raises(AwsError, match="ThrottlingException"):
        ask(Api(aws.client, clock=time))
    assert time.slept == []


@pytest.mark.parametrize("code", ["NotFoundException", "LimitExceededException", "ForbiddenException"])
def test_other_errors_are_not_tried_again_and_their_text_is_told_to_nobody(aws: Stubber, code: str) -> None:
    refuse(aws, code, 404)
    with pytest.raises(ServiceError) as raised:
        ask(Api(aws.client))
    assert str(raised.value) == f"get_meeting: {code}"
    assert raised.value.__suppress_context__


def test_not_found_is_a_success_where_it_is_said_to_be_one(aws: Stubber) -> None:
    refuse(aws, "NotFoundException", 404)
    assert ask(Api(aws.client), gone="NotFoundException") == {}


def test_nothing_is_sent_without_time(aws: Stubber) -> None:
    for left in (0.05, 0.0, -1.0):
        with pytest.raises(AwsError, match="no time left"):
            ask(Api(aws.client), left)


def test_wrong_parameters_are_no_exception_of_botocore() -> None:
    with pytest.raises(AwsError, match=r"^get_meeting: ParamValidationError$"):
        Aws(ENV).api("chime-sdk-meetings").call("get_meeting", 2, MeetingId=None)


def test_every_attempt_is_counted_for_its_purpose(aws: Stubber) -> None:
    meter = Meter()
    refuse(aws, "ThrottlingException", 429)
    aws.add_response("get_meeting", {})
    aws.add_response("get_meeting", {})
    ask(Api(aws.client, "named", meter, Time()))
    ask(Api(aws.client, "limits", meter, Time()))
    assert meter.take() == {"named": 2, "limits": 1}
    assert meter.take() == {}


# --- clients -----------------------------------------------------------------------------------------------------


def test_a_client_tries_once_and_waits_shortly() -> None:
    settings = client_config()
    assert (settings.connect_timeout, settings.read_timeout) == (CONNECT_S, READ_S)
    assert settings.retries["total_max_attempts"] == 1


def test_a_service_has_one_client_for_each_region() -> None:
    aws = Aws(ENV)
    here, again = aws.api("chime-sdk-meetings"), aws.api("chime-sdk-meetings", "records")
    assert here.client is again.client
    assert (here.region, aws.api("chime-sdk-meetings", region="eu-central-1").region) == ("us-east-1", "eu-central-1")


def test_without_a_region_there_is_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(ServiceError, match="no client for dynamodb"):
        Aws({}).api("dynamodb")


def test_endpoints_come_from_the_environment_that_is_handed_in() -> None:
    env = {**ENV, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_CHIME_SDK_VOICE": "http://127.0.0.1:2"}
    urls = [Aws(env).api(service).client.meta.endpoint_url for service in ("sqs", "chime-sdk-voice")]
    assert urls == ["http://127.0.0.1:1", "http://127.0.0.1:2"]


# --- a server ----------------------------------------------------------------------------------------------------


class Server:
    """Takes requests, answers each with the next of *answers* (bytes, or None: never), and counts them."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.requests = 0
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            connection.recv(65536)
            self.requests += 1
            answer = self.answers.pop(0) if self.answers else None
            if answer is not None:
                connection.sendall(answer)
                connection.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._open:
            connection.close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def http(status: str, body: bytes, kind: bytes = b"application/json") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
        status.encode(),
        kind,
        len(body),
        body,
    )


def api_at(url: str) -> Api:
    return Aws({**ENV, "AWS_ENDPOINT_URL": url}).api("chime-sdk-meetings")


def test_a_server_that_never_answers_sees_two_requests_within_the_time(server: Server) -> None:
    api = api_at(server.url)
    started = api.clock.monotonic()
    with pytest.raises(AwsError, match=r"^get_meeting: ReadTimeoutError$"):
        ask(api, 0.4)
    assert server.requests == 2
    assert api.clock.monotonic() - started < READ_S  # not the time-out of the client: what was left


def test_a_server_that_never_answers_sees_an_effect_of_class_once_one_time(server: Server) -> None:
    with pytest.raises(AwsError, match="ReadTimeoutError"):
        ask(api_at(server.url), 0.3, attempts=1)
    assert server.requests == 1


def test_the_second_attempt_may_take_what_the_first_has_left(server: Server) -> None:
    server.answers = [None, http("200 OK", b'{"Meeting": {"MeetingId": "m"}}')]
    assert ask(api_at(server.url), 1.0)["Meeting"] == {"MeetingId": "m"}


@pytest.mark.parametrize(
    "answer",
    [
        http("200 OK", b"<html>Welcome to the hotel</html>", b"text/html"),
        http("200 OK", b'{"Meeting": '),
        http("200 OK", b"[1, 2]"),
        http("200 OK", b'{"Meeting": "gone"}'),
        b"no HTTP at all\r\n\r\n",
        b"",
    ],
)
def test_garbage_is_an_error_or_an_answer_without_what_was_asked(server: Server, answer: bytes) -> None:
    server.answers = [answer] * 2
    try:
        found = ask(api_at(server.url), 1.0)
    except AwsError:
        return
    assert text_at(found, "Meeting", "MeetingId") == ""


def test_a_server_that_is_not_there_is_an_error() -> None:
    with pytest.raises(AwsError, match="EndpointConnectionError"):
        ask(api_at("http://127.0.0.1:9"))


@pytest.mark.parametrize(
    ("says", "certain"),
    [
        ([("BadRequestException", 400)], True),
        ([("ThrottledClientException", 429), ("ThrottledClientException", 429)], True),
        ([("ServiceUnavailableException", 503), ("ServiceUnavailableException", 503)], False),
        ([("ServiceFailureException", 500), ("BadRequestException", 400)], False),
        ([("ThrottledClientException", 429), ("ForbiddenException", 403)], True),
    ],
)
def test_an_error_says_whether_something_may_have_happened(
    aws: Stubber, says: list[tuple[str, int]], certain: bool
) -> None:
    for code, status in says:
        refuse(aws, code, status)
    with pytest.raises(AwsError) as error:
        ask(Api(aws.client, clock=Time()))
    assert error.value.certain is certain


def test_what_was_never_sent_certainly_did_not_happen(aws: Stubber) -> None:
    with pytest.raises(AwsError) as error:
        ask(Api(aws.client, clock=Time()), timeout_s=0.0)
    assert error.value.certain


def test_silence_is_not_certain(server: Server) -> None:
    with pytest.raises(AwsError) as error:
        ask(api_at(server.url), 0.3, attempts=1)
    assert not error.value.certain
