"""``sma-flows policy``: the least that the function must be allowed."""

from __future__ import annotations

from pathlib import Path

import click

from sma_flows.cli.console import WrongUsage, err, exit_with, say_json, show
from sma_flows.cli.load import load_plan
from sma_flows.cli.values import gather_values
from sma_flows.deploy.policy import Policy, Value, policy_of, web_policy
from sma_flows.deploy.template import HANDLER, WEB_HANDLER, read_template

__all__ = ["command"]

EXAMPLES = """\b
Examples:
  sma-flows policy flows/                                 who needs what
  sma-flows policy flows/ --env-file prod.env --json      a policy document
  sma-flows policy flows/ --json --account 111122223333 --region us-east-1
  sma-flows policy flows/ --template template.yaml        with the values of the template's function
  sma-flows policy flows/ --template template.yaml --format cloudformation
  sma-flows policy flows/ --web --template template.yaml  of the API of click-to-call

\b
Exit codes: 0 clean, 1 errors in the flows, 2 wrong usage.
"""


@click.command("policy", short_help="Say what the function must be allowed, and why.", epilog=EXAMPLES)
@click.argument("plan", metavar="PLAN_OR_FLOWS")
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "cloudformation"]), default="text", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--env-file", type=click.Path(path_type=Path), help="File of NAME=VALUE lines: where things are.")
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="A value for env.NAME; may be repeated.")
@click.option("--template", type=click.Path(path_type=Path), help="Take the values from the function of this template.")
@click.option("--web", is_flag=True, help="The function behind the HTTP API of click-to-call instead.")
@click.option("--account", help="Number of the account, for finished ARNs.")
@click.option("--region", help="Region of the function, for finished ARNs.")
@click.option("--partition", default="aws", show_default=True, help="For finished ARNs.")
def command(
    plan: str,
    form: str,
    as_json: bool,
    env_file: Path | None,
    env: tuple[str, ...],
    template: Path | None,
    web: bool,
    account: str | None,
    region: str | None,
    partition: str,
) -> None:
    """The IAM policy with the least permissions that PLAN_OR_FLOWS needs, each with the states and hooks that need it.

    What is not known stays a placeholder as in CloudFormation's Fn::Sub. There is no `*` for actions, and for resources
    only where IAM knows none.
    """
    form = "json" if as_json else form
    compiled = load_plan(plan)
    values: dict[str, Value] = {}
    if template is not None:
        read = read_template(template, WEB_HANDLER if web else HANDLER)
        if read.function is None:
            raise WrongUsage(f"{template} holds no function with the handler {read.handler}.")
        values.update(read.values())
    given = gather_values(env, env_file, Path(), process={}) if env or env_file else {}
    values.update({name: Value(text) for name, text in given.items()})
    made = web_policy(values) if web else policy_of(compiled, values)
    known = {"AWS::AccountId": account, "AWS::Region": region, "AWS::Partition": partition if account else None}
    filled = {name: text for name, text in known.items() if text}
    if form == "json":
        say_json(made.document(filled))
    elif form == "cloudformation":
        for line in made.yaml(0):
            show(line)
    else:
        _explain(made, filled)
    for note in made.notes:
        err().print(f"Note: {note}")
    exit_with(0)


def _explain(policy: Policy, known: dict[str, str]) -> None:
    for statement in policy.statements:
        show(f"{statement.sid}{f', if {statement.condition}' if statement.condition else ''}")
        for resource in statement.resources:
            for name, value in known.items():
                resource = resource.replace(f"${{{name}}}", value)
            show(f"  on {resource}{'  (IAM knows no resources for these)' if resource == '*' else ''}")
        for action in statement.actions:
            for number, why in enumerate(statement.why(action)):
                show(f"  {action if not number else '':36} {why}")
