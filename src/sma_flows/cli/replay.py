"""``sma-flows replay``: a recorded call, event by event."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.progress import track

from sma_flows.cli.clock import clock_option
from sma_flows.cli.compare import difference
from sma_flows.cli.console import WrongUsage, err, exit_with, out, say_json
from sma_flows.cli.describe import legs_of
from sma_flows.cli.events import Recorded, read_events
from sma_flows.cli.load import load_program, with_flow_options
from sma_flows.cli.report import as_object, heading, in_words
from sma_flows.cli.story import Played, play

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  sma-flows replay flows/dial-in.yaml events/dial-in           all calls of a folder
  sma-flows replay flows/dial-in.yaml events/dial-in/*.json    the events of one call
  sma-flows replay build/plan.json production.jsonl            one event per line, as a log has them
  sma-flows replay --check flows/dial-in.yaml events/dial-in   compare with the answers recorded beside the events
  sma-flows replay --record flows/dial-in.yaml events/dial-in  record them: 01-x.response.json beside 01-x.json
  sma-flows replay --at 2026-12-25T10:00-05:00 flows/front-desk.yaml events/front-desk

\b
Events are JSON files, folders of them, files of JSON lines, or - for stdin. A line may also be
{"event": {...}, "response": {...}}. Within a call the attributes of each answer travel to the next event, in place
of recorded ones, as the service does it. The store is in memory and empty at the start, and the clock is read from
the events: a replay repeats exactly.

\b
Exit codes: 0 replayed (with --check: no difference), 1 a difference or a flow with errors, 2 wrong usage.
"""


@click.command("replay", short_help="Answer recorded events and show each step.", epilog=EXAMPLES)
@click.argument("flow", metavar="FLOW")
@click.argument("events", nargs=-1, required=True, metavar="EVENTS...")
@click.option("--check", is_flag=True, help="Compare with the recorded answers; exit code 1 on a difference.")
@click.option("--exact", is_flag=True, help="With --check: revision and digests inside the saved call count, too.")
@click.option("--record", is_flag=True, help="Write each answer beside its event.")
@click.option("--quiet", is_flag=True, help="Print differences only.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs; `response` is the raw answer.")
@clock_option
@with_flow_options
def command(
    flow: str,
    events: tuple[str, ...],
    check: bool,
    exact: bool,
    record: bool,
    quiet: bool,
    as_json: bool,
    at: datetime | None,
    env: tuple[str, ...],
    env_file: Path | None,
    hooks: Path | None,
) -> None:
    """Answer recorded EVENTS with a FLOW and show what happens in each step.

    For every event: what arrived, the state before and after, the actions of the answer, the hooks that ran, the
    variables (secrets masked) and the time the step took. FLOW is a flow file, a folder of flows or a compiled plan.
    """
    if check and record:
        raise WrongUsage("--check and --record exclude each other: record first, check later.")
    loaded = load_program(flow, env, env_file, hooks, store="memory")
    recorded = list(read_events(events))
    if check and not any(one.answer is not None for one in recorded):
        raise WrongUsage("--check found no recorded answers: write them first with --record.")
    played = play(loaded.program, loaded.services, recorded, at)
    shown: list[dict[str, Any]] = []
    differing = compared = 0
    for step in _with_progress(played, len(recorded), quiet or as_json or not out().is_terminal):
        diff: list[str] = []
        if check and step.recorded.answer is not None:
            compared += 1
            diff = difference(step.result.response, step.recorded.answer, legs_of(step.event), exact=exact)
            differing += bool(diff)
        if record:
            _write(step.recorded, step.result.response)
        if as_json:
            shown.append(as_object(step, diff if check else None))
        elif not quiet or diff:
            _print(step, diff)
    if as_json:
        say_json(shown)
    elif check:
        click.echo(_verdict(differing, compared, len(recorded)))
    exit_with(1 if differing else 0)


def _with_progress(played: Iterable[Played], total: int, wanted: bool) -> Iterator[Played]:
    """The steps, with a bar on stderr where the results do not show the progress themselves."""
    console = err()
    if not wanted or not console.is_terminal or total < 50:
        return iter(played)
    return iter(track(played, "Replaying", total, console=console, transient=True))


def _print(step: Played, diff: list[str]) -> None:
    if step.first_of_call:
        if step.number > 1:
            click.echo()
        out().print(heading(step))
    out().print(in_words(step, diff))


def _write(recorded: Recorded, response: dict[str, Any]) -> None:
    if recorded.answer_file is None:
        raise WrongUsage(f"{recorded.source}: --record writes beside event files; stdin and JSON lines have no place.")
    text = json.dumps(response, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    try:
        recorded.answer_file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WrongUsage(f"{recorded.answer_file} cannot be written ({error.strerror}).") from None


def _verdict(differing: int, compared: int, total: int) -> str:
    left = f", {total - compared} without a recorded answer" if total > compared else ""
    if not differing:
        return f"{compared} answers are as recorded{left}"
    return f"{differing} of {compared} answers differ from what was recorded{left}"
