"""S3 as folders: ``FOLDER/<bucket>/<key>``. Prompts are looked at as the service would, recordings become WAV files.

The network does no I/O: before an answer enters it, :meth:`Storage.fit` tells its world how long the files of the
answer are and which cannot be played; when it says that something was recorded, :meth:`Storage.keep` keeps it.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sma_flows.simulator import tape
from sma_flows.simulator.jsontext import object_of
from sma_flows.simulator.messages import CallRecording, Stored
from sma_flows.simulator.model import Network, World
from sma_flows.simulator.tape import Tape
from sma_flows.simulator.wav import NotPlayableError, read_header, samples_of

if TYPE_CHECKING:
    from sma_flows.simulator.messages import Entry

__all__ = ["Audio", "Storage"]

METADATA: Final = ".metadata.json"
"""Behind the name of a recording of a call: its object metadata, as S3 would keep them."""

_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_SAFE: Final = re.compile(r"""[^\\/:*?"<>|\x00-\x1f\ud800-\udfff]*(?<![. ])""")
_NAMING: Final = ('"BucketName"', '"Location"')
"""What an answer holds that names a file or a place for one."""

_SOURCES: Final = ("AudioSource", "FailureAudioSource", "RingbackTone")


class Audio(NamedTuple):
    """A file as the service sees it: its length (None: nobody knows), why it is not played, and advice."""

    ms: int | None = None
    problem: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    tape: Tape
    metadata: Mapping[str, str]


class Storage:
    """The buckets of a simulated call.

    A bucket is a folder of its name in one of *folders* (the first that has it). One without a folder is not looked
    at: its files have a usual length, which is noted once; with *strict* it does not exist, as in S3. Recordings are
    written below *into*, or stay in memory (:meth:`read` makes the file when somebody asks).

    One storage may serve many calls, one after the other or at once.
    """

    def __init__(self, *folders: Path, into: Path | None = None, strict: bool = False) -> None:
        self._folders = tuple(dict.fromkeys(folders if into is None else (into, *folders)))
        self._into = into
        self._strict = strict
        self._kept: dict[str, _Kept] = {}
        self._notes: dict[str, None] = {}

    # ---- files that are played ---------------------------------------------------------------------------------

    def audio(self, bucket: str, key: str) -> Audio:
        """One file: a recording that was made before, or a file of a folder."""
        kept = self._kept.get(f"{bucket}/{key}")
        if kept is not None:
            return Audio(max(1, kept.tape.ms))
        if not _BUCKET.fullmatch(bucket) or ".." in bucket:
            return Audio(problem=f"'{bucket}' cannot be the name of a bucket")
        folder = self._folder(bucket)
        if folder is not None:
            return _look(folder, key)
        return Audio(problem=f"there is no bucket '{bucket}'") if self._strict else Audio()

    def _folder(self, bucket: str) -> Path | None:
        return next((path for folder in self._folders if (path := folder / bucket).is_dir()), None)

    def fit(self, world: World, body: str) -> tuple[World, list[str]]:
        """The world with the facts about every file that an answer (JSON text) names, and what a tester should know."""
        if not any(name in body for name in _NAMING):
            return world, []
        lengths = dict(world.audio_ms)
        missing, closed = set(world.missing_audio), set(world.unwritable)
        warnings: list[str] = []
        for action in _actions(body):
            for bucket, key in _played(action):
                name, found = f"{bucket}/{key}", self.audio(bucket, key)
                warnings += self._warnings(name, bucket, found)
                if not found.problem:
                    missing.discard(name)
                elif name not in world.missing_audio:
                    missing.add(name)
                if found.ms is not None:
                    lengths[name] = found.ms
            bucket = _recorded_to(action)
            if bucket and (reason := self._closed(bucket)):
                closed |= {bucket} - world.unwritable
                warnings += self._note(f"nothing can be recorded into '{bucket}': {reason}")
        facts: dict[str, Any] = {}
        if lengths != dict(world.audio_ms):
            facts["audio_ms"] = tuple(sorted(lengths.items()))
        if missing != set(world.missing_audio):
            facts["missing_audio"] = frozenset(missing)
        if closed != set(world.unwritable):
            facts["unwritable"] = frozenset(closed)
        return (replace(world, **facts) if facts else world), warnings

    @property
    def notes(self) -> tuple[str, ...]:
        """Everything that a tester should know so far, each thing once."""
        return tuple(self._notes)

    def _note(self, text: str, *, again: bool = True) -> list[str]:
        new = again or text not in self._notes
        self._notes[text] = None
        return [text] if new else []

    def _warnings(self, name: str, bucket: str, found: Audio) -> list[str]:
        if found.problem:
            return self._note(f"{name} is not played: {found.problem}")
        if found.ms is None:
            looked = " or ".join(f"'{os.path.normpath(folder)}'" for folder in self._folders) or "any folder"
            text = f"no folder '{bucket}' in {looked} stands for this bucket: its files are not checked"
            return self._note(text, again=False)
        return self._note(f"{name}: {found.advice}", again=False) if found.advice else []

    def _closed(self, bucket: str) -> str:
        """Why nothing can be written into a bucket."""
        if not _BUCKET.fullmatch(bucket) or ".." in bucket:
            return "this cannot be the name of a bucket"
        if self._strict and self._folder(bucket) is None:
            return "there is no such bucket"
        folder = self._into / bucket if self._into is not None else None
        if folder is not None and folder.exists() and not (folder.is_dir() and os.access(folder, os.W_OK)):
            return f"'{folder}' is not a folder that can be written to"
        return ""

    # ---- recordings --------------------------------------------------------------------------------------------

    def keep(
        self, said: Stored | CallRecording, transcript: Sequence[Entry], now_ms: int, network: Network
    ) -> list[str]:
        """Keep what was recorded, when it is complete. Returns what a tester should know: it could not be written."""
        if isinstance(said, Stored):
            return self._put(said.bucket, said.key, _Kept(tape.message(transcript, said.leg, now_ms), {}))
        if said.does != "stops":
            return []
        first, recorded = tape.whole_call(transcript, said.leg, now_ms)
        leg = network.leg(said.leg)
        metadata = {
            "transaction-id": network.world.transaction,
            "call-id": leg.call_id if leg is not None else "",
            "recording-duration": str(round(recorded.ms / 1000)),  # the guide names the field, not its unit
            "recording-audio-file-format": "wav",
        }
        return self._put(first.bucket, first.key, _Kept(recorded, metadata))

    def _put(self, bucket: str, key: str, kept: _Kept) -> list[str]:
        name = f"{bucket}/{key}"
        if self._into is None:
            self._kept[name] = kept
            return []
        try:
            path = _inside(self._into / bucket, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(kept.tape.wav(self._samples))
            if kept.metadata:
                text = json.dumps(kept.metadata, indent=2)
                path.with_name(path.name + METADATA).write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            self._kept[name] = kept
            return self._note(f"{name} is not written: {error.strerror or error}")
        return []

    def recordings(self) -> list[str]:
        """The recordings in memory, as ``bucket/key``, in the order in which they were made."""
        return list(self._kept)

    def metadata(self, bucket: str, key: str) -> dict[str, str]:
        """The object metadata of the recording of a call; empty for every other file."""
        kept = self._kept.get(f"{bucket}/{key}")
        if kept is not None:
            return dict(kept.metadata)
        path = self._path(bucket, key)
        notes = path.with_name(path.name + METADATA)
        loaded: dict[str, str] = json.loads(notes.read_text("utf-8")) if notes.is_file() else {}
        return loaded

    def read(self, bucket: str, key: str) -> bytes:
        """A file of a folder, or a recording as the WAV file that it is.

        Raises:
            FileNotFoundError: there is none.
        """
        kept = self._kept.get(f"{bucket}/{key}")
        return kept.tape.wav(self._samples) if kept is not None else self._path(bucket, key).read_bytes()

    def _path(self, bucket: str, key: str) -> Path:
        folder = self._folder(bucket) if _BUCKET.fullmatch(bucket) and ".." not in bucket else None
        if folder is None:
            raise FileNotFoundError(f"{bucket}/{key}")
        return _inside(folder, key)

    def _samples(self, name: str) -> bytes:
        """The sound of a file that is heard in a recording: an object, or a file that the caller speaks."""
        bucket, _, key = name.partition("/")
        kept = self._kept.get(name)
        if kept is not None:
            return kept.tape.wav(self._samples)[44:]
        try:
            return samples_of(Path(name) if Path(name).is_absolute() else self._path(bucket, key))
        except (NotPlayableError, OSError):
            return b""


# ---- keys and paths ------------------------------------------------------------------------------------------------


def _inside(folder: Path, key: str) -> Path:
    """The file of a key. Parts that mean something to a file system (``..``, ``a:b``) are written in hexadecimal.

    Raises:
        PermissionError: a link in the folder leads out of it.
    """
    parts = [
        part if part and _SAFE.fullmatch(part) else "%" + part.encode("utf-8", "surrogatepass").hex()
        for part in key.split("/")
    ]
    path = folder.joinpath(*parts)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PermissionError(1, "a link leads out of the folder", str(path))
    return path


def _part(part: str) -> str:
    safe = part and _SAFE.fullmatch(part)
    return part if safe else "%" + part.encode("utf-8", "surrogatepass").hex()


def _look(folder: Path, key: str) -> Audio:
    try:
        path = _inside(folder, key)
        stat = path.stat()
        if not path.is_file():
            return Audio(problem="it is a folder")
    except FileNotFoundError:
        return Audio(problem="there is no such file" + _similar(folder, key))
    except OSError as error:
        return Audio(problem=f"it cannot be read ({error.strerror})")
    return _judge(path, stat.st_mtime_ns, stat.st_size, path.parent.stat().st_mtime_ns)


@lru_cache(maxsize=1024)
def _judge(path: Path, _changed: int, _size: int, _folder_changed: int) -> Audio:
    if path.name not in os.listdir(path.parent):  # a file system that does not see capitals; S3 does
        return Audio(problem="there is no such file: in S3, capitals and small letters differ")
    try:
        header = read_header(path)
    except NotPlayableError as error:
        return Audio(problem=str(error))
    return Audio(header.ms, advice=header.advice)


def _similar(folder: Path, key: str) -> str:
    known = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.[wW][aA][vV]"))
    close = difflib.get_close_matches(key, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


# ---- what an answer names ------------------------------------------------------------------------------------------


def _actions(body: str) -> Iterator[Mapping[str, Any]]:
    actions = (object_of(body) or {}).get("Actions")
    for action in actions if isinstance(actions, list) else ():
        if isinstance(action, Mapping) and isinstance(action.get("Parameters"), Mapping):
            yield action


def _played(action: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _SOURCES:
        source = action["Parameters"].get(name)
        if isinstance(source, Mapping) and source.get("BucketName") and source.get("Key"):
            yield str(source["BucketName"]), str(source["Key"])


def _recorded_to(action: Mapping[str, Any]) -> str:
    target = action["Parameters"].get("RecordingDestination") or action["Parameters"].get("Destination")
    if not isinstance(target, Mapping):
        return ""
    return str(target.get("BucketName") or str(target.get("Location") or "").partition("/")[0])
