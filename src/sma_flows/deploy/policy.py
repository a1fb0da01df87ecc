"""The least that a plan must be allowed, each permission with whoever needs it.

Values of the environment are texts in the language of CloudFormation's ``Fn::Sub``: ``dynamodb:${Store}`` is as good as
``dynamodb:line-store``. So the same derivation writes a finished policy for known values and the statements of a
template, where the table has no name yet.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sma_flows.deploy import permissions as p
from sma_flows.hooks.builtin import BUILTINS
from sma_flows.plan import FlowPlan, Plan
from sma_flows.services.needs import cleans_up

__all__ = ["Policy", "Reason", "Statement", "Value", "policy_of", "web_policy"]

ARN: Final = "arn:${AWS::Partition}"
HERE: Final = "${AWS::Region}:${AWS::AccountId}"

SELF: Final = "AWS_LAMBDA_FUNCTION_NAME"

WEB: Final = "SMA_FLOWS_WEB_"
WEB_USES: Final = (
    ("directory.claim", "POST /calls notes the call down, before anything else"),
    ("directory.put", "what the call is steered by, and that the page has ended it"),
    ("directory.find", "every request about a call looks whose it is"),
    ("directory.remove", "a call that was not placed is forgotten"),
    ("limits", "calls per user, per number and per tenant"),
    ("meetings.open", "POST /calls opens a meeting"),
    ("meetings.show", "POST /calls tells the browser where it is"),
    ("meetings.attend", "POST /calls makes the browser's seat"),
    ("meetings.close", "DELETE /calls ends the meeting, and so does a call that was not placed"),
    ("calls.dial", "POST /calls places the call"),
    ("calls.update", "keys, and the end, are told to the call"),
)
"""What the function behind click-to-call does, and for which request."""

TITLES: Final[Mapping[str, str]] = {
    p.STORE: "Store",
    p.TABLE: "Table",
    p.MEETING: "Meetings",
    p.APPLICATION: "Calls",
    p.CALLS: "AllCalls",
    p.SELF: "Itself",
    p.CHANNEL: "Channel",
    p.QUEUE: "Queue",
    p.PIPELINE: "Pipelines",
    p.BUCKET: "Bucket",
    p.ANY: "WithoutResources",
}


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the environment as a template has it: ``condition`` says when, empty: always."""

    text: str
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Who needs an action."""

    action: str
    flow: str
    text: str

    def __str__(self) -> str:
        return f"{self.flow}: {self.text}"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. ``condition`` names a condition of the template under which it is there."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    reasons: tuple[Reason, ...]
    condition: str = ""

    def why(self, action: str) -> list[str]:
        """Who needs *action*, each once."""
        return list(dict.fromkeys(str(reason) for reason in self.reasons if reason.action == action))

    def to_json(self) -> dict[str, Any]:
        """The statement of a policy document."""
        one = self.resources[0] if len(self.resources) == 1 else list(self.resources)
        return {"Sid": self.sid, "Effect": "Allow", "Action": list(self.actions), "Resource": one}


@dataclass(frozen=True, slots=True)
class Policy:
    """All statements, and what cannot be known from the plan."""

    statements: tuple[Statement, ...]
    notes: tuple[str, ...] = ()

    def document(self, known: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The policy document, *known* placeholders filled in (``AWS::Region`` ...)."""
        text = json.dumps({"Version": "2012-10-17", "Statement": [each.to_json() for each in self.statements]})
        for name, value in (known or {}).items():
            text = text.replace(f"${{{name}}}", value)
        document: dict[str, Any] = json.loads(text)
        return document

    def yaml(self, indent: int) -> list[str]:
        """The statements as lines of a CloudFormation template, who needs what as comments."""
        return [line for statement in self.statements for line in _yaml(statement, " " * indent)]


@dataclass(slots=True)
class _Draft:
    """Statements while they are collected: by kind of resource, resources and condition."""

    env: Mapping[str, Value]
    found: dict[tuple[str, tuple[str, ...], str], list[Reason]] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def add(self, grants: tuple[p.Grant, ...], flow: str, text: str, settings: Mapping[str, Any] | None = None) -> None:
        """Collect *grants* for one use; *settings* are those of the built-in."""
        for action, kind in grants:
            for granted, place, resources, condition in self._resources(action, kind, settings or {}):
                self.found.setdefault((place, resources, condition), []).append(Reason(granted, flow, text))

    def _resources(
        self, action: str, kind: str, settings: Mapping[str, Any]
    ) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
        """Action, kind, resources and condition; an action or a table can turn out to be another one."""
        match kind:
            case p.ANY:
                yield action, kind, ("*",), ""
            case p.MEETING:  # its region is the one of the media, or none at all
                yield action, kind, (f"{ARN}:chime:*:${{AWS::AccountId}}:meeting/*",), ""
            case p.PIPELINE:
                yield action, kind, (f"{ARN}:chime:*:${{AWS::AccountId}}:media-pipeline/*",), ""
            case p.CALLS:
                yield action, kind, (f"{ARN}:chime:{HERE}:sma/*",), ""
            case p.SELF:
                function = self.env.get(SELF, Value(f"${{{SELF}}}")).text
                # with a qualifier: the function invokes its own version
                yield action, kind, (f"{ARN}:lambda:{HERE}:function:{function}:*",), ""
            case p.STORE:
                yield from self._store(action)
            case p.TABLE:
                value = self._setting(settings, "table")
                if not value.text.startswith("dynamodb:"):
                    yield from self._store(action)
                    return
                table = value.text.removeprefix("dynamodb:").partition("/")[0]
                yield action, kind, (_table(table),), value.condition
            case p.APPLICATION:
                value = self._setting(settings, "application")
                yield action, kind, (f"{ARN}:chime:{HERE}:sma/{value.text}",), value.condition
            case p.CHANNEL:
                channel, bearer = self._setting(settings, "channel"), self._setting(settings, "bearer")
                both = tuple(each.text for each in (channel, bearer) if each.text)
                yield action, kind, both, channel.condition or bearer.condition
            case p.BUCKET:
                value = self._setting(settings, "sink")
                bucket = value.text.removeprefix("arn:aws:s3:::").partition("/")[0]
                yield action, kind, (f"{ARN}:s3:::{bucket}",), value.condition
            case _:
                value = self._setting(settings, "queue")
                resource = _queue(value.text)
                bus = ":event-bus/" in resource
                yield "events:PutEvents" if bus else action, "Bus" if bus else kind, (resource,), value.condition

    def _store(self, action: str) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
        value = self.env.get("SMA_FLOWS_STORE", Value("dynamodb:${SMA_FLOWS_STORE}"))
        if value.text.startswith("dynamodb:"):
            yield action, p.STORE, (_table(value.text.removeprefix("dynamodb:")),), value.condition
        else:
            self.notes["SMA_FLOWS_STORE is a file: the store needs no permission"] = None

    def _setting(self, settings: Mapping[str, Any], name: str) -> Value:
        value = self.value(settings.get(name))
        if not value.text:
            self.notes[f"the setting '{name}' of a built-in hook is empty: what it needs is not complete"] = None
        return value

    def value(self, setting: object) -> Value:
        """A setting as the plan writes it: a constant, a value of the environment, or a text of these."""
        match setting:
            case ["lit", constant]:
                return Value(str(constant))
            case ["env", str() as name]:
                if name not in self.env:
                    self.notes[f"env.{name} is not known: give it with --env {name}=..., or a template"] = None
                return self.env.get(name, Value(f"${{{name}}}"))
            case ["text", list() as parts]:
                values = [Value(part) if isinstance(part, str) else self.value(part) for part in parts]
                return Value(
                    "".join(each.text for each in values), next((v.condition for v in values if v.condition), "")
                )
            case str():
                return Value(setting)
            case _:
                return Value("")

    def serves(self, service: str) -> bool:
        """Whether AWS does this, as far as the environment says."""
        own = self.env.get(f"SMA_FLOWS_{service.upper()}") or self.env.get("SMA_FLOWS_SERVICES")
        return own is None or own.text != "local"


def policy_of(plan: Plan, env: Mapping[str, Value]) -> Policy:
    """The policy that *plan* needs with the values *env*, all its revisions included: each may have calls."""
    draft = _Draft(env)
    for flow in plan.revisions.values():
        _flow(draft, flow)
    traced = env.get("SMA_FLOWS_TRACE") or env.get("POWERTOOLS_TRACE_ENABLED")
    if traced is not None and traced.text.lower() in ("1", "true", "yes"):
        draft.add(p.TRACES, "all flows", "traces are switched on")
    return _policy(draft)


def web_policy(env: Mapping[str, Value]) -> Policy:
    """The policy of the function behind the HTTP API of click-to-call, with the values *env*."""
    draft = _Draft(env)
    settings = {"table": ["env", "WEB_CALLS"], "application": ["env", f"{WEB}APPLICATION"]}
    for used, text in WEB_USES:
        draft.add(p.LIMITS if used == "limits" else p.NEEDED[used], "web", text, settings)
    return _policy(draft)


def _policy(draft: _Draft) -> Policy:
    statements: list[Statement] = []
    order = list(TITLES)
    keys = sorted(draft.found, key=lambda key: (order.index(key[0]) if key[0] in order else len(order), key))
    for kind, resources, condition in keys:
        reasons = draft.found[kind, resources, condition]
        actions = tuple(sorted({reason.action for reason in reasons}))
        title = TITLES.get(kind, kind)
        taken = len([each for each in statements if each.sid.rstrip("0123456789") == title])
        sid = f"{title}{taken + 1}" if taken else title
        statements.append(Statement(sid, actions, resources, tuple(reasons), condition))
    return Policy(tuple(statements), tuple(draft.notes))


def _flow(draft: _Draft, flow: FlowPlan) -> None:
    name = str(flow.get("name", ""))
    for hook_name, hook in flow.get("hooks", {}).items():
        if hook.get("effect", "once") == "once":
            draft.add(p.MEMO, name, f"'{hook_name}' runs at most once")
        if hook.get("undo"):
            draft.add(p.ENDED, name, f"'{hook_name}' is undone")
        if hook.get("builtin"):
            _builtin(draft, name, hook["builtin"], hook.get("with", {}), f"'{hook_name}' ({hook['builtin']})")
        for used, settings in hook.get("uses", {}).items():
            _builtin(draft, name, used, settings, f"'{hook_name}' uses {used}")
            if used in BUILTINS and BUILTINS[used].effect == "once":
                draft.add(p.MEMO, name, f"'{hook_name}' uses {used}, at most once")
        if "python" in hook:
            draft.notes[
                f"{name}: '{hook_name}' is code of yours; what it asks of AWS besides `uses:` is not in here"
            ] = None
    journal = draft.env.get("SMA_FLOWS_JOURNAL")
    if flow.get("overlap") and (journal is None or journal.text != "off"):
        draft.add(p.JOURNAL, name, f"answers can overlap at {', '.join(repr(each) for each in flow['overlap'])}")
    if cleans_up(flow) and draft.serves("jobs"):
        draft.add(p.LATER, name, "clean-up that failed is tried again")
    for state_name, state in flow["states"].items():
        if any(limit.get("per") != "call" for limit in state.get("limits", ())):
            draft.add(p.LIMITS, name, f"limits of '{state_name}' over several calls")
        if state.get("do") == "join_meeting" and "token" not in state and draft.serves("meetings"):
            draft.add(p.NEEDED["meetings.attend"], name, f"an attendee is made in '{state_name}'")
            draft.add(p.NEEDED["meetings.leave"], name, f"the attendee of '{state_name}' is deleted")
        if state.get("do") == "hold":
            draft.add(p.JOBS, name, f"'{state_name}' lets its hook work outside the call")
        if state.get("do") == "mute" and state.get("who", "self") != "self" and draft.serves("meetings"):
            draft.add(p.NEEDED["meetings.roster"], name, f"'{state_name}' mutes others")


def _builtin(draft: _Draft, flow: str, builtin: str, settings: Mapping[str, Any], text: str) -> None:
    service = builtin.partition(".")[0]
    if service != "directory" and not draft.serves(service):
        return
    draft.add(p.NEEDED.get(builtin, ()), flow, text, settings)
    if builtin == "queue.put" and not _is_fifo(draft, settings):
        draft.add(p.MEMO, flow, f"{text} to a queue that knows no tokens")


def _is_fifo(draft: _Draft, settings: Mapping[str, Any]) -> bool:
    return draft.value(settings.get("queue")).text.endswith(".fifo")


def _table(name: str) -> str:
    return f"{ARN}:dynamodb:{HERE}:table/{name}"


def _queue(text: str) -> str:
    """The ARN of a queue or bus that is named by its URL or ARN; a bare reference means the URL of a queue."""
    found = re.fullmatch(r"https://sqs\.([^.]+)\.[^/]+/([^/]+)/([^/]+)", text)
    if found:
        return f"{ARN}:sqs:{found[1]}:{found[2]}:{found[3]}"
    reference = re.fullmatch(r"\$\{(\w+)\}", text)
    return f"${{{reference[1]}.Arn}}" if reference else text


def _yaml(statement: Statement, indent: str) -> Iterator[str]:
    lines = [f"- Sid: {statement.sid}", "  Effect: Allow", "  Action:"]
    for action in statement.actions:
        why = statement.why(action)
        more = f"; {len(why) - 1} more" if len(why) > 1 else ""
        lines.append(f"    - {action}  # {why[0]}{more}")
    resources = [_scalar(each) for each in statement.resources]
    if len(resources) == 1:
        lines.append(f"  Resource: {resources[0]}")
    else:
        lines += ["  Resource:", *(f"    - {each}" for each in resources)]
    if statement.condition:
        yield f"{indent}- !If"
        yield f"{indent}  - {statement.condition}"
        yield from (f"{indent}  {line}" for line in lines)
        yield f"{indent}  - !Ref AWS::NoValue"
    else:
        yield from (indent + line for line in lines)


def _scalar(text: str) -> str:
    """A resource as a template writes it."""
    reference = re.fullmatch(r"\$\{([\w:.]+)\}", text)
    if reference:
        return f"!GetAtt {reference[1]}" if "." in reference[1] else f"!Ref {reference[1]}"
    return f"!Sub {text}" if "${" in text else json.dumps(text)
