"""The control plane without its HTTP server: a request goes in, an answer comes out.

Requests are what an unmodified AWS SDK sends with only its endpoint changed (rest-json; signatures are not looked at).
State is that of an :class:`~sma_flows.simulator.exchange.Exchange` and its meetings.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from sma_flows.protocol.ids import like_uuid
from sma_flows.simulator.account import Account
from sma_flows.simulator.api import account, meetings, messaging, pipelines, voice
from sma_flows.simulator.api.admin import transcript as transcript_of
from sma_flows.simulator.api.faults import STATUS_OF, Fault, Faults
from sma_flows.simulator.api.meetings_model import MEETINGS
from sma_flows.simulator.api.messaging_model import IDENTITY, MESSAGING
from sma_flows.simulator.api.operation import STATUS, Operation
from sma_flows.simulator.api.pipelines_model import PIPELINES
from sma_flows.simulator.api.shapes import Flag, Member, Whole, problems
from sma_flows.simulator.api.voice_model import VOICE
from sma_flows.simulator.exchange import Exchange, Line, Rate
from sma_flows.simulator.messaging import Messaging
from sma_flows.simulator.pipelines import Pipelines
from sma_flows.simulator.refused import RefusedError

__all__ = ["OPERATIONS", "Answer", "ControlPlane", "Request", "Seen"]

Handler = Callable[["ControlPlane", Mapping[str, Any]], Mapping[str, Any] | None]

HANDLERS: Final[Mapping[str, Handler]] = {
    **voice.HANDLERS,
    **account.HANDLERS,
    **meetings.HANDLERS,
    **messaging.HANDLERS,
    **pipelines.HANDLERS,
}
OPERATIONS: Final = (*VOICE, *MEETINGS, *MESSAGING, *IDENTITY, *PIPELINES)
"""Everything that the control plane can do."""

MOST_SEEN: Final = 10_000
"""Requests that are remembered."""

MOST_RATES: Final = 10_000
"""Values of parameters whose rates are counted at the same time."""

MOST_BODY: Final = 1_000_000
"""Largest body that is read, in bytes."""


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request: the path as it came (still with ``%2F``), the query, headers in lower case, the body."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered after ``wait_s``; ``never``: nothing, the connection is closed then."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    never: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that was made: operation, status that was answered (0: nothing), fault, and when on the clock."""

    operation: str
    status: int
    fault: str
    at_ms: int


class ControlPlane:
    """See the module.

    *rates* replaces how often a second an operation may be called, by name; 0: as often as one likes; ``*`` stands for
    all that are not named. *transcript* puts a call into words. *account* has applications, rules and numbers (without
    one: the application, the rule and the numbers of the exchange's world). ``seen`` are the requests so far, without
    their values. ``media`` is the host and port at which browsers join meetings; empty: there is no such place.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        rates: Mapping[str, int] | None = None,
        transcript: Callable[[Line], list[str]] = transcript_of,
        account: Account | None = None,
    ) -> None:
        self.exchange = exchange
        self.account = account or Account.of(exchange.base)
        self.meetings = exchange.meetings
        self.transcript = transcript
        self.faults = Faults()
        self.media = ""
        self.seen: deque[Seen] = deque(maxlen=MOST_SEEN)
        base = exchange.base
        self.messaging = Messaging(account=base.account, region=base.region)
        self.pipelines = Pipelines(self._lives, account=base.account, region=base.region)
        self._given_rates = dict(rates or {})
        self._rates: dict[tuple[str, str, str], Rate] = {}
        self._requests = 0

    @property
    def now_ms(self) -> int:
        """The clock."""
        return self.exchange.clock.now_ms()

    @property
    def now(self) -> datetime:
        """The wall clock of the simulated world."""
        return datetime.fromtimestamp((self.exchange.base.started_ms + self.now_ms) / 1000, UTC)

    def iso(self, at_ms: int) -> str:
        """A moment of the clock as the API writes most times."""
        at = datetime.fromtimestamp((self.exchange.base.started_ms + at_ms) / 1000, UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def seconds(self, at_ms: int) -> float:
        """A moment of the clock in seconds since 1970, as messaging writes them."""
        return (self.exchange.base.started_ms + at_ms) / 1000

    def arn(self, service: str, resource: str) -> str:
        """A name of a resource of this account."""
        base = self.exchange.base
        return f"arn:aws:{service}:{base.region}:{base.account}:{resource}"

    def handle(self, request: Request) -> Answer:
        """The answer to a request. Safe to call from any thread."""
        found = _find(request)
        if found is None:
            return self._refuse(404, "UnknownOperationException", "There is no such operation here.")
        operation, labels = found
        with self.exchange.together():
            fault = self.faults.take(operation.name)
            answer = self._faulty(fault, operation, request, labels) if fault else self._do(operation, request, labels)
            status = 0 if answer.never else answer.status
            self.seen.append(Seen(operation.name, status, fault.kind if fault else "", self.now_ms))
        return answer

    def _faulty(self, fault: Fault, operation: Operation, request: Request, labels: Mapping[str, str]) -> Answer:
        match fault.kind:
            case "time_out":
                return Answer(0, wait_s=fault.seconds, never=True)
            case "lost_answer":
                self._do(operation, request, labels)
                return Answer(0, wait_s=fault.seconds, never=True)
            case "slow":
                answer = self._do(operation, request, labels)
                return Answer(answer.status, answer.body, answer.headers, fault.seconds)
            case "garbage":
                return Answer(200, b"<html>It works!", {"content-type": "text/html"})
            case "empty":
                return Answer(200, b"{}", {"content-type": "application/json"})
        told = "The simulated service was told to fail."
        if fault.kind in STATUS:
            return self._refuse(STATUS[fault.kind], fault.kind, told)
        status = STATUS_OF[fault.kind]
        return self._refuse(status, operation.error(status), told)

    def _do(self, operation: Operation, request: Request, labels: Mapping[str, str]) -> Answer:
        try:
            params = _read(operation, request, labels)
            if not self._in_time(operation, params):
                return self._refuse(429, operation.error(429), f"The rate of {operation.name} is exceeded.")
            wrong = list(problems(operation.takes, params))
            if wrong:
                raise RefusedError("BadRequestException", "; ".join(wrong[:10]))
            given = HANDLERS[operation.name](self, params)
        except RefusedError as why:
            if why.error not in operation.errors:
                raise
            return self._refuse(STATUS[why.error], why.error, why.message)
        body = json.dumps(given, ensure_ascii=False).encode() if given is not None else b""
        return Answer(operation.status, body, {"content-type": "application/json", **self._headers()})

    def _in_time(self, operation: Operation, params: Mapping[str, Any]) -> bool:
        """Whether the operation may be called once more in this second."""
        given = self._given_rates.get(operation.name, self._given_rates.get("*"))
        if given == 0:
            return True
        if len(self._rates) > MOST_RATES:
            self._rates.clear()
        for name, per_s in operation.rates or ((("", given),) if given else ()):
            key = (operation.name, name, str(params.get(name, "")))
            if not self._rates.setdefault(key, Rate(given or per_s)).take(self.now_ms):
                return False
        return True

    def _lives(self, meeting: str, now_ms: int) -> bool:
        return any(one.id == meeting.lower() for one in self.meetings.living(now_ms))

    def _refuse(self, status: int, error: str, message: str) -> Answer:
        body = {"Code": error.removesuffix("Exception"), "Message": message}
        headers = {"content-type": "application/json", "x-amzn-errortype": error, **self._headers()}
        return Answer(status, json.dumps(body, ensure_ascii=False).encode(), headers)

    def _headers(self) -> dict[str, str]:
        self._requests += 1
        return {"x-amzn-requestid": like_uuid("request", str(self._requests))}


def _find(request: Request) -> tuple[Operation, dict[str, str]] | None:
    """The operation that is called, and the values in its path."""
    asked = dict(parse_qsl(request.query, keep_blank_values=True))
    for operation, pattern, fixed in _ROUTES:
        if operation.method == request.method and fixed.items() <= asked.items():
            match = pattern.fullmatch(request.path)
            if match:
                return operation, {name: unquote(value) for name, value in match.groupdict().items()}
    return None


def _routes() -> Iterator[tuple[Operation, re.Pattern[str], dict[str, str]]]:
    """Those with the most fixed words in their query first: ``?operation=batch-create`` is not the plain one."""
    made = []
    for operation in OPERATIONS:
        path, _, fixed = operation.path.partition("?")
        pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
        made.append((operation, pattern, dict(parse_qsl(fixed))))
    return iter(sorted(made, key=lambda one: -len(one[2])))


_ROUTES: Final = tuple(_routes())


def _read(operation: Operation, request: Request, labels: Mapping[str, str]) -> dict[str, Any]:
    """The parameters, wherever they travel."""
    asked = dict(parse_qsl(request.query, keep_blank_values=True))
    body = _body(request.body)
    found: dict[str, Any] = {}
    for name, member in operation.takes.members.items():
        match member.where:
            case "uri":
                found[name] = labels.get(member.wire)
            case "query":
                found[name] = _typed(member, asked.get(member.wire))
            case "header":
                found[name] = request.headers.get(member.wire.lower())
            case "body":
                found[name] = body.get(member.wire or name)
    return {name: value for name, value in found.items() if value is not None}


def _body(body: bytes) -> Mapping[str, Any]:
    if not body:
        return {}
    try:
        found = json.loads(body)
    except ValueError:
        raise RefusedError("BadRequestException", "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise RefusedError("BadRequestException", "The body is not a JSON object.")
    return found


def _typed(member: Member, text: str | None) -> Any:
    """A value of the query as its type: what cannot be read stays a text and is refused as such."""
    if isinstance(member.shape, Whole) and text is not None and re.fullmatch(r"-?\d{1,10}", text):
        return int(text)
    if isinstance(member.shape, Flag) and text in ("true", "false"):
        return text == "true"
    return text
