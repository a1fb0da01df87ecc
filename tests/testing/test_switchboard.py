"""Flows behind an exchange: real calls of the flows in flows/, their meetings, and what is written down."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sma_flows.compiler import compile_paths
from sma_flows.errors import ServiceError
from sma_flows.runtime.program import Program
from sma_flows.services.setup import HOOKS, STORE, open_services
from sma_flows.simulator.account import Account
from sma_flows.simulator.clock import VirtualClock
from sma_flows.simulator.exchange import Exchange, Line, Quotas
from sma_flows.simulator.messages import HangUp, Key
from sma_flows.simulator.model import World
from sma_flows.testing.meetings import SimulatedMeetings, of_exchange, with_meetings
from sma_flows.testing.switchboard import Environment, Switchboard
from sma_flows.testing.targets import TargetError, Turn

FLOWS = Path(__file__).parents[2] / "flows"
OURS, THEIRS = "+12065550110", "+14155550123"
VALUES = dict(
    line.split("=", 1) for line in (FLOWS / "local.env").read_text().splitlines() if "=" in line and line[0] != "#"
)
PIN, ROOM = "482913", "4155501"


@contextmanager
def board(flow: str, target: Any = None, **options: Any) -> Iterator[tuple[Exchange, Switchboard]]:
    result = compile_paths([FLOWS / flow])
    assert result.plan is not None
    opened = open_services(result.plan, {**VALUES, HOOKS: str(FLOWS), STORE: "memory"}, FLOWS / flow)
    world = World(numbers=frozenset({OURS}))
    exchange = Exchange(
        lambda application, number: made.route(application, number),
        clock=VirtualClock(),
        world=world,
        quotas=Quotas(100, 100, 100),
        on_entry=lambda line, entry: made.see(line, entry),
    )
    function = target or Environment(
        Program.load(opened.plan, VALUES), with_meetings(opened.services, of_exchange(exchange))
    )
    account = Account.of(world)
    made = Switchboard(function, opened.plan, account=account, now_ms=exchange.clock.now_ms, **options)
    yield exchange, made


def words(made: Switchboard, line: Line) -> str:
    return "\n".join(made.transcript(line))


def test_a_caller_joins_the_meeting_of_the_exchange_and_two_share_it() -> None:
    with board("dial-in.yaml") as (exchange, made):
        lines = [exchange.dial_in(number, OURS) for number in (THEIRS, "+14155550124")]
        for keys in ("1", f"{ROOM}#", PIN):
            for line in lines:
                wait_for_question(exchange, line)
                for key in keys:
                    exchange.act(line.transaction, Key(key))
        exchange.wait(15_000)
        (meeting,) = exchange.meetings.living(exchange.clock.now_ms())
        assert sorted(each.connection for each in meeting.attendees.values()) == sorted(
            f"{line.transaction} LEG-B" for line in lines
        )
        exchange.act(lines[0].transaction, HangUp())
        exchange.act(lines[1].transaction, HangUp())
        assert all(line.done.is_set() for line in lines)
        for line in lines:
            told = words(made, line)
            assert "hears joining" in told
            assert PIN not in told
            assert "presses a key" in told
            assert "(ran verify_pin" in told


def wait_for_question(exchange: Exchange, line: Line) -> None:
    """Let time pass until keys are awaited."""
    for _ in range(200):
        running = line.phone.network.running
        if running is not None and running.phase == "collect":
            return
        exchange.wait(250)
    raise AssertionError("nothing was asked")


def test_the_end_of_the_meeting_is_told_to_the_flow() -> None:
    with board("dial-in.yaml") as (exchange, made):
        line = exchange.dial_in(THEIRS, OURS)
        for keys in ("1", f"{ROOM}#", PIN):
            wait_for_question(exchange, line)
            for key in keys:
                exchange.act(line.transaction, Key(key))
        exchange.wait(15_000)
        (meeting,) = exchange.meetings.living(exchange.clock.now_ms())
        with exchange.together():
            exchange.meetings.delete(meeting.id, exchange.clock.now_ms())
        exchange.settle()
        assert line.done.is_set()
        assert "hears goodbye" in words(made, line)


def test_lines_are_told_as_they_are_written_and_are_the_transcript() -> None:
    seen: list[str] = []
    with board("dial-in.yaml", on_line=lambda _line, told: seen.append(told)) as (exchange, made):
        line = exchange.dial_in(THEIRS, OURS)
        exchange.act(line.transaction, HangUp())
        assert seen == made.transcript(line)
        times = [float(told.split(" s ")[0]) for told in seen]
        assert times == sorted(times)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"customer": "Ana", "customer_name": "Ana", "language": "en-US"}, "customer, request"),
        ({}, "customer, customer_name, language, request"),
    ],
)
def test_an_outbound_call_without_its_arguments_says_why_it_ends(arguments: dict[str, str], told: str) -> None:
    with board("click-to-call.yaml") as (exchange, made):
        line = exchange.place(THEIRS, OURS, World().application, arguments)
        exchange.wait(60_000)
        assert line.done.is_set()
        assert f"(arguments missing or of another type: {told}; the call ends)" in words(made, line)


def test_an_outbound_call_with_its_arguments_has_no_such_line() -> None:
    given = {"customer": "+12065550142", "customer_name": "Ana", "language": "en-US", "request": "r-1"}
    with board("click-to-call.yaml") as (exchange, made):
        line = exchange.place(THEIRS, OURS, World().application, given)
        exchange.wait(60_000)
        assert "the call ends" not in words(made, line)


def test_an_outbound_call_that_no_flow_takes_says_so() -> None:
    with board("dial-in.yaml") as (exchange, made):
        line = exchange.place(THEIRS, OURS, World().application, {})
        exchange.wait(60_000)
        assert "(no flow for this call; the call ends)" in words(made, line)


def test_another_application_or_number_is_nobody_here() -> None:
    with board("dial-in.yaml") as (_exchange, made):
        assert made.route("another", "") is None
        assert made.route("", "+14155550199") is None
        route = made.route("", OURS)
        assert route is not None
        assert (route.application, route.rule) == (World().application, World().rule)


class Elsewhere:
    """A function that cannot be reached."""

    scripted = False

    def answer(self, event: str, at_ms: int, now: Any) -> Turn:
        raise TargetError("nobody answers at http://127.0.0.1:1")


def test_a_function_that_cannot_be_reached_is_a_function_that_fails() -> None:
    with board("dial-in.yaml", Elsewhere()) as (exchange, made):
        line = exchange.dial_in(THEIRS, OURS)
        exchange.settle()
        assert line.done.is_set()
        assert "NEW_INBOUND_CALL  the function failed: TargetError" in words(made, line)


# ---- the meetings as a port ----------------------------------------------------------------------------------------


NOW = 0.0  # the exchange has a clock of its own


def meetings() -> tuple[Exchange, SimulatedMeetings]:
    exchange = Exchange(lambda *_: None)
    return exchange, of_exchange(exchange)


def test_a_meeting_is_opened_by_name_once_and_found_until_it_is_closed() -> None:
    _, port = meetings()
    first = port.open("standup", "", NOW, 1)
    assert port.open("standup", "", NOW, 1) == first == port.find("standup", NOW, 1)
    assert port.find("another", NOW, 1) is None
    port.close("standup", NOW, 1)
    port.close("another", NOW, 1)
    assert port.find("standup", NOW, 1) is None
    assert port.open("standup", "", NOW, 1) != first


def test_a_token_is_one_seat_and_leaving_twice_is_a_success() -> None:
    _, port = meetings()
    room = port.open("standup", "", NOW, 1)
    seat = port.attend(room, "token-1", NOW, 1)
    assert port.attend(room, "token-1", NOW, 1) == seat
    assert port.roster(room, 1) == (seat.id,)
    port.leave(room, seat.id, NOW, 1)
    port.leave(room, seat.id, NOW, 1)
    port.leave("nowhere", seat.id, NOW, 1)
    assert port.roster(room, 1) == ()
    assert port.find("standup", NOW, 1) is None, "the last one out ends it"


def test_while_somebody_is_there_a_meeting_lives() -> None:
    _, port = meetings()
    room = port.open("standup", "", NOW, 1)
    first, second = (port.attend(room, token, NOW, 1) for token in ("one", "two"))
    port.leave(room, first.id, NOW, 1)
    assert port.open("standup", "", NOW, 1) == room
    assert port.roster(room, 1) == (second.id,)


def test_an_attendee_is_muted_and_unmuted() -> None:
    exchange, port = meetings()
    room = port.open("standup", "", NOW, 1)
    seat = port.attend(room, "one", NOW, 1)
    heard = []
    for muted in (True, False):
        port.mute(room, seat.id, muted, 1)
        heard.append(exchange.meetings.attendee(room, seat.id, exchange.clock.now_ms()).capabilities["Audio"])
    port.mute(room, "nobody", True, 1)
    assert heard == ["Receive", "SendReceive"]


def test_a_meeting_made_elsewhere_counts_as_open_and_one_that_was_made_here_and_has_ended_does_not() -> None:
    exchange, port = meetings()
    assert port.attend("m-1", "token-1", NOW, 1)
    exchange.wait(5 * 60_000)
    assert port.attend("m-1", "token-1", NOW, 1)
    room = port.open("standup", "", NOW, 1)
    port.close("standup", NOW, 1)
    with pytest.raises(ServiceError, match="NotFoundException"):
        port.attend(room, "token-1", NOW, 1)
    assert port.roster(room, 1) == ()


def test_names_that_look_alike_are_different_meetings() -> None:
    _, port = meetings()
    rooms = [port.open(name, region, NOW, 1) for name, region in itertools.product(("a", "b"), ("",))]
    assert len(set(rooms)) == 2
