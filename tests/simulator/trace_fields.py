"""The fields that the sources of the seven reference traces show: our copy of the facts, event by event.

``P`` stands for ``CallDetails.Participants``, ``A`` for ``ActionData.Parameters``. Identifiers, times and telephone
numbers (but the one of the meetings) are left out; what else a source has and is not here stands in ``ASIDE``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

IDENTIFIERS = frozenset(
    {
        *("TransactionId", "AwsAccountId", "SipRuleId", "SipMediaApplicationId", "SipApplicationId"),
        *("CallId", "SessionId", "StartTimeInMilliseconds"),
    }
)
NUMBERS = ("To", "From")
MEETINGS = ("SMA", "+17035550122")

GUIDE = "developer-guide"
LOG1 = "java-chime-voicesdk-sma"
LOG2 = "pstn-audio-workshop"


def flat(event: Mapping[str, Any]) -> dict[str, Any]:
    """The leaves of an event by path, without identifiers and numbers. Empty objects are leaves."""
    return {
        _short(path): value
        for path, value in _leaves(event, "")
        if _key(path) not in IDENTIFIERS and (_key(path) not in NUMBERS or value in MEETINGS)
    }


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{place}]")
    else:
        yield path, value


def _key(path: str) -> str:
    return path.rpartition(".")[2].partition("[")[0]


def _short(path: str) -> str:
    return path.replace("CallDetails.Participants", "P").replace("ActionData.Parameters", "A")


def _head(kind: str, sequence: int) -> dict[str, Any]:
    return {"SchemaVersion": "1.0", "Sequence": sequence, "InvocationEventType": kind}


def _leg(place: int, **more: Any) -> dict[str, Any]:
    names = {"ParticipantTag": ("LEG-A", "LEG-B")[place], **more}
    return {f"P[{place}].{name}": value for name, value in names.items()}


REGION = {"CallDetails.AwsRegion": "us-east-1"}
CALLER = _leg(0, Direction="Inbound")
CALLEE = _leg(0, Direction="Outbound")
MEETING = {"To": "SMA", "From": "+17035550122", "Direction": "Outbound"}
ON_THE_LINE = {"Status": "Connected"}
GONE = {"Status": "Disconnected"}
ATTRIBUTE = "CallDetails.TransactionAttributes."

MENU = {
    "ActionData.Type": "PlayAudioAndGetDigits",
    "A.ParticipantTag": "LEG-A",
    "A.InputDigitsRegex": r"^\d{1}$",
    "A.AudioSource.Type": "S3",
    "A.AudioSource.BucketName": "example-prompt-bucket",
    "A.AudioSource.Key": "main-menu-en-US.wav",
    "A.FailureAudioSource.Type": "S3",
    "A.FailureAudioSource.BucketName": "example-prompt-bucket",
    "A.FailureAudioSource.Key": "try-again-en-US.wav",
    "A.MinNumberOfDigits": 1,
    "A.MaxNumberOfDigits": 1,
    "A.InBetweenDigitsDurationInMilliseconds": 3000,
    "A.Repeat": 2,
    "A.RepeatDurationInMilliseconds": 3000,
}
INTENT = "ActionData.IntentResult.SessionState.Intent."
HEARD = "ActionData.IntentResult.Interpretations"
CALLER_OF_LOG1 = {**REGION, **_leg(0, Direction="Inbound", To="+17035550122")}
BRIDGED = {
    "ActionData.Type": "CallAndBridge",
    "A.CallTimeoutSeconds": 30,
    "A.Endpoints[0].BridgeEndpointType": "PSTN",
    **_leg(0, **ON_THE_LINE),
    **_leg(1, **ON_THE_LINE),
}
ARGUMENTS = {
    "DialVC": "true",
    "MeetingId": "fedc8fa0-364b-4fbf-b6b7-3be410492713",
    "RequestorEmail": "email@example.com",
}
PIN = {
    "ActionData.Type": "PlayAudioAndGetDigits",
    "A.ParticipantTag": "LEG-A",
    "A.AudioSource.Type": "S3",
    "A.AudioSource.BucketName": "chime-meetings-audio-files-bucket-name",
    "A.AudioSource.Key": "enter-meeting-pin.wav",
    "A.FailureAudioSource.Type": "S3",
    "A.FailureAudioSource.BucketName": "chime-meetings-audio-files-bucket-name",
    "A.FailureAudioSource.Key": "invalid-meeting-pin.wav",
    "A.MinNumberOfDigits": 3,
    "A.MaxNumberOfDigits": 5,
    "A.TerminatorDigits[0]": "#",
    "A.InBetweenDigitsDurationInMilliseconds": 5000,
    "A.Repeat": 3,
    "A.RepeatDurationInMilliseconds": 10000,
}
VOICE = {"Engine": "neural", "LanguageCode": "en-US", "Text": "Hello World", "TextType": "text", "VoiceId": "Joanna"}

FIELDS: Mapping[str, Mapping[int, Mapping[str, Any]]] = {
    "T1": {
        0: {**_head("NEW_INBOUND_CALL", 1), **CALLER},
        1: {
            **_head("HANGUP", 2),
            "ActionData.Type": "Hangup",
            "A.SipResponseCode": 0,
            "A.ParticipantTag": "LEG-A",
            f"{ATTRIBUTE}key1": "val1*",
            f"{ATTRIBUTE}key2": "val2*",
            f"{ATTRIBUTE}key3": "val3*",
            **REGION,
            **CALLER,
            **_leg(0, **GONE),
        },
    },
    "T2": {
        0: {**_head("NEW_INBOUND_CALL", 1), **CALLER_OF_LOG1},
        1: {
            **_head("ACTION_SUCCESSFUL", 2),
            **MENU,
            "ActionData.ReceivedDigits": "1",
            f"{ATTRIBUTE}CurrentActionId": "6",
            f"{ATTRIBUTE}locale": "en-US",
            f"{ATTRIBUTE}CurrentActionIdList": "18,6",
            **CALLER_OF_LOG1,
            **_leg(0, **ON_THE_LINE),
        },
        2: {
            **_head("ACTION_SUCCESSFUL", 3),
            "ActionData.Type": "StartBotConversation",
            "A.BotAliasArn": "arn:aws:lex:us-east-1:111122223333:bot-alias/EXAMPLEBOT/EXAMPLALIA",
            "A.LocaleId": "en_US",
            "A.Configuration.SessionState.DialogAction.Type": "ElicitIntent",
            "A.Configuration.WelcomeMessages[0].Content": "What can Chat GPT help you with?",
            "A.Configuration.WelcomeMessages[0].ContentType": "PlainText",
            "ActionData.IntentResult.SessionState.SessionAttributes": {},
            f"{INTENT}Name": "Quit",
            f"{INTENT}Slots": {},
            f"{INTENT}State": "ReadyForFulfillment",
            f"{INTENT}ConfirmationState": "None",
            f"{HEARD}[0].Intent.Name": "Quit",
            f"{HEARD}[0].Intent.Slots": {},
            f"{HEARD}[0].Intent.State": "ReadyForFulfillment",
            f"{HEARD}[0].Intent.ConfirmationState": "None",
            f"{HEARD}[0].NluConfidence.Score": 1.0,
            f"{HEARD}[1].Intent.Name": "FallbackIntent",
            f"{HEARD}[1].Intent.Slots": {},
            f"{HEARD}[2].Intent.Name": "Transfer",
            f"{HEARD}[2].Intent.Slots": {},
            f"{HEARD}[2].NluConfidence.Score": 0.42,
            f"{ATTRIBUTE}CurrentActionId": "4",
            f"{ATTRIBUTE}locale": "en-US",
            f"{ATTRIBUTE}CurrentActionIdList": "4",
            **CALLER_OF_LOG1,
            **_leg(0, **ON_THE_LINE),
        },
        3: {
            **_head("ACTION_SUCCESSFUL", 4),
            **MENU,
            "ActionData.ReceivedDigits": "8",
            f"{ATTRIBUTE}CurrentActionId": "6",
            f"{ATTRIBUTE}LexLastMatchedIntent": "Quit",
            f"{ATTRIBUTE}locale": "en-US",
            f"{ATTRIBUTE}CurrentActionIdList": "6",
            **CALLER_OF_LOG1,
            **_leg(0, **ON_THE_LINE),
        },
        4: {
            **_head("HANGUP", 5),
            "ActionData.Type": "Hangup",
            "A.ParticipantTag": "LEG-A",
            f"{ATTRIBUTE}CurrentActionId": "1",
            f"{ATTRIBUTE}LexLastMatchedIntent": "Quit",
            f"{ATTRIBUTE}locale": "en-US",
            f"{ATTRIBUTE}CurrentActionIdList": "2,1",
            **CALLER_OF_LOG1,
            **_leg(0, **GONE),
        },
    },
    "T3": {
        0: {
            **_head("NEW_OUTBOUND_CALL", 1),
            "ActionData.Type": "CallCreateRequest",
            **{f"A.Arguments.{name}": value for name, value in ARGUMENTS.items()},
            **REGION,
            **CALLEE,
        },
        1: {**_head("RINGING", 2), **REGION, **CALLEE},
        2: {
            **_head("CALL_ANSWERED", 3),
            **{f"{ATTRIBUTE}{name}": value for name, value in ARGUMENTS.items()},
            **REGION,
            **CALLEE,
            **_leg(0, **ON_THE_LINE),
        },
        3: {**_head("ACTION_SUCCESSFUL", 4), **BRIDGED},
    },
    "T4": {
        1: {**_head("ACTION_SUCCESSFUL", 2), **BRIDGED},
        2: {
            **_head("CALL_UPDATE_REQUESTED", 3),
            "ActionData.Type": "CallUpdateRequest",
            "A.Arguments.action": "PlayAudio",
        },
        3: {
            **_head("HANGUP", 4),
            "A.ParticipantTag": "LEG-B",
            **_leg(0, **ON_THE_LINE),
            **_leg(1, **GONE),
        },
        4: {**_head("ACTION_SUCCESSFUL", 5), "ActionData.Type": "Hangup"},
        5: {**_head("ACTION_SUCCESSFUL", 6), **BRIDGED},
    },
    "T5": {
        0: {**_head("NEW_INBOUND_CALL", 1), **REGION, **CALLER},
        1: {**_head("ACTION_SUCCESSFUL", 2), **PIN, "ActionData.ReceivedDigits": "12345"},
        2: {
            **_head("ACTION_SUCCESSFUL", 3),
            "ActionData.Type": "JoinChimeMeeting",
            "A.JoinToken": "meeting-attendee-join-token",
            **REGION,
            **CALLER,
            **_leg(0, **ON_THE_LINE),
            **_leg(1, **MEETING, **ON_THE_LINE),
        },
        3: {**_head("ACTION_SUCCESSFUL", 4), "ActionData.Type": "PlayAudio"},
        4: {
            **_head("DIGITS_RECEIVED", 5),
            "ActionData.Type": "ReceiveDigits",
            "ActionData.ReceivedDigits": "11#",
            "A.InputDigitsRegex": r"^\d{2}#$",
            "A.InBetweenDigitsDurationInMilliseconds": 5000,
            "A.FlushDigitsDurationInMilliseconds": 10000,
            **REGION,
            **CALLER,
            **_leg(0, **ON_THE_LINE),
        },
        5: {
            **_head("ACTION_SUCCESSFUL", 6),
            "ActionData.Type": "ModifyChimeMeetingAttendees",
            "A.Operation": "Mute",
            "A.MeetingId": "meeting-id",
            "A.ParticipantTag": "LEG-B",
            "A.AttendeeList[0]": "attendee-id-1",
            "A.AttendeeList[1]": "attendee-id-2",
        },
        6: {
            **_head("HANGUP", 7),
            "ActionData.Type": "Hangup",
            "A.ParticipantTag": "LEG-A",
            **REGION,
            **CALLER,
            **_leg(0, **GONE),
            **_leg(1, **MEETING, **GONE),
        },
    },
    "T6": {
        1: {
            **_head("ACTION_FAILED", 2),
            "ActionData.Type": "SpeakAndGetDigits",
            "A.InputDigitsRegex": r"^\d{2}#$",
            **{f"A.SpeechParameters.{name}": value for name, value in VOICE.items()},
            **{f"A.FailureSpeechParameters.{name}": value for name, value in VOICE.items()},
            "A.MinNumberOfDigits": 3,
            "A.MaxNumberOfDigits": 5,
            "A.TerminatorDigits[0]": "#",
            "A.InBetweenDigitsDurationInMilliseconds": 5000,
            "A.Repeat": 3,
            "A.RepeatDurationInMilliseconds": 10000,
            "ActionData.ErrorType": "InvalidDigitsReceived",
        },
    },
    "T7": {
        2: {**_head("HANGUP", 3), "A.ParticipantTag": "LEG-A", **_leg(0, **GONE), **_leg(1, **ON_THE_LINE)},
        3: {**_head("HANGUP", 4), "A.ParticipantTag": "LEG-B", **_leg(0, **GONE), **_leg(1, **GONE)},
    },
}
"""By trace and place of the event: what is compared."""

READ_BY_SAMPLES = {("T4", 3), ("T4", 4), ("T5", 3), ("T7", 2), ("T7", 3)}
"""Events of which no payload was published: the fields are those that the code of the samples reads."""

PUBLISHED: Mapping[str, Mapping[int, tuple[str, ...]]] = {
    "T1": {0: (f"{LOG2}/02-new-inbound-call-log",), 1: (f"{LOG2}/03-hangup-log-with-attributes",)},
    "T2": {
        0: (f"{LOG1}/01-new-inbound-call",),
        1: (f"{LOG1}/02-action-successful-menu-1",),
        2: (f"{LOG1}/03-action-successful-bot-quit",),
        3: (f"{LOG1}/04-action-successful-menu-8",),
        4: (f"{LOG1}/05-hangup",),
    },
    "T3": {
        0: ("click-to-call/01-new-outbound-call-arguments", f"{GUIDE}/12-new-outbound-call"),
        1: (f"{GUIDE}/13-ringing",),
        2: ("click-to-call/02-call-answered-with-attributes", f"{GUIDE}/14-call-answered"),
        3: (f"{GUIDE}/18-action-successful-call-and-bridge",),
    },
    "T4": {
        1: (f"{GUIDE}/18-action-successful-call-and-bridge",),
        2: ("update-call/01-call-update-requested",),
        5: (f"{GUIDE}/18-action-successful-call-and-bridge",),
    },
    "T5": {
        0: (f"{GUIDE}/01-new-inbound-call",),
        1: (f"{GUIDE}/02-action-successful-play-audio-and-get-digits",),
        2: (f"{GUIDE}/03-action-successful-join-chime-meeting",),
        4: (f"{GUIDE}/10-digits-received",),
        5: (f"{GUIDE}/20-action-successful-modify-attendees",),
        6: (f"{GUIDE}/04-hangup-leg-a",),
    },
    "T6": {1: (f"{GUIDE}/30-action-failed-speak-and-get-digits",)},
}
"""Where the fields stand in the corpus of published payloads."""

ASIDE: Mapping[tuple[str, str], str] = {
    (GUIDE, "Sequence"): "examples of the guide carry any number",
    ("update-call", "Sequence"): "the 37th event of its call",
    (GUIDE, "CallDetails"): "left out in the example",
    (f"{LOG2}/02-new-inbound-call-log", "CallDetails.AwsRegion"): "of another call than the HANGUP",
    (f"{LOG1}/03-action-successful-bot-quit", "A.ParticipantTag"): (
        "was not sent, and LOG3, which is JSON and not the print of a Java object, has none: echo_defaults=more adds it"
    ),
    ("click-to-call/01-new-outbound-call-arguments", "A.Arguments.RequestedDialNumber"): "a telephone number",
    ("click-to-call/01-new-outbound-call-arguments", "A.Arguments.RequestedVCArn"): "has an account number",
    ("click-to-call/02-call-answered-with-attributes", f"{ATTRIBUTE}RequestedVCArn"): "has an account number",
    ("click-to-call/02-call-answered-with-attributes", f"{ATTRIBUTE}RequestedDialNumber"): "a telephone number",
    (f"{GUIDE}/01-new-inbound-call", "P[0].Status"): "no log has a Status before the answer (status_before_answer)",
    (f"{GUIDE}/18-action-successful-call-and-bridge", "A.CallerIdNumber"): "a placeholder",
    (f"{GUIDE}/18-action-successful-call-and-bridge", "A.Endpoints[0].Uri"): "a placeholder",
    (f"{GUIDE}/30-action-failed-speak-and-get-digits", "ActionData.ErrorType"): "the example of another failure",
    (f"{GUIDE}/30-action-failed-speak-and-get-digits", "ActionData.ErrorMessage"): "the example of another failure",
}
"""What the published payloads have and is not compared, by folder or file and field, with the reason."""
