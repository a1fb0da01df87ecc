"""What the messaging and identity operations do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sma_flows.simulator.api.account import page
from sma_flows.simulator.messaging import Draft, Membership, Message
from sma_flows.simulator.refused import RefusedError

if TYPE_CHECKING:
    from sma_flows.simulator.api.plane import ControlPlane, Handler

__all__ = ["HANDLERS"]

Params = Mapping[str, Any]
PAGE: Final = 50
_DETAILS: Final = ("Mode", "Privacy", "Metadata", "ChannelId", "MemberArns", "ModeratorArns")
_SHOWN: Final = ("MessageAttributes", "ContentType", "Target")


def create_instance(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """CreateAppInstance."""
    return {"AppInstanceArn": plane.messaging.create_instance(params["Name"], params["ClientRequestToken"])}


def create_user(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """CreateAppInstanceUser."""
    made = plane.messaging.create_user(
        params["AppInstanceArn"],
        params["AppInstanceUserId"],
        params["Name"],
        params.get("Metadata", ""),
        params["ClientRequestToken"],
        plane.now_ms,
    )
    return {"AppInstanceUserArn": made.arn}


def describe_user(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """DescribeAppInstanceUser."""
    found = plane.messaging.user(params["AppInstanceUserArn"])
    at = plane.seconds(found.made_ms)
    told = {"AppInstanceUserArn": found.arn, "Name": found.name, "CreatedTimestamp": at, "LastUpdatedTimestamp": at}
    return {"AppInstanceUser": told | ({"Metadata": found.metadata} if found.metadata else {})}


def create_channel(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """CreateChannel."""
    made = plane.messaging.create_channel(
        params["AppInstanceArn"],
        params["ChimeBearer"],
        params["Name"],
        params["ClientRequestToken"],
        plane.now_ms,
        {name: params[name] for name in _DETAILS if name in params},
    )
    return {"ChannelArn": made.arn}


def describe_channel(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """DescribeChannel."""
    found = plane.messaging.channel(params["ChannelArn"], params["ChimeBearer"])
    at = plane.seconds(found.made_ms)
    told: dict[str, Any] = {
        "Name": found.name,
        "ChannelArn": found.arn,
        "Mode": found.mode,
        "Privacy": found.privacy,
        "CreatedBy": _identity(plane, found.created_by),
        "CreatedTimestamp": at,
        "LastUpdatedTimestamp": at,
    }
    if found.messages:
        told["LastMessageTimestamp"] = plane.seconds(found.messages[-1].made_ms)
    return {"Channel": told | ({"Metadata": found.metadata} if found.metadata else {})}


def delete_channel(plane: ControlPlane, params: Params) -> None:
    """DeleteChannel."""
    plane.messaging.delete_channel(params["ChannelArn"], params["ChimeBearer"])


def create_membership(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """CreateChannelMembership."""
    made = plane.messaging.add_member(
        params["ChannelArn"], params["MemberArn"], params["Type"], params["ChimeBearer"], plane.now_ms
    )
    return {"ChannelArn": params["ChannelArn"], "Member": _identity(plane, made.member)}


def describe_membership(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """DescribeChannelMembership."""
    channel = params["ChannelArn"]
    found = plane.messaging.membership(channel, params["MemberArn"], params["ChimeBearer"])
    at = plane.seconds(found.made_ms)
    return {
        "ChannelMembership": {
            "InvitedBy": _identity(plane, found.invited_by),
            "Type": found.type,
            "Member": _identity(plane, found.member),
            "ChannelArn": channel,
            "CreatedTimestamp": at,
            "LastUpdatedTimestamp": at,
        }
    }


def list_memberships(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """ListChannelMemberships: those who are not hidden, unless the hidden ones are asked for."""
    channel = plane.messaging.channel(params["ChannelArn"], params["ChimeBearer"])
    wanted = params.get("Type", "DEFAULT")
    found: list[Membership] = [one for one in channel.members.values() if one.type == wanted]
    shown, more = page(found, params, PAGE)
    listed = [{"Member": _identity(plane, one.member)} for one in shown]
    return {"ChannelArn": channel.arn, "ChannelMemberships": listed, **more}


def delete_membership(plane: ControlPlane, params: Params) -> None:
    """DeleteChannelMembership."""
    plane.messaging.remove_member(params["ChannelArn"], params["MemberArn"], params["ChimeBearer"])


def send_message(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """SendChannelMessage."""
    draft = Draft(
        params["Type"],
        params["Content"],
        params["Persistence"] == "PERSISTENT",
        params.get("Metadata", ""),
        {name: params[name] for name in _SHOWN if name in params},
    )
    token = params["ClientRequestToken"]
    ident = plane.messaging.send(params["ChannelArn"], params["ChimeBearer"], draft, token, plane.now_ms)
    return {"ChannelArn": params["ChannelArn"], "MessageId": ident, "Status": {"Value": "SENT"}}


def list_messages(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """ListChannelMessages."""
    begin, end = _seconds(params.get("NotBefore")), _seconds(params.get("NotAfter"))
    ascending = params.get("SortOrder") == "ASCENDING"
    found = [
        one
        for one in plane.messaging.messages(params["ChannelArn"], params["ChimeBearer"], ascending=ascending)
        if (begin is None or plane.seconds(one.made_ms) >= begin) and (end is None or plane.seconds(one.made_ms) <= end)
    ]
    shown, more = page(found, params, PAGE)
    return {"ChannelArn": params["ChannelArn"], "ChannelMessages": [_message(plane, one) for one in shown], **more}


def _identity(plane: ControlPlane, arn: str) -> dict[str, str]:
    name = plane.messaging.name_of(arn)
    return {"Arn": arn, **({"Name": name} if name else {})}


def _message(plane: ControlPlane, message: Message) -> dict[str, Any]:
    at = plane.seconds(message.made_ms)
    told = {
        "MessageId": message.id,
        "Content": message.draft.content,
        "Type": message.draft.type,
        "CreatedTimestamp": at,
        "LastUpdatedTimestamp": at,
        "Sender": _identity(plane, message.sender),
        "Redacted": False,
        "Status": {"Value": "SENT"},
        **message.draft.details,
    }
    return told | ({"Metadata": message.draft.metadata} if message.draft.metadata else {})


def _seconds(text: Any) -> float | None:
    """A time of the query: ISO 8601, or seconds."""
    if text is None:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", str(text)):
        return float(text)
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        raise RefusedError("BadRequestException", "NotBefore and NotAfter are times.") from None


HANDLERS: Final[Mapping[str, Handler]] = {
    "CreateAppInstance": create_instance,
    "CreateAppInstanceUser": create_user,
    "DescribeAppInstanceUser": describe_user,
    "CreateChannel": create_channel,
    "DescribeChannel": describe_channel,
    "DeleteChannel": delete_channel,
    "CreateChannelMembership": create_membership,
    "DescribeChannelMembership": describe_membership,
    "ListChannelMemberships": list_memberships,
    "DeleteChannelMembership": delete_membership,
    "SendChannelMessage": send_message,
    "ListChannelMessages": list_messages,
}
"""By the name of the operation."""
