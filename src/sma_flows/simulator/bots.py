"""A conversation with a bot out of its export: words or keys in, what the bot says and how it ends out. No I/O.

This is not Lex: nothing is understood here. Words are compared with the sample utterances of the intents, exactly,
then with other words around them, then by the words that they share; slots are filled by :mod:`bot_slots`. Which
intent Lex would choose for words that are in no sample is its secret (inferred: the nearest sample above the bot's
threshold). Code hooks, conditions and next steps of an export are not run: slots are asked for in the order of their
priority, then the confirmation, and an intent ends ReadyForFulfillment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

from sma_flows.simulator.bot_export import Bot, Dtmf, Intent, Locale, Prompt, Slot, load_bot
from sma_flows.simulator.bot_slots import Said, normal, resolve, yes_or_no
from sma_flows.simulator.messages import BotResult, SlotValue

__all__ = ["Bot", "Conversation", "Heard", "begin", "hear", "load_bot"]

CONFIRMING: Final = "?"
"""Stands for the confirmation among the names of slots that can be asked for."""

NEAR: Final = 0.6
"""Below this, words that are in no sample are not taken for one, whatever the bot's threshold is."""

MOST_WORDS: Final = 60
"""An utterance has so many words; what comes after them is not heard."""

_SLOT: Final = re.compile(r"\{([A-Za-z][A-Za-z0-9_-]*)\}")
Filled = tuple[tuple[str, Said], ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation at one moment. ``asks`` is a slot, :data:`CONFIRMING`, or empty: what the caller wants."""

    locale: Locale
    today: date
    attributes: tuple[tuple[str, str], ...] = ()
    intent: str = ""
    filled: Filled = ()
    asks: str = ""
    tries: int = 0
    score: float = 0.0
    others: tuple[tuple[str, float], ...] = ()

    @property
    def prompt(self) -> Prompt:
        """What the bot wants an answer to: how often it asks again, and how keys answer it."""
        intent = _named(self.locale, self.intent)
        if intent is None or not self.asks:
            return Prompt("")
        if self.asks == CONFIRMING:
            return intent.confirmation or Prompt("")
        return _slot(intent, self.asks).prompt

    @property
    def dtmf(self) -> Dtmf:
        """How keys become an answer to what the bot asks now."""
        return self.prompt.dtmf


class Heard(NamedTuple):
    """What came of an utterance: the conversation, what the bot says, and its result when it is over."""

    now: Conversation
    says: tuple[str, ...] = ()
    result: BotResult | None = None


def begin(bot: Bot, locale: str, today: date, attributes: Mapping[str, str] | None = None) -> Conversation:
    """A conversation in which nothing was said yet.

    Raises:
        KeyError: the bot does not speak this language.
    """
    return Conversation(bot.locales[locale], today, tuple((attributes or {}).items()))


def hear(talk: Conversation, words: str) -> Heard:
    """The caller says *words*, or has pressed these keys; nothing at all is ``""``."""
    words = " ".join(words.split()[:MOST_WORDS])
    if not talk.asks:
        return _wish(talk, words) or _fallback(talk)
    intent = _named(talk.locale, talk.intent)
    if intent is None:
        return _fallback(talk)
    if talk.asks == CONFIRMING:
        meant = yes_or_no(words)
        if meant is not None:
            return _done(talk, intent, confirmed=meant)
    else:
        slot = _slot(intent, talk.asks)
        said = _answer(slot, words, talk.today)
        if said is not None:
            return _next(replace(talk, filled=_with(talk.filled, ((slot.name, said),)), asks="", tries=0), intent, ())
    other = _wish(talk, words, least=1.0)  # somebody who changes his mind says it as in a sample
    return other or _again(talk)


# ---- where the conversation goes -----------------------------------------------------------------------------------


def _wish(talk: Conversation, words: str, least: float = 0.0) -> Heard | None:
    """The intent that the words mean, if they mean one."""
    ranked = _ranked(talk.locale, words, talk.today)
    if not ranked or ranked[0].score < max(least, NEAR, talk.locale.threshold):
        return None
    best = ranked[0]
    if least and best.intent.name == talk.intent:
        return None
    others = tuple((one.intent.name, round(0.5 * one.score, 2)) for one in ranked[1:3])
    filled = best.filled if best.score == 1.0 else _with(_mentioned(best.intent, words, talk.today), best.filled)
    fresh = replace(
        talk, intent=best.intent.name, filled=filled, asks="", tries=0, score=round(best.score, 2), others=others
    )
    opening = (_inserted(best.intent.opening, filled),) if best.intent.opening else ()
    return _next(fresh, best.intent, opening)


def _next(talk: Conversation, intent: Intent, said: tuple[str, ...]) -> Heard:
    """Ask for the next required slot, then for the confirmation, then it is over."""
    filled = dict(talk.filled)
    for slot in intent.slots:
        if slot.name in filled or not slot.required:
            continue
        if slot.default:
            value = _answer(slot, slot.default, talk.today) or Said(slot.default, slot.default)
            return _next(replace(talk, filled=_with(talk.filled, ((slot.name, value),))), intent, said)
        return _ask(replace(talk, asks=slot.name, tries=0), slot.prompt, said)
    if intent.confirmation is not None:
        return _ask(replace(talk, asks=CONFIRMING, tries=0), intent.confirmation, said)
    return _done(talk, intent, confirmed=None, said=said)


def _ask(talk: Conversation, prompt: Prompt, said: tuple[str, ...] = ()) -> Heard:
    return Heard(talk, (*said, _inserted(prompt.text, talk.filled)) if prompt.text else said)


def _again(talk: Conversation) -> Heard:
    """The same question once more, or the fallback when that was the last time (guide, built-in-intent-fallback)."""
    if talk.tries >= talk.prompt.retries:
        return _fallback(talk)
    return _ask(replace(talk, tries=talk.tries + 1), talk.prompt)


def _done(talk: Conversation, intent: Intent, *, confirmed: bool | None, said: tuple[str, ...] = ()) -> Heard:
    last = intent.declined if confirmed is False else intent.closing
    says = (*said, _inserted(last, talk.filled)) if last else said
    filled = dict(talk.filled)
    state = "Failed" if confirmed is False else "ReadyForFulfillment"
    result = BotResult(
        intent=intent.name,
        state=state,
        slots=tuple((slot.name, _value(filled.get(slot.name))) for slot in intent.slots),
        attributes=talk.attributes,
        confirmation={True: "Confirmed", False: "Denied", None: "None"}[confirmed],
        score=talk.score,
        others=((talk.locale.fallback, None), *talk.others),
    )
    return Heard(talk, says, result)


def _fallback(talk: Conversation) -> Heard:
    name = talk.locale.fallback
    intent = _named(talk.locale, name) or Intent(name)
    says = (intent.closing,) if intent.closing else ()
    return Heard(talk, says, BotResult(intent=name, attributes=talk.attributes, score=None, others=talk.others))


def _value(said: Said | None) -> SlotValue | None:
    return None if said is None else SlotValue(said.original, said.interpreted, said.resolved)


def _with(filled: Filled, more: Filled) -> Filled:
    return tuple({**dict(filled), **dict(more)}.items())


def _inserted(text: str, filled: Filled) -> str:
    """A message with the values of slots in it; a slot without a value stays out."""
    known = dict(filled)
    return _SLOT.sub(lambda match: known[match[1]].interpreted if match[1] in known else "", text)


def _named(locale: Locale, name: str) -> Intent | None:
    return next((one for one in locale.intents if one.name == name), None)


def _slot(intent: Intent, name: str) -> Slot:
    return next(one for one in intent.slots if one.name == name)


def _mentioned(intent: Intent, words: str, today: date) -> Filled:
    """Values of listed types that stand anywhere among words that are in no sample."""
    listed = [slot for slot in intent.slots if slot.type.values and slot.type.top]
    found = ((slot.name, _first(slot, normal(words).split(), today)) for slot in listed)
    return tuple((name, said) for name, said in found if said is not None)


# ---- words and samples ---------------------------------------------------------------------------------------------


class _Match(NamedTuple):
    score: float
    literal: int
    intent: Intent
    filled: Filled


@dataclass(frozen=True, slots=True)
class _Sample:
    """A sample utterance: words, and slots between them as their names in braces."""

    intent: Intent
    parts: tuple[str, ...]
    words: frozenset[str] = field(default=frozenset())


@lru_cache(maxsize=256)
def _samples(locale_key: tuple[Intent, ...]) -> tuple[_Sample, ...]:
    found = []
    for intent in sorted(locale_key, key=lambda one: one.name):
        for utterance in intent.utterances:
            parts = _parts(utterance)
            found.append(_Sample(intent, parts, frozenset(part for part in parts if not part.startswith("{"))))
    return tuple(found)


def _parts(utterance: str) -> tuple[str, ...]:
    parts: list[str] = []
    for at, piece in enumerate(_SLOT.split(utterance)):
        parts += [f"{{{piece}}}"] if at % 2 else normal(piece).split()
    return tuple(parts)


def _ranked(locale: Locale, words: str, today: date) -> list[_Match]:
    """The intents that the words may mean, each once, the best first."""
    said = normal(words).split()
    best: dict[str, _Match] = {}
    for sample in _samples(locale.intents) if said else ():
        match = _scored(sample, said, today)
        known = best.get(sample.intent.name)
        if match is not None and (known is None or match[:2] > known[:2]):
            best[sample.intent.name] = match
    return sorted(best.values(), key=lambda one: (-one.score, -one.literal, one.intent.name))


def _scored(sample: _Sample, said: Sequence[str], today: date) -> _Match | None:
    literal = len(sample.words)
    if sample.words.issubset(said):
        match = _whole_or_inside(sample, said, today)
        if match is not None:
            return match
    shared = len(sample.words.intersection(said))
    if not shared:
        return None
    alike = 0.9 * 2 * shared / (len(sample.words) + len(set(said)))
    return _Match(min(alike, 0.9), literal, sample.intent, ())


def _whole_or_inside(sample: _Sample, said: Sequence[str], today: date) -> _Match | None:
    """The sample is all that was said, or stands among other words."""
    slots = {f"{{{slot.name}}}": slot for slot in sample.intent.slots}
    whole = _fitted(sample.parts, said, 0, slots, today, whole=True)
    if whole is not None:
        return _Match(1.0, len(sample.words), sample.intent, whole[1])
    if not sample.words:
        return None  # a sample of slots only means something by itself
    for start in range(len(said)):
        inside = _fitted(sample.parts, said, start, slots, today)
        if inside is not None:
            return _inside(sample, said, inside[0] - start, inside[1])
    return None


def _inside(sample: _Sample, said: Sequence[str], used: int, filled: Filled) -> _Match:
    return _Match(0.6 + 0.35 * used / len(said), len(sample.words), sample.intent, filled)


def _fitted(
    parts: Sequence[str],
    said: Sequence[str],
    at: int,
    slots: Mapping[str, Slot],
    today: date,
    *,
    whole: bool = False,
    dead: set[tuple[int, int]] | None = None,
) -> tuple[int, Filled] | None:
    """Where a sample that begins at *at* ends, and its slots; a slot takes as many words as it can.

    *dead* are the places (parts that are left, word) from which it was tried in vain.
    """
    if not parts:
        return (at, ()) if not whole or at == len(said) else None
    dead = set() if dead is None else dead
    place = (len(parts), at)
    if place in dead:
        return None
    slot = slots.get(parts[0])
    if slot is None:
        ends: Iterable[tuple[int, Filled]] = [(at + 1, ())] if said[at : at + 1] == [parts[0]] else []
    else:
        ends = ((end, ((slot.name, value),)) for end, value in _taken(slot, said, at, today))
    for end, filled in ends:
        found = _fitted(parts[1:], said, end, slots, today, whole=whole, dead=dead)
        if found is not None:
            return found[0], (*filled, *found[1])
    dead.add(place)
    return None


def _taken(slot: Slot, said: Sequence[str], at: int, today: date) -> Iterator[tuple[int, Said]]:
    for end in range(min(len(said), at + 8), at, -1):
        value = resolve(slot.type, " ".join(said[at:end]), today)
        if value is not None:
            yield end, value


def _answer(slot: Slot, words: str, today: date) -> Said | None:
    """The value in an answer: where a sample of the slot has it, all of the answer, or the first value in it."""
    said = normal(words).split()
    for utterance in slot.utterances:
        found = _fitted(_parts(utterance), said, 0, {f"{{{slot.name}}}": slot}, today, whole=True)
        if found is not None and found[1]:
            return found[1][0][1]
    value = resolve(slot.type, words, today)
    if value is not None:
        return value
    return _first(slot, said, today)


def _first(slot: Slot, said: Sequence[str], today: date) -> Said | None:
    """The first value among words."""
    return next((value for at in range(len(said)) for _, value in _taken(slot, said, at, today)), None)
