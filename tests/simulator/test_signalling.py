"""A browser's way into a meeting and out of it, with a client of our own; tests/web/page has the real one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from simulator.api.kit import OURS, THEIRS, Served, served
from simulator.kit import join, reply
from sma_flows.simulator.api import server
from sma_flows.simulator.api.frames import FrameError, Ping, Type, coded, read
from sma_flows.simulator.api.media import _on_loopback
from sma_flows.simulator.api.signalling import SUBPROTOCOL

DEADLINE_S = 60.0
MINUTE = 60_000


class Room:
    """A meeting of a served account with the seats that were made in it."""

    def __init__(self, desk: Served) -> None:
        self.desk = desk
        self.client = desk.client("chime-sdk-meetings")
        made = self.client.create_meeting(
            ClientRequestToken="room-7", ExternalMeetingId="room", MediaRegion="us-east-1"
        )
        self.meeting: dict[str, Any] = made["Meeting"]
        self.id = self.meeting["MeetingId"]
        self.url = self.meeting["MediaPlacement"]["SignalingUrl"]

    def seat(self, name: str) -> dict[str, Any]:
        seat: dict[str, Any] = self.client.create_attendee(MeetingId=self.id, ExternalUserId=name)["Attendee"]
        return seat

    def connected(self) -> set[str]:
        return {
            one["attendee"]
            for meeting in self.desk.admin("GET", "/meetings")
            for one in meeting["attendees"]
            if one["connected"]
        }

    async def see(self, *attendees: str) -> None:
        """Wait until exactly these are connected."""
        async with asyncio.timeout(DEADLINE_S):
            while await asyncio.to_thread(self.connected) != set(attendees):
                await asyncio.sleep(0)


class Browser:
    """A client that sends what the SDK sends."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.roster: dict[str, bool] = {}

    async def say(self, kind: Type, **parts: Any) -> None:
        await self.socket.send(coded(kind, 1, **parts))

    async def hear(self, kind: Type) -> Any:
        """The next frame of this kind; the roster is kept on the way."""
        streams: dict[int, str] = {}
        async with asyncio.timeout(DEADLINE_S):
            while True:
                data = await self.socket.recv()
                assert isinstance(data, bytes)
                frame = read(data)
                for one in frame.audioStreamIdInfo.streams:
                    if one.attendeeId:
                        streams[one.audioStreamId] = one.attendeeId
                        self.roster[one.attendeeId] = one.muted
                    else:
                        self.roster.pop(self.stream(one.audioStreamId))
                self._streams = getattr(self, "_streams", {}) | streams
                if frame.type == kind:
                    return frame

    def stream(self, number: int) -> str:
        return str(self._streams[number])

    async def join(self) -> Any:
        await self.say(Type.JOIN)
        ack = await self.hear(Type.JOIN_ACK)
        assert not ack.HasField("error")
        return (await self.hear(Type.INDEX)).index

    async def talk(self, muted: bool = False) -> None:
        """Offer audio and wait until media flow."""
        self.peer.addTrack(AudioStreamTrack())
        for one in self.peer.getTransceivers():
            _on_loopback(one.sender.transport.transport.iceGatherer)
        await self.peer.setLocalDescription(await self.peer.createOffer())
        await self.say(Type.SUBSCRIBE, sub={"sdpOffer": self.peer.localDescription.sdp, "audioMuted": muted})
        answer = (await self.hear(Type.SUBSCRIBE_ACK)).suback.sdpAnswer
        connected = asyncio.Event()

        def look() -> None:
            if self.peer.connectionState == "connected":
                connected.set()

        self.peer.on("connectionstatechange", look)
        await self.peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await asyncio.wait_for(connected.wait(), DEADLINE_S)

    async def closed(self) -> int:
        """The code with which the server closes."""
        async with asyncio.timeout(DEADLINE_S):
            with suppress(ConnectionClosed):
                while True:
                    await self.socket.recv()
        return self.socket.close_code or 0


@asynccontextmanager
async def browser(url: str, token: str) -> AsyncIterator[Browser]:
    async with connect(url, subprotocols=[SUBPROTOCOL, token], proxy=None) as socket:  # type: ignore[list-item]
        assert socket.subprotocol == SUBPROTOCOL
        here = Browser(socket)
        try:
            yield here
        finally:
            await here.peer.close()


def in_a_room(does: Callable[[Room], Any], answer: Any = None) -> None:
    with served(answer) as desk:
        asyncio.run(does(Room(desk)))


# ---- coming and going ----------------------------------------------------------------------------------------------


def test_a_browser_joins_with_media_and_leaves() -> None:
    async def do(room: Room) -> None:
        ann = room.seat("ann")
        async with browser(room.url, ann["JoinToken"]) as page:
            await page.say(Type.PING_PONG, pingPong={"type": int(Ping.PING), "pingId": 9})
            pong = (await page.hear(Type.PING_PONG)).pingPong
            assert (pong.type, pong.pingId) == (Ping.PONG, 9)
            index = await page.join()
            assert (index.numParticipants, index.atCapacity) == (1, False)
            assert room.connected() == {ann["AttendeeId"]}
            await page.talk()
            await page.hear(Type.AUDIO_STREAM_ID_INFO)
            assert page.roster == {ann["AttendeeId"]: False}
            await page.say(Type.LEAVE)
            await page.hear(Type.LEAVE_ACK)
            assert room.connected() == set()

    in_a_room(do)


def test_all_candidates_are_on_the_loopback_interface() -> None:
    async def do(room: Room) -> None:
        async with browser(room.url, room.seat("ann")["JoinToken"]) as page:
            await page.join()
            await page.talk()
            lines = page.peer.remoteDescription.sdp.splitlines()
            found = [line.split()[4] for line in lines if line.startswith("a=candidate:")]
            assert set(found) == {"127.0.0.1"}

    in_a_room(do)


def test_a_browser_sees_others_come_mute_themselves_and_go() -> None:
    async def do(room: Room) -> None:
        ann, bob = room.seat("ann"), room.seat("bob")
        async with browser(room.url, ann["JoinToken"]) as first:
            await first.join()
            await first.talk()
            await first.hear(Type.AUDIO_STREAM_ID_INFO)
            async with browser(room.url, bob["JoinToken"]) as second:
                assert (await second.join()).numParticipants == 2
                await first.hear(Type.AUDIO_STREAM_ID_INFO)
                assert first.roster == {ann["AttendeeId"]: False, bob["AttendeeId"]: False}
                await second.talk(muted=True)
                await first.hear(Type.AUDIO_STREAM_ID_INFO)
                assert first.roster[bob["AttendeeId"]] is True
                await second.say(Type.AUDIO_CONTROL, audioControl={"muted": False})
                await first.hear(Type.AUDIO_STREAM_ID_INFO)
                assert first.roster[bob["AttendeeId"]] is False
            await first.hear(Type.AUDIO_STREAM_ID_INFO)
            assert first.roster == {ann["AttendeeId"]: False}

    in_a_room(do)


def test_a_call_and_a_browser_meet_in_one_meeting() -> None:
    seats: list[dict[str, Any]] = []

    def function(event: dict[str, Any]) -> object:
        joins = event["InvocationEventType"] == "NEW_INBOUND_CALL"
        return reply(join(MeetingId=seats[0]["meeting"], JoinToken=seats[0]["JoinToken"])) if joins else reply()

    async def do(room: Room) -> None:
        ann, line = room.seat("ann"), room.seat("line")
        seats.append({**line, "meeting": room.id})
        async with browser(room.url, ann["JoinToken"]) as page:
            await page.join()
            await page.talk()
            await page.hear(Type.AUDIO_STREAM_ID_INFO)
            call = await asyncio.to_thread(room.desk.admin, "POST", "/calls", {"from": THEIRS, "to": OURS})
            await page.hear(Type.AUDIO_STREAM_ID_INFO)
            assert page.roster == {ann["AttendeeId"]: False, line["AttendeeId"]: False}
            assert room.connected() == {ann["AttendeeId"], line["AttendeeId"]}
            await asyncio.to_thread(room.desk.admin, "POST", f"/calls/{call['transaction']}/hangup", {})
            await page.hear(Type.AUDIO_STREAM_ID_INFO)
            assert page.roster == {ann["AttendeeId"]: False}

    in_a_room(do, function)


def test_a_browser_that_vanishes_has_left_and_the_meeting_ends_five_minutes_later() -> None:
    async def do(room: Room) -> None:
        async with browser(room.url, room.seat("ann")["JoinToken"]) as page:
            await page.join()
            room.desk.exchange.wait(60 * MINUTE)
            assert len(room.connected()) == 1
            page.socket.transport.abort()
            await room.see()
        room.desk.exchange.wait(5 * MINUTE)
        assert room.desk.admin("GET", "/meetings") == []

    in_a_room(do)


# ---- not let in, thrown out ----------------------------------------------------------------------------------------


async def refused(page: Browser) -> tuple[int, int]:
    await page.say(Type.JOIN)
    status = (await page.hear(Type.JOIN_ACK)).error.status
    return status, await page.closed()


def test_a_token_that_is_none_is_refused() -> None:
    async def do(room: Room) -> None:
        room.seat("ann")
        async with browser(room.url, "made-up") as page:
            assert await refused(page) == (403, 4403)
        assert room.connected() == set()

    in_a_room(do)


def test_the_token_of_somebody_at_a_telephone_is_refused() -> None:
    seats: list[dict[str, Any]] = []

    def function(event: dict[str, Any]) -> object:
        joins = event["InvocationEventType"] == "NEW_INBOUND_CALL"
        return reply(join(MeetingId=seats[0]["meeting"], JoinToken=seats[0]["JoinToken"])) if joins else reply()

    async def do(room: Room) -> None:
        line = room.seat("line")
        seats.append({**line, "meeting": room.id})
        await asyncio.to_thread(room.desk.admin, "POST", "/calls", {"from": THEIRS, "to": OURS})
        async with browser(room.url, line["JoinToken"]) as page:
            assert await refused(page) == (403, 4403)
        assert room.connected() == {line["AttendeeId"]}

    in_a_room(do, function)


@pytest.mark.parametrize("how", ["deleted", "unknown", "over"])
def test_a_meeting_that_is_gone_is_closed_with_4410(how: str) -> None:
    async def do(room: Room) -> None:
        token = room.seat("ann")["JoinToken"]
        if how == "deleted":
            room.client.delete_meeting(MeetingId=room.id)
        elif how == "over":
            room.desk.exchange.wait(5 * MINUTE)
        url = room.url.replace(room.id, "11111111-2222-3333-4444-555555555555") if how == "unknown" else room.url
        async with browser(url, token) as page:
            await page.say(Type.JOIN)
            assert await page.closed() == 4410

    in_a_room(do)


def test_a_browser_is_told_that_its_meeting_was_deleted() -> None:
    async def do(room: Room) -> None:
        async with browser(room.url, room.seat("ann")["JoinToken"]) as page:
            await page.join()
            await asyncio.to_thread(room.client.delete_meeting, MeetingId=room.id)
            assert (await page.hear(Type.AUDIO_STATUS)).audioStatus.audioStatus == 410
            assert await page.closed() == 4410

    in_a_room(do)


def test_a_browser_is_told_that_its_attendee_was_deleted() -> None:
    async def do(room: Room) -> None:
        ann = room.seat("ann")
        async with browser(room.url, ann["JoinToken"]) as page:
            await page.join()
            gone = {"MeetingId": room.id, "AttendeeId": ann["AttendeeId"]}
            await asyncio.to_thread(lambda: room.client.delete_attendee(**gone))
            assert (await page.hear(Type.AUDIO_STATUS)).audioStatus.audioStatus == 411
            assert await page.closed() == 4403

    in_a_room(do)


def test_the_second_browser_with_a_token_takes_the_seat_of_the_first() -> None:
    async def do(room: Room) -> None:
        ann = room.seat("ann")
        async with browser(room.url, ann["JoinToken"]) as first, browser(room.url, ann["JoinToken"]) as second:
            await first.join()
            await second.join()
            assert (await first.hear(Type.AUDIO_STATUS)).audioStatus.audioStatus == 301
            await first.closed()
            await second.say(Type.PING_PONG, pingPong={"type": int(Ping.PING), "pingId": 1})
            await second.hear(Type.PING_PONG)
            assert room.connected() == {ann["AttendeeId"]}

    in_a_room(do)


# ---- what makes no sense -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("a text", id="text"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x05\xff\xff\xff", id="no-frame"),
        pytest.param(b"\x07\x10\x01", id="other-first-byte"),
        pytest.param(coded(Type.SUBSCRIBE, 1, sub={"sdpOffer": "v=0"}), id="subscribe-before-join"),
    ],
)
def test_what_makes_no_sense_ends_the_channel(data: bytes | str) -> None:
    async def do(room: Room) -> None:
        async with browser(room.url, room.seat("ann")["JoinToken"]) as page:
            await page.socket.send(data)
            assert await page.closed() == 4400

    in_a_room(do)


@pytest.mark.parametrize("offer", ["", "v=0", "m=audio nonsense"])
def test_an_offer_that_is_none_ends_the_channel_and_frees_the_seat(offer: str) -> None:
    async def do(room: Room) -> None:
        async with browser(room.url, room.seat("ann")["JoinToken"]) as page:
            await page.join()
            await page.say(Type.SUBSCRIBE, sub={"sdpOffer": offer})
            assert await page.closed() == 4400
        await room.see()

    in_a_room(do)


def test_a_second_join_ends_the_channel() -> None:
    async def do(room: Room) -> None:
        async with browser(room.url, room.seat("ann")["JoinToken"]) as page:
            await page.join()
            await page.say(Type.JOIN)
            assert await page.closed() == 4400

    in_a_room(do)


def test_frames_that_are_not_known_here_are_passed_over() -> None:
    async def do(room: Room) -> None:
        async with browser(room.url, room.seat("ann")["JoinToken"]) as page:
            await page.socket.send(b"\x05\x08\x01\x10\x15\xb2\x01\x00")  # CLIENT_METRIC
            await page.join()

    in_a_room(do)


@pytest.mark.parametrize(
    ("path", "words", "name"),
    [
        ("/control/{id}", ["somebody", "token"], "127.0.0.1"),
        ("/control/{id}", [SUBPROTOCOL], "127.0.0.1"),
        ("/control/{id}", None, "127.0.0.1"),
        ("/calls/{id}", [SUBPROTOCOL, "token"], "127.0.0.1"),
        ("/control/a%20b", [SUBPROTOCOL, "token"], "127.0.0.1"),
        ("/control/{id}", [SUBPROTOCOL, "token"], "elsewhere.example"),
    ],
    ids=["other-protocol", "no-token", "no-protocol", "other-path", "no-meeting", "other-host"],
)
def test_what_is_no_signalling_channel_is_not_opened(path: str, words: list[str] | None, name: str) -> None:
    async def do(room: Room) -> None:
        port = int(room.desk.url.rpartition(":")[2])
        url, here = f"ws://{name}:{port}{path.format(id=room.id)}", {"host": "127.0.0.1", "port": port}
        with pytest.raises(InvalidStatus) as caught:
            async with connect(url, subprotocols=words, proxy=None, **here):  # type: ignore[arg-type]
                raise AssertionError("it was opened")
        assert caught.value.response.status_code == 403

    in_a_room(do)


def test_frames_say_what_is_no_frame() -> None:
    for data in (b"", b"\x05", b"\x05\x08", b"\x02\x10\x01"):
        with pytest.raises(FrameError):
            read(data)
    assert read(coded(Type.LEAVE_ACK, 7)).timestampMs == 7


# ---- without the extra ---------------------------------------------------------------------------------------------


def test_without_the_extra_the_addresses_lead_nowhere_and_no_channel_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "has_media", lambda: False)

    async def do(room: Room) -> None:
        assert all(".media.invalid" in url for url in room.meeting["MediaPlacement"].values())
        with pytest.raises(InvalidStatus) as caught:
            async with connect(f"ws://{room.desk.url.split('/')[2]}/control/{room.id}", proxy=None):
                raise AssertionError("it was opened")
        assert caught.value.response.status_code >= 400

    in_a_room(do)


def test_with_the_extra_all_addresses_are_on_this_machine() -> None:
    async def do(room: Room) -> None:
        assert room.desk.url.startswith("http://127.0.0.1:")
        where = room.desk.url.removeprefix("http://")
        placement = room.meeting["MediaPlacement"]
        assert json.dumps(placement).count(where) == len(placement)
        assert "EventIngestionUrl" not in placement

    in_a_room(do)
