from __future__ import annotations

import time

import pytest

from sma_flows import hooks
from sma_flows.hooks import Call, Reply, Secret, hook, same_secret


def a_call(seconds: float) -> Call:
    return Call("t-1", "+14155550123", "+12065550199", "en-US", "check", "Inbound", "token", time.monotonic() + seconds)


def test_what_authors_import_is_what_is_promised() -> None:
    assert sorted(hooks.__all__) == ["Call", "Reply", "Secret", "hook", "same_secret"]
    assert all(getattr(hooks, name).__doc__ for name in hooks.__all__)


def test_a_hook_stays_an_ordinary_function() -> None:
    @hook
    def greet(_call: Call, name: str) -> Reply:
        return Reply("done", text=f"Hello {name}")

    assert greet(a_call(1), "Ana") == Reply("done", text="Hello Ana")


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (Secret("482913"), Secret("482913"), True),
        (Secret("482913"), "482913", True),
        ("482913", Secret("482914"), False),
        ("ä", Secret("ä"), True),
        ("", Secret(""), True),
        (None, None, False),
        (None, Secret(""), False),
        ("482913", None, False),
    ],
)
def test_secrets_are_compared_by_their_text_and_unset_equals_nothing(
    left: Secret | str | None, right: Secret | str | None, same: bool
) -> None:
    assert same_secret(left, right) is same


def test_a_secret_shows_itself_to_nobody_who_does_not_ask() -> None:
    secret = Secret("482913")
    assert "482913" not in f"{secret} {secret!r} {[secret]} {Reply('ok', pin=secret)!r}"
    assert secret.reveal() == "482913"


def test_a_reply_shows_the_names_of_its_results_only() -> None:
    assert repr(Reply("ok", room="r-1", guests=2)) == "Reply('ok', guests, room)"
    assert repr(Reply("wrong")) == "Reply('wrong')"


def test_replies_are_equal_by_outcome_and_results() -> None:
    assert Reply("ok", room="r-1") == Reply("ok", room="r-1")
    assert Reply("ok", room="r-1") != Reply("ok", room="r-2")
    assert Reply("ok") != "ok"


def test_the_time_that_is_left_is_never_negative() -> None:
    assert a_call(-1).remaining() == 0
    assert 0 < a_call(100).remaining() <= 100
