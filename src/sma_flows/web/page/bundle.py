"""page.js: the page's own code and amazon-chime-sdk-js in one file, made with npm and esbuild.

It is not kept in the repository. A wheel has it in ``built/`` if it was made before the wheel was (``make wheel``);
otherwise it is made where it is first needed and kept in the user's cache, under the digest of what it is made of.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Final

__all__ = ["BundleError", "bundle", "digest", "find", "make"]

FILES: Final = ("page.js", "licences.txt")
LIMIT_S: Final = 600
"""Seconds in which npm must have fetched the packages."""

SOURCES: Final = (
    "package.json",
    "package-lock.json",
    "build.mjs",
    "nothing.mjs",
    "main.ts",
    "calling.ts",
    "meeting.ts",
    "api.ts",
    "words.ts",
)
"""What page.js is made of."""


class BundleError(Exception):
    """page.js is not there and cannot be made."""


def bundle(told: Callable[[str], None] = lambda _words: None) -> Path:
    """The folder with page.js and licences.txt; *told* hears when they must be made first, which takes half a minute.

    Raises:
        BundleError: neither there nor to be made.
    """
    found = find()
    if found is not None:
        return found
    told("Making the page with npm. This happens once.")
    return make(_cache())


def find() -> Path | None:
    """Where the files are that fit the sources, if they have been made."""
    for folder in (_packaged(), _cache()):
        mark = folder / "digest"
        if mark.is_file() and mark.read_text("utf-8").strip() == digest():
            return folder
    return None


def make(folder: Path) -> Path:
    """Make the files into *folder*, in place of what is there.

    Raises:
        BundleError: Node.js or npm is missing, packages cannot be fetched, or the sources are wrong.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise BundleError(f"the page is made with Node.js 20 or later and npm, and there is no {program} here")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as place:
        work = Path(place)
        for name in SOURCES:
            (work / name).write_bytes((resources.files("sma_flows.web.page") / "client" / name).read_bytes())
        _run(["npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"], work)
        _run(["node", "build.mjs"], work)
        made = work / "dist"
        (made / "digest").write_text(digest() + "\n", "utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        try:
            made.rename(folder)
        except OSError:  # somebody else has just made the same
            if not (folder / "digest").is_file():
                raise
    return folder


def digest() -> str:
    """What the files are made of, as one word."""
    found = hashlib.sha256()
    for name in SOURCES:
        content = (resources.files("sma_flows.web.page") / "client" / name).read_bytes()
        found.update(f"{name} {len(content)}\n".encode() + content)
    return found.hexdigest()[:20]


def _run(command: list[str], work: Path) -> None:
    program = shutil.which(command[0]) or command[0]
    try:
        done = subprocess.run(  # noqa: S603 - npm and node, our arguments
            [program, *command[1:]], cwd=work, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BundleError(f"{command[0]} did not come to an end ({type(error).__name__})") from None
    if done.returncode:
        last = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()][-8:]
        raise BundleError("\n".join([f"`{' '.join(command[:2])}` failed:", *last]))


def _packaged() -> Path:
    return Path(str(resources.files("sma_flows.web.page") / "built"))


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "sma-flows" / f"page-{digest()}"


if __name__ == "__main__":
    try:
        make(Path(sys.argv[1]))
    except BundleError as error:
        sys.exit(f"{error}.")
