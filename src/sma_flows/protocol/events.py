"""One invocation event, read tolerantly.

The service's own samples disagree about key names, types and which fields are present (contract 1.1-1.5), so nothing
here insists on more than an event type. Numbers may be texts, unknown fields are not looked at, and a participant
without ``Status`` counts as alive (decision 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
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

_EMPTY: Final[Mapping[str, Any]] = MappingProxyType({})
_TAGS: Final = {"LEG-A": "A", "LEG-B": "B"}


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

    # Defaults of the class instead of slots: an event sets only what it says.
    type: str
    sequence: int
    transaction: str = ""
    attributes: Mapping[str, Any] = _EMPTY
    details: Mapping[str, Any] = _EMPTY
    data: Mapping[str, Any] = _EMPTY
    action: str = ""
    params: Mapping[str, Any] = _EMPTY
    leg: str = ""
    leg_id: str = ""
    leg_a: Leg | None = None
    leg_b: Leg | None = None
    anybody: bool = False
    readable: bool = False

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
    if isinstance(details, dict):
        event.details = details
        transaction = details.get("TransactionId")
        if isinstance(transaction, str):
            event.transaction = transaction
        attributes = details.get("TransactionAttributes")
        if isinstance(attributes, dict):
            event.attributes = attributes
        participants = details.get("Participants")
        if isinstance(participants, list):
            for item in participants:
                _participant(event, item)
    data = raw.get("ActionData")
    if not isinstance(data, dict):
        return event
    event.data = data
    action = data.get("Type")
    if isinstance(action, str):
        event.action = action
    params = data.get("Parameters")
    if isinstance(params, dict):
        event.params = params
        _leg_of(event, params)
    return event


def _participant(event: Invocation, item: object) -> None:
    """Take one participant: of several with one tag a living one, else the last."""
    if not isinstance(item, dict):
        return
    call_id, tag = item.get("CallId"), item.get("ParticipantTag")
    if not isinstance(call_id, str) or not isinstance(tag, str) or not 0 < len(call_id) <= 256:
        return
    if tag not in _TAGS:
        tag = tag.upper()
        if tag not in _TAGS:
            return
    alive = item.get("Status") != "Disconnected"
    event.readable = True
    if alive:
        event.anybody = True
    if tag == "LEG-A":
        if event.leg_a is None or alive or not event.leg_a.alive:
            event.leg_a = Leg(call_id, "A", alive, item)
    elif event.leg_b is None or alive or not event.leg_b.alive:
        event.leg_b = Leg(call_id, "B", alive, item)


def _leg_of(event: Invocation, params: Mapping[str, Any]) -> None:
    """Which leg the event is about: by CallId, else by tag."""
    call_id = params.get("CallId")
    if isinstance(call_id, str) and call_id:
        event.leg_id = call_id
        if event.leg_a is not None and call_id == event.leg_a.call_id:
            event.leg = "A"
            return
        if event.leg_b is not None and call_id == event.leg_b.call_id:
            event.leg = "B"
            return
    tag = params.get("ParticipantTag")
    if isinstance(tag, str) and tag:
        event.leg = _TAGS.get(tag.upper(), "")
        if not event.leg_id:
            leg = event.leg_a if event.leg == "A" else event.leg_b if event.leg == "B" else None
            event.leg_id = leg.call_id if leg is not None else ""
