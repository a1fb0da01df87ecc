"""The telephone as plain lines: for pipes, for screen readers, for terminals that can do no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from sma_flows.phone.commands import run
from sma_flows.phone.handset import Handset, HandsetError

__all__ = ["QUIT", "converse"]

QUIT: Final = ("quit", "exit", "q")


def converse(handset: Handset, typed: Iterable[str], say: Callable[[str], None]) -> int:
    """Carry out typed lines until they end or somebody types ``quit``; how many of them could not be done.

    What is new in the transcript is said after each line, then whose turn it is.
    """
    said, failed = 0, 0
    said = _tell(handset, said, say)
    for line in typed:
        if line.strip() in QUIT:
            break
        player, place = handset.player, len(handset.lines)
        try:
            answer = run(handset, line)
        except HandsetError as error:
            failed += 1
            say(f"? {error}")
            continue
        if answer:
            say(answer)
        if handset.player is not player:  # the call was played anew: what led here was told before
            said = len(handset.lines)
        if handset.player is not player or len(handset.lines) != place:
            said = _tell(handset, said, say)
    return failed


def _tell(handset: Handset, said: int, say: Callable[[str], None]) -> int:
    for line in handset.lines[said:]:
        say(line)
    say(f"[{handset.state}] {handset.waits_for}")
    return len(handset.lines)
