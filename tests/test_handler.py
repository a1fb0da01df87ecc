from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aws_lambda_powertools
import jsonschema
import pytest

from sma_flows import handler as module
from sma_flows.handler import ANSWERED, LAST_WORDS, Handler, last_resort
from sma_flows.plan import Plan, revision_of
from sma_flows.protocol.check import check_emit_rules, check_event, check_response
from sma_flows.protocol.events import EVENT_TYPES
from sma_flows.runtime.ask import ServiceReply
from sma_flows.runtime.invoke import Result
from sma_flows.runtime.program import FlowProgram
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.records import masked_event, sampled, shown_values

PIN = "482913"
USUAL = {"Calls", "Completions", "DropOffs", "HookLatency", "NoInput", "NoMatch"}
TIMES = ("timestamp", "ms", "asks_ms")
GONE = {"Type": "Hangup", "Parameters": {"SipResponseCode": 0, "CallId": "leg-a", "ParticipantTag": "LEG-A"}}
CALLER = "+14155550123"
OUR_NUMBER = "+12065550199"
WORDS = "Please enter the six digits of your PIN."

FLOW: Mapping[str, Any] = {
    "name": "dial-in",
    "entry": "inbound",
    "start": "ask_pin",
    "vars": {"pin": {"t": "digits", "min": 6, "max": 6, "secrecy": "secret"}},
    "hooks": {
        "verify_pin": {
            "python": "hooks.meetings:verify_pin",
            "outcomes": {"ok": {}, "wrong": {}},
            "main": "ok",
            "budget": 300,
            "effect": "read",
            "args": ["secret"],
        }
    },
    "states": {
        "ask_pin": {
            "do": "gather",
            "var": "pin",
            "items": [["text", [WORDS]]],
            "min": 6,
            "max": 6,
            "terminators": ["#"],
            "timeout": 5000,
            "gap": 3000,
            "regex": "^[0-9]{6}$",
            "encoding": "service",
            "times": 2,
            "no_input": [["text", ["Nothing was heard."]]],
            "no_match": [["text", ["Nothing was heard."]]],
            "next": {"done": "check", "no_input": "bye", "no_match": "bye", "failed": "bye"},
        },
        "check": {
            "do": "run",
            "hook": "verify_pin",
            "args": [["var", "pin"]],
            "next": {"ok": "welcome", "wrong": "bye", "failed": "bye", "limited": "bye"},
        },
        "welcome": {"do": "say", "items": [["text", ["Welcome."]]], "next": {"done": "bye", "failed": "bye"}},
        "bye": {"do": "hangup", "code": "0", "leg": "A"},
    },
}

HOOKS = """
from sma_flows.hooks import hook, same_secret

@hook
def verify_pin(call, pin):
    if pin.reveal() == "000000":
        raise ValueError("the PIN was " + pin.reveal())
    if pin.reveal() == "999999":
        while True:
            pass
    return "ok" if same_secret(pin, "482913") else "wrong"
"""


def a_plan(flow: Mapping[str, Any] = FLOW) -> Plan:
    revision = revision_of(flow)
    return Plan("dial-in", ({"entry": "inbound", "flow": "dial-in"},), {"dial-in": revision}, {revision: dict(flow)})


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "plan.json").write_text(a_plan().dumps())
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "meetings.py").write_text(HOOKS)
    return {"SMA_FLOWS_PLAN": str(tmp_path / "plan.json")}


class Desk:
    """A handler, the log lines that it wrote, and a call that goes on from event to event."""

    def __init__(self, env: Mapping[str, str], capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture
        self.written = io.StringIO()
        self.listener = logging.StreamHandler(self.written)
        logger = logging.getLogger("sma-flows")
        self.handler = Handler(env)
        if logger.handlers:
            self.listener.setFormatter(logger.handlers[0].formatter)
        logger.addHandler(self.listener)
        self.attributes: dict[str, str] = {}
        self.sequence = 0

    def send(self, kind: str, status: str | None = "Connected", **data: Any) -> dict[str, Any]:
        self.sequence += 1
        event = an_event(kind, status, self.sequence, self.attributes, **data)
        answer = self.handler.answer(event)
        assert check_response(answer) == []
        assert check_emit_rules(answer, event) == []
        self.attributes = answer.get("TransactionAttributes", self.attributes)
        return answer

    def dial(self) -> dict[str, Any]:
        return self.send("NEW_INBOUND_CALL", None)

    def press(self, digits: str) -> dict[str, Any]:
        return self.send("ACTION_SUCCESSFUL", **pressed(digits))

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written.getvalue().splitlines()]

    def metrics(self) -> dict[str, float]:
        """What is counted as having gone wrong."""
        return {name: count for name, count, _, _ in self.measured() if name not in USUAL}

    def measured(self) -> list[tuple[str, float, str, dict[str, str]]]:
        """Everything that was measured: name, value, unit, dimensions without the service."""
        found = []
        for line in self.capture.readouterr().out.splitlines():
            record = json.loads(line)
            for space in record.get("_aws", {}).get("CloudWatchMetrics", ()):
                assert space["Namespace"] == "SmaFlows"
                (names,) = space["Dimensions"]
                told = {name: record[name] for name in names if name != "service"}
                assert record["service"] == "sma-flows"
                found += [(each["Name"], sum(record[each["Name"]]), each["Unit"], told) for each in space["Metrics"]]
        return found


def pressed(digits: str) -> dict[str, Any]:
    parameters = {
        "CallId": "leg-a",
        "SpeechParameters": {"Text": WORDS},
        "RepeatDurationInMilliseconds": 5000,
    }
    return {"Type": "SpeakAndGetDigits", "Parameters": parameters, "ReceivedDigits": digits}


def an_event(
    kind: str,
    status: str | None = "Connected",
    sequence: int = 1,
    attributes: Mapping[str, str] | None = None,
    **data: Any,
) -> dict[str, Any]:
    leg = {
        "CallId": "leg-a",
        "ParticipantTag": "LEG-A",
        "To": OUR_NUMBER,
        "From": CALLER,
        "Direction": "Inbound",
        "StartTimeInMilliseconds": "1795168800000",
        **({"Status": status} if status else {}),
    }
    details = {
        "TransactionId": "t-1",
        "AwsAccountId": "111122223333",
        "AwsRegion": "us-east-1",
        "SipMediaApplicationId": "sma-1",
        "Participants": [leg],
        **({"TransactionAttributes": attributes} if attributes else {}),
    }
    event: dict[str, Any] = {
        "SchemaVersion": "1.0",
        "Sequence": sequence,
        "InvocationEventType": kind,
        "CallDetails": details,
    }
    return {**event, "ActionData": data} if data else event


@pytest.fixture
def desk(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    made = Desk(env, capsys)
    yield made
    logging.getLogger("sma-flows").removeHandler(made.listener)


def types(answer: Mapping[str, Any]) -> list[str]:
    return [action["Type"] for action in answer.get("Actions", [])]


# --- a call ------------------------------------------------------------------------------------------------------


def test_a_call_is_answered_from_the_plan_with_its_hooks(desk: Desk) -> None:
    assert types(desk.dial()) == ["SpeakAndGetDigits"]
    assert types(desk.press(PIN)) == ["Speak", "Hangup"]


def test_there_is_one_record_for_each_event_and_it_says_what_happened(desk: Desk) -> None:
    desk.dial()
    desk.press(PIN)
    first, second = desk.records()
    assert {key: first[key] for key in ("level", "event", "transaction", "flow", "before", "after", "actions")} == {
        "level": "INFO",
        "event": "NEW_INBOUND_CALL",
        "transaction": "t-1",
        "flow": "dial-in",
        "before": "-",
        "after": "ask_pin",
        "actions": ["SpeakAndGetDigits"],
    }
    assert first["revision"] == revision_of(FLOW)
    assert first["ms"] >= 0
    assert (second["before"], second["asks"], second["note"]) == ("ask_pin", ["hook verify_pin"], "done")
    assert "problem" not in first
    assert "troubles" not in second


def test_the_request_id_of_the_invocation_is_in_the_record(desk: Desk) -> None:
    class Context:
        aws_request_id = "request-1"

    desk.handler.answer(an_event("NEW_INBOUND_CALL", None), Context())
    assert desk.records()[0]["request"] == "request-1"


def test_no_record_holds_digits_numbers_or_texts(desk: Desk) -> None:
    for pin in (PIN, "000000", "123456"):
        desk.attributes = {}
        desk.dial()
        desk.press(pin)
    desk.handler.answer(an_event("482913", None, 7))
    everything = desk.written.getvalue() + desk.capture.readouterr().out
    for hidden in (PIN, "000000", "123456", CALLER, OUR_NUMBER, "4155550123", WORDS, "Welcome", "the PIN was"):
        assert hidden not in everything


def test_two_pins_leave_the_same_traces(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Twins (decision 15): the same call with another wrong PIN; every record and metric is equal, byte by byte."""
    traces = []
    for pin in ("111111", "222222"):
        twin = Desk(env, capsys)
        answers = [twin.dial(), twin.press(pin)]
        records = [{key: value for key, value in line.items() if key not in TIMES} for line in twin.records()]
        traces.append(json.dumps([answers, records, twin.metrics()]))
        logging.getLogger("sma-flows").removeHandler(twin.listener)
    assert traces[0] == traces[1]


# --- what goes wrong is counted ----------------------------------------------------------------------------------


def test_a_good_call_counts_nothing_that_went_wrong(desk: Desk) -> None:
    desk.dial()
    desk.press(PIN)
    assert desk.metrics() == {}


def test_a_call_is_counted_when_it_begins_and_when_it_ends(desk: Desk) -> None:
    desk.dial()
    desk.press(PIN)
    desk.send("HANGUP", "Disconnected", **GONE)
    (calls, hook, ended) = desk.measured()
    assert calls == ("Calls", 1, "Count", {"flow": "dial-in"})
    assert (hook[0], hook[2], hook[3]) == ("HookLatency", "Milliseconds", {"flow": "dial-in", "hook": "verify_pin"})
    assert hook[1] >= 0
    assert ended == ("Completions", 1, "Count", {"flow": "dial-in"})


def test_a_caller_who_leaves_is_counted_with_the_state_that_was_left(desk: Desk) -> None:
    desk.dial()
    desk.send("HANGUP", "Disconnected", **GONE)
    assert desk.measured()[-1] == ("DropOffs", 1, "Count", {"flow": "dial-in", "state": "ask_pin"})


def test_questions_without_an_answer_are_counted_by_their_state(desk: Desk) -> None:
    desk.dial()
    failed = {**pressed(""), "ErrorType": "InvalidDigitsReceived"}
    desk.send("ACTION_FAILED", **failed)
    assert ("NoInput", 1, "Count", {"flow": "dial-in", "state": "ask_pin"}) in desk.measured()


def test_the_record_tells_the_way_through_the_flow_and_its_legs(desk: Desk) -> None:
    desk.dial()
    desk.press(PIN)
    first, second = desk.records()
    assert first["legs"] == {"A": "waiting"}
    assert second["legs"] == {"A": "connected"}
    assert second["steps"] == [
        {"state": "ask_pin", "outcome": "done", "next": "check"},
        {"state": "check", "outcome": "ok", "next": "welcome"},
        {"state": "welcome", "outcome": "done", "next": "bye"},
    ]
    assert len(second["asks_ms"]) == 1


def test_records_have_the_published_shape(desk: Desk) -> None:
    schema = json.loads((Path(module.__file__).parent / "protocol" / "schemas" / "record.schema.json").read_text())
    desk.dial()
    desk.press("000000")
    desk.send("HANGUP", "Disconnected", **GONE)
    desk.handler.answer({"InvocationEventType": 5})
    for record in desk.records():
        jsonschema.validate(record, schema)
        assert set(record) - {"level", "timestamp", "service", "message"} <= set(schema["properties"])


def test_variables_are_shown_only_where_their_words_are_the_flows_own() -> None:
    flow = FlowProgram(
        {
            **FLOW,
            "vars": {
                "pin": {"t": "digits", "secrecy": "secret"},
                "room": {"t": "digits"},
                "name": {"t": "text"},
                "kind": {"t": "one_of", "words": ["a", "b"]},
                "sure": {"t": "boolean"},
                "tries": {"t": "number"},
                "account": {"t": "number"},
            },
        },
        "0" * 12,
        {},
    )
    values = {
        "pin": "482913", "room": "4155501", "name": "Ana", "kind": "a", "sure": True, "tries": 3, "account": 482913,
        "@hold": ["x"], "call.locale": "en-US",
    }  # fmt: skip
    assert shown_values(flow, values) == {
        "pin": "***", "room": "***", "name": "***", "kind": "a", "sure": True, "tries": 3, "account": "***",
        "call.locale": "en-US",
    }  # fmt: skip


def test_sampled_events_are_logged_masked_and_only_of_the_calls_that_were_drawn(desk: Desk) -> None:
    desk.handler.sample = 1.0
    desk.dial()
    desk.press(PIN)
    samples = [record["sample"] for record in desk.records() if record["message"] == "sample"]
    assert [one["InvocationEventType"] for one in samples] == ["NEW_INBOUND_CALL", "ACTION_SUCCESSFUL"]
    assert samples[1]["ActionData"]["ReceivedDigits"] == "***"
    assert samples[1]["CallDetails"]["Participants"][0]["Status"] == "Connected"
    text = json.dumps(samples)
    for hidden in (PIN, CALLER, OUR_NUMBER, WORDS):
        assert hidden not in text


def test_the_share_of_sampled_calls_is_the_one_that_was_asked_for() -> None:
    drawn = [name for number in range(2_000) if sampled(name := f"call {number}", 0.1)]
    assert 120 < len(drawn) < 280
    assert all(sampled(name, 0.2) for name in drawn)
    assert not sampled("call", 0.0)
    assert sampled("call", 1.0)


@pytest.mark.parametrize(("text", "share"), [("", 0.0), ("0.25", 0.25), ("7", 1.0), ("-1", 0.0), ("a lot", 0.0)])
def test_a_share_that_is_none_samples_nothing(text: str, share: float) -> None:
    assert Handler({"SMA_FLOWS_SAMPLE": text}).sample == share


def test_the_shape_of_a_strange_event_tells_nothing() -> None:
    strange = {
        "InvocationEventType": "482913",
        "Sequence": 482913,
        "TransactionAttributes": {"482913": "482913"},
        "X": [1],
    }
    assert masked_event(strange) == {
        "InvocationEventType": "***", "Sequence": "***", "TransactionAttributes": {"key 0": "***"}, "X": ["***"],
    }  # fmt: skip


def test_a_hook_that_raises_is_counted_and_told_by_its_kind(desk: Desk) -> None:
    desk.dial()
    assert types(desk.press("000000")) == ["Hangup"]
    assert desk.metrics() == {"HookFailures": 1}
    record = desk.records()[-1]
    assert record["level"] == "WARNING"
    assert record["troubles"] == ["hook_raised verify_pin ValueError at meetings.py:7"]


def test_a_hook_that_does_not_end_is_stopped_and_the_call_goes_on(desk: Desk) -> None:
    desk.dial()
    assert types(desk.press("999999")) == ["Hangup"]
    assert desk.metrics() == {"HookFailures": 1}
    assert desk.records()[-1]["troubles"][0].startswith("hook_late verify_pin")


def test_a_repeated_event_is_counted(desk: Desk) -> None:
    desk.dial()
    desk.press("12")
    event = an_event("ACTION_SUCCESSFUL", "Connected", desk.sequence, desk.attributes, **pressed("12"))
    desk.handler.answer(event)
    assert desk.records()[-1]["note"] == "repeated event"
    assert desk.metrics()["Duplicates"] == 1


@pytest.mark.parametrize("event", [None, [], "text", 7, {}, {"InvocationEventType": []}, an_event("ALEXA_CALL")])
def test_what_is_no_event_is_answered_with_nothing_and_counted(desk: Desk, event: object) -> None:
    assert desk.handler.answer(event) == {"SchemaVersion": "1.0"}
    assert desk.metrics() == {"BadEvents": 1}


def test_a_failed_action_and_a_refused_answer_are_counted(desk: Desk) -> None:
    desk.dial()
    desk.send(
        "ACTION_FAILED", Type="SpeakAndGetDigits", Parameters=pressed("")["Parameters"], ErrorType="SystemException"
    )
    desk.send("INVALID_LAMBDA_RESPONSE")
    counted = desk.metrics()
    assert (counted["ActionFailures"], counted["RefusedAnswers"]) == (1, 1)


def test_a_record_that_cannot_be_written_does_not_cost_the_answer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_more: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(desk.handler.records, "log", broken)
    assert types(desk.dial()) == ["SpeakAndGetDigits"]


def test_records_of_events_without_trouble_can_be_left_out(desk: Desk) -> None:
    desk.handler.logger.setLevel("WARNING")
    try:
        desk.dial()
        desk.press("000000")
    finally:
        desk.handler.logger.setLevel("INFO")
    assert [record["level"] for record in desk.records()] == ["WARNING"]


# --- the last resort ---------------------------------------------------------------------------------------------


def test_what_the_runtime_cannot_answer_ends_in_a_goodbye(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_more: object) -> None:
        raise RuntimeError(f"with a PIN {PIN}")

    monkeypatch.setattr(module, "handle", broken)
    answer = desk.dial()
    assert types(answer) == ["Speak", "Hangup"]
    assert answer["Actions"][0]["Parameters"] == {"ParticipantTag": "LEG-A", "Text": LAST_WORDS}
    assert "TransactionAttributes" not in answer
    record = desk.records()[-1]
    assert (record["level"], record["problem"], record["note"]) == (
        "ERROR",
        "RuntimeError in the handler",
        "last resort",
    )
    assert desk.metrics() == {"Faults": 1, "LastResorts": 1}


def test_a_fault_of_the_runtime_is_recorded_and_answered(desk: Desk) -> None:
    class Broken(LocalServices):
        def perform(self, *_args: object) -> ServiceReply:
            raise ZeroDivisionError

    desk.handler.services = Broken()
    desk.dial()
    assert types(desk.press(PIN)) == ["Speak", "Hangup"]
    assert "ZeroDivisionError" in desk.records()[-1]["problem"]
    assert desk.metrics()["Faults"] == 1


def unusable(tmp_path: Path, kind: str) -> dict[str, str]:
    """An environment in which the plan cannot be used."""
    path = tmp_path / "plan.json"
    env = {"SMA_FLOWS_PLAN": str(path)}
    if kind == "not named":
        return {}
    if kind == "damaged":
        path.write_text("{not json")
    elif kind == "of another format":
        path.write_text('{"format": 99}')
    elif kind == "hook missing":
        path.write_text(a_plan().dumps())
    elif kind == "hook ends the program":
        path.write_text(a_plan().dumps())
        (tmp_path / "hooks").mkdir()
        (tmp_path / "hooks" / "meetings.py").write_text("raise SystemExit(1)")
    elif kind == "store missing":
        flow = {**FLOW, "hooks": {"dial": {"builtin": "calls.dial", "effect": "once"}}}
        path.write_text(a_plan(flow).dumps())
    elif kind == "value missing":
        path.write_text(a_plan({**FLOW, "hooks": {}, "env": {"required": ["PROMPTS"]}}).dumps())
    return env


KINDS = (
    "not named",
    "not there",
    "damaged",
    "of another format",
    "hook missing",
    "hook ends the program",
    "store missing",
    "value missing",
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_that_cannot_be_used_ends_every_call_with_a_goodbye(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    handler = Handler(unusable(tmp_path, kind))
    assert handler.problem
    assert types(handler.answer(an_event("NEW_INBOUND_CALL", None))) == ["Speak", "Hangup"]
    assert handler.answer(None) == {"SchemaVersion": "1.0"}


A_ALIVE = {"CallId": "leg-a", "ParticipantTag": "LEG-A", "Status": "Connected"}
A_GONE = {**A_ALIVE, "Status": "Disconnected"}
B_ALIVE = {"CallId": "leg-b", "ParticipantTag": "LEG-B", "Status": "Connected"}
HANGUP_A = {"Type": "Hangup", "Parameters": {"CallId": "leg-a", "ParticipantTag": "LEG-A"}}
HANGUP_B = {"Type": "Hangup", "Parameters": {"CallId": "leg-b", "ParticipantTag": "LEG-B"}}
FAREWELL = [("Speak", "LEG-A"), ("Hangup", "LEG-A")]


def bare(kind: str, legs: object = None, data: object = None) -> dict[str, Any]:
    return {"InvocationEventType": kind, "CallDetails": {"Participants": legs}, "ActionData": data}


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (bare("NEW_INBOUND_CALL", [{"CallId": "leg-a", "ParticipantTag": "LEG-A"}]), FAREWELL),
        (bare("NEW_INBOUND_CALL"), FAREWELL),
        (bare("NEW_INBOUND_CALL", [A_GONE]), []),
        (bare("CALL_ANSWERED", [A_ALIVE]), FAREWELL),
        (bare("ACTION_SUCCESSFUL", [A_ALIVE, B_ALIVE]), FAREWELL),
        (bare("ACTION_SUCCESSFUL", [A_GONE, B_ALIVE]), [("Hangup", "LEG-B")]),
        (bare("ACTION_SUCCESSFUL", [A_GONE]), []),
        (bare("ACTION_SUCCESSFUL", ["?", {"ParticipantTag": []}]), FAREWELL),
        (bare("ACTION_FAILED", [A_ALIVE], {"Type": "PlayAudio"}), FAREWELL),
        (bare("ACTION_FAILED", [A_ALIVE], {"Type": "Speak"}), [("Hangup", "LEG-A")]),
        (bare("ACTION_FAILED", [A_ALIVE], {"Type": "Hangup"}), []),
        (bare("ACTION_FAILED", [A_GONE, B_ALIVE], {"Type": "Hangup"}), []),
        (bare("HANGUP", [A_ALIVE], HANGUP_A), []),
        (bare("HANGUP", [A_GONE], HANGUP_A), []),
        (bare("HANGUP", [A_GONE, B_ALIVE], HANGUP_A), [("Hangup", "LEG-B")]),
        (bare("HANGUP", [A_ALIVE, B_ALIVE], HANGUP_B), FAREWELL),
        (bare("HANGUP", None, HANGUP_A), []),
        (bare("NEW_OUTBOUND_CALL", [A_ALIVE]), []),
        (bare("RINGING", [A_ALIVE]), []),
        (bare("ACTION_INTERRUPTED", [A_ALIVE]), []),
        (bare("SOMETHING_NEW", [A_ALIVE]), []),
    ],
)
def test_the_last_resort_speaks_only_to_somebody_and_only_where_it_is_heard(
    event: dict[str, Any], said: list[tuple[str, str]]
) -> None:
    answer = last_resort(event)
    assert check_response(answer) == []
    found = [(item["Type"], item["Parameters"]["ParticipantTag"]) for item in answer.get("Actions", [])]
    assert found == said
    assert ("Actions" in answer) == bool(said)


def test_the_last_resort_knows_every_event_whose_answer_is_used() -> None:
    assert ANSWERED | {"NEW_OUTBOUND_CALL", "RINGING", "ACTION_INTERRUPTED"} == EVENT_TYPES


@pytest.mark.parametrize("kind", sorted(EVENT_TYPES))
@pytest.mark.parametrize(
    "junk", [None, 0, True, "x", [], ["x", None], {}, {"Participants": {"a": 1}}, {"Parameters": []}]
)
def test_nothing_in_an_event_makes_the_handler_raise(
    kind: str, junk: object, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = Handler({})
    for key in ("CallDetails", "ActionData", "SchemaVersion", "Sequence"):
        assert check_response(handler.answer({**bare(kind, [A_ALIVE]), key: junk})) == []
    for event in (junk, bare(kind, junk, junk), {"InvocationEventType": junk, "CallDetails": junk}):
        assert check_response(handler.answer(event)) == []


# --- imports and traces ------------------------------------------------------------------------------------------


def test_importing_the_handler_loads_nothing_of_the_toolchain() -> None:
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import sma_flows.handler"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert "sma_flows.runtime.invoke" in loaded
    forbidden = {
        "yaml",
        "msgspec",
        "pydantic",
        "transitions",
        "boto3",
        "botocore.session",
        "jsonschema",
        "click",
        "rich",
        "sqlite3",
        "aws_xray_sdk",
        "sma_flows.flow",
        "sma_flows.compiler",
    }
    assert not forbidden & loaded


def test_importing_the_handler_says_nothing() -> None:
    code = "import sma_flows.handler as h; assert h.lambda_handler.__doc__"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={})
    assert run.stdout + run.stderr == ""


def test_the_deployed_entry_point_answers(env: dict[str, str]) -> None:
    event = an_event("NEW_INBOUND_CALL", None)
    assert check_event(event) == []
    code = "import json, sys; from sma_flows.handler import lambda_handler as f; "
    code += "print(json.dumps(f(json.loads(sys.argv[1]), None)), file=sys.stderr)"
    run = subprocess.run(
        [sys.executable, "-c", code, json.dumps(event)], capture_output=True, text=True, check=True, env=env
    )
    assert types(json.loads(run.stderr)) == ["SpeakAndGetDigits"]
    assert json.loads(run.stdout.splitlines()[0])["actions"] == ["SpeakAndGetDigits"]


class FakeTracer:
    """Stands in for the tracer of powertools, whose SDK is an extra."""

    broken = ""
    seen: list[dict[str, object]] = []  # noqa: RUF012 - one for all, as the test reads it

    def __init__(self, **_settings: object) -> None:
        """Take the settings."""

    def capture_method(self, **settings: object) -> Any:
        self.seen.append(settings)

        def wrap(method: Any) -> Any:
            def traced() -> None:
                if self.broken == "before":
                    raise LookupError("no segment")
                method()
                if self.broken == "after":
                    raise LookupError("no segment to close")

            return traced

        return wrap


@pytest.mark.parametrize("name", ["SMA_FLOWS_TRACE", "POWERTOOLS_TRACE_ENABLED"])
@pytest.mark.parametrize("broken", ["", "before", "after"])
def test_traces_are_made_when_asked_for_and_hold_no_answers(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, broken: str
) -> None:
    monkeypatch.setattr(aws_lambda_powertools, "Tracer", FakeTracer)
    monkeypatch.setattr(FakeTracer, "broken", broken)
    monkeypatch.setattr(FakeTracer, "seen", [])
    handler = Handler({**env, name: "true"})
    assert types(handler.answer(an_event("NEW_INBOUND_CALL", None))) == ["SpeakAndGetDigits"]
    assert FakeTracer.seen == [{"capture_response": False, "capture_error": False}]


@pytest.mark.parametrize("broken", ["", "before", "after"])
def test_with_traces_on_an_event_is_worked_on_once(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    monkeypatch.setattr(aws_lambda_powertools, "Tracer", FakeTracer)
    monkeypatch.setattr(FakeTracer, "broken", broken)
    worked: list[object] = []

    def work(_handler: Handler, event: object) -> Result:
        worked.append(event)
        raise KeyError("482913")

    monkeypatch.setattr(Handler, "_work", work)
    handler = Handler({**env, "SMA_FLOWS_TRACE": "true"})
    event = an_event("NEW_INBOUND_CALL", None)
    assert types(handler.answer(event)) == ["Speak", "Hangup"]
    assert worked == [event]
    printed = capsys.readouterr()
    assert "482913" not in printed.out + printed.err
    assert json.loads(printed.out.splitlines()[-1])["LastResorts"] == [1.0]


def test_without_the_extra_traces_are_left_out(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Missing:
        def __init__(self, **_settings: object) -> None:
            raise ModuleNotFoundError("aws_xray_sdk")

    monkeypatch.setattr(aws_lambda_powertools, "Tracer", Missing)
    handler = Handler({**env, "SMA_FLOWS_TRACE": "true"})
    assert types(handler.answer(an_event("NEW_INBOUND_CALL", None))) == ["SpeakAndGetDigits"]
