"""A flow as a picture that any browser shows: states as cards, what they answer as rows, where it leads as lines.

The layout is our own, so that a picture needs neither a program beside the package nor a network.
"""

from sma_flows.diagram.boxes import Box, Mark, Row, boxes_of
from sma_flows.diagram.svg import svg

__all__ = ["Box", "Mark", "Row", "boxes_of", "svg"]
