"""One simulated call, seen and steered from outside: the line, who answers, what the caller hears, what happened.

Everything that plays calls stands on a session: call scripts, the fixture ``call``, the fault matrix, the fuzzer, the
telephone in the terminal. A session knows nothing of what should happen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sma_flows.plan import FlowPlan
from sma_flows.protocol.ids import like_uuid
from sma_flows.runtime.ask import Secret
from sma_flows.runtime.step import NO_FLOW, WRONG_ARGUMENTS
from sma_flows.simulator.attending import Attending, thrown_out
from sma_flows.simulator.bots import Bot
from sma_flows.simulator.desk import RETRY_MS
from sma_flows.simulator.driver import Phone
from sma_flows.simulator.jsontext import loads
from sma_flows.simulator.meetings import Meetings
from sma_flows.simulator.messages import BotResult, Break, Callee, HangUp, Hears, Input, Key, Log, Talk, Update
from sma_flows.simulator.model import Network
from sma_flows.simulator.model import World as Service
from sma_flows.simulator.parties import Parties
from sma_flows.simulator.storage import Storage
from sma_flows.simulator.switches import Switches
from sma_flows.testing.heard import Heard, ear_of, visible
from sma_flows.testing.script_steps import SITUATIONS
from sma_flows.testing.targets import Target, TargetError, Turn
from sma_flows.testing.visits import Trail

__all__ = ["BREAKABLE", "SITUATIONS", "Session", "act_in_words", "service_of", "turn_in_words", "welcome_of"]

QUESTIONS: Final = ("SpeakAndGetDigits", "PlayAudioAndGetDigits")

LATE_S: Final = RETRY_MS / 1000
SENT_AGAIN: Final = f"the service would have sent the event again after {LATE_S:g} s (rule 3)"
"""What a function elsewhere would have met. Its time does not count here: a debugger may hold it up."""

MOST_TICKS: Final = 10_000
"""More timers than that while nobody does anything: the call goes in circles."""


def service_of(at: datetime, numbers: Sequence[str] = (), call: str = "") -> Service:
    """The service around a call that begins *at*; *numbers* belong to the account. *call* makes its id."""
    return Service(
        transaction=like_uuid("call", call),
        started_ms=round(at.timestamp() * 1000),
        day=f"{at:%Y/%m/%d}",
        numbers=frozenset(filter(None, numbers)),
    )


class Session:
    """A call on the virtual service that *target* answers.

    ``phone`` is the line: everything a party can do is done through it. ``turns`` are the events so far; ``heard`` is
    what the caller heard since it was last cleared, by the names of the flow's prompts; ``lines`` is the transcript,
    without keys and secrets; ``variables`` are the flow's, by full name, as the last event left them; ``trail`` is what
    the call came by in its flow, where that is watched; ``unreachable`` says that there is nobody who answers. *at* is
    the wall clock when the call begins; *storage* holds the audio files; *meetings* are those that the flow's services
    know. ``plan`` is the flow's.
    """

    def __init__(
        self,
        target: Target,
        plan: FlowPlan,
        *,
        at: datetime,
        service: Service | None = None,
        switches: Switches | None = None,
        parties: Parties = (),
        bots: Sequence[BotResult] | Mapping[str, Bot] = (),
        storage: Storage | None = None,
        meetings: Meetings | None = None,
        on_turn: Callable[[Turn], None] | None = None,
    ) -> None:
        self.target = target
        self.at = at
        self.turns: list[Turn] = []
        self.variables: dict[str, Any] = {}
        self.heard: list[Heard] = []
        self.lines: list[str] = []
        self.secrets: set[str] = set()
        self.trail = Trail()
        self.unreachable: TargetError | None = None
        self.plan = plan
        self._ear = ear_of(plan)
        self._read = 0
        self._spoke = False
        self._delay_ms = 0
        self._on_turn = on_turn
        self.phone = Phone(
            self._answer,
            world=service or service_of(at),
            switches=switches,
            parties=parties,
            bots=bots,
            storage=storage,
            around=self._seated(meetings),
            delay_ms=lambda _event: self._delay_ms,
            text=True,
        )

    def _seated(self, meetings: Meetings | None) -> Attending | None:
        """What the line needs to know of meetings: nothing where the flow never joins one."""
        if meetings is None or not any(state.get("do") == "join_meeting" for state in self.plan["states"].values()):
            return None
        return _Seated(meetings, self)

    # ---- the function ----------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """What the clock on the wall says."""
        return self.at + timedelta(milliseconds=self.phone.now_ms)

    def _answer(self, text: str) -> str:
        self.listen()  # what was heard before stands before it in the transcript
        self._delay_ms = 0
        try:
            turn = self.target.answer(text, self.phone.now_ms, self.now)
        except TargetError as error:  # to the service a function that fails; to whoever plays the call the end of it
            self.unreachable = error
            raise
        event = loads(text)
        self.turns.append(turn)
        self.trail.event(event, turn.trail)
        self._delay_ms = turn.delay_ms + turn.held_ms
        if turn.values:
            self.variables = dict(turn.values)
            self.secrets.update(value.reveal() for value in turn.values.values() if isinstance(value, Secret))
        self.note(turn_in_words(event, turn))
        if turn.took_s >= LATE_S:
            self.note(f"! the function took {turn.took_s:.1f} s: {SENT_AGAIN}")
        for ms, arguments in turn.later:
            self.phone.later(turn.delay_ms + ms, Update(tuple(arguments.items())))
        if self._on_turn is not None:
            self._on_turn(turn)
        return turn.response

    # ---- breaking things -------------------------------------------------------------------------------------------

    def break_next(self, verb: str, prompt: str = "") -> None:
        """The next action that *verb* (of :data:`BREAKABLE`) stands for fails.

        With *prompt* only one that says it, in the language of the call; the one that runs now, if it does.

        Raises:
            KeyError: there is no such prompt.
        """
        fault = BREAKABLE[verb]
        if prompt:
            fault = replace(fault, text=self._telling(prompt))
            running = self.phone.network.running
            now = running is not None and running.action.type in fault.actions and fault.text in running.action.text
            fault = replace(fault, running=now)
        self.phone.send(fault)

    def _telling(self, prompt: str) -> str:
        """What an action that says a prompt holds, as JSON text: its longest piece without variables, or its file."""
        by_locale = self.plan["prompts"][prompt]
        catalogues = self.plan.get("catalogues", {})
        prefix = prompt[: prompt.rfind("/") + 1]
        locale = self.variables.get("call.locale") or catalogues.get(prefix, {}).get("default")
        entry = (by_locale.get(locale) or next(iter(by_locale.values())))[0]
        said = entry["audio"] if "audio" in entry else entry["say"]
        parts = [said] if isinstance(said, str) else [part for part in said if isinstance(part, str)]
        return json.dumps(max(parts, key=len, default=""), ensure_ascii=False)[1:-1]

    # ---- time and sound --------------------------------------------------------------------------------------------

    def tick(self) -> bool:
        """Let the next thing happen; False when nothing will happen by itself."""
        ahead = self.phone.next_ms
        if self.phone.over or ahead is None:
            return False
        self.phone.wait(ahead)
        self.listen()
        return True

    def rest(self, *, by_hand: bool = False) -> bool:
        """Let time pass until it is somebody's turn, or nothing happens any more; False: the call goes in circles.

        While a party rings that will act by itself it is nobody's turn; *by_hand*: it is.
        """
        for _ in range(MOST_TICKS):
            self.listen()
            if (self.resting and (by_hand or not self._picking_up)) or not self.tick():
                return True
        return False

    def until_act(self) -> bool:
        """Let time pass until a called party does the next thing by itself, or has rung in vain; False: none will."""
        if not self.phone.will_act:
            return False
        acted = self.phone.acted
        while self.phone.acted == acted and self.phone.will_act and self.tick():
            pass
        return True

    @property
    def _picking_up(self) -> bool:
        return self.running == "CallAndBridge" and self.phone.will_act

    @property
    def resting(self) -> bool:
        """It is the turn of a person: keys are awaited, something is recorded, two parties talk, somebody is called."""
        network = self.phone.network
        if self.phone.over:
            return True
        if network.queue or network.delivered or any(one.buffer for one in network.listeners):
            return False
        running = network.running
        if running is None:
            return bool(network.joined) and not network.rest
        kind = running.action.type
        if kind != "RecordAudio":
            self._spoke = False
        if kind in QUESTIONS:
            return running.phase == "collect" and not running.digits
        if kind == "RecordAudio":
            return not self._spoke
        return kind == "CallAndBridge" or (kind == "StartBotConversation" and not self.phone.bot_works)

    @property
    def stuck(self) -> bool:
        """Nobody is asked anything, no timer runs, nobody talks with anybody, and the call is not over."""
        network = self.phone.network
        return network.idle and not network.joined and not network.listeners and not self.phone.over

    @property
    def asks_for(self) -> str:
        """How hidden an answer must be that is asked for now: ``secret``, ``masked`` or empty. Keys are that answer."""
        state = self.plan["states"].get(self.turns[-1].after.state, {}) if self.turns else {}
        if state.get("do") != "gather":
            return ""
        return str(self.plan.get("vars", {}).get(state.get("var"), {}).get("secrecy", ""))

    @property
    def running(self) -> str:
        """The action that is going on; empty when there is none."""
        running = self.phone.network.running
        return running.action.type if running is not None else ""

    def spoke(self) -> None:
        """Somebody spoke into the recording: it now runs to its end by itself."""
        self._spoke = True

    def situation(self, wanted: str) -> bool:
        """Whether the call is in this situation (:data:`SITUATIONS`)."""
        network = self.phone.network
        if wanted == "hung_up":
            return self.phone.over
        if wanted == "recording":
            return self.running == "RecordAudio"
        if wanted == "on_hold":
            return not network.joined and self._last_sound() in ("audio", "ringback")
        return network.joined.startswith("meeting" if wanted == "in_meeting" else "bridge")

    def _last_sound(self, leg: str = "LEG-A") -> str:
        for entry in reversed(self.phone.transcript):
            if entry.kind == "output" and isinstance(entry.value, Hears) and entry.value.leg == leg:
                return entry.value.what
        return ""

    def listen(self) -> list[Heard]:
        """What the caller has heard since the last look; also added to ``heard`` and to the transcript."""
        entries = self.phone.transcript[self._read :]
        self._read += len(entries)
        running = self.phone.network.running
        if running is not None and running.attempt > 1 and self.turns:  # the service repeats the question by itself
            state = self.turns[-1].after.state
            if self.plan["states"].get(state, {}).get("do") in ("gather", "menu"):
                self.trail.attempt(state, running.attempt)
        fresh: list[Heard] = []
        for entry in entries:
            if entry.kind == "output" and isinstance(entry.value, Log):
                self.note(f"! {entry.value.message}", entry.at_ms)
            if entry.by == "party":
                self.note(f"> {act_in_words(entry.value)}", entry.at_ms)
            if entry.kind != "output" or not isinstance(entry.value, Hears) or entry.value.leg != "LEG-A":
                continue
            sound = entry.value
            welcome = welcome_of(self.actions()) if sound.what == "bot" else []
            new = self._ear.sound(sound.what, sound.text, self.variables, welcome)
            fresh += new
            for each in new:
                self.note(f"hears {each.told}", entry.at_ms)
        self.heard += fresh
        return fresh

    # ---- what happened ---------------------------------------------------------------------------------------------

    @property
    def late(self) -> str:
        """How often the function was so late that the service would have sent an event again; empty: never."""
        late = [turn.took_s for turn in self.turns if turn.took_s >= LATE_S]
        often = f"{len(late)} of {len(self.turns)} events were answered late"
        return f"{often}, the function took up to {max(late):.1f} s: {SENT_AGAIN}" if late else ""

    def actions(self) -> list[dict[str, Any]]:
        """All actions that were answered so far, in order."""
        return [action for turn in self.turns for action in turn.actions]

    @property
    def states(self) -> list[str]:
        """States in which the call stood after each event, asides together with the bridge or meeting behind them."""
        return [state for turn in self.turns for state in (turn.after.state, turn.after.base) if state]

    @property
    def last_states(self) -> set[str]:
        """The state in which the call stood last, and the bridge or meeting behind it."""
        last = next((turn for turn in reversed(self.turns) if turn.after.state), None)
        return {last.after.state, last.after.base} - {""} if last is not None else set()

    def note(self, words: str, at_ms: int | None = None) -> None:
        """Add a line to the transcript."""
        at = self.phone.now_ms if at_ms is None else at_ms
        self.lines.append(f"{at / 1000:8.1f} s  {visible(words)}")


class _Seated(Attending):
    """The meetings of one call alone: who is thrown out of one leaves it at once. Meetings elsewhere are open."""

    def __init__(self, meetings: Meetings, session: Session) -> None:
        super().__init__(meetings, "the call", lambda: round(session.now.timestamp() * 1000), strict=False)
        self._session = session

    def moved(self, before: Network, after: Network) -> None:
        super().moved(before, after)
        for connection in self.meetings.dropped():
            event = thrown_out(connection, after)
            if event is not None:
                self._session.phone.later(0, event)


def welcome_of(actions: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the bot that was started last says first."""
    started = [action for action in actions if action["Type"] == "StartBotConversation"]
    configuration = started[-1]["Parameters"].get("Configuration") if started else None
    messages = configuration.get("WelcomeMessages") if isinstance(configuration, dict) else None
    said = messages if isinstance(messages, list) else ()
    return [str(message.get("Content", "")) for message in said if isinstance(message, dict)]


def turn_in_words(event: Mapping[str, Any], turn: Turn) -> str:
    """One event in one line: what it was, where it led, what ran. Never keys."""
    kind = str(event.get("InvocationEventType"))
    data = event.get("ActionData") or {}
    action = str(data.get("Type", "")) if kind.startswith("ACTION") else ""
    error = str(data.get("ErrorType") or data.get("Error") or "")
    before, after = str(turn.before), str(turn.after)
    went = f"{before} -> {after}" if before != after else after
    ran = ", ".join(ask.name or ask.port for ask in turn.asks)
    words = " ".join(filter(None, (kind, action, error)))
    why = f"  ({turn.note}; the call ends)" if turn.note.startswith((WRONG_ARGUMENTS, NO_FLOW)) else ""
    return f"{words:<46} {went}" + (f"  (ran {ran})" if ran else "") + why


def act_in_words(act: Input) -> str:
    """What a called party did by itself, in words. Never keys."""
    match act:
        case Callee():
            said = {"no_answer": "does not answer", "busy": "is busy", "voicemail": "is a voicemail, and answers"}
            return f"the called party {said.get(act.does, act.does)}"
        case Key():
            return f"the called party ({act.leg}) presses a key"
        case Talk():
            return (
                f"the called party ({act.leg}) {'beeps' if act.sound == 'beep' else f'talks for {act.ms / 1000:g} s'}"
            )
        case HangUp():
            return f"the called party ({act.leg}) hangs up"
    return str(act)


BREAKABLE: Final[Mapping[str, Break]] = {
    "say": Break(("Speak", "PlayAudio")),
    "wait": Break(("Pause",)),
    "gather": Break(QUESTIONS),
    "menu": Break(QUESTIONS),
    "bridge": Break(("CallAndBridge",)),
    "bot": Break(("StartBotConversation",), "ActionExecutionThrottled", "The quota of bots is used up."),
    "play": Break(("PlayAudio",), "InvalidAudioSource", "Cannot access S3 bucket or audio file."),
    "record": Break(
        ("RecordAudio",), "InvalidActionParameter", "Error occurred while uploading recording to S3 bucket."
    ),
    "join_meeting": Break(("JoinChimeMeeting",), "InvalidActionParameter", "JoinToken parameter value is invalid."),
    "mute": Break(("ModifyChimeMeetingAttendees",)),
    "voice_focus": Break(("VoiceFocus",)),
    "send_digits": Break(("SendDigits",)),
    "record_call": Break(("StartCallRecording", "StopCallRecording", "PauseCallRecording", "ResumeCallRecording")),
    "hangup": Break(("Hangup",)),
}
"""How the next action of a verb fails."""
