"""Calls as tests: `*.calls.yaml` files say what a caller does and hears; here they are read and played.

What is named here is for everybody; all else may move. With pytest nothing needs to be imported: files of calls are
tests, and the fixture ``call`` (a :class:`Caller`) places calls from Python. Names are loaded when they are used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sma_flows.testing.compared import Leak
    from sma_flows.testing.coverage import Coverage, FlowCoverage
    from sma_flows.testing.faults import Cell, Matrix, fault_matrix
    from sma_flows.testing.fuzz import Fuzzed, fuzz_flow, fuzz_flows
    from sma_flows.testing.invariants import INVARIANTS, Invariant, Violation, Watch
    from sma_flows.testing.lab import Lab, Setting, Trial
    from sma_flows.testing.line import Caller, Line
    from sma_flows.testing.moves import Function, Listen, Press, Silence, Wait
    from sma_flows.testing.play import CallFailedError, Played, Player, play_call
    from sma_flows.testing.reproduce import Reproduction
    from sma_flows.testing.script import CallScript, CallsFile, load_calls, read_calls
    from sma_flows.testing.session import Session
    from sma_flows.testing.sinks import SINKS, Sinks
    from sma_flows.testing.strategies import fuzz_call, trials
    from sma_flows.testing.targets import Turn
    from sma_flows.testing.twins import Twins, twin_call, twin_flow, twin_moves
    from sma_flows.testing.world import UnplayableError

__all__ = [
    "INVARIANTS",
    "SINKS",
    "SUFFIXES",
    "CallFailedError",
    "CallScript",
    "Caller",
    "CallsFile",
    "Cell",
    "Coverage",
    "FlowCoverage",
    "Function",
    "Fuzzed",
    "Invariant",
    "Lab",
    "Leak",
    "Line",
    "Listen",
    "Matrix",
    "Played",
    "Player",
    "Press",
    "Reproduction",
    "Session",
    "Setting",
    "Silence",
    "Sinks",
    "Trial",
    "Turn",
    "Twins",
    "UnplayableError",
    "Violation",
    "Wait",
    "Watch",
    "fault_matrix",
    "fuzz_call",
    "fuzz_flow",
    "fuzz_flows",
    "load_calls",
    "play_call",
    "read_calls",
    "trials",
    "twin_call",
    "twin_flow",
    "twin_moves",
]

SUFFIXES: Final = (".calls.yaml", ".calls.yml")
"""How the names of files of calls end."""

_HOMES: Final = {
    "INVARIANTS": "invariants",
    "SINKS": "sinks",
    "CallFailedError": "play",
    "CallScript": "script",
    "Caller": "line",
    "CallsFile": "script",
    "Cell": "faults",
    "Coverage": "coverage",
    "FlowCoverage": "coverage",
    "Function": "moves",
    "Fuzzed": "fuzz",
    "Invariant": "invariants",
    "Lab": "lab",
    "Leak": "compared",
    "Line": "line",
    "Listen": "moves",
    "Matrix": "faults",
    "Played": "play",
    "Player": "play",
    "Press": "moves",
    "Reproduction": "reproduce",
    "Session": "session",
    "Setting": "lab",
    "Silence": "moves",
    "Sinks": "sinks",
    "Trial": "lab",
    "Turn": "targets",
    "Twins": "twins",
    "UnplayableError": "world",
    "Violation": "invariants",
    "Wait": "moves",
    "Watch": "invariants",
    "fault_matrix": "faults",
    "fuzz_call": "strategies",
    "fuzz_flow": "fuzz",
    "fuzz_flows": "fuzz",
    "load_calls": "script",
    "play_call": "play",
    "read_calls": "script",
    "trials": "strategies",
    "twin_call": "twins",
    "twin_flow": "twins",
    "twin_moves": "twins",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{home}"), name)
