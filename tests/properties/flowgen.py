"""Generate small valid flows, as YAML text, together with what is known about them.

A flow is a line of states. Edges lead forward, or back to a state that counts its visits, so that every call ends.
Every text that can be heard carries a mark such as ``[main.s3:q]``, which tells a listener the state that spoke.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

HOOK_OUTCOMES = ("good", "bad", "odd")
WORDS = ("red", "green", "blue")
ENV = {"SALES": "+12065550150"}
END = ("sorry", "bye")


@dataclass
class GenState:
    """One state: its YAML lines in order, and where its outcomes lead (only what the state says itself)."""

    name: str
    verb: str
    fields: list[str]
    next: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    visits: int = 0
    counter: str = ""
    since: str = ""
    limits: list[str] = field(default_factory=list)
    retry: tuple[int, str, str] | None = None
    main: str = ""


@dataclass
class GenFlow:
    """One generated flow with the facts a driver needs: variables to decide with, hooks, sub-flows."""

    name: str
    entry: str
    start: str
    states: dict[str, GenState]
    defaults: dict[str, str]
    default_retry: tuple[int, str, str] | None
    vars: dict[str, str]
    hooks: dict[str, str]
    outcomes: tuple[str, ...] = ()
    subflows: dict[str, GenFlow] = field(default_factory=dict)
    apology: bool = False

    def text(self) -> str:
        """The flow as YAML."""
        out = ["sma_flow: 1", f"name: {self.name}", f"entry: {self.entry}"]
        if self.outcomes:
            out.append(f"outcomes: [{', '.join(self.outcomes)}]")
        if self.vars:
            out.append("vars:")
            out += [f"  {name}: {kind}" for name, kind in self.vars.items()]
        if self.hooks:
            out.append("hooks:")
            out += [f"  {name}: {spec}" for name, spec in self.hooks.items()]
        if self.defaults or self.default_retry:
            out.append("defaults:")
            if self.default_retry:
                out.append(f"  retry: {_retry(self.default_retry)}")
            if self.defaults:
                out.append(f"  next: {_map(self.defaults)}")
        out += [f"start: {self.start}", "states:"]
        for state in self.states.values():
            out.append(f"  {state.name}:")
            out += [f"    {line}" for line in state.fields]
            if state.keys:
                out.append(f"    keys: {_map(state.keys)}")
            if state.limits:
                out.append(f"    limit: {{{', '.join(state.limits)}}}")
            if state.retry:
                out.append(f"    retry: {_retry(state.retry)}")
            if state.visits:
                counter = f" in {state.counter}" if state.counter else ""
                since = f" since {state.since}" if state.since else ""
                out.append(f"    visits: {state.visits}{counter}{since}")
            if set(state.next) == {""}:
                out.append(f"    next: {state.next['']}")
            elif state.next:
                named = {outcome or state.main: target for outcome, target in state.next.items()}
                out.append(f"    next: {_map(named)}")
        return "\n".join(out) + "\n"

    def write(self, folder: Path) -> Path:
        """Write the flow and its sub-flows into *folder*; the path of the flow itself."""
        for sub in self.subflows.values():
            (folder / f"{sub.name}.yaml").write_text(sub.text(), encoding="utf-8")
        path = folder / f"{self.name}.yaml"
        path.write_text(self.text(), encoding="utf-8")
        return path


def _map(items: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"


def _retry(retry: tuple[int, str, str]) -> str:
    times, no_input, no_match = retry
    return f'{{times: {times}, no_input: "{no_input}", no_match: "{no_match}"}}'


class _Maker:
    def __init__(self, rng: Random, name: str, entry: str, subflows: dict[str, GenFlow], size: int) -> None:
        self.rng = rng
        self.name = name
        self.entry = entry
        self.subflows = subflows
        self.names = [f"s{i}" for i in range(size)]
        self.vars: dict[str, str] = {}
        self.hooks: dict[str, str] = {}
        self.asides: dict[str, GenState] = {}
        self.outcomes = ("kept", "dropped") if entry == "sub" else ()
        # States that may be entered again: they count, so edges may lead back to them.
        self.counting = {n: rng.randint(1, 3) for n in self.names if rng.random() < 0.45}
        self.shared = rng.random() < 0.4

    def mark(self, state: str, part: str) -> str:
        return f"[{self.name}.{state}:{part}]"

    def target(self, index: int, *, forward: bool = False) -> str:
        """Where an edge of state number *index* may lead."""
        rng = self.rng
        later = [*self.names[index + 1 :], *END]
        if rng.random() < 0.6 and index + 1 < len(self.names):
            return self.names[index + 1]
        if not forward and self.counting and rng.random() < 0.5:
            return rng.choice(list(self.counting))
        if self.entry != "sub" and rng.random() < 0.05:
            return "hangup"
        return rng.choice(later)

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def make(self) -> GenFlow:
        rng = self.rng
        defaults = {name: rng.choice(END) for name in ("no_input", "no_match", "exhausted") if self.chance(0.6)}
        if self.chance(0.8):
            defaults["failed"] = "sorry"
        retry = (rng.randint(1, 2), self.mark("any", "ni"), self.mark("any", "nm")) if self.chance(0.4) else None
        if retry and self.chance(0.4):
            retry = (retry[0], retry[1], retry[1])
        states = {name: self.state(index, name, defaults) for index, name in enumerate(self.names)}
        states |= self.asides
        if self.entry == "sub":
            states["sorry"] = GenState("sorry", "return", ["return: dropped"])
            states["bye"] = GenState("bye", "return", ["return: kept"])
        else:
            last = {} if "failed" in defaults else {"failed": "hangup"}
            main = {"": "bye"} if not last else {"done": "bye", **last}
            states["sorry"] = GenState("sorry", "say", [f'say: "{self.mark("sorry", "q")}"'], main, main="done")
            states["bye"] = GenState("bye", "hangup", [f'say: "{self.mark("bye", "q")}"', "hangup: normal"])
        flow = GenFlow(
            self.name, self.entry, self.names[0], states, defaults, retry, self.vars, self.hooks, self.outcomes
        )
        flow.subflows = {}
        _end_used_up_loops(flow)
        _prune(flow)
        used = {state.fields[-1].removeprefix("use: ") for state in flow.states.values() if state.verb == "use"}
        flow.subflows = {name: sub for name, sub in self.subflows.items() if name in used}
        return flow

    def state(self, index: int, name: str, defaults: Mapping[str, str]) -> GenState:
        rng = self.rng
        verbs = ["say"] * 4 + ["gather"] * 3 + ["menu"] * 3 + ["run"] * 3 + ["choose"] * 2 + ["set", "bridge", "wait"]
        if self.subflows:
            verbs += ["use"] * 3
        verb = rng.choice(verbs)
        state: GenState = getattr(self, f"_{verb}")(index, name)
        if verb in ("gather", "menu", "bridge", "wait") and self.chance(0.25):
            state.fields.insert(0, f'say: "{self.mark(name, "pre")}"')
            if verb == "wait":
                self._answer(state, index, ["failed"], defaults)
        if name in self.counting:
            state.visits = self.counting[name]
            if self.shared and self.chance(0.5):
                # A shared counter must mean the same limit for everybody to be readable; the language does not ask it.
                state.counter = "shared"
            if self.chance(0.25) and state.counter == "" and index > 0:
                state.since = self.names[rng.randrange(index)]
        technical = {
            "say": ["failed"],
            "gather": ["no_input", "no_match", "failed"],
            "menu": ["no_input", "no_match", "failed"],
            "run": ["failed"],
            "bridge": ["no_answer", "failed"],
            "use": ["failed"],
        }
        self._answer(state, index, technical.get(verb, []), defaults)
        if state.visits:
            self._answer(state, index, ["exhausted"], defaults)
        return state

    def _answer(self, state: GenState, index: int, outcomes: list[str], defaults: Mapping[str, str]) -> None:
        for outcome in outcomes:
            if outcome not in defaults or self.chance(0.3):
                forward = outcome == "exhausted"
                state.next[outcome] = self.target(index, forward=forward)

    def _say(self, index: int, name: str) -> GenState:
        return GenState(name, "say", [f'say: "{self.mark(name, "q")}"'], {"": self.target(index)}, main="done")

    def _own_retry(self, name: str) -> tuple[int, str, str] | None:
        if self.chance(0.5):
            return None
        no_input = self.mark(name, "ni")
        return self.rng.randint(0, 2), no_input, no_input if self.chance(0.5) else self.mark(name, "nm")

    def _gather(self, index: int, name: str) -> GenState:
        size = self.rng.choice(["digits(4)", "digits(2..5)"])
        self.vars[f"d_{name}"] = size
        fields = [f"gather: d_{name}", f'prompt: "{self.mark(name, "q")}"']
        if size != "digits(4)" or self.chance(0.3):
            fields.append("finish_on: pound")
        state = GenState(name, "gather", fields, {"": self.target(index)}, main="done")
        state.retry = self._own_retry(name)
        return state

    def _menu(self, index: int, name: str) -> GenState:
        keys = self.rng.sample("123456789", self.rng.randint(1, 3))
        state = GenState(name, "menu", [f'menu: "{self.mark(name, "q")}"'], {}, {k: self.target(index) for k in keys})
        state.retry = self._own_retry(name)
        return state

    def _hook(self, name: str) -> GenState:
        rng = self.rng
        hook = f"h_{name}"
        self.vars[f"w_{name}"] = "one_of(red, green, blue)"
        self.hooks[hook] = (
            f"{{python: hooks.made:{hook}, outcomes: [{', '.join(HOOK_OUTCOMES)}], "
            f'gives: {{w_{name}: "one_of(red, green, blue)"}}, effect: read, budget: 100ms}}'
        )
        known = [var for var in self.vars if var != f"w_{name}"]
        args = rng.sample(known, min(len(known), rng.randint(0, 2)))
        return GenState(name, "run", [f"run: {hook}({', '.join(args)})"], main="good")

    def _run(self, index: int, name: str) -> GenState:
        rng = self.rng
        state = self._hook(name)
        state.next = {o: self.target(index) for o in HOOK_OUTCOMES}
        if self.chance(0.35):
            state.limits = [f"bad: {rng.randint(1, 3)} per call"]
            state.next["limited"] = self.target(index, forward=True)
        return state

    def _choose(self, index: int, name: str) -> GenState:
        rng = self.rng
        tests = []
        for var, kind in self.vars.items():
            if kind.startswith("digits"):
                tests += [f'{var} is "1234"', var, f"not {var}", f'{var} starts with "2"']
            elif kind.startswith("one_of"):
                tests += [f'{var} is "{rng.choice(WORDS)}"', f'{var} in "red, green"', f'{var} is not "red"']
            elif kind.startswith("boolean"):
                tests += [var, f"not {var}"]
            else:
                tests += [f"{var} >= {rng.randint(0, 2)}", f"{var} is {rng.randint(0, 2)}"]
        if not tests:
            return self._set(index, name)
        cases = rng.sample(tests, min(len(tests), rng.randint(1, 2)))
        fields = ["choose:", *[f"  c{i}: {test}" for i, test in enumerate(cases)]]
        next_ = {f"c{i}": self.target(index) for i in range(len(cases))} | {"other": self.target(index)}
        return GenState(name, "choose", fields, next_, main="c0")

    def _set(self, index: int, name: str) -> GenState:
        rng = self.rng
        self.vars.setdefault("flag", "boolean")
        self.vars.setdefault("count", "number = 0")
        options = ["flag: true", "flag: false", "flag: unset", "count: count + 1", "count: 2"]
        options += [f"{var}: unset" for var, kind in self.vars.items() if kind.startswith("digits")]
        return GenState(name, "set", [f"set: {{{rng.choice(options)}}}"], {"": self.target(index)}, main="done")

    def _bridge(self, index: int, name: str) -> GenState:
        # `ended` leads on sometimes; otherwise the built-in answer hangs up.
        state = GenState(name, "bridge", ["bridge: env.SALES", f"ring_for: {20 + index}s"], {}, main="ended")
        if self.chance(0.6):
            state.next["ended"] = self.target(index)
        if self.chance(0.3):
            state.fields.append(f"connected: {self._aside(name, 'x')}")
        if self.chance(0.5) and name not in self.counting:  # there `visits` would count the keys
            keys = self.rng.sample("123456789", self.rng.randint(1, 2))
            state.keys = {key: self._aside(name, key) for key in keys}
        return state

    def _aside(self, base: str, which: str) -> str:
        """A state that runs while the bridge called *base* is connected, and goes back to it."""
        rng, name = self.rng, f"{base}_{which}"
        verb = rng.choice(["say", "say", "set", "run"])
        if verb == "say":
            state = GenState(name, verb, [f'say: "{self.mark(name, "q")}"'], {"": "back"}, main="done")
            if self.chance(0.3):
                state.next = {"done": "back", "failed": "back"}
        elif verb == "set":
            self.vars.setdefault("flag", "boolean")
            self.vars.setdefault("count", "number = 0")
            value = rng.choice(["flag: true", "flag: unset", "count: count + 1"])
            state = GenState(name, verb, [f"set: {{{value}}}"], {"": "back"}, main="done")
        else:
            state = self._hook(name)
            state.next = dict.fromkeys(HOOK_OUTCOMES, "back")
        self.asides[name] = state
        return name

    def _wait(self, index: int, name: str) -> GenState:
        state = GenState(name, "wait", [f"wait: {1000 + index * 10}ms"], {"": self.target(index)}, main="done")
        if self.chance(0.4):
            state.keys = {self.rng.choice("123456789"): self.target(index)}
        return state

    def _use(self, index: int, name: str) -> GenState:
        sub = self.subflows[self.rng.choice(list(self.subflows))]
        state = GenState(name, "use", [f"use: {sub.name}"], {}, main=sub.outcomes[0])
        state.next = {outcome: self.target(index) for outcome in sub.outcomes}
        return state


def edges(flow: GenFlow, name: str) -> dict[str, str]:
    """Targets of a state by outcome, defaults included (what pruning needs; the machine has its own reading)."""
    state = flow.states[name]
    out = {outcome or state.main: target for outcome, target in state.next.items() if target != "back"}
    out |= {line.partition(": ")[0]: line.partition(": ")[2] for line in state.fields if line.startswith("connected: ")}
    asked = [] if state.verb in ("choose", "set", "return") else ["failed"]
    if state.verb in ("gather", "menu"):
        asked += ["no_input", "no_match"]
    if state.visits:
        asked.append("exhausted")
    for outcome in asked:
        if outcome in flow.defaults:
            out.setdefault(outcome, flow.defaults[outcome])
    out.update({f"key {key}": target for key, target in state.keys.items()})
    return out


def _end_used_up_loops(flow: GenFlow) -> None:
    """Let no loop consist of used-up states only: there `exhausted` would lead round for ever."""

    def after(name: str) -> list[str]:
        leads = edges(flow, name)
        counts = "exhausted" in leads and not flow.states[name].since  # a count that starts again ends nothing
        return [leads["exhausted"]] if counts else list(leads.values())

    for name, state in flow.states.items():
        if state.visits and "exhausted" in state.next:
            todo, seen = after(name), set[str]()
            while todo:
                other = todo.pop()
                if other in flow.states and other not in seen:
                    seen.add(other)
                    todo += after(other)
            if name in seen:
                state.next["exhausted"] = "bye"


def _prune(flow: GenFlow) -> None:
    """Leave out states that no call can reach, and what only they used."""
    reached: set[str] = set()
    todo = [flow.start]
    while todo:
        name = todo.pop()
        if name in reached or name not in flow.states:
            continue
        reached.add(name)
        todo += edges(flow, name).values()
    flow.states = {name: state for name, state in flow.states.items() if name in reached}
    for state in flow.states.values():
        if state.since and state.since not in flow.states:
            state.since = ""
    text = "\n".join(line for state in flow.states.values() for line in state.fields)
    flow.hooks = {name: spec for name, spec in flow.hooks.items() if f"{name}(" in text}
    flow.vars = {name: kind for name, kind in flow.vars.items() if name in text or f"h_{name[2:]}" in flow.hooks}
    flow.defaults = {
        name: target for name, target in flow.defaults.items() if target in flow.states or target == "hangup"
    }


def make_flow(rng: Random) -> GenFlow:
    """A flow with none, one or two sub-flows."""
    subflows = {}
    for number in range(rng.choice((0, 0, 1, 2))):
        sub = _Maker(rng, f"part{number}", "sub", {}, rng.randint(1, 3)).make()
        subflows[sub.name] = sub
    return _Maker(rng, "main", "inbound", subflows, rng.randint(3, 9)).make()
