"""Clients and requests of AWS: made when the function starts if a flow needs them, and sent where a flow says so.

Every recorded call is played by the function itself. What it asks of the world goes to the adapters for AWS, whose
requests are counted where botocore would send them and end there, and then to the stand-ins, whose replies the call
goes on with.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import botocore.endpoint
import botocore.session
import pytest
from botocore.exceptions import EndpointConnectionError

from sma_flows.cli.story import clock_of
from sma_flows.handler import Handler
from sma_flows.runtime.ask import Ask, ServiceReply
from sma_flows.services.dispatch import LocalServices, Trouble
from sma_flows.services.setup import open_services

from .desk import FLOW_NAMES, FLOWS, Desk, local_values, plan_of
from .stories import Story, read_stories

STORIES = read_stories()
AWS = {
    "SMA_FLOWS_SERVICES": "aws",
    "SMA_FLOWS_STORE": "dynamodb:calls",
    "SMA_FLOWS_HASH_KEY": "a key for tests that is long enough",
    "SMA_FLOWS_HOOKS": str(FLOWS),
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
    "TEAM_CHANNEL": "arn:aws:chime:us-east-1:111122223333:app-instance/example/channel/team",
}
CLIENTS = {
    "dial-in": ["dynamodb", "chime-sdk-meetings"],
    "front-desk": ["dynamodb", "chime-sdk-messaging"],
    "voicemail": ["dynamodb", "chime-sdk-messaging"],
    "lex-bot": [],
    "click-to-call": ["dynamodb"],
    "meeting-dialer": ["dynamodb"],
    "web-call": ["dynamodb", "chime-sdk-meetings"],
}


@dataclass
class Wire:
    """What botocore makes and sends while this is watched; nothing is really sent."""

    clients: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    seen = Wire()
    create = botocore.session.Session.create_client

    def made(session: Any, service_name: str, *args: Any, **more: Any) -> Any:
        seen.clients.append(service_name)
        return create(session, service_name, *args, **more)

    def sent(endpoint: Any, operation_model: Any, request_dict: Any) -> Any:
        seen.requests.append(operation_model.name)
        raise EndpointConnectionError(endpoint_url="nowhere")

    monkeypatch.setattr(botocore.session.Session, "create_client", made)
    monkeypatch.setattr(botocore.endpoint.Endpoint, "make_request", sent)
    return seen


class Both:
    """The services as the function sees them: everything is asked of AWS, and answered by the stand-ins."""

    def __init__(self, aws: LocalServices, stand_ins: LocalServices) -> None:
        self.aws, self.stand_ins = aws, stand_ins
        self.overlaps = None  # tests/services/test_journal.py counts what a journal asks for
        self.asks: list[Ask] = []

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        self.asks.append(ask)
        self.aws.perform(ask, deadline)
        return self.stand_ins.perform(ask, deadline)

    def take_troubles(self) -> list[Trouble]:
        self.aws.take_troubles()  # of course: nothing gets through
        return self.stand_ins.take_troubles()


@dataclass
class Played:
    """One event: what the flow asked for, the requests that were sent, and the figures in the function's record."""

    kind: str
    asks: list[Ask]
    requests: list[str]
    figures: dict[str, int]


@contextmanager
def records_of(handler: Handler) -> Iterator[list[logging.LogRecord]]:
    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record)

    found: list[logging.LogRecord] = []
    kept = Kept()
    handler.records.addHandler(kept)
    try:
        yield found
    finally:
        handler.records.removeHandler(kept)


def play(story: Story, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Played], int]:
    """The events of a recorded call, and how many clients there were before the first."""
    desk = Desk(story.flow)
    aws = open_services(plan_of(story.flow), {**local_values(), **AWS}, FLOWS / "plan.json").services
    before = len(wire.clients)
    both = Both(aws, desk.services)
    handler = Handler({"POWERTOOLS_SERVICE_NAME": "requests"})
    handler.use(desk.program, both)  # type: ignore[arg-type]  # as far as the function looks at it
    handler.meter = aws.meter
    events: list[Played] = []

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return clock_of(event_of_now[0])

    event_of_now: list[Any] = []
    monkeypatch.setattr("sma_flows.handler.datetime", Clock)

    def answer(event: Any, _now: datetime | None = None) -> dict[str, Any]:
        event_of_now[:] = [event]
        both.asks, sent = [], len(wire.requests)
        with records_of(handler) as records:
            given = handler.answer(event)
        (record,) = records
        figures = getattr(record, "aws", {})
        events.append(Played(event["InvocationEventType"], both.asks, wire.requests[sent:], figures))
        assert not hasattr(record, "problem")
        assert not hasattr(record, "troubles")
        return given

    story.play(answer)
    return events, before


def purposes(ask: Ask) -> set[str]:
    """What requests for *ask* may be counted as."""
    hook = ask.hook
    found = {"named"} if "builtin" in hook or hook.get("uses") or ask.port.startswith("meetings.") else set()
    found |= {"limits"} if ask.limits else set()
    return found | ({"records"} if ask.effect == "once" or hook.get("undo") or ask.port == "call.ended" else set())


@pytest.mark.parametrize("number", range(len(STORIES)), ids=[story.folder for story in STORIES])
def test_a_recorded_call_asks_aws_for_what_its_flow_names_and_for_nothing_else(
    number: int, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = STORIES[number]
    events, before = play(story, wire, monkeypatch)
    assert wire.clients == CLIENTS[story.flow]
    assert len(wire.clients) == before, "a client was made in the middle of a call"
    for event in events:
        assert sum(event.figures.values()) == len(event.requests)
        if not event.asks:
            assert event.requests == []
        assert set(event.figures) <= {purpose for ask in event.asks for purpose in purposes(ask)}
    assert any(not event.asks for event in events)


def test_requests_are_counted_as_named_and_as_limits_in_the_dial_in_call(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = next(story for story in STORIES if story.folder == "dial-in")
    events, _ = play(story, wire, monkeypatch)
    asking = [event for event in events if event.asks]
    assert [sorted(event.figures) for event in asking] == [["limits", "named"], ["named"]]
    assert len(asking) < len(events) / 4


def test_every_flow_is_among_the_recorded_calls() -> None:
    assert {story.flow for story in STORIES} == set(FLOW_NAMES) == set(CLIENTS)
