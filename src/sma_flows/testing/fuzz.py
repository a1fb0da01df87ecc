"""Many drawn calls of a flow, in several processes: what was visited, and the smallest call that breaks an invariant.

A run is repeated by its seed: the calls are drawn in batches, each with a seed of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from sma_flows.testing.lab import Lab, Pairs, Trial
from sma_flows.testing.reproduce import Reproduction, reproduction

__all__ = ["BATCH", "Fuzzed", "fuzz_flow", "fuzz_flows"]

BATCH = 250
"""Calls that are drawn with one seed."""

LOOK_S: Final = 0.2
"""Seconds between two looks for Ctrl-C while processes are at work."""

POSIX: Final = hasattr(signal, "pthread_sigmask")

SHRINKING_S = 30
"""So long a call that was found is made smaller: where nobody is ever asked anything again, each attempt is long."""


@dataclass(slots=True)
class Fuzzed:
    """What came of the calls so far. ``seconds`` were spent on them, in all processes together.

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
        self.seconds += other.seconds
        self.positions += other.positions
        known = {one.violation.invariant for one in self.found}
        self.found += [one for one in other.found if one.violation.invariant not in known]


def fuzz_flow(flow: Path | str | Lab, **options: Any) -> Fuzzed:
    """Draw calls of one flow: see :func:`fuzz_flows` for the *options*."""
    return fuzz_flows([flow], **options)[0]


def fuzz_flows(
    flows: Sequence[Path | str | Lab],
    *,
    calls: int = 1_000,
    seed: int = 0,
    workers: int | None = None,
    env: Mapping[str, str] | None = None,
    switches: Mapping[str, str] | None = None,
    keep_going: bool = False,
    progress: Callable[[int], object] = lambda _done: None,
) -> list[Fuzzed]:
    """Draw *calls* calls of *flows* together and judge each. The same *seed* draws the same calls.

    Of a flow in which a violation was found no further batch is begun, unless *keep_going*. *workers* are processes
    (default: one for each processor; a :class:`Lab` is always worked on in this one). *progress* is told how many more
    calls are done. *switches* hold in every call, the others are drawn.

    Raises:
        UnplayableError: a flow does not compile, or a value of its environment is missing.
        SwitchError: there is no such switch, or it has no such value.
    """
    given, settled = tuple((env or {}).items()), tuple((switches or {}).items())
    labs = [flow if isinstance(flow, Lab) else Lab(flow, env=env, switches=switches) for flow in flows]
    told = [Fuzzed(str(lab.path)) for lab in labs]
    jobs = sorted(_jobs(len(labs), calls, seed), key=lambda job: job.number)
    count = min(len(jobs), workers or os.cpu_count() or 1)
    if count <= 1 or any(isinstance(flow, Lab) for flow in flows):
        batches = _here(labs, jobs, told, keep_going)
    else:
        batches = _elsewhere([(str(lab.path), given, settled) for lab in labs], jobs, count, told, keep_going)
    with closing(batches):  # whatever happens here: processes end with us
        for place, batch in batches:
            told[place].add(batch)
            progress(batch.calls)
    return told


_Batches = Generator[tuple[int, Fuzzed], None, None]


class _Job(NamedTuple):
    place: int
    number: int
    seed: int
    size: int


def _jobs(flows: int, calls: int, seed: int) -> Iterator[_Job]:
    share, rest = divmod(calls, flows)
    for place in range(flows):
        whole = share + (place < rest)
        for number, first in enumerate(range(0, whole, BATCH)):
            yield _Job(place, number, seed * 1_000_003 + number, min(BATCH, whole - first))


def _here(labs: list[Lab], jobs: list[_Job], told: list[Fuzzed], keep_going: bool) -> _Batches:
    for job in jobs:
        if keep_going or not told[job.place].found:
            yield job.place, draw_batch(labs[job.place], job.seed, job.size)


def _elsewhere(
    labs: list[_Made],
    jobs: list[_Job],
    count: int,
    told: list[Fuzzed],
    keep_going: bool,
) -> _Batches:
    context = multiprocessing.get_context("spawn")
    before = multiprocessing.active_children()
    with _between_looks() as look, ProcessPoolExecutor(count, mp_context=context) as pool:
        with _ctrl_c("held back"):  # the processes inherit that: see _work
            futures = {pool.submit(_work, labs[job.place], job.seed, job.size): job.place for job in jobs}
        try:
            waiting = set(futures)
            while waiting:
                done, waiting = wait(waiting, LOOK_S, FIRST_COMPLETED)
                look()
                for future in done:
                    if future.cancelled():
                        continue
                    place = futures[future]
                    yield place, future.result()
                    if told[place].found and not keep_going:
                        for other, its in futures.items():
                            if its == place:
                                other.cancel()
        except BaseException:  # nobody waits for the rest
            for process in multiprocessing.active_children():
                if process not in before and process.pid is not None and POSIX:
                    os.kill(process.pid, signal.SIGINT)
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _between_looks() -> Iterator[Callable[[], None]]:
    """Ctrl-C is raised where one looks for it: anywhere else it could leave a lock of the pool behind, for ever."""
    pressed: list[int] = []

    def look() -> None:
        if pressed:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield look
        return
    before = signal.signal(signal.SIGINT, lambda number, _frame: pressed.append(number))
    try:
        yield look
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _ctrl_c(how: Literal["held back", "heard"]) -> Iterator[None]:
    """Ctrl-C, which a terminal sends to every process, waits until this is over, or no longer waits."""
    if not POSIX:
        yield
        return
    mask = signal.SIG_BLOCK if how == "held back" else signal.SIG_UNBLOCK
    before = signal.pthread_sigmask(mask, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_Made = tuple[str, Pairs, Pairs]
"""What another process makes a lab of: the path of the flow, its environment, its switches."""


@lru_cache(maxsize=64)
def _lab(made: _Made) -> Lab:
    flow, env, switches = made
    return Lab(flow, env=dict(env), switches=dict(switches))


def _work(made: _Made, seed: int, size: int) -> Fuzzed:
    """A batch in a process of its own: Ctrl-C is heard here only, and then nothing more is begun.

    Raises:
        KeyboardInterrupt: for whoever waits for the batch.
    """
    try:
        if _interrupted:
            raise KeyboardInterrupt
        with _ctrl_c("heard"):
            return draw_batch(_lab(made), seed, size)
    except KeyboardInterrupt:
        _interrupted.append(True)
        raise


_interrupted: list[bool] = []


def draw_batch(lab: Lab, seed: int, size: int) -> Fuzzed:
    """Draw *size* calls with one seed; a call that breaks an invariant is made as small as it gets in reasonable time.

    A call that does not break it again when it is repeated, because whoever answers remembers other calls, is told as
    it was found.
    """
    from hypothesis import HealthCheck, Phase, assume, given
    from hypothesis import seed as seeded
    from hypothesis import settings as hypothesis_settings
    from hypothesis import strategies as st
    from hypothesis.errors import Flaky

    from sma_flows.testing.strategies import Draw, UnsoundError, trials

    batch = Fuzzed(str(lab.path))
    begin = time.perf_counter()
    unsound: list[Reproduction] = []
    until: list[float] = []

    @st.composite
    def in_time(draw: Draw) -> Trial:
        assume(not until or time.perf_counter() < until[0])
        trial: Trial = draw(trials(lab))
        return trial

    @seeded(seed)
    @hypothesis_settings(
        max_examples=size,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(in_time())
    def drawn(trial: Trial) -> None:
        batch.calls += 1
        batch.events += len(trial.watch.turns)
        batch.positions.update({turn.after.state for turn in trial.watch.turns if turn.after.state})
        if trial.violations:
            unsound.append(reproduction(trial))
            until.append(time.perf_counter() + SHRINKING_S)
            raise UnsoundError(trial)

    try:
        drawn()
    except UnsoundError as error:
        batch.found.append(reproduction(error.trial))
    except Flaky:  # not found again
        batch.found.append(min(unsound, key=lambda found: (found.steps, len(found.moves))))
    batch.seconds = time.perf_counter() - begin
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
