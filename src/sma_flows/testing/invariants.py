"""What holds in every call, whatever callers, parties, hooks and the service do: named checks, and who makes them.

A :class:`Watch` stands between the service and whoever answers. It judges every answer when it is given and the whole
call when it is over. What it finds are values (:class:`Violation`), so that a fuzzer can make the call smaller.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sma_flows.plan import FlowPlan
from sma_flows.protocol import limits
from sma_flows.protocol.check import check_emit_rules, check_event, check_response
from sma_flows.runtime import callstate
from sma_flows.runtime.ask import Secret
from sma_flows.runtime.work import ANSWER_S
from sma_flows.simulator.jsontext import dumps, loads, object_of
from sma_flows.simulator.messages import Gone, Log
from sma_flows.simulator.switches import Switches
from sma_flows.testing.session import Session
from sma_flows.testing.targets import Target, Turn
from sma_flows.testing.world import World

__all__ = ["INVARIANTS", "Invariant", "Violation", "Watch"]

MOST_ATTRIBUTE_BYTES: Final = 16_000
"""What the compiler promises (decision 3); the service keeps 20 KB."""

MOST_INVOCATIONS: Final = 120
"""Between two things that people do. The service allows 1,000 in a whole call (contract L13)."""

MOST_ALIKE: Final = 5
"""How often the same action may fail in the same state before somebody does something."""

LEAST_SECRET: Final = 4
"""Shorter secrets occur by chance."""

NOT_ASKED: Final = ("InvalidDigitsReceived", "InputTimeLimitExceeded", "CallNotAnswered")
"""Failures that are people's doing: silence, wrong keys, nobody at home."""


NOTHING: Final = {"SchemaVersion": "1.0"}

FIRST: Final = ("NEW_INBOUND_CALL", "NEW_OUTBOUND_CALL", "CALL_ANSWERED")
"""Events that begin something: the service may not have heard the answer to them (rule R4)."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that did not hold: its name, what was seen, when (ms), and the transcript of the call."""

    invariant: str
    what: str
    at_ms: int
    transcript: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = "".join(f"\n  | {line}" for line in self.transcript)
        return f"{self.invariant}: {self.what}{lines}"


class Watch:
    """A :class:`~sma_flows.testing.targets.Target` that judges what *inner* answers.

    ``turn``, ``event`` and ``reply`` (both parsed) are the latest; ``again`` is what came when the same event was given
    once more, ``after`` when it was given with the attributes that the answer saved. ``session`` is set by whoever
    makes the call; ``faulty`` when the function was disturbed, so that the service may have ended the call by itself.
    *world* tells which effects there were; without one, or without *repeat*, nobody is asked twice.
    """

    def __init__(self, inner: Target, flow: FlowPlan, world: World | None = None, *, repeat: bool = True) -> None:
        self.inner = inner
        self.scripted = inner.scripted
        self.flow = flow
        self.world = world
        self._twice = repeat and world is not None
        self.session: Session | None = None
        self.faulty = False
        self.turns: list[Turn] = []
        self.event: Mapping[str, Any] = {}
        self.reply: dict[str, Any] | None = None
        self.again: Turn | None = None
        self.after: Turn | None = None
        self.found: list[Violation] = []
        self.secrets: set[str] = set()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.alone = 0
        self.over = False
        self._inputs = 0
        self._read = 0
        self._hidden = frozenset(name for name, kind in flow.get("vars", {}).items() if kind.get("secrecy") == "secret")

    # ---- watching --------------------------------------------------------------------------------------------------

    @property
    def turn(self) -> Turn:
        """The latest event and its answer."""
        return self.turns[-1]

    def answer(self, event: str, at_ms: int, now: datetime) -> Turn:
        """See :class:`~sma_flows.testing.targets.Target`."""
        turn = self.inner.answer(event, at_ms, now)
        self.turns.append(turn)
        self.event = loads(event)
        self.reply = object_of(turn.response)
        self.again = self.after = None
        if self._twice:
            self._repeat(event, at_ms, now)
        self._note_secrets(turn)
        self._count(turn)
        self.judge()
        return turn

    def _repeat(self, event: str, at_ms: int, now: datetime) -> None:
        """The service may send an event again: as it was, or with the attributes of the answer that it got."""
        self.again = self.inner.answer(event, at_ms, now)
        saved = self.reply.get("TransactionAttributes") if isinstance(self.reply, dict) else None
        if saved:
            told = {**self.event, "CallDetails": {**self.event["CallDetails"], "TransactionAttributes": saved}}
            self.after = self.inner.answer(dumps(told), at_ms, now)

    def _note_secrets(self, turn: Turn) -> None:
        for name, value in (turn.values or {}).items():
            if name in self._hidden:
                text = value.reveal() if isinstance(value, Secret) else value
                self._note_secret(text)
        if turn.before == turn.after and not turn.actions:
            return  # a report that was not for this question: what it holds was typed elsewhere
        state = self.flow["states"].get(turn.before.state, {})
        if state.get("do") == "gather" and state.get("var") in self._hidden:
            self._note_secret((self.event.get("ActionData") or {}).get("ReceivedDigits"))

    def _note_secret(self, text: object) -> None:
        if isinstance(text, str) and len(text) >= LEAST_SECRET:
            self.secrets.add(text)

    def _count(self, turn: Turn) -> None:
        """How long nobody has done anything, and which action failed where in that time."""
        entries = self.session.phone.transcript if self.session is not None else []
        people = sum(entry.kind == "input" for entry in entries[self._inputs :])
        self._inputs = len(entries)
        if people:
            self.alone = 0
            self.errors.clear()
        self.alone += 1
        data = self.event.get("ActionData") or {}
        if turn.kind == "ACTION_FAILED" and data.get("ErrorType") not in NOT_ASKED:
            self.errors[turn.before.state, str(data.get("Type"))] += 1

    def judge(self) -> None:
        """Look at the latest answer, and at what the service did since the last look."""
        for one in INVARIANTS:
            if not one.at_end:
                self._check(one)

    def end(self) -> None:
        """The call is played to its end: look at it as a whole."""
        self.over = True
        for one in INVARIANTS:
            if one.at_end:
                self._check(one)

    def _check(self, one: Invariant) -> None:
        if any(found.invariant == one.name for found in self.found):
            return
        for what in one.check(self):
            self.found.append(Violation(one.name, what, self.session.phone.now_ms if self.session is not None else 0))
            return

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What did not hold, with the transcript as far as it goes."""
        lines = tuple(self.session.lines) if self.session is not None else ()
        return tuple(replace(one, transcript=lines) for one in self.found)

    def outputs(self) -> Iterator[Any]:
        """All outputs of the service so far."""
        for entry in self.session.phone.transcript if self.session is not None else ():
            if entry.kind == "output":
                yield entry.value


# ---- the checks: each gives sentences, none when it holds -----------------------------------------------------------


def no_fault(call: Watch) -> Iterator[str]:
    """No exception inside the runtime, and no call whose flow cannot be found."""
    if call.turn.fault:
        yield f"{call.turn.kind}: {call.turn.fault}"


def answers_fit(call: Watch) -> Iterable[str]:
    """Every answer has the shape that the service accepts (the action schema)."""
    answer = call.reply
    if not isinstance(answer, dict):
        return [f"the answer is {answer!r}, not an object"]
    body = {name: value for name, value in answer.items() if name != "TransactionAttributes"}
    return _answer_shape(_key(body))


def emit_rules_kept(call: Watch) -> Iterable[str]:
    """Every answer keeps our own rules for answers, E1 to E16."""
    return check_emit_rules(call.reply, call.event)


def at_most_ten_actions(call: Watch) -> Iterator[str]:
    """No list is longer than the service takes (contract L2)."""
    count = len(_actions(call))
    if count > limits.MAX_ACTIONS:
        yield f"{count} actions in one answer"


def no_action_on_dead_leg(call: Watch) -> Iterator[str]:
    """No action is for a leg that is not on the line, or comes behind the Hangup of its leg."""
    people = call.event.get("CallDetails", {}).get("Participants") or ()
    there = [one for one in people if one.get("Status") != "Disconnected"]
    alive = {one.get(key) for one in there for key in ("CallId", "ParticipantTag")}
    ids = {one.get("CallId"): one.get("ParticipantTag") for one in people}
    for action in _actions(call):
        params = action.get("Parameters") or {}
        leg = params.get("CallId") or params.get("ParticipantTag")
        if leg and leg not in alive:
            yield f"{action.get('Type')} for {ids.get(leg, leg)}, which is not on the line"
        if action.get("Type") == "Hangup":
            alive -= {leg, ids.get(leg)}


def attributes_fit(call: Watch) -> Iterator[str]:
    """The saved call is small, complete, and texts only (decisions 3 and 5)."""
    saved = call.reply.get("TransactionAttributes") if isinstance(call.reply, dict) else None
    if saved is None:
        return
    size = len(json.dumps(saved))
    if size > MOST_ATTRIBUTE_BYTES:
        yield f"{size} bytes of attributes, {MOST_ATTRIBUTE_BYTES} are promised"
    if not isinstance(saved, dict) or not saved or any(not isinstance(value, str) for value in saved.values()):
        yield "the attributes are no complete map of texts"


def no_secret_leaves(call: Watch) -> Iterator[str]:
    """No secret that was typed is in an answer, a note, a trouble or the transcript (a search; see also the oracle)."""
    if not call.secrets:
        return
    pattern = _any_of(tuple(sorted(call.secrets)))
    session, world = call.session, call.world
    sinks = {
        "an answer": call.turn.response,
        "a note": call.turn.note,
        "the transcript": "\n".join(session.lines[-3:]) if session is not None else "",
        "a trouble": str(world.services.troubles[-3:]) if world is not None else "",
    }
    for name, text in sinks.items():
        if pattern.search(text):
            yield f"a secret is in {name}"


def repeats_alike(call: Watch) -> Iterator[str]:
    """The same event with the same attributes gets the same answer byte for byte, by the same effects (decision 6)."""
    if call.again is None:
        return
    if call.again.response != call.turn.response:
        yield f"{call.turn.kind} is answered differently when it comes again"
    again, first = [ask.token for ask in call.again.asks], [ask.token for ask in call.turn.asks]
    journal = call.world is not None and call.world.services.overlaps is not None
    if again != first and (again or not journal):  # an answer that the journal knows asks for nothing any more
        yield f"{call.turn.kind} asks for other effects when it comes again"


def repeats_change_nothing(call: Watch) -> Iterator[str]:
    """An event that comes again after its answer was taken is answered with nothing (a first event: with the same)."""
    if call.after is None or loads(call.after.response) == NOTHING:
        return
    if call.turn.kind in FIRST and call.after.response == call.turn.response:
        return
    saved = callstate.load((call.reply or {}).get("TransactionAttributes") or {})
    if saved is not None and "s" not in saved.flags:  # a Sequence that lies tells nobody what is a repetition
        yield f"{call.turn.kind} is answered with actions or a new saved call when it comes again afterwards"


def effects_happen_once(call: Watch) -> Iterator[str]:
    """What must not happen twice has happened once for each effect token (decisions 16 to 18)."""
    if call.world is None:
        return
    once = {ask.token: ask.name for ask in call.turn.asks if ask.port == "hook" and ask.effect == "once"}
    for token, name in once.items():
        if call.world.runs[token] > 1:
            yield f"{name} has run {call.world.runs[token]} times for one effect"


def cleaned_up_once(call: Watch) -> Iterator[str]:
    """Clean-up is asked for when the last leg has left, and by no second event that the function saw as another one."""
    asked = Counter[tuple[str, str]]()
    for turn in _distinct(call.turns):
        asked.update({(ask.name, ask.token) for ask in turn.asks if ask.cleanup})
    switches = call.session.phone.network.switches if call.session is not None else Switches()
    # Two events that are worked on at once, or whose attributes are lost, cannot know of each other: same tokens.
    blind = switches.final_hangup_attributes == "lost" or switches.overlap == "parallel"
    for (name, _), times in asked.items():
        if times > 1 and not blind:
            yield f"clean-up asks {times} times for {name}"
    if not call.over or not call.session or not call.session.phone.over or call.faulty:
        return
    wanted = {item["hook"] for item in call.flow.get("cleanup", ()) if item.get("when") is None}
    missing = wanted - {name for name, _ in asked}
    if missing:
        yield f"the call is over, and clean-up never asked for {', '.join(sorted(missing))}"


def attendees_deleted(call: Watch) -> Iterator[str]:
    """Whoever was made for a meeting is deleted when the call is over, if the service has taken the answer with it."""
    if call.world is None or call.session is None or not call.session.phone.over or call.faulty:
        return
    made = {ask.token: reply.values for ask, reply in call.world.asked if ask.port == "meetings.attend"}
    left = {ask.args[1] for ask, _ in call.world.asked if ask.port == "meetings.leave"}
    for place, turn in enumerate(call.turns):
        for ask in turn.asks:
            attendee = made.get(ask.token, {}).get("attendee")
            if attendee is not None and attendee not in left and _taken(turn, call.turns[place + 1 :]):
                yield f"the attendee who was made in {ask.call.state} is still in the meeting's list"


def _taken(turn: Turn, later: Iterable[Turn]) -> bool:
    """Whether a later event shows the saved call of an answer."""
    saved = loads(turn.response).get("TransactionAttributes")
    return bool(saved) and any(loads(one.event)["CallDetails"].get("TransactionAttributes") == saved for one in later)


def invocations_bounded(call: Watch) -> Iterator[str]:
    """The function is not invoked on and on while nobody does anything."""
    if call.alone > MOST_INVOCATIONS:
        yield f"{call.alone} invocations while nobody did anything"


def errors_end(call: Watch) -> Iterator[str]:
    """An action that fails is not tried again and again (decision 27)."""
    for (state, kind), times in call.errors.items():
        if times > MOST_ALIKE:
            yield f"{kind} has failed {times} times in {state or 'no state'} while nobody did anything"


def answers_in_time(call: Watch) -> Iterator[str]:
    """An answer is given within the time that the runtime allows itself (decision 21)."""
    if call.turn.delay_ms > ANSWER_S * 1000:
        yield f"{call.turn.kind} is answered after {call.turn.delay_ms} ms"


def events_fit(call: Watch) -> Iterable[str]:
    """Every event has the shape that the service sends (the event schema): a check of the simulator."""
    details = dict(call.event.get("CallDetails", {}))
    saved = details.pop("TransactionAttributes", None)
    if saved is not None and (not isinstance(saved, dict) or not saved):
        return ["TransactionAttributes of an event are empty"]
    return _event_shape(_key({**call.event, "Sequence": 1, "CallDetails": details}))


def one_leg_b(call: Watch) -> Iterator[str]:
    """Nobody is dialled and no meeting is joined while a leg B is on the line (contract 3.3)."""
    people = call.event.get("CallDetails", {}).get("Participants") or ()
    taken = any(one.get("ParticipantTag") == "LEG-B" and one.get("Status") != "Disconnected" for one in people)
    for action in _actions(call):
        if action.get("Type") == "Hangup" and taken:
            params = action.get("Parameters") or {}
            gone = params.get("CallId") or params.get("ParticipantTag")
            taken = not any(gone in (one.get("CallId"), one.get("ParticipantTag")) for one in people[1:])
        if action.get("Type") in ("CallAndBridge", "JoinChimeMeeting") and taken:
            yield f"{action['Type']} while leg B is on the line"


def never_silent(call: Watch) -> Iterator[str]:
    """Nobody is left on the line with nothing running, nobody asked and nobody to talk to (rules 21 and 63)."""
    session = call.session
    if session is None:
        return
    for one in call.outputs():
        if isinstance(one, Log) and one.level == "warning" and one.message.endswith("stays connected and idle"):
            yield one.message
            return
    if session.stuck:
        yield "nobody is asked anything, no timer runs, and the call is not over"


def not_dropped(call: Watch) -> Iterator[str]:
    """The service never has to end the call, or to complain, because of the function."""
    if call.faulty:
        return
    for one in call.outputs():
        if isinstance(one, Log) and one.level == "error":
            yield f"the service says: {one.message}"
        if isinstance(one, Gone) and one.by == "service" and one.code:
            yield f"the service ended {one.leg} with {one.code}"


def legs_released(call: Watch) -> Iterator[str]:
    """When everybody who could hang up has done so, no leg is left and the call is over."""
    session = call.session
    if session is None or session.phone.over:
        return
    left = [leg.tag for leg in session.phone.network.legs if not leg.gone]
    yield f"{' and '.join(left) or 'the call'} cannot come to an end"


@dataclass(frozen=True, slots=True)
class Invariant:
    """One of :data:`INVARIANTS`. ``at_end``: it can only be judged when the call is over."""

    check: Callable[[Watch], Iterable[str]]
    at_end: bool = False

    @property
    def name(self) -> str:
        """The name of the check, as words."""
        return self.check.__name__.replace("_", " ")

    @property
    def says(self) -> str:
        """What holds, in a sentence."""
        return " ".join((self.check.__doc__ or "").split())


INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(no_fault),
    Invariant(answers_fit),
    Invariant(emit_rules_kept),
    Invariant(at_most_ten_actions),
    Invariant(no_action_on_dead_leg),
    Invariant(one_leg_b),
    Invariant(attributes_fit),
    Invariant(no_secret_leaves),
    Invariant(repeats_alike),
    Invariant(repeats_change_nothing),
    Invariant(effects_happen_once),
    Invariant(invocations_bounded),
    Invariant(errors_end),
    Invariant(answers_in_time),
    Invariant(events_fit),
    Invariant(never_silent, at_end=True),
    Invariant(not_dropped, at_end=True),
    Invariant(cleaned_up_once, at_end=True),
    Invariant(attendees_deleted, at_end=True),
    Invariant(legs_released, at_end=True),
)
"""What holds in every call. Those that are judged with every answer come first."""


# ---- small things ----------------------------------------------------------------------------------------------------


def _actions(call: Watch) -> list[dict[str, Any]]:
    answer = call.reply
    found = answer.get("Actions") if isinstance(answer, dict) else None
    return [action for action in found if isinstance(action, dict)] if isinstance(found, list) else []


def _distinct(turns: Iterable[Turn]) -> Iterator[Turn]:
    """Events without those that came a second time (a retry is the same event)."""
    seen: set[str] = set()
    for turn in turns:
        event = loads(turn.event)
        details = {name: value for name, value in event["CallDetails"].items() if name != "TransactionAttributes"}
        key = _key({**event, "Sequence": 0, "CallDetails": details})
        if key not in seen:
            seen.add(key)
            yield turn


def _key(value: object) -> str:
    return dumps(value)


@lru_cache(maxsize=20_000)
def _answer_shape(text: str) -> tuple[str, ...]:
    try:
        answer = loads(text)
    except ValueError:
        return ("it is no JSON",)
    return tuple(check_response(answer))


@lru_cache(maxsize=20_000)
def _event_shape(text: str) -> tuple[str, ...]:
    return tuple(check_event(loads(text)))


@lru_cache(maxsize=256)
def _any_of(secrets: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<![0-9A-Za-z])(?:{'|'.join(map(re.escape, secrets))})(?![0-9A-Za-z])")
