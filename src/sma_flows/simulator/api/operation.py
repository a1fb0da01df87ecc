"""One operation of the control plane, and the names that all services share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sma_flows.simulator.api.shapes import Many, Record, Text, record

__all__ = [
    "CONFLICT",
    "DENIED",
    "FULL",
    "LIMIT",
    "MISSING",
    "SENSELESS",
    "STATUS",
    "TAGS_OF_MEETINGS",
    "TOKEN",
    "UUID",
    "Operation",
    "operation",
    "tags",
]

STATUS: Final[Mapping[str, int]] = {
    "BadRequestException": 400,
    "LimitExceededException": 400,
    "ResourceLimitExceededException": 400,
    "UnauthorizedException": 401,
    "UnauthorizedClientException": 401,
    "AccessDeniedException": 403,
    "ForbiddenException": 403,
    "NotFoundException": 404,
    "ConflictException": 409,
    "UnprocessableEntityException": 422,
    "ThrottlingException": 429,
    "ThrottledClientException": 429,
    "ServiceFailureException": 500,
    "ServiceUnavailableException": 503,
}
"""HTTP status of each exception. Model."""

CONFLICT: Final = "ConflictException"
DENIED: Final = "AccessDeniedException"
FULL: Final = "ResourceLimitExceededException"
LIMIT: Final = "LimitExceededException"
MISSING: Final = "NotFoundException"
SENSELESS: Final = "UnprocessableEntityException"

_EVERYWHERE: Final = (
    "BadRequestException",
    "ForbiddenException",
    "ServiceFailureException",
    "ServiceUnavailableException",
)
_OF_MEETINGS: Final = (*_EVERYWHERE, "ThrottlingException", "UnauthorizedException")
_OF_OTHERS: Final = (*_EVERYWHERE, "ThrottledClientException", "UnauthorizedClientException")


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: where it is found, what it takes, how it can fail, and how often a second it may be called.

    ``rates``: so often for each value of a parameter; the parameter ``""`` stands for the whole account.
    """

    service: str
    name: str
    method: str
    path: str
    status: int
    takes: Record
    errors: frozenset[str]
    rates: tuple[tuple[str, int], ...] = ()

    def error(self, status: int) -> str:
        """The exception that this operation has for an HTTP status.

        Raises:
            ValueError: it has none.
        """
        for name in sorted(self.errors):
            if STATUS[name] == status:
                return name
        raise ValueError(f"{self.name} has no error for status {status}")


def operation(
    service: str,
    name: str,
    route: str,
    takes: Record,
    *errors: str,
    status: int = 200,
    rates: tuple[tuple[str, int], ...] = (),
) -> Operation:
    """An operation of *service*; *route* is method and path; *errors* are those besides what every operation has."""
    method, _, path = route.partition(" ")
    common = _OF_MEETINGS if service == "chime-sdk-meetings" else _OF_OTHERS
    return Operation(service, name, method, path, status, takes, frozenset((*common, *errors)), rates)


UUID: Final = Text(pattern="[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}")
TOKEN: Final = Text(2, 64, "[-_a-zA-Z0-9]*")


def tags(least: int, most: int, shortest: int = 0, key: str = "", value: str = "") -> Many:
    """A list of tags; the services differ in what they allow."""
    return Many(record({"*Key": Text(1, 128, key), "*Value": Text(shortest, 256, value)}), least, most)


TAGS_OF_MEETINGS: Final = tags(0, 50, key="^[a-zA-Z+-=._:/]+$", value=r"[\s\w+-=\.:/@]*")
