"""Long texts: split at sentences, cut at a word, never above what the service takes (decision 28)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sma_flows.runtime.speech import Speech, Spoken, cut_text, split_text

TEXTS = st.text(st.sampled_from("ab .!?é"), max_size=400)


@given(TEXTS, st.integers(1, 60))
def test_parts_are_short_and_nothing_is_lost(text: str, most: int) -> None:
    parts = split_text(text, most)
    assert all(0 < len(part) <= most for part in parts)
    assert "".join(parts).replace(" ", "") == text.replace(" ", "")


@given(TEXTS, st.integers(1, 60))
def test_a_cut_text_is_a_beginning(text: str, most: int) -> None:
    cut = cut_text(text, most)
    assert len(cut) <= most
    assert text.startswith(cut)


def test_a_split_prefers_the_ends_of_sentences_then_words() -> None:
    assert split_text("One two. Three four.", 12) == ["One two.", "Three four."]
    assert split_text("One two three", 8) == ["One two", "three"]
    assert split_text("abcdefgh", 3) == ["abc", "def", "gh"]


def test_a_voice_falls_back_to_the_default_of_its_catalogue() -> None:
    locales = {"en-US": {"voice": "Joanna", "engine": "neural"}, "es-US": {"voice": "Lupe", "bot": "es_US"}}
    speech = Speech({"catalogues": {"": {"default": "en-US", "locales": locales}}}, {})
    assert speech.voice("", "es-US") == {"VoiceId": "Lupe", "LanguageCode": "es-US"}
    assert speech.voice("", "fr-FR") == speech.voice("", None)
    assert speech.voice("other/", "en-US") == {}
    assert speech.bot_locale("", "es-US") == "es_US"
    assert speech.bot_locale("", "en-US") == "en_US"


def test_speech_parameters_name_ssml_only_where_it_is_ssml() -> None:
    assert Spoken("Hello", False, {"VoiceId": "Joanna"}).params() == {"Text": "Hello", "VoiceId": "Joanna"}
    assert Spoken("<speak>Hi</speak>", True, {}).params()["TextType"] == "ssml"
