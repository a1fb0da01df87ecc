"""Decisions 12 to 15: secrets and tokens.

That two calls with two PINs leave the same bytes in every sink is shown by tests/properties/test_twins.py and
tests/flows/test_privacy.py; what hooks and stores do with secrets by tests/services/test_dispatch.py.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

import sma_flows
from decisions.kit import ENV, Phone, World, findings, load, nothing, plan_of, saved, texts, types
from sma_flows.plan import Plan
from sma_flows.runtime import values
from sma_flows.runtime.ask import Secret, ServiceReply
from sma_flows.runtime.invoke import handle, masked
from sma_flows.runtime.program import Program

PIN = "7351"
ENTRY = """\
sma_flow: 1
name: door
entry: inbound
vars: {pin: secret digits(4)}
hooks:
  check: {python: hooks.made:check, outcomes: [ok, wrong], effect: read, budget: 100ms}
defaults: {next: {no_input: bye, no_match: bye, exhausted: bye, failed: bye}}
start: ask
states:
  ask: {gather: pin, prompt: "Your PIN, please.", visits: 3, next: look}
  look: {run: check(pin), next: {ok: inside, wrong: ask}}
  inside: {say: "Come in.", next: bye}
  bye: {hangup: normal}
"""
MEETING = """\
sma_flow: 1
name: calling
entry: outbound
inputs: {meeting: text(36), seat: text(36), join: masked text(2048)}
start: enter
states:
  enter:
    join_meeting: meeting
    attendee: seat
    token: join
    next: {left: bye, failed: bye}
  bye: {hangup: normal}
"""


def test_the_runtime_knows_no_cryptography_but_digests() -> None:
    found = set()
    for path in (Path(sma_flows.__file__).parent / "runtime").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                found.add((node.module or "").partition(".")[0])
            elif isinstance(node, ast.Import):
                found |= {each.name.partition(".")[0] for each in node.names}
    assert not found & {"cryptography", "boto3", "botocore", "ssl", "secrets"}


def test_a_secret_checked_where_it_arrives_needs_no_storage() -> None:
    phone = Phone(ENTRY, World(check="wrong"))
    phone.start()
    phone.deliver(phone.report(ReceivedDigits=PIN))
    assert phone.world.asked("check")[0].args[0].reveal() == PIN
    assert PIN not in saved(phone)
    assert PIN not in json.dumps(phone.last.variables)
    assert PIN not in repr(phone.last) + repr(phone.last.asks) + str(phone.last.call)


def test_a_retry_carries_the_digits_again() -> None:
    phone = Phone(ENTRY, World(check=["ok", "ok"]))
    phone.start()
    event = phone.report(ReceivedDigits=PIN)
    assert texts(phone.react(event)) == texts(phone.react(event)) == ["Come in."]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "ask: {gather: pin, prompt",
            "again: {run: check(pin), next: {ok: inside, wrong: ask}}\n  ask: {gather: pin, prompt",
        ),
        ('say: "Come in."', 'say: "Your PIN is {pin}."'),
    ],
)
def test_a_secret_that_would_be_saved_or_shown_does_not_compile(old: str, new: str) -> None:
    text = ENTRY.replace(old, new)
    if "again" in new:
        text = text.replace("ok: inside, wrong: ask}}\n  inside", "ok: between, wrong: ask}}\n  inside")
        text = text.replace("  inside:", '  between: {menu: "Sure?", keys: {1: again}, visits: 3}\n  inside:')
    assert {"SF302", "SF303"} & set(findings(text))


def test_a_limit_does_not_count_by_a_secret() -> None:
    """Its digest would be stored, and a digest of a PIN is a PIN."""
    limited = ENTRY.replace(
        "run: check(pin), next: {", "run: check(pin), limit: {wrong: 5 per pin per 1h}, next: {limited: bye, "
    )
    assert {"SF302", "SF303"} & set(findings(limited))


QUEUE = """\
sma_flow: 1
name: queue
entry: inbound
hooks: {check: {python: hooks.made:check, effect: read, budget: 100ms}}
updates: {pin: {takes: {pin: secret digits(4)}, queue: 2, during: [talk], next: look}}
start: talk
states:
  talk: {bridge: env.SALES, next: {ended: hangup, no_answer: hangup, failed: hangup}}
  look: {run: check(pin), next: hear}
  hear: {say: "Thank you.", next: back}
"""


def test_a_secret_does_not_wait_in_a_queue() -> None:
    """The compiler refuses it, and the runtime drops it where a plan comes from elsewhere."""
    assert "SF303" in findings(QUEUE)
    plain = plan_of(QUEUE.replace("takes: {pin: secret", "takes: {pin: ")).to_json()
    revision = plain["flows"]["queue"]
    plain["revisions"][revision]["vars"]["pin"]["secrecy"] = "secret"
    phone = Phone(Program.load(Plan.from_json(plain), ENV)).rest()
    assert texts(phone.deliver(phone.updating(update="pin", pin=PIN))) == ["Thank you."]
    assert nothing(phone.react(phone.updating(update="pin", pin="9024")))
    assert PIN not in saved(phone)


# -- tokens


def test_a_bearer_token_is_saved_apart_masked_and_dropped_after_its_use() -> None:
    join = "jt-" + "x" * 40
    phone = Phone(MEETING, inbound=False, arguments={"meeting": "m-1", "seat": "a-1", "join": join})
    phone.start()
    assert join in json.dumps(phone.results[0].response["TransactionAttributes"])
    assert set(phone.results[0].response["TransactionAttributes"]) == {"sf", "sv", "st"}
    assert join not in json.dumps(phone.results[0].variables)
    phone.rest()
    assert phone.at.base == "enter"
    assert "st" not in (phone.attributes or {})
    assert join not in saved(phone)


def test_a_made_attendee_keeps_its_token_out_of_the_saved_call() -> None:
    text = MEETING.replace("    attendee: seat\n    token: join\n", "").replace(
        "seat: text(36), join: masked text(2048)", "x: text(1)"
    )
    text = text.replace(", x: text(1)", "")
    phone = Phone(text, inbound=False, arguments={"meeting": "m-1"})
    phone.start()
    assert types(phone.last) == ["JoinChimeMeeting"]
    assert "join-" not in saved(phone)


# -- nothing shows a secret by accident


def test_a_secret_hides_from_every_way_of_writing_it() -> None:
    secret = Secret(PIN)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>20}",
        repr([secret]),
        repr({"a": secret}),
    ]
    assert not [text for text in shown if PIN in text]
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        hash(secret)
    with pytest.raises(TypeError):
        vars(secret)


def test_variables_are_shown_masked_and_numbers_without_their_middle() -> None:
    flow = load(ENTRY).current("door")
    assert flow is not None
    shown = masked(flow, {"pin": PIN, "who": "+14155550123", "all": ["+14155550123"], "@undo": ["x"]})
    assert shown == {"pin": "***", "who": "+1415***23", "all": ["+1415***23"]}


@pytest.mark.parametrize(
    "kind", [{"t": "digits", "max": 2}, {"t": "number"}, {"t": "one_of", "words": ["a"]}, {"t": "phone"}]
)
def test_a_mismatch_does_not_say_what_it_saw(kind: dict[str, Any]) -> None:
    with pytest.raises(values.MismatchError) as caught:
        values.coerce(kind, f"x{PIN}")
    assert PIN not in str(caught.value)


class Careless:
    """Services that break with a secret in the text of what they raise."""

    def perform(self, ask: Any, deadline: float) -> ServiceReply:
        raise ValueError(f"{ask.args[0].reveal()} is wrong")


def test_a_fault_is_told_by_kind_and_place_only() -> None:
    phone = Phone(ENTRY, fault=True)
    phone.start()
    result = handle(phone.program, phone.report(ReceivedDigits=PIN), now=phone.now, services=Careless())
    assert "ValueError in perform" in result.fault
    everything = json.dumps(result.response) + result.fault + result.note + repr(result) + json.dumps(result.variables)
    assert PIN not in everything


def test_a_fingerprint_holds_nothing_of_the_digits() -> None:
    saves = []
    for pin in (PIN, "9024"):
        phone = Phone(ENTRY, World(check="wrong"))
        phone.start()
        phone.deliver(phone.report(ReceivedDigits=pin))
        saves.append(phone.attributes)
    assert saves[0] == saves[1]


def test_an_ask_that_is_written_down_hides_its_secret() -> None:
    phone = Phone(ENTRY)
    phone.start()
    phone.deliver(phone.report(ReceivedDigits=PIN))
    ask = phone.world.asked("check")[0]
    assert PIN not in repr(ask)
    assert PIN not in repr(ask._asdict())
