"""Reading the cases beside this file: a flow, what it is checked for, and a call through it.

A case is a map. ``says`` is the sentence that it tries. ``flow`` is the text of the flow; without its own first lines
it gets :data:`HEAD`, and without its own ``defaults`` :data:`DEFAULTS` and :data:`ENDS`. ``prompts``, ``bundle`` and
``files`` stand beside it. What must come of it:

``finds``   codes of findings in order, ``SF108`` or ``SF108 4:3`` with line and column; [] = none
``needs``   names of environment values without which the plan does not load, in order
``plan``    parts of the compiled flow by path: ``states.a.next.done: b``
``steps``   a call. A step is ``[EVENT WORDS, EXPECTED, MORE]`` or a step of tests/scenarios/FORMAT.md; short events are
            ``start``, ``dial KEY=VALUE...``, ``answered``, ``done TYPE [LEG]``, ``fail TYPE [ERROR]``, ``digits KEYS``,
            ``silence``, ``key KEYS [LEG]``, ``hangup [LEG [CODE]]``, ``update KEY=VALUE...``
and what belongs to a call: ``env``, ``stubs``, ``headers``, ``from``, ``to``, ``at``, ``totals``, ``never_saved``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from tests.scenarios import script as scripts
from tests.scenarios.engine import RuntimeEngine
from tests.scenarios.harness import Run
from tests.scenarios.network import play

from sma_flows.compiler import CompileResult, compile_paths
from sma_flows.flow.diagnostics import render_text

HERE = Path(__file__).parent
HEAD = "sma_flow: 1\nname: line\nentry: {entry}\n"
DEFAULTS = "defaults: {next: {failed: sorry, no_input: nothing_heard, no_match: wrong_keys, exhausted: too_often}}\n"
ENDS = """\
  sorry: {say: "Technical problem.", next: hangup}
  nothing_heard: {say: "Nothing heard.", next: hangup}
  wrong_keys: {say: "Wrong keys.", next: hangup}
  too_often: {say: "Too often.", next: hangup}
"""
"""States behind :data:`DEFAULTS`, one word each, so that a test sees which default was taken."""

KEYS = {
    "says", "flow", "entry", "prompts", "bundle", "files", "finds", "plan", "steps", "env", "stubs", "headers", "from",
    "to", "at", "totals", "never_saved", "needs",
}  # fmt: skip
CALL = ("env", "stubs", "headers", "from", "to", "at", "totals", "never_saved")
NAMES = {"hangup": "HANGUP", "start": "NEW_INBOUND_CALL", "answered": "CALL_ANSWERED", "ringing": "RINGING"}


class _Loader(yaml.CBaseLoader):
    """Text only: 0000 stays 0000."""


def cases(file: str) -> list[dict[str, Any]]:
    """The cases of a file, checked for keys that mean nothing.

    Raises:
        ValueError: a case has a key that no test reads.
    """
    found: list[dict[str, Any]] = yaml.load((HERE / file).read_text("utf-8"), Loader=_Loader)
    found = [{**case.pop("<<", {}), **case} for case in found]
    for case in found:
        if strange := set(case) - KEYS:
            raise ValueError(f"{file}: {case.get('says')}: unknown keys {sorted(strange)}")
    return found


def write(case: Mapping[str, Any], folder: Path) -> Path:
    """The files of a case in *folder*; gives the path to compile."""
    texts = dict(case.get("files") or {})
    if "flow" in case:
        texts["flow.yaml"] = whole(case)
    if "prompts" in case:
        texts["prompts.yaml"] = case["prompts"]
    if "bundle" in case:
        texts["bundle.yaml"] = case["bundle"]
    for name, text in texts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return folder if "bundle" in case else folder / "flow.yaml"


def whole(case: Mapping[str, Any]) -> str:
    """The text of the flow with what all flows have."""
    text = str(case["flow"])
    if text.startswith("sma_flow:"):
        return text
    head = HEAD.format(entry=case.get("entry", "inbound"))
    if "prompts" in case:
        head += "prompts: prompts.yaml\n"
    if "\ndefaults:" not in f"\n{text}":
        head += DEFAULTS
        text = text.rstrip("\n") + "\n" + ENDS
    return head + text


def compiled(case: Mapping[str, Any], folder: Path) -> CompileResult:
    """What the compiler makes of a case."""
    return compile_paths([write(case, folder)])


def call(case: Mapping[str, Any], result: CompileResult, folder: Path) -> Run:
    """Play the call of a case.

    Raises:
        ScenarioError: it does not go as the case says.
    """
    errors = [one for one in result.diagnostics if one.severity == "error"]
    assert result.plan is not None, render_text(errors, result.sources)
    raw = {key: case[key] for key in CALL if key in case}
    raw |= {"name": str(case["says"]), "steps": [step(each) for each in case["steps"]]}
    script = scripts._script({"scenario": "language"}, raw, folder, "language")
    return play(script, RuntimeEngine(result.plan.dumps(), script.env))


def step(short: Any) -> dict[str, Any]:
    """A step in the long form."""
    if isinstance(short, dict):
        return short
    words = short[0].split(" ")
    out: dict[str, Any] = event(words[0], words[1:])
    if len(short) > 1:
        out["expect"] = short[1]
    for more in short[2:]:
        out |= more
    return out


def event(kind: str, words: list[str]) -> dict[str, Any]:
    """An event in the long form, from its words."""
    if kind in ("dial", "update"):
        arguments = dict(word.split("=", 1) for word in words)
        name = "NEW_OUTBOUND_CALL" if kind == "dial" else "CALL_UPDATE_REQUESTED"
        return {"event": name, "arguments": arguments} if arguments else {"event": name}
    if kind == "digits":
        return {"event": "ACTION_SUCCESSFUL", "action": "SpeakAndGetDigits", "digits": words[0] if words else ""}
    if kind == "silence":
        return {"event": "ACTION_FAILED", "action": "SpeakAndGetDigits", "error": "InvalidDigitsReceived"}
    if kind == "key":
        return {"event": "DIGITS_RECEIVED", "digits": words[0], "leg": (words[1:] or ["A"])[0]}
    if kind == "done":
        return {"event": "ACTION_SUCCESSFUL", "action": words[0]} | ({"leg": words[1]} if words[1:] else {})
    if kind == "fail":
        return {"event": "ACTION_FAILED", "action": words[0]} | ({"error": words[1]} if words[1:] else {})
    if kind == "hangup":
        leg, code = (*words, *["A", "0"][len(words) :])
        return {"event": "HANGUP", "leg": leg, "code": code}
    return {"event": NAMES.get(kind, kind)}


def part(value: Any, path: str) -> Any:
    """The part of a plan at a dotted path; None where there is none."""
    for name in path.split("."):
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, Mapping):
            value = value.get(name)
        else:
            return None
    return value
