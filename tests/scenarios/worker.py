"""A fresh process for every event: a small server that loads the package once and forks one child per event.

The child reads plan, event and the state of the stubs as text, answers one event and ends: nothing but JSON can travel
from one event of a call to the next.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from .engine import Engine, Reaction, RuntimeEngine
from .stubs import StubServices


class FreshProcesses:
    """Starts the server; :meth:`engine` gives an engine that uses it. Use as a context manager."""

    def __init__(self) -> None:
        package = __package__ or ""
        root = Path(__file__).parents[len(package.split("."))]
        self._server = subprocess.Popen(
            [sys.executable, "-m", __name__], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> FreshProcesses:
        return self

    def __exit__(self, *error: object) -> None:
        for stream in (self._server.stdin, self._server.stdout):
            if stream is not None:
                stream.close()
        self._server.wait(timeout=10)

    def engine(self, plan: str, env: Mapping[str, str], fault: str = "") -> Engine:
        """An engine for one plan; *fault* names a broken handler of ``faults.py``."""
        return _Fresh(self, plan, env, fault)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """One event, one process."""
        if self._server.stdin is None or self._server.stdout is None:
            raise RuntimeError("the server has no pipes")
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        line = self._server.stdout.readline()
        if not line:
            raise RuntimeError("the process that answers events has ended")
        return dict(json.loads(line))


class _Fresh:
    def __init__(self, server: FreshProcesses, plan: str, env: Mapping[str, str], fault: str) -> None:
        self._server = server
        self._fixed = {"plan": plan, "env": dict(env), "fault": fault}

    def react(self, event: dict[str, Any], now: datetime, services: StubServices) -> Reaction:
        reply = self._server.ask(
            {**self._fixed, "event": event, "now": now.isoformat(), "stubs": services.stubs, "state": services.state}
        )
        if "error" in reply:
            raise RuntimeError(reply["error"])
        services.state = reply["state"]
        return Reaction(reply["answer"], reply["traces"])


def _answer(line: str) -> dict[str, Any]:
    request = json.loads(line)
    engine: Engine = RuntimeEngine(request["plan"], request["env"])
    if request["fault"]:
        engine = getattr(import_module(".faults", __package__), request["fault"])(engine)
    services = StubServices(request["stubs"], request["state"])
    reaction = engine.react(request["event"], datetime.fromisoformat(request["now"]), services)
    return {"answer": reaction.answer, "traces": reaction.traces, "state": services.state}


def main() -> None:
    """Fork a child per line of standard input; the child writes one line to standard output."""
    import sma_flows.runtime.invoke
    import sma_flows.runtime.program  # noqa: F401  loaded once, before any event

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                text = json.dumps(_answer(line))
            except Exception as error:  # noqa: BLE001  the parent decides what a fault means
                text = json.dumps({"error": repr(error)})
            os.write(1, text.encode() + b"\n")
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
