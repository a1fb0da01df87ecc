"""``sma-flows graph``: a flow as a picture (SVG), a Mermaid or a Graphviz diagram, drawn from the compiled plan."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import click

from sma_flows.cli.console import WrongUsage, say_json
from sma_flows.cli.load import load_plan
from sma_flows.diagram import boxes_of, svg
from sma_flows.diagram.boxes import DECISIONS, caption

__all__ = ["Edge", "command", "dot", "edges_of", "mermaid"]

EXAMPLES = """\b
Examples:
  sma-flows graph flows/dial-in.yaml                          Mermaid, for README and pull requests
  sma-flows graph flows/dial-in.yaml --legend
  sma-flows graph flows/front-desk.yaml --format svg > front-desk.svg    a picture, for any browser
  sma-flows graph flows/front-desk.yaml --format dot | dot -Tpdf > front-desk.pdf
  sma-flows graph build/plan.json --flow front-desk           one flow of a bundle
"""

_START: Final = "start"
_END: Final = "hangup"
_BACK: Final = "back"
_OWN, _DEFAULT = "own", "default"

LEGEND: Final = (
    (True, "own answer of the state, or a key"),
    (False, "answer from `defaults`, or built in"),
)
"""What a line means, by whether the state has answered the outcome itself."""


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """One edge of the plan. ``start`` is empty for the entry of the flow and for updates, which come from outside.

    ``label`` is an outcome, ``key 1``, ``connected``, ``update NAME`` or empty; ``own`` is false for an answer that the
    state did not give itself.
    """

    start: str
    label: str
    target: str
    own: bool = True


@click.command("graph", short_help="Draw a flow: a picture, Mermaid or Graphviz.", epilog=EXAMPLES)
@click.argument("flow", metavar="FLOW")
@click.option("--flow", "name", help="Which flow of a bundle. Default: the only one.")
@click.option(
    "--format", "form", type=click.Choice(["mermaid", "svg", "dot", "json"]), default="mermaid", show_default=True
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json: the edges as a list.")
@click.option("--legend", is_flag=True, help="Add a legend to the drawing.")
def command(flow: str, name: str | None, form: str, as_json: bool, legend: bool) -> None:
    """Draw a FLOW: every state, every outcome, where each one leads.

    The edges are those of the compiled plan, which the runtime follows. Dashed lines are answers that a state takes
    over from the flow's defaults; in a picture these, and ways back, are words on the state's card.

    FLOW is a flow file, a folder of flows or a compiled plan.
    """
    plan = load_plan(flow)
    names = sorted(plan.flows)
    if name is None and len(names) != 1:
        raise WrongUsage(f"{flow} holds {len(names)} flows: choose one with --flow {' or --flow '.join(names)}")
    chosen = name or names[0]
    if chosen not in plan.flows:
        raise WrongUsage(f"{flow} has no flow '{chosen}': it holds {', '.join(names)}.")
    compiled = plan.flow(chosen)
    if as_json or form == "json":
        say_json([{"from": e.start, "outcome": e.label, "to": e.target, "own": e.own} for e in edges_of(compiled)])
    else:
        click.echo(_drawn(form, compiled, legend=legend), nl=False)


def _drawn(form: str, flow: Mapping[str, Any], *, legend: bool) -> str:
    if form == "svg":
        return svg(boxes_of(dict(flow)), flow["name"])
    return (dot if form == "dot" else mermaid)(flow, legend=legend)


def edges_of(flow: Mapping[str, Any]) -> list[Edge]:
    """Every edge of a compiled flow, each once, in a steady order."""
    found = [Edge("", "", flow["start"])]
    found += [Edge("", f"update {update['name']}", update["next"]) for update in flow.get("updates", ())]
    for name, state in flow["states"].items():
        found += _edges_of_state(name, state)
    return list(dict.fromkeys(found))


def _edges_of_state(name: str, state: Mapping[str, Any]) -> Iterator[Edge]:
    own = set(state.get("own", ()))
    keys = state.get("keys", {})
    for key, target in keys.items():
        yield Edge(name, f"key {key}", target)
    for outcome, target in state.get("next", {}).items():
        if not (outcome in keys and keys[outcome] == target):  # a menu's keys are outcomes, too
            yield Edge(name, outcome, target, outcome in own)
    for key, target in state.get("listen", {}).get("keys", {}).items():
        yield Edge(name, f"key {key}", target)
    if state.get("connected"):
        yield Edge(name, "connected", state["connected"])
    if state["do"] == "use":
        yield Edge(name, "", state["start"])
    if state["do"] == "hangup" and "done" not in state.get("next", {}):  # the end; with leg B the flow goes on
        yield Edge(name, "", _END)


def mermaid(flow: Mapping[str, Any], *, legend: bool = False) -> str:
    """The flow as a Mermaid flowchart."""
    lines = ["flowchart TD"]
    ids = _Ids()
    for group, members in _groups(flow):
        pad = "  "
        if group:
            lines.append(f'  subgraph {ids.of("flow " + group)}["{_mermaid_text(group)}"]')
            pad = "    "
        lines += [f"{pad}{ids.of(name)}{_mermaid_shape(name, flow['states'][name])}" for name in members]
        if group:
            lines.append("  end")
    edges = edges_of(flow)
    lines.append(f"  {ids.of(' start')}(({_START}))")
    used = {edge.target for edge in edges}
    if _END in used:
        lines.append(f"  {ids.of(_END)}(((hang up)))")
    for start, label, target, own in _joined(edges):
        line = "-->" if own else "-.->"
        words = f'|"{_mermaid_text(label)}"|' if label else ""
        end = ids.of(_back_of(start, ids, lines)) if target == _BACK else ids.of(target)
        lines.append(f"  {ids.of(start or ' start')} {line}{words} {end}")
    if legend:
        lines.append("  subgraph legend")
        for number, (own, words) in enumerate(LEGEND):
            lines.append(f'    legend_{number}a(( )) {"-->" if own else "-.->"}|"{words}"| legend_{number}b(( ))')
        lines.append("  end")
    return "\n".join(lines) + "\n"


def dot(flow: Mapping[str, Any], *, legend: bool = False) -> str:
    """The flow as a Graphviz graph."""
    lines = ["digraph flow {", f"  label={_quoted(flow['name'])};", "  node [shape=box, style=rounded];"]
    for number, (group, members) in enumerate(_groups(flow)):
        if group:
            lines += [f"  subgraph cluster_{number} {{", f"    label={_quoted(group)};"]
        for name in members:
            state = flow["states"][name]
            shape = ", shape=diamond" if state["do"] in DECISIONS else ""
            lines.append(f"    {_quoted(name)} [label={_quoted(_caption(name, state))}{shape}];")
        if group:
            lines.append("  }")
    edges = edges_of(flow)
    lines.append('  " start" [label=start, shape=circle];')
    if any(edge.target == _END for edge in edges):
        lines.append(f'  {_END} [label="hang up", shape=doublecircle];')
    for start, label, target, own in _joined(edges):
        end = target
        if target == _BACK:
            end = f"{start} back"
            lines.append(f"  {_quoted(end)} [label=back, shape=plaintext];")
        style = "" if own else ", style=dashed"
        lines.append(f"  {_quoted(start or ' start')} -> {_quoted(end)} [label={_quoted(label)}{style}];")
    if legend:
        lines.append("  subgraph cluster_legend { label=legend; node [shape=point];")
        for number, (own, words) in enumerate(LEGEND):
            style = "" if own else ", style=dashed"
            lines.append(f"    legend_{number}a -> legend_{number}b [label={_quoted(words)}{style}];")
        lines.append("  }")
    lines.append("}")
    return "\n".join(lines) + "\n"


def _joined(edges: list[Edge]) -> list[tuple[str, str, str, bool]]:
    """Edges with the same ends and line as one, their labels side by side."""
    labels: dict[tuple[str, str, bool], list[str]] = {}
    for edge in edges:
        labels.setdefault((edge.start, edge.target, edge.own), []).append(edge.label)
    return [(start, ", ".join(filter(None, words)), target, own) for (start, target, own), words in labels.items()]


def _groups(flow: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """The states by sub-flow; those of the flow itself come first, under the empty name."""
    groups: dict[str, list[str]] = {"": []}
    for name in flow["states"]:
        groups.setdefault(name.rpartition("/")[0], []).append(name)
    return list(groups.items())


def _caption(name: str, state: Mapping[str, Any]) -> str:
    """Two lines in a box: the state and what it does."""
    return f"{name.rpartition('/')[2]}\n{caption(state)}"


def _mermaid_shape(name: str, state: Mapping[str, Any]) -> str:
    text = "<br/>".join(_mermaid_text(line) for line in _caption(name, state).split("\n"))
    opening, closing = ("{{", "}}") if state["do"] in DECISIONS else ("(", ")")
    return f'{opening}"{text}"{closing}'


def _mermaid_text(text: str) -> str:
    """Text inside quotes of Mermaid, which has no escapes but HTML entities."""
    return html.escape(text, quote=True).replace("#", "#35;").replace("&#35;x27;", "'").replace("*", "#42;")


def _back_of(start: str, ids: _Ids, lines: list[str]) -> str:
    """A small node of its own for each `back`: one shared node would tie everything together."""
    name = f"{start} back"
    declared = f"  {ids.of(name)}[/back/]"
    if declared not in lines:
        lines.append(declared)
    return name


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


class _Ids:
    """Names of nodes that Mermaid accepts; words such as ``end`` and the slash of sub-flows are none."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def of(self, name: str) -> str:
        """The id of one node, the same every time."""
        if name not in self._given:
            word = re.sub(r"\W+", "_", name.strip())
            taken = set(self._given.values())
            candidate, number = f"s_{word}", 2
            while candidate in taken:
                candidate, number = f"s_{word}_{number}", number + 1
            self._given[name] = candidate
        return self._given[name]
