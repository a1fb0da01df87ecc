"""Actions as the service accepts them, and the one place that writes an answer.

Constant parameters were validated when the flow was compiled; the checks here guard what varies at run time (numbers,
texts, digits, headers) and raise :class:`InvalidActionError`, which the runtime turns into the outcome ``failed``.
Every action is a fresh object: nothing of one answer can leak into the next.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from zlib import crc32

from sma_flows.errors import ProtocolError

SCHEMA_VERSION: Final = "1.0"
Action = dict[str, Any]

MAX_TEXT: Final = 1000
"""Most characters of one spoken text, markup included. Contract 4.11."""

CODES: Final[Mapping[str, str]] = {
    "Speak": "S",
    "PlayAudio": "P",
    "SpeakAndGetDigits": "G",
    "PlayAudioAndGetDigits": "D",
    "ReceiveDigits": "R",
    "RecordAudio": "A",
    "Pause": "W",
    "CallAndBridge": "B",
    "JoinChimeMeeting": "J",
    "ModifyChimeMeetingAttendees": "M",
    "StartBotConversation": "L",
    "VoiceFocus": "V",
    "SendDigits": "T",
    "StartCallRecording": "C",
    "StopCallRecording": "O",
    "PauseCallRecording": "U",
    "ResumeCallRecording": "E",
    "Hangup": "H",
}
"""One letter per action type, as used in the saved call."""


class InvalidActionError(ProtocolError):
    """A value that is only known now does not fit its action."""


_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_URI = re.compile(r"[A-Za-z0-9&=+$/%_!~*().-]{1,30}")
_DIGITS = re.compile(r"[0-9*#A-D,]{1,50}")
_HEADER = re.compile(r"(x-.+|user-to-user|diversion)", re.IGNORECASE)
_RESERVED = re.compile(r"x-(amzn|vine|vc|canary|voice)", re.IGNORECASE)
_CONNECTOR = re.compile(r"arn:aws[a-zA-Z-]*:chime:[a-z0-9-]+:[0-9]+:(vc|vcg)/.+")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
_BOT = re.compile(r"arn:aws[a-zA-Z-]*:lex:[a-z0-9-]+:[0-9]{12}:bot-alias/[0-9a-zA-Z]{10}/[0-9a-zA-Z]{10}")


def e164(value: object) -> str:
    """A telephone number with leading plus sign.

    Raises:
        InvalidActionError: anything else.
    """
    if isinstance(value, str) and _E164.fullmatch(value):
        return value
    raise InvalidActionError("not a telephone number")


def bucket_and_key(value: object) -> tuple[str, str]:
    """Split ``bucket/prefix`` into its parts; the prefix may be empty.

    Raises:
        InvalidActionError: no valid bucket name in front.
    """
    if isinstance(value, str):
        bucket, _, prefix = value.partition("/")
        if _BUCKET.fullmatch(bucket) and len(prefix) <= 979:
            return bucket, prefix
    raise InvalidActionError("not a bucket")


def audio_source(bucket: object, key: object) -> dict[str, str]:
    """An S3 object as audio source.

    Raises:
        InvalidActionError: bucket or key missing or malformed.
    """
    if isinstance(bucket, str) and isinstance(key, str) and _BUCKET.fullmatch(bucket) and 1 <= len(key) <= 1024:
        return {"Type": "S3", "BucketName": bucket, "Key": key}
    raise InvalidActionError("not an audio file")


def sip_headers(headers: Mapping[str, object]) -> dict[str, str]:
    """Headers to send with a bridge; unset ones are left out (contract 6.3).

    Raises:
        InvalidActionError: a name the service rejects or a value that is too long.
    """
    out: dict[str, str] = {}
    for name, value in headers.items():
        if value is None:
            continue
        text = value if isinstance(value, str) else str(value)
        if not _HEADER.fullmatch(name) or _RESERVED.match(name) or len(text) > 2048:
            raise InvalidActionError("not a SIP header that may be sent")
        out[name] = text
    return out


def connector(arn: object, user: object) -> dict[str, str]:
    """Endpoint of a bridge to a Voice Connector.

    Raises:
        InvalidActionError: ARN or user part malformed (rule E10: at most 30 characters).
    """
    text = user if isinstance(user, str) else str(user) if isinstance(user, int) else ""
    if isinstance(arn, str) and _CONNECTOR.fullmatch(arn) and _URI.fullmatch(text):
        return {"BridgeEndpointType": "AWS", "Arn": arn, "Uri": text}
    raise InvalidActionError("not a Voice Connector address")


def dtmf(value: object) -> str:
    """Keys to send.

    Raises:
        InvalidActionError: other characters than 0-9 * # A-D and comma, none, or more than 50.
    """
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return value
    raise InvalidActionError("not digits that can be sent")


def bot_alias(value: object) -> str:
    """ARN of a Lex V2 bot alias.

    Raises:
        InvalidActionError: anything else.
    """
    if isinstance(value, str) and _BOT.fullmatch(value):
        return value
    raise InvalidActionError("not a bot alias")


def mark(kind: str, params: Mapping[str, Any]) -> str:
    """Digest of the few parameters that tell one action from another of its type (decision 9).

    The same function reads what was sent and what the service echoes, so added defaults and numbers written as text do
    not matter. Values that can be secret (digits, tokens) are never part of it.
    """
    get = params.get
    if kind == "Speak":
        text = get("Text")
    elif kind == "SpeakAndGetDigits":
        speech = get("SpeechParameters")
        text = f"{speech.get('Text') if isinstance(speech, dict) else ''}\n{get('RepeatDurationInMilliseconds')}"
    elif kind == "PlayAudio":
        text = _key(get("AudioSource"))
    elif kind == "PlayAudioAndGetDigits":
        text = f"{_key(get('AudioSource'))}\n{get('RepeatDurationInMilliseconds')}"
    elif kind == "ReceiveDigits":
        text = f"{get('InputDigitsRegex')}\n{get('FlushDigitsDurationInMilliseconds')}"
    elif kind == "CallAndBridge":
        ends = get("Endpoints")
        text = str(ends[0].get("Uri")) if isinstance(ends, list) and ends and isinstance(ends[0], dict) else ""
    else:
        name = _TELLING.get(kind)
        text = str(get(name)).lower() if name else ""
    return format(crc32(text.encode("utf-8", "replace")), "x") if isinstance(text, str) else "0"


_TELLING: Final[Mapping[str, str]] = {
    "JoinChimeMeeting": "MeetingId",
    "ModifyChimeMeetingAttendees": "Operation",
    "StartBotConversation": "BotAliasArn",
    "VoiceFocus": "Enable",
    "Pause": "DurationInMilliseconds",
    "RecordAudio": "DurationInSeconds",
    "SendDigits": "ToneDurationInMilliseconds",
    "StartCallRecording": "Track",
}


def _key(source: object) -> str:
    return str(source.get("Key")) if isinstance(source, dict) else ""


def builder(kind: str, params: Mapping[str, Any]) -> Callable[[Mapping[str, str]], Action]:
    """A function that makes one constant action for a leg, fresh every time.

    It is compiled from a syntax tree of constants (never from text), which makes a nested action in a quarter of the
    time that copying a template takes.
    """
    leg = ast.Name("leg", ast.Load())
    body = ast.Dict(
        [ast.Constant("Type"), ast.Constant("Parameters")],
        [ast.Constant(kind), ast.Dict([None, *map(ast.Constant, params)], [leg, *map(_literal, params.values())])],
    )
    arguments = ast.arguments(posonlyargs=[], args=[ast.arg("leg")], kwonlyargs=[], kw_defaults=[], defaults=[])
    tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
    made: Callable[[Mapping[str, str]], Action] = eval(compile(tree, "<action>", "eval"), {})  # noqa: S307
    return made


def _literal(value: Any) -> ast.expr:
    if isinstance(value, dict):
        return ast.Dict(list(map(ast.Constant, value)), list(map(_literal, value.values())))
    if isinstance(value, list):
        return ast.List(list(map(_literal, value)), ast.Load())
    return ast.Constant(value)


def goodbye(text: str, leg: Mapping[str, str], speech: Mapping[str, str] | None = None) -> list[Action]:
    """The constant last words: speak *text* on *leg* and hang it up."""
    return [
        {"Type": "Speak", "Parameters": {**leg, "Text": text, **(speech or {})}},
        {"Type": "Hangup", "Parameters": {**leg, "SipResponseCode": "0"}},
    ]


def response(actions: list[Action] | None = None, attributes: dict[str, str] | None = None) -> dict[str, Any]:
    """One answer. Without actions and attributes it is *nothing*: the running list goes on (rule E4)."""
    out: dict[str, Any] = {"SchemaVersion": SCHEMA_VERSION}
    if actions:
        out["Actions"] = actions
    if attributes:
        out["TransactionAttributes"] = attributes
    return out
