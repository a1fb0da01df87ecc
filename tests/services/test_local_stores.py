from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from sma_flows.errors import ServiceError
from sma_flows.services.digests import Digests
from sma_flows.services.local.database import Database, StoreDownError
from sma_flows.services.local.directory import LocalDirectory
from sma_flows.services.local.limits import LocalLimits
from sma_flows.services.local.meetings import LocalMeetings
from sma_flows.services.local.memo import LocalMemo
from sma_flows.services.local.open import digests_of
from sma_flows.services.local.outbox import LocalOutbox

from .world import HOUR, NOW, WAIT

NAME = "dial-in:check:wrong:caller"
CALLER = "+14155550123"
DIGESTS = Digests()


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
        directory = LocalDirectory(store, DIGESTS)
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


def test_a_file_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(StoreDownError, match="newer version"):
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


# --- what is in it -----------------------------------------------------------------------------------------------


def test_old_records_and_units_are_deleted(store: Database) -> None:
    memo, limits = LocalMemo(store), LocalLimits(store, DIGESTS)
    memo.begin("token", 3, NOW, WAIT)
    memo.begin("another", 3, NOW + HOUR + 2, WAIT)
    limits.reserve(NAME, CALLER, "a", 1, 3600, NOW, WAIT)
    limits.reserve(NAME, CALLER, "b", 1, 3600, NOW + 3 * HOUR, WAIT)
    assert store.rows("SELECT token FROM memo", (), WAIT) == [("another",)]
    assert store.rows("SELECT token FROM limit_units", (), WAIT) == [("b",)]


def test_neither_numbers_nor_pins_are_stored(tmp_path: Path) -> None:
    store = Database(tmp_path / "store.sqlite")
    LocalLimits(store, DIGESTS).reserve(NAME, CALLER, "a", 1, 3600, NOW, WAIT)
    LocalDirectory(store, digests_of(store, "")).put_secret("events", "482913", {"room": "one"}, WAIT)
    store.close()
    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"4155550123" not in content
    assert b"482913" not in content


def test_every_row_is_compared_with_a_secret_also_behind_the_right_one(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []

    def same(left: str, right: str) -> bool:
        compared.append(left)
        return left == right

    monkeypatch.setattr("sma_flows.services.local.directory.same_text", same)
    directory = LocalDirectory(store, digests_of(store, ""))
    for pin in ("482913", "730155", "915702"):
        directory.put_secret("events", pin, {"pin": "not this"}, WAIT)
    directory.find_secret("events", "482913", WAIT)
    assert len(set(compared)) == 3


def test_the_key_of_a_file_stays_with_it(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    first, again, other = (digests_of(Database(each), "") for each in (path, path, tmp_path / "other.sqlite"))
    assert first.of_secret("events", "482913") == again.of_secret("events", "482913")
    assert first.of_secret("events", "482913") != other.of_secret("events", "482913")


OLD_TABLES = """
CREATE TABLE memo (token TEXT PRIMARY KEY, lease REAL NOT NULL, expires REAL NOT NULL, reply TEXT) WITHOUT ROWID;
CREATE TABLE directory (
  tab TEXT NOT NULL, key TEXT NOT NULL, fields TEXT NOT NULL, owner TEXT NOT NULL,
  PRIMARY KEY (tab, key)) WITHOUT ROWID;
CREATE TABLE meeting (id TEXT PRIMARY KEY, name TEXT, open INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE attendee (
  place INTEGER PRIMARY KEY AUTOINCREMENT, meeting TEXT NOT NULL, id TEXT NOT NULL UNIQUE, present INTEGER NOT NULL);
INSERT INTO directory VALUES ('people', '1', '{"name": "Ana"}', '');
INSERT INTO meeting VALUES ('m-1', 'weekly', 1);
PRAGMA user_version = 1;
"""


def test_a_file_of_the_version_before_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    old = sqlite3.connect(path)
    old.executescript(OLD_TABLES)
    old.close()
    for _ in range(2):
        store = Database(path)
        assert LocalDirectory(store, digests_of(store, "")).find("people", "1", WAIT) == {"name": "Ana"}
        assert LocalMeetings(store).open("weekly", "", NOW, WAIT) != "m-1"
        digests_of(store, "").of_secret("events", "482913")
        store.close()


# --- meetings ----------------------------------------------------------------------------------------------------


def test_one_token_gives_one_attendee_and_one_join_token(store: Database) -> None:
    meetings = LocalMeetings(store)
    first, again = meetings.attend("m-1", "token", NOW, WAIT), meetings.attend("m-1", "token", NOW, WAIT)
    other = meetings.attend("m-1", "other", NOW, WAIT)
    assert first == again
    assert len({first.id, other.id}) == len({first.join_token, other.join_token}) == 2
    assert meetings.roster("m-1", WAIT) == (first.id, other.id)


def test_a_join_token_is_not_shown(store: Database) -> None:
    attendee = LocalMeetings(store).attend("m-1", "token", NOW, WAIT)
    assert attendee.join_token not in repr(attendee)


def test_leaving_twice_is_a_success(store: Database) -> None:
    meetings = LocalMeetings(store)
    attendee = meetings.attend("m-1", "token", NOW, WAIT)
    meetings.leave("m-1", attendee.id, NOW, WAIT)
    meetings.leave("m-1", attendee.id, NOW, WAIT)
    assert meetings.roster("m-1", WAIT) == ()


def test_an_open_meeting_has_one_id_and_the_next_of_its_name_another(store: Database) -> None:
    meetings = LocalMeetings(store)
    first = meetings.open("weekly", "us-east-1", NOW, WAIT)
    assert meetings.open("weekly", "us-east-1", NOW, WAIT) == meetings.find("weekly", NOW, WAIT) == first
    meetings.close("weekly", NOW, WAIT)
    meetings.close("weekly", NOW, WAIT)
    assert meetings.find("weekly", NOW, WAIT) is None
    assert meetings.open("weekly", "us-east-1", NOW, WAIT) != first


def test_closing_a_meeting_empties_it_and_nobody_comes_in(store: Database) -> None:
    meetings = LocalMeetings(store)
    meeting = meetings.open("weekly", "us-east-1", NOW, WAIT)
    meetings.attend(meeting, "token", NOW, WAIT)
    meetings.close("weekly", NOW, WAIT)
    assert meetings.roster(meeting, WAIT) == ()
    with pytest.raises(ServiceError, match="closed"):
        meetings.attend(meeting, "other", NOW, WAIT)


def test_the_last_one_out_ends_a_meeting_that_was_opened_by_name(store: Database) -> None:
    meetings = LocalMeetings(store)
    meeting = meetings.open("weekly", "", NOW, WAIT)
    first, second = (meetings.attend(meeting, token, NOW, WAIT) for token in ("one", "two"))
    meetings.leave(meeting, first.id, NOW, WAIT)
    assert meetings.find("weekly", NOW, WAIT) == meeting
    meetings.leave(meeting, second.id, NOW, WAIT)
    assert meetings.find("weekly", NOW, WAIT) is None


def test_a_meeting_without_anybody_for_five_minutes_is_replaced(store: Database) -> None:
    meetings = LocalMeetings(store)
    first = meetings.open("weekly", "", NOW, WAIT)
    assert meetings.open("weekly", "", NOW + 299, WAIT) == first
    second = meetings.open("weekly", "", NOW + 300, WAIT)
    assert second != first
    meetings.attend(second, "one", NOW + 301, WAIT)
    assert meetings.open("weekly", "", NOW + 3 * HOUR, WAIT) == second
    with pytest.raises(ServiceError, match="closed"):
        meetings.attend(first, "one", NOW + 301, WAIT)


def test_no_meeting_is_older_than_a_day(store: Database) -> None:
    meetings = LocalMeetings(store)
    first = meetings.open("weekly", "", NOW, WAIT)
    meetings.attend(first, "one", NOW, WAIT)
    assert meetings.find("weekly", NOW + 24 * HOUR - 1, WAIT) == first
    assert meetings.find("weekly", NOW + 24 * HOUR, WAIT) is None
    assert meetings.roster(first, WAIT) == ()


def test_an_attendee_is_muted_until_unmuted(store: Database) -> None:
    meetings = LocalMeetings(store)
    attendee = meetings.attend("m-1", "one", NOW, WAIT)
    meetings.mute("m-1", attendee.id, True, WAIT)
    assert meetings.muted("m-1") == (attendee.id,)
    meetings.mute("m-1", attendee.id, False, WAIT)
    meetings.mute("m-1", "nobody", True, WAIT)
    assert meetings.muted("m-1") == ()


# --- outbox ------------------------------------------------------------------------------------------------------


def test_one_token_sends_one_thing_of_a_kind(store: Database) -> None:
    outbox = LocalOutbox(store)
    outbox.send("channel.post", "token", {"text": "hello"}, NOW, WAIT)
    outbox.send("channel.post", "token", {"text": "hello"}, NOW, WAIT)
    outbox.send("queue.put", "token", {"message": 1}, NOW, WAIT)
    assert [item["kind"] for item in outbox.sent()] == ["channel.post", "queue.put"]
    assert outbox.sent("queue.put") == [{"kind": "queue.put", "token": "token", "payload": {"message": 1}}]


def test_a_meeting_that_is_open_is_shown_and_one_that_is_closed_is_not() -> None:
    meetings = LocalMeetings(Database("memory"))
    meeting = meetings.open("weekly", "", NOW, 1.0)
    assert meetings.show(meeting, 1.0)["MeetingId"] == meeting
    meetings.close("weekly", NOW, 1.0)
    with pytest.raises(ServiceError):
        meetings.show(meeting, 1.0)
