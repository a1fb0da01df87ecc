"""The voice side of an account: the localhost control plane behind real boto3 clients, empty at the beginning.

A test can break the next requests of an operation (:meth:`Voice.broken`), also after they have had their effect, and
sees every operation in :attr:`Voice.log`. Lambda's PublishVersion, which the plane does not have, is answered here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.httpsession import URLLib3Session

from sma_flows.simulator.account import Account
from sma_flows.testing.control import UNLIMITED, local_service

ACCOUNT = "111122223333"
NUMBERS = tuple(f"+1206555011{last}" for last in range(10))


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body

    def read(self, *_: Any) -> bytes:
        return self._body


class Voice:
    """Applications, rules and numbers of one account, over all regions. Use it as a context manager."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.function, self.published, self.versions = "first", "", 0
        self._broken: list[tuple[str, str, bool]] = []
        self._clients: dict[tuple[str, str], Any] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Voice:
        service = self._stack.enter_context(local_service(quotas=UNLIMITED, rates={"*": 0}))
        self._plane, self._url = service.plane, service.url
        self._plane.account = Account(account=ACCOUNT, numbers=NUMBERS)
        self._straight = URLLib3Session()
        self._stack.callback(self._straight.close)
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()
        self._stack.close()

    def client(self, service: str, region: str) -> Any:
        """As the custom resource makes it."""
        if (service, region) not in self._clients:
            session = boto3.session.Session("testing", "testing", region_name=region)
            config = Config(retries={"total_max_attempts": 1, "mode": "standard"})
            made = session.client(service, endpoint_url=self._url, config=config)
            made.meta.events.register("before-send", self._before)
            self._clients[service, region] = made
        return self._clients[service, region]

    @contextmanager
    def broken(self, operation: str, *codes: str, after: bool = False) -> Iterator[None]:
        """The next requests of *operation* get these error codes; ``after``: once they have had their effect."""
        self._broken = [(operation, code, after) for code in codes]
        yield
        assert self._broken == [], "a fault did not happen"

    def _before(self, request: Any, event_name: str, **_: Any) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        self.log.append(operation)
        if self._broken and self._broken[0][0] == operation:
            _, code, after = self._broken.pop(0)
            if after:
                self._straight.send(request)
            return _reply(request.url, 400, {"Code": code, "Message": "of +12065550110"}, code)
        if operation == "PublishVersion":
            if self.published != self.function:
                self.versions, self.published = self.versions + 1, self.function
            return _reply(request.url, 201, {"Version": str(self.versions)})
        return None

    # ---- what there is, as the API tells it, and what others do to it

    @property
    def applications(self) -> dict[str, dict[str, Any]]:
        return self._all("list_sip_media_applications", "SipMediaApplications", "SipMediaApplicationId")

    @property
    def rules(self) -> dict[str, dict[str, Any]]:
        return self._all("list_sip_rules", "SipRules", "SipRuleId")

    @property
    def numbers(self) -> dict[str, dict[str, Any]]:
        found = self._ask("list_phone_numbers", MaxResults=99)["PhoneNumbers"]
        return {each["E164PhoneNumber"]: each for each in found}

    @property
    def logging(self) -> dict[str, bool]:
        """Applications that write their message log."""
        return {one.id: one.logs for one in self._plane.account.applications()}

    def set_product(self, number: str, product: str) -> None:
        """Somebody uses a number otherwise."""
        self._ask("update_phone_number", PhoneNumberId=number, ProductType=product)

    def lose_rules(self) -> None:
        """Somebody deletes all rules by hand."""
        for rule in self.rules.values():
            self._ask("update_sip_rule", SipRuleId=rule["SipRuleId"], Name=rule["Name"], Disabled=True)
            self._ask("delete_sip_rule", SipRuleId=rule["SipRuleId"])

    def lose_applications(self) -> None:
        """Somebody deletes all applications by hand."""
        for application in self.applications:
            self._ask("delete_sip_media_application", SipMediaApplicationId=application)

    def _all(self, operation: str, key: str, ident: str) -> dict[str, dict[str, Any]]:
        pages = self._quietly(lambda: self._voice().get_paginator(operation).paginate().build_full_result()[key])
        without = {"CreatedTimestamp", "UpdatedTimestamp"}
        return {each[ident]: {k: v for k, v in each.items() if k not in without} for each in pages}

    def _ask(self, operation: str, **values: Any) -> Any:
        return self._quietly(lambda: getattr(self._voice(), operation)(**values))

    def _voice(self) -> Any:
        return self.client("chime-sdk-voice", "us-east-1")

    def _quietly(self, ask: Callable[[], Any]) -> Any:
        """Ask without a trace in the log, and past all faults."""
        log, broken = list(self.log), self._broken
        self._broken = []
        try:
            return ask()
        finally:
            self.log[:], self._broken = log, broken


def _reply(url: str, status: int, body: Mapping[str, Any], code: str = "") -> AWSResponse:
    headers = {"x-amzn-errortype": code} if code else {}
    return AWSResponse(url, status, headers, _Raw(json.dumps(body).encode()))
