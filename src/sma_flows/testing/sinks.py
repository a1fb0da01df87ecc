"""Everything that a call leaves behind, text by text: what a secret must not be in (decision 15).

:func:`caught` catches what is written while a call is played: records, metrics, traces, logs, output, warnings, files.
:func:`left_by` reads what the call has left where it was: answers, stores, meetings, recordings, transcripts.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import logging
import os
import sqlite3
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from sma_flows.handler import Handler
from sma_flows.runtime.ask import Ask, ServiceReply
from sma_flows.simulator.meetings import Attendee, Meeting, Meetings, Wanted
from sma_flows.simulator.storage import Storage
from sma_flows.testing.session import Session
from sma_flows.testing.targets import Turn

__all__ = ["SINKS", "Kept", "Sinks", "asked_of", "caught", "left_by", "new_handler", "noting_meetings"]

SINKS: Final[Mapping[str, str]] = {
    "attribute": "a value of TransactionAttributes",
    "speech": "a text that is spoken",
    "SIP header": "a header that is sent to a called party",
    "recording name": "bucket, prefix or key of a recording",
    "action": "anything else in the actions of an answer",
    "note": "what the runtime says of an event: note, fault, masked variables",
    "record": "the structured record of an event",
    "metric": "a metric in the embedded format",
    "trace": "a segment or subsegment for X-Ray, where its SDK is installed",
    "log": "what hooks and libraries log",
    "output": "what is printed, to stdout or stderr",
    "warning": "a warning of Python",
    "exception": "the traceback of an exception that leaves the function",
    "store": "a row of the store: memo records, limits, directory, outbox, stand-ins",
    "external id": "request tokens, names and external ids of meetings and attendees",
    "request": "what ports and built-in hooks are asked for, and the token of every effect",
    "file": "a file that was written, and its name",
    "recording": "the sound of a recording, and its metadata",
    "transcript": "the transcript of the call",
    "report": "the report of a call that failed: text, JUnit, JSON",
    "coverage": "what coverage knows of the call, its pages and its LCOV file",
}
"""Where a call leaves something, and what that is. Sinks of a caller of :mod:`sma_flows.testing.twins` come on top."""

SERVICE: Final = "sma-flows-twins"
"""The name of the logger: one of its own, because a logger of powertools keeps its first stream."""

MOST_BYTES: Final = 1_000_000
"""So much of a file is read."""


class Kept(NamedTuple):
    """One text: in which sink, where in it, and what."""

    sink: str
    place: str
    text: str


@dataclass(slots=True)
class Sinks:
    """What one playing of a call has left, in order."""

    kept: list[Kept] = field(default_factory=list)

    def add(self, sink: str, place: str, text: object) -> None:
        """One more text; what is no text is written as JSON."""
        self.kept.append(Kept(sink, place, text if isinstance(text, str) else json.dumps(text, default=repr)))

    def of(self, sink: str) -> list[Kept]:
        """What is in one sink."""
        return [one for one in self.kept if one.sink == sink]


# ---- what is written meanwhile --------------------------------------------------------------------------------------


@contextmanager
def caught(into: Sinks, own: Path) -> Iterator[None]:
    """Catch what this process writes until the block ends. Files below the folder *own* are not looked at."""
    out, err = io.StringIO(), io.StringIO()
    log = _Log(into)
    root = logging.getLogger()
    level = root.level
    with ExitStack() as stack:
        files = stack.enter_context(_files(own))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        told = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        stack.enter_context(_traced(into))
        root.addHandler(log)
        root.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            root.removeHandler(log)
            root.setLevel(level)
    for number, line in enumerate(out.getvalue().splitlines(), 1):
        into.add(*_printed(number, line))
    for number, line in enumerate(err.getvalue().splitlines(), 1):
        into.add("output", f"stderr, line {number}", line)
    for each in told:
        into.add("warning", each.category.__name__, str(each.message))
    for path, begin in files.items():
        into.add("file", "name", path)
        with contextlib.suppress(OSError), Path(path).open("rb") as file:
            file.seek(begin)
            into.add("file", "content", file.read(MOST_BYTES).decode("utf-8", "backslashreplace"))


def new_handler(env: Mapping[str, str], into: Sinks) -> Handler:
    """A handler whose records go *into*; without a plan of its own. To be made inside of :func:`caught`."""
    stream = _Records(into)
    settings = {"POWERTOOLS_SERVICE_NAME": SERVICE, "SMA_FLOWS_SAMPLE": "1", "SMA_FLOWS_PLAN": "", **_tracing()}
    with _in_lambda() if "SMA_FLOWS_TRACE" in settings else contextlib.nullcontext():
        handler = Handler({**env, **settings})
    registered = handler.logger.registered_handler
    registered.setStream(stream)  # type: ignore[attr-defined]
    if not any(isinstance(one, _Still) for one in registered.filters):
        registered.addFilter(_Still())
    handler.records.propagate = False
    return handler


class _Still(logging.Filter):
    """Every record was made at the same moment."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.created, record.msecs, record.relativeCreated = 0.0, 0.0, 0.0
        return True


class _Records(io.StringIO):
    """The stream of the handler's logger: one line for each record."""

    def __init__(self, into: Sinks) -> None:
        super().__init__()
        self._into = into

    def write(self, text: str) -> int:
        for line in text.splitlines():
            self._into.add("record", f"record {len(self._into.of('record')) + 1}", line)
        return len(text)


_PLAIN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _Log(logging.Handler):
    """Whatever anybody logs, with the text of exceptions and all that was given along."""

    def __init__(self, into: Sinks) -> None:
        super().__init__(logging.DEBUG)
        self._into = into
        self._format = logging.Formatter("%(levelname)s %(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "asyncio":
            return
        more = {name: value for name, value in vars(record).items() if name not in _PLAIN}
        text = self._format.format(record) + (f" {json.dumps(more, default=repr)}" if more else "")
        self._into.add("log", record.name, text)


def _printed(number: int, line: str) -> tuple[str, str, str]:
    """A line of stdout: a metric of powertools (without its clock), or something else."""
    with contextlib.suppress(ValueError):
        told = json.loads(line)
        if isinstance(told, dict) and isinstance(told.get("_aws"), dict):
            told["_aws"].pop("Timestamp", None)
            names = [each.get("Name") for one in told["_aws"].get("CloudWatchMetrics", ()) for each in one["Metrics"]]
            return "metric", " ".join(map(str, names)), json.dumps(told)
    return "output", f"stdout, line {number}", line


# ---- files ----------------------------------------------------------------------------------------------------------

_watching: list[tuple[str, dict[str, int]]] = []
_hooked: list[bool] = []


@contextmanager
def _files(own: Path) -> Iterator[dict[str, int]]:
    """Names of files that are opened to be written, and how long they were before."""
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_audit)  # it stays, and does nothing while nobody watches
    found: dict[str, int] = {}
    _watching.append((str(own), found))
    try:
        yield found
    finally:
        _watching.pop()


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching or event != "open":
        return
    path, mode, flags = arguments
    if not isinstance(path, str | bytes | os.PathLike):
        return
    writes = any(each in mode for each in "wax+") if isinstance(mode, str) else flags & (os.O_WRONLY | os.O_RDWR)
    own, found = _watching[-1]
    name = os.fsdecode(path)
    if not writes or name.startswith((own, os.devnull)) or name.endswith((".pyc", ".pyo")) or "__pycache__" in name:
        return
    appends = isinstance(mode, str) and "a" in mode
    found.setdefault(name, os.path.getsize(name) if appends and os.path.exists(name) else 0)


# ---- traces ---------------------------------------------------------------------------------------------------------

_CLOCKS: Final = ("id", "trace_id", "parent_id", "start_time", "end_time")


@contextmanager
def _traced(into: Sinks) -> Iterator[None]:
    """Let X-Ray's SDK believe that it is in a function, and keep what it would send. Without the SDK: nothing."""
    unused = "aws_xray_sdk.core" not in sys.modules
    try:
        from aws_xray_sdk.core import xray_recorder as recorder  # type: ignore[import-untyped]  # here: an extra
        from aws_xray_sdk.core.context import Context  # type: ignore[import-untyped]
    except ImportError:
        yield
        return
    if unused and (socket := getattr(recorder.emitter, "_socket", None)) is not None:
        socket.close()  # opened on import, towards a daemon that nobody asked for
    ours = {
        "context": Context(context_missing="IGNORE_ERROR"),
        "emitter": _Emitter(into),
        "sampling": False,
        "streaming_threshold": 0,
    }
    was = {name: getattr(recorder, name) for name in ours}
    _set(recorder, ours)
    recorder.begin_segment("function")
    try:
        yield
    finally:
        recorder.end_segment()
        _set(recorder, was)


def _set(recorder: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(recorder, name, value)


def _tracing() -> dict[str, str]:
    """The setting that turns traces on, where they are possible; powertools then believes that it is in Lambda."""
    if importlib.util.find_spec("aws_xray_sdk") is None:
        return {}
    return {"SMA_FLOWS_TRACE": "true"}


@contextmanager
def _in_lambda() -> Iterator[None]:
    """While the handler is made: a tracer outside of Lambda turns itself off, for the whole process."""
    from aws_lambda_powertools import Tracer
    from aws_xray_sdk.core import xray_recorder

    afresh = vars(Tracer)["_reset_config"].__func__
    sampler = vars(xray_recorder.sampler)
    before = os.environ.get("LAMBDA_TASK_ROOT")
    os.environ["LAMBDA_TASK_ROOT"] = "/var/task"
    sampler["load_settings"] = lambda *_settings: None  # it would ask a daemon which calls to trace
    afresh(Tracer)
    try:
        yield
    finally:
        afresh(Tracer)
        del sampler["load_settings"]
        if before is None:
            del os.environ["LAMBDA_TASK_ROOT"]
        else:
            os.environ["LAMBDA_TASK_ROOT"] = before


class _Emitter:
    """Keeps what would go to the daemon, without ids and times."""

    def __init__(self, into: Sinks) -> None:
        self._into = into

    def send_entity(self, entity: Any) -> None:
        told = json.loads(entity.serialize())
        self._into.add("trace", str(told.get("name")), _timeless(told))

    def set_daemon_address(self, _address: str) -> None:
        """There is none."""


def _timeless(told: Any) -> Any:
    if isinstance(told, dict):
        return {name: _timeless(value) for name, value in told.items() if name not in _CLOCKS}
    return [_timeless(each) for each in told] if isinstance(told, list) else told


# ---- what is left ---------------------------------------------------------------------------------------------------


def left_by(
    into: Sinks,
    session: Session,
    *,
    store: Path | None = None,
    recordings: Path | None = None,
    storage: Storage | None = None,
) -> None:
    """Read what a call has left: its answers, its transcript, and what is in the places that are named."""
    for number, turn in enumerate(session.turns, 1):
        _answer(into, number, turn)
    for number, line in enumerate(session.lines, 1):
        into.add("transcript", f"line {number}", line)
    if store is not None and store.exists():
        _rows(into, store)
    for name in storage.recordings() if storage is not None else ():
        into.add("recording name", "recording", name)
    if recordings is not None:
        for path in sorted(each for each in recordings.rglob("*") if each.is_file()):
            into.add("recording name", "file", path.relative_to(recordings).as_posix())
            into.add("recording", path.suffix, path.read_bytes().hex() if path.suffix == ".wav" else path.read_text())


def asked_of(into: Sinks, asked: Sequence[tuple[Ask, ServiceReply]]) -> None:
    """What the world was asked for. The arguments of an author's own hooks are between the flow and the hook."""
    for ask, reply in asked:
        own = ask.port == "hook" and "builtin" not in ask.hook
        told = {"token": ask.token, "limits": ask.limits, "call": ask.call, "reply": reply.outcome}
        into.add("request", f"{ask.port} {ask.name}".rstrip(), told if own else {**told, "args": ask.args})


def noting_meetings(into: Sinks, meetings: Meetings) -> None:
    """From now on note what meetings and attendees are made of."""
    create, add = meetings.create, meetings.add

    def creating(token: str, external: str, *more: Any, **named: Any) -> Meeting:
        into.add("external id", "meeting", [token, external, more[2:], named.get("details")])
        return create(token, external, *more, **named)

    def adding(meeting: str, wanted: Wanted, now_ms: int) -> Attendee:
        into.add("external id", "attendee", [meeting, wanted])
        return add(meeting, wanted, now_ms)

    setattr(meetings, "create", creating)  # noqa: B010 - of this one only
    setattr(meetings, "add", adding)  # noqa: B010


def _answer(into: Sinks, number: int, turn: Turn) -> None:
    answer = json.loads(turn.response) if turn.response else None
    event = f"event {number}"
    if not isinstance(answer, dict):
        into.add("action", f"{event}, the answer", turn.response)
        return
    for name, value in (answer.get("TransactionAttributes") or {}).items():
        into.add("attribute", f"{event}, {name}", value)
    for place, value in answer.items():
        if place not in ("Actions", "TransactionAttributes"):
            into.add("action", f"{event}, {place}", value)
    for action in answer.get("Actions") or ():
        kind = str(action.get("Type")) if isinstance(action, dict) else "no action"
        for path, value in _values(action):
            into.add(_sink_of(path), f"{event}, {kind} {'.'.join(path)}", value)
    into.add("note", f"{event}, note", turn.note)
    into.add("note", f"{event}, fault", turn.fault)


def _sink_of(path: tuple[str, ...]) -> str:
    if "SipHeaders" in path:
        return "SIP header"
    if path[-1] in ("Text", "Content"):
        return "speech"
    return "recording name" if {"RecordingDestination", "Destination"} & set(path) else "action"


def _values(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every value of an action with its way; names of headers and attributes are values, too."""
    if isinstance(value, dict):
        for name, each in value.items():
            free = bool(path) and path[-1] in ("SipHeaders", "SessionAttributes", "Arguments")
            if free:
                yield (*path, "name"), name
            yield from _values(each, (*path, "value" if free else str(name)))
    elif isinstance(value, list):
        for each in value:
            yield from _values(each, path)
    else:
        yield path or ("",), value


def _rows(into: Sinks, store: Path) -> None:
    with contextlib.closing(sqlite3.connect(store)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in sorted(tables):
            if table.startswith("sqlite_"):
                continue
            found = database.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name out of the file itself
            names = [column[0] for column in found.description]
            for row in found:
                into.add("store", table, dict(zip(names, row, strict=True)))
