"""The HTTP API: one Lambda function behind an API Gateway HTTP API (payload version 2.0).

Before the request is looked at, it is known who sent it. A body is small or is not read. Every refusal has the shape
``{"error": code, "message": words}``, and its words repeat nothing of what was sent.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response, content_types
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Path
from aws_lambda_powertools.utilities.data_classes.common import BaseProxyEvent

from sma_flows.web.models import CallState, Created, Keys, NewCall, Problem, Seat
from sma_flows.web.refused import RefusedError, unavailable

if TYPE_CHECKING:
    from sma_flows.web.calls import WebCalls
    from sma_flows.web.identity import Identity

__all__ = ["MOST_BODY", "Answer", "Api", "document"]

MOST_BODY: Final = 4096
"""Bytes of the largest body that is read; the longest that means something has some 400."""

VERSION: Final = "1"
TITLE: Final = "Click-to-call"
TELLS: Final = "A visitor of a web page and somebody at a telephone talk in one Amazon Chime SDK meeting."

CallId = Annotated[str, Path(pattern="^[a-z0-9-]{1,64}$", description="The id that POST /calls gave.")]
Answer = dict[str, Any]


def _problem(*statuses: int) -> dict[int, Any]:
    words = {
        400: "The body is not JSON",
        401: "The token is missing, has expired, or is for somebody else",
        403: "This number may not be called, or the user belongs to no tenant",
        404: "There is no such call, or it is somebody else's",
        409: "The request was made before, or the call is not at that point",
        413: f"The body has more than {MOST_BODY} bytes",
        415: "The body is not declared as application/json",
        422: "A value is missing or is not what it should be",
        429: "A limit is reached; `Retry-After` says when it begins anew",
        503: "A service does not do its part; nothing stays",
    }
    shown = {"application/json": {"model": Problem}}
    return {status: {"description": words[status], "content": shown} for status in sorted((401, 503, *statuses))}


class Api:
    """The routes on top of *calls*. Safe for one request at a time, as Lambda has it."""

    def __init__(self, calls: WebCalls | None = None) -> None:
        self._calls = calls
        self._who: Identity | None = None
        self.code = ""
        self.app = _Resolver(enable_validation=True)
        self._routes()

    def answer(self, event: Mapping[str, Any], context: Any = None) -> Answer:
        """The answer to one request. Never raises; :attr:`code` is the word of a refusal, for the record."""
        self.code = ""
        self._who = None
        try:
            calls = self._needed()
            self._who = calls.settings.gate.identify(event, calls.clock.now())
            readable = _readable(event)
            return dict(self.app.resolve(readable, context))
        except RefusedError as refused:
            return self._refused(refused).serialize_plain()
        except Exception as error:  # noqa: BLE001 - a page gets an answer, and no stack trace
            self.code = type(error).__name__
            return _Refusal(500, {}, {"error": "internal", "message": "Something went wrong here."}).serialize_plain()

    def _needed(self) -> WebCalls:
        if self._calls is None:
            raise unavailable("Click-to-call is not set up.")
        return self._calls

    def _caller(self) -> Identity:
        assert self._who is not None  # noqa: S101 - nothing is routed before `answer` knows it
        return self._who

    def _refused(self, refused: RefusedError) -> _Refusal:
        self.code = refused.code
        body = {"error": refused.code, "message": refused.message} | ({"call": refused.call} if refused.call else {})
        headers = {"Retry-After": str(refused.retry_s)} if refused.retry_s else {}
        if refused.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        return _Refusal(refused.status, headers, body)

    def _routes(self) -> None:
        app = self.app

        @app.post(
            "/calls",
            summary="Have somebody called, who then joins the visitor's meeting",
            operation_id="createCall",
            status_code=201,
            response_description="A telephone is ringing",
            responses={
                201: {"description": "A telephone is ringing", "content": {"application/json": {"model": Created}}},
                **_problem(400, 403, 409, 413, 415, 422, 429),
            },
        )
        def create(wanted: NewCall) -> Created:
            placed = self._needed().place(
                self._caller(), str(wanted.request), wanted.to, wanted.name.strip(), wanted.language
            )
            seat = Seat(
                AttendeeId=placed.attendee.id, ExternalUserId=placed.external, JoinToken=placed.attendee.join_token
            )
            return Created(call=placed.call, meeting=dict(placed.meeting), attendee=seat)

        @app.get(
            "/calls/<call>",
            summary="How far a call has come",
            operation_id="getCall",
            responses={
                200: {"description": "Its state", "content": {"application/json": {"model": CallState}}},
                **_problem(404, 422),
            },
        )
        def look(call: CallId) -> CallState:
            found = self._needed().status(self._caller(), call)
            return CallState(call=found.call, state=found.state, outcome=found.outcome)  # type: ignore[arg-type]

        @app.post(
            "/calls/<call>/keys",
            summary="Send keys to the telephone",
            operation_id="sendKeys",
            status_code=202,
            response_description="On their way; that they arrive is not promised",
            responses={
                202: {"description": "On their way; that they arrive is not promised"},
                **_problem(400, 404, 409, 413, 415, 422),
            },
        )
        def press(call: CallId, wanted: Keys) -> Response[None]:
            self._needed().press(self._caller(), call, wanted.keys)
            return Response(202)

        @app.delete(
            "/calls/<call>",
            summary="End a call and its meeting",
            operation_id="endCall",
            status_code=204,
            response_description="It is over, or will be in a moment",
            responses={204: {"description": "It is over, or will be in a moment"}, **_problem(404, 422)},
        )
        def end(call: CallId) -> Response[None]:
            self._needed().end(self._caller(), call)
            return Response(204)

        @app.exception_handler(RefusedError)  # type: ignore[untyped-decorator]
        def refused(error: RefusedError) -> Response[str]:
            return self._refused(error).response()

        @app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]
        def invalid(error: RequestValidationError) -> Response[str]:
            return self._refused(_invalid(error.errors())).response()

        @app.not_found
        def nothing(_error: Exception) -> Response[str]:
            return self._refused(RefusedError(404, "no_such_route", "There is nothing at this address.")).response()


class _Resolver(APIGatewayHttpResolver):
    """The resolver with a request of its own: powertools keeps the current one in a class that all resolvers share.

    In Lambda a process has one request at a time. On localhost several environments share a process, and one would
    answer with the body of another.
    """

    _own: BaseProxyEvent

    @property
    def current_event(self) -> BaseProxyEvent:  # type: ignore[override]
        return self._own

    def _to_proxy_event(self, event: dict[str, Any]) -> BaseProxyEvent:
        self._own = super()._to_proxy_event(event)
        return self._own


class _Refusal:
    """The answer of a refused request, for powertools and for API Gateway."""

    def __init__(self, status: int, headers: Mapping[str, str], body: Mapping[str, str]) -> None:
        self.status, self.headers, self.body = status, dict(headers), json.dumps(body)

    def response(self) -> Response[str]:
        """As powertools has it."""
        return Response(self.status, content_types.APPLICATION_JSON, self.body, dict(self.headers))

    def serialize_plain(self) -> Answer:
        """As API Gateway has it."""
        headers = {"Content-Type": content_types.APPLICATION_JSON, **self.headers}
        return {"statusCode": self.status, "headers": headers, "body": self.body, "isBase64Encoded": False}


def document() -> str:
    """The OpenAPI document, as JSON text."""
    from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer

    written: Callable[..., str] = Api().app.get_openapi_json_schema
    text = written(
        title=TITLE,
        version=VERSION,
        description=TELLS,
        security_schemes={"token": HTTPBearer(bearerFormat="JWT")},
        security=[{"token": []}],
    )
    described = json.loads(text)
    schemas = described["components"]["schemas"]
    while unused := [name for name in schemas if f'"#/components/schemas/{name}"' not in json.dumps(described)]:
        for name in unused:  # the resolver's own shapes of errors, which are not ours
            del schemas[name]
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def _readable(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with its body as text.

    Raises:
        RefusedError: the body is too large (413), is no text (400), or is declared as something else (415).
    """
    body = event.get("body")
    read = {**event, "isBase64Encoded": False}
    if not body:
        return read
    if not isinstance(body, str) or len(body) > MOST_BODY * 4 // 3 + 4:
        raise _too_large()
    if event.get("isBase64Encoded"):
        try:
            body = base64.b64decode(body, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise RefusedError(400, "not_json", "The body cannot be read.") from None
    if len(body.encode("utf-8", "surrogatepass")) > MOST_BODY:
        raise _too_large()
    headers = {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != content_types.APPLICATION_JSON:
        raise RefusedError(415, "not_json", "Declare the body as application/json.")
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(400, "not_json", "The body is not JSON.") from None
    return {**read, "body": body}


def _too_large() -> RefusedError:
    return RefusedError(413, "too_large", f"The body has more than {MOST_BODY} bytes.")


def _invalid(errors: Any) -> RefusedError:
    """Which values are wrong, by their names; what was sent is not repeated, and names of others' making are not."""
    known = {*NewCall.model_fields, *Keys.model_fields, "call"}
    named: dict[str, None] = {}
    for error in errors:
        place = [str(part) for part in error.get("loc", ()) if part not in ("body", "path", "query")]
        name = place[-1] if place else "body"
        if error.get("type") == "extra_forbidden" or name not in known:
            named["the body holds what is not known, or is no object"] = None
        elif error.get("type") == "missing":
            named[f"'{name}' is missing"] = None
        else:
            named[f"'{name}' is not what it should be"] = None
    words = "; ".join(named) or "the request cannot be read"
    return RefusedError(422, "invalid", f"{words[0].upper()}{words[1:]}.")
