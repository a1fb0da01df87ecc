"""Calls as tests: `*.calls.yaml` files say what a caller does and hears; here they are read and played."""

from typing import Final

__all__ = ["SUFFIXES"]

SUFFIXES: Final = (".calls.yaml", ".calls.yml")
"""How the names of files of calls end."""
