"""Scenario scripts as values: reading ``script.yaml`` (FORMAT.md) and saying precisely what is wrong with one."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
CALLER = "+14155550123"
OWN_NUMBER = "+12065550199"
DEFAULT_START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


class ScriptError(Exception):
    """The script itself is wrong: not a finding about the handler."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One expected action."""

    type: str
    leg: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        inner = "".join(f" {key}={value}" for key, value in self.parameters.items())
        return f"{self.type}{f' {self.leg}' if self.leg else ''}{inner}"


@dataclass(frozen=True, slots=True)
class Step:
    """One event and what must come back. Keys as in FORMAT.md."""

    event: str
    call: int = 1
    action: str = ""
    leg: str = ""
    match: Mapping[str, str] = field(default_factory=dict)
    digits: str | None = None
    key: str = ""
    bucket: str = ""
    terminator: str = ""
    location: str = ""
    intent: str = ""
    state: str = ""
    slots: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    message: str = ""
    shape: str = ""
    code: int = 0
    status: str = ""
    sent: int = 0
    stored: str = ""
    by: str = ""
    at: datetime | None = None
    after: float = 1.0
    expect: tuple[Wanted, ...] | None = None
    any_order: bool = False
    also: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    calls: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    saved: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """One call (or several) with the stubs it meets."""

    scenario: str
    name: str
    title: str
    folder: Path
    flows: tuple[str, ...]
    env: Mapping[str, str]
    stubs: Mapping[str, Any]
    secrets: tuple[str, ...]
    never_saved: tuple[str, ...]
    at: datetime
    from_: str
    to: str
    headers: Mapping[str, str]
    steps: tuple[Step, ...]
    totals: Mapping[str, Any]

    def __str__(self) -> str:
        return self.name


FILE_KEYS = {"scenario", "title", "flows", "env", "secrets", "never_saved", "stubs", "scripts"}
SCRIPT_KEYS = {
    "name", "title", "at", "from", "to", "headers", "env", "stubs", "secrets", "never_saved", "steps", "totals",
}  # fmt: skip
STEP_KEYS = {item.name for item in fields(Step)}


class _Loader(yaml.CBaseLoader):
    """Text only, and a key may not appear twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise ScriptError(f"{self.name}:{key.start_mark.line + 1}: '{key.value}' is given twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load_scripts(folder: Path) -> tuple[Script, ...]:
    """The scripts of one scenario folder, in order: those of the scenario, then what else its words promise."""
    data = _read(folder / "script.yaml")
    scripts = [_script(data, raw, folder, f"{folder.name}/script.yaml") for raw in data["scripts"]]
    more = folder / "more.yaml"
    if more.exists():
        data = {**data, **_read(more)}
        scripts += [_script(data, raw, folder, f"{folder.name}/more.yaml") for raw in data["scripts"]]
    return tuple(scripts)


def _read(path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8") as stream:
        data = yaml.load(stream, Loader=_Loader)
    _known(data, FILE_KEYS, f"{path.parent.name}/{path.name}")
    return dict(data)


@cache
def all_scripts() -> tuple[Script, ...]:
    """Every script of every scenario folder, by name."""
    return tuple(
        script for path in sorted(HERE.glob("A[0-9][0-9]/script.yaml")) for script in load_scripts(path.parent)
    )


@cache
def extra_scripts() -> tuple[Script, ...]:
    """Every script below ``extra/``."""
    folders = sorted(path.parent for path in (HERE / "extra").glob("*/script.yaml"))
    return tuple(script for folder in folders for script in load_scripts(folder))


@cache
def _by_name() -> Mapping[str, Script]:
    return {script.name: script for script in (*all_scripts(), *extra_scripts())}


def script_named(name: str) -> Script:
    """The script called *name*."""
    if name not in _by_name():
        raise ScriptError(f"no script {name}")
    return _by_name()[name]


def _script(data: Mapping[str, Any], raw: Mapping[str, Any], folder: Path, where: str) -> Script:
    where = f"{where} {raw.get('name', '?')}"
    _known(raw, SCRIPT_KEYS, where)
    env = {"PROMPTS": "prompts", **(data.get("env") or {}), **(raw.get("env") or {})}
    return Script(
        scenario=data["scenario"],
        name=raw["name"],
        title=raw.get("title", ""),
        folder=folder,
        flows=tuple(data.get("flows") or ()),
        env={key: value for key, value in env.items() if value != "absent"},
        stubs={**(data.get("stubs") or {}), **(raw.get("stubs") or {})},
        secrets=(*(data.get("secrets") or ()), *(raw.get("secrets") or ())),
        never_saved=(*(data.get("never_saved") or ()), *(raw.get("never_saved") or ())),
        at=_time(raw["at"]) if "at" in raw else DEFAULT_START,
        from_=raw.get("from", ""),
        to=raw.get("to", ""),
        headers=raw.get("headers") or {},
        steps=tuple(_step(step, f"{where} step {index}") for index, step in enumerate(raw["steps"], 1)),
        totals=raw.get("totals") or {},
    )


def _step(raw: Mapping[str, Any], where: str) -> Step:
    _known(raw, STEP_KEYS, where)
    if "event" not in raw:
        raise ScriptError(f"{where}: event is missing")
    values: dict[str, Any] = {key: value for key, value in raw.items() if value != ""}
    for name in ("call", "code", "sent"):
        if name in values:
            values[name] = int(values[name])
    if "after" in values:
        values["after"] = float(values["after"])
    if "at" in values:
        values["at"] = _time(values["at"])
    if "any_order" in values:
        values["any_order"] = values["any_order"] == "true"
    for name in ("also", "forbid", "saved"):
        if name in values:
            values[name] = tuple(values[name])
    if "expect" in values:
        values["expect"] = _wanted(values["expect"], where)
    return Step(**values)


def _wanted(raw: Any, where: str) -> tuple[Wanted, ...]:
    if raw == "nothing":
        return ()
    if not isinstance(raw, list):
        raise ScriptError(f"{where}: expect is `nothing` or a list of actions")
    result = []
    for item in raw:
        if isinstance(item, str):
            result.append(Wanted(item))
            continue
        ((kind, inner),) = item.items()
        parameters = dict(inner or {})
        result.append(Wanted(kind, parameters.pop("leg", None), parameters))
    return tuple(result)


def _known(raw: Any, keys: set[str], where: str) -> None:
    if not isinstance(raw, dict):
        raise ScriptError(f"{where}: not a mapping")
    strange = sorted(set(raw) - keys)
    if strange:
        raise ScriptError(f"{where}: unknown key {', '.join(strange)}; known are {', '.join(sorted(keys))}")


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ScriptError(f"{text}: a time needs an offset")
    return moment
