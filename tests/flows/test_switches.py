"""Our calls go as written whatever the service does where nobody knows it."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from sma_flows.cli.app import cli

CALLS = Path(__file__).resolve().parents[2] / "flows" / "calls"


def test_every_call_goes_as_written_under_every_value_of_every_switch() -> None:
    done = CliRunner().invoke(cli, ["test", str(CALLS), "--every-switch"])
    assert done.exit_code == 0, done.output
    found = re.search(r"(\d+) calls played under other values of switches: all as written", done.output)
    assert found is not None
    assert int(found[1]) > 4_000
