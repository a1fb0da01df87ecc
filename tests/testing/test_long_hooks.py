"""`run ... while`: a hook works outside the call, the caller hears music, and the result comes by an update."""

from __future__ import annotations

import json
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sma_flows import handler
from sma_flows.errors import ServiceError
from sma_flows.protocol.check import check_event, check_response
from sma_flows.runtime.ask import CallInfo
from sma_flows.runtime.invoke import handle
from sma_flows.services.jobs import JOB, is_job, work
from sma_flows.simulator.messages import HangUp, Update
from sma_flows.testing.play import CallFailedError, Played, play_call
from sma_flows.testing.script import CallScript, read_calls
from sma_flows.testing.session import Session
from sma_flows.testing.targets import InProcess
from sma_flows.testing.world import world_of

FLOW = """
sma_flow: 1
name: archive
entry: inbound
prompts: prompts.yaml
vars: {number: digits(4), tries: number = 0}
hooks:
  search:
    python: hooks.archive:search
    long: true
    outcomes: {found: {title: text(60), shelf: number}, none: {}}
defaults: {next: {failed: sorry, no_input: sorry, no_match: sorry, exhausted: sorry}}
start: ask
states:
  ask:
    gather: number
    prompt: ask
    next: look
  look:
    say: wait
    run: search(number, tries)
    while: music
    at_most: 20s
    visits: 3
    next: {found: tell, none: again}
  again:
    set: {tries: tries + 1}
    next: ask
  tell:
    say: found
    next: hangup
  sorry:
    say: sorry
    next: hangup
"""
PROMPTS = """
sma_prompts: 1
default: en-US
locales: {en-US: {voice: Joanna}}
prompts:
  ask: {en-US: Which number?}
  wait: {en-US: One moment.}
  music: {audio: music.wav}
  found: {en-US: "It is called {title}, on shelf {shelf}."}
  sorry: {en-US: We are sorry.}
"""
HOOKS = """
from sma_flows.hooks import Call, Reply, hook

@hook
def search(call: Call, number: str, tries: int) -> Reply:
    return Reply("found", title="Number " + number, shelf=tries + 7)
"""


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "archive.py").write_text(HOOKS)
    (tmp_path / "prompts.yaml").write_text(PROMPTS)
    (tmp_path / "archive.yaml").write_text(FLOW)
    (tmp_path / "local.env").write_text("PROMPTS=example-prompts\n")
    return tmp_path / "archive.yaml"


def script(steps: str = "", stub: str = "", switches: str = "") -> CallScript:
    head = "flow: archive.yaml\ncalls:\n  - call: one\n"
    head += f"    stub: {{search: {stub}}}\n" * bool(stub) + f"    switches: {switches}\n" * bool(switches)
    if steps:
        head += "    script:\n" + textwrap.indent(textwrap.dedent(steps).strip(), "      ")
    file, found = read_calls(head, "x")
    assert file is not None, [str(one) for one in found]
    return file.calls[0]


def play(flow: Path, steps: str, stub: str = "", switches: str = "", **more: Any) -> Played:
    return play_call(flow, script(steps, stub, switches), **more)


FOUND = "{found: {title: Faust, shelf: 3}, after: 7s}"


def test_the_caller_hears_music_until_the_result_comes(flow: Path) -> None:
    played = play(
        flow,
        """
        - hear: ask
        - press: "1234"
        - hear: [wait, music, music, music, {text: "It is called Faust, on shelf 3"}]
        """,
        FOUND,
    )
    kinds = [turn.kind for turn in played.turns]
    assert kinds.count("CALL_UPDATE_REQUESTED") == 1
    assert [turn.note for turn in played.turns if turn.kind == "CALL_UPDATE_REQUESTED"] == ["result of a long hook"]


@pytest.mark.parametrize("fresh", [False, True])
def test_a_real_hook_gets_its_arguments_and_its_types_are_checked(flow: Path, fresh: bool) -> None:
    play(flow, '- press: "1234"\n- hear: [wait, {text: "It is called Number 1234, on shelf 7"}]', fresh=fresh)


def test_the_length_of_the_music_does_not_change_the_outcome(flow: Path) -> None:
    stub = "{found: {title: Faust, shelf: 1}, after: 2s}"
    play(flow, '- press: "1234"\n- wait: 2500ms\n- hear: [wait, music, {text: Faust}]', stub)


def test_a_result_that_takes_too_long_is_failed_and_its_update_is_answered_with_nothing(flow: Path) -> None:
    played = play(flow, '- press: "1234"\n- hear: [wait, ' + "music, " * 7 + "sorry]", "{none: {}, after: 22s}")
    assert next(turn for turn in played.turns if "in time" in turn.note).after.state == "sorry"
    late = [turn for turn in played.turns if turn.kind == "CALL_UPDATE_REQUESTED"]
    assert [turn.actions for turn in late] == [[]] * len(late)


@pytest.mark.parametrize("stub", ["raises", "late", "{found: {title: Faust}}", "{found: {title: Faust, shelf: none}}"])
def test_a_hook_that_fails_is_the_flows_failed(flow: Path, stub: str) -> None:
    played = play(flow, '- press: "1234"\n- expect: hung_up', stub)
    assert "sorry" in [turn.after.state for turn in played.turns]


def test_the_same_question_can_be_asked_again_with_another_ticket(flow: Path) -> None:
    steps = '- press: "1234"\n- hear: [wait, music, ask]\n- press: "5678"\n- hear: [wait, music, {text: Faust}]'
    played = play(flow, steps, "[{none: {}, after: 1s}, {found: {title: Faust, shelf: 1}, after: 1s}]")
    tickets = {
        json.loads(turn.event)["ActionData"]["Parameters"]["Arguments"]["sma-flows-ticket"]
        for turn in played.turns
        if turn.kind == "CALL_UPDATE_REQUESTED"
    }
    assert len(tickets) == 2


def test_visits_bound_how_often_it_is_tried(flow: Path) -> None:
    steps = "\n".join(['- press: "1234"\n- hear: [wait, music, ask]'] * 3)
    play(flow, steps + '\n- press: "1234"\n- hear: sorry', "{none: {}, after: 1s}")


def test_the_caller_can_leave_while_it_works(flow: Path) -> None:
    played = play(flow, '- press: "1234"\n- wait: 1s\n- hangup: caller', FOUND)
    assert [turn.kind for turn in played.turns][-1] == "HANGUP"


def test_music_that_cannot_be_played_is_failed(flow: Path) -> None:
    played = play(flow, '- hear: ask\n- fail: play\n- press: "1234"\n- expect: hung_up', FOUND)
    assert "sorry" in [turn.after.state for turn in played.turns]


def session(flow: Path, stub: str = "late") -> Session:
    spec = world_of(flow, script(stub=stub))
    made = Session(InProcess(spec.open()), spec.plan.flow("archive"), at=datetime(2026, 11, 20, 15, tzinfo=UTC))
    made.phone.dial_in()
    made.rest()
    made.phone.press("1234")
    made.phone.wait(1_000)
    assert made.running == "PlayAudio"
    return made


@pytest.mark.parametrize(
    "arguments",
    [
        {"sma-flows-ticket": "f" * 26, "sma-flows-outcome": "found"},
        {"sma-flows-ticket": "", "sma-flows-outcome": "none"},
        {"kind": "notice"},
    ],
)
def test_an_update_with_a_foreign_ticket_changes_nothing(flow: Path, arguments: dict[str, str]) -> None:
    made = session(flow)
    made.phone.send(Update(tuple(arguments.items())))
    assert made.turns[-1].actions == []
    assert made.running == "PlayAudio"


@pytest.mark.parametrize("values", ["[]", "{", "null", '{"title": 5}', '{"title": "x", "shelf": "many"}'])
def test_a_result_that_is_none_is_failed(flow: Path, values: str) -> None:
    made = session(flow)
    ticket = next(ask.token for turn in made.turns for ask in turn.asks if ask.port == "hook.start")
    update = {"sma-flows-ticket": ticket, "sma-flows-outcome": "found", "sma-flows-values": values}
    made.phone.send(Update(tuple(update.items())))
    assert made.turns[-1].kind in ("ACTION_INTERRUPTED", "CALL_UPDATE_REQUESTED")
    assert "sorry" in made.states


def test_a_repeated_event_does_not_start_the_work_twice(flow: Path) -> None:
    spec = world_of(flow, script(stub=FOUND))
    world = spec.open()
    target = InProcess(world)
    made = Session(target, spec.plan.flow("archive"), at=datetime(2026, 11, 20, 15, tzinfo=UTC))
    made.phone.dial_in()
    made.rest()
    made.phone.press("1234")
    turn = next(turn for turn in made.turns if any(ask.port == "hook.start" for ask in turn.asks))
    again = target.answer(turn.event, turn.at_ms, made.at)
    assert world.ran["search"] == 1
    assert again.later == ()


def test_every_event_and_answer_is_one_of_the_service(flow: Path) -> None:
    for turn in play(flow, '- press: "1234"\n- hear: [wait, music, music, music, {text: Faust}]', FOUND).turns:
        assert check_event(json.loads(turn.event)) == []
        assert check_response(json.loads(turn.response)) == []


def test_the_saved_call_holds_the_ticket_only_while_it_waits(flow: Path) -> None:
    for turn in play(flow, '- press: "1234"\n- hear: [wait, music, music, music, {text: Faust}]', FOUND).turns:
        saved = json.loads(turn.response).get("TransactionAttributes") or {}
        if saved:
            assert ("@hold" in saved.get("sv", "")) == (turn.after.state == "look")


# ---- the other invocation -------------------------------------------------------------------------------------------


class Told:
    """Remembers jobs and reports."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.reports: list[tuple[str, str, dict[str, str]]] = []

    def start(self, job: Any, timeout_s: float) -> None:
        self.jobs.append(json.loads(json.dumps(job)))

    def report(self, application: str, call: str, arguments: Any, timeout_s: float) -> None:
        self.reports.append((application, call, dict(arguments)))


def test_a_job_is_started_worked_on_and_told(flow: Path) -> None:
    spec = world_of(flow, script())
    world, told = spec.open(), Told()
    world.services.jobs = told
    now = datetime(2026, 11, 20, 15, tzinfo=UTC)
    made = session(flow)
    asking = next(turn for turn in made.turns if any(ask.port == "hook.start" for ask in turn.asks))
    result = handle(world.program, json.loads(asking.event), now=now, services=world.services)
    assert [action["Type"] for action in result.actions] == ["Speak", "PlayAudio"]
    (job,) = told.jobs
    assert is_job(job)
    assert not is_job(json.loads(asking.event))
    assert job["args"] == ["1234", 0]
    assert work(job, world.program, world.services, told) == "found"
    assert work(job, world.program, world.services, told) == "found"  # delivered twice: remembered, not done twice
    (application, call, arguments), again = told.reports
    assert again == (application, call, arguments)
    assert call == json.loads(asking.event)["CallDetails"]["TransactionId"]
    assert application == json.loads(asking.event)["CallDetails"]["SipMediaApplicationId"]
    assert json.loads(arguments["sma-flows-values"]) == {"title": "Number 1234", "shelf": 7}
    made.phone.send(Update(tuple(arguments.items())))
    assert "tell" in made.states


def test_without_somebody_who_works_outside_the_call_it_is_failed(flow: Path) -> None:
    world = world_of(flow, script()).open()
    made = session(flow)
    asking = next(turn for turn in made.turns if any(ask.port == "hook.start" for ask in turn.asks))
    result = handle(world.program, json.loads(asking.event), now=made.now, services=world.services)
    assert result.after.state == "sorry"


@pytest.mark.parametrize(
    "damage",
    [{"revision": "0" * 12}, {"hook": "other"}, {JOB: 9}, {"call": 3}, {"args": None}],
)
def test_a_job_that_nobody_can_do_is_refused(flow: Path, damage: dict[str, Any]) -> None:
    spec = world_of(flow, script())
    world = spec.open()
    info = list(CallInfo("t", "+14155550123", "+12065550199", "en-US", "look", "inbound", "app"))
    revision = spec.plan.flows["archive"]
    job = {JOB: 1, "revision": revision, "hook": "search", "args": ["1", 0], "ticket": "t", "call": info}
    with pytest.raises(ServiceError, match="a job that nobody here can do"):
        work({**job, **damage}, world.program, world.services, Told())


def test_a_call_script_still_fails_where_it_goes_another_way(flow: Path) -> None:
    with pytest.raises(CallFailedError, match="expected to hear music"):
        play(flow, '- press: "1234"\n- hear: [wait, music, music, music, music]', FOUND)


def test_a_result_for_a_call_that_is_over_reaches_nobody(flow: Path) -> None:
    made = session(flow, "{none: {}, after: 9s}")
    made.phone.send(HangUp())
    made.phone.settle()
    assert made.phone.over
    assert made.turns[-1].kind == "HANGUP"


def test_the_function_itself_does_the_job_and_says_so_in_its_record(
    flow: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = world_of(flow, script())
    told = Told()
    function = handler.Handler({"POWERTOOLS_SERVICE_NAME": "long-hooks"})
    info = list(CallInfo("t", "+14155550123", "+12065550199", "en-US", "look", "inbound", "app"))
    job = {
        JOB: 1,
        "revision": spec.plan.flows["archive"],
        "hook": "search",
        "args": ["1", 0],
        "ticket": "t",
        "call": info,
    }
    monkeypatch.setattr(handler, "_handler", function)
    with pytest.raises(ServiceError):  # no plan: Lambda tries again, elsewhere perhaps with more success
        handler.lambda_handler(job, None)
    world = spec.open()
    world.services.jobs = told
    function.program, function.services = world.program, world.services
    capsys.readouterr()
    assert handler.lambda_handler(job, None) == {"outcome": "found"}
    (record,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (record["event"], record["hook"]) == ("job", "search")
    assert "4155550123" not in json.dumps(record)
    assert len(told.reports) == 1
