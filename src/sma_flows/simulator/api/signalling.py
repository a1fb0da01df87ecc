"""Browsers in simulated meetings: the signalling channel to which an unmodified amazon-chime-sdk-js connects.

A browser opens the WebSocket ``/control/MEETING`` with its join token as a subprotocol, sends JOIN, gets JOIN_ACK and
INDEX, offers its media with SUBSCRIBE, gets the answer with SUBSCRIBE_ACK, and learns with AUDIO_STREAM_ID_INFO who is
there. What it is told when it may not come in, or is thrown out, stands in the fidelity ledger (group ``browser``). Its
connection counts in the meeting like the leg of a call: one for each token.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sma_flows.simulator.api.frames import FrameError, Ping, Type, coded, read
from sma_flows.simulator.api.media import OfferError, Peer
from sma_flows.simulator.refused import RefusedError

if TYPE_CHECKING:
    from sma_flows.simulator.api.plane import ControlPlane
    from sma_flows.simulator.meetings import Meeting

__all__ = ["BROWSER", "SUBPROTOCOL", "Signalling"]

SUBPROTOCOL: Final = "_aws_wt_session"
"""What a client asks for first, and the token second (SignalingClientConnectionRequest)."""

BROWSER: Final = "browser "
"""How the names of connections begin that are no leg of a call."""

_PATH: Final = re.compile(r"/control/([0-9A-Za-z-]{1,64})")
_ENDED, _BAD, _REMOVED, _ELSEWHERE = 410, 403, 411, 301
_CLOSE_ENDED, _CLOSE_BAD, _CLOSE_WRONG = 4410, 4403, 4400

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class _GoneError(Exception):
    """The WebSocket is closed, or shall be with ``code``."""

    def __init__(self, code: int = 0) -> None:
        super().__init__(code)
        self.code = code


@dataclass(eq=False)
class _Client:
    """One WebSocket: ``name`` is its connection in the meeting, ``roster`` what it was told of the others."""

    meeting: str
    token: str
    name: str
    receive: Receive
    send: Send
    attendee: str = ""
    subscribed: bool = False
    roster: dict[int, tuple[str, str, bool]] = field(default_factory=dict)
    peer: Peer | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def told(self, loop: asyncio.AbstractEventLoop) -> Callable[[str], None]:
        """What takes note that something happened in a meeting, in whatever thread."""

        def note(meeting: str) -> None:
            if meeting == self.meeting:
                loop.call_soon_threadsafe(self.changed.set)

        return note


class Signalling:
    """The channels of all browsers of a control plane; :meth:`serve` is an ASGI application for one of them."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._count = itertools.count(1)
        self._clients: set[_Client] = set()
        self._muted: dict[str, bool] = {}
        self._do: Final = {
            Type.JOIN: self._join,
            Type.SUBSCRIBE: self._subscribe,
            Type.AUDIO_CONTROL: self._mute,
            Type.PING_PONG: self._pong,
            Type.LEAVE: self._leave,
        }

    async def serve(self, scope: Message, receive: Receive, send: Send) -> None:
        """A WebSocket from its first to its last message."""
        await receive()
        path, offered = _PATH.fullmatch(scope["path"]), list(scope.get("subprotocols") or ())
        if path is None or len(offered) != 2 or offered[0] != SUBPROTOCOL:
            await send({"type": "websocket.close"})  # before it is accepted: 403
            return
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        client = _Client(path.group(1), offered[1], f"{BROWSER}{next(self._count)}", receive, send)
        self._clients.add(client)
        unwatch = self._plane.meetings.watch(client.told(asyncio.get_running_loop()))
        try:
            await self._talk(client)
        except _GoneError as gone:
            if gone.code:
                await send({"type": "websocket.close", "code": gone.code})
        finally:
            unwatch()
            self._clients.remove(client)
            self._muted.pop(client.name, None)
            await asyncio.shield(_aside(self._out, client))
            if client.peer is not None:
                await client.peer.close()

    async def _talk(self, client: _Client) -> None:
        """Listen to the client and to the meeting, whichever has something to say."""
        hears = asyncio.ensure_future(_message(client))
        sees = asyncio.ensure_future(client.changed.wait())
        try:
            while True:
                done, _ = await asyncio.wait((hears, sees), return_when=asyncio.FIRST_COMPLETED)
                if hears in done:
                    await self._heard(client, hears.result())
                    hears = asyncio.ensure_future(_message(client))
                if sees in done:
                    client.changed.clear()
                    await self._tell(client)
                    sees = asyncio.ensure_future(client.changed.wait())
        finally:
            hears.cancel()
            sees.cancel()

    async def _heard(self, client: _Client, data: bytes) -> None:
        try:
            frame = read(data)
            do = self._do.get(frame.type)
            if do is not None:
                await do(client, frame)
        except (FrameError, OfferError):
            raise _GoneError(_CLOSE_WRONG) from None

    async def _say(self, client: _Client, kind: Type, **parts: Any) -> None:
        now_ms = self._plane.exchange.base.started_ms + self._plane.now_ms
        try:
            await client.send({"type": "websocket.send", "bytes": coded(kind, now_ms, **parts)})
        except OSError:  # how uvicorn says that the client has gone
            raise _GoneError from None

    # -- what a client sends ---------------------------------------------------------------------------------------

    async def _join(self, client: _Client, _frame: Any) -> None:
        if client.attendee:
            raise _GoneError(_CLOSE_WRONG)
        refused = await _aside(self._in, client)
        if refused == _ENDED:
            raise _GoneError(_CLOSE_ENDED)
        if refused:
            error = {"status": refused, "description": "The join token is not valid."}
            await self._say(client, Type.JOIN_ACK, error=error, joinack={})
            raise _GoneError(_CLOSE_BAD)
        turn = {"username": "", "password": "", "ttl": 300, "uris": []}
        await self._say(client, Type.JOIN_ACK, joinack={"turnCredentials": turn, "wantsCompressedSdp": False})
        _, present = await _aside(self._look, client)
        await self._say(client, Type.INDEX, index={"atCapacity": False, "numParticipants": len(present)})

    async def _subscribe(self, client: _Client, frame: Any) -> None:
        if not client.attendee:
            raise _GoneError(_CLOSE_WRONG)
        client.peer = client.peer or Peer()
        answer = await client.peer.answer(frame.sub.sdpOffer)
        await self._say(client, Type.SUBSCRIBE_ACK, suback={"duplex": 3, "sdpAnswer": answer})
        client.subscribed = True
        self._mutes(client, muted=frame.sub.audioMuted)

    async def _mute(self, client: _Client, frame: Any) -> None:
        self._mutes(client, muted=frame.audioControl.muted)

    def _mutes(self, client: _Client, *, muted: bool) -> None:
        self._muted[client.name] = muted
        for each in self._clients:
            if each.meeting == client.meeting:
                each.changed.set()

    async def _pong(self, client: _Client, frame: Any) -> None:
        if frame.pingPong.type == Ping.PING:
            await self._say(client, Type.PING_PONG, pingPong={"type": int(Ping.PONG), "pingId": frame.pingPong.pingId})

    async def _leave(self, client: _Client, _frame: Any) -> None:
        await _aside(self._out, client)
        client.subscribed, client.attendee = False, ""
        await self._say(client, Type.LEAVE_ACK, leaveAck={})

    # -- the meeting -----------------------------------------------------------------------------------------------

    def _in(self, client: _Client) -> int:
        """Take the seat of the token: 0, or the status with which it is refused."""
        plane = self._plane
        with plane.exchange.together():
            now_ms, meetings = plane.now_ms, plane.meetings
            try:
                client.meeting = meetings.get(client.meeting, now_ms).id
            except RefusedError:
                return _ENDED
            taken = meetings.connection(client.meeting, client.token, now_ms)
            if taken is None or (taken and not taken.startswith(BROWSER)):
                return _BAD
            meetings.leave(client.meeting, client.token, taken, now_ms)
            client.attendee = meetings.join(client.meeting, client.token, client.name, now_ms).id
        return 0

    def _out(self, client: _Client) -> None:
        """Leave the seat, if it is still ours."""
        plane = self._plane
        with plane.exchange.together():
            plane.meetings.leave(client.meeting, client.token, client.name, plane.now_ms)

    def _look(self, client: _Client) -> tuple[int, dict[int, tuple[str, str, bool]]]:
        """Why the client is no longer in (0: it is), and who is."""
        with self._plane.exchange.lock:
            return self._thrown_out(client), self._present(client.meeting)

    def _present(self, meeting: str) -> dict[int, tuple[str, str, bool]]:
        """Who is connected: the number of the audio stream to attendee, external id, muted."""
        found = self._found(meeting)
        return {
            one.place: (one.id, one.external, self._muted.get(one.connection, False))
            for one in (found.attendees.values() if found is not None else ())
            if one.connection
        }

    def _found(self, meeting: str) -> Meeting | None:
        living = self._plane.meetings.living(self._plane.now_ms)
        return next((one for one in living if one.id == meeting), None)

    def _thrown_out(self, client: _Client) -> int:
        """Why the client is no longer in; 0: it is."""
        found = self._found(client.meeting)
        if found is None:
            return _ENDED
        seat = found.attendees.get(client.attendee)
        if seat is None:
            return _REMOVED
        return 0 if seat.connection == client.name else _ELSEWHERE

    async def _tell(self, client: _Client) -> None:
        """Tell a client what has changed in its meeting."""
        if not client.attendee:
            return
        why, present = await _aside(self._look, client)
        if why:
            await self._say(client, Type.AUDIO_STATUS, audioStatus={"audioStatus": why})
            raise _GoneError(_CLOSE_ENDED if why == _ENDED else _CLOSE_BAD)
        if not client.subscribed:
            return
        streams = [
            {"audioStreamId": place, "attendeeId": who, "externalUserId": external, "muted": muted}
            for place, (who, external, muted) in present.items()
            if client.roster.get(place) != (who, external, muted)
        ]
        streams += [{"audioStreamId": place, "dropped": False} for place in client.roster if place not in present]
        client.roster = present
        if streams:
            await self._say(client, Type.AUDIO_STREAM_ID_INFO, audioStreamIdInfo={"streams": streams})


async def _aside(do: Callable[[_Client], Any], client: _Client) -> Any:
    """What may wait for the exchange does not hold up the other browsers."""
    return await asyncio.get_running_loop().run_in_executor(None, do, client)


async def _message(client: _Client) -> bytes:
    """The next frame. A text, and a client that has gone, end the channel."""
    message = await client.receive()
    data = message.get("bytes")
    if message["type"] == "websocket.disconnect":
        raise _GoneError
    if not data:
        raise _GoneError(_CLOSE_WRONG)
    return bytes(data)
