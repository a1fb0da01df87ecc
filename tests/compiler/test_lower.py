"""The plan: states by verb, encodings of questions, counters, ticks, prompts, environment."""

# ruff: noqa: E501 - a flow reads best in as few lines as it has

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sma_flows.compiler import compile_paths
from sma_flows.flow.model import STATES
from sma_flows.plan import Plan

from .building import ANSWERS, HEAD, PROMPTS, SUB, compiled, shown, write

ROOT = Path(__file__).parents[2]

VERBS = (
    HEAD
    + """prompts: prompts.yaml
dial_policy: {allow: [+1206, env.AREA], deny: [+1900], caller_id: env.OWN}
vars:
  pin: secret digits(4)
  number: digits(10) = 2065550150
  message: recording
  words: "list(5, text(40))"
  word: text(40)
  where: text(200)
  side: leg = A
hooks:
  check: {python: hooks.a:check, outcomes: [ok, wrong], budget: 900ms, effect: read}
  rows: {builtin: directory.find, with: {table: env.T}, gives: {words: "list(5, text(40))"}, budget: 500ms}
  report: {python: hooks.a:report, budget: 500ms}
schedules:
  office: {zone: Etc/UTC, off: [2026-12-25], open: [mon-fri 09:00-17:00]}
updates:
  say_it: {match: {kind: x}, takes: {word: text(40)}, when: "not message", during: [meet], queue: 2, next: speak}
cleanup:
  - run: report(call.id)
    when: call.answered
defaults:
  retry: {times: 2, no_input: again, no_match: again}
  next: {failed: sorry, no_input: sorry, no_match: sorry, exhausted: sorry}
start: ask_pin
states:
  ask_pin: {gather: pin, prompt: ask, finish_on: pound, timeout: 6s, digit_gap: 2s, next: guess}
  guess:
    choose:
      me: call.from starts with "+1206, +1415"
      secret: pin is "1234"
    next: {me: check, secret: check, other: check}
  check:
    run: check(pin, "x{call.id}", 3)
    limit: {wrong: [3 per call, 10 per caller per 1h]}
    next: {ok: hours, wrong: ask_pin, limited: sorry}
  hours: {schedule: office, next: {off: sorry, open: fetch, closed: sorry}}
  fetch: {run: rows(call.from), next: {found: first, none: first}}
  first: {take: word from words, next: {taken: read, empty: pick}}
  read: {say: "{word as letters}", next: first}
  pick:
    choose:
      many: number in [call.from, word]
    next: {many: main, other: main}
  main: {menu: [ask, more], keys: {1: dial, 3: rec, "*6": meet}, visits: 5 in tries since ask_pin}
  dial:
    say: more
    bridge: "+1{number}"
    headers: {X-Kind: word}
    ringback: ring
    keys: {1: focus, digit: keys_to}
    listen: both
    connected: start_rec
    visits: 20
    next: {no_answer: pbx, refused: sorry}
  pbx: {bridge: {connector: env.VC, user: "5560"}, ring_for: 10s, next: {no_answer: rec}}
  focus: {voice_focus: off, leg: both, next: back}
  keys_to: {send_digits: "{key.digits},#", tone: 100ms, leg: other, next: back}
  start_rec: {record_call: start, to: env.REC, track: incoming, into: where, leg: B, next: {done: back}}
  rec: {record: message, max: 90s, to: env.BOX, silence: 3s, beep: ring, next: playback}
  playback: {play: message, times: 2, stop_on: [1, star], keys: {2: talk}, next: note}
  note: {set: {call.locale: "en-US", word: unset, where: where}, next: part}
  part:
    use: box
    with: {name: word}
    next: {kept: talk}
  talk: {bot: env.BOT, welcome: more, intents: [Order], attributes: {a: word}, into: {word: slots.W}, next: {Order: meet, other: meet}}
  meet: {join_meeting: word, keys: {5: quiet, 6: tone}}
  tone: {say: more, leg: side, next: back}
  quiet: {mute: on, who: others, next: pause}
  pause: {wait: 2s, next: back}
  speak: {say: "{word}", next: back}
  sorry: {say: more, next: bye}
  bye: {say: more, hangup: busy}
"""
)
FILES = {
    "prompts.yaml": PROMPTS
    + "  ask: {en-US: Please enter.}\n  again: {en-US: Again.}\n  more: {en-US: Or.}\n  ring: {audio: ring.wav}\n",
    "box.yaml": SUB.format(name="box")
    + 'inputs: {name: text(40)}\noutcomes: [kept]\nstart: a\nstates:\n  a: {say: "{name}", next: b}\n  b: {return: kept}\n',
}


def states(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = compiled(folder, VERBS, FILES)["states"]
    return found


def test_every_verb_has_a_lowering(tmp_path: Path) -> None:
    plan = states(tmp_path)
    assert {state["do"] for state in plan.values()} == set(STATES)
    for name, state in plan.items():
        for target in [*state.get("next", {}).values(), *state.get("keys", {}).values()]:
            assert target in plan or target in ("hangup", "back"), name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "ask_pin",
            {
                "var": "pin",
                "min": 4,
                "max": 4,
                "regex": "^[0-9]{4}$",
                "terminators": ["#"],
                "timeout": 6000,
                "gap": 2000,
                "times": 2,
            },
        ),
        (
            "check",
            {
                "hook": "check",
                "args": [["var", "pin"], ["text", ["x", ["call", "id"]]], ["lit", 3]],
                "count": "v:check",
            },
        ),
        ("hours", {"name": "office", "next": {"off": "sorry", "open": "fetch", "closed": "sorry"}}),
        ("fetch", {"gives": {"words": "words"}}),
        ("first", {"var": "word", "from": "words"}),
        (
            "guess",
            {
                "cases": [
                    ["me", ["starts with", ["call", "from"], [["lit", "+1206"], ["lit", "+1415"]]]],
                    ["secret", ["is", ["var", "pin"], ["lit", "1234"], "secret"]],
                ]
            },
        ),
        (
            "main",
            {
                "min": 1,
                "max": 2,
                "regex": "^([13]|\\*6)$",
                "keys": {"1": "dial", "3": "rec", "*6": "meet"},
                "visits": 5,
                "count": "c:tries",
            },
        ),
        ("dial", {"number": ["text", ["+1", ["var", "number"]]], "policy": True, "connected": "start_rec", "ring": 30}),
        ("dial", {"pre": [{"do": "say", "items": [["prompt", "more"]]}], "headers": {"X-Kind": ["var", "word"]}}),
        (
            "dial",
            {
                "listen": {
                    "keys": {"1": "focus", "digit": "keys_to"},
                    "legs": "both",
                    "gap": 1000,
                    "flush": 10000,
                    "regex": "^[0-9]$",
                    "limit": 20,
                    "counter": "k:dial",
                }
            },
        ),
        ("pbx", {"connector": ["env", "VC"], "user": ["lit", "5560"], "ring": 10}),
        ("focus", {"on": False, "leg": "both", "next": {"done": "back", "failed": "back"}, "own": ["done"]}),
        ("keys_to", {"digits": ["text", [["key", "digits"], ",#"]], "tone": 100, "leg": "other"}),
        ("start_rec", {"op": "start", "to": ["env", "REC"], "track": "INCOMING", "into": "where", "leg": "B"}),
        (
            "rec",
            {
                "var": "message",
                "max": 90,
                "silence": 3,
                "level": 200,
                "terminators": ["#"],
                "beep": [["prompt", "ring"]],
            },
        ),
        ("playback", {"items": [["var", "message"]], "times": 2, "stop_on": ["1", "*"]}),
        ("note", {"set": [["call.locale", ["lit", "en-US"]], ["word", ["unset"]], ["where", ["var", "where"]]]}),
        ("part", {"flow": "box/", "start": "box/a", "with": [["box/name", ["var", "word"]]], "clear": ["box/name"]}),
        ("box/a", {"items": [["text", [["var", "box/name"]]]], "next": {"done": "box/b", "failed": "hangup"}}),
        ("box/b", {"do": "return", "outcome": "kept"}),
        ("talk", {"intents": ["Order"], "into": {"word": ["slots", "W"]}, "attributes": {"a": ["var", "word"]}}),
        ("meet", {"meeting": ["var", "word"], "next": {"left": "hangup", "failed": "sorry"}}),
        ("quiet", {"op": "on", "who": "others"}),
        ("tone", {"leg": ["var", "side"]}),
        ("pause", {"ms": 2000}),
        ("bye", {"code": "486", "next": {"failed": "hangup"}}),
    ],
)
def test_a_state_is_lowered_to_what_the_runtime_reads(name: str, expected: dict[str, Any], tmp_path: Path) -> None:
    state = states(tmp_path)[name]
    assert {key: state.get(key) for key in expected} == expected


def test_what_belongs_to_the_whole_flow(tmp_path: Path) -> None:
    plan = compiled(tmp_path, VERBS, FILES)
    assert plan["policy"] == {
        "allow": [["lit", "+1206"], ["env", "AREA"]],
        "deny": [["lit", "+1900"]],
        "caller_id": ["env", "OWN"],
    }
    assert plan["updates"] == [
        {
            "name": "say_it",
            "match": {"kind": "x"},
            "takes": {"word": {"t": "text", "min": 0, "max": 40}},
            "vars": {"word": "word"},
            "when": ["not", ["var", "message"]],
            "during": ["meet"],
            "queue": 2,
            "next": "speak",
            "keep": ["side"],  # `speak` goes back to the meeting, whose key 6 needs it
        }
    ]
    assert plan["cleanup"] == [{"hook": "report", "args": [["call", "id"]], "when": ["call", "answered"]}]
    assert plan["schedules"]["office"]["periods"] == [
        ["off", [{"date": "2026-12-25", "from": 0, "to": 1440}]],
        ["open", [{"days": [0, 1, 2, 3, 4], "from": 540, "to": 1020}]],
    ]
    assert plan["failed"] == "sorry"
    assert plan["env"] == {
        "required": ["AREA", "BOT", "BOX", "OWN", "PROMPTS", "REC", "T", "VC"],
        "optional": [],
    }
    assert plan["states"]["ask_pin"]["resets"] == ["c:tries"]
    assert plan["hooks"]["check"]["main"] == "ok"
    assert plan["catalogues"][""]["locales"]["en-US"] == {"voice": "Joanna", "engine": "neural", "bot": "en_US"}


ASK = (
    HEAD
    + "prompts: prompts.yaml\nvars: {{code: digits(4)}}\ndefaults: {{next: {{failed: hangup}}}}\nstart: a\nstates:\n"
    + (
        "  a: {{gather: code, prompt: {prompt}, {retry}next: {{done: b, no_input: {no_input}, no_match: {no_match}}}}}\n"
        "  b: {{say: '{{code}}', next: hangup}}\n"
    )
)
WORDS = (
    "  ask: {en-US: Enter.}\n  again: {en-US: Again.}\n  wrong: {en-US: Wrong.}\n  file: {audio: ask.wav}\n  file_again: {audio: again.wav}\n"
    "  turns: {en-US: [One., Two.]}\n"
)


@pytest.mark.parametrize(
    ("prompt", "retry", "no_input", "no_match", "encoding"),
    [
        ("ask", "", "hangup", "hangup", "service"),
        ("ask", "", "b", "hangup", "runtime"),
        ("ask", "retry: {times: 2, no_input: again, no_match: again}, ", "hangup", "hangup", "service"),
        ("ask", "retry: {times: 2, no_input: again, no_match: wrong}, ", "hangup", "hangup", "runtime"),
        ("ask", "retry: {times: 2, no_input: file_again, no_match: file_again}, ", "hangup", "hangup", "runtime"),
        ("file", "retry: {times: 2, no_input: file_again, no_match: file_again}, ", "hangup", "hangup", "service"),
        ("turns", "retry: {times: 2, no_input: again, no_match: again}, ", "hangup", "hangup", "runtime"),
        ("turns", "retry: {times: 0}, ", "hangup", "hangup", "service"),
        ("ask", "retry: {times: 2}, ", "hangup", "hangup", "service"),
        ("[file, ask]", "retry: {times: 2, no_input: again, no_match: again}, ", "hangup", "hangup", "runtime"),
        (
            '"Enter {call.from as digits}"',
            "retry: {times: 1, no_input: again, no_match: again}, ",
            "hangup",
            "hangup",
            "service",
        ),
    ],
)
def test_the_service_repeats_where_nobody_hears_a_difference(
    prompt: str, retry: str, no_input: str, no_match: str, encoding: str, tmp_path: Path
) -> None:
    text = ASK.format(prompt=prompt, retry=retry, no_input=no_input, no_match=no_match)
    plan = compiled(tmp_path, text, {"prompts.yaml": PROMPTS + WORDS})
    assert plan["states"]["a"]["encoding"] == encoding


def test_questions_that_sound_alike_get_ticks(tmp_path: Path) -> None:
    text = (
        HEAD
        + ANSWERS
        + (
            "start: a\nstates:\n  a: {menu: '{call.id}', keys: {1: b}}\n  b: {menu: '{call.id}', keys: {1: c}}\n"
            "  c: {menu: '{call.id}', keys: {1: hangup}, timeout: 6s}\n"
        )
    )
    plan = compiled(tmp_path, text)["states"]
    assert [plan[name]["tick"] for name in "abc"] == [0, 1, 0]


def test_a_spoken_value_turns_plain_words_into_ssml(tmp_path: Path) -> None:
    text = (
        HEAD
        + ANSWERS
        + "prompts: prompts.yaml\nstart: a\nstates:\n  a: {say: hello, next: b}\n  b: {say: 'R&D {call.from as digits}', next: hangup}\n"
    )
    plan = compiled(tmp_path, text, {"prompts.yaml": PROMPTS + "  hello: {en-US: 'A & B: {call.to as digits}.'}\n"})
    assert plan["prompts"]["hello"] == {
        "en-US": [{"say": ["<speak>A &amp; B: ", ["as", "digits", ["call", "to"]], ".</speak>"], "ssml": True}]
    }
    assert plan["states"]["b"]["items"] == [["prompt", "text:b:say.0"]]
    assert plan["prompts"]["text:b:say.0"]["*"][0]["say"][0] == "<speak>R&amp;D "


def test_only_prompts_that_are_heard_are_in_the_plan(tmp_path: Path) -> None:
    files = {"prompts.yaml": PROMPTS + "  hello: {en-US: Hello.}\n  other: {en-US: Other.}\n"}
    text = HEAD + ANSWERS + "prompts: prompts.yaml\n%sstart: a\nstates:\n  a: {say: hello, next: hangup}\n"
    assert list(compiled(tmp_path, text % "", files)["prompts"]) == ["hello"]
    named = compiled(
        tmp_path, text.replace("say: hello", "say: [hello, which]") % 'vars: {which: prompt = "other"}\n', files
    )
    assert sorted(named["prompts"]) == ["hello", "other"], (
        "a name that is only known during the call may be any of them"
    )


def test_an_environment_value_that_is_tested_first_may_be_missing(tmp_path: Path) -> None:
    text = (
        HEAD
        + ANSWERS
        + (
            "start: a\nstates:\n  a:\n    choose: {open: env.DESK and not env.CLOSED}\n    next: {open: b, other: hangup}\n"
            "  b: {bridge: env.DESK, caller_id: env.OWN, next: {no_answer: hangup}}\n"
        )
    )
    assert compiled(tmp_path, text)["env"] == {"required": ["OWN"], "optional": ["CLOSED", "DESK"]}


def test_only_what_can_happen_twice_is_counted(tmp_path: Path) -> None:
    text = (
        HEAD
        + ANSWERS
        + "hooks: {find: {python: hooks.a:find}}\nstart: a\nstates:\n"
        + (
            "  a: {run: find(), next: b}\n  b: {say: '{call.id}', visits: 2, next: {done: c, exhausted: hangup}}\n  c: {run: find(), next: b}\n"
        )
    )
    plan = compiled(tmp_path, text)["states"]
    assert {name: state.get("count") for name, state in plan.items()} == {"a": None, "b": "v:b", "c": "v:c"}


def test_a_sub_flow_is_in_the_plan_once_however_often_it_is_used(tmp_path: Path) -> None:
    text = (
        HEAD
        + ANSWERS
        + ("start: a\nstates:\n  a: {use: part, next: {kept: b}}\n  b: {use: whole, next: {kept: hangup}}\n")
    )
    part = (
        SUB.format(name="part")
        + "outcomes: [kept]\nhooks: {find: {python: hooks.a:find}}\nstart: a\nstates:\n  a: {run: find(), next: b}\n  b: {return: kept}\n"
    )
    whole = (
        SUB.format(name="whole")
        + "outcomes: [kept]\nstart: a\nstates:\n  a: {use: part, next: {kept: b}}\n  b: {return: kept}\n"
    )
    plan = compiled(tmp_path, text, {"part.yaml": part, "whole.yaml": whole})
    assert sorted(plan["states"]) == ["a", "b", "part/a", "part/b", "whole/a", "whole/b"]
    assert plan["states"]["part/a"]["count"] == "v:part/a", "two uses, two effects, two tokens"
    assert list(plan["hooks"]) == ["part/find"]


@pytest.mark.parametrize(
    "folder", [ROOT / "flows", *sorted((ROOT / "tests/scenarios").glob("A*"))], ids=lambda path: path.name
)
def test_the_same_flows_give_the_same_bytes(folder: Path) -> None:
    first, second = compile_paths([folder]), compile_paths([folder])
    assert first.plan is not None, shown(first)
    assert second.plan is not None
    assert first.plan.dumps() == second.plan.dumps()
    assert Plan.loads(first.plan.dumps()).dumps() == first.plan.dumps()
    assert str(ROOT) not in first.plan.dumps()


def test_bytes_do_not_depend_on_the_folder(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    plans = [compile_paths([write(folder, VERBS, FILES)]).plan for folder in (one, two)]
    assert plans[0] is not None
    assert plans[1] is not None
    assert plans[0].dumps() == plans[1].dumps()


def test_an_expression_of_the_plan_is_plain_json(tmp_path: Path) -> None:
    plan = compiled(tmp_path, VERBS, FILES)
    assert json.loads(json.dumps(plan)) == plan
