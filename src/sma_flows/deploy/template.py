"""Read a SAM or CloudFormation template with the place of every value.

Only what concerns the function that answers calls is understood: its values, its permissions, the policies of buckets
and bots. Values stay symbolic, as ``Fn::Sub`` would write them: ``!Ref Store`` is ``${Store}``, ``!GetAtt Store.Arn``
is ``${Store.Arn}``. Nothing is asked of AWS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from sma_flows.deploy.policy import Value
from sma_flows.flow.nodes import Span

__all__ = ["HANDLER", "WEB_HANDLER", "Grant", "Item", "Template", "read_template"]

HANDLER: Final = "sma_flows.handler.lambda_handler"
"""Of the function that answers calls."""
WEB_HANDLER: Final = "sma_flows.web.function.lambda_handler"
"""Of the function behind the HTTP API of click-to-call."""
FUNCTIONS: Final = ("AWS::Serverless::Function", "AWS::Lambda::Function")
INVOKE_CONFIG: Final = ("AWS::Lambda::EventInvokeConfig",)
SERVICE: Final = "voiceconnector.chime.amazonaws.com"
"""Who reads buckets, talks to bots and invokes the function in the name of a SIP media application (contract 4.20)."""

_LONG: Final = {"Ref": "Ref", "Fn::Sub": "Sub", "Fn::GetAtt": "GetAtt", "Fn::If": "If", "Fn::Join": "Join"}


@dataclass(frozen=True, slots=True)
class Item:
    """One value of a template. ``tag`` is a function in its short name; ``value`` a text, or Items in a list or map."""

    value: str | list[Item] | dict[str, Item]
    span: Span
    tag: str = ""
    keys: Mapping[str, Span] = field(default_factory=dict)

    def get(self, *path: str) -> Item | None:
        """What stands below the keys *path*."""
        found: Item | None = self
        for key in path:
            if found is None or not isinstance(found.value, dict):
                return None
            found = found.value.get(key)
        return found

    def items(self) -> Iterator[tuple[str, Item]]:
        """Keys and values of a map."""
        if isinstance(self.value, dict):
            yield from self.value.items()

    def each(self) -> Iterator[tuple[Item, str]]:
        """The items of a list, or the one that stands alone; those inside ``!If`` with the name of its condition."""
        for item in self.value if isinstance(self.value, list) and not self.tag else [self]:
            if item.tag == "If" and isinstance(item.value, list) and len(item.value) == 3:
                condition = str(item.value[0].value)
                for branch in item.value[1:]:
                    if branch.tag != "Ref":
                        yield from ((found, condition) for found, _ in branch.each())
            else:
                yield item, ""

    def texts(self) -> list[Value]:
        """The value as texts of ``Fn::Sub``: more than one behind ``!If``, none if it cannot be said."""
        value = self.value
        match self.tag, value:
            case "", str():
                return [Value(value)]
            case "Ref", str():
                return [] if value == "AWS::NoValue" else [Value(f"${{{value}}}")]
            case "GetAtt", str():
                return [Value(f"${{{value}}}")]
            case "GetAtt", list():
                return [Value(f"${{{'.'.join(str(each.value) for each in value)}}}")]
            case "Sub", str():
                return [Value(value)]
            case "Sub", [Item(value=str() as text), Item(value=dict() as given)]:
                return _filled(text, given)
            case "If", [Item(value=str() as condition), one, other]:
                first = [Value(each.text, condition) for each in one.texts()]
                return first + [Value(each.text, f"not {condition}") for each in other.texts()]
            case _:
                return []

    def text(self) -> str:
        """The one text of the value; empty where there are several or none."""
        found = self.texts()
        return found[0].text if len(found) == 1 else ""


def _filled(text: str, given: Mapping[str, Item]) -> list[Value]:
    """A text of ``Fn::Sub`` with values of its own put in; every combination of theirs."""
    made = [Value(text)]
    for name, item in given.items():
        made = [
            Value(before.text.replace(f"${{{name}}}", each.text), before.condition or each.condition)
            for before in made
            for each in item.texts()
        ]
    return made


@dataclass(frozen=True, slots=True)
class Grant:
    """One statement of the function's role: action and resource patterns, and where it stands."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    span: Span
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A template, or the reason why it cannot be read (``problem``, at ``at``).

    ``handler`` is that of the function in question.
    """

    path: Path
    text: str
    root: Item | None
    problem: str = ""
    at: Span | None = None
    handler: str = HANDLER

    @property
    def resources(self) -> dict[str, Item]:
        """The resources by logical id."""
        found = self.root.get("Resources") if self.root is not None else None
        return dict(found.items()) if found is not None else {}

    def kind(self, logical: str) -> str:
        """The type of a resource; empty if there is none of this name."""
        found = self.resources.get(logical)
        kind = found.get("Type") if found is not None else None
        return str(kind.value) if kind is not None else ""

    def of_kind(self, *kinds: str) -> Iterator[tuple[str, Item]]:
        """The resources of some types, with their properties."""
        for logical, resource in self.resources.items():
            properties = resource.get("Properties")
            if self.kind(logical) in kinds and properties is not None:
                yield logical, properties

    @property
    def function(self) -> tuple[str, Item] | None:
        """Logical id and properties of the function in question."""
        for logical, properties in self.of_kind(*FUNCTIONS):
            handler = properties.get("Handler")
            if handler is not None and handler.value == self.handler:
                return logical, properties
        return None

    @property
    def variables(self) -> dict[str, Item]:
        """The environment values of the function."""
        found = self.function[1].get("Environment", "Variables") if self.function is not None else None
        return dict(found.items()) if found is not None else {}

    def values(self) -> dict[str, Value]:
        """The environment values as texts. Where ``!If`` gives two, the first, with the name of the condition.

        ``!Ref Table`` is its name, ``!Ref Queue`` a URL, as CloudFormation has it.
        """
        found = {}
        if self.function is not None:
            found["AWS_LAMBDA_FUNCTION_NAME"] = Value(f"${{AWS::StackName}}-{self.function[0]}-*")
        for name, item in self.variables.items():
            texts = item.texts()
            if texts:
                found[name] = texts[0]
        return found

    def grants(self) -> list[Grant]:
        """What the role of the function allows, and the policies that the function itself holds."""
        if self.function is None:
            return []
        properties = self.function[1]
        documents = []
        role = properties.get("Role")
        role_name = re.match(r"\$\{(\w+)", role.text()) if role is not None else None
        if role_name:
            policies = self.resources.get(role_name[1], properties).get("Properties", "Policies")
            documents = [each.get("PolicyDocument") for each, _ in (policies.each() if policies is not None else ())]
        own = properties.get("Policies")
        documents += [each for each, _ in (own.each() if own is not None else ())]
        return [
            grant
            for document in documents
            if document is not None and (statements := document.get("Statement")) is not None
            for grant in self._statements(statements)
        ]

    def failure_queues(self) -> set[str]:
        """Where Lambda itself puts, in the name of the function, what failed."""
        items = [each.get("DestinationConfig", "OnFailure", "Destination") for _, each in self.of_kind(*INVOKE_CONFIG)]
        if self.function is not None:
            items.append(self.function[1].get("DeadLetterQueue", "TargetArn"))
            items.append(self.function[1].get("DeadLetterConfig", "TargetArn"))
        return {self.plain(item.text()) for item in items if item is not None}

    def _statements(self, statements: Item) -> Iterator[Grant]:
        for item, condition in statements.each():
            effect, action, resource, sid = (item.get(key) for key in ("Effect", "Action", "Resource", "Sid"))
            if effect is None or effect.value != "Allow" or action is None or resource is None:
                continue
            actions = tuple(str(each.value) for each, _ in action.each())
            resources = tuple(self.plain(text.text) for each, _ in resource.each() for text in each.texts())
            yield Grant(str(sid.value) if sid is not None else "", actions, resources, item.span, condition)

    def plain(self, text: str) -> str:
        """An ARN in one of the ways to write it: ``${Table.Arn}`` is put together from its parts."""
        found = re.fullmatch(r"\$\{(\w+)\.Arn\}", text)
        here = "arn:${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:%s"
        match self.kind(found[1]) if found else "":
            case "AWS::DynamoDB::Table":
                return here % ("dynamodb", f"table/${{{found[1] if found else ''}}}")
            case _:
                return text

    def service_may(self, kinds: tuple[str, ...], names: str, target: str, action: str) -> list[Item]:
        """Statements of resource policies that let the voice service do *action* on what *names* calls *target*."""
        found = []
        for _, properties in self.of_kind(*kinds):
            named = properties.get(names)
            document = properties.get("PolicyDocument") or properties.get("Policy")
            statements = document.get("Statement") if document is not None else None
            if named is None or statements is None or named.text() != target:
                continue
            for item, _ in statements.each():
                who, what = item.get("Principal", "Service"), item.get("Action")
                services = {str(each.value) for each, _ in who.each()} if who is not None else set()
                actions = {str(each.value) for each, _ in what.each()} if what is not None else set()
                if SERVICE in services and action in actions:
                    found.append(item)
        return found


def read_template(path: Path, handler: str = HANDLER) -> Template:
    """Read a template, for its function with *handler*. Never raises: what is wrong is in the result."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return Template(path, "", None, f"it cannot be read ({type(error).__name__})", _at(path, 1, 1))
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = _at(path, mark.line + 1, mark.column + 1) if mark is not None else _at(path, 1, 1)
        return Template(path, text, None, f"it is no YAML: {error.problem}", place)
    root = _item(node, path) if node is not None else None
    if root is None or root.get("Resources") is None:
        return Template(
            path, text, root, "it has no Resources: it is no template of CloudFormation or SAM", _at(path, 1, 1)
        )
    return Template(path, text, root, handler=handler)


def _at(path: Path, line: int, col: int) -> Span:
    return Span(str(path), line, col, line, col + 1)


def _item(node: Any, path: Path) -> Item:
    start, end = node.start_mark, node.end_mark
    last = end if end.line == start.line else start
    span = Span(str(path), start.line + 1, start.column + 1, last.line + 1, max(last.column, start.column + 1) + 1)
    tag = node.tag[1:] if node.tag.startswith("!") and not node.tag.startswith("!!") else ""
    if isinstance(node, yaml.ScalarNode):
        return Item(str(node.value), span, tag)
    if isinstance(node, yaml.SequenceNode):
        return Item([_item(each, path) for each in node.value], span, tag)
    pairs = {str(key.value): (key, value) for key, value in node.value}
    if len(pairs) == 1 and (name := next(iter(pairs))) in _LONG:  # {"Fn::Sub": ...}
        inner = _item(pairs[name][1], path)
        return Item(inner.value, span, _LONG[name], inner.keys)
    keys = {name: _item(key, path).span for name, (key, _) in pairs.items()}
    return Item({name: _item(value, path) for name, (_, value) in pairs.items()}, span, tag, keys)
