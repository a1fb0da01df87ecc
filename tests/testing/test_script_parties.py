"""``parties`` of a calls file: how they are read, what is said about mistakes, and how they act in a call."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sma_flows.simulator.messages import HangUp, Key, Talk
from sma_flows.simulator.parties import Party, voicemail
from sma_flows.simulator.wav import file_of
from sma_flows.testing.play import CallFailedError, Played, play_call
from sma_flows.testing.script import load_calls, read_calls
from sma_flows.testing.script_parties import DOES, written
from sma_flows.testing.world import UnplayableError


def read(party: str, name: str = '"*"', folder: Path | None = None) -> tuple[dict[str, Party], list[str]]:
    text = f"flow: desk.yaml\ncalls:\n  - call: one\n    parties:\n      {name}: {party}\n"
    file, found = read_calls(text, str(folder / "x.calls.yaml") if folder else "x.calls.yaml")
    told = [f"{one.span.file}:{one.span.line}:{one.span.col} {one.code} {one.message}: {one.help}" for one in found]
    return dict(file.calls[0].parties) if file else {}, told


def party(text: str, folder: Path | None = None) -> Party:
    parties, found = read(text, folder=folder)
    assert found == []
    return parties["*"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("answers", Party("answers", 4_000)),
        ("busy", Party("busy", 1_000)),
        ("no_answer", Party("no_answer", 60_000)),
        ("{busy: after 200ms}", Party("busy", 200, rings_ms=200)),
        ("{rejects: after 2s, code: 486}", Party("rejects", 2_000, code=486)),
        ("{answers: after 6s, rings: after 1s}", Party("answers", 6_000, 1_000)),
        ('{answers: 6s, presses: "1"}', Party("answers", 6_000, acts=((1_000, Key("1")),))),
        (
            '{answers: after 4s, presses: {2s: "1", 6s: "2#"}, talks: {3s: 5s}, hangs_up: after 20s}',
            Party(
                acts=(
                    *((2_000, Key("1")), (3_000, Talk(5_000))),
                    *((6_000, Key("2")), (6_300, Key("#")), (20_000, HangUp())),
                )
            ),
        ),
        (
            "{voicemail: after 9s, greets: 3s, hangs_up: after 1m}",
            Party(
                "voicemail",
                9_000,
                acts=((0, Talk(3_000)), (3_000, Talk(400, sound="beep")), (60_000, HangUp())),
            ),
        ),
    ],
)
def test_how_a_party_is_written(text: str, wanted: Party) -> None:
    assert party(text) == wanted


def test_a_party_can_say_what_is_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "hello.wav").write_bytes(file_of([bytes(16_000 * 3)]))
    said = Talk(3_000, file=str(tmp_path / "hello.wav"))
    assert party("{answers: 1s, talks: hello.wav}", tmp_path).acts == ((500, said),)
    assert party("{voicemail: 1s, greets: hello.wav}", tmp_path).acts[0] == (0, said)


@pytest.mark.parametrize(
    ("text", "place", "says", "types"),
    [
        ("sleeps", "5:12", "a party cannot be 'sleeps'", "write for example"),
        ("answer", "5:12", "a party cannot be 'answer'", "did you mean 'answers'?"),
        ("[busy]", "5:12", "a party is a word or a map", "write for example"),
        ("{presses: 1}", "5:", "the party does not say what it does", "write for example"),
        ("{busy: 1s, answers: 2s}", "5:23", "the party says both 'busy' and 'answers'", "write for example"),
        ("{answers: 1s, hang_up: 2s}", "5:26", "a party has no key 'hang_up'", "did you mean 'hangs_up'?"),
        ("{answers: soon}", "5:22", "'answers' cannot be at the time 'soon'", "`answers: after 4s`"),
        ("{answers: 1s, presses: x}", "5:35", "'x' are no keys of a telephone", '{2s: "1", 6s: "22#"}'),
        ("{answers: 1s, presses: {now: 1}}", "5:36", "'presses' cannot be at the time 'now'", "`presses: after 4s`"),
        ("{busy: {}}", "5:19", "'busy' cannot be at the time ''", "`busy: after 4s`"),
        ("{answers: 1s, talks: much}", "5:33", "'much' is no length of time and no WAV file", "`talks: 6s`"),
        ("{answers: 1s, talks: no.wav}", "5:33", "'no.wav' cannot be spoken: it cannot be read", "seen from this file"),
        ("{answers: 1s, code: 486}", "5:26", "a party that says 'answers' has no 'code'", "says `rejects`"),
        (
            "{busy: 1s, hangs_up: 5s}",
            "5:23",
            "a party that says 'busy' has no 'hangs_up'",
            "says `answers or voicemail`",
        ),
        ("{rejects: 1s, code: 200}", "5:32", "'200' is no SIP code of a refusal", "for example 603"),
    ],
)
def test_mistakes_have_a_place_and_say_what_to_type(text: str, place: str, says: str, types: str) -> None:
    _, found = read(text)
    assert len(found) == 1
    assert found[0].startswith(f"x.calls.yaml:{place}")
    assert says in found[0]
    assert types in found[0]


@pytest.mark.parametrize("name", ["+1", "12065550150", "a b", "env.", '""'])
def test_a_party_belongs_to_somebody_who_can_be_called(name: str) -> None:
    _, found = read("busy", name)
    assert len(found) == 1
    assert "is nobody who can be called" in found[0]
    assert '"*" for every other number' in found[0]


def test_all_mistakes_are_told_at_once_and_those_of_the_file_once() -> None:
    text = "flow: f.yaml\nparties: {x y: busy, '*': bussy}\ncalls: [{call: a}, {call: b, parties: {'*': {busy: x}}}]\n"
    _, found = read_calls(text)
    assert [(one.span.line, one.span.col) for one in found] == [(2, 11), (2, 27), (3, 52)]


def test_parties_of_a_call_stand_before_those_of_the_file() -> None:
    text = "flow: f.yaml\nparties: {a: busy, b: busy}\ncalls: [{call: a, parties: {b: answers}}]\n"
    file, _ = read_calls(text)
    assert file is not None
    assert {name: one.does for name, one in file.calls[0].parties.items()} == {"a": "busy", "b": "answers"}


LENGTH = st.integers(0, 90_000)
ACTS = st.lists(
    st.tuples(LENGTH, st.sampled_from([*map(Key, "0123456789*#"), Talk(2_000), Talk(1_500)])),
    max_size=4,
    unique_by=lambda act: (act[0], type(act[1])),
)


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(DOES), LENGTH, LENGTH, st.integers(300, 699), ACTS, st.none() | LENGTH)
def test_a_party_that_is_written_down_is_the_same_when_it_is_read(
    does: Any, after: int, rings: int, code: int, acts: Any, ends: int | None
) -> None:
    if does == "answers":
        done = [*acts, *([(ends, HangUp())] if ends is not None else [])]
        one = Party(does, after, rings, acts=tuple(sorted(done, key=lambda act: act[0])))
    elif does == "voicemail":
        one = voicemail(after, 1_000 + rings)
    else:
        one = Party(does, after, rings, code if does == "rejects" else 603)
    again = party(yaml.safe_dump(written(one), default_flow_style=True, width=1_000).strip().removesuffix("\n..."))
    assert again.until_answer("LEG-A") == one.until_answer("LEG-A")
    assert sorted(again.acts, key=repr) == sorted(one.acts, key=repr)


# ---- in a call -----------------------------------------------------------------------------------------------------

FLOW = """
sma_flow: 1
name: desk
entry: inbound
prompts: prompts.yaml
dial_policy: {allow: [+1206], caller_id: env.OWN}
start: sales
states:
  sales:
    say: calling
    bridge: env.SALES
    ring_for: 20s
    next: {ended: bye, no_answer: support, failed: bye}
  support:
    bridge: env.SUPPORT
    ring_for: 10s
    next: {ended: bye, no_answer: bye, failed: bye}
  bye: {say: bye, next: {done: hangup, failed: hangup}}
"""
PROMPTS = """
sma_prompts: 1
default: en-US
locales: {en-US: {voice: Joanna}}
prompts:
  calling: {en-US: We are calling.}
  bye: {en-US: Goodbye.}
"""


def play(folder: Path, parties: str, script: str) -> Played:
    (folder / "desk.yaml").write_text(FLOW)
    (folder / "prompts.yaml").write_text(PROMPTS)
    env = '{OWN: "+12065550199", SALES: "+12065550150", SUPPORT: "+12065550151"}'
    steps = textwrap.indent(textwrap.dedent(script).strip(), "      ")
    (folder / "x.calls.yaml").write_text(
        f"flow: desk.yaml\nenv: {env}\ncalls:\n  - call: one\n    parties: {parties}\n    script:\n{steps}\n"
    )
    file, found = load_calls(folder / "x.calls.yaml")
    assert file is not None, [str(one) for one in found]
    return play_call(file.flow, file.calls[0])


BOTH = '{env.SALES: busy, "+12065550151": {answers: after 3s, hangs_up: after 30s}}'


def test_a_whole_call_runs_without_steering(tmp_path: Path) -> None:
    played = play(tmp_path, BOTH, "- hear: [calling, bye]\n- expect: hung_up")
    told = [line.split(" s  ", 1)[1] for line in played.transcript if "> the called" in line]
    assert told == [
        "> the called party rings",
        "> the called party is busy",
        "> the called party rings",
        "> the called party answers",
        "> the called party (LEG-B) hangs up",
    ]


def test_an_expectation_is_looked_at_when_the_party_has_answered(tmp_path: Path) -> None:
    play(tmp_path, BOTH, "- hear: calling\n- expect: bridged\n- hear: bye")


def test_a_step_of_the_caller_comes_after_the_answer(tmp_path: Path) -> None:
    played = play(tmp_path, BOTH, "- hear: calling\n- hangup: caller")
    assert any("answers" in line for line in played.transcript)
    assert not any("bye" in line for line in played.transcript)


def test_the_caller_can_leave_while_it_rings(tmp_path: Path) -> None:
    played = play(tmp_path, '{"*": {answers: after 9s}}', "- hear: calling\n- wait: 2s\n- hangup: caller")
    assert not any("> the called party answers" in line for line in played.transcript)


def test_steps_of_the_callee_win(tmp_path: Path) -> None:
    script = "- hear: calling\n- callee: answers\n- expect: bridged\n- wait: 1m\n- callee: hangs_up\n- hear: bye"
    played = play(tmp_path, BOTH, script)
    assert not any("busy" in line for line in played.transcript)


@pytest.mark.parametrize("party", ["no_answer", "{no_answer: after 10s}", "{answers: after 60s}"])
def test_a_bridge_that_nobody_answers_is_waited_for_until_the_service_gives_up(tmp_path: Path, party: str) -> None:
    played = play(tmp_path, f'{{"*": {party}}}', "- hear: [calling, bye]\n- expect: hung_up")
    assert [line.split(" s  ", 1)[1] for line in played.transcript if "> the called" in line] == [
        "> the called party rings",
        "> the called party rings",
    ]
    assert played.seconds > 30  # `ring_for` of both states


def test_who_is_not_answered_can_still_leave_and_a_second_bridge_is_expected(tmp_path: Path) -> None:
    played = play(tmp_path, "{'*': no_answer}", "- hear: calling\n- wait: 2s\n- hangup: caller")
    assert played.seconds < 10
    play(tmp_path, "{env.SALES: no_answer, env.SUPPORT: answers}", "- expect: bridged")


def test_a_party_that_never_answers_can_be_led_by_hand(tmp_path: Path) -> None:
    script = "- hear: calling\n- callee: answers\n- expect: bridged\n- callee: hangs_up\n- hear: bye"
    assert play(tmp_path, "{'*': no_answer}", script).seconds < 20


def test_after_a_party_of_its_own_the_next_can_be_led_by_hand(tmp_path: Path) -> None:
    script = "- hear: calling\n- wait: 5s\n- expect: {dialled: '+12065550151'}\n- callee: no_answer\n- hear: bye"
    play(tmp_path, "{env.SALES: busy}", script)


def test_a_script_that_ends_lets_the_parties_finish(tmp_path: Path) -> None:
    played = play(tmp_path, BOTH, "- hear: calling")
    assert any("(LEG-B) hangs up" in line for line in played.transcript)
    assert not any("the script is over" in line for line in played.transcript)


def test_a_party_that_stays_is_left_by_the_caller(tmp_path: Path) -> None:
    played = play(tmp_path, '{"*": answers}', "- expect: bridged")
    assert any("caller hangs up (the script is over)" in line for line in played.transcript)


def test_what_is_heard_otherwise_is_told(tmp_path: Path) -> None:
    with pytest.raises(CallFailedError, match="expected to hear nothing more, heard bye"):
        play(tmp_path, '{"*": {answers: 1s, hangs_up: 2s}}', "- hear: calling\n- wait: 9s\n- hear: []")


def test_a_party_needs_the_value_of_its_name(tmp_path: Path) -> None:
    with pytest.raises(UnplayableError, match=r"'parties' names env.NOBODY, which has no value"):
        play(tmp_path, "{env.NOBODY: busy}", "- hear: calling")


def test_keys_of_a_party_are_not_in_the_transcript(tmp_path: Path) -> None:
    played = play(tmp_path, '{"*": {answers: 1s, presses: "8642", hangs_up: 9s}}', "- hear: [calling, bye]")
    assert not any("8642" in line or "> the called party (LEG-B) presses 8" in line for line in played.transcript)
    assert sum("(LEG-B) presses a key" in line for line in played.transcript) == 4
