"""An AWS on localhost that answers as a test says: for services of which there is no other stand-in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

TEXT: Final = "this text of the service names +14155550123"
"""What no error of ours may repeat."""


@dataclass(frozen=True, slots=True)
class Request:
    """What arrived: the operation (X-Amz-Target, else method and path) and the body."""

    operation: str
    body: str


Answer = tuple[int, str, str] | None
"""Status, error type (``torn``: more was promised than comes), body; None: never an answer."""

FAULTS: Final[dict[str, Answer]] = {
    "time_out": None,
    "throttle": (429, "ThrottlingException", f'{{"__type": "ThrottlingException", "message": "{TEXT}"}}'),
    "deny": (403, "AccessDeniedException", f'{{"__type": "AccessDeniedException", "message": "{TEXT}"}}'),
    "failure": (500, "InternalServerError", f'{{"__type": "InternalServerError", "message": "{TEXT}"}}'),
    "garbage": (200, "", f"<html>{TEXT}</html>"),
    "torn": (200, "torn", "{}"),
}


@dataclass
class Faulty:
    """The server: ``answer`` decides for each request; without one it is ``{}``."""

    url: str = ""
    answer: Callable[[Request], Answer] = field(default=lambda _request: (200, "", "{}"))
    requests: list[Request] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def seen(self, part: str) -> list[Request]:
        """The requests whose operation contains *part*."""
        return [request for request in self.requests if part in request.operation]


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler], over: threading.Event) -> Iterator[str]:
    """The address of a server that has every request answered by ``handle_one``; at the end *over* is set first."""
    for verb in ("GET", "POST", "PUT", "DELETE"):
        setattr(handler, f"do_{verb}", handler.handle_one)  # type: ignore[attr-defined]
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def faulty() -> Iterator[Faulty]:
    """A server that runs meanwhile."""
    made = Faulty()

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode("utf-8", "replace")
            target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            request = Request(target or f"{self.command} {self.path}", body)
            made.requests.append(request)
            answer = made.answer(request)
            if answer is None:
                made.over.wait(30)
                return
            status, kind, text = answer
            content = text.encode()
            head = f"HTTP/1.1 {status} Any\r\nContent-Type: application/json\r\nConnection: close\r\n"
            head += f"x-amzn-errortype: {kind}\r\n" if kind else ""
            length = len(content) + 10 * (kind == "torn")
            self.wfile.write(f"{head}Content-Length: {length}\r\n\r\n".encode() + content)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with listening(Handler, made.over) as made.url:
        yield made
