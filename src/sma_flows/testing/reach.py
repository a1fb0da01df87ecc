"""Ways to every state of a flow: found by trying what people and hooks can do, shortest first.

A way is a list of choices. A call is played along it from the start; where it ends, everything that could be chosen
next makes new ways. A place that was met before (same state, counters, running action, variables that are set) is not
looked at twice. Nothing of the compiled plan is trusted but what can be pressed and answered: whether a choice leads
anywhere shows on the simulated line.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from sma_flows.plan import FlowPlan
from sma_flows.protocol.actions import CODES, mark
from sma_flows.runtime import callstate
from sma_flows.runtime.ask import Ask
from sma_flows.simulator.jsontext import loads
from sma_flows.simulator.messages import BotResult, Break, Callee, HangUp, MeetingEnds, Talk, Update
from sma_flows.testing.lab import Lab, Setting, Trial, some_value, usual
from sma_flows.testing.moves import Listen, Move, Press, Silence
from sma_flows.testing.script import SOME_DAY
from sma_flows.testing.session import QUESTIONS
from sma_flows.testing.strategies import TIMES

__all__ = ["Found", "Way", "acting", "ways_of"]

MOST_CALLS: Final = 1_500
"""Calls that are played at most while ways are looked for."""

MOST_CHOICES: Final = 60

COUNTED: Final = ("v:", "l:", "a:")
"""Counters that make two moments different: visits, limits, attempts. How often keys were pressed does not."""

DIGITS: Final = "7391846205" * 13
SECRETS: Final = "8264059371" * 13


@dataclass(frozen=True, slots=True)
class Way:
    """How a call comes to a state: everything that happens before, and the last move, in which it happens.

    ``asks``: the state's hook is asked then; ``actions``: the types of the actions that it adds to an answer then.
    """

    state: str
    setting: Setting
    before: tuple[Move, ...]
    last: Move | None
    given: Mapping[str, tuple[Any, ...]]
    asks: bool = False
    actions: tuple[str, ...] = ()


@dataclass(slots=True)
class Found:
    """``ways`` to states, ``silent`` states that send and ask nothing, states ``missed``, how many calls it took."""

    ways: dict[str, Way] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    missed: set[str] = field(default_factory=set)
    calls: int = 0


def ways_of(lab: Lab, *, most_calls: int = MOST_CALLS, progress: Callable[[int], object] = lambda _: None) -> Found:
    """A way to every state of the flow that the search reaches within *most_calls* calls.

    First everything that people and hooks do is tried, then also that the service fails.
    """
    paths, search = _Paths(lab.flow), _Search(lab)
    for failing in (False, True):
        search.begin(failing=failing)
        _look(search, paths, most_calls if failing else most_calls * 2 // 3, progress)
    found = search.found
    found.missed = paths.names - search.seen
    found.silent = search.seen - set(found.ways) - found.missed
    return found


def _look(search: _Search, paths: _Paths, most_calls: int, progress: Callable[[int], object]) -> None:
    """Best first: where a new state was met, then where what must be counted is furthest, then the nearest."""
    turn = count()
    queue: list[tuple[Any, int, tuple[int, ...]]] = [((), next(turn), ())]
    while queue and search.found.calls < most_calls and not paths.names <= search.seen:
        choices = heapq.heappop(queue)[-1]
        end = search.play(choices)
        progress(search.found.calls)
        if end.known or len(choices) >= MOST_CHOICES:
            continue
        missing = paths.names - search.seen
        counted = sum(end.counters.get(name, 0) for name in paths.counters(missing))
        order = (not end.fresh, -counted, paths.near(end.position, missing), len(choices))
        for option in range(end.options):
            heapq.heappush(queue, (order, next(turn), (*choices, option)))


class _Paths:
    """Which state the plan says can follow which: only to look at the nearest first."""

    def __init__(self, flow: FlowPlan) -> None:
        states = flow["states"]
        self.names = set(states)
        self._counters = {
            name: {state.get("count", ""), *(limit.get("counter", "") for limit in state.get("limits", ()))} - {""}
            for name, state in states.items()
        }
        follows: dict[str, set[str]] = {name: set() for name in states}
        for name, state in states.items():
            for targets in (state.get("next", {}), state.get("keys", {}), (state.get("listen") or {}).get("keys", {})):
                follows[name] |= {target for target in targets.values() if target in states}
            follows[name] |= {state[key] for key in ("connected", "start") if state.get(key) in states}
        self._before: dict[str, set[str]] = {name: set() for name in states}
        for name, targets in follows.items():
            for target in targets:
                self._before[target].add(name)

    def counters(self, missing: set[str]) -> set[str]:
        """What is counted in the states before those that are missing."""
        return set().union(*(self._counters[before] for name in missing for before in self._before[name]))

    def near(self, position: tuple[str, str], missing: set[str]) -> int:
        """How many steps it is from a position to the nearest state that is missing."""
        known, ring, steps = set(missing), set(missing), 0
        while ring and not ring & {*position}:
            ring = set().union(*(self._before[name] for name in ring)) - known
            known |= ring
            steps += 1
        return steps if ring else 99


class _End(NamedTuple):
    """How the call along some choices ended: with a new state, at a place that was met before, with so many options."""

    fresh: bool
    known: bool
    options: int
    position: tuple[str, str] = ("", "")
    counters: Mapping[str, int] = MappingProxyType({})


class _Search:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.found = Found()
        self.seen: set[str] = set()
        self.places: set[Any] = set()
        self.failing = False
        self.words = _Words(lab)

    def begin(self, *, failing: bool) -> None:
        """Start anew, with or without failures of the service; what was found stays."""
        self.places.clear()
        self.failing = failing

    def play(self, choices: tuple[int, ...]) -> _End:
        """Play a call along *choices*."""
        self.found.calls += 1
        chooser = _Chooser(choices, self.words)
        before = len(self.seen)
        setting = _setting(self.lab, chooser, self.words)
        if chooser.pending:
            return _End(True, False, chooser.pending)
        with self.lab.call(setting, chooser.reply, repeat=False) as trial:
            self._note(trial, 0)
            while not trial.session.phone.over and not trial.watch.found and not chooser.pending:
                options = list(_options(trial, self.words, failing=self.failing))
                move = options[0] if len(options) == 1 else chooser.pick(options)
                if move is None:
                    break
                turns, now = len(trial.watch.turns), trial.session.phone.now_ms
                trial.make(move)
                self._note(trial, turns)
                if isinstance(move, Listen) and (turns, now) == (len(trial.watch.turns), trial.session.phone.now_ms):
                    break  # nothing will ever happen here
            fresh = len(self.seen) > before
            place = None if chooser.asked else _place(trial)
            known = place is not None and place in self.places
            if place is not None:
                self.places.add(place)
            after = trial.watch.turns[-1].after
            text = trial.session.phone.network.attributes
            saved = callstate.load(loads(text)) if text else None
            counters = dict(saved.counters) if saved is not None else {}
            over = trial.session.phone.over and not chooser.pending  # it may go on otherwise after another reply
            return _End(fresh, known or over, chooser.pending, (after.state, after.base), counters)

    def _note(self, trial: Trial, first: int) -> None:
        """States that the turns from *first* on came by."""
        for turn in trial.watch.turns[first:]:
            sent: dict[str, list[str]] = {}
            for kind, state, label, _ in turn.trail:
                if kind == "action":
                    sent.setdefault(state, []).append(label)
                elif kind in ("state", "attempt") and state:
                    self.seen.add(state)
            if any(action["Type"] == "Hangup" for action in turn.actions):
                sent.setdefault(turn.after.state, []).append("H.A.0")
            asked = {ask.call.state for ask in turn.asks if not ask.cleanup}
            for state in sent.keys() | asked:
                if state and state not in self.found.ways:
                    self.found.ways[state] = _way(trial, state, sent.get(state, ()), state in asked)
                self.seen.add(state)


def _way(trial: Trial, state: str, tails: Any, asks: bool) -> Way:
    types = dict.fromkeys(_TYPES[tail.partition(".")[0]] for tail in tails)
    if types and trial.lab.flow["states"][state].get("listen"):
        types["ReceiveDigits"] = None
    given = {name: tuple(items) for name, items in trial.given.items()}
    moves = tuple(trial.moves)
    return Way(state, trial.setting, moves[:-1], moves[-1] if moves else None, given, asks, tuple(types))


_TYPES: Final = {code: kind for kind, code in CODES.items()}


class _Chooser:
    """Gives out choices one after the other. The first that is not there is ``pending``: so many options it has."""

    def __init__(self, choices: tuple[int, ...], words: _Words) -> None:
        self._left = list(choices)
        self._words = words
        self.pending = 0
        self.asked = False

    def pick(self, options: list[Any]) -> Any:
        """The chosen one; None when there is no choice left."""
        if self._left:
            return options[self._left.pop(0)]
        self.pending = self.pending or len(options)
        return None

    def reply(self, ask: Ask) -> Any:
        """What a hook answers; the first when there is no choice left, for what comes of it is thrown away."""
        options = replies(ask, self._words)
        if len(options) == 1:
            return options[0]
        if not self._left:
            self.asked = True
        found = self.pick(options)
        return options[0] if found is None else found

    def of(self, options: list[Any]) -> Any:
        """The chosen one, the first when there is no choice left."""
        if len(options) == 1:
            return options[0]
        return options[0] if not self._left and self.pick(options) is None else self.pick(options)


def _times(lab: Lab) -> list[datetime]:
    """Some times, and one in each period of the flow's schedules that they do not hit."""
    times, found = list(TIMES), set[tuple[str, str]]()
    for at in (*TIMES, *(SOME_DAY + timedelta(hours=hour) for hour in range(7 * 24))):
        periods = {(name, schedule.period(at)) for name, schedule in lab.schedules.items()} - found
        found |= periods
        if periods and at not in times:
            times.append(at)
    return times


class _Words:
    """Texts that the flow compares something with: worth being said, typed, or given by a hook.

    ``times`` are worth being called at.
    """

    def __init__(self, lab: Lab) -> None:
        flow = lab.flow
        found: dict[str, None] = {}
        self.headers: list[str] = []
        self._values = lab.values
        self.times = _times(lab)
        for state in flow["states"].values():
            if state["do"] == "choose":
                found |= dict.fromkeys(state["next"] if "value" in state else ())
                found |= dict.fromkeys(self._literals(state.get("cases", ())))
            if state["do"] == "send_digits":  # a text that is sent as keys has to be some
                found["12#"] = None
        for update in flow.get("updates") or ():
            found |= dict.fromkeys(self._literals(update.get("when") or ()))
        found |= dict.fromkeys(self._literals((flow.get("policy") or {}).get("allow") or ()))
        self.numbers = [_number(word) for word in found if word.startswith("+") and word[1:].isdigit()]
        self.texts = [word for word in found if not word.startswith("+") and word not in ("other", "failed")][
            :MOST_WORDS
        ]

    def _literals(self, expression: Any) -> Iterator[str]:
        if not isinstance(expression, list | tuple):
            return
        if len(expression) == 2 and expression[0] == "lit" and isinstance(expression[1], str):
            yield expression[1]
        elif len(expression) == 2 and expression[0] == "env":
            yield self._values.get(expression[1], "")
        elif len(expression) == 2 and expression[0] == "header" and expression[1] not in self.headers:
            self.headers.append(expression[1])
        else:
            for item in expression:
                yield from self._literals(item)

    def of(self, kind: Mapping[str, Any]) -> list[Any]:
        """Values of a declared type that the flow may tell apart, a plain one first."""
        match kind["t"]:
            case "one_of":
                return list(kind.get("words") or ("x",))
            case "boolean":
                return [False, True]
            case "list":
                return [[some_value(kind["item"])], []]
            case "leg":
                return ["A", "B"]
            case "phone":  # nobody pays for a call to the second: what a dial policy is there for
                return [some_value(kind), "+19005550100", *self.numbers]
            case "text":
                return [some_value(kind), *self.texts]
            case "digits":
                low, high = kind.get("min") or 1, kind.get("max") or 128
                digits = [*self.texts, *(part for word in self.numbers for part in (word[1:], word[2:]))]
                return [some_value(kind), *(word for word in digits if word.isdigit() and low <= len(word) <= high)]
            case _:
                return [some_value(kind)]


MOST_WORDS: Final = 6


def _number(start: str) -> str:
    """A whole number out of one, or of its beginning."""
    return start if len(start) >= 12 else start + "5550123"[-(12 - len(start)) :].rjust(12 - len(start), "2")


def _setting(lab: Lab, chooser: _Chooser, words: _Words) -> Setting:
    setting = lab.setting()
    setting = replace(setting, at=chooser.of(words.times))
    if words.headers:
        values = [(), *((name, word) for name in words.headers for word in words.texts or ["yes"])]
        header = chooser.of(values)
        setting = replace(setting, headers=(header,) if header else ())
    if setting.inputs is None:
        return replace(setting, from_=chooser.of([setting.from_, *words.numbers]))
    kinds = lab.flow.get("vars", {})
    inputs = tuple((name, written(chooser.of(words.of(kinds[name])))) for name, _ in setting.inputs)
    return replace(setting, inputs=inputs)


def written(value: Any) -> str:
    """A value as an argument of a call or an update carries it."""
    return ("false", "true")[value] if isinstance(value, bool) else str(value)


def replies(ask: Ask, words: _Words) -> list[Any]:
    """What a hook can answer: each outcome, with each word where a result is one of some, and that it raises."""
    if ask.port != "hook":
        return [usual(ask), "raises"]
    outcomes: Mapping[str, Any] = ask.hook.get("outcomes") or {"done": {}}
    found: list[Any] = []
    for outcome, results in outcomes.items():
        choices = {name: words.of(kind) for name, kind in (results or {}).items()}
        for place in range(max(map(len, choices.values()), default=1)):
            values = {name: options[place % len(options)] for name, options in choices.items()}
            found.append({outcome: values} if values else outcome)
    return [*found, "raises"]


# ---- what can be done now --------------------------------------------------------------------------------------------


def _options(trial: Trial, words: _Words, *, failing: bool) -> Iterator[Move]:
    """What can happen now; one option is no choice."""
    session = trial.session
    network, running = session.phone.network, session.running
    first = network.leg("LEG-A")
    if first is not None and first.status == "ringing":
        yield from (Callee("answers"), Callee("busy"))
    elif not session.resting:
        meanwhile: list[Move] = (
            [*(Press(key) for key in background(trial)), *updates(trial, words)] if session.running else []
        )
        if failing and session.running in _LASTING:
            meanwhile.append(Break((session.running,), running=True))
        yield Silence() if meanwhile else Listen()
        yield from meanwhile
    elif running in QUESTIONS:
        yield from _entries(trial, words)
        yield from (Break(QUESTIONS, running=True),) * failing
    elif running == "RecordAudio":
        yield from (Talk(3_000), Silence(), HangUp())
        yield from (Break(("RecordAudio",), running=True),) * failing
    elif running == "StartBotConversation":
        state = _state(trial)
        for intent in (*(state.get("intents") or ()), "Undeclared"):
            keys = [key for _, key in (state.get("into") or {}).values()]
            for word in ("billing", *(words.texts if keys else ())):
                yield BotResult(intent, slots=tuple((key, word) for key in keys))
        yield from (BotResult(error="SystemException"),) * failing
    elif running == "CallAndBridge":
        yield from (Callee("answers"), Callee("no_answer"))
        yield from (Break(("CallAndBridge",), running=True),) * failing
    elif network.joined:
        yield from (Press(key) for key in background(trial))
        yield MeetingEnds() if network.joined.startswith("meeting") else HangUp("LEG-B")
        yield HangUp("LEG-A")
    else:
        yield Listen()
    if session.resting:
        yield from updates(trial, words)
        yield from (
            Break((kind,)) for kind in _instant(trial) if not any(kind in one.actions for one in network.breaks)
        )


_LASTING: Final = ("Speak", "PlayAudio", "Pause")
"""What nobody waits for, and can break off."""

_INSTANT: Final = {
    "join_meeting": "JoinChimeMeeting",
    "mute": "ModifyChimeMeetingAttendees",
    "voice_focus": "VoiceFocus",
    "record_call": "StartCallRecording",
    "send_digits": "SendDigits",
    "play": "PlayAudio",
}


def _instant(trial: Trial) -> list[str]:
    """Actions of the flow that nobody can break while they run, because they take no time; played files, too."""
    verbs = {state["do"] for state in trial.lab.flow["states"].values()}
    return [kind for verb, kind in _INSTANT.items() if verb in verbs]


def _entries(trial: Trial, words: _Words) -> Iterator[Move]:
    """Everything that a question tells apart: each key, right and wrong digits, silence."""
    state = _state(trial)
    if state.get("do") == "menu":
        yield from (Press(key) for key in plain_keys(state["keys"], once=True))
        yield Press(next((key for key in "0987654321" if key not in plain_keys(state["keys"])), "00"))
    else:
        digits = SECRETS if trial.is_secret(state.get("var")) else DIGITS
        size = int(state.get("min", 1))
        end = "#" if size < int(state.get("max", 1)) else ""
        yield Press(digits[:size] + end)
        kind = trial.lab.flow["vars"].get(state.get("var")) or {"t": "digits"}
        yield from (Press(word + end) for word in words.of(kind)[1:] if kind["t"] == "digits")
        yield Press("#")
    yield Silence()


def plain_keys(keys: Mapping[str, Any], *, once: bool = False) -> list[str]:
    """Keys that can be pressed; with *once* one for those that lead to the same place by ``digit``."""
    found: list[str] = []
    for key in keys:
        found += ("4" if once else "0123456789") if key == "digit" else [key]
    return found


def _state(trial: Trial) -> Mapping[str, Any]:
    turns = trial.session.turns
    found: Mapping[str, Any] = trial.lab.flow["states"].get(turns[-1].after.state, {}) if turns else {}
    return found


def background(trial: Trial) -> list[str]:
    """Keys that somebody listens for in the background."""
    if not trial.session.phone.network.listeners or not trial.session.turns:
        return []
    after, states = trial.session.turns[-1].after, trial.lab.flow["states"]
    found = [(states.get(name, {}).get("listen") or {}).get("keys", {}) for name in (after.base, after.state)]
    return list(dict.fromkeys(key for keys in found for key in plain_keys(keys, once=True)))


def updates(trial: Trial, words: _Words | None = None) -> Iterator[Update]:
    """Each update that the flow declares, with plain values, and with those that the flow may tell apart."""
    for update in trial.lab.flow.get("updates") or ():
        takes = update.get("takes", {})
        choices = {name: words.of(kind) if words else [some_value(kind)] for name, kind in takes.items()}
        for place in range(max(map(len, choices.values()), default=1)):
            given = dict(update.get("match", {}))
            given |= {name: written(options[place % len(options)]) for name, options in choices.items()}
            yield Update(tuple(given.items()))


def _place(trial: Trial) -> Any:
    """What tells this moment from others: where the call is, what it has counted and set, and what goes on."""
    network = trial.session.phone.network
    if network.over:
        return None
    saved = callstate.load(loads(network.attributes)) if network.attributes else None
    running = network.running
    going = (running.action.type, running.attempt, running.phase) if running is not None else ()
    if saved is None:
        return going
    words = tuple(sorted((name, _brief(value)) for name, value in saved.vars.items()))
    names = tuple(sorted(name for name in saved.counters if name[:2] in COUNTED))
    counted = tuple(saved.counters[name] for name in names)
    broken = tuple(sorted(one.actions for one in network.breaks))
    return (saved.pos, saved.base, saved.stack, names, counted, saved.flags, words, going, network.joined != "", broken)


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 12 and not text.isdigit() else "set"


# ---- who is at work --------------------------------------------------------------------------------------------------


def acting(trial: Trial) -> tuple[str, str]:
    """The state whose action runs now, and the action's type; ("", "") when nothing runs.

    While two parties talk it is the state that has connected them.
    """
    network = trial.session.phone.network
    turns = trial.watch.turns
    if not turns:
        return "", ""
    running = network.running
    if running is None:
        after = turns[-1].after
        return (after.base or after.state, "joined") if network.joined and not network.rest else ("", "")
    kind = running.action.type
    tail = f"{CODES[kind]}.{running.leg[-1]}.{mark(kind, running.action.parameters())}"
    for turn in reversed(turns[-4:]):
        for what, state, label, _ in turn.trail:
            if what == "action" and label == tail:
                return state, kind
    return turns[-1].after.state, kind
