"""What the flows of a plan need from the world: the base of what is opened and of what is refused."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sma_flows.errors import ServiceError
from sma_flows.hooks.builtin import BUILTINS
from sma_flows.services.builtins import setting
from sma_flows.services.queues import knows_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sma_flows.plan import FlowPlan, Plan

SERVICES: Final = ("meetings", "calls", "channel", "queue", "stream", "capture", "transcription", "jobs")
"""What stands outside of the store, each with an adapter for AWS and, except ``jobs``, a stand-in in SQLite."""

KEPT: Final = ("directory", "limits", "memo", "secrets")
"""What the store keeps. ``secrets`` are rows of the directory under secret keys."""

HASH_KEY: Final = "SMA_FLOWS_HASH_KEY"
"""Name of the key under which PINs are hashed."""

JOURNAL: Final = "SMA_FLOWS_JOURNAL"
"""``off``: no journal, also where the plan has positions at which answers can overlap and a store is there."""

DYNAMODB: Final = "dynamodb:"
"""Start of a store's name that is a table."""


class Need(NamedTuple):
    """One thing that one flow needs: a name of :data:`SERVICES` or :data:`KEPT`, and what for.

    ``builtin`` and ``settings`` say what is done there, where a hook does it; ``own`` is a hook of the author's own,
    which may bring settings itself.
    """

    what: str
    flow: str
    reason: str
    builtin: str = ""
    settings: Mapping[str, Any] = MappingProxyType({})
    own: bool = False

    def __str__(self) -> str:
        return f"the flow '{self.flow}' {self.reason}"


def needs_of(plan: Plan) -> list[Need]:
    """Everything that the flows of *plan* need, in the order of the plan."""
    return [need for flow in plan.revisions.values() for need in _needs(flow)]


def _needs(flow: FlowPlan) -> Iterator[Need]:
    name = flow.get("name", "")
    hooks: Mapping[str, Mapping[str, Any]] = flow.get("hooks", {})
    for hook_name, hook in hooks.items():
        if hook.get("effect", "once") == "once":
            yield Need("memo", name, f"runs '{hook_name}' at most once for each call and visit")
        if hook.get("long"):
            yield Need("jobs", name, f"runs '{hook_name}' outside the call")
        if hook.get("undo"):
            yield Need("notes", name, f"undoes '{hook_name}'")  # with a store better, without one good enough
        if hook.get("builtin"):
            yield _use(name, hook["builtin"], hook.get("with", {}), own=False)
        for builtin, settings in hook.get("uses", {}).items():
            yield _use(name, builtin, settings, own=True)
            if builtin in BUILTINS and BUILTINS[builtin].effect == "once":
                yield Need("memo", name, f"uses '{builtin}', which may happen only once")
    if flow.get("overlap"):
        states = ", ".join(f"'{state}'" for state in flow["overlap"])
        yield Need("journal", name, f"can be told two things at a time in {states}")  # as with notes
    for state_name, state in flow["states"].items():
        if any(limit.get("per") != "call" for limit in state.get("limits", ())):
            yield Need("limits", name, f"limits '{state_name}' over several calls")
        if state.get("do") == "join_meeting" and "token" not in state:
            yield Need("meetings", name, f"makes an attendee in '{state_name}'")
        if state.get("do") == "mute" and state.get("who", "self") != "self":
            yield Need("meetings", name, f"asks in '{state_name}' who is in the meeting")
        if _looks_up_a_secret(flow, hooks, state):
            yield Need("secrets", name, f"looks up a secret in '{state_name}'")


def cleans_up(flow: FlowPlan) -> bool:
    """Whether the calls of a flow leave something behind that has to be cleaned up."""
    return (
        bool(flow.get("cleanup"))
        or any(hook.get("undo") for hook in flow.get("hooks", {}).values())
        or any(state.get("do") == "join_meeting" and "token" not in state for state in flow["states"].values())
    )


def _use(flow: str, builtin: str, settings: Mapping[str, Any], *, own: bool) -> Need:
    return Need(builtin.partition(".")[0], flow, f"uses '{builtin}'", builtin, settings, own)


def _looks_up_a_secret(flow: FlowPlan, hooks: Mapping[str, Mapping[str, Any]], state: Mapping[str, Any]) -> bool:
    if state.get("do") != "run" or hooks.get(state.get("hook", ""), {}).get("builtin") != "directory.find":
        return False
    args = state.get("args") or [[]]
    kind = flow.get("vars", {}).get(args[0][1], {}) if args[0][:1] == ["var"] else {}
    return kind.get("secrecy") == "secret"


class Wanted:
    """What a plan needs, and where an environment says that it is.

    ``table`` is the DynamoDB table of the store; ``file`` the SQLite file of the store, or of the stand-ins beside a
    table; both are empty where they are not needed. ``of_aws`` are the needs that services of AWS serve.
    """

    def __init__(self, needs: Sequence[Need], env: Mapping[str, str], default_store: str = "") -> None:
        self._env = env
        self.in_lambda = bool(env.get("AWS_LAMBDA_FUNCTION_NAME"))
        self.of_aws = [need for need in needs if need.what in SERVICES and self.who(need.what) == "aws"]
        here = [need for need in needs if need.what in SERVICES and self.who(need.what) != "aws"]
        self._unsaid = {need.what: need for need in reversed(here) if not self.who(need.what)}
        self.stand_ins = [need for need in here if need.what != "jobs"]
        self.kept = [need for need in needs if need.what in KEPT]
        self.kept += [need for need in self.of_aws if self._is_kept(need)]
        store = env.get("SMA_FLOWS_STORE") or default_store
        self.store = store
        # A meeting that has ended is replaced better by those who remember it: a store is used if there is one.
        self.names = bool(store) and any(need.builtin.startswith("meetings.") for need in self.of_aws)
        self.notes = any(need.what == "notes" for need in needs)
        self.journal = any(need.what == "journal" for need in needs) and env.get(JOURNAL, "on") != "off"
        used = bool(self.kept) or self.names or (self.journal and bool(store))
        self.table = self.file = ""
        if store.startswith(DYNAMODB):
            self.table = store.removeprefix(DYNAMODB) if used else ""
            self.file = (env.get("SMA_FLOWS_STAND_INS") or "memory") if self.stand_ins else ""
        elif used or self.stand_ins:
            self.file = store

    def who(self, service: str) -> str:
        """``aws``, ``local``, or empty where nobody said it."""
        return self._env.get(f"SMA_FLOWS_{service.upper()}") or self._env.get("SMA_FLOWS_SERVICES", "")

    def keeps(self, *what: str) -> bool:
        """Whether the store is needed for one of these."""
        return any(need.what in what for need in self.kept)

    def value(self, need: Need, name: str) -> str:
        """A setting of what is needed; empty when it is not there."""
        try:
            return str(setting(need.settings.get(name), self._env) or "")
        except ServiceError:
            return ""

    def _depends_on_call(self, need: Need, name: str) -> bool:
        try:
            setting(need.settings.get(name), self._env)
        except ServiceError:
            return True
        return False

    def _is_kept(self, need: Need) -> bool:
        """Whether a service of AWS needs the store: for names of meetings, or a memo record in front of a queue."""
        if need.builtin == "queue.put":
            return not knows_tokens(self.value(need, "queue"))
        return need.builtin in ("meetings.find", "meetings.close")

    def problems(self) -> list[str]:
        """What the environment does not say or says wrongly; empty when the plan can be served."""
        found: dict[str, None] = {}  # each once, in order
        for name in ("SMA_FLOWS_SERVICES", *(f"SMA_FLOWS_{service.upper()}" for service in SERVICES)):
            if self._env.get(name, "") not in ("", "aws", "local"):
                found[f"{name} is '{self._env[name]}': it can be 'aws' or 'local'"] = None
        if self.in_lambda:
            for what, need in self._unsaid.items():
                found[
                    f"{need}: set SMA_FLOWS_SERVICES or SMA_FLOWS_{what.upper()} to 'aws', or to 'local' where no real "
                    "caller is served"
                ] = None
        if self._env.get(JOURNAL, "") not in ("", "on", "off"):
            found[f"{JOURNAL} is '{self._env[JOURNAL]}': it can be 'on' or 'off'"] = None
        found |= dict.fromkeys(self._store_problems())
        for need in self.of_aws:
            if need.what == "jobs" and not self.in_lambda:
                found[f"{need}: in AWS only a Lambda function can do that, and this is none"] = None
            declared = BUILTINS.get(need.builtin)
            for name in declared.in_aws if declared is not None and not need.own else ():
                if not self.value(need, name) and not self._depends_on_call(need, name):
                    found[f"{need} and gives it no '{name}'"] = None
        return list(found)

    def _store_problems(self) -> Iterator[str]:
        needed = next(iter([*self.kept, *self.stand_ins]), None)
        if needed is None:
            return
        if not self.store:
            yield (
                f"{needed}, and no store is configured: set SMA_FLOWS_STORE to '{DYNAMODB}TABLE' or to the path of a "
                "SQLite file"
            )
        elif self.store == DYNAMODB:
            yield f"SMA_FLOWS_STORE names no table: write '{DYNAMODB}TABLE'"
        elif self.store == "memory" and self.in_lambda:
            yield f"{needed}, and SMA_FLOWS_STORE is 'memory', which another execution environment does not see"
        secret = next((need for need in self.kept if need.what == "secrets"), None)
        if secret is not None and self.table and not self._env.get(HASH_KEY):
            yield f"{secret}: set {HASH_KEY} to a random text of at least 32 characters"
