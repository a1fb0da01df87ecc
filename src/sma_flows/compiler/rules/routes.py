"""SF233: every call finds one flow."""

from __future__ import annotations

from collections.abc import Iterator

from sma_flows.compiler.load import Loaded
from sma_flows.flow.diagnostics import Diagnostic, did_you_mean, report

__all__ = ["wrong_route"]


def wrong_route(loaded: Loaded) -> Iterator[Diagnostic]:
    """A route leads to no flow that can take the call, or calls have several ways or none (language reference 1)."""
    document, bundle = loaded.bundle_document, loaded.bundle
    flows = {flow.name: flow for flow in loaded.flows}
    if bundle is None or document is None or not bundle.routes:
        inbound = [flow for flow in loaded.outer if flow.entry == "inbound"]
        if len(inbound) > 1:
            yield report(
                "SF233",
                inbound[1].span("entry"),
                f"inbound calls have several ways: '{inbound[0].name}' and '{inbound[1].name}'",
                label="second inbound flow",
                help="write a bundle with `routes`, or compile one of them",
                related=[(inbound[0].span("entry"), "first inbound flow")]
                if inbound[0].document.path != inbound[1].document.path
                else [],
            )
        return
    closed: dict[str, int] = {}
    for index, route in enumerate(bundle.routes):
        flow = flows.get(route.flow)
        span = document.span(("routes", index, "flow"))
        if flow is None:
            yield report(
                "SF233",
                span,
                f"the bundle has no flow '{route.flow}'",
                label="not in `flows`",
                help=did_you_mean(route.flow, flows) or "add its file to `flows`",
            )
            continue
        needs = "outbound" if route.argument is not None else route.entry if route.entry is not None else "inbound"
        if flow.entry != needs:
            yield report(
                "SF233",
                span,
                f"'{route.flow}' takes no {needs} calls",
                label=f"its entry is {flow.entry}",
                help=f"name a flow with `entry: {needs}`",
            )
        if needs in closed:
            yield report(
                "SF233",
                document.span(("routes", index)),
                "this route is never tried",
                label=f"a route above takes every {needs} call",
                help="move it up",
                related=[(document.span(("routes", closed[needs])), "takes them all")],
            )
        elif route.entry is not None:
            closed[needs] = index
