"""Stop what takes too long.

A hook is somebody else's code: it may sleep, wait for a socket, or compute without end, and it may catch exceptions.
The only thing that stops all of these in one process is a signal on the main thread that raises something which is not
an ``Exception`` (decision 21). A thread that is left behind is no way out: Lambda would thaw it in the next call.

Where there is no interval timer, or where we are not on the main thread, nothing can be stopped; the time limits of the
ports are all there is, and :func:`can_stop` says so.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from types import FrameType

T = TypeVar("T")

REPEAT_S: Final = 0.02
"""Seconds between further signals: a bare ``except:`` swallows one of them, not all."""

LEAST_S: Final = 0.001
"""Shortest time given to anything; zero would switch the timer off."""


class _OutOfTime(BaseException):
    """Raised inside the code that took too long. Not an ``Exception``, so that it is not caught there."""


class BudgetSpentError(Exception):
    """The time given to :func:`run_within` was over before the function was done."""


def can_stop() -> bool:
    """Whether :func:`run_within` can stop anything here."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


def run_within(seconds: float, function: Callable[[], T]) -> T:
    """Run *function* and give its result, or stop it after *seconds*.

    Raises:
        BudgetSpentError: it was stopped.
    """
    if not can_stop():
        return function()

    def on_signal(_number: int, frame: FrameType | None) -> None:
        # Never in our own lines below: there the signal would escape, or leave the timer running.
        if frame is None or frame.f_code is not run_within.__code__:
            raise _OutOfTime

    def work() -> T:  # a frame of its own, also around a function that has none
        return function()

    before = signal.signal(signal.SIGALRM, on_signal)
    pending, interval = signal.setitimer(signal.ITIMER_REAL, max(seconds, LEAST_S), REPEAT_S)
    try:
        return work()
    except _OutOfTime:
        raise BudgetSpentError from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if pending:
            signal.setitimer(signal.ITIMER_REAL, max(pending - seconds, LEAST_S), interval)
