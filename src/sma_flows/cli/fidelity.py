"""``sma-flows fidelity``: how we know what the simulated service does."""

from __future__ import annotations

import json

import click

from sma_flows.simulator.fidelity import LEDGER, SOURCES, held_by
from sma_flows.simulator.switches import CHOICES

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  sma-flows fidelity                    every rule of the simulated service, with its source
  sma-flows fidelity --json | jq '.rules[] | select(.source == "inferred")'
"""


@click.command("fidelity", short_help="Show where the simulated service's rules come from.", epilog=EXAMPLES)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> None:
    """Print each rule of the simulated service: documented, observed, inferred, or a switch because nobody knows."""
    if as_json:
        rules = [rule._asdict() for rule in LEDGER]
        switches = {name: list(values) for name, values in CHOICES.items()}
        click.echo(json.dumps({"rules": rules, "switches": switches}, ensure_ascii=False))
        return
    for rule in LEDGER:
        asked = f" [{', '.join(rule.switches)}]" if rule.switches else ""
        click.echo(f"{rule.number:>3}  {rule.source:<10}  {rule.says}{asked}")
        click.echo(f"     {'':<10}  {rule.where}")
    click.echo(", ".join(f"{len(held_by(source))} {source}" for source in SOURCES))
