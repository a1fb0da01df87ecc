"""What the page says when there is no call."""

from __future__ import annotations

import functools
import time
from typing import Any

import pytest
from playwright.sync_api import Playwright, Response, Route, expect

from sma_flows.simulator.api.faults import Fault
from web.page.kit import NOBODY, SLOW, Chromium, Desk, Visit, chromium

REFUSED = [
    ("+1 900 555 0150", "Numbers of this kind cannot be called from here, because they cost extra or are special."),
    ("+44 20 7946 0018", "Numbers in this country cannot be called from here."),
    ("+1 305 555 0150", "This number cannot be called from here."),
    ("555", "This is no complete telephone number. Write it with its country code, for example +1 206 555 0150."),
    ("call me", "This is no complete telephone number. Write it with its country code, for example +1 206 555 0150."),
]


def test_a_refused_number_gets_words_at_its_field_and_nothing_is_made(visit: Visit, desk: Desk) -> None:
    field = visit.page.get_by_label("Number to call")
    for number, words in REFUSED:
        visit.call(number)
        expect(visit.page.locator("#to-problem")).to_have_text(words)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(f"With country code, like +1 206 555 0150 {words}")
        expect(field).to_be_focused()
        expect(field).to_have_value(number)
    assert desk.calls() == 0
    assert not desk.meetings()
    visit.call()
    visit.step("talking")
    visit.button("Hang up").click()
    visit.step("ended")


def test_a_form_that_is_not_filled_in_is_not_sent(visit: Visit, browser: Chromium) -> None:
    visit.button("Call me").click()
    expect(visit.page.locator("#to-problem")).to_have_text("Enter the telephone number.")
    visit.fill(name=" ")
    visit.button("Call me").click()
    expect(visit.page.locator("#to-problem")).to_have_text("")
    expect(visit.page.locator("#name-problem")).to_have_text("Enter your name.")
    assert not any("/calls" in url for url in browser.asked)


def test_a_service_that_is_down_gets_words(browser: Chromium, served: Any) -> None:
    with served() as desk:
        visit = browser.open(desk.url, "microphone")
    visit.call()
    visit.problem("The service cannot be reached. Check your connection and try again.")
    expect(visit.button("Call me")).to_be_enabled()


def test_a_limit_says_when_to_try_again(browser: Chromium, served: Any) -> None:
    with served(PER_USER="1/1d") as desk:
        visit = browser.open(desk.url, "microphone")
        visit.call(NOBODY)
        visit.step("ringing")
        visit.button("Hang up").click()
        visit.button("Call again").click()
        visit.call()
        words = visit.page.locator("#problem")
        expect(words).to_contain_text("You have placed as many calls as are allowed for now. Please try again in")
        expect(words).not_to_contain_text("{")


def test_a_meeting_service_that_fails_gets_words_and_no_telephone_rings(visit: Visit, desk: Desk) -> None:
    desk.stage.plane.faults.add(Fault("CreateMeeting", "unavailable", times=0))
    visit.call()
    visit.problem("Calls cannot be placed just now. Please try again in a few minutes.")
    assert desk.calls() == 0


def test_a_token_that_expires_during_a_call_is_renewed(visit: Visit, desk: Desk) -> None:
    given: list[str] = []

    def short(route: Route) -> None:
        given.append(desk.stage.tokens.make("visitor", exp=int(time.time()) + (2 if not given else 900)))
        route.fulfill(json={"token": given[-1]})

    visit.page.route("**/local/token", short)
    visit.call(SLOW)
    visit.step("ringing")
    for status in (401, 200):
        answered = functools.partial(_answered, status)
        with visit.page.expect_response(answered):
            pass
    assert len(given) == 2
    visit.button("Hang up").click()
    visit.status("You hung up before anybody joined you.")
    visit.problem("")


def _answered(status: int, answer: Response) -> bool:
    return answer.status == status and "/calls/" in answer.url


def test_a_visitor_who_is_not_signed_in_is_told_so(visit: Visit, desk: Desk) -> None:
    words = "You are not signed in any more. Sign in again, then reload this page."
    expired = desk.stage.tokens.make("visitor", exp=1)
    visit.page.route("**/local/token", lambda route: route.fulfill(json={"token": expired}))
    visit.call()
    visit.problem(words)
    visit.page.unroute("**/local/token")
    visit.page.route("**/local/token", lambda route: route.fulfill(status=401))
    visit.call()
    visit.problem(words)
    assert desk.calls() == 0


def test_the_gateway_s_own_refusal_is_understood(visit: Visit, desk: Desk) -> None:
    """API Gateway answers a bad token before our function can, in a shape of its own."""
    visit.page.route("**/calls", lambda route: route.fulfill(status=401, json={"message": "Unauthorized"}))
    visit.call()
    visit.problem("You are not signed in any more. Sign in again, then reload this page.")


def test_without_the_microphone_no_telephone_rings(player: Playwright, desk: Desk) -> None:
    with chromium(player, "denied") as browser:
        visit = browser.open(desk.url)
        visit.call()
        words = "This page may not use your microphone. Allow it in the settings of your browser"
        expect(visit.page.locator("#problem")).to_contain_text(words)
        expect(visit.page.locator("#problem")).to_have_attribute("role", "alert")
        assert desk.calls() == 0
        assert not any("/calls" in url for url in browser.asked)


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ("throw new DOMException('', 'NotFoundError')", "No microphone was found. Connect one and try again."),
        ("throw new DOMException('', 'NotReadableError')", "Your microphone cannot be used. Close other programs"),
        (None, "Your browser gives the microphone only to pages with a secure address."),
    ],
    ids=["none", "busy", "insecure"],
)
def test_each_trouble_with_the_microphone_has_its_words(visit: Visit, desk: Desk, says: str | None, words: str) -> None:
    """What the browser would say is put into its mouth: it depends on the machine, and on the address."""
    asks = "navigator.mediaDevices.getUserMedia = async () => { %s }" % says if says else ""  # noqa: UP031
    gone = "Object.defineProperty(navigator, 'mediaDevices', { value: undefined })"
    visit.page.evaluate(f"() => {{ {asks or gone} }}")
    visit.call()
    expect(visit.page.locator("#problem")).to_contain_text(words)
    assert desk.calls() == 0


def test_a_visitor_who_is_not_let_into_the_meeting_is_told_and_the_call_ends(visit: Visit, desk: Desk) -> None:

    def other_token(route: Route) -> None:
        answer = route.fetch()
        made = answer.json()
        made["attendee"]["JoinToken"] = "made-up"
        route.fulfill(response=answer, json=made)

    visit.page.route("**/calls", other_token)
    visit.call(NOBODY)
    visit.problem("Your sound could not be connected, so the call was ended. A firewall may be in the way.")
    desk.over()
