"""The examples of every ``--help``: each is a command line that this version takes, and most of them are run."""

from __future__ import annotations

import glob
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

import click
import pytest
from click.testing import CliRunner

from sma_flows.cli.app import cli

ROOT = Path(__file__).parents[2]

READ_ONLY: Final = ("build", "compare", "faults", "fuzz", "page", "redo", "rollout", "runtime", "serve", "test", "web")
"""Commands whose examples are read and not run: they serve, need a network, or take long."""


def examples() -> list[tuple[str, str]]:
    """Command and line, the lines of one example joined and without the words behind it."""
    context = click.Context(cli)
    commands = [cli, *(cli.get_command(context, name) for name in cli.list_commands(context))]
    found = []
    for command in commands:
        assert command is not None
        text = (command.epilog or "").partition("Examples:\n")[2].partition("\n\n")[0]
        text = re.sub(r" \\\n +", " ", text)
        for line in text.splitlines():
            example = re.split(r" {2,}", line.strip())[0]
            if "sma-flows " in example:
                found.append((str(command.name), example))
    return found


def words_of(example: str) -> tuple[list[str], str]:
    """The words behind ``sma-flows``, and what is piped into it."""
    piped = ""
    for part in re.split(r" \| (?=(?:[^']*'[^']*')*[^']*$)", example):  # no pipe of a quoted program
        words = shlex.split(part)
        if "sma-flows" in words:
            own = words[words.index("sma-flows") + 1 :]
            own = own[: own.index(">")] if ">" in own else own
            return [name for word in own for name in (sorted(glob.glob(word)) or [word])], piped
        piped = part
    raise AssertionError(example)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory as the examples have it."""
    folder = tmp_path_factory.mktemp("examples")
    for name in ("flows", "events"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".sma-flows"))
    shutil.copy(ROOT / "template.yaml", folder)
    shutil.copy(ROOT / "flows" / "local.env", folder / "prod.env")
    (folder / "flows" / "requirements.txt").touch()
    event = ROOT / "events" / "dial-in" / "01-new-inbound-call.json"
    shutil.copy(event, folder / "event.json")
    (folder / "production.jsonl").write_text(" ".join(event.read_text("utf-8").split()) + "\n")
    plan = folder / "build" / "plan.json"
    assert CliRunner().invoke(cli, ["compile", str(folder / "flows"), "-o", str(plan)]).exit_code == 0
    shutil.copy(plan, folder / "deployed.json")
    return folder


def test_every_command_of_the_examples_is_looked_at() -> None:
    found = examples()
    assert len(found) > 80
    assert {"phone", "serve", "test", "check", "replay"} <= {command for command, _ in found}


@pytest.mark.parametrize(("command", "example"), examples())
def test_an_example_of_a_help_works(command: str, example: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here)
    words, piped = words_of(example)
    chosen = cli.get_command(click.Context(cli), words[0])
    assert chosen is not None
    if words[0] in READ_ONLY:
        with chosen.make_context(words[0], words[1:]):
            return
    given = subprocess.run(["sh", "-c", piped], capture_output=True, text=True, check=True).stdout
    result = CliRunner().invoke(cli, words, input=given)
    assert result.exit_code == 0, result.output
    assert "the flow will hang up" not in result.stderr
