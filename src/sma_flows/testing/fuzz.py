"""Many drawn calls of a flow, in several processes: what was visited, and the smallest call that breaks an invariant.

A run is repeated by its seed: the calls are drawn in batches, each with a seed of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from sma_flows.testing.lab import Lab, Trial
from sma_flows.testing.reproduce import Reproduction, reproduction

__all__ = ["BATCH", "Fuzzed", "fuzz_flow"]

BATCH = 250
"""Calls that are drawn with one seed."""


@dataclass(slots=True)
class Fuzzed:
    """What came of the calls so far.

    ``positions`` counts calls by the states in which they stood; ``found`` holds the smallest call that was found for
    each invariant that did not hold, in the order of finding.
    """

    flow: str
    calls: int = 0
    events: int = 0
    seconds: float = 0.0
    positions: Counter[str] = field(default_factory=Counter)
    found: list[Reproduction] = field(default_factory=list)

    def add(self, other: Fuzzed) -> None:
        """Take over what another batch of the same flow has."""
        self.calls += other.calls
        self.events += other.events
        self.positions += other.positions
        known = {one.violation.invariant for one in self.found}
        self.found += [one for one in other.found if one.violation.invariant not in known]


def fuzz_flow(
    flow: Path | str | Lab,
    *,
    calls: int = 1_000,
    seed: int = 0,
    workers: int | None = None,
    env: Mapping[str, str] | None = None,
    keep_going: bool = False,
    progress: Callable[[int], object] = lambda _done: None,
) -> Fuzzed:
    """Draw *calls* calls of *flow* and judge each. The same *seed* draws the same calls.

    Stops after the batch in which a violation was found, unless *keep_going*. *workers* are processes (default: one for
    each processor; a :class:`Lab` is always worked on in this one). *progress* is told how many calls are done.

    Raises:
        UnplayableError: the flow does not compile, or a value of its environment is missing.
    """
    begin = time.perf_counter()
    lab = flow if isinstance(flow, Lab) else Lab(flow, env=env)
    whole = Fuzzed(str(lab.path))
    sizes = [min(BATCH, calls - first) for first in range(0, calls, BATCH)]
    jobs = [(seed * 1_000_003 + number, size) for number, size in enumerate(sizes)]
    count = 1 if isinstance(flow, Lab) else min(len(jobs), workers or os.cpu_count() or 1)
    batches = _here(lab, jobs) if count <= 1 else _elsewhere(lab, env or {}, jobs, count)
    for batch in batches:
        whole.add(batch)
        progress(whole.calls)
        if whole.found and not keep_going:
            break
    whole.seconds = time.perf_counter() - begin
    return whole


def _here(lab: Lab, jobs: list[tuple[int, int]]) -> Iterator[Fuzzed]:
    for seed, size in jobs:
        yield draw_batch(lab, seed, size)


def _elsewhere(lab: Lab, env: Mapping[str, str], jobs: list[tuple[int, int]], count: int) -> Iterator[Fuzzed]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context) as pool:
        futures = [pool.submit(_work, str(lab.path), tuple(env.items()), seed, size) for seed, size in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


@lru_cache(maxsize=4)
def _lab(flow: str, env: tuple[tuple[str, str], ...]) -> Lab:
    return Lab(flow, env=dict(env))


def _work(flow: str, env: tuple[tuple[str, str], ...], seed: int, size: int) -> Fuzzed:
    return draw_batch(_lab(flow, env), seed, size)


def draw_batch(lab: Lab, seed: int, size: int) -> Fuzzed:
    """Draw *size* calls with one seed; a call that breaks an invariant is made as small as it gets."""
    from hypothesis import HealthCheck, Phase, given
    from hypothesis import seed as seeded
    from hypothesis import settings as hypothesis_settings

    from sma_flows.testing.strategies import UnsoundError, trials

    batch = Fuzzed(str(lab.path))

    @seeded(seed)
    @hypothesis_settings(
        max_examples=size,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(trials(lab))
    def drawn(trial: Trial) -> None:
        batch.calls += 1
        batch.events += len(trial.watch.turns)
        batch.positions.update({turn.after.state for turn in trial.watch.turns if turn.after.state})
        if trial.violations:
            raise UnsoundError(trial)

    try:
        drawn()
    except UnsoundError as error:
        batch.found.append(reproduction(error.trial))
    return batch


def as_object(done: Fuzzed) -> dict[str, Any]:
    """What came of it, for programs."""
    return {
        "flow": done.flow,
        "calls": done.calls,
        "events": done.events,
        "seconds": round(done.seconds, 2),
        "positions": dict(sorted(done.positions.items())),
        "found": [
            {
                "invariant": one.violation.invariant,
                "what": one.violation.what,
                "steps": one.steps,
                "transcript": list(one.violation.transcript),
                "python": one.as_python(),
                "calls": one.as_calls(),
            }
            for one in done.found
        ],
    }
