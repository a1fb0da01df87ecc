"""Reading recorded events: every shape they may have, and every way they may be wrong."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from sma_flows.cli.console import WrongUsage
from sma_flows.cli.events import read_event, read_events

EVENT = {"InvocationEventType": "RINGING", "Sequence": 1}


def read(*places: str | Path) -> list[Any]:
    return list(read_events([str(place) for place in places]))


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_one_file_is_one_event(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", EVENT)
    (found,) = read(path)
    assert found.event == EVENT
    assert found.source == str(path)
    assert found.answer is None


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        write(tmp_path / f"{number}-x.json", {**EVENT, "Sequence": number})
    assert [one.event["Sequence"] for one in read(tmp_path)] == [1, 2, 10]


def test_a_folder_s_own_events_come_before_those_of_folders_below(tmp_path: Path) -> None:
    write(tmp_path / "a-call" / "01-x.json", {**EVENT, "Sequence": 2})
    write(tmp_path / "01-x.json", {**EVENT, "Sequence": 1})
    found = read(tmp_path)
    assert [one.event["Sequence"] for one in found] == [1, 2]
    assert found[0].story != found[1].story


def test_a_recorded_answer_lies_beside_its_event(tmp_path: Path) -> None:
    event = write(tmp_path / "01-x.json", EVENT)
    answer = write(tmp_path / "01-x.response.json", {"SchemaVersion": "1.0"})
    (found,) = read(tmp_path)
    assert found.answer == {"SchemaVersion": "1.0"}
    assert found.answer_file == answer
    assert [one.source for one in read(event, answer)] == [str(event)]


def test_lines_hold_events_or_pairs_of_event_and_response(tmp_path: Path) -> None:
    pair = {"event": EVENT, "response": {"SchemaVersion": "1.0"}}
    path = write(tmp_path / "a.jsonl", f"{json.dumps(EVENT)}\n\n{json.dumps(pair)}\n")
    first, second = read(path)
    assert (first.source, first.answer) == (f"{path}:1", None)
    assert (second.source, second.answer) == (f"{path}:3", {"SchemaVersion": "1.0"})
    assert first.answer_file is second.answer_file is None


def test_a_file_may_hold_a_list_of_events(tmp_path: Path) -> None:
    assert len(read(write(tmp_path / "a.json", [EVENT, EVENT]))) == 2


def test_stdin_is_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{json.dumps(EVENT)}\n{json.dumps(EVENT)}\n"))
    assert [one.source for one in read("-")] == ["stdin:1", "stdin:2"]


def test_a_pretty_printed_event_is_not_taken_for_lines(tmp_path: Path) -> None:
    assert len(read(write(tmp_path / "a.json", json.dumps(EVENT, indent=2)))) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ('{"a": \n tru }', "a.json:2:2: this is not JSON"),
        ("hello", "a.json:1:1: this is not JSON"),
        ("[1]", "this is a number"),
        ('"NEW_INBOUND_CALL"', "this is a text"),
        ("null", "this is null"),
        ("true", "this is true or false"),
        ('{"event": []}', "'event' is a list"),
        ('{"event": {}, "response": 3}', "'response' is a number"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_event_is_named_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path / "a.json", text)
    with pytest.raises(WrongUsage) as problem:
        read(path)
    assert says in problem.value.message
    assert "a.json" in problem.value.message


def test_the_place_in_a_file_of_lines_is_that_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", f"{json.dumps(EVENT)}\n{{]\n")
    with pytest.raises(WrongUsage, match=r"a\.jsonl:2:2: this is not JSON"):
        read(path)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(WrongUsage, match="is not UTF-8 text"):
        read(path)


def test_a_missing_file_and_an_empty_folder_say_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="there is no file or folder"):
        read(tmp_path / "none.json")
    with pytest.raises(WrongUsage, match="holds no events"):
        read(tmp_path)


def test_one_event_is_not_two(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [EVENT, EVENT])
    with pytest.raises(WrongUsage, match="holds 2 events"):
        read_event(str(path))
