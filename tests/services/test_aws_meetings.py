"""Meetings of AWS, with botocore's Stubber: it checks every request and every answer against the service model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.stub import ANY, Stubber

from sma_flows.errors import ServiceError
from sma_flows.services.aws.client import Api
from sma_flows.services.aws.meetings import NAMES, AwsMeetings, meeting_arn
from sma_flows.services.digests import Digests
from sma_flows.services.local.database import Database
from sma_flows.services.local.directory import LocalDirectory
from sma_flows.services.ports import Ports

from .stand_ins import stubbed
from .world import NOW, an_ask, perform, reasons, services

MEETING = "11111111-2222-3333-4444-555555555555"
NEXT = "11111111-2222-3333-4444-666666666666"
SEAT = "66666666-7777-8888-9999-000000000000"
TOKEN = "abcdefghijklmnopqrstuvwxyz"
ATTENDEE = {"AttendeeId": SEAT, "ExternalUserId": TOKEN, "JoinToken": "join-token"}
ALIVE = {"Meeting": {"MeetingId": MEETING, "ExternalMeetingId": "sf-weekly"}}
WAIT = 2.0


@pytest.fixture
def aws() -> Iterator[Stubber]:
    with stubbed("chime-sdk-meetings") as stub:
        yield stub


def meetings(stub: Stubber, names: LocalDirectory | None = None) -> AwsMeetings:
    return AwsMeetings(Api(stub.client), names)


def names() -> LocalDirectory:
    return LocalDirectory(Database("memory"), Digests())


def refuse(stub: Stubber, operation: str, code: str, status: int = 404) -> None:
    stub.add_client_error(operation, code, "the text of the service", status)


# --- seats -------------------------------------------------------------------------------------------------------


def test_an_attendee_is_created_with_the_effect_token_as_external_id(aws: Stubber) -> None:
    aws.add_response("create_attendee", {"Attendee": ATTENDEE}, {"MeetingId": MEETING, "ExternalUserId": TOKEN})
    seat = meetings(aws).attend(MEETING, TOKEN, NOW, WAIT)
    assert (seat.id, seat.join_token) == (SEAT, "join-token")


def test_an_attendee_without_join_token_is_none(aws: Stubber) -> None:
    aws.add_response("create_attendee", {"Attendee": {"AttendeeId": SEAT}})
    with pytest.raises(ServiceError, match="no join token"):
        meetings(aws).attend(MEETING, TOKEN, NOW, WAIT)


def test_one_who_leaves_while_others_are_there_ends_nothing(aws: Stubber) -> None:
    aws.add_response("delete_attendee", {}, {"MeetingId": MEETING, "AttendeeId": SEAT})
    aws.add_response("list_attendees", {"Attendees": [ATTENDEE]}, {"MeetingId": MEETING, "MaxResults": 1})
    meetings(aws).leave(MEETING, SEAT, NOW, WAIT)


def test_the_last_one_out_ends_a_meeting_that_was_opened_by_name(aws: Stubber) -> None:
    aws.add_response("delete_attendee", {})
    aws.add_response("list_attendees", {"Attendees": []})
    aws.add_response("get_meeting", ALIVE, {"MeetingId": MEETING})
    aws.add_response("delete_meeting", {}, {"MeetingId": MEETING})
    meetings(aws).leave(MEETING, SEAT, NOW, WAIT)


def test_a_meeting_of_somebody_else_is_left_alone(aws: Stubber) -> None:
    aws.add_response("delete_attendee", {})
    aws.add_response("list_attendees", {"Attendees": []})
    aws.add_response("get_meeting", {"Meeting": {"MeetingId": MEETING, "ExternalMeetingId": "board"}})
    meetings(aws).leave(MEETING, SEAT, NOW, WAIT)


def test_leaving_twice_is_a_success(aws: Stubber) -> None:
    refuse(aws, "delete_attendee", "NotFoundException")
    refuse(aws, "list_attendees", "NotFoundException")
    meetings(aws).leave(MEETING, SEAT, NOW, WAIT)


def test_whoever_has_left_has_left_also_when_the_meeting_cannot_be_ended(aws: Stubber) -> None:
    aws.add_response("delete_attendee", {})
    refuse(aws, "list_attendees", "ForbiddenException", 403)
    meetings(aws).leave(MEETING, SEAT, NOW, WAIT)


def test_the_roster_is_read_to_its_end(aws: Stubber) -> None:
    others = [{"AttendeeId": f"attendee-{n}"} for n in range(3)]
    aws.add_response(
        "list_attendees", {"Attendees": others[:2], "NextToken": "more"}, {"MeetingId": MEETING, "MaxResults": 100}
    )
    aws.add_response(
        "list_attendees", {"Attendees": others[2:]}, {"MeetingId": MEETING, "MaxResults": 100, "NextToken": "more"}
    )
    assert meetings(aws).roster(MEETING, WAIT) == ("attendee-0", "attendee-1", "attendee-2")


@pytest.mark.parametrize(("muted", "audio"), [(True, "Receive"), (False, "SendReceive")])
def test_muting_leaves_picture_and_content_as_they_are(aws: Stubber, muted: bool, audio: str) -> None:
    may = {"Audio": "SendReceive", "Video": "None", "Content": "Receive"}
    aws.add_response("get_attendee", {"Attendee": {**ATTENDEE, "Capabilities": may}})
    changed = {"MeetingId": MEETING, "AttendeeId": SEAT, "Capabilities": {**may, "Audio": audio}}
    aws.add_response("update_attendee_capabilities", {"Attendee": ATTENDEE}, changed)
    meetings(aws).mute(MEETING, SEAT, muted, WAIT)


def test_muting_one_who_has_left_is_a_success(aws: Stubber) -> None:
    refuse(aws, "get_attendee", "NotFoundException")
    meetings(aws).mute(MEETING, SEAT, True, WAIT)


# --- names -------------------------------------------------------------------------------------------------------


class Tokens:
    """The request tokens with which meetings were created."""

    def __init__(self, stub: Stubber) -> None:
        self.seen: list[str] = []
        stub.client.meta.events.register(
            "before-parameter-build.chime-sdk-meetings.CreateMeeting",
            lambda params, **_: self.seen.append(params["ClientRequestToken"]),
        )


def create(stub: Stubber, meeting: str, region: str = "us-east-1") -> None:
    expected = {"ClientRequestToken": ANY, "ExternalMeetingId": ANY, "MediaRegion": region}
    stub.add_response("create_meeting", {"Meeting": {"MeetingId": meeting}}, expected)


def test_who_opens_the_same_name_at_the_same_time_sends_the_same_token(aws: Stubber) -> None:
    tokens = Tokens(aws)
    for _ in range(2):
        create(aws, MEETING, "eu-central-1")
        aws.add_response("get_meeting", ALIVE)
        assert meetings(aws).open("weekly", "eu-central-1", NOW, WAIT) == MEETING
    assert len(set(tokens.seen)) == 1


def test_a_meeting_that_is_known_and_lives_is_not_created_again(aws: Stubber) -> None:
    known = names()
    known.put(NAMES, "weekly", {"meeting": MEETING}, "any", NOW, WAIT)
    aws.add_response("get_meeting", ALIVE, {"MeetingId": MEETING})
    assert meetings(aws, known).open("weekly", "", NOW, WAIT) == MEETING


def test_a_meeting_that_has_ended_is_replaced_under_its_name_with_another_token(aws: Stubber) -> None:
    known, tokens = names(), Tokens(aws)
    create(aws, MEETING)
    aws.add_response("get_meeting", ALIVE)
    meetings(aws, known).open("weekly", "", NOW, WAIT)
    refuse(aws, "get_meeting", "NotFoundException")
    create(aws, NEXT)
    assert meetings(aws, known).open("weekly", "", NOW, WAIT) == NEXT
    assert len(set(tokens.seen)) == 2
    assert known.find(NAMES, "weekly", WAIT) == {"meeting": NEXT}


@pytest.mark.parametrize("says", ["the old meeting", "conflict"])
def test_whatever_the_service_says_to_a_used_token_the_meeting_lives(aws: Stubber, says: str) -> None:
    """Not documented (contract 10.1): without a memory of names the token is tried, looked at, and made anew."""
    tokens = Tokens(aws)
    if says == "conflict":
        refuse(aws, "create_meeting", "ConflictException", 409)
    else:
        create(aws, MEETING)
        refuse(aws, "get_meeting", "NotFoundException")
    create(aws, NEXT)
    aws.add_response("get_meeting", {"Meeting": {"MeetingId": NEXT}}, {"MeetingId": NEXT})
    assert meetings(aws).open("weekly", "", NOW, WAIT) == NEXT
    assert len(set(tokens.seen)) == 2


def test_there_is_an_end_to_dead_meetings(aws: Stubber) -> None:
    for _ in range(3):
        refuse(aws, "create_meeting", "ConflictException", 409)
    with pytest.raises(ServiceError, match="only meetings that have ended"):
        meetings(aws).open("weekly", "", NOW, WAIT)


def test_a_meeting_without_an_id_is_none(aws: Stubber) -> None:
    aws.add_response("create_meeting", {"Meeting": {}})
    with pytest.raises(ServiceError, match="no meeting"):
        meetings(aws).open("weekly", "", NOW, WAIT)


def test_a_meeting_is_found_and_closed_by_the_name_under_which_it_was_opened(aws: Stubber) -> None:
    made = meetings(aws, names())
    assert made.find("weekly", NOW, WAIT) is None
    made.close("weekly", NOW, WAIT)
    create(aws, MEETING)
    aws.add_response("get_meeting", ALIVE)
    aws.add_response("get_meeting", ALIVE, {"MeetingId": MEETING})
    aws.add_response("delete_meeting", {}, {"MeetingId": MEETING})
    refuse(aws, "get_meeting", "NotFoundException")
    refuse(aws, "delete_meeting", "NotFoundException")
    made.open("weekly", "us-east-1", NOW, WAIT)
    assert made.find("weekly", NOW, WAIT) == MEETING
    made.close("weekly", NOW, WAIT)
    assert made.find("weekly", NOW, WAIT) is None
    made.close("weekly", NOW, WAIT)


def test_without_a_store_no_meeting_is_found_by_name(aws: Stubber) -> None:
    with pytest.raises(ServiceError, match="no store"):
        meetings(aws).find("weekly", NOW, WAIT)


def test_the_arn_of_a_meeting_is_asked_for(aws: Stubber) -> None:
    aws.add_response("get_meeting", {"Meeting": {"MeetingArn": "arn:of:meeting"}}, {"MeetingId": MEETING})
    assert meeting_arn(Api(aws.client), MEETING, WAIT) == "arn:of:meeting"
    aws.add_response("get_meeting", ALIVE)
    with pytest.raises(ServiceError, match="no ARN"):
        meeting_arn(Api(aws.client), MEETING, WAIT)


def test_a_failing_meeting_service_is_the_outcome_failed(aws: Stubber) -> None:
    refuse(aws, "create_attendee", "NotFoundException")
    made = services()
    made.ports = Ports(meetings=meetings(aws))
    assert perform(made, an_ask(MEETING, port="meetings.attend")).outcome == "failed"
    assert reasons(made) == ["port"]


def test_a_meeting_is_shown_as_the_service_shows_it(aws: Stubber) -> None:
    shown = {"MeetingId": MEETING, "MediaRegion": "us-east-1", "MediaPlacement": {"AudioHostUrl": "host"}}
    aws.add_response("get_meeting", {"Meeting": shown}, {"MeetingId": MEETING})
    assert meetings(aws).show(MEETING, WAIT) == shown


def test_a_meeting_that_is_over_cannot_be_shown(aws: Stubber) -> None:
    refuse(aws, "get_meeting", "NotFoundException")
    with pytest.raises(ServiceError):
        meetings(aws).show(MEETING, WAIT)


def test_a_meeting_whose_look_fails_can_still_be_closed_by_its_name(aws: Stubber) -> None:
    known = names()
    create(aws, MEETING)
    for _ in range(2):
        refuse(aws, "get_meeting", "ServiceUnavailableException")
    with pytest.raises(ServiceError):
        meetings(aws, known).open("weekly", "", NOW, WAIT)
    aws.add_response("delete_meeting", {}, {"MeetingId": MEETING})
    meetings(aws, known).close("weekly", NOW, WAIT)


def test_an_answer_without_a_meeting_is_no_reason_to_make_another_one(aws: Stubber) -> None:
    create(aws, MEETING)
    aws.add_response("get_meeting", {})
    with pytest.raises(ServiceError):
        meetings(aws, names()).open("weekly", "", NOW, WAIT)
