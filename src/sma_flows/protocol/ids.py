"""Ids in the shape in which the service writes its own, derived from names and never from chance.

The local services and the simulated one make their ids here: what is asked for twice has the same id twice.
"""

from __future__ import annotations

import hashlib

__all__ = ["digest", "like_uuid"]


def digest(*parts: str) -> str:
    """64 hexadecimal digits for a name made of *parts*."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()


def like_uuid(*parts: str) -> str:
    """A name made of *parts* as 8-4-4-4-12 hexadecimal digits."""
    text = digest(*parts)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:32]))
