"""What the models make of flows, state by state."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sma_flows.flow import model
from sma_flows.flow.expressions import Expr, HookCall
from sma_flows.flow.fields import Connector, PromptItem
from sma_flows.flow.states import STATES, keys_of, owners_of
from sma_flows.flow.values import Limit, Range, Take, Visits

from .reading import DIAL_IN, read, state_of


def name(text: str) -> PromptItem:
    return PromptItem("name", text)


def var(text: str) -> Expr:
    return Expr("var", (text,))


def env(text: str) -> Expr:
    return Expr("env", (text,))


def flow(top: str) -> Any:
    text = f"sma_flow: 1\nname: one\nentry: inbound\n{top}\nstart: it\nstates:\n  it:\n    hangup: normal\n"
    found, diagnostics = read(text)
    assert diagnostics == []
    return found


def test_the_dial_in_flow_is_read_whole() -> None:
    found, diagnostics = read(DIAL_IN)
    assert diagnostics == []
    assert list(found.states) == [
        *("welcome", "ask_meeting", "ask_pin", "check", "wrong_pin", "join", "toggle_mute", "sorry", "goodbye"),
    ]
    assert found.vars["pin"].secrecy == "secret"
    assert found.defaults.retry.times == 2
    assert found.defaults.next == {"no_input": "goodbye", "no_match": "goodbye", "failed": "sorry"}
    assert found.hooks["verify_pin"].results == {"ok": {}, "wrong": {}, "closed": {}}
    assert found.states["check"].limit == (
        Limit("wrong", 3, "call"),
        Limit("wrong", 10, "caller", 3_600),
        Limit("wrong", 20, "meeting", 3_600),
    )
    assert found.states["goodbye"].before == ("say",)


STATE_CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("say: welcome", "say", {"say": (name("welcome"),), "leg": "A", "next": {}, "before": ()}),
    ("say: [one, two]\nleg: both", "say", {"say": (name("one"), name("two")), "leg": "both"}),
    (
        'say: "Hello, {caller}."',
        "say",
        {"say": (PromptItem("text", template=Expr("text", ("Hello, ", var("caller"), "."))),)},
    ),
    ("say: hello\nplay: music", "play", {"before": ("say",), "play": (name("music"),)}),
    ("play: hello\nsay: words", "say", {"before": ("play",)}),
    ("play: hello\nsay: words\nhangup: busy", "hangup", {"before": ("play", "say"), "hangup": "busy", "leg": None}),
    ("hangup: busy\nsay: words", "hangup", {"before": ("say",)}),
    (
        "play: message\ntimes: 3\nstop_on: [pound, star]\nkeys: {1: a}\nkey_gap: 2s\nlisten: both",
        "play",
        {"times": 3, "stop_on": ("#", "*"), "keys": {"1": "a"}, "key_gap": 2_000, "listen": "both"},
    ),
    (
        "gather: pin\nprompt: ask\nfinish_on: pound\nretry: {times: 2, no_input: hm}\npattern: '^1'\nnext: done",
        "gather",
        {
            "gather": "pin",
            "prompt": (name("ask"),),
            "finish_on": ("#",),
            "timeout": 5_000,
            "digit_gap": 3_000,
            "pattern": "^1",
            "next": {"": "done"},
        },
    ),
    (
        'menu: ask\nkeys: {1: a, star: b, "*6": c, "#": back, digit: hangup, 02: d}',
        "menu",
        {"keys": {"1": "a", "*": "b", "*6": "c", "#": "back", "digit": "hangup", "02": "d"}},
    ),
    (
        "record: message\nmax: 2m\nto: env.BUCKET\nsilence: 4s\nfinish_on: pound\nbeep: tone",
        "record",
        {"record": "message", "max": 120_000, "to": env("BUCKET"), "silence": 4_000, "silence_level": 200},
    ),
    (
        "record_call: start\nto: env.BUCKET\ntrack: both\ninto: place\nleg: B",
        "record_call",
        {"record_call": "start", "track": "both", "into": "place", "leg": "B"},
    ),
    (
        "bridge: +12065550150\nring_for: 25s\nringback: ring\ncaller_id: call.to\nheaders: {x-id: ticket}\n"
        "connected: hi",
        "bridge",
        {
            "bridge": Expr("lit", ("+12065550150",)),
            "ring_for": 25_000,
            "caller_id": Expr("call", ("to",)),
            "headers": {"x-id": var("ticket")},
            "connected": "hi",
        },
    ),
    (
        'bridge: {connector: env.ARN, user: "desk"}',
        "bridge",
        {"bridge": Connector(env("ARN"), Expr("lit", ("desk",))), "ring_for": 30_000},
    ),
    ("join_meeting: room\ntoken: token", "join_meeting", {"join_meeting": var("room"), "token": var("token")}),
    ("mute: off\nwho: others", "mute", {"mute": "off", "who": "others"}),
    (
        "bot: env.BOT\nintents: [Route, AMAZON.HelpIntent]\nwelcome: hello\nattributes: {lang: call.locale}\n"
        "into: {city: slots.City, x: attributes.x}\nnext: {Route: a, other: b}",
        "bot",
        {
            "bot": env("BOT"),
            "intents": ("Route", "AMAZON.HelpIntent"),
            "attributes": {"lang": Expr("call", ("locale",))},
            "into": {"city": ("slots", "City"), "x": ("attributes", "x")},
            "next": {"Route": "a", "other": "b"},
        },
    ),
    ("bot: env.BOT\nintents: Route\nattributes: bot.attributes", "bot", {"attributes": Expr("bot", ("attributes",))}),
    ("voice_focus: on\nleg: other", "voice_focus", {"voice_focus": True, "leg": "other"}),
    ("voice_focus: off", "voice_focus", {"voice_focus": False}),
    ('send_digits: "{meeting}#,,#"\ntone: 300ms', "send_digits", {"tone": 300}),
    ("wait: 40s\nkeys: {pound: a}", "wait", {"wait": 40_000, "keys": {"#": "a"}}),
    (
        "run: verify(meeting)\ninto: {room: found}\nlimit: {wrong: 3 per call}\nvisits: 4 in tries since it",
        "run",
        {
            "run": HookCall("verify", (var("meeting"),)),
            "into": {"room": "found"},
            "limit": (Limit("wrong", 3, "call"),),
            "visits": Visits(4, "tries", "it"),
        },
    ),
    ("choose: kind\nnext: {sales: a, other: b}", "choose", {"choose": var("kind")}),
    (
        "choose:\n  vip: not regular\n  late: n > 3",
        "choose",
        {"choose": {"vip": Expr("not", (var("regular"),)), "late": Expr(">", (var("n"), Expr("lit", (3,))))}},
    ),
    ("schedule: office\nnext: {open: a, closed: b}", "schedule", {"schedule": "office"}),
    ("take: message from messages", "take", {"take": Take("message", "messages")}),
    (
        'set: {n: n + 1, call.locale: "es-US", old: unset}',
        "set",
        {"set": {"n": Expr("+", (var("n"), 1)), "call.locale": Expr("lit", ("es-US",)), "old": Expr("unset")}},
    ),
    (
        "use: leave-message\nwith: {mailbox: number}\ninto: {mine: message}",
        "use",
        {"use": "leave-message", "with_": {"mailbox": var("number")}, "into": {"mine": "message"}},
    ),
    ("return: kept", "return", {"return_": "kept"}),
    ("hangup: normal\nleg: B\nnext: it", "hangup", {"hangup": "normal", "leg": "B", "next": {"": "it"}}),
]


@pytest.mark.parametrize(
    ("body", "verb", "expected"), STATE_CASES, ids=[case[0].splitlines()[0] for case in STATE_CASES]
)
def test_a_state_is_read(body: str, verb: str, expected: dict[str, Any]) -> None:
    found = state_of(body)
    assert found.verb == verb
    assert {key: getattr(found, key) for key in expected} == expected


def test_every_verb_has_a_case() -> None:
    assert {verb for _, verb, _ in STATE_CASES} == set(STATES) == set(model.VERBS)


def test_a_hook_may_have_results_for_each_outcome() -> None:
    found = flow(
        "hooks:\n  find:\n    python: hooks.routing:find\n    outcomes: {inside: {extension: text(30)}, none: {}}"
    )
    results = found.hooks["find"].results
    assert {outcome: list(each) for outcome, each in results.items()} == {"inside": ["extension"], "none": []}


def test_the_results_of_a_hook_belong_to_its_first_outcome() -> None:
    found = flow(
        "hooks:\n  find: {python: hooks.m:f, outcomes: [ok, gone], gives: {room: text}, effect: read, undo: f(room)}"
    )
    hook = found.hooks["find"]
    assert {outcome: list(each) for outcome, each in hook.results.items()} == {"ok": ["room"], "gone": []}
    assert (hook.budget, hook.effect, hook.undo) == (2_000, "read", HookCall("f", (var("room"),)))


def test_a_hook_without_outcomes_is_done() -> None:
    assert flow("hooks:\n  f: {python: hooks.m:f}").hooks["f"].results == {"done": {}}


def test_a_built_in_hook_has_values_of_its_own() -> None:
    hook = flow("hooks:\n  f: {builtin: directory.put, with: {table: env.T}, fields: [name, room]}").hooks["f"]
    assert (hook.builtin, hook.with_, hook.fields_) == ("directory.put", {"table": env("T")}, ("name", "room"))


def test_periods_of_a_schedule_stay_in_their_order() -> None:
    found = flow("schedules:\n  office:\n    closed: [2026-12-25]\n    zone: Etc/UTC\n    open: mon-fri 09:00-17:00")
    office = found.schedules["office"]
    assert office.zone == "Etc/UTC"
    assert office.periods == {
        "closed": (Range("2026-12-25", None, 0, 1440),),
        "open": (Range(None, (0, 1, 2, 3, 4), 540, 1020),),
    }


def test_an_update_says_what_it_takes_and_when() -> None:
    found = flow(
        'updates:\n  notice:\n    match: {kind: "notice"}\n    takes: {words: text(1..900)}\n'
        "    when: not silenced\n    during: [it]\n    queue: 5\n    next: it\n  stop: {next: it}"
    )
    notice, stop = found.updates["notice"], found.updates["stop"]
    assert (notice.match, notice.when, notice.during, notice.queue) == (
        {"kind": "notice"},
        Expr("not", (var("silenced"),)),
        ("it",),
        5,
    )
    assert (stop.match, stop.takes, stop.during, stop.queue) == (None, {}, None, None)


def test_cleanup_keeps_its_order() -> None:
    found = flow("cleanup:\n  - run: stop(pipeline)\n    when: pipeline\n  - run: done")
    assert [(each.run.name, each.when) for each in found.cleanup] == [("stop", var("pipeline")), ("done", None)]


def test_a_dial_policy_has_prefixes() -> None:
    policy = flow("dial_policy: {allow: [+1206, env.MORE], deny: +1900, caller_id: env.OWN}").dial_policy
    assert (policy.allow, policy.deny) == ((Expr("lit", ("+1206",)), env("MORE")), (Expr("lit", ("+1900",)),))


def test_a_bundle_has_flows_and_routes() -> None:
    text = (
        "sma_bundle: 1\nflows: [a.yaml, b.yaml]\nroutes:\n  - {to: env.SALES, flow: a}\n"
        '  - {argument: kind, is: "callback", flow: b}\n  - {entry: inbound, flow: a}\n'
    )
    found, diagnostics = read(text, "bundle")
    assert diagnostics == []
    assert [(each.flow, each.to, each.argument, each.is_, each.entry) for each in found.routes] == [
        ("a", env("SALES"), None, None, None),
        ("b", None, "kind", "callback", None),
        ("a", None, None, None, "inbound"),
    ]


def test_a_sub_flow_declares_how_it_ends() -> None:
    found, diagnostics = read(
        "sma_flow: 1\nname: leave-message\nentry: sub\ninputs: {mailbox: digits(4)}\noutcomes: [kept, given_up]\n"
        "gives: {message: recording}\nstart: it\nstates:\n  it:\n    return: kept\n"
    )
    assert diagnostics == []
    assert (found.outcomes, list(found.inputs), list(found.gives)) == (("kept", "given_up"), ["mailbox"], ["message"])


def test_models_do_not_change() -> None:
    found = state_of("say: welcome")
    with pytest.raises(ValueError, match="frozen"):
        found.leg = "B"


def test_every_key_of_a_verb_is_known_to_belong_to_it() -> None:
    for verb in STATES:
        for key in keys_of(verb):
            assert key in ("say", "play", "next", "visits") or verb in owners_of(key)


def test_editors_get_a_schema_without_inner_names() -> None:
    text = json.dumps(model.json_schema())
    assert "\\u0000" not in text
    for word in ("sma_flow", "join_meeting", "return", "while", "zone"):
        assert f'"{word}"' in text
