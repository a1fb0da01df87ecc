"""Calls of a SIP media application: placed and told something from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sma_flows.errors import ServiceError
from sma_flows.services.aws.client import text_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sma_flows.services.aws.client import Api


class AwsCalls:
    """See :class:`~sma_flows.services.ports.Calls`."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def create(
        self,
        application: str,
        to: str,
        caller: str,
        arguments: Mapping[str, str],
        token: str,
        now: float,
        timeout_s: float,
    ) -> str:
        """Dial; gives the transaction id."""
        answer = self._api.call(
            "create_sip_media_application_call",
            timeout_s,
            attempts=1,
            SipMediaApplicationId=application,
            ToPhoneNumber=to,
            FromPhoneNumber=caller,
            ArgumentsMap=dict(arguments),
        )
        transaction = text_at(answer, "SipMediaApplicationCall", "TransactionId")
        if not transaction:
            raise ServiceError("create_sip_media_application_call gave no transaction id")
        return transaction

    def update(
        self,
        application: str,
        transaction: str,
        arguments: Mapping[str, str],
        token: str,
        now: float,
        timeout_s: float,
    ) -> bool:
        """Tell a running call something; false when it is over."""
        answer = self._api.call(
            "update_sip_media_application_call",
            timeout_s,
            attempts=1,
            gone="NotFoundException",
            SipMediaApplicationId=application,
            TransactionId=transaction,
            Arguments=dict(arguments),
        )
        return bool(answer)
