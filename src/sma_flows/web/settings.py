"""What the operator says about click-to-call, read from the environment of the function.

==================================  ==================================================================================
``WEB_CALLS``                       table of the directory with one row for each call, the one of the flow
``SMA_FLOWS_WEB_FLOW``              the flow that answers; default ``web-call``
``SMA_FLOWS_WEB_APPLICATION``       id of the SIP media application that calls
``SMA_FLOWS_WEB_CALLER``            the number that is shown to whoever is called; one of this account
``SMA_FLOWS_WEB_REGIONS``           countries that may be called, as in ``US,CA``; default: that of the caller's number
``SMA_FLOWS_WEB_KINDS``             kinds of numbers that may be called; default: fixed_line, mobile,
                                    fixed_line_or_mobile, voip
``SMA_FLOWS_WEB_PER_USER``          most calls of one user, as in ``5/1h``; so ``_PER_DESTINATION`` and ``_PER_TENANT``
``SMA_FLOWS_WEB_AUTH``              ``jwt`` (default) or ``iam``: the authorizer in front of the API
``SMA_FLOWS_WEB_ISSUER``            what a token has to name as its issuer; required with ``jwt``
``SMA_FLOWS_WEB_AUDIENCE``          one of these is what a token is for; required with ``jwt``
``SMA_FLOWS_WEB_TENANT``            the claim that names the tenant; default: all users are of one tenant
``SMA_FLOWS_WEB_MEDIA_REGION``      where meetings are held; default: the region of the function
==================================  ==================================================================================

The store and who does meetings and calls are found as for a flow, see :mod:`sma_flows.services.setup`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sma_flows.errors import PlanError
from sma_flows.plan import Plan
from sma_flows.web.identity import IAM, JWT, Gate
from sma_flows.web.numbers import KINDS, USUAL, Fence, region_of

__all__ = ["Limit", "Settings", "languages"]

PREFIX: Final = "SMA_FLOWS_WEB_"
FLOW: Final = "web-call"
INPUTS: Final = frozenset({"web_call", "visitor", "language", "meeting"})
"""What the flow is given."""
UPDATES: Final = frozenset({"keys", "end"})
"""What the flow is told while it runs."""

PER_USER: Final = "5/1h"
PER_DESTINATION: Final = "20/1h"
PER_TENANT: Final = "200/1h"

_LIMIT: Final = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,4})([smhd])").fullmatch
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}").fullmatch


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``most`` calls in a window of ``window_s`` seconds of the clock."""

    most: int
    window_s: int


@dataclass(frozen=True, slots=True)
class Settings:
    """See the head of this module."""

    flow: str
    table: str
    application: str
    caller: str
    fence: Fence
    gate: Gate
    languages: frozenset[str]
    per_user: Limit
    per_destination: Limit
    per_tenant: Limit
    media_region: str = ""

    @classmethod
    def read(cls, env: Mapping[str, str], plan: Plan) -> Settings:
        """The settings in *env*, for flows of *plan*.

        Raises:
            PlanError: something is missing, is nothing that could be meant, or the flow is not made for this.
        """
        problems: list[str] = []

        def needed(name: str) -> str:
            if not env.get(name):
                problems.append(f"{name} is not set")
            return env.get(name, "")

        flow = env.get(PREFIX + "FLOW") or FLOW
        caller = needed(PREFIX + "CALLER")
        if caller and not _NUMBER(caller):
            problems.append(f"{PREFIX}CALLER is not a number like +12065550100")
        kind = env.get(PREFIX + "AUTH") or JWT
        if kind not in (JWT, IAM):
            problems.append(f"{PREFIX}AUTH is '{kind}': it can be 'jwt' or 'iam'")
        issuer = needed(PREFIX + "ISSUER") if kind == JWT else ""
        audience = needed(PREFIX + "AUDIENCE") if kind == JWT else ""
        settings = cls(
            flow=flow,
            table=needed("WEB_CALLS"),
            application=needed(PREFIX + "APPLICATION"),
            caller=caller,
            fence=_fence(env, caller, problems),
            gate=Gate(kind, issuer, _words(audience), env.get(PREFIX + "TENANT", "")),
            languages=_languages(plan, flow, problems),
            per_user=_limit(env, "PER_USER", PER_USER, problems),
            per_destination=_limit(env, "PER_DESTINATION", PER_DESTINATION, problems),
            per_tenant=_limit(env, "PER_TENANT", PER_TENANT, problems),
            media_region=env.get(PREFIX + "MEDIA_REGION", ""),
        )
        if problems:
            raise PlanError("; ".join(problems))
        return settings


def _fence(env: Mapping[str, str], caller: str, problems: list[str]) -> Fence:
    regions = frozenset(word.upper() for word in _words(env.get(PREFIX + "REGIONS") or region_of(caller)))
    kinds = frozenset(word.lower() for word in _words(env.get(PREFIX + "KINDS", ""))) or USUAL
    unknown = sorted(kinds - KINDS.keys())
    if unknown:
        problems.append(f"{PREFIX}KINDS: there is no kind '{unknown[0]}'; there are {', '.join(KINDS)}")
    wrong = sorted(region for region in regions if not re.fullmatch("[A-Z]{2}", region))
    if wrong:
        problems.append(f"{PREFIX}REGIONS: '{wrong[0]}' is no country of two letters")
    if caller and not regions:
        problems.append(f"{PREFIX}REGIONS is not set, and the country of {PREFIX}CALLER is not known")
    return Fence(regions, kinds)


def languages(plan: Plan, flow: str = FLOW) -> frozenset[str]:
    """The locales in which *flow* speaks, to whoever is called.

    Raises:
        PlanError: the plan has no such flow, or it is not made for this.
    """
    problems: list[str] = []
    found = _languages(plan, flow, problems)
    if problems:
        raise PlanError("; ".join(problems))
    return found


def _languages(plan: Plan, flow: str, problems: list[str]) -> frozenset[str]:
    """The locales in which *flow* speaks."""
    if flow not in plan.flows:
        problems.append(f"the plan has no flow '{flow}'")
        return frozenset()
    found = plan.flow(flow)
    missing = sorted(INPUTS ^ set(found.get("inputs", ())))
    if found.get("entry") != "outbound" or missing:
        problems.append(f"the flow '{flow}' is not made for calls from a page: it takes {', '.join(sorted(INPUTS))}")
    unknown = sorted(UPDATES - {update["name"] for update in found.get("updates", ())})
    if unknown:
        problems.append(f"the flow '{flow}' has no update '{unknown[0]}'")
    if "policy" not in found:
        problems.append(f"the flow '{flow}' has no dial_policy, so a page could have anybody called")
    return frozenset(found.get("catalogues", {}).get("", {}).get("locales", ()))


def _limit(env: Mapping[str, str], name: str, default: str, problems: list[str]) -> Limit:
    written = env.get(PREFIX + name) or default
    found = _LIMIT(written)
    if found is None:
        problems.append(f"{PREFIX}{name} is '{written}': write a number and a time, like {default}")
        return Limit(1, 3600)
    return Limit(int(found[1]), int(found[2]) * _UNITS[found[3]])


def _words(text: str) -> frozenset[str]:
    return frozenset(filter(None, re.split(r"[,\s]+", text)))
