"""The fault matrix: every state of a flow meets everything that can go wrong, and each call is judged.

A row is a state, a column a kind of fault. A cell is made of one call for each way in which that fault can meet that
state: a hang-up during each of its actions, each documented error of each of them, its hook overlapping with each event
that can come meanwhile, in both orders of arrival. A cell is red when an invariant does not hold, or when the service
had to end the call; a state that no search reaches is not green.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sma_flows.runtime.ask import Ask
from sma_flows.simulator.messages import Break, Gone, HangUp, Stray
from sma_flows.testing.documented import ERRORS
from sma_flows.testing.invariants import Violation
from sma_flows.testing.lab import Answers, Lab, Setting, Trial, in_turn
from sma_flows.testing.moves import Function, Listen, Move, Silence, Wait
from sma_flows.testing.reach import Way, acting, background, updates, ways_of
from sma_flows.testing.reproduce import Reproduction, reproduction
from sma_flows.testing.strategies import stray_of

__all__ = ["COLUMNS", "Cell", "Matrix", "fault_matrix"]

COLUMNS: Final = (
    "hang-up A",
    "hang-up B",
    "action error",
    "repeated event",
    "late event",
    "out of order",
    "overlap",
    "time-out",
    "hook raises",
    "hook late",
    "invalid answer",
)
"""The kinds of faults, in the order in which they are shown."""

HOWS: Final = {
    "time-out": ("retried", "dies", "raises"),
    "invalid answer": ("garbled",),
}
"""What happens to the function in a column (:class:`~sma_flows.testing.moves.Function`)."""

PATIENCE: Final = 400
"""Timers that may go off until a state is at work."""

HOOK_MS: Final = 40
"""How long a hook works while something else happens; less where its budget is smaller."""


@dataclass(slots=True)
class Cell:
    """One state and one kind of fault: how many calls were made, and those that went wrong."""

    state: str
    column: str
    calls: int = 0
    red: list[Reproduction] = field(default_factory=list)

    @property
    def colour(self) -> str:
        """``red``, ``green``, or empty where this fault cannot meet this state."""
        return "red" if self.red else "green" if self.calls else ""


@dataclass(slots=True)
class Matrix:
    """The whole table of a flow. ``missed``: states that no search has reached; ``silent``: those in which nothing can
    go wrong, because they send nothing and ask nobody."""

    flow: str
    name: str
    states: tuple[str, ...] = ()
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)
    missed: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    searched: int = 0

    @property
    def calls(self) -> int:
        """How many calls were made, those of the search not counted."""
        return sum(cell.calls for cell in self.cells.values())

    @property
    def red(self) -> list[Cell]:
        """The cells in which something went wrong."""
        return [cell for cell in self.cells.values() if cell.red]


def fault_matrix(lab: Lab, *, progress: Callable[[str], object] = lambda _state: None) -> Matrix:
    """Make the matrix of a flow. *lab* must have been made with ``watched=True``; *progress* is told each state.

    Raises:
        ValueError: the lab is not watched.
    """
    if not lab.watched:
        raise ValueError("a fault matrix needs a lab that is watched: Lab(flow, watched=True)")
    found = ways_of(lab)
    matrix = Matrix(str(lab.path), lab.name, tuple(lab.flow["states"]), searched=found.calls)
    matrix.missed = tuple(sorted(found.missed))
    matrix.silent = tuple(sorted(found.silent))
    for state in matrix.states:
        way = found.ways.get(state)
        if way is None:
            continue
        progress(state)
        for column in COLUMNS:
            cell = matrix.cells[state, column] = Cell(state, column)
            for play in _PLAYS[column](lab, way):
                _judge(cell, play)
    return matrix


_Play = Callable[[], Trial | None]
"""Plays one call; None: the fault could not be brought about."""


def _judge(cell: Cell, play: _Play) -> None:
    trial = play()
    if trial is None:
        return
    cell.calls += 1
    if not trial.watch.found:
        for one in trial.watch.outputs():
            if isinstance(one, Gone) and one.by == "service" and one.code:
                what = f"the service had to end {one.leg} with {one.code}"
                trial.watch.found.append(Violation("not dropped", what, trial.session.phone.now_ms))
                break
    if trial.watch.found:
        cell.red.append(reproduction(trial))


# ---- coming to a state ----------------------------------------------------------------------------------------------


class _Scene:
    """A call that comes to a state along its way, with something done before, there, or to its hook."""

    def __init__(self, lab: Lab, way: Way) -> None:
        self.lab = lab
        self.way = way
        self.setting: Setting = way.setting
        self.answers: Answers = in_turn(way.given)

    def play(
        self,
        *,
        first: Move | None = None,
        until: Callable[[Trial], bool] | None = None,
        then: Callable[[Trial], bool] | None = None,
    ) -> Trial | None:
        """Go the way, make *first* before its last move, let time pass until *until*, do *then*, and end the call.

        None when *until* never holds or *then* says that it makes no sense.
        """
        with self.lab.call(self.setting, self.answers) as trial:
            for move in self.way.before:
                trial.make(move)
            if first is not None:
                trial.make(first)
            here = until or (lambda _trial: True)
            last = self.way.last
            if last is not None and not isinstance(last, Listen | Silence | Wait):
                trial.make(last)
            if not trial.pass_until(here, PATIENCE):
                return None
            if then is not None and not then(trial):
                return None
            trial.finish()
            return trial

    def at_work(self, kind: str = "") -> Callable[[Trial], bool]:
        """Whether an action of the state runs, of this type."""
        return lambda trial: acting(trial)[0] == self.way.state and kind in ("", acting(trial)[1])

    def answered(self, trial: Trial) -> bool:
        """Whether the state has come by in the latest event."""
        turn = trial.watch.turns[-1] if trial.watch.turns else None
        return turn is not None and (
            turn.after.state == self.way.state
            or any(what == "action" and name == self.way.state for what, name, _, _ in turn.trail)
            or any(ask.call.state == self.way.state for ask in turn.asks)
        )

    def asked(self, trial: Trial) -> bool:
        """Whether the hook of the state has been asked, and its answer is on its way."""
        return any(ask.call.state == self.way.state for turn in trial.watch.turns for ask in turn.asks)


def _moments(lab: Lab, way: Way) -> list[str]:
    """Types of actions of the state during which something can happen, and ``joined`` for a connection."""
    verb = lab.flow["states"][way.state]["do"]
    kinds = [kind for kind in way.actions if kind not in _AT_ONCE]
    return [*kinds, *(["joined"] if verb in ("bridge", "join_meeting") else [])]


_AT_ONCE: Final = frozenset(
    {
        *("Hangup", "JoinChimeMeeting", "ModifyChimeMeetingAttendees", "ReceiveDigits", "VoiceFocus"),
        *("StartCallRecording", "StopCallRecording", "PauseCallRecording", "ResumeCallRecording"),
    }
)
"""Actions that take no time."""


def _connecting(trial: Trial) -> bool:
    """Let the called party answer, where one is called."""
    from sma_flows.simulator.messages import Callee

    if trial.session.running == "CallAndBridge":
        trial.make(Callee("answers"))
    return True


# ---- the columns ----------------------------------------------------------------------------------------------------


def _hang_up(leg: str) -> Callable[[Lab, Way], Iterator[_Play]]:
    def plays(lab: Lab, way: Way) -> Iterator[_Play]:
        for kind in _moments(lab, way):
            yield lambda kind=kind: _at(lab, way, kind, lambda trial: trial.make(HangUp(leg)))  # type: ignore[misc]

    return plays


def _at(lab: Lab, way: Way, kind: str, then: Callable[[Trial], bool]) -> Trial | None:
    """Play a call in which *then* happens while an action of this type runs, or (``joined``) two parties talk.

    Without a type: as soon as the state has come by.
    """
    scene = _Scene(lab, way)
    if not kind:
        return scene.play(until=scene.answered, then=then)
    if kind != "joined":
        return scene.play(until=scene.at_work(kind), then=then)

    def joined(trial: Trial) -> bool:
        if trial.session.running == "CallAndBridge" and acting(trial)[0] == way.state:
            _connecting(trial)
        return acting(trial) == (way.state, "joined")

    return scene.play(until=joined, then=then)


def _errors(lab: Lab, way: Way) -> Iterator[_Play]:
    for kind in way.actions:
        for error in ERRORS.get(kind, ()):
            if kind in _AT_ONCE:
                yield lambda error=error: _fails_at_once(lab, way, error)  # type: ignore[misc]
            else:
                broken = replace(error, running=True)
                yield lambda kind=kind, broken=broken: _at(lab, way, kind, lambda trial: trial.make(broken))  # type: ignore[misc]


def _fails_at_once(lab: Lab, way: Way, error: Break) -> Trial | None:
    trial = _Scene(lab, way).play(first=error)
    return trial if trial is not None and any(turn.kind == "ACTION_FAILED" for turn in trial.watch.turns) else None


_REPORTS: Final = ("ACTION_SUCCESSFUL", "ACTION_FAILED", "DIGITS_RECEIVED", "CALL_ANSWERED")


def _strays(which: int, *, same_sequence: bool) -> Callable[[Lab, Way], Iterator[_Play]]:
    """Events that were there before come again: *which* counts from the latest."""

    def again(trial: Trial) -> bool:
        turns = [turn for turn in trial.session.turns if turn.kind in _REPORTS]
        if len(trial.session.turns) == which == 1 and same_sequence:
            turns = trial.session.turns  # a call that has just begun: it begins once more (rule R4)
        if len(turns) < which:
            return False
        return trial.make(stray_of(turns[-which].event, same_sequence=same_sequence))

    def plays(lab: Lab, way: Way) -> Iterator[_Play]:
        for kind in _moments(lab, way) or [""]:
            yield lambda kind=kind: _at(lab, way, kind, again)  # type: ignore[misc]

    return plays


def _function(column: str) -> Callable[[Lab, Way], Iterator[_Play]]:
    """The function suffers at the event that leads into the state, and at the one that leads out of it."""

    def plays(lab: Lab, way: Way) -> Iterator[_Play]:
        for how in HOWS[column]:
            fault = Function(how)  # type: ignore[arg-type]
            if way.last is not None:
                yield lambda fault=fault: _Scene(lab, way).play(first=fault)  # type: ignore[misc]
            for kind in _moments(lab, way):
                yield lambda kind=kind, fault=fault: _at(lab, way, kind, lambda trial: trial.make(fault))  # type: ignore[misc]

    return plays


def _hook(reply: str) -> Callable[[Lab, Way], Iterator[_Play]]:
    def plays(lab: Lab, way: Way) -> Iterator[_Play]:
        if way.asks:
            yield lambda: _asking(lab, way, reply).play()

    return plays


def _asking(lab: Lab, way: Way, reply: str) -> _Scene:
    """The scene in which the state's hook gives this *reply* (``raises``, ``late``), or its usual one ``slowly``."""
    scene = _Scene(lab, way)
    usual = scene.answers

    def answer(ask: Ask) -> Any:
        told = usual(ask)
        if ask.call.state != way.state or ask.cleanup:
            return told
        if reply != "slowly":
            return reply
        ms = max(1, min(HOOK_MS, ask.budget_ms * 3 // 4))
        whole = (
            {name: value for name, value in told.items() if name != "after"}
            if isinstance(told, Mapping)
            else {told: {}}
        )
        return {**whole, "after": f"{ms}ms"}

    scene.answers = answer
    return scene


def _overlaps(lab: Lab, way: Way) -> Iterator[_Play]:
    """Something else happens while the state's hook works: the answer to it arrives first, or the hook's does."""
    if not way.asks:
        return
    for mover in _MOVERS:
        for hook_first in (False, True):
            yield lambda mover=mover, hook_first=hook_first: _overlap(lab, way, mover, hook_first=hook_first)  # type: ignore[misc]


def _overlap(lab: Lab, way: Way, mover: Callable[[Trial], Move | None], *, hook_first: bool) -> Trial | None:
    scene = _asking(lab, way, "slowly")
    switches = {**dict(way.setting.switches), "overlap": "parallel"}  # here the column is the question
    scene.setting = replace(way.setting, switches=tuple(sorted(switches.items())))

    def meanwhile(trial: Trial) -> bool:
        if not trial.session.phone.network.delivered:
            return False  # the answer was there at once
        trial.make(Wait(1))
        move = mover(trial)
        if move is None:
            return False
        if hook_first:
            trial.make(Function("slow"))
        return trial.make(move)

    return scene.play(until=scene.asked, then=meanwhile)


def _leaves(leg: str) -> Callable[[Trial], Move | None]:
    def mover(trial: Trial) -> Move | None:
        there = trial.session.phone.network.leg(leg)
        return HangUp(leg) if there is not None and there.connected else None

    return mover


def _key(trial: Trial) -> Move | None:
    """A key in the background: DIGITS_RECEIVED of the listener that is registered."""
    keys = background(trial)
    listeners = trial.session.phone.network.listeners
    if not keys or not listeners:
        return None
    action = listeners[0].action
    params = {"CallId": trial.session.phone.network.legs[0].call_id, **action.parameters()}
    data = {"Type": "ReceiveDigits", "Parameters": params, "ReceivedDigits": keys[0]}
    return Stray("DIGITS_RECEIVED", listeners[0].leg, json.dumps(data))


def _update(trial: Trial) -> Move | None:
    return next(updates(trial), None)


def _interrupted(trial: Trial) -> Move | None:
    params = {"CallId": trial.session.phone.network.legs[0].call_id, "DurationInMilliseconds": 1000}
    return Stray("ACTION_INTERRUPTED", "LEG-A", json.dumps({"Type": "Pause", "Parameters": params}))


def _twin(trial: Trial) -> Move | None:
    """The second report of a hang-up, if the hook runs because of the first."""
    turn = trial.session.turns[-1] if trial.session.turns else trial.watch.turns[-1]
    event = json.loads(turn.event)
    data = event.get("ActionData") or {}
    if data.get("Type") != "Hangup":
        return None
    tag = stray_of(turn.event, same_sequence=False).leg
    call_id = data["Parameters"].get("CallId")
    params: dict[str, Any] = {"CallId": call_id, "SipResponseCode": "0"}
    if turn.kind == "HANGUP":
        return Stray("ACTION_SUCCESSFUL", tag, json.dumps({"Type": "Hangup", "Parameters": params}))
    params |= {"SipResponseCode": 0, "ParticipantTag": tag}
    return Stray("HANGUP", tag, json.dumps({"Type": "Hangup", "Parameters": params}))


_MOVERS: Final[tuple[Callable[[Trial], Move | None], ...]] = (
    _leaves("LEG-A"),
    _leaves("LEG-B"),
    _key,
    _update,
    _interrupted,
    _twin,
)

_PLAYS: Final[Mapping[str, Callable[[Lab, Way], Iterator[_Play]]]] = {
    "hang-up A": _hang_up("LEG-A"),
    "hang-up B": _hang_up("LEG-B"),
    "action error": _errors,
    "repeated event": _strays(1, same_sequence=True),
    "late event": _strays(1, same_sequence=False),
    "out of order": _strays(2, same_sequence=True),
    "overlap": _overlaps,
    "time-out": _function("time-out"),
    "hook raises": _hook("raises"),
    "hook late": _hook("late"),
    "invalid answer": _function("invalid answer"),
}
