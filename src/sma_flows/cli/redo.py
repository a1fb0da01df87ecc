"""``sma-flows redo``: clean-up that failed, tried again by hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from sma_flows.cli.console import WrongUsage, exit_with, say_json
from sma_flows.cli.load import load_program, with_flow_options

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  sma-flows redo flows/                              what is kept in .sma-flows/store.sqlite
  sma-flows redo build/plan.json letter.json         a dead letter of the deployed function
  aws sqs receive-message --queue-url "$DEAD_LETTERS" > letters.json
  SMA_FLOWS_SERVICES=aws sma-flows redo build/plan.json letters.json --store dynamodb:TABLE

\b
Exit codes: 0 all is done, 1 something has failed again, 2 wrong usage or no such letter.
"""


@click.command("redo", short_help="Try clean-up again that failed after a call.", epilog=EXAMPLES)
@click.argument("flow", metavar="FLOW")
@click.argument("letters", metavar="[LETTER]...", nargs=-1)
@click.option("--store", default="", metavar="STORE", help="A file or dynamodb:TABLE; what effects are known by.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each piece.")
@with_flow_options
def command(
    flow: str,
    letters: tuple[str, ...],
    store: str,
    as_json: bool,
    env: tuple[str, ...],
    env_file: Path | None,
    hooks: Path | None,
) -> None:
    """Try every piece of clean-up in the LETTERs again, or without any what the local store keeps.

    A LETTER is a JSON file (- is stdin): a message of the dead-letter queue, what `aws sqs receive-message` prints, or
    the job itself. A piece has the effect token that it had in its call: what works at most once is not done twice.
    """
    from sma_flows.errors import ServiceError
    from sma_flows.services.jobs import clean_up, clean_up_in
    from sma_flows.services.local.outbox import LocalLater

    loaded = load_program(flow, env, env_file, hooks, store)
    later = loaded.services.later
    kept = later if isinstance(later, LocalLater) else None
    jobs = [job for letter in letters for job in _jobs(letter)] if letters else kept.waiting() if kept else []
    failed = 0
    for job in jobs:
        try:
            ask = clean_up_in(job, loaded.program)
            name = ask.name if ask.port == "hook" else ask.port
        except ServiceError as error:
            raise WrongUsage(f"{error}: is it of this flow and one of its revisions?") from None
        try:
            outcome = clean_up(job, loaded.program, loaded.services)
        except ServiceError:
            outcome, failed = "failed", failed + 1
        else:
            if kept is not None:
                kept.done(ask.token)
        troubles = [f"{each.reason} {each.detail}".strip() for each in loaded.services.take_troubles()]
        told = {"call": ask.call.id, "what": name, "outcome": outcome, "troubles": troubles}
        if as_json:
            say_json(told)
        else:
            click.echo(" ".join(filter(None, (ask.call.id, name, outcome, ", ".join(troubles)))))
    if not jobs and not as_json:
        click.echo("Nothing waits for another try.")
    exit_with(1 if failed else 0)


def _jobs(letter: str) -> Iterator[Mapping[str, Any]]:
    """The jobs in a letter."""
    try:
        text = sys.stdin.read() if letter == "-" else Path(letter).read_text("utf-8")
        found = list(_in(json.loads(text)))
    except OSError as error:
        raise WrongUsage(f"the letter {letter} cannot be read ({error.strerror})") from None
    except ValueError:
        raise WrongUsage(f"the letter {letter} is not JSON") from None
    if not found:
        raise WrongUsage(f"the letter {letter} holds no piece of clean-up")
    yield from found


def _in(data: Any) -> Iterator[Mapping[str, Any]]:
    """Jobs in whatever a queue, a destination of Lambda or the command line of AWS puts around them."""
    if isinstance(data, list):
        for each in data:
            yield from _in(each)
    elif isinstance(data, dict):
        if "clean_up" in data:
            yield data
        for name in ("Messages", "Records", "requestPayload"):
            yield from _in(data.get(name))
        for name in ("Body", "body"):
            if isinstance(data.get(name), str):
                yield from _in(json.loads(data[name]))
