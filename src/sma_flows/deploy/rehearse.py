"""A rehearsal: the built package in the real Lambda runtime, with hooks, clock and stores of call scripts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import sma_flows
from sma_flows.deploy.emulator import Pool
from sma_flows.testing.scripted import STORES

__all__ = ["rehearsal_of"]

STAGE: Final = "sma_flows_rehearsal"
"""The module that stands beside the package."""

_TEXT: Final = """\
import sma_flows

sma_flows.__path__.append({source!r})  # behind the package's own: only what was not packed is found here
from sma_flows.testing.rehearsal import rehearse
"""


def rehearsal_of(
    package: Path, folder: Path, values: Mapping[str, str], *, count: int = 1, cache: Path = Path("build/emulator")
) -> Pool:
    """Runtimes of *package* that answer for :class:`~sma_flows.testing.targets.Rehearsed`; use as a context manager.

    *folder* takes the stores of the calls, and the module that stands beside the package. *values* are the function's.
    """
    source = Path(sma_flows.__file__).resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{STAGE}.py").write_text(_TEXT.format(source=str(source)), "utf-8")
    env = {**values, STORES: str(folder.resolve()), "SMA_FLOWS_STORE": str(folder.resolve() / "shared.sqlite")}
    env.setdefault("SMA_FLOWS_MEETINGS", "local")
    env.setdefault("SMA_FLOWS_PLAN", "plan.json")
    handler = f"{STAGE}.rehearse"
    return Pool(package, count, env, 20, cache=cache, handler=handler, beside=(folder.resolve(),))
