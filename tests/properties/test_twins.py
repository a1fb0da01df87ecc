"""The same call twice with two secrets: whatever leaves the handler must be the same byte for byte (decision 15).

A search for the PIN is only the second check: a short PIN occurs by chance, and a hashed one is never found.
"""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest

from properties.calls import compiled, env_of, own_flow
from properties.line import Chooser, Done, Failed, Gone, Line, results_of
from sma_flows.handler import Handler
from sma_flows.hooks import Call, Reply
from sma_flows.runtime.ask import Secret
from sma_flows.runtime.invoke import Position, Result

PINS = ("7351", "9024")
NOW = 1_795_188_600.0  # a Friday, half past ten in New York

Hook = Callable[..., object]


class Typist(Chooser):
    """Types the account and then the PIN; speaks, joins and hangs up as the script says."""

    def __init__(self, pin: str, entries: tuple[str, ...]) -> None:
        self.pin = pin
        self.entries = list(entries)

    def act(self, line: Line, action: dict[str, Any]) -> Done | Failed | Gone:
        if action["Type"] == "SpeakAndGetDigits":
            if not self.entries:
                return Gone()
            typed = self.entries.pop(0).replace("PIN", self.pin)
            return Done({"ReceivedDigits": typed}) if typed else Failed("InvalidDigitsReceived")
        return Done(results_of(action))


class Clock:
    """A clock that stands still."""

    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 1000.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody has to wait")


def hooks(check: Hook) -> dict[str, Hook]:
    """The outcomes of a call, the same for every PIN."""
    return {
        "look_up": lambda call, account: Reply("known", level="gold"),
        "check_pin": check,
        "ticket": lambda call, account, level: Reply("done", number="t-1", badge=Secret("b-1"), names=["Ann"]),
        "drop_ticket": lambda call, number: None,
        "note_end": lambda call, account, ended_by: None,
        "small-part/think": lambda call, account: Reply("yes_", word="well"),
    }


def right(call: Call, account: str, pin: Secret) -> Reply:
    return Reply("right")


def wrong(call: Call, account: str, pin: Secret) -> Reply:
    return Reply("wrong")


def careless(call: Call, account: str, pin: Secret) -> Reply:
    raise ValueError(f"the PIN {pin.reveal()} is not known")


def undeclared(call: Call, account: str, pin: Secret) -> Reply:
    return Reply(pin.reveal())


def talkative(call: Call, account: str, pin: Secret) -> Reply:
    return Reply("right", pin=pin.reveal())


class Calendar(datetime):
    """The handler's clock, within opening hours."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.fromtimestamp(NOW, tz)


@pytest.fixture
def sinks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, str]]:
    """Plays one call through a fresh handler and gives the text of everything that left it."""
    monkeypatch.setattr("sma_flows.handler.datetime", Calendar)

    def play(pin: str, check: Hook, *entries: str) -> dict[str, str]:
        folder = tmp_path / pin
        folder.mkdir()
        plan = compiled(own_flow())
        (folder / "plan.json").write_text(plan.dumps(), encoding="utf-8")
        (folder / "hooks").mkdir()
        names = [name.rpartition("/")[2] for name in hooks(check)]
        functions = "".join(f"@hook\ndef {name}(call, *args): ...\n" for name in names)
        (folder / "hooks" / "made.py").write_text(f"from sma_flows.hooks import hook\n{functions}", encoding="utf-8")
        store = folder / "store.sqlite"
        env = {
            **env_of(plan),
            "SMA_FLOWS_PLAN": str(folder / "plan.json"),
            "SMA_FLOWS_STORE": str(store),
            "POWERTOOLS_LOG_LEVEL": "DEBUG",
        }
        handler = Handler(env)
        assert handler.problem == ""
        logged = io.StringIO()
        handler.logger.registered_handler.setStream(logged)  # type: ignore[attr-defined]
        revision = next(iter(plan.flows.values()))
        handler.services.functions = {(revision, name): hook for name, hook in hooks(check).items()}
        handler.services.clock = Clock()
        answers: list[dict[str, Any]] = []

        def answer(event: dict[str, Any]) -> Result:
            response = handler.answer(event)
            answers.append(response)
            return Result(response, Position(), Position())

        line = Line(answer)
        line.start()
        line.run(Typist(pin, entries))
        if not line.over:
            line.leave("LEG-A")
        printed = capsys.readouterr()
        with sqlite3.connect(store) as database:
            stored = "\n".join(database.iterdump())
        database.close()
        return {
            "answers": json.dumps(answers),
            "attributes": json.dumps([response.get("TransactionAttributes") for response in answers]),
            "logs": "\n".join(timeless(line) for line in (logged.getvalue() + printed.out + printed.err).splitlines()),
            "store": stored,
            "events": str(len(line.events)),
        }

    return play


def timeless(line: str) -> str:
    """A log record without what differs between any two runs."""
    try:
        record = json.loads(line)
    except ValueError:
        return line
    for name in ("timestamp", "ms", "asks_ms", "HookLatency", "_aws"):
        record.pop(name, None)
    return json.dumps(record, sort_keys=True)


@pytest.mark.parametrize("check", [right, wrong, careless, undeclared, talkative], ids=lambda check: check.__name__)
def test_two_pins_leave_the_same_traces(sinks: Callable[..., dict[str, str]], check: Hook) -> None:
    entries = ("4711", "PIN", "PIN", "6", "1", "PIN")
    first, second = (sinks(pin, check, *entries) for pin in PINS)
    assert first == second
    assert int(first["events"]) >= 4
    assert first["logs"].count("ACTION_SUCCESSFUL") >= 2
    assert "'right'" in first["store"] or '"right"' in first["store"] or check is not right
    for pin in PINS:
        assert not [name for name, text in first.items() if pin in text]


def test_pin_typed_at_the_wrong_place_leaves_the_same_traces(sinks: Callable[..., dict[str, str]]) -> None:
    """A PIN that is longer than asked for, or typed at the menu, is no better known afterwards."""
    first, second = (sinks(pin, right, "4711", "PIN9", "PIN", "PIN", "PIN") for pin in PINS)
    assert first == second
