"""Drive the machine and the compiled plan with the same outcomes and compare what they visit.

First the machine walks: at every state an outcome is drawn, and what it means for a caller, a callee or a hook goes
into a list. Then the compiled plan plays the same call on a :class:`Line`. Each action that is started and each hook
that is asked must be the next one of the list; the list says how it ends. Joined lists, retries inside the service and
states that send nothing need no special treatment: what counts is the order in which states are heard of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from properties.flowgen import HOOK_OUTCOMES, WORDS, GenFlow, GenState
from properties.line import Chooser, Done, Failed, Gone, Keyed, Line, collect
from sma_flows.machine import FlowCall, FlowMachine
from sma_flows.runtime.ask import Ask, ServiceReply
from sma_flows.runtime.invoke import handle
from sma_flows.runtime.program import Program

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
MARK = re.compile(r"\[(\w+)\.(\w+):(\w+)\]")
BROKEN, LEFT = "!", "^"  # attempts that end in a technical failure, and in the caller hanging up


class DisagreementError(AssertionError):
    """Machine and plan do not visit the same states."""


class UndecidableError(Exception):
    """One of two equal actions of one list failed: the service does not say which (decision 25 lets them stay)."""


@dataclass
class Heard:
    """A text of a state, and how its action ends: done, failed, gone."""

    state: str
    part: str
    outcome: str = "done"


@dataclass
class Asked:
    """A question: what is typed at each attempt, and the words heard between them."""

    state: str
    attempts: list[str]
    words: tuple[str, str] = ("", "")


@dataclass
class Ran:
    """A hook with its arguments, and what it answers."""

    state: str
    hook: str
    args: tuple[Any, ...]
    outcome: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass
class Dialled:
    """A bridge: no_answer, failed, gone (the caller hangs up while it rings), connected."""

    state: str
    ring: int
    outcome: str


@dataclass
class Pressed:
    """A background key while two parties talk."""

    state: str
    key: str


@dataclass
class Ended:
    """The end of a conversation: the other party leaves (ended), or the caller does."""

    state: str
    outcome: str


@dataclass
class Waited:
    """A pause, and the background key that cuts it short."""

    state: str
    ms: int
    key: str = ""


Entry = Heard | Asked | Ran | Dialled | Pressed | Ended | Waited


class Walk:
    """A random call on the machine. ``entries`` is what a plan must do to agree with it."""

    def __init__(self, flow: GenFlow, machine: FlowMachine, rng: Random) -> None:
        self.flow = flow
        self.rng = rng
        self.call = FlowCall(machine)
        self.entries: list[Entry] = []
        self.vars: dict[str, dict[str, Any]] = {"": _initial(flow)}
        self.entered = 0
        self._go()

    def _where(self) -> tuple[str, GenFlow, GenState]:
        prefix, _, name = self.call.state.rpartition("/")
        part = self.flow.subflows[prefix] if prefix else self.flow
        return prefix, part, part.states[name]

    def _go(self) -> None:
        self.call.start()
        for _ in range(500):
            self._note_sub_flows()
            if self.call.state == "hangup":
                return
            prefix, part, state = self._where()
            if self.call.talking and self.call.state == self.call.base:
                self._talk(state)
                continue
            if not self._in_front(state):
                continue
            if self.call.over or self.call.state == "hangup":
                return
            getattr(self, f"_{state.verb}")(prefix, part, state)
            if self.call.state == "hangup":
                return
        raise AssertionError("the machine does not come to an end")

    def _note_sub_flows(self) -> None:
        """A sub-flow starts with fresh variables each time it is used."""
        for name in self.call.visited[self.entered :]:
            prefix, _, plain = name.rpartition("/")
            if not prefix and self.flow.states[plain].verb == "use":
                used = self.flow.states[plain].fields[-1].removeprefix("use: ")
                self.vars[used] = _initial(self.flow.subflows[used])
        self.entered = len(self.call.visited)

    def _fate(self, *, fail: float = 0.06, gone: float = 0.02) -> str:
        draw = self.rng.random()
        return "failed" if draw < fail else "gone" if draw < fail + gone else "done"

    def _finish(self, outcome: str) -> None:
        if outcome == "gone":
            self.call.leave()
        else:
            self.call.take(outcome)

    def _in_front(self, state: GenState) -> bool:
        """Hear the `say` in front of a verb; False when the call has moved on already."""
        if state.verb == "say":
            return True
        text = next((line for line in state.fields if line.startswith("say: ")), None)
        if text is None:
            return True
        fate = self._fate()
        self.entries.append(Heard(self.call.state, _part(text), fate))
        if fate == "done":
            return True
        self._finish(fate)
        return False

    def _say(self, prefix: str, part: GenFlow, state: GenState) -> None:
        fate = self._fate()
        self.entries.append(Heard(self.call.state, _part(state.fields[0]), fate))
        self._finish(fate)

    def _ask(self, part: GenFlow, state: GenState, right: list[str], wrong: list[str]) -> tuple[str, str]:
        """Attempts until one is right or they are used up; the entry and the outcome."""
        retry = state.retry or part.default_retry
        entry = Asked(self.call.state, [], retry[1:] if retry else ("", ""))
        self.entries.append(entry)
        name = self.call.state
        for _ in range(20):
            draw = self.rng.random()
            if draw < 0.04:
                entry.attempts.append(BROKEN)
                return "", "failed"
            if draw < 0.07:
                entry.attempts.append(LEFT)
                return "", "gone"
            if draw < 0.55:
                typed = self.rng.choice(right)
                entry.attempts.append(typed)
                return typed, "done"
            silent = draw < 0.78
            entry.attempts.append("" if silent else self.rng.choice(wrong))
            visits = len(self.call.visited)
            self.call.take("no_input" if silent else "no_match")
            if self.call.state != name or len(self.call.visited) != visits:
                return "", ""
        raise AssertionError("attempts do not end")

    def _gather(self, prefix: str, part: GenFlow, state: GenState) -> None:
        var = next(line for line in state.fields if line.startswith("gather: ")).removeprefix("gather: ")
        if part.vars[var] == "digits(4)":
            right, wrong = ["1234", "2345", "0000"], ["12", "1*34"]
        else:
            right, wrong = ["22", "1234", "20#", "55555"], ["1", "*", "1#"]
        if "finish_on: pound" not in state.fields:
            right, wrong = [r for r in right if "#" not in r], [w for w in wrong if "#" not in w]
        typed, outcome = self._ask(part, state, right, wrong)
        if outcome == "done":
            self.vars[prefix][var] = typed.rstrip("#")
        if outcome:
            self._finish(outcome)

    def _menu(self, prefix: str, part: GenFlow, state: GenState) -> None:
        wrong = [key for key in "123456789*" if key not in state.keys]
        typed, outcome = self._ask(part, state, list(state.keys), wrong)
        if outcome:
            self._finish(typed if outcome == "done" else outcome)

    def _run(self, prefix: str, part: GenFlow, state: GenState) -> None:
        name, _, inside = state.fields[-1].removeprefix("run: ").rstrip(")").partition("(")
        values = self.vars[prefix]
        args = tuple(values.get(arg) for arg in inside.split(", ") if arg)
        outcome = self.rng.choice([*HOOK_OUTCOMES, "bad", "failed"])
        result = f"w_{name[2:]}"
        given = {result: self.rng.choice(WORDS)} if outcome == "good" else {}
        values[result] = given.get(result)
        full = f"{prefix}/{name}" if prefix else name
        self.entries.append(Ran(self.call.state, full, args, outcome, given))
        self.call.take(outcome)

    def _choose(self, prefix: str, part: GenFlow, state: GenState) -> None:
        for line in state.fields[1:]:
            case, _, test = line.strip().partition(": ")
            if holds(test, self.vars[prefix]):
                self.call.take(case)
                return
        self.call.take("other")

    def _set(self, prefix: str, part: GenFlow, state: GenState) -> None:
        name, _, value = state.fields[-1].removeprefix("set: {").rstrip("}").partition(": ")
        values = self.vars[prefix]
        if value == "count + 1":
            values["count"] = values["count"] + 1
        else:
            values[name] = {"true": True, "false": False, "unset": None, "2": 2}[value]
        self.call.take("done")

    def _bridge(self, prefix: str, part: GenFlow, state: GenState) -> None:
        outcome = self.rng.choice(["no_answer", "failed", "connected", "connected", "connected", "connected", "gone"])
        ring = next(line for line in state.fields if line.startswith("ring_for: "))
        self.entries.append(Dialled(self.call.state, int(ring[10:].rstrip("s")), outcome))
        if outcome == "connected":
            self.call.connect()
        elif outcome == "gone":
            self.call.leave()
        else:
            self.call.take(outcome)

    def _talk(self, state: GenState) -> None:
        """Two parties talk: a key, or somebody leaves."""
        if state.keys and self.rng.random() < 0.6:
            key = self.rng.choice(list(state.keys))
            self.entries.append(Pressed(self.call.state, key))
            self.call.press(key)
            return
        outcome = self.rng.choice(["ended", "ended", "caller"])
        self.entries.append(Ended(self.call.state, outcome))
        if outcome == "caller":
            self.call.leave()
        else:
            self.call.take(outcome)

    def _wait(self, prefix: str, part: GenFlow, state: GenState) -> None:
        ms = next(line for line in state.fields if line.startswith("wait: ")).removeprefix("wait: ").removesuffix("ms")
        key = self.rng.choice(list(state.keys)) if state.keys and self.rng.random() < 0.5 else ""
        self.entries.append(Waited(self.call.state, int(ms), key))
        if key:
            self.call.press(key)
        else:
            self.call.take("done")


def _initial(flow: GenFlow) -> dict[str, Any]:
    return {name: 0 if kind.endswith("= 0") else None for name, kind in flow.vars.items()}


def _part(line: str) -> str:
    found = MARK.search(line)
    assert found, line
    return found[3]


def holds(test: str, values: Mapping[str, Any]) -> bool:
    """Whether one of the generated conditions holds; a second, tiny reading of section 2 of the language."""
    if test.startswith("not "):
        return not values[test[4:]]
    for word in (" is not ", " is ", " starts with ", " in ", " >= "):
        if word in test:
            name, _, text = test.partition(word)
            left = values[name]
            if left is None:
                return False
            right: Any = text.strip('"') if text.startswith('"') else int(text)
            if word == " is ":
                return bool(left == right)
            if word == " is not ":
                return bool(left != right)
            if word == " starts with ":
                return bool(left.startswith(right))
            if word == " in ":
                return left in [item.strip() for item in right.split(",")]
            return bool(left >= right)
    value = values[test]
    return value is not None and value is not False


class Script(Chooser):
    """Plays the walk's entries to the compiled plan: as chooser of actions' fates and as services."""

    def __init__(self, walk: Walk) -> None:
        self.entries = list(walk.entries)
        self.done: list[Entry] = []
        self.tried = ""
        self.heard: list[tuple[int, str]] = []

    def _next(self, what: str, *kinds: type) -> Any:
        if not self.entries:
            raise DisagreementError(f"the machine is at its end, the plan goes on with {what}")
        entry = self.entries[0]
        if not isinstance(entry, kinds):
            raise DisagreementError(f"the machine goes on with {entry}, the plan with {what}")
        return entry

    def _pop(self) -> None:
        self.done.append(self.entries.pop(0))

    def act(self, line: Line, action: dict[str, Any]) -> Done | Failed | Gone | Keyed:
        params, kind = action["Parameters"], action["Type"]
        if kind == "Speak":
            return self._speak(line, params["Text"])
        if kind == "SpeakAndGetDigits":
            return self._question(params)
        if kind == "Pause":
            if params["DurationInMilliseconds"] != 200:  # the runtime's own, in front of a list that dials
                entry = self._next(f"Pause {params['DurationInMilliseconds']}", Waited)
                if entry.ms != params["DurationInMilliseconds"]:
                    raise DisagreementError(f"the machine goes on with {entry}, the plan waits another time")
                self._pop()
                if entry.key:
                    return Keyed(entry.key)
            return Done()
        if kind == "ReceiveDigits":
            return Done({"ReceivedDigits": ""})
        if kind == "CallAndBridge":
            entry = self._next("a bridge", Dialled)
            if entry.ring != params["CallTimeoutSeconds"]:
                raise DisagreementError(f"the machine goes on with {entry}, the plan dials for another state")
            self._pop()
            if entry.outcome == "connected":
                return Done()
            errors = {"no_answer": Failed("CallNotAnswered"), "failed": Failed("SystemException")}
            return errors.get(entry.outcome) or Gone()
        raise DisagreementError(f"the plan sends {kind}")

    def _speak(self, line: Line, text: str) -> Done | Failed | Gone:
        for flow, state, part in MARK.findall(text):
            if part in ("ni", "nm"):
                self._words(text)
                continue
            entry = self._next(text, Heard)
            if (entry.state, entry.part) != (_full(flow, state), part):
                raise DisagreementError(f"the machine goes on with {entry}, the plan says {text}")
            self._pop()
            if entry.outcome == "failed" and self._twice(line, text):
                raise UndecidableError
            if entry.outcome != "done":
                return Failed("SystemException") if entry.outcome == "failed" else Gone()
        self.heard.append((len(line.events), text))
        return Done()

    def _twice(self, line: Line, text: str) -> bool:
        later = [action["Parameters"].get("Text") for action in line.list]
        return (len(line.events), text) in self.heard or text in later

    def _words(self, text: str) -> None:
        entry = self._next(text, Asked)
        right = entry.words[0 if self.tried == "" else 1]
        if not self.tried_once or right not in text:
            raise DisagreementError(f"after {self.tried!r} the words {right!r} were expected, not {text!r}")

    tried_once = False

    def _question(self, params: dict[str, Any]) -> Done | Failed | Gone:
        text = params["SpeechParameters"]["Text"]
        entry = self._next(text, Asked)
        *words, (flow, state, part) = MARK.findall(text)
        if entry.state != _full(flow, state) or part != "q":
            raise DisagreementError(f"the machine goes on with {entry}, the plan asks {text}")
        if words:
            self._words(text)
        attempts = entry.attempts
        special = next((i for i, typed in enumerate(attempts) if typed in (BROKEN, LEFT)), len(attempts))
        entered, left = collect(params, attempts[:special])
        used = special - len(left)
        if entered is None and used < int(params.get("Repeat", 1)) and special < len(attempts):
            self._pop()
            return Failed("SystemException") if attempts[special] == BROKEN else Gone()
        if used > 1 and not self._service_words(params, entry):
            raise DisagreementError(f"the service would say other words between the attempts than {entry.words}")
        self.tried, self.tried_once = attempts[used - 1], True
        del attempts[:used]
        if not attempts:
            self._pop()
            self.tried_once = False
        return Failed("InvalidDigitsReceived") if entered is None else Done({"ReceivedDigits": entered})

    @staticmethod
    def _service_words(params: dict[str, Any], entry: Asked) -> bool:
        said = params.get("FailureSpeechParameters", {}).get("Text", "")
        return all(word in said for word in entry.words)

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        """The hook of the next entry, if it is the one that is asked for."""
        entry = self._next(f"hook {ask.name}{ask.args}", Ran)
        if (entry.hook, entry.args) != (ask.name, tuple(ask.args)) or entry.state != ask.call.state:
            raise DisagreementError(
                f"the machine goes on with {entry}, the plan at {ask.call.state} asks {ask.name}{ask.args}"
            )
        self._pop()
        return ServiceReply(entry.outcome, entry.values)


def _full(flow: str, state: str) -> str:
    return state if flow == "main" else f"{flow}/{state}"


def play(walk: Walk, program: Program) -> Line:
    """Play the walk's call to the compiled plan.

    Raises:
        DisagreementError: the plan does something else than the machine, or stops earlier, or goes on longer.
    """
    script = Script(walk)
    trouble: list[BaseException] = []

    def answer(event: dict[str, Any]) -> Any:
        # The runtime turns whatever a port raises into an outcome, so a disagreement found in a hook is kept aside.
        class Services:
            def perform(self, ask: Ask, deadline: float) -> ServiceReply:
                try:
                    return script.perform(ask, deadline)
                except DisagreementError as found:
                    trouble.append(found)
                    return ServiceReply("failed")

        result = handle(program, json.loads(json.dumps(event)), now=NOW, services=Services())
        if trouble:
            raise trouble[0]
        return result

    line = Line(answer)
    line.start()
    for _ in range(300):
        try:
            line.run(script)
        except UndecidableError:
            return line
        if line.over:
            break
        entry = script._next("silence", Pressed, Ended)
        script._pop()
        if isinstance(entry, Ended):
            line.leave("LEG-B" if entry.outcome == "ended" else "LEG-A")
        elif not line.press("LEG-A", entry.key):
            raise DisagreementError(f"the machine goes on with {entry}, but nobody listens")
    if script.entries:
        raise DisagreementError(f"the plan is at its end, the machine goes on with {script.entries[0]}")
    return line
