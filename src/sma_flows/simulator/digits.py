"""Keys: collecting them, listening for them in the background, and who gets one (rules 29-37, 70, 71)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from sma_flows.protocol.events import as_int
from sma_flows.simulator.desk import COLLECTING, Desk, Done, Failed, Outcome, bad, dumps
from sma_flows.simulator.messages import Hears
from sma_flows.simulator.model import Leg, Listener, Notice, Running, Sent
from sma_flows.simulator.talk import audio_fault, audio_ms, audio_name, recorded, speech_fault, speech_ms


def number(params: dict[str, Any], name: str, default: int) -> int:
    """A whole number, also written as text; -1 for anything else."""
    if params.get(name) is None:
        return default
    value = as_int(params[name])
    return -1 if value is None else value


def _pattern(text: object) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if isinstance(text, str) else None
    except re.error:
        return None


def collect(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rule 33, then the main prompt as attempt 1."""
    params = sent.parameters()
    most = number(params, "MaxNumberOfDigits", 128)
    if not 0 <= number(params, "MinNumberOfDigits", 0) <= most <= 128:
        return bad("The MaxNumberOfDigits parameter is invalid.")
    if number(params, "RepeatDurationInMilliseconds", 0) < 1:
        return bad("The RepeatDurationInMilliseconds parameter is invalid.")
    if params.get("InputDigitsRegex") is not None and _pattern(params["InputDigitsRegex"]) is None:
        return bad("The InputDigitsRegex parameter is invalid.")
    fault = _prompt_fault(desk, sent.type, params)
    if fault is not None:
        return fault
    desk.running = Running(sent, leg.tag, "prompt")
    _prompt(desk, failure=False)
    return None


def _prompt_fault(desk: Desk, kind: str, params: dict[str, Any]) -> Failed | None:
    if kind == "SpeakAndGetDigits":
        main, failure = params.get("SpeechParameters"), params.get("FailureSpeechParameters")
        return speech_fault(desk, main) or speech_fault(desk, failure)
    return audio_fault(desk, params.get("AudioSource")) or audio_fault(desk, params.get("FailureAudioSource"))


def _prompt(desk: Desk, *, failure: bool) -> None:
    running = desk.running
    if running is None:
        return
    params = running.action.parameters()
    if running.action.type == "SpeakAndGetDigits":
        text = params["FailureSpeechParameters" if failure else "SpeechParameters"]["Text"]
        desk.out.append(Hears(running.leg, "speech", text))
        ms = speech_ms(text, desk.world.ms_per_character)
    else:
        source = params["FailureAudioSource" if failure else "AudioSource"]
        desk.out.append(Hears(running.leg, "audio", audio_name(source)))
        ms = audio_ms(desk, source)
    desk.timer("action", ms)


def collect_timer(desk: Desk) -> Outcome:
    """A prompt has ended, or the time for keys is up (rules 30-32)."""
    running = desk.running
    if running is None:
        return None
    params = running.action.parameters()
    if running.phase == "prompt":
        desk.running = replace(running, phase="collect")
        desk.out.append(Hears(running.leg, "silence"))
        desk.timer("action", number(params, "RepeatDurationInMilliseconds", 1))
        return None
    if running.phase == "failure":
        if running.attempt < max(1, number(params, "Repeat", 1)):
            desk.running = replace(running, phase="prompt", attempt=running.attempt + 1, digits="")
            _prompt(desk, failure=False)
            return None
        return Failed(desk.switches.digits_error, "No valid digits were received.")
    return _evaluate(desk, params)


def collect_key(desk: Desk, key: str) -> Outcome:
    """Rules 29 and 30. A key during the failure prompt is lost (inferred)."""
    running = desk.running
    if running is None or running.phase == "failure":
        return None
    params = running.action.parameters()
    terminators = params.get("TerminatorDigits") or ["#"]
    if running.phase == "prompt":
        desk.out.append(Hears(running.leg, "silence"))
    if key in terminators:
        return _evaluate(desk, params)
    running = desk.running = replace(running, phase="collect", digits=running.digits + key)
    if len(running.digits) >= number(params, "MaxNumberOfDigits", 128):
        return _evaluate(desk, params)
    gap = number(params, "InBetweenDigitsDurationInMilliseconds", 0)
    desk.timer("action", gap if gap > 0 else number(params, "RepeatDurationInMilliseconds", 1))
    return None


def _evaluate(desk: Desk, params: dict[str, Any]) -> Outcome:
    running = desk.running
    if running is None:
        return None
    pattern = _pattern(params.get("InputDigitsRegex"))
    enough = len(running.digits) >= number(params, "MinNumberOfDigits", 0)
    if enough and (pattern is None or pattern.search(running.digits)):  # rule 30
        return Done({"ReceivedDigits": running.digits})
    desk.running = replace(running, phase="failure", digits="")  # rules 31 and 32
    _prompt(desk, failure=True)
    return None


def listen(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """ReceiveDigits: rules 34 and 37."""
    params = sent.parameters()
    between = number(params, "InBetweenDigitsDurationInMilliseconds", 0)
    flush = number(params, "FlushDigitsDurationInMilliseconds", 0)
    if not params.get("InputDigitsRegex") or _pattern(params["InputDigitsRegex"]) is None:
        return bad("The InputDigitsRegex parameter is invalid.")
    if between < 1 or flush <= between:
        return bad("The FlushDigitsDurationInMilliseconds parameter is invalid.")
    desk.listeners = (*(one for one in desk.listeners if one.leg != leg.tag), Listener(leg.tag, sent))
    desk.cancel("gap", leg.tag)
    desk.cancel("flush", leg.tag)
    return Done({"ReceivedDigits": ""})


def listener_key(desk: Desk, tag: str, key: str) -> None:
    """Rule 35: a key for the listener of this leg (rule 71), or for nobody."""
    listener = next((one for one in desk.listeners if one.leg == tag), None)
    if listener is None:
        desk.warn(f"a key on {tag} is heard by nobody")  # which one may be part of a secret
        return
    params = listener.action.parameters()
    if not listener.buffer:
        desk.timer("flush", number(params, "FlushDigitsDurationInMilliseconds", 1), tag)
    desk.timer("gap", number(params, "InBetweenDigitsDurationInMilliseconds", 1), tag)
    _store(desk, replace(listener, buffer=listener.buffer + key))


def _store(desk: Desk, listener: Listener) -> None:
    desk.listeners = tuple(listener if one.leg == listener.leg else one for one in desk.listeners)


def listener_timer(desk: Desk, name: str, tag: str) -> None:
    """The gap after the last key (rule 35), or the flush after the first (rule 36)."""
    listener = next((one for one in desk.listeners if one.leg == tag), None)
    leg = desk.leg(tag)
    if listener is None or leg is None or not listener.buffer:
        return
    params = listener.action.parameters()
    match = re.search(params["InputDigitsRegex"], listener.buffer)
    if name == "gap" and not match:
        return
    desk.cancel("gap", tag)
    desk.cancel("flush", tag)
    _store(desk, replace(listener, buffer=""))
    if name == "flush" and desk.switches.flush_reports == "no":
        return
    data = {**desk.echo(listener.action, leg), "ReceivedDigits": listener.buffer}
    desk.tell(Notice("DIGITS_RECEIVED", tag, dumps(data)))
    if name == "gap" and desk.switches.listener_once == "yes":
        desk.listeners = tuple(one for one in desk.listeners if one.leg != tag)


def key(desk: Desk, tag: str, pressed: str) -> Outcome:
    """Rule 70: who gets this key. An outcome ends the running action."""
    running = desk.running
    if running is not None and running.leg == tag:
        kind = running.action.type
        if kind in COLLECTING:
            return collect_key(desk, pressed)
        if kind == "StartBotConversation":
            return None
        params = running.action.parameters()
        if kind == "PlayAudio" and pressed in (params.get("PlaybackTerminators") or ()):  # rule 23
            return Done()
        if kind == "RecordAudio" and pressed in (params.get("RecordingTerminators") or ()):  # rule 38
            return recorded(desk, running, pressed)
    listener_key(desk, tag, pressed)  # rules 24 and 26
    return None
