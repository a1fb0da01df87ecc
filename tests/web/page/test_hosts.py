"""The page on a host of its own, as it is deployed: the API is at another origin, and says who may ask it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from sma_flows.web import local, stage
from sma_flows.web.local import Tokens
from sma_flows.web.page import LOCAL, write
from sma_flows.web.page.bundle import bundle
from web.page.kit import NOBODY, Chromium

TEMPLATE = (Path(__file__).resolve().parents[3] / "template.yaml").read_text("utf-8")


def said(name: str) -> list[str]:
    """A list of the template's CorsConfiguration."""
    found = re.search(rf"{name}: \[(.*?)\]", TEMPLATE[TEMPLATE.index("CorsConfiguration:") :])
    assert found is not None
    return re.split(r",\s*", found[1])


@contextmanager
def site(folder: Path, tokens: Tokens) -> Iterator[str]:
    """The team's own host: the page, and a token for whoever has signed in."""

    async def token(_request: Request) -> JSONResponse:
        return JSONResponse({"token": tokens.make("visitor")})

    routes = [Route("/session/token", token, methods=["POST"]), Mount("/", StaticFiles(directory=folder, html=True))]
    with local.served(Starlette(routes=routes)) as url:
        yield url.replace("127.0.0.1", "localhost")


def test_a_page_on_a_host_of_its_own_reaches_the_api_that_knows_it(
    browser: Chromium, served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, origins = tmp_path / "site", list[str]()
    folder.mkdir()

    def with_cors(*given: Any, **more: Any) -> Starlette:
        app = local.application(*given, **more)
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=said("AllowMethods"),
            allow_headers=said("AllowHeaders"),
            expose_headers=said("ExposeHeaders"),
        )
        return app

    monkeypatch.setattr(stage, "application", with_cors)
    with served(PER_USER="1/1d") as desk, site(folder, desk.stage.tokens) as url:
        api = desk.stage.url
        write(folder, bundle(), api=api, token="/session/token", languages=["en-US"], media=LOCAL)
        visit = browser.open(url, "microphone")
        visit.call()
        visit.problem("The service cannot be reached. Check your connection and try again.")
        assert desk.calls() == 0

        origins.append(url)
        visit.call()
        visit.step("talking")
        visit.button("7").click()
        expect(visit.page.locator("#sent")).to_have_text("7")
        visit.button("Hang up").click()
        visit.status("You hung up.")
        visit.button("Call again").click()
        visit.call(NOBODY)
        expect(visit.page.locator("#problem")).to_contain_text("Please try again in")  # Retry-After can be read
        desk.over()
        reached = {urlsplit(one).netloc for one in browser.asked if not one.startswith("blob:")}
        assert reached == {urlsplit(one).netloc for one in (url, api, desk.stage.service)}
