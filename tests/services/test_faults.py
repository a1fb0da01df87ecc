"""Every request of every port, and AWS that does not answer, throttles, denies, fails, or answers nonsense.

The flow's ``failed`` comes in time, the text of the service is told to nobody, and nothing is created twice: what knows
a token is sent with the same one, and what knows none is sent once, also when the event comes again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from sma_flows.hooks.builtin import BUILTINS
from sma_flows.plan import Plan
from sma_flows.runtime.ask import Ask
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.setup import open_services

from .faulty import FAULTS, TEXT, Answer, Faulty, Request, faulty
from .stand_ins import ENV, HASH_KEY
from .world import an_ask, per_caller, perform

MEETING: Final = "11111111-2222-3333-4444-555555555555"
CHANNEL: Final = "arn:aws:chime:us-east-1:111122223333:app-instance/a/channel/c"
BUS: Final = "arn:aws:events:us-east-1:111122223333:event-bus/calls"
FIFO: Final = "https://sqs.us-east-1.example.com/111122223333/calls.fifo"


@dataclass(frozen=True)
class Case:
    """A built-in hook: what it is given, the request that has the effect, and where its token is in that request.

    ``token`` is empty where the service knows none; ``once`` is what is therefore sent one time at most.
    """

    name: str
    args: tuple[Any, ...]
    request: str
    token: str = ""
    once: bool = False
    settings: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}{' to a bus' if BUS in self.settings.values() else ''}"


CASES: Final = [
    Case("directory.find", ("k",), "GetItem", settings={"table": "t"}),
    Case("directory.put", ("k",), "UpdateItem", "sf_tokens", settings={"table": "t"}),
    Case("directory.claim", ("k",), "PutItem", "sf_owner", settings={"table": "t"}),
    Case("directory.remove", ("k",), "DeleteItem", settings={"table": "t"}),
    Case("meetings.open", ("weekly",), "POST /meetings", "ClientRequestToken"),
    Case("meetings.find", ("weekly",), "GetItem"),
    Case("meetings.close", ("weekly",), "GetItem"),
    Case("meetings.mute", (MEETING, MEETING), f"GET /meetings/{MEETING}/attendees"),
    Case("meetings.unmute", (MEETING, MEETING), f"GET /meetings/{MEETING}/attendees"),
    Case(
        "channel.post",
        ("hello",),
        "POST /channels",
        "ClientRequestToken",
        settings={"channel": CHANNEL, "bearer": CHANNEL},
    ),
    Case("queue.put", ("hello",), "SendMessage", "MessageDeduplicationId", settings={"queue": FIFO}),
    Case("queue.put", ("hello",), "PutEvents", once=True, settings={"queue": BUS}),
    Case(
        "stream.start",
        (MEETING,),
        "POST /sdk-media-live-connector-pipelines",
        "ClientRequestToken",
        settings={"sink": "rtmp://live.example.com/a"},
    ),
    Case("stream.stop", (MEETING,), "DELETE /sdk-media-pipelines"),
    Case(
        "capture.start", (MEETING,), "POST /sdk-media-capture-pipelines", "ClientRequestToken", settings={"sink": "b"}
    ),
    Case("capture.stop", (MEETING,), "DELETE /sdk-media-pipelines"),
    Case("transcription.start", (MEETING,), f"POST /meetings/{MEETING}/transcription"),
    Case("transcription.stop", (MEETING,), f"POST /meetings/{MEETING}/transcription"),
    Case(
        "calls.dial",
        ("elsewhere", "+14155550123", "+12065550199"),
        "POST /sip-media-applications",
        once=True,
        settings={"application": "app-1"},
    ),
    Case(
        "calls.update",
        ("elsewhere", "t-2", "notice"),
        "POST /sip-media-applications",
        once=True,
        settings={"application": "app-1"},
    ),
]


def test_every_built_in_is_tried() -> None:
    assert {case.name for case in CASES} == set(BUILTINS)


@pytest.fixture
def aws() -> Iterator[Faulty]:
    with faulty() as made:
        yield made


def world(case: Case, aws: Faulty, memo: Path, budget_ms: int) -> tuple[LocalServices, Ask]:
    """Services as a function opens them, and what a flow asks of them. The memo is a file: it works."""
    declared = BUILTINS[case.name]
    hook = {
        "builtin": case.name,
        "with": {key: ["lit", value] for key, value in case.settings.items()},
        "effect": declared.effect,
        "outcomes": {each: {name: {} for name in declared.gives} for each in declared.outcomes},
    }
    flow = {"name": "f", "start": "a", "states": {}, "hooks": {"it": hook}}
    plan = Plan("f", (), {"f": "r"}, {"r": flow})
    env = {
        **ENV,
        "SMA_FLOWS_SERVICES": "aws",
        "SMA_FLOWS_STORE": "dynamodb:table",
        "SMA_FLOWS_HASH_KEY": HASH_KEY,
        "AWS_ENDPOINT_URL": aws.url,
    }
    opened = open_services(plan, env, Path("plan.json")).services
    if opened.memo is not None:
        opened.memo = open_services(plan, {"SMA_FLOWS_STORE": str(memo)}, Path("plan.json")).services.memo
    return opened, an_ask(*case.args, hook=hook, effect=declared.effect, name="it", budget_ms=budget_ms)


def failing(part: str, answer: Answer) -> Any:
    """*answer* for requests whose operation contains *part*, all others go well."""
    meeting = {"Meeting": {"MeetingId": MEETING, "MeetingArn": "arn:of:meeting"}}

    def decide(request: Request) -> Answer:
        if part in request.operation:
            return answer
        return 200, "", json.dumps(meeting) if request.operation.startswith("GET /meetings") else "{}"

    return decide


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_aws_does_not_do_is_failed_and_nothing_happens_twice(
    case: Case, fault: str, aws: Faulty, tmp_path: Path
) -> None:
    # Only silence uses its time up; whatever is answered at once leaves it to a second attempt, on a busy machine too.
    made, ask = world(case, aws, tmp_path / "memo.sqlite", budget_ms=600 if fault == "time_out" else 5_000)
    aws.answer = failing(case.request, FAULTS[fault])
    reply = perform(made, ask)
    troubles = made.take_troubles()
    assert reply.outcome == "failed"
    assert [trouble.reason for trouble in troubles] == ["port"], "found by the port itself, before the hook's timer"
    assert TEXT not in repr(troubles)
    requests = aws.seen(case.request)
    most = 1 if case.once or fault in ("deny", "garbage", "torn") else 2
    least = 1 if fault == "time_out" else most  # a second attempt is made while time is left: a busy machine has none
    assert least <= len(requests) <= most
    if case.token:
        assert len({_token(request, case.token) for request in requests}) == 1
    if case.once:
        assert perform(made, ask).outcome == "failed"
        assert len(aws.seen(case.request)) == 1, "the event that comes again asks for nothing"


def _token(request: Request, name: str) -> str:
    """The part of a request that holds the token."""
    assert name in request.body
    body = json.loads(request.body)
    return json.dumps(body.get(name) or body)


STORE_FAULTS: Final = ("time_out", "throttle", "deny", "failure", "garbage", "torn")


def behind_the_store(aws: Faulty, **changes: Any) -> tuple[LocalServices, Ask, list[str]]:
    """A hook of one's own whose record or limit is in a table that fails; and what it has done."""
    ran: list[str] = []
    flow = {
        "name": "f",
        "start": "a",
        "states": {"a": {"limits": [{"per": "caller"}]}},
        "hooks": {"check": {"effect": "once"}},
    }
    env = {**ENV, "SMA_FLOWS_STORE": "dynamodb:table", "AWS_ENDPOINT_URL": aws.url}
    opened = open_services(Plan("f", (), {"f": "r"}, {"r": flow}), env, Path("plan.json")).services
    opened.functions = {("rev1", "check"): lambda call, *_: ran.append(call.token) or "ok"}
    return opened, an_ask(budget_ms=600, **changes), ran


@pytest.mark.parametrize("fault", STORE_FAULTS)
def test_a_hook_whose_record_cannot_be_opened_does_not_run(aws: Faulty, fault: str) -> None:
    made, ask, ran = behind_the_store(aws, effect="once")
    aws.answer = failing("Item", FAULTS[fault])
    assert perform(made, ask).outcome == "failed"
    assert ran == []
    assert TEXT not in repr(made.troubles)


@pytest.mark.parametrize("fault", STORE_FAULTS)
def test_a_limit_that_cannot_be_counted_lets_nobody_guess(aws: Faulty, fault: str) -> None:
    made, ask, ran = behind_the_store(aws, limits=(per_caller(),))
    aws.answer = failing("Item", FAULTS[fault])
    assert perform(made, ask).outcome == "failed"
    assert ran == []
    assert TEXT not in repr(made.troubles)


@pytest.mark.parametrize("fault", STORE_FAULTS)
def test_clean_up_runs_although_its_record_cannot_be_opened(aws: Faulty, fault: str) -> None:
    """Nobody asks again: a second time is better than never."""
    made, ask, ran = behind_the_store(aws, effect="once", cleanup=True)
    aws.answer = failing("Item", FAULTS[fault])
    assert perform(made, ask).outcome == "ok"
    assert len(ran) == 1
    assert "may_repeat" in [trouble.reason for trouble in made.take_troubles()]


@pytest.mark.parametrize("fault", STORE_FAULTS)
def test_a_reply_that_cannot_be_written_down_is_given_all_the_same(aws: Faulty, fault: str) -> None:
    made, ask, ran = behind_the_store(aws, effect="once")
    aws.answer = failing("UpdateItem", FAULTS[fault])
    assert perform(made, ask).outcome == "ok"
    assert len(ran) == 1
    assert [trouble.reason for trouble in made.take_troubles()] == ["memo_unwritten"]
