"""What is saved at each rest: no more than is read later, and all of it."""

# ruff: noqa: E501 - a flow reads best in as few lines as it has

from __future__ import annotations

from pathlib import Path

from .building import ANSWERS, HEAD, SUB, compiled

Keep = dict[str, list[str]]


def keep(folder: Path, text: str, files: dict[str, str] | None = None) -> Keep:
    states = compiled(folder, text, files)["states"]
    return {name: state["keep"] for name, state in states.items() if "keep" in state}


NUMBER = HEAD + ANSWERS + "vars: {number: digits(4)}\nhooks: {find: {python: hooks.a:find}}\n"


def test_a_value_is_saved_until_its_last_reader(tmp_path: Path) -> None:
    text = NUMBER + (
        "start: ask\nstates:\n  ask: {gather: number, prompt: '{call.id}', next: say_it}\n  say_it: {say: '{call.to}', next: use_it}\n"
        "  use_it: {run: find(number), next: bye}\n  bye: {say: '{call.from}', next: hangup}\n"
    )
    assert keep(tmp_path, text) == {"say_it": ["number"]}


def test_what_is_read_in_the_same_invocation_is_not_saved(tmp_path: Path) -> None:
    text = NUMBER + (
        "start: ask\nstates:\n  ask: {gather: number, prompt: '{call.id}', next: use_it}\n  use_it: {run: find(number), next: hangup}\n"
    )
    assert keep(tmp_path, text) == {}


def test_values_of_silent_states_in_front_of_a_hook_are_saved_at_the_cut(tmp_path: Path) -> None:
    text = NUMBER + (
        "start: hello\nstates:\n  hello: {say: '{call.id}', next: note}\n  note: {set: {number: \"1234\"}, next: use_it}\n"
        "  use_it: {run: find(number), next: hangup}\n"
    )
    assert keep(tmp_path, text) == {"hello": ["number"]}


def test_what_an_earlier_failure_of_the_list_needs_is_saved_by_the_last_owner(tmp_path: Path) -> None:
    text = NUMBER + (
        "start: ask\nstates:\n  ask: {gather: number, prompt: '{call.id}', next: first}\n"
        "  first: {say: '{call.to}', next: {done: second, failed: lost}}\n  second: {wait: 1s, next: hangup}\n"
        "  lost: {run: find(number), next: hangup}\n"
    )
    assert keep(tmp_path, text) == {"first": ["number"], "second": ["number"]}


def test_a_question_that_the_runtime_repeats_needs_its_own_values(tmp_path: Path) -> None:
    text = HEAD + (
        "vars: {name: text}\nhooks: {who: {python: hooks.a:who, gives: {name: text}}}\n"
        "defaults: {retry: {times: 2}, next: {failed: hangup, no_input: hangup, no_match: hangup}}\nstart: look\nstates:\n"
        '  look: {run: who(), next: ask}\n  ask: {menu: "Hello {name}", keys: {1: hangup}, next: {no_input: other}}\n'
        "  other: {hangup: normal}\n"
    )
    assert keep(tmp_path, text) == {"ask": ["name"]}


def test_a_bridge_saves_what_its_keys_need(tmp_path: Path) -> None:
    text = NUMBER + (
        "start: ask\nstates:\n  ask: {gather: number, prompt: '{call.id}', next: talk}\n"
        '  talk: {bridge: env.DESK, keys: {1: tell}, next: {no_answer: hangup}}\n  tell: {say: "{number}", next: more}\n'
        "  more: {run: find(call.id), next: back}\n"
    )
    assert keep(tmp_path, text) == {"talk": ["number"], "tell": ["number"]}


def test_going_back_to_a_menu_needs_what_its_question_needs(tmp_path: Path) -> None:
    text = NUMBER + (
        "start: ask\nstates:\n  ask: {gather: number, prompt: '{call.id}', next: choose_one}\n"
        "  choose_one: {menu: \"{number}\", keys: {1: tell}}\n  tell: {say: '{call.to}', visits: 3, next: back}\n"
    )
    assert keep(tmp_path, text) == {"choose_one": ["number"], "tell": ["number"]}


def test_an_update_needs_its_values_where_it_may_arrive(tmp_path: Path) -> None:
    text = NUMBER + (
        "updates:\n  hurry: {takes: {why: text(20)}, during: [pause], next: tell}\nstart: ask\nstates:\n"
        "  ask: {gather: number, prompt: '{call.id}', next: pause}\n  pause: {wait: 20s, next: hangup}\n"
        '  tell: {say: "{why} {number}", next: hangup}\n'
    )
    plan = compiled(tmp_path, text)
    assert plan["states"]["pause"]["keep"] == ["number"]
    assert plan["updates"][0]["keep"] == ["number"]
    assert "keep" not in plan["states"]["ask"]


def test_cleanup_undo_and_conditions_of_updates_are_always_saved(tmp_path: Path) -> None:
    text = (
        HEAD
        + ANSWERS
        + (
            "vars: {number: digits(4), room: text, quiet: boolean}\nhooks:\n  make: {python: hooks.a:make, gives: {room: text}, undo: unmake(room)}\n"
            "  unmake: {python: hooks.a:unmake, effect: repeatable}\n  report: {python: hooks.a:report}\n"
            "updates:\n  stop: {when: not quiet, next: hangup}\ncleanup:\n  - run: report(number)\n    when: number\n"
            "start: ask\nstates:\n  ask: {gather: number, prompt: '{call.id}', next: build}\n  build: {run: make(), next: shy}\n"
            "  shy: {set: {quiet: true}, next: hangup}\n"
        )
    )
    assert compiled(tmp_path, text)["keep"] == ["number", "quiet", "room"]


def test_the_callers_variables_survive_a_sub_flow(tmp_path: Path) -> None:
    text = NUMBER + (
        "start: ask\nstates:\n  ask: {gather: number, prompt: '{call.id}', next: more}\n  more: {use: box, next: {kept: tell}}\n"
        '  tell: {say: "{number} {message.key}", next: hangup}\n'
    )
    box = SUB.format(name="box") + (
        "outcomes: [kept]\ngives: {message: recording}\nstart: speak\nstates:\n"
        "  speak: {record: message, max: 1m, to: env.BOX, next: kept}\n  kept: {return: kept}\n"
    )
    assert keep(tmp_path, text, {"box.yaml": box}) == {"box/speak": ["number"]}


def test_headers_keys_and_bot_results_are_saved_like_variables(tmp_path: Path) -> None:
    text = (
        HEAD
        + ANSWERS
        + (
            "hooks: {store: {python: hooks.a:store}}\nstart: talk\nstates:\n"
            "  talk: {bot: env.BOT, intents: [Order], next: {Order: tell, other: hangup}}\n  tell: {say: '{call.id}', next: keep_it}\n"
            "  keep_it:\n    run: store(bot.slots, call.headers.X-Order)\n    next: hangup\n"
        )
    )
    assert keep(tmp_path, text) == {"talk": ["header.x-order"], "tell": ["bot.slots", "header.x-order"]}


def test_a_used_up_state_is_passed_through(tmp_path: Path) -> None:
    text = (
        HEAD
        + ANSWERS
        + (
            "vars: {count: number = 0}\nhooks: {store: {python: hooks.a:store}}\nstart: tell\nstates:\n"
            "  tell: {say: '{call.id}', visits: 9, next: ask}\n"
            "  ask: {menu: '{call.to}', keys: {1: tell}, visits: 2, next: {exhausted: add}}\n"
            "  add: {set: {count: count + 1}, next: store}\n  store: {run: store(count), next: hangup}\n"
        )
    )
    assert "count" in keep(tmp_path, text)["tell"]
