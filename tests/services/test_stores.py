"""What every store promises, on every store: SQLite in memory and in a file, DynamoDB as two stand-ins know it."""

from __future__ import annotations

from typing import Any

from sma_flows.services.ports import Memo

from .stand_ins import Store
from .world import HOUR, NOW

NAME = "dial-in:check:wrong:caller"
WAIT = 20.0  # a machine that is busy with something else is no failure
CALLER = "+14155550123"


# --- memo records ------------------------------------------------------------------------------------------------


def test_the_first_may_run_and_the_second_must_wait(store: Store) -> None:
    memo = store.memo
    assert memo.begin("token", 3, NOW, WAIT).state == "run"
    assert memo.begin("token", 3, NOW + 2.9, WAIT).state == "wait"


def test_a_written_reply_is_given_to_whoever_comes(store: Store) -> None:
    memo = store.memo
    memo.begin("token", 3, NOW, WAIT)
    memo.finish("token", '{"outcome": "ok"}', NOW + 1, WAIT)
    assert memo.begin("token", 3, NOW + 100, WAIT).reply == '{"outcome": "ok"}'


def test_a_record_whose_lease_is_over_is_lost_and_not_run_again(store: Store) -> None:
    memo = store.memo
    memo.begin("token", 3, NOW, WAIT)
    assert memo.begin("token", 3, NOW + 3, WAIT).state == "lost"
    assert memo.begin("token", 3, NOW + 30, WAIT).state == "lost"


def test_records_are_gone_after_an_hour(store: Store) -> None:
    memo = store.memo
    memo.begin("token", 3, NOW, WAIT)
    memo.finish("token", "{}", NOW + 1, WAIT)
    assert memo.begin("token", 3, NOW + HOUR, WAIT).state == "reply"
    assert memo.begin("token", 3, NOW + HOUR + 2, WAIT).state == "run"


def test_a_record_can_be_looked_at_without_opening_one(store: Store) -> None:
    assert store.memo.look("token", NOW, WAIT).state == "lost"
    assert store.memo.begin("token", 3, NOW, WAIT).state == "run"
    assert store.memo.look("token", NOW + 1, WAIT).state == "wait"
    store.memo.finish("token", "{}", NOW + 1, WAIT)
    assert store.memo.look("token", NOW + 2, WAIT) == Memo("reply", "{}")


def test_the_end_of_a_call_is_noted_for_an_hour(store: Store) -> None:
    assert not store.memo.ended("t-1", NOW, WAIT)
    store.memo.end("t-1", NOW, WAIT)
    store.memo.end("t-1", NOW + 1, WAIT)
    assert store.memo.ended("t-1", NOW + 2, WAIT)
    assert not store.memo.ended("t-2", NOW + 2, WAIT)
    assert not store.memo.ended("t-1", NOW + HOUR + 2, WAIT)


# --- limits ------------------------------------------------------------------------------------------------------


def test_units_are_reserved_until_the_window_is_full(store: Store) -> None:
    limits = store.limits
    taken = [limits.reserve(NAME, CALLER, f"token{n}", 3, 3600, NOW, WAIT) for n in range(5)]
    assert taken == [True, True, True, False, False]


def test_a_repeated_event_takes_no_second_unit(store: Store) -> None:
    limits = store.limits
    assert all(limits.reserve(NAME, CALLER, "token", 1, 3600, NOW, WAIT) for _ in range(3))
    assert not limits.reserve(NAME, CALLER, "other", 1, 3600, NOW, WAIT)


def test_a_repeated_event_takes_no_second_unit_behind_the_hour_either(store: Store) -> None:
    limits = store.limits
    limits.reserve(NAME, CALLER, "token", 1, 3600, NOW + 3599, WAIT)
    limits.use(NAME, CALLER, "token", WAIT)
    limits.reserve(NAME, CALLER, "token", 1, 3600, NOW + 3601, WAIT)
    assert limits.reserve(NAME, CALLER, "other", 1, 3600, NOW + 3601, WAIT)


def test_a_unit_given_back_can_be_taken_by_another(store: Store) -> None:
    limits = store.limits
    limits.reserve(NAME, CALLER, "token", 1, 3600, NOW, WAIT)
    limits.give_back(NAME, CALLER, "token", WAIT)
    assert limits.reserve(NAME, CALLER, "other", 1, 3600, NOW, WAIT)


def test_a_used_unit_cannot_be_given_back(store: Store) -> None:
    limits = store.limits
    limits.reserve(NAME, CALLER, "token", 1, 3600, NOW, WAIT)
    limits.use(NAME, CALLER, "token", WAIT)
    limits.give_back(NAME, CALLER, "token", WAIT)
    assert not limits.reserve(NAME, CALLER, "other", 1, 3600, NOW, WAIT)


def test_the_place_of_a_used_unit_never_changes(store: Store) -> None:
    limits = store.limits
    places = []
    for token in ("a", "b", "a", "c", "b"):
        limits.reserve(NAME, CALLER, token, 9, 3600, NOW, WAIT)
        places.append(limits.use(NAME, CALLER, token, WAIT))
    assert places == [1, 2, 1, 3, 2]


def test_a_window_is_an_hour_of_the_clock(store: Store) -> None:
    limits = store.limits
    assert limits.reserve(NAME, CALLER, "a", 1, 3600, NOW + 3599, WAIT)
    assert not limits.reserve(NAME, CALLER, "b", 1, 3600, NOW + 3599.9, WAIT)
    assert limits.reserve(NAME, CALLER, "c", 1, 3600, NOW + 3600, WAIT)


def test_a_window_that_was_closed_never_opens_again(store: Store) -> None:
    """Clocks differ: whoever is behind counts with the others."""
    limits = store.limits
    assert limits.reserve(NAME, CALLER, "a", 2, 3600, NOW + 3600, WAIT)
    assert limits.reserve(NAME, CALLER, "b", 2, 3600, NOW + 3599, WAIT)
    assert not limits.reserve(NAME, CALLER, "c", 2, 3600, NOW + 3599, WAIT)


def test_a_unit_of_the_hour_before_is_no_unit_of_this_one(store: Store) -> None:
    limits = store.limits
    assert limits.reserve(NAME, CALLER, "a", 1, 3600, NOW + 3599, WAIT)
    assert limits.reserve(NAME, CALLER, "b", 1, 3600, NOW + 3601, WAIT)
    limits.give_back(NAME, CALLER, "a", WAIT)
    assert not limits.reserve(NAME, CALLER, "c", 1, 3600, NOW + 3602, WAIT)


def test_nobody_passes_a_limit_of_none(store: Store) -> None:
    assert not store.limits.reserve(NAME, CALLER, "a", 0, 3600, NOW, WAIT)


def test_what_is_given_back_without_having_been_taken_is_nothing(store: Store) -> None:
    limits = store.limits
    limits.give_back(NAME, CALLER, "a", WAIT)
    assert limits.use(NAME, CALLER, "a", WAIT) == 1
    assert limits.reserve(NAME, CALLER, "b", 1, 3600, NOW, WAIT)
    assert not limits.reserve(NAME, CALLER, "c", 1, 3600, NOW, WAIT)


def test_callers_and_rules_have_counters_of_their_own(store: Store) -> None:
    limits = store.limits
    assert limits.reserve(NAME, CALLER, "a", 1, 3600, NOW, WAIT)
    assert limits.reserve(NAME, "+14155550124", "b", 1, 3600, NOW, WAIT)
    assert limits.reserve("another rule", CALLER, "a", 1, 3600, NOW, WAIT)


def test_all_who_withhold_their_number_share_one_counter(store: Store) -> None:
    limits = store.limits
    limits.reserve(NAME, "anonymous", "a", 1, 3600, NOW, WAIT)
    withheld = ["", "anonymous", "Anonymous", "unknown", "Restricted", " "]
    assert not any(limits.reserve(NAME, each, "b", 1, 3600, NOW, WAIT) for each in withheld)


# --- directory ---------------------------------------------------------------------------------------------------


def test_a_row_is_found_where_it_was_put(store: Store) -> None:
    directory = store.directory
    directory.put("people", "1", {"name": "Ana"}, "token", NOW, WAIT)
    assert directory.find("people", "1", WAIT) == {"name": "Ana"}
    assert directory.find("people", "2", WAIT) is None
    assert directory.find("others", "1", WAIT) is None


def test_one_token_writes_once_even_after_another_wrote(store: Store) -> None:
    directory = store.directory
    directory.put("people", "1", {"name": "Ana"}, "first", NOW, WAIT)
    directory.put("people", "1", {"name": "Ben"}, "second", NOW, WAIT)
    directory.put("people", "1", {"name": "Ana"}, "first", NOW, WAIT)
    assert directory.find("people", "1", WAIT) == {"name": "Ben"}


def test_putting_keeps_the_fields_that_are_not_given(store: Store) -> None:
    directory = store.directory
    directory.put("people", "1", {"name": "Ana", "since": 2024}, "first", NOW, WAIT)
    directory.put("people", "1", {"since": 2026}, "second", NOW, WAIT)
    assert directory.find("people", "1", WAIT) == {"name": "Ana", "since": 2026}


def test_the_first_to_claim_has_it_and_keeps_it_when_asked_again(store: Store) -> None:
    directory = store.directory
    assert directory.claim("tickets", "1", {"by": "Ana"}, "first", WAIT)
    assert not directory.claim("tickets", "1", {"by": "Ben"}, "second", WAIT)
    directory.put("tickets", "1", {"note": "called"}, "third", NOW, WAIT)
    assert directory.claim("tickets", "1", {"by": "Ana"}, "first", WAIT)
    assert directory.find("tickets", "1", WAIT) == {"by": "Ana", "note": "called"}


def test_removing_twice_is_a_success(store: Store) -> None:
    directory = store.directory
    directory.put("people", "1", {"name": "Ana"}, "token", NOW, WAIT)
    directory.remove("people", "1", WAIT)
    directory.remove("people", "1", WAIT)
    assert directory.find("people", "1", WAIT) is None


def test_a_row_under_a_secret_key_is_found_by_it_and_by_nothing_else(store: Store) -> None:
    directory = store.directory
    directory.put_secret("events", "482913", {"room": "one"}, WAIT)
    directory.put_secret("events", "730155", {"room": "two"}, WAIT)
    assert directory.find_secret("events", "482913", WAIT) == {"room": "one"}
    assert directory.find_secret("events", "000000", WAIT) is None
    assert directory.find_secret("others", "482913", WAIT) is None
    assert directory.find("events", "482913", WAIT) is None
    directory.put_secret("events", "482913", {"room": "three"}, WAIT)
    assert directory.find_secret("events", "482913", WAIT) == {"room": "three"}
    for _ in range(2):
        directory.remove_secret("events", "482913", WAIT)
    assert directory.find_secret("events", "482913", WAIT) is None


VALUES = {
    "text": "Zürich \N{WHITE RIGHT POINTING INDEX}",
    "empty": "",
    "nothing": None,
    "whole": 7,
    "large": 2**53 + 1,
    "part": 2.5,
    "yes": True,
    "no": False,
    "list": ["a", 1, ["b"], {}],
    "map": {"bucket": "example", "key": "a.wav", "more": {"n": -1}},
    "expires": "never",
    "pk": "a field like any other",
    "sf_owner": "as is this",
}


def test_values_come_back_as_they_were(store: Store) -> None:
    store.directory.put("people", "1", VALUES, "token", NOW, WAIT)
    assert store.directory.find("people", "1", WAIT) == VALUES
    assert store.directory.claim("people", "2", VALUES, "token", WAIT)
    assert store.directory.find("people", "2", WAIT) == VALUES


def test_a_row_without_fields_is_a_row(store: Store) -> None:
    store.directory.put("people", "1", {}, "token", NOW, WAIT)
    assert store.directory.find("people", "1", WAIT) == {}
    assert not store.directory.claim("people", "1", {}, "other", WAIT)


def test_no_table_is_part_of_another(store: Store) -> None:
    store.directory.put("a", "b/c", {"is": "one"}, "token1", NOW, WAIT)
    store.directory.put("a/b", "c", {"is": "two"}, "token2", NOW, WAIT)
    store.directory.put("a%2Fb", "c", {"is": "three"}, "token3", NOW, WAIT)
    found = [store.directory.find(*place, WAIT) for place in (("a", "b/c"), ("a/b", "c"), ("a%2Fb", "c"))]
    assert found == [{"is": "one"}, {"is": "two"}, {"is": "three"}]


def test_a_row_that_is_written_often_forgets_only_old_tokens(store: Store) -> None:
    for number in range(40):
        store.directory.put("people", "1", {"n": number}, f"token{number}", NOW, WAIT)
    store.directory.put("people", "1", {"n": -1}, "token39", NOW, WAIT)
    store.directory.put("people", "1", {"n": -1}, "token33", NOW, WAIT)
    assert store.directory.find("people", "1", WAIT) == {"n": 39}


def test_a_claimed_row_can_have_an_end(dynamo: Store) -> None:
    """DynamoDB deletes by the attribute that the template names; SQLite keeps every row."""
    assert dynamo.directory.claim("tickets", "1", {"by": "Ana"}, "first", WAIT, 1_800_000_000)
    assert dynamo.directory.claim("tickets", "2", {"by": "Ana"}, "first", WAIT)
    assert dynamo.directory.find("tickets", "1", WAIT) == {"by": "Ana"}, "it is no field"
    assert [item_of(dynamo, f"row/tickets/{key}").get("expires") for key in "12"] == [1_800_000_000, None]
    dynamo.directory.put("tickets", "1", {"note": "called"}, "second", NOW, WAIT)
    assert item_of(dynamo, "row/tickets/1")["expires"] == 1_800_000_000, "it stays when the row changes"


def test_a_claimed_row_of_ones_own_table_has_no_end(dynamo: Store) -> None:
    table = f"dynamodb:{dynamo.place.table}"
    assert dynamo.directory.claim(table, "mine", {"by": "Ana"}, "first", WAIT, 1_800_000_000)
    assert "expires" not in item_of(dynamo, "mine")


def item_of(store: Store, key: str) -> dict[str, Any]:
    from sma_flows.services.aws.table import Table

    directory: Any = store.directory
    return Table(directory._api, store.place.table).get(key, WAIT) or {}
