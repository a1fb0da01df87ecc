"""A flow behind an exchange: who answers its calls, where their meetings are, and what happened in each, in words.

The transcript has the lines of :mod:`sma_flows.testing.session`, written while the call goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sma_flows.plan import Plan
from sma_flows.runtime.ask import Ask, Secret, ServiceReply
from sma_flows.runtime.invoke import handle
from sma_flows.runtime.program import Program
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.ports import SystemClock
from sma_flows.simulator.account import Account
from sma_flows.simulator.api.admin import told
from sma_flows.simulator.bots import Bot
from sma_flows.simulator.driver import Phone
from sma_flows.simulator.exchange import Line, Route
from sma_flows.simulator.jsontext import dumps, loads
from sma_flows.simulator.messages import Deliver, Entry, Hears, InboundCall, Key, OutboundCall
from sma_flows.simulator.model import World
from sma_flows.simulator.storage import Storage
from sma_flows.simulator.switches import Switches
from sma_flows.testing.heard import Ear, visible
from sma_flows.testing.session import act_in_words, turn_in_words, welcome_of
from sma_flows.testing.targets import Target, Turn

__all__ = ["Environment", "Switchboard"]

MASK: Final = "***"


class _Clock(SystemClock):
    """The wall clock of the services stands where the call stands."""

    def __init__(self) -> None:
        self.at = datetime.fromtimestamp(0, UTC)

    def now(self) -> float:
        return self.at.timestamp()


class _Watched:
    """Services that remember what they were asked."""

    def __init__(self, inner: LocalServices) -> None:
        self.inner = inner
        self.asked: list[Ask] = []

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        self.asked.append(ask)
        return self.inner.perform(ask, deadline)


class Environment:
    """One environment of the function: a flow in this process that answers one event at a time, of any call."""

    scripted = False

    def __init__(self, program: Program, services: LocalServices) -> None:
        self.program, self.services = program, services
        self._clock = services.clock = _Clock()
        self._one_at_a_time = threading.Lock()

    def answer(self, event: str, at_ms: int, now: datetime) -> Turn:
        """See :class:`~sma_flows.testing.targets.Target`."""
        with self._one_at_a_time:
            self._clock.at = now
            watched = _Watched(self.services)
            result = handle(self.program, loads(event), now=now, services=watched, overlaps=self.services.overlaps)
        return Turn(
            at_ms,
            event,
            dumps(result.response),
            result.before,
            result.after,
            result.note,
            tuple(watched.asked),
            result.values,
            result.fault,
        )


class Switchboard:
    """Leads the calls of an account to one function, and writes down what happens.

    The function answers for all applications of the account. *now_ms* is the clock; *plan* gives the prompts their
    names; *storage* holds the audio files; *bots* are by alias ARN; *on_line* sees each line of each transcript: call,
    line.
    """

    def __init__(
        self,
        target: Target,
        plan: Plan,
        *,
        account: Account,
        now_ms: Callable[[], int],
        switches: Switches | None = None,
        storage: Storage | None = None,
        bots: Mapping[str, Bot] | None = None,
        on_line: Callable[[Line, str], None] = lambda _line, _words: None,
    ) -> None:
        self.target = target
        self.account = account
        self._now_ms = now_ms
        self._switches = switches
        self._storage = storage
        self._bots = bots or {}
        self._on_line = on_line
        prompts: dict[str, Any] = {}
        for flow in plan.flows:
            prompts |= plan.flow(flow).get("prompts", {})
        self._ear = Ear({"prompts": prompts})
        self._scribes: dict[str, _Scribe] = {}

    def route(self, application: str, number: str) -> Route | None:
        """The ``route`` of an :class:`~sma_flows.simulator.exchange.Exchange`: as the account's rules say."""
        lead = self.account.lead(application, number, self._now_ms())
        return Route(lead.application, self._phone, lead.rule) if lead is not None else None

    def _phone(self, world: World, line: Line) -> Phone:
        scribe = self._scribes[line.transaction] = _Scribe(self._ear, lambda words: self._on_line(line, words))

        def answer(event: str) -> str:
            at_ms = phone.now_ms
            now = datetime.fromtimestamp((world.started_ms + at_ms) / 1000, UTC)
            turn = self.target.answer(event, at_ms, now)
            scribe.turns[event] = turn
            return turn.response

        more: dict[str, Any] = {"storage": self._storage, "bots": self._bots, "around": line}
        phone = Phone(answer, world=world, switches=self._switches, text=True, **more)
        return phone

    def see(self, line: Line, entry: Entry) -> None:
        """The ``on_entry`` of an exchange."""
        self._scribes[line.transaction].see(entry)

    def transcript(self, line: Line) -> list[str]:
        """What happened in a call, without keys and secrets."""
        return list(self._scribes[line.transaction].lines)


class _Scribe:
    """Writes down one call."""

    def __init__(self, ear: Ear, on_line: Callable[[str], None]) -> None:
        self.lines: list[str] = []
        self.turns: dict[str, Turn] = {}
        self._ear = ear
        self._on_line = on_line
        self._delivered: dict[int, str] = {}
        self._actions: list[dict[str, Any]] = []
        self._variables: Mapping[str, Any] = {}
        self._secrets: set[str] = set()

    def see(self, entry: Entry) -> None:
        value = entry.value
        match value:
            case Deliver(number=number, body=body) if entry.kind == "output":
                self._delivered[number] = body
            case Hears(leg="LEG-A", what=what, text=text):
                for heard in self._ear.sound(what, text, self._variables, welcome_of(self._actions)):
                    self._note(entry, f"hears {heard.told}")
            case Hears() | InboundCall() | OutboundCall():
                pass
            case _ if entry.kind == "response":
                self._answered(entry)
            case _ if entry.by == "party":
                self._note(entry, f"> {act_in_words(value)}")
            case Key(leg=leg):
                self._note(entry, f"> {'the caller' if leg == 'LEG-A' else 'the other party'} presses a key")
            case _:
                self._note(entry, told(entry))

    def _answered(self, entry: Entry) -> None:
        body = self._delivered.get(entry.number, "")
        turn = self.turns.pop(body, None)
        event = loads(body) if body else {}
        if turn is None or isinstance(entry.value, Exception):
            self._note(entry, f"{event.get('InvocationEventType')}  {told(entry)}")
            return
        self._actions += turn.actions
        if turn.values:
            self._variables = turn.values
            self._secrets |= {value.reveal() for value in turn.values.values() if isinstance(value, Secret)}
        self._note(entry, turn_in_words(event, turn))
        if turn.fault:
            self._note(entry, f"! the runtime failed: {turn.fault}")

    def _note(self, entry: Entry, words: str) -> None:
        if not words:
            return
        for secret in self._secrets:
            if len(secret) > 2:
                words = words.replace(secret, MASK)
        line = f"{entry.at_ms / 1000:8.1f} s  {visible(words)}"
        self.lines.append(line)
        self._on_line(line)
