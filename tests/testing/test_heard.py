"""From words and files back to the names of prompts."""

from __future__ import annotations

from typing import Any

import pytest

from sma_flows.testing.heard import Ear, difference

PLAN: dict[str, Any] = {
    "prompts": {
        "sorry": {"en-US": [{"say": "We are sorry."}]},
        "goodbye": {"en-US": [{"say": ["Goodbye."]}], "de-DE": [{"say": ["Tschüss."]}]},
        "menu": {
            "en-US": [{"say": ['<speak>Press 1. <lang xml:lang="es-US">Dos &amp; tres.</lang></speak>'], "ssml": 1}]
        },
        "kept": {"en-US": [{"say": ["Your message for ", ["var", "owner"], " has been saved."]}]},
        "beep": {"*": [{"audio": "beep.wav"}]},
        "same": {"en-US": [{"say": "We are sorry."}]},
    }
}
EAR = Ear(PLAN)


@pytest.mark.parametrize(
    ("spoken", "names"),
    [
        ("Goodbye.", ["goodbye"]),
        ("Tschüss.", ["goodbye"]),
        ("We are sorry. Goodbye.", ["sorry", "goodbye"]),
        ("<speak>We are sorry. Press 1. <lang xml:lang='es-US'>Dos &amp; tres.</lang></speak>", ["sorry", "menu"]),
        ("Your message for Ana Torres has been saved. Goodbye.", ["kept", "goodbye"]),
        ("Something else.", ['"Something else."']),
        ("", []),
    ],
)
def test_a_text_is_split_into_its_prompts(spoken: str, names: list[str]) -> None:
    assert [str(heard) for heard in EAR.text(spoken)] == names


def test_prompts_with_the_same_words_cannot_be_told_apart() -> None:
    (heard,) = EAR.text("We are sorry.")
    assert heard.fits("sorry")
    assert heard.fits("same")


def test_a_part_of_the_words_is_enough() -> None:
    (heard,) = EAR.text("Your message for Ana Torres has been saved.")
    assert heard.fits({"text": "Ana  Torres"})
    assert not heard.fits({"text": "Ben"})


def test_files_are_prompts_or_recordings_of_variables() -> None:
    variables = {"message": {"bucket": "b", "key": "2026/1.wav"}, "other": "x"}
    assert str(EAR.file("beep.wav", {})) == "beep"
    assert str(EAR.file("2026/1.wav", variables)) == "message"
    assert str(EAR.file("unknown.wav", variables)) == '"unknown.wav"'


@pytest.mark.parametrize(
    ("wanted", "place"),
    [(["sorry", "goodbye"], None), (["sorry"], 1), (["goodbye"], 0), (["sorry", "goodbye", "x"], 2)],
)
def test_the_first_difference(wanted: list[Any], place: int | None) -> None:
    assert difference(wanted, EAR.text("We are sorry. Goodbye.")) == place
