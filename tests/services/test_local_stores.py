from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sma_flows.errors import ServiceError
from sma_flows.services.local.database import Database, StoreDownError
from sma_flows.services.local.directory import LocalDirectory
from sma_flows.services.local.limits import LocalLimits, digest
from sma_flows.services.local.meetings import LocalMeetings
from sma_flows.services.local.memo import LocalMemo
from sma_flows.services.local.outbox import LocalOutbox

from .world import HOUR, NOW, WAIT

NAME = "dial-in:check:wrong:caller"
CALLER = "+14155550123"


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    made = Database("memory" if request.param == "memory" else tmp_path / "deep" / "store.sqlite")
    yield made
    made.close()


# --- the file ----------------------------------------------------------------------------------------------------


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    store = Database(tmp_path / "store.sqlite")
    LocalMemo(store).begin("token", 3, NOW, WAIT)
    store.close()
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    for found in (None, {"name": "Ana"}):
        store = Database(tmp_path / "store.sqlite")
        directory = LocalDirectory(store)
        assert directory.find("people", "1", WAIT) == found
        directory.put("people", "1", {"name": "Ana"}, "token", NOW, WAIT)
        store.close()


def test_a_damaged_file_is_a_service_error(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"this is no database at all, and long enough to be looked at" * 20)
    with pytest.raises(StoreDownError):
        LocalMemo(Database(path)).begin("token", 3, NOW, WAIT)


def test_a_folder_that_cannot_be_made_is_a_service_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreDownError):
        LocalMemo(Database(tmp_path / "file" / "store.sqlite")).begin("token", 3, NOW, WAIT)


def test_a_file_of_another_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(StoreDownError, match="another version"):
        LocalMemo(Database(path)).begin("token", 3, NOW, WAIT)


def test_a_store_that_somebody_holds_is_given_up_in_time(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    ours = LocalMemo(Database(path))
    ours.begin("token", 3, NOW, WAIT)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreDownError):
            ours.begin("token2", 3, NOW, 0.05)
    finally:
        other.close()
    assert ours.begin("token2", 3, NOW, WAIT).state == "run"


def test_nothing_stays_of_a_change_that_was_stopped_in_the_middle(store: Database) -> None:
    def stopped() -> None:
        with store.change(WAIT) as connection:
            connection.execute("INSERT INTO applied VALUES ('token', 0)")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert store.rows("SELECT * FROM applied", (), WAIT) == []


# --- memo records ------------------------------------------------------------------------------------------------


def test_the_first_may_run_and_the_second_must_wait(store: Database) -> None:
    memo = LocalMemo(store)
    assert memo.begin("token", 3, NOW, WAIT).state == "run"
    assert memo.begin("token", 3, NOW + 2.9, WAIT).state == "wait"


def test_a_written_reply_is_given_to_whoever_comes(store: Database) -> None:
    memo = LocalMemo(store)
    memo.begin("token", 3, NOW, WAIT)
    memo.finish("token", '{"outcome": "ok"}', NOW + 1, WAIT)
    assert memo.begin("token", 3, NOW + 100, WAIT).reply == '{"outcome": "ok"}'


def test_a_record_whose_lease_is_over_is_lost_and_not_run_again(store: Database) -> None:
    memo = LocalMemo(store)
    memo.begin("token", 3, NOW, WAIT)
    assert memo.begin("token", 3, NOW + 3, WAIT).state == "lost"
    assert memo.begin("token", 3, NOW + 30, WAIT).state == "lost"


def test_records_are_gone_after_an_hour(store: Database) -> None:
    memo = LocalMemo(store)
    memo.begin("token", 3, NOW, WAIT)
    memo.finish("token", "{}", NOW + 1, WAIT)
    memo.begin("another", 3, NOW + HOUR + 2, WAIT)
    assert [row[0] for row in store.rows("SELECT token FROM memo", (), WAIT)] == ["another"]


# --- limits ------------------------------------------------------------------------------------------------------


def test_units_are_reserved_until_the_window_is_full(store: Database) -> None:
    limits = LocalLimits(store)
    taken = [limits.reserve(NAME, CALLER, f"token{n}", 3, 3600, NOW, WAIT) for n in range(5)]
    assert taken == [True, True, True, False, False]


def test_a_repeated_event_takes_no_second_unit(store: Database) -> None:
    limits = LocalLimits(store)
    assert all(limits.reserve(NAME, CALLER, "token", 1, 3600, NOW, WAIT) for _ in range(3))
    assert not limits.reserve(NAME, CALLER, "other", 1, 3600, NOW, WAIT)


def test_a_repeated_event_takes_no_second_unit_behind_the_hour_either(store: Database) -> None:
    limits = LocalLimits(store)
    limits.reserve(NAME, CALLER, "token", 1, 3600, NOW + 3599, WAIT)
    limits.use(NAME, CALLER, "token", WAIT)
    limits.reserve(NAME, CALLER, "token", 1, 3600, NOW + 3601, WAIT)
    assert limits.reserve(NAME, CALLER, "other", 1, 3600, NOW + 3601, WAIT)


def test_a_unit_given_back_can_be_taken_by_another(store: Database) -> None:
    limits = LocalLimits(store)
    limits.reserve(NAME, CALLER, "token", 1, 3600, NOW, WAIT)
    limits.give_back(NAME, CALLER, "token", WAIT)
    assert limits.reserve(NAME, CALLER, "other", 1, 3600, NOW, WAIT)


def test_a_used_unit_cannot_be_given_back(store: Database) -> None:
    limits = LocalLimits(store)
    limits.reserve(NAME, CALLER, "token", 1, 3600, NOW, WAIT)
    limits.use(NAME, CALLER, "token", WAIT)
    limits.give_back(NAME, CALLER, "token", WAIT)
    assert not limits.reserve(NAME, CALLER, "other", 1, 3600, NOW, WAIT)


def test_the_place_of_a_used_unit_never_changes(store: Database) -> None:
    limits = LocalLimits(store)
    places = []
    for token in ("a", "b", "a", "c", "b"):
        limits.reserve(NAME, CALLER, token, 9, 3600, NOW, WAIT)
        places.append(limits.use(NAME, CALLER, token, WAIT))
    assert places == [1, 2, 1, 3, 2]


def test_a_window_is_an_hour_of_the_clock(store: Database) -> None:
    limits = LocalLimits(store)
    assert limits.reserve(NAME, CALLER, "a", 1, 3600, NOW + 3599, WAIT)
    assert not limits.reserve(NAME, CALLER, "b", 1, 3600, NOW + 3599.9, WAIT)
    assert limits.reserve(NAME, CALLER, "c", 1, 3600, NOW + 3600, WAIT)


def test_old_windows_are_forgotten(store: Database) -> None:
    limits = LocalLimits(store)
    limits.reserve(NAME, CALLER, "a", 1, 3600, NOW, WAIT)
    limits.reserve(NAME, CALLER, "b", 1, 3600, NOW + 3 * HOUR, WAIT)
    assert [row[0] for row in store.rows("SELECT token FROM limit_units", (), WAIT)] == ["b"]


def test_callers_and_rules_have_counters_of_their_own(store: Database) -> None:
    limits = LocalLimits(store)
    assert limits.reserve(NAME, CALLER, "a", 1, 3600, NOW, WAIT)
    assert limits.reserve(NAME, "+14155550124", "b", 1, 3600, NOW, WAIT)
    assert limits.reserve("another rule", CALLER, "a", 1, 3600, NOW, WAIT)


@pytest.mark.parametrize("withheld", ["", "anonymous", "Anonymous", "unknown", "Restricted", " "])
def test_all_who_withhold_their_number_share_one_counter(store: Database, withheld: str) -> None:
    limits = LocalLimits(store)
    limits.reserve(NAME, "anonymous", "a", 1, 3600, NOW, WAIT)
    assert not limits.reserve(NAME, withheld, "b", 1, 3600, NOW, WAIT)


def test_no_number_is_stored(tmp_path: Path) -> None:
    store = Database(tmp_path / "store.sqlite")
    LocalLimits(store).reserve(NAME, CALLER, "a", 1, 3600, NOW, WAIT)
    store.close()
    assert b"4155550123" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_digests_of_one_caller_differ_from_rule_to_rule() -> None:
    assert digest("one", CALLER) != digest("two", CALLER)


# --- directory ---------------------------------------------------------------------------------------------------


def test_a_row_is_found_where_it_was_put(store: Database) -> None:
    directory = LocalDirectory(store)
    directory.put("people", "1", {"name": "Ana"}, "token", NOW, WAIT)
    assert directory.find("people", "1", WAIT) == {"name": "Ana"}
    assert directory.find("people", "2", WAIT) is None
    assert directory.find("others", "1", WAIT) is None


def test_one_token_writes_once_even_after_another_wrote(store: Database) -> None:
    directory = LocalDirectory(store)
    directory.put("people", "1", {"name": "Ana"}, "first", NOW, WAIT)
    directory.put("people", "1", {"name": "Ben"}, "second", NOW, WAIT)
    directory.put("people", "1", {"name": "Ana"}, "first", NOW, WAIT)
    assert directory.find("people", "1", WAIT) == {"name": "Ben"}


def test_putting_keeps_the_fields_that_are_not_given(store: Database) -> None:
    directory = LocalDirectory(store)
    directory.put("people", "1", {"name": "Ana", "since": 2024}, "first", NOW, WAIT)
    directory.put("people", "1", {"since": 2026}, "second", NOW, WAIT)
    assert directory.find("people", "1", WAIT) == {"name": "Ana", "since": 2026}


def test_the_first_to_claim_has_it_and_keeps_it_when_asked_again(store: Database) -> None:
    directory = LocalDirectory(store)
    assert directory.claim("tickets", "1", {"by": "Ana"}, "first", WAIT)
    assert not directory.claim("tickets", "1", {"by": "Ben"}, "second", WAIT)
    directory.put("tickets", "1", {"note": "called"}, "third", NOW, WAIT)
    assert directory.claim("tickets", "1", {"by": "Ana"}, "first", WAIT)
    assert directory.find("tickets", "1", WAIT) == {"by": "Ana", "note": "called"}


def test_removing_twice_is_a_success(store: Database) -> None:
    directory = LocalDirectory(store)
    directory.put("people", "1", {"name": "Ana"}, "token", NOW, WAIT)
    directory.remove("people", "1", WAIT)
    directory.remove("people", "1", WAIT)
    assert directory.find("people", "1", WAIT) is None


def test_a_secret_key_is_found_by_comparing_every_row(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def same(left: str, right: str) -> bool:
        compared.append(left)
        return left == right

    monkeypatch.setattr("sma_flows.services.local.directory.same_text", same)
    directory = LocalDirectory(store)
    directory.seed({"events": {"482913": {"room": "one"}, "730155": {"room": "two"}, "915702": {"room": "three"}}})
    assert directory.find_secret("events", "482913", WAIT) == {"room": "one"}
    assert sorted(compared) == ["482913", "730155", "915702"]
    assert directory.find_secret("events", "000000", WAIT) is None


# --- meetings ----------------------------------------------------------------------------------------------------


def test_one_token_gives_one_attendee_and_one_join_token(store: Database) -> None:
    meetings = LocalMeetings(store)
    first, again = meetings.attend("m-1", "token", WAIT), meetings.attend("m-1", "token", WAIT)
    other = meetings.attend("m-1", "other", WAIT)
    assert first == again
    assert len({first.id, other.id}) == len({first.join_token, other.join_token}) == 2
    assert meetings.roster("m-1", WAIT) == (first.id, other.id)


def test_a_join_token_is_not_shown(store: Database) -> None:
    attendee = LocalMeetings(store).attend("m-1", "token", WAIT)
    assert attendee.join_token not in repr(attendee)


def test_leaving_twice_is_a_success(store: Database) -> None:
    meetings = LocalMeetings(store)
    attendee = meetings.attend("m-1", "token", WAIT)
    meetings.leave("m-1", attendee.id, WAIT)
    meetings.leave("m-1", attendee.id, WAIT)
    assert meetings.roster("m-1", WAIT) == ()


def test_an_open_meeting_has_one_id_and_the_next_of_its_name_another(store: Database) -> None:
    meetings = LocalMeetings(store)
    first = meetings.open("weekly", "us-east-1", WAIT)
    assert meetings.open("weekly", "us-east-1", WAIT) == meetings.find("weekly", WAIT) == first
    meetings.close("weekly", WAIT)
    meetings.close("weekly", WAIT)
    assert meetings.find("weekly", WAIT) is None
    assert meetings.open("weekly", "us-east-1", WAIT) != first


def test_closing_a_meeting_empties_it_and_nobody_comes_in(store: Database) -> None:
    meetings = LocalMeetings(store)
    meeting = meetings.open("weekly", "us-east-1", WAIT)
    meetings.attend(meeting, "token", WAIT)
    meetings.close("weekly", WAIT)
    assert meetings.roster(meeting, WAIT) == ()
    with pytest.raises(ServiceError, match="closed"):
        meetings.attend(meeting, "other", WAIT)


# --- outbox ------------------------------------------------------------------------------------------------------


def test_one_token_sends_one_thing_of_a_kind(store: Database) -> None:
    outbox = LocalOutbox(store)
    outbox.send("channel.post", "token", {"text": "hello"}, NOW, WAIT)
    outbox.send("channel.post", "token", {"text": "hello"}, NOW, WAIT)
    outbox.send("queue.put", "token", {"message": 1}, NOW, WAIT)
    assert [item["kind"] for item in outbox.sent()] == ["channel.post", "queue.put"]
    assert outbox.sent("queue.put") == [{"kind": "queue.put", "token": "token", "payload": {"message": 1}}]
