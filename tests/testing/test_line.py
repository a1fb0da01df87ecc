"""The fixture ``call``: calls in Python are steps of the same player, and their mistakes are told the same way."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import sma_flows.testing
from sma_flows.testing import Caller, CallFailedError, UnplayableError

ROOT = Path(__file__).parents[2]
DIAL_IN = "flows/dial-in.yaml"


def test_a_call_is_steered_and_looked_at(call: Caller) -> None:
    line = call(DIAL_IN, stub={"verify_pin": ["wrong", "ok"]})
    line.hear("language")
    line.press("1")
    line.hear("ask_conference")
    line.press("4155501#")
    assert line.variables["conference"] == "4155501"
    assert line.state == "ask_pin"
    line.press("000000")
    line.hear("wrong_pin", {"text": "conference number"})
    line.press("4155501#")
    line.press("482913")
    line.expect("in_meeting")
    assert line.ran == {"verify_pin": 2, "open_meeting": 1}
    line.hang_up()
    line.end(ends_in="join", calls={"verify_pin": 2}, secrets_seen="none")


def test_an_outbound_call_with_two_parties(call: Caller) -> None:
    inputs = {"customer": "+12065550142", "customer_name": "Ana", "language": "en-US", "request": "r-1"}
    line = call("flows/click-to-call.yaml", inputs=inputs, answer="after 8s")
    line.press("1")
    line.expect(dialled="+12065550142")
    line.callee("answers")
    line.expect(result="connected")
    line.callee("hangs_up")
    line.hear("goodbye")
    line.expect("hung_up", calls={"report": 1})


def test_a_party_that_never_answers_lets_the_call_go_on_by_itself(call: Caller) -> None:
    line = call("flows/front-desk.yaml", at="2026-11-20T12:00-05:00", parties={"*": "no_answer"})
    line.press("1")
    line.hear("connecting", "hold_music", "nobody_free", "after_the_tone", "beep")
    assert line.state == "leave_message"
    line.hang_up()


def test_every_other_step_can_be_done(call: Caller) -> None:
    line = call("flows/voicemail.yaml")
    line.silence()
    line.fail("menu", "language")
    line.repeat()
    line.hear("not_heard", "sorry", "goodbye")
    line = call("flows/lex-bot.yaml")
    line.press("1")
    line.update(kind="nothing", number=3)
    line.bot("Transfer", {"Topic": "billing"})
    line.callee("answers")
    line.wait("30s")
    line.callee_press("5")
    line.hang_up()
    line = call("flows/front-desk.yaml", at="2026-11-20T22:00-05:00")
    assert line.heard == []
    line.expect("recording")
    assert line.heard == ["welcome", "after_hours", "after_the_tone", "beep"]
    line.speak("6s")
    line.expect("hung_up")
    assert "after_hours" in line.transcript
    assert line.now.isoformat() > "2026-11-20T22:00"


def test_the_example_of_the_documentation(call: Caller) -> None:
    block = re.search(r"```python\n(def test_.*?)```", (ROOT / "docs" / "testing.md").read_text("utf-8"), re.DOTALL)
    assert block is not None
    names: dict[str, Any] = {}
    exec(block[1], names)
    names["test_the_second_attempt_joins"](call)


def test_two_calls_of_a_test_are_independent(call: Caller) -> None:
    one, two = call(DIAL_IN), call(DIAL_IN)
    one.press("2")
    two.press("1")
    assert (one.variables.get("call.locale"), two.variables.get("call.locale")) == ("es-US", None)
    one.hang_up()
    two.hang_up()


def test_a_step_that_does_not_fit_is_an_assertion_with_the_transcript(call: Caller) -> None:
    line = call(DIAL_IN)
    with pytest.raises(AssertionError, match="expected to hear ask_pin, heard language") as caught:
        line.hear("ask_pin")
    said = str(caught.value).splitlines()
    number = caught.traceback[0].lineno + 1
    assert said[0] == f"{Path(__file__).relative_to(Path.cwd())}:{number}: hear: [ask_pin]"
    assert "hears language" in said[3]
    assert said[-1].lstrip(" |").startswith(">>>")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"at": "2026-11-20T22:00"}, "does not say in which time zone: write for example 2026-11-20T22:00-05:00"),
        ({"stub": {"verify_pin": {"ok": {}, "wrong": {}}}}, "is no reply of a hook"),
        ({"switches": {"overlapp": "serial"}}, "did you mean overlap?"),
    ],
)
def test_what_a_call_cannot_be_given_is_told(call: Caller, given: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        call(DIAL_IN, **given)  # type: ignore[arg-type]
    assert told in str(caught.value)


def test_what_a_step_cannot_be_given_is_told(call: Caller) -> None:
    line = call(DIAL_IN)
    with pytest.raises(ValueError, match="'hello' are no keys of a telephone: write for example"):
        line.press("hello")
    line.hang_up()


def test_a_strict_call_is_looked_at_when_it_is_over() -> None:
    caller = Caller([ROOT])
    line = caller(DIAL_IN, strict=["10"])
    line.silence(3)
    line.silence(3)
    line.expect("hung_up")
    with pytest.raises(CallFailedError, match="leans on what nobody has documented or seen"):
        caller.close()


def test_a_flow_that_is_not_there_is_told(call: Caller) -> None:
    with pytest.raises(UnplayableError, match=r"there is no flow 'flows/dialin\.yaml'"):
        call("flows/dialin.yaml")


def test_somebody_who_is_left_on_the_line_is_a_failure() -> None:
    caller = Caller([ROOT])
    caller(DIAL_IN).press("1")
    with pytest.raises(CallFailedError, match="the caller is still on the line"):
        caller.close()


def test_nobody_is_looked_for_where_a_test_has_failed_anyway() -> None:
    caller = Caller([ROOT])
    caller(DIAL_IN).press("1")
    caller.close(check=False)


def test_the_public_names_of_the_room_can_be_imported() -> None:
    for name in sma_flows.testing.__all__:
        assert getattr(sma_flows.testing, name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        sma_flows.testing.nothing  # noqa: B018


TESTS = """
def test_good(call):
    line = call("hello.yaml")
    line.press("1")
    line.expect("hung_up")


def test_hears_something_else(call):
    call("hello.yaml").hear("words")


def test_leaves(call):
    call("hello.yaml")


def test_fails_by_itself(call):
    call("hello.yaml")
    assert 1 == 2
"""


def test_pytest_shows_the_transcript_and_no_inner_frames(tmp_path: Path) -> None:
    flow = 'greet: {menu: "Press 1.", keys: {1: end}, next: {no_input: end, no_match: end, failed: end}}'
    states = f"states:\n  {flow}\n  end: {{hangup: normal}}\n"
    (tmp_path / "hello.yaml").write_text(f"sma_flow: 1\nname: hello\nentry: inbound\nstart: greet\n{states}")
    (tmp_path / "test_hello.py").write_text(TESTS)
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "sma_flows.testing.plugin", "-q", "-ra"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "2 failed, 2 passed, 1 error" in done.stdout, done.stdout
    assert "test_hello.py:9: hear: [words]" in done.stdout
    assert "ERROR test_hello.py::test_leaves" in done.stdout
    assert "the caller is still on the line" in done.stdout
    assert "site-packages" not in done.stdout
    assert "line.py" not in done.stdout
