"""The same call with other secrets: whatever it leaves behind must be the same byte for byte (decision 15).

::

    found = twin_call(Path("flows/dial-in.yaml"), script)      # a call of a calls file
    assert not found.leaks, found.leaks[0]

A call is played four times with the compiled flow and the real handler: as it is written, with other digits in the
place of every secret, with different ones again, and once more with the first ones. The second and the third are the
twins. What their hooks do is what the hooks of the first did: each runs, and where it decides otherwise because of the
other digits, the outcome of the first counts. The fourth tells what differs anyway, because of a clock or chance: in
such a text only what is the same in both plays with the same digits is compared.

Then the digits of each play, and what they look like reversed, spaced, encoded or hashed, are searched for. That is the
second check, and the only one where a hook does something for the right digits only. What is in the play without these
digits, too, does not count: a short number occurs by chance.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sma_flows.errors import SmaFlowsError
from sma_flows.hooks import Reply
from sma_flows.runtime.ask import Ask, Secret, ServiceReply
from sma_flows.services.local.database import Database
from sma_flows.services.needs import HASH_KEY
from sma_flows.testing.compared import ALLOWED, OUTSIDE, Allowed, Leak, differences, hits, merged
from sma_flows.testing.coverage import Coverage
from sma_flows.testing.coverage.lcov import lcov
from sma_flows.testing.coverage.page import page_of
from sma_flows.testing.handled import Entry, Handled
from sma_flows.testing.lab import Lab, Setting, Trial, in_turn
from sma_flows.testing.moves import Listen, Move, Silence, Wait
from sma_flows.testing.play import CallFailedError, Player
from sma_flows.testing.reach import ways_of
from sma_flows.testing.reports import Told, junit
from sma_flows.testing.script import CallScript
from sma_flows.testing.scripted import World
from sma_flows.testing.session import Session
from sma_flows.testing.sinks import Sinks, asked_of, caught, left_by, new_handler, noting_meetings
from sma_flows.testing.world import world_of

__all__ = [
    "ALLOWED",
    "OUTSIDE",
    "Allowed",
    "Leak",
    "LeakError",
    "Twins",
    "other",
    "twin_call",
    "twin_flow",
    "twin_moves",
]

KINDS: Final = ("secret", "masked")
"""What is hidden, and the word of the flow language for it."""

KEY: Final = "the key of the twins: 32 characters or more"
"""Under which PINs are hashed, the same in every play."""

STORE: Final = "store.sqlite"
RECORDINGS: Final = "recordings"

QUIET: Final = ("hear", "expect", "silence", "wait")
"""Steps of a script in which nobody does anything."""

STILL: Final = "as if it had failed here"


class LeakError(SmaFlowsError):
    """What is hidden came out of a call; the text says where, and not what it was."""


@dataclass(slots=True)
class Twins:
    """What came of the twins of one call.

    ``hidden`` counts values that were typed or sent and are hidden; with none there are no twins. ``texts`` is how many
    texts were compared. ``steps`` is how many things people and the service did; listening and time do not count.
    ``unsteady`` names sinks with texts that differ from play to play and were compared in parts; ``notes`` is what
    whoever reads this should know.
    """

    call: str
    steps: int = 0
    leaks: list[Leak] = field(default_factory=list)
    hidden: int = 0
    texts: int = 0
    unsteady: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def told(self, place: str) -> tuple[str, list[str]]:
        """What is wrong with the call at *place* (empty: nothing), and what whoever reads this should know."""
        notes = [*self.notes, *(f"the sink '{sink}' is never the same: compared in parts" for sink in self.unsteady)]
        wrong = "\n".join([f"{self.call}\n{place}: what is hidden comes out", *map(str, self.leaks)])
        return (wrong if self.leaks else ""), [f"{place}: {note}" for note in notes]


def other(text: str, turn: int) -> str:
    """Another text of the same shape: no digit and no letter stays; keys like ``#`` do. Turn 0 is the text itself."""

    def moved(sign: str) -> str:
        for first, count, step in (("0", 10, 3), ("a", 26, 7), ("A", 26, 7)):
            if 0 <= ord(sign) - ord(first) < count:
                return chr(ord(first) + (ord(sign) - ord(first) + turn * step) % count)
        return sign

    return "".join(map(moved, text))


@dataclass(slots=True)
class Disguise:
    """What is typed in one play. ``seen``: every hidden text by its kind, as it is written and as it was typed."""

    kind: str
    turn: int
    seen: dict[str, dict[str, str]] = field(default_factory=lambda: {kind: {} for kind in KINDS})

    def __call__(self, text: str, secrecy: str) -> str:
        typed = other(text, self.turn) if secrecy == self.kind else text
        self.seen.setdefault(secrecy, {})[text] = typed
        return typed


@dataclass(slots=True)
class Replies:
    """What hooks answered in the first play, by effect and in turn; in the others they answer the same."""

    disguise: Disguise
    known: dict[tuple[str, int], object]
    turns: Counter[str] = field(default_factory=Counter)

    def __call__(self, ask: Ask, function: Callable[[], object]) -> object:
        key = (ask.token, self.turns[ask.token])
        self.turns[ask.token] += 1
        try:
            got = function()
        except Exception as error:  # noqa: BLE001 - raised again, or the hook did not raise in the first play
            got = error
        first = self.known.setdefault(key, got)
        got = got if _outcome(got, ask) == _outcome(first, ask) else first
        if isinstance(got, Exception):
            raise got
        return self._disguised(got, ask)

    def _disguised(self, got: object, ask: Ask) -> object:
        if not isinstance(got, Reply | ServiceReply):
            return got
        types: Mapping[str, Any] = (ask.hook.get("outcomes") or {}).get(got.outcome) or {}
        values = {name: self._value(value, types.get(name) or {}) for name, value in got.values.items()}
        return Reply(got.outcome, **values)

    def _value(self, value: object, kind: Mapping[str, Any]) -> object:
        if isinstance(value, Secret):
            return Secret(self.disguise(value.reveal(), str(kind.get("secrecy", "secret"))))
        if isinstance(value, str) and kind.get("secrecy"):
            return self.disguise(value, str(kind["secrecy"]))
        return value


def _outcome(got: object, ask: Ask) -> object:
    if isinstance(got, Exception):
        return Exception
    if got is None:
        return ask.hook.get("main") or next(iter(ask.hook.get("outcomes") or {"done": {}}))
    return got.outcome if isinstance(got, Reply | ServiceReply) else got if isinstance(got, str) else type(got)


@dataclass(slots=True)
class Play:
    """One play: what was typed, what it has left, why it went another way than its script says."""

    disguise: Disguise
    sinks: Sinks = field(default_factory=Sinks)
    problem: str = ""


def twin_call(
    flow: Path,
    script: CallScript,
    *,
    wrap: Callable[[Entry], Entry] | None = None,
    store: str = "",
    more: Callable[[Sinks], object] = lambda _sinks: None,
) -> Twins:
    """Play a call of a calls file and its twins, and compare what they leave behind.

    *wrap* puts something around the function that Lambda calls. *store* is another one than a new SQLite file for each
    play (``SMA_FLOWS_STORE``); *more* adds sinks of your own after each play, and makes them empty for the next.

    Raises:
        UnplayableError: the flow cannot run at all.
    """
    spec = world_of(flow, script)
    values = {HASH_KEY: KEY, **spec.values}

    def play(disguise: Disguise, replies: Replies, room: Path) -> Play:
        done = Play(disguise)
        world = replace(spec, values=values, watched=True, store=store or str(room / STORE)).open()
        world.between = replies
        with caught(done.sinks, room):
            target = Handled(world, new_handler(values, done.sinks), wrap)
            player = Player(spec, script, target, world, recordings=room / RECORDINGS)
            player.disguise = disguise
            if player.meetings is not None:
                noting_meetings(done.sinks, player.meetings)
            error = _to_its_end(player, done.sinks)
        done.problem = error.why if error is not None else ""
        _leave(done.sinks, player.session, world, target, room)
        _report(done.sinks, flow, script, error or player.failure(STILL))
        _covered(done.sinks, flow, script.name, player.session)
        more(done.sinks)
        return done

    return _twins(Twins(script.name, sum(step.kind not in QUIET for step in script.steps)), play)


def twin_moves(
    lab: Lab,
    setting: Setting,
    moves: Iterable[Move],
    given: Mapping[str, Sequence[Any]],
    *,
    wrap: Callable[[Entry], Entry] | None = None,
) -> Twins:
    """The same for a call that is made of moves (:meth:`~sma_flows.testing.lab.Lab.play`), or was tried out:
    ``twin_moves(lab, trial.setting, trial.moves, trial.given)``.
    """
    seats: list[Callable[[World], Handled]] = []
    values = {HASH_KEY: KEY, **lab.values}
    mine = Lab(lab.path, env=values, watched=True, wrap=lambda inner: seats[-1](inner.world))  # type: ignore[attr-defined]
    moves = tuple(moves)

    def play(disguise: Disguise, replies: Replies, room: Path) -> Play:
        done = Play(disguise)
        seated: list[Handled] = []

        def seat(world: World) -> Handled:
            world.between = replies
            seated.append(Handled(world, new_handler(values, done.sinks), wrap))
            return seated[-1]

        def prepare(trial: Trial) -> None:
            trial.disguise = disguise

        seats.append(seat)
        with (
            caught(done.sinks, room),
            mine.call(setting, in_turn(given), repeat=False, store=str(room / STORE), prepare=prepare) as trial,
        ):
            for move in moves:
                trial.make(move)
            trial.finish()
        done.problem = "; ".join(f"{one.invariant}: {one.what}" for one in trial.violations)
        _leave(done.sinks, trial.session, trial.world, seated[-1], room)
        done.sinks.add("report", "violations", "\n".join(map(str, trial.violations)))
        _covered(done.sinks, lab.path, "drawn", trial.session)
        return done

    return _twins(Twins(lab.name, sum(not isinstance(move, Listen | Silence | Wait) for move in moves)), play)


def twin_flow(
    flow: Path | str, *, env: Mapping[str, str] | None = None, wrap: Callable[[Entry], Entry] | None = None
) -> Iterator[Twins]:
    """The twins of one call to every state of a flow that a search finds a way to (as the fault matrix does).

    Raises:
        UnplayableError: it does not compile, or a value of its environment is missing.
    """
    lab = Lab(flow, env=env, watched=True)
    for state, way in ways_of(lab).ways.items():
        moves = (*way.before, way.last) if way.last is not None else way.before
        found = twin_moves(lab, way.setting, moves, way.given, wrap=wrap)
        found.call = f"the way to {state}"
        yield found


# ---- one play -------------------------------------------------------------------------------------------------------


def _to_its_end(player: Player, sinks: Sinks) -> CallFailedError | None:
    """The whole call; the error when it goes another way than written. After each step: what a report would say."""
    try:
        player.start()
        for number, step in enumerate(player.script.steps, 1):
            player.do(step)
            sinks.add("report", f"step {number}", str(player.failure(STILL)).partition("\n")[0])
        player.end()
    except CallFailedError as error:
        return error
    return None


def _leave(sinks: Sinks, session: Session, world: World, target: Handled, room: Path) -> None:
    for number, text in enumerate(target.tracebacks, 1):
        sinks.add("exception", f"traceback {number}", text)
    asked_of(sinks, world.asked)
    world.close()
    left_by(sinks, session, store=room / STORE, recordings=room / RECORDINGS)


def _report(sinks: Sinks, flow: Path, script: CallScript, error: CallFailedError) -> None:
    told = Told(str(flow), script.name, script.span.line, f"{script.name}\n{error}", 0.0)
    sinks.add("report", "text", str(error))
    sinks.add("report", "JUnit", junit([told]).decode())
    sinks.add("report", "JSON", told.as_object())


def _covered(sinks: Sinks, flow: Path, call: str, session: Session) -> None:
    coverage = Coverage()
    coverage.add(flow, call, session.trail.visits)
    collected = json.dumps(coverage.dump())
    sinks.add("coverage", "collected", collected)
    for place, text in _pages(collected):
        sinks.add("coverage", place, text)


@lru_cache(maxsize=16)
def _pages(collected: str) -> tuple[tuple[str, str], ...]:
    """What is written of collected coverage; the same for the same, and dear to make."""
    coverage = Coverage()
    coverage.load(json.loads(collected))
    flows = coverage.flows()
    return ("LCOV", lcov(flows)), *((f"page of {one.name}", page_of(one)) for one in flows)


# ---- four plays -----------------------------------------------------------------------------------------------------


def _twins(found: Twins, play: Callable[[Disguise, Replies, Path], Play]) -> Twins:
    known: dict[tuple[str, int], object] = {}
    with TemporaryDirectory(prefix="sma-flows-twins-") as folder:
        empty = Path(folder) / STORE
        made = Database(empty)
        made.open()
        made.close()

        def one(kind: str, turn: int) -> Play:
            room = Path(folder) / "room"  # it has the same name each time
            room.mkdir()
            shutil.copy(empty, room)
            try:
                disguise = Disguise(kind, turn)
                return play(disguise, Replies(disguise, known), room)
            finally:
                _cleared(room)

        first = one("", 0)
        if first.problem:
            found.notes.append(f"the call does not go as it is written: {first.problem}")
        for kind in KINDS:
            hidden = first.disguise.seen[kind]
            found.hidden += len(hidden)
            if hidden:
                _compare(found, kind, first, one(kind, 1), one(kind, 2), one(kind, 1))
    return found


def _cleared(room: Path) -> None:
    """Remove the room. A store that is let go just then takes its own files away."""
    with suppress(FileNotFoundError):
        shutil.rmtree(room)
    if room.exists():
        shutil.rmtree(room)


def _compare(found: Twins, kind: str, first: Play, one: Play, two: Play, again: Play) -> None:
    if one.problem != first.problem:
        found.notes.append(f"with other digits the call goes another way: {one.problem}")
    found.texts += len(one.sinks.kept)
    leaks = differences(kind, one.sinks, two.sinks, again.sinks, found.unsteady)
    written = [text for seen in first.disguise.seen.values() for text in seen]
    leaks += hits(kind, first.disguise.seen[kind], first.sinks, one.sinks)
    for play, without in ((one, two), (two, one)):
        leaks += hits(kind, play.disguise.seen[kind].values(), play.sinks, without.sinks)
    found.leaks += merged(leaks, written)
