"""Write ``events/``: ``python -m tests.flows.make_events`` (or ``make events``).

Plays every story of ``tests/flows/stories`` against its flow and keeps each event with the answer that was given, so
that events never drift from flows. Read the difference before you commit it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from .desk import EVENTS, Desk
from .samples import samples
from .stories import file_names, read_stories


def as_text(value: Any, *, sort: bool = False) -> str:
    """JSON for people: events in the order of the service's documents, answers as `sma-flows replay --record` does."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=sort) + "\n"


def wanted() -> dict[str, str]:
    """Every file below ``events`` and its text."""
    files = {f"samples/{name}.json": as_text(event) for name, event in samples().items()}
    for story in read_stories():
        for name, event, answer in file_names(story.play(Desk(story.flow))):
            files[f"{story.folder}/{name}.json"] = as_text(event)
            files[f"{story.folder}/{name}.response.json"] = as_text(answer, sort=True)
    return files


def present() -> dict[str, str]:
    """The files that lie there now."""
    return {path.relative_to(EVENTS).as_posix(): path.read_text(encoding="utf-8") for path in EVENTS.rglob("*.json")}


def main() -> None:
    """Bring the folder in line, and tell what changed."""
    new, old = wanted(), present()
    for name in sorted(old.keys() - new.keys()):
        (EVENTS / name).unlink()
    for name, text in new.items():
        path = EVENTS / name
        if old.get(name) != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    changed = sum(old.get(name) != text for name, text in new.items())
    sys.stdout.write(f"{len(new)} files, {changed} written, {len(old.keys() - new.keys())} removed\n")


if __name__ == "__main__":
    main()
