"""Asks, clocks and stores for the tests of the services."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sma_flows.runtime.ask import Ask, CallInfo, LimitUse, ServiceReply
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.local.database import Database
from sma_flows.services.local.open import use_file
from sma_flows.services.local.outbox import LocalOutbox

CALL = CallInfo("t-1", "+14155550123", "+12065550199", "en-US", "check", "Inbound")
HOUR = 3600.0
NOW = 1_795_168_800.0  # a full hour
WAIT = 2.0

TEXT: Mapping[str, Any] = {"t": "text", "max": 200}
SECRET: Mapping[str, Any] = {"t": "text", "max": 200, "secrecy": "secret"}
MASKED: Mapping[str, Any] = {"t": "text", "max": 200, "secrecy": "masked"}


class FakeClock:
    """Stands still unless somebody sleeps; ``while_asleep`` is what happens meanwhile."""

    def __init__(self, now: float = NOW) -> None:
        self.time = now
        self.slept = 0.0
        self.while_asleep: Callable[[], object] = lambda: None

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.slept += seconds
        self.while_asleep()


def hook(outcomes: Mapping[str, Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """A hook as the plan declares it."""
    return {"python": "hooks.any:any", "outcomes": outcomes, "main": next(iter(outcomes)), **more}


OK_OR_WRONG = hook({"ok": {}, "wrong": {}})


def an_ask(*args: Any, **changes: Any) -> Ask:
    """An ask for the hook ``check`` with *args*; everything else can be changed."""
    ask = Ask(
        port="hook",
        name="check",
        args=args,
        token="token1",
        effect="read",
        budget_ms=2000,
        call=CALL,
        revision="rev1",
        hook=OK_OR_WRONG,
    )
    return ask._replace(**changes)


def per_caller(most: int = 3, key: str = "+14155550123", outcome: str = "wrong") -> LimitUse:
    """At most *most* wrong answers per caller and hour."""
    return LimitUse("dial-in:check:wrong:caller", key, outcome, most, int(HOUR))


def services(function: Callable[..., object] | None = None, path: str | Path = "memory", **more: Any) -> LocalServices:
    """Services with a store; *function* is the hook ``check`` of revision ``rev1``."""
    functions = {("rev1", "check"): function} if function is not None else {}
    made = LocalServices(functions, **more)
    use_file(made, Database(path))
    return made


def sent(made: LocalServices, kind: str = "") -> list[dict[str, Any]]:
    """What left, as the stand-ins keep it."""
    outbox: LocalOutbox = made.ports.channel._outbox  # type: ignore[union-attr]
    return outbox.sent(kind)


def perform(made: LocalServices, ask: Ask, seconds: float = 10.0) -> ServiceReply:
    """Perform *ask* with *seconds* to go."""
    return made.perform(ask, made.clock.monotonic() + seconds)


def reasons(made: LocalServices) -> list[str]:
    """Why things failed since this was last asked."""
    return [trouble.reason for trouble in made.take_troubles()]


class Counting:
    """A hook that counts how often it ran and answers in turn; the last answer stays."""

    def __init__(self, *replies: object) -> None:
        self.replies = list(replies)
        self.calls: list[tuple[Any, ...]] = []

    def __call__(self, *args: Any) -> object:
        self.calls.append(args)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, BaseException):
            raise reply
        return reply


def spin() -> None:
    """Compute without end."""
    while time.monotonic() > 0:
        pass
