"""The journal where it is hard: the same event twice, answers that overtake, legs, the end of the call, secrets."""

from __future__ import annotations

import pytest

from decisions.journal import Crossing, memory
from decisions.test_journal import FLOW, talking
from sma_flows.services.local.database import Database
from sma_flows.services.local.journal import LocalJournal
from sma_flows.simulator.messages import Callee, Dials, HangUp, Input, Key, Update

ENDING = """\
sma_flow: 1
name: ending
entry: inbound
hooks:
  note: {python: hooks.made:note, effect: keyed, budget: 800ms}
  make: {python: hooks.made:make, effect: keyed, budget: 800ms, undo: unmake()}
  unmake: {python: hooks.made:unmake, effect: repeatable, budget: 400ms}
  tidy: {python: hooks.made:tidy, effect: repeatable, budget: 400ms}
updates:
  stop: {next: bye}
  ring: {during: [main], next: ring}
  digits: {during: [talk], next: dialling}
cleanup: [{run: tidy()}]
defaults: {next: {no_input: bye, no_match: bye, exhausted: bye, failed: sorry}}
start: main
states:
  main: {menu: "Main.", keys: {1: look, 2: talk}, visits: 9}
  look: {run: note(), next: said}
  said: {say: "Done.", next: main}
  ring: {bridge: env.OFFICE, next: {no_answer: main, ended: bye}}
  talk: {bridge: env.SALES, keys: {1: noting, 2: making}, next: {ended: bye, no_answer: main}}
  noting: {run: note(), next: back}
  making: {run: make(), next: back}
  dialling: {say: "Dialling.", next: tones}
  tones: {send_digits: "123", leg: B, next: {done: back, failed: not_sent}}
  not_sent: {say: "They were not sent.", next: back}
  sorry: {say: "Sorry.", next: bye}
  bye: {say: "Goodbye.", hangup: normal}
"""


def update(name: str) -> Update:
    return Update((("update", name),))


def in_main(call: Crossing) -> Crossing:
    call.phone.dial_in()
    call.go_on(500)
    assert call.results[-1].after.state == "main"
    return call


def in_talk(call: Crossing) -> Crossing:
    in_main(call)
    call.send(Key("2"))
    call.go_on(2_000)
    call.send(Callee("answers"))
    call.go_on(2_000)
    assert call.results[-1].after.base == "talk"
    return call


def crossed(call: Crossing, first: Input, second: Input, work: str, arrive: str) -> Crossing:
    """Two events at once; *work* and *arrive* are ``12`` or ``21``."""
    numbers = {"1": call.delivered(first), "2": call.delivered(second)}
    for which in work:
        call.work(numbers[which])
    for which in arrive:
        call.arrive(numbers[which])
    return call


# ---- the same event twice --------------------------------------------------------------------------------------------


def test_the_same_event_at_once_in_two_runtimes_has_one_answer() -> None:
    call = talking(Crossing(FLOW, memory()))
    number = call.delivered(Key("1"))
    twin = call.waiting[number]
    one = call.work(number)
    call.waiting[number] = twin
    assert call.work(number).response == one.response
    assert len({ask.token for ask in call.hooks.asks}) == 1


@pytest.mark.parametrize("sequence", ["yes", "no"])
def test_an_event_that_is_sent_again_is_not_a_second_key(sequence: str) -> None:
    call = talking(Crossing(FLOW, memory(), {"retry_same_sequence": sequence}))
    number = call.delivered(Key("1"))
    one = call.work(number)
    call.worked.clear()  # the answer is lost
    for _ in range(80):
        call.phone.wait(100)
        if call.waiting:
            break
    (again,) = call.waiting
    two = call.work(again)
    assert two.response == one.response
    call.arrive(again)
    call.go_on(3_000)
    call.send(HangUp("LEG-B"))
    call.go_on()
    assert "Only noted." in call.heard
    assert len({ask.token for ask in call.hooks.asks}) == 1


def test_an_event_that_another_one_has_overtaken_is_not_handled_again() -> None:
    call = talking(Crossing(FLOW, memory()))
    first = call.delivered(Key("1"))
    twin = call.waiting[first]
    second = call.delivered(Key("2"))
    call.work(first)
    call.work(second)
    call.waiting[first] = twin
    again = call.work(first)
    assert again.response == {"SchemaVersion": "1.0"}
    assert again.note == "repeated event"


# ---- answers that overtake -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arrive", ["12", "21"])
@pytest.mark.parametrize("work", ["12", "21"])
def test_an_update_that_ends_the_call_ends_it(work: str, arrive: str) -> None:
    call = crossed(in_talk(Crossing(ENDING, memory())), Key("1"), update("stop"), work, arrive)
    call.go_on(20_000)
    assert call.phone.over
    assert call.heard[-1] == "Goodbye."


@pytest.mark.parametrize(("work", "arrive"), [("12", "12"), ("21", "12"), ("21", "21")])
def test_a_leg_that_is_dialled_is_dialled_once_and_talks(work: str, arrive: str) -> None:
    """A key of a menu takes a hook while an update has somebody called: the call to him is what counts."""
    call = crossed(in_main(Crossing(ENDING, memory())), Key("1"), update("ring"), work, arrive)
    for _ in range(60):
        if call.phone.network.running is not None and call.phone.network.running.phase == "ring":
            break
        call.go_on(100)
    call.send(Callee("answers"))
    call.go_on(4_000)
    dials = [1 for entry in call.phone.transcript if isinstance(entry.value, Dials)]
    assert len(dials) == 1
    assert [leg.tag for leg in call.phone.network.legs if leg.connected] == ["LEG-A", "LEG-B"]
    call.send(HangUp("LEG-A"))
    call.go_on()
    assert call.phone.over


def test_a_leg_whose_list_was_overtaken_is_not_dialled_a_second_time_and_nobody_waits_in_silence() -> None:
    """It cannot be known whether it rings: the state has failed."""
    call = crossed(in_main(Crossing(ENDING, memory())), Key("1"), update("ring"), "12", "21")
    call.go_on(60_000)
    assert call.phone.over
    assert call.heard[-2:] == ["Sorry.", "Goodbye."]
    assert not [entry for entry in call.phone.transcript if isinstance(entry.value, Dials)]


def test_what_may_not_be_sent_again_is_the_failure_of_its_state() -> None:
    """Words and tones of the newer list never came to be, because the older one arrived behind it."""
    call = in_talk(Crossing(ENDING, memory()))
    crossed(call, Key("1"), update("digits"), "12", "21")
    call.go_on(6_000)
    assert call.heard[-2:] == ["Dialling.", "They were not sent."]
    assert call.results[-1].after.base == "talk"


def test_what_may_be_sent_again_is() -> None:
    text = FLOW.replace("wanting: {set: {wanted: true}, next: back}", "wanting: {set: {wanted: true}, next: [LIST]}")
    text = text.replace("next: [LIST]", "next: tell").replace(
        "  after:\n", "  tell: {play: word, next: back}\n  after:\n"
    )
    prompts = text.replace("vars:\n", 'vars:\n  word: audio = "word.wav"\n')
    call = talking(Crossing(prompts, memory()))
    crossed(call, Key("1"), Key("2"), "12", "21")
    call.go_on(5_000)
    files = [each.value.text for each in call.phone.transcript if getattr(each.value, "what", "") == "audio"]
    assert len(files) == 2, "cut by the older list, and played again"


# ---- the end of the call ---------------------------------------------------------------------------------------------


def gone(call: Crossing) -> None:
    call.send(HangUp("LEG-A"))
    call.go_on(5_000)
    call.phone.settle()
    call.answer()


def test_what_was_made_and_never_told_is_undone() -> None:
    """The hook has worked, its answer is on the way, and the caller is gone."""
    call = in_talk(Crossing(ENDING, memory()))
    number = call.delivered(Key("2"))
    call.work(number)
    gone(call)
    call.arrive(number)
    assert call.hooks.done["unmake"] >= 1
    assert len({ask.token for ask in call.hooks.asks if ask.name == "unmake"}) == 1
    assert call.hooks.done["tidy"] == 1


def test_what_was_made_after_the_clean_up_is_undone_by_whoever_made_it() -> None:
    call = in_talk(Crossing(ENDING, memory()))
    number = call.delivered(Key("2"))
    held = call.waiting.pop(number)
    gone(call)
    assert call.hooks.done["unmake"] == 0
    call.waiting[number] = held
    result = call.work(number)
    assert result.response == {"SchemaVersion": "1.0"}
    assert call.hooks.done["unmake"] == 1
    assert len({ask.token for ask in call.hooks.asks if ask.name == "tidy"}) == 1


def test_a_hook_whose_answer_has_no_place_any_more_is_still_undone_in_the_end() -> None:
    """The call is led elsewhere by an update; what the hook has made is remembered."""
    call = in_talk(Crossing(ENDING, memory()))
    crossed(call, Key("2"), update("stop"), "21", "21")
    call.go_on(20_000)
    call.phone.settle()
    call.answer()
    assert call.phone.over
    assert call.hooks.done["make"] == 1
    assert call.hooks.done["unmake"] >= 1


# ---- secrets ---------------------------------------------------------------------------------------------------------

PINS = """\
sma_flow: 1
name: pins
entry: inbound
vars: {pin: secret digits(6)}
hooks: {check: {python: hooks.made:check, effect: read, budget: 800ms, outcomes: [ok, wrong]}}
updates: {stop: {next: bye}}
defaults: {next: {no_input: bye, no_match: bye, failed: bye}}
start: ask
states:
  ask: {gather: pin, prompt: "Your PIN please.", next: look}
  look: {run: check(pin), next: {ok: inside, wrong: bye}}
  inside: {say: "You are in.", next: bye}
  bye: {say: "Goodbye.", hangup: normal}
"""


def test_the_journal_of_two_callers_with_two_pins_is_the_same_to_the_byte() -> None:
    def kept(pin: str) -> list[tuple[object, ...]]:
        database = Database("memory")
        call = Crossing(PINS, LocalJournal(database))
        call.phone.dial_in()
        call.go_on(500)
        call.phone.press(pin)
        call.go_on(1_500)
        assert "You are in." in call.heard
        return database.rows("SELECT call, n, entry FROM journal", (), 1.0)

    one, two = kept("482913"), kept("730155")
    assert one == two
    assert len(one) == 1
