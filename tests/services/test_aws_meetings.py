from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from sma_flows.errors import ServiceError
from sma_flows.services.aws.meetings import CONNECT_S, READ_STEPS_S, AwsMeetings, client_config
from sma_flows.services.local.database import Database
from sma_flows.services.local.directory import LocalDirectory

from .world import an_ask, perform, reasons, services

MEETING = "11111111-2222-3333-4444-555555555555"
SEAT = "66666666-7777-8888-9999-000000000000"
TOKEN = "abcdefghijklmnopqrstuvwxyz"
ATTENDEE = {"AttendeeId": SEAT, "ExternalUserId": TOKEN, "JoinToken": "join-token"}


SESSION = boto3.session.Session("testing", "testing", region_name="us-east-1")


def client(read_s: float = 2.0, **more: Any) -> Any:
    return SESSION.client("chime-sdk-meetings", config=client_config(read_s), **more)


class Time:
    """A monotonic clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def aws() -> Iterator[Stubber]:
    with Stubber(client()) as stub:
        yield stub
        stub.assert_no_pending_responses()


def meetings(stub: Stubber, **more: Any) -> AwsMeetings:
    return AwsMeetings({2.0: stub.client}, **more)


def throttled(stub: Stubber, operation: str, code: str = "ThrottlingException", status: int = 429) -> None:
    stub.add_client_error(operation, code, "the text of the service", status)


def test_an_attendee_is_created_with_the_effect_token_as_external_id(aws: Stubber) -> None:
    aws.add_response("create_attendee", {"Attendee": ATTENDEE}, {"MeetingId": MEETING, "ExternalUserId": TOKEN})
    seat = meetings(aws).attend(MEETING, TOKEN, 2)
    assert (seat.id, seat.join_token) == (SEAT, "join-token")


def test_a_throttled_attempt_is_made_once_more(aws: Stubber) -> None:
    throttled(aws, "create_attendee")
    aws.add_response("create_attendee", {"Attendee": ATTENDEE})
    assert meetings(aws).attend(MEETING, TOKEN, 2).id == SEAT


def test_there_is_no_third_attempt(aws: Stubber) -> None:
    throttled(aws, "create_attendee")
    throttled(aws, "create_attendee", "ServiceUnavailableException", 503)
    with pytest.raises(ServiceError, match=r"^create_attendee: ServiceUnavailableException$"):
        meetings(aws).attend(MEETING, TOKEN, 2)


def test_there_is_no_second_attempt_when_no_time_is_left(aws: Stubber) -> None:
    time = Time()
    aws.client.meta.events.register("before-parameter-build", lambda **_: setattr(time, "now", time.now + 1.9))
    throttled(aws, "create_attendee")
    with pytest.raises(ServiceError, match="ThrottlingException"):
        meetings(aws, monotonic=time).attend(MEETING, TOKEN, 2)


@pytest.mark.parametrize("code", ["NotFoundException", "LimitExceededException", "ForbiddenException"])
def test_other_errors_are_not_tried_again_and_their_text_is_told_to_nobody(aws: Stubber, code: str) -> None:
    throttled(aws, "create_attendee", code, 404)
    with pytest.raises(ServiceError) as raised:
        meetings(aws).attend(MEETING, TOKEN, 2)
    assert str(raised.value) == f"create_attendee: {code}"


def test_an_attendee_without_join_token_is_none(aws: Stubber) -> None:
    aws.add_response("create_attendee", {"Attendee": {"AttendeeId": SEAT}})
    with pytest.raises(ServiceError, match="no join token"):
        meetings(aws).attend(MEETING, TOKEN, 2)


def test_nothing_is_sent_without_time(aws: Stubber) -> None:
    with pytest.raises(ServiceError, match="no time left"):
        meetings(aws).attend(MEETING, TOKEN, 0.1)


def test_leaving_twice_is_a_success(aws: Stubber) -> None:
    parameters = {"MeetingId": MEETING, "AttendeeId": SEAT}
    aws.add_response("delete_attendee", {}, parameters)
    throttled(aws, "delete_attendee", "NotFoundException", 404)
    for _ in range(2):
        meetings(aws).leave(MEETING, SEAT, 2)


def test_the_roster_is_read_to_its_end(aws: Stubber) -> None:
    others = [{"AttendeeId": f"attendee-{n}"} for n in range(3)]
    aws.add_response(
        "list_attendees", {"Attendees": others[:2], "NextToken": "more"}, {"MeetingId": MEETING, "MaxResults": 100}
    )
    aws.add_response(
        "list_attendees", {"Attendees": others[2:]}, {"MeetingId": MEETING, "MaxResults": 100, "NextToken": "more"}
    )
    assert meetings(aws).roster(MEETING, 2) == ("attendee-0", "attendee-1", "attendee-2")


def test_opening_sends_the_same_request_token_for_the_same_name(aws: Stubber) -> None:
    tokens = []
    aws.client.meta.events.register(
        "before-parameter-build", lambda params, **_: tokens.append(params["ClientRequestToken"])
    )
    for _ in range(2):
        aws.add_response(
            "create_meeting",
            {"Meeting": {"MeetingId": MEETING}},
            {"ClientRequestToken": ANY, "ExternalMeetingId": ANY, "MediaRegion": "eu-central-1"},
        )
        assert meetings(aws).open("weekly", "eu-central-1", 2) == MEETING
    assert len(set(tokens)) == 1


def test_a_meeting_is_found_and_closed_by_the_name_under_which_it_was_opened(aws: Stubber) -> None:
    made = meetings(aws, names=LocalDirectory(Database("memory")))
    assert made.find("weekly", 2) is None
    made.close("weekly", 2)
    aws.add_response("create_meeting", {"Meeting": {"MeetingId": MEETING}})
    aws.add_response("get_meeting", {"Meeting": {"MeetingId": MEETING}}, {"MeetingId": MEETING})
    aws.add_response("delete_meeting", {}, {"MeetingId": MEETING})
    throttled(aws, "get_meeting", "NotFoundException", 404)
    throttled(aws, "delete_meeting", "NotFoundException", 404)
    made.open("weekly", "us-east-1", 2)
    assert made.find("weekly", 2) == MEETING
    made.close("weekly", 2)
    assert made.find("weekly", 2) is None
    made.close("weekly", 2)


def test_without_a_store_no_meeting_is_found_by_name(aws: Stubber) -> None:
    with pytest.raises(ServiceError, match="no store"):
        meetings(aws).find("weekly", 2)


def test_the_client_is_the_one_that_reads_no_longer_than_there_is_time() -> None:
    made = AwsMeetings(dict.fromkeys(READ_STEPS_S))
    made._clients = {step: str(step) for step in READ_STEPS_S}
    chosen = [made._client(left) for left in (9.0, 2.0, 1.9, 0.7, 0.5, 0.3, 0.16, 0.1, -1.0)]
    assert chosen == ["2.0", "2.0", "1.5", "0.7", "0.4", "0.2", "0.2", None, None]


def test_a_client_tries_once_and_waits_shortly() -> None:
    settings = client(0.7).meta.config
    assert (settings.connect_timeout, settings.read_timeout) == (CONNECT_S, 0.7)
    assert settings.retries["total_max_attempts"] == 1


def test_clients_are_made_when_the_adapter_is() -> None:
    made = AwsMeetings.from_env({"AWS_REGION": "us-east-1"})
    assert list(made._clients) == list(READ_STEPS_S)


@pytest.fixture
def silent_server() -> Iterator[tuple[str, list[bytes]]]:
    """A server that takes requests and never answers; and what it was sent."""
    requests: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            open_ones.append(connection)
            requests.append(connection.recv(65536))

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    for connection in open_ones:
        connection.close()


def test_a_server_that_never_answers_sees_two_requests_and_the_call_goes_on(
    silent_server: tuple[str, list[bytes]],
) -> None:
    url, requests = silent_server
    made = AwsMeetings({0.2: client(0.2, endpoint_url=url)})
    with pytest.raises(ServiceError, match="create_attendee: ReadTimeoutError"):
        made.attend(MEETING, TOKEN, 2)
    assert len(requests) == 2


def test_a_server_that_nobody_answers_at_is_failed() -> None:
    made = AwsMeetings({0.2: client(0.2, endpoint_url="http://127.0.0.1:9")})
    with pytest.raises(ServiceError, match="EndpointConnectionError"):
        made.attend(MEETING, TOKEN, 2)


def test_a_failing_meeting_service_is_the_outcome_failed(aws: Stubber) -> None:
    throttled(aws, "create_attendee", "NotFoundException", 404)
    made = services()
    made.ports = type(made.ports)(meetings=meetings(aws))
    assert perform(made, an_ask(MEETING, port="meetings.attend")).outcome == "failed"
    assert reasons(made) == ["port"]
