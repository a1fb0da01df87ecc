"""Damage events: drop, retype, rename, reorder, swap and fill with rubbish, from a fixed seed.

Quick on purpose (tens of microseconds per mutant): fifty thousand of them belong into the normal test run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from random import Random
from typing import Any

Event = dict[str, Any]
Place = tuple[Any, Any]  # a dict or list, and a key or index in it

HUGE = "9" * 70_000
_DEEP: Any = "x"
for _ in range(200):
    _DEEP = [_DEEP]

RUBBISH: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, -(2**63), 2**70, 1.5, -0.0, math.nan, math.inf, "", " ", "x", "0", "-7", "1e9", "NaN",
    "null", "LEG-A", "LEG-B", "leg-a", "LEG-C", "Connected", "Disconnected", "1234567#", "*6", "12", "\u0663", "\x00",
    "\ud800",
    "a|b", "a,b;c=d", "{}", "[]", '{"a":', "💥" * 20, HUGE, [], {}, [[]], [None], [{}], {"a": {"b": [1]}}, _DEEP,
    {"CallId": "call-a", "ParticipantTag": "LEG-A"}, [{"CallId": "call-a", "ParticipantTag": "LEG-B"}], {"": ""},
)  # fmt: skip

EVENT_TYPES = (
    "NEW_INBOUND_CALL", "NEW_OUTBOUND_CALL", "RINGING", "CALL_ANSWERED", "ACTION_SUCCESSFUL", "ACTION_FAILED",
    "ACTION_INTERRUPTED", "DIGITS_RECEIVED", "HANGUP", "CALL_UPDATE_REQUESTED", "INVALID_LAMBDA_RESPONSE",
)  # fmt: skip
ACTION_TYPES = (
    "CallAndBridge", "Hangup", "JoinChimeMeeting", "ModifyChimeMeetingAttendees", "Pause", "PauseCallRecording",
    "PlayAudio", "PlayAudioAndGetDigits", "ReceiveDigits", "RecordAudio", "ResumeCallRecording", "SendDigits", "Speak",
    "SpeakAndGetDigits", "StartBotConversation", "StartCallRecording", "StopCallRecording", "VoiceFocus",
    "CallCreateRequest", "CallUpdateRequest", "Answer",
)  # fmt: skip
RENAMES = (
    ("SipMediaApplicationId", "SipApplicationId"), ("InvocationEventType", "InvocationEvent"), ("CallId", "callId"),
    ("ParticipantTag", "Participanttag"), ("ReceivedDigits", "Digits"), ("ActionData", "Actiondata"),
)  # fmt: skip


def places(value: Any) -> list[Place]:
    """Every place of a JSON value that can be changed."""
    found: list[Place] = []
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            for key, inner in item.items():
                found.append((item, key))
                if isinstance(inner, dict | list):
                    todo.append(inner)
        else:
            for index, inner in enumerate(item):
                found.append((item, index))
                if isinstance(inner, dict | list):
                    todo.append(inner)
    return found


def _retype(value: Any, rng: Random) -> Any:
    if isinstance(value, bool):
        return rng.choice(["true", 1, None])
    if isinstance(value, int):
        return rng.choice([str(value), float(value), -value, value + 1, [value]])
    if isinstance(value, str):
        options: list[Any] = [value[::-1], value.upper(), value + "x", value * 2, [value], {"v": value}, value[:-1]]
        if value.isascii() and value.isdigit() and len(value) < 15:
            options.append(int(value))
        return rng.choice(options)
    if isinstance(value, list):
        return rng.choice([{str(i): item for i, item in enumerate(value)}, value + value, value[::-1], value[:1]])
    if isinstance(value, dict):
        return rng.choice([list(value.values()), list(value), dict(reversed(list(value.items())))])
    return "null"


def _rubbish(rng: Random) -> Any:
    """A fresh piece: a shared list that a later change puts into itself would be nothing that JSON can say."""
    found = rng.choice(RUBBISH)
    return json.loads(json.dumps(found)) if isinstance(found, dict | list) else found


def _one(event: Event, rng: Random) -> None:
    found = places(event)
    if not found:
        return
    where, key = rng.choice(found)
    action = rng.random()
    if action < 0.22:
        del where[key]
    elif action < 0.42:
        where[key] = _rubbish(rng)
    elif action < 0.58:
        where[key] = _retype(where[key], rng)
    elif action < 0.68 and isinstance(where, dict):
        new = next((new for old, new in RENAMES if old == key), None) or rng.choice([str(key).lower(), f"{key}2", ""])
        where[new] = where.pop(key)
    elif action < 0.76:
        other, other_key = rng.choice(found)
        # A value must not come to lie inside itself: a JSON text cannot say that either.
        where[key], other[other_key] = json.loads(json.dumps(other[other_key])), json.loads(json.dumps(where[key]))
    elif action < 0.82:
        event["InvocationEventType"] = rng.choice(EVENT_TYPES)
    elif action < 0.88:
        data = event.setdefault("ActionData", {"Parameters": {}})
        if isinstance(data, dict):
            data["Type"] = rng.choice(ACTION_TYPES)
    elif action < 0.94:
        _participants(event, rng)
    else:
        _attributes(event, rng)


def _participants(event: Event, rng: Random) -> None:
    details = event.get("CallDetails")
    people = details.get("Participants") if isinstance(details, dict) else None
    if isinstance(people, list) and people and isinstance(people[0], dict):
        change = rng.randrange(5)
        if change == 0:
            for person in people:
                if isinstance(person, dict):
                    person["Status"] = "Disconnected"
        elif change == 1:
            people[0]["Status"] = rng.choice(["Disconnected", "Connected", "", "Ringing"])
        elif change == 2:
            people.append({**people[0], "ParticipantTag": "LEG-B", "CallId": "call-b1", "Status": "Connected"})
        elif change == 3:
            rng.shuffle(people)
        else:
            people.pop(rng.randrange(len(people)))


def _attributes(event: Event, rng: Random) -> None:
    details = event.get("CallDetails")
    saved = details.get("TransactionAttributes") if isinstance(details, dict) else None
    if not isinstance(saved, dict) or not saved:
        return
    key = rng.choice(list(saved))
    text = saved[key]
    if not isinstance(text, str):
        saved[key] = str(text)
        return
    change = rng.randrange(6)
    if change == 0:
        saved[key] = text[: rng.randrange(len(text) + 1)]
    elif change == 1 and text:
        at = rng.randrange(len(text))
        saved[key] = text[:at] + rng.choice('|,;={}"0x\\') + text[at + 1 :]
    elif change == 2 and "|" in text:
        fields = text.split("|")
        fields[rng.randrange(len(fields))] = rng.choice(
            ["", "-1", "zzz", "99999999999", "\u0663", "a,b", fields[0], fields[-1]]
        )
        saved[key] = "|".join(fields)
    elif change == 3 and "|" in text:
        fields = text.split("|")
        rng.shuffle(fields)
        saved[key] = "|".join(fields)
    elif change == 4 and text.startswith("{"):
        try:
            inner = json.loads(text)
        except ValueError:
            return
        if isinstance(inner, dict) and inner:
            inner[rng.choice(list(inner))] = _rubbish(rng)
            saved[key] = json.dumps(inner)
    else:
        saved[rng.choice(["sf", "sc", "sv", "st", "other"])] = text


def mutant(seed: str, rng: Random) -> Event:
    """One damaged copy of the event whose JSON text is *seed*: one to four changes."""
    event: Event = json.loads(seed)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        _one(event, rng)
    return event


def mutants(seeds: list[str], rng: Random, count: int) -> Iterator[Event]:
    """*count* damaged copies, the seeds in turn."""
    for number in range(count):
        yield mutant(seeds[number % len(seeds)], rng)
