"""Calls of calls files and the meetings they join: the life-time rules of the API hold for them too."""

from __future__ import annotations

from pathlib import Path

from sma_flows.testing.play import play_call
from sma_flows.testing.script import read_calls

FLOW = """\
sma_flow: 1
name: room
entry: inbound
prompts: prompts.yaml
hooks:
  open: {builtin: meetings.open}
  close: {builtin: meetings.close}
vars:
  room: text(64)
defaults: {next: {failed: sorry, no_input: bye, no_match: bye}}
start: make
states:
  make:
    run: open("standup")
    into: {room: meeting}
    next: WAIT
  long:
    menu: ask
    keys: {1: join}
    timeout: 60s
    retry: {times: 5}
    next: {no_input: join}
  quit:
    run: close("standup")
    next: join
  join:
    join_meeting: room
    connected: inside
    keys: {"*1": end}
    next: {left: bye, failed: sorry}
  inside:
    say: inside
    next: back
  end:
    run: close("standup")
    next: back
  sorry:
    say: sorry
    hangup: normal
  bye:
    say: bye
    hangup: normal
"""
PROMPTS = """\
sma_prompts: 1
default: en-US
locales: {en-US: {voice: Joanna}}
prompts:
  ask: {en-US: Press one.}
  inside: {en-US: You are in.}
  sorry: {en-US: That did not work.}
  bye: {en-US: Goodbye.}
"""


def play(tmp_path: Path, first: str, script: str) -> None:
    (tmp_path / "prompts.yaml").write_text(PROMPTS)
    (tmp_path / "room.yaml").write_text(FLOW.replace("WAIT", first))
    file, found = read_calls(
        f"flow: room.yaml\ncalls:\n  - call: x\n    script: {script}\n", str(tmp_path / "x.calls.yaml")
    )
    assert file is not None, found
    play_call(tmp_path / "room.yaml", file.calls[0])


def test_a_meeting_that_was_just_opened_is_joined(tmp_path: Path) -> None:
    play(tmp_path, "join", "[{hear: inside}, {expect: in_meeting}, {meeting: ends}, {hear: bye}]")


def test_a_meeting_that_was_closed_before_cannot_be_joined(tmp_path: Path) -> None:
    play(tmp_path, "quit", "[{hear: sorry}]")


def test_a_meeting_in_which_nobody_was_for_five_minutes_cannot_be_joined(tmp_path: Path) -> None:
    play(tmp_path, "long", "[{hear: ask}, {silence: 3x}, {press: '1'}, {hear: inside}]")
    play(tmp_path, "long", "[{hear: ask}, {silence: 5x}, {press: '1'}, {hear: sorry}]")


def test_the_flow_that_ends_its_own_meeting_is_thrown_out_of_it(tmp_path: Path) -> None:
    play(tmp_path, "join", "[{hear: inside}, {press: '*1'}, {hear: bye}, {expect: hung_up}]")
