"""What `sma-flows build` puts into a function: all of it, nothing else, and the same bytes every time."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from sma_flows.cli.app import cli
from sma_flows.deploy.emulator import lay_out_libraries
from sma_flows.deploy.package import (
    Built,
    build_function,
    build_resources,
    digest_of,
    find_interpreter,
    live_modules,
    zip_folder,
)
from sma_flows.errors import BuildError
from sma_flows.plan import Plan

from .conftest import HERE, ROOT

MOST_ZIPPED = 5 * 1024 * 1024
FORBIDDEN = {"yaml", "msgspec", "pydantic", "pydantic_core", "transitions", "click", "rich", "boto3", "botocore"}


def test_two_builds_have_the_same_bytes(built: Built, flows_plan: Plan, tmp_path: Path) -> None:
    os.environ.pop("PYTHONHASHSEED", None)
    again = build_function(flows_plan, ROOT / "flows", tmp_path / "other-name", runtime=HERE, byte_code="require")
    assert again.digest == built.digest == digest_of(tmp_path / "other-name")
    archives = [tmp_path / "a.zip", tmp_path / "b.zip"]
    for folder, archive in zip((built.folder, again.folder), archives, strict=True):
        zip_folder(folder, archive)
    assert archives[0].read_bytes() == archives[1].read_bytes()


def test_the_package_is_small_enough_to_unpack_quickly(built: Built, tmp_path: Path) -> None:
    assert zip_folder(built.folder, tmp_path / "function.zip") <= MOST_ZIPPED


def test_nothing_of_the_desk_is_in_the_package(built: Built) -> None:
    assert not FORBIDDEN & {path.name for path in built.folder.iterdir()}
    rooms = {path.name for path in (built.folder / "sma_flows").iterdir()}
    assert not rooms & {"cli", "compiler", "flow", "machine", "simulator", "testing", "deploy"}


def test_no_file_tells_of_the_machine_on_which_it_was_built(built: Built) -> None:
    places = (str(ROOT).encode(), str(built.folder).encode(), str(Path.home()).encode() + b"/")
    found = [path for path in built.folder.rglob("*") if path.is_file() and any(p in path.read_bytes() for p in places)]
    assert found == []


def test_every_python_file_has_byte_code_that_is_not_compared_with_its_source(built: Built) -> None:
    sources = list(built.folder.rglob("*.py"))
    for source in sources:
        code = Path(importlib.util.cache_from_source(str(source)))
        assert code.is_file(), source
        assert code.read_bytes()[4:8] == b"\x01\x00\x00\x00", source  # PEP 552: hash based, unchecked
    assert len(sources) > 50


def test_every_module_of_the_package_can_be_imported_with_nothing_else_around(built: Built, tmp_path: Path) -> None:
    """Beside the package there is only what Lambda has of its own."""
    lay_out_libraries(tmp_path / "libraries")
    names = [
        path.relative_to(built.folder).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for path in sorted((built.folder / "sma_flows").rglob("*.py"))
    ]
    code = f"import importlib\nfor name in {names!r}: importlib.import_module(name)\nprint('all', len({names!r}))"
    environment = {"PYTHONPATH": os.pathsep.join((str(built.folder), str(tmp_path / "libraries")))}
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-B", "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, f"all {len(names)}"), done.stderr


def test_the_function_behind_the_custom_resource_needs_nothing_but_boto3(tmp_path: Path) -> None:
    made = build_resources(tmp_path / "resources", runtime=HERE)
    assert made.packages == ()
    assert {path.name for path in made.folder.iterdir()} == {"sma_flows", "package.json"}
    assert made.size < 300_000


def test_only_modules_that_a_live_call_can_reach_are_taken() -> None:
    modules = live_modules("sma_flows.handler")
    assert {"sma_flows", "sma_flows.handler", "sma_flows.plan", "sma_flows.runtime.step"} <= set(modules)
    assert "sma_flows.services.aws.meetings" in modules  # imported inside a function
    assert "sma_flows.services.local.database" in modules


def test_a_folder_with_something_else_in_it_is_left_alone(flows_plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BuildError, match="not built by this command"):
        build_function(flows_plan, ROOT / "flows", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_what_was_built_before_is_replaced_whole(tmp_path: Path) -> None:
    first = build_resources(tmp_path / "out", runtime=HERE)
    (first.folder / "stale.py").write_text("left over")
    assert build_resources(tmp_path / "out", runtime=HERE).digest == first.digest
    assert not (first.folder / "stale.py").exists()


def test_two_files_for_one_place_are_refused(flows_plan: Plan, tmp_path: Path) -> None:
    clash = tmp_path / "flows" / "jmespath"
    clash.mkdir(parents=True)
    (clash / "__init__.py").write_text("def mine(): ...\n")
    revision, flow = next((r, f) for r, f in flows_plan.revisions.items() if f["name"] == "dial-in")
    hooks = {"mine": {"python": "jmespath:mine", "outcomes": {"done": {}}}}
    plan = Plan("x", (), {"dial-in": revision}, {revision: {**flow, "hooks": hooks}})
    with pytest.raises(BuildError, match="comes from jmespath and from the flows' hooks"):
        build_function(plan, tmp_path / "flows", tmp_path / "out", byte_code="none")


def test_a_revision_that_takes_calls_needs_its_functions(flows_plan: Plan, tmp_path: Path) -> None:
    """Otherwise the plan would not load, and every caller would hear the last goodbye."""
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "conferences.py").write_text("def another(): ...\n")
    revision = flows_plan.flows["dial-in"]
    plan = Plan("x", (), {"dial-in": revision}, {revision: flows_plan.revisions[revision]})
    with pytest.raises(BuildError, match=r"runs 'hooks.conferences:verify_pin' .* has no such function"):
        build_function(plan, tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def a_wheel(folder: Path, name: str, body: str) -> None:
    """A pure wheel that pip can install from a folder."""
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", body)
        info = f"{name}-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


def test_packages_that_hooks_need_come_from_a_requirements_file(flows_plan: Plan, tmp_path: Path) -> None:
    a_wheel(tmp_path, "ledger_of_ours", "ENTRY = 1\n")
    wanted = tmp_path / "requirements.txt"
    wanted.write_text(f"--no-index\n--find-links {tmp_path}\nledger_of_ours==1.0\n")
    made = [
        build_function(flows_plan, ROOT / "flows", tmp_path / name, requirements=wanted, byte_code="none")
        for name in ("one", "two")
    ]
    assert (made[0].folder / "ledger_of_ours.py").read_text() == "ENTRY = 1\n"
    assert made[0].digest == made[1].digest
    assert not (tmp_path / ".one.requirements").exists()


def test_a_requirement_that_cannot_be_had_is_named(flows_plan: Plan, tmp_path: Path) -> None:
    wanted = tmp_path / "requirements.txt"
    wanted.write_text(f"--no-index\n--find-links {tmp_path}\nno_such_thing==1.0\n")
    with pytest.raises(BuildError, match=r"no.such.thing"):
        build_function(flows_plan, ROOT / "flows", tmp_path / "out", requirements=wanted, byte_code="none")


def test_a_runtime_without_an_interpreter_here_is_built_without_byte_code_or_refused(tmp_path: Path) -> None:
    assert find_interpreter("python2.99") is None
    assert build_resources(tmp_path / "a", runtime="python2.99").byte_code == ""
    with pytest.raises(BuildError, match="needs an interpreter of that version"):
        build_resources(tmp_path / "b", runtime="python2.99", byte_code="require")


def test_files_have_one_fixed_time_and_plain_rights(built: Built) -> None:
    every = list(built.folder.rglob("*"))
    assert {path.stat().st_mtime for path in every} == {315_532_800}
    assert {oct(path.stat().st_mode & 0o777) for path in every} == {"0o644", "0o755"}
    assert time.gmtime(315_532_800).tm_year == 1980


# ---- the command ---------------------------------------------------------------------------------------------------


def test_the_command_says_what_it_built(tmp_path: Path) -> None:
    arguments = ["build", str(ROOT / "flows"), "-o", str(tmp_path / "f"), "--json", "--zip", str(tmp_path / "f.zip")]
    done = CliRunner().invoke(cli, [*arguments, "--runtime", HERE])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["digest"] == digest_of(tmp_path / "f")
    assert said["zipped_bytes"] == (tmp_path / "f.zip").stat().st_size <= MOST_ZIPPED
    assert set(said["flows"]) == {
        "click-to-call",
        "dial-in",
        "front-desk",
        "lex-bot",
        "meeting-dialer",
        "voicemail",
        "web-call",
    }
    assert "aws-lambda-powertools" in said["packages"]


def test_flows_with_errors_build_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("sma_flow: 1\nname: bad\nentry: inbound\nstart: x\nstates: {}\n")
    done = CliRunner().invoke(cli, ["build", str(tmp_path / "bad.yaml"), "-o", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "nothing was built" in done.output
    assert not (tmp_path / "out").exists()


def test_wrong_usage_says_what_to_type(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["build", "-o", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "sma-flows build flows/ -o build/function" in done.output
    (tmp_path / "mine").write_text("a file")
    done = CliRunner().invoke(cli, ["build", str(ROOT / "flows"), "-o", str(tmp_path / "mine")])
    assert done.exit_code == 2, done.output
