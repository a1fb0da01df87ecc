"""The telephone's screen, without a terminal: what is typed and clicked, and what is seen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input, OptionList, RichLog, Static

from phone.conftest import Dial
from sma_flows.phone.app import PhoneApp


def play(app: PhoneApp, work: Callable[[Pilot[int]], Awaitable[None]]) -> None:
    async def run() -> None:
        async with app.run_test(size=(130, 50)) as pilot:
            await pilot.pause()
            await work(pilot)

    asyncio.run(run())


async def type_(pilot: Pilot[int], *lines: str) -> None:
    for line in lines:
        pilot.app.query_one("#line", Input).value = line
        await pilot.press("enter")
        await pilot.pause()


def transcript(app: PhoneApp) -> str:
    return "\n".join(strip.text for strip in app.query_one("#transcript", RichLog).lines)


def panel(app: PhoneApp, name: str) -> str:
    return str(app.query_one(name, Static).render())


def test_the_screen_shows_what_is_heard_where_the_call_stands_and_what_runs(dial: Dial) -> None:
    app = PhoneApp(dial("dial-in"))

    async def work(pilot: Pilot[int]) -> None:
        assert "hears language" in transcript(app)
        assert "state  language" in panel(app, "#state")
        assert "SpeakAndGetDigits (collect)" in panel(app, "#state")
        await type_(pilot, "1", "4155501#")
        assert "hears ask_pin" in transcript(app)
        assert "leg    LEG-A connected" in panel(app, "#state")
        assert "conference = 4155501" in panel(app, "#values")

    play(app, work)


def test_keys_of_the_keypad_are_put_into_the_line_and_pressed_with_enter(dial: Dial) -> None:
    app = PhoneApp(dial("dial-in"))

    async def work(pilot: Pilot[int]) -> None:
        await pilot.click("#key-1")
        assert app.query_one("#line", Input).value == "1"
        await pilot.press("enter")
        await pilot.pause()
        assert app.handset.state == "ask_conference"

    play(app, work)


def test_function_keys_step_back_fork_stay_silent_and_hang_up(dial: Dial) -> None:
    app = PhoneApp(dial("dial-in"))

    async def work(pilot: Pilot[int]) -> None:
        await type_(pilot, "1", "4155501#")
        await pilot.press("f5")
        assert app.handset.state == "ask_conference"
        assert "ask_pin" not in transcript(app)
        await pilot.press("f6")
        assert app.handset.branch == "fork 1"
        await pilot.press("f2")
        assert [str(deed) for deed in app.handset.deeds] == ["press: 1", "silence: 1"]
        await pilot.press("f4")
        assert app.handset.over
        assert "the call is over" in panel(app, "#turn")

    play(app, work)


def test_a_step_that_is_chosen_is_gone_to(dial: Dial) -> None:
    app = PhoneApp(dial("dial-in"))

    async def work(pilot: Pilot[int]) -> None:
        await type_(pilot, "1", "4155501#")
        steps = app.query_one("#steps", OptionList)
        steps.focus()
        steps.highlighted = 0
        await pilot.press("enter")
        await pilot.pause()
        assert (app.handset.state, len(app.handset.ahead)) == ("language", 2)

    play(app, work)


def test_what_cannot_be_done_is_told_and_the_call_stays(dial: Dial) -> None:
    app = PhoneApp(dial("dial-in"))

    async def work(pilot: Pilot[int]) -> None:
        await type_(pilot, "speak 3s", "help")
        assert "? nothing is being recorded" in transcript(app)
        assert "save FILE [NAME]" in transcript(app)

    play(app, work)


def test_saving_offers_the_line_to_complete(dial: Dial, tmp_path: Path) -> None:
    app = PhoneApp(dial("dial-in"))

    async def work(pilot: Pilot[int]) -> None:
        await type_(pilot, "1")
        await pilot.press("f7")
        assert app.query_one("#line", Input).value.endswith("dial-in.calls.yaml NAME")
        await type_(pilot, f"save {tmp_path / 'x.calls.yaml'} by hand")
        assert (tmp_path / "x.calls.yaml").exists()

    play(app, work)


def test_time_passes_by_itself_in_a_live_call_and_can_be_stopped(dial: Dial) -> None:
    app = PhoneApp(dial("dial-in", live=True), speed=1000)

    async def work(pilot: Pilot[int]) -> None:
        while app.handset.now_s < 60:
            await pilot.pause(0.02)
        await pilot.press("f8")
        stopped = app.handset.now_s
        await pilot.pause(0.25)
        assert app.handset.now_s == stopped
        assert "paused" in panel(app, "#turn")

    play(app, work)


def test_quit_leaves(dial: Dial) -> None:
    app = PhoneApp(dial("dial-in"))

    async def work(pilot: Pilot[int]) -> None:
        await type_(pilot, "quit")

    play(app, work)
    assert app.return_value == 0
