"""A flow behind an exchange: who answers its calls, where their meetings are, and what happened in each, in words.

The transcript has the lines of :mod:`sma_flows.testing.session`, written while the call goes on.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from sma_flows.errors import ServiceError
from sma_flows.plan import Plan
from sma_flows.protocol.ids import digest
from sma_flows.runtime.ask import Ask, Secret, ServiceReply
from sma_flows.runtime.invoke import handle
from sma_flows.runtime.program import Program
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.local.meetings import LocalMeetings
from sma_flows.services.ports import Attendee, SystemClock
from sma_flows.simulator.account import Account
from sma_flows.simulator.api.admin import told
from sma_flows.simulator.bots import Bot
from sma_flows.simulator.driver import Entry, Phone
from sma_flows.simulator.exchange import Exchange, Line, Route
from sma_flows.simulator.meetings import Wanted
from sma_flows.simulator.messages import Deliver, Hears, InboundCall, Key, OutboundCall
from sma_flows.simulator.model import World
from sma_flows.simulator.refused import RefusedError
from sma_flows.simulator.storage import Storage
from sma_flows.simulator.switches import Switches
from sma_flows.testing.heard import Ear
from sma_flows.testing.session import act_in_words, turn_in_words, welcome_of
from sma_flows.testing.targets import Target, Turn

__all__ = ["Environment", "ExchangeMeetings", "Switchboard", "with_meetings"]

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
            result = handle(self.program, json.loads(event), now=now, services=watched)
        return Turn(
            at_ms,
            event,
            json.dumps(result.response),
            result.before,
            result.after,
            result.note,
            tuple(watched.asked),
            result.values,
            result.fault,
        )


class ExchangeMeetings:
    """The meetings of an exchange as the port of a flow (:class:`~sma_flows.services.ports.Meetings`).

    As with the local stand-in, a meeting that nobody has made here counts as open: it is made when somebody attends.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._names: dict[str, str] = {}

    def _do(self, what: Callable[[int], Any]) -> Any:
        try:
            with self._exchange.together():
                return what(self._exchange.clock.now_ms())
        except RefusedError as why:
            raise ServiceError(f"the meeting service says {why.error}") from None

    def attend(self, meeting: str, token: str, timeout_s: float) -> Attendee:  # noqa: ARG002 - nothing takes time here
        """Create an attendee whose external id is *token*."""

        def add(now: int) -> Any:
            self._exchange.meetings.adopt(meeting, now)
            return self._exchange.meetings.add(meeting, Wanted(token), now)

        made = self._do(add)
        return Attendee(made.id, made.token)

    def leave(self, meeting: str, attendee: str, timeout_s: float) -> None:  # noqa: ARG002
        """Delete an attendee; one that is gone already is a success."""

        def remove(now: int) -> None:
            if attendee in self._exchange.meetings.members(meeting, now):
                self._exchange.meetings.remove(meeting, attendee, now)

        self._do(remove)

    def roster(self, meeting: str, timeout_s: float) -> Sequence[str]:  # noqa: ARG002
        """Ids of the attendees, in the order in which they came."""
        found = self._do(lambda now: tuple(self._exchange.meetings.get(meeting, now).attendees))
        return tuple(found)

    def open(self, name: str, region: str, timeout_s: float) -> str:  # noqa: ARG002
        """Id of the meeting called *name*, made if there is none."""
        token = digest(name)[:32]
        where = region or self._exchange.base.region
        made = self._do(lambda now: self._exchange.meetings.create(token, token, where, now))
        self._names[name] = str(made.id)
        return str(made.id)

    def find(self, name: str, timeout_s: float) -> str | None:  # noqa: ARG002
        """Id of the open meeting called *name*."""
        living = self._do(lambda now: {one.id for one in self._exchange.meetings.living(now)})
        known = self._names.get(name)
        return known if known in living else None

    def close(self, name: str, timeout_s: float) -> None:
        """End the meeting called *name*; none of that name is a success."""
        known = self.find(name, timeout_s)
        if known is not None:
            self._do(lambda now: self._exchange.meetings.delete(known, now))


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
        event = json.loads(body) if body else {}
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
        line = f"{entry.at_ms / 1000:8.1f} s  {words}"
        self.lines.append(line)
        self._on_line(line)


def with_meetings(services: LocalServices, exchange: Exchange) -> LocalServices:
    """The services of a flow whose meetings are those of an exchange, unless they are elsewhere (AWS)."""
    if isinstance(services.ports.meetings, LocalMeetings):
        services.ports = replace(services.ports, meetings=ExchangeMeetings(exchange))
    return services
