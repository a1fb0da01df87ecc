from __future__ import annotations

import ast
import inspect

import pytest

from sma_flows.protocol import limits
from sma_flows.protocol.check import schema

TREE = ast.parse(inspect.getsource(limits))
NAMES = [node.target.id for node in TREE.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]


@pytest.mark.parametrize("name", NAMES)
def test_every_number_says_where_it_comes_from(name: str) -> None:
    places = [n for n, node in enumerate(TREE.body) if isinstance(node, ast.AnnAssign) and _name(node) == name]
    text = TREE.body[places[0] + 1]
    assert isinstance(text, ast.Expr)
    assert isinstance(text.value, ast.Constant)
    words = str(text.value.value)
    assert any(source in words for source in ("Guide", "Quotas", "Model", "workshop", "S3 user guide", "our choice"))


def _name(node: ast.AnnAssign) -> str:
    return node.target.id if isinstance(node.target, ast.Name) else ""


def test_numbers_are_whole_and_not_negative() -> None:
    assert NAMES
    assert all(type(getattr(limits, name)) is int and getattr(limits, name) >= 0 for name in NAMES)


def test_what_we_send_is_within_what_the_service_takes() -> None:
    assert limits.EMIT_ATTRIBUTES <= limits.MAX_ATTRIBUTES
    assert limits.EMIT_ATTRIBUTES_BYTES < limits.MAX_ATTRIBUTES_BYTES
    assert limits.INVOCATION_BUDGET_WARNING_MS < limits.INVOCATION_BUDGET_MS < limits.INVOCATION_RETRY_S * 1000


def test_the_schema_has_the_same_numbers() -> None:
    parts = schema("actions")["$defs"]
    assert schema("actions")["properties"]["Actions"]["maxItems"] == limits.MAX_ACTIONS
    assert schema("actions")["properties"]["TransactionAttributes"]["maxProperties"] == limits.MAX_ATTRIBUTES
    assert parts["Text"]["maxLength"] == limits.MAX_TEXT
    pause = parts["PauseParameters"]["properties"]["DurationInMilliseconds"]["anyOf"][0]
    assert (pause["minimum"], pause["maximum"]) == (limits.MIN_PAUSE_MS, limits.MAX_PAUSE_MS)
    ring = parts["CallAndBridgeParameters"]["properties"]["CallTimeoutSeconds"]["anyOf"][0]
    assert (ring["minimum"], ring["maximum"]) == (limits.MIN_RING_S, limits.MAX_RING_S)
