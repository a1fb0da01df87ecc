"""`sma-flows rollout`: what it asks of AWS Lambda, and what it refuses."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from click.testing import CliRunner

from sma_flows.cli import rollout as commands
from sma_flows.cli.app import cli
from sma_flows.deploy import rollout
from sma_flows.deploy.rollout import change, in_effect, look
from sma_flows.errors import BuildError
from sma_flows.plan import Plan
from sma_flows.runtime.rollout import ROLLOUT

OLD, NEW = "0" * 12, "1" * 12
FLOW = {"name": "front-desk", "start": "a", "states": {"a": {}}}
PLAN = Plan("bundle", (), {"front-desk": OLD}, {OLD: FLOW, NEW: FLOW}, {"front-desk": NEW})
NAME = "stack-CallFunction-1"
CODE = "code-of-version-7"
VALUES = {"SMA_FLOWS_HASH_KEY": "a secret of somebody", "PROMPTS": "bucket"}


def archive(plan: Plan) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as package:
        package.writestr("plan.json", plan.dumps())
    return data.getvalue()


@pytest.fixture
def aws() -> Iterator[Stubber]:
    client = boto3.session.Session("testing", "testing", region_name="us-east-1").client("lambda")
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def deployed(stub: Stubber, value: str = "", plan: Plan = PLAN) -> rollout.Deployed:
    answers_look(stub, value)
    return look(stub.client, NAME, "live", lambda _: archive(plan))


def answers_look(stub: Stubber, value: str = "", location: str = "https://example.com/code") -> None:
    stub.add_response(
        "get_function",
        {
            "Configuration": {
                "Version": "7",
                "CodeSha256": CODE,
                "Environment": {"Variables": {**VALUES, **({ROLLOUT: value} if value else {})}},
            },
            "Code": {"Location": location},
        },
        {"FunctionName": NAME, "Qualifier": "live"},
    )


def answers_change(stub: Stubber, value: str) -> None:
    """The five requests of a change, with all that they say."""
    variables = {**VALUES, ROLLOUT: value}
    stub.add_response(
        "get_function_configuration",
        {"CodeSha256": CODE, "RevisionId": "r1", "Environment": {"Variables": {**VALUES, ROLLOUT: "of before"}}},
        {"FunctionName": NAME},
    )
    stub.add_response(
        "update_function_configuration",
        {},
        {"FunctionName": NAME, "Environment": {"Variables": variables}, "RevisionId": "r1"},
    )
    busy, ready = ({"Configuration": {"LastUpdateStatus": each}} for each in ("InProgress", "Successful"))
    stub.add_response("get_function", busy, {"FunctionName": NAME})
    stub.add_response("get_function", ready, {"FunctionName": NAME})
    stub.add_response("publish_version", {"Version": "8"}, {"FunctionName": NAME, "CodeSha256": CODE})
    stub.add_response(
        "update_alias",
        {"FunctionVersion": "8"},
        {"FunctionName": NAME, "Name": "live", "FunctionVersion": "8", "RoutingConfig": {}},
    )


NO_WAIT = {"Delay": 0, "MaxAttempts": 5}


def test_a_share_is_published_as_a_new_version_of_the_same_code(aws: Stubber) -> None:
    now = deployed(aws)
    answers_change(aws, f"front-desk:{NEW}=10")
    after = change(aws.client, now, {"front-desk": 10}, NO_WAIT)
    assert (after.version, after.percent("front-desk")) == ("8", 10)


def test_taking_back_leaves_an_empty_value_and_both_revisions(aws: Stubber) -> None:
    now = deployed(aws, f"front-desk:{NEW}=10")
    assert now.percent("front-desk") == 10
    answers_change(aws, "")
    after = change(aws.client, now, {"front-desk": 0}, NO_WAIT)
    assert (after.percent("front-desk"), set(after.plan.revisions)) == (0, {OLD, NEW})


def test_shares_of_other_flows_stay_and_stale_ones_go(aws: Stubber) -> None:
    plan = PLAN._replace(flows={**PLAN.flows, "dial-in": OLD}, candidates={"front-desk": NEW, "dial-in": NEW})
    now = deployed(aws, f"dial-in:{NEW}=25 gone:{NEW}=50 front-desk:{OLD}=5 rubbish", plan)
    assert now.stale == ("rubbish", f"gone:{NEW}=50", f"front-desk:{OLD}=5")
    answers_change(aws, f"dial-in:{NEW}=25 front-desk:{NEW}=1.5")
    after = change(aws.client, now, {"front-desk": 1.5}, NO_WAIT)
    assert after.stale == ()


def test_code_that_nobody_has_published_stays_away_from_callers(aws: Stubber) -> None:
    now = deployed(aws)
    aws.add_response("get_function_configuration", {"CodeSha256": "newer", "RevisionId": "r"}, {"FunctionName": NAME})
    with pytest.raises(BuildError, match="has changed since it was published as 7"):
        change(aws.client, now, {"front-desk": 10}, NO_WAIT)


def test_a_change_by_somebody_else_meanwhile_is_not_overwritten(aws: Stubber) -> None:
    now = deployed(aws)
    aws.add_response("get_function_configuration", {"CodeSha256": CODE, "RevisionId": "r1"}, {"FunctionName": NAME})
    aws.add_client_error("update_function_configuration", "PreconditionFailedException", "revision", 412)
    with pytest.raises(aws.client.exceptions.PreconditionFailedException):
        change(aws.client, now, {"front-desk": 10}, NO_WAIT)


@pytest.mark.parametrize(("flow", "percent"), [("front-desk", 101), ("front-desk", -1), ("voicemail", 10)])
def test_what_cannot_be_rolled_out_is_refused_before_anything_is_asked(aws: Stubber, flow: str, percent: float) -> None:
    with pytest.raises(BuildError):
        change(aws.client, deployed(aws), {flow: percent}, NO_WAIT)


def test_a_function_of_somebody_else_is_refused(aws: Stubber) -> None:
    answers_look(aws)
    with pytest.raises(BuildError, match="was not built by sma-flows"):
        look(aws.client, NAME, "live", lambda _: b"no archive")


def test_the_next_build_begins_with_what_is_in_effect(aws: Stubber) -> None:
    assert in_effect(deployed(aws)).flows == {"front-desk": OLD}
    done = in_effect(deployed(aws, f"front-desk:{NEW}=100"))
    assert (done.flows, done.candidates, set(done.revisions)) == ({"front-desk": NEW}, {}, {OLD, NEW})
    with pytest.raises(BuildError, match="is under way"):
        in_effect(deployed(aws, f"front-desk:{NEW}=10"))


# ---- the command, with a code store on loopback --------------------------------------------------------------------


@pytest.fixture
def store() -> Iterator[str]:
    class Code(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = archive(PLAN)
            self.send_response(200 if self.path == "/code" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Code)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/code"
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def run(aws: Stubber, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(commands, "_client", lambda _: aws.client)
    monkeypatch.setattr(commands, "WAIT", NO_WAIT)
    return lambda *arguments: CliRunner().invoke(cli, ["rollout", *arguments, "--region", "us-east-1"])


def test_the_command_sets_shows_and_takes_back(run: Any, aws: Stubber, store: str) -> None:
    answers_look(aws, location=store)
    answers_change(aws, f"front-desk:{NEW}=5")
    done = run("set", "front-desk", "5", "-f", NAME)
    assert done.exit_code == 0, done.output
    assert f'Rollout="front-desk:{NEW}=5"' in done.output
    answers_look(aws, f"front-desk:{NEW}=5", store)
    shown = json.loads(run("show", "-f", NAME, "--json").stdout)
    assert shown["flows"] == [{"flow": "front-desk", "current": OLD, "candidate": NEW, "percent": 5.0}]
    answers_look(aws, f"front-desk:{NEW}=5", store)
    answers_change(aws, "")
    assert "0 %" in run("back", "-f", NAME).output


def test_no_value_of_the_function_is_shown(run: Any, aws: Stubber, store: str) -> None:
    answers_look(aws, "rubbish", store)
    done = run("show", "-f", NAME)
    assert "a secret of somebody" not in done.output
    assert "'rubbish', which counts for nothing" in done.output


def test_the_command_fetches_the_plan_for_the_next_build(run: Any, aws: Stubber, store: str, tmp_path: Path) -> None:
    answers_look(aws, f"front-desk:{NEW}=100", store)
    done = run("fetch", "-f", NAME, "-o", str(tmp_path / "deployed.json"))
    assert done.exit_code == 0, done.output
    assert Plan.read(tmp_path / "deployed.json").flows == {"front-desk": NEW}


def test_what_aws_refuses_is_said_in_one_paragraph(run: Any, aws: Stubber) -> None:
    aws.add_client_error("get_function", "ResourceNotFoundException", "Function not found", 404)
    done = run("show", "-f", NAME)
    assert done.exit_code == 2
    assert "AWS refused GetFunction: ResourceNotFoundException: Function not found" in done.output


def test_an_archive_that_cannot_be_had_is_said(run: Any, aws: Stubber, store: str) -> None:
    answers_look(aws, location=store + "-gone")
    done = run("show", "-f", NAME)
    assert (done.exit_code, "cannot be downloaded" in done.output) == (2, True)


def test_holding_without_a_plan_of_before_is_wrong_usage(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["compile", "flows", "-o", str(tmp_path / "p.json"), "--hold"])
    assert (done.exit_code, "--previous" in done.output) == (2, True)


def test_holding_on_an_open_roll_out_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "deployed.json").write_text(PLAN.dumps())
    arguments = ["compile", "flows", "-o", str(tmp_path / "p.json"), "--previous", str(tmp_path / "deployed.json")]
    done = CliRunner().invoke(cli, [*arguments, "--hold"])
    assert (done.exit_code, "sma-flows rollout fetch" in done.output) == (2, True)
