"""Many invocations at once, as processes with threads: what a table with conditional writes has to hold."""

from __future__ import annotations

import multiprocessing
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from multiprocessing.synchronize import Barrier as ProcessBarrier
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import pytest

from sma_flows.errors import ServiceError
from sma_flows.services.local.database import Database
from sma_flows.services.local.directory import LocalDirectory
from sma_flows.services.local.limits import LocalLimits
from sma_flows.services.local.memo import LocalMemo

from .world import NOW, Counting, FakeClock, an_ask, per_caller, perform, services

PROCESSES: Final = 5
THREADS: Final = 10
CALLERS: Final = PROCESSES * THREADS
MOST: Final = 10
PATIENCE: Final = 20.0

Job = Callable[[Database, str], Any]


def guess_wrong(store: Database, token: str) -> str:
    """Reserve, guess wrong, use up; every caller is another event."""
    limits = LocalLimits(store)
    if not limits.reserve("rule", "+14155550123", token, MOST, 3600, NOW, PATIENCE):
        return "refused"
    return "limited" if limits.use("rule", "+14155550123", token, PATIENCE) >= MOST else "wrong"


def guess_right(store: Database, token: str) -> str:
    """Reserve, guess right, give back."""
    limits = LocalLimits(store)
    if not limits.reserve("rule", "+14155550123", token, MOST, 3600, NOW, PATIENCE):
        return "refused"
    limits.give_back("rule", "+14155550123", token, PATIENCE)
    return "right"


def begin_the_same(store: Database, _token: str) -> str:
    return LocalMemo(store).begin("one token", 3, NOW, PATIENCE).state


def claim_the_same(store: Database, token: str) -> bool:
    return LocalDirectory(store).claim("tickets", "1", {"by": token}, token, PATIENCE)


def one_process(job: Job, path: Path, tokens: Sequence[str], start: ProcessBarrier, results: Any) -> None:
    """Run *job* in as many threads as there are *tokens*, each with a connection of its own, all at once."""
    together, found = threading.Barrier(len(tokens)), SimpleQueue[Any]()

    def work(token: str) -> None:
        together.wait()
        try:
            found.put(job(Database(path), token))
        except ServiceError as error:
            found.put(str(error))

    threads = [threading.Thread(target=work, args=(token,)) for token in tokens]
    start.wait()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put([found.get() for _ in tokens])


def at_once(job: Job, path: Path) -> Counter[Any]:
    """What fifty invocations get that come at the same time, counted."""
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(PROCESSES), context.SimpleQueue()
    processes = [
        context.Process(target=one_process, args=(job, path, [f"token{p}.{t}" for t in range(THREADS)], start, results))
        for p in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    found = [result for _ in processes for result in results.get()]
    for process in processes:
        process.join()
    return Counter(found)


def test_fifty_callers_at_once_do_not_exceed_the_limit_by_one(tmp_path: Path) -> None:
    assert at_once(guess_wrong, tmp_path / "store.sqlite") == {
        "wrong": MOST - 1,
        "limited": 1,
        "refused": CALLERS - MOST,
    }


def test_after_fifty_right_guesses_at_once_nothing_is_used_up(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    found = at_once(guess_right, path)
    assert found["right"] >= MOST
    assert found["right"] + found["refused"] == CALLERS
    limits = LocalLimits(Database(path))
    taken = [limits.reserve("rule", "+14155550123", f"later{n}", MOST, 3600, NOW, 2) for n in range(MOST + 1)]
    assert taken == [True] * MOST + [False]


def test_of_fifty_invocations_with_one_token_one_runs(tmp_path: Path) -> None:
    assert at_once(begin_the_same, tmp_path / "store.sqlite") == {"run": 1, "wait": CALLERS - 1}


def test_of_fifty_claims_one_has_it(tmp_path: Path) -> None:
    assert at_once(claim_the_same, tmp_path / "store.sqlite") == {True: 1, False: CALLERS - 1}


@pytest.mark.parametrize("path", ["memory", "store.sqlite"])
def test_threads_that_share_one_store_do_not_exceed_the_limit_either(tmp_path: Path, path: str) -> None:
    check = Counting("wrong")
    made = services(check, path if path == "memory" else tmp_path / path, clock=FakeClock())
    outcomes: SimpleQueue[str] = SimpleQueue()

    def guess(number: int) -> None:
        outcomes.put(perform(made, an_ask(token=f"token{number}", limits=(per_caller(MOST),))).outcome)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = Counter(outcomes.get() for _ in threads)
    assert found["wrong"] <= MOST - 1
    assert len(check.calls) <= MOST
    assert sum(found.values()) == CALLERS
    assert "failed" not in found
