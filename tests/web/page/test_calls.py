"""Whole calls: a click in Chromium, a simulated telephone, both in one meeting."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from web.page.kit import (
    DEADLINE_MS,
    FLOWS,
    LEAVES,
    MACHINE,
    NOBODY,
    PARTIES,
    PERSON,
    PRESSES_TWO,
    Chromium,
    Desk,
    Visit,
)

TALKING = "You are connected. Go ahead and talk."


# ---- one command ---------------------------------------------------------------------------------------------------


@contextmanager
def command(page: Path) -> Iterator[dict[str, Any]]:
    """`sma-flows web` in a process of its own."""
    party = f"{PERSON}={PARTIES[PERSON]}"
    words = ["web", str(FLOWS / "web-call.yaml"), "--json", "--speed", "10", "--party", party, "--page", str(page)]
    code = "from sma_flows.cli.app import run; run()"
    process = subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE_MS / 1000)


def fetch(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=DEADLINE_MS / 1000) as reply:
        return json.loads(reply.read())


def test_one_command_serves_page_api_and_telephone(browser: Chromium, page_files: Path) -> None:
    with command(page_files) as hello:
        visit = browser.open(hello["url"], "microphone")
        visit.call()
        visit.step("ringing")
        visit.step("talking")
        visit.status(TALKING)
        (meeting,) = fetch(f"{hello['service']}/_sma/meetings")
        assert [one["connected"] for one in meeting["attendees"]] == [True, True]
        visit.button("5").click()
        expect(visit.page.locator("#sent")).to_have_text("5")
        visit.button("Hang up").click()
        visit.step("ended")
        assert fetch(f"{hello['service']}/_sma/meetings") == []
        (call,) = fetch(f"{hello['service']}/_sma/calls")
        assert any("CALL_UPDATE_REQUESTED" in line for line in call["transcript"])
        assert any("ACTION_SUCCESSFUL SendDigits" in line for line in call["transcript"])


# ---- a call from its beginning to its end --------------------------------------------------------------------------


def test_a_click_rings_a_telephone_and_both_talk_in_one_meeting(visit: Visit, desk: Desk, browser: Chromium) -> None:
    visit.call()
    visit.step("ringing")
    expect(visit.button("1")).to_be_disabled()
    visit.step("talking")
    assert desk.connected() == [True, True]
    assert desk.line.phone.network.joined.startswith("meeting ")

    visit.button("1").click()
    visit.page.keyboard.type("2#")
    visit.button("Star").click()
    expect(visit.page.locator("#sent")).to_have_text("1 2 # *")
    desk.wait(lambda: "".join(one["Digits"] for one in desk.reports("SendDigits")) == "12#*")
    assert {one["CallId"] for one in desk.reports("SendDigits")} == {desk.line.phone.network.legs[0].call_id}

    visit.button("Hang up").click()
    visit.step("ended")
    visit.status("You hung up.")
    desk.over()
    assert browser.elsewhere() == []
    assert browser.said == []


def test_the_browser_has_sound_in_both_directions(visit: Visit, desk: Desk) -> None:
    visit.page.add_init_script(
        "const Peer = RTCPeerConnection; window.peers = [];"
        "window.RTCPeerConnection = function (...given) { const made = new Peer(...given); window.peers.push(made);"
        " return made; }; window.RTCPeerConnection.prototype = Peer.prototype;"
    )
    visit.page.reload()
    expect(visit.page.locator("#submit")).to_be_enabled()
    visit.call()
    visit.step("talking")
    found = visit.page.evaluate(
        """async () => {
          for (const end = Date.now() + 10000; ; await new Promise((next) => setTimeout(next, 50))) {
            const found = {};
            for (const one of (await peers[0].getStats()).values()) {
              if (one.type === "inbound-rtp") found.heard = one.packetsReceived > 0;
              if (one.type === "outbound-rtp") found.spoken = one.packetsSent > 0;
              if (one.type === "transport") found.secured = one.dtlsState === "connected";
            }
            if ((found.heard && found.spoken && found.secured) || Date.now() > end) return found;
          }
        }"""
    )
    assert found == {"heard": True, "spoken": True, "secured": True}
    assert visit.page.evaluate("document.querySelector('audio').srcObject.getAudioTracks().length") == 1
    visit.button("Hang up").click()
    visit.step("ended")


def test_muting_switches_the_microphone_off_and_on(visit: Visit, desk: Desk) -> None:
    visit.call()
    visit.step("talking")
    visit.button("Mute").click()
    expect(visit.button("Unmute")).to_be_visible()
    visit.button("Unmute").click()
    expect(visit.button("Mute")).to_be_visible()
    visit.button("Hang up").click()
    visit.step("ended")
    desk.over()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        pytest.param(NOBODY, "Nobody answered the telephone.", id="no-answer"),
        pytest.param(PRESSES_TWO, "The call was declined.", id="declined"),
        pytest.param(MACHINE, "Somebody or a machine picked up, but did not take the call.", id="answering-machine"),
        pytest.param(LEAVES, "The call has ended.", id="left"),
    ],
)
def test_the_page_says_how_a_call_ended(visit: Visit, number: str, words: str) -> None:
    visit.call(number)
    visit.step("ended")
    visit.status(words)
    expect(visit.button("Call again")).to_be_focused()
    visit.button("Call again").click()
    expect(visit.page.get_by_label("Number to call")).to_have_value(number)


def test_hanging_up_while_it_rings_ends_the_call(visit: Visit, desk: Desk) -> None:
    visit.call(NOBODY)
    visit.step("ringing")
    visit.button("Hang up").click()
    visit.status("You hung up before anybody joined you.")
    desk.over()


def test_closing_the_page_ends_the_call_and_the_meeting(visit: Visit, desk: Desk) -> None:
    visit.call()
    visit.step("talking")
    visit.page.close(run_before_unload=True)
    desk.over()


def test_a_meeting_that_somebody_else_ends_is_the_end_on_the_page(visit: Visit, desk: Desk) -> None:
    visit.call()
    visit.step("talking")
    with desk.stage.exchange.together():
        (meeting,) = desk.stage.plane.meetings.living(desk.stage.plane.now_ms)
        desk.stage.plane.meetings.delete(meeting.id, desk.stage.plane.now_ms)
    visit.status("The call has ended.")


def test_everything_can_be_done_with_the_keyboard(visit: Visit, desk: Desk) -> None:
    keys = visit.page.keyboard
    keys.press("Tab")
    expect(visit.page.get_by_label("Number to call")).to_be_focused()
    keys.type(PERSON)
    keys.press("Tab")
    keys.type("Ana")
    keys.press("Tab")
    expect(visit.page.get_by_label("Language of the call")).to_be_focused()
    keys.type("Spanish")
    expect(visit.page.get_by_label("Language of the call")).to_have_value("es-US")
    keys.press("Tab")
    expect(visit.button("Call me")).to_be_focused()
    keys.press("Enter")
    visit.step("ringing")
    visit.step("talking")
    expect(visit.page.get_by_role("heading", name="Your call")).to_be_focused()
    keys.type("0")
    expect(visit.page.locator("#sent")).to_have_text("0")
    for _ in range(14):  # twelve keys, mute
        keys.press("Tab")
    expect(visit.button("Hang up")).to_be_focused()
    keys.press("Enter")
    visit.status("You hung up.")
    desk.over()


# ---- lost on the way -----------------------------------------------------------------------------------------------


def test_a_lost_answer_is_found_out_and_the_call_is_ended(visit: Visit, desk: Desk) -> None:
    """The API has placed the call, and the page never learns its meeting."""
    lost: list[str] = []

    def lose(route: Route) -> None:
        if lost or route.request.method != "POST":
            route.continue_()
        else:
            lost.append(route.request.url)
            assert route.fetch().status == 201
            route.abort("connectionreset")

    visit.page.route(re.compile(r"/calls$"), lose)
    visit.call()
    visit.problem("The service cannot be reached. Check your connection and try again.")
    assert len(lost) == 1
    desk.over()


def test_a_request_that_never_arrived_is_made_once_more(visit: Visit, desk: Desk) -> None:
    lost: list[str] = []

    def lose(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.abort("connectionreset")

    visit.page.route(re.compile(r"/calls$"), lose)
    visit.call()
    visit.step("talking")
    assert desk.calls() == 1
    visit.button("Hang up").click()
    visit.step("ended")


def test_the_page_says_when_it_cannot_see_the_call_and_when_it_can_again(visit: Visit, desk: Desk) -> None:
    away: list[bool] = [True]

    def look(route: Route) -> None:
        if away[0] and route.request.method == "GET":
            route.abort("connectionreset")
        else:
            route.continue_()

    visit.page.route(re.compile(r"/calls/"), look)
    visit.call(NOBODY)
    visit.problem("We cannot see just now how the call is going. It goes on as it is.")
    away[0] = False
    visit.problem("")
    visit.step("ended")
