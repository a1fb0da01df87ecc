"""Roll-outs of a deployed function: what it holds, and how many new calls its candidates get.

The share is an environment value of the function, so that a live call reads it without asking anybody. A change of it
is published as a new version of the same code, and the alias goes over to it at once: never by weight, because a
weight is drawn for each event and one call would meet two versions (decision 35).

What is not ours stays as it is: the other values are written back unread, and a function whose code has been changed
since it was published is left alone.
"""

from __future__ import annotations

import io
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sma_flows.errors import BuildError, PlanError
from sma_flows.plan import Plan
from sma_flows.runtime.rollout import BUCKETS, ROLLOUT, Share, read_shares

__all__ = ["ALIAS", "Deployed", "change", "download", "facts", "in_effect", "look"]

ALIAS: Final = "live"
"""The alias of ``template.yaml``."""

MOST_BYTES: Final = 60 * 1024 * 1024
"""Largest package that is downloaded: more than the 50 MB that Lambda takes as an archive."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """What answers calls now. ``shares`` are those that count, by flow; ``stale`` is what else the value holds."""

    function: str
    alias: str
    version: str
    code: str
    plan: Plan
    shares: Mapping[str, Share]
    stale: tuple[str, ...] = ()

    def percent(self, flow: str) -> float:
        """Percent of the new calls of *flow* that its candidate gets."""
        return self.shares[flow].percent if flow in self.shares else 0.0


def look(client: Any, function: str, alias: str, fetch: Callable[[str], bytes]) -> Deployed:
    """What the function behind *alias* holds. *fetch* downloads the archive of its code.

    Raises:
        BuildError: it is no package of ours.
    """
    found = client.get_function(FunctionName=function, Qualifier=alias)
    configuration = found["Configuration"]
    try:
        with zipfile.ZipFile(io.BytesIO(fetch(found["Code"]["Location"]))) as package:
            plan = Plan.loads(package.read("plan.json"))
    except (zipfile.BadZipFile, KeyError, PlanError) as error:
        raise BuildError(f"the function '{function}' was not built by sma-flows: {error}") from None
    values = configuration.get("Environment", {}).get("Variables", {})
    shares, wrong = read_shares(values.get(ROLLOUT, ""))
    count = {share.flow: share for share in shares if plan.candidates.get(share.flow) == share.revision}
    stale = (*wrong, *(str(share) for share in shares if share.flow not in count))
    return Deployed(function, alias, configuration["Version"], configuration["CodeSha256"], plan, count, stale)


def change(client: Any, deployed: Deployed, percents: Mapping[str, float], wait: Mapping[str, int]) -> Deployed:
    """Give candidates a share of the new calls: *percents* by flow, the others keep theirs.

    *wait* is the configuration of the waiter: seconds between two looks, and how many.

    Raises:
        BuildError: a flow has no candidate, a percentage is none, or the function was changed meanwhile.
    """
    shares = {flow: share for flow, share in deployed.shares.items() if share.buckets}
    for flow, percent in percents.items():
        candidate = deployed.plan.candidates.get(flow)
        if candidate is None:
            known = ", ".join(sorted(deployed.plan.candidates)) or "none"
            raise BuildError(f"the deployed plan has no candidate of '{flow}' (it has: {known}): build with --hold")
        buckets = round(percent * BUCKETS / 100)
        if not 0 <= buckets <= BUCKETS:
            raise BuildError(f"{percent:g} is no percentage: give 0 to 100")
        shares[flow] = Share(flow, candidate, buckets)
    text = " ".join(str(share) for _, share in sorted(shares.items()) if share.buckets)
    version = _publish(client, deployed, text, wait)
    kept = {flow: share for flow, share in shares.items() if share.buckets}
    return replace(deployed, version=version, shares=kept, stale=())


def _publish(client: Any, deployed: Deployed, text: str, wait: Mapping[str, int]) -> str:
    name = deployed.function
    latest = client.get_function_configuration(FunctionName=name)
    if latest["CodeSha256"] != deployed.code:
        raise BuildError(
            f"the code of '{name}' has changed since it was published as {deployed.version}: deploy first, so that a "
            "roll-out does not put it before callers"
        )
    variables = {**latest.get("Environment", {}).get("Variables", {}), ROLLOUT: text}
    client.update_function_configuration(
        FunctionName=name, Environment={"Variables": variables}, RevisionId=latest["RevisionId"]
    )
    client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=dict(wait))
    published = client.publish_version(FunctionName=name, CodeSha256=deployed.code)
    client.update_alias(FunctionName=name, Name=deployed.alias, FunctionVersion=published["Version"], RoutingConfig={})
    return str(published["Version"])


def in_effect(deployed: Deployed) -> Plan:
    """The deployed plan as the next one has to see it: candidates that get all calls are current, others are old.

    Raises:
        BuildError: a roll-out is under way.
    """
    plan = deployed.plan
    flows = dict(plan.flows)
    for flow, candidate in plan.candidates.items():
        percent = deployed.percent(flow)
        if percent == 100:
            flows[flow] = candidate
        elif percent:
            raise BuildError(
                f"the roll-out of '{flow}' is under way ({percent:g} %): set it to 100 or take it back before the next"
            )
    return plan._replace(flows=flows, candidates={})


def download(address: str) -> bytes:
    """The archive behind an address that Lambda gave.

    Raises:
        BuildError: it cannot be had.
    """
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - the address that Lambda gave
            data: bytes = answer.read(MOST_BYTES + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise BuildError(f"the code of the function cannot be downloaded (status {error.code})") from None
    except OSError as error:
        raise BuildError(f"the code of the function cannot be downloaded ({type(error).__name__})") from None
    if len(data) > MOST_BYTES:
        raise BuildError("the code of the function is larger than Lambda allows: it is not a package of ours")
    return data


def facts(deployed: Deployed) -> dict[str, Any]:
    """The same for programs."""
    return {
        "function": deployed.function,
        "alias": deployed.alias,
        "version": deployed.version,
        "flows": [
            {
                "flow": flow,
                "current": current,
                "candidate": deployed.plan.candidates.get(flow),
                "percent": deployed.percent(flow),
            }
            for flow, current in sorted(deployed.plan.flows.items())
        ],
        "value": " ".join(str(share) for _, share in sorted(deployed.shares.items())),
        "stale": list(deployed.stale),
    }
