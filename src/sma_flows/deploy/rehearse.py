"""A rehearsal: the built package in the real Lambda runtime, with hooks, clock and stores of call scripts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import sma_flows
from sma_flows.deploy.emulator import Pool
from sma_flows.deploy.package import build_function
from sma_flows.plan import Plan
from sma_flows.testing.scripted import STORES
from sma_flows.testing.targets import Rehearsed

__all__ = ["rehearsal", "rehearsal_of"]

STAGE: Final = "sma_flows_rehearsal"
"""The module that stands beside the package."""

_TEXT: Final = """\
import sma_flows

sma_flows.__path__.append({source!r})  # behind the package's own: only what was not packed is found here
from sma_flows.testing.rehearsal import rehearse
"""


@contextmanager
def rehearsal(
    plan: Plan, root: Path, values: Mapping[str, str], cache: Path = Path("build/emulator")
) -> Iterator[Rehearsed]:
    """Build *plan* with the hooks of *root*, start it in the real runtime, and end it with the block.

    Raises:
        BuildError: it cannot be built or started; the text says why.
    """
    here = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    with TemporaryDirectory(prefix="sma-flows-") as place:
        built = build_function(plan, root, Path(place) / "function", runtime=here, byte_code="require")
        with rehearsal_of(built.folder, Path(place) / "stores", values, cache=cache) as pool:
            yield Rehearsed(pool.urls[0])


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
    env.setdefault("SMA_FLOWS_SERVICES", "local")
    env.setdefault("SMA_FLOWS_PLAN", "plan.json")
    handler = f"{STAGE}.rehearse"
    return Pool(package, count, env, 20, cache=cache, handler=handler, beside=(folder.resolve(),))
