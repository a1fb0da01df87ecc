"""Channels and messages through unmodified boto3 clients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulator.api.kit import fails, served

INSTANCE = "arn:aws:chime:us-east-1:111122223333:app-instance/11111111-2222-3333-4444-555555555555"
ANN, BOB, EVE, BOT = (f"{INSTANCE}/{who}" for who in ("user/ann", "user/bob", "user/eve", "bot/helper"))
STRANGER = INSTANCE.replace("1111-2222", "9999-2222") + "/user/ann"
BEGAN = datetime.fromtimestamp(1_795_000_000, UTC)


def channel(client: Any, token: str = "token-1", bearer: str = ANN, **more: Any) -> str:
    values = {"AppInstanceArn": INSTANCE, "Name": "desk", "ClientRequestToken": token, "ChimeBearer": bearer, **more}
    return str(client.create_channel(**values)["ChannelArn"])


def send(client: Any, to: str, content: str = "A call was missed.", token: str = "message-1", **more: Any) -> str:
    values = {"Type": "STANDARD", "Persistence": "PERSISTENT", "ClientRequestToken": token, "ChimeBearer": ANN, **more}
    answer = client.send_channel_message(ChannelArn=to, Content=content, **values)
    assert answer["Status"] == {"Value": "SENT"}
    return str(answer["MessageId"])


def contents(client: Any, of: str, bearer: str = ANN, **more: Any) -> list[str]:
    listed = client.list_channel_messages(ChannelArn=of, ChimeBearer=bearer, **more)
    return [one["Content"] for one in listed["ChannelMessages"]]


def test_a_message_reaches_the_channel_once_for_each_token() -> None:
    with served() as desk:
        client = desk.client("chime-sdk-messaging")
        desk_ = channel(client, Metadata="m")
        first = send(client, desk_, Metadata="about a call")
        assert send(client, desk_, Metadata="about a call") == first
        desk.exchange.wait(1_000)
        assert send(client, desk_, "Another.", "message-2") != first
        with fails("ConflictException", 409):
            send(client, desk_, "Something else.", "message-2")
        assert contents(client, desk_) == ["Another.", "A call was missed."]
        assert contents(client, desk_, SortOrder="ASCENDING") == ["A call was missed.", "Another."]
        assert contents(client, desk_, NotBefore=BEGAN + timedelta(seconds=1)) == ["Another."]
        assert contents(client, desk_, NotAfter=BEGAN) == ["A call was missed."]
        (kept,) = client.list_channel_messages(ChannelArn=desk_, ChimeBearer=ANN, MaxResults=1)["ChannelMessages"]
        assert (kept["Sender"], kept["Type"]) == ({"Arn": ANN}, "STANDARD")
        assert kept["CreatedTimestamp"] == BEGAN + timedelta(seconds=1)
        told = client.describe_channel(ChannelArn=desk_, ChimeBearer=ANN)["Channel"]
        assert (told["Name"], told["Mode"], told["Privacy"], told["Metadata"]) == (
            "desk",
            "UNRESTRICTED",
            "PRIVATE",
            "m",
        )
        assert told["LastMessageTimestamp"] == BEGAN + timedelta(seconds=1)


def test_a_message_that_is_not_kept_is_not_listed_and_a_control_message_is_short() -> None:
    with served() as desk:
        client = desk.client("chime-sdk-messaging")
        desk_ = channel(client)
        send(client, desk_, Persistence="NON_PERSISTENT")
        send(client, desk_, "x" * 30, "message-2", Type="CONTROL")
        assert contents(client, desk_) == ["x" * 30]
        for wrong in ({"Type": "CONTROL", "content": "x" * 31}, {"content": "x" * 4097}):
            with fails("BadRequestException"):
                send(client, desk_, **{"token": "message-3", **wrong})
        with fails("BadRequestException"):
            send(client, desk_, "x", "message-4", Type="CONTROL", Metadata="no")


def test_a_channel_is_made_once_for_each_token_and_id() -> None:
    with served() as desk:
        client = desk.client("chime-sdk-messaging")
        made = channel(client, ChannelId="front-desk", MemberArns=[BOB], ModeratorArns=[BOT])
        assert made == f"{INSTANCE}/channel/front-desk"
        assert channel(client, ChannelId="front-desk", MemberArns=[BOB], ModeratorArns=[BOT]) == made
        with fails("ConflictException"):
            channel(client)
        with fails("ConflictException"):
            channel(client, "token-2", ChannelId="front-desk")
        with fails("ForbiddenException", 403):
            channel(client, "token-3", bearer=STRANGER)
        with fails("BadRequestException"):
            channel(client, "token-4", MemberArns=[STRANGER])
        members = client.list_channel_memberships(ChannelArn=made, ChimeBearer=BOB)["ChannelMemberships"]
        assert [one["Member"]["Arn"] for one in members] == [ANN, BOB, BOT]


def test_members_come_and_go() -> None:
    with served() as desk:
        client = desk.client("chime-sdk-messaging")
        desk_ = channel(client)
        add = client.create_channel_membership
        values = {"ChannelArn": desk_, "MemberArn": BOB, "ChimeBearer": ANN}
        with fails("ForbiddenException"):
            send(client, desk_, ChimeBearer=BOB)
        assert add(**values, Type="DEFAULT")["Member"] == {"Arn": BOB}
        with fails("ConflictException", 409):
            add(**values, Type="DEFAULT")
        with fails("NotFoundException", 404):
            add(**{**values, "ChannelArn": f"{INSTANCE}/channel/nowhere"}, Type="DEFAULT")
        with fails("BadRequestException"):
            add(**{**values, "MemberArn": STRANGER}, Type="DEFAULT")
        with fails("ForbiddenException"):
            add(ChannelArn=desk_, MemberArn=BOT, ChimeBearer=EVE, Type="DEFAULT")
        send(client, desk_, ChimeBearer=BOB)
        told = client.describe_channel_membership(**values)["ChannelMembership"]
        assert (told["InvitedBy"], told["Type"]) == ({"Arn": ANN}, "DEFAULT")
        add(ChannelArn=desk_, MemberArn=BOT, ChimeBearer=BOB, Type="HIDDEN")
        hidden = client.list_channel_memberships(ChannelArn=desk_, ChimeBearer=ANN, Type="HIDDEN")
        assert [one["Member"]["Arn"] for one in hidden["ChannelMemberships"]] == [BOT]
        with fails("ForbiddenException"):
            client.delete_channel_membership(ChannelArn=desk_, MemberArn=ANN, ChimeBearer=BOB)
        client.delete_channel_membership(**values)
        client.delete_channel_membership(**values)
        with fails("NotFoundException"):
            client.describe_channel_membership(**values)
        with fails("ForbiddenException"):
            client.describe_channel(ChannelArn=desk_, ChimeBearer=BOB)


def test_a_restricted_channel_grows_by_its_moderators_and_a_public_one_is_for_all_eyes() -> None:
    with served() as desk:
        client = desk.client("chime-sdk-messaging")
        desk_ = channel(client, Mode="RESTRICTED", Privacy="PUBLIC", MemberArns=[BOB])
        with fails("ForbiddenException"):
            client.create_channel_membership(ChannelArn=desk_, MemberArn=BOT, Type="DEFAULT", ChimeBearer=BOB)
        client.create_channel_membership(ChannelArn=desk_, MemberArn=BOT, Type="DEFAULT", ChimeBearer=ANN)
        assert contents(client, desk_, bearer=EVE) == []
        with fails("ForbiddenException"):
            client.delete_channel(ChannelArn=desk_, ChimeBearer=BOB)
        client.delete_channel(ChannelArn=desk_, ChimeBearer=ANN)
        with fails("ForbiddenException"):
            send(client, desk_)


def test_users_have_names_that_are_shown_beside_what_they_do() -> None:
    with served() as desk:
        identity, client = desk.client("chime-sdk-identity"), desk.client("chime-sdk-messaging")
        instance = identity.create_app_instance(Name="lines", ClientRequestToken="token-1")["AppInstanceArn"]
        assert identity.create_app_instance(Name="lines", ClientRequestToken="token-1")["AppInstanceArn"] == instance
        with fails("ConflictException"):
            identity.create_app_instance(Name="others", ClientRequestToken="token-1")
        values = {
            "AppInstanceArn": instance,
            "AppInstanceUserId": "ann",
            "Name": "Ann",
            "ClientRequestToken": "token-2",
        }
        ann = identity.create_app_instance_user(**values)["AppInstanceUserArn"]
        assert identity.create_app_instance_user(**values)["AppInstanceUserArn"] == ann == f"{instance}/user/ann"
        with fails("ConflictException"):
            identity.create_app_instance_user(**{**values, "ClientRequestToken": "token-3"})
        with fails("BadRequestException"):
            identity.create_app_instance_user(**{**values, "AppInstanceArn": ann, "ClientRequestToken": "token-4"})
        told = identity.describe_app_instance_user(AppInstanceUserArn=ann)["AppInstanceUser"]
        assert (told["Name"], told["CreatedTimestamp"]) == ("Ann", BEGAN)
        with fails("ForbiddenException"):
            identity.describe_app_instance_user(AppInstanceUserArn=f"{instance}/user/bob")
        desk_ = channel(client, AppInstanceArn=instance, bearer=ann)
        listed = client.list_channel_memberships(ChannelArn=desk_, ChimeBearer=ann)["ChannelMemberships"]
        assert listed == [{"Member": {"Arn": ann, "Name": "Ann"}}]


def test_lists_come_in_pages() -> None:
    with served() as desk:
        client = desk.client("chime-sdk-messaging")
        desk_ = channel(client)
        for number in range(5):
            send(client, desk_, f"m{number}", f"message-{number}")
        first = client.list_channel_messages(ChannelArn=desk_, ChimeBearer=ANN, MaxResults=3)
        rest = contents(client, desk_, NextToken=first["NextToken"])
        assert [one["Content"] for one in first["ChannelMessages"]] + rest == ["m4", "m3", "m2", "m1", "m0"]


def test_sending_is_throttled_for_each_bearer_and_each_channel() -> None:
    with served(rates={}) as desk:
        client = desk.client("chime-sdk-messaging")
        one, other = (channel(client, f"token-{n}", MemberArns=[BOB, BOT, EVE]) for n in range(2))
        for number in range(10):
            send(client, one, "x", f"message-{number}")
        with fails("ThrottledClientException", 429):
            send(client, other, "x", "message-10")
        for number in range(10):
            send(client, one, "x", f"b-{number}", ChimeBearer=BOB)
        for number in range(10):
            send(client, one, "x", f"c-{number}", ChimeBearer=BOT)
        with fails("ThrottledClientException"):
            send(client, one, "x", "d-1", ChimeBearer=EVE)
        send(client, other, "x", "d-2", ChimeBearer=EVE)
        desk.exchange.wait(1_000)
        send(client, one, "x", "d-3", ChimeBearer=EVE)


@pytest.mark.parametrize(
    "wrong",
    [{"bearer": "nobody"}, {"token": "no spaces"}, {"Name": "x" * 257}, {"MemberArns": [BOB] * 11}, {"Mode": "OPEN"}],
    ids=str,
)
def test_values_out_of_bounds_are_bad_requests(wrong: dict[str, Any]) -> None:
    with served() as desk, fails("BadRequestException", 400):
        channel(desk.client("chime-sdk-messaging"), **wrong)
