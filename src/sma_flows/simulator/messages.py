"""What goes into the network and what comes out of it: frozen values, nothing else.

Maps are given as tuples of pairs or as JSON text, so that every message can be compared and hashed. The three that a
call has most of are named tuples: they are made in half the time.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sma_flows.simulator.jsontext import loads

Pairs = tuple[tuple[str, str], ...]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

# --- inputs ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InboundCall:
    """Somebody calls our number."""

    from_: str = "+12065550123"
    to: str = "+14255550100"
    headers: Pairs = ()


@dataclass(frozen=True, slots=True)
class OutboundCall:
    """CreateSipMediaApplicationCall was accepted."""

    to: str = "+12065550123"
    from_: str = "+14255550100"
    arguments: Pairs = ()
    headers: Pairs = ()


@dataclass(frozen=True, slots=True)
class Key:
    """A party presses one key."""

    key: str
    leg: str = "LEG-A"


@dataclass(frozen=True, slots=True)
class Talk:
    """A party speaks for so long (only a recording that waits for silence cares).

    ``file`` is a WAV file with what is said, ``sound`` stands for it: the service looks at neither, recordings hold it.
    ``words`` are for a bot that listens.
    """

    ms: int
    leg: str = "LEG-A"
    file: str = ""
    sound: Literal["voice", "beep"] = "voice"
    words: str = ""


@dataclass(frozen=True, slots=True)
class Elapse:
    """Time goes by, at most up to the next timer (``network.next_ms``). Timers that reach zero go off."""

    ms: int


@dataclass(frozen=True, slots=True)
class HangUp:
    """A party hangs up: also one that still hears ringing."""

    leg: str = "LEG-A"
    code: int = 0


@dataclass(frozen=True, slots=True)
class Callee:
    """What the party does that is being called (outbound LEG-A, or LEG-B of a bridge). ``code`` is for ``rejects``."""

    does: Literal["rings", "answers", "voicemail", "busy", "rejects", "no_answer"]
    code: int = 603


@dataclass(frozen=True, slots=True)
class MeetingEnds:
    """The meeting of LEG-B ends, or its attendee is deleted."""


class SlotValue(NamedTuple):
    """The value of a slot: what was said, what it means, and all that it may mean."""

    original: str
    interpreted: str
    resolved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BotResult:
    """The bot conversation is over: an intent with slots (``None``: unfilled), or an error code.

    ``score`` is how sure the bot is of the intent (None: it does not say, as for FallbackIntent); ``others`` are what
    else it may have been, each with its score.
    """

    intent: str = "FallbackIntent"
    state: str = "ReadyForFulfillment"
    slots: tuple[tuple[str, str | SlotValue | None], ...] = ()
    attributes: Pairs = ()
    confirmation: str = "None"
    error: str = ""
    message: str = ""
    score: float | None = 0.84
    others: tuple[tuple[str, float | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """UpdateSipMediaApplicationCall."""

    arguments: Pairs = ()


@dataclass(frozen=True, slots=True)
class Break:
    """The next action that begins and is one of these types fails, whatever its parameters say.

    With ``text``, the next one whose parameters (as JSON text) hold it. With ``running``, the action that runs now.
    ``shape`` ``error`` puts code and message into one text ``Error``, as some events do (contract 1.5).
    """

    actions: tuple[str, ...]
    error: str = "SystemException"
    message: str = "System error while running action"
    shape: Literal["pair", "error"] = "pair"
    text: str = ""
    running: bool = False


@dataclass(frozen=True, slots=True)
class Stray:
    """The service sends an event that is not due: one that it sent before, or one that comes much too late.

    *data* is ActionData as JSON text (``""``: none). The event shows the call as it is now; its Sequence is the next
    one unless *sequence* says which.
    """

    type: str
    leg: str = "LEG-A"
    data: str = ""
    sequence: int | None = None


class Answer(NamedTuple):
    """The function answered delivery *number*: the body as JSON text (``""``: nothing). See :func:`answer_of`."""

    number: int
    body: str
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class FunctionFails:
    """The function raised, was throttled, or could not be called, at delivery *number*."""

    number: int
    message: str = ""
    attempt: int = 1


Input = (
    InboundCall
    | OutboundCall
    | Key
    | Talk
    | Elapse
    | HangUp
    | Callee
    | MeetingEnds
    | BotResult
    | Update
    | Break
    | Stray
    | Answer
    | FunctionFails
)


def answer_of(number: int, response: object, attempt: int = 1) -> Answer:
    """An :class:`Answer` out of what a Python function returned."""
    return Answer(number, "" if response == "" else _encode(response), attempt)


# --- outputs ---------------------------------------------------------------------------------------------------------


class Deliver(NamedTuple):
    """Hand this event to the function; its answer comes back as :class:`Answer` with the same number and attempt."""

    number: int
    body: str
    attempt: int = 1

    @property
    def event(self) -> dict[str, Any]:
        """The event, a fresh object each time."""
        loaded: dict[str, Any] = loads(self.body)
        return loaded


class Hears(NamedTuple):
    """What a leg hears from now on.

    ``what`` is ``speech`` (``text``: the words), ``audio`` (``bucket/key``), ``ringback``, ``tones`` (digits sent),
    ``bot``, ``recording`` (it is being recorded), ``other`` (the other party or the meeting), ``silence``.
    """

    leg: str
    what: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Dials:
    """A party is being called: say with :class:`Callee` what it does."""

    leg: str
    to: str
    from_: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What a party said (RecordAudio) is put into a bucket."""

    leg: str
    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class CallRecording:
    """The recording of a whole leg (StartCallRecording) starts, is paused, goes on, or stops and is put into a bucket.

    ``bucket``, ``key`` and ``track`` (BOTH, INCOMING, OUTGOING) are told when it starts.
    """

    leg: str
    does: Literal["starts", "pauses", "resumes", "stops"]
    bucket: str = ""
    key: str = ""
    track: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """A leg has ended; ``by`` is ``party``, ``flow`` or ``service``."""

    leg: str
    code: int
    by: str


@dataclass(frozen=True, slots=True)
class Log:
    """A line of the service's own log (``error``: contract 1.4), or something a tester should know (``warning``)."""

    level: Literal["error", "warning"]
    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """An API call was not accepted: the exception's name."""

    error: str


@dataclass(frozen=True, slots=True)
class Over:
    """The call is over and every leg is gone."""

    reason: str


Output = Deliver | Hears | Dials | Stored | CallRecording | Gone | Log | Refused | Over


class Entry(NamedTuple):
    """One line of a transcript: when (virtual ms), and an input, an output, or the function's response.

    ``kind`` is ``input``, ``output`` or ``response``; ``value`` the message, or for a response the parsed JSON (an
    exception, if the function raised one). ``number`` ties a response to its Deliver. ``by`` is ``party`` for an input
    of a called party that acts by itself.
    """

    at_ms: int
    kind: str
    value: Any
    number: int = 0
    by: str = ""
