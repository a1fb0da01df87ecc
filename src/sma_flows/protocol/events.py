"""One invocation event, read tolerantly.

The service's own samples disagree about key names, types and which fields are present (contract 1.1-1.5), so nothing
here insists on more than an event type. Numbers may be texts, unknown fields are not looked at, and a participant
without ``Status`` counts as alive (decision 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sma_flows.errors import ProtocolError

NEW_INBOUND_CALL: Final = "NEW_INBOUND_CALL"
NEW_OUTBOUND_CALL: Final = "NEW_OUTBOUND_CALL"
RINGING: Final = "RINGING"
CALL_ANSWERED: Final = "CALL_ANSWERED"
ACTION_SUCCESSFUL: Final = "ACTION_SUCCESSFUL"
ACTION_FAILED: Final = "ACTION_FAILED"
ACTION_INTERRUPTED: Final = "ACTION_INTERRUPTED"
DIGITS_RECEIVED: Final = "DIGITS_RECEIVED"
HANGUP: Final = "HANGUP"
CALL_UPDATE_REQUESTED: Final = "CALL_UPDATE_REQUESTED"
INVALID_LAMBDA_RESPONSE: Final = "INVALID_LAMBDA_RESPONSE"

EVENT_TYPES: Final = frozenset(
    {
        NEW_INBOUND_CALL,
        NEW_OUTBOUND_CALL,
        RINGING,
        CALL_ANSWERED,
        ACTION_SUCCESSFUL,
        ACTION_FAILED,
        ACTION_INTERRUPTED,
        DIGITS_RECEIVED,
        HANGUP,
        CALL_UPDATE_REQUESTED,
        INVALID_LAMBDA_RESPONSE,
    }
)
"""The eleven values of ``InvocationEventType`` (contract 1.2)."""

_EMPTY: Final[dict[str, Any]] = {}


class Leg:
    """One participant. ``alive`` is false only when the service says Disconnected."""

    __slots__ = ("alive", "call_id", "data", "tag")

    def __init__(self, call_id: str, tag: str, alive: bool, data: Mapping[str, Any]) -> None:
        self.call_id = call_id
        self.tag = tag
        self.alive = alive
        self.data = data

    def text(self, key: str) -> str:
        """A text field such as ``To`` or ``From``; empty when it is missing or something else."""
        value = self.data.get(key)
        return value if isinstance(value, str) else ""

    @property
    def headers(self) -> dict[str, str]:
        """The leg's SIP headers with lower-case names (their case varies, contract 1.3)."""
        raw = self.data.get("SipHeaders")
        if not isinstance(raw, dict):
            return {}
        return {str(name).lower(): value for name, value in raw.items() if isinstance(value, str)}


class Invocation:
    """One event: what happened, on which leg, and who is still there.

    ``leg`` is ``"A"``, ``"B"`` or ``""`` (not said); ``leg_a`` and ``leg_b`` are the current legs of these tags;
    ``anybody`` tells whether any participant is alive, ``readable`` whether any participant could be read at all.
    """

    __slots__ = (
        "action",
        "anybody",
        "attributes",
        "data",
        "details",
        "leg",
        "leg_a",
        "leg_b",
        "leg_id",
        "params",
        "readable",
        "sequence",
        "transaction",
        "type",
    )

    type: str
    sequence: int
    transaction: str
    attributes: Mapping[str, Any]
    details: Mapping[str, Any]
    data: Mapping[str, Any]
    action: str
    params: Mapping[str, Any]
    leg: str
    leg_id: str
    leg_a: Leg | None
    leg_b: Leg | None
    anybody: bool
    readable: bool

    @property
    def error_type(self) -> str:
        """Error code of a failed action: ``ErrorType``, or the part of ``Error`` before the colon (contract 1.5)."""
        value = self.data.get("ErrorType")
        if isinstance(value, str):
            return value
        value = self.data.get("Error")
        return value.split(":", 1)[0].strip() if isinstance(value, str) else ""

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of an outbound call or of an update; empty when there are none."""
        value = self.params.get("Arguments")
        return value if isinstance(value, dict) else {}

    @property
    def digits(self) -> str:
        """``ReceivedDigits``; empty when missing."""
        value = self.data.get("ReceivedDigits")
        return value if isinstance(value, str) else ""


def as_int(value: object) -> int | None:
    """An integer or a text of digits as integer; anything else is None (contract 1.5: both forms occur)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return None


def parse_event(raw: object) -> Invocation:
    """Read one invocation event.

    Unknown event types are kept as they are; the caller answers them with nothing.

    Raises:
        ProtocolError: not an object, or no event type to be read.
    """
    if not isinstance(raw, dict):
        raise ProtocolError("the event is not a JSON object")
    kind = raw.get("InvocationEventType")
    if not isinstance(kind, str):
        raise ProtocolError("the event has no InvocationEventType")
    event = Invocation()
    event.type = kind
    sequence = raw.get("Sequence")
    if type(sequence) is not int:
        number = as_int(sequence)
        sequence = -1 if number is None else number
    event.sequence = sequence
    details = raw.get("CallDetails")
    if not isinstance(details, dict):
        details = _EMPTY
    event.details = details
    transaction = details.get("TransactionId")
    event.transaction = transaction if isinstance(transaction, str) else ""
    attributes = details.get("TransactionAttributes")
    event.attributes = attributes if isinstance(attributes, dict) else _EMPTY

    leg_a = leg_b = None
    anybody = readable = False
    participants = details.get("Participants")
    if isinstance(participants, list):
        for item in participants:
            if not isinstance(item, dict):
                continue
            call_id = item.get("CallId")
            tag = item.get("ParticipantTag")
            if not isinstance(call_id, str) or not isinstance(tag, str) or not call_id or len(call_id) > 256:
                continue
            alive = item.get("Status") != "Disconnected"
            if tag == "LEG-A" or tag.upper() == "LEG-A":
                readable = True
                if leg_a is None or alive or not leg_a.alive:
                    leg_a = Leg(call_id, "A", alive, item)
            elif tag == "LEG-B" or tag.upper() == "LEG-B":
                readable = True
                if leg_b is None or alive or not leg_b.alive:
                    leg_b = Leg(call_id, "B", alive, item)
            else:
                continue
            if alive:
                anybody = True
    event.leg_a = leg_a
    event.leg_b = leg_b
    event.anybody = anybody
    event.readable = readable

    data = raw.get("ActionData")
    if not isinstance(data, dict):
        data = _EMPTY
    event.data = data
    action = data.get("Type")
    event.action = action if isinstance(action, str) else ""
    params = data.get("Parameters")
    if not isinstance(params, dict):
        params = _EMPTY
    event.params = params
    call_id = params.get("CallId")
    event.leg = ""
    event.leg_id = ""
    if isinstance(call_id, str) and call_id:
        event.leg_id = call_id
        if leg_a is not None and call_id == leg_a.call_id:
            event.leg = "A"
            return event
        if leg_b is not None and call_id == leg_b.call_id:
            event.leg = "B"
            return event
    tag = params.get("ParticipantTag")
    if isinstance(tag, str) and tag:
        event.leg = {"LEG-A": "A", "LEG-B": "B"}.get(tag.upper(), "")
        if not event.leg_id:
            leg = leg_a if event.leg == "A" else leg_b if event.leg == "B" else None
            event.leg_id = leg.call_id if leg is not None else ""
    return event
