"""What a cold start pays: time from process start to an imported handler, and which modules come with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

from benchmarks.measure import Ratio, ratio, rounds

FLOWS = Path(__file__).resolve().parents[1] / "flows"
FORBIDDEN = ("yaml", "msgspec", "pydantic", "transitions", "boto3", "botocore.session", "click", "rich", "jsonschema")

CASES = {
    "empty interpreter": "pass",
    "json + logging": "import json, logging",
    "powertools Logger and Metrics": "import aws_lambda_powertools",
    "sma_flows.handler": "import sma_flows.handler",
    "sma_flows runtime alone": "import sma_flows.runtime.invoke, sma_flows.runtime.program",
    "PyYAML, pydantic, transitions": "import yaml, pydantic, transitions",
    "boto3 client (dynamodb)": "import boto3; boto3.client('dynamodb', region_name='us-east-1')",
}


def _environment(plan: str) -> dict[str, str]:
    values = {"SMA_FLOWS_PLAN": plan, "SMA_FLOWS_STORE": "memory", "SMA_FLOWS_HOOKS": str(FLOWS)}
    return {**os.environ, "AWS_EC2_METADATA_DISABLED": "true", "PYTHONHASHSEED": "0", **values}


def _run(code: str, environ: dict[str, str]) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environ, capture_output=True, check=True, text=True).stdout


def measure(plan: str, count: int) -> tuple[dict[str, Ratio], dict[str, float]]:
    """Each case's time above an empty interpreter as a share of the same for a dynamodb client, and milliseconds."""
    environ = _environment(plan)
    cases = {name: partial(_run, code, environ) for name, code in CASES.items()}
    times = rounds(cases, count, clock=time.perf_counter_ns)
    empty = times.pop("empty interpreter")
    above = {name: [max(1, t - e) for t, e in zip(each, empty, strict=True)] for name, each in times.items()}
    shares = {name: ratio(above, name, "boto3 client (dynamodb)") for name in above}
    return shares, {name: sorted(each)[len(each) // 2] / 1e6 for name, each in above.items()}


def modules(plan: str) -> tuple[int, list[str]]:
    """Number of modules loaded with the handler, and those among them that must not be."""
    code = "import sma_flows.handler as h, sys, json; print(json.dumps([h._handler.problem, *sorted(sys.modules)]))"
    problem, *loaded = json.loads(_run(code, _environment(plan)).splitlines()[-1])
    if problem:
        raise SystemExit(f"the handler does not load the plan: {problem}")
    return len(loaded), [name for name in loaded if name in FORBIDDEN]
