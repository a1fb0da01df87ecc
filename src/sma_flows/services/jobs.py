"""Work outside the call: a long hook is started, works in an invocation of its own, and tells its result by an update.

A job is plain JSON and holds no secret: the compiler refuses secret arguments and results of long hooks. The update
carries the ticket of the start, so that a result that comes late, twice, or for another call is answered with nothing.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from sma_flows.errors import ServiceError
from sma_flows.runtime.ask import Ask, CallInfo, ServiceReply
from sma_flows.runtime.nodes.base import effect_token
from sma_flows.runtime.nodes.silent import OUTCOME, TICKET, VALUES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sma_flows.runtime.ask import Services
    from sma_flows.runtime.program import Program

JOB: Final = "sma-flows-job"
"""The key by which the function tells a job from an event of a call. Its value is the version of the job's layout."""

VERSION: Final = 1
START_S: Final = 0.8
"""Longest wait for the start of a job: the caller hears nothing meanwhile."""

REPORT_S: Final = 5.0
"""Longest wait for the update that tells the result."""

MOST_BYTES: Final = 200_000
"""Largest job: an asynchronous invocation of Lambda takes 256 KB."""


class Jobs(Protocol):
    """Where jobs are started, and where their results are told."""

    def start(self, job: Mapping[str, Any], timeout_s: float) -> None:
        """Let *job* be worked on outside this invocation.

        Raises:
            ServiceError: it could not be started.
        """
        ...

    def report(self, application: str, call: str, arguments: Mapping[str, str], timeout_s: float) -> None:
        """Update *call* with the result. A call that is over is no error.

        Raises:
            ServiceError: the update could not be sent.
        """
        ...


def job_of(ask: Ask) -> dict[str, Any]:
    """The job that an Ask of ``hook.start`` stands for.

    Raises:
        ServiceError: its arguments are too large.
    """
    job = {
        JOB: VERSION,
        "revision": ask.revision,
        "hook": ask.name,
        "args": list(ask.args),
        "ticket": ask.token,
        "call": list(ask.call),
    }
    if len(json.dumps(job)) > MOST_BYTES:
        raise ServiceError("the arguments of a long hook are too large")
    return job


def is_job(event: object) -> bool:
    """Whether what the function was invoked with is a job."""
    return isinstance(event, dict) and JOB in event and "InvocationEventType" not in event


def work_of(job: Mapping[str, Any], program: Program) -> Ask:
    """The work of a job: the hook as the flow's revision declares it, with a token of its own.

    Raises:
        ServiceError: no such job, revision or hook.
    """
    try:
        flow = program.flow(job["revision"])
        hook = flow.hooks[job["hook"]] if flow is not None and job[JOB] == VERSION else None
        if hook is None:
            raise KeyError("revision")
        token = effect_token(str(job["ticket"]), "work")
        call = CallInfo(*job["call"])
        args = tuple(job["args"])
    except (KeyError, TypeError):
        raise ServiceError("a job that nobody here can do") from None
    effect, budget = hook.get("effect", "once"), hook.get("budget", 60_000)
    return Ask("hook", job["hook"], args, token, effect, budget, call, job["revision"], hook=hook)


def result_of(ticket: str, reply: ServiceReply) -> dict[str, str]:
    """A reply as the arguments of the update that tells it."""
    values = json.dumps(dict(reply.values), separators=(",", ":"))
    return {TICKET: ticket, OUTCOME: reply.outcome, VALUES: values}


def work(job: Mapping[str, Any], program: Program, services: Services, jobs: Jobs) -> str:
    """Do a job and tell its result; the outcome.

    Raises:
        ServiceError: nobody here can do it, or the result could not be told. Lambda then tries again; what works
            at most once is not done twice.
    """
    ask = work_of(job, program)
    reply = services.perform(ask, time.monotonic() + ask.budget_ms / 1000)
    jobs.report(ask.call.application, ask.call.id, result_of(str(job["ticket"]), reply), REPORT_S)
    return reply.outcome
