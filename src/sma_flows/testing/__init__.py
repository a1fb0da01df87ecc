"""Calls as tests: `*.calls.yaml` files say what a caller does and hears; here they are read and played.

What is named here is for everybody; all else may move. With pytest nothing needs to be imported: files of calls are
tests, and the fixture ``call`` (a :class:`Caller`) places calls from Python. Names are loaded when they are used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sma_flows.testing.coverage import Coverage, FlowCoverage
    from sma_flows.testing.line import Caller, Line
    from sma_flows.testing.play import CallFailedError, Played, Player, play_call
    from sma_flows.testing.script import CallScript, CallsFile, load_calls, read_calls
    from sma_flows.testing.session import Session
    from sma_flows.testing.targets import Turn
    from sma_flows.testing.world import UnplayableError

__all__ = [
    "SUFFIXES",
    "CallFailedError",
    "CallScript",
    "Caller",
    "CallsFile",
    "Coverage",
    "FlowCoverage",
    "Line",
    "Played",
    "Player",
    "Session",
    "Turn",
    "UnplayableError",
    "load_calls",
    "play_call",
    "read_calls",
]

SUFFIXES: Final = (".calls.yaml", ".calls.yml")
"""How the names of files of calls end."""

_HOMES: Final = {
    "CallFailedError": "play",
    "CallScript": "script",
    "Caller": "line",
    "CallsFile": "script",
    "Coverage": "coverage",
    "FlowCoverage": "coverage",
    "Line": "line",
    "Played": "play",
    "Player": "play",
    "Session": "session",
    "Turn": "targets",
    "UnplayableError": "world",
    "load_calls": "script",
    "play_call": "play",
    "read_calls": "script",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{home}"), name)
