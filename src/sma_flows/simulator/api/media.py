"""The media of a browser in a simulated meeting: real ICE, DTLS and SRTP with aiortc, and silence to hear.

What the browser sends is decrypted and dropped. All sockets are on the loopback interface, and no STUN or TURN server
is asked.
"""

from __future__ import annotations

from typing import Any, Final

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaBlackhole
from aiortc.mediastreams import AudioStreamTrack

__all__ = ["OfferError", "Peer"]

LOOPBACK: Final = ["127.0.0.1"]


class OfferError(ValueError):
    """An SDP offer that cannot be answered."""


class Peer:
    """The other side of a browser's RTCPeerConnection. Everything on one event loop; :meth:`close` it in the end."""

    def __init__(self) -> None:
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._drain = MediaBlackhole()
        self._speaks = False
        self._peer.add_listener("track", self._drop)

    @property
    def state(self) -> str:
        """RTCPeerConnection.connectionState: ``connected`` when ICE and DTLS are through."""
        return str(self._peer.connectionState)

    async def answer(self, offer: str) -> str:
        """The SDP answer to an offer, with all candidates in it. Further offers change what there is.

        Raises:
            OfferError: the offer is none, or wants what we do not have.
        """
        try:
            await self._peer.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
            if not self._speaks:
                self._peer.addTrack(AudioStreamTrack())
                self._speaks = True
            for gatherer in self._gatherers():
                _on_loopback(gatherer)
            await self._peer.setLocalDescription(await self._peer.createAnswer())
        except Exception as error:  # a parser of texts: it raises what it comes across
            raise OfferError(f"the offer cannot be answered ({type(error).__name__})") from error
        return str(self._peer.localDescription.sdp)

    async def close(self) -> None:
        """Let go of the sockets."""
        await self._drain.stop()
        await self._peer.close()

    async def _drop(self, track: MediaStreamTrack) -> None:
        self._drain.addTrack(track)
        await self._drain.start()

    def _gatherers(self) -> list[Any]:
        transports = {id(one.sender.transport): one.sender.transport for one in self._peer.getTransceivers()}
        return [transport.transport.iceGatherer for transport in transports.values()]


def _on_loopback(gatherer: Any) -> None:
    """Candidates of the loopback interface only: aioice takes all other interfaces, and cannot be told otherwise."""
    connection = gatherer._connection
    if "get_component_candidates" in vars(connection):
        return
    gather = connection.get_component_candidates

    async def on_loopback(component: int, addresses: list[str]) -> Any:  # noqa: ARG001 - they are what we do not want
        return await gather(component=component, addresses=LOOPBACK)

    connection.get_component_candidates = on_loopback
