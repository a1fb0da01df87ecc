"""What is made for a call, in which order, and what stays when a step fails."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from sma_flows.simulator.api.faults import Fault
from sma_flows.simulator.messages import HangUp

from .rig import FLOWS, OTHER, PERSON, Rig, claims, wanted

Rigs = Callable[..., AbstractContextManager[Rig]]


def test_a_call_is_made_in_order_and_the_browser_gets_its_seat(rig: Rig) -> None:
    answer = rig.post()
    assert answer.status == 201
    assert answer.body["state"] == "ringing"
    assert [name for name in rig.asked() if name != "GetMeeting"] == [
        "CreateMeeting",
        "CreateAttendee",
        "CreateSipMediaApplicationCall",
    ]
    meeting, seat = answer.body["meeting"], answer.body["attendee"]
    assert rig.living() == [meeting["MeetingId"]]
    assert meeting["MediaPlacement"]["AudioHostUrl"]
    (attendee,) = rig.service.plane.meetings.roster(meeting["MeetingId"], rig.service.plane.now_ms)
    assert seat["AttendeeId"] == attendee
    assert seat["JoinToken"]


def test_the_telephone_is_given_ids_and_no_token(rig: Rig) -> None:
    answer = rig.post(wanted(name="  Ana Torres ", language="es-US"))
    (line,) = rig.service.exchange.lines
    entry = next(e for e in line.phone.transcript if "NEW_OUTBOUND_CALL" in str(e.value))
    event = json.loads(re.search(r"\{.*\}", entry.value.body, re.DOTALL)[0])
    assert event["ActionData"]["Parameters"]["Arguments"] == {
        "flow": "web-call",
        "web_call": answer.body["call"],
        "visitor": "Ana Torres",
        "language": "es-US",
        "meeting": answer.body["meeting"]["MeetingId"],
    }


def test_the_row_holds_no_number_name_token_or_claim(rig: Rig) -> None:
    answer = rig.post()
    kept = json.dumps(rig.kept(), default=str)
    for text in (PERSON, PERSON[1:], "Ana", "u-1", "t-1", answer.body["attendee"]["JoinToken"]):
        assert text not in kept
    assert set(rig.row(answer.body["call"])) == {"owner", "created", "transaction"}


def test_a_call_goes_from_ringing_over_talking_to_its_end(rig: Rig) -> None:
    call = rig.post().body["call"]
    assert rig.get(call).body == {"call": call, "state": "ringing", "outcome": None}
    rig.says(call, talking="yes")
    assert rig.get(call).body["state"] == "talking"
    rig.says(call, ended="talked")
    assert rig.get(call).body == {"call": call, "state": "ended", "outcome": "talked"}


def test_an_end_that_was_written_before_the_talk_stays_the_end(rig: Rig) -> None:
    call = rig.post().body["call"]
    rig.says(call, ended="talked")
    rig.says(call, talking="yes")
    assert rig.get(call).body["state"] == "ended"


def test_an_outcome_that_nobody_knows_is_unknown(rig: Rig) -> None:
    call = rig.post().body["call"]
    rig.says(call, ended="<script>")
    assert rig.get(call).body["outcome"] == "unknown"


@pytest.mark.parametrize(
    ("talking", "age", "state"),
    [("", 280, "ringing"), ("", 301, "ended"), ("yes", 9999, "talking"), ("yes", 86401, "ended")],
)
def test_a_call_of_which_nothing_more_is_heard_is_over_some_day(rig: Rig, talking: str, age: int, state: str) -> None:
    call = rig.post().body["call"]
    row = rig.row(call)
    rig.says(call, created=row["created"] - age, talking=talking)
    assert rig.get(call).body["state"] == state


def test_keys_are_sent_while_both_talk(rig: Rig) -> None:
    call = rig.post().body["call"]
    rig.says(call, talking="yes")
    answer = rig.keys(call, "12#")
    assert (answer.status, answer.text) == (202, "")
    assert rig.asked()[-1] == "UpdateSipMediaApplicationCall"


def test_keys_for_a_call_that_is_over_are_refused(rig: Rig) -> None:
    call = rig.post().body["call"]
    rig.says(call, talking="yes")
    (line,) = rig.service.exchange.lines
    rig.service.exchange.wait(6_000)
    rig.service.exchange.act(line.transaction, HangUp("LEG-A"))  # and nobody has written it down yet
    rig.service.exchange.wait(1_000)
    assert line.phone.over
    answer = rig.keys(call, "1")
    assert (answer.status, answer.error) == (409, "call_ended")
    rig.says(call, ended="talked")
    assert rig.keys(call, "1").error == "call_ended"


def test_the_end_of_a_call_ends_its_meeting_and_tells_the_telephone(rig: Rig) -> None:
    call = rig.post().body["call"]
    answer = rig.end(call)
    assert (answer.status, answer.text) == (204, "")
    assert rig.living() == []
    assert [name for name in rig.asked() if name.startswith(("Update", "Delete"))] == [
        "UpdateSipMediaApplicationCall",
        "DeleteMeeting",
    ]
    assert rig.get(call).body == {"call": call, "state": "ended", "outcome": "cancelled"}
    assert rig.end(call).status == 204, "once more does no harm"


def test_a_call_that_ended_by_itself_is_not_ended_again(rig: Rig) -> None:
    call = rig.post().body["call"]
    rig.says(call, ended="declined")
    before = rig.asked()
    assert rig.end(call).status == 204
    assert rig.asked() == before
    assert rig.get(call).body["outcome"] == "declined"


def test_an_update_that_cannot_be_sent_does_not_keep_the_call_alive(rig: Rig) -> None:
    call = rig.post().body["call"]
    rig.service.plane.faults.add(Fault("UpdateSipMediaApplicationCall", "throttle", 0))
    assert rig.end(call).status == 204
    assert rig.living() == []
    assert rig.row(call)["wanted"] == "no", "the flow looks there when the telephone is picked up"


def test_an_end_that_fails_is_said_and_can_be_tried_again(rig: Rig) -> None:
    call = rig.post().body["call"]
    rig.service.plane.faults.add(Fault("DeleteMeeting", "unavailable", 2))
    answer = rig.end(call)
    assert (answer.status, answer.error) == (503, "unavailable")
    assert rig.end(call).status == 204
    assert rig.living() == []


# ---- limits


def test_a_user_has_as_many_calls_as_the_limit_says(rigs: Rigs) -> None:
    with rigs(PER_USER="2/1d") as rig:
        assert [rig.post().status for _ in range(3)] == [201, 201, 429]
        answer = rig.post()
        assert answer.error == "too_many_for_user"
        assert 0 < int(answer.headers["Retry-After"]) <= 86_400
        assert rig.post(who=claims(sub="u-2")).status == 201


def test_a_number_is_called_as_often_as_the_limit_says_whoever_asks(rigs: Rigs) -> None:
    with rigs(PER_DESTINATION="2/1d") as rig:
        askers = [claims(sub=f"u-{number}", tenant=f"t-{number}") for number in range(3)]
        assert [rig.post(who=each).status for each in askers] == [201, 201, 429]
        answer = rig.post(wanted(to="+1 (206) 555-0150"), claims(sub="u-8"))
        assert answer.error == "too_many_for_destination", "however it is written"
        assert rig.post(wanted(to=OTHER), claims(sub="u-9")).status == 201


def test_a_tenant_has_as_many_calls_as_the_limit_says(rigs: Rigs) -> None:
    with rigs(PER_TENANT="2/1d") as rig:
        askers = [claims(sub=f"u-{number}") for number in range(3)]
        assert [rig.post(who=each).status for each in askers] == [201, 201, 429]
        assert rig.post(who=claims(sub="u-4", tenant="t-2")).status == 201


def test_who_is_refused_by_one_limit_has_used_none_of_the_others(rigs: Rigs) -> None:
    with rigs(PER_USER="2/1d", PER_DESTINATION="1/1d") as rig:
        assert rig.post().status == 201
        for _ in range(5):
            assert rig.post().error == "too_many_for_destination"
        assert rig.post(wanted(to=OTHER)).status == 201


def test_a_refused_request_may_come_again_with_its_id(rigs: Rigs) -> None:
    with rigs(PER_DESTINATION="1/1d") as rig:
        rig.post()
        again = wanted()
        assert rig.post(again).status == 429
        assert rig.post({**again, "to": OTHER}).status == 201


# ---- what AWS does not do

STEPS = ("CreateMeeting", "GetMeeting", "CreateAttendee", "CreateSipMediaApplicationCall")
REFUSALS = ("throttle", "deny", "unauthorized", "BadRequestException")
LOSSES = ("time_out", "lost_answer", "unavailable", "failure", "garbage", "empty")


@pytest.mark.parametrize("kind", [*REFUSALS, *LOSSES])
@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_fails_is_answered_and_nothing_is_made_twice(rig: Rig, step: str, kind: str) -> None:
    rig.service.plane.faults.add(Fault(step, kind, 0, seconds=0.1))
    request = wanted()
    answer = rig.post(request)
    assert (answer.status, answer.error) == (503, "unavailable")
    assert answer.body["message"]
    rig.service.plane.faults.clear()

    placed = step == STEPS[-1] and kind not in REFUSALS  # nobody knows whether it was
    lost = step == "CreateMeeting" and kind == "lost_answer"  # made, and never heard of: it ends by itself, empty
    assert len(rig.living()) == int(lost)
    assert len(rig.telephone()) == int(step == STEPS[-1] and kind == "lost_answer")
    assert rig.asked().count("CreateSipMediaApplicationCall") == int(step == STEPS[-1]), "it is asked for once"

    again = rig.post(request)
    if placed:
        call = answer.body["call"]
        assert (again.status, again.body["call"]) == (409, call)
        assert rig.row(call)["wanted"] == "no", "whoever picks up hears that nobody is waiting"
        assert rig.get(call).body["state"] == "ended"
    else:
        assert again.status == 201, "nothing of the first try is left"
        assert len(rig.telephone()) == 1
    assert len(rig.living()) == int(lost) * int(not placed) + int(again.status == 201) - int(lost)


@pytest.mark.parametrize("kind", ["throttle", "time_out", "lost_answer", "unavailable"])
@pytest.mark.parametrize("step", STEPS[:-1])
def test_a_step_that_fails_once_is_tried_again_and_makes_one_of_everything(rig: Rig, step: str, kind: str) -> None:
    rig.service.plane.faults.add(Fault(step, kind, 1, seconds=0.1))
    answer = rig.post()
    assert answer.status == 201
    assert rig.living() == [answer.body["meeting"]["MeetingId"]]
    roster = rig.service.plane.meetings.roster(answer.body["meeting"]["MeetingId"], rig.service.plane.now_ms)
    assert list(roster) == [answer.body["attendee"]["AttendeeId"]]
    assert len(rig.telephone()) == 1


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_call_that_was_certainly_not_placed_counts_for_no_limit(rigs: Rigs, kind: str) -> None:
    with rigs(PER_USER="1/1d") as rig:
        rig.service.plane.faults.add(Fault("CreateSipMediaApplicationCall", kind, 1))
        assert rig.post().status == 503
        assert rig.post().status == 201


def test_a_call_that_may_have_been_placed_counts(rigs: Rigs) -> None:
    with rigs(PER_USER="1/1d") as rig:
        rig.service.plane.faults.add(Fault("CreateSipMediaApplicationCall", "lost_answer", 1, seconds=0.1))
        assert rig.post().status == 503
        assert rig.post().status == 429


def test_a_failed_undo_is_noted_and_hides_nothing(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.service.plane.faults.add(Fault("CreateSipMediaApplicationCall", "deny", 1))
    rig.service.plane.faults.add(Fault("DeleteMeeting", "deny", 0))
    assert rig.post().status == 503
    troubles = caplog.records[-1].__dict__["troubles"]
    assert [trouble["step"] for trouble in troubles] == ["dial", "close_meeting"]


def test_a_call_that_cannot_be_noted_down_is_ended(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    from sma_flows.errors import ServiceError
    from sma_flows.services.local.directory import LocalDirectory

    put = LocalDirectory.put

    def failing(self: LocalDirectory, table: str, key: str, values: Any, *more: Any) -> None:
        if "transaction" in values:
            raise ServiceError("the store is busy")
        put(self, table, key, values, *more)

    monkeypatch.setattr(LocalDirectory, "put", failing)
    request = wanted()
    answer = rig.post(request)
    assert (answer.status, answer.error) == (503, "unavailable")
    assert rig.asked()[-2:] == ["UpdateSipMediaApplicationCall", "DeleteMeeting"]
    assert rig.living() == []
    assert rig.post(request).status == 409


def test_a_store_that_does_not_answer_makes_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    from sma_flows.errors import ServiceError
    from sma_flows.services.local.limits import LocalLimits

    def failing(*_args: object) -> bool:
        raise ServiceError("the store is busy")

    monkeypatch.setattr(LocalLimits, "reserve", failing)
    request = wanted()
    answer = rig.post(request)
    assert (answer.status, answer.error) == (503, "unavailable")
    assert rig.asked() == []
    monkeypatch.undo()
    assert rig.post(request).status == 201


def test_services_that_keep_silent_cost_no_more_time_than_the_function_has(rig: Rig) -> None:
    """Counted on a clock that only the steps put forward: each takes all the time that it is given."""
    from sma_flows.errors import ServiceError
    from sma_flows.web.calls import UNDO_S, WHOLE_S, WebCalls
    from sma_flows.web.refused import RefusedError

    function = rig.function()
    real: WebCalls = function._calls
    spent = [0.0]

    class Clock:
        def now(self) -> float:
            return 1_800_000_000.0

        def monotonic(self) -> float:
            return spent[0]

        def sleep(self, seconds: float) -> None:
            spent[0] += seconds

    class Silent:
        """Every operation uses its time up; *works* of them do their work all the same."""

        def __init__(self, inner: Any, works: bool) -> None:
            self.inner, self.works = inner, works

        def __getattr__(self, name: str) -> Any:
            def operation(*args: Any) -> Any:
                seconds = next(value for value in reversed(args) if isinstance(value, float))
                spent[0] += seconds
                if not self.works:
                    raise ServiceError("silence")
                return {"claim": True, "reserve": True, "open": "m", "show": {"MeetingId": "m"}}.get(name)

            return operation

    for works in (True, False):
        spent[0] = 0.0
        calls = WebCalls(
            real.settings,
            real.outbound,
            Silent(real.directory, True),
            Silent(real.limits, works),
            Silent(real.meetings, works),
            Silent(real.calls, False),
            Clock(),
        )
        with pytest.raises(RefusedError):
            calls.place(real.settings.gate.claimed(claims(), 0), "r", PERSON, "Ana", "en-US")
        assert 2 < spent[0] <= WHOLE_S + UNDO_S + 0.001


def test_the_function_has_as_much_time_as_its_steps() -> None:
    from sma_flows.web.calls import UNDO_S, WHOLE_S

    text = (FLOWS.parent / "template.yaml").read_text("utf-8")
    timeout = int(re.search(r"\n  WebFunction:.*?\n      Timeout: (\d+)", text, re.DOTALL)[1])
    assert WHOLE_S + UNDO_S < timeout < 29


def test_a_mistake_of_ours_is_undone_and_told_to_nobody_but_the_log(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from sma_flows.services.aws.calls import AwsCalls

    def broken(*_args: object) -> str:
        raise KeyError(PERSON)

    monkeypatch.setattr(AwsCalls, "create", broken)
    request = wanted()
    answer = rig.post(request)
    assert (answer.status, answer.body) == (500, {"error": "internal", "message": "Something went wrong here."})
    assert rig.living() == []
    record = caplog.records[-1].__dict__
    assert (record["levelname"], record["error"]) == ("ERROR", "KeyError")
    assert PERSON not in str(record)
    monkeypatch.undo()
    assert rig.post(request).status == 201
