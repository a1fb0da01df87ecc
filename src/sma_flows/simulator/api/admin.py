"""What a test or a person does at the control plane that the real one does not offer, below ``/_sma/``.

* ``GET /_sma``: what is simulated, and what the clock says.
* ``GET /_sma/calls``, ``GET /_sma/calls/ID``: calls with their transcript; telephone numbers are shortened.
* ``POST /_sma/calls`` ``{"from", "to", "headers"}``: somebody calls one of our numbers.
* ``POST /_sma/calls/ID/press`` ``{"keys", "leg"}``, ``/hangup`` ``{"leg", "code"}``, ``/answer`` ``{"does"}``,
  ``/talk`` ``{"ms", "leg"}`` or, to a bot, ``{"words"}``: what the parties of a call do.
* ``GET /_sma/meetings``; ``POST /_sma/meetings/MEETING/attendees/ATTENDEE/join`` and ``/leave``: a browser comes and
  goes.
* ``GET``, ``POST``, ``DELETE /_sma/faults`` ``{"operation", "kind", "times", "after", "seconds"}``.
* ``GET /_sma/requests``: the requests so far, without their values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, get_args, get_type_hints

from sma_flows.simulator.api.faults import Fault, FaultError
from sma_flows.simulator.exchange import Line
from sma_flows.simulator.messages import (
    Callee,
    Deliver,
    Dials,
    Entry,
    Gone,
    HangUp,
    Hears,
    Input,
    Key,
    Log,
    Over,
    Talk,
    Update,
)
from sma_flows.simulator.refused import RefusedError
from sma_flows.simulator.talk import speech_ms

if TYPE_CHECKING:
    from sma_flows.simulator.api.plane import ControlPlane

__all__ = ["PREFIX", "admin", "shown_number", "told"]

PREFIX: Final = "/_sma"
_DOES: Final = get_args(get_type_hints(Callee)["does"])

Body = Mapping[str, Any]
Do = Callable[..., Any]


def admin(plane: ControlPlane, method: str, path: str, body: Body) -> tuple[int, Any]:
    """Status and JSON value of a request; *path* is what follows ``/_sma``."""
    for wanted, pattern, do in _ROUTES:
        match = pattern.fullmatch(path.rstrip("/"))
        if match is not None and wanted == method:
            try:
                return 200, do(plane, body, *match.groups())
            except RefusedError as why:
                return (404 if why.error == "NotFoundException" else 409), {"error": why.error, "message": why.message}
            except (FaultError, ValueError, TypeError) as why:
                return 400, {"error": "BadRequest", "message": str(why)}
    return 404, {"error": "NotFound", "message": f"there is no {method} {PREFIX}{path}"}


def shown_number(number: str) -> str:
    """A telephone number without its middle."""
    return f"{number[:5]}***{number[-2:]}" if len(number) > 7 else number


def told(entry: Entry) -> str:
    """One entry of a transcript in words, without keys; empty: not worth a line."""
    match entry.value:
        case Deliver(body=body) if entry.kind == "output":
            event = json.loads(body)
            data = event.get("ActionData") or {}
            words = (event.get("InvocationEventType"), data.get("Type"), data.get("ErrorType") or data.get("Error"))
            return " ".join(str(word) for word in words if word)
        case Hears(leg=leg, what=what, text=text):
            return f"{leg} hears {what}{f': {text}' if text else ''}" if what != "silence" else ""
        case Dials(leg=leg, to=to):
            return f"{leg} is dialled: {shown_number(to)}"
        case Gone(leg=leg, code=code, by=by):
            return f"{leg} has left ({by}, {code})"
        case Log(level=level, message=message):
            return f"{level}: {message}"
        case Over(reason=reason):
            return f"over: {reason}"
        case Key(leg=leg):
            return f"> {leg} presses a key"
        case HangUp(leg=leg):
            return f"> {leg} hangs up"
        case Update():
            return "> an update from outside"
    if entry.kind == "response":
        return f"the function failed: {type(entry.value).__name__}" if isinstance(entry.value, Exception) else ""
    return f"> {type(entry.value).__name__}" if entry.kind == "input" else ""


def transcript(line: Line) -> list[str]:
    """A call in words."""
    lines = ((entry.at_ms, told(entry)) for entry in tuple(line.phone.transcript))
    return [f"{at / 1000:8.1f} s  {words}" for at, words in lines if words]


def call(plane: ControlPlane, line: Line) -> dict[str, Any]:
    """A call as JSON."""
    network = line.phone.network
    first = network.legs[0] if network.legs else None
    return {
        "transaction": line.transaction,
        "application": line.application,
        "direction": "outbound" if network.outbound else "inbound",
        "from": shown_number(first.from_) if first else "",
        "to": shown_number(first.to) if first else "",
        "began_ms": line.began_ms,
        "over": line.phone.over,
        "legs": [{"leg": leg.tag, "call_id": leg.call_id, "status": leg.status or "new"} for leg in network.legs],
        "joined": network.joined,
        "transcript": plane.transcript(line),
    }


def _about(plane: ControlPlane, _body: Body) -> Any:
    from sma_flows.simulator.api.plane import OPERATIONS

    return {
        "service": "sma-flows simulator",
        "region": plane.exchange.base.region,
        "now": plane.now.isoformat(),
        "clock_ms": plane.now_ms,
        "active_calls": plane.exchange.active,
        "operations": sorted(f"{one.service}:{one.name}" for one in OPERATIONS),
    }


def _calls(plane: ControlPlane, _body: Body) -> Any:
    return [call(plane, line) for line in plane.exchange.lines]


def _call(plane: ControlPlane, _body: Body, transaction: str) -> Any:
    return call(plane, plane.exchange.line(transaction))


def _dial_in(plane: ControlPlane, body: Body) -> Any:
    headers = body.get("headers") or {}
    if not isinstance(headers, dict):
        raise TypeError("headers is a map of names and texts")
    line = plane.exchange.dial_in(_text(body, "from"), _text(body, "to"), {str(k): str(v) for k, v in headers.items()})
    return {"transaction": line.transaction}


def _act(*events: Callable[[Body], list[Input]]) -> Do:
    def act(plane: ControlPlane, body: Body, transaction: str) -> Any:
        plane.exchange.act(transaction, *(event for make in events for event in make(body)))
        return {"transaction": transaction}

    return act


def _keys(body: Body) -> list[Input]:
    keys = _text(body, "keys")
    if not re.fullmatch(r"[0-9*#A-D]+", keys):
        raise ValueError("keys are 0 to 9, *, #, and A to D")
    return [Key(key, _leg(body)) for key in keys]


def _answers(body: Body) -> list[Input]:
    does = str(body.get("does") or "answers")
    if does not in _DOES:
        raise ValueError(f"does is one of {', '.join(_DOES)}")
    return [Callee(does, _whole(body, "code") or 603)]  # type: ignore[arg-type]


def _leg(body: Body) -> str:
    leg = str(body.get("leg") or "LEG-A")
    if leg not in ("LEG-A", "LEG-B"):
        raise ValueError("leg is LEG-A or LEG-B")
    return leg


def _text(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is missing")
    return value


def _whole(body: Body, name: str) -> int:
    """A whole number, also as text; 0 when there is none."""
    value = body.get(name) or 0
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} is a whole number, 0 or more")
    return value


def _meetings(plane: ControlPlane, _body: Body) -> Any:
    with plane.exchange.together():
        return [
            {
                "meeting": meeting.id,
                "external": meeting.external,
                "ends_ms": meeting.ends_ms,
                "attendees": [
                    {"attendee": each.id, "connected": bool(each.connection)} for each in meeting.attendees.values()
                ],
            }
            for meeting in plane.meetings.living(plane.now_ms)
        ]


def _web(does: str) -> Do:
    def move(plane: ControlPlane, _body: Body, meeting: str, attendee: str) -> Any:
        with plane.exchange.together():
            found = plane.meetings.attendee(meeting, attendee, plane.now_ms)
            name = f"browser of {attendee}"
            if does == "join":
                plane.meetings.join(meeting, found.token, name, plane.now_ms)
            else:
                plane.meetings.leave(meeting, found.token, name, plane.now_ms)
            return {"attendee": attendee, "connected": bool(found.connection)}

    return move


def _faults(plane: ControlPlane, _body: Body) -> Any:
    return [asdict(fault) for fault in plane.faults.left]


def _add_fault(plane: ControlPlane, body: Body) -> Any:
    unknown = sorted(set(body) - set(Fault.__dataclass_fields__))
    if unknown:
        raise ValueError(f"a fault has no {', '.join(unknown)}")
    with plane.exchange.lock:
        plane.faults.add(Fault(**{"operation": "*", **body, "kind": _text(body, "kind")}))
    return _faults(plane, body)


def _no_faults(plane: ControlPlane, body: Body) -> Any:
    with plane.exchange.lock:
        plane.faults.clear()
    return _faults(plane, body)


def _talk(body: Body) -> Talk:
    words = str(body.get("words") or "")
    return Talk(_whole(body, "ms") or (speech_ms(words) if words else 1000), _leg(body), words=words)


def _requests(plane: ControlPlane, _body: Body) -> Any:
    with plane.exchange.lock:
        return [asdict(seen) for seen in plane.seen]


_ID: Final = r"([0-9A-Za-z-]+)"
_SEAT: Final = rf"/meetings/{_ID}/attendees/{_ID}"
_ROUTES: Final = tuple(
    (method, re.compile(path), do)
    for method, path, do in (
        ("GET", "", _about),
        ("GET", "/calls", _calls),
        ("POST", "/calls", _dial_in),
        ("GET", f"/calls/{_ID}", _call),
        ("POST", f"/calls/{_ID}/press", _act(_keys)),
        ("POST", f"/calls/{_ID}/hangup", _act(lambda body: [HangUp(_leg(body), _whole(body, "code"))])),
        ("POST", f"/calls/{_ID}/talk", _act(lambda body: [_talk(body)])),
        ("POST", f"/calls/{_ID}/answer", _act(_answers)),
        ("GET", "/meetings", _meetings),
        ("POST", f"{_SEAT}/join", _web("join")),
        ("POST", f"{_SEAT}/leave", _web("leave")),
        ("GET", "/faults", _faults),
        ("POST", "/faults", _add_fault),
        ("DELETE", "/faults", _no_faults),
        ("GET", "/requests", _requests),
    )
)
