"""Who answers the events of a simulated call.

The same call scripts run against the flow in this process, in a fresh process for each event
(:mod:`sma_flows.testing.fresh`), against any HTTP endpoint that behaves like a Lambda invoke URL (``sam local
start-lambda``, the runtime interface emulator), and against a deployed function. Only in process the hooks can be
scripted and the clock set; a target says so (:attr:`Target.scripted`).
"""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Protocol, runtime_checkable

from sma_flows.errors import SmaFlowsError
from sma_flows.runtime import callstate
from sma_flows.runtime.ask import Ask
from sma_flows.runtime.frame import Visit
from sma_flows.runtime.invoke import Position, handle
from sma_flows.simulator.jsontext import dumps, loads, object_of
from sma_flows.testing.scripted import REHEARSAL, World, packed, unpacked

__all__ = [
    "Deployed",
    "FunctionError",
    "InProcess",
    "Invoked",
    "Rehearsed",
    "Target",
    "TargetError",
    "Turn",
    "target_of",
    "turn_of",
]

INVOKE_PATH: Final = "/2015-03-31/functions/function/invocations"
"""Path of the runtime interface emulator; added to a URL that has no path of its own."""

ANSWER_S: Final = 20.0
"""Longest wait for a function over HTTP: the service's own limit (contract 7.1)."""


TIMED_OUT: Final = re.compile(r"Task timed out after [0-9.]+ seconds")
"""What the emulator says in the place of an answer when the function is too slow for it, with status 200."""

THROTTLED: Final = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling", "EC2ThrottledException"})


class TargetError(SmaFlowsError):
    """The function cannot be reached at all: nothing that a caller could hear comes of it."""


class FunctionError(SmaFlowsError):
    """The function raised, or ran out of time: what the service calls an invocation error."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One event that was delivered, and what came back.

    ``event`` and ``response`` are JSON text, as they would travel. ``before`` and ``after`` say where the call was and
    is. ``values`` are the variables in this moment, by full name. What only a flow in process tells is empty for other
    targets: ``asks`` (what the world was asked), ``note``, ``fault`` (an exception inside the runtime), ``trail`` (what
    the walk came by, where the world is watched), ``later`` (updates with results of long hooks, and the milliseconds
    until they come). ``delay_ms`` is how long the function took, ``held_ms`` how much longer its answer was on the way.
    ``took_s`` is how long a function elsewhere took on the wall, which does not count as time of the call.
    """

    at_ms: int
    event: str
    response: str
    before: Position
    after: Position
    note: str = ""
    asks: tuple[Ask, ...] = ()
    values: Mapping[str, Any] | None = field(default=None, repr=False)
    fault: str = ""
    delay_ms: int = 0
    trail: tuple[Visit, ...] = ()
    later: tuple[tuple[int, Mapping[str, str]], ...] = ()
    held_ms: int = 0
    took_s: float = 0.0

    @property
    def kind(self) -> str:
        """``InvocationEventType``."""
        return str(loads(self.event).get("InvocationEventType"))

    @property
    def actions(self) -> list[dict[str, Any]]:
        """The actions of the answer, fresh objects, each with Type and Parameters. What is no action is left out."""
        found = (object_of(self.response) or {}).get("Actions")
        return [
            {**one, "Parameters": inside}
            for one in (found if isinstance(found, list) else ())
            if isinstance(one, dict) and isinstance(one.get("Type"), str)
            for inside in [one.get("Parameters") or {}]
            if isinstance(inside, dict)
        ]


@runtime_checkable
class Target(Protocol):
    """Something that answers events as JSON text."""

    scripted: bool
    """Stubs of hooks, the clock and the values of the environment are those of the call script."""

    def answer(self, event: str, at_ms: int, now: datetime) -> Turn:
        """The answer to one event that comes at virtual time *at_ms*, which is *now* for the flow.

        Raises:
            TargetError: nobody is there.
            FunctionError: the function failed; the service will try again.
        """
        ...


class InProcess:
    """The flow in this process, with the world of one call."""

    scripted = True

    def __init__(self, world: World) -> None:
        self.world = world

    def answer(self, event: str, at_ms: int, now: datetime) -> Turn:
        """See :class:`Target`. Never raises: what the runtime runs into is ``fault``."""
        world = self.world
        world.clock.set(now)
        world.spent_ms, world.later = 0, []
        result = handle(world.program, loads(event), now=now, services=world, overlaps=world.services.overlaps)
        trail = tuple(world.watch)
        world.watch.clear()
        return Turn(
            at_ms,
            event,
            dumps(result.response),
            result.before,
            result.after,
            result.note,
            result.asks,
            result.values,
            result.fault,
            world.spent_ms + round(world.clock.slept * 1000),
            trail,
            tuple(world.later),
        )


def turn_of(event: str, response: str, at_ms: int) -> Turn:
    """A turn from texts alone: position and variables are read from the saved call that travels with them."""
    told = loads(event)
    before = callstate.load(told.get("CallDetails", {}).get("TransactionAttributes") or {})
    attributes = (object_of(response) or {}).get("TransactionAttributes")
    after = callstate.load(attributes) if isinstance(attributes, dict) and attributes else before
    values = {name: value for name, value in (after.vars if after else {}).items() if not name.startswith("@")}
    return Turn(at_ms, event, response, _position(before), _position(after), values=values or None)


def _position(call: callstate.Call | None) -> Position:
    return Position(call.pos, call.base) if call is not None else Position()


class Invoked:
    """A function behind HTTP: POST the event, read the answer (Lambda's Invoke, the runtime interface emulator).

    *url* without a path gets that of the emulator. One request at a time. *clock* gives real seconds.
    """

    scripted = False

    def __init__(self, url: str, timeout_s: float = ANSWER_S, *, clock: Callable[[], float] = time.monotonic) -> None:
        scheme, _, rest = url.partition("://")
        if scheme not in ("http", "https") or not rest:
            raise TargetError(f"'{url}' is no address of a function: write http://127.0.0.1:9000")
        self.url = url if "/" in rest.rstrip("/") else url.rstrip("/") + INVOKE_PATH
        self.timeout_s = timeout_s
        self._clock = clock

    def answer(self, event: str, at_ms: int, now: datetime) -> Turn:  # noqa: ARG002 - its clock is its own
        """See :class:`Target`."""
        begin = self._clock()
        text, failed = self.post(event)
        return replace(_told(event, text, at_ms, failed), took_s=self._clock() - begin)

    def post(self, event: str) -> tuple[str, str]:
        """The body of the answer, and what the function failed with if it says so in a header.

        Raises:
            TargetError: nobody is there.
            FunctionError: no answer, or an HTTP error.
        """
        request = urllib.request.Request(  # noqa: S310 - http or https, see __init__
            self.url, data=event.encode(), headers={"Content-Type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as reply:  # noqa: S310
                text = reply.read().decode(errors="replace")
                failed = reply.headers.get("X-Amz-Function-Error", "")
        except urllib.error.HTTPError as error:
            raise FunctionError(f"HTTP {error.code}") from None
        except TimeoutError:
            raise FunctionError("AWS Lambda client operation timed out.") from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise FunctionError("AWS Lambda client operation timed out.") from None
            raise TargetError(f"nobody answers at {self.url} ({error.reason})") from None
        return text, failed


class Rehearsed(Invoked):
    """The built function in a runtime that rehearses (:mod:`sma_flows.testing.rehearsal`): hooks, clock and store are
    those of the script.
    """

    scripted = True

    def __init__(self, url: str, timeout_s: float = ANSWER_S) -> None:
        super().__init__(url, timeout_s)
        self._values: Mapping[str, str] = {}
        self._world: World | None = None

    def of(self, world: World, values: Mapping[str, str]) -> Rehearsed:
        """The same function for one call, with *values* of the environment; *world* sees what hooks do there."""
        mine = Rehearsed(self.url, self.timeout_s)
        mine._values, mine._world = dict(values), world
        return mine

    def answer(self, event: str, at_ms: int, now: datetime) -> Turn:
        """See :class:`Target`."""
        if self._world is None:
            raise TargetError("a rehearsal is of one call: Rehearsed(url).of(world, values)")
        told = json.loads(event)
        told[REHEARSAL] = {"world": packed((now, self._values, self._world.stubs, self._world.seen()))}
        text, failed = self.post(json.dumps(told))
        answer = object_of(text)
        seen = answer.pop(REHEARSAL, None) if answer is not None else None
        if seen is None:
            return _told(event, text, at_ms, failed)
        known, spent_ms, later, result = unpacked(seen["world"])
        self._world.see(known)
        return replace(turn_of(event, json.dumps(answer), at_ms), delay_ms=spent_ms, later=tuple(later), **result)


class Deployed:
    """A deployed function, by name or ARN, through boto3 (credentials and region as boto3 finds them)."""

    scripted = False

    def __init__(self, function: str, client: Any = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.function = function
        self._clock = clock
        self._client = client or _lambda_client()

    def answer(self, event: str, at_ms: int, now: datetime) -> Turn:  # noqa: ARG002 - its clock is its own
        """See :class:`Target`. A function that is throttled has failed: the service tries again (contract 1.4)."""
        begin = self._clock()
        try:
            reply = self._client.invoke(FunctionName=self.function, Payload=event.encode())
        except Exception as error:  # noqa: BLE001 - whatever botocore raises: no answer came
            if getattr(error, "response", {}).get("Error", {}).get("Code") in THROTTLED:
                raise FunctionError("The AWS Lambda function was throttled.") from None
            raise TargetError(f"{self.function}: {type(error).__name__}: {error}") from None
        text = reply["Payload"].read().decode(errors="replace")
        return replace(_told(event, text, at_ms, reply.get("FunctionError", "")), took_s=self._clock() - begin)


def _lambda_client() -> Any:
    try:
        import boto3  # here: only who asks for a deployed function has it
    except ImportError:
        raise TargetError("a deployed function is reached with boto3: pip install 'sma-flows[aws]'") from None
    return boto3.client("lambda")


def _told(event: str, text: str, at_ms: int, failed: str) -> Turn:
    """A turn of what came over the wire. The emulator tells errors in the body, with status 200.

    A body that cannot be read is an answer: what it is worth says the service (rule 1).
    """
    answer = object_of(text)
    if failed or (answer is not None and "errorType" in answer and "SchemaVersion" not in answer):
        kind = answer.get("errorType", failed) if answer is not None else failed
        raise FunctionError(f"the function failed: {kind}")
    if TIMED_OUT.match(text):
        raise FunctionError(text[:200])
    return turn_of(event, text, at_ms)


def target_of(text: str) -> Target:
    """The target that a command line means: a URL, ``lambda:NAME`` or an ARN of a function.

    Raises:
        TargetError: it is none of these.
    """
    if text.startswith(("http://", "https://")):
        return Invoked(text)
    if text.startswith("arn:"):
        return Deployed(text)
    if text.startswith("lambda:"):
        return Deployed(text.removeprefix("lambda:"))
    raise TargetError(f"'{text}' is no function: write http://127.0.0.1:9000, lambda:NAME or the ARN of a function")
