"""The meeting adapter of flows (services/aws/meetings.py) against the control plane, with real boto3 clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from simulator.api.kit import Served, served
from sma_flows.errors import ServiceError
from sma_flows.services.aws.client import Aws
from sma_flows.services.aws.meetings import AwsMeetings
from sma_flows.services.digests import Digests
from sma_flows.services.local.database import Database
from sma_flows.services.local.directory import LocalDirectory
from sma_flows.simulator.api.faults import Fault

MINUTE = 60_000
NOW = 1_795_168_800.0
ENV = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}


@contextmanager
def adapter() -> Iterator[tuple[Served, AwsMeetings]]:
    with served() as desk:
        env = {**ENV, "AWS_ENDPOINT_URL_CHIME_SDK_MEETINGS": desk.url}
        names = LocalDirectory(Database("memory"), Digests())
        yield desk, AwsMeetings(Aws(env).api("chime-sdk-meetings"), names)


def seats(desk: Served) -> list[str]:
    now = desk.plane.now_ms
    return [each.external for one in desk.plane.meetings.living(now) for each in one.attendees.values()]


def asked(desk: Served) -> list[str]:
    return [one.operation for one in desk.plane.seen]


def test_a_meeting_is_opened_found_and_closed_by_its_name() -> None:
    with adapter() as (_desk, port):
        room = port.open("standup", "", NOW, 5)
        assert port.open("standup", "", NOW, 5) == room == port.find("standup", NOW, 5)
        port.close("standup", NOW, 5)
        port.close("standup", NOW, 5)
        assert port.find("standup", NOW, 5) is None
        assert port.open("standup", "", NOW, 5) != room
        assert port.find("never opened", NOW, 5) is None


def test_a_meeting_that_was_empty_for_five_minutes_is_replaced() -> None:
    with adapter() as (desk, port):
        room = port.open("standup", "", NOW, 5)
        desk.exchange.wait(5 * MINUTE)
        assert port.find("standup", NOW, 5) is None
        assert port.open("standup", "", NOW, 5) != room


def test_an_effect_token_is_one_seat_and_leaving_twice_is_a_success() -> None:
    with adapter() as (desk, port):
        room = port.open("standup", "", NOW, 5)
        seat = port.attend(room, "token-1", NOW, 5)
        assert port.attend(room, "token-1", NOW, 5) == seat
        assert desk.plane.meetings.admits(room, seat.join_token, desk.plane.now_ms)
        port.leave(room, seat.id, NOW, 5)
        port.leave(room, seat.id, NOW, 5)
        assert seats(desk) == []


def test_a_roster_of_more_than_a_page_is_whole() -> None:
    with adapter() as (desk, port):
        room = port.open("standup", "", NOW, 5)
        tokens = [f"token-{number:03d}" for number in range(230)]
        made = [port.attend(room, token, NOW, 5).id for token in tokens]
        assert list(port.roster(room, 5)) == made
        assert asked(desk).count("ListAttendees") == 3


def test_one_throttled_request_is_made_again_and_a_second_is_not() -> None:
    with adapter() as (desk, port):
        room = port.open("standup", "", NOW, 5)
        desk.plane.faults.add(Fault("CreateAttendee", "throttle"))
        assert port.attend(room, "token-1", NOW, 5)
        desk.plane.faults.add(Fault("CreateAttendee", "throttle", times=0))
        with pytest.raises(ServiceError, match="ThrottlingException"):
            port.attend(room, "token-2", NOW, 5)
        assert asked(desk).count("CreateAttendee") == 4


@pytest.mark.parametrize("kind", ["deny", "unauthorized", "failure", "garbage", "empty"])
def test_what_the_service_says_instead_of_a_seat_is_a_service_error(kind: Any) -> None:
    with adapter() as (desk, port):
        room = port.open("standup", "", NOW, 5)
        desk.plane.faults.add(Fault("CreateAttendee", kind, times=0))
        with pytest.raises(ServiceError, match=r"^create_attendee"):
            port.attend(room, "token-1", NOW, 5)
        assert seats(desk) == []


def test_an_answer_that_is_lost_makes_no_second_seat() -> None:
    """The work was done and nobody was told: asking again with the same token gives the seat that was made."""
    with adapter() as (desk, port):
        room = port.open("standup", "", NOW, 5)
        desk.plane.faults.add(Fault("CreateAttendee", "lost_answer", seconds=0))
        seat = port.attend(room, "token-1", NOW, 5)
        assert seats(desk) == ["token-1"]
        assert port.attend(room, "token-1", NOW, 5) == seat


def test_a_service_that_does_not_answer_is_given_up_within_the_budget() -> None:
    with adapter() as (desk, port):
        room = port.open("standup", "", NOW, 5)
        desk.plane.faults.add(Fault("CreateAttendee", "time_out", times=0))
        with pytest.raises(ServiceError):
            port.attend(room, "token-1", NOW, 0.6)
        assert asked(desk).count("CreateAttendee") == 2
        assert seats(desk) == []
