"""The recorded calls: up to date, shaped like the service's own events, answered as recorded."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from sma_flows.cli.app import cli
from sma_flows.protocol.check import check_emit_rules, check_event, check_response

from .desk import EVENTS, FLOW_NAMES, FLOWS, Desk
from .make_events import present, wanted
from .network import Network
from .samples import ACTIONS
from .stories import file_names, read_stories

STORIES = read_stories()
REVISION = re.compile(r'("sf": "[^|"]*\|[^|"]*\|)[0-9a-f]{12}')
"""The revision in a saved call: it changes with every word of a flow, the answers do not."""

KINDS = (
    "NEW_INBOUND_CALL",
    "NEW_OUTBOUND_CALL",
    "RINGING",
    "CALL_ANSWERED",
    "ACTION_SUCCESSFUL",
    "ACTION_FAILED",
    "ACTION_INTERRUPTED",
    "DIGITS_RECEIVED",
    "HANGUP",
    "CALL_UPDATE_REQUESTED",
    "INVALID_LAMBDA_RESPONSE",
)


@cache
def played(number: int) -> tuple[Network, Desk]:
    desk = Desk(STORIES[number].flow)
    return STORIES[number].play(desk), desk


each_story = pytest.mark.parametrize("number", range(len(STORIES)), ids=[story.folder for story in STORIES])
each_event = pytest.mark.parametrize(
    "path",
    [path for path in sorted(EVENTS.rglob("*.json")) if not path.name.endswith(".response.json")],
    ids=lambda path: path.relative_to(EVENTS).with_suffix("").as_posix(),
)


def test_the_folder_is_what_make_events_writes() -> None:
    new, old = ({name: REVISION.sub(r"\1", text) for name, text in files.items()} for files in (wanted(), present()))
    stale = sorted(name for name in new.keys() | old.keys() if new.get(name) != old.get(name))
    assert stale == [], "run `make events` and read the difference"


@each_event
def test_an_event_is_shaped_like_one_of_the_service(path: Path) -> None:
    event = json.loads(path.read_text(encoding="utf-8"))
    assert check_event(event) == []
    assert "TransactionAttributes" not in event["CallDetails"]


@each_story
def test_every_answer_is_one_that_the_service_accepts(number: int) -> None:
    for _, event, answer in file_names(played(number)[0]):
        assert check_response(answer) == []
        assert check_emit_rules(answer, event) == []


@each_story
def test_no_call_meets_a_fault_or_leaves_a_leg_open(number: int) -> None:
    call, desk = played(number)
    assert [result.fault for result in desk.results if result.fault] == []
    assert desk.services.troubles == []
    assert [leg.tag for leg in call.legs.values() if leg.status == "Connected"] == []
    assert [event["Sequence"] for event, _ in call.sent] == list(range(1, len(call.sent) + 1))


@each_story
def test_the_bundle_answers_like_the_flow_alone(number: int) -> None:
    alone = [answer for _, answer in played(number)[0].sent]
    together = [answer for _, answer in STORIES[number].play(Desk("bundle")).sent]
    assert together == alone


@pytest.mark.parametrize("flow", FLOW_NAMES)
def test_a_flow_has_a_happy_call_and_others(flow: str) -> None:
    names = [story.name for story in STORIES if story.flow == flow]
    assert names[0] == ""
    assert len(names) == len(set(names)) >= 5


@pytest.mark.parametrize("flow", FLOW_NAMES)
def test_the_stories_of_a_flow_speak_both_languages(flow: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in (EVENTS / flow).rglob("*.response.json")]
    assert [voice for voice in ("Joanna", "Lupe") if not any(f'"{voice}"' in text for text in texts)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_a_sample_of_every_event(kind: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in (EVENTS / "samples").glob("*.json")]
    assert any(f'"InvocationEventType": "{kind}"' in text for text in texts)


@pytest.mark.parametrize("action", ACTIONS)
def test_the_action_of_a_sample_is_one_that_the_service_takes(action: str) -> None:
    parameters = {"CallId": "a", **ACTIONS[action][0]}
    assert check_response({"SchemaVersion": "1.0", "Actions": [{"Type": action, "Parameters": parameters}]}) == []


@pytest.mark.parametrize("flow", FLOW_NAMES)
def test_replay_finds_the_recorded_answers(flow: str) -> None:
    done = CliRunner().invoke(cli, ["replay", "--check", "--quiet", str(FLOWS / f"{flow}.yaml"), str(EVENTS / flow)])
    assert (done.exit_code, done.output.strip()) == (0, f"{len(recorded(flow))} answers are as recorded")


def recorded(flow: str) -> list[Path]:
    return list((EVENTS / flow).rglob("*.response.json"))
