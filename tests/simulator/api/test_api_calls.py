"""The voice operations through an unmodified boto3 client."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.api.kit import APP, OURS, THEIRS, fails, served
from simulator.kit import hangup, pause, reply
from sma_flows.simulator.exchange import Quotas

TALKS = {"CALL_ANSWERED": reply(pause(30_000)), "CALL_UPDATE_REQUESTED": reply(hangup())}


def create(voice: Any, **more: Any) -> str:
    values = {"FromPhoneNumber": OURS, "ToPhoneNumber": THEIRS, "SipMediaApplicationId": APP, **more}
    answer = voice.create_sip_media_application_call(**values)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    return str(answer["SipMediaApplicationCall"]["TransactionId"])


def update(voice: Any, transaction: str, arguments: dict[str, str] | None = None, application: str = APP) -> Any:
    return voice.update_sip_media_application_call(
        SipMediaApplicationId=application, TransactionId=transaction, Arguments=arguments or {}
    )


def test_a_call_is_created_updated_and_over() -> None:
    with served(TALKS) as desk:
        voice = desk.client("chime-sdk-voice")
        call = create(
            voice, ArgumentsMap={"job": "17"}, SipHeaders={"X-Ticket": "42", "User-to-User": "616;encoding=hex"}
        )
        line = desk.exchange.line(call)
        first = line.phone.events[0]
        assert first["ActionData"]["Parameters"]["Arguments"] == {"job": "17"}
        assert first["CallDetails"]["Participants"][0]["SipHeaders"]["X-Ticket"] == "42"
        desk.exchange.wait(5_000)
        answer = update(voice, call, {"stop": "yes"})
        assert answer["SipMediaApplicationCall"]["TransactionId"] == call
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
        asked = [event for event in line.phone.events if event["InvocationEventType"] == "CALL_UPDATE_REQUESTED"]
        assert asked[0]["ActionData"]["Parameters"]["Arguments"] == {"stop": "yes"}
        assert line.done.is_set()
        with fails("NotFoundException", 404):
            update(voice, call)


def test_the_same_call_twice_is_two_calls() -> None:
    with served(TALKS) as desk:
        voice = desk.client("chime-sdk-voice")
        assert create(voice) != create(voice)


@pytest.mark.parametrize(
    "wrong",
    [
        {"FromPhoneNumber": "12-34"},
        {"FromPhoneNumber": "+12065550199"},
        {"ToPhoneNumber": "+0123"},
        {"ToPhoneNumber": "+1234567890123456"},
        {"SipMediaApplicationId": "nobody"},
        {"SipMediaApplicationId": "%20"},
        {"ArgumentsMap": {f"k{n}": "v" for n in range(21)}},
        {"SipHeaders": {f"X-{n}": "v" for n in range(21)}},
        {"SipHeaders": {"Subject": "no"}},
        {"SipHeaders": {"X-AMZN-Trace": "no"}},
        {"SipHeaders": {"X-Long": "v" * 2049}},
    ],
    ids=lambda wrong: "-".join(wrong),
)
def test_values_out_of_bounds_are_bad_requests_and_create_nothing(wrong: dict[str, Any]) -> None:
    with served(TALKS) as desk:
        with fails("BadRequestException", 400):
            create(desk.client("chime-sdk-voice"), **wrong)
        assert desk.exchange.lines == []


def test_a_number_without_plus_is_the_number_with_it() -> None:
    with served(TALKS) as desk:
        call = create(desk.client("chime-sdk-voice"), FromPhoneNumber=OURS[1:], ToPhoneNumber=THEIRS[1:])
        assert desk.exchange.line(call).phone.network.legs[0].to == THEIRS


def test_creating_is_throttled_at_one_a_second_and_updating_at_five() -> None:
    with served(lambda _event: reply(), quotas=Quotas()) as desk:
        voice = desk.client("chime-sdk-voice")
        call = create(voice)
        with fails("ThrottledClientException", 429):
            create(voice)
        desk.exchange.wait(5_000)
        for _ in range(5):
            update(voice, call)
        with fails("ThrottledClientException", 429):
            update(voice, call)


def test_ten_calls_at_once_and_no_more() -> None:
    with served(lambda _event: reply(), quotas=Quotas(creates_per_s=100, active_calls=2)) as desk:
        voice = desk.client("chime-sdk-voice")
        create(voice)
        create(voice)
        with fails("ResourceLimitExceededException", 400):
            create(voice)


def test_an_update_of_a_call_nobody_knows_or_of_another_application_is_not_found() -> None:
    with served(TALKS) as desk:
        voice = desk.client("chime-sdk-voice")
        call = create(voice)
        with fails("NotFoundException", 404):
            update(voice, "11111111-2222-3333-4444-555555555555")
        with fails("NotFoundException", 404):
            update(voice, call, application="another")
        with fails("BadRequestException", 400):
            update(voice, call, {f"k{n}": "v" for n in range(21)})
