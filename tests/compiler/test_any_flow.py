"""Whatever is changed in a flow, the compiler gives a plan or findings, and nothing else."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sma_flows.compiler import compile_paths
from sma_flows.compiler.check import has_errors
from sma_flows.flow.diagnostics import render_github, render_json, render_text
from sma_flows.plan import Plan

from .test_lower import FILES, VERBS

ROOT = Path(__file__).parents[2]
TEXTS = [
    VERBS,
    *(file.read_text("utf-8") for file in sorted(ROOT.glob("flows/*.yaml")) if "sma_flow:" in file.read_text()),
]
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*|[0-9]+[a-z]*|[{}\[\],:\"#|*+-]")


@st.composite
def changed_flows(draw: st.DrawFn) -> str:
    """A flow with a few words replaced by others of it, lines taken out or moved."""
    text = draw(st.sampled_from(TEXTS))
    words = sorted(set(WORD.findall(text)))
    for _ in range(draw(st.integers(1, 4))):
        places = list(WORD.finditer(text))
        how = draw(st.sampled_from(("word", "word", "word", "out", "line", "twice")))
        lines = text.split("\n")
        at = draw(st.integers(0, len(lines) - 1))
        if how == "word":
            place = places[draw(st.integers(0, len(places) - 1))]
            text = text[: place.start()] + draw(st.sampled_from(words)) + text[place.end() :]
        elif how == "out":
            place = places[draw(st.integers(0, len(places) - 1))]
            text = text[: place.start()] + text[place.end() :]
        elif how == "line":
            text = "\n".join(lines[:at] + lines[at + 1 :])
        else:
            text = "\n".join([*lines[: at + 1], *lines[at:]])
    return text


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(changed_flows())
def test_a_changed_flow_gives_a_plan_or_findings(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in {**FILES, "flow.yaml": text}.items():
            (Path(folder) / name).write_text(content, "utf-8")
        result = compile_paths([Path(folder) / "flow.yaml"])
        for render in (render_text, render_json, render_github):
            render(result.diagnostics, result.sources)
        assert (result.plan is None) == has_errors(result.diagnostics) or not result.flows
        if result.plan is not None:
            assert Plan.loads(result.plan.dumps()) == result.plan
