"""The simulated service as a tool for tests of application code."""

from __future__ import annotations

import os
from typing import Any

import boto3
import pytest

from sma_flows.simulator.model import World
from sma_flows.simulator.parties import Party
from sma_flows.simulator.switches import Switches
from sma_flows.testing.control import SERVICES, UNLIMITED, local_service

DEADLINE_S = 20.0
APP, OURS, THEIRS = World().application, "+14255550100", "+12065550123"


def answer(event: dict[str, Any]) -> object:
    """Hangs up on whoever answers, after it has made a meeting through the API."""
    if event["InvocationEventType"] != "CALL_ANSWERED":
        return {"SchemaVersion": "1.0"}
    client = boto3.client("chime-sdk-meetings")
    meeting = client.create_meeting(ClientRequestToken="token-1", ExternalMeetingId="weekly", MediaRegion="us-east-1")
    hangup = {"Type": "Hangup", "Parameters": {"SipResponseCode": "0", "ParticipantTag": "LEG-A"}}
    attributes = {"meeting": meeting["Meeting"]["MeetingId"]}
    return {"SchemaVersion": "1.0", "Actions": [hangup], "TransactionAttributes": attributes}


def test_a_function_that_uses_the_sdk_itself_is_answered_while_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with local_service(answer, speed=100) as service:
        for name, value in service.environment().items():
            monkeypatch.setenv(name, value)
        call = boto3.client("chime-sdk-voice").create_sip_media_application_call(
            FromPhoneNumber=OURS, ToPhoneNumber=THEIRS, SipMediaApplicationId=APP
        )["SipMediaApplicationCall"]["TransactionId"]
        line = service.exchange.line(call)
        assert line.done.wait(DEADLINE_S)
        last = line.phone.events[-1]["CallDetails"]["TransactionAttributes"]
        (meeting,) = service.plane.meetings.living(service.plane.now_ms)
        assert last == {"meeting": meeting.id}


def test_the_environment_leads_every_client_here_and_nothing_is_set_by_itself() -> None:
    before = dict(os.environ)
    with local_service() as service:
        told = service.environment()
        assert {told[f"AWS_ENDPOINT_URL_{name}"] for name in SERVICES} == {service.url}
        assert told["AWS_DEFAULT_REGION"] == "us-east-1"
    assert dict(os.environ) == before


def test_switches_parties_and_quotas_are_those_that_are_given() -> None:
    switches = Switches().having({"same_meeting_token_after_end": "error", "app_id_key": "SipApplicationId"})
    people = {THEIRS: Party("busy", after_ms=100, rings_ms=None)}
    with local_service(switches=switches, quotas=UNLIMITED, party=people.get) as service:
        lines = [service.exchange.place(THEIRS, OURS, APP) for _ in range(20)]
        service.exchange.wait(1_000)
        assert all(line.done.is_set() for line in lines)
        assert lines[0].phone.events[0]["CallDetails"]["SipApplicationId"] == APP
        with service.exchange.together():
            room = service.plane.meetings.create("token-1", "weekly", "us-east-1", 0)
            service.plane.meetings.delete(room.id, 0)
            with pytest.raises(Exception, match="ConflictException"):
                service.plane.meetings.create("token-1", "weekly", "us-east-1", 0)
