"""Nobody's PIN, number or token appears where it does not belong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sma_flows.handler import Handler

from .desk import FLOWS, Desk, local_values, plan_of
from .network import Network
from .stories import Story, read_stories

STORIES = {story.folder: story for story in read_stories()}
PINS = ("482913", "111111", "222222", "333333", "915702")
ANY_TIME = [story for story in STORIES.values() if story.flow != "front-desk"]
"""Stories that go the same way at any hour: the handler's clock is the real one."""


def with_digits(story: Story, new: dict[str, str]) -> Story:
    """The same call with other keys pressed."""
    steps = tuple(
        {"digits": new.get(step["digits"], step["digits"])} if isinstance(step, dict) and "digits" in step else step
        for step in story.steps
    )
    return replace(story, steps=steps)


def answers(call: Network) -> list[str]:
    return [json.dumps(answer, sort_keys=True) for _, answer in call.sent]


@pytest.mark.parametrize("folder", ["dial-in/three-wrong-pins", "dial-in/second-attempt-in-spanish"])
def test_two_calls_that_differ_in_a_wrong_pin_differ_in_nothing_else(folder: str) -> None:
    story = STORIES[folder]
    twin = with_digits(story, {"111111": "908172", "222222": "564738", "333333": "102938"})
    assert answers(twin.play(Desk("dial-in"))) == answers(story.play(Desk("dial-in")))


def test_a_pin_is_in_no_answer() -> None:
    for folder, story in STORIES.items():
        if story.flow == "dial-in":
            text = "".join(answers(story.play(Desk("dial-in"))))
            assert [pin for pin in PINS if pin in text] == [], folder


def test_a_join_token_is_in_the_attributes_only_while_it_is_needed() -> None:
    story = STORIES["meeting-dialer"]
    token = story.arguments["join_token"]
    saved = [
        token in json.dumps(answer.get("TransactionAttributes")) if answer.get("TransactionAttributes") else None
        for _, answer in story.play(Desk("meeting-dialer")).sent
    ]
    assert saved[0] is True
    assert saved[4] is not True, "the meeting is joined, the token has served its purpose"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "plan.json").write_text(plan_of("bundle").dumps(), encoding="utf-8")
    return {
        **local_values(),
        "POWERTOOLS_SERVICE_NAME": tmp_path.name,  # a logger of its own: one logger keeps its first stream
        "SMA_FLOWS_PLAN": str(tmp_path / "plan.json"),
        "SMA_FLOWS_HOOKS": str(FLOWS),
        "SMA_FLOWS_STORE": str(tmp_path / "store.sqlite"),
    }


@pytest.mark.parametrize("story", ANY_TIME, ids=lambda story: story.folder)
def test_the_log_holds_no_pin_number_token_or_text(
    story: Story, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    handler = Handler(environment)
    call = story.play(lambda event, _now: handler.answer(event))
    said = capsys.readouterr()
    log = said.out + said.err
    assert log.count(call.transaction) >= len(call.sent), "a record for every event"
    hidden = [story.caller, story.called, *PINS, *local_values().values()]
    hidden += [value for name, value in story.arguments.items() if name not in ("flow", "language")]
    hidden += [step["digits"] for step in story.steps if isinstance(step, dict) and len(step.get("digits", "")) > 3]
    log = log.replace(call.transaction, "")
    assert [value for value in hidden if value in log or value.removeprefix("+1") in log] == []
