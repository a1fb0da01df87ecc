"""A call made by hand: what was done is remembered, taken back, tried otherwise."""

from __future__ import annotations

import pytest

from phone.conftest import Dial
from sma_flows.phone.commands import COMMANDS, help_text, run
from sma_flows.phone.handset import Handset, HandsetError


def do(handset: Handset, *lines: str) -> str:
    return [run(handset, line) for line in lines][-1]


def test_the_caller_reads_what_is_said_and_presses_keys(dial: Dial) -> None:
    phone = dial("dial-in")
    do(phone, "1", "4155501#", "482913")
    assert phone.state == "join"
    assert phone.waits_for == "the caller talks with a meeting, keys are heard"
    assert any('hears ask_pin  "Please enter your six-digit PIN."' in line for line in phone.lines)
    assert phone.legs == ["LEG-A connected", "LEG-B connected"]


def test_what_is_shown_of_variables_holds_no_secret(dial: Dial) -> None:
    phone = dial("dial-in", "    stub: {verify_pin: wrong}\n")
    do(phone, "1", "4155501#", "482913")
    assert "482913" not in str(phone.variables)


def test_back_leads_to_the_same_place_and_forth_again(dial: Dial) -> None:
    phone = dial("dial-in")
    do(phone, "1")
    there = (phone.state, list(phone.lines), phone.timers)
    do(phone, "4155501#", "back")
    assert (phone.state, phone.lines, phone.timers) == there
    do(phone, "jump 2")
    assert (phone.state, len(phone.deeds), phone.ahead) == ("ask_pin", 2, [])


def test_what_was_taken_back_is_kept_when_something_else_is_done(dial: Dial) -> None:
    phone = dial("dial-in")
    do(phone, "1", "4155501#", "back 2", "2")
    assert [str(deed) for deed in phone.deeds] == ["press: 2"]
    assert do(phone, "calls") == "* main: 1 steps\n  main before 1: 2 steps"
    do(phone, "go main before 1")
    assert phone.state == "ask_pin"


def test_a_fork_leaves_the_other_call_as_it_was(dial: Dial) -> None:
    phone = dial("dial-in")
    do(phone, "1", "fork spanish", "back", "2", "go main")
    assert phone.branch == "main"
    assert [str(deed) for deed in phone.deeds] == ["press: 1"]
    do(phone, "go spanish")
    assert [str(deed) for deed in phone.deeds] == ["press: 2"]
    with pytest.raises(HandsetError, match="there is a call 'main' already"):
        do(phone, "fork main")
    with pytest.raises(HandsetError, match="there is no call 'x'"):
        do(phone, "go x")


def test_a_deed_that_does_not_fit_changes_nothing(dial: Dial) -> None:
    phone = dial("dial-in")
    before = list(phone.lines)
    with pytest.raises(HandsetError, match="nothing is being recorded"):
        do(phone, "speak 3s")
    assert (phone.lines, phone.deeds) == (before, [])


def test_after_the_end_one_can_only_go_back(dial: Dial) -> None:
    phone = dial("dial-in")
    do(phone, "hangup")
    assert phone.over
    with pytest.raises(HandsetError, match="the call is over"):
        do(phone, "1")
    do(phone, "back", "1")
    assert phone.state == "ask_conference"


def test_time_passes_in_a_live_call_and_the_waiting_is_remembered(dial: Dial) -> None:
    phone = dial("dial-in", live=True)
    phone.pass_time(700)
    phone.pass_time(800)
    do(phone, "1")  # in the middle of the question
    assert [str(deed) for deed in phone.deeds] == ["wait: 1.5", "press: 1"]
    phone.pass_time(60_000)
    assert phone.state != "language"
    do(phone, "back")
    assert (phone.deeds, phone.state, phone.now_s) == ([], "language", 0.0)


def test_a_live_call_lets_a_silent_caller_go(dial: Dial) -> None:
    phone = dial("dial-in", live=True)
    phone.pass_time(600_000)
    assert phone.over


@pytest.mark.parametrize(
    ("flow", "head", "lines", "state"),
    [
        ("voicemail", "", ["1", "1001", "speak 4s", "listen"], "review"),
        ("front-desk", "    at: 2026-11-20T10:00-05:00\n", ["1", "callee answers", "callee hangs_up"], ""),
        ("lex-bot", "", ["1", "bot failed"], ""),
        ("dial-in", "", ["silence 3"], ""),
        ("dial-in", "", ["1", "repeat", "fail gather", "4155501#"], ""),
        ("dial-in", "", ["1", "4155501#", "wait 500ms", "482913", "meeting ends"], ""),
        ("meeting-dialer", "", ['update kind=x words="two words"'], ""),
    ],
)
def test_everything_a_script_can_do_can_be_typed(
    dial: Dial, flow: str, head: str, lines: list[str], state: str
) -> None:
    if flow == "meeting-dialer":
        head = (
            "    inputs: {event: standup, guest: Ana, language: en-US, meeting: 86140b9a-f20c-63f0-22f2-31d2fb0e9ff4,"
            " attendee: a-1, join_token: token-of-a-guest}\n"
        )
    phone = dial(flow, head)
    do(phone, *lines)
    assert len(phone.deeds) == len(lines)
    assert state in ("", phone.state)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("pres 1", "did you mean 'press'"),
        ("xyzzy", "there is no command 'xyzzy'"),
        ("press x", "which keys"),
        ("silence many", "how many questions"),
        ("wait", "how long"),
        ("bot", "what did the bot understand"),
        ("callee sings", "what does the called party do"),
        ("meeting begins", "a meeting can only end"),
        ("update x", "is not NAME=VALUE"),
        ("fail everything", "what fails next"),
        ("hangup both", "who hangs up"),
        ("jump 9", "there are 0 steps"),
        ("back", "nothing was done yet"),
        ("back soon", "write a number"),
        ("save", "where"),
        ("update 'x", "close the quotes"),
    ],
)
def test_what_cannot_be_understood_says_what_to_type(dial: Dial, line: str, told: str) -> None:
    with pytest.raises(HandsetError, match=told):
        do(dial("dial-in"), line)


def test_help_names_every_command(dial: Dial) -> None:
    assert do(dial("dial-in"), "help") == help_text()
    assert all(command.usage in help_text() for command in COMMANDS.values())
