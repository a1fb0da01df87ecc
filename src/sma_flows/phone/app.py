"""The telephone in a terminal: transcript, keys, state, timers, legs, and the way back."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Footer, Input, OptionList, RichLog, Static
from textual.widgets.option_list import Option

from sma_flows.phone.commands import help_text, run
from sma_flows.phone.handset import Handset, HandsetError

__all__ = ["PhoneApp"]

KEYPAD: Final = "123456789*0#"
TICK_S: Final = 0.1
_GAPS: Final = re.compile(r" {3,}")
_IDS: Final = {"*": "star", "#": "pound"}


class PhoneApp(App[int]):
    """A telephone on *handset*. With *speed* time passes by itself, that many times as fast as on the wall.

    Keys 0-9, * and # are gathered while the line of commands is empty and pressed with Enter, or after a pause of a
    second in a live call. Everything that the plain lines know can be typed.
    """

    TITLE = "sma-flows phone"
    CSS = """
    #left { width: 2fr; }
    #right { width: 1fr; min-width: 34; }
    #transcript { border: round $primary; padding: 0 1; }
    #turn { height: auto; min-height: 1; padding: 0 1; background: $boost; text-style: bold; }
    .panel { border: round $secondary; padding: 0 1; height: auto; max-height: 12; }
    #steps { border: round $secondary; height: 1fr; min-height: 5; }
    #keypad { grid-size: 3 4; grid-gutter: 0 1; height: 12; padding: 0 1; }
    #keypad Button { width: 100%; height: 3; min-width: 6; }
    #line { dock: bottom; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "typed('help')", "Help"),
        Binding("f2", "typed('silence')", "Stay silent"),
        Binding("f3", "typed('speak 5s')", "Speak"),
        Binding("f4", "typed('hangup')", "Hang up"),
        Binding("f5", "typed('back')", "Step back"),
        Binding("f6", "typed('fork')", "Fork"),
        Binding("f7", "save", "Save as test"),
        Binding("f8", "pause", "Pause"),
        Binding("ctrl+q", "leave", "Quit", priority=True),
    ]

    def __init__(self, handset: Handset, *, speed: float = 0.0) -> None:
        super().__init__()
        self.handset = handset
        self.speed = speed
        self.paused = False
        self.sub_title = f"{handset.flow.name}, {handset.script.from_} calls {handset.script.to}"
        self._said = 0
        self._player = handset.player
        self._rows: list[str] = []

    # ---- what there is ---------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """The screen."""
        with Horizontal():
            with Vertical(id="left"):
                transcript = RichLog(id="transcript", wrap=True, markup=False, highlight=False, min_width=20)
                transcript.border_title = "Call"
                transcript.can_focus = False
                yield transcript
                yield Static(id="turn", markup=False)
            with VerticalScroll(id="right", can_focus=False):
                state = Static(id="state", classes="panel", markup=False)
                state.border_title = "State, timers, legs"
                yield state
                values = Static(id="values", classes="panel", markup=False)
                values.border_title = "Variables"
                yield values
                steps = OptionList(id="steps", markup=False)
                steps.border_title = "Steps (Enter goes there)"
                yield steps
                with Grid(id="keypad"):
                    for key in KEYPAD:
                        button = Button(key, id=f"key-{_IDS.get(key, key)}", name=key)
                        button.can_focus = False
                        yield button
        yield Input(id="line", placeholder="keys (1234#) or a command; help lists them")
        yield Footer()

    def on_mount(self) -> None:
        """Begin: show what was heard so far; in a live call let the clock run."""
        self._show()
        self.query_one("#line", Input).focus()
        if self.speed:
            self.set_interval(TICK_S, self._tick)

    # ---- what happens ----------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        if not self.paused and not self.handset.over:
            self.handset.pass_time(round(TICK_S * 1000 * self.speed))
            self._show()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """A line was typed."""
        event.input.value = ""
        if event.value.strip() in ("quit", "exit", "q"):
            self.exit(0)
            return
        self._carry_out(event.value)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A key of the keypad: it is put into the line, as if it had been typed."""
        line = self.query_one("#line", Input)
        line.value += event.button.name or ""
        line.cursor_position = len(line.value)
        line.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A step was chosen: go to the place after it."""
        self._carry_out(f"jump {event.option_index}")

    def action_typed(self, line: str) -> None:
        """A function key stands for a line."""
        self._carry_out(line)

    def action_save(self) -> None:
        """Offer the line that saves, to be completed."""
        line = self.query_one("#line", Input)
        folder = self.handset.flow.parent / "calls"
        line.value = f"save {folder / self.handset.flow.stem}.calls.yaml NAME"
        line.focus()
        line.cursor_position = len(line.value)

    def action_pause(self) -> None:
        """Stop the clock of a live call, or let it go on."""
        self.paused = not self.paused
        self._show()

    def action_leave(self) -> None:
        """End the telephone."""
        self.exit(0)

    def _carry_out(self, line: str) -> None:
        log = self.query_one("#transcript", RichLog)
        try:
            answer = run(self.handset, line)
        except HandsetError as error:
            self._show()
            log.write(Text(f"? {error}", style="bold red"))
            return
        self._show()
        if answer:
            style = "dim" if answer == help_text() else "italic"
            log.write(Text(answer, style=style))

    # ---- what is shown ---------------------------------------------------------------------------------------------

    def _show(self) -> None:
        handset = self.handset
        log = self.query_one("#transcript", RichLog)
        if handset.player is not self._player:  # gone back: the transcript is another one
            self._player, self._said = handset.player, 0
            log.clear()
        for line in handset.lines[self._said :]:
            log.write(_coloured(line))
        self._said = len(handset.lines)
        clock = f" [{'paused' if self.paused else f'x{self.speed:g}'}]" if self.speed else ""
        self.query_one("#turn", Static).update(f"{handset.now_s:.1f} s{clock}  {handset.waits_for}")
        rows = [f"state  {handset.state}", *(f"leg    {leg}" for leg in handset.legs)]
        self.query_one("#state", Static).update("\n".join([*rows, *(f"timer  {timer}" for timer in handset.timers)]))
        values = "\n".join(f"{name} = {value}" for name, value in handset.variables.items())
        self.query_one("#values", Static).update(values or "none")
        self._show_steps()

    def _show_steps(self) -> None:
        handset = self.handset
        path = [*handset.deeds, *handset.ahead]
        here = len(handset.deeds)
        rows = ["(the call begins)", *map(str, path)]
        rows = [f"{'>' if place == here else ' '} {row}" for place, row in enumerate(rows)]
        rows += [f"  kept: {name}" for name in handset.branches]
        if rows != self._rows:
            self._rows = rows
            steps = self.query_one("#steps", OptionList)
            steps.clear_options()
            steps.add_options([Option(row, disabled=place > len(path)) for place, row in enumerate(rows)])
            steps.highlighted = here


def _coloured(line: str) -> Text:
    """A line of the transcript: what people do, what the caller hears, what the flow does."""
    words = line.partition(" s  ")[2]
    style = "bold cyan" if words.startswith(">") else "green" if words.startswith("hears") else "dim"
    return Text(_GAPS.sub("  ", line.strip()), style=style)
