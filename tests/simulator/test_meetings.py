"""Meetings and attendees: the life-time rules of the API, and calls that join them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.kit import B, Function, act, hangup, join, last, reply, speak, told
from sma_flows.simulator.attending import Attending, thrown_out
from sma_flows.simulator.driver import Phone
from sma_flows.simulator.meetings import Meeting, Meetings, Wanted
from sma_flows.simulator.messages import Callee, HangUp, MeetingEnds, OutboundCall
from sma_flows.simulator.model import Network, World
from sma_flows.simulator.refused import RefusedError

MINUTE = 60_000
HOUR = 60 * MINUTE
EVERYTHING = {"Audio": "SendReceive", "Video": "SendReceive", "Content": "SendReceive"}


def made(book: Meetings, token: str = "room-7", now: int = 0, **details: Any) -> Meeting:
    return book.create(token, "weekly", "us-east-1", now, details)


def refused(error: str) -> Any:
    return pytest.raises(RefusedError, match=f"^{error}: ")


# ---- meetings ------------------------------------------------------------------------------------------------------


def test_a_request_token_gives_the_same_meeting_while_it_lives() -> None:
    book = Meetings()
    assert made(book, now=MINUTE).id == made(book).id
    assert made(book, "room-8").id != made(book).id


def test_a_request_token_with_other_values_is_a_conflict() -> None:
    book = Meetings()
    made(book)
    with refused("ConflictException"):
        book.create("room-7", "monthly", "us-east-1", 0)
    with refused("ConflictException"):
        book.create("room-7", "weekly", "eu-central-1", 0)
    assert book.create("room-7", "WEEKLY", "us-east-1", 0).external == "weekly"


def test_ids_are_derived_so_the_same_requests_give_the_same_ids() -> None:
    first, second = Meetings(), Meetings()
    assert made(first).id == made(second).id
    assert book_of_two(first) == book_of_two(second)


def book_of_two(book: Meetings) -> list[tuple[str, str]]:
    meeting = made(book).id
    people = [book.add(meeting, Wanted(name), 0) for name in ("ann", "bob")]
    return [(one.id, one.token) for one in people]


def test_a_meeting_nobody_joins_ends_after_five_minutes() -> None:
    book = Meetings()
    meeting = made(book)
    assert book.get(meeting.id, 5 * MINUTE - 1).id == meeting.id
    with refused("NotFoundException"):
        book.get(meeting.id, 5 * MINUTE)


def test_a_meeting_ends_five_minutes_after_the_last_one_has_left() -> None:
    book = Meetings()
    meeting = made(book)
    seats = [book.add(meeting.id, Wanted(name), 0) for name in ("ann", "bob")]
    for seat in seats:
        book.join(meeting.id, seat.token, f"call of {seat.external}", MINUTE)
    book.leave(meeting.id, seats[0].token, "call of ann", 10 * MINUTE)
    assert book.living(60 * MINUTE) == (meeting,)
    book.leave(meeting.id, seats[1].token, "call of bob", 61 * MINUTE)
    assert book.living(66 * MINUTE - 1) == (meeting,)
    assert book.living(66 * MINUTE) == ()
    assert book.dropped() == []


def test_a_meeting_ends_after_a_day_and_throws_everybody_out() -> None:
    book = Meetings()
    meeting = made(book)
    seat = book.add(meeting.id, Wanted("ann"), 0)
    assert book.next_drop_ms() is None
    book.join(meeting.id, seat.token, "a call", 0)
    assert book.next_drop_ms() == 24 * HOUR
    book.tick(24 * HOUR - 1)
    assert book.dropped() == []
    book.tick(24 * HOUR)
    assert book.dropped() == ["a call"]
    assert book.dropped() == []


def test_a_deleted_meeting_is_gone_with_its_attendees() -> None:
    book = Meetings()
    meeting = made(book)
    seat = book.add(meeting.id, Wanted("ann"), 0)
    book.join(meeting.id, seat.token, "a call", 0)
    book.delete(meeting.id, MINUTE)
    assert book.dropped() == ["a call"]
    assert not book.admits(meeting.id, seat.token, MINUTE)
    with refused("NotFoundException"):
        book.delete(meeting.id, MINUTE)
    with refused("NotFoundException"):
        book.attendee(meeting.id, seat.id, MINUTE)


def test_the_token_of_a_meeting_that_is_over_makes_a_new_one_or_an_error() -> None:
    book = Meetings()
    first = made(book).id
    book.delete(first, 0)
    assert made(book).id != first
    strict = Meetings(after_end="error")
    strict.delete(made(strict).id, 0)
    with refused("ConflictException"):
        made(strict)


def test_an_account_has_only_so_many_meetings_at_the_same_time() -> None:
    book = Meetings(quota=2)
    made(book, "a1")
    made(book, "a2", 4 * MINUTE)
    with refused("LimitExceededException"):
        made(book, "a3", 4 * MINUTE)
    assert made(book, "a3", 5 * MINUTE)


def test_names_that_begin_with_aws_are_reserved() -> None:
    book = Meetings()
    with refused("BadRequestException"):
        book.create("room-7", "aws:weekly", "us-east-1", 0)
    with refused("BadRequestException"):
        book.add(made(book).id, Wanted("AWS:ann"), 0)


# ---- attendees -----------------------------------------------------------------------------------------------------


def test_an_external_id_gives_the_same_attendee_until_they_are_deleted() -> None:
    book = Meetings()
    meeting = made(book).id
    ann = book.add(meeting, Wanted("ann"), 0)
    assert book.add(meeting, Wanted("ann"), 0) is ann
    book.remove(meeting, ann.id, 0)
    again = book.add(meeting, Wanted("ann"), 0)
    assert again.id != ann.id
    assert again.token != ann.token
    assert not book.admits(meeting, ann.token, 0)
    with refused("NotFoundException"):
        book.remove(meeting, ann.id, 0)


def test_a_token_is_for_one_connection() -> None:
    book = Meetings()
    meeting = made(book).id
    ann = book.add(meeting, Wanted("ann"), 0)
    book.join(meeting, ann.token, "first", 0)
    assert not book.admits(meeting, ann.token, 0)
    with refused("BadRequestException"):
        book.join(meeting, ann.token, "second", 0)
    book.leave(meeting, ann.token, "second", 0)
    assert not book.admits(meeting, ann.token, 0)
    book.leave(meeting, ann.token, "first", 0)
    assert book.join(meeting, ann.token, "second", 0) is ann


def test_a_token_opens_its_own_meeting_only() -> None:
    book = Meetings()
    one, other = made(book, "room-1").id, made(book, "room-2").id
    ann = book.add(one, Wanted("ann"), 0)
    assert book.admits(one.upper(), ann.token, 0)
    assert not book.admits(other, ann.token, 0)
    assert not book.admits("00000000-0000-0000-0000-000000000000", ann.token, 0)


def test_a_deleted_attendee_is_thrown_out() -> None:
    book = Meetings()
    meeting = made(book).id
    ann = book.add(meeting, Wanted("ann"), 0)
    book.join(meeting, ann.token, "a call", 0)
    book.remove(meeting, ann.id, MINUTE)
    assert book.dropped() == ["a call"]
    assert book.living(6 * MINUTE) == ()


def test_a_meeting_is_full_at_250_or_at_its_own_maximum() -> None:
    book = Meetings()
    whole, small = made(book).id, made(book, "small", MeetingFeatures={"Attendee": {"MaxCount": 1}}).id
    people, refusals = book.add_all(whole, [Wanted(f"p{number}") for number in range(252)], 0)
    assert (len(people), [one.external for one in refusals]) == (250, ["p250", "p251"])
    assert {one.error for one in refusals} == {"LimitExceededException"}
    book.add(small, Wanted("ann"), 0)
    with refused("LimitExceededException"):
        book.add(small, Wanted("bob"), 0)


def test_attendees_come_in_pages() -> None:
    book = Meetings()
    meeting = made(book).id
    people, _ = book.add_all(meeting, [Wanted(f"p{number}") for number in range(7)], 0)
    seen, after = book.page(meeting, 0, most=3)
    book.remove(meeting, people[1].id, 0)
    book.remove(meeting, people[3].id, 0)
    while after:
        shown, after = book.page(meeting, 0, after, 3)
        seen = seen + shown
    assert [one.external for one in seen] == ["p0", "p1", "p2", "p4", "p5", "p6"]
    assert book.page(meeting, 0)[1] == ""
    with refused("BadRequestException"):
        book.page(meeting, 0, "somewhere")


@pytest.mark.parametrize(
    ("video", "content", "default"),
    [
        ("HD", "FHD", EVERYTHING),
        ("None", "FHD", {**EVERYTHING, "Video": "Receive"}),
        ("HD", "None", {**EVERYTHING, "Content": "None"}),
        ("None", "None", {"Audio": "SendReceive", "Video": "None", "Content": "None"}),
    ],
)
def test_what_an_attendee_may_do_follows_from_the_features_of_the_meeting(
    video: str, content: str, default: dict[str, str]
) -> None:
    book = Meetings()
    features = {"Video": {"MaxResolution": video}, "Content": {"MaxResolution": content}}
    meeting = made(book, MeetingFeatures=features).id
    assert book.add(meeting, Wanted("ann"), 0).capabilities == default


def test_capabilities_that_cannot_be_are_refused() -> None:
    book = Meetings()
    plain = made(book).id
    dark = made(book, "dark", MeetingFeatures={"Video": {"MaxResolution": "None"}}).id
    with refused("BadRequestException"):
        book.add(plain, Wanted("ann", {**EVERYTHING, "Video": "Send"}), 0)
    with refused("BadRequestException"):
        book.add(dark, Wanted("ann", EVERYTHING), 0)
    ann = book.add(plain, Wanted("ann"), 0)
    listener = {"Audio": "Receive", "Video": "None", "Content": "None"}
    assert book.grant(plain, ann.id, listener, 0).capabilities == listener
    with refused("BadRequestException"):
        book.grant(plain, ann.id, {**EVERYTHING, "Video": "None"}, 0)
    assert book.attendee(plain, ann.id, 0).capabilities == listener


def test_a_transcription_is_started_once_and_stopped_once() -> None:
    book = Meetings()
    meeting = made(book).id
    with refused("UnprocessableEntityException"):
        book.stop_transcribing(meeting, 0)
    book.transcribe(meeting, {"EngineTranscribeSettings": {"LanguageCode": "en-US"}}, 0)
    with refused("UnprocessableEntityException"):
        book.transcribe(meeting, {}, 0)
    book.stop_transcribing(meeting, 0)
    assert book.get(meeting, 0).transcription is None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "delete", "add", "remove", "join", "leave", "tick"]),
        st.integers(0, 2),
        st.integers(0, 3 * HOUR),
    ),
    max_size=40,
)


@given(STEPS)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_whatever_happens_connections_and_life_times_agree(steps: list[tuple[str, int, int]]) -> None:
    book, now, inside = Meetings(), 0, {}
    for does, which, passes in steps:
        now += passes
        meeting = book.create(f"room-{which}", "x" * 2, "us-east-1", now) if does in ("create", "add", "join") else None
        if meeting is not None and does in ("add", "join"):
            seat = book.add(meeting.id, Wanted("ann"), now)
            if does == "join" and book.admits(meeting.id, seat.token, now):
                name = f"call {len(inside)} {now}"
                book.join(meeting.id, seat.token, name, now)
                inside[name] = (meeting.id, seat.token)
        elif does == "leave" and inside:
            name = next(iter(inside))
            book.leave(*inside.pop(name), name, now)
        elif does in ("delete", "remove"):
            for one in book.living(now)[which : which + 1]:
                if does == "delete":
                    book.delete(one.id, now)
                for each in tuple(one.attendees.values()) if does == "remove" else ():
                    book.remove(one.id, each.id, now)
        book.tick(now)
        for name in book.dropped():
            inside.pop(name, None)
        connected = {each.connection for one in book.living(now) for each in one.attendees.values() if each.connection}
        assert connected == set(inside)
        for one in book.living(now):
            assert one.made_ms <= now < one.made_ms + 24 * HOUR
            assert (one.empty_since_ms is None) == any(each.connection for each in one.attendees.values())
            assert one.empty_since_ms is None or now < one.empty_since_ms + 5 * MINUTE


# ---- calls ---------------------------------------------------------------------------------------------------------


class Hall:
    """A book of meetings and a phone that shares it."""

    def __init__(self, answers: dict[str, Any], **options: Any) -> None:
        self.book = Meetings()
        self.meeting = made(self.book).id
        self.ann = self.book.add(self.meeting, Wanted("ann"), 0)
        self.function = Function(answers)
        self.phone = Phone(self.function, around=Attending(self.book, "call", lambda: self.phone.now_ms), **options)

    def join(self, **params: Any) -> dict[str, Any]:
        return join(**{"MeetingId": self.meeting, "JoinToken": self.ann.token, **params})

    def call(self, *first: dict[str, Any]) -> Phone:
        self.function.answers["NEW_INBOUND_CALL"] = [reply(*first)]
        self.phone.dial_in()
        return self.phone


def mute(hall: Hall, *attendees: str) -> dict[str, Any]:
    return act(
        "ModifyChimeMeetingAttendees", Operation="Mute", MeetingId=hall.meeting, AttendeeList=list(attendees), **B
    )


def test_a_call_joins_with_a_good_token_and_leaves_with_its_caller() -> None:
    hall = Hall({})
    phone = hall.call(hall.join())
    assert told(phone)[1:] == ["ACTION_SUCCESSFUL JoinChimeMeeting"]
    assert hall.ann.connection == "call LEG-B"
    assert phone.events[1]["CallDetails"]["Participants"][1].get("SipHeaders") is None
    phone.hang_up()
    assert (phone.over, hall.ann.connection) == (True, "")


@pytest.mark.parametrize("why", ["attendee deleted", "meeting deleted", "in use", "of another meeting", "made up"])
def test_a_token_that_is_no_good_fails_the_join(why: str) -> None:
    hall = Hall({})
    params = {}
    if why == "attendee deleted":
        hall.book.remove(hall.meeting, hall.ann.id, 0)
    elif why == "meeting deleted":
        hall.book.delete(hall.meeting, 0)
    elif why == "in use":
        hall.book.join(hall.meeting, hall.ann.token, "somebody else", 0)
    elif why == "of another meeting":
        params = {"MeetingId": made(hall.book, "room-8").id}
    else:
        params = {"JoinToken": "made-up"}
    phone = hall.call(hall.join(**params))
    assert told(phone)[1:] == ["ACTION_FAILED JoinChimeMeeting InvalidActionParameter"]
    assert last(phone)["ActionData"]["ErrorMessage"] == "JoinToken parameter value is invalid."


def test_a_token_is_looked_at_when_the_join_begins_not_when_its_list_arrives() -> None:
    hall = Hall({})
    phone = hall.call(speak("One moment."), hall.join())
    phone.wait(100)
    hall.book.remove(hall.meeting, hall.ann.id, 0)
    phone.settle()
    assert told(phone)[1:] == ["ACTION_FAILED JoinChimeMeeting InvalidActionParameter"]


def test_who_comes_when_the_meeting_is_over_is_thrown_out() -> None:
    hall = Hall({}, world=World(join_ms=500))
    phone = hall.call(hall.join())
    phone.wait(100)
    hall.book.delete(hall.meeting, 100)
    phone.settle()
    assert told(phone)[1:] == ["ACTION_SUCCESSFUL JoinChimeMeeting"]
    assert hall.book.dropped() == ["call LEG-B"]


def test_the_flow_hangs_up_the_meeting_leg_and_the_seat_is_free_again() -> None:
    hall = Hall({})
    hall.function.answers["ACTION_SUCCESSFUL JoinChimeMeeting"] = [reply(hangup(**B)), reply()]
    phone = hall.call(hall.join())
    assert (phone.over, hall.ann.connection) == (False, "")
    phone.update({"again": "yes"})
    assert hall.book.admits(hall.meeting, hall.ann.token, 0)


def test_only_members_can_be_muted() -> None:
    hall = Hall({})
    bob = hall.book.add(hall.meeting, Wanted("bob"), 0)
    hall.function.answers["ACTION_SUCCESSFUL JoinChimeMeeting"] = [reply(mute(hall, hall.ann.id, bob.id))]
    hall.function.answers["ACTION_SUCCESSFUL ModifyChimeMeetingAttendees"] = [reply(mute(hall, bob.id[::-1]))]
    phone = hall.call(hall.join())
    assert told(phone)[2:] == [
        "ACTION_SUCCESSFUL ModifyChimeMeetingAttendees",
        "ACTION_FAILED ModifyChimeMeetingAttendees InvalidActionParameter",
    ]
    assert "not part of this meeting" in last(phone)["ActionData"]["ErrorMessage"]


def test_the_end_of_the_meeting_leaves_the_caller_on_the_line() -> None:
    hall = Hall({})
    phone = hall.call(hall.join())
    hall.book.delete(hall.meeting, 0)
    (connection,) = hall.book.dropped()
    event = thrown_out(connection, phone.network)
    assert event == MeetingEnds()
    phone.send(event)
    assert told(phone)[2:] == ["HANGUP LEG-B"]
    assert not phone.over
    assert thrown_out(connection, phone.network) is None


def test_a_first_leg_that_is_a_meeting_leg_hangs_up() -> None:
    hall = Hall({})
    phone = hall.phone
    headers = (("X-chime-meeting-id", hall.meeting), ("X-Chime-Join-Token", hall.ann.token))
    phone.dial_out(OutboundCall("+17035550122", headers=headers))
    phone.callee(Callee("answers"))
    assert hall.ann.connection == "call LEG-A"
    assert "SipHeaders" not in phone.events[0]["CallDetails"]["Participants"][0]
    assert thrown_out("call LEG-A", phone.network) == HangUp("LEG-A")
    phone.hang_up()
    assert hall.ann.connection == ""


def test_what_the_world_has_broken_stays_broken() -> None:
    hall = Hall({})
    hall.phone.network = Network(world=World(dead_tokens=frozenset({hall.ann.token})))
    phone = hall.call(hall.join())
    assert told(phone)[1:] == ["ACTION_FAILED JoinChimeMeeting InvalidActionParameter"]
    assert phone.network.world.dead_tokens == {hall.ann.token}


def test_a_meeting_that_is_elsewhere_is_open_unless_one_is_strict() -> None:
    book = Meetings()
    phone = Phone(
        Function({"NEW_INBOUND_CALL": reply(join(MeetingId="elsewhere", JoinToken="some-token"))}),
        around=Attending(book, "call", lambda: 0, strict=False),
    )
    phone.dial_in()
    assert told(phone)[1:] == ["ACTION_SUCCESSFUL JoinChimeMeeting"]
    phone.hang_up()
    assert phone.over
    book.adopt("elsewhere", 0)
    again = Phone(
        Function({"NEW_INBOUND_CALL": reply(join(MeetingId="elsewhere", JoinToken="some-token"))}),
        around=Attending(book, "call", lambda: 0, strict=False),
    )
    again.dial_in()
    assert told(again)[1:] == ["ACTION_FAILED JoinChimeMeeting InvalidActionParameter"]
