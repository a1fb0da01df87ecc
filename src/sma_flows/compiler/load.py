"""First pass over files: which flows, prompt catalogues and bundles belong to what was asked for.

Sub-flows are found by name: among the files that were given, then beside the flow that uses them. Every file is read
once. All findings of reading are collected here; a file that cannot be read is reported and left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sma_flows.compiler.parse import parse_bundle, parse_flow, parse_prompts
from sma_flows.compiler.resolve import resolve_flow
from sma_flows.compiler.resolved import ResolvedFlow
from sma_flows.flow.diagnostics import Diagnostic, did_you_mean, report
from sma_flows.flow.model import BundleModel, FlowModel
from sma_flows.flow.nodes import Document, Scalar, Span
from sma_flows.flow.prompts import Catalogue
from sma_flows.flow.source import load_document
from sma_flows.flow.states import UseState

__all__ = ["Loaded", "load"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything that was read. `flows` are those that were given, in the order of the bundle or of the files."""

    flows: tuple[ResolvedFlow, ...]
    bundle: BundleModel | None
    bundle_document: Document | None
    diagnostics: tuple[Diagnostic, ...]
    sources: dict[str, str]

    @property
    def outer(self) -> tuple[ResolvedFlow, ...]:
        """The flows that take calls."""
        return tuple(flow for flow in self.flows if flow.entry != "sub")


@dataclass(slots=True)
class _Files:
    diagnostics: list[Diagnostic] = field(default_factory=list)
    read: dict[Path, tuple[Document | None, list[Diagnostic]]] = field(default_factory=dict)
    documents: dict[Path, Document | None] = field(default_factory=dict)
    models: dict[Path, FlowModel | None] = field(default_factory=dict)
    catalogues: dict[Path, tuple[Catalogue | None, Document | None]] = field(default_factory=dict)
    resolved: dict[Path, ResolvedFlow | None] = field(default_factory=dict)
    given: list[Path] = field(default_factory=list)
    stack: list[Path] = field(default_factory=list)

    def peek(self, path: Path) -> Document | None:
        """The document of a file that may turn out to be none of our business."""
        if path not in self.read:
            self.read[path] = load_document(path)
        return self.read[path][0]

    def document(self, path: Path) -> Document | None:
        """The document of a file that belongs to what was asked for; its findings are reported."""
        if path not in self.documents:
            self.documents[path] = self.peek(path)
            self.diagnostics += self.read[path][1]
        return self.documents[path]

    def model(self, path: Path) -> FlowModel | None:
        if path not in self.models:
            self.models[path] = None
            document = self.document(path)
            if document is not None:
                self.models[path], found = parse_flow(document)
                self.diagnostics += found
        return self.models[path]

    def catalogue(self, path: Path, asked_at: Span) -> tuple[Catalogue | None, Document | None]:
        if path not in self.catalogues:
            self.catalogues[path] = (None, None)
            if not path.is_file():
                beside = sorted(str(each.relative_to(path.parent)) for each in path.parent.glob("*.yaml"))
                self.diagnostics.append(
                    report(
                        "SF232",
                        asked_at,
                        f"the prompts file '{path.name}' does not exist",
                        label="no such file",
                        help=did_you_mean(path.name, beside) or "paths are relative to the flow's file",
                    )
                )
                return None, None
            document = self.document(path)
            if document is not None:
                catalogue, found = parse_prompts(document)
                self.diagnostics += found
                self.catalogues[path] = (catalogue, document)
        return self.catalogues[path]

    def flow(self, path: Path) -> ResolvedFlow | None:
        """The resolved flow of a file with everything it uses."""
        if path in self.resolved:
            return self.resolved[path]
        self.resolved[path] = None
        model, document = self.model(path), self.document(path)
        if model is None or document is None:
            return None
        self.stack.append(path)
        subflows = {name: sub for name, sub in self.used(path, model, document) if sub is not None}
        self.stack.pop()
        catalogue, catalogue_document = None, None
        if model.prompts is not None:
            catalogue, catalogue_document = self.catalogue(path.parent / model.prompts, document.span(("prompts",)))
        self.resolved[path] = resolve_flow(model, document, catalogue, catalogue_document, subflows)
        return self.resolved[path]

    def used(self, path: Path, model: FlowModel, document: Document) -> Iterable[tuple[str, ResolvedFlow | None]]:
        """The flows that a flow uses. A use that leads back to a flow being resolved is reported and cut."""
        for name, state in model.states.items():
            if not isinstance(state, UseState):
                continue
            span = document.span(("states", name, "use"))
            where = self.find(state.use, path)
            if where is None:
                names = [flow for each in self.candidates(path) if (flow := self.name_of(each))]
                self.diagnostics.append(
                    report(
                        "SF206",
                        span,
                        f"there is no flow '{state.use}'",
                        label="used here",
                        help=did_you_mean(state.use, names) or f"write it in a file '{state.use}.yaml' beside this one",
                    )
                )
            elif where in self.stack:
                chain = [self.name_of(each) or each.stem for each in self.stack[self.stack.index(where) :]]
                self.diagnostics.append(
                    report(
                        "SF218",
                        span,
                        f"the flow '{state.use}' uses itself ({' uses '.join([*chain, state.use])})",
                        label="leads back",
                        help="repeat with a state that has `visits`, not with the flow",
                    )
                )
            else:
                sub = self.flow(where)
                if sub is not None and sub.entry != "sub":
                    self.diagnostics.append(
                        report(
                            "SF206",
                            span,
                            f"'{state.use}' is a flow of its own, not a part of one",
                            label=f"its entry is {sub.entry}",
                            help="only a flow with `entry: sub` can be used",
                            related=[(sub.span("entry"), "declared here")],
                        )
                    )
                    sub = None
                yield state.use, sub

    def candidates(self, path: Path) -> list[Path]:
        beside = sorted(each for each in path.parent.glob("*.yaml") if each.is_file())
        return list(dict.fromkeys([*self.given, path.parent / f"{path.stem}.yaml", *beside]))

    def find(self, name: str, user: Path) -> Path | None:
        """The file of the flow called *name*."""
        near = user.parent / f"{name}.yaml"
        if near.is_file() and self.name_of(near) == name:
            return near
        return next((path for path in self.candidates(user) if self.name_of(path) == name), None)

    def name_of(self, path: Path) -> str:
        document = self.peek(path) if path.is_file() else None
        if document is None or document.kind != "flow":
            return ""
        node = document.root.get("name")
        return node.text if isinstance(node, Scalar) else ""


def load(paths: Sequence[Path]) -> Loaded:
    """Read flow files, bundle files, and folders of them."""
    files = _Files()
    bundles: list[tuple[Document, BundleModel | None]] = []
    for path in _expand(files, paths):
        document = files.document(path)
        if document is None:
            continue
        if document.kind == "bundle":
            bundle, found = parse_bundle(document)
            files.diagnostics += found
            bundles.append((document, bundle))
            if bundle is not None:
                files.given += [each for each in _listed(files, path, bundle, document) if each not in files.given]
        elif document.kind == "flow" and path not in files.given:
            files.given.append(path)
        elif document.kind not in ("flow", "bundle"):
            files.diagnostics.append(
                report(
                    "SF234",
                    Span(document.path, 1, 1, 1, 2),
                    f"'{path.name}' is neither a flow nor a bundle",
                    label="no `sma_flow` and no `sma_bundle`",
                    help="compile the flow; its prompts and tests are found from there",
                )
            )
    if bundles and bundles[0][1] is not None:
        listed = _listed(files, Path(bundles[0][0].path), bundles[0][1], None)
        files.given.sort(key=lambda path: listed.index(path) if path in listed else len(listed))
    flows = [flow for path in list(files.given) if (flow := files.flow(path)) is not None]
    _unique(files, flows)
    sources = {each.path: each.text for each in files.documents.values() if each is not None}
    document, bundle = bundles[0] if bundles else (None, None)
    return Loaded(tuple(flows), bundle, document, tuple(files.diagnostics), sources)


def _expand(files: _Files, paths: Sequence[Path]) -> list[Path]:
    """Folders as the flow and bundle files in them. A folder's bundle says which of its flows count."""
    out: list[Path] = []
    for path in paths:
        if not path.is_dir():
            out.append(path)
            continue
        here = [each for each in sorted(path.glob("*.yaml")) if each.is_file()]
        kinds = {each: document.kind if (document := files.peek(each)) else "unreadable" for each in here}
        bundles = [each for each in here if kinds[each] == "bundle"]
        out += bundles or [each for each in here if kinds[each] in ("flow", "unreadable")]
    return list(dict.fromkeys(out))


def _listed(files: _Files, path: Path, bundle: BundleModel, document: Document | None) -> list[Path]:
    """The flow files that a bundle names."""
    found = []
    for index, name in enumerate(bundle.flows):
        each = path.parent / name
        if each.is_file():
            found.append(each)
        elif document is not None:
            beside = sorted(other.name for other in path.parent.glob("*.yaml"))
            files.diagnostics.append(
                report(
                    "SF206",
                    document.span(("flows", index)),
                    f"the file '{name}' does not exist",
                    label="no such flow",
                    help=did_you_mean(name, beside) or "paths are relative to the bundle's file",
                )
            )
    return found


def _unique(files: _Files, flows: Sequence[ResolvedFlow]) -> None:
    seen: dict[str, ResolvedFlow] = {}
    for flow in flows:
        first = seen.setdefault(flow.name, flow)
        if first is not flow:
            files.diagnostics.append(
                report(
                    "SF231",
                    flow.span("name"),
                    f"another flow is called '{flow.name}' too",
                    label="second flow of this name",
                    help="give each flow a name of its own",
                    related=[(first.span("name"), "first flow of this name")],
                )
            )
