"""``sma-flows runtime``: the built function in the real Lambda runtime, on this machine."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import click

from sma_flows.cli.console import FindingsError, WrongUsage, busy, err, exit_with, say_json, show
from sma_flows.cli.load import load_plan, root_of
from sma_flows.cli.values import gather_values
from sma_flows.deploy.emulator import INVOKE_PATH, Pool, is_failure
from sma_flows.deploy.front import serve
from sma_flows.deploy.package import build_function
from sma_flows.errors import BuildError
from sma_flows.services.setup import DEFAULT_STORE, SERVICES, STORE

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  sma-flows runtime flows/                          build, start, print the address
  sma-flows runtime build/function --count 4        what `sma-flows build` has built, four at a time
  sma-flows runtime flows/ --event event.json | jq  one event, its answer, and the end
  curl -d @event.json http://127.0.0.1:9001/2015-03-31/functions/function/invocations

\b
Exit codes: 0 ended, 1 the function failed, 2 wrong usage or something is missing.
"""


@click.command(
    "runtime", short_help="Run the function in the real Lambda runtime, without a container.", epilog=EXAMPLES
)
@click.argument("flow", metavar="FLOW_OR_PACKAGE")
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 64), help="Execution environments.")
@click.option("--port", default=9001, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option("--timeout", default=10, show_default=True, type=click.IntRange(1, 900), help="Time-out in seconds.")
@click.option("--env-file", type=click.Path(path_type=Path), help="File of NAME=VALUE lines; local.env is read anyway.")
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="A value for the function; may be repeated.")
@click.option("--event", type=click.File("rb"), help="Answer this one event (- is stdin), and end.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as JSON.")
def command(
    flow: str,
    count: int,
    port: int,
    timeout: int,
    env_file: Path | None,
    env: tuple[str, ...],
    event: Any,
    as_json: bool,
) -> None:
    """Start the built function under awslambdaric and Lambda's Runtime Interface Emulator, and take invocations.

    A flow or a folder of flows is built first. Without other values, data is kept in a SQLite file beneath the
    working directory, and meetings are the local stand-in. Ctrl-C ends it.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # through the stack below: nothing stays behind
    with ExitStack() as stack:
        try:
            with busy(f"Starting {flow}"):
                package, root = _package(flow, stack)
                values = _settings(gather_values(env, env_file, root, process={}))
                pool = stack.enter_context(Pool(package, count, values, timeout, cache=Path("build/emulator")))
            if event is not None:
                answer = pool.invoke_bytes(event.read())
                click.echo(answer)
                exit_with(1 if is_failure(answer) else 0)
            address = stack.enter_context(serve(pool, port))
        except BuildError as error:
            raise (FindingsError if event is not None else WrongUsage)(f"{error}.") from None
        if as_json:
            say_json({"url": address + INVOKE_PATH, "environments": list(pool.urls)})
        else:
            show(f"{address}{INVOKE_PATH}")
            err().print(f"{count} environment{'s' if count > 1 else ''} behind it. Ctrl-C ends.")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


def _package(flow: str, stack: ExitStack) -> tuple[Path, Path]:
    """The built package, and the folder in which a ``local.env`` may lie."""
    path = Path(flow)
    if (path / "package.json").is_file():
        beneath = Path("flows")
        return path, beneath if beneath.is_dir() else path
    plan, root = load_plan(flow), root_of(path)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sma-flows-build-"))) / "function"
    here = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    build_function(plan, root, folder, runtime=here)
    return folder, root


def _settings(values: dict[str, str]) -> dict[str, str]:
    """What the function needs beside the values of the flows, where nothing was said."""
    store = Path(values.get(STORE) or DEFAULT_STORE).resolve()
    store.parent.mkdir(parents=True, exist_ok=True)
    return {SERVICES: "local", "SMA_FLOWS_PLAN": "plan.json", **values, STORE: str(store)}
