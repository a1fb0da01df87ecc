"""WAV files: what the service would say to one, and how to write one. Standard library only.

The service plays uncompressed PCM WAV up to 50 MB and recommends 8 kHz mono (guide, play-audio). :func:`read_header`
walks the chunks itself, because an author wants to know what the file *is* ("it is an MP3"), not what it is not.
"""

from __future__ import annotations

import io
import math
import struct
import wave
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from sma_flows.errors import SmaFlowsError
from sma_flows.protocol import limits

RATE: Final = 8_000
"""Samples per second of everything that is written here."""

WIDTH: Final = 2
"""Bytes per sample: 16 bit."""

_CONVERT: Final = "convert it, for example with `ffmpeg -i IN -ar 8000 -ac 1 -c:a pcm_s16le OUT.wav`"
_FORMATS: Final = {
    0x0002: "Microsoft ADPCM",
    0x0003: "floating point",
    0x0006: "A-law",
    0x0007: "mu-law",
    0x0011: "IMA ADPCM",
    0x0031: "GSM 6.10",
    0x0040: "G.721 ADPCM",
    0x0050: "MPEG",
    0x0055: "MP3",
    0x0064: "G.726 ADPCM",
    0x0161: "Windows Media Audio",
}
_PCM: Final = 0x0001
_EXTENSIBLE: Final = 0xFFFE
_PIPED: Final = (0, 0x7FFFFFFF, 0xFFFFFFFF)
_SIGNATURES: Final = (
    (0, b"ID3", "an MP3 file"),
    (0, b"OggS", "an Ogg file"),
    (0, b"fLaC", "a FLAC file"),
    (0, b"FORM", "an AIFF file"),
    (0, b"RIFX", "a WAV file in the byte order that nobody plays (RIFX)"),
    (0, b"RF64", "a WAV file for more than 4 GB (RF64)"),
    (0, b".snd", "a Sun audio file"),
    (0, b"#!AMR", "an AMR file"),
    (4, b"ftyp", "an MP4 or M4A file"),
    (0, b"<", "a text, perhaps a web page"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file"),
)


class NotPlayableError(SmaFlowsError):
    """A file that the service would not play: the text says what it is and what to do."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a PCM WAV file says of itself. ``offset`` is where its samples begin; ``advice`` is for its author."""

    rate: int
    channels: int
    width: int
    frames: int
    offset: int
    advice: str = ""

    @property
    def ms(self) -> int:
        """How long it plays, at least one millisecond."""
        return max(1, round(self.frames * 1000 / self.rate))


def read_header(path: Path) -> Header:
    """Look at a file as the service would.

    Raises:
        NotPlayableError: it cannot be read, is too large, or is not uncompressed PCM WAV.
    """
    try:
        size = path.stat().st_size
        if size > limits.MAX_AUDIO_BYTES:
            raise NotPlayableError(f"it has {size:,} bytes: the service plays at most 50 MB; shorten it or {_CONVERT}")
        with path.open("rb") as file:
            return _header(file, size)
    except OSError as error:
        raise NotPlayableError(f"it cannot be read ({error.strerror})") from None


def _header(file: BinaryIO, size: int) -> Header:
    start = file.read(32)
    if not start:
        raise NotPlayableError("it is empty")
    if not start.startswith(b"RIFF"):
        raise NotPlayableError(f"it is {_what(start)}: {_CONVERT}")
    if start[8:12] != b"WAVE":
        kind = start[8:12].decode("latin-1").strip()
        raise NotPlayableError(f"it is a RIFF file of the kind '{kind}', not WAVE: {_CONVERT}")
    form: tuple[int, int, int, int, int] | None = None
    place = 12
    while place + 8 <= size:
        file.seek(place)
        name, length = struct.unpack("<4sI", file.read(8))
        place += 8
        if name == b"fmt ":
            form = _format(file.read(min(length, 40)))
        elif name == b"data":
            if form is None:
                raise NotPlayableError("its samples come before their description: the RIFF structure is broken")
            return _data(form, place, length, size)
        place += length + length % 2
    missing = "description of its samples ('fmt ')" if form is None else "samples ('data')"
    raise NotPlayableError(f"it has no {missing}: the RIFF structure is broken or the file is cut off")


def _what(start: bytes) -> str:
    for place, mark, name in _SIGNATURES:
        if start[place:].startswith(mark):
            return name
    if start[0] == 0xFF and len(start) > 1 and start[1] & 0xE0 == 0xE0:  # the sync word of MPEG audio
        return "an MP3 file" if start[1] & 0x06 else "an AAC file"
    return "not a WAV file"


def _format(chunk: bytes) -> tuple[int, int, int, int, int]:
    """Format tag, channels, rate, bytes per sample; and 1 for an extended header."""
    if len(chunk) < 16:
        raise NotPlayableError("the description of its samples ('fmt ') is too short: the RIFF structure is broken")
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", chunk[:16])
    extended = tag == _EXTENSIBLE
    if extended and len(chunk) >= 26:
        (tag,) = struct.unpack("<H", chunk[24:26])
    if tag != _PCM:
        name = _FORMATS.get(tag, "an unknown coding")
        raise NotPlayableError(f"its samples are {name} (format {tag}), not PCM: {_CONVERT}")
    if not channels or not rate or bits not in (8, 16, 24, 32):
        raise NotPlayableError(f"it says {rate} Hz, {channels} channels, {bits} bit: the RIFF structure is broken")
    return tag, channels, rate, bits // 8, int(extended)


def _data(form: tuple[int, int, int, int, int], place: int, length: int, size: int) -> Header:
    _, channels, rate, width, extended = form
    there = size - place
    if length in _PIPED and there:
        raise NotPlayableError("its length was never filled in (it was written into a pipe): write it into a file")
    if length > there:
        raise NotPlayableError(f"it is cut off: it says {length:,} bytes of samples and has {there:,}")
    frames = length // (channels * width)
    if not frames:
        raise NotPlayableError("it has no samples (0 frames)")
    advice = []
    if (rate, channels) != (RATE, 1):
        kind = "mono" if channels == 1 else "stereo" if channels == 2 else f"{channels} channels"
        advice.append(f"it is {rate:,} Hz {kind}; the service recommends 8,000 Hz mono")
    if extended:
        advice.append("its header is of the extended kind, and nobody has written whether the service reads that")
    return Header(rate, channels, width, frames, place, "; ".join(advice))


# ---- writing -------------------------------------------------------------------------------------------------------


class Sounding(NamedTuple):
    """Something that can be heard on a track from *begin* to *end* (ms).

    ``sound`` is ``voice``, ``prompt``, ``beep``, or empty: silence, over whatever was there.
    ``name`` is the file that is really heard, where there is one.
    """

    begin: int
    end: int
    sound: str = "voice"
    name: str = ""


_PERIODS: Final = {"voice": 40, "prompt": 25, "beep": 8}
"""Samples in one wave: 200, 320 and 1,000 Hz. Whole samples, so that a tone is one wave repeated."""

_LOUDNESS: Final = 0.12


@lru_cache(maxsize=8)
def _wave(sound: str) -> bytes:
    count = _PERIODS[sound]
    tops = [round(_LOUDNESS * 32767 * math.sin(2 * math.pi * i / count)) for i in range(count)]
    return struct.pack(f"<{count}h", *tops)


def place_of(ms: int) -> int:
    """The byte of a track at which this millisecond begins."""
    return ms * RATE // 1000 * WIDTH


def track(length_ms: int, sounds: Iterable[Sounding], samples: Callable[[str], bytes] = lambda _name: b"") -> bytes:
    """One track of 16 bit samples. Later sounds lie over earlier ones; *samples* gives the sound of a named file."""
    out = bytearray(place_of(length_ms))
    for one in sounds:
        begin, end = place_of(max(0, one.begin)), min(place_of(one.end), len(out))
        if end <= begin:
            continue
        real = samples(one.name) if one.name else b""
        if real:
            piece = real[place_of(max(0, -one.begin)) :][: end - begin]
        elif one.sound:
            piece = (_wave(one.sound) * ((end - begin) // len(_wave(one.sound)) + 1))[: end - begin]
        else:
            piece = bytes(end - begin)
        out[begin : begin + len(piece)] = piece
    return bytes(out)


def file_of(tracks: Sequence[bytes]) -> bytes:
    """A whole WAV file of one track (mono) or two (left, right), 8 kHz and 16 bit."""
    frames = tracks[0]
    if len(tracks) == 2:
        both = array("h", bytes(2 * len(frames)))
        both[0::2], both[1::2] = array("h", tracks[0]), array("h", tracks[1])
        frames = both.tobytes()
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(len(tracks))
        file.setsampwidth(WIDTH)
        file.setframerate(RATE)
        file.writeframes(frames)
    return out.getvalue()


def samples_of(path: Path) -> bytes:
    """The sound of any PCM WAV file as 8 kHz 16 bit mono: channels are averaged, samples taken at the nearest moment.

    Raises:
        NotPlayableError: as :func:`read_header`.
    """
    header = read_header(path)
    with path.open("rb") as file:
        file.seek(header.offset)
        raw = file.read(header.frames * header.channels * header.width)
    if (header.rate, header.channels, header.width) == (RATE, 1, WIDTH):
        return raw
    step = header.channels * header.width
    count = header.frames * RATE // header.rate
    out = array("h", bytes(WIDTH * count))
    for i in range(count):
        begin = i * header.rate // RATE * step
        parts = range(begin, begin + step, header.width)
        out[i] = sum(_sample(raw, at, header.width) for at in parts) // header.channels
    return out.tobytes()


def _sample(raw: bytes, at: int, width: int) -> int:
    if width == 1:  # eight bits have no sign
        return (raw[at] - 128) << 8
    return int.from_bytes(raw[at : at + width], "little", signed=True) >> (8 * (width - WIDTH))
