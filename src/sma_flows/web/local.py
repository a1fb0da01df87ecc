"""The API on localhost: what API Gateway and its authorizer do in front of the function, and the page beside it.

Nothing gets past without a token here either: the server makes a key when it starts, hands out tokens under it at
``/local/token``, and looks at the signature of each request as a JWT authorizer does. What the function then gets is
the event of API Gateway (payload version 2.0), so that it runs as it does in Lambda.
"""

from __future__ import annotations

import asyncio
import base64
import json
import queue
import secrets
import socket
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import jwt
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from sma_flows.web.api import MOST_BODY, Answer, document
from sma_flows.web.page import HEADERS

__all__ = ["AUDIENCE", "ISSUER", "Tokens", "application", "served"]

LOOPBACK: Final = "127.0.0.1"
HOSTS: Final = (LOOPBACK, "localhost")
"""Names under which it answers: a page of the web that points a name of its own here is refused."""

ISSUER: Final = "http://localhost/sma-flows"
AUDIENCE: Final = "click-to-call"
TENANT: Final = "tenant"
"""Claim that names the tenant."""

ALGORITHM: Final = "HS256"
VALID_S: Final = 900
"""Seconds for which a token is good."""

LARGEST: Final = 10 * 1024 * 1024
"""Bytes that API Gateway takes at most; what has more is not read to its end."""

STOP_S: Final = 1

Serve = Callable[[Mapping[str, Any]], Answer]
"""What answers an event of API Gateway: one execution environment of the function, for one request at a time."""

_ROUTES: Final = (
    ("POST", "/calls"),
    ("GET", "/calls/{call}"),
    ("DELETE", "/calls/{call}"),
    ("POST", "/calls/{call}/keys"),
)
"""As in template.yaml; anything else is not there."""


class Tokens:
    """Makes tokens and looks at them, under a key that nobody else has."""

    def __init__(self, key: str = "", now: Callable[[], float] = time.time) -> None:
        self._key = key or secrets.token_hex(32)
        self._now = now

    def make(self, user: str, tenant: str = "local", **claims: Any) -> str:
        """A token for *user* of *tenant*; *claims* are added, or put in place of the usual ones."""
        now = int(self._now())
        usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": user, TENANT: tenant, "iat": now, "exp": now + VALID_S}
        return jwt.encode({**usual, **claims}, self._key, ALGORITHM)

    def read(self, header: str) -> tuple[dict[str, Any], str]:
        """The claims behind an Authorization header; or none, and why."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return {}, "The request brings no token."
        try:
            claims: dict[str, Any] = jwt.decode(
                token.strip(),
                self._key,
                [ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={"require": ["exp", "sub", "aud", "iss"]},
            )
        except jwt.ExpiredSignatureError:
            return {}, "The token has expired."
        except jwt.InvalidAudienceError:
            return {}, "The token is for another audience."
        except jwt.InvalidIssuerError:
            return {}, "The token is of another issuer."
        except jwt.PyJWTError:
            return {}, "The token cannot be read, or its signature is not ours."
        return claims, ""


def application(
    environments: Sequence[Serve],
    tokens: Tokens,
    *,
    page: Path | None = None,
    facts: Mapping[str, Any] | None = None,
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """The ASGI application.

    *environments* take turns: as many requests at a time as there are. *page* is a folder of static files, *facts* are
    what the page is told at ``/config.json`` (where the API is and where it gets a token is told anyway), *routes* are
    served besides.
    """
    free: queue.SimpleQueue[Serve] = queue.SimpleQueue()
    for each in environments:
        free.put(each)

    def run(event: Mapping[str, Any]) -> Answer:
        serve = free.get()
        try:
            return serve(event)
        finally:
            free.put(serve)

    def guarded(template: str) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            claims, why = tokens.read(request.headers.get("authorization", ""))
            if why:
                problem = {"error": "not_signed_in", "message": why}
                return JSONResponse(problem, 401, {"WWW-Authenticate": "Bearer"})
            body = await _body(request)
            if body is None:
                problem = {"error": "too_large", "message": f"The body has more than {MOST_BODY} bytes."}
                return JSONResponse(problem, 413, {"Connection": "close"})
            event = _event(request, template, claims, body)
            answer = await asyncio.get_running_loop().run_in_executor(None, run, event)
            return Response(answer.get("body") or "", answer["statusCode"], dict(answer.get("headers") or {}))

        return endpoint

    async def token(request: Request) -> Response:
        """A token for whoever asks: this server is for one person's own machine."""
        asked = dict(request.query_params)
        made = tokens.make(asked.get("user", "visitor")[:64], asked.get("tenant", "local")[:64])
        return JSONResponse({"token": made, "expires_in": VALID_S}, headers={"Cache-Control": "no-store"})

    async def config(_request: Request) -> Response:
        told = {"api": "", "token": "/local/token", **(facts or {})}
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    async def described(_request: Request) -> Response:
        return Response(document(), media_type="application/json")

    here: list[BaseRoute] = [Route(path, guarded(path), methods=[method]) for method, path in _ROUTES]
    here += [
        Route("/local/token", token, methods=["POST"]),
        Route("/config.json", config),
        Route("/openapi.json", described),
        *routes,
    ]
    if page is not None:
        here.append(Mount("/", _Files(directory=page, html=True)))
    return Starlette(routes=here, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS))])


class _Files(StaticFiles):
    """The page, with the headers that docs/click-to-call.md asks of its server."""

    async def get_response(self, path: str, scope: Any) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers.update({**HEADERS, "Cache-Control": "no-cache"})
        return answer


async def _body(request: Request) -> bytes | None:
    """The body; None: it has more than API Gateway takes."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST:
            return None
        parts.append(part)
    return b"".join(parts)


def _event(request: Request, template: str, claims: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """The request as API Gateway hands it over (payload version 2.0): claims are texts there."""
    path = request.scope["path"]
    content = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    text: str | None = None
    encoded = False
    if body:
        try:
            encoded = not (content.startswith("text/") or content == "application/json")
            text = base64.b64encode(body).decode() if encoded else body.decode()
        except UnicodeDecodeError:
            encoded, text = True, base64.b64encode(body).decode()
    return {
        "version": "2.0",
        "routeKey": f"{request.method} {template}",
        "rawPath": path,
        "rawQueryString": request.url.query,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "pathParameters": dict(request.path_params),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": "localhost",
            "http": {
                "method": request.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": LOOPBACK,
                "userAgent": request.headers.get("user-agent", ""),
            },
            "authorizer": {"jwt": {"claims": {name: _claim(value) for name, value in claims.items()}, "scopes": None}},
            "requestId": str(uuid.uuid4()),
            "routeKey": f"{request.method} {template}",
            "stage": "$default",
            "timeEpoch": int(time.time() * 1000),
        },
        "body": text,
        "isBase64Encoded": encoded,
    }


def _claim(value: object) -> str:
    if isinstance(value, list):
        return f"[{' '.join(map(str, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


@contextmanager
def served(app: Starlette, port: int = 0) -> Iterator[str]:
    """Serve *app* on localhost until the block ends; gives its address. Port 0: one that is free.

    Raises:
        OSError: the port is taken.
    """
    # The protocol is named because asyncio turns off Nagle's algorithm only where it is.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((LOOPBACK, port))
        door.listen(128)
        config = uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            log_level="critical",
            lifespan="off",
            http="h11",
            ws="none",
            timeout_graceful_shutdown=STOP_S,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([door],), name="sma-flows web", daemon=True)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
