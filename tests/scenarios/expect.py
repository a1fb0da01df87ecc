"""Does an answer say what the script expects? Tolerances of section 3 of the scenarios, and none besides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .script import Step, Wanted
from .stubs import said, same

HARMLESS = frozenset({"Pause", "ReceiveDigits"})
QUESTIONS = ("PlayAudioAndGetDigits", "SpeakAndGetDigits")
ABSENT = object()

_SHORT: dict[str, Mapping[str, str]] = {
    "Text": {"SpeakAndGetDigits": "SpeechParameters.Text"},
    "Key": {"PlayAudio": "AudioSource.Key", "PlayAudioAndGetDigits": "AudioSource.Key"},
    "BucketName": {
        "PlayAudio": "AudioSource.BucketName",
        "PlayAudioAndGetDigits": "AudioSource.BucketName",
        "RecordAudio": "RecordingDestination.BucketName",
    },
    "Prefix": {"RecordAudio": "RecordingDestination.Prefix"},
    "Uri": {"CallAndBridge": "Endpoints.0.Uri"},
    "Arn": {"CallAndBridge": "Endpoints.0.Arn"},
    "BridgeEndpointType": {"CallAndBridge": "Endpoints.0.BridgeEndpointType"},
    "Location": {"StartCallRecording": "Destination.Location"},
}


def parameter(action: Mapping[str, Any], path: str) -> Any:
    """The parameter that a script names by *path*, or ``ABSENT``."""
    kind = action["Type"]
    path = _SHORT.get(path, {}).get(kind, path)
    if kind == "StartBotConversation" and path.split(".")[0] in ("SessionState", "WelcomeMessages"):
        path = f"Configuration.{path}"
    value: Any = action.get("Parameters") or {}
    for part in path.split("."):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping) and part in value:
            value = value[part]
        else:
            return ABSENT
    return value


def event_leg(event: Mapping[str, Any]) -> str:
    """The tag of the leg that an event belongs to (where actions without address go)."""
    parameters = (event.get("ActionData") or {}).get("Parameters") or {}
    for leg in event["CallDetails"]["Participants"]:
        if leg["CallId"] == parameters.get("CallId"):
            return str(leg["ParticipantTag"])
    return str(parameters.get("ParticipantTag") or "LEG-A")


def leg_of(action: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """``A`` or ``B``, by CallId, by tag, or by the leg of the event; ``?`` for a leg that does not exist."""
    parameters = action.get("Parameters") or {}
    if parameters.get("CallId"):
        for leg in event["CallDetails"]["Participants"]:
            if leg["CallId"] == parameters["CallId"]:
                return str(leg["ParticipantTag"][-1])
        return "?"
    return str(parameters.get("ParticipantTag") or event_leg(event))[-1]


def differences(wanted: Wanted, action: Mapping[str, Any], event: Mapping[str, Any]) -> list[str]:
    """Why *action* is not the wanted one; empty when it is."""
    if action["Type"] != wanted.type:
        return [f"{wanted.type} expected, {action['Type']} sent"]
    problems = []
    if wanted.leg and leg_of(action, event) != wanted.leg:
        problems.append(f"leg {wanted.leg} expected, {leg_of(action, event)} addressed")
    for path, value in wanted.parameters.items():
        got = parameter(action, path)
        if value == "absent":
            if got is not ABSENT:
                problems.append(f"{path} must be absent, is {got!r}")
        elif got is ABSENT:
            problems.append(f"{path} is missing ({value} expected)")
        elif not same(value, got):
            problems.append(f"{path}: {value} expected, {said(got)!r} sent")
    return problems


class Expectation:
    """The expected list of one step, ticked off while answers come in."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.open: list[Wanted] = list(step.expect or ())
        self.judged = step.expect is not None

    @property
    def complete(self) -> bool:
        """Is nothing left to wait for?"""
        return not self.open

    def take(self, actions: Sequence[Mapping[str, Any]], event: Mapping[str, Any]) -> list[str]:
        """Tick off the actions of one answer; says what does not belong there."""
        problems = [f"{action['Type']} is forbidden here" for action in actions if action["Type"] in self.step.forbid]
        if not self.judged:
            return problems
        for action in actions:
            candidates = list(self.open) if self.step.any_order else self.open[:1]
            found = next((item for item in candidates if not differences(item, action, event)), None)
            if found is not None:
                self.open.remove(found)
            elif action["Type"] not in HARMLESS and action["Type"] not in self.step.also:
                near = [item for item in candidates if item.type == action["Type"]] or candidates[:1]
                reasons = "; ".join(differences(near[0], action, event)) if near else "nothing more was expected"
                problems.append(f"{action['Type']} {leg_of(action, event)} does not fit: {reasons}")
        return problems
