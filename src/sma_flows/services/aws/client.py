"""One AWS service as a call flow needs it: quick, patient as long as there is time, and silent about texts.

botocore waits 60 seconds and tries again by itself; a caller on the line cannot (decision 19). So

* a client connects within half a second and tries once; a second attempt is ours, only for operations that may be
  repeated, and only while time is left;
* an attempt takes no longer than what is left of the time of its hook. botocore fixes the time-outs when a client is
  made, and a client for each of several time-outs would mean a TLS handshake for each; so the connection pools of our
  clients get a :class:`_Remaining` instead of a number (docs/decisions/0070);
* throttling is waited out once, shortly;
* what AWS answers becomes an :class:`AwsError` with the error's code, never with its text, which may hold values.

Clients are made when :meth:`Aws.api` is called, which is when the function starts: an init phase has a whole processor,
and a caller with a typed PIN has none to spare. Nothing here is imported unless the environment asks for it.
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError  # type: ignore[import-untyped]
from urllib3.util import Timeout

from sma_flows.errors import ServiceError
from sma_flows.services.ports import Meter, SystemClock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sma_flows.services.ports import Clock

CONNECT_S: Final = 0.5
READ_S: Final = 1.0
"""Read time-out of a client outside of a call, where nobody said how much time there is."""

ATTEMPTS: Final = 2
"""Most attempts of an operation that may be repeated; one of class ``once`` has one."""

FIRST: Final = 0.6
"""Share of the time that the first of two attempts may take."""

LEAST_S: Final = 0.1
"""Less time than this is not worth a request."""

BACKOFF_S: Final = 0.1
"""Wait before the second attempt of what was throttled, give or take a half."""

THROTTLED: Final = frozenset(
    {
        "ThrottlingException",  # chime-sdk-meetings, sqs
        "ThrottledClientException",  # the other chime-sdk services (contract 10)
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "TooManyRequestsException",
    }
)
FAULTS: Final = frozenset(
    {"ServiceUnavailableException", "ServiceFailureException", "InternalServerError", "InternalFailure"}
)
"""Codes that another attempt may turn into an answer, as does any answer with a status of 429 or 500 and above."""


class AwsError(ServiceError):
    """AWS did not do it.

    ``code`` is its error code or the kind of an exception; ``item`` what a failed condition met, where that is told;
    ``certain``: no attempt can have had an effect.
    """

    def __init__(
        self, operation: str, code: str, item: Mapping[str, Any] | None = None, *, certain: bool = False
    ) -> None:
        super().__init__(f"{operation}: {code}")
        self.code = code
        self.item = item
        self.certain = certain


class _Remaining(Timeout):
    """A time-out that is what :attr:`left` says when a request begins, for the thread that begins it."""

    def __init__(self) -> None:
        super().__init__(connect=CONNECT_S, read=READ_S)
        self.left = threading.local()

    def clone(self) -> Timeout:
        """The time-out of one request."""
        seconds: float = getattr(self.left, "seconds", CONNECT_S + READ_S)
        return Timeout(total=seconds, connect=min(CONNECT_S, seconds), read=seconds)


class Api:
    """The operations of one service, for one purpose (a field of :class:`~sma_flows.services.ports.Meter`)."""

    def __init__(
        self, client: Any, purpose: str = "named", meter: Meter | None = None, clock: Clock | None = None
    ) -> None:
        self.client = client
        self.purpose = purpose
        self.meter = meter or Meter()
        self.clock = clock or SystemClock()
        self._remaining = _patient(client)

    @property
    def region(self) -> str:
        """The region of the client."""
        return str(self.client.meta.region_name)

    @property
    def endpoint(self) -> str:
        """The address of the service."""
        return str(self.client.meta.endpoint_url)

    def call(
        self, operation: str, timeout_s: float, *, attempts: int = ATTEMPTS, gone: str = "", **values: Any
    ) -> dict[str, Any]:
        """One operation within *timeout_s*.

        *gone* is an error code that is a success, with an empty answer: "not found" where something is deleted.

        Raises:
            AwsError: it was refused, could not be reached, did not answer in time, or answered what nobody can read.
        """
        clock = self.clock
        until = clock.monotonic() + timeout_s
        code, certain = "no time left", True
        for attempt in range(1, attempts + 1):
            left = until - clock.monotonic()
            if left < LEAST_S:
                break
            share = left if attempt == attempts else max(left * FIRST, min(left, 2 * LEAST_S))
            try:
                return self._once(operation, share, values)
            except ClientError as error:
                answer = error.response
                code = str(answer.get("Error", {}).get("Code") or "unknown")
                if code == gone:
                    return {}
                status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0
                if code in THROTTLED or status == 429:
                    wait = BACKOFF_S * (0.5 + random.random())  # noqa: S311 - so that two do not come again together
                    if attempt < attempts and until - clock.monotonic() > wait + LEAST_S:
                        clock.sleep(wait)
                elif code not in FAULTS and status < 500:
                    raise AwsError(operation, code, answer.get("Item"), certain=certain) from None
                else:
                    certain = False
            except ParamValidationError:
                raise AwsError(operation, "ParamValidationError", certain=certain) from None
            except BotoCoreError as error:
                code, certain = type(error).__name__, False
            except Exception as error:  # noqa: BLE001 - an answer that botocore cannot read: any exception at all
                raise AwsError(operation, type(error).__name__) from None
        raise AwsError(operation, code, certain=certain)

    def _once(self, operation: str, seconds: float, values: Mapping[str, Any]) -> dict[str, Any]:
        setattr(self.meter, self.purpose, getattr(self.meter, self.purpose) + 1)
        if self._remaining is not None:
            self._remaining.left.seconds = seconds
        answer: dict[str, Any] = getattr(self.client, operation)(**values)
        return answer


class Aws:
    """The session of one function: makes the client of a service once, however many adapters use it."""

    def __init__(self, env: Mapping[str, str], meter: Meter | None = None, clock: Clock | None = None) -> None:
        self._env = env
        self._meter = meter or Meter()
        self._clock = clock or SystemClock()
        self._clients: dict[tuple[str, str], Any] = {}
        self._session = boto3.session.Session(
            aws_access_key_id=env.get("AWS_ACCESS_KEY_ID") or None,
            aws_secret_access_key=env.get("AWS_SECRET_ACCESS_KEY") or None,
            aws_session_token=env.get("AWS_SESSION_TOKEN") or None,
            region_name=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or None,
        )

    def api(self, service: str, purpose: str = "named", region: str = "") -> Api:
        """The operations of *service*; *region* is empty for the region of the function.

        Raises:
            ServiceError: the client cannot be made: no region is known, or this boto3 does not know the service.
        """
        client = self._clients.get((service, region))
        if client is None:
            name = service.upper().replace("-", "_")  # as botocore names it
            endpoint = self._env.get(f"AWS_ENDPOINT_URL_{name}") or self._env.get("AWS_ENDPOINT_URL")
            try:
                client = self._session.client(
                    service, region_name=region or None, endpoint_url=endpoint or None, config=client_config()
                )
            except (BotoCoreError, ValueError) as error:
                raise ServiceError(f"no client for {service} ({type(error).__name__})") from None
            client.meta.events.register("response-received", _only_json)
            self._clients[service, region] = client
        return Api(client, purpose, self._meter, self._clock)


def text_at(answer: object, *path: str) -> str:
    """The text at *path* of an answer; empty where an answer holds something else than the model promises."""
    for name in path:
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer if isinstance(answer, str) else ""


def client_config() -> Config:
    """Settings of a client: quick to connect, one attempt, no help from the metadata of a machine."""
    return Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": 1, "mode": "standard"})


class UnreadableAnswerError(Exception):
    """Status 200, and something that is not what this service says."""


def _only_json(response_dict: Mapping[str, Any] | None = None, **_: object) -> None:
    """Refuse what botocore would take for an empty answer: a page of a proxy, half of an answer.

    All services that we ask speak JSON. Nobody parses it twice: it has to begin, to end, and to be as long as was said.
    """
    if response_dict is None or response_dict["status_code"] >= 300:
        return
    body = response_dict.get("body")
    if not isinstance(body, bytes) or not body:
        return
    said = response_dict["headers"].get("content-length")
    text = body.strip()
    if text[:1] != b"{" or text[-1:] != b"}" or (said is not None and said != str(len(body))):
        raise UnreadableAnswerError


def _patient(client: Any) -> _Remaining | None:
    """Give the connection pools of *client* a time-out that can be changed from request to request.

    This reaches into botocore, as there is no other way in the versions that Lambda has. Where the inside looks
    different the client keeps the time-outs of :func:`client_config`, and only their timer keeps the budgets of hooks.
    """
    try:
        session = client._endpoint.http_session
        found = session._timeout
        if not isinstance(found, _Remaining):
            found = _Remaining()
            session._manager.connection_pool_kw["timeout"] = found
            session._timeout = found
    except AttributeError:
        return None
    return found
