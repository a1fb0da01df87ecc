"""Plays one call in virtual time against any function that answers events, and keeps a transcript.

Nothing here waits: time passes when the caller lets it (:meth:`Phone.wait`, :meth:`Phone.until`), from timer to timer.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

from sma_flows.simulator.bot_line import BotLine, Utterance
from sma_flows.simulator.bots import Bot
from sma_flows.simulator.desk import Desk
from sma_flows.simulator.jsontext import loads
from sma_flows.simulator.messages import (
    Answer,
    BotResult,
    Callee,
    CallRecording,
    Deliver,
    Dials,
    Elapse,
    Entry,
    FunctionFails,
    Gone,
    HangUp,
    Hears,
    InboundCall,
    Input,
    Key,
    Log,
    MeetingEnds,
    OutboundCall,
    Output,
    Over,
    Stored,
    Talk,
    Update,
    answer_of,
)
from sma_flows.simulator.model import Leg, Network, World
from sma_flows.simulator.network import elapse, feed
from sma_flows.simulator.parties import Parties, Party, party_of
from sma_flows.simulator.storage import Storage
from sma_flows.simulator.switches import Switches
from sma_flows.simulator.talk import speech_ms

__all__ = ["AnswerFunction", "Around", "Party", "Phone", "play"]

AnswerFunction = Callable[[dict[str, Any]], object]
"""Takes an event, gives the response (JSON-like); an exception is a function error."""

TextFunction = Callable[[str], str]
"""The same over JSON texts, as the service itself does it: ``""`` is no response."""


SILENCE_MS: Final = 4_000
"""So long a bot waits for words (the usual start-timeout of a prompt; keys are not waited for longer)."""


class _Due(NamedTuple):
    """An input that is on its way. ``call_id``: of the leg that it is for, and that may be gone by then."""

    at_ms: int
    place: int
    event: Input | Utterance
    call_id: str = ""


class _Response(Entry):
    """Keeps the text of a response, which is parsed when somebody looks at it: an object of its own each time."""

    __slots__ = ()

    @property
    def value(self) -> Any:
        return parsed(self[2])


def parsed(body: str) -> Any:
    """A response as an object; the text itself when it is not JSON."""
    try:
        return loads(body) if body else ""
    except ValueError:
        return body


class Around(Protocol):
    """What a call shares with other calls, and what changes while it goes on: meetings, quotas, who is called."""

    def world(self, network: Network, event: Input) -> World:
        """The world in this moment, just before *event* happens."""
        ...

    def moved(self, before: Network, after: Network) -> None:
        """Something has happened to the call."""
        ...

    def takes(self, output: Output) -> bool:
        """Whether it sees to this output itself: hands an event over (:meth:`Phone.reply`), calls a party."""
        ...


class Phone:
    """A call on the virtual network.

    *answer* is the function: it takes an event as an object, or with *text* as JSON text, and gives its response in the
    same form. *parties* answer for the called parties, by number or one after the other (the last one repeats); *bots*
    are bots by alias ARN, or the results of conversations, one after the other; *delay_ms* says how long the function
    takes for an event (default: no time); None keeps the answer back in ``held`` until :meth:`release` hands it in.
    *storage* holds the audio files (without one, every file is there and has the usual length); *around*: what calls
    share.
    """

    answer: Callable[[Any], Any]
    now_ms: int
    transcript: list[Entry]
    held: list[Input]
    acted: int
    """How often called parties have done something by themselves."""

    def __init__(
        self,
        answer: AnswerFunction | TextFunction,
        *,
        switches: Switches | Mapping[str, str] | None = None,
        world: World | None = None,
        parties: Parties = (),
        bots: Sequence[BotResult] | Mapping[str, Bot] = (),
        delay_ms: Callable[[dict[str, Any]], int | None] | None = None,
        storage: Storage | None = None,
        around: Around | None = None,
        text: bool = False,
    ) -> None:
        if not isinstance(switches, Switches):
            switches = Switches().having(switches) if switches else _DEFAULT
        self.now_ms = 0
        self._leaned: set[str] = set()
        self._network: Network | None = Network(world or _WORLD, switches)
        self._desk = Desk(self._network, self._leaned.add)
        self.transcript = []
        self.held = []
        self.answer = answer
        self._text = text
        self._by_number = dict(parties) if isinstance(parties, Mapping) else {}
        self._parties = [] if isinstance(parties, Mapping) else list(parties)
        self._first: Party | None = None
        self._ringing: dict[str, Party] = {}
        self._bots = [] if isinstance(bots, Mapping) else list(bots)
        self.bot = BotLine(bots if isinstance(bots, Mapping) else {})
        self._delay_ms = delay_ms
        self._storage = storage
        self._around = around
        self._due: list[_Due] = []
        self._count = 0
        self.acted = 0

    @property
    def network(self) -> Network:
        """The call as a value: it stays as it is when the call goes on. Another one can be put in its place."""
        if self._network is None:
            self._network = self._desk.network()
        return self._network

    @network.setter
    def network(self, network: Network) -> None:
        self._network = network
        self._desk = Desk(network, self._leaned.add, self.now_ms)

    # -- time ------------------------------------------------------------------------------------------------------

    def send(self, event: Input) -> list[Entry]:
        """Put any input into the network now; what was added to the transcript (answers that take no time included)."""
        begin = len(self.transcript)
        if isinstance(event, Callee):
            self._by_hand()
        if not isinstance(event, Answer | FunctionFails | Elapse):
            self._note("input", event)
        if self.bot.now is not None and isinstance(event, Key | Talk):
            self._to_bot(event)
        self._advance(event)
        return self.transcript[begin:]

    def _advance(self, event: Input) -> None:
        """Let something happen, and everything that comes of it at once: a loop, because a call may go in circles."""
        self._follow([event])

    def _follow(self, events: list[Input]) -> None:
        todo = events if len(events) < 2 else events[::-1]
        while todo:
            if self._around is None:
                self._network = None
                feed(self._desk, todo.pop())
            else:
                self._shared(self._around, todo.pop())
            if self._desk.out:
                answers = self._outputs()
                if answers:
                    todo += answers if len(answers) == 1 else reversed(answers)

    def _shared(self, around: Around, event: Input) -> None:
        desk, before = self._desk, self.network
        desk.world = around.world(before, event)
        self._network = None
        try:
            feed(desk, event)
        finally:
            desk.world = before.world
        around.moved(before, self.network)

    def _outputs(self) -> list[Input]:
        """Note what came of something, and do what is to be done about it; the answers that arrive at once."""
        outputs, self._desk.out = self._desk.out, []
        around, now, note = self._around, self.now_ms, self.transcript.append
        answers: list[Input] = []
        for output in outputs:
            kind = type(output)
            if kind is Deliver:
                note(_new(Entry, (now, "output", output, output[0], "")))  # type: ignore[index]
                if around is None or not around.takes(output):
                    given = self._given(output, self.ask, output)  # type: ignore[arg-type]
                    if self._delay_ms is None or not self._on_its_way(output, given):  # type: ignore[arg-type]
                        answers.append(given)
                continue
            note(_new(Entry, (now, "output", output, 0, "")))
            if kind is Hears and output[1] != "bot" and around is None:  # type: ignore[index]
                continue
            if kind in _REACTED if around is None else not around.takes(output):
                self._react(output)
        return answers

    def _react(self, output: Output) -> None:
        match output:
            case Dials():
                party, self._first = self._first or party_of(self._by_number, output.to), None
                if party is None and self._parties:
                    party = self._parties.pop(0) if len(self._parties) > 1 else self._parties[0]
                if party is not None:
                    self.call(output.leg, party)
            case Hears(what="bot") if self._bots:
                self.later(1_000, self._bots.pop(0))
            case Hears(what="bot", text=arn) if arn in self.bot.bots and self._desk.running is not None:
                failure = self.bot.start(arn, self._desk.running.action.parameters(), self._desk.world.day)
                if failure is not None:
                    self.later(0, failure)
            case Stored() | CallRecording() if self._storage is not None:
                self._warn(self._storage.keep(output, self.transcript, self.now_ms, self.network))

    def _given(self, deliver: Deliver, answer: Callable[..., Any], *event: object) -> Input:
        number, _, attempt = deliver
        try:
            said = answer(*event)
            given = _new(Answer, (number, said, attempt)) if self._text else answer_of(number, said, attempt)
        except Exception as error:  # noqa: BLE001 - whatever the function raises is a function error to the service
            self._note("response", error, number)
            return FunctionFails(number, f"{type(error).__name__}: {error}", attempt)
        self.transcript.append(_new(_Response, (self.now_ms, "response", given.body, number, "")))
        if self._storage is not None:
            world, warnings = self._storage.fit(self._desk.world, given.body)
            if world is not self._desk.world:
                self.network = replace(self.network, world=world)
            self._warn(warnings)
        return given

    def _warn(self, messages: Iterable[str]) -> None:
        for message in messages:
            self._note("output", Log("warning", message))

    def ask(self, deliver: Deliver) -> Any:
        """What the function says to an event; whatever it raises."""
        return self.answer(deliver.body if self._text else deliver.event)

    def reply(self, deliver: Deliver, answer: Callable[[], object]) -> list[Entry]:
        """The answer to an event that :class:`Around` took: what *answer* gives; if it raises, the function failed."""
        begin = len(self.transcript)
        given = self._given(deliver, answer)
        if not self._on_its_way(deliver, given):
            self._advance(given)
        return self.transcript[begin:]

    def _on_its_way(self, deliver: Deliver, given: Input) -> bool:
        """Whether the answer does not arrive at once, because the function takes its time or it is kept back."""
        delay = self._delay_ms(deliver.event) if self._delay_ms else 0
        if delay is None:
            self.held.append(given)
        elif delay:
            self.later(delay, given)
        return delay != 0

    def later(self, ms: int, event: Input | Utterance, call_id: str = "") -> None:
        """Put an input into the network in *ms*; what fits no more by then (nobody rings, no bot talks, the leg with
        this *call_id* is gone) is left out."""
        self._count += 1
        heapq.heappush(self._due, _Due(self.now_ms + ms, self._count, event, call_id))

    def call(self, leg: str, party: Party) -> None:
        """*party* is the one who is being called on *leg*; from now on it acts by itself."""
        ringing = self._desk.leg(leg)
        if ringing is None or ringing.status != "ringing":
            raise ValueError(f"{leg} does not ring")
        self._ringing[ringing.call_id] = party
        for ms, event in party.until_answer(leg):
            self.later(ms, event, ringing.call_id)

    def _to_bot(self, event: Key | Talk) -> None:
        """What the caller says or presses is for the bot; words are heard when they have been said."""
        if event.leg != "LEG-A" or not self._talking:
            return
        if isinstance(event, Talk):
            if event.words:
                self.later(event.ms, Utterance(event.words))
            return
        given = self.bot.key(event.key)
        if given is not None:
            self.later(*given)

    def hears(self, utterance: Utterance) -> None:
        """The bot has heard something: it answers, and after its last words the conversation is over."""
        heard = self.bot.hear(utterance)
        if heard is None:
            return
        self._desk.lean("52 words")
        for words in heard.says:
            self._note("output", Hears("LEG-A", "speech", words))
        if heard.result is not None:
            self.later(sum(map(speech_ms, heard.says)), heard.result)

    @property
    def bot_works(self) -> bool:
        """The bot has something to do: it hears the caller out, waits for more keys, or says its last words."""
        return self._talking and any(isinstance(due.event, BotResult | Utterance) for due in self._due)

    def _note(self, kind: str, value: Any, number: int = 0, by: str = "") -> None:
        self.transcript.append(_new(Entry, (self.now_ms, kind, value, number, by)))

    def _next(self) -> int | None:
        """When the next thing happens by itself."""
        timers, due = self._desk.timers, self._due
        if not timers:
            return due[0][0] if due else None
        return timers[0][0] if not due or timers[0][0] < due[0][0] else due[0][0]

    @property
    def next_ms(self) -> int | None:
        """Milliseconds until something happens by itself: a timer, an answer on its way, a party; None: never."""
        at = self._next()
        return None if at is None else max(0, at - self.now_ms)

    def _step(self, at: int) -> None:
        """Go to *at*, which is not after the next thing, and let happen what is due."""
        desk = self._desk
        self.now_ms = at
        if self._around is not None:
            self._advance(Elapse(at - desk.now))
        else:
            self._network = None
            elapse(desk, at - desk.now)
            if desk.out:
                self._follow(self._outputs())
        while self._due and self._due[0][0] <= self.now_ms:
            due = heapq.heappop(self._due)
            if not self._fits(due):
                continue
            if isinstance(due.event, Utterance):
                self.hears(due.event)
            elif due.call_id:
                self._act(due.event, due.call_id)
            else:
                self.send(due.event)

    def _fits(self, due: _Due) -> bool:
        """The call is still where this input makes sense."""
        if due.call_id:
            leg = self._leg_of(due.call_id)
            return leg is not None and leg.status == ("ringing" if isinstance(due.event, Callee) else "Connected")
        if isinstance(due.event, Callee):
            return self._calling
        if isinstance(due.event, MeetingEnds):
            return self._desk.joined.startswith("meeting")
        return not isinstance(due.event, BotResult | Utterance) or self._talking

    def _leg_of(self, call_id: str) -> Leg | None:
        return next((one for one in self._desk.legs if one.call_id == call_id), None)

    def _act(self, event: Input, call_id: str) -> None:
        """A party does something by itself; one that has answered will do more."""
        self.acted += 1
        self._note("input", event, by="party")
        self._advance(event)
        leg = self._leg_of(call_id)
        if isinstance(event, Callee) and leg is not None and leg.connected:
            for ms, act in self._ringing.pop(call_id).after_answer(leg.tag):
                self.later(ms, act, call_id)

    @property
    def will_act(self) -> bool:
        """A called party will do something by itself, if the call goes on as it is; also to let it ring in vain."""
        return any(due.call_id and self._fits(due) for due in self._due) or any(
            leg.status == "ringing" and leg.call_id in self._ringing and self._ringing[leg.call_id].does == "no_answer"
            for leg in self._desk.legs  # rule 43: of a bridge nothing is due, its time-out is the end
        )

    @property
    def _calling(self) -> bool:
        first, running = self._desk.leg("LEG-A"), self._desk.running
        return (first is not None and first.status == "ringing") or (running is not None and running.phase == "ring")

    @property
    def _talking(self) -> bool:
        return self._desk.running is not None and self._desk.running.phase == "bot"

    def wait(self, ms: int) -> None:
        """Let *ms* of virtual time pass, or less if the call is over."""
        desk, end = self._desk, self.now_ms + ms
        if self._due or (desk.timers and desk.timers[0][0] <= end):
            while not self._desk.over and (at := self._next()) is not None and at <= end:
                self._step(at)
            desk = self._desk
        if not desk.over and end > self.now_ms:  # nothing happens until then
            self._network = None
            self.now_ms = desk.now = end

    def until(self, test: Callable[[Entry], bool], limit_ms: int = 600_000) -> bool:
        """Let time pass until a new transcript entry fits; False when the call ends or rests, or at the limit."""
        end, seen = self.now_ms + limit_ms, len(self.transcript)
        while not self.over and (at := self._next()) is not None and at <= end:
            self._step(at)
            if any(test(entry) for entry in self.transcript[seen:]):
                return True
            seen = len(self.transcript)
        return False

    def settle(self, limit_ms: int = 600_000) -> None:
        """Let time pass until nothing more happens by itself: over, idle, or the limit is reached."""
        end = self.now_ms + limit_ms
        while not self._desk.over and (at := self._next()) is not None and at <= end:
            self._step(at)

    def break_off(self, why: str) -> None:
        """The simulator itself has failed: the call is over, and its log says *why*.

        What it was in the middle of is not known any more, so the function is told nothing; the meetings are.
        """
        before, self._due, self.held = self.network, [], []
        gone = [Gone(leg.tag, 480, "service") for leg in before.legs if not leg.gone]
        for output in (Log("error", why), *gone, Over("the simulator failed")):
            self._note("output", output)
        self.network = before.broken_off()
        if self._around is not None:
            self._around.moved(before, self.network)

    def release(self, place: int = 0) -> None:
        """Hand in an answer that was kept back: the oldest, or the one at *place*."""
        self.send(self.held.pop(place))

    # -- people ----------------------------------------------------------------------------------------------------

    def dial_in(
        self, from_: str = "+12065550123", to: str = "+14255550100", headers: Mapping[str, str] | None = None
    ) -> None:
        """Call our number."""
        self.send(InboundCall(from_, to, tuple((headers or {}).items())))

    def dial_out(self, call: OutboundCall, party: Party | None = None) -> None:
        """Place an outbound call; *party* is the one who is called, whatever the number."""
        self._first = party
        self.send(call)

    def press(self, keys: str, leg: str = "LEG-A", gap_ms: int = 300) -> None:
        """Press keys with *gap_ms* between them; the rest is not pressed when the call ends."""
        alone = self._around is None and self.bot.now is None
        for place, key in enumerate(keys):
            desk = self._desk
            if place:
                at = self.now_ms + gap_ms
                if self._due or (desk.timers and desk.timers[0][0] <= at):
                    self.wait(gap_ms)
                    desk = self._desk
                else:
                    self.now_ms = desk.now = at
            if desk.over:
                return
            event = _key(key, leg)
            self.transcript.append(_new(Entry, (self.now_ms, "input", event, 0, "")))
            if not alone:
                if self.bot.now is not None:
                    self._to_bot(event)
                self._advance(event)
                continue
            self._network = None
            feed(desk, event)
            if desk.out:
                self._follow(self._outputs())

    def say(self, words: str) -> None:
        """The caller says something to the bot, and waits until it was heard.

        Raises:
            ValueError: no bot listens that knows what to do with words.
        """
        if self.bot.now is None or not self._talking:
            raise ValueError("no bot listens")
        talk = Talk(speech_ms(words), words=words)
        self.send(talk)
        self.wait(talk.ms)

    def keep_silent(self) -> None:
        """The caller says nothing to the bot until it waits no longer."""
        self.wait(SILENCE_MS)
        self.hears(Utterance())

    def callee(self, does: Callee) -> None:
        """The called party is led by hand: from now on it does nothing by itself."""
        self.send(does)

    def _by_hand(self) -> None:
        ringing = {leg.call_id for leg in self._desk.legs if leg.status == "ringing"}
        self._due = [due for due in self._due if due.call_id not in ringing]
        heapq.heapify(self._due)
        for call_id in ringing:
            self._ringing.pop(call_id, None)

    def hang_up(self, leg: str = "LEG-A", code: int = 0) -> None:
        """A party hangs up."""
        self.send(HangUp(leg, code))

    def update(self, arguments: Mapping[str, str]) -> None:
        """UpdateSipMediaApplicationCall."""
        self.send(Update(tuple(arguments.items())))

    # -- what happened ---------------------------------------------------------------------------------------------

    @property
    def stuck(self) -> bool:
        """The call is not over, and no timer and no party of the driver will ever change that."""
        return bool(self._desk.legs) and not self.over and self._next() is None

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events delivered so far (repetitions included)."""
        return [output.event for output in self.outputs if isinstance(output, Deliver)]

    @property
    def responses(self) -> list[Any]:
        """The function's responses so far."""
        return [entry.value for entry in self.transcript if entry.kind == "response"]

    @property
    def outputs(self) -> list[Output]:
        """All outputs so far."""
        return [entry.value for entry in self.transcript if entry.kind == "output"]

    def leaned_on(self) -> frozenset[str]:
        """The entries of the ledger that have had a say in this call so far, by key: see :mod:`.fidelity`."""
        return frozenset(self._leaned)

    def ringing(self, leg: str) -> bool:
        """The party of this leg is being called."""
        there = self._desk.leg(leg)
        return there is not None and there.status == "ringing"

    def connected(self, leg: str) -> bool:
        """The leg is on the line."""
        there = self._desk.leg(leg)
        return there is not None and there.connected

    @property
    def over(self) -> bool:
        """The call is over."""
        return self._desk.over


_DEFAULT: Final = Switches()
_WORLD: Final = World()
_REACTED: Final = frozenset({Dials, Hears, Stored, CallRecording})
_new: Final = tuple.__new__
_key: Final = lru_cache(maxsize=256)(Key)


def play(answer: AnswerFunction, script: Iterable[Input | int], **options: Any) -> Phone:
    """Play a script: inputs in turn, numbers are milliseconds to wait; at the end the call settles."""
    phone = Phone(answer, **options)
    for item in script:
        if isinstance(item, int):
            phone.wait(item)
        else:
            phone.send(item)
    phone.settle()
    return phone
