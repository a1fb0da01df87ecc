"""Play one call of a calls file in virtual time: its caller on the virtual network, its flow in process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sma_flows.errors import SmaFlowsError
from sma_flows.runtime.ask import Secret
from sma_flows.runtime.invoke import Result, handle
from sma_flows.simulator.driver import Phone
from sma_flows.simulator.messages import BotResult, Callee, HangUp, Hears, MeetingEnds, OutboundCall, Talk
from sma_flows.simulator.model import World as Service
from sma_flows.testing.heard import Ear, Heard, difference
from sma_flows.testing.script import CallScript, Step, shown
from sma_flows.testing.world import World, open_world

__all__ = ["CallFailedError", "Played", "play_call"]

QUESTIONS: Final = ("SpeakAndGetDigits", "PlayAudioAndGetDigits")
MOST_TICKS: Final = 10_000
"""More timers than that in one step: the call goes in circles."""

CALLER_STEPS: Final = ("press", "silence", "speak", "bot", "callee", "callee_press", "meeting", "hangup", "update")


class CallFailedError(SmaFlowsError):
    """A call did not go as its script says: ``where`` is file:line of the step, then why, and what happened so far."""

    def __init__(self, where: str, step: str, why: str, transcript: list[str]) -> None:
        self.where, self.step, self.why, self.transcript = where, step, why, transcript
        lines = "\n".join(f"  | {line}" for line in transcript)
        super().__init__(f"{where}: {step}\n  {why}\n{lines}")


@dataclass(frozen=True, slots=True)
class Played:
    """A call that went as its script says."""

    transcript: tuple[str, ...]
    events: int
    seconds: float


def play_call(flow: Path, script: CallScript) -> Played:
    """Play a call to its end.

    Raises:
        CallFailedError: at the first step that does not fit.
        UnplayableError: the flow cannot run at all.
    """
    world = open_world(flow, script)
    try:
        return _Player(world, script).play()
    finally:
        world.close()


@dataclass
class _Player:
    world: World
    script: CallScript
    phone: Phone = field(init=False)
    results: list[tuple[str, Result]] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    read: int = 0
    at: Step | None = None
    free: bool = False
    spoke: bool = False
    broken: bool = False

    def __post_init__(self) -> None:
        self.ear = Ear(self.world.plan)
        moment = self.script.at
        service = Service(
            started_ms=round(moment.timestamp() * 1000),
            day=f"{moment:%Y/%m/%d}",
            numbers=frozenset(filter(None, (self.script.to, self.script.from_, *self.world.program.env.values()))),
        )
        self.whole = service
        self.phone = Phone(self._answer, world=service, switches=self.script.switches)

    def play(self) -> Played:
        """The whole call."""
        self._start()
        for step in self.script.steps:
            self.at = step
            self._listen()
            if step.kind in CALLER_STEPS and not self.free:
                self._rest()
            if step.kind in CALLER_STEPS:
                self.heard.clear()
                self._note(f"> {step}")
            self.free = step.kind in ("wait", "speak")
            _STEPS[step.kind](self, step.value)
            self._listen()
            self._sound()
        self._end()
        return Played(tuple(self.lines), len(self.results), self.phone.now_ms / 1000)

    # ---- the function ----------------------------------------------------------------------------------------------

    def _answer(self, event: dict[str, Any]) -> object:
        if self.broken and event["InvocationEventType"] == "ACTION_FAILED":
            self.broken = False
            self.phone.network = replace(self.phone.network, world=self.whole)
        text = json.dumps(event)
        now = self.script.at + timedelta(milliseconds=self.phone.now_ms)
        self.world.clock.at = now
        result = handle(self.world.program, json.loads(text), now=now, services=self.world)
        self.results.append((text, result))
        if result.values:
            self.variables = dict(result.values)
            for value in result.values.values():
                if isinstance(value, Secret):
                    self.world.secrets.add(value.reveal())
        self._event(event, result)
        if result.fault:
            self.world.problems.append(f"the runtime failed: {result.fault}")
        return json.loads(json.dumps(result.response))

    def _event(self, event: Mapping[str, Any], result: Result) -> None:
        kind = str(event.get("InvocationEventType"))
        data = event.get("ActionData") or {}
        action = str(data.get("Type", "")) if kind.startswith("ACTION") else ""
        error = str(data.get("ErrorType") or data.get("Error") or "")
        went = f"{result.before} -> {result.after}" if str(result.before) != str(result.after) else str(result.after)
        ran = ", ".join(ask.name or ask.port for ask in result.asks)
        words = " ".join(filter(None, (kind, action, error)))
        self._note(f"{words:<46} {went}" + (f"  (ran {ran})" if ran else ""))

    # ---- time and sound --------------------------------------------------------------------------------------------

    def _tick(self) -> bool:
        """Let the next thing happen; False when nothing will happen by itself."""
        ahead = self.phone.network.next_ms
        if self.phone.over or ahead is None:
            return False
        self.phone.wait(ahead)
        self._listen()
        return True

    def _rest(self) -> None:
        """Let time pass until the caller has heard everything and it is somebody else's turn."""
        for _ in range(MOST_TICKS):
            self._listen()
            if self._resting() or not self._tick():
                self._sound()
                return
        self._fail("the call goes in circles and never asks anybody anything")

    def _resting(self) -> bool:
        """It is the turn of a person: keys are awaited, something is recorded, two parties talk, somebody is called."""
        network = self.phone.network
        if self.phone.over:
            return True
        if network.queue or network.delivered or any(one.buffer for one in network.listeners):
            return False
        running = network.running
        if running is None:
            return bool(network.joined) and not network.rest
        if running.action.type != "RecordAudio":
            self.spoke = False
        kind = running.action.type
        if kind in QUESTIONS:
            return running.phase == "collect" and not running.digits
        if kind == "RecordAudio":
            return not self.spoke
        return kind in ("StartBotConversation", "CallAndBridge")

    def _last_sound(self, leg: str = "LEG-A") -> str:
        for entry in reversed(self.phone.transcript):
            if entry.kind == "output" and isinstance(entry.value, Hears) and entry.value.leg == leg:
                return entry.value.what
        return ""

    def _listen(self) -> None:
        """What the caller has heard since the last look."""
        entries = self.phone.transcript[self.read :]
        self.read += len(entries)
        for entry in entries:
            if entry.kind != "output" or not isinstance(entry.value, Hears) or entry.value.leg != "LEG-A":
                continue
            sound = entry.value
            if sound.what == "speech":
                new = self.ear.text(sound.text)
            elif sound.what == "bot":
                new = self._welcome()
            elif sound.what in ("audio", "ringback") and "/" in sound.text:
                new = [self.ear.file(sound.text.partition("/")[2], self.variables)]
            else:
                new = []
            self.heard += new
            for each in new:
                self._note(f"hears {each}", entry.at_ms)

    def _welcome(self) -> list[Heard]:
        """What a bot says first."""
        started = [a for _, result in self.results for a in result.actions if a["Type"] == "StartBotConversation"]
        messages = (started[-1]["Parameters"].get("Configuration") or {}).get("WelcomeMessages") if started else ()
        return [heard for message in messages or () for heard in self.ear.text(str(message.get("Content", "")))]

    def _sound(self) -> None:
        if self.world.problems:
            self._fail(self.world.problems[0])
        network = self.phone.network
        if network.idle and not network.joined and not network.listeners and not self.phone.over:
            self._fail("stuck: nobody is asked anything, no timer runs, and the call is not over")

    def _note(self, words: str, at_ms: int | None = None) -> None:
        at = self.phone.now_ms if at_ms is None and hasattr(self, "phone") else at_ms or 0
        self.lines.append(f"{at / 1000:8.1f} s  {words}")

    def _fail(self, why: str) -> None:
        step = self.at
        span = step.span if step else self.script.span
        self.lines.append(f"{'>>>':>10}  {step or self.script.name}: {why}")
        raise CallFailedError(f"{span.file}:{span.line}", str(step or self.script.name), why, self.lines)

    # ---- begin and end ---------------------------------------------------------------------------------------------

    def _start(self) -> None:
        script = self.script
        if script.inputs is None:
            self.phone.dial_in(script.from_, script.to, dict(script.headers))
            return
        arguments = tuple((name, _text(value)) for name, value in script.inputs.items())
        self.phone.dial_out(OutboundCall(script.to, script.from_, arguments, tuple(script.headers.items())))
        how, after = script.answer
        if how == "answers":
            self.phone.send(Callee("rings"))
            self.phone.wait(round(after * 1000))
            self.phone.send(Callee("answers"))
        else:
            self.phone.send(Callee("busy" if how == "busy" else "no_answer"))
            self.phone.settle()

    def _end(self) -> None:
        self.at = None
        if not self.phone.over:
            self._rest()
        for leg in ("LEG-A", "LEG-B"):
            there = self.phone.network.leg(leg)
            if not self.phone.over and there is not None and not there.gone:
                self._note(f"> {'caller' if leg == 'LEG-A' else 'callee'} hangs up (the script is over)")
                self.phone.send(HangUp(leg))
                self.phone.settle()
        self._listen()
        if self.world.problems:
            self._fail(self.world.problems[0])
        if not self.phone.over:
            self._fail("stuck: everybody has left, and the call is not over")
        self._totals(self.script.expect)

    def _totals(self, wanted: Mapping[str, Any]) -> None:
        if "ends_in" in wanted:
            states = [state for _, result in self.results for state in (result.after.state, result.after.base) if state]
            last = [result for _, result in self.results if result.after.state]
            ends = {last[-1].after.state, last[-1].after.base} if last else set()
            if wanted["ends_in"] not in ends:
                self._fail(f"the call ends in {states[-1] if states else 'no state'}, not in {wanted['ends_in']}")
        self._counts(wanted.get("calls", {}))
        self._variables(wanted.get("var", {}))
        if "secrets_seen" in wanted:
            self._secrets()

    def _secrets(self) -> None:
        sinks = [*self.lines, *(json.dumps(result.response) for _, result in self.results)]
        sinks = [line for line in sinks if "> press" not in line]
        for secret in self.world.secrets:
            whole = re.compile(rf"(?<![0-9A-Za-z]){re.escape(secret)}(?![0-9A-Za-z])")
            if len(secret) > 3 and any(whole.search(sink) for sink in sinks):
                self._fail("a secret is seen in an answer or in the transcript")

    # ---- steps -----------------------------------------------------------------------------------------------------

    def hear(self, wanted: list[Any]) -> None:
        self._rest()
        heard, self.heard = self.heard, []
        place = difference(wanted, heard)
        if place is None:
            return
        first = shown(wanted[place]) if place < len(wanted) else "nothing more"
        instead = str(heard[place]) if place < len(heard) else "nothing"
        list_ = ", ".join(map(str, heard)) or "nothing"
        self._fail(f"expected to hear {first}, heard {instead}; all that was heard: {list_}")

    def press(self, keys: str) -> None:
        self.phone.press(keys)

    def callee_press(self, keys: str) -> None:
        self.phone.press(keys, leg="LEG-B")

    def silence(self, times: int) -> None:
        for _ in range(times):
            self._rest()
            before = self.phone.network.running
            if before is None or before.action.type not in QUESTIONS:
                self._fail("nothing is asked, so there is nothing to be silent about")
            self.heard.clear()
            while self.phone.network.running == before and self._tick():
                pass

    def speak(self, length: float) -> None:
        running = self.phone.network.running
        if running is None or running.action.type != "RecordAudio":
            self._fail("nothing is being recorded")
        self.spoke = True
        self.phone.send(Talk(round(length * 1000)))
        self.phone.wait(round(length * 1000))

    def bot(self, result: Any) -> None:
        running = self.phone.network.running
        if running is None or running.action.type != "StartBotConversation":
            self._fail("no bot is talking with the caller")
        if result == "failed":
            self.phone.send(BotResult(error="SystemException", message="System error while running action"))
            return
        slots = tuple(
            (name, None if value in ("unset", "") else value) for name, value in result.get("slots", {}).items()
        )
        attributes = tuple(result.get("attributes", {}).items())
        self.phone.send(
            BotResult(result["intent"], result.get("state", "ReadyForFulfillment"), slots=slots, attributes=attributes)
        )

    def callee(self, does: str) -> None:
        if does == "hangs_up":
            self._hang_up("LEG-B")
        elif does == "answers":
            self.phone.send(Callee("answers"))
        elif does == "busy":
            self.phone.send(Callee("busy"))
        else:
            self.phone.send(Callee("no_answer"))
            before = self.phone.network.running
            while before is not None and self.phone.network.running == before and self._tick():
                pass

    def meeting(self, _ends: str) -> None:
        self.phone.send(MeetingEnds())

    def update(self, arguments: Mapping[str, Any]) -> None:
        self.phone.update({name: _text(value) for name, value in arguments.items()})

    def wait(self, length: float) -> None:
        self.phone.wait(round(length * 1000))

    def repeat(self, _event: str) -> None:
        """The service sends an event again when it got no answer in time: the same answer must come."""
        if not self.results:
            self._fail("no event was sent yet")
        text, before = self.results[-1]
        again = handle(self.world.program, json.loads(text), now=self.world.clock.at, services=self.world)
        if again.response != before.response:
            self._fail("the repeated event is answered differently")

    def hangup(self, who: str) -> None:
        self._hang_up("LEG-A" if who == "caller" else "LEG-B")

    def _hang_up(self, leg: str) -> None:
        there = self.phone.network.leg(leg)
        if there is None or there.gone:
            self._fail("that party is not on the line")
        self.phone.send(HangUp(leg))

    def fail(self, verb: str) -> None:
        """From now on the service cannot do this, until it has failed once."""
        network = self.phone.network
        self.phone.network = replace(network, world=replace(network.world, **_BROKEN[verb]))
        self.broken = True

    def expect(self, wanted: Any) -> None:
        self._rest()
        if isinstance(wanted, str):
            if not self._situation(wanted):
                self._fail(f"the call is not {wanted}")
            return
        if "dialled" in wanted or "headers" in wanted:
            self._dialled(wanted)
        self._counts(wanted.get("calls", {}))
        self._variables({key: value for key, value in wanted.items() if key not in ("dialled", "headers", "calls")})

    def _situation(self, wanted: str) -> bool:
        network = self.phone.network
        if wanted == "hung_up":
            return self.phone.over
        if wanted == "recording":
            return network.running is not None and network.running.action.type == "RecordAudio"
        if wanted == "on_hold":
            return not network.joined and self._last_sound() in ("audio", "ringback")
        return network.joined.startswith("meeting" if wanted == "in_meeting" else "bridge")

    def _dialled(self, wanted: Mapping[str, Any]) -> None:
        calls = [a for _, result in self.results for a in result.actions if a["Type"] == "CallAndBridge"]
        if not calls:
            self._fail("nobody was dialled")
        parameters: Mapping[str, Any] = calls[-1]["Parameters"]
        number = parameters["Endpoints"][0]["Uri"]
        if "dialled" in wanted and number != wanted["dialled"]:
            self._fail(f"{number} was dialled, not {wanted['dialled']}")
        sent = parameters.get("SipHeaders") or {}
        for name, value in wanted.get("headers", {}).items():
            if sent.get(name) != value:
                self._fail(f"the header {name} is {sent.get(name, 'not sent')}, not {value}")

    def _counts(self, wanted: Mapping[str, str]) -> None:
        for hook, times in wanted.items():
            if self.world.ran[hook] != int(times):
                self._fail(f"the hook {hook} ran {self.world.ran[hook]} times, not {times}")

    def _variables(self, wanted: Mapping[str, Any]) -> None:
        for name, value in wanted.items():
            got = _text(self.variables.get(name))
            if got != shown(value):
                self._fail(f"the variable {name} is {got}, not {shown(value)}")


def _text(value: Any) -> str:
    """A value as scripts write it."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if not isinstance(value, Mapping | list) else shown(value)


class _Everything(frozenset[str]):
    """Holds whatever one asks for."""

    def __contains__(self, _one: object) -> bool:
        return True


_EVERYTHING: Final = _Everything()

_BROKEN: Final[Mapping[str, Mapping[str, Any]]] = {
    "say": {"speech_error": "SystemException"},
    "gather": {"speech_error": "SystemException"},
    "menu": {"speech_error": "SystemException"},
    "bridge": {"calls": 10},
    "bot": {"bots_throttled": True},
    "play": {"missing_audio": _EVERYTHING},
    "record": {"unwritable": _EVERYTHING},
    "join_meeting": {"dead_tokens": _EVERYTHING},
}
"""How the service is broken, so that the next action of a verb fails."""

_STEPS: Final[Mapping[str, Callable[[_Player, Any], None]]] = {
    "hear": _Player.hear,
    "press": _Player.press,
    "silence": _Player.silence,
    "speak": _Player.speak,
    "bot": _Player.bot,
    "callee": _Player.callee,
    "callee_press": _Player.callee_press,
    "meeting": _Player.meeting,
    "update": _Player.update,
    "wait": _Player.wait,
    "fail": _Player.fail,
    "repeat": _Player.repeat,
    "hangup": _Player.hangup,
    "expect": _Player.expect,
}
