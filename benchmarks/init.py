"""The init phase in the real Lambda runtime: compiled flows beside functions written by hand, packed in the same way.

Every start is a new environment of the Runtime Interface Emulator with awslambdaric in it. What is read is the
emulator's `INIT REPORT`, which is from the start of the interpreter to the function being ready; the `Init Duration` of
its `REPORT` lines is something else. Endpoints of AWS are a closed port of this machine: an init phase asks nobody.
"""

from __future__ import annotations

import compileall
import json
import py_compile
import random
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.call import Event, events
from benchmarks.handwritten import handler
from benchmarks.measure import Ratio, ratio
from sma_flows.cli.values import read_env_file
from sma_flows.compiler import compile_paths
from sma_flows.deploy.distributions import closure, files_of, lambda_markers
from sma_flows.deploy.emulator import HANDLER, Pool, children_of
from sma_flows.deploy.package import build_function, zip_folder
from sma_flows.plan import Plan

ROOT = Path(__file__).resolve().parents[1]
FLOWS = ROOT / "flows"
CACHE = ROOT / "build" / "emulator"
RUNTIME = f"python{sys.version_info[0]}.{sys.version_info[1]}"

EMPTY = "empty function"
CLIENTS = "by hand, two clients"
LOGGED = "by hand, two clients and logger"
PLAIN = "lex-bot, compiled: nothing of AWS"
DIAL_IN = "dial-in, compiled: directory, meetings, limits, memo"

AIMS: tuple[tuple[str, str, float | None], ...] = (
    (PLAIN, CLIENTS, 0.3),
    (DIAL_IN, LOGGED, 1.15),
    (LOGGED, CLIENTS, None),
    (EMPTY, CLIENTS, None),
)
"""What is compared with what, and the most that it may be."""

MOST_ZIPPED = 5_000_000

NOWHERE = "http://127.0.0.1:9"
SETTINGS = {
    "SMA_FLOWS_PLAN": "plan.json",
    "SMA_FLOWS_SERVICES": "aws",
    "SMA_FLOWS_STORE": "dynamodb:calls",
    "AWS_ENDPOINT_URL": NOWHERE,
}

ONCE = ("effect: read", "effect: once")
"""What is changed in `flows/dial-in.yaml`: its PIN check gets a memo record, which nothing there needs by itself."""


@dataclass(frozen=True)
class Function:
    """One packed function. ``answers`` says whether what it answered to the first event is right."""

    folder: Path
    handler: str
    event: Event
    answers: Callable[[Event], bool]
    env: Mapping[str, str] = field(default_factory=dict)


def plan_of(flow: str, folder: Path, change: tuple[str, str] | None = None) -> Plan:
    """A flow of `flows/`, compiled from a copy in *folder* in which one piece of text may be another."""
    shutil.copytree(FLOWS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / f"{flow}.yaml"
    if change is not None:
        text = file.read_text("utf-8")
        if text.count(change[0]) != 1:
            raise SystemExit(f"'{change[0]}' stands {text.count(change[0])} times in {flow}.yaml")
        file.write_text(text.replace(*change), "utf-8")
    plan = compile_paths([file]).plan
    if plan is None:
        raise SystemExit(f"{file} does not compile")
    return plan


def functions(place: Path) -> dict[str, Function]:
    """All functions that are compared, packed below *place*."""
    sent, answers = events(handler(_Nobody()), 1)
    first, actions = sent[0], answers[0]["Actions"]

    def same(answer: Event) -> bool:
        return bool(answer.get("Actions") == actions)

    values = read_env_file(FLOWS / "local.env")
    bot_call = json.loads((ROOT / "events" / "lex-bot" / "01-new-inbound-call.json").read_text("utf-8"))
    bot_answer = json.loads((ROOT / "events" / "lex-bot" / "01-new-inbound-call.response.json").read_text("utf-8"))

    def bot(answer: Event) -> bool:
        return [each["Type"] for each in answer["Actions"]] == [each["Type"] for each in bot_answer["Actions"]]

    made = {
        EMPTY: Function(_by_hand(place / "empty"), "empty", first, lambda answer: "SchemaVersion" in answer),
        CLIENTS: Function(_by_hand(place / "clients"), "clients", first, same),
        LOGGED: Function(_by_hand(place / "logged", "aws-lambda-powertools"), "logged", first, same),
    }
    made = {
        name: Function(each.folder, f"benchmarks.functions.{each.handler}.lambda_handler", each.event, each.answers)
        for name, each in made.items()
    }
    for name, flow, change, event, right in (
        (PLAIN, "lex-bot", None, bot_call, bot),
        (DIAL_IN, "dial-in", ONCE, first, same),
    ):
        plan = plan_of(flow, place / f"{flow}-source", change)
        folder = place / flow
        build_function(plan, FLOWS, folder, runtime=RUNTIME, byte_code="require")
        made[name] = Function(folder, HANDLER, event, right, {**values, **SETTINGS})
    return made


def _by_hand(folder: Path, *packages: str) -> Path:
    """A function of `benchmarks/functions` in *folder*, with *packages* and with byte code as ours have it."""
    for name in ("__init__.py", "handwritten.py"):
        _copy(ROOT / "benchmarks" / name, folder / "benchmarks" / name)
    shutil.copytree(
        ROOT / "benchmarks" / "functions",
        folder / "benchmarks" / "functions",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for installed in closure(packages, lambda_markers(RUNTIME)):
        for target, source in files_of(installed):
            _copy(source, folder / target)
    compileall.compile_dir(folder, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    (folder / "package.json").write_text("{}")  # as in a folder that `sma-flows build` has made
    return folder


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


@dataclass(frozen=True, slots=True)
class Start:
    """One start: nanoseconds of the init phase by the clock, and of its process up to the first answer on a processor.

    The first is what Lambda would tell; the second hardly changes with other work on the machine.
    """

    init: int
    processor: int


def start(function: Function) -> Start:
    """Start *function* in a new environment and send it one event.

    Raises:
        SystemExit: it did not give the answer that it should.
    """
    env = {"AWS_DEFAULT_REGION": "us-east-1", **function.env}
    with Pool(function.folder, 1, env, cache=CACHE, handler=function.handler) as pool:
        answer = pool.invoke(function.event)
        processor = _processor_time(pool.environments[0].process.pid)
        output = pool.environments[0].output()
        found = pool.environments[0].init_ms()
    if not function.answers(answer):
        raise SystemExit(f"{function.handler} in {function.folder.name} answered {json.dumps(answer)}\n{output}")
    if len(found) != 1:
        raise SystemExit(f"{function.handler} was initialised {len(found)} times:\n{output}")
    return Start(round(found[0] * 1e6), processor)


def _processor_time(emulator: int) -> int:
    """Nanoseconds that the process below *emulator*, the function's, has been on a processor."""
    (child,) = children_of(emulator)
    return sum(int(each.read_text().split()[0]) for each in Path(f"/proc/{child}/task").glob("*/schedstat"))


def measure(made: Mapping[str, Function], count: int, say: Callable[[str], None]) -> dict[str, list[Start]]:
    """*count* rounds of starts of each function, in random order. *say* is told how far it has come."""
    rng = random.Random(1)
    for name, function in made.items():  # its files are in the memory of the machine from now on
        say(f"first start: {name}")
        start(function)
    starts: dict[str, list[Start]] = {name: [] for name in made}
    for number in range(1, count + 1):
        say(f"round {number} of {count}")
        order = list(made)
        rng.shuffle(order)
        for name in order:
            starts[name].append(start(made[name]))
    return starts


def ratios(starts: Mapping[str, list[Start]], name: str, base: str) -> tuple[Ratio, Ratio]:
    """How much longer the init phase of *name* takes than that of *base*: by the clock, and on the processor."""
    by_clock = {key: [one.init for one in starts[key]] for key in (name, base)}
    on_processor = {key: [one.processor for one in starts[key]] for key in (name, base)}
    return ratio(by_clock, name, base), ratio(on_processor, name, base)


def zipped(folder: Path) -> int:
    """Bytes of *folder* as the archive that is deployed."""
    with TemporaryDirectory() as place:
        return zip_folder(folder, Path(place) / "function.zip")


class _Nobody:
    """The world in front of the first event, which asks for nothing."""

    def verify_pin(self, conference: str, pin: str, caller: str) -> str:
        raise NotImplementedError

    def open_meeting(self, conference: str) -> str:
        raise NotImplementedError

    def attend(self, meeting: str) -> tuple[str, str]:
        raise NotImplementedError

    def leave(self, meeting: str, attendee: str) -> None:
        raise NotImplementedError
