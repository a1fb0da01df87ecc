"""Warm events that ask the world for nothing, with all that a function writes: p50 and p99, compiled and by hand.

Both sides read JSON text and write it, and leave the same number of lines behind for each event, through the same
Logger and metrics of Powertools, into the null device. That is checked before anything is timed.
"""

from __future__ import annotations

import contextlib
import gc
import io
import itertools
import json
import os
import random
import time
from collections.abc import Callable
from statistics import median
from typing import Any, TextIO, cast

from aws_lambda_powertools import Logger

from benchmarks import dial_in, handwritten
from benchmarks.call import Answer, Event, events
from benchmarks.functions.records import recorded
from benchmarks.measure import Ratio, ratio
from sma_flows.handler import Handler
from sma_flows.runtime.ask import Ask, ServiceReply
from sma_flows.runtime.program import Program
from sma_flows.services.dispatch import LocalServices

LOOPS = 100
_numbers = itertools.count()


class World(dial_in.World):
    """The stand-in for both, which counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def verify_pin(self, conference: str, pin: str, caller: str) -> str:
        self.asked += 1
        return super().verify_pin(conference, pin, caller)

    def open_meeting(self, conference: str) -> str:
        self.asked += 1
        return super().open_meeting(conference)

    def attend(self, meeting: str) -> tuple[str, str]:
        self.asked += 1
        return super().attend(meeting)

    def leave(self, meeting: str, attendee: str) -> None:
        self.asked += 1
        super().leave(meeting, attendee)


class Services(dial_in.Services):
    """The same behind the port of the compiled flow, as its handler wants it."""

    world: World
    overlaps = None  # no two events of the call come at the same time

    def take_troubles(self) -> list[Any]:
        return []

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        self.world.asked += ask.port == "call.ended"
        return super().perform(ask, deadline)


def compiled(world: World, sink: TextIO) -> Answer:
    """The function that is deployed, with *world* behind it; what it logs goes to *sink*."""
    with contextlib.redirect_stdout(sink):
        function = Handler({"POWERTOOLS_SERVICE_NAME": f"compiled-{next(_numbers)}"})  # a Logger is kept by its name
    services = cast(LocalServices, Services(world))
    function.use(Program.load(dial_in.load_plan(), {"PROMPTS": "example-prompts"}), services)
    return function.answer


def by_hand(world: World, sink: TextIO) -> Answer:
    """The function by hand, with the duties of the other."""
    return recorded(handwritten.handler(world), Logger(service=f"by-hand-{next(_numbers)}", location=None, stream=sink))


def quiet(make: Callable[[World, TextIO], Answer]) -> list[tuple[Event, list[Any], int] | None]:
    """Each event of the call with the actions of its answer and the lines written; None where the world was asked."""
    world, sink = World(), io.StringIO()
    answer = make(world, sink)
    found: list[tuple[Event, list[Any], int] | None] = []

    def watched(event: Event) -> Event:
        asked, text = world.asked, sink.tell()
        sent = json.loads(json.dumps(event))
        given = answer(event)
        lines = sink.getvalue()[text:].count("\n")
        found.append((sent, given.get("Actions", []), lines) if world.asked == asked else None)
        return given

    with contextlib.redirect_stdout(sink):
        events(watched)
    return found


def same_duties() -> tuple[list[str], list[str], int]:
    """The events that ask for nothing, as JSON text for either side, and the lines that each side writes for them.

    Raises:
        SystemExit: the sides do not ask at the same events, answer differently, or write different numbers of lines.
    """
    ours, theirs, lines = [], [], 0
    for number, (left, right) in enumerate(zip(quiet(compiled), quiet(by_hand), strict=True), 1):
        if (left is None) != (right is None) or (left and right and left[1:] != right[1:]):
            raise SystemExit(f"the sides differ at event {number}:\n{left}\n{right}")
        if left and right:
            ours.append(json.dumps(left[0]))
            theirs.append(json.dumps(right[0]))
            lines += left[2]
    return ours, theirs, lines


def _samples(texts: list[str], answer: Answer) -> list[int]:
    """Nanoseconds of processor time of each event, the collector of garbage at work as ever."""
    loads, dumps, clock = json.loads, json.dumps, time.thread_time_ns
    found = []
    for _ in range(LOOPS):
        for text in texts:
            start = clock()
            dumps(answer(loads(text)))
            found.append(clock() - start)
    return found


def measure(count: int) -> tuple[dict[str, Ratio], dict[str, tuple[float, float]], int, int]:
    """Ratios of p50 and p99 over *count* rounds; p50 and p99 in microseconds; number of events, and of their lines."""
    ours, theirs, lines = same_duties()
    rng = random.Random(1)
    middle: dict[str, list[int]] = {"compiled": [], "by hand": []}
    tail: dict[str, list[int]] = {"compiled": [], "by hand": []}
    with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink):
        sides = [("compiled", ours, compiled(World(), sink)), ("by hand", theirs, by_hand(World(), sink))]
        for _, texts, answer in sides:
            _samples(texts, answer)
        for _ in range(count):
            rng.shuffle(sides)
            for name, texts, answer in sides:
                gc.collect()
                found = sorted(_samples(texts, answer))
                middle[name].append(found[len(found) // 2])
                tail[name].append(found[len(found) * 99 // 100])
    ratios = {"p50": ratio(middle, "compiled", "by hand"), "p99": ratio(tail, "compiled", "by hand")}
    each = {name: (median(middle[name]) / 1000, median(tail[name]) / 1000) for name in middle}
    return ratios, each, len(ours), lines
