"""Put the services together for one plan and one environment.

Only what the plan needs is imported and opened: a flow that asks the world for nothing opens no store.

==================  =================================================================================================
``SMA_FLOWS_STORE``     SQLite file for memo records, limits and the stand-ins; ``memory`` for tests
``SMA_FLOWS_HOOKS``     folder below which hooks are looked for; default: the plan's folder, then ``flows`` here
``SMA_FLOWS_MEETINGS``  ``aws``: attendees come from Amazon Chime SDK Meetings; ``local``: from the stand-in
==================  =================================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sma_flows.errors import PlanError
from sma_flows.services.builtins import Ports
from sma_flows.services.dispatch import LocalServices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sma_flows.plan import Plan
    from sma_flows.services.ports import Directory, Meetings

STORE: Final = "SMA_FLOWS_STORE"
HOOKS: Final = "SMA_FLOWS_HOOKS"
MEETINGS: Final = "SMA_FLOWS_MEETINGS"

DEFAULT_STORE: Final = ".sma-flows/store.sqlite"
"""Where the command line tools keep their store when the environment names none."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The services, the plan without revisions whose hooks are gone, and what the operator should know."""

    services: LocalServices
    plan: Plan
    warnings: tuple[str, ...] = ()


def open_services(plan: Plan, env: Mapping[str, str], plan_file: Path, default_store: str = "") -> Opened:
    """Everything that *plan* needs, found in *env* and around *plan_file*.

    Raises:
        PlanError: a hook of a current revision is missing, or the plan needs a store or a meeting service and the
            environment names none.
    """
    warnings: list[str] = []
    functions: Mapping[tuple[str, str], Any] = {}
    if any("python" in hook for flow in plan.revisions.values() for hook in flow.get("hooks", {}).values()):
        from sma_flows.hooks.load import load_hooks  # here: a plan without own hooks pays nothing

        loaded = load_hooks(plan, hook_roots(env, plan_file))
        functions, plan = loaded.functions, loaded.plan
        warnings += [f"revision {revision} is disabled: its hooks are gone" for revision in loaded.disabled]

    services = LocalServices(functions, env=dict(env))
    in_lambda = bool(env.get("AWS_LAMBDA_FUNCTION_NAME"))
    where = env.get(MEETINGS, "")
    if where not in ("", "aws", "local"):
        raise PlanError(f"{MEETINGS} is '{where}': it can be 'aws' or 'local'")
    needs = list(_needs(plan))
    seats = next((need for need in needs if need.meetings), None)
    if seats is not None and in_lambda and not where:
        raise PlanError(f"{seats}: set {MEETINGS} to 'aws', or to 'local' where no real caller is served")
    of_aws = where == "aws" and seats is not None
    needed = next((need for need in needs if need.store or not of_aws), None)
    if needed is None:
        if of_aws:
            services.ports = Ports(meetings=_aws_meetings(env, None))
        return Opened(services, plan, tuple(warnings))
    path = env.get(STORE) or default_store
    if not path:
        raise PlanError(f"{needed}, and no store is configured: set {STORE} to the path of a file")
    if in_lambda:
        if path == "memory":
            raise PlanError(f"{needed}, and {STORE} is 'memory', which another execution environment does not see")
        warnings.append(f"{STORE} is a file: limits and 'once' hold as far as this file is shared")
    warnings += _open_store(services, path)
    if of_aws:
        services.ports = replace(services.ports, meetings=_aws_meetings(env, services.ports.directory))
    return Opened(services, plan, tuple(warnings))


def hook_roots(env: Mapping[str, str], plan_file: Path) -> list[Path]:
    """Folders below which hooks are looked for, best first."""
    if env.get(HOOKS):
        return [Path(env[HOOKS])]
    return [plan_file.resolve().parent, Path.cwd() / "flows"]


def _open_store(services: LocalServices, path: str) -> list[str]:
    from sma_flows.services.local.database import (  # here: sqlite3 is loaded only for plans that need a store
        Database,
        StoreDownError,
    )
    from sma_flows.services.local.directory import LocalDirectory
    from sma_flows.services.local.limits import LocalLimits
    from sma_flows.services.local.meetings import LocalMeetings
    from sma_flows.services.local.memo import LocalMemo
    from sma_flows.services.local.outbox import LocalOutbox

    database = Database(path)
    services.memo = LocalMemo(database)
    services.limits = LocalLimits(database)
    services.ports = Ports(LocalDirectory(database), LocalMeetings(database), LocalOutbox(database))
    try:
        database.open()
    except StoreDownError as error:  # what needs it fails, in each call anew; what does not goes on
        return [str(error)]
    return []


def _aws_meetings(env: Mapping[str, str], names: Directory | None) -> Meetings:
    from sma_flows.services.aws.meetings import AwsMeetings  # here: boto3 is the dearest import of all

    return AwsMeetings.from_env(env, names)


@dataclass(frozen=True, slots=True)
class _Need:
    """Something that a flow needs: the meeting service, a store (also for the meetings' stand-in), or both."""

    flow: str
    text: str
    meetings: bool = False
    store: bool = True

    def __str__(self) -> str:
        return f"the flow '{self.flow}' {self.text}"


def _needs(plan: Plan) -> Iterator[_Need]:
    for flow in plan.revisions.values():
        name = flow.get("name", "")
        for hook_name, hook in flow.get("hooks", {}).items():
            builtin = hook.get("builtin", "")
            if hook.get("effect", "once") == "once":
                yield _Need(name, f"runs '{hook_name}' at most once for each call and visit")
            if builtin:
                of_meetings = builtin.startswith("meetings.")
                yield _Need(name, f"uses '{builtin}'", meetings=of_meetings, store=builtin != "meetings.open")
        for state_name, state in flow["states"].items():
            if any(limit.get("per") != "call" for limit in state.get("limits", ())):
                yield _Need(name, f"limits '{state_name}' over several calls")
            if state.get("do") == "join_meeting" and "token" not in state:
                yield _Need(name, f"makes an attendee in '{state_name}'", meetings=True, store=False)
