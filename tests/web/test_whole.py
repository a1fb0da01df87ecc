"""The whole way: a page asks, the telephone rings, both meet, keys are sent, and it ends. And what is never logged."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sma_flows.cli.load import load_program
from sma_flows.simulator.exchange import Line
from sma_flows.simulator.messages import Deliver, HangUp
from sma_flows.simulator.parties import Party, presses, voicemail
from sma_flows.testing.switchboard import Environment
from sma_flows.web.stage import LOG, Answering, Stage, stage

from .rig import FLOWS, PERSON
from .test_local import ask

DEADLINE_S = 60.0
LINES = threading.Condition()


@contextmanager
def staged(tmp_path: Path, party: Party, **more: Any) -> Iterator[Stage]:
    def load(lead: Mapping[str, str]) -> Answering:
        env = [f"{name}={value}" for name, value in lead.items()]
        loaded = load_program(str(FLOWS / "web-call.yaml"), env, None, None)
        return Answering(Environment(loaded.program, loaded.services), loaded.plan, loaded.program.env)

    def line(_line: Line, _words: str) -> None:
        with LINES:
            LINES.notify_all()

    party_of = {"party": lambda _number: party, "on_line": line}
    with stage(load, tmp_path / "store.sqlite", speed=10, **party_of, **more) as served:
        yield served


class Page:
    """What the page does."""

    def __init__(self, served: Stage, user: str = "ana") -> None:
        self.served = served
        self.token = served.tokens.make(user)
        self.call = ""

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        status, text, _ = ask(self.served.url, method, path, body, self.token)
        return status, json.loads(text) if text else None

    def clicks(self) -> dict[str, Any]:
        body = {"request": str(uuid.uuid4()), "to": PERSON, "name": "Ana Torres", "language": "en-US"}
        status, made = self.ask("POST", "/calls", body)
        assert status == 201, made
        self.call = made["call"]
        return dict(made)

    def state(self) -> dict[str, Any]:
        return dict(self.ask("GET", f"/calls/{self.call}")[1])

    def waits(self, state: str) -> dict[str, Any]:
        until = time.monotonic() + DEADLINE_S
        while (found := self.state())["state"] != state:
            assert time.monotonic() < until, f"{found}\n" + "\n".join(said(self.served))
            self.something_happens()
        return found

    def waits_for(self, what: Callable[[], bool]) -> None:
        until = time.monotonic() + DEADLINE_S
        while not what():
            assert time.monotonic() < until, "\n".join(said(self.served))
            self.something_happens()

    def something_happens(self) -> None:
        """Wait for the next line of a transcript, or a moment: not everything is in there."""
        with LINES:
            LINES.wait(0.1)


def said(served: Stage) -> list[str]:
    return [line for each in served.exchange.lines for line in served.plane.transcript(each)]


def heard(served: Stage, what: str) -> bool:
    return any(what in line for line in said(served))


def nobody_meets(served: Stage) -> bool:
    return not list(served.plane.meetings.living(served.plane.now_ms))


def over(served: Stage) -> bool:
    return all(line.phone.over for line in served.exchange.lines)


def test_page_and_telephone_talk_keys_are_sent_and_the_page_ends_it(tmp_path: Path) -> None:
    with staged(tmp_path, Party(acts=presses("1", 6_000))) as served:
        page = Page(served)
        made = page.clicks()
        assert page.state()["state"] == "ringing"
        page.waits("talking")
        meeting, plane = made["meeting"]["MeetingId"], served.plane
        roster = list(plane.meetings.roster(meeting, plane.now_ms))
        assert made["attendee"]["AttendeeId"] in roster
        assert len(roster) == 2, "the browser, and the telephone"
        assert page.ask("POST", f"/calls/{page.call}/keys", {"keys": "12#"}) == (202, None)
        page.waits_for(lambda: heard(served, "ACTION_SUCCESSFUL SendDigits"))
        (line,) = served.exchange.lines
        events = [entry.value.body for entry in line.phone.transcript if isinstance(entry.value, Deliver)]
        sent = [event for event in events if "SendDigits" in event]
        assert json.loads(sent[0])["ActionData"]["Parameters"]["Digits"] == "12#"
        assert page.ask("DELETE", f"/calls/{page.call}")[0] == 204
        assert page.state() == {"call": page.call, "state": "ended", "outcome": "talked"}
        page.waits_for(lambda: over(served))
        page.waits_for(lambda: nobody_meets(served))


def test_the_person_called_hangs_up_and_the_meeting_ends(tmp_path: Path) -> None:
    with staged(tmp_path, Party(acts=(*presses("1", 6_000), (12_000, HangUp())))) as served:
        page = Page(served)
        page.clicks()
        assert page.waits("ended")["outcome"] == "talked"
        page.waits_for(lambda: nobody_meets(served))


@pytest.mark.parametrize(
    ("party", "outcome"),
    [
        (Party(acts=presses("2", 6_000)), "declined"),
        (Party("busy"), "no_answer"),
        (Party("no_answer", 20_000), "no_answer"),
        (voicemail(2_000, 3_000, 30_000), "not_accepted"),
    ],
)
def test_a_telephone_that_does_not_accept_gets_nobody_and_the_page_learns_why(
    tmp_path: Path, party: Party, outcome: str
) -> None:
    with staged(tmp_path, party) as served:
        page = Page(served)
        made = page.clicks()
        assert page.waits("ended")["outcome"] == outcome
        page.waits_for(lambda: nobody_meets(served))
        assert not heard(served, "JoinChimeMeeting")
        assert made["meeting"]["MeetingId"]


def test_a_visitor_who_gives_up_while_it_rings_is_not_offered(tmp_path: Path) -> None:
    with staged(tmp_path, Party(after_ms=8_000, acts=presses("1", 6_000))) as served:
        page = Page(served)
        page.clicks()
        page.waits_for(lambda: heard(served, "rings"))
        assert page.ask("DELETE", f"/calls/{page.call}")[0] == 204
        page.waits_for(lambda: over(served))
        assert not heard(served, "hears offer")
        assert heard(served, "hears visitor_left") or not heard(served, "CALL_ANSWERED")
        assert page.state()["outcome"] == "cancelled"


def test_a_lost_answer_of_the_telephone_service_rings_somebody_who_hears_that_nobody_waits(tmp_path: Path) -> None:
    from sma_flows.simulator.api.faults import Fault

    with staged(tmp_path, Party(acts=presses("1", 6_000))) as served:
        served.plane.faults.add(Fault("CreateSipMediaApplicationCall", "lost_answer", 1, seconds=0.1))
        page = Page(served)
        body = {"request": str(uuid.uuid4()), "to": PERSON, "name": "Ana", "language": "en-US"}
        status, problem = page.ask("POST", "/calls", body)
        assert (status, problem["error"]) == (503, "unavailable")
        page.waits_for(lambda: bool(served.exchange.lines) and over(served))
        assert heard(served, "hears visitor_left")
        assert not heard(served, "hears offer")
        assert page.ask("POST", "/calls", body)[0] == 409
        assert len(served.exchange.lines) == 1


def test_two_visitors_have_calls_of_their_own(tmp_path: Path) -> None:
    with staged(tmp_path, Party(acts=presses("1", 6_000)), unlimited=True) as served:
        ana, bob = Page(served), Page(served, "bob")
        ana.clicks()
        bob.clicks()
        assert ana.call != bob.call
        assert ana.ask("GET", f"/calls/{bob.call}")[0] == 404
        assert bob.ask("DELETE", f"/calls/{ana.call}")[0] == 404
        ana.waits("talking")
        bob.waits("talking")
        assert ana.ask("DELETE", f"/calls/{ana.call}")[0] == 204
        assert bob.state()["state"] == "talking"
        bob.ask("DELETE", f"/calls/{bob.call}")


def test_numbers_names_tokens_and_keys_are_in_no_record(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with staged(tmp_path, Party(acts=presses("1", 6_000))) as served, caplog.at_level("INFO", LOG):
        page = Page(served)
        made = page.clicks()
        page.waits("talking")
        page.ask("POST", f"/calls/{page.call}/keys", {"keys": "739105"})
        page.ask("DELETE", f"/calls/{page.call}")
        page.ask("POST", "/calls", {"to": "+19005550123", "name": "Ana Torres", "request": "x", "language": "en-US"})
        page.waits_for(lambda: over(served))
    written = json.dumps([{**record.__dict__, "msg": record.getMessage()} for record in caplog.records], default=str)
    routes = {record.__dict__.get("route") for record in caplog.records}
    assert {"POST /calls", "GET /calls/{call}", "POST /calls/{call}/keys", "DELETE /calls/{call}"} <= routes
    for secret in (
        PERSON,
        PERSON[2:],
        "+19005550123",
        "Ana Torres",
        "739105",
        page.token,
        made["attendee"]["JoinToken"],
        made["meeting"]["MeetingId"],
        page.call,
    ):
        assert secret not in written
