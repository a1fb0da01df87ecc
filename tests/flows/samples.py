"""One event of every kind that the service sends, for ``events/samples``.

Sources: the pages of the Amazon Chime SDK developer guide on PSTN Audio (events, and one page per action for the
fields of its success and its errors). Where its examples and real payloads differ, the real ones are followed:
SipMediaApplicationId, no Status on the first event, ``Error`` in one text for JoinChimeMeeting and StartCallRecording.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .network import ACCOUNT, APPLICATION, MEETING_NUMBER, REGION, RULE, own_id

CALLER, CALLED, COLLEAGUE = "+14155550123", "+12065550199", "+12065550150"
A, B = own_id("samples", "leg A"), own_id("samples", "leg B")
MEETING, ATTENDEE = own_id("samples", "meeting"), own_id("samples", "attendee")
SINCE, SINCE_B = "1795102200000", "1795102231000"

_VOICE = {"Engine": "neural", "LanguageCode": "en-US", "TextType": "text", "VoiceId": "Joanna"}
_AUDIO = {"Type": "S3", "BucketName": "example-prompts", "Key": "beep.wav"}
_BUCKET = {"Type": "S3", "BucketName": "example-voicemails", "Prefix": "messages"}
_COLLECT = {
    "MinNumberOfDigits": 6,
    "MaxNumberOfDigits": 6,
    "TerminatorDigits": ["#"],
    "InputDigitsRegex": "^[0-9]{6}$",
    "InBetweenDigitsDurationInMilliseconds": 3000,
    "Repeat": 3,
    "RepeatDurationInMilliseconds": 5000,
}
_RESULT = {
    "SessionId": A,
    "SessionState": {
        "SessionAttributes": {},
        "Intent": {
            "Name": "Transfer",
            "Slots": {
                "Topic": {
                    "Value": {
                        "OriginalValue": "my invoice",
                        "InterpretedValue": "Invoice",
                        "ResolvedValues": ["Invoice"],
                    }
                },
                "Urgency": None,
            },
            "State": "ReadyForFulfillment",
            "ConfirmationState": "None",
        },
    },
    "Interpretations": [
        {"Intent": {"Name": "Transfer", "Slots": {}, "State": "ReadyForFulfillment"}, "NluConfidence": {"Score": 0.94}},
        {"Intent": {"Name": "FallbackIntent", "Slots": {}}},
    ],
}

ACTIONS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, str]]] = {
    # action: (parameters, fields of its success, error type and message of a failure that its page names)
    "CallAndBridge": (
        {
            "CallTimeoutSeconds": 30,
            "CallerIdNumber": CALLED,
            "RingbackTone": {**_AUDIO, "Key": "hold.wav"},
            "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": COLLEAGUE}],
        },
        {},
        ("CallNotAnswered", "Call not answered"),
    ),
    "Hangup": (
        {"SipResponseCode": "0", "CallId": B},
        {},
        ("InvalidActionParameter", "CallId or ParticipantTag parameter for action is invalid"),
    ),
    "JoinChimeMeeting": (
        {"JoinToken": "example-join-token", "MeetingId": MEETING},
        {},
        ("ErrorJoiningMeeting", "Error while joining meeting."),
    ),
    "ModifyChimeMeetingAttendees": (
        {"Operation": "Mute", "MeetingId": MEETING, "AttendeeList": [ATTENDEE], "CallId": B},
        {},
        ("InvalidActionParameter", "Call is not connected to Chime Meeting."),
    ),
    "Pause": (
        {"DurationInMilliseconds": 1000},
        {},
        ("InvalidActionParameter", "The Duration parameter is invalid."),
    ),
    "PauseCallRecording": ({}, {}, ("SystemException", "System error while running action")),
    "PlayAudio": (
        {"AudioSource": _AUDIO, "PlaybackTerminators": ["#"], "Repeat": 1},
        {},
        ("InvalidAudioSource", "Cannot access S3 bucket or audio file."),
    ),
    "PlayAudioAndGetDigits": (
        {**_COLLECT, "AudioSource": _AUDIO, "FailureAudioSource": {**_AUDIO, "Key": "silence.wav"}},
        {"ReceivedDigits": "482913"},
        ("InvalidAudioSource", "Audio Source parameter value is invalid."),
    ),
    "ReceiveDigits": (
        {
            "InputDigitsRegex": "^\\*[67]$",
            "InBetweenDigitsDurationInMilliseconds": 1000,
            "FlushDigitsDurationInMilliseconds": 10000,
        },
        {"ReceivedDigits": ""},
        ("InvalidActionParameter", "FlushDigitsDurationInMilliseconds parameter value is invalid."),
    ),
    "RecordAudio": (
        {
            "DurationInSeconds": 120,
            "SilenceDurationInSeconds": 4,
            "SilenceThreshold": 200,
            "RecordingTerminators": ["#"],
            "RecordingDestination": _BUCKET,
        },
        {
            "RecordingDestination": {
                "Type": "S3",
                "BucketName": "example-voicemails",
                "Key": f"messages/2026/11/20/15-31-02_{A}_1.wav",
            },
            "RecordingTerminatorUsed": "#",
        },
        ("InvalidActionParameter", "Error occurred while uploading recording to S3 bucket."),
    ),
    "ResumeCallRecording": ({}, {}, ("SystemException", "System error while running action")),
    "SendDigits": (
        {"Digits": "4155501#,,482913#", "ToneDurationInMilliseconds": 250},
        {},
        ("InvalidActionParameter", "ToneDuration parameter value is invalid."),
    ),
    "Speak": (
        {"Text": "Thank you for calling. Goodbye.", **_VOICE},
        {},
        ("MissingRequiredActionParameter", "Text is limited to 1,000 characters"),
    ),
    "SpeakAndGetDigits": (
        {
            **_COLLECT,
            "SpeechParameters": {"Text": "Please enter your six-digit PIN.", **_VOICE},
            "FailureSpeechParameters": {"Text": "Sorry, I did not hear anything.", **_VOICE},
        },
        {"ReceivedDigits": "482913"},
        ("InvalidDigitsReceived", "Invalid digits received."),
    ),
    "StartBotConversation": (
        {
            "BotAliasArn": f"arn:aws:lex:{REGION}:{ACCOUNT}:bot-alias/EXAMPLEBOT/TSTALIASID",
            "LocaleId": "en_US",
            "Configuration": {
                "SessionState": {"SessionAttributes": {}, "DialogAction": {"Type": "ElicitIntent"}},
                "WelcomeMessages": [{"Content": "How can I help you?", "ContentType": "PlainText"}],
            },
        },
        {"IntentResult": _RESULT},
        ("ResourceAccessDenied", "Access to the bot alias is denied."),
    ),
    "StartCallRecording": (
        {"Track": "BOTH", "Destination": {"Type": "S3", "Location": "example-voicemails/conversations"}},
        {
            "CallRecordingDestination": {
                "Type": "S3",
                "Location": f"example-voicemails/conversations/2026/11/20/15-31-02_{A}.wav",
            }
        },
        ("NoAccessToDestination", "Error while accessing destination"),
    ),
    "StopCallRecording": ({}, {}, ("SystemException", "System error while running action")),
    "VoiceFocus": ({"Enable": True}, {}, ("ActionExecutionThrottled", "The action was throttled.")),
}
"""Every action with parameters as a function would send them."""

ONE_TEXT = ("JoinChimeMeeting", "StartCallRecording")
"""Their failures carry one ``Error`` text instead of ErrorType and ErrorMessage."""

TWO_LEGS = ("CallAndBridge", "Hangup", "JoinChimeMeeting", "ModifyChimeMeetingAttendees")


def samples() -> dict[str, dict[str, Any]]:
    """Every sample by its file name (without ending)."""
    made: dict[str, dict[str, Any]] = {
        "new-inbound-call": _event(1, "NEW_INBOUND_CALL", status=None),
        "new-inbound-call-sip-headers": _event(
            1,
            "NEW_INBOUND_CALL",
            status=None,
            headers={"User-to-User": "43616c6c2031303031;encoding=hex", "X-Request": "r-1001"},
        ),
        "new-outbound-call": _event(
            1,
            "NEW_OUTBOUND_CALL",
            {"Type": "CallCreateRequest", "Parameters": {"Arguments": {"request": "r-1001", "language": "en-US"}}},
            inbound=False,
            status=None,
        ),
        "ringing": _event(2, "RINGING", inbound=False, status=None),
        "call-answered": _event(3, "CALL_ANSWERED", inbound=False),
        "digits-received": _event(6, "DIGITS_RECEIVED", _echo("ReceiveDigits", ReceivedDigits="*6"), leg_b="meeting"),
        "call-update-requested": _event(
            6,
            "CALL_UPDATE_REQUESTED",
            {"Type": "CallUpdateRequest", "Parameters": {"Arguments": {"update": "notice", "words": "Door one."}}},
        ),
        "hangup-leg-a": _event(7, "HANGUP", _hangup(A, "LEG-A", 0), status="Disconnected"),
        "hangup-leg-b": _event(7, "HANGUP", _hangup(B, "LEG-B", 0), leg_b="number", status_b="Disconnected"),
        "hangup-not-answered": _event(3, "HANGUP", _hangup(A, "LEG-A", 480), inbound=False, status="Disconnected"),
        "invalid-lambda-response": {
            **_event(4, "INVALID_LAMBDA_RESPONSE"),
            "ErrorType": "TransactionAttributesInvalidMapSize",
            "ErrorMessage": "Transaction Attributes has too many mappings. Maximum number of mappings is 10",
        },
    }
    for action in ("Pause", "PlayAudio", "RecordAudio"):
        made[f"action-interrupted-{_kebab(action)}"] = _event(5, "ACTION_INTERRUPTED", _echo(action))
    for action, (_, success, (error, message)) in ACTIONS.items():
        joined = action in ("JoinChimeMeeting", "ModifyChimeMeetingAttendees")
        leg_b = ("meeting" if joined else "number") if action in TWO_LEGS else None
        made[f"action-successful-{_kebab(action)}"] = _event(
            4, "ACTION_SUCCESSFUL", _echo(action, **success), leg_b=leg_b, status_b="Connected"
        )
        told: dict[str, Any] = {"ErrorType": error, "ErrorMessage": message}
        if action in ONE_TEXT:
            told = {"Error": f"{error}: {message}"}
        if action == "ModifyChimeMeetingAttendees":
            told["ErrorList"] = []
        alone = action in ("CallAndBridge", "JoinChimeMeeting")
        made[f"action-failed-{_kebab(action)}"] = _event(
            4, "ACTION_FAILED", _echo(action, **told), leg_b=None if alone else leg_b
        )
    return made


def _event(
    sequence: int,
    kind: str,
    data: Mapping[str, Any] | None = None,
    *,
    inbound: bool = True,
    status: str | None = "Connected",
    leg_b: str | None = None,
    status_b: str = "Connected",
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    to, from_ = (CALLED, CALLER) if inbound else (CALLER, CALLED)
    first = {
        "CallId": A,
        "ParticipantTag": "LEG-A",
        "To": to,
        "From": from_,
        "Direction": "Inbound" if inbound else "Outbound",
        "StartTimeInMilliseconds": SINCE,
        **({} if status is None else {"Status": status}),
        **({} if headers is None else {"SipHeaders": dict(headers)}),
    }
    second = {
        "CallId": B,
        "ParticipantTag": "LEG-B",
        "To": "SMA" if leg_b == "meeting" else COLLEAGUE,
        "From": MEETING_NUMBER if leg_b == "meeting" else CALLED,
        "Direction": "Outbound",
        "StartTimeInMilliseconds": SINCE_B,
        "Status": status_b,
    }
    details = {
        "TransactionId": own_id("samples", "transaction"),
        "AwsAccountId": ACCOUNT,
        "AwsRegion": REGION,
        "SipMediaApplicationId": APPLICATION,
        "Participants": [first] if leg_b is None else [first, second],
        **({"SipRuleId": RULE} if inbound else {}),
    }
    return {
        "SchemaVersion": "1.0",
        "Sequence": sequence,
        "InvocationEventType": kind,
        **({} if data is None else {"ActionData": dict(data)}),
        "CallDetails": details,
    }


def _echo(action: str, **fields: Any) -> dict[str, Any]:
    return {"Type": action, "Parameters": {"CallId": A, **ACTIONS[action][0]}, **fields}


def _hangup(call_id: str, tag: str, code: int) -> dict[str, Any]:
    return {"Type": "Hangup", "Parameters": {"SipResponseCode": code, "CallId": call_id, "ParticipantTag": tag}}


def _kebab(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")
