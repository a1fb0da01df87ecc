"""The flows as a package, built once for this process, and the values that they need."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sma_flows.cli.values import read_env_file
from sma_flows.compiler import compile_paths
from sma_flows.deploy.package import Built, build_function
from sma_flows.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
HERE = f"python{sys.version_info[0]}.{sys.version_info[1]}"
CACHE = ROOT / "build" / "emulator"

collect_ignore = (
    [] if sys.platform == "linux" else ["test_runtime.py", "test_measured_starts.py"]
)  # the emulator is a program for Linux


@pytest.fixture(scope="session")
def flows_plan() -> Plan:
    plan = compile_paths([ROOT / "flows"]).plan
    assert plan is not None
    return plan


@pytest.fixture(scope="session")
def built(flows_plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built") / "function"
    return build_function(flows_plan, ROOT / "flows", folder, runtime=HERE, byte_code="require")


@pytest.fixture(scope="session")
def values() -> dict[str, str]:
    return read_env_file(ROOT / "flows" / "local.env")
