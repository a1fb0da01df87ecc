"""States that the caller does not hear: run, choose, schedule, set, take, use, return."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from sma_flows.runtime.ask import Ask, LimitUse, Secret, ServiceReply
from sma_flows.runtime.frame import HANG_UP
from sma_flows.runtime.nodes.base import Node, Talk, effect_token
from sma_flows.runtime.values import MismatchError, coerce, compile_condition, show

if TYPE_CHECKING:
    from sma_flows.runtime.frame import Frame, Part
    from sma_flows.runtime.program import FlowProgram


class RunNode(Node):
    """A hook: own code or a built-in, with declared outcomes, results and budget."""

    alone = True
    silent = True
    port: ClassVar[str] = "hook"
    __slots__ = ("args", "budget", "effect", "hook", "limits", "outcomes", "settings", "undo")

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        super().__init__(name, state, flow)
        self.hook: Mapping[str, Any] = flow.hooks[state["hook"]]
        self.args = [flow.argument(arg) for arg in state.get("args", ())]
        self.outcomes: Mapping[str, Mapping[str, Any]] = self.hook.get("outcomes", {})
        self.limits: list[Mapping[str, Any]] = state.get("limits", [])
        self.effect: str = self.hook.get("effect", "once")
        self.budget: int = self.hook.get("budget", 2000)
        self.undo: Mapping[str, Any] | None = self.hook.get("undo")
        settings = self.hook.get("with", {})
        self.settings = {
            key: flow.value(value) for key, value in settings.items() if value[0] not in ("lit", "env", "text")
        }

    def work(self, frame: Frame) -> str | None:
        """Ask for the hook, unless a limit of this call is used up."""
        uses = []
        for limit in self.limits:
            if limit["per"] == "call":
                if frame.counters.get(limit["counter"], 0) >= limit["max"]:
                    return frame.leave(self, "limited")
                continue
            if limit["per"] == "caller":
                key = frame.event.leg_a.text("From") if frame.event.leg_a is not None else ""
            else:
                key = show(frame.vars.get(limit["var"]))
            uses.append(LimitUse(limit["name"], key, limit["outcome"], limit["max"], limit["window"]))
        hook = self.hook
        if self.settings:  # settings that are known only in the call
            found = {key: ["lit", value(frame)] for key, value in self.settings.items()}
            hook = {**hook, "with": {**hook["with"], **found}}
        args = tuple([arg(frame) for arg in self.args])
        self.ask(frame, self.port, self.state["hook"], args, self.effect, self.budget, tuple(uses), hook)
        frame.resume = self.replied
        return None

    def replied(self, frame: Frame, reply: ServiceReply) -> str | None:
        """The hook has answered."""
        return self._taken(frame, reply)

    def _taken(self, frame: Frame, reply: ServiceReply) -> str | None:
        outcome = reply.outcome
        gives: Mapping[str, str] = self.state.get("gives", {})
        for variable in gives.values():
            frame.vars.pop(variable, None)
        if outcome in ("failed", "limited"):
            return frame.leave(self, outcome)
        declared = self.outcomes.get(outcome)
        if declared is None:
            frame.note = "hook outcome not declared"
            return frame.leave(self, "failed")
        values = {}
        for result, kind in declared.items():
            try:
                value = coerce(kind, _plain(reply.values.get(result)))
            except MismatchError:
                value = None
            if value is None:
                frame.note = "hook result missing or of another type"
                return frame.leave(self, "failed")
            values[gives.get(result, "")] = value
        values.pop("", None)
        frame.vars.update(values)
        if self.undo and outcome == self.hook.get("main", "done"):
            if reply.ended:
                self._undo_now(frame, self.undo)
                return None
            marks = list(frame.vars.get("@undo", ()))
            if self.state["hook"] not in marks:
                frame.vars["@undo"] = [*marks, self.state["hook"]]
        for limit in self.limits:
            if limit["per"] == "call" and limit["outcome"] == outcome:
                count = frame.counters.get(limit["counter"], 0) + 1
                frame.counters[limit["counter"]] = count
                if count >= limit["max"]:
                    return frame.leave(self, "limited")
        return frame.leave(self, outcome)

    def _undo_now(self, frame: Frame, undo: Mapping[str, Any]) -> None:
        """The call ended while the hook worked, and its clean-up could not know of this: undo it."""
        hook = self.flow.hooks[undo["hook"]]
        frame.ask = Ask(
            port="hook",
            name=undo["hook"],
            args=tuple([self.flow.argument(arg)(frame) for arg in undo.get("args", ())]),
            token=effect_token(frame.event.transaction, "end", undo["hook"], f"u{self.state['hook']}"),
            effect=hook.get("effect", "once"),
            budget_ms=hook.get("budget", 2000),
            call=frame.info(self.name),
            revision=self.flow.revision,
            hook=hook,
            cleanup=True,
            later=not self.flow.shows_token(undo.get("args", ())),
        )


def _plain(value: object) -> object:
    return value.reveal() if isinstance(value, Secret) else value


class HoldNode(RunNode):
    """`run ... while`: a long hook works outside the call, and the caller hears files until its result comes.

    The result is an update with the ticket of the start. ``@hold`` is the ticket, and until when (in milliseconds since
    1970) the result is waited for; what comes later, or with another ticket, is answered with nothing.
    """

    port = "hook.start"
    silent = False
    changes = True
    __slots__ = ("at_most", "talk")

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        super().__init__(name, state, flow)
        self.at_most: int = state["at_most"]
        self.talk = Talk(state, self)

    def work(self, frame: Frame) -> str | None:
        """Ask for a start, unless nobody is there who could wait."""
        return None if frame.line_dead else super().work(frame)

    def replied(self, frame: Frame, reply: ServiceReply) -> str | None:
        """It works now, or could not be started."""
        if reply.outcome != "done":
            return frame.leave(self, "failed")
        frame.vars["@hold"] = [self.token(frame, self.port), _millis(frame) + self.at_most]
        self._play(frame, self.before(frame))
        return None

    def success(self, frame: Frame) -> str | None:
        """A file has ended: again, or out of time."""
        hold = frame.vars.get("@hold")
        if hold is None or len(hold) != 2 or not isinstance(hold[1], int) or _millis(frame) >= hold[1]:
            frame.vars.pop("@hold", None)
            frame.note = "a long hook did not tell its result in time"
            return frame.leave(self, "failed")
        self._play(frame, [])
        return None

    def failure(self, frame: Frame) -> str | None:
        """The file cannot be played: nothing else is there to wait with."""
        frame.vars.pop("@hold", None)
        return super().failure(frame)

    def waits_for(self, values: Mapping[str, Any], ticket: object) -> bool:
        """Whether a result with this ticket is the one that is waited for."""
        hold = values.get("@hold")
        return isinstance(hold, list) and bool(hold) and hold[0] == ticket

    def result(self, frame: Frame, arguments: Mapping[str, Any]) -> str | None:
        """The result has come: its outcome, with the types that the flow declares."""
        frame.vars.pop("@hold", None)
        try:
            values = json.loads(arguments.get(VALUES) or "{}")
        except (ValueError, TypeError, RecursionError):
            values = None
        if not isinstance(values, dict):
            frame.note = "a long hook told no result"
            return frame.leave(self, "failed")
        return self._taken(frame, ServiceReply(str(arguments.get(OUTCOME)), values))

    def _play(self, frame: Frame, before: list[Part]) -> None:
        frame.add(self, before + self.talk.actions(frame))


TICKET: Final = "sma-flows-ticket"
OUTCOME: Final = "sma-flows-outcome"
VALUES: Final = "sma-flows-values"
"""Arguments of the update that brings the result of a long hook: its ticket, the outcome, the results as JSON."""


def _millis(frame: Frame) -> int:
    return int(frame.now.timestamp() * 1000)


class ChooseNode(Node):
    """The first case that holds, or the case that a value names."""

    silent = True
    main = "other"
    __slots__ = ("cases", "value")

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        super().__init__(name, state, flow)
        self.value = flow.optional(state.get("value"))
        self.cases = [(case, compile_condition(when, flow.env)) for case, when in state.get("cases", ())]

    def work(self, frame: Frame) -> str | None:
        """Decide and go on."""
        if self.value is not None:
            found = self.value(frame)
            word = show(found) if found is not None else ""
            return frame.leave(self, word if word and word in self.next else "other")
        for case, when in self.cases:
            if when(frame):
                return frame.leave(self, case)
        return frame.leave(self, "other")


class ScheduleNode(Node):
    """Opening hours in their own time zone."""

    silent = True
    main = "open"
    __slots__ = ()

    def work(self, frame: Frame) -> str | None:
        """The first period that holds now, else closed."""
        return frame.leave(self, self.flow.schedules[self.state["name"]].period(frame.now))


class SetNode(Node):
    """Assign variables, in order."""

    silent = True
    changes = True
    __slots__ = ("pairs",)

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        super().__init__(name, state, flow)
        self.pairs = [(variable, flow.value(value)) for variable, value in state["set"]]

    def work(self, frame: Frame) -> str | None:
        """Assign and go on; a value of another type leaves the variable unset."""
        for variable, value in self.pairs:
            if variable == "call.locale":
                frame.vars[variable] = value(frame)
            else:
                self.flow.assign(frame, variable, value(frame))
        return frame.leave(self, "done")


class TakeNode(Node):
    """Remove the first element of a list into a variable."""

    silent = True
    changes = True
    main = "taken"
    __slots__ = ()

    def work(self, frame: Frame) -> str | None:
        """Take one, or leave by `empty`."""
        items = frame.vars.get(self.state["from"])
        if not isinstance(items, list) or not items:
            frame.vars.pop(self.state["var"], None)
            return frame.leave(self, "empty")
        frame.vars[self.state["var"]] = items[0]
        frame.vars[self.state["from"]] = items[1:]
        return frame.leave(self, "taken")


class UseNode(Node):
    """Enter a sub-flow: its variables are fresh, its inputs assigned, the way back is remembered."""

    silent = True
    changes = True
    __slots__ = ("given",)

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        super().__init__(name, state, flow)
        self.given = [(variable, flow.value(value)) for variable, value in state.get("with", ())]

    def work(self, frame: Frame) -> str | None:
        """Go in."""
        values = [(variable, value(frame)) for variable, value in self.given]
        for variable in self.state.get("clear", ()):
            frame.vars.pop(variable, None)
            self.flow.start_value(frame, variable)
        for variable, value in values:
            try:
                frame.vars[variable] = coerce(self.flow.types.get(variable, {"t": "text", "max": 2048}), value)
            except MismatchError:
                return frame.leave(self, "failed")
        call = frame.call
        call.stack = f"{call.stack}>{self.name}" if call.stack else self.name
        if frame.watch is not None:
            frame.watch.append(("use", self.name, "", self.state["start"]))
        return str(self.state["start"])

    def come_back(self, frame: Frame, outcome: str) -> str | None:
        """The sub-flow returned *outcome*."""
        for variable, result in self.state.get("into", ()):
            self.flow.assign(frame, variable, frame.vars.get(result))
        return frame.leave(self, outcome)


class ReturnNode(Node):
    """The end of a sub-flow."""

    silent = True
    __slots__ = ()

    def work(self, frame: Frame) -> str | None:
        """Go back to the `use` state that led here."""
        call = frame.call
        stack, _, top = call.stack.rpartition(">")
        if not top:
            return HANG_UP
        call.stack = stack
        node = self.flow.node(top)
        return node.come_back(frame, self.state["outcome"]) if isinstance(node, UseNode) else HANG_UP
