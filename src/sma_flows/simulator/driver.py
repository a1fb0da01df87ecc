"""Plays one call in virtual time against any function that answers events, and keeps a transcript.

Nothing here waits: time passes when the caller lets it (:meth:`Phone.wait`, :meth:`Phone.until`), from timer to timer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sma_flows.simulator.messages import BotResult, Callee, Input, OutboundCall, Output
from sma_flows.simulator.model import Network, World
from sma_flows.simulator.switches import Switches

AnswerFunction = Callable[[dict[str, Any]], object]
"""Takes an event, gives the response (JSON-like); an exception is a function error."""


@dataclass(frozen=True, slots=True)
class Party:
    """How a called party behaves: ring after ``rings_ms`` (None: no ringing), act after ``after_ms``."""

    does: str = "answers"
    after_ms: int = 4_000
    rings_ms: int | None = 500
    code: int = 603


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a transcript: when (virtual ms), and an input, an output, or the function's response.

    ``kind`` is ``input``, ``output`` or ``response``; ``value`` the message, or for a response the parsed JSON.
    ``number`` ties a response to its Deliver.
    """

    at_ms: int
    kind: str
    value: Any
    number: int = 0


class Phone:
    """A call on the virtual network.

    *parties* answer for the called parties, one after the other (the last one repeats); *bots* are the results of bot
    conversations, one after the other; *delay_ms* says how long the function takes for an event (default: no time).
    """

    network: Network
    now_ms: int
    transcript: list[Entry]

    def __init__(
        self,
        answer: AnswerFunction,
        *,
        switches: Switches | Mapping[str, str] | None = None,
        world: World | None = None,
        parties: Sequence[Party] = (),
        bots: Sequence[BotResult] = (),
        delay_ms: Callable[[dict[str, Any]], int] | None = None,
    ) -> None:
        raise NotImplementedError

    def send(self, event: Input) -> list[Entry]:
        """Put any input into the network now; what was added to the transcript (answers that take no time included)."""
        raise NotImplementedError

    def dial_in(self, from_: str = ..., to: str = ..., headers: Mapping[str, str] | None = None) -> None:
        """Call our number."""
        raise NotImplementedError

    def dial_out(self, call: OutboundCall) -> None:
        """Place an outbound call; the first of *parties* is the one who is called."""
        raise NotImplementedError

    def press(self, keys: str, leg: str = "LEG-A", gap_ms: int = 300) -> None:
        """Press keys with *gap_ms* between them."""
        raise NotImplementedError

    def callee(self, does: Callee) -> None:
        """The called party does something by hand (when *parties* is empty)."""
        raise NotImplementedError

    def hang_up(self, leg: str = "LEG-A", code: int = 0) -> None:
        """A party hangs up."""
        raise NotImplementedError

    def update(self, arguments: Mapping[str, str]) -> None:
        """UpdateSipMediaApplicationCall."""
        raise NotImplementedError

    def wait(self, ms: int) -> None:
        """Let *ms* of virtual time pass, or less if the call is over."""
        raise NotImplementedError

    def until(self, test: Callable[[Entry], bool], limit_ms: int = 600_000) -> bool:
        """Let time pass until a new transcript entry fits; False when the call is over, stuck, or the limit is reached."""
        raise NotImplementedError

    def settle(self, limit_ms: int = 600_000) -> None:
        """Let time pass until nothing more happens by itself: over, idle, or the limit is reached."""
        raise NotImplementedError

    @property
    def stuck(self) -> bool:
        """The call is not over, and no timer and no party of the driver will ever change that."""
        raise NotImplementedError

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events delivered so far (repetitions included)."""
        raise NotImplementedError

    @property
    def responses(self) -> list[Any]:
        """The function's responses so far."""
        raise NotImplementedError

    @property
    def outputs(self) -> list[Output]:
        """All outputs so far."""
        raise NotImplementedError

    @property
    def over(self) -> bool:
        """The call is over."""
        raise NotImplementedError


def play(answer: AnswerFunction, script: Iterable[Input | int], **options: Any) -> Phone:
    """Play a script: inputs in turn, numbers are milliseconds to wait; at the end the call settles."""
    raise NotImplementedError
