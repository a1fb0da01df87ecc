"""What one leg hears or says: speech, audio, pauses, recordings, tones (rules 22-28, 38-41)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from xml.parsers.expat import ExpatError, ParserCreate

from sma_flows.protocol import limits
from sma_flows.protocol.actions import InvalidActionError, dtmf
from sma_flows.protocol.events import as_int
from sma_flows.simulator.desk import Desk, Done, Failed, Outcome, bad
from sma_flows.simulator.jsontext import dumps
from sma_flows.simulator.messages import Hears, Stored
from sma_flows.simulator.model import SPEECH_MS_PER_CHARACTER, Leg, Running, Sent, quote

_new: Final = tuple.__new__
_KEYS: Final = tuple("0123456789*#")
_RECORDING: Final = {
    "DurationInSeconds": (1, 10**9),
    "SilenceDurationInSeconds": (limits.MIN_SILENCE, limits.MAX_SILENCE),
    "SilenceThreshold": (limits.MIN_SILENCE, limits.MAX_SILENCE),
}


def speech_ms(text: str, pace: int = SPEECH_MS_PER_CHARACTER) -> int:
    """How long a text takes to say (nothing in the contract depends on it)."""
    return max(400, pace * len(text))


def speech_fault(desk: Desk, speech: object) -> Failed | None:
    """Rule 27, and the errors of Polly that the world asks for."""
    given = speech if isinstance(speech, dict) else {}
    text = given.get("Text")
    if not isinstance(text, str) or not 0 < len(text) <= limits.MAX_TEXT:
        desk.lean("27")
        long = isinstance(text, str) and text
        message = "Text is limited to 1,000 characters" if long else "Text is a required parameter."
        return Failed("MissingRequiredActionParameter", message)
    if desk.world.speech_error:
        return Failed(desk.world.speech_error, "System error while running action")
    kind, engine = given.get("TextType"), given.get("Engine")
    if kind not in (None, "text", "ssml"):
        desk.lean("27 voice")
        return bad("The TextType parameter is invalid.")
    if engine not in (None, "standard", "neural"):
        desk.lean("27 voice")
        return bad("The Engine parameter is invalid.")
    if kind == "ssml" and not _well_formed(text):
        desk.lean("27 ssml")
        return bad("The Text parameter is invalid: it is not well-formed SSML.")
    return None


@lru_cache(maxsize=512)
def _well_formed(text: str) -> bool:
    parser = ParserCreate()
    try:
        parser.Parse(text, True)
    except (ExpatError, UnicodeError):
        return False
    return text.lstrip().startswith("<speak")


def audio_name(source: object) -> str:
    """``bucket/key`` of an audio source."""
    return f"{source.get('BucketName')}/{source.get('Key')}" if isinstance(source, dict) else ""


def audio_ms(desk: Desk, source: object) -> int:
    """How long a file plays."""
    name = audio_name(source)
    for known, ms in desk.world.audio_ms:
        if known == name:
            return ms
    return desk.world.default_audio_ms


def audio_fault(desk: Desk, source: object) -> Failed | None:
    """Rule 25."""
    if not isinstance(source, dict) or not source.get("BucketName") or not source.get("Key"):
        desk.lean("25")
        return Failed("InvalidAudioSource", "Audio Source parameter value is invalid.")
    if audio_name(source) in desk.world.missing_audio:
        desk.lean("25")
        return Failed("InvalidAudioSource", "Cannot access S3 bucket or audio file.")
    return None


def speak(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rule 26: plays to the end, whatever is pressed."""
    params = sent.data
    fault = speech_fault(desk, params)
    if fault is not None:
        return fault
    desk.lean("26")
    desk.out.append(_new(Hears, (leg.tag, "speech", params["Text"])))
    return _for(desk, sent, leg, "speak", speech_ms(params["Text"], desk.world.ms_per_character))


def play(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rule 22: duration times Repeat."""
    params = sent.data
    repeat = 1 if params.get("Repeat") is None else as_int(params["Repeat"])
    if repeat is None or repeat < 1:
        desk.lean("22 parameters")
        return bad("The Repeat parameter is invalid.")
    if not keys(params.get("PlaybackTerminators")):
        desk.lean("22 parameters")
        return bad("The PlaybackTerminators parameter is invalid.")
    fault = audio_fault(desk, params.get("AudioSource"))
    if fault is not None:
        return fault
    desk.lean("22")
    desk.out.append(Hears(leg.tag, "audio", audio_name(params["AudioSource"])))
    return _for(desk, sent, leg, "play", repeat * audio_ms(desk, params["AudioSource"]))


def pause(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rule 28."""
    ms = as_int(sent.data.get("DurationInMilliseconds"))
    if ms is None or ms < 1:
        desk.lean("28")
        return bad("The Duration parameter is invalid.")
    if not limits.MIN_PAUSE_MS <= ms <= limits.MAX_PAUSE_MS:
        desk.lean("28 range")
        if desk.switches.pause_range == "strict":
            return bad("The Duration parameter is invalid.")
    desk.lean("28")
    desk.out.append(Hears(leg.tag, "silence"))
    return _for(desk, sent, leg, "pause", ms)


def _for(desk: Desk, sent: Sent, leg: Leg, phase: str, ms: int) -> Outcome:
    desk.running = Running(sent, leg.tag, phase)
    desk.goes_on(ms)
    return None


def record(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rules 38 to 40."""
    params = sent.data
    target = params.get("RecordingDestination")
    bucket = target.get("BucketName") if isinstance(target, dict) else None
    if not isinstance(bucket, str) or not bucket:
        desk.lean("39 parameters")
        return bad("The RecordingDestination parameter is invalid.")
    for name, (least, most) in _RECORDING.items():
        if name in params and not least <= (as_int(params[name]) or 0) <= most:
            desk.lean("39 parameters")
            return bad(f"The {name} parameter is invalid.")
    if not keys(params.get("RecordingTerminators")):
        desk.lean("39 parameters")
        return bad("The RecordingTerminators parameter is invalid.")
    if bucket in desk.world.unwritable:
        desk.lean("40")
        return bad("Error occurred while uploading recording to S3 bucket.")
    desk.out.append(Hears(leg.tag, "recording"))
    desk.running = Running(sent, leg.tag, "record")
    seconds, silence = as_int(params.get("DurationInSeconds")), as_int(params.get("SilenceDurationInSeconds"))
    if seconds:
        desk.goes_on(seconds * 1000)
    else:
        desk.lean("39 endless")
    if silence:
        desk.timer("silence", silence * 1000)
    return None


def keys(given: object) -> bool:
    """Whether this is nothing, or a list of keys."""
    return given is None or (isinstance(given, list) and all(isinstance(key, str) and key in _KEYS for key in given))


def talks(desk: Desk, tag: str, ms: int) -> None:
    """The party speaks: a recording waits for silence from then on (rule 39)."""
    running = desk.running
    if running is not None and running.phase == "record" and running.leg == tag:
        silence = as_int(running.action.data.get("SilenceDurationInSeconds"))
        if silence:
            desk.timer("silence", ms + silence * 1000)


def recorded(desk: Desk, running: Running, terminator: str = "") -> Done:
    """The file of a recording (rules 38 and 39)."""
    desk.files += 1
    target = running.action.data["RecordingDestination"]
    prefix = str(target.get("Prefix") or "").rstrip("/")
    name = f"{desk.world.day}/{desk.world.transaction}_{desk.files}.wav"
    bucket, key = target["BucketName"], f"{prefix}/{name}" if prefix else name
    desk.out.append(Stored(running.leg, bucket, key))
    place = dumps({"Type": "S3", "BucketName": bucket, "Key": key})
    used = f',"RecordingTerminatorUsed":{quote(terminator)}' if terminator else ""
    return Done(f',"RecordingDestination":{place}{used}')


def send_digits(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rule 41."""
    params = sent.data
    tone = 250 if params.get("ToneDurationInMilliseconds") is None else as_int(params["ToneDurationInMilliseconds"])
    try:
        digits = dtmf(params.get("Digits"))
    except InvalidActionError:
        desk.lean("41 parameters")
        return bad("Digits parameter value is invalid.")
    if tone is None or not limits.MIN_TONE_MS <= tone <= limits.MAX_TONE_MS:
        desk.lean("41 parameters")
        return bad("ToneDuration parameter value is invalid.")
    desk.out.append(Hears(leg.tag, "tones", digits))
    desk.lean("41")
    commas = digits.count(",")
    return _for(desk, sent, leg, "tones", 500 * commas + tone * (len(digits) - commas))
