"""In process, but each event is answered by a process that has never answered one: nothing survives but text and store.

A small server loads the package once and forks one child for each event; the child opens the plan, the hooks and the
store as a cold start does, answers, and ends. The store is a file, so that limits and memo records last.
"""

from __future__ import annotations

import copyreg
import os
import pickle
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import IO, Any

from sma_flows.testing.targets import InProcess, TargetError, Turn
from sma_flows.testing.world import World, WorldSpec

__all__ = ["Fresh"]

WAIT_S = 10


def _thawed(frozen: MappingProxyType[Any, Any]) -> Any:
    """An ask has such a map by default, and pickle refuses it."""
    return dict, (dict(frozen),)


copyreg.pickle(MappingProxyType, _thawed)


class Fresh:
    """A :class:`~sma_flows.testing.targets.Target` with a process of its own for each event. Use as context manager.

    ``world`` stays here: what its stubs and counters have seen comes back with each answer.
    """

    scripted = True

    def __init__(self, spec: WorldSpec) -> None:
        self._folder = TemporaryDirectory(prefix="sma-flows-")
        self._spec = replace(spec, store=str(Path(self._folder.name) / "store.sqlite"))
        self.world: World = spec.open()
        self._server = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            process_group=0,  # Ctrl-C is for us: the server ends when we close its pipes
        )

    def __enter__(self) -> Fresh:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server and remove the store."""
        for stream in (self._server.stdin, self._server.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):  # the rest of a request that nobody reads any more
                    stream.close()
        self._server.wait(timeout=WAIT_S)
        self._folder.cleanup()
        self.world.close()

    def answer(self, event: str, at_ms: int, now: datetime) -> Turn:
        """See :class:`~sma_flows.testing.targets.Target`."""
        to, back = self._server.stdin, self._server.stdout
        if to is None or back is None:
            raise TargetError("the process that answers has no pipes")
        try:
            pickle.dump((self._spec, self.world.seen(), event, at_ms, now), to)
            to.flush()
            reply = pickle.load(back)  # noqa: S301 - from our own child
        except (EOFError, OSError, pickle.UnpicklingError):
            raise TargetError("the process that answers events has ended") from None
        if isinstance(reply, str):
            raise TargetError(reply)
        turn, seen = reply
        self.world.see(seen)
        answered: Turn = turn
        return answered


def _answer(request: tuple[WorldSpec, dict[str, Any], str, int, datetime]) -> tuple[Turn, dict[str, Any]]:
    spec, seen, event, at_ms, now = request
    world = spec.open()
    world.see(seen)
    return InProcess(world).answer(event, at_ms, now), world.seen()


def serve(requests: IO[bytes], descriptor: int) -> None:
    """Fork a child for each pickled request; the child writes its reply to *descriptor*.

    Whoever asked may have gone in between: half a request is the end, and a reply that nobody reads is dropped.
    """
    while True:
        try:
            request = pickle.load(requests)  # noqa: S301 - from our own parent
        except (EOFError, pickle.UnpicklingError):
            return
        child = os.fork()
        if child == 0:
            try:
                reply = pickle.dumps(_answer(request))
            except Exception as error:  # noqa: BLE001 - the parent decides what a fault means
                reply = pickle.dumps(f"{type(error).__name__}: {error}")
            with suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as out:
                out.write(reply)
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    serve(sys.stdin.buffer, 1)
