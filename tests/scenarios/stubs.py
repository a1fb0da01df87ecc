"""The world of a scenario: hooks and ports with scripted replies, and a record of everything that was asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sma_flows.hooks import Call, Reply
from sma_flows.runtime.ask import Ask, Secret, ServiceReply
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.local.database import Database
from sma_flows.services.local.open import use_file

from .script import ScriptError

PORT_RESULTS = {
    "meetings.attend": ("attendee", "token"),
    "meetings.leave": (),
    "meetings.roster": ("attendees",),
}


class StubServices:
    """Answers asks from a script. ``state`` is plain JSON, so that it can travel between processes.

    state: ``memo`` token -> [outcome, values]; ``turns`` name -> replies given; ``calls`` [name, args, token, cleanup]
    in order of first asking; ``asked`` every token asked for, repetitions included; ``counts`` units used of limits.
    """

    def __init__(self, stubs: Mapping[str, Any], state: dict[str, Any] | None = None) -> None:
        self.stubs = stubs
        self.problem: ScriptError | None = None
        self.state: dict[str, Any] = state or {"memo": {}, "turns": {}, "calls": [], "asked": [], "counts": {}}

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        """The scripted reply; the same one for the same token."""
        memo = self.state["memo"]
        name = ask.name if ask.port == "hook" else ask.port
        self.state["asked"].append([ask.token, name])
        if ask.token not in memo:
            try:
                memo[ask.token] = self._first(ask, name)
            except ScriptError as error:  # the runtime would answer an exception like any other fault
                self.problem = error
                raise
        outcome, values = memo[ask.token]
        return ServiceReply(outcome, values)

    def _first(self, ask: Ask, name: str) -> list[Any]:
        counts = self.state["counts"]
        uses = [(f"{use.name}|{use.key}", use) for use in ask.limits]
        if any(counts.get(key, 0) >= use.max for key, use in uses):
            return ["limited", {}]
        args = [plain(value) for value in ask.args]
        self.state["calls"].append([name, args, ask.token, ask.cleanup])
        outcome, values = self._reply(ask, name, args)
        full = False
        for key, use in uses:
            if use.outcome == outcome:
                counts[key] = counts.get(key, 0) + 1
                full = full or counts[key] >= use.max
        return ["limited", {}] if full else [outcome, values]

    def _reply(self, ask: Ask, name: str, args: list[Any]) -> tuple[str, dict[str, Any]]:
        outcomes: Mapping[str, Any] = ask.hook.get("outcomes") or {"done": {}}
        if name not in self.stubs:
            main = str(ask.hook.get("main") or next(iter(outcomes)))
            if outcomes.get(main) or PORT_RESULTS.get(name):
                raise ScriptError(f"no stub for {name}{tuple(args)}: its outcome '{main}' carries results")
            return main, {}
        return self._read(self.stubs[name], name, args, outcomes)

    def _read(self, stub: Any, name: str, args: list[Any], outcomes: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        if isinstance(stub, list):
            turn = self.state["turns"].get(name, 0)
            self.state["turns"][name] = turn + 1
            return self._read(stub[min(turn, len(stub) - 1)], name, args, outcomes)
        if isinstance(stub, str):
            return ("failed" if stub in ("raises", "late") else stub), {}
        if "by" in stub:
            for value in args:
                if str(value) in stub["by"]:
                    return self._read(stub["by"][str(value)], f"{name} {value}", args, outcomes)
            return self._read(stub["else"], f"{name} else", args, outcomes)
        ((outcome, values),) = stub.items()
        types = outcomes.get(outcome) or {}
        return outcome, {key: typed(value, types.get(key, {})) for key, value in (values or {}).items()}


class StoredServices(StubServices):
    """The same world behind the real dispatcher and a real store: what is declared `once` runs behind a memo record.

    ``ran`` holds the token of every run of a hook that is `once`.
    """

    def __init__(self, stubs: Mapping[str, Any], state: dict[str, Any] | None = None) -> None:
        super().__init__(stubs, state)
        database = Database("memory")
        self.ran: list[str] = []
        self.local = LocalServices()
        use_file(self.local, database)

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        """Hooks through the dispatcher, ports from the script."""
        if ask.port != "hook":
            return super().perform(ask, deadline)

        def hook(call: Call, *args: object) -> Reply:
            if ask.effect == "once":
                self.ran.append(ask.token)
            reply = super(StoredServices, self).perform(ask._replace(limits=()), deadline)
            if reply.outcome == "failed":
                raise RuntimeError("the script says so")
            return Reply(reply.outcome, **reply.values)

        self.local.functions = {(ask.revision, ask.name): hook}
        declared = {key: value for key, value in ask.hook.items() if key not in ("builtin", "with")}
        return self.local.perform(ask._replace(hook=declared), deadline)


def typed(value: Any, kind: Mapping[str, Any]) -> Any:
    """A stub's text as the declared type of a hook result."""
    if isinstance(value, list):
        return [typed(item, kind.get("item") or {}) for item in value]
    if value == "unset":
        return None
    if kind.get("t") == "number":
        return int(value)
    if kind.get("t") == "boolean":
        return value == "true"
    return value


def plain(value: Any) -> Any:
    """An argument as plain JSON; secrets in clear, because a script has to compare them."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def said(value: Any) -> str:
    """A plain argument as scripts write it."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def same(wanted: Any, got: Any) -> bool:
    """Does an argument or parameter fit what the script says (``~x``, ``/regex/``, ``any``, partial mappings)?"""
    if isinstance(wanted, Mapping):
        return isinstance(got, Mapping) and all(key in got and same(item, got[key]) for key, item in wanted.items())
    if isinstance(wanted, list) and not isinstance(got, list | Mapping):
        return all(same(item, got) for item in wanted)
    if isinstance(wanted, list):
        return isinstance(got, list) and len(wanted) == len(got) and all(map(same, wanted, got))
    if wanted == "any":
        return True
    if wanted.startswith("~"):
        return wanted[1:] in said(got)
    if wanted.startswith("/") and wanted.endswith("/"):
        return re.search(wanted[1:-1], said(got)) is not None
    return wanted == said(got) and not isinstance(got, list | Mapping)


def compare_calls(wanted: Mapping[str, Any], calls: list[list[Any]]) -> list[str]:
    """What differs between the calls a script names and those that were made."""
    problems = []
    for name, expected in wanted.items():
        made = [args for hook, args, *_ in calls if hook == name]
        if isinstance(expected, str):
            if len(made) != int(expected):
                problems.append(f"{name}: {expected} calls expected, {len(made)} made: {made}")
        elif len(expected) != len(made) or not all(map(same, expected, made)):
            problems.append(f"{name}: calls {expected} expected, made: {made}")
    return problems
