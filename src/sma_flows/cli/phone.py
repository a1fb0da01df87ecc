"""``sma-flows phone``: call a flow by hand."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sma_flows.cli.console import FindingsError, WrongUsage, err, exit_with, say_json
from sma_flows.cli.simulated import switch_option

if TYPE_CHECKING:
    from sma_flows.phone.handset import Handset
    from sma_flows.testing.script import CallScript

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  sma-flows phone flows/dial-in.yaml                        a telephone in the terminal
  sma-flows phone flows/dial-in.yaml --live 5               time runs five times as fast as on the wall
  sma-flows phone flows/front-desk.yaml --at 2026-11-21T20:00-05:00
  sma-flows phone flows/click-to-call.yaml --input customer=+12065550142 --input customer_name=Ana \\
    --input language=en-US --input request=r-1
  sma-flows phone flows/dial-in.yaml --stub verify_pin=wrong --switch hangup_during_action=observed
  sma-flows phone flows/lex-bot.yaml --bot env.BOT_ALIAS=flows/bots/reception --party '*={answers: 4s, hangs_up: 20s}'
  sma-flows phone flows/voicemail.yaml --recordings build/recordings
  printf '1\\n4155501#\\nsave my.calls.yaml first try\\n' | sma-flows phone flows/dial-in.yaml --plain

\b
In the call: type keys (1234#) or a command; `help` lists them. The most useful: silence, hangup, back, fork, save.
Without a terminal, or with --plain, the telephone works in plain lines, for pipes and screen readers.

\b
Exit codes: 0 done, 1 a typed line of a pipe could not be done, or the flow cannot run, 2 wrong usage.
"""


@click.command("phone", short_help="Call a flow by hand, in the terminal.", epilog=EXAMPLES)
@click.argument("flow", metavar="FLOW", type=click.Path(path_type=Path))
@click.option("--from", "from_", metavar="NUMBER", help="Who calls.")
@click.option("--to", metavar="NUMBER", help="Which number is called.")
@click.option("--at", metavar="TIME", help="When: 2026-11-20T09:30-05:00. Opening hours depend on it.")
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An argument of an outbound call.")
@click.option("--stub", "stubs", multiple=True, metavar="HOOK=REPLY", help="What a hook answers, as in a calls file.")
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="A value for env.NAME.")
@switch_option
@click.option("--party", "parties", multiple=True, metavar="NUMBER=DOES", help="Who is called: busy, {answers: 4s}...")
@click.option("--bot", "bots", multiple=True, metavar="NAME=EXPORT", help="The Lex V2 export behind env.NAME.")
@click.option(
    "--recordings", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", help="Write recordings here."
)
@click.option(
    "--live", type=click.FloatRange(0.1, 1000), metavar="SPEED", help="Let time pass by itself, so many times as fast."
)
@click.option("--plain", is_flag=True, help="Plain lines instead of a screen.")
@click.option("--json", "as_json", is_flag=True, help="With plain lines: print the whole call as JSON at the end.")
def command(
    flow: Path,
    from_: str | None,
    to: str | None,
    at: str | None,
    inputs: tuple[str, ...],
    stubs: tuple[str, ...],
    env: tuple[str, ...],
    switches: tuple[str, ...],
    parties: tuple[str, ...],
    bots: tuple[str, ...],
    recordings: Path | None,
    live: float | None,
    plain: bool,
    as_json: bool,
) -> None:
    """Call FLOW and be the caller: read what is said, press keys, stay silent, hang up, step back, save it as a test.

    FLOW is a flow file. Hooks run as they are, against an empty store, unless --stub answers for them; the telephone
    service is a model of it (`sma-flows fidelity` says what that is made of).
    """
    here = tuple(f"{name}={json.dumps(str(Path(path).absolute()))}" for name, path in map(_pair, bots))
    maps = {"inputs": inputs, "stub": stubs, "env": env, "switches": switches, "parties": parties, "bots": here}
    script = _script(flow, {"from": from_, "to": to, "at": at}, maps)
    handset = _handset(flow, script, live=bool(live) and not plain, recordings=recordings)
    screen = sys.stdin.isatty() and sys.stdout.isatty() and not plain and not as_json
    try:
        if screen:
            _screen(handset, live or 0.0)
        else:
            _lines(handset, as_json=as_json)
    finally:
        handset.close()


def _script(flow: Path, texts: dict[str, str | None], maps: dict[str, tuple[str, ...]]) -> CallScript:
    """The head of a call, read and held against the flow as a calls file would be, with the same messages."""
    import yaml

    from sma_flows.testing.check import checked_text

    call: dict[str, object] = {"call": flow.stem, **{key: value for key, value in texts.items() if value is not None}}
    for key, pairs in maps.items():
        if pairs:
            call[key] = dict(map(_value, pairs))
    if _outbound(flow):
        call.setdefault("inputs", {})
    text = yaml.safe_dump({"flow": flow.name, "calls": [call]}, sort_keys=False, allow_unicode=True)
    file, found = checked_text(text, flow.parent / "phone")
    if file is None:
        raise WrongUsage("\n".join(f"{one.message}. {one.help}." for one in found if one.severity == "error"))
    for one in found:
        err().print(f"Note: {one.message}: {one.label} ({one.help})")
    return file.calls[0]


def _value(text: str) -> tuple[str, object]:
    """NAME and VALUE, which may be a list or a map as in a calls file."""
    import yaml

    name, value = _pair(text)
    try:
        return name, yaml.load(value, Loader=yaml.BaseLoader)  # noqa: S506 - texts, lists and maps of texts
    except yaml.YAMLError:
        raise WrongUsage(f"'{text}' is not NAME=VALUE: a list or a map is not closed, or a quote is.") from None


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise WrongUsage(f"'{text}' is not NAME=VALUE.")
    return name, value


def _outbound(flow: Path) -> bool:
    """Whether the flow places calls: then the telephone is that of the one who is called."""
    from sma_flows.testing.world import UnplayableError, compiled

    if not flow.is_file():
        raise WrongUsage(f"there is no flow '{flow}': name a flow file, for example flows/dial-in.yaml.")
    try:
        plan = compiled(flow)
    except UnplayableError as error:
        raise FindingsError(str(error)) from None
    return plan.flow(next(iter(plan.flows))).get("entry") == "outbound"


def _handset(flow: Path, script: CallScript, *, live: bool, recordings: Path | None) -> Handset:
    from sma_flows.phone.handset import Handset
    from sma_flows.testing.play import CallFailedError
    from sma_flows.testing.world import UnplayableError

    try:
        return Handset(flow, script, live=live, recordings=recordings)
    except (UnplayableError, CallFailedError) as error:
        raise FindingsError(str(error)) from None


def _screen(handset: Handset, speed: float) -> None:
    if importlib.util.find_spec("textual") is None:
        raise WrongUsage("the telephone's screen needs textual: pip install 'sma-flows[phone]', or use --plain.")
    from sma_flows.phone.app import PhoneApp

    PhoneApp(handset, speed=speed).run()


def _lines(handset: Handset, *, as_json: bool) -> None:
    from sma_flows.phone.lines import converse

    failed = converse(handset, _typed(), (lambda _line: None) if as_json else click.echo)
    if as_json:
        say_json(
            {
                "flow": str(handset.flow),
                "over": handset.over,
                "state": handset.state,
                "seconds": handset.now_s,
                "steps": [{"step": deed.step.kind, "value": deed.step.value} for deed in handset.deeds],
                "transcript": handset.lines,
                "variables": dict(handset.variables),
                "failed_lines": failed,
            }
        )
    exit_with(1 if failed and not sys.stdin.isatty() else 0)


def _typed() -> Iterator[str]:
    """Lines of standard input; a person gets a prompt."""
    asking = sys.stdin.isatty()
    while True:
        if asking:
            click.echo("phone> ", nl=False)
        line = sys.stdin.readline()
        if not line:
            return
        yield line
