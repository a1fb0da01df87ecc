"""Which states, transitions, outcomes and attempts of flows the calls have come by."""

from sma_flows.testing.coverage.report import Coverage, Covered, Figure, FlowCoverage

__all__ = ["Coverage", "Covered", "Figure", "FlowCoverage"]
