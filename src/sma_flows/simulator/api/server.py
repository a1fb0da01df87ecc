"""The control plane behind HTTP on localhost: one ASGI application on uvicorn, in a thread of its own."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

import uvicorn

from sma_flows.simulator.api.admin import PREFIX, admin
from sma_flows.simulator.api.plane import MOST_BODY, Answer, ControlPlane, Request

__all__ = ["LOOPBACK", "application", "has_media", "serving"]

LOOPBACK: Final = "127.0.0.1"
HOSTS: Final = frozenset({LOOPBACK, "localhost", "[::1]"})
"""Names under which it answers: a page of the web that points a name of its own here is refused."""

MOST_FRAME: Final = 262_144
"""Largest message of a browser's signalling channel, in bytes. An offer with video has some 10 kB."""

STOP_S: Final = 1
"""Real seconds that open requests get when the server stops."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def application(plane: ControlPlane) -> Callable[[Message, Receive, Send], Awaitable[None]]:
    """The ASGI application of a control plane."""

    browsers: list[Callable[[Message, Receive, Send], Awaitable[None]]] = []

    async def attend(scope: Message, receive: Receive, send: Send) -> None:
        if not browsers:  # WebRTC takes half a second to load: only where somebody comes
            await asyncio.get_running_loop().run_in_executor(None, importlib.import_module, _SIGNALLING)
            browsers.append(importlib.import_module(_SIGNALLING).Signalling(plane).serve)
        await browsers[0](scope, receive, send)

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        here = headers.get("host", "").rpartition(":")[0] in HOSTS or headers.get("host") in HOSTS
        if scope["type"] == "websocket":
            if here:
                await attend(scope, receive, send)
            else:
                await send({"type": "websocket.close"})
            return
        body = await _body(receive)
        if body is None:
            answer = _json(413, {"error": "TooLarge", "message": f"more than {MOST_BODY} bytes"})
        elif not here:
            answer = _json(421, {"error": "WrongHost", "message": "this server answers on localhost only"})
        else:
            path = scope["raw_path"].decode("latin-1").partition("?")[0]
            request = Request(scope["method"], path, scope["query_string"].decode("latin-1"), headers, body)
            answer = await asyncio.get_running_loop().run_in_executor(None, _answer, plane, request)
        await _send(answer, receive, send)

    return app


_SIGNALLING: Final = "sma_flows.simulator.api.signalling"


def has_media() -> bool:
    """Whether browsers can join meetings: the extra ``media`` is installed."""
    return all(importlib.util.find_spec(name) for name in ("aiortc", "google", "websockets")) and bool(
        importlib.util.find_spec("google.protobuf")
    )


def _answer(plane: ControlPlane, request: Request) -> Answer:
    if request.path != PREFIX and not request.path.startswith(f"{PREFIX}/"):
        return plane.handle(request)
    try:
        body = json.loads(request.body) if request.body else {}
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return _json(400, {"error": "BadRequest", "message": "the body is not a JSON object"})
    return _json(*admin(plane, request.method, request.path.removeprefix(PREFIX), body))


def _json(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value, ensure_ascii=False).encode(), {"content-type": "application/json"})


async def _body(receive: Receive) -> bytes | None:
    """The body of a request; None: it is too large. It is read to its end all the same."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        size += len(message.get("body", b""))
        if size <= MOST_BODY:
            parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts) if size <= MOST_BODY else None


async def _send(answer: Answer, receive: Receive, send: Send) -> None:
    if answer.wait_s and await _gone(receive, answer.wait_s):
        return
    if answer.never:  # a header that cannot be sent: the server then closes the connection without a word
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"\n")]})
    length = [] if answer.status == 204 else [("content-length", str(len(answer.body)))]
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in [*answer.headers.items(), *length]]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _gone(receive: Receive, seconds: float) -> bool:
    """Whether the client goes away within this time."""

    async def leaves() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    try:
        await asyncio.wait_for(leaves(), seconds)
    except TimeoutError:
        return False
    return True


@contextmanager
def serving(plane: ControlPlane, port: int = 0) -> Iterator[str]:
    """Serve a control plane on localhost until the block ends; gives its address. Port 0: one that is free.

    With the extra ``media`` the meetings have media: what CreateMeeting answers leads a browser here.

    Raises:
        OSError: the port is taken.
    """
    # The protocol is named because asyncio turns off Nagle's algorithm only where it is: without, each second answer on
    # a connection waits 40 ms for the acknowledgement of its first half (measured: 48 ms a request, 4 ms with it).
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((LOOPBACK, port))
        door.listen(128)
        media, where = has_media(), f"{LOOPBACK}:{door.getsockname()[1]}"
        plane.media = where if media else ""
        config = uvicorn.Config(
            application(plane),
            access_log=False,
            log_config=None,
            log_level="critical",
            lifespan="off",
            http="h11",
            ws="websockets-sansio" if media else "none",
            ws_max_size=MOST_FRAME,
            timeout_graceful_shutdown=STOP_S,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([door],), name="sma-flows control plane", daemon=True)
        thread.start()
        try:
            yield f"http://{where}"
        finally:
            server.should_exit = True
            thread.join()
