"""The package of the Lambda function: only what a live call loads, with byte code, the same bytes every time.

=====================  =============================================================================================
``plan.json``          the compiled flows (also of the function behind click-to-call, which has no hooks)
``hooks/`` ...         the Python files that the plan's hooks name, with everything in their folders
``sma_flows/``         the modules that :mod:`sma_flows.handler` can reach by imports, and no others
the rest               what ``sma-flows`` requires without extras, copied from the installed packages
``package.json``       what is in here, for people and for ``sma-flows rollout``
=====================  =============================================================================================

Byte code matters because a function's folder cannot be written: without it every cold start compiles every module
anew. It is made by an interpreter of the function's own version and marked as *unchecked*, so that neither times nor
sizes of the sources are looked at. Files have a fixed time and fixed rights: same input, same archive.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

import sma_flows
from sma_flows.deploy.distributions import OWN, closure, files_of, is_pure, lambda_markers
from sma_flows.errors import BuildError
from sma_flows.hooks.load import python_hooks
from sma_flows.plan import Plan

__all__ = [
    "HANDLER",
    "RESOURCES",
    "RUNTIME",
    "TASK_ROOT",
    "WEB",
    "Built",
    "build_function",
    "build_resources",
    "build_web",
    "digest_of",
    "find_interpreter",
    "live_modules",
    "zip_folder",
]

RUNTIME: Final = "python3.13"
"""The Lambda runtime of ``template.yaml``."""

HANDLER: Final = "sma_flows.handler"
RESOURCES: Final = "sma_flows.deploy.resources"
"""The module behind the custom resource of ``template.yaml``."""

WEB: Final = "sma_flows.web.function"
"""The module behind the HTTP API of click-to-call."""

TASK_ROOT: Final = "/var/task"
"""Where Lambda unpacks a function: the folder that tracebacks name."""

CONTENTS: Final = "package.json"
"""List of contents. A folder that holds one was built by us and may be built anew."""

EPOCH: Final = 315_532_800
"""Time of every file: the beginning of 1980, the first that a zip archive can hold."""

_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT: Final = frozenset({"__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".git"})


@dataclass(frozen=True, slots=True)
class Built:
    """What was built. ``size`` counts bytes on disk; ``byte_code`` is the interpreter's version, empty without any."""

    folder: Path
    files: int
    size: int
    digest: str
    byte_code: str
    packages: tuple[tuple[str, str], ...]
    flows: tuple[tuple[str, str], ...] = ()
    candidates: tuple[tuple[str, str], ...] = ()


def build_function(
    plan: Plan,
    hooks_root: Path,
    output: Path,
    *,
    runtime: str = RUNTIME,
    byte_code: str = "auto",
    requirements: Path | None = None,
) -> Built:
    """Fill *output* with the function that answers calls with *plan*.

    ``byte_code`` is ``auto`` (if an interpreter of *runtime* is found), ``require`` or ``none``. What *requirements*
    names is fetched by pip for 64-bit ARM, and only ready-made wheels.

    Raises:
        BuildError: the folder holds something else, a package is missing, two files want the same place, or an
            interpreter is required and there is none.
    """
    _hooks_are_there(plan, hooks_root)
    interpreter = _interpreter(runtime, byte_code)
    _empty(output)
    placed = _Placer(output)
    packages = closure([OWN], lambda_markers(runtime))
    for installed in packages:
        placed.copy(files_of(installed), installed.name)
    placed.copy(_own_modules(HANDLER), OWN)
    placed.copy(_hook_files(plan, hooks_root), "the flows' hooks")
    placed.write(PurePosixPath("plan.json"), plan.dumps())
    if requirements is not None:
        _fetch(["--requirement", str(requirements)], str(requirements), output, runtime, placed)
    names = tuple((each.name, each.version) for each in packages)
    return _finish(output, runtime, interpreter, names, plan)


def build_resources(output: Path, *, runtime: str = RUNTIME, byte_code: str = "auto") -> Built:
    """Fill *output* with the function behind the template's custom resource. It needs nothing but Lambda's boto3.

    Raises:
        BuildError: as :func:`build_function`.
    """
    interpreter = _interpreter(runtime, byte_code)
    _empty(output)
    _Placer(output).copy(_own_modules(RESOURCES), OWN)
    return _finish(output, runtime, interpreter, ())


def build_web(plan: Plan, output: Path, *, runtime: str = RUNTIME, byte_code: str = "auto") -> Built:
    """Fill *output* with the function behind the HTTP API of click-to-call.

    Packages are those that are installed here; of what holds machine code, pip fetches the same version for 64-bit ARM.

    Raises:
        BuildError: as :func:`build_function`.
    """
    interpreter = _interpreter(runtime, byte_code)
    _empty(output)
    placed = _Placer(output)
    packages = closure([f"{OWN}[web]"], lambda_markers(runtime))
    foreign = [installed for installed in packages if not is_pure(installed)]
    for installed in packages:
        if installed not in foreign:
            placed.copy(files_of(installed), installed.name)
    placed.copy(_own_modules(WEB), OWN)
    placed.write(PurePosixPath("plan.json"), plan.dumps())
    if foreign:
        pinned = [f"{installed.name}=={installed.version}" for installed in foreign]
        _fetch(["--no-deps", *pinned], " ".join(pinned), output, runtime, placed)
    names = tuple((each.name, each.version) for each in packages)
    return _finish(output, runtime, interpreter, names, plan)


def live_modules(start: str) -> list[str]:
    """The modules of this package that importing and using *start* can load, by their import statements.

    Statements inside functions count: adapters are imported where a plan needs them. Those under ``TYPE_CHECKING`` do
    not.
    """
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in found or _file_of(name) is None:
            continue
        found.add(name)
        waiting.append(name.rpartition(".")[0])
        waiting.extend(_imports(name))
    return sorted(found)


def digest_of(folder: Path) -> str:
    """SHA-256 over the names and contents of all files below *folder*."""
    total = hashlib.sha256()
    for path in _files(folder):
        body = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()}\0{body}\n".encode())
    return total.hexdigest()


def zip_folder(folder: Path, archive: Path) -> int:
    """Write *folder* as an archive that is the same whenever the folder is; gives its size in bytes."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        for path in _files(folder):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            out.writestr(entry, path.read_bytes())
    return archive.stat().st_size


@cache
def find_interpreter(runtime: str) -> str | None:
    """An interpreter of the version that *runtime* names, or None. One that is on PATH must also start."""
    version = runtime.removeprefix("python")
    candidates = [sys.executable, shutil.which(runtime) or ""]
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates += sorted(str(path) for path in versions.glob(f"{version}.*/bin/{runtime}"))
    for candidate in candidates:
        if candidate and _version_of(candidate) == version:
            return candidate
    return None


def _version_of(interpreter: str) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(  # noqa: S603 - an interpreter of this machine
            [interpreter, "-I", "-c", code], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _interpreter(runtime: str, byte_code: str) -> str | None:
    if byte_code == "none":
        return None
    found = find_interpreter(runtime)
    if found is None and byte_code == "require":
        raise BuildError(
            f"byte code for {runtime} needs an interpreter of that version, and none was found: install {runtime}, "
            "or choose another runtime here and in template.yaml"
        )
    return found


def _empty(output: Path) -> None:
    """Make *output* an empty folder, unless it holds what we did not put there."""
    if output.is_dir():
        if any(output.iterdir()) and not (output / CONTENTS).is_file():
            raise BuildError(f"{output} is not empty and was not built by this command: name another folder")
        for path in output.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(f"the folder {output} cannot be made ({error.strerror})") from None


class _Placer:
    """Puts files into the package, each place once."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._owner: dict[PurePosixPath, str] = {}

    def take(self, place: PurePosixPath, owner: str) -> Path:
        """The path of *place*, which is *owner*'s from now on."""
        before = self._owner.setdefault(place, owner)
        if before != owner:
            raise BuildError(f"{place} comes from {before} and from {owner}: rename one of them")
        target = self._output / place
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def copy(self, files: Iterable[tuple[PurePosixPath, Path]], owner: str) -> None:
        """Copy *files* to their places."""
        for place, source in files:
            shutil.copyfile(source, self.take(place, owner))

    def write(self, place: PurePosixPath, text: str) -> None:
        """Write *text* to *place*."""
        self.take(place, str(place)).write_text(text, encoding="utf-8")


def _own_modules(start: str) -> Iterator[tuple[PurePosixPath, Path]]:
    root = Path(sma_flows.__file__).parent.parent
    for name in live_modules(start):
        path = _file_of(name)
        if path is not None:
            yield PurePosixPath(path.relative_to(root).as_posix()), path


def _file_of(module: str) -> Path | None:
    """The file of one of our modules; None for the name of anything else."""
    first, _, rest = module.partition(".")
    if first != "sma_flows":
        return None
    base = Path(sma_flows.__file__).parent.joinpath(*rest.split(".")) if rest else Path(sma_flows.__file__).parent
    return next((file for file in (base / "__init__.py", base.with_suffix(".py")) if file.is_file()), None)


def _imports(module: str) -> Iterator[str]:
    path = _file_of(module)
    if path is None:
        return
    waiting: list[ast.AST] = [ast.parse(path.read_bytes())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        waiting.extend(ast.iter_child_nodes(node))


def _hook_files(plan: Plan, root: Path) -> Iterator[tuple[PurePosixPath, Path]]:
    """The files of the plan's Python hooks: for ``hooks.meetings:open`` all of the folder ``hooks``."""
    named = {
        str(hook["python"]).partition(":")[0].split(".")[0]
        for flow in plan.revisions.values()
        for hook in flow.get("hooks", {}).values()
        if "python" in hook
    }
    for top in sorted(named):
        single = root / f"{top}.py"
        if single.is_file():
            yield PurePosixPath(single.name), single
        for path in _sources(root / top):
            yield PurePosixPath(path.relative_to(root).as_posix()), path


def _files(folder: Path) -> list[Path]:
    """All files below *folder*, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sources(folder: Path) -> list[Path]:
    """The same without what tools left there."""
    return [path for path in _files(folder) if not _LEFT_OUT & set(path.relative_to(folder).parts)]


def _hooks_are_there(plan: Plan, root: Path) -> None:
    """Look for the functions of every revision that new calls can get, without running anything.

    The compiler has looked for those of the flows that it read. A revision of before that still takes calls names
    functions, too: without them the plan would not load, and every caller would hear the last goodbye.
    """
    for revision, flow in plan.in_use.items():
        for name, declared in python_hooks(plan.revisions[revision]).items():
            module, _, function = declared.partition(":")
            base = root.joinpath(*module.split("."))
            file = next((file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()), None)
            if file is None or function not in _top_names(file):
                raise BuildError(
                    f"revision {revision} of '{flow}' runs '{declared}' for its hook '{name}', and "
                    f"{file or f'{module} below {root}'} has no such function: keep it until that revision takes no "
                    "new calls"
                )


def _top_names(file: Path) -> set[str]:
    """What a Python file defines, assigns or imports at its top level."""
    found: set[str] = set()
    for node in ast.parse(file.read_bytes()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _fetch(wanted: Sequence[str], named: str, output: Path, runtime: str, placed: _Placer) -> None:
    """Install what pip is told to by *wanted* for the function's processor; *named* is what people know it by."""
    beside = output.parent / f".{output.name}.requirements"
    shutil.rmtree(beside, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
    command += ["--target", str(beside), "--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", runtime.removeprefix("python"), "--platform", "manylinux2014_aarch64"]
    command += ["--platform", "manylinux_2_28_aarch64", "--platform", "any", *wanted]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - pip, our arguments
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip() or "pip failed").splitlines()[-1]
            raise BuildError(f"{named} cannot be installed for {runtime} on 64-bit ARM: {last}")
        for path in _sources(beside):
            place = PurePosixPath(path.relative_to(beside).as_posix())
            if place.parts[0] == "bin" or (place.parts[0].endswith(".dist-info") and place.name != "METADATA"):
                continue
            if not (output / place).exists():  # what we were tested with stays
                shutil.copyfile(path, placed.take(place, named))
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _finish(
    output: Path,
    runtime: str,
    interpreter: str | None,
    packages: tuple[tuple[str, str], ...],
    plan: Plan | None = None,
) -> Built:
    flows = tuple(sorted(plan.flows.items())) if plan is not None else ()
    candidates = tuple(sorted(plan.candidates.items())) if plan is not None else ()
    contents: dict[str, Any] = {
        "sma-flows": sma_flows.__version__,
        "runtime": runtime,
        "byte_code": interpreter is not None,
        "packages": dict(packages),
        "flows": dict(flows),
        "candidates": dict(candidates),
    }
    (output / CONTENTS).write_text(json.dumps(contents, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    if interpreter is not None:
        _compile(output, interpreter)
    for path in sorted(output.rglob("*"), reverse=True):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (EPOCH, EPOCH))
    files = _files(output)
    size = sum(path.stat().st_size for path in files)
    byte_code = runtime.removeprefix("python") if interpreter is not None else ""
    return Built(output, len(files), size, digest_of(output), byte_code, packages, flows, candidates)


def _compile(output: Path, interpreter: str) -> None:
    """Write byte code. A fixed hash seed and one process: sets among constants keep their order."""
    command = [interpreter, "-P", "-s", "-m", "compileall", "-q", "-f", "-j", "1"]
    command += ["--invalidation-mode", "unchecked-hash", "-s", str(output), "-p", TASK_ROOT, str(output)]
    environment = {"PYTHONHASHSEED": "0", "PATH": os.environ.get("PATH", "")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)  # noqa: S603
    if done.returncode:
        said = (done.stdout.strip() or done.stderr.strip()).splitlines()
        raise BuildError(f"a file of the package cannot be compiled: {said[0] if said else interpreter}")
