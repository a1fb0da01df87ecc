"""Tests with tools that have an environment of their own: collected where `make template` says where that is."""

import os

collect_ignore_glob = [] if os.environ.get("SMA_FLOWS_TEMPLATE_TOOLS") else ["test_*.py"]
