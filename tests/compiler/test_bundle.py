"""Bundles: routes, which files count, previous revisions, and what is never raised."""

# ruff: noqa: E501 - a flow reads best in as few lines as it has

from __future__ import annotations

from pathlib import Path

import pytest

from sma_flows.compiler import check_paths, compile_paths
from sma_flows.plan import Plan, revision_of

from .building import codes, shown

FLOW = "sma_flow: 1\nname: {name}\nentry: {entry}\nstart: a\nstates:\n  a: {{hangup: {how}}}\n"


def folder(path: Path, **flows: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name, entry in flows.items():
        (path / f"{name}.yaml").write_text(FLOW.format(name=name.replace("_", "-"), entry=entry, how="normal"))
    return path


def plan_of(paths: list[Path], **more: object) -> Plan:
    result = compile_paths(paths, **more)  # type: ignore[arg-type]
    assert result.plan is not None, shown(result)
    return result.plan


def test_without_a_bundle_each_kind_of_call_has_one_flow(tmp_path: Path) -> None:
    plan = plan_of([folder(tmp_path, desk="inbound", call_back="outbound")])
    assert plan.routes == ({"entry": "inbound", "flow": "desk"}, {"entry": "outbound", "flow": "call-back"})


def test_several_outbound_flows_are_told_apart_by_the_argument_flow(tmp_path: Path) -> None:
    plan = plan_of([folder(tmp_path, one="outbound", two="outbound")])
    assert plan.routes == (
        {"argument": "flow", "is": "one", "flow": "one"},
        {"argument": "flow", "is": "two", "flow": "two"},
    )


def test_a_bundle_says_which_flows_count_and_in_which_order(tmp_path: Path) -> None:
    folder(tmp_path, one="inbound", two="inbound", three="inbound", four="outbound")
    (tmp_path / "bundle.yaml").write_text(
        "sma_bundle: 1\nflows: [two.yaml, one.yaml, four.yaml]\nroutes:\n  - {to: env.DESK, flow: two}\n"
        '  - {rule: env.RULE, flow: two}\n  - {argument: kind, is: "call back", flow: four}\n  - {entry: inbound, flow: one}\n'
    )
    plan = plan_of([tmp_path])
    assert list(plan.flows) == ["two", "one", "four"]
    assert plan.routes == (
        {"to": ["env", "DESK"], "flow": "two"},
        {"rule": ["env", "RULE"], "flow": "two"},
        {"argument": "kind", "is": "call back", "flow": "four"},
        {"entry": "inbound", "flow": "one"},
    )


def test_a_file_beside_the_flow_that_is_not_used_is_not_read(tmp_path: Path) -> None:
    folder(tmp_path, one="inbound")
    (tmp_path / "broken.yaml").write_text("sma_flow: 1\n\tname: broken\n")
    assert plan_of([tmp_path / "one.yaml"]).flows.keys() == {"one"}
    assert compile_paths([tmp_path]).plan is None, "in a folder that is compiled as a whole it counts"


def test_a_revision_changes_with_the_flow_and_only_then(tmp_path: Path) -> None:
    first = plan_of([folder(tmp_path, one="inbound")])
    again = plan_of([tmp_path / "one.yaml"])
    (tmp_path / "one.yaml").write_text("# a comment\n" + FLOW.format(name="one", entry="inbound", how="normal"))
    comment = plan_of([tmp_path])
    (tmp_path / "one.yaml").write_text(FLOW.format(name="one", entry="inbound", how="busy"))
    changed = plan_of([tmp_path])
    assert first.flows == again.flows == comment.flows != changed.flows
    for revision, flow in changed.revisions.items():
        assert revision == revision_of(flow)


def test_previous_revisions_stay_up_to_the_number_asked_for(tmp_path: Path) -> None:
    folder(tmp_path, one="inbound")
    plans: list[Plan] = []
    for how in ("normal", "busy", "unavailable"):
        (tmp_path / "one.yaml").write_text(FLOW.format(name="one", entry="inbound", how=how))
        plans.insert(0, plan_of([tmp_path], previous=plans[:1], keep=3))
    assert [len(plan.revisions) for plan in plans] == [3, 2, 1]
    kept = plan_of([tmp_path], previous=[plans[1]], keep=1)
    assert set(kept.revisions) == {kept.flows["one"], plans[1].flows["one"]}
    assert plan_of([tmp_path], previous=[plans[1]], keep=0).revisions.keys() == {kept.flows["one"]}
    assert kept.dumps() == plan_of([tmp_path], previous=[plans[1]], keep=1).dumps()


def test_revisions_of_a_flow_that_is_gone_stay_for_its_calls(tmp_path: Path) -> None:
    before = plan_of([folder(tmp_path, one="inbound", two="outbound")])
    (tmp_path / "two.yaml").unlink()
    after = plan_of([tmp_path], previous=[before])
    assert after.flows.keys() == {"one"}
    assert before.flows["two"] in after.revisions


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("nothing.yaml", None, "SF001"),
        ("empty.yaml", "", "SF006"),
        ("calls.yaml", "flow: a.yaml\ncalls: []\n", "SF234"),
    ],
)
def test_a_wrong_file_is_a_finding_and_never_an_exception(
    name: str, text: str | None, code: str, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    result = compile_paths([tmp_path / name])
    assert result.plan is None
    assert codes(result) == [code]


def test_nothing_to_compile_is_no_plan(tmp_path: Path) -> None:
    result = compile_paths([tmp_path])
    assert result.plan is None or not result.plan.flows


def test_all_findings_of_all_files_come_at_once_in_source_order(tmp_path: Path) -> None:
    folder(tmp_path, one="inbound", two="outbound")
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text((tmp_path / f"{name}.yaml").read_text() + "  b: {say: hello, next: c}\n")
    result = check_paths([tmp_path])
    found = [(Path(one.span.file).name, one.code) for one in result.diagnostics]
    assert found == sorted(found, key=lambda each: each[0])
    assert {code for file, code in found if file == "one.yaml"} == {"SF201", "SF204", "SF208", "SF212"}
    assert {code for file, code in found if file == "two.yaml"} == {"SF201", "SF204", "SF208", "SF212"}
