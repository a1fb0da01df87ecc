"""Many calls on one clock: placed, updated, joined in meetings, counted; by hand and in a running thread."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.kit import Function, bridge, digits, hangup, join, pause, reply, speak
from sma_flows.simulator import network
from sma_flows.simulator.clock import RunningClock, VirtualClock
from sma_flows.simulator.driver import Party, Phone
from sma_flows.simulator.exchange import Exchange, Line, Quotas, Rate, Route, answered_by, running
from sma_flows.simulator.meetings import Wanted
from sma_flows.simulator.messages import Answer, Callee, Deliver, Gone, HangUp, Hears, Key, Log, Over
from sma_flows.simulator.model import World
from sma_flows.simulator.refused import RefusedError

OURS, THEIRS = "+14255550100", "+12065550123"
MANY = Quotas(creates_per_s=1_000, updates_per_s=1_000, active_calls=10_000)
DEADLINE_S = 20


def refused(error: str) -> Any:
    return pytest.raises(RefusedError, match=f"^{error}: ")


def exchange(function: Any, **options: Any) -> Exchange:
    route = Route("app-1", answered_by(function))
    options.setdefault("quotas", MANY)
    return Exchange(lambda application, _number: route if application in ("", "app-1") else None, **options)


def kinds(line: Line) -> list[str]:
    return [event["InvocationEventType"] for event in line.phone.events]


def place(desk: Exchange, **more: Any) -> Line:
    return desk.place(THEIRS, OURS, "app-1", **more)


class Talkative:
    """Answers every call the same way: a text, an update hangs up."""

    def __call__(self, event: dict[str, Any]) -> object:
        match event["InvocationEventType"]:
            case "NEW_INBOUND_CALL" | "CALL_ANSWERED":
                return reply(speak("Hello."), pause(30_000), pause(30_000))
            case "CALL_UPDATE_REQUESTED":
                return reply(hangup())
        return reply()


# ---- by hand -------------------------------------------------------------------------------------------------------


def test_a_call_is_placed_answered_updated_and_over() -> None:
    function = Function(
        {
            "CALL_ANSWERED": reply(speak("Hello."), pause(30_000)),
            "CALL_UPDATE_REQUESTED": reply(hangup()),
        }
    )
    desk = exchange(function)
    line = place(desk, arguments={"job": "1"})
    assert kinds(line) == ["NEW_OUTBOUND_CALL"]
    desk.wait(5_000)
    assert kinds(line) == ["NEW_OUTBOUND_CALL", "RINGING", "CALL_ANSWERED"]
    desk.update(line.transaction, {"stop": "yes"}, "app-1")
    assert kinds(line)[3:] == ["CALL_UPDATE_REQUESTED", "ACTION_INTERRUPTED", "HANGUP"]
    assert line.done.is_set()
    assert desk.active == 0
    with refused("NotFoundException"):
        desk.update(line.transaction, {})
    assert desk.line(line.transaction) is line


def test_calls_have_ids_of_their_own_and_they_are_derived() -> None:
    def ids(desk: Exchange) -> list[tuple[str, str]]:
        lines = [place(desk) for _ in range(3)]
        people = [line.phone.events[0]["CallDetails"]["Participants"][0]["CallId"] for line in lines]
        return list(zip([line.transaction for line in lines], people, strict=True))

    first = ids(exchange(Talkative()))
    assert first == ids(exchange(Talkative()))
    assert len({name for pair in first for name in pair}) == 6


def test_a_number_that_leads_nowhere_and_an_application_that_is_not_there_are_refused() -> None:
    desk = Exchange(lambda *_: None, quotas=MANY)
    with refused("NotFoundException"):
        desk.dial_in(THEIRS, "+14255550199")
    with refused("BadRequestException"):
        place(desk)
    with refused("BadRequestException"):
        exchange(Talkative()).place(THEIRS, "+12065550199", "app-1")
    with refused("NotFoundException"):
        desk.line("nobody")
    with refused("NotFoundException"):
        desk.act("nobody", HangUp())


def test_an_update_for_another_application_is_not_found() -> None:
    desk = exchange(Talkative())
    line = place(desk)
    with refused("NotFoundException"):
        desk.update(line.transaction, {}, "app-2")


def test_one_call_a_second_is_placed_and_five_updates_are_taken() -> None:
    desk = exchange(Talkative(), quotas=Quotas())
    line = place(desk)
    with refused("ThrottledClientException"):
        place(desk)
    desk.wait(999)
    with refused("ThrottledClientException"):
        place(desk)
    desk.wait(1)
    other = place(desk)
    desk.wait(5_000)
    for transaction in [line.transaction, other.transaction]:
        desk.update(transaction, {})
    quiet = exchange(lambda _event: reply(), quotas=Quotas())
    line = place(quiet)
    quiet.wait(5_000)
    for _ in range(5):
        quiet.update(line.transaction, {})
    with refused("ThrottledClientException"):
        quiet.update(line.transaction, {})
    quiet.wait(1_000)
    quiet.update(line.transaction, {})


def test_more_updates_a_second_when_the_quota_is_raised() -> None:
    desk = exchange(lambda _event: reply(), quotas=Quotas(updates_per_s=8))
    line = place(desk)
    desk.wait(5_000)
    for _ in range(8):
        desk.update(line.transaction, {})
    with refused("ThrottledClientException"):
        desk.update(line.transaction, {})


def test_ten_calls_at_once_and_a_bridge_counts_for_two_more() -> None:
    function = {"NEW_INBOUND_CALL": [reply(bridge()) for _ in range(4)]}
    desk = exchange(Function(function), quotas=Quotas(active_calls=10))
    for number in range(3):
        desk.dial_in(f"+1206555010{number}", OURS)
    assert desk.active == 9
    fourth = desk.dial_in(THEIRS, OURS)
    assert kinds(fourth) == ["NEW_INBOUND_CALL", "ACTION_FAILED"]
    with refused("ResourceLimitExceededException"):
        desk.dial_in(THEIRS, OURS)
    desk.wait(5_000)
    desk.act(desk.lines[0].transaction, HangUp("LEG-A"))
    assert desk.active == 10
    desk.act(desk.lines[0].transaction, HangUp("LEG-B"))
    assert desk.active == 7


def test_parties_are_found_by_their_number() -> None:
    people = {THEIRS: Party("busy", after_ms=100, rings_ms=None), "+12065550150": Party(after_ms=1_000)}
    desk = exchange(Talkative(), party=people.get)
    busy = place(desk)
    by_hand = desk.place("+12065550177", OURS, "app-1")
    desk.wait(2_000)
    assert kinds(busy) == ["NEW_OUTBOUND_CALL", "HANGUP"]
    assert kinds(by_hand) == ["NEW_OUTBOUND_CALL"]
    desk.act(by_hand.transaction, Callee("rings"), Callee("answers"))
    assert kinds(by_hand)[1:] == ["RINGING", "CALL_ANSWERED"]


def test_keys_reach_the_call_they_are_pressed_in() -> None:
    desk = exchange(Function({"NEW_INBOUND_CALL": [reply(digits()), reply(digits())]}))
    one, other = desk.dial_in(THEIRS, OURS), desk.dial_in(THEIRS, OURS)
    desk.wait(4_000)
    desk.act(other.transaction, Key("7"))
    assert kinds(one) == ["NEW_INBOUND_CALL"]
    assert other.phone.events[-1]["ActionData"]["ReceivedDigits"] == "7"


def test_things_happen_in_the_order_of_the_clock() -> None:
    seen: list[tuple[int, str]] = []

    def watch(line: Line, entry: Any) -> None:
        seen.append((line.began_ms + entry.at_ms, line.transaction))

    desk = exchange(Function({"NEW_INBOUND_CALL": [reply(pause(900 - 100 * n), pause(500)) for n in range(5)]}))
    desk.on_entry = watch
    for _ in range(5):
        desk.dial_in(THEIRS, OURS)
        desk.wait(130)
    desk.settle()
    assert [at for at, _ in seen] == sorted(at for at, _ in seen)
    assert len({name for _, name in seen}) == 5


def test_a_meeting_that_ends_leaves_its_callers_on_the_line() -> None:
    desk = exchange(Talkative())
    room = desk.meetings.create("room-7", "weekly", "us-east-1", 0).id
    seats = [desk.meetings.add(room, Wanted(name), 0) for name in ("ann", "bob")]
    answers = [reply(join(MeetingId=room, JoinToken=seat.token)) for seat in seats]
    route = Route("app-1", answered_by(Function({"NEW_INBOUND_CALL": answers})))
    desk.route = lambda *_: route
    lines = [desk.dial_in(THEIRS, OURS) for _ in seats]
    desk.wait(24 * 3600 * 1000 - 1)
    assert [kinds(line)[-1] for line in lines] == ["ACTION_SUCCESSFUL"] * 2
    assert desk.active == 2
    desk.wait(1)
    assert [kinds(line)[-1] for line in lines] == ["HANGUP"] * 2
    assert desk.active == 2
    assert desk.meetings.living(desk.clock.now_ms()) == ()


@pytest.mark.parametrize("good", [True, False])
def test_a_call_to_the_number_of_the_meetings_is_let_in_with_a_good_token(good: bool) -> None:
    desk = exchange(Talkative())
    room = desk.meetings.create("room-7", "weekly", "us-east-1", 0).id
    ann = desk.meetings.add(room, Wanted("ann"), 0)
    headers = {"X-chime-meeting-id": room, "X-chime-join-token": ann.token if good else "made-up"}
    line = desk.place("+17035550122", OURS, "app-1", headers=headers)
    desk.wait(0)
    assert kinds(line)[1:] == (["CALL_ANSWERED"] if good else ["HANGUP"])
    if good:
        assert ann.connection == f"{line.transaction} LEG-A"
        desk.meetings.delete(room, desk.clock.now_ms())
        desk.catch_up()
        assert kinds(line)[2:] == ["HANGUP"]


def test_a_function_that_raises_is_asked_again() -> None:
    answers: dict[str, Any] = {"NEW_INBOUND_CALL": [RuntimeError("no"), reply(hangup())]}
    desk = exchange(Function(answers))
    line = desk.dial_in(THEIRS, OURS)
    desk.wait(5_000)
    assert kinds(line) == ["NEW_INBOUND_CALL", "NEW_INBOUND_CALL", "HANGUP"]


def broken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator has a fault: the first answer of all cannot be applied."""
    real, left = network._TAKE[Answer], [TypeError("no such thing")]

    def answered(desk: Any, event: Any) -> None:
        if left:
            desk.stop()
            raise left.pop()
        real(desk, event)

    monkeypatch.setitem(network._TAKE, Answer, answered)  # type: ignore[arg-type]


def ended_with(line: Line) -> list[object]:
    return [one for one in line.phone.outputs if isinstance(one, Log | Gone | Over)]


@pytest.mark.parametrize("delay_ms", [0, 1_500])
def test_a_fault_of_the_simulator_ends_the_call_visibly_and_is_raised(
    monkeypatch: pytest.MonkeyPatch, delay_ms: int
) -> None:
    broken_once(monkeypatch)
    phone = partial(Phone, Talkative(), delay_ms=lambda _event: delay_ms)
    desk = Exchange(lambda *_: Route("app-1", lambda world, line: phone(world=world, around=line)), quotas=MANY)

    def call() -> None:
        desk.dial_in(THEIRS, OURS)
        desk.settle()

    with pytest.raises(TypeError, match="no such thing"):
        call()
    (line,) = desk.lines
    assert (line.phone.over, line.done.is_set(), desk.active, desk.next_ms) == (True, True, 0, None)
    log, gone, over = ended_with(line)
    assert str(log).startswith("Log(level='error', message='the simulator failed: TypeError in test_exchange.py, line ")
    assert (gone, over) == (Gone("LEG-A", 480, "service"), Over("the simulator failed"))
    with refused("NotFoundException"):
        desk.act(line.transaction, HangUp())
    assert len(desk.dial_in(THEIRS, OURS).phone.events) == 1


def test_a_call_that_a_fault_of_the_simulator_ends_leaves_its_meeting(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = exchange(Talkative())
    room = desk.meetings.create("room-7", "weekly", "us-east-1", 0).id
    ann = desk.meetings.add(room, Wanted("ann"), 0)
    line = desk.place(
        "+17035550122", OURS, "app-1", headers={"X-chime-meeting-id": room, "X-chime-join-token": ann.token}
    )
    desk.wait(0)
    assert ann.connection == f"{line.transaction} LEG-A"
    broken_once(monkeypatch)
    with pytest.raises(TypeError):
        desk.update(line.transaction, {})
    assert ann.connection == ""


def test_a_function_may_call_the_exchange_while_it_answers() -> None:
    desk: Exchange

    def function(event: dict[str, Any]) -> object:
        if event["InvocationEventType"] == "NEW_INBOUND_CALL":
            desk.place(THEIRS, OURS, "app-1", {"because": "of another"})
            desk.update(event["CallDetails"]["TransactionId"], {"to": "itself"})
            return reply(speak("Hello."), pause(30_000))
        return reply()

    desk = exchange(function)
    line = desk.dial_in(THEIRS, OURS)
    desk.wait(5_000)
    assert kinds(line) == ["NEW_INBOUND_CALL", "CALL_UPDATE_REQUESTED"]
    assert kinds(desk.lines[1]) == ["NEW_OUTBOUND_CALL", "RINGING", "CALL_ANSWERED"]


def test_the_time_a_function_says_it_took_passes() -> None:
    function = Function({"NEW_INBOUND_CALL": reply(hangup())})
    route = Route("app-1", lambda world, line: Phone(function, world=world, around=line, delay_ms=lambda _event: 1_500))
    desk = Exchange(lambda *_: route)
    line = desk.dial_in(THEIRS, OURS)
    desk.wait(1_499)
    assert kinds(line) == ["NEW_INBOUND_CALL"]
    desk.wait(1)
    assert kinds(line) == ["NEW_INBOUND_CALL", "HANGUP"]
    assert not line.done.is_set()
    desk.wait(1_500)
    assert line.done.is_set()


def test_only_so_many_calls_that_are_over_are_kept() -> None:
    desk = exchange(Function({"NEW_INBOUND_CALL": [reply(hangup())] * 1_005}))
    for _ in range(1_005):
        desk.dial_in(THEIRS, OURS)
    assert len(desk.lines) == 1_000


def test_what_each_leg_hears_does_not_depend_on_the_other_calls() -> None:
    """A call in company is the call alone."""

    def heard(line: Line) -> list[Any]:
        return [(entry.at_ms, entry.value) for entry in line.phone.transcript if isinstance(entry.value, Hears)]

    alone = exchange(Talkative())
    single = alone.dial_in(THEIRS, OURS)
    alone.settle()
    crowd = exchange(Talkative())
    lines = []
    for _ in range(20):
        lines.append(crowd.dial_in(THEIRS, OURS))
        crowd.wait(777)
    crowd.settle()
    assert [heard(line) for line in lines] == [heard(single)] * 20


@given(st.lists(st.sampled_from(["in", "out", "update", "key", "leave", "wait"]), max_size=40))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_whatever_happens_active_calls_and_their_count_agree(orders: list[str]) -> None:
    desk, refusals = exchange(Talkative(), quotas=Quotas(1, 5, 4)), {""}
    for place_, order in enumerate(orders):
        alive = [line for line in desk.lines if not line.done.is_set()]
        chosen = alive[place_ % len(alive)] if alive else None
        try:
            if order == "in":
                desk.dial_in(THEIRS, OURS)
            elif order == "out":
                place(desk)
            elif order == "wait":
                desk.wait(700)
            elif chosen is not None and order == "update":
                desk.update(chosen.transaction, {"a": "b"})
            elif chosen is not None:
                desk.act(chosen.transaction, Key("1") if order == "key" else HangUp())
        except RefusedError as why:
            refusals.add(why.error)
        except ValueError:  # a key on a line that still rings
            refusals.add("")
        assert desk.active <= 4
        assert desk.active == sum(not line.phone.over for line in desk.lines)
    assert refusals <= {"", "ThrottledClientException", "ResourceLimitExceededException"}


def test_a_rate_is_a_sliding_second() -> None:
    rate = Rate(2)
    assert [rate.take(at) for at in (0, 600, 700, 999, 1_000, 1_001, 1_600)] == [
        True,
        True,
        False,
        False,
        True,
        False,
        True,
    ]
    assert not Rate(0).take(0)


# ---- clocks --------------------------------------------------------------------------------------------------------


def test_a_virtual_clock_stands_still() -> None:
    clock = VirtualClock()
    assert (clock.now_ms(), clock.seconds_until(0), clock.seconds_until(1)) == (0, 0.0, None)
    clock.go_to(50)
    clock.go_to(20)
    assert (clock.now_ms(), clock.seconds_until(50)) == (50, 0.0)


def test_a_running_clock_is_fast_and_in_real_time_while_it_is_held() -> None:
    now = [100.0]
    clock = RunningClock(10, lambda: now[0])
    now[0] += 1.0
    assert (clock.now_ms(), clock.seconds_until(15_000)) == (10_000, 0.5)
    clock.hold()
    clock.hold()
    now[0] += 1.0
    assert (clock.now_ms(), clock.seconds_until(12_000)) == (11_000, 1.0)
    clock.release()
    now[0] += 1.0
    assert clock.now_ms() == 12_000
    clock.release()
    now[0] += 1.0
    assert (clock.now_ms(), clock.seconds_until(0)) == (22_000, 0.0)
    with pytest.raises(ValueError, match="forward"):
        RunningClock(0)


def test_a_slow_clock_is_not_made_faster_by_work() -> None:
    now = [0.0]
    clock = RunningClock(0.5, lambda: now[0])
    clock.hold()
    now[0] += 1.0
    assert clock.now_ms() == 500


# ---- running -------------------------------------------------------------------------------------------------------


def test_calls_go_on_by_themselves_on_a_running_clock() -> None:
    with running(exchange(Talkative(), clock=RunningClock(200))) as desk:
        lines = [place(desk) for _ in range(5)]
        assert all(line.done.is_set() is False for line in lines)
        talking = threading.Event()
        desk.on_entry = lambda _line, entry: talking.set() if isinstance(entry.value, Hears) else None
        assert talking.wait(DEADLINE_S)
        for line in lines:
            while not any(kind == "CALL_ANSWERED" for kind in kinds(line)):
                assert talking.wait(DEADLINE_S)
            desk.update(line.transaction, {"stop": "yes"})
            assert line.done.wait(DEADLINE_S)
        assert desk.active == 0


def test_in_a_running_exchange_functions_work_side_by_side_and_may_call_it() -> None:
    both = threading.Barrier(2, timeout=DEADLINE_S)
    desk: Exchange

    def function(event: dict[str, Any]) -> object:
        if event["InvocationEventType"] == "NEW_INBOUND_CALL":
            both.wait()
            desk.update(event["CallDetails"]["TransactionId"], {"from": "the function"})
            return reply(pause(30_000))
        return reply(hangup())

    desk = exchange(function, clock=RunningClock(50))
    with running(desk):
        lines = [desk.dial_in(THEIRS, OURS) for _ in range(2)]
        for line in lines:
            assert line.done.wait(DEADLINE_S)
            assert kinds(line) == ["NEW_INBOUND_CALL", "CALL_UPDATE_REQUESTED", "ACTION_INTERRUPTED", "HANGUP"]


def test_a_slow_function_is_slow_in_real_time_only() -> None:
    """On a clock 10,000 times as fast, a millisecond of work is not ten seconds of the call."""
    with running(exchange(Talkative(), clock=RunningClock(10_000))) as desk:
        line = desk.dial_in(THEIRS, OURS)
        with desk.changed:
            assert desk.changed.wait_for(lambda: len(line.phone.events) >= 2, DEADLINE_S)
        assert kinds(line)[:2] == ["NEW_INBOUND_CALL", "ACTION_SUCCESSFUL"]
        assert [one.attempt for one in line.phone.outputs if isinstance(one, Deliver)][:2] == [1, 1]


def test_what_breaks_in_the_thread_is_raised_where_the_block_ends() -> None:
    def broken(_line: Line, _entry: Any) -> None:
        if threading.current_thread().name == "sma-flows exchange":
            raise RuntimeError("a bug")

    desk = exchange(Talkative(), clock=RunningClock(1_000), on_entry=broken)

    def block() -> None:
        with running(desk):
            place(desk)
            threading.Event().wait(0.2)

    with pytest.raises(RuntimeError, match="a bug"):
        block()


@pytest.mark.parametrize("delay_ms", [0, 1_500])
def test_a_fault_of_the_simulator_ends_one_call_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, delay_ms: int
) -> None:
    broken_once(monkeypatch)
    phone = partial(Phone, Talkative(), delay_ms=lambda _event: delay_ms)
    desk = Exchange(
        lambda *_: Route("app-1", lambda world, line: phone(world=world, around=line)),
        clock=RunningClock(1_000),
        quotas=Quotas(active_calls=1),
    )

    def block() -> None:
        with running(desk):
            first = desk.dial_in(THEIRS, OURS)
            assert first.done.wait(DEADLINE_S)
            assert len(ended_with(first)) == 3
            second = desk.dial_in(THEIRS, OURS)  # the only call that may be active
            assert second.done.wait(0.2) is False
            with desk.changed:
                assert desk.changed.wait_for(lambda: len(second.phone.events) >= 2, DEADLINE_S)

    with pytest.raises(TypeError, match="no such thing"):
        block()
    with running(desk):
        pass  # it is raised once


def test_by_hand_and_running_do_not_mix() -> None:
    desk = exchange(Talkative(), clock=RunningClock())
    with pytest.raises(TypeError):
        desk.wait(1)


def test_a_world_of_its_own() -> None:
    desk = exchange(Talkative(), world=World(region="eu-central-1", numbers=frozenset({"+14155550100"})))
    line = desk.place(THEIRS, "+14155550100", "app-1")
    details = line.phone.events[0]["CallDetails"]
    assert (details["AwsRegion"], details["SipMediaApplicationId"]) == ("eu-central-1", "app-1")
