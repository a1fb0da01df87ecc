"""What the pure step may ask of the world, and what it gets back.

``step`` never talks to a service. It returns an :class:`Ask`; :mod:`sma_flows.runtime.invoke` performs it through the
:class:`Services` port and feeds the :class:`ServiceReply` into the step again.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Secret:
    """A value typed by a caller or handed in by a system that must not be shown.

    ``repr`` and ``str`` are masked; :meth:`reveal` gives the text. Never saved, never logged (decision 12).
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The hidden text."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and same_text(self._text, other._text)

    def __hash__(self) -> int:
        raise TypeError("a secret is not a dictionary key")


def same_text(left: str, right: str) -> bool:
    """Compare two texts in a time that does not depend on where they differ."""
    import hmac  # here: only flows that compare secrets pay for it

    return hmac.compare_digest(left.encode(), right.encode())


class CallInfo(NamedTuple):
    """What a hook may know of the call it works for. ``caller`` and ``called`` are the numbers of leg A;
    ``application`` is the SIP media application that has the call.
    """

    id: str
    caller: str
    called: str
    locale: str
    state: str
    direction: str
    application: str = ""


class LimitUse(NamedTuple):
    """One counter over calls that the hook's ``outcome`` uses up (decision 20).

    ``name`` names the rule, ``key`` what is counted (a caller's number, a meeting); ``max`` such outcomes fit into one
    window of ``window_s`` seconds.
    """

    name: str
    key: str
    outcome: str
    max: int
    window_s: int


class Ask(NamedTuple):
    """One piece of work outside the step.

    ``port`` is ``hook``, ``hook.start`` (let it work outside the call; its result comes as an update with the token as
    ticket) or one of ``meetings.attend`` (meeting) -> attendee, token; ``meetings.leave`` (meeting,
    attendee); ``meetings.roster`` (meeting) -> attendees; ``call.ended``: note that this call is over, for a hook that
    is still at work (decision 23). ``token`` is the same for every repetition of the same effect, and
    different for every other (decision 16); 26 lower-case letters and digits. ``later``: a piece of clean-up that may
    be tried again outside the call when it fails; its arguments are nobody's secret and no token.
    """

    port: str
    name: str
    args: tuple[Any, ...]
    token: str
    effect: str
    budget_ms: int
    call: CallInfo
    revision: str = ""
    limits: tuple[LimitUse, ...] = ()
    hook: Mapping[str, Any] = NOTHING
    cleanup: bool = False
    later: bool = False


class ServiceReply(NamedTuple):
    """The outcome of an :class:`Ask` and its results by name. Every port may answer ``failed``.

    ``ended``: the call was over before the work was done; what was made has to be undone at once (decision 23).
    """

    outcome: str
    values: Mapping[str, Any] = NOTHING
    ended: bool = False


FAILED = ServiceReply("failed")


class Services(Protocol):
    """The world as the runtime sees it."""

    def perform(self, ask: Ask, deadline: float) -> ServiceReply:
        """Do *ask* before the ``time.monotonic()`` value *deadline*. Never raises for what the world does wrong."""
        ...
