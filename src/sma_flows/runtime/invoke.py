"""JSON in, JSON out: performs what the step asks for, within the time an answer may take. Never raises.

The service waits 5 seconds before it sends the same event again (contract 7.1), so everything outside the step ends
three and a half seconds after the event came in, whatever the hooks do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sma_flows.errors import ProtocolError
from sma_flows.protocol.actions import Action, goodbye, response
from sma_flows.protocol.events import Invocation, parse_event
from sma_flows.runtime import callstate
from sma_flows.runtime.ask import Ask, Services
from sma_flows.runtime.finish import Step
from sma_flows.runtime.step import fault, take
from sma_flows.runtime.work import Work

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from sma_flows.runtime.callstate import Call
    from sma_flows.runtime.overlap import Overlaps
    from sma_flows.runtime.program import FlowProgram, Program

MASK: Final = "***"
_NUMBER: Final = re.compile(r"\+[0-9]{7,15}")


class Position(NamedTuple):
    """Where a call is: its state, and the bridge or meeting behind it while an aside runs. Empty before and after."""

    state: str = ""
    base: str = ""

    def __str__(self) -> str:
        return f"{self.state} (in {self.base})" if self.base and self.base != self.state else self.state or "-"


_NOWHERE: Final = ("", "")


class Result:
    """Everything that can be told about one event without a secret.

    ``response`` is what the service gets; ``came_from`` state and base before; ``call`` the saved call that goes with
    the answer (None: unchanged); ``note`` what was done in a few words; ``fault`` the place of an exception of ours.
    """

    __slots__ = ("asks", "call", "came_from", "fault", "note", "program", "response", "values")

    def __init__(
        self,
        response: dict[str, Any],
        came_from: tuple[str, str],
        call: Call | None = None,
        program: FlowProgram | None = None,
        note: str = "",
        asks: tuple[Ask, ...] = (),
        fault: str = "",
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self.response = response
        self.came_from = came_from
        self.call = call
        self.program = program
        self.note = note
        self.asks = asks
        self.fault = fault
        self.values = values

    @property
    def before(self) -> Position:
        """Where the call was."""
        return Position(*self.came_from)

    @property
    def after(self) -> Position:
        """Where the call is now."""
        return Position(self.call.pos, self.call.base) if self.call is not None else self.before

    @property
    def flow(self) -> str:
        """Name of the flow that answered; empty when none could be found."""
        return self.program.name if self.program is not None else ""

    @property
    def revision(self) -> str:
        """Revision of that flow."""
        return self.program.revision if self.program is not None else ""

    @property
    def variables(self) -> dict[str, Any]:
        """The variables as this event left them, masked where the flow says so; empty when it changed nothing."""
        return masked(self.program, self.values) if self.values and self.program is not None else {}

    @property
    def actions(self) -> list[Action]:
        """The actions of the answer; empty when it is nothing."""
        found: list[Action] = self.response.get("Actions") or []
        return found


def handle(
    program: Program, event: object, *, now: dt.datetime, services: Services, overlaps: Overlaps | None = None
) -> Result:
    """Answer one invocation event.

    *event* is the parsed JSON, whatever it is; *now* is aware; *overlaps* is the journal at work, where there is one.
    The answer is always one that the service accepts.
    """
    try:
        invocation = parse_event(event)
    except ProtocolError as error:
        return Result(response(), _NOWHERE, note=f"unreadable event: {error}")
    call = callstate.load(invocation.attributes) if invocation.attributes else None
    was = (call.pos, call.base) if call is not None else _NOWHERE
    work: Work | None = None
    broken = ""
    try:
        if (
            overlaps is not None
            and call is not None
            and overlaps.concern(program.flow(call.revision), call, invocation.type)
        ):
            work = Work(services)
            done = overlaps.answer(program, call, lambda: parse_event(event), now, work)
        else:
            done = take(program, call, invocation, now)
            if done.ask is not None:
                work = Work(services)
                done = work.run(done)
    except Exception as problem:  # noqa: BLE001 - a live caller never meets an exception of ours (rule R9)
        broken = _where(problem)
        try:
            done = fault(program, callstate.load(invocation.attributes), parse_event(event), now)
        except Exception as again:  # noqa: BLE001 - the error path itself is broken: the constant goodbye is left
            broken = f"{broken}; {_where(again)}"
            done = Step("fault", _goodbye(invocation))
    saved, flow = done.call, done.flow
    attributes = callstate.save(saved, flow.tokens) if saved is not None and flow is not None else None
    asks = tuple(work.asks) if work is not None else ()
    return Result(response(done.actions, attributes), was, saved, flow, done.note, asks, broken, done.values)


def invoke(program: Program, event: object, *, now: dt.datetime, services: Services) -> dict[str, Any]:
    """The answer to one event as the service wants it."""
    return handle(program, event, now=now, services=services).response


def masked(flow: FlowProgram, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Variables as they may be shown: secrets and tokens hidden, numbers shortened, the runtime's own left out."""
    hidden = flow.secrets | flow.tokens
    return {
        name: MASK if name in hidden else _shortened(value)
        for name, value in variables.items()
        if not name.startswith("@")
    }


def _shortened(value: Any) -> Any:
    """A telephone number without its middle, also inside: a full one is not shown by default (rule R10)."""
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    return f"{value[:5]}***{value[-2:]}" if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _where(problem: Exception) -> str:
    """Type and place of an exception. Its text may hold a value and is left out."""
    place = ""
    trace = problem.__traceback__
    while trace is not None:
        place = f" in {trace.tb_frame.f_code.co_name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(problem).__name__}{place}"


def _goodbye(event: Invocation) -> list[Action]:
    leg = event.leg_a
    if not event.anybody or event.type in ("NEW_OUTBOUND_CALL", "RINGING", "ACTION_INTERRUPTED"):
        return []
    if leg is None or not leg.alive:
        other = event.leg_b
        return [{"Type": "Hangup", "Parameters": {"CallId": other.call_id, "SipResponseCode": "0"}}] if other else []
    return goodbye("We are sorry. Goodbye.", {"CallId": leg.call_id})
