"""A call that was found, written down so that it happens again: as a Python test, and as a call script if it can be."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from sma_flows.simulator.messages import BotResult, Break, Callee, HangUp, MeetingEnds, Talk, Update
from sma_flows.testing.invariants import Violation
from sma_flows.testing.lab import Setting, Trial
from sma_flows.testing.moves import Listen, Move, Press, Silence, Wait
from sma_flows.testing.script import SOME_DAY
from sma_flows.testing.session import BREAKABLE

__all__ = ["Reproduction", "reproduction"]

CALLEE = {"answers": "answers", "voicemail": "answers", "no_answer": "no_answer", "busy": "busy"}


@dataclass(frozen=True, slots=True)
class Reproduction:
    """One call that broke an invariant: what it takes to let it happen again.

    ``times`` says at which virtual millisecond each move was made, ``ended_ms`` when nobody did anything more,
    ``given`` what hooks and ports answered. Nothing in it is a secret of a real caller: digits are made up.
    """

    flow: str
    violation: Violation
    setting: Setting
    moves: tuple[Move, ...]
    times: tuple[int, ...]
    ended_ms: int
    given: Mapping[str, tuple[Any, ...]]

    @property
    def steps(self) -> int:
        """How many things people and the service did; listening and time that passes do not count."""
        return sum(not isinstance(move, Listen | Silence | Wait) for move in self.moves)

    def as_python(self) -> str:
        """A pytest function that fails as long as the invariant does not hold."""
        used = sorted({type(move).__name__ for move in self.moves})
        ours = {"Function", "Listen", "Press", "Silence", "Wait"}
        service = [name for name in used if name not in ours]
        mine = sorted({"Lab", "Setting", *(name for name in used if name in ours)})
        lines = [f'"""{self.violation.invariant}: {self.violation.what}"""', ""]
        if self.setting.at != SOME_DAY:
            lines += ["import datetime", ""]
        if service:
            lines.append(f"from sma_flows.simulator.messages import {', '.join(service)}")
        lines += [f"from sma_flows.testing import {', '.join(mine)}", "", ""]
        lines += ["def test_the_call_is_sound() -> None:", f"    trial = Lab({self.flow!r}).play("]
        lines += [f"        {_short(self.setting)},", "        ["]
        lines += [f"            {_short(move)}," for move in self.moves]
        given = {name: list(items) for name, items in self.given.items()}
        lines += ["        ],", f"        {given!r},", "    )"]
        return "\n".join([*lines, "    assert not trial.violations, trial.violations[0]", ""])

    def as_calls(self, folder: Path | None = None) -> str | None:
        """A calls file with this call, as seen from *folder*; None when something in it has no word in such a file."""
        try:
            steps = list(self._steps())
            answered = self._answered() if self.setting.inputs is not None else ""
        except _UnspeakableError:
            return None
        flow = Path(os.path.relpath(Path(self.flow).resolve(), (folder or Path.cwd()).resolve())).as_posix()
        call: dict[str, Any] = {"call": f"{self.violation.invariant}: {self.violation.what}"}
        call |= {"from": self.setting.from_, "to": self.setting.to, "at": self.setting.at.isoformat()}
        if self.setting.headers:
            call["headers"] = dict(self.setting.headers)
        if self.setting.inputs is not None:
            call |= {"inputs": dict(self.setting.inputs), "answer": answered}
        if self.setting.switches:
            call["switches"] = dict(self.setting.switches)
        if self.given:
            call["stub"] = {name: list(items) for name, items in self.given.items()}
        call["script"] = steps
        lines = [f"# {line}" for line in str(self.violation).splitlines()]
        body = yaml.safe_dump(_texts({"flow": flow, "calls": [call]}), sort_keys=False, allow_unicode=True, width=110)
        return "\n".join([*lines, str(body)])

    def _picked_up(self) -> int:
        """How many moves lie before an outbound call is decided, that one included: a script says them in one word.

        Raises:
            _UnspeakableError: it has none for what happened.
        """
        for number, (move, at_ms) in enumerate(zip(self.moves, self.times, strict=True), 1):
            if isinstance(move, Callee) and move.does != "rings":
                before = [(one, when) for one, when in zip(self.moves, self.times, strict=True)][: number - 1]
                ringing = [when for one, when in before if isinstance(one, Callee)]
                answered = CALLEE.get(move.does) == "answers"
                if move.does not in CALLEE or ringing != ([0] if answered else []) or (at_ms and not answered):
                    raise _UnspeakableError
                return number
            if not isinstance(move, Callee | Wait | Listen | Silence):
                raise _UnspeakableError
        if self.ended_ms or self.moves:
            raise _UnspeakableError
        return 0

    def _answered(self) -> str:
        number = self._picked_up()
        if not number:
            return "no_answer"
        does = CALLEE[getattr(self.moves[number - 1], "does", "")]
        return f"after {self.times[number - 1]}ms" if does == "answers" else does

    def _steps(self) -> Iterator[dict[str, Any]]:
        """Steps of a call script. Before each the player listens, so time is said only where somebody did not."""
        first = self._picked_up() if self.setting.inputs is not None else 0
        clock = self.times[first - 1] if first else 0
        between: list[Move] = []
        for move, at_ms in zip(self.moves[first:], self.times[first:], strict=True):
            if isinstance(move, Listen | Silence | Wait):
                between.append(move)
                continue
            said = _said(move)
            if said is None:
                continue
            if not between or not all(isinstance(one, Listen) for one in between):
                yield {"wait": f"{at_ms - clock}ms"}
            yield said
            clock, between = at_ms, []
        if any(not isinstance(one, Listen) for one in between):
            yield {"wait": f"{self.ended_ms - clock}ms"}


class _UnspeakableError(Exception):
    """A move that call scripts have no word for."""


def _said(move: Move) -> dict[str, Any] | None:
    match move:
        case Press():
            return {"press" if move.leg == "LEG-A" else "callee_press": move.keys}
        case Talk() if move.leg == "LEG-A":
            return {"speak": f"{move.ms}ms"}
        case HangUp() if move.code == 0:
            return {"hangup": "caller" if move.leg == "LEG-A" else "callee"}
        case Callee() if move.does in CALLEE:
            return {"callee": CALLEE[move.does]}
        case Callee(does="rings"):
            return None
        case MeetingEnds():
            return {"meeting": "ends"}
        case BotResult() if move.error:
            return {"bot": "failed"}
        case BotResult():
            slots = {name: "unset" if value is None else value for name, value in move.slots}
            return {"bot": {"intent": move.intent, "state": move.state, "slots": slots}}
        case Update():
            return {"update": dict(move.arguments)}
        case Break():
            for verb, known in BREAKABLE.items():
                if known.error == move.error and set(move.actions) <= set(known.actions):
                    return {"fail": verb}
    raise _UnspeakableError


def reproduction(trial: Trial) -> Reproduction:
    """What it takes to let the first violation of *trial* happen again.

    Raises:
        IndexError: nothing was found in it.
    """
    given = {name: tuple(items) for name, items in trial.given.items()}
    return Reproduction(
        str(trial.lab.path),
        trial.violations[0],
        trial.setting,
        tuple(trial.moves),
        tuple(trial.times),
        trial.ended_ms,
        given,
    )


def _short(value: Any) -> str:
    """A dataclass as it would be written: without what is at its default."""
    if not is_dataclass(value):
        return repr(value)
    shown: list[str] = []
    positional = True
    for one in fields(value):
        item = getattr(value, one.name)
        if one.default is not MISSING and item == one.default:
            positional = False
            continue
        shown.append(_short(item) if positional else f"{one.name}={_short(item)}")
    return f"{type(value).__name__}({', '.join(shown)})"


def _texts(value: Any) -> Any:
    """As YAML of plain texts: calls files know nothing else."""
    if isinstance(value, Mapping):
        return {str(key): _texts(item) for key, item in value.items()}
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Iterable):
        return [_texts(item) for item in value]
    return "unset" if value is None else str(value)
