"""One event on its way through the tables: which list does it belong to?

Nothing the service sends names our list, so identity is inferred from the echo and fails open (decision 8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sma_flows.protocol.actions import CODES, mark
from sma_flows.runtime.finish import Step
from sma_flows.runtime.frame import Frame, StepError

if TYPE_CHECKING:
    import datetime as dt

    from sma_flows.protocol.events import Invocation
    from sma_flows.runtime.callstate import Call
    from sma_flows.runtime.program import FlowProgram, Program


class Turn:
    """One event on its way through the tables. Made and dropped within one step."""

    __slots__ = ("_tail", "call", "event", "flow", "now", "program")

    def __init__(self, program: Program, call: Call | None, event: Invocation, now: dt.datetime) -> None:
        self.program = program
        self.call = call
        self.event = event
        self.now = now
        self.flow: FlowProgram | None = program.flow(call.revision) if call is not None else None
        self._tail: str | None = None

    def nothing(self, note: str) -> Step:
        """The answer without actions and attributes: the running list goes on."""
        return Step(note, [], flow=self.flow)

    def frame(self) -> Frame:
        """The working copy for this event, made at most once. Only with a saved call of a known revision."""
        call, flow = self.known()
        return Frame(flow, call, self.event, self.now)

    def known(self) -> tuple[Call, FlowProgram]:
        """The saved call and its flow; the checks have ended turns without them.

        Raises:
            StepError: there is none.
        """
        if self.call is None or self.flow is None:
            raise StepError("no saved call")
        return self.call, self.flow

    @property
    def mark(self) -> str:
        """Digest of the echoed parameters."""
        return self.tail.rpartition(".")[2]

    @property
    def tail(self) -> str:
        """The event's action as the saved call writes it: type, leg, digest."""
        if self._tail is None:
            event = self.event
            action = event.action
            self._tail = f"{CODES.get(action, '?')}.{event.leg}.{mark(action, event.params)}" if action else ".."
        return self._tail

    @property
    def fingerprint(self) -> str:
        """What tells this event from others of the same Sequence. Never digits: not even a digest of them (item 15)."""
        return f"{self.event.type}.{self.tail}"

    def fits(self) -> str:
        """``last``, ``was`` or ``none``: which list this report belongs to (decisions 8 and 9)."""
        call, tail = self.call, self.tail
        if call is None:
            return "none"
        if call.last.endswith(tail) and not call.was.endswith(tail):
            return "last"
        last, last_exact = self._compare(call.last)
        was, was_exact = self._compare(call.was)
        if last_exact and was_exact:
            late = 0 <= self.event.sequence < call.q and "s" not in call.flags
            return "was" if late else "last"
        if last_exact:
            return "last"
        if was_exact:
            return "was"
        return "last" if last else "was" if was else "none"

    def fits_failure(self) -> str:
        """As :meth:`fits`, for a failure: any action of the current list can fail, not only its last."""
        call, tail = self.call, self.tail
        if call is None:
            return "none"
        if call.last.endswith(tail) or f",{tail}=" in f",{call.owners}":
            return "last"
        if call.was.endswith(tail):
            return "was"
        if self.in_list(call.last):
            return "last"
        return "was" if self._compare(call.was)[0] else "none"

    def _compare(self, saved: str) -> tuple[bool, bool]:
        """Whether the event is of the type and leg of a saved tail, and whether its digest is the same too."""
        codes, _, rest = saved.partition(".")
        code, event_leg, digest = self.tail.split(".")
        if not rest or codes[-1] != code:
            return False, False
        leg, _, saved_digest = rest.partition(".")
        if event_leg and event_leg != leg:
            return False, False
        return True, digest == saved_digest

    def in_list(self, tail: str) -> bool:
        """Whether the event's action type stands anywhere in the list whose tail this is."""
        codes, dot, _ = tail.partition(".")
        return bool(dot) and CODES.get(self.event.action, "?") in codes
