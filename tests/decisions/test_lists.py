"""Decisions 25 to 34: lists and prompts, background keys, updates, loops, revisions."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from decisions.kit import ENV, Phone, World, findings, load, nothing, plan_after, plan_of, texts, types
from properties.line import Leg
from sma_flows.plan import Plan
from sma_flows.runtime.program import Program
from sma_flows.runtime.step import MAX_UPDATES

JOINED = """\
sma_flow: 1
name: joined
entry: inbound
defaults: {next: {no_input: bye, no_match: bye, failed: sorry}}
start: one
states:
  one: {say: "One.", next: {done: two, failed: first_failed}}
  two: {say: "Two.", next: ask}
  ask: {menu: "Ask.", keys: {1: bye}}
  first_failed: {say: "One failed.", next: bye}
  sorry: {say: "Sorry.", next: bye}
  bye: {say: "Goodbye.", hangup: normal}
"""


# -- 25


def test_a_failed_action_is_answered_by_the_state_it_belongs_to() -> None:
    answers = []
    for number in range(3):
        phone = Phone(JOINED)
        phone.start()
        assert types(phone.last) == ["Speak", "Speak", "SpeakAndGetDigits"]
        answers.append(texts(phone.react(phone.failure(phone.newest()[number]))))
    assert answers == [["One failed.", "Goodbye."], ["Sorry.", "Goodbye."], ["Sorry.", "Goodbye."]]


def test_a_failure_that_no_action_explains_is_answered_all_the_same() -> None:
    phone = Phone(JOINED)
    phone.start()
    event = phone.failure(phone.newest()[0])
    event["ActionData"]["Parameters"]["Text"] = "The service wrote something else."
    assert texts(phone.react(event))[-1] == "Goodbye."


def test_actions_that_sound_alike_and_fail_to_different_places_do_not_share_a_list() -> None:
    phone = Phone(JOINED.replace("Two.", "One."))
    assert types(phone.start()) == ["Speak"]


# -- 26


def test_a_failure_in_an_aside_goes_back_and_ends_no_call() -> None:
    text = """\
sma_flow: 1
name: aside
entry: inbound
updates: {hush: {during: [talk], next: hush}}
defaults: {next: {no_answer: bye, failed: sorry}}
start: talk
states:
  talk: {bridge: env.SALES, keys: {1: hush}, next: {ended: bye}}
  hush: {voice_focus: on, next: back}
  sorry: {say: "Sorry.", next: bye}
  bye: {say: "Goodbye.", hangup: normal}
"""
    for mover in ("key", "update"):
        phone = Phone(text).rest()
        phone.deliver(phone.key("1") if mover == "key" else phone.updating(update="hush"))
        phone.list = []
        result = phone.deliver(phone.failure(phone.newest()[-1]))
        assert (texts(result), result.after.base) == ([], "talk"), mover


def test_an_outcome_that_nobody_answers_does_not_compile() -> None:
    assert "SF208" in findings(JOINED.replace("no_input: bye, ", ""))


# -- 27


def test_the_error_path_is_entered_once_and_then_the_call_is_hung_up() -> None:
    phone = Phone(JOINED.replace("done: two, failed: first_failed", "done: two"))
    phone.start()
    assert texts(phone.deliver(phone.failure())) == ["Sorry.", "Goodbye."]
    assert types(phone.deliver(phone.failure(phone.newest()[0]))) == ["Hangup"]


def test_a_hangup_that_always_fails_is_not_tried_for_ever() -> None:
    phone = Phone(JOINED)
    phone.start()
    for _ in range(12):
        phone.deliver(phone.failure())
    assert nothing(phone.last)


def test_the_goodbye_of_a_lost_call_is_not_said_for_ever() -> None:
    phone = Phone(JOINED)
    phone.start()
    phone.attributes = None
    words = phone.react(phone.failure(error="SystemException"))
    assert types(words) == ["Speak", "Hangup"]
    assert "TransactionAttributes" not in words.response
    assert types(phone.react(phone.failure(words.actions[0]))) == ["Hangup"]
    again = [phone.deliver(phone.failure(words.actions[1])) for _ in range(5)]
    assert [types(each) for each in again] == [*[["Hangup"]] * 3, [], []]


class Broken:
    """A world that raises what it must not raise."""

    def perform(self, ask: Any, deadline: float) -> Any:
        raise RuntimeError("broken")


def test_a_fault_of_ours_takes_the_error_path_once() -> None:
    text = JOINED.replace("start: one", "hooks: {think: {python: hooks.made:think, budget: 100ms}}\nstart: begin")
    text = text.replace("  one:", "  begin: {run: think(), next: one}\n  one:")
    phone = Phone(text, Broken(), fault=True)  # type: ignore[arg-type]
    assert texts(phone.start()) == ["Sorry.", "Goodbye."]
    assert "e" in str((phone.attributes or {})["sf"]).split("|")[13]


# -- 28


LONG = """\
sma_flow: 1
name: long
entry: inbound
hooks: {read: {python: hooks.made:read, gives: {words: text(1..2000)}, effect: read, budget: 100ms}}
start: fetch
states:
  fetch: {run: read(), next: {done: tell, failed: hangup}}
  tell: {say: "{words}", next: {done: hangup, failed: hangup}}
"""


def test_a_long_text_is_split_at_the_ends_of_sentences() -> None:
    words = " ".join(f"This is sentence number {n} & it is long enough." for n in range(38))
    phone = Phone(LONG, World(read=("done", {"words": words})))
    said = texts(phone.start())
    assert " ".join(said) == words
    assert all(len(text) <= 1000 and text.endswith(".") for text in said)
    assert len(said) > 1


def test_a_question_that_could_be_too_long_does_not_compile() -> None:
    text = LONG.replace(
        'tell: {say: "{words}", next: {done: hangup',
        'tell: {menu: "{words}", keys: {1: hangup}, next: {no_input: hangup, no_match: hangup',
    )
    assert "SF401" in findings(text)


# -- 29 to 33


TALK = """\
sma_flow: 1
name: talk
entry: inbound
updates:
  news: {takes: {words: text(1..40)}, during: [talk], queue: 2, next: tell}
  stop: {takes: {words: text(1..40)}, when: words is "now", during: [talk], next: over}
  other: {match: {update: "stop"}, during: [talk], next: heard}
defaults: {next: {no_answer: bye, failed: sorry}}
start: talk
states:
  talk: {bridge: env.SALES, keys: {1: hello, 2: other}, next: {ended: bye}}
  hello: {say: "Hello.", next: back}
  other: {say: "Other.", next: back}
  tell: {say: "{words}", next: back}
  heard: {choose: {known: words}, next: {known: tell, other: other}}
  over: {say: "Over.", hangup: normal}
  sorry: {say: "Sorry.", next: bye}
  bye: {say: "Goodbye.", hangup: normal}
"""


def resting() -> Phone:
    phone = Phone(TALK).rest()
    assert phone.at.base == "talk"
    return phone


def test_a_matched_key_listens_again_first_and_a_newer_one_replaces_it_on_the_same_base() -> None:
    phone = resting()
    assert types(phone.deliver(phone.key("1"))) == ["ReceiveDigits", "Speak"]
    second = phone.deliver(phone.key("2"))
    assert (types(second), texts(second)) == (["ReceiveDigits", "Speak"], ["Other."])
    assert second.after.base == "talk"


def test_an_unknown_key_cuts_no_list_and_the_way_back_listens_again() -> None:
    """Also where the service forgets a listener after one use, nobody is deaf afterwards."""
    phone = resting()
    phone.deliver(phone.key("1"))
    assert nothing(phone.deliver(phone.key("7")))
    phone.listeners.clear()
    phone.rest()
    assert types(next(result for result in reversed(phone.results) if result.actions)) == ["ReceiveDigits"]
    assert texts(phone.deliver(phone.key("2"))) == ["Other."]


def test_a_key_belongs_to_the_leg_that_the_flow_names() -> None:
    phone = resting()
    event = phone.key("1")
    event["ActionData"]["Parameters"] |= {"CallId": phone.legs["LEG-B"].call_id, "ParticipantTag": "LEG-B"}
    assert types(phone.react(event)) == ["ReceiveDigits"], "only listened again"


def test_back_says_nothing_and_counts_no_visit() -> None:
    phone = resting()
    before = phone.at
    phone.deliver(phone.key("1"))
    phone.rest()
    assert phone.at == before
    assert texts(phone.newest() and {"Actions": phone.newest()}) == []


def test_keys_are_counted_and_then_a_pattern_is_registered_that_nobody_can_type() -> None:
    phone = resting()
    for _ in range(99):
        phone.deliver(phone.key("1"))
    assert phone.last.actions[0]["Parameters"]["InputDigitsRegex"] != "^[0-9]{60}$"
    phone.deliver(phone.key("1"))
    assert phone.last.actions[0]["Parameters"]["InputDigitsRegex"] == "^[0-9]{60}$"
    assert nothing(phone.react(phone.key("1")))


def test_updates_are_counted_and_then_get_nothing() -> None:
    phone = resting()
    for _ in range(MAX_UPDATES):
        phone.deliver(phone.updating(update="stop"))
    assert types(phone.last) == ["Speak"]
    assert nothing(phone.deliver(phone.updating(update="stop")))


def test_updates_wait_in_order_and_what_is_too_much_is_dropped() -> None:
    phone = resting()
    for words in "1234":
        phone.deliver(phone.updating(update="news", words=words))
    phone.rest()
    assert [text for result in phone.results for text in texts(result)] == ["1", "2", "3"]


def test_a_refused_update_leaves_none_of_its_arguments() -> None:
    phone = resting()
    result = phone.deliver(phone.updating(update="stop", words="later"))
    assert texts(result) == ["Other."]


def test_waiting_updates_are_dropped_with_their_conversation() -> None:
    phone = resting()
    for words in "12":
        phone.deliver(phone.updating(update="news", words=words))
    result = phone.deliver(phone.hangup("LEG-B"))
    assert texts(result) == ["Goodbye."]
    assert "@queue" not in str(phone.attributes)


@pytest.mark.parametrize(
    "arguments", [{}, {"update": "news"}, {"update": "news", "words": ""}, {"update": 7}, {"words": "x"}]
)
def test_an_update_that_is_not_typed_as_declared_gets_nothing(arguments: dict[str, Any]) -> None:
    phone = resting()
    assert nothing(phone.react(phone.updating(**arguments)))


def test_a_report_that_comes_late_while_bridged_is_answered_with_nothing() -> None:
    phone = resting()
    assert nothing(phone.react(phone.report(phone.results[0].actions[0])))
    phone.deliver(phone.key("1"))
    phone.rest()
    assert nothing(phone.react(phone.report({"Type": "Speak", "Parameters": {"CallId": "call-a", "Text": "Hello."}})))


def test_a_loop_without_a_number_does_not_compile() -> None:
    assert "SF217" in findings(JOINED.replace("keys: {1: bye}", "keys: {1: one}"))


# -- 34


VERSION = """\
sma_flow: 1
name: version
entry: inbound
defaults: {next: {no_input: bye, no_match: bye, failed: bye}}
start: ask
states:
  ask: {menu: "First version.", keys: {1: told}}
  told: {say: "This is the first version.", next: bye}
  bye: {hangup: normal}
"""
NEWER = VERSION.replace("first", "second").replace("First", "Second").replace("ask", "question")


def test_a_call_keeps_the_revision_it_began_with_and_a_new_one_gets_the_new() -> None:
    bundle = plan_after(NEWER, plan_of(VERSION))
    phone = Phone(Program.load(plan_of(VERSION), ENV))
    phone.start()
    phone.program = Program.load(Plan.loads(bundle.dumps()), ENV)
    assert texts(phone.react(phone.report(ReceivedDigits="1"))) == ["This is the first version."]
    assert texts(Phone(phone.program).start()) == ["Second version."]


def test_a_call_of_a_revision_that_is_gone_hears_a_goodbye() -> None:
    phone = Phone(Program.load(plan_of(VERSION), ENV))
    phone.start()
    phone.program = Program.load(plan_of(NEWER), ENV)
    result = phone.react(phone.report(ReceivedDigits="1"))
    assert types(result) == ["Speak", "Hangup"]
    assert "TransactionAttributes" not in result.response


def test_the_same_input_gives_the_same_bytes() -> None:
    once, twice = (plan_after(NEWER, plan_of(VERSION)).dumps() for _ in range(2))
    assert once == twice


def test_a_value_that_only_an_old_revision_needs_does_not_stop_the_load() -> None:
    old = plan_of(
        VERSION.replace(
            'told: {say: "This is the first version.", next: bye}',
            "told: {bridge: env.GONE, next: {ended: bye, no_answer: bye}}",
        )
    )
    program = Program.load(plan_after(NEWER, old), ENV)
    phone = Phone(Program.load(old, {"GONE": "+12065550150"}))
    phone.start()
    phone.program = program
    assert types(phone.react(phone.report(ReceivedDigits="1"))) == ["Hangup"], "a failure, not a fault"


# -- legs


def test_a_second_leg_b_is_never_asked_for() -> None:
    phone = Phone(TALK)
    phone.legs["LEG-B"] = Leg("call-b9", "LEG-B", "Connected")
    assert "CallAndBridge" not in types(phone.start())


def test_answers_are_fresh_objects() -> None:
    """What the caller of the handler does with one answer is not seen in the next (M1)."""
    program = load(JOINED)
    first = Phone(program).start()
    kept = copy.deepcopy(first.response)
    for action in first.actions:
        action["Parameters"].clear()
    assert Phone(program).start().response == kept
