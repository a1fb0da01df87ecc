"""Facts of a plan: sizes and lengths at their worst."""

# ruff: noqa: E501 - a flow reads best in as few lines as it has

from __future__ import annotations

from pathlib import Path

from sma_flows.plan import revision_of

from .building import ANSWERS, HEAD, PROMPTS, compiled


def facts(folder: Path, text: str, files: dict[str, str] | None = None) -> dict[str, object]:
    found: dict[str, object] = compiled(folder, text, files)["facts"]
    return found


def test_a_straight_run_of_states_is_one_list(tmp_path: Path) -> None:
    text = (
        HEAD
        + ANSWERS
        + (
            "start: a\nstates:\n  a: {wait: 1s, next: b}\n  b: {say: '{call.id}', next: c}\n  c: {voice_focus: on, leg: both, next: d}\n"
            "  d: {say: '{call.to}', hangup: normal}\n"
        )
    )
    found = facts(tmp_path, text)
    assert found["states"] == 4
    assert found["longest_list"] == 6
    assert "3 states follow" in str(found["note"])


def test_a_list_ends_in_front_of_a_hook(tmp_path: Path) -> None:
    text = (
        HEAD
        + ANSWERS
        + "hooks: {find: {python: hooks.a:find}}\nstart: a\nstates:\n"
        + (
            "  a: {say: '{call.id}', next: b}\n  b: {run: find(), next: c}\n  c: {say: '{call.to}', next: d}\n  d: {wait: 1s, next: hangup}\n"
        )
    )
    assert facts(tmp_path, text)["longest_list"] == 2


def test_ten_actions_are_the_most(tmp_path: Path) -> None:
    lines = [f"  s{n}: {{wait: 1s, next: s{n + 1}}}\n" for n in range(15)]
    assert (
        facts(tmp_path, HEAD + "start: s0\nstates:\n" + "".join(lines) + "  s15: {hangup: normal}\n")["longest_list"]
        == 10
    )


def test_attributes_are_counted_where_most_is_saved(tmp_path: Path) -> None:
    text = (
        HEAD
        + ANSWERS
        + (
            "vars: {code: digits(4)}\nhooks: {find: {python: hooks.a:find, gives: {name: text(100)}}}\nstart: ask\nstates:\n"
            "  ask: {gather: code, prompt: '{call.id}', next: look}\n  look: {run: find(), next: more}\n"
            "  more: {menu: '{call.to}', keys: {1: tell}}\n  tell: {say: '{name} {code}', next: hangup}\n"
        )
    )
    found = facts(tmp_path, text)
    assert 1_500 + 600 < int(str(found["attributes_bytes"])) < 1_500 + 900
    assert "largest at 'more'" in str(found["note"])


def test_facts_do_not_change_the_revision(tmp_path: Path) -> None:
    plan = compiled(tmp_path, HEAD + "start: a\nstates:\n  a: {hangup: normal}\n")
    assert revision_of(plan) == revision_of({**plan, "facts": {}})


def test_files_are_actions_of_their_own_and_texts_are_joined(tmp_path: Path) -> None:
    text = (
        HEAD + ANSWERS + "prompts: prompts.yaml\nstart: a\nstates:\n  a: {say: [one, two, file, three], next: hangup}\n"
    )
    files = {
        "prompts.yaml": PROMPTS
        + "  one: {en-US: One.}\n  two: {en-US: Two.}\n  file: {audio: f.wav}\n  three: {en-US: Three.}\n"
    }
    assert facts(tmp_path, text, files)["longest_list"] == 3


def test_what_may_arrive_while_the_world_is_asked_is_listed(tmp_path: Path) -> None:
    text = (
        HEAD
        + ANSWERS
        + (
            "hooks: {rate: {python: hooks.a:rate}}\nupdates:\n  stop: {during: [talk], next: hangup}\nstart: first\nstates:\n"
            "  first: {run: rate(), next: talk}\n  talk: {bridge: env.DESK, keys: {1: note, 2: quiet}, next: {no_answer: hangup}}\n"
            "  note: {run: rate(), next: back}\n  quiet: {voice_focus: on, next: back}\n"
        )
    )
    assert facts(tmp_path, text)["overlaps"] == [
        ["note", "key 1 of talk"],
        ["note", "key 2 of talk"],
        ["note", "update stop"],
    ]
