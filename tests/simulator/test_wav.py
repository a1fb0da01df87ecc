"""Files that the service plays, and what is said about those that it does not."""

from __future__ import annotations

import contextlib
import io
import math
import struct
import wave
from array import array
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sma_flows.protocol import limits
from sma_flows.simulator.wav import NotPlayableError, Sounding, file_of, read_header, samples_of, track


def wav(frames: int = 800, rate: int = 8000, channels: int = 1, width: int = 2) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(bytes(frames * channels * width))
    return out.getvalue()


def riff(*chunks: tuple[bytes, bytes], kind: bytes = b"WAVE") -> bytes:
    body = kind + b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def form(tag: int, channels: int = 1, rate: int = 8000, bits: int = 16, more: bytes = b"") -> tuple[bytes, bytes]:
    step = channels * bits // 8
    return b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * step, step, bits) + more


DATA = (b"data", bytes(1600))


def problem(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    with pytest.raises(NotPlayableError) as caught:
        read_header(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it is empty"),
        (b"ID3\x03" + bytes(40), "it is an MP3 file: convert it, for example with `ffmpeg"),
        (b"\xff\xfb\x90\x64" + bytes(40), "it is an MP3 file"),
        (b"\xff\xf1\x50\x80" + bytes(40), "it is an AAC file"),
        (b"OggS" + bytes(40), "it is an Ogg file"),
        (b"fLaC" + bytes(40), "it is a FLAC file"),
        (b"\0\0\0\x20ftypM4A " + bytes(40), "it is an MP4 or M4A file"),
        (b"FORM" + bytes(40), "it is an AIFF file"),
        (b"<!DOCTYPE html>", "it is a text, perhaps a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a pointer of Git LFS, not the file"),
        (b"hello", "it is not a WAV file"),
        (riff(DATA, kind=b"AVI "), "it is a RIFF file of the kind 'AVI', not WAVE"),
        (riff(form(7, bits=8), DATA), "its samples are mu-law (format 7), not PCM"),
        (riff(form(6, bits=8), DATA), "its samples are A-law (format 6), not PCM"),
        (riff(form(3, bits=32), DATA), "its samples are floating point (format 3), not PCM"),
        (riff(form(0x55), DATA), "its samples are MP3 (format 85), not PCM"),
        (riff(form(0x4242), DATA), "its samples are an unknown coding (format 16962), not PCM"),
        (riff(form(0xFFFE, more=struct.pack("<HHIH", 22, 16, 4, 3)), DATA), "floating point (format 3)"),
        (riff(form(1, bits=12), DATA), "it says 8000 Hz, 1 channels, 12 bit: the RIFF structure is broken"),
        (riff(form(1, channels=0), DATA), "0 channels"),
        (riff(DATA), "its samples come before their description"),
        (riff((b"fmt ", b"12")), "the description of its samples ('fmt ') is too short"),
        (riff(form(1)), "it has no samples ('data')"),
        (riff((b"LIST", b"abc")), "it has no description of its samples"),
        (riff(form(1), (b"data", b"")), "it has no samples (0 frames)"),
        (wav()[:-100], "it is cut off: it says 1,600 bytes of samples and has 1,500"),
        (riff(form(1)) + b"data\xff\xff\xff\xff" + bytes(100), "it was written into a pipe"),
        (b"RIFF\x04\0\0\0WAVE", "the RIFF structure is broken or the file is cut off"),
    ],
)
def test_it_is_told_what_a_file_really_is(tmp_path: Path, content: bytes, says: str) -> None:
    assert says in problem(tmp_path, content)


def test_a_file_above_50_mb_is_not_played(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.truncate(limits.MAX_AUDIO_BYTES + 1)  # sparse: takes no space
    with pytest.raises(NotPlayableError, match="52,428,801 bytes: the service plays at most 50 MB"):
        read_header(path)


def test_a_file_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotPlayableError, match=r"it cannot be read \(No such file"):
        read_header(tmp_path / "none.wav")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 60))
def test_no_file_surprises_the_reader(tmp_path_factory: pytest.TempPathFactory, noise: bytes, cut: int) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.wav"
    for content in (noise, wav()[:cut] + noise, b"RIFF\0\0\0\0WAVEfmt " + noise):
        path.write_bytes(content)
        with contextlib.suppress(NotPlayableError):
            assert read_header(path).ms >= 1


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 4000), st.sampled_from([8000, 16000, 22050, 44100]), st.integers(1, 2), st.integers(1, 4))
def test_the_header_agrees_with_the_standard_library(
    tmp_path_factory: pytest.TempPathFactory, frames: int, rate: int, channels: int, width: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "good.wav"
    path.write_bytes(wav(frames, rate, channels, width))
    header = read_header(path)
    with wave.open(str(path)) as file:
        assert (header.rate, header.channels, header.width, header.frames) == (
            file.getframerate(),
            file.getnchannels(),
            file.getsampwidth(),
            file.getnframes(),
        )
    assert (header.advice == "") == (rate == 8000 and channels == 1)


def test_other_chunks_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(riff((b"LIST", b"odd"), form(1), (b"fact", b"1234"), DATA, (b"id3 ", b"tail")))
    assert read_header(path).ms == 100


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (wav(), ""),
        (wav(rate=44100, channels=2), "it is 44,100 Hz stereo; the service recommends 8,000 Hz mono"),
        (wav(rate=16000), "it is 16,000 Hz mono; the service recommends 8,000 Hz mono"),
        (wav(channels=6), "it is 8,000 Hz 6 channels; the service recommends 8,000 Hz mono"),
        (riff(form(0xFFFE, more=struct.pack("<HHIH", 22, 16, 4, 1)), DATA), "its header is of the extended kind"),
    ],
)
def test_what_is_played_but_not_recommended_is_advice(tmp_path: Path, content: bytes, advice: str) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    assert read_header(path).advice.startswith(advice)
    assert bool(read_header(path).advice) == bool(advice)


# ---- writing -------------------------------------------------------------------------------------------------------


def opened(content: bytes) -> wave.Wave_read:
    return wave.open(io.BytesIO(content))


def loud(samples: bytes, begin: int, end: int) -> bool:
    return any(array("h", samples[16 * begin : 16 * end]))


def test_a_track_sounds_where_it_should_and_is_silent_elsewhere() -> None:
    made = track(1000, [Sounding(200, 400), Sounding(600, 800), Sounding(650, 700, "")])
    assert len(made) == 16_000
    heard = [loud(made, at, at + 50) for at in range(0, 1000, 50)]
    assert [at * 50 for at, one in enumerate(heard) if one] == [200, 250, 300, 350, 600, 700, 750]
    assert max(array("h", made)) < 32767 * 0.2


def test_what_reaches_over_the_ends_is_cut() -> None:
    made = track(100, [Sounding(-50, 20), Sounding(90, 5000)])
    assert len(made) == 1600
    assert [loud(made, at, at + 10) for at in (0, 10, 20, 80, 90)] == [True, True, False, False, True]


def test_real_sounds_are_used_where_there_are_some() -> None:
    real = array("h", range(800)).tobytes()
    made = track(200, [Sounding(-50, 100, "voice", "hello")], lambda name: real if name == "hello" else b"")
    assert made == real[800:] + bytes(3200 - 800)


def test_stereo_has_the_first_track_left() -> None:
    left, right = track(100, [Sounding(0, 100)]), track(100, [])
    file = opened(file_of([left, right]))
    assert (file.getnchannels(), file.getframerate(), file.getsampwidth(), file.getnframes()) == (2, 8000, 2, 800)
    both = array("h", file.readframes(800))
    assert both[0::2].tobytes() == left
    assert both[1::2].tobytes() == right


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_any_pcm_file_can_be_spoken(tmp_path: Path, width: int, channels: int, rate: int) -> None:
    """A slow sine in any coding is the same sine at 8 kHz and 16 bit."""
    path = tmp_path / "x.wav"
    top = (1 << (8 * width - 1)) - 1
    values = [round(0.5 * top * math.sin(2 * math.pi * 50 * i / rate)) for i in range(rate // 10)]
    raw = b"".join(
        (value + 128 if width == 1 else value).to_bytes(width, "little", signed=width > 1) * channels
        for value in values
    )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(raw)
    heard = array("h", samples_of(path))
    assert len(heard) == 800
    wanted = [16383 * math.sin(2 * math.pi * 50 * i / 8000) for i in range(800)]
    assert max(abs(a - b) for a, b in zip(heard, wanted, strict=True)) < 700
