"""Catalogue of SF3xx: call behaviour."""

from __future__ import annotations

from typing import Final

from sma_flows.flow.codes_base import Code

CODES: Final[tuple[Code, ...]] = ()
