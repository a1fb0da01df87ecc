"""Whole calls in which a request to AWS goes wrong, played on the simulated network: the table of docs/faults.md.

The caller hears the flow's words for it, every event is answered before the service would send it again, nothing is
created twice (also where every event is handled twice), and clean-up runs.
"""

from __future__ import annotations

import copy
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from simulator.api.kit import APP, OURS, Served
from sma_flows.compiler import compile_paths
from sma_flows.hooks import Reply
from sma_flows.plan import Plan
from sma_flows.runtime import work
from sma_flows.runtime.ask import Ask, ServiceReply
from sma_flows.runtime.invoke import handle
from sma_flows.runtime.program import Program
from sma_flows.services import dispatch, journal
from sma_flows.services.setup import open_services
from sma_flows.simulator.attending import Attending
from sma_flows.simulator.driver import Phone
from sma_flows.simulator.messages import Hears
from sma_flows.simulator.parties import Party
from sma_flows.testing.control import UNLIMITED, local_service
from sma_flows.testing.world import _local_values

from .fault_calls import CALLS, FAULTS, FLOWS, PROMPTS, WholeCall, table
from .faulty import TEXT
from .front import Front, Passed, front
from .stand_ins import HASH_KEY, Place, new_table

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # see test_faults.py

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = (ROOT / "docs" / "services.md").read_text("utf-8")
AT: Final = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
CALLER: Final = "+14155550123"
INSTANCE: Final = "arn:aws:chime:us-east-1:111122223333:app-instance/11111111-2222-3333-4444-555555555555"
BOT: Final = f"{INSTANCE}/bot/helper"

AGAIN_S: Final = 5.0
"""The service sends an event again that is not answered by then (contract 7.1)."""

BUDGETS_MS: Final = (1_200, 2_000, 3_000)
"""What a hook gets where a request is not answered: the time is really waited for. A machine that is too busy for the
requests that are answered gets another try with more."""

ENOUGH_MS: Final = 5_000
"""What it gets where everything is answered at once. Whoever waits for a record that is never written waits for all of
it, so there is more only on a machine that was too busy for this."""

PLENTY_MS: Final = 30_000
"""Then how fast the machine is does not matter."""

CREATES: Final = {
    "CreateMeeting": "ClientRequestToken",
    "CreateAttendee": "ExternalUserId",
    "CreateMediaLiveConnectorPipeline": "ClientRequestToken",
    "CreateMediaCapturePipeline": "ClientRequestToken",
    "SendChannelMessage": "ClientRequestToken",
    "SendMessage": "MessageDeduplicationId",
    "PutEvents": "",
    "CreateSipMediaApplicationCall": "",
    "UpdateSipMediaApplicationCall": "",
    "Invoke": "",
}
"""What makes something, and the token by which its service knows it again; empty: it knows none."""


SESSION: Final = boto3.session.Session("testing", "testing", region_name="us-east-1")


@pytest.fixture(autouse=True)
def one_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """All clients from one session: reading the models of the services takes longer than a call."""
    monkeypatch.setattr(boto3.session, "Session", lambda **_: SESSION)


@pytest.fixture
def aws(moto_address: str) -> Iterator[tuple[Front, Served]]:
    with local_service(quotas=UNLIMITED, rates={"*": 0}) as service, front(service.url, moto_address) as door:
        yield door, Served(service)


def plan_of(name: str, folder: Path) -> Plan:
    """The flow called *name*: one of flows/, of docs/services.md, or of the table."""
    path = ROOT / "flows" / f"{name}.yaml"
    if not path.exists():
        texts = [*FLOWS.values(), *re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
        (text,) = (text for text in texts if f"\nname: {name}\n" in text)
        path = folder / f"{name}.yaml"
        path.write_text(text)
        if "prompts: prompts.yaml" in text:
            (folder / "prompts.yaml").write_text(PROMPTS)
    result = compile_paths([path])
    assert result.plan is not None, result.diagnostics
    return result.plan


class Played:
    """One call behind the door, every event handled twice."""

    def __init__(
        self, call: WholeCall, budget_ms: int, door: Front, served: Served, channel: str, place: Place, folder: Path
    ) -> None:
        self.call, self.door = call, door
        plan = plan_of(call.flow, folder)
        values = {
            **_local_values(ROOT / "flows" / "local.env"),
            **{key: key.lower() for key in plan.flow(call.flow).get("env", {}).get("required", ())},
            "PROMPTS": "example-prompts",
            "VOICEMAILS": "example-voicemails",
            "SALES": "+12065550150",
            "APPLICATION": APP,
            "MISSED": "https://sqs.us-east-1.example.com/111122223333/missed.fifo",
            "RTMP": "rtmp://live.example.com/a",
            "RECORDINGS": "example-recordings",
            "SOMEBODY": somebody(served) if call.flow == "moderated" else "",
            "TEAM_CHANNEL": channel,
            "TEAM_BOT": BOT,
            **call.env,
        }
        env = {
            **place.env,
            **values,
            "AWS_ENDPOINT_URL": door.url,
            "AWS_ENDPOINT_URL_DYNAMODB": door.url,
            "SMA_FLOWS_SERVICES": "aws",
            "SMA_FLOWS_HASH_KEY": HASH_KEY,
            "SMA_FLOWS_HOOKS": str(ROOT / "flows"),
            "AWS_LAMBDA_FUNCTION_NAME": "calls",
        }
        opened = open_services(plan_without_code(plan), env, ROOT / "flows" / "plan.json")
        self.services = opened.services
        self.budget_ms = budget_ms
        revision = plan.flows[call.flow]
        self.services.functions = {
            (revision, "verify_pin"): lambda *_: Reply("ok"),
            (revision, "find_mailbox"): lambda *_: Reply("found", owner="Ana Torres"),
            (revision, "note"): lambda *_: Reply("done"),
        }
        directory = self.services.ports.directory
        if call.flow == "who-calls" and directory is not None:
            directory.put_secret("doors", "482913", {"door": "north"}, 5)
        self.program = Program.load(plan, values)
        self.longest = 0.0
        self.troubles: list[str] = []
        self.wrong: list[str] = []
        self.read = 0
        self.marked = -1
        plane = served.plane  # whoever joins a meeting is seen to be in it
        seats = Attending(plane.meetings, place.table, lambda: plane.now_ms, strict=False)
        self.phone = Phone(self.answer, parties=[Party(after_ms=2_000)], around=seats)

    def answer(self, event: dict[str, Any]) -> object:
        began = time.monotonic()
        first = self.handled(event)
        self.longest = max(self.longest, time.monotonic() - began)
        if self.door.fault == "no answer" and CREATES.get(self.call.request) != "":
            return first  # it was done, and the second time its service knows it: that takes as long once more
        if self.handled(event) != first and not self.call.lost:
            self.wrong.append(f"{event['InvocationEventType']} is answered differently when it comes again")
        return first

    def handled(self, event: dict[str, Any]) -> dict[str, Any]:
        result = handle(self.program, copy.deepcopy(event), now=AT, services=self, overlaps=self.services.overlaps)
        if result.fault:
            self.wrong.append(result.fault)
        self.troubles += [f"{each.reason} {each.what} {each.detail}" for each in self.services.take_troubles()]
        return result.response

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        """What the flow asks, with the time of this call."""
        return self.services.perform(ask._replace(budget_ms=self.budget_ms), deadline)

    def mark(self) -> None:
        """The fault happens for the first time: what is heard from now on counts."""
        if self.marked < 0:
            self.marked = len(self.said())

    def said(self) -> list[str]:
        entries = [entry.value for entry in self.phone.transcript]
        return [
            each.text for each in entries if isinstance(each, Hears) and each.what == "speech" and each.leg == "LEG-A"
        ]

    def hears(self, words: str) -> bool:
        """Whether these words are said, after those that were waited for before."""
        while True:
            for place, entry in enumerate(self.phone.transcript[self.read :], self.read):
                if isinstance(entry.value, Hears) and words in entry.value.text:
                    self.read = place + 1
                    return True
            self.read = len(self.phone.transcript)
            if self.phone.over or not self.phone.until(lambda entry: isinstance(entry.value, Hears)):
                return False

    def play(self) -> list[str]:
        """The whole call; what was heard from the fault on."""
        self.door.on_fault[:] = [self.mark]
        self.phone.dial_in(CALLER, OURS)
        for words, keys in self.call.keys:
            if not self.hears(words):
                break
            if words == "Hello.":
                self.phone.wait(8_000)  # until the parties talk
            self.phone.press(keys)
        if "voicemail" in self.call.flow or self.call.flow == "missed":
            self.phone.wait(8_000)
        self.phone.wait(20_000)
        if not self.call.talks:
            self.phone.wait(60_000)
        if not self.phone.over:
            self.phone.hang_up()
            self.phone.settle()
        assert self.phone.over
        return self.said()[self.marked :] if self.marked >= 0 else ["(the fault did not happen)"]


def somebody(served: Served) -> str:
    """Somebody who is in the meeting `board` already."""
    client = served.client("chime-sdk-meetings")
    token = sha256(b"board").hexdigest()[:32]
    region = {"ExternalMeetingId": f"sf-{token}", "MediaRegion": "us-east-1"}
    meeting = client.create_meeting(ClientRequestToken=token, **region)["Meeting"]["MeetingId"]
    return str(client.create_attendee(MeetingId=meeting, ExternalUserId="somebody")["Attendee"]["AttendeeId"])


def plan_without_code(plan: Plan) -> Plan:
    """The same plan, whose Python hooks need not be found: they are given."""
    data = copy.deepcopy(plan.to_json())
    for flow in data["revisions"].values():
        for hook in flow.get("hooks", {}).values():
            hook.pop("python", None)
    return Plan.from_json(data)


@pytest.fixture
def channel(aws: tuple[Front, Served]) -> str:
    client = aws[1].client("chime-sdk-messaging")
    made = client.create_channel(AppInstanceArn=INSTANCE, Name="team", ClientRequestToken="team-1", ChimeBearer=BOT)
    return str(made["ChannelArn"])


@pytest.mark.parametrize("call", CALLS, ids=str)
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "no answer"])
def test_a_request_that_is_refused(
    call: WholeCall, fault: str, aws: tuple[Front, Served], channel: str, moto_address: str, tmp_path: Path
) -> None:
    for budget_ms in (ENOUGH_MS, PLENTY_MS):
        aws[0].passed.clear()
        aws[0].jammed = ""
        with pytest.MonkeyPatch.context() as patch:
            for module, name in ((work, "ANSWER_S"), (dispatch, "STORE_S"), (journal, "WAIT_S")):
                patch.setattr(module, name, budget_ms / 1000)
            played = Played(call, budget_ms, *aws, channel, new_table("moto", moto_address), tmp_path)
            try:
                judge(played, call, fault)
            except AssertionError:
                if budget_ms == PLENTY_MS:
                    raise
            else:
                return


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_request_that_is_not_answered(
    call: WholeCall, aws: tuple[Front, Served], channel: str, moto_address: str, tmp_path: Path
) -> None:
    for budget_ms in BUDGETS_MS:
        aws[0].passed.clear()
        aws[0].jammed = ""
        played = Played(call, budget_ms, *aws, channel, new_table("moto", moto_address), tmp_path)
        try:
            judge(played, call, "no answer")
            assert played.longest < AGAIN_S
        except AssertionError:
            if budget_ms == BUDGETS_MS[-1]:
                raise
        else:
            return


def judge(played: Played, call: WholeCall, fault: str) -> None:
    """Play the call, and look whether all that the page says of it holds."""
    door = played.door
    door.jammed, door.fault = call.request, fault
    heard = played.play()
    assert door.count(call.request) > 0, f"the request was not made: {played.troubles}"
    assert heard == list(call.hears)
    assert played.wrong == []
    assert TEXT not in " ".join(played.troubles)
    assert bool(played.troubles) != call.quiet, "somebody is told, unless nothing was lost"
    assert twice(door.passed) == []
    asked = Counter(each.operation for each in door.passed)
    for operation, times in Counter(call.then).items():
        assert asked[operation] >= times, f"{operation} was left out"


def twice(passed: list[Passed]) -> list[str]:
    """What was made more than once: known by its token, or, where none is known, by its body."""
    made: Counter[tuple[str, str]] = Counter()
    for each in passed:
        again = each.operation == "Invoke" and '"clean_up"' in each.body  # the event came twice; its token is one
        if each.operation in CREATES and each.done and not again:
            token = CREATES[each.operation]
            body = json.loads(each.body or "{}")
            if not token:
                made[each.operation, each.body] += 1
                continue
            assert body.get(token) or token in each.body, f"{each.operation} without its token"
    ids: dict[tuple[str, str], set[str]] = {}
    for each in passed:
        if CREATES.get(each.operation) and each.done and each.answer:
            body, answer = json.loads(each.body), json.loads(each.answer)
            ids.setdefault((each.operation, body[CREATES[each.operation]]), set()).add(_id(answer))
    tokens = Counter(operation for operation, _ in ids)
    return [
        *(f"{operation} {n} times" for (operation, _), n in made.items() if n > 1),
        *(f"{operation}: {len(found)} for one token" for (operation, _), found in ids.items() if len(found) > 1),
        *(f"{operation}: {n} tokens" for operation, n in tokens.items() if n > 1),
    ]


def _id(answer: dict[str, Any]) -> str:
    """The id of what was made."""
    flat = json.dumps(answer)
    found = re.search(r'"(?:MeetingId|AttendeeId|MediaPipelineId|MessageId)": *"([^"]+)"', flat)
    return found[1] if found else ""


def test_the_page_is_the_table() -> None:
    assert (ROOT / "docs" / "faults.md").read_text("utf-8") == table()
