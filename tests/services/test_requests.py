"""How many requests to AWS an event costs: those that the flow names, records, limits; and none on all other events."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulator.api.kit import served
from sma_flows.compiler import compile_paths
from sma_flows.runtime.invoke import handle
from sma_flows.runtime.program import Program
from sma_flows.services.setup import open_services
from sma_flows.simulator.driver import Phone
from sma_flows.simulator.messages import Entry, Hears

from .stand_ins import HASH_KEY, Place, new_table

FLOWS = Path(__file__).resolve().parents[2] / "flows"
AT = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)


def played(flow: Path, place: Place, meetings: str, keys: dict[str, str]) -> list[tuple[str, dict[str, int]]]:
    """Each event of a call, and the requests to AWS that its answer took. *keys*: pressed when words are heard."""
    plan = compile_paths([flow]).plan
    assert plan is not None
    env = {
        **place.env,
        "SMA_FLOWS_SERVICES": "aws",
        "SMA_FLOWS_HOOKS": str(FLOWS),
        "SMA_FLOWS_HASH_KEY": HASH_KEY,
        "AWS_ENDPOINT_URL_CHIME_SDK_MEETINGS": meetings,
        "PROMPTS": "example-prompts",
        "LOOKUP": "people",
    }
    opened = open_services(plan, env, FLOWS / "plan.json")
    program, services = Program.load(opened.plan, env), opened.services
    found: list[tuple[str, dict[str, int]]] = []

    def answer(event: dict[str, Any]) -> object:
        result = handle(program, event, now=AT, services=services)
        assert services.take_troubles() == []
        action = event["ActionData"]["Type"] if event["InvocationEventType"] == "ACTION_SUCCESSFUL" else ""
        found.append((f"{event['InvocationEventType']} {action}".strip(), services.meter.take()))
        return result.response

    phone = Phone(answer)
    phone.dial_in()
    for words, press in keys.items():
        assert phone.until(lambda entry, words=words: words in heard(entry)), words
        phone.press(press)
    phone.wait(60_000)
    if not phone.over:
        phone.hang_up()
        phone.settle()
    assert phone.over
    return found


def heard(entry: Entry) -> str:
    return entry.value.text if isinstance(entry.value, Hears) else ""


KEYS = {"For English": "1", "your conference number": "4155501#", "six-digit PIN": "482913"}


def test_a_dial_in_call_asks_aws_where_its_flow_says_so_and_nowhere_else(dynalite_address: str) -> None:
    with served() as desk:
        place = new_table("dynalite", dynalite_address)
        found = played(FLOWS / "dial-in.yaml", place, desk.url, KEYS)
    quiet = [requests for _, requests in found if not requests]
    busy = [(event, requests) for event, requests in found if requests]
    assert len(quiet) >= 5
    assert busy == [
        # Two limits: the first guess of an hour turns the page of each (two writes and, as dynalite does not tell what
        # a failed condition met, a read), and gives its unit back. The meeting's name is looked up and kept, the
        # meeting made and looked at, and a seat made in it.
        ("ACTION_SUCCESSFUL SpeakAndGetDigits", {"named": 5, "limits": 8}),
        # The seat is given up; nobody is left, so the meeting, which is ours, ends.
        ("HANGUP", {"named": 4}),
    ]


COUNTING = """\
sma_flow: 1
name: counting
entry: inbound
hooks:
  look: {builtin: directory.find, with: {table: env.LOOKUP}, gives: {name: text(20)}}
  note: {python: hooks.conferences:verify_pin, outcomes: [ok, wrong, closed], effect: once}
defaults: {next: {failed: bye, no_input: bye, no_match: bye}}
start: hello
states:
  hello: {say: "Hello.", next: find}
  find: {run: look(call.from), next: {found: tell, none: tell}}
  tell: {say: "One moment.", next: write}
  write: {run: 'note("4155501", call.from)', next: {ok: bye, wrong: bye, closed: bye}}
  bye: {say: "Goodbye.", hangup: normal}
"""


def test_a_look_up_is_one_request_and_a_record_two(dynalite_address: str, tmp_path: Path) -> None:
    (tmp_path / "counting.yaml").write_text(COUNTING)
    place = new_table("dynalite", dynalite_address)
    found = played(tmp_path / "counting.yaml", place, "http://127.0.0.1:9", {})
    assert [(event, requests) for event, requests in found if requests] == [
        ("ACTION_SUCCESSFUL Speak", {"named": 1}),
        ("ACTION_SUCCESSFUL Speak", {"records": 2}),
    ]
