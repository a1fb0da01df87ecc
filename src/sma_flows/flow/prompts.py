"""Prompt catalogues: what is said or played, in every locale."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from sma_flows.flow.diagnostics import Fault
from sma_flows.flow.expressions import Expr, parse_template
from sma_flows.flow.fields import (
    SHAPES,
    TAG,
    Locale,
    LocaleKey,
    PromptKey,
    Text,
    key,
    leaf,
    one_of,
    shape_of,
    shaped,
    version,
    word,
)
from sma_flows.flow.nodes import Scalar
from sma_flows.flow.states import Strict
from sma_flows.flow.values import check_locale

__all__ = ["EVERYWHERE", "Catalogue", "Entry", "PromptsModel", "Voice"]

EVERYWHERE: Final = "*"
"""The locale of an entry that is the same in every locale."""
_EVERYWHERE_KEY: Final = TAG + EVERYWHERE
ENGINES: Final = ("standard", "neural")
_TAG: Final = re.compile(r"<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9:_-]*)(?:\s[^<>]*?)?(?P<empty>/?)>")

Part: TypeAlias = "str | Expr"


@dataclass(frozen=True, slots=True)
class Entry:
    """One prompt in one locale: words with inserted values (`parts`), or an audio `file`.

    `parts` are constant texts and expressions; `Expr("as", (how, value))` is a value with a way to speak it. With
    `ssml` the constant parts are complete SSML, `<speak>` included.
    """

    kind: Literal["say", "audio"]
    parts: tuple[Part, ...] = ()
    ssml: bool = False
    file: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The variables that are inserted, in their order."""
        found = (each for part in self.parts if isinstance(part, Expr) for each in part.walk())
        return tuple(str(each.args[0]) for each in found if each.op == "var")


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks a locale. `bot` is the locale's name for Lex, "" when no bot speaks it."""

    voice: str
    engine: str = ""
    bot: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The prompts of one file. Several entries of one prompt are said one after the other, attempt by attempt."""

    default: str
    locales: Mapping[str, Voice] = field(default_factory=dict)
    prompts: Mapping[str, Mapping[str, tuple[Entry, ...]]] = field(default_factory=dict)

    def entries(self, name: str, locale: str) -> tuple[Entry, ...]:
        """The entries of a prompt in a locale, or in every locale; () when there are none."""
        prompt = self.prompts.get(name, {})
        return prompt.get(locale) or prompt.get(EVERYWHERE, ())


def _parts(text: str) -> tuple[Part, ...]:
    template = parse_template(text, spoken=True)
    if template.op == "lit":
        return (text,) if template.args[0] == text else (str(template.args[0]),)
    return tuple(part if isinstance(part, Expr) else str(part) for part in template.args)


def _said(scalar: Scalar) -> Entry:
    if not scalar.text.strip():
        raise Fault("SF126", "{field} says nothing", label="empty text", help="write what is to be said")
    return Entry("say", _parts(scalar.text))


def _ssml(text: str) -> Entry:
    _check_ssml(text)
    return Entry("say", _parts(text), ssml=True)


def _check_ssml(text: str) -> None:
    """SSML is one `<speak>` element in which every tag is closed."""
    open_: list[tuple[str, int]] = []
    rest = text
    for tag in _TAG.finditer(text):
        if tag["close"]:
            if not open_ or open_[-1][0] != tag["name"]:
                raise _bad_ssml(f"'{tag[0]}' closes nothing", tag.start(), len(tag[0]))
            open_.pop()
        elif not tag["empty"]:
            open_.append((tag["name"], tag.start()))
    if open_:
        raise _bad_ssml(f"'<{open_[-1][0]}>' is never closed", open_[-1][1], len(open_[-1][0]) + 2)
    rest = _TAG.sub("", text)
    if not re.fullmatch(r"\s*<speak(\s[^<>]*)?>.*</speak>\s*", text, re.DOTALL):
        raise _bad_ssml("SSML starts with <speak> and ends with </speak>", 0, None)
    if "<" in rest:
        raise _bad_ssml("'<' starts no tag", text.rfind("<"), 1, "write &lt; to mean the character")
    if match := re.search(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]+|#x[0-9A-Fa-f]+);)", text):
        raise _bad_ssml("'&' starts no character", match.start(), 1, "write &amp; to mean the character")


def _bad_ssml(message: str, at: int, length: int | None, help_: str = "close every tag inside <speak>") -> Fault:
    return Fault("SF126", message, label="not SSML", help=help_, offset=at, length=length)


def _audio(text: str) -> Entry:
    if text.startswith("/") or "\\" in text or re.match(r"[a-z0-9]+://", text) or ".." in text.split("/"):
        raise Fault(
            "SF126",
            f"'{text[:80]}' is not the name of an audio file",
            help="write a path inside the prompt bucket, such as en/welcome.wav",
            length=len(text),
        )
    return Entry("audio", file=text)


class _Special(Strict):
    audio: Annotated[Entry | None, word(_audio)] = None
    ssml: Annotated[Entry | None, word(_ssml)] = None


def _entry(value: Any) -> Any:
    if not isinstance(value, _Special):
        return value
    if (value.audio is None) == (value.ssml is None):
        raise Fault("SF126", "an entry is either `audio` or `ssml`", help="write `{audio: file.wav}`")
    return value.audio or value.ssml


def _entries(value: Any) -> tuple[Entry, ...]:
    return value if isinstance(value, tuple) else (value,)


def _filled(value: tuple[Entry, ...]) -> tuple[Entry, ...]:
    if not value:
        raise Fault("SF126", "{field} says nothing", label="empty list", help="write what is to be said", at_key=True)
    return value


_One: TypeAlias = Annotated[Entry, shaped(scalar=Annotated[Entry, leaf(_said)], map_=_Special, then=_entry)]
_Said: TypeAlias = Annotated[Entry, leaf(_said)]
_Entries: TypeAlias = Annotated[
    tuple[Entry, ...],
    shaped(
        scalar=_Said,
        list_=tuple[_One, ...],
        map_=Annotated[Entry, shaped(map_=_Special, then=_entry)],
        then=lambda value: _filled(_entries(value)),
    ),
]


def _locale_key(text: str) -> str:
    return EVERYWHERE if text == _EVERYWHERE_KEY else check_locale(text)


_PromptLocale: TypeAlias = Annotated[str, key(_locale_key)]


def _everywhere(value: object) -> object:
    """`{audio: file}` and `{ssml: text}` are the same in every locale."""
    if isinstance(value, dict):
        return {_EVERYWHERE_KEY: value} if value and set(value) <= {"audio", "ssml"} else value
    if shape_of(value) == "scalar" and isinstance(value, Scalar) and not value.text and not value.quoted:
        raise Fault("SF104", "{field} has no value", at_key=True)
    raise Fault(
        "SF126",
        f"{{field}} takes a map of locales, not {SHAPES[shape_of(value)]}",
        help="write `en-US: text` below it, or `{audio: file.wav}`",
        at_key=True,
    )


def _bot_locale(text: str) -> str:
    if re.fullmatch(r"[a-z]{2,3}_[A-Z0-9]{2,3}", text):
        return text
    raise Fault("SF127", f"'{text[:60]}' is not a locale of a bot", help="write it as Lex does, such as en_US")


_Locales: TypeAlias = Annotated[dict[_PromptLocale, _Entries], BeforeValidator(_everywhere)]


class _VoiceFields(Strict):
    voice: Text
    engine: Annotated[str, one_of(ENGINES, "an engine")] = ""
    bot: Annotated[str, word(_bot_locale)] = ""


class PromptsModel(Strict):
    """One prompts file."""

    sma_prompts: Annotated[int, version("sma_prompts")]
    default: Locale
    locales: dict[LocaleKey, _VoiceFields]
    prompts: dict[PromptKey, Annotated[dict[_PromptLocale, _Entries], BeforeValidator(_everywhere)]] = Field(
        default_factory=dict
    )

    def catalogue(self) -> Catalogue:
        """The catalogue in the form that the compiler uses."""
        voices = {name: Voice(each.voice, each.engine, each.bot) for name, each in self.locales.items()}
        return Catalogue(self.default, voices, self.prompts)
