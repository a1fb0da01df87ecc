"""AWS as one address: the simulated control plane, a DynamoDB and small stand-ins behind a door that can be jammed.

Every request is named by its operation, one for the table with the kind of item behind it (``PutItem memo``). It goes
to whoever serves it; then the fault that a test has chosen happens to it.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import urlsplit

from .faulty import TEXT, listening

_PATHS: Final = [
    ("POST", r"/meetings", "CreateMeeting"),
    ("GET", r"/meetings/[^/]+", "GetMeeting"),
    ("DELETE", r"/meetings/[^/]+", "DeleteMeeting"),
    ("POST", r"/meetings/[^/]+/attendees", "CreateAttendee"),
    ("GET", r"/meetings/[^/]+/attendees(\?.*)?", "ListAttendees"),
    ("GET", r"/meetings/[^/]+/attendees/[^/?]+", "GetAttendee"),
    ("DELETE", r"/meetings/[^/]+/attendees/[^/?]+", "DeleteAttendee"),
    ("PUT", r"/meetings/[^/]+/attendees/[^/]+/capabilities", "UpdateAttendeeCapabilities"),
    ("POST", r"/meetings/[^/]+/transcription\?operation=start", "StartMeetingTranscription"),
    ("POST", r"/meetings/[^/]+/transcription\?operation=stop", "StopMeetingTranscription"),
    ("POST", r"/channels/.+/messages", "SendChannelMessage"),
    ("POST", r"/sdk-media-live-connector-pipelines", "CreateMediaLiveConnectorPipeline"),
    ("POST", r"/sdk-media-capture-pipelines", "CreateMediaCapturePipeline"),
    ("DELETE", r"/sdk-media-pipelines/[^/]+", "DeleteMediaPipeline"),
    ("POST", r"/sip-media-applications/[^/]+/calls", "CreateSipMediaApplicationCall"),
    ("POST", r"/sip-media-applications/[^/]+/calls/[^/]+", "UpdateSipMediaApplicationCall"),
    ("POST", r"/2015-03-31/functions/.+/invocations.*", "Invoke"),
]
_CANNED: Final = {
    "SendMessage": (200, b'{"MessageId": "message-1", "MD5OfMessageBody": ""}'),
    "PutEvents": (200, b'{"FailedEntryCount": 0, "Entries": [{"EventId": "event-1"}]}'),
    "Invoke": (202, b""),
}
"""What those answer of whom there is no stand-in: they take everything."""

SAYS: Final = {
    "throttle": (429, "ThrottlingException"),
    "deny": (403, "AccessDeniedException"),
}


@dataclass(frozen=True, slots=True)
class Passed:
    """A request: its operation, its body, whether it was done, and what was answered to it if it was."""

    operation: str
    body: str
    done: bool
    answer: bytes = b""


@dataclass
class Front:
    """The door. ``jammed`` is the operation that goes wrong, ``fault`` how (a name of ``fault_calls.FAULTS``)."""

    control_plane: str
    dynamodb: str
    url: str = ""
    jammed: str = ""
    fault: str = ""
    passed: list[Passed] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    on_fault: list[Any] = field(default_factory=list)

    def count(self, operation: str) -> int:
        """How often something was asked for."""
        return sum(each.operation == operation for each in self.passed)

    def done(self, operation: str) -> list[Passed]:
        """What was done of it."""
        return [each for each in self.passed if each.operation == operation and each.done]


def operation_of(method: str, path: str, target: str, body: str) -> str:
    """The name of a request."""
    if target:
        name = target.rpartition(".")[2]
        if not target.startswith("DynamoDB"):
            return name
        data = json.loads(body)
        key = (data.get("Key") or data.get("Item") or {}).get("pk", {}).get("S", "")
        return f"{name} {key.partition('/')[0]}".strip()
    for verb, pattern, name in _PATHS:
        if verb == method and re.fullmatch(pattern, path):
            return name
    return f"{method} {path}"


@contextmanager
def front(control_plane: str, dynamodb: str) -> Iterator[Front]:
    """A door that is open meanwhile."""
    made = Front(control_plane, dynamodb)

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            target = self.headers.get("X-Amz-Target", "")
            operation = operation_of(self.command, self.path, target, body.decode("utf-8", "replace"))
            jammed = operation == made.jammed
            if jammed:
                for told in made.on_fault:
                    told()
            said = SAYS.get(made.fault) if jammed else None
            if said is not None:
                status, kind = said
                made.passed.append(Passed(operation, body.decode(), done=False))
                self._say(status, json.dumps({"__type": kind, "message": TEXT}).encode(), kind)
                return
            if jammed and made.fault == "garbage":
                made.passed.append(Passed(operation, body.decode(), done=False))
                self._say(200, f"<html>{TEXT}</html>".encode())
                return
            status, content, kind = self._served(operation, target, body)
            made.passed.append(Passed(operation, body.decode(), done=status < 300, answer=content))
            if jammed:  # it was done, and nobody will know
                made.over.wait(30)
                return
            self._say(status, content, kind)

        def _served(self, operation: str, target: str, body: bytes) -> tuple[int, bytes, str]:
            if operation in _CANNED:
                return *_CANNED[operation], ""
            address = urlsplit(made.dynamodb if target.startswith("DynamoDB") else made.control_plane)
            connection = http.client.HTTPConnection(address.netloc, timeout=20)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection.request(self.command, self.path, body, headers)
            reply = connection.getresponse()
            content = reply.read()
            connection.close()
            return reply.status, content, reply.headers.get("x-amzn-errortype") or ""

        def _say(self, status: int, content: bytes, kind: str = "") -> None:
            head = f"HTTP/1.1 {status} Any\r\nContent-Type: application/json\r\nConnection: close\r\n"
            head += f"x-amzn-errortype: {kind}\r\n" if kind else ""
            length = f"Content-Length: {len(content)}\r\n\r\n" if status != 204 else "\r\n"
            self.wfile.write(f"{head}{length}".encode() + (content if status != 204 else b""))

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with listening(Handler, made.over) as made.url:
        yield made
