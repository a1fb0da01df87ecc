"""A call that was made by hand, written down as a test."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from sma_flows.phone.handset import Deed, Handset, HandsetError
from sma_flows.testing.play import CallFailedError, play_call
from sma_flows.testing.script import CallScript, load_calls, read_calls, shown
from sma_flows.testing.script_parties import written

__all__ = ["call_text", "save_call"]


def save_call(handset: Handset, path: Path, name: str) -> Path:
    """Add the call to the calls file *path* (made if it is not there) under *name*; the file, which was played once.

    Raises:
        HandsetError: nothing can be saved there, or the name is taken. The file is as it was.
    """
    block = call_text(handset, name, path.parent)
    try:
        before = path.read_text("utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise HandsetError(f"{path} cannot be read: {error}") from None
    if before:
        file, found = load_calls(path)
        if file is None:
            first = f"line {found[0].span.line}: {found[0].message}"
            raise HandsetError(f"{path} has mistakes, and nothing is added to such a file ({first})")
        if file.flow.resolve() != handset.flow.resolve():
            raise HandsetError(f"{path} holds calls of {file.flow}: name another file")
        if any(call.name == name for call in file.calls):
            raise HandsetError(f"{path} has a call '{name}' already: give this one another name")
        text = before.rstrip("\n") + "\n\n" + block
    else:
        flow = os.path.relpath(handset.flow.resolve(), path.parent.resolve()).replace(os.sep, "/")
        text = f"flow: {_scalar(flow)}\ncalls:\n{block}"
    _tried(text, path, name, handset.flow)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise HandsetError(f"{path} cannot be written ({error.strerror})") from None
    return path


def _tried(text: str, path: Path, name: str, flow: Path) -> None:
    """Play the call as it will be read: a test that fails at once helps nobody."""
    file, found = read_calls(text, str(path))
    if file is None:
        raise HandsetError(f"the call cannot be written at the end of {path}: {found[0].message}")
    script = next(call for call in file.calls if call.name == name)
    try:
        play_call(flow, script)
    except CallFailedError as error:
        raise HandsetError(f"played again, the call goes another way: {error.why}") from None


def call_text(handset: Handset, name: str, folder: Path = Path()) -> str:
    """The call as an item of ``calls:``: who calls, what was done and heard, how it ended. Goes into *folder*."""
    script = handset.script
    lines = [f"  - call: {_scalar(name)}"]
    lines += [f"    {key}: {value}" for key, value in _head(script, folder)]
    steps = list(_steps(handset.deeds, handset.now_heard, folder))
    if steps:
        lines += ["    script:", *(f"      - {step}" for step in steps)]
    ends = sorted(handset.player.session.last_states)
    ran = {hook: count for hook, count in handset.world.ran.items() if count}
    expect: dict[str, Any] = {}
    if ends and handset.over:
        expect["ends_in"] = next((state for state in ends if state == handset.state), ends[0])
    if ran and handset.over:
        expect["calls"] = {hook: str(count) for hook, count in ran.items()}
    if handset.player.session.secrets or handset.world.secrets:
        expect["secrets_seen"] = "none"
    if expect:
        lines.append(f"    expect: {_flow(expect)}")
    return "\n".join(lines) + "\n"


def _head(script: CallScript, folder: Path) -> Iterator[tuple[str, str]]:
    """What the call script says of a call, beside its steps; files as they are seen from *folder*."""
    yield "from", _scalar(script.from_)
    yield "to", _scalar(script.to)
    if script.timed:
        yield "at", _scalar(script.at.isoformat())
    if script.headers:
        yield "headers", _flow(script.headers)
    if script.inputs is not None:
        yield "inputs", _flow(script.inputs)
        if script.answer is not None:
            how, after = script.answer
            yield "answer", f"after {after:g}s" if how == "answers" else how
    if script.env:
        yield "env", _flow(script.env)
    if script.stubs:
        yield "stub", _flow(script.stubs)
    if script.switches.changed():
        yield "switches", _flow(script.switches.changed())
    if script.parties:
        yield "parties", _flow({name: written(party) for name, party in script.parties.items()})
    if script.bots:
        yield "bots", _flow({name: os.path.relpath(bot.path, folder) for name, bot in script.bots.items()})


def _steps(deeds: Sequence[Deed], heard_last: Sequence[Any], folder: Path) -> Iterator[str]:
    for deed in deeds:
        if deed.heard:
            yield f"hear: {_flow(list(deed.heard))}"
        yield f"{deed.step.kind}: {_value(deed.step.kind, deed.step.value, folder)}"
    if heard_last:
        yield f"hear: {_flow(list(heard_last))}"


def _value(kind: str, value: Any, folder: Path) -> str:
    """A step's value as it is written: lengths of time with their unit, counts as ``3x``."""
    if kind == "speak" and isinstance(value, str):
        return _scalar(os.path.relpath(value, folder))
    if kind in ("wait", "speak"):
        return f"{round(value * 1000)}ms" if value % 1 else f"{round(value)}s"
    if kind == "silence":
        return f"{value}x"
    if kind in ("press", "callee_press"):
        return f'"{value}"'
    return _flow(value)


def _flow(value: Any) -> str:
    """A value on one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(str(key))}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(shown(value))


def _scalar(text: str) -> str:
    """A text as a YAML scalar that reads as this text again, also inside brackets."""
    written = yaml.safe_dump([text], default_flow_style=True, width=10_000, allow_unicode=True)
    return str(written).strip()[1:-1]
