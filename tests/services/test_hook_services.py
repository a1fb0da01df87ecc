"""``call.services``: what a hook of one's own may ask of the world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sma_flows.errors import ServiceError
from sma_flows.hooks import Call, Reply, Secret
from sma_flows.hooks.services import CallServices
from sma_flows.runtime.ask import FAILED, Ask
from sma_flows.services.dispatch import LocalServices

from .world import TEXT, an_ask, hook, perform, reasons, sent, services

EVERYTHING: Mapping[str, Mapping[str, Any]] = {
    "directory.find": {"table": ["env", "PEOPLE"]},
    "directory.put": {"table": ["env", "PEOPLE"]},
    "directory.claim": {"table": ["lit", "tickets"]},
    "directory.remove": {"table": ["lit", "tickets"]},
    "meetings.open": {},
    "meetings.find": {},
    "meetings.close": {},
    "meetings.mute": {},
    "meetings.unmute": {},
    "channel.post": {"channel": ["env", "TEAM"], "bearer": ["env", "BOT"]},
    "queue.put": {"queue": ["lit", "missed"]},
    "stream.start": {"sink": ["lit", "rtmp://example.com"]},
    "stream.stop": {},
    "capture.start": {},
    "capture.stop": {},
    "transcription.start": {"language": ["lit", "en-GB"]},
    "transcription.stop": {},
    "calls.dial": {"application": ["lit", "app-1"]},
    "calls.update": {"application": ["lit", "app-1"]},
}
ENV = {"PEOPLE": "people", "TEAM": "team", "BOT": "bot"}


def world(function: Any) -> LocalServices:
    return services(function, env=ENV)


def asks(uses: Mapping[str, Any] = EVERYTHING, **changes: Any) -> Ask:
    declared = hook({"done": {"said": TEXT}}, uses=dict(uses))
    return an_ask(hook=declared, effect="keyed", **{"budget_ms": 30_000, **changes})  # time is tried in test_budget


def test_a_row_is_found_put_claimed_and_removed() -> None:
    def work(call: Call) -> Reply:
        people, tickets = call.services.directory, {"table": "tickets"}
        assert people.find(call.caller) is None
        people.put(call.caller, name="Ana", visits=2)
        assert people.find(call.caller) == {"name": "Ana", "visits": 2}
        assert people.find(call.caller, **tickets) is None
        assert people.claim("1", by="Ana")
        people.remove("1")
        return Reply("done", said="all")

    made = world(work)
    assert perform(made, asks()).values == {"said": "all"}
    assert reasons(made) == []


def test_a_secret_finds_what_was_stored_under_it() -> None:
    def work(call: Call, pin: Secret) -> Reply:
        row = call.services.directory.find(pin, table="rooms")
        return Reply("done", said=row["room"] if row else "nothing")

    made = world(work)
    assert made.ports.directory is not None
    made.ports.directory.put_secret("rooms", "482913", {"room": "one"}, 1)
    assert perform(made, asks(args=(Secret("482913"),))).values == {"said": "one"}
    assert perform(made, asks(args=(Secret("482914"),))).values == {"said": "nothing"}


def test_a_meeting_is_opened_found_muted_and_closed() -> None:
    def work(call: Call) -> Reply:
        meetings = call.services.meetings
        room = meetings.open("weekly")
        assert meetings.find("weekly") == room
        meetings.mute(room, "a-1")
        meetings.unmute(room, "a-1")
        meetings.close("weekly")
        return Reply("done", said=str(meetings.find("weekly")))

    made = world(work)
    assert perform(made, asks()).values == {"said": "None"}


def test_what_leaves_leaves_with_its_settings_and_fields() -> None:
    def work(call: Call) -> None:
        out = call.services
        out.channel.post("hello", mailbox="1200")
        out.channel.post("elsewhere", channel="others")
        out.queue.put({"key": "a.wav"}, kind="missed", caller="Ana")
        stream = out.stream.start("m-1")
        out.stream.stop(stream)
        capture = out.capture.start("m-1", sink="bucket")
        out.capture.stop(capture)
        out.transcription.start("m-1")
        out.transcription.stop("m-1")
        assert out.calls.dial("call-back", to="+14155550123", caller_id="+12065550199", name="Ana")
        assert out.calls.dial("call-back", to="911", caller_id="+12065550199") is None
        assert out.calls.update("call-back", "t-2", "notice", words="soon")

    made = world(work)
    outcome = perform(made, asks()).outcome
    assert (reasons(made), outcome) == ([], "done")
    found = {(item["kind"], n): item["payload"] for n, item in enumerate(sent(made))}
    assert list(found.values()) == [
        {"channel": "team", "bearer": "bot", "text": "hello", "metadata": {"mailbox": "1200"}},
        {"channel": "others", "bearer": "bot", "text": "elsewhere", "metadata": {}},
        {
            "queue": "missed",
            "kind": "missed",
            "body": {"caller": "Ana", "call": "t-1", "message": {"key": "a.wav"}},
        },
        {"meeting": "m-1"},
        {"pipeline": sent(made, "stream.start")[0]["token"]},
        {"meeting": "m-1"},
        {"pipeline": sent(made, "capture.start")[0]["token"]},
        {"meeting": "m-1", "language": "en-GB"},
        {"meeting": "m-1"},
        {
            "application": "app-1",
            "to": "+14155550123",
            "from": "+12065550199",
            "arguments": {"flow": "call-back", "name": "Ana"},
        },
        {"application": "app-1", "transaction": "t-2", "arguments": {"words": "soon"}},
    ]


def test_an_event_that_comes_twice_has_each_effect_once() -> None:
    def work(call: Call) -> None:
        for words in ("one", "two"):
            call.services.channel.post(words)
        call.services.calls.dial("call-back", to="+14155550123", caller_id="+12065550199")

    made = world(work)
    for _ in range(2):
        assert perform(made, asks()).outcome == "done"
    assert [item["payload"].get("text") for item in sent(made)] == ["one", "two", None]
    perform(made, asks(token="another"))
    assert len(sent(made)) == 6


def test_what_may_happen_only_once_is_not_asked_twice_even_where_nobody_knows_a_token() -> None:
    placed: list[str] = []

    class Calls:
        def create(self, _application: str, to: str, *_: object) -> str:
            placed.append(to)
            return f"t-{len(placed)}"

    def work(call: Call) -> Reply:
        return Reply("done", said=call.services.calls.dial("f", to="+14155550123", caller_id="+12065550199"))

    made = world(work)
    made.ports = type(made.ports)(calls=Calls())  # type: ignore[arg-type]
    assert [perform(made, asks()).values for _ in range(2)] == [{"said": "t-1"}] * 2
    assert placed == ["+14155550123"]


def test_what_the_flow_does_not_declare_is_not_done() -> None:
    def work(call: Call) -> None:
        call.services.channel.post("hello")

    made = world(work)
    assert perform(made, asks({"directory.find": {}})) == FAILED
    assert perform(made, asks({})) == FAILED
    assert [trouble.detail for trouble in made.take_troubles()] == [
        "the hook does not declare `uses: {channel.post: ...}`",
        "channel.post was used, and the hook's flow does not say `uses:`",
    ]
    assert sent(made) == []


def test_a_hook_may_live_with_a_service_that_fails() -> None:
    def work(call: Call) -> Reply:
        try:
            call.services.channel.post("hello")
        except ServiceError:
            return Reply("done", said="not posted")
        return Reply("done", said="posted")

    made = world(work)
    made.ports = type(made.ports)()
    assert perform(made, asks()).values == {"said": "not posted"}


def test_a_hook_that_does_not_is_failed() -> None:
    made = world(lambda call: call.services.channel.post("hello"))
    made.ports = type(made.ports)()
    assert perform(made, asks()) == FAILED
    assert reasons(made) == ["port"]


def test_no_secret_leaves() -> None:
    made = world(lambda call, pin: call.services.channel.post(pin))
    assert perform(made, asks(args=(Secret("482913"),))) == FAILED
    assert sent(made) == []


def test_a_hook_can_be_tested_without_any_of_this() -> None:
    """A call made by hand has services that say what is missing, or those that the test brings."""
    call = Call("t-1", "+14155550123", "+12065550199", "en-US", "s", "Inbound", "token", 0.0)
    with pytest.raises(ServiceError, match="uses:"):
        call.services.channel.post("hello")
    asked: list[tuple[object, ...]] = []

    def run(name: str, args: tuple[Any, ...], *_: object) -> Reply:
        asked.append((name, *args))
        return Reply("found", name="Ana")

    mine = Call("t-1", "+14155550123", "", "en-US", "s", "Inbound", "token", 0.0, CallServices(run))
    assert mine.services.directory.find("1") == {"name": "Ana"}
    assert asked == [("directory.find", "1")]
    assert mine == Call("t-1", "+14155550123", "", "en-US", "s", "Inbound", "token", 0.0)
    assert "services" not in repr(mine)
