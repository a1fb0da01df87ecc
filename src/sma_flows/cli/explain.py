"""``sma-flows explain``: what a code of the diagnostics means, and how to mend it."""

from __future__ import annotations

from dataclasses import asdict

import click

from sma_flows.cli.console import WrongUsage, say_json
from sma_flows.flow.codes import CODES, explain
from sma_flows.flow.diagnostics import did_you_mean

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  sma-flows explain SF201
  sma-flows explain unknown-state
"""


@click.command("explain", short_help="Say what a code of `check` means.", epilog=EXAMPLES)
@click.argument("codes", nargs=-1, required=True, metavar="CODE...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def command(codes: tuple[str, ...], as_json: bool) -> None:
    """Explain a code of `sma-flows check`: why it matters, a bad and a good example.

    CODE is a code (SF201) or its name (unknown-state). `sma-flows codes` lists all.
    """
    names = {entry.name: entry.code for entry in CODES.values()}
    found = []
    for word in codes:
        code = names.get(word.lower(), word.upper())
        if code not in CODES:
            near = did_you_mean(word.upper(), CODES) or did_you_mean(word.lower(), names)
            raise WrongUsage(f"there is no code '{word}'; {near or 'sma-flows codes lists them all'}")
        found.append(code)
    if as_json:
        say_json([asdict(CODES[code]) for code in found])
    else:
        click.echo("\n".join(explain(code) for code in found), nl=False)
