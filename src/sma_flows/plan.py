"""The compiled bundle: plain JSON with a small typed door in front.

A plan is readable, deterministic JSON: no pickles, no code, no clock. It holds one *current* revision per flow and any
number of previous revisions, because a call keeps the revision it started with (decision 34). The runtime reads the
JSON objects of a flow directly (see ``docs/plan.md`` for every key); this module only guards the way in and out.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sma_flows.errors import PlanError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT: Final = 1
"""Plan layout written by this version. Format N-1 stays readable, otherwise an upgrade would end live calls."""

QUEUE_BYTES: Final = 6_000
"""Most bytes of waiting updates in a saved call. An update that does not fit any more is dropped like one too many, so
the worst case of a queue is this and not its length times its longest text (decision 3)."""

READABLE_FORMATS: Final = frozenset({1})

FlowPlan = dict[str, Any]
"""One compiled flow as JSON: states, prompts, hooks, limits. Keys are described in ``docs/plan.md``."""


class Plan(NamedTuple):
    """A bundle of compiled flows.

    ``routes`` decide which flow a new call gets, top down; ``flows`` maps a flow's name to its current revision;
    ``revisions`` maps a revision (12 hexadecimal digits) to the compiled flow. ``candidates`` maps a flow's name to a
    revision that gets the share of new calls that a roll-out gives it (:mod:`sma_flows.runtime.rollout`).
    """

    name: str
    routes: tuple[dict[str, Any], ...]
    flows: dict[str, str]
    revisions: dict[str, FlowPlan]
    candidates: Mapping[str, str] = MappingProxyType({})

    def flow(self, name: str) -> FlowPlan:
        """The current revision of the flow called *name*.

        Raises:
            PlanError: the bundle has no such flow.
        """
        try:
            return self.revisions[self.flows[name]]
        except KeyError:
            raise PlanError(f"the plan has no flow '{name}'; it holds {', '.join(sorted(self.flows))}") from None

    @property
    def in_use(self) -> dict[str, str]:
        """The revisions that new calls can get, each with its flow's name: the current ones and the candidates."""
        return {revision: name for of in (self.flows, self.candidates) for name, revision in of.items()}

    def to_json(self) -> dict[str, Any]:
        """The plan as one JSON object, ready for :func:`json.dumps`."""
        written: dict[str, Any] = {
            "format": FORMAT,
            "name": self.name,
            "routes": list(self.routes),
            "flows": self.flows,
            "revisions": self.revisions,
        }
        return written | {"candidates": dict(self.candidates)} if self.candidates else written

    def dumps(self) -> str:
        """Deterministic text: same plan, same bytes. One trailing line feed."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, data: object) -> Plan:
        """Read a plan from parsed JSON.

        Raises:
            PlanError: not a plan, or of a format that this version cannot read.
        """
        if not isinstance(data, dict) or "format" not in data:
            raise PlanError("this is not a compiled plan: write one with `sma-flows compile FLOWS -o plan.json`")
        if data["format"] not in READABLE_FORMATS:
            raise PlanError(
                f"plan format {data['format']} is not readable by this version (it reads "
                f"{', '.join(str(f) for f in sorted(READABLE_FORMATS))}): compile the flows again"
            )
        flows, revisions, routes = data.get("flows"), data.get("revisions"), data.get("routes")
        if not (isinstance(flows, dict) and isinstance(revisions, dict) and isinstance(routes, list)):
            raise PlanError("the plan is damaged: flows, revisions or routes are missing; compile the flows again")
        for revision, flow in revisions.items():
            if not isinstance(flow, dict) or not isinstance(flow.get("states"), dict) or "start" not in flow:
                raise PlanError(f"the plan is damaged: revision {revision} has no states; compile the flows again")
        candidates = data.get("candidates", {})
        if not isinstance(candidates, dict):
            raise PlanError("the plan is damaged: candidates are no revisions by flow; compile the flows again")
        missing = [name for of in (flows, candidates) for name, revision in of.items() if revision not in revisions]
        if missing:
            raise PlanError(f"the plan is damaged: no revision for {', '.join(sorted(missing))}; compile again")
        return cls(str(data.get("name", "")), tuple(routes), dict(flows), dict(revisions), dict(candidates))

    @classmethod
    def loads(cls, text: str | bytes) -> Plan:
        """Read a plan from JSON text.

        Raises:
            PlanError: not JSON, or not a plan.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise PlanError(f"the plan is not JSON ({error}): write it again with `sma-flows compile`") from None
        return cls.from_json(data)

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Read a plan file.

        Raises:
            PlanError: the file cannot be read or is not a plan.
        """
        try:
            return cls.loads(path.read_bytes())
        except OSError as error:
            raise PlanError(f"the plan {path} cannot be read ({error.strerror})") from None
        except PlanError as error:
            raise PlanError(f"{path}: {error}") from None


def revision_of(flow: Mapping[str, Any]) -> str:
    """The revision of a compiled flow: 12 hexadecimal digits over its JSON without ``facts``."""
    import hashlib  # here: a function that answers calls makes no revisions

    body = {key: value for key, value in flow.items() if key != "facts"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
