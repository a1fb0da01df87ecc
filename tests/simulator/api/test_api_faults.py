"""Faults on demand, the admin door, and what the server does with requests that no SDK sends."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from simulator.api.kit import OURS, SESSION, THEIRS, Served, fails, served
from simulator.kit import digits, hangup, pause, reply
from sma_flows.simulator.api.faults import KINDS, Fault, FaultError, Faults
from sma_flows.simulator.api.plane import MOST_BODY, OPERATIONS, ControlPlane, Request
from sma_flows.simulator.api.server import serving
from sma_flows.simulator.exchange import Exchange

MEETING = {"ClientRequestToken": "room-7", "ExternalMeetingId": "weekly", "MediaRegion": "us-east-1"}


def statuses(desk: Served) -> list[tuple[str, int, str]]:
    return [(one["operation"], one["status"], one["fault"]) for one in desk.admin("GET", "/requests")]


# ---- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "voice", "meetings"),
    [
        ("throttle", "ThrottledClientException", "ThrottlingException"),
        ("deny", "AccessDeniedException", "ForbiddenException"),
        ("unauthorized", "UnauthorizedClientException", "UnauthorizedException"),
        ("unavailable", "ServiceUnavailableException", "ServiceUnavailableException"),
        ("failure", "ServiceFailureException", "ServiceFailureException"),
    ],
)
def test_a_fault_is_the_exception_that_the_operation_has_for_it(kind: Any, voice: str, meetings: str) -> None:
    with served() as desk:
        desk.admin("POST", "/faults", {"operation": "CreateMeeting", "kind": kind})
        desk.plane.faults.add(Fault("CreateSipMediaApplicationCall", kind))
        client = desk.client("chime-sdk-meetings")
        with fails(meetings):
            client.create_meeting(**MEETING)
        assert client.create_meeting(**MEETING)["Meeting"]
        with fails(voice):
            desk.client("chime-sdk-voice").create_sip_media_application_call(
                FromPhoneNumber=OURS, ToPhoneNumber=THEIRS, SipMediaApplicationId="app"
            )
        assert desk.exchange.lines == []


@pytest.mark.parametrize("kind", ["time_out", "lost_answer"])
def test_an_answer_that_does_not_come_lets_the_client_time_out(kind: Any) -> None:
    with served() as desk:
        desk.plane.faults.add(Fault("CreateMeeting", kind))
        client = desk.client("chime-sdk-meetings", read_s=0.2)
        with pytest.raises(ReadTimeoutError):
            client.create_meeting(**MEETING)
        made = desk.plane.meetings.living(desk.plane.now_ms)
        assert len(made) == (1 if kind == "lost_answer" else 0)
        assert statuses(desk) == [("CreateMeeting", 0, kind)]


@pytest.mark.parametrize("kind", ["lost_answer", "time_out"])
@pytest.mark.parametrize("seconds", [0.0, 0.01])
def test_a_client_that_waits_longer_than_the_server_sees_the_connection_close(kind: Any, seconds: float) -> None:
    with served() as desk:
        desk.plane.faults.add(Fault("CreateMeeting", kind, seconds=seconds))
        client = desk.client("chime-sdk-meetings")
        with pytest.raises(ConnectionClosedError):
            client.create_meeting(**MEETING)
        assert client.create_meeting(**MEETING)["Meeting"]


def test_a_slow_answer_comes_late_and_an_empty_one_or_garbage_says_nothing() -> None:
    with served() as desk:
        desk.plane.faults.add(Fault("CreateMeeting", "slow", seconds=0.05))
        desk.plane.faults.add(Fault("CreateMeeting", "empty"))
        desk.plane.faults.add(Fault("CreateMeeting", "garbage"))
        client = desk.client("chime-sdk-meetings")
        assert client.create_meeting(**MEETING)["Meeting"]
        assert "Meeting" not in client.create_meeting(**MEETING)
        assert "Meeting" not in client.create_meeting(**MEETING)
        assert [one[1:] for one in statuses(desk)] == [(200, "slow"), (200, "empty"), (200, "garbage")]


def test_faults_count() -> None:
    faults = Faults([Fault("*Meeting", "deny", times=2, after=1), Fault("GetMeeting", "empty", times=0)])
    taken = [faults.take("CreateMeeting") for _ in range(4)]
    assert [fault.kind if fault else "" for fault in taken] == ["", "deny", "deny", ""]
    assert [bool(faults.take("GetMeeting")) for _ in range(3)] == [True] * 3
    assert [fault.operation for fault in faults.left] == ["GetMeeting"]
    faults.clear()
    assert faults.take("GetMeeting") is None


def test_faults_are_set_listed_and_cleared_over_http() -> None:
    with served() as desk:
        assert desk.admin("GET", "/faults") == []
        (fault,) = desk.admin("POST", "/faults", {"kind": "deny", "times": 0})
        assert fault == {"operation": "*", "kind": "deny", "times": 0, "after": 0, "seconds": 60.0}
        client = desk.client("chime-sdk-meetings")
        for _ in range(2):
            with fails("ForbiddenException"):
                client.create_meeting(**MEETING)
        assert desk.admin("DELETE", "/faults") == []
        assert client.create_meeting(**MEETING)


@pytest.mark.parametrize(
    "wrong", [{"kind": "explode"}, {"kind": "deny", "times": -1}, {"kind": "deny", "seconds": 601}, {}, {"what": 1}]
)
def test_a_fault_that_does_not_exist_is_refused(wrong: dict[str, Any]) -> None:
    with served() as desk:
        status, body = desk.admin("POST", "/faults", wrong)
        assert (status, body["error"]) == (400, "BadRequest")
        assert desk.plane.faults.left == ()


def test_a_fault_that_does_not_exist_is_refused_in_python() -> None:
    with pytest.raises(FaultError, match="choose one of"):
        Fault("*", "explode")  # type: ignore[arg-type]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_every_operation_can_fail_in_every_way(operation: Any) -> None:
    """In process: each kind gives an answer, and only those that say so do the work."""
    for kind in KINDS:
        plane = ControlPlane(Exchange(lambda *_: None))
        plane.faults.add(Fault(operation.name, kind))
        path = operation.path.partition("?")[0].replace("{", "").replace("}", "")
        answer = plane.handle(Request(operation.method, path, operation.path.partition("?")[2]))
        assert (plane.seen[-1].operation, plane.seen[-1].fault) == (operation.name, kind)
        assert answer.never == (kind in ("time_out", "lost_answer"))


# ---- the admin door ------------------------------------------------------------------------------------------------


def test_a_call_comes_in_and_is_led_by_hand() -> None:
    answers = {"NEW_INBOUND_CALL": reply(digits()), "ACTION_SUCCESSFUL": reply(pause(30_000))}
    with served(answers) as desk:
        call = desk.admin("POST", "/calls", {"from": THEIRS, "to": OURS, "headers": {"X-Ticket": "1"}})["transaction"]
        desk.exchange.wait(4_000)
        desk.admin("POST", f"/calls/{call}/press", {"keys": "7"})
        desk.admin("POST", f"/calls/{call}/talk", {"ms": 500})
        told = desk.admin("GET", f"/calls/{call}")
        assert (told["direction"], told["from"], told["to"]) == ("inbound", "+1206***23", "+1425***00")
        assert told["legs"][0]["status"] == "Connected"
        assert any("LEG-A presses a key" in line for line in told["transcript"])
        assert "7" not in "".join(line.partition(" s ")[2] for line in told["transcript"])
        desk.admin("POST", f"/calls/{call}/hangup")
        assert desk.admin("GET", "/calls")[0]["over"] is True
        assert desk.admin("POST", f"/calls/{call}/hangup")[0] == 404


def test_a_party_that_is_led_by_hand_answers() -> None:
    with served({"CALL_ANSWERED": reply(hangup())}) as desk:
        desk.exchange.party = lambda _number: None
        call = desk.exchange.place(THEIRS, OURS, "abcdefab-aaaa-bbbb-cccc-abcdefabcdef").transaction
        desk.admin("POST", f"/calls/{call}/answer", {"does": "rings"})
        desk.admin("POST", f"/calls/{call}/answer", {})
        told = desk.admin("GET", f"/calls/{call}")
        events = [event["InvocationEventType"] for event in desk.exchange.line(call).phone.events]
        assert events == ["NEW_OUTBOUND_CALL", "RINGING", "CALL_ANSWERED", "HANGUP"]
        assert all(any(event in line for line in told["transcript"]) for event in events)
        assert (told["direction"], told["over"]) == ("outbound", True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/calls", {"from": THEIRS}, 400),
        ("POST", "/calls/CALL/press", {"keys": "12x"}, 400),
        ("POST", "/calls/CALL/press", {"keys": "1", "leg": "LEG-C"}, 400),
        ("POST", "/calls/CALL/press", {"keys": "1", "leg": "LEG-B"}, 400),
        ("POST", "/calls/CALL/answer", {"does": "explode"}, 400),
        ("POST", "/calls/CALL/talk", {"ms": [1]}, 400),
        ("GET", "/calls/nobody", None, 404),
        ("GET", "/nothing", None, 404),
        ("DELETE", "/calls", None, 404),
        ("POST", "/meetings/m/attendees/a/join", None, 404),
    ],
)
def test_what_the_admin_door_cannot_do_it_says(method: str, path: str, body: Any, status: int) -> None:
    with served({"NEW_INBOUND_CALL": reply(pause(30_000))}) as desk:
        call = desk.admin("POST", "/calls", {"from": THEIRS, "to": OURS})["transaction"]
        told = desk.admin(method, path.replace("CALL", call), body)
        assert told[0] == status
        assert told[1]["message"]


def test_the_admin_door_says_what_is_simulated() -> None:
    with served() as desk:
        about = desk.admin("GET", "")
        assert "chime-sdk-meetings:CreateMeeting" in about["operations"]
        assert about["clock_ms"] == 0


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/faults", {"operation": "CreateAttendee"}, "kind is missing"),
        ("/faults", {"kind": ["slow"]}, "kind is missing"),
        ("/faults", {"kind": "slow", "times": "2"}, "times and after are whole numbers, 0 or more"),
        ("/faults", {"kind": "slow", "after": True}, "times and after are whole numbers, 0 or more"),
        ("/faults", {"kind": "slow", "seconds": "long"}, "seconds is a number from 0 to 600"),
        ("/faults", {"kind": "slow", "operation": 7}, "operation is the name of one, or a pattern such as *Attendee"),
        ("/calls", {"from": THEIRS, "to": OURS, "headers": ["X-A"]}, "headers is a map of names and texts"),
        ("/calls/CALL/talk", {"ms": "long"}, "ms is a whole number, 0 or more"),
        ("/calls/CALL/hangup", {"code": "busy"}, "code is a whole number, 0 or more"),
    ],
)
def test_values_of_another_type_are_refused_in_words_of_the_door(path: str, body: Any, message: str) -> None:
    with served({"NEW_INBOUND_CALL": reply(pause(30_000))}) as desk:
        call = desk.admin("POST", "/calls", {"from": THEIRS, "to": OURS})["transaction"]
        told = desk.admin("POST", path.replace("CALL", call), body)
        assert (told[0], told[1]["message"]) == (400, message)
        assert desk.admin("GET", "/faults") == []


# ---- the server ----------------------------------------------------------------------------------------------------


def raw(desk: Served, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any, dict[str, str]]:
    place = http.client.HTTPConnection(desk.url.removeprefix("http://"), timeout=10)
    try:
        place.request(method, path, body=body, headers=headers)
        answer = place.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None, dict(answer.headers)
    finally:
        place.close()


def test_what_is_no_operation_is_not_found() -> None:
    with served() as desk:
        status, _, headers = raw(desk, "PATCH", "/meetings")
        assert (status, headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
        assert raw(desk, "GET", "/")[0] == 404


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_body_that_is_no_json_object_is_a_bad_request(body: bytes) -> None:
    with served() as desk:
        status, told, headers = raw(desk, "POST", "/meetings", body)
        assert (status, headers["x-amzn-errortype"], told["Code"]) == (400, "BadRequestException", "BadRequest")
        assert raw(desk, "POST", "/_sma/faults", body)[0] == 400


def test_a_body_that_is_too_large_is_refused() -> None:
    with served() as desk:
        assert raw(desk, "POST", "/meetings", b" " * (MOST_BODY + 1))[0] == 413


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example"])
def test_only_names_of_this_machine_are_answered(host: str) -> None:
    with served() as desk:
        assert raw(desk, "GET", "/_sma", Host=host)[0] == 421
        assert raw(desk, "GET", "/_sma", Host="localhost:1")[0] == 200


def test_every_answer_has_a_request_id_of_its_own() -> None:
    with served() as desk:
        client = desk.client("chime-sdk-meetings")
        ids = {client.create_meeting(**MEETING)["ResponseMetadata"]["RequestId"] for _ in range(3)}
        assert len(ids) == 3


def test_a_port_that_is_taken_is_told() -> None:
    plane = ControlPlane(Exchange(lambda *_: None))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"), serving(plane, taken.getsockname()[1]):
            pass


def test_the_endpoint_of_the_environment_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    with served() as desk:
        monkeypatch.setenv("AWS_ENDPOINT_URL_CHIME_SDK_MEETINGS", desk.url)
        assert SESSION.client("chime-sdk-meetings").create_meeting(**MEETING)["Meeting"]["MeetingId"]


def test_a_fault_may_be_any_exception_by_its_name() -> None:
    with served() as desk:
        desk.admin("POST", "/faults", {"operation": "CreateMeeting", "kind": "ConflictException"})
        with fails("ConflictException", 409):
            desk.client("chime-sdk-meetings").create_meeting(**MEETING)
