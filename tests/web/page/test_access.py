"""The page for everybody: axe-core's rules in every step, a telephone's width, and the strict policy at work."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from web.page.kit import NOBODY, Chromium, Desk, Visit

AXE = Path(os.environ["SMA_FLOWS_PAGE_TOOLS"]) / "node_modules" / "axe-core" / "axe.min.js"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it is now."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("(rules) => axe.run(document, rules)", RULES)
    assert len(found["passes"]) > 10
    return [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1000), ("dark", 320)])
def test_every_step_is_accessible(browser: Chromium, desk: Desk, scheme: Any, width: int) -> None:
    visit = browser.open(desk.url, "microphone", scheme=scheme, width=width)
    steps: list[tuple[str, list[str]]] = []

    def look(step: str) -> None:
        fits(visit.page)
        steps.append((step, violations(visit.page)))

    look("form")
    visit.button("Call me").click()
    look("form with a problem")
    visit.call()
    visit.step("ringing")
    look("ringing")
    visit.step("talking")
    visit.button("Mute").click()
    look("talking")
    visit.button("Hang up").click()
    visit.step("ended")
    look("ended")
    assert [(step, wrong) for step, wrong in steps if wrong] == []


def test_what_happens_is_spoken(visit: Visit) -> None:
    """The line that tells the state is a live region that is there before it speaks."""
    live = visit.page.get_by_role("status").first
    expect(live).to_have_text("")
    visit.call(NOBODY)
    expect(live).to_have_text("The telephone is ringing. Stay here: you will hear whoever answers.")
    expect(live).to_have_text("Nobody answered the telephone.")


def test_the_policy_stops_what_is_injected(visit: Visit) -> None:
    done = visit.page.evaluate(
        """async () => {
          const seen = [];
          document.addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
          const script = document.createElement("script");
          script.textContent = "window.injected = true";
          document.body.append(script);
          const image = new Image();
          image.src = "https://elsewhere.example/steal.png";
          await fetch("https://elsewhere.example/steal").catch(() => 0);
          await new Promise((next) => setTimeout(next, 50));
          return { injected: window.injected === true, seen: seen.sort() };
        }"""
    )
    assert done == {"injected": False, "seen": ["connect-src", "img-src", "script-src-elem"]}


def test_the_page_shows_its_licences(visit: Visit) -> None:
    visit.page.get_by_role("link", name="Licences").click()
    expect(visit.page.locator("body")).to_contain_text("amazon-chime-sdk-js 3.32.0 (Apache-2.0)")


def test_digits_are_keys_of_the_telephone_only_while_a_call_goes_on(visit: Visit, browser: Chromium) -> None:
    visit.page.keyboard.type("12")
    visit.fill()
    visit.page.keyboard.type("3")
    expect(visit.page.get_by_label("Your name")).to_have_value("Ana Torres3")
    assert not any("/keys" in url for url in browser.asked)
