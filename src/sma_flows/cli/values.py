"""Values for ``env.NAME``: from ``--env``, an env file, the process, or ``local.env`` beside the flow."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from sma_flows.cli.console import WrongUsage

__all__ = ["LOCAL_ENV", "gather_values", "read_env_file"]

LOCAL_ENV: Final = "local.env"
"""The file of values for trying flows on one's own machine; it lies beside them."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def gather_values(
    given: Iterable[str], env_file: Path | None, root: Path, process: Mapping[str, str] | None = None
) -> dict[str, str]:
    """All values a flow may read. Strongest first: ``--env``, ``--env-file``, the process, ``local.env`` in *root*.

    Raises:
        WrongUsage: an option or a line of a file is not NAME=VALUE.
    """
    values: dict[str, str] = {}
    local = root / LOCAL_ENV
    if local.is_file():
        values.update(read_env_file(local))
    values.update(os.environ if process is None else process)
    if env_file is not None:
        values.update(read_env_file(env_file))
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise WrongUsage(f"--env takes NAME=VALUE, not '{pair}': write for example --env PROMPTS=my-bucket")
        values[name] = value
    return values


def read_env_file(path: Path) -> dict[str, str]:
    """The values of one file: a NAME=VALUE per line, ``#`` starts a comment line, quotes around a value are dropped.

    Raises:
        WrongUsage: the file cannot be read, or a line is something else.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise WrongUsage(f"{path} is not UTF-8 text: save it as UTF-8, one NAME=VALUE per line.") from None
    except OSError as error:
        raise WrongUsage(f"the env file {path} cannot be read ({error.strerror}): check its name.") from None
    values: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not _NAME.fullmatch(name):
            raise WrongUsage(f"{path}:{number}: this line is not NAME=VALUE: write for example PROMPTS=my-bucket")
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        values[name] = value
    return values
