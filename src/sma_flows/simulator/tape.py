"""What a recording holds, found in the transcript of the call: who made a sound when.

A party sounds while it talks (:class:`~sma_flows.simulator.messages.Talk`); keys leave no trace, because they may be a
secret. What a leg hears is the prompts, and the other party once they are joined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sma_flows.simulator.messages import CallRecording, Hears, Talk
from sma_flows.simulator.talk import speech_ms
from sma_flows.simulator.wav import Sounding, file_of, track

if TYPE_CHECKING:
    from sma_flows.simulator.messages import Entry

MARK_MS: Final = 200
"""How long the tone sounds by which a recording marks a pause and its end (the guide gives no length)."""


@dataclass(frozen=True, slots=True)
class Tape:
    """A recording: its length and, for one track or two (left, right), what sounds on it."""

    ms: int
    tracks: tuple[tuple[Sounding, ...], ...]

    def wav(self, samples: Callable[[str], bytes] = lambda _name: b"") -> bytes:
        """The WAV file. *samples* gives the sound of a file that is heard in it (``bucket/key``, or a path)."""
        return file_of([track(self.ms, sounds, samples) for sounds in self.tracks])


def message(transcript: Sequence[Entry], leg: str, now_ms: int) -> Tape:
    """What a party has said since its recording began, with the silence before, between and after."""
    begin = max((one.at_ms for one in transcript if one.value == Hears(leg, "recording")), default=now_ms)
    return Tape(now_ms - begin, (tuple(_said(transcript, leg, begin)),))


def whole_call(transcript: Sequence[Entry], leg: str, now_ms: int) -> tuple[CallRecording, Tape]:
    """The recording of a leg that stops now: where it goes, and what is on it. Stereo for BOTH (left: incoming).

    Raises:
        ValueError: it was never started.
    """
    mine = [one for one in transcript if isinstance(one.value, CallRecording) and one.value.leg == leg]
    starts = [place for place, one in enumerate(mine) if one.value.does == "starts"]
    if not starts:
        raise ValueError(f"the recording of {leg} was never started")
    changes = mine[starts[-1] :]
    begin, first = changes[0].at_ms, changes[0].value
    quiet = tuple(_pauses([(one.at_ms - begin, one.value.does) for one in changes], now_ms - begin))
    incoming = (*_said(transcript, leg, begin), *quiet)
    outgoing = (*_heard(transcript, leg, begin, now_ms), *quiet)
    tracks = {"BOTH": (incoming, outgoing), "INCOMING": (incoming,), "OUTGOING": (outgoing,)}
    return first, Tape(now_ms - begin, tracks[first.track])


def _said(transcript: Sequence[Entry], leg: str, begin: int) -> Iterator[Sounding]:
    for one in transcript:
        said = one.value
        if isinstance(said, Talk) and said.leg == leg and one.at_ms + said.ms > begin:
            start = one.at_ms - begin
            yield Sounding(start, start + said.ms, said.sound, said.file)


def _heard(transcript: Sequence[Entry], leg: str, begin: int, now_ms: int) -> Iterator[Sounding]:
    sounds = [one for one in transcript if isinstance(one.value, Hears) and one.value.leg == leg]
    other = "LEG-B" if leg == "LEG-A" else "LEG-A"
    for place, one in enumerate(sounds):
        until = sounds[place + 1].at_ms if place + 1 < len(sounds) else now_ms
        start, end = one.at_ms - begin, until - begin
        what, text = one.value.what, one.value.text
        if what == "speech":
            yield Sounding(start, min(end, start + speech_ms(text)), "prompt")
        elif what in ("audio", "ringback") and text:
            yield Sounding(start, end, "prompt", text)
        elif what == "other":
            for said in _said(transcript, other, begin):
                if said.end > start and said.begin < end:
                    yield said._replace(end=min(said.end, end))


def _pauses(changes: Sequence[tuple[int, str]], end: int) -> Iterator[Sounding]:
    """Silence while it is paused, and a tone where a pause begins and ends (guide, pause-call-recording)."""
    paused: int | None = None
    for at, does in [*changes, (end, "stops")]:
        if does == "pauses":
            paused = at
        elif paused is not None:
            yield Sounding(paused, at, "")
            yield Sounding(paused, min(at, paused + MARK_MS), "beep")
            if does == "resumes":
                yield Sounding(at, min(end, at + MARK_MS), "beep")
            paused = None
