"""Call scripts: what they may say, and where a mistake is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sma_flows.testing.script import CallsFile, load_calls, read_calls, told
from sma_flows.testing.script_steps import STEP_KEYS
from sma_flows.testing.stubs import seconds

HEAD = "flow: dial-in.yaml\ncalls:\n  - call: one\n"


def good(text: str) -> CallsFile:
    file, found = read_calls(text, "x.calls.yaml")
    assert found == []
    assert file is not None
    return file


def wrong(text: str) -> list[str]:
    file, found = read_calls(text, "x.calls.yaml")
    assert file is None
    return [f"{one.span.line}:{one.span.col} {one.message}" for one in found]


def test_digits_stay_what_was_typed() -> None:
    (call,) = good(HEAD + "    script:\n      - press: 0123#\n").calls
    assert [(step.kind, step.value, step.where) for step in call.steps] == [("press", "0123#", "x.calls.yaml:5")]


def test_a_call_says_who_calls_and_when() -> None:
    text = HEAD + "    from: +14155550199\n    at: 2026-11-20T09:30-05:00\n    script: []\n"
    (call,) = good(text).calls
    assert (call.from_, call.to) == ("+14155550199", "+12065550199")
    assert call.at == datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
    assert call.inputs is None


def test_inputs_make_an_outbound_call() -> None:
    (call,) = good(HEAD + "    inputs: {guest: Ana}\n    answer: after 8s\n").calls
    assert (call.inputs, call.answer) == ({"guest": "Ana"}, ("answers", 8.0))
    assert (call.from_, call.to) == ("+12065550199", "+14155550123")


def test_stubs_and_values_of_the_file_hold_for_its_calls() -> None:
    file = good("flow: x.yaml\nenv: {A: a, B: b}\nstub: {h: ok}\ncalls:\n  - call: one\n    env: {B: c}\n")
    assert file.calls[0].env == {"A": "a", "B": "c"}
    assert file.calls[0].stubs == {"h": "ok"}


EVERY_STEP = """
      - hear: [welcome, {text: "part"}]
      - press: star
      - silence: 3x
      - speak: 6s
      - bot: {intent: Route, slots: {Department: Billing}, attributes: {}}
      - bot: failed
      - say_to_bot: [I want billing, "yes"]
      - callee: no_answer
      - callee_press: "1"
      - meeting: ends
      - update: {kind: notice}
      - wait: 20s
      - fail: bridge
      - repeat: event
      - hangup: callee
      - expect: in_meeting
      - expect: {dialled: "+12065550150", headers: {x-topic: billing}}
      - expect: {calls: {verify_pin: 2}}
      - expect: {pin: "12"}
"""


def test_every_step_can_be_written() -> None:
    (call,) = good(f"{HEAD}    script:{EVERY_STEP}").calls
    assert {step.kind for step in call.steps} == set(STEP_KEYS)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("pres: 1", "5:9 there is no step 'pres'"),
        ("press: hello", "5:16 'hello' are no keys of a telephone"),
        ("silence: 3", "5:18 'silence' cannot be '3'"),
        ("wait: soon", "5:15 'soon' is no length of time"),
        ("hangup: both", "5:17 'hangup' cannot be 'both'"),
        ("expect: in_room", "5:17 'expect' cannot be 'in_room'"),
        ("bot: {slots: {}}", "5:14 the bot's intent is missing"),
        ("expect: {calls: {h: often}}", "5:29 how often a hook ran is a number"),
        ("hear:", "5:9 'hear' has no value"),
        ("hear: [{word: x}]", "5:16 heard is a prompt, a variable or {text: ...}"),
    ],
)
def test_a_wrong_step_is_told_with_its_place(step: str, said: str) -> None:
    assert wrong(f"{HEAD}    script:\n      - {step}\n") == [said]


def test_all_mistakes_are_told_at_once() -> None:
    text = "flow: x.yaml\ncals: []\ncalls:\n  - call: one\n    stubs: {}\n    at: 2026-11-20T09:30\n  - from: a\n"
    assert wrong(text) == [
        "2:1 a calls file has no key 'cals'",
        "5:5 a call has no key 'stubs'",
        "6:9 '2026-11-20T09:30' does not say in which time zone",
        "7:5 the call has no name",
    ]


def test_a_finding_shows_its_line_and_what_to_type(tmp_path: Path) -> None:
    path = tmp_path / "x.calls.yaml"
    path.write_text(f"{HEAD}    script:\n      - prss: 1\n")
    _, found = load_calls(path)
    assert told(found).splitlines() == [
        f"{path}:5:9: error[SF505] there is no step 'prss' (unknown-step)",
        "  |",
        "5 |       - prss: 1",
        "  |         ^^^^ no such step",
        "  = help: did you mean 'press'?",
    ]


def test_all_mistakes_of_one_call_are_told() -> None:
    parts = "    at: soon\n    answer: 8s\n    stub: {a: [[x]], b: {}}\n"
    steps = "    script:\n      - wait: 3\n      - go: 1\n"
    places = [said.partition(" ")[0] for said in wrong(HEAD + parts + steps)]
    assert places == ["4:9", "5:13", "6:16", "6:25", "8:15", "9:9"]


def test_mistakes_of_the_whole_file_are_told_once() -> None:
    text = "flow: x.yaml\nswitches: {overlap: maybe}\ncalls:\n  - call: one\n  - call: two\n"
    assert wrong(text) == ["2:21 switch 'overlap' has no value 'maybe'"]


def test_a_switch_that_does_not_exist_is_told() -> None:
    (said,) = wrong(HEAD + "    switches: {overlapp: serial}\n")
    assert said == "4:16 there is no switch 'overlapp'"


def test_the_help_for_a_switch_that_does_not_exist_is_shown_whole() -> None:
    _, (found,) = read_calls(HEAD + "    switches: {hangup: observed}\n")
    assert "hangup_during_action" in found.help
    assert found.help.endswith("`sma-flows fidelity --switches` lists all")


def test_two_calls_of_one_name_are_told() -> None:
    assert wrong(HEAD + "  - call: one\n") == ["4:11 two calls are named 'one'"]


@pytest.mark.parametrize(("text", "value"), [("20s", 20.0), ("500ms", 0.5), ("2m", 120.0), ("20", None)])
def test_lengths_of_time(text: str, value: float | None) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("stub", "told"),
    [
        ("{ok: {}, wrong: {}}", "a reply has one outcome"),
        ("{ok: 3}", "the results of 'ok' are a map"),
        ("[[ok]]", "a reply is"),
    ],
)
def test_a_stub_that_is_no_reply_is_told_with_its_place(stub: str, told: str) -> None:
    file, found = read_calls(HEAD + f"    stub: {{check: {stub}}}\n", "x.calls.yaml")
    assert file is None
    assert [one.help.startswith(told) for one in found] == [True]
    assert found[0].span.line == 4
