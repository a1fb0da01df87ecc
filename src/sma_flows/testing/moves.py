"""What can happen to a simulated call: moves, as values that can be written down, repeated and made smaller.

The inputs of the network are moves (:class:`~sma_flows.simulator.messages.HangUp`, ``Callee``, ``Break`` ...). Here are
those that take time, or that happen to the function instead of to the line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from sma_flows.simulator.messages import (
    BotResult,
    Break,
    Callee,
    HangUp,
    Key,
    MeetingEnds,
    Stray,
    Talk,
    Update,
)
from sma_flows.testing.session import Session
from sma_flows.testing.targets import FunctionError, Target, Turn

__all__ = ["Faulty", "Function", "Listen", "Move", "Press", "Silence", "Wait", "make"]

RETRIED_MS: Final = 6_000
"""Longer than the service waits before it sends an event again (5 seconds, contract 7.1)."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Everybody listens until it is somebody's turn: keys are awaited, two parties talk, somebody is called."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody does anything until what goes on ends by itself."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Time goes by; what follows happens in the middle of whatever goes on then."""

    ms: int


@dataclass(frozen=True, slots=True)
class Press:
    """A party presses keys, 300 ms apart."""

    keys: str
    leg: str = "LEG-A"


@dataclass(frozen=True, slots=True)
class Function:
    """What happens to the function at the next event.

    ``slow``: its answer takes 2 seconds more. ``retried``: it takes so long that the service sends the event again
    before it comes. ``dies``: the work is done, and no answer ever comes of it (the service sends the event again).
    ``raises``: nothing is done. ``garbled``: the answer is no JSON object, so INVALID_LAMBDA_RESPONSE follows.
    """

    how: Literal["slow", "retried", "dies", "raises", "garbled"]


Move = (
    Listen
    | Silence
    | Wait
    | Press
    | Function
    | Key
    | Talk
    | HangUp
    | Callee
    | MeetingEnds
    | BotResult
    | Update
    | Break
    | Stray
)


def make(session: Session, move: Move) -> bool:
    """Let *move* happen; False when it makes no sense now (nobody rings, the party has left): nothing happens then.

    :class:`Function` is not for the line but for :class:`Faulty`.
    """
    phone = session.phone
    if phone.over:
        return False
    match move:
        case Listen():
            session.rest()
        case Silence():
            before = phone.network.running
            while session.tick() and phone.network.running == before:
                pass
        case Wait():
            phone.wait(move.ms)
        case Press():
            there = phone.network.leg(move.leg)
            if there is None or there.gone or there.status == "ringing":
                return False
            with suppress(ValueError):  # the party left before the last key
                phone.press(move.keys, move.leg)
        case Function():
            return False
        case _:
            if isinstance(move, Talk):
                session.spoke()
            try:
                phone.send(move)
            except ValueError:
                return False
    session.listen()
    return True


class Faulty:
    """A :class:`~sma_flows.testing.targets.Target` whose events meet the faults that :meth:`next` announces.

    ``used`` counts the faults that happened. Once :meth:`stop` was called every event fails: the service then ends the
    call by itself.
    """

    def __init__(self, inner: Target) -> None:
        self.inner = inner
        self.scripted = inner.scripted
        self.used = 0
        self._ahead: list[Function] = []
        self._owed: tuple[tuple[int, Mapping[str, str]], ...] = ()
        self._stopped = False

    def next(self, fault: Function) -> None:
        """The event after those that have a fault already meets this one."""
        self._ahead.append(fault)

    def stop(self) -> None:
        """Every further event fails."""
        self._stopped = True

    def answer(self, event: str, at_ms: int, now: datetime) -> Turn:
        """See :class:`~sma_flows.testing.targets.Target`."""
        if self._stopped:
            raise FunctionError("stopped")
        if not self._ahead:
            turn = self.inner.answer(event, at_ms, now)
            turn, self._owed = (replace(turn, later=(*self._owed, *turn.later)) if self._owed else turn), ()
            return turn
        self.used += 1
        fault = self._ahead.pop(0)
        if fault.how == "raises":
            raise FunctionError("the function raised")
        turn = self.inner.answer(event, at_ms, now)
        if fault.how == "dies":
            self._owed += turn.later  # a long hook was begun all the same
            raise FunctionError("the function died before it answered")
        if fault.how == "garbled":
            return replace(turn, response=json.dumps("garbled"), after=turn.before, values=None)
        return replace(turn, held_ms=2_000 if fault.how == "slow" else RETRIED_MS)
