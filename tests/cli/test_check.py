"""`check`, `compile`, `explain`, `codes`: exit codes, forms of output, and bad input of every kind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sma_flows import __version__
from sma_flows.cli.app import COMMANDS
from sma_flows.flow.codes import CODES
from sma_flows.plan import Plan

from .conftest import Run

GOOD = """\
sma_flow: 1
name: hello
entry: inbound

prompts: prompts.yaml
defaults:
  next: {failed: bye}

start: greet
states:
  greet:
    say: welcome
    next: bye
  bye:
    say: goodbye
    hangup: normal
"""

PROMPTS = """\
sma_prompts: 1
default: en-US
locales:
  en-US: {voice: Joanna, engine: neural, bot: en_US}
prompts:
  welcome: {en-US: Welcome.}
  goodbye: {en-US: Goodbye.}
"""


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """A flow without a fault, in a folder of its own."""
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "prompts.yaml").write_text(PROMPTS)
    path = folder / "hello.yaml"
    path.write_text(GOOD)
    return path


def broken(flow: Path) -> Path:
    flow.write_text(GOOD.replace("next: bye", "next: bey"))
    return flow


def test_a_clean_flow_is_exit_code_0(run: Run, flow: Path) -> None:
    result = run("check", flow)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "2 files checked: nothing to mend" in result.stderr
    assert run("check", flow.parent).exit_code == 0


CALLS = "flow: ../hello.yaml\ncalls:\n  - call: one\n    script:\n      - prss: 1\n"


def test_calls_are_checked_with_the_flows_of_a_folder_and_alone(run: Run, flow: Path) -> None:
    calls = flow.parent / "calls" / "hello.calls.yaml"
    calls.parent.mkdir()
    calls.write_text(CALLS)
    for path in (flow.parent, calls.parent, calls):
        result = run("check", path, "--json")
        assert (result.exit_code, [one["code"] for one in json.loads(result.stdout)]) == (1, ["SF505"])
    calls.write_text(CALLS.replace("prss", "press"))
    result = run("check", calls)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "1 file checked: nothing to mend" in result.stderr


def test_a_finding_is_exit_code_1_with_place_code_and_remedy(run: Run, flow: Path) -> None:
    result = run("check", broken(flow))
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{flow}:13:11: error[SF201] ")
    assert "did you mean 'bye'?" in result.stdout
    assert "1 error" in result.stderr


def test_findings_come_as_json_and_as_github_commands(run: Run, flow: Path) -> None:
    broken(flow)
    (finding,) = json.loads(run("check", flow, "--json").stdout)
    assert (finding["code"], finding["line"], finding["column"]) == ("SF201", 13, 11)
    assert run("check", flow, "--json").stdout == run("check", flow, "--format", "json").stdout
    assert run("check", flow, "--format", "github").stdout.startswith(f"::error file={flow},line=13,")
    assert run("check", flow, "--json").exit_code == 1


def test_no_findings_are_an_empty_list(run: Run, flow: Path) -> None:
    assert json.loads(run("check", flow, "--json").stdout) == []


def test_defaults_name_who_relies_on_them(run: Run, flow: Path) -> None:
    result = run("check", flow, "--defaults")
    assert result.exit_code == 0
    assert "hello\n" in result.stdout
    assert "  failed -> bye (from `defaults`): greet" in result.stdout
    assert "hello leaves to its defaults: failed -> bye (" in run("check", flow).stderr
    listed = json.loads(run("check", flow, "--defaults", "--json").stdout)
    assert listed["findings"] == []
    assert {"flow": "hello", "state": "greet", "outcome": "failed", "target": "bye", "source": "defaults"} in listed[
        "defaults"
    ]


def test_warnings_count_only_when_strict(run: Run, flow: Path) -> None:
    flow.write_text(GOOD.replace("next: bye", "next: bye\n    visits: 3").replace("say: goodbye", 'say: "Goodbye."'))
    relaxed, strict = run("check", flow, "--json"), run("check", flow, "--json", "--strict")
    found = {one["severity"] for one in json.loads(relaxed.stdout)}
    if "error" in found:
        assert relaxed.exit_code == strict.exit_code == 1
    else:
        assert (relaxed.exit_code, strict.exit_code) == (0, int("warning" in found))


def test_compile_writes_the_same_bytes_each_time_and_says_what_is_known(run: Run, flow: Path, tmp_path: Path) -> None:
    plan = tmp_path / "build" / "plan.json"
    result = run("compile", flow, "-o", plan)
    assert result.exit_code == 0
    head, row = result.stdout.splitlines()
    assert head.split("  ")[0] == "flow"
    assert row.startswith("hello")
    first = plan.read_bytes()
    assert run("compile", flow.parent, "-o", plan).exit_code == 0
    assert plan.read_bytes() == first
    assert Plan.read(plan).flows.keys() == {"hello"}
    facts = json.loads(run("compile", flow, "-o", plan, "--json").stdout)
    assert facts["bytes"] == len(first)
    assert facts["flows"][0]["states"] == 2
    assert facts["flows"][0]["joined"] == 1


def test_compile_writes_nothing_when_something_is_wrong(run: Run, flow: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    result = run("compile", broken(flow), "-o", plan)
    assert result.exit_code == 1
    assert "SF201" in result.stderr
    assert "nothing was written" in result.stderr
    assert not plan.exists()


def test_a_previous_plan_keeps_its_revision(run: Run, flow: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    run("compile", flow, "-o", old)
    flow.write_text(GOOD.replace("start: greet", "start: bye"))
    result = run("compile", flow, "-o", new, "--previous", old)
    assert result.exit_code == 0
    assert set(Plan.read(old).revisions) < set(Plan.read(new).revisions)
    run("compile", flow, "-o", new, "--previous", old, "--keep", "0")
    assert len(Plan.read(new).revisions) == 1
    assert run("compile", flow, "-o", new, "--previous", flow).exit_code == 2
    assert run("compile", flow, "-o", new, "--previous", tmp_path / "none.json").exit_code == 2


def test_a_plan_that_cannot_be_written_is_named(run: Run, flow: Path) -> None:
    result = run("compile", flow, "-o", flow.parent)
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def bomb() -> str:
    """Nine levels of nine aliases: a small text that would be 387,420,489 nodes."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    return "sma_flow: 1\n" + "\n".join(levels) + "\n"


BAD_FLOWS = {
    "empty": b"",
    "blank": b"\n\n",
    "large": b"sma_flow: 1\n" + b"# " + b"x" * 5_000_000 + b"\n",
    "not_utf8": b"sma_flow: 1\nname: caf\xe9\n",
    "binary": bytes(range(256)),
    "bomb": bomb().encode(),
    "not_yaml": b"sma_flow: [1\n",
    "a_list": b"- sma_flow: 1\n",
    "tabs": b"sma_flow: 1\n\tname: x\n",
    "nested": b"sma_flow: " + b"[" * 5000 + b"]" * 5000,
}


@pytest.mark.parametrize("name", BAD_FLOWS)
@pytest.mark.parametrize("command", ["check", "compile", "replay", "graph"])
def test_a_file_that_is_no_flow_is_a_finding_and_never_a_traceback(
    run: Run, tmp_path: Path, events: Path, command: str, name: str
) -> None:
    path = tmp_path / f"{name}.yaml"
    path.write_bytes(BAD_FLOWS[name])
    more = {"compile": ["-o", tmp_path / "plan.json"], "replay": [events]}
    result = run(command, path, *more.get(command, []))
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "error[SF" in result.output
    assert "Traceback" not in result.output
    assert len(result.output) < 3000


@pytest.mark.parametrize("command", ["check", "compile", "replay", "graph", "invoke"])
def test_a_missing_path_is_wrong_usage(run: Run, tmp_path: Path, command: str) -> None:
    more = {"compile": ["-o", tmp_path / "plan.json"], "replay": ["x.json"], "invoke": ["-"]}
    result = run(command, tmp_path / "none.yaml", *more.get(command, []), stdin="{}")
    assert result.exit_code == 2
    assert "there is no file or folder" in result.stderr
    assert "flows" in result.stderr


@pytest.mark.parametrize("command", ["check", "compile", "replay"])
def test_a_folder_without_flows_is_wrong_usage(run: Run, tmp_path: Path, events: Path, command: str) -> None:
    folder = tmp_path / "nothing here"
    folder.mkdir()
    (folder / "notes.txt").write_text("no flow")
    more = {"compile": ["-o", tmp_path / "plan.json"], "replay": [events]}
    result = run(command, folder, *more.get(command, []))
    assert result.exit_code == 2
    assert "holds no flows" in result.stderr


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_is_explained_by_code_and_by_name(run: Run, code: str) -> None:
    by_code, by_name = run("explain", code), run("explain", CODES[code].name)
    assert by_code.exit_code == 0
    assert by_code.stdout == by_name.stdout
    assert by_code.stdout.startswith(f"{code} {CODES[code].name}")
    assert "Instead of" in by_code.stdout


def test_an_unknown_code_is_wrong_usage_with_a_suggestion(run: Run) -> None:
    result = run("explain", "unknown-stat")
    assert result.exit_code == 2
    assert "did you mean 'unknown-state'?" in result.stderr
    assert json.loads(run("explain", "SF201", "sf001", "--json").stdout)[1]["code"] == "SF001"


def test_codes_lists_all_of_them(run: Run) -> None:
    text = run("codes").stdout
    assert [line[:5] for line in text.splitlines()[1:]] == sorted(CODES)
    assert [one["code"] for one in json.loads(run("codes", "--json").stdout)] == sorted(CODES)
    assert "### SF201 unknown-state" in run("codes", "--format", "markdown").stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_with_examples_and_exit_codes(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Examples:" in result.stdout
    assert "--json" in result.stdout
    assert "0  clean" in run("--help").stdout


def test_an_unknown_command_and_an_unknown_option_are_wrong_usage(run: Run) -> None:
    result = run("chekc")
    assert result.exit_code == 2
    assert "choose one of check, compile" in result.stderr
    assert run("check", "--loud", "x").exit_code == 2


def process(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own."""
    code = "from sma_flows.cli import main; main()"
    environment = {**os.environ, **env}
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, env=environment, check=False
    )


def test_the_command_works_as_a_process_and_knows_its_version(flow: Path) -> None:
    shown = process("--version")
    assert (shown.returncode, shown.stdout) == (0, f"sma-flows {__version__}\n")
    assert process("check", str(flow)).returncode == 0
    assert process("check", str(broken(flow))).returncode == 1
    assert process("check", "none.yaml").returncode == 2


def test_a_terminal_that_knows_no_accents_gets_escapes_instead_of_a_traceback(plan_file: Path, events: Path) -> None:
    words = ("replay", str(plan_file), str(events), "--env", "GREETING=¿PIN?")
    shown = process(*words, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "\\xbfPIN?" in shown.stdout


def test_without_the_tools_the_command_says_what_to_install() -> None:
    code = "import sys; sys.modules['click'] = None\nfrom sma_flows.cli import main; main()"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert shown.returncode == 2
    assert "pip install 'sma-flows[all]'" in shown.stderr


def test_invoke_on_a_plan_loads_neither_yaml_nor_pydantic_nor_the_compiler(plan_file: Path) -> None:
    code = (
        "import sys\nfrom sma_flows.cli.app import cli\n"
        f"cli(['invoke', {str(plan_file)!r}, '-', '--store', 'memory'], standalone_mode=False)\n"
        "loaded = [name for name in ('yaml', 'pydantic', 'transitions', 'sma_flows.compiler') if name in sys.modules]\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)"
    )
    shown = subprocess.run([sys.executable, "-c", code], input="{}", capture_output=True, text=True, check=False)
    assert shown.stderr == ""
    assert shown.returncode == 0
