"""The API in front of a simulated service: requests as API Gateway hands them over, and what came of them."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from sma_flows.cli.values import read_env_file
from sma_flows.compiler import compile_paths
from sma_flows.plan import Plan
from sma_flows.testing.control import LocalService
from sma_flows.web.function import Function

FLOWS: Final = Path(__file__).resolve().parents[2] / "flows"
ISSUER: Final = "https://issuer.example"
AUDIENCE: Final = "page"
PERSON: Final = "+12065550150"
OTHER: Final = "+14155550123"
CALLER: Final = "+14255550100"  # of the simulated account
MAKES: Final = ("Create", "Batch")


@cache
def plan() -> Plan:
    result = compile_paths([FLOWS / "web-call.yaml"])
    assert result.plan is not None, [str(found) for found in result.diagnostics]
    return result.plan


def settings(store: str, application: str = "11111111-2222-3333-4444-555555555555", **changes: str) -> dict[str, str]:
    """The environment of the function; *changes* are settings by their short names."""
    short = {f"SMA_FLOWS_WEB_{name}": value for name, value in changes.items()}
    return {
        **read_env_file(FLOWS / "local.env"),
        "SMA_FLOWS_STORE": store,
        "SMA_FLOWS_SERVICES": "aws",
        "SMA_FLOWS_WEB_APPLICATION": application,
        "SMA_FLOWS_WEB_CALLER": CALLER,
        "SMA_FLOWS_WEB_ISSUER": ISSUER,
        "SMA_FLOWS_WEB_AUDIENCE": AUDIENCE,
        "SMA_FLOWS_WEB_TENANT": "tenant",
        **short,
    }


def claims(**changes: Any) -> dict[str, Any]:
    """Claims as API Gateway hands them over: texts."""
    usual = {"sub": "u-1", "iss": ISSUER, "aud": AUDIENCE, "exp": str(int(time.time()) + 86_400), "tenant": "t-1"}
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def wanted(**changes: Any) -> dict[str, Any]:
    """The body of a request that nothing is wrong with, under an id of its own."""
    usual = {"request": str(uuid.uuid4()), "to": PERSON, "name": "Ana Torres", "language": "en-US"}
    return {**usual, **changes}


def event(
    method: str,
    path: str,
    body: object = None,
    who: Mapping[str, Any] | None = None,
    *,
    text: str | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A request with a body, or with *text* as it is; *who* are the claims, ``{}`` for none."""
    known = claims() if who is None else dict(who)
    context: dict[str, Any] = {"http": {"method": method, "path": path}, "stage": "$default", "requestId": "r"}
    if known:
        context["authorizer"] = {"jwt": {"claims": known, "scopes": None}}
    sent = text if text is not None else json.dumps(body) if body is not None else None
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", **(headers or {})},
        "requestContext": context,
        "body": sent,
        "isBase64Encoded": False,
        **more,
    }


@dataclass
class Answered:
    """What the function answered."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]
    text: str

    @property
    def error(self) -> str:
        return str(self.body.get("error", ""))


@dataclass
class Rig:
    """A simulated service, and functions in front of it that share a store."""

    service: LocalService
    store: Path
    changes: dict[str, str] = field(default_factory=dict)
    functions: list[Function] = field(default_factory=list)
    place: dict[str, str] = field(default_factory=dict)

    def function(self, **changes: str) -> Function:
        """One more execution environment."""
        application = self.service.exchange.base.application
        told = settings(str(self.store), application, **{**self.changes, **changes})
        env = {**self.service.environment(), **told, **self.place}
        made = Function.on(plan(), env)
        self.functions.append(made)
        return made

    def send(self, request: Mapping[str, Any], function: Function | None = None) -> Answered:
        """Have a request answered by *function*, or the first one."""
        serving = function or (self.functions[0] if self.functions else self.function())
        answer = serving.answer(request)
        text = answer.get("body") or ""
        body = json.loads(text) if text else {}
        return Answered(answer["statusCode"], body, dict(answer.get("headers") or {}), text)

    def post(self, body: object = None, who: Mapping[str, Any] | None = None, **more: Any) -> Answered:
        return self.send(event("POST", "/calls", body if body is not None else wanted(), who, **more))

    def get(self, call: str, who: Mapping[str, Any] | None = None) -> Answered:
        return self.send(event("GET", f"/calls/{call}", None, who))

    def keys(self, call: str, keys: object, who: Mapping[str, Any] | None = None) -> Answered:
        return self.send(event("POST", f"/calls/{call}/keys", {"keys": keys}, who))

    def end(self, call: str, who: Mapping[str, Any] | None = None) -> Answered:
        return self.send(event("DELETE", f"/calls/{call}", None, who))

    def asked(self) -> list[str]:
        """The operations that the service was asked for so far."""
        return [seen.operation for seen in self.service.plane.seen]

    def made(self) -> list[str]:
        """Those that make something."""
        return [name for name in self.asked() if name.startswith(MAKES)]

    def living(self) -> list[str]:
        """Ids of the meetings that have not ended."""
        plane = self.service.plane
        return [meeting.id for meeting in plane.meetings.living(plane.now_ms)]

    def telephone(self) -> list[dict[str, Any]]:
        """The calls that were placed."""
        return [{"transaction": line.transaction} for line in self.service.exchange.lines]

    def kept(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything in the store: rows of the directory, units of limits."""
        if not self.store.exists():
            return {"directory": [], "limit_units": []}
        with sqlite3.connect(self.store) as store:
            return {
                table: sorted(store.execute(f"SELECT * FROM {table}").fetchall())
                for table in ("directory", "limit_units")
            }

    def row(self, call: str) -> dict[str, Any]:
        """The row of a call."""
        return next((json.loads(fields) for _, key, fields, _ in self.kept()["directory"] if key == call), {})

    def says(self, call: str, **fields: str) -> None:
        """What the flow would write into the row."""
        with sqlite3.connect(self.store) as store:
            text = json.dumps({**self.row(call), **fields})
            store.execute("UPDATE directory SET fields = ? WHERE key = ?", (text, call))
        store.close()
