"""The API on localhost: as strict in front of the function as API Gateway with its authorizer."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from sma_flows.web.local import AUDIENCE, ISSUER, Tokens, application, served

from .conftest import standing
from .rig import Rig, wanted

KEY = "a key for tests that is long enough for all of the algorithms that are tried"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, str, Tokens]]:
    folder: Path = tmp_path_factory.mktemp("local")
    page = folder / "page"
    page.mkdir()
    (page / "index.html").write_text("<h1>Call me</h1>")
    (folder / "secret.txt").write_text("not for the web")
    with standing(folder / "store.sqlite", ISSUER=ISSUER, AUDIENCE=AUDIENCE, PER_USER="100/1d") as rig:
        tokens = Tokens(KEY)
        environments = [rig.function().answer for _ in range(2)]
        with served(application(environments, tokens, page=page, facts={"languages": ["en-US"]})) as url:
            yield rig, url, tokens


def ask(
    url: str, method: str, path: str, body: object = None, token: str = "", **headers: str
) -> tuple[int, str, dict[str, str]]:
    """One request, its body as JSON or as bytes; header names are written with underscores."""
    door = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    given = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    try:
        door.request(method, path, sent, {**given, **{name.replace("_", "-"): text for name, text in headers.items()}})
        answer = door.getresponse()
        return answer.status, answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        door.close()


def test_a_token_of_the_server_has_somebody_called(here: tuple[Rig, str, Tokens]) -> None:
    rig, url, _ = here
    status, text, headers = ask(url, "POST", "/local/token?user=ana")
    assert (status, headers["cache-control"]) == (200, "no-store")
    token = json.loads(text)["token"]
    before = len(rig.telephone())
    status, text, _ = ask(url, "POST", "/calls", wanted(), token)
    assert (status, len(rig.telephone())) == (201, before + 1)
    call = json.loads(text)["call"]
    assert ask(url, "GET", f"/calls/{call}", token=token)[0] == 200
    assert ask(url, "POST", f"/calls/{call}/keys", {"keys": "1"}, token)[0] == 409
    status, text, headers = ask(url, "DELETE", f"/calls/{call}", token=token)
    assert (status, text) == (204, "")


def unsigned(claims: dict[str, Any]) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


NOW = int(time.time())
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ana", "tenant": "local", "iat": NOW, "exp": NOW + 86_400}


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("", "no token"),
        ("Bearer", "no token"),
        ("Bearer  ", "no token"),
        ("Basic YW5hOmFuYQ==", "no token"),
        ("Bearer x.y.z", "cannot be read"),
        (f"Bearer {unsigned(CLAIMS)}", "signature"),
        (f"Bearer {jwt.encode(CLAIMS, KEY + 'x', 'HS256')}", "signature"),
        (f"Bearer {jwt.encode(CLAIMS, KEY, 'HS512')}", "signature"),
        (f"Bearer {jwt.encode({**CLAIMS, 'exp': NOW - 1}, KEY, 'HS256')}", "expired"),
        (f"Bearer {jwt.encode({**CLAIMS, 'aud': 'x'}, KEY, 'HS256')}", "audience"),
        (f"Bearer {jwt.encode({**CLAIMS, 'iss': 'x'}, KEY, 'HS256')}", "issuer"),
        (f"Bearer {jwt.encode({**CLAIMS, 'nbf': NOW + 600}, KEY, 'HS256')}", "cannot be read"),
        (f"Bearer {jwt.encode({k: v for k, v in CLAIMS.items() if k != 'exp'}, KEY, 'HS256')}", "cannot be read"),
    ],
)
def test_without_a_good_token_nothing_reaches_the_function(
    here: tuple[Rig, str, Tokens], header: str, says: str
) -> None:
    rig, url, _ = here
    before = (rig.asked(), rig.kept())
    for method, path in (("POST", "/calls"), ("GET", "/calls/x"), ("DELETE", "/calls/x"), ("POST", "/calls/x/keys")):
        body = wanted() if path == "/calls" else None
        status, text, headers = ask(url, method, path, body, **({"authorization": header} if header else {}))
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert says in json.loads(text)["message"]
    assert (rig.asked(), rig.kept()) == before


def test_ten_megabytes_are_refused_with_a_reason(here: tuple[Rig, str, Tokens]) -> None:
    rig, url, tokens = here
    before = (rig.asked(), rig.kept())
    for size in (10_000_000, 11 * 1024 * 1024):
        try:
            status, text, _ = ask(url, "POST", "/calls", b"x" * size, tokens.make("ana"))
        except (BrokenPipeError, ConnectionResetError):  # the rest was not read: as API Gateway has it
            assert size > 10 * 1024 * 1024
            continue
        assert (status, json.loads(text)["error"]) == (413, "too_large")
    assert (rig.asked(), rig.kept()) == before


def test_bytes_that_are_no_text_are_refused(here: tuple[Rig, str, Tokens]) -> None:
    _, url, tokens = here
    status, text, _ = ask(url, "POST", "/calls", b"\xff\xfe\x00", tokens.make("ana"))
    assert (status, json.loads(text)["error"]) == (400, "not_json")


def test_a_page_that_points_its_own_name_here_is_refused(here: tuple[Rig, str, Tokens]) -> None:
    _, url, _ = here
    assert ask(url, "POST", "/local/token", host="evil.example")[0] == 400


def test_the_page_is_served_and_nothing_beside_it(here: tuple[Rig, str, Tokens]) -> None:
    _, url, _ = here
    assert ask(url, "GET", "/")[1] == "<h1>Call me</h1>"
    for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt"):
        status, text, _ = ask(url, "GET", path)
        assert (status, "not for the web" in text) == (404, False)


def test_the_page_learns_where_everything_is(here: tuple[Rig, str, Tokens]) -> None:
    _, url, _ = here
    told = json.loads(ask(url, "GET", "/config.json")[1])
    assert told == {"api": "", "token": "/local/token", "languages": ["en-US"]}


def test_the_document_describes_the_routes(here: tuple[Rig, str, Tokens]) -> None:
    _, url, _ = here
    document = json.loads(ask(url, "GET", "/openapi.json")[1])
    routes = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert routes == {
        ("/calls", "post"),
        ("/calls/{call}", "get"),
        ("/calls/{call}", "delete"),
        ("/calls/{call}/keys", "post"),
    }
    for path, method in routes:
        assert {"401", "503"} <= document["paths"][path][method]["responses"].keys()
    assert document["security"] == [{"token": []}]
