"""``sma-flows serve``: the control plane on localhost, with a flow that answers its calls."""

from __future__ import annotations

import importlib.util
import json
import os
import queue
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sma_flows.cli.clock import read_time
from sma_flows.cli.console import WrongUsage, err
from sma_flows.cli.load import load_plan, load_program, with_flow_options
from sma_flows.cli.simulated import (
    ended_by_signal,
    folder_of,
    numbers_of,
    pair,
    people_of,
    read_given,
    show_calls,
    switch_option,
    switches_of,
)

if TYPE_CHECKING:
    from sma_flows.plan import Plan
    from sma_flows.simulator.bots import Bot
    from sma_flows.simulator.exchange import Exchange, Line
    from sma_flows.testing.targets import Target

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  sma-flows serve flows/click-to-call.yaml
  sma-flows serve build/plan.json --port 4567 --speed 1
  sma-flows serve flows/dial-in.yaml --party +12065550150=busy --switch join_error_shape=error_string
  sma-flows serve flows/dial-in.yaml --target http://127.0.0.1:9000    a function that answers there
  sma-flows serve flows/click-to-call.yaml --json | jq

\b
Then, in another terminal, an application with an AWS SDK places and steers calls, unchanged:
  export AWS_ENDPOINT_URL_CHIME_SDK_VOICE=http://127.0.0.1:4567
  export AWS_ENDPOINT_URL_CHIME_SDK_MEETINGS=http://127.0.0.1:4567    (also _MESSAGING, _IDENTITY, _MEDIA_PIPELINES)

\b
Below /_sma/ of the address: calls with their transcripts, callers, keys, faults (docs/control-plane.md).
Ctrl-C ends it. Exit codes: 0 ended, 1 the flow cannot run, 2 wrong usage.
"""


HELLO: Final = """\
The simulated service answers at {url}   (Ctrl-C ends it)

  application  {application}
  number       {number}
  calls        {url}/_sma/calls

Place a call from Python, unchanged but for the endpoint:

  import boto3
  voice = boto3.client("chime-sdk-voice", endpoint_url="{url}", region_name="{region}",
                       aws_access_key_id="x", aws_secret_access_key="x")
  call = voice.create_sip_media_application_call(
      FromPhoneNumber="{number}", ToPhoneNumber="+12065550123", SipMediaApplicationId="{application}",
      ArgumentsMap={arguments})

Or be the caller:

  curl -s {url}/_sma/calls -d '{{"from": "+12065550123", "to": "{number}"}}'
"""


@click.command("serve", short_help="Serve the service's API on localhost, with a flow that answers.", epilog=EXAMPLES)
@click.argument("flow", metavar="FLOW")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default="a free one", help="Port on localhost.")
@click.option(
    "--speed",
    type=click.FloatRange(0.1, 1000),
    default=10.0,
    show_default=True,
    help="Time runs so many times as fast.",
)
@click.option("--at", metavar="TIME", help="When it is in the flow's world at the start. Default: now.")
@click.option("--number", "numbers", multiple=True, metavar="NUMBER", help="A number of the account; may be repeated.")
@click.option("--party", "parties", multiple=True, metavar="NUMBER=DOES", help="Who is called: busy, no_answer, ...")
@click.option(
    "--bot", "bots", multiple=True, metavar="NAME=EXPORT", help="The Lex V2 export behind env.NAME or an ARN."
)
@click.option(
    "--files",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Buckets are folders here. Default: by the flow.",
)
@click.option("--recordings", type=click.Path(path_type=Path), metavar="FOLDER", help="Write recordings here.")
@switch_option
@click.option("--no-quotas", is_flag=True, help="As many calls and requests a second as one likes.")
@click.option("--target", metavar="FUNCTION", help="Who answers: a Lambda invoke URL, lambda:NAME, or an ARN.")
@click.option("--store", default="", metavar="FILE", help="Where limits and effects are kept, or `memory`.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines: the address first, then what happens.")
@with_flow_options
def command(
    flow: str,
    port: int,
    speed: float,
    at: str | None,
    numbers: tuple[str, ...],
    parties: tuple[str, ...],
    bots: tuple[str, ...],
    files: Path | None,
    recordings: Path | None,
    switches: tuple[str, ...],
    no_quotas: bool,
    target: str | None,
    store: str,
    as_json: bool,
    env: tuple[str, ...],
    env_file: Path | None,
    hooks: Path | None,
) -> None:
    """Answer an unmodified AWS SDK on localhost: calls that an application places reach FLOW, on a simulated service.

    FLOW is a flow file, a folder of flows or a compiled plan.
    """
    if importlib.util.find_spec("uvicorn") is None:
        raise WrongUsage("the control plane needs uvicorn: pip install 'sma-flows[serve]'.")
    from sma_flows.simulator.account import Account
    from sma_flows.simulator.api.plane import ControlPlane
    from sma_flows.simulator.api.server import serving
    from sma_flows.simulator.clock import RunningClock
    from sma_flows.simulator.exchange import Exchange, running
    from sma_flows.simulator.meetings import Meetings
    from sma_flows.simulator.model import World
    from sma_flows.simulator.parties import Party, party_of
    from sma_flows.simulator.storage import Storage
    from sma_flows.simulator.switches import Switches
    from sma_flows.testing.control import UNLIMITED
    from sma_flows.testing.switchboard import Switchboard

    started = read_time(at) if at else datetime.now(UTC)
    chosen = Switches().having(switches_of(switches))
    told: queue.Queue[tuple[Line, str]] = queue.Queue()
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or World().region
    world = World(started_ms=round(started.timestamp() * 1000), region=region)
    exchange = Exchange(
        lambda application, number: board.route(application, number),
        clock=RunningClock(speed),
        world=world,
        quotas=UNLIMITED if no_quotas else None,
        meetings=Meetings(after_end=chosen.same_meeting_token_after_end),
        party=lambda number: party_of(people, number) or Party(),
        on_entry=lambda line, entry: board.see(line, entry),
        numbers=lambda: account.owned(exchange.clock.now_ms()),
    )
    function, plan, values = _function(flow, target, exchange, env, env_file, hooks, store)
    people = people_of(parties, values)
    account = Account.of(replace(world, numbers=numbers_of(world, numbers, values)))
    board = Switchboard(
        function,
        plan,
        account=account,
        now_ms=exchange.clock.now_ms,
        switches=chosen,
        storage=Storage(files or folder_of(flow), into=recordings),
        bots=_bots(bots, values),
        on_line=lambda line, words: told.put((line, words)),
    )
    rates = {"*": 0} if no_quotas else None
    plane = ControlPlane(exchange, rates=rates, transcript=board.transcript, account=account)
    with ExitStack() as stack:
        try:
            url = stack.enter_context(serving(plane, port))
        except OSError as error:
            raise WrongUsage(f"port {port} cannot be used ({error.strerror}): choose another, or 0.") from None
        try:
            stack.enter_context(ended_by_signal())
            stack.enter_context(_reachable(url, region))
            stack.enter_context(running(exchange))
            _hello(url, exchange, plan, as_json=as_json)
            show_calls(told, as_json=as_json)
        except KeyboardInterrupt:
            if not as_json:
                err().print("Ended.")


def _function(
    flow: str,
    target: str | None,
    exchange: Exchange,
    env: tuple[str, ...],
    env_file: Path | None,
    hooks: Path | None,
    store: str,
) -> tuple[Target, Plan, Mapping[str, str]]:
    """Who answers, the plan that names the prompts, and the values of the flow's environment."""
    from sma_flows.testing.meetings import of_exchange, with_meetings
    from sma_flows.testing.switchboard import Environment
    from sma_flows.testing.targets import TargetError, target_of

    if target is None:
        loaded = load_program(flow, env, env_file, hooks, store)
        return (
            Environment(loaded.program, with_meetings(loaded.services, of_exchange(exchange))),
            loaded.plan,
            loaded.program.env,
        )
    try:
        return target_of(target), load_plan(flow), {}
    except TargetError as error:
        raise WrongUsage(f"--target: {error}.") from None


def _bots(given: tuple[str, ...], values: Mapping[str, str]) -> dict[str, Bot]:
    """Bots as in a calls file, by alias ARN: ``env.BOT_ALIAS=bots/reception.zip``."""
    from sma_flows.testing.play import by_value
    from sma_flows.testing.world import UnplayableError

    pairs = (pair(one, "--bot") for one in given)
    here = tuple(f"{name}={json.dumps(str(Path(path).absolute()))}" for name, path in pairs)
    try:
        return by_value(read_given(here, "bots", "--bot").bots, values, "--bot")
    except UnplayableError as error:
        raise WrongUsage(f"{error}.") from None


@contextmanager
def _reachable(url: str, region: str) -> Iterator[None]:
    """Clients of the hooks, in this process, find the simulated service too."""
    from sma_flows.testing.control import environment_of

    wanted = environment_of(url, region)
    if "AWS_PROFILE" in os.environ:
        wanted = {name: value for name, value in wanted.items() if "ACCESS_KEY" not in name}
    set_here = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(set_here)
    try:
        yield
    finally:
        for name in set_here:
            os.environ.pop(name, None)


def _arguments(plan: Plan) -> str:
    """What the first flow that places calls is to be given, as a map in Python."""
    from sma_flows.testing.lab import some_value

    for route in plan.routes:
        flow = plan.flow(route["flow"])
        if flow.get("entry") == "outbound":
            values = {name: some_value(flow["vars"][name]) for name in flow.get("inputs", ())}
            texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
            return json.dumps({route["argument"]: route["is"], **texts} if "argument" in route else texts)
    return "{}"


def _hello(url: str, exchange: Exchange, plan: Plan, *, as_json: bool) -> None:
    world, numbers = exchange.base, sorted(exchange.numbers())
    number = numbers[0]
    if as_json:
        hello = {"endpoint": url, "application": world.application, "numbers": numbers}
        click.echo(json.dumps({**hello, "region": world.region}))
        return
    told = {"url": url, "application": world.application, "number": number, "region": world.region}
    click.echo(HELLO.format(**told, arguments=_arguments(plan)))
