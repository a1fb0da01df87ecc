"""The journal on every store: one answer of each number is kept, whoever writes at the same time; what it costs."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from decisions.journal import Crossing
from decisions.test_journal import FLOW, talking
from decisions.test_journal_always import played, told
from sma_flows.compiler import compile_paths
from sma_flows.errors import ServiceError
from sma_flows.runtime.overlap import Entry
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.journal import StoredJournal, read, written
from sma_flows.services.setup import open_services
from sma_flows.simulator.messages import HangUp, Key

from .stand_ins import ENV, Place, Store, new_table, open_store
from .world import NOW, WAIT


def test_only_a_higher_number_replaces_what_is_there(store: Store) -> None:
    journal = store.journal
    assert journal.read("call", NOW, WAIT) is None
    assert journal.write("call", 3, "third", NOW, WAIT) is None
    assert journal.write("call", 3, "another third", NOW, WAIT) == "third"
    assert journal.write("call", 2, "second", NOW, WAIT) == "third"
    assert journal.write("call", 5, "fifth", NOW, WAIT) is None
    assert journal.read("call", NOW, WAIT) == "fifth"
    assert journal.write("other call", 1, "first", NOW, WAIT) is None


def test_an_entry_ends_after_an_hour(store: Store) -> None:
    journal = store.journal
    journal.write("call", 9, "old", NOW, WAIT)
    assert journal.read("call", NOW + 3_500, WAIT) == "old"
    assert journal.read("call", NOW + 3_700, WAIT) is None
    assert journal.write("call", 1, "new", NOW + 3_700, WAIT) is None
    assert journal.read("call", NOW + 3_700, WAIT) == "new"


def test_of_many_at_once_one_writes_each_number(shared: Place) -> None:
    """Ten threads with a connection each climb together: whoever is refused goes on from what is there."""
    kept: list[int] = []
    begin = threading.Barrier(10)

    def climb(me: int) -> None:
        journal = open_store(shared).journal
        begin.wait(60)
        n = 0
        for _ in range(5):
            while (found := journal.write("call", n + 1, f"{n + 1} by {me}", NOW, 20.0)) is not None:
                n = int(found.split()[0])
            n += 1
            kept.append(n)

    threads = [threading.Thread(target=climb, args=(me,)) for me in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(kept) == list(range(1, 51))


@pytest.mark.parametrize("seed", range(4))
def test_overlapping_calls_keep_everything_on_every_store(store: Store, seed: int) -> None:
    call, expected = played(seed, store.journal, size=3)
    assert call.phone.over
    assert told(expected) in call.heard


def test_an_answer_costs_one_request_and_a_conflict_one_more(dynalite_address: str) -> None:
    store = open_store(new_table("dynalite", dynalite_address))
    call = talking(Crossing(FLOW, store.journal))
    store.meter.take()
    number = call.delivered(Key("2"))
    call.work(number)
    assert store.meter.take() == {"records": 1}
    call.arrive(number)
    call.go_on(2_000)
    assert store.meter.take() == {"records": 1}, "the report of the listener may be of a list that was replaced"
    events = [call.delivered(Key("1")), call.delivered(Key("2"))]
    call.work(events[0])
    assert store.meter.take() == {"records": 1}
    call.work(events[1])
    assert store.meter.take() == {"records": 3}, "refused (dynalite tells what is there only to who reads it), written"


def test_events_that_cannot_overlap_ask_for_nothing(dynalite_address: str) -> None:
    store = open_store(new_table("dynalite", dynalite_address))
    call = Crossing(FLOW, store.journal)
    call.phone.dial_in()
    call.go_on(1_000)
    assert call.results[-1].after.state == "talk"
    assert store.meter.take() == {}, "the call begins and says hello"
    talking_to_nobody = call.results[-1]
    assert talking_to_nobody.after.base == ""


SILENT = """\
sma_flow: 1
name: silent
entry: inbound
hooks: {note: {builtin: directory.put, with: {table: "notes"}, fields: [what]}}
defaults: {next: {failed: bye}}
start: keep
states:
  keep: {run: 'note(call.from, "rang")', next: bye}
  bye: {say: "Goodbye.", hangup: normal}
"""
LOADED = """\
import sys
from pathlib import Path
from sma_flows.plan import Plan
from sma_flows.services.setup import open_services
path = Path(sys.argv[1])
opened = open_services(Plan.read(path), {"SMA_FLOWS_STORE": "memory"}, path)
print(sorted(name for name in sys.modules if "overlap" in name or name.endswith("journal")), opened.services.overlaps)
"""


@pytest.mark.parametrize(("text", "loads"), [(SILENT, False), (FLOW, True)], ids=["no pairs", "pairs"])
def test_a_plan_without_such_positions_loads_nothing_of_it(text: str, loads: bool, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(_without_code(text, tmp_path).dumps())
    command = [sys.executable, "-c", LOADED, str(tmp_path / "plan.json")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ("sma_flows.runtime.overlap" in ran.stdout) is loads
    assert ("None" not in ran.stdout) is loads


@pytest.mark.parametrize(
    ("env", "on"),
    [
        ({}, False),
        ({"SMA_FLOWS_STORE": "memory"}, True),
        ({"SMA_FLOWS_STORE": "memory", "SMA_FLOWS_JOURNAL": "off"}, False),
        ({**ENV, "SMA_FLOWS_STORE": "dynamodb:calls"}, True),
    ],
    ids=["no store", "a file", "switched off", "a table"],
)
def test_it_is_on_where_there_is_a_store(env: dict[str, str], on: bool, tmp_path: Path) -> None:
    services = open_services(_without_code(FLOW, tmp_path), env, tmp_path / "plan.json").services
    assert (services.overlaps is not None) is on


def _plan(text: str, folder: Path) -> Any:
    (folder / "flow.yaml").write_text(text)
    result = compile_paths([folder / "flow.yaml"])
    assert result.plan is not None, result.diagnostics
    return result.plan


def _without_code(text: str, folder: Path) -> Any:
    plan = _plan(text, folder)
    data = plan.to_json()
    for flow in data["revisions"].values():
        for hook in flow["hooks"].values():
            hook.pop("python", None)
    return type(plan).from_json(data)


class Down:
    """A store that is gone."""

    def write(self, *_: object) -> str | None:
        raise ServiceError("gone")

    def read(self, *_: object) -> str | None:
        raise ServiceError("gone")


def test_a_store_that_fails_leaves_the_call_as_it_is_without_a_journal() -> None:
    call = talking(Crossing(FLOW, Down()))
    events = [call.delivered(Key("1")), call.delivered(Key("2"))]
    for number in events:
        call.work(number)
    for number in events:
        call.arrive(number)
    call.go_on(5_000)
    call.send(HangUp("LEG-B"))
    call.go_on()
    assert call.phone.over
    assert "Only wanted." in call.heard
    troubles = {(each.reason, each.what) for each in call.services.take_troubles()}
    assert troubles == {("journal", "write"), ("journal", "read")}


def test_an_entry_that_nobody_can_read_is_a_trouble_and_no_answer() -> None:
    class Odd:
        def write(self, *_: object) -> str | None:
            return '{"n": 1}'

        def read(self, *_: object) -> str | None:
            return "[]"

    services = LocalServices()
    journal = StoredJournal(services, Odd())
    assert journal.write("call", Entry(2, {}, [])) is None
    assert journal.read("call") is None
    assert [each.reason for each in services.take_troubles()] == ["journal", "journal"]


def test_an_entry_survives_the_way_through_text() -> None:
    entry = Entry(4, {"sf": "x"}, [{"Type": "Pause", "Parameters": {}}], (("3.HANGUP.A", 2, 1.5),), raced=True, at=9.0)
    assert read(written(entry)) == entry
    assert "Pause" not in repr(entry)
    assert json.loads(written(entry))["n"] == 4
