"""Plays a script as one whole call on the virtual network: events come from the service, not from the script.

A step of a script is a wish: :mod:`.stimuli` lets somebody do what makes the service send such an event (press keys,
hang up, be busy, let time pass), and the answer to the event that comes is judged. Events that no step names are
answered too: with the rest of a list that is still owed, or with nothing.

What the service would not send (a report in the middle of a list, one that comes twice) is put in as a stray event:
it is numbered, carries the call's attributes, and its answer is obeyed like any other. ``Whole.by_hand`` names them.
"""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sma_flows.simulator.desk import Desk, sent
from sma_flows.simulator.driver import Phone
from sma_flows.simulator.messages import Break, Deliver, Elapse, Gone, Stray
from sma_flows.simulator.model import Network, Sent, World, dumps

from .engine import Engine, Reaction
from .exceptions import CLEANED_AGAIN
from .expect import HARMLESS, Expectation
from .harness import Record, Run, ScenarioError, effects, hushed, occurs, told
from .rules import check_answer, check_event
from .script import CALLER, OWN_NUMBER, Script, ScriptError, Step
from .service import event_leg, letters
from .stubs import StubServices, compare_calls, same

MOST_TICKS = 400
QUESTIONS = ("PlayAudioAndGetDigits", "SpeakAndGetDigits")
NO_ENTRY = ("", "InvalidDigitsReceived", "InputTimeLimitExceeded")
"""What scripts call it when nothing usable was typed: what the service calls it is a switch (``digits_error``)."""

SLOW = {"ms_per_character": 300, "default_audio_ms": 12_000, "join_ms": 1_000}
"""Everything takes so long that somebody can do something meanwhile."""

MANY = {str(number): "x" for number in range(101)}
"""More attributes than the service takes: an answer that arrives spoilt."""

SLOWER = {"ms_per_character": 9_000, "default_audio_ms": 360_000, "join_ms": 30_000}
"""The same for a function that takes its time as well."""

Delay = Callable[[int, int], int]
"""Milliseconds that the function takes for an event, by attempt and by the number of events before it that have no
answer yet."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A script that went well as a whole call.

    ``actions`` are all actions that were sent, pauses and listeners aside, as JSON. ``lacking`` are the switches that
    would have to be set otherwise for the service to send what the script has and the call had not. ``by_hand`` are the
    steps whose events the network would never send, ``void`` those of whose expected list a part was for a leg that had
    left, or stood behind an action that failed. ``overlaps`` counts the events that came while another had no answer.
    """

    run: Run
    actions: tuple[str, ...]
    lacking: Mapping[str, str]
    by_hand: tuple[str, ...]
    void: tuple[str, ...]
    overlaps: int


@dataclass(slots=True)
class Line:
    """One transaction: its phone, and how far its steps have come.

    ``place`` is the step whose event came last; ``before`` the number of calls of hooks when it came; with ``joint``
    the calls of two steps are judged together, at the second. ``used`` are the events that no step named since then.
    """

    number: int
    phone: Phone
    begun: datetime
    steps: list[tuple[int, Step]]
    place: int = -1
    expectation: Expectation | None = None
    reaction: Reaction | None = None
    closed: bool = True
    joint: bool = False
    before: int = 0
    broken: int = 0
    used: list[dict[str, Any]] = field(default_factory=list)
    lists: list[list[Sent]] = field(default_factory=list)
    first: dict[int, tuple[dict[str, Any], Any]] = field(default_factory=dict)
    kept: dict[int, Any] = field(default_factory=dict)

    @property
    def network(self) -> Network:
        return self.phone.network

    @property
    def index(self) -> int:
        """The number of the step that we are at; 0 before the first."""
        return self.steps[self.place][0] if self.place >= 0 else 0

    def after(self, more: int = 1) -> Step | None:
        """The step that comes next, or the one behind it."""
        return self.steps[self.place + more][1] if self.place + more < len(self.steps) else None

    @property
    def now(self) -> datetime:
        return self.begun + timedelta(milliseconds=self.phone.now_ms)

    @property
    def owes(self) -> bool:
        """Is a part of the expected list still to come?"""
        return self.expectation is not None and not self.expectation.complete


class NetworkPlayer:
    """One run of one script on the network."""

    def __init__(
        self,
        script: Script,
        engine: Engine,
        switches: Mapping[str, str] | None = None,
        delay: Delay | None = None,
        *,
        early: bool = False,
    ) -> None:
        from .stimuli import Stimuli

        self.script = script
        self.engine = engine
        self.switches = dict(switches or {})
        self.delay = delay
        self.early = early
        self.lost = CLEANED_AGAIN in self.switches.items()
        self.overlaps = 0
        self.services = StubServices(script.stubs)
        self.lines: dict[int, Line] = {}
        self.records: list[Record] = []
        self.actions: list[str] = []
        self.lacking: dict[str, str] = {}
        self.by_hand: list[str] = []
        self.void: list[str] = []
        self.problem: Exception | None = None
        self.asked: tuple[Line, int, bool, int] | None = None
        self.spoilt: set[int] = set()
        self.hushed = hushed(script)
        self.stimuli = Stimuli(self)

    # -- the whole call ----------------------------------------------------------------------------------------------

    def play(self) -> Whole:
        """All steps in order, then the totals.

        Raises:
            ScenarioError: with what was wrong in the step where it went wrong first.
        """
        for index, step in enumerate(self.script.steps, 1):
            line = self._line(step.call)
            if index > line.index:
                self._step(line, index)
            if line.phone.held and _overlaps((index, step)):
                self._hand_in(line)
            if index == line.index:
                self._complete(line)
        for line in self.lines.values():
            self._end(line)
        last = len(self.script.steps)
        if not self.lost:
            self._judge(last, "totals", compare_calls(self.script.totals, self.services.state["calls"]))
        if self.delay is None and not self.lost:
            twice = [token for token, times in Counter(map(tuple, self.services.state["asked"])).items() if times > 1]
            self._judge(last, "totals", [f"R6: asked twice without need: {token}" for token in twice])
        run = Run(self.script, tuple(self.records), effects(self.services))
        return Whole(run, tuple(self.actions), self.lacking, tuple(self.by_hand), tuple(self.void), self.overlaps)

    def _line(self, number: int) -> Line:
        if number not in self.lines:
            begun = max((line.now for line in self.lines.values()), default=self.script.at)
            numbers = {CALLER, OWN_NUMBER, self.script.from_, self.script.to, *self.script.env.values()} - {""}
            world = World(
                transaction=letters(f"{self.script.name}/{number}"),
                started_ms=round(begun.timestamp() * 1000),
                day=f"{begun:%Y/%m/%d}",
                numbers=frozenset(numbers),
                **(SLOWER if self.delay else SLOW),
            )
            phone = Phone(
                lambda event: self._answer(self.lines[number], event),
                world=world,
                switches=self.switches,
                delay_ms=self._delay,
            )
            steps = [(index, step) for index, step in enumerate(self.script.steps, 1) if step.call == number]
            self.lines[number] = Line(number, phone, begun, steps)
        return self.lines[number]

    def _delay(self, event: dict[str, Any]) -> int | None:
        """How long the function takes; None where two events are handled at the same time, until both have come."""
        if self.asked is None:
            return 0
        line, attempt, turn, number = self.asked
        following = line.steps[line.place + 1 : line.place + 2]
        if turn and any(map(_overlaps, [line.steps[line.place], *following])):
            self._set(line, overlap="parallel")
            return None
        behind = sum(one.number < number for one in line.network.delivered) if self.delay else 0
        self.overlaps += behind > 0
        return self.delay(attempt, behind) if self.delay else 0

    @staticmethod
    def _set(line: Line, **switches: str) -> None:
        line.phone.network = replace(line.network, switches=line.network.switches.having(switches))

    def _step(self, line: Line, index: int) -> None:
        """Let the event of the next step come."""
        if line.phone.held:
            line.phone.send(Elapse(0))  # what waited may come now
            self.check()
        else:
            self.until(line, lambda: not line.network.delivered)  # what was answered is in force
        if line.index >= index:
            return  # it has come meanwhile
        step = line.steps[line.place + 1][1]
        used = next((event for event in line.used if _spent(step, event)), None)
        if used is not None:
            line.used.remove(used)
            self._skip(line, step)
            return
        lacks = self.stimuli.cause(line, index, step)
        if lacks:
            self.lacking.update([lacks])
            if step.expect:
                self._judge(index, step.event, [f"only with {lacks[0]}: {lacks[1]} such an event comes"])
            self._skip(line, step)
            return
        if not self.until(line, lambda: line.index >= index):
            came = _name(json.loads(self.records[-1].event)) if self.records else "none"
            self._judge(index, step.event, [f"{step.action or step.event} does not come; the last event was {came}"])

    def _hand_in(self, line: Line) -> None:
        """Two events were handled at the same time: the answers arrive one after the other."""
        line.phone.release()
        self.check()
        following = line.after()
        first, second = ({one.type for one in actions} for actions in line.lists[-2:])
        if following is not None and following.action in first - second:
            self.stimuli.running(line, following.action)  # so far the first list comes before the second replaces it
        self._set(line, overlap=self.switches.get("overlap", "serial"))
        line.phone.release()
        self.check()

    def _skip(self, line: Line, step: Step) -> None:
        """The step has no event of its own this time; what is asked of hooks is judged all the same."""
        self.close(line)
        self._enter(line, replace(step, expect=(), forbid=(), saved=()))

    def _enter(self, line: Line, step: Step) -> None:
        """*step*, the next one, is where we are."""
        line.place += 1
        line.closed = False
        line.expectation = Expectation(step)
        if not line.joint:
            line.before = len(self.services.state["calls"])
        line.joint = False

    def _complete(self, line: Line) -> None:
        """Let come what is still owed of the expected list, unless the next thing is that it fails."""
        following = line.after()
        if following is None or following.event != "ACTION_FAILED":
            self.until(line, lambda: not line.owes)
            self.close(line)

    def _end(self, line: Line) -> None:
        self.close(line)
        self.until(line, lambda: not line.network.delivered)
        gone = all(leg.gone for leg in line.network.legs)
        if line.steps[-1][1].event == "HANGUP" and gone and not line.phone.over and not self.by_hand:
            self._judge(line.steps[-1][0], "the end", ["everybody has left, and the call is not over"])

    def tick(self, line: Line) -> bool:
        """Let the next thing happen; False when nothing happens by itself any more."""
        ms = line.phone.next_ms
        if line.phone.over or ms is None:
            return False
        line.phone.wait(ms)
        self.check()
        return True

    def until(self, line: Line, holds: Callable[[], bool]) -> bool:
        """Let time pass until something holds."""
        for _ in range(MOST_TICKS):
            if holds():
                return True
            if not self.tick(line):
                return holds()
        raise ScenarioError(f"{self.script.name}: the call goes in circles")

    def check(self) -> None:
        """Raise what went wrong while the function was asked: the phone takes exceptions for function errors."""
        if self.problem is not None:
            raise self.problem

    # -- the function ------------------------------------------------------------------------------------------------

    def _answer(self, line: Line, event: dict[str, Any]) -> object:
        self.asked = None
        if self.problem is None:
            try:
                return self._react(line, event)
            except Exception as error:  # noqa: BLE001  raised again by check()
                self.problem = error
        return {"SchemaVersion": "1.0"}

    def _react(self, line: Line, event: dict[str, Any]) -> object:
        deliver = next(one.value for one in reversed(line.phone.transcript) if isinstance(one.value, Deliver))
        if deliver.attempt > 1:
            self.asked = (line, deliver.attempt, False, deliver.number)
            return self._again(line, deliver)
        turn = self._turn(line, event)
        self.asked = (line, 1, turn, deliver.number)
        step = line.steps[line.place][1] if turn else None
        self._name_files(event, step or line.after())
        if step is not None:
            self._alter(line, event, step)
        index = line.index
        self._judge(index, "network", check_event(event))
        reaction = self._ask(index, line, event)
        answer = reaction.answer
        actions = list(answer.get("Actions") or [])
        line.first[deliver.number] = (event, answer)
        self.records.append(Record(index, line.number, json.dumps(event), line.now, json.dumps(answer)))
        if not (step is not None and step.expect) and self._twice_at_once(line, deliver.number):
            return answer
        self.actions += [dumps(action) for action in actions if action["Type"] not in HARMLESS]
        if turn:
            line.reaction = reaction
            line.used.clear()
        else:
            line.used.append(event)
        self._expect(line, event, actions, reaction, turn)
        if actions:
            line.lists.append([sent(one["Type"], event_leg(event), one["Parameters"])[0] for one in actions])
        saved = answer.get("TransactionAttributes", event["CallDetails"].get("TransactionAttributes"))
        line.kept[index] = copy.deepcopy(saved)
        return self._prepared(line, deliver.number, answer)

    def _ask(self, index: int, line: Line, event: dict[str, Any]) -> Reaction:
        """The function's answer, checked for what holds always."""
        try:
            reaction = self.engine.react(json.loads(json.dumps(event)), line.now, self.services)
        except ScriptError:
            raise
        except Exception as error:
            raise ScenarioError(f"{self.script.name} step {index} {_name(event)}: R9: {error!r}") from error
        self._judge(index, _name(event), check_answer(event, reaction.answer), reaction)
        ids = [leg.call_id for leg in line.network.legs]
        problems = told(self.hushed, _without(reaction.traces, ids))
        stored = _without(json.dumps(reaction.answer.get("TransactionAttributes") or {}), ids)
        problems += [
            f"R10: {text} is in TransactionAttributes" for text in self.script.never_saved if occurs(text, stored)
        ]
        self._judge(index, _name(event), problems, reaction)
        return reaction

    def _again(self, line: Line, deliver: Deliver) -> object:
        """The same event a second time: the same actions (rule 3, R7)."""
        event, answer = line.first[deliver.number]
        again = {**event, "Sequence": deliver.event["Sequence"]}
        if self.switches.get("retry_attributes") == "current":
            again["CallDetails"] = deliver.event["CallDetails"]
        reaction = self._ask(line.index, line, again)
        if reaction.answer.get("Actions") != answer.get("Actions"):
            wanted = json.dumps(answer)[:900]
            self._judge(line.index, _name(event), [f"R7: asked again, another answer than {wanted}"], reaction)
        return {**reaction.answer, "TransactionAttributes": MANY} if deliver.number in self.spoilt else reaction.answer

    def _turn(self, line: Line, event: dict[str, Any]) -> bool:
        """Is this the event of the next step? Then that step is where we are."""
        following = line.after()
        if following is None:
            return False
        fits = self._fits(following, event)
        swapped = not fits and self._twin(line, following, event)
        if not fits and not swapped:
            return False
        if line.owes and line.expectation is not None:
            if following.event != "ACTION_FAILED":
                return False
            self.void.append(f"{line.index}: {', '.join(map(str, line.expectation.open))}")
            line.expectation.open.clear()
        self.close(line)
        self._enter(line, line.steps[line.place + 1][1])
        line.joint = swapped
        return True

    def _twin(self, line: Line, following: Step, event: dict[str, Any]) -> bool:
        """Our Hangup is reported twice, in either order (rule 60): the other of the two has come first, or alone."""
        behind = line.after(2)
        gone = [one.by for one in line.phone.outputs if isinstance(one, Gone) and one.leg == event_leg(event)]
        other = {"HANGUP": "ACTION_SUCCESSFUL", "ACTION_SUCCESSFUL": "HANGUP"}.get(event["InvocationEventType"])
        if not _about_hangup(following, event) or following.event != other or gone[-1:] != ["flow"]:
            return False
        if behind is not None and _about_hangup(behind, event) and behind.event == event["InvocationEventType"]:
            self.lacking["hangup_order"] = "success_first" if other == "ACTION_SUCCESSFUL" else "hangup_first"
            (first, one), (second, two) = line.steps[line.place + 1 : line.place + 3]
            line.steps[line.place + 1] = (first, replace(one, event=two.event, action=two.action, calls={}))
            line.steps[line.place + 2] = (second, replace(two, event=one.event, action=one.action))
        return True

    @staticmethod
    def _twice_at_once(line: Line, number: int) -> bool:
        """Both reports of our Hangup were handled at the same time, and got the same list (decision 11)."""
        event, answer = line.first[number]
        before, other = line.first.get(number - 1, (event, {}))
        kinds, types, legs, saved = (
            [look(before), look(event)]
            for look in (
                lambda one: one["InvocationEventType"],
                lambda one: one.get("ActionData", {}).get("Type"),
                event_leg,
                lambda one: one["CallDetails"].get("TransactionAttributes"),
            )
        )
        twins = sorted(kinds) == ["ACTION_SUCCESSFUL", "HANGUP"] and types == ["Hangup", "Hangup"]
        same_time = legs[0] == legs[1] and saved[0] == saved[1]
        return twins and same_time and bool(answer.get("Actions")) and other.get("Actions") == answer["Actions"]

    @staticmethod
    def _fits(step: Step, event: dict[str, Any]) -> bool:
        """Is this the event that the step means?"""
        kind, data = event["InvocationEventType"], event.get("ActionData") or {}
        leg, params = event_leg(event)[-1], data.get("Parameters") or {}
        if kind != step.event:
            refused = step.event == "ACTION_SUCCESSFUL" and step.digits and _no_entry(event)
            return bool(refused) and data["Type"] == step.action
        if kind == "HANGUP":
            return leg == (step.leg or "A")
        if kind == "CALL_UPDATE_REQUESTED":
            return bool(params["Arguments"] == dict(step.arguments))
        if kind == "DIGITS_RECEIVED":
            return data["ReceivedDigits"] == step.digits and leg == (step.leg or "A")
        if not kind.startswith("ACTION_"):
            return True
        if data["Type"] != step.action or (step.leg and leg != step.leg):
            return False
        if not all(value in json.dumps(params) for value in step.match.values()):
            return False
        if step.digits is not None and step.action in QUESTIONS:
            return str(data["ReceivedDigits"]).rstrip("#*") == step.digits.rstrip("#*")
        error = data.get("ErrorType") or str(data.get("Error", "")).partition(":")[0]
        return not step.error or error == step.error or (_no_entry(event) and step.error in NO_ENTRY)

    @staticmethod
    def _name_files(event: dict[str, Any], step: Step | None) -> None:
        """Files have the names that the script gives them."""
        data = event.get("ActionData") or {}
        if step is None or step.action != data.get("Type") or event["InvocationEventType"] != "ACTION_SUCCESSFUL":
            return
        if step.action == "RecordAudio":
            data["RecordingDestination"]["Key"] = step.key or "recording.wav"
            data["RecordingDestination"]["BucketName"] = step.bucket or data["RecordingDestination"]["BucketName"]
        if step.action == "StartCallRecording" and step.location:
            data["CallRecordingDestination"]["Location"] = step.location

    def _alter(self, line: Line, event: dict[str, Any], step: Step) -> None:
        """What the service would not do to an event, and the script wants: another saved call, a leg that has left."""
        details = event["CallDetails"]
        saved = details.get("TransactionAttributes")
        if step.status and step.event == "NEW_INBOUND_CALL":
            self.leaves(line, "LEG-A")
            details["Participants"][0]["Status"] = "Disconnected"
            self.by_hand.append(f"{line.index}: the caller has left already")
        if step.stored.startswith("step "):
            if line.kept[int(step.stored[5:])] != saved:
                raise ScriptError(f"{self.script.name} step {line.index}: the event does not come with {step.stored}")
        elif step.stored:
            texts = {
                "none": "null",
                "strange": '{"CurrentState": "menu"}',
                "other revision": re.sub(r"[0-9a-f]{12}", "0" * 12, json.dumps(saved), count=1),
            }
            details.pop("TransactionAttributes", None)
            other = json.loads(texts[step.stored])
            if other:
                details["TransactionAttributes"] = other
            line.phone.network = replace(line.network, attributes=dumps(other) if other else "")
            self.by_hand.append(f"{line.index}: attributes {step.stored}")

    # -- judging -----------------------------------------------------------------------------------------------------

    def _expect(
        self, line: Line, event: dict[str, Any], actions: list[dict[str, Any]], reaction: Reaction, turn: bool
    ) -> None:
        """Tick off what was answered; what the script does not expect must be harmless."""
        expectation = line.expectation
        if expectation is None:
            return
        what = _name(event) if turn else f"then {_name(event)}"
        if turn:
            self._void(line, expectation)
        elif not expectation.judged and event["InvocationEventType"] != "ACTION_SUCCESSFUL":
            acted = [action["Type"] for action in actions if action["Type"] not in HARMLESS]
            self._judge(line.index, what, [f"{kind} was not expected" for kind in acted], reaction)
        self._judge(line.index, what, expectation.take(actions, event), reaction)

    def _void(self, line: Line, expectation: Expectation) -> None:
        """R2 goes before every expectation: nothing is sent to a leg that has left (rule 64 takes both along)."""
        gone = [leg.tag[-1] for leg in line.network.legs if leg.gone]
        lost = [wanted for wanted in expectation.open if wanted.leg in gone]
        if lost:
            expectation.open = [wanted for wanted in expectation.open if wanted.leg not in gone]
            self.void.append(f"{line.index}: {', '.join(map(str, lost))}")
            line.joint = True

    def close(self, line: Line) -> None:
        """The step that the line is at is over: everything expected must have come."""
        if line.closed:
            return
        line.closed = True
        index, step = line.steps[line.place]
        reaction = line.reaction
        if line.expectation is not None and line.owes:
            missing = ", then ".join(map(str, line.expectation.open))
            self._judge(index, step.event, [f"not answered: {missing}"], reaction)
        unknown = line.joint or (self.lost and line.network.over)
        problems = [] if unknown else compare_calls(step.calls, self.services.state["calls"][line.before :])
        for name, value in step.variables.items():
            got = reaction.variables.get(name) if reaction else None
            if not same(value, got):
                problems.append(f"variable {name}: {value} expected, is {got!r}")
        stored = json.dumps(line.kept.get(index) or {}, ensure_ascii=False)
        problems += [f"{text} is not saved" for text in step.saved if text not in stored]
        self._judge(index, step.event, problems, reaction)

    def _judge(self, index: int, what: str, problems: list[str], reaction: Reaction | None = None) -> None:
        if problems:
            answer = f"\n  answer: {json.dumps(reaction.answer)[:1500]}" if reaction is not None else ""
            listed = "".join(f"\n  - {problem}" for problem in problems)
            with_ = f" with {self.switches}" if self.switches else ""
            raise ScenarioError(f"{self.script.name}{with_} step {index} {what}:{listed}{answer}")

    # -- what the world does -----------------------------------------------------------------------------------------

    def _prepared(self, line: Line, number: int, answer: dict[str, Any]) -> object:
        """Before the answer is obeyed: what is to fail breaks, what is to be refused is spoilt."""
        step, index = line.after(), line.index + 1
        if step is None or line.broken >= index:
            return answer
        if step.event == "INVALID_LAMBDA_RESPONSE" and not line.owes:
            line.broken = index
            self.spoilt.add(number)
            return {**answer, "TransactionAttributes": MANY}
        if step.event == "ACTION_FAILED" and not step.status and not step.sent and not has_a_cause(step):
            line.broken = index
            line.phone.send(self.breaking(line, step))
        return answer

    @staticmethod
    def breaking(line: Line, step: Step, *, running: bool = False) -> Break:
        """The break that makes a step's action fail as the step says."""
        leg = line.network.leg(f"LEG-{step.leg}") if step.leg else None
        return Break(
            (step.action,),
            step.error or "SystemException",
            step.message or "System error while running action",
            "error" if step.shape == "error" else "pair",
            leg.call_id if leg is not None else next(iter(step.match.values()), ""),
            running,
        )

    def leaves(self, line: Line, tag: str) -> None:
        """A leg has left, and the service has not said so yet."""
        desk = Desk(line.network, set().add)
        leg = desk.leg(tag)
        if leg is not None and not leg.gone:
            desk.leave(leg, 0, "party")
            line.phone.network = desk.network()

    def put_in(self, line: Line, index: int, step: Step, reason: str) -> None:
        """Send an event that the service would not send now: a report of nothing, a second one, one after the end."""
        if step.status:
            self.leaves(line, f"LEG-{step.leg or 'A'}")
        over = line.phone.over
        self.by_hand.append(f"{index}: {reason}{' after the end' if over else ''}")
        line.phone.network = replace(line.network, over=False, breaks=())
        data = self.stimuli.data(line, step)
        tag = f"LEG-{step.leg or 'A'}"
        line.phone.send(Stray(step.event, tag if line.network.leg(tag) else "LEG-A", dumps(data) if data else ""))
        self.check()
        if over:
            self.until(line, lambda: not line.network.delivered)
            line.phone.network = replace(line.network, over=True)


def play_on_network(
    script: Script,
    engine: Engine,
    switches: Mapping[str, str] | None = None,
    delay: Delay | None = None,
    *,
    early: bool = False,
) -> Whole:
    """Play *script* as a whole call.

    With *early*, whoever would be hung up at the end of a list hangs up at its beginning.

    Raises:
        ScenarioError: something is not as it must be.
    """
    return NetworkPlayer(script, engine, switches, delay, early=early).play()


def written(script: Script, engine: Engine) -> tuple[dict[str, str], Whole]:
    """Play *script* with the switches set so that the service sends what the script has; also gives these switches.

    Raises:
        ScenarioError: something is not as it must be.
    """
    switches: dict[str, str] = {}
    while True:
        player = NetworkPlayer(script, engine, switches)
        try:
            whole = player.play()
        except (ScenarioError, ScriptError):
            whole = None
            if not set(player.lacking.items()) - set(switches.items()):
                raise
        if whole is not None and not set(whole.lacking.items()) - set(switches.items()):
            return switches, whole
        switches |= player.lacking


def has_a_cause(step: Step) -> bool:
    """Somebody in the world makes this fail: a silent caller, a party that does not answer, a bot that gives up."""
    if step.action in QUESTIONS:
        return step.error in NO_ENTRY
    return step.action == "StartBotConversation" or (step.action == "CallAndBridge" and step.error == "CallNotAnswered")


def _overlaps(step: tuple[int, Step]) -> bool:
    """Was this event handled with the attributes from before the event before it?"""
    stored = step[1].stored
    return stored.startswith("step ") and int(stored[5:]) < step[0] - 1


def _no_entry(event: Mapping[str, Any]) -> bool:
    """Nothing usable was typed, whatever the service calls that."""
    data = event.get("ActionData") or {}
    return data.get("ErrorMessage") == "No valid digits were received."


def _about_hangup(step: Step, event: dict[str, Any]) -> bool:
    hangup = step.event == "HANGUP" or (step.event == "ACTION_SUCCESSFUL" and step.action == "Hangup")
    data = event.get("ActionData") or {}
    return hangup and data.get("Type") == "Hangup" and event_leg(event)[-1] == (step.leg or "A")


def _spent(step: Step, event: dict[str, Any]) -> bool:
    """Has the report that this step waits for come already, to bring the rest of a list?"""
    data = event.get("ActionData") or {}
    return (
        step.event == event["InvocationEventType"] == "ACTION_SUCCESSFUL"
        and step.expect == ()
        and data.get("Type") == step.action
        and (not step.leg or event_leg(event)[-1] == step.leg)
    )


def _without(text: str, ids: list[str]) -> str:
    """A text without the service's ids, which are made of digits."""
    for one in ids:
        text = text.replace(one, "id")
    return text


def _name(event: Mapping[str, Any]) -> str:
    data = event.get("ActionData") or {}
    kind = str(event["InvocationEventType"])
    return f"{kind} {data['Type']}" if kind.startswith("ACTION_") and "Type" in data else kind
