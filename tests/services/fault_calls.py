"""Whole calls in which one request to AWS goes wrong: which, how the call is played, and what its caller hears then.

The list is the table of docs/faults.md (``make docs`` writes it from here) and the test of it
(``test_fault_calls.py``): what the page says is what was played.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

FAULTS: Final = {
    "no answer": "it is done, and no answer comes before the hook's time is over",
    "throttle": "429, too many requests",
    "deny": "403, not allowed",
    "garbage": "200, and a page of HTML",
}
"""How a request goes wrong. ``no answer`` is the worst kind of a time-out: what was asked for has happened."""

TALK: Final = "(nothing: the meeting goes on)"
OVER: Final = "(nothing: the call is over)"

Keys = tuple[tuple[str, str], ...]

PIN: Final[Keys] = (("enter your PIN", "482913"),)
DIAL_IN: Final[Keys] = (("For English", "1"), ("your conference number", "4155501#"), ("six-digit PIN", "482913"))
SORRY: Final = ("We are sorry. There is a technical problem.", "Thank you for calling. Goodbye.")
BYE: Final = ("Goodbye.",)


@dataclass(frozen=True)
class WholeCall:
    """One request of a flow that goes wrong, each time it is made.

    ``request`` is an operation, for the store with the kind of item behind it. ``keys`` are pressed when words are
    heard. ``hears`` is what is said from the fault to the end of the call, all of it. ``then`` are requests that still
    have to come: clean-up. ``talks``: the call is connected and goes on, until the caller hangs up. ``over``: the fault
    happens after that, in clean-up. ``quiet``: nothing is lost by it, so nobody is told. ``lost``: the reply could not
    be written down, so the event that comes again is `failed`.
    """

    flow: str
    request: str
    hears: tuple[str, ...]
    keys: Keys = ()
    then: tuple[str, ...] = ()
    talks: bool = False
    over: bool = False
    quiet: bool = False
    lost: bool = False
    env: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.flow}: {self.request}" + (" (bus)" if self.env else "")


BUS: Final = {"MISSED": "arn:aws:events:us-east-1:111122223333:event-bus/calls"}
STOPPED: Final = ("StopMeetingTranscription", "DeleteMediaPipeline", "DeleteMediaPipeline", "DeleteAttendee")
SAID_SO: Final = ("That did not work.",)

CALLS: Final = [
    # rows, PINs and limits
    WholeCall("who-calls", "GetItem row", BYE, PIN),
    WholeCall("who-calls", "UpdateItem limit", BYE, PIN),
    WholeCall("who-calls", "GetItem pin", BYE, PIN),
    WholeCall("who-calls", "PutItem row", BYE, PIN),
    WholeCall("who-calls", "UpdateItem row", BYE, PIN),
    WholeCall("dial-in", "UpdateItem limit", SORRY, DIAL_IN),
    WholeCall("dial-in", "GetItem limit", SORRY, DIAL_IN),
    WholeCall("voicemail", "UpdateItem row", SORRY, (("For English", "1"), ("four-digit extension", "2101"))),
    WholeCall(
        "voicemail",
        "DeleteItem row",
        SORRY,
        (("For English", "1"), ("four-digit extension", "2101"), ("To keep your message", "3")),
        then=("SendChannelMessage",),
    ),
    # meetings
    WholeCall("dial-in", "GetItem row", SORRY, DIAL_IN),
    WholeCall("dial-in", "CreateMeeting", SORRY, DIAL_IN),
    WholeCall("dial-in", "GetMeeting", SORRY, DIAL_IN),
    WholeCall("dial-in", "UpdateItem row", SORRY, DIAL_IN),
    WholeCall("dial-in", "CreateAttendee", SORRY, DIAL_IN),
    WholeCall("dial-in", "DeleteAttendee", (), DIAL_IN, talks=True, over=True),
    WholeCall("dial-in", "ListAttendees", (), DIAL_IN, then=("DeleteAttendee",), talks=True, over=True, quiet=True),
    WholeCall(
        "dial-in",
        "DeleteMeeting",
        (),
        DIAL_IN,
        then=("DeleteAttendee", "ListAttendees"),
        talks=True,
        over=True,
        quiet=True,
    ),
    WholeCall("moderated", "GetAttendee", SAID_SO, then=("DeleteAttendee",), talks=True),
    WholeCall("moderated", "UpdateAttendeeCapabilities", SAID_SO, then=("DeleteAttendee",), talks=True),
    WholeCall("moderated", "ListAttendees", SAID_SO, then=("DeleteAttendee",), talks=True),
    # streams, recordings, transcriptions
    WholeCall("on-air", "CreateMediaLiveConnectorPipeline", (), then=("DeleteAttendee",), talks=True),
    WholeCall("on-air", "CreateMediaCapturePipeline", (), then=("DeleteMediaPipeline", "DeleteAttendee"), talks=True),
    WholeCall(
        "on-air",
        "StartMeetingTranscription",
        (),
        then=("DeleteMediaPipeline", "DeleteMediaPipeline", "DeleteAttendee"),
        talks=True,
    ),
    WholeCall(
        "on-air",
        "StopMeetingTranscription",
        (),
        then=("DeleteMediaPipeline", "DeleteMediaPipeline", "DeleteAttendee"),
        talks=True,
        over=True,
    ),
    WholeCall("on-air", "GetItem ended", ("You are on air.",), then=STOPPED, talks=True),
    WholeCall("on-air", "PutItem ended", (), then=STOPPED, talks=True, over=True),
    WholeCall(
        "on-air", "DeleteMediaPipeline", (), then=("StopMeetingTranscription", "DeleteAttendee"), talks=True, over=True
    ),
    # messages, queues, buses
    WholeCall(
        "voicemail", "SendChannelMessage", (), (("For English", "1"), ("four-digit extension", "2101")), over=True
    ),
    WholeCall("missed", "SendMessage", BYE),
    WholeCall("missed", "PutEvents", BYE, env=BUS),
    WholeCall("missed", "PutItem memo", BYE, env=BUS),
    WholeCall("missed", "UpdateItem memo", BYE, env=BUS, lost=True),
    # calls, and work outside the call
    WholeCall("ring-back", "CreateSipMediaApplicationCall", BYE),
    WholeCall("ring-back", "UpdateSipMediaApplicationCall", BYE),
    WholeCall("ring-back", "PutItem memo", BYE),
    WholeCall("ring-back", "UpdateItem memo", ("We call you back in a moment.", "Goodbye."), lost=True),
    WholeCall("patient", "Invoke", ("That did not work.", "Goodbye.")),
    # answers that can overlap
    WholeCall("noted", "PutItem journal", ("Noted.",), (("Hello.", "1"),), talks=True),
    WholeCall("noted", "GetItem journal", ("Noted.",), (("Hello.", "1"),), talks=True),
]

PROMPTS: Final = """\
sma_prompts: 1
default: en-US
locales: {en-US: {voice: Joanna}}
prompts:
  hold_music: {audio: hold.wav}
  sorry: {en-US: That did not work.}
  goodbye: {en-US: Goodbye.}
"""
"""The words of the flow `patient`: what is heard while a long hook works is a file."""

FLOWS: Final = {
    "moderated": """\
sma_flow: 1
name: moderated
entry: inbound
hooks:
  open: {builtin: meetings.open}
  hush: {builtin: meetings.mute}
defaults: {next: {failed: goodbye}}
start: meet
states:
  meet: {run: open("board"), next: join}
  join: {join_meeting: meeting, connected: quiet, next: {left: goodbye}}
  quiet: {mute: on, who: all, next: {done: hush, failed: sorry}}
  hush: {run: "hush(meeting, env.SOMEBODY)", next: {done: back, failed: sorry}}
  sorry: {say: "That did not work.", next: back}
  goodbye: {say: "Goodbye.", hangup: normal}
""",
    "patient": """\
sma_flow: 1
name: patient
entry: inbound
prompts: prompts.yaml
hooks:
  think: {python: hooks.made:think, effect: once, long: true}
defaults: {next: {failed: sorry}}
start: wait
states:
  wait: {run: think(), while: hold_music, at_most: 40s, next: goodbye}
  sorry: {say: sorry, next: goodbye}
  goodbye: {say: goodbye, hangup: normal}
""",
    "noted": """\
sma_flow: 1
name: noted
entry: inbound
hooks:
  note: {python: hooks.made:note, effect: read}
defaults: {next: {failed: goodbye}}
start: hello
states:
  hello: {say: "Hello.", next: talk}
  talk: {bridge: env.SALES, keys: {1: noting}, next: {ended: goodbye, no_answer: goodbye}}
  noting: {run: note(), next: said}
  said: {say: "Noted.", next: back}
  goodbye: {say: "Goodbye.", hangup: normal}
""",
}
"""Small flows for what no flow of the repository does. The others are in flows/ and docs/services.md."""


def table() -> str:
    """docs/faults.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# When AWS fails in a call: what the caller hears"
    yield ""
    yield "<!-- generated by docs/generate.py from tests/services/fault_calls.py, which plays each line -->"
    yield ""
    yield "Each line is a whole call on the simulated network in which one request to AWS goes wrong every time it is"
    yield f"made, in {len(FAULTS)} ways:"
    yield ""
    for name, what in FAULTS.items():
        yield f"* **{name}**: {what}"
    yield ""
    yield "In all of them the caller hears the same, each event is answered before the service would send it again,"
    yield "nothing is created twice, and what had been made before is cleaned up. `tests/services/test_fault_calls.py`"
    yield f"plays the {len(CALLS)} lines in {len(FAULTS)} ways. The flows are those of [flows/](../flows/README.md) and"
    yield f"[services.md](services.md), and three small ones of the test ({', '.join(sorted(FLOWS))})."
    yield ""
    yield "| flow | request that goes wrong | the caller hears from then on | clean-up that still runs |"
    yield "|---|---|---|---|"
    for call in CALLS:
        hears = " ".join(call.hears) or (OVER if call.over else TALK)
        then = ", ".join(dict.fromkeys(call.then)) or ""
        request = f"{call.request}" + (" (event bus)" if call.env else "")
        yield f"| {call.flow} | {request} | {hears} | {then} |"
