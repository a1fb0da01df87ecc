"""``sma-flows phone`` in plain lines, as a pipe uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from phone.conftest import FLOWS
from sma_flows.cli.app import cli
from sma_flows.simulator.messages import HangUp
from sma_flows.simulator.parties import Party
from sma_flows.simulator.wav import file_of
from sma_flows.testing.play import play_call
from sma_flows.testing.script import load_calls


def phone(typed: str, *more: object, flow: str = "dial-in") -> Result:
    return CliRunner().invoke(cli, ["phone", str(FLOWS / f"{flow}.yaml"), *map(str, more)], input=typed)


def test_a_pipe_calls_and_saves(tmp_path: Path) -> None:
    path = tmp_path / "x.calls.yaml"
    result = phone(f"1\n4155501#\n482913\nhangup\nsave {path} in\n", "--plain")
    assert result.exit_code == 0, result.output
    assert 'hears language  "Welcome to the conference line.' in result.output
    assert "[join] the call is over" in result.output
    assert path.exists()


def test_whose_turn_it_is_is_said_when_the_call_moved_and_not_else() -> None:
    assert phone("state\nvars\n", "--plain").output.count("[language]") == 1


def test_a_line_that_cannot_be_done_is_a_finding_for_a_pipe() -> None:
    result = phone("speak 3s\n1\n", "--plain")
    assert result.exit_code == 1
    assert "? nothing is being recorded" in result.output


def test_the_whole_call_as_json() -> None:
    told = json.loads(phone("1\nquit\n9\n", "--json").stdout)
    assert told["steps"] == [{"step": "press", "value": "1"}]
    assert told["state"] == "ask_conference"
    assert told["failed_lines"] == 0


def test_stubs_switches_times_and_numbers_are_those_of_a_calls_file() -> None:
    more = ("--stub", "verify_pin=[wrong, {ok: {}}]", "--switch", "sequence_start=0", "--at", "2026-11-20T09:30-05:00")
    result = phone("1\n4155501#\n111111\n4155501#\n222222\n", "--plain", *more, "--from", "+14155550177")
    assert result.exit_code == 0, result.output
    assert "[join]" in result.output


def test_an_outbound_flow_rings_at_the_person_who_is_called() -> None:
    inputs = ["--input", "customer=+12065550142", "--input", "customer_name=Ana", "--input", "language=en-US"]
    result = phone("1\n", "--plain", *inputs, "--input", "request=r-1", flow="click-to-call")
    assert "CALL_ANSWERED" in result.output
    assert "somebody is being called" in result.output


def test_a_bot_is_talked_to_and_a_party_acts_by_itself_also_in_the_saved_call(tmp_path: Path) -> None:
    path = tmp_path / "calls" / "x.calls.yaml"
    bot, party = f"env.BOT_ALIAS={FLOWS / 'bots' / 'reception'}", "*={answers: 4s, hangs_up: 20s}"
    typed = f"1\nsay I want to talk to somebody about my order\nsay the bill\nsave {path} billing\n"
    result = phone(typed, "--plain", "--bot", bot, "--party", party, flow="lex-bot")
    assert result.exit_code == 0, result.output
    assert "Which topic is it about: billing, delivery or returns?" in result.output
    assert "> the called party answers" in result.output
    file, found = load_calls(path)
    assert file is not None, found
    (call,) = file.calls
    assert call.parties == {"*": Party(acts=((20_000, HangUp()),))}
    assert call.bots["env.BOT_ALIAS"].name == "Reception"
    assert play_call(file.flow, call).transcript[-1].endswith("HANGUP                                         goodbye")


@pytest.mark.parametrize("listening", ["", "listen\nwait 30s\nlisten\n"])
def test_a_party_that_never_answers_is_waited_for(tmp_path: Path, listening: str) -> None:
    path = tmp_path / "x.calls.yaml"
    more = ("--party", "*=no_answer", "--at", "2026-11-20T12:00-05:00")
    result = phone(f"1\n{listening}save {path} nobody\n", "--plain", *more, flow="front-desk")
    assert result.exit_code == 0, result.output
    assert "hears nobody_free" in result.output
    assert "somebody is being called" not in result.output
    file, found = load_calls(path)
    assert file is not None, found
    play_call(file.flow, file.calls[0])


def test_what_is_said_is_a_file_in_the_end(tmp_path: Path) -> None:
    voice, path = tmp_path / "hello.wav", tmp_path / "calls" / "x.calls.yaml"
    voice.write_bytes(file_of([bytes(16_000 * 2)]))
    typed = f"1\n1001\nspeak {voice}\n#\n1\nsave {path} said\n"
    result = phone(typed, "--plain", "--recordings", tmp_path / "said", "--env", "PROMPTS=audio", flow="voicemail")
    assert result.exit_code == 0, result.output
    (recorded,) = (tmp_path / "said").rglob("*.wav")
    assert recorded.read_bytes()[:4] == b"RIFF"
    assert recorded.parts[-5] == "example-voicemails"
    assert "- speak: ../hello.wav" in path.read_text()


def test_inputs_that_are_missing_or_of_another_type_are_noted_and_the_call_goes_on() -> None:
    result = phone("", "--input", "customer=Ana", "--input", "language=en-US", flow="click-to-call")
    assert result.exit_code == 0
    assert (
        "Note: the input 'customer_name' is missing: the flow will hang up (add customer_name: a text)" in result.stderr
    )
    assert "Note: 'customer' is a telephone number, and this is none: the flow will hang up" in result.stderr
    assert "(arguments missing or of another type: customer, customer_name, request; the call ends)" in result.stdout
    assert "the call is over" in result.stdout


@pytest.mark.parametrize(
    ("flow", "option", "value", "says"),
    [
        ("dial-in", "--stub", "foo=bar", "the flow has no hook 'foo'. its hooks are verify_pin, open_meeting."),
        ("dial-in", "--stub", "verify_pin=rong", "'verify_pin' never gives 'rong'. did you mean 'wrong'?"),
        ("dial-in", "--stub", "verify_pin=[wrong", "a list or a map is not closed"),
        ("dial-in", "--env", "TYPO=1", "the flow does not read env.TYPO."),
        ("dial-in", "--party", "env.TYPO=busy", "the flow does not read env.TYPO."),
        ("dial-in", "--input", "a=b", "the flow is dialled, it places no calls."),
        ("dial-in", "--from", "415 555", "'from' cannot be '415 555'."),
        ("dial-in", "--from", "", "'from' cannot be ''."),
        ("click-to-call", "--input", "nope=1", "the flow has no input 'nope'."),
        ("click-to-call", "--to", "ana", "'to' cannot be 'ana'."),
    ],
)
def test_what_calls_files_refuse_is_wrong_usage(flow: str, option: str, value: str, says: str) -> None:
    result = phone("", option, value, flow=flow)
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_caller_without_a_telephone_number_is_noted() -> None:
    result = phone("", "--from", "abc")
    assert result.exit_code == 0
    assert "Note: 'abc' is no telephone number" in result.stderr
    assert phone("", "--from", "anonymous").stderr == ""


def test_wrong_usage_says_what_to_type(tmp_path: Path) -> None:
    assert phone("", "--switch", "sequence_start=7").exit_code == 2
    assert phone("", "--stub", "verify_pin").exit_code == 2
    assert "cannot be talked to" in phone("", "--bot", f"env.BOT_ALIAS={tmp_path}/none.zip").output
    assert "a party cannot be 'asleep'" in phone("", "--party", "*=asleep").output
    assert phone("", "--at", "noon").exit_code == 2
    missing = CliRunner().invoke(cli, ["phone", str(tmp_path / "no.yaml")])
    assert missing.exit_code == 2
    assert "there is no flow" in missing.output


def test_a_flow_that_does_not_compile_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("sma_flow: 1\nname: x\n")
    result = CliRunner().invoke(cli, ["phone", str(tmp_path / "x.yaml")])
    assert result.exit_code == 1
    assert "error[SF" in result.output
