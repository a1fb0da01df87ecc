"""The stand-ins of ``flows/hooks``, tested as the ordinary functions they are."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sma_flows.hooks import Call, Reply, Secret
from sma_flows.hooks.load import find_hook

from .desk import FLOWS

CALL = Call(
    id="t-1",
    caller="+14155550123",
    called="+12065550110",
    locale="en-US",
    state="check",
    direction="inbound",
    token="a" * 26,
    deadline=time.monotonic() + 1,
)


def hook(name: str) -> Callable[..., object]:
    return find_hook(f"hooks.{name}", [FLOWS])


@pytest.mark.parametrize(
    ("conference", "pin", "outcome"),
    [
        ("4155501", "482913", "ok"),
        ("4155501", "482914", "wrong"),
        ("4155503", "915702", "closed"),
        ("4155503", "000000", "wrong"),
        ("9999999", "482913", "wrong"),
    ],
)
def test_a_pin_opens_its_own_conference_only(conference: str, pin: str, outcome: str) -> None:
    assert hook("conferences:verify_pin")(CALL, conference, Secret(pin)) == Reply(outcome)


def test_a_mailbox_has_an_owner_or_is_not_there() -> None:
    assert hook("mailboxes:find_mailbox")(CALL, "1001") == Reply("found", owner="Ana Torres")
    assert hook("mailboxes:find_mailbox")(CALL, "0000") == Reply("none")


@pytest.mark.parametrize("topic", ["Invoice", " invoice "])
def test_a_topic_leads_to_its_department(topic: str) -> None:
    found = hook("departments:find_department")(CALL, topic)
    assert found == Reply("found", department="billing", number="+12065550153")


@pytest.mark.parametrize("topic", [None, "", "weather"])
def test_an_unknown_or_empty_topic_leads_nowhere(topic: str | None) -> None:
    assert hook("departments:find_department")(CALL, topic) == Reply("none")


def test_a_guest_can_be_removed_twice_and_an_empty_meeting_closed_twice() -> None:
    for _ in range(2):
        assert hook("invitations:remove_guest")(CALL, "m-1", "a-1") == "done"
        assert hook("invitations:close_if_empty")(CALL, "m-1") == "done"
