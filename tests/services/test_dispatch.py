from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sma_flows.errors import ServiceError
from sma_flows.hooks import Call, Reply, Secret
from sma_flows.runtime.ask import FAILED, ServiceReply
from sma_flows.services.dispatch import LocalServices, troubles_by_reason
from sma_flows.services.local.database import Database, StoreDownError
from sma_flows.services.ports import Memo

from .world import (
    CALL,
    HOUR,
    MASKED,
    NOW,
    SECRET,
    TEXT,
    WAIT,
    Counting,
    FakeClock,
    an_ask,
    hook,
    per_caller,
    perform,
    reasons,
    services,
    spin,
)

# --- what a hook gets and gives ----------------------------------------------------------------------------------


def test_a_hook_is_told_of_its_call_and_gets_its_arguments_in_order() -> None:
    check = Counting("ok")
    made = services(check)
    assert perform(made, an_ask("1001", None, Secret("482913"))).outcome == "ok"
    call, *args = check.calls[0]
    assert isinstance(call, Call)
    assert (call.id, call.caller, call.called, call.locale, call.state, call.direction, call.token) == (
        CALL.id,
        CALL.caller,
        CALL.called,
        CALL.locale,
        CALL.state,
        CALL.direction,
        "token1",
    )
    assert args == ["1001", None, Secret("482913")]


def test_the_deadline_of_a_hook_is_its_budget_or_what_is_left_of_the_invocation() -> None:
    check, clock = Counting("ok"), FakeClock()
    made = services(check, clock=clock)
    made.perform(an_ask(budget_ms=1500), NOW + 3)
    made.perform(an_ask(budget_ms=1500), NOW + 0.5)
    assert [call[0].deadline - NOW for call in check.calls] == [1.5, 0.5]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ServiceReply("ok")),
        ("wrong", ServiceReply("wrong")),
        ("failed", FAILED),
        (Reply("ok"), ServiceReply("ok")),
        (Reply("ok", room="r-1"), ServiceReply("ok", {"room": "r-1"})),
        (Reply("ok", room=("a", {"b": 1})), ServiceReply("ok", {"room": ["a", {"b": 1}]})),
    ],
)
def test_what_a_hook_returns_becomes_a_reply(given: object, expected: ServiceReply) -> None:
    made = services(Counting(given))
    assert perform(made, an_ask(hook=hook({"ok": {"room": TEXT}, "wrong": {}}))) == expected
    assert reasons(made) == []


@pytest.mark.parametrize(
    "garbage",
    [
        42,
        True,
        {"outcome": "ok"},
        ["ok"],
        object(),
        "maybe",
        "",
        Reply("maybe"),
        Reply(["ok"]),  # type: ignore[arg-type]
        Reply("wrong", room="r-1"),
        Reply("ok", room=object()),
        Reply("ok", room={1: "a"}),
        Reply("ok", room={"a", "b"}),
        Reply("ok", room=b"bytes"),
        Reply("ok", other="x"),
        Reply("ok", room=Secret("482913")),
        ServiceReply("limited"),
        lambda: "ok",
    ],
)
def test_garbage_from_a_hook_is_failed_and_counted(garbage: object) -> None:
    made = services(Counting(garbage))
    assert perform(made, an_ask(hook=hook({"ok": {"room": TEXT}, "wrong": {}}))) == FAILED
    assert reasons(made) == ["hook_reply"]


def test_a_reply_that_never_ends_is_failed() -> None:
    endless: list[Any] = []
    endless.append(endless)
    made = services(Counting(Reply("ok", room=endless)))
    assert perform(made, an_ask(hook=hook({"ok": {"room": TEXT}}))) == FAILED
    assert reasons(made) == ["hook_raised"]


@pytest.mark.parametrize("raised", [ValueError("PIN 482913"), KeyError("482913"), SystemExit(1), RecursionError()])
def test_an_exception_of_a_hook_is_failed_and_its_text_is_told_to_nobody(raised: BaseException) -> None:
    made = services(Counting(raised))
    assert perform(made, an_ask()) == FAILED
    (trouble,) = made.take_troubles()
    assert (trouble.reason, trouble.what) == ("hook_raised", "check")
    assert trouble.detail.startswith(type(raised).__name__)
    assert "world.py" in trouble.detail
    assert "482913" not in repr(trouble)


def test_a_secret_of_a_declared_secret_result_is_unwrapped() -> None:
    made = services(Counting(Reply("ok", token=Secret("abc"), pin=Secret("482913"))))
    reply = perform(made, an_ask(hook=hook({"ok": {"token": MASKED, "pin": SECRET}})))
    assert reply == ServiceReply("ok", {"token": "abc", "pin": "482913"})


def test_a_hook_that_is_not_there_is_failed() -> None:
    made = services(Counting("ok"))
    assert perform(made, an_ask(revision="rev0")) == FAILED
    assert reasons(made) == ["hook_missing"]


# --- time --------------------------------------------------------------------------------------------------------


def swallowing(_call: Call) -> str:
    while True:
        with contextlib.suppress(Exception):
            spin()


@pytest.mark.parametrize("late", [lambda _call: spin(), swallowing])
def test_a_hook_that_takes_too_long_is_stopped(late: Callable[..., object]) -> None:
    made = services(late)
    assert perform(made, an_ask(budget_ms=50)) == FAILED
    assert reasons(made) == ["hook_late"]
    assert perform(services(Counting("ok")), an_ask()).outcome == "ok"


def test_nothing_begins_when_no_time_is_left() -> None:
    check = Counting("ok")
    made = services(check)
    assert perform(made, an_ask(), seconds=0) == FAILED
    assert check.calls == []
    assert reasons(made) == ["hook_late"]


def test_where_nothing_can_be_stopped_the_hook_runs_and_the_record_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sma_flows.services.dispatch.can_stop", lambda: False)
    made = services(Counting("ok"))
    assert perform(made, an_ask()).outcome == "ok"
    assert reasons(made) == ["no_timer"]


# --- at most once (decision 18) ----------------------------------------------------------------------------------


def test_a_once_hook_runs_once_for_each_token() -> None:
    check = Counting("ok", "wrong")
    made = services(check)
    replies = [perform(made, an_ask(effect="once", token=token)).outcome for token in ("a", "a", "b", "a", "b")]
    assert replies == ["ok", "ok", "wrong", "ok", "wrong"]
    assert len(check.calls) == 2


@pytest.mark.parametrize("effect", ["read", "keyed", "repeatable"])
def test_hooks_of_other_classes_run_again(effect: str) -> None:
    check = Counting("ok")
    made = services(check)
    for _ in range(3):
        perform(made, an_ask(effect=effect))
    assert len(check.calls) == 3


@pytest.mark.parametrize("reply", [ValueError(), "undeclared"])
def test_a_once_hook_that_failed_is_not_tried_again(reply: object) -> None:
    check = Counting(reply, "ok")
    made = services(check)
    assert [perform(made, an_ask(effect="once")) for _ in range(2)] == [FAILED, FAILED]
    assert len(check.calls) == 1


def test_a_once_hook_that_was_stopped_is_not_tried_again() -> None:
    made = services(lambda _call: spin())
    ask = an_ask(effect="once", budget_ms=50)
    assert perform(made, ask) == FAILED
    made.functions = {("rev1", "check"): Counting("ok")}
    assert perform(made, ask) == FAILED


def test_the_second_invocation_waits_for_the_reply_of_the_first() -> None:
    clock = FakeClock()
    check = Counting("wrong")
    made = services(check, clock=clock)
    assert made.memo is not None
    made.memo.begin("token1", 3, NOW, WAIT)  # the first invocation
    finish = made.memo.finish
    clock.while_asleep = lambda: clock.slept > 0.5 and finish("token1", '{"outcome": "ok", "values": {}}', NOW, WAIT)
    assert perform(made, an_ask(effect="once")).outcome == "ok"
    assert check.calls == []


def test_the_second_invocation_waits_no_longer_than_its_own_budget() -> None:
    clock = FakeClock()
    made = services(Counting("ok"), clock=clock)
    assert made.memo is not None
    made.memo.begin("token1", 30, NOW, WAIT)
    assert perform(made, an_ask(effect="once", budget_ms=1000)) == FAILED
    assert clock.slept == pytest.approx(1.0, abs=0.05)
    assert reasons(made) == ["memo_busy"]


def test_an_effect_that_may_have_happened_is_not_repeated() -> None:
    clock = FakeClock()
    check = Counting("ok")
    made = services(check, clock=clock)
    assert made.memo is not None
    made.memo.begin("token1", 1, NOW, WAIT)
    clock.time += 1.5
    assert perform(made, an_ask(effect="once")) == FAILED
    assert check.calls == []
    assert reasons(made) == ["memo_lost"]


def test_the_lease_is_the_budget_and_a_second() -> None:
    leases: list[float] = []

    class Watching:
        def begin(self, _token: str, lease_s: float, _now: float, _timeout_s: float) -> Memo:
            leases.append(lease_s)
            return Memo("run")

        def finish(self, *_args: object) -> None:
            """Nothing to remember."""

    made = LocalServices({("rev1", "check"): Counting("ok")}, memo=Watching(), clock=FakeClock())
    perform(made, an_ask(effect="once", budget_ms=1500))
    assert leases == [2.5]


def test_results_are_remembered_and_a_secret_is_not(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    declared = hook({"ok": {"room": TEXT, "pin": SECRET}, "wrong": {"room": TEXT}})
    made = services(Counting(Reply("ok", room="r-1", pin="482913"), Reply("wrong", room="r-2")), path)
    ask = an_ask(Secret("915702"), effect="once", hook=declared)
    assert perform(made, ask).values == {"room": "r-1", "pin": "482913"}
    assert perform(made, ask) == FAILED  # at most once, and the reply is not there any more
    assert [perform(made, an_ask(effect="once", token="b", hook=declared)).values for _ in range(2)] == [
        {"room": "r-2"},
        {"room": "r-2"},
    ]
    store = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"482913" not in store
    assert b"915702" not in store


def test_without_a_store_a_once_hook_does_not_run() -> None:
    check = Counting("ok")
    made = LocalServices({("rev1", "check"): check})
    assert perform(made, an_ask(effect="once")) == FAILED
    assert check.calls == []
    assert reasons(made) == ["store"]


def test_in_clean_up_without_a_store_it_runs_and_the_record_says_that_it_may_repeat() -> None:
    check = Counting("ok")
    made = LocalServices({("rev1", "check"): check})
    assert perform(made, an_ask(effect="once", cleanup=True)).outcome == "ok"
    assert reasons(made) == ["may_repeat"]


class Down:
    """A store that is not there."""

    def __getattr__(self, _name: str) -> Callable[..., Any]:
        def down(*_args: object) -> None:
            raise StoreDownError("down")

        return down


@pytest.mark.parametrize("ask", [an_ask(effect="once"), an_ask(limits=(per_caller(),))])
def test_with_the_store_down_what_needs_it_fails_and_does_not_run(ask: Any) -> None:
    check = Counting("ok")
    made = LocalServices({("rev1", "check"): check}, memo=Down(), limits=Down())
    assert perform(made, ask) == FAILED
    assert check.calls == []
    assert troubles_by_reason(made.take_troubles()) == {"store": 1}


def test_with_the_store_down_what_does_not_need_it_goes_on() -> None:
    made = LocalServices({("rev1", "check"): Counting("ok")}, memo=Down(), limits=Down())
    assert perform(made, an_ask(effect="keyed")).outcome == "ok"


def test_a_reply_that_cannot_be_remembered_is_given_all_the_same() -> None:
    class Half(Down):
        def begin(self, *_args: object) -> Memo:
            return Memo("run")

    made = LocalServices({("rev1", "check"): Counting("ok")}, memo=Half())
    assert perform(made, an_ask(effect="once")).outcome == "ok"
    assert reasons(made) == ["memo_unwritten"]


# --- limits (decision 20) ----------------------------------------------------------------------------------------


def guesses(made: LocalServices, *tokens: str, **changes: Any) -> list[str]:
    return [perform(made, an_ask(token=token, **{"limits": (per_caller(),), **changes})).outcome for token in tokens]


def test_the_last_of_so_many_outcomes_is_limited_and_then_the_hook_is_not_run() -> None:
    check = Counting("wrong")
    made = services(check, clock=FakeClock())
    assert guesses(made, "a", "b", "c", "d", "e") == ["wrong", "wrong", "limited", "limited", "limited"]
    assert len(check.calls) == 3


def test_other_outcomes_use_nothing_up() -> None:
    made = services(Counting("ok"), clock=FakeClock())
    assert guesses(made, *"abcdefgh") == ["ok"] * 8


@pytest.mark.parametrize("reply", [ValueError(), "undeclared", 42])
def test_a_hook_that_fails_uses_nothing_up(reply: object) -> None:
    made = services(Counting(reply), clock=FakeClock())
    assert guesses(made, *"abcdefgh") == ["failed"] * 8


def test_a_repeated_guess_counts_once_and_gets_the_same_answer() -> None:
    made = services(Counting("wrong"), clock=FakeClock())
    assert guesses(made, *"aaabbbcccd") == ["wrong"] * 6 + ["limited"] * 4


def test_a_repeated_guess_is_answered_as_before_although_others_guessed_meanwhile() -> None:
    made = services(Counting("wrong"), clock=FakeClock())
    assert guesses(made, *"abcab") == ["wrong", "wrong", "limited", "wrong", "wrong"]


def test_limits_and_at_most_once_work_together() -> None:
    check = Counting("wrong")
    made = services(check, clock=FakeClock())
    assert guesses(made, *"aabbccdd", effect="once") == ["wrong"] * 4 + ["limited"] * 4
    assert len(check.calls) == 3


def test_the_next_hour_begins_from_nothing() -> None:
    clock = FakeClock()
    made = services(Counting("wrong"), clock=clock)
    guesses(made, *"abcd")
    clock.time += HOUR
    assert guesses(made, *"efg") == ["wrong", "wrong", "limited"]


def test_a_refused_second_counter_gives_the_first_back() -> None:
    made = services(Counting("wrong"), clock=FakeClock())
    mine, target = per_caller(3), per_caller(1, key="meeting-7")
    both = (mine, target)
    assert guesses(made, "a", limits=both) == ["limited"]
    assert guesses(made, "b", "c", "d", limits=both) == ["limited"] * 3
    assert guesses(made, "e", "f", limits=(mine,)) == ["wrong", "limited"]


def test_a_limit_whose_outcome_cannot_be_stored_is_failed_and_not_unlimited() -> None:
    class Half(Down):
        def reserve(self, *_args: object) -> bool:
            return True

    made = LocalServices({("rev1", "check"): Counting("wrong")}, limits=Half())
    assert perform(made, an_ask(limits=(per_caller(),))) == FAILED


def test_without_a_store_no_limited_hook_runs() -> None:
    check = Counting("ok")
    made = LocalServices({("rev1", "check"): check})
    assert perform(made, an_ask(limits=(per_caller(),))) == FAILED
    assert check.calls == []


# --- ports -------------------------------------------------------------------------------------------------------


def test_a_seat_is_taken_listed_and_left() -> None:
    made = services()
    seat = perform(made, an_ask("m-1", port="meetings.attend", name="attend", effect="keyed"))
    again = perform(made, an_ask("m-1", port="meetings.attend", name="attend", effect="keyed"))
    assert seat.outcome == "done"
    assert seat == again
    roster = an_ask("m-1", port="meetings.roster", name="roster")
    assert perform(made, roster).values == {"attendees": [seat.values["attendee"]]}
    leave = an_ask("m-1", seat.values["attendee"], port="meetings.leave", name="leave", effect="repeatable")
    assert [perform(made, leave).outcome for _ in range(2)] == ["done", "done"]
    assert perform(made, roster).values == {"attendees": []}


@pytest.mark.parametrize(
    "ask",
    [
        an_ask(None, port="meetings.attend"),
        an_ask("", port="meetings.attend"),
        an_ask(port="meetings.attend"),
        an_ask("m-1", port="meetings.dance"),
        an_ask("m-1", port="weather"),
    ],
)
def test_what_a_port_cannot_do_is_failed(ask: Any) -> None:
    made = services()
    assert perform(made, ask) == FAILED
    assert reasons(made) == ["port"]


def test_without_a_meeting_service_nobody_attends() -> None:
    assert perform(LocalServices(), an_ask("m-1", port="meetings.attend")) == FAILED


def test_a_meeting_service_that_fails_is_failed() -> None:
    made = services()

    class Failing(Down):
        def attend(self, *_args: object) -> None:
            raise ServiceError("create_attendee: ThrottlingException")

    made.ports = type(made.ports)(meetings=Failing())
    assert perform(made, an_ask("m-1", port="meetings.attend")) == FAILED
    assert made.take_troubles()[0].detail == "create_attendee: ThrottlingException"


def test_troubles_are_taken_once() -> None:
    made = services(Counting(ValueError()))
    perform(made, an_ask())
    assert troubles_by_reason(made.take_troubles()) == {"hook_raised": 1}
    assert made.take_troubles() == []


def test_memo_records_are_plain_json(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    perform(
        services(Counting(Reply("ok", room="r-1")), store), an_ask(effect="once", hook=hook({"ok": {"room": TEXT}}))
    )
    rows = Database(store).rows("SELECT reply FROM memo", (), WAIT)
    assert [json.loads(row[0]) for row in rows] == [{"outcome": "ok", "values": {"room": "r-1"}}]
