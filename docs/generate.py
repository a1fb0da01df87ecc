"""Write what is generated: ``docs/rules.md``, ``docs/fidelity.md``, ``docs/faults.md``, blocks of README.md, the
template's permissions.

``python docs/generate.py`` writes, ``python docs/generate.py --check`` says what is stale and ends with 1. A block
looks like this, and holds what its command prints::

    <!-- generated: sma-flows explain SF201 -->
    <!-- end -->

Instead of a command a block may quote a file (``file flows/dial-in.yaml``) or some of its lines, from the first that
contains one text to the last before one that contains another (``file flows/dial-in.yaml "start:" .. "spanish:"``),
or to the end of the file (``file flows/dial-in.yaml "start:"``).
A command may be followed by ``; lines 4`` (only the first four, and an ellipsis) or by
``; after FILE: "old" -> "new"`` (once or several times): it then runs on a copy of the repository's flows in which
FILE was edited.

A page of steps (``docs/first-call.md``) is walked through from top to bottom in one empty folder::

    <!-- walk: write FILE -->                     the fenced block that follows becomes FILE
    <!-- walk: edit FILE: "old" -> "new" -->      FILE is changed
    <!-- walk: sma-flows test x.yaml; exit 1 -->  the command runs and must end with 1 (default 0); its output follows
    <!-- walk: sma-flows phone x.yaml < 1 | hangup -->   the same, with these lines typed
    <!-- walk: cat FILE -->                       what FILE holds now
"""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import sys
import tempfile
from contextlib import chdir
from pathlib import Path

from click.testing import CliRunner

from sma_flows.cli import codes, fidelity
from sma_flows.cli.app import cli
from sma_flows.cli.load import load_plan
from sma_flows.deploy.policy import policy_of, web_policy
from sma_flows.deploy.template import HANDLER, WEB_HANDLER, read_template
from sma_flows.flow.codes import CODES
from sma_flows.simulator.fidelity import ledger
from sma_flows.web.api import document

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md",)
WALKS = (ROOT / "docs" / "first-call.md",)
TEMPLATE = ROOT / "template.yaml"
WHOLE = {
    ROOT / "docs" / "rules.md": lambda: codes.markdown(CODES.values()),
    ROOT / "docs" / "fidelity.md": lambda: fidelity.markdown(ledger()),
    ROOT / "docs" / "faults.md": lambda: runpy.run_path(str(ROOT / "tests/services/fault_calls.py"))["table"](),
    ROOT / "docs" / "click-to-call.openapi.json": document,
    TEMPLATE: lambda: with_policy(TEMPLATE.read_text("utf-8")),
}
"""Pages that are generated from beginning to end, and the template, which holds its permissions between two marks."""

_BLOCK = re.compile(r"(?P<head><!-- generated: (?P<what>.*?) -->\n)(?P<body>.*?)(?P<tail><!-- end -->)", re.DOTALL)
_STEP = re.compile(
    r"(?P<head><!-- walk: (?P<what>.*?) -->\n)"
    r"(?:(?P<made>(?:(?!<!-- walk:).)*?)(?P<tail><!-- end -->)|```\w*\n(?P<given>.*?)```\n)?",
    re.DOTALL,
)
_POLICY = re.compile(
    r"(?P<head> +# generated: sma-flows policy flows --template template.yaml(?P<web> --web)?\n).*?"
    r"(?P<tail> +# end of generated)",
    re.DOTALL,
)
_PASSING = re.compile(r" *\d+\.\d\d ms|(?<= played in )\d+\.\d s|(?<=\(revision )[0-9a-f]{12}(?=\))")


def lasting(text: str) -> str:
    """The text without the times of steps, which differ from run to run, and without revisions of flows."""
    return _PASSING.sub("", text)


def rendered(page: str) -> str:
    """A page with all its blocks made anew."""
    return _BLOCK.sub(lambda block: block["head"] + _body(block["what"]) + block["tail"], page)


def with_policy(text: str) -> str:
    """The template with the permissions that its functions need with the values that it gives them."""

    def lines(web: bool) -> list[str]:
        values = read_template(TEMPLATE, WEB_HANDLER if web else HANDLER).values()
        policy = web_policy(values) if web else policy_of(load_plan(str(ROOT / "flows")), values)
        name = f"- PolicyName: {'web' if web else 'flows'}"
        head = [name, "  PolicyDocument:", '    Version: "2012-10-17"', "    Statement:"]
        return [" " * 8 + line for line in head] + policy.yaml(14)

    return _POLICY.sub(lambda block: block["head"] + "\n".join(lines(bool(block["web"]))) + "\n" + block["tail"], text)


def blocks(page: str) -> list[str]:
    """What the blocks of a page are made from."""
    return [block["what"] for block in _BLOCK.finditer(page)]


def stale() -> list[str]:
    """The files whose generated parts are not what they should be."""
    found = [
        str(page.relative_to(ROOT))
        for page in PAGES
        if lasting(rendered(text := page.read_text("utf-8"))) != lasting(text)
    ]
    found += [
        str(page.relative_to(ROOT))
        for page in WALKS
        if lasting(walked(text := page.read_text("utf-8"))) != lasting(text)
    ]
    found += [
        str(page.relative_to(ROOT))
        for page, written in WHOLE.items()
        if not page.exists() or page.read_text("utf-8") != written()
    ]
    return found


def walked(page: str) -> str:
    """A page of steps, with what each command prints made anew."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        return _STEP.sub(_walk, page)


def _walk(step: re.Match[str]) -> str:
    what, given = step["what"], step["given"]
    if what.startswith("write "):
        Path(what.removeprefix("write ")).write_text(given, encoding="utf-8")
        return step[0]
    if what.startswith("edit "):
        file, old, new = re.fullmatch(r'edit (\S+): "(.*)" -> "(.*)"', what).groups()
        text = Path(file).read_text("utf-8")
        if old not in text:
            raise ValueError(f"{file} does not contain {old!r}")
        Path(file).write_text(text.replace(old, new, 1), encoding="utf-8")
        return step[0]
    if what.startswith("cat "):
        return f"{step['head']}```yaml\n{Path(what.removeprefix('cat ')).read_text('utf-8')}```\n{step['tail']}"
    command, _, code = what.partition("; exit ")
    command, _, typed = command.partition(" < ")
    keyed = "".join(f"{line.strip()}\n" for line in typed.split("|")) if typed else ""
    result = CliRunner().invoke(cli, shlex.split(command)[1:], prog_name="sma-flows", input=keyed)
    if result.exit_code != int(code or 0):
        raise ValueError(f"{command} ended with {result.exit_code}: {result.output}")
    shown = "printf '" + keyed.replace("\n", "\\n") + f"' | {command}" if keyed else command
    return f"{step['head']}```\n$ {shown}\n{result.output.strip()}\n```\n{step['tail']}"


def _body(what: str) -> str:
    first, *rest = [part.strip() for part in what.split(";")]
    if first.startswith("file "):
        words = shlex.split(first)[1:]
        text, language = _quoted_file(words), {".py": "python"}.get(Path(words[0]).suffix, "yaml")
    else:
        text, language = _printed(first, [part for part in rest if part.startswith("after ")]), ""
        if first.startswith("sma-flows graph"):
            language = "mermaid"
    for part in rest:
        if part.startswith("lines "):
            lines = text.splitlines()
            most = int(part.removeprefix("lines "))
            text = "\n".join([*lines[:most], "..."] if len(lines) > most else lines)
    shown = "" if language else f"$ {first}\n"
    return f"```{language}\n{shown}{text.rstrip()}\n```\n"


def _quoted_file(words: list[str]) -> str:
    lines = (ROOT / words[0]).read_text("utf-8").splitlines()
    if len(words) == 1:
        return "\n".join(lines)
    begin, end = words[1], words[3] if len(words) > 3 else None
    start = next(index for index, line in enumerate(lines) if begin in line)
    stop = next((index for index, line in enumerate(lines) if end and index > start and end in line), len(lines))
    return "\n".join(lines[start:stop])


def _printed(command: str, edits: list[str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        place = ROOT
        if edits:
            place = Path(folder)
            shutil.copytree(ROOT / "flows", place / "flows")
        for edit in edits:
            file, old, new = re.fullmatch(r'after (\S+): "(.*)" -> "(.*)"', edit).groups()
            text = (place / file).read_text("utf-8")
            if old not in text:
                raise ValueError(f"{file} does not contain {old!r}")
            (place / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        words = []
        with chdir(place):
            for word in shlex.split(command)[1:]:
                words += sorted(str(path) for path in Path().glob(word)) if "*" in word else [word]
            result = CliRunner().invoke(cli, words, prog_name="sma-flows")
    if result.exit_code == 2:
        raise ValueError(f"{command}: {result.output}")
    return result.stdout


def main() -> None:
    """Write or check, as the command line says."""
    if "--check" in sys.argv[1:]:
        found = stale()
        if found:
            sys.exit(f"stale: {', '.join(found)}; run `make docs`")
        return
    for page in PAGES:
        text = page.read_text("utf-8")
        made = rendered(text)
        if lasting(made) != lasting(text):
            page.write_text(made, encoding="utf-8")
    for page in WALKS:
        text = page.read_text("utf-8")
        made = walked(text)
        if lasting(made) != lasting(text):
            page.write_text(made, encoding="utf-8")
    for page, written in WHOLE.items():
        page.write_text(written(), encoding="utf-8")


if __name__ == "__main__":
    main()
