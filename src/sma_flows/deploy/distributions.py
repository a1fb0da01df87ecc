"""Installed packages as files: what a function needs is copied from the environment in which it was tested.

No network and no resolver: the versions that the tests ran with are the versions that are deployed, and the same
environment gives the same bytes. Only pure Python can be copied, because the function runs on another processor;
anything else comes through a ``requirements.txt`` (see :mod:`sma_flows.deploy.package`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath
from typing import Final

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sma_flows.errors import BuildError

__all__ = ["OWN", "Installed", "closure", "files_of", "is_pure", "lambda_markers"]

OWN: Final = "sma-flows"
"""Our own distribution; its modules are chosen one by one, its requirements are taken whole."""

NATIVE: Final = frozenset({".so", ".pyd", ".dylib", ".dll"})

KEPT_METADATA: Final = frozenset({"METADATA", "entry_points.txt"})
"""What stays of a ``dist-info`` folder, licences aside: RECORD, INSTALLER and the like tell of the machine."""


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed distribution that a function needs."""

    name: str
    version: str
    source: Distribution


def lambda_markers(runtime: str, machine: str = "aarch64") -> dict[str, str]:
    """The values of requirement markers in a Lambda function. *runtime* is a name such as ``python3.13``."""
    version = runtime.removeprefix("python")
    found = {key: str(value) for key, value in default_environment().items()}
    return found | {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_machine": machine,
        "extra": "",
    }


def closure(wanted: Sequence[str], markers: Mapping[str, str]) -> tuple[Installed, ...]:
    """The distributions that *wanted* names and all that they require, sorted by name, :data:`OWN` left out.

    Raises:
        BuildError: one is not installed here.
    """
    found: dict[str, Installed] = {}
    seen: set[str] = set()
    waiting = [(Requirement(each), "") for each in wanted]
    while waiting:
        requirement, asked_by = waiting.pop()
        name = canonicalize_name(requirement.name)
        try:
            dist = distribution(name)
        except PackageNotFoundError:
            reason = f", which {asked_by} needs," if asked_by else ""
            raise BuildError(f"the package '{name}'{reason} is not installed here: pip install {name}") from None
        key = f"{name}[{','.join(sorted(requirement.extras))}]"
        if key in seen:
            continue
        seen.add(key)
        if name != OWN:
            found[name] = Installed(name, dist.version, dist)
        for text in dist.requires or ():
            need = Requirement(text)
            extras = requirement.extras or {""}
            if need.marker is None or any(need.marker.evaluate({**markers, "extra": extra}) for extra in extras):
                waiting.append((need, name))
    return tuple(found[name] for name in sorted(found))


def is_pure(installed: Installed) -> bool:
    """Whether a distribution holds no machine code."""
    return not any(PurePosixPath(file.as_posix()).suffix in NATIVE for file in installed.source.files or ())


def files_of(installed: Installed, *, pure: bool = True) -> Iterator[tuple[PurePosixPath, Path]]:
    """The files of a distribution: their place in a package, and where they are now. No byte code, no commands.

    Raises:
        BuildError: *pure* was asked for and it holds machine code.
    """
    for file in installed.source.files or ():
        place = PurePosixPath(file.as_posix())
        if ".." in place.parts or place.is_absolute() or "__pycache__" in place.parts or place.suffix == ".pth":
            continue
        if place.parts[0].endswith(".dist-info") and not _kept(place):
            continue
        if pure and place.suffix in NATIVE:
            raise BuildError(
                f"the package '{installed.name}' holds machine code ({place.name}), and the function runs on another "
                "processor: name it in a requirements file instead, so that the right build is fetched"
            )
        path = Path(str(installed.source.locate_file(file)))
        if path.is_file():
            yield place, path


def _kept(place: PurePosixPath) -> bool:
    return place.name in KEPT_METADATA or "licen" in place.as_posix().lower() or "notice" in place.name.lower()
