"""What compiling costs, beside what PyYAML needs just to load the same text."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml

from benchmarks.generated import chain
from benchmarks.measure import Ratio, ratio, rounds
from sma_flows.compiler import compile_paths


def measure(states: int, count: int) -> tuple[dict[str, Ratio], float]:
    """Ratios of compiling a flow of *states* states to PyYAML's loaders, and seconds of one compilation."""
    text = chain(states)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chain.yaml"
        path.write_text(text, encoding="utf-8")
        result = compile_paths([path])
        if result.plan is None:
            raise SystemExit("\n".join(str(found) for found in result.diagnostics))
        cases = {
            "compile": lambda: compile_paths([path]),
            "C loader": lambda: yaml.load(text, Loader=yaml.CSafeLoader),
            "Python loader": lambda: yaml.safe_load(text),
        }
        times = rounds(cases, count)
    seconds = sorted(times["compile"])[count // 2] / 1e9
    return {name: ratio(times, "compile", name) for name in ("C loader", "Python loader")}, seconds
