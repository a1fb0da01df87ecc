"""No rule without an entry, no entry without a test, no switch without a rule."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from sma_flows.cli.fidelity import command
from sma_flows.simulator.fidelity import LEDGER, MEETING_SWITCHES, SOURCES
from sma_flows.simulator.switches import CHOICES, SwitchError, Switches

HERE = Path(__file__).parent


def test_every_rule_has_one_entry() -> None:
    assert [rule.number for rule in LEDGER] == list(range(1, 72))
    assert {rule.source for rule in LEDGER} == set(SOURCES)
    assert all(rule.switches for rule in LEDGER if rule.source == "switch")


@pytest.mark.parametrize("rule", LEDGER, ids=lambda rule: str(rule.number))
def test_every_entry_has_a_test(rule: object) -> None:
    name, _, function = rule.test.partition("::")  # type: ignore[attr-defined]
    assert re.search(rf"^def {function}\(", (HERE / name).read_text("utf-8"), re.MULTILINE)


def test_every_switch_belongs_to_a_rule_and_has_its_default() -> None:
    assert {name for rule in LEDGER for name in rule.switches} | set(MEETING_SWITCHES) == set(CHOICES)
    assert Switches().changed() == {}
    for name, values in CHOICES.items():
        assert getattr(Switches(), name) == values[0]
        for value in values[1:]:
            assert Switches().having({name: value}).changed() == {name: value}


def test_every_switch_value_is_exercised() -> None:
    text = (HERE / "test_rules.py").read_text("utf-8")
    for name, values in CHOICES.items():
        if name in MEETING_SWITCHES:
            continue
        assert f'"{name}"' in text, name
        assert f'"{values[1]}"' in text, name


@pytest.mark.parametrize("values", [{"colour": "red"}, {"overlap": "some"}])
def test_an_unknown_switch_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(SwitchError):
        Switches().having(values)


def test_the_command_prints_the_ledger() -> None:
    done = CliRunner().invoke(command, [])
    assert done.exit_code == 0
    assert " 71  inferred " in done.output
    data = json.loads(CliRunner().invoke(command, ["--json"]).output)
    assert len(data["rules"]) == 71
