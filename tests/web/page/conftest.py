"""Tests of the page in a real browser: collected where `make page` has set up what they need."""

import os

TOOLS = os.environ.get("SMA_FLOWS_PAGE_TOOLS", "")
collect_ignore_glob = [] if TOOLS else ["test_*.py"]

if TOOLS:
    from web.page.kit import browser, desk, page_files, player, running, served, shared, visit

    __all__ = ["browser", "desk", "page_files", "player", "running", "served", "shared", "visit"]
