"""What is written reads back as it was: plans as JSON, saved calls as attributes."""

from __future__ import annotations

import json
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from properties.calls import ROOT, compiled, own_flow
from properties.flowgen import make_flow
from properties.test_oracle import build
from sma_flows.plan import Plan, revision_of
from sma_flows.runtime import callstate
from sma_flows.runtime.callstate import Call


def check_plan(plan: Plan) -> None:
    text = plan.dumps()
    again = Plan.loads(text)
    assert again == plan
    assert again.dumps() == text
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert all(revision_of(flow) == revision for revision, flow in again.revisions.items())


def test_plans_of_the_shipped_flows_read_back() -> None:
    check_plan(compiled(ROOT / "flows"))
    check_plan(compiled(own_flow()))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(rng=st.randoms(use_true_random=False))
def test_plans_of_generated_flows_read_back(rng: Random) -> None:
    check_plan(build(make_flow(rng))[1])


def test_same_flow_gives_the_same_bytes() -> None:
    assert compiled(own_flow()).dumps() == compiled(own_flow()).dumps()


# Names as they occur in a saved call: states and variables, sub-flows, pseudo variables.
NAMES = st.from_regex(r"([a-z][a-z0-9-]{0,8}/)?[a-z@][a-z0-9_.]{0,12}", fullmatch=True)
# A position may carry the runtime's own sign for "entered before".
POSITIONS = st.just("") | NAMES | NAMES.map("!{}".format)
VALUES = st.recursive(
    st.text(max_size=20) | st.integers(-(10**14), 10**14) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    flow, revision = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True), st.text("0123456789abcdef", max_size=12)
    call = Call(draw(flow), draw(revision))
    call.pos, call.then, call.base = draw(NAMES), draw(POSITIONS), draw(st.just("") | NAMES)
    call.heard = draw(st.just("") | NAMES.map(":{}".format))
    call.stack = draw(st.just("") | NAMES)
    call.n, call.q = draw(st.integers(0, 2000)), draw(st.integers(-1, 10**9))
    call.flags = "".join(draw(st.sets(st.sampled_from("abcehrsB"))))
    call.last = draw(st.sampled_from(["", "rest", "SG.A.1f", "H.B.0"]))
    call.was = draw(st.sampled_from(["", "SG.A.1f"]))
    call.departed = ",".join(draw(st.lists(st.text("0123456789abcdef", min_size=1, max_size=8), max_size=6)))
    call.counters = draw(st.dictionaries(NAMES, st.integers(0, 1000), max_size=4))
    call.vars = draw(st.dictionaries(NAMES, VALUES, max_size=4))
    return call


@settings(max_examples=300, deadline=None, derandomize=True)
@given(call=calls(), data=st.data())
def test_saved_call_reads_back(call: Call, data: st.DataObject) -> None:
    tokens = frozenset(data.draw(st.sets(st.sampled_from(sorted(call.vars))))) if call.vars else frozenset()
    attributes = callstate.save(call, tokens)
    assert set(attributes) <= {"sf", "sc", "sv", "st"}
    assert callstate.load(json.loads(json.dumps(attributes))) == call
