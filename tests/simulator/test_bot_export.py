"""Exports of Lex V2 bots: real shapes are read, and of a bad one it is told which file in it is wrong, and how."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sma_flows.simulator import bot_export
from sma_flows.simulator.bot_export import BotExportError, load_bot

from .exports import files, intent, messages, packed, slot, slot_type, travel

LOCALE = "Travel/BotLocales/en_US"
BOOK = f"{LOCALE}/Intents/BookCar"
ROOT = Path(__file__).parents[2]


def test_an_export_is_read_whole(tmp_path: Path) -> None:
    bot = load_bot(packed(tmp_path / "bot.zip", travel()))
    locale = bot.locales["en_US"]
    assert (bot.name, locale.fallback, locale.threshold) == ("Travel", "FallbackIntent", 0.4)
    assert [one.name for one in locale.intents] == ["Agent", "BookCar", "CancelBooking", "FallbackIntent"]
    book, cancel = locale.intents[1], locale.intents[2]
    assert [(one.name, one.required, one.prompt.retries) for one in book.slots] == [
        *(("City", True, 1), ("CarType", True, 2), ("Days", True, 1)),
    ]
    assert book.confirmation is not None
    assert (book.confirmation.text, book.declined, book.closing) == (
        "A {CarType} in {City} for {Days} days?",
        "I forget it.",
        "Booked.",
    )
    assert (book.hooks, cancel.hooks) == (False, True)
    assert cancel.slots[0].prompt.dtmf.most == 6
    assert cancel.slots[0].type.pattern == "[A-Z]{2}[0-9]{4}|[0-9]{6}"


def test_a_folder_is_the_same_as_its_zip(tmp_path: Path) -> None:
    packed(tmp_path / "bot.zip", travel())
    with zipfile.ZipFile(tmp_path / "bot.zip") as archive:
        archive.extractall(tmp_path / "bot")
    assert load_bot(tmp_path / "bot") == load_bot(tmp_path / "bot.zip")


def test_a_changed_export_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "bot"
    for name, value in travel().items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(json.dumps(value))
    assert len(load_bot(path).locales["en_US"].intents) == 4
    (path / LOCALE / "Intents/Agent/Intent.json").unlink()
    assert len(load_bot(path).locales["en_US"].intents) == 3


def test_the_spelling_of_the_guide_is_read_too(tmp_path: Path) -> None:
    """The guide's page on the format writes manifest.json, metadata, messageGroupList, and the constraint outside."""
    contents = files([(intent("BookCar", "Book a car"), [])])
    contents["manifest.json"] = {"metadata": {"schemaVersion": "1.0", "fileFormat": "LexJson", "resourceType": "Bot"}}
    del contents["Manifest.json"]
    asked = {**messages("Which car?", name="messageGroupList"), "maxRetries": 2}
    contents[f"{BOOK}/Slots/CarType/Slot.json"] = {
        "name": "CarType",
        "slotTypeName": "AMAZON.City",
        "slotConstraint": "Required",
        "slotValueElicitationSetting": {"promptSpecification": asked, "sampleValueElicitingUtterances": None},
    }
    contents[f"{BOOK}/Intent.json"]["intentConfirmationSetting"] = {
        "confirmationPrompt": {**messages("Shall I?", name="messageGroupList"), "maxRetries": 2},
        "declinationResponse": messages("No then.", name="messageGroupList"),
    }
    book = load_bot(packed(tmp_path / "bot.zip", contents)).locales["en_US"].intents[0]
    assert [(one.name, one.required, one.prompt.text, one.prompt.retries) for one in book.slots] == [
        ("CarType", True, "Which car?", 2)
    ]
    assert (book.confirmation.text if book.confirmation else "", book.declined) == ("Shall I?", "No then.")


def test_the_export_of_one_language_is_a_bot_of_one_language(tmp_path: Path) -> None:
    contents = travel()
    contents["Manifest.json"]["metaData"]["resourceType"] = "BOT_LOCALE"
    del contents["Travel/Bot.json"]
    bot = load_bot(packed(tmp_path / "bot.zip", contents))
    assert (bot.name, list(bot.locales)) == ("en_US", ["en_US"])


def test_slots_of_slots_and_grammars_take_any_words(tmp_path: Path) -> None:
    part = {**slot("Name", "x"), "slotTypeName": None, "subSlotSetting": {"expression": "(a AND b)"}}
    contents = files([(intent("BookCar", "Book a car", slots=["Name"]), [part])])
    book = load_bot(packed(tmp_path / "bot.zip", contents)).locales["en_US"].intents[0]
    assert book.slots[0].type.name == ""


def test_a_confirmation_that_is_switched_off_is_none(tmp_path: Path) -> None:
    contents = travel()
    contents[f"{BOOK}/Intent.json"]["intentConfirmationSetting"]["isActive"] = False
    book = load_bot(packed(tmp_path / "bot.zip", contents)).locales["en_US"].intents[1]
    assert book.confirmation is None


def dropped(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda contents: contents.pop(name)


def without(name: str, *keys: str) -> Callable[[dict[str, Any]], None]:
    def change(contents: dict[str, Any]) -> None:
        here = contents[name]
        for key in keys[:-1]:
            here = here[key]
        del here[keys[-1]]

    return change


def having(name: str, key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda contents: contents[name].__setitem__(key, value)


def instead(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda contents: contents.__setitem__(name, value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (dropped("Manifest.json"), "there is no Manifest.json in it: is it the export of a Lex V2 bot?"),
        (dropped("Travel/Bot.json"), "there is no Bot.json in it, beside which the folder BotLocales lies"),
        (dropped(f"{LOCALE}/BotLocale.json"), "there is no BotLocale.json in it"),
        (without("Travel/Bot.json", "name"), "Travel/Bot.json: the field 'name' is missing"),
        (without(f"{BOOK}/Intent.json", "name"), f"{BOOK}/Intent.json: the field 'name' is missing"),
        (having(f"{BOOK}/Intent.json", "name", 3), f"{BOOK}/Intent.json: 'name' should be a text"),
        (
            having(f"{BOOK}/Intent.json", "sampleUtterances", "hi"),
            f"{BOOK}/Intent.json: 'sampleUtterances' should be a list",
        ),
        (
            having(f"{BOOK}/Intent.json", "sampleUtterances", ["hi"]),
            f"{BOOK}/Intent.json: 'sampleUtterances' should be a list of objects",
        ),
        (
            having(f"{BOOK}/Intent.json", "sampleUtterances", [{"utterance": "a"}, {"text": "b"}]),
            f"{BOOK}/Intent.json: the field 'sampleUtterances[1].utterance' is missing",
        ),
        (
            having(f"{BOOK}/Intent.json", "sampleUtterances", [{"utterance": "book {Colour}"}]),
            f"{BOOK}/Intent.json: 'book {{Colour}}' names the slot 'Colour', which has no Slot.json below Slots",
        ),
        (
            having(f"{BOOK}/Intent.json", "slotPriorities", [{"slotName": "Colour", "priority": 1}]),
            f"{BOOK}/Intent.json: 'slotPriorities' names the slot 'Colour', which has no Slot.json",
        ),
        (
            having(f"{BOOK}/Intent.json", "intentConfirmationSetting", []),
            f"{BOOK}/Intent.json: 'intentConfirmationSetting' should be an object",
        ),
        (
            dropped(f"{LOCALE}/SlotTypes/CarTypes/SlotType.json"),
            f"{BOOK}/Slots/CarType/Slot.json: the slot type 'CarTypes' has no SlotType.json below SlotTypes",
        ),
        (
            having(f"{BOOK}/Slots/City/Slot.json", "slotTypeName", None),
            f"{BOOK}/Slots/City/Slot.json: the field 'slotTypeName' is missing",
        ),
        (
            having(
                f"{LOCALE}/SlotTypes/Codes/SlotType.json", "valueSelectionSetting", {"regexFilter": {"pattern": "["}}
            ),
            f"{LOCALE}/SlotTypes/Codes/SlotType.json: the pattern '[' cannot be read",
        ),
        (
            having(f"{LOCALE}/BotLocale.json", "nluConfidenceThreshold", "high"),
            f"{LOCALE}/BotLocale.json: 'nluConfidenceThreshold' should be a number",
        ),
        (instead(f"{BOOK}/Intent.json", '{\n"name": '), f"{BOOK}/Intent.json:2: it is not JSON"),
        (instead(f"{BOOK}/Intent.json", b'{"name": "\xff"}'), f"{BOOK}/Intent.json: it is not UTF-8 text"),
        (instead(f"{BOOK}/Intent.json", "[" * 100_000), f"{BOOK}/Intent.json: it is nested too deeply"),
        (instead(f"{BOOK}/Intent.json", "[]"), f"{BOOK}/Intent.json: it should hold one object"),
        (
            having("Manifest.json", "metaData", {"fileFormat": "TSV"}),
            "Manifest.json: the format is 'TSV', not LexJson",
        ),
    ],
)
def test_of_a_bad_export_the_file_and_the_fault_are_told(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], says: str
) -> None:
    contents = travel()
    change(contents)
    with pytest.raises(BotExportError) as caught:
        load_bot(packed(tmp_path / "bot.zip", contents))
    assert str(caught.value).startswith(says)


def test_a_bot_without_intents_understands_nothing(tmp_path: Path) -> None:
    contents = {name: value for name, value in travel().items() if "/Intents/" not in name}
    with pytest.raises(BotExportError, match=f"{LOCALE}/Intents: there is no Intent.json below it"):
        load_bot(packed(tmp_path / "bot.zip", contents))


def test_what_is_no_zip_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bot.zip"
    with pytest.raises(BotExportError, match="there is no such file or folder"):
        load_bot(path)
    path.write_text("hello")
    with pytest.raises(BotExportError, match="it is not a zip file"):
        load_bot(path)
    path = tmp_path / "old.json"
    path.write_text('{"metadata": {"schemaVersion": "1.0", "importType": "LEX", "importFormat": "JSON"}}')
    with pytest.raises(BotExportError, match="it is an export of Lex V1"):
        load_bot(path)


def test_an_export_has_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot_export, "MOST_BYTES", 1_000)
    with pytest.raises(BotExportError, match="it is larger than a bot can be"):
        load_bot(packed(tmp_path / "bot.zip", travel()))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(travel())),
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
        max_leaves=4,
    ),
    st.data(),
)
def test_no_damage_ends_in_anything_but_an_explanation(
    tmp_path_factory: pytest.TempPathFactory, name: str, value: Any, data: st.DataObject
) -> None:
    contents = travel()
    here = contents[name]
    while isinstance(here, dict | list) and here:
        key = data.draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
        if data.draw(st.booleans()) or not isinstance(here[key], dict | list):
            here[key] = value
            break
        here = here[key]
    path = packed(tmp_path_factory.getbasetemp() / "damaged.zip", contents)
    bot_export._load.cache_clear()
    try:
        assert load_bot(path).locales
    except BotExportError as error:
        assert str(error)  # noqa: PT017 (either is right)


def test_the_bot_of_the_flows_is_an_export_that_speaks_both_languages() -> None:
    bot = load_bot(ROOT / "flows" / "bots" / "reception")
    names = {"FallbackIntent", "Goodbye", "OpeningHours", "Sales", "Support", "Transfer"}
    assert {locale: {one.name for one in bot.locales[locale].intents} for locale in bot.locales} == {
        "en_US": names,
        "es_US": names,
    }


def test_types_without_values_are_what_their_parent_is(tmp_path: Path) -> None:
    contents = files(
        [(intent("A", "a", slots=["N"]), [slot("N", "Mine")])], [slot_type("Mine", parent="AMAZON.Number")]
    )
    kind = load_bot(packed(tmp_path / "bot.zip", contents)).locales["en_US"].intents[0].slots[0].type
    assert (kind.parent, kind.values) == ("AMAZON.Number", ())
