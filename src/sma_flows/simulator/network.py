"""The virtual service: one call as a value, moved by one function. No clock, no randomness, no I/O."""

from __future__ import annotations

from sma_flows.simulator.messages import Input, Output
from sma_flows.simulator.model import Network

__all__ = ["Network", "advance"]


def advance(network: Network, event: Input) -> tuple[Network, tuple[Output, ...]]:
    """Let one thing happen to the call: the call afterwards, and what came of it, in order.

    The given network is not changed. The same network and input always give the same result.

    Raises:
        ValueError: an input that makes no sense now: a second call, an Elapse beyond the next timer, a leg or a callee
            that is not there.
    """
    raise NotImplementedError
