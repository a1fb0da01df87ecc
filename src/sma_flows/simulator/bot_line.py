"""The bots at the end of one telephone line: which one talks, and which keys are not an answer yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sma_flows.simulator.bots import Bot, Conversation, Heard, begin, hear
from sma_flows.simulator.messages import BotResult

__all__ = ["BotLine", "Utterance"]

LOCALE: Final = "en_US"
"""Of a conversation that names none (contract 4.16)."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the bot will have heard when its time comes: words; or, with a number, the keys if no other key came."""

    words: str = ""
    number: int = 0


class BotLine:
    """The bots by their alias ARN, and the conversation that goes on."""

    def __init__(self, bots: Mapping[str, Bot]) -> None:
        self.bots = dict(bots)
        self.now: Conversation | None = None
        self._keys = ""
        self._number = 0

    def start(self, arn: str, parameters: Mapping[str, Any], day: str) -> BotResult | None:
        """A conversation begins on *day* (``yyyy/mm/dd``); the failure, if the bot does not speak the language."""
        bot, locale = self.bots[arn], str(parameters.get("LocaleId") or LOCALE)
        self.now, self._keys = None, ""
        if locale not in bot.locales:
            known = ", ".join(bot.locales)
            return BotResult(error="ResourceNotFound", message=f"The bot does not speak {locale}: it speaks {known}.")
        state = (parameters.get("Configuration") or {}).get("SessionState") or {}
        given = state.get("SessionAttributes") or {}
        self.now = begin(bot, locale, date(*map(int, day.split("/"))), {k: str(v) for k, v in given.items()})
        return None

    def key(self, key: str) -> tuple[int, Utterance] | None:
        """A key of the caller: in how many milliseconds it will have been an answer, with the keys before it."""
        if self.now is None:
            return None
        how = self.now.dtmf
        self._number += 1
        if key == how.delete:
            self._keys = ""
            return None
        if key != how.end:
            self._keys += key
        at_once = key == how.end or len(self._keys) >= how.most
        return 0 if at_once else how.gap_ms, Utterance(number=self._number)

    def hear(self, utterance: Utterance) -> Heard | None:
        """The bot hears it; None: nobody listens any more, or more keys came."""
        if self.now is None or (utterance.number and utterance.number != self._number):
            return None
        words = utterance.words
        if utterance.number:
            words, self._keys = self._keys, ""
        heard = hear(self.now, words)
        self.now = heard.now if heard.result is None else None
        return heard
