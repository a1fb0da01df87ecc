"""``sma-flows serve`` as people run it: a process, an unmodified boto3 script, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sma_flows.cli.app import cli
from sma_flows.cli.simulated import people_of

FLOWS = Path(__file__).parents[2] / "flows"
DEADLINE_S = 60.0

FLOW = """\
sma_flow: 1
name: hold
entry: outbound
inputs:
  ticket: text(40)
prompts: prompts.yaml
updates:
  ready:
    match: {state: "ready"}
    next: ready
defaults: {next: {failed: bye, no_input: bye, no_match: bye}}
start: hold
states:
  hold:
    menu: hold
    keys: {1: bye}
    timeout: 20s
    retry: {times: 3}
  ready:
    say: ready
    next: bye
  bye:
    say: bye
    hangup: normal
"""
PROMPTS = """\
sma_prompts: 1
default: en-US
locales: {en-US: {voice: Joanna}}
prompts:
  hold: {en-US: Please hold.}
  ready: {en-US: We are ready.}
  bye: {en-US: Goodbye.}
"""
SCRIPT = """\
from time import monotonic, sleep
import boto3
voice = boto3.client("chime-sdk-voice")
app = "{application}"
call = voice.create_sip_media_application_call(
    FromPhoneNumber="+14255550100", ToPhoneNumber="+12065550123", SipMediaApplicationId=app,
    ArgumentsMap={{"ticket": "17"}})["SipMediaApplicationCall"]["TransactionId"]
print("created", call)
ended = monotonic() + 50
state, updates = "ready", 0
while monotonic() < ended:
    try:
        voice.update_sip_media_application_call(
            SipMediaApplicationId=app, TransactionId=call, Arguments={{"state": state}})
        updates += 1
    except voice.exceptions.ThrottledClientException:
        pass
    except voice.exceptions.NotFoundException:
        print("ended after", updates > 0)
        break
    sleep(0.05)
"""


@pytest.fixture
def hold(tmp_path: Path) -> Path:
    (tmp_path / "prompts.yaml").write_text(PROMPTS)
    path = tmp_path / "hold.yaml"
    path.write_text(FLOW)
    return path


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **more}


@contextmanager
def serve(*words: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own; it is ended with the block."""
    # A shell starts what it puts into the background with SIGINT ignored, and children inherit that.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; from sma_flows.cli.app import run; run()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "serve", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**more),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def fetch(url: str, body: Any = None) -> Any:
    request = urllib.request.Request(url, data=json.dumps(body).encode() if body is not None else None)
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as reply:
        return json.loads(reply.read())


def test_an_unmodified_script_creates_a_call_updates_it_and_sees_it_end(hold: Path) -> None:
    with serve(str(hold), "--json", "--speed", "20", "--store", "memory") as process:
        assert process.stdout is not None
        hello = json.loads(process.stdout.readline())
        script = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(application=hello["application"])],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
            env=environment(
                AWS_ENDPOINT_URL_CHIME_SDK_VOICE=hello["endpoint"],
                AWS_ACCESS_KEY_ID="x",
                AWS_SECRET_ACCESS_KEY="x",
                AWS_DEFAULT_REGION="us-east-1",
            ),
        )
        assert (script.returncode, script.stderr) == (0, "")
        created, ended = script.stdout.splitlines()
        assert ended == "ended after True"
        (call,) = fetch(f"{hello['endpoint']}/_sma/calls")
        assert call["transaction"] == created.split()[1]
        assert call["over"] is True
        told = "\n".join(call["transcript"])
        assert 'hears ready  "We are ready."' in told
        assert "CALL_UPDATE_REQUESTED" in told
        assert "+12065550123" not in json.dumps(call)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, err) == (0, "")
        lines = [json.loads(line) for line in out.splitlines()]
        assert {line["call"] for line in lines} == {call["transaction"]}
        assert [line["line"] for line in lines] == [line.strip() for line in call["transcript"]]


def test_a_caller_comes_in_and_the_terminal_shows_the_call(tmp_path: Path) -> None:
    with serve(str(FLOWS / "dial-in.yaml"), "--speed", "50", "--store", "memory") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        url = next(word for word in first.split() if word.startswith("http://127.0.0.1:"))
        numbers = [line.split()[1] for line in lines_until(process, "number ") if line.strip().startswith("number")]
        call = fetch(f"{url}/_sma/calls", {"from": "+14155550123", "to": numbers[0]})["transaction"]
        shown = lines_until(process, "hears language")
        assert any(line.startswith("[1]") and "NEW_INBOUND_CALL" in line for line in shown)
        fetch(f"{url}/_sma/calls/{call}/hangup", {})
        assert any("over:" in line for line in lines_until(process, "over:"))
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, err) == (0, "Ended.\n")


def test_the_example_for_boto3_has_the_arguments_of_the_flow(hold: Path) -> None:
    with serve(str(hold), "--store", "memory") as process:
        assert 'ArgumentsMap={"ticket": "example"})' in "".join(lines_until(process, "curl"))


def until(url: str, wanted: str) -> str:
    """The transcript of a call, once it says *wanted*."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        told = "\n".join(fetch(url)["transcript"])
        if wanted in told:
            return told
    raise AssertionError(f"{wanted} is not in:\n{told}")


def test_a_party_can_be_named_by_a_value_of_the_flow() -> None:
    given = ("env.SALES=busy", "*=no_answer")
    found = people_of(given, {"SALES": "+12065550150"})
    assert {number: party.does for number, party in found.items()} == {"+12065550150": "busy", "*": "no_answer"}


def test_a_caller_talks_with_a_bot_and_the_words_are_not_shown() -> None:
    bot = f"env.BOT_ALIAS={FLOWS / 'bots' / 'reception'}"
    words = ("--speed", "50", "--store", "memory", "--json", "--bot", bot, "--party", "*={answers: 1s, hangs_up: 5s}")
    with serve(str(FLOWS / "lex-bot.yaml"), *words, "--env", "PROMPTS=audio") as process:
        assert process.stdout is not None
        hello = json.loads(process.stdout.readline())
        url = f"{hello['endpoint']}/_sma/calls"
        url += "/" + fetch(url, {"from": "+14155550123", "to": hello["numbers"][0]})["transaction"]
        until(url, "hears language")
        fetch(f"{url}/press", {"keys": "1"})
        until(url, "hears how_can_i_help")
        fetch(f"{url}/talk", {"words": "I have a question about my parcel"})
        told = until(url, "over:")
        assert "hears transferring" in told
        assert "hears goodbye" in told
        assert "parcel" not in told


def test_recordings_are_files_of_a_folder(tmp_path: Path) -> None:
    words = ("--speed", "50", "--store", "memory", "--json", "--recordings", str(tmp_path / "said"))
    with serve(str(FLOWS / "voicemail.yaml"), *words, "--files", str(FLOWS), "--env", "PROMPTS=audio") as process:
        assert process.stdout is not None
        hello = json.loads(process.stdout.readline())
        url = f"{hello['endpoint']}/_sma/calls"
        call = fetch(url, {"from": "+14155550123", "to": hello["numbers"][0]})["transaction"]
        for heard, does, body in (
            ("hears language", "press", {"keys": "1"}),
            ("hears ask_mailbox", "press", {"keys": "1001"}),
            ("hears beep", "talk", {"ms": 1500}),
        ):
            until(f"{url}/{call}", heard)
            fetch(f"{url}/{call}/{does}", body)
        until(f"{url}/{call}", "hears review")  # four seconds of silence
        (path,) = tmp_path.rglob("*.wav")
        assert path.name == f"{call}_1.wav"
        assert path.relative_to(tmp_path).parts[:2] == ("said", "example-voicemails")


def lines_until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    """The lines that are printed, up to one with *wanted* in it."""
    assert process.stdout is not None
    seen: list[str] = []
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end and not (seen and wanted in seen[-1]):
        seen.append(process.stdout.readline())
    return seen


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere.yaml"], "there is no file or folder"),
        (["FLOW", "--switch", "overlap=sideways"], "'overlap' has no value 'sideways'"),
        (["FLOW", "--switch", "overlap"], "write NAME=VALUE"),
        (["FLOW", "--party", "+12065550150=explodes"], "a party cannot be 'explodes'"),
        (["FLOW", "--party", "+12065550150"], "write NAME=VALUE"),
        (["FLOW", "--party", "env.NOWHERE=busy"], "'--party' names env.NOWHERE, which has no value"),
        (["FLOW", "--bot", "env.BOT=nowhere.zip"], "cannot be talked to: there is no such file or folder"),
        (
            ["FLOW", "--bot", f"env.NOBODY={FLOWS / 'bots' / 'reception'}"],
            "'--bot' names env.NOBODY, which has no value",
        ),
        (["FLOW", "--number", "12"], "write a number such as"),
        (["FLOW", "--files", "/nowhere"], "Directory '/nowhere' does not exist"),
        (["FLOW", "--target", "nobody"], "'nobody' is no function"),
        (["FLOW", "--at", "yesterday"], "this is no time"),
        (["FLOW", "--speed", "0"], "0.1<=x<=1000"),
        (["FLOW", "--port", "70000"], "0<=x<=65535"),
    ],
)
def test_wrong_usage_is_told_with_what_to_type(hold: Path, words: list[str], says: str) -> None:
    words = [str(hold) if word == "FLOW" else word for word in words]
    result = CliRunner().invoke(cli, ["serve", *words])
    assert result.exit_code == 2
    assert says in result.output


def test_a_port_that_is_taken_is_told(hold: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(cli, ["serve", str(hold), "--store", "memory", "--port", port])
    assert result.exit_code == 2
    assert f"port {port} cannot be used" in result.output


def test_a_flow_that_does_not_compile_ends_the_command_with_its_problems(hold: Path) -> None:
    hold.write_text(FLOW.replace("next: ready\n", "next: nowhere\n", 1))
    result = CliRunner().invoke(cli, ["serve", str(hold)])
    assert result.exit_code == 1
    assert "nowhere" in result.output


def test_without_its_server_the_command_says_what_to_install(hold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    result = CliRunner().invoke(cli, ["serve", str(hold)])
    assert result.exit_code == 2
    assert "pip install 'sma-flows[serve]'" in result.output
