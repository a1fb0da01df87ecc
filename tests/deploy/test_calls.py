"""Every call script of flows/ through the package that will be deployed, in the real Lambda runtime."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import sma_flows
from sma_flows.deploy.emulator import Pool
from sma_flows.deploy.package import Built, build_function
from sma_flows.deploy.rehearse import rehearsal_of
from sma_flows.testing.play import play_call
from sma_flows.testing.script import CallScript, load_calls
from sma_flows.testing.targets import Rehearsed
from sma_flows.testing.world import compiled

from .conftest import CACHE, HERE, ROOT


def scripts() -> list[tuple[Path, CallScript]]:
    found = []
    for path in sorted((ROOT / "flows" / "calls").glob("*.calls.yaml")):
        file, told = load_calls(path)
        assert file is not None, told
        found += [(file.flow, script) for script in file.calls]
    return found


@pytest.fixture(scope="session")
def runtimes(built: Built, values: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    folder = tmp_path_factory.mktemp("rehearsal")
    with rehearsal_of(built.folder, folder, values, count=2, cache=CACHE) as pool:
        yield pool


def test_all_call_scripts_go_in_the_real_runtime_as_they_go_in_process(runtimes: Pool) -> None:
    calls = scripts()
    target = Rehearsed(runtimes.urls[0])
    for flow, script in calls:
        there, here = play_call(flow, script, target=target), play_call(flow, script)
        assert there.left_out == ()
        assert [turn.actions for turn in there.turns] == [turn.actions for turn in here.turns], script.name
    assert len(calls) >= 60


def test_the_package_and_not_this_checkout_answers(runtimes: Pool, built: Built) -> None:
    (answer,) = {json.loads(runtimes.environments[0].invoke(b'{"Rehearsal": "where"}', 30))["where"]}
    assert Path(answer).is_relative_to(built.folder.resolve())
    assert not Path(answer).is_relative_to(Path(sma_flows.__file__).parent)


ONCE = """
sma_flow: 1
name: once
entry: inbound
vars: {number: digits(4)}
hooks:
  note: {python: "hooks.notes:note", effect: once, outcomes: [done], gives: {ticket: text(40)}}
defaults: {next: {failed: sorry, no_input: sorry, no_match: sorry}}
start: ask
states:
  ask: {gather: number, prompt: "Which number?", next: keep}
  keep: {run: note(number), next: said}
  said: {say: "Your ticket is {ticket}.", next: again}
  again: {run: note(number), next: bye}
  bye: {say: "Goodbye.", hangup: normal}
  sorry: {say: "Sorry.", hangup: normal}
"""
NOTES = """
import os
from sma_flows.hooks import Call, Reply, hook

@hook
def note(call: Call, number: str) -> Reply:
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(call.token + "\\n")
    return Reply("done", ticket=str(os.getpid()))
"""
CALL = """
flow: once.yaml
calls:
  - call: leaves a number
    script:
      - press: "1234"
      - hear: [{text: Your ticket is}, {text: Goodbye}]
"""


def test_each_event_twice_at_once_in_two_runtimes_with_one_store_has_no_effect_twice(tmp_path: Path) -> None:
    """The hook says which process ran it: equal answers mean that the other one took its reply from the record."""
    flows = tmp_path / "flows"
    (flows / "hooks").mkdir(parents=True)
    (flows / "once.yaml").write_text(ONCE)
    (flows / "hooks" / "notes.py").write_text(NOTES)
    (flows / "once.calls.yaml").write_text(CALL)
    file, found = load_calls(flows / "once.calls.yaml")
    assert file is not None, found
    notes = tmp_path / "notes.txt"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOTES", str(tmp_path / "rehearsed.txt"))
        turns = play_call(file.flow, file.calls[0]).turns
    built = build_function(compiled(file.flow), flows, tmp_path / "function", runtime=HERE, byte_code="require")
    env = {"NOTES": str(notes), "SMA_FLOWS_STORE": str(tmp_path / "store.sqlite"), "SMA_FLOWS_PLAN": "plan.json"}
    with Pool(built.folder, 2, env, cache=CACHE) as pool, ThreadPoolExecutor(2) as both:
        attributes: dict[str, Any] = {}
        for turn in turns:
            event = json.loads(turn.event)
            event["CallDetails"].pop("TransactionAttributes", None)
            if attributes:
                event["CallDetails"]["TransactionAttributes"] = attributes
            text = json.dumps(event).encode()
            sent = [both.submit(environment.invoke, text, 30) for environment in pool.environments]
            one, two = (json.loads(each.result()) for each in sent)
            assert one == two, turn.kind
            attributes = one.get("TransactionAttributes") or attributes
    tokens = notes.read_text().split()
    assert len(tokens) == len(set(tokens)) == 2  # two states, once each, although four runtimes' worth of events came
