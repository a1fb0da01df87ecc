"""Any number of keys, updates and hooks at the same time, in any order: with a journal none of them is lost."""

from __future__ import annotations

from random import Random

import pytest

from decisions.journal import Crossing, memory
from decisions.test_journal import talking
from sma_flows.services.ports import JournalStore
from sma_flows.simulator.messages import HangUp, Input, Key, Update

TALLY = """\
sma_flow: 1
name: tally
entry: inbound
vars: {notes: number = 0, keys: number = 0, news: number = 0}
hooks:
  note: {python: hooks.made:note, effect: keyed, budget: 800ms}
  look: {python: hooks.made:look, effect: read, budget: 800ms}
updates:
  news: {during: [talk], next: told}
defaults: {next: {no_input: bye, no_match: bye, exhausted: bye, failed: sorry}}
start: hello
states:
  hello: {say: "Hello.", next: talk}
  talk:
    bridge: env.SALES
    keys: {1: noting, 2: counting, 3: looking}
    next: {ended: after, no_answer: bye}
  noting: {run: note(), next: noted}
  noted: {set: {notes: notes + 1}, next: say_noted}
  say_noted: {say: "Noted.", next: back}
  counting: {set: {keys: keys + 1}, next: back}
  looking: {run: look(), next: looked}
  looked: {set: {keys: keys + 1}, next: back}
  told: {set: {news: news + 1}, next: asking}
  asking: {run: look(), next: say_news}
  say_news: {say: "News.", next: back}
  after: {say: "{notes} notes, {keys} keys, {news} news.", next: bye}
  sorry: {say: "Sorry.", next: bye}
  bye: {say: "Goodbye.", hangup: normal}
"""
KINDS: dict[str, tuple[Input, str]] = {
    "key 1": (Key("1"), "notes"),
    "key 2": (Key("2"), "keys"),
    "key 3": (Key("3"), "keys"),
    "update": (Update((("update", "news"),)), "news"),
}


def burst(call: Crossing, rng: Random, size: int) -> list[str]:
    """So many events that nobody answers before the next one comes; what each of them counts."""
    counts, numbers = [], []
    for _ in range(size):
        event, counted = KINDS[rng.choice(list(KINDS))]
        before = set(call.waiting)
        numbers.append(call.delivered(event))
        counts.append(counted)
        # what else comes meanwhile (an interruption) is worked on in between
        for extra in sorted(set(call.waiting) - before - set(numbers)):
            numbers.append(extra)
    rng.shuffle(numbers)
    for number in numbers:
        call.work(number)
    rng.shuffle(numbers)
    for number in numbers:
        call.arrive(number)
    return counts


def played(seed: int, journal: JournalStore | None, size: int = 2) -> tuple[Crossing, dict[str, int]]:
    rng = Random(seed)
    call = talking(Crossing(TALLY, journal))
    expected = dict.fromkeys(("notes", "keys", "news"), 0)
    for _ in range(rng.randint(1, 3)):
        for counted in burst(call, rng, size):
            expected[counted] += 1
        call.go_on(rng.choice([3_000, 6_000]))
    call.send(HangUp("LEG-B"))
    call.go_on()
    return call, expected


def told(expected: dict[str, int]) -> str:
    return f"{expected['notes']} notes, {expected['keys']} keys, {expected['news']} news."


@pytest.mark.parametrize("seed", range(150))
def test_two_at_a_time_are_both_kept(seed: int) -> None:
    call, expected = played(seed, memory())
    assert call.phone.over, "the call ends silent"
    assert told(expected) in call.heard
    assert call.heard[-1] == "Goodbye."


@pytest.mark.parametrize("seed", range(60))
def test_three_at_a_time_are_all_kept(seed: int) -> None:
    call, expected = played(seed, memory(), size=3)
    assert call.phone.over, "the call ends silent"
    assert told(expected) in call.heard


def test_without_a_journal_such_calls_lose_something() -> None:
    lost = 0
    for seed in range(40):
        call, expected = played(seed, None)
        assert call.phone.over
        lost += told(expected) not in call.heard
    assert lost > 10
