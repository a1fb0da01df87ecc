"""A call by hand becomes a test that passes, and that fails when the flow is broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from phone.conftest import FLOWS, Dial
from sma_flows.phone.commands import run
from sma_flows.phone.handset import Handset, HandsetError
from sma_flows.phone.save import save_call
from sma_flows.testing.play import CallFailedError, play_call
from sma_flows.testing.script import load_calls, read_calls


def test_a_saved_call_is_a_test_that_notices_a_broken_flow(tmp_path: Path) -> None:
    shutil.copytree(FLOWS, tmp_path / "flows")
    file, _ = read_calls("flow: x.yaml\ncalls:\n  - call: x\n")
    assert file is not None
    phone = Handset(tmp_path / "flows" / "dial-in.yaml", file.calls[0])
    for line in ("1", "4155501#", "000000", "4155501#", "482913", "hangup"):
        run(phone, line)
    said = run(phone, f"save {tmp_path}/flows/calls/mine.calls.yaml second PIN: right")
    phone.close()
    assert "played once" in said
    saved, found = load_calls(tmp_path / "flows" / "calls" / "mine.calls.yaml")
    assert saved is not None, found
    (call,) = saved.calls
    assert call.name == "second PIN: right"
    assert call.expect["calls"] == {"verify_pin": "2", "open_meeting": "1"}
    play_call(saved.flow, call)
    flow = tmp_path / "flows" / "dial-in.yaml"
    flow.write_text(flow.read_text().replace("next: {ok: open, wrong: wrong_pin", "next: {ok: open, wrong: not_open"))
    with pytest.raises(CallFailedError, match="expected to hear wrong_pin, heard not_open"):
        play_call(saved.flow, call)


def test_a_second_call_is_added_and_a_taken_name_is_told(dial: Dial, tmp_path: Path) -> None:
    phone = dial("dial-in", "    at: 2026-11-20T09:30-05:00\n    stub: {verify_pin: [wrong, {ok: {}, after: 300ms}]}\n")
    path = tmp_path / "mine.calls.yaml"
    run(phone, "1")
    save_call(phone, path, "one")
    run(phone, "hangup")
    save_call(phone, path, "two")
    file, found = load_calls(path)
    assert file is not None, found
    assert [call.name for call in file.calls] == ["one", "two"]
    assert file.calls[1].stubs == {"verify_pin": ["wrong", {"ok": {}, "after": "300ms"}]}
    assert file.calls[1].timed
    before = path.read_text()
    with pytest.raises(HandsetError, match="has a call 'two' already"):
        save_call(phone, path, "two")
    with pytest.raises(HandsetError, match="name another file"):
        save_call(dial("voicemail"), path, "three")
    path.write_text(before + "    - nonsense\n")
    with pytest.raises(HandsetError, match="has mistakes"):
        save_call(phone, path, "three")


def test_a_live_call_with_its_waiting_is_a_test_too(dial: Dial, tmp_path: Path) -> None:
    phone = dial("voicemail", live=True)
    for ms, line in ((1200, "1"), (3100, "1001"), (9000, "speak 2500ms")):
        phone.pass_time(ms)
        run(phone, line)
    save_call(phone, tmp_path / "live.calls.yaml", "live")
    file, found = load_calls(tmp_path / "live.calls.yaml")
    assert file is not None, found
    assert [step.kind for step in file.calls[0].steps] == ["wait", "press", "wait", "press", "wait", "speak"]


def test_an_outbound_call_is_saved_with_its_inputs(dial: Dial, tmp_path: Path) -> None:
    inputs = '{customer: "+12065550142", customer_name: Ana, language: en-US, request: r-1}'
    phone = dial("click-to-call", f"    inputs: {inputs}\n    answer: after 3s\n")
    for line in ("1", "callee no_answer"):
        run(phone, line)
    save_call(phone, tmp_path / "out.calls.yaml", "out")
    file, _ = load_calls(tmp_path / "out.calls.yaml")
    assert file is not None
    assert file.calls[0].inputs == {
        "customer": "+12065550142", "customer_name": "Ana", "language": "en-US", "request": "r-1",
    }  # fmt: skip
    assert file.calls[0].answer == ("answers", 3.0)


def test_a_folder_that_cannot_be_written_is_told(dial: Dial, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HandsetError, match="cannot be"):
        save_call(dial("dial-in"), tmp_path / "file" / "x.calls.yaml", "x")
