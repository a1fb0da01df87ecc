"""Is this answer one that the service accepts, and one that we want to send?

Three questions, for tests and tools (a live call proves its answers when it is compiled):

* :func:`check_response` and :func:`check_event`: does the object fit the service's shape? They need ``jsonschema``,
  a development dependency.
* :func:`check_emit_rules`: does the answer keep our own emit rules E1 to E16 for the event it answers? Standard library
  only, so that a property test can ask it a hundred thousand times.

Each returns a list of sentences, empty when nothing is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from sma_flows.errors import SmaFlowsError
from sma_flows.protocol import limits

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

ALWAYS_REPORTING: Final = frozenset(
    {
        "CallAndBridge",
        "JoinChimeMeeting",
        "ModifyChimeMeetingAttendees",
        "PlayAudioAndGetDigits",
        "RecordAudio",
        "SpeakAndGetDigits",
        "StartBotConversation",
    }
)
"""Actions that report success wherever they stand in a list, so that nothing may stand behind them (rule E2)."""

ANSWER_IGNORED: Final = frozenset({"NEW_OUTBOUND_CALL", "RINGING", "ACTION_INTERRUPTED"})
"""Events whose answer's actions the service does not look at; attributes are stored all the same."""

_LEG: Final = {"CallId": "text", "ParticipantTag": "text"}
_SPEECH: Final = {"Text": "text", "Engine": "text", "LanguageCode": "text", "TextType": "text", "VoiceId": "text"}
_COLLECT: Final = {
    "InputDigitsRegex": "text",
    "MinNumberOfDigits": "int",
    "MaxNumberOfDigits": "int",
    "TerminatorDigits": "list",
    "InBetweenDigitsDurationInMilliseconds": "int",
    "Repeat": "int",
    "RepeatDurationInMilliseconds": "int",
}
PARAMETERS: Final[Mapping[str, Mapping[str, str]]] = {
    "CallAndBridge": {
        **_LEG,
        "CallTimeoutSeconds": "int",
        "CallerIdNumber": "text",
        "RingbackTone": "map",
        "Endpoints": "list",
        "SipHeaders": "map",
    },
    "Hangup": {**_LEG, "SipResponseCode": "text"},
    "JoinChimeMeeting": {**_LEG, "JoinToken": "text", "MeetingId": "text"},
    "ModifyChimeMeetingAttendees": {**_LEG, "Operation": "text", "MeetingId": "text", "AttendeeList": "list"},
    "Pause": {**_LEG, "DurationInMilliseconds": "int"},
    "PauseCallRecording": _LEG,
    "PlayAudio": {**_LEG, "AudioSource": "map", "PlaybackTerminators": "list", "Repeat": "int"},
    "PlayAudioAndGetDigits": {**_LEG, "AudioSource": "map", "FailureAudioSource": "map", **_COLLECT},
    "ReceiveDigits": {
        **_LEG,
        "InputDigitsRegex": "text",
        "InBetweenDigitsDurationInMilliseconds": "int",
        "FlushDigitsDurationInMilliseconds": "int",
    },
    "RecordAudio": {
        **_LEG,
        "DurationInSeconds": "int",
        "SilenceDurationInSeconds": "int",
        "SilenceThreshold": "int",
        "RecordingTerminators": "list",
        "RecordingDestination": "map",
    },
    "ResumeCallRecording": _LEG,
    "SendDigits": {**_LEG, "Digits": "text", "ToneDurationInMilliseconds": "int"},
    "Speak": {**_LEG, **_SPEECH},
    "SpeakAndGetDigits": {**_LEG, "SpeechParameters": "map", "FailureSpeechParameters": "map", **_COLLECT},
    "StartBotConversation": {**_LEG, "BotAliasArn": "text", "LocaleId": "text", "Configuration": "map"},
    "StartCallRecording": {**_LEG, "Track": "text", "Destination": "map"},
    "StopCallRecording": _LEG,
    "VoiceFocus": {**_LEG, "Enable": "bool"},
}
"""Every action with its parameters and the JSON type in which we send them (rules E8 and E9)."""

_RANGES: Final[Mapping[str, tuple[int, int | None]]] = {
    "DurationInMilliseconds": (limits.MIN_PAUSE_MS, limits.MAX_PAUSE_MS),
    "CallTimeoutSeconds": (limits.MIN_RING_S, limits.MAX_RING_S),
    "MinNumberOfDigits": (1, limits.MAX_DIGITS),
    "MaxNumberOfDigits": (1, limits.MAX_DIGITS),
    "Repeat": (1, None),
    "RepeatDurationInMilliseconds": (1, None),
    "InBetweenDigitsDurationInMilliseconds": (1, None),
    "FlushDigitsDurationInMilliseconds": (2, None),
    "DurationInSeconds": (1, None),
    "SilenceDurationInSeconds": (limits.MIN_SILENCE, limits.MAX_SILENCE),
    "SilenceThreshold": (limits.MIN_SILENCE, limits.MAX_SILENCE),
    "ToneDurationInMilliseconds": (limits.MIN_TONE_MS, limits.MAX_TONE_MS),
}
_TYPES: Final[Mapping[str, type]] = {"text": str, "int": int, "bool": bool, "list": list, "map": dict}
_COMMON_REGEX: Final = re.compile(r"\^[0-9*#A-D\[\](){}|?+,\\d-]*\$")


# --- shapes ------------------------------------------------------------------------------------------------------


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema ``actions`` or ``events`` that is shipped with the package."""
    text = resources.files("sma_flows.protocol").joinpath("schemas", f"{name}.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def _validator(name: str) -> Validator:
    try:
        from jsonschema import Draft202012Validator  # here: a development dependency, never in a live call
    except ImportError:
        raise SmaFlowsError("checking shapes needs the package 'jsonschema': pip install jsonschema") from None
    return Draft202012Validator(schema(name))


def _shape(name: str, obj: Any) -> list[str]:
    found = sorted(
        _validator(name).iter_errors(obj), key=lambda error: (list(map(str, error.absolute_path)), error.message)
    )
    return [f"{_place(error.absolute_path)}: {error.message}" for error in found]


def _place(path: Any) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".") or "(whole object)"


def check_response(obj: object) -> list[str]:
    """What the service would not accept in this answer, one sentence per fault.

    Raises:
        SmaFlowsError: the package ``jsonschema`` is not installed.
    """
    return _shape("actions", obj)


def check_event(obj: object) -> list[str]:
    """Where this event does not look like one of the service, one sentence per fault.

    Raises:
        SmaFlowsError: the package ``jsonschema`` is not installed.
    """
    return _shape("events", obj)


# --- emit rules --------------------------------------------------------------------------------------------------


class _Legs:
    """Who is on the line when the list starts, and who still is after each action."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.alive: dict[str, str] = {}  # CallId -> tag
        self.gone: set[str] = set()
        self.known = False
        details = event.get("CallDetails")
        listed = details.get("Participants") if isinstance(details, dict) else None
        for item in listed if isinstance(listed, list) else ():
            if not isinstance(item, dict):
                continue
            call_id, tag = item.get("CallId"), str(item.get("ParticipantTag", "")).upper()
            if isinstance(call_id, str) and call_id and tag in ("LEG-A", "LEG-B"):
                self.known = True
                if item.get("Status") == "Disconnected":
                    self.gone.add(call_id)
                else:
                    self.alive[call_id] = tag

    def tag_of(self, params: Mapping[str, Any]) -> str | None:
        """Tag of the living leg that an action is for, or None when it is for nobody."""
        call_id = params.get("CallId")
        if isinstance(call_id, str) and call_id:
            return self.alive.get(call_id)
        tag = params.get("ParticipantTag")
        if not self.known:
            return tag if tag in ("LEG-A", "LEG-B") else None
        return tag if tag in self.alive.values() else None

    def leave(self, params: Mapping[str, Any]) -> None:
        """Take the leg of a Hangup off the line."""
        call_id, tag = params.get("CallId"), params.get("ParticipantTag")
        for known, its_tag in list(self.alive.items()):
            if call_id == known or (not call_id and tag == its_tag):
                del self.alive[known]


def check_emit_rules(response: object, event: object) -> list[str]:
    """Where *response*, as the answer to *event*, breaks one of our emit rules; each sentence starts with its number.

    Only what one event and one answer can show is looked at: whether a failure has a branch (E15) or whether an answer
    should have had actions at all is a matter of the flow. E14 is read as: what is sent to a leg after a HANGUP names
    it by CallId.
    """
    if not isinstance(response, dict):
        return ["E1: the answer is not an object"]
    event = event if isinstance(event, dict) else {}
    out: list[str] = []
    if response.get("SchemaVersion") != "1.0":
        out.append('E1: SchemaVersion is not "1.0"')
    out += [
        f"E9: unknown key '{key}'" for key in response.keys() - {"SchemaVersion", "Actions", "TransactionAttributes"}
    ]
    if "TransactionAttributes" in response:
        out += _attributes(response["TransactionAttributes"])
    kind = event.get("InvocationEventType")
    if "Actions" not in response:
        if kind == "NEW_INBOUND_CALL" and _Legs(event).alive:
            out.append("E6: a new call is answered without actions")
        return out
    actions = response["Actions"]
    if not isinstance(actions, list) or not actions:
        return [*out, "E4: Actions is there but empty; leave it out to keep the running list"]
    if len(actions) > limits.MAX_ACTIONS:
        out.append(f"E16: {len(actions)} actions, at most {limits.MAX_ACTIONS} are taken")
    legs = _Legs(event)
    if kind in ANSWER_IGNORED:
        out.append(f"E4: actions in the answer to {kind} are ignored")
    if legs.known and not legs.alive:
        out.append("E4: actions although nobody is on the line")
    for index, action in enumerate(actions):
        place = f"Actions[{index}]"
        if not isinstance(action, dict) or action.keys() != {"Type", "Parameters"}:
            out.append(f"E9: {place} must hold Type and Parameters and nothing else")
            continue
        name, params = action["Type"], action["Parameters"]
        if name not in PARAMETERS or not isinstance(params, dict):
            out.append(f"E9: {place}: there is no action '{name}', or it has no parameters")
            continue
        place = f"{place} {name}"
        out += [f"{rule}: {place}: {text}" for rule, text in _action(name, params)]
        out += [f"{rule}: {place}: {text}" for rule, text in _target(name, params, legs, kind)]
        last = index == len(actions) - 1
        if name == "Hangup":
            legs.leave(params)
            if not last and not legs.alive:
                out.append(f"E2: {place}: the last leg is hung up and something follows")
        elif name in ALWAYS_REPORTING and not last:
            out.append(f"E2: {place}: reports on its own and must be last")
    return out


def _attributes(value: object) -> list[str]:
    if not isinstance(value, dict) or not value:
        return ["E12: TransactionAttributes must be a complete map or be left out"]
    out = []
    if len(value) > limits.EMIT_ATTRIBUTES:
        out.append(f"E12: {len(value)} attributes, we send at most {limits.EMIT_ATTRIBUTES}")
    if any(not isinstance(item, str) for item in value.values()):
        out.append("E12: an attribute is not a text")
    size = len(json.dumps(value))
    if size >= limits.MAX_ATTRIBUTES_BYTES:
        out.append(f"E12: attributes of {size} bytes, the service keeps {limits.MAX_ATTRIBUTES_BYTES}")
    return out


def _action(name: str, params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with the parameters of one action, whatever the event."""
    out: list[tuple[str, str]] = []
    known = PARAMETERS[name]
    for key, value in params.items():
        kind = known.get(key)
        if kind is None:
            out.append(("E9", f"unknown parameter '{key}'"))
        elif type(value) is not _TYPES[kind]:
            out.append(("E8", f"{key} must be sent as {kind}"))
        elif key in _RANGES and isinstance(value, int):
            low, high = _RANGES[key]
            if value < low or (high is not None and value > high):
                out.append(("E10", f"{key} is {value}, allowed is {low} to {'any' if high is None else high}"))
    out += _texts(name, params)
    low_, high_ = params.get("MinNumberOfDigits"), params.get("MaxNumberOfDigits")
    if isinstance(low_, int) and isinstance(high_, int) and low_ > high_:
        out.append(("E10", "MinNumberOfDigits is above MaxNumberOfDigits"))
    gap, flush = params.get("InBetweenDigitsDurationInMilliseconds"), params.get("FlushDigitsDurationInMilliseconds")
    if isinstance(gap, int) and isinstance(flush, int) and flush <= gap:
        out.append(("E10", "FlushDigitsDurationInMilliseconds must be above InBetweenDigitsDurationInMilliseconds"))
    regex = params.get("InputDigitsRegex")
    if isinstance(regex, str) and not _safe_regex(regex):
        out.append(("E11", "InputDigitsRegex is not anchored, or not in the part common to all dialects"))
    if name == "RecordAudio" and "DurationInSeconds" not in params:
        out.append(("E10", "DurationInSeconds is missing"))
    if name == "JoinChimeMeeting" and not params.get("MeetingId"):
        out.append(("E13", "MeetingId is missing"))
    people = params.get("AttendeeList")
    if name == "ModifyChimeMeetingAttendees" and not (
        isinstance(people, list) and 1 <= len(people) <= limits.MAX_ATTENDEE_LIST
    ):
        out.append(("E10", f"AttendeeList must name 1 to {limits.MAX_ATTENDEE_LIST}"))
    ends = params.get("Endpoints")
    if isinstance(ends, list) and ends and isinstance(ends[0], dict) and ends[0].get("BridgeEndpointType") == "AWS":
        uri = ends[0].get("Uri")
        if not isinstance(uri, str) or not 1 <= len(uri) <= limits.MAX_CONNECTOR_USER:
            out.append(("E10", f"Uri must have 1 to {limits.MAX_CONNECTOR_USER} characters"))
    return out


def _texts(name: str, params: Mapping[str, Any]) -> list[tuple[str, str]]:
    out = []
    texts = {"Text": params.get("Text")} if name == "Speak" else {}
    for key in ("SpeechParameters", "FailureSpeechParameters"):
        if isinstance(params.get(key), dict):
            texts[key] = params[key].get("Text")
            out += [("E9", f"unknown parameter '{key}.{extra}'") for extra in params[key].keys() - _SPEECH.keys()]
    for key, text in texts.items():
        if not isinstance(text, str) or not 1 <= len(text) <= limits.MAX_TEXT:
            out.append(("E10", f"{key} must have 1 to {limits.MAX_TEXT} characters"))
    digits = params.get("Digits")
    if name == "SendDigits" and not (isinstance(digits, str) and 1 <= len(digits) <= limits.MAX_SENT_DIGITS):
        out.append(("E10", f"Digits must have 1 to {limits.MAX_SENT_DIGITS} characters"))
    return out


def _safe_regex(regex: str) -> bool:
    if not _COMMON_REGEX.fullmatch(regex):
        return False
    try:
        re.compile(regex)
    except re.error:
        return False
    return True


def _target(name: str, params: Mapping[str, Any], legs: _Legs, kind: object) -> list[tuple[str, str]]:
    """What is wrong with the leg that one action is for."""
    given = [key for key in ("CallId", "ParticipantTag") if params.get(key)]
    empty = [key for key in ("CallId", "ParticipantTag") if key in params and not params[key]]
    if empty or len(given) != 1:
        return [("E7", "exactly one of CallId and ParticipantTag must name the leg")]
    out: list[tuple[str, str]] = []
    tag = legs.tag_of(params)
    if tag is None:
        out.append(("E7", "is for a leg that is not on the line"))
    if kind == "HANGUP" and given == ["ParticipantTag"] and tag is not None:
        out.append(("E14", "names the remaining leg by tag, not by CallId"))
    bridged = "LEG-B" in legs.alive.values()
    if name in ("CallAndBridge", "JoinChimeMeeting", "StartBotConversation") and (tag == "LEG-B" or bridged):
        out.append(("E7", "works on LEG-A alone, while no LEG-B is connected"))
    if name == "ModifyChimeMeetingAttendees" and tag == "LEG-A":
        out.append(("E7", "works on LEG-B, the meeting's leg"))
    return out
