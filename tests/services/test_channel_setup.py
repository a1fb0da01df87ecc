"""Channels and memberships: below ten requests a second, resumable, no duplicates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from sma_flows.errors import ServiceError
from sma_flows.services.aws.channel_setup import BATCH, KEPT, ChannelSetup, Pace, Team
from sma_flows.services.aws.client import Api
from sma_flows.services.digests import Digests
from sma_flows.services.local.database import Database
from sma_flows.services.local.directory import LocalDirectory

from .stand_ins import stubbed
from .test_aws_client import Time

INSTANCE = "arn:aws:chime:us-east-1:111122223333:app-instance/a"
BOT = f"{INSTANCE}/bot/b"
SALES = f"{INSTANCE}/channel/sales"
USERS = tuple(f"{INSTANCE}/user/u{number:03}" for number in range(230))


class Desk:
    """A set-up on a stubbed client, with a clock that stands still unless somebody sleeps."""

    def __init__(self, stub: Stubber, kept: LocalDirectory | None = None) -> None:
        self.stub = stub
        self.time = Time()
        self.sent_at: list[float] = []
        self.kept = kept or LocalDirectory(Database("memory"), Digests())
        stub.client.meta.events.register("before-parameter-build", lambda **_: self.sent_at.append(self.time.at))
        self.setup = ChannelSetup(Api(stub.client, clock=self.time), INSTANCE, BOT, self.kept)

    def lists(self, *channels: dict[str, str], more: str = "") -> None:
        answer: dict[str, Any] = {"Channels": list(channels)}
        self.stub.add_response("list_channels", {**answer, "NextToken": more} if more else answer)

    def creates(self, arn: str, name: str) -> None:
        expected = {
            "AppInstanceArn": INSTANCE,
            "Name": name,
            "Mode": "RESTRICTED",
            "Privacy": "PRIVATE",
            "Metadata": ANY,
            "ClientRequestToken": ANY,
            "ChimeBearer": BOT,
        }
        self.stub.add_response("create_channel", {"ChannelArn": arn}, expected)

    def joins(self, members: tuple[str, ...], errors: tuple[str, ...] = ()) -> None:
        expected = {"ChannelArn": SALES, "Type": "DEFAULT", "MemberArns": list(members), "ChimeBearer": BOT}
        answer = {"Errors": [{"MemberArn": members[0], "ErrorCode": code} for code in errors]}
        self.stub.add_response("batch_create_channel_membership", answer, expected)

    def refuses(self, operation: str, code: str, status: int = 429) -> None:
        self.stub.add_client_error(operation, code, "a text", status)


@pytest.fixture
def messaging() -> Iterator[Stubber]:
    with stubbed("chime-sdk-messaging") as stub:
        yield stub


def test_channels_are_made_and_members_join_in_batches(messaging: Stubber) -> None:
    desk, told = Desk(messaging), []
    desk.lists()
    desk.creates(SALES, "sales")
    for at in range(0, len(USERS), BATCH):
        desk.joins(USERS[at : at + BATCH])
    assert desk.setup.make([Team("sales", USERS)], told.append) == {"sales": SALES}
    assert told == ["1/1 sales: 230 members"]


def test_no_more_than_eight_requests_are_sent_in_a_second(messaging: Stubber) -> None:
    desk = Desk(messaging)
    desk.lists()
    for number in range(40):
        desk.creates(f"{SALES}{number}", f"team{number}")
    desk.setup.make([Team(f"team{number}") for number in range(40)])
    starts = desk.sent_at
    assert all(sum(at <= other < at + 1 for other in starts) <= 9 for at in starts)
    assert starts[-1] == pytest.approx(40 / 8)


def test_what_is_done_is_not_done_again(messaging: Stubber) -> None:
    desk = Desk(messaging)
    desk.lists()
    desk.creates(SALES, "sales")
    desk.joins(USERS[:3])
    team = Team("sales", USERS[:3])
    for _ in range(3):
        assert desk.setup.make([team]) == {"sales": SALES}
    assert len(desk.sent_at) == 3


def test_a_run_that_was_broken_off_goes_on_where_it_was(messaging: Stubber) -> None:
    desk = Desk(messaging)
    desk.lists()
    desk.creates(SALES, "sales")
    desk.joins(USERS[:BATCH])
    desk.refuses("batch_create_channel_membership", "ForbiddenException", 403)
    with pytest.raises(ServiceError, match="ForbiddenException"):
        desk.setup.make([Team("sales", USERS)])
    again = Desk(messaging, desk.kept)
    again.joins(USERS[BATCH : 2 * BATCH])
    again.joins(USERS[2 * BATCH :])
    assert again.setup.make([Team("sales", USERS)]) == {"sales": SALES}


def test_new_members_make_a_new_round_in_which_old_ones_stay(messaging: Stubber) -> None:
    desk = Desk(messaging)
    desk.lists()
    desk.creates(SALES, "sales")
    desk.joins(USERS[:2])
    desk.setup.make([Team("sales", USERS[:2])])
    desk.joins(USERS[:3], errors=("Conflict", "Conflict"))
    desk.setup.make([Team("sales", USERS[:3])])


def test_without_its_record_a_channel_is_found_by_its_mark(messaging: Stubber) -> None:
    marks: list[str] = []
    messaging.client.meta.events.register(
        "before-parameter-build.chime-sdk-messaging.CreateChannel", lambda params, **_: marks.append(params["Metadata"])
    )
    desk = Desk(messaging)
    desk.lists()
    desk.creates(SALES, "sales")
    desk.setup.make([Team("sales")])
    lost = Desk(messaging)
    lost.lists({"ChannelArn": f"{SALES}x", "Name": "sales", "Metadata": "of somebody else"}, more="next")
    lost.lists({"ChannelArn": SALES, "Name": "renamed", "Metadata": marks[0]})
    assert lost.setup.make([Team("sales")]) == {"sales": SALES}
    assert lost.kept.find(KEPT, marks[0].removeprefix("sma-flows:"), 1)


def test_throttling_is_waited_out_and_not_for_ever(messaging: Stubber) -> None:
    desk = Desk(messaging)
    for _ in range(3):
        desk.refuses("list_channels", "ThrottledClientException")
    desk.lists()
    desk.creates(SALES, "sales")
    desk.setup.make([Team("sales")])
    assert desk.time.at > 1
    for _ in range(6):
        desk.refuses("create_channel", "ServiceUnavailableException", 503)
    with pytest.raises(ServiceError, match="ServiceUnavailable"):
        desk.setup.make([Team("support")])


def test_a_member_who_cannot_join_is_an_error(messaging: Stubber) -> None:
    desk = Desk(messaging)
    desk.lists()
    desk.creates(SALES, "sales")
    desk.joins(USERS[:1], errors=("NotFound",))
    with pytest.raises(ServiceError, match="NotFound"):
        desk.setup.make([Team("sales", USERS[:1])])


def test_whoever_was_slow_need_not_wait() -> None:
    time = Time()
    pace = Pace(time)
    pace.wait()
    time.at += 10
    pace.wait()
    assert time.slept == []
    pace.wait()
    assert time.slept == [pytest.approx(0.125)]
