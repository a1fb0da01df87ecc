"""Fifty lines guess the PIN of one conference at the same time, in whole simulated calls of the dial-in flow."""

from __future__ import annotations

import multiprocessing
import threading
from collections import Counter
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from sma_flows.compiler import compile_paths
from sma_flows.hooks import Reply
from sma_flows.plan import Plan
from sma_flows.runtime import work
from sma_flows.runtime.invoke import handle
from sma_flows.runtime.program import Program
from sma_flows.services import dispatch
from sma_flows.services.setup import open_services
from sma_flows.simulator.driver import Phone
from sma_flows.simulator.messages import Entry, Hears
from sma_flows.simulator.model import World

from .stand_ins import HASH_KEY, Place

FLOWS: Final = Path(__file__).resolve().parents[2] / "flows"
AT: Final = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
PROCESSES: Final = 5
CALLERS: Final = 10
"""In each process."""

PATIENCE: Final = 60.0
ALLOWED: Final = 20
"""Wrong PINs of one conference in one hour, as the flow says."""


def words(entry: Entry) -> str:
    """What the caller hears just now."""
    return entry.value.text if isinstance(entry.value, Hears) else ""


def guess(plan: Plan, place: Place, number: int, begin: threading.Barrier) -> list[str]:
    """One call, and what the hook answered in it: three times a conference and a PIN that is wrong."""
    answered: list[str] = []
    env = {**place.env, "SMA_FLOWS_HOOKS": str(FLOWS), "SMA_FLOWS_HASH_KEY": HASH_KEY, "PROMPTS": "example-prompts"}
    opened = open_services(plan, env, FLOWS / "plan.json")

    def verify(*_: object) -> Reply:
        answered.append("wrong")
        return Reply("wrong")

    opened.services.functions = dict.fromkeys(opened.services.functions, verify)
    program = Program.load(opened.plan, env)

    def answer(event: dict[str, Any]) -> object:
        result = handle(program, event, now=AT, services=opened.services)
        assert not result.fault
        return result.response

    world = World(transaction=f"00000000-0000-0000-0000-{number:012}", line=f"{number:04}-0000")
    phone = Phone(answer, world=world)
    begin.wait(PATIENCE)
    phone.dial_in(f"+12065550{100 + number}")
    while phone.until(lambda entry: "your conference number" in words(entry)):
        phone.press("4155501#")
        if phone.until(lambda entry: "six-digit PIN" in words(entry)):
            phone.press("000000")
    assert phone.over
    assert [trouble for trouble in opened.services.take_troubles() if trouble.reason != "no_timer"] == []
    return answered


def one_process(text: str, place: Place, numbers: list[int], start: Barrier, results: Any) -> None:
    """Calls in threads of one process."""
    plan, begin, found = Plan.loads(text), threading.Barrier(len(numbers)), SimpleQueue[Any]()
    # Fifty calls on one machine: what is tried is how they are counted, not how fast that is.
    dispatch.STORE_S = work.ANSWER_S = PATIENCE  # type: ignore[misc]
    for flow in plan.revisions.values():
        flow["hooks"]["verify_pin"]["budget"] = int(PATIENCE * 1000)

    def call(number: int) -> None:
        try:
            found.put(guess(plan, place, number, begin))
        except BaseException as error:  # noqa: BLE001 - it is looked at by the test
            found.put([repr(error)])

    threads = [threading.Thread(target=call, args=(number,)) for number in numbers]
    start.wait(PATIENCE)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put([each for _ in numbers for each in found.get()])


def test_the_limit_of_an_hour_is_not_exceeded_by_even_one(shared: Place) -> None:
    plan = compile_paths([FLOWS / "dial-in.yaml"]).plan
    assert plan is not None
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(PROCESSES), context.Queue()
    numbers = [list(range(process * CALLERS, (process + 1) * CALLERS)) for process in range(PROCESSES)]
    processes = [
        context.Process(target=one_process, args=(plan.dumps(), shared, own, start, results), daemon=True)
        for own in numbers
    ]
    for process in processes:
        process.start()
    found = Counter(each for _ in processes for each in results.get(timeout=2 * PATIENCE))
    for process in processes:
        process.join()
    results.close()
    assert found == {"wrong": ALLOWED}
