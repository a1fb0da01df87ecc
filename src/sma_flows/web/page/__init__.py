"""The page of click-to-call: static files that work from any host, and what they are told about theirs.

``static/`` is served as it is, but for the policy in the head of index.html. ``client/`` is TypeScript; with
amazon-chime-sdk-js it becomes page.js (:mod:`sma_flows.web.page.bundle`). Where the API is, who gives a token and which
languages there are stands in config.json beside the page. There is no secret in any of it.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

__all__ = ["CHIME", "HEADERS", "LOCAL", "PageError", "policy", "write"]

CHIME: Final = ("https://*.chime.aws", "wss://*.chime.aws")
"""Where the meetings of Amazon Chime SDK are (its guide to content security policies)."""

LOCAL: Final = ("ws://127.0.0.1:*",)
"""Where those of the simulated service are."""

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "frame-ancestors 'none'",  # the one rule that a page cannot state about itself
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""What a server should send along with each file."""

_ORIGIN: Final = re.compile(r"(https://[a-z0-9.-]+(:\d+)?|http://(localhost|127\.0\.0\.1)(:\d+)?)")


class PageError(Exception):
    """The page cannot be made like this."""


def policy(connects: Sequence[str]) -> str:
    """The Content-Security-Policy of the page, which talks to its own origin and to *connects*.

    Nothing inline, no eval. ``blob:`` lets amazon-chime-sdk-js start workers for sound.
    """
    rules = {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "connect-src": ["'self'", *connects],
        "media-src": ["'self'"],
        "worker-src": ["blob:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    return "; ".join(f"{rule} {' '.join(sources)}" for rule, sources in rules.items())


def write(
    folder: Path,
    script: Path,
    *,
    api: str = "",
    token: str,
    languages: Sequence[str],
    to: str = "",
    media: Sequence[str] = CHIME,
) -> list[str]:
    """Write the page into *folder*, which is made; gives the names of the files.

    *script* is the folder with page.js and licences.txt. *api* is the origin of the API (empty: the page's own),
    *token* the address on the page's own host that gives a visitor's token, *to* a number to begin with, *media* where
    the meetings are.

    Raises:
        PageError: an address is none.
    """
    if api and not _ORIGIN.fullmatch(api.rstrip("/")):
        raise PageError(f"{api} is no address of an API: write https://, the host, and nothing behind it")
    if not token.startswith("/") or token.startswith("//") or urlsplit(token).netloc:
        raise PageError(
            f"{token} is no path on the page's own host: tokens are given to visitors who are signed in there"
        )
    if not languages:
        raise PageError("there is no language to choose")
    told: dict[str, Any] = {"api": api.rstrip("/"), "token": token, "languages": list(languages)}
    connects = [*([api.rstrip("/")] if api else []), *media]
    static = resources.files(__name__) / "static"
    index = (static / "index.html").read_text("utf-8").replace("{policy}", html.escape(policy(connects), quote=False))
    files: dict[str, bytes] = {
        "index.html": index.encode(),
        **{name: (static / name).read_bytes() for name in ("page.css", "icon.svg")},
        **{name: (script / name).read_bytes() for name in ("page.js", "licences.txt")},
        "config.json": (json.dumps({**told, "to": to} if to else told, indent=2) + "\n").encode(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return sorted(files)
