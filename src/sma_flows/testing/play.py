"""Play one call of a calls file in virtual time: its caller on the virtual network, its flow wherever it answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from sma_flows.errors import SmaFlowsError
from sma_flows.simulator.fidelity import doubts
from sma_flows.simulator.meetings import Meetings
from sma_flows.simulator.messages import BotResult, Callee, HangUp, MeetingEnds, OutboundCall, Talk
from sma_flows.simulator.parties import Party, party_of
from sma_flows.simulator.storage import Storage
from sma_flows.simulator.wav import NotPlayableError, read_header
from sma_flows.testing.fresh import Fresh
from sma_flows.testing.heard import difference, visible
from sma_flows.testing.hidden import Disguising, disguised, disguised_pairs, hides, in_words, undisguised
from sma_flows.testing.meetings import SimulatedMeetings, with_meetings
from sma_flows.testing.script import ANSWERED, CallScript, Step, shown
from sma_flows.testing.script_parties import beside
from sma_flows.testing.session import QUESTIONS, Session, service_of
from sma_flows.testing.targets import InProcess, Rehearsed, Target, Turn
from sma_flows.testing.visits import Visit
from sma_flows.testing.world import UnplayableError, World, WorldSpec, world_of

__all__ = ["CallFailedError", "Played", "Player", "by_value", "play_call", "unplayable_at"]

T = TypeVar("T")

MOST_ACTS: Final = 1_000
"""More things that parties do by themselves, in one step of a script, are a circle."""

CALLER_STEPS: Final = (
    "press",
    "silence",
    "speak",
    "bot",
    "say_to_bot",
    "callee",
    "callee_press",
    "meeting",
    "hangup",
    "update",
)


class CallFailedError(SmaFlowsError, AssertionError):
    """A call did not go as its script says: ``where`` is file:line of the step, then why, and what happened so far."""

    def __init__(self, where: str, step: str, why: str, transcript: list[str]) -> None:
        self.where, self.step, self.why, self.transcript = where, step, why, transcript
        lines = "\n".join(f"  | {line}" for line in transcript)
        super().__init__(visible(f"{where}: {step}\n  {why}\n{lines}"))


@dataclass(frozen=True, slots=True)
class Played:
    """A call that went as its script says.

    ``left_out`` says what was not looked at, because the function that answered does not tell it; ``notes`` what its
    author should know of the audio files, and of a function elsewhere that was late.
    """

    transcript: tuple[str, ...]
    turns: tuple[Turn, ...]
    seconds: float
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def events(self) -> int:
        """How many events the function got."""
        return len(self.turns)


def play_call(
    flow: Path,
    script: CallScript,
    *,
    target: Target | None = None,
    fresh: bool = False,
    on_turn: Callable[[Turn], None] | None = None,
    on_visits: Callable[[frozenset[Visit]], None] | None = None,
    recordings: Path | None = None,
) -> Played:
    """Play a call to its end: in process, with *fresh* in a new process for each event, or against *target*.

    *on_visits* gets what the call came by in its flow, also of a call that failed; of a *target* there is nothing.
    What is recorded is written below the folder *recordings*, or nowhere.

    Raises:
        CallFailedError: at the first step that does not fit.
        UnplayableError: the flow cannot run at all.
        TargetError: nobody answers at *target*.
    """
    spec = replace(world_of(flow, script), watched=on_visits is not None)
    if isinstance(target, Rehearsed):
        world = spec.open()
        try:
            return _play(Player(spec, script, target.of(world, spec.values), world, on_turn, recordings), on_visits)
        finally:
            world.close()
    if target is not None:
        return _play(Player(spec, script, target, None, on_turn, recordings), on_visits)
    if fresh:
        with Fresh(spec) as one:
            return _play(Player(spec, script, one, one.world, on_turn, recordings), on_visits)
    world = spec.open()
    try:
        return _play(Player(spec, script, InProcess(world), world, on_turn, recordings), on_visits)
    finally:
        world.close()


def _play(player: Player, on_visits: Callable[[frozenset[Visit]], None] | None) -> Played:
    try:
        return player.play()
    finally:
        if on_visits is not None:
            on_visits(player.session.trail.visits)


def unplayable_at(target: Target | None, script: CallScript) -> str:
    """Why a call cannot be played against *target*: empty when it can."""
    if target is None or target.scripted:
        return ""
    if script.stubs:
        return f"the script says what {', '.join(script.stubs)} answers, and the function has hooks of its own"
    return "the script says what time it is, and the function has a clock of its own" if script.timed else ""


class Player:
    """Plays a call step by step: :meth:`start`, :meth:`do` for each step, :meth:`end`; or :meth:`play` for all of it.

    ``world`` is None where the function's hooks and clock are its own. Steps that are not in the script may be done
    too: whoever holds the telephone decides. ``disguise`` says what is typed or sent in the place of what is
    hidden (:mod:`sma_flows.testing.twins`).
    """

    def __init__(
        self,
        spec: WorldSpec,
        script: CallScript,
        target: Target,
        world: World | None,
        on_turn: Callable[[Turn], None] | None = None,
        recordings: Path | None = None,
    ) -> None:
        self.script = script
        self.flow = spec.flow
        self.world = world
        self.at: Step | None = None
        self.disguise: Disguising = undisguised
        self.free = False
        self._told = ""
        self.left_out: list[str] = []
        self.parties = by_value(script.parties, spec.values, "parties")
        self.storage = Storage(Path(script.span.file).parent, spec.root, into=recordings)
        self.meetings = _meetings(world, script) if world is not None and isinstance(target, InProcess) else None
        numbers = (script.to, script.from_, *spec.values.values())
        self.session = Session(
            target,
            spec.plan.flow(spec.flow),
            at=script.at,
            service=service_of(script.at, numbers, f"{spec.flow} {script.name}"),
            switches=script.switches,
            parties=self.parties,
            bots=by_value(script.bots, spec.values, "bots"),
            storage=self.storage,
            meetings=self.meetings,
            on_turn=on_turn,
        )
        self.phone = self.session.phone

    def play(self) -> Played:
        """The whole call.

        Raises:
            CallFailedError: at the first step that does not fit.
        """
        self.start()
        for step in self.script.steps:
            self.do(step)
        self.end()
        session, seconds = self.session, self.phone.now_ms / 1000
        late = (f"{self.script.name}: {session.late}",) if session.late else ()
        told = (tuple(self.left_out), self.storage.notes + late)
        return Played(tuple(session.lines), tuple(session.turns), seconds, *told)

    def do(self, step: Step) -> None:
        """One step: whoever it is first listens to the end, then does it.

        Raises:
            CallFailedError: the step does not fit.
        """
        self.at = step
        self._told = in_words(
            step, self.session, hidden=hides(self.session.plan)
        )  # nobody knows yet what will be asked
        self._check()
        if step.kind in CALLER_STEPS:
            if not self.free:
                self.rest(by_hand=step.kind == "callee" and step.value != "hangs_up")
            self.session.heard.clear()
            step = self.at = disguised(step, self.session, self.disguise)
            self._told = in_words(step, self.session, hidden=bool(self.session.asks_for))
            self.session.note(f"> {self._told}")
        self.free = step.kind in ("wait", "speak")
        try:
            _STEPS[step.kind](self, step.value)
        except ValueError as error:  # the service has nobody who could do that now
            self._fail(str(error))
        self._check()
        self._sound()

    # ---- between the steps -----------------------------------------------------------------------------------------

    def _check(self) -> None:
        self.session.listen()
        if self.session.unreachable is not None:
            raise self.session.unreachable

    def rest(self, *, by_hand: bool = False) -> None:
        """Let time pass until the caller has heard everything and it is somebody else's turn.

        A party that acts by itself is waited for until it has answered or refused; *by_hand*: not even that.

        Raises:
            CallFailedError: the call goes in circles, is stuck, or a hook or the runtime failed in a way it must not.
        """
        if not self.session.rest(by_hand=by_hand):
            self._fail("the call goes in circles and never asks anybody anything")
        self._check()
        self._sound()

    def _go_on(self, wanted: Callable[[], bool]) -> None:
        """While *wanted* is true and a party will do something by itself: wait for that, and for what comes of it."""
        for _ in range(MOST_ACTS):
            if not wanted() or not self.session.until_act():
                return
            self.rest(by_hand=True)
        self._fail("the called parties never come to an end")

    def _sound(self) -> None:
        fault = next((turn.fault for turn in self.session.turns if turn.fault), "")
        if fault:
            self._fail(f"the runtime failed: {fault}")
        if self.world is not None and self.world.problems:
            self._fail(self.world.problems[0])
        if self.session.stuck:
            self._fail("stuck: nobody is asked anything, no timer runs, and the call is not over")

    def _fail(self, why: str) -> None:
        raise self.failure(why)

    def failure(self, why: str) -> CallFailedError:
        """What is raised when the step that is done now fails: for reports."""
        step = self.at
        span = step.span if step else self.script.span
        told = self._told if step else self.script.name
        first = why.partition("\n")[0]
        lines = [*self.session.lines, f"{'>>>':>10}  {told}: {first}"]
        return CallFailedError(f"{span.file}:{span.line}", told, why, lines)

    # ---- begin and end ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """The call begins: dialled, or placed and answered as the script says."""
        script = self.script
        if script.inputs is None:
            self.phone.dial_in(script.from_, script.to, dict(script.headers))
            return
        given = {"flow": self.flow, **script.inputs}  # which outbound flow is meant: `dial` sends it, too
        texts = {name: _text(value) for name, value in given.items()}
        arguments = tuple(disguised_pairs(texts, self.session.plan.get("vars", {}), self.disguise).items())
        call = OutboundCall(script.to, script.from_, arguments, tuple(script.headers.items()))
        said = script.answer is not None or party_of(self.parties, script.to) is None
        self.phone.dial_out(call, _answering(script.answer) if said else None)
        while self.phone.ringing("LEG-A") and self.session.tick():
            pass
        if not self.phone.connected("LEG-A"):
            self.phone.settle()

    def end(self, totals: Mapping[str, Any] | None = None, *, hang_up: bool = True) -> None:
        """Everybody who is still there hangs up, and *totals* (of the script unless given) are looked at.

        Without *hang_up* nobody may be there any more.

        Raises:
            CallFailedError: the call does not end, somebody is still there, or a total differs.
        """
        self.at = None
        if not self.phone.over:
            self.rest()
            self._go_on(lambda: not self.phone.over)
        for leg in ("LEG-A", "LEG-B"):
            there = self.phone.network.leg(leg)
            if not self.phone.over and there is not None and not there.gone:
                if not hang_up:
                    self._fail(f"{'the caller' if leg == 'LEG-A' else 'the callee'} is still on the line")
                self.session.note(f"> {'caller' if leg == 'LEG-A' else 'callee'} hangs up (the script is over)")
                self.phone.send(HangUp(leg))
                self.phone.settle()
        self._check()
        if self.world is not None and self.world.problems:
            self._fail(self.world.problems[0])
        if not self.phone.over:
            self._fail("stuck: everybody has left, and the call is not over")
        self._totals(self.script.expect if totals is None else totals)
        self._sources()

    def _totals(self, wanted: Mapping[str, Any]) -> None:
        if "ends_in" in wanted and wanted["ends_in"] not in self.session.last_states:
            states = self.session.states
            self._fail(f"the call ends in {states[-1] if states else 'no state'}, not in {wanted['ends_in']}")
        self._counts(wanted.get("calls", {}))
        self._variables(wanted.get("var", {}))
        if "secrets_seen" in wanted:
            self._secrets()

    def _sources(self) -> None:
        """A strict call may lean on nothing that nobody has documented or seen."""
        accepted = self.script.strict
        if accepted is None:
            return
        found = [fact for fact in doubts(self.phone.leaned_on()) if fact.key not in accepted]
        if found:
            lines = [f"{fact.source}: [{fact.key}] {fact.says}" for fact in found]
            self._fail("\n    ".join(["the call leans on what nobody has documented or seen", *lines]))

    def _secrets(self) -> None:
        sinks = [*self.session.lines, *(turn.response for turn in self.session.turns)]
        sinks = [line for line in sinks if "> press" not in line]
        secrets = self.session.secrets | (self.world.secrets if self.world is not None else set())
        for secret in secrets:
            whole = re.compile(rf"(?<![0-9A-Za-z]){re.escape(secret)}(?![0-9A-Za-z])")
            if len(secret) > 3 and any(whole.search(sink) for sink in sinks):
                self._fail("a secret is seen in an answer or in the transcript")

    # ---- steps -----------------------------------------------------------------------------------------------------

    def _hear(self, wanted: list[Any]) -> None:
        self.rest(by_hand=True)
        self._go_on(lambda: len(self.session.heard) == difference(wanted, self.session.heard))
        heard, self.session.heard = self.session.heard, []
        place = difference(wanted, heard)
        if place is None:
            return
        first = shown(wanted[place]) if place < len(wanted) else "nothing more"
        instead = str(heard[place]) if place < len(heard) else "nothing"
        list_ = ", ".join(map(str, heard)) or "nothing"
        self._fail(f"expected to hear {first}, heard {instead}; all that was heard: {list_}")

    def _press(self, keys: str) -> None:
        self.phone.press(keys)

    def _callee_press(self, keys: str) -> None:
        self.phone.press(keys, leg="LEG-B")

    def _silence(self, times: int) -> None:
        for _ in range(times):
            self.rest()
            if self.phone.bot.now is not None and self.session.running == "StartBotConversation":
                self.phone.keep_silent()
                continue
            before = self.phone.network.running
            if before is None or before.action.type not in QUESTIONS:
                self._fail("nothing is asked, so there is nothing to be silent about")
            self.session.heard.clear()
            while self.phone.network.running == before and self.session.tick():
                pass

    def _speak(self, said: float | str) -> None:
        """Talk for so many seconds, or say what is in a WAV file beside the calls file."""
        if self.session.running != "RecordAudio":
            self._fail("nothing is being recorded")
        talk = Talk(round(said * 1000)) if isinstance(said, float) else self._spoken(said)
        self.session.spoke()
        self.phone.send(talk)
        self.phone.wait(talk.ms)

    def _spoken(self, name: str) -> Talk:
        path = beside(self.script.span.file, name)
        try:
            return Talk(read_header(path).ms, file=str(path))
        except NotPlayableError as error:
            self._fail(f"'{name}' cannot be spoken: {error}")
            raise

    def _bot(self, result: Any) -> None:
        if self.session.running != "StartBotConversation":
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

    def _say_to_bot(self, words: list[str]) -> None:
        for one in words:
            self.rest()
            if self.session.running != "StartBotConversation":
                self._fail("no bot is talking with the caller")
            if self.phone.bot.now is None:
                self._fail(
                    "nobody knows what this bot understands: name its export with `bots:`, or write `bot: {...}`"
                )
            self.session.heard.clear()
            self.phone.say(one)

    def _callee(self, does: str) -> None:
        if does == "hangs_up":
            self._hang_up("LEG-B")
        elif does == "answers":
            self.phone.callee(Callee("answers"))
        elif does == "busy":
            self.phone.callee(Callee("busy"))
        else:
            self.phone.callee(Callee("no_answer"))
            before = self.phone.network.running
            while before is not None and self.phone.network.running == before and self.session.tick():
                pass

    def _meeting(self, _ends: str) -> None:
        self.phone.send(MeetingEnds())

    def _update(self, arguments: Mapping[str, Any]) -> None:
        self.phone.update({name: _text(value) for name, value in arguments.items()})

    def _wait(self, length: float) -> None:
        self.phone.wait(round(length * 1000))

    def _repeat(self, _event: str) -> None:
        """The service sends an event again when it got no answer in time: the same answer must come."""
        turns = self.session.turns
        if not turns:
            self._fail("no event was sent yet")
        last = turns[-1]
        again = self.session.target.answer(last.event, last.at_ms, self.script.at + timedelta(milliseconds=last.at_ms))
        if again.response != last.response:
            self._fail("the repeated event is answered differently")

    def _hangup(self, who: str) -> None:
        self._hang_up("LEG-A" if who == "caller" else "LEG-B")

    def _hang_up(self, leg: str) -> None:
        there = self.phone.network.leg(leg)
        if there is None or there.gone:
            self._fail("that party is not on the line")
        self.phone.send(HangUp(leg))

    def _break(self, what: Any) -> None:
        """The service cannot do the next action of this verb, or the one of that prompt."""
        ((verb, prompt),) = what.items() if isinstance(what, Mapping) else [(what, "")]
        try:
            self.session.break_next(verb, prompt)
        except KeyError:
            self._fail(f"the flow has no prompt '{prompt}'")

    def _expect(self, wanted: Any) -> None:
        self.rest(by_hand=True)
        if isinstance(wanted, str):
            self._go_on(lambda: not self.session.situation(wanted))
            if not self.session.situation(wanted):
                self._fail(f"the call is not {wanted}")
            return
        if "dialled" in wanted or "headers" in wanted:
            self._dialled(wanted)
        self._counts(wanted.get("calls", {}))
        named = {key: value for key, value in wanted.items() if key not in ("dialled", "headers", "calls", "var")}
        self._variables({**named, **wanted.get("var", {})})

    def _dialled(self, wanted: Mapping[str, Any]) -> None:
        calls = [action for action in self.session.actions() if action["Type"] == "CallAndBridge"]
        if not calls:
            self._fail("nobody was dialled")
        parameters: Mapping[str, Any] = calls[-1]["Parameters"]
        ends = parameters.get("Endpoints")
        end = ends[0] if isinstance(ends, list) and ends else None
        number = end.get("Uri") if isinstance(end, dict) else "nobody"
        if "dialled" in wanted and number != wanted["dialled"]:
            self._fail(f"{number} was dialled, not {wanted['dialled']}")
        headers = parameters.get("SipHeaders")
        sent = headers if isinstance(headers, dict) else {}
        for name, value in wanted.get("headers", {}).items():
            if sent.get(name) != value:
                self._fail(f"the header {name} is {sent.get(name, 'not sent')}, not {value}")

    def _counts(self, wanted: Mapping[str, str]) -> None:
        if self.world is None:
            self.left_out += [f"how often {hook} ran" for hook in wanted]
            return
        for hook, times in wanted.items():
            if self.world.ran[hook] != int(times):
                self._fail(f"the hook {hook} ran {self.world.ran[hook]} times, not {times}")

    def _variables(self, wanted: Mapping[str, Any]) -> None:
        for name, value in wanted.items():
            got = _text(self.session.variables.get(name))
            if got == shown(value):
                continue
            if self.session.plan.get("vars", {}).get(name, {}).get("secrecy"):
                self._fail(f"the variable {name}, which is hidden, has another value")
            self._fail(f"the variable {name} is {got}, not {shown(value)}")


def _meetings(world: World, script: CallScript) -> Meetings:
    """The simulated meetings, as those of a world in this process too."""
    meetings = Meetings(after_end=script.switches.same_meeting_token_after_end)
    with_meetings(world.services, SimulatedMeetings(meetings, lambda: round(world.clock.now() * 1000)))
    return meetings


def by_value(given: Mapping[str, T], values: Mapping[str, str], key: str) -> dict[str, T]:
    """What is given under *key* of a calls file, ``env.NAME`` replaced by its value.

    Raises:
        UnplayableError: one has none.
    """
    found = {}
    for name, value in given.items():
        known = values.get(name.removeprefix("env."), "") if name.startswith("env.") else name
        if not known:
            raise UnplayableError(f"'{key}' names {name}, which has no value: give one with `env:`")
        found[known] = value
    return found


def _answering(answer: tuple[str, float] | None) -> Party:
    """Who is called first: as ``answer`` says."""
    how, after = answer or ANSWERED
    if how == "answers":
        return Party(after_ms=round(after * 1000), rings_ms=0)
    return Party("busy" if how == "busy" else "no_answer", after_ms=0, rings_ms=None)


def _text(value: Any) -> str:
    """A value as scripts write it."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if not isinstance(value, Mapping | list) else shown(value)


_STEPS: Final[Mapping[str, Callable[[Player, Any], None]]] = {
    "hear": Player._hear,
    "press": Player._press,
    "silence": Player._silence,
    "speak": Player._speak,
    "bot": Player._bot,
    "say_to_bot": Player._say_to_bot,
    "callee": Player._callee,
    "callee_press": Player._callee_press,
    "meeting": Player._meeting,
    "update": Player._update,
    "wait": Player._wait,
    "fail": Player._break,
    "repeat": Player._repeat,
    "hangup": Player._hangup,
    "expect": Player._expect,
}
