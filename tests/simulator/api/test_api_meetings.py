"""The meeting operations through an unmodified boto3 client."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.api.kit import OURS, THEIRS, Served, fails, served
from simulator.kit import join, reply

NOBODY = "11111111-2222-3333-4444-555555555555"
MINUTE = 60_000


def create(client: Any, token: str = "room-7", **more: Any) -> dict[str, Any]:
    values = {"ClientRequestToken": token, "ExternalMeetingId": "weekly", "MediaRegion": "us-east-1", **more}
    meeting: dict[str, Any] = client.create_meeting(**values)["Meeting"]
    return meeting


def test_a_meeting_is_created_once_found_and_deleted() -> None:
    with served() as desk:
        client = desk.client("chime-sdk-meetings")
        meeting = create(client, MeetingHostId="host", MeetingFeatures={"Attendee": {"MaxCount": 9}}, TenantIds=["ab"])
        assert meeting["ExternalMeetingId"] == "weekly"
        assert meeting["MeetingArn"].startswith("arn:aws:chime:us-east-1:111122223333:meeting/")
        assert {"AudioHostUrl", "SignalingUrl"} <= set(meeting["MediaPlacement"])
        assert (meeting["MeetingHostId"], meeting["MeetingFeatures"]) == ("host", {"Attendee": {"MaxCount": 9}})
        again = create(client, MeetingHostId="host", MeetingFeatures={"Attendee": {"MaxCount": 9}}, TenantIds=["ab"])
        assert again == meeting == client.get_meeting(MeetingId=meeting["MeetingId"])["Meeting"]
        with fails("ConflictException", 409):
            create(client)
        answer = client.delete_meeting(MeetingId=meeting["MeetingId"])
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
        for gone in (client.get_meeting, client.delete_meeting):
            with fails("NotFoundException", 404):
                gone(MeetingId=meeting["MeetingId"])


def test_an_empty_meeting_ends_by_itself() -> None:
    with served() as desk:
        client = desk.client("chime-sdk-meetings")
        meeting = create(client)["MeetingId"]
        desk.exchange.wait(5 * MINUTE)
        with fails("NotFoundException"):
            client.get_meeting(MeetingId=meeting)
        assert create(client)["MeetingId"] != meeting


def test_attendees_are_created_listed_changed_and_deleted() -> None:
    with served() as desk:
        client = desk.client("chime-sdk-meetings")
        meeting = create(client)["MeetingId"]
        ann = client.create_attendee(MeetingId=meeting, ExternalUserId="ann")["Attendee"]
        assert client.create_attendee(MeetingId=meeting, ExternalUserId="ann")["Attendee"] == ann
        assert client.get_attendee(MeetingId=meeting, AttendeeId=ann["AttendeeId"])["Attendee"] == ann
        listener = {"Audio": "Receive", "Video": "None", "Content": "None"}
        changed = client.update_attendee_capabilities(
            MeetingId=meeting, AttendeeId=ann["AttendeeId"], Capabilities=listener
        )["Attendee"]
        assert changed == {**ann, "Capabilities": listener}
        batch = client.batch_create_attendee(
            MeetingId=meeting, Attendees=[{"ExternalUserId": f"p{n}"} for n in range(3)] + [{"ExternalUserId": "aws:x"}]
        )
        assert [one["ExternalUserId"] for one in batch["Attendees"]] == ["p0", "p1", "p2"]
        assert [(one["ExternalUserId"], one["ErrorCode"]) for one in batch["Errors"]] == [("aws:x", "BadRequest")]
        seen, more = [], {}
        while True:
            page = client.list_attendees(MeetingId=meeting, MaxResults=3, **more)
            seen += [one["ExternalUserId"] for one in page["Attendees"]]
            if "NextToken" not in page:
                break
            more = {"NextToken": page["NextToken"]}
        assert seen == ["ann", "p0", "p1", "p2"]
        client.delete_attendee(MeetingId=meeting, AttendeeId=ann["AttendeeId"])
        for gone in (client.get_attendee, client.delete_attendee):
            with fails("NotFoundException", 404):
                gone(MeetingId=meeting, AttendeeId=ann["AttendeeId"])


def test_a_meeting_comes_with_its_attendees() -> None:
    with served() as desk:
        client = desk.client("chime-sdk-meetings")
        values = {"ClientRequestToken": "room-7", "ExternalMeetingId": "weekly", "MediaRegion": "us-east-1"}
        attendees = [{"ExternalUserId": f"p{n}"} for n in range(20)]
        made = client.create_meeting_with_attendees(**values, Attendees=attendees)
        assert len(made["Attendees"]) == 20
        assert made["Errors"] == []
        assert client.create_meeting_with_attendees(**values, Attendees=attendees)["Attendees"] == made["Attendees"]
        with fails("BadRequestException"):
            client.create_meeting_with_attendees(**values, Attendees=[*attendees, {"ExternalUserId": "p20"}])


def test_a_transcription_is_started_and_stopped() -> None:
    with served() as desk:
        client = desk.client("chime-sdk-meetings")
        meeting = create(client)["MeetingId"]
        plain = {"EngineTranscribeSettings": {"LanguageCode": "en-US"}}
        medical = {
            "EngineTranscribeMedicalSettings": {"LanguageCode": "en-US", "Specialty": "UROLOGY", "Type": "DICTATION"}
        }
        with fails("UnprocessableEntityException", 422):
            client.stop_meeting_transcription(MeetingId=meeting)
        for wrong in (
            {},
            {**plain, **medical},
            {"EngineTranscribeSettings": {}},
            {"EngineTranscribeSettings": {"LanguageCode": "xx-YY"}},
        ):
            with fails("BadRequestException"):
                client.start_meeting_transcription(MeetingId=meeting, TranscriptionConfiguration=wrong)
        client.start_meeting_transcription(MeetingId=meeting, TranscriptionConfiguration=medical)
        with fails("UnprocessableEntityException"):
            client.start_meeting_transcription(MeetingId=meeting, TranscriptionConfiguration=plain)
        client.stop_meeting_transcription(MeetingId=meeting)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ClientRequestToken": "no spaces"},
        {"ClientRequestToken": "x" * 65},
        {"ExternalMeetingId": "x" * 65},
        {"ExternalMeetingId": "aws:mine"},
        {"MediaRegion": "x" * 65},
        {"MeetingFeatures": {"Attendee": {"MaxCount": 251}}},
        {"MeetingFeatures": {"Video": {"MaxResolution": "8K"}}},
        {"TenantIds": ["aaaa"]},
        {"TenantIds": ["t1", "t2", "t3", "t4", "t5", "t6"]},
        {"Tags": [{"Key": "no spaces", "Value": "v"}]},
    ],
    ids=lambda wrong: "-".join(wrong),
)
def test_values_out_of_bounds_are_bad_requests(wrong: dict[str, Any]) -> None:
    with served() as desk:
        with fails("BadRequestException", 400):
            create(desk.client("chime-sdk-meetings"), **wrong)
        assert desk.plane.meetings.living(0) == ()


def test_ids_that_are_none_are_bad_requests_and_others_are_not_found() -> None:
    with served() as desk:
        client = desk.client("chime-sdk-meetings")
        with fails("BadRequestException"):
            client.get_meeting(MeetingId="nobody")
        with fails("NotFoundException"):
            client.create_attendee(MeetingId=NOBODY, ExternalUserId="ann")
        with fails("NotFoundException"):
            client.batch_create_attendee(MeetingId=NOBODY, Attendees=[{"ExternalUserId": "ann"}])
        with fails("BadRequestException"):
            client.list_attendees(MeetingId=create(client)["MeetingId"], MaxResults=101)
        with fails("BadRequestException"):
            client.list_attendees(MeetingId=create(client)["MeetingId"], NextToken="somewhere")


def test_an_account_has_limits_of_rate_and_number() -> None:
    with served(rates={}) as desk:
        client = desk.client("chime-sdk-meetings")
        for number in range(10):
            create(client, f"room-{number}")
        with fails("ThrottlingException", 429):
            create(client)
        desk.plane.meetings.quota = 10
        desk.exchange.wait(1_000)
        with fails("LimitExceededException", 400):
            create(client, "room-10")


def test_a_call_joins_the_meeting_that_the_application_made_and_leaves_it_when_it_is_deleted() -> None:
    seats: list[dict[str, Any]] = []

    def function(event: dict[str, Any]) -> object:
        if event["InvocationEventType"] != "NEW_INBOUND_CALL":
            return reply()
        return reply(join(MeetingId=meeting, JoinToken=seats[0]["JoinToken"]))

    with served(function) as desk:
        client = desk.client("chime-sdk-meetings")
        meeting = create(client)["MeetingId"]
        seats.append(client.create_attendee(MeetingId=meeting, ExternalUserId="ann")["Attendee"])
        call = desk.admin("POST", "/calls", {"from": THEIRS, "to": OURS})["transaction"]
        assert kinds(desk, call) == ["NEW_INBOUND_CALL", "ACTION_SUCCESSFUL"]
        desk.exchange.wait(60 * MINUTE)
        assert client.get_meeting(MeetingId=meeting)
        client.delete_meeting(MeetingId=meeting)
        assert kinds(desk, call)[2:] == ["HANGUP"]
        assert not desk.exchange.line(call).done.is_set()
        again = desk.admin("POST", "/calls", {"from": THEIRS, "to": OURS})["transaction"]
        assert kinds(desk, again) == ["NEW_INBOUND_CALL", "ACTION_FAILED"]


def test_a_browser_keeps_a_meeting_alive() -> None:
    with served() as desk:
        client = desk.client("chime-sdk-meetings")
        meeting = create(client)["MeetingId"]
        ann = client.create_attendee(MeetingId=meeting, ExternalUserId="ann")["Attendee"]["AttendeeId"]
        seat = f"/meetings/{meeting}/attendees/{ann}"
        assert desk.admin("POST", f"{seat}/join") == {"attendee": ann, "connected": True}
        assert desk.admin("POST", f"{seat}/join")[0] == 409
        desk.exchange.wait(30 * MINUTE)
        assert [one["meeting"] for one in desk.admin("GET", "/meetings")] == [meeting]
        assert desk.admin("POST", f"{seat}/leave")["connected"] is False
        desk.exchange.wait(5 * MINUTE)
        assert desk.admin("GET", "/meetings") == []


def kinds(desk: Served, call: str) -> list[str]:
    return [event["InvocationEventType"] for event in desk.exchange.line(call).phone.events]
