"""What of the flows the template does not serve: values, permissions, buckets, bots (SF6xx)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from sma_flows.deploy.policy import policy_of
from sma_flows.deploy.template import SERVICE, Template, read_template
from sma_flows.flow.diagnostics import Diagnostic, report
from sma_flows.flow.nodes import Span
from sma_flows.plan import Plan

__all__ = ["check_template"]

OURS: Final = ("SMA_FLOWS_", "POWERTOOLS_", "AWS_", "TZ", "LOG_LEVEL", "PYTHON")
"""Starts of names that are not the flows'."""

LOGS: Final = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
"""What every function needs for its records."""


def check_template(path: Path, plan: Plan, sources: Mapping[str, str], hooks_root: Path) -> tuple[Diagnostic, ...]:
    """The findings about a template that is to deploy *plan*. *sources* are the texts of its flows by file."""
    template = read_template(path)
    start = Span(str(path), 1, 1, 1, 2)
    if template.problem:
        found = report(
            "SF601",
            template.at or start,
            template.problem,
            label="here",
            help="sma-flows needs a template of SAM or CloudFormation",
        )
        return (found,)
    if template.function is None:
        words = "no function has the handler of sma-flows"
        return (
            report(
                "SF602",
                start,
                words,
                label="looked for in Resources",
                help="write `Handler: sma_flows.handler.lambda_handler`",
            ),
        )
    reader = _Reader(template, plan, sources, hooks_root)
    return tuple(
        one
        for rule in (reader.values, reader.permissions, reader.buckets, reader.bots, reader.invocation, reader.weights)
        for one in rule()
    )


class _Reader:
    """The template and the plan side by side."""

    def __init__(self, template: Template, plan: Plan, sources: Mapping[str, str], hooks_root: Path) -> None:
        self._template = template
        self._plan = plan
        self._sources = sources
        self._hooks = hooks_root
        logical, properties = template.function or ("", None)
        assert properties is not None  # noqa: S101 - looked at before
        self._logical, self._properties = logical, properties
        environment = properties.get("Environment", "Variables")
        self._place = environment.span if environment is not None else template.resources[logical].span

    def values(self) -> Iterator[Diagnostic]:
        """SF603 and SF604."""
        needed: dict[str, list[str]] = {}
        known: set[str] = set()
        for flow in self._flows():
            env = flow.get("env", {})
            known |= {*env.get("required", ()), *env.get("optional", ())}
            for name in env.get("required", ()):
                needed.setdefault(name, []).append(str(flow["name"]))
        for route in self._plan.routes:
            wanted = route.get("to") or route.get("rule") or ["lit"]
            if wanted[0] == "env":
                needed.setdefault(wanted[1], []).append("the routes")
                known.add(wanted[1])
        for flow in self._flows():
            known |= set(_env_names(flow))
        given = self._template.variables
        for name, flows in sorted(needed.items()):
            if name not in given:
                yield report(
                    "SF603",
                    self._use_of(name) or self._place,
                    f"the template does not give env.{name} to '{self._logical}'",
                    label=f"read by {', '.join(dict.fromkeys(flows))}",
                    help=f"add `{name}: ...` to its Environment, Variables",
                    related=[(self._place, "the values of the function")],
                )
        for name, item in given.items():
            if name not in known and not name.startswith(OURS) and not self._in_hooks(name):
                keys = self._properties.get("Environment", "Variables")
                yield report(
                    "SF604",
                    keys.keys.get(name, item.span) if keys is not None else item.span,
                    f"no flow reads env.{name}",
                    label="read by nobody",
                    help="remove it, or correct its name",
                )

    def permissions(self) -> Iterator[Diagnostic]:
        """SF605 and SF606."""
        policy = policy_of(self._plan, self._template.values())
        grants = self._template.grants()
        role = self._properties.get("Role")
        place = role.span if role is not None else self._template.resources[self._logical].span
        used: set[tuple[int, str]] = set()
        for statement in policy.statements:
            for action in statement.actions:
                for resource in statement.resources:
                    fits = [
                        (number, pattern)
                        for number, grant in enumerate(grants)
                        for pattern in grant.actions
                        if fnmatchcase(action, pattern) and any(_covers(each, resource) for each in grant.resources)
                    ]
                    used.update(fits)
                    if not fits:
                        why, name = statement.why(action)[0], self._template.path.name
                        yield report(
                            "SF605",
                            place,
                            f"the role of '{self._logical}' does not allow {action} on {resource}",
                            label="the role",
                            help=f"needed by {why}; `sma-flows policy FLOWS --template {name}` prints all",
                        )
        queues = self._template.failure_queues()
        for number, grant in enumerate(grants):
            if set(grant.resources) <= queues:
                continue
            spare = [each for each in grant.actions if ((number, each) not in used or "*" in each) and each not in LOGS]
            if spare:
                yield report(
                    "SF606",
                    grant.span,
                    f"no flow needs {', '.join(spare)}{f' of {grant.sid}' if grant.sid else ''}",
                    label="allowed for nobody",
                    help="remove it; what your hooks ask of AWS by themselves is granted by `Policies` of the function",
                )

    def buckets(self) -> Iterator[Diagnostic]:
        """SF607: buckets of this template that the service cannot use."""
        needs: dict[tuple[str, str], str] = {}
        for flow in self._flows():
            texts = [entry for of in flow.get("prompts", {}).values() for entries in of.values() for entry in entries]
            if any("audio" in entry for entry in texts):
                needs["PROMPTS", "s3:GetObject"] = f"{flow['name']} plays files"
            recordings = {name for name, kind in flow.get("vars", {}).items() if kind.get("t") == "recording"}
            for name, state in flow["states"].items():
                bucket = state.get("to")
                if state.get("do") in ("record", "record_call") and bucket and bucket[0] == "env":
                    for action in ("s3:PutObject", "s3:PutObjectAcl"):
                        needs[bucket[1], action] = f"{flow['name']} records in '{name}'"
                    if _plays(flow, recordings):
                        needs[bucket[1], "s3:GetObject"] = f"{flow['name']} plays what was recorded"
        for (env, action), why in sorted(needs.items()):
            item = self._template.variables.get(env)
            target = item.text() if item is not None else ""
            logical = re.fullmatch(r"\$\{(\w+)\}", target)
            if item is None or logical is None or self._template.kind(logical[1]) != "AWS::S3::Bucket":
                continue  # a bucket from elsewhere: its policy is not in sight
            found = self._template.service_may(("AWS::S3::BucketPolicy",), "Bucket", target, action)
            if not found:
                yield report(
                    "SF607",
                    item.span,
                    f"the service may not {action} in the bucket '{logical[1]}' (env.{env})",
                    label=why,
                    help=f"add an AWS::S3::BucketPolicy that allows it for {SERVICE}",
                )
            elif not any(_for_account(each) for each in found):
                yield report(
                    "SF607",
                    found[0].span,
                    f"applications of every account may {action} in the bucket '{logical[1]}'",
                    label="without the condition aws:SourceAccount",
                    help="add `Condition: {StringEquals: {aws:SourceAccount: !Ref AWS::AccountId}}`",
                )

    def bots(self) -> Iterator[Diagnostic]:
        """SF608."""
        for flow in self._flows():
            for name, state in flow["states"].items():
                alias = state.get("alias") if state.get("do") == "bot" else None
                item = self._template.variables.get(alias[1]) if alias and alias[0] == "env" else None
                if item is None:
                    continue
                targets = [value.text for value in item.texts() if value.text.startswith(("${", "arn:"))]
                kinds = ("AWS::Lex::ResourcePolicy",)
                if targets and not any(
                    self._template.service_may(kinds, "ResourceArn", each, "lex:StartConversation") for each in targets
                ):
                    yield report(
                        "SF608",
                        item.span,
                        f"the template does not let the service talk to the bot of env.{alias[1] if alias else ''}",
                        label=f"{flow['name']} starts it in '{name}'",
                        help=f"add an AWS::Lex::ResourcePolicy that allows lex:StartConversation for {SERVICE}",
                    )
                    return

    def invocation(self) -> Iterator[Diagnostic]:
        """SF609."""
        aliases = {
            logical
            for logical, properties in self._template.of_kind("AWS::Lambda::Alias")
            if (name := properties.get("FunctionName")) is not None and self._logical in name.text()
        }
        for _, properties in self._template.of_kind("AWS::Lambda::Permission"):
            who, what = properties.get("Principal"), properties.get("FunctionName")
            named = re.match(r"\$\{(\w+)", what.text()) if what is not None else None
            if who is not None and who.value == SERVICE and named and named[1] in {self._logical, *aliases}:
                return
        yield report(
            "SF609",
            self._template.resources[self._logical].span,
            f"nothing lets the service invoke '{self._logical}'",
            label="the function",
            help=f"add an AWS::Lambda::Permission with the principal {SERVICE}",
        )

    def weights(self) -> Iterator[Diagnostic]:
        """SF610."""
        preference = self._properties.get("DeploymentPreference")
        routing = [
            properties.get("RoutingConfig")
            for _, properties in self._template.of_kind("AWS::Lambda::Alias")
            if (name := properties.get("FunctionName")) is not None and self._logical in name.text()
        ]
        for item in (preference, *routing):
            if item is not None:
                yield report(
                    "SF610",
                    item.span,
                    f"one call would meet two versions of '{self._logical}'",
                    label="drawn for each event",
                    help="remove it, and roll out with `sma-flows rollout`",
                )

    def _flows(self) -> list[Mapping[str, Any]]:
        return [self._plan.revisions[revision] for revision in self._plan.in_use]

    def _use_of(self, name: str) -> Span | None:
        """The first place in the flows where env.NAME is written."""
        wanted = re.compile(rf"(?<![\w.])env\.{re.escape(name)}\b")
        for file, text in self._sources.items():
            for number, line in enumerate(text.splitlines(), start=1):
                found = wanted.search(line.partition(" #")[0])
                if found:
                    return Span(file, number, found.start() + 1, number, found.end() + 1)
        return None

    def _in_hooks(self, name: str) -> bool:
        return any(name in file.read_text("utf-8", errors="replace") for file in sorted(self._hooks.rglob("*.py")))


def _env_names(node: object) -> Iterator[str]:
    """Every name that an expression of a compiled flow reads from the environment."""
    waiting: list[object] = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list):
            if len(each) == 2 and each[0] == "env" and isinstance(each[1], str):
                yield each[1]
            waiting.extend(each)


def _covers(pattern: str, resource: str) -> bool:
    """Whether a resource pattern of a policy takes in a resource; placeholders are compared as they are written."""
    return pattern == "*" or fnmatchcase(resource.replace("*", "?"), pattern.replace("[", "[[]")) or pattern == resource


def _for_account(statement: Any) -> bool:
    """Whether a statement holds for one account only, by a condition."""
    condition = statement.get("Condition")
    operators = [item for _, item in condition.items()] if condition is not None else []
    return any(key.lower() == "aws:sourceaccount" for each in operators for key, _ in each.items())


def _plays(flow: Mapping[str, Any], recordings: set[str]) -> bool:
    """Whether a flow plays one of its recordings."""
    states: Sequence[Mapping[str, Any]] = list(flow["states"].values())
    items = [item for state in states for item in state.get("items", ())]
    items += [item for state in states for talk in state.get("pre", ()) for item in talk.get("items", ())]
    return any(item[0] == "var" and item[1] in recordings for item in items)
