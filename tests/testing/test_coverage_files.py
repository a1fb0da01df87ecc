"""What coverage is written to: pages for a browser, LCOV, and calls to be copied."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from sma_flows.cli.app import cli
from sma_flows.testing import read_calls
from sma_flows.testing.coverage import Coverage, FlowCoverage
from sma_flows.testing.coverage.lcov import lcov
from sma_flows.testing.coverage.page import page_of, write_pages

from .test_coverage import folder, of  # noqa: F401 (a fixture, and how a call is played)


@pytest.fixture
def flows(folder: Path) -> list[FlowCoverage]:  # noqa: F811
    return list(of(folder, {"press": "1234"}, {"speak": "5s"}).values())


class _Pages(HTMLParser):
    """Elements that are open at the end, links, and everything that a browser would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a":
            self.links.append(str(given["href"]))
        self.fetched += [str(given[name]) for name in ("src", "data") if name in given]
        if tag in ("script", "link", "iframe", "img"):
            self.fetched.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_pages_are_whole_link_to_each_other_and_fetch_nothing(flows: list[FlowCoverage], tmp_path: Path) -> None:
    index = write_pages(flows, tmp_path / "out")
    written = {path.name for path in index.parent.iterdir()}
    assert written == {"index.html", "line.html", "message.html"}
    for path in index.parent.iterdir():
        page = _Pages(path.read_text("utf-8"))
        assert (page.open, page.fetched) == ([], [])
        assert {link for link in page.links if not link.startswith("#")} <= written


def test_a_page_holds_figures_diagram_what_is_missing_and_every_line(flows: list[FlowCoverage]) -> None:
    page = page_of(flows[0], flows)
    assert f">{flows[0].figures['states']} · {flows[0].figures['states'].percent:.0f} %<" in page
    assert '<g id="talk" class="missed"' in page
    assert "- call: &quot;look: wrong -&gt; ask&quot;" in page
    source = re.findall(r'<tr id="L(\d+)" class="(\w+)">', page)
    lines = Path(flows[0].file).read_text("utf-8").splitlines()
    assert [int(number) for number, _ in source] == list(range(1, len(lines) + 2))
    kinds = {lines[int(number) - 1].strip(): kind for number, kind in source[:-1]}
    assert kinds["start: hello"] == "seen"
    assert kinds["talk:"] == "missed"
    assert kinds["vars: {number: digits(4), name: text}"] == "none"


def test_lcov_adds_up(flows: list[FlowCoverage]) -> None:
    records = [record.splitlines() for record in lcov(flows).split("end_of_record\n") if record]
    assert len(records) == 2
    for flow, record in zip(flows, records, strict=True):
        fields: dict[str, list[str]] = {}
        for line in record:
            key, _, value = line.partition(":")
            fields.setdefault(key, []).append(value)
        figures = flow.figures
        assert fields["SF"] == [flow.file]
        assert (fields["FNH"], fields["FNF"]) == ([str(figures["states"].visited)], [str(figures["states"].total)])
        assert (fields["BRH"], fields["BRF"]) == (
            [str(figures["transitions"].visited)], [str(figures["transitions"].total)],
        )  # fmt: skip
        assert len({tuple(each.split(",")[1:3]) for each in fields["BRDA"]}) == len(fields["BRDA"])
        hit = [each for each in fields["DA"] if not each.endswith(",0")]
        assert (fields["LF"], fields["LH"]) == ([str(len(fields["DA"]))], [str(len(hit))])
        taken = {each.rpartition(",")[2] for each in fields["BRDA"]}
        assert taken <= {"-", "0", "1"}


def test_a_branch_of_a_state_that_nobody_entered_is_not_taken_and_not_refused(flows: list[FlowCoverage]) -> None:
    talk = next(one.item.span.line for one in flows[0].items if one.item.state == "talk" and one.item.kind == "key")
    assert re.search(rf"^BRDA:{talk},\d+,\d+,-$", lcov(flows), re.MULTILINE)


def test_calls_to_be_copied_are_calls(folder: Path) -> None:  # noqa: F811
    coverage = Coverage()
    coverage.expect(folder / "line.yaml")
    blocks = [
        advice.yaml(str(one.item))
        for flow in coverage.flows()
        for one in flow.items
        if (advice := flow.advice(one.item)) is not None
    ]
    text = f"flow: {folder}/line.yaml\ncalls:\n" + "\n".join(blocks) + "\n"
    file, found = read_calls(text, "x.calls.yaml")
    assert file is not None, found
    assert len(file.calls) == len(blocks) == len(yaml.safe_load(text)["calls"])


def test_the_command_writes_pages_and_lcov(folder: Path) -> None:  # noqa: F811
    calls = folder / "line.calls.yaml"
    calls.write_text(
        'flow: line.yaml\nenv: {DESK: "+12065550150", BOX: box}\nstub: {check: raises}\ncalls: [{call: x}]\n'
    )
    out = folder / "out"
    options = ["--coverage-html", str(out), "--lcov", str(out / "more" / "flows.info")]
    result = CliRunner().invoke(cli, ["test", str(calls), *options])
    assert result.exit_code == 0, result.output
    assert (out / "index.html").is_file()
    assert (out / "more" / "flows.info").read_text("utf-8").startswith(f"TN:\nSF:{folder}/line.yaml\n")
    (folder / "taken").write_text("a file")
    refused = CliRunner().invoke(cli, ["test", str(calls), "--lcov", str(folder / "taken" / "x")])
    assert (refused.exit_code, "cannot be written" in refused.output) == (2, True)
