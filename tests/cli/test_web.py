"""``sma-flows web`` as people run it: a process, a page's requests, Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sma_flows.cli.app import cli
from sma_flows.web.page import HEADERS
from sma_flows.web.page.bundle import digest

from .test_serve import environment

FLOWS = Path(__file__).parents[2] / "flows"
DEADLINE_S = 60.0


@contextmanager
def web(*words: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own; it is ended with the block."""
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; from sma_flows.cli.app import run; run()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "web", str(FLOWS / "web-call.yaml"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ask(method: str, url: str, body: Any = None, token: str = "") -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_one_command_has_somebody_called_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<h1>Call me</h1>")
    settings = ("--speed", "10", "--set", "PER_USER=1/1d", "--party", '+12065550150={answers: 1s, presses: {6s: "1"}}')
    with web("--json", "--page", str(tmp_path), *settings) as process:
        assert process.stdout is not None
        hello = json.loads(process.stdout.readline())
        url = hello["url"]
        token = ask("POST", f"{url}/local/token")[1]["token"]
        body = {"request": str(uuid.uuid4()), "to": "+12065550150", "name": "Ana", "language": "en-US"}
        status, made = ask("POST", f"{url}/calls", body, token)
        assert status == 201
        until = time.monotonic() + DEADLINE_S
        while (state := ask("GET", f"{url}/calls/{made['call']}", token=token)[1])["state"] != "talking":
            assert time.monotonic() < until, state
        assert ask("GET", f"{hello['service']}/_sma/calls")[1][0]["joined"]
        assert ask("POST", f"{url}/calls", {**body, "request": str(uuid.uuid4())}, token)[0] == 429
        assert ask("DELETE", f"{url}/calls/{made['call']}", token=token)[0] == 204
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as page:
            assert page.read() == b"<h1>Call me</h1>"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, err
        lines = [json.loads(line)["line"] for line in out.splitlines()]
        assert any("hears offer" in line for line in lines)
        assert "+12065550150" not in out
        assert err == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["no-such.yaml"], "there is no file or folder"),
        ([str(FLOWS / "click-to-call.yaml")], "the plan has no flow 'web-call'"),
        ([str(FLOWS / "web-call.yaml"), "--set", "PER_USER"], "write NAME=VALUE"),
        ([str(FLOWS / "web-call.yaml"), "--set", "PER_USER=many"], "write a number and a time"),
        ([str(FLOWS / "web-call.yaml"), "--party", "+12065550150"], "--party"),
        ([str(FLOWS / "web-call.yaml"), "--number", "12"], "--number 12"),
    ],
)
def test_wrong_usage_says_what_to_type(words: list[str], says: str) -> None:
    done = CliRunner().invoke(cli, ["web", *words])
    assert (done.exit_code, says in done.stderr) == (2, True), done.stderr


def test_a_taken_port_is_wrong_usage() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = CliRunner().invoke(cli, ["web", str(FLOWS / "web-call.yaml"), "--port", str(port)])
    assert done.exit_code == 2
    assert f"port {port} cannot be used" in done.stderr


def test_the_page_is_served_with_the_headers_it_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "cache" / "sma-flows" / f"page-{digest()}"
    made.mkdir(parents=True)
    for name, text in (("page.js", "// made"), ("licences.txt", "all"), ("digest", digest())):
        (made / name).write_text(text)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with web("--json") as process:
        assert process.stdout is not None
        hello = json.loads(process.stdout.readline())
        assert hello["page"] is True
        with urllib.request.urlopen(hello["url"] + "/", timeout=DEADLINE_S) as answer:
            assert "Call me" in answer.read().decode()
            assert HEADERS.items() <= {name.title(): value for name, value in answer.headers.items()}.items()
        config = ask("GET", hello["url"] + "/config.json")[1]
        assert (config["api"], config["languages"]) == ("", ["en-US", "es-US"])
        assert ask("POST", hello["url"] + config["token"])[1]["token"]


def test_without_node_there_is_the_api_and_a_word_about_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with web("--json") as process:
        assert process.stdout is not None
        hello = json.loads(process.stdout.readline())
        assert hello["page"] is False
        assert ask("POST", hello["url"] + "/local/token")[0] == 200
        process.send_signal(signal.SIGINT)
        said = " ".join(process.communicate(timeout=DEADLINE_S)[1].split())
        assert "There is no page, only the API: the page is made with Node.js 20 or later and npm" in said
