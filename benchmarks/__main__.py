"""Run all measurements and write ``docs/benchmarks.md``: ``python -m benchmarks [--quick] [--print]``.

``--only init`` (or another section; may be repeated) measures just that and prints it.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median

from benchmarks import compiling, dial_in, init, joining, scaling, startup, virtual, warm
from benchmarks.measure import Ratio

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


def _table(head: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> list[str]:
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return [*out, *("| " + " | ".join(map(str, row)) + " |" for row in rows), ""]


def _verdict(found: Ratio, aim: float) -> str:
    return "reached" if found.high <= aim else "missed" if found.low > aim else "within the interval"


def _machine() -> str:
    model = ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = f" ({names[0]})" if names else ""
    return f"{os.cpu_count()} processors{model}, {platform.system()}"


def _build() -> str:
    """How the interpreter was built: one without profiles is slower."""
    profiled = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    return f"built {'with' if profiled else 'without'} profile-guided optimisation"


def events(quick: bool) -> list[str]:
    ratios, each, facts = dial_in.measure(20 if quick else 150)
    aims = {"compiled / by hand": 1.5, "compiled / JSON alone": 2.0}
    rows = [
        (name, found, aims.get(name, ""), _verdict(found, aims[name]) if name in aims else "")
        for name, found in ratios.items()
    ]
    return [
        "## Time per event, JSON text in to JSON text out",
        "",
        f"The dial-in call: {facts['events']} events of {facts['bytes in']} bytes, answers of {facts['bytes out']} "
        "bytes, without logging. *By hand* is the same call as one if/elif function with its own state in "
        "TransactionAttributes (`benchmarks/handwritten.py`); both send the same actions, which is checked before "
        "anything is timed. *JSON alone* reads the same events and writes the same answers and does nothing else.",
        "",
        *_table(("ratio", "median (95 % interval)", "aim", ""), rows),
        "Microseconds of one event, for orientation only: "
        + ", ".join(f"{name} {value:.1f}" for name, value in each.items())
        + f". Saved state: at most {facts['attribute bytes']} bytes, by hand {facts['attribute bytes by hand']}.",
        "",
    ]


def joins(_quick: bool) -> list[str]:
    calls = joining.calls()
    rows: list[tuple[object, ...]] = [(c.name, c.invocations, c.without, c.actions, c.longest) for c in calls]
    saved = 1 - sum(c.invocations for c in calls) / sum(c.without for c in calls)
    return [
        "## Invocations of a call",
        "",
        "The recorded calls of `events/`: what they take, and what they would take if every action that is heard or "
        f"waited for were answered on its own. Joining saves {saved:.0%} of the invocations over all of them, "
        f"{mean(c.without - c.invocations for c in calls):.1f} per call.",
        "",
        *_table(("call", "invocations", "without joining", "actions", "longest list"), rows),
    ]


def simulated(quick: bool) -> list[str]:
    speed = virtual.speed(3 if quick else 60)
    rows = [
        (
            name,
            f"{middle:,.0f}",
            f"{top:,.0f}",
            *((f"{CALLS_PER_S:,}", _word(top >= CALLS_PER_S)) if whole else ("", "")),
        )
        for name, (middle, top) in speed.calls_per_s.items()
        for whole in [name in ("compiled", "by hand")]
    ]
    ratios = [
        (name, found, *((BARE_LOOP, _verdict(found, BARE_LOOP)) if name.endswith("bare loop") else ("", "")))
        for name, found in speed.ratios.items()
    ]
    return [
        "## Simulated calls",
        "",
        f"A dial-in call of {speed.events} events and {speed.keys} keys on the virtual service, in virtual time, with "
        "JSON text both ways: the service hands over the event as text, the function parses it, answers and gives text "
        "back. Both read and write as in-process tests do (`simulator/jsontext.py`: msgspec); *its texts by `json`* is "
        "the function reading and writing as in Lambda. *By hand* is the same function as above. *A bare loop* hands "
        "the ten events to it from a queue in virtual time and puts the attributes of each answer into the next event: "
        "no legs, lists, keys, timers, rules, and all texts by `json`. *The function alone* gets the same ten events "
        "ready as text; *JSON alone* parses them and writes the answers and does nothing else. Before each round of "
        f"{virtual.CALLS} calls, {virtual.AHEAD} are played that are not counted.",
        "",
        *_table(("case", "calls per second of processor time, median", "best round", "aim", ""), rows),
        f"The aim of {CALLS_PER_S:,} calls per second and core is from a machine on which a bare loop made 3,400; it "
        "is held against the best round, the one that other work on this machine disturbed least. The same as a "
        "ratio, which carries over:",
        "",
        *_table(("ratio", "median (95 % interval)", "aim", ""), ratios),
        *_other_python(quick),
        *_long_call(quick),
        *_held(quick),
        *_processes(quick),
        *_drawn(quick),
    ]


CALLS_PER_S = 1_500
BARE_LOOP = 2.27
"""3,400 calls of a bare loop to 1,500 of the virtual service."""


def _other_python(quick: bool) -> list[str]:
    python = virtual.other_python()
    if python is None:
        return []
    told, speed = virtual.speed_there(python, 3 if quick else 40)
    names = ("compiled", "compiled, its texts by `json`", "by hand", "by hand, in a bare loop without a service")
    found = "; ".join(f"{name}: {speed[name][0]:,.0f} (best round {speed[name][1]:,.0f})" for name in names)
    return [f"The same under the interpreter that came with the system ({told}), calls per second: {found}.", ""]


def _long_call(quick: bool) -> list[str]:
    middle, best, seconds, invocations = virtual.long_call(3 if quick else 60)
    return [
        f"A call of {seconds // 60} minutes with hold music ({invocations} invocations) takes {middle:.1f} ms of "
        f"processor time (best round {best:.1f}); aim: below 20, {_word(middle < 20)}.",
        "",
    ]


def _held(quick: bool) -> list[str]:
    held = virtual.held(1_000 if quick else 100_000)
    return [
        f"{held['calls']:,.0f} calls held open at once in one process, each with ids and a saved call of its own, "
        f"waiting for keys: {held['high']:.0f} MiB at the highest (VmHWM), {held['before']:.0f} MiB of them before "
        f"the first call, {held['bytes']:,.0f} bytes per call; aim for 100,000: below 500 MiB, "
        f"{_word(held['high'] < 500)}. All {held['over']:,.0f} were then ended. "
        "`python -m benchmarks.virtual held 100000`",
        "",
    ]


def _processes(quick: bool) -> list[str]:
    both = virtual.processes(3 if quick else 40, 20 if quick else 300)
    low, high = both.clock.low, both.clock.high
    verdict = "reached" if low >= TWO else "missed" if high < TWO else "within the interval"
    return [
        f"Two processes play {both.clock} times as many calls as one in the same time, by the clock; aim: {TWO}, "
        f"{verdict}. The clock can only tell on a machine with two processors to spare; by the processor time that a "
        f"call takes beside another process and alone it is {both.processor}.",
        "",
    ]


TWO = 1.8


def _drawn(quick: bool) -> list[str]:
    drawn = virtual.drawn(100 if quick else 10_000)
    each = drawn.processor_s / drawn.workers
    return [
        f"{drawn.calls:,} calls drawn at random of all flows ({drawn.events:,} events), every one judged by all "
        f"invariants, in {drawn.workers} processes: {drawn.processor_s:.0f} s of processor time together, so "
        f"{each:.0f} s with a free processor for each; {drawn.clock_s:.0f} s by the clock of this machine. Aim for "
        f"10,000 on two processors: at most 60 s, {_word(each <= 60)}. "
        "`sma-flows fuzz flows --calls 10000 --seed 5`",
        "",
    ]


def _word(reached: bool) -> str:
    return "reached" if reached else "missed"


def sizes(quick: bool) -> list[str]:
    small, large = 10, 500 if quick else 5_000
    found, seconds, megabytes = scaling.measure(small, large, 15 if quick else 60)
    return [
        "## Size of the flow",
        "",
        f"An event in a state that was visited before, in a generated flow of {large:,} states beside one of {small}:",
        "",
        *_table(("ratio", "median (95 % interval)", "aim", ""), [("large / small", found, 1.1, _verdict(found, 1.1))]),
        f"Loading the plan of {large:,} states ({megabytes:.1f} MB) takes {seconds:.2f} s of processor time, once per "
        "cold start.",
        "",
    ]


def starts(quick: bool) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.json"
        plan.write_text(dial_in.load_plan().dumps(), encoding="utf-8")
        shares, milliseconds = startup.measure(str(plan), 5 if quick else 30)
        number, forbidden = startup.modules(str(plan))
    rows: list[tuple[object, ...]] = [(f"`{name}`", shares[name], f"{milliseconds[name]:.0f}") for name in shares]
    return [
        "## Cold start",
        "",
        "Process start and import, above an empty interpreter, as a share of making one boto3 client in the same "
        "round. The handler loads the compiled dial-in flow with its hooks and an empty store.",
        "",
        *_table(("what is imported", "share (95 % interval)", "ms"), rows),
        f"With the handler {number} modules are loaded; "
        + (
            f"not allowed among them: {', '.join(forbidden)}."
            if forbidden
            else f"none of {', '.join(startup.FORBIDDEN)}."
        ),
        "",
    ]


def inits(quick: bool) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="sma-flows-init-") as place:
        made = init.functions(Path(place))
        zipped = {name: init.zipped(each.folder) for name, each in made.items()}
        starts = init.measure(made, 2 if quick else 30, lambda text: print(f"  {text}", file=sys.stderr))
    rows: list[tuple[object, ...]] = []
    for name, base, aim in init.AIMS:
        clock, processor = init.ratios(starts, name, base)
        rows.append((f"{name} / {base}", clock, processor, aim or "", _verdict(clock, aim) if aim else ""))
    each = [
        (name, *(f"{median(getattr(one, what) for one in found) / 1e6:.0f}" for what in ("init", "processor")), size)
        for (name, found), size in zip(starts.items(), (f"{zipped[name] / 1e6:.2f}" for name in starts), strict=True)
    ]
    largest = max(zipped.values())
    return [
        "## Init phase in the real Lambda runtime",
        "",
        "Measured by `python -m benchmarks --only init`: packages with byte code, each started anew in every round "
        "under the Runtime Interface Emulator with awslambdaric, in random order (`benchmarks/init.py`). *By hand* is "
        "the dial-in call of above as a Lambda function that makes clients for DynamoDB and for meetings, alone or "
        "with the Logger of Powertools (`benchmarks/functions`); all answer their first event, and the answer is "
        "checked. The clock is the emulator's `INIT REPORT`. Beside it stands the processor time of the process up "
        "to its first answer, which other work on the machine disturbs less.",
        "",
        *_table(("init phase", "by the clock (95 % interval)", "on the processor", "aim", ""), rows),
        *_table(("function", "ms by the clock", "ms on the processor", "MB zipped"), each),
        f"Aim for a package, boto3 aside, which the runtime has: at most {init.MOST_ZIPPED / 1e6:.0f} MB zipped: "
        f"{'reached' if largest <= init.MOST_ZIPPED else 'missed'}.",
        "",
    ]


def warms(quick: bool) -> list[str]:
    ratios, each, number, lines = warm.measure(3 if quick else 60)
    rows = [
        (f"{name}, compiled / by hand", found, 2.0 if name == "p99" else "", _verdict(found, 2.0) * (name == "p99"))
        for name, found in ratios.items()
    ]
    return [
        "## Warm events without hooks, with their records",
        "",
        f"The {number} events of the dial-in call in which nothing is asked of the world, JSON text in to JSON text "
        f"out. Each side writes {lines} lines for them, one record for each event and what it counts, through the "
        "Logger and the metrics of Powertools into the null device; both answer with the same actions, which is "
        "checked before anything is timed.",
        "",
        *_table(("ratio", "median (95 % interval)", "aim", ""), rows),
        "Microseconds of one event, p50 and p99, for orientation only: "
        + ", ".join(f"{name} {middle:.0f} and {tail:.0f}" for name, (middle, tail) in each.items())
        + ".",
        "",
    ]


def compiles(quick: bool) -> list[str]:
    states = 100 if quick else 500
    ratios, seconds = compiling.measure(states, 3 if quick else 15)
    rows = [(f"compile / PyYAML's {name}", found) for name, found in ratios.items()]
    return [
        "## Compiling",
        "",
        f"A generated flow of {states} states, read, checked and lowered, beside PyYAML loading the same text. "
        f"One compilation takes {seconds:.2f} s here.",
        "",
        *_table(("ratio", "median (95 % interval)"), rows),
    ]


SECTIONS: dict[str, Callable[[bool], list[str]]] = {
    "events": events,
    "warm": warms,
    "simulated": simulated,
    "sizes": sizes,
    "starts": starts,
    "init": inits,
    "compiling": compiles,
    "joining": joins,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds and small flows: to see that it runs")
    parser.add_argument("--print", action="store_true", help="print instead of writing docs/benchmarks.md")
    parser.add_argument("--only", action="append", choices=[*SECTIONS], help="measure this section and print it")
    options = parser.parse_args()
    page = [
        "# Benchmarks",
        "",
        "Written by `make bench` (`python -m benchmarks`). Ratios of things measured in turn in one run; absolute "
        "times do not carry over to other machines, and two runs must not be compared with each other.",
        "",
        f"Machine: {_machine()}. Python {platform.python_version()} ({sys.implementation.name}, {_build()}). "
        "Times inside a process are processor time of the thread; process starts are wall-clock time.",
        "",
    ]
    for name in options.only or SECTIONS:
        print(name, file=sys.stderr)
        page += SECTIONS[name](options.quick)
    text = "\n".join(page).rstrip() + "\n"
    if options.print or options.only:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
