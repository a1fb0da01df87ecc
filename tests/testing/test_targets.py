"""Who answers: the same calls in process, in fresh processes, over HTTP, and at a deployed function."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import accumulate, chain, cycle
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from click.testing import CliRunner

from sma_flows.cli.app import cli
from sma_flows.cli.load import load_program
from sma_flows.runtime.invoke import handle
from sma_flows.testing.play import CallFailedError, play_call, unplayable_at
from sma_flows.testing.script import CallScript, load_calls, read_calls
from sma_flows.testing.targets import Deployed, FunctionError, Invoked, Rehearsed, Target, TargetError, target_of
from sma_flows.testing.world import world_of

ROOT = Path(__file__).resolve().parents[2]
EVENT = '{"InvocationEventType": "RINGING"}'


def script(name: str, call: str) -> tuple[Path, CallScript]:
    file, found = load_calls(ROOT / "flows" / "calls" / f"{name}.calls.yaml")
    assert file is not None, found
    return file.flow, next(one for one in file.calls if one.name == call)


def function(flow: str) -> Callable[[Any], object]:
    loaded = load_program(str(ROOT / "flows" / f"{flow}.yaml"), (), None, None, "memory")
    now = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    return lambda event: handle(loaded.program, event, now=now, services=loaded.services).response


@contextmanager
def lambda_url(
    answer: Callable[[Any], object], headers: dict[str, str] | None = None, status: int = 200
) -> Iterator[str]:
    """A server that behaves like a Lambda invoke URL; remembers the paths it was asked on."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path.startswith("/2015-03-31/functions/function/invocations")
            given = answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = given if isinstance(given, bytes) else json.dumps(given).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def tell(url: str) -> str:
    return target_of(url).answer(EVENT, 0, datetime.now(UTC)).response


@pytest.mark.parametrize("call", ["three wrong PINs end the call", "right number and PIN, muted and heard again"])
def test_a_call_goes_the_same_in_process_and_with_a_fresh_process_for_each_event(call: str) -> None:
    flow, one = script("dial-in", call)
    here, fresh = play_call(flow, one), play_call(flow, one, fresh=True)
    assert here.transcript == fresh.transcript
    assert [turn.response for turn in here.turns] == [turn.response for turn in fresh.turns]


def test_limits_and_memo_records_last_from_one_fresh_process_to_the_next() -> None:
    flow, one = script("click-to-call", "accepted, and the customer answers")
    assert play_call(flow, one, fresh=True).left_out == ()  # counts the hook, which ran at most once


def test_what_the_runtime_asks_by_itself_comes_back_from_a_fresh_process() -> None:
    flow, one = script("dial-in", "right number and PIN, muted and heard again")
    here, fresh = play_call(flow, one), play_call(flow, one, fresh=True)
    assert [ask.port for turn in fresh.turns for ask in turn.asks] == [
        ask.port for turn in here.turns for ask in turn.asks
    ]
    assert "meetings.attend" in {ask.port for turn in fresh.turns for ask in turn.asks}


def without_ids(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Actions without what the meeting service makes up: there it is the stand-in in SQLite, here the simulated one."""
    made_up = {"JoinToken", "MeetingId", "AttendeeList"}
    return [
        {**one, "Parameters": {name: value for name, value in one["Parameters"].items() if name not in made_up}}
        for one in actions
    ]


def test_control_characters_that_a_function_says_are_written_out_in_transcripts_and_reports(tmp_path: Path) -> None:
    says = {"Type": "Speak", "Parameters": {"Text": "a\0b\x1b[31mred", "ParticipantTag": "LEG-A"}}
    answer = {
        "SchemaVersion": "1.0",
        "Actions": [says, {"Type": "Hangup", "Parameters": {"SipResponseCode": "0", "ParticipantTag": "LEG-A"}}],
    }
    calls = tmp_path / "x.calls.yaml"
    calls.write_text(
        f"flow: {ROOT / 'flows' / 'dial-in.yaml'}\ncalls:\n  - call: one\n    script: [hear: {{text: hello}}]\n"
    )
    with lambda_url(lambda _event: answer) as url:
        done = CliRunner().invoke(cli, ["test", str(calls), "--target", url, "--junit", str(tmp_path / "x.xml")])
    assert done.exit_code == 1
    assert r'hears "a\x00b\x1b[31mred"' in done.output
    assert not {"\0", "\x1b"} & set(done.output)
    assert r"a\x00b\x1b[31mred" in ElementTree.parse(tmp_path / "x.xml").getroot().find(".//failure").text


def test_a_call_goes_the_same_over_http_and_says_what_it_cannot_see() -> None:
    flow, one = script("dial-in", "right number and PIN, muted and heard again")
    with lambda_url(function("dial-in")) as url:
        played = play_call(flow, one, target=target_of(url))
    here = play_call(flow, one)
    assert [without_ids(turn.actions) for turn in played.turns] == [without_ids(turn.actions) for turn in here.turns]
    assert [(turn.before, turn.after) for turn in played.turns] == [(turn.before, turn.after) for turn in here.turns]
    assert played.left_out == ("how often verify_pin ran", "how often open_meeting ran")


def test_a_function_that_answers_differently_fails_the_call_at_its_line() -> None:
    flow, one = script("dial-in", "right number and PIN, muted and heard again")
    with lambda_url(function("voicemail")) as url, pytest.raises(CallFailedError, match="expected to hear language"):
        play_call(flow, one, target=target_of(url))


def test_scripted_hooks_and_clocks_are_for_flows_that_answer_here() -> None:
    _, stubbed = script("dial-in", "three wrong PINs end the call")
    _, plain = script("dial-in", "right number and PIN, muted and heard again")
    there = target_of("http://127.0.0.1:9")
    assert "verify_pin" in unplayable_at(there, stubbed)
    assert unplayable_at(there, plain) == unplayable_at(None, stubbed) == ""


@pytest.mark.parametrize(
    ("answer", "headers"),
    [({"errorType": "ValueError", "errorMessage": "x"}, {}), ({"x": 1}, {"X-Amz-Function-Error": "Unhandled"})],
)
def test_a_function_error_is_told_apart_from_an_answer(answer: object, headers: dict[str, str]) -> None:
    with lambda_url(lambda _: answer, headers) as url, pytest.raises(FunctionError):
        tell(url)


def test_a_failing_gateway_is_a_function_error_and_a_missing_one_is_nobody() -> None:
    with lambda_url(lambda _: {}, status=502) as url, pytest.raises(FunctionError, match="502"):
        tell(url)
    with pytest.raises(TargetError, match="nobody answers"):
        tell(url)


def test_the_time_out_of_the_emulator_is_a_function_error() -> None:
    """It tells a time-out as plain text with status 200."""
    with (
        lambda_url(lambda _: b"Task timed out after 5.00 seconds") as url,
        pytest.raises(FunctionError, match=r"5\.00"),
    ):
        tell(url)


@pytest.mark.parametrize("body", [b"nope", b'{"Actions": [', b"<html>", b"[1]", b'{"SchemaVersion": NaN}', b"\xff"])
def test_a_body_that_cannot_be_read_is_an_answer_for_the_service_to_judge(body: bytes) -> None:
    with lambda_url(lambda _: body) as url:
        assert tell(url) == body.decode(errors="replace")


def test_an_unreadable_answer_over_http_is_an_invalid_response_and_not_a_failure_of_the_function() -> None:
    flow, one = script("dial-in", "right number and PIN, muted and heard again")
    whole = function("dial-in")

    def answer(event: Any) -> object:
        return whole(event) if event["InvocationEventType"] == "NEW_INBOUND_CALL" else b"nope"

    with lambda_url(answer) as url, pytest.raises(CallFailedError) as failed:
        play_call(flow, one, target=target_of(url))
    told = "\n".join(failed.value.transcript)
    assert "! Error while reading actions list." in told
    assert "INVALID_LAMBDA_RESPONSE" in told


@pytest.mark.parametrize(
    "action",
    [
        None,
        3,
        {},
        {"Type": 3},
        {"Type": "CallAndBridge"},
        {"Type": "CallAndBridge", "Parameters": []},
        {"Type": "CallAndBridge", "Parameters": {"Endpoints": {}, "SipHeaders": "x"}},
        {"Type": "CallAndBridge", "Parameters": {"Endpoints": [3]}},
        {"Type": "StartBotConversation", "Parameters": {"Configuration": {"WelcomeMessages": ["x", {}]}}},
    ],
    ids=str,
)
@pytest.mark.parametrize("step", ["expect: {dialled: '+12065550150', headers: {x-a: b}}", "hear: [ask_conference]"])
def test_whatever_a_function_answers_the_call_fails_with_its_transcript(action: object, step: str) -> None:
    text = f"flow: {ROOT / 'flows' / 'dial-in.yaml'}\ncalls: [{{call: garbled, script: [{{{step}}}]}}]"
    file, found = read_calls(text)
    assert file is not None, found
    answer = {"SchemaVersion": "1.0", "Actions": [action]}
    with lambda_url(lambda _: answer) as url, pytest.raises(CallFailedError) as failed:
        play_call(file.flow, file.calls[0], target=target_of(url))
    assert failed.value.transcript


@pytest.mark.parametrize("garbled", ["{nope", '{"SchemaVersion": ' + "9" * 400 + "e9}"])
def test_an_unreadable_answer_of_a_rehearsal_is_one_too(garbled: str) -> None:
    flow, one = script("dial-in", "three wrong PINs end the call")
    spec = world_of(flow, one)
    with lambda_url(lambda _: garbled.encode()) as url, closing(spec.open()) as world:
        turn = Rehearsed(url).of(world, {}).answer(EVENT, 0, datetime.now(UTC))
    assert turn.response == garbled


class Jumping:
    """A clock that has gone on by so many seconds whenever it is looked at again."""

    def __init__(self, *steps: float) -> None:
        self._shows = accumulate(chain.from_iterable((0.0, step) for step in cycle(steps)))

    def __call__(self) -> float:
        return next(self._shows)


def test_a_function_elsewhere_that_is_late_is_told_and_its_time_does_not_count() -> None:
    flow, one = script("dial-in", "right number and PIN, muted and heard again")
    here = play_call(flow, one)
    with lambda_url(function("dial-in")) as url:
        quick = play_call(flow, one, target=Invoked(url, clock=Jumping(4.9)))
        late = play_call(flow, one, target=Invoked(url, clock=Jumping(8.1, 1, 5, 1)))
    assert (quick.seconds, late.seconds) == (here.seconds, here.seconds)
    assert quick.notes == here.notes
    (note,) = (note for note in late.notes if note not in here.notes)
    told = "the service would have sent the event again after 5 s (rule 3)"
    lines = [line for line in late.transcript if "! the function took" in line]
    often = f"{len(lines)} of {late.events} events were answered late"
    assert lines[0] == f"     0.0 s  ! the function took 8.1 s: {told}"
    assert note == f"{one.name}: {often}, the function took up to 8.1 s: {told}"


def test_a_deployed_function_is_asked_by_name() -> None:
    client = boto3.client("lambda", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    body = b'{"SchemaVersion": "1.0"}'
    with Stubber(client) as stub:
        reply = {"StatusCode": 200, "Payload": StreamingBody(io.BytesIO(body), len(body))}
        stub.add_response("invoke", reply, {"FunctionName": "line", "Payload": EVENT.encode()})
        assert Deployed("line", client).answer(EVENT, 0, datetime.now(UTC)).response == body.decode()
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ThrottlingException", "EC2ThrottledException"])
def test_a_deployed_function_that_is_throttled_has_failed_and_is_asked_again(code: str) -> None:
    client = boto3.client("lambda", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        stub.add_client_error("invoke", code, "Rate Exceeded.", 429)
        with pytest.raises(FunctionError, match="The AWS Lambda function was throttled"):
            Deployed("line", client).answer(EVENT, 0, datetime.now(UTC))


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_a_deployed_function_that_cannot_be_asked_is_nobody(code: str) -> None:
    client = boto3.client("lambda", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        stub.add_client_error("invoke", code, "No.", 404)
        with pytest.raises(TargetError, match=f"line: .*{code}"):
            Deployed("line", client).answer(EVENT, 0, datetime.now(UTC))


def test_how_long_a_deployed_function_took_is_known() -> None:
    class Client:
        def invoke(self, **_: object) -> dict[str, Any]:
            return {"Payload": io.BytesIO(b"{}")}

    assert Deployed("f", Client(), clock=Jumping(6)).answer(EVENT, 0, datetime.now(UTC)).took_s == 6


@pytest.mark.parametrize("text", ["", "ftp://x", "my-function"])
def test_what_is_no_function_is_told(text: str) -> None:
    with pytest.raises(TargetError, match="write http"):
        target_of(text)


def test_every_target_is_one() -> None:
    assert isinstance(Invoked("http://127.0.0.1:9/x"), Target)
    assert isinstance(Deployed("f", object()), Target)
