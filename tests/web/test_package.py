"""The package of the API: what it needs, for its processor, and the same bytes every time."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sma_flows.cli.app import cli
from sma_flows.deploy import package
from sma_flows.deploy.emulator import lay_out_libraries
from sma_flows.deploy.package import WEB, Built, build_web, digest_of, live_modules, zip_folder
from sma_flows.testing.control import UNLIMITED, local_service

from .rig import FLOWS, event, plan, settings, wanted

HERE = f"python{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build_web(plan(), tmp_path_factory.mktemp("web") / "function", runtime=HERE, byte_code="require")


def test_it_holds_what_the_api_needs_and_nothing_of_the_desk(built: Built) -> None:
    there = {path.name for path in built.folder.iterdir()}
    assert {"plan.json", "sma_flows", "pydantic", "pydantic_core", "phonenumbers", "aws_lambda_powertools"} <= there
    assert not there & {"yaml", "click", "rich", "starlette", "uvicorn", "jwt", "boto3", "botocore", "hooks"}
    own = {path.relative_to(built.folder / "sma_flows").parts[0] for path in (built.folder / "sma_flows").iterdir()}
    assert not own & {"simulator", "testing", "compiler", "flow", "cli", "deploy", "phone"}
    assert (built.folder / "sma_flows" / "web" / "function.py").is_file()
    assert not (built.folder / "sma_flows" / "web" / "local.py").exists()


def test_machine_code_is_for_the_processor_of_the_function(built: Built) -> None:
    libraries = list(built.folder.rglob("*.so"))
    assert libraries
    for library in libraries:
        assert library.read_bytes()[:5] == b"\x7fELF\x02"
        assert library.read_bytes()[18:20] == b"\xb7\x00", f"{library.name} is not for 64-bit ARM"


def test_two_builds_of_the_api_have_the_same_bytes(built: Built, tmp_path: Path) -> None:
    again = build_web(plan(), tmp_path / "again", runtime=HERE, byte_code="require")
    assert digest_of(again.folder) == built.digest
    assert zip_folder(again.folder, tmp_path / "a.zip") == zip_folder(built.folder, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_it_has_byte_code_and_no_word_of_this_machine(built: Built) -> None:
    for source in built.folder.rglob("*.py"):
        assert Path(importlib.util.cache_from_source(str(source))).is_file()
    root = str(FLOWS.parent).encode()
    assert [path for path in built.folder.rglob("*") if path.is_file() and root in path.read_bytes()] == []


ANSWERS = """
import json, sys
from sma_flows.web.function import lambda_handler
for event in json.load(sys.stdin):
    print("ANSWER", json.dumps(lambda_handler(event, None)))
"""


def test_the_package_answers_with_nothing_around_but_what_lambda_has(built: Built, tmp_path: Path) -> None:
    """With machine code of this processor in place of the function's, which cannot run here."""
    folder = shutil.copytree(built.folder, tmp_path / "function")
    for name in ("pydantic_core",):
        shutil.rmtree(folder / name)
        shutil.copytree(Path(importlib.util.find_spec(name).origin).parent, folder / name)
    lay_out_libraries(tmp_path / "libraries")
    requests = [event("POST", "/calls", wanted()), event("POST", "/calls", wanted(to="+19005550123"))]
    with local_service(quotas=UNLIMITED, rates={"*": 0}) as service:
        told = settings(str(tmp_path / "store.sqlite"), service.exchange.base.application)
        env = {**service.environment(), **told, "SMA_FLOWS_PLAN": str(folder / "plan.json")}
        done = subprocess.run(
            [sys.executable, "-S", "-P", "-B", "-W", "ignore", "-c", ANSWERS],
            input=json.dumps(requests),
            capture_output=True,
            text=True,
            env={**env, "PYTHONPATH": os.pathsep.join((str(folder), str(tmp_path / "libraries")))},
            cwd=tmp_path,
            check=False,
        )
        answers = [json.loads(line[7:]) for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
        assert [answer["statusCode"] for answer in answers] == [201, 403], done.stdout + done.stderr
        assert len(service.exchange.lines) == 1


def test_the_function_that_answers_calls_has_nothing_of_the_api() -> None:
    assert [name for name in live_modules("sma_flows.handler") if ".web" in name] == []
    assert WEB in live_modules(WEB)


def test_the_command_builds_it(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        cli, ["build", str(FLOWS), "--web", "-o", str(tmp_path / "web"), "--byte-code", "none", "--json"]
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert {"pydantic", "pydantic-core", "phonenumberslite"} <= told["packages"].keys()
    assert told["bytes"] < 30_000_000
    assert os.listdir(tmp_path / "web")
    both = CliRunner().invoke(cli, ["build", str(FLOWS), "--web", "--resources", "-o", str(tmp_path / "x")])
    assert both.exit_code == 2
    assert package.WEB
