"""Calls of calls files and the meetings they join: the life-time rules of the API hold for them too."""

from __future__ import annotations

from pathlib import Path

import pytest

from sma_flows.simulator.refused import RefusedError
from sma_flows.testing.play import Player, play_call
from sma_flows.testing.script import CallScript, read_calls
from sma_flows.testing.targets import InProcess
from sma_flows.testing.world import world_of

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
    play_call(tmp_path / "room.yaml", a_call(tmp_path, first, script))


def a_call(tmp_path: Path, first: str, script: str, switches: str = "{}") -> CallScript:
    (tmp_path / "prompts.yaml").write_text(PROMPTS)
    (tmp_path / "room.yaml").write_text(FLOW.replace("WAIT", first))
    file, found = read_calls(
        f"flow: room.yaml\ncalls:\n  - call: x\n    switches: {switches}\n    script: {script}\n",
        str(tmp_path / "x.calls.yaml"),
    )
    assert file is not None, found
    return file.calls[0]


def test_a_meeting_that_was_just_opened_is_joined(tmp_path: Path) -> None:
    play(tmp_path, "join", "[{hear: inside}, {expect: in_meeting}, {meeting: ends}, {hear: bye}]")


def test_a_meeting_that_was_closed_before_cannot_be_joined(tmp_path: Path) -> None:
    play(tmp_path, "quit", "[{hear: sorry}]")


def test_a_meeting_in_which_nobody_was_for_five_minutes_cannot_be_joined(tmp_path: Path) -> None:
    play(tmp_path, "long", "[{hear: ask}, {silence: 3x}, {press: '1'}, {hear: inside}]")
    play(tmp_path, "long", "[{hear: ask}, {silence: 5x}, {press: '1'}, {hear: sorry}]")


def test_the_flow_that_ends_its_own_meeting_is_thrown_out_of_it(tmp_path: Path) -> None:
    play(tmp_path, "join", "[{hear: inside}, {press: '*1'}, {hear: bye}, {expect: hung_up}]")


def test_the_switch_of_a_call_decides_what_the_token_of_a_closed_meeting_does(tmp_path: Path) -> None:
    call = a_call(tmp_path, "join", "[]", "{same_meeting_token_after_end: error}")
    spec = world_of(tmp_path / "room.yaml", call)
    world = spec.open()
    try:
        meetings = Player(spec, call, InProcess(world), world).meetings
        assert meetings is not None
        meetings.delete(meetings.create("token", "standup", "us-east-1", 0).id, 1)
        with pytest.raises(RefusedError, match="has ended"):
            meetings.create("token", "standup", "us-east-1", 2)
    finally:
        world.close()
