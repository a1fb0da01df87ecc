"""The voice side of an account behind real boto3 clients: requests are answered before they would leave the machine.

botocore's serialiser and parser work as ever, so a wrong parameter or an answer of another shape fails. A test can
break the next requests of an operation (:meth:`Voice.broken`), and sees every operation in :attr:`Voice.log`.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
from botocore import xform_name
from botocore.awsrequest import AWSResponse

ACCOUNT = "111122223333"
Answer = tuple[int, dict[str, Any]]


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body

    def read(self, *_: Any) -> bytes:
        return self._body


class Voice:
    """Applications, rules and numbers of one account, over all regions."""

    def __init__(self) -> None:
        self.applications: dict[str, dict[str, Any]] = {}
        self.rules: dict[str, dict[str, Any]] = {}
        self.logging: dict[str, bool] = {}
        self.numbers: dict[str, dict[str, Any]] = {}
        self.versions = 0
        self.function = "first"
        self.published = ""
        self.log: list[str] = []
        self._broken: list[tuple[str, str, bool]] = []

    def client(self, service: str, region: str) -> Any:
        made = boto3.session.Session("testing", "testing", region_name=region).client(service)
        made.meta.events.register("before-send", self._answer_for(region))
        return made

    @contextmanager
    def broken(self, operation: str, *codes: str, after: bool = False) -> Iterator[None]:
        """The next requests of *operation* get these error codes; ``after``: once they have had their effect."""
        self._broken = [(operation, code, after) for code in codes]
        yield
        assert self._broken == [], "a fault did not happen"

    def _answer_for(self, region: str) -> Callable[..., AWSResponse]:
        def answer(request: Any, event_name: str, **_: Any) -> AWSResponse:
            operation = event_name.rpartition(".")[2]
            self.log.append(operation)
            fault = self._broken[0] if self._broken and self._broken[0][0] == operation else None
            if fault is not None:
                self._broken.pop(0)
            status, body = 0, {}
            if fault is None or fault[2]:
                values = json.loads(request.body) if request.body else {}
                status, body = getattr(self, f"_{xform_name(operation)}")(urlsplit(request.url), values, region)
            if fault is not None:
                status, body = 429 if "Throttl" in fault[1] else 400, {"Code": fault[1], "Message": "of +12065550110"}
            code = str(body.get("Code", "")) if status >= 400 else ""
            headers = {"x-amzn-errortype": code} if code else {}
            return AWSResponse(request.url, status, headers, _Raw(json.dumps(body).encode()))

        return answer

    # ---- applications

    def _create_sip_media_application(self, _: Any, values: dict[str, Any], region: str) -> Answer:
        assert values["AwsRegion"] == region, "an application is made in its own region"
        made = str(uuid.uuid4())
        arn = f"arn:aws:chime:{region}:{ACCOUNT}:sma/{made}"
        self.applications[made] = {"SipMediaApplicationId": made, "SipMediaApplicationArn": arn, **values}
        return 201, {"SipMediaApplication": self.applications[made]}

    def _get_sip_media_application(self, url: Any, _: Any, region: str) -> Answer:
        found = self._application(url, region)
        return (200, {"SipMediaApplication": found}) if found else GONE

    def _list_sip_media_applications(self, url: Any, _: Any, region: str) -> Answer:
        return page("SipMediaApplications", [a for a in self.applications.values() if a["AwsRegion"] == region], url)

    def _update_sip_media_application(self, url: Any, values: dict[str, Any], region: str) -> Answer:
        found = self._application(url, region)
        if found:
            found.update(values)
        return (200, {"SipMediaApplication": found}) if found else GONE

    def _delete_sip_media_application(self, url: Any, _: Any, region: str) -> Answer:
        found = self._application(url, region)
        if not found:
            return GONE
        thing = found["SipMediaApplicationId"]
        if any(each["SipMediaApplicationId"] == thing for r in self.rules.values() for each in r["TargetApplications"]):
            return 409, {"Code": "ConflictException", "Message": "a rule names it"}
        del self.applications[thing]
        return 204, {}

    def _application(self, url: Any, region: str) -> dict[str, Any] | None:
        found = self.applications.get(url.path.split("/")[2])
        return found if found and found["AwsRegion"] == region else None

    # ---- message logs

    def _put_sip_media_application_logging_configuration(self, url: Any, values: dict[str, Any], region: str) -> Answer:
        if not self._application(url, region):
            return GONE
        wanted = values["SipMediaApplicationLoggingConfiguration"]
        self.logging[url.path.split("/")[2]] = wanted["EnableSipMediaApplicationMessageLogs"]
        return 200, {"SipMediaApplicationLoggingConfiguration": wanted}

    def _get_sip_media_application_logging_configuration(self, url: Any, _: Any, region: str) -> Answer:
        if not self._application(url, region):
            return GONE
        on = self.logging.get(url.path.split("/")[2], False)
        return 200, {"SipMediaApplicationLoggingConfiguration": {"EnableSipMediaApplicationMessageLogs": on}}

    # ---- rules

    def _create_sip_rule(self, _: Any, values: dict[str, Any], region: str) -> Answer:
        if problem := self._wrong_rule(values):
            return problem
        if any(rule["TriggerValue"] == values["TriggerValue"] for rule in self.rules.values()):
            return 409, {"Code": "ConflictException", "Message": "there is a rule for this number"}
        made = str(uuid.uuid4())
        self.rules[made] = {"Disabled": False, **values, "SipRuleId": made}
        return 201, {"SipRule": self.rules[made]}

    def _wrong_rule(self, values: dict[str, Any]) -> Answer | None:
        for target in values.get("TargetApplications", ()):
            found = self.applications.get(target["SipMediaApplicationId"])
            if not found or found["AwsRegion"] != target["AwsRegion"]:
                return 400, {"Code": "BadRequestException", "Message": "no such application"}
        number = self.numbers.get(values.get("TriggerValue", ""), {})
        if values.get("TriggerType") == "ToPhoneNumber" and number.get("ProductType") != "SipMediaApplicationDialIn":
            return 400, {"Code": "BadRequestException", "Message": "no such number"}
        return None

    def _get_sip_rule(self, url: Any, _: Any, region: str) -> Answer:
        found = self.rules.get(url.path.split("/")[2])
        return (200, {"SipRule": found}) if found else GONE

    def _list_sip_rules(self, url: Any, _: Any, region: str) -> Answer:
        return page("SipRules", list(self.rules.values()), url)

    def _update_sip_rule(self, url: Any, values: dict[str, Any], region: str) -> Answer:
        found = self.rules.get(url.path.split("/")[2])
        if not found:
            return GONE
        if problem := self._wrong_rule(values):
            return problem
        found.update(values)
        return 202, {"SipRule": found}

    def _delete_sip_rule(self, url: Any, _: Any, region: str) -> Answer:
        found = self.rules.get(url.path.split("/")[2])
        if not found:
            return GONE
        if not found["Disabled"]:
            return 409, {"Code": "ConflictException", "Message": "the rule is enabled"}
        del self.rules[found["SipRuleId"]]
        return 204, {}

    # ---- numbers and versions

    def _get_phone_number(self, url: Any, _: Any, region: str) -> Answer:
        found = self.numbers.get(unquote(url.path.split("/")[2]))
        return (200, {"PhoneNumber": found}) if found else GONE

    def _update_phone_number(self, url: Any, values: dict[str, Any], region: str) -> Answer:
        found = self.numbers.get(unquote(url.path.split("/")[2]))
        if not found:
            return GONE
        found.update(values)
        return 200, {"PhoneNumber": found}

    def _publish_version(self, url: Any, _: Any, region: str) -> Answer:
        if self.published != self.function:
            self.versions, self.published = self.versions + 1, self.function
        return 201, {"Version": str(self.versions), "FunctionName": unquote(url.path.split("/")[3])}


GONE: Answer = (404, {"Code": "NotFoundException", "Message": "there is none"})


def page(key: str, items: list[dict[str, Any]], url: Any) -> Answer:
    """Two at a time, whatever was asked for: paging is always in play."""
    token = re.search(r"next-token=(\d+)", url.query)
    start = int(token[1]) if token else 0
    more = {"NextToken": str(start + 2)} if len(items) > start + 2 else {}
    return 200, {key: items[start : start + 2], **more}
