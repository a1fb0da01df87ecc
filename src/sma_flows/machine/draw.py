"""Pictures of a flow: Mermaid through the writer of ``transitions``, and Graphviz's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from transitions import State
from transitions.extensions import GraphMachine
from transitions.extensions.diagrams_base import BaseGraph

from sma_flows.machine.expand import BACK, HANGUP, RINGING, expand

if TYPE_CHECKING:
    from sma_flows.compiler.resolved import ResolvedFlow

__all__ = ["dot", "mermaid"]


class _Picture(State):
    """A state of a drawing: an identifier that any diagram language accepts, and the author's name as label."""

    def __init__(self, name: str, label: str = "", **options: Any) -> None:
        super().__init__(name, **options)
        self.label = label


class _DotGraph(BaseGraph):
    """Writes Graphviz's language without needing Graphviz or its Python packages."""

    def generate(self) -> None:
        pass

    def set_previous_transition(self, src: str, dst: str) -> None:
        pass

    def reset_styling(self) -> None:
        pass

    def set_node_style(self, state: Any, style: str) -> None:
        pass

    def get_graph(self, title: str | None = None, roi_state: Any = None) -> Any:  # noqa: ARG002
        states, transitions = self._get_elements()
        out = [f'digraph "{title or self.machine.title}" {{', "  rankdir=LR;", "  node [shape=box, style=rounded];"]
        for state in states:
            shape = ", shape=point" if state["name"] == _identifier(RINGING) else ""
            out.append(f'  {state["name"]} [label="{state.get("label", state["name"])}"{shape}];')
        labels: dict[tuple[str, str], list[str]] = {}
        for edge in transitions:
            labels.setdefault((edge["source"], edge["dest"]), []).append(edge.get("label") or edge["trigger"])
        out += [f'  {source} -> {target} [label="{" | ".join(names)}"];' for (source, target), names in labels.items()]
        return _Text("\n".join([*out, "}"]))


@dataclass(frozen=True)
class _Text:
    source: str


class _Drawing(GraphMachine):
    """The machine as it is drawn: what the flow says, without the helpers that only a walk needs."""

    state_cls = _Picture

    def _init_graphviz_engine(self, graph_engine: str) -> type[BaseGraph]:
        return _DotGraph if graph_engine == "dot" else super()._init_graphviz_engine(graph_engine)

    def _add_trigger_to_model(self, trigger: str, model: object) -> None:
        pass

    def _add_model_to_state(self, state: State, model: object) -> None:
        pass


def _identifier(name: str) -> str:
    return "s_" + "".join(letter if letter.isalnum() else f"_{ord(letter):x}_" for letter in name)


def _drawing(flow: ResolvedFlow, engine: str) -> str:
    nodes = expand(flow)
    names = [RINGING, *(node.name for node in nodes)]
    edges = [("", RINGING, flow.model.start)]
    for node in nodes:
        edges += [(outcome, node.name, target) for outcome, target in node.edges.items()]
        if node.verb != "menu":
            edges += [(f"key {key}", node.name, target) for key, target in node.keys.items()]
        if node.connected:
            edges.append(("connected", node.name, node.connected))
        if node.enters:
            edges.append(("enter", node.name, node.enters))
    used = {target for _, _, target in edges}
    names += [name for name in (BACK, HANGUP) if name in used]
    picture = _Drawing(
        model=None,
        states=[{"name": _identifier(name), "label": "" if name == RINGING else name} for name in names],
        initial=_identifier(RINGING),
        auto_transitions=False,
        graph_engine=engine,  # type: ignore[arg-type]  # "dot" is ours
        name=flow.name,
    )
    for outcome, source, target in edges:
        picture.add_transition(outcome or "call", _identifier(source), _identifier(target))
    # Mermaid reads a YAML front matter, so its title needs its key.
    title = f"title: {flow.name}" if engine == "mermaid" else flow.name
    text: str = picture.graph_cls(picture).get_graph(title).source  # type: ignore[attr-defined]
    return text + "\n"


def mermaid(flow: ResolvedFlow) -> str:
    """The flow as a Mermaid state diagram, written by ``transitions``. Several outcomes to one place share an arrow."""
    return _drawing(flow, "mermaid")


def dot(flow: ResolvedFlow) -> str:
    """The flow in Graphviz's language, for ``dot -Tsvg``."""
    return _drawing(flow, "dot")
