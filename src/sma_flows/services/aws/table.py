"""One DynamoDB table behind the store: items by the key ``pk``, conditional writes, consistent reads.

No transactions and no secondary index: every promise of the store is one conditional write of one item, which holds
under any number of writers and needs nothing that a stand-in could lack. What the item looked like when a condition
failed comes with the refusal, or is read where it does not (DynamoDB tells, some stand-ins do not).

Items end by themselves through the attribute ``expires`` (seconds since 1970). DynamoDB deletes late, so whoever reads
compares the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sma_flows.errors import ServiceError
from sma_flows.services.aws.client import AwsError

if TYPE_CHECKING:
    from sma_flows.services.aws.client import Api

KEY: Final = "pk"
EXPIRES: Final = "expires"
REFUSED: Final = "ConditionalCheckFailedException"

Item = dict[str, Any]


class RefusedError(Exception):
    """The condition of a write does not hold. ``item`` is what is there; empty when nothing is."""

    def __init__(self, item: Item) -> None:
        super().__init__("the condition does not hold")
        self.item = item


class Table:
    """The items of one table."""

    def __init__(self, api: Api, name: str, key: str = KEY) -> None:
        self._api = api
        self._name = name
        self.key = key
        self.clock = api.clock

    def get(self, key: str, timeout_s: float) -> Item | None:
        """The item under *key*, as the last write left it."""
        answer = self._api.call(
            "get_item", timeout_s, TableName=self._name, Key={self.key: {"S": key}}, ConsistentRead=True
        )
        item = answer.get("Item")
        return read_item(item) if item else None

    def put(self, key: str, item: Mapping[str, Any], timeout_s: float, condition: str = "", **values: Any) -> None:
        """Write the whole item under *key*, if *condition* holds.

        In it ``#key`` stands for the name of the table's key, ``:name`` for ``values["name"]``.

        Raises:
            RefusedError: the condition does not hold.
        """
        attributes = {self.key: {"S": key}, **{name: written(value) for name, value in item.items()}}
        names = {"#key": self.key} if "#key" in condition else {}
        self._write("put_item", key, timeout_s, condition, names, values, Item=attributes)

    def update(
        self, key: str, change: str, timeout_s: float, condition: str = "", names: Mapping[str, str] = {}, **values: Any
    ) -> Item:
        """Change the item under *key*, if *condition* holds; gives the attributes that changed, as they are now.

        ``#name`` stands for ``names["#name"]``, ``:name`` for ``values["name"]``.

        Raises:
            RefusedError: the condition does not hold.
        """
        more = {"Key": {self.key: {"S": key}}, "UpdateExpression": change, "ReturnValues": "UPDATED_NEW"}
        return read_item(self._write("update_item", key, timeout_s, condition, names, values, **more).get("Attributes"))

    def delete(self, key: str, timeout_s: float) -> None:
        """Delete the item under *key*; none there is a success."""
        self._api.call("delete_item", timeout_s, TableName=self._name, Key={self.key: {"S": key}})

    def _write(
        self,
        operation: str,
        key: str,
        timeout_s: float,
        condition: str,
        names: Mapping[str, str],
        values: Mapping[str, Any],
        **more: Any,
    ) -> dict[str, Any]:
        until = self.clock.monotonic() + timeout_s
        if condition:
            more |= {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        if names:
            more["ExpressionAttributeNames"] = dict(names)
        if values:
            more["ExpressionAttributeValues"] = {f":{name}": written(value) for name, value in values.items()}
        try:
            return self._api.call(operation, timeout_s, TableName=self._name, **more)
        except AwsError as error:
            if error.code != REFUSED:
                raise
            found = read_item(error.item) if error.item else None
        if found is None:
            found = self.get(key, until - self.clock.monotonic())
        raise RefusedError(found or {})


def written(value: object) -> dict[str, Any]:
    """A plain value as DynamoDB's attribute.

    Raises:
        ServiceError: it is nothing that JSON could hold.
    """
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float():
            return {"N": repr(value)}
        case list() | tuple():
            return {"L": [written(each) for each in value]}
        case Mapping():
            return {"M": {str(name): written(each) for name, each in value.items()}}
        case _:
            raise ServiceError(f"a value of the type {type(value).__name__} cannot be stored")


def read_item(item: object) -> Item:
    """DynamoDB's attributes as plain values.

    Raises:
        ServiceError: an attribute of a type that we never write, or no attributes at all.
    """
    if item is None:
        return {}
    if not isinstance(item, Mapping):
        raise ServiceError("an item of the table cannot be read")
    return {name: _read(value) for name, value in item.items()}


def _read(value: object) -> Any:
    match value:
        case {"S": str() as text}:
            return text
        case {"N": str() as number}:
            return _number(number)
        case {"BOOL": bool() as holds}:
            return holds
        case {"NULL": _}:
            return None
        case {"L": list() as values}:
            return [_read(each) for each in values]
        case {"M": dict() as fields}:
            return {name: _read(each) for name, each in fields.items()}
        case {"SS": list() as texts}:  # in tables of others
            return sorted(texts)
        case {"NS": list() as numbers}:
            return sorted(_number(each) for each in numbers)
        case _:
            raise ServiceError("an attribute of the table is of a type that cannot be read")


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        raise ServiceError("a number of the table cannot be read") from None
    return int(number) if number.is_integer() else number
