"""Prompt catalogues."""

from __future__ import annotations

from sma_flows.flow.expressions import Expr
from sma_flows.flow.prompts import EVERYWHERE, Catalogue, Entry, Voice

from .reading import read

HEAD = "sma_prompts: 1\ndefault: en-US\nlocales:\n  en-US: {voice: Joanna, engine: neural, bot: en_US}\nprompts:\n"


def catalogue(body: str) -> Catalogue:
    found, diagnostics = read(HEAD + body, "prompts")
    assert diagnostics == []
    assert isinstance(found, Catalogue)
    return found


def test_a_locale_has_a_voice() -> None:
    found = catalogue("  a: {audio: a.wav}\n")
    assert (found.default, found.locales) == ("en-US", {"en-US": Voice("Joanna", "neural", "en_US")})


def test_plain_and_quoted_words_are_text() -> None:
    found = catalogue('  a:\n    en-US: Yes, on 17:30 it is 02.\n  b:\n    en-US: "No: never"\n')
    assert found.entries("a", "en-US") == (Entry("say", ("Yes, on 17:30 it is 02.",)),)
    assert found.entries("b", "en-US") == (Entry("say", ("No: never",)),)


def test_values_are_inserted_between_constant_parts() -> None:
    (entry,) = catalogue('  a:\n    en-US: "You are {n as number}, {{{name}}}."\n').entries("a", "en-US")
    assert entry.parts == (
        "You are ",
        Expr("as", ("number", Expr("var", ("n",)))),
        ", {",
        Expr("var", ("name",)),
        "}.",
    )
    assert entry.names == ("n", "name")


def test_a_list_has_one_entry_for_each_attempt() -> None:
    found = catalogue('  a:\n    en-US: [First., "Second.", {audio: third.wav}]\n')
    assert [each.kind for each in found.entries("a", "en-US")] == ["say", "say", "audio"]


def test_audio_without_a_locale_is_the_same_everywhere() -> None:
    found = catalogue("  a: {audio: hold.wav}\n")
    assert found.prompts["a"] == {EVERYWHERE: (Entry("audio", file="hold.wav"),)}
    assert found.entries("a", "fr-CA") == (Entry("audio", file="hold.wav"),)


def test_ssml_keeps_its_tags_in_the_constant_parts() -> None:
    text = "<speak>One<break time='1s'/> &amp; {name}, <say-as interpret-as='date'>x</say-as></speak>"
    (entry,) = catalogue(f'  a:\n    en-US: {{ssml: "{text}"}}\n').entries("a", "en-US")
    assert entry.ssml
    assert "".join(part if isinstance(part, str) else "{name}" for part in entry.parts) == text


def test_a_prompt_that_is_missing_has_no_entries() -> None:
    assert catalogue("  a: {audio: a.wav}\n").entries("b", "en-US") == ()


def test_a_text_that_yaml_would_fold_is_one_text() -> None:
    (entry,) = catalogue("  a:\n    en-US: >-\n      One\n      two.\n").entries("a", "en-US")
    assert entry.parts == ("One two.",)
