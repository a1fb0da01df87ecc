"""Clocks for whoever drives calls: one that is put forward by hand, and ones that run by themselves.

A clock shows milliseconds since it was made. The network has none: drivers tell it how much time went by.
"""

from __future__ import annotations

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

    def go_to(self, ms: int) -> None:
        """Show *ms* from now on; a time that has passed changes nothing."""
        self._ms = max(self._ms, ms)


class RunningClock:
    """Runs *speed* times as fast as the clock on the wall; 1 is real time. *monotonic* gives real seconds."""

    def __init__(self, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        if speed <= 0:
            raise ValueError("a clock runs forward: speed is more than 0")
        self.speed = speed
        self._monotonic = monotonic
        self._begin = monotonic()

    def now_ms(self) -> int:
        """See :class:`Clock`."""
        return int((self._monotonic() - self._begin) * 1000 * self.speed)

    def seconds_until(self, ms: int) -> float | None:
        """See :class:`Clock`."""
        left = self._begin + ms / 1000 / self.speed - self._monotonic()
        return max(0.0, left)
