"""Interleaved measurements: ratios of neighbours in time, never of two runs.

Absolute times move by tens of per cent on a shared machine. So every round runs all cases once, in random order, and
what is reported is the median of the per-round ratios with a bootstrap interval.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Ratio:
    """Median of per-round ratios with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f}..{self.high:.2f})"


def rounds(
    cases: Mapping[str, Callable[[], object]],
    count: int,
    *,
    clock: Callable[[], int] = time.thread_time_ns,
    seed: int = 1,
    ahead: Callable[[Callable[[], object]], object] | None = None,
) -> dict[str, list[int]]:
    """Nanoseconds of each case in each of *count* rounds. One round before them warms everything up.

    *ahead* runs some of a case before its clock starts: what goes on and on does not pay for finding the processor's
    caches full of other cases.

    The default clock counts the processor time of this thread, so that other work on the machine disturbs less; cases
    that start processes need the wall clock.
    """
    rng = random.Random(seed)
    times: dict[str, list[int]] = {name: [] for name in cases}
    for case in cases.values():
        case()
    for _ in range(count):
        order = list(cases)
        rng.shuffle(order)
        for name in order:
            case = cases[name]
            gc.collect()
            gc.disable()
            if ahead is not None:
                ahead(case)
            start = clock()
            case()
            times[name].append(clock() - start)
            gc.enable()
    return times


def ratio(times: Mapping[str, list[int]], name: str, base: str, *, scale: float = 1.0, seed: int = 2) -> Ratio:
    """How much longer *name* takes than *base*; *scale* corrects for different amounts of work."""
    per_round = [a / b * scale for a, b in zip(times[name], times[base], strict=True)]
    rng = random.Random(seed)
    resampled = sorted(median(rng.choices(per_round, k=len(per_round))) for _ in range(1000))
    return Ratio(median(per_round), resampled[25], resampled[974])


def microseconds(times: list[int], events: int) -> float:
    """Median time of one event in microseconds: for orientation only, absolute times do not carry over."""
    return median(times) / events / 1000
