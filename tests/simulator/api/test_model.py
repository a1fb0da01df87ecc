"""Our tables of operations say what the service models of the SDK say."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from sma_flows.simulator.api.operation import STATUS, Operation
from sma_flows.simulator.api.plane import HANDLERS, OPERATIONS
from sma_flows.simulator.api.shapes import Choice, Flag, Many, Member, Pairs, Record, Shape, Text, Time, Whole

SESSION = botocore.session.get_session()
PLACES = {None: "body", "uri": "uri", "querystring": "query", "header": "header"}


def model(of: Operation) -> Any:
    return SESSION.get_service_model(of.service).operation_model(of.name)


def ours(shape: Any) -> Shape:
    """A shape of the SDK in our words."""
    about = shape.metadata
    least, most = about.get("min"), about.get("max")
    match shape.type_name:
        case "string":
            return Choice(tuple(about["enum"])) if about.get("enum") else Text(least, most, about.get("pattern", ""))
        case "integer":
            return Whole(least, most)
        case "boolean":
            return Flag()
        case "timestamp":
            return Time(shape.serialization.get("timestampFormat", ""))
        case "list":
            return Many(ours(shape.member), least, most)
        case "map":
            return Pairs(ours(shape.key), ours(shape.value), least, most)
    assert shape.type_name == "structure"
    return Record(
        {
            name: Member(
                ours(member),
                name in shape.required_members,
                PLACES[member.serialization.get("location")],  # type: ignore[arg-type]
                member.serialization["name"] if "location" in member.serialization else "",
            )
            for name, member in shape.members.items()
        }
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_method_path_and_status_are_those_of_the_model(operation: Operation) -> None:
    http = model(operation).http
    told = (http["method"], http["requestUri"], http.get("responseCode", 200))
    assert (operation.method, operation.path, operation.status) == told


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_members_and_their_constraints_are_those_of_the_model(operation: Operation) -> None:
    assert operation.takes == ours(model(operation).input_shape)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_errors_and_their_status_are_those_of_the_model(operation: Operation) -> None:
    told = {shape.name: shape.metadata["error"]["httpStatusCode"] for shape in model(operation).error_shapes}
    assert {name: STATUS[name] for name in operation.errors} == told


def test_no_two_operations_are_called_the_same_way() -> None:
    assert len({(one.method, one.path) for one in OPERATIONS}) == len(OPERATIONS)
    assert len({one.name for one in OPERATIONS}) == len(OPERATIONS)


def test_every_operation_is_done_by_something() -> None:
    assert {one.name for one in OPERATIONS} == set(HANDLERS)
