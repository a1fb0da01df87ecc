"""What the service says to a request that it does not accept."""

from __future__ import annotations

from sma_flows.errors import SmaFlowsError

__all__ = ["RefusedError"]


class RefusedError(SmaFlowsError):
    """A request was not accepted: ``error`` is the exception's name (``NotFoundException``), ``message`` says why."""

    def __init__(self, error: str, message: str) -> None:
        self.error, self.message = error, message
        super().__init__(f"{error}: {message}")
