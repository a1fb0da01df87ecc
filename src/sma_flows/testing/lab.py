"""Calls that are tried out: a flow that answers, one call after the other, moves that are made, a watch over each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sma_flows.plan import FlowPlan
from sma_flows.runtime.ask import Ask
from sma_flows.runtime.program import Schedule
from sma_flows.simulator.messages import (
    BotResult,
    Break,
    Callee,
    HangUp,
    Key,
    MeetingEnds,
    OutboundCall,
    Stray,
    Talk,
    Update,
)
from sma_flows.simulator.switches import Switches
from sma_flows.testing.hidden import Disguising, disguised_pairs, taken_by, undisguised
from sma_flows.testing.invariants import Violation, Watch
from sma_flows.testing.moves import Faulty, Function, Listen, Move, Press, Silence, Wait, make
from sma_flows.testing.script import CALLER, OWN_NUMBER, SOME_DAY
from sma_flows.testing.session import Session, service_of
from sma_flows.testing.targets import InProcess, Target
from sma_flows.testing.world import World, spec_of

__all__ = ["Answers", "Lab", "Pairs", "Setting", "Trial", "some_value"]

Answers = Callable[[Ask], Any]
"""What a hook or a port answers, as a calls file writes it: ``wrong``, ``{ok: {room: m-1}}``, ``raises``, ``late``."""

Pairs = tuple[tuple[str, str], ...]
"""Names with values, where a mapping has to be hashable."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a call begins. ``inputs`` are the arguments of an outbound call; None: somebody calls us.

    ``switches`` are those that are not at their default.
    """

    at: datetime = SOME_DAY
    from_: str = CALLER
    to: str = OWN_NUMBER
    headers: Pairs = ()
    inputs: Pairs | None = None
    switches: Pairs = ()


class Lab:
    """A compiled flow that answers calls in this process, as often as one likes.

    *env* has precedence over the ``local.env`` beside the flow. *wrap* puts something around whoever answers: a broken
    handler, say. Hooks and ports never run: what they answer is given with each call. *watched*: turns and the trail of
    a call's session say what it came by in the flow. *switches* hold in every call.

    Raises:
        UnplayableError: no such flow, it does not compile, or a value of its environment is missing.
        SwitchError: there is no such switch, or it has no such value.
    """

    def __init__(
        self,
        flow: Path | str,
        *,
        env: Mapping[str, str] | None = None,
        wrap: Callable[[Target], Target] | None = None,
        watched: bool = False,
        switches: Mapping[str, str] | None = None,
    ) -> None:
        self.path = Path(flow)
        Switches().having(switches or {})
        self.switches = dict(switches or {})
        every = _Every()
        self._spec = spec_of(self.path, env=env or {}, stubs=every, at=SOME_DAY)
        self._wrap = wrap
        self.watched = watched
        self.flow: FlowPlan = self._spec.plan.flow(self._spec.flow)
        self.name = self._spec.flow
        opened = self._spec.open()
        self._program = opened.program
        opened.close()

    @property
    def outbound(self) -> bool:
        """Whether the flow's calls are placed by us."""
        return bool(self.flow["entry"] == "outbound")

    def setting(self) -> Setting:
        """How a usual call begins; an outbound one with the plainest value of each argument."""
        usual = Setting(switches=self.settled({}))
        if not self.outbound:
            return usual
        inputs = {name: some_value(self.flow["vars"][name]) for name in self.flow.get("inputs", ())}
        given = tuple((name, str(value)) for name, value in inputs.items())
        return replace(usual, from_=OWN_NUMBER, to=CALLER, inputs=given)

    def settled(self, switches: Mapping[str, str]) -> Pairs:
        """*switches* of one call as they are written in its setting; those of the lab win."""
        return tuple(sorted(Switches().having({**switches, **self.switches}).changed().items()))

    @contextmanager
    def call(
        self,
        setting: Setting,
        answers: Answers,
        *,
        repeat: bool = True,
        store: str = "memory",
        prepare: Callable[[Trial], object] = lambda _trial: None,
    ) -> Iterator[Trial]:
        """A call that has just begun. With *repeat* every event is given to the flow twice, and must get the same.

        *store* is that of a :class:`~sma_flows.testing.world.WorldSpec`; *prepare* is told before the call begins.
        """
        spec = replace(self._spec, stubs=_Every(answers), at=setting.at, watched=self.watched, store=store)
        world = spec.open(self._program)
        try:
            trial = Trial(self, setting, world, repeat=repeat)
            prepare(trial)
            trial.begin()
            yield trial
        finally:
            world.close()

    def play(self, setting: Setting, moves: Iterable[Move], answers: Answers | Mapping[str, Sequence[Any]]) -> Trial:
        """A whole call: the moves in turn, as far as each makes sense, then everybody hangs up.

        *answers* may be lists by hook: they are given in turn to effects that were not asked for before, then the
        first outcome of the hook.
        """
        with self.call(setting, in_turn(answers) if isinstance(answers, Mapping) else answers) as trial:
            for move in moves:
                trial.make(move)
            trial.finish()
            return trial

    def target(self, world: World) -> Target:
        """Who answers the events of one call."""
        target: Target = InProcess(world)
        return self._wrap(target) if self._wrap is not None else target

    @property
    def values(self) -> Mapping[str, str]:
        """The values of ``env.NAME``."""
        return self._spec.values

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """The opening hours of the flow, by name."""
        flow = self._program.current(self.name)
        return flow.schedules if flow is not None else {}

    @property
    def numbers(self) -> list[str]:
        """The numbers of the account, as far as the flow's environment names them."""
        return [value for value in self.values.values() if value.startswith("+")]


class Trial:
    """One call that is tried out: ``session`` is the call, ``watch`` judges it.

    ``moves`` are those that were made, ``times`` when (virtual ms; the last ended at ``ended_ms``), ``given`` what
    hooks and ports answered, by name and in the order of the effects. ``disguise`` is that of a
    :class:`~sma_flows.testing.play.Player`: what is hidden passes through it.
    """

    def __init__(self, lab: Lab, setting: Setting, world: World, *, repeat: bool = True) -> None:
        self.lab = lab
        self.setting = setting
        self.world = world
        self.moves: list[Move] = []
        self.times: list[int] = []
        self.ended_ms = 0
        self.disguise: Disguising = undisguised
        self.watch = Watch(lab.target(world), lab.flow, world, repeat=repeat)
        self._faulty = Faulty(self.watch)
        self.session = self.watch.session = Session(
            self._faulty,
            lab.flow,
            at=setting.at,
            service=service_of(setting.at, (setting.to, setting.from_, *lab.numbers)),
            switches=Switches().having(dict(setting.switches)),
        )

    def begin(self) -> None:
        """Somebody calls, or is called."""
        setting = self.setting
        if setting.inputs is None:
            self.session.phone.dial_in(setting.from_, setting.to, dict(setting.headers))
        else:
            inputs = disguised_pairs(dict(setting.inputs), self.lab.flow.get("vars", {}), self.disguise)
            call = OutboundCall(setting.to, setting.from_, tuple(inputs.items()), setting.headers)
            self.session.phone.dial_out(call)
        self._look()

    def make(self, move: Move) -> bool:
        """Let one thing happen; False when it makes no sense now, or when the call has gone wrong already."""
        if self.watch.found or self.session.phone.over:
            return False
        at_ms = self.session.phone.now_ms
        if isinstance(move, Function):
            self._faulty.next(move)
            made = True
        else:
            self._tell(move)
            made = make(self.session, self._disguised(move))
            if not made:
                self.session.lines.pop()
        if made:
            self.moves.append(move)
            self.times.append(at_ms)
        self._look()
        return made

    def _disguised(self, move: Move) -> Move:
        match move:
            case Press() if secrecy := self.session.asks_for:
                return replace(move, keys=self.disguise(move.keys, secrecy))
            case Update():
                given = disguised_pairs(dict(move.arguments), taken_by(self.lab.flow), self.disguise)
                return replace(move, arguments=tuple(given.items()))
        return move

    def pass_until(self, here: Callable[[Trial], bool], most: int) -> bool:
        """Let time pass, from timer to timer (at most so many), until *here* holds; False: it never does.

        In ``moves`` that is a :class:`~sma_flows.testing.moves.Wait`, or one before each move that *here* makes.
        """
        since, known, session = self.session.phone.now_ms, len(self.moves), self.session
        for _ in range(most):
            there = here(self)
            if len(self.moves) > known:
                made_at = self.times[known]
                self._waited(known, since, made_at)
                since, known = made_at, len(self.moves)
            if there:
                break
            if self.watch.found or not session.tick():
                return False
            self._look()
        else:
            return False
        self._waited(len(self.moves), since, session.phone.now_ms)
        return True

    def _waited(self, place: int, since: int, until: int) -> None:
        if until > since:
            self.moves.insert(place, Wait(until - since))
            self.times.insert(place, since)

    def _tell(self, move: Move) -> None:
        self.session.note(f"> {told(move)}")

    def _look(self) -> None:
        self.watch.faulty = self._faulty.used > 0
        if self.watch.found:
            self._faulty.stop()

    def finish(self) -> None:
        """Everybody listens to the end and hangs up; then the whole call is judged."""
        session = self.session
        self.ended_ms = session.phone.now_ms
        if not self.watch.found:
            session.rest()
            self._look()
        first = session.phone.network.leg("LEG-A")
        ringing = first is not None and first.status == "ringing"
        for last in (Callee("no_answer"),) if ringing else (HangUp("LEG-A"), HangUp("LEG-B")):
            tag = getattr(last, "leg", "LEG-A")
            leg = session.phone.network.leg(tag)
            if not session.phone.over and leg is not None and not leg.gone:
                self._tell(last)
                session.phone.send(last)
                session.phone.settle()
                session.listen()
        session.phone.settle()
        session.listen()
        self._look()
        if not self.watch.found:
            self.watch.end()

    def is_secret(self, variable: object) -> bool:
        """Whether a variable of the flow is a secret."""
        kind = self.lab.flow.get("vars", {}).get(variable, {})
        return bool(kind.get("secrecy") == "secret")

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What did not hold; the first one ends the call."""
        return self.watch.violations

    @property
    def given(self) -> dict[str, list[Any]]:
        """What hooks and ports answered, in the order in which their effects were asked for first."""
        answers = self.world.stubs
        return answers.given if isinstance(answers, _Every) else {}


class _Every(dict[str, Any]):
    """Stubs for whatever is asked: one answer for each effect token, so that a repetition gets the same."""

    def __init__(self, answers: Answers | None = None) -> None:
        super().__init__()
        self._answers = answers
        self._known: dict[str, Any] = {}
        self.given: dict[str, list[Any]] = {}

    def __contains__(self, _name: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, _name: str) -> Answers:
        return self._answer

    def _answer(self, ask: Ask) -> Any:
        name = ask.name if ask.port == "hook" else ask.port
        key = f"{name} {ask.token}"
        if key not in self._known:
            self._known[key] = usual(ask) if self._answers is None else self._answers(ask)
            self.given.setdefault(name, []).append(self._known[key])
        return self._known[key]


PORTS: Final[Mapping[str, Any]] = {
    "meetings.attend": {"done": {"attendee": "attendee-1", "token": "join-token-1"}},
    "meetings.roster": {"done": {"attendees": ["attendee-1"]}},
}
"""What the runtime's own ports answer when all is well."""


def usual(ask: Ask) -> Any:
    """The first declared outcome with some value for each result."""
    if ask.port != "hook":
        return PORTS.get(ask.port, "done")
    outcomes: Mapping[str, Any] = ask.hook.get("outcomes") or {"done": {}}
    outcome = str(ask.hook.get("main") or next(iter(outcomes)))
    values = {name: some_value(kind) for name, kind in (outcomes[outcome] or {}).items()}
    return {outcome: values} if values else outcome


def some_value(kind: Mapping[str, Any]) -> Any:
    """The plainest value of a declared type (``docs/plan.md``, TYPE)."""
    low = kind.get("min") or 0
    match kind["t"]:
        case "digits":
            return "1" * max(1, low)
        case "text":
            return "example"[: kind.get("max") or 7].ljust(low, "x")
        case "one_of":
            return (kind.get("words") or ["x"])[0]
        case "number":
            return low
        case "boolean":
            return False
        case "phone":
            return "+12065550150"
        case "list":
            return []
        case "recording":
            return {"bucket": "example-voicemails", "key": "message.wav"}
        case "map":
            return {}
        case other:
            return {"locale": "en-US", "leg": "A", "audio": "hold.wav", "prompt": "welcome"}.get(other, "x")


def in_turn(answers: Mapping[str, Sequence[Any]]) -> Answers:
    """Answers from lists by hook or port, then the usual ones."""
    left = {name: list(items) for name, items in answers.items()}

    def answer(ask: Ask) -> Any:
        queue = left.get(ask.name if ask.port == "hook" else ask.port)
        return queue.pop(0) if queue else usual(ask)

    return answer


def told(move: Move) -> str:
    """A move in a transcript: never which keys, never what the parameters of an event hold."""
    match move:
        case Listen():
            return "everybody listens"
        case Silence():
            return "nobody does anything"
        case Wait():
            return f"{move.ms / 1000:g} s go by"
        case Press():
            count = len(move.keys)
            return f"{move.leg} presses {count} key{'s' if count != 1 else ''}"
        case Key():
            return f"{move.leg} presses 1 key"
        case Talk():
            return f"{move.leg} speaks for {move.ms / 1000:g} s"
        case HangUp():
            return f"{move.leg} hangs up"
        case Callee():
            return f"the called party: {move.does.replace('_', ' ')}"
        case MeetingEnds():
            return "the meeting ends"
        case BotResult():
            return f"the bot fails: {move.error}" if move.error else f"the bot is done: {move.intent}"
        case Update():
            return f"an update with {', '.join(name for name, _ in move.arguments) or 'nothing'}"
        case Break():
            return f"the next {' or '.join(move.actions)} fails: {move.error}"
        case Stray():
            action = json.loads(move.data).get("Type", "") if move.data else ""
            again = "again, with its old number" if move.sequence is not None else "once more"
            return f"the service sends {' '.join(filter(None, (move.type, action)))} {again}"
        case Function():
            return f"the next answer of the function: {move.how}"
