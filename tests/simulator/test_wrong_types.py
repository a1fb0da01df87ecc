"""Whatever stands in the parameters of an action: the service says what is wrong, and the call stays a value."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.kit import (
    Action,
    act,
    bot,
    bridge,
    called,
    digits,
    hangup,
    join,
    listen,
    pause,
    play,
    record,
    reply,
    speak,
    spoken_digits,
)
from sma_flows.protocol.check import PARAMETERS
from sma_flows.simulator.messages import Callee

BASES = [
    speak(),
    play(Repeat=2, PlaybackTerminators=["#"]),
    pause(),
    digits(TerminatorDigits=["#"], InputDigitsRegex="[0-9]", InBetweenDigitsDurationInMilliseconds=900, Repeat=2),
    spoken_digits(),
    listen(),
    record(SilenceDurationInSeconds=2, SilenceThreshold=300),
    act("SendDigits", Digits="12,", ToneDurationInMilliseconds=200),
    bridge(RingbackTone={"Type": "S3", "BucketName": "sounds", "Key": "ring.wav"}, SipHeaders={"x-a": "b"}),
    join(),
    act("ModifyChimeMeetingAttendees", Operation="Mute", MeetingId="meeting-1", AttendeeList=["abc"]),
    bot(Configuration={"WelcomeMessages": [{"ContentType": "PlainText", "Content": "Hi"}], "SessionState": {}}),
    act("StartCallRecording", Track="BOTH", Destination={"Type": "S3", "Location": "voices/calls"}),
    act("StopCallRecording"),
    act("PauseCallRecording"),
    act("ResumeCallRecording"),
    act("VoiceFocus", Enable=True),
    hangup(),
]
WRONG: list[Any] = [None, "", "abc", "+1", True, -1, 1.5, 10**30, [], [1], ["b"], [[]], [{}], {}, {"a": []}, {"": {}}]


def places(value: Any, *way: Any) -> Iterator[tuple[Any, ...]]:
    if way:
        yield way
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in inside:
        yield from places(inner, *way, name)


@st.composite
def mistaken(draw: st.DrawFn) -> Action:
    action = copy.deepcopy(draw(st.sampled_from(BASES)))
    if draw(st.booleans()):
        name = draw(st.sampled_from(sorted(PARAMETERS[action["Type"]])))
        action["Parameters"][name] = copy.deepcopy(draw(st.sampled_from(WRONG)))
    for _ in range(draw(st.integers(1, 2))):
        ways = list(places(action["Parameters"]))
        if not ways:
            break
        *before, last = draw(st.sampled_from(ways))
        inside = action["Parameters"]
        for name in before:
            inside = inside[name]
        inside[last] = copy.deepcopy(draw(st.sampled_from(WRONG)))
    return action


def test_every_action_is_tried() -> None:
    assert {one["Type"] for one in BASES} == set(PARAMETERS)


@settings(max_examples=300)
@given(mistaken(), st.booleans())
def test_a_parameter_of_another_type_is_the_actions_failure(action: Action, met: bool) -> None:
    first = [join()] if met else [speak()]
    made = called(*first, answers={"ACTION_SUCCESSFUL": [reply(action), reply()]})
    made.settle()
    hash(made.network)
    if any(leg.status == "ringing" for leg in made.network.legs):
        made.send(Callee("answers"))
    made.settle()
    if made.connected("LEG-A"):
        made.hang_up()
    made.settle()
    hash(made.network)
    assert made.over
