from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable

import pytest

from sma_flows.services.budget import BudgetSpentError, can_stop, run_within

from .world import spin

SHORT = 0.05


def read_a_socket_forever() -> None:
    near, far = socket.socketpair()
    with near, far:
        near.recv(1)


def swallow_exceptions_forever() -> None:
    while True:
        with contextlib.suppress(Exception):
            spin()


def swallow_everything_a_few_times() -> None:
    for _ in range(3):
        with contextlib.suppress(BaseException):
            spin()
    spin()


def wait_for_a_lock_forever() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


@pytest.mark.parametrize(
    "endless",
    [
        spin,
        read_a_socket_forever,
        swallow_exceptions_forever,
        swallow_everything_a_few_times,
        wait_for_a_lock_forever,
        signal.pause,
    ],
)
def test_endless_work_is_stopped(endless: Callable[[], object]) -> None:
    with pytest.raises(BudgetSpentError):
        run_within(SHORT, endless)


def test_a_result_in_time_is_given() -> None:
    assert run_within(5, lambda: 42) == 42


def test_an_exception_in_time_is_raised() -> None:
    with pytest.raises(KeyError):
        run_within(5, lambda: {}["nothing"])


@pytest.mark.parametrize("endless", [spin, lambda: 1])
def test_no_timer_and_no_handler_is_left_behind(endless: Callable[[], object]) -> None:
    before = signal.getsignal(signal.SIGALRM)
    with contextlib.suppress(BudgetSpentError):
        run_within(SHORT, endless)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_timer_that_ran_before_goes_on() -> None:
    before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 1000)
    try:
        run_within(5, lambda: None)
        left, _ = signal.getitimer(signal.ITIMER_REAL)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert 900 < left <= 1000


def test_stopping_often_never_lets_the_signal_escape() -> None:
    """The moment at which the signal comes moves through the whole of a short function and its surroundings."""
    outcomes = set()
    for step in range(400):
        try:
            run_within(0.001 + step * 1e-6, lambda: sum(range(20_000)))
            outcomes.add("done")
        except BudgetSpentError:
            outcomes.add("stopped")
    assert outcomes <= {"done", "stopped"}


def test_beside_the_main_thread_nothing_can_be_stopped_and_work_is_done_all_the_same() -> None:
    found: list[object] = []

    def work() -> None:
        found.append(can_stop())
        found.append(run_within(SHORT, lambda: "done"))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False, "done"]
