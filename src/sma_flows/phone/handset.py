"""A call that somebody makes by hand: what was done is remembered, can be taken back, tried otherwise, and saved.

A deed is a step of a call script (:mod:`sma_flows.testing.script`), so that a call made by hand and a call of a test
are the same thing. Going back plays the deeds before anew: the service, the hooks' stand-ins and the clock are virtual,
so the same deeds always lead to the same place. (A hook of your own that really writes somewhere writes again.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sma_flows.errors import SmaFlowsError
from sma_flows.flow.nodes import Span
from sma_flows.runtime.invoke import masked
from sma_flows.testing.play import CallFailedError, Player
from sma_flows.testing.script import CallScript, Step
from sma_flows.testing.targets import InProcess
from sma_flows.testing.world import World, WorldSpec, world_of

__all__ = ["Deed", "Handset", "HandsetError"]

BY_HAND: Final = Span("phone", 1, 1, 1, 1)
"""The place of a step that nobody wrote down."""

MAIN: Final = "main"


class HandsetError(SmaFlowsError):
    """What was asked for cannot be done now. The call stands where it stood."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that somebody did; ``heard`` is what the caller had heard before it, as a script would name it."""

    step: Step
    heard: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return str(self.step)


class Handset:
    """A telephone in the hand of a developer.

    *script* says who calls whom, when, and with which stubs; its steps are ignored. ``deeds`` is what was done,
    ``ahead`` what was taken back and can be done again. *live*: time passes only when :meth:`pass_time` says so, and
    the waiting is remembered; else a deed happens when it is somebody's turn, as in a call script. What is recorded is
    written below *recordings*, or nowhere.

    Raises:
        UnplayableError: the flow cannot run at all.
    """

    def __init__(self, flow: Path, script: CallScript, *, live: bool = False, recordings: Path | None = None) -> None:
        self.flow = flow
        self.script = replace(script, steps=())
        self.live = live
        self._recordings = recordings
        self.deeds: list[Deed] = []
        self.ahead: list[Deed] = []
        self.branch = MAIN
        self.branches: dict[str, tuple[Deed, ...]] = {}
        self._spec: WorldSpec = world_of(flow, self.script)
        self._waited_ms = 0
        self.world: World
        self.player: Player
        self._begin()

    # ---- the call ------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if hasattr(self, "world"):
            self.world.close()
        self.world = self._spec.open()
        self.player = Player(self._spec, self.script, InProcess(self.world), self.world, recordings=self._recordings)
        self._waited_ms = 0
        self.player.start()
        if not self.live:
            self.player.rest()

    def close(self) -> None:
        """Put the receiver down for good."""
        self.world.close()

    def do(self, kind: str, value: Any) -> None:
        """Do something: a step kind with its value as :mod:`sma_flows.testing.script` reads it.

        What had been taken back is kept as a branch of its own.

        Raises:
            HandsetError: it does not fit now; the text says why.
        """
        if self.over:
            raise HandsetError("the call is over: go back, or start again with `jump 0`")
        before, heard = list(self.deeds), self._heard()
        try:
            if self.live and self._waited_ms:
                self._done(Deed(Step("wait", self._waited_ms / 1000, BY_HAND), ()), play=False)
                self.player.free = True
            self._done(Deed(Step(kind, value, BY_HAND), heard))
        except CallFailedError as error:
            self._replay(before)
            raise HandsetError(error.why) from None
        if self.ahead:
            self._keep((*before, *self.ahead))
            self.ahead = []
        self._waited_ms = 0

    def listen(self) -> None:
        """After a wait or a speech, which happen in the middle of something: listen to the end of it.

        Raises:
            HandsetError: the call goes on for ever, or not at all.
        """
        if self.over or self.live or not self.player.free:
            return
        before = list(self.deeds)
        try:
            self.player.rest()
        except CallFailedError as error:
            self._replay(before)
            raise HandsetError(error.why) from None
        self.player.free = False
        self.deeds.append(Deed(Step("hear", list(self._heard()), BY_HAND)))
        self.player.session.heard.clear()

    def _done(self, deed: Deed, *, play: bool = True) -> None:
        if play:
            self.player.session.heard.clear()
            self.player.do(deed.step)
            if not self.live and not self.player.free:
                self.player.rest()
        self.deeds.append(deed)

    def pass_time(self, ms: int) -> None:
        """Let virtual time pass, in a live call."""
        if self.over or ms <= 0:
            return
        self._waited_ms += ms
        self.player.phone.wait(ms)
        self.player.session.listen()

    def _heard(self) -> tuple[Any, ...]:
        """What a script can be sure of: a step `hear` listens to the end, so nothing in the middle of a wait."""
        if self.live or self.player.free:
            return ()
        return tuple(each.names[0] if each.names else {"text": each.text} for each in self.player.session.heard)

    # ---- back and forth --------------------------------------------------------------------------------------------

    def jump(self, place: int) -> None:
        """Go to the place in the call after that many deeds: back, or forth into what was taken back.

        Raises:
            HandsetError: there is no such place.
        """
        path = [*self.deeds, *self.ahead]
        if not 0 <= place <= len(path):
            raise HandsetError(f"there are {len(path)} steps: say a number from 0 to {len(path)}")
        self._replay(path[:place])
        self.ahead = path[place:]

    def back(self, steps: int = 1) -> None:
        """Take back the last deeds. A deed of a live call goes with the waiting in front of it."""
        place = len(self.deeds)
        for _ in range(max(1, steps)):
            place -= 1
            while self.live and place > 0 and self.deeds[place - 1].step.kind == "wait":
                place -= 1
        if place < 0:
            raise HandsetError("nothing was done yet")
        self.jump(place)

    def _replay(self, deeds: list[Deed]) -> None:
        self.deeds = []
        self._begin()
        for deed in deeds:
            self._done(deed)
        if self.live:
            self.player.free = False

    # ---- branches --------------------------------------------------------------------------------------------------

    def fork(self, name: str = "") -> str:
        """Keep the call as it is under the name it had, and go on in a copy called *name*; the name of the copy.

        Raises:
            HandsetError: the name is taken.
        """
        name = name or self._free("fork")
        if name == self.branch or name in self.branches:
            raise HandsetError(f"there is a call '{name}' already: {', '.join(self.names)}")
        self.branches[self.branch] = (*self.deeds, *self.ahead)
        self.branch, self.ahead = name, []
        return name

    def go(self, name: str) -> None:
        """Go to another branch, to the end of what was done there.

        Raises:
            HandsetError: there is none of this name.
        """
        if name not in self.branches:
            raise HandsetError(f"there is no call '{name}': there are {', '.join(self.names)}")
        self.branches[self.branch] = (*self.deeds, *self.ahead)
        deeds = self.branches.pop(name)
        self.branch, self.ahead = name, []
        self._replay(list(deeds))

    @property
    def names(self) -> list[str]:
        """Names of all branches, the current one first."""
        return [self.branch, *self.branches]

    def _keep(self, deeds: tuple[Deed, ...]) -> None:
        self.branches[self._free(f"{self.branch} before")] = deeds

    def _free(self, name: str) -> str:
        number = 1
        while f"{name} {number}" in self.names:
            number += 1
        return f"{name} {number}"

    # ---- what can be seen ------------------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """The call is over."""
        return self.player.phone.over

    @property
    def lines(self) -> list[str]:
        """The transcript."""
        return self.player.session.lines

    @property
    def now_s(self) -> float:
        """Seconds since the call began."""
        return self.player.phone.now_ms / 1000

    @property
    def now_heard(self) -> tuple[Any, ...]:
        """What the caller has heard since the last deed, as a script would name it."""
        return self._heard()

    @property
    def state(self) -> str:
        """The state in which the call stands, with the bridge or meeting behind an aside."""
        turns = self.player.session.turns
        return str(turns[-1].after) if turns else "-"

    @property
    def variables(self) -> Mapping[str, Any]:
        """The flow's variables as they may be shown: secrets and tokens hidden, numbers shortened."""
        flow = self.world.program.flow(self._spec.plan.flows[self._spec.flow])
        return masked(flow, self.player.session.variables) if flow is not None else {}

    @property
    def legs(self) -> list[str]:
        """The legs, one line each."""
        status = {"": "rings", "ringing": "rings"}
        return [
            " ".join(filter(None, (leg.tag, status.get(leg.status, leg.status.lower()), leg.recording and "recorded")))
            for leg in self.player.phone.network.legs
        ]

    @property
    def timers(self) -> list[str]:
        """What runs and when it ends, in seconds from now."""
        network = self.player.phone.network
        running = network.running
        names = {
            "action": f"{running.action.type} ({running.phase})" if running is not None else "",
            "gap": "the keys are looked at",
            "flush": "the keys are forgotten",
            "silence": "silence ends the recording",
        }
        return [f"{one.ms / 1000:.1f} s  {names.get(one.name) or one.name}" for one in network.timers]

    @property
    def waits_for(self) -> str:
        """Whose turn it is, in words."""
        session = self.player.session
        network = self.player.phone.network
        if self.over:
            return "the call is over"
        if self.player.free and not self.live:
            return "in the middle of something: listen, or do the next thing at once"
        running = network.running
        kind = running.action.type if running is not None else ""
        if running is not None and running.phase == "ring":
            return "somebody is being called: callee answers, busy, no_answer"
        if running is not None and running.phase == "bot":
            return "a bot talks with the caller: bot INTENT Slot=Value"
        if running is not None and running.phase == "failure":
            return "the caller hears that this was not it; keys are lost meanwhile"
        if kind in ("SpeakAndGetDigits", "PlayAudioAndGetDigits"):
            return "keys are awaited: press some, or silence"
        if kind == "RecordAudio":
            return "the caller is recorded: speak 5s"
        if network.joined:
            who = "a meeting" if session.situation("in_meeting") else "the other party"
            keys = ", keys are heard" if network.listeners else ""
            return f"the caller talks with {who}{keys}"
        return kind or "nothing goes on"
