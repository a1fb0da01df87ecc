"""An HTTP front for a pool of execution environments: the Invoke operation of the Lambda API on loopback.

Requests may come together: each gets an environment of its own, and when none becomes free in time the answer is the
one of a function that has reached its concurrency, 429. A boto3 Lambda client with this address as ``endpoint_url``
works, so does ``curl``.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from sma_flows.deploy.emulator import BusyError, Pool, is_failure
from sma_flows.errors import BuildError

__all__ = ["MOST_BYTES", "serve"]

MOST_BYTES: Final = 6 * 1024 * 1024
"""Largest event of a synchronous invocation (AWS Lambda quotas)."""

WAIT_S: Final = 30.0

_INVOKE: Final = re.compile(r"/2015-03-31/functions/[^/]+/invocations/?")


@contextlib.contextmanager
def serve(pool: Pool, port: int = 0, wait_s: float = WAIT_S) -> Iterator[str]:
    """Take requests for *pool* as long as the block runs; gives the address, such as ``http://127.0.0.1:9001``.

    Raises:
        BuildError: the port is taken.
    """
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), _handler_for(pool, wait_s))
    except OSError as error:
        raise BuildError(f"port {port} cannot be used ({error.strerror}): choose another with --port") from None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _handler_for(pool: Pool, wait_s: float) -> type[BaseHTTPRequestHandler]:
    class Invoke(BaseHTTPRequestHandler):
        """One connection."""

        protocol_version = "HTTP/1.1"
        wbufsize = -1  # whole answers: small writes wait 40 ms each for a delayed acknowledgement
        timeout = 60

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "0")
            if not length.isdigit() or int(length) > MOST_BYTES:
                self.close_connection = True
                self._say(413, {"Type": "User", "message": f"an event holds at most {MOST_BYTES} bytes"})
                return
            body = self.rfile.read(int(length))
            if not _INVOKE.fullmatch(self.path.partition("?")[0]):
                self._say(404, {"Type": "User", "message": "there is only the operation Invoke"})
                return
            try:
                with pool.reserved(wait_s) as environment:
                    answer = environment.invoke(body or b"{}", pool.longest_s)
            except BusyError as error:
                self._say(429, {"Type": "User", "message": str(error)})
            except BuildError as error:
                self._say(502, {"Type": "Service", "message": str(error)})
            else:
                self._send(200, answer, {"X-Amz-Function-Error": "Unhandled"} if is_failure(answer) else {})

        def _say(self, status: int, body: dict[str, Any]) -> None:
            self._send(status, json.dumps(body).encode(), {})

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the function writes its own records."""

    return Invoke
