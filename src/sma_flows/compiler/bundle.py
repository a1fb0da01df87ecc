"""From compiled flows to a plan: routes, revisions, previous revisions (decision 34)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sma_flows.compiler.load import Loaded
from sma_flows.compiler.lower_talk import Json, Scope, expression
from sma_flows.compiler.resolved import ResolvedFlow
from sma_flows.flow.model import Route
from sma_flows.plan import FlowPlan, Plan, revision_of

__all__ = ["assemble", "routes_of"]


def assemble(
    loaded: Loaded, lowered: Mapping[str, FlowPlan], previous: Sequence[Plan], keep: int, hold: bool = False
) -> Plan:
    """The plan of compiled flows by name.

    `previous` are older plans, newest first: up to `keep` of their revisions of each flow stay, so that calls that
    started with one can end with it. Flows that are gone keep theirs too. With `hold` a flow that has changed stays at
    the current revision of the newest plan that has it; the new revision is its candidate (decision 35).
    """
    flows = {name: revision_of(flow) for name, flow in lowered.items()}
    revisions = {flows[name]: flow for name, flow in lowered.items()}
    candidates: dict[str, str] = {}
    for name, new in list(flows.items()) if hold else ():
        older = next((plan for plan in previous if name in plan.flows), None)
        if older is not None and older.flows[name] != new:
            flows[name], candidates[name] = older.flows[name], new
            revisions[flows[name]] = older.flow(name)
    kept: dict[str, list[str]] = {}
    for plan in previous:
        for revision in _newest_first(plan):
            flow = plan.revisions[revision]
            places = kept.setdefault(str(flow.get("name", "")), [])
            if revision not in revisions and len(places) < keep:
                revisions[revision] = flow
                places.append(revision)
    title = next(iter(lowered)) if len(lowered) == 1 else "bundle"
    return Plan(title, tuple(routes_of(loaded)), flows, revisions, candidates)


def _newest_first(plan: Plan) -> list[str]:
    """A plan's current revisions and candidates, then those it kept, in its own order."""
    current = list(plan.in_use)
    return [*current, *(revision for revision in plan.revisions if revision not in current)]


def routes_of(loaded: Loaded) -> list[dict[str, Any]]:
    """Which flow takes a call: the bundle's routes, or what follows from the flows alone (language reference 1)."""
    outer = loaded.outer
    if loaded.bundle is not None and loaded.bundle.routes:
        return [_route(route, outer) for route in loaded.bundle.routes]
    inbound = [flow for flow in outer if flow.entry == "inbound"]
    outbound = [flow for flow in outer if flow.entry == "outbound"]
    routes: list[dict[str, Any]] = [{"entry": "inbound", "flow": flow.name} for flow in inbound[:1]]
    if len(outbound) == 1:
        return [*routes, {"entry": "outbound", "flow": outbound[0].name}]
    return routes + [{"argument": "flow", "is": flow.name, "flow": flow.name} for flow in outbound]


def _route(route: Route, outer: Sequence[ResolvedFlow]) -> Json:
    scope = Scope(outer[0], "")
    out: Json = {"flow": route.flow}
    if route.to is not None:
        out["to"] = expression(route.to, scope)
    elif route.rule is not None:
        out["rule"] = expression(route.rule, scope)
    elif route.argument is not None:
        out |= {"argument": route.argument, "is": route.is_}
    else:
        out["entry"] = route.entry
    return out
