"""``sma-flows invoke``: the raw answer to one event, for scripts."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from sma_flows.cli.clock import clock_option
from sma_flows.cli.events import read_event
from sma_flows.cli.load import load_program, with_flow_options

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  sma-flows invoke flows/dial-in.yaml events/dial-in/01-new-inbound-call.json
  cat event.json | sma-flows invoke build/plan.json - | jq .Actions

\b
To answer a whole call, put the TransactionAttributes of each answer into the CallDetails of the next event, as the
service does; or let `sma-flows replay` do it. What outlasts an event (limits, records of effects, meetings of the
local stand-in) is kept in .sma-flows/store.sqlite; --store names another file, --store memory keeps nothing.
"""


@click.command("invoke", short_help="Print the raw answer to one event.", epilog=EXAMPLES)
@click.argument("flow", metavar="FLOW")
@click.argument("event", metavar="EVENT")
@clock_option
@click.option("--json", "as_json", is_flag=True, help="Accepted for symmetry: the answer is always JSON.")
@click.option("--store", default="", metavar="FILE", help="Where limits and effects are kept, or `memory`.")
@with_flow_options
def command(
    flow: str,
    event: str,
    at: datetime | None,
    as_json: bool,  # noqa: ARG001 (always on)
    store: str,
    env: tuple[str, ...],
    env_file: Path | None,
    hooks: Path | None,
) -> None:
    """Print the answer to one EVENT (a JSON file, or - for stdin) exactly as the Lambda function would give it.

    FLOW is a flow file, a folder of flows or a compiled plan.
    """
    from sma_flows.cli.story import clock_of
    from sma_flows.runtime.invoke import handle

    loaded = load_program(flow, env, env_file, hooks, store)
    data = read_event(event)
    services = loaded.services
    now = at or clock_of(data)
    result = handle(loaded.program, data, now=now, services=services, overlaps=services.overlaps)
    click.echo(json.dumps(result.response, ensure_ascii=False))
