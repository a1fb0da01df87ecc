"""The command ``sma-flows``: thin modules, one per command, over the compiler and the runtime."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Entry point of the command line. Exits with 0 (clean), 1 (findings), 2 (wrong usage), 130 or 141."""
    try:
        from sma_flows.cli.app import run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in {"click", "msgspec", "rich", "yaml", "pydantic"}:
            raise
        sys.stderr.write(
            f"Error: the command line needs the package '{error.name}', which a deployed function does without. "
            "Install it with: pip install 'sma-flows[all]'\n"
        )
        sys.exit(2)
    run()
