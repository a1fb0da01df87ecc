"""What holds after every answer, whatever the scenario: rules R1 to R6, R11 and the emit rules of the contract."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator

from sma_flows.protocol.check import check_emit_rules

from .expect import leg_of

NEEDS_CALL_ID = frozenset(
    {
        "PauseCallRecording", "ResumeCallRecording", "SendDigits", "SpeakAndGetDigits", "StartCallRecording",
        "StopCallRecording", "VoiceFocus",
    }
)  # fmt: skip
REPORTS_ALWAYS = frozenset(
    {
        "CallAndBridge", "JoinChimeMeeting", "ModifyChimeMeetingAttendees", "PlayAudioAndGetDigits", "RecordAudio",
        "SpeakAndGetDigits", "StartBotConversation",
    }
)  # fmt: skip
UNANSWERED = ("NEW_OUTBOUND_CALL", "RINGING", "ACTION_INTERRUPTED")
MAX_BYTES = 20_480


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = json.loads((files("sma_flows.protocol") / "schemas" / name).read_text(encoding="utf-8"))
    return Draft202012Validator(schema)


@cache
def _schema_problems(text: str, name: str) -> tuple[str, ...]:
    errors = sorted(_validator(name).iter_errors(json.loads(text)), key=lambda error: list(map(str, error.path)))
    return tuple(f"{'/'.join(map(str, error.absolute_path)) or 'answer'}: {error.message[:200]}" for error in errors)


def check_event(event: Mapping[str, Any]) -> list[str]:
    """Is this an event that the service could send? What differs in each (number, saved call) is judged here."""
    details = event["CallDetails"]
    problems = [] if isinstance(event["Sequence"], int) and event["Sequence"] >= 0 else ["Sequence is no whole number"]
    saved = details.get("TransactionAttributes")
    if saved is not None:
        texts = isinstance(saved, dict) and all(isinstance(one, str) for one in [*saved, *saved.values()])
        problems += [] if texts and saved else ["TransactionAttributes are no map of texts"]
        details = {**details, "TransactionAttributes": {"x": "y"}}
    plain = {**event, "Sequence": 1, "CallDetails": details}
    return problems + list(_schema_problems(json.dumps(plain, sort_keys=True), "events.schema.json"))


def check_answer(event: Mapping[str, Any], answer: Any) -> list[str]:
    """Every rule that *answer* breaks, as sentences that begin with the rule."""
    if not isinstance(answer, dict):
        return [f"R1: the answer is {type(answer).__name__}, not an object"]
    problems = []
    if answer.get("SchemaVersion") != "1.0":
        problems.append(f"R1: SchemaVersion is {answer.get('SchemaVersion')!r}")
    actions = answer.get("Actions")
    if actions is not None and not isinstance(actions, list):
        return [*problems, "R1: Actions is not a list"]
    actions = actions or []
    # Identifiers change from call to call, the shape of an answer does not: attributes are judged below.
    body = {key: value for key, value in answer.items() if key != "TransactionAttributes"}
    problems += [f"R1: {text}" for text in _schema_problems(json.dumps(body, sort_keys=True), "actions.schema.json")]
    problems += _attributes(answer.get("TransactionAttributes"))
    if problems:
        return problems
    kind = event["InvocationEventType"]
    alive = {leg["ParticipantTag"][-1] for leg in event["CallDetails"]["Participants"] if _alive(leg)}
    if len(actions) > 10:
        problems.append(f"R1: {len(actions)} actions")
    if not alive and actions:
        problems.append(f"R2: nobody is connected, {_types(actions)} sent")
    if kind in UNANSWERED and actions:
        problems.append(f"R3: {kind} answered with {_types(actions)}")
    if kind == "NEW_INBOUND_CALL" and alive and not actions:
        problems.append("R4: NEW_INBOUND_CALL answered with nothing")
    if not actions and "Actions" in answer:
        problems.append("E4: an answer without actions has no key Actions")
    if alive:
        problems += _actions(actions, event, alive)
    # The package's own checker is a second opinion: what only one of the two finds is a fault of the other.
    return problems or check_emit_rules(answer, event)


def _actions(actions: list[dict[str, Any]], event: Mapping[str, Any], alive: set[str]) -> list[str]:
    problems = []
    remaining = set(alive)
    for index, action in enumerate(actions):
        kind = action["Type"]
        parameters = action.get("Parameters") or {}
        leg = leg_of(action, event)
        if leg not in alive:
            problems.append(f"R2: {kind} addresses leg {leg}, which is not connected")
        elif leg not in remaining:
            problems.append(f"R2: {kind} comes after the Hangup of leg {leg}")
        if kind == "Hangup":
            remaining.discard(leg)
        if kind in ("JoinChimeMeeting", "StartBotConversation") and "B" in alive:
            problems.append(f"R11: {kind} while leg B is connected")
        if kind == "CallAndBridge" and "B" in alive:
            problems.append("R11: CallAndBridge while leg B is connected")
        if kind in NEEDS_CALL_ID and not parameters.get("CallId"):
            problems.append(f"R11: {kind} without CallId")
        if ("CallId" in parameters) == ("ParticipantTag" in parameters):
            problems.append(f"E7: {kind} needs one of CallId and ParticipantTag")
        if kind in REPORTS_ALWAYS and index + 1 < len(actions):
            problems.append(f"E2: {kind} is followed by {_types(actions[index + 1 :])}")
        if kind == "ReceiveDigits":
            gap, flush = (parameters[f"{name}DigitsDurationInMilliseconds"] for name in ("InBetween", "Flush"))
            if flush <= gap:
                problems.append(f"E10: ReceiveDigits flushes after {flush} ms, waits {gap} ms")
    if alive and not remaining and actions and actions[-1]["Type"] != "Hangup":
        problems.append("E2: an action stands behind the Hangup of the last leg")
    return problems


def _attributes(attributes: Any) -> list[str]:
    if attributes is None:
        return []
    if not isinstance(attributes, dict):
        return [f"R1: TransactionAttributes is {type(attributes).__name__}"]
    problems = []
    if not attributes:
        problems.append("E12: an empty map clears the saved call")
    if len(attributes) > 10:
        problems.append(f"R1: {len(attributes)} attributes")
    size = len(json.dumps(attributes))
    if size > MAX_BYTES:
        problems.append(f"R1: attributes of {size} bytes")
    problems += [f"E12: attribute {key} is not text" for key, value in attributes.items() if not isinstance(value, str)]
    return problems


def _alive(leg: Mapping[str, Any]) -> bool:
    return leg.get("Status") != "Disconnected"


def _types(actions: list[dict[str, Any]]) -> str:
    return ", ".join(str(action.get("Type")) for action in actions)
