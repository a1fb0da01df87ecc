"""What one event leaves behind: a structured record, metrics, and now and then the event itself, masked.

The record's shape is published as ``protocol/schemas/record.schema.json``. Nothing here shows keys, PINs, tokens,
telephone numbers or texts: of the flow's variables only words that the flow itself declares are shown (``one_of``,
locales, yes and no, small numbers), of everything else that it is set.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sma_flows.runtime.callstate import load
from sma_flows.runtime.invoke import MASK

if TYPE_CHECKING:
    from sma_flows.runtime.ask import Ask, ServiceReply, Services
    from sma_flows.runtime.frame import Visit
    from sma_flows.runtime.invoke import Result
    from sma_flows.runtime.program import FlowProgram
    from sma_flows.services.dispatch import Trouble

SHOWN: Final = frozenset({"one_of", "boolean", "locale", "prompt", "leg"})
"""Types of variables whose values are words of the flow and not of a caller."""

SMALL: Final = 1_000
"""Numbers from here on could be somebody's: an account, a conference, a PIN."""

_PLAIN: Final = frozenset(
    {
        *("SchemaVersion", "Sequence", "InvocationEventType", "Type", "ErrorType", "ParticipantTag", "Status"),
        *("Direction", "SipResponseCode", "AwsRegion", "TransactionId", "BridgeEndpointType", "Operation", "Repeat"),
    }
)
"""Fields of an event that are words of the service, shown as they are."""

_DIGITS: Final = re.compile(r"[0-9]{4}")
_ASKED: Final = {"no_input": "NoInput", "no_match": "NoMatch"}


class Metric(NamedTuple):
    """One measured value and what it is told apart by (beside the service)."""

    name: str
    value: float = 1
    unit: str = "Count"
    dimensions: Mapping[str, str] = {}


class Timed:
    """Services whose work is measured: ``spent`` is what was asked, and milliseconds."""

    __slots__ = ("_services", "spent")

    def __init__(self, services: Services) -> None:
        self._services = services
        self.spent: list[tuple[Ask, float]] = []

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        """See :class:`~sma_flows.runtime.ask.Services`."""
        begin = time.perf_counter()
        try:
            return self._services.perform(ask, deadline)
        finally:
            self.spent.append((ask, (time.perf_counter() - begin) * 1000))


def legs_of(event: object) -> dict[str, str]:
    """Each leg of an event: ``waiting`` (not answered yet), ``connected`` or ``gone``."""
    details = event.get("CallDetails") if isinstance(event, dict) else None
    listed = details.get("Participants") if isinstance(details, dict) else None
    found: dict[str, str] = {}
    for one in listed if isinstance(listed, list) else ():
        tag = one.get("ParticipantTag") if isinstance(one, dict) else None
        if isinstance(tag, str) and tag.upper() in ("LEG-A", "LEG-B"):
            status = {"Connected": "connected", "Disconnected": "gone"}.get(str(one.get("Status")), "waiting")
            found[tag[-1].upper()] = status
    return found


def steps_of(visits: Sequence[Visit]) -> list[dict[str, str]]:
    """The way an event took through the flow: state, outcome, where it led."""
    return [
        {"state": state, "outcome": label, "next": target}
        for kind, state, label, target in visits
        if kind in ("outcome", "key", "connected")
    ]


def shown_values(flow: FlowProgram | None, values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Variables as a record may show them; everything that a caller or a system said is masked."""
    if flow is None or not values:
        return {}
    return {name: _shown(flow, name, value) for name, value in values.items() if name[0] != "@"}


def _shown(flow: FlowProgram, name: str, value: Any) -> Any:
    kind = flow.types.get(name) or {}
    if kind.get("secrecy"):
        return MASK
    if name == "call.locale" or kind.get("t") in SHOWN:
        return value
    if kind.get("t") == "number" and isinstance(value, int) and abs(value) < SMALL:
        return value
    return MASK


def record_of(
    event: object,
    kind: str,
    transaction: str,
    answer: Mapping[str, Any],
    result: Result | None,
    visits: Sequence[Visit],
    spent: Sequence[tuple[Ask, float]],
    milliseconds: float,
) -> dict[str, Any]:
    """The record of one event, without what went wrong."""
    record: dict[str, Any] = {"event": kind, "transaction": transaction, "ms": round(milliseconds, 2)}
    if result is not None:
        record.update(flow=result.flow, revision=result.revision)
        record.update(before=str(result.before), after=str(result.after))
        if visits and (steps := steps_of(visits)):
            record["steps"] = steps
        if spent:
            record["asks"] = [f"{ask.port} {ask.name}".rstrip() for ask, _ in spent]
            record["asks_ms"] = [round(took, 2) for _, took in spent]
        if result.values and (values := shown_values(result.program, result.values)):
            record["values"] = values
    record["legs"] = legs_of(event)
    record["note"] = result.note if result is not None else "last resort"
    record["actions"] = [action["Type"] for action in answer.get("Actions") or ()]
    return record


def troubles_of(troubles: Sequence[Trouble]) -> list[str]:
    """What went wrong, in words that hold no value."""
    return [" ".join(filter(None, (each.reason, each.what, each.detail))) for each in troubles]


def metrics_of(
    event: object, kind: str, result: Result, visits: Sequence[Visit], spent: Sequence[tuple[Ask, float]]
) -> Iterator[Metric]:
    """What a call that goes well counts: its begin, its end and where, questions without an answer, times of hooks."""
    flow = {"flow": result.flow or "none"}
    for what, state, label, _ in visits:
        if what == "start":
            yield Metric("Calls", dimensions=flow)
        elif what == "outcome" and label in _ASKED:
            yield Metric(_ASKED[label], dimensions={**flow, "state": state})
    if kind == "HANGUP" and isinstance(event, dict) and set(legs_of(event).values()) == {"gone"}:
        call = load(event["CallDetails"].get("TransactionAttributes") or {})
        if call is not None and "c" not in call.flags:
            if "h" in call.flags:
                yield Metric("Completions", dimensions=flow)
            else:
                yield Metric("DropOffs", dimensions={**flow, "state": call.base or call.pos or "none"})
    for ask, took in spent:
        if ask.port in ("hook", "hook.start"):
            yield Metric("HookLatency", round(took, 2), "Milliseconds", {**flow, "hook": ask.name})


def masked_event(value: Any, name: str = "") -> Any:
    """An event with its shape and the service's own words; every other value is masked, also as the name of a key."""
    if isinstance(value, dict):
        free = name in ("TransactionAttributes", "Arguments", "SipHeaders", "SessionAttributes", "Slots")
        names = (f"key {place}" if free else str(key)[:64] for place, key in enumerate(value))
        return {shown: masked_event(item, str(key)) for shown, (key, item) in zip(names, value.items(), strict=True)}
    if isinstance(value, list):
        return [masked_event(item, name) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if name in _PLAIN and (name == "TransactionId" or not _DIGITS.search(str(value))):
        return str(value)[:64] if isinstance(value, str) else value
    return MASK


def sampled(transaction: str, share: float) -> bool:
    """Whether the events of this call are among the *share* (0 to 1) that is kept. All events of a call, or none."""
    if share <= 0:
        return False
    from zlib import crc32  # here: only who samples pays for it

    return crc32(f"sample {transaction}".encode("utf-8", "replace")) % 10_000 < share * 10_000
