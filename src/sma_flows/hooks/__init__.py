"""What the author of a hook imports.

A hook is an ordinary Python function that a flow runs between two steps of a call::

    from sma_flows.hooks import Call, Reply, hook, same_secret

    @hook
    def verify_pin(call: Call, meeting: str, pin: Secret) -> Reply:
        room = rooms.get(meeting)
        if room is None or not same_secret(room.pin, pin):
            return Reply("wrong")
        return Reply("ok", room=room.id)

Arguments come in the order of the flow's ``run:``, after ``call``; an unset variable is ``None``, a secret one a
:class:`Secret`. Whatever goes wrong inside (an exception, an undeclared outcome, too much time) is the outcome
``failed`` of the state that ran the hook; nothing is raised into the call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sma_flows.runtime.ask import Secret, same_text

if TYPE_CHECKING:
    from sma_flows.hooks.services import CallServices

__all__ = ["Call", "Reply", "Secret", "hook", "same_secret"]

MARK: Final = "__sma_flows_hook__"
"""Attribute that :func:`hook` sets: the loader takes no function that was not meant to be one."""

HookFunction = TypeVar("HookFunction", bound=Callable[..., object])


class Call:
    """What a hook may know of the call it works for.

    ``id`` is the transaction id, ``caller`` and ``called`` the numbers of leg A, ``state`` the state that runs the
    hook. ``token`` is the same whenever the same effect is asked for again: everything that the hook creates must be
    named or keyed by it (26 lower-case letters and digits). ``deadline`` is a ``time.monotonic()`` value. ``services``
    is what the flow lets the hook use under ``uses:`` (:mod:`sma_flows.hooks.services`).
    """

    __slots__ = ("_services", "called", "caller", "deadline", "direction", "id", "locale", "state", "token")

    def __init__(
        self,
        id: str,
        caller: str,
        called: str,
        locale: str,
        state: str,
        direction: str,
        token: str,
        deadline: float,
        services: CallServices | None = None,
    ) -> None:
        self.id: Final = id
        self.caller: Final = caller
        self.called: Final = called
        self.locale: Final = locale
        self.state: Final = state
        self.direction: Final = direction
        self.token: Final = token
        self.deadline: Final = deadline
        self._services = services

    @property
    def services(self) -> CallServices:
        """What the flow lets the hook use; without ``uses:`` nothing."""
        if self._services is None:
            from sma_flows.hooks.services import CallServices  # here: most hooks use none

            self._services = CallServices()
        return self._services

    def __repr__(self) -> str:
        return f"Call({', '.join(map(repr, self._facts()))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Call) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash(self._facts())

    def _facts(self) -> tuple[object, ...]:
        return (
            *(self.id, self.caller, self.called, self.locale, self.state, self.direction),
            *(self.token, self.deadline),
        )

    def remaining(self) -> float:
        """Seconds left, never negative: the read timeout for whatever the hook asks."""
        return max(0.0, self.deadline - time.monotonic())


class Reply:
    """The outcome of a hook and its results by name: ``Reply("ok", room="r-1", guests=2)``."""

    __slots__ = ("outcome", "values")

    def __init__(self, outcome: str, /, **values: object) -> None:
        self.outcome: Final = outcome
        self.values: Final[Mapping[str, Any]] = values

    def __repr__(self) -> str:
        """Outcome and result names only: a result may be something that must not be shown."""
        return f"Reply({', '.join([repr(self.outcome), *sorted(self.values)])})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reply) and (self.outcome, self.values) == (other.outcome, other.values)

    __hash__ = None  # type: ignore[assignment]  # results may be lists


def hook(function: HookFunction) -> HookFunction:
    """Mark a function as a hook. It stays an ordinary function and can be tested as one."""
    setattr(function, MARK, True)
    return function


def same_secret(left: Secret | str | None, right: Secret | str | None) -> bool:
    """Whether two secrets are equal, in a time that does not depend on where they differ. Unset equals nothing."""
    if left is None or right is None:
        return False
    return same_text(
        left.reveal() if isinstance(left, Secret) else left, right.reveal() if isinstance(right, Secret) else right
    )
