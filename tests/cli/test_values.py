"""Values for env.NAME: where they come from and which of them wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from sma_flows.cli.console import WrongUsage
from sma_flows.cli.values import gather_values, read_env_file


def test_options_beat_files_beat_the_process_beat_local_env(tmp_path: Path) -> None:
    (tmp_path / "local.env").write_text("A=local\nB=local\nC=local\nD=local\n")
    own = tmp_path / "own.env"
    own.write_text("A=file\nB=file\n")
    found = gather_values(["A=option"], own, tmp_path, {"A": "process", "B": "process", "C": "process"})
    assert found == {"A": "option", "B": "file", "C": "process", "D": "local"}


def test_a_value_may_hold_equals_signs_and_be_empty(tmp_path: Path) -> None:
    assert gather_values(["A=b=c", "B="], None, tmp_path, {}) == {"A": "b=c", "B": ""}


def test_comments_quotes_exports_and_a_byte_order_mark_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "x.env"
    path.write_text("\ufeff# numbers\nA='+1 206'\n\nexport B = \"x\"\nC='\n", encoding="utf-8")
    assert read_env_file(path) == {"A": "+1 206", "B": "x", "C": "'"}


@pytest.mark.parametrize("pair", ["A", "=x", "1A=x", "a b=c"])
def test_an_option_that_is_no_pair_is_refused(tmp_path: Path, pair: str) -> None:
    with pytest.raises(WrongUsage, match="--env takes NAME=VALUE"):
        gather_values([pair], None, tmp_path, {})


def test_a_line_that_is_no_pair_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.env"
    path.write_text("A=1\nwhat is this\n")
    with pytest.raises(WrongUsage, match=r"x\.env:2: this line is not NAME=VALUE"):
        read_env_file(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=r"none\.env cannot be read"):
        read_env_file(tmp_path / "none.env")
    (tmp_path / "bytes.env").write_bytes(b"A=\xff\n")
    with pytest.raises(WrongUsage, match="not UTF-8"):
        read_env_file(tmp_path / "bytes.env")
