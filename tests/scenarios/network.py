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
from dataclasses import replace
from functools import cache
from typing import Any

from sma_flows.simulator.desk import Desk, sent
from sma_flows.simulator.driver import Phone
from sma_flows.simulator.jsontext import dumps
from sma_flows.simulator.messages import Break, Deliver, Elapse, Gone, Stray
from sma_flows.simulator.model import World

from .engine import Engine, Reaction, runtime_for
from .exceptions import CLEANED_AGAIN
from .expect import HARMLESS, Expectation, event_leg
from .harness import Record, Run, ScenarioError, effects, hushed, occurs, told
from .matching import (
    about_hangup,
    already_so,
    fits,
    has_a_cause,
    name_files,
    name_of,
    overlaps,
    spent,
    twice_at_once,
    without,
)
from .rules import check_answer, check_event
from .script import Script, ScriptError, Step, script_named
from .stubs import StubServices, compare_calls, same
from .whole import MANY, MOST_EXTRA, MOST_TICKS, OWN, SLOW, SLOWER, Delay, Line, Whole, letters


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
        lenient: bool = False,
    ) -> None:
        from .stimuli import Stimuli

        self.script = script
        self.engine = engine
        self.switches = dict(switches or {})
        self.delay = delay
        self.early = early
        self.lenient = lenient
        self.refused: list[str] = []
        self.lost = CLEANED_AGAIN in self.switches.items()
        self.overlaps = 0
        self.transaction = ""
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
            if line.phone.held and overlaps((index, step)):
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
        return Whole(
            run,
            tuple(self.actions),
            self.lacking,
            tuple(self.by_hand),
            tuple(self.void),
            tuple(self.refused),
            self.overlaps,
        )

    def _line(self, number: int) -> Line:
        if number not in self.lines:
            begun = max((line.now for line in self.lines.values()), default=self.script.at)
            world = World(
                transaction=self.transaction or letters(f"{self.script.name}/{number}"),
                started_ms=round(begun.timestamp() * 1000),
                day=f"{begun:%Y/%m/%d}",
                numbers=OWN,
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
        if turn and any(map(overlaps, [line.steps[line.place], *following])):
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
        used = next((event for event in line.used if spent(step, event)), None)
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
            came = name_of(json.loads(self.records[-1].event)) if self.records else "none"
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
        name_files(event, step or line.after())
        if step is not None:
            self._alter(line, event, step)
        index = line.index
        self._judge(index, "network", check_event(event))
        reaction = self._ask(index, line, event)
        answer = reaction.answer
        actions = list(answer.get("Actions") or [])
        line.first[deliver.number] = (event, answer)
        self.records.append(Record(index, line.number, json.dumps(event), line.now, json.dumps(answer)))
        if not (step is not None and step.expect) and twice_at_once(line, deliver.number):
            return answer
        if not turn and already_so(line, event, actions):
            return answer
        self.actions += [dumps(action) for action in actions if action["Type"] not in HARMLESS]
        if turn:
            line.reaction = reaction
            line.used.clear()
        else:
            line.used.append(event)
            if len(line.used) > MOST_EXTRA:
                self._judge(
                    index, f"then {name_of(event)}", [f"{MOST_EXTRA} events without a step: in circles"], reaction
                )
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
            raise ScenarioError(f"{self.script.name} step {index} {name_of(event)}: R9: {error!r}") from error
        self._judge(index, name_of(event), check_answer(event, reaction.answer), reaction)
        ids = [leg.call_id for leg in line.network.legs]
        problems = told(self.hushed, without(reaction.traces, ids))
        stored = without(json.dumps(reaction.answer.get("TransactionAttributes") or {}), ids)
        problems += [
            f"R10: {text} is in TransactionAttributes" for text in self.script.never_saved if occurs(text, stored)
        ]
        self._judge(index, name_of(event), problems, reaction)
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
            self._judge(line.index, name_of(event), [f"R7: asked again, another answer than {wanted}"], reaction)
        return {**reaction.answer, "TransactionAttributes": MANY} if deliver.number in self.spoilt else reaction.answer

    def _turn(self, line: Line, event: dict[str, Any]) -> bool:
        """Is this the event of the next step? Then that step is where we are."""
        following = line.after()
        if following is None:
            return False
        fitting = fits(following, event)
        swapped = not fitting and self._twin(line, following, event)
        if not fitting and not swapped:
            return False
        if line.owes and line.expectation is not None:
            if following.event != "ACTION_FAILED":
                return False
            self.void.append(f"{line.index}: {', '.join(map(str, line.expectation.open))}")
            line.expectation.open.clear()
        self.close(line)
        self._enter(line, line.steps[line.place + 1][1])
        line.joint = swapped
        if event["InvocationEventType"] != following.event and following.digits:
            self.refused.append(f"{line.index}: {following.action}")
        return True

    def _twin(self, line: Line, following: Step, event: dict[str, Any]) -> bool:
        """Our Hangup is reported twice, in either order (rule 60): the other of the two has come first, or alone."""
        behind = line.after(2)
        gone = [one.by for one in line.phone.outputs if isinstance(one, Gone) and one.leg == event_leg(event)]
        other = {"HANGUP": "ACTION_SUCCESSFUL", "ACTION_SUCCESSFUL": "HANGUP"}.get(event["InvocationEventType"])
        if not about_hangup(following, event) or following.event != other or gone[-1:] != ["flow"]:
            return False
        if behind is not None and about_hangup(behind, event) and behind.event == event["InvocationEventType"]:
            self.lacking["hangup_order"] = "success_first" if other == "ACTION_SUCCESSFUL" else "hangup_first"
            (first, one), (second, two) = line.steps[line.place + 1 : line.place + 3]
            line.steps[line.place + 1] = (first, replace(one, event=two.event, action=two.action, calls={}))
            line.steps[line.place + 2] = (second, replace(two, event=one.event, action=one.action))
        return True

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
        what = name_of(event) if turn else f"then {name_of(event)}"
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
            next(iter(step.match.values()), leg.call_id if leg is not None else ""),
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
    lenient: bool = False,
) -> Whole:
    """Play *script* as a whole call.

    With *early*, whoever would be hung up at the end of a list hangs up at its beginning. With *lenient*, the service
    takes every entry that the script wants, whatever the question's pattern says (its dialect is unknown: 4.19).

    Raises:
        ScenarioError: something is not as it must be.
    """
    return NetworkPlayer(script, engine, switches, delay, early=early, lenient=lenient).play()


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


@cache
def as_written(name: str) -> tuple[dict[str, str], Whole]:
    """The script called *name* and the real runtime: :func:`written`, once per process."""
    script = script_named(name)
    return written(script, runtime_for(script))


def play(script: Script, engine: Engine) -> Run:
    """Play *script* with the switches that it presupposes: what was sent and answered, and what it had for effects.

    Raises:
        ScenarioError: something is not as it must be.
    """
    return written(script, engine)[1].run
