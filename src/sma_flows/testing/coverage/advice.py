"""What to write in a calls file so that a call comes by a certain item: the shortest way to its state, and the step."""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sma_flows.runtime.frame import BACK, HANG_UP
from sma_flows.runtime.program import Schedule
from sma_flows.runtime.values import show
from sma_flows.testing.coverage.items import OUTCOME, FlowMap, Item
from sma_flows.testing.lab import some_value
from sma_flows.testing.script import SOME_DAY, shown

__all__ = ["Advice", "Guide"]

_UNWANTED: Final = frozenset(
    ("failed", "exhausted", "limited", "no_input", "no_match", "refused", "no_answer", "empty")
)
"""Outcomes that a way takes only where there is no other: what follows them soon ends the call."""

_SAYING: Final = frozenset(("say", "play", "gather", "menu"))


@dataclass(frozen=True, slots=True)
class Advice:
    """Keys of a call (``at``, ``stub``, ``inputs``) and the steps of its script; ``note`` is what no step can say."""

    call: Mapping[str, Any]
    script: tuple[tuple[str, Any], ...]
    note: str = ""

    def __str__(self) -> str:
        keys = [f"{key}: {shown(value)}" for key, value in self.call.items()]
        steps = [f"{kind}: {_keys(value) if 'press' in kind else shown(value)}" for kind, value in self.script]
        told = "; ".join(filter(None, [", ".join(keys), ", ".join(steps), self.note]))
        return told or "a call that does nothing"

    def yaml(self, name: str) -> str:
        """A call of a calls file that does this, to be copied into one."""
        out = [f"- call: {json.dumps(name, ensure_ascii=False)}"]
        out += [f"  {key}: {_inline(value)}" for key, value in self.call.items()]
        if self.note:
            out.append(f"  # {self.note}")
        if self.script:
            out.append("  script:")
            out += [f"    - {kind}: {_inline(value)}" for kind, value in self.script]
        return "\n".join(out)

    def as_object(self) -> dict[str, Any]:
        """For programs: what a calls file would hold."""
        return {**self.call, "script": [{kind: value} for kind, value in self.script], "note": self.note}


def _inline(value: Any) -> str:
    """A value on one line; a text in quotes where YAML or a reader could take it for something else."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_inline(key)}: {_inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


_PLAIN: Final = re.compile(r"[A-Za-z][\w.-]*|\d+(?:ms|[xsmh])|\d{4}-\d\d-\d\dT\S+")


def _keys(keys: str) -> str:
    """Keys in quotes: a star or a pound key alone means something else in YAML."""
    return f'"{keys}"'


@dataclass(slots=True)
class _Draft:
    """An advice that is being put together along the way."""

    stubs: dict[str, list[Any]] = field(default_factory=dict)
    at: str = ""
    script: list[tuple[str, Any]] = field(default_factory=list)
    note: str = ""


_Move = tuple[str, str, str]
"""State (full name; empty: from outside), kind of the item and label of the edge that is taken."""


class Guide:
    """Knows the ways through one flow."""

    def __init__(self, map_: FlowMap) -> None:
        self.map = map_
        self.plan = map_.plan
        self.states: Mapping[str, Mapping[str, Any]] = map_.plan["states"]
        self._ways = self._shortest()

    def to(self, item: Item) -> Advice | None:
        """How a call comes by *item*; None where no way leads to its state."""
        state = item.state
        if item.flow != self.map.outer.name and state:
            state = f"{item.flow}/{state}"
        if item.kind == "update":
            state = self._nearest(self._during(item.label))
        inside = self.states[state].get("flow") if item.kind == OUTCOME and item.label != "failed" else None
        if inside:  # an outcome of a sub-flow: a `return` in it
            way = self._ways.get(self._nearest(self._returns(inside, item.label)))
        else:
            way = self._ways.get(state) if state else []
        if way is None:
            return None
        draft = _Draft()
        for move in way:
            self._write(draft, *move)
        if item.kind != "state":
            self._write(draft, state, item.kind, item.label)
        call: dict[str, Any] = {}
        if draft.at:
            call["at"] = draft.at
        if self.plan.get("entry") == "outbound":
            types = self.plan.get("vars", {})
            call["inputs"] = {name: _sample(types.get(name, {})) for name in self.plan.get("inputs", ())}
        if draft.stubs:
            call["stub"] = {hook: replies if len(replies) > 1 else replies[0] for hook, replies in draft.stubs.items()}
        return Advice(call, tuple(draft.script), draft.note)

    def _nearest(self, states: Iterable[str]) -> str:
        """The one with the shortest way; empty: none."""
        reached = [state for state in states if state in self._ways]
        return min(reached, key=lambda state: len(self._ways[state]), default="")

    def _during(self, update: str) -> Sequence[str]:
        """In which states an update is taken; none: in all."""
        return next(each for each in self.plan["updates"] if each["name"] == update).get("during") or ()

    def _returns(self, inside: str, outcome: str) -> Iterator[str]:
        """The `return` states of a sub-flow that give this outcome."""
        for name, plan in self.states.items():
            if plan["do"] == "return" and plan["outcome"] == outcome and name.rpartition("/")[0] == inside[:-1]:
                yield name

    # ---- ways ------------------------------------------------------------------------------------------------------

    def _shortest(self) -> dict[str, list[_Move]]:
        """The way to every state: fewest moves, unwanted outcomes counting for many (Dijkstra)."""
        ways: dict[str, list[_Move]] = {}
        waiting: list[tuple[int, int, str, list[_Move]]] = [(0, 0, self.plan["start"], [])]
        number = 1
        for update in self.plan.get("updates", ()):
            during = sorted(update.get("during") or ())
            if not during:
                waiting.append((5, number, update["next"], [("", "update", update["name"])]))
                number += 1
        while waiting:
            cost, _, state, way = heapq.heappop(waiting)
            if state in ways or state not in self.states:
                continue
            ways[state] = way
            for kind, label, target in self._moves(state):
                step = 10 if label in _UNWANTED else 1 + self._needs_moment(state, label)
                heapq.heappush(waiting, (cost + step, number, target, [*way, (state, kind, label)]))
                number += 1
        return ways

    def _moves(self, state: str) -> Iterator[tuple[str, str, str]]:
        plan = self.states[state]
        if plan["do"] == "use":
            yield "use", "", plan["start"]
            yield OUTCOME, "failed", plan["next"]["failed"]
            return
        if plan["do"] == "return":
            users = [user for user in self.states.values() if user.get("flow") == f"{state.rpartition('/')[0]}/"]
            for user in users:
                yield "return", "", user["next"].get(plan["outcome"], HANG_UP)
        for key, target in plan.get("keys", {}).items():
            yield OUTCOME, key, target
        for outcome, target in plan.get("next", {}).items():
            if target not in (BACK, HANG_UP):
                yield OUTCOME, outcome, target
        for key, target in plan.get("listen", {}).get("keys", {}).items():
            yield "key", key, target
        if plan.get("connected"):
            yield "connected", "connected", plan["connected"]
        for update in self.plan.get("updates", ()):
            if state in (update.get("during") or ()):
                yield "update", update["name"], update["next"]

    # ---- words -----------------------------------------------------------------------------------------------------

    def _write(self, draft: _Draft, state: str, kind: str, label: str) -> None:
        """Add what takes this edge."""
        if kind == "update":
            self._arrive(draft, state)
            draft.script.append(("update", self._arguments(label)))
            return
        plan = self.states.get(state, {})
        if kind == "key":
            self._arrive(draft, state)
            legs = plan["listen"]["legs"]
            draft.script.append(("callee_press" if legs == "B" else "press", "5" if label == "digit" else label))
        elif kind == "connected":
            self._arrive(draft, state)
        elif kind == "attempt":
            if int(label) > 1:
                draft.script.append(("silence", f"{int(label) - 1}x"))
        elif kind == OUTCOME:
            self._outcome(draft, plan, label)

    def _arrive(self, draft: _Draft, state: str) -> None:
        """Until the state waits for keys or updates: the other party is there, or the sound has begun."""
        verb = self.states.get(state, {}).get("do")
        if verb == "bridge" and ("callee", "answers") not in draft.script[-2:]:
            draft.script.append(("callee", "answers"))
        elif verb in ("play", "wait"):
            draft.script.append(("wait", "500ms"))

    def _outcome(self, draft: _Draft, plan: Mapping[str, Any], outcome: str) -> None:
        verb = plan["do"]
        if outcome == "exhausted":
            draft.note = f"come to this state {plan['visits'] + 1} times"
        elif outcome == "failed" and verb not in ("run", "bot", "use"):
            self._break(draft, plan)
        elif verb in ("gather", "menu"):
            draft.script += _answered(plan, outcome)
        elif verb == "run":
            self._stub(draft, plan, outcome)
        elif verb == "schedule":
            draft.at = self._moment(plan["name"], outcome) or draft.at
        elif verb == "bot":
            intent = {"intent": "AnythingElse" if outcome == "other" else outcome}
            draft.script.append(("bot", "failed" if outcome == "failed" else intent))
        elif verb == "record":
            draft.script.append(("speak", "5s"))
            if plan.get("terminators"):
                draft.script.append(("press", plan["terminators"][0]))
        elif verb == "bridge":
            self._bridged(draft, outcome)
        elif verb == "join_meeting":
            draft.script.append(("meeting", "ends"))
        else:
            draft.note = _NOTES.get((verb, outcome), draft.note)
            if verb == "choose":
                draft.note = f"a call in which '{outcome}' is the case"

    def _bridged(self, draft: _Draft, outcome: str) -> None:
        if outcome == "ended":
            draft.script += [("callee", "answers"), ("callee", "hangs_up")]
        elif outcome == "refused":
            draft.note = "dial a number that `dial_policy` refuses"
        else:
            draft.script.append(("callee", "no_answer"))

    def _break(self, draft: _Draft, plan: Mapping[str, Any]) -> None:
        """The service cannot do it. What says a prompt is named by it; anything else must come before the last step."""
        talk = plan["pre"][0] if plan.get("pre") else plan
        verb = talk["do"]
        items = talk.get("items") or ()
        prompt = items[0][1] if items and items[0][0] == "prompt" else ""
        fault: Any = {verb: prompt} if prompt and verb in _SAYING else verb
        places = [place for place, (kind, _) in enumerate(draft.script) if kind != "fail"]
        draft.script.insert(places[-1] if places else 0, ("fail", fault))

    def _stub(self, draft: _Draft, plan: Mapping[str, Any], outcome: str) -> None:
        hook = plan["hook"]
        replies = draft.stubs.setdefault(hook, [])
        if outcome == "failed":
            replies.append("raises")
        elif outcome == "limited":
            rule = plan["limits"][0]
            replies.append(rule["outcome"])
            draft.note = f"until '{rule['outcome']}' has come {rule['max']} times"
        else:
            results = self.plan["hooks"][hook].get("outcomes", {}).get(outcome) or {}
            replies.append({outcome: {name: _sample(kind) for name, kind in results.items()}} if results else outcome)

    def _arguments(self, name: str) -> dict[str, Any]:
        update = next(each for each in self.plan["updates"] if each["name"] == name)
        return {**update["match"], **{key: _sample(kind) for key, kind in update.get("takes", {}).items()}}

    def _needs_moment(self, state: str, outcome: str) -> bool:
        """Whether a call must say when it is, to leave a `schedule` by this outcome."""
        plan = self.states[state]
        if plan["do"] != "schedule" or outcome == "failed":
            return False
        return Schedule(self.plan["schedules"][plan["name"]]).period(SOME_DAY) != outcome

    def _moment(self, name: str, period: str) -> str:
        """The first half hour from the day of the calls on that lies in this period; empty: that of every call does."""
        spec = self.plan["schedules"][name]
        schedule = Schedule(spec)
        zone = ZoneInfo(spec["zone"])
        moment = SOME_DAY.astimezone(zone)
        if schedule.period(moment) == period:
            return ""
        for _ in range(48 * 400):
            if schedule.period(moment) == period:
                return _iso(moment)
            moment += timedelta(minutes=30)
        return ""


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")


_NOTES: Final = {
    ("take", "empty"): "with an empty list",
    ("take", "taken"): "with a list that holds something",
    ("record_call", "unchanged"): "where nothing is there to stop, pause or resume",
    ("use", "failed"): "with an input of another type",
}


def _answered(plan: Mapping[str, Any], outcome: str) -> list[tuple[str, Any]]:
    """Steps that answer a question so that this outcome follows."""
    times = plan.get("times", 0) + 1
    if outcome == "no_input":
        return [("silence", f"{times}x")]
    if outcome == "no_match":
        return [("press", _wrong(plan))] * times
    if plan["do"] == "menu":
        return [("press", "5" if outcome == "digit" else outcome)]
    digits = ("1234567890" * 7)[: plan["min"]]
    ends = plan.get("terminators") or [""]
    return [("press", digits if plan["min"] == plan["max"] else digits + ends[0])]


def _wrong(plan: Mapping[str, Any]) -> str:
    """Keys that are no answer: fewer than are wanted, or one that no key of the menu is."""
    ends = (plan.get("terminators") or ["#"])[0]
    if plan["do"] == "menu":
        free = [key for key in "0987654321*#" if key not in plan["keys"] and key != ends]
        return free[0] if free and "digit" not in plan["keys"] else ends
    return f"1{ends}" if plan["min"] > 1 else ends


def _sample(kind: Mapping[str, Any]) -> Any:
    """A value of a type, as a calls file writes it: the plainest, but no empty list and no single letter."""
    match kind["t"]:
        case "list":
            return [_sample(kind["item"])]
        case "text":
            return "example".ljust(kind.get("min") or 1, "x")[: kind.get("max") or 200]
        case "digits":
            return ("1234567890" * 13)[: kind.get("min") or 1]
    plainest = some_value(kind)
    return plainest if isinstance(plainest, Mapping) else show(plainest)
