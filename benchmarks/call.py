"""One dial-in call as the service would send it: the events for any handler, with that handler's own attributes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]
Answer = Callable[[Event], Event]

TRANSACTION = "b4a1fd7e-4ea2-4d4b-9f5c-0c1d7a3e1f00"
LEG_A = "1b6d4b2c-6d0c-4f6e-9c53-6f4b8f0e2a11"
LEG_B = "7c0a8e55-3b9d-4a5b-8f7e-2d1c9b6a4e22"
PIN = "654321"

# What happens: the event, the action it reports on, and the result fields that come with it.
SCRIPT: tuple[tuple[str, str, Event], ...] = (
    ("NEW_INBOUND_CALL", "", {}),
    ("ACTION_SUCCESSFUL", "SpeakAndGetDigits", {"ReceivedDigits": "1"}),
    ("ACTION_SUCCESSFUL", "SpeakAndGetDigits", {"ReceivedDigits": "12345678"}),
    ("ACTION_FAILED", "SpeakAndGetDigits", {"ErrorType": "InvalidDigitsReceived", "ErrorMessage": "no digits"}),
    ("ACTION_SUCCESSFUL", "SpeakAndGetDigits", {"ReceivedDigits": "000000"}),
    ("ACTION_SUCCESSFUL", "SpeakAndGetDigits", {"ReceivedDigits": "12345678"}),
    ("ACTION_SUCCESSFUL", "SpeakAndGetDigits", {"ReceivedDigits": PIN}),
    ("ACTION_SUCCESSFUL", "JoinChimeMeeting", {}),
    ("ACTION_SUCCESSFUL", "ReceiveDigits", {"ReceivedDigits": ""}),
    ("DIGITS_RECEIVED", "ReceiveDigits", {"ReceivedDigits": "*6"}),
    ("ACTION_SUCCESSFUL", "ModifyChimeMeetingAttendees", {}),
    ("ACTION_SUCCESSFUL", "Speak", {}),
    ("ACTION_SUCCESSFUL", "ReceiveDigits", {"ReceivedDigits": ""}),
    ("HANGUP", "Hangup", {}),
)


def _participants(joined: bool, over: bool, first: bool) -> list[Event]:
    status = {} if first else {"Status": "Disconnected" if over else "Connected"}
    start = {"StartTimeInMilliseconds": "1795188600000"}
    caller = {"From": "+14155550123", "To": "+12065550110", "Direction": "Inbound"}
    legs: list[Event] = [{"CallId": LEG_A, "ParticipantTag": "LEG-A", **caller, **start, **status}]
    if joined:
        meeting = {"From": "+12065550110", "To": "SMA", "Direction": "Outbound"}
        legs.append({"CallId": LEG_B, "ParticipantTag": "LEG-B", **meeting, **start, **status})
    return legs


def events(answer: Answer, most: int = len(SCRIPT)) -> tuple[list[Event], list[Event]]:
    """The first *most* events of the call as *answer* brings them about, and its answers."""
    sent: list[Event] = []
    answers: list[Event] = []
    attributes: Event = {}
    known: dict[str, Event] = {}
    joined = False
    for number, (kind, action, data) in enumerate(SCRIPT[:most], 1):
        joined = joined or action == "JoinChimeMeeting"
        details: Event = {
            "TransactionId": TRANSACTION,
            "AwsAccountId": "111122223333",
            "AwsRegion": "us-east-1",
            "SipRuleId": "a3b1c9d7-52e8-4f60-8b9c-0d1e2f3a4b5c",
            "SipMediaApplicationId": "6f0d2c1e-4b7a-4d6e-9a53-1f2e3d4c5b6a",
            "Participants": _participants(joined, kind == "HANGUP", number == 1),
        }
        if attributes:
            details["TransactionAttributes"] = attributes
        event: Event = {
            "SchemaVersion": "1.0",
            "Sequence": number,
            "InvocationEventType": kind,
            "CallDetails": details,
        }
        if kind == "HANGUP":
            params = {"SipResponseCode": 0, "CallId": LEG_A, "ParticipantTag": "LEG-A"}
            event["ActionData"] = {"Type": "Hangup", "Parameters": params}
        elif action:
            event["ActionData"] = {"Type": action, "Parameters": known[action], **data}
        sent.append(json.loads(json.dumps(event)))
        response = answer(json.loads(json.dumps(event)))
        answers.append(response)
        for each in response.get("Actions") or ():
            known[each["Type"]] = each["Parameters"]
        attributes = response.get("TransactionAttributes") or attributes
    return sent, answers
