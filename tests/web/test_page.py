"""The files of the page, without a browser: what is in them, what is not, and how page.js comes to be."""

from __future__ import annotations

import json
import re
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import sma_flows.web
from sma_flows.cli.app import cli
from sma_flows.web.calls import OUTCOMES
from sma_flows.web.page import CHIME, HEADERS, LOCAL, PageError, policy, write
from sma_flows.web.page.bundle import SOURCES, BundleError, bundle, digest, find, make

ROOT = Path(__file__).resolve().parents[2]
WEB = Path(sma_flows.web.__file__).parent
CLIENT = WEB / "page" / "client"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page.js that was made before; its contents do not matter here."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "sma-flows" / f"page-{digest()}"
    folder.mkdir(parents=True)
    (folder / "page.js").write_text("// made\n")
    (folder / "licences.txt").write_text("of what is in it\n")
    (folder / "digest").write_text(digest())
    return folder


def programs(folder: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    """The only programs on PATH."""
    folder.mkdir(exist_ok=True)
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{folder}")


# ---- what is written -----------------------------------------------------------------------------------------------


def test_the_page_is_written_with_where_its_api_is(script: Path, tmp_path: Path) -> None:
    files = write(
        tmp_path / "site", script, api="https://api.example.com/", token="/session/token", languages=["en-US", "es-US"]
    )
    assert files == sorted(path.name for path in (tmp_path / "site").iterdir())
    assert files == ["config.json", "icon.svg", "index.html", "licences.txt", "page.css", "page.js"]
    told = json.loads((tmp_path / "site" / "config.json").read_text())
    assert told == {"api": "https://api.example.com", "token": "/session/token", "languages": ["en-US", "es-US"]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"api": "api.example.com"},
        {"api": "http://api.example.com"},
        {"api": "https://api.example.com/prod"},
        {"api": "https://*"},
        {"api": "https://api.example.com; script-src *"},
        {"api": 'https://a"onload="x'},
        {"token": "https://elsewhere.example/token"},
        {"token": "//elsewhere.example/token"},
        {"token": "token"},
        {"languages": []},
    ],
    ids=lambda wrong: "-".join(f"{name}-{value}" for name, value in wrong.items()),
)
def test_addresses_that_are_none_are_refused_before_anything_is_written(
    script: Path, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    usual: dict[str, Any] = {"api": "https://api.example.com", "token": "/token", "languages": ["en-US"]}
    with pytest.raises(PageError):
        write(tmp_path / "site", script, **{**usual, **wrong})
    assert not (tmp_path / "site").exists()


def test_the_policy_is_strict_and_lets_the_page_reach_api_and_meetings() -> None:
    rules = dict(rule.split(" ", 1) for rule in policy(["https://api.example.com", *CHIME]).split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert rules["connect-src"] == "'self' https://api.example.com https://*.chime.aws wss://*.chime.aws"
    assert not re.search(r"unsafe|data:|(?<![:.])\*(?!\.)", " ".join(rules.values()))
    assert HEADERS["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert "connect-src 'self' ws://127.0.0.1:*;" in policy(LOCAL)


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_nothing_in_the_page_is_inline_or_from_elsewhere(script: Path, tmp_path: Path) -> None:
    write(tmp_path, script, token="/token", languages=["en-US"])
    parser = Elements()
    parser.feed((tmp_path / "index.html").read_text())
    assert parser.found[3][1]["http-equiv"] == "Content-Security-Policy", "it must come before what it rules"
    for tag, attributes in parser.found:
        assert tag != "style"
        assert not {name for name in attributes if name.startswith("on") or name == "style"}
        assert tag != "script" or attributes.get("src") == "page.js"
        for name in ("src", "href"):
            assert "//" not in (attributes.get(name) or ""), (tag, attributes)


# ---- words ---------------------------------------------------------------------------------------------------------


def table(name: str) -> dict[str, str]:
    """A table of words.ts."""
    text = (CLIENT / "words.ts").read_text("utf-8")
    body = re.search(rf"export const {name}: Record<.*?> = \{{\n(.*?)\n\}};", text, re.S)
    assert body is not None
    return dict(re.findall(r"^  (\w+): \"(.*)\",$", body[1], re.M))


def codes() -> set[str]:
    """Every word with which the API refuses."""
    found = {"internal"}
    for path in WEB.glob("*.py"):
        text = path.read_text("utf-8")
        found |= set(re.findall(r'RefusedError\(\s*\d+,\s*"(\w+)"', text))
        found |= set(re.findall(r'"error": "(\w+)"', text))
    assert 'f"too_many_for_{what}"' in (WEB / "calls.py").read_text("utf-8")
    assert 'f"call_{status.state}"' in (WEB / "calls.py").read_text("utf-8")
    return (
        found | {f"too_many_for_{what}" for what in ("user", "destination", "tenant")} | {"call_ringing", "call_ended"}
    )


def test_the_page_has_words_for_every_refusal_of_the_api_and_for_no_other() -> None:
    assert set(table("REFUSED")) == codes()
    assert set(table("FIELD")) < codes()
    assert all(words.endswith(".") for words in table("REFUSED").values())


def test_the_page_has_words_for_every_way_a_call_ends() -> None:
    assert set(table("OUTCOME")) == {*OUTCOMES, "hung_up", "lost"}


# ---- page.js -------------------------------------------------------------------------------------------------------


def test_the_lock_file_names_versions_and_digests_and_no_host() -> None:
    lock = json.loads((CLIENT / "package-lock.json").read_text())
    packages = {name: about for name, about in lock["packages"].items() if name}
    assert {"node_modules/amazon-chime-sdk-js", "node_modules/esbuild"} < set(packages)
    assert all(about["integrity"].startswith("sha512-") for about in packages.values())
    assert not any("resolved" in about for about in packages.values())
    assert {path.name for path in CLIENT.glob("*.ts")} < set(SOURCES)


def test_page_js_is_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    told: list[str] = []
    made = "/bin/mkdir dist && echo made > dist/page.js && echo all > dist/licences.txt && /bin/ls > dist/had"
    programs(tmp_path / "bin", monkeypatch, npm="exit 0", node=made)
    assert find() is None
    folder = bundle(told.append)
    assert (folder / "page.js").read_text() == "made\n"
    assert set(SOURCES) <= set((folder / "had").read_text().split())
    assert told == ["Making the page with npm. This happens once."]
    programs(tmp_path / "bin", monkeypatch, npm="exit 1", node="exit 1")
    assert bundle(told.append) == folder
    assert len(told) == 1
    (folder / "digest").write_text("of other sources")
    assert find() is None


def test_without_node_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    programs(tmp_path / "bin", monkeypatch)
    with pytest.raises(BundleError, match=r"Node\.js 20 or later and npm, and there is no node here"):
        bundle()


def test_when_npm_fails_its_last_words_are_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(tmp_path / "bin", monkeypatch, npm="echo nobody answers >&2; exit 1", node="exit 0")
    with pytest.raises(BundleError, match=r"`npm ci` failed:\nnobody answers"):
        make(tmp_path / "made")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin"]


# ---- the commands --------------------------------------------------------------------------------------------------


def test_the_command_writes_the_page_in_the_languages_of_the_flow(script: Path, tmp_path: Path) -> None:
    words = ["page", str(ROOT / "flows" / "web-call.yaml"), "-o", str(tmp_path / "site"), "--token", "/session/token"]
    done = CliRunner().invoke(cli, [*words, "--api", "https://api.example.com", "--to", "+12065550150", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["headers"] == dict(HEADERS)
    told = json.loads((tmp_path / "site" / "config.json").read_text())
    assert (told["languages"], told["to"]) == (["en-US", "es-US"], "+12065550150")
    assert "wss://*.chime.aws" in (tmp_path / "site" / "index.html").read_text()


@pytest.mark.parametrize(
    ("flow", "api", "told"),
    [
        ("dial-in.yaml", "https://api.example.com", "the plan has no flow 'web-call'"),
        ("web-call.yaml", "api.example.com", "api.example.com is no address of an API"),
    ],
)
def test_the_command_says_what_is_wrong(script: Path, tmp_path: Path, flow: str, api: str, told: str) -> None:
    words = ["page", str(ROOT / "flows" / flow), "-o", str(tmp_path / "site"), "--token", "/t", "--api", api]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2
    assert told in done.output
    assert not (tmp_path / "site").exists()


def test_the_command_fails_where_page_js_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    programs(tmp_path / "bin", monkeypatch)
    words = ["page", str(ROOT / "flows" / "web-call.yaml"), "-o", str(tmp_path / "site"), "--token", "/t"]
    done = CliRunner().invoke(cli, [*words, "--api", "https://api.example.com"])
    assert done.exit_code == 1
    assert "there is no node here" in done.output
