"""The sound files are what the service plays: uncompressed PCM, 8 kHz, mono, 16 bit, small."""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path

import pytest

from .desk import FLOWS

AUDIO = FLOWS / "audio"
FILES = sorted(AUDIO.glob("*.wav"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_format_is_the_recommended_one(path: Path) -> None:
    with wave.open(str(path)) as file:
        assert (file.getcomptype(), file.getframerate(), file.getnchannels(), file.getsampwidth()) == (
            "NONE",
            8000,
            1,
            2,
        )
        assert 0.1 < file.getnframes() / 8000 < 3
    assert path.stat().st_size < 30_000


def test_silence_is_silent_and_a_beep_is_not() -> None:
    with wave.open(str(AUDIO / "silence.wav")) as file:
        assert file.getnframes() == 1600
        assert not any(file.readframes(1600))
    with wave.open(str(AUDIO / "beep.wav")) as file:
        assert any(file.readframes(100))


def test_the_script_writes_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(AUDIO / "make_audio.py"), str(tmp_path)], check=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {p.name: p.read_bytes() for p in FILES}
