"""Actions in short, a function that answers from a list, and a phone that checks every event."""

from __future__ import annotations

from typing import Any

from sma_flows.protocol.check import check_event
from sma_flows.simulator.driver import Phone

Action = dict[str, Any]
WAV = {"Type": "S3", "BucketName": "sounds", "Key": "hello.wav"}
A = {"ParticipantTag": "LEG-A"}
B = {"ParticipantTag": "LEG-B"}


def act(kind: str, **params: Any) -> Action:
    return {"Type": kind, "Parameters": params}


def speak(text: str = "Hello.", **params: Any) -> Action:
    return act("Speak", Text=text, **params)


def play(**params: Any) -> Action:
    return act("PlayAudio", **{"AudioSource": WAV, **params})


def pause(ms: int | str = 1000, **params: Any) -> Action:
    return act("Pause", DurationInMilliseconds=ms, **params)


def hangup(code: str = "0", **params: Any) -> Action:
    return act("Hangup", SipResponseCode=code, **params)


def digits(**params: Any) -> Action:
    base = {
        "AudioSource": WAV,
        "FailureAudioSource": WAV,
        "MinNumberOfDigits": 1,
        "MaxNumberOfDigits": 1,
        "RepeatDurationInMilliseconds": 5000,
    }
    return act("PlayAudioAndGetDigits", **{**base, **params})


def spoken_digits(**params: Any) -> Action:
    base = {
        "SpeechParameters": {"Text": "Your number?"},
        "FailureSpeechParameters": {"Text": "Wrong."},
        "MinNumberOfDigits": 6,
        "MaxNumberOfDigits": 6,
        "RepeatDurationInMilliseconds": 5000,
    }
    return act("SpeakAndGetDigits", **{**base, **params})


def listen(regex: str = r"^\*7$", **params: Any) -> Action:
    base = {
        "InputDigitsRegex": regex,
        "InBetweenDigitsDurationInMilliseconds": 1000,
        "FlushDigitsDurationInMilliseconds": 10000,
    }
    return act("ReceiveDigits", **{**base, **params})


def record(**params: Any) -> Action:
    base = {
        "DurationInSeconds": 60,
        "RecordingTerminators": ["#"],
        "RecordingDestination": {"Type": "S3", "BucketName": "voices", "Prefix": "mail"},
    }
    return act("RecordAudio", **{**base, **params})


def bridge(**params: Any) -> Action:
    base = {
        "CallTimeoutSeconds": 20,
        "CallerIdNumber": "+14255550100",
        "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+12065550150"}],
    }
    return act("CallAndBridge", **{**base, **params})


def join(**params: Any) -> Action:
    return act("JoinChimeMeeting", **{"JoinToken": "token", "MeetingId": "meeting-1", **params})


BOT = "arn:aws:lex:us-east-1:111122223333:bot-alias/EXAMPLEBOT/TSTALIASID"


def bot(**params: Any) -> Action:
    return act("StartBotConversation", **{"BotAliasArn": BOT, "LocaleId": "en_US", **params})


def reply(*actions: Action, **more: Any) -> dict[str, Any]:
    out: dict[str, Any] = {"SchemaVersion": "1.0", **more}
    if actions:
        out["Actions"] = list(actions)
    return out


class Function:
    """Answers by event key (``HANGUP``, ``ACTION_SUCCESSFUL Pause``, ``HANGUP LEG-B``), else from the plain type.

    A value that is a list gives its items one after the other; exceptions are raised. Every event is checked.
    """

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = {key: list(value) if isinstance(value, list) else [value] for key, value in answers.items()}
        self.events: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any]) -> object:
        assert check_event(event) == []
        self.events.append(event)
        data = event.get("ActionData", {})
        tag = data.get("Parameters", {}).get("ParticipantTag", "")
        kind = event["InvocationEventType"]
        for key in (f"{kind} {data.get('Type', '')}", f"{kind} {tag}", kind):
            queue = self.answers.get(key)
            if queue:
                found = queue.pop(0)
                if isinstance(found, Exception):
                    raise found
                return found
        return reply()


def phone(answers: dict[str, Any], **options: Any) -> Phone:
    return Phone(Function(answers), **options)


def called(*first: Action, **options: Any) -> Phone:
    """A phone whose caller has called; the first answer is *first*, with the attributes *kept*."""
    answers, kept = options.pop("answers", {}), options.pop("kept", None)
    more = {"TransactionAttributes": kept} if kept else {}
    made = phone({"NEW_INBOUND_CALL": reply(*first, **more), **answers}, **options)
    made.dial_in()
    return made


def told(made: Phone) -> list[str]:
    """The events in short: type, action, and what distinguishes them."""
    out = []
    for event in made.events:
        data = event.get("ActionData", {})
        kind = event["InvocationEventType"]
        name = data.get("Parameters", {}).get("ParticipantTag", "") if kind == "HANGUP" else data.get("Type", "")
        extra = data.get("ReceivedDigits") or data.get("ErrorType") or event.get("ErrorType") or ""
        out.append(" ".join(part for part in (kind, name, extra) if part))
    return out


def logs(made: Phone, level: str = "error") -> list[str]:
    return [one.message for one in made.outputs if getattr(one, "level", "") == level]


def last(made: Phone) -> dict[str, Any]:
    return made.events[-1]
