"""Measurements of compiled flows; ``python -m benchmarks`` writes ``docs/benchmarks.md``."""
