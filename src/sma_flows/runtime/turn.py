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

    __slots__ = ("_mark", "call", "event", "flow", "now", "program")

    def __init__(self, program: Program, call: Call | None, event: Invocation, now: dt.datetime) -> None:
        self.program = program
        self.call = call
        self.event = event
        self.now = now
        self.flow: FlowProgram | None = program.flow(call.revision) if call is not None else None
        self._mark: str | None = None

    def nothing(self, note: str) -> Step:
        """The answer without actions and attributes: the running list goes on."""
        return Step(note, [], flow=self.flow)

    def frame(self) -> Frame:
        """A working copy for this event. It changes the saved call of the turn; only with one of a known revision."""
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
        """Digest of the echoed parameters, made when first needed."""
        if self._mark is None:
            self._mark = mark(self.event.action, self.event.params)
        return self._mark

    @property
    def fingerprint(self) -> str:
        """What tells this event from others of the same Sequence. Never digits: not even a digest of them (item 15)."""
        event = self.event
        return f"{event.type}.{CODES.get(event.action, '')}{event.leg}"

    def fits(self) -> str:
        """``last``, ``was`` or ``none``: which list this report belongs to (decisions 8 and 9).

        Type and leg decide; the digest of the echo only where both lists end alike.
        """
        call = self.call
        if call is None:
            return "none"
        last, was = self._alike(call.last), self._alike(call.was)
        if last != was:
            return "last" if last else "was"
        if not last:
            return "none"
        exact_last, exact_was = self._exact(call.last), self._exact(call.was)
        if exact_last == exact_was:
            late = exact_last and 0 <= self.event.sequence < call.q and "s" not in call.flags
            return "was" if late else "last"
        return "last" if exact_last else "was"

    def fits_failure(self) -> str:
        """As :meth:`fits`, for a failure: any action of the current list can fail, not only its last."""
        call = self.call
        if call is None:
            return "none"
        last, was = self._alike(call.last), self._alike(call.was)
        if last and (not was or self._exact(call.last)):
            return "last"
        here = last or self.in_list(call.last)
        if was and self._exact(call.was) and not self._owned():
            return "was"
        return "last" if here else "was" if was else "none"

    def _alike(self, saved: str) -> bool:
        """Whether the event is of the type and leg of a saved tail, and not of a sibling in the middle of its list."""
        codes, _, rest = saved.partition(".")
        event = self.event
        if not rest or codes[-1] != CODES.get(event.action) or (event.leg and event.leg != rest[0]):
            return False
        siblings = rest.split(".")[2:]
        return not siblings or self.mark not in siblings

    def _exact(self, saved: str) -> bool:
        """Whether the echo has the digest of a saved tail."""
        return saved.split(".")[2:3] == [self.mark]

    def _owned(self) -> bool:
        """Whether the event's action stands in the current list as the saved call wrote it."""
        call, event = self.call, self.event
        tail = f"{CODES.get(event.action, '?')}.{event.leg}.{self.mark}="
        return call is not None and f",{tail}" in f",{call.owners}"

    def in_list(self, tail: str) -> bool:
        """Whether the event's action type stands anywhere in the list whose tail this is."""
        codes, dot, _ = tail.partition(".")
        return bool(dot) and CODES.get(self.event.action, "?") in codes
