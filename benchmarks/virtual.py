"""The virtual service: calls per second, a long call, many calls at once, two processes, drawn calls.

``python -m benchmarks.virtual held 100000``, ``... worker`` and ``... speed 40`` are the child processes that
:func:`held`, :func:`processes` and :func:`speed_there` start: memory, two cores and another interpreter are measured in
processes of their own.
"""

from __future__ import annotations

import heapq
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count as count_up
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import dial_in, handwritten
from benchmarks.call import PIN, Event
from benchmarks.measure import Ratio, ratio, rounds
from sma_flows.cli.calling import flow_files
from sma_flows.compiler import compile_paths
from sma_flows.runtime.invoke import handle
from sma_flows.runtime.program import Program
from sma_flows.simulator.driver import Phone
from sma_flows.simulator.jsontext import dumps, loads
from sma_flows.simulator.messages import Answer, Deliver, HangUp, InboundCall, Input, Key
from sma_flows.simulator.model import Network, World
from sma_flows.simulator.network import advance
from sma_flows.testing.fuzz import fuzz_flows

Text = Callable[[str], str]
Loads = Callable[[str], Any]
Dumps = Callable[[Any], str]
ROOT = Path(__file__).resolve().parents[1]
CALLS = 50
"""Calls in one round of a case."""
AHEAD = 10
"""Calls before them that are not counted: how fast it goes on is measured, not how fast it begins."""

HOLD = """\
sma_flow: 1
name: hold
entry: inbound
prompts: prompts.yaml
defaults: {next: {failed: goodbye}}
start: hold
states:
  hold: {play: music, times: 2, visits: 60, next: {done: hold, exhausted: goodbye}}
  goodbye: {say: goodbye, hangup: normal}
"""
PROMPTS = """\
sma_prompts: 1
default: en-US
locales: {en-US: {voice: Joanna, engine: neural, bot: en_US}}
prompts:
  music: {audio: hold.wav}
  goodbye: {en-US: "Thank you for waiting. Goodbye."}
"""
MUSIC_MS = 30_000


def as_texts(function: Callable[[Any], object], loads: Loads = loads, dumps: Dumps = dumps) -> Text:
    """A function as the service sees it: JSON text in, JSON text out."""
    return lambda body: dumps(function(loads(body)))


def compiled(loads: Loads = loads, dumps: Dumps = dumps) -> Text:
    """The compiled dial-in flow; it reads and writes as :class:`~sma_flows.testing.targets.InProcess` does."""
    program = Program.load(dial_in.load_plan(), {"PROMPTS": "example-prompts"})
    services = dial_in.Services(dial_in.World())
    return as_texts(lambda event: handle(program, event, now=dial_in.NOW, services=services).response, loads, dumps)


def by_hand(loads: Loads = loads, dumps: Dumps = dumps) -> Text:
    """The same call as one if/elif function."""
    return as_texts(handwritten.handler(dial_in.World()), loads, dumps)


def call(answer: Text, world: World | None = None) -> Phone:
    """Ten events: the language, silence, a conference number, a PIN, the meeting, muted, and gone.

    Raises:
        SystemExit: the call did not go so; then there is nothing to measure.
    """
    phone = Phone(answer, text=True, world=world)
    phone.dial_in()
    phone.press("1")
    phone.until(lambda entry: isinstance(entry.value, Deliver))
    phone.wait(4_000)
    phone.press("123456#")
    phone.press(PIN)
    phone.wait(9_000)
    phone.press("*6")
    phone.wait(1_300)
    phone.hang_up()
    return phone


def told(phone: Phone) -> list[str]:
    """The events of a call in short."""
    return [f"{event['InvocationEventType']} {event.get('ActionData', {}).get('Type', '')}" for event in phone.events]


def world_of(number: int) -> World:
    """A call with ids of its own."""
    line = f"{number >> 16:04x}-{number & 0xFFFF:04x}"
    return World(transaction=f"aaaaaaaa-bbbb-cccc-dddd-{number:012x}", line=line)


def _next(answers: Iterator[str], _body: str) -> str:
    return next(answers)


def bare(answer: Text, script: list[Event]) -> int:
    """The events of a call handed to a function and nothing else: no legs, lists, keys, timers, rules. How many.

    A queue in virtual time, JSON text both ways, and the attributes of each answer in the next event. It is the loop
    that made 3,400 calls per second where the aim was set, and reads and writes with ``json`` as that one did.
    """
    due, done = [(0, 0)], 0
    attributes: object = None
    while due:
        at_ms, number = heapq.heappop(due)
        event = script[number]
        details = {**event["CallDetails"], "TransactionAttributes": attributes} if attributes else event["CallDetails"]
        answered = json.loads(answer(json.dumps({**event, "CallDetails": details})))
        attributes = answered.get("TransactionAttributes") or attributes
        done += 1
        if number + 1 < len(script):
            heapq.heappush(due, (at_ms + 1_000, number + 1))
    return done


@dataclass(frozen=True)
class Speed:
    """Calls per second of processor time (median and best round) and ratios of neighbours in time."""

    events: int
    keys: int
    calls_per_s: dict[str, tuple[float, float]]
    ratios: dict[str, Ratio]


def speed(count: int) -> Speed:
    """The ten-event call with both functions, and what the function alone and JSON alone take of it."""
    first, second = compiled(), by_hand()
    slow_first, slow_second = compiled(json.loads, json.dumps), by_hand(json.loads, json.dumps)
    ours, theirs = call(first), call(second)
    if told(ours) != told(theirs) or len(ours.events) != 10 or not ours.over:
        raise SystemExit(f"the two calls differ, or are not of ten events:\n{told(ours)}\n{told(theirs)}")
    bodies = [output.body for output in ours.outputs if isinstance(output, Deliver)]
    answers = [dumps(response) for response in ours.responses]
    parsed = ours.responses
    script = [
        {**event, "CallDetails": {k: v for k, v in event["CallDetails"].items() if k != "TransactionAttributes"}}
        for event in theirs.events
    ]
    number = count_up()
    playing = CALLS

    def new() -> World:
        return world_of(next(number))

    def whole(answer: Text, world: Callable[[], World | None] = lambda: None) -> None:
        for _ in range(playing):
            call(answer, world())

    def canned() -> None:
        for _ in range(playing):
            call(partial(_next, iter(answers)))

    def loop() -> None:
        for _ in range(playing):
            bare(slow_second, script)

    def function() -> None:
        for _ in range(playing):
            for body in bodies:
                first(body)

    def floor() -> None:
        for _ in range(playing):
            for body, response in zip(bodies, parsed, strict=True):
                loads(body)
                dumps(response)

    def ahead(case: Callable[[], object]) -> None:
        nonlocal playing
        playing = AHEAD
        case()
        playing = CALLS

    times = rounds(
        {
            "compiled": partial(whole, first),
            "compiled, every call with ids of its own": partial(whole, first, new),
            "compiled, its texts by `json`": partial(whole, slow_first),
            "by hand": partial(whole, second),
            "by hand, in a bare loop without a service": loop,
            "the service alone, answers ready": canned,
            "the function alone": function,
            "JSON alone": floor,
        },
        count,
        ahead=ahead,
    )
    keys = sum(isinstance(entry.value, Key) for entry in ours.transcript)
    per_s = {name: (CALLS * 1e9 / median(found), CALLS * 1e9 / min(found)) for name, found in times.items()}
    ratios = {
        "by hand / bare loop": ratio(times, "by hand", "by hand, in a bare loop without a service"),
        "compiled / bare loop": ratio(times, "compiled", "by hand, in a bare loop without a service"),
        "whole call / function alone": ratio(times, "compiled", "the function alone"),
        "whole call / JSON alone": ratio(times, "compiled", "JSON alone"),
        "the service alone / JSON alone": ratio(times, "the service alone, answers ready", "JSON alone"),
        "ids of its own / the same ids": ratio(times, "compiled, every call with ids of its own", "compiled"),
    }
    return Speed(len(bodies), keys, per_s, ratios)


def other_python() -> str | None:
    """Another interpreter of this version on this machine, such as that of the system, where there is one."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = [shutil.which(name, path=folder) for folder in ("/usr/bin", "/usr/local/bin")]
    here = Path(sys.executable).resolve()
    return next((path for path in found if path is not None and Path(path).resolve() != here), None)


def speed_there(python: str, count: int) -> tuple[str, dict[str, tuple[float, float]]]:
    """What the other interpreter is, and :func:`speed` under it, with the packages of this one."""
    library = str(Path(os.__file__).parent)
    packages = [path for path in sys.path if path and (not path.startswith(library) or "site-packages" in path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in packages if not path.endswith(".zip"))}
    command = [python, "-m", "benchmarks.virtual", "speed", str(count)]
    found = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True, env=env).stdout)
    return found["python"], {name: (middle, best) for name, (middle, best) in found["calls_per_s"].items()}


# ---- a long call ---------------------------------------------------------------------------------------------------


def on_hold() -> Text:
    """A caller who listens to music for an hour, 60 invocations long."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hold.yaml"
        path.write_text(HOLD, encoding="utf-8")
        (Path(folder) / "prompts.yaml").write_text(PROMPTS, encoding="utf-8")
        result = compile_paths([path])
    if result.plan is None:
        raise SystemExit(f"the hold flow does not compile: {[found.message for found in result.diagnostics]}")
    program = Program.load(result.plan, {"PROMPTS": "example-prompts"})
    services = dial_in.Services(dial_in.World())
    return as_texts(lambda event: handle(program, event, now=dial_in.NOW, services=services).response)


def hour(answer: Text) -> Phone:
    """The call, played to its end."""
    phone = Phone(answer, text=True, world=World(audio_ms=(("example-prompts/hold.wav", MUSIC_MS),)))
    phone.dial_in()
    phone.settle(2 * 3_600_000)
    return phone


def long_call(count: int) -> tuple[float, float, int, int]:
    """Milliseconds of processor time (median, best), virtual seconds, events."""
    answer = on_hold()
    made = hour(answer)
    if not made.over or made.now_ms < 3_600_000:
        raise SystemExit(f"the call on hold took {made.now_ms} ms")
    found = rounds({"hour": lambda: hour(answer)}, count)["hour"]
    return median(found) / 1e6, min(found) / 1e6, made.now_ms // 1000, len(made.events)


# ---- many calls at once --------------------------------------------------------------------------------------------


def _moves(network: Network, event: Input, answer: Text) -> Network:
    """Let something happen and the function answer, until the network waits."""
    todo = [event]
    while todo:
        network, outputs = advance(network, todo.pop())
        todo += [Answer(one.number, answer(one.body), one.attempt) for one in outputs if isinstance(one, Deliver)]
    return network


def held_here(count: int) -> dict[str, float]:
    """Open *count* calls, each at its second question, all at the same time; then hang up one after the other."""
    answer = compiled()
    before = _resident("VmRSS")
    begun = time.process_time()
    networks = []
    for number in range(count):
        caller = InboundCall(f"+1206555{number % 10_000:04}")
        network = _moves(Network(world_of(number)), caller, answer)
        networks.append(_moves(network, Key("1"), answer))
    opened, high = time.process_time() - begun, _resident("VmHWM")
    waiting = [network.running.action.type for network in networks if network.running is not None]
    if len(waiting) != count:
        raise SystemExit(f"only {len(waiting)} of {count} calls wait for keys")
    begun, over = time.process_time(), 0
    for network in networks:
        over += _moves(network, HangUp(), answer).over
    return {
        "calls": count,
        "over": over,
        "before": before / 1024,
        "high": high / 1024,
        "bytes": (high - before) * 1024 / count,
        "opened_s": opened,
        "ended_s": time.process_time() - begun,
    }


def _resident(name: str) -> int:
    """KiB of memory of this process, from the kernel: VmRSS now, VmHWM at its highest."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise SystemExit("this system does not say how much memory a process has")


def held(count: int) -> dict[str, float]:
    """:func:`held_here` in a process of its own."""
    loaded: dict[str, float] = json.loads(_child("held", str(count)))
    return loaded


# ---- two processes -------------------------------------------------------------------------------------------------


def _child(*args: str) -> str:
    command = [sys.executable, "-m", "benchmarks.virtual", *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout


def _workers(number: int) -> Iterator[subprocess.Popen[str]]:
    for _ in range(number):
        yield subprocess.Popen(
            [sys.executable, "-m", "benchmarks.virtual", "worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )


def worker() -> None:
    """Plays as many calls as each line of the input says, and prints the processor time that they took, in ns."""
    answer = compiled()
    for line in sys.stdin:
        begun = time.thread_time_ns()
        for _ in range(int(line)):
            call(answer)
        print(time.thread_time_ns() - begun, flush=True)


@dataclass(frozen=True)
class Together:
    """How many calls two processes play in the time in which one plays one.

    ``clock`` by the wall; ``processor`` from the processor time of a call: what two processes would do that never wait
    for a processor, whatever else works on the machine.
    """

    clock: Ratio
    processor: Ratio


def processes(count: int, calls: int) -> Together:
    """One process and two in turn, both always running."""
    spent: dict[str, list[int]] = {"one": [], "two": []}
    with next(_workers(1)) as one, next(_workers(1)) as two:

        def play(name: str, *workers: subprocess.Popen[str]) -> None:
            for each in workers:
                assert each.stdin is not None
                each.stdin.write(f"{calls}\n")
                each.stdin.flush()
            took = []
            for each in workers:
                assert each.stdout is not None
                took.append(int(each.stdout.readline()))
            spent[name].append(sum(took) // len(took))

        cases = {"one": lambda: play("one", one), "two": lambda: play("two", one, two)}
        times = rounds(cases, count, clock=time.perf_counter_ns)
        for each in (one, two):
            assert each.stdin is not None
            each.stdin.close()
    return Together(ratio(times, "one", "two", scale=2.0), ratio(spent, "one", "two", scale=2.0))


# ---- drawn calls ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drawn:
    """Calls drawn at random and judged by invariants: in how many processes, and seconds of clock and of processors."""

    calls: int
    events: int
    workers: int
    clock_s: float
    processor_s: float


def drawn(calls: int) -> Drawn:
    """Draw calls of all flows, as ``sma-flows fuzz flows --seed 5`` does.

    Raises:
        SystemExit: an invariant did not hold.
    """
    workers = min(2, os.cpu_count() or 1)
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = fuzz_flows(flow_files([str(ROOT / "flows")]), calls=calls, seed=5, workers=workers)
    clock, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    found = [str(each.violation) for one in done for each in one.found]
    if found:
        raise SystemExit("\n".join(found))
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Drawn(sum(one.calls for one in done), sum(one.events for one in done), workers, clock, spent)


if __name__ == "__main__":
    if sys.argv[1] == "held":
        print(json.dumps(held_here(int(sys.argv[2]))))
    elif sys.argv[1] == "speed":
        about = f"Python {platform.python_version()}, {platform.python_compiler()}"
        print(json.dumps({"python": about, "calls_per_s": speed(int(sys.argv[2])).calls_per_s}))
    else:
        worker()
