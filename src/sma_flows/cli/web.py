"""``sma-flows web``: click-to-call on localhost, with the simulated service behind it."""

from __future__ import annotations

import importlib.util
import json
import queue
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sma_flows.cli.console import WrongUsage, err
from sma_flows.cli.load import load_program, root_of, with_flow_options
from sma_flows.cli.simulated import ended_by_signal, folder_of, numbers_of, pair, people_of, show_calls
from sma_flows.cli.values import gather_values
from sma_flows.errors import PlanError
from sma_flows.web.page import LOCAL, write
from sma_flows.web.page.bundle import BundleError, bundle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sma_flows.simulator.exchange import Line
    from sma_flows.simulator.parties import Party
    from sma_flows.web.stage import Answering, Stage

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  sma-flows web flows/web-call.yaml
  sma-flows web flows/web-call.yaml --port 8080 --party '+12065550150={answers: after 3s, presses: {8s: "1"}}'
  sma-flows web flows/web-call.yaml --set PER_USER=2/1h --set REGIONS=US,CA
  sma-flows web flows/web-call.yaml --json | jq

\b
Everybody who is called answers after four seconds and presses 1, unless --party says otherwise. Tokens come from
/local/token of the address, the OpenAPI document from /openapi.json; see docs/click-to-call.md.
Ctrl-C ends it. Exit codes: 0 ended, 1 the flow cannot run, 2 wrong usage.
"""

NEEDS: Final = ("uvicorn", "starlette", "jwt", "phonenumbers", "boto3", "aiortc", "websockets")
TOKEN: Final = "/local/token"  # noqa: S105 - an address


ACCEPTS: Final = '{answers: after 4s, presses: {9s: "1"}}'
"""What everybody does who has no party of his own."""

HELLO: Final = """\
Click-to-call answers at {url}   (Ctrl-C ends it)

  the page               {page}
  the simulated service  {service}
  its calls              {service}/_sma/calls

Have somebody called:

  TOKEN=$(curl -s -X POST '{url}/local/token' | python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])')
  REQUEST=$(python3 -c 'import uuid; print(uuid.uuid4())')
  curl -s {url}/calls -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
    -d '{{"request": "'$REQUEST'", "to": "+12065550150", "name": "Ana", "language": "en-US"}}'
"""


@click.command("web", short_help="Serve click-to-call on localhost, on the simulated service.", epilog=EXAMPLES)
@click.argument("flow", metavar="FLOW")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="a free one", help="Port on localhost.")
@click.option(
    "--page",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    show_default="click-to-call's own, made with npm once",
    help="Static files that are served at /.",
)
@click.option("--no-page", is_flag=True, help="The API alone.")
@click.option("--party", "parties", multiple=True, metavar="NUMBER=DOES", help="Who is called: busy, no_answer, ...")
@click.option("--number", "numbers", multiple=True, metavar="NUMBER", help="A number of the account; may be repeated.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting SMA_FLOWS_WEB_NAME of the API.")
@click.option(
    "--speed",
    type=click.FloatRange(0.1, 1000),
    default=1.0,
    show_default=True,
    help="Time on the telephone runs so many times as fast.",
)
@click.option("--no-quotas", is_flag=True, help="As many calls and requests a second as one likes.")
@click.option("--store", default="", metavar="FILE", help="Where calls and limits are kept. Default: until it ends.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines: the address first, then what happens.")
@with_flow_options
def command(
    flow: str,
    port: int,
    page: Path | None,
    no_page: bool,
    parties: tuple[str, ...],
    numbers: tuple[str, ...],
    settings: tuple[str, ...],
    speed: float,
    no_quotas: bool,
    store: str,
    as_json: bool,
    env: tuple[str, ...],
    env_file: Path | None,
    hooks: Path | None,
) -> None:
    """Serve the API of click-to-call on localhost, with FLOW answering on the simulated telephone service.

    FLOW is a flow file, a folder of flows or a compiled plan that has the flow `web-call`.
    """
    missing = [name for name in NEEDS if not _is_here(name)]
    if missing:
        raise WrongUsage(f"click-to-call needs {', '.join(missing)}: pip install 'sma-flows[site]'.")
    from sma_flows.simulator.model import World
    from sma_flows.simulator.parties import party_of
    from sma_flows.web.stage import stage

    values = gather_values(env, env_file, hooks or root_of(Path(flow)))
    people = _people(parties, values)
    told: queue.Queue[tuple[Line, str]] = queue.Queue()

    def load(lead: Mapping[str, str]) -> Answering:
        return _answering(flow, (*env, *(f"{name}={value}" for name, value in lead.items())), env_file, hooks)

    with ExitStack() as stack:
        own = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kept = Path(store) if store else own / "store.sqlite"
        (own / "page").mkdir()
        try:
            stack.enter_context(ended_by_signal())
            served = stack.enter_context(
                stage(
                    load,
                    kept,
                    numbers=numbers_of(World(), numbers, values),
                    caller=values.get("OWN_NUMBER", ""),
                    settings=_settings(settings),
                    party=lambda number: party_of(people, number),
                    files=folder_of(flow),
                    page=None if no_page else page or own / "page",
                    port=port,
                    speed=speed,
                    unlimited=no_quotas,
                    on_line=lambda line, words: told.put((line, words)),
                )
            )
            there = not no_page and (page is not None or _page(own / "page"))
            _hello(served, as_json=as_json, page=there)
            show_calls(told, as_json=as_json)
        except BrokenPipeError:  # nobody reads what is shown
            raise
        except OSError as error:
            raise WrongUsage(f"port {port} cannot be used ({error.strerror}): choose another, or 0.") from None
        except PlanError as error:
            raise WrongUsage(f"{error}.") from None
        except KeyboardInterrupt:
            return


def _page(folder: Path) -> bool:
    """Put click-to-call's own page there. Where it cannot be made, that is said, and the API does without."""
    try:  # config.json is the server's own here
        write(folder, bundle(lambda words: err().print(words)), token=TOKEN, languages=["en-US"], media=LOCAL)
    except (BundleError, OSError) as error:
        err().print(f"There is no page, only the API: {error}.", highlight=False, markup=False)
        return False
    return True


def _is_here(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _people(parties: tuple[str, ...], values: Mapping[str, str]) -> Mapping[str, Party]:
    """Who is at which number, as :func:`~sma_flows.simulator.parties.party_of` reads it."""
    usual = {"*": ACCEPTS} | dict(one.partition("=")[::2] for one in parties)
    return people_of(tuple(f"{number}={does}" for number, does in usual.items()), values)


def _settings(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for one in given:
        name, value = pair(one, "--set", "PER_USER=2/1h")
        found[f"SMA_FLOWS_WEB_{name.upper()}"] = value
    return found


def _answering(flow: str, env: tuple[str, ...], env_file: Path | None, hooks: Path | None) -> Answering:
    from sma_flows.testing.switchboard import Environment
    from sma_flows.web.stage import Answering

    loaded = load_program(flow, env, env_file, hooks)
    return Answering(Environment(loaded.program, loaded.services), loaded.plan, loaded.program.env)


def _hello(served: Stage, *, as_json: bool, page: bool) -> None:
    if as_json:
        click.echo(json.dumps({"url": served.url, "service": served.service, "page": page}))
        return
    shown = f"{served.url}/   (press Call me)" if page else "none"
    click.echo(HELLO.format(url=served.url, page=shown, service=served.service))
