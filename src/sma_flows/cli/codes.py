"""``sma-flows codes``: the catalogue of everything that `check` can find."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from itertools import groupby
from typing import Final

import click

from sma_flows.cli.console import columns, say_json, show
from sma_flows.flow.codes import CODES, Code

__all__ = ["command", "markdown"]

FAMILIES: Final[Mapping[str, str]] = {
    "SF0": "The file and its YAML",
    "SF1": "Values and types",
    "SF2": "Names and reachability",
    "SF3": "How the call behaves",
    "SF4": "Limits of the service",
    "SF5": "Calls as tests",
    "SF6": "The template",
}
"""Title of each family of codes. SF9xx stays free for checks of your own."""

EXAMPLES = """\b
Examples:
  sma-flows codes
  sma-flows codes --format markdown > docs/rules.md
"""


@click.command("codes", short_help="List everything that `check` can find.", epilog=EXAMPLES)
@click.option("--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def command(form: str, as_json: bool) -> None:
    """List every code that `sma-flows check` knows, with severity and title."""
    if as_json or form == "json":
        say_json([asdict(code) for code in CODES.values()])
    elif form == "markdown":
        click.echo(markdown(CODES.values()), nl=False)
    else:
        rows = [(code.code, code.severity, code.name, code.title) for code in CODES.values()]
        for line in columns(("code", "severity", "name", "what is found"), rows):
            show(line)


def markdown(codes: Iterable[Code]) -> str:
    """The catalogue as the page ``docs/rules.md``."""
    page = [
        "# Rules\n",
        "Everything `sma-flows check` can find, in flows and in calls. Generated from the catalogue in the code by "
        "`make docs`; do not edit.",
        "\nA code is never used again for something else. SF9xx stays free for checks of your own. "
        "`sma-flows explain CODE` shows the same text in a terminal.\n",
    ]
    for family, members in groupby(codes, key=lambda code: code.code[:3]):
        page.append(f"## {family}xx: {FAMILIES.get(family, 'Others')}\n")
        for code in members:
            page += [
                f"### {code.code} {code.name}\n",
                f"*{code.severity.capitalize()}.* {code.title}\n",
                f"{code.why}\n",
                f"Instead of\n\n{_block(code.bad)}\n\nwrite\n\n{_block(code.good)}\n",
            ]
    return "\n".join(page)


def _block(text: str) -> str:
    body = text.strip("\n")
    return f"```yaml\n{body}\n```"
