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

from .stand_ins import Place, Store, open_store
from .world import NOW, Counting, FakeClock, an_ask, per_caller, perform, services

PROCESSES: Final = 5
THREADS: Final = 10
CALLERS: Final = PROCESSES * THREADS
MOST: Final = 10
PATIENCE: Final = 20.0

Job = Callable[[Store, str], Any]


def guess_wrong(store: Store, token: str) -> str:
    """Reserve, guess wrong, use up; every caller is another event."""
    if not store.limits.reserve("rule", "+14155550123", token, MOST, 3600, NOW, PATIENCE):
        return "refused"
    return "limited" if store.limits.use("rule", "+14155550123", token, PATIENCE) >= MOST else "wrong"


def guess_right(store: Store, token: str) -> str:
    """Reserve, guess right, give back."""
    if not store.limits.reserve("rule", "+14155550123", token, MOST, 3600, NOW, PATIENCE):
        return "refused"
    store.limits.give_back("rule", "+14155550123", token, PATIENCE)
    return "right"


def reserve_the_same(store: Store, _token: str) -> bool:
    return store.limits.reserve("rule", "+14155550123", "one token", 1, 3600, NOW, PATIENCE)


def begin_the_same(store: Store, _token: str) -> str:
    return store.memo.begin("one token", 3, NOW, PATIENCE).state


def claim_the_same(store: Store, token: str) -> bool:
    return store.directory.claim("tickets", "1", {"by": token}, token, PATIENCE)


def put_side_by_side(store: Store, token: str) -> bool:
    store.directory.put("people", "1", {token.replace(".", "_"): "here"}, token, NOW, PATIENCE)
    return True


def one_process(job: Job, place: Place, tokens: Sequence[str], start: ProcessBarrier, results: Any) -> None:
    """Run *job* in as many threads as there are *tokens*, each with a connection of its own, all at once."""
    together, found = threading.Barrier(len(tokens)), SimpleQueue[Any]()
    stores = [open_store(place) for _ in tokens]

    def work(store: Store, token: str) -> None:
        together.wait()
        try:
            found.put(job(store, token))
        except Exception as error:  # noqa: BLE001 - it is looked at by the test
            found.put(repr(error))

    threads = [threading.Thread(target=work, args=each) for each in zip(stores, tokens, strict=True)]
    start.wait(PATIENCE)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put([found.get() for _ in tokens])


def at_once(job: Job, place: Place) -> Counter[Any]:
    """What fifty invocations get that come at the same time, counted."""
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(PROCESSES), context.Queue()
    tokens = [[f"token{process}.{thread}" for thread in range(THREADS)] for process in range(PROCESSES)]
    processes = [
        context.Process(target=one_process, args=(job, place, own, start, results), daemon=True) for own in tokens
    ]
    for process in processes:
        process.start()
    found = [result for _ in processes for result in results.get(timeout=3 * PATIENCE)]
    for process in processes:
        process.join()
    results.close()
    return Counter(found)


def test_fifty_callers_at_once_do_not_exceed_the_limit_by_one(shared: Place) -> None:
    assert at_once(guess_wrong, shared) == {"wrong": MOST - 1, "limited": 1, "refused": CALLERS - MOST}


def test_after_fifty_right_guesses_at_once_nothing_is_used_up(shared: Place) -> None:
    found = at_once(guess_right, shared)
    assert found["right"] >= MOST
    assert found["right"] + found["refused"] == CALLERS
    limits = open_store(shared).limits
    taken = [limits.reserve("rule", "+14155550123", f"later{n}", MOST, 3600, NOW, 2) for n in range(MOST + 1)]
    assert taken == [True] * MOST + [False]


def test_one_event_that_comes_fifty_times_at_once_takes_one_unit(shared: Place) -> None:
    assert at_once(reserve_the_same, shared) == {True: CALLERS}
    assert not open_store(shared).limits.reserve("rule", "+14155550123", "other", 1, 3600, NOW, 2)


def test_of_fifty_invocations_with_one_token_one_runs(shared: Place) -> None:
    assert at_once(begin_the_same, shared) == {"run": 1, "wait": CALLERS - 1}


def test_of_fifty_claims_one_has_it(shared: Place) -> None:
    assert at_once(claim_the_same, shared) == {True: 1, False: CALLERS - 1}


def test_of_fifty_writes_of_different_fields_none_is_lost(shared: Place) -> None:
    assert at_once(put_side_by_side, shared) == {True: CALLERS}
    assert len(open_store(shared).directory.find("people", "1", 2) or ()) == CALLERS


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
