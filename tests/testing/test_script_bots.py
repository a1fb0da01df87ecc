"""``bots`` and ``say_to_bot`` of a calls file: a caller who talks with a bot out of its export."""

from __future__ import annotations

import json
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sma_flows.testing.play import CallFailedError, Played, play_call
from sma_flows.testing.script import load_calls
from sma_flows.testing.world import UnplayableError

FLOW = """
sma_flow: 1
name: desk
entry: inbound
prompts: prompts.yaml
vars: {place: text(40)}
start: talk
states:
  talk:
    bot: env.BOT
    welcome: hello
    into: {place: slots.City}
    intents: [Book, FallbackIntent]
    next: {Book: thanks, FallbackIntent: sorry, other: sorry, failed: broken}
  thanks: {say: thanks, next: {done: hangup, failed: hangup}}
  sorry: {say: sorry, next: {done: hangup, failed: hangup}}
  broken: {say: broken, next: {done: hangup, failed: hangup}}
"""
PROMPTS = """
sma_prompts: 1
default: en-US
locales: {en-US: {voice: Joanna, bot: BOT_LOCALE}}
prompts:
  hello: {en-US: How can I help?}
  thanks: {en-US: Thank you.}
  sorry: {en-US: I did not understand.}
  broken: {en-US: Please try again later.}
"""
ARN = "arn:aws:lex:us-east-1:111122223333:bot-alias/EXAMPLEBOT/TSTALIASID"


def said(text: str) -> dict[str, Any]:
    return {"messageGroupsList": [{"message": {"plainTextMessage": {"value": text}}}], "maxRetries": 1}


def exported(path: Path) -> None:
    base = "Cars/BotLocales/en_US"
    book = {
        "name": "Book",
        "sampleUtterances": [{"utterance": "Book a car"}, {"utterance": "Book a car in {City}"}],
        "slotPriorities": [{"slotName": "City", "priority": 1}],
        "intentClosingSetting": {"closingResponse": said("It is booked.")},
    }
    city = {
        "name": "City",
        "slotTypeName": "AMAZON.City",
        "valueElicitationSetting": {"slotConstraint": "Required", "promptSpecification": said("In which city?")},
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in {
            "Manifest.json": {"metaData": {"fileFormat": "LexJson"}},
            "Cars/Bot.json": {"name": "Cars"},
            f"{base}/BotLocale.json": {"identifier": "en_US"},
            f"{base}/Intents/Book/Intent.json": book,
            f"{base}/Intents/Book/Slots/City/Slot.json": city,
        }.items():
            archive.writestr(name, json.dumps(value))


def play(folder: Path, script: str, bots: str = "{env.BOT: bots/cars.zip}", locale: str = "en_US") -> Played:
    (folder / "bots").mkdir(exist_ok=True)
    exported(folder / "bots" / "cars.zip")
    (folder / "desk.yaml").write_text(FLOW)
    (folder / "prompts.yaml").write_text(PROMPTS.replace("BOT_LOCALE", locale))
    steps = textwrap.indent(textwrap.dedent(script).strip(), "      ")
    text = f"flow: desk.yaml\nenv: {{BOT: '{ARN}'}}\nbots: {bots}\ncalls:\n  - call: one\n    script:\n{steps}\n"
    (folder / "x.calls.yaml").write_text(text)
    file, found = load_calls(folder / "x.calls.yaml")
    assert file is not None, [one.message for one in found]
    return play_call(file.flow, file.calls[0])


def test_the_caller_says_it_and_the_flow_gets_it(tmp_path: Path) -> None:
    played = play(
        tmp_path,
        """
        - hear: hello
        - say_to_bot: Book a car
        - hear: {text: In which city?}
        - say_to_bot: Boston
        - hear: [{text: It is booked.}, thanks]
        - expect: {place: Boston}
        """,
    )
    result = json.loads(played.turns[1].event)["ActionData"]["IntentResult"]
    assert result["SessionId"] == json.loads(played.turns[0].event)["CallDetails"]["Participants"][0]["CallId"]
    assert result["SessionState"]["Intent"]["Name"] == "Book"


def test_a_list_is_said_one_after_the_other(tmp_path: Path) -> None:
    play(tmp_path, "- say_to_bot: [Book a car, Boston]\n- hear: [{text: It is booked.}, thanks]")


def test_a_bot_is_also_named_by_its_arn(tmp_path: Path) -> None:
    play(tmp_path, "- say_to_bot: Blue Danube\n- hear: sorry", bots=f"{{'{ARN}': bots/cars.zip}}")


def test_keys_and_silence_are_for_the_bot_too(tmp_path: Path) -> None:
    play(tmp_path, '- say_to_bot: Book a car\n- press: "12#"\n- expect: {place: "12"}')
    play(tmp_path, "- silence: 1x\n- hear: sorry")


def test_a_step_of_the_script_says_how_it_ends_all_the_same(tmp_path: Path) -> None:
    play(tmp_path, "- say_to_bot: Book a car\n- bot: {intent: Book, slots: {City: Rome}}\n- expect: {place: Rome}")
    play(tmp_path, "- bot: failed\n- hear: broken")


def test_a_bot_without_an_export_is_told(tmp_path: Path) -> None:
    other = ARN.replace("EXAMPLEBOT", "OTHERBOT01")
    with pytest.raises(CallFailedError, match="nobody knows what this bot understands: name its export with `bots:`"):
        play(tmp_path, "- say_to_bot: Book a car", bots=f"{{'{other}': bots/cars.zip}}")


def test_nobody_is_there_to_talk_with(tmp_path: Path) -> None:
    with pytest.raises(CallFailedError, match="no bot is talking with the caller"):
        play(tmp_path, "- say_to_bot: [Blue Danube, Blue Danube]")


def test_a_bot_that_does_not_speak_the_language_fails_as_the_service_would(tmp_path: Path) -> None:
    played = play(tmp_path, "- hear: [hello, broken]", locale="es_US")
    assert any("ResourceNotFound" in line for line in played.transcript)


def test_a_bot_needs_the_value_of_its_name(tmp_path: Path) -> None:
    with pytest.raises(UnplayableError, match=r"'bots' names env.NOBODY, which has no value"):
        play(tmp_path, "- hear: hello", bots="{env.NOBODY: bots/cars.zip}")


@pytest.mark.parametrize("step", ["say_to_bot: {a: b}", "say_to_bot: [[a]]", 'say_to_bot: "  "'])
def test_a_bot_hears_words(tmp_path: Path, step: str) -> None:
    (tmp_path / "x.calls.yaml").write_text(f"flow: desk.yaml\ncalls: [{{call: a, script: [{{{step}}}]}}]\n")
    _, found = load_calls(tmp_path / "x.calls.yaml")
    assert [(one.code, one.message) for one in found] == [("SF506", "the bot hears words")]
