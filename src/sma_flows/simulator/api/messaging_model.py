"""Operations of chime-sdk-messaging (model of 2021-05-15) and chime-sdk-identity (2021-04-20)."""

from __future__ import annotations

from typing import Final

from sma_flows.simulator.api.operation import CONFLICT, FULL, MISSING, TOKEN, operation, tags
from sma_flows.simulator.api.shapes import Many, Pairs, Record, Text, Time, Whole, choice, header, query, record, uri

__all__ = ["IDENTITY", "MESSAGING"]

_ARN: Final = Text(
    5, 1600, r"arn:[a-z0-9-\.]{1,63}:[a-z0-9-\.]{0,63}:[a-z0-9-\.]{0,63}:[a-z0-9-\.]{0,63}:[^/].{0,1023}"
)
_NAME: Final = Text(1, 256, r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]*")
_ID: Final = r"[A-Za-z0-9]([A-Za-z0-9\:\-\_\.\@]{0,62}[A-Za-z0-9])?"
_METADATA: Final = Text(0, 1024, ".*")
_SUB: Final = Text(1, 128, "[-_a-zA-Z0-9]*")
_BEARER: Final = header("x-amz-chime-bearer", _ARN)
_CHANNEL: Final = uri("channelArn", _ARN)
_MEMBER: Final = uri("memberArn", _ARN)
_TYPE: Final = choice("DEFAULT HIDDEN")
_PAGE: Final = {
    "MaxResults": query("max-results", Whole(1, 50)),
    "NextToken": query("next-token", Text(0, 2048, ".*")),
}
_ANYTHING: Final = r"[\s\S]*"
_IN_CHANNEL: Final = {"*ChannelArn": _CHANNEL, "*ChimeBearer": _BEARER}


def _expires(criteria: str) -> Record:
    return record({"*ExpirationDays": Whole(1, 5475), "*ExpirationCriterion": choice(criteria)})


_M: Final = "chime-sdk-messaging"
MESSAGING: Final = (
    operation(
        _M,
        "CreateChannel",
        "POST /channels",
        record(
            {
                "*AppInstanceArn": _ARN,
                "*Name": _NAME,
                "Mode": choice("UNRESTRICTED RESTRICTED"),
                "Privacy": choice("PUBLIC PRIVATE"),
                "Metadata": _METADATA,
                "*ClientRequestToken": TOKEN,
                "Tags": tags(1, 50, 1),
                "*ChimeBearer": _BEARER,
                "ChannelId": Text(1, 64, _ID),
                "MemberArns": Many(_ARN, 1, 10),
                "ModeratorArns": Many(_ARN, 1, 10),
                "ElasticChannelConfiguration": record(
                    {
                        "*MaximumSubChannels": Whole(2),
                        "*TargetMembershipsPerSubChannel": Whole(2),
                        "*MinimumMembershipPercentage": Whole(1, 40),
                    }
                ),
                "ExpirationSettings": _expires("CREATED_TIMESTAMP LAST_MESSAGE_TIMESTAMP"),
            }
        ),
        CONFLICT,
        FULL,
        status=201,
        rates=(("AppInstanceArn", 15),),
    ),
    operation(_M, "DescribeChannel", "GET /channels/{channelArn}", record(_IN_CHANNEL)),
    operation(_M, "DeleteChannel", "DELETE /channels/{channelArn}", record(_IN_CHANNEL), CONFLICT, status=204),
    operation(
        _M,
        "CreateChannelMembership",
        "POST /channels/{channelArn}/memberships",
        record({**_IN_CHANNEL, "*MemberArn": _ARN, "*Type": _TYPE, "SubChannelId": _SUB}),
        MISSING,
        CONFLICT,
        FULL,
        status=201,
        rates=(("ChannelArn", 15),),
    ),
    operation(
        _M,
        "DescribeChannelMembership",
        "GET /channels/{channelArn}/memberships/{memberArn}",
        record({**_IN_CHANNEL, "*MemberArn": _MEMBER, "SubChannelId": query("sub-channel-id", _SUB)}),
        MISSING,
    ),
    operation(
        _M,
        "ListChannelMemberships",
        "GET /channels/{channelArn}/memberships",
        record({**_IN_CHANNEL, "Type": query("type", _TYPE), **_PAGE, "SubChannelId": query("sub-channel-id", _SUB)}),
    ),
    operation(
        _M,
        "DeleteChannelMembership",
        "DELETE /channels/{channelArn}/memberships/{memberArn}",
        record({**_IN_CHANNEL, "*MemberArn": _MEMBER, "SubChannelId": query("sub-channel-id", _SUB)}),
        CONFLICT,
        status=204,
    ),
    operation(
        _M,
        "SendChannelMessage",
        "POST /channels/{channelArn}/messages",
        record(
            {
                **_IN_CHANNEL,
                "*Content": Text(1, None, _ANYTHING),
                "*Type": choice("STANDARD CONTROL"),
                "*Persistence": choice("PERSISTENT NON_PERSISTENT"),
                "Metadata": _METADATA,
                "*ClientRequestToken": TOKEN,
                "PushNotification": record(
                    {"Title": Text(1, 50, ".*"), "Body": Text(1, 150, _ANYTHING), "Type": choice("DEFAULT VOIP")}
                ),
                "MessageAttributes": Pairs(
                    Text(1, 64, _ANYTHING), record({"StringValues": Many(Text(1, 512, _ANYTHING))})
                ),
                "SubChannelId": _SUB,
                "ContentType": Text(0, 45, _ANYTHING),
                "Target": Many(record({"MemberArn": _ARN}), 1, 1),
            }
        ),
        CONFLICT,
        status=201,
        rates=(("ChannelArn", 30), ("ChimeBearer", 10)),
    ),
    operation(
        _M,
        "ListChannelMessages",
        "GET /channels/{channelArn}/messages",
        record(
            {
                **_IN_CHANNEL,
                "SortOrder": query("sort-order", choice("ASCENDING DESCENDING")),
                "NotBefore": query("not-before", Time()),
                "NotAfter": query("not-after", Time()),
                **_PAGE,
                "SubChannelId": query("sub-channel-id", _SUB),
            }
        ),
    ),
)
"""The operations, with the rates of the quotas page (of a channel: those of us-east-1)."""

_I: Final = "chime-sdk-identity"
IDENTITY: Final = (
    operation(
        _I,
        "CreateAppInstance",
        "POST /app-instances",
        record({"*Name": _NAME, "Metadata": _METADATA, "*ClientRequestToken": TOKEN, "Tags": tags(1, 50, 1)}),
        CONFLICT,
        FULL,
        status=201,
        rates=(("", 5),),
    ),
    operation(
        _I,
        "CreateAppInstanceUser",
        "POST /app-instance-users",
        record(
            {
                "*AppInstanceArn": _ARN,
                "*AppInstanceUserId": Text(1, 64, _ID),
                "*Name": Text(1, 100, r".*\S.*"),
                "Metadata": _METADATA,
                "*ClientRequestToken": TOKEN,
                "Tags": tags(1, 50, 1),
                "ExpirationSettings": _expires("CREATED_TIMESTAMP"),
            }
        ),
        CONFLICT,
        FULL,
        status=201,
        rates=(("", 10),),
    ),
    operation(
        _I,
        "DescribeAppInstanceUser",
        "GET /app-instance-users/{appInstanceUserArn}",
        record({"*AppInstanceUserArn": uri("appInstanceUserArn", _ARN)}),
    ),
)
"""The operations that make who may send."""
