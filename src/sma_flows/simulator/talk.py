"""What one leg hears or says: speech, audio, pauses, recordings, tones (rules 22-28, 38-41)."""

from __future__ import annotations

from sma_flows.protocol import limits
from sma_flows.protocol.actions import InvalidActionError, dtmf
from sma_flows.protocol.events import as_int
from sma_flows.simulator.desk import Desk, Done, Failed, Outcome, bad
from sma_flows.simulator.messages import Hears, Stored
from sma_flows.simulator.model import SPEECH_MS_PER_CHARACTER, Leg, Running, Sent, dumps, quote


def speech_ms(text: str, pace: int = SPEECH_MS_PER_CHARACTER) -> int:
    """How long a text takes to say (nothing in the contract depends on it)."""
    return max(400, pace * len(text))


def speech_fault(desk: Desk, speech: object) -> Failed | None:
    """Rule 27, and the errors of Polly that the world asks for."""
    text = speech.get("Text") if isinstance(speech, dict) else None
    if not isinstance(text, str) or not text:
        return Failed("MissingRequiredActionParameter", "Text is a required parameter.")
    if len(text) > limits.MAX_TEXT:
        return Failed("MissingRequiredActionParameter", "Text is limited to 1,000 characters")
    if desk.world.speech_error:
        return Failed(desk.world.speech_error, "System error while running action")
    return None


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
        return Failed("InvalidAudioSource", "Audio Source parameter value is invalid.")
    if audio_name(source) in desk.world.missing_audio:
        return Failed("InvalidAudioSource", "Cannot access S3 bucket or audio file.")
    return None


def speak(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rule 26: plays to the end, whatever is pressed."""
    params = sent.data
    fault = speech_fault(desk, params)
    if fault is not None:
        return fault
    desk.out.append(Hears(leg.tag, "speech", params["Text"]))
    return _for(desk, sent, leg, "speak", speech_ms(params["Text"], desk.world.ms_per_character))


def play(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rule 22: duration times Repeat."""
    params = sent.data
    repeat = 1 if params.get("Repeat") is None else as_int(params["Repeat"])
    if repeat is None or repeat < 1:
        return bad("The Repeat parameter is invalid.")
    fault = audio_fault(desk, params.get("AudioSource"))
    if fault is not None:
        return fault
    desk.out.append(Hears(leg.tag, "audio", audio_name(params["AudioSource"])))
    return _for(desk, sent, leg, "play", repeat * audio_ms(desk, params["AudioSource"]))


def pause(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rule 28."""
    ms = as_int(sent.data.get("DurationInMilliseconds"))
    strict = desk.switches.pause_range == "strict"
    if ms is None or ms < (limits.MIN_PAUSE_MS if strict else 1) or (strict and ms > limits.MAX_PAUSE_MS):
        return bad("The Duration parameter is invalid.")
    desk.out.append(Hears(leg.tag, "silence"))
    return _for(desk, sent, leg, "pause", ms)


def _for(desk: Desk, sent: Sent, leg: Leg, phase: str, ms: int) -> Outcome:
    desk.running = Running(sent, leg.tag, phase)
    desk.timer("action", ms)
    return None


def record(desk: Desk, sent: Sent, leg: Leg) -> Outcome:
    """Rules 38 to 40."""
    params = sent.data
    target = params.get("RecordingDestination")
    if not isinstance(target, dict) or not target.get("BucketName"):
        return bad("RecordingDestination parameter value is invalid.")
    if target["BucketName"] in desk.world.unwritable:
        return bad("Error occurred while uploading recording to S3 bucket.")
    desk.out.append(Hears(leg.tag, "recording"))
    desk.running = Running(sent, leg.tag, "record")
    seconds, silence = as_int(params.get("DurationInSeconds")), as_int(params.get("SilenceDurationInSeconds"))
    if seconds:
        desk.timer("action", seconds * 1000)
    if silence:
        desk.timer("silence", silence * 1000)
    return None


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
        return bad("Digits parameter value is invalid.")
    if tone is None or not limits.MIN_TONE_MS <= tone <= limits.MAX_TONE_MS:
        return bad("ToneDuration parameter value is invalid.")
    desk.out.append(Hears(leg.tag, "tones", digits))
    commas = digits.count(",")
    return _for(desk, sent, leg, "tones", 500 * commas + tone * (len(digits) - commas))
