"""Perform what the pure step asks for.

One door, :meth:`LocalServices.perform`: it never raises for what the world, a store or a hook does wrong, it always
comes back before the deadline where a timer exists, and it keeps the promises of the effect classes:

==============  =====================================================================================================
``read``        done again whenever it is asked again
``keyed``       done again; the callee knows the token and does it once
``repeatable``  done again; "gone already" is a success
``once``        behind a memo record: at most once, whatever happens (decision 18). Exactly once is impossible for an
                operation that takes no token
limits          one unit is reserved before the hook looks at anything (decision 20)
==============  =====================================================================================================

What went wrong is counted as a :class:`Trouble`, which names hooks and kinds of exceptions and never a value: an
exception's text may hold a PIN.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sma_flows.errors import ServiceError
from sma_flows.hooks import Call, Reply
from sma_flows.runtime.ask import FAILED, Secret, ServiceReply
from sma_flows.services.budget import BudgetSpentError, can_stop, run_within
from sma_flows.services.builtins import as_text, asked, need, run_builtin, setting
from sma_flows.services.jobs import START_S, clean_up_of, job_of
from sma_flows.services.outbound import Outbound
from sma_flows.services.ports import Meter, Ports, SystemClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sma_flows.hooks.load import HookKey
    from sma_flows.hooks.services import CallServices
    from sma_flows.runtime.ask import Ask, LimitUse
    from sma_flows.runtime.overlap import Overlaps
    from sma_flows.services.jobs import Jobs, Later
    from sma_flows.services.ports import Clock, LimitStore, MemoStore

LEASE_EXTRA_S: Final = 1.0
"""Seconds that a memo record waits beyond the hook's budget before it counts as lost (decision 18)."""

POLL_S: Final = 0.02
SLOWER: Final = 1.5
"""Seconds to the first look at a memo record that somebody else is about to write, and how they grow from look to look:
a look costs a read of the store."""

STORE_S: Final = 1.0
"""Longest wait for the store in front of a hook; never more than half of the hook's time."""

EARLY_S: Final = 0.05
"""So much earlier than the hook's timer a port gives up by itself: it knows better what went wrong, and is not stopped
in the middle of a connection that will be used again."""

LIMITED: Final = ServiceReply("limited")

_NO_PORTS: Final = Ports()


class Trouble(NamedTuple):
    """Something that went wrong and was answered with ``failed``, or that somebody should know of.

    ``reason`` is one of ``hook_missing``, ``hook_raised``, ``hook_late``, ``hook_reply`` (undeclared or unusable),
    ``port``, ``store``, ``memo_lost``, ``memo_busy``, ``memo_unwritten``, ``may_repeat``, ``no_timer``, ``journal``,
    ``cleanup_later`` (it will be tried again), ``cleanup_lost`` (it will not). ``what`` is the hook or port; ``detail``
    a kind of exception and a place in a file.
    """

    reason: str
    what: str
    detail: str = ""


class _UnusableError(Exception):
    """A reply that is not one."""


class LocalServices:
    """The world as the runtime sees it, behind ports.

    ``functions`` are the Python hooks by (revision, name). A store that is None is not configured: what needs it fails.
    ``within`` runs something for so many seconds at most; simulated calls, whose time is not ours, give another one.
    """

    __slots__ = (
        *("clock", "env", "functions", "jobs", "later", "limits", "memo", "meter", "outbound", "overlaps", "ports"),
        *("troubles", "within"),
    )

    def __init__(
        self,
        functions: Mapping[HookKey, Callable[..., object]] = MappingProxyType({}),
        ports: Ports = _NO_PORTS,
        memo: MemoStore | None = None,
        limits: LimitStore | None = None,
        jobs: Jobs | None = None,
        env: Mapping[str, str] = MappingProxyType({}),
        outbound: Outbound | None = None,
        clock: Clock | None = None,
        within: Callable[[float, Callable[[], ServiceReply]], ServiceReply] = run_within,
    ) -> None:
        self.functions = functions
        self.ports = ports
        self.memo = memo
        self.limits = limits
        self.jobs = jobs
        self.overlaps: Overlaps | None = None
        self.later: Later | None = None
        self.env = env
        self.outbound = outbound or Outbound()
        self.clock = clock or SystemClock()
        self.within = within
        self.meter = Meter()
        self.troubles: list[Trouble] = []

    def take_troubles(self) -> list[Trouble]:
        """What went wrong since the last time this was asked."""
        taken, self.troubles = self.troubles, []
        return taken

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        """Do *ask* before the ``time.monotonic()`` value *deadline*."""
        reply = self._perform(ask, deadline)
        if ask.later and reply.outcome == "failed":
            self._hand_over(ask)
        return reply

    def _hand_over(self, ask: Ask) -> None:
        """A piece of clean-up has failed, and nobody is on the line who could wait for another try."""
        try:
            if self.later is None:
                raise ServiceError("nothing is configured that works outside the call")
            self.later.hand_over(clean_up_of(ask), ask.token, START_S)
        except ServiceError as error:
            self._trouble("cleanup_lost", ask, type(error).__name__)
        else:
            self._trouble("cleanup_later", ask)

    def _perform(self, ask: Ask, deadline: float) -> ServiceReply:
        deadline = min(deadline, self.clock.monotonic() + ask.budget_ms / 1000)
        try:
            if ask.port == "call.ended":
                return self._note_end(ask, deadline)
            ask = self._classed(ask)
            reply = self._limited(ask, deadline) if ask.limits else self._protected(ask, deadline)
            return self._too_late(ask, reply)
        except ServiceError as error:
            return self._failed("store", ask, type(error).__name__)

    def _classed(self, ask: Ask) -> Ask:
        """*ask* with the effect class that it has here: a queue that knows no tokens takes a message again."""
        if ask.effect == "keyed" and ask.hook.get("builtin") == "queue.put" and self.ports.queue is not None:
            queue = setting(ask.hook.get("with", {}).get("queue"), self.env)
            if isinstance(queue, str) and not self.ports.queue.knows_tokens(queue):
                return ask._replace(effect="once")
        return ask

    def _protected(self, ask: Ask, deadline: float) -> ServiceReply:
        return self._once(ask, deadline) if ask.effect == "once" else self._do(ask, deadline)

    # -- hooks that outlive their call (decision 23) ------------------------------------------------------------------

    def _note_end(self, ask: Ask, deadline: float) -> ServiceReply:
        if self.memo is not None:
            self.memo.end(ask.call.id, self.clock.now(), self._wait(deadline))
        return ServiceReply("done")

    def _too_late(self, ask: Ask, reply: ServiceReply) -> ServiceReply:
        """*reply*, with a mark if the call ended while something was made that can be undone."""
        if not ask.hook.get("undo") or ask.cleanup or reply.outcome == "failed" or self.memo is None:
            return reply
        try:
            return reply._replace(ended=self.memo.ended(ask.call.id, self.clock.now(), STORE_S))
        except ServiceError as error:  # the mark in the saved call is left, as without a store
            self._trouble("store", ask, type(error).__name__)
            return reply

    # -- limits over calls (decision 20) ------------------------------------------------------------------------------

    def _limited(self, ask: Ask, deadline: float) -> ServiceReply:
        if self.limits is None:
            return self._failed("store", ask, "no store for limits")
        reserved: list[LimitUse] = []
        try:
            for use in ask.limits:
                now, wait = self.clock.now(), self._wait(deadline)
                if not self.limits.reserve(use.name, use.key, ask.token, use.max, use.window_s, now, wait):
                    return LIMITED
                reserved.append(use)
            reply = self._protected(ask, deadline)
            for use in [use for use in reserved if use.outcome == reply.outcome]:
                reserved.remove(use)
                if self.limits.use(use.name, use.key, ask.token, STORE_S) >= use.max:
                    reply = LIMITED
            return reply
        finally:
            for use in reserved:
                self._give_back(use, ask)

    def _give_back(self, use: LimitUse, ask: Ask) -> None:
        assert self.limits is not None  # noqa: S101 - it reserved
        try:
            self.limits.give_back(use.name, use.key, ask.token, STORE_S)
        except ServiceError as error:  # the unit stays until its window ends: the limit is stricter, never looser
            self._trouble("store", ask, type(error).__name__)

    # -- at most once (decision 18) -----------------------------------------------------------------------------------

    def _once(self, ask: Ask, deadline: float) -> ServiceReply:
        budget = max(deadline - self.clock.monotonic(), 0.0)
        try:
            if self.memo is None:
                raise ServiceError("no store")
            memo = self.memo.begin(ask.token, budget + LEASE_EXTRA_S, self.clock.now(), self._wait(deadline))
            pause = POLL_S
            while memo.state == "wait" and self.clock.monotonic() + pause < deadline:
                self.clock.sleep(pause)
                pause *= SLOWER
                memo = self.memo.look(ask.token, self.clock.now(), self._wait(deadline))
        except ServiceError as error:
            if not ask.cleanup:
                return self._failed("store", ask, type(error).__name__)
            # Nobody is on the line any more and nobody will ask again: a second time is better than never.
            self._trouble("may_repeat", ask, type(error).__name__)
            return self._do(ask, deadline)
        if memo.state == "reply":
            return self._remembered(ask, memo.reply)
        if memo.state != "run":
            return self._failed("memo_busy" if memo.state == "wait" else "memo_lost", ask)
        reply = self._do(ask, deadline)
        try:
            self.memo.finish(ask.token, _memo_text(ask, reply), self.clock.now(), STORE_S)
        except ServiceError as error:
            self._trouble("memo_unwritten", ask, type(error).__name__)
        return reply

    def _remembered(self, ask: Ask, text: str) -> ServiceReply:
        record = json.loads(text)
        if record.get("withheld"):  # a secret was given, and a secret is not kept
            return self._failed("memo_lost", ask, "the reply held a secret")
        return ServiceReply(record["outcome"], record["values"])

    # -- the work itself ----------------------------------------------------------------------------------------------

    def _do(self, ask: Ask, deadline: float) -> ServiceReply:
        if not can_stop():
            self._trouble("no_timer", ask)
        seconds = deadline - self.clock.monotonic()
        if seconds <= 0:
            return self._failed("hook_late", ask, "no time left")
        work = {"hook": self._hook, "hook.start": self._start}.get(ask.port, self._port)
        try:
            return self.within(seconds, lambda: work(ask, deadline))
        except BudgetSpentError:
            return self._failed("hook_late", ask, f"stopped after {int(seconds * 1000)} ms")
        except ServiceError as error:
            # The texts of our own exceptions hold no values.
            return self._failed("port", ask, str(error))
        except _UnusableError as error:
            return self._failed("hook_reply", ask, str(error))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a hook is somebody else's code
            return self._failed("hook_raised", ask, _where(error))

    def _hook(self, ask: Ask, deadline: float) -> ServiceReply:
        if "builtin" in ask.hook:
            reply: object = self._builtin(ask, deadline)
        else:
            function = self.functions.get((ask.revision, ask.name))
            if function is None:
                return self._failed("hook_missing", ask)
            info, services = ask.call, self._services_for(ask, deadline) if ask.hook.get("uses") else None
            facts = (info.id, info.caller, info.called, info.locale, info.state, info.direction)
            reply = function(Call(*facts, ask.token, deadline, services), *ask.args)
        return _usable(ask, reply)

    def _start(self, ask: Ask, deadline: float) -> ServiceReply:
        if self.jobs is None:
            raise ServiceError("nothing is configured that works outside the call")
        self.jobs.start(job_of(ask), min(self._left(deadline), START_S))
        return ServiceReply("done")

    def _builtin(self, ask: Ask, deadline: float) -> ServiceReply:
        return run_builtin(ask, self.ports, self.outbound, self.env, self.clock.now(), self._left(deadline - EARLY_S))

    def _services_for(self, ask: Ask, deadline: float) -> CallServices:
        """The services that a hook of the author's own may use: its built-ins, with tokens made of its own."""
        from sma_flows.hooks.services import CallServices  # here: most hooks use none

        def run(
            name: str, args: tuple[Any, ...], fields: Mapping[str, Any], settings: Mapping[str, Any], nth: int
        ) -> Reply:
            inner = self._classed(asked(ask, name, args, fields, settings, nth))
            reply = self._once(inner, deadline) if inner.effect == "once" else self._builtin(inner, deadline)
            if reply.outcome == "failed":
                raise ServiceError(f"{name} failed")
            return Reply(reply.outcome, **reply.values)

        return CallServices(run)

    def _port(self, ask: Ask, deadline: float) -> ServiceReply:
        meetings, now, left = (
            need(self.ports.meetings, "meeting service"),
            self.clock.now(),
            self._left(deadline - EARLY_S),
        )
        texts = [as_text(argument) for argument in ask.args]
        match ask.port, texts:
            case "meetings.attend", [meeting]:
                attendee = meetings.attend(meeting, ask.token, now, left)
                return ServiceReply("done", {"attendee": attendee.id, "token": attendee.join_token})
            case "meetings.leave", [meeting, someone]:
                meetings.leave(meeting, someone, now, left)
                return ServiceReply("done")
            case "meetings.roster", [meeting]:
                return ServiceReply("done", {"attendees": list(meetings.roster(meeting, left))})
            case _:
                raise ServiceError(f"there is no port '{ask.port}' with {len(texts)} arguments")

    # -- small things -------------------------------------------------------------------------------------------------

    def _left(self, deadline: float) -> float:
        return max(deadline - self.clock.monotonic(), 0.0)

    def _wait(self, deadline: float) -> float:
        return min(self._left(deadline) / 2, STORE_S)

    def _trouble(self, reason: str, ask: Ask, detail: str = "") -> None:
        self.troubles.append(Trouble(reason, ask.name if ask.port == "hook" else ask.port, detail))

    def _failed(self, reason: str, ask: Ask, detail: str = "") -> ServiceReply:
        self._trouble(reason, ask, detail)
        return FAILED


def _usable(ask: Ask, reply: object) -> ServiceReply:
    """What a hook returned, as a reply of plain values.

    Raises:
        _UnusableError: an outcome that is not declared, something that is no reply, values that are not plain.
    """
    outcomes: Mapping[str, Mapping[str, Any]] = ask.hook.get("outcomes") or {"done": {}}
    values: Mapping[str, Any] = {}
    if reply is None:
        outcome = ask.hook.get("main") or next(iter(outcomes))
    elif isinstance(reply, str):
        outcome = reply
    elif isinstance(reply, Reply | ServiceReply):
        outcome, values = reply.outcome, reply.values
    else:
        raise _UnusableError(f"returned {type(reply).__name__}")
    if outcome == "failed":
        return FAILED
    if not isinstance(outcome, str) or outcome not in outcomes:
        raise _UnusableError("outcome not declared")
    declared = outcomes[outcome] or {}
    plain: dict[str, Any] = {}
    for name, value in values.items():
        if name not in declared:
            raise _UnusableError(f"result not declared by '{outcome}'")
        if isinstance(value, Secret):
            if not declared[name].get("secrecy"):
                raise _UnusableError("a secret in a result that is not declared secret or masked")
            value = value.reveal()
        plain[name] = _plain(value)
    return ServiceReply(outcome, plain)


def _plain(value: object) -> Any:
    """Text, numbers, booleans, lists and maps; anything else cannot be saved in the call."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(item) for key, item in value.items()}
    raise _UnusableError(f"a result is {type(value).__name__}")


def _memo_text(ask: Ask, reply: ServiceReply) -> str:
    """The record of a reply. A reply with a secret is remembered as such and not kept (decision 12)."""
    declared: Mapping[str, Mapping[str, Any]] = (ask.hook.get("outcomes") or {}).get(reply.outcome) or {}
    secret = any(declared[name].get("secrecy") == "secret" for name in reply.values if name in declared)
    record: dict[str, Any] = {"outcome": reply.outcome, "values": {} if secret else dict(reply.values)}
    if secret:
        record["withheld"] = True
    return json.dumps(record)


def _where(error: BaseException) -> str:
    """The kind of an exception and the place where it was raised; never its text."""
    trace, places = error.__traceback__, [""]
    while trace is not None:
        places.append(f" at {PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return type(error).__name__ + places[-1]


def troubles_by_reason(troubles: Sequence[Trouble]) -> dict[str, int]:
    """How often each reason occurred: what a metric counts."""
    counts: dict[str, int] = {}
    for trouble in troubles:
        counts[trouble.reason] = counts.get(trouble.reason, 0) + 1
    return counts
