"""Operations of chime-sdk-voice around SIP media applications. Model of 2022-08-03."""

from __future__ import annotations

from typing import Final

from sma_flows.simulator.api.operation import CONFLICT, DENIED, FULL, MISSING, UUID, Operation, operation, tags
from sma_flows.simulator.api.shapes import Flag, Many, Pairs, Record, Text, Whole, choice, query, record, uri

__all__ = ["VOICE"]

_NAME: Final = Text(1, 256, "[a-zA-Z0-9 _.-]+")
_FILLED: Final = Text(pattern=r".*\S.*")
_E164: Final = Text(pattern=r"^\+?[1-9]\d{1,14}$")
_ANY: Final = Text()
_MAP: Final = Pairs(_ANY, _ANY, 0, 20)
_ENDPOINTS: Final = Many(
    record(
        {
            "LambdaArn": Text(
                most=10_000,
                pattern=r"arn:(aws[a-zA-Z-]*)?:lambda:[a-z]{2}((-gov)|(-iso(b?)))?-[a-z]+-\d{1}:\d{12}:function:"
                r"[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?",
            )
        }
    ),
    1,
    1,
)
_TARGETS: Final = Many(
    record({"SipMediaApplicationId": _FILLED, "Priority": Whole(1), "AwsRegion": _ANY}),
    1,
    25,
)
_APPLICATION: Final = uri("sipMediaApplicationId", _FILLED)
_RULE: Final = uri("sipRuleId", _FILLED)
_NUMBER: Final = uri("phoneNumberId", _FILLED)
_PRODUCT: Final = choice("VoiceConnector SipMediaApplicationDialIn")
_PHONE_NAME: Final = Text(0, 256, r"^$|^[a-zA-Z0-9\,\.\_\-]+(\s+[a-zA-Z0-9\,\.\_\-]+)*$")
_LOGGING: Final = record({"EnableSipMediaApplicationMessageLogs": Flag()})
_PAGE: Final = {"MaxResults": query("max-results", Whole(1, 100)), "NextToken": query("next-token", Text(most=65_535))}


def _op(name: str, route: str, takes: Record, *errors: str, status: int = 200) -> Operation:
    return operation("chime-sdk-voice", name, route, takes, *errors, status=status)


VOICE: Final = (
    _op(
        "CreateSipMediaApplicationCall",
        "POST /sip-media-applications/{sipMediaApplicationId}/calls",
        record(
            {
                "*FromPhoneNumber": _E164,
                "*ToPhoneNumber": _E164,
                "*SipMediaApplicationId": _APPLICATION,
                "SipHeaders": _MAP,
                "ArgumentsMap": _MAP,
            }
        ),
        FULL,
        DENIED,
        status=201,
    ),
    _op(
        "UpdateSipMediaApplicationCall",
        "POST /sip-media-applications/{sipMediaApplicationId}/calls/{transactionId}",
        record(
            {
                "*SipMediaApplicationId": _APPLICATION,
                "*TransactionId": uri("transactionId", _FILLED),
                "*Arguments": _MAP,
            }
        ),
        MISSING,
        FULL,
        status=202,
    ),
    _op(
        "CreateSipMediaApplication",
        "POST /sip-media-applications",
        record({"*AwsRegion": _ANY, "*Name": _NAME, "*Endpoints": _ENDPOINTS, "Tags": tags(1, 50)}),
        CONFLICT,
        DENIED,
        FULL,
        status=201,
    ),
    _op(
        "GetSipMediaApplication",
        "GET /sip-media-applications/{sipMediaApplicationId}",
        record({"*SipMediaApplicationId": _APPLICATION}),
        MISSING,
    ),
    _op(
        "UpdateSipMediaApplication",
        "PUT /sip-media-applications/{sipMediaApplicationId}",
        record({"*SipMediaApplicationId": _APPLICATION, "Name": _NAME, "Endpoints": _ENDPOINTS}),
        MISSING,
        CONFLICT,
    ),
    _op(
        "DeleteSipMediaApplication",
        "DELETE /sip-media-applications/{sipMediaApplicationId}",
        record({"*SipMediaApplicationId": _APPLICATION}),
        MISSING,
        CONFLICT,
        status=204,
    ),
    _op("ListSipMediaApplications", "GET /sip-media-applications", record(_PAGE)),
    _op(
        "GetSipMediaApplicationLoggingConfiguration",
        "GET /sip-media-applications/{sipMediaApplicationId}/logging-configuration",
        record({"*SipMediaApplicationId": _APPLICATION}),
        MISSING,
    ),
    _op(
        "PutSipMediaApplicationLoggingConfiguration",
        "PUT /sip-media-applications/{sipMediaApplicationId}/logging-configuration",
        record({"*SipMediaApplicationId": _APPLICATION, "SipMediaApplicationLoggingConfiguration": _LOGGING}),
        MISSING,
    ),
    _op(
        "CreateSipRule",
        "POST /sip-rules",
        record(
            {
                "*Name": _NAME,
                "*TriggerType": choice("ToPhoneNumber RequestUriHostname"),
                "*TriggerValue": _FILLED,
                "Disabled": Flag(),
                "*TargetApplications": _TARGETS,
            }
        ),
        CONFLICT,
        DENIED,
        FULL,
        status=201,
    ),
    _op("GetSipRule", "GET /sip-rules/{sipRuleId}", record({"*SipRuleId": _RULE}), MISSING),
    _op(
        "UpdateSipRule",
        "PUT /sip-rules/{sipRuleId}",
        record({"*SipRuleId": _RULE, "*Name": _NAME, "Disabled": Flag(), "TargetApplications": _TARGETS}),
        MISSING,
        CONFLICT,
        FULL,
        status=202,
    ),
    _op("DeleteSipRule", "DELETE /sip-rules/{sipRuleId}", record({"*SipRuleId": _RULE}), MISSING, CONFLICT, status=204),
    _op(
        "ListSipRules",
        "GET /sip-rules",
        record({"SipMediaApplicationId": query("sip-media-application", _FILLED), **_PAGE}),
        MISSING,
    ),
    _op(
        "ListPhoneNumbers",
        "GET /phone-numbers",
        record(
            {
                "Status": query("status", _ANY),
                "ProductType": query("product-type", _PRODUCT),
                "FilterName": query("filter-name", choice("VoiceConnectorId VoiceConnectorGroupId SipRuleId")),
                "FilterValue": query("filter-value", _ANY),
                "MaxResults": query("max-results", Whole(1, 100)),
                "NextToken": query("next-token", _ANY),
            }
        ),
        MISSING,
    ),
    _op("GetPhoneNumber", "GET /phone-numbers/{phoneNumberId}", record({"*PhoneNumberId": _NUMBER}), MISSING),
    _op(
        "UpdatePhoneNumber",
        "POST /phone-numbers/{phoneNumberId}",
        record(
            {
                "*PhoneNumberId": _NUMBER,
                "ProductType": _PRODUCT,
                "CallingName": Text(pattern="^$|^[a-zA-Z0-9 ]{2,15}$"),
                "Name": _PHONE_NAME,
            }
        ),
        MISSING,
        CONFLICT,
    ),
    _op(
        "DeletePhoneNumber",
        "DELETE /phone-numbers/{phoneNumberId}",
        record({"*PhoneNumberId": _NUMBER}),
        MISSING,
        status=204,
    ),
    _op(
        "SearchAvailablePhoneNumbers",
        "GET /search?type=phone-numbers",
        record(
            {
                "AreaCode": query("area-code", _ANY),
                "City": query("city", _ANY),
                "Country": query("country", Text(pattern="[A-Z]{2}")),
                "State": query("state", _ANY),
                "TollFreePrefix": query("toll-free-prefix", Text(3, 3, "^8(00|33|44|55|66|77|88)$")),
                "PhoneNumberType": query("phone-number-type", choice("Local TollFree")),
                "MaxResults": query("max-results", Whole(1, 500)),
                "NextToken": query("next-token", _ANY),
            }
        ),
        DENIED,
    ),
    _op(
        "CreatePhoneNumberOrder",
        "POST /phone-number-orders",
        record({"*ProductType": _PRODUCT, "*E164PhoneNumbers": Many(_E164), "Name": _PHONE_NAME}),
        DENIED,
        FULL,
        status=201,
    ),
    _op(
        "GetPhoneNumberOrder",
        "GET /phone-number-orders/{phoneNumberOrderId}",
        record({"*PhoneNumberOrderId": uri("phoneNumberOrderId", UUID)}),
        MISSING,
    ),
)
"""The operations. Creating and updating calls has quotas of its own (:class:`~sma_flows.simulator.exchange.Quotas`)."""
