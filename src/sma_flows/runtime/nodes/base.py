"""What every state can do: be entered, do its work, and answer the report of its action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from sma_flows.protocol.actions import CODES, Action, builder, mark
from sma_flows.runtime.ask import NOTHING, Ask, LimitUse

if TYPE_CHECKING:
    from sma_flows.runtime.frame import Frame, Part
    from sma_flows.runtime.program import FlowProgram


class Node:
    """One state of a flow, prepared when it is entered for the first time.

    ``enter`` counts the visit and then does ``work``; both give the next target, or None when the walk stops here.
    ``success`` and ``failure`` are asked when the state's action has reported.
    """

    listens: ClassVar[bool] = False
    """`back` leads to this state."""

    connects: ClassVar[bool] = False
    """The state makes leg B; keys, updates and asides go on while it lasts."""

    alone: ClassVar[bool] = False
    """The state has effects: what was said before is heard first, so a pending list ends in front of it."""

    silent: ClassVar[bool] = False
    """The verb itself sends no action."""

    changes: ClassVar[bool] = False
    """The state changes variables: it is not entered behind an action whose failure may lead past it."""

    main: ClassVar[str] = "done"
    """The first outcome of the verb."""

    __slots__ = (
        "count",
        "failing",
        "flow",
        "headers",
        "keep",
        "name",
        "next",
        "own",
        "pre",
        "prefix",
        "resets",
        "risky",
        "serial",
        "state",
        "visits",
    )

    def __init__(self, name: str, state: Mapping[str, Any], flow: FlowProgram) -> None:
        self.name = name
        self.prefix = name[: name.rfind("/") + 1]
        self.state = state
        self.flow = flow
        self.next: Mapping[str, str] = state.get("next", {})
        self.own = frozenset(state.get("own", ()))
        self.failing = f"{'' if 'failed' in self.own else '*'}{self.next.get('failed')}"
        """Where a failure leads, and whether the state itself says so."""
        self.risky = self.next.get("failed") not in (None, "hangup", flow.failed)
        """A failure leads on into the flow and not to its end: what was done behind the action must be taken back."""
        self.count: str | None = state.get("count")
        self.visits: int = state.get("visits", 0)
        self.resets: tuple[str, ...] = tuple(state.get("resets", ()))
        self.serial: str | None = state.get("serial")
        """Entries that no state sets back: what makes effect tokens differ where `count` begins anew."""
        keep = {*state.get("keep", ()), *flow.keep}
        if "call.user_to_user" in keep:
            keep.add("header.user-to-user")
        self.keep = frozenset(keep)
        self.headers = tuple(sorted(item for item in keep if item.startswith("header.")))
        self.pre = tuple(Talk(talk, self) for talk in state.get("pre", ()))

    def enter(self, frame: Frame) -> str | None:
        """Count the visit, then work."""
        if frame.actions and (self.alone or (frame.risky and (self.changes or self.resets))):
            frame.call.then = self.name
            return None
        if self.count is not None:
            visit = frame.counters.get(self.count, 0) + 1
            if self.visits and visit > self.visits:
                return frame.leave(self, "exhausted")
            frame.counters[self.count] = visit
            if self.serial is not None:
                frame.counters[self.serial] = frame.counters.get(self.serial, 0) + 1
            frame.counted(self.count)
        if frame.watch is not None:
            frame.watch.append(("state", self.name, "", ""))
        if self.resets:
            for counter in self.resets:
                frame.counters.pop(counter, None)
        if self.pre and self.silent:
            return self._speak_first(frame)
        return self.work(frame)

    def _speak_first(self, frame: Frame) -> str | None:
        """Words in front of a verb without an action; an effect waits until they were heard."""
        actions = self.before(frame)
        if actions:
            if not frame.add(self, actions):
                if self.count is not None:
                    frame.counters[self.count] -= 1
                frame.call.then = self.name
                return None
            if self.alone:
                frame.call.then = f"!{self.name}"
                return None
        return self.work(frame)

    def work(self, frame: Frame) -> str | None:
        """Do what the verb says."""
        raise NotImplementedError

    def success(self, frame: Frame) -> str | None:
        """The state's action succeeded."""
        return frame.leave(self, self.main)

    def failure(self, frame: Frame) -> str | None:
        """An action of the state failed."""
        return frame.leave(self, "failed")

    def rearm(self, _frame: Frame) -> list[Action]:
        """The listeners of the state, if it has any."""
        return []

    def before(self, frame: Frame) -> list[Part]:
        """Actions of `say` or `play` in front of the verb."""
        out: list[Part] = []
        for talk in self.pre:
            out += talk.actions(frame)
        return out

    def ask(
        self,
        frame: Frame,
        port: str,
        name: str,
        args: tuple[Any, ...],
        effect: str = "keyed",
        budget_ms: int = 2000,
        limits: tuple[LimitUse, ...] = (),
        hook: Mapping[str, Any] = NOTHING,
    ) -> None:
        """Stop the walk and ask the world; ``resume`` goes on with the reply."""
        call, revision = frame.info(self.name), self.flow.revision
        frame.ask = Ask(port, name, args, self.token(frame, port), effect, budget_ms, call, revision, limits, hook)
        frame.asked = True

    def token(self, frame: Frame, position: str) -> str:
        """The effect token: same for a repeated event, different for every other effect (decision 16)."""
        counter = self.serial or self.count
        visit = frame.counters.get(counter, 1) if counter else 1
        return effect_token(frame.event.transaction, frame.call.stack, self.name, str(visit), position)


_sha256: Callable[[bytes], Any] | None = None


def effect_token(*parts: str) -> str:
    """26 lower-case letters and digits of SHA-256 over *parts*. Arguments are never part of it: they may be secret."""
    global _sha256
    if _sha256 is None:
        from hashlib import sha256  # here: only flows with effects pay for it

        _sha256 = sha256
    return _sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:26]


class Talk:
    """Words or files on one leg or both: the common part of `say`, `play` and what stands in front of a verb."""

    __slots__ = ("_made", "constant", "items", "leg", "locale", "node", "stop_on", "times")

    def __init__(self, talk: Mapping[str, Any], node: Node) -> None:
        self.node = node
        self.items = talk["items"]
        self.leg = talk.get("leg", "A")
        self.locale = node.flow.value(talk["locale"]) if talk.get("locale") is not None else None
        self.times: int = talk.get("times", 1)
        self.stop_on: list[str] | None = talk.get("stop_on")
        self.constant = node.flow.speech.constant(self.items)
        self._made: dict[str | None, list[Made]] = {}

    def actions(self, frame: Frame) -> list[Part]:
        """What to play. Empty when there is nothing to say or the leg is not there.

        Raises:
            InvalidActionError: a variable to be played is unset or unplayable.
        """
        locale = self.locale(frame) if self.locale is not None else frame.locale()
        legs = frame.legs(self.leg)
        if self.constant:
            made = self._made.get(locale)
            if made is None:
                made = self._made[locale] = [ready(action) for action in self._render(frame, locale)]
            return [
                (leg, make(target), digest) for leg in legs for target in [frame.leg(leg)] for make, digest, _ in made
            ]
        out: list[Part] = []
        for action in self._render(frame, locale) if legs else ():
            for leg in legs:
                params = {**frame.leg(leg), **action["Parameters"]}
                out.append((leg, {"Type": action["Type"], "Parameters": params}, ""))
        return out if len(legs) < 2 else sorted(out, key=lambda part: part[0])

    def _render(self, frame: Frame, locale: str | None) -> list[Action]:
        speech = self.node.flow.speech
        out = speech.talk(frame, speech.pieces(frame, self.items, self.node.prefix, locale), {})
        for action in out:
            if action["Type"] == "PlayAudio":
                if self.times > 1:
                    action["Parameters"]["Repeat"] = self.times
                if self.stop_on:
                    action["Parameters"]["PlaybackTerminators"] = list(self.stop_on)
        return out


Made = tuple[Callable[[Mapping[str, str]], Action], str, str]
"""A constant action as its maker, the digest of its telling parameters, and its tail on leg A."""


def ready(action: Action) -> Made:
    """Prepare a constant action (without leg) once, to be made afresh for every answer."""
    kind, params = action["Type"], action["Parameters"]
    digest = mark(kind, params)
    return builder(kind, params), digest, f"{CODES[kind]}.A.{digest}"


class Listener:
    """Keys in the background of a state: which patterns lead where, on which legs (decision 29)."""

    __slots__ = ("counter", "flush", "gap", "keys", "legs", "limit", "regex")

    NEVER: ClassVar[str] = "^[0-9]{60}$"
    """A pattern that no caller types: registered when the keys are used up (decision 32) or as a silent report."""

    def __init__(self, listen: Mapping[str, Any]) -> None:
        self.keys: Mapping[str, str] = listen["keys"]
        self.legs = listen.get("legs", "A")
        self.gap: int = listen.get("gap", 1000)
        self.flush: int = listen.get("flush", 10_000)
        self.regex: str = listen["regex"]
        self.limit: int = listen.get("limit", 100)
        self.counter: str = listen["counter"]

    def target(self, frame: Frame) -> str | None:
        """Where the received keys lead; None when they mean nothing here or are used up."""
        digits, leg = frame.event.digits, frame.event.leg
        if leg and leg not in frame.legs(self.legs):
            return None
        target = self.keys.get(digits)
        if target is None and len(digits) == 1 and digits.isdigit():
            target = self.keys.get("digit")
        if target is None or frame.counters.get(self.counter, 0) >= self.limit:
            return None
        frame.counters[self.counter] = frame.counters.get(self.counter, 0) + 1
        return target

    def arm(self, frame: Frame) -> list[Action]:
        """Register the listener on its living legs."""
        spent = frame.counters.get(self.counter, 0) >= self.limit
        regex = self.NEVER if spent else self.regex
        return [receive(frame.leg(leg), regex, self.gap, self.flush) for leg in frame.legs(self.legs)]


def receive(leg: Mapping[str, str], regex: str, gap: int = 1000, flush: int = 10_000) -> Action:
    """One ReceiveDigits action."""
    return {
        "Type": "ReceiveDigits",
        "Parameters": {
            **leg,
            "InputDigitsRegex": regex,
            "InBetweenDigitsDurationInMilliseconds": gap,
            "FlushDigitsDurationInMilliseconds": flush,
        },
    }
