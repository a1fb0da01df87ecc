"""Keys: collecting them, listening for them in the background, and who gets one (rules 29-37, 70, 71)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from sma_flows.protocol.events import as_int
from sma_flows.simulator.desk import COLLECTING, DONE, Desk, Done, Failed, Outcome, bad
from sma_flows.simulator.messages import Hears
from sma_flows.simulator.model import Leg, Listener, Notice, Running, Sent, quote
from sma_flows.simulator.talk import audio_fault, audio_ms, audio_name, recorded, speech_fault, speech_ms

MOST_DIGITS = 128


def number(params: dict[str, Any], name: str, default: int) -> int:
    """A whole number, also written as text; -1 for anything else."""
    value = params.get(name)
    if type(value) is int:
        return value
    if value is None:
        return default
    value = as_int(value)
    return -1 if value is None else value


@lru_cache(maxsize=512)
def _compiled(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return None


def _pattern(text: object) -> re.Pattern[str] | None:
    return _compiled(text) if isinstance(text, str) else None


def collect(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rule 33, then the main prompt as attempt 1."""
    params = sent.data
    fault = _collect_fault(params)
    if fault is not None:
        desk.lean("33")
        return fault
    fault = _prompt_fault(desk, sent.type, params)
    if fault is not None:
        return fault
    desk.running = Running(sent, leg.tag, "prompt")
    _prompt(desk, desk.running, failure=False)
    return None


def _collect_fault(params: dict[str, Any]) -> Failed | None:
    if not 0 <= number(params, "MinNumberOfDigits", 0) <= number(params, "MaxNumberOfDigits", MOST_DIGITS) <= 128:
        return bad("The MaxNumberOfDigits parameter is invalid.")
    if number(params, "RepeatDurationInMilliseconds", 0) < 1:
        return bad("The RepeatDurationInMilliseconds parameter is invalid.")
    if number(params, "InBetweenDigitsDurationInMilliseconds", 1) < 1:
        return bad("The InBetweenDigitsDurationInMilliseconds parameter is invalid.")
    if number(params, "Repeat", 1) < 1:
        return bad("The Repeat parameter is invalid.")
    regex = params.get("InputDigitsRegex")
    if regex is not None and _pattern(regex) is None:
        return bad("The InputDigitsRegex parameter is invalid.")
    return None


def _prompt_fault(desk: Desk, kind: str, params: dict[str, Any]) -> Failed | None:
    if kind == "SpeakAndGetDigits":
        main, failure = params.get("SpeechParameters"), params.get("FailureSpeechParameters")
        return speech_fault(desk, main) or speech_fault(desk, failure)
    return audio_fault(desk, params.get("AudioSource")) or audio_fault(desk, params.get("FailureAudioSource"))


def _prompt(desk: Desk, running: Running, *, failure: bool) -> None:
    params = running.action.data
    if running.action.type == "SpeakAndGetDigits":
        text = params["FailureSpeechParameters" if failure else "SpeechParameters"]["Text"]
        desk.out.append(Hears(running.leg, "speech", text))
        ms = speech_ms(text, desk.world.ms_per_character)
    else:
        source = params["FailureAudioSource" if failure else "AudioSource"]
        desk.out.append(Hears(running.leg, "audio", audio_name(source)))
        ms = audio_ms(desk, source)
    desk.timer("action", ms)


def collect_timer(desk: Desk, running: Running) -> Outcome:
    """A prompt has ended, or the time for keys is up (rules 30-32)."""
    action, leg, phase, digits, attempt, dropped = running
    params = action.data
    if phase == "prompt":
        desk.running = Running(action, leg, "collect", digits, attempt, dropped)
        desk.out.append(Hears(leg, "silence"))
        desk.timer("action", number(params, "RepeatDurationInMilliseconds", 1))
        return None
    if phase == "failure":
        if attempt < number(params, "Repeat", 1):
            desk.running = again = Running(action, leg, "prompt", "", attempt + 1, dropped)
            _prompt(desk, again, failure=False)
            return None
        desk.lean("31 error")
        return Failed(desk.switches.digits_error, "No valid digits were received.")
    desk.lean("30" if digits else "32")
    return _evaluate(desk, running)


def collect_key(desk: Desk, running: Running, key: str) -> Outcome:
    """Rules 29 and 30. A key during the failure prompt is lost (inferred)."""
    action, leg, phase, digits, attempt, dropped = running
    if phase == "failure":
        desk.lean("31 keys")
        return None
    params = action.data
    if phase == "prompt":
        desk.lean("29")
        desk.out.append(Hears(leg, "silence"))
    if key in (params.get("TerminatorDigits") or "#"):
        desk.lean("30")
        desk.lean("30 terminator")
        return _evaluate(desk, running)
    digits += key
    running = desk.running = Running(action, leg, "collect", digits, attempt, dropped)
    if len(digits) >= number(params, "MaxNumberOfDigits", MOST_DIGITS):
        desk.lean("30")
        return _evaluate(desk, running)
    gap = params.get("InBetweenDigitsDurationInMilliseconds")
    name = "RepeatDurationInMilliseconds" if gap is None else "InBetweenDigitsDurationInMilliseconds"
    desk.timer("action", number(params, name, 1))
    return None


def _evaluate(desk: Desk, running: Running) -> Outcome:
    action, leg, _, digits, attempt, dropped = running
    params = action.data
    regex = params.get("InputDigitsRegex")
    if len(digits) >= number(params, "MinNumberOfDigits", 0):  # rule 30
        pattern = _pattern(regex) if regex is not None else None
        found = pattern is None or pattern.search(digits)
        if found and pattern is not None and not pattern.fullmatch(digits):
            desk.lean("30 regex")
        if found:
            if not digits:
                desk.lean("32 empty")
            return Done(f',"ReceivedDigits":{quote(digits)}')
    desk.lean("31")
    desk.running = wrong = Running(action, leg, "failure", "", attempt, dropped)  # rules 31 and 32
    _prompt(desk, wrong, failure=True)
    return None


def listen(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """ReceiveDigits: rules 34 and 37."""
    params = sent.data
    between = number(params, "InBetweenDigitsDurationInMilliseconds", 0)
    flush = number(params, "FlushDigitsDurationInMilliseconds", 0)
    if not params.get("InputDigitsRegex") or _pattern(params["InputDigitsRegex"]) is None:
        desk.lean("37")
        return bad("The InputDigitsRegex parameter is invalid.")
    if between < 1 or flush <= between:
        desk.lean("37")
        return bad("The FlushDigitsDurationInMilliseconds parameter is invalid.")
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
    params = listener.action.data
    if not listener.buffer:
        desk.timer("flush", number(params, "FlushDigitsDurationInMilliseconds", 1), tag)
    desk.timer("gap", number(params, "InBetweenDigitsDurationInMilliseconds", 1), tag)
    _store(desk, Listener(tag, listener.action, listener.buffer + key, listener.reported))


def _store(desk: Desk, listener: Listener) -> None:
    desk.listeners = tuple([listener if one.leg == listener.leg else one for one in desk.listeners])


def listener_timer(desk: Desk, name: str, tag: str) -> None:
    """The gap after the last key (rule 35), or the flush after the first (rule 36)."""
    listener = next((one for one in desk.listeners if one.leg == tag), None)
    leg = desk.leg(tag)
    if listener is None or leg is None or not listener.buffer:
        return
    pattern = _pattern(listener.action.data["InputDigitsRegex"])
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
