"""Which event a step of a script means, and what else an event is about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .expect import QUESTIONS, event_leg
from .script import Step
from .whole import Line

NO_ENTRY = ("", "InvalidDigitsReceived", "InputTimeLimitExceeded")
"""What scripts call it when nothing usable was typed: what the service calls it is a switch (``digits_error``)."""


def fits(step: Step, event: dict[str, Any]) -> bool:
    """Is this the event that the step means?"""
    kind, data = event["InvocationEventType"], event.get("ActionData") or {}
    leg, params = event_leg(event)[-1], data.get("Parameters") or {}
    if kind != step.event:
        return step.event == "ACTION_SUCCESSFUL" and bool(step.digits) and refused(step, event)
    if kind == "HANGUP":
        return leg == (step.leg or "A")
    if kind == "CALL_UPDATE_REQUESTED":
        return bool(params["Arguments"] == dict(step.arguments))
    if kind == "DIGITS_RECEIVED":
        return data["ReceivedDigits"] == step.digits and leg == (step.leg or "A")
    if not kind.startswith("ACTION_"):
        return True
    if data["Type"] != step.action or (step.leg and leg != step.leg):
        return False
    if not all(value in json.dumps(params) for value in step.match.values()):
        return False
    if step.digits is not None and step.action in QUESTIONS:
        return str(data["ReceivedDigits"]).rstrip("#*") == step.digits.rstrip("#*")
    error = data.get("ErrorType") or str(data.get("Error", "")).partition(":")[0]
    return not step.error or error == step.error or (no_entry(event) and step.error in NO_ENTRY)


def name_files(event: dict[str, Any], step: Step | None) -> None:
    """Files have the names that the script gives them."""
    data = event.get("ActionData") or {}
    if step is None or step.action != data.get("Type") or event["InvocationEventType"] != "ACTION_SUCCESSFUL":
        return
    if step.action == "RecordAudio":
        data["RecordingDestination"]["Key"] = step.key or "recording.wav"
        data["RecordingDestination"]["BucketName"] = step.bucket or data["RecordingDestination"]["BucketName"]
    if step.action == "StartCallRecording":
        named = f"{data['Parameters']['Destination']['Location']}/2026/11/20/call.wav"
        data["CallRecordingDestination"]["Location"] = step.location or named


def twice_at_once(line: Line, number: int) -> bool:
    """Both reports of our Hangup were handled at the same time, and got the same list (decision 11)."""
    event, answer = line.first[number]
    before, other = line.first.get(number - 1, (event, {}))
    kinds, types, legs, saved = (
        [look(before), look(event)]
        for look in (
            lambda one: one["InvocationEventType"],
            lambda one: one.get("ActionData", {}).get("Type"),
            event_leg,
            lambda one: one["CallDetails"].get("TransactionAttributes"),
        )
    )
    twins = sorted(kinds) == ["ACTION_SUCCESSFUL", "HANGUP"] and types == ["Hangup", "Hangup"]
    same_time = legs[0] == legs[1] and saved[0] == saved[1]
    return twins and same_time and bool(answer.get("Actions")) and other.get("Actions") == answer["Actions"]


def already_so(line: Line, event: dict[str, Any], actions: list[dict[str, Any]]) -> bool:
    """What is answered is what would be done anyway: the rest of the list, or after the script the end of the
    other leg (R5).
    """
    rest = [(one.type, one.data) for one in line.network.rest]
    again = bool(actions) and [(one["Type"], one["Parameters"]) for one in actions] == rest
    over = line.after() is None and event["InvocationEventType"] == "HANGUP"
    return again or (over and {one["Type"] for one in actions} == {"Hangup"})


def has_a_cause(step: Step) -> bool:
    """Somebody in the world makes this fail: a silent caller, a party that does not answer, a bot that gives up."""
    if step.action in QUESTIONS:
        return step.error in NO_ENTRY
    return step.action == "StartBotConversation" or (step.action == "CallAndBridge" and step.error == "CallNotAnswered")


def overlaps(step: tuple[int, Step]) -> bool:
    """Was this event handled with the attributes from before the event before it?"""
    stored = step[1].stored
    return stored.startswith("step ") and int(stored[5:]) < step[0] - 1


def no_entry(event: Mapping[str, Any]) -> bool:
    """Nothing usable was typed, whatever the service calls that."""
    data = event.get("ActionData") or {}
    return data.get("ErrorMessage") == "No valid digits were received."


def refused(step: Step, event: Mapping[str, Any]) -> bool:
    """Nothing usable was typed, although the step gives keys."""
    return no_entry(event) and event["ActionData"]["Type"] == step.action


def about_hangup(step: Step, event: dict[str, Any]) -> bool:
    hangup = step.event == "HANGUP" or (step.event == "ACTION_SUCCESSFUL" and step.action == "Hangup")
    data = event.get("ActionData") or {}
    return hangup and data.get("Type") == "Hangup" and event_leg(event)[-1] == (step.leg or "A")


def spent(step: Step, event: dict[str, Any]) -> bool:
    """Has the report that this step waits for come already, to bring the rest of a list?"""
    data = event.get("ActionData") or {}
    return (
        step.event == event["InvocationEventType"] == "ACTION_SUCCESSFUL"
        and step.expect == ()
        and data.get("Type") == step.action
        and (not step.leg or event_leg(event)[-1] == step.leg)
    )


def without(text: str, ids: list[str]) -> str:
    """A text without the service's ids, which are made of digits."""
    for one in ids:
        text = text.replace(one, "id")
    return text


def name_of(event: Mapping[str, Any]) -> str:
    data = event.get("ActionData") or {}
    kind = str(event["InvocationEventType"])
    return f"{kind} {data['Type']}" if kind.startswith("ACTION_") and "Type" in data else kind
