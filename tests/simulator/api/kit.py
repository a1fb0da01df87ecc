"""A control plane behind HTTP for one test, and real boto3 clients whose answers are checked against their models."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from simulator.api.test_model import ours
from simulator.kit import Function
from sma_flows.simulator.api.shapes import Many, Pairs, Record, Shape, problems
from sma_flows.simulator.exchange import Quotas
from sma_flows.testing.control import LocalService, local_service

APP, OURS, THEIRS = "abcdefab-aaaa-bbbb-cccc-abcdefabcdef", "+14255550100", "+12065550123"
MANY = Quotas(creates_per_s=1_000, updates_per_s=1_000, active_calls=1_000)
SESSION = boto3.session.Session("testing", "testing", region_name="us-east-1")
DEADLINE_S = 20.0


class Served:
    """A service on localhost, and clients for it."""

    def __init__(self, service: LocalService) -> None:
        self.url, self.plane, self.exchange = service.url, service.plane, service.exchange

    def client(self, service: str, read_s: float = 10.0, **config: Any) -> Any:
        settings = {"connect_timeout": 5, "read_timeout": read_s, "retries": {"total_max_attempts": 1}, **config}
        made = SESSION.client(service, endpoint_url=self.url, config=Config(**settings))
        made.meta.events.register("before-parse", _fits_the_model)
        return made

    def admin(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/_sma{path}", method=method, data=json.dumps(body).encode() if body is not None else None
        )
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as reply:
                return json.loads(reply.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


def _fits_the_model(operation_model: Any, response_dict: Mapping[str, Any], **_: Any) -> None:
    """What was answered has only members that the model knows, of the type that the model says."""
    if response_dict["status_code"] >= 300 or operation_model.output_shape is None or not response_dict["body"]:
        return
    if response_dict["headers"].get("content-type") == "application/json":
        _only_known(ours(operation_model.output_shape), json.loads(response_dict["body"]), operation_model.name)


def _only_known(shape: Shape, value: Any, where: str) -> None:
    match shape:
        case Record():
            assert isinstance(value, dict), where
            assert set(value) <= set(shape.members), where
            for name, each in value.items():
                _only_known(shape.members[name].shape, each, f"{where}.{name}")
        case Many():
            for each in value:
                _only_known(shape.item, each, f"{where}[]")
        case Pairs():
            assert isinstance(value, dict), where
        case _:
            assert list(problems(shape, value, where)) == []


@contextmanager
def served(answer: Any = None, *, quotas: Quotas = MANY, rates: Mapping[str, int] | None = None) -> Iterator[Served]:
    """A service whose one application is answered by *answer*; its clock stands still."""
    function = answer if callable(answer) else Function(answer or {})
    with local_service(function, quotas=quotas, rates={"*": 0} if rates is None else rates) as service:
        yield Served(service)


@contextmanager
def fails(error: str, status: int | None = None) -> Iterator[Callable[[], str]]:
    """The block ends in this error of the service."""
    seen: list[str] = []
    with pytest.raises(ClientError) as caught:
        yield lambda: seen[0]
    seen.append(caught.value.response["Error"]["Message"])
    assert caught.value.response["Error"]["Code"] == error
    assert type(caught.value).__name__ == error
    assert status in (None, caught.value.response["ResponseMetadata"]["HTTPStatusCode"])
