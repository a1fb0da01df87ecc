"""What the operator says."""

from __future__ import annotations

from pathlib import Path

import pytest

from sma_flows.compiler import compile_paths
from sma_flows.errors import PlanError
from sma_flows.plan import Plan
from sma_flows.web.function import Function
from sma_flows.web.settings import Limit, Settings

from .rig import FLOWS, event, plan, settings, wanted


def test_what_is_not_said_has_a_careful_default() -> None:
    found = Settings.read(settings("memory"), plan())
    assert (found.fence.regions, found.flow) == ({"US"}, "web-call")
    assert found.fence.kinds == {"fixed_line", "mobile", "fixed_line_or_mobile", "voip"}
    assert (found.per_user, found.per_destination, found.per_tenant) == (
        Limit(5, 3600),
        Limit(20, 3600),
        Limit(200, 3600),
    )
    assert found.languages == {"en-US", "es-US"}


def test_what_is_said_counts() -> None:
    env = settings("memory", REGIONS="us, ca", KINDS="mobile", PER_USER="7/90s", AUDIENCE="a,b", FLOW="web-call")
    found = Settings.read(env, plan())
    assert (found.fence.regions, found.fence.kinds, found.per_user) == ({"US", "CA"}, {"mobile"}, Limit(7, 90))
    assert found.gate.audience == {"a", "b"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"CALLER": ""}, "SMA_FLOWS_WEB_CALLER is not set"),
        ({"CALLER": "2065550100"}, "is not a number"),
        ({"APPLICATION": ""}, "SMA_FLOWS_WEB_APPLICATION is not set"),
        ({"ISSUER": ""}, "SMA_FLOWS_WEB_ISSUER is not set"),
        ({"AUDIENCE": ""}, "SMA_FLOWS_WEB_AUDIENCE is not set"),
        ({"AUTH": "none"}, "it can be 'jwt' or 'iam'"),
        ({"KINDS": "premium"}, "there is no kind 'premium'"),
        ({"REGIONS": "USA"}, "'USA' is no country"),
        ({"CALLER": "+9991234567"}, "the country of SMA_FLOWS_WEB_CALLER is not known"),
        ({"PER_USER": "5"}, "write a number and a time"),
        ({"PER_USER": "0/1h"}, "write a number and a time"),
        ({"PER_TENANT": "-1/1h"}, "write a number and a time"),
        ({"FLOW": "nothing"}, "the plan has no flow 'nothing'"),
    ],
)
def test_what_cannot_be_meant_stops_the_function_with_words(change: dict[str, str], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        Settings.read(settings("memory", **change), plan())


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(PlanError) as error:
        Settings.read({}, plan())
    for name in ("WEB_CALLS", "CALLER", "APPLICATION", "ISSUER", "AUDIENCE"):
        assert name in str(error.value)


def test_with_iam_no_issuer_is_needed() -> None:
    assert Settings.read(settings("memory", AUTH="iam", ISSUER="", AUDIENCE=""), plan()).gate.kind == "iam"


def changed(tmp_path: Path, old: str, new: str) -> Plan:
    text = (FLOWS / "web-call.yaml").read_text("utf-8")
    assert text.count(old) == 1
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "web-call.yaml").write_bytes((FLOWS / "prompts" / "web-call.yaml").read_bytes())
    (tmp_path / "flow.yaml").write_text(text.replace(old, new), "utf-8")
    made = compile_paths([tmp_path / "flow.yaml"]).plan
    assert made is not None
    return made


POLICY = """dial_policy:                         # only these numbers, whatever the browser asks for
  allow: [+1206, +1415]
  deny: [+1900, +1976]
  caller_id: env.OWN_NUMBER
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (POLICY, "", "has no dial_policy"),
        ("  end: {next: visitor_left}\n", "  stop: {next: visitor_left}\n", "has no update 'end'"),
        ("  language: locale\n", "  language: locale\n  more: text(5)\n", "is not made for calls from a page"),
    ],
)
def test_a_flow_that_is_not_made_for_it_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        Settings.read(settings("memory"), changed(tmp_path, old, new))


def test_a_function_that_cannot_work_answers_every_request_with_503_and_says_why_in_its_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(plan().dumps(), "utf-8")
    function = Function.started({"SMA_FLOWS_PLAN": str(path)})
    assert "SMA_FLOWS_WEB_CALLER is not set" in caplog.records[-1].__dict__["reason"]
    answer = function.answer(event("POST", "/calls", wanted()))
    assert answer["statusCode"] == 503
    assert "SMA_FLOWS" not in answer["body"]
