"""Flows as text, compiled from a folder of their own."""

# ruff: noqa: E501 - a flow reads best in as few lines as it has

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sma_flows.compiler import CompileResult, ResolvedFlow, check_paths, compile_paths
from sma_flows.flow.diagnostics import render_text

HEAD = "sma_flow: 1\nname: line\nentry: inbound\n"
ANSWERS = "defaults: {next: {failed: hangup, no_input: hangup, no_match: hangup, exhausted: hangup}}\n"
SUB = "sma_flow: 1\nname: {name}\nentry: sub\ndefaults: {{next: {{failed: hangup, no_input: hangup, no_match: hangup}}}}\n"
PROMPTS = "sma_prompts: 1\ndefault: en-US\nlocales:\n  en-US: {voice: Joanna, engine: neural, bot: en_US}\nprompts:\n"


def write(folder: Path, text: str, files: Mapping[str, str] | None = None) -> Path:
    for name, content in {"flow.yaml": text, **(files or {})}.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, "utf-8")
    return folder / "flow.yaml"


def compiled(folder: Path, text: str, files: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The plan of the only flow in the text."""
    result = compile_paths([write(folder, text, files)])
    assert result.plan is not None, shown(result)
    return result.plan.flow(next(iter(result.plan.flows)))


def resolved(folder: Path, text: str, files: Mapping[str, str] | None = None) -> ResolvedFlow:
    """The flow as it is after its names are resolved."""
    return check_paths([write(folder, text, files)]).flows[0]


def codes(result: CompileResult) -> list[str]:
    return [one.code for one in result.diagnostics]


def shown(result: CompileResult) -> str:
    return render_text(result.diagnostics, result.sources)
