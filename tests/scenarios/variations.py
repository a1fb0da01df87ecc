"""The same calls under every circumstance that must not matter (rules R6, R7, R8; decisions 6 and 8).

Each function takes a good run and delivers its events again in another way. Where nothing may change at all, the
recorded events are replayed and answers compared byte by byte; where attributes may differ (Sequence is saved), they
are threaded anew and actions compared.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .engine import Engine
from .expect import QUESTIONS
from .harness import Record, Run, ScenarioError, effects, harmless, hushed, told
from .rules import check_answer
from .stubs import StubServices

Event = dict[str, Any]


def replay(run: Run, engine: Engine) -> None:
    """The recorded events again: byte-equal answers (fresh processes, another plan object, a warm process), and nothing
    told in the logs that is nobody's business (R10).
    """
    services = StubServices(run.script.stubs)
    secrets = hushed(run.script)
    for record in run.records:
        reaction = engine.react(record.sent(), record.now, services)
        _fail(run, record, "replayed", told(secrets, reaction.traces), reaction.answer)
        _equal(run, record, record.reply(), reaction.answer, "replayed")
    _effects_equal(run, services)


def interleave(runs: Sequence[tuple[Run, Engine]]) -> int:
    """Several calls in one process, one event of each in turn: every call gets the answers it gets alone."""
    services = [StubServices(run.script.stubs) for run, _ in runs]
    played = 0
    for turn in range(max(len(run.records) for run, _ in runs)):
        for (run, engine), stubs in zip(runs, services, strict=True):
            if turn < len(run.records):
                record = run.records[turn]
                reaction = engine.react(record.sent(), record.now, stubs)
                _equal(run, record, record.reply(), reaction.answer, "interleaved")
                played += 1
    for (run, _), stubs in zip(runs, services, strict=True):
        _effects_equal(run, stubs)
    return played


def altered(run: Run, engine: Engine, change: Callable[[Event, int], None]) -> None:
    """Events changed by *change(event, index)*, attributes threaded anew: the same actions, the same effects."""
    services = StubServices(run.script.stubs)
    stored: dict[int, Any] = {}
    for index, record in enumerate(run.records):
        event = _rethread(record, stored)
        change(event, index)
        reaction = engine.react(event, record.now, services)
        _actions_equal(run, record, reaction.answer, "altered")
        _store(stored, record, reaction.answer)
    _effects_equal(run, services)


def constant_sequence(event: Event, index: int) -> None:
    event["Sequence"] = 7


def decreasing_sequence(event: Event, index: int) -> None:
    event["Sequence"] = 900 - index


def strange_echo(event: Event, index: int) -> None:
    """Numbers as text, keys nobody knows, in the echo and beside it."""
    event["ServiceBuild"] = {"Stage": "blue", "Cells": [1, None]}
    event["CallDetails"]["Tracing"] = None
    for leg in event["CallDetails"]["Participants"]:
        leg["Codec"] = "PCMU"
        leg["Hops"] = 3
    data = event.get("ActionData")
    if data is None or data["Type"] in ("CallUpdateRequest", "CallCreateRequest"):
        return
    data["StartedAt"] = 1731945600000
    data["Parameters"] = {**_as_text(data["Parameters"]), "Priority": "3", "Hints": [{"A": None}]}


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def other_habits(event: Event, index: int) -> None:
    """What the guide prints differently: Status before the answer, the other application key, codes as text, legs
    in another order, a Sequence from zero.
    """
    event["Sequence"] -= 1
    details = event["CallDetails"]
    details["SipApplicationId"] = details.pop("SipMediaApplicationId")
    details["Participants"].reverse()
    if event["InvocationEventType"] == "NEW_INBOUND_CALL":
        for leg in details["Participants"]:
            leg["Status"] = "Connected"
    parameters = (event.get("ActionData") or {}).get("Parameters") or {}
    if "SipResponseCode" in parameters:
        parameters["SipResponseCode"] = str(parameters["SipResponseCode"])


def strangers(run: Run, engine: Engine) -> int:
    """Between all events others that no flow expects: each is answered with nothing, nothing else changes (R8)."""
    services = StubServices(run.script.stubs)
    stored: dict[int, Any] = {}
    sequence = 0
    sent = 0
    types = {action["Type"] for record in run.records for action in record.actions()}
    for record in run.records:
        sequence += 1
        event = _rethread(record, stored) | {"Sequence": sequence}
        reaction = engine.react(event, record.now, services)
        _actions_equal(run, record, reaction.answer, "between strangers")
        _store(stored, record, reaction.answer)
        if not any(map(_connected, event["CallDetails"]["Participants"])) or _left_untold(run, record):
            continue
        for stranger in _strangers(record, stored, types):
            sequence += 1
            stranger["Sequence"] = sequence
            answer = engine.react(stranger, record.now, services).answer
            problems = [*check_answer(stranger, answer), *([] if _nothing(answer) else ["R8: not nothing"])]
            _fail(run, record, f"followed by {stranger['InvocationEventType']}", problems, answer)
            sent += 1
    _effects_equal(run, services)
    return sent


def _left_untold(run: Run, record: Record) -> bool:
    """A leg is shown as gone before its HANGUP has come: then any event tells of it (decision 10.6)."""
    legs = record.sent()["CallDetails"]["Participants"]
    gone = {leg["CallId"] for leg in legs if not _connected(leg)}
    past = run.records[: run.records.index(record) + 1]
    told = {one.sent()["ActionData"]["Parameters"]["CallId"] for one in past if one.kind == "HANGUP"}
    return not gone <= told


def _strangers(record: Record, stored: Mapping[int, Any], sent: set[str]) -> Iterator[Event]:
    """Events about things that were never asked for, with the legs as they are after *record*."""
    base = _rethread(record, stored)
    base.pop("ActionData", None)
    legs = base["CallDetails"]["Participants"]
    if legs[0]["Direction"] == "Inbound":
        legs[0].setdefault("Status", "Connected")
    leg = {"CallId": legs[0]["CallId"]}
    # A report without a question: of a type that this call never sent (one it sent might be taken for its own).
    never = next(kind for kind in ("SendDigits", "ResumeCallRecording", "VoiceFocus", "Pause") if kind not in sent)
    for kind, data in (
        ("ACTION_SUCCESSFUL", {"Type": never, "Parameters": leg}),
        ("CALL_UPDATE_REQUESTED", {"Type": "CallUpdateRequest", "Parameters": {"Arguments": {"verb": "dance"}}}),
        ("ACTION_INTERRUPTED", {"Type": "Pause", "Parameters": {**leg, "DurationInMilliseconds": 777}}),
        ("ACTION_SUCCESSFUL", {"Type": "Answer", "Parameters": leg}),
        ("RINGING", None),
        ("SOMETHING_NEW", {"Type": "Wink", "Parameters": {}}),
    ):
        yield {**copy.deepcopy(base), "InvocationEventType": kind, **({"ActionData": data} if data else {})}


def duplicated(run: Run, engine: Engine, services: StubServices | None = None) -> None:
    """Every event three more times (decision 6): with the old attributes, with the new ones, and as a late one."""
    services = services or StubServices(run.script.stubs)
    stored: dict[int, Any] = {}
    for index, record in enumerate(run.records):
        event = record.sent()
        answer = engine.react(event, record.now, services).answer
        _equal(run, record, record.reply(), answer, "first delivery")
        again = engine.react(record.sent(), record.now, services).answer
        _equal(run, record, answer, again, "again with the old attributes")
        _store(stored, record, answer)
        _same_again(run, record, _rethread(record, stored), engine, services, answer, index)
        _late(run, record, run.records[: index + 1], _rethread(record, stored), engine, services)
    _effects_equal(run, services)


def _same_again(
    run: Run, record: Record, event: Event, engine: Engine, services: StubServices, answer: Event, index: int
) -> None:
    """New attributes, same Sequence: nothing; the first list again for the first event."""
    reply = engine.react(event, record.now, services).answer
    if event["CallDetails"].get("TransactionAttributes") == record.sent()["CallDetails"].get("TransactionAttributes"):
        _equal(run, record, answer, reply, "again, nothing having changed")
    elif record.kind == "NEW_INBOUND_CALL":
        if reply.get("Actions") != answer.get("Actions"):
            _fail(run, record, "again with the new attributes", ["R4: the first list is missing"], reply)
    elif record.kind == "INVALID_LAMBDA_RESPONSE":  # constant words, whatever is saved (decision 27)
        _equal(run, record, answer, reply, "again with the new attributes")
    elif not _nothing(reply):
        _fail(run, record, "again with the new attributes", ["not nothing"], reply)


def _late(
    run: Run, record: Record, past: Sequence[Record], event: Event, engine: Engine, services: StubServices
) -> None:
    """New attributes and a new Sequence: a valid answer; nothing at all unless the report could be a new one."""
    branch = StubServices(run.script.stubs, copy.deepcopy(services.state))
    event["Sequence"] += 1
    reply = engine.react(event, record.now, branch).answer
    problems = check_answer(event, reply)
    if not _could_be_new(record, past):
        if record.kind == "NEW_INBOUND_CALL" and reply.get("Actions") == record.reply().get("Actions"):
            pass
        elif not harmless(reply):
            problems.append("a late report was acted on")
        fresh = len(branch.state["calls"]) - len(services.state["calls"])
        problems += [f"{fresh} effects were repeated"] if fresh else []
    _fail(run, record, "late", problems, reply)


def _could_be_new(record: Record, past: Sequence[Record]) -> bool:
    """Could the same event, a Sequence later, be a second one of its kind?

    Keys and updates may come twice. A report can be taken for a new one when the list that was sent in answer ends with
    the very action that was reported, parameter by parameter; a failure when it holds one of that type at all (decision
    25: what fits no action exactly is taken for the last of its type, because silence would be worse).
    """
    if record.kind in ("DIGITS_RECEIVED", "CALL_UPDATE_REQUESTED", "INVALID_LAMBDA_RESPONSE"):
        return True
    if record.kind not in ("ACTION_SUCCESSFUL", "ACTION_FAILED"):
        return False
    data = record.sent()["ActionData"]
    lists = [item.actions() for item in past if item.call == record.call and item.actions()]
    newest = lists[-1] if lists else []
    if record.kind == "ACTION_FAILED":
        return any(action["Type"] == data["Type"] for action in newest)
    return any(action["Type"] == data["Type"] and _echoes(action, data["Parameters"]) for action in newest[-1:])


def _echoes(action: Mapping[str, Any], echo: Mapping[str, Any]) -> bool:
    kept = {key: value for key, value in echo.items() if key in action["Parameters"]}
    return kept == dict(action["Parameters"])


def settled(run: Run, engine: Engine) -> int:
    """Successes that the service may also report in the middle of a list (D1): answered with nothing."""
    services = StubServices(run.script.stubs)
    stored: dict[int, Any] = {}
    sent = 0
    sequence = 0
    for record in run.records:
        sequence += 1
        event = _rethread(record, stored) | {"Sequence": sequence}
        reaction = engine.react(event, record.now, services)
        _actions_equal(run, record, reaction.answer, "with reports in the middle")
        _store(stored, record, reaction.answer)
        if not any(_connected(leg) for leg in event["CallDetails"]["Participants"]):
            continue
        tail = record.actions()[-1:]
        for action in record.actions()[:-1]:
            if action["Type"] == "Hangup" or _alike(action, tail[0]):
                continue  # an action like the tail cannot be told from it for certain: identity fails open (decision 8)
            report = _rethread(record, stored) | {"InvocationEventType": "ACTION_SUCCESSFUL"}
            sequence += 1
            report["Sequence"] = sequence
            report["ActionData"] = {"Type": action["Type"], "Parameters": copy.deepcopy(action["Parameters"])}
            if action["Type"] in (*QUESTIONS, "ReceiveDigits"):
                report["ActionData"]["ReceivedDigits"] = ""
            for leg in report["CallDetails"]["Participants"]:
                leg.setdefault("Status", "Connected")
            answer = engine.react(report, record.now, services).answer
            problems = [*check_answer(report, answer), *([] if harmless(answer) else ["D1: not nothing"])]
            _fail(run, record, f"report of {action['Type']} in the middle", problems, answer)
            _store(stored, record, answer)
            sent += 1
    _effects_equal(run, services)
    return sent


def twins(run: Run, engine: Engine, *, success_first: bool) -> int:
    """Our Hangup may be reported twice, as HANGUP and as ACTION_SUCCESSFUL, in either order (decision 11)."""
    services = StubServices(run.script.stubs)
    stored: dict[int, Any] = {}
    sent = 0
    for index, record in enumerate(run.records):
        hung_up = _hung_up_by_us(run.records[:index], record)
        before = _rethread(record, stored) | {"InvocationEventType": "ACTION_SUCCESSFUL"}
        alive = any(map(_connected, before["CallDetails"]["Participants"]))
        early = hung_up and success_first
        if early:
            answer = engine.react(before, record.now, services).answer
            wanted = record.actions() if alive else []
            problems = [] if (answer.get("Actions") or []) == wanted else [f"R7: other actions than {wanted}"]
            _fail(run, record, "as ACTION_SUCCESSFUL first", problems, answer)
            _store(stored, record, answer)
            sent += 1
        answer = engine.react(_rethread(record, stored), record.now, services).answer
        if early and alive:
            _fail(
                run, record, "as HANGUP behind its twin", [] if not answer.get("Actions") else ["not nothing"], answer
            )
        else:
            _actions_equal(run, record, answer, "before its twin")
        _store(stored, record, answer)
        if hung_up and not success_first:
            after = _rethread(record, stored) | {"InvocationEventType": "ACTION_SUCCESSFUL"}
            after["Sequence"] += 1
            answer = engine.react(after, record.now, services).answer
            problems = ["not nothing"] if answer.get("Actions") else []
            _fail(run, record, "as ACTION_SUCCESSFUL behind", problems, answer)
            sent += 1
    _effects_equal(run, services)
    return sent


def _hung_up_by_us(past: Sequence[Record], record: Record) -> bool:
    """Was this HANGUP asked for by the newest list, with another leg there at the time?"""
    lists = [item for item in past if item.call == record.call and item.actions()]
    if record.kind != "HANGUP" or not lists:
        return False
    legs = lists[-1].sent()["CallDetails"]["Participants"]
    gone = record.sent()["ActionData"]["Parameters"]["CallId"]
    hangups = [action for action in lists[-1].actions() if action["Type"] == "Hangup"]
    return len(legs) > 1 and any(action["Parameters"].get("CallId") == gone for action in hangups)


def both_gone(run: Run, engine: Engine) -> int:
    """A caller who leaves may take leg B with him: clean-up then, once, although leg B reports its end as well."""
    services = StubServices(run.script.stubs)
    stored: dict[int, Any] = {}
    gone: set[int] = set()
    changed = 0
    for record in run.records:
        event = _rethread(record, stored)
        legs = event["CallDetails"]["Participants"]
        if record.kind == "HANGUP" and not _connected(legs[0]) and any(map(_connected, legs)):
            gone.add(record.call)
            changed += 1
        if record.call in gone:
            for leg in legs:
                leg["Status"] = "Disconnected"
            answer = engine.react(event, record.now, services).answer
            problems = [*check_answer(event, answer), *(["R2: not nothing"] if answer.get("Actions") else [])]
            _fail(run, record, "with both legs gone", problems, answer)
        else:
            answer = engine.react(event, record.now, services).answer
            _actions_equal(run, record, answer, "plain")
        _store(stored, record, answer)
    _effects_equal(run, services)
    return changed


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    keys = ("CallId", "ParticipantTag")
    same_leg = [one["Parameters"].get(key) for key in keys] == [other["Parameters"].get(key) for key in keys]
    return bool(one["Type"] == other["Type"]) and same_leg


# -- helpers -----------------------------------------------------------------------------------------------------------


def _connected(leg: Mapping[str, Any]) -> bool:
    return leg.get("Status") != "Disconnected"


def _nothing(answer: Event) -> bool:
    """Decision 5: neither actions nor attributes."""
    return not answer.get("Actions") and "TransactionAttributes" not in answer


def _rethread(record: Record, stored: Mapping[int, Any]) -> Event:
    event = record.sent()
    details = event["CallDetails"]
    details.pop("TransactionAttributes", None)
    if stored.get(record.call):
        details["TransactionAttributes"] = copy.deepcopy(stored[record.call])
    return event


def _store(stored: dict[int, Any], record: Record, answer: Event) -> None:
    attributes = answer.get("TransactionAttributes")
    if attributes is not None:
        stored[record.call] = attributes


def _equal(run: Run, record: Record, wanted: Event, got: Event, how: str) -> None:
    if json.dumps(wanted) != json.dumps(got):
        _fail(run, record, how, [f"R7: another answer than {json.dumps(wanted)[:900]}"], got)


def _actions_equal(run: Run, record: Record, got: Event, how: str) -> None:
    problems = check_answer(record.sent(), got)
    if (got.get("Actions") or []) != record.actions():
        problems.append(f"R7: other actions than {json.dumps(record.actions())[:900]}")
    _fail(run, record, how, problems, got)


def _effects_equal(run: Run, services: StubServices) -> None:
    """The same effects as in the plain run, each once: hook, arguments, token."""
    made = effects(services)
    if made != run.effects:
        raise ScenarioError(f"{run.script.name}: other effects than in the plain run:\n  {made}\n  {run.effects}")


def _fail(run: Run, record: Record, how: str, problems: list[str], answer: Any) -> None:
    if problems:
        listed = "".join(f"\n  - {problem}" for problem in problems)
        raise ScenarioError(
            f"{run.script.name} step {record.step} {record.kind}, {how}:{listed}\n  answer: {json.dumps(answer)[:1500]}"
        )
