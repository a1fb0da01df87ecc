"""Read texts the way the compiler does, for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sma_flows.compiler.parse import parse_bundle, parse_flow, parse_prompts
from sma_flows.flow.diagnostics import Diagnostic
from sma_flows.flow.nodes import Document
from sma_flows.flow.source import load_text

PARSERS: dict[str, Callable[[Document], tuple[Any, list[Diagnostic]]]] = {
    "flow": parse_flow,
    "prompts": parse_prompts,
    "bundle": parse_bundle,
}

DIAL_IN = """\
sma_flow: 1
name: dial-in
entry: inbound

hooks:
  verify_pin: {python: hooks.meetings:verify_pin, outcomes: [ok, wrong, closed], budget: 1500ms}

vars:
  meeting: digits(6..10)
  pin:     secret digits(6)

prompts: prompts/dial-in.yaml

defaults:
  retry: {times: 2, no_input: not_heard, no_match: not_valid}
  next:  {no_input: goodbye, no_match: goodbye, failed: sorry}

start: welcome
states:
  welcome:
    say: welcome
    next: ask_meeting
  ask_meeting:
    gather: meeting
    prompt: ask_meeting
    finish_on: pound
    next: ask_pin
  ask_pin:
    gather: pin
    prompt: ask_pin
    next: check
  check:
    run: verify_pin(meeting, pin)
    limit: {wrong: [3 per call, 10 per caller per 1h, 20 per meeting per 1h]}
    next: {ok: join, wrong: wrong_pin, closed: goodbye, limited: goodbye}
  wrong_pin:
    say: wrong_pin
    next: ask_pin
  join:
    join_meeting: meeting
    keys: {"*6": toggle_mute}
    next: {left: goodbye, failed: sorry}
  toggle_mute:
    mute: toggle
    next: back
  sorry:
    say: "We have a technical problem."
    next: goodbye
  goodbye:
    say: goodbye
    hangup: normal
"""

PROMPTS = """\
sma_prompts: 1
default: en-US
locales:
  en-US: {voice: Joanna, engine: neural, bot: en_US}
prompts:
  welcome:
    en-US: Welcome.
  ask_pin:
    en-US: [Please enter your PIN., "Your PIN has six digits."]
  hold_music: {audio: hold.wav}
  promise:
    en-US: {ssml: "<speak>We call you <emphasis>back</emphasis>, {name}.</speak>"}
"""


def read(text: str, kind: str = "flow") -> tuple[Any, list[Diagnostic]]:
    """The model of a text, or None, and everything that is said about it."""
    document, found = load_text(text, "case.yaml")
    if document is None:
        return None, found
    model, more = PARSERS[kind](document)
    return model, [*found, *more]


def state_of(body: str, top: str = "") -> Any:
    """The model of one state, given as the lines below its name; the flow must have no fault."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    model, found = read(f"sma_flow: 1\nname: one\nentry: inbound\n{top}start: it\nstates:\n  it:\n{lines}")
    assert found == []
    return model.states["it"]


def codes(found: list[Diagnostic]) -> list[str]:
    """The codes, in source order."""
    return [each.code for each in found]
