"""A33: everything the service has ever been seen to send, and everything that published handlers have answered.

Two collections are read. Our own lies in ``A33/`` (odd events, broken JSON, good and faulty answers) and in
``events/``. A larger one, published by others, is read from the folder named by SMA_FLOWS_CORPUS or from
``shared/corpus`` beside the checkout; without it the tests run over fewer files.

Every event is given, without a saved call, to the flow of A33 and to every flow in ``flows/``. The answer has to be
safe (R1 to R9), whatever the hooks do.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sma_flows.cli.app import cli
from sma_flows.handler import Handler
from sma_flows.plan import Plan
from sma_flows.protocol.check import check_emit_rules, check_response
from sma_flows.runtime.ask import Ask, ServiceReply
from sma_flows.runtime.invoke import Result, handle
from sma_flows.runtime.program import Program

from .engine import plan_text
from .expect import leg_of
from .stubs import StubServices
from .worker import FreshProcesses

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OWN = HERE / "A33"
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
KINDS = frozenset(
    {
        "NEW_INBOUND_CALL", "NEW_OUTBOUND_CALL", "RINGING", "CALL_ANSWERED", "ACTION_SUCCESSFUL", "ACTION_FAILED",
        "ACTION_INTERRUPTED", "DIGITS_RECEIVED", "HANGUP", "CALL_UPDATE_REQUESTED", "INVALID_LAMBDA_RESPONSE",
    }
)  # fmt: skip
UNANSWERED = ("NEW_OUTBOUND_CALL", "RINGING", "ACTION_INTERRUPTED")


# -- the two collections -----------------------------------------------------------------------------------------------


def corpus() -> Path | None:
    """The published corpus, if there is one."""
    named = os.environ.get("SMA_FLOWS_CORPUS")
    folder = Path(named) if named else ROOT.parent / "shared" / "corpus"
    return folder if folder.is_dir() else None


def manifest() -> list[dict[str, Any]]:
    """What the corpus says about its files; empty without corpus."""
    folder = corpus()
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8")) if folder else []


def published(*kinds: str) -> list[tuple[Path, dict[str, Any]]]:
    """Files of the corpus of these kinds, with what the manifest says about each."""
    folder = corpus()
    return [(folder / entry["file"], entry) for entry in manifest() if folder and entry["kind"] in kinds]


def named(path: Path) -> str:
    """A short name of a file for the test report."""
    return "/".join(path.parts[-2:]).removesuffix(".json").removesuffix(".txt")


def event_files() -> list[Path]:
    """Events of the corpus, of ``events/`` and of our own odd ones."""
    ours = [path for path in sorted((ROOT / "events").rglob("*.json")) if not path.name.endswith(".response.json")]
    return list(dict.fromkeys([*(path for path, _ in published("event", "fragment")), *wrong_shapes(), *ours]))


def wrong_shapes() -> list[Path]:
    """Events that parse and contradict the documents: those of the corpus and ours."""
    folder = corpus()
    theirs = sorted((folder / "malformed" / "wrong-shape").glob("*.json")) if folder else []
    return [*(path for path in theirs if "response" not in path.name), *sorted((OWN / "events").glob("*.json"))]


def broken_files() -> list[Path]:
    """Texts that are not JSON."""
    folder = corpus()
    theirs = sorted((folder / "malformed" / "as-published").rglob("*.txt")) if folder else []
    return [*theirs, *sorted((OWN / "broken").glob("*.txt"))]


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def kind_of(event: Any) -> str | None:
    """The event type, if it can be read."""
    kind = event.get("InvocationEventType") if isinstance(event, dict) else None
    return kind if isinstance(kind, str) else None


# -- the handlers ------------------------------------------------------------------------------------------------------


@dataclass
class World:
    """Hooks and ports that answer anything they may, or always fail; with every ask noted."""

    failing: bool
    asked: list[tuple[str, str]]

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        self.asked.append((ask.port, ask.token))
        if self.failing:
            return ServiceReply("failed")
        if ask.port == "hook":
            outcomes: Mapping[str, Any] = ask.hook["outcomes"]
            name = ask.hook.get("main") or next(iter(outcomes))
            return ServiceReply(name, {key: made_up(kind) for key, kind in outcomes[name].items()})
        return ServiceReply("done", {"attendee": "a-1", "token": "t-1", "attendees": ["a-1"]})


def made_up(kind: Mapping[str, Any]) -> Any:
    """Some value of a type of the plan."""
    shape = kind["t"]
    if shape == "digits":
        return "5" * (kind.get("min") or kind.get("max") or 1)
    if shape == "one_of":
        return kind["words"][0]
    if shape == "list":
        return [made_up(kind["item"])]
    plain: dict[str, Any] = {
        "number": 3, "boolean": True, "phone": "+12065550150", "locale": "en-US", "leg": "A", "audio": "hold.wav",
        "recording": {"bucket": "example-bucket", "key": "a.wav"}, "map": {}, "prompt": "",
    }  # fmt: skip
    return plain.get(shape, "x")


@cache
def program(name: str) -> Program:
    """A program that answers: the flow of A33, or one of ``flows/``."""
    if name == "A33":
        return Program.load(Plan.loads(plan_text(OWN)), env_of(name))
    return Program.load(Plan.loads(flow_text(name)), env_of(name))


def flow_text(name: str) -> str:
    """The compiled plan of one of ``flows/``."""
    return plan_text(ROOT / "flows", (f"{name}.yaml",))


def env_of(name: str) -> dict[str, str]:
    """The environment that a flow runs in."""
    if name == "A33":
        return {"PROMPTS": "prompts"}
    lines = (ROOT / "flows" / "local.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def flow_names() -> list[str]:
    """A33 and every flow (and the bundle) in ``flows/``."""
    return ["A33", *(path.stem for path in sorted((ROOT / "flows").glob("*.yaml")))]


def answer(name: str, event: Any, world: World) -> Result:
    return handle(program(name), copy.deepcopy(event), now=NOW, services=world)


# -- what is safe ------------------------------------------------------------------------------------------------------


def legs(event: Any) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Participants that can be addressed: alive and gone. An absent Status counts as alive (R2)."""
    details = event.get("CallDetails") if isinstance(event, dict) else None
    listed = details.get("Participants") if isinstance(details, dict) else None
    readable = [leg for leg in listed if _readable(leg)] if isinstance(listed, list) else []
    alive = [leg for leg in readable if leg.get("Status") != "Disconnected"]
    return alive, [leg for leg in readable if leg not in alive]


def _readable(leg: Any) -> bool:
    return (
        isinstance(leg, dict)
        and isinstance(leg.get("CallId"), str)
        and str(leg.get("ParticipantTag", "")).upper() in ("LEG-A", "LEG-B")
    )


def unsafe(event: Any, response: Any, fault: str = "", *, new: bool = True) -> list[str]:
    """Every rule that the answer to *event* breaks; *new* means that no call had been saved."""
    reply = json.loads(json.dumps(response))
    problems = [f"R1: {text}" for text in check_response(reply)]
    if problems:
        return problems
    if fault:
        problems.append(f"R9: an exception of ours: {fault}")
    kind = kind_of(event)
    actions = reply.get("Actions") or []
    attributes = reply.get("TransactionAttributes") or {}
    if len(attributes) > 10 or len(json.dumps(attributes)) > 20_480:
        problems.append("R1: attributes beyond the limits")
    alive, gone = legs(event)
    for action in actions:
        call_id, tag = (action["Parameters"].get(name) for name in ("CallId", "ParticipantTag"))
        if alive and tag and tag not in [leg["ParticipantTag"].upper() for leg in alive]:
            problems.append(f"R2: {action['Type']} for {tag}, which is not connected")
        if call_id in [leg["CallId"] for leg in gone]:
            problems.append(f"R2: {action['Type']} for a leg that has left")
        elif call_id and call_id not in [leg["CallId"] for leg in alive]:
            problems.append(f"R2: {action['Type']} for a leg that is not there")
    if gone and not alive and actions:
        problems.append("R2: actions although nobody is connected")
    if kind in UNANSWERED and actions:
        problems.append(f"R3: {kind} is answered with actions")
    if new and kind == "NEW_INBOUND_CALL" and not actions and not (gone and not alive):
        problems.append("R4: a new call is answered with nothing")
    if kind not in KINDS and (actions or attributes):
        problems.append("R8: an event that cannot be known is acted on")
    if new and kind in ("CALL_UPDATE_REQUESTED", "DIGITS_RECEIVED") and actions:
        problems.append("R8: without a call in progress nobody can wait for this")
    return problems


def released(event: Mapping[str, Any], result: Result) -> list[str]:
    """R5: what is wrong when a leg has left and another is still there."""
    alive, gone = legs(event)
    wanted = sorted(leg["CallId"] for leg in alive) if gone else []
    actions = result.response.get("Actions") or []
    hung_up = sorted(_call_id(action, event) for action in actions if action["Type"] == "Hangup")
    return [] if hung_up == wanted else [f"R5: {hung_up} hung up, {wanted} are alone"]


def _call_id(action: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    tag = f"LEG-{leg_of(action, event)}"
    found = [leg["CallId"] for leg in legs(event)[0] if leg["ParticipantTag"].upper() == tag]
    return str(action["Parameters"].get("CallId") or (found[0] if found else ""))


EVENTS = pytest.mark.parametrize("path", event_files(), ids=named)
FLOWS = pytest.mark.parametrize("name", flow_names())


# -- items 01 and 02: events -------------------------------------------------------------------------------------------


@EVENTS
@pytest.mark.parametrize("failing", [False, True], ids=["hooks answer", "hooks fail"])
def test_every_event_without_a_saved_call_is_answered_safely_by_every_flow(path: Path, failing: bool) -> None:
    event = load(path)
    problems = {}
    for name in flow_names():
        result = answer(name, event, World(failing, []))
        found = unsafe(event, result.response, result.fault)
        if found:
            problems[name] = found
    assert problems == {}


@EVENTS
def test_every_event_in_the_middle_of_a_call_is_answered_safely_by_every_flow(path: Path) -> None:
    """The saved call is one of ours, the event may be about anything."""
    event = load(path)
    if isinstance(event, dict) and isinstance(event.get("CallDetails"), dict):
        for name in flow_names():
            event["CallDetails"]["TransactionAttributes"] = saved_call(name)
            result = answer(name, event, World(False, []))
            assert unsafe(event, result.response, result.fault, new=False) == [], name


@cache
def saved_call(name: str) -> dict[str, str]:
    """What a flow saves when it has said its first words."""
    saved: dict[str, str] = {}
    for sample in ("new-inbound-call", "new-outbound-call", "call-answered"):
        event = load(ROOT / "events" / "samples" / f"{sample}.json")
        if saved:
            event["CallDetails"]["TransactionAttributes"] = saved
        saved = answer(name, event, World(False, [])).response.get("TransactionAttributes") or saved
    if not saved:
        raise AssertionError(f"{name} saves nothing")
    return saved


@FLOWS
def test_a_new_call_whose_participants_cannot_be_read_ends_with_words_by_tag(name: str) -> None:
    """Decision 10: silence would cost the caller his money until the service gives up."""
    for event in ("participants-missing-on-a-new-call", "participant-without-call-id", "call-details-missing"):
        result = answer(name, load(OWN / "events" / f"{event}.json"), World(False, []))
        told = [(action["Type"], action["Parameters"].get("ParticipantTag")) for action in result.actions]
        assert told == [("Speak", "LEG-A"), ("Hangup", "LEG-A")], event


@EVENTS
def test_every_event_gets_the_same_answer_in_a_fresh_process(path: Path, fresh_processes: FreshProcesses) -> None:
    event = load(path)
    engine = fresh_processes.engine(plan_text(OWN), {"PROMPTS": "prompts"})
    fresh = engine.react(copy.deepcopy(event), NOW, StubServices({})).answer
    assert fresh == answer("A33", event, World(False, [])).response


@FLOWS
def test_the_deployed_handler_answers_everything_safely_and_writes_no_numbers(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """R9 and R10 at the outermost edge, with its real log."""
    plan = tmp_path / "plan.json"
    plan.write_text(plan_text(OWN) if name == "A33" else flow_text(name), encoding="utf-8")
    handler = Handler({**env_of(name), "SMA_FLOWS_PLAN": str(plan), "SMA_FLOWS_STORE": "memory"})
    assert handler.problem == ""
    formatter = handler.records.handlers[0].formatter
    assert formatter is not None
    problems = {}
    for path in event_files():
        event = load(path)
        caplog.clear()
        reply = handler.answer(copy.deepcopy(event))
        written = "\n".join(formatter.format(record) for record in caplog.records)
        found = unsafe(event, reply)
        found += [f"R10: {text} is in the log" for text in hidden(event) if text in written]
        found += [] if written else ["nothing is logged"]
        if found:
            problems[named(path)] = found
    assert problems == {}


@pytest.mark.parametrize(
    "fault",
    [
        "answer-is-an-array", "schema-version-missing", "eleven-actions", "actions-while-it-rings", "leg-that-has-left",
        "actions-after-an-interruption", "leg-that-never-was", "nobody-on-the-line", "actions-missing-on-a-new-call",
        "attributes-too-large", "eleven-attributes", "action-that-does-not-exist",
    ],
)  # fmt: skip
def test_the_sweep_itself_finds_unsafe_answers(fault: str) -> None:
    case = load(OWN / "faulty" / f"{fault}.json")
    assert unsafe(case["event"], case["response"]) != []


@EVENTS
def test_every_event_gets_the_same_answer_again_and_between_other_calls(path: Path) -> None:
    event = load(path)
    for name in flow_names():
        first = answer(name, event, World(False, [])).response
        for other in sorted((OWN / "events").glob("participant*.json")):
            answer(name, load(other), World(False, []))
        assert answer(name, event, World(False, [])).response == first


@pytest.mark.parametrize("path", [path for path in event_files() if kind_of(load(path)) == "HANGUP"], ids=named)
def test_a_leg_that_is_left_alone_is_hung_up_once(path: Path) -> None:
    event = load(path)
    for name in flow_names():
        assert released(event, answer(name, event, World(False, []))) == [], name


@EVENTS
def test_numbers_tokens_and_digits_of_an_event_do_not_appear_in_what_is_noted(path: Path) -> None:
    event = load(path)
    for name in flow_names():
        result = answer(name, event, World(False, []))
        noted = " ".join([result.note, result.fault, repr(result.variables), str(result.before), str(result.after)])
        assert [text for text in hidden(event) if text in noted] == []


SECRET = ("JoinToken", "ReceivedDigits")


def hidden(value: Any, key: str = "") -> Iterator[str]:
    """Numbers, tokens and typed digits anywhere in an event."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from hidden(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from hidden(item, key)
    elif isinstance(value, str) and len(value) >= 4 and (key in SECRET or re.fullmatch(r"\+[0-9]{8,15}", value)):
        yield value.lstrip("+")


@FLOWS
def test_the_last_hangup_twice_cleans_up_once(name: str) -> None:
    """R6, also for a call whose beginning this process has not seen."""
    event = load(OWN / "events" / "hangup-code-a-text.json")
    world = World(False, [])
    first = answer(name, event, world)
    asked = list(world.asked)
    again = copy.deepcopy(event)
    again["Sequence"] += 1
    if "TransactionAttributes" in first.response:
        again["CallDetails"]["TransactionAttributes"] = first.response["TransactionAttributes"]
    answer(name, again, world)
    fresh = set(world.asked[len(asked) :]) - set(asked)
    assert fresh == set()


@pytest.mark.parametrize("path", wrong_shapes(), ids=named)
def test_an_event_whose_type_cannot_be_read_is_answered_with_nothing_and_noted(path: Path) -> None:
    event = load(path)
    known = kind_of(event) in KINDS
    for name in flow_names():
        result = answer(name, event, World(False, []))
        if not known:
            assert result.response == {"SchemaVersion": "1.0"}
            assert result.note


# -- item 03: JSON that does not parse ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", broken_files(), ids=named)
@pytest.mark.parametrize("command", ["invoke", "replay"])
def test_broken_json_is_reported_with_line_and_column(path: Path, command: str, tmp_path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads(text)
    event = tmp_path / "event.json"
    event.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(cli, [command, str(OWN / "flow.yaml"), str(event), "--env", "PROMPTS=prompts"])
    assert done.exit_code == 2
    assert f"event.json:{caught.value.lineno}:{caught.value.colno}:" in done.output
    assert "Traceback" not in done.output
    promised = re.match(r"line-(\d+)-column-(\d+)-", path.name)
    if promised:
        assert (caught.value.lineno, caught.value.colno) == (int(promised[1]), int(promised[2]))


# -- item 04: published answers ----------------------------------------------------------------------------------------

PLACEHOLDER = re.compile(r'e164PhoneNumber|NPANXXXXXX|account-num|"string"|"Version"')
"""Words that published answers hold in the place of real values; the checker names the field."""


def answers() -> list[Path]:
    """Published answers and single actions, and our own."""
    return [*(path for path, _ in published("response", "action")), *sorted((OWN / "responses").glob("*.json"))]


def about(path: Path) -> Mapping[str, Any]:
    """What the corpus says about a file of its own."""
    return next((entry for each, entry in published("response", "action") if each == path), {"kind": "response"})


@pytest.mark.parametrize("path", answers(), ids=named)
def test_an_answer_is_accepted_or_the_field_is_named(path: Path) -> None:
    data, entry = load(path), about(path)
    reply = data if entry["kind"] == "response" else {"SchemaVersion": "1.0", "Actions": [data]}
    found = check_response(reply)
    if "intentionally invalid" in (entry.get("note") or ""):
        assert any("TransactionAttributes" in text for text in found)
    elif PLACEHOLDER.search(json.dumps(reply)):
        assert all(re.match(r"Actions\[\d+\]\.Parameters\.\w+|\(whole object\): .*'\w+'", text) for text in found)
    else:
        assert found == []


@pytest.mark.parametrize("path", sorted((OWN / "responses").glob("*.json")), ids=named)
def test_our_good_answers_keep_the_emit_rules(path: Path) -> None:
    event = load(OWN / "faulty" / "actions-empty.json")["event"]
    assert check_emit_rules(load(path), event) == []


# -- item 05: faults that were measured --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((OWN / "faulty").glob("*.json")), ids=named)
def test_a_faulty_answer_is_found(path: Path) -> None:
    case = load(path)
    found = [*check_response(case["response"]), *check_emit_rules(case["response"], case["event"])]
    assert any(case["fault"] in text for text in found), found


def recorded() -> list[Any]:
    """Event and answer of every invocation of a published handler that answered at all, and our faulty answers."""
    theirs = [
        pytest.param(call["input"], call.get("response"), id=f"{path.stem} {number}")
        for path, _ in published("recorded-behaviour")
        for number, call in enumerate(load(path), 1)
        if not call.get("error")
    ]
    ours = [(path.stem, load(path)) for path in sorted((OWN / "faulty").glob("*.json"))]
    return [*theirs, *(pytest.param(case["event"], case["response"], id=name) for name, case in ours)]


NO_SUCH_PARAMETER = ("CustomSipHeaders", "AttendeeJoinToken")


@pytest.mark.parametrize(("event", "reply"), recorded())
def test_the_faults_measured_in_published_handlers_are_found(event: Any, reply: Any) -> None:
    """Array or null as answer, null or missing Actions, more than ten, legs that have left, parameters of nowhere.

    A missing key Actions is a fault only where the service needs actions: everywhere else it is how "nothing" is said.
    """
    found = " | ".join([*check_response(reply), *check_emit_rules(reply, event)])
    if not isinstance(reply, dict):
        assert "E1" in found
        return
    actions = reply.get("Actions")
    alive, gone = legs(event)
    if not isinstance(actions, list | None):
        assert "Actions" in found
        return
    if actions is None and "Actions" in reply:
        assert "E4" in found
    if not actions and event["InvocationEventType"] == "NEW_INBOUND_CALL":
        assert "E4" in found or "E6" in found
    if len(actions or []) > 10:
        assert "E16" in found
    if actions and not alive:
        assert "nobody is on the line" in found
    for action in actions or []:
        if action["Parameters"].get("CallId") in [leg["CallId"] for leg in gone]:
            assert "E7" in found
        for parameter in NO_SUCH_PARAMETER:
            if parameter in action["Parameters"]:
                assert parameter in found


# -- the logged call of A27 --------------------------------------------------------------------------------------------


def logged_call() -> list[Path]:
    """The five events of a real call, if the corpus is there."""
    return [path for path, entry in published("event") if "java-chime-voicesdk-sma" in entry["file"]]


def test_the_logged_events_of_a_real_call_go_through_the_flow_of_a27() -> None:
    bot = "arn:aws:lex:us-east-1:111122223333:bot-alias/EXAMPLEBOT/EXAMPLALIA"
    flow = Program.load(Plan.loads(plan_text(HERE / "A27")), {"PROMPTS": "prompts", "BOT_ALIAS": bot})
    wanted = [
        ["PlayAudio", "PlayAudioAndGetDigits"],
        ["StartBotConversation"],
        ["PlayAudioAndGetDigits"],
        ["PlayAudio", "Hangup"],
        [],
    ]
    saved: Any = None
    sent: dict[str, Any] = {}
    for path, types in zip(logged_call(), wanted, strict=False):
        event = load(path)
        event["CallDetails"].pop("TransactionAttributes", None)
        if saved:
            event["CallDetails"]["TransactionAttributes"] = saved
        data = event.get("ActionData") or {}
        if data.get("Type") in sent:
            data["Parameters"] = {**data["Parameters"], **sent[data["Type"]]}
        result = handle(flow, event, now=NOW, services=World(False, []))
        actions = result.response.get("Actions") or []
        assert [action["Type"] for action in actions] == types, path.name
        saved = result.response.get("TransactionAttributes") or saved
        sent |= {action["Type"]: action["Parameters"] for action in actions}
