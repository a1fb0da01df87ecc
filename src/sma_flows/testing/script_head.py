"""``from``, ``to`` and ``headers`` of a call: who calls whom, and what comes with it (contract 1.3, 6.1, 6.3)."""

from __future__ import annotations

import re
from typing import Final

from sma_flows.flow.diagnostics import Diagnostic
from sma_flows.flow.nodes import Node, Scalar
from sma_flows.protocol.actions import InvalidActionError, sip_headers
from sma_flows.services.digests import NOBODY
from sma_flows.testing.mistake import Mistake, finding

__all__ = ["read_header", "read_number"]

EXAMPLE: Final = "write a number such as +14155550123"
HEADERS: Final = "names are x-... (not x-amzn, x-vine, x-vc, x-canary, x-voice), User-to-User and Diversion"

LEAST_DIGITS: Final = 7
"""Shorter ones are no telephone numbers to a flow, whatever the service lets through."""

_NUMBER: Final = re.compile(r"\+?[1-9][0-9]{1,14}")
_USER: Final = re.compile(r"[!-~]+")


def read_number(node: Node, key: str, *, outbound: bool) -> tuple[str, Diagnostic | None]:
    """One end of a call, and what is odd about it although the service might let it through.

    Calls that are placed have numbers at both ends. Those that come in through a Voice Connector can have any user
    part, and a caller may withhold the number.

    Raises:
        Mistake: no call has such an end.
    """
    text = node.text if isinstance(node, Scalar) else ""
    withheld = key == "from" and not outbound
    if not (_NUMBER if outbound else _USER).fullmatch(text):
        raise Mistake("SF515", node, f"'{key}' cannot be '{text}'", f"{EXAMPLE}{', or anonymous' if withheld else ''}")
    number = _NUMBER.fullmatch(text)
    if number and len(text.removeprefix("+")) < LEAST_DIGITS:
        return text, finding("SF516", node.span, f"'{text}' is too short for a telephone number", EXAMPLE)
    if (number and (outbound or text.startswith("+"))) or (withheld and text.lower() in NOBODY):
        return text, None
    help_ = f"{EXAMPLE}; only calls through a Voice Connector have others"
    return text, finding("SF516", node.span, f"'{text}' is no telephone number", help_)


def read_header(name: Scalar, value: Node) -> None:
    """Whether a SIP header can come with a call.

    Raises:
        Mistake: it is no text, or the service rejects its name or its length.
    """
    if not isinstance(value, Scalar):
        raise Mistake("SF503", value, f"the header '{name.text}' takes a text", "write headers: {X-Order: R-77}")
    try:
        sip_headers({name.text: value.text})
    except InvalidActionError:
        help_ = f"{HEADERS}, with at most 2,048 characters"
        raise Mistake("SF517", name, f"no call has a header '{name.text}' like this", help_) from None
