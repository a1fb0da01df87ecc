"""Faults on demand: how the control plane fails, for which operation, and how often."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Final, Literal, get_args

from sma_flows.simulator.api.operation import STATUS

__all__ = ["KINDS", "Fault", "FaultError", "Faults", "Kind"]

Kind = Literal[
    "time_out",
    "lost_answer",
    "slow",
    "throttle",
    "deny",
    "unauthorized",
    "unavailable",
    "failure",
    "garbage",
    "empty",
]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""``time_out``: nothing is done and nothing answered; ``lost_answer``: it is done and nothing answered; ``slow``: it is
done and answered after ``seconds``; ``throttle`` 429, ``deny`` 403, ``unauthorized`` 401, ``unavailable`` 503,
``failure`` 500: the exception that the operation has for it; ``garbage``: status 200 and a body that is no JSON;
``empty``: status 200 and ``{}``. Or the name of an exception (``ConflictException``)."""

STATUS_OF: Final = {"throttle": 429, "deny": 403, "unauthorized": 401, "unavailable": 503, "failure": 500}


class FaultError(ValueError):
    """There is no such fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    ``operation`` is a name, or a pattern (``*Attendee``, ``*``). The first ``after`` requests go well, the next
    ``times`` (0: all) fail. ``seconds`` are real ones: of ``slow`` until the answer, of ``time_out`` and
    ``lost_answer`` until the connection is closed if the caller has not done so.
    """

    operation: str
    kind: Kind | str
    times: int = 1
    after: int = 0
    seconds: float = 60.0

    def __post_init__(self) -> None:
        """See that there is such a fault; what comes in as JSON is of any type.

        Raises:
            FaultError: there is none.
        """
        if not isinstance(self.operation, str) or not self.operation:
            raise FaultError("operation is the name of one, or a pattern such as *Attendee")
        if not isinstance(self.kind, str) or (self.kind not in KINDS and self.kind not in STATUS):
            raise FaultError(f"there is no fault '{self.kind}': choose one of {', '.join(KINDS)}, or an exception")
        if any(type(count) is not int or count < 0 for count in (self.times, self.after)):
            raise FaultError("times and after are whole numbers, 0 or more")
        if type(self.seconds) not in (int, float) or not 0 <= self.seconds <= 600:
            raise FaultError("seconds is a number from 0 to 600")


class Faults:
    """The faults that are still to come. The first one that fits a request is taken."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = list(faults)

    def add(self, fault: Fault) -> None:
        """One more."""
        self._faults.append(fault)

    def clear(self) -> None:
        """No more faults."""
        self._faults.clear()

    @property
    def left(self) -> tuple[Fault, ...]:
        """What is still to come."""
        return tuple(self._faults)

    def take(self, operation: str) -> Fault | None:
        """The fault for this request, if there is one; it counts."""
        for place, fault in enumerate(self._faults):
            if not fnmatchcase(operation, fault.operation):
                continue
            if fault.after:
                self._faults[place] = replace(fault, after=fault.after - 1)
                return None
            if fault.times == 1:
                del self._faults[place]
            elif fault.times:
                self._faults[place] = replace(fault, times=fault.times - 1)
            return fault
        return None
