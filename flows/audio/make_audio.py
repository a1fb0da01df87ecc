"""Write the audio files of this folder: ``python flows/audio/make_audio.py [FOLDER]``.

PSTN Audio plays uncompressed PCM WAV and recommends 8 kHz, mono, 16 bit (developer guide, PlayAudio). Upload the files
with the content type ``audio/wav`` to the bucket that ``env.PROMPTS`` names. Same bytes on every run.
"""

from __future__ import annotations

import math
import struct
import sys
import wave
from pathlib import Path
from typing import Final

RATE: Final = 8000
"""Samples per second."""

LOUDNESS: Final = 0.25
"""Peak of a tone, of full scale: as loud as speech on a telephone line."""

FADE_S: Final = 0.01
"""Tones start and end softly: a sudden edge clicks."""


def tone(seconds: float, *pitches: float) -> list[float]:
    """A sum of sine waves of *pitches* (hertz), samples in -1..1."""
    count = round(seconds * RATE)
    fade = FADE_S * RATE
    return [
        LOUDNESS
        * min(1.0, i / fade, (count - 1 - i) / fade)
        * sum(math.sin(2 * math.pi * pitch * i / RATE) for pitch in pitches)
        / len(pitches)
        for i in range(count)
    ]


def silence(seconds: float) -> list[float]:
    """Nothing, for *seconds*."""
    return [0.0] * round(seconds * RATE)


FILES: Final = {
    "beep.wav": tone(0.3, 1000.0),  # "speak after the tone"
    "hold.wav": tone(1.0, 440.0, 480.0) + silence(0.5),  # what a caller hears while another line rings
    "silence.wav": silence(0.2),  # said nothing, politely: where the service insists on a failure audio
}


def write(folder: Path) -> None:
    """Write every file into *folder*."""
    for name, samples in FILES.items():
        with wave.open(str(folder / name), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(b"".join(struct.pack("<h", round(sample * 32767)) for sample in samples))


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
