"""A plan made ready to run: environment values filled in, states prepared when they are first entered.

Preparing lazily keeps a cold start independent of the size of the flow, and an event costs the same in a flow of ten
states and of five thousand (measured: ``docs/benchmarks.md``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sma_flows.errors import PlanError
from sma_flows.protocol.events import Invocation
from sma_flows.runtime.ask import Secret
from sma_flows.runtime.nodes import VERBS, Node
from sma_flows.runtime.rollout import ROLLOUT, Rollout
from sma_flows.runtime.speech import Speech
from sma_flows.runtime.values import MismatchError, Value, coerce, compile_condition, compile_value, show

if TYPE_CHECKING:
    from sma_flows.plan import FlowPlan, Plan
    from sma_flows.runtime.frame import Frame, Visit

APOLOGY: Final = "We are sorry, there is a technical problem. Goodbye."
"""Last words of a flow that declares none."""


class Policy:
    """Which numbers a flow may call: prefixes, longest match wins, deny before allow on a tie."""

    __slots__ = ("_allow", "_deny", "caller_id")

    def __init__(self, policy: Mapping[str, Any], compile_: Callable[[Sequence[Any]], Value]) -> None:
        self._allow = [compile_(item) for item in policy.get("allow", ())]
        self._deny = [compile_(item) for item in policy.get("deny", ())]
        self.caller_id: Sequence[Any] | None = policy.get("caller_id")

    def allows(self, frame: Frame, number: str) -> bool:
        """Whether *number* may be called. Without any `allow` only what is denied is refused."""
        allow = _longest(number, [value(frame) for value in self._allow])
        deny = _longest(number, [value(frame) for value in self._deny])
        if deny and deny >= allow:
            return False
        return bool(allow) or not self._allow


def _longest(number: str, prefixes: Sequence[object]) -> int:
    """Length of the longest prefix of *number*; a value may hold several, separated by commas."""
    best = 0
    for value in prefixes:
        for prefix in show(value).split(","):
            word = prefix.strip()
            if word and number.startswith(word):
                best = max(best, len(word))
    return best


class Schedule:
    """Periods of a week and of dates in one time zone. The first range that holds decides, top down."""

    __slots__ = ("_periods", "_zone", "_zone_name")

    def __init__(self, schedule: Mapping[str, Any]) -> None:
        self._zone_name: str = schedule["zone"]
        self._zone: dt.tzinfo | None = None
        self._periods: Sequence[tuple[str, Sequence[Mapping[str, Any]]]] = schedule["periods"]

    def open(self) -> dt.tzinfo:
        """Read the zone's data, which takes as long as several events.

        Raises:
            LookupError: there are none on this machine.
        """
        from zoneinfo import ZoneInfo  # here: only flows with opening hours pay for it

        self._zone = ZoneInfo(self._zone_name)
        return self._zone

    def period(self, now: dt.datetime) -> str:
        """The name of the period that *now* (aware) falls into, else ``closed``."""
        local = now.astimezone(self._zone or self.open())
        minute = local.hour * 60 + local.minute
        for name, ranges in self._periods:
            for item in ranges:
                if "date" in item and item["date"] != local.date().isoformat():
                    continue
                if "days" in item and local.weekday() not in item["days"]:
                    continue
                if item.get("from", 0) <= minute < item.get("to", 1440):
                    return name
        return "closed"


class Update:
    """A declared event from outside (decision 33)."""

    __slots__ = ("during", "keep", "match", "name", "next", "queue", "takes", "types", "when")

    def __init__(self, update: Mapping[str, Any], env: Mapping[str, str]) -> None:
        self.name: str = update["name"]
        self.match: Mapping[str, str] = update.get("match", {})
        self.types: Mapping[str, Mapping[str, Any]] = update.get("takes", {})
        self.takes: Mapping[str, str] = update.get("vars", {})
        when = update.get("when")
        self.when = compile_condition(when, env) if when is not None else None
        self.during = frozenset(update["during"]) if update.get("during") is not None else None
        self.queue: int = update.get("queue", 0)
        self.next: str = update["next"]
        self.keep: tuple[str, ...] = tuple(update.get("keep", ()))

    def read(self, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
        """The variables that these arguments give; None when they do not match or have another type."""
        for name, text in self.match.items():
            if arguments.get(name) is None or show(arguments.get(name)) != text:
                return None
        values = {}
        for name, variable in self.takes.items():
            try:
                value = coerce(self.types[name], arguments.get(name))
            except MismatchError:
                return None
            if value is None:
                return None
            values[variable] = value
        return values


class FlowProgram:
    """One revision of one flow, ready to run."""

    watch: list[Visit] | None = None
    """Where walks note what they come by. None in live calls; see :meth:`Program.watched`."""

    def __init__(self, plan: FlowPlan, revision: str, env: Mapping[str, str]) -> None:
        self.plan = plan
        self.name: str = plan["name"]
        self.revision = revision
        self.entry: str = plan.get("entry", "inbound")
        self.start: str = plan["start"]
        self.env = env
        self.states: Mapping[str, Mapping[str, Any]] = plan["states"]
        self.types: Mapping[str, Mapping[str, Any]] = plan.get("vars", {})
        self.inputs: Sequence[str] = plan.get("inputs", ())
        self.hooks: Mapping[str, Mapping[str, Any]] = plan.get("hooks", {})
        self.failed: str | None = plan.get("failed")
        self.keep: tuple[str, ...] = tuple(plan.get("keep", ()))
        self.nodes: dict[str, Node] = {}
        self.speech = Speech(plan, env)
        catalogue = plan.get("catalogues", {}).get("")
        self.default_locale: str | None = catalogue.get("default") if catalogue else None
        self.policy = Policy(plan.get("policy") or {}, self.value)
        self.schedules = {name: Schedule(item) for name, item in plan.get("schedules", {}).items()}
        self.updates = {item["name"]: Update(item, env) for item in plan.get("updates", ())}
        self.stops = frozenset(name for update in self.updates.values() for name in update.during or ())
        """States that an update names: the call must be seen to be there, so no list goes on past them."""
        self.tokens = frozenset(name for name, kind in self.types.items() if kind.get("secrecy") == "masked")
        self.secrets = frozenset(name for name, kind in self.types.items() if kind.get("secrecy") == "secret")
        self.overlap = frozenset(plan.get("overlap", ()))
        """States at which an answer may overlap with one that took a hook (:mod:`sma_flows.runtime.overlap`)."""
        self.cleanup: Sequence[Mapping[str, Any]] = plan.get("cleanup", ())
        self.ends: list[Callable[[Frame], bool]] | None = None
        """The same, ready to be asked for; made when the first call ends."""
        self.undoes = any(hook.get("undo") for hook in self.hooks.values())

    def node(self, name: str) -> Node:
        """The state called *name*, prepared once.

        Raises:
            PlanError: the plan has no such state or a verb this version does not know.
        """
        node = self.nodes.get(name)
        if node is None:
            state = self.states.get(name)
            verb = VERBS.get(state["do"]) if state is not None else None
            if state is None or verb is None:
                raise PlanError(f"the plan of '{self.name}' has no state '{name}' that can be run")
            node = self.nodes[name] = verb(name, state, self)
        return node

    def value(self, expr: Sequence[Any]) -> Value:
        """An expression of the plan as closure."""
        return compile_value(expr, self.env)

    def optional(self, expr: Sequence[Any] | None) -> Value | None:
        """An expression that may be absent."""
        return None if expr is None else compile_value(expr, self.env)

    def argument(self, expr: Sequence[Any]) -> Value:
        """An argument of a hook: a secret variable is handed over wrapped."""
        value = compile_value(expr, self.env)
        if expr[0] == "var" and len(expr) == 2 and self.types.get(expr[1], {}).get("secrecy") == "secret":
            return lambda f: None if value(f) is None else Secret(show(value(f)))
        return value

    def shows_token(self, expr: object) -> bool:
        """Whether an expression reads a variable that must not be shown: a secret, or a system's token."""
        if isinstance(expr, list | tuple):
            if len(expr) > 1 and expr[0] == "var" and (expr[1] in self.tokens or expr[1] in self.secrets):
                return True
            return any(self.shows_token(each) for each in expr)
        return False

    def assign(self, frame: Frame, variable: str, value: object) -> None:
        """Set a variable; a value that is not of its type leaves it unset."""
        kind = self.types.get(variable)
        try:
            checked = coerce(kind, value) if kind is not None else value
        except MismatchError:
            frame.note = "value of another type"
            checked = None
        if checked is None:
            frame.vars.pop(variable, None)
        else:
            frame.vars[variable] = checked

    def start_value(self, frame: Frame, variable: str) -> None:
        """Give a variable its declared start value, if it has one."""
        initial = self.types.get(variable, {}).get("initial")
        if initial is not None:
            frame.vars[variable] = initial

    def apology(self) -> tuple[str, dict[str, str]]:
        """The constant last words of this flow and their voice."""
        words = self.plan.get("apology") or {}
        speech = {
            wire: words[key]
            for key, wire in (("voice", "VoiceId"), ("engine", "Engine"), ("language", "LanguageCode"))
            if words.get(key)
        }
        return words.get("text") or APOLOGY, speech


class Program:
    """A bundle ready to run: routes, current flows, candidates, previous revisions."""

    def __init__(self, plan: Plan, env: Mapping[str, str]) -> None:
        self.plan = plan
        self.env = dict(env)
        self._flows: dict[str, FlowProgram] = {}
        self._watch: list[Visit] | None = None
        self._routes: list[tuple[Mapping[str, Any], Value | None]] = []
        for route in plan.routes:
            wanted = route.get("to") or route.get("rule")
            self._routes.append((route, compile_value(wanted, self.env) if wanted else None))
        self._rollout = Rollout(plan, self.env.get(ROLLOUT, ""))

    @property
    def warnings(self) -> list[str]:
        """What the operator should know."""
        return self._rollout.warnings

    @classmethod
    def load(cls, plan: Plan, env: Mapping[str, str]) -> Program:
        """Make *plan* ready with the environment values *env*.

        Raises:
            PlanError: environment values are missing that a current flow or a route needs; all of them are named.
        """
        missing: dict[str, list[str]] = {}
        for revision, name in plan.in_use.items():
            for key in plan.revisions[revision].get("env", {}).get("required", ()):
                if not env.get(key):
                    missing.setdefault(key, []).append(name)
        for route in plan.routes:
            wanted = route.get("to") or route.get("rule")
            if wanted and wanted[0] == "env" and not env.get(wanted[1]):
                missing.setdefault(wanted[1], []).append("routes")
        if missing:
            names = "; ".join(
                f"{key} (used by {', '.join(dict.fromkeys(flows))})" for key, flows in sorted(missing.items())
            )
            raise PlanError(f"environment values are missing: {names}. Set them, or locally write them to local.env")
        program = cls(plan, env)
        for revision in plan.in_use:
            if plan.revisions[revision].get("schedules"):
                program._open_zones(revision)
        return program

    def _open_zones(self, revision: str) -> None:
        """Read what opening hours need now, and not while the first caller waits."""
        flow = self.flow(revision)
        with suppress(LookupError, OSError):  # without zone data that state fails, and no other
            for schedule in flow.schedules.values() if flow is not None else ():
                schedule.open()

    def flow(self, revision: str) -> FlowProgram | None:
        """The flow of *revision*; None when the bundle does not hold it."""
        program = self._flows.get(revision)
        if program is None:
            plan = self.plan.revisions.get(revision)
            if plan is None:
                return None
            program = self._flows[revision] = FlowProgram(plan, revision, self.env)
            program.watch = self._watch
        return program

    def watched(self) -> list[Visit]:
        """From now on every walk notes what it comes by in this list. For tests; whoever reads it empties it."""
        self._watch = []
        for program in self._flows.values():
            program.watch = self._watch
        return self._watch

    def current(self, name: str) -> FlowProgram | None:
        """The current revision of the flow called *name*."""
        revision = self.plan.flows.get(name)
        return None if revision is None else self.flow(revision)

    def route(self, event: Invocation, entry: str) -> FlowProgram | None:
        """The flow for a new call: the first route that fits, top down; its candidate for the calls it is to get."""
        for route, wanted in self._routes:
            revision = self._rollout.revision(route["flow"], event.transaction, self.plan.flows)
            flow = None if revision is None else self.flow(revision)
            if flow is None or flow.entry != entry:
                continue
            if "to" in route:
                number = event.leg_a.text("To") if event.leg_a is not None else ""
                if wanted is None or number != wanted(_NO_FRAME):
                    continue
            elif "rule" in route:
                if wanted is None or event.details.get("SipRuleId") != wanted(_NO_FRAME):
                    continue
            elif "argument" in route:
                if show(event.arguments.get(route["argument"])) != route["is"]:
                    continue
            elif route.get("entry") != entry:
                continue
            return flow
        return None


_NO_FRAME: Any = None  # routes hold only constants and environment values, which look at no frame
