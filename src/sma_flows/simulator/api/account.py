"""What the voice operations around an account do: applications, rules, numbers, orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sma_flows.simulator.account import Application, Number, Order, Rule
from sma_flows.simulator.refused import RefusedError

if TYPE_CHECKING:
    from sma_flows.simulator.api.plane import ControlPlane, Handler

__all__ = ["HANDLERS"]

Params = Mapping[str, Any]
Thing = TypeVar("Thing")
PAGE: Final = 100
AREA: Final = "206"
"""Where numbers are looked for when the request does not say where."""


# ---- applications --------------------------------------------------------------------------------------------------


def create_application(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """CreateSipMediaApplication."""
    endpoint = _endpoint(params["Endpoints"])
    made = plane.account.create_application(params["Name"], params["AwsRegion"], endpoint, plane.now_ms)
    return {"SipMediaApplication": _application(plane, made)}


def get_application(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """GetSipMediaApplication."""
    return {"SipMediaApplication": _application(plane, plane.account.application(params["SipMediaApplicationId"]))}


def update_application(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """UpdateSipMediaApplication."""
    endpoint = _endpoint(params["Endpoints"]) if "Endpoints" in params else None
    ident = params["SipMediaApplicationId"]
    changed = plane.account.update_application(ident, params.get("Name"), endpoint, plane.now_ms)
    return {"SipMediaApplication": _application(plane, changed)}


def delete_application(plane: ControlPlane, params: Params) -> None:
    """DeleteSipMediaApplication."""
    plane.account.delete_application(params["SipMediaApplicationId"])


def list_applications(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """ListSipMediaApplications."""
    shown, more = page(plane.account.applications(), params)
    return {"SipMediaApplications": [_application(plane, each) for each in shown], **more}


def get_logging(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """GetSipMediaApplicationLoggingConfiguration."""
    return _logging(plane.account.application(params["SipMediaApplicationId"]))


def put_logging(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """PutSipMediaApplicationLoggingConfiguration."""
    found = plane.account.application(params["SipMediaApplicationId"])
    wanted = params.get("SipMediaApplicationLoggingConfiguration") or {}
    found.logs = bool(wanted.get("EnableSipMediaApplicationMessageLogs"))
    return _logging(found)


# ---- rules ---------------------------------------------------------------------------------------------------------


def create_rule(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """CreateSipRule."""
    made = plane.account.create_rule(
        params["Name"],
        params["TriggerType"],
        params["TriggerValue"],
        bool(params.get("Disabled")),
        params["TargetApplications"],
        plane.now_ms,
    )
    return {"SipRule": _rule(plane, made)}


def get_rule(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """GetSipRule."""
    return {"SipRule": _rule(plane, plane.account.rule(params["SipRuleId"]))}


def update_rule(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """UpdateSipRule."""
    changed = plane.account.update_rule(
        params["SipRuleId"], params["Name"], params.get("Disabled"), params.get("TargetApplications"), plane.now_ms
    )
    return {"SipRule": _rule(plane, changed)}


def delete_rule(plane: ControlPlane, params: Params) -> None:
    """DeleteSipRule."""
    plane.account.delete_rule(params["SipRuleId"])


def list_rules(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """ListSipRules."""
    shown, more = page(plane.account.rules(params.get("SipMediaApplicationId", "")), params)
    return {"SipRules": [_rule(plane, each) for each in shown], **more}


# ---- numbers -------------------------------------------------------------------------------------------------------


def list_numbers(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """ListPhoneNumbers."""
    now, wanted = plane.now_ms, params.get("FilterName")
    found = [
        number
        for number in plane.account.numbers(now)
        if params.get("ProductType", number.product) == number.product
        and params.get("Status", plane.account.number_status(number, now)) == plane.account.number_status(number, now)
        and (wanted is None or (wanted == "SipRuleId" and _rule_id(plane, number) == params.get("FilterValue")))
    ]
    shown, more = page(found, params)
    return {"PhoneNumbers": [_number(plane, each) for each in shown], **more}


def get_number(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """GetPhoneNumber."""
    return {"PhoneNumber": _number(plane, plane.account.number(params["PhoneNumberId"], plane.now_ms))}


def update_number(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """UpdatePhoneNumber."""
    product, name, calling = (params.get(each) for each in ("ProductType", "Name", "CallingName"))
    changed = plane.account.update_number(params["PhoneNumberId"], product, name, calling, plane.now_ms)
    return {"PhoneNumber": _number(plane, changed)}


def delete_number(plane: ControlPlane, params: Params) -> None:
    """DeletePhoneNumber."""
    plane.account.delete_number(params["PhoneNumberId"], plane.now_ms)


def search_numbers(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """SearchAvailablePhoneNumbers: fictional numbers of the United States."""
    area = params.get("AreaCode", AREA)
    toll_free = params.get("TollFreePrefix", "800" if params.get("PhoneNumberType") == "TollFree" else "")
    if not (area.isdecimal() and len(area) == 3):
        raise RefusedError("BadRequestException", "AreaCode is not three digits.")
    here = params.get("Country", "US") == "US"
    found = plane.account.available(area, toll_free, plane.now_ms) if here else []
    shown, more = page(found, params)
    return {"E164PhoneNumbers": list(shown), **more}


def create_order(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """CreatePhoneNumberOrder."""
    made = plane.account.order(params["ProductType"], params["E164PhoneNumbers"], plane.now_ms)
    return {"PhoneNumberOrder": _order(plane, made)}


def get_order(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """GetPhoneNumberOrder."""
    return {"PhoneNumberOrder": _order(plane, plane.account.order_of(params["PhoneNumberOrderId"]))}


# ---- as the API shows them -----------------------------------------------------------------------------------------


def page(things: Sequence[Thing], params: Params, most: int = PAGE) -> tuple[Sequence[Thing], dict[str, str]]:
    """One page of a list, and the token of the next one.

    Raises:
        RefusedError: BadRequestException: no token of ours.
    """
    after = params.get("NextToken", "0")
    if not after.isdecimal():
        raise RefusedError("BadRequestException", "NextToken is invalid.")
    begin, size = int(after), params.get("MaxResults") or most
    return things[begin : begin + size], ({"NextToken": str(begin + size)} if begin + size < len(things) else {})


def _endpoint(endpoints: Sequence[Params]) -> str:
    arn = endpoints[0].get("LambdaArn")
    if not arn:
        raise RefusedError("BadRequestException", "Endpoints[0].LambdaArn is required.")
    return str(arn)


def _application(plane: ControlPlane, one: Application) -> dict[str, Any]:
    return {
        "SipMediaApplicationId": one.id,
        "AwsRegion": one.region,
        "Name": one.name,
        "Endpoints": [{"LambdaArn": one.endpoint}],
        "CreatedTimestamp": plane.iso(one.made_ms),
        "UpdatedTimestamp": plane.iso(one.changed_ms),
        "SipMediaApplicationArn": f"arn:aws:chime:{one.region}:{plane.account.account}:sma/{one.id}",
    }


def _logging(one: Application) -> dict[str, Any]:
    return {"SipMediaApplicationLoggingConfiguration": {"EnableSipMediaApplicationMessageLogs": one.logs}}


def _rule(plane: ControlPlane, rule: Rule) -> dict[str, Any]:
    return {
        "SipRuleId": rule.id,
        "Name": rule.name,
        "Disabled": rule.disabled,
        "TriggerType": rule.trigger,
        "TriggerValue": rule.value,
        "TargetApplications": [dict(target) for target in rule.targets],
        "CreatedTimestamp": plane.iso(rule.made_ms),
        "UpdatedTimestamp": plane.iso(rule.changed_ms),
    }


def _rule_id(plane: ControlPlane, number: Number) -> str:
    rule = plane.account.rule_of(number.e164)
    return rule.id if rule is not None else ""


def _number(plane: ControlPlane, number: Number) -> dict[str, Any]:
    rule = plane.account.rule_of(number.e164)
    told: dict[str, Any] = {
        "PhoneNumberId": number.e164,
        "PhoneNumberArn": plane.arn("chime", f"phone-number/{number.e164}"),
        "E164PhoneNumber": number.e164,
        "Country": "US",
        "Type": "TollFree" if number.e164[2] == "8" else "Local",
        "ProductType": number.product,
        "Status": plane.account.number_status(number, plane.now_ms),
        "Capabilities": {
            "InboundCall": True,
            "OutboundCall": True,
            "InboundSMS": False,
            "OutboundSMS": False,
            "InboundMMS": False,
            "OutboundMMS": False,
        },
        "Associations": [],
        "CreatedTimestamp": plane.iso(number.made_ms),
        "UpdatedTimestamp": plane.iso(number.changed_ms),
    }
    if rule is not None:
        told["Associations"] = [{"Name": "SipRuleId", "Value": rule.id, "AssociatedTimestamp": plane.iso(rule.made_ms)}]
    more = {"OrderId": number.order, "Name": number.name, "CallingName": number.calling_name}
    told |= {name: value for name, value in more.items() if value}
    if number.gone_ms is not None:
        told["DeletionTimestamp"] = plane.iso(number.gone_ms)
    return told


def _order(plane: ControlPlane, order: Order) -> dict[str, Any]:
    done = plane.now_ms >= order.ready_ms
    return {
        "PhoneNumberOrderId": order.id,
        "ProductType": order.product,
        "Status": order.status(plane.now_ms),
        "OrderType": "New",
        "OrderedPhoneNumbers": [
            {
                "E164PhoneNumber": number,
                "Status": ("Failed" if number in order.failed else "Acquired") if done else "Processing",
            }
            for number in order.numbers
        ],
        "CreatedTimestamp": plane.iso(order.made_ms),
        "UpdatedTimestamp": plane.iso(min(order.ready_ms, plane.now_ms)),
    }


HANDLERS: Final[Mapping[str, Handler]] = {
    "CreateSipMediaApplication": create_application,
    "GetSipMediaApplication": get_application,
    "UpdateSipMediaApplication": update_application,
    "DeleteSipMediaApplication": delete_application,
    "ListSipMediaApplications": list_applications,
    "GetSipMediaApplicationLoggingConfiguration": get_logging,
    "PutSipMediaApplicationLoggingConfiguration": put_logging,
    "CreateSipRule": create_rule,
    "GetSipRule": get_rule,
    "UpdateSipRule": update_rule,
    "DeleteSipRule": delete_rule,
    "ListSipRules": list_rules,
    "ListPhoneNumbers": list_numbers,
    "GetPhoneNumber": get_number,
    "UpdatePhoneNumber": update_number,
    "DeletePhoneNumber": delete_number,
    "SearchAvailablePhoneNumbers": search_numbers,
    "CreatePhoneNumberOrder": create_order,
    "GetPhoneNumberOrder": get_order,
}
"""By the name of the operation."""
