"""The house is in order: import directions, sizes, documents that tell the truth, nothing that does not belong here."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

import sma_flows
from sma_flows.compiler import check_paths
from sma_flows.compiler.parse import parse_flow
from sma_flows.compiler.verbs import BUILT_IN, OUTCOMES
from sma_flows.flow.codes import CODES
from sma_flows.flow.diagnostics import render_text
from sma_flows.flow.model import DialPolicy, FlowModel, HookModel, Retry, Route, UpdateModel
from sma_flows.flow.source import load_document
from sma_flows.flow.states import STATES, keys_of
from sma_flows.hooks.builtin import BUILTINS

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "sma_flows"
MODULES = sorted(SOURCE.rglob("*.py"))
MOST_LINES = 600

sys.path.insert(0, str(ROOT / "docs"))
generate = importlib.import_module("generate")

REQUIRED = {
    "README.md",
    "pyproject.toml",
    "template.yaml",
    "Makefile",
    "LICENSE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "src",
    "flows",
    "tests",
    "events",
    "docs",
    "benchmarks",
}
BUILT = {"build", "dist"}


def texts() -> Iterator[tuple[Path, str]]:
    """Every text file of the project that a person wrote or reads."""
    for top in sorted(REQUIRED | {".ci", ".gitignore"}):
        path = ROOT / top
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts and file.suffix not in {".wav", ".pyc"}:
                yield file.relative_to(ROOT), file.read_text("utf-8", errors="replace")


# ---- code ----------------------------------------------------------------------------------------------------------


def test_the_import_contracts_are_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("logging.config.dictConfig", lambda _: None)  # it would silence every logger of this process
    status = lint_imports(config_filename="pyproject.toml", no_cache=True)
    assert status == 0, capsys.readouterr().out


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_module_is_longer_than_600_lines(module: Path) -> None:
    assert len(module.read_text("utf-8").splitlines()) <= MOST_LINES


def test_the_top_level_holds_what_a_visitor_expects_and_nothing_else() -> None:
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - BUILT
    assert found == REQUIRED


def modules() -> list[str]:
    return [info.name for info in pkgutil.walk_packages(sma_flows.__path__, "sma_flows.")]


@pytest.mark.parametrize("name", modules())
def test_public_names_exist_are_sorted_and_are_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__ or not Path(str(module.__file__)).read_text("utf-8").strip(), f"{name} says nothing"
    public = getattr(module, "__all__", [])
    assert list(public) == sorted(public, key=_like_ruff)
    for each in public:
        value = getattr(module, each)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{name}.{each} has no docstring"


def _like_ruff(name: str) -> tuple[int, str]:
    """Constants, then classes, then functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_says_what_why_and_how(code: str) -> None:
    entry = CODES[code]
    assert re.fullmatch(r"SF[0-6]\d\d", code)
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", entry.name)
    assert all(text.strip() for text in (entry.title, entry.why, entry.bad, entry.good))
    assert entry.title.endswith(".")
    assert entry.bad != entry.good


# ---- nothing that does not belong here -----------------------------------------------------------------------------


def test_no_text_names_a_place_on_somebody_s_machine() -> None:
    place = re.compile(r"(?<![\w.$}~-])/(?:home|root|work|Users)/\w|\.\./shared(?!/corpus)")
    found = [f"{path}: {line.strip()}" for path, text in texts() for line in text.splitlines() if place.search(line)]
    assert found == []


def test_telephone_numbers_are_fictional() -> None:
    number = re.compile(r"\+1[2-9]\d{9}(?!\d)")
    found = {
        f"{path}: {match}"
        for path, text in texts()
        for match in number.findall(text)
        if not re.fullmatch(r"\+1\d{3}55501\d\d", match)
    }
    assert found == set()


def test_account_numbers_are_fictional() -> None:
    found = {
        f"{path}: {match}"
        for path, text in texts()
        for match in re.findall(r"arn:aws[\w-]*:[\w-]*:[\w-]*:(\d{12}):", text)
        if match not in {"111122223333", "123456789012"}
    }
    assert found == set()


def test_no_test_is_left_out_or_waits() -> None:
    word = re.compile(r"pytest\.(?:mark\.)?(?:skip|xfail|importorskip)|time\.sleep\(|except Exception:\s*pass")
    # The stand-ins need node, and say so where there is none; never on a machine that builds.
    free = {Path(__file__).name, "stand_ins.py"}
    found = [
        str(path)
        for path, text in texts()
        if path.parts[0] == "tests" and path.suffix == ".py" and path.name not in free and word.search(text)
    ]
    assert found == []


# ---- documents that tell the truth ---------------------------------------------------------------------------------


def test_generated_pages_and_blocks_are_fresh() -> None:
    assert generate.stale() == [], "run `make docs`"


def test_the_readme_shows_a_flow_its_replay_an_error_and_a_diagram() -> None:
    made_from = generate.blocks((ROOT / "README.md").read_text("utf-8"))
    for beginning in ("file flows/dial-in.yaml", "sma-flows replay", "sma-flows check", "sma-flows graph"):
        assert any(each.startswith(beginning) for each in made_from), beginning


def test_the_first_screen_says_what_it_is_how_to_try_it_and_how_the_service_stands() -> None:
    screen = "\n".join((ROOT / "README.md").read_text("utf-8").splitlines()[:65])
    for word in ("Amazon Chime SDK PSTN Audio", "make demo", "make test", "29 September 2026", "29 October 2026"):
        assert word in screen
    for word in ("maintenance mode", "new customers", "sma-flows replay", "next:"):
        assert word in screen


def flows_in(page: str) -> list[tuple[str, str]]:
    """The complete flows of a page, with a name for each."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    return [(f"{page}:{number}", text) for number, text in enumerate(blocks) if text.startswith("sma_flow:")]


@pytest.mark.parametrize(
    ("where", "text"), [*flows_in("README.md"), *flows_in("docs/language.md"), *flows_in("docs/services.md")]
)
def test_the_complete_flows_of_the_documents_compile(where: str, text: str, tmp_path: Path) -> None:
    prompts = set(re.findall(r"\b(?:say|menu|prompt|no_input|no_match|welcome): ([a-z_]+)\b", text))
    catalogue = "".join(f"  {name}: {{en-US: Words.}}\n" for name in sorted(prompts))
    for file in re.findall(r"^prompts: (\S+)", text, re.MULTILINE):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(
            f"sma_prompts: 1\ndefault: en-US\nlocales: {{en-US: {{voice: Joanna}}}}\nprompts:\n{catalogue}"
        )
    flow = tmp_path / "flow.yaml"
    flow.write_text(text)
    result = check_paths([flow])
    errors = [one for one in result.diagnostics if one.severity == "error"]
    assert errors == [], f"{where}\n{render_text(errors, result.sources)}"


FLOW_KEYS = {field.alias or name for name, field in FlowModel.model_fields.items()}


def fragments_in(page: str) -> list[tuple[str, str]]:
    """The pieces of flows on a page, each put into the smallest flow around it."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    found = []
    for number, text in enumerate(blocks):
        key = text.partition(":")[0]
        if key.startswith("sma_"):
            continue
        head = "sma_flow: 1\nname: x\nentry: inbound\n"
        states = "start: there\nstates:\n  there:\n    wait: 1s\n    next: hangup\n"
        if key in FLOW_KEYS:
            whole = f"{head}{text}{states}"
        elif key in ("keys", "retry"):
            asks = "menu: words\n" if key == "keys" else "gather: pin\nprompt: words\n"
            whole = f"{head}{states}  piece:\n{textwrap.indent(asks + text, '    ')}"
        elif re.match(r"\w+:\n  \w", text):
            whole = f"{head}{states}{textwrap.indent(text, '  ')}"
        else:
            continue
        found.append((f"{page}:{number} {key}", whole))
    return found


@pytest.mark.parametrize(("where", "text"), [*fragments_in("docs/language.md"), *fragments_in("docs/services.md")])
def test_the_pieces_of_flows_in_the_guide_can_be_read(where: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "piece.yaml"
    path.write_text(text)
    document, found = load_document(path)
    assert document is not None
    found += parse_flow(document)[1]
    assert [one for one in found if one.severity == "error"] == [], f"{where}\n{render_text(found, {str(path): text})}"


def test_the_guide_has_pieces_of_many_kinds() -> None:
    assert len(fragments_in("docs/language.md")) >= 12


def section(page: str, title: str) -> str:
    """The text below one heading of a page."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    found = re.search(rf"^(#+) {re.escape(title)}$(.*?)(?=^\1 |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"{page} has no heading '{title}'"
    return found[2]


@pytest.mark.parametrize("verb", sorted(STATES))
def test_the_guide_describes_every_verb_with_its_keys_and_outcomes(verb: str) -> None:
    verbs = section("language.md", "7. Verbs")
    row = next((line for line in verbs.splitlines() if line.startswith(f"| **`{verb}`**")), "")
    assert row, f"docs/language.md has no row for '{verb}'"
    common = {"say", "play", "next", "visits", verb, "leg", "locale", "while", "at_most"}
    missing = [key for key in keys_of(verb) if key not in common and f"`{key}`" not in row]
    missing += [outcome for outcome in OUTCOMES[verb] if f"`{outcome}`" not in row]
    assert missing == []


@pytest.mark.parametrize(("verb", "outcome"), sorted(BUILT_IN))
def test_the_guide_shows_the_built_in_answers(verb: str, outcome: str) -> None:
    row = next(line for line in section("language.md", "7. Verbs").splitlines() if line.startswith(f"| **`{verb}`**"))
    assert f"`{outcome}` (= {BUILT_IN[verb, outcome]})" in row


def test_the_guide_names_every_key_of_flows_hooks_updates_policies_retries_and_routes() -> None:
    text = (ROOT / "docs" / "language.md").read_text("utf-8")
    fields = {
        field.alias or name
        for model in (FlowModel, HookModel, UpdateModel, DialPolicy, Retry, Route)
        for name, field in model.model_fields.items()
    } - {"long"}
    assert [name for name in sorted(fields) if not re.search(rf"\b{name}:|`{name}`", text)] == []


def test_the_guide_names_every_built_in_hook() -> None:
    text = section("language.md", "12. Hooks")
    assert [name for name in BUILTINS if f"`{name}`" not in text] == []


def pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "flows").rglob("*.md")])


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{target} in {page.name}"
        if anchor and there.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", there.read_text("utf-8"), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, f"{target} in {page.name}"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_page_of_the_documentation_is_in_its_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    found = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert [name for name in sorted(found) if f"({name})" not in index] == []


def test_decisions_have_numbers_of_their_own_and_titles() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [path.name[:4] for path in records if path.name != "README.md"]
    assert len(numbers) == len(set(numbers)) > 0
    for path in records:
        if path.name != "README.md":
            assert re.match(rf"# {path.name[:4]} \S", path.read_text("utf-8")), path.name


def test_the_errata_point_to_files_that_exist() -> None:
    text = (ROOT / "docs" / "errata.md").read_text("utf-8")
    named = set(re.findall(r"`((?:protocol|runtime|compiler|services|flow|hooks)/[\w/.]*)`", text))
    assert named
    assert [each for each in sorted(named) if not (SOURCE / each).exists()] == []


def test_the_changelog_knows_this_version() -> None:
    assert f"## {sma_flows.__version__} " in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f'version = "{sma_flows.__version__}"' in (ROOT / "pyproject.toml").read_text("utf-8")


# ---- commands of the repository ------------------------------------------------------------------------------------


def test_the_ci_script_is_a_valid_executable_bash_script() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    checked = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "make --no-print-directory test" in script.read_text("utf-8")


def test_every_make_target_of_the_documents_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {
        name for page in pages() for name in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert {"demo", "test", "check", "docs"} <= named <= targets


def test_make_demo_replays_the_dial_in_call() -> None:
    plan = subprocess.run(["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert plan.returncode == 0
    assert "sma-flows replay flows/dial-in.yaml events/dial-in/" in plan.stdout
