"""docs/services.md tells the truth: its flows run offline on the simulated network, its Python does what it says."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sma_flows.compiler import compile_paths
from sma_flows.hooks import Reply
from sma_flows.hooks.builtin import BUILTINS
from sma_flows.hooks.services import CallServices
from sma_flows.runtime.invoke import handle
from sma_flows.runtime.program import Program
from sma_flows.services.dispatch import LocalServices
from sma_flows.services.needs import SERVICES
from sma_flows.services.setup import open_services
from sma_flows.simulator.driver import Phone
from sma_flows.simulator.messages import Entry, Hears

from .world import an_ask, hook, perform, sent, services

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "services.md").read_text("utf-8")
AT = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
CALLER, OURS = "+12065550123", "+14255550100"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def flow(name: str) -> str:
    (found,) = (text for text in blocks("yaml") if f"\nname: {name}\n" in text)
    return found


class Desk:
    """One flow of the page behind the simulated network, with an empty store."""

    def __init__(self, name: str, folder: Path, **env: str) -> None:
        path = folder / f"{name}.yaml"
        path.write_text(flow(name))
        plan = compile_paths([path]).plan
        assert plan is not None
        values = {key: key.lower() for key in plan.flow(name).get("env", {}).get("required", ())} | env
        opened = open_services(plan, {**values, "SMA_FLOWS_STORE": "memory"}, path)
        self.services: LocalServices = opened.services
        self.program = Program.load(opened.plan, values)
        self.phone = Phone(self.answer)

    def answer(self, event: dict[str, Any]) -> object:
        result = handle(self.program, event, now=AT, services=self.services)
        assert self.services.take_troubles() == []
        return result.response

    def hears(self, words: str) -> bool:
        def heard(entry: Entry) -> bool:
            return isinstance(entry.value, Hears) and words in entry.value.text

        return any(map(heard, self.phone.transcript)) or self.phone.until(heard)

    @property
    def left(self) -> list[tuple[str, Any]]:
        return [(item["kind"], item["payload"]) for item in sent(self.services)]


def test_rows_and_pins(tmp_path: Path) -> None:
    desk = Desk("who-calls", tmp_path)
    directory = desk.services.ports.directory
    assert directory is not None
    directory.put_secret("doors", "482913", {"door": "north"}, 5)
    directory.put("people", CALLER, {"name": "Ana"}, "token", 0.0, 5)
    desk.phone.dial_in(CALLER, OURS)
    assert desk.hears("Hello Ana.")
    assert desk.hears("Please enter your PIN.")
    desk.phone.press("482913")
    assert desk.hears("Your door is north.")
    desk.phone.settle()
    assert directory.find("people", CALLER, 5) == {"name": "Ana", "last_door": "north"}
    assert directory.find("visits", CALLER, 5) == {"since": "today"}


def test_a_missed_call_goes_into_the_queue(tmp_path: Path) -> None:
    desk = Desk("missed", tmp_path, VOICEMAILS="example-voicemails")
    desk.phone.dial_in(CALLER, OURS)
    assert desk.hears("Please speak after the tone.")
    desk.phone.settle()
    ((kind, item),) = desk.left
    assert (kind, item["queue"], item["kind"]) == ("queue.put", "missed", "missed-call")
    assert item["body"]["caller"] == CALLER
    assert item["body"]["message"]["bucket"] == "example-voicemails"


def test_what_was_started_is_stopped_when_the_caller_leaves(tmp_path: Path) -> None:
    desk = Desk("on-air", tmp_path)
    desk.phone.dial_in(CALLER, OURS)
    assert desk.hears("You are on air.")
    desk.phone.wait(10_000)
    desk.phone.hang_up()
    desk.phone.settle()
    assert [kind for kind, _ in desk.left] == [
        "stream.start",
        "capture.start",
        "transcription.start",
        "transcription.stop",
        "capture.stop",
        "stream.stop",
    ]
    tokens = {item["kind"]: item["token"] for item in sent(desk.services)}
    stopped = {kind: item.get("pipeline") for kind, item in desk.left}
    assert stopped["stream.stop"] == tokens["stream.start"]
    assert stopped["capture.stop"] == tokens["capture.start"]


def test_a_call_is_placed_and_told(tmp_path: Path) -> None:
    refused = Desk("ring-back", tmp_path)
    refused.phone.dial_in("+14255550101", OURS)
    assert not refused.hears("We call you back in a moment.")
    assert refused.left == []
    desk = Desk("ring-back", tmp_path)
    desk.phone.dial_in("+14155550123", "+12065550199")
    assert desk.hears("We call you back in a moment.")
    (_, placed), (_, told) = desk.left
    assert placed["arguments"] == {"flow": "reminder", "name": "Ana"}
    assert told["transaction"] == sent(desk.services)[0]["token"]
    assert told["arguments"] == {"words": "The caller is waiting."}


def test_the_hook_of_the_page_does_what_it_says() -> None:
    (text,) = (text for text in blocks("python") if "def tell_team" in text)
    place: dict[str, Any] = {}
    exec(compile(text, "services.md", "exec"), place)
    tell_team: Callable[..., Reply] = place["tell_team"]
    made = services(tell_team)
    assert made.ports.directory is not None
    made.ports.directory.put("people", "+14155550123", {"name": "Ana"}, "token", 0.0, 1)
    uses = {
        "directory.find": {"table": ["lit", "people"]},
        "channel.post": {"channel": ["lit", "team"], "bearer": ["lit", "bot"]},
    }
    declared = hook({"done": {}}, uses=uses)
    assert perform(made, an_ask("late", hook=declared, effect="keyed")).outcome == "done"
    (item,) = sent(made)
    assert (item["payload"]["text"], item["payload"]["metadata"]) == ("Ana: late", {"mailbox": "sales"})


@pytest.mark.parametrize("text", blocks("python"), ids=lambda text: text.partition("\n")[0])
def test_the_python_of_the_page_can_be_read_and_names_what_there_is(text: str) -> None:
    compile(text, "services.md", "exec")
    exec("\n".join(line for line in text.splitlines() if line.startswith(("import ", "from "))), {})


def test_the_page_names_every_method_of_every_service() -> None:
    made = CallServices()
    for name in BUILTINS:
        group, method = name.split(".")
        assert callable(getattr(getattr(made, group), method))
        row = next(line for line in PAGE.splitlines() if line.startswith("| `call.services.") and f".{group}`" in line)
        assert f"`{method}(" in row


def test_the_page_names_every_variable_of_the_environment() -> None:
    for name in (*SERVICES, "store", "services", "hash_key", "stand_ins", "hooks"):
        assert f"`SMA_FLOWS_{name.upper()}`" in PAGE
