"""Conversations with a bot out of its export: what it takes words for, what it asks, and how it reports the end."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sma_flows.protocol.check import check_event
from sma_flows.simulator.bot_export import Bot, SlotType, load_bot
from sma_flows.simulator.bot_slots import normal, resolve, yes_or_no
from sma_flows.simulator.bots import Heard, begin, hear
from sma_flows.simulator.driver import Phone
from sma_flows.simulator.messages import BotResult, Hears, SlotValue

from .exports import files, intent, packed, slot, slot_type, travel
from .kit import BOT, Function, bot, hangup, pause, reply, spoken_digits, told

DAY = date(2026, 11, 20)  # a Friday


@pytest.fixture(scope="module")
def cars(tmp_path_factory: pytest.TempPathFactory) -> Bot:
    return load_bot(packed(tmp_path_factory.mktemp("bots") / "travel.zip", travel()))


def made(tmp_path: Path, *intents: tuple[dict[str, Any], list[dict[str, Any]]], types: Any = (), **more: Any) -> Bot:
    return load_bot(packed(tmp_path / "bot.zip", files(intents, types, **more)))


def talk(to: Bot, *words: str) -> list[Heard]:
    """What came of each utterance."""
    now = begin(to, "en_US", DAY)
    out = []
    for one in words:
        heard = hear(now, one)
        out.append(heard)
        now = heard.now
    return out


def result(to: Bot, *words: str) -> BotResult:
    end = talk(to, *words)[-1].result
    assert end is not None
    return end


# ---- values --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "words", "value"),
    [
        *(("Number", "5", "5"), ("Number", "twenty-three", "23"), ("Number", "two hundred and five", "205")),
        *(("Number", "three thousand four hundred", "3400"), ("Number", "1 2 3", "123")),
        *(("Number", "one oh two", "102"),),
        *(("Number", "3.5", "3.5"), ("Number", "many", None), ("Number", "five cars", None)),
        *(("Date", "2026-12-01", "2026-12-01"), ("Date", "today", "2026-11-20"), ("Date", "Tomorrow", "2026-11-21")),
        *(("Date", "the day after tomorrow", "2026-11-22"), ("Date", "on Friday", "2026-11-27")),
        *(("Date", "monday", "2026-11-23"), ("Date", "next Sunday", "2026-11-22")),
        *(("Date", "June 1st", "2027-06-01"), ("Date", "the 24th of December", "2026-12-24")),
        *(("Date", "12/24", "2026-12-24"), ("Date", "1/5/2027", "2027-01-05"), ("Date", "February 30", None)),
        *(("Date", "13/13", None), ("Date", "soon", None), ("Date", "march 3 2028", "2028-03-03")),
        *(("Time", "10:30", "10:30"), ("Time", "3 pm", "15:00"), ("Time", "12 a.m.", "00:00")),
        *(("Time", "noon", "12:00"),),
        *(("Time", "25:00", None), ("Time", "13 pm", None), ("Time", "7", None)),
        *(("PhoneNumber", "(206) 555-0100", "2065550100"), ("PhoneNumber", "+1 206 555 0100", "12065550100")),
        *(("PhoneNumber", "two oh six 555 0100", "2065550100"), ("PhoneNumber", "12", None)),
        *(("AlphaNumeric", "abc 123", None), ("AlphaNumeric", "a b c 1 2 3", "ABC123")),
        *(("AlphaNumeric", "bk1234", "BK1234"),),
        *(("AlphaNumeric", "I want to", None), ("EmailAddress", "ana at example dot com", "ana@example.com")),
        *(("EmailAddress", "ana", None), ("Confirmation", "Yeah.", "Yes"), ("Confirmation", "nope", "No")),
        *(("Confirmation", "perhaps", None), ("City", "San Francisco", "San Francisco"), ("FirstName", "Ana", "Ana")),
    ],
)  # fmt: skip
def test_the_value_of_a_built_in_type(kind: str, words: str, value: str | None) -> None:
    said = resolve(SlotType("", parent=f"AMAZON.{kind}", top=False), words, DAY)
    assert (said.interpreted if said else None) == value
    assert said is None or said.original == words


CARS = SlotType("Cars", (("economy", ("cheap", "small car")), ("luxury", ("limousine",))))


def test_a_listed_value_is_found_by_its_synonyms() -> None:
    said = resolve(CARS, "Small car!", DAY)
    assert said is not None
    assert (said.original, said.interpreted, said.resolved) == ("Small car!", "economy", ("economy",))
    assert resolve(CARS, "a bus", DAY) is None


def test_a_list_that_is_only_a_hint_takes_other_words_too() -> None:
    hint = SlotType("Cars", CARS.values, top=False)
    known, other = resolve(hint, "cheap", DAY), resolve(hint, "a bus", DAY)
    assert known is not None
    assert other is not None
    assert (known.interpreted, known.resolved) == ("cheap", ("economy",))
    assert (other.interpreted, other.resolved) == ("a bus", ())


def test_a_pattern_is_asked_of_words_without_spaces() -> None:
    code = SlotType("Code", parent="AMAZON.AlphaNumeric", pattern="[A-Z]{2}[0-9]{4}")
    said = resolve(code, "b k 1234", DAY)
    assert said is not None
    assert said.interpreted == "BK1234"
    assert resolve(code, "1234", DAY) is None


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert normal("  I\u2019d LIKE a car,  please! 3.5 e.g. 10:30 ") == "i'd like a car please 3.5 e g 10:30"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_words_are_normal_words_after_all(words: str) -> None:
    assert normal(normal(words)) == normal(words)
    assert yes_or_no(words) in (True, False, None)
    for parent in ("Number", "Date", "Time", "PhoneNumber", "AlphaNumeric", "EmailAddress", "City"):
        resolve(SlotType("", parent=f"AMAZON.{parent}", top=False), words, DAY)


# ---- what is meant -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "meant", "score"),
    [
        ("book a car", "BookCar", 1.0),
        ("Operator!", "Agent", 1.0),
        ("hello operator please", "Agent", 0.72),
        ("I want to cancel my booking", "CancelBooking", 0.83),
        ("somebody please let me talk to", "Agent", 0.9),
        ("tell me a joke", "FallbackIntent", None),
        ("", "FallbackIntent", None),
    ],
)
def test_words_are_taken_for_the_nearest_sample(cars: Bot, words: str, meant: str, score: float | None) -> None:
    heard = talk(cars, words)[0]
    assert (heard.now.intent or "FallbackIntent") == meant
    assert heard.now.score == (score or 0.0)


def test_the_threshold_of_the_bot_is_kept(tmp_path: Path) -> None:
    one = (intent("Sales", "I want to buy something new"), [])
    assert talk(made(tmp_path, one), "I want to buy it")[0].now.intent == "Sales"
    assert talk(made(tmp_path, one, threshold=0.95), "I want to buy it")[0].now.intent == ""


def test_many_slots_of_free_words_are_no_riddle(tmp_path: Path) -> None:
    """Ways to share out the words are not tried one by one: there would be two million."""
    names = "ABCDEFG"
    one = intent("Say", " ".join(f"{{{name}}}" for name in names), slots=names)
    bot = made(tmp_path, (one, [slot(name, "AMAZON.City", required=False) for name in names]))
    assert result(bot, " ".join(["word"] * 60)).intent == "FallbackIntent"
    assert result(bot, " ".join(["word"] * 56)).intent == "Say"


def test_slots_are_found_among_the_words(cars: Bot) -> None:
    heard = talk(cars, "Please book a small car in New York for five days")[0]
    found = {name: said.interpreted for name, said in heard.now.filled}
    assert found == {"CarType": "economy", "City": "new york", "Days": "5"}
    assert heard.says == ("Gladly.", "A economy in new york for 5 days?")


# ---- what is asked -------------------------------------------------------------------------------------------------


def test_what_is_missing_is_asked_for_in_the_order_of_priority(cars: Bot) -> None:
    heard = talk(cars, "book a car", "I want to drive in Boston", "the cheap one", "3", "yes")
    assert [one.says[-1] for one in heard] == [
        *("In which city?", "Which car?", "How many days?", "A economy in boston for 3 days?", "Booked."),
    ]
    end = heard[-1].result
    assert end is not None
    assert (end.intent, end.state, end.confirmation) == ("BookCar", "ReadyForFulfillment", "Confirmed")
    assert end.slots == (
        ("City", SlotValue("boston", "boston")),
        ("CarType", SlotValue("cheap", "economy", ("economy",))),
        ("Days", SlotValue("3", "3", ("3",))),
    )


def test_a_booking_that_is_not_confirmed_has_failed(cars: Bot) -> None:
    heard = talk(cars, "book a luxury in Boston for 2 days", "no thanks")
    assert heard[-1].says == ("I forget it.",)
    end = heard[-1].result
    assert end is not None
    assert (end.intent, end.state, end.confirmation) == ("BookCar", "Failed", "Denied")


def test_a_question_is_repeated_as_often_as_the_prompt_says_then_it_is_the_fallback(cars: Bot) -> None:
    heard = talk(cars, "book a car", "Boston", "hm", "a bus", "a plane")
    assert [one.says for one in heard[2:4]] == [("Which car?",), ("Which car?",)]
    end = heard[-1].result
    assert end is not None
    assert (end.intent, end.state, end.score) == ("FallbackIntent", "ReadyForFulfillment", None)


def test_silence_and_maybe_are_no_confirmation(cars: Bot) -> None:
    heard = talk(cars, "book a luxury in Boston for 2 days", "", "maybe")
    assert heard[1].says == ("A luxury in boston for 2 days?",)
    assert heard[2].result is not None
    assert heard[2].result.intent == "FallbackIntent"


def test_somebody_who_changes_his_mind_says_it_as_in_a_sample(cars: Bot) -> None:
    end = result(cars, "I want to cancel", "Operator")
    assert (end.intent, end.slots) == ("Agent", ())


def test_optional_slots_are_not_asked_for_and_unfilled(tmp_path: Path) -> None:
    one = intent("Book", "Book a {Size} car", "Book a car", slots=["Size"])
    bot = made(tmp_path, (one, [slot("Size", "AMAZON.Number", required=False)]))
    assert result(bot, "book a car").slots == (("Size", None),)


def test_a_default_is_taken_without_asking(tmp_path: Path) -> None:
    one = intent("Book", "Book a car", slots=["Size"])
    bot = made(tmp_path, (one, [slot("Size", "AMAZON.Number", default="4")]))
    assert result(bot, "book a car").slots == (("Size", SlotValue("4", "4", ("4",))),)


def test_a_sample_of_a_slot_alone_means_something_only_by_itself(tmp_path: Path) -> None:
    one = intent("Topic", "{Topic}", slots=["Topic"])
    bot = made(tmp_path, (one, [slot("Topic", "T")]), types=[slot_type("T", {"billing": ["the bill"]})])
    assert result(bot, "the bill").slots == (("Topic", SlotValue("the bill", "billing", ("billing",))),)
    assert result(bot, "the bill of the hotel").intent == "FallbackIntent"


@cache
def travelling(folder: Path) -> Bot:
    return load_bot(packed(folder / "any.zip", travel()))


WORDS = ["book a car", "Boston", "cheap", "3", "yes", "no", "", "operator", "I want to cancel", "BK1234", "?"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=20), max_size=8))
def test_every_conversation_goes_on_or_ends(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    now = begin(travelling(tmp_path_factory.getbasetemp()), "en_US", DAY)
    for one in words:
        heard = hear(now, one)
        assert heard == hear(now, one)
        if heard.result is not None:
            names = {each.name for each in now.locale.intents}
            assert heard.result.intent in names
            break
        assert heard.now.asks
        assert heard.says
        now = heard.now


# ---- on the line ---------------------------------------------------------------------------------------------------


def called(cars: Bot, *first: Any, **answers: Any) -> Phone:
    phone = Phone(Function({"NEW_INBOUND_CALL": reply(*(first or (bot(),))), **answers}), bots={BOT: cars})
    phone.dial_in()
    return phone


def hears(phone: Phone) -> list[str]:
    return [one.text for one in phone.outputs if isinstance(one, Hears) and one.what == "speech"]


def ended(phone: Phone) -> dict[str, Any]:
    data: dict[str, Any] = phone.events[-1]["ActionData"]
    return data


def reported(said: str, meant: str, *resolved: str) -> dict[str, Any]:
    value = {"OriginalValue": said, "InterpretedValue": meant, "ResolvedValues": list(resolved)}
    return {"Value": value, "Values": []}


def test_a_conversation_on_the_line_and_what_the_function_is_told(cars: Bot) -> None:
    phone = called(cars)
    for words in ("Please book a small car", "Boston", "five", "yes"):
        phone.say(words)
    assert phone.bot_works
    phone.settle()
    assert hears(phone) == ["Gladly.", "In which city?", "How many days?", "A economy in Boston for 5 days?", "Booked."]
    intent = {
        "Name": "BookCar",
        "Slots": {
            "City": reported("Boston", "Boston"),
            "CarType": reported("small car", "economy", "economy"),
            "Days": reported("five", "5", "5"),
        },
        "State": "ReadyForFulfillment",
        "ConfirmationState": "Confirmed",
    }
    assert ended(phone)["IntentResult"] == {
        "SessionId": "aaaaaaaa-0000-0000-0000-000000000001",
        "SessionState": {"SessionAttributes": {}, "Intent": intent},
        "Interpretations": [
            {"Intent": intent, "NluConfidence": {"Score": 0.68}},
            {"Intent": {"Name": "FallbackIntent", "Slots": {}}},
            {"Intent": {"Name": "Agent", "Slots": {}}, "NluConfidence": {"Score": 0.08}},
        ],
    }
    assert check_event(phone.events[-1]) == []


def test_what_was_not_understood_is_reported_without_confidence(cars: Bot) -> None:
    phone = called(cars)
    phone.say("Blue Danube")
    phone.settle()
    first = ended(phone)["IntentResult"]["Interpretations"][0]
    assert (first["Intent"]["Name"], "NluConfidence" in first) == ("FallbackIntent", False)


def test_attributes_come_back_and_the_language_is_that_of_the_action(cars: Bot) -> None:
    given = {"SessionState": {"SessionAttributes": {"tier": "gold"}}}
    phone = called(cars, bot(LocaleId="en_US", Configuration=given))
    phone.say("operator")
    phone.settle()
    assert ended(phone)["IntentResult"]["SessionState"]["SessionAttributes"] == {"tier": "gold"}


def test_a_bot_that_does_not_speak_the_language_fails(cars: Bot) -> None:
    phone = called(cars, bot(LocaleId="es_US"))
    phone.settle()
    assert told(phone)[-1] == "ACTION_FAILED StartBotConversation ResourceNotFound"
    assert ended(phone)["ErrorMessage"] == "The bot does not speak es_US: it speaks en_US."


def test_keys_answer_when_pound_ends_them(cars: Bot) -> None:
    phone = called(cars)
    phone.say("I want to cancel")
    phone.press("12*123#")
    phone.settle()
    assert hears(phone)[-1] == "Your code?"  # three digits are no code
    phone.press("65*654321")  # six keys are the most
    phone.settle()
    slots = ended(phone)["IntentResult"]["SessionState"]["Intent"]["Slots"]
    assert slots == {"Code": reported("654321", "654321", "654321")}


def test_keys_answer_when_no_more_come(cars: Bot) -> None:
    phone = called(cars)
    phone.say("reserve a car in Boston")
    phone.say("luxury")
    phone.press("14", gap_ms=4_000)
    phone.wait(4_900)
    assert hears(phone)[-1] == "How many days?"
    phone.wait(100)
    assert hears(phone)[-1] == "A luxury in boston for 14 days?"


def test_the_key_before_the_bot_is_not_for_the_bot(cars: Bot) -> None:
    asked = spoken_digits(MinNumberOfDigits=1, MaxNumberOfDigits=1)
    phone = called(cars, asked, ACTION_SUCCESSFUL=[reply(bot())])
    phone.press("1")
    phone.settle()
    assert told(phone)[-1] == "ACTION_SUCCESSFUL SpeakAndGetDigits 1"
    assert not phone.bot_works


def test_silence_is_the_fallback_in_the_end(cars: Bot) -> None:
    phone = called(cars)
    phone.keep_silent()
    phone.settle()
    assert ended(phone)["IntentResult"]["SessionState"]["Intent"]["Name"] == "FallbackIntent"


def test_the_caller_leaves_in_the_middle(cars: Bot) -> None:
    phone = called(cars)
    phone.say("book a car")
    phone.hang_up()
    phone.settle()
    assert phone.over
    with pytest.raises(ValueError, match="no bot listens"):
        phone.say("Boston")


def test_the_second_conversation_begins_anew(cars: Bot) -> None:
    phone = called(cars, ACTION_SUCCESSFUL=[reply(pause(1_000), bot()), reply(hangup())])
    phone.say("operator")
    phone.settle()
    phone.say("I want to cancel")
    assert hears(phone) == ["Your code?"]
    phone.say("b k 1 2 3 4")
    phone.settle()
    assert phone.over


def test_a_bot_without_an_export_is_steered_by_hand(cars: Bot) -> None:
    other = BOT.replace("EXAMPLEBOT", "OTHERBOT01")
    phone = called(cars, bot(BotAliasArn=other))
    with pytest.raises(ValueError, match="no bot listens"):
        phone.say("operator")
    phone.send(BotResult("Quit"))
    assert ended(phone)["IntentResult"]["SessionState"]["Intent"]["Name"] == "Quit"
