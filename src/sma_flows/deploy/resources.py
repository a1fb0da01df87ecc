"""The custom resources of ``template.yaml``: what CloudFormation has no types for.

====================================  ==================================================================================
``Custom::SipRule``                   which number rings at which application; by priority, a second region included
``Custom::SipMediaApplication``       the application, where CloudFormation's own type does not exist
``Custom::SipMediaApplicationLogging``  its message log, on or off
``Custom::PhoneNumber``               a number of the inventory is made one for SIP media applications; never released
``Custom::FunctionVersion``           a published version of code *and* values, for the alias
====================================  ==================================================================================

CloudFormation may deliver a request twice, gives up waiting, rolls back, and deletes what was never made. So

* what is made carries the mark of its stack and logical id in its name, and is found by it again: a repeated *Create*
  makes nothing twice, and a *Delete* of something whose creation was never reported finds it;
* its id is the ``PhysicalResourceId``; an *Update* works in place where the service can, and otherwise makes the new
  one first and lets CloudFormation delete the old;
* an *Update* that fails puts back what was there before it reports the failure;
* what is gone is deleted.

Every request is answered, whatever happens: a stack that hears nothing waits for its time-out.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

__all__ = ["KINDS", "Api", "Made", "RequestError", "answer", "handler"]

PENDING: Final = "sma-flows-pending-"
"""Start of the physical id of what was never made."""

MARK: Final = 8
"""Hexadecimal digits of the mark in a name."""

AGAIN: Final = frozenset(
    {
        "ThrottledClientException",
        "ThrottlingException",
        "TooManyRequestsException",
        "ServiceUnavailableException",
        "ServiceFailureException",
        "ServiceException",
        "ResourceConflictException",  # Lambda, while an update is on its way
    }
)
"""Answers after which the same request may succeed (contract 10)."""

GONE: Final = "NotFoundException"
RESERVE_S: Final = 8.0
"""Seconds that are kept for putting things back and for the answer."""

WAITS_S: Final = (1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0)
"""Pauses between attempts. A new number or application is not known to all of the service at once."""

_SERVICE_ID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DIGITS: Final = re.compile(r"\+?\d{7,15}")


class RequestError(Exception):
    """The request cannot be carried out. The text is shown among the events of the stack."""


@dataclass(slots=True)
class Api:
    """The AWS operations that are used, with patience. ``client`` makes a client for a service and a region."""

    client: Callable[[str, str], Any]
    region: str
    left_s: Callable[[], float]
    sleep: Callable[[float], None] = time.sleep

    def call(
        self, service: str, operation: str, *, region: str = "", again: frozenset[str] = AGAIN, **values: Any
    ) -> Any:
        """One operation, tried again after codes of *again* while there is time.

        Raises:
            ClientError: the service refused it.
            BotoCoreError: it could not be reached, or the values do not fit its model.
        """
        client = self.client(service, region or self.region)
        for pause in (*WAITS_S, None):
            try:
                return getattr(client, operation)(**values)
            except ClientError as error:
                if pause is None or code_of(error) not in again or self.left_s() < pause + RESERVE_S:
                    raise
                self.sleep(pause)
        raise AssertionError  # the last round raises

    def voice(self, operation: str, **values: Any) -> Any:
        """An operation of chime-sdk-voice."""
        return self.call("chime-sdk-voice", operation, **values)

    def found(self, operation: str, **values: Any) -> Any | None:
        """The answer of an operation; None if there is no such thing."""
        try:
            return self.voice(operation, **values)
        except ClientError as error:
            if code_of(error) == GONE:
                return None
            raise


def code_of(error: ClientError) -> str:
    """The error code of an answer."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))


@dataclass(frozen=True, slots=True)
class Made:
    """What a request leaves behind: its id, and what ``!GetAtt`` gives."""

    id: str
    data: Mapping[str, Any] = field(default_factory=dict)


class Kind(Protocol):
    """One type of custom resource."""

    known: ClassVar[Mapping[str, bool]]
    """Its properties; true: must be there."""

    fixed: ClassVar[tuple[str, ...]]
    """Properties that cannot change in place: another value makes another thing."""

    def create(self, api: Api, wanted: Mapping[str, Any], mark: str) -> Made:
        """Make it, or find what an earlier delivery of the same request has made."""
        ...

    def update(self, api: Api, thing: str, wanted: Mapping[str, Any], mark: str) -> Made | None:
        """Change it in place, all or nothing. None: it is gone."""
        ...

    def delete(self, api: Api, thing: str, old: Mapping[str, Any]) -> None:
        """Remove it. Gone already is a success."""
        ...

    def leftovers(self, api: Api, old: Mapping[str, Any], mark: str) -> Iterator[str]:
        """Ids of things with this mark."""
        ...


def _restoring(change: Callable[[], object], restore: Callable[[], object]) -> None:
    """Do *change*; if it fails, *restore*, and raise what *change* raised."""
    try:
        change()
    except (ClientError, BotoCoreError):
        try:
            restore()
        except (ClientError, BotoCoreError) as error:
            _record("not_restored", problem=type(error).__name__)
        raise


class SipRule:
    """A rule: calls to a number, or to a host name, go to the first application of the list that answers."""

    known: ClassVar[Mapping[str, bool]] = {
        "Name": True,
        "TriggerType": True,
        "TriggerValue": True,
        "TargetApplications": True,
        "Disabled": False,
    }
    fixed: ClassVar[tuple[str, ...]] = ("TriggerType", "TriggerValue")

    def create(self, api: Api, wanted: Mapping[str, Any], mark: str) -> Made:
        """Make the rule. BadRequest is tried again: the number or the application may be too new to be known."""
        fields = self._fields(wanted, mark)
        trigger = {"TriggerType": wanted["TriggerType"], "TriggerValue": wanted["TriggerValue"]}
        for rule in self._all(api):
            if rule["Name"] == fields["Name"] and rule.get("TriggerValue") == trigger["TriggerValue"]:
                api.voice("update_sip_rule", SipRuleId=rule["SipRuleId"], **fields)
                return Made(rule["SipRuleId"], {"Id": rule["SipRuleId"]})
        answer = api.voice("create_sip_rule", again=AGAIN | {"BadRequestException"}, **trigger, **fields)
        made = answer["SipRule"]["SipRuleId"]
        return Made(made, {"Id": made})

    def update(self, api: Api, thing: str, wanted: Mapping[str, Any], mark: str) -> Made | None:
        """Change name, targets and whether it is disabled."""
        before = api.found("get_sip_rule", SipRuleId=thing)
        if before is None:
            return None
        rule = before["SipRule"]
        old = {key: rule[key] for key in ("Name", "Disabled", "TargetApplications") if key in rule}
        fields = self._fields(wanted, mark)
        _restoring(
            lambda: api.voice("update_sip_rule", SipRuleId=thing, **fields),
            lambda: api.voice("update_sip_rule", SipRuleId=thing, **old),
        )
        return Made(thing, {"Id": thing})

    def delete(self, api: Api, thing: str, old: Mapping[str, Any]) -> None:  # noqa: ARG002 - the id says all
        """Disable the rule, then delete it: an enabled one cannot be deleted (contract 10.2)."""
        found = api.found("get_sip_rule", SipRuleId=thing)
        if found is None:
            return
        if not found["SipRule"].get("Disabled"):
            name = found["SipRule"]["Name"]
            if api.found("update_sip_rule", SipRuleId=thing, Name=name, Disabled=True) is None:
                return
        api.found("delete_sip_rule", SipRuleId=thing, again=AGAIN | {"ConflictException"})

    def leftovers(self, api: Api, old: Mapping[str, Any], mark: str) -> Iterator[str]:  # noqa: ARG002 - likewise
        """Rules whose name ends with the mark."""
        yield from [rule["SipRuleId"] for rule in self._all(api) if rule["Name"].endswith(f"-{mark}")]

    def _all(self, api: Api) -> Iterator[dict[str, Any]]:
        yield from _pages(api, "list_sip_rules", "SipRules")

    def _fields(self, wanted: Mapping[str, Any], mark: str) -> dict[str, Any]:
        targets = [
            {
                "SipMediaApplicationId": str(each["SipMediaApplicationId"]),
                "Priority": int(each["Priority"]),
                "AwsRegion": str(each["AwsRegion"]),
            }
            for each in wanted["TargetApplications"]
            if each.get("SipMediaApplicationId")
        ]
        if len({each["Priority"] for each in targets}) != len(targets) or not targets:
            raise RequestError("TargetApplications needs at least one application, each with a priority of its own")
        return {
            "Name": _marked(str(wanted["Name"]), mark),
            "Disabled": _yes(wanted.get("Disabled", False)),
            "TargetApplications": sorted(targets, key=lambda each: int(each["Priority"])),
        }


class SipMediaApplication:
    """The application: the name under which the service knows a function."""

    known: ClassVar[Mapping[str, bool]] = {"Name": True, "AwsRegion": True, "LambdaArn": True}
    fixed: ClassVar[tuple[str, ...]] = ("AwsRegion",)

    def create(self, api: Api, wanted: Mapping[str, Any], mark: str) -> Made:
        """Make the application."""
        region, fields = str(wanted["AwsRegion"]), self._fields(wanted, mark)
        for each in self._all(api, region):
            made = each["Name"] == fields["Name"] and self.update(api, each["SipMediaApplicationId"], wanted, mark)
            if made:
                return made
        answer = api.voice("create_sip_media_application", region=region, AwsRegion=region, **fields)
        return self._made(answer)

    def update(self, api: Api, thing: str, wanted: Mapping[str, Any], mark: str) -> Made | None:
        """Change name and function."""
        region, fields = str(wanted["AwsRegion"]), self._fields(wanted, mark)
        before = api.found("get_sip_media_application", region=region, SipMediaApplicationId=thing)
        if before is None:
            return None
        was = before["SipMediaApplication"]
        old = {"Name": was["Name"], "Endpoints": was["Endpoints"]}
        change = "update_sip_media_application"
        _restoring(
            lambda: api.voice(change, region=region, SipMediaApplicationId=thing, **fields),
            lambda: api.voice(change, region=region, SipMediaApplicationId=thing, **old),
        )
        return self._made(before)

    def delete(self, api: Api, thing: str, old: Mapping[str, Any]) -> None:
        """Delete the application. Rules that name it are deleted first, which can take a moment to be known."""
        region = str(old.get("AwsRegion") or api.region)
        again = AGAIN | {"ConflictException"}
        api.found("delete_sip_media_application", region=region, again=again, SipMediaApplicationId=thing)

    def leftovers(self, api: Api, old: Mapping[str, Any], mark: str) -> Iterator[str]:
        """Applications whose name ends with the mark."""
        region = str(old.get("AwsRegion") or api.region)
        every = self._all(api, region)
        yield from [each["SipMediaApplicationId"] for each in every if each["Name"].endswith(f"-{mark}")]

    def _all(self, api: Api, region: str) -> Iterator[dict[str, Any]]:
        pages = _pages(api, "list_sip_media_applications", "SipMediaApplications", region=region)
        yield from (each for each in pages if each.get("AwsRegion", region) == region)

    def _fields(self, wanted: Mapping[str, Any], mark: str) -> dict[str, Any]:
        return {"Name": _marked(str(wanted["Name"]), mark), "Endpoints": [{"LambdaArn": str(wanted["LambdaArn"])}]}

    def _made(self, answer: Mapping[str, Any]) -> Made:
        made = answer["SipMediaApplication"]
        thing = made["SipMediaApplicationId"]
        return Made(thing, {"SipMediaApplicationId": thing, "SipMediaApplicationArn": made["SipMediaApplicationArn"]})


class SipMediaApplicationLogging:
    """Whether an application writes its message log. Its id is that of the application, behind ``logging-``."""

    known: ClassVar[Mapping[str, bool]] = {"SipMediaApplicationId": True, "MessageLogs": False}
    fixed: ClassVar[tuple[str, ...]] = ("SipMediaApplicationId",)

    def create(self, api: Api, wanted: Mapping[str, Any], mark: str) -> Made:  # noqa: ARG002 - one for each application
        """Set the logging configuration of the application."""
        application = str(wanted["SipMediaApplicationId"])
        self._put(api, application, _yes(wanted.get("MessageLogs", True)))
        return Made(f"logging-{application}", {"SipMediaApplicationId": application})

    def update(self, api: Api, thing: str, wanted: Mapping[str, Any], mark: str) -> Made | None:  # noqa: ARG002
        """Switch the message log on or off."""
        application = thing.removeprefix("logging-")
        was = api.found("get_sip_media_application_logging_configuration", SipMediaApplicationId=application)
        if was is None:
            return None
        configuration = was.get("SipMediaApplicationLoggingConfiguration") or {}
        before = bool(configuration.get("EnableSipMediaApplicationMessageLogs"))
        _restoring(
            lambda: self._put(api, application, _yes(wanted.get("MessageLogs", True))),
            lambda: self._put(api, application, before),
        )
        return Made(thing, {"SipMediaApplicationId": application})

    def delete(self, api: Api, thing: str, old: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Switch the message log off."""
        try:
            self._put(api, thing.removeprefix("logging-"), False)
        except ClientError as error:
            if code_of(error) != GONE:
                raise

    def leftovers(self, api: Api, old: Mapping[str, Any], mark: str) -> Iterator[str]:  # noqa: ARG002
        """The one of the application that was named, if any was."""
        if old.get("SipMediaApplicationId"):
            yield f"logging-{old['SipMediaApplicationId']}"

    def _put(self, api: Api, application: str, enabled: bool) -> None:
        api.voice(
            "put_sip_media_application_logging_configuration",
            SipMediaApplicationId=application,
            SipMediaApplicationLoggingConfiguration={"EnableSipMediaApplicationMessageLogs": enabled},
        )


class PhoneNumber:
    """A number that the account has already: made one for SIP media applications, so that a rule can name it.

    Nothing here orders a number, and nothing gives one back: both cost money or a known number. What the number was
    before is not restored by a deletion, because the rule that used it is gone by then and nothing else rings.
    """

    known: ClassVar[Mapping[str, bool]] = {"E164PhoneNumber": True, "Label": False}
    fixed: ClassVar[tuple[str, ...]] = ("E164PhoneNumber",)

    PRODUCT: Final = "SipMediaApplicationDialIn"

    def create(self, api: Api, wanted: Mapping[str, Any], mark: str) -> Made:
        """Take the number into use."""
        number = str(wanted["E164PhoneNumber"])
        made = self.update(api, number, wanted, mark)
        if made is None:
            raise RequestError(
                "the number is not in the inventory of this account and region: order it in the console of the Amazon "
                "Chime SDK (product type 'SIP media application dial-in') and deploy again"
            )
        return made

    def update(self, api: Api, thing: str, wanted: Mapping[str, Any], mark: str) -> Made | None:  # noqa: ARG002
        """Set product type and label."""
        found = api.found("get_phone_number", PhoneNumberId=thing)
        if found is None:
            return None
        number = found["PhoneNumber"]
        change: dict[str, Any] = {}
        if number.get("ProductType") != self.PRODUCT:
            change["ProductType"] = self.PRODUCT
        if "Label" in wanted and str(wanted["Label"]) != number.get("Name", ""):
            change["Name"] = str(wanted["Label"])
        before = {key: number.get(key, "") for key in change}
        if change:
            _restoring(
                lambda: api.voice("update_phone_number", PhoneNumberId=thing, **change),
                lambda: api.voice("update_phone_number", PhoneNumberId=thing, **before),
            )
        return Made(thing)

    def delete(self, api: Api, thing: str, old: Mapping[str, Any]) -> None:
        """Leave the number where it is."""

    def leftovers(self, api: Api, old: Mapping[str, Any], mark: str) -> Iterator[str]:  # noqa: ARG002
        """None: a number is never ours."""
        yield from ()


class FunctionVersion:
    """A version of a function as it is now, values included.

    SAM publishes a version when the code or the template changes, not when a parameter does; an alias would go on
    with the old values. ``Follows`` holds all that must lead to a new version. Publishing what has not changed gives
    the version that is there already (AWS Lambda, PublishVersion).
    """

    known: ClassVar[Mapping[str, bool]] = {"FunctionName": True, "Follows": False}
    fixed: ClassVar[tuple[str, ...]] = ("FunctionName",)

    def create(self, api: Api, wanted: Mapping[str, Any], mark: str) -> Made:  # noqa: ARG002 - one for each function
        """Publish."""
        name = str(wanted["FunctionName"])
        answer = api.call("lambda", "publish_version", FunctionName=name)
        return Made(f"version-of-{name}", {"Version": answer["Version"]})

    def update(self, api: Api, thing: str, wanted: Mapping[str, Any], mark: str) -> Made | None:  # noqa: ARG002
        """Publish again."""
        return self.create(api, wanted, mark)

    def delete(self, api: Api, thing: str, old: Mapping[str, Any]) -> None:
        """Nothing: versions end with their function."""

    def leftovers(self, api: Api, old: Mapping[str, Any], mark: str) -> Iterator[str]:  # noqa: ARG002
        """None."""
        yield from ()


KINDS: Final[Mapping[str, Kind]] = {
    "Custom::SipRule": SipRule(),
    "Custom::SipMediaApplication": SipMediaApplication(),
    "Custom::SipMediaApplicationLogging": SipMediaApplicationLogging(),
    "Custom::PhoneNumber": PhoneNumber(),
    "Custom::FunctionVersion": FunctionVersion(),
}
"""What there is, by resource type."""


def answer(event: Mapping[str, Any], api: Api) -> dict[str, Any]:
    """Carry out one request of CloudFormation; gives the body of the answer. Never raises."""
    physical = str(event.get("PhysicalResourceId") or "")
    body = {key: event.get(key, "") for key in ("StackId", "RequestId", "LogicalResourceId")}
    mark = _mark(event)
    try:
        made = _work(event, api, physical, mark)
    except Exception as error:  # noqa: BLE001 - the stack must hear of it, whatever it is
        # The id of before: another one would make CloudFormation delete a thing that there never was.
        reason = _reason(error)
        _record("failed", event, problem=reason)
        return {**body, "Status": "FAILED", "Reason": reason, "PhysicalResourceId": physical or PENDING + mark}
    _record("done", event)
    return {**body, "Status": "SUCCESS", "PhysicalResourceId": made.id, "Data": dict(made.data)}


def _work(event: Mapping[str, Any], api: Api, physical: str, mark: str) -> Made:
    kind = KINDS.get(str(event.get("ResourceType")))
    if kind is None:
        raise RequestError(f"there is no resource type '{event.get('ResourceType')}' here")
    request = event.get("RequestType")
    wanted = {key: value for key, value in event.get("ResourceProperties", {}).items() if key not in _FRAME}
    if request == "Delete":
        _delete(kind, api, physical, wanted, mark)
        return Made(physical)
    unknown = sorted(wanted.keys() - kind.known.keys())
    missing = sorted(key for key, must in kind.known.items() if must and wanted.get(key) in (None, "", []))
    if unknown or missing:
        raise RequestError(
            f"properties unknown: {', '.join(unknown) or 'none'}; missing: {', '.join(missing) or 'none'}"
        )
    if request == "Create":
        return kind.create(api, wanted, mark)
    if request != "Update":
        raise RequestError(f"there is no request '{request}'")
    old = event.get("OldResourceProperties", {})
    if any(wanted.get(key) != old.get(key) for key in kind.fixed):
        return kind.create(api, wanted, mark)  # CloudFormation deletes the old one when all else has worked
    made = kind.update(api, physical, wanted, mark)
    if made is None:
        return kind.create(api, wanted, mark)
    for thing in kind.leftovers(api, wanted, mark):  # of a replacement whose answer was lost
        if thing != made.id:
            kind.delete(api, thing, wanted)
    return made


def _delete(kind: Kind, api: Api, physical: str, old: Mapping[str, Any], mark: str) -> None:
    """Delete a thing; where its creation was never reported, whatever carries the mark of this resource."""
    if _SERVICE_ID.search(physical):
        kind.delete(api, physical, old)
        return
    for thing in kind.leftovers(api, old, mark):
        kind.delete(api, thing, old)


def _mark(event: Mapping[str, Any]) -> str:
    owner = f"{event.get('StackId')}\0{event.get('LogicalResourceId')}"
    return hashlib.sha256(owner.encode()).hexdigest()[:MARK]


def _marked(name: str, mark: str) -> str:
    """A name of at most 256 characters that ends with the mark (contract 10.2: letters, digits, blank, _ . -)."""
    return f"{re.sub(r'[^a-zA-Z0-9 _.-]', '-', name)[: 255 - MARK]}-{mark}"


def _yes(value: object) -> bool:
    """A truth value as CloudFormation sends it: as text."""
    return str(value).strip().lower() in ("true", "yes", "1", "on")


def _pages(api: Api, operation: str, key: str, **values: Any) -> Iterator[dict[str, Any]]:
    more: dict[str, Any] = {}
    while True:
        page = api.voice(operation, MaxResults=100, **values, **more)
        yield from page.get(key, ())
        if not page.get("NextToken"):
            return
        more = {"NextToken": page["NextToken"]}


_FRAME: Final = frozenset({"ServiceToken", "ServiceTimeout"})


def _reason(error: Exception) -> str:
    if isinstance(error, ClientError):
        text = f"{error.operation_name}: {code_of(error)}: {error.response.get('Error', {}).get('Message', '')}"
    elif isinstance(error, RequestError):
        text = str(error)
    else:
        text = f"{type(error).__name__}: {error}"
    return _DIGITS.sub("***", text)[:900]


def _record(outcome: str, event: Mapping[str, Any] | None = None, **more: str) -> None:
    told = {key: (event or {}).get(key) for key in ("RequestType", "ResourceType", "LogicalResourceId", "RequestId")}
    print(json.dumps({"outcome": outcome, **told, **more}))  # noqa: T201 - what a function prints is its log


def _client(service: str, region: str) -> Any:
    import boto3  # here: tests bring their own
    from botocore.config import Config  # type: ignore[import-untyped]

    config = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2, "mode": "standard"})
    return boto3.session.Session(region_name=region).client(service, config=config)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """What Lambda calls for each request of CloudFormation."""
    region = str(context.invoked_function_arn).split(":")[3]
    body = answer(event, Api(_client, region, lambda: context.get_remaining_time_in_millis() / 1000))
    data = json.dumps(body).encode()
    # Without a content type: the address is signed for none.
    request = urllib.request.Request(  # noqa: S310 - the address that CloudFormation gave
        event["ResponseURL"], data, {"Content-Type": "", "Content-Length": str(len(data))}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - likewise
        return body
