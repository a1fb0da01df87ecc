"""What the voice operations do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sma_flows.protocol.actions import InvalidActionError, sip_headers
from sma_flows.simulator.refused import RefusedError

if TYPE_CHECKING:
    from sma_flows.simulator.api.plane import ControlPlane, Handler

__all__ = ["HANDLERS"]

Params = Mapping[str, Any]


def create_call(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """CreateSipMediaApplicationCall. Not idempotent: it has no request token (contract 6.1)."""
    headers = params.get("SipHeaders") or {}
    try:
        sip_headers(headers)
    except InvalidActionError as error:
        raise RefusedError("BadRequestException", f"SipHeaders: {error}") from None
    line = plane.exchange.place(
        _e164(params["ToPhoneNumber"]),
        _e164(params["FromPhoneNumber"]),
        params["SipMediaApplicationId"],
        params.get("ArgumentsMap"),
        headers,
    )
    return {"SipMediaApplicationCall": {"TransactionId": line.transaction}}


def update_call(plane: ControlPlane, params: Params) -> dict[str, Any]:
    """UpdateSipMediaApplicationCall."""
    transaction = params["TransactionId"]
    plane.exchange.update(transaction, params["Arguments"], params["SipMediaApplicationId"])
    return {"SipMediaApplicationCall": {"TransactionId": transaction}}


def _e164(number: str) -> str:
    return number if number.startswith("+") else f"+{number}"


HANDLERS: Final[Mapping[str, Handler]] = {
    "CreateSipMediaApplicationCall": create_call,
    "UpdateSipMediaApplicationCall": update_call,
}
"""By the name of the operation."""
