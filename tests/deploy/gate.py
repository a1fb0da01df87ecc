"""AWS behind a policy: every request of the real adapters is authorised first, and answered without a network.

DynamoDB is moto's; the services of the Amazon Chime SDK answer as far as the flows need them. What a request needs is
found in the request, not in :mod:`sma_flows.deploy.permissions`.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws

ACCOUNT, REGION, TABLE = "111122223333", "us-east-1", "line-store"
FUNCTION = "line-function"
CHANNEL = f"arn:aws:chime:{REGION}:{ACCOUNT}:app-instance/i/channel/c"
BEARER = f"arn:aws:chime:{REGION}:{ACCOUNT}:app-instance/i/bot/b"
KNOWN = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT}
ENV = {
    "SMA_FLOWS_STORE": f"dynamodb:{TABLE}",
    "SMA_FLOWS_SERVICES": "aws",
    "SMA_FLOWS_HASH_KEY": "a key for tests that is long enough",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": REGION,
    "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
    "TEAM_CHANNEL": CHANNEL,
    "TEAM_BOT": BEARER,
}

Request = tuple[str, str]
"""An IAM action and one resource that it needs."""


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


class Gate:
    """One account. ``policy`` is a policy document; None lets everything through. ``asked`` is what was needed."""

    def __init__(self, policy: dict[str, Any] | None = None) -> None:
        self.policy = policy
        self.asked: list[Request] = []
        self.denied: list[Request] = []
        self.down: set[str] = set()  # operations that fail
        self._attendees: dict[str, dict[str, str]] = {}
        self._meetings: dict[str, dict[str, str]] = {}

    @contextmanager
    def open(self) -> Iterator[Gate]:
        """Every client that is made meanwhile stands behind this gate."""
        made = boto3.session.Session.client

        def client(session: Any, service: str, *args: Any, **more: Any) -> Any:
            found = made(session, service, *args, **more)
            found.meta.events.register_first("before-send", self._answer)
            return found

        with mock_aws(), pytest.MonkeyPatch.context() as patch:
            table = boto3.client("dynamodb", region_name=REGION)
            table.create_table(
                TableName=TABLE,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            )
            patch.setattr(boto3.session.Session, "client", client)
            yield self

    def allows(self, request: Request) -> bool:
        """Whether a statement takes it in."""
        action, resource = request
        return any(
            fnmatchcase(action, pattern) and fnmatchcase(resource, each)
            for statement in (self.policy or {"Statement": []})["Statement"]
            for pattern in statement["Action"]
            for each in ([statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"])
        )

    def _answer(self, request: Any, event_name: str, **_: Any) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        url, values = urlsplit(request.url), json.loads(request.body or b"{}")
        operation = operation.partition("?")[0]
        service = url.hostname or ""
        needed = list(self._needed(operation, service, url, values))
        self.asked += needed
        refused = [each for each in needed if self.policy is not None and not self.allows(each)]
        if refused:
            self.denied += refused
            return _reply(request.url, 403, {"__type": "AccessDeniedException"}, "AccessDeniedException")
        if operation in self.down:
            return _reply(request.url, 500, {}, "ServiceFailureException")
        if service.startswith("dynamodb"):
            return None  # moto's
        status, body = self._chime(operation, url, values)
        return _reply(request.url, status, body, "NotFoundException" if status == 404 else "")

    def _needed(self, operation: str, service: str, url: Any, values: dict[str, Any]) -> Iterator[Request]:
        if service.startswith("dynamodb"):
            yield f"dynamodb:{operation}", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{values['TableName']}"
            return
        if operation == "Invoke":
            version = url.query.partition("Qualifier=")[2].replace("%24", "$")
            yield "lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{FUNCTION}:{version}"
            return
        meeting = re.match(r"/meetings/([^/?]+)", url.path)
        if operation == "SendChannelMessage":
            yield f"chime:{operation}", unquote(url.path.split("/")[2])
            yield f"chime:{operation}", BEARER
        elif operation.endswith("SipMediaApplicationCall"):
            application = url.path.split("/")[2]
            yield f"chime:{operation}", f"arn:aws:chime:{REGION}:{ACCOUNT}:sma/{application}"
        elif meeting:
            yield f"chime:{operation}", f"arn:aws:chime:{REGION}:{ACCOUNT}:meeting/{meeting[1]}"
        else:
            yield f"chime:{operation}", "of no resource"

    def _chime(self, operation: str, url: Any, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        parts = url.path.split("/")
        thing = parts[2] if len(parts) > 2 else ""
        match operation:
            case "CreateMeeting":
                made = str(uuid.uuid5(uuid.NAMESPACE_URL, values["ClientRequestToken"]))
                self._meetings[made] = {"MeetingId": made, "ExternalMeetingId": values["ExternalMeetingId"]}
                self._attendees.setdefault(made, {})
                return 201, {"Meeting": self._meetings[made]}
            case "GetMeeting":
                return (200, {"Meeting": self._meetings[thing]}) if thing in self._meetings else (404, {})
            case "CreateAttendee":
                seat = str(uuid.uuid5(uuid.NAMESPACE_URL, thing + values["ExternalUserId"]))
                self._attendees.setdefault(thing, {})[seat] = values["ExternalUserId"]
                return 201, {"Attendee": {"AttendeeId": seat, "ExternalUserId": "x", "JoinToken": "join-token"}}
            case "DeleteAttendee":
                self._attendees.setdefault(thing, {}).pop(parts[4], None)
                return 204, {}
            case "ListAttendees":
                return 200, {"Attendees": [{"AttendeeId": each} for each in self._attendees.setdefault(thing, {})]}
            case "DeleteMeeting":
                del self._meetings[thing]
                return 204, {}
            case "Invoke":
                return 202, {}
            case "CreateSipMediaApplicationCall":
                return 201, {"SipMediaApplicationCall": {"TransactionId": str(uuid.uuid4())}}
            case "UpdateSipMediaApplicationCall":
                return 202, {"SipMediaApplicationCall": {"TransactionId": parts[4]}}
            case "SendChannelMessage":
                return 201, {"MessageId": "m"}
            case _:
                raise AssertionError(f"the flows were not known to use {operation}")


def _reply(url: str, status: int, body: dict[str, Any], code: str) -> AWSResponse:
    headers = {"x-amzn-errortype": code} if code else {}
    return AWSResponse(url, status, headers, _Raw(json.dumps(body).encode()))
