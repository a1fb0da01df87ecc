"""The pytest plugin and the command: one test for each call, failures with a transcript and a place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.dom import minidom
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from sma_flows.cli.app import cli
from sma_flows.simulator.switches import OTHERS
from sma_flows.testing.reports import Told, junit

ROOT = Path(__file__).parents[2]
FLOW = """sma_flow: 1
name: hello
entry: inbound
prompts: prompts.yaml
start: greet
states:
  greet:
    menu: greet
    keys: {1: thanks}
    next: {no_input: hangup, no_match: hangup, failed: hangup}
  thanks:
    say: thanks
    next: {done: hangup, failed: hangup}
"""
PROMPTS = """sma_prompts: 1
default: en-US
locales: {en-US: {voice: Joanna}}
prompts:
  greet: {en-US: Press 1.}
  thanks: {en-US: Thank you.}
"""
CALLS = """flow: hello.yaml
calls:
  - call: presses 1
    script:
      - hear: greet
      - press: "1"
      - hear: HEARD
    expect: {ends_in: thanks}
"""


OTHER = """sma_flow: 1
name: other
entry: inbound
start: end
states: {end: {hangup: normal}}
"""
IN_PYTHON = """
def test_silence(call):
    line = call("hello.yaml")
    line.silence()
    line.expect("hung_up")
"""


BOX = """sma_flow: 1
name: box
entry: inbound
start: speak
vars: {message: recording}
hooks: {keep: {python: hooks.box:keep, effect: read}}
states:
  speak: {record: message, to: env.BOX, max: 1m, silence: 4s, next: {recorded: kept, failed: kept}}
  kept: {run: keep(), next: {done: hangup, failed: hangup}}
"""
LEAVES = """flow: box.yaml
env: {BOX: example-box}
stub: {keep: done}
calls:
  - call: leaves while speaking
SWITCHES    script:
      - speak: 6s
      - hangup: caller
    expect: {calls: {keep: 0}}
"""
OBSERVED = "hangup_during_action=observed"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hello.yaml").write_text(FLOW)
    (tmp_path / "prompts.yaml").write_text(PROMPTS)
    return tmp_path


def calls(folder: Path, heard: str) -> Path:
    path = folder / "hello.calls.yaml"
    path.write_text(CALLS.replace("HEARD", heard))
    return path


def run(*args: object) -> Result:
    return CliRunner().invoke(cli, ["test", *map(str, args)])


def test_a_file_that_cannot_be_read_is_not_played(tmp_path: Path) -> None:
    (tmp_path / "x.calls.yaml").write_text("calls: [")
    (told,) = json.loads(run(tmp_path, "--json").stdout)
    assert (told["ok"], told["played"]) == (False, False)


def pytest_on(path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "sma_flows.testing.plugin",
        "-v",
        str(path),
        *more,
    ]
    # named above, so that an installation without the entry point is tested as well
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        command, cwd=path if path.is_dir() else path.parent, env=env, capture_output=True, text=True, check=False
    )


def test_a_call_that_goes_as_written_passes(folder: Path) -> None:
    result = run(calls(folder, "thanks"))
    assert (result.exit_code, result.output.splitlines()[-1][-14:]) == (0, "all as written")


def test_a_call_that_does_not_is_shown_with_its_place_and_its_transcript(folder: Path) -> None:
    result = run(calls(folder, "greet"))
    assert result.exit_code == 1
    assert "hello.calls.yaml:7: hear: [greet]" in result.output
    assert "expected to hear greet, heard thanks" in result.output
    assert "hears thanks" in result.output


def test_a_calls_file_with_mistakes_is_a_finding(folder: Path) -> None:
    result = run(calls(folder, "[{word: x}]"))
    assert result.exit_code == 1
    assert "hello.calls.yaml:7:16: error[SF506] heard is a prompt" in result.output


def test_a_flow_that_does_not_compile_is_a_finding(folder: Path) -> None:
    (folder / "hello.yaml").write_text(FLOW.replace("1: thanks", "1: thank"))
    result = run(calls(folder, "thanks"))
    assert result.exit_code == 1
    assert "SF201" in result.output


def test_a_call_that_does_not_fit_its_flow_is_a_finding_before_it_is_played(folder: Path) -> None:
    path = calls(folder, "[thank, text]")
    result = run(path)
    assert result.exit_code == 1
    assert "error[SF521] the flow never says 'thank' (unknown-prompt-of-call)" in result.output
    assert "= help: did you mean 'thanks'?" in result.output
    assert "0 calls played" in result.output
    done = pytest_on(path)
    assert (done.returncode, "error[SF521]" in done.stdout) == (2, True)


def test_a_warning_is_a_note_and_the_call_is_played(folder: Path) -> None:
    path = calls(folder, "thanks\n      - update: {kind: notice}")
    result = run(path)
    assert result.exit_code == 0
    assert "no update of the flow is like this (the flow has no updates)" in result.output
    assert "all as written" in result.output


def test_no_calls_at_all_is_wrong_usage(tmp_path: Path) -> None:
    assert run(tmp_path).exit_code == 2
    assert run(tmp_path / "no.calls.yaml").exit_code == 2


def test_reports_for_programs(folder: Path) -> None:
    result = run(calls(folder, "greet"), "--json", "--junit", folder / "out" / "calls.xml")
    (told,) = json.loads(result.stdout)
    assert (told["call"], told["line"], told["ok"]) == ("presses 1", 3, False)
    suites = ElementTree.parse(folder / "out" / "calls.xml").getroot()
    assert suites.attrib == {"tests": "1", "failures": "1"}
    assert suites.find("testsuite/testcase/failure") is not None


@pytest.mark.parametrize("letter", ["\0", "\x1b[31m", "\x0b", "\r", "\x7f", "\x85", "\ud800", "\ufffe"])
def test_a_report_can_be_read_whatever_stands_in_it(letter: str) -> None:
    told = Told(
        f"x{letter}.calls.yaml", f"says a{letter}b", 3, f"says a{letter}b\n  heard\ta{letter}b, \u00e9 \U0001f642", 0.1
    )
    (case,) = minidom.parseString(junit([told])).getElementsByTagName("testcase")
    shown = letter[0].encode("unicode_escape").decode() + letter[1:]
    assert case.getAttribute("name") == f"says a{shown}b"
    (failure,) = case.getElementsByTagName("failure")
    assert failure.getAttribute("message") == f"says a{shown}b"
    assert failure.firstChild.data == f"says a{shown}b\n  heard\ta{shown}b, \u00e9 \U0001f642"


def test_pytest_collects_one_test_for_each_call(folder: Path) -> None:
    done = pytest_on(calls(folder, "thanks"))
    assert done.returncode == 0, done.stdout
    assert "hello.calls.yaml::presses 1 PASSED" in done.stdout


def test_pytest_shows_the_transcript_of_a_failed_call(folder: Path) -> None:
    done = pytest_on(calls(folder, "greet"))
    assert done.returncode == 1
    assert "hello.calls.yaml:7: hear: [greet]" in done.stdout
    assert "Traceback" not in done.stdout


def test_strict_sources_fail_a_call_that_leans_on_doubtful_behaviour(folder: Path) -> None:
    path = calls(folder, "thanks")
    result = run(path, "--strict-sources")
    assert result.exit_code == 1
    assert "the call leans on what nobody has documented or seen\n    inferred: [report Speak]" in result.output
    done = pytest_on(path, "--flow-strict-sources")
    assert (done.returncode, "inferred: [report Speak]" in done.stdout) == (1, True)


def box(folder: Path, switches: str = "") -> Path:
    """A call that goes as written on a service that tells of a hang-up only, as is documented."""
    (folder / "box.yaml").write_text(BOX)
    path = folder / "box.calls.yaml"
    path.write_text(LEAVES.replace("SWITCHES", f"    switches: {switches}\n" if switches else ""))
    return path


def test_a_switch_on_the_command_line_wins_over_the_calls_file(folder: Path) -> None:
    path = box(folder, "{hangup_during_action: documented}")
    assert run(path).exit_code == 0
    result = run(path, "--switch", OBSERVED, "--switch", "overlap=parallel")
    assert result.exit_code == 1
    assert "the hook keep ran 1 times, not 0" in result.output


@pytest.mark.parametrize("command", ["test", "faults", "fuzz"])
@pytest.mark.parametrize(
    ("switch", "words"),
    [("overlap", "write NAME=VALUE"), ("overlap=maybe", "choose one of serial, parallel"), ("lap=x", "overlap?")],
)
def test_a_switch_that_does_not_exist_is_wrong_usage(folder: Path, command: str, switch: str, words: str) -> None:
    path = folder / "hello.yaml" if command != "test" else calls(folder, "thanks")
    result = CliRunner().invoke(cli, [command, str(path), "--switch", switch])
    assert result.exit_code == 2
    assert words in result.output


def test_each_call_is_played_under_every_value_of_every_switch(folder: Path) -> None:
    result = run(box(folder), "--every-switch")
    assert result.exit_code == 1
    assert "1 call played in" in result.output
    assert f"leaves while speaking ({OBSERVED})\n" in result.output
    assert f"Not as written under {OBSERVED}: leaves while speaking\n" in result.output
    assert f"{len(OTHERS)} calls played under other values of switches: 1 went otherwise" in result.output


def test_calls_that_hold_on_every_service_are_told_as_such(folder: Path) -> None:
    result = run(calls(folder, "thanks"), "--every-switch")
    assert result.exit_code == 0
    assert f"{len(OTHERS)} calls played under other values of switches: all as written" in result.output


@pytest.mark.parametrize("by_file", [True, False])
def test_a_switch_that_is_settled_is_not_played_otherwise(folder: Path, by_file: bool) -> None:
    path = box(folder, "{hangup_during_action: documented}" if by_file else "")
    result = run(path, "--every-switch", *([] if by_file else ["--switch", "hangup_during_action=documented"]))
    assert result.exit_code == 0
    assert f"{len(OTHERS) - 1} calls played under other values" in result.output


def test_a_call_that_fails_as_written_is_not_played_again(folder: Path) -> None:
    result = run(calls(folder, "greet"), "--every-switch")
    assert result.exit_code == 1
    assert "0 calls played under other values of switches" in result.output


def test_reports_for_programs_name_the_switch(folder: Path) -> None:
    result = run(box(folder), "--every-switch", "--json", "--junit", folder / "calls.xml")
    first, second = json.loads(result.stdout)
    assert (first["ok"], first["others"], first["switch"]) == (True, len(OTHERS), "")
    assert (second["ok"], second["call"], second["switch"]) == (False, first["call"], OBSERVED)
    names = [case.get("name") for case in ElementTree.parse(folder / "calls.xml").iter("testcase")]
    assert names == ["leaves while speaking", f"leaves while speaking ({OBSERVED})"]


def test_only_calls_as_written_count_for_coverage(folder: Path) -> None:
    box(folder)
    result = run(folder / "box.calls.yaml", "--every-switch", "--coverage", "--json")
    (flow,) = json.loads(result.stdout)["coverage"]["flows"]
    came_by = {item["state"]: bool(item["calls"]) for item in flow["items"] if item["kind"] == "state"}
    assert came_by == {"speak": True, "kept": False}


def test_pytest_sets_switches(folder: Path) -> None:
    path = box(folder, "{hangup_during_action: documented}")
    done = pytest_on(path, "--flow-switch", OBSERVED)
    assert done.returncode == 1
    assert "the hook keep ran 1 times, not 0" in done.stdout
    assert pytest_on(path, "--flow-switch", "hangup_during_action=documented").returncode == 0


def test_pytest_refuses_a_switch_that_does_not_exist(folder: Path) -> None:
    done = pytest_on(box(folder), "--flow-switch", "overlap")
    assert done.returncode == 4
    assert "--flow-switch overlap: switch 'overlap' has no value '': choose one of serial, parallel" in done.stderr


def test_pytest_shows_what_is_wrong_in_a_calls_file(folder: Path) -> None:
    done = pytest_on(calls(folder, "[{word: x}]"))
    assert done.returncode == 2
    assert "hello.calls.yaml:7:16: error[SF506] heard is a prompt" in done.stdout


@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n", "2")], ids=["alone", "xdist"])
def test_pytest_reports_coverage_of_files_and_of_calls_in_python(folder: Path, workers: tuple[str, ...]) -> None:
    calls(folder, "thanks")
    (folder / "test_hello.py").write_text(IN_PYTHON)
    (folder / "other.yaml").write_text(OTHER)
    done = pytest_on(folder, "--flow-coverage", "--flow-fail-under", "60", *workers)
    assert done.returncode == 1, done.stdout
    lines = done.stdout.splitlines()
    assert "hello  2/2 100 %  5/7 71 %     4/6 67 %  1/1 100 %" in lines
    assert lines[lines.index("hello: no call comes by") + 1 :][:4] == [
        "  hello.yaml:10  greet: failed -> hangup",
        "      write fail: {menu: greet}",
        "  hello.yaml:13  thanks: failed -> hangup",
        '      write fail: {say: thanks}, press: "1"',
    ]
    assert "other: 0.0 % of its states (0/1), and at least 60 % are wanted" in lines
    written = ("--flow-coverage-html", "out", "--flow-lcov", "out.info")
    assert pytest_on(folder, "--flow-fail-under", "0", *written, *workers).returncode == 0
    assert {path.name for path in (folder / "out").iterdir()} == {"index.html", "hello.html", "other.html"}
    assert (folder / "out.info").read_text().count("end_of_record") == 2


def test_recordings_of_each_call_have_a_folder_of_their_own(tmp_path: Path) -> None:
    file = ROOT / "flows" / "calls" / "voicemail.calls.yaml"
    done = CliRunner().invoke(cli, ["test", str(file), "--recordings", str(tmp_path)])
    assert done.exit_code == 0, done.output
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.wav"))
    assert len({name.split("/")[1] for name in found}) > 3
    assert all(name.startswith("voicemail/") and "/example-voicemails/2026/11/20/" in name for name in found)
    assert [name.split("/")[1] for name in found].count("recorded-again") == 2


def test_the_plugin_loads_nothing_heavy() -> None:
    heavy = "{'yaml', 'pydantic', 'click', 'sma_flows.compiler'}"
    code = f"import sma_flows.testing.plugin, sys; print(*({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_calls_come_by_everything_in_the_six_flows() -> None:
    """`make test` collects them as tests, too; here as the command plays them."""
    result = run(ROOT / "flows" / "calls", "--coverage", "--fail-under", 100)
    assert result.exit_code == 0, result.output
