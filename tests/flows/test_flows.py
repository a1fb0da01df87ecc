"""The flows as a team finds them: short, clean, complete in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from sma_flows.compiler import compile_paths
from sma_flows.protocol.check import schema

from .desk import FLOW_NAMES, FLOWS, local_values, plan_of

LONGEST = {"dial-in": 50, "front-desk": 75}
"""Most significant lines: neither blank nor comment."""

CATALOGUES = sorted((FLOWS / "prompts").glob("*.yaml"))
PHONE = re.compile(r"\+1[0-9]{10}")


def plain(path: Path) -> dict:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


@pytest.mark.parametrize("name", LONGEST)
def test_a_flow_fits_on_a_page(name: str) -> None:
    lines = (FLOWS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    significant = [line for line in lines if line.strip() and not line.strip().startswith("#")]
    assert len(significant) <= LONGEST[name]


@pytest.mark.parametrize("place", [*(f"{name}.yaml" for name in FLOW_NAMES), "bundle.yaml", "."])
def test_everything_compiles_without_an_error_or_a_warning(place: str) -> None:
    result = compile_paths([FLOWS / place])
    assert [
        f"{found.span.file}:{found.span.line} {found.message}"
        for found in result.diagnostics
        if found.severity != "note"
    ] == []
    assert result.plan is not None


def test_the_bundle_holds_all_six_and_a_route_to_each() -> None:
    plan = plan_of("bundle")
    assert set(plan.flows) == set(FLOW_NAMES)
    assert {route["flow"] for route in plan.routes} == set(FLOW_NAMES)


def test_local_env_has_exactly_the_values_that_the_flows_read() -> None:
    wanted: set[str] = set()
    for name in (*FLOW_NAMES, "bundle"):
        for flow in plan_of(name).revisions.values():
            wanted |= {*flow["env"].get("required", ()), *flow["env"].get("optional", ())}
    routes = {route["to"][1] for route in plan_of("bundle").routes if "to" in route}
    assert set(local_values()) == wanted | routes


@pytest.mark.parametrize("name", FLOW_NAMES)
def test_a_plan_needs_little_room_in_the_call(name: str) -> None:
    flow = plan_of(name).flow(name)
    assert flow["facts"]["attributes_bytes"] <= 16_000
    assert flow["facts"]["longest_list"] <= 10


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_every_prompt_exists_in_english_and_spanish(path: Path) -> None:
    catalogue = plain(path)
    assert set(catalogue["locales"]) == {"en-US", "es-US"}
    for name, entry in catalogue["prompts"].items():
        assert set(entry) in ({"en-US", "es-US"}, {"audio"}), name


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_both_languages_insert_the_same_values(path: Path) -> None:
    for name, entry in plain(path)["prompts"].items():
        texts = [text["ssml"] if isinstance(text, dict) else text for where, text in entry.items() if where != "audio"]
        inserted = [sorted(re.findall(r"\{([^}]*)\}", text)) for text in texts]
        assert all(one == inserted[0] for one in inserted), name


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_the_two_languages_are_not_copies(path: Path) -> None:
    same = [name for name, entry in plain(path)["prompts"].items() if entry.get("en-US", "en") == entry.get("es-US")]
    assert same == []


@pytest.mark.parametrize("name", FLOW_NAMES)
def test_every_prompt_is_used(name: str) -> None:
    text = (FLOWS / f"{name}.yaml").read_text(encoding="utf-8")
    body = text.split("\ndefaults:", 1)[1]
    unused = [prompt for prompt in plain(FLOWS / "prompts" / f"{name}.yaml")["prompts"] if f": {prompt}" not in body]
    assert unused == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_the_voices_exist(path: Path) -> None:
    voices = schema("actions")["$defs"]["VoiceId"]["enum"]
    assert {voice["voice"] for voice in plain(path)["locales"].values()} <= set(voices)


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_every_audio_file_of_a_catalogue_lies_in_the_folder(path: Path) -> None:
    named = [entry["audio"] for entry in plain(path)["prompts"].values() if "audio" in entry]
    assert [file for file in named if not (FLOWS / "audio" / file).is_file()] == []


def test_no_number_account_or_bucket_is_written_into_a_flow() -> None:
    for path in FLOWS.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert not PHONE.search(text), path
        assert "arn:" not in text, path


def test_every_number_in_the_folder_is_fictional() -> None:
    for path in FLOWS.rglob("*"):
        if path.suffix in {".py", ".env", ".yaml", ".md"}:
            numbers = PHONE.findall(path.read_text(encoding="utf-8"))
            assert [number for number in numbers if number[5:8] != "555" or number[8:10] != "01"] == [], path


def test_the_overview_names_every_flow() -> None:
    text = (FLOWS / "README.md").read_text(encoding="utf-8")
    assert [name for name in FLOW_NAMES if f"[{name}]({name}.yaml)" not in text] == []
