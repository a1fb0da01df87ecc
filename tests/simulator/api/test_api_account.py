"""Applications, rules, numbers and orders through an unmodified boto3 client, and the calls that follow from them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from simulator.api.kit import APP, OURS, THEIRS, Served, fails, served
from simulator.kit import hangup, reply
from sma_flows.simulator.account import DIAL_IN, KEPT_MS, ORDER_MS, Account
from sma_flows.simulator.model import World

LAMBDA = "arn:aws:lambda:us-east-1:111122223333:function:flow:live"
ENDED = {"NEW_INBOUND_CALL": [reply(hangup()) for _ in range(9)]}


def application(voice: Any, name: str = "desk", **more: Any) -> dict[str, Any]:
    values = {"AwsRegion": "us-east-1", "Name": name, "Endpoints": [{"LambdaArn": LAMBDA}], **more}
    made: dict[str, Any] = voice.create_sip_media_application(**values)["SipMediaApplication"]
    return made


def rule(voice: Any, target: str, value: str = OURS, **more: Any) -> dict[str, Any]:
    values = {
        "Name": "to the desk",
        "TriggerType": "ToPhoneNumber",
        "TriggerValue": value,
        "TargetApplications": [{"SipMediaApplicationId": target, "Priority": 1, "AwsRegion": "us-east-1"}],
        **more,
    }
    made: dict[str, Any] = voice.create_sip_rule(**values)["SipRule"]
    return made


def ordered(desk: Served, voice: Any, number: str) -> str:
    order = voice.create_phone_number_order(ProductType=DIAL_IN, E164PhoneNumbers=[number])["PhoneNumberOrder"]
    desk.exchange.wait(ORDER_MS)
    return str(order["PhoneNumberOrderId"])


def call_in(desk: Served, number: str) -> Any:
    told = desk.admin("POST", "/calls", {"from": THEIRS, "to": number})
    if isinstance(told, list | tuple):
        return told[0]
    return desk.exchange.line(told["transaction"]).phone.events[0]["CallDetails"]


# ---- applications --------------------------------------------------------------------------------------------------


def test_an_application_is_created_found_changed_listed_and_deleted() -> None:
    with served() as desk:
        voice = desk.client("chime-sdk-voice")
        made = application(voice, Tags=[{"Key": "team", "Value": "desk"}])
        ident = made["SipMediaApplicationId"]
        assert made["SipMediaApplicationArn"] == f"arn:aws:chime:us-east-1:111122223333:sma/{ident}"
        assert made["CreatedTimestamp"] == datetime.fromtimestamp(1_795_000_000, UTC)
        desk.exchange.wait(60_000)
        other = [{"LambdaArn": LAMBDA.replace("live", "$LATEST")}]
        changed = voice.update_sip_media_application(SipMediaApplicationId=ident, Endpoints=other)[
            "SipMediaApplication"
        ]
        assert (changed["Name"], changed["Endpoints"]) == ("desk", other)
        assert changed["UpdatedTimestamp"] > changed["CreatedTimestamp"] == made["CreatedTimestamp"]
        renamed = voice.update_sip_media_application(SipMediaApplicationId=ident, Name="front desk")
        assert renamed == {**renamed, "SipMediaApplication": {**changed, "Name": "front desk"}}
        found = voice.get_sip_media_application(SipMediaApplicationId=ident)["SipMediaApplication"]
        assert found["Name"] == "front desk"
        listed = voice.list_sip_media_applications()["SipMediaApplications"]
        assert [one["SipMediaApplicationId"] for one in listed] == [APP, ident]
        voice.delete_sip_media_application(SipMediaApplicationId=ident)
        for gone in (voice.get_sip_media_application, voice.delete_sip_media_application):
            with fails("NotFoundException", 404):
                gone(SipMediaApplicationId=ident)


def test_logging_is_off_until_it_is_put_on() -> None:
    with served() as desk:
        voice = desk.client("chime-sdk-voice")
        told = voice.get_sip_media_application_logging_configuration(SipMediaApplicationId=APP)
        assert told["SipMediaApplicationLoggingConfiguration"] == {"EnableSipMediaApplicationMessageLogs": False}
        wanted = {"EnableSipMediaApplicationMessageLogs": True}
        put = voice.put_sip_media_application_logging_configuration(
            SipMediaApplicationId=APP, SipMediaApplicationLoggingConfiguration=wanted
        )
        assert put["SipMediaApplicationLoggingConfiguration"] == wanted
        told = voice.get_sip_media_application_logging_configuration(SipMediaApplicationId=APP)
        assert told["SipMediaApplicationLoggingConfiguration"] == wanted
        with fails("NotFoundException"):
            voice.put_sip_media_application_logging_configuration(SipMediaApplicationId="nobody")


@pytest.mark.parametrize(
    "wrong",
    [
        {"Name": "what?"},
        {"Name": "x" * 257},
        {"AwsRegion": "eu-south-1"},
        {"AwsRegion": "us-west-2"},
        {"Endpoints": [{"LambdaArn": "arn:aws:lambda:us-east-1:1:function:flow"}]},
        {"Endpoints": [{}]},
        {"Endpoints": [{"LambdaArn": LAMBDA}, {"LambdaArn": LAMBDA}]},
    ],
    ids=str,
)
def test_an_application_out_of_bounds_is_refused(wrong: dict[str, Any]) -> None:
    with served() as desk, fails("BadRequestException", 400):
        application(desk.client("chime-sdk-voice"), **wrong)


def test_a_region_has_thirty_applications_in_pages() -> None:
    with served() as desk:
        voice = desk.client("chime-sdk-voice")
        for number in range(29):
            application(voice, f"desk {number}")
        with fails("ResourceLimitExceededException", 400):
            application(voice)
        pages = [voice.list_sip_media_applications(MaxResults=20)]
        pages.append(voice.list_sip_media_applications(MaxResults=20, NextToken=pages[0]["NextToken"]))
        assert [len(page["SipMediaApplications"]) for page in pages] == [20, 10]
        assert "NextToken" not in pages[1]
        with fails("BadRequestException"):
            voice.list_sip_media_applications(NextToken="elsewhere")


# ---- rules ---------------------------------------------------------------------------------------------------------


def test_a_number_is_ordered_led_to_an_application_called_and_taken_apart_again() -> None:
    with served(ENDED) as desk:
        voice = desk.client("chime-sdk-voice")
        number = voice.search_available_phone_numbers(AreaCode="415", MaxResults=3)["E164PhoneNumbers"][1]
        assert number == "+14155550101"
        assert call_in(desk, number) == 404
        order = ordered(desk, voice, number)
        assert voice.get_phone_number_order(PhoneNumberOrderId=order)["PhoneNumberOrder"]["Status"] == "Successful"
        target = application(voice)["SipMediaApplicationId"]
        made = rule(voice, target, number)
        details = call_in(desk, number)
        assert (details["SipRuleId"], details["SipMediaApplicationId"]) == (made["SipRuleId"], target)
        told = voice.get_phone_number(PhoneNumberId=number)["PhoneNumber"]
        assert told["Status"] == "Assigned"
        assert [(one["Name"], one["Value"]) for one in told["Associations"]] == [("SipRuleId", made["SipRuleId"])]
        with fails("ConflictException", 409):
            voice.delete_sip_media_application(SipMediaApplicationId=target)
        with fails("ConflictException", 409):
            voice.delete_sip_rule(SipRuleId=made["SipRuleId"])
        with fails("BadRequestException"):
            voice.delete_phone_number(PhoneNumberId=number)
        off = voice.update_sip_rule(SipRuleId=made["SipRuleId"], Name="off", Disabled=True)
        assert (off["SipRule"]["Disabled"], off["ResponseMetadata"]["HTTPStatusCode"]) == (True, 202)
        assert call_in(desk, number) == 404
        voice.delete_sip_rule(SipRuleId=made["SipRuleId"])
        voice.delete_sip_media_application(SipMediaApplicationId=target)
        voice.delete_phone_number(PhoneNumberId=number)
        assert voice.get_phone_number(PhoneNumberId=number)["PhoneNumber"]["Status"] == "ReleaseInProgress"
        desk.exchange.wait(KEPT_MS)
        for gone, name in ((voice.get_sip_rule, "SipRuleId"), (voice.get_phone_number, "PhoneNumberId")):
            with fails("NotFoundException", 404):
                gone(**{name: made["SipRuleId"] if name == "SipRuleId" else number})


def test_the_first_target_by_priority_that_exists_is_taken() -> None:
    with served(ENDED) as desk:
        voice = desk.client("chime-sdk-voice")
        other = application(voice)["SipMediaApplicationId"]
        targets = [
            {"SipMediaApplicationId": "far-away", "Priority": 1, "AwsRegion": "us-west-2"},
            {"SipMediaApplicationId": APP, "Priority": 3, "AwsRegion": "us-east-1"},
            {"SipMediaApplicationId": other, "Priority": 2, "AwsRegion": "us-east-1"},
        ]
        changed = voice.update_sip_rule(SipRuleId=World().rule, Name="two", TargetApplications=targets)["SipRule"]
        assert (changed["Name"], changed["TargetApplications"], changed["Disabled"]) == ("two", targets, False)
        assert call_in(desk, OURS)["SipMediaApplicationId"] == other
        listed = voice.list_sip_rules(SipMediaApplicationId=other)["SipRules"]
        assert [one["SipRuleId"] for one in listed] == [World().rule]
        assert voice.list_sip_rules(SipMediaApplicationId="nobody")["SipRules"] == []


def test_a_rule_for_a_host_name_of_a_voice_connector() -> None:
    with served() as desk:
        voice = desk.client("chime-sdk-voice")
        host = "abcdefghijklmnopqrstu.voiceconnector.chime.aws"
        made = rule(voice, APP, host, TriggerType="RequestUriHostname", Disabled=True)
        assert (made["TriggerValue"], made["Disabled"]) == (host, True)
        with fails("BadRequestException"):
            rule(voice, APP, "example.com", TriggerType="RequestUriHostname")


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        ("ConflictException", {}),
        ("BadRequestException", {"TriggerValue": "+14155550150"}),
        ("BadRequestException", {"TriggerType": "Weather"}),
        ("BadRequestException", {"Name": "what?"}),
        ("BadRequestException", {"TargetApplications": [{"SipMediaApplicationId": "nobody", "Priority": 1}]}),
        ("BadRequestException", {"TargetApplications": [{"SipMediaApplicationId": APP}] * 2}),
        ("BadRequestException", {"TargetApplications": [{"SipMediaApplicationId": APP}] * 26}),
    ],
    ids=str,
)
def test_a_rule_that_cannot_be_is_refused(error: str, wrong: dict[str, Any]) -> None:
    with served() as desk, fails(error):
        rule(desk.client("chime-sdk-voice"), APP, **wrong)


# ---- numbers -------------------------------------------------------------------------------------------------------


def test_an_order_takes_its_time_and_then_the_number_can_be_called_from() -> None:
    with served({"CALL_ANSWERED": reply(hangup())}) as desk:
        voice = desk.client("chime-sdk-voice")
        values = {"ToPhoneNumber": THEIRS, "SipMediaApplicationId": APP}
        made = voice.create_phone_number_order(ProductType=DIAL_IN, E164PhoneNumbers=["+12065550111", OURS])[
            "PhoneNumberOrder"
        ]
        assert (made["Status"], made["OrderType"]) == ("Processing", "New")
        assert voice.get_phone_number(PhoneNumberId="+12065550111")["PhoneNumber"]["Status"] == "AcquireInProgress"
        with fails("BadRequestException"):
            voice.create_sip_media_application_call(FromPhoneNumber="+12065550111", **values)
        desk.exchange.wait(ORDER_MS)
        told = voice.get_phone_number_order(PhoneNumberOrderId=made["PhoneNumberOrderId"])["PhoneNumberOrder"]
        assert told["Status"] == "Partial"
        assert [one["Status"] for one in told["OrderedPhoneNumbers"]] == ["Acquired", "Failed"]
        number = voice.get_phone_number(PhoneNumberId="12065550111")["PhoneNumber"]
        assert (number["Status"], number["OrderId"]) == ("Unassigned", made["PhoneNumberOrderId"])
        assert voice.create_sip_media_application_call(FromPhoneNumber="+12065550111", **values)


def test_an_account_has_five_numbers() -> None:
    with served() as desk:
        voice = desk.client("chime-sdk-voice")
        numbers = voice.search_available_phone_numbers(TollFreePrefix="888")["E164PhoneNumbers"]
        assert numbers[0] == "+18885550100"
        voice.create_phone_number_order(ProductType=DIAL_IN, E164PhoneNumbers=numbers[:4])
        with fails("ResourceLimitExceededException"):
            voice.create_phone_number_order(ProductType=DIAL_IN, E164PhoneNumbers=numbers[4:5])
        with fails("BadRequestException"):
            voice.create_phone_number_order(ProductType=DIAL_IN, E164PhoneNumbers=[numbers[5], numbers[5]])
        assert numbers[0] not in voice.search_available_phone_numbers(TollFreePrefix="888")["E164PhoneNumbers"]
        listed = voice.list_phone_numbers(MaxResults=3)
        assert len(listed["PhoneNumbers"]) == 3
        assert len(voice.list_phone_numbers(NextToken=listed["NextToken"])["PhoneNumbers"]) == 2


def test_numbers_are_listed_by_what_they_are() -> None:
    with served() as desk:
        voice = desk.client("chime-sdk-voice")
        ordered(desk, voice, "+12065550111")

        def listed(**filters: str) -> list[str]:
            return [one["E164PhoneNumber"] for one in voice.list_phone_numbers(**filters)["PhoneNumbers"]]

        assert listed() == [OURS, "+12065550111"]
        assert listed(Status="Assigned") == [OURS]
        assert listed(Status="Unassigned") == ["+12065550111"]
        assert listed(FilterName="SipRuleId", FilterValue=World().rule) == [OURS]
        assert listed(FilterName="VoiceConnectorId", FilterValue="vc") == []
        assert listed(ProductType="VoiceConnector") == []


def test_one_thing_of_a_number_is_changed_at_a_time() -> None:
    with served() as desk:
        voice = desk.client("chime-sdk-voice")
        assert voice.update_phone_number(PhoneNumberId=OURS, Name="main")["PhoneNumber"]["Name"] == "main"
        assert voice.update_phone_number(PhoneNumberId=OURS, CallingName="Desk")["PhoneNumber"]["CallingName"] == "Desk"
        for wrong in ({}, {"Name": "a", "CallingName": "Desk"}, {"CallingName": "D"}):
            with fails("BadRequestException"):
                voice.update_phone_number(PhoneNumberId=OURS, **wrong)
        with fails("ConflictException"):
            voice.update_phone_number(PhoneNumberId=OURS, ProductType="VoiceConnector")
        ordered(desk, voice, "+12065550111")
        told = voice.update_phone_number(PhoneNumberId="+12065550111", ProductType="VoiceConnector")["PhoneNumber"]
        assert told["ProductType"] == "VoiceConnector"
        with fails("BadRequestException"):
            rule(voice, APP, "+12065550111")


def test_there_are_no_numbers_where_the_service_has_none() -> None:
    assert Account(region="eu-central-1").available("206", "", 0) == []
    with served() as desk:
        voice = desk.client("chime-sdk-voice")
        assert voice.search_available_phone_numbers(Country="DE")["E164PhoneNumbers"] == []
        assert len(voice.search_available_phone_numbers(PhoneNumberType="TollFree")["E164PhoneNumbers"]) == 100
        with fails("BadRequestException"):
            voice.search_available_phone_numbers(AreaCode="20")
        with fails("NotFoundException"):
            voice.get_phone_number_order(PhoneNumberOrderId="11111111-2222-3333-4444-555555555555")


def test_a_call_of_an_application_that_was_deleted_is_refused() -> None:
    with served() as desk:
        voice = desk.client("chime-sdk-voice")
        ident = application(voice)["SipMediaApplicationId"]
        values = {"FromPhoneNumber": OURS, "ToPhoneNumber": THEIRS, "SipMediaApplicationId": ident}
        assert voice.create_sip_media_application_call(**values)
        voice.delete_sip_media_application(SipMediaApplicationId=ident)
        with fails("BadRequestException"):
            voice.create_sip_media_application_call(**values)
