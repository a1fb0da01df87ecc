"""Messages in channels of Amazon Chime SDK messaging."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from sma_flows.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sma_flows.services.aws.client import Api

MAX_CONTENT: Final = 4096
"""Bytes of a message. Service model, SendChannelMessage."""

MAX_METADATA: Final = 1024
"""Characters of its metadata. Contract 10.3."""


class AwsChannel:
    """See :class:`~sma_flows.services.ports.Channel`. Channel and bearer are ARNs; the region is the channel's."""

    def __init__(self, api_in: Callable[[str], Api]) -> None:
        self._api_in = api_in
        self._apis: dict[str, Api] = {}

    def prepare(self, channel: str) -> None:
        """Make the client for *channel* now."""
        self._api(channel)

    def post(
        self,
        channel: str,
        bearer: str,
        text: str,
        metadata: Mapping[str, Any],
        token: str,
        now: float,
        timeout_s: float,
    ) -> None:
        """Post a message; the service knows the token and takes it once."""
        if not bearer:
            raise ServiceError("channel.post needs the setting 'bearer'")
        more: dict[str, Any] = {"Metadata": json.dumps(dict(metadata), separators=(",", ":"))} if metadata else {}
        if len(text.encode()) > MAX_CONTENT or len(more.get("Metadata", "")) > MAX_METADATA:
            raise ServiceError("the message is too long")
        self._api(channel).call(
            "send_channel_message",
            timeout_s,
            ChannelArn=channel,
            Content=text,
            Type="STANDARD",
            Persistence="PERSISTENT",
            ClientRequestToken=token,
            ChimeBearer=bearer,
            **more,
        )

    def _api(self, channel: str) -> Api:
        region = region_of(channel)
        if region not in self._apis:
            self._apis[region] = self._api_in(region)
        return self._apis[region]


def region_of(arn: str) -> str:
    """The region in an ARN; empty when there is none.

    Raises:
        ServiceError: it is no ARN.
    """
    parts = arn.split(":")
    if len(parts) < 6 or parts[0] != "arn":
        raise ServiceError("a channel is named by its ARN")
    return parts[3]
