"""A browser, click-to-call on localhost, and what a visitor does and sees."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, expect, sync_playwright

from sma_flows.cli.load import load_program
from sma_flows.cli.simulated import read_given
from sma_flows.cli.values import read_env_file
from sma_flows.simulator.exchange import Line
from sma_flows.simulator.meetings import Meeting
from sma_flows.simulator.parties import party_of
from sma_flows.testing.switchboard import Environment
from sma_flows.web.page import LOCAL, write
from sma_flows.web.page.bundle import bundle
from sma_flows.web.stage import Answering, Stage, stage

FLOWS: Final = Path(__file__).resolve().parents[3] / "flows"
PERSON: Final = "+12065550150"
PRESSES_TWO: Final = "+12065550151"
MACHINE: Final = "+12065550152"
LEAVES: Final = "+12065550153"
NOBODY: Final = "+12065550154"
SLOW: Final = "+12065550155"
PARTIES: Final[Mapping[str, str]] = {
    PERSON: '{answers: after 1s, presses: {9s: "1"}}',
    PRESSES_TWO: '{answers: after 1s, presses: {9s: "2"}}',
    MACHINE: "{answers: after 1s}",
    LEAVES: '{answers: after 1s, presses: {9s: "1"}, hangs_up: after 20s}',
    NOBODY: "no_answer",
    SLOW: "{answers: after 40s}",
}
"""Who is called, and what they do."""

SPEED: Final = 10.0
DEADLINE_MS: Final = 30_000
expect.set_options(timeout=DEADLINE_MS)

FLAGS: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--allow-loopback-in-peer-connection"),
)
MICROPHONES: Final[Mapping[str, tuple[str, ...]]] = {
    "allowed": ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
    "denied": ("--use-fake-device-for-media-stream", "--deny-permission-prompts"),
}


@dataclass
class Chromium:
    """A running browser. What its pages ask for and complain about is kept until the next test."""

    browser: Browser
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def open(self, url: str, *allowed: str, scheme: Literal["light", "dark"] = "light", width: int = 1000) -> Visit:
        """The page, for a visitor who was never here."""
        context = self.browser.new_context(
            permissions=list(allowed),
            locale="en-US",
            color_scheme=scheme,
            reduced_motion="reduce",
            viewport={"width": width, "height": 720},
        )
        page = context.new_page()
        page.set_default_timeout(DEADLINE_MS)
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda socket: self.asked.append(socket.url))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("console", self._hear)
        page.goto(url)
        expect(page.locator("#submit")).to_be_enabled()
        return Visit(page)

    def close(self) -> None:
        """Close all pages and forget them."""
        for context in self.browser.contexts:
            context.close()
        self.asked.clear()
        self.said.clear()

    def elsewhere(self) -> list[str]:
        """What was asked of another machine."""
        return [url for url in self.asked if urlsplit(url).hostname not in ("127.0.0.1", None)]

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.said.append(message.text)


@contextmanager
def chromium(player: Playwright, microphone: str) -> Iterator[Chromium]:
    """The system's Chromium, without a window, on a fresh profile."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "there is no Chromium here: install it (apt install chromium), or name it: CHROMIUM=/path"
    browser = player.chromium.launch(
        executable_path=program, headless=True, args=[*FLAGS, *MICROPHONES[microphone]], timeout=60_000
    )
    try:
        yield Chromium(browser)
    finally:
        browser.close()


@dataclass
class Visit:
    """A visitor on the page."""

    page: Page

    def fill(self, to: str = PERSON, name: str = "Ana Torres") -> None:
        self.page.get_by_label("Number to call").fill(to)
        self.page.get_by_label("Your name").fill(name)

    def call(self, to: str = PERSON) -> None:
        """Fill in the form and click."""
        self.fill(to)
        self.page.get_by_role("button", name="Call me").click()

    def step(self, name: str) -> None:
        """Wait for a step of the call."""
        expect(self.page.locator("body")).to_have_attribute("data-step", name)

    def status(self, words: str) -> None:
        expect(self.page.get_by_role("status").first).to_have_text(words)

    def problem(self, words: str) -> None:
        expect(self.page.locator("#problem")).to_have_text(words)

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)


@dataclass
class Desk:
    """Click-to-call that is served: what has happened since :meth:`mark` on the telephone and in the meetings."""

    stage: Stage
    before: int = 0

    @property
    def url(self) -> str:
        return self.stage.url + "/"

    def mark(self) -> None:
        self.before = len(self.stage.exchange.lines)

    def calls(self) -> int:
        return len(self.stage.exchange.lines) - self.before

    @property
    def line(self) -> Line:
        """The one telephone call."""
        (only,) = self.stage.exchange.lines[self.before :]
        return only

    def connected(self) -> list[bool]:
        """For each attendee of each meeting, whether he is in it."""
        return [bool(one.connection) for meeting in self.meetings() for one in meeting.attendees.values()]

    def meetings(self) -> Sequence[Meeting]:
        with self.stage.exchange.together():
            return self.stage.plane.meetings.living(self.stage.plane.now_ms)

    def wait(self, true: Callable[[], bool]) -> None:
        """Wait until something is so that changes only when something happens on the exchange."""
        with self.stage.exchange.changed:
            assert self.stage.exchange.changed.wait_for(true, DEADLINE_MS / 1000), "it did not become so"

    def over(self) -> None:
        """Wait until nobody is on the telephone and in a meeting any more."""
        self.wait(lambda: all(line.done.is_set() for line in self.stage.exchange.lines) and not self.meetings())

    def reports(self, kind: str) -> list[dict[str, Any]]:
        """The parameters of the actions of this type that were carried out."""
        events = [event for event in self.line.phone.events if event["InvocationEventType"] == "ACTION_SUCCESSFUL"]
        return [event["ActionData"]["Parameters"] for event in events if event["ActionData"]["Type"] == kind]


@contextmanager
def serving(folder: Path, store: Path, **settings: str) -> Iterator[Desk]:
    """Click-to-call on localhost, where everybody does what :data:`PARTIES` say."""
    people = read_given(tuple(f"{number}={does}" for number, does in PARTIES.items()), "parties", "--party").parties
    own = read_env_file(FLOWS / "local.env")["OWN_NUMBER"]
    wide = {"PER_USER": "1000/1h", "PER_DESTINATION": "1000/1h", "PER_TENANT": "1000/1h", **settings}

    def load(lead: Mapping[str, str]) -> Answering:
        env = tuple(f"{name}={value}" for name, value in lead.items())
        loaded = load_program(str(FLOWS / "web-call.yaml"), env, None, None)
        return Answering(Environment(loaded.program, loaded.services), loaded.plan, loaded.program.env)

    with stage(
        load,
        store,
        caller=own,
        numbers=frozenset({own}),
        settings={f"SMA_FLOWS_WEB_{name}": value for name, value in wide.items()},
        party=lambda number: party_of(people, number),
        page=folder,
        speed=SPEED,
        unlimited=True,
    ) as served:
        yield Desk(served)


# ---- fixtures ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def player() -> Iterator[Playwright]:
    with sync_playwright() as made:
        yield made


@pytest.fixture(scope="session")
def running(player: Playwright) -> Iterator[Chromium]:
    with chromium(player, "allowed") as made:
        yield made


@pytest.fixture
def browser(running: Chromium) -> Iterator[Chromium]:
    """A browser with a microphone."""
    yield running
    running.close()


@pytest.fixture(scope="session")
def page_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as `sma-flows web` serves it."""
    folder = tmp_path_factory.mktemp("page")
    write(folder, bundle(), token="/local/token", languages=["-"], media=LOCAL)
    return folder


@pytest.fixture(scope="session")
def shared(page_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with serving(page_files, tmp_path_factory.mktemp("store") / "store.sqlite") as made:
        yield made


@pytest.fixture
def desk(shared: Desk) -> Iterator[Desk]:
    """Click-to-call that all tests share, one after the other; nothing of a test goes on after it."""
    shared.mark()
    yield shared
    shared.over()
    shared.stage.plane.faults.clear()


@pytest.fixture
def served(page_files: Path, tmp_path: Path) -> Callable[..., Any]:
    """Click-to-call for one test, with settings of its own."""
    return lambda **settings: serving(page_files, tmp_path / "store.sqlite", **settings)


@pytest.fixture
def visit(desk: Desk, browser: Chromium) -> Visit:
    """A visitor who has opened the page."""
    return browser.open(desk.url, "microphone")
