"""``sma-flows fidelity``: how we know what the simulated service does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Final

import click
from rich.table import Table
from rich.text import Text

from sma_flows.cli.console import WrongUsage, out, say_json, show
from sma_flows.simulator.fidelity import GROUPS, SOURCES, Fact, Ledger, ledger
from sma_flows.simulator.switches import CHOICES

__all__ = ["command", "markdown"]

COLOURS: Final = {"documented": "green", "observed": "cyan", "inferred": "yellow", "unknown": "red"}

EXAMPLES: Final = """\b
Examples:
  sma-flows fidelity                              every entry, with its source
  sma-flows fidelity --source inferred --source unknown
  sma-flows fidelity --group error --group hangup
  sma-flows fidelity 60 "event RINGING"           entries by rule or name, with their tests and what a flow would suffer
  sma-flows fidelity --switches                   the open questions, and what hangs on them
  sma-flows fidelity --json | jq '.facts[] | select(.source == "inferred") | .key'
"""


@click.command("fidelity", short_help="Show how we know what the simulated service does.", epilog=EXAMPLES)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--source", "sources", type=click.Choice(SOURCES), multiple=True, help="Only what is known in this way.")
@click.option("--group", "groups", type=click.Choice(tuple(GROUPS)), multiple=True, help="Only this part.")
@click.option("--switches", "questions", is_flag=True, help="The switches: what each asks, what a flow would suffer.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--format", "form", type=click.Choice(["text", "markdown"]), default="text", show_default=True)
def command(
    names: tuple[str, ...],
    sources: tuple[str, ...],
    groups: tuple[str, ...],
    questions: bool,
    as_json: bool,
    form: str,
) -> None:
    """Print what the simulated service does, and how we know it: documented, observed (which log or sample), inferred,
    or unknown (which switch). NAME is the number of a rule, a switch, or the beginning of a name such as "event
    RINGING": such entries are shown with the tests that hold them, and with what a flow would suffer if the service
    did the other thing.
    """
    book = ledger()
    if form == "markdown":
        click.echo(markdown(book), nl=False)
        return
    chosen = [fact for fact in book.facts.values() if _wanted(fact, names, sources, groups)]
    if names and not chosen:
        raise WrongUsage(f"the ledger has nothing that begins with {' or '.join(names)}: try sma-flows fidelity")
    if as_json:
        _json(book, chosen)
    elif questions:
        _questions(book)
    else:
        _print(book, chosen, whole=bool(names))


def _wanted(fact: Fact, names: Sequence[str], sources: Sequence[str], groups: Sequence[str]) -> bool:
    words = fact.key.split()
    named = not names or any(
        words[0] == name if name.isdigit() else fact.name.startswith(name) or name in fact.switches for name in names
    )
    return named and (not sources or fact.source in sources) and (not groups or fact.group in groups)


def _json(book: Ledger, chosen: Iterable[Fact]) -> None:
    switches = {
        name: {"values": list(values), "asks": book.questions[name].asks, "otherwise": book.questions[name].otherwise}
        for name, values in CHOICES.items()
    }
    say_json({"facts": [asdict(fact) for fact in chosen], "switches": switches, "sources": dict(book.sources)})


def _print(book: Ledger, chosen: Sequence[Fact], *, whole: bool) -> None:
    console = out()
    for group, title in GROUPS.items():
        members = [fact for fact in chosen if fact.group == group]
        if not members:
            continue
        if not console.is_terminal:
            for fact in members:
                click.echo("\t".join((fact.name, fact.source, fact.says, "; ".join(_told(book, fact, whole)))))
            continue
        table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", expand=True)
        table.add_column("entry", no_wrap=group == "rule", ratio=2)
        table.add_column("source", no_wrap=True, min_width=10)
        table.add_column("what the service does", ratio=4)
        table.add_column("how we know", ratio=4)
        for fact in members:
            name = fact.key.removeprefix(f"{group} ")
            source = Text(fact.source, style=COLOURS[fact.source])
            table.add_row(Text(name), source, Text(fact.says), Text("\n".join(_told(book, fact, whole))))
        console.print(table, soft_wrap=False)
    counts = Counter(fact.source for fact in chosen)
    show(", ".join(f"{counts[source]} {source}" for source in SOURCES))
    if console.is_terminal:
        for name, meaning in book.sources.items():
            show(f"{name}: {meaning}")


def _evidence(fact: Fact) -> Iterator[str]:
    yield from fact.where
    if fact.because:
        yield fact.because
    for name in fact.switches:
        yield f"switch {name} ({', '.join(CHOICES[name])})"


def _told(book: Ledger, fact: Fact, whole: bool) -> Iterator[str]:
    """How we know an entry; one that was asked for by name also with its tests, and what hangs on its switches."""
    yield from _evidence(fact)
    if not whole:
        return
    for test in fact.tests:
        yield f"test tests/simulator/{test}"
    for name in fact.switches:
        question = book.questions[name]
        yield f"{name}: {question.asks} Otherwise: {question.otherwise}"


def _questions(book: Ledger) -> None:
    for name, values in CHOICES.items():
        question = book.questions[name]
        show(f"{name}: {', '.join(values)} (the first is the default)")
        show(f"  {question.asks}")
        show(f"  Otherwise: {question.otherwise}")


def markdown(book: Ledger) -> str:
    """The ledger as the page ``docs/fidelity.md``."""
    counts = Counter(fact.source for fact in book.facts.values())
    page = [
        "# Fidelity\n",
        "What the simulated service does, and how we know it. Generated from the ledger by `make docs`; do not edit. "
        "`sma-flows fidelity` prints the same, with filters.\n",
        "*Documented*: a page of the service says so. *Observed*: a log of the service, a working sample or a library "
        "in production shows it. *Inferred*: nobody wrote it down, it follows from the rest. *Unknown*: nobody knows, "
        f"so a switch simulates both. Of {sum(counts.values())} entries "
        + ", ".join(f"{counts[source]} are {source}" for source in SOURCES)
        + ".\n",
    ]
    for group, title in GROUPS.items():
        page += [f"## {title}\n", "| entry | source | what the service does | how we know |", "|---|---|---|---|"]
        for fact in book.facts.values():
            if fact.group == group:
                cells = (fact.key.removeprefix(f"{group} "), fact.source, fact.says, "; ".join(_evidence(fact)))
                page.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
        page.append("")
    page += ["## Switches\n", "The first value is the default.\n"]
    for name, values in CHOICES.items():
        question = book.questions[name]
        page.append(f"* **{name}** ({', '.join(values)}): {question.asks} *Otherwise:* {question.otherwise}")
    page += ["", "## Sources\n", *(f"* **{name}**: {meaning}" for name, meaning in book.sources.items()), ""]
    return "\n".join(page)
