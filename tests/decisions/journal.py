"""A call on the simulated network whose events are worked on and answered in the order that a test says.

With the switch ``overlap: parallel`` the service sends an event while it waits for the answer to another. Here nothing
is answered by itself: :meth:`Crossing.work` lets the function handle an event (with the attributes that came with it),
:meth:`Crossing.arrive` hands the answer in. What lies between the two is the time in which an answer travels.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

from decisions.kit import ENV, Reply, plan_of
from sma_flows.plan import Plan
from sma_flows.runtime.ask import Ask, ServiceReply
from sma_flows.runtime.invoke import Result, handle
from sma_flows.runtime.program import Program
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.journal import use_journal
from sma_flows.services.local.database import Database
from sma_flows.services.local.journal import LocalJournal
from sma_flows.services.ports import JournalStore
from sma_flows.simulator.driver import Phone
from sma_flows.simulator.messages import Deliver, Hears, Input, Output
from sma_flows.simulator.model import Network, World

AT = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)


class Clock:
    """The time of the call; who sleeps makes an answer later, and nothing else."""

    def __init__(self) -> None:
        self.at = AT.timestamp()
        self.slept = 0.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


class Hooks:
    """Hooks that answer their main outcome, or what the test wrote; each effect is counted by its token."""

    def __init__(self, services: LocalServices, replies: dict[str, Reply]) -> None:
        self.services = services
        self.replies = replies
        self.done: Counter[str] = Counter()
        self.asks: list[Ask] = []

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        self.asks.append(ask)
        if ask.port != "hook":
            return ServiceReply("done", {"attendee": f"att-{ask.token[:6]}", "token": "join", "attendees": ["att-1"]})
        self.done[ask.name] += 1
        reply = self.replies.get(ask.name) or ask.hook.get("main", "done")
        return ServiceReply(reply) if isinstance(reply, str) else ServiceReply(*reply)


class Crossing:
    """See the module. *journal* is the store of the journal; None: as it is without one."""

    def __init__(
        self,
        flow: str | Plan,
        journal: JournalStore | None = None,
        switches: dict[str, str] | None = None,
        **replies: Reply,
    ) -> None:
        plan = plan_of(flow) if isinstance(flow, str) else flow
        self.program = Program.load(plan, ENV)
        self.services = LocalServices()
        self.services.clock = self.clock = Clock()
        if journal is not None:
            use_journal(self.services, journal)
        self.hooks = Hooks(self.services, replies)
        self.waiting: dict[int, Deliver] = {}
        self.worked: dict[int, tuple[Deliver, Result, float]] = {}
        self.results: list[Result] = []
        self.phone = Phone(lambda _event: None, switches={"overlap": "parallel", **(switches or {})}, around=self)

    # -- what the line asks of whoever is around it

    def world(self, network: Network, _event: Input) -> World:
        return network.world

    def moved(self, _before: Network, _after: Network) -> None:
        pass

    def takes(self, output: Output) -> bool:
        if not isinstance(output, Deliver):
            return False
        self.waiting[output.number] = output
        return True

    # -- the call

    def send(self, event: Input) -> None:
        """Something happens, and what comes of it is answered at once."""
        self.phone.send(event)
        self.answer()

    def answer(self) -> None:
        """Answer everything that waits, in order."""
        while self.waiting:
            number = min(self.waiting)
            self.work(number)
            self.arrive(number)

    def go_on(self, ms: int = 120_000, step: int = 100) -> None:
        """Time goes by, and all events are answered as they come."""
        self.answer()
        for _ in range(ms // step):
            if self.phone.over:
                return
            self.phone.wait(step)
            self.answer()

    def work(self, number: int) -> Result:
        """The function handles an event that was delivered."""
        deliver = self.waiting.pop(number)
        self.clock.at = (AT + timedelta(milliseconds=self.phone.now_ms)).timestamp()
        now = datetime.fromtimestamp(self.clock.at, UTC)
        event = json.loads(deliver.body)
        result = handle(self.program, event, now=now, services=self.hooks, overlaps=self.services.overlaps)
        assert not result.fault, result.fault
        self.worked[number] = deliver, result, self.clock.slept
        self.clock.slept = 0.0
        self.results.append(result)
        return result

    def arrive(self, number: int) -> None:
        """The answer to it reaches the service."""
        deliver, result, slept = self.worked.pop(number)
        self.phone.wait(round(slept * 1000))  # an answer that is held back cannot arrive before
        self.phone.reply(deliver, lambda: result.response)

    def delivered(self, event: Input) -> int:
        """Let something happen of which an event comes, and keep the event back; its number."""
        known = set(self.waiting)
        self.phone.send(event)
        for _ in range(100):
            new = set(self.waiting) - known
            if new:
                return max(new)
            self.phone.wait(100)
        raise AssertionError("no event comes of it")

    @property
    def heard(self) -> list[str]:
        """What was said to anybody, in order."""
        said = [entry.value for entry in self.phone.transcript if isinstance(entry.value, Hears)]
        return [each.text for each in said if each.text]


def memory() -> LocalJournal:
    """A journal that lives in this process."""
    return LocalJournal(Database("memory"))
