"""Put the services together for one plan and one environment.

Only what the plan needs is imported and opened: a flow that asks the world for nothing opens no store, and boto3 is
loaded only where AWS does something. Clients are made here, which is in the init phase of a function.

==========================  ==========================================================================================
``SMA_FLOWS_STORE``         ``dynamodb:TABLE``, the path of a SQLite file, or ``memory`` for tests: rows of the
                            directory, memo records, limits
``SMA_FLOWS_SERVICES``      ``aws`` or ``local``: who does meetings, calls, messages, queues, pipelines and
                            transcriptions. ``SMA_FLOWS_MEETINGS``, ``_CALLS``, ``_CHANNEL``, ``_QUEUE``, ``_STREAM``,
                            ``_CAPTURE``, ``_TRANSCRIPTION`` and ``_JOBS`` say it for one of them
``SMA_FLOWS_STAND_INS``     SQLite file of the stand-ins where the store is DynamoDB; default: ``memory``
``SMA_FLOWS_JOURNAL``       ``off``: no journal of overlapping answers (decision 24; docs/decisions/0080)
``SMA_FLOWS_HASH_KEY``      key under which PINs are hashed (docs/decisions/0071)
``SMA_FLOWS_HOOKS``         folder below which hooks are looked for; default: the plan's folder, then ``flows`` here
==========================  ==========================================================================================
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sma_flows.errors import PlanError, ServiceError
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.needs import HASH_KEY, Wanted, cleans_up, needs_of
from sma_flows.services.outbound import Outbound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sma_flows.plan import Plan
    from sma_flows.services.needs import Need

STORE: Final = "SMA_FLOWS_STORE"
HOOKS: Final = "SMA_FLOWS_HOOKS"
SERVICES: Final = "SMA_FLOWS_SERVICES"

DEFAULT_STORE: Final = ".sma-flows/store.sqlite"
"""Where the command line tools keep their store when the environment names none."""


class Opened(NamedTuple):
    """The services, the plan without revisions whose hooks are gone, and what the operator should know."""

    services: LocalServices
    plan: Plan
    warnings: tuple[str, ...] = ()


def open_services(plan: Plan, env: Mapping[str, str], plan_file: Path, default_store: str = "") -> Opened:
    """Everything that *plan* needs, found in *env* and around *plan_file*.

    Raises:
        PlanError: a hook of a current revision is missing, or the environment does not say where something is that the
            plan needs; everything of that kind is named at once.
    """
    warnings: list[str] = []
    functions: Mapping[tuple[str, str], Any] = {}
    if any("python" in hook for flow in plan.revisions.values() for hook in flow.get("hooks", {}).values()):
        from sma_flows.hooks.load import load_hooks  # here: a plan without own hooks pays nothing

        loaded = load_hooks(plan, hook_roots(env, plan_file))
        functions, plan = loaded.functions, loaded.plan
        warnings += [f"revision {revision} is disabled: its hooks are gone" for revision in loaded.disabled]

    services = LocalServices(functions, env=dict(env), outbound=Outbound(plan, env))
    warnings += open_needed(services, needs_of(plan), env, default_store)
    working = env.get("SMA_FLOWS_JOBS") or env.get(SERVICES)
    if working == "aws" and env.get("AWS_LAMBDA_FUNCTION_NAME") and _cleans_up(plan):
        services.later = _Later(services, env)
    return Opened(services, plan, tuple(warnings))


def open_needed(
    services: LocalServices, needs: Sequence[Need], env: Mapping[str, str], default_store: str = ""
) -> list[str]:
    """Give *services* what *needs* names, found in *env*; gives what the operator should know.

    Raises:
        PlanError: the environment does not say where something is; everything of that kind is named at once.
    """
    wanted = Wanted(needs, env, default_store)
    problems = wanted.problems()
    if problems:
        raise PlanError("; ".join(problems))
    warnings = _open_file(services, wanted, env) if wanted.file else []
    if wanted.table or wanted.of_aws:
        from sma_flows.services.aws.open import open_aws  # here: boto3 is the dearest import of all

        try:
            open_aws(services, wanted, env)
        except ServiceError as error:
            raise PlanError(str(error)) from None
    return warnings


class _Later:
    """See :class:`~sma_flows.services.jobs.Later`: AWS, loaded when a clean-up has failed and not before."""

    def __init__(self, services: LocalServices, env: Mapping[str, str]) -> None:
        self._services = services
        self._env = env

    def hand_over(self, job: Mapping[str, Any], token: str, timeout_s: float) -> None:
        """Let the function invoke itself."""
        from sma_flows.services.aws.client import Aws
        from sma_flows.services.aws.jobs import AwsLater

        aws = Aws(self._env, self._services.meter, self._services.clock)
        function = self._env["AWS_LAMBDA_FUNCTION_NAME"]
        self._services.later = AwsLater(aws, function, self._env.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"))
        self._services.later.hand_over(job, token, timeout_s)


def _cleans_up(plan: Plan) -> bool:
    """Whether calls leave something behind that has to be cleaned up."""
    return any(cleans_up(flow) for flow in plan.revisions.values())


def hook_roots(env: Mapping[str, str], plan_file: Path) -> list[Path]:
    """Folders below which hooks are looked for, best first."""
    if env.get(HOOKS):
        return [Path(env[HOOKS])]
    return [plan_file.resolve().parent, Path.cwd() / "flows"]


def _open_file(services: LocalServices, wanted: Wanted, env: Mapping[str, str]) -> list[str]:
    """The store, unless it is a table, and a stand-in for every service."""
    from sma_flows.services.local.database import Database, StoreDownError  # here: only for plans that need a file
    from sma_flows.services.local.open import use_file

    database = Database(wanted.file)
    use_file(services, database, env.get(HASH_KEY, ""))
    if wanted.journal and not wanted.table:
        from sma_flows.services.journal import use_journal  # here: only for plans in which answers can overlap
        from sma_flows.services.local.journal import LocalJournal

        use_journal(services, LocalJournal(database))
    warnings = []
    if wanted.in_lambda and not wanted.table:
        warnings.append(f"{STORE} is a file: limits and 'once' hold as far as this file is shared")
    if wanted.file == "memory":  # nothing that could be wrong with it: it is made when it is needed
        return warnings
    try:
        database.open()
    except StoreDownError as error:  # what needs it fails, in each call anew; what does not goes on
        warnings.append(str(error))
    return warnings
