"""The package in the real Lambda runtime: awslambdaric under the Runtime Interface Emulator, on loopback."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from click.testing import CliRunner

from sma_flows.cli.app import cli
from sma_flows.deploy.emulator import INVOKE_PATH, BusyError, Pool, find_emulator
from sma_flows.deploy.front import MOST_BYTES, serve
from sma_flows.deploy.package import Built, build_function
from sma_flows.errors import BuildError
from sma_flows.plan import Plan
from sma_flows.runtime.invoke import handle
from sma_flows.runtime.program import Program
from sma_flows.services.setup import open_services

from .conftest import CACHE, HERE, ROOT

SETTINGS = {"SMA_FLOWS_PLAN": "plan.json", "SMA_FLOWS_SERVICES": "local"}
FIRST = sorted(ROOT.glob("events/*/01-new-*-call.json"))


def event(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


@pytest.fixture(scope="module")
def pool(built: Built, values: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    store = tmp_path_factory.mktemp("store") / "store.sqlite"
    env = {**values, **SETTINGS, "SMA_FLOWS_STORE": str(store)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SESSION_TOKEN", "of the person at the keyboard")
        patch.setenv("SOMEBODYS_PASSWORD", "likewise")
        with Pool(built.folder, 2, env, cache=CACHE) as running:
            yield running


@pytest.mark.parametrize("path", FIRST, ids=lambda path: path.parent.name)
def test_a_new_call_is_answered_as_in_process(path: Path, pool: Pool, flows_plan: Plan, values: dict[str, str]) -> None:
    """Asked before and after, for the opening hours: the runtime's clock cannot be set."""
    env = {**values, "SMA_FLOWS_STORE": "memory", "SMA_FLOWS_SERVICES": "local", "SMA_FLOWS_HOOKS": str(ROOT / "flows")}
    opened = open_services(flows_plan, env, ROOT / "flows")
    program = Program.load(opened.plan, env)

    def in_process() -> dict[str, Any]:
        return handle(program, event(path), now=datetime.now(UTC), services=opened.services).response

    before = in_process()
    answer = pool.invoke(event(path))
    assert answer in (before, in_process())
    assert answer["SchemaVersion"] == "1.0"


def test_there_are_new_calls_of_all_seven_flows() -> None:
    assert len(FIRST) == 7


def test_a_whole_call_runs_through_the_runtime(pool: Pool) -> None:
    """The dial-in call: each answer's attributes come back with the next event, as the service does it."""
    attributes: Any = None
    answers = []
    for path in sorted((ROOT / "events" / "dial-in").glob("[0-9][0-9]-*.json")):
        if path.name.endswith(".response.json"):
            continue
        each = event(path)
        if attributes is not None:
            each["CallDetails"]["TransactionAttributes"] = attributes
        answers.append(pool.invoke(each))
        attributes = answers[-1].get("TransactionAttributes", attributes)
    types = [[action["Type"] for action in answer.get("Actions", ())] for answer in answers]
    assert types[3] == ["Speak", "JoinChimeMeeting"]
    assert len(types) == 13


def test_more_callers_than_environments_wait_for_their_turn(pool: Pool) -> None:
    one = event(ROOT / "events" / "dial-in" / "01-new-inbound-call.json")
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(pool.invoke, [one] * 24))
    assert all(answer == answers[0] for answer in answers)
    assert all(environment.process.poll() is None for environment in pool.environments)


def test_nobody_waits_for_ever(pool: Pool) -> None:
    with pool.reserved(), pool.reserved(), pytest.raises(BusyError, match="all 2 environments are busy"):
        pool.invoke_bytes(b"{}", wait_s=0.01)


def test_the_function_sees_only_what_lambda_would_give_it(pool: Pool) -> None:
    started = pool.environments[0].process.pid
    names = {each.partition(b"=")[0].decode() for each in Path(f"/proc/{started}/environ").read_bytes().split(b"\0")}
    assert {"SMA_FLOWS_PLAN", "PROMPTS", "AWS_REGION"} <= names
    assert not names & {"AWS_SESSION_TOKEN", "SOMEBODYS_PASSWORD", "HOME"}


def test_the_front_is_the_invoke_operation(pool: Pool) -> None:
    one = event(ROOT / "events" / "dial-in" / "01-new-inbound-call.json")
    with serve(pool) as address:
        session = boto3.session.Session("testing", "testing", region_name="us-east-1")
        client = session.client(
            "lambda", endpoint_url=address, config=Config(retries={"total_max_attempts": 1, "mode": "standard"})
        )
        answer = client.invoke(FunctionName="sma-flows", Payload=json.dumps(one))
        with answer["Payload"] as payload:
            assert json.loads(payload.read()) == pool.invoke(one)
        broken = client.invoke(FunctionName="sma-flows", Payload=b"{")
        broken["Payload"].close()
        assert broken["FunctionError"] == "Unhandled"
        with pytest.raises(ClientError):
            client.get_function(FunctionName="sma-flows")
        client.close()


def test_the_front_says_when_all_environments_are_busy(pool: Pool) -> None:
    with serve(pool, wait_s=0.01) as address, pool.reserved(), pool.reserved():
        status, body = post(address, b"{}")
    assert (status, body) == (429, {"Type": "User", "message": "all 2 environments are busy"})


def test_the_front_refuses_what_lambda_refuses(pool: Pool) -> None:
    with serve(pool) as address:
        assert post(address, b"{}", {"Content-Length": str(MOST_BYTES + 1)})[0] == 413
        assert post(address, b"{}", {"Content-Length": "-1"})[0] == 413
        assert post(address, b"{}", path="/somewhere")[0] == 404


def post(address: str, body: bytes, headers: dict[str, str] | None = None, path: str = INVOKE_PATH) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    try:
        connection.request("POST", path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_an_end_leaves_no_process_behind(built: Built, values: dict[str, str], tmp_path: Path) -> None:
    with Pool(built.folder, 1, {**values, **SETTINGS, "SMA_FLOWS_STORE": str(tmp_path / "s")}, cache=CACHE) as running:
        running.invoke(event(FIRST[0]))
        emulator = running.environments[0].process
        children = Path(f"/proc/{emulator.pid}/task/{emulator.pid}/children").read_text().split()
        assert running.environments[0].init_ms()
    assert emulator.poll() is not None
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []


def test_a_function_that_takes_too_long_is_stopped_and_begins_anew(flows_plan: Plan, tmp_path: Path) -> None:
    folder = build_function(flows_plan, ROOT / "flows", tmp_path / "function", runtime=HERE, byte_code="none").folder
    (folder / "slow.py").write_text(
        "import threading\n\ndef answer(event, context):\n"
        "    threading.Event().wait(event['seconds'])\n    return event\n"
    )
    with Pool(folder, 1, {}, timeout_s=1, cache=CACHE, handler="slow.answer") as running:
        with pytest.raises(BuildError, match="Task timed out after 1"):
            running.invoke({"seconds": 30})
        assert running.invoke({"seconds": 0}) == {"seconds": 0}
        with pytest.raises(BuildError, match="KeyError"):
            running.invoke({})


def test_a_folder_without_a_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="holds no built function"), Pool(tmp_path, cache=CACHE):
        pass


# ---- the command ---------------------------------------------------------------------------------------------------


def test_the_command_answers_one_event_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMA_FLOWS_EMULATOR", str(find_emulator(CACHE)))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["runtime", str(ROOT / "flows"), "--event", str(FIRST[0])])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["SchemaVersion"] == "1.0"


def test_the_command_serves_until_it_is_told_to_end(built: Built, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from sma_flows.cli import main; main()", "runtime", str(built.folder)]
    command += ["--port", "0", "--json"]
    command += ["--env-file", str(ROOT / "flows" / "local.env")]
    env = {**os.environ, "SMA_FLOWS_EMULATOR": str(find_emulator(CACHE))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=env) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.rstrip() == "}":
                break
        url = json.loads("".join(lines))["url"]
        status, answer = post(url.removesuffix(INVOKE_PATH), FIRST[0].read_bytes())
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert (status, answer["SchemaVersion"]) == (200, "1.0")


def test_a_port_that_is_taken_is_wrong_usage(pool: Pool) -> None:
    with serve(pool) as address:
        taken = int(address.rpartition(":")[2])
        with pytest.raises(BuildError, match="cannot be used"), serve(pool, taken):
            pass
