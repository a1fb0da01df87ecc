"""``sma-flows page``: click-to-call's page as static files, for a host of your own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click

from sma_flows.cli.console import FindingsError, WrongUsage, err
from sma_flows.cli.load import load_plan

__all__ = ["command"]

EXAMPLES: Final = """\b
Examples:
  sma-flows page flows/web-call.yaml -o build/site --api https://api.example.com --token /session/call-token
  aws s3 sync build/site s3://example-site --cache-control no-cache

\b
--token is a path on the page's own host: POSTed to by a visitor who is signed in, it answers {"token": JWT}.
docs/click-to-call-page.md says what the host should send along, and how the API must be told of the page's origin.
Exit codes: 0 written, 1 page.js cannot be made, 2 wrong usage.
"""


@click.command("page", short_help="Write click-to-call's page as static files.", epilog=EXAMPLES)
@click.argument("flow", metavar="FLOW")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="Where to.")
@click.option("--api", required=True, metavar="ORIGIN", help="Where the API is, as in https://api.example.com.")
@click.option("--token", required=True, metavar="PATH", help="What gives a signed-in visitor a token.")
@click.option("--to", default="", metavar="NUMBER", help="The number that stands in the form at first.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: the files, and headers for the host.")
def command(flow: str, output: Path, api: str, token: str, to: str, as_json: bool) -> None:
    """Write the page that visitors call from into FOLDER, in the languages of FLOW.

    FLOW is a flow file, a folder of flows or a compiled plan that has the flow `web-call`. page.js is made with Node.js
    20 or later and npm, once.
    """
    from sma_flows.errors import PlanError
    from sma_flows.web.page import HEADERS, PageError, write
    from sma_flows.web.page.bundle import BundleError, bundle
    from sma_flows.web.settings import languages

    try:
        spoken = sorted(languages(load_plan(flow)))
        files = write(output, bundle(lambda words: err().print(words)), api=api, token=token, languages=spoken, to=to)
    except (PlanError, PageError) as error:
        raise WrongUsage(f"{error}.") from None
    except BundleError as error:
        raise FindingsError(f"{error}.") from None
    if as_json:
        click.echo(json.dumps({"folder": str(output), "files": files, "headers": dict(HEADERS)}, indent=2))
        return
    click.echo(f"Wrote {', '.join(files)} to {output}.")
    click.echo("Have the host send with each file:")
    for name, value in HEADERS.items():
        click.echo(f"  {name}: {value}")
