"""Work outside the call: long hooks, and clean-up that failed.

A long hook is started, works in an invocation of its own, and tells its result by an update, which carries the ticket
of the start, so that a result that comes late, twice, or for another call is answered with nothing. A piece of clean-up
that failed is tried again with the effect token that it had in the call (docs/decisions/0081).

A job is plain JSON and holds no secret: the compiler refuses secret arguments of long hooks and of clean-up, and a
piece of clean-up that was given a token is not handed over (:attr:`~sma_flows.runtime.ask.Ask.later`).
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


class Later(Protocol):
    """Where clean-up that failed is handed over, to be tried again outside the call."""

    def hand_over(self, job: Mapping[str, Any], token: str, timeout_s: float) -> None:
        """Keep *job* and try it again; the same *token* is the same job.

        Raises:
            ServiceError: it could not be handed over.
        """
        ...


def clean_up_of(ask: Ask) -> dict[str, Any]:
    """The job that tries a piece of clean-up again.

    Raises:
        ServiceError: its arguments cannot be written down, or are too large.
    """
    job = {
        JOB: VERSION,
        "clean_up": ask.port,
        "revision": ask.revision,
        "hook": ask.name,
        "args": list(ask.args),
        "token": ask.token,
        "call": list(ask.call),
    }
    try:
        size = len(json.dumps(job))
    except (TypeError, ValueError):
        raise ServiceError("the arguments of a clean-up are not plain") from None
    if size > MOST_BYTES:
        raise ServiceError("the arguments of a clean-up are too large")
    return job


def clean_up_in(job: Mapping[str, Any], program: Program) -> Ask:
    """The piece of clean-up that a job stands for, with the token that it had in the call.

    Raises:
        ServiceError: no such job, revision or hook.
    """
    try:
        port, name = str(job["clean_up"]), str(job["hook"])
        flow = program.flow(job["revision"])
        if flow is None or job[JOB] != VERSION or port not in ("hook", "meetings.leave"):
            raise KeyError(port)
        hook = flow.hooks[name] if port == "hook" else {}
        call, args, token = CallInfo(*job["call"]), tuple(job["args"]), str(job["token"])
    except (KeyError, TypeError):
        raise ServiceError("a job that nobody here can do") from None
    effect = hook.get("effect", "once") if hook else "repeatable"
    budget = hook.get("budget", 2000) if hook else 2000
    return Ask(port, name, args, token, effect, budget, call, flow.revision, hook=hook, cleanup=True)


def is_clean_up(job: Mapping[str, Any]) -> bool:
    """Whether a job is a piece of clean-up."""
    return "clean_up" in job


def clean_up(job: Mapping[str, Any], program: Program, services: Services) -> str:
    """Try a piece of clean-up again; its outcome.

    Raises:
        ServiceError: nobody here can do it, or it has failed once more. Lambda then tries again, and keeps it in the
            dead letters after that; what works at most once is not done twice.
    """
    ask = clean_up_in(job, program)
    reply = services.perform(ask, time.monotonic() + ask.budget_ms / 1000)
    if reply.outcome == "failed":
        raise ServiceError(f"clean-up failed again: {ask.name}")
    return reply.outcome


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
