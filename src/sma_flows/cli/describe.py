"""Events and actions in a person's words, one line each."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Container, Mapping
from typing import Any, Final, TypeAlias

__all__ = ["MASK", "action_line", "event_line", "legs_of"]

MASK: Final = "***"
"""Shown in place of what a caller typed in secret and of join tokens."""

_MARKUP: Final = re.compile(r"<[^>]*>")
_TARGETS: Final = frozenset({"CallId", "ParticipantTag"})
_Parameters: TypeAlias = Mapping[str, Any]


def legs_of(event: Mapping[str, Any]) -> dict[str, str]:
    """CallId -> A or B, for the participants of an event."""
    details = event.get("CallDetails")
    people = details.get("Participants") if isinstance(details, dict) else None
    return {
        str(one["CallId"]): str(one["ParticipantTag"]).removeprefix("LEG-")
        for one in (people if isinstance(people, list) else [])
        if isinstance(one, dict) and "CallId" in one and "ParticipantTag" in one
    }


def event_line(event: Mapping[str, Any], *, masked: bool = False, hidden: Container[str] = ()) -> str:
    """What arrived: the event type and the facts that matter.

    ``masked`` hides the digits, ``hidden`` names arguments whose values are not shown.
    """
    kind = str(event.get("InvocationEventType", "(no InvocationEventType)"))
    data = event.get("ActionData")
    if not isinstance(data, dict):
        return " ".join(part for part in (kind, _who_calls(event, kind), _error(event)) if part)
    parameters = data.get("Parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    parts = [kind]
    if kind == "HANGUP":
        parts.append(f"leg {_leg(parameters, legs_of(event)) or '?'}")
        parts.append(f"code {parameters.get('SipResponseCode', '?')}")
    elif kind in ("CALL_UPDATE_REQUESTED", "NEW_OUTBOUND_CALL"):
        parts.append(_arguments(parameters.get("Arguments"), hidden))
    elif kind != "DIGITS_RECEIVED":
        parts.append(str(data.get("Type", "")))
    leg = _leg(parameters, legs_of(event))
    if kind != "HANGUP" and leg == "B":
        parts.append("on leg B")
    if "ReceivedDigits" in data:
        parts.append(_quoted(MASK if masked and data["ReceivedDigits"] else data["ReceivedDigits"]))
    parts += [_result(data), _error(data), _error(event)]
    return " ".join(part for part in parts if part)


def action_line(action: Mapping[str, Any], legs: Mapping[str, str]) -> str:
    """One action: ``Speak "Welcome."``, ``Hangup code 0``."""
    kind = str(action.get("Type", "?"))
    parameters = action.get("Parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    words = _ACTIONS.get(kind, _others)(parameters)
    leg = _leg(parameters, legs)
    return " ".join(part for part in (kind, words, f"(leg {leg})" if leg == "B" else "") if part)


def _leg(parameters: _Parameters, legs: Mapping[str, str]) -> str:
    call_id = parameters.get("CallId")
    if isinstance(call_id, str) and call_id in legs:
        return legs[call_id]
    return str(parameters.get("ParticipantTag") or "").removeprefix("LEG-")


def _who_calls(event: Mapping[str, Any], kind: str) -> str:
    if kind not in ("NEW_INBOUND_CALL", "NEW_OUTBOUND_CALL", "CALL_ANSWERED"):
        return ""
    details = event.get("CallDetails")
    people = details.get("Participants") if isinstance(details, dict) else None
    first = people[0] if isinstance(people, list) and people and isinstance(people[0], dict) else {}
    return f"from {first['From']} to {first['To']}" if "From" in first and "To" in first else ""


def _arguments(arguments: Any, hidden: Container[str] = ()) -> str:
    if not isinstance(arguments, dict) or not arguments:
        return ""
    return ", ".join(f"{name}={MASK if name in hidden else _short(value)}" for name, value in arguments.items())


def _result(data: _Parameters) -> str:
    recording, bot = data.get("RecordingDestination"), data.get("IntentResult")
    if isinstance(recording, dict):
        return f"-> {recording.get('BucketName')}/{recording.get('Key')}"
    if isinstance(bot, dict):
        state = bot.get("SessionState")
        intent = state.get("Intent") if isinstance(state, dict) else None
        if isinstance(intent, dict):
            return f"intent {intent.get('Name')} ({intent.get('State')})"
    return ""


def _error(data: Mapping[str, Any]) -> str:
    words = [str(data[key]) for key in ("ErrorType", "Error", "ErrorMessage") if data.get(key)]
    return f"[{': '.join(words)}]" if words else ""


def _quoted(value: Any) -> str:
    return json.dumps(str(value), ensure_ascii=False)


def _short(value: Any, limit: int = 60) -> str:
    text = str(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _seconds(milliseconds: Any) -> str:
    try:
        return f"{int(milliseconds) / 1000:g} s"
    except (TypeError, ValueError):
        return f"{milliseconds} ms"


def _file(source: Any) -> str:
    return f"{source.get('BucketName')}/{source.get('Key')}" if isinstance(source, dict) else "?"


def _spoken(parameters: _Parameters) -> str:
    """The words as they are heard, and the language unless it is English."""
    text = str(parameters.get("Text", ""))
    if parameters.get("TextType") == "ssml":
        text = html.unescape(_MARKUP.sub("", text)).strip() or text
    language = str(parameters.get("LanguageCode") or "en")
    return _quoted(text) + ("" if language.startswith("en") else f" [{language}]")


def _played(parameters: _Parameters) -> str:
    parts = [_file(parameters.get("AudioSource"))]
    if parameters.get("Repeat") not in (None, 1, "1"):
        parts.append(f"x{parameters['Repeat']}")
    if parameters.get("PlaybackTerminators"):
        parts.append(f"until {' or '.join(parameters['PlaybackTerminators'])}")
    return ", ".join(parts)


def _collected(parameters: _Parameters) -> str:
    low, high = parameters.get("MinNumberOfDigits", 0), parameters.get("MaxNumberOfDigits", 128)
    keys = f"{low} key{'s' if low not in (1, '1') else ''}" if low == high else f"{low}-{high} keys"
    ends = parameters.get("TerminatorDigits")
    parts = [keys + (f", {' or '.join(ends)} ends" if ends else "")]
    if parameters.get("Repeat") not in (None, 1, "1"):
        parts.append(f"{parameters['Repeat']} attempts")
    return f"({', '.join(parts)})"


def _speak_and_collect(parameters: _Parameters) -> str:
    speech = parameters.get("SpeechParameters")
    return f"{_spoken(speech if isinstance(speech, dict) else {})} {_collected(parameters)}"


def _play_and_collect(parameters: _Parameters) -> str:
    return f"{_file(parameters.get('AudioSource'))} {_collected(parameters)}"


def _recorded(parameters: _Parameters) -> str:
    destination = parameters.get("RecordingDestination")
    to = ""
    if isinstance(destination, dict):
        to = "/".join(str(destination[key]) for key in ("BucketName", "Prefix") if destination.get(key))
    parts = [f"at most {parameters.get('DurationInSeconds', '?')} s"]
    if parameters.get("SilenceDurationInSeconds"):
        parts.append(f"{parameters['SilenceDurationInSeconds']} s of silence ends")
    if parameters.get("RecordingTerminators"):
        parts.append(f"{' or '.join(parameters['RecordingTerminators'])} ends")
    return f"to {to} ({', '.join(parts)})"


def _bridged(parameters: _Parameters) -> str:
    ends = parameters.get("Endpoints")
    end = ends[0] if isinstance(ends, list) and ends and isinstance(ends[0], dict) else {}
    number = end.get("Uri", "?") + (f" at {end['Arn']}" if end.get("Arn") else "")
    parts = [f"to {number}", f"as {parameters.get('CallerIdNumber', '?')}"]
    parts.append(f"for {parameters.get('CallTimeoutSeconds', 30)} s")
    if parameters.get("RingbackTone"):
        parts.append(f"ringback {_file(parameters['RingbackTone'])}")
    headers = parameters.get("SipHeaders")
    return " ".join(parts) + (f" with {_arguments(headers)}" if headers else "")


def _joined(parameters: _Parameters) -> str:
    return f"meeting {parameters.get('MeetingId', '?')} token {MASK}"


def _muted(parameters: _Parameters) -> str:
    people = parameters.get("AttendeeList")
    count = len(people) if isinstance(people, list) else 0
    return f"{parameters.get('Operation', '?')} {count} attendee{'' if count == 1 else 's'}"


def _talked_with_bot(parameters: _Parameters) -> str:
    settings = parameters.get("Configuration")
    settings = settings if isinstance(settings, dict) else {}
    words = settings.get("WelcomeMessages")
    parts = [str(parameters.get("BotAliasArn", "?")).rsplit(":", 1)[-1], str(parameters.get("LocaleId", ""))]
    if isinstance(words, list):
        parts += [_quoted(each.get("Content", "")) for each in words if isinstance(each, dict)]
    return " ".join(part for part in parts if part)


def _listened(parameters: _Parameters) -> str:
    return f"{parameters.get('InputDigitsRegex', '')}"


def _others(parameters: _Parameters) -> str:
    shown = {key: value for key, value in parameters.items() if key not in _TARGETS}
    return json.dumps(shown, ensure_ascii=False) if shown else ""


_ACTIONS: Final[Mapping[str, Callable[[_Parameters], str]]] = {
    "Speak": _spoken,
    "PlayAudio": _played,
    "SpeakAndGetDigits": _speak_and_collect,
    "PlayAudioAndGetDigits": _play_and_collect,
    "ReceiveDigits": _listened,
    "RecordAudio": _recorded,
    "Pause": lambda parameters: _seconds(parameters.get("DurationInMilliseconds")),
    "CallAndBridge": _bridged,
    "JoinChimeMeeting": _joined,
    "ModifyChimeMeetingAttendees": _muted,
    "StartBotConversation": _talked_with_bot,
    "VoiceFocus": lambda parameters: "on" if parameters.get("Enable") else "off",
    "SendDigits": lambda parameters: _quoted(parameters.get("Digits", "")),
    "Hangup": lambda parameters: f"code {parameters.get('SipResponseCode', '0')}",
}
