"""The world of a call whose hooks are scripted: replies in turn, a clock of its own, counters of what was done.

Stands on what a deployed function holds, and on nothing else of the tools: :mod:`sma_flows.testing.rehearsal` takes it
into the real Lambda runtime.
"""

from __future__ import annotations

import base64
import pickle
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sma_flows.errors import PlanError
from sma_flows.hooks import Call, Reply
from sma_flows.plan import FlowPlan
from sma_flows.runtime.ask import FAILED, Ask, Secret, ServiceReply
from sma_flows.runtime.frame import Visit
from sma_flows.runtime.program import Program
from sma_flows.runtime.work import ANSWER_S
from sma_flows.services.budget import run_within
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.jobs import job_of, result_of, work_of
from sma_flows.services.ports import Ports, SystemClock
from sma_flows.testing.stubs import Reaction, reaction

__all__ = ["REHEARSAL", "STORES", "CallClock", "World", "packed", "typed", "unpacked"]

STORES: Final = "SMA_FLOWS_REHEARSAL_STORES"
"""Environment value of a rehearsal: a folder for the stores of the calls. Several processes may share it."""

REHEARSAL: Final = "Rehearsal"
"""The key of an event and of an answer that holds what belongs to a script (:mod:`sma_flows.testing.rehearsal`)."""


_SEEN: Final = ("ran", "runs", "turns", "asked", "problems", "secrets", "tokens")


class CallClock(SystemClock):
    """The wall clock of the call. The other stands still while an answer is made: a slow machine is no slow hook."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.slept = self.worked = 0.0
        self._began = super().monotonic()

    def set(self, at: datetime) -> None:
        """Another event comes."""
        self.at = at
        self.slept = self.worked = 0.0
        self._began = super().monotonic()

    def now(self) -> float:
        """Seconds since 1970, as the script says, and what hooks have worked since."""
        return self.at.timestamp() + self.worked

    def monotonic(self) -> float:
        """When this answer began."""
        return self._began

    def sleep(self, seconds: float) -> None:
        """Let time pass without waiting."""
        self._began += seconds
        self.slept += seconds


Function = Callable[[], object]
"""A hook's function or a scripted reply, ready to be run."""


def _only(_ask: Ask, function: Function) -> object:
    return function()


def _at_once(_seconds: float, function: Callable[[], ServiceReply]) -> ServiceReply:
    """What is scripted takes no time of ours, and is not stopped."""
    return function()


@dataclass(slots=True)
class World:
    """What the runtime asks during one call.

    ``ran`` counts how often each hook did its work, ``runs`` how often it did for each effect token (decision 16).
    ``stubs`` are replies by hook as in a calls file, or functions that are given the ask and give such a reply.
    ``watch`` fills with what walks come by, if the world was made to be watched. ``between`` stands between hooks and
    whoever asks: it is given the ask and the function, and returns or raises what counts as the function's.
    """

    program: Program
    plan: FlowPlan
    services: LocalServices
    clock: CallClock
    stubs: Mapping[str, Any]
    ran: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    turns: Counter[str] = field(default_factory=Counter)
    asked: list[tuple[Ask, ServiceReply]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    later: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    spent_ms: int = 0
    watch: list[Visit] = field(default_factory=list)
    between: Callable[[Ask, Function], object] = _only

    def seen(self) -> dict[str, Any]:
        """What stubs and counters know of the call so far, to be taken over elsewhere with :meth:`see`."""
        seen = {name: getattr(self, name) for name in _SEEN}
        asked = [(a._replace(hook=dict(a.hook)), r._replace(values=dict(r.values))) for a, r in self.asked]
        return {**seen, "asked": asked}  # views of maps do not travel

    def see(self, seen: Mapping[str, Any]) -> None:
        """Take over what another world of the same call knows."""
        for name in _SEEN:
            setattr(self, name, seen[name])

    def close(self) -> None:
        """Let the store go: a thousand calls shall not hold a thousand stores."""
        self.services.memo = self.services.limits = self.services.overlaps = self.services.later = None
        self.services.ports = Ports()

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        """Do what is asked: as the call's ``stub`` says, else with the real hook against an empty store."""
        self.secrets.update(value.reveal() for value in ask.args if isinstance(value, Secret))
        if ask.port == "hook.start":
            return self._long(ask)
        name = ask.name if ask.port == "hook" else ask.port
        self.services.within = _at_once
        if name in self.stubs:
            reply = self._scripted(ask, name, deadline)
        elif ask.port == "hook" and "builtin" not in ask.hook:
            self.services.functions = {**self.services.functions, (ask.revision, name): self._counted(ask)}
            self.services.within = run_within
            reply = self.services.perform(ask, deadline)
        else:
            if ask.port == "hook":
                self.ran[name] += ask.token not in self.tokens  # the callee knows the token and does it once
                self.tokens.add(ask.token)
            reply = self.services.perform(ask, deadline)
        self.asked.append((ask, reply))
        return reply

    def _long(self, ask: Ask) -> ServiceReply:
        """A hook that works outside the call. What comes of it is known at once here, and told when its time comes."""
        if ask.token in self.tokens:
            return ServiceReply("done")
        self.tokens.add(ask.token)
        work = work_of(job_of(ask), self.program)
        spent, self.spent_ms = self.spent_ms, 0
        reply = self.perform(work, time.monotonic() + work.budget_ms / 1000)
        self.later.append((self.spent_ms, result_of(ask.token, reply)))
        self.spent_ms = spent
        self.clock.worked = spent / 1000
        return ServiceReply("done")

    def _scripted(self, ask: Ask, name: str, deadline: float) -> ServiceReply:
        """The next reply of a stub; its time is virtual. A hook's goes through memo and limits as a real one does."""
        if ask.port != "hook":
            self.ran[name] += 1
            turn = self._turn(ask, name)
            in_time = self._spend(ask, turn)
            return ServiceReply(turn.outcome, turn.values) if in_time and not turn.fails else FAILED
        declared = {key: value for key, value in ask.hook.items() if key not in ("builtin", "with")}
        self.services.functions = {**self.services.functions, (ask.revision, name): self._stub(ask)}
        return self.services.perform(ask._replace(hook=declared), deadline)

    def _spend(self, ask: Ask, turn: Reaction) -> bool:
        """Let virtual time pass; False: more than the hook's budget, or than one answer may take."""
        inside = not ask.hook.get("long")  # a long hook has time of its own
        allowed = max(0, min(ask.budget_ms, round(ANSWER_S * 1000) - self.spent_ms) if inside else ask.budget_ms)
        self.spent_ms += min(allowed, turn.after_ms)
        self.clock.worked = self.spent_ms / 1000
        return turn.after_ms <= allowed

    def _counted(self, ask: Ask) -> Callable[..., object]:
        known = self.services.functions.get((ask.revision, ask.name))
        inner = getattr(known, "__wrapped__", known)

        def run(call: Call, *args: object) -> object:
            self._count(ask)
            if inner is None:
                raise PlanError(f"the hook '{ask.name}' is missing")
            return self.between(ask, lambda: inner(call, *args))

        run.__wrapped__ = inner  # type: ignore[attr-defined]
        return run

    def _stub(self, ask: Ask) -> Callable[..., object]:
        outcomes: Mapping[str, Mapping[str, Any]] = ask.hook.get("outcomes") or {"done": {}}

        def run(_call: Call, *_args: object) -> object:
            self._count(ask)
            return self.between(ask, reply)

        def reply() -> Reply:
            turn = self._turn(ask, ask.name)
            if not self._spend(ask, turn) or turn.fails:
                raise PlanError("the call script says so")
            if turn.outcome not in outcomes:
                known = ", ".join([*outcomes, "raises", "late"])
                self.problems.append(f"the stub of {ask.name} gives '{turn.outcome}': it can give {known}")
                raise PlanError("no such outcome")
            types = outcomes[turn.outcome] or {}
            return Reply(
                turn.outcome, **{key: typed(value, types.get(key) or {}) for key, value in turn.values.items()}
            )

        return run

    def _count(self, ask: Ask) -> None:
        self.ran[ask.name] += 1
        self.runs[ask.token] += 1

    def _turn(self, ask: Ask, name: str) -> Reaction:
        """The reply whose turn it is; the last one stays."""
        stub = self.stubs[name]
        if callable(stub):
            return reaction(stub(ask))
        if not isinstance(stub, list):
            return reaction(stub)
        turn = self.turns[name]
        self.turns[name] += 1
        return reaction(stub[min(turn, len(stub) - 1)])


def typed(value: Any, kind: Mapping[str, Any]) -> Any:
    """A stub's text as the declared type of a hook result."""
    if isinstance(value, list):
        return [typed(item, kind.get("item") or {}) for item in value]
    if kind.get("t") == "number":
        return int(value)
    if kind.get("t") == "boolean":
        return value in (True, "true", "yes", "on")
    return None if value == "unset" else value


def packed(value: object) -> str:
    """A value of ours as text."""
    return base64.b64encode(pickle.dumps(value)).decode()


def unpacked(text: str) -> Any:
    """The value again. Only for texts of :func:`packed`, from our own processes on this machine."""
    return pickle.loads(base64.b64decode(text))  # noqa: S301 - see above
