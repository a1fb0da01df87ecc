"""Keys: collecting them, listening for them in the background, and who gets one (rules 29-37, 70, 71)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sma_flows.protocol.events import as_int
from sma_flows.simulator.desk import COLLECTING, DONE, Desk, Done, Failed, Outcome, bad
from sma_flows.simulator.jsontext import loads
from sma_flows.simulator.messages import Hears
from sma_flows.simulator.model import Leg, Listener, Network, Notice, Running, Sent, quote
from sma_flows.simulator.talk import audio_fault, audio_ms, audio_name, recorded, speech_fault, speech_ms

MOST_DIGITS: Final = 128
_new: Final = tuple.__new__
_SILENCE: Final = {tag: Hears(tag, "silence") for tag in ("LEG-A", "LEG-B")}


class Collection(NamedTuple):
    """What a digit action asks for. *wrong* is the message that its parameters deserve (rule 33).

    ``words`` are the question and what is said to an entry that does not fit, when both can be said (rule 27).
    """

    least: int
    most: int
    total_ms: int
    gap_ms: int
    attempts: int
    terminators: str | tuple[str, ...]
    pattern: re.Pattern[str] | None
    wrong: str
    words: tuple[str, str] | None


class Registration(NamedTuple):
    """What ReceiveDigits listens for. *wrong* as above (rule 37)."""

    pattern: re.Pattern[str] | None
    gap_ms: int
    flush_ms: int
    wrong: str


def number(params: Mapping[str, Any], name: str, default: int) -> int:
    """A whole number, also written as text; -1 for anything else."""
    value = params.get(name)
    if value is None:
        return default
    value = as_int(value)
    return -1 if value is None else value


def _pattern(text: object) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if isinstance(text, str) else None
    except (re.error, RecursionError, OverflowError):
        return None


@lru_cache(maxsize=1024)
def collection(params: str) -> Collection:
    """The parameters of a digit action, read once for all calls that are asked the same."""
    given = loads(params)
    least, most = number(given, "MinNumberOfDigits", 0), number(given, "MaxNumberOfDigits", MOST_DIGITS)
    total = number(given, "RepeatDurationInMilliseconds", 0)
    gap, attempts = number(given, "InBetweenDigitsDurationInMilliseconds", total), number(given, "Repeat", 1)
    regex = given.get("InputDigitsRegex")
    pattern = _pattern(regex)
    wrong = ""
    if not 0 <= least <= most <= MOST_DIGITS:
        wrong = "MaxNumberOfDigits"
    elif total < 1:
        wrong = "RepeatDurationInMilliseconds"
    elif gap < 1:
        wrong = "InBetweenDigitsDurationInMilliseconds"
    elif attempts < 1:
        wrong = "Repeat"
    elif regex is not None and pattern is None:
        wrong = "InputDigitsRegex"
    keys = given.get("TerminatorDigits") or "#"
    terminators = tuple(map(str, keys)) if isinstance(keys, list) else str(keys)
    message = f"The {wrong} parameter is invalid." if wrong else ""
    speech = given.get("SpeechParameters"), given.get("FailureSpeechParameters")
    usual = Desk(Network(), str)
    words = None if any(speech_fault(usual, one) for one in speech) else (speech[0]["Text"], speech[1]["Text"])
    return Collection(least, most, total, gap, attempts, terminators, pattern, message, words)


@lru_cache(maxsize=1024)
def registration(params: str) -> Registration:
    """The parameters of ReceiveDigits, read once for all calls that register the same."""
    given = loads(params)
    gap = number(given, "InBetweenDigitsDurationInMilliseconds", 0)
    flush = number(given, "FlushDigitsDurationInMilliseconds", 0)
    pattern = _pattern(given.get("InputDigitsRegex") or None)
    wrong = "InputDigitsRegex" if pattern is None else ""
    if not wrong and (gap < 1 or flush <= gap):
        wrong = "FlushDigitsDurationInMilliseconds"
    return Registration(pattern, gap, flush, f"The {wrong} parameter is invalid." if wrong else "")


def collect(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rule 33, then the main prompt as attempt 1."""
    asks = collection(sent.params)
    if asks.wrong:
        desk.lean("33")
        return bad(asks.wrong)
    if asks.words is None or desk.world.speech_error or sent.type != "SpeakAndGetDigits":
        fault = _prompt_fault(desk, sent.type, sent.data)
        if fault is not None:
            return fault
    desk.running = running = _new(Running, (sent, leg.tag, "prompt", "", 1, False))
    _prompt(desk, running, asks, failure=False)
    return None


def _prompt_fault(desk: Desk, kind: str, params: dict[str, Any]) -> Failed | None:
    if kind == "SpeakAndGetDigits":
        main, failure = params.get("SpeechParameters"), params.get("FailureSpeechParameters")
        return speech_fault(desk, main) or speech_fault(desk, failure)
    return audio_fault(desk, params.get("AudioSource")) or audio_fault(desk, params.get("FailureAudioSource"))


def _prompt(desk: Desk, running: Running, asks: Collection, *, failure: bool) -> None:
    action = running[0]
    if asks.words is not None and action.type == "SpeakAndGetDigits":
        text = asks.words[failure]
        desk.out.append(_new(Hears, (running[1], "speech", text)))
        ms = speech_ms(text, desk.world.ms_per_character)
    else:
        source = action.data["FailureAudioSource" if failure else "AudioSource"]
        desk.out.append(Hears(running.leg, "audio", audio_name(source)))
        ms = audio_ms(desk, source)
    desk.goes_on(ms)


def collect_timer(desk: Desk, running: Running) -> Outcome:
    """A prompt has ended, or the time for keys is up (rules 30-32)."""
    action, leg, phase, digits, attempt, dropped = running
    asks = collection(action.params)
    if phase == "prompt":
        desk.running = _new(Running, (action, leg, "collect", digits, attempt, dropped))
        desk.out.append(_SILENCE[leg])
        desk.goes_on(asks.total_ms)
        return None
    if phase == "failure":
        if attempt < asks.attempts:
            desk.running = again = Running(action, leg, "prompt", "", attempt + 1, dropped)
            _prompt(desk, again, asks, failure=False)
            return None
        desk.lean("31 error")
        return Failed(desk.switches.digits_error, "No valid digits were received.")
    desk.lean("30" if digits else "32")
    return _evaluate(desk, running, asks)


def collect_key(desk: Desk, running: Running, key: str) -> Outcome:
    """Rules 29 and 30. A key during the failure prompt is lost (inferred)."""
    action, leg, phase, digits, attempt, dropped = running
    if phase == "failure":
        desk.lean("31 keys")
        return None
    asks = collection(action.params)
    if phase == "prompt":
        desk.lean("29")
        desk.out.append(_SILENCE[leg])
    if key in asks.terminators:
        desk.lean("30")
        desk.lean("30 terminator")
        return _evaluate(desk, running, asks)
    digits += key
    running = desk.running = _new(Running, (action, leg, "collect", digits, attempt, dropped))
    if len(digits) >= asks.most:
        desk.lean("30")
        return _evaluate(desk, running, asks)
    desk.goes_on(asks.gap_ms)
    return None


def _evaluate(desk: Desk, running: Running, asks: Collection) -> Outcome:
    action, leg, _, digits, attempt, dropped = running
    if len(digits) >= asks.least:  # rule 30
        pattern = asks.pattern
        found = pattern is None or pattern.search(digits)
        if found and pattern is not None and not pattern.fullmatch(digits):
            desk.lean("30 regex")
        if found:
            if not digits:
                desk.lean("32 empty")
            return Done(f',"ReceivedDigits":{quote(digits)}')
    desk.lean("31")
    desk.running = wrong = Running(action, leg, "failure", "", attempt, dropped)  # rules 31 and 32
    _prompt(desk, wrong, asks, failure=True)
    return None


def listen(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """ReceiveDigits: rules 34 and 37."""
    wrong = registration(sent.params).wrong
    if wrong:
        desk.lean("37")
        return bad(wrong)
    tag, others = leg.tag, desk.listeners
    desk.lean("34")
    if others:
        others = tuple([one for one in others if one.leg != tag])
        if len(others) < len(desk.listeners):
            desk.lean("34 again")
        desk.cancel("gap", tag)
        desk.cancel("flush", tag)
    desk.listeners = (*others, Listener(tag, sent))
    return Done(',"ReceivedDigits":""')


def listener_key(desk: Desk, tag: str, key: str) -> None:
    """Rule 35: a key for the listener of this leg (rule 71), or for nobody."""
    for listener in desk.listeners:
        if listener.leg == tag:
            break
    else:
        if desk.listeners:
            desk.lean("71")
        desk.lean("70 nobody")
        desk.warn(f"a key on {tag} is heard by nobody")  # which one may be part of a secret
        return
    desk.lean("35")
    if len(desk.listeners) > 1:
        desk.lean("71")
    if listener.reported:
        desk.lean("35 once")
    wants = registration(listener.action.params)
    if not listener.buffer:
        desk.timer("flush", wants.flush_ms, tag)
    desk.timer("gap", wants.gap_ms, tag)
    _store(desk, Listener(tag, listener.action, listener.buffer + key, listener.reported))


def _store(desk: Desk, listener: Listener) -> None:
    desk.listeners = tuple([listener if one.leg == listener.leg else one for one in desk.listeners])


def listener_timer(desk: Desk, name: str, tag: str) -> None:
    """The gap after the last key (rule 35), or the flush after the first (rule 36)."""
    listener = next((one for one in desk.listeners if one.leg == tag), None)
    leg = desk.leg(tag)
    if listener is None or leg is None or not listener.buffer:
        return
    pattern = registration(listener.action.params).pattern
    if name == "gap":
        if pattern is None or not pattern.search(listener.buffer):
            return
        if not pattern.fullmatch(listener.buffer):
            desk.lean("30 regex")
    desk.cancel("gap", tag)
    desk.cancel("flush", tag)
    _store(desk, Listener(tag, listener.action, "", listener.reported or name == "gap"))
    if name == "flush":
        desk.lean("36")
        if desk.switches.flush_reports == "no":
            return
    else:
        desk.lean("35")
    data = f'{desk.echo(listener.action, leg)[:-1]},"ReceivedDigits":{quote(listener.buffer)}}}'
    desk.tell(Notice("DIGITS_RECEIVED", tag, data))
    if name == "gap" and desk.switches.listener_once == "yes":
        desk.listeners = tuple([one for one in desk.listeners if one.leg != tag])


def key(desk: Desk, tag: str, pressed: str) -> Outcome:
    """Rule 70: who gets this key. An outcome ends the running action."""
    running = desk.running
    desk.lean("70")
    if running is not None and running.leg == tag:
        kind = running.action.type
        if kind in COLLECTING:
            return collect_key(desk, running, pressed)
        if kind == "StartBotConversation":
            desk.lean("70 bot")
            return None
        if kind == "PlayAudio":
            if pressed in (running.action.data.get("PlaybackTerminators") or ()):  # rule 23
                desk.lean("23")
                return DONE
            desk.lean("24")
        elif kind == "RecordAudio":
            if pressed in (running.action.data.get("RecordingTerminators") or ()):
                desk.lean("38")
                return recorded(desk, running, pressed)
            desk.lean("70 recording")
        elif kind == "Speak":
            desk.lean("26 keys")
    listener_key(desk, tag, pressed)  # rules 24 and 26
    return None
