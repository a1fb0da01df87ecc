"""Recorded events: from files, folders, JSON lines or stdin, with the answers recorded beside them."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sma_flows.cli.console import WrongUsage

__all__ = ["RESPONSE", "Recorded", "read_event", "read_events"]

RESPONSE: Final = ".response.json"
"""End of the name of a recorded answer: ``01-new-inbound-call.response.json`` beside ``01-new-inbound-call.json``."""

_LINES: Final = frozenset({".jsonl", ".ndjson"})
_EVENTS: Final = _LINES | {".json"}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event to replay.

    ``source`` names it for people (file, or file and line). ``story`` groups the events that may share a call: those of
    one folder, or of one file of lines. ``answer`` is the recorded answer, if there is one; ``answer_file`` is where
    ``--record`` writes, ``None`` when the event came from stdin or from a file of lines.
    """

    source: str
    event: dict[str, Any]
    story: str = ""
    answer: dict[str, Any] | None = None
    answer_file: Path | None = None


def read_events(places: Iterable[str]) -> Iterator[Recorded]:
    """The events of files and folders (``-`` is stdin), in the order given; a folder in the order of its file names.

    Raises:
        WrongUsage: something is missing, is not JSON (with line and column) or is not an object.
    """
    for place in places:
        if place == "-":
            yield from _from_text(sys.stdin.read(), "stdin", "-")
            continue
        path = Path(place)
        if path.is_dir():
            found = sorted(
                (each for each in path.rglob("*") if each.suffix in _EVENTS and not each.name.endswith(RESPONSE)),
                key=_natural,
            )
            if not found:
                raise WrongUsage(f"the folder {path} holds no events: name a folder with .json or .jsonl files.")
            for each in found:
                yield from _from_file(each)
        elif path.exists():
            if not (
                path.name.endswith(RESPONSE) and path.with_name(path.name.removesuffix(RESPONSE) + ".json").exists()
            ):
                yield from _from_file(path)  # otherwise a shell pattern such as events/*.json has caught the answers
        else:
            raise WrongUsage(
                f"there is no file or folder '{place}': name event files, folders of them, JSON lines, or - for stdin."
            )


def read_event(place: str) -> dict[str, Any]:
    """The one event of a file, or of stdin for ``-``.

    Raises:
        WrongUsage: it cannot be read, or there is more than one.
    """
    found = list(read_events([place]))
    if len(found) != 1:
        raise WrongUsage(
            f"{place} holds {len(found)} events, and this command answers one: "
            "name a single event, or use `sma-flows replay` for a whole call."
        )
    return found[0].event


def _natural(path: Path) -> list[tuple[str, int, str]]:
    """Sorting key that puts 2-x before 10-x, folder by folder."""
    pieces = re.findall(r"(\D*)(\d*)", path.as_posix())
    return [(words, int(number or -1), number) for words, number in pieces]


def _from_file(path: Path) -> Iterator[Recorded]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WrongUsage(f"{path} is not UTF-8 text (byte {error.start}): save the event as UTF-8 JSON.") from None
    except OSError as error:
        raise WrongUsage(f"{path} cannot be read ({error.strerror}): check its name and permissions.") from None
    if path.suffix in _LINES:
        yield from _lines(text, str(path))
        return
    beside = path.with_name(path.stem + RESPONSE)
    for recorded in _from_text(text, str(path), str(path.parent)):
        answer = recorded.answer
        if answer is None and beside.is_file():
            answer = _object(beside.read_text(encoding="utf-8", errors="replace"), str(beside), "answer")
        yield Recorded(recorded.source, recorded.event, recorded.story, answer, beside)


def _from_text(text: str, source: str, story: str) -> Iterator[Recorded]:
    """One JSON document: an event, or a list of events. Several documents on lines of their own are JSON lines."""
    if not text.strip():
        raise WrongUsage(f"{source} is empty: it should hold an event of the service as JSON.")
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and all(line.lstrip().startswith("{") and line.rstrip().endswith("}") for line in lines):
        yield from _lines(text, source)
        return
    value = _parse(text, source)
    if isinstance(value, list):
        for number, each in enumerate(value, start=1):
            yield _recorded(each, f"{source}[{number}]", story)
    else:
        yield _recorded(value, source, story)


def _lines(text: str, source: str) -> Iterator[Recorded]:
    empty = True
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            empty = False
            yield _recorded(_parse(line, source, number), f"{source}:{number}", source)
    if empty:
        raise WrongUsage(f"{source} is empty: it should hold one event of the service as JSON on each line.")


def _recorded(value: Any, source: str, story: str) -> Recorded:
    if not isinstance(value, dict):
        raise WrongUsage(
            f"{source} is not an event: an event is a JSON object with InvocationEventType and CallDetails, "
            f"this is {_kind(value)}."
        )
    if "event" in value and "InvocationEventType" not in value:
        inner, answer = value["event"], value.get("response")
        if not isinstance(inner, dict):
            raise WrongUsage(f"{source}: the value of 'event' is {_kind(inner)}, not an event (a JSON object).")
        if answer is not None and not isinstance(answer, dict):
            raise WrongUsage(f"{source}: the value of 'response' is {_kind(answer)}, not an answer (a JSON object).")
        return Recorded(source, inner, story, answer)
    return Recorded(source, value, story)


def _object(text: str, source: str, what: str) -> dict[str, Any]:
    value = _parse(text, source)
    if not isinstance(value, dict):
        raise WrongUsage(f"{source} is not a recorded {what}: it should be a JSON object, this is {_kind(value)}.")
    return value


def _parse(text: str, source: str, line: int = 0) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise WrongUsage(
            f"{source}:{line or error.lineno}:{error.colno}: this is not JSON ({error.msg.lower()}): "
            "an event is a JSON object as the service sends it to the function."
        ) from None
    except (RecursionError, ValueError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise WrongUsage(f"{source}: this cannot be read as JSON ({why}): record the event again.") from None


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    return {str: "a text", int: "a number", float: "a number", list: "a list"}.get(type(value), "an object")
