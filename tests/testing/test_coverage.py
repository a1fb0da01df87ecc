"""Coverage of flows by calls: what is counted, what is taken back, and that the advice leads there."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from sma_flows.testing import Lab, Trial, trials
from sma_flows.testing.coverage import Coverage, FlowCoverage
from sma_flows.testing.coverage.advice import Advice
from sma_flows.testing.coverage.items import map_of
from sma_flows.testing.coverage.report import missed_lines, table_lines
from sma_flows.testing.play import CallFailedError, play_call
from sma_flows.testing.script import read_calls
from sma_flows.testing.world import checked

ROOT = Path(__file__).parents[2]
FLOW = """sma_flow: 1
name: line
entry: inbound
prompts: prompts.yaml
vars: {number: digits(4), name: text}
hooks:
  check: {python: "hooks.x:check", outcomes: [ok, wrong], gives: {names: "list(3, text)"}, effect: read}
schedules:
  office: {zone: America/New_York, open: [sat 09:00-12:00]}
updates:
  notice: {takes: {words: text(40)}, during: [talk], next: heard}
defaults:
  retry: {times: 1, no_input: again, no_match: again}
  next: {no_input: bye, no_match: bye, failed: sorry, exhausted: bye}
start: hello
states:
  hello: {say: hello, next: ask}
  ask: {gather: number, prompt: ask, visits: 2, next: look}
  look: {run: check(number), next: {ok: hours, wrong: ask}}
  hours: {schedule: office, next: {open: talk, closed: leave}}
  talk:
    bridge: env.DESK
    keys: {"*1": heard}
    next: {ended: bye, no_answer: leave, failed: bye}
  heard: {say: heard, next: back}
  leave:
    use: message
    next: {kept: names, lost: bye}
  names: {take: name from names, next: {taken: heard_name, empty: bye}, visits: 3}
  heard_name: {say: "{name}", next: names}
  sorry: {say: sorry, next: bye}
  bye: {say: bye, hangup: normal}
"""
SUB = """sma_flow: 1
name: message
entry: sub
outcomes: [kept, lost]
prompts: prompts.yaml
vars: {spoken: recording}
defaults: {next: {failed: give_up}}
start: speak
states:
  speak: {record: spoken, to: env.BOX, max: 1m, next: keep}
  keep: {return: kept}
  give_up: {return: lost}
"""
PROMPTS = """sma_prompts: 1
default: en-US
locales: {en-US: {voice: Joanna}}
prompts:
  hello: {en-US: Good morning.}
  ask: {en-US: Your number please.}
  again: {en-US: Once more.}
  heard: {en-US: I have heard you.}
  sorry: {en-US: We are sorry.}
  bye: {en-US: Goodbye.}
"""
STUB = {"check": {"ok": {"names": []}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "line.yaml").write_text(FLOW)
    (tmp_path / "message.yaml").write_text(SUB)
    (tmp_path / "prompts.yaml").write_text(PROMPTS)
    return tmp_path


def played(coverage: Coverage, flow: Path, call: dict[str, Any], name: str = "one") -> Coverage:
    """Play one call, given as a calls file would hold it; whether it goes as written does not matter here."""
    given = {"env": {"DESK": "+12065550150", "BOX": "box"}, **call, "call": name}
    file, found = read_calls(json.dumps({"flow": str(flow), "calls": [given]}), str(flow.parent / "x.calls.yaml"))
    assert file is not None, found
    with suppress(CallFailedError):
        play_call(flow, file.calls[0], on_visits=lambda visits: coverage.add(flow, name, visits))
    return coverage


def of(folder: Path, *steps: dict[str, Any], **call: Any) -> dict[str, FlowCoverage]:
    coverage = played(Coverage(), folder / "line.yaml", {"script": list(steps), "stub": STUB, **call})
    return {flow.name: flow for flow in coverage.flows()}


def visited(flow: FlowCoverage, *kinds: str) -> set[str]:
    return {str(one.item) for one in flow.items if one.calls and one.item.kind in kinds}


def test_states_outcomes_and_attempts_of_a_call(folder: Path) -> None:
    flows = of(folder, {"silence": "1x"}, {"press": "1234"})
    line = flows["line"]
    assert visited(line, "state") == {"hello", "ask", "look", "hours", "leave"}
    assert visited(line, "outcome") == {
        "hello: done -> ask", "ask: done -> look", "look: ok -> hours", "hours: closed -> leave",
    }  # fmt: skip
    assert visited(line, "attempt") == {"ask: attempt 1", "ask: attempt 2"}
    assert visited(line, "start", "use") == {"start -> hello", "leave: enter -> message/speak"}
    assert visited(flows["message"], "state") == {"speak"}


def test_every_item_names_its_line(folder: Path) -> None:
    items = {str(one.item): one.item for one in of(folder)["line"].items}
    lines = FLOW.splitlines()
    assert lines[items["talk"].span.line - 1] == "  talk:"
    assert "key *1" in str(items["talk: key *1 -> heard"])
    assert lines[items["talk: key *1 -> heard"].span.line - 1].strip() == 'keys: {"*1": heard}'
    assert lines[items["talk: ended -> bye"].span.line - 1].strip().startswith("next: {ended")
    assert lines[items["update notice -> heard"].span.line - 1].strip().startswith("notice:")
    assert items["ask: no_input -> bye"].span.line == items["ask"].span.line  # `defaults` answers it


def test_what_no_call_can_bring_about_is_not_counted(folder: Path) -> None:
    """The number of `talk` is the flow's own, so no policy can refuse it."""
    assert not any(one.item.label == "refused" for one in of(folder)["line"].items)


def test_a_failure_in_a_conversation_leads_back(folder: Path) -> None:
    labels = [str(one.item) for one in of(folder)["line"].items if one.item.state == "heard"]
    assert labels == ["heard", "heard: failed -> back", "heard: done -> back"]


def test_silence_and_wrong_keys_that_sound_the_same_count_together(folder: Path) -> None:
    """The service repeats such a question by itself and reports one of the two."""
    line = of(folder, {"silence": "2x"})["line"]
    assert {"ask: no_input -> bye", "ask: no_match -> bye"} <= visited(line, "outcome")
    assert visited(line, "attempt") == {"ask: attempt 1", "ask: attempt 2"}


def test_what_stood_behind_an_action_that_failed_was_not_reached(folder: Path) -> None:
    """`hello` and `ask` go out in one answer."""
    line = of(folder, {"fail": {"say": "hello"}})["line"]
    assert visited(line, "state") == {"hello", "sorry", "bye"}
    assert visited(line, "outcome") == {"hello: failed -> sorry", "sorry: done -> bye"}


def test_flows_that_nobody_calls_count_when_they_are_expected(folder: Path) -> None:
    coverage = Coverage()
    coverage.expect(folder / "line.yaml")
    (line, message) = coverage.flows()
    assert (line.percent, message.percent) == (0.0, 0.0)
    assert str(line.figures["states"]) == "0/11"


def test_what_was_collected_elsewhere_is_added(folder: Path) -> None:
    here = played(Coverage(), folder / "line.yaml", {"script": [{"press": "1234"}], "stub": {"check": "raises"}}, "one")
    there = played(Coverage(), folder / "line.yaml", {"script": [{"hangup": "caller"}], "stub": STUB}, "two")
    here.load(json.loads(json.dumps(there.dump())))
    items = {str(one.item): one.calls for one in here.flows()[0].items}
    assert (items["hello"], items["look"]) == (("one", "two"), ("one",))


def test_a_sub_flow_counts_once_for_all_flows_that_use_it(folder: Path) -> None:
    (folder / "other.yaml").write_text(FLOW.replace("name: line", "name: other"))
    coverage = played(Coverage(), folder / "line.yaml", {"stub": STUB, "script": [{"press": "1234"}]})
    coverage.expect(folder / "other.yaml")
    flows = {flow.name: flow for flow in coverage.flows()}
    assert list(flows) == ["line", "message", "other"]
    assert flows["other"].percent == 0.0
    assert visited(flows["message"], "state") == {"speak"}


def test_the_report_tells_place_item_and_what_to_write(folder: Path) -> None:
    flows = list(of(folder, {"press": "1234"}, stub={"check": "raises"}).values())
    table = list(table_lines(flows))
    assert table[0].split() == ["flow", "states", "transitions", "outcomes", "attempts"]
    assert [row.split()[0] for row in table[1:]] == ["line", "message", "all"]
    text = "\n".join(missed_lines(flows))
    line = next(number for number, line in enumerate(FLOW.splitlines(), 1) if "look: {run" in line)
    place = f"{folder / 'line.yaml'}:{line}"
    assert f'  {place}  look: wrong -> ask\n      write stub: {{check: wrong}}; press: "1234"\n' in text


EVERYTHING = ROOT / "tests" / "properties" / "everything" / "everything.yaml"
ENV = {
    "SALES": "+12065550150",
    "PROMPTS": "example-prompts",
    "RECORDINGS": "example-recordings",
    "VOICEMAILS": "example-voicemails",
    "BOT_ALIAS": "arn:aws:lex:us-east-1:111122223333:bot-alias/EXAMPLEBOT/TSTALIASID",
}


@pytest.mark.parametrize("flow", [EVERYTHING, ROOT / "flows" / "dial-in.yaml"], ids=lambda path: path.stem)
def test_whatever_a_drawn_call_comes_by_is_on_the_map_of_its_flow(flow: Path) -> None:
    result = checked(flow)
    assert result.plan is not None
    map_ = map_of(result.plan.flow(next(iter(result.plan.flows))), result.flows)

    @settings(max_examples=100, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(trials(Lab(flow, env=ENV, watched=True)))
    def drawn(trial: Trial) -> None:
        visits = trial.session.trail.visits
        assert visits
        assert [visit for visit in visits if not map_.of(visit)] == []

    drawn()


FLOWS = ("click-to-call", "dial-in", "front-desk", "lex-bot", "meeting-dialer", "voicemail")


def follows(flow: Path) -> list[str]:
    """Items that a call written after the advice does not come by."""
    probe = Coverage()
    probe.expect(flow)
    wrong = []
    for part, one in [(flow_part, one) for flow_part in probe.flows() for one in flow_part.items]:
        advice = part.advice(one.item)
        assert isinstance(advice, Advice), one.item
        if advice.note:
            continue  # words for a person
        call = {"stub": STUB, **{key: value for key, value in advice.as_object().items() if key != "note"}}
        made = played(Coverage(), flow, call)
        if not any(str(each.item) == str(one.item) and each.calls for part in made.flows() for each in part.items):
            wrong.append(f"{one.item}: {advice}")
    return wrong


@pytest.mark.parametrize("name", FLOWS)
def test_a_call_written_after_the_advice_comes_by(name: str) -> None:
    assert follows(ROOT / "flows" / f"{name}.yaml") == []


def test_advice_goes_through_sub_flows_updates_and_opening_hours(folder: Path) -> None:
    assert follows(folder / "line.yaml") == []
