"""The init phase of the packed function: it loads what its plan needs, makes the clients, and asks nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from sma_flows.compiler import compile_paths
from sma_flows.deploy.emulator import lay_out_libraries
from sma_flows.deploy.package import build_function

from .conftest import HERE, ROOT

AWS = {
    "AWS_LAMBDA_FUNCTION_NAME": "calls",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "SMA_FLOWS_PLAN": "plan.json",
    "SMA_FLOWS_SERVICES": "aws",
    "SMA_FLOWS_STORE": "dynamodb:calls",
    "TEAM_CHANNEL": "arn:aws:chime:us-east-1:111122223333:app-instance/example/channel/team",
}

CODE = """
import gc, json, socket, sys

asked = []
connect, look_up = socket.socket.connect, socket.getaddrinfo
socket.socket.connect = lambda self, place: asked.append(repr(place)) or connect(self, place)
socket.getaddrinfo = lambda *args, **more: asked.append(repr(args)) or look_up(*args, **more)

before = set(sys.modules)
from sma_flows import handler
loaded, collecting, frozen = set(sys.modules) - before, gc.isenabled(), gc.get_freeze_count()
gc.unfreeze()  # frozen objects are not listed
things = gc.get_objects() if "boto3" in loaded else []
kinds = [(each, {kind.__module__ + "." + kind.__name__ for kind in type(each).__mro__}) for each in things]
clients = [each.meta.service_model.service_name for each, names in kinds if "botocore.client.BaseClient" in names]
print(json.dumps({
    "problem": handler._handler.problem,
    "modules": sorted(loaded),
    "clients": sorted(clients),
    "sessions": sum("botocore.session.Session" in names for _, names in kinds),
    "asked": asked,
    "collecting": collecting,
    "frozen": frozen,
}))
"""


@dataclass(frozen=True)
class Init:
    """What an init phase did."""

    clients: list[str]
    sessions: int
    asked: list[str]
    modules: set[str]
    collecting: bool
    frozen: int

    def of(self, *rooms: str) -> set[str]:
        """The loaded modules of *rooms*, themselves left out."""
        return {name for name in self.modules for room in rooms if name.startswith(f"{room}.")}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, values: dict[str, str]) -> Any:
    """Gives what the init phase of one flow does, in a process that sees what Lambda would give it."""
    place = tmp_path_factory.mktemp("init")
    lay_out_libraries(place / "libraries")

    @cache
    def start(flow: str) -> Init:
        plan = compile_paths([ROOT / "flows" / f"{flow}.yaml"]).plan
        assert plan is not None
        built = build_function(plan, ROOT / "flows", place / flow, runtime=HERE, byte_code="none")
        path = os.pathsep.join((str(built.folder), str(place / "libraries")))
        done = subprocess.run(
            [sys.executable, "-S", "-P", "-B", "-c", CODE],
            capture_output=True,
            text=True,
            env={**values, **AWS, "PYTHONPATH": path},
            cwd=built.folder,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        assert found.pop("problem") == ""
        return Init(**{**found, "modules": set(found["modules"])})

    return start


def theirs(modules: set[str]) -> set[str]:
    """The packages among *modules* that are neither of Python nor of us."""
    tops = {name.partition(".")[0] for name in modules}
    return {name for name in tops if name not in sys.stdlib_module_names and "sma_flows" not in name and name[0] != "_"}


def test_a_flow_that_asks_aws_for_nothing_loads_nothing_for_it(started: Any) -> None:
    init = started("lex-bot")
    assert (init.clients, init.sessions) == ([], 0)
    assert "aws_lambda_powertools" in theirs(init.modules)  # the record of an event is its Logger's
    assert theirs(init.modules) <= {"aws_lambda_powertools", "jmespath", "typing_extensions", "botocore"}
    assert init.of("botocore") == set()  # Powertools asks whether it is there
    assert init.of("sma_flows.services.aws", "sma_flows.services.local") == set()


DEAR = ("dataclasses", "hashlib", "hmac", "http", "importlib.metadata", "sqlite3", "ssl", "uuid", "zipfile", "zoneinfo")


@pytest.mark.parametrize("module", DEAR)
def test_a_flow_that_needs_no_store_loads_no_dear_module_of_python(module: str, started: Any) -> None:
    assert module not in started("lex-bot").modules


def test_dial_in_makes_two_clients_out_of_one_session_and_no_other_adapter(started: Any) -> None:
    init = started("dial-in")
    assert (init.clients, init.sessions) == (["chime-sdk-meetings", "dynamodb"], 1)
    adapters = {name.removeprefix("sma_flows.services.aws.") for name in init.of("sma_flows.services.aws")}
    assert adapters == {"client", "directory", "limits", "meetings", "open", "table"}
    assert init.of("sma_flows.services.local") == set()


@pytest.mark.parametrize("flow", ["lex-bot", "dial-in", "front-desk"])
def test_no_init_phase_connects_or_loads_a_tool_of_the_desk(flow: str, started: Any) -> None:
    init = started(flow)
    assert init.asked == []
    desk = {
        "yaml",
        "msgspec",
        "pydantic",
        "pydantic_core",
        "transitions",
        "click",
        "rich",
        "jsonschema",
        "hypothesis",
        "moto",
    }
    assert not desk & theirs(init.modules)
    assert not init.of("sma_flows.flow", "sma_flows.compiler", "sma_flows.cli", "sma_flows.machine")


def test_opening_hours_are_ready_before_the_first_caller(started: Any) -> None:
    assert "zoneinfo" in started("front-desk").modules


def test_the_collector_of_garbage_works_again_and_leaves_alone_what_stays(started: Any) -> None:
    init = started("dial-in")
    assert init.collecting
    assert init.frozen > 10_000
