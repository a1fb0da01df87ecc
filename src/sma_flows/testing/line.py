"""Calls in Python: the fixture ``call`` gives a line, and a line is a call that goes on.

Every method is a step of a calls file and is read and played by the same code; what a calls file can say, a line can.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sma_flows.flow.nodes import Span
from sma_flows.testing.play import CallFailedError, Player
from sma_flows.testing.script import CallScript, near, read_calls, step_of
from sma_flows.testing.targets import InProcess, Turn
from sma_flows.testing.visits import Visit
from sma_flows.testing.world import UnplayableError, World, world_of

__all__ = ["Caller", "Line"]


class Line:
    """A call that goes on. A method is a step of the script; a step that does not fit raises an AssertionError.

    Its text is the transcript up to the first difference. Nobody waits: time is virtual. Before a party does something
    the caller listens to the end.
    """

    def __init__(self, player: Player) -> None:
        self._player = player
        self._failed = False
        self._do(player.start)

    # ---- what the caller does and hears ----------------------------------------------------------------------------

    def hear(self, *wanted: str | Mapping[str, str]) -> None:
        """Everything heard since the last step of somebody: prompts, variables of recordings, ``{"text": "part"}``."""
        __tracebackhide__ = True
        self._step("hear", list(wanted))

    def press(self, keys: str) -> None:
        """Press keys: ``1234#``."""
        __tracebackhide__ = True
        self._step("press", keys)

    def silence(self, times: int = 1) -> None:
        """Leave so many questions without an answer."""
        __tracebackhide__ = True
        self._step("silence", f"{times}x")

    def speak(self, said: str = "5s") -> None:
        """Speak into a recording: a length of time, or a WAV file beside the test."""
        __tracebackhide__ = True
        self._step("speak", said)

    def hang_up(self, who: str = "caller") -> None:
        """The ``caller`` or the ``callee`` hangs up."""
        __tracebackhide__ = True
        self._step("hangup", who)

    def wait(self, length: str) -> None:
        """Let time go by: ``20s``. What follows happens at once, even in the middle of a sentence."""
        __tracebackhide__ = True
        self._step("wait", length)

    # ---- what others do --------------------------------------------------------------------------------------------

    def callee(self, does: str) -> None:
        """Who is being called: ``answers``, ``no_answer``, ``busy``; later ``hangs_up``."""
        __tracebackhide__ = True
        self._step("callee", does)

    def callee_press(self, keys: str) -> None:
        """Keys of the called party."""
        __tracebackhide__ = True
        self._step("callee_press", keys)

    def bot(
        self, intent: str, slots: Mapping[str, str | None] | None = None, attributes: Mapping[str, str] | None = None
    ) -> None:
        """The conversation with the bot ends with an intent; ``failed``: it cannot go on."""
        __tracebackhide__ = True
        result = {"intent": intent, "slots": _plain(slots or {}), "attributes": _plain(attributes or {})}
        self._step("bot", "failed" if intent == "failed" else result)

    def say_to_bot(self, *words: str) -> None:
        """What the caller says to a bot whose export is known (``bots``), one after the other."""
        __tracebackhide__ = True
        self._step("say_to_bot", list(words))

    def meeting_ends(self) -> None:
        """The meeting is over."""
        __tracebackhide__ = True
        self._step("meeting", "ends")

    def update(self, /, **arguments: object) -> None:
        """An update from outside."""
        __tracebackhide__ = True
        self._step("update", _plain(arguments))

    # ---- what the service does -------------------------------------------------------------------------------------

    def fail(self, verb: str, prompt: str = "") -> None:
        """The service cannot do the next action of *verb*, or the one that says *prompt*."""
        __tracebackhide__ = True
        self._step("fail", {verb: prompt} if prompt else verb)

    def repeat(self) -> None:
        """The last event comes a second time; the answer must be the same."""
        __tracebackhide__ = True
        self._step("repeat", "event")

    # ---- what must be so -------------------------------------------------------------------------------------------

    def expect(self, situation: str = "", /, **wanted: object) -> None:
        """A situation (``in_meeting``, ``bridged``, ``recording``, ``on_hold``, ``hung_up``) or values.

        Values are variables of the flow, or ``dialled``, ``headers`` and ``calls`` (how often hooks ran).
        """
        __tracebackhide__ = True
        if situation:
            self._step("expect", situation)
        if wanted:
            self._step("expect", _plain(wanted))

    def end(self, /, **totals: object) -> None:
        """The call is over now: ``ends_in``, ``calls``, ``var``, ``secrets_seen="none"`` as in a calls file."""
        __tracebackhide__ = True
        self._do(lambda: self._player.end(_plain(totals), hang_up=False))

    # ---- what can be looked at -------------------------------------------------------------------------------------

    @property
    def variables(self) -> Mapping[str, Any]:
        """The flow's variables as the last event left them."""
        return self._player.session.variables

    @property
    def heard(self) -> list[str]:
        """What the caller has heard since the last step of somebody, by name or as words in quotes."""
        return [str(one) for one in self._player.session.heard]

    @property
    def state(self) -> str:
        """The state in which the call stands."""
        turns = self._player.session.turns
        return turns[-1].after.state if turns else ""

    @property
    def ran(self) -> Mapping[str, int]:
        """How often each hook did its work."""
        world = self._player.world
        return dict(world.ran) if world is not None else {}

    @property
    def turns(self) -> Sequence[Turn]:
        """The events so far, with their answers."""
        return self._player.session.turns

    @property
    def transcript(self) -> str:
        """What happened so far, a line for each event, each thing heard and each step. Without secrets."""
        return "\n".join(self._player.session.lines)

    @property
    def now(self) -> datetime:
        """The clock of the call."""
        return self._player.session.now

    # ---- how it is done --------------------------------------------------------------------------------------------

    def _step(self, kind: str, value: Any) -> None:
        __tracebackhide__ = True
        step = step_of(kind, value, _here())
        self._do(lambda: self._player.do(step))

    def _do(self, what: Callable[[], object]) -> None:
        __tracebackhide__ = True
        try:
            what()
        except CallFailedError as error:
            self._failed = True
            raise error.with_traceback(None) from None

    def finish(self) -> None:
        """Look at the call when its test is over; a step that has failed before is enough.

        Raises:
            CallFailedError: somebody is still on the line, or something has gone wrong since the last step.
        """
        if not self._failed:
            self.end()


class Caller:
    """Places calls to flows; what the fixture ``call`` is. Each call has hooks, store and clock of its own.

    Flows are looked for in *folders*. *name* is that of the test. *on_visits* gets what each call came by in its flow.
    """

    def __init__(
        self,
        folders: Iterable[Path],
        name: str = "call",
        on_visits: Callable[[Path, frozenset[Visit]], None] | None = None,
    ) -> None:
        self._folders = list(folders)
        self._name = name
        self._on_visits = on_visits
        self._lines: list[_Placed] = []

    def __call__(
        self,
        flow: str | Path,
        *,
        from_: str | None = None,
        to: str | None = None,
        at: datetime | str | None = None,
        headers: Mapping[str, str] | None = None,
        inputs: Mapping[str, object] | None = None,
        answer: str | None = None,
        env: Mapping[str, str] | None = None,
        stub: Mapping[str, object] | None = None,
        switches: Mapping[str, str] | None = None,
        parties: Mapping[str, object] | None = None,
        bots: Mapping[str, object] | None = None,
        strict: bool | Sequence[str] | None = None,
    ) -> Line:
        """A new call to *flow*, a path from the folder of the test or from the root of the project.

        The other arguments are the keys of a call in a calls file. With *inputs* or *answer* it is an outbound call,
        which has been answered when the line comes back, unless it says otherwise.

        Raises:
            ValueError: an argument cannot be read; the text says what to write.
            UnplayableError: there is no such flow, or it cannot run.
            CallFailedError: the call went wrong at once.
        """
        __tracebackhide__ = True
        keys = {
            "from": from_,
            "to": to,
            "at": at,
            "headers": headers,
            "inputs": inputs,
            "answer": answer,
            "env": env,
            "stub": stub,
            "switches": switches,
            "parties": parties,
            "bots": bots,
            "strict": strict,
        }
        path = self._found(Path(flow))
        given = {key: _plain(value) for key, value in keys.items() if value is not None}
        script = _script(path, {"call": self._name, **given}, _here())
        spec = replace(world_of(path, script), watched=self._on_visits is not None)
        world = spec.open()
        player = Player(spec, script, InProcess(world), world, None)
        self._lines.append(_Placed(path, player, world))
        line = Line(player)
        self._lines[-1].line = line
        return line

    def close(self, *, check: bool = True) -> None:
        """The test is over: look at every call (unless the test has failed anyway), and let go what they hold.

        Raises:
            CallFailedError: of the first call that is not in order.
        """
        __tracebackhide__ = True
        wrong: CallFailedError | None = None
        for one in self._lines:
            try:
                if check and one.line is not None:
                    one.line.finish()
            except CallFailedError as error:
                wrong = wrong or error
            if self._on_visits is not None:
                self._on_visits(one.flow, one.player.session.trail.visits)
            one.world.close()
        self._lines.clear()
        if wrong is not None:
            raise wrong.with_traceback(None) from None

    def _found(self, flow: Path) -> Path:
        places = [Path(os.path.normpath(folder / flow)) for folder in self._folders]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            tried = ", ".join(dict.fromkeys(str(place.parent) for place in places))
            raise UnplayableError(f"there is no flow '{flow}' (looked for from {tried})")
        return near(found)


@dataclass(slots=True)
class _Placed:
    """A call that was placed; without a line it went wrong at once."""

    flow: Path
    player: Player
    world: World
    line: Line | None = None


def _script(flow: Path, call: Mapping[str, Any], here: Span) -> CallScript:
    text = json.dumps({"flow": str(flow.absolute()), "calls": [call]})
    file, found = read_calls(text, here.file)
    if file is None:
        raise ValueError("; ".join(": ".join(filter(None, (one.message, one.help))) for one in found))
    return replace(file.calls[0], span=here)


def _here() -> Span:
    """Where the test is that does something."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    if frame is None:
        return Span("<unknown>", 1, 1, 1, 1)
    line = frame.f_lineno
    return Span(str(near(Path(frame.f_code.co_filename))), line, 1, line, 1)


def _plain(value: object) -> Any:
    """A value as a calls file would hold it: texts, lists and maps."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    return "unset" if value is None else str(value)
