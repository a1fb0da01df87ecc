"""The function that Amazon Chime SDK PSTN Audio invokes.

Loads the plan once, answers each event through :mod:`sma_flows.runtime.invoke`, writes one structured record for each,
and counts what goes wrong. Nothing comes out of :func:`lambda_handler` but an answer: where the plan cannot be read or
anything is raised, a caller who is on the line hears a last goodbye and is released, instead of silence until the
service gives up (decision 27).

=======================  ============================================================================================
``SMA_FLOWS_PLAN``           path of the compiled plan
``SMA_FLOWS_STORE``          ``dynamodb:TABLE`` or a SQLite file, and ``SMA_FLOWS_SERVICES`` ``aws`` or ``local``: where
                         everything is that flows ask of the world, see :mod:`sma_flows.services.setup`
``SMA_FLOWS_TRACE``          ``true``: X-Ray traces (or ``POWERTOOLS_TRACE_ENABLED``; needs the extra ``trace``)
``POWERTOOLS_SERVICE_NAME``  the service that records and metrics are filed under, default ``sma-flows``
``POWERTOOLS_LOG_LEVEL``     ``WARNING`` keeps only the records of events in which something went wrong
``SMA_FLOWS_SAMPLE``         share of calls (0 to 1) whose events are logged too, masked; default 0
=======================  ============================================================================================

A record holds the transaction id, the flow and its revision, where the call was and is and the way between, what was
asked and how long that took, the legs, masked variables, a note, and types of actions (its shape:
``protocol/schemas/record.schema.json``). It never holds keys, PINs, tokens, telephone numbers or texts.
"""

# ruff: noqa: E402 - what comes before the imports is for them

from __future__ import annotations

import gc

_COLLECTING = gc.isenabled()
gc.disable()  # until the function is ready, see the end of this module

import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from sma_flows.errors import PlanError, ServiceError
from sma_flows.plan import Plan
from sma_flows.protocol import events as ev
from sma_flows.protocol.actions import goodbye, response
from sma_flows.runtime.invoke import Result, handle
from sma_flows.runtime.program import Program
from sma_flows.services.dispatch import LocalServices, Trouble
from sma_flows.services.jobs import clean_up, is_clean_up, is_job, work
from sma_flows.services.records import (
    Metric,
    Timed,
    masked_event,
    metrics_of,
    record_of,
    sampled,
    troubles_of,
)
from sma_flows.services.setup import open_services

if TYPE_CHECKING:
    from sma_flows.runtime.ask import Ask
    from sma_flows.runtime.frame import Visit

NAMESPACE: Final = "SmaFlows"
"""Namespace of the metrics."""

LAST_WORDS: Final = "We are sorry, there is a technical problem. Please call again later. Goodbye."
"""What a caller hears when nothing else can be said."""

ANSWERED: Final = ev.EVENT_TYPES - {ev.NEW_OUTBOUND_CALL, ev.RINGING, ev.ACTION_INTERRUPTED}
"""Events whose answer the service uses: only these can be answered with a goodbye."""

_NOTES: Final = (("unreadable event", "BadEvents"), ("unknown event", "BadEvents"), ("repeated event", "Duplicates"))
_TROUBLES: Final = (
    ("hook_", "HookFailures"),
    ("port", "PortFailures"),
    ("store", "StoreFailures"),
    ("memo_", "StoreFailures"),
    ("may_repeat", "PossibleRepeats"),
    ("journal", "JournalFailures"),
    ("cleanup_later", "RetriedCleanUps"),
    ("cleanup_lost", "LostCleanUps"),
    ("no_timer", "WithoutTimer"),
)
_EVENTS: Final = {ev.ACTION_FAILED: "ActionFailures", ev.INVALID_LAMBDA_RESPONSE: "RefusedAnswers"}


class Handler:
    """One loaded plan and the world around it, ready for events."""

    def __init__(self, env: Mapping[str, str]) -> None:
        service = env.get("POWERTOOLS_SERVICE_NAME") or "sma-flows"
        self.logger = Logger(service=service, location=None)
        self.records = logging.getLogger(service)  # the logger behind it, with all that logging can do
        self.metrics = Metrics(namespace=NAMESPACE, service=service)
        self._service = {"service": service}
        self.program: Program | None = None
        self.services = LocalServices()
        self.meter = self.services.meter
        self.problem = ""
        self.sample = _share(env.get("SMA_FLOWS_SAMPLE", ""))
        self._visits: list[Visit] = []
        self._spent: list[tuple[Ask, float]] = []
        try:
            self._load(env)
        except PlanError as error:
            self.problem = str(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a file does, callers will ring
            self.problem = f"{type(error).__name__} while loading"
        if self.problem and env.get("SMA_FLOWS_PLAN"):
            self.logger.critical("the plan cannot be used", reason=self.problem)
        self._answer = _traced(self._work, service, self.logger) if _asked_to_trace(env) else self._work

    def _load(self, env: Mapping[str, str]) -> None:
        path = env.get("SMA_FLOWS_PLAN")
        if not path:
            raise PlanError("SMA_FLOWS_PLAN does not name a compiled plan")
        opened = open_services(Plan.read(Path(path)), env, Path(path))
        for warning in opened.warnings:
            self.logger.warning(warning)
        program = Program.load(opened.plan, env)
        self.use(program, opened.services)
        self.meter = opened.services.meter
        for warning in program.warnings:
            self.logger.warning(warning)

    def use(self, program: Program, services: LocalServices) -> None:
        """From now on answer with this program and these services."""
        self.program, self.services = program, services
        self._visits = program.watched()

    def answer(self, event: object, context: object = None) -> dict[str, Any]:
        """The answer to one event, whatever it is. Never raises."""
        started = time.perf_counter()
        result: Result | None = None
        self._visits.clear()
        self._spent = []
        try:
            result = self._answer(event)
            answer, problem = result.response, result.fault
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the last resort of the live path
            problem = self.problem or f"{type(error).__name__} in the handler"
            answer = last_resort(event)
        with contextlib.suppress(Exception):  # a record that cannot be written must not cost the caller his answer
            self._record(event, context, answer, result, problem, (time.perf_counter() - started) * 1000)
        return answer

    def job(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Work outside the call for a long hook, in an invocation that nobody waits for.

        Raises:
            ServiceError: it cannot be done here, or its result could not be told. Lambda tries again.
        """
        started = time.perf_counter()
        try:
            outcome = self._do(job)
        finally:
            troubles = troubles_of(self.services.take_troubles())
            spent = round((time.perf_counter() - started) * 1000, 2)
            record = {"event": "job", "hook": str(job.get("hook"))[:64], "ms": spent, "troubles": troubles}
            self.records.log(logging.WARNING if troubles else logging.INFO, "job", extra=record)
        return {"outcome": outcome}

    def _do(self, job: Mapping[str, Any]) -> str:
        if self.program is not None and is_clean_up(job):
            return clean_up(job, self.program, self.services)
        if self.program is None or self.services.jobs is None:
            raise ServiceError(self.problem or "nothing is configured that works outside the call")
        return work(job, self.program, self.services, self.services.jobs)

    def _work(self, event: object) -> Result:
        if self.program is None:
            raise PlanError(self.problem)
        timed = Timed(self.services)
        self._spent = timed.spent
        return handle(self.program, event, now=datetime.now(UTC), services=timed, overlaps=self.services.overlaps)

    def _record(
        self,
        event: object,
        context: object,
        answer: Mapping[str, Any],
        result: Result | None,
        problem: str,
        milliseconds: float,
    ) -> None:
        kind, transaction = _identity(event)
        troubles = self.services.take_troubles()
        level = logging.ERROR if problem else logging.WARNING if troubles else logging.INFO
        if self.records.isEnabledFor(level):
            record = record_of(event, kind, transaction, answer, result, self._visits, self._spent, milliseconds)
            request = getattr(context, "aws_request_id", None)
            if isinstance(request, str):
                record["request"] = request
            calls = self.meter.take()
            if calls:
                record["aws"] = calls
            if troubles:
                record["troubles"] = troubles_of(troubles)
            if problem:
                record["problem"] = problem
            self.records.log(level, "event", extra=record)
        if self.sample and sampled(transaction, self.sample):
            self.records.log(level, "sample", extra={"transaction": transaction, "sample": masked_event(event)})
        if result is not None:
            for metric in metrics_of(event, kind, result, self._visits, self._spent):
                self._measure(metric)
        self._count(kind, result.note if result is not None else "last resort", problem, result is None, troubles)

    def _measure(self, metric: Metric) -> None:
        """One value with dimensions of its own, as an EMF line."""
        name, value, unit, dimensions = metric
        with single_metric(
            name=name, unit=MetricUnit(unit), value=value, namespace=NAMESPACE, default_dimensions=self._service
        ) as one:
            for key, word in dimensions.items():
                one.add_dimension(name=key, value=word)

    def _count(self, kind: str, note: str, problem: str, last: bool, troubles: list[Trouble]) -> None:
        names = [name for start, name in _NOTES if note.startswith(start)]
        names += [name for trouble in troubles for start, name in _TROUBLES if trouble.reason.startswith(start)]
        names += ["Faults"] if problem else []
        names += ["LastResorts"] if last else []
        names += [_EVENTS[kind]] if kind in _EVENTS else []
        if not names:
            return
        for name in names:
            self.metrics.add_metric(name=name, unit="Count", value=1)
        self.metrics.flush_metrics()


def last_resort(event: object) -> dict[str, Any]:
    """The constant answer when nothing else works: goodbye to a caller, release of any other leg, else nothing.

    Only where the service uses the answer and somebody may be on the line. A goodbye that itself could not be spoken
    is not tried again.
    """
    kind, _ = _identity(event)
    if not isinstance(event, dict) or kind not in ANSWERED:
        return response()
    data = _map(event.get("ActionData"))
    failed = data.get("Type") if kind == ev.ACTION_FAILED else None
    tags = _tags_alive(event, kind)
    if failed == "Hangup" or not tags:
        return response()
    if "LEG-A" in tags:
        words = goodbye(LAST_WORDS, {"ParticipantTag": "LEG-A"})
        return response(words[1:] if failed == "Speak" else words)
    return response([{"Type": "Hangup", "Parameters": {"ParticipantTag": "LEG-B", "SipResponseCode": "0"}}])


def _tags_alive(event: Mapping[str, Any], kind: str) -> set[str]:
    """Tags of the participants who may be on the line; LEG-A when an event that says so does not say who."""
    listed = _map(event.get("CallDetails")).get("Participants")
    tags: set[str] = set()
    readable = False
    for item in listed if isinstance(listed, list) else ():
        tag = _map(item).get("ParticipantTag")
        if isinstance(tag, str) and tag.upper() in ("LEG-A", "LEG-B"):
            readable = True
            if item.get("Status") != "Disconnected":
                tags.add(tag.upper())
    if kind == ev.HANGUP:
        gone = _map(_map(event.get("ActionData")).get("Parameters")).get("ParticipantTag")
        return tags - {gone.upper() if isinstance(gone, str) else ""}
    return tags if readable else {"LEG-A"}


def _share(text: str) -> float:
    """A share from 0 to 1; anything else is none: a line must not stop over a typing mistake in a log setting."""
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _identity(event: object) -> tuple[str, str]:
    """Type and transaction id of an event, as far as they can be shown."""
    if not isinstance(event, dict):
        return "unreadable", ""
    kind = event.get("InvocationEventType")
    transaction = _map(event.get("CallDetails")).get("TransactionId")
    return (
        kind if isinstance(kind, str) and kind in ev.EVENT_TYPES else "unknown",
        transaction[:64] if isinstance(transaction, str) else "",
    )


def _asked_to_trace(env: Mapping[str, str]) -> bool:
    return any(
        env.get(name, "").lower() in ("1", "true", "yes") for name in ("SMA_FLOWS_TRACE", "POWERTOOLS_TRACE_ENABLED")
    )


def _traced(work: Callable[[object], Result], service: str, logger: Logger) -> Callable[[object], Result]:
    """*work* in a subsegment of its own. Answers and exceptions are not put into the trace: they hold texts."""
    try:
        from aws_lambda_powertools import Tracer  # here: the dearest part of powertools, and an extra

        tracer = Tracer(service=service, auto_patch=False)
    except Exception as error:  # noqa: BLE001 - without traces a call is still a call
        logger.warning("traces were asked for and are not possible", reason=type(error).__name__)
        return work

    def traced(event: object) -> Result:
        done: list[Result | Exception] = []

        def answer_event() -> None:
            try:
                done.append(work(event))
            except Exception as error:  # noqa: BLE001 - raised again below, and not into the trace: it may hold a text
                done.append(error)

        with contextlib.suppress(Exception):  # whatever the tracer runs into, before the work or after it
            tracer.capture_method(capture_response=False, capture_error=False)(answer_event)()
        result = done[0] if done else work(event)
        if isinstance(result, Exception):
            raise result
        return result

    return traced


_handler: Final = Handler(os.environ)

# Loading modules and making clients leaves next to no garbage, and every look for it goes over all that is there: that
# was a fifth of an init phase with clients (docs/decisions/0089). And nobody on the line waits for a look at what stays
# for good.
if os.environ.get("AWS_LAMBDA_FUNCTION_NAME"):
    gc.freeze()
if _COLLECTING:
    gc.enable()


def lambda_handler(event: object, context: object) -> dict[str, Any]:
    """What Lambda calls. Never raises for an event of a call; for the job of a long hook see :meth:`Handler.job`."""
    if is_job(event):
        return _handler.job(event)  # type: ignore[arg-type]  # it is a mapping then
    return _handler.answer(event, context)
