"""Every cell of the reaction table (decision 10) is driven, and does what its row says."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from properties.calls import NOW, compiled
from properties.check import Checker
from properties.line import Chooser, Done, Line
from sma_flows.runtime import step as step_module
from sma_flows.runtime.ask import Ask, ServiceReply
from sma_flows.runtime.invoke import Result, handle
from sma_flows.runtime.program import Program

INBOUND = """\
sma_flow: 1
name: cells
entry: inbound
hooks:
  check: {python: hooks.made:check, outcomes: [more, enough], effect: read, budget: 100ms}
  note_end: {python: hooks.made:note_end, effect: repeatable, budget: 100ms}
updates:
  stop: {during: [main, talk], next: stopped}
  news: {takes: {words: text(1..40)}, during: [talk], queue: 1, next: tell}
defaults:
  next: {no_input: bye, no_match: bye, exhausted: bye, failed: sorry}
cleanup:
  - run: note_end()
start: round
states:
  round: {say: "Round.", visits: 4, next: look}
  look: {run: check(), next: {more: round, enough: main}}
  main:
    menu: "Main menu."
    keys: {1: talk, 2: second, 3: music}
    visits: 9
  second:
    say: "First words."
    menu: "Second menu."
    keys: {1: talk, 2: main}
  talk:
    bridge: env.SALES
    keys: {1: noise, 2: free}
    next: {ended: main, no_answer: main, failed: main}
  noise: {voice_focus: on, next: told}
  told: {say: "Less noise.", next: back}
  tell: {say: "{words}", next: back}
  free: {hangup: normal, leg: B, next: main}
  music:
    wait: 20s
    keys: {1: main}
    visits: 2
    next: main
  stopped: {say: "Stopped.", next: bye}
  sorry: {say: "Sorry.", next: bye}
  bye: {say: "Goodbye.", hangup: normal}
"""
OUTBOUND = """\
sma_flow: 1
name: calling
entry: outbound
inputs: {who: text(20)}
start: greet
states:
  greet: {say: "Hello {who}.", next: {done: hangup, failed: hangup}}
"""


@cache
def program() -> Program:
    with TemporaryDirectory() as folder:
        paths = []
        for name, text in (("cells", INBOUND), ("calling", OUTBOUND)):
            paths.append(Path(folder) / f"{name}.yaml")
            paths[-1].write_text(text, encoding="utf-8")
        return Program.load(compiled(*paths), {"SALES": "+12065550150"})


CHECKER = Checker()


class Works(Chooser):
    """Every action works; menus get the given keys."""

    def __init__(self, keys: str) -> None:
        self.keys = list(keys)

    def act(self, line: Line, action: dict[str, Any]) -> Any:
        if action["Type"] == "SpeakAndGetDigits":
            return Done({"ReceivedDigits": self.keys.pop(0)})
        return Done({"ReceivedDigits": ""} if action["Type"] == "ReceiveDigits" else {})


class Desk:
    """One call that can be brought to a point, and asked what it answers to any event there."""

    def __init__(self, *, inbound: bool = True, rounds: int = 0) -> None:
        self.rounds = rounds
        self.asked: list[str] = []
        self.line = Line(self.answer, inbound=inbound)

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        self.asked.append(ask.name)
        if ask.name == "check":
            self.rounds -= 1
            return ServiceReply("more" if self.rounds >= 0 else "enough")
        return ServiceReply("done")

    def answer(self, event: dict[str, Any]) -> Result:
        result = handle(program(), event, now=NOW, services=self)
        assert not result.fault, result.fault
        CHECKER.answer(event, result.response)
        return result

    def to(self, state: str, keys: str = "") -> Desk:
        """Start, and let everything work until *state* waits for its action."""
        self.line.start()
        works = Works(keys)
        for _ in range(40):
            if self.line.results[-1].after.state == state:
                return self
            self.line.step(works)
        raise AssertionError(f"{state} is not reached")

    def event(self, kind: str, action: str = "", sequence: int | None = None, **data: Any) -> dict[str, Any]:
        """An event as things stand now; *action* is echoed from the newest list that had one of its type."""
        event = self.line.event(kind)
        if sequence is not None:
            event["Sequence"] = sequence
        if action:
            sent = [each for result in self.line.results for each in result.actions if each["Type"] == action]
            event["ActionData"] = self.line.echo(sent[-1] if sent else {"Type": action, "Parameters": {}}, data)
        return event

    def reply(self, kind: str, action: str = "", sequence: int | None = None, **data: Any) -> Result:
        return self.answer(self.event(kind, action, sequence, **data))

    def hangup(self, tag: str, *, alive: tuple[str, ...] = ()) -> dict[str, Any]:
        """A HANGUP event; who stays alive is shown so, also if that is the one who hung up."""
        leg = self.line.legs.get(tag)
        for each in self.line.legs.values():
            each.status = "Connected" if each.tag in alive else "Disconnected"
        event = self.line.event("HANGUP")
        params = {"CallId": leg.call_id if leg else "call-x", "ParticipantTag": tag, "SipResponseCode": 0}
        event["ActionData"] = {"Type": "Hangup", "Parameters": params}
        return event


def types(result: Result) -> list[str]:
    return [action["Type"] for action in result.actions]


def nothing(result: Result) -> bool:
    return result.response == {"SchemaVersion": "1.0"}


def texts(result: Result) -> list[str]:
    speech = [a["Parameters"].get("SpeechParameters") or a["Parameters"] for a in result.actions]
    return [each["Text"] for each in speech if "Text" in each]


CELLS: dict[str, Callable[[], None]] = {}


def cell(function: Callable[[], None]) -> Callable[[], None]:
    CELLS[function.__name__] = function
    return function


# -- 1: unreadable and unknown


@cell
def unreadable_event_gets_nothing() -> None:
    for event in ([], None, "x", {}, {"InvocationEventType": 7}):
        assert nothing(handle(program(), event, now=NOW, services=Desk()))


@cell
def unknown_event_type_gets_nothing() -> None:
    assert nothing(Desk().to("main").reply("SOMETHING_NEW", "SpeakAndGetDigits"))


# -- 2: nobody is connected


@cell
def hangup_of_the_last_leg_cleans_up_once() -> None:
    desk = Desk().to("main")
    first = desk.line.deliver(desk.hangup("LEG-A"))
    assert first.actions == []
    assert desk.asked.count("note_end") == 1
    assert nothing(desk.answer(desk.hangup("LEG-A")))
    assert desk.asked.count("note_end") == 1


@cell
def other_events_with_nobody_connected_get_nothing() -> None:
    desk = Desk().to("main")
    desk.line.legs["LEG-A"].status = "Disconnected"
    for kind in ("DIGITS_RECEIVED", "CALL_UPDATE_REQUESTED", "ACTION_FAILED", "NEW_INBOUND_CALL", "RINGING"):
        assert nothing(desk.reply(kind, "PlayAudio"))
    assert desk.asked.count("note_end") == 0


@cell
def report_after_the_caller_left_is_followed_silently() -> None:
    desk = Desk().to("round")
    desk.line.legs["LEG-A"].status = "Disconnected"
    result = desk.reply("ACTION_SUCCESSFUL", "Speak")
    assert result.actions == []
    assert desk.asked == ["check"]


@cell
def first_event_whose_participants_cannot_be_read_gets_a_goodbye_by_tag() -> None:
    desk = Desk()
    event = desk.line.event("NEW_INBOUND_CALL")
    event["CallDetails"]["Participants"] = "nobody knows"
    result = desk.answer(event)
    assert types(result) == ["Speak", "Hangup"]
    assert all(action["Parameters"]["ParticipantTag"] == "LEG-A" for action in result.actions)


# -- 3: repeated events


@cell
def repeated_event_with_the_new_attributes_gets_nothing() -> None:
    desk = Desk().to("main")
    event = desk.event("ACTION_SUCCESSFUL", "SpeakAndGetDigits", ReceivedDigits="2")
    assert types(desk.line.deliver(event)) == ["Speak", "SpeakAndGetDigits"]
    again = copy.deepcopy(event)
    again["CallDetails"]["TransactionAttributes"] = desk.line.attributes
    assert nothing(desk.answer(again))


@cell
def repeated_first_event_gets_the_start_list_again() -> None:
    desk = Desk()
    first = desk.line.start()
    again = copy.deepcopy(desk.line.events[0])
    again["CallDetails"]["TransactionAttributes"] = desk.line.attributes
    assert desk.answer(again).response == first.response


# -- 4: informational


@cell
def ringing_and_interruption_get_nothing() -> None:
    desk = Desk().to("main")
    assert nothing(desk.reply("RINGING"))
    assert nothing(desk.reply("ACTION_INTERRUPTED", "Pause"))


# -- no saved call


@cell
def refused_answer_gets_the_last_words_without_attributes() -> None:
    desk = Desk().to("main")
    event = desk.event("INVALID_LAMBDA_RESPONSE")
    event |= {"ErrorType": "TransactionAttributesInvalidMapSize", "ErrorMessage": "too many"}
    result = desk.answer(event)
    assert types(result) == ["Speak", "Hangup"]
    assert "TransactionAttributes" not in result.response


@cell
def reports_without_a_saved_call_get_the_last_words() -> None:
    for kind in ("ACTION_SUCCESSFUL", "ACTION_FAILED"):
        desk = Desk().to("main")
        desk.line.attributes = None
        assert types(desk.reply(kind, "SpeakAndGetDigits", ReceivedDigits="1")) == ["Speak", "Hangup"]


@cell
def unknown_revision_gets_the_last_words() -> None:
    desk = Desk().to("main")
    desk.line.attributes = {"sf": str(desk.line.attributes["sf"]).replace("|cells|", "|cells|0", 1)}  # type: ignore[index]
    assert types(desk.reply("ACTION_SUCCESSFUL", "SpeakAndGetDigits", ReceivedDigits="1")) == ["Speak", "Hangup"]
    assert nothing(desk.reply("DIGITS_RECEIVED", "ReceiveDigits", ReceivedDigits="1"))


@cell
def end_of_leg_b_without_a_saved_call_releases_the_caller() -> None:
    desk = Desk().to("talk", "1")
    desk.line.step(Works(""))
    desk.line.attributes = None
    result = desk.answer(desk.hangup("LEG-B", alive=("LEG-A",)))
    assert [action["Parameters"]["CallId"] for action in result.actions] == ["call-a"]
    assert types(result) == ["Hangup"]


@cell
def keys_and_updates_without_a_saved_call_get_nothing() -> None:
    desk = Desk().to("main")
    desk.line.attributes = None
    assert nothing(desk.reply("DIGITS_RECEIVED", "ReceiveDigits", ReceivedDigits="1"))
    assert nothing(desk.reply("CALL_UPDATE_REQUESTED", "CallUpdateRequest", Arguments={"update": "stop"}))


# -- 5, 6, 7: legs


def failed_hangup(desk: Desk, tag: str) -> Result:
    call_id = desk.line.legs[tag].call_id
    params = {"CallId": call_id, "ParticipantTag": tag, "SipResponseCode": "0"}
    data = {"Type": "Hangup", "Parameters": params, "ErrorType": "SystemException", "ErrorMessage": "no"}
    result = desk.line.deliver({**desk.line.event("ACTION_FAILED"), "ActionData": data})
    assert [(a["Type"], a["Parameters"]["CallId"]) for a in result.actions] in ([], [("Hangup", call_id)])
    return result


@cell
def leg_b_that_cannot_be_released_is_tried_again_but_not_for_ever() -> None:
    desk = bridged()
    desk.line.deliver(desk.hangup("LEG-A", alive=("LEG-B",)))
    assert [len(failed_hangup(desk, "LEG-B").actions) for _ in range(5)] == [1, 1, 1, 0, 0]


@cell
def hangup_behind_the_last_words_is_tried_again_but_not_for_ever() -> None:
    desk = Desk().to("main")
    desk.line.deliver({**desk.event("INVALID_LAMBDA_RESPONSE"), "ErrorType": "X", "ErrorMessage": "Y"})
    assert [len(failed_hangup(desk, "LEG-A").actions) for _ in range(5)] == [1, 1, 1, 0, 0]


@cell
def hangup_of_a_call_that_was_never_saved_is_tried_again_but_not_for_ever() -> None:
    desk = Desk().to("main")
    desk.line.attributes = None
    assert [len(failed_hangup(desk, "LEG-A").actions) for _ in range(5)] == [1, 1, 1, 0, 0]
    desk.line.deliver(desk.hangup("LEG-A"))
    assert desk.asked.count("note_end") == 1


@cell
def last_words_that_cannot_be_spoken_leave_a_hangup() -> None:
    desk = Desk().to("main")
    words = desk.line.deliver({**desk.event("INVALID_LAMBDA_RESPONSE"), "ErrorType": "X", "ErrorMessage": "Y"}).actions
    failed = desk.event("ACTION_FAILED")
    failed["ActionData"] = {**words[0], "ErrorType": "SystemException", "ErrorMessage": "no"}
    assert types(desk.answer(failed)) == ["Hangup"]


def bridged() -> Desk:
    desk = Desk().to("talk", "1")
    desk.line.run(Works(""))
    assert desk.line.results[-1].after.base == "talk"
    return desk


@cell
def second_report_of_a_leg_that_left_gets_nothing() -> None:
    desk = bridged()
    first = desk.line.deliver(desk.hangup("LEG-B", alive=("LEG-A",)))
    assert texts(first) == ["Main menu."]
    assert nothing(desk.answer(desk.hangup("LEG-B", alive=("LEG-A",))))
    assert nothing(twin_report(desk))


def twin_report(desk: Desk) -> Result:
    """The ACTION_SUCCESSFUL that belongs to a Hangup of leg B."""
    event = desk.line.event("ACTION_SUCCESSFUL")
    event["ActionData"] = {"Type": "Hangup", "Parameters": {"CallId": "call-b1", "ParticipantTag": "LEG-B"}}
    return desk.answer(event)


@cell
def any_event_that_shows_leg_b_gone_is_its_end() -> None:
    for kind, action in (("DIGITS_RECEIVED", "ReceiveDigits"), ("ACTION_SUCCESSFUL", "VoiceFocus")):
        desk = bridged()
        desk.line.legs["LEG-B"].status = "Disconnected"
        result = desk.line.deliver(desk.event(kind, action, ReceivedDigits="1"))
        assert texts(result) == ["Main menu."]
        assert nothing(desk.answer(desk.hangup("LEG-B", alive=("LEG-A",))))


@cell
def any_event_that_shows_the_caller_gone_releases_leg_b() -> None:
    desk = bridged()
    desk.line.legs["LEG-A"].status = "Disconnected"
    result = desk.line.deliver(desk.event("DIGITS_RECEIVED", "ReceiveDigits", ReceivedDigits="1"))
    assert types(result) == ["Hangup"]
    assert result.actions[0]["Parameters"]["CallId"] == "call-b1"


@cell
def leg_b_that_nobody_asked_for_is_released_and_the_position_entered_again() -> None:
    desk = Desk().to("main")
    desk.line.legs["LEG-A"].status = "Connected"
    desk.line.legs["LEG-B"] = copy.copy(desk.line.legs["LEG-A"])
    desk.line.legs["LEG-B"].tag, desk.line.legs["LEG-B"].call_id = "LEG-B", "call-b1"
    result = desk.line.deliver(desk.event("ACTION_SUCCESSFUL", "CallAndBridge"))
    assert [(action["Type"], action["Parameters"]["CallId"]) for action in result.actions] == [("Hangup", "call-b1")]
    desk.line.legs["LEG-B"].status = "Disconnected"
    assert texts(twin_report(desk)) == ["Main menu."]


# -- NEW_INBOUND_CALL, CALL_ANSWERED, NEW_OUTBOUND_CALL


@cell
def new_call_starts_the_flow() -> None:
    assert texts(Desk().line.start()) == ["Round."]


@cell
def late_first_event_beyond_the_first_list_gets_nothing() -> None:
    desk = Desk().to("main")
    assert nothing(desk.reply("NEW_INBOUND_CALL"))
    assert nothing(desk.reply("CALL_ANSWERED"))


@cell
def outbound_call_saves_its_arguments_and_starts_when_answered() -> None:
    desk = Desk(inbound=False)
    desk.line.arguments = {"who": "Ann"}
    assert texts(desk.line.start()) == ["Hello Ann."]
    assert [result.actions for result in desk.line.results[:2]] == [[], []]


@cell
def outbound_call_with_a_bad_argument_hangs_up_when_answered() -> None:
    desk = Desk(inbound=False)
    desk.line.arguments = {"whom": "Ann"}
    assert types(desk.line.start()) == ["Hangup"]


@cell
def repeated_outbound_event_gets_nothing() -> None:
    desk = Desk(inbound=False)
    desk.line.arguments = {"who": "Ann"}
    desk.line.start()
    assert nothing(desk.reply("NEW_OUTBOUND_CALL", "CallCreateRequest"))


# -- ACTION_SUCCESSFUL


@cell
def report_of_the_current_list_is_the_outcome_of_the_position() -> None:
    assert texts(Desk().to("main").reply("ACTION_SUCCESSFUL", "SpeakAndGetDigits", ReceivedDigits="2")) == [
        "First words.",
        "Second menu.",
    ]


@cell
def report_of_the_list_before_gets_nothing() -> None:
    desk = Desk().to("main")
    late = desk.event("ACTION_SUCCESSFUL", "SpeakAndGetDigits", ReceivedDigits="2")
    desk.line.deliver(copy.deepcopy(late))
    late["CallDetails"]["TransactionAttributes"] = desk.line.attributes
    late["Sequence"] += 5
    assert nothing(desk.answer(late))


@cell
def report_that_fits_both_lists_is_told_apart_by_sequence() -> None:
    desk = Desk(rounds=2)
    desk.line.start()
    desk.line.step(Works(""))
    assert [texts(result) for result in desk.line.results] == [["Round."], ["Round."]]
    assert nothing(desk.reply("ACTION_SUCCESSFUL", "Speak", sequence=1))
    assert texts(desk.reply("ACTION_SUCCESSFUL", "Speak", sequence=9)) == ["Round."]


@cell
def report_of_an_action_in_the_middle_gets_nothing() -> None:
    desk = Desk().to("second", "2")
    assert nothing(desk.reply("ACTION_SUCCESSFUL", "Speak"))


@cell
def report_of_nothing_that_runs_gets_nothing() -> None:
    assert nothing(Desk().to("main").reply("ACTION_SUCCESSFUL", "PlayAudio"))


# -- ACTION_FAILED


@cell
def failure_of_the_current_list_is_the_outcome_of_its_state() -> None:
    failed = Desk().to("main").reply("ACTION_FAILED", "SpeakAndGetDigits", ErrorType="SystemException")
    assert texts(failed) == ["Sorry.", "Goodbye."]
    silent = Desk().to("main").reply("ACTION_FAILED", "SpeakAndGetDigits", ErrorType="InvalidDigitsReceived")
    assert texts(silent) == ["Goodbye."]


@cell
def failure_in_the_middle_of_the_list_is_answered() -> None:
    desk = Desk().to("second", "2")
    assert texts(desk.reply("ACTION_FAILED", "Speak", ErrorType="SystemException")) == ["Sorry.", "Goodbye."]


@cell
def failure_of_the_list_before_gets_nothing() -> None:
    desk = Desk().to("main")
    late = desk.event("ACTION_FAILED", "SpeakAndGetDigits", ErrorType="SystemException")
    desk.line.deliver(desk.event("ACTION_SUCCESSFUL", "SpeakAndGetDigits", ReceivedDigits="2"))
    late["CallDetails"]["TransactionAttributes"] = desk.line.attributes
    late["Sequence"] += 5
    assert nothing(desk.answer(late))


@cell
def failure_of_nothing_that_runs_gets_nothing() -> None:
    assert nothing(Desk().to("main").reply("ACTION_FAILED", "PlayAudio", ErrorType="SystemException"))
    assert nothing(bridged().reply("ACTION_FAILED", "CallAndBridge", ErrorType="SystemException"))


# -- DIGITS_RECEIVED


@cell
def key_of_the_position_leads_to_its_state_and_listens_again() -> None:
    result = bridged().reply("DIGITS_RECEIVED", "ReceiveDigits", ReceivedDigits="1")
    assert types(result) == ["ReceiveDigits", "VoiceFocus", "Speak"]
    assert texts(Desk().to("music", "3").reply("DIGITS_RECEIVED", "ReceiveDigits", ReceivedDigits="1")) == [
        "Main menu."
    ]


@cell
def key_in_an_aside_belongs_to_the_conversation_behind_it() -> None:
    desk = bridged()
    desk.line.press("LEG-A", "1")
    assert (desk.line.results[-1].after.state, desk.line.results[-1].after.base) == ("told", "talk")
    assert types(desk.reply("DIGITS_RECEIVED", "ReceiveDigits", ReceivedDigits="2")) == ["ReceiveDigits", "Hangup"]


@cell
def unknown_key_at_rest_only_listens_again() -> None:
    result = bridged().reply("DIGITS_RECEIVED", "ReceiveDigits", ReceivedDigits="7")
    assert types(result) == ["ReceiveDigits"]


@cell
def unknown_key_while_a_list_runs_gets_nothing() -> None:
    desk = bridged()
    desk.line.press("LEG-A", "1")
    assert nothing(desk.reply("DIGITS_RECEIVED", "ReceiveDigits", ReceivedDigits="7"))


@cell
def key_where_nobody_listens_gets_nothing() -> None:
    assert nothing(Desk().to("main").reply("DIGITS_RECEIVED", "ReceiveDigits", ReceivedDigits="1"))


# -- CALL_UPDATE_REQUESTED


def update(desk: Desk, **arguments: str) -> Result:
    event = desk.line.event("CALL_UPDATE_REQUESTED")
    event["ActionData"] = {"Type": "CallUpdateRequest", "Parameters": {"Arguments": arguments}}
    return desk.line.deliver(event)


@cell
def declared_update_is_followed_where_it_is_allowed() -> None:
    assert texts(update(Desk().to("main"), update="stop")) == ["Stopped.", "Goodbye."]
    assert nothing(update(Desk().to("second", "2"), update="stop"))


@cell
def unknown_or_ill_typed_update_gets_nothing() -> None:
    assert nothing(update(Desk().to("main"), update="other"))
    assert nothing(update(bridged(), update="news"))
    assert nothing(update(bridged(), update="news", words="x" * 41))


@cell
def update_waits_for_the_one_before_and_the_next_too_many_is_dropped() -> None:
    desk = bridged()
    assert texts(update(desk, update="news", words="One.")) == ["One."]
    waits = update(desk, update="news", words="Two.")
    assert (waits.actions, nothing(waits)) == ([], False)
    assert nothing(update(desk, update="news", words="Three."))
    assert texts(desk.reply("ACTION_SUCCESSFUL", "Speak")) == ["Two."]


# -- HANGUP with somebody left


@cell
def end_of_leg_b_is_the_outcome_of_the_bridge() -> None:
    assert texts(bridged().line.deliver(bridged().hangup("LEG-B", alive=("LEG-A",)))) == ["Main menu."]


@cell
def end_of_the_caller_releases_leg_b() -> None:
    desk = bridged()
    result = desk.answer(desk.hangup("LEG-A", alive=("LEG-B",)))
    assert [action["Parameters"]["CallId"] for action in result.actions] == ["call-b1"]


@cell
def our_hangup_of_leg_b_goes_on_with_the_caller_at_the_first_of_its_two_reports() -> None:
    for first_is_hangup in (True, False):
        desk = bridged()
        desk.line.press("LEG-A", "2")
        hangup = desk.hangup("LEG-B", alive=("LEG-A",))
        if first_is_hangup:
            assert texts(desk.line.deliver(hangup)) == ["Main menu."]
            assert nothing(twin_report(desk))
        else:
            event = desk.line.event("ACTION_SUCCESSFUL")
            event["ActionData"] = {"Type": "Hangup", "Parameters": {"CallId": "call-b1", "ParticipantTag": "LEG-B"}}
            assert texts(desk.line.deliver(event)) == ["Main menu."]
            assert nothing(desk.answer(desk.hangup("LEG-B", alive=("LEG-A",))))


@cell
def end_of_leg_b_while_it_still_rings_is_the_outcome_too() -> None:
    desk = Desk().to("talk", "1")
    desk.line.legs["LEG-A"].status = "Connected"
    desk.line.legs["LEG-B"] = copy.copy(desk.line.legs["LEG-A"])
    desk.line.legs["LEG-B"].tag, desk.line.legs["LEG-B"].call_id = "LEG-B", "call-b1"
    assert texts(desk.answer(desk.hangup("LEG-B", alive=("LEG-A",)))) == ["Main menu."]


@cell
def end_of_an_unknown_leg_gets_nothing() -> None:
    desk = Desk().to("main")
    event = desk.line.event("HANGUP")
    event["ActionData"] = {"Type": "Hangup", "Parameters": {"CallId": "call-x", "SipResponseCode": 0}}
    assert nothing(desk.answer(event))


@pytest.mark.parametrize("name", CELLS)
def test_reaction(name: str) -> None:
    CELLS[name]()


def test_every_cell_of_the_table_is_driven(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the above once more, with the tables of the runtime replaced by ones that note what was used."""
    used: set[str] = set()

    def noted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(turn: Any) -> Any:
            found = function(turn)
            if found is not None:
                used.add(name)
            return found

        return call

    checks = tuple((title, noted(title, check)) for title, check in step_module.CHECKS)
    reactions = {
        kind: {fit: noted(f"{kind} {fit}", reaction) for fit, reaction in row.items()}
        for kind, row in step_module.REACTIONS.items()
    }
    monkeypatch.setattr(step_module, "CHECKS", checks)
    monkeypatch.setattr(step_module, "REACTIONS", reactions)
    for drive in CELLS.values():
        drive()
    # Only reports are told apart by the list they fit; the other rows stand under one heading.
    reports = ("ACTION_SUCCESSFUL", "ACTION_FAILED")
    cells = {f"{kind} {fit}" for kind, row in reactions.items() for fit in row if kind in reports or fit == "last"}
    assert {title for title, _ in checks} | cells <= used
