"""Clocks for whoever drives calls: one that is put forward by hand, and ones that run by themselves.

A clock shows milliseconds since it was made. The network has none: drivers tell it how much time went by.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Clock", "RunningClock", "VirtualClock"]


class Clock(Protocol):
    """What a driver asks."""

    def now_ms(self) -> int:
        """Milliseconds since the clock was made; never less than before."""
        ...

    def seconds_until(self, ms: int) -> float | None:
        """Real seconds until the clock shows *ms* (0: it does already); None: it does not get there by itself."""
        ...

    def hold(self) -> None:
        """Somebody works in real time: go no faster than real time until :meth:`release`. Counts."""
        ...

    def release(self) -> None:
        """The work is done."""
        ...


class VirtualClock:
    """Stands still until it is put forward."""

    def __init__(self) -> None:
        self._ms = 0

    def now_ms(self) -> int:
        """See :class:`Clock`."""
        return self._ms

    def seconds_until(self, ms: int) -> float | None:
        """See :class:`Clock`."""
        return 0.0 if ms <= self._ms else None

    def hold(self) -> None:
        """Nothing: work takes no virtual time."""

    def release(self) -> None:
        """Nothing."""

    def go_to(self, ms: int) -> None:
        """Show *ms* from now on; a time that has passed changes nothing."""
        self._ms = max(self._ms, ms)


class RunningClock:
    """Runs *speed* times as fast as the clock on the wall; 1 is real time. *monotonic* gives real seconds.

    While it is held (:meth:`hold`) it runs in real time if it would be faster: a function that works for half a second
    has worked for half a second, however fast its callers live.
    """

    def __init__(self, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        if speed <= 0:
            raise ValueError("a clock runs forward: speed is more than 0")
        self._fast = self._speed = speed
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._holds = 0
        self._base_s, self._base_ms = monotonic(), 0.0

    def now_ms(self) -> int:
        """See :class:`Clock`."""
        with self._lock:
            return int(self._shows())

    def seconds_until(self, ms: int) -> float | None:
        """See :class:`Clock`."""
        with self._lock:
            return max(0.0, (ms - self._shows()) / 1000 / self._speed)

    def hold(self) -> None:
        """See :class:`Clock`."""
        self._hold(1)

    def release(self) -> None:
        """See :class:`Clock`."""
        self._hold(-1)

    def _hold(self, step: int) -> None:
        with self._lock:
            self._base_ms, self._base_s = self._shows(), self._monotonic()
            self._holds += step
            self._speed = min(self._fast, 1.0) if self._holds else self._fast

    def _shows(self) -> float:
        return self._base_ms + (self._monotonic() - self._base_s) * 1000 * self._speed
