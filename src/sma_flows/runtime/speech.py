"""From prompts to what the service plays: texts with voices, files, and the 1,000 characters of a spoken text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sma_flows.protocol.actions import MAX_TEXT, Action, InvalidActionError, audio_source
from sma_flows.runtime.values import compile_text, escape

if TYPE_CHECKING:
    from sma_flows.runtime.frame import Frame

Item = Sequence[Any]

_SPEAK_OPEN = re.compile(r"^\s*<speak[^>]*>|</speak>\s*$")
_TAG = re.compile(r"<[^>]*>")
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+")

POLLY_LANGUAGES: Final = frozenset(
    (
        "arb",
        "cmn-CN",
        "cy-GB",
        "da-DK",
        "de-DE",
        "en-AU",
        "en-GB",
        "en-GB-WLS",
        "en-IN",
        "en-US",
        "es-ES",
        "es-MX",
        "es-US",
        "fr-CA",
        "fr-FR",
        "is-IS",
        "it-IT",
        "ja-JP",
        "hi-IN",
        "ko-KR",
        "nb-NO",
        "nl-NL",
        "pl-PL",
        "pt-BR",
        "pt-PT",
        "ro-RO",
        "ru-RU",
        "sv-SE",
        "tr-TR",
        "en-NZ",
        "en-ZA",
        "ca-ES",
        "de-AT",
        "yue-CN",
        "ar-AE",
        "fi-FI",
        "en-IE",
        "nl-BE",
        "fr-BE",
        "cs-CZ",
        "de-CH",
        "en-SG",
    )
)
"""Language codes that Polly knows (42, contract 4.11). A locale outside is used for texts only, not sent."""


class Spoken(NamedTuple):
    """A text to be spoken with its voice parameters."""

    text: str
    ssml: bool
    voice: Mapping[str, str]

    def params(self) -> dict[str, str]:
        """Speech parameters as the service wants them."""
        out = {"Text": self.text, **self.voice}
        if self.ssml:
            out["TextType"] = "ssml"
        return out


class File(NamedTuple):
    """An audio file to be played."""

    bucket: str
    key: str

    def source(self) -> dict[str, str]:
        """The file as AudioSource.

        Raises:
            InvalidActionError: no such bucket name or key.
        """
        return audio_source(self.bucket, self.key)


class _Entry(NamedTuple):
    """One compiled prompt entry: a file, or a text with its constant value where nothing is inserted."""

    file: str
    constant: Spoken | None
    text: Callable[[Frame], str]
    ssml: bool


class Speech:
    """The prompts of one compiled flow. Entries are compiled when first spoken."""

    def __init__(self, flow: Mapping[str, Any], env: Mapping[str, str]) -> None:
        self._prompts: Mapping[str, Mapping[str, Any]] = flow.get("prompts", {})
        self._catalogues: Mapping[str, Mapping[str, Any]] = flow.get("catalogues", {})
        self._types: Mapping[str, Mapping[str, Any]] = flow.get("vars", {})
        self._env = env
        self.bucket = env.get("PROMPTS", "")
        self._prompt_vars = frozenset(name for name, kind in self._types.items() if kind.get("t") == "prompt")
        self._entries: dict[tuple[str, str], tuple[_Entry, ...]] = {}
        self._voices: dict[tuple[str, str], dict[str, str]] = {}

    # ---- compiling ---------------------------------------------------------------------------------------------

    def voice(self, prefix: str, locale: str | None) -> dict[str, str]:
        """Voice parameters of a locale in the catalogue of *prefix*; empty without one (the service's default)."""
        key = (prefix, locale or "")
        found = self._voices.get(key)
        if found is None:
            found = self._voices[key] = self._make_voice(prefix, locale)
        return found

    def _make_voice(self, prefix: str, locale: str | None) -> dict[str, str]:
        catalogue = self._catalogues.get(prefix)
        if not catalogue:
            return {}
        locales = catalogue.get("locales", {})
        name = locale if locale in locales else catalogue.get("default", "")
        voice: Mapping[str, str] = locales.get(name) or {}
        out = {}
        if voice.get("voice"):
            out["VoiceId"] = voice["voice"]
        if voice.get("engine"):
            out["Engine"] = voice["engine"]
        if name in POLLY_LANGUAGES:
            out["LanguageCode"] = name
        return out

    def bot_locale(self, prefix: str, locale: str | None) -> str | None:
        """The Lex locale that belongs to a locale of the catalogue."""
        catalogue = self._catalogues.get(prefix) or self._catalogues.get("") or {}
        locales = catalogue.get("locales", {})
        voice = locales.get(locale) or locales.get(catalogue.get("default")) or {}
        bot = voice.get("bot")
        return bot if isinstance(bot, str) else locale.replace("-", "_") if locale else None

    def text(self, parts: Sequence[Any], *, ssml: bool = False) -> Callable[[Frame], str]:
        """A template of the plan as closure."""
        return compile_text(parts, self._env, ssml=ssml, prompts=self._prompt_vars)

    def entries(self, name: str, locale: str | None) -> tuple[_Entry, ...]:
        """The entries of a prompt (one per attempt, the last stays) in *locale* or the default one.

        Raises:
            InvalidActionError: the flow has no such prompt (a name that came from outside).
        """
        key = (name, locale or "")
        found = self._entries.get(key)
        if found is None:
            found = self._entries[key] = self._compile(name, locale)
        return found

    def _compile(self, name: str, locale: str | None) -> tuple[_Entry, ...]:
        by_locale = self._prompts.get(name)
        if not by_locale:
            raise InvalidActionError("no such prompt")
        prefix = name[: name.rfind("/") + 1]
        default = self._catalogues.get(prefix, {}).get("default", "")
        chosen = next((name for name in (locale, default, "*") if name and name in by_locale), next(iter(by_locale)))
        voice = self.voice(prefix, locale)
        out = []
        for entry in by_locale[chosen]:
            if "audio" in entry:
                out.append(_Entry(entry["audio"], None, lambda _f: "", ssml=False))
                continue
            parts, ssml = entry["say"], bool(entry.get("ssml"))
            parts = [parts] if isinstance(parts, str) else parts
            text = self.text(parts, ssml=ssml)
            constant = None
            if all(isinstance(part, str) for part in parts):
                constant = Spoken("".join(parts), ssml, voice)
            out.append(_Entry("", constant, text, ssml))
        return tuple(out)

    def constant(self, items: Sequence[Item]) -> bool:
        """Whether *items* sound the same in every call of one locale: nothing is inserted."""
        for item in items:
            if item[0] == "text":
                if not all(isinstance(part, str) for part in item[1]):
                    return False
            elif item[0] != "prompt" or not all(
                "audio" in entry or isinstance(entry["say"], str) or all(isinstance(p, str) for p in entry["say"])
                for entries in self._prompts.get(item[1], {"": [{"say": [()]}]}).values()
                for entry in entries
            ):
                return False
        return True

    # ---- rendering ---------------------------------------------------------------------------------------------

    def words(self, frame: Frame, name: str, *, ssml: bool) -> str:
        """The text of a prompt for insertion into another one, in the locale of that one."""
        prefix, locale = frame.spoken or ("", frame.locale())
        entry = self.entries(name if name in self._prompts else f"{prefix}{name}", locale)[0]
        text = entry.text(frame)
        if entry.ssml:
            inner = _SPEAK_OPEN.sub("", text)
            return inner if ssml else _TAG.sub("", inner)
        return escape(text) if ssml else text

    def pieces(
        self, frame: Frame, items: Sequence[Item], prefix: str, locale: str | None, attempt: int = 0
    ) -> list[Spoken | File]:
        """What *items* are in this call: texts and files in order, neighbouring texts of one voice joined.

        Raises:
            InvalidActionError: a variable is unset or names no prompt.
        """
        out: list[Spoken | File] = []
        frame.spoken = (prefix, locale)
        for item in items:
            piece = self._piece(frame, item, prefix, locale, attempt)
            if isinstance(piece, Spoken):
                if not piece.text:
                    continue
                if out and isinstance(out[-1], Spoken) and out[-1].voice == piece.voice:
                    joined = _join(out[-1], piece)
                    if joined is not None:
                        out[-1] = joined
                        continue
            out.append(piece)
        return out

    def _piece(self, frame: Frame, item: Item, prefix: str, locale: str | None, attempt: int) -> Spoken | File:
        kind, what = item[0], item[1]
        if kind == "text":
            return Spoken(self.text(what)(frame), False, self.voice(prefix, locale))
        name = what
        if kind == "var":
            value = frame.vars.get(what)
            if isinstance(value, dict):
                return File(str(value.get("bucket", "")), str(value.get("key", "")))
            if not isinstance(value, str):
                raise InvalidActionError("the variable to be played is unset")
            if self._types.get(what, {}).get("t") == "audio":
                return File(self.bucket, value)
            name = value if value in self._prompts else f"{prefix}{value}"
        entries = self.entries(name, locale)
        entry = entries[min(attempt, len(entries) - 1)]
        if entry.file:
            return File(self.bucket, entry.file)
        if entry.constant is not None:
            return entry.constant
        return Spoken(entry.text(frame), entry.ssml, self.voice(name[: name.rfind("/") + 1], locale))

    def speak(self, frame: Frame, piece: Spoken, leg: Mapping[str, str]) -> list[Action]:
        """Speak actions for one text; a long one is split at sentence ends (decision 28)."""
        if len(piece.text) <= MAX_TEXT:
            return [{"Type": "Speak", "Parameters": {**leg, **piece.params()}}]
        frame.note = frame.note or "text split"
        plain = piece.text if not piece.ssml else _unescape(_TAG.sub("", piece.text))
        parts = split_text(plain, MAX_TEXT)
        return [{"Type": "Speak", "Parameters": {**leg, "Text": part, **piece.voice}} for part in parts]

    def play(self, piece: File, leg: Mapping[str, str]) -> Action:
        """One PlayAudio action."""
        return {"Type": "PlayAudio", "Parameters": {**leg, "AudioSource": piece.source()}}

    def talk(self, frame: Frame, pieces: Sequence[Spoken | File], leg: Mapping[str, str]) -> list[Action]:
        """All pieces as actions on one leg."""
        out: list[Action] = []
        for piece in pieces:
            if isinstance(piece, Spoken):
                out.extend(self.speak(frame, piece, leg))
            else:
                out.append(self.play(piece, leg))
        return out


def _join(left: Spoken, right: Spoken) -> Spoken | None:
    """Two texts as one, or None when they do not fit into one action."""
    if left.ssml or right.ssml:
        inner = " ".join(_SPEAK_OPEN.sub("", p.text) if p.ssml else escape(p.text) for p in (left, right))
        joined = Spoken(f"<speak>{inner}</speak>", True, left.voice)
    else:
        joined = Spoken(f"{left.text} {right.text}", False, left.voice)
    return joined if len(joined.text) <= MAX_TEXT else None


def _unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def split_text(text: str, most: int) -> list[str]:
    """Split at sentence ends, then at words, then anywhere, into parts of at most *most* characters."""
    parts: list[str] = []
    current = ""
    for sentence in _SENTENCE_END.split(text):
        for chunk in _chunks(sentence, most):
            if current and len(current) + 1 + len(chunk) <= most:
                current = f"{current} {chunk}"
            else:
                if current:
                    parts.append(current)
                current = chunk
    if current:
        parts.append(current)
    return parts


def _chunks(sentence: str, most: int) -> list[str]:
    out = []
    while len(sentence) > most:
        at = sentence.rfind(" ", 1, most + 1)
        at = at if at > 0 else most
        out.append(sentence[:at].strip())
        sentence = sentence[at:].strip()
    if sentence:
        out.append(sentence)
    return [chunk for chunk in out if chunk]


def cut_text(text: str, most: int) -> str:
    """Cut a text from outside at a word: the only cut allowed (decision 28)."""
    if len(text) <= most:
        return text
    at = text.rfind(" ", 1, most + 1)
    return text[: at if at > 0 else most].rstrip()


def one_speech(frame: Frame, pieces: Sequence[Spoken | File]) -> tuple[list[Spoken | File], Spoken | File]:
    """Split the pieces of a question into what is played before and the last one, during which keys are heard.

    Raises:
        InvalidActionError: nothing to say at all.
    """
    if not pieces:
        raise InvalidActionError("the question is empty")
    last = pieces[-1]
    if isinstance(last, Spoken) and len(last.text) > MAX_TEXT:
        frame.note = frame.note or "text cut"
        plain = _unescape(_TAG.sub("", last.text)) if last.ssml else last.text
        last = Spoken(cut_text(plain, MAX_TEXT), False, last.voice)
    return list(pieces[:-1]), last
