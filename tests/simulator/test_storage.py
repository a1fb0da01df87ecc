"""S3 as folders: prompts are judged as the service would, recordings are real WAV files, nothing leaves the folder."""

from __future__ import annotations

import io
import json
import wave
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sma_flows.simulator.driver import Phone
from sma_flows.simulator.messages import Callee, CallRecording, HangUp, Log, Stored, Talk
from sma_flows.simulator.storage import METADATA, Storage

from .kit import Function, act, bridge, digits, hangup, pause, play, record, reply, speak, told
from .test_wav import wav

SOUND = {"Type": "S3", "BucketName": "sounds", "Key": "hello.wav"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "hello.wav").write_bytes(wav(frames=8000 * 7))
    return tmp_path


def called(storage: Storage | None, *first: dict[str, Any], **answers: Any) -> Phone:
    made = Phone(Function({"NEW_INBOUND_CALL": reply(*first), **answers}), storage=storage)
    made.dial_in()
    return made


def warnings(made: Phone) -> list[str]:
    return [one.message for one in made.outputs if isinstance(one, Log)]


def sounds(content: bytes, step_ms: int = 100) -> list[list[bool]]:
    """For each track, whether it sounds, in steps."""
    with wave.open(io.BytesIO(content)) as file:
        count = file.getnchannels()
        samples = array("h", file.readframes(file.getnframes()))
    size = 8 * step_ms
    tracks = [samples[i::count] for i in range(count)]
    return [[any(one[at : at + size]) for at in range(0, len(one), size)] for one in tracks]


def heard(content: bytes) -> list[str]:
    """For each track, the tenths of a second in which it sounds, as ranges."""
    out = []
    for track in sounds(content):
        edges = [at for at in range(len(track) + 1) if (at and track[at - 1]) != (at < len(track) and track[at])]
        out.append(" ".join(f"{a}-{b}" for a, b in zip(edges[::2], edges[1::2], strict=True)))
    return out


# ---- prompts -------------------------------------------------------------------------------------------------------


def test_a_file_lasts_as_long_as_it_really_is(root: Path) -> None:
    made = called(Storage(root), play(Repeat=2), hangup())
    made.settle()
    assert made.now_ms == 14_000
    assert warnings(made) == []


def test_without_a_folder_a_file_has_the_usual_length_and_that_is_noted_once(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    made = called(storage, play(), play(), hangup())
    made.settle()
    note = f"no folder 'sounds' in '{tmp_path}' stands for this bucket: its files are not checked"
    assert made.now_ms == 6_000
    assert warnings(made) == [note]
    assert storage.notes == (note,)


@pytest.mark.parametrize(
    ("key", "content", "says"),
    [
        ("helo.wav", b"", "there is no such file (did you mean hello.wav?)"),
        ("zzz", b"", "there is no such file"),
        ("deep", b"", "it is a folder"),
        ("song.wav", b"ID3" + bytes(100), "it is an MP3 file: convert it"),
        ("empty.wav", wav(frames=0), "it has no samples (0 frames)"),
    ],
)
def test_what_the_service_would_not_play_fails_and_the_reason_is_told(
    root: Path, key: str, content: bytes, says: str
) -> None:
    (root / "sounds" / "deep").mkdir()
    if content:
        (root / "sounds" / key).write_bytes(content)
    source = {**SOUND, "Key": key}
    failed = {"ACTION_FAILED": reply(hangup())}
    for action in (play(AudioSource=source), digits(FailureAudioSource=source), bridge(RingbackTone=source)):
        made = called(Storage(root), action, **failed)
        made.settle()
        assert told(made)[1] == f"ACTION_FAILED {action['Type']} InvalidAudioSource"
        assert any(one.startswith(f"sounds/{key} is not played: {says}") for one in warnings(made))


def test_a_file_that_is_not_recommended_is_played_and_noted(root: Path) -> None:
    (root / "sounds" / "hello.wav").write_bytes(wav(frames=44_100, rate=44_100, channels=2))
    made = called(Storage(root), play(), hangup())
    made.settle()
    assert made.now_ms == 1_000
    assert warnings(made) == ["sounds/hello.wav: it is 44,100 Hz stereo; the service recommends 8,000 Hz mono"]


def test_capitals_count_even_where_the_disk_does_not_see_them(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.listdir", lambda _folder: ["Hello.WAV"])
    assert "capitals" in Storage(root).audio("sounds", "hello.wav").problem


def test_with_strict_a_bucket_without_a_folder_does_not_exist(root: Path) -> None:
    storage = Storage(root, strict=True)
    assert storage.audio("others", "x.wav").problem == "there is no bucket 'others'"
    made = called(storage, record(), ACTION_FAILED=reply(hangup()))
    made.settle()
    assert told(made)[1] == "ACTION_FAILED RecordAudio InvalidActionParameter"
    assert warnings(made) == ["nothing can be recorded into 'voices': there is no such bucket"]


def test_a_bucket_is_looked_for_in_each_folder(root: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    assert Storage(first, root).audio("sounds", "hello.wav").ms == 7_000
    (first / "sounds").mkdir()
    assert Storage(first, root).audio("sounds", "hello.wav").problem.startswith("there is no such file")


def test_a_file_that_appears_later_is_found(root: Path) -> None:
    late = {**SOUND, "Key": "late.wav"}
    again = {"ACTION_FAILED": reply(), "CALL_UPDATE_REQUESTED": reply(play(AudioSource=late), hangup())}
    made = called(Storage(root), play(AudioSource=late), **again)
    assert told(made)[1] == "ACTION_FAILED PlayAudio InvalidAudioSource"
    (root / "sounds" / "late.wav").write_bytes(wav(frames=16_000))
    made.update({"again": "yes"})
    made.settle()
    assert (made.over, made.now_ms) == (True, 2_000)


@pytest.mark.parametrize("bucket", ["..", ".", "a/b", "a\\b", "x" * 70, "a..b", "", "/etc"])
def test_a_bucket_has_the_name_of_a_bucket(root: Path, bucket: str) -> None:
    assert "cannot be the name of a bucket" in Storage(root).audio(bucket, "hello.wav").problem


KEYS = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(["..", ".", "", "a", "C:", "\\", "a.", " ", "\0", "x" * 300, "\ud800"]), max_size=6).map(
        "/".join
    ),
)


@settings(max_examples=60, deadline=None)
@given(KEYS)
def test_no_key_leaves_its_bucket(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    """A secret beside the bucket is never read, and nothing is ever written beside it."""
    root = tmp_path_factory.mktemp("hostile") / "s3"
    (root / "sounds").mkdir(parents=True)
    (root.parent / "hello.wav").write_bytes(wav())
    (root / "hello.wav").write_bytes(wav())
    storage = Storage(root, into=root)
    assert storage.audio("sounds", key).ms is None
    assert storage.audio("sounds", f"../{key}").ms is None
    target = {"Type": "S3", "BucketName": "voices", "Prefix": key}
    made = called(storage, record(RecordingDestination=target), HANGUP=reply())
    made.wait(100)
    made.press("#")
    stored = next(one for one in made.outputs if isinstance(one, Stored))
    assert len(storage.read(stored.bucket, stored.key)) == 44 + 1600
    written = {path for path in root.parent.rglob("*") if path.is_file()}
    outside = {path for path in written if not path.is_relative_to(root / "voices")}
    assert outside == {root.parent / "hello.wav", root / "hello.wav"}


def test_a_link_out_of_the_bucket_is_not_followed(root: Path) -> None:
    (root / "secret.wav").write_bytes(wav())
    (root / "sounds" / "link.wav").symlink_to(root / "secret.wav")
    (root / "sounds" / "inside.wav").symlink_to(root / "sounds" / "hello.wav")
    storage = Storage(root)
    assert storage.audio("sounds", "link.wav").problem == "it cannot be read (a link leads out of the folder)"
    assert storage.audio("sounds", "inside.wav").ms == 7_000


# ---- what a party says ---------------------------------------------------------------------------------------------


def spoken(storage: Storage, **params: Any) -> tuple[Phone, str]:
    """A caller who waits 1 s, talks 2 s, waits 1 s, talks 3 s, and lets the silence end it or presses #."""
    made = called(storage, record(**params), ACTION_SUCCESSFUL=reply(hangup()))
    made.wait(1000)
    made.send(Talk(2000))
    made.wait(3000)
    made.send(Talk(3000))
    if "SilenceDurationInSeconds" in params:
        made.settle()
    else:
        made.wait(4000)
        made.press("#")
    stored = [one for one in made.outputs if isinstance(one, Stored)]
    assert len(stored) == 1
    return made, stored[0].key


def test_a_recording_holds_what_was_said_and_the_silence(tmp_path: Path) -> None:
    storage = Storage(into=tmp_path)
    made, key = spoken(storage)
    assert key == "mail/2026/11/20/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee_1.wav"
    content = (tmp_path / "voices" / key).read_bytes()
    assert heard(content) == ["10-30 40-70"]
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (1, 2, 8000, 64000)
    event = next(one for one in made.events if one["InvocationEventType"] == "ACTION_SUCCESSFUL")
    assert event["ActionData"]["RecordingDestination"]["Key"] == key


def test_the_silence_that_ends_a_recording_is_part_of_it() -> None:
    storage = Storage()
    _, key = spoken(storage, SilenceDurationInSeconds=4)
    assert heard(storage.read("voices", key)) == ["10-30 40-70"]
    assert storage.audio("voices", key).ms == 11_000


def test_a_recording_in_memory_and_one_on_disk_are_the_same_bytes(tmp_path: Path) -> None:
    memory, disk = Storage(), Storage(into=tmp_path)
    _, key = spoken(memory)
    assert spoken(disk)[1] == key
    assert memory.read("voices", key) == disk.read("voices", key)
    assert memory.recordings() == [f"voices/{key}"]
    assert disk.recordings() == []


@pytest.mark.parametrize("disk", [True, False])
def test_a_recording_that_is_played_in_the_same_call_has_its_real_length(tmp_path: Path, disk: bool) -> None:
    storage = Storage(into=tmp_path) if disk else Storage()

    def answer(event: dict[str, Any]) -> object:
        data = event.get("ActionData", {})
        if event["InvocationEventType"] == "NEW_INBOUND_CALL":
            return reply(record())
        if data.get("Type") == "RecordAudio":
            return reply(play(AudioSource=data["RecordingDestination"]), hangup())
        return reply()

    made = Phone(answer, storage=storage)
    made.dial_in()
    made.wait(4_200)
    made.press("#")
    made.settle()
    assert made.now_ms == 8_400
    assert warnings(made) == []


def test_a_file_can_be_spoken(tmp_path: Path) -> None:
    voice = tmp_path / "voice.wav"
    samples = array("h", [1000] * 8000)
    with wave.open(str(voice), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    storage = Storage()
    made = called(storage, record(), ACTION_SUCCESSFUL=reply(hangup()))
    made.wait(500)
    made.send(Talk(1000, file=str(voice)))
    made.wait(1500)
    made.press("#")
    (name,) = storage.recordings()
    content = storage.read(*name.split("/", 1))
    assert content[44:] == bytes(8000) + samples.tobytes() + bytes(8000)


def test_keys_leave_no_trace_in_a_recording() -> None:
    storage = Storage()
    made = called(storage, record(RecordingTerminators=["#"]), ACTION_SUCCESSFUL=reply(hangup()))
    made.press("1234567#", gap_ms=500)
    (name,) = storage.recordings()
    assert heard(storage.read(*name.split("/", 1))) == [""]


def test_a_recording_that_cannot_be_written_is_told_and_kept(tmp_path: Path) -> None:
    storage = Storage(into=tmp_path)
    target = {"Type": "S3", "BucketName": "voices", "Prefix": "x" * 300}
    made = called(storage, record(RecordingDestination=target), ACTION_SUCCESSFUL=reply(hangup()))
    made.press("#")
    assert [one.rpartition(" is not written: ")[2] for one in warnings(made)] == ["File name too long"]
    assert len(storage.recordings()) == 1


def test_a_folder_that_is_a_file_cannot_be_recorded_into(tmp_path: Path) -> None:
    (tmp_path / "voices").write_text("I am a file")
    made = called(Storage(into=tmp_path), record(), ACTION_FAILED=reply(hangup()))
    made.settle()
    assert told(made)[1] == "ACTION_FAILED RecordAudio InvalidActionParameter"
    assert "is not a folder that can be written to" in warnings(made)[0]


# ---- recordings of whole calls -------------------------------------------------------------------------------------


def tape(track: str, location: str = "calls/desk") -> dict[str, Any]:
    destination = {"Type": "S3", "Location": location}
    return act("StartCallRecording", ParticipantTag="LEG-A", Track=track, Destination=destination)


KEY = "desk/2026/11/20/1795000000000_aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee_aaaaaaaa-0000-0000-0000-000000000001.wav"


def taped(track: str, storage: Storage) -> bytes:
    """The flow pauses 1 s, speaks for 3 s (50 letters), pauses 2 s; the caller talks from 4.5 s to 5.5 s."""
    made = called(storage, pause(500), tape(track), pause(1000), speak("x" * 50), pause(2000), hangup())
    made.wait(5000)
    made.send(Talk(1000))
    made.settle()
    assert made.now_ms == 6_500
    return storage.read("calls", KEY)


def test_both_sides_are_stereo_with_the_incoming_side_left() -> None:
    assert heard(taped("BOTH", Storage())) == ["45-55", "10-40"]


@pytest.mark.parametrize(("track", "wanted"), [("INCOMING", ["45-55"]), ("OUTGOING", ["10-40"])])
def test_one_side_is_mono(track: str, wanted: list[str]) -> None:
    assert heard(taped(track, Storage())) == wanted


def test_the_file_and_its_metadata_lie_in_the_folder(tmp_path: Path) -> None:
    storage = Storage(into=tmp_path)
    content = taped("BOTH", storage)
    path = tmp_path / "calls" / KEY
    assert path.read_bytes() == content
    wanted = {
        "transaction-id": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "call-id": "aaaaaaaa-0000-0000-0000-000000000001",
        "recording-duration": "6",
        "recording-audio-file-format": "wav",
    }
    assert json.loads(path.with_name(path.name + METADATA).read_text()) == wanted
    assert storage.metadata("calls", KEY) == wanted


def test_without_a_prefix_the_service_has_a_folder_of_its_own() -> None:
    storage = Storage()
    called(storage, tape("BOTH", "calls"), pause(100), hangup()).settle()
    assert storage.recordings()[0].startswith("calls/Amazon-Chime-SMA-Call-Recordings/2026/11/20/")


def test_a_pause_is_silence_between_two_marks_and_counts() -> None:
    storage = Storage()
    leg = {"ParticipantTag": "LEG-A"}
    made = called(
        storage,
        *(tape("INCOMING"), pause(1000), act("PauseCallRecording", **leg), pause(2000)),
        *(act("ResumeCallRecording", **leg), pause(1000), act("StopCallRecording", **leg), pause(5000), hangup()),
    )
    made.send(Talk(20_000))
    made.settle()
    assert [one.does for one in made.outputs if isinstance(one, CallRecording)] == [
        *("starts", "pauses", "resumes", "stops"),
    ]
    samples = array("h", storage.read("calls", KEY)[44:])
    assert len(samples) == 4 * 8000
    assert heard(storage.read("calls", KEY)) == ["0-12 30-40"]  # the marks lie over the voice: 1.0-1.2 and 3.0-3.2
    voice, mark = samples[800:1600], samples[8000:8800]
    assert voice != mark
    assert samples[24_000:24_800] == mark


@pytest.mark.parametrize("how", ["caller", "flow", "service"])
def test_the_end_of_the_leg_is_the_end_of_the_recording(how: str) -> None:
    storage = Storage()
    answers: dict[str, Any] = {"flow": reply(hangup()), "service": Exception("no")}
    made = called(storage, tape("BOTH"), pause(2000), ACTION_SUCCESSFUL=[answers.get(how, reply(pause(9000)))] * 2)
    made.wait(3000)
    if how == "caller":
        made.send(HangUp())
    made.settle()
    assert storage.recordings() == [f"calls/{KEY}"]
    assert storage.audio("calls", KEY).ms == {"caller": 3000, "flow": 2000, "service": 7000}[how]


def test_joined_parties_are_on_each_other_s_recording() -> None:
    storage = Storage()
    made = called(storage, tape("BOTH"), bridge(), ACTION_SUCCESSFUL=reply())
    made.wait(1000)
    made.send(Callee("answers"))
    made.wait(1000)
    made.send(Talk(1000, "LEG-B"))
    made.wait(2000)
    made.send(Talk(500, "LEG-A"))
    made.wait(1000)
    made.send(HangUp("LEG-A"))
    assert heard(storage.read("calls", KEY)) == ["40-45", "20-30"]


def test_what_is_not_there_cannot_be_read(root: Path) -> None:
    storage = Storage(root)
    for bucket, key in (("sounds", "none.wav"), ("none", "x.wav"), ("..", "hello.wav")):
        with pytest.raises(FileNotFoundError):
            storage.read(bucket, key)
    assert storage.metadata("sounds", "hello.wav") == {}


def test_a_phone_without_a_storage_keeps_nothing_and_goes_on() -> None:
    made = called(None, record(), ACTION_SUCCESSFUL=reply(play(), hangup()))
    made.press("#")
    made.settle()
    assert made.over
    assert warnings(made) == []
